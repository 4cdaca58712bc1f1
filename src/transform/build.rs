//! Small words for building CloudFormation trees, and for reading values as the published transform
//! reads them.

use super::openapi::python::Py;
use crate::template::{Map, Node, Value};

/// A text.
pub(crate) fn text(text: impl Into<String>) -> Node {
    Node::from(text.into())
}

/// A map.
pub(crate) fn map<const N: usize>(entries: [(&str, Node); N]) -> Node {
    Node::from(entries.into_iter().collect::<Map>())
}

/// A list.
pub(crate) fn list<const N: usize>(items: [Node; N]) -> Node {
    Node::from(Vec::from(items))
}

/// `!Ref id`
pub(crate) fn reference(id: &str) -> Node {
    map([("Ref", text(id))])
}

/// `!GetAtt id.attribute`
pub(crate) fn get_att(id: &str, attribute: &str) -> Node {
    map([("Fn::GetAtt", list([text(id), text(attribute)]))])
}

/// `!Sub template`, with variables.
pub(crate) fn sub<const N: usize>(template: &str, variables: [(&str, Node); N]) -> Node {
    if N == 0 {
        return map([("Fn::Sub", text(template))]);
    }
    map([("Fn::Sub", list([text(template), map(variables)]))])
}

/// `!If [condition, then, otherwise]`; `AWS::NoValue` where there is no `otherwise`.
pub(crate) fn conditional(condition: &Node, then: Node, otherwise: Option<Node>) -> Node {
    map([("Fn::If", list([condition.clone(), then, otherwise.unwrap_or_else(|| reference("AWS::NoValue"))]))])
}

/// `!Not [{Condition: condition}]`
pub(crate) fn not(condition: &str) -> Node {
    map([("Fn::Not", list([map([("Condition", text(condition))])]))])
}

/// How Python takes a value.
pub(crate) trait Read {
    /// Whether it counts as true: not null, `false`, zero or empty.
    fn truthy(&self) -> bool;
    /// Whether it is an intrinsic function.
    fn is_intrinsic(&self) -> bool;
    /// The arguments of `Fn::If`, when that is what it is.
    fn as_if(&self) -> Option<&Node>;
    /// Whether it is `!Ref AWS::NoValue`.
    fn is_no_value(&self) -> bool;
    /// The value of `key` in a map, `None` also when it is null.
    fn given(&self, key: &str) -> Option<&Node>;
    /// What Python's `str()` gives.
    fn display(&self) -> String;
}

impl Read for Node {
    fn truthy(&self) -> bool {
        match &self.value {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Map(map) => !map.is_empty(),
        }
    }

    fn is_intrinsic(&self) -> bool {
        self.intrinsic().is_some()
    }

    fn as_if(&self) -> Option<&Node> {
        self.intrinsic().filter(|(name, _)| *name == "Fn::If").map(|(_, arguments)| arguments)
    }

    fn is_no_value(&self) -> bool {
        self.intrinsic().is_some_and(|(name, argument)| name == "Ref" && argument.as_str() == Some("AWS::NoValue"))
    }

    fn given(&self, key: &str) -> Option<&Node> {
        self.get(key).filter(|node| !node.is_null())
    }

    fn display(&self) -> String {
        Py::from(self).display()
    }
}

/// The three arguments of an `Fn::If`, or what the published transform says of others.
pub(crate) fn if_arguments(arguments: &Node) -> Result<[&Node; 3], &'static str> {
    match arguments.as_list() {
        Some([condition, then, otherwise]) => Ok([condition, then, otherwise]),
        _ => Err("Fn::If requires 3 arguments"),
    }
}

/// The logical ID in `!Ref id`, `!GetAtt id.attribute` or `Fn::GetAtt: [id, attribute]`.
pub(crate) fn referenced_id(node: &Node) -> Option<&str> {
    match node.intrinsic()? {
        ("Ref", id) => id.as_str(),
        ("Fn::GetAtt", argument) => match (argument.as_list(), argument.as_str()) {
            (Some([id, _]), _) => id.as_str(),
            (_, Some(dotted)) => dotted.split_once('.').filter(|(_, rest)| !rest.contains('.')).map(|(id, _)| id),
            _ => None,
        },
        _ => None,
    }
}

/// SAM's map of tags as CloudFormation's list.
pub(crate) fn tag_list<'a>(tags: impl IntoIterator<Item = (&'a str, &'a Node)>) -> Vec<Node> {
    tags.into_iter()
        .map(|(key, value)| {
            let value = if value.is_null() { text("") } else { value.clone() };
            map([("Key", text(key)), ("Value", value)])
        })
        .collect()
}
