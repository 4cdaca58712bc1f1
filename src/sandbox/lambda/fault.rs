//! Lambda's errors as it puts them on the wire.

use serde_json::{Map, Value, json};

use crate::sandbox::http::Response;

/// An error answer.
#[derive(Debug)]
pub(super) struct Fault {
    status: u16,
    code: &'static str,
    body: Map<String, Value>,
}

/// What an operation gives.
pub(super) type Answer<T = Response> = Result<T, Fault>;

impl Fault {
    /// The form of most of them: `{"Type": "User", "message": …}`.
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let mut body = Map::new();
        body.insert("Type".to_owned(), json!("User"));
        body.insert("message".to_owned(), json!(message.into()));
        Self { status, code, body }
    }

    /// 404; this one spells `Message`.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        let mut fault = Self::new(404, "ResourceNotFoundException", "");
        fault.body.remove("message");
        fault.body.insert("Message".to_owned(), json!(message.into()));
        fault
    }

    /// 404 for a function or a version of it.
    pub(super) fn no_function(arn: &str) -> Self {
        Self::not_found(format!("Function not found: {arn}"))
    }

    /// 400 for a value that Lambda itself refuses.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterValueException", message)
    }

    /// 400 for a value that the API's front refuses.
    pub(super) fn validation(value: &str, member: &str, constraint: &str) -> Self {
        let message = format!(
            "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {constraint}"
        );
        let mut fault = Self::new(400, "ValidationException", message);
        fault.body.remove("Type");
        fault
    }

    /// 409.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "ResourceConflictException", message)
    }

    /// 412; `call` is what the text says gives the latest revision.
    pub(super) fn stale(call: &str) -> Self {
        let text = format!(
            "The Revision Id provided does not match the latest Revision Id. Call the {call} API to retrieve the latest Revision Id"
        );
        Self::new(412, "PreconditionFailedException", text)
    }

    /// 413.
    pub(super) fn too_large(message: impl Into<String>) -> Self {
        let mut fault = Self::new(413, "RequestEntityTooLargeException", message);
        fault.body.remove("Type");
        fault
    }

    /// 429.
    pub(super) fn throttled(reason: &str) -> Self {
        let mut fault = Self::new(429, "TooManyRequestsException", "Rate Exceeded.");
        fault.body.insert("Reason".to_owned(), json!(reason));
        fault
    }

    /// 501: the sandbox does not have it.
    pub(super) fn not_implemented(what: &str) -> Self {
        Self::new(501, "NotImplemented", format!("The sandbox's Lambda does not have {what}"))
    }

    /// 500: the sandbox's own trouble.
    pub(super) fn internal(reason: &dyn std::fmt::Display) -> Self {
        Self::new(500, "ServiceException", format!("The sandbox failed: {reason}"))
    }

    /// The code, for who retries.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }
}

impl From<Fault> for Response {
    fn from(fault: Fault) -> Self {
        Self::json(fault.status, &Value::Object(fault.body)).header("x-amzn-errortype", fault.code)
    }
}
