//! What stands around a function: versions, aliases, permissions, event sources, layers, URLs.

use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::lambda_function::{LOOK_EVERY, LOOKS, lambda, path_of};
use super::{
    Context, Doing, Made, Properties, Provider, Refusal, Spec, boolean, integer, number, plain, required, text,
};

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Function and qualifier of a qualified ARN.
fn qualified(arn: &str) -> (&str, &str) {
    arn.rsplit_once(':').unwrap_or((arn, ""))
}

/// Sees to the provisioned concurrency of a version or an alias, and waits until it is allocated.
async fn provision(context: &Context, arn: &str, old: Option<&Properties>, new: &Properties) -> Result<(), Refusal> {
    const PROPERTY: &str = "ProvisionedConcurrencyConfig";
    const FIELD: &str = "ProvisionedConcurrentExecutions";
    let (function, qualifier) = qualified(arn);
    let path =
        format!("/2019-09-30/functions/{}/provisioned-concurrency?Qualifier={}", escaped(function), escaped(qualifier));
    let before = old.and_then(|old| old.get(PROPERTY));
    let Some(wanted) = new.get(PROPERTY) else {
        if before.is_some() {
            lambda(context, Method::DELETE, &path, None).await?;
        }
        return Ok(());
    };
    if before != Some(wanted) {
        let count = integer(FIELD, wanted.get(FIELD).unwrap_or(&Value::Null))?;
        lambda(context, Method::PUT, &path, Some(&json!({ FIELD: count }))).await?;
    }
    for _ in 0..LOOKS {
        let now = lambda(context, Method::GET, &path, None).await?;
        match now["Status"].as_str() {
            Some("IN_PROGRESS") => {
                tokio::time::sleep(context.world.clock.real(LOOK_EVERY).min(LOOK_EVERY)).await;
            }
            Some("READY") => return Ok(()),
            _ => break,
        }
    }
    Err(Refusal::new("NotStabilized", format!("The provisioned concurrency of {arn} was not allocated")))
}

#[derive(Debug)]
pub(super) struct Version;

impl Version {
    /// Numbers of the versions that are published.
    async fn published(context: &Context, function: &str) -> Result<Vec<String>, Refusal> {
        let mut numbers = Vec::new();
        let mut marker = String::new();
        loop {
            let path = path_of(function, &format!("/versions?MaxItems=50{marker}"));
            let page = lambda(context, Method::GET, &path, None).await?;
            let versions = page["Versions"].as_array().into_iter().flatten();
            numbers.extend(versions.filter_map(|version| version["Version"].as_str().map(str::to_owned)));
            match page["NextMarker"].as_str().filter(|next| !next.is_empty()) {
                Some(next) => marker = format!("&Marker={}", escaped(next)),
                None => return Ok(numbers),
            }
        }
    }

    fn made(arn: &str) -> Made {
        let (_, version) = qualified(arn);
        Made::new(arn, [("FunctionArn", arn.into()), ("Version", version.into())])
    }
}

impl Provider for Version {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &["ProvisionedConcurrencyConfig"],
            fixed: &["FunctionName", "CodeSha256", "Description", "RuntimePolicy", "FunctionScalingConfig"],
            required: &["FunctionName"],
            attributes: &["FunctionArn", "Version"],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            for property in ["RuntimePolicy", "FunctionScalingConfig"] {
                if properties.contains_key(property) {
                    return Err(Refusal::invalid(format!(
                        "The sandbox's AWS::Lambda::Version does not have {property}"
                    )));
                }
            }
            let function = required(properties, "FunctionName")?;
            let before = Self::published(context, &function).await?;
            let mut body = json!({});
            for property in ["CodeSha256", "Description"] {
                if let Some(value) = text(properties, property) {
                    body[property] = value.into();
                }
            }
            let published = lambda(context, Method::POST, &path_of(&function, "/versions"), Some(&body)).await?;
            let number = published["Version"].as_str().unwrap_or_default();
            // Lambda publishes nothing when nothing has changed, and says the last version again.
            if before.iter().any(|version| version == number) {
                return Err(Refusal::new(
                    "AlreadyExists",
                    format!(
                        "A version for this Lambda function exists ( {number} ). Modify the function to create a new version."
                    ),
                ));
            }
            let arn =
                published["FunctionArn"].as_str().ok_or_else(|| Refusal::internal("PublishVersion gave no ARN"))?;
            provision(context, arn, None, properties).await.map_err(|refusal| refusal.having_made(arn))?;
            Ok(Self::made(arn))
        })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move {
            provision(context, physical_id, Some(old), new).await?;
            Ok(Self::made(physical_id))
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            let (function, version) = qualified(physical_id);
            let path = path_of(function, &format!("?Qualifier={version}"));
            lambda(context, Method::DELETE, &path, None).await.map(drop)
        })
    }
}

#[derive(Debug)]
pub(super) struct Alias;

impl Alias {
    /// The routing as the API has it: a map; templates have a list.
    fn routing(properties: &Properties) -> Result<Value, Refusal> {
        let mut weights = Map::new();
        let listed = properties.get("RoutingConfig").and_then(|routing| routing.get("AdditionalVersionWeights"));
        for entry in listed.and_then(Value::as_array).into_iter().flatten() {
            let version = entry.get("FunctionVersion").and_then(plain);
            let version = version.ok_or_else(|| Refusal::invalid("RoutingConfig: FunctionVersion is required"))?;
            let weight = number("FunctionWeight", entry.get("FunctionWeight").unwrap_or(&Value::Null))?;
            weights.insert(version, weight);
        }
        Ok(json!({"AdditionalVersionWeights": weights}))
    }

    fn body(properties: &Properties) -> Result<Value, Refusal> {
        Ok(json!({
            "FunctionVersion": required(properties, "FunctionVersion")?,
            "Description": text(properties, "Description").unwrap_or_default(),
        }))
    }

    fn made(answer: &Value) -> Result<Made, Refusal> {
        let arn = answer["AliasArn"].as_str().ok_or_else(|| Refusal::internal("the alias has no ARN"))?;
        Ok(Made::new(arn, [("AliasArn", arn.into())]))
    }
}

impl Provider for Alias {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &["Description", "FunctionVersion", "ProvisionedConcurrencyConfig", "RoutingConfig"],
            fixed: &["FunctionName", "Name"],
            required: &["FunctionName", "FunctionVersion", "Name"],
            attributes: &["AliasArn"],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let mut body = Self::body(properties)?;
            body["Name"] = required(properties, "Name")?.into();
            if properties.contains_key("RoutingConfig") {
                body["RoutingConfig"] = Self::routing(properties)?;
            }
            let path = path_of(&required(properties, "FunctionName")?, "/aliases");
            let made = Self::made(&lambda(context, Method::POST, &path, Some(&body)).await?)?;
            let arn = made.physical_id.clone();
            provision(context, &arn, None, properties).await.map_err(|refusal| refusal.having_made(&arn))?;
            Ok(made)
        })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move {
            let mut body = Self::body(new)?;
            // Routing is sent only where the template speaks of it: what AWS does to the weights of an
            // alias whose template never had any is not documented, so they are left alone.
            if old.contains_key("RoutingConfig") || new.contains_key("RoutingConfig") {
                body["RoutingConfig"] = Self::routing(new)?;
            }
            let (function, name) = qualified(physical_id);
            let path = path_of(function, &format!("/aliases/{}", escaped(name)));
            let made = Self::made(&lambda(context, Method::PUT, &path, Some(&body)).await?)?;
            provision(context, physical_id, Some(old), new).await?;
            Ok(made)
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            let (function, name) = qualified(physical_id);
            let path = path_of(function, &format!("/aliases/{}", escaped(name)));
            lambda(context, Method::DELETE, &path, None).await.map(drop)
        })
    }
}

#[derive(Debug)]
pub(super) struct Permission;

impl Provider for Permission {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &[],
            fixed: &[
                "Action",
                "EventSourceToken",
                "FunctionName",
                "FunctionUrlAuthType",
                "InvokedViaFunctionUrl",
                "Principal",
                "PrincipalOrgID",
                "SourceAccount",
                "SourceArn",
            ],
            required: &["Action", "FunctionName", "Principal"],
            attributes: &["Id"],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let id = context.generated_name(100);
            let mut body = json!({"StatementId": id});
            for (name, value) in properties.iter().filter(|(name, _)| *name != "FunctionName") {
                body[name] = match name.as_str() {
                    "InvokedViaFunctionUrl" => boolean(name, value)?.into(),
                    _ => plain(value).map(Value::from).unwrap_or_default(),
                };
            }
            let path = path_of(&required(properties, "FunctionName")?, "/policy");
            lambda(context, Method::POST, &path, Some(&body)).await?;
            Ok(Made::new(id.clone(), [("Id", id.into())]))
        })
    }

    fn update<'a>(
        &'a self,
        _: &'a Context,
        physical_id: &'a str,
        _: &'a Properties,
        _: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move { Ok(Made::new(physical_id, [("Id", physical_id.into())])) })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, properties: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            let path = path_of(&required(properties, "FunctionName")?, &format!("/policy/{}", escaped(physical_id)));
            lambda(context, Method::DELETE, &path, None).await.map(drop)
        })
    }

    fn foreseen(&self, context: &Context, _: &Properties) -> Option<String> {
        Some(context.generated_name(100))
    }
}

#[derive(Debug)]
pub(super) struct EventSourceMapping;

impl EventSourceMapping {
    fn body(properties: &Properties) -> Result<Value, Refusal> {
        let mut body = json!({});
        for (name, value) in properties {
            body[name] = match name.as_str() {
                "BatchSize"
                | "MaximumBatchingWindowInSeconds"
                | "MaximumRecordAgeInSeconds"
                | "MaximumRetryAttempts"
                | "ParallelizationFactor"
                | "TumblingWindowInSeconds" => integer(name, value)?,
                "StartingPositionTimestamp" => number(name, value)?,
                "Enabled" | "BisectBatchOnFunctionError" => boolean(name, value)?.into(),
                // CloudFormation has another name for what the API calls by its constant.
                "SelfManagedEventSource" => {
                    json!({ "Endpoints": { "KAFKA_BOOTSTRAP_SERVERS": value["Endpoints"]["KafkaBootstrapServers"] } })
                }
                "Tags" => continue,
                _ => value.clone(),
            };
        }
        Ok(body)
    }

    fn made(answer: &Value) -> Result<Made, Refusal> {
        let id = answer["UUID"].as_str().ok_or_else(|| Refusal::internal("the event source mapping has no UUID"))?;
        let arn = answer["EventSourceMappingArn"].clone();
        Ok(Made::new(id, [("Id", id.into()), ("EventSourceMappingArn", arn)]))
    }

    fn path(id: &str) -> String {
        format!("/2015-03-31/event-source-mappings/{}", escaped(id))
    }
}

impl Provider for EventSourceMapping {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &[
                "BatchSize",
                "BisectBatchOnFunctionError",
                "DestinationConfig",
                "DocumentDBEventSourceConfig",
                "Enabled",
                "FilterCriteria",
                "FunctionName",
                "FunctionResponseTypes",
                "MaximumBatchingWindowInSeconds",
                "MaximumRecordAgeInSeconds",
                "MaximumRetryAttempts",
                "ParallelizationFactor",
                "ProvisionedPollerConfig",
                "Queues",
                "ScalingConfig",
                "SourceAccessConfigurations",
                "Topics",
                "TumblingWindowInSeconds",
                "KmsKeyArn",
                "MetricsConfig",
                "Tags",
            ],
            fixed: &[
                "AmazonManagedKafkaEventSourceConfig",
                "EventSourceArn",
                "SelfManagedEventSource",
                "SelfManagedKafkaEventSourceConfig",
                "StartingPosition",
                "StartingPositionTimestamp",
            ],
            required: &["FunctionName"],
            attributes: &["Id", "EventSourceMappingArn"],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let mut body = Self::body(properties)?;
            if properties.contains_key("Tags") {
                body["Tags"] = json!(context.tags(properties));
            }
            let path = "/2015-03-31/event-source-mappings";
            Self::made(&lambda(context, Method::POST, path, Some(&body)).await?)
        })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move {
            let mut body = Self::body(new)?;
            if let Some(fields) = body.as_object_mut() {
                for fixed in ["EventSourceArn", "StartingPosition", "StartingPositionTimestamp"] {
                    fields.remove(fixed);
                }
                for name in old.keys().filter(|name| !new.contains_key(*name)) {
                    let default = match name.as_str() {
                        "FilterCriteria" | "DestinationConfig" | "ScalingConfig" => json!({}),
                        "FunctionResponseTypes" => json!([]),
                        "Enabled" => json!(true),
                        "MaximumBatchingWindowInSeconds" => json!(0),
                        _ => continue,
                    };
                    fields.insert(name.clone(), default);
                }
            }
            Self::made(&lambda(context, Method::PUT, &Self::path(physical_id), Some(&body)).await?)
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move { lambda(context, Method::DELETE, &Self::path(physical_id), None).await.map(drop) })
    }
}

#[derive(Debug)]
pub(super) struct LayerVersion;

impl Provider for LayerVersion {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &[],
            fixed: &[
                "CompatibleArchitectures",
                "CompatibleRuntimes",
                "Content",
                "Description",
                "LayerName",
                "LicenseInfo",
            ],
            required: &["Content"],
            attributes: &["LayerVersionArn"],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            // A layer's generated name is its logical ID with a random end.
            let name = text(properties, "LayerName").unwrap_or_else(|| context.generated_name(140));
            let mut body = Value::Object(properties.clone());
            if let Some(fields) = body.as_object_mut() {
                fields.remove("LayerName");
            }
            let path = format!("/2018-10-31/layers/{}/versions", escaped(&name));
            let answer = lambda(context, Method::POST, &path, Some(&body)).await?;
            let arn = answer["LayerVersionArn"].as_str();
            let arn = arn.ok_or_else(|| Refusal::internal("PublishLayerVersion gave no ARN"))?;
            Ok(Made::new(arn, [("LayerVersionArn", arn.into())]))
        })
    }

    fn update<'a>(
        &'a self,
        _: &'a Context,
        physical_id: &'a str,
        _: &'a Properties,
        _: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move { Ok(Made::new(physical_id, [("LayerVersionArn", physical_id.into())])) })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            let (layer, version) = qualified(physical_id);
            let name = layer.rsplit(':').next().unwrap_or_default();
            let path = format!("/2018-10-31/layers/{}/versions/{version}", escaped(name));
            lambda(context, Method::DELETE, &path, None).await.map(drop)
        })
    }
}

#[derive(Debug)]
pub(super) struct Url;

impl Url {
    fn path(function: &str, qualifier: Option<&str>) -> String {
        let qualifier = qualifier.map(|name| format!("?Qualifier={}", escaped(name))).unwrap_or_default();
        format!("/2021-10-31/functions/{}/url{qualifier}", escaped(function))
    }

    fn body(properties: &Properties) -> Value {
        let fields = properties.iter().filter(|(name, _)| !matches!(name.as_str(), "TargetFunctionArn" | "Qualifier"));
        Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    fn made(answer: &Value) -> Result<Made, Refusal> {
        let arn = answer["FunctionArn"].as_str().ok_or_else(|| Refusal::internal("the function URL has no ARN"))?;
        Ok(Made::new(arn, [("FunctionArn", arn.into()), ("FunctionUrl", answer["FunctionUrl"].clone())]))
    }
}

impl Provider for Url {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &["AuthType", "Cors", "InvokeMode"],
            fixed: &["Qualifier", "TargetFunctionArn"],
            required: &["AuthType", "TargetFunctionArn"],
            attributes: &["FunctionArn", "FunctionUrl"],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let function = required(properties, "TargetFunctionArn")?;
            let path = Self::path(&function, text(properties, "Qualifier").as_deref());
            Self::made(&lambda(context, Method::POST, &path, Some(&Self::body(properties))).await?)
        })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        _: &'a str,
        _: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move {
            let function = required(new, "TargetFunctionArn")?;
            let path = Self::path(&function, text(new, "Qualifier").as_deref());
            Self::made(&lambda(context, Method::PUT, &path, Some(&Self::body(new))).await?)
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, _: &'a str, properties: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            let function = required(properties, "TargetFunctionArn")?;
            let path = Self::path(&function, text(properties, "Qualifier").as_deref());
            lambda(context, Method::DELETE, &path, None).await.map(drop)
        })
    }
}

#[derive(Debug)]
pub(super) struct EventInvokeConfig;

impl EventInvokeConfig {
    fn path(properties: &Properties) -> Result<String, Refusal> {
        let (function, qualifier) = (required(properties, "FunctionName")?, required(properties, "Qualifier")?);
        Ok(format!(
            "/2019-09-25/functions/{}/event-invoke-config?Qualifier={}",
            escaped(&function),
            escaped(&qualifier)
        ))
    }

    async fn put(context: &Context, physical_id: &str, properties: &Properties) -> Result<Made, Refusal> {
        let mut body = json!({});
        for (name, value) in properties {
            match name.as_str() {
                "MaximumEventAgeInSeconds" | "MaximumRetryAttempts" => body[name] = integer(name, value)?,
                "DestinationConfig" => body[name] = value.clone(),
                _ => {}
            }
        }
        lambda(context, Method::PUT, &Self::path(properties)?, Some(&body)).await?;
        Ok(Made::new(physical_id, []))
    }
}

impl Provider for EventInvokeConfig {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &["DestinationConfig", "MaximumEventAgeInSeconds", "MaximumRetryAttempts"],
            fixed: &["FunctionName", "Qualifier"],
            required: &["FunctionName", "Qualifier"],
            attributes: &[],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let id = context.generated_name(128);
            Self::put(context, &id, properties).await
        })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        _: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(Self::put(context, physical_id, new))
    }

    fn delete<'a>(&'a self, context: &'a Context, _: &'a str, properties: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move { lambda(context, Method::DELETE, &Self::path(properties)?, None).await.map(drop) })
    }
}
