//! Tags of buckets and objects.

use std::collections::HashSet;

use super::object::{delete_marker, find_version};
use super::{Answer, Call, Fault, Inner, xml_answer};
use crate::sandbox::http::Response;
use crate::sandbox::xml::{self, Writer};

/// Tags of one object.
const MAX_OBJECT_TAGS: usize = 10;
/// Tags of one bucket.
const MAX_BUCKET_TAGS: usize = 50;

impl Inner {
    pub(super) fn object_tagging(&self, call: &Call<'_>) -> Answer {
        let method = call.request.method.as_str();
        let id = call.query("versionId");
        let find = |bucket: &super::Bucket| match find_version(call, bucket, id, &call.key) {
            Ok(version) => Ok(version.clone()),
            // For tags even the latest marker is named as what it is.
            Err(fault) if fault.headers.iter().any(|(name, _)| *name == "x-amz-delete-marker") => {
                Err(delete_marker(method))
            }
            Err(fault) => Err(fault),
        };
        if method == "GET" {
            let version = self.with_bucket(call, find)?;
            let answer = xml_answer("Tagging", |writer| write(writer, &version.attributes.tags))?;
            return Ok(with_id(answer, &version.id));
        }
        let tags = if method == "PUT" { read(call, Kind::Object)? } else { Vec::new() };
        self.change_bucket(call, |bucket, _| {
            let mut version = find(bucket)?;
            version.attributes.tags = tags;
            bucket.save_version(&version)?;
            let id = version.id.clone();
            let versions = bucket.objects.get_mut(&call.key).into_iter().flatten();
            for kept in versions.filter(|kept| kept.id == id) {
                kept.attributes.tags = std::mem::take(&mut version.attributes.tags);
            }
            Ok(with_id(Response::new(if method == "PUT" { 200 } else { 204 }), &id))
        })
    }

    pub(super) fn bucket_tagging(&self, call: &Call<'_>) -> Answer {
        match call.request.method.as_str() {
            "GET" => {
                let tags = self.with_bucket(call, |bucket| Ok(bucket.settings.tags.clone()))?;
                if tags.is_empty() {
                    return Err(
                        Fault::new(404, "NoSuchTagSet", "The TagSet does not exist").with("BucketName", &call.bucket)
                    );
                }
                xml_answer("Tagging", |writer| write(writer, &tags))
            }
            "PUT" => {
                self.with_bucket(call, |_| Ok(()))?;
                let tags = read(call, Kind::Bucket)?;
                self.change_bucket(call, |bucket, _| {
                    bucket.settings.tags = tags;
                    Ok(bucket.save_settings()?)
                })?;
                Ok(Response::new(204))
            }
            _ => {
                self.change_bucket(call, |bucket, _| {
                    bucket.settings.tags.clear();
                    Ok(bucket.save_settings()?)
                })?;
                Ok(Response::new(204))
            }
        }
    }
}

fn with_id(response: Response, id: &str) -> Response {
    if id == "null" { response } else { response.header("x-amz-version-id", id) }
}

fn write(writer: &mut Writer, tags: &[(String, String)]) {
    writer.element("TagSet", |set| {
        for (key, value) in tags {
            set.element("Tag", |tag| {
                tag.text("Key", key).text("Value", value);
            });
        }
    });
}

/// What is tagged: the texts differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Bucket,
    NewBucket,
}

fn read(call: &Call<'_>, kind: Kind) -> Result<Vec<(String, String)>, Fault> {
    super::checksum::verify(&call.request.headers, &call.request.body, None)?;
    let root = xml::parse(&call.request.body).filter(|root| root.name == "Tagging").ok_or_else(Fault::malformed_xml)?;
    let set = root.child("TagSet").ok_or_else(Fault::malformed_xml)?;
    from_elements(set.all("Tag"), kind)
}

/// Reads and checks `<Tag>` elements.
pub(super) fn from_elements<'a>(
    elements: impl Iterator<Item = &'a xml::Element>,
    kind: Kind,
) -> Result<Vec<(String, String)>, Fault> {
    let mut tags = Vec::new();
    let mut seen = HashSet::new();
    for element in elements {
        let (Some(key), Some(value)) = (element.text_of("Key"), element.text_of("Value")) else {
            return Err(Fault::malformed_xml());
        };
        let invalid = |text: &str| Fault::new(400, "InvalidTag", text).with("TagKey", key);
        if !seen.insert(key) {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
        if key.starts_with("aws:") {
            return Err(match kind {
                Kind::Object => invalid("Your TagKey cannot be prefixed with aws:"),
                Kind::Bucket => invalid("System tags cannot be added/updated by requester"),
                Kind::NewBucket => Fault::new(
                    400,
                    "InvalidTag",
                    "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system tags. Remove \"aws:\" from your tag keys and try again.",
                ),
            });
        }
        if key.is_empty() || key.chars().count() > 128 || !is_valid(key) {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 || !is_valid(value) {
            return Err(invalid("The TagValue you have provided is invalid").with("TagValue", value));
        }
        tags.push((key.to_owned(), value.to_owned()));
    }
    match kind {
        Kind::Object if tags.len() > MAX_OBJECT_TAGS => {
            Err(Fault::new(400, "BadRequest", "Object tags cannot be greater than 10"))
        }
        _ if tags.len() > MAX_BUCKET_TAGS => {
            Err(Fault::new(400, "BadRequest", "Bucket tag count cannot be greater than 50"))
        }
        _ => Ok(tags),
    }
}

fn is_valid(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c))
}

/// The tags of `x-amz-tagging`, which has the form of a query string.
pub(super) fn from_header(header: Option<&str>) -> Result<Vec<(String, String)>, Fault> {
    let Some(text) = header else { return Ok(Vec::new()) };
    let mut tags: Vec<(String, String)> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    tags.sort();
    let mut seen = HashSet::new();
    let is_good = |(key, value): &(String, String)| is_valid(key) && is_valid(value);
    if !tags.iter().all(is_good) || !tags.iter().all(|(key, _)| seen.insert(key)) || text.contains(',') {
        let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.";
        return Err(Fault::invalid_argument("x-amz-tagging", text, message));
    }
    if tags.len() > MAX_OBJECT_TAGS {
        return Err(Fault::new(400, "BadRequest", "Object tags cannot be greater than 10"));
    }
    Ok(tags)
}
