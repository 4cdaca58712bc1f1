//! `Schedule`, `CloudWatchEvent` and `EventBridgeRule`: a rule of EventBridge that calls the function.

use super::push::{Permission, dead_letter_queue};
use super::{Event, Target};
use crate::template::Node;
use crate::transform::build::{list, map, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;

/// What `Schedule` takes.
pub const SCHEDULE: &[Property] = &[
    required("Schedule", Kind::Text),
    optional("RuleName", Kind::Text),
    optional("Input", Kind::Text),
    optional("Enabled", Kind::Bool),
    optional("State", Kind::Text),
    optional("Name", Kind::Text),
    optional("Description", Kind::Text),
    optional("DeadLetterConfig", Kind::Map),
    optional("RetryPolicy", Kind::Map),
];

/// What `CloudWatchEvent` and `EventBridgeRule` take.
pub const RULE: &[Property] = &[
    optional("EventBusName", Kind::Text),
    optional("RuleName", Kind::Text),
    optional("Pattern", Kind::Map),
    optional("DeadLetterConfig", Kind::Map),
    optional("RetryPolicy", Kind::Map),
    optional("Input", Kind::Text),
    optional("InputPath", Kind::Text),
    optional("Target", Kind::Map),
    optional("Enabled", Kind::Bool),
    optional("State", Kind::Text),
    optional("InputTransformer", Kind::Map),
];

/// EventBridge's limit for the ID of a target.
const TARGET_ID_LENGTH: usize = 64;

/// `Schedule`.
pub(super) fn schedule(event: &mut Event, target: &mut Target, _: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let mut rule = Generated::new(event.id.as_str(), "AWS::Events::Rule", &target.attributes)?;
    rule.set("ScheduleExpression", event.get("Schedule").cloned());
    rule.set("State", state(event)?);
    rule.copy(&event.properties, &["Name", "Description"]);
    finish(event, target, rule, &["Input"])
}

/// `CloudWatchEvent` and `EventBridgeRule`.
pub(super) fn rule(event: &mut Event, target: &mut Target, _: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let mut rule = Generated::new(event.id.as_str(), "AWS::Events::Rule", &target.attributes)?;
    rule.copy(&event.properties, &["EventBusName"]);
    rule.set("EventPattern", event.get("Pattern").cloned());
    rule.set("Name", event.get("RuleName").cloned());
    rule.set("State", state(event)?);
    finish(event, target, rule, &["Input", "InputPath"])
}

pub(super) fn state(event: &Event) -> Result<Option<Node>, Refusal> {
    let enabled = event.get("Enabled");
    let state = event.truthy("State");
    if state.is_some() && enabled.is_some() {
        return event.refuse("State and Enabled Properties cannot both be specified.");
    }
    Ok(match enabled {
        Some(enabled) => {
            let word = if crate::transform::build::Read::truthy(enabled) { "ENABLED" } else { "DISABLED" };
            Some(text(word).at(enabled.span))
        }
        None => state.cloned(),
    })
}

fn finish(event: &Event, target: &Target, mut rule: Generated, inputs: &[&str]) -> Result<Vec<Generated>, Refusal> {
    let arn = rule.arn();
    let mut made = Vec::new();
    let mut call = crate::template::Map::new();
    call.insert("Arn", target.arn());
    call.insert("Id", target_id(event, "LambdaTarget"));
    for name in inputs {
        if let Some(value) = event.get(name) {
            call.insert(*name, value.clone());
        }
    }
    if let Some(config) = event.get("DeadLetterConfig") {
        let (queue_arn, resources) = queue(event, config, &arn, target)?;
        made.extend(resources);
        call.insert("DeadLetterConfig", map([("Arn", queue_arn)]));
    }
    for name in ["RetryPolicy", "InputTransformer"] {
        if let Some(value) = event.get(name) {
            call.insert(name, value.clone());
        }
    }
    rule.set("Targets", list([Node::from(call)]));
    made.insert(0, rule);
    let permission = Permission {
        principal: "events.amazonaws.com",
        prefix: &event.id,
        source_arn: Some(arn),
        ..Permission::default()
    };
    made.push(permission.build(target)?);
    Ok(made)
}

/// The ID of the rule's target: given, or made, and then cut where EventBridge would refuse it.
pub(super) fn target_id(event: &Event, suffix: &str) -> Node {
    if let Some(given) = event.get("Target").and_then(|target| target.get("Id")) {
        return given.clone();
    }
    let kept = event.id.len().min(TARGET_ID_LENGTH - suffix.len());
    text(format!("{}{suffix}", &event.id[..kept]))
}

/// The ARN of the dead-letter queue of the rule `source_arn`, and what has to be made for it.
pub(super) fn queue(
    event: &Event,
    config: &Node,
    source_arn: &Node,
    target: &Target,
) -> Result<(Node, Vec<Generated>), Refusal> {
    let (queue_arn, queue) = dead_letter_queue(event, config, &target.attributes)?;
    let Some(queue) = queue else {
        return Ok((queue_arn, Vec::new()));
    };
    let mut policy = Generated::new(format!("{}QueuePolicy", event.id), "AWS::SQS::QueuePolicy", &target.attributes)?;
    policy.set("PolicyDocument", queue_policy("events.amazonaws.com", &queue_arn, source_arn));
    policy.set("Queues", list([queue.reference()]));
    Ok((queue_arn, vec![queue, policy]))
}

fn queue_policy(service: &str, queue_arn: &Node, source_arn: &Node) -> Node {
    map([
        ("Version", text("2012-10-17")),
        (
            "Statement",
            list([map([
                ("Action", text("sqs:SendMessage")),
                ("Effect", text("Allow")),
                ("Principal", map([("Service", text(service))])),
                ("Resource", queue_arn.clone()),
                ("Condition", map([("ArnEquals", map([("aws:SourceArn", source_arn.clone())]))])),
            ])]),
        ),
    ])
}
