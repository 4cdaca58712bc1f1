//! AWS's JSON protocols: an object in, an object out, errors by `__type`.

use serde_json::{Map, Value, json};

use super::http::{Request, Response};
use super::query::Fault;

/// The operation behind the dot of `X-Amz-Target`.
pub(super) fn operation(request: &Request) -> &str {
    let target = request.header("x-amz-target").unwrap_or_default();
    target.split_once('.').map_or(target, |(_, operation)| operation)
}

/// The parameters of a call.
#[derive(Debug)]
pub(super) struct Parameters(Map<String, Value>);

impl Parameters {
    /// Reads the body; an empty one has none.
    pub(super) fn read(request: &Request) -> Result<Self, Fault> {
        if request.body.is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(&request.body) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            _ => Err(Fault::new(400, "SerializationException", "The body is not a JSON object")),
        }
    }

    pub(super) fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).as_str()
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Fault> {
        self.text(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            let text = format!(
                "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
            );
            Fault::new(400, "InvalidParameterException", text)
        })
    }

    /// A number, also one that came as text.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        let value = self.get(name);
        value.as_i64().or_else(|| value.as_f64().map(|number| number as i64)).or_else(|| value.as_str()?.parse().ok())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).as_bool() == Some(true) || self.text(name) == Some("true")
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let list = self.get(name).as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }

    /// A map of texts.
    pub(super) fn map(&self, name: &str) -> std::collections::BTreeMap<String, String> {
        let members = self.get(name).as_object().into_iter().flatten();
        members
            .map(|(key, value)| (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect()
    }
}

/// The answer of a call that went well.
pub(super) fn answer(value: &Value) -> Response {
    Response::json(200, value).header("content-type", "application/x-amz-json-1.1")
}

/// The answer of one that did not.
pub(super) fn fault(fault: &Fault) -> Response {
    Response::json(fault.status, &json!({"__type": fault.code, "message": fault.message}))
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amzn-errortype", &fault.code)
}
