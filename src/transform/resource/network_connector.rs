//! `AWS::Serverless::NetworkConnector`: its table only; what it expands to is not covered yet.

use crate::transform::property::{Kind, Property, optional, required};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("Name", Kind::TextOrMap).literal(),
    required("VpcConfig", Kind::Map).literal(),
    optional("ComputeTypes", Kind::List).literal(),
    optional("OperatorRole", Kind::TextOrMap).literal(),
    optional("Tags", Kind::Map).literal(),
    optional("PropagateTags", Kind::Bool).literal(),
];
