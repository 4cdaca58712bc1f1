//! What can go wrong with a call, as HTTP shows it.

use std::time::Duration;

use hyper::body::Bytes;

/// Which call it is, as far as faults and histories tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// `GetAlias`.
    ReadAlias,
    /// `UpdateAlias`.
    WriteAlias,
    /// Everything else of Lambda: versions, provisioned concurrency.
    Lambda,
    /// `GetObject` of a current journal.
    ReadJournal,
    /// `PutObject` of a current journal.
    WriteJournal,
    /// `DeleteObject` of a current journal.
    RetireJournal,
    /// Everything else of S3: the history.
    S3,
    /// `GetMetricData`.
    Metrics,
    /// `DescribeAlarms`.
    Alarms,
    /// CloudFormation.
    CloudFormation,
    /// STS.
    Sts,
}

/// A service, as faults take them down together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Lambda's control plane.
    Lambda,
    /// The journal's.
    S3,
    /// Metrics and alarms.
    CloudWatch,
    /// Stacks.
    CloudFormation,
    /// Who the caller is.
    Sts,
}

impl Call {
    /// Whose it is.
    pub fn service(self) -> Service {
        match self {
            Self::ReadAlias | Self::WriteAlias | Self::Lambda => Service::Lambda,
            Self::ReadJournal | Self::WriteJournal | Self::RetireJournal | Self::S3 => Service::S3,
            Self::Metrics | Self::Alarms => Service::CloudWatch,
            Self::CloudFormation => Service::CloudFormation,
            Self::Sts => Service::Sts,
        }
    }

    /// Reads it off a request.
    pub(super) fn of(request: &hyper::Request<Bytes>) -> Self {
        let path = request.uri().path();
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let scope = header("authorization").split('/').nth(3).unwrap_or_default().to_owned();
        let is_journal = path.ends_with("/current.json");
        match (scope.as_str(), request.method().as_str()) {
            ("lambda", "GET") if path.contains("/aliases/") => Self::ReadAlias,
            ("lambda", "PUT") if path.contains("/aliases/") => Self::WriteAlias,
            ("lambda", _) => Self::Lambda,
            ("s3", "GET") if is_journal => Self::ReadJournal,
            ("s3", "PUT") if is_journal => Self::WriteJournal,
            ("s3", "DELETE") if is_journal => Self::RetireJournal,
            ("s3", _) => Self::S3,
            ("monitoring", _) if path.ends_with("DescribeAlarms") || header("x-amz-target").ends_with("Alarms") => {
                Self::Alarms
            }
            ("monitoring", _) => Self::Metrics,
            ("cloudformation", _) => Self::CloudFormation,
            _ => Self::Sts,
        }
    }
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends before the request arrives.
    Reset,
    /// The connection ends after the request took effect: nobody is told.
    AnswerLost,
    /// 429 of the service's own kind; no effect.
    Throttled,
    /// 500; no effect.
    Internal,
    /// 503; no effect.
    Unavailable,
    /// 500, and yet it took effect.
    InternalAfter,
    /// 409: somebody is at it, or it is not ready.
    Busy,
    /// The answer ends before its length.
    CutShort,
    /// Half of an answer that looks whole to HTTP.
    Half,
    /// The answer comes so much later.
    Late(Duration),
    /// The request itself comes so much later, whether anybody still waits for it or not.
    Delayed(Duration),
    /// 403.
    Denied,
    /// The credentials are over.
    Expired,
}

impl Fault {
    /// Those that a network and a busy service make.
    pub const PASSING: [Self; 10] = [
        Self::Reset,
        Self::AnswerLost,
        Self::Throttled,
        Self::Internal,
        Self::Unavailable,
        Self::InternalAfter,
        Self::CutShort,
        Self::Half,
        Self::Late(Duration::from_secs(12)),
        Self::Delayed(Duration::from_secs(25)),
    ];

    /// The answer that a service gives without having done anything; `None` where it is no answer.
    pub(super) fn refusal(self, service: Service) -> Option<hyper::Response<Bytes>> {
        let (status, code, text) = match (self, service) {
            (Self::Throttled, Service::S3) => (503, "SlowDown", "Please reduce your request rate."),
            (Self::Throttled, Service::Lambda) => (429, "TooManyRequestsException", "Rate exceeded"),
            (Self::Throttled, _) => (400, "Throttling", "Rate exceeded"),
            (Self::Internal | Self::InternalAfter, Service::Lambda) => (500, "ServiceException", "An error occurred."),
            (Self::Internal | Self::InternalAfter, Service::S3) => {
                (500, "InternalError", "We encountered an internal error. Please try again.")
            }
            (Self::Internal | Self::InternalAfter, _) => (500, "InternalFailure", "An internal error occurred."),
            (Self::Unavailable, _) => (503, "ServiceUnavailable", "Service is unable to handle request."),
            (Self::Busy, Service::S3) => (409, "ConditionalRequestConflict", "A conflicting operation is under way."),
            (Self::Busy, _) => (409, "ResourceConflictException", "The resource is being updated."),
            (Self::Denied, Service::S3) => (403, "AccessDenied", "Access Denied"),
            (Self::Denied, _) => (403, "AccessDeniedException", "The principal is not authorized to perform this."),
            (Self::Expired, Service::S3) => (400, "ExpiredToken", "The provided token has expired."),
            (Self::Expired, _) => {
                (403, "ExpiredTokenException", "The security token included in the request is expired")
            }
            _ => return None,
        };
        let (kind, body) = match service {
            Service::S3 => (
                "application/xml",
                format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{text}</Message></Error>"),
            ),
            Service::CloudFormation | Service::Sts => (
                "text/xml",
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error><RequestId>fault</RequestId></ErrorResponse>"
                ),
            ),
            Service::Lambda => ("application/json", format!("{{\"Type\":\"User\",\"message\":\"{text}\"}}")),
            Service::CloudWatch => ("application/json", format!("{{\"__type\":\"{code}\",\"message\":\"{text}\"}}")),
        };
        let mut answer = hyper::Response::builder()
            .status(status)
            .header("content-type", kind)
            .header("x-amzn-requestid", "fault")
            .header("x-amz-request-id", "fault");
        if matches!(service, Service::Lambda | Service::CloudWatch) {
            answer = answer.header("x-amzn-errortype", code);
        }
        answer.body(Bytes::from(body)).ok()
    }
}
