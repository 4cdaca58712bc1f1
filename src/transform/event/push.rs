//! What events that call the function have in common: the permission to call it.

use super::{Event, Target};
use crate::template::{Map, Node};
use crate::transform::build::text;
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::logical_id;
use crate::transform::property::{Kind, Property, optional};
use crate::transform::refusal::Refusal;

/// What `AlexaSkill` takes.
pub const ALEXA_SKILL: &[Property] = &[optional("SkillId", Kind::Text)];

/// A permission to call the function.
#[derive(Default)]
pub(crate) struct Permission<'a> {
    /// Who may call: a service's principal.
    pub(crate) principal: &'a str,
    /// What its logical ID begins with.
    pub(crate) prefix: &'a str,
    /// What its logical ID ends with, or what is hashed for it.
    pub(crate) suffix: &'a str,
    pub(crate) source_arn: Option<Node>,
    pub(crate) source_account: Option<Node>,
    pub(crate) event_source_token: Option<Node>,
}

impl Permission<'_> {
    /// The resource.
    pub(crate) fn build(self, target: &Target) -> Result<Generated, Refusal> {
        let prefix = format!("{}Permission", self.prefix);
        let plain = !self.suffix.is_empty() && self.suffix.chars().all(char::is_alphanumeric);
        let id = if plain { format!("{prefix}{}", self.suffix) } else { logical_id::of_text(&prefix, self.suffix) };
        let mut permission = Generated::new(id, "AWS::Lambda::Permission", &target.attributes)?;
        permission.set("Action", text("lambda:InvokeFunction"));
        permission.set("FunctionName", target.name());
        permission.set("Principal", text(self.principal));
        permission.set("SourceArn", self.source_arn);
        permission.set("SourceAccount", self.source_account);
        permission.set("EventSourceToken", self.event_source_token);
        Ok(permission)
    }
}

/// `AlexaSkill`: only the permission.
pub(super) fn alexa_skill(event: &mut Event, target: &mut Target, _: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let permission = Permission {
        principal: "alexa-appkit.amazon.com",
        prefix: &event.id,
        event_source_token: event.get("SkillId").cloned(),
        ..Permission::default()
    };
    Ok(vec![permission.build(target)?])
}

/// The ARN of something in the stack's own account and region.
pub(crate) fn arn(partition: &str, service: &str, resource: &str) -> String {
    format!("arn:{partition}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}")
}

/// The dead-letter queue of a rule: its ARN, and what has to be made for it.
pub(crate) fn dead_letter_queue(
    event: &Event,
    config: &Node,
    attributes: &Map,
) -> Result<(Node, Option<Generated>), Refusal> {
    let (arn, kind) = (config.get("Arn"), config.get("Type"));
    if arn.is_some() && kind.is_some() {
        return event.refuse_by_id("You can either define 'Arn' or 'Type' property of DeadLetterConfig.");
    }
    if kind.is_some_and(|kind| kind.as_str() != Some("SQS")) {
        return event.refuse_by_id("The only valid value for 'Type' property of DeadLetterConfig is 'SQS'.");
    }
    if arn.is_none() && kind.is_none() {
        return event.refuse_by_id("No 'Arn' or 'Type' property provided for DeadLetterConfig.");
    }
    if let Some(arn) = arn.filter(|arn| !arn.is_null()) {
        return Ok((arn.clone(), None));
    }
    let id = match config.get("QueueLogicalId").filter(|id| !id.is_null()) {
        None => format!("{}Queue", event.id),
        Some(id) => match id.as_str() {
            Some("") => format!("{}Queue", event.id),
            Some(id) => id.to_owned(),
            None => return event.refuse_by_id("QueueLogicalId must be a string"),
        },
    };
    let queue = Generated::new(id, "AWS::SQS::Queue", attributes)?;
    Ok((queue.arn(), Some(queue)))
}
