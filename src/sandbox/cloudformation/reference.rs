//! What an expression refers to: the order of a template's resources comes from it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::evaluate::{DEEPEST, Piece, as_text, get_att, intrinsic, pieces};

/// A `Ref`, `Fn::GetAtt` or `${}` in an expression.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) attribute: Option<String>,
}

/// Everything that an expression refers to, pseudo parameters and parameters included; of `Fn::If`
/// the branch that counts.
pub(super) fn references(value: &Value, conditions: &BTreeMap<String, bool>) -> BTreeSet<Reference> {
    let mut found = BTreeSet::new();
    collect(value, conditions, &mut found, 0);
    found
}

fn collect(value: &Value, conditions: &BTreeMap<String, bool>, found: &mut BTreeSet<Reference>, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    let mut inner = |value: &Value| collect(value, conditions, found, depth + 1);
    match value {
        Value::Array(items) => items.iter().for_each(inner),
        Value::Object(map) => match intrinsic(map) {
            Some(("Ref", Value::String(name))) => {
                found.insert(Reference { name: name.clone(), attribute: None });
            }
            Some(("Fn::GetAtt", argument)) => {
                if let Some((resource, attribute)) = get_att(argument) {
                    inner(&attribute);
                    let attribute = Some(as_text(&attribute).unwrap_or_default());
                    found.insert(Reference { name: resource.to_owned(), attribute });
                }
            }
            Some(("Fn::Sub", argument)) => {
                let variables = argument.get(1).and_then(Value::as_object);
                let text = argument.as_str().or_else(|| argument.get(0)?.as_str()).unwrap_or_default();
                variables.into_iter().flat_map(Map::values).for_each(&mut inner);
                for piece in pieces(text) {
                    if let Piece::Variable(name) = piece
                        && !variables.is_some_and(|variables| variables.contains_key(name))
                    {
                        found.insert(match name.split_once('.') {
                            Some((name, attribute)) => {
                                Reference { name: name.to_owned(), attribute: Some(attribute.to_owned()) }
                            }
                            None => Reference { name: name.to_owned(), attribute: None },
                        });
                    }
                }
            }
            Some(("Fn::If", Value::Array(items))) if items.len() == 3 => {
                match items[0].as_str().and_then(|name| conditions.get(name)) {
                    Some(true) => inner(&items[1]),
                    Some(false) => inner(&items[2]),
                    None => items.iter().for_each(inner),
                }
            }
            Some((_, argument)) => inner(argument),
            None => map.values().for_each(inner),
        },
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_follow_the_branch_that_counts() {
        let conditions = [("C".to_owned(), false)].into_iter().collect();
        let found = references(
            &json!({"a": {"Fn::If": ["C", {"Ref": "A"}, {"Fn::GetAtt": ["B", "Arn"]}]},
                    "b": {"Fn::Sub": ["${x} ${D} ${!E} ${F.G.H}", {"x": {"Ref": "I"}}]}}),
            &conditions,
        );
        let names: Vec<String> = found
            .into_iter()
            .map(|reference| format!("{}.{}", reference.name, reference.attribute.unwrap_or_default()))
            .collect();
        assert_eq!(names, ["B.Arn", "D.", "F.G.H", "I."]);
    }
}
