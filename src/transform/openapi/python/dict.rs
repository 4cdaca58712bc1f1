//! Dictionaries, and their deep copies, which are owed until somebody looks.
//!
//! The published transform copies a whole body before and after each edit, and each copy may change
//! the order of every dictionary in it. With one edit an event that is quadratic, so a copy is only
//! counted here, at the top; whoever reaches a value is handed what its dictionary owes.

use std::cell::{Cell, RefCell};

use indexmap::IndexMap;

use super::keys::Keys;
use super::{Py, Text};

/// A dictionary: hashed as in Python 2.7, or plain, in the order of insertion.
#[derive(Clone, Debug)]
pub(crate) struct Dict {
    pub(super) entries: IndexMap<String, (bool, Py)>,
    keys: Option<RefCell<Keys>>,
    /// Copies that `keys` has still to be played through.
    keys_owe: Cell<u32>,
    /// Copies that the values have still to be told of.
    values_owe: Cell<u32>,
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
        Self { keys: Some(RefCell::default()), ..Self::plain() }
    }

    /// An empty one in the order of insertion.
    pub(crate) fn plain() -> Self {
        Self { entries: IndexMap::new(), keys: None, keys_owe: Cell::new(0), values_owe: Cell::new(0) }
    }

    /// An empty one whose table has the keys already.
    pub(super) fn with_table(keys: Keys) -> Self {
        Self { keys: Some(RefCell::new(keys)), ..Self::plain() }
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

    /// Notes as many deep copies of it.
    pub(super) fn owe(&self, copies: u32) {
        if self.keys.is_some() {
            self.keys_owe.set(self.keys_owe.get().saturating_add(copies));
        }
        self.values_owe.set(self.values_owe.get().saturating_add(copies));
    }

    /// Tells the values what this dictionary owes them.
    fn hand_down(&self) {
        let copies = self.values_owe.take();
        if copies > 0 {
            self.entries.values().for_each(|(_, value)| value.owe(copies));
        }
    }

    /// The table as it is by now, to change it.
    fn table(&mut self) -> Option<&mut Keys> {
        let copies = self.keys_owe.take();
        let keys = self.keys.as_mut()?.get_mut();
        keys.become_copy(copies);
        Some(keys)
    }

    /// Forgets Python 2.7's order.
    pub(super) fn forget_order(&mut self) {
        self.keys = None;
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
        self.hand_down();
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The value of `key`, to change it.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Py> {
        self.hand_down();
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// Sets `key`.
    pub(crate) fn insert(&mut self, key: impl Into<Text>, value: impl Into<Py>) {
        let key = key.into();
        self.hand_down();
        if let Some(keys) = self.table() {
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
        self.hand_down();
        if !self.contains(&name) {
            self.insert(key, value);
        }
        &mut self.entries.get_mut(&name).expect("it was inserted above").1
    }

    /// Takes `key` out.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Py> {
        self.hand_down();
        if let Some(keys) = self.table() {
            keys.remove(key);
        }
        self.entries.shift_remove(key).map(|(_, value)| value)
    }

    /// Sets everything that `other` has.
    pub(crate) fn update(&mut self, other: &Self) {
        if let Some(keys) = self.table() {
            keys.reserve(other.len());
        }
        for (key, value) in other.iter() {
            self.insert(key, value.clone());
        }
    }

    /// The keys in their order.
    pub(crate) fn keys(&self) -> Vec<String> {
        match &self.keys {
            Some(keys) => {
                let mut keys = keys.borrow_mut();
                keys.become_copy(self.keys_owe.take());
                keys.iter().map(str::to_owned).collect()
            }
            None => self.entries.keys().cloned().collect(),
        }
    }

    /// The values in the order of insertion.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Py> {
        self.hand_down();
        self.entries.values().map(|(_, value)| value)
    }

    /// A key with its mark.
    pub(crate) fn key(&self, key: &str) -> Text {
        Text { text: key.to_owned(), unicode: self.entries.get(key).is_some_and(|(unicode, _)| *unicode) }
    }

    /// Keys and values in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Text, &Py)> {
        self.hand_down();
        self.keys().into_iter().filter_map(|key| {
            let (unicode, value) = self.entries.get(&key)?;
            Some((Text { text: key, unicode: *unicode }, value))
        })
    }
}
