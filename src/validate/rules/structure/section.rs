//! Sections that do not exist, or are not maps.

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::validate::{Rule, Subject};

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html>
const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
];

pub(super) const RULE: Rule = Rule {
    id: "structure/section",
    why: "CloudFormation refuses a template with a section that it does not know.",
    wrong: "Resource:\n  Topic: {Type: AWS::SNS::Topic}\nResources:\n  Queue: {Type: AWS::SQS::Queue}\n",
    right: "Resources:\n  Topic: {Type: AWS::SNS::Topic}\n  Queue: {Type: AWS::SQS::Queue}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some(root) = subject.template.root.as_map() else { return };
    for (name, node) in root.iter() {
        if name == "Transform" || name.starts_with("Fn::Transform") {
            continue;
        }
        if !SECTIONS.contains(&name) {
            let problem = Diagnostic::error(RULE.id, format!("there is no section `{name}`")).at(root.key_span(name));
            found.push(match closest(name, SECTIONS.into_iter().chain(["Transform"])) {
                Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
                None => problem.help(format!("The sections are {}, Transform.", SECTIONS.join(", "))),
            });
            continue;
        }
        let is_text = matches!(name, "AWSTemplateFormatVersion" | "Description");
        // An empty section is an empty map to everybody but CloudFormation's own parser of JSON.
        if is_text && node.as_str().is_none() && name == "Description" {
            found.push(
                Diagnostic::error(RULE.id, format!("`Description` is text, and this is {}", node.kind()))
                    .at(node.span.or(root.key_span(name)))
                    .help("Put it in quotes."),
            );
        } else if !is_text && node.as_map().is_none() && !(node.is_null() && name != "Resources") {
            found.push(
                Diagnostic::error(RULE.id, format!("the section `{name}` is a map, and this is {}", node.kind()))
                    .at(node.span.or(root.key_span(name)))
                    .help("Check the indentation of the lines below it."),
            );
        }
    }
}
