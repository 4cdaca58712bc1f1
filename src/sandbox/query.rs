//! AWS's query protocol: a form with `Action` and flattened parameters in, XML out.

use std::collections::BTreeMap;

use super::http::{Request, Response};
use super::xml::Writer;

/// The parameters of one call.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    values: BTreeMap<String, String>,
}

impl Parameters {
    /// Reads form body and query string.
    pub fn read(request: &Request) -> Self {
        let mut values: BTreeMap<String, String> = request.query.iter().cloned().collect();
        values.extend(form_urlencoded::parse(&request.body).into_owned());
        Self { values }
    }

    /// The operation.
    pub fn action(&self) -> &str {
        self.get("Action").unwrap_or_default()
    }

    /// A parameter by its flattened name, such as `Tags.member.1.Key`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A parameter that is `true`.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The items of a list, in their order: the parameters under `name.member.N` (`name.N` where
    /// the list is flattened, `name.entry.N` in SNS's maps), with what is after `N.` as their name,
    /// and the item itself under the empty name.
    pub fn list(&self, name: &str) -> Vec<Self> {
        let mut items: BTreeMap<u32, Self> = BTreeMap::new();
        let prefix = format!("{name}.");
        for (key, value) in self.values.range(prefix.clone()..) {
            let Some(rest) = key.strip_prefix(&prefix) else { break };
            let rest = ["member.", "entry."].iter().find_map(|form| rest.strip_prefix(form)).unwrap_or(rest);
            let (index, field) = rest.split_once('.').unwrap_or((rest, ""));
            if let Ok(index) = index.parse() {
                items.entry(index).or_default().values.insert(field.to_owned(), value.clone());
            }
        }
        items.into_values().collect()
    }

    /// The texts of a list.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.list(name).iter().filter_map(|item| item.get("").map(str::to_owned)).collect()
    }

    /// A structure's members: the parameters under `name.`.
    pub fn structure(&self, name: &str) -> Self {
        let prefix = format!("{name}.");
        let values = self
            .values
            .range(prefix.clone()..)
            .map_while(|(key, value)| Some((key.strip_prefix(&prefix)?.to_owned(), value.clone())))
            .collect();
        Self { values }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Every name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// An error that the client caused, or not (`status` 5xx).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// HTTP status.
    pub status: u16,
    /// AWS's code.
    pub code: String,
    /// AWS's text.
    pub message: String,
}

impl Fault {
    /// A fault.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// The service has no such operation in the sandbox.
    pub fn not_implemented(service: &str, operation: &str) -> Self {
        Self::new(501, "NotImplemented", format!("The sandbox's {service} does not have the operation {operation:?}"))
    }
}

/// `<ActionResponse><ActionResult>…</ActionResult><ResponseMetadata>…`.
pub fn answer(request: &Request, namespace: &str, action: &str, result: impl FnOnce(&mut Writer)) -> Response {
    let xml = Writer::document(&format!("{action}Response"), namespace, |root| {
        root.element(&format!("{action}Result"), result).element("ResponseMetadata", |metadata| {
            metadata.text("RequestId", &request.request_id);
        });
    });
    Response::xml(200, xml)
}

/// `<ErrorResponse><Error>…`.
pub fn fault(request: &Request, namespace: &str, fault: &Fault) -> Response {
    let xml = Writer::document("ErrorResponse", namespace, |root| {
        root.element("Error", |error| {
            error
                .text("Type", if fault.status < 500 { "Sender" } else { "Receiver" })
                .text("Code", &fault.code)
                .text("Message", &fault.message);
        })
        .text("RequestId", &request.request_id);
    });
    Response::xml(fault.status, xml)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_their_order_beyond_nine_and_structures_their_members() {
        let pairs: Vec<(String, String)> = (1..=12)
            .flat_map(|n| [(format!("Tags.member.{n}.Key"), format!("k{n}")), (format!("Names.{n}"), format!("n{n}"))])
            .collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let request = Request::form("Do", &pairs, "000000000000", "us-east-1");
        let parameters = Parameters::read(&request);
        assert_eq!(parameters.action(), "Do");
        let keys: Vec<_> = parameters.list("Tags").iter().map(|tag| tag.get("Key").unwrap().to_owned()).collect();
        assert_eq!(keys[0], "k1");
        assert_eq!(keys[11], "k12");
        assert_eq!(parameters.texts("Names")[9], "n10");
        assert_eq!(parameters.structure("Tags").get("member.3.Key"), Some("k3"));
        assert!(parameters.list("Nothing").is_empty());
    }
}
