//! CloudFormation's quotas for one template.

use crate::diagnostic::Diagnostic;
use crate::validate::{Rule, Subject};

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const LIMITS: [(&str, usize); 4] = [("Resources", 500), ("Parameters", 200), ("Outputs", 200), ("Mappings", 200)];

pub(super) const RULE: Rule = Rule {
    id: "structure/limits",
    why: "CloudFormation refuses a template with more than 500 resources, or 200 parameters, outputs or mappings.",
    wrong: "",
    right: "Resources:\n  Topic: {Type: AWS::SNS::Topic}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (name, limit) in LIMITS {
        let Some(section) = subject.template.section(name) else { continue };
        if section.len() > limit {
            let beyond = section.keys().nth(limit).and_then(|key| section.key_span(key));
            found.push(
                Diagnostic::error(RULE.id, format!("`{name}` has {} entries, and CloudFormation takes {limit}", section.len()))
                    .at(beyond)
                    .help("Move a part of the application into a nested stack."),
            );
        }
    }
}
