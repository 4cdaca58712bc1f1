//! Tags of functions and event source mappings.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Call;
use super::fault::{Answer, Fault};
use crate::sandbox::http::Response;

const PATTERN: &str = r"Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)";

/// Finds the tags of what the ARN names.
fn with<T>(call: Call<'_>, arn: &str, change: impl FnOnce(&mut BTreeMap<String, String>) -> T) -> Answer<T> {
    let refused = || Fault::validation(&format!("'{arn}'"), "resource", PATTERN);
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "lambda", _, _, "function", name] => {
            call.write(name, None, |function| Ok(change(&mut function.tags)))
        }
        ["arn", _, "lambda", _, _, "function", _, _] => Err(Fault::invalid(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        )),
        ["arn", _, "lambda", _, _, "event-source-mapping", uuid] if uuid.len() == 36 => {
            let key = call.key(uuid);
            call.lambda.state.write(|state| match state.mappings.get_mut(&key) {
                Some(mapping) => Ok(change(&mut mapping.tags)),
                None => Err(Fault::not_found(format!("Event source mapping not found: {arn}"))),
            })
        }
        ["arn", _, "lambda", _, _, "layer", _] => Err(Fault::not_implemented("tags of layers")),
        _ => Err(refused()),
    }
}

pub(super) fn list(call: Call<'_>, arn: &str) -> Answer {
    let tags = with(call, arn, |tags| json!(tags))?;
    Ok(Response::json(200, &json!({ "Tags": tags })))
}

pub(super) fn add(call: Call<'_>, arn: &str) -> Answer {
    let body = call.body()?;
    let tags: BTreeMap<String, String> =
        body.get("Tags").and_then(|tags| serde_json::from_value(tags.clone()).ok()).unwrap_or_default();
    if tags.is_empty() {
        return Err(Fault::invalid("An error occurred and the request cannot be processed."));
    }
    with(call, arn, |all| all.extend(tags))?;
    Ok(Response::new(204))
}

pub(super) fn remove(call: Call<'_>, arn: &str) -> Answer {
    let keys: Vec<&String> =
        call.request.query.iter().filter(|(name, _)| name == "tagKeys").map(|(_, key)| key).collect();
    if keys.is_empty() {
        return Err(Fault::validation(Value::Null.to_string().as_str(), "tagKeys", "Member must not be null"));
    }
    with(call, arn, |all| {
        for key in keys {
            all.remove(key);
        }
    })?;
    Ok(Response::new(204))
}
