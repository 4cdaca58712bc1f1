//! What S3 keeps: buckets, versions of objects and open uploads. An index in memory; on disk a
//! folder a bucket, a pair of files an object version (content and description), each written before
//! the request is answered, so that a killed process has lost nothing that it confirmed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::checksum::Checksum;
use crate::sandbox::http::hex;
use crate::sandbox::xml::Element;

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) buckets: BTreeMap<String, Bucket>,
    /// Orders all changes; the next free one.
    pub(super) next_seq: u64,
}

/// A bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) settings: Settings,
    /// Versions of each key, newest last. No key has an empty list.
    pub(super) objects: BTreeMap<String, Vec<Version>>,
    pub(super) uploads: BTreeMap<String, Upload>,
    /// When a key was last deleted, in `seq`s: a conditional completion must not overlook it.
    pub(super) deletions: BTreeMap<String, u64>,
    dir: PathBuf,
}

/// Whether old versions are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Versioning {
    /// Never was.
    #[default]
    Off,
    Enabled,
    Suspended,
}

/// What is configured on a bucket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) region: String,
    pub(super) created_ms: i64,
    pub(super) versioning: Versioning,
    /// Documents by subresource (`lifecycle`, `encryption`, …), as they were put.
    pub(super) documents: BTreeMap<String, Element>,
    /// The policy's JSON text.
    pub(super) policy: Option<String>,
    pub(super) tags: Vec<(String, String)>,
}

/// One version of an object, or a delete marker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) seq: u64,
    pub(super) key: String,
    /// `null` where the bucket was not versioned.
    pub(super) id: String,
    pub(super) marker: bool,
    /// Name of its files.
    pub(super) file: String,
    pub(super) size: u64,
    /// Without the quotes.
    pub(super) etag: String,
    pub(super) modified_ms: i64,
    pub(super) attributes: Attributes,
    pub(super) checksum: Option<Checksum>,
    /// Sizes of the parts of a multipart upload, in their order.
    pub(super) parts: Vec<u64>,
}

/// What a client says of an object beside its content.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Attributes {
    /// Headers that come back as they were sent: content-type, cache-control, ….
    pub(super) headers: BTreeMap<String, String>,
    /// User metadata, names without `x-amz-meta-`.
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) storage_class: String,
    /// `AES256` or `aws:kms`.
    pub(super) encryption: String,
    pub(super) kms_key: Option<String>,
    pub(super) bucket_key: bool,
}

/// A multipart upload that is under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) seq: u64,
    pub(super) started_ms: i64,
    pub(super) attributes: Attributes,
    pub(super) algorithm: Option<super::checksum::Algorithm>,
    pub(super) full_object: bool,
    #[serde(skip)]
    pub(super) parts: BTreeMap<u32, Part>,
}

/// A part that was uploaded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) number: u32,
    pub(super) file: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified_ms: i64,
    pub(super) checksum: Option<Checksum>,
}

impl Store {
    /// Reads everything under `dir`. Content without a description was never confirmed; it goes.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut store = Self::default();
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            // A bucket's folder without its file: killed while it was being made or removed.
            let Some(settings) = read_json::<Settings>(&path.join("bucket.json"))? else {
                std::fs::remove_dir_all(&path)?;
                continue;
            };
            let bucket = Bucket::open(path, settings)?;
            let highest = bucket.objects.values().flatten().map(|version| version.seq);
            let highest = highest.chain(bucket.uploads.values().map(|upload| upload.seq)).max();
            store.next_seq = store.next_seq.max(highest.map_or(0, |seq| seq + 1));
            store.buckets.insert(bucket.settings.name.clone(), bucket);
        }
        Ok(store)
    }

    /// Adds an empty bucket.
    pub(super) fn create(&mut self, dir: &Path, settings: Settings) -> io::Result<()> {
        let path = dir.join(&settings.name);
        let bucket = Bucket::new(path, settings);
        bucket.save_settings()?;
        self.buckets.insert(bucket.settings.name.clone(), bucket);
        Ok(())
    }

    /// Removes a bucket that is empty.
    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        if let Some(bucket) = self.buckets.get(name) {
            std::fs::remove_file(bucket.dir.join("bucket.json"))?;
            std::fs::remove_dir_all(&bucket.dir)?;
            self.buckets.remove(name);
        }
        Ok(())
    }

    pub(super) fn take_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq - 1
    }
}

impl Bucket {
    fn new(dir: PathBuf, settings: Settings) -> Self {
        Self { settings, objects: BTreeMap::new(), uploads: BTreeMap::new(), deletions: BTreeMap::new(), dir }
    }

    fn open(dir: PathBuf, settings: Settings) -> io::Result<Self> {
        let mut bucket = Self::new(dir, settings);
        let mut contents = Vec::new();
        let mut parts: Vec<(String, Part)> = Vec::new();
        for path in files(&bucket.objects_dir())? {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => {
                    if let Some(version) = read_json::<Version>(&path)? {
                        bucket.objects.entry(version.key.clone()).or_default().push(version);
                    }
                }
                Some("upload") => {
                    if let Some(upload) = read_json::<Upload>(&path)? {
                        bucket.uploads.insert(upload.id.clone(), upload);
                    }
                }
                Some("part") => {
                    if let Some(part) = read_json::<(String, Part)>(&path)? {
                        parts.push(part);
                    }
                }
                _ => contents.push(path),
            }
        }
        for versions in bucket.objects.values_mut() {
            versions.sort_by_key(|version| version.seq);
        }
        for (upload, part) in parts {
            match bucket.uploads.get_mut(&upload) {
                Some(upload) => drop(upload.parts.insert(part.number, part)),
                None => remove(&bucket.description(&part.file, "part")),
            }
        }
        let known: std::collections::HashSet<&str> = bucket
            .objects
            .values()
            .flatten()
            .map(|version| version.file.as_str())
            .chain(bucket.uploads.values().flat_map(|upload| upload.parts.values()).map(|part| part.file.as_str()))
            .collect();
        for path in &contents {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if !known.contains(stem) {
                remove(path);
            }
        }
        Ok(bucket)
    }

    fn objects_dir(&self) -> PathBuf {
        self.dir.join("objects")
    }

    fn description(&self, file: &str, kind: &str) -> PathBuf {
        self.objects_dir().join(format!("{file}.{kind}"))
    }

    /// Where the content of a version or part lies.
    pub(super) fn content(&self, file: &str) -> PathBuf {
        content_path(&self.dir, file)
    }

    pub(super) fn save_settings(&self) -> io::Result<()> {
        std::fs::create_dir_all(self.objects_dir())?;
        write_json(&self.dir.join("bucket.json"), &self.settings)
    }

    /// The current version of a key, when it is not a delete marker.
    pub(super) fn current(&self, key: &str) -> Option<&Version> {
        self.objects.get(key)?.last().filter(|version| !version.marker)
    }

    /// A version by its id.
    pub(super) fn version(&self, key: &str, id: &str) -> Option<&Version> {
        self.objects.get(key)?.iter().find(|version| version.id == id)
    }

    /// Adds a version as the newest. A `null` version takes the place of an older `null` one.
    pub(super) fn push(&mut self, version: Version) -> io::Result<()> {
        write_json(&self.description(&version.file, "json"), &version)?;
        let replaced = if version.id == "null" { self.take(&version.key, "null") } else { None };
        self.objects.entry(version.key.clone()).or_default().push(version);
        if let Some(old) = replaced {
            self.erase(&old);
        }
        Ok(())
    }

    /// Writes a version's description again, after a change of its tags.
    pub(super) fn save_version(&self, version: &Version) -> io::Result<()> {
        write_json(&self.description(&version.file, "json"), version)
    }

    /// Removes one version for good.
    pub(super) fn remove(&mut self, key: &str, id: &str) -> Option<Version> {
        let version = self.take(key, id)?;
        self.erase(&version);
        Some(version)
    }

    fn take(&mut self, key: &str, id: &str) -> Option<Version> {
        let versions = self.objects.get_mut(key)?;
        let at = versions.iter().position(|version| version.id == id)?;
        let version = versions.remove(at);
        if versions.is_empty() {
            self.objects.remove(key);
        }
        Some(version)
    }

    fn erase(&self, version: &Version) {
        // The description first: content alone is swept away at the next start.
        remove(&self.description(&version.file, "json"));
        remove(&self.content(&version.file));
    }

    pub(super) fn add_upload(&mut self, upload: Upload) -> io::Result<()> {
        write_json(&self.description(&upload.id, "upload"), &upload)?;
        self.uploads.insert(upload.id.clone(), upload);
        Ok(())
    }

    pub(super) fn add_part(&mut self, upload_id: &str, part: Part) -> io::Result<()> {
        write_json(&self.description(&part.file, "part"), &(upload_id, &part))?;
        let replaced = self.uploads.get_mut(upload_id).and_then(|upload| upload.parts.insert(part.number, part));
        if let Some(old) = replaced {
            self.erase_part(&old);
        }
        Ok(())
    }

    fn erase_part(&self, part: &Part) {
        remove(&self.description(&part.file, "part"));
        remove(&self.content(&part.file));
    }

    /// Forgets an upload and its parts.
    pub(super) fn remove_upload(&mut self, id: &str) {
        if let Some(upload) = self.uploads.remove(id) {
            remove(&self.description(id, "upload"));
            for part in upload.parts.values() {
                self.erase_part(part);
            }
        }
        if self.uploads.is_empty() {
            self.deletions.clear();
        }
    }
}

/// Where content lies in a bucket's folder.
pub(super) fn content_path(bucket_dir: &Path, file: &str) -> PathBuf {
    bucket_dir.join("objects").join(format!("{file}.data"))
}

/// A name for a pair of files.
pub(super) fn new_file() -> String {
    hex(&rand::random::<[u8; 16]>())
}

fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(dir)?;
    std::fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
}

fn remove(path: &Path) {
    // Already gone is as good; what stays is swept away at the next start.
    let _ = std::fs::remove_file(path);
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(io::BufWriter::new(&mut file), value)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
