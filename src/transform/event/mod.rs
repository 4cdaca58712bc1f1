//! The kinds of events of functions and of state machines: one file a family, one row each.

pub mod api;
pub mod cloudwatch_logs;
pub mod cognito;
pub mod event_bridge;
pub mod http_api;
pub mod iot;
pub mod push;
pub mod s3;
pub mod schedule_v2;
pub mod sns;
pub mod state_machine;
pub mod stream;

use super::build::{Read, reference};
use super::context::Context;
use super::generated::{Generated, check_logical_id};
use super::openapi::python::{Keys, Py};
use super::property::Property;
use super::refusal::Refusal;
use super::resource::check_properties;
use crate::template::span::Span;
use crate::template::{Map, Node};

/// A kind of event.
#[derive(Debug)]
pub struct Spec {
    /// Its name, such as `Schedule`.
    pub kind: &'static str,
    /// What it takes.
    pub properties: &'static [Property],
    link: fn(&Event, &Context) -> Result<(), Refusal>,
    expand: fn(&mut Event, &mut Target, &mut Context) -> Result<Vec<Generated>, Refusal>,
}

/// Every kind that a function takes.
pub static KINDS: &[Spec] = &[
    Spec { kind: "Api", properties: api::PROPERTIES, link: api::link, expand: api::expand },
    Spec { kind: "HttpApi", properties: http_api::PROPERTIES, link: http_api::link, expand: http_api::expand },
    Spec { kind: "Schedule", properties: event_bridge::SCHEDULE, link: no_link, expand: event_bridge::schedule },
    Spec { kind: "ScheduleV2", properties: schedule_v2::PROPERTIES, link: no_link, expand: schedule_v2::expand },
    Spec { kind: "CloudWatchEvent", properties: event_bridge::RULE, link: no_link, expand: event_bridge::rule },
    Spec { kind: "EventBridgeRule", properties: event_bridge::RULE, link: no_link, expand: event_bridge::rule },
    Spec { kind: "SQS", properties: stream::SQS, link: no_link, expand: stream::expand },
    Spec { kind: "Kinesis", properties: stream::STREAM, link: no_link, expand: stream::expand },
    Spec { kind: "DynamoDB", properties: stream::STREAM, link: no_link, expand: stream::expand },
    Spec { kind: "MSK", properties: stream::STREAM, link: no_link, expand: stream::expand },
    Spec { kind: "MQ", properties: stream::MQ, link: no_link, expand: stream::expand },
    Spec { kind: "SelfManagedKafka", properties: stream::SELF_MANAGED_KAFKA, link: no_link, expand: stream::expand },
    Spec { kind: "DocumentDB", properties: stream::DOCUMENT_DB, link: no_link, expand: stream::expand },
    Spec { kind: "SNS", properties: sns::PROPERTIES, link: no_link, expand: sns::expand },
    Spec { kind: "S3", properties: s3::PROPERTIES, link: s3::link, expand: s3::expand },
    Spec { kind: "Cognito", properties: cognito::PROPERTIES, link: cognito::link, expand: cognito::expand },
    Spec { kind: "AlexaSkill", properties: push::ALEXA_SKILL, link: no_link, expand: push::alexa_skill },
    Spec { kind: "IoTRule", properties: iot::PROPERTIES, link: no_link, expand: iot::expand },
    Spec {
        kind: "CloudWatchLogs",
        properties: cloudwatch_logs::PROPERTIES,
        link: no_link,
        expand: cloudwatch_logs::expand,
    },
];

/// The kind called `kind`, of functions.
pub fn lookup(kind: &str) -> Option<&'static Spec> {
    KINDS.iter().find(|spec| spec.kind == kind)
}

fn no_link(_: &Event, _: &Context) -> Result<(), Refusal> {
    Ok(())
}

/// An event of a function or a state machine.
#[derive(Debug)]
pub(crate) struct Event {
    /// What the template calls it.
    pub(crate) name: String,
    /// The owner's logical ID and its name: what is made for it is called so.
    pub(crate) id: String,
    /// Its kind.
    pub(crate) kind: &'static Spec,
    /// Its properties.
    pub(crate) properties: Map,
    /// Its place.
    pub(crate) span: Option<Span>,
}

impl Event {
    /// Reads and checks an event of `owner`, which takes the kinds of `table`.
    pub(crate) fn read(owner: &str, name: &str, node: &Node, table: &'static [Spec]) -> Result<Self, Refusal> {
        if node.as_map().is_none() {
            let kind = Py::from(node).type_name();
            return Err(Refusal::event(name, format!("'{kind}' object has no attribute 'get'")).at(node.span));
        }
        let kind = node.get("Type").and_then(Node::as_str);
        let kind = kind.and_then(|kind| table.iter().find(|spec| spec.kind == kind));
        let Some(kind) = kind else {
            let found = node.get("Type").map_or_else(|| "None".to_owned(), Node::display);
            let message = format!("Resource dict has missing or invalid value for key Type. Event Type is: {found}.");
            return Err(Refusal::event(name, message).at(node.get("Type").and_then(|kind| kind.span).or(node.span)));
        };
        let id = format!("{owner}{name}");
        check_logical_id(&id).map_err(|refusal| refusal.at(node.span))?;
        let properties = match node.get("Properties") {
            None => Map::new(),
            Some(properties) => match properties.as_map() {
                Some(map) => map.clone(),
                None => {
                    return Err(
                        Refusal::resource(id, "Properties of a resource must be an object.").at(properties.span)
                    );
                }
            },
        };
        check_properties(&id, &properties, kind.properties, kind.kind, node.span)?;
        Ok(Self { name: name.to_owned(), id, kind, properties, span: node.span })
    }

    /// The property called `name`, when it is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.properties.get(name).filter(|node| !node.is_null())
    }

    /// The property, when Python takes it for true.
    pub(crate) fn truthy(&self, name: &str) -> Option<&Node> {
        self.get(name).filter(|node| node.truthy())
    }

    /// Refuses it by its own name.
    pub(crate) fn refuse<T>(&self, message: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal::event(self.name.as_str(), message).at(self.span))
    }

    /// Refuses it by the name of what would be made for it, as some events of the published
    /// transform do.
    pub(crate) fn refuse_by_id<T>(&self, message: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal::event(self.id.as_str(), message).at(self.span))
    }

    /// Looks at what it refers to.
    pub(crate) fn link(&self, context: &Context) -> Result<(), Refusal> {
        (self.kind.link)(self, context)
    }

    /// What is made for it.
    pub(crate) fn expand(mut self, target: &mut Target, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
        let span = self.span;
        let mut generated = (self.kind.expand)(&mut self, target, context).map_err(|refusal| refusal.at(span))?;
        for resource in &mut generated {
            resource.span = resource.span.or(span);
        }
        Ok(generated)
    }
}

/// What kind of thing an event calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    Function,
    FunctionAlias,
    /// Or an alias of one: the ARN is what `Ref` gives either way.
    StateMachine,
}

/// What an event calls.
pub(crate) struct Target {
    /// Logical ID of the function, state machine or alias.
    pub(crate) id: String,
    /// What it is.
    pub(crate) called: Called,
    /// What everything made for it gets.
    pub(crate) attributes: Map,
    /// A function's role, which some events add to.
    pub(crate) role: Option<Generated>,
    /// The permissions boundary of the roles that a state machine's events get.
    pub(crate) boundary: Option<Node>,
}

impl Target {
    /// How calls name it: the function by name, an alias by ARN.
    pub(crate) fn name(&self) -> Node {
        reference(&self.id)
    }

    /// Its ARN.
    pub(crate) fn arn(&self) -> Node {
        match self.called {
            Called::Function => super::build::get_att(&self.id, "Arn"),
            Called::FunctionAlias | Called::StateMachine => reference(&self.id),
        }
    }

    /// Its condition.
    pub(crate) fn condition(&self) -> Option<&Node> {
        self.attributes.get("Condition")
    }
}

/// The names of `events` in the order in which the published transform meets them.
pub(crate) fn in_order(events: &Map, context: &Context) -> Vec<String> {
    if context.order.is_none() {
        return events.keys().map(str::to_owned).collect();
    }
    let mut keys = Keys::default();
    events.keys().for_each(|key| keys.add(key));
    keys.iter().map(str::to_owned).collect()
}
