//! What a node of a plain template refers to by name.

use std::collections::{BTreeMap, BTreeSet};

use crate::template::{Map, Node, Value};

/// In which of the template's sections a name is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A parameter or a resource.
    Value,
    /// A condition.
    Condition,
    /// A mapping.
    Mapping,
}

/// The names that a resource, or a part of a template, refers to.
pub(super) fn references(node: &Node) -> BTreeSet<(Kind, String)> {
    let mut found = BTreeSet::new();
    visit(node, &mut found);
    found
}

fn visit(node: &Node, found: &mut BTreeSet<(Kind, String)>) {
    let mut add = |kind, name: Option<&str>| found.extend(name.map(|name| (kind, name.to_owned())));
    if let Some((function, argument)) = node.intrinsic() {
        let first = argument.as_list().and_then(<[Node]>::first).and_then(Node::as_str);
        match function {
            "Ref" => add(Kind::Value, argument.as_str()),
            "Condition" => add(Kind::Condition, argument.as_str()),
            "Fn::If" => add(Kind::Condition, first),
            "Fn::FindInMap" => add(Kind::Mapping, first),
            "Fn::GetAtt" => {
                let dotted = argument.as_str().and_then(|text| text.split('.').next());
                add(Kind::Value, first.or(dotted));
            }
            "Fn::Sub" => {
                let (text, own) = sub(argument);
                for name in sub_names(text).filter(|name| own.is_none_or(|own| !own.contains_key(name))) {
                    add(Kind::Value, Some(name));
                }
            }
            _ => {}
        }
    }
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| visit(item, found)),
        Value::Map(map) => {
            for (key, value) in map.iter() {
                match (key, &value.value) {
                    // A resource's own condition; inside properties the same key is an IAM statement's map.
                    ("Condition", Value::String(name)) => found.extend([(Kind::Condition, name.clone())]),
                    ("DependsOn", Value::String(name)) => found.extend([(Kind::Value, name.clone())]),
                    ("DependsOn", Value::List(names)) => {
                        found.extend(names.iter().filter_map(Node::as_str).map(|name| (Kind::Value, name.to_owned())));
                    }
                    _ => visit(value, found),
                }
            }
        }
        _ => {}
    }
}

/// Text and own variables of `Fn::Sub`.
fn sub(argument: &Node) -> (&str, Option<&Map>) {
    match argument.as_list() {
        Some([text, own, ..]) => (text.as_str().unwrap_or_default(), own.as_map()),
        Some([text]) => (text.as_str().unwrap_or_default(), None),
        _ => (argument.as_str().unwrap_or_default(), None),
    }
}

/// The names in `${Name}` and `${Name.Attribute}`; `${!Literal}` is none.
fn sub_names(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| {
        let inside = rest.split('}').next()?.trim();
        (!inside.starts_with('!')).then(|| inside.split('.').next().unwrap_or(inside))
    })
}

/// The same node with conditions and mappings called differently.
pub(super) fn rename(node: &Node, names: &BTreeMap<(Kind, String), String>) -> Node {
    let new = |kind, old: &str| names.get(&(kind, old.to_owned())).cloned();
    let rename_first = |kind, argument: &Node| {
        let mut items: Vec<Node> =
            argument.as_list().unwrap_or_default().iter().map(|item| rename(item, names)).collect();
        if let Some(first) = items.first_mut()
            && let Some(name) = first.as_str().and_then(|old| new(kind, old))
        {
            *first = Node::from(name);
        }
        Node::from(items)
    };
    let value = match &node.value {
        Value::List(items) => Value::List(items.iter().map(|item| rename(item, names)).collect()),
        Value::Map(map) => Value::Map(
            map.iter()
                .map(|(key, value)| {
                    let value = match key {
                        "Condition" if value.as_str().is_some() => {
                            let old = value.as_str().unwrap_or_default();
                            Node::from(new(Kind::Condition, old).unwrap_or_else(|| old.to_owned()))
                        }
                        "Fn::If" if value.as_list().is_some() => rename_first(Kind::Condition, value),
                        "Fn::FindInMap" if value.as_list().is_some() => rename_first(Kind::Mapping, value),
                        _ => rename(value, names),
                    };
                    (key.to_owned(), value)
                })
                .collect(),
        ),
        other => other.clone(),
    };
    Node { value, span: node.span }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_found_wherever_a_template_may_have_them() {
        let node = Node::from(json!({
            "Condition": "C1",
            "DependsOn": ["D1", "D2"],
            "Properties": {
                "A": { "Fn::GetAtt": "G1.Arn" },
                "B": { "Fn::Sub": ["${S1} ${Own} ${!Literal} ${S2.Arn}", { "Own": { "Ref": "R1" } }] },
                "C": { "Fn::If": ["C2", { "Fn::FindInMap": ["M1", { "Ref": "R2" }, "k"] }, { "Ref": "AWS::NoValue" }] },
                "Policy": { "Statement": [{ "Condition": { "StringEquals": { "x": { "Ref": "R3" } } } }] }
            }
        }));
        let shown: Vec<String> = references(&node).into_iter().map(|(kind, name)| format!("{kind:?} {name}")).collect();
        insta::assert_snapshot!(shown.join(", "), @"Value AWS::NoValue, Value D1, Value D2, Value G1, Value R1, Value R2, Value R3, Value S1, Value S2, Condition C1, Condition C2, Mapping M1");
    }
}
