//! The two levels of a mapping.

use crate::diagnostic::Diagnostic;
use crate::template::{Map, Node, Value};
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "structure/mapping",
    why: "A mapping has two levels of keys above its values; `Fn::FindInMap` has no way to anything else.",
    wrong: "Mappings:\n  Sizes: {dev: 128}\nResources:\n  Topic: {Type: AWS::SNS::Topic}\n",
    right: "Mappings:\n  Sizes: {dev: {Memory: 128}}\nResources:\n  Topic: {Type: AWS::SNS::Topic}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some(section) = subject.template.section("Mappings") else { return };
    let not_generated = |name: &str| !name.starts_with("Fn::");
    for (name, mapping) in section.iter().filter(|(name, _)| not_generated(name)) {
        let Some(map) = level(mapping, name, section, found) else { continue };
        for (key, inner) in map.iter().filter(|(key, _)| not_generated(key)) {
            let Some(values) = level(inner, key, map, found) else { continue };
            for (second, value) in values.iter().filter(|(key, _)| not_generated(key)) {
                if matches!(value.value, Value::Map(_) | Value::Null) {
                    found.push(
                        Diagnostic::error(
                            RULE.id,
                            format!("a value of a mapping is text, a number or a list, and this is {}", value.kind()),
                        )
                        .at(value.span.filter(|span| span.start < span.end).or(values.key_span(second)))
                        .help("A mapping has exactly two levels of keys, and no functions in it."),
                    );
                }
            }
        }
    }
}

fn level<'t>(node: &'t Node, name: &str, above: &Map, found: &mut Vec<Diagnostic>) -> Option<&'t Map> {
    let map = node.as_map();
    if map.is_none() {
        found.push(
            Diagnostic::error(RULE.id, format!("`{name}` has to be a map, and this is {}", node.kind()))
                .at(node.span.filter(|span| span.start < span.end).or(above.key_span(name)))
                .help("A mapping has two levels of keys above its values."),
        );
    }
    map
}
