//! JSON, indented by two spaces.

use serde::{Serialize, Serializer};

use crate::template::{Node, Value};

/// The node as JSON text with a line end behind it.
pub fn json(node: &Node) -> String {
    let mut text = serde_json::to_string_pretty(&Json(node)).expect("a tree with text keys is always JSON");
    text.push('\n');
    text
}

/// A node that is written as it is walked: a large template is not built a second time.
struct Json<'a>(&'a Node);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Number(number) => number.serialize(serializer),
            Value::String(text) => serializer.serialize_str(text),
            Value::List(items) => serializer.collect_seq(items.iter().map(Json)),
            Value::Map(map) => serializer.collect_map(map.iter().map(|(key, node)| (key, Json(node)))),
        }
    }
}
