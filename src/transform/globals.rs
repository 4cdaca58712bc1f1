//! `Globals`: properties that all resources of a type start from.

use super::build::Read;
use super::context::Context;
use super::openapi::is_version_3;
use super::openapi::python::{Keys, Py, Tables};
use super::refusal::Refusal;
use crate::template::{Map, Node, Value};

/// The sections, and what may stand in each.
const SECTIONS: &[(&str, &[&str])] = &[
    (
        "Function",
        &[
            "Handler",
            "Runtime",
            "CodeUri",
            "DeadLetterQueue",
            "Description",
            "MemorySize",
            "Timeout",
            "VpcConfig",
            "Environment",
            "Tags",
            "PropagateTags",
            "Tracing",
            "KmsKeyArn",
            "AutoPublishAlias",
            "AutoPublishAliasAllProperties",
            "Layers",
            "DeploymentPreference",
            "RolePath",
            "PermissionsBoundary",
            "ReservedConcurrentExecutions",
            "ProvisionedConcurrencyConfig",
            "AssumeRolePolicyDocument",
            "EventInvokeConfig",
            "FileSystemConfigs",
            "CodeSigningConfigArn",
            "Architectures",
            "SnapStart",
            "EphemeralStorage",
            "FunctionUrlConfig",
            "RuntimeManagementConfig",
            "LoggingConfig",
            "RecursiveLoop",
            "SourceKMSKeyArn",
            "TenancyConfig",
            "DurableConfig",
            "CapacityProviderConfig",
            "FunctionScalingConfig",
            "PublishToLatestPublished",
            "VersionDeletionPolicy",
        ],
    ),
    (
        "Api",
        &[
            "Auth",
            "Name",
            "DefinitionUri",
            "CacheClusterEnabled",
            "CacheClusterSize",
            "MergeDefinitions",
            "Variables",
            "EndpointConfiguration",
            "MethodSettings",
            "BinaryMediaTypes",
            "MinimumCompressionSize",
            "Cors",
            "GatewayResponses",
            "AccessLogSetting",
            "CanarySetting",
            "TracingEnabled",
            "OpenApiVersion",
            "Domain",
            "AlwaysDeploy",
            "PropagateTags",
            "SecurityPolicy",
            "EndpointAccessMode",
        ],
    ),
    (
        "HttpApi",
        &[
            "Auth",
            "AccessLogSettings",
            "StageVariables",
            "Tags",
            "CorsConfiguration",
            "DefaultRouteSettings",
            "Domain",
            "RouteSettings",
            "FailOnWarnings",
            "PropagateTags",
        ],
    ),
    ("SimpleTable", &["SSESpecification"]),
    ("StateMachine", &["PropagateTags"]),
    ("LayerVersion", &["PublishLambdaVersion"]),
    (
        "CapacityProvider",
        &[
            "VpcConfig",
            "OperatorRole",
            "Tags",
            "InstanceRequirements",
            "ScalingConfig",
            "KmsKeyArn",
            "PropagateTags",
            "LoggingConfig",
            "ManagedResourceTags",
        ],
    ),
    (
        "MicrovmImage",
        &[
            "BuildRoleArn",
            "BaseImageArn",
            "BaseImageVersion",
            "Logging",
            "EgressNetworkConnectors",
            "CpuConfigurations",
            "Resources",
            "AdditionalOsCapabilities",
            "Hooks",
            "EnvironmentVariables",
            "Tags",
            "PropagateTags",
        ],
    ),
    ("NetworkConnector", &["OperatorRole", "Tags", "PropagateTags"]),
    (
        "WebSocketApi",
        &[
            "AccessLogSettings",
            "ApiKeySelectionExpression",
            "DefaultRouteSettings",
            "DisableExecuteApiEndpoint",
            "DisableSchemaValidation",
            "Domain",
            "FailOnWarnings",
            "IpAddressType",
            "PropagateTags",
            "RouteSelectionExpression",
            "RouteSettings",
            "StageVariables",
            "Tags",
        ],
    ),
];

/// Lists and maps that a resource's own value replaces, where others are merged.
const REPLACED: &[(&str, &str)] =
    &[("Function", "Architectures"), ("CapacityProvider", "InstanceRequirements.Architectures")];

fn refuse<T>(message: String) -> Result<T, Refusal> {
    Err(Refusal::sentence(format!("'Globals' section is invalid. {message}")).fatal())
}

/// Looks whether the section is what it may be.
pub(crate) fn check(globals: &Node) -> Result<(), Refusal> {
    let Some(sections) = globals.as_map() else {
        return refuse("It must be a non-empty dictionary".to_owned());
    };
    for (name, properties) in sections.iter() {
        let Some((_, known)) = SECTIONS.iter().find(|(section, _)| *section == name) else {
            let mut names: Vec<&str> = SECTIONS.iter().map(|(section, _)| *section).collect();
            names.sort_unstable();
            return refuse(format!(
                "'{name}' is not supported. Must be one of the following values - {}",
                quoted(&names)
            ))
            .map_err(|refusal| refusal.at(sections.key_span(name)));
        };
        let Some(properties) = properties.as_map() else {
            return refuse("Value of ${section} must be a dictionary".to_owned())
                .map_err(|refusal| refusal.at(properties.span));
        };
        if let Some(unknown) = properties.keys().find(|key| !known.contains(key)) {
            return refuse(format!(
                "'{unknown}' is not a supported property of '{name}'. Must be one of the following values - {}",
                quoted(known)
            ))
            .map_err(|refusal| refusal.at(properties.key_span(unknown)));
        }
    }
    Ok(())
}

fn quoted(names: &[&str]) -> String {
    format!("[{}]", names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", "))
}

/// Merges them into every resource.
pub(crate) fn merge(globals: Option<&Node>, context: &mut Context) -> Result<(), Refusal> {
    if let Some(globals) = globals {
        check(globals).map_err(|refusal| refusal.at(globals.span))?;
        for id in context.ordered_ids() {
            merge_into(&id, globals, context)?;
        }
    }
    fix_versions(context);
    Ok(())
}

fn merge_into(id: &str, globals: &Node, context: &mut Context) -> Result<(), Refusal> {
    let Some(kind) = context.kind_of(id).and_then(|kind| kind.strip_prefix("AWS::Serverless::")) else {
        return Ok(());
    };
    let Some(section) = globals.get(kind).and_then(Node::as_map) else {
        return Ok(());
    };
    let kind = kind.to_owned();
    let (mut section, mut copied) = (section.clone(), false);
    let Some(resource) = context.resources.get_mut(id).and_then(Node::as_map_mut) else {
        return Ok(());
    };
    let attribute = |what: String| Err(Refusal::resource(id, what).fatal());
    match resource.get("IgnoreGlobals").filter(|ignored| ignored.truthy()).map(|ignored| &ignored.value) {
        None => {}
        Some(Value::String(all)) if all == "*" => section = Map::new(),
        Some(Value::List(names)) => {
            copied = !names.is_empty();
            for name in names {
                let name = name.as_str().map_or_else(|| name.display(), str::to_owned);
                if section.remove(&name).is_none() {
                    return attribute(format!(
                        "Resource {id} has invalid resource attribute 'IgnoreGlobals' on item '{name}'."
                    ));
                }
            }
        }
        Some(_) => return attribute(format!("Resource {id} has invalid resource attribute 'IgnoreGlobals'.")),
    }
    let own = resource.get("Properties").cloned().unwrap_or_else(|| Node::from(Map::new()));
    let mut merge = Merge { kind: &kind, copied, tables: Tables::new() };
    let merged = merge.merged("", &Node::from(section), own);
    resource.insert("Properties", merged);
    context.tables.insert(id.to_owned(), merge.tables);
    Ok(())
}

/// Merges Globals into one resource.
struct Merge<'a> {
    /// The resource's type without `AWS::Serverless::`.
    kind: &'a str,
    /// Whether it has a copy of its own of the Globals.
    copied: bool,
    /// The tables of what was merged, by path: the order of their keys is in the name of an API's
    /// deployment.
    tables: Tables,
}

impl Merge<'_> {
    fn merged(&mut self, path: &str, global: &Node, own: Node) -> Node {
        let kind = self.kind;
        if REPLACED.contains(&(kind, path)) && !own.is_intrinsic() && own.as_str().is_none() {
            return own;
        }
        let span = own.span.or(global.span);
        match (&global.value, own.value) {
            (Value::Map(all), Value::Map(own)) if !is_intrinsic(all) && !is_intrinsic(&own) => {
                let mut out = all.clone();
                let names: Vec<String> = own.keys().map(str::to_owned).collect();
                if (kind, path) == ("CapacityProvider", "ManagedResourceTags") && !own.is_empty() {
                    // Only what the resource names itself stays.
                    out = all
                        .iter()
                        .filter(|(key, _)| own.contains_key(key))
                        .map(|(key, value)| (key, value.clone()))
                        .collect();
                }
                let places: Vec<_> = own.keys().map(|name| own.key_span(name)).collect();
                for ((key, value), place) in own.into_iter().zip(places) {
                    let child = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    let value = match out.get(&key) {
                        Some(global) => self.merged(&child, global, value),
                        None => value,
                    };
                    out.insert_spanned(key, place, value);
                }
                if kind == "Api" {
                    self.tables.insert(path.to_owned(), self.table(all, &names));
                }
                Node::from(out).at(span)
            }
            (Value::List(all), Value::List(own)) => {
                let mut out = all.clone();
                out.extend(own);
                Node::from(out).at(span)
            }
            (_, own) => Node { value: own, span },
        }
    }

    /// The table of a dictionary that is a copy of `all` to which the keys of `own` were added.
    fn table(&self, all: &Map, own: &[String]) -> Keys {
        let filled = |names: &mut dyn Iterator<Item = &str>, room: usize| {
            let mut keys = Keys::default();
            keys.reserve(room);
            names.for_each(|name| keys.add(name));
            keys
        };
        let mut before = filled(&mut all.keys(), 0);
        before.become_copy(u32::from(self.copied));
        let mut after = filled(&mut before.iter(), all.len());
        filled(&mut own.iter().map(String::as_str), 0).iter().for_each(|name| after.add(name));
        after
    }
}

/// What counts as an intrinsic function when Globals are merged.
fn is_intrinsic(map: &Map) -> bool {
    map.only().is_some_and(|(key, _)| key == "Ref" || key == "Condition" || key.starts_with("Fn::"))
}

/// The bodies that the transform writes say which version of OpenAPI they are, when the API says so.
fn fix_versions(context: &mut Context) {
    for id in context.managed.clone() {
        if context.kind_of(&id) != Some("AWS::Serverless::Api") {
            continue;
        }
        let version = context.properties_of(&id).and_then(|properties| properties.get("OpenApiVersion")).cloned();
        let Some(version) = version.filter(|version| is_version_3(&Py::from(version))) else { continue };
        let mut value = Py::from(&version);
        if value.as_str().is_none() {
            value = value.display().into();
            if let Some(properties) = context
                .resources
                .get_mut(&id)
                .and_then(Node::as_map_mut)
                .and_then(|resource| resource.get_mut("Properties"))
                .and_then(Node::as_map_mut)
            {
                properties.insert("OpenApiVersion", value.to_node(version.span));
            }
        }
        if let Some(body) = context.bodies.get_mut(&id).and_then(Py::as_dict_mut) {
            body.insert("openapi", value);
            if body.get("swagger").is_some_and(Py::truthy) {
                body.remove("swagger");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_merge_lists_join_and_the_resource_wins() {
        let node = |json: serde_json::Value| Node::from(json);
        let global = node(serde_json::json!({"Environment": {"Variables": {"A": 1, "B": 2}}, "Layers": ["x"],
            "Architectures": ["arm64"], "Timeout": 3}));
        let own = node(serde_json::json!({"Environment": {"Variables": {"B": 3}}, "Layers": ["y"],
            "Architectures": ["x86_64"], "Timeout": {"Ref": "T"}}));
        let mut merge = Merge { kind: "Function", copied: false, tables: Tables::new() };
        assert_eq!(
            merge.merged("", &global, own).to_json(),
            serde_json::json!({"Environment": {"Variables": {"A": 1, "B": 3}}, "Layers": ["x", "y"],
                "Architectures": ["x86_64"], "Timeout": {"Ref": "T"}})
        );
    }
}
