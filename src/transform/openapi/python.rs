//! Values as the published transform sees them while it edits an API's body. The logical ID of a
//! deployment ends in a hash of that body, printed as Python 2.7 printed it: dictionaries in the
//! order of their hash table (which depends on every insertion and removal before), texts that came
//! from the template marked `u'…'`, those of the transform itself not. A live stack depends on it to
//! the letter, so the table is played through here.

mod dict;
mod keys;

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Number;

pub(crate) use dict::Dict;
pub(crate) use keys::Keys;

use crate::template::span::Span;
use crate::template::{Node, Value};

/// Text and whether it came from the template.
#[derive(Clone, Debug, Eq)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) unicode: bool,
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Text {
    /// Text of the template.
    pub(crate) fn unicode(text: impl Into<String>) -> Self {
        Self { text: text.into(), unicode: true }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), unicode: false }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { text, unicode: false }
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Py {
    None,
    Bool(bool),
    Number(Number),
    Text(Text),
    List(Vec<Py>),
    Dict(Dict),
}

impl From<&str> for Py {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Py {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Text> for Py {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Py {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Vec<Py>> for Py {
    fn from(items: Vec<Py>) -> Self {
        Self::List(items)
    }
}

impl From<Dict> for Py {
    fn from(dict: Dict) -> Self {
        Self::Dict(dict)
    }
}

impl From<&Node> for Py {
    fn from(node: &Node) -> Self {
        match &node.value {
            Value::Null => Self::None,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.clone()),
            // A region or partition that stands for its pseudo parameter is the transform's own text.
            Value::String(text) if !text.is_empty() && node.span.is_some_and(Span::is_empty) => {
                Self::Text(text.as_str().into())
            }
            Value::String(text) => Self::Text(Text::unicode(text)),
            Value::List(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Map(map) => {
                let mut dict = Dict::hashed();
                for (key, value) in map.iter() {
                    dict.insert(Text::unicode(key), Self::from(value));
                }
                Self::Dict(dict)
            }
        }
    }
}

/// The tables of dictionaries that were not filled key by key, by their paths.
pub(crate) type Tables = BTreeMap<String, Keys>;

impl Py {
    /// What `node` is, whose dictionaries are found in `tables` by the paths below `path`.
    pub(crate) fn with_tables(node: &Node, path: &str, tables: &Tables) -> Self {
        let Value::Map(map) = &node.value else { return Self::from(node) };
        let fits = |keys: &&Keys| keys.iter().count() == map.len() && keys.iter().all(|key| map.contains_key(key));
        let mut dict = tables.get(path).filter(fits).cloned().map_or_else(Dict::hashed, Dict::with_table);
        for (key, value) in map.iter() {
            dict.insert(Text::unicode(key), Self::with_tables(value, &format!("{path}.{key}"), tables));
        }
        Self::Dict(dict)
    }

    /// Back to a node; every part gets the place `span`.
    pub(crate) fn to_node(&self, span: Option<Span>) -> Node {
        let value = match self {
            Self::None => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => Value::String(text.text.clone()),
            Self::List(items) => Value::List(items.iter().map(|item| item.to_node(span)).collect()),
            Self::Dict(dict) => {
                Value::Map(dict.entries.iter().map(|(key, (_, value))| (key.as_str(), value.to_node(span))).collect())
            }
        };
        Node { value, span }
    }

    /// A copy as `copy.deepcopy` makes it: the tables are built anew.
    pub(crate) fn deep_copied(self) -> Self {
        self.owe(1);
        self
    }

    /// Notes as many deep copies of what is in it.
    fn owe(&self, copies: u32) {
        match self {
            Self::List(items) => items.iter().for_each(|item| item.owe(copies)),
            Self::Dict(dict) => dict.owe(copies),
            Self::None | Self::Bool(_) | Self::Number(_) | Self::Text(_) => {}
        }
    }

    /// The dictionary, when it is one.
    pub(crate) fn as_dict(&self) -> Option<&Dict> {
        match self {
            Self::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// The dictionary; an empty one when it is none.
    pub(crate) fn into_dict(self) -> Dict {
        match self {
            Self::Dict(dict) => dict,
            _ => Dict::hashed(),
        }
    }

    /// The dictionary, when it is one, to change it.
    pub(crate) fn as_dict_mut(&mut self) -> Option<&mut Dict> {
        match self {
            Self::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// The text, when it is text.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            _ => None,
        }
    }

    /// The items, when it is a list.
    pub(crate) fn as_list(&self) -> Option<&[Py]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value of `key`, when this is a dictionary that has it and it is not `None`.
    pub(crate) fn get(&self, key: &str) -> Option<&Py> {
        self.as_dict()?.get(key).filter(|value| **value != Self::None)
    }

    /// Whether Python takes it for true.
    pub(crate) fn truthy(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Number(number) => number.as_f64() != Some(0.0),
            Self::Text(text) => !text.text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Dict(dict) => dict.len() > 0,
        }
    }

    /// Whether it is an intrinsic function.
    pub(crate) fn is_intrinsic(&self) -> bool {
        self.as_dict().is_some_and(|dict| {
            dict.len() == 1
                && dict.entries.keys().all(|key| key == "Ref" || key == "Condition" || key.starts_with("Fn::"))
        })
    }

    /// Whether it is `!Ref AWS::NoValue`.
    pub(crate) fn is_no_value(&self) -> bool {
        self.is_intrinsic() && self.get("Ref").and_then(Self::as_str) == Some("AWS::NoValue")
    }

    /// What `str()` gives, without the marks of texts: for messages.
    pub(crate) fn display(&self) -> String {
        match self {
            Self::Text(text) => text.text.clone(),
            other => {
                let mut native = other.clone();
                native.forget_origin();
                native.repr()
            }
        }
    }

    /// What Python calls its type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Number(number) if number.is_f64() => "float",
            Self::Number(_) => "int",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Dict(_) => "dict",
        }
    }

    /// What `repr()` gives.
    pub(crate) fn repr(&self) -> String {
        let mut out = String::new();
        self.write_repr(&mut out);
        out
    }

    fn write_repr(&self, out: &mut String) {
        match self {
            Self::None => out.push_str("None"),
            Self::Bool(true) => out.push_str("True"),
            Self::Bool(false) => out.push_str("False"),
            Self::Number(number) => {
                let _ = write!(out, "{number}");
                // Python 2's integers end at 2^63 - 1; what is greater is a `long` and printed so.
                if number.as_i64().is_none() && number.as_u64().is_some() {
                    out.push('L');
                }
            }
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    item.write_repr(out);
                }
                out.push(']');
            }
            Self::Dict(dict) => {
                out.push('{');
                for (index, (key, value)) in dict.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    write_text(&key, out);
                    out.push_str(": ");
                    value.write_repr(out);
                }
                out.push('}');
            }
        }
    }

    /// Makes it a value that Python 3 prints as its own: for messages.
    pub(crate) fn forget_origin(&mut self) {
        match self {
            Self::Text(text) => text.unicode = false,
            Self::List(items) => items.iter_mut().for_each(Self::forget_origin),
            Self::Dict(dict) => {
                dict.forget_order();
                for (unicode, value) in dict.entries.values_mut() {
                    *unicode = false;
                    value.forget_origin();
                }
            }
            Self::None | Self::Bool(_) | Self::Number(_) => {}
        }
    }

    /// What `json.dumps` gives with its own separators.
    pub(crate) fn json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Self::None => out.push_str("null"),
            Self::Bool(value) => {
                let _ = write!(out, "{value}");
            }
            Self::Number(number) => {
                let _ = write!(out, "{number}");
            }
            Self::Text(text) => crate::transform::logical_id::write_json_text(&text.text, out),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Self::Dict(dict) => {
                out.push('{');
                for (index, (key, value)) in dict.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    crate::transform::logical_id::write_json_text(&key.text, out);
                    out.push_str(": ");
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }
}

/// Python 3's `repr` of a text, or for one of the template what stands for Python 2's `u'…'`: every
/// character beyond ASCII and every control character escaped first.
fn write_text(text: &Text, out: &mut String) {
    if !text.unicode {
        out.push_str(&quoted(&text.text));
        return;
    }
    let mut escaped = String::new();
    for c in text.text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            ' '..='~' => escaped.push(c),
            c if u32::from(c) < 0x100 => {
                let _ = write!(escaped, "\\x{:02x}", u32::from(c));
            }
            c if u32::from(c) < 0x1_0000 => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(c));
            }
            c => {
                let _ = write!(escaped, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('u');
    out.push_str(&quoted(&escaped).replace("\\\\", "\\"));
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_the_order_of_python_2() {
        // What Python 2.7.18 prints for `dict.fromkeys(...)`, filled one by one.
        let mut dict = Dict::hashed();
        for key in ["swagger", "info", "paths", "x-amazon-apigateway-policy", "securityDefinitions", "definitions"] {
            dict.insert(key, true);
        }
        let before = dict.keys();
        dict.remove("info");
        dict.insert("info", true);
        let mut again = dict.keys();
        again.sort();
        let mut sorted = before.clone();
        sorted.sort();
        assert_eq!(again, sorted);
        let copied: Vec<String> = Py::Dict(dict.clone()).deep_copied().as_dict().unwrap().keys();
        assert_eq!(copied.len(), before.len());
    }

    #[test]
    fn texts_are_printed_as_python_prints_them() {
        let text = |text: &str| Py::Text(Text::unicode(text)).repr();
        assert_eq!(text("a'b"), r#"u"a'b""#);
        assert_eq!(text("é\n\\"), r"u'\xe9\n\\'");
        assert_eq!(Py::from("{\n}").repr(), r"'{\n}'");
        assert_eq!(text("€"), r"u'\u20ac'");
    }

    proptest::proptest! {
        #[test]
        fn a_dictionary_has_what_was_put_in(keys in proptest::collection::vec("[a-zA-Z/{}]{0,12}", 0..200)) {
            let mut dict = Dict::hashed();
            let mut expected = std::collections::BTreeSet::new();
            for (index, key) in keys.iter().enumerate() {
                if index % 5 == 4 {
                    dict.remove(key);
                    expected.remove(key);
                } else {
                    dict.insert(key.as_str(), true);
                    expected.insert(key.clone());
                }
            }
            let mut found = dict.keys();
            found.sort();
            proptest::prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
