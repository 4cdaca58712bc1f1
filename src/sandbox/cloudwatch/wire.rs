//! CloudWatch's three protocols: query (older clients), awsJson1.0 and rpc-v2-cbor (newer ones). All
//! become one JSON value on the way in, and come from one on the way out; times are seconds since
//! 1970 in it.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::sandbox::cbor;
use crate::sandbox::http::{Request, Response};
use crate::sandbox::query::{self, Fault, Parameters};
use crate::sandbox::xml::Writer;

const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";
const CBOR_PATH: &str = "/service/GraniteServiceVersion20100801/operation/";
/// Nothing in the API nests deeper than this.
const MAX_DEPTH: usize = 16;

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Query,
    Json,
    Cbor,
}

/// Reads operation and parameters.
pub(super) fn read(request: &Request) -> (Protocol, String, Result<Value, Fault>) {
    if let Some(operation) = request.path.strip_prefix(CBOR_PATH) {
        return (Protocol::Cbor, operation.to_owned(), cbor::read(&request.body));
    }
    if let Some((_, operation)) = request.header("x-amz-target").and_then(|target| target.split_once('.')) {
        let body = if request.body.is_empty() { b"{}" } else { request.body.as_ref() };
        let value = serde_json::from_slice(body).map_err(|_| malformed("The body is not JSON"));
        return (Protocol::Json, operation.to_owned(), value);
    }
    let parameters = Parameters::read(request);
    (Protocol::Query, parameters.action().to_owned(), Ok(from_query(&parameters)))
}

fn malformed(text: &str) -> Fault {
    Fault::new(400, "SerializationException", text)
}

/// `MetricData.member.1.Value=3` becomes `{"MetricData": [{"Value": "3"}]}`.
fn from_query(parameters: &Parameters) -> Value {
    let mut root = json!({});
    for (name, value) in parameters.iter() {
        if matches!(name, "Action" | "Version") || name.split('.').count() > MAX_DEPTH {
            continue;
        }
        let mut at = &mut root;
        for segment in name.split('.') {
            // "member" and "entry" only announce the number behind them.
            if matches!(segment, "member" | "entry") {
                continue;
            }
            if !at.is_object() {
                *at = json!({});
            }
            at = &mut at[segment];
        }
        *at = json!(value);
    }
    lists(root)
}

/// Objects whose keys are all numbers are lists; an empty text where a list is expected is harmless.
fn lists(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let mut items: Vec<(u32, Value)> = Vec::new();
    let is_list = !map.is_empty() && map.keys().all(|key| key.parse::<u32>().is_ok());
    if !is_list {
        return map.into_iter().map(|(key, value)| (key, lists(value))).collect::<Map<_, _>>().into();
    }
    for (key, value) in map {
        items.push((key.parse().unwrap_or(0), lists(value)));
    }
    items.sort_by_key(|(index, _)| *index);
    items.into_iter().map(|(_, value)| value).collect()
}

/// Writes an answer.
pub(super) fn write(request: &Request, protocol: Protocol, operation: &str, result: &Result<Value, Fault>) -> Response {
    match (protocol, result) {
        (Protocol::Query, Ok(value)) => {
            query::answer(request, NAMESPACE, operation, |writer| write_members(writer, value))
        }
        (Protocol::Query, Err(fault)) => query::fault(request, NAMESPACE, fault),
        (Protocol::Json, Ok(value)) => Response::json(200, value).header("content-type", "application/x-amz-json-1.0"),
        (Protocol::Json, Err(fault)) => with_query_error(Response::json(fault.status, &fault_body(fault)), fault)
            .header("content-type", "application/x-amz-json-1.0"),
        (Protocol::Cbor, Ok(value)) => cbor::answer(200, value, is_time),
        (Protocol::Cbor, Err(fault)) => {
            with_query_error(cbor::answer(fault.status, &fault_body(fault), is_time), fault)
        }
    }
}

fn fault_body(fault: &Fault) -> Value {
    // Shapes of the model have "Exception" or not as they please; the query code is in the header.
    let name = match fault.code.as_str() {
        "InvalidParameterCombination" | "InvalidParameterValue" | "MissingParameter" => {
            format!("{}Exception", fault.code)
        }
        "ValidationError" => "ValidationException".to_owned(),
        other => other.to_owned(),
    };
    json!({"__type": format!("com.amazonaws.cloudwatch.v2010_08_01#{name}"), "message": fault.message})
}

fn with_query_error(response: Response, fault: &Fault) -> Response {
    let side = if fault.status < 500 { "Sender" } else { "Receiver" };
    response.header("x-amzn-query-error", &format!("{};{side}", fault.code))
}

/// By the API's own naming, these and only these are times.
fn is_time(name: &str) -> bool {
    name.ends_with("Timestamp") || name == "Timestamps"
}

fn write_members(writer: &mut Writer, value: &Value) {
    for (name, member) in value.as_object().into_iter().flatten() {
        write_member(writer, name, member, is_time(name));
    }
}

fn write_member(writer: &mut Writer, name: &str, value: &Value, time: bool) {
    match value {
        Value::Null => {}
        Value::Array(items) => {
            writer.element(name, |list| {
                for item in items {
                    write_member(list, "member", item, time);
                }
            });
        }
        // The one map of the API; everything else is a structure.
        Value::Object(map) if name == "ExtendedStatistics" => {
            writer.element(name, |list| {
                for (key, value) in map {
                    list.element("entry", |entry| {
                        entry.text("key", key).text("value", value.to_string());
                    });
                }
            });
        }
        Value::Object(_) => {
            writer.element(name, |element| write_members(element, value));
        }
        Value::Number(number) if time => {
            let nanoseconds = number.as_f64().unwrap_or_default() * 1e9;
            let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds as i128).ok();
            writer.text(name, time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default());
        }
        Value::String(text) => {
            writer.text(name, text);
        }
        other => {
            writer.text(name, other.to_string());
        }
    }
}

/// A parameter's readings: query gives everything as text.
pub(super) trait Parameter {
    fn number(&self) -> Option<f64>;
    fn integer(&self) -> Option<i64>;
    fn flag(&self) -> Option<bool>;
    /// A time in milliseconds since 1970.
    fn time_ms(&self) -> Option<i64>;
    fn list(&self) -> &[Value];
    /// A text that is not empty.
    fn text(&self) -> Option<&str>;
    fn texts(&self) -> Vec<String>;
}

impl Parameter for Value {
    fn number(&self) -> Option<f64> {
        self.as_f64().or_else(|| self.as_str()?.parse().ok()).filter(|number| number.is_finite())
    }

    fn integer(&self) -> Option<i64> {
        self.as_i64().or_else(|| self.number().filter(|number| number.fract() == 0.0).map(|number| number as i64))
    }

    fn flag(&self) -> Option<bool> {
        self.as_bool().or_else(|| self.as_str()?.parse().ok())
    }

    fn time_ms(&self) -> Option<i64> {
        if let Some(seconds) = self.number() {
            return Some((seconds * 1000.0).round() as i64);
        }
        let time = OffsetDateTime::parse(self.as_str()?, &Rfc3339).ok()?;
        i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
    }

    fn list(&self) -> &[Value] {
        self.as_array().map(Vec::as_slice).unwrap_or_default()
    }

    fn text(&self) -> Option<&str> {
        self.as_str().filter(|text| !text.is_empty())
    }

    fn texts(&self) -> Vec<String> {
        self.list().iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_the_same_value_as_json() {
        let request = Request::form(
            "PutMetricData",
            &[
                ("Version", "2010-08-01"),
                ("Namespace", "App"),
                ("MetricData.member.1.MetricName", "a"),
                ("MetricData.member.1.Values.member.1", "1"),
                ("MetricData.member.1.Values.member.2", "2"),
                ("MetricData.member.10.MetricName", "c"),
                ("MetricData.member.2.MetricName", "b"),
            ],
            "000000000000",
            "us-east-1",
        );
        let (protocol, operation, value) = read(&request);
        assert_eq!((protocol, operation.as_str()), (Protocol::Query, "PutMetricData"));
        let expected = json!({
            "Namespace": "App",
            "MetricData": [{"MetricName": "a", "Values": ["1", "2"]}, {"MetricName": "b"}, {"MetricName": "c"}],
        });
        assert_eq!(value.unwrap(), expected);
    }

    #[test]
    fn a_query_answer_has_members_and_iso_times() {
        let request = Request::form("Do", &[], "000000000000", "us-east-1");
        let answer =
            write(&request, Protocol::Query, "Do", &Ok(json!({"Timestamps": [0.0], "Empty": [], "Value": 2.5})));
        let text = answer.body_text();
        assert!(text.contains("<Timestamps><member>1970-01-01T00:00:00Z</member></Timestamps>"), "{text}");
        assert!(text.contains("<Empty></Empty><Value>2.5</Value>"), "{text}");
    }
}
