//! Values as the published transform sees them while it edits an API's body. The logical ID of a
//! deployment ends in a hash of that body, printed as Python 2.7 printed it: dictionaries in the
//! order of their hash table (which depends on every insertion and removal before), texts that came
//! from the template marked `u'…'`, those of the transform itself not. A live stack depends on it to
//! the letter, so the table is played through here.

use std::fmt::Write;

use indexmap::IndexMap;
use serde_json::Number;

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

impl Py {
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
    pub(crate) fn deep_copy(&self) -> Self {
        match self {
            Self::List(items) => Self::List(items.iter().map(Self::deep_copy).collect()),
            Self::Dict(dict) => Self::Dict(dict.deep_copy()),
            other => other.clone(),
        }
    }

    /// The dictionary, when it is one.
    pub(crate) fn as_dict(&self) -> Option<&Dict> {
        match self {
            Self::Dict(dict) => Some(dict),
            _ => None,
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
                dict.keys = None;
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

/// A dictionary: hashed as in Python 2.7, or plain, in the order of insertion.
#[derive(Clone, Debug)]
pub(crate) struct Dict {
    entries: IndexMap<String, (bool, Py)>,
    keys: Option<Keys>,
}

impl PartialEq for Dict {
    fn eq(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len()
            && self
                .entries
                .iter()
                .all(|(key, (_, value))| other.entries.get(key).is_some_and(|(_, other)| other == value))
    }
}

impl Dict {
    /// An empty one in Python 2.7's order.
    pub(crate) fn hashed() -> Self {
        Self { entries: IndexMap::new(), keys: Some(Keys::default()) }
    }

    /// An empty one in the order of insertion.
    pub(crate) fn plain() -> Self {
        Self { entries: IndexMap::new(), keys: None }
    }

    /// One in the order of insertion.
    pub(crate) fn plain_of<const N: usize>(entries: [(&str, Py); N]) -> Self {
        let mut dict = Self::plain();
        for (key, value) in entries {
            dict.insert(key, value);
        }
        dict
    }

    /// One in Python 2.7's order, filled entry by entry.
    pub(crate) fn hashed_of<const N: usize>(entries: [(&str, Py); N]) -> Self {
        let mut dict = Self::hashed();
        for (key, value) in entries {
            dict.insert(key, value);
        }
        dict
    }

    /// One in Python 2.7's order, made from a whole dictionary at once.
    pub(crate) fn hashed_from(other: &Self) -> Self {
        let mut dict = Self::hashed();
        dict.update(other);
        dict
    }

    fn deep_copy(&self) -> Self {
        let keys = self.keys.as_ref().map(|keys| {
            let mut copy = Keys::default();
            for key in keys.iter() {
                copy.add(key);
            }
            copy
        });
        let entries =
            self.entries.iter().map(|(key, (unicode, value))| (key.clone(), (*unicode, value.deep_copy()))).collect();
        Self { entries, keys }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is such a key.
    pub(crate) fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The value of `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Py> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The value of `key`, to change it.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Py> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// Sets `key`.
    pub(crate) fn insert(&mut self, key: impl Into<Text>, value: impl Into<Py>) {
        let key = key.into();
        if let Some(keys) = &mut self.keys {
            keys.add(&key.text);
        }
        match self.entries.entry(key.text) {
            indexmap::map::Entry::Occupied(mut entry) => entry.get_mut().1 = value.into(),
            indexmap::map::Entry::Vacant(entry) => {
                entry.insert((key.unicode, value.into()));
            }
        }
    }

    /// The value of `key`, set first when it is not there.
    pub(crate) fn or_insert(&mut self, key: impl Into<Text>, value: impl Into<Py>) -> &mut Py {
        let key = key.into();
        let name = key.text.clone();
        if !self.contains(&name) {
            self.insert(key, value);
        }
        &mut self.entries.get_mut(&name).expect("it was inserted above").1
    }

    /// Takes `key` out.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Py> {
        if let Some(keys) = &mut self.keys {
            keys.remove(key);
        }
        self.entries.shift_remove(key).map(|(_, value)| value)
    }

    /// Sets everything that `other` has.
    pub(crate) fn update(&mut self, other: &Self) {
        if let Some(keys) = &mut self.keys {
            keys.merge(&other.keys());
        }
        for (key, value) in other.iter() {
            self.insert(key, value.clone());
        }
    }

    /// The keys in their order.
    pub(crate) fn keys(&self) -> Vec<String> {
        match &self.keys {
            Some(keys) => keys.iter().map(str::to_owned).collect(),
            None => self.entries.keys().cloned().collect(),
        }
    }

    /// A key with its mark.
    pub(crate) fn key(&self, key: &str) -> Text {
        Text { text: key.to_owned(), unicode: self.entries.get(key).is_some_and(|(unicode, _)| *unicode) }
    }

    /// Keys and values in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Text, &Py)> {
        self.keys().into_iter().filter_map(|key| {
            let (unicode, value) = self.entries.get(&key)?;
            Some((Text { text: key, unicode: *unicode }, value))
        })
    }
}

/// Below this many entries a table grows by four, above it by two.
const LARGE: usize = 50_000;

/// The keys of a Python 2.7 dictionary in their hash table (`Objects/dictobject.c` of 2.7.18).
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    slots: Vec<Slot>,
    /// Slots that hold a key.
    used: usize,
    /// Slots that hold or held one.
    filled: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Slot {
    Free,
    Removed,
    Taken(String),
}

impl Default for Keys {
    fn default() -> Self {
        Self { slots: vec![Slot::Free; 8], used: 0, filled: 0 }
    }
}

impl Keys {
    /// The keys in the order of the table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Taken(key) => Some(key.as_str()),
            Slot::Free | Slot::Removed => None,
        })
    }

    /// Where `key` is, or where it would go.
    fn slot(&self, key: &str) -> usize {
        let mask = self.slots.len() as u64 - 1;
        let hash = hash(key);
        // The mask keeps it below the length.
        #[expect(clippy::cast_possible_truncation, reason = "masked by the length of a vector")]
        let at = |position: u64| (position & mask) as usize;
        let mut index = at(hash);
        let mut walker = index as u64;
        let mut perturb = hash;
        let mut removed = None;
        loop {
            match &self.slots[index] {
                Slot::Free => return removed.unwrap_or(index),
                Slot::Taken(taken) if taken == key => return index,
                Slot::Removed if removed.is_none() => removed = Some(index),
                Slot::Removed | Slot::Taken(_) => {}
            }
            walker = (walker << 2).wrapping_add(walker).wrapping_add(perturb).wrapping_add(1);
            index = at(walker);
            perturb >>= 5;
        }
    }

    /// Adds a key.
    pub(crate) fn add(&mut self, key: &str) {
        let index = self.slot(key);
        match self.slots[index] {
            Slot::Taken(_) => return,
            Slot::Free => self.filled += 1,
            Slot::Removed => {}
        }
        self.used += 1;
        self.slots[index] = Slot::Taken(key.to_owned());
        if self.filled * 3 >= self.slots.len() * 2 {
            self.resize(self.used * if self.used > LARGE { 2 } else { 4 });
        }
    }

    /// Takes a key out; its slot is remembered.
    pub(crate) fn remove(&mut self, key: &str) {
        let index = self.slot(key);
        if matches!(self.slots[index], Slot::Taken(_)) {
            self.slots[index] = Slot::Removed;
            self.used -= 1;
        }
    }

    fn merge(&mut self, keys: &[String]) {
        if keys.is_empty() {
            return;
        }
        if (self.filled + keys.len()) * 3 >= self.slots.len() * 2 {
            self.resize((self.used + keys.len()) * 2);
        }
        for key in keys {
            self.add(key);
        }
    }

    fn resize(&mut self, request: usize) {
        let mut size = 8;
        while size <= request {
            size <<= 1;
        }
        let old = std::mem::replace(&mut self.slots, vec![Slot::Free; size]);
        self.used = 0;
        self.filled = 0;
        for slot in old {
            if let Slot::Taken(key) = slot {
                self.add(&key);
            }
        }
    }
}

/// Python 2.7's hash of a text on a 64-bit machine.
fn hash(text: &str) -> u64 {
    let Some(first) = text.chars().next() else {
        return 0;
    };
    let mut hash = u64::from(u32::from(first)) << 7;
    let mut length = 0;
    for c in text.chars() {
        hash = hash.wrapping_mul(1_000_003) ^ u64::from(u32::from(c));
        length += 1;
    }
    hash ^ length
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
        let copied: Vec<String> = Py::Dict(dict.clone()).deep_copy().as_dict().unwrap().keys();
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
