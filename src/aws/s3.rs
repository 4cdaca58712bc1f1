//! S3: objects of one account. Every call names the account that must own the bucket, so that a
//! bucket of the same name in other hands is an error and never a place to read from or write to;
//! every upload carries its SHA-256, which S3 checks before it keeps the object.

mod date;
pub mod multipart;

use std::path::PathBuf;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ServerSideEncryption};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256 as Hasher};
use time::OffsetDateTime;

use super::{Aws, Error, ErrorKind};
use date::AnswerDate;

const SERVICE: &str = "s3";

/// The most that [`S3::get`] reads into memory: journals and templates are far smaller, and an
/// answer that is larger is not the one that was asked for.
const GET_LIMIT_BYTES: u64 = 16 << 20;

/// The most objects that [`S3::list`] gives: 100 pages of 1000.
const LIST_LIMIT_PAGES: usize = 100;

/// What stays as it is in `x-amz-copy-source`.
const COPY_SOURCE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A client for the buckets of the caller's own account.
#[derive(Clone, Debug)]
pub struct S3 {
    aws: Aws,
    client: Client,
}

/// An entity tag, exactly as S3 gave it, quotes included.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ETag(pub String);

/// A SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Hasher::digest(bytes).into())
    }

    /// As S3's headers and Lambda's `CodeSha256` have it.
    pub fn base64(&self) -> String {
        BASE64.encode(self.0)
    }

    /// In lower-case hexadecimal.
    pub fn hex(&self) -> String {
        use std::fmt::Write;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// What must be true of the key for a write or a delete to happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    #[default]
    None,
    /// There is no such object (`If-None-Match: *`); else [`ErrorKind::PreconditionFailed`].
    IfAbsent,
    /// The object is this one (`If-Match`); else [`ErrorKind::PreconditionFailed`], and
    /// [`ErrorKind::NotFound`] when there is none.
    IfMatch(ETag),
}

/// What is uploaded.
#[derive(Clone, Debug)]
pub enum Body {
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// A file, read while it is sent.
    File {
        /// The file.
        path: PathBuf,
        /// Its SHA-256, known from when it was written.
        sha256: Sha256,
        /// Its length.
        size_bytes: u64,
    },
}

impl Body {
    fn sha256(&self) -> Sha256 {
        match self {
            Self::Bytes(bytes) => Sha256::of(bytes),
            Self::File { sha256, .. } => *sha256,
        }
    }

    async fn stream(self) -> Result<ByteStream, String> {
        match self {
            Self::Bytes(bytes) => Ok(ByteStream::from(bytes)),
            Self::File { path, .. } => ByteStream::from_path(&path).await.map_err(|error| error.to_string()),
        }
    }
}

/// How an object is encrypted at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// As the bucket has it.
    #[default]
    BucketDefault,
    /// With this KMS key (id, ARN or alias).
    Kms(String),
}

/// An upload in one request.
#[derive(Clone, Debug)]
pub struct PutObject {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// What is uploaded.
    pub body: Body,
    /// What must be true for it to happen.
    pub condition: Condition,
    /// Whether the SDK may send it again by itself. Not for writes under a lock or a fence: an
    /// answer that was lost would turn the second attempt into a failed condition.
    pub retries: bool,
    /// How it is encrypted at rest.
    pub encryption: Encryption,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// User metadata (`x-amz-meta-…`).
    pub metadata: Vec<(String, String)>,
}

impl PutObject {
    /// An unconditional upload with retries.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>, body: Body) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
            body,
            condition: Condition::None,
            retries: true,
            encryption: Encryption::BucketDefault,
            content_type: None,
            metadata: Vec::new(),
        }
    }
}

/// What S3 says of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The new object's tag.
    pub etag: ETag,
    /// Its version, on a versioned bucket.
    pub version_id: Option<String>,
    /// When S3 answered, by its own clock.
    pub answered_at: Option<OffsetDateTime>,
}

/// An object without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its tag.
    pub etag: ETag,
    /// Its version, on a versioned bucket.
    pub version_id: Option<String>,
    /// When it was written, by S3's clock.
    pub last_modified: Option<OffsetDateTime>,
    /// When S3 answered, by its own clock.
    pub answered_at: Option<OffsetDateTime>,
    /// Its length.
    pub size_bytes: u64,
    /// SHA-256 of the whole in base64, when it was uploaded in one piece with one.
    pub sha256_base64: Option<String>,
    /// User metadata, sorted by name.
    pub metadata: Vec<(String, String)>,
}

/// An object with its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The content.
    pub bytes: Vec<u8>,
    /// Its tag.
    pub etag: ETag,
    /// Its version, on a versioned bucket.
    pub version_id: Option<String>,
    /// When it was written, by S3's clock.
    pub last_modified: Option<OffsetDateTime>,
    /// When S3 answered, by its own clock.
    pub answered_at: Option<OffsetDateTime>,
}

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// Its tag.
    pub etag: Option<ETag>,
    /// Its length.
    pub size_bytes: u64,
    /// When it was written, by S3's clock.
    pub last_modified: Option<OffsetDateTime>,
}

impl Aws {
    /// S3 for the caller's own account.
    pub fn s3(&self) -> S3 {
        // A bucket's name in the host needs wildcard DNS, which only AWS's own endpoint has.
        let own_endpoint = self.endpoint_of("S3").is_some();
        let config = aws_sdk_s3::config::Builder::from(self.sdk()).force_path_style(own_endpoint).build();
        S3 { aws: self.clone(), client: Client::from_conf(config) }
    }
}

impl S3 {
    /// What is known of an object without its content; `None` when there is none. S3 does not tell a
    /// missing bucket from a missing key here, and without `s3:ListBucket` a missing key is
    /// [`ErrorKind::AccessDenied`].
    ///
    /// # Errors
    /// Any other answer than the object's, or none.
    pub async fn head(&self, bucket: &str, key: &str) -> Result<Option<Head>, Error> {
        let date = AnswerDate::default();
        let answer = self
            .client
            .head_object()
            .bucket(bucket)
            .key(key)
            .expected_bucket_owner(self.owner().await?)
            .checksum_mode(ChecksumMode::Enabled)
            .customize()
            .interceptor(date.clone())
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let error = Error::from_sdk(SERVICE, "HeadObject", at(bucket, key), &error);
                return if error.is_not_found() { Ok(None) } else { Err(error) };
            }
        };
        let mut metadata: Vec<_> = answer.metadata.unwrap_or_default().into_iter().collect();
        metadata.sort();
        Ok(Some(Head {
            etag: etag(answer.e_tag, "HeadObject", bucket, key)?,
            version_id: answer.version_id,
            last_modified: answer.last_modified.as_ref().and_then(moment),
            answered_at: date.get(),
            size_bytes: answer.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0),
            sha256_base64: answer.checksum_sha256,
            metadata,
        }))
    }

    /// An object with its content, of at most 16 MiB.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none, with code `NoSuchBucket` when it is the bucket
    /// that is not there; any other answer than the object's, or none.
    pub async fn get(&self, bucket: &str, key: &str) -> Result<Object, Error> {
        let date = AnswerDate::default();
        let fail = |message: String, kind| unexpected("GetObject", bucket, key, kind, message);
        let answer = self
            .client
            .get_object()
            .bucket(bucket)
            .key(key)
            .expected_bucket_owner(self.owner().await?)
            .checksum_mode(ChecksumMode::Enabled)
            .customize()
            .interceptor(date.clone())
            .send()
            .await
            .map_err(|error| Error::from_sdk(SERVICE, "GetObject", at(bucket, key), &error))?;
        let mut bytes = Vec::new();
        let mut body = answer.body;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| fail(format!("the answer broke off: {error}"), ErrorKind::NoAnswer))?;
            if (bytes.len() + chunk.len()) as u64 > GET_LIMIT_BYTES {
                let message = format!("the object is larger than {} MiB", GET_LIMIT_BYTES >> 20);
                return Err(fail(message, ErrorKind::NotAnAwsAnswer));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Object {
            bytes,
            etag: etag(answer.e_tag, "GetObject", bucket, key)?,
            version_id: answer.version_id,
            last_modified: answer.last_modified.as_ref().and_then(moment),
            answered_at: date.get(),
        })
    }

    /// Uploads in one request, with the whole content's SHA-256.
    ///
    /// # Errors
    /// [`ErrorKind::PreconditionFailed`] when the condition does not hold; [`ErrorKind::Conflict`]
    /// (`ConditionalRequestConflict`) when another write came in between; [`ErrorKind::NoAnswer`]
    /// when it is not known whether it took effect; any other answer than S3's.
    pub async fn put(&self, put: PutObject) -> Result<Put, Error> {
        let PutObject { bucket, key, body, condition, retries, encryption, content_type, metadata } = put;
        let date = AnswerDate::default();
        let sha256 = body.sha256();
        let size = match &body {
            Body::File { size_bytes, .. } => i64::try_from(*size_bytes).ok(),
            Body::Bytes(_) => None,
        };
        let size_bytes = match &body {
            Body::File { size_bytes, .. } => *size_bytes,
            Body::Bytes(bytes) => bytes.len() as u64,
        };
        let stream = body
            .stream()
            .await
            .map_err(|message| unexpected("PutObject", &bucket, &key, ErrorKind::Invalid, message))?;
        let (if_match, if_none_match) = condition.headers();
        let (sse, kms_key) = encryption.headers();
        let mut call = self
            .client
            .put_object()
            .bucket(&bucket)
            .key(&key)
            .expected_bucket_owner(self.owner().await?)
            .body(stream)
            .set_content_length(size)
            .set_content_type(content_type)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(sha256.base64())
            .set_if_match(if_match)
            .set_if_none_match(if_none_match)
            .set_server_side_encryption(sse)
            .set_ssekms_key_id(kms_key)
            .set_metadata((!metadata.is_empty()).then(|| metadata.into_iter().collect()))
            .customize()
            .interceptor(date.clone());
        let config = if retries { aws_sdk_s3::config::Builder::new() } else { without_retries() };
        call = call.config_override(config.timeout_config(super::upload_timeouts(size_bytes)));
        let answer =
            call.send().await.map_err(|error| Error::from_sdk(SERVICE, "PutObject", at(&bucket, &key), &error))?;
        // S3 echoes the checksum that it checked; another one is not our object.
        if answer.checksum_sha256.as_deref().is_some_and(|echo| echo != sha256.base64()) {
            let message = "S3 kept other bytes than were sent".to_owned();
            return Err(unexpected("PutObject", &bucket, &key, ErrorKind::NotAnAwsAnswer, message));
        }
        Ok(Put {
            etag: etag(answer.e_tag, "PutObject", &bucket, &key)?,
            version_id: answer.version_id,
            answered_at: date.get(),
        })
    }

    /// Deletes an object (on a versioned bucket: puts a delete marker over it); one that is not there
    /// is no error without a condition. `condition` may not be [`Condition::IfAbsent`]. Never
    /// repeated by the SDK under a condition.
    ///
    /// # Errors
    /// [`ErrorKind::PreconditionFailed`] when it is another object than the condition names;
    /// [`ErrorKind::NotFound`] when there is a condition and no object; any other answer.
    pub async fn delete(&self, bucket: &str, key: &str, condition: Condition) -> Result<(), Error> {
        let (if_match, _) = condition.headers();
        let fenced = if_match.is_some();
        let mut call = self
            .client
            .delete_object()
            .bucket(bucket)
            .key(key)
            .expected_bucket_owner(self.owner().await?)
            .set_if_match(if_match)
            .customize();
        if fenced {
            call = call.config_override(without_retries());
        }
        call.send().await.map_err(|error| Error::from_sdk(SERVICE, "DeleteObject", at(bucket, key), &error))?;
        Ok(())
    }

    /// Copies an object within a bucket, inside S3. With `source`, only if that is what is there.
    ///
    /// # Errors
    /// [`ErrorKind::PreconditionFailed`] when the source is another object; [`ErrorKind::NotFound`];
    /// any other answer.
    pub async fn copy(&self, bucket: &str, from: &str, to: &str, source: Option<&ETag>) -> Result<(), Error> {
        let owner = self.owner().await?;
        self.client
            .copy_object()
            .bucket(bucket)
            .key(to)
            .copy_source(utf8_percent_encode(&format!("{bucket}/{from}"), COPY_SOURCE).to_string())
            .set_copy_source_if_match(source.map(|etag| etag.0.clone()))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .expected_bucket_owner(owner)
            .expected_source_bucket_owner(owner)
            .send()
            .await
            .map_err(|error| Error::from_sdk(SERVICE, "CopyObject", at(bucket, from), &error))?;
        Ok(())
    }

    /// The objects whose keys begin with `prefix`, in S3's order (by the bytes of the key).
    ///
    /// # Errors
    /// Any other answer than a listing; more than 100,000 objects.
    pub async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, Error> {
        let mut listed = Vec::new();
        let mut token = None;
        for _ in 0..LIST_LIMIT_PAGES {
            let answer = self
                .client
                .list_objects_v2()
                .bucket(bucket)
                .prefix(prefix)
                .set_continuation_token(token)
                .expected_bucket_owner(self.owner().await?)
                .send()
                .await
                .map_err(|error| Error::from_sdk(SERVICE, "ListObjectsV2", at(bucket, prefix), &error))?;
            listed.extend(answer.contents.unwrap_or_default().into_iter().filter_map(|object| {
                Some(Listed {
                    key: object.key?,
                    etag: object.e_tag.map(ETag),
                    size_bytes: object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                    last_modified: object.last_modified.as_ref().and_then(moment),
                })
            }));
            token = answer.next_continuation_token;
            if token.is_none() {
                return Ok(listed);
            }
        }
        let message = format!("there are more than {} objects", LIST_LIMIT_PAGES * 1000);
        Err(unexpected("ListObjectsV2", bucket, prefix, ErrorKind::Invalid, message))
    }

    /// Whether the bucket is there, reachable and the caller's own.
    ///
    /// # Errors
    /// [`ErrorKind::AccessDenied`] also when it is another account's.
    pub async fn bucket_exists(&self, bucket: &str) -> Result<bool, Error> {
        match self.client.head_bucket().bucket(bucket).expected_bucket_owner(self.owner().await?).send().await {
            Ok(_) => Ok(true),
            Err(error) => match Error::from_sdk(SERVICE, "HeadBucket", bucket, &error) {
                error if error.is_not_found() => Ok(false),
                error => Err(error),
            },
        }
    }

    async fn owner(&self) -> Result<&str, Error> {
        Ok(&self.aws.identity().await?.account)
    }
}

impl Condition {
    /// `If-Match` and `If-None-Match`.
    fn headers(self) -> (Option<String>, Option<String>) {
        match self {
            Self::None => (None, None),
            Self::IfAbsent => (None, Some("*".to_owned())),
            Self::IfMatch(etag) => (Some(etag.0), None),
        }
    }
}

impl Encryption {
    fn headers(self) -> (Option<ServerSideEncryption>, Option<String>) {
        match self {
            Self::BucketDefault => (None, None),
            Self::Kms(key) => (Some(ServerSideEncryption::AwsKms), Some(key)),
        }
    }
}

fn without_retries() -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::config::Builder::new().retry_config(RetryConfig::disabled())
}

fn at(bucket: &str, key: &str) -> String {
    format!("s3://{bucket}/{key}")
}

/// An answer without a tag is not S3's, whatever its status: a portal's page comes with 200 as well.
fn etag(tag: Option<String>, operation: &'static str, bucket: &str, key: &str) -> Result<ETag, Error> {
    tag.filter(|tag| !tag.is_empty()).map(ETag).ok_or_else(|| {
        let message = "the answer has no ETag and is not S3's; a proxy or captive portal?".to_owned();
        unexpected(operation, bucket, key, ErrorKind::NotAnAwsAnswer, message)
    })
}

fn unexpected(operation: &'static str, bucket: &str, key: &str, kind: ErrorKind, message: String) -> Error {
    Error {
        service: SERVICE,
        operation,
        resource: at(bucket, key),
        kind,
        code: None,
        message,
        request_id: None,
        status: None,
    }
}

fn moment(stamp: &aws_sdk_s3::primitives::DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(stamp.as_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_source_keeps_its_slashes_and_escapes_the_rest() {
        let escaped = utf8_percent_encode("b/a b/ü+%.json", COPY_SOURCE).to_string();
        assert_eq!(escaped, "b/a%20b/%C3%BC%2B%25.json");
    }

    #[test]
    fn a_sha256_is_written_as_lambda_and_as_people_write_it() {
        let sum = Sha256::of(b"");
        assert_eq!(sum.base64(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(sum.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
