//! `AWS::Serverless::WebSocketApi`: a WebSocket API with its routes and its stage.

use super::Resource;
use super::api::{authorizer_permission, expand_http_domain};
use crate::template::{Map, Node};
use crate::transform::build::{Read, list, map, reference, sub, text};
use crate::transform::context::Context;
use crate::transform::event::push::arn;
use crate::transform::generated::{Generated, propagate_tags};
use crate::transform::openapi::python::Py;
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("ApiKeySelectionExpression", Kind::Text).passed(),
    optional("AccessLogSettings", Kind::Map),
    optional("Auth", Kind::Map),
    optional("DefaultRouteSettings", Kind::Map),
    optional("Description", Kind::Text).passed(),
    optional("DisableExecuteApiEndpoint", Kind::Bool).passed(),
    optional("Domain", Kind::Map),
    optional("DisableSchemaValidation", Kind::Bool).passed(),
    optional("FailOnWarnings", Kind::Bool),
    optional("IpAddressType", Kind::Text).passed(),
    optional("Name", Kind::Text),
    optional("PropagateTags", Kind::Bool),
    required("Routes", Kind::Map),
    optional("RouteSettings", Kind::Map),
    required("RouteSelectionExpression", Kind::Text).passed(),
    optional("StageName", Kind::TextOrMap),
    optional("StageVariables", Kind::Map),
    optional("Tags", Kind::Map),
];

/// What can be referred to of it.
pub(super) const REFERABLE: &[(&str, &str)] =
    &[("Stage", "AWS::ApiGatewayV2::Stage"), ("DomainName", "AWS::ApiGatewayV2::DomainName")];

/// What a route takes over as it is.
const PASSED_TO_ROUTE: &[&str] = &[
    "ApiKeyRequired",
    "ModelSelectionExpression",
    "OperationName",
    "RequestModels",
    "RouteResponseSelectionExpression",
];

const CREATED_BY: &str = "websocketapi:createdBy";
/// Where callers arrive; authorization is only there.
const CONNECT: &str = "$connect";
const DEFAULT_STAGE: &str = "default";

/// The API and everything that comes with it.
pub(super) fn expand(resource: &mut Resource, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    for name in ["Auth", "Domain", "Routes"] {
        if let Some(value) = resource.properties.get_mut(name) {
            context.parameters.resolve_whole(value)?;
        }
    }
    // None of a WebSocket API's attributes comes through: neither conditions nor policies.
    resource.attributes = Map::new();
    let resource = &*resource;
    check(resource)?;
    let mut tags = resource.truthy("Tags").and_then(Node::as_map).cloned().unwrap_or_default();
    tags.insert(CREATED_BY, "SAM");
    let tags = Node::from(tags);
    let mut all = vec![api(resource, &tags)?];
    // Its records are never together with those of another API.
    let shared = std::mem::take(&mut context.record_sets);
    let domain = expand_http_domain(resource, CREATED_BY, context);
    context.record_sets = shared;
    let domain = domain?;
    let mut stage = stage(resource)?;
    let mut route_ids = Vec::new();
    let mut authorizer = Vec::new();
    let routes = resource.get("Routes").and_then(Node::as_map);
    for (key, spec) in routes.into_iter().flat_map(Map::iter) {
        let route = Route { resource, key, spec, name: route_name(resource, key)? };
        let (mut made, authorizers) = route.expand()?;
        route_ids.extend(made.first().map(|route| text(route.id.as_str())));
        all.append(&mut made);
        authorizer.extend(authorizers);
    }
    all.extend(domain);
    if resource.truthy("RouteSettings").is_some() && !route_ids.is_empty() {
        stage.depends_on = Some(Node::from(route_ids));
    }
    all.push(stage);
    all.extend(authorizer);
    let propagate = resource.truthy("PropagateTags").is_some() && resource.truthy("Tags").is_some();
    propagate_tags(&mut all, Some(&tags), propagate);
    Ok(all)
}

fn check(resource: &Resource) -> Result<(), Refusal> {
    if resource.truthy("Routes").is_none() {
        return resource.refuse("WebSocket API must have at least one route.");
    }
    let family = resource.get("IpAddressType").filter(|family| !family.is_intrinsic());
    if family.is_some_and(|family| !matches!(family.as_str(), Some("ipv4" | "dualstack"))) {
        return resource.refuse("IpAddressType must be 'ipv4' or 'dualstack'.");
    }
    if resource.get("Domain").and_then(|domain| domain.get("MutualTlsAuthentication")).is_some_and(Read::truthy) {
        return resource.refuse("Mutual TLS domain name association is not supported for Websocket APIs.");
    }
    if resource.truthy("Auth").is_some() && resource.get("Routes").and_then(|routes| routes.get(CONNECT)).is_none() {
        return resource.refuse("Authorization is only available if there is a $connect route.");
    }
    Ok(())
}

fn api(resource: &Resource, tags: &Node) -> Result<Generated, Refusal> {
    let mut api = resource.main(&resource.id, "AWS::ApiGatewayV2::Api")?;
    api.pass(&resource.properties, PROPERTIES);
    api.set("Name", resource.get("Name").cloned().unwrap_or_else(|| text(resource.id.as_str())));
    api.set("Tags", tags.clone());
    api.set("ProtocolType", text("WEBSOCKET"));
    Ok(api)
}

fn stage_name(resource: &Resource) -> Node {
    resource.get("StageName").cloned().unwrap_or_else(|| text(DEFAULT_STAGE))
}

fn stage(resource: &Resource) -> Result<Generated, Refusal> {
    let name = stage_name(resource);
    let id = match name.as_str() {
        Some("$default") => return resource.refuse("Stages cannot be named $default for WebSocket APIs."),
        Some(DEFAULT_STAGE) => format!("{}DefaultStage", resource.id),
        word => format!("{}{}Stage", resource.id, word.unwrap_or_default()),
    };
    let mut stage = Generated::new(id, "AWS::ApiGatewayV2::Stage", &resource.attributes)?;
    stage.set("ApiId", reference(&resource.id));
    stage.set("StageName", name);
    stage.copy(&resource.properties, &["StageVariables", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings"]);
    stage.set("Tags", map([(CREATED_BY, text("SAM"))]));
    stage.set("AutoDeploy", Node::from(true));
    Ok(stage)
}

/// What a route is called in logical IDs.
fn route_name(resource: &Resource, key: &str) -> Result<String, Refusal> {
    let special = matches!(key, CONNECT | "$disconnect" | "$default");
    let word = if special { &key[1..] } else { key };
    if word.is_empty() || !word.chars().all(char::is_alphanumeric) {
        return resource.refuse(format!(
            "Route key '{key}' must be alphanumeric. Only $connect, $disconnect, and $default special routes are \
             supported."
        ));
    }
    let mut letters = word.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    Ok(first + &letters.as_str().to_lowercase())
}

/// A route with its function.
struct Route<'a> {
    resource: &'a Resource,
    key: &'a str,
    spec: &'a Node,
    name: String,
}

impl Route<'_> {
    /// The route, its integration and permission; and the authorizer with its permission.
    fn expand(&self) -> Result<(Vec<Generated>, Vec<Generated>), Refusal> {
        let Some(spec) = self.spec.as_map() else {
            return self.resource.refuse(format!("Property 'Routes.{}' should be a map.", self.key));
        };
        let integration_id = self.id("Integration");
        let mut route = self.generated("Route", "AWS::ApiGatewayV2::Route")?;
        route.set("RouteKey", text(self.key));
        route.set("ApiId", reference(&self.resource.id));
        route.copy(spec, PASSED_TO_ROUTE);
        if let Some(parameters) = spec.get("RequestParameters").filter(|parameters| parameters.truthy()) {
            if self.key != CONNECT {
                return self
                    .resource
                    .refuse("Request parameters are only supported for the $connect route in WebSocket APIs.");
            }
            route.set("RequestParameters", parameters.clone());
        }
        let target = list([text("integrations"), reference(&integration_id)]);
        route.set("Target", map([("Fn::Join", list([text("/"), target]))]));
        let authorizer = self.authorize(&mut route)?;
        let Some(function) = spec.get("FunctionArn") else {
            return self.resource.refuse("Route must have associated function.");
        };
        let mut integration = self.generated("Integration", "AWS::ApiGatewayV2::Integration")?;
        integration.set("ApiId", reference(&self.resource.id));
        integration.set("IntegrationType", text("AWS_PROXY"));
        integration.set("IntegrationUri", invocation("FunctionArn", function));
        integration.set("TimeoutInMillis", spec.get("IntegrationTimeout").cloned());
        Ok((vec![route, integration, self.permission(function)?], authorizer))
    }

    fn id(&self, suffix: &str) -> String {
        format!("{}{}{suffix}", self.resource.id, self.name)
    }

    fn generated(&self, suffix: &str, kind: &'static str) -> Result<Generated, Refusal> {
        Generated::new(self.id(suffix), kind, &self.resource.attributes)
    }

    fn permission(&self, function: &Node) -> Result<Generated, Refusal> {
        let mut permission = self.generated("Permission", "AWS::Lambda::Permission")?;
        permission.set("Action", text("lambda:InvokeFunction"));
        permission.set("FunctionName", function.clone());
        permission.set("Principal", text("apigateway.amazonaws.com"));
        let stage = stage_name(self.resource);
        let of = |stage: &str| {
            let api = format!("${{{}.ApiId}}/{stage}/{}", self.resource.id, self.key);
            format!("arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:{api}")
        };
        permission.set(
            "SourceArn",
            match stage.as_str() {
                Some(word) => sub(&of(word), []),
                None => sub(&of("${__StageName__}"), [("__StageName__", stage)]),
            },
        );
        Ok(permission)
    }

    fn authorize(&self, route: &mut Generated) -> Result<Vec<Generated>, Refusal> {
        let Some(auth) = self.resource.truthy("Auth") else {
            return Ok(Vec::new());
        };
        let kind = check_auth(self.resource, auth)?;
        if self.key != CONNECT {
            return Ok(Vec::new());
        }
        route.set("AuthorizationType", text(kind));
        if kind != "CUSTOM" {
            return Ok(Vec::new());
        }
        let id = format!("{}ConnectAuthorizer", self.resource.id);
        let mut authorizer = Generated::new(id, "AWS::ApiGatewayV2::Authorizer", &self.resource.attributes)?;
        route.set("AuthorizerId", authorizer.reference());
        authorizer.set("ApiId", reference(&self.resource.id));
        authorizer.set("AuthorizerCredentialsArn", auth.get("InvokeRole").cloned());
        authorizer.set("AuthorizerType", text("REQUEST"));
        let function = auth.get("AuthArn").cloned().unwrap_or_default();
        authorizer.set("AuthorizerUri", invocation("AuthArn", &function));
        authorizer.set("IdentitySource", auth.get("IdentitySource").cloned());
        let name = auth.get("Name").filter(|name| name.truthy()).cloned();
        authorizer.set("Name", name.unwrap_or_else(|| text(authorizer.id.as_str())));
        let mut made = vec![authorizer];
        if !auth.get("InvokeRole").is_some_and(Read::truthy) {
            let id = format!("{}AuthorizerPermission", self.resource.id);
            let source = arn("${AWS::Partition}", "execute-api", "${__ApiId__}/authorizers/*");
            made.push(authorizer_permission(self.resource, id, &Py::from(&function), &source)?);
        }
        Ok(made)
    }
}

/// How API Gateway calls a function.
fn invocation(name: &str, function: &Node) -> Node {
    let path = format!("lambda:path/2015-03-31/functions/${{{name}}}/invocations");
    let mut variables = Map::new();
    variables.insert(name, function.clone());
    let pattern = text(format!("arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:{path}"));
    map([("Fn::Sub", list([pattern, Node::from(variables)]))])
}

/// The type of authorization.
fn check_auth<'a>(resource: &Resource, auth: &'a Node) -> Result<&'a str, Refusal> {
    let Some(kind) = auth.get("AuthType").filter(|kind| kind.truthy()) else {
        return resource.refuse("AuthType must be specified for additional auth configurations.");
    };
    let more = auth.as_map().is_some_and(|auth| auth.len() > 1);
    match kind.as_str() {
        Some("CUSTOM") if !auth.get("AuthArn").is_some_and(Read::truthy) => {
            resource.refuse("AuthArn must be specified if AuthType is CUSTOM.")
        }
        Some(word @ ("AWS_IAM" | "NONE")) if more => {
            resource.refuse(format!("No additional configurations supported for AuthType {word}."))
        }
        Some(word @ ("CUSTOM" | "AWS_IAM" | "NONE")) => Ok(word),
        _ => resource.refuse(format!("AuthType '{}' is not one of AWS_IAM, CUSTOM or NONE.", kind.display())),
    }
}
