//! Conditions that do not exist, or are none.

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::intrinsics::{self, Kind, Reference};
use crate::template::{Map, Node};
use crate::validate::{Rule, Subject, shape};

pub(super) const RULE: Rule = Rule {
    id: "reference/condition",
    why: "CloudFormation refuses a template that mentions a condition that is not in it, or that depends on itself.",
    wrong: "Conditions:\n  IsProd: !Equals [!Ref AWS::Region, eu-west-1]\nResources:\n  Topic: {Type: AWS::SNS::Topic, Condition: IsPrd}\n",
    right: "Conditions:\n  IsProd: !Equals [!Ref AWS::Region, eu-west-1]\nResources:\n  Topic: {Type: AWS::SNS::Topic, Condition: IsProd}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let empty = Map::new();
    let section = subject.template.section("Conditions").unwrap_or(&empty);
    for (name, node) in section.iter().filter(|(name, _)| !name.starts_with("Fn::")) {
        if node.intrinsic().is_none() {
            found.push(
                Diagnostic::error(
                    RULE.id,
                    format!("the condition `{name}` is a function such as `!Equals`, and this is {}", node.kind()),
                )
                .at(node.span.filter(|span| span.start < span.end).or(section.key_span(name))),
            );
        }
    }
    circles(section, found);
    if subject.has_unknown_names() {
        return;
    }
    let mut mentioned: Vec<Reference<'_>> = Vec::new();
    for part in shape::evaluated(subject) {
        mentioned
            .extend(intrinsics::references(part).into_iter().filter(|reference| reference.kind == Kind::Condition));
    }
    mentioned.extend(subject.resources.iter().filter_map(|resource| {
        let node = resource.body.get("Condition")?;
        Some(Reference { kind: Kind::Condition, name: node.as_str()?, attribute: None, span: node.span })
    }));
    for (_, output) in subject.template.section("Outputs").into_iter().flat_map(Map::iter) {
        mentioned.extend(intrinsics::condition_attribute(output));
    }
    for (_, condition) in section.iter() {
        mentioned.extend(inner(condition));
    }
    for reference in mentioned {
        if section.contains_key(reference.name) {
            continue;
        }
        let problem =
            Diagnostic::error(RULE.id, format!("there is no condition `{}`", reference.name)).at(reference.span);
        found.push(match closest(reference.name, section.keys()) {
            Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
            None => problem.help("Conditions are declared in the section `Conditions`."),
        });
    }
}

/// The conditions that a condition mentions.
fn inner(node: &Node) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    shape::functions(node, true, &mut |_, function, argument| {
        if function == "Condition"
            && let Some(name) = argument.as_str()
        {
            found.push(Reference { kind: Kind::Condition, name, attribute: None, span: argument.span });
        }
    });
    found
}

fn circles(section: &Map, found: &mut Vec<Diagnostic>) {
    for (name, node) in section.iter() {
        // Bounded by the number of conditions: each is visited once.
        let mut seen: Vec<&str> = Vec::new();
        let mut waiting: Vec<&str> = inner(node).iter().map(|reference| reference.name).collect();
        while let Some(next) = waiting.pop() {
            if next == name {
                found.push(
                    Diagnostic::error(RULE.id, format!("the condition `{name}` depends on itself"))
                        .at(section.key_span(name))
                        .help("One of the conditions on the way has to be decided by parameters alone."),
                );
                break;
            }
            if !seen.contains(&next) {
                seen.push(next);
                waiting.extend(section.get(next).map(inner).unwrap_or_default().iter().map(|reference| reference.name));
            }
        }
    }
}
