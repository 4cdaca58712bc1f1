//! `AWS::Serverless::HttpApi`: an HTTP API with its stage.

use super::Resource;
use super::api::{authorizer_permission, expand_http_domain, read_authorizers, s3_body};
use crate::template::{Map, Node, Value};
use crate::transform::build::{Read, reference, text};
use crate::transform::context::Context;
use crate::transform::event::push::arn;
use crate::transform::generated::{Generated, propagate_tags};
use crate::transform::logical_id;
use crate::transform::openapi::Editor as _;
use crate::transform::openapi::authorizer::HttpAuthorizer;
use crate::transform::openapi::http::{self, DEFAULT_PATH, OpenApi};
use crate::transform::openapi::python::{Dict, Py, Text};
use crate::transform::property::{Kind, Property, optional};
use crate::transform::refusal::Refusal;

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("Name", Kind::Any),
    optional("StageName", Kind::TextOrMap),
    optional("Tags", Kind::Map),
    optional("PropagateTags", Kind::Bool),
    optional("DefinitionBody", Kind::Map),
    optional("DefinitionUri", Kind::TextOrMap),
    optional("StageVariables", Kind::Map),
    optional("CorsConfiguration", Kind::BoolOrMap),
    optional("AccessLogSettings", Kind::Map),
    optional("DefaultRouteSettings", Kind::Map),
    optional("Auth", Kind::Map),
    optional("RouteSettings", Kind::Map),
    optional("Domain", Kind::Map),
    optional("FailOnWarnings", Kind::Bool),
    optional("Description", Kind::Text),
    optional("DisableExecuteApiEndpoint", Kind::Bool),
];

/// What can be referred to of it.
pub(super) const REFERABLE: &[(&str, &str)] =
    &[("Stage", "AWS::ApiGatewayV2::Stage"), ("DomainName", "AWS::ApiGatewayV2::DomainName")];

const AUTH: [&str; 3] = ["Authorizers", "DefaultAuthorizer", "EnableIamAuthorizer"];
const CREATED_BY: &str = "httpapi:createdBy";

/// The API and everything that comes with it.
pub(super) fn expand(resource: &mut Resource, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    for name in ["CorsConfiguration", "Domain"] {
        if let Some(value) = resource.properties.get_mut(name) {
            context.parameters.resolve_whole(value)?;
        }
    }
    let resource = &*resource;
    let body = context.body(&resource.id);
    let had_body = body.is_some();
    let (http_api, tags) = http_api(resource, body.filter(Py::truthy), context)?;
    let mut all = vec![http_api];
    all.extend(permissions(resource)?);
    all.extend(expand_http_domain(resource, CREATED_BY, context)?);
    all.push(stage(resource, tags.as_ref())?);
    // HTTP APIs have always had their tags on everything, as long as they have a body.
    let tags = tags.map(Node::from);
    propagate_tags(&mut all, tags.as_ref(), had_body);
    Ok(all)
}

fn http_api(resource: &Resource, body: Option<Py>, context: &Context) -> Result<(Generated, Option<Map>), Refusal> {
    let mut http_api = resource.main(&resource.id, "AWS::ApiGatewayV2::Api")?;
    let uri = resource.truthy("DefinitionUri");
    if uri.is_some() && body.is_some() {
        return resource.refuse("Specify either 'DefinitionUri' or 'DefinitionBody' property and not both.");
    }
    http_api.set("FailOnWarnings", resource.truthy("FailOnWarnings").cloned());
    // An empty map stays on the stage of an API whose body is not valid or somewhere else.
    let own_tags = resource.get("Tags").and_then(Node::as_map);
    let Some(body) = body else {
        for (name, what) in [
            ("CorsConfiguration", "Cors works only with inline OpenApi specified in 'DefinitionBody' property."),
            ("Auth", "Auth works only with inline OpenApi specified in the 'DefinitionBody' property."),
            ("Tags", "Tags works only with inline OpenApi specified in the 'DefinitionBody' property."),
        ] {
            if resource.truthy(name).is_some() {
                return resource.refuse(what);
            }
        }
        if resource.get("DisableExecuteApiEndpoint").is_some() {
            return resource.refuse("DisableExecuteApiEndpoint works only within 'DefinitionBody' property.");
        }
        for name in ["Name", "Description"] {
            if resource.truthy(name).is_some() {
                return resource.refuse(format!(
                    "{name} works only with inline OpenApi specified in the 'DefinitionBody' property."
                ));
            }
        }
        let Some(uri) = uri else {
            return resource.refuse(
                "'DefinitionUri' or 'DefinitionBody' are required properties of an 'AWS::Serverless::HttpApi'. Add a \
                 value for one of these properties or add a 'HttpApi' event to an 'AWS::Serverless::Function'.",
            );
        };
        http_api.set("BodyS3Location", Node::from(s3_body(resource, uri)?));
        return Ok((http_api, own_tags.cloned()));
    };
    let (mut body, tags) = edit(resource, body, own_tags, context)?;
    if resource.truthy("FailOnWarnings").is_some()
        && let Some(paths) = body.as_dict_mut().and_then(|body| body.get_mut("paths")).and_then(Py::as_dict_mut)
        && let Some(default) = paths.remove(DEFAULT_PATH)
    {
        paths.insert(format!("/{DEFAULT_PATH}"), default);
    }
    http_api.set("Body", body.to_node(resource.span));
    Ok((http_api, tags))
}

/// Applies the API's properties to its body; gives the tags too, SAM's among them.
fn edit(
    resource: &Resource,
    mut body: Py,
    own_tags: Option<&Map>,
    context: &Context,
) -> Result<(Py, Option<Map>), Refusal> {
    if let Some(cors) = resource.truthy("CorsConfiguration") {
        body = add_cors(resource, body, cors)?;
    }
    if let Some(auth) = resource.truthy("Auth") {
        body = add_auth(resource, body, &auth.into(), context)?;
    }
    let mut tags = own_tags.cloned();
    if http::is_valid(&body) {
        let all = tags.get_or_insert_default();
        all.insert(CREATED_BY, "SAM");
        let mut editor = OpenApi::new(body)?;
        if let Py::Dict(all) = Py::from(&Node::from(all.clone())) {
            editor.add_tags(&all)?;
        }
        body = editor.finish();
    } else if own_tags.is_some_and(|tags| !tags.is_empty()) {
        return resource
            .refuse("Unable to add `Tags` because 'DefinitionBody' does not contain a valid OpenApi definition.");
    }
    if let Some(disable) = resource.get("DisableExecuteApiEndpoint") {
        let mut editor = OpenApi::new(body)?;
        editor.disable_endpoint(&disable.into())?;
        body = editor.finish();
    }
    if let Some(name) = resource.truthy("Name") {
        match http::has_default_title(&body) {
            Ok(true) => {}
            Ok(false) => {
                return resource.refuse(
                    "Unable to set Name because it is already defined within inline OpenAPI specified in the \
                     'DefinitionBody' property.",
                );
            }
            Err(problem) => return resource.refuse(format!("Invalid 'DefinitionBody': {problem}.")),
        }
        let mut editor = OpenApi::new(body)?;
        editor.set_info("title", name.into());
        body = editor.finish();
    }
    if let Some(description) = resource.truthy("Description") {
        match http::description(&body) {
            Ok(own) if own.is_some_and(Py::truthy) => {
                return resource.refuse(
                    "Unable to set Description because it is already defined within inline OpenAPI specified in the \
                     'DefinitionBody' property.",
                );
            }
            Ok(_) => {}
            Err(problem) => return resource.refuse(format!("Invalid 'DefinitionBody': {problem}'.")),
        }
        let mut editor = OpenApi::new(body)?;
        editor.set_info("description", description.into());
        body = editor.finish();
    }
    Ok((body, tags))
}

fn add_cors(resource: &Resource, body: Py, cors: &Node) -> Result<Py, Refusal> {
    const NAMES: [(&str, &str); 6] = [
        ("AllowOrigins", "allowOrigins"),
        ("AllowHeaders", "allowHeaders"),
        ("AllowMethods", "allowMethods"),
        ("ExposeHeaders", "exposeHeaders"),
        ("MaxAge", "maxAge"),
        ("AllowCredentials", "allowCredentials"),
    ];
    let mut entries: Vec<(String, Py)> = Vec::new();
    let valid = |body: &Py| {
        if http::is_valid(body) {
            return Ok(());
        }
        resource.refuse(
            "Unable to add Cors configuration because 'DefinitionBody' does not contain a valid OpenApi definition.",
        )
    };
    match (&cors.value, cors.is_intrinsic()) {
        (Value::Bool(_), _) => {
            valid(&body)?;
            entries.push(("allowOrigins".to_owned(), vec!["*".into()].into()));
        }
        (Value::Map(map), true) => {
            valid(&body)?;
            for (name, value) in map.iter() {
                let mut value = value.clone();
                rename_headers(&mut value, &NAMES);
                entries.push((name.to_owned(), Py::from(&value)));
            }
        }
        (Value::Map(given), false) => {
            if let Some(unknown) = given.keys().find(|key| !NAMES.iter().any(|(name, _)| name == key)) {
                return resource.refuse(format!("Invalid key '{unknown}' for 'Cors' property."));
            }
            valid(&body)?;
            let credentials = given.get("AllowCredentials").and_then(Node::as_bool) == Some(true);
            let origins = given.get("AllowOrigins").and_then(Node::as_list);
            let everyone = origins.is_some_and(|origins| matches!(origins, [only] if only.as_str() == Some("*")));
            if credentials && everyone {
                return resource.refuse(
                    "Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is \
                     \"'*'\" or not set.",
                );
            }
            for (name, key) in NAMES {
                let Some(value) = given.get(name).filter(|value| !value.is_null()) else { continue };
                let kept = match name {
                    "MaxAge" => true,
                    "AllowCredentials" => credentials,
                    _ => value.truthy(),
                };
                if name == "AllowOrigins" && value.is_intrinsic() {
                    let mut value = value.clone();
                    rename_headers(&mut value, &NAMES);
                    for (name, value) in value.as_map().into_iter().flat_map(Map::iter) {
                        entries.push((name.to_owned(), Py::from(value)));
                    }
                    break;
                }
                if kept {
                    entries.push((key.to_owned(), Py::from(value)));
                }
            }
        }
        _ => return resource.refuse("Invalid value for 'Cors' property."),
    }
    let mut editor = OpenApi::new(body)?;
    editor.set_cors(entries)?;
    Ok(editor.finish())
}

/// SAM's names of headers within an intrinsic function: wherever the words stand, keys and texts alike.
fn rename_headers(node: &mut Node, names: &[(&str, &str)]) {
    let renamed = |text: &str| names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    match &mut node.value {
        Value::String(text) => *text = renamed(text),
        Value::List(items) => items.iter_mut().for_each(|item| rename_headers(item, names)),
        Value::Map(map) => {
            let mut out = Map::new();
            for (key, mut value) in std::mem::take(map) {
                rename_headers(&mut value, names);
                out.insert(renamed(&key), value);
            }
            *map = out;
        }
        _ => {}
    }
}

fn authorizers(resource: &Resource, auth: &Py) -> Result<Vec<(Text, HttpAuthorizer)>, Refusal> {
    let mut all = Vec::new();
    if auth.get("EnableIamAuthorizer") == Some(&Py::Bool(true)) {
        all.push(("AWS_IAM".into(), HttpAuthorizer::iam(&resource.id)));
    }
    all.extend(read_authorizers(resource, auth, |id, name, config| {
        if config.get("OpenIdConnectUrl").is_some() {
            return resource.refuse(format!(
                "'OpenIdConnectUrl' is no longer a supported property for authorizer '{name}'. Please refer to the AWS \
                 SAM documentation."
            ));
        }
        HttpAuthorizer::read(id, name, config)
    })?);
    Ok(all)
}

fn add_auth(resource: &Resource, body: Py, auth: &Py, context: &Context) -> Result<Py, Refusal> {
    let known = auth.as_dict().map(Dict::keys).is_some_and(|keys| keys.iter().all(|key| AUTH.contains(&key.as_str())));
    if !known {
        return resource.refuse("Invalid value for 'Auth' property");
    }
    if !http::is_valid(&body) {
        return resource.refuse(
            "Unable to add Auth configuration because 'DefinitionBody' does not contain a valid OpenApi definition.",
        );
    }
    let mut editor = OpenApi::new(body)?;
    let authorizers = authorizers(resource, auth)?;
    editor.add_authorizers(&authorizers, context.partition)?;
    let default = auth.get("DefaultAuthorizer").filter(|default| default.truthy() && !default.is_no_value());
    if let Some(default) = default {
        let Py::Text(default) = default else {
            return resource.refuse("Property 'Auth.DefaultAuthorizer' should be a string.");
        };
        let Some((_, authorizer)) = authorizers.iter().find(|(name, _)| name == default) else {
            return resource.refuse(format!(
                "Unable to set DefaultAuthorizer because '{}' was not defined in 'Authorizers'.",
                default.text
            ));
        };
        let scopes = authorizer.scopes();
        for path in editor.paths.dict.keys() {
            editor.set_default_authorizer(&path, default, &scopes)?;
        }
    }
    Ok(editor.finish())
}

fn permissions(resource: &Resource) -> Result<Vec<Generated>, Refusal> {
    let Some(auth) = resource.truthy("Auth").map(Py::from) else {
        return Ok(Vec::new());
    };
    let mut made = Vec::new();
    for (name, authorizer) in authorizers(resource, &auth)? {
        if let Some(function) = authorizer.function_to_permit() {
            let id = format!("{}{}AuthorizerPermission", resource.id, name.text);
            let source = arn("${AWS::Partition}", "execute-api", "${__ApiId__}/authorizers/*");
            made.push(authorizer_permission(resource, id, function, &source)?);
        }
    }
    Ok(made)
}

fn stage(resource: &Resource, tags: Option<&Map>) -> Result<Generated, Refusal> {
    let name = resource.truthy("StageName").cloned().unwrap_or_else(|| text(DEFAULT_PATH));
    let word = name.as_str().unwrap_or_default();
    let id = if !word.is_empty() && word.chars().all(char::is_alphanumeric) {
        format!("{}{word}Stage", resource.id)
    } else if word == DEFAULT_PATH {
        format!("{}ApiGatewayDefaultStage", resource.id)
    } else {
        logical_id::of_text(&format!("{}Stage", resource.id), word)
    };
    let mut stage = Generated::new(id, "AWS::ApiGatewayV2::Stage", &resource.passed_through())?;
    stage.set("ApiId", reference(&resource.id));
    stage.set("StageName", name);
    stage.copy(&resource.properties, &["StageVariables", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings"]);
    stage.set("Tags", tags.cloned().map(Node::from));
    stage.set("AutoDeploy", Node::from(true));
    Ok(stage)
}
