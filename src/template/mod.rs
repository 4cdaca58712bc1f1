//! Templates as trees of nodes that know their place: reading YAML and JSON, writing them back, and
//! the parts of CloudFormation's language that need no AWS (intrinsics, parameters, conditions).
//! What a resource means is not known here.

pub mod conditions;
pub mod intrinsics;
pub mod node;
pub mod parameters;
pub mod read;
pub mod span;
pub mod tags;
pub mod write;

use std::sync::Arc;

pub use node::{Map, Node, Value};
pub use span::{Position, Source, Span};

/// A template: where it was read from and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The file.
    pub source: Arc<Source>,
    /// The whole tree; a map.
    pub root: Node,
}

impl Template {
    /// A top-level section, such as `Resources`, when it is there and a map.
    pub fn section(&self, name: &str) -> Option<&Map> {
        self.root.get(name)?.as_map()
    }
}
