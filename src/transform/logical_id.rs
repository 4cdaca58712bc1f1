//! Logical IDs that change with what they are made from: a prefix and the beginning of a SHA-1, over
//! a text as it is or over the most compact JSON with sorted keys.

use std::fmt::Write;

use sha1::{Digest, Sha1};

use crate::template::{Node, Value};

/// How many hexadecimal digits of the hash a logical ID gets.
const LENGTH: usize = 10;

/// The whole SHA-1 of `data`, in hexadecimal.
pub(crate) fn digest(data: &str) -> String {
    Sha1::digest(data.as_bytes()).iter().fold(String::with_capacity(40), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// `prefix` and the first ten digits of the hash of a text; `prefix` alone for an empty text.
pub(crate) fn of_text(prefix: &str, data: &str) -> String {
    if data.is_empty() { prefix.to_owned() } else { format!("{prefix}{}", &digest(data)[..LENGTH]) }
}

/// `prefix` and the hash of a value; `prefix` alone for an empty one.
pub(crate) fn of_node(prefix: &str, data: &Node) -> String {
    match &data.value {
        Value::String(text) => of_text(prefix, text),
        Value::Null | Value::Bool(false) => prefix.to_owned(),
        Value::List(items) if items.is_empty() => prefix.to_owned(),
        Value::Map(map) if map.is_empty() => prefix.to_owned(),
        _ => of_text(prefix, &canonical(data)),
    }
}

/// `prefix` and the beginning of a hash that the user gave.
pub(crate) fn of_given_hash(prefix: &str, hash: &str) -> String {
    format!("{prefix}{}", hash.chars().take(LENGTH).collect::<String>())
}

/// JSON with sorted keys and no white space, everything beyond ASCII escaped.
pub(crate) fn canonical(node: &Node) -> String {
    let mut out = String::new();
    write_canonical(node, &mut out);
    out
}

fn write_canonical(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => {
            let _ = write!(out, "{value}");
        }
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::String(text) => write_json_text(text, out),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json_text(key, out);
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
    }
}

/// JSON with sorted keys, indented by four spaces as Python does it, everything beyond ASCII escaped.
pub(crate) fn indented(node: &Node) -> String {
    let mut out = String::new();
    write_indented(node, 0, &mut out);
    out
}

fn write_indented(node: &Node, depth: usize, out: &mut String) {
    let line = |out: &mut String, depth: usize, first: bool| {
        out.push_str(if first { "\n" } else { ",\n" });
        out.extend(std::iter::repeat_n("    ", depth));
    };
    match &node.value {
        Value::List(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                line(out, depth + 1, index == 0);
                write_indented(item, depth + 1, out);
            }
            line(out, depth, true);
            out.push(']');
        }
        Value::Map(map) if !map.is_empty() => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                line(out, depth + 1, index == 0);
                write_json_text(key, out);
                out.push_str(": ");
                write_indented(value, depth + 1, out);
            }
            line(out, depth, true);
            out.push('}');
        }
        _ => write_canonical(node, out),
    }
}

/// A text as Python's `json.dumps` writes it.
pub(crate) fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_hashed_with_sorted_keys_and_without_white_space() {
        let node = Node::from(serde_json::json!({"b": [1, null, true], "a": "é\u{1F600}/"}));
        assert_eq!(canonical(&node), r#"{"a":"\u00e9\ud83d\ude00/","b":[1,null,true]}"#);
    }

    #[test]
    fn an_indented_value_has_one_entry_a_line() {
        let node = Node::from(serde_json::json!({"b": [1, {}], "a": {"c": []}}));
        assert_eq!(
            indented(&node),
            "{\n    \"a\": {\n        \"c\": []\n    },\n    \"b\": [\n        1,\n        {}\n    ]\n}"
        );
    }

    #[test]
    fn nothing_leaves_the_prefix_alone() {
        assert_eq!(of_text("Stage", ""), "Stage");
        assert_eq!(of_node("Stage", &Node::from(serde_json::json!({}))), "Stage");
        assert_eq!(of_text("V", "abc"), "Va9993e3647".replace("a9993e3647", &digest("abc")[..10]));
    }
}
