//! Events that Lambda fetches itself, from queues and streams: an event source mapping, and what the
//! function's role needs for it.

use super::{Event, Target};
use crate::template::{Map, Node};
use crate::transform::build::{Read, list, map, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::policies::{allow, grant, managed_policy_arn, named_policy};
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;

/// What all of them take, besides `BatchSize` and `StartingPosition`.
const SHARED: &[Property] = &[
    optional("StartingPositionTimestamp", Kind::Any).passed(),
    optional("Enabled", Kind::Bool).passed(),
    optional("MaximumBatchingWindowInSeconds", Kind::Integer).passed(),
    optional("MaximumRetryAttempts", Kind::Integer).passed(),
    optional("BisectBatchOnFunctionError", Kind::Bool).passed(),
    optional("MaximumRecordAgeInSeconds", Kind::Integer).passed(),
    optional("DestinationConfig", Kind::Map),
    optional("ParallelizationFactor", Kind::Integer).passed(),
    optional("Topics", Kind::List).passed(),
    optional("Queues", Kind::List).passed(),
    optional("SourceAccessConfigurations", Kind::List).passed(),
    optional("SecretsManagerKmsKeyId", Kind::Text),
    optional("TumblingWindowInSeconds", Kind::Integer).passed(),
    optional("FunctionResponseTypes", Kind::List).passed(),
    optional("KafkaBootstrapServers", Kind::List),
    optional("FilterCriteria", Kind::Map).passed(),
    optional("KmsKeyArn", Kind::Any).passed(),
    optional("ConsumerGroupId", Kind::Text),
    optional("ScalingConfig", Kind::Map).passed(),
    optional("ProvisionedPollerConfig", Kind::Map).passed(),
    optional("SchemaRegistryConfig", Kind::Map),
    optional("MetricsConfig", Kind::Map).passed(),
    optional("LoggingConfig", Kind::Map).passed(),
];

/// How many properties all of them take.
const EACH: usize = SHARED.len() + 2;

/// What all of them take, followed by what is one kind's own.
const fn with<const ALL: usize>(starting_position: Property, own: &[Property]) -> [Property; ALL] {
    let mut all = [optional("BatchSize", Kind::Integer).passed(); ALL];
    all[1] = starting_position;
    let (shared, rest) = all.split_at_mut(EACH);
    shared.split_at_mut(2).1.copy_from_slice(SHARED);
    rest.copy_from_slice(own);
    all
}

const ANYWHERE: Property = optional("StartingPosition", Kind::Any).passed();

/// What `SelfManagedKafka` takes.
pub const SELF_MANAGED_KAFKA: &[Property] = &with::<EACH>(ANYWHERE, &[]);

/// What `SQS` takes.
pub const SQS: &[Property] = &with::<{ EACH + 1 }>(ANYWHERE, &[required("Queue", Kind::Any)]);

/// What `Kinesis`, `DynamoDB` and `MSK` take.
pub const STREAM: &[Property] =
    &with::<{ EACH + 1 }>(required("StartingPosition", Kind::Any).passed(), &[required("Stream", Kind::Any)]);

/// What `MQ` takes.
pub const MQ: &[Property] = &with::<{ EACH + 2 }>(
    ANYWHERE,
    &[required("Broker", Kind::Any), optional("DynamicPolicyName", Kind::Bool).literal()],
);

/// What `DocumentDB` takes.
pub const DOCUMENT_DB: &[Property] = &with::<{ EACH + 4 }>(
    ANYWHERE,
    &[
        required("Cluster", Kind::Any),
        required("DatabaseName", Kind::Any),
        optional("CollectionName", Kind::Any),
        optional("FullDocument", Kind::Any),
    ],
);

/// Kinds whose records can be filtered.
const FILTERED: [&str; 7] = ["DocumentDB", "DynamoDB", "Kinesis", "MQ", "MSK", "SelfManagedKafka", "SQS"];

/// The mapping.
pub(super) fn expand(event: &mut Event, target: &mut Target, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let kind = event.kind.kind;
    let mut mapping = Generated::new(event.id.as_str(), "AWS::Lambda::EventSourceMapping", &target.attributes)?;
    mapping.set("FunctionName", target.name());
    let source = ["Stream", "Queue", "Broker", "Cluster"].iter().find_map(|name| event.get(name));
    mapping.set("EventSourceArn", source.cloned());
    mapping.pass(&event.properties, event.kind.properties);
    if kind == "SelfManagedKafka" || kind == "MSK" {
        // Kafka's own settings have a section of their own.
        mapping.properties.remove("ConsumerGroupId");
    }
    check_filter(event)?;
    if let Some(servers) = event.truthy("KafkaBootstrapServers") {
        let endpoints = map([("KafkaBootstrapServers", servers.clone())]);
        mapping.set("SelfManagedEventSource", map([("Endpoints", endpoints)]));
    }
    kafka(event, &mut mapping)?;
    let destination = destination(event, &mut mapping)?;
    if kind == "DocumentDB" {
        let mut config = Map::new();
        config.insert("DatabaseName", event.get("DatabaseName").cloned().unwrap_or_default());
        for name in ["CollectionName", "FullDocument"] {
            if let Some(value) = event.truthy(name) {
                config.insert(name, value.clone());
            }
        }
        mapping.set("DocumentDBEventSourceConfig", Node::from(config));
    }
    let managed = match kind {
        "Kinesis" | "DynamoDB" | "MSK" => Some(format!("service-role/AWSLambda{kind}ExecutionRole")),
        "SQS" => Some("service-role/AWSLambdaSQSQueueExecutionRole".to_owned()),
        _ => None,
    };
    let managed = managed.map(|path| managed_policy_arn(context.partition, &path));
    let documents = match kind {
        "MSK" => msk(event, context)?,
        "MQ" => mq(event)?,
        "SelfManagedKafka" => self_managed_kafka(event, context)?,
        "DocumentDB" => document_db(event)?,
        _ => Vec::new(),
    };
    if let Some(role) = &mut target.role {
        grant(role, managed, documents, true);
        grant(role, None, destination.into_iter().collect(), true);
    }
    Ok(vec![mapping])
}

fn check_filter(event: &Event) -> Result<(), Refusal> {
    let Some(criteria) = event.truthy("FilterCriteria").filter(|criteria| !criteria.is_intrinsic()) else {
        return Ok(());
    };
    if !FILTERED.contains(&event.kind.kind) {
        return event.refuse(format!("FilterCriteria is only available for {} events.", FILTERED.join(", ")));
    }
    if criteria.as_map().and_then(Map::only).is_none_or(|(key, _)| key != "Filters") {
        return event.refuse("FilterCriteria field has a wrong format");
    }
    Ok(())
}

fn kafka(event: &Event, mapping: &mut Generated) -> Result<(), Refusal> {
    let section = match event.kind.kind {
        "MSK" => Some("AmazonManagedKafkaEventSourceConfig"),
        "SelfManagedKafka" => Some("SelfManagedKafkaEventSourceConfig"),
        _ => None,
    };
    let mut config = Map::new();
    if let Some(group) = event.truthy("ConsumerGroupId") {
        if section.is_none() {
            return event.refuse_by_id(format!(
                "Property ConsumerGroupId not defined for resource of type {}.",
                event.kind.kind
            ));
        }
        config.insert("ConsumerGroupId", group.clone());
    }
    if let Some(registry) = event.truthy("SchemaRegistryConfig") {
        config.insert("SchemaRegistryConfig", registry.clone());
    }
    if let Some(section) = section.filter(|_| !config.is_empty()) {
        mapping.set(section, Node::from(config));
    }
    Ok(())
}

/// `DestinationConfig`, and the policy that its queue, topic or bucket needs.
fn destination(event: &Event, mapping: &mut Generated) -> Result<Option<Node>, Refusal> {
    let Some(config) = event.truthy("DestinationConfig") else {
        return Ok(None);
    };
    let mut config = config.clone();
    let failure = config.as_map_mut().and_then(|map| map.get_mut("OnFailure")).and_then(Node::as_map_mut);
    let Some(failure) = failure else {
        return event.refuse_by_id("Property 'DestinationConfig.OnFailure' should be a map.");
    };
    let mut policy = None;
    if failure.get("Type").is_some_and(Read::truthy) {
        let kind = failure.remove("Type").unwrap_or_default();
        let arn = failure.get("Destination").cloned().unwrap_or_default();
        policy = match kind.as_str() {
            Some("SQS") => Some(named_policy(format!("{}SQSPolicy", event.id), vec![allow("sqs:SendMessage", arn)])),
            Some("SNS") => Some(named_policy(format!("{}SNSPolicy", event.id), vec![allow("sns:publish", arn)])),
            Some("S3") => Some(s3_policy(&event.id, arn)),
            Some("Kafka") => None,
            _ => {
                return event.refuse_by_id("The only valid values for 'Type' are 'SQS', 'SNS', 'S3', and 'Kafka'");
            }
        };
    }
    mapping.set("DestinationConfig", config);
    Ok(policy)
}

/// What writing payloads into a bucket needs.
pub(crate) fn s3_policy(id: &str, bucket: Node) -> Node {
    let objects = map([("Fn::Join", list([text("/"), list([bucket.clone(), text("*")])]))]);
    named_policy(format!("{id}S3Policy"), vec![allow("s3:PutObject", objects), allow("s3:ListBucket", bucket)])
}

/// A statement with its actions in a list.
fn allow_all(actions: &[&str], resource: Node) -> Node {
    let actions: Vec<Node> = actions.iter().map(|action| text(*action)).collect();
    map([("Action", Node::from(actions)), ("Effect", text("Allow")), ("Resource", resource)])
}

fn read_secret(uri: Node) -> Node {
    allow_all(&["secretsmanager:GetSecretValue"], uri)
}

fn network() -> Node {
    allow_all(
        &[
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeVpcs",
            "ec2:DescribeSubnets",
            "ec2:DescribeSecurityGroups",
        ],
        text("*"),
    )
}

/// The key that a secret is encrypted with, when it is not the account's own.
fn decrypt(event: &Event) -> Result<Option<Node>, Refusal> {
    let Some(key) = event.truthy("SecretsManagerKmsKeyId") else {
        return Ok(None);
    };
    let Some(key) = key.as_str() else {
        return event.refuse("Property 'SecretsManagerKmsKeyId' should be a string.");
    };
    Ok(Some(map([(
        "Fn::Sub",
        text(format!("arn:${{AWS::Partition}}:kms:${{AWS::Region}}:${{AWS::AccountId}}:key/{key}")),
    )])))
}

fn msk(event: &Event, context: &Context) -> Result<Vec<Node>, Refusal> {
    let mut statements = schema_registry(event, context)?;
    for access in event.truthy("SourceAccessConfigurations").and_then(Node::as_list).unwrap_or_default() {
        if access.get("Type").and_then(Node::as_str) == Some("CLIENT_CERTIFICATE_TLS_AUTH")
            && let Some(uri) = access.get("URI").filter(|uri| uri.truthy())
        {
            statements.push(read_secret(uri.clone()));
        }
    }
    if statements.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![named_policy("MSKExecutionRolePolicy".to_owned(), statements)])
}

fn mq(event: &Event) -> Result<Vec<Node>, Refusal> {
    let secret = basic_auth(event, &["BASIC_AUTH", "VIRTUAL_HOST"])?;
    let broker = event.get("Broker").cloned().unwrap_or_default();
    let mut statements = vec![read_secret(secret), allow_all(&["mq:DescribeBroker"], broker)];
    if let Some(key) = decrypt(event)? {
        statements.push(allow("kms:Decrypt", key));
    }
    let name = if event.truthy("DynamicPolicyName").is_some() {
        format!("{}AMQPolicy", event.id)
    } else {
        "SamAutoGeneratedAMQPolicy".to_owned()
    };
    Ok(vec![named_policy(name, statements)])
}

fn document_db(event: &Event) -> Result<Vec<Node>, Refusal> {
    let secret = basic_auth(event, &["BASIC_AUTH"])?;
    let arn = |resource: &str| {
        map([("Fn::Sub", text(format!("arn:${{AWS::Partition}}:rds:${{AWS::Region}}:${{AWS::AccountId}}:{resource}")))])
    };
    let mut statements = vec![
        read_secret(secret),
        allow_all(&["rds:DescribeDBClusterParameters"], arn("cluster-pg:*")),
        allow_all(&["rds:DescribeDBSubnetGroups"], arn("subgrp:*")),
        allow_all(&["rds:DescribeDBClusters"], event.get("Cluster").cloned().unwrap_or_default()),
        network(),
    ];
    if let Some(key) = decrypt(event)? {
        statements.push(allow_all(&["kms:Decrypt"], key));
    }
    Ok(vec![named_policy("SamAutoGeneratedDocumentDBPolicy".to_owned(), statements)])
}

/// The URI of the one `BASIC_AUTH` among the access configurations.
fn basic_auth(event: &Event, supported: &[&str]) -> Result<Node, Refusal> {
    const WANTED: &str = "BASIC_AUTH";
    let Some(configurations) = event.truthy("SourceAccessConfigurations") else {
        return event.refuse(format!("No SourceAccessConfigurations for Amazon {} event provided.", event.kind.kind));
    };
    let Some(configurations) = configurations.as_list() else {
        return event.refuse("Provided SourceAccessConfigurations cannot be parsed into a list.");
    };
    let mut found = None;
    for (index, access) in configurations.iter().enumerate() {
        if access.as_map().is_none() {
            return event.refuse(format!("Property 'SourceAccessConfigurations[{index}]' should be a map."));
        }
        let Some(kind) = access.get("Type").and_then(Node::as_str) else {
            return event.refuse(format!("Property 'SourceAccessConfigurations[{index}].Type' should be a string."));
        };
        if !supported.contains(&kind) {
            let supported: Vec<String> = supported.iter().map(|kind| format!("'{kind}'")).collect();
            return event.refuse(format!(
                "Invalid property Type specified in SourceAccessConfigurations. The supported values are: [{}].",
                supported.join(", ")
            ));
        }
        if kind == WANTED {
            if found.is_some() {
                return event.refuse(format!("Multiple {WANTED} properties specified in SourceAccessConfigurations."));
            }
            let Some(uri) = access.get("URI").filter(|uri| uri.truthy()) else {
                return event.refuse(format!("No {WANTED} URI property specified in SourceAccessConfigurations."));
            };
            found = Some(uri.clone());
        }
    }
    match found {
        Some(uri) => Ok(uri),
        None => event.refuse(format!("No {WANTED} property specified in SourceAccessConfigurations.")),
    }
}

fn self_managed_kafka(event: &Event, context: &Context) -> Result<Vec<Node>, Refusal> {
    if event.truthy("KafkaBootstrapServers").is_none() {
        return event.refuse("No KafkaBootstrapServers provided for self managed kafka as an event source");
    }
    let Some(topics) = event.truthy("Topics") else {
        return event.refuse("No Topics provided for self managed kafka as an event source");
    };
    if topics.as_list().map_or_else(|| topics.as_map().map_or(1, Map::len), <[Node]>::len) != 1 {
        return event.refuse("Topics for self managed kafka only supports single configuration entry.");
    }
    let Some(configurations) = event.truthy("SourceAccessConfigurations") else {
        return event.refuse("No SourceAccessConfigurations for self managed kafka event provided.");
    };
    let Some(configurations) = configurations.as_list() else {
        return event.refuse("SourceAccessConfigurations for self managed kafka event should be a list.");
    };
    let access = KafkaAccess::read(event, configurations)?;
    let mut statements: Vec<Node> =
        [access.secret, access.certificate].into_iter().flatten().map(read_secret).collect();
    if access.subnet {
        statements.push(network());
    }
    if let Some(key) = decrypt(event)? {
        statements.push(allow_all(&["kms:Decrypt"], key));
    }
    statements.extend(schema_registry(event, context)?);
    if statements.is_empty() {
        return Ok(Vec::new());
    }
    let document = map([("Statement", Node::from(statements)), ("Version", text("2012-10-17"))]);
    Ok(vec![map([("PolicyDocument", document), ("PolicyName", text("SelfManagedKafkaExecutionRolePolicy"))])])
}

#[derive(Default)]
struct KafkaAccess {
    secret: Option<Node>,
    certificate: Option<Node>,
    subnet: bool,
}

impl KafkaAccess {
    fn read(event: &Event, configurations: &[Node]) -> Result<Self, Refusal> {
        let mut access = Self::default();
        let (mut group, mut mechanism) = (false, false);
        for configuration in configurations {
            if configuration.as_map().is_none() {
                let message = "Property 'SourceAccessConfigurations' should be a map.";
                return Err(Refusal::resource(event.name.as_str(), message).at(configuration.span));
            }
            let uri = || configuration.get("URI").cloned();
            match configuration.get("Type").and_then(Node::as_str) {
                Some("VPC_SUBNET") => {
                    check_uri(event, configuration, "VPC_SUBNET")?;
                    access.subnet = true;
                }
                Some("VPC_SECURITY_GROUP") => {
                    check_uri(event, configuration, "VPC_SECURITY_GROUP")?;
                    group = true;
                }
                Some(
                    kind @ ("SASL_SCRAM_256_AUTH"
                    | "SASL_SCRAM_512_AUTH"
                    | "BASIC_AUTH"
                    | "CLIENT_CERTIFICATE_TLS_AUTH"
                    | "OAUTHBEARER_AUTH"
                    | "IAM_AUTH"
                    | "IAM_OAUTHBEARER_AUTH"),
                ) => {
                    if mechanism {
                        return event.refuse(
                            "Multiple auth mechanism properties specified in SourceAccessConfigurations for self \
                             managed kafka event.",
                        );
                    }
                    mechanism = true;
                    if !matches!(kind, "IAM_AUTH" | "IAM_OAUTHBEARER_AUTH") {
                        check_uri(event, configuration, "auth mechanism")?;
                        access.secret = uri();
                    }
                }
                Some("SERVER_ROOT_CA_CERTIFICATE") => {
                    check_uri(event, configuration, "SERVER_ROOT_CA_CERTIFICATE")?;
                    access.certificate = uri();
                }
                Some(
                    kind @ ("OAUTHBEARER_SCOPE"
                    | "OAUTHBEARER_AUDIENCE"
                    | "OAUTHBEARER_LOGICAL_CLUSTER"
                    | "OAUTHBEARER_IDENTITY_POOL"),
                ) => check_uri(event, configuration, kind)?,
                _ => {
                    return event
                        .refuse("Invalid SourceAccessConfigurations Type provided for self managed kafka event.");
                }
            }
        }
        if access.subnet != group {
            return event.refuse(
                "VPC_SUBNET and VPC_SECURITY_GROUP in SourceAccessConfigurations for SelfManagedKafka must be both \
                 provided.",
            );
        }
        Ok(access)
    }
}

fn check_uri(event: &Event, configuration: &Node, what: &str) -> Result<(), Refusal> {
    const WHERE: &str = "URI property specified in SourceAccessConfigurations for self managed kafka event.";
    match configuration.get("URI").filter(|uri| uri.truthy()) {
        None => event.refuse(format!("No {what} {WHERE}")),
        Some(uri) if uri.as_str().is_none() && !uri.is_intrinsic() => {
            event.refuse(format!("Wrong Type for {what} {WHERE}"))
        }
        Some(_) => Ok(()),
    }
}

/// What reading schemas needs.
fn schema_registry(event: &Event, context: &Context) -> Result<Vec<Node>, Refusal> {
    let Some(config) = event.truthy("SchemaRegistryConfig") else {
        return Ok(Vec::new());
    };
    if config.as_map().is_none() {
        return event.refuse("Property 'SchemaRegistryConfig' should be a map.");
    }
    for field in ["SchemaRegistryURI", "EventRecordFormat", "SchemaValidationConfigs"] {
        if config.get(field).is_none() {
            return event.refuse(format!("Missing required field {field} in SchemaRegistryConfig"));
        }
    }
    if !matches!(config.get("EventRecordFormat").and_then(Node::as_str), Some("JSON" | "SOURCE")) {
        return event.refuse("EventRecordFormat in SchemaRegistryConfig must be either 'JSON' or 'SOURCE'");
    }
    if config.get("SchemaValidationConfigs").and_then(Node::as_list).is_none() {
        return event.refuse("SchemaValidationConfigs must be a list");
    }
    let mut statements = Vec::new();
    if let Some(access) = config.get("AccessConfigs").filter(|access| access.truthy()) {
        let Some(access) = access.as_list() else {
            return event.refuse("AccessConfigs in SchemaRegistryConfig must be a list");
        };
        for access in access {
            let (Some(uri), Some(_)) = (access.get("URI"), access.get("Type")) else {
                return event.refuse("Each AccessConfig must be a dict with 'Type' and 'URI' fields");
            };
            statements.push(read_secret(uri.clone()));
        }
    }
    let registry = config.get("SchemaRegistryURI").cloned().unwrap_or_default();
    let arn = match registry.as_str() {
        Some(arn) => Some(arn.to_owned()),
        None => {
            context.parameters.resolve(&mut registry.clone())?.get("Fn::Sub").and_then(Node::as_str).map(str::to_owned)
        }
    };
    let name = arn
        .as_deref()
        .filter(|arn| arn.starts_with("arn"))
        .and_then(|arn| arn.split(':').nth(5).and_then(|resource| resource.strip_prefix("registry/")));
    if let Some(name) = name {
        statements.push(allow_all(&["glue:GetRegistry"], registry));
        let schemas = format!("arn:${{AWS::Partition}}:glue:${{AWS::Region}}:${{AWS::AccountId}}:schema/{name}/*");
        statements.push(allow_all(&["glue:GetSchemaVersion"], list([map([("Fn::Sub", text(schemas))])])));
    }
    Ok(statements)
}
