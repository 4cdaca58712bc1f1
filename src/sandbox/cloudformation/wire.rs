//! The query protocol: form fields in, XML out.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::sandbox::http::{Request, Response};

/// An error answer of CloudFormation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// The code that most of CloudFormation's errors have.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    pub(super) fn response(&self) -> Response {
        let kind = if self.status >= 500 { "Receiver" } else { "Sender" };
        let mut xml =
            format!("<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{}</Code>", self.code);
        element(&mut xml, "Message", &Value::String(self.message.clone()));
        xml.push_str("</Error><RequestId>");
        xml.push_str(&request_id());
        xml.push_str("</RequestId></ErrorResponse>");
        Response::xml(self.status, xml)
    }
}

const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";
/// Longest list that is read from a request; AWS's own lists end at 200 parameters.
const LONGEST_LIST: usize = 1000;

/// The fields of a request. Reading takes them out, so that what nobody asked for can be refused at
/// the end instead of being silently ignored.
#[derive(Debug, Default)]
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    pub(super) fn of(request: &Request) -> Self {
        let body = form_urlencoded::parse(&request.body).into_owned();
        Self(request.query.iter().cloned().chain(body).collect())
    }

    /// A field's text; an empty one counts as absent, as AWS has it.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// A field that may be there and empty.
    pub(super) fn text_or_empty(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    pub(super) fn required(&mut self, name: &str) -> Result<String, Fault> {
        self.text(name).ok_or_else(|| {
            let field = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
            Fault::validation(format!(
                "1 validation error detected: Value null at '{field}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Fault> {
        match self.text(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(Fault::new(400, "MalformedInput", format!("{name}: {other} is not a boolean"))),
        }
    }

    /// One of the words that the field may hold.
    pub(super) fn choice(&mut self, name: &str, words: &[&str]) -> Result<Option<String>, Fault> {
        let Some(value) = self.text(name) else { return Ok(None) };
        if words.contains(&value.as_str()) {
            return Ok(Some(value));
        }
        let field = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
        Err(Fault::validation(format!(
            "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
            words.join(", ")
        )))
    }

    /// A list of texts: `Name.member.1`, `Name.member.2`, … `None` when the field is not there at
    /// all; an empty list is sent as `Name=`.
    pub(super) fn list(&mut self, name: &str) -> Option<Vec<String>> {
        let empty = self.0.remove(name).is_some();
        let items: Vec<String> =
            (1..=LONGEST_LIST).map_while(|index| self.0.remove(&format!("{name}.member.{index}"))).collect();
        (empty || !items.is_empty()).then_some(items)
    }

    /// A list of structures, each as the fields that stood behind `Name.member.N.`.
    pub(super) fn structures(&mut self, name: &str) -> Option<Vec<Self>> {
        let empty = self.0.remove(name).is_some();
        let mut items = Vec::new();
        for index in 1..=LONGEST_LIST {
            let prefix = format!("{name}.member.{index}.");
            let keys: Vec<String> = self.0.keys().filter(|key| key.starts_with(&prefix)).cloned().collect();
            if keys.is_empty() {
                break;
            }
            let fields = keys
                .into_iter()
                .filter_map(|key| self.0.remove(&key).map(|value| (key[prefix.len()..].to_owned(), value)))
                .collect();
            items.push(Self(fields));
        }
        (empty || !items.is_empty()).then_some(items)
    }

    /// Refuses what nobody has read.
    pub(super) fn end(mut self) -> Result<(), Fault> {
        for known in ["Action", "Version"] {
            self.0.remove(known);
        }
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                Err(Fault::validation(format!("The sandbox's CloudFormation does not know the parameter {name}")))
            }
        }
    }
}

/// A successful answer: objects become elements, lists `member`s, null nothing.
pub(super) fn answer(action: &str, result: &Value) -> Response {
    let mut xml = format!("<{action}Response xmlns=\"{NAMESPACE}\">");
    element(&mut xml, &format!("{action}Result"), result);
    xml.push_str("<ResponseMetadata><RequestId>");
    xml.push_str(&request_id());
    xml.push_str("</RequestId></ResponseMetadata>");
    xml.push_str(&format!("</{action}Response>"));
    Response::xml(200, xml)
}

fn element(xml: &mut String, name: &str, value: &Value) {
    if value.is_null() {
        return;
    }
    xml.push_str(&format!("<{name}>"));
    match value {
        Value::Null => {}
        Value::Bool(flag) => xml.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => xml.push_str(&number.to_string()),
        Value::String(text) => {
            // XML 1.0 cannot hold other control characters, not even escaped.
            let clean: String = text
                .chars()
                .map(|c| if c.is_control() && !matches!(c, '\n' | '\r' | '\t') { '\u{fffd}' } else { c })
                .collect();
            // A bare carriage return would be read back as a line feed.
            xml.push_str(&quick_xml::escape::escape(clean.as_str()).replace('\r', "&#13;"));
        }
        Value::Array(items) => items.iter().for_each(|item| element(xml, "member", item)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| element(xml, key, value)),
    }
    xml.push_str(&format!("</{name}>"));
}

/// A random identifier in the form of a UUID.
pub(super) fn uuid() -> String {
    let [a, b]: [u64; 2] = [rand::random(), rand::random()];
    let hex = format!("{a:016x}{b:016x}");
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

fn request_id() -> String {
    uuid()
}

/// Milliseconds since 1970 as AWS writes times: `2026-01-02T03:04:05.678Z`.
pub(super) fn timestamp(ms: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(body: &str) -> Fields {
        Fields(form_urlencoded::parse(body.as_bytes()).into_owned().collect())
    }

    #[test]
    fn lists_and_structures_are_read_and_the_rest_is_refused() {
        let mut fields = fields(
            "Action=X&Version=1&Capabilities.member.1=A&Capabilities.member.2=B&Tags=\
             &Parameters.member.1.ParameterKey=k&Parameters.member.1.ParameterValue=&Odd=1",
        );
        assert_eq!(fields.list("Capabilities"), Some(vec!["A".to_owned(), "B".to_owned()]));
        assert_eq!(fields.list("Tags"), Some(vec![]));
        assert_eq!(fields.list("Nothing"), None);
        let mut parameters = fields.structures("Parameters").unwrap();
        assert_eq!(parameters.len(), 1);
        assert_eq!(parameters[0].text("ParameterKey").as_deref(), Some("k"));
        assert_eq!(parameters[0].text_or_empty("ParameterValue").as_deref(), Some(""));
        assert!(fields.end().unwrap_err().message.ends_with("the parameter Odd"));
    }

    #[test]
    fn answers_escape_what_xml_cannot_hold() {
        let mut xml = String::new();
        element(&mut xml, "A", &json!({"B": "<&\u{1}\r\n", "C": [], "D": [1, true], "E": null}));
        assert_eq!(xml, "<A><B>&lt;&amp;\u{fffd}&#13;\n</B><C></C><D><member>1</member><member>true</member></D></A>");
    }

    #[test]
    fn times_look_as_aws_writes_them() {
        assert_eq!(timestamp(1_767_323_045_678), "2026-01-02T03:04:05.678Z");
    }
}
