//! Templates in the managed bucket: those that are too large for a call, and those that a later
//! process has to find again to settle a stack.

use std::fmt::Write as _;

use crate::aws::s3::{Body, Condition, PutObject, Sha256};
use crate::aws::{Aws, Error, ErrorKind};

/// Puts a template into a bucket of our own, named by its content, and gives its key.
///
/// # Errors
/// The upload failed.
pub async fn put(aws: &Aws, bucket: &str, text: &str) -> Result<String, Error> {
    let key = key_of(text);
    let put = PutObject {
        condition: Condition::IfAbsent,
        content_type: Some("application/json".to_owned()),
        ..PutObject::new(bucket, &key, Body::Bytes(text.as_bytes().to_vec()))
    };
    match aws.s3().put(put).await {
        Ok(_) => Ok(key),
        // The name is the content's: what is there already is the same.
        Err(error) if matches!(error.kind, ErrorKind::PreconditionFailed | ErrorKind::Conflict) => Ok(key),
        Err(error) => Err(error),
    }
}

/// `templates/<sha-256>.json`.
fn key_of(text: &str) -> String {
    let digest = Sha256::of(text.as_bytes());
    let name = digest.0.iter().fold(String::new(), |mut name, byte| {
        // Writing to a String does not fail.
        let _ = write!(name, "{byte:02x}");
        name
    });
    format!("templates/{name}.json")
}

/// Where CloudFormation finds an object of a bucket.
pub fn url(aws: &Aws, bucket: &str, key: &str) -> String {
    match aws.endpoint_url() {
        Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
        None => {
            let suffix = if aws.region().starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://{bucket}.s3.{}.{suffix}/{key}", aws.region())
        }
    }
}
