//! Conditional requests: what must hold of the object that is there.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>

use time::PrimitiveDateTime;

use super::store::{Bucket, Version};
use super::{Call, Fault};
use crate::sandbox::entrance::HTTP_DATE;

/// What a write demands of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WriteCondition {
    None,
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match` with an ETag, without its quotes.
    Matches(String),
}

impl WriteCondition {
    /// Reads it from the headers of a put, copy or completion.
    pub(super) fn read(call: &Call<'_>) -> Result<Self, Fault> {
        match (call.header("if-match"), call.header("if-none-match")) {
            (None, None) => Ok(Self::None),
            (Some(_), Some(_)) => {
                Err(refused("If-Match,If-None-Match", "Multiple conditional request headers present in the request"))
            }
            (None, Some("*")) => Ok(Self::Absent),
            (None, Some(_)) => {
                Err(refused("If-None-Match", "We don't accept the provided value of If-None-Match header for this API"))
            }
            (Some("*"), None) => {
                Err(refused("If-Match", "We don't accept the provided value of If-Match header for this API"))
            }
            (Some(etag), None) => Ok(Self::Matches(unquote(etag).to_owned())),
        }
    }

    /// Whether it holds now.
    pub(super) fn check(&self, bucket: &Bucket, key: &str) -> Result<(), Fault> {
        match (self, bucket.current(key)) {
            (Self::None, _) | (Self::Absent, None) => Ok(()),
            (Self::Absent, Some(_)) => Err(failed("If-None-Match")),
            (Self::Matches(_), None) => Err(Fault::no_such_key(key)),
            (Self::Matches(etag), Some(current)) if *etag == current.etag => Ok(()),
            (Self::Matches(_), Some(_)) => Err(failed("If-Match")),
        }
    }

    /// Whether it holds for an upload that began at `since`: what happened to the key meanwhile
    /// conflicts even where the condition holds again.
    pub(super) fn check_upload(&self, bucket: &Bucket, key: &str, since: u64) -> Result<(), Fault> {
        self.check(bucket, key)?;
        let written = bucket.current(key).is_some_and(|version| version.seq > since);
        let deleted = bucket.deletions.get(key).is_some_and(|seq| *seq > since);
        let name = match self {
            Self::None => return Ok(()),
            Self::Absent => "If-None-Match",
            Self::Matches(_) => "If-Match",
        };
        if !written && !deleted {
            return Ok(());
        }
        let text = "The conditional request cannot succeed due to a conflicting operation against this resource.";
        Err(Fault::new(409, "ConditionalRequestConflict", text).with("Condition", name).with("Key", key))
    }
}

fn refused(header: &str, additional: &str) -> Fault {
    Fault::new(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
        .with("Header", header)
        .with("additionalMessage", additional)
}

pub(super) fn failed(condition: &str) -> Fault {
    Fault::new(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        .with("Condition", condition)
}

fn unquote(etag: &str) -> &str {
    etag.trim().trim_start_matches("W/").trim_matches('"')
}

fn matches_any(list: &str, etag: &str) -> bool {
    list.split(',').any(|item| item.trim() == "*" || unquote(item) == etag)
}

/// A time of a header in milliseconds; one that cannot be read counts for nothing.
fn time_of(text: &str) -> Option<i64> {
    let time = PrimitiveDateTime::parse(text, HTTP_DATE).ok()?;
    Some(time.assume_utc().unix_timestamp() * 1000)
}

/// The conditions of a read (and, with another prefix, of a copy's source).
/// `If-Match` goes before `If-Unmodified-Since`, `If-None-Match` before `If-Modified-Since`.
fn check(header: &dyn Fn(&str) -> Option<String>, version: &Version, now_ms: i64) -> Result<(), &'static str> {
    let modified_ms = version.modified_ms.div_euclid(1000) * 1000;
    if let Some(list) = header("if-match") {
        if !matches_any(&list, &version.etag) {
            return Err("If-Match");
        }
    } else if header("if-unmodified-since").and_then(|text| time_of(&text)).is_some_and(|time| modified_ms > time) {
        return Err("If-Unmodified-Since");
    }
    if let Some(list) = header("if-none-match") {
        if matches_any(&list, &version.etag) {
            return Err("If-None-Match");
        }
    } else if header("if-modified-since")
        .and_then(|text| time_of(&text))
        // A time that is still to come is ignored.
        .is_some_and(|time| time <= now_ms && modified_ms <= time)
    {
        return Err("If-Modified-Since");
    }
    Ok(())
}

/// The conditions of GET and HEAD: 412, or 304 where the client has it already.
pub(super) fn check_read(call: &Call<'_>, version: &Version) -> Result<(), Fault> {
    let header = |name: &str| call.header(name).map(str::to_owned);
    check(&header, version, call.now_ms).map_err(|name| match name {
        "If-Match" | "If-Unmodified-Since" => failed(name),
        _ => Fault::new(304, "NotModified", "Not Modified")
            .with_header("etag", format!("\"{}\"", version.etag))
            .with_header("last-modified", super::http_time(version.modified_ms)),
    })
}

/// The conditions on the source of a copy.
pub(super) fn check_copy_source(call: &Call<'_>, version: &Version) -> Result<(), Fault> {
    let header = |name: &str| call.header(&format!("x-amz-copy-source-{name}")).map(str::to_owned);
    check(&header, version, call.now_ms).map_err(|name| failed(&format!("x-amz-copy-source-{name}")))
}

/// The condition of a delete: general purpose buckets know `If-Match` alone.
pub(super) fn check_delete(call: &Call<'_>, bucket: &Bucket) -> Result<(), Fault> {
    for name in ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"] {
        if call.header(name).is_some() {
            return Err(Fault::new(
                501,
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
            )
            .with("Header", name));
        }
    }
    let Some(wanted) = call.header("if-match") else { return Ok(()) };
    let current = match call.query("versionId") {
        Some(id) => bucket.version(&call.key, id),
        None => bucket.current(&call.key),
    };
    match current {
        None => Err(Fault::no_such_key(&call.key)),
        Some(version) if matches_any(wanted, &version.etag) => Ok(()),
        Some(_) => Err(failed("If-Match")),
    }
}
