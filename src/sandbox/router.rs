//! Which service a request is for, whose it is, and in which region: from the SigV4 credential
//! scope first, then from what unsigned requests have. Signatures are not checked, any key will do.

use hyper::header::HeaderMap;

use super::{ACCOUNT, REGION};

/// The services of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceName {
    /// Simple Storage Service.
    S3,
    /// Lambda.
    Lambda,
    /// CloudFormation.
    CloudFormation,
    /// CloudWatch metrics and alarms (`monitoring`).
    CloudWatch,
    /// CloudWatch Logs.
    Logs,
    /// Security Token Service.
    Sts,
    /// Identity and Access Management.
    Iam,
    /// Simple Queue Service.
    Sqs,
    /// Simple Notification Service.
    Sns,
    /// CodeDeploy.
    CodeDeploy,
}

impl ServiceName {
    /// By the name in the credential scope.
    fn from_scope(name: &str) -> Option<Self> {
        Some(match name {
            "s3" => Self::S3,
            "lambda" => Self::Lambda,
            "cloudformation" => Self::CloudFormation,
            "monitoring" => Self::CloudWatch,
            "logs" => Self::Logs,
            "sts" => Self::Sts,
            "iam" => Self::Iam,
            "sqs" => Self::Sqs,
            "sns" => Self::Sns,
            "codedeploy" => Self::CodeDeploy,
            _ => return None,
        })
    }

    /// By the prefix of `X-Amz-Target`, or the service of rpc-v2's path.
    fn from_target(target: &str) -> Option<Self> {
        Some(match target {
            "Logs_20140328" => Self::Logs,
            "GraniteServiceVersion20100801" => Self::CloudWatch,
            "AmazonSQS" => Self::Sqs,
            "CodeDeploy_20141006" => Self::CodeDeploy,
            _ => return None,
        })
    }

    /// By the API version of the query protocol.
    fn from_version(version: &str) -> Option<Self> {
        Some(match version {
            "2010-05-15" => Self::CloudFormation,
            "2010-08-01" => Self::CloudWatch,
            "2011-06-15" => Self::Sts,
            "2010-05-08" => Self::Iam,
            "2012-11-05" => Self::Sqs,
            "2010-03-31" => Self::Sns,
            _ => return None,
        })
    }
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The service, or the name of one that the sandbox does not have.
    pub service: Result<ServiceName, String>,
    /// Twelve digits.
    pub account: String,
    /// Region.
    pub region: String,
    /// The path, for S3 in path style.
    pub path: String,
}

/// Finds the route. `query` is decoded, `body` is looked at only in forms.
pub(super) fn route(path: &str, query: &[(String, String)], headers: &HeaderMap, body: &[u8]) -> Route {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let parameter = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let scope = header("authorization")
        .and_then(|text| text.split("Credential=").nth(1)?.split([',', ' ']).next())
        .or_else(|| parameter("X-Amz-Credential"));
    let parts: Vec<&str> = scope.map(|scope| scope.split('/').collect()).unwrap_or_default();
    // aws4_request: key/date/region/service/…; with SigV4A there is no region: key/date/service/….
    let (key, region, scoped) = match parts.as_slice() {
        [key, _, region, service, _] => (*key, *region, Some(*service)),
        [key, _, service, _] => (*key, REGION, Some(*service)),
        _ => (parameter("AWSAccessKeyId").unwrap_or_default(), REGION, None),
    };
    let service = scoped.map(|name| ServiceName::from_scope(name).ok_or_else(|| name.to_owned()));
    let service =
        service.unwrap_or_else(|| unsigned(path, query, header("x-amz-target"), header("content-type"), body));
    let is_account = key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit());
    let bucket = if service == Ok(ServiceName::S3) { header("host").and_then(bucket_of_host) } else { None };
    Route {
        service,
        account: if is_account { key } else { ACCOUNT }.to_owned(),
        region: if region.is_empty() { REGION } else { region }.to_owned(),
        path: bucket.map_or_else(|| path.to_owned(), |bucket| format!("/{bucket}{path}")),
    }
}

/// Without a signature: by target, path or form; else it is S3, the one service with plain URLs.
fn unsigned(
    path: &str,
    query: &[(String, String)],
    target: Option<&str>,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<ServiceName, String> {
    if let Some((prefix, _)) = target.and_then(|target| target.split_once('.')) {
        return ServiceName::from_target(prefix).ok_or_else(|| prefix.to_owned());
    }
    if let Some(rest) = path.strip_prefix("/service/") {
        let name = rest.split('/').next().unwrap_or_default();
        return ServiceName::from_target(name).ok_or_else(|| name.to_owned());
    }
    // Lambda's paths begin with the date of the API: /2015-03-31/functions.
    let mut segments = path.split('/').skip(1);
    let is_date = |text: &str| {
        text.len() == 10
            && text
                .bytes()
                .enumerate()
                .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() })
    };
    if segments.next().is_some_and(is_date) && segments.next().is_some() {
        return Ok(ServiceName::Lambda);
    }
    let is_form = content_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let form = if is_form { body } else { b"" };
    let version = query
        .iter()
        .cloned()
        .chain(form_urlencoded::parse(form).into_owned())
        .find_map(|(key, value)| (key == "Version").then_some(value));
    match version {
        Some(version) => ServiceName::from_version(&version).ok_or_else(|| format!("with API version {version}")),
        None => Ok(ServiceName::S3),
    }
}

/// The bucket of a virtual-host style address: `bucket.localhost`, `bucket.s3.localhost`,
/// `bucket.s3.eu-west-1.amazonaws.com`.
fn bucket_of_host(host: &str) -> Option<&str> {
    let host = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host });
    if let Some(name) = host.strip_suffix(".amazonaws.com") {
        let at = name.find(".s3.").or_else(|| name.find(".s3-")).or_else(|| name.strip_suffix(".s3").map(str::len))?;
        return Some(&name[..at]);
    }
    let name = host.strip_suffix(".localhost")?;
    let name = name.split_once(".s3.").map_or(name, |(bucket, _)| bucket);
    let name = name.strip_suffix(".s3").unwrap_or(name);
    (name != "s3" && !name.starts_with("s3.")).then_some(name)
}

/// Whether a request may have come from a web page, which could otherwise run code on this machine
/// through `CreateFunction`: pages send `Origin`, and a name that was re-bound to loopback is not a
/// name of loopback. Clients of AWS do neither.
pub(super) fn is_from_a_web_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("origin").is_some() || text("sec-fetch-site").is_some_and(|site| site != "none") {
        return true;
    }
    let host = text("host").unwrap_or_default();
    if host.starts_with("[::1]") {
        return false;
    }
    let name = host.split(':').next().unwrap_or_default();
    !(name.is_empty()
        || name == "localhost"
        || name.ends_with(".localhost")
        || name.ends_with(".amazonaws.com")
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn pairs(text: &str) -> Vec<(String, String)> {
        form_urlencoded::parse(text.as_bytes()).into_owned().collect()
    }

    #[test]
    fn the_credential_scope_decides() {
        let signed = headers(&[(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=123456789012/20260101/eu-west-1/monitoring/aws4_request, SignedHeaders=host, Signature=0",
        )]);
        let route = route("/", &[], &signed, b"");
        assert_eq!(route.service, Ok(ServiceName::CloudWatch));
        assert_eq!((route.account.as_str(), route.region.as_str()), ("123456789012", "eu-west-1"));
    }

    #[test]
    fn other_keys_are_the_default_account() {
        let signed = headers(&[(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/kinesis/aws4_request,SignedHeaders=host,Signature=0",
        )]);
        let route = route("/", &[], &signed, b"");
        assert_eq!(route.service, Err("kinesis".to_owned()));
        assert_eq!(route.account, ACCOUNT);
    }

    #[test]
    fn presigned_and_unsigned_requests_find_their_service() {
        let none = HeaderMap::new();
        let presigned = pairs("X-Amz-Credential=x%2F20260101%2Fus-west-2%2Fs3%2Faws4_request");
        let found = route("/bucket/key", &presigned, &none, b"");
        assert_eq!((found.service, found.region.as_str()), (Ok(ServiceName::S3), "us-west-2"));
        assert_eq!(route("/2015-03-31/functions/f", &[], &none, b"").service, Ok(ServiceName::Lambda));
        assert_eq!(route("/2015-03-31", &[], &none, b"").service, Ok(ServiceName::S3));
        assert_eq!(
            route("/", &pairs("Action=ListStacks&Version=2010-05-15"), &none, b"").service,
            Ok(ServiceName::CloudFormation)
        );
        let form = headers(&[("content-type", "application/x-www-form-urlencoded; charset=utf-8")]);
        assert_eq!(
            route("/", &[], &form, b"Action=GetCallerIdentity&Version=2011-06-15").service,
            Ok(ServiceName::Sts)
        );
        let rpc = "/service/GraniteServiceVersion20100801/operation/ListMetrics";
        assert_eq!(route(rpc, &[], &none, b"").service, Ok(ServiceName::CloudWatch));
        let target = headers(&[("x-amz-target", "Logs_20140328.PutLogEvents")]);
        assert_eq!(route("/", &[], &target, b"").service, Ok(ServiceName::Logs));
        assert_eq!(route("/bucket/key", &[], &none, b"").service, Ok(ServiceName::S3));
    }

    #[test]
    fn a_bucket_in_the_host_name_comes_into_the_path() {
        for (host, bucket) in [
            ("b.localhost:4566", Some("b")),
            ("my.bucket.s3.localhost", Some("my.bucket")),
            ("b.s3.us-east-1.localhost:1", Some("b")),
            ("b.s3.eu-west-1.amazonaws.com", Some("b")),
            ("b.s3.amazonaws.com", Some("b")),
            ("b.s3-eu-west-1.amazonaws.com", Some("b")),
            ("s3.amazonaws.com", None),
            ("s3.localhost", None),
            ("localhost:4566", None),
            ("127.0.0.1:4566", None),
        ] {
            assert_eq!(bucket_of_host(host), bucket, "{host}");
        }
    }

    #[test]
    fn web_pages_are_told_from_clients() {
        for (name, value, page) in [
            ("host", "127.0.0.1:4566", false),
            ("host", "localhost", false),
            ("host", "bucket.localhost:1", false),
            ("host", "[::1]:4566", false),
            ("host", "evil.example:4566", true),
            ("host", "127.0.0.1.evil.example", true),
            ("origin", "http://evil.example", true),
            ("sec-fetch-site", "cross-site", true),
        ] {
            assert_eq!(is_from_a_web_page(&headers(&[(name, value)])), page, "{name}: {value}");
        }
    }
}
