//! rpc-v2-cbor, AWS's newer protocol: a map in, a map out. Both are one JSON value here; times are
//! seconds since 1970 in it (<https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>).

use ciborium::Value as Cbor;
use serde_json::{Map, Value, json};

use super::http::Response;
use super::query::Fault;

/// No API of the sandbox nests deeper than this.
const MAX_DEPTH: usize = 64;

/// Reads a request's body; an empty one has no members.
pub(super) fn read(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    let value = ciborium::de::from_reader_with_recursion_limit(body, MAX_DEPTH);
    Ok(to_json(value.map_err(|_| Fault::new(400, "SerializationException", "The body is not CBOR"))?))
}

/// An answer. `is_time` knows the members that are times by their names.
pub(super) fn answer(status: u16, value: &Value, is_time: fn(&str) -> bool) -> Response {
    let mut body = Vec::new();
    // Writing to memory does not fail.
    let _ = ciborium::into_writer(&from_json(value, false, is_time), &mut body);
    Response::new(status)
        .header("content-type", "application/cbor")
        .header("smithy-protocol", "rpc-v2-cbor")
        .with_body(body)
}

fn to_json(value: Cbor) -> Value {
    match value {
        Cbor::Bool(flag) => json!(flag),
        Cbor::Integer(number) => i64::try_from(number).map_or(Value::Null, Value::from),
        Cbor::Float(number) => json!(number),
        Cbor::Text(text) => Value::String(text),
        Cbor::Tag(_, inner) => to_json(*inner),
        Cbor::Array(items) => items.into_iter().map(to_json).collect(),
        Cbor::Map(members) => members
            .into_iter()
            .filter_map(|(key, value)| Some((key.into_text().ok()?, to_json(value))))
            .collect::<Map<_, _>>()
            .into(),
        _ => Value::Null,
    }
}

fn from_json(value: &Value, time: bool, is_time: fn(&str) -> bool) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(flag) => Cbor::Bool(*flag),
        Value::Number(number) if time => Cbor::Tag(1, Box::new(Cbor::Float(number.as_f64().unwrap_or_default()))),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Cbor::Integer(integer.into()),
            None => Cbor::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Array(items) => Cbor::Array(items.iter().map(|item| from_json(item, time, is_time)).collect()),
        Value::Object(map) => Cbor::Map(
            map.iter()
                .map(|(name, value)| (Cbor::Text(name.clone()), from_json(value, is_time(name), is_time)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_both_ways_and_times_are_tagged() {
        let value = json!({"Timestamps": [1.5], "Values": [41.0], "Count": 3, "Ok": true});
        let bytes = answer(200, &value, |name| name == "Timestamps").body;
        let raw: Cbor = ciborium::from_reader(bytes.as_ref()).unwrap();
        let times = &raw.as_map().unwrap()[0].1;
        assert!(times.as_array().unwrap()[0].is_tag());
        assert_eq!(read(&bytes).unwrap(), value);
        assert!(read(b"\xff\xff").is_err());
        assert!(read(&vec![0x81; 100_000]).is_err());
    }
}
