//! `Schedule`, `CloudWatchEvent` and `EventBridgeRule` of a state machine: a rule of EventBridge that
//! starts it.

use super::super::event_bridge::{queue, state, target_id};
use super::super::{Event, Target};
use super::role;
use crate::template::{Map, Node};
use crate::transform::build::{list, map};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;

/// What `Schedule` takes.
pub(super) const SCHEDULE: &[Property] = &[
    required("Schedule", Kind::Text),
    optional("Input", Kind::Text),
    optional("Enabled", Kind::Bool),
    optional("State", Kind::Text),
    optional("Name", Kind::Text),
    optional("Description", Kind::Text),
    optional("DeadLetterConfig", Kind::Map),
    optional("RetryPolicy", Kind::Map),
    optional("Target", Kind::Map).literal(),
    optional("RoleArn", Kind::Text).literal(),
];

/// What `CloudWatchEvent` and `EventBridgeRule` take.
pub(super) const RULE: &[Property] = &[
    optional("EventBusName", Kind::Text),
    optional("RuleName", Kind::Text),
    optional("Pattern", Kind::Map),
    optional("Input", Kind::Text),
    optional("InputPath", Kind::Text),
    optional("DeadLetterConfig", Kind::Map),
    optional("RetryPolicy", Kind::Map),
    optional("State", Kind::Text),
    optional("Target", Kind::Map).literal(),
    optional("InputTransformer", Kind::Map),
];

const SERVICE: &str = "events.amazonaws.com";

/// `Schedule`.
pub(super) fn schedule(event: &mut Event, target: &mut Target, _: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let mut rule = Generated::new(event.id.as_str(), "AWS::Events::Rule", &target.attributes)?;
    rule.set("ScheduleExpression", event.get("Schedule").cloned());
    rule.set("State", state(event)?);
    rule.copy(&event.properties, &["Name", "Description"]);
    finish(event, target, rule, &["Input"], &["RetryPolicy"])
}

/// `CloudWatchEvent` and `EventBridgeRule`.
pub(super) fn rule(event: &mut Event, target: &mut Target, _: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let mut rule = Generated::new(event.id.as_str(), "AWS::Events::Rule", &target.attributes)?;
    rule.copy(&event.properties, &["EventBusName"]);
    rule.set("EventPattern", event.get("Pattern").cloned());
    rule.set("Name", event.get("RuleName").cloned());
    rule.set("State", event.truthy("State").cloned());
    finish(event, target, rule, &["Input", "InputPath"], &["RetryPolicy", "InputTransformer"])
}

fn finish(
    event: &Event,
    target: &Target,
    mut rule: Generated,
    before: &[&str],
    after: &[&str],
) -> Result<Vec<Generated>, Refusal> {
    let mut made = Vec::new();
    let role_arn = match event.get("RoleArn") {
        Some(arn) => arn.clone(),
        None => {
            let role = role(event, target, SERVICE)?;
            let arn = role.arn();
            made.push(role);
            arn
        }
    };
    let mut start = Map::new();
    start.insert("Arn", target.arn());
    start.insert("Id", target_id(event, "StepFunctionsTarget"));
    start.insert("RoleArn", role_arn);
    let pass = |names: &[&str], start: &mut Map| {
        for name in names {
            if let Some(value) = event.get(name) {
                start.insert(*name, value.clone());
            }
        }
    };
    pass(before, &mut start);
    if let Some(config) = event.get("DeadLetterConfig") {
        let (arn, resources) = queue(event, config, &rule.arn(), target)?;
        made.extend(resources);
        start.insert("DeadLetterConfig", map([("Arn", arn)]));
    }
    pass(after, &mut start);
    rule.set("Targets", list([Node::from(start)]));
    made.insert(0, rule);
    Ok(made)
}
