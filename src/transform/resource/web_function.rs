//! `AWS::Serverless::WebFunction`: its table only; what it expands to is not covered yet.

use crate::transform::property::{Kind, Property, optional};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("FunctionName", Kind::TextOrMap),
    optional("Tags", Kind::Map),
    optional("ReplicaRegions", Kind::ListOrMap),
    optional("AuthType", Kind::Any),
    optional("Runtime", Kind::Any),
    optional("CodeUri", Kind::Any),
    optional("InlineCode", Kind::Any),
    optional("RevisionDescription", Kind::Any),
    optional("KmsKeyArn", Kind::Any),
    optional("ExecutionRoleArn", Kind::Text),
    optional("EnvironmentVariables", Kind::Map),
    optional("EntryPoint", Kind::Any),
    optional("MaxConcurrencyPerEnvironment", Kind::Any),
    optional("EgressNetworkConnectorArn", Kind::Any),
    optional("Timeout", Kind::Integer),
    optional("LoggingConfig", Kind::Any),
    optional("RevisionWeights", Kind::Any),
    optional("EndpointName", Kind::Any),
    optional("EndpointType", Kind::Any),
    optional("EndpointDescription", Kind::Any),
    optional("ScalingConfig", Kind::Any),
    optional("ThrottleConfig", Kind::Any),
    optional("AutoDeploymentMode", Kind::Any),
];
