//! `ScheduleV2`: a schedule of EventBridge Scheduler, which calls the function or state machine with a role of its own.

use super::push::dead_letter_queue;
use super::{Called, Event, Target};
use crate::template::{Map, Node};
use crate::transform::build::{Read, list, map, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::policies::{allow, named_policy, trust};
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("PermissionsBoundary", Kind::Text),
    required("ScheduleExpression", Kind::Text),
    optional("FlexibleTimeWindow", Kind::Map),
    optional("Name", Kind::Text),
    optional("State", Kind::Text),
    optional("Description", Kind::Text),
    optional("StartDate", Kind::Text),
    optional("EndDate", Kind::Text),
    optional("ScheduleExpressionTimezone", Kind::Text),
    optional("GroupName", Kind::Text),
    optional("KmsKeyArn", Kind::Text),
    optional("Input", Kind::Text),
    optional("RoleArn", Kind::Text),
    optional("DeadLetterConfig", Kind::Map),
    optional("RetryPolicy", Kind::Map),
    optional("OmitName", Kind::Bool).literal(),
];

/// The schedule, its role, its queue.
pub(crate) fn expand(event: &mut Event, target: &mut Target, _: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let mut schedule = Generated::new(event.id.as_str(), "AWS::Scheduler::Schedule", &target.attributes)?;
    schedule.set("ScheduleExpression", event.get("ScheduleExpression").cloned());
    schedule.set("State", event.truthy("State").cloned());
    if event.truthy("OmitName").is_none() {
        let name = event.truthy("Name").cloned();
        schedule.set("Name", name.unwrap_or_else(|| text(event.id.as_str())));
    } else if event.truthy("Name").is_some() {
        return event.refuse_by_id("Name cannot be set when OmitName is True");
    }
    let window = event.truthy("FlexibleTimeWindow").cloned();
    schedule.set("FlexibleTimeWindow", window.unwrap_or_else(|| map([("Mode", text("OFF"))])));
    schedule.copy(
        &event.properties,
        &["Description", "StartDate", "EndDate", "ScheduleExpressionTimezone", "GroupName", "KmsKeyArn"],
    );
    let mut made = Vec::new();
    let mut queue_arn = None;
    if let Some(config) = event.get("DeadLetterConfig") {
        let (arn, queue) = dead_letter_queue(event, config, &target.attributes)?;
        queue_arn = Some(arn);
        made.extend(queue);
    }
    let role_arn = match event.truthy("RoleArn") {
        Some(arn) => arn.clone(),
        None => {
            let role = role(event, target, queue_arn.as_ref())?;
            let arn = role.arn();
            made.push(role);
            arn
        }
    };
    let mut call = Map::new();
    call.insert("Arn", target.arn());
    call.insert("RoleArn", role_arn);
    if let Some(input) = event.get("Input") {
        call.insert("Input", input.clone());
    }
    if let Some(arn) = queue_arn {
        call.insert("DeadLetterConfig", map([("Arn", arn)]));
    }
    if let Some(policy) = event.get("RetryPolicy") {
        call.insert("RetryPolicy", policy.clone());
    }
    schedule.set("Target", Node::from(call));
    made.insert(0, schedule);
    Ok(made)
}

fn role(event: &Event, target: &Target, queue_arn: Option<&Node>) -> Result<Generated, Refusal> {
    let mut role = Generated::new(format!("{}Role", event.id), "AWS::IAM::Role", &target.attributes)?;
    role.set("AssumeRolePolicyDocument", trust("scheduler.amazonaws.com"));
    let (name, action) = match target.called {
        Called::Function | Called::FunctionAlias => ("LambdaPolicy", "lambda:InvokeFunction"),
        Called::StateMachine => ("StartExecutionPolicy", "states:StartExecution"),
    };
    let mut policies = list([named_policy(format!("{}{name}", event.id), vec![allow(action, target.arn())])]);
    if let (Some(arn), crate::template::Value::List(items)) =
        (queue_arn.filter(|arn| arn.truthy()), &mut policies.value)
    {
        items.push(named_policy(format!("{}SQSPolicy", event.id), vec![allow("sqs:SendMessage", arn.clone())]));
    }
    role.set("Policies", policies);
    role.set("PermissionsBoundary", event.truthy("PermissionsBoundary").cloned());
    Ok(role)
}
