//! Locations in S3 where a template names local code, so that it can be transformed before it is
//! packaged.

use super::build::Read;
use crate::template::{Map, Node, Value};

const LOCATION: &str = "s3://bucket/value";
const IMAGE: &str = "111111111111.dkr.ecr.region.amazonaws.com/repository";

fn property(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Function" | "WebFunction" => "CodeUri",
        "LayerVersion" => "ContentUri",
        "Api" | "HttpApi" | "StateMachine" => "DefinitionUri",
        _ => return None,
    })
}

fn is_local(node: &Node) -> bool {
    node.as_str().is_some_and(|text| !text.starts_with("s3://") && !text.starts_with("https://"))
}

/// Puts them there, in Globals and in every resource.
pub fn put(root: &mut Node) {
    let global_code = root.path(&["Globals", "Function", "CodeUri"]).is_some();
    let Some(root) = root.as_map_mut() else { return };
    for (kind, section) in root.get_mut("Globals").and_then(Node::as_map_mut).into_iter().flat_map(Map::iter_mut) {
        if let (Some(name), Some(properties)) = (property(kind), section.as_map_mut()) {
            replace(name, properties);
        }
    }
    if let Some(resources) = root.get_mut("Resources").and_then(Node::as_map_mut) {
        put_into(resources, global_code);
    }
}

fn put_into(resources: &mut Map, global_code: bool) {
    for (_, resource) in resources.iter_mut() {
        // The body of a loop holds resources too.
        if let Value::List(parts) = &mut resource.value {
            parts.iter_mut().filter_map(Node::as_map_mut).for_each(|body| put_into(body, global_code));
            continue;
        }
        let Some(resource) = resource.as_map_mut() else { continue };
        // The published transform's own command gives every resource its properties here, plain ones too.
        if resource.get("Properties").is_none() {
            resource.insert("Properties", Map::new());
        }
        let kind = resource.get("Type").and_then(Node::as_str).and_then(|kind| kind.strip_prefix("AWS::Serverless::"));
        let Some(name) = kind.and_then(property) else { continue };
        let Some(properties) = resource.get_mut("Properties").and_then(Node::as_map_mut) else { continue };
        replace(name, properties);
        if name != "CodeUri" {
            continue;
        }
        let image = properties.get("ImageUri").filter(|image| image.truthy()).cloned();
        let is_image = properties.get("PackageType").and_then(Node::as_str) == Some("Image");
        let has = |name: &str| properties.contains_key(name);
        if !has("CodeUri") && !has("InlineCode") && !has("ImageUri") && !is_image && !global_code {
            properties.insert("CodeUri", LOCATION);
        }
        let local_image =
            |image: &Node| is_local(image) && !image.as_str().is_some_and(|text| text.contains(".dkr.ecr."));
        if (is_image || image.is_some()) && properties.get("ImageUri").is_none_or(local_image) {
            properties.insert("ImageUri", IMAGE);
        }
    }
}

fn replace(name: &str, properties: &mut Map) {
    if properties.get(name).is_some_and(is_local) {
        properties.insert(name, LOCATION);
    }
}
