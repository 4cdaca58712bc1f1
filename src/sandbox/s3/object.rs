//! Objects: put, get, head, delete, copy.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use hyper::Method;
use md5::{Digest as _, Md5};
use percent_encoding::percent_decode_str;

use super::checksum::{self, Algorithm};
use super::condition::{self, WriteCondition};
use super::store::{self, Attributes, Bucket, Version, Versioning};
use super::{Answer, Call, Fault, Inner, http_hex, http_time, iso_time, may_use, no_such_bucket, tagging, xml_answer};
use crate::sandbox::http::Response;
use crate::sandbox::xml::{self, Writer};

/// Headers that are kept and come back.
const KEPT_HEADERS: &[&str] =
    &["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"];
/// Most keys of one DeleteObjects.
const MAX_DELETES: usize = 1000;
/// User metadata of one object.
const MAX_METADATA_BYTES: usize = 2048;

impl Inner {
    pub(super) fn put_object(&self, call: &Call<'_>) -> Answer {
        let condition = WriteCondition::read(call)?;
        let attributes = self.with_bucket(call, |bucket| attributes(call, bucket))?;
        let checksum = checksum::verify(&call.request.headers, &call.request.body, requested_algorithm(call)?)?;
        let file = self.write_content(&call.bucket, &call.request.body)?;
        let stored = self.change_bucket(call, |bucket, seq| {
            condition.check(bucket, &call.key)?;
            let version = Version {
                seq,
                key: call.key.clone(),
                id: new_version_id(bucket.settings.versioning),
                marker: false,
                file: file.clone(),
                size: call.request.body.len() as u64,
                etag: http_hex(&Md5::digest(&call.request.body)),
                modified_ms: call.now_ms,
                attributes,
                checksum: Some(checksum),
                parts: Vec::new(),
            };
            bucket.push(version.clone())?;
            Ok((version, bucket.settings.versioning))
        });
        let (version, versioning) = stored.inspect_err(|_| self.discard(&call.bucket, &file))?;
        let mut response = Response::new(200).header("etag", &format!("\"{}\"", version.etag));
        response = version_header(response, &version, versioning);
        response = checksum_headers(response, &version);
        Ok(encryption_headers(response, &version.attributes))
    }

    pub(super) fn get_object(&self, call: &Call<'_>) -> Answer {
        let (version, versioning, file) = self.with_bucket(call, |bucket| {
            let version = find_version(call, bucket, call.query("versionId"), &call.key)?;
            // Opened under the lock: a delete that comes now takes the name away, not the content.
            let file = std::fs::File::open(bucket.content(&version.file))?;
            Ok((version.clone(), bucket.settings.versioning, file))
        })?;
        condition::check_read(call, &version)?;
        let (range, parts_count) = match call.query("partNumber") {
            Some(number) => (Some(part_range(number, &version)?), Some(version.parts.len().max(1))),
            None => (requested_range(call.header("range"), version.size)?, None),
        };
        let attributes = &version.attributes;
        let mut response = Response::new(if range.is_some() { 206 } else { 200 })
            .header("etag", &format!("\"{}\"", version.etag))
            .header("last-modified", &http_time(version.modified_ms))
            .header("accept-ranges", "bytes");
        for (name, value) in &attributes.headers {
            response = response.header(name, value);
        }
        for (name, value) in &attributes.metadata {
            response = response.header(&format!("x-amz-meta-{name}"), value);
        }
        for name in KEPT_HEADERS {
            if let Some(value) = call.query(&format!("response-{name}")) {
                response = response.header(name, value);
            }
        }
        response = version_header(response, &version, versioning);
        response = encryption_headers(response, attributes);
        if attributes.storage_class != "STANDARD" {
            response = response.header("x-amz-storage-class", &attributes.storage_class);
        }
        if !attributes.tags.is_empty() {
            response = response.header("x-amz-tagging-count", &attributes.tags.len().to_string());
        }
        if let Some(count) = parts_count.filter(|_| !version.parts.is_empty()) {
            response = response.header("x-amz-mp-parts-count", &count.to_string());
        }
        let whole = range.is_none();
        if whole && call.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("enabled")) {
            response = checksum_headers(response, &version);
        }
        let (start, length) = range.map_or((0, version.size), |(first, last)| (first, last + 1 - first));
        if let Some((first, last)) = range {
            response = response.header("content-range", &format!("bytes {first}-{last}/{}", version.size));
        }
        response = response.header("content-length", &length.to_string());
        if call.request.method == Method::HEAD {
            return Ok(response);
        }
        Ok(response.with_body(read_range(file, start, length)?))
    }

    pub(super) fn delete_object(&self, call: &Call<'_>) -> Answer {
        self.change_bucket(call, |bucket, seq| {
            condition::check_delete(call, bucket)?;
            let deleted = delete(bucket, &call.key, call.query("versionId"), seq, call.now_ms)?;
            let mut response = Response::new(204);
            if deleted.marker {
                response = response.header("x-amz-delete-marker", "true");
            }
            if let Some(id) = deleted.version_id {
                response = response.header("x-amz-version-id", &id);
            }
            Ok(response)
        })
    }

    pub(super) fn delete_objects(&self, call: &Call<'_>) -> Answer {
        let root =
            xml::parse(&call.request.body).filter(|root| root.name == "Delete").ok_or_else(Fault::malformed_xml)?;
        checksum::verify(&call.request.headers, &call.request.body, None)?;
        let quiet = root.text_of("Quiet").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let objects: Vec<_> = root.all("Object").collect();
        if objects.is_empty() || objects.len() > MAX_DELETES {
            return Err(Fault::malformed_xml());
        }
        self.with_bucket(call, |_| Ok(()))?;
        let mut results = Vec::new();
        for object in objects {
            let key = object.text_of("Key").filter(|key| !key.is_empty()).ok_or_else(Fault::malformed_xml)?;
            let id = object.text_of("VersionId");
            let result = self.change_bucket(call, |bucket, seq| {
                if let Some(wanted) = object.text_of("ETag") {
                    let current = bucket.current(key).ok_or_else(|| Fault::no_such_key(key))?;
                    if wanted.trim_matches('"') != current.etag {
                        return Err(condition::failed("If-Match"));
                    }
                }
                delete(bucket, key, id, seq, call.now_ms).map_err(|fault| match fault.code.as_str() {
                    "InvalidArgument" => no_such_version(key, id.unwrap_or_default()),
                    _ => fault,
                })
            });
            results.push((key, id, result));
        }
        xml_answer("DeleteResult", |writer| {
            for (key, id, result) in results {
                write_delete_result(writer, key, id, result, quiet);
            }
        })
    }

    pub(super) fn copy_object(&self, call: &Call<'_>) -> Answer {
        let condition = WriteCondition::read(call)?;
        let (source_bucket, source_key, source_id) = copy_source(call)?;
        let mut attributes = self.with_bucket(call, |bucket| attributes(call, bucket))?;
        let (source, versioning, content) =
            self.read_source(call, &source_bucket, &source_key, source_id.as_deref())?;
        let replaces = |header: &str| call.header(header).is_some_and(|value| value.eq_ignore_ascii_case("REPLACE"));
        let same = source_bucket == call.bucket && source_key == call.key && source_id.is_none();
        if same
            && !replaces("x-amz-metadata-directive")
            && condition == WriteCondition::None
            && call.header("x-amz-storage-class").is_none()
            && call.header("x-amz-server-side-encryption").is_none()
        {
            return Err(Fault::new(
                400,
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        if !replaces("x-amz-metadata-directive") {
            attributes.headers = source.attributes.headers.clone();
            attributes.metadata = source.attributes.metadata.clone();
        }
        if !replaces("x-amz-tagging-directive") {
            attributes.tags = source.attributes.tags.clone();
        }
        let algorithm = requested_algorithm(call)?.or(source.checksum.as_ref().map(|checksum| checksum.algorithm));
        let checksum = checksum::compute(algorithm.unwrap_or(Algorithm::Crc64Nvme), &content);
        let file = self.write_content(&call.bucket, &content)?;
        let stored = self.change_bucket(call, |bucket, seq| {
            condition.check(bucket, &call.key)?;
            let version = Version {
                seq,
                key: call.key.clone(),
                id: new_version_id(bucket.settings.versioning),
                marker: false,
                file: file.clone(),
                size: content.len() as u64,
                etag: http_hex(&Md5::digest(&content)),
                modified_ms: call.now_ms,
                attributes,
                checksum: Some(checksum),
                parts: Vec::new(),
            };
            bucket.push(version.clone())?;
            Ok((version, bucket.settings.versioning))
        });
        let (version, target_versioning) = stored.inspect_err(|_| self.discard(&call.bucket, &file))?;
        let mut response = xml_answer("CopyObjectResult", |result| {
            result.text("ETag", format!("\"{}\"", version.etag)).text("LastModified", iso_time(version.modified_ms));
            write_checksum(result, &version);
        })?;
        if versioning != Versioning::Off {
            response = response.header("x-amz-copy-source-version-id", &source.id);
        }
        response = version_header(response, &version, target_versioning);
        Ok(encryption_headers(response, &version.attributes))
    }

    /// The object that a copy reads: bucket, rights and conditions checked.
    pub(super) fn read_source(
        &self,
        call: &Call<'_>,
        bucket: &str,
        key: &str,
        id: Option<&str>,
    ) -> Result<(Version, Versioning, Vec<u8>), Fault> {
        let (version, versioning, file) = {
            let store = self.store.read();
            let bucket = store.buckets.get(bucket).ok_or_else(|| no_such_bucket(bucket))?;
            may_use(call, bucket, "x-amz-source-expected-bucket-owner")?;
            let version = find_version(call, bucket, id, key)?;
            condition::check_copy_source(call, version)?;
            (version.clone(), bucket.settings.versioning, std::fs::File::open(bucket.content(&version.file))?)
        };
        let content = read_range(file, 0, version.size)?;
        Ok((version, versioning, content))
    }

    /// Writes content to a new file of a bucket and gives its name; it counts only once a version or
    /// part names it.
    pub(super) fn write_content(&self, bucket: &str, bytes: &[u8]) -> Result<String, Fault> {
        let file = store::new_file();
        let path = store::content_path(&self.dir.join(bucket), &file);
        std::fs::File::create_new(&path)?.write_all(bytes).inspect_err(|_| discard(&path))?;
        Ok(file)
    }

    pub(super) fn discard(&self, bucket: &str, file: &str) {
        discard(&store::content_path(&self.dir.join(bucket), file));
    }
}

fn discard(path: &Path) {
    // What stays is swept away at the next start.
    let _ = std::fs::remove_file(path);
}

/// What a delete did.
pub(super) struct Deleted {
    /// A marker was added, or it was a marker that went.
    marker: bool,
    version_id: Option<String>,
}

/// Deletes one version for good, or puts a marker over the current one.
pub(super) fn delete(
    bucket: &mut Bucket,
    key: &str,
    id: Option<&str>,
    seq: u64,
    now_ms: i64,
) -> Result<Deleted, Fault> {
    bucket.deletions.insert(key.to_owned(), seq);
    if let Some(id) = id {
        if !is_version_id(id) {
            return Err(invalid_version(id));
        }
        let removed = bucket.remove(key, id);
        let marker = removed.is_some_and(|version| version.marker);
        return Ok(Deleted { marker, version_id: Some(id.to_owned()) });
    }
    if bucket.settings.versioning == Versioning::Off {
        bucket.remove(key, "null");
        return Ok(Deleted { marker: false, version_id: None });
    }
    let version_id = new_version_id(bucket.settings.versioning);
    bucket.push(Version {
        seq,
        key: key.to_owned(),
        id: version_id.clone(),
        marker: true,
        file: store::new_file(),
        size: 0,
        etag: String::new(),
        modified_ms: now_ms,
        attributes: Attributes::default(),
        checksum: None,
        parts: Vec::new(),
    })?;
    Ok(Deleted { marker: true, version_id: Some(version_id) })
}

fn write_delete_result(writer: &mut Writer, key: &str, id: Option<&str>, result: Result<Deleted, Fault>, quiet: bool) {
    match result {
        Ok(_) if quiet => {}
        Ok(deleted) => {
            writer.element("Deleted", |element| {
                element.text("Key", key).optional("VersionId", id);
                if deleted.marker {
                    element.text("DeleteMarker", "true").optional("DeleteMarkerVersionId", deleted.version_id);
                }
            });
        }
        Err(fault) => {
            writer.element("Error", |element| {
                element
                    .text("Key", key)
                    .optional("VersionId", id)
                    .text("Code", fault.code)
                    .text("Message", fault.message);
            });
        }
    }
}

/// The version that a read means.
pub(super) fn find_version<'a>(
    call: &Call<'_>,
    bucket: &'a Bucket,
    id: Option<&str>,
    key: &str,
) -> Result<&'a Version, Fault> {
    let version = match id {
        None => {
            let latest = bucket.objects.get(key).and_then(|versions| versions.last());
            match latest {
                Some(version) if version.marker => {
                    return Err(Fault::no_such_key(key)
                        .with_header("x-amz-delete-marker", "true")
                        .with_header("x-amz-version-id", &version.id));
                }
                found => found.ok_or_else(|| Fault::no_such_key(key))?,
            }
        }
        Some(id) if !is_version_id(id) => return Err(invalid_version(id)),
        Some(id) => bucket.version(key, id).ok_or_else(|| no_such_version(key, id))?,
    };
    if version.marker {
        return Err(delete_marker(call.request.method.as_str()).with_header("x-amz-delete-marker", "true"));
    }
    Ok(version)
}

pub(super) fn delete_marker(method: &str) -> Fault {
    Fault::new(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        .with("Method", method)
        .with("ResourceType", "DeleteMarker")
}

fn no_such_version(key: &str, id: &str) -> Fault {
    Fault::new(404, "NoSuchVersion", "The specified version does not exist.").with("Key", key).with("VersionId", id)
}

fn invalid_version(id: &str) -> Fault {
    Fault::invalid_argument("versionId", id, "Invalid version id specified")
}

/// AWS tells a version id that it never gave from one whose version is gone: ours carry a checksum.
pub(super) fn new_version_id(versioning: Versioning) -> String {
    if versioning != Versioning::Enabled {
        return "null".to_owned();
    }
    let random = http_hex(&rand::random::<[u8; 12]>());
    let check = crc_fast::crc32_iso_hdlc(random.as_bytes());
    format!("{random}{check:08x}")
}

fn is_version_id(id: &str) -> bool {
    id == "null"
        || id.len() == 32
            && id.is_ascii()
            && format!("{:08x}", crc_fast::crc32_iso_hdlc(&id.as_bytes()[..24])) == id[24..]
}

/// `x-amz-copy-source`: `bucket/key?versionId=…`, perhaps with a leading slash, percent-encoded.
pub(super) fn copy_source(call: &Call<'_>) -> Result<(String, String, Option<String>), Fault> {
    let text = call.header("x-amz-copy-source").unwrap_or_default();
    let invalid = || {
        Fault::invalid_argument(
            "x-amz-copy-source",
            text,
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        )
    };
    let (path, id) = text.split_once("?versionId=").map_or((text, None), |(path, id)| (path, Some(id.to_owned())));
    let path = percent_decode_str(path).decode_utf8().map_err(|_| invalid())?;
    let (bucket, key) = path.trim_start_matches('/').split_once('/').ok_or_else(invalid)?;
    if bucket.is_empty() || key.is_empty() {
        return Err(invalid());
    }
    Ok((bucket.to_owned(), key.to_owned(), id))
}

/// The algorithm that a client asks to be computed.
pub(super) fn requested_algorithm(call: &Call<'_>) -> Result<Option<Algorithm>, Fault> {
    let name = call.header("x-amz-checksum-algorithm").or_else(|| call.header("x-amz-sdk-checksum-algorithm"));
    name.map(Algorithm::named).transpose()
}

/// What the headers of a put say of the object, with the bucket's encryption.
pub(super) fn attributes(call: &Call<'_>, bucket: &Bucket) -> Result<Attributes, Fault> {
    let mut headers: BTreeMap<String, String> =
        KEPT_HEADERS.iter().filter_map(|name| Some(((*name).to_owned(), call.header(name)?.to_owned()))).collect();
    headers.entry("content-type".to_owned()).or_insert_with(|| "binary/octet-stream".to_owned());
    let mut metadata = BTreeMap::new();
    for (name, value) in &call.request.headers {
        if let Some(name) = name.as_str().strip_prefix("x-amz-meta-") {
            metadata.insert(name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned());
        }
    }
    let size: usize = metadata.iter().map(|(name, value): (&String, &String)| name.len() + value.len()).sum();
    if size > MAX_METADATA_BYTES {
        return Err(Fault::new(
            400,
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
        )
        .with("Size", size.to_string())
        .with("MaxSizeAllowed", MAX_METADATA_BYTES.to_string()));
    }
    if call.header("x-amz-acl").is_some_and(|acl| !matches!(acl, "private" | "bucket-owner-full-control")) {
        return Err(Fault::new(400, "AccessControlListNotSupported", "The bucket does not allow ACLs"));
    }
    let storage_class = call.header("x-amz-storage-class").unwrap_or("STANDARD").to_owned();
    const CLASSES: &[&str] = &["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"];
    if !CLASSES.contains(&storage_class.as_str()) {
        return Err(Fault::new(400, "InvalidStorageClass", "The storage class you specified is not valid"));
    }
    let rule = bucket.settings.documents.get("encryption").and_then(|document| document.child("Rule"));
    let default = rule.and_then(|rule| rule.child("ApplyServerSideEncryptionByDefault"));
    let asked = call.header("x-amz-server-side-encryption");
    if asked.is_some_and(|name| !matches!(name, "AES256" | "aws:kms" | "aws:kms:dsse")) {
        return Err(Fault::invalid_argument(
            "x-amz-server-side-encryption",
            asked.unwrap_or_default(),
            "The encryption method specified is not supported",
        ));
    }
    let encryption = asked.or_else(|| default?.text_of("SSEAlgorithm")).unwrap_or("AES256").to_owned();
    let is_kms = encryption.starts_with("aws:kms");
    let key = call
        .header("x-amz-server-side-encryption-aws-kms-key-id")
        .or_else(|| if asked.is_none() { default?.text_of("KMSMasterKeyID") } else { None });
    let settings = &bucket.settings;
    let kms_key = is_kms.then(|| match key {
        Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
        Some(id) => format!("arn:aws:kms:{}:{}:key/{id}", settings.region, settings.owner),
        None => format!("arn:aws:kms:{}:{}:alias/aws/s3", settings.region, settings.owner),
    });
    let bucket_key = is_kms
        && (rule.and_then(|rule| rule.text_of("BucketKeyEnabled")) == Some("true")
            || call.header("x-amz-server-side-encryption-bucket-key-enabled") == Some("true"));
    let tags = tagging::from_header(call.header("x-amz-tagging"))?;
    Ok(Attributes { headers, metadata, tags, storage_class, encryption, kms_key, bucket_key })
}

pub(super) fn encryption_headers(response: Response, attributes: &Attributes) -> Response {
    let mut response = response.header("x-amz-server-side-encryption", &attributes.encryption);
    if let Some(key) = &attributes.kms_key {
        response = response.header("x-amz-server-side-encryption-aws-kms-key-id", key);
    }
    if attributes.bucket_key {
        response = response.header("x-amz-server-side-encryption-bucket-key-enabled", "true");
    }
    response
}

pub(super) fn version_header(response: Response, version: &Version, versioning: Versioning) -> Response {
    let is_shown = versioning == Versioning::Enabled || version.id != "null";
    if is_shown { response.header("x-amz-version-id", &version.id) } else { response }
}

pub(super) fn checksum_headers(response: Response, version: &Version) -> Response {
    match &version.checksum {
        Some(checksum) => {
            response.header(checksum.algorithm.header(), &checksum.value).header("x-amz-checksum-type", checksum.kind())
        }
        None => response,
    }
}

pub(super) fn write_checksum(writer: &mut Writer, version: &Version) {
    if let Some(checksum) = &version.checksum {
        writer.text(checksum.algorithm.element(), &checksum.value).text("ChecksumType", checksum.kind());
    }
}

/// First and last byte that a `Range` header asks for; `None` where it is to be ignored.
/// <https://www.rfc-editor.org/rfc/rfc9110#name-range>
fn requested_range(header: Option<&str>, size: u64) -> Result<Option<(u64, u64)>, Fault> {
    let Some(spec) = header.and_then(|text| text.strip_prefix("bytes=")) else { return Ok(None) };
    let Some((first, last)) = spec.split_once('-') else { return Ok(None) };
    let unsatisfiable = || {
        Fault::new(416, "InvalidRange", "The requested range is not satisfiable")
            .with("RangeRequested", format!("bytes={spec}"))
            .with("ActualObjectSize", size.to_string())
            .with_header("content-range", format!("bytes */{size}"))
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => Ok(None),
        (Ok(first), last) if last.is_ok() || spec.ends_with('-') => {
            if first >= size {
                return Err(unsatisfiable());
            }
            Ok(Some((first, last.unwrap_or(u64::MAX).min(size - 1))))
        }
        (Err(_), Ok(length)) if first.is_empty() => {
            if length == 0 || size == 0 {
                return Err(unsatisfiable());
            }
            Ok(Some((size.saturating_sub(length), size - 1)))
        }
        _ => Ok(None),
    }
}

fn part_range(number: &str, version: &Version) -> Result<(u64, u64), Fault> {
    let invalid = || Fault::new(416, "InvalidPartNumber", "The requested partnumber is not satisfiable");
    let number: usize = number.parse().ok().filter(|number| *number > 0).ok_or_else(invalid)?;
    let whole = [version.size];
    let parts = if version.parts.is_empty() { whole.as_slice() } else { version.parts.as_slice() };
    let size = *parts.get(number - 1).ok_or_else(invalid)?;
    let first: u64 = parts[..number - 1].iter().sum();
    Ok((first, (first + size).saturating_sub(1)))
}

fn read_range(mut file: std::fs::File, start: u64, length: u64) -> Result<Vec<u8>, Fault> {
    file.seek(SeekFrom::Start(start))?;
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(length).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_has_them() {
        for (text, size, expected) in [
            ("bytes=0-4", 10, Ok(Some((0, 4)))),
            ("bytes=5-", 10, Ok(Some((5, 9)))),
            ("bytes=-3", 10, Ok(Some((7, 9)))),
            ("bytes=-30", 10, Ok(Some((0, 9)))),
            ("bytes=0-100", 10, Ok(Some((0, 9)))),
            ("bytes=10-", 10, Err(())),
            ("bytes=-0", 10, Err(())),
            ("bytes=0-", 0, Err(())),
            ("bytes=4-2", 10, Ok(None)),
            ("bytes=0-1,3-4", 10, Ok(None)),
            ("bytes=-", 10, Ok(None)),
            ("items=0-1", 10, Ok(None)),
            ("", 10, Ok(None)),
        ] {
            assert_eq!(requested_range(Some(text), size).map_err(drop), expected, "{text} of {size}");
        }
    }

    #[test]
    fn version_ids_are_told_from_made_up_ones() {
        let id = new_version_id(Versioning::Enabled);
        assert!(is_version_id(&id), "{id}");
        assert!(is_version_id("null"));
        for bad in ["", "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD", &id[1..], "ééééééééééééééé!", "nul"] {
            assert!(!is_version_id(bad), "{bad}");
        }
    }
}
