//! `AWS::Serverless::SimpleTable`: a table of DynamoDB with a single key.

use super::Resource;
use crate::template::{Map, Node};
use crate::transform::build::{Read, list, map, tag_list, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::property::{Kind, Property, optional};
use crate::transform::refusal::Refusal;

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("PointInTimeRecoverySpecification", Kind::Any),
    optional("PrimaryKey", Kind::MapOfText),
    optional("ProvisionedThroughput", Kind::MapOfIntegerOrMap),
    optional("TableName", Kind::TextOrMap),
    optional("Tags", Kind::Map),
    optional("SSESpecification", Kind::Map),
];

/// The table.
pub(super) fn expand(resource: &mut Resource, _: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let mut table = resource.main(&resource.id, "AWS::DynamoDB::Table")?;
    let (name, kind) = key(resource)?;
    table.set("AttributeDefinitions", list([map([("AttributeName", name.clone()), ("AttributeType", kind)])]));
    table.set("KeySchema", list([map([("AttributeName", name), ("KeyType", text("HASH"))])]));
    for property in ["PointInTimeRecoverySpecification", "SSESpecification", "TableName"] {
        table.set(property, resource.truthy(property).cloned());
    }
    match resource.truthy("ProvisionedThroughput") {
        Some(throughput) => table.set("ProvisionedThroughput", throughput.clone()),
        None => table.set("BillingMode", text("PAY_PER_REQUEST")),
    }
    if let Some(tags) = resource.truthy("Tags").and_then(Node::as_map) {
        table.set("Tags", Node::from(tag_list(Map::iter(tags))));
    }
    Ok(vec![table])
}

/// Name and type of the key.
fn key(resource: &Resource) -> Result<(Node, Node), Refusal> {
    let Some(key) = resource.truthy("PrimaryKey") else {
        return Ok((text("id"), text("S")));
    };
    for part in ["Name", "Type"] {
        if key.given(part).is_none() {
            return resource.refuse(format!("Property 'PrimaryKey.{part}' is required."));
        }
    }
    let name = key.get("Name").cloned().unwrap_or_default();
    let kind = key.get("Type").map(Read::display).unwrap_or_default();
    let kind = match kind.as_str() {
        "String" => "S",
        "Number" => "N",
        "Binary" => "B",
        _ => return resource.refuse(format!("Invalid 'Type' \"{kind}\".")),
    };
    Ok((name, text(kind)))
}
