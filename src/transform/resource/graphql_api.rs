//! `AWS::Serverless::GraphQLApi`: its table only; what it expands to is not covered yet.

use crate::transform::property::{Kind, Property, optional, required};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("Name", Kind::Any),
    optional("Tags", Kind::Map).literal(),
    optional("XrayEnabled", Kind::Any),
    required("Auth", Kind::Map).literal(),
    optional("SchemaInline", Kind::Text).literal(),
    optional("SchemaUri", Kind::Text).literal(),
    optional("Logging", Kind::BoolOrMap).literal(),
    optional("DataSources", Kind::Map).literal(),
    optional("Functions", Kind::Map).literal(),
    optional("Resolvers", Kind::Map).literal(),
    optional("ApiKeys", Kind::Map).literal(),
    optional("DomainName", Kind::Map).literal(),
    optional("Cache", Kind::Map).literal(),
    optional("Visibility", Kind::Any),
    optional("OwnerContact", Kind::Any),
    optional("IntrospectionConfig", Kind::Any),
    optional("QueryDepthLimit", Kind::Any),
    optional("ResolverCountLimit", Kind::Any),
];
