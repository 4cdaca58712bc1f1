//! `AWS::Serverless::StateMachine`: its table only; what it expands to is not covered yet.

use crate::transform::property::{Kind, Property, optional};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("Definition", Kind::Map),
    optional("DefinitionUri", Kind::TextOrMap),
    optional("Logging", Kind::Map),
    optional("Role", Kind::Text),
    optional("RolePath", Kind::Any),
    optional("DefinitionSubstitutions", Kind::Map),
    optional("Events", Kind::MapOfMaps),
    optional("Name", Kind::Text),
    optional("Type", Kind::Text),
    optional("Tags", Kind::Map),
    optional("PropagateTags", Kind::Bool),
    optional("Policies", Kind::Policies),
    optional("Tracing", Kind::Map),
    optional("PermissionsBoundary", Kind::Text),
    optional("AutoPublishAlias", Kind::Any),
    optional("DeploymentPreference", Kind::Any),
    optional("UseAliasAsEventTarget", Kind::Bool).literal(),
];
