//! What AWS answered when it did not do what was asked: always operation, resource, code and
//! request id.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::hint::Hint;

/// A call to AWS that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// `s3`, `lambda`, `cloudformation`, …
    pub service: &'static str,
    /// The API's own name of the operation, such as `PutObject`.
    pub operation: &'static str,
    /// What it was asked about: a bucket and key, a function, a stack.
    pub resource: String,
    /// What callers tell apart.
    pub kind: ErrorKind,
    /// AWS's error code, such as `NoSuchKey`, when there was an answer with one.
    pub code: Option<String>,
    /// AWS's text, or what went wrong before there was an answer.
    pub message: String,
    /// AWS's request id, when there was an answer.
    pub request_id: Option<String>,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
}

/// What callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The thing is not there (404, `ResourceNotFoundException`, `NoSuchKey`, a stack that does
    /// not exist).
    NotFound,
    /// It is there already.
    AlreadyExists,
    /// A condition of the request was not met (412: `If-Match`, `If-None-Match`, `RevisionId`).
    PreconditionFailed,
    /// Somebody else is at it, or it is not ready yet (409); trying again later may work.
    Conflict,
    /// The principal may not.
    AccessDenied,
    /// Too fast (429, `Throttling`, `SlowDown`); the retries are spent.
    Throttled,
    /// There are no credentials, or they are expired or wrong.
    Credentials,
    /// The request is not one that AWS accepts.
    Invalid,
    /// AWS answered 5xx; the retries are spent.
    Service,
    /// No answer: connection, time-out, reset. Whether the call took effect is not known.
    NoAnswer,
    /// An answer that is not what the operation promises (HTML from a proxy, say).
    NotAnAwsAnswer,
}

impl Error {
    /// From what the SDK gives. When retries are spent, this is the last answer.
    pub fn from_sdk<E>(
        service: &'static str,
        operation: &'static str,
        resource: impl Into<String>,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let raw = error.raw_response();
        let status = raw.map(|response| response.status().as_u16());
        let header = |name: &str| raw.and_then(|response| response.headers().get(name));
        let metadata = error.as_service_error().map(ProvideErrorMetadata::meta);
        let code = metadata.and_then(|meta| meta.code()).map(str::to_owned);
        let request_id = metadata
            .and_then(|meta| meta.extra("aws_request_id"))
            .or_else(|| header("x-amzn-requestid"))
            .or_else(|| header("x-amz-request-id"))
            .map(str::to_owned);
        // An emulator may give an empty 404 that type; a proxy's page has no request id of AWS's.
        let is_html = request_id.is_none() && header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        let message = metadata
            .and_then(|meta| meta.message())
            .map_or_else(|| without_answer(error, status, is_html), str::to_owned);
        let kind = if is_html || is_no_error(error, status) {
            ErrorKind::NotAnAwsAnswer
        } else {
            classify(error, code.as_deref(), status, &message)
        };
        Self { service, operation, resource: resource.into(), kind, code, message, request_id, status }
    }

    /// Whether AWS answered with this code.
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the thing that was asked about is not there.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }
}

fn without_answer<E>(error: &SdkError<E, HttpResponse>, status: Option<u16>, is_html: bool) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if is_html {
        return "the answer is a web page, not AWS's; a proxy or captive portal?".to_owned();
    }
    if is_no_error(error, status) {
        return "the answer is not one that AWS gives (HTTP status 200, and nothing that can be understood)".to_owned();
    }
    if let (SdkError::ServiceError(_), Some(status)) = (error, status) {
        return format!("HTTP status {status} without an explanation");
    }
    // The SDK's own text is only "dispatch failure"; what a person needs is in the chain.
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if inner_text.starts_with("no credentials found in chain") {
            return NO_CREDENTIALS.to_owned();
        }
        // With its source it is a dump of the whole request, body and all.
        if let Some((endpoint, _)) = inner_text.split_once(" to request `Request") {
            return endpoint.to_owned();
        }
        if !LABELS.contains(&inner_text.as_str()) && !text.contains(&inner_text) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

const NO_CREDENTIALS: &str = "no AWS credentials were found (environment, profile, web identity, container, instance)";

/// What the SDK puts around a cause, which tells people nothing.
const LABELS: [&str; 4] = ["other", "io error", "timeout", "the credential provider was not enabled"];

/// AWS says 200 only with what was asked for.
fn is_no_error<E>(error: &SdkError<E, HttpResponse>, status: Option<u16>) -> bool
where
    E: ProvideErrorMetadata,
{
    let code = error.as_service_error().and_then(|error| error.meta().code());
    matches!(error, SdkError::ServiceError(_)) && status == Some(200) && code.is_none()
}

fn classify<E>(error: &SdkError<E, HttpResponse>, code: Option<&str>, status: Option<u16>, message: &str) -> ErrorKind
where
    E: std::error::Error + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) if message.contains("credentials") => return ErrorKind::Credentials,
        SdkError::ConstructionFailure(_) => return ErrorKind::Invalid,
        SdkError::DispatchFailure(_) if message.contains("credentials") => return ErrorKind::Credentials,
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => return ErrorKind::NoAnswer,
        SdkError::ResponseError(_) => return ErrorKind::NotAnAwsAnswer,
        _ => {}
    }
    let code = code.unwrap_or_default();
    match code {
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "RequestTimeTooSkewed" => ErrorKind::Credentials,
        "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" => ErrorKind::AccessDenied,
        "Throttling" | "ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded" | "SlowDown" => {
            ErrorKind::Throttled
        }
        "PreconditionFailed" | "PreconditionFailedException" => ErrorKind::PreconditionFailed,
        "AlreadyExistsException" | "BucketAlreadyExists" | "BucketAlreadyOwnedByYou" => ErrorKind::AlreadyExists,
        "ChangeSetNotFound" | "ChangeSetNotFoundException" => ErrorKind::NotFound,
        // CloudFormation gives nothing but this text for a stack that is not there.
        "ValidationError" if message.contains("does not exist") => ErrorKind::NotFound,
        _ => match status {
            Some(404) => ErrorKind::NotFound,
            Some(403) => ErrorKind::AccessDenied,
            Some(409) => ErrorKind::Conflict,
            Some(412) => ErrorKind::PreconditionFailed,
            Some(429) => ErrorKind::Throttled,
            Some(500..) => ErrorKind::Service,
            _ => ErrorKind::Invalid,
        },
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, operation, resource, message, .. } = self;
        write!(f, "{service} {operation} {resource}: ")?;
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        write!(f, "{message}")?;
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        let hint = match self.kind {
            ErrorKind::Credentials => {
                "Sign in (`aws sso login`, `aws configure`), name a profile with --profile, or try it without \
                 an account: add --sandbox."
            }
            ErrorKind::AccessDenied => "The principal lacks the permission for this operation on this resource.",
            ErrorKind::Throttled => "AWS refused for speed; run the same command again in a minute.",
            ErrorKind::NoAnswer => "Check the network, HTTPS_PROXY and the endpoint, then run the same command again.",
            ErrorKind::NotAnAwsAnswer => "Something between here and AWS answered; check proxy and endpoint.",
            ErrorKind::Service => "Run the same command again in a minute; the retries of this run are spent.",
            ErrorKind::NotFound if self.has_code("NoSuchBucket") => {
                "Check the bucket's name (--journal-bucket for a rollout's journal) and the account."
            }
            ErrorKind::NotFound if self.service == "cloudformation" => {
                "Check the stack's name, and --region: `aws cloudformation list-stacks` lists what there is."
            }
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}
