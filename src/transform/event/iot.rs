//! `IoTRule`: a rule of AWS IoT.

use super::push::{Permission, arn};
use super::{Event, Target};
use crate::template::{Map, Node};
use crate::transform::build::{list, map, reference, sub};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;

/// What it takes.
pub const PROPERTIES: &[Property] = &[required("Sql", Kind::Text), optional("AwsIotSqlVersion", Kind::Text)];

/// The permission and the rule.
pub(super) fn expand(event: &mut Event, target: &mut Target, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let source = arn(context.partition, "iot", "rule/${RuleName}");
    let permission = Permission {
        principal: "iot.amazonaws.com",
        prefix: &event.id,
        source_arn: Some(sub(&source, [("RuleName", reference(&event.id))])),
        source_account: Some(sub("${AWS::AccountId}", [])),
        ..Permission::default()
    }
    .build(target)?;
    let mut rule = Generated::new(event.id.as_str(), "AWS::IoT::TopicRule", &target.attributes)?;
    let mut payload = Map::new();
    payload.insert("Sql", event.get("Sql").cloned().unwrap_or_default());
    payload.insert("RuleDisabled", false);
    payload.insert("Actions", list([map([("Lambda", map([("FunctionArn", target.arn())]))])]));
    if let Some(version) = event.truthy("AwsIotSqlVersion") {
        payload.insert("AwsIotSqlVersion", version.clone());
    }
    rule.set("TopicRulePayload", Node::from(payload));
    Ok(vec![permission, rule])
}
