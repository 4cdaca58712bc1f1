//! Sends what the bucket lacks: asked for each first, zipped only then, side by side in bounded
//! memory.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::artifact::{Artifact, Content};
use super::{Error, Event, Options, Prepared, Sink, zip};
use crate::aws::ErrorKind;
use crate::aws::s3::multipart::PutFile;
use crate::aws::s3::{Body, Condition, Head, PutObject, S3, Sha256};
use crate::template::Node;

/// Artifacts that are asked for or uploaded at a time.
const UPLOADS: usize = 8;

/// Zips that are made at a time: each already uses every core.
const ZIPS: usize = 2;

/// From here on a file that need not be whole goes in parts.
const PARTS_FROM_BYTES: u64 = 100 << 20;

/// How often a write that met another one is tried.
const ATTEMPTS: usize = 3;

/// User metadata with the SHA-256 that the uploader saw.
const SHA256_METADATA: &str = "samara-sha256";

/// What became of an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was uploaded.
    Uploaded,
    /// The bucket had it.
    Present,
    /// A dry run: it would be uploaded, if the bucket lacks it.
    WouldUpload,
}

/// An artifact and where it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// The folder or file.
    pub path: PathBuf,
    /// The resources and properties that name it.
    pub used_by: Vec<(String, String)>,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The object's version, on a versioned bucket.
    pub version_id: Option<String>,
    /// The object's length; of a folder in a dry run that of its files.
    pub size_bytes: u64,
    /// SHA-256 of the object in base64: what Lambda calls `CodeSha256`. Not known in a dry run.
    pub sha256_base64: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// A template that names uploaded objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Packaged {
    /// The template.
    pub template: Node,
    /// What it names, each once.
    pub uploads: Vec<Uploaded>,
}

impl Uploaded {
    pub(super) fn not_yet(artifact: &Artifact, bucket: &str) -> Self {
        Self {
            path: artifact.path.clone(),
            used_by: artifact.used_by.clone(),
            bucket: bucket.to_owned(),
            key: artifact.key.clone(),
            version_id: None,
            size_bytes: artifact.size_bytes,
            sha256_base64: None,
            outcome: Outcome::WouldUpload,
        }
    }
}

impl Prepared {
    /// Uploads what the bucket lacks and puts the objects' names into the template. When it breaks
    /// off, what was uploaded stays and the next run finds it.
    ///
    /// # Errors
    /// AWS's answer; a file that changed since it was read; an object that is not what its name says.
    pub async fn upload(self, s3: &S3, bucket: &str, options: &Options, sink: Sink<'_>) -> Result<Packaged, Error> {
        let (events, mut happened) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            s3: s3.clone(),
            bucket: bucket.to_owned(),
            options: options.clone(),
            uploads: Semaphore::new(UPLOADS),
            zips: Semaphore::new(ZIPS),
            events,
        });
        let mut tasks = JoinSet::new();
        for (index, artifact) in self.artifacts.iter().cloned().enumerate() {
            let shared = Arc::clone(&shared);
            tasks.spawn(async move { (index, shared.deliver(artifact).await) });
        }
        drop(shared);
        let mut uploads: Vec<Option<Uploaded>> = vec![None; self.artifacts.len()];
        loop {
            tokio::select! {
                biased;
                Some(event) = happened.recv() => sink(event),
                done = tasks.join_next() => match done {
                    Some(Ok((index, uploaded))) => uploads[index] = Some(uploaded?),
                    Some(Err(error)) => return Err(Error::Worker(error.to_string())),
                    None => break,
                },
            }
        }
        while let Ok(event) = happened.try_recv() {
            sink(event);
        }
        let uploads = uploads.into_iter().flatten().collect();
        Ok(self.finish(bucket, uploads))
    }

    /// What an upload would find: the template names the objects that the bucket has, and of the others
    /// where they would go. Sends nothing.
    ///
    /// # Errors
    /// AWS's answer; an object that is not what its name says.
    pub async fn look(self, s3: &S3, bucket: &str, options: &Options) -> Result<Packaged, Error> {
        let shared = Shared {
            s3: s3.clone(),
            bucket: bucket.to_owned(),
            options: options.clone(),
            uploads: Semaphore::new(UPLOADS),
            zips: Semaphore::new(ZIPS),
            events: mpsc::unbounded_channel().0,
        };
        let mut uploads = Vec::new();
        for artifact in &self.artifacts {
            uploads.push(shared.find(artifact).await?.unwrap_or_else(|| Uploaded::not_yet(artifact, bucket)));
        }
        Ok(self.finish(bucket, uploads))
    }
}

/// A bucket whose versioning is suspended calls its objects' version `null`.
fn is_version(version_id: &String) -> bool {
    version_id != "null"
}

struct Shared {
    s3: S3,
    bucket: String,
    options: Options,
    uploads: Semaphore,
    zips: Semaphore,
    events: mpsc::UnboundedSender<Event>,
}

/// What is sent, with the temporary file that has to live as long.
struct Parcel {
    path: PathBuf,
    sha256: Sha256,
    size_bytes: u64,
    whole: bool,
    _zipped: Option<zip::Zipped>,
}

impl Shared {
    async fn deliver(&self, artifact: Artifact) -> Result<Uploaded, Error> {
        let key = artifact.key.clone();
        if !self.options.force_upload
            && let Some(uploaded) = self.find(&artifact).await?
        {
            self.tell(Event::Present { key });
            return Ok(uploaded);
        }
        let parcel = self.parcel(&artifact).await?;
        let _permit = self.uploads.acquire().await;
        self.tell(Event::Uploading { key: key.clone(), size_bytes: parcel.size_bytes });
        for _ in 1..ATTEMPTS {
            match self.send(&key, &parcel).await {
                Ok(version_id) => {
                    self.tell(Event::Uploaded { key, size_bytes: parcel.size_bytes });
                    return Ok(self.sent(&artifact, &parcel, version_id));
                }
                // Somebody else was faster, or it was our own attempt whose answer was lost.
                Err(error) if matches!(error.kind, ErrorKind::PreconditionFailed | ErrorKind::Conflict) => {
                    if let Some(uploaded) = self.find(&artifact).await? {
                        self.tell(Event::Present { key });
                        return Ok(uploaded);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        let version_id = self.send(&key, &parcel).await?;
        self.tell(Event::Uploaded { key, size_bytes: parcel.size_bytes });
        Ok(self.sent(&artifact, &parcel, version_id))
    }

    /// What the bucket has under the artifact's name.
    async fn find(&self, artifact: &Artifact) -> Result<Option<Uploaded>, Error> {
        let _permit = self.uploads.acquire().await;
        let head = match self.s3.head(&self.bucket, &artifact.key).await {
            Ok(head) => head,
            // Without s3:ListBucket a missing key reads as forbidden; the upload then tells.
            Err(error) if error.kind == ErrorKind::AccessDenied => None,
            Err(error) => return Err(error.into()),
        };
        let Some(head) = head else { return Ok(None) };
        let Some(sha256_base64) = self.trusted(artifact, &head)? else { return Ok(None) };
        Ok(Some(Uploaded {
            version_id: head.version_id.filter(is_version),
            size_bytes: head.size_bytes,
            sha256_base64,
            outcome: Outcome::Present,
            ..Uploaded::not_yet(artifact, &self.bucket)
        }))
    }

    /// The checksum of an object that is what its name says; `None` for one that cannot be told, which
    /// is then uploaded again.
    fn trusted(&self, artifact: &Artifact, head: &Head) -> Result<Option<Option<String>>, Error> {
        let told = head.metadata.iter().find(|(name, _)| name == SHA256_METADATA).map(|(_, value)| value.as_str());
        let expected = match &artifact.content {
            Content::File { sha256, .. } => Some(sha256.base64()),
            // A zip's bytes may come from another version of deflate: only its uploader knows them.
            Content::Folder(_) => told.map(str::to_owned),
        };
        let replaced =
            |reason: String| Err(Error::Replaced { bucket: self.bucket.clone(), key: artifact.key.clone(), reason });
        // A composite checksum, of an upload in parts, ends with the number of parts.
        let actual = head.sha256_base64.as_deref().filter(|sum| !sum.contains('-'));
        match (expected, actual) {
            (Some(expected), Some(actual)) if expected == actual => Ok(Some(Some(expected))),
            (Some(expected), Some(actual)) => replaced(format!("its SHA-256 is {actual}, not {expected}")),
            (Some(expected), None) if matches!(&artifact.content, Content::File { whole: false, .. }) => {
                if told == Some(&expected) || head.size_bytes == artifact.size_bytes {
                    Ok(Some(Some(expected)))
                } else {
                    replaced(format!("it has {} bytes, not {}", head.size_bytes, artifact.size_bytes))
                }
            }
            (None, Some(_)) => replaced("it was not uploaded by samara".to_owned()),
            (_, None) => replaced("it has no SHA-256 of the whole".to_owned()),
        }
    }

    async fn parcel(&self, artifact: &Artifact) -> Result<Parcel, Error> {
        match &artifact.content {
            Content::File { path, sha256, whole } => Ok(Parcel {
                path: path.clone(),
                sha256: *sha256,
                size_bytes: artifact.size_bytes,
                whole: *whole,
                _zipped: None,
            }),
            Content::Folder(hashed) => {
                let _permit = self.zips.acquire().await;
                self.tell(Event::Zipping { path: artifact.path.clone() });
                let hashed = hashed.clone();
                let zipped = tokio::task::spawn_blocking(move || zip::zip(&hashed))
                    .await
                    .map_err(|error| Error::Worker(error.to_string()))??;
                Ok(Parcel {
                    path: zipped.file.path().to_owned(),
                    sha256: zipped.sha256,
                    size_bytes: zipped.size_bytes,
                    whole: true,
                    _zipped: Some(zipped),
                })
            }
        }
    }

    async fn send(&self, key: &str, parcel: &Parcel) -> Result<Option<String>, crate::aws::Error> {
        let condition = if self.options.force_upload { Condition::None } else { Condition::IfAbsent };
        let mut metadata = self.options.metadata.clone();
        metadata.push((SHA256_METADATA.to_owned(), parcel.sha256.base64()));
        if !parcel.whole && parcel.size_bytes >= PARTS_FROM_BYTES {
            let put = PutFile {
                bucket: self.bucket.clone(),
                key: key.to_owned(),
                path: parcel.path.clone(),
                condition,
                encryption: self.options.encryption.clone(),
                metadata,
            };
            return Ok(self.s3.put_in_parts(put).await?.version_id);
        }
        let body = Body::File { path: parcel.path.clone(), sha256: parcel.sha256, size_bytes: parcel.size_bytes };
        let put = PutObject {
            condition,
            encryption: self.options.encryption.clone(),
            metadata,
            ..PutObject::new(&self.bucket, key, body)
        };
        Ok(self.s3.put(put).await?.version_id)
    }

    fn sent(&self, artifact: &Artifact, parcel: &Parcel, version_id: Option<String>) -> Uploaded {
        Uploaded {
            version_id: version_id.filter(is_version),
            size_bytes: parcel.size_bytes,
            sha256_base64: Some(parcel.sha256.base64()),
            outcome: Outcome::Uploaded,
            ..Uploaded::not_yet(artifact, &self.bucket)
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens when another artifact has already failed.
        let _ = self.events.send(event);
    }
}
