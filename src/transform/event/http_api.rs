//! `HttpApi`: a route of an HTTP API.

use super::api::integration_uri;
use super::push::{Permission, arn};
use super::{Event, Target};
use crate::template::Node;
use crate::transform::build::{sub, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::openapi::http::{DEFAULT_PATH, OpenApi};
use crate::transform::openapi::python::{Py, Text};
use crate::transform::openapi::{ANY_METHOD, path_with_stars};
use crate::transform::property::{Kind, Property, optional};
use crate::transform::refusal::Refusal;

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("Path", Kind::Text),
    optional("Method", Kind::Text),
    optional("ApiId", Kind::Text),
    optional("Stage", Kind::Text),
    optional("Auth", Kind::Map),
    optional("TimeoutInMillis", Kind::Integer),
    optional("RouteSettings", Kind::Map),
    optional("PayloadFormatVersion", Kind::Text),
];

const PARTITION: &str = "${AWS::Partition}";

/// The API has to be there.
pub(super) fn link(event: &Event, context: &Context) -> Result<(), Refusal> {
    let id = event.get("ApiId").and_then(super::api::api_id);
    if id.is_none_or(|id| context.resources.get(id).is_none()) {
        return event
            .refuse("ApiId must be a valid reference to an 'AWS::Serverless::HttpApi' resource in same template.");
    }
    Ok(())
}

/// The permission; the route itself goes into the API's body.
pub(super) fn expand(event: &mut Event, target: &mut Target, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let id = event.get("ApiId").and_then(super::api::api_id).unwrap_or_default().to_owned();
    let (Some(path), Some(method)) =
        (event.get("Path").and_then(Node::as_str), event.get("Method").and_then(Node::as_str))
    else {
        return event.refuse("Path and Method must be strings.");
    };
    // The transform's own route has no place in the template.
    let unicode = event.get("Path").is_some_and(|path| path.span.is_some());
    let path = Text { text: path.to_owned(), unicode };
    let method = Text { text: method.to_lowercase(), unicode };
    let Some(is_something) = context.has_body(&id) else {
        return Ok(permission(event, target, None, &path.text, &method.text)?.into_iter().collect());
    };
    let managed = context.managed.contains(&id);
    let api_auth = context.properties_of(&id).and_then(|api| api.get("Auth")).cloned();
    let (mut made, mut entered) = (None, false);
    let edited = context.edit(&id, &path.text, |editor: &mut OpenApi, _| {
        entered = true;
        made = permission(event, target, Some(editor), &path.text, &method.text)?;
        if managed && editor.paths.has_integration(&path.text, &method)? {
            return event
                .refuse(format!("API method '{}' defined multiple times for path '{}'.", method.text, path.text));
        }
        let condition = target.condition().map(Py::from);
        editor.add_lambda(&path, &method, integration_uri(target, PARTITION, false), condition.as_ref())?;
        if let Some(auth) = event.truthy("Auth").map(Py::from) {
            authorize(event, editor, &id, api_auth.as_ref(), &auth, &path, &method)?;
        }
        if let Some(timeout) = event.truthy("TimeoutInMillis") {
            editor.paths.add_timeout(&path.text, &method, &timeout.into())?;
        }
        let parameters = parameters(&path.text);
        if !parameters.is_empty() {
            editor.add_path_parameters(&path.text, &method, &parameters)?;
        }
        if let Some(version) = event.truthy("PayloadFormatVersion") {
            editor.set_payload_version(&path.text, &method, &version.into())?;
        }
        Ok(())
    });
    edited.map_err(|refusal| {
        if entered || !is_something {
            return refusal;
        }
        let sentences: Vec<String> = refusal.causes().iter().map(|cause| cause.sentence()).collect();
        Refusal::resource(id.as_str(), sentences.join(" "))
    })?;
    Ok(made.into_iter().collect())
}

/// What stands in braces in a path.
fn parameters(path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = path;
    while let Some((name, behind)) = rest.split_once('{').and_then(|(_, after)| after.split_once('}')) {
        found.push(name.to_owned());
        rest = behind;
    }
    found
}

/// No permission where `$default` of the same function covers the route already.
fn permission(
    event: &Event,
    target: &Target,
    editor: Option<&mut OpenApi>,
    path: &str,
    method: &str,
) -> Result<Option<Generated>, Refusal> {
    let mut path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
    if path == DEFAULT_PATH {
        path = "";
    } else if let Some(editor) = editor
        && editor.calls(DEFAULT_PATH, &ANY_METHOD.into(), &target.id)?
    {
        return Ok(None);
    }
    let path = path_with_stars(path, false);
    let resource = if method == "any" && path == format!("/{DEFAULT_PATH}") {
        format!("${{__ApiId__}}/${{__Stage__}}{path}")
    } else {
        let method = if method == "any" || method == ANY_METHOD { "*".to_owned() } else { method.to_uppercase() };
        format!("${{__ApiId__}}/${{__Stage__}}/{method}{path}")
    };
    let source = arn(PARTITION, "execute-api", &resource);
    let api = event.get("ApiId").cloned().unwrap_or_default();
    let permission = Permission {
        principal: "apigateway.amazonaws.com",
        prefix: &event.id,
        source_arn: Some(sub(&source, [("__ApiId__", api), ("__Stage__", text("*"))])),
        ..Permission::default()
    };
    permission.build(target).map(Some)
}

fn authorize(
    event: &Event,
    editor: &mut OpenApi,
    api_id: &str,
    api_auth: Option<&Node>,
    auth: &Py,
    path: &Text,
    method: &Text,
) -> Result<(), Refusal> {
    let api_auth = api_auth.map_or(Py::None, Py::from);
    if api_auth != Py::None && api_auth.as_dict().is_none() {
        return Err(Refusal::resource(api_id, "Property 'Auth' should be a map."));
    }
    let default = api_auth.get("DefaultAuthorizer").filter(|default| default.truthy());
    let Some(authorizer) = auth.get("Authorizer").filter(|authorizer| authorizer.truthy()).or(default) else {
        return event.refuse(
            "'Auth' section requires either an explicit 'Authorizer' set or a 'DefaultAuthorizer' configured on the \
             HttpApi.",
        );
    };
    let place = format!("API method [{}] for path [{}]", method.text, path.text);
    let authorizers = api_auth.get("Authorizers");
    let iam = api_auth.get("EnableIamAuthorizer") == Some(&Py::Bool(true));
    let unable =
        |why: &str| event.refuse(format!("Unable to set Authorizer [{}] on {place}{why}", authorizer.display()));
    match authorizer.as_str() {
        Some("NONE") if default.is_none() => {
            return event.refuse(format!(
                "Unable to set Authorizer on {place} because 'NONE' is only a valid value when a DefaultAuthorizer on \
                 the API is specified."
            ));
        }
        Some("NONE") => {}
        Some("AWS_IAM") if iam => {}
        name => {
            let (Some(name), Some(Py::Dict(known))) = (name, authorizers) else {
                return unable(
                    ". The method authorizer must be a string with a corresponding dict entry in the api authorizer.",
                );
            };
            if known.len() == 0 {
                return unable(" because the related API does not define any Authorizers.");
            }
            if !known.get(name).is_some_and(Py::truthy) {
                return unable(" because it wasn't defined in the API's Authorizers.");
            }
        }
    }
    let scopes = auth.get("AuthorizationScopes").filter(|scopes| scopes.truthy());
    if scopes.is_some_and(|scopes| scopes.as_list().is_none()) {
        return event.refuse(format!(
            "Unable to set Authorizer on {place} because 'AuthorizationScopes' must be a list of strings."
        ));
    }
    editor.set_authorizer(&path.text, method, authorizer.as_str().unwrap_or_default(), authorizers, scopes)
}
