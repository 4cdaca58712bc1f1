//! `AWS::Serverless::StateMachine`: a state machine of Step Functions with its role, its alias and its
//! events.

use super::Resource;
use super::function::S3Uri;
use crate::template::{Map, Node, Value};
use crate::transform::build::{Read, get_att, map, reference, tag_list, text};
use crate::transform::context::Context;
use crate::transform::event::{self, Called, Event, Target};
use crate::transform::generated::{Generated, propagate_tags};
use crate::transform::logical_id::indented;
use crate::transform::policies::{Role, trust};
use crate::transform::property::{Kind, Property, optional};
use crate::transform::refusal::Refusal;

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("Definition", Kind::Map),
    optional("DefinitionUri", Kind::TextOrMap),
    optional("Logging", Kind::Map),
    optional("Role", Kind::Text),
    optional("RolePath", Kind::Any),
    optional("DefinitionSubstitutions", Kind::Map),
    optional("Events", Kind::MapOfMaps),
    optional("Name", Kind::Text),
    optional("Type", Kind::Text),
    optional("Tags", Kind::Map),
    optional("PropagateTags", Kind::Bool),
    optional("Policies", Kind::TextOrListOfTextOrMap),
    optional("Tracing", Kind::Map),
    optional("PermissionsBoundary", Kind::Text),
    optional("AutoPublishAlias", Kind::Any),
    optional("DeploymentPreference", Kind::Any),
    optional("UseAliasAsEventTarget", Kind::Bool).literal(),
];

/// What a property of SAM is called in CloudFormation.
const RENAMED: &[(&str, &str)] = &[
    ("Name", "StateMachineName"),
    ("Type", "StateMachineType"),
    ("Logging", "LoggingConfiguration"),
    ("Tracing", "TracingConfiguration"),
];

/// The state machine and everything that comes with it.
pub(super) fn expand(resource: &mut Resource, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let events = read_events(resource, context)?;
    let mut machine = resource.main(&resource.id, "AWS::StepFunctions::StateMachine")?;
    define(resource, &mut machine)?;
    let role = match (resource.truthy("Role"), resource.truthy("Policies")) {
        (Some(_), Some(_)) => {
            return resource
                .refuse("Specify either 'Role' or 'Policies' (but not both at the same time) or neither of them");
        }
        (Some(given), None) => {
            machine.set("RoleArn", given.clone());
            None
        }
        (None, _) => {
            let role = role(resource, context)?;
            machine.set("RoleArn", role.arn());
            Some(role)
        }
    };
    for (from, to) in RENAMED {
        machine.set(to, resource.get(from).cloned());
    }
    machine.set("Tags", Node::from(tags(resource)));
    let published = publish(resource)?;
    let use_alias = resource.truthy("UseAliasAsEventTarget").is_some();
    let id = published.iter().find(|made| use_alias && made.kind == ALIAS).map_or(&resource.id, |alias| &alias.id);
    let mut target = Target {
        id: id.clone(),
        called: Called::StateMachine,
        attributes: resource.passed_through(),
        role: None,
        boundary: resource.get("PermissionsBoundary").cloned(),
    };
    let mut all = vec![machine];
    all.extend(role);
    all.extend(published);
    for event in events {
        all.extend(event.expand(&mut target, context)?);
    }
    propagate_tags(&mut all, resource.get("Tags"), resource.truthy("PropagateTags").is_some());
    Ok(all)
}

fn read_events(resource: &Resource, context: &Context) -> Result<Vec<Event>, Refusal> {
    let Some(events) = resource.truthy("Events").and_then(Node::as_map) else {
        return Ok(Vec::new());
    };
    let mut read = Vec::with_capacity(events.len());
    for name in event::in_order(events, context) {
        let Some(node) = events.get(&name) else { continue };
        let event = Event::read(&resource.id, &name, node, event::state_machine::KINDS)
            .and_then(|event| event.link(context).map(|()| event));
        read.push(event.map_err(|refusal| refusal.of_resource(&resource.id))?);
    }
    Ok(read)
}

/// The definition, as text or as its place, with what is to be put into it.
fn define(resource: &Resource, machine: &mut Generated) -> Result<(), Refusal> {
    let mut substitutions = resource.truthy("DefinitionSubstitutions").cloned();
    match (resource.truthy("Definition"), resource.truthy("DefinitionUri")) {
        (Some(_), Some(_)) => {
            return resource.refuse("Specify either 'Definition' or 'DefinitionUri' property and not both.");
        }
        (None, None) => {
            return resource.refuse("Either 'Definition' or 'DefinitionUri' property must be specified.");
        }
        (Some(definition), None) => {
            let mut definition = definition.clone();
            let mut dynamic = Map::new();
            take_dynamic(&mut definition, &mut dynamic);
            if !dynamic.is_empty() {
                let all = substitutions.get_or_insert_with(|| Node::from(Map::new()));
                if let Some(all) = all.as_map_mut() {
                    dynamic.into_iter().for_each(|(name, value)| {
                        all.insert(name, value);
                    });
                }
            }
            let lines = indented(&definition).split('\n').map(text).collect::<Vec<_>>();
            let join = Node::from(vec![text("\n"), Node::from(lines)]);
            machine.set("DefinitionString", map([("Fn::Join", join)]).at(definition.span));
        }
        (None, Some(uri)) => machine.set("DefinitionS3Location", location(resource, uri)?),
    }
    machine.set("DefinitionSubstitutions", substitutions);
    Ok(())
}

/// Puts `${definition_substitution_N}` where CloudFormation has to find a value, in the order of the
/// keys: the definition itself is only text to it.
fn take_dynamic(node: &mut Node, found: &mut Map) {
    let mut children: Vec<&mut Node> = match &mut node.value {
        Value::List(items) => items.iter_mut().collect(),
        Value::Map(map) => {
            let mut entries: Vec<(&str, &mut Node)> = map.iter_mut().collect();
            entries.sort_by_key(|(key, _)| *key);
            entries.into_iter().map(|(_, value)| value).collect()
        }
        _ => return,
    };
    for child in &mut children {
        if child.is_intrinsic() || child.as_str().is_some_and(is_dynamic_reference) {
            let name = format!("definition_substitution_{}", found.len() + 1);
            let placeholder = text(format!("${{{name}}}")).at(child.span);
            found.insert(name, std::mem::replace(&mut **child, placeholder));
        } else {
            take_dynamic(child, found);
        }
    }
}

/// `{{resolve:service:key}}`, and nothing else on the line.
fn is_dynamic_reference(text: &str) -> bool {
    let inner = text.strip_prefix("{{resolve:").map(|rest| rest.strip_suffix('\n').unwrap_or(rest));
    inner.and_then(|rest| rest.strip_suffix("}}")).and_then(|inner| inner.split_once(':')).is_some_and(
        |(service, key)| {
            let word = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            !service.is_empty() && service.bytes().all(word) && !key.is_empty() && !key.contains('\n')
        },
    )
}

fn location(resource: &Resource, uri: &Node) -> Result<Node, Refusal> {
    let mut location = Map::new();
    if uri.as_map().is_some() {
        for name in ["Bucket", "Key"] {
            let Some(value) = uri.get(name).filter(|value| value.truthy()) else {
                return resource.refuse("'DefinitionUri' requires Bucket and Key properties to be specified.");
            };
            location.insert(name, value.clone());
        }
        if let Some(version) = uri.get("Version") {
            location.insert("Version", version.clone());
        }
        return Ok(Node::from(location).at(uri.span));
    }
    let Some(parts) = uri.as_str().and_then(S3Uri::parse) else {
        return resource.refuse(
            "'DefinitionUri' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query \
             parameter.",
        );
    };
    location.insert("Bucket", parts.bucket);
    location.insert("Key", parts.key);
    if let Some(version) = parts.version {
        location.insert("Version", version);
    }
    Ok(Node::from(location).at(uri.span))
}

/// Its tags, SAM's own first.
fn tags(resource: &Resource) -> Vec<Node> {
    let mut tags = vec![map([("Key", text("stateMachine:createdBy")), ("Value", text("SAM"))])];
    tags.extend(tag_list(resource.get("Tags").and_then(Node::as_map).into_iter().flat_map(Map::iter)));
    tags
}

fn role(resource: &Resource, context: &Context) -> Result<Generated, Refusal> {
    let traced = resource.get("Tracing").and_then(|tracing| tracing.get("Enabled")).and_then(Node::as_bool);
    let mut policies = match resource.truthy("Policies").map(|policies| &policies.value) {
        Some(Value::List(policies)) => policies.clone(),
        Some(Value::Map(_)) => return resource.refuse("Property 'Policies' should be a string or a list."),
        Some(_) => resource.truthy("Policies").into_iter().cloned().collect(),
        None => Vec::new(),
    };
    if traced == Some(true) {
        // The old name stays where it has always been used.
        policies.push(text(if context.partition == "aws" {
            "AWSXrayWriteOnlyAccess"
        } else {
            "AWSXRayDaemonWriteAccess"
        }));
    }
    Role {
        owner: &resource.id,
        attributes: &resource.passed_through(),
        trust: trust("states.amazonaws.com"),
        managed: Vec::new(),
        documents: Vec::new(),
        policies: Some(&Node::from(policies)),
        path: resource.get("RolePath"),
        boundary: resource.get("PermissionsBoundary"),
        tags: tags(resource),
    }
    .build(context)
}

const ALIAS: &str = "AWS::StepFunctions::StateMachineAlias";

/// With `AutoPublishAlias`, a version that Step Functions replaces itself, and the alias that moves
/// to it.
fn publish(resource: &Resource) -> Result<Vec<Generated>, Refusal> {
    let Some(name) = resource.truthy("AutoPublishAlias") else {
        for given in ["UseAliasAsEventTarget", "DeploymentPreference"] {
            if resource.truthy(given).is_some() {
                return resource.refuse(format!("'{given}' requires 'AutoPublishAlias' property to be specified."));
            }
        }
        return Ok(Vec::new());
    };
    let attributes = resource.passed_through();
    let mut kept = attributes.clone();
    for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
        // The version before has to stay while traffic is still shifted away from it.
        if !kept.contains_key(policy) {
            kept.insert(policy, "Retain");
        }
    }
    let mut version =
        Generated::new(format!("{}Version", resource.id), "AWS::StepFunctions::StateMachineVersion", &kept)?;
    version.set("StateMachineArn", reference(&resource.id));
    version.set("StateMachineRevisionId", get_att(&resource.id, "StateMachineRevisionId"));
    let mut alias = Generated::new(format!("{}Alias{}", resource.id, name.display()), ALIAS, &attributes)?;
    alias.set("Name", name.clone());
    let mut preference = match resource.truthy("DeploymentPreference") {
        None => [("Type", text("ALL_AT_ONCE"))].into_iter().collect(),
        Some(given) => match given.as_map() {
            Some(given) => given.clone(),
            None => return resource.refuse("Property 'DeploymentPreference' should be a map."),
        },
    };
    preference.insert("StateMachineVersionArn", version.reference());
    alias.set("DeploymentPreference", Node::from(preference));
    Ok(vec![version, alias])
}
