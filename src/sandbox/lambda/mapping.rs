//! Event source mappings: records with their states; no source is polled.

use serde_json::{Map, Value, json};

use super::fault::{Answer, Fault};
use super::model::{Mapping, uuid};
use super::{Call, SETTLE_MS, identifier, settings, text};
use crate::sandbox::http::Response;

/// What a request may set, beside source and function.
const FIELDS: [&str; 18] = [
    "BatchSize",
    "FilterCriteria",
    "MaximumBatchingWindowInSeconds",
    "ParallelizationFactor",
    "DestinationConfig",
    "MaximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "TumblingWindowInSeconds",
    "FunctionResponseTypes",
    "ScalingConfig",
    "SourceAccessConfigurations",
    "KMSKeyArn",
    "MetricsConfig",
    "ProvisionedPollerConfig",
    "Topics",
    "Queues",
    "LoggingConfig",
];

/// Where records come from, by the service in the source's ARN.
fn service(arn: &str) -> &str {
    arn.split(':').nth(2).unwrap_or_default()
}

fn defaults(source: &str) -> Map<String, Value> {
    let streams = matches!(service(source), "kinesis" | "dynamodb");
    let mut all = json!({
        "BatchSize": if service(source) == "sqs" { 10 } else { 100 },
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
    });
    if streams {
        for (key, value) in [
            ("BisectBatchOnFunctionError", json!(false)),
            ("DestinationConfig", json!({ "OnFailure": {} })),
            ("LastProcessingResult", json!("No records processed")),
            ("MaximumRecordAgeInSeconds", json!(-1)),
            ("MaximumRetryAttempts", json!(-1)),
            ("ParallelizationFactor", json!(1)),
            ("TumblingWindowInSeconds", json!(0)),
        ] {
            all[key] = value;
        }
    }
    all.as_object().cloned().unwrap_or_default()
}

/// The function of a request: its ARN, with the qualifier if one was given.
fn function_arn(call: Call<'_>, body: &Value) -> Answer<Option<String>> {
    let Some(name) = text(body, "FunctionName") else { return Ok(None) };
    let id = call.here(identifier::read(name, None)?)?;
    let arn = call.arn(&id.name, id.qualifier.as_deref());
    let key = call.key(&id.name);
    let known = call.lambda.state.read(|state| {
        state.functions.get(&key).is_some_and(|function| function.resolve(id.qualifier.as_deref()).is_some())
    });
    known.then_some(Some(arn)).ok_or_else(|| Fault::invalid("Function does not exist"))
}

pub(super) fn create(call: Call<'_>) -> Answer {
    let body = call.body()?;
    let source = text(&body, "EventSourceArn").unwrap_or_default().to_owned();
    let missing = || Fault::validation("null", "functionName", "Member must not be null");
    let arn = function_arn(call, &body)?.ok_or_else(missing)?;
    settings::one_of(body.get("StartingPosition"), "startingPosition", &["LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"])?;
    let position = text(&body, "StartingPosition");
    match (service(&source), position) {
        ("kinesis" | "dynamodb", None) => {
            return Err(Fault::invalid(
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
            ));
        }
        ("dynamodb", Some("AT_TIMESTAMP")) => {
            return Err(Fault::invalid(format!("Unsupported starting position for arn type: {source}")));
        }
        _ => {}
    }
    let prefix = call.prefix();
    let id = uuid();
    let mut record = defaults(&source);
    if !source.is_empty() {
        record.insert("EventSourceArn".to_owned(), json!(source));
    }
    for key in FIELDS.iter().chain(&[
        "StartingPosition",
        "StartingPositionTimestamp",
        "SelfManagedEventSource",
        "AmazonManagedKafkaEventSourceConfig",
        "SelfManagedKafkaEventSourceConfig",
        "DocumentDBEventSourceConfig",
    ]) {
        if let Some(value) = body.get(*key).filter(|value| !value.is_null()) {
            record.insert((*key).to_owned(), value.clone());
        }
    }
    let enabled = body.get("Enabled").and_then(Value::as_bool).unwrap_or(true);
    for (key, value) in [
        ("UUID", json!(id)),
        ("EventSourceMappingArn", json!(call.arn_of(&format!("event-source-mapping:{id}")))),
        ("FunctionArn", json!(arn)),
        ("LastModified", json!(call.now_ms() / 1000)),
        ("State", json!("Creating")),
        ("StateTransitionReason", json!(if service(&source) == "sqs" { "USER_INITIATED" } else { "User action" })),
    ] {
        record.insert(key.to_owned(), value);
    }
    let tags = body.get("Tags").and_then(|tags| serde_json::from_value(tags.clone()).ok()).unwrap_or_default();
    let next = if enabled { "Enabled" } else { "Disabled" };
    let mapping = Mapping { record, tags, next: Some((call.now_ms() + SETTLE_MS, Some(next.to_owned()))) };
    let answer = Value::Object(mapping.record.clone());
    call.lambda.state.write(|state| {
        let twin = state.mappings.iter().find(|(key, other)| {
            key.starts_with(&prefix)
                && !source.is_empty()
                && other.record.get("EventSourceArn") == mapping.record.get("EventSourceArn")
                && other.record.get("FunctionArn") == mapping.record.get("FunctionArn")
        });
        if let Some((key, _)) = twin {
            let uuid = key.rsplit(':').next().unwrap_or_default();
            let function = arn.rsplit(':').next().unwrap_or_default();
            return Err(Fault::conflict(format!(
                "An event source mapping with {} arn (\" {source} \") and function (\" {function} \") already exists. \
                 Please update or delete the existing mapping with UUID {uuid}",
                service(&source).to_uppercase()
            )));
        }
        state.mappings.insert(format!("{prefix}{id}"), mapping);
        Ok(())
    })?;
    Ok(Response::json(202, &answer))
}

/// Brings a mapping's state up to date and looks at it.
fn with<T>(call: Call<'_>, uuid: &str, change: impl FnOnce(&mut Mapping) -> Answer<T>) -> Answer<T> {
    let key = call.key(uuid);
    let now_ms = call.now_ms();
    call.lambda.state.write(|state| {
        let missing = || Fault::not_found("The resource you requested does not exist.");
        let mapping = state.mappings.get_mut(&key).ok_or_else(missing)?;
        if settle(mapping, now_ms) {
            state.mappings.remove(&key);
            return Err(missing());
        }
        change(mapping)
    })
}

/// Whether it is gone now.
fn settle(mapping: &mut Mapping, now_ms: i64) -> bool {
    if mapping.next.as_ref().is_none_or(|(at_ms, _)| *at_ms > now_ms) {
        return false;
    }
    match mapping.next.take() {
        Some((_, Some(state))) => {
            mapping.record.insert("State".to_owned(), json!(state));
            false
        }
        _ => true,
    }
}

pub(super) fn get(call: Call<'_>, uuid: &str) -> Answer {
    let record = with(call, uuid, |mapping| Ok(mapping.record.clone()))?;
    Ok(Response::json(200, &Value::Object(record)))
}

pub(super) fn update(call: Call<'_>, uuid: &str) -> Answer {
    let body = call.body()?;
    let arn = function_arn(call, &body)?;
    let now_ms = call.now_ms();
    let record = with(call, uuid, |mapping| {
        if mapping.next.is_some() {
            return Err(Fault::new(
                400,
                "ResourceInUseException",
                "Cannot update the event source mapping because it is not in a stable state.",
            ));
        }
        for key in FIELDS {
            if let Some(value) = body.get(key).filter(|value| !value.is_null()) {
                mapping.record.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(arn) = arn {
            mapping.record.insert("FunctionArn".to_owned(), json!(arn));
        }
        let old = mapping.record.get("State").and_then(Value::as_str).unwrap_or("Enabled").to_owned();
        let (during, after) = match body.get("Enabled").and_then(Value::as_bool) {
            Some(true) if old == "Disabled" => ("Enabling", "Enabled"),
            Some(false) if old == "Enabled" => ("Disabling", "Disabled"),
            _ => ("Updating", old.as_str()),
        };
        mapping.next = Some((now_ms + SETTLE_MS, Some(after.to_owned())));
        mapping.record.insert("State".to_owned(), json!(during));
        mapping.record.insert("LastModified".to_owned(), json!(now_ms / 1000));
        Ok(mapping.record.clone())
    })?;
    Ok(Response::json(202, &Value::Object(record)))
}

pub(super) fn delete(call: Call<'_>, uuid: &str) -> Answer {
    let now_ms = call.now_ms();
    let record = with(call, uuid, |mapping| {
        mapping.record.insert("State".to_owned(), json!("Deleting"));
        mapping.next = Some((now_ms + SETTLE_MS, None));
        Ok(mapping.record.clone())
    })?;
    Ok(Response::json(202, &Value::Object(record)))
}

pub(super) fn list(call: Call<'_>) -> Answer {
    let source = call.request.query("EventSourceArn");
    let function = match call.request.query("FunctionName") {
        Some(name) => {
            let id = call.here(identifier::read(name, None)?)?;
            Some(call.arn(&id.name, id.qualifier.as_deref()))
        }
        None => None,
    };
    let (prefix, now_ms) = (call.prefix(), call.now_ms());
    let items = call.lambda.state.write(|state| {
        let mut items = Vec::new();
        state.mappings.retain(|key, mapping| {
            if !key.starts_with(&prefix) {
                return true;
            }
            let gone = settle(mapping, now_ms);
            let is = |field: &str, wanted: Option<&str>| {
                wanted.is_none_or(|wanted| mapping.record.get(field).and_then(Value::as_str) == Some(wanted))
            };
            if !gone && is("EventSourceArn", source) && is("FunctionArn", function.as_deref()) {
                items.push((key.clone(), Value::Object(mapping.record.clone())));
            }
            !gone
        });
        items
    });
    let (page, next) = call.page(items)?;
    Ok(super::listed("EventSourceMappings", page, next))
}
