//! What the template names on this machine: code folders, handlers, definitions. The paths that have
//! to be looked at come from [`wanted`]; what is there comes back as a listing.

mod handler;
mod missing;

use std::collections::BTreeSet;

use crate::template::{Node, Template};
use crate::validate::listing::{join, normal, split};
use crate::validate::subject::Resource;
use crate::validate::{Options, Rule, Subject};

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[missing::RULE, handler::RULE];

/// Properties that name a folder or file: type, property.
const PATHS: [(&str, &str); 8] = [
    ("AWS::Serverless::Function", "CodeUri"),
    ("AWS::Lambda::Function", "Code"),
    ("AWS::Serverless::LayerVersion", "ContentUri"),
    ("AWS::Lambda::LayerVersion", "Content"),
    ("AWS::Serverless::Api", "DefinitionUri"),
    ("AWS::Serverless::HttpApi", "DefinitionUri"),
    ("AWS::Serverless::StateMachine", "DefinitionUri"),
    ("AWS::Serverless::Application", "Location"),
];

/// The paths, relative to the template, that the rules of this family look at.
pub fn wanted(template: &Template) -> BTreeSet<String> {
    let subject = Subject::new(template, Options { today: time::Date::MIN, files: None });
    let mut wanted = BTreeSet::new();
    for resource in &subject.resources {
        let Some((_, path)) = local_path(&subject, resource) else { continue };
        if let Some(handler) = handler::handler(&subject, resource) {
            for file in handler.candidates() {
                wanted.insert(split(&join(&path, &file)).0);
            }
        }
        wanted.insert(path);
    }
    wanted
}

/// The path of a resource that is on this machine, and the node that names it (none when it is the
/// template's own folder, which `CodeUri` stands for when it is left out).
fn local_path<'t>(subject: &Subject<'t>, resource: &Resource<'t>) -> Option<(Option<&'t Node>, String)> {
    let (_, property) = PATHS.iter().find(|(kind, _)| *kind == resource.kind)?;
    let Some(node) = subject.property(resource, property) else {
        let is_zip = resource.kind == "AWS::Serverless::Function"
            && ["InlineCode", "ImageUri"].iter().all(|name| subject.property(resource, name).is_none())
            && subject.property(resource, "PackageType").is_none_or(|kind| kind.as_str() == Some("Zip"));
        return is_zip.then(|| (None, ".".to_owned()));
    };
    let text = node.as_str()?;
    let is_remote = ["s3://", "http://", "https://", "arn:"].iter().any(|scheme| text.starts_with(scheme));
    // An image of a build or a dynamic reference is no path.
    let is_image = subject.property(resource, "PackageType").is_some_and(|kind| kind.as_str() != Some("Zip"));
    (!is_remote && !is_image && !text.is_empty() && !text.contains("{{")).then(|| (Some(node), normal(text)))
}

/// Whether a build makes what the path names, or makes something else of it.
fn is_built(resource: &Resource<'_>) -> bool {
    let metadata = |key: &str| resource.body.get("Metadata").and_then(|metadata| metadata.get(key));
    metadata("BuildMethod").is_some() || metadata("DockerContext").is_some() || metadata("Dockerfile").is_some()
}
