//! The types of SAM resources: one file each, one row each.

pub mod api;
pub mod application;
pub mod capacity_provider;
pub mod connector;
pub mod function;
pub mod graphql_api;
pub mod http_api;
pub mod layer_version;
pub mod microvm_image;
pub mod network_connector;
pub mod simple_table;
pub mod state_machine;
pub mod web_function;
pub mod web_socket_api;

use super::build::Read;
use super::context::Context;
use super::generated::{Generated, check_logical_id};
use super::policies;
use super::property::Property;
use super::refusal::Refusal;
use crate::template::span::Span;
use crate::template::{Map, Node};

/// Makes plain resources of a SAM resource.
type Expand = fn(&mut Resource, &mut Context) -> Result<Vec<Generated>, Refusal>;

/// A type of SAM resource.
#[derive(Debug)]
pub struct Spec {
    /// Its name, such as `AWS::Serverless::Function`.
    pub kind: &'static str,
    /// What it takes.
    pub properties: &'static [Property],
    /// Derived resources that can be referred to (`!Ref Function.Alias`), with their types.
    referable: &'static [(&'static str, &'static str)],
    /// When it is expanded: functions and state machines add to APIs, so they come first; connectors
    /// look at what the others became, so they come last.
    turn: u8,
    expand: Expand,
}

impl Spec {
    /// The property called `name`.
    pub fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    pub(crate) fn turn(&self) -> u8 {
        self.turn
    }
}

/// Every type.
pub static TYPES: &[Spec] = &[
    Spec {
        kind: "AWS::Serverless::Function",
        properties: function::PROPERTIES,
        referable: function::REFERABLE,
        turn: 0,
        expand: function::expand,
    },
    Spec {
        kind: "AWS::Serverless::Api",
        properties: api::PROPERTIES,
        referable: api::REFERABLE,
        turn: 3,
        expand: api::expand,
    },
    Spec {
        kind: "AWS::Serverless::HttpApi",
        properties: http_api::PROPERTIES,
        referable: http_api::REFERABLE,
        turn: 3,
        expand: http_api::expand,
    },
    Spec {
        kind: "AWS::Serverless::SimpleTable",
        properties: simple_table::PROPERTIES,
        referable: &[],
        turn: 4,
        expand: simple_table::expand,
    },
    Spec {
        kind: "AWS::Serverless::LayerVersion",
        properties: layer_version::PROPERTIES,
        referable: &[],
        turn: 4,
        expand: layer_version::expand,
    },
    Spec {
        kind: application::KIND,
        properties: application::PROPERTIES,
        referable: &[],
        turn: 4,
        expand: application::expand,
    },
    Spec {
        kind: "AWS::Serverless::CapacityProvider",
        properties: capacity_provider::PROPERTIES,
        referable: &[],
        turn: 4,
        expand: capacity_provider::expand,
    },
    Spec {
        kind: connector::KIND,
        properties: connector::PROPERTIES,
        referable: &[],
        turn: 5,
        expand: connector::expand,
    },
    Spec {
        kind: graphql_api::KIND,
        properties: graphql_api::PROPERTIES,
        referable: &[],
        turn: 4,
        expand: graphql_api::expand,
    },
    Spec {
        kind: "AWS::Serverless::MicrovmImage",
        properties: microvm_image::PROPERTIES,
        referable: &[],
        turn: 4,
        expand: microvm_image::expand,
    },
    Spec {
        kind: "AWS::Serverless::NetworkConnector",
        properties: network_connector::PROPERTIES,
        referable: &[],
        turn: 4,
        expand: network_connector::expand,
    },
    Spec {
        kind: "AWS::Serverless::StateMachine",
        properties: state_machine::PROPERTIES,
        referable: &[],
        turn: 2,
        expand: state_machine::expand,
    },
    Spec {
        kind: "AWS::Serverless::WebFunction",
        properties: web_function::PROPERTIES,
        referable: &[],
        turn: 1,
        expand: web_function::expand,
    },
    Spec {
        kind: "AWS::Serverless::WebSocketApi",
        properties: web_socket_api::PROPERTIES,
        referable: web_socket_api::REFERABLE,
        turn: 3,
        expand: web_socket_api::expand,
    },
];

/// The type called `kind`.
pub fn lookup(kind: &str) -> Option<&'static Spec> {
    TYPES.iter().find(|spec| spec.kind == kind)
}

/// A SAM resource of the template, its properties checked against its table.
#[derive(Debug)]
pub(crate) struct Resource {
    /// Its logical ID.
    pub(crate) id: String,
    /// Its properties, Globals merged in.
    pub(crate) properties: Map,
    /// Its `DependsOn`.
    pub(crate) depends_on: Option<Node>,
    /// Its other attributes.
    pub(crate) attributes: Map,
    /// Its place.
    pub(crate) span: Option<Span>,
}

impl Resource {
    /// The property called `name`, when it is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.properties.get(name).filter(|node| !node.is_null())
    }

    /// The property, when Python takes it for true.
    pub(crate) fn truthy(&self, name: &str) -> Option<&Node> {
        self.get(name).filter(|node| node.truthy())
    }

    /// What everything made from it gets.
    pub(crate) fn passed_through(&self) -> Map {
        super::generated::passed_through(&self.attributes)
    }

    /// The resource itself in plain CloudFormation: with all its attributes.
    pub(crate) fn main(&self, id: &str, kind: &'static str) -> Result<Generated, Refusal> {
        let mut resource = Generated::new(id, kind, &self.attributes)?;
        resource.depends_on = self.depends_on.clone();
        Ok(resource)
    }

    /// Refuses it.
    pub(crate) fn refuse<T>(&self, message: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal::resource(self.id.as_str(), message).at(self.span))
    }
}

/// Attributes beside `Type`, `Properties` and `DependsOn` that are kept.
pub(crate) const ATTRIBUTES: [&str; 5] =
    ["DeletionPolicy", "UpdatePolicy", "Condition", "UpdateReplacePolicy", "Metadata"];

/// Expands one resource.
pub(crate) fn expand(id: &str, node: &Node, spec: &Spec, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let mut generated = match spec.kind {
        application::KIND => application::expand_located(id, node, spec, context)?,
        _ => (spec.expand)(&mut read(id, node, spec)?, context)?,
    };
    for resource in &mut generated {
        resource.span = resource.span.or(node.span);
    }
    for (property, kind) in spec.referable {
        // As in a dictionary by type: the last one of a type is meant.
        if let Some(target) = generated.iter().rfind(|resource| resource.kind == *kind) {
            context.references.add(id, property, &target.id);
        }
    }
    Ok(generated)
}

/// Looks whether a resource is what one of its type may be.
pub(crate) fn check(id: &str, node: &Node, kind: &str) -> Result<(), Refusal> {
    lookup(kind).map_or(Ok(()), |spec| read(id, node, spec).map(|_| ()))
}

fn read(id: &str, node: &Node, spec: &Spec) -> Result<Resource, Refusal> {
    check_logical_id(id)?;
    let mut properties = node.get("Properties").and_then(Node::as_map).cloned().unwrap_or_default();
    if matches!(spec.kind, "AWS::Serverless::Function" | "AWS::Serverless::StateMachine") {
        policies::expand_templates(id, &mut properties)?;
    }
    if spec.kind == graphql_api::KIND {
        // The published transform takes others without a word.
        properties = properties.into_iter().filter(|(name, _)| spec.property(name).is_some()).collect();
    }
    check_properties(id, &properties, spec.properties, spec.kind, node.span)?;
    let attributes = ATTRIBUTES.iter().filter_map(|name| Some((*name, node.get(name)?.clone()))).collect();
    Ok(Resource {
        id: id.to_owned(),
        properties,
        depends_on: node.get("DependsOn").cloned(),
        attributes,
        span: node.span,
    })
}

/// Looks whether a plain resource that the transform takes in hand has only properties that it knows.
pub(crate) fn check_known(
    id: &str,
    properties: Option<&Node>,
    known: &[&str],
    kind: &'static str,
) -> Result<(), Refusal> {
    let properties =
        properties.and_then(Node::as_map).into_iter().flat_map(|map| map.keys().map(move |key| (key, map)));
    for (name, map) in properties {
        if !known.contains(&name) {
            let message = format!("property {name} not defined for resource of type {kind}");
            return Err(Refusal::resource(id, message).at(map.key_span(name)));
        }
    }
    Ok(())
}

/// Checks properties against a table.
pub(crate) fn check_properties(
    id: &str,
    properties: &Map,
    table: &[Property],
    kind: &str,
    span: Option<Span>,
) -> Result<(), Refusal> {
    for (name, value) in properties.iter() {
        if !table.iter().any(|property| property.name == name) {
            let message = format!("property {name} not defined for resource of type {kind}");
            return Err(Refusal::resource(id, message).at(properties.key_span(name).or(value.span).or(span)));
        }
    }
    for property in table {
        let value = properties.get(property.name).filter(|value| !value.is_null());
        let Some(value) = value else {
            if property.required {
                let message = format!("Missing required property '{}'.", property.name);
                return Err(Refusal::resource(id, message).at(span));
            }
            continue;
        };
        // Any map of one entry passes for an intrinsic function here, as in the published transform.
        if property.intrinsics && value.as_map().is_some_and(|map| map.len() == 1) {
            continue;
        }
        if !property.kind.accepts(value) {
            let message = match property.kind.expected() {
                Some(expected) => format!("Property '{}' should be {expected}.", property.name),
                None => format!("Type of property '{}' is invalid.", property.name),
            };
            return Err(Refusal::resource(id, message).at(value.span.or(span)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_own_name_and_every_property_too() {
        for (index, spec) in TYPES.iter().enumerate() {
            assert!(TYPES[..index].iter().all(|other| other.kind != spec.kind), "{}", spec.kind);
            for (at, property) in spec.properties.iter().enumerate() {
                assert!(spec.properties[..at].iter().all(|other| other.name != property.name), "{}", property.name);
            }
        }
        assert!(lookup("AWS::Serverless::Nothing").is_none());
    }
}
