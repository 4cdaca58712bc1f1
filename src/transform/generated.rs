//! A plain CloudFormation resource that the transform makes.

use super::build::{Read, get_att, reference, tag_list};
use super::property::Property;
use super::refusal::Refusal;
use crate::template::span::Span;
use crate::template::{Map, Node};

/// Attributes that a SAM resource hands to everything made from it.
const PASSED_THROUGH: [&str; 3] = ["Condition", "DeletionPolicy", "UpdateReplacePolicy"];

/// Types whose `Tags` the transform sets when tags are propagated.
const TAGGED: &[&str] = &[
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::DomainName",
    "AWS::ApiGateway::DomainNameAccessAssociation",
    "AWS::ApiGateway::DomainNameV2",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::DynamoDB::Table",
    "AWS::IAM::Role",
    "AWS::IoT::TopicRule",
    "AWS::Lambda::Function",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::StepFunctions::StateMachine",
];

/// Types whose `Tags` are a map, not a list of keys and values.
const TAGGED_WITH_MAP: &[&str] = &["AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::Stage"];

/// A plain CloudFormation resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Generated {
    /// Its logical ID.
    pub(crate) id: String,
    /// Its type.
    pub(crate) kind: &'static str,
    /// `DependsOn`, when it has one.
    pub(crate) depends_on: Option<Node>,
    /// What stands beside `Properties`.
    pub(crate) attributes: Map,
    /// Its properties.
    pub(crate) properties: Map,
    /// What it was made from.
    pub(crate) span: Option<Span>,
}

impl Generated {
    /// A resource without properties.
    pub(crate) fn new(id: impl Into<String>, kind: &'static str, attributes: &Map) -> Result<Self, Refusal> {
        let id = id.into();
        check_logical_id(&id)?;
        Ok(Self { id, kind, depends_on: None, attributes: attributes.clone(), properties: Map::new(), span: None })
    }

    /// Sets a property; nothing and null are left out.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Option<Node>>) {
        if let Some(value) = value.into().filter(|value| !value.is_null()) {
            self.properties.insert(name, value);
        }
    }

    /// Copies the properties that a table passes on.
    pub(crate) fn pass(&mut self, from: &Map, table: &[Property]) {
        for property in table.iter().filter(|property| property.passed) {
            self.set(property.name, from.get(property.name).cloned());
        }
    }

    /// Copies properties that are passed on as they are.
    pub(crate) fn copy(&mut self, from: &Map, names: &[&str]) {
        for name in names {
            self.set(name, from.get(name).cloned());
        }
    }

    /// Waits for these.
    pub(crate) fn depend_on<const N: usize>(&mut self, ids: [&str; N]) {
        self.depends_on = Some(Node::from(ids.iter().map(|id| Node::from(*id)).collect::<Vec<_>>()));
    }

    /// `!Ref` of it.
    pub(crate) fn reference(&self) -> Node {
        reference(&self.id)
    }

    /// `!GetAtt` of its `Arn`.
    pub(crate) fn arn(&self) -> Node {
        get_att(&self.id, "Arn")
    }

    /// Gives it these tags instead of its own, when its type has tags.
    pub(crate) fn assign_tags(&mut self, tags: &Map) {
        if TAGGED.contains(&self.kind) {
            let tags = if TAGGED_WITH_MAP.contains(&self.kind) {
                Node::from(tags.clone())
            } else {
                Node::from(tag_list(tags.iter()))
            };
            self.properties.insert("Tags", tags);
        }
    }

    /// As the template has it.
    pub(crate) fn into_node(self) -> Node {
        let span = self.span;
        let mut resource = Map::new();
        resource.insert("Type", Node::from(self.kind).at(span));
        if let Some(depends_on) = self.depends_on.filter(Node::truthy) {
            resource.insert("DependsOn", depends_on);
        }
        for (name, value) in self.attributes {
            resource.insert(name, value);
        }
        resource.insert("Properties", Node::from(self.properties).at(span));
        let mut node = Node::from(resource).at(span);
        inherit(&mut node, span);
        node
    }
}

/// Whatever was generated gets the place of what it was generated from.
fn inherit(node: &mut Node, span: Option<Span>) {
    let own = node.span.or(span);
    node.span = own;
    match &mut node.value {
        crate::template::Value::List(items) => items.iter_mut().for_each(|item| inherit(item, own)),
        crate::template::Value::Map(map) => map.iter_mut().for_each(|(_, value)| inherit(value, own)),
        _ => {}
    }
}

/// Logical IDs are letters and digits.
pub(crate) fn check_logical_id(id: &str) -> Result<(), Refusal> {
    if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(Refusal::resource(id, "Logical ids must be alphanumeric."))
}

/// Those attributes of a SAM resource that everything made from it gets.
pub(crate) fn passed_through(attributes: &Map) -> Map {
    PASSED_THROUGH.iter().filter_map(|name| Some((*name, attributes.get(name)?.clone()))).collect()
}

/// Gives every resource the tags, when they are to be propagated.
pub(crate) fn propagate_tags(resources: &mut [Generated], tags: Option<&Node>, propagate: bool) {
    if let Some(tags) = tags.filter(|tags| propagate && tags.truthy()).and_then(Node::as_map) {
        for resource in resources {
            resource.assign_tags(tags);
        }
    }
}

/// Gives every resource that has tags these too, when they are to be propagated.
pub(crate) fn combine_tags(resources: &mut [Generated], tags: Option<&Node>, propagate: bool) {
    let Some(tags) = tags.filter(|tags| propagate && tags.truthy()).and_then(Node::as_map) else { return };
    for resource in resources {
        let Some(own) = resource.properties.get("Tags").and_then(Node::as_list) else { continue };
        let mut all = Map::new();
        for tag in own.iter().chain(&tag_list(tags.iter())) {
            if let (Some(key), Some(value)) = (tag.get("Key").and_then(Node::as_str), tag.get("Value")) {
                all.insert(key, value.clone());
            }
        }
        resource.properties.insert("Tags", Node::from(tag_list(all.iter())));
    }
}
