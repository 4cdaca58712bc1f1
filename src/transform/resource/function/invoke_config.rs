//! `EventInvokeConfig`: where results of asynchronous calls go.

use crate::template::{Map, Node};
use crate::transform::build::{Read, conditional, if_arguments, map, not, reference, text};
use crate::transform::context::Context;
use crate::transform::event::stream::s3_policy;
use crate::transform::generated::Generated;
use crate::transform::logical_id;
use crate::transform::policies::{allow, named_policy};
use crate::transform::refusal::Refusal;
use crate::transform::resource::Resource;

/// CloudFormation's limit for a condition's name.
const CONDITION_LENGTH: usize = 255;

/// The configuration, destinations that are made for it, and the policies that the role needs.
pub(super) fn expand(
    resource: &Resource,
    config: &Node,
    alias: Option<(&str, &str)>,
    context: &mut Context,
) -> Result<(Vec<Generated>, Vec<Node>), Refusal> {
    let config = context.parameters.resolve(&mut config.clone())?;
    let id = format!("{}EventInvokeConfig", resource.id);
    let mut invoke = Generated::new(id.as_str(), "AWS::Lambda::EventInvokeConfig", &resource.attributes)?;
    let (mut made, mut policies, mut destinations) = (Vec::new(), Vec::new(), Map::new());
    if let Some(given) = config.get("DestinationConfig").filter(|given| given.truthy()) {
        if given.as_map().is_none() {
            return resource.refuse("Property 'EventInvokeConfig.DestinationConfig' should be a map.");
        }
        for outcome in ["OnSuccess", "OnFailure"] {
            let Some(given) = given.given(outcome) else { continue };
            if given.as_map().is_none() {
                return resource
                    .refuse(format!("Property 'EventInvokeConfig.DestinationConfig.{outcome}' should be a map."));
            }
            let destination = Destination::new(resource, given, &id, outcome, context)?;
            destinations.insert(outcome, map([("Destination", destination.arn)]));
            made.extend(destination.made);
            policies.push(destination.policy);
        }
    }
    invoke.set("FunctionName", reference(&resource.id));
    match alias {
        Some((name, id)) => {
            invoke.set("Qualifier", text(name));
            invoke.depend_on([id]);
        }
        None => invoke.set("Qualifier", text("$LATEST")),
    }
    invoke.set("DestinationConfig", Node::from(destinations));
    invoke.set("MaximumEventAgeInSeconds", config.get("MaximumEventAgeInSeconds").cloned());
    invoke.set("MaximumRetryAttempts", config.get("MaximumRetryAttempts").cloned());
    made.push(invoke);
    Ok((made, policies))
}

struct Destination {
    arn: Node,
    made: Option<Generated>,
    policy: Node,
}

impl Destination {
    fn new(resource: &Resource, given: &Node, id: &str, outcome: &str, context: &mut Context) -> Result<Self, Refusal> {
        let kind = match given.get("Type").and_then(Node::as_str) {
            Some(kind @ ("SQS" | "SNS" | "EventBridge" | "Lambda" | "S3Bucket")) => kind,
            _ => {
                let kind = given.get("Type").map_or_else(|| "None".to_owned(), Read::display);
                return resource.refuse(format!(
                    "'Type: {kind}' must be one of ['SQS', 'SNS', 'EventBridge', 'Lambda', 'S3Bucket']"
                ));
            }
        };
        let own = given.given("Destination");
        let missing = own.map_or(Ok(None), |own| Missing::find(own, id, context))?;
        let policy_id = format!("{id}{outcome}");
        if let (Some(own), None) = (own, &missing) {
            return Ok(Self { arn: own.clone(), made: None, policy: policy(kind, &policy_id, own.clone()) });
        }
        let (suffix, made_kind) = match kind {
            "SQS" => ("Queue", "AWS::SQS::Queue"),
            "SNS" => ("Topic", "AWS::SNS::Topic"),
            _ => return resource.refuse("Destination is required if Type is not ['SQS', 'SNS']"),
        };
        let mut made = Generated::new(format!("{policy_id}{suffix}"), made_kind, &resource.passed_through())?;
        let condition = both(resource, missing.as_ref().map(|missing| missing.condition.as_str()), context)?;
        if let Some(condition) = condition {
            made.attributes.insert("Condition", text(condition));
        }
        let made_arn = if kind == "SQS" { made.arn() } else { made.reference() };
        let arn = match missing {
            Some(missing) => conditional(&text(missing.condition), made_arn, Some(missing.otherwise)),
            None => made_arn,
        };
        Ok(Self { policy: policy(kind, &policy_id, arn.clone()), arn, made: Some(made) })
    }
}

/// A destination that is only there under a condition: for the other case one is made.
struct Missing {
    condition: String,
    otherwise: Node,
}

impl Missing {
    fn find(destination: &Node, id: &str, context: &mut Context) -> Result<Option<Self>, Refusal> {
        let Some(arguments) = destination.as_if() else {
            return Ok(None);
        };
        let [condition, then, otherwise] = if_arguments(arguments).map_err(|message| {
            Refusal::resource(id, format!("Malformed 'Destination' property: {message}.")).at(destination.span)
        })?;
        let condition = condition.as_str().map_or_else(|| condition.display(), str::to_owned);
        Ok(match (then.is_no_value(), otherwise.is_no_value()) {
            (true, false) => Some(Self { condition, otherwise: otherwise.clone() }),
            (false, true) => {
                let name = condition_name(&format!("NOT{condition}"), id);
                context.add_condition(id, &name, not(&condition))?;
                Some(Self { condition: name, otherwise: then.clone() })
            }
            (true, true) | (false, false) => None,
        })
    }
}

/// The condition under which both the function and its destination are there.
fn both(resource: &Resource, destination: Option<&str>, context: &mut Context) -> Result<Option<String>, Refusal> {
    let own = resource.attributes.get("Condition").and_then(Node::as_str);
    match (own, destination) {
        (None, destination) => Ok(destination.map(str::to_owned)),
        (Some(own), None) => Ok(Some(own.to_owned())),
        (Some(own), Some(destination)) => {
            let name = condition_name(&format!("{own}AND{destination}"), &resource.id);
            // The published transform wraps each of the two once more than needed.
            let wrapped = |name: &str| map([("Condition", map([("Condition", text(name))]))]);
            let parts = Node::from(vec![wrapped(own), wrapped(destination)]);
            context.add_condition(&resource.id, &name, map([("Fn::And", parts)]))?;
            Ok(Some(name))
        }
    }
}

fn condition_name(name: &str, hashed: &str) -> String {
    let mut name = logical_id::of_text(name, hashed);
    name.truncate(CONDITION_LENGTH);
    name
}

fn policy(kind: &str, id: &str, arn: Node) -> Node {
    match kind {
        "SQS" => named_policy(format!("{id}SQSPolicy"), vec![allow("sqs:SendMessage", arn)]),
        "SNS" => named_policy(format!("{id}SNSPolicy"), vec![allow("sns:publish", arn)]),
        "EventBridge" => named_policy(format!("{id}EventBridgePolicy"), vec![allow("events:PutEvents", arn)]),
        "Lambda" => named_policy(format!("{id}LambdaPolicy"), vec![allow("lambda:InvokeFunction", arn)]),
        _ => s3_policy(id, arn),
    }
}
