//! `AWS::Serverless::Api`: a REST API with its deployment and stage.

mod definition;
mod domain;
pub(crate) mod usage_plan;

use super::Resource;
use super::function::s3_location;
use crate::template::{Map, Node};
pub(super) use definition::authorizer_permission;
pub(super) use domain::expand_http as expand_http_domain;

use crate::transform::build::{Read, list, map, reference, tag_list, text};
use crate::transform::context::Context;
use crate::transform::generated::{Generated, propagate_tags};
use crate::transform::logical_id;
use crate::transform::openapi::is_supported_version;
use crate::transform::openapi::python::{Dict, Keys, Py, Text};
use crate::transform::partition;
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("Name", Kind::TextOrMap),
    required("StageName", Kind::TextOrMap),
    optional("Tags", Kind::Map),
    optional("PropagateTags", Kind::Bool),
    optional("DefinitionBody", Kind::Map),
    optional("DefinitionUri", Kind::TextOrMap),
    optional("MergeDefinitions", Kind::Bool).literal(),
    optional("CacheClusterEnabled", Kind::Bool),
    optional("CacheClusterSize", Kind::Text),
    optional("Variables", Kind::Map),
    optional("EndpointConfiguration", Kind::TextOrMap),
    optional("MethodSettings", Kind::List),
    optional("BinaryMediaTypes", Kind::List),
    optional("MinimumCompressionSize", Kind::Integer),
    optional("Cors", Kind::TextOrMap),
    optional("Auth", Kind::Map),
    optional("GatewayResponses", Kind::Map),
    optional("AccessLogSetting", Kind::Map),
    optional("CanarySetting", Kind::Map),
    optional("TracingEnabled", Kind::Bool),
    optional("OpenApiVersion", Kind::Text),
    optional("Models", Kind::Map),
    optional("Domain", Kind::Map),
    optional("FailOnWarnings", Kind::Bool),
    optional("Description", Kind::Text),
    optional("Mode", Kind::Text),
    optional("DisableExecuteApiEndpoint", Kind::Bool),
    optional("ApiKeySourceType", Kind::Text),
    optional("AlwaysDeploy", Kind::Bool).literal(),
    optional("Policy", Kind::TextOrMap),
    optional("SecurityPolicy", Kind::Text),
    optional("EndpointAccessMode", Kind::Text),
];

/// What can be referred to of it.
pub(super) const REFERABLE: &[(&str, &str)] = &[
    ("Stage", "AWS::ApiGateway::Stage"),
    ("Deployment", "AWS::ApiGateway::Deployment"),
    ("DomainName", "AWS::ApiGateway::DomainName"),
    ("DomainNameV2", "AWS::ApiGateway::DomainNameV2"),
    ("UsagePlan", "AWS::ApiGateway::UsagePlan"),
    ("UsagePlanKey", "AWS::ApiGateway::UsagePlanKey"),
    ("ApiKey", "AWS::ApiGateway::ApiKey"),
];

/// The API and everything that comes with it.
pub(super) fn expand(resource: &mut Resource, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    for name in ["BinaryMediaTypes", "Domain", "Auth"] {
        if let Some(value) = resource.properties.get_mut(name) {
            context.parameters.resolve_whole(value)?;
        }
    }
    let resource = &*resource;
    let auth = resource.truthy("Auth").map(|auth| context.python(&resource.id, "Auth", auth));
    let mut rest_api = rest_api(resource, auth.as_ref(), context)?;
    let body = rest_api.1.take();
    let mut rest_api = rest_api.0;
    let mut domain = resource.get("Domain").map(|domain| context.python(&resource.id, "Domain", domain));
    let from_domain = domain::expand(resource, domain.as_mut(), context)?;
    let attributes = resource.passed_through();
    let mut deployment =
        Generated::new(format!("{}Deployment", resource.id), "AWS::ApiGateway::Deployment", &attributes)?;
    deployment.set("RestApiId", rest_api.reference());
    let version = resource.truthy("OpenApiVersion");
    if version.is_none() {
        deployment.set("StageName", text("Stage"));
    }
    if let Some(body) = &body {
        name_deployment(resource, &mut deployment, body, domain.as_ref(), context)?;
    }
    let stage = stage(resource, &deployment)?;
    if let Some(Py::Dict(_)) = &body
        && rest_api.properties.contains_key("Body")
    {
        // Editing went on in Python's order; the template gets the tree.
        rest_api.set("Body", body.as_ref().map(|body| body.to_node(resource.span)));
    }
    let permissions = definition::authorizer_permissions(resource, auth.as_ref(), context)?;
    let plan = usage_plan::expand(resource, auth.as_ref(), &stage.id, context)?;
    let mut all = vec![rest_api, deployment, stage];
    all.extend(permissions);
    all.extend(from_domain);
    all.extend(plan);
    let propagate = resource.truthy("PropagateTags").is_some();
    propagate_tags(&mut all, resource.get("Tags"), propagate);
    Ok(all)
}

/// The API and its body: what stands in the template, or where it is in S3.
fn rest_api(resource: &Resource, auth: Option<&Py>, context: &mut Context) -> Result<(Generated, Option<Py>), Refusal> {
    let uri = resource.truthy("DefinitionUri");
    let body = context.body(&resource.id).filter(Py::truthy);
    if uri.is_some() && body.is_some() {
        return resource.refuse("Specify either 'DefinitionUri' or 'DefinitionBody' property and not both.");
    }
    if uri.is_some() && resource.truthy("MergeDefinitions").is_some() {
        return resource.refuse("Cannot set 'MergeDefinitions' to True when using `DefinitionUri`.");
    }
    if resource.truthy("OpenApiVersion").is_some_and(|version| !is_supported_version(&version.into())) {
        return resource.refuse("The OpenApiVersion value must be of the format '3.0.0'.");
    }
    let mut rest_api = resource.main(&resource.id, "AWS::ApiGateway::RestApi")?;
    rest_api.copy(&resource.properties, &["BinaryMediaTypes", "MinimumCompressionSize"]);
    match resource.truthy("EndpointConfiguration") {
        Some(endpoint) => configure_endpoint(resource, &mut rest_api, endpoint)?,
        None if !partition::named(context.partition).edge => {
            configure_endpoint(resource, &mut rest_api, &text("REGIONAL"))?;
        }
        None => {}
    }
    let mut body = definition::edit(resource, body, auth, context)?;
    for name in [
        "FailOnWarnings",
        "Name",
        "Description",
        "Mode",
        "ApiKeySourceType",
        "Policy",
        "SecurityPolicy",
        "EndpointAccessMode",
    ] {
        rest_api.set(name, resource.truthy(name).cloned());
    }
    if let Some(uri) = uri {
        let location = s3_body(resource, uri)?;
        rest_api.set("BodyS3Location", Node::from(location.clone()));
        let mut body_s3 = Dict::hashed();
        for (name, value) in location.iter() {
            body_s3.insert(name, Py::from(value));
        }
        body = Some(body_s3.into());
    } else if let Some(body) = &mut body {
        *body = definition::postprocess(resource, std::mem::replace(body, Py::None))?;
        rest_api.set("Body", body.to_node(resource.span));
    }
    Ok((rest_api, body))
}

/// Where a body is in S3.
pub(super) fn s3_body(resource: &Resource, uri: &Node) -> Result<Map, Refusal> {
    let refuse = |_: Refusal| {
        let message = if uri.as_map().is_some() {
            "'DefinitionUri' requires Bucket and Key properties to be specified."
        } else {
            "'DefinitionUri' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter."
        };
        Refusal::resource(resource.id.as_str(), message).at(uri.span)
    };
    let location = s3_location(&resource.id, "DefinitionUri", uri).map_err(refuse)?;
    let mut body = Map::new();
    for (from, to) in [("S3Bucket", "Bucket"), ("S3Key", "Key"), ("S3ObjectVersion", "Version")] {
        if let Some(value) = location.get(from) {
            body.insert(to, value.clone());
        }
    }
    Ok(body)
}

fn configure_endpoint(resource: &Resource, rest_api: &mut Generated, endpoint: &Node) -> Result<(), Refusal> {
    let kind = endpoint.as_map().and_then(|map| map.get("Type")).filter(|kind| kind.truthy());
    let Some(kind) = kind else {
        rest_api.set("EndpointConfiguration", map([("Types", list([endpoint.clone()]))]));
        rest_api.set("Parameters", map([("endpointConfigurationTypes", endpoint.clone())]));
        return Ok(());
    };
    rest_api.set("Parameters", map([("endpointConfigurationTypes", kind.clone())]));
    let mut configuration = Map::new();
    configuration.insert("Types", list([kind.clone()]));
    let (old, new) = (endpoint.get("VPCEndpointIds"), endpoint.get("VpcEndpointIds"));
    if old.is_some() && new.is_some() {
        return resource
            .refuse("'VPCEndpointIds' and 'VpcEndpointIds' cannot be used together in EndpointConfiguration.");
    }
    if let Some(ids) = old.or(new) {
        configuration.insert("VpcEndpointIds", ids.clone());
    }
    if let Some(kind) = endpoint.get("IpAddressType") {
        configuration.insert("IpAddressType", kind.clone());
    }
    rest_api.set("EndpointConfiguration", Node::from(configuration));
    Ok(())
}

/// A deployment is a snapshot: whenever the body changes there has to be a new one, so its logical ID
/// ends in the body's hash.
fn name_deployment(
    resource: &Resource,
    deployment: &mut Generated,
    body: &Py,
    domain: Option<&Py>,
    context: &Context,
) -> Result<(), Refusal> {
    if !body.truthy() {
        return Ok(());
    }
    let mut parts = vec![body.repr()];
    if let Some(version) = resource.truthy("OpenApiVersion") {
        parts.push(Py::from(version).display());
    }
    if let Some(domain) = domain.filter(|domain| domain.truthy()) {
        parts.push(domain.json());
    }
    if let Some(names) = context.function_names.get(&resource.id).filter(|names| !names.is_empty()) {
        parts.push(names.clone());
    }
    if resource.truthy("AlwaysDeploy").is_some() {
        // Whatever the API is like, the deployment is named after the second.
        let now_s = context.options.now_s.ok_or_else(|| {
            let property = "AlwaysDeploy, whose deployment is named after the time: nobody has told it";
            Refusal::unsupported(format!("[{}] has {property}", resource.id))
        })?;
        parts = vec![now_s.to_string()];
    }
    let digest = logical_id::digest(&parts.join("||"));
    deployment.id = format!("{}{}", deployment.id, &digest[..10]);
    deployment.set("Description", text(format!("RestApi deployment id: {digest}")));
    Ok(())
}

fn stage(resource: &Resource, deployment: &Generated) -> Result<Generated, Refusal> {
    let name = resource.get("StageName").and_then(Node::as_str).unwrap_or_default();
    let plain = !name.is_empty() && name.chars().all(char::is_alphanumeric);
    let id = if plain {
        format!("{}{name}Stage", resource.id)
    } else {
        logical_id::of_text(&format!("{}Stage", resource.id), name)
    };
    let mut stage = Generated::new(id, "AWS::ApiGateway::Stage", &resource.passed_through())?;
    stage.set("RestApiId", reference(&resource.id));
    stage.set("DeploymentId", deployment.reference());
    stage.copy(
        &resource.properties,
        &[
            "StageName",
            "CacheClusterEnabled",
            "CacheClusterSize",
            "Variables",
            "MethodSettings",
            "AccessLogSetting",
            "CanarySetting",
            "TracingEnabled",
        ],
    );
    if let Some(tags) = resource.get("Tags").and_then(Node::as_map) {
        stage.set("Tags", Node::from(tag_list(hashed_order(tags))));
    }
    Ok(stage)
}

/// A map's entries in the order of Python 2.7.
fn hashed_order(tags: &Map) -> Vec<(&str, &Node)> {
    let mut keys = Keys::default();
    tags.keys().for_each(|key| keys.add(key));
    keys.iter().filter_map(|key| tags.iter().find(|(name, _)| *name == key)).collect()
}

/// An authorizer's name and configuration, in order.
pub(super) fn authorizers_of<'a>(resource: &Resource, auth: &'a Py) -> Result<Option<&'a Dict>, Refusal> {
    match auth.get("Authorizers").filter(|authorizers| authorizers.truthy()) {
        None => Ok(None),
        Some(Py::Dict(authorizers)) => Ok(Some(authorizers)),
        Some(_) => resource.refuse("Property 'Auth.Authorizers' should be a map."),
    }
}

/// Reads the authorizers of `auth` one by one.
pub(super) fn read_authorizers<T>(
    resource: &Resource,
    auth: &Py,
    read: impl Fn(&str, &str, &Py) -> Result<T, Refusal>,
) -> Result<Vec<(Text, T)>, Refusal> {
    let mut found = Vec::new();
    for (name, config) in authorizers_of(resource, auth)?.into_iter().flat_map(Dict::iter) {
        if config.as_dict().is_none() {
            return resource.refuse(format!("Property 'Auth.Authorizers.{}' should be a map.", name.text));
        }
        let authorizer = read(&resource.id, &name.text, config)?;
        found.push((name, authorizer));
    }
    Ok(found)
}
