//! The section `Resources` itself.

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::Map;
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "structure/resources",
    why: "A stack without resources cannot be created.",
    wrong: "Description: Nothing yet\n",
    right: "Description: One topic\nResources:\n  Topic: {Type: AWS::SNS::Topic}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some(root) = subject.template.root.as_map() else { return };
    match root.get("Resources") {
        None if root.keys().any(|key| key.starts_with("Fn::Transform")) => {}
        None => {
            let problem = Diagnostic::error(RULE.id, "the template has no section `Resources`");
            let slip = closest("Resources", root.keys());
            found.push(match slip {
                Some(slip) => problem.at(root.key_span(slip)).help(format!("Is `{slip}` meant?")),
                None => {
                    let first = root.keys().next().and_then(|key| root.key_span(key));
                    problem.at(first).help("It is a map of logical IDs, each with a `Type` and `Properties`.")
                }
            });
        }
        Some(node) if node.as_map().is_some_and(Map::is_empty) => {
            found.push(
                Diagnostic::error(RULE.id, "the section `Resources` is empty")
                    .at(root.key_span("Resources"))
                    .help("A stack needs at least one resource."),
            );
        }
        Some(_) => {}
    }
}
