//! `AWS::Serverless::Function`: the function, its role, its version and alias, its URL, and what its
//! events need.

mod code;
mod invoke_config;
mod publish;
mod url;

use super::Resource;
use crate::template::{Map, Node};
use crate::transform::build::{Read, conditional, if_arguments, list, map, not, tag_list, text};
use crate::transform::context::Context;
use crate::transform::event::{self, Called, Event, Target};
use crate::transform::generated::{Generated, propagate_tags};
use crate::transform::partition;
use crate::transform::policies::{Role, managed_policy_arn, trust};
use crate::transform::property::{Kind, Property, optional};
use crate::transform::refusal::Refusal;
use crate::transform::schema::{self, Field, Shape, may, must};

pub(crate) use code::{S3Uri, s3_location};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("FunctionName", Kind::TextOrMap).passed(),
    optional("Handler", Kind::Any).passed(),
    optional("Runtime", Kind::Any).passed(),
    optional("CodeUri", Kind::Any),
    optional("ImageUri", Kind::Any),
    optional("PackageType", Kind::Any).passed(),
    optional("InlineCode", Kind::Any),
    optional("DeadLetterQueue", Kind::Map),
    optional("Description", Kind::Any).passed(),
    optional("MemorySize", Kind::Any).passed(),
    optional("Timeout", Kind::Any).passed(),
    optional("VpcConfig", Kind::Any).passed(),
    optional("Role", Kind::Text).passed(),
    optional("AssumeRolePolicyDocument", Kind::Map),
    optional("Policies", Kind::Policies),
    optional("RolePath", Kind::Any),
    optional("PermissionsBoundary", Kind::Text),
    optional("Environment", Kind::MapOfMaps).passed(),
    optional("Events", Kind::MapOfMaps),
    optional("Tags", Kind::Map),
    optional("PropagateTags", Kind::Bool),
    optional("Tracing", Kind::TextOrMap),
    optional("KmsKeyArn", Kind::Any).passed(),
    optional("DeploymentPreference", Kind::Map),
    optional("ReservedConcurrentExecutions", Kind::Any).passed(),
    optional("Layers", Kind::ListOfTextOrMap).passed(),
    optional("EventInvokeConfig", Kind::Map),
    optional("EphemeralStorage", Kind::Any).passed(),
    optional("AutoPublishAlias", Kind::TextAlone),
    optional("AutoPublishCodeSha256", Kind::TextAlone),
    optional("AutoPublishAliasAllProperties", Kind::Bool).literal(),
    optional("VersionDescription", Kind::Any),
    optional("ProvisionedConcurrencyConfig", Kind::Any),
    optional("FileSystemConfigs", Kind::Any).passed(),
    optional("ImageConfig", Kind::Any).passed(),
    optional("CodeSigningConfigArn", Kind::Any).passed(),
    optional("Architectures", Kind::Any).passed(),
    optional("SnapStart", Kind::Map).passed(),
    optional("FunctionUrlConfig", Kind::Map),
    optional("RuntimeManagementConfig", Kind::Any).passed(),
    optional("LoggingConfig", Kind::Any).passed(),
    optional("RecursiveLoop", Kind::Any).passed(),
    optional("SourceKMSKeyArn", Kind::Any),
    optional("CapacityProviderConfig", Kind::Map),
    optional("FunctionScalingConfig", Kind::Map),
    optional("VersionDeletionPolicy", Kind::OneOf(&["Delete", "Retain"])),
    optional("PublishToLatestPublished", Kind::Any).passed(),
    optional("TenancyConfig", Kind::Any).passed(),
    optional("DurableConfig", Kind::Map).passed(),
];

/// What can be referred to of it.
pub(super) const REFERABLE: &[(&str, &str)] = &[
    ("Alias", "AWS::Lambda::Alias"),
    ("Version", "AWS::Lambda::Version"),
    ("DestinationTopic", "AWS::SNS::Topic"),
    ("DestinationQueue", "AWS::SQS::Queue"),
];

/// Tags that SAM and the Serverless Application Repository set themselves.
const RESERVED_TAGS: [&str; 3] = ["lambda:createdBy", "serverlessrepo:applicationId", "serverlessrepo:semanticVersion"];

/// The function and everything that comes with it.
pub(super) fn expand(resource: &mut Resource, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let events = read_events(resource, context)?;
    check(resource)?;
    let mut function = function(resource, context)?;
    if resource.truthy("ProvisionedConcurrencyConfig").is_some() && resource.truthy("AutoPublishAlias").is_none() {
        return resource.refuse("To set ProvisionedConcurrencyConfig AutoPublishALias must be defined on the function");
    }
    let mut made = Vec::new();
    let mut published = publish::publish(resource, &mut function, context)?;
    if let Some(config) = resource.truthy("FunctionUrlConfig") {
        made.extend(url::expand(resource, config, published.as_ref().map(|published| published.alias.id.as_str()))?);
    }
    publish::prefer(resource, published.as_mut(), context)?;
    let mut invoke_policies = Vec::new();
    if let Some(config) = resource.truthy("EventInvokeConfig") {
        let alias = published.as_ref().map(|published| (published.name.as_str(), published.alias.id.as_str()));
        let (resources, policies) = invoke_config::expand(resource, config, alias, context)?;
        made.extend(resources);
        invoke_policies = policies;
    }
    let mut role = role(resource, invoke_policies, context)?;
    let keep_role = assign_role(resource, &mut function, &mut role, context)?;
    let mut target = Target {
        id: published.as_ref().map_or(resource.id.as_str(), |published| &published.alias.id).to_owned(),
        called: if published.is_some() { Called::FunctionAlias } else { Called::Function },
        attributes: resource.passed_through(),
        role: Some(role),
        boundary: None,
    };
    let mut from_events = Vec::new();
    for event in events {
        let generated = event.expand(&mut target, context).map_err(|refusal| refusal.of_resource(&resource.id))?;
        from_events.extend(generated);
    }
    let mut all = vec![function];
    if let Some(published) = published {
        all.extend([published.version, published.alias]);
    }
    all.extend(made);
    if keep_role {
        all.extend(target.role);
    }
    all.extend(from_events);
    let propagate = resource.truthy("PropagateTags").is_some();
    propagate_tags(&mut all, resource.get("Tags"), propagate);
    Ok(all)
}

/// The function's events in the order in which the published transform expands them: by path, or by
/// name where there is none, so that `$default` comes before the paths that it covers.
fn read_events(resource: &Resource, context: &Context) -> Result<Vec<Event>, Refusal> {
    let Some(events) = resource.truthy("Events").and_then(Node::as_map) else {
        return Ok(Vec::new());
    };
    let of_function = |refusal: Refusal| refusal.of_resource(&resource.id);
    let mut read = Vec::with_capacity(events.len());
    for name in event::in_order(events, context) {
        let Some(node) = events.get(&name) else { continue };
        let event = Event::read(&resource.id, &name, node, event::KINDS).map_err(of_function)?;
        event.link(context).map_err(of_function)?;
        let key = node.path(&["Properties", "Path"]).map_or_else(|| name.clone(), Read::display);
        read.push((key, event));
    }
    read.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(read.into_iter().map(|(_, event)| event).collect())
}

fn check(resource: &Resource) -> Result<(), Refusal> {
    let mut problems = Vec::new();
    for [a, b] in [["CapacityProviderConfig", "ProvisionedConcurrencyConfig"], ["CapacityProviderConfig", "VpcConfig"]]
    {
        if resource.get(a).is_some() && resource.get(b).is_some() {
            problems.push(format!("Cannot specify '{a}' and '{b}' together."));
        }
    }
    for [a, b] in [["FunctionScalingConfig", "CapacityProviderConfig"], ["VersionDeletionPolicy", "AutoPublishAlias"]] {
        if resource.get(a).is_some() && resource.get(b).is_none() {
            problems.push(format!("'{a}' requires '{b}'."));
        }
    }
    if !problems.is_empty() {
        return resource.refuse(problems.join("\n"));
    }
    if let Some(queue) = resource.truthy("DeadLetterQueue") {
        let given = |name: &str| queue.get(name).filter(|value| value.truthy());
        let (Some(kind), Some(_)) = (given("Type"), given("TargetArn")) else {
            return resource.refuse("'DeadLetterQueue' requires Type and TargetArn properties to be specified.");
        };
        match kind.as_str() {
            Some("SQS" | "SNS") => {}
            Some(_) => return resource.refuse("'DeadLetterQueue' requires Type of ['SQS', 'SNS']"),
            None => return resource.refuse("Property 'DeadLetterQueue.Type' should be a string."),
        }
    }
    check_tenancy(resource)
}

fn check_tenancy(resource: &Resource) -> Result<(), Refusal> {
    if resource.truthy("TenancyConfig").is_none() {
        return Ok(());
    }
    for (name, what) in [
        ("ProvisionedConcurrencyConfig", "Provisioned concurrency"),
        ("FunctionUrlConfig", "Function URL"),
        ("SnapStart", "SnapStart"),
    ] {
        if resource.truthy(name).is_some() {
            return resource
                .refuse(format!("{what} is not supported for functions enabled with tenancy configuration."));
        }
    }
    for (_, event) in resource.get("Events").and_then(Node::as_map).into_iter().flat_map(Map::iter) {
        let kind = event.get("Type").map_or_else(|| "None".to_owned(), Read::display);
        if !matches!(kind.as_str(), "Api" | "HttpApi") {
            return resource.refuse(format!(
                "Event source '{kind}' is not supported for functions enabled with tenancy configuration. Only Api \
                 and HttpApi event sources are supported."
            ));
        }
    }
    Ok(())
}

fn function(resource: &mut Resource, context: &Context) -> Result<Generated, Refusal> {
    let mut function = resource.main(&resource.id, "AWS::Lambda::Function")?;
    function.set("Code", code::code(resource)?);
    function.pass(&resource.properties, PROPERTIES);
    if resource.truthy("FunctionName").is_none() {
        function.properties.remove("FunctionName");
    }
    function.set("Tags", Node::from(tags(resource)?));
    if traced(resource, context)? {
        let mode = resource.get("Tracing").cloned().unwrap_or_default();
        function.set("TracingConfig", map([("Mode", mode)]));
    }
    if let Some(queue) = resource.truthy("DeadLetterQueue") {
        let arn = queue.get("TargetArn").cloned().unwrap_or_default();
        function.set("DeadLetterConfig", map([("TargetArn", arn)]));
    }
    if let Some(config) = resource.truthy("CapacityProviderConfig") {
        function.set("CapacityProviderConfig", capacity_provider(resource, config)?);
    }
    function.set("FunctionScalingConfig", resource.truthy("FunctionScalingConfig").cloned());
    code::check_package_type(resource)?;
    Ok(function)
}

/// What `CapacityProviderConfig` may hold.
const CAPACITY: &[Field] = &[
    must("Arn", schema::TEXT),
    may("PerExecutionEnvironmentMaxConcurrency", Shape::OrMap(&Shape::Integer)),
    may("ExecutionEnvironmentMemoryGiBPerVCpu", Shape::OrMap(&Shape::Either(&Shape::Integer, &Shape::Number))),
];

fn capacity_provider(resource: &Resource, config: &Node) -> Result<Node, Refusal> {
    let given = config.as_map().cloned().unwrap_or_default();
    let read = match schema::read_model("CapacityProviderConfig", &given, CAPACITY) {
        Ok(read) => read,
        Err((message, span)) => {
            let message = format!("Invalid CapacityProviderConfig: {message}");
            return Err(Refusal::resource(resource.id.as_str(), message).at(span.or(config.span)));
        }
    };
    let mut managed = Map::new();
    managed.insert("CapacityProviderArn", read.get("Arn").cloned().unwrap_or_default());
    for name in ["PerExecutionEnvironmentMaxConcurrency", "ExecutionEnvironmentMemoryGiBPerVCpu"] {
        if let Some(value) = read.get(name) {
            managed.insert(name, value.clone());
        }
    }
    Ok(map([("LambdaManagedInstancesCapacityProviderConfig", Node::from(managed))]))
}

/// Whether X-Ray is on: `Disabled` is the same as nothing. What is below an intrinsic function stays
/// resolved.
fn traced(resource: &mut Resource, context: &Context) -> Result<bool, Refusal> {
    let Some(tracing) = resource.properties.get_mut("Tracing").filter(|tracing| tracing.truthy()) else {
        return Ok(false);
    };
    Ok(context.parameters.resolve(tracing)?.as_str() != Some("Disabled"))
}

/// The function's tags, SAM's own first.
pub(super) fn tags(resource: &Resource) -> Result<Vec<Node>, Refusal> {
    tags_with(resource, &[])
}

/// A resource's tags, SAM's own and further ones first.
pub(super) fn tags_with(resource: &Resource, more: &[(&str, Option<&Node>)]) -> Result<Vec<Node>, Refusal> {
    let own = resource.get("Tags").and_then(Node::as_map);
    for reserved in RESERVED_TAGS {
        if own.is_some_and(|tags| tags.contains_key(reserved)) {
            return resource.refuse(format!(
                "{reserved} is a reserved Tag key name and cannot be set on your resource. Please change the tag key \
                 in the input."
            ));
        }
    }
    let mut tags = vec![map([("Key", text("lambda:createdBy")), ("Value", text("SAM"))])];
    tags.extend(tag_list(more.iter().filter_map(|(name, value)| Some((*name, (*value)?)))));
    tags.extend(tag_list(own.into_iter().flat_map(Map::iter)));
    Ok(tags)
}

fn role(resource: &mut Resource, invoke_policies: Vec<Node>, context: &Context) -> Result<Generated, Refusal> {
    let partition = context.partition;
    let basic = if resource.truthy("DurableConfig").is_some() {
        "service-role/AWSLambdaBasicDurableExecutionRolePolicy"
    } else {
        "service-role/AWSLambdaBasicExecutionRole"
    };
    let mut managed = vec![managed_policy_arn(partition, basic)];
    if traced(resource, context)? {
        managed.push(managed_policy_arn(partition, partition::named(partition).tracing_policy));
    }
    if resource.truthy("VpcConfig").is_some() {
        managed.push(managed_policy_arn(partition, "service-role/AWSLambdaVPCAccessExecutionRole"));
    }
    let mut documents = Vec::new();
    if let Some(queue) = resource.truthy("DeadLetterQueue") {
        let action =
            if queue.get("Type").and_then(Node::as_str) == Some("SQS") { "sqs:SendMessage" } else { "sns:Publish" };
        let statement = map([
            ("Action", text(action)),
            ("Resource", queue.get("TargetArn").cloned().unwrap_or_default()),
            ("Effect", text("Allow")),
        ]);
        let document = map([("Version", text("2012-10-17")), ("Statement", list([statement]))]);
        documents.push(map([("PolicyName", text("DeadLetterQueuePolicy")), ("PolicyDocument", document)]));
    }
    documents.extend(invoke_policies);
    Role {
        owner: &resource.id,
        attributes: &resource.passed_through(),
        trust: resource.get("AssumeRolePolicyDocument").cloned().unwrap_or_else(|| trust("lambda.amazonaws.com")),
        managed,
        documents,
        policies: resource.get("Policies"),
        path: resource.get("RolePath"),
        boundary: resource.get("PermissionsBoundary"),
        tags: tags(resource)?,
    }
    .build(context)
}

/// Gives the function its role; `true` when the generated one is needed. A role that is there only
/// under a condition leaves the generated one for the other case.
fn assign_role(
    resource: &Resource,
    function: &mut Generated,
    role: &mut Generated,
    context: &mut Context,
) -> Result<bool, Refusal> {
    let Some(given) = function.properties.get_mut("Role") else {
        function.set("Role", role.arn());
        return Ok(true);
    };
    if given.as_if().is_none() {
        return Ok(false);
    }
    let resolved = context.parameters.resolve(given)?;
    let Some(arguments) = resolved.as_if() else {
        return Ok(false);
    };
    let [condition, then, otherwise] = match if_arguments(arguments) {
        Ok(arguments) => arguments,
        Err(message) => return resource.refuse(format!("Malformed 'Role' property: {message}.")),
    };
    let value = match (then.is_no_value(), otherwise.is_no_value()) {
        (true, true) => role.arn(),
        (true, false) => {
            role.attributes.insert("Condition", condition.clone());
            conditional(condition, role.arn(), Some(otherwise.clone()))
        }
        (false, true) => {
            let name = condition.as_str().map_or_else(|| condition.display(), str::to_owned);
            let opposite = format!("NOT{name}");
            role.attributes.insert("Condition", text(opposite.as_str()));
            context.add_condition(&resource.id, &opposite, not(&name))?;
            conditional(condition, then.clone(), Some(role.arn()))
        }
        (false, false) => return Ok(false),
    };
    function.set("Role", value);
    Ok(true)
}
