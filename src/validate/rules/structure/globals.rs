//! SAM's Globals: which types have one.

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::validate::{Rule, Subject};

/// <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html>,
/// and the types that the published transform takes beyond it.
const TYPES: [&str; 11] = [
    "Function",
    "Api",
    "HttpApi",
    "SimpleTable",
    "StateMachine",
    "LayerVersion",
    "CapacityProvider",
    "WebSocketApi",
    "WebFunction",
    "NetworkConnector",
    "MicrovmImage",
];

pub(super) const RULE: Rule = Rule {
    id: "structure/globals",
    why: "SAM's transform refuses Globals of a type that has none.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nGlobals:\n  Functions: {Timeout: 3}\nResources:\n  Table: {Type: AWS::Serverless::SimpleTable}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nGlobals:\n  Function: {Timeout: 3}\nResources:\n  Table: {Type: AWS::Serverless::SimpleTable}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some(section) = subject.template.section("Globals") else { return };
    for (name, node) in section.iter() {
        if !TYPES.contains(&name) {
            let problem =
                Diagnostic::error(RULE.id, format!("there are no Globals for `{name}`")).at(section.key_span(name));
            found.push(match closest(name, TYPES) {
                Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
                None => problem.help(format!("Globals are for {}.", TYPES.join(", "))),
            });
        } else if node.as_map().is_none() {
            found.push(
                Diagnostic::error(RULE.id, format!("the Globals of `{name}` are a map, and this is {}", node.kind()))
                    .at(node.span.filter(|span| span.start < span.end).or(section.key_span(name))),
            );
        }
    }
}
