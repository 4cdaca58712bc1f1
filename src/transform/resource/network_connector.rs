//! `AWS::Serverless::NetworkConnector`: a way out of Lambda's newer kinds of compute into a network.

use super::Resource;
use super::capacity_provider::{operator_role, tags};
use crate::template::Node;
use crate::transform::build::{list, map, text};
use crate::transform::context::Context;
use crate::transform::generated::{Generated, combine_tags};
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;
use crate::transform::schema::{self, Field, MAP, Shape, TEXT, may, must};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("Name", Kind::TextOrMap).literal(),
    required("VpcConfig", Kind::Map).literal(),
    optional("ComputeTypes", Kind::List).literal(),
    optional("OperatorRole", Kind::TextOrMap).literal(),
    optional("Tags", Kind::Map).literal(),
    optional("PropagateTags", Kind::Bool).literal(),
];

const COMPUTE_TYPES: &[&str] = &["MicroVm", "WebFunction"];

/// What stands within them.
const SCHEMA: &[Field] = &[
    may("Name", TEXT),
    must(
        "VpcConfig",
        Shape::Fields(&[
            must("SubnetIds", Shape::List(&TEXT)),
            must("SecurityGroupIds", Shape::List(&TEXT)),
            must("NetworkProtocol", Shape::OrMap(&Shape::Words(&["IPv4", "DualStack"]))),
        ]),
    ),
    may("ComputeTypes", Shape::List(&Shape::OrMap(&Shape::Words(COMPUTE_TYPES)))),
    may("OperatorRole", TEXT),
    may("Tags", MAP),
    may("PropagateTags", Shape::Bool),
];

/// The connector, and its operator's role when it has none.
pub(super) fn expand(resource: &mut Resource, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    if let Some(types) = resource.get("ComputeTypes").and_then(Node::as_list) {
        if types.len() != 1 {
            return resource.refuse(format!("'ComputeTypes' must contain exactly one value, got {}.", types.len()));
        }
        if let Some(unknown) = types.iter().filter_map(Node::as_str).find(|kind| !COMPUTE_TYPES.contains(kind)) {
            return resource
                .refuse(format!("'ComputeTypes' values must be one of ['MicroVm', 'WebFunction'], got '{unknown}'."));
        }
    }
    schema::read_all(&resource.id, &resource.properties, SCHEMA)?;
    let mut connector = resource.main(&resource.id, "AWS::Lambda::NetworkConnector")?;
    connector.set("Name", resource.truthy("Name").cloned());
    let mut egress = resource.get("VpcConfig").and_then(Node::as_map).cloned().unwrap_or_default();
    let types = resource.truthy("ComputeTypes").cloned().unwrap_or_else(|| list([text("MicroVm")]));
    egress.insert("AssociatedComputeResourceTypes", types);
    connector.set("Configuration", map([("VpcEgressConfiguration", Node::from(egress))]));
    let mut all = Vec::new();
    let operator = match resource.truthy("OperatorRole") {
        Some(role) => role.clone(),
        None => {
            let role = operator_role(resource, "AWSLambdaNetworkConnectorOperatorPolicy", context)?;
            let arn = role.arn();
            all.push(role);
            arn
        }
    };
    connector.set("OperatorRole", operator);
    connector.set("Tags", Node::from(tags(resource.get("Tags"))));
    all.push(connector);
    combine_tags(&mut all, resource.truthy("Tags"), resource.truthy("PropagateTags").is_some());
    Ok(all)
}
