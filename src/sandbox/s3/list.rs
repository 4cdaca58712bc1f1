//! Listings: keys, versions, buckets.

use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::store::{Bucket, Version};
use super::{Answer, Call, Fault, Inner, iso_time, xml_answer};
use crate::sandbox::xml::Writer;

/// What `encoding-type=url` leaves as it is.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'/').remove(b'*').remove(b'~');
/// Entries of one page.
const MAX_KEYS: usize = 1000;

/// One line of a listing.
enum Entry<'a> {
    Version(&'a Version, bool),
    Prefix(String),
}

impl Inner {
    pub(super) fn list_objects(&self, call: &Call<'_>) -> Answer {
        let is_v2 = call.query("list-type") == Some("2");
        let page = Page::read(call)?;
        let after = if is_v2 {
            match call.query("continuation-token") {
                Some(token) => decode_token(token)?,
                None => call.query("start-after").unwrap_or_default().to_owned(),
            }
        } else {
            call.query("marker").unwrap_or_default().to_owned()
        };
        self.with_bucket(call, |bucket| {
            let current =
                bucket.objects.values().filter_map(|versions| versions.last()).filter(|version| !version.marker);
            let range =
                current.skip_while(|version| version.key.as_str() <= after.as_str()).map(|version| (version, true));
            let (entries, truncated) = page.take(range, &after);
            let last = entries.last().map(|entry| match entry {
                Entry::Version(version, _) => version.key.clone(),
                Entry::Prefix(prefix) => prefix.clone(),
            });
            xml_answer("ListBucketResult", |root| {
                root.text("Name", &bucket.settings.name).text("Prefix", page.encode(&page.prefix));
                if is_v2 {
                    root.optional("StartAfter", call.query("start-after").map(|text| page.encode(text)));
                    root.optional("ContinuationToken", call.query("continuation-token"));
                    root.text("KeyCount", entries.len().to_string());
                    if truncated {
                        root.optional("NextContinuationToken", last.as_ref().map(|key| URL_SAFE_NO_PAD.encode(key)));
                    }
                } else {
                    root.text("Marker", page.encode(&after));
                    if truncated && !page.delimiter.is_empty() {
                        root.optional("NextMarker", last.as_ref().map(|key| page.encode(key)));
                    }
                }
                page.write_head(root, truncated);
                for entry in &entries {
                    page.write_entry(root, entry, bucket, call, is_v2 && call.query("fetch-owner") != Some("true"));
                }
            })
        })
    }

    pub(super) fn list_versions(&self, call: &Call<'_>) -> Answer {
        let page = Page::read(call)?;
        let key_marker = call.query("key-marker").unwrap_or_default().to_owned();
        let id_marker = call.query("version-id-marker").filter(|id| !id.is_empty());
        self.with_bucket(call, |bucket| {
            let from = match id_marker {
                Some(_) => Bound::Included(key_marker.as_str()),
                None if key_marker.is_empty() => Bound::Unbounded,
                None => Bound::Excluded(key_marker.as_str()),
            };
            let all = bucket.objects.range::<str, _>((from, Bound::Unbounded)).flat_map(|(_, versions)| {
                let newest = versions.len() - 1;
                versions.iter().enumerate().rev().map(move |(at, version)| (version, at == newest))
            });
            // Behind a version of the marked key come its older ones.
            let marked = id_marker.and_then(|id| bucket.version(&key_marker, id)).map(|version| version.seq);
            let rest = all.filter(|(version, _)| match marked {
                Some(seq) if version.key == key_marker => version.seq < seq,
                _ => id_marker.is_none() || version.key != key_marker,
            });
            let (entries, truncated) = page.take(rest, &key_marker);
            xml_answer("ListVersionsResult", |root| {
                root.text("Name", &bucket.settings.name)
                    .text("Prefix", page.encode(&page.prefix))
                    .text("KeyMarker", page.encode(&key_marker))
                    .text("VersionIdMarker", id_marker.unwrap_or_default());
                if truncated {
                    match entries.last() {
                        Some(Entry::Version(version, _)) => {
                            root.text("NextKeyMarker", page.encode(&version.key))
                                .text("NextVersionIdMarker", &version.id);
                        }
                        Some(Entry::Prefix(prefix)) => {
                            root.text("NextKeyMarker", page.encode(prefix));
                        }
                        None => {}
                    }
                }
                page.write_head(root, truncated);
                for entry in &entries {
                    page.write_version(root, entry, bucket);
                }
            })
        })
    }

    pub(super) fn list_buckets(&self, call: &Call<'_>) -> Answer {
        let store = self.store.read();
        let prefix = call.query("prefix").unwrap_or_default();
        let mine = store.buckets.values().filter(|bucket| bucket.settings.owner == call.request.account);
        let mine: Vec<_> = mine.filter(|bucket| bucket.settings.name.starts_with(prefix)).collect();
        xml_answer("ListAllMyBucketsResult", |root| {
            root.element("Owner", |owner| {
                owner.text("ID", &call.request.account);
            })
            .element("Buckets", |list| {
                for bucket in mine {
                    let settings = &bucket.settings;
                    list.element("Bucket", |element| {
                        element
                            .text("Name", &settings.name)
                            .text("CreationDate", iso_time(settings.created_ms))
                            .text("BucketRegion", &settings.region)
                            .text("BucketArn", format!("arn:aws:s3:::{}", settings.name));
                    });
                }
            });
        })
    }
}

/// What a listing asks for.
struct Page {
    prefix: String,
    delimiter: String,
    max_keys: usize,
    encoded: bool,
}

impl Page {
    fn read(call: &Call<'_>) -> Result<Self, Fault> {
        let invalid = |value: &str| {
            Fault::invalid_argument("max-keys", value, "Provided max-keys not an integer or within integer range")
        };
        let max_keys = match call.query("max-keys") {
            Some(text) => {
                text.parse::<i32>().ok().and_then(|number| usize::try_from(number).ok()).ok_or_else(|| invalid(text))?
            }
            None => MAX_KEYS,
        };
        let encoded = match call.query("encoding-type") {
            None | Some("") => false,
            Some("url") => true,
            Some(other) => {
                return Err(Fault::invalid_argument(
                    "encoding-type",
                    other,
                    "Invalid Encoding Method specified in Request",
                ));
            }
        };
        Ok(Self {
            prefix: call.query("prefix").unwrap_or_default().to_owned(),
            delimiter: call.query("delimiter").unwrap_or_default().to_owned(),
            max_keys: max_keys.min(MAX_KEYS),
            encoded,
        })
    }

    fn encode(&self, text: &str) -> String {
        if self.encoded { utf8_percent_encode(text, PLAIN).to_string() } else { text.to_owned() }
    }

    /// The entries of this page, keys with a common prefix rolled up, and whether there are more.
    fn take<'a>(&self, all: impl Iterator<Item = (&'a Version, bool)>, after: &str) -> (Vec<Entry<'a>>, bool) {
        let mut entries: Vec<Entry<'a>> = Vec::new();
        if self.max_keys == 0 {
            return (entries, false);
        }
        for (version, latest) in all.filter(|(version, _)| version.key.starts_with(&self.prefix)) {
            let rest = &version.key[self.prefix.len()..];
            let rolled = (!self.delimiter.is_empty())
                .then(|| rest.find(&self.delimiter))
                .flatten()
                .map(|at| version.key[..self.prefix.len() + at + self.delimiter.len()].to_owned());
            if let Some(prefix) = &rolled {
                let is_last = matches!(entries.last(), Some(Entry::Prefix(last)) if last == prefix);
                // A page that ended with this prefix goes on behind all of its keys.
                if is_last || prefix == after {
                    continue;
                }
            }
            if entries.len() == self.max_keys {
                return (entries, true);
            }
            entries.push(rolled.map_or(Entry::Version(version, latest), Entry::Prefix));
        }
        (entries, false)
    }

    fn write_head(&self, root: &mut Writer, truncated: bool) {
        root.text("MaxKeys", self.max_keys.to_string());
        if !self.delimiter.is_empty() {
            root.text("Delimiter", self.encode(&self.delimiter));
        }
        if self.encoded {
            root.text("EncodingType", "url");
        }
        root.text("IsTruncated", truncated.to_string());
    }

    fn write_entry(&self, root: &mut Writer, entry: &Entry<'_>, bucket: &Bucket, call: &Call<'_>, without_owner: bool) {
        let _ = call;
        match entry {
            Entry::Prefix(prefix) => self.write_prefix(root, prefix),
            Entry::Version(version, _) => {
                root.element("Contents", |element| {
                    self.write_object(element, version);
                    if !without_owner {
                        write_owner(element, bucket);
                    }
                });
            }
        }
    }

    fn write_version(&self, root: &mut Writer, entry: &Entry<'_>, bucket: &Bucket) {
        match entry {
            Entry::Prefix(prefix) => self.write_prefix(root, prefix),
            Entry::Version(version, latest) => {
                root.element(if version.marker { "DeleteMarker" } else { "Version" }, |element| {
                    if version.marker {
                        element
                            .text("Key", self.encode(&version.key))
                            .text("LastModified", iso_time(version.modified_ms));
                    } else {
                        self.write_object(element, version);
                    }
                    element.text("VersionId", &version.id).text("IsLatest", latest.to_string());
                    write_owner(element, bucket);
                });
            }
        }
    }

    fn write_prefix(&self, root: &mut Writer, prefix: &str) {
        root.element("CommonPrefixes", |element| {
            element.text("Prefix", self.encode(prefix));
        });
    }

    fn write_object(&self, element: &mut Writer, version: &Version) {
        element
            .text("Key", self.encode(&version.key))
            .text("LastModified", iso_time(version.modified_ms))
            .text("ETag", format!("\"{}\"", version.etag))
            .text("Size", version.size.to_string())
            .text("StorageClass", &version.attributes.storage_class);
        if let Some(checksum) = &version.checksum {
            element.text("ChecksumAlgorithm", checksum.algorithm.name()).text("ChecksumType", checksum.kind());
        }
    }
}

fn write_owner(element: &mut Writer, bucket: &Bucket) {
    element.element("Owner", |owner| {
        owner.text("ID", &bucket.settings.owner);
    });
}

fn decode_token(token: &str) -> Result<String, Fault> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.ok_or_else(|| {
        Fault::invalid_argument("continuation-token", token, "The continuation token provided is incorrect")
    })
}
