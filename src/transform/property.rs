//! What a property of a SAM resource or event may be: the row of every `PROPERTIES` table, which
//! `validate` reads too.

use crate::template::{Node, Value};

/// What kind of value a property takes. An intrinsic function is taken everywhere but where
/// [`Property::intrinsics`] is false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Passed on as it is.
    Any,
    /// Text.
    Text,
    /// Text; the published transform does not say so when it is not.
    TextAlone,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Bool,
    /// An integer.
    Integer,
    /// A map.
    Map,
    /// A list.
    List,
    /// Text or a map.
    TextOrMap,
    /// A boolean or a map.
    BoolOrMap,
    /// A list or a map.
    ListOrMap,
    /// Text or a list of texts.
    TextOrListOfText,
    /// A list of texts.
    ListOfText,
    /// A list of texts or maps.
    ListOfTextOrMap,
    /// A map of anything.
    MapOfAny,
    /// A map of texts.
    MapOfText,
    /// A map of maps.
    MapOfMaps,
    /// A map of integers or maps.
    MapOfIntegerOrMap,
    /// A map, or a list of maps.
    MapOrListOfMaps,
    /// Text, a map, or a list of both.
    Policies,
    /// Text, or a list of texts or maps.
    TextOrListOfTextOrMap,
}

impl Kind {
    /// Whether `node` is such a value.
    pub fn accepts(self, node: &Node) -> bool {
        let is_text = |node: &Node| matches!(node.value, Value::String(_));
        let is_map = |node: &Node| matches!(node.value, Value::Map(_));
        // A boolean counts as an integer in the published transform, so `true` passes for one.
        let is_integer = |node: &Node| match &node.value {
            Value::Number(number) => !number.is_f64(),
            Value::Bool(_) => true,
            _ => false,
        };
        let every = |holds: &dyn Fn(&Node) -> bool| match &node.value {
            Value::List(items) => items.iter().all(holds),
            Value::Map(map) => map.iter().all(|(_, value)| holds(value)),
            _ => false,
        };
        match self {
            Self::Any => true,
            Self::Text | Self::TextAlone => is_text(node),
            Self::OneOf(words) => node.as_str().is_some_and(|text| words.contains(&text)),
            Self::Bool => matches!(node.value, Value::Bool(_)),
            Self::Integer => is_integer(node),
            Self::Map | Self::MapOfAny => is_map(node),
            Self::List => node.as_list().is_some(),
            Self::TextOrMap => is_text(node) || is_map(node),
            Self::BoolOrMap => matches!(node.value, Value::Bool(_)) || is_map(node),
            Self::ListOrMap => node.as_list().is_some() || is_map(node),
            Self::TextOrListOfText => is_text(node) || (node.as_list().is_some() && every(&is_text)),
            Self::ListOfText => node.as_list().is_some() && every(&is_text),
            Self::ListOfTextOrMap => node.as_list().is_some() && every(&|item| is_text(item) || is_map(item)),
            Self::MapOfText => is_map(node) && every(&is_text),
            Self::MapOfMaps => is_map(node) && every(&is_map),
            Self::MapOfIntegerOrMap => is_map(node) && every(&|item| is_integer(item) || is_map(item)),
            Self::MapOrListOfMaps => is_map(node) || (node.as_list().is_some() && every(&is_map)),
            Self::TextOrListOfTextOrMap => is_text(node) || Self::ListOfTextOrMap.accepts(node),
            Self::Policies => {
                is_text(node)
                    || is_map(node)
                    || (node.as_list().is_some() && every(&|item| is_text(item) || is_map(item)))
            }
        }
    }

    /// What the published transform says should have been there; `None` where it only says that the
    /// type is invalid.
    pub fn expected(self) -> Option<String> {
        match self {
            Self::Map => Some("a map".to_owned()),
            Self::Text => Some("a string".to_owned()),
            Self::OneOf([only]) => Some(format!("a the string '{only}'")),
            Self::OneOf([first, second]) => Some(format!("a one of the strings: '{first}' or '{second}'")),
            _ => None,
        }
    }
}

/// One property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its name, as templates write it.
    pub name: &'static str,
    /// Whether it has to be there.
    pub required: bool,
    /// What it may be.
    pub kind: Kind,
    /// Whether an intrinsic function may stand for it.
    pub intrinsics: bool,
    /// Whether what the resource or event becomes has it too, under the same name and as it is.
    pub passed: bool,
}

impl Property {
    /// The same property where no intrinsic function may stand.
    #[must_use]
    pub const fn literal(mut self) -> Self {
        self.intrinsics = false;
        self
    }

    /// The same property, passed on as it is.
    #[must_use]
    pub const fn passed(mut self) -> Self {
        self.passed = true;
        self
    }
}

/// A property that may be left out.
pub const fn optional(name: &'static str, kind: Kind) -> Property {
    Property { name, required: false, kind, intrinsics: true, passed: false }
}

/// A property that has to be there.
pub const fn required(name: &'static str, kind: Kind) -> Property {
    Property { name, required: true, kind, intrinsics: true, passed: false }
}
