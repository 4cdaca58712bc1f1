//! `AWS::Serverless::WebSocketApi`: its table only; what it expands to is not covered yet.

use crate::transform::property::{Kind, Property, optional, required};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("ApiKeySelectionExpression", Kind::Text),
    optional("AccessLogSettings", Kind::Map),
    optional("Auth", Kind::Map),
    optional("DefaultRouteSettings", Kind::Map),
    optional("Description", Kind::Text),
    optional("DisableExecuteApiEndpoint", Kind::Bool),
    optional("Domain", Kind::Map),
    optional("DisableSchemaValidation", Kind::Bool),
    optional("FailOnWarnings", Kind::Bool),
    optional("IpAddressType", Kind::Text),
    optional("Name", Kind::Text),
    optional("PropagateTags", Kind::Bool),
    required("Routes", Kind::Map),
    optional("RouteSettings", Kind::Map),
    required("RouteSelectionExpression", Kind::Text),
    optional("StageName", Kind::TextOrMap),
    optional("StageVariables", Kind::Map),
    optional("Tags", Kind::Map),
];
