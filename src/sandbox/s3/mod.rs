//! S3: buckets and objects, with the conditions, checksums and versions that a deployment relies on.
//! Signatures and policies are kept but not enforced; who is not the bucket's owner is refused.

mod bucket;
mod checksum;
mod condition;
mod list;
mod multipart;
mod object;
mod store;
mod tagging;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use time::OffsetDateTime;
use time::macros::format_description;

use self::store::{Bucket, Store};
use super::http::{Request, Response, hex as http_hex};
use super::state::World;
use super::state::parking::RwLock;
use super::xml::Writer;
use super::{Error, entrance};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// The service.
#[derive(Debug)]
pub struct S3 {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    store: RwLock<Store>,
}

impl S3 {
    /// Opens what is kept under `dir`.
    ///
    /// # Errors
    /// The folder cannot be used, or a file in it is not one of ours.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let store = Store::open(dir).map_err(|source| Error::Folder { path: dir.to_owned(), source })?;
        Ok(Self { inner: Arc::new(Inner { dir: dir.to_owned(), store: RwLock::new(store) }) })
    }

    /// Answers one request, its path in path style.
    pub async fn handle(&self, world: &Arc<World>, request: Request) -> Response {
        let (inner, now_ms) = (self.inner.clone(), world.clock.now_ms());
        // Files are read and written, and hashes computed: not on the threads that serve everybody.
        let answered = tokio::task::spawn_blocking(move || inner.answer(&request, now_ms)).await;
        answered.unwrap_or_else(|_| Response::new(500))
    }
}

/// What a client did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    status: u16,
    code: String,
    message: String,
    /// Further elements of the answer: Key, BucketName, Condition, ….
    details: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
}

impl Fault {
    fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), details: Vec::new(), headers: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Something that AWS has and the sandbox has not.
    fn missing(what: &str) -> Self {
        Self::new(501, "NotImplemented", format!("The sandbox's S3 does not have {what}"))
    }

    fn malformed_xml() -> Self {
        Self::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    }

    fn no_such_key(key: &str) -> Self {
        Self::new(404, "NoSuchKey", "The specified key does not exist.").with("Key", key)
    }

    fn invalid_argument(name: &str, value: &str, message: &str) -> Self {
        Self::new(400, "InvalidArgument", message).with("ArgumentName", name).with("ArgumentValue", value)
    }

    fn access_denied() -> Self {
        Self::new(403, "AccessDenied", "Access Denied")
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::new(500, "InternalError", format!("The sandbox cannot use its folder: {error}"))
    }
}

/// One request with its bucket and key taken out of the path.
struct Call<'a> {
    request: &'a Request,
    bucket: String,
    key: String,
    now_ms: i64,
}

impl Call<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name)
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.request.query(name)
    }
}

type Answer = Result<Response, Fault>;

/// Subresources whose documents are kept; one row each, see [`bucket`].
const OTHER_SUBRESOURCES: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "logging",
    "metadataTable",
    "metrics",
    "object-lock",
    "policyStatus",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "torrent",
    "website",
    "renameObject",
];

impl Inner {
    fn answer(&self, request: &Request, now_ms: i64) -> Response {
        let answered = self.dispatch(request, now_ms);
        let mut response = answered.unwrap_or_else(|fault| {
            let response = fault_response(request, &fault);
            fault.headers.iter().fold(response, |response, (name, value)| response.header(name, value))
        });
        if request.method == hyper::Method::HEAD {
            response.body = hyper::body::Bytes::new();
        }
        response
    }

    fn dispatch(&self, request: &Request, now_ms: i64) -> Answer {
        let path = request.path.trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let decode = |text: &str| percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
        let (Ok(bucket), Ok(key)) = (decode(bucket), decode(key)) else {
            return Err(Fault::new(400, "InvalidURI", "Couldn't parse the specified URI."));
        };
        if key.len() > 1024 {
            return Err(Fault::new(400, "KeyTooLongError", "Your key is too long")
                .with("Size", key.len().to_string())
                .with("MaxSizeAllowed", "1024"));
        }
        let call = Call { request, bucket, key, now_ms };
        if let Some(name) = OTHER_SUBRESOURCES.iter().find(|name| call.query(name).is_some()) {
            return Err(Fault::missing(&format!("the operation {} ?{name}", request.method)));
        }
        if let Some(header) = unsupported_header(request) {
            return Err(Fault::missing(&format!("what the header {header} asks for")).with("Header", header));
        }
        let has = |name: &str| call.query(name).is_some();
        match (request.method.as_str(), call.bucket.is_empty(), call.key.is_empty()) {
            ("GET", true, _) => self.list_buckets(&call),
            (_, false, true) => self.bucket_operation(&call),
            ("PUT" | "GET" | "DELETE", false, false) if has("tagging") => self.object_tagging(&call),
            ("POST", false, false) if has("uploads") => self.create_upload(&call),
            ("POST", false, false) if has("uploadId") => self.complete_upload(&call),
            ("PUT", false, false) if has("uploadId") => self.upload_part(&call),
            ("GET", false, false) if has("uploadId") => self.list_parts(&call),
            ("DELETE", false, false) if has("uploadId") => self.abort_upload(&call),
            ("PUT", false, false) if call.header("x-amz-copy-source").is_some() => self.copy_object(&call),
            ("PUT", false, false) => self.put_object(&call),
            ("GET" | "HEAD", false, false) => self.get_object(&call),
            ("DELETE", false, false) => self.delete_object(&call),
            _ => Err(Fault::new(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
                .with("Method", request.method.as_str())),
        }
    }

    /// Looks at the bucket of a call, when the caller may.
    fn with_bucket<R>(&self, call: &Call<'_>, look: impl FnOnce(&Bucket) -> Result<R, Fault>) -> Result<R, Fault> {
        let store = self.store.read();
        let bucket = store.buckets.get(&call.bucket).ok_or_else(|| no_such_bucket(&call.bucket))?;
        may_use(call, bucket, "x-amz-expected-bucket-owner")?;
        look(bucket)
    }

    /// Changes the bucket of a call, when the caller may. Gets a fresh sequence number.
    fn change_bucket<R>(
        &self,
        call: &Call<'_>,
        change: impl FnOnce(&mut Bucket, u64) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let mut store = self.store.write();
        let seq = store.take_seq();
        let bucket = store.buckets.get_mut(&call.bucket).ok_or_else(|| no_such_bucket(&call.bucket))?;
        may_use(call, bucket, "x-amz-expected-bucket-owner")?;
        change(bucket, seq)
    }
}

fn no_such_bucket(name: &str) -> Fault {
    Fault::new(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", name)
}

/// The owner that the caller expects, and the caller itself, must be the bucket's owner; the region
/// of the signature must be the bucket's.
fn may_use(call: &Call<'_>, bucket: &Bucket, expected_owner: &str) -> Result<(), Fault> {
    let settings = &bucket.settings;
    if call.header(expected_owner).is_some_and(|owner| owner != settings.owner)
        || call.request.account != settings.owner
    {
        return Err(Fault::access_denied());
    }
    if call.request.region != settings.region && call.query("location").is_none() {
        let text = "The bucket you are attempting to access must be addressed using the specified endpoint. Please \
                    send all future requests to this endpoint.";
        return Err(Fault::new(301, "PermanentRedirect", text)
            .with("Endpoint", format!("{}.s3-{}.amazonaws.com", settings.name, settings.region))
            .with("Bucket", &settings.name)
            .with_header("x-amz-bucket-region", &settings.region));
    }
    Ok(())
}

/// Headers whose meaning would be lost if they were ignored.
fn unsupported_header(request: &Request) -> Option<&'static str> {
    const UNSUPPORTED: &[&str] = &[
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-object-lock-mode",
        "x-amz-object-lock-legal-hold",
        "x-amz-bucket-object-lock-enabled",
        "x-amz-website-redirect-location",
        "x-amz-write-offset-bytes",
        "x-amz-grant-read",
        "x-amz-grant-full-control",
        "x-amz-mfa",
    ];
    UNSUPPORTED.iter().copied().find(|name| {
        request
            .header(name)
            .is_some_and(|value| !(*name == "x-amz-bucket-object-lock-enabled" && value.eq_ignore_ascii_case("false")))
    })
}

fn fault_response(request: &Request, fault: &Fault) -> Response {
    let xml = Writer::document("Error", "", |error| {
        error.text("Code", &fault.code).text("Message", &fault.message);
        for (name, value) in &fault.details {
            error.text(name, value);
        }
        error.text("RequestId", &request.request_id).text("HostId", "samara-sandbox");
    });
    let body = if request.method == hyper::Method::HEAD || fault.status == 304 { String::new() } else { xml };
    Response::new(fault.status).header("content-type", "application/xml").with_body(body)
}

/// An error in S3's form, for the server.
pub(super) fn error_response(request: &Request, status: u16, code: &str, message: &str) -> Response {
    fault_response(request, &Fault::new(status, code, message))
}

fn xml_answer(root: &str, content: impl FnOnce(&mut Writer)) -> Answer {
    let xml = Writer::document(root, NAMESPACE, content);
    Ok(Response::new(200).header("content-type", "application/xml").with_body(xml))
}

/// `2026-01-01T00:00:00.000Z`.
fn iso_time(milliseconds: i64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].000Z");
    to_time(milliseconds).format(format).unwrap_or_default()
}

/// `Thu, 01 Jan 2026 00:00:00 GMT`.
fn http_time(milliseconds: i64) -> String {
    to_time(milliseconds).format(entrance::HTTP_DATE).unwrap_or_default()
}

fn to_time(milliseconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(milliseconds.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
