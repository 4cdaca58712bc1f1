//! The tree that templates are read into and written from: JSON's data model, order kept, each node
//! and key knowing where it stands. Short tags are read into their long form (`!Ref x` is the map
//! `Ref: x`); the writers turn them back.

use indexmap::IndexMap;

use super::span::Span;

/// A value and where it came from; `None` when it was generated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Its bytes in the source; for a generated node, those of what it was generated from.
    pub span: Option<Span>,
}

/// JSON's data model, maps in the order of the source.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    #[default]
    Null,
    /// `true` or `false` (and YAML 1.1's `yes`, `on`, …).
    Bool(bool),
    /// An integer of up to 64 bits or a float.
    Number(serde_json::Number),
    /// Text.
    String(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping.
    Map(Map),
}

/// A mapping with string keys that remembers their order and places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    entries: IndexMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    key_span: Option<Span>,
    node: Node,
}

impl Map {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.get(key).map(|entry| &entry.node)
    }

    /// The value of `key`, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.get_mut(key).map(|entry| &mut entry.node)
    }

    /// Whether there is such a key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Where the key stands.
    pub fn key_span(&self, key: &str) -> Option<Span> {
        self.entries.get(key).and_then(|entry| entry.key_span)
    }

    /// Sets `key`, at its old place if it is there already, else at the end. Gives the old value.
    pub fn insert(&mut self, key: impl Into<String>, node: impl Into<Node>) -> Option<Node> {
        self.insert_spanned(key, None, node)
    }

    /// Like [`Map::insert`], with the place of the key.
    pub fn insert_spanned(
        &mut self,
        key: impl Into<String>,
        key_span: Option<Span>,
        node: impl Into<Node>,
    ) -> Option<Node> {
        match self.entries.entry(key.into()) {
            indexmap::map::Entry::Occupied(mut entry) => {
                let entry = entry.get_mut();
                entry.key_span = key_span.or(entry.key_span);
                Some(std::mem::replace(&mut entry.node, node.into()))
            }
            indexmap::map::Entry::Vacant(entry) => {
                entry.insert(Entry { key_span, node: node.into() });
                None
            }
        }
    }

    /// Takes `key` out; the order of the others stays.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        self.entries.shift_remove(key).map(|entry| entry.node)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts the entries of another map in, with the places of their keys: at the old place where the
    /// key is there already, else at the end.
    pub fn extend(&mut self, other: Self) {
        for (key, entry) in other.entries {
            self.insert_spanned(key, entry.key_span, entry.node);
        }
    }

    /// The keys in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Keys and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.entries.iter().map(|(key, entry)| (key.as_str(), &entry.node))
    }

    /// Keys and values in their order, the values to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Node)> {
        self.entries.iter_mut().map(|(key, entry)| (key.as_str(), &mut entry.node))
    }

    /// The only entry of a map that has just one.
    pub fn only(&self) -> Option<(&str, &Node)> {
        (self.len() == 1).then(|| self.iter().next()).flatten()
    }
}

impl<K: Into<String>, N: Into<Node>> FromIterator<(K, N)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, N)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, node) in entries {
            map.insert(key, node);
        }
        map
    }
}

impl IntoIterator for Map {
    type Item = (String, Node);
    type IntoIter = Box<dyn Iterator<Item = (String, Node)>>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.entries.into_iter().map(|(key, entry)| (key, entry.node)))
    }
}

impl Node {
    /// A node of the source.
    pub fn new(value: impl Into<Value>, span: Option<Span>) -> Self {
        Self { value: value.into(), span }
    }

    /// The same value at another place.
    #[must_use]
    pub fn at(mut self, span: Option<Span>) -> Self {
        self.span = span;
        self
    }

    /// The text, when it is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, when it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The integer, when it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.value {
            Value::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The items, when it is a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The map, when it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The map, when it is one, to change it.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The value of `key`, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// What is at the end of a path of keys.
    pub fn path(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Name and argument of an intrinsic function: the only entry of a map whose key is `Ref`,
    /// `Condition` or begins with `Fn::`.
    pub fn intrinsic(&self) -> Option<(&str, &Self)> {
        self.as_map()?.only().filter(|(key, _)| *key == "Ref" || *key == "Condition" || key.starts_with("Fn::"))
    }

    /// What kind of value it is, for messages: `a list`, `text`, `a number`, …
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) if self.intrinsic().is_some() => "an intrinsic function",
            Value::Map(_) => "a map",
        }
    }

    /// As plain JSON, without places.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(number) => Json::Number(number.clone()),
            Value::String(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(map) => Json::Object(map.iter().map(|(key, node)| (key.to_owned(), node.to_json())).collect()),
        }
    }
}

impl From<serde_json::Value> for Node {
    fn from(json: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(value),
            Json::Number(number) => Value::Number(number),
            Json::String(text) => Value::String(text),
            Json::Array(items) => Value::List(items.into_iter().map(Self::from).collect()),
            Json::Object(map) => Value::Map(map.into_iter().map(|(key, value)| (key, Self::from(value))).collect()),
        };
        Self { value, span: None }
    }
}

impl<V: Into<Value>> From<V> for Node {
    fn from(value: V) -> Self {
        Self { value: value.into(), span: None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<Vec<Node>> for Value {
    fn from(items: Vec<Node>) -> Self {
        Self::List(items)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}
