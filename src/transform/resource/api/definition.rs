//! What a REST API's properties do to its body: CORS, authorizers, gateway responses, models.

use super::read_authorizers;
use crate::transform::build::{reference, sub, text};
use crate::transform::context::Context;
use crate::transform::event::push::arn;
use crate::transform::generated::Generated;
use crate::transform::openapi::authorizer::RestAuthorizer;
use crate::transform::openapi::python::{Dict, Py, Text};
use crate::transform::openapi::swagger::{Cors, Swagger, is_valid};
use crate::transform::openapi::{Editor as _, dict, is_version_3};
use crate::transform::refusal::Refusal;
use crate::transform::resource::Resource;

const AUTH: [&str; 8] = [
    "Authorizers",
    "DefaultAuthorizer",
    "InvokeRole",
    "AddDefaultAuthorizerToCorsPreflight",
    "AddApiKeyRequiredToCorsPreflight",
    "ApiKeyRequired",
    "ResourcePolicy",
    "UsagePlan",
];
const CORS: [&str; 5] = ["AllowMethods", "AllowHeaders", "AllowOrigin", "MaxAge", "AllowCredentials"];

/// Applies the API's properties to its body.
pub(super) fn edit(
    resource: &Resource,
    body: Option<Py>,
    auth: Option<&Py>,
    context: &Context,
) -> Result<Option<Py>, Refusal> {
    let Some(mut body) = body else {
        for (name, what) in [
            ("Cors", "Cors works only with inline Swagger specified in 'DefinitionBody' property."),
            ("Auth", "Auth works only with inline Swagger specified in 'DefinitionBody' property."),
            (
                "GatewayResponses",
                "GatewayResponses works only with inline Swagger specified in 'DefinitionBody' property.",
            ),
            ("Models", "Models works only with inline Swagger specified in 'DefinitionBody' property."),
        ] {
            if resource.truthy(name).is_some() {
                return resource.refuse(what);
            }
        }
        if resource.get("DisableExecuteApiEndpoint").is_some() {
            return resource.refuse("DisableExecuteApiEndpoint works only within 'DefinitionBody' property.");
        }
        return Ok(None);
    };
    if let Some(cors) = resource.truthy("Cors") {
        body = add_cors(resource, body, &context.python(&resource.id, "Cors", cors))?;
    }
    if let Some(auth) = auth {
        body = add_auth(resource, body, auth, context)?;
    }
    if let Some(responses) = resource.truthy("GatewayResponses") {
        body = add_gateway_responses(resource, body, &context.python(&resource.id, "GatewayResponses", responses))?;
    }
    if let Some(types) = resource.truthy("BinaryMediaTypes") {
        let mut editor = Swagger::new(body)?;
        editor.add_binary_media_types(&types.into());
        body = editor.finish();
    }
    if let Some(models) = resource.truthy("Models") {
        body = add_models(resource, body, &context.python(&resource.id, "Models", models))?;
    }
    if let Some(disable) = resource.get("DisableExecuteApiEndpoint") {
        let mut editor = Swagger::new(body)?;
        editor.disable_endpoint(&disable.into())?;
        body = editor.finish();
    }
    Ok(Some(body))
}

fn add_cors(resource: &Resource, body: Py, given: &Py) -> Result<Py, Refusal> {
    let mut cors = Cors {
        origin: "'*'".into(),
        headers: Py::None,
        methods: Py::None,
        max_age: Py::None,
        credentials: Py::Bool(false),
    };
    match given {
        Py::Text(_) => cors.origin = given.clone(),
        _ if given.is_intrinsic() => cors.origin = given.clone(),
        Py::Dict(given) => {
            for (key, value) in given.iter() {
                let slot = match key.text.as_str() {
                    "AllowOrigin" => &mut cors.origin,
                    "AllowHeaders" => &mut cors.headers,
                    "AllowMethods" => &mut cors.methods,
                    "MaxAge" => &mut cors.max_age,
                    "AllowCredentials" => &mut cors.credentials,
                    other => {
                        debug_assert!(!CORS.contains(&other));
                        return resource.refuse(format!("Invalid key '{other}' for 'Cors' property."));
                    }
                };
                *slot = value.clone();
            }
        }
        _ => return resource.refuse("Invalid value for 'Cors' property"),
    }
    if !is_valid(&body) {
        return resource.refuse(
            "Unable to add Cors configuration because 'DefinitionBody' does not contain a valid Swagger definition.",
        );
    }
    if cors.credentials == Py::Bool(true) && cors.origin.as_str() == Some("'*'") {
        return resource.refuse(
            "Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is \"'*'\" \
             or not set",
        );
    }
    let mut editor = Swagger::new(body)?;
    let mut seen = std::collections::HashSet::new();
    for path in editor.paths.dict.keys() {
        // `/a` and `/a/` are one path to API Gateway.
        let normalized = if path == "/" { path.as_str() } else { path.trim_end_matches('/') };
        if seen.insert(normalized.to_owned()) {
            editor.add_cors(&path, &cors).map_err(|refusal| match refusal {
                Refusal::One(cause) => Refusal::resource(resource.id.as_str(), cause.sentence()),
                other => other,
            })?;
        }
    }
    Ok(editor.finish())
}

/// The authorizers of `Auth`; with `default`, AWS_IAM when that is the default.
fn authorizers(resource: &Resource, auth: &Py, with_iam: bool) -> Result<Vec<(Text, RestAuthorizer)>, Refusal> {
    let mut all = Vec::new();
    if with_iam
        && let Some(Py::Text(name)) = auth.get("DefaultAuthorizer").filter(|name| name.as_str() == Some("AWS_IAM"))
    {
        all.push((name.clone(), RestAuthorizer::iam(&resource.id)));
    }
    all.extend(read_authorizers(resource, auth, RestAuthorizer::read)?);
    // A dictionary by name, walked through in Python 2.7's order.
    let mut order = Dict::hashed();
    for (name, _) in &all {
        order.insert(name.clone(), true);
    }
    let order = order.keys();
    all.sort_by_key(|(name, _)| order.iter().position(|key| *key == name.text));
    Ok(all)
}

fn add_auth(resource: &Resource, body: Py, auth: &Py, context: &Context) -> Result<Py, Refusal> {
    let Some(keys) = auth.as_dict().map(Dict::keys).filter(|keys| keys.iter().all(|key| AUTH.contains(&key.as_str())))
    else {
        return resource.refuse("Invalid value for 'Auth' property");
    };
    debug_assert!(!keys.is_empty());
    if !is_valid(&body) {
        return resource.refuse(
            "Unable to add Auth configuration because 'DefinitionBody' does not contain a valid Swagger definition.",
        );
    }
    let mut editor = Swagger::new(body)?;
    let authorizers = authorizers(resource, auth, true)?;
    let flag = |name: &str| auth.as_dict().and_then(|auth| auth.get(name)).is_none_or(Py::truthy);
    if !authorizers.is_empty() {
        editor.add_authorizers(&authorizers, context.partition)?;
        if let Some(default) = auth.get("DefaultAuthorizer").filter(|default| default.truthy()) {
            let Py::Text(default) = default else {
                return resource.refuse("DefaultAuthorizer is not a string.");
            };
            if default.text != "AWS_IAM" && !authorizers.iter().any(|(name, _)| name == default) {
                return resource.refuse(format!(
                    "Unable to set DefaultAuthorizer because '{}' was not defined in 'Authorizers'.",
                    default.text
                ));
            }
            for path in editor.paths.dict.keys() {
                let preflight = flag("AddDefaultAuthorizerToCorsPreflight");
                editor.set_default_authorizer(&path, default, &authorizers, preflight)?;
            }
        }
    }
    if auth.get("ApiKeyRequired").is_some_and(Py::truthy) {
        editor.define_api_key()?;
        for path in editor.paths.dict.keys() {
            editor.set_default_api_key(&path, flag("AddApiKeyRequiredToCorsPreflight"))?;
        }
    }
    if let Some(policy) = auth.get("ResourcePolicy").filter(|policy| policy.truthy()) {
        dict(policy, "ResourcePolicy must be a map (ResourcePolicyStatement).")?;
        let stage = context.stage_of(&resource.id);
        for path in editor.paths.dict.keys() {
            let path = editor.paths.dict.key(&path);
            editor.add_resource_policy(policy, &path, &stage)?;
        }
        if let Some(statements) = policy.get("CustomStatements").filter(|statements| statements.truthy()) {
            editor.add_custom_statements(statements);
        }
    }
    postprocess(resource, editor.finish())
}

/// Permissions to call the functions of authorizers.
pub(super) fn authorizer_permissions(
    resource: &Resource,
    auth: Option<&Py>,
    context: &Context,
) -> Result<Vec<Generated>, Refusal> {
    let Some(auth) = auth else {
        return Ok(Vec::new());
    };
    let mut made = Vec::new();
    for (name, authorizer) in authorizers(resource, auth, false)? {
        let function = authorizer.function.filter(Py::truthy).filter(|_| !authorizer.without_permission);
        if let Some(function) = function {
            let id = format!("{}{}AuthorizerPermission", resource.id, name.text);
            let source = arn(context.partition, "execute-api", "${__ApiId__}/authorizers/*");
            made.push(authorizer_permission(resource, id, &function, &source)?);
        }
    }
    Ok(made)
}

/// A permission to call an authorizer's function.
pub(in crate::transform::resource) fn authorizer_permission(
    resource: &Resource,
    id: String,
    function: &Py,
    source: &str,
) -> Result<Generated, Refusal> {
    let mut permission = Generated::new(id, "AWS::Lambda::Permission", &resource.passed_through())?;
    permission.set("Action", text("lambda:InvokeFunction"));
    permission.set("FunctionName", function.to_node(resource.span));
    permission.set("Principal", text("apigateway.amazonaws.com"));
    permission.set("SourceArn", sub(source, [("__ApiId__", reference(&resource.id))]));
    Ok(permission)
}

fn add_gateway_responses(resource: &Resource, body: Py, responses: &Py) -> Result<Py, Refusal> {
    let responses = responses.as_dict().map(Dict::iter).into_iter().flatten().collect::<Vec<_>>();
    for (name, response) in &responses {
        if response.is_intrinsic() {
            return resource.refuse(
                "Unable to set GatewayResponses attribute because intrinsic functions are not supported for this field.",
            );
        }
        let Some(response) = response.as_dict() else {
            let kind = match response {
                Py::None => "NoneType",
                Py::Bool(_) => "bool",
                Py::Number(number) if number.is_f64() => "float",
                Py::Number(_) => "int",
                Py::Text(_) => "Py27UniStr",
                Py::List(_) => "list",
                Py::Dict(_) => "dict",
            };
            return resource.refuse(format!(
                "Invalid property type '{kind}' for GatewayResponses. Expected an object of type 'GatewayResponse'."
            ));
        };
        for key in response.keys() {
            if !matches!(key.as_str(), "ResponseParameters" | "ResponseTemplates" | "StatusCode") {
                return resource
                    .refuse(format!("Invalid property '{key}' in 'GatewayResponses' property '{}'.", name.text));
            }
        }
    }
    if !is_valid(&body) {
        return resource.refuse(
            "Unable to add Auth configuration because 'DefinitionBody' does not contain a valid Swagger definition.",
        );
    }
    let mut made = Dict::hashed();
    for (name, response) in responses {
        made.insert(name.clone(), gateway_response(resource, &name.text, response)?);
    }
    let mut editor = Swagger::new(body)?;
    editor.add_gateway_responses(&made);
    Ok(editor.finish())
}

fn gateway_response(resource: &Resource, name: &str, response: &Py) -> Result<Dict, Refusal> {
    let empty = Dict::hashed();
    let parameters = match response.get("ResponseParameters").filter(|parameters| parameters.truthy()) {
        None => &empty,
        Some(Py::Dict(parameters)) => parameters,
        Some(_) => {
            let place = format!("GatewayResponses.{name}.ResponseParameters");
            return resource.refuse(format!("Property '{place}' should be a map."));
        }
    };
    if let Some(unknown) =
        parameters.keys().iter().find(|key| !matches!(key.as_str(), "Headers" | "Paths" | "QueryStrings"))
    {
        return resource.refuse(format!("Invalid gateway response parameter '{unknown}'"));
    }
    // What was a text of the template before is a plain one now: the hash of the body tells the two apart.
    let status = response.get("StatusCode").map(|status| match status {
        Py::Text(text) => Text { text: text.text.clone(), unicode: false },
        other => other.display().into(),
    });
    if let Some(status) = status.as_ref().filter(|_| response.get("StatusCode").is_some_and(Py::truthy)) {
        let digits = status.text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !(1..=3).contains(&status.text.len()) {
            return resource.refuse("Property 'StatusCode' must be numeric");
        }
    }
    let mut prefixed = Dict::hashed();
    for (kind, prefix) in [("Headers", "header."), ("Paths", "path."), ("QueryStrings", "querystring.")] {
        let values = match parameters.get(kind) {
            None => continue,
            Some(Py::Dict(values)) => values,
            Some(_) => return resource.refuse(format!("Property 'ResponseParameters.{kind}' should be a map.")),
        };
        for (key, value) in values.iter() {
            let full = Text { text: format!("gatewayresponse.{prefix}{}", key.text), unicode: key.unicode };
            prefixed.insert(full, value.clone());
        }
    }
    let templates = response.get("ResponseTemplates").filter(|templates| templates.truthy()).cloned();
    let mut swagger = Dict::hashed_of([
        ("responseParameters", prefixed.into()),
        ("responseTemplates", templates.unwrap_or_else(|| Dict::hashed().into())),
    ]);
    if let Some(status) = status.filter(|status| !status.text.is_empty()) {
        swagger.insert("statusCode", status);
    }
    Ok(swagger)
}

fn add_models(resource: &Resource, body: Py, models: &Py) -> Result<Py, Refusal> {
    if !is_valid(&body) {
        return resource.refuse(
            "Unable to add Models definitions because 'DefinitionBody' does not contain a valid Swagger definition.",
        );
    }
    let models = models.as_dict().filter(|models| models.iter().all(|(_, model)| model.as_dict().is_some()));
    let Some(models) = models else {
        return resource.refuse("Invalid value for 'Models' property");
    };
    let mut editor = Swagger::new(body)?;
    editor.add_models(models)?;
    postprocess(resource, editor.finish())
}

/// A body that is OpenAPI 3 keeps definitions elsewhere and has no `consumes`.
pub(super) fn postprocess(resource: &Resource, mut body: Py) -> Result<Py, Refusal> {
    if body.get("swagger").is_some() {
        return Ok(body);
    }
    let wanted = resource.get("OpenApiVersion").map(Py::from);
    let version = match body.get("openapi") {
        Some(own) if wanted.is_none() => Some(own.clone()),
        _ => wanted,
    };
    if !version.filter(Py::truthy).is_some_and(|version| is_version_3(&version)) {
        return Ok(body);
    }
    let Some(doc) = body.as_dict_mut() else {
        return Ok(body);
    };
    for (from, to) in [("securityDefinitions", "securitySchemes"), ("definitions", "schemas")] {
        let Some(moved) = doc.get(from).filter(|moved| moved.truthy()).cloned() else { continue };
        let mut components = match doc.get("components").filter(|components| components.truthy()) {
            Some(Py::Dict(components)) => components.clone(),
            Some(_) => return resource.refuse("Property 'DefinitionBody.components' should be a map."),
            None => Dict::hashed(),
        };
        components.insert(to, moved);
        doc.insert("components", components);
        doc.remove(from);
    }
    let Some(paths) = doc.get_mut("paths").filter(|paths| paths.truthy()) else {
        return Ok(body);
    };
    let Some(paths) = paths.as_dict_mut() else {
        return Err(Refusal::document("Value of paths must be a dictionary according to Swagger spec."));
    };
    for path in paths.keys() {
        let Some(item) = paths.get_mut(&path) else { continue };
        let item = crate::transform::openapi::path_item(item, &path)?;
        let Some(options) = item.get_mut("options").filter(|options| options.truthy()) else { continue };
        let Some(options) = options.as_dict_mut() else {
            return Err(Refusal::document(format!(
                "Value of options method for path {path} must be a dictionary according to Swagger spec."
            )));
        };
        for field in ["produces", "consumes"] {
            if options.contains(field) {
                options.remove(field);
            }
        }
        let invalid =
            |place: &str| Refusal::document(format!("Invalid responses in options method for path {path}: {place}."));
        let Some(responses) = options.get_mut("responses").filter(|responses| **responses != Py::None) else {
            continue;
        };
        let responses = responses.as_dict_mut().ok_or_else(|| invalid("It should be a map"))?;
        let Some(success) = responses.get_mut("200").filter(|success| **success != Py::None) else { continue };
        let success = success.as_dict_mut().ok_or_else(|| invalid("The value of '200' should be a map"))?;
        let Some(headers) = success.get_mut("headers").filter(|headers| headers.truthy()) else { continue };
        let Some(headers) = headers.as_dict_mut() else {
            return Err(Refusal::document(format!(
                "Value of response's headers in options method for path {path} must be a dictionary according to Swagger \
                 spec."
            )));
        };
        for header in headers.keys() {
            let key = headers.key(&header);
            if let Some(schema) = headers.get(&header).cloned() {
                headers.insert(key, Dict::hashed_of([("schema", schema)]));
            }
        }
    }
    Ok(body)
}
