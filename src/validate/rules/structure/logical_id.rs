//! Names of resources, parameters, mappings, conditions and outputs.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "structure/logical-id",
    why: "CloudFormation takes letters and digits only, and a resource may not be called like a parameter.",
    wrong: "Resources:\n  my-topic: {Type: AWS::SNS::Topic}\n",
    right: "Resources:\n  MyTopic: {Type: AWS::SNS::Topic}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let mut parameters = BTreeMap::new();
    for (section, what) in [
        ("Parameters", "a parameter"),
        ("Mappings", "a mapping"),
        ("Conditions", "a condition"),
        ("Resources", "a resource"),
        ("Outputs", "an output"),
    ] {
        let Some(map) = subject.template.section(section) else { continue };
        for name in map.keys().filter(|name| !name.starts_with("Fn::")) {
            let allowed = |c: char| c.is_ascii_alphanumeric() || section == "Conditions" && "-_.".contains(c);
            if name.is_empty() || !name.chars().all(allowed) {
                let mended: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
                let problem = Diagnostic::error(
                    RULE.id,
                    format!("the name of {what} has letters and digits only, and this is `{name}`"),
                )
                .at(map.key_span(name));
                found.push(if mended.is_empty() { problem } else { problem.help(format!("`{mended}` would do.")) });
            } else if name.len() > 255 {
                found.push(Diagnostic::error(RULE.id, "a name has at most 255 characters").at(map.key_span(name)));
            }
            if section == "Parameters" {
                parameters.insert(name, map.key_span(name));
            } else if let ("Resources", Some(first)) = (section, parameters.get(name)) {
                found.push(
                    Diagnostic::error(RULE.id, format!("`{name}` is a parameter and a resource"))
                        .at(map.key_span(name))
                        .label(*first, "the parameter")
                        .help("`Ref` could not tell them apart: rename one."),
                );
            }
        }
    }
}
