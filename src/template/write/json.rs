//! JSON, indented by two spaces.

use crate::template::Node;

/// The node as JSON text with a line end behind it.
pub fn json(node: &Node) -> String {
    let mut text = serde_json::to_string_pretty(&node.to_json()).expect("a tree with text keys is always JSON");
    text.push('\n');
    text
}
