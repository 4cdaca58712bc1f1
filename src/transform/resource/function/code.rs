//! Where a function's code is.

use crate::template::{Map, Node};
use crate::transform::build::{Read, map, text};
use crate::transform::refusal::Refusal;
use crate::transform::resource::Resource;

/// The function's `Code`.
pub(super) fn code(resource: &Resource) -> Result<Node, Refusal> {
    match resource.truthy("PackageType").map(|kind| (kind.as_str(), kind)) {
        None | Some((Some("Zip"), _)) => {}
        Some((Some("Image"), _)) => {
            return match resource.get("ImageUri") {
                None => resource.refuse("'ImageUri' must be set."),
                Some(uri) if !uri.truthy() => {
                    resource.refuse("'ImageUri' requires that a image hosted at a registry be specified.")
                }
                Some(uri) => Ok(map([("ImageUri", uri.clone())])),
            };
        }
        Some((_, kind)) => return resource.refuse(format!("invalid 'PackageType' : {}", kind.display())),
    }
    let mut code = match (resource.get("InlineCode"), resource.get("CodeUri")) {
        (Some(inline), _) => [("ZipFile", inline.clone())].into_iter().collect(),
        (None, Some(uri)) => s3_location(&resource.id, "CodeUri", uri)?,
        (None, None) => return resource.refuse("Only one of 'InlineCode' or 'CodeUri' can be set."),
    };
    if let Some(key) = resource.truthy("SourceKMSKeyArn") {
        code.insert("SourceKMSKeyArn", key.clone());
    }
    Ok(Node::from(code))
}

/// What may and must be there beside each kind of package.
pub(super) fn check_package_type(resource: &Resource) -> Result<(), Refusal> {
    let has = |name: &str| resource.truthy(name).is_some();
    if resource.get("PackageType").and_then(Node::as_str) == Some("Image") {
        if has("Handler") || has("Runtime") || has("Layers") {
            return resource.refuse("Runtime, Handler, Layers cannot be present when PackageType is of type `Image`");
        }
    } else {
        if !has("Runtime") || !has("Handler") {
            return resource.refuse("Runtime and Handler needs to be present when PackageType is of type `Zip`");
        }
        if has("ImageConfig") {
            return resource.refuse("ImageUri or ImageConfig cannot be present when PackageType is of type `Zip`");
        }
    }
    Ok(())
}

/// An S3 location, as a URI or as a map, in Lambda's words.
pub(crate) fn s3_location(id: &str, property: &str, uri: &Node) -> Result<Map, Refusal> {
    let refuse = |message: String| Err(Refusal::resource(id, message).at(uri.span));
    let mut location = Map::new();
    if uri.as_map().is_some() {
        let given = |name: &str| uri.get(name).filter(|value| value.truthy()).cloned();
        let (Some(bucket), Some(key)) = (given("Bucket"), given("Key")) else {
            return refuse(format!("'{property}' requires Bucket and Key properties to be specified."));
        };
        location.insert("S3Bucket", bucket);
        location.insert("S3Key", key);
        for (from, to) in [("Version", "S3ObjectVersion"), ("StorageMode", "S3ObjectStorageMode")] {
            if let Some(value) = uri.get(from) {
                location.insert(to, value.clone());
            }
        }
        return Ok(location);
    }
    let Some(address) = uri.as_str() else {
        return refuse(format!("'{property}' must be of type dict or string."));
    };
    if has_dynamic_reference(address) {
        return refuse(format!(
            "Unsupported dynamic reference detected in '{property}'. Please consider using alternative 'FunctionCode' \
             object format."
        ));
    }
    let Some(parts) = S3Uri::parse(address) else {
        return refuse(format!(
            "'{property}' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter."
        ));
    };
    location.insert("S3Bucket", text(parts.bucket).at(uri.span));
    location.insert("S3Key", text(parts.key).at(uri.span));
    if let Some(version) = parts.version {
        location.insert("S3ObjectVersion", text(version).at(uri.span));
    }
    Ok(location)
}

/// Whether there is a `{{resolve:ssm:…}}` with a slash in it, which would be taken for a path.
fn has_dynamic_reference(text: &str) -> bool {
    text.match_indices("{{resolve:").any(|(at, _)| {
        let rest = &text[at + "{{resolve:".len()..];
        let Some((inner, _)) = rest.split_once("}}") else {
            return false;
        };
        let name = ["ssm-secure:", "ssm:", "secretsmanager:"].iter().find_map(|service| inner.strip_prefix(service));
        let Some(name) = name else {
            return false;
        };
        let (name, version) = name.split_once(':').unwrap_or((name, "0"));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
        !name.is_empty()
            && name.contains('/')
            && name.chars().all(plain)
            && !version.is_empty()
            && version.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The parts of `s3://bucket/key?versionId=version`.
pub(crate) struct S3Uri {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version: Option<String>,
}

impl S3Uri {
    /// Takes an address apart.
    pub(crate) fn parse(address: &str) -> Option<Self> {
        let scheme = address.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("s3://"))?;
        let rest = &address[scheme.len()..];
        let (rest, _fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, key) = rest.split_once('/')?;
        // Brackets are for IPv6 addresses; what build tools leave in them is no bucket.
        if bucket.is_empty() || bucket.contains(['[', ']']) {
            return None;
        }
        let mut versions =
            form_urlencoded::parse(query.as_bytes()).filter(|(name, value)| name == "versionId" && !value.is_empty());
        let version = versions.next().map(|(_, value)| value.into_owned());
        let version = version.filter(|_| versions.next().is_none());
        Some(Self { bucket: bucket.to_owned(), key: key.trim_start_matches('/').to_owned(), version })
    }
}
