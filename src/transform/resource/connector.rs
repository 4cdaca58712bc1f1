//! `AWS::Serverless::Connector`: its table only; what it expands to is not covered yet.

use crate::transform::property::{Kind, Property, required};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    required("Source", Kind::MapOfAny),
    required("Destination", Kind::MapOrListOfMaps),
    required("Permissions", Kind::ListOfText),
];
