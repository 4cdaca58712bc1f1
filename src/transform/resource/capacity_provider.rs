//! `AWS::Serverless::CapacityProvider`: its table only; what it expands to is not covered yet.

use crate::transform::property::{Kind, Property, optional, required};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("CapacityProviderName", Kind::TextOrMap).literal(),
    required("VpcConfig", Kind::Map).literal(),
    optional("OperatorRole", Kind::TextOrMap).literal(),
    optional("Tags", Kind::Map).literal(),
    optional("PropagateTags", Kind::Bool).literal(),
    optional("InstanceRequirements", Kind::Map).literal(),
    optional("ScalingConfig", Kind::Map).literal(),
    optional("KmsKeyArn", Kind::TextOrMap).literal(),
    optional("LoggingConfig", Kind::Map).literal(),
    optional("ManagedResourceTags", Kind::Map).literal(),
];
