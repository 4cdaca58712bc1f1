//! `AWS::Serverless::MicrovmImage`: its table only; what it expands to is not covered yet.

use crate::transform::property::{Kind, Property, optional, required};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    required("Name", Kind::TextOrMap).literal(),
    required("CodeUri", Kind::TextOrMap).literal(),
    required("BaseImageArn", Kind::TextOrMap).literal(),
    optional("BuildRoleArn", Kind::TextOrMap).literal(),
    required("BaseImageVersion", Kind::TextOrMap).literal(),
    optional("Description", Kind::TextOrMap).literal(),
    optional("Tags", Kind::Map).literal(),
    optional("Logging", Kind::Map).literal(),
    optional("EgressNetworkConnectors", Kind::List).literal(),
    optional("CpuConfigurations", Kind::List).literal(),
    optional("Resources", Kind::List).literal(),
    optional("AdditionalOsCapabilities", Kind::List).literal(),
    optional("Hooks", Kind::Map).literal(),
    optional("EnvironmentVariables", Kind::Map).literal(),
    optional("PropagateTags", Kind::Bool).literal(),
];
