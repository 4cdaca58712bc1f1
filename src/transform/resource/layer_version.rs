//! `AWS::Serverless::LayerVersion`: a layer whose logical ID changes with its content, so that every
//! change is a new version and the old ones can stay.

use super::Resource;
use super::function::s3_location;
use crate::template::{Map, Node};
use crate::transform::build::{Read, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::logical_id;
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("LayerName", Kind::TextOrMap),
    optional("Description", Kind::Text),
    optional("PublishLambdaVersion", Kind::Bool),
    required("ContentUri", Kind::TextOrMap),
    optional("CompatibleArchitectures", Kind::ListOfTextOrMap),
    optional("CompatibleRuntimes", Kind::ListOfTextOrMap),
    optional("LicenseInfo", Kind::Text),
    optional("RetentionPolicy", Kind::Text),
];

const POLICIES: [&str; 2] = ["Retain", "Delete"];

/// The layer under its new logical ID.
pub(super) fn expand(resource: &mut Resource, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    for name in ["LayerName", "LicenseInfo", "Description", "RetentionPolicy"] {
        let Some(value) = resource.properties.get_mut(name).filter(|value| value.truthy()) else { continue };
        let resolved = context.parameters.resolve(value)?;
        if resolved.as_str().is_none() && resolved.as_map().is_none() {
            return resource.refuse(format!("Could not resolve parameter for '{name}' or parameter is not a String."));
        }
        *value = resolved;
    }
    let mut attributes = resource.passed_through();
    match retention(resource)? {
        Some(policy) => {
            attributes.insert("DeletionPolicy", policy);
        }
        None if !attributes.contains_key("DeletionPolicy") => {
            attributes.insert("DeletionPolicy", "Retain");
        }
        None => {}
    }
    let id = logical_id::of_node(&resource.id, &hashed(resource));
    let mut layer = Generated::new(id.as_str(), "AWS::Lambda::LayerVersion", &attributes)?;
    layer.depends_on = resource.depends_on.clone();
    let name = resource.truthy("LayerName").cloned();
    layer.set("LayerName", name.unwrap_or_else(|| text(resource.id.as_str())));
    layer.copy(&resource.properties, &["Description", "CompatibleArchitectures", "CompatibleRuntimes", "LicenseInfo"]);
    let content = resource.get("ContentUri").cloned().unwrap_or_default();
    layer.set("Content", Node::from(s3_location(&id, "ContentUri", &content)?));
    if let Some(architectures) = resource.get("CompatibleArchitectures").and_then(Node::as_list) {
        let known = |name: &Node| name.is_intrinsic() || matches!(name.as_str(), Some("arm64" | "x86_64"));
        if !architectures.iter().all(known) {
            let message = "CompatibleArchitectures needs to be a list of 'x86_64' or 'arm64'";
            return Err(Refusal::resource(id, message).at(resource.span));
        }
    }
    context.references.rename(&resource.id, &id);
    Ok(vec![layer])
}

fn retention(resource: &Resource) -> Result<Option<&'static str>, Refusal> {
    let Some(policy) = resource.get("RetentionPolicy") else {
        return Ok(None);
    };
    const OPTIONS: &str = "['Retain', 'Delete']";
    if policy.is_intrinsic() {
        return resource.refuse(format!(
            "'RetentionPolicy' does not accept intrinsic functions, please use one of the following options: {OPTIONS}"
        ));
    }
    let Some(policy) = policy.as_str() else {
        return resource
            .refuse(format!("Invalid 'RetentionPolicy' type, please use one of the following options: {OPTIONS}"));
    };
    match POLICIES.into_iter().find(|known| known.eq_ignore_ascii_case(policy)) {
        Some(known) => Ok(Some(known)),
        None => resource.refuse(format!("'RetentionPolicy' must be one of the following options: {OPTIONS}.")),
    }
}

/// The resource as the template has it, without what does not make a new version.
fn hashed(resource: &Resource) -> Node {
    let mut body = Map::new();
    body.insert("Type", "AWS::Serverless::LayerVersion");
    if let Some(depends_on) = resource.depends_on.as_ref().filter(|depends_on| depends_on.truthy()) {
        body.insert("DependsOn", depends_on.clone());
    }
    for (name, value) in resource.attributes.iter() {
        if !matches!(name, "DeletionPolicy" | "UpdateReplacePolicy" | "Metadata") {
            body.insert(name, value.clone());
        }
    }
    let properties: Map = resource
        .properties
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name, value.clone()))
        .collect();
    body.insert("Properties", Node::from(properties));
    Node::from([(resource.id.as_str(), Node::from(body))].into_iter().collect::<Map>())
}
