//! `CloudWatchLogs`: a subscription filter of a log group.

use super::push::{Permission, arn};
use super::{Event, Target};
use crate::transform::build::sub;
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::property::{Kind, Property, required};
use crate::transform::refusal::Refusal;

/// What it takes.
pub const PROPERTIES: &[Property] = &[required("LogGroupName", Kind::Text), required("FilterPattern", Kind::Text)];

/// The permission and the filter.
pub(super) fn expand(event: &mut Event, target: &mut Target, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let group = event.get("LogGroupName").cloned().unwrap_or_default();
    let source = arn(context.partition, "logs", "log-group:${__LogGroupName__}:*");
    let permission = Permission {
        principal: "logs.amazonaws.com",
        prefix: &event.id,
        source_arn: Some(sub(&source, [("__LogGroupName__", group)])),
        ..Permission::default()
    }
    .build(target)?;
    let mut filter = Generated::new(event.id.as_str(), "AWS::Logs::SubscriptionFilter", &target.attributes)?;
    filter.depend_on([&permission.id]);
    filter.copy(&event.properties, &["LogGroupName", "FilterPattern"]);
    filter.set("DestinationArn", target.arn());
    Ok(vec![permission, filter])
}
