//! `Fn::FindInMap` in mappings that do not exist.

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::{Map, Node};
use crate::validate::{Rule, Subject, shape};

pub(super) const RULE: Rule = Rule {
    id: "reference/mapping",
    why: "CloudFormation refuses a template that looks something up in a mapping that does not have it.",
    wrong: "Mappings:\n  Sizes: {dev: {Topic: small}}\nResources:\n  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !FindInMap [Size, dev, Topic]}}\n",
    right: "Mappings:\n  Sizes: {dev: {Topic: small}}\nResources:\n  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !FindInMap [Sizes, dev, Topic]}}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    if subject.has_unknown_names() {
        return;
    }
    let empty = Map::new();
    let section = subject.template.section("Mappings").unwrap_or(&empty);
    let conditions =
        subject.template.section("Conditions").into_iter().flat_map(|map| map.iter().map(|(_, node)| node));
    for part in shape::evaluated(subject).into_iter().chain(conditions) {
        shape::functions(part, false, &mut |_, function, argument| {
            if function == "Fn::FindInMap" {
                look(section, argument.as_list().unwrap_or_default(), found);
            }
        });
    }
}

/// Goes as far down as the keys are plain text.
fn look(section: &Map, keys: &[Node], found: &mut Vec<Diagnostic>) {
    // With a default value a missing key is no mistake.
    if keys.len() != 3 {
        return;
    }
    let mut map = section;
    for (depth, key) in keys.iter().enumerate() {
        let Some(name) = crate::template::parameters::text_of(key).filter(|_| key.as_list().is_none()) else { return };
        match map.get(&name) {
            Some(inner) => match inner.as_map() {
                Some(inner) => map = inner,
                None => return,
            },
            None => {
                let what = if depth == 0 { "mapping" } else { "key" };
                let problem = Diagnostic::error(RULE.id, format!("there is no {what} `{name}`")).at(key.span);
                found.push(match closest(&name, map.keys()) {
                    Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
                    None if map.is_empty() => problem.help("Mappings are declared in the section `Mappings`."),
                    None => problem.help(format!("There are {}.", map.keys().take(8).collect::<Vec<_>>().join(", "))),
                });
                return;
            }
        }
    }
}
