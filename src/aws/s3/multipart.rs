//! Uploads in parts, for files that are too large for one request to be sensible. The checksum of
//! the whole is then S3's composite of the parts', so what must be whole (a function's code) goes
//! through [`S3::put`].

use std::path::{Path, PathBuf};

use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use sha2::{Digest, Sha256 as Hasher};
use tokio::io::AsyncReadExt;

use super::{Condition, Encryption, Put, S3, SERVICE, Sha256, at, etag, unexpected};
use crate::aws::{Error, ErrorKind};

/// Size of a part: S3 allows 10,000 of at least 5 MiB, so this reaches 156 GiB.
const PART_BYTES: u64 = 16 << 20;
const MOST_PARTS: u64 = 10_000;

/// A file that is uploaded in parts.
#[derive(Clone, Debug)]
pub struct PutFile {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The file.
    pub path: PathBuf,
    /// What must be true when the parts are put together.
    pub condition: Condition,
    /// How it is encrypted at rest.
    pub encryption: Encryption,
    /// User metadata (`x-amz-meta-…`).
    pub metadata: Vec<(String, String)>,
}

impl S3 {
    /// Uploads a file in parts of 16 MiB, each with its SHA-256; what was sent is thrown away when
    /// one of them fails. (What a killed process leaves goes by the bucket's lifecycle rule.)
    ///
    /// # Errors
    /// The file cannot be read or is too large; the condition does not hold; any other answer.
    pub async fn put_in_parts(&self, put: PutFile) -> Result<Put, Error> {
        let PutFile { bucket, key, path, condition, encryption, metadata } = put;
        let (sse, kms_key) = encryption.headers();
        let started = self
            .client
            .create_multipart_upload()
            .bucket(&bucket)
            .key(&key)
            .expected_bucket_owner(self.owner().await?)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .set_server_side_encryption(sse)
            .set_ssekms_key_id(kms_key)
            .set_metadata((!metadata.is_empty()).then(|| metadata.into_iter().collect()))
            .send()
            .await
            .map_err(|error| Error::from_sdk(SERVICE, "CreateMultipartUpload", at(&bucket, &key), &error))?;
        let upload_id = started.upload_id.filter(|id| !id.is_empty()).ok_or_else(|| {
            let message = "the answer has no UploadId and is not S3's; a proxy or captive portal?".to_owned();
            unexpected("CreateMultipartUpload", &bucket, &key, ErrorKind::NotAnAwsAnswer, message)
        })?;
        let upload = Upload { s3: self, bucket: &bucket, key: &key, id: &upload_id };
        match upload.send_and_complete(&path, condition).await {
            Ok(put) => Ok(put),
            Err(error) => {
                // The first error is the one to tell; the lifecycle rule clears up after this one.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }
}

struct Upload<'a> {
    s3: &'a S3,
    bucket: &'a str,
    key: &'a str,
    id: &'a str,
}

impl Upload<'_> {
    async fn send_and_complete(&self, path: &Path, condition: Condition) -> Result<Put, Error> {
        let fail = |error: std::io::Error| {
            let message = format!("cannot read {}: {error}", path.display());
            unexpected("UploadPart", self.bucket, self.key, ErrorKind::Invalid, message)
        };
        let size = tokio::fs::metadata(path).await.map_err(fail)?.len();
        if size > PART_BYTES * MOST_PARTS {
            let message = format!("{} is too large for an upload in parts: {size} bytes", path.display());
            return Err(unexpected("UploadPart", self.bucket, self.key, ErrorKind::Invalid, message));
        }
        let mut parts = Vec::new();
        let mut offset = 0;
        while offset < size || parts.is_empty() {
            let length = PART_BYTES.min(size - offset);
            let sum = sum_of_part(path, offset, length).await.map_err(fail)?;
            parts.push(self.send(path, parts.len() + 1, offset, length, sum).await?);
            offset += length;
        }
        self.complete(parts, condition).await
    }

    async fn send(
        &self,
        path: &Path,
        number: usize,
        offset: u64,
        length: u64,
        sum: Sha256,
    ) -> Result<CompletedPart, Error> {
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        let body =
            ByteStream::read_from().path(path).offset(offset).length(Length::Exact(length)).build().await.map_err(
                |error| unexpected("UploadPart", self.bucket, self.key, ErrorKind::Invalid, error.to_string()),
            )?;
        let answer = self
            .s3
            .client
            .upload_part()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(self.id)
            .part_number(number)
            .expected_bucket_owner(self.s3.owner().await?)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(sum.base64())
            .body(body)
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(crate::aws::upload_timeouts(length)))
            .send()
            .await
            .map_err(|error| Error::from_sdk(SERVICE, "UploadPart", at(self.bucket, self.key), &error))?;
        let tag = etag(answer.e_tag, "UploadPart", self.bucket, self.key)?;
        Ok(CompletedPart::builder().part_number(number).e_tag(tag.0).checksum_sha256(sum.base64()).build())
    }

    async fn complete(&self, parts: Vec<CompletedPart>, condition: Condition) -> Result<Put, Error> {
        let (if_match, if_none_match) = condition.headers();
        let answer = self
            .s3
            .client
            .complete_multipart_upload()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(self.id)
            .expected_bucket_owner(self.s3.owner().await?)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .set_if_match(if_match)
            .set_if_none_match(if_none_match)
            .send()
            .await
            .map_err(|error| Error::from_sdk(SERVICE, "CompleteMultipartUpload", at(self.bucket, self.key), &error))?;
        Ok(Put {
            etag: etag(answer.e_tag, "CompleteMultipartUpload", self.bucket, self.key)?,
            version_id: answer.version_id,
            answered_at: None,
        })
    }

    async fn abort(&self) -> Result<(), Error> {
        self.s3
            .client
            .abort_multipart_upload()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(self.id)
            .expected_bucket_owner(self.s3.owner().await?)
            .send()
            .await
            .map_err(|error| Error::from_sdk(SERVICE, "AbortMultipartUpload", at(self.bucket, self.key), &error))?;
        Ok(())
    }
}

async fn sum_of_part(path: &Path, offset: u64, length: u64) -> std::io::Result<Sha256> {
    use tokio::io::AsyncSeekExt;
    let mut file = tokio::fs::File::open(path).await?;
    file.seek(std::io::SeekFrom::Start(offset)).await?;
    let mut part = file.take(length);
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = part.read(&mut buffer).await?;
        if read == 0 {
            return Ok(Sha256(hasher.finalize().into()));
        }
        hasher.update(&buffer[..read]);
    }
}
