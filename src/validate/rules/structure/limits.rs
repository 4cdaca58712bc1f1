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
                Diagnostic::error(
                    RULE.id,
                    format!("`{name}` has {} entries, and CloudFormation takes {limit}", section.len()),
                )
                .at(beyond)
                .help("Move a part of the application into a nested stack."),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::template::read::read_bytes;
    use crate::validate::{Options, validate};

    #[test]
    fn the_501st_resource_is_one_too_many() {
        let resource = |index| format!("  R{index}: {{Type: AWS::SNS::Topic}}\n");
        let text = |count: usize| "Resources:\n".to_owned() + &(0..count).map(resource).collect::<String>();
        let options = Options { today: time::Date::MIN, files: None };
        let found = |count| validate(&read_bytes("t", text(count).as_bytes()).unwrap(), options).items.len();
        assert_eq!((found(500), found(501)), (0, 1));
    }
}
