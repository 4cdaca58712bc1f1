//! The kinds of events of state machines: `Api`, the rules of EventBridge, and `ScheduleV2`, which is
//! that of functions.

mod api;
mod event_bridge;

use super::{Event, Spec, Target, no_link, schedule_v2};
use crate::transform::build::list;
use crate::transform::generated::Generated;
use crate::transform::policies::{allow, named_policy, trust};
use crate::transform::refusal::Refusal;

/// Every kind that a state machine takes.
pub static KINDS: &[Spec] = &[
    Spec { kind: "Api", properties: api::PROPERTIES, link: super::api::link, expand: api::expand },
    Spec { kind: "Schedule", properties: event_bridge::SCHEDULE, link: no_link, expand: event_bridge::schedule },
    Spec { kind: "ScheduleV2", properties: schedule_v2::PROPERTIES, link: no_link, expand: schedule_v2::expand },
    Spec { kind: "CloudWatchEvent", properties: event_bridge::RULE, link: no_link, expand: event_bridge::rule },
    Spec { kind: "EventBridgeRule", properties: event_bridge::RULE, link: no_link, expand: event_bridge::rule },
];

/// The role with which an event's service starts the state machine.
fn role(event: &Event, target: &Target, service: &str) -> Result<Generated, Refusal> {
    let mut role = Generated::new(format!("{}Role", event.id), "AWS::IAM::Role", &target.attributes)?;
    role.set("AssumeRolePolicyDocument", trust(service));
    let statement = allow("states:StartExecution", target.arn());
    role.set("Policies", list([named_policy(format!("{}StartExecutionPolicy", role.id), vec![statement])]));
    role.set("PermissionsBoundary", target.boundary.clone().filter(crate::transform::build::Read::truthy));
    Ok(role)
}

/// The kind called `kind`.
pub fn lookup(kind: &str) -> Option<&'static Spec> {
    KINDS.iter().find(|spec| spec.kind == kind)
}
