//! `SNS`: a subscription of a topic, straight to the function or through a queue.

use super::push::Permission;
use super::{Event, Target, stream};
use crate::template::{Map, Node};
use crate::transform::build::{Read, list, map, referenced_id, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    required("Topic", Kind::Text),
    optional("Region", Kind::Text),
    optional("FilterPolicy", Kind::Any),
    optional("FilterPolicyScope", Kind::Any),
    optional("SqsSubscription", Kind::BoolOrMap),
    optional("RedrivePolicy", Kind::Map),
];

/// The subscription, and the queue between when there is to be one.
pub(super) fn expand(event: &mut Event, target: &mut Target, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let topic = event.get("Topic").cloned().unwrap_or_default();
    let Some(through) = event.truthy("SqsSubscription").cloned() else {
        let permission = Permission {
            principal: "sns.amazonaws.com",
            prefix: &event.id,
            source_arn: Some(topic.clone()),
            ..Permission::default()
        };
        return Ok(vec![permission.build(target)?, subscription(event, target, "lambda", target.arn(), topic)?]);
    };
    let mut made = Vec::new();
    let (arn, url, policy_id, batch_size);
    let mut queue = None;
    if through.as_bool().is_some() {
        let mut created = Generated::new(format!("{}Queue", event.id), "AWS::SQS::Queue", &target.attributes)?;
        if let Some(fifo) = fifo(&topic, context)? {
            created.set("FifoQueue", fifo);
        }
        (arn, url, policy_id, batch_size) = (created.arn(), created.reference(), None, None);
        queue = Some(created);
    } else {
        if through.as_map().is_none() {
            return event.refuse("Property 'SqsSubscription' should be a map.");
        }
        let given = |name: &str| through.get(name).filter(|value| value.truthy()).cloned();
        let (Some(queue_arn), Some(queue_url)) = (given("QueueArn"), given("QueueUrl")) else {
            return event.refuse("No QueueARN or QueueURL provided.");
        };
        (arn, url) = (queue_arn, queue_url);
        (policy_id, batch_size) = (given("QueuePolicyLogicalId"), given("BatchSize"));
    }
    made.extend(mapping(event, target, context, &arn, batch_size)?);
    made.extend(queue);
    let policy_id = match policy_id {
        Some(id) => id.as_str().map_or_else(|| id.display(), str::to_owned),
        None => format!("{}QueuePolicy", event.id),
    };
    let mut policy = Generated::new(policy_id, "AWS::SQS::QueuePolicy", &target.attributes)?;
    policy.set("PolicyDocument", policy_document(&topic, &arn));
    policy.set("Queues", list([url]));
    made.push(policy);
    made.push(subscription(event, target, "sqs", arn, topic)?);
    Ok(made)
}

fn subscription(
    event: &Event,
    target: &Target,
    protocol: &str,
    endpoint: Node,
    topic: Node,
) -> Result<Generated, Refusal> {
    let mut subscription = Generated::new(event.id.as_str(), "AWS::SNS::Subscription", &target.attributes)?;
    subscription.set("Protocol", text(protocol));
    subscription.set("Endpoint", endpoint);
    subscription.set("TopicArn", topic);
    subscription.copy(&event.properties, &["Region", "FilterPolicy", "FilterPolicyScope", "RedrivePolicy"]);
    Ok(subscription)
}

/// What `FifoTopic` of a topic in the same template says, when that is true.
fn fifo(topic: &Node, context: &Context) -> Result<Option<Node>, Refusal> {
    let topic = referenced_id(topic).and_then(|id| context.resources.get(id));
    let Some(fifo) = topic.and_then(|topic| topic.path(&["Properties", "FifoTopic"])) else {
        return Ok(None);
    };
    Ok(Some(context.parameters.resolve(&mut fifo.clone())?).filter(Node::truthy))
}

/// The mapping from the queue to the function: an `SQS` event in all but name.
fn mapping(
    event: &Event,
    target: &mut Target,
    context: &mut Context,
    queue_arn: &Node,
    batch_size: Option<Node>,
) -> Result<Vec<Generated>, Refusal> {
    let kind = super::lookup("SQS").expect("the table of kinds has SQS");
    let properties: Map = [
        ("Queue", queue_arn.clone()),
        ("BatchSize", batch_size.unwrap_or_else(|| Node::from(10))),
        ("Enabled", Node::from(true)),
    ]
    .into_iter()
    .collect();
    let mut queue = Event {
        name: event.name.clone(),
        id: format!("{}EventSourceMapping", event.id),
        kind,
        properties,
        span: event.span,
    };
    stream::expand(&mut queue, target, context)
}

fn policy_document(topic: &Node, queue_arn: &Node) -> Node {
    map([
        ("Version", text("2012-10-17")),
        (
            "Statement",
            list([map([
                ("Action", text("sqs:SendMessage")),
                ("Effect", text("Allow")),
                ("Principal", text("*")),
                ("Resource", queue_arn.clone()),
                ("Condition", map([("ArnEquals", map([("aws:SourceArn", topic.clone())]))])),
            ])]),
        ),
    ])
}
