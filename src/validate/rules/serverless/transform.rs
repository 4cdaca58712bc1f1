//! What only the transform itself finds: it is run, and what it refuses is reported.

use crate::diagnostic::{Diagnostic, Severity};
use crate::template::{Map, Node, Template, Value};
use crate::transform::{self, UNSUPPORTED};
use crate::validate::{self, Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "serverless/transform",
    why: "What SAM's transform refuses cannot be deployed.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  Api: {Type: AWS::Serverless::Api, Properties: {StageName: prod, DefinitionBody: {swagger: '2.0', paths: {}}, DefinitionUri: s3://bucket/key}}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  Api: {Type: AWS::Serverless::Api, Properties: {StageName: prod, DefinitionBody: {swagger: '2.0', paths: {}}}}\n",
    check,
};

/// What a packaged template would name.
const PACKAGED: &str = "s3://bucket/key";
const IMAGE: &str = "111111111111.dkr.ecr.region.amazonaws.com/repository";

/// Properties that name code or a definition, by SAM's type.
const PATHS: [(&str, &str); 6] = [
    ("Function", "CodeUri"),
    ("WebFunction", "CodeUri"),
    ("LayerVersion", "ContentUri"),
    ("Api", "DefinitionUri"),
    ("HttpApi", "DefinitionUri"),
    ("StateMachine", "DefinitionUri"),
];

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    if !subject.is_serverless() || subject.has_language_extensions() || !transform::is_needed(subject.template) {
        return;
    }
    let packaged = packaged(subject);
    // Any time will do: nothing that is judged here depends on it.
    let options =
        transform::Options { region: region(subject).to_owned(), now_s: Some(0), ..transform::Options::default() };
    let refused = match transform::transform(&packaged, &options) {
        Err(refused) => refused,
        Ok(transformed) => {
            // What is wrong with what was generated is said where it was generated from.
            let plain = Template { source: packaged.source.clone(), root: transformed.template };
            let wrong = validate::validate(&plain, validate::Options { today: subject.today, files: None });
            let wrong = wrong.items.into_iter().filter(|item| item.severity == Severity::Error);
            let wrong: Vec<Diagnostic> = wrong.filter(|item| !is_known(item, found)).collect();
            found.extend(wrong);
            return;
        }
    };
    for mut item in refused.items {
        if item.rule == UNSUPPORTED {
            item.severity = Severity::Info;
        } else if is_known(&item, found) {
            // Another rule has said it already, closer to the place.
            continue;
        }
        item.rule = RULE.id;
        found.push(item);
    }
}

/// The region is not known here, and hardly anything that is refused depends on it: only what a
/// mapping has for some regions and not for others. So it is one that the mappings name, if they do.
fn region<'a>(subject: &Subject<'a>) -> &'a str {
    const USUAL: &str = "us-east-1";
    let is_region = |key: &&str| {
        let parts: Vec<&str> = key.split('-').collect();
        let number = parts.last().is_some_and(|last| last.len() == 1 && last.bytes().all(|b| b.is_ascii_digit()));
        parts.len() >= 3 && number && parts[0].len() <= 4
    };
    let mappings = subject.template.section("Mappings").into_iter().flat_map(Map::iter);
    let mut keys =
        mappings.filter_map(|(_, mapping)| mapping.as_map()).flat_map(Map::keys).filter(is_region).peekable();
    let first = keys.peek().copied();
    if keys.any(|key| key == USUAL) { USUAL } else { first.unwrap_or(USUAL) }
}

/// Whether an error stands in the place that is refused, or around it.
fn is_known(refused: &Diagnostic, found: &[Diagnostic]) -> bool {
    let errors = found.iter().filter(|item| item.severity == Severity::Error);
    match refused.span {
        None => errors.count() > 0,
        Some(place) => errors
            .filter_map(|item| item.span)
            .any(|span| span.start < place.end.max(place.start + 1) && place.start < span.end.max(span.start + 1)),
    }
}

/// The template as it will be when it is packaged: the transform takes no folders of this machine.
fn packaged(subject: &Subject<'_>) -> Template {
    let mut template = subject.template.clone();
    let template_root = &mut template.root;
    if let Some(globals) = template_root.as_map_mut().and_then(|root| root.get_mut("Globals")?.as_map_mut()) {
        for (kind, node) in globals.iter_mut() {
            if let Some(properties) = node.as_map_mut() {
                name_uploads(kind, properties);
            }
        }
    }
    let Some(resources) = template_root.as_map_mut().and_then(|root| root.get_mut("Resources")?.as_map_mut()) else {
        return template;
    };
    for resource in &subject.resources {
        let Some(kind) = resource.short_kind() else { continue };
        let Some(body) = resources.get_mut(resource.id).and_then(Node::as_map_mut) else { continue };
        let has = |name: &str| subject.property(resource, name).is_some_and(|node| !node.is_null());
        if kind == "Function" && !body.contains_key("Properties") {
            body.insert("Properties", Value::Map(Map::new()));
        }
        let Some(properties) = body.get_mut("Properties").and_then(Node::as_map_mut) else { continue };
        name_uploads(kind, properties);
        if kind != "Function" {
            continue;
        }
        let is_image = subject.property(resource, "PackageType").is_some_and(|node| node.as_str() == Some("Image"));
        if is_image && properties.get("ImageUri").is_none_or(is_local_image) {
            properties.insert("ImageUri", IMAGE);
        } else if !is_image && !["CodeUri", "InlineCode", "ImageUri"].iter().any(|name| has(name)) {
            properties.insert("CodeUri", PACKAGED);
        }
    }
    template
}

fn name_uploads(kind: &str, properties: &mut Map) {
    let Some((_, name)) = PATHS.iter().find(|(known, _)| *known == kind) else { return };
    if let Some(node) = properties.get_mut(name)
        && node
            .as_str()
            .is_some_and(|text| !text.starts_with("s3://") && !text.starts_with("https://") && !text.contains("{{"))
    {
        node.value = PACKAGED.into();
    }
}

fn is_local_image(node: &Node) -> bool {
    node.as_str().is_some_and(|text| !text.contains(".dkr.ecr."))
}
