//! `AWS::Serverless::WebFunction`: a function that answers HTTP itself, with a revision of its code
//! and an endpoint.

use std::collections::BTreeSet;

use super::Resource;
use super::function::{s3_location, tags};
use crate::template::{Map, Node, Value};
use crate::transform::build::{Read, get_att, list, map, reference, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::policies::{Role, managed_policy_arn, trust};
use crate::transform::property::{Kind, Property, optional};
use crate::transform::refusal::Refusal;

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("FunctionName", Kind::TextOrMap),
    optional("Tags", Kind::Map),
    optional("ReplicaRegions", Kind::ListOrMap),
    optional("AuthType", Kind::Any),
    optional("Runtime", Kind::Any),
    optional("CodeUri", Kind::Any),
    optional("InlineCode", Kind::Any),
    optional("RevisionDescription", Kind::Any),
    optional("KmsKeyArn", Kind::Any),
    optional("ExecutionRoleArn", Kind::Text),
    optional("EnvironmentVariables", Kind::Map),
    optional("EntryPoint", Kind::Any),
    optional("MaxConcurrencyPerEnvironment", Kind::Any),
    optional("EgressNetworkConnectorArn", Kind::Any),
    optional("Timeout", Kind::Integer),
    optional("LoggingConfig", Kind::Any),
    optional("RevisionWeights", Kind::Any),
    optional("EndpointName", Kind::Any),
    optional("EndpointType", Kind::Any),
    optional("EndpointDescription", Kind::Any),
    optional("ScalingConfig", Kind::Any),
    optional("ThrottleConfig", Kind::Any),
    optional("AutoDeploymentMode", Kind::Any),
];

/// Groups of regions that `ReplicaRegions` may name.
const REGION_GROUPS: &[(&str, &[&str])] = &[
    ("US", &["us-east-1", "us-east-2", "us-west-1", "us-west-2"]),
    ("AP", &["ap-south-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-southeast-1", "ap-southeast-2"]),
    ("CA", &["ca-central-1"]),
    ("EU", &["eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1"]),
    ("SA", &["sa-east-1"]),
    (
        "SPARSE_GLOBAL",
        &["us-east-1", "eu-west-1", "eu-central-1", "ap-northeast-1", "ap-southeast-2", "sa-east-1", "ap-southeast-1"],
    ),
];

const TIMEOUT_S: std::ops::RangeInclusive<i64> = 3..=900;
const DEFAULT_TIMEOUT_S: i64 = 30;
const LONGEST_VARIABLE: usize = 4096;
/// What a made name may take of Lambda's 64 letters: the rest is for a part of the stack's ID.
const LONGEST_NAME: usize = 55;

/// The function, its revision, its endpoint, and its role when it has none.
pub(super) fn expand(resource: &mut Resource, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    check(resource, context)?;
    let mut all = Vec::new();
    let role_arn = match resource.get("ExecutionRoleArn") {
        Some(arn) => arn.clone(),
        None => {
            let role = role(resource, context)?;
            let arn = role.arn();
            all.push(role);
            arn
        }
    };
    let mut function = resource.main(&resource.id, "AWS::Lambda::WebFunction")?;
    function.set("FunctionName", name(resource));
    function.set("Tags", Node::from(tags(resource)?));
    let mut revision = made(resource, "Revision", "AWS::Lambda::WebFunctionRevision")?;
    revision.depend_on([function.id.as_str()]);
    revision.set("Description", resource.get("RevisionDescription").cloned());
    revision.set("KmsKeyArn", resource.get("KmsKeyArn").cloned());
    revision.set("BuildConfig", build(resource)?);
    revision.set("ServiceConfig", service(resource, role_arn)?);
    let mut endpoint = made(resource, "Endpoint", "AWS::Lambda::WebFunctionEndpoint")?;
    endpoint.depend_on([function.id.as_str(), revision.id.as_str()]);
    for (property, default) in [("EndpointName", "prod"), ("EndpointType", "HomeRegion")] {
        endpoint.set(property, resource.truthy(property).cloned().unwrap_or_else(|| text(default)));
    }
    endpoint.set("AuthType", resource.get("AuthType").cloned());
    endpoint.set("RevisionWeights", weights(resource, &revision.id));
    endpoint.set("Regions", regions(resource)?);
    endpoint.set("Description", resource.get("EndpointDescription").cloned());
    endpoint.copy(&resource.properties, &["ScalingConfig", "ThrottleConfig"]);
    all.extend([function, revision, endpoint]);
    Ok(all)
}

fn made(resource: &Resource, suffix: &str, kind: &'static str) -> Result<Generated, Refusal> {
    let mut made = Generated::new(format!("{}{suffix}", resource.id), kind, &resource.passed_through())?;
    made.set("FunctionName", name(resource));
    Ok(made)
}

/// The function's name, which all three have to know: `Ref` would be its ARN. One that is made has a
/// part of the stack's ID in it, so that two stacks do not meet.
fn name(resource: &Resource) -> Node {
    if let Some(given) = resource.truthy("FunctionName") {
        return given.clone();
    }
    let split = |by: &str, what: Node| map([("Fn::Split", list([text(by), what]))]);
    let select = |index: i64, of: Node| map([("Fn::Select", list([Node::from(index), of]))]);
    let guid = select(2, split("/", reference("AWS::StackId")));
    let suffix = map([("StackIdSuffix", select(0, split("-", guid)))]);
    let kept = &resource.id[..resource.id.len().min(LONGEST_NAME)];
    map([("Fn::Sub", list([text(format!("{kept}-${{StackIdSuffix}}")), suffix]))])
}

fn role(resource: &Resource, context: &Context) -> Result<Generated, Refusal> {
    Role {
        owner: &resource.id,
        attributes: &resource.passed_through(),
        trust: trust("lambda.amazonaws.com"),
        managed: vec![managed_policy_arn(context.partition, "service-role/AWSLambdaBasicExecutionRole")],
        documents: Vec::new(),
        policies: None,
        path: None,
        boundary: None,
        tags: tags(resource)?,
    }
    .build(context)
}

/// An integer as Python sees it: `true` is one.
fn integer(node: &Node) -> Option<i64> {
    node.as_i64().or_else(|| node.as_bool().map(i64::from))
}

fn check(resource: &mut Resource, context: &Context) -> Result<(), Refusal> {
    check_deployment(resource, context)?;
    if resource.get("Timeout").and_then(integer).is_some_and(|timeout| !TIMEOUT_S.contains(&timeout)) {
        return resource.refuse(format!(
            "'Timeout' must be an integer between {} and {}.",
            TIMEOUT_S.start(),
            TIMEOUT_S.end()
        ));
    }
    if let Some(weights) = resource.truthy("RevisionWeights") {
        check_weights(resource, weights)?;
    }
    let variables = resource.truthy("EnvironmentVariables").filter(|variables| !variables.is_intrinsic());
    for (name, value) in variables.and_then(Node::as_map).into_iter().flat_map(Map::iter) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.bytes().all(plain) {
            return resource
                .refuse(format!("Environment variable key '{name}' must match pattern '^[a-zA-Z][a-zA-Z0-9_]*$'."));
        }
        match value.as_str() {
            Some("") => return resource.refuse(format!("Environment variable '{name}' value must not be empty.")),
            Some(text) if text.chars().count() > LONGEST_VARIABLE => {
                return resource.refuse(format!(
                    "Environment variable '{name}' value exceeds maximum length of {LONGEST_VARIABLE} characters."
                ));
            }
            _ => {}
        }
    }
    let connector = resource.get("EgressNetworkConnectorArn").and_then(Node::as_str);
    if connector.is_some_and(|arn| !is_versioned_connector(arn)) {
        return resource.refuse(
            "'EgressNetworkConnectorArn' must be a version-qualified network-connector ARN (ending in ':<version>', \
             e.g. the connector's LatestVersionArn).",
        );
    }
    Ok(())
}

/// `arn:partition:lambda:region:account:network-connector:name:version`
fn is_versioned_connector(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    let [start, partition, service, _, _, kind, name, version] = parts.as_slice() else { return false };
    let full = [partition, name, version].iter().all(|part| !part.is_empty());
    full && *start == "arn" && *service == "lambda" && *kind == "network-connector"
}

/// What a property comes to, or its default. What is below an intrinsic function stays resolved.
fn resolved(resource: &mut Resource, name: &str, default: &str, context: &Context) -> Result<Node, Refusal> {
    let given = resource.properties.get_mut(name);
    let resolved = given.map(|given| context.parameters.resolve(given)).transpose()?;
    Ok(resolved.filter(Node::truthy).unwrap_or_else(|| text(default)))
}

fn check_deployment(resource: &mut Resource, context: &Context) -> Result<(), Refusal> {
    const MODES: &str = "['LatestRevision', 'Disabled']";
    let mode = resolved(resource, "AutoDeploymentMode", "LatestRevision", context)?;
    if mode.is_intrinsic() {
        return resource.refuse(format!(
            "'AutoDeploymentMode' must resolve to one of {MODES} at transform time; unresolved intrinsic functions are \
             not supported because it is not passed through to CloudFormation."
        ));
    }
    let latest = match mode.as_str() {
        Some("LatestRevision") => true,
        Some("Disabled") => false,
        _ => {
            return resource.refuse(format!("'AutoDeploymentMode' must be one of {MODES}, got '{}'.", mode.display()));
        }
    };
    if resource.truthy("AuthType").is_none() {
        return resource.refuse(
            "'AuthType' is required. Specify 'IamAuth' (Lambda authorizes requests with SigV4/IAM) or \
             'ApplicationManaged' (the endpoint is public and your function handles authorization).",
        );
    }
    let endpoint = resolved(resource, "EndpointType", "HomeRegion", context)?;
    let regional = endpoint.as_str().filter(|kind| matches!(*kind, "MultiRegion" | "PerRegion"));
    let weighted = resource.truthy("RevisionWeights").is_some();
    match (latest, regional) {
        (true, _) if weighted => {
            resource.refuse("'RevisionWeights' cannot be specified when 'AutoDeploymentMode' is 'LatestRevision'.")
        }
        (true, Some(kind)) => {
            resource.refuse(format!("'AutoDeploymentMode' must be 'Disabled' when 'EndpointType' is '{kind}'."))
        }
        (false, None) if !weighted => resource.refuse(
            "'RevisionWeights' must be specified when 'AutoDeploymentMode' is 'Disabled'. Set 'AutoDeploymentMode' to \
             'LatestRevision' to route all traffic to the latest revision.",
        ),
        _ => Ok(()),
    }
}

fn check_weights(resource: &Resource, weights: &Node) -> Result<(), Refusal> {
    let Some(entries) = weights.as_map() else {
        return resource
            .refuse("'RevisionWeights' must be a map of revision IDs to weights (e.g., {\"rev-id\": 100}).");
    };
    if weights.is_intrinsic() {
        return resource.refuse(
            "'RevisionWeights' does not support top-level intrinsic functions; provide a map of revision IDs to \
             weights (e.g., {\"rev-id\": 100}). Intrinsic functions may be used for individual weight values.",
        );
    }
    for (_, weight) in entries.iter() {
        match integer(weight) {
            Some(number) if !(1..=100).contains(&number) => {
                return resource
                    .refuse(format!("'RevisionWeights' values must be between 1 and 100, got {}.", weight.display()));
            }
            None if !weight.is_intrinsic() => {
                return resource.refuse("'RevisionWeights' values must be integers or intrinsic functions.");
            }
            _ => {}
        }
    }
    if entries.len() > 2 {
        return resource.refuse("'RevisionWeights' supports a maximum of 2 entries.");
    }
    let numbers: Option<Vec<i64>> = entries.iter().map(|(_, weight)| integer(weight)).collect();
    match numbers.map(|numbers| numbers.iter().sum::<i64>()) {
        Some(total) if total != 100 => {
            resource.refuse(format!("'RevisionWeights' values must sum to 100, got {total}."))
        }
        _ => Ok(()),
    }
}

fn build(resource: &Resource) -> Result<Node, Refusal> {
    if resource.get("CodeUri").is_some() && resource.get("InlineCode").is_some() {
        return resource.refuse("Only one of 'InlineCode' or 'CodeUri' can be set.");
    }
    let Some(uri) = resource.truthy("CodeUri") else {
        return resource.refuse(if resource.truthy("InlineCode").is_some() {
            "'InlineCode' is not yet supported for 'AWS::Serverless::WebFunction'. Please use 'CodeUri' instead."
        } else {
            "Either 'InlineCode' or 'CodeUri' must be set."
        });
    };
    let found = s3_location(&resource.id, "CodeUri", uri)?;
    let mut location = Map::new();
    for (from, to) in [("S3Bucket", "Bucket"), ("S3Key", "Key"), ("S3ObjectVersion", "VersionId")] {
        if let Some(value) = found.get(from) {
            location.insert(to, value.clone());
        }
    }
    let Some(runtime) = resource.get("Runtime") else {
        return resource.refuse("'Runtime' is required.");
    };
    Ok(map([
        ("CodeConfig", map([("S3Object", Node::from(location))])),
        ("RuntimeConfig", map([("Runtime", runtime.clone())])),
    ]))
}

fn service(resource: &Resource, role: Node) -> Result<Node, Refusal> {
    let mut service = Map::new();
    service.insert("ExecutionRoleArn", role);
    let variables = resource.truthy("EnvironmentVariables");
    let entry = resource.truthy("EntryPoint");
    match variables.filter(|variables| variables.is_intrinsic()) {
        Some(_) if entry.is_some() => {
            return resource
                .refuse("'EntryPoint' cannot be used when 'EnvironmentVariables' is an intrinsic function.");
        }
        Some(variables) => {
            service.insert("EnvironmentVariables", variables.clone());
        }
        None => {
            let given = variables.and_then(Node::as_map).into_iter().flat_map(Map::iter);
            let mut all: Map = given.map(|(name, value)| (name, as_text(value))).collect();
            if let Some(entry) = entry {
                all.insert("AWS_LAMBDA_NODEJS_ENTRYPOINT", entry.clone());
            }
            if !all.is_empty() {
                service.insert("EnvironmentVariables", Node::from(all));
            }
        }
    }
    if let Some(logging) = resource.truthy("LoggingConfig") {
        service.insert("TelemetryConfig", map([("LoggingConfig", logging.clone())]));
    }
    for name in ["MaxConcurrencyPerEnvironment", "EgressNetworkConnectorArn"] {
        if let Some(value) = resource.get(name) {
            service.insert(name, value.clone());
        }
    }
    let timeout = resource.truthy("Timeout").cloned();
    service.insert("TimeoutSeconds", timeout.unwrap_or_else(|| Node::from(DEFAULT_TIMEOUT_S)));
    Ok(Node::from(service))
}

/// Variables are texts; numbers and booleans are written out.
fn as_text(value: &Node) -> Node {
    match &value.value {
        Value::Bool(flag) => text(if *flag { "true" } else { "false" }).at(value.span),
        Value::Number(_) => text(value.display()).at(value.span),
        _ => value.clone(),
    }
}

fn weights(resource: &Resource, revision: &str) -> Node {
    let weight = |id: Node, weight: Node| map([("RevisionId", id), ("Weight", weight)]);
    match resource.truthy("RevisionWeights").and_then(Node::as_map) {
        Some(given) => Node::from(given.iter().map(|(id, share)| weight(text(id), share.clone())).collect::<Vec<_>>()),
        None => list([weight(get_att(revision, "RevisionId"), Node::from(100))]),
    }
}

fn regions(resource: &Resource) -> Result<Option<Node>, Refusal> {
    let Some(given) = resource.get("ReplicaRegions") else {
        return Ok(None);
    };
    if given.is_intrinsic() {
        return Ok(Some(given.clone()));
    }
    if let Some(items) = given.as_list() {
        let (names, intrinsics) = divide(items);
        return Ok(Some(joined(expand_groups(resource, &names)?, intrinsics)));
    }
    let mut unknown: Vec<&str> = given.as_map().into_iter().flat_map(Map::keys).collect();
    unknown.retain(|key| !matches!(*key, "IncludeRegions" | "ExcludeRegions"));
    if !unknown.is_empty() {
        unknown.sort_unstable();
        let unknown: Vec<String> = unknown.iter().map(|key| format!("'{key}'")).collect();
        return resource.refuse(format!(
            "'ReplicaRegions' contains unrecognized keys: [{}]. Valid keys are: IncludeRegions, ExcludeRegions.",
            unknown.join(", ")
        ));
    }
    let part = |name: &str| given.get(name).filter(|value| value.truthy());
    let (include, exclude) = (part("IncludeRegions"), part("ExcludeRegions"));
    if exclude.is_some() && include.is_none() {
        return resource.refuse("'ExcludeRegions' requires 'IncludeRegions' to also be specified in 'ReplicaRegions'.");
    }
    if [include, exclude].into_iter().flatten().any(Read::is_intrinsic) {
        return resource.refuse("'IncludeRegions' and 'ExcludeRegions' do not support top-level intrinsic functions.");
    }
    for (name, value) in [("IncludeRegions", include), ("ExcludeRegions", exclude)] {
        if value.is_some_and(|value| value.as_list().is_none()) {
            return resource.refuse(format!("Property 'ReplicaRegions.{name}' should be a list."));
        }
    }
    let items = |value: Option<&Node>| value.and_then(Node::as_list).map(<[Node]>::to_vec).unwrap_or_default();
    let (include, exclude) = (items(include), items(exclude));
    let (included, intrinsics) = divide(&include);
    let (excluded, more) = divide(&exclude);
    if !more.is_empty() {
        return resource.refuse("'ExcludeRegions' does not support intrinsic functions in entries.");
    }
    if !excluded.is_empty() && !intrinsics.is_empty() {
        return resource.refuse(
            "'ExcludeRegions' cannot be used when 'IncludeRegions' contains intrinsic functions, because the exclusion \
             cannot be applied to an intrinsic value at transform time.",
        );
    }
    let mut names = expand_groups(resource, &included)?;
    let without = expand_groups(resource, &excluded)?;
    names.retain(|name| !without.contains(name));
    Ok(Some(joined(names, intrinsics)))
}

fn divide(items: &[Node]) -> (Vec<&str>, Vec<Node>) {
    let names = items.iter().filter_map(Node::as_str).collect();
    (names, items.iter().filter(|item| item.as_str().is_none()).cloned().collect())
}

fn joined(names: BTreeSet<String>, intrinsics: Vec<Node>) -> Node {
    Node::from(names.into_iter().map(text).chain(intrinsics).collect::<Vec<_>>())
}

/// The regions that names of regions and of groups stand for.
fn expand_groups(resource: &Resource, names: &[&str]) -> Result<BTreeSet<String>, Refusal> {
    let mut regions = BTreeSet::new();
    for name in names.iter().rev() {
        let upper = name.to_uppercase();
        let group = REGION_GROUPS.iter().filter(|(group, _)| upper == "ALL_STANDARD" || *group == upper);
        let mut members = group.flat_map(|(_, members)| members.iter().map(|region| (*region).to_owned())).peekable();
        if members.peek().is_some() {
            regions.extend(members);
        } else if name.contains('-') {
            regions.insert((*name).to_owned());
        } else {
            return resource.refuse(format!("Unknown region key or code: '{name}'."));
        }
    }
    Ok(regions)
}
