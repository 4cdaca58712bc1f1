//! Deployment packages: where they come from, how large they may be, where they are kept unpacked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use hyper::body::Bytes;
use serde_json::Value;
use sha2::Digest as _;

use super::fault::{Answer, Fault};
use crate::runtime::archive;
use crate::sandbox::http::Request;
use crate::sandbox::router::ServiceName;
use crate::sandbox::state::World;

/// A zip in the request may have this size
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MAX_ZIPPED: usize = 52_428_800;
/// Code and layers unpacked.
pub(super) const MAX_UNZIPPED: u64 = 262_144_000;

/// A package that is kept.
#[derive(Clone, Debug)]
pub(super) struct Package {
    /// Base64, as the API has it.
    pub(super) sha256: String,
    /// Of the zip.
    pub(super) size: u64,
    /// Unpacked.
    pub(super) unzipped: u64,
}

/// Packages by their hash: `<hex>.zip` and, unpacked, `<hex>/`.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
}

impl Store {
    pub(super) fn open(dir: PathBuf) -> std::io::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        Ok(Self { dir: std::path::absolute(dir)? })
    }

    /// The unpacked code.
    pub(super) fn folder(&self, sha256: &str) -> PathBuf {
        self.dir.join(hex_of(sha256))
    }

    /// The zip.
    pub(super) fn zip(&self, sha256: &str) -> PathBuf {
        self.zip_by_hex(&hex_of(sha256))
    }

    /// The zip of a hash in hexadecimal digits.
    pub(super) fn zip_by_hex(&self, hex: &str) -> PathBuf {
        self.dir.join(format!("{hex}.zip"))
    }

    /// The unpacked size.
    pub(super) fn unzipped(&self, sha256: &str) -> u64 {
        let file = self.dir.join(format!("{}.size", hex_of(sha256)));
        std::fs::read_to_string(file).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// Takes the package that a request names: `ZipFile`, or an object in S3.
    pub(super) async fn take(&self, world: &Arc<World>, request: &Request, code: &Value) -> Answer<Package> {
        let zip = match code.get("ZipFile").and_then(Value::as_str) {
            Some(text) => {
                let zip = STANDARD.decode(text).map_err(|_| unzip_fault(None))?;
                if zip.len() > MAX_ZIPPED {
                    return Err(Fault::too_large(format!("Zipped size must be smaller than {MAX_ZIPPED} bytes")));
                }
                Bytes::from(zip)
            }
            None if code.get("S3Bucket").is_some() => from_s3(world, request, code).await?,
            None if code.get("ImageUri").is_some() => return Err(Fault::not_implemented("container images")),
            None => return Err(Fault::invalid("Please provide a source for function code.")),
        };
        if zip.is_empty() {
            return Err(Fault::invalid("Uploaded file must be a non-empty zip"));
        }
        let dir = self.dir.clone();
        let unpacked = tokio::task::spawn_blocking(move || keep(&dir, &zip)).await;
        unpacked.map_err(|error| Fault::internal(&error))?
    }
}

fn unzip_fault(detail: Option<&str>) -> Fault {
    let text = "Could not unzip uploaded file. Please check your file, then try to upload again.";
    Fault::invalid(detail.map_or_else(|| text.to_owned(), |detail| format!("{text} ({detail})")))
}

fn keep(dir: &Path, zip: &[u8]) -> Answer<Package> {
    let disk = |error: std::io::Error| Fault::internal(&error);
    let digest = sha2::Sha256::digest(zip);
    let hex = hex(&digest);
    let package = |unzipped| Package { sha256: STANDARD.encode(digest), size: zip.len() as u64, unzipped };
    let (folder, file) = (dir.join(&hex), dir.join(format!("{hex}.zip")));
    if !folder.is_dir() || !file.is_file() {
        let partial = tempfile::Builder::new().prefix("partial-").tempdir_in(dir).map_err(disk)?;
        let content = partial.path().join("code");
        std::fs::create_dir(&content).map_err(disk)?;
        let unzipped = archive::unpack(zip, &content, MAX_UNZIPPED).map_err(|error| match error {
            archive::Error::Broken(_) => unzip_fault(None),
            archive::Error::Unsafe(what) => unzip_fault(Some(&what)),
            archive::Error::TooLarge(limit) => {
                Fault::invalid(format!("Unzipped size must be smaller than {limit} bytes"))
            }
            archive::Error::Disk(error) => Fault::internal(&error),
        })?;
        let kept = partial.path().join("zip");
        std::fs::write(&kept, zip).map_err(disk)?;
        std::fs::write(partial.path().join("size"), unzipped.to_string()).map_err(disk)?;
        std::fs::rename(partial.path().join("size"), dir.join(format!("{hex}.size"))).map_err(disk)?;
        std::fs::rename(kept, file).map_err(disk)?;
        // Two requests with one package: either's folder is right.
        if let Err(error) = std::fs::rename(&content, &folder)
            && !folder.is_dir()
        {
            return Err(disk(error));
        }
        return Ok(package(unzipped));
    }
    let size = std::fs::read_to_string(dir.join(format!("{hex}.size"))).map_err(disk)?;
    Ok(package(size.parse().unwrap_or_default()))
}

async fn from_s3(world: &Arc<World>, request: &Request, code: &Value) -> Answer<Bytes> {
    let text = |name: &str| code.get(name).and_then(Value::as_str).unwrap_or_default();
    let encode = |text: &str| {
        const KEEP: &percent_encoding::AsciiSet =
            &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
        percent_encoding::utf8_percent_encode(text, KEEP).to_string()
    };
    let path = format!("/{}/{}", encode(text("S3Bucket")), encode(text("S3Key")));
    let mut get = Request::new(Method::GET, path, &request.account, &request.region);
    if !text("S3ObjectVersion").is_empty() {
        get.query.push(("versionId".to_owned(), text("S3ObjectVersion").to_owned()));
    }
    let answer = world.call(ServiceName::S3, get).await;
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    let inside = |tag: &str| {
        let (_, rest) = body.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(text, _)| text.to_owned())
    };
    let code = inside("Code").unwrap_or_else(|| answer.status.as_str().to_owned());
    let message = inside("Message").unwrap_or_default();
    Err(Fault::invalid(format!("Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}")))
}

fn hex_of(sha256: &str) -> String {
    hex(&STANDARD.decode(sha256).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 in hexadecimal digits.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}
