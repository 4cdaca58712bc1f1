//! What a node of a plain template refers to by name.

use std::collections::{BTreeMap, BTreeSet};

use crate::template::{Node, Value, intrinsics};

/// In which of the template's sections a name is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::deploy) enum Kind {
    /// A parameter or a resource.
    Value,
    /// A condition.
    Condition,
    /// A mapping.
    Mapping,
}

/// The names that a resource, or a part of a template, refers to.
pub(in crate::deploy) fn references(node: &Node) -> BTreeSet<(Kind, String)> {
    let mut found: BTreeSet<(Kind, String)> = intrinsics::resource(node)
        .into_iter()
        .map(|reference| {
            let kind = match reference.kind {
                intrinsics::Kind::Condition => Kind::Condition,
                _ => Kind::Value,
            };
            (kind, reference.name.to_owned())
        })
        .collect();
    definitions(node, &mut found);
    found
}

/// What only mappings and conditions themselves mention: `Fn::FindInMap`, and `Condition` as a function.
fn definitions(node: &Node, found: &mut BTreeSet<(Kind, String)>) {
    match node.intrinsic() {
        Some(("Condition", name)) => {
            found.extend(name.as_str().map(|name| (Kind::Condition, name.to_owned())));
        }
        Some(("Fn::FindInMap", argument)) => {
            let name = argument.as_list().and_then(<[Node]>::first).and_then(Node::as_str);
            found.extend(name.map(|name| (Kind::Mapping, name.to_owned())));
        }
        _ => {}
    }
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| definitions(item, found)),
        Value::Map(map) => map.iter().for_each(|(_, value)| definitions(value, found)),
        _ => {}
    }
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
