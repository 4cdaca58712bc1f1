//! `AWS::Serverless::Connector`: the permissions that one resource needs to use others. It is
//! expanded last, for it looks at what the other resources became.

use super::Resource;
use crate::template::{Map, Node, Value};
use crate::transform::build::{Read, list, map, reference, referenced_id, text};
use crate::transform::connector::profile::{self, Profile, RoleProperty, Variable};
use crate::transform::connector::{add_depends_on, metadata, replace_depends_on};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::policies::same;
use crate::transform::property::{Kind, Property, required};
use crate::transform::refusal::Refusal;

/// Its type.
pub(crate) const KIND: &str = "AWS::Serverless::Connector";

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    required("Source", Kind::MapOfAny),
    required("Destination", Kind::MapOrListOfMaps),
    required("Permissions", Kind::ListOfText),
];

/// What a resource is called in the table of profiles, which knows only plain ones.
const PLAIN: &[(&str, &str)] = &[
    ("AWS::Serverless::Function", "AWS::Lambda::Function"),
    ("AWS::Serverless::StateMachine", "AWS::StepFunctions::StateMachine"),
    ("AWS::Serverless::Api", "AWS::ApiGateway::RestApi"),
    ("AWS::Serverless::HttpApi", "AWS::ApiGatewayV2::Api"),
    ("AWS::Serverless::SimpleTable", "AWS::DynamoDB::Table"),
];

/// The policies and permissions of every destination.
pub(super) fn expand(resource: &mut Resource, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let source_node = resource.get("Source").cloned().unwrap_or_default();
    let destinations = resource.get("Destination").cloned().unwrap_or_default();
    let (destinations, several) = match destinations.value {
        Value::List(items) => (items, true),
        _ => (vec![destinations], false),
    };
    let mut all = Vec::new();
    for (index, node) in destinations.iter().enumerate() {
        let read = |node: &Node, other: &Node| End::read(node, other, &context.output);
        let ends = read(node, &source_node).and_then(|destination| Ok((read(&source_node, node)?, destination)));
        let (source, destination) = match ends {
            Ok(ends) => ends,
            Err(message) => return resource.refuse(message),
        };
        let suffix = if several { format!("Destination{index}") } else { String::new() };
        let link = Link { connector: resource, source: &source, destination: &destination, suffix };
        let made = link.expand(&mut context.output)?;
        let kind_of = |end: &End| {
            let written = end.id.as_deref().and_then(|id| context.kind_of(id));
            written.map_or_else(|| end.kind.clone(), str::to_owned)
        };
        let ends = metadata(&resource.id, &kind_of(&source), &kind_of(&destination));
        for mut made in made {
            let mut own = match made.attributes.get("Metadata").map(|own| &own.value) {
                None | Some(Value::Null) => Map::new(),
                Some(Value::Map(own)) => own.clone(),
                Some(_) => return resource.refuse("Attribute 'Metadata' should be a map."),
            };
            own.insert("aws:sam:connectors", ends.clone());
            made.attributes.insert("Metadata", Node::from(own));
            all.push(made);
        }
    }
    let ids: Vec<String> = all.iter().map(|made| made.id.clone()).collect();
    replace_depends_on(&mut context.output, &resource.id, &ids);
    if all.is_empty() {
        return resource.refuse("'Destination' is an empty list");
    }
    Ok(all)
}

/// What a connector between two ends becomes, where another resource makes one for itself.
pub(super) fn between(
    id: String,
    source: Node,
    destination: Node,
    permissions: Node,
    context: &mut Context,
) -> Result<Vec<Generated>, Refusal> {
    let properties = [("Source", source), ("Destination", destination), ("Permissions", permissions)];
    let mut connector = Resource {
        id,
        properties: properties.into_iter().collect(),
        depends_on: None,
        attributes: Map::new(),
        span: None,
    };
    expand(&mut connector, context)
}

/// One end of a connector: what is known of a resource, or given.
struct End {
    id: Option<String>,
    kind: String,
    arn: Option<Node>,
    role_name: Option<Node>,
    queue_url: Option<Node>,
    resource_id: Option<Node>,
    name: Option<Node>,
    qualifier: Option<Node>,
}

impl End {
    fn read(node: &Node, other: &Node, output: &Map) -> Result<Self, String> {
        let keys = node.as_map().into_iter().flat_map(Map::keys);
        let others = keys.filter(|key| !matches!(*key, "Id" | "Qualifier")).count() > 0;
        if node.get("Id").is_some() == others {
            return Err(
                "Must provide 'Id' (with optional 'Qualifier') or a supported combination of other properties."
                    .to_owned(),
            );
        }
        match node.get("Id").filter(|id| id.truthy()) {
            None => Self::given(node),
            Some(id) => Self::found(id.as_str().ok_or("'Id' is missing or not a string.")?, node, other, output),
        }
    }

    fn given(node: &Node) -> Result<Self, String> {
        let kind = type_of(node)?;
        let kind = PLAIN.iter().find(|(serverless, _)| *serverless == kind).map_or(kind, |(_, plain)| plain);
        let own = |name: &str| node.given(name).cloned();
        Ok(Self {
            id: None,
            kind: kind.to_owned(),
            arn: own("Arn"),
            role_name: own("RoleName"),
            queue_url: own("QueueUrl"),
            resource_id: own("ResourceId"),
            name: own("Name"),
            qualifier: own("Qualifier"),
        })
    }

    fn found(id: &str, node: &Node, other: &Node, output: &Map) -> Result<Self, String> {
        let resource = output.get(id).filter(|resource| resource.truthy());
        let resource = resource.ok_or_else(|| format!("Unable to find resource with logical ID '{id}'."))?;
        let kind = type_of(resource)?;
        let outputs = profile::outputs(kind, id);
        let output = |name: &str| outputs.get(name).cloned();
        let properties = resource.get("Properties");
        if properties.is_some_and(|properties| properties.truthy() && properties.as_map().is_none()) {
            return Err(format!("'Properties' of the resource '{id}' must be a map."));
        }
        let role = match profile::role_property(kind) {
            Some(RoleProperty::Named(name)) => properties.and_then(|properties| properties.get(name)),
            Some(RoleProperty::OfTarget) => role_of_target(properties, other),
            None => None,
        };
        Ok(Self {
            id: Some(id.to_owned()),
            kind: kind.to_owned(),
            arn: output("Arn"),
            role_name: role.and_then(referenced_id).filter(|id| !id.is_empty()).map(reference),
            queue_url: output("Url"),
            resource_id: output("Id"),
            name: output("Name"),
            qualifier: match node.get("Qualifier") {
                Some(given) => Some(given.clone()).filter(|given| !given.is_null()),
                None => output("Qualifier"),
            },
        })
    }
}

fn type_of(node: &Node) -> Result<&str, String> {
    let kind = node.get("Type").and_then(Node::as_str).filter(|kind| !kind.is_empty());
    kind.ok_or_else(|| "'Type' is missing or not a string.".to_owned())
}

/// The role with which a rule calls that target which is the other end.
fn role_of_target<'a>(properties: Option<&'a Node>, other: &Node) -> Option<&'a Node> {
    let targets = properties?.get("Targets")?.as_list()?;
    let target = targets.iter().find(|target| {
        let arn = target.get("Arn");
        let id = arn.and_then(referenced_id).filter(|id| !id.is_empty());
        let by_id = id.is_some_and(|id| other.get("Id").and_then(Node::as_str) == Some(id));
        let by_arn = || match (other.get("Arn").filter(|arn| arn.truthy()), arn) {
            (Some(wanted), Some(arn)) => same(wanted, arn),
            _ => false,
        };
        by_id || by_arn()
    });
    target?.get("RoleArn")
}

/// A connector with one of its destinations.
struct Link<'a> {
    connector: &'a Resource,
    source: &'a End,
    destination: &'a End,
    /// What distinguishes what is made for several destinations.
    suffix: String,
}

impl Link<'_> {
    fn refuse<T>(&self, message: impl Into<String>) -> Result<T, Refusal> {
        self.connector.refuse(message)
    }

    fn expand(&self, output: &mut Map) -> Result<Vec<Generated>, Refusal> {
        let (source, destination) = (self.source, self.destination);
        let Some(profile) = profile::of(&source.kind, &destination.kind) else {
            return self.refuse(format!(
                "Unable to create connector from {} to {}; it's not supported or the template is invalid.",
                source.kind, destination.kind
            ));
        };
        let permissions = self.permissions(&profile)?;
        let variables: [Variable<'_>; 8] = [
            ("Source.Arn", source.arn.clone()),
            ("Destination.Arn", destination.arn.clone()),
            ("Source.ResourceId", source.resource_id.clone()),
            ("Destination.ResourceId", destination.resource_id.clone()),
            ("Source.Name", source.name.clone()),
            ("Destination.Name", destination.name.clone()),
            ("Source.Qualifier", source.qualifier.clone()),
            ("Destination.Qualifier", destination.qualifier.clone()),
        ];
        // All of them have to be complete, also those that are not asked for.
        let categories = match profile::fill_in(&Node::from(profile.categories().clone()), &variables) {
            Ok(filled) => filled,
            Err(name) => return self.refuse(format!("{name} is missing.")),
        };
        let asked: Vec<(&str, &Node)> = categories
            .as_map()
            .into_iter()
            .flat_map(Map::iter)
            .filter(|(name, _)| permissions.contains(name))
            .collect();
        Ok(match profile.kind() {
            "AWS_IAM_ROLE_MANAGED_POLICY" => vec![self.role_policy(&profile, &asked, output)?],
            "AWS_SQS_QUEUE_POLICY" => {
                let queue = self.of_owner(&profile, |end| end.queue_url.as_ref(), "SQS queue URL")?;
                let mut policy = self.generated("QueuePolicy", "AWS::SQS::QueuePolicy")?;
                policy.set("PolicyDocument", document(&asked));
                policy.set("Queues", list([queue]));
                vec![policy]
            }
            "AWS_SNS_TOPIC_POLICY" => {
                let topic = self.of_owner(&profile, |end| end.arn.as_ref(), "SNS topic ARN")?;
                let mut policy = self.generated("TopicPolicy", "AWS::SNS::TopicPolicy")?;
                policy.set("Topics", list([topic]));
                policy.set("PolicyDocument", document(&asked));
                vec![policy]
            }
            _ => self.lambda_permissions(&profile, &asked)?,
        })
    }

    fn permissions(&self, profile: &Profile) -> Result<Vec<&str>, Refusal> {
        let asked = self.connector.get("Permissions").and_then(Node::as_list).unwrap_or_default();
        let mut asked: Vec<&str> = asked.iter().filter_map(Node::as_str).collect();
        asked.sort_unstable();
        asked.dedup();
        let valid = profile.categories().keys().collect::<Vec<_>>().join(", ");
        if asked.is_empty() {
            return self.refuse(format!("'Permissions' cannot be empty; valid values are: {valid}."));
        }
        let unsupported = format!(
            "Unsupported 'Permissions' provided for connector from {} to {};",
            self.source.kind, self.destination.kind
        );
        if asked.iter().any(|name| !profile.categories().contains_key(name)) {
            return self.refuse(format!("{unsupported} valid values are: {valid}."));
        }
        if let Some(combinations) = profile.combinations().filter(|combinations| !combinations.contains(&asked)) {
            let combinations: Vec<String> = combinations.iter().map(|names| names.join(" + ")).collect();
            return self.refuse(format!("{unsupported} valid combinations are: {}.", combinations.join(", ")));
        }
        Ok(asked)
    }

    /// What is needed of that end which gets the policy.
    fn of_owner(&self, profile: &Profile, of: impl Fn(&End) -> Option<&Node>, what: &str) -> Result<Node, Refusal> {
        let (end, name) = if profile.of_source() { (self.source, "Source") } else { (self.destination, "Destination") };
        match of(end).filter(|value| value.truthy()) {
            Some(value) => Ok(value.clone()),
            None => self.refuse(format!("Unable to get {what} from '{name}' resource.")),
        }
    }

    fn generated(&self, what: &str, kind: &'static str) -> Result<Generated, Refusal> {
        self.connector.main(&format!("{}{what}{}", self.connector.id, self.suffix), kind)
    }

    fn role_policy(&self, profile: &Profile, asked: &[(&str, &Node)], output: &mut Map) -> Result<Generated, Refusal> {
        let role = self.of_owner(profile, |end| end.role_name.as_ref(), "IAM role name")?;
        let mut policy = self.generated("Policy", "AWS::IAM::ManagedPolicy")?;
        policy.set("PolicyDocument", document(asked));
        policy.set("Roles", list([role]));
        match (profile.depended_by(), &self.source.id, &self.destination.id) {
            (Some("DESTINATION_EVENT_SOURCE_MAPPING"), Some(source), Some(destination)) => {
                // With several there is no telling which is meant, and the deployment fails anyway.
                if let [mapping] = event_source_mappings(source, destination, output).as_slice() {
                    add_depends_on(output, mapping, &policy.id);
                }
            }
            (Some("SOURCE"), Some(source), _) => add_depends_on(output, source, &policy.id),
            _ => {}
        }
        Ok(policy)
    }

    fn lambda_permissions(&self, profile: &Profile, asked: &[(&str, &Node)]) -> Result<Vec<Generated>, Refusal> {
        let function = self.of_owner(profile, |end| end.arn.as_ref(), "Lambda function ARN")?;
        let permission = |(name, category): &(&str, &Node)| {
            let mut permission = self.generated(&format!("{name}LambdaPermission"), "AWS::Lambda::Permission")?;
            permission.set("FunctionName", function.clone());
            for property in ["Action", "Principal", "SourceArn", "SourceAccount"] {
                permission.set(property, category.get(property).cloned());
            }
            Ok(permission)
        };
        asked.iter().map(permission).collect()
    }
}

fn document(asked: &[(&str, &Node)]) -> Node {
    let statements = asked.iter().filter_map(|(_, category)| category.get("Statement")?.as_list()).flatten().cloned();
    map([("Version", text("2012-10-17")), ("Statement", Node::from(statements.collect::<Vec<_>>()))])
}

/// What brings the source's events to the function.
fn event_source_mappings(source: &str, function: &str, output: &Map) -> Vec<String> {
    let refers = |properties: Option<&Node>, name: &str, id: &str| {
        properties.and_then(|properties| properties.get(name)).and_then(referenced_id) == Some(id)
    };
    output
        .iter()
        .filter(|(_, resource)| resource.get("Type").and_then(Node::as_str) == Some("AWS::Lambda::EventSourceMapping"))
        .filter(|(_, resource)| {
            let properties = resource.get("Properties");
            refers(properties, "FunctionName", function) && refers(properties, "EventSourceArn", source)
        })
        .map(|(id, _)| id.to_owned())
        .collect()
}
