//! The version that is published with each change of the code, and the alias that points to it.

use crate::template::{Map, Node};
use crate::transform::build::{Read, get_att, list, map, referenced_id, text};
use crate::transform::context::Context;
use crate::transform::deployment_preference::Preference;
use crate::transform::generated::Generated;
use crate::transform::logical_id;
use crate::transform::refusal::Refusal;
use crate::transform::resource::Resource;
use crate::transform::{AliasPreference, DeploymentPreference};

/// What was published.
pub(super) struct Published {
    /// The alias's name.
    pub(super) name: String,
    pub(super) version: Generated,
    pub(super) alias: Generated,
}

/// Version and alias, when the function wants them.
pub(super) fn publish(
    resource: &Resource,
    function: &mut Generated,
    context: &Context,
) -> Result<Option<Published>, Refusal> {
    let Some(name) = resource.truthy("AutoPublishAlias") else {
        return Ok(None);
    };
    let name = context.parameters.resolve(&mut name.clone())?;
    let Some(name) = name.as_str() else {
        return resource.refuse("'AutoPublishAlias' must be a string or a Ref to a template parameter");
    };
    let mut hash = None;
    if let Some(given) = resource.truthy("AutoPublishCodeSha256") {
        let given = context.parameters.resolve(&mut given.clone())?;
        let Some(given) = given.as_str() else {
            return resource.refuse("AutoPublishCodeSha256 must be a string");
        };
        describe(function, given, context)?;
        hash = Some(given.to_owned());
    }
    let version = version(resource, function, hash.as_deref(), context)?;
    let alias = alias(resource, name, &version)?;
    Ok(Some(Published { name: name.to_owned(), version, alias }))
}

/// Lambda publishes nothing while function and last version are equal, and CloudFormation sees no
/// change where only the bytes behind `CodeUri` are new: so the hash goes into the description.
fn describe(function: &mut Generated, hash: &str, context: &Context) -> Result<(), Refusal> {
    let description = match function.properties.get_mut("Description") {
        Some(description) => context.parameters.resolve(description)?,
        None => Node::default(),
    };
    let described = if !description.truthy() {
        text(hash)
    } else if let Some(own) = description.as_str() {
        text(format!("{own} {hash}"))
    } else {
        map([("Fn::Join", list([text(" "), list([description, text(hash)])]))])
    };
    function.set("Description", described);
    Ok(())
}

fn version(
    resource: &Resource,
    function: &mut Generated,
    hash: Option<&str>,
    context: &Context,
) -> Result<Generated, Refusal> {
    if let Some(code) = function.properties.get_mut("Code") {
        context.parameters.resolve_whole(code)?;
    }
    let prefix = format!("{}Version", resource.id);
    let id = match hash.filter(|hash| !hash.is_empty()) {
        Some(hash) => logical_id::of_given_hash(&prefix, hash),
        None => logical_id::of_node(&prefix, &Node::from(what_changes(resource, function, context))),
    };
    let mut attributes = resource.passed_through();
    if !attributes.contains_key("DeletionPolicy") {
        let own = resource.get("VersionDeletionPolicy").cloned();
        // Old versions are kept, so that there is a way back; those of capacity providers cost money.
        let default = if resource.get("CapacityProviderConfig").is_some() { "Delete" } else { "Retain" };
        attributes.insert("DeletionPolicy", own.unwrap_or_else(|| text(default)));
    }
    let mut version = Generated::new(id, "AWS::Lambda::Version", &attributes)?;
    version.set("FunctionName", function.reference());
    version.set("Description", resource.get("VersionDescription").cloned());
    if resource.get("CapacityProviderConfig").is_some() {
        version.set("FunctionScalingConfig", resource.get("FunctionScalingConfig").cloned());
    }
    Ok(version)
}

/// What has to change for a new version.
fn what_changes(resource: &Resource, function: &Generated, context: &Context) -> Map {
    if resource.truthy("AutoPublishAliasAllProperties").is_some() {
        let mut all = function.properties.clone();
        for layer in function.properties.get("Layers").and_then(Node::as_list).unwrap_or_default() {
            let Some(id) = referenced_id(layer) else { continue };
            let properties = context.properties_of(id).cloned().unwrap_or_default();
            if properties.get("PublishLambdaVersion").is_some_and(Read::truthy) {
                all.insert(id, Node::from(properties));
            }
        }
        return all;
    }
    let mut changes = function.properties.get("Code").and_then(Node::as_map).cloned().unwrap_or_default();
    for (name, value) in function.properties.get("Environment").and_then(Node::as_map).into_iter().flat_map(Map::iter) {
        changes.insert(name, value.clone());
    }
    if let Some(memory) = function.properties.get("MemorySize").filter(|memory| memory.truthy()) {
        changes.insert("MemorySize", memory.clone());
    }
    if let Some(snap_start) = function.properties.get("SnapStart").filter(|snap_start| snap_start.truthy())
        && snap_start.get("ApplyOn").is_some_and(|apply| apply.as_str() != Some("None"))
    {
        changes.insert("SnapStart", snap_start.clone());
    }
    changes
}

fn alias(resource: &Resource, name: &str, version: &Generated) -> Result<Generated, Refusal> {
    if name.is_empty() {
        return resource.refuse("Alias name is required to create an alias");
    }
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !plain || name.bytes().all(|byte| byte.is_ascii_digit()) {
        return resource.refuse(format!(
            "AutoPublishAlias name ('{name}') must contain only alphanumeric characters, hyphens, or underscores \
             matching (?!^[0-9]+$)([a-zA-Z0-9-_]+) pattern."
        ));
    }
    let id = format!("{}Alias{}", resource.id, name.replace('-', "D").replace('_', "U"));
    let mut alias = Generated::new(id, "AWS::Lambda::Alias", &resource.passed_through())?;
    alias.set("Name", text(name));
    alias.set("FunctionName", crate::transform::build::reference(&resource.id));
    alias.set("FunctionVersion", get_att(&version.id, "Version"));
    alias.set("ProvisionedConcurrencyConfig", resource.truthy("ProvisionedConcurrencyConfig").cloned());
    Ok(alias)
}

/// Takes note of the function's `DeploymentPreference`.
pub(super) fn prefer(
    resource: &Resource,
    published: Option<&mut Published>,
    context: &mut Context,
) -> Result<(), Refusal> {
    let Some(node) = resource.truthy("DeploymentPreference") else {
        return Ok(());
    };
    let propagated = resource.get("Tags").filter(|_| resource.truthy("PropagateTags").is_some());
    let mut preference =
        Preference::read(&resource.id, node, resource.attributes.get("Condition"), propagated, context)?;
    if preference.enabled && published.is_none() {
        return resource.refuse("'DeploymentPreference' requires AutoPublishAlias property to be specified.");
    }
    if let Some(published) = published {
        context.alias_preferences.push(AliasPreference {
            function_logical_id: resource.id.clone(),
            alias_logical_id: published.alias.id.clone(),
            alias_name: published.name.clone(),
            version_logical_id: published.version.id.clone(),
            enabled: preference.enabled,
            strategy: preference.strategy.clone(),
            alarms: preference.alarms.clone(),
            pre_traffic_hook: preference.pre_traffic.clone(),
            post_traffic_hook: preference.post_traffic.clone(),
            triggers: preference.triggers.clone(),
            span: node.span,
        });
        if context.options.deployment_preference == DeploymentPreference::Disabled {
            preference.enabled = false;
        }
        if preference.enabled {
            published.alias.attributes.insert("UpdatePolicy", preference.update_policy());
        }
    }
    context.preferences.add(preference);
    Ok(())
}
