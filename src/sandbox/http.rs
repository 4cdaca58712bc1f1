//! Requests and answers as the services see them, whichever way they came: over the wire, or from
//! one service to another.

use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

/// A request to one service.
#[derive(Clone, Debug)]
pub struct Request {
    /// The verb.
    pub method: Method,
    /// The path as it was sent, still percent-encoded, beginning with `/`. For S3 always in path
    /// style: the router has put a bucket from the host name in front.
    pub path: String,
    /// The query string's pairs, decoded, in their order; a key without `=` has an empty value.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, aws-chunked framing already taken off.
    pub body: Bytes,
    /// Account of the caller: twelve digits.
    pub account: String,
    /// Region of the credential scope.
    pub region: String,
    /// What the answer's `x-amzn-RequestId` says, for services that repeat it in the body.
    pub request_id: String,
}

impl Request {
    /// A request from one service to another: no query, headers or body yet.
    pub fn new(method: Method, path: impl Into<String>, account: &str, region: &str) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            account: account.to_owned(),
            region: region.to_owned(),
            request_id: new_request_id(),
        }
    }

    /// A request in the query protocol (IAM, SQS, SNS, CloudWatch, CloudFormation, STS): the
    /// operation and its flattened parameters, such as `("Tags.member.1.Key", "stage")`.
    pub fn form(action: &str, parameters: &[(&str, &str)], account: &str, region: &str) -> Self {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .extend_pairs(parameters)
            .finish();
        Self::new(Method::POST, "/", account, region)
            .with_header("content-type", "application/x-www-form-urlencoded")
            .with_body(body)
    }

    /// A request in the JSON protocols with `X-Amz-Target`, such as `Logs_20140328.CreateLogGroup`.
    pub fn target(target: &str, body: &serde_json::Value, account: &str, region: &str) -> Self {
        Self::new(Method::POST, "/", account, region)
            .with_header("x-amz-target", target)
            .with_header("content-type", "application/x-amz-json-1.1")
            .with_body(body.to_string())
    }

    /// Adds a header; one that cannot stand in HTTP is left out.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with_query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The text of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A UUID (version 4), which is what AWS's request ids look like.
pub fn new_request_id() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers; the router adds request id and date.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Response {
    /// An empty answer.
    pub fn new(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// A JSON answer.
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status).header("content-type", "application/json").with_body(value.to_string())
    }

    /// An XML answer; `xml` is the whole document.
    pub fn xml(status: u16, xml: impl Into<Bytes>) -> Self {
        Self::new(status).header("content-type", "text/xml").with_body(xml)
    }

    /// Adds a header; one that cannot stand in HTTP is left out.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Whether it is a 2xx.
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The body as JSON; `Null` where it is none.
    pub fn body_json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
