//! `AWS::Serverless::Application`: a nested stack, from a template or from the Serverless Application
//! Repository.

use super::function::tags_with;
use super::{Resource, Spec, read};
use crate::template::{Map, Node};
use crate::transform::build::{Read, text};
use crate::transform::context::Context;
use crate::transform::event::s3::section;
use crate::transform::generated::{Generated, check_logical_id};
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;
use crate::transform::resolver::Unresolved;

/// Its type.
pub(super) const KIND: &str = "AWS::Serverless::Application";

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    required("Location", Kind::TextOrMap),
    optional("TemplateUrl", Kind::Text),
    optional("Parameters", Kind::Map),
    optional("NotificationARNs", Kind::ListOfTextOrMap),
    optional("Tags", Kind::Map),
    optional("TimeoutInMinutes", Kind::Integer),
];

/// Where the repository is.
const REGIONS: &[&str] = &[
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "me-south-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// The stack.
pub(super) fn expand(resource: &mut Resource, _: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let attributes = resource.passed_through();
    let mut stack = Generated::new(resource.id.as_str(), "AWS::CloudFormation::Stack", &attributes)?;
    stack.depends_on = resource.depends_on.clone();
    stack.copy(&resource.properties, &["Parameters", "NotificationARNs", "TimeoutInMinutes"]);
    let location = resource.get("Location");
    let of_repository =
        [("serverlessrepo:applicationId", "ApplicationId"), ("serverlessrepo:semanticVersion", "SemanticVersion")];
    let of_repository = of_repository.map(|(tag, key)| (tag, location.and_then(|location| location.given(key))));
    stack.set("Tags", Node::from(tags_with(resource, &of_repository)?));
    stack.set("TemplateURL", resource.truthy("TemplateUrl").cloned().unwrap_or_else(|| text("")));
    Ok(vec![stack])
}

/// Finds the application's template first. Where nobody can be asked, what is wrong with the rest is
/// told all the same.
pub(super) fn expand_located(
    id: &str,
    node: &Node,
    spec: &Spec,
    context: &mut Context,
) -> Result<Vec<Generated>, Refusal> {
    check_logical_id(id)?;
    let mut located = node.clone();
    let mut found = Ok(());
    if let Some(root) = located.as_map_mut()
        && let Some(properties) = section(root, "Properties", Map::new().into()).as_map_mut()
    {
        found = locate(id, properties, context);
    }
    if let Err(refusal) = found {
        if refusal.is_unsupported() {
            expand(&mut read(id, &located, spec)?, context)?;
        }
        return Err(refusal);
    }
    expand(&mut read(id, &located, spec)?, context)
}

/// Puts the address of the application's template into its properties.
fn locate(id: &str, properties: &mut Map, context: &mut Context) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::resource(id, message));
    let missing = |key: &str| refuse(format!("Resource is missing the required [{key}] property."));
    let Some(location) = properties.get("Location").cloned() else {
        return missing("Location");
    };
    let Some(mut parts) = location.as_map().cloned() else {
        properties.insert("TemplateUrl", location);
        return Ok(());
    };
    let keys = ["ApplicationId", "SemanticVersion"];
    if keys.iter().all(|key| location.given(key).is_some()) {
        for key in keys {
            let value = context.resolve_with_mappings(location.get(key).unwrap_or(&Node::default()))?;
            parts.insert(key, value);
        }
        properties.insert("Location", Node::from(parts.clone()).at(location.span));
    }
    if let Some(key) = keys.iter().find(|key| !parts.contains_key(key)) {
        return missing(key);
    }
    let part = |key: &str| parts.get(key).cloned().unwrap_or_default();
    let (application, version) = (part("ApplicationId"), part("SemanticVersion"));
    if application.is_null() {
        return refuse("Property 'ApplicationId' is required.".to_owned());
    }
    let unresolved = |key: &str| {
        refuse(format!(
            "Property '{key}' cannot be resolved. Only FindInMap and Ref intrinsic functions are supported."
        ))
    };
    if application.as_map().is_some() {
        return unresolved("ApplicationId");
    }
    if !version.truthy() {
        return refuse("Property 'SemanticVersion' cannot be blank.".to_owned());
    }
    if version.as_map().is_some() {
        return unresolved("SemanticVersion");
    }
    // One that is used twice is asked for once, and what is wrong with it is told of the first.
    let key = (application.to_json().to_string(), version.to_json().to_string());
    let found = match context.applications.get(&key) {
        Some(found) => found.clone(),
        None => {
            let found = look_up(id, &application, &version, context).map_err(|refusal| refusal.at(location.span));
            context.applications.insert(key, found.clone());
            found
        }
    };
    properties.insert("TemplateUrl", text(found?));
    Ok(())
}

fn look_up(id: &str, application: &Node, version: &Node, context: &Context) -> Result<String, Refusal> {
    let refuse = |message: &str| Err(Refusal::resource(id, message));
    let Some(application) = application.as_str() else {
        return refuse("Property 'Location.ApplicationId' should be a string.");
    };
    let Some(version) = version.as_str() else {
        return refuse("Property 'Location.SemanticVersion' should be a string.");
    };
    if !REGIONS.contains(&context.options.region.as_str()) {
        return refuse("Serverless Application Repository is not available in this region.");
    }
    if names_parameter(application) {
        return refuse(
            "Serverless Application Repostiory does not support dynamic reference in 'ApplicationId' property.",
        );
    }
    context.resolver.application(application, version).map_err(|unresolved| match unresolved {
        Unresolved::Refused(message) => Refusal::resource(id, message),
        Unresolved::TimedOut => Refusal::resource(
            format!("['{application}']"),
            "Timed out waiting for nested stack templates to reach ACTIVE status.",
        ),
        Unresolved::NobodyToAsk => Refusal::unsupported(format!(
            "[{id}] is an application of the Serverless Application Repository, and only AWS knows its template"
        )),
    })
}

/// Whether there is a `{{resolve:ssm:name}}` in it, with or without a version.
fn names_parameter(text: &str) -> bool {
    text.match_indices("{{resolve:ssm:").any(|(at, found)| {
        let Some((inner, _)) = text[at + found.len()..].split_once("}}") else { return false };
        let (name, version) = inner.split_once(':').unwrap_or((inner, "0"));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
        let digits = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        !name.is_empty() && name.chars().all(plain) && digits
    })
}
