//! Buckets and what is configured on them.

use super::store::{Settings, Versioning};
use super::tagging::{self, Kind};
use super::{Answer, Call, Fault, Inner, checksum, xml_answer};
use crate::sandbox::http::Response;
use crate::sandbox::xml::{self, Element};

/// A configuration that is kept as the document that was put.
struct Document {
    /// Name in the query string.
    subresource: &'static str,
    /// Root element.
    root: &'static str,
    /// Code and text where there is none.
    absent: (&'static str, &'static str),
    /// What a new bucket has.
    default: Option<fn() -> Element>,
    check: fn(&Element) -> Result<(), Fault>,
    /// Status of PUT.
    put_status: u16,
}

const DOCUMENTS: &[Document] = &[
    Document {
        subresource: "encryption",
        root: "ServerSideEncryptionConfiguration",
        absent: (
            "ServerSideEncryptionConfigurationNotFoundError",
            "The server side encryption configuration was not found",
        ),
        default: Some(default_encryption),
        check: check_encryption,
        put_status: 200,
    },
    Document {
        subresource: "publicAccessBlock",
        root: "PublicAccessBlockConfiguration",
        absent: ("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
        default: Some(default_public_access_block),
        check: check_public_access_block,
        put_status: 200,
    },
    Document {
        subresource: "ownershipControls",
        root: "OwnershipControls",
        absent: ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
        default: Some(default_ownership),
        check: check_ownership,
        put_status: 200,
    },
    Document {
        subresource: "lifecycle",
        root: "LifecycleConfiguration",
        absent: ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
        default: None,
        check: check_lifecycle,
        put_status: 200,
    },
    Document {
        subresource: "notification",
        root: "NotificationConfiguration",
        absent: ("NoSuchConfiguration", "The notification configuration does not exist"),
        default: Some(Element::default),
        check: check_notification,
        put_status: 200,
    },
];

impl Inner {
    pub(super) fn bucket_operation(&self, call: &Call<'_>) -> Answer {
        let method = call.request.method.as_str();
        let has = |name: &str| call.query(name).is_some();
        if let Some(document) = DOCUMENTS.iter().find(|document| has(document.subresource)) {
            return self.document(call, document);
        }
        match method {
            "PUT" | "GET" | "DELETE" if has("tagging") => self.bucket_tagging(call),
            "PUT" | "GET" | "DELETE" if has("policy") => self.policy(call),
            "PUT" | "GET" if has("versioning") => self.versioning(call),
            "GET" if has("location") => self.location(call),
            "GET" if has("versions") => self.list_versions(call),
            "GET" if has("uploads") => self.list_uploads(call),
            "POST" if has("delete") => self.delete_objects(call),
            "PUT" => self.create_bucket(call),
            "HEAD" => self.head_bucket(call),
            "DELETE" => self.delete_bucket(call),
            "GET" => self.list_objects(call),
            _ => Err(Fault::missing(&format!("the operation {method} on a bucket"))),
        }
    }

    fn create_bucket(&self, call: &Call<'_>) -> Answer {
        let name = &call.bucket;
        if !is_bucket_name(name) {
            return Err(
                Fault::new(400, "InvalidBucketName", "The specified bucket is not valid.").with("BucketName", name)
            );
        }
        let region = &call.request.region;
        if call.header("x-amz-bucket-namespace") == Some("account-regional") {
            let suffix = format!("-{}-{region}-an", call.request.account);
            if !name.ends_with(&suffix) {
                return Err(Fault::new(
                    400,
                    "InvalidBucketName",
                    format!("The name of a bucket in the account-regional namespace ends with {suffix}"),
                )
                .with("BucketName", name));
            }
        }
        let body = &call.request.body;
        let configuration = match body.is_empty() {
            true => Element::default(),
            false => xml::parse(body)
                .filter(|root| root.name == "CreateBucketConfiguration")
                .ok_or_else(Fault::malformed_xml)?,
        };
        let region = bucket_region(region, configuration.text_of("LocationConstraint"))?;
        let tags = match configuration.child("Tags") {
            Some(list) => tagging::from_elements(list.all("Tag"), Kind::NewBucket)?,
            None => Vec::new(),
        };
        let ownership = call.header("x-amz-object-ownership");
        if let Some(value) = ownership.filter(|value| !OWNERSHIPS.contains(value)) {
            let text = format!("Invalid x-amz-object-ownership header: {value}");
            return Err(Fault::new(400, "InvalidArgument", text).with("ArgumentName", "x-amz-object-ownership"));
        }
        let mut store = self.store.write();
        if let Some(bucket) = store.buckets.get(name) {
            if bucket.settings.owner != call.request.account {
                let text = "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.";
                return Err(Fault::new(409, "BucketAlreadyExists", text).with("BucketName", name));
            }
            // Only us-east-1 takes a second creation for a success, and only without tags.
            if bucket.settings.region != "us-east-1" || region != "us-east-1" || !tags.is_empty() {
                let text = "Your previous request to create the named bucket succeeded and you already own it.";
                return Err(Fault::new(409, "BucketAlreadyOwnedByYou", text).with("BucketName", name));
            }
        } else {
            let mut settings = Settings {
                name: name.clone(),
                owner: call.request.account.clone(),
                region: region.clone(),
                created_ms: call.now_ms,
                tags,
                ..Settings::default()
            };
            for document in DOCUMENTS {
                if let Some(default) = document.default {
                    settings.documents.insert(document.subresource.to_owned(), default());
                }
            }
            if let Some(value) = ownership {
                settings.documents.insert("ownershipControls".to_owned(), ownership_document(value));
            }
            store.create(&self.dir, settings)?;
        }
        let location =
            if region == "us-east-1" { format!("/{name}") } else { format!("http://{name}.s3.amazonaws.com/") };
        Ok(Response::new(200).header("location", &location).header("x-amz-bucket-arn", &format!("arn:aws:s3:::{name}")))
    }

    fn head_bucket(&self, call: &Call<'_>) -> Answer {
        self.with_bucket(call, |bucket| {
            Ok(Response::new(200)
                .header("x-amz-bucket-region", &bucket.settings.region)
                .header("x-amz-bucket-arn", &format!("arn:aws:s3:::{}", bucket.settings.name))
                .header("x-amz-access-point-alias", "false"))
        })
    }

    fn delete_bucket(&self, call: &Call<'_>) -> Answer {
        self.change_bucket(call, |bucket, _| {
            if bucket.objects.is_empty() {
                return Ok(());
            }
            let text = match bucket.settings.versioning {
                Versioning::Off => "The bucket you tried to delete is not empty",
                _ => "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
            };
            Err(Fault::new(409, "BucketNotEmpty", text).with("BucketName", &call.bucket))
        })?;
        let mut store = self.store.write();
        if store.buckets.get(&call.bucket).is_some_and(|bucket| bucket.objects.is_empty()) {
            store.remove(&call.bucket)?;
        }
        Ok(Response::new(204))
    }

    fn location(&self, call: &Call<'_>) -> Answer {
        let region = self.with_bucket(call, |bucket| Ok(bucket.settings.region.clone()))?;
        let text = if region == "us-east-1" { String::new() } else { region };
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint xmlns=\"{}\">{text}</LocationConstraint>",
            super::NAMESPACE
        );
        Ok(Response::new(200).header("content-type", "application/xml").with_body(xml))
    }

    fn versioning(&self, call: &Call<'_>) -> Answer {
        if call.request.method == hyper::Method::GET {
            let versioning = self.with_bucket(call, |bucket| Ok(bucket.settings.versioning))?;
            return xml_answer("VersioningConfiguration", |root| match versioning {
                Versioning::Off => {}
                Versioning::Enabled => {
                    root.text("Status", "Enabled");
                }
                Versioning::Suspended => {
                    root.text("Status", "Suspended");
                }
            });
        }
        let root = self.read_document(call, "VersioningConfiguration")?;
        if root.text_of("MfaDelete") == Some("Enabled") {
            return Err(Fault::missing("MFA delete"));
        }
        let wanted = match root.text_of("Status") {
            Some("Enabled") => Versioning::Enabled,
            Some("Suspended") => Versioning::Suspended,
            Some(_) => return Err(Fault::malformed_xml()),
            None => {
                return Err(Fault::new(
                    400,
                    "IllegalVersioningConfigurationException",
                    "The Versioning element must be specified",
                ));
            }
        };
        self.change_bucket(call, |bucket, _| {
            bucket.settings.versioning = wanted;
            Ok(bucket.save_settings()?)
        })?;
        Ok(Response::new(200))
    }

    fn policy(&self, call: &Call<'_>) -> Answer {
        match call.request.method.as_str() {
            "GET" => {
                let policy = self.with_bucket(call, |bucket| Ok(bucket.settings.policy.clone()))?;
                let policy = policy.ok_or_else(|| {
                    Fault::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist")
                        .with("BucketName", &call.bucket)
                })?;
                Ok(Response::new(200).header("content-type", "application/json").with_body(policy))
            }
            "PUT" => {
                self.with_bucket(call, |_| Ok(()))?;
                let malformed = |text: &str| Fault::new(400, "MalformedPolicy", text);
                let text = std::str::from_utf8(&call.request.body)
                    .map_err(|_| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
                let policy: serde_json::Value = serde_json::from_str(text)
                    .ok()
                    .filter(serde_json::Value::is_object)
                    .ok_or_else(|| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
                check_policy(&policy, &call.bucket).map_err(|text| malformed(&text))?;
                self.change_bucket(call, |bucket, _| {
                    bucket.settings.policy = Some(text.to_owned());
                    Ok(bucket.save_settings()?)
                })?;
                Ok(Response::new(204))
            }
            _ => {
                self.change_bucket(call, |bucket, _| {
                    bucket.settings.policy = None;
                    Ok(bucket.save_settings()?)
                })?;
                Ok(Response::new(204))
            }
        }
    }

    fn document(&self, call: &Call<'_>, document: &Document) -> Answer {
        let name = document.subresource.to_owned();
        match call.request.method.as_str() {
            "GET" => {
                let found = self.with_bucket(call, |bucket| Ok(bucket.settings.documents.get(&name).cloned()))?;
                let (code, text) = document.absent;
                let found = found.ok_or_else(|| Fault::new(404, code, text).with("BucketName", &call.bucket))?;
                xml_answer(document.root, |root| {
                    for child in &found.children {
                        root.tree(child);
                    }
                })
            }
            "PUT" => {
                let root = self.read_document(call, document.root)?;
                (document.check)(&root)?;
                self.change_bucket(call, |bucket, _| {
                    bucket.settings.documents.insert(name, root);
                    Ok(bucket.save_settings()?)
                })?;
                Ok(Response::new(document.put_status))
            }
            "DELETE" => {
                self.change_bucket(call, |bucket, _| {
                    // A bucket is never without encryption.
                    match document.default.filter(|_| name == "encryption") {
                        Some(default) => drop(bucket.settings.documents.insert(name, default())),
                        None => drop(bucket.settings.documents.remove(&name)),
                    }
                    Ok(bucket.save_settings()?)
                })?;
                Ok(Response::new(204))
            }
            other => Err(Fault::missing(&format!("the operation {other} ?{name}"))),
        }
    }

    /// The body of a PUT, after the bucket has been found.
    fn read_document(&self, call: &Call<'_>, root: &str) -> Result<Element, Fault> {
        self.with_bucket(call, |_| Ok(()))?;
        checksum::verify(&call.request.headers, &call.request.body, None)?;
        xml::parse(&call.request.body).filter(|element| element.name == root).ok_or_else(Fault::malformed_xml)
    }
}

/// Where a new bucket goes, by the region of the request and the constraint in its body.
fn bucket_region(region: &str, constraint: Option<&str>) -> Result<String, Fault> {
    let constraint = match constraint {
        Some("EU") => Some("eu-west-1"),
        other => other.filter(|text| !text.is_empty()),
    };
    let incompatible = |what: &str| {
        let text = format!(
            "The {what} location constraint is incompatible for the region specific endpoint this request was sent to."
        );
        Fault::new(400, "IllegalLocationConstraintException", text)
    };
    match (region, constraint) {
        ("us-east-1", None) => Ok("us-east-1".to_owned()),
        ("us-east-1", Some("us-east-1")) => {
            Err(Fault::new(400, "InvalidLocationConstraint", "The specified location-constraint is not valid")
                .with("LocationConstraint", "us-east-1"))
        }
        ("us-east-1", Some(other)) => Ok(other.to_owned()),
        (_, None) => Err(incompatible("unspecified")),
        (region, Some(other)) if region == other => Ok(other.to_owned()),
        (_, Some(other)) => Err(incompatible(other)),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn is_bucket_name(name: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
        && edge(name.bytes().next())
        && edge(name.bytes().last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|suffix| name.ends_with(suffix))
}

fn element(name: &str, text: &str, children: Vec<Element>) -> Element {
    Element { name: name.to_owned(), text: text.to_owned(), children }
}

fn default_encryption() -> Element {
    let algorithm = element("SSEAlgorithm", "AES256", Vec::new());
    let rule = vec![
        element("ApplyServerSideEncryptionByDefault", "", vec![algorithm]),
        element("BucketKeyEnabled", "false", Vec::new()),
    ];
    element("ServerSideEncryptionConfiguration", "", vec![element("Rule", "", rule)])
}

fn default_public_access_block() -> Element {
    let settings = PUBLIC_ACCESS_SETTINGS.iter().map(|name| element(name, "true", Vec::new())).collect();
    element("PublicAccessBlockConfiguration", "", settings)
}

fn default_ownership() -> Element {
    ownership_document("BucketOwnerEnforced")
}

fn ownership_document(value: &str) -> Element {
    let rule = vec![element("ObjectOwnership", value, Vec::new())];
    element("OwnershipControls", "", vec![element("Rule", "", rule)])
}

const PUBLIC_ACCESS_SETTINGS: [&str; 4] =
    ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
const OWNERSHIPS: [&str; 3] = ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"];

fn check_encryption(root: &Element) -> Result<(), Fault> {
    let [rule] = root.children.as_slice() else { return Err(Fault::malformed_xml()) };
    let default = rule.child("ApplyServerSideEncryptionByDefault").ok_or_else(Fault::malformed_xml)?;
    let algorithm = default.text_of("SSEAlgorithm").unwrap_or_default();
    if !["AES256", "aws:kms", "aws:kms:dsse"].contains(&algorithm) {
        return Err(Fault::malformed_xml());
    }
    if algorithm == "AES256" && default.child("KMSMasterKeyID").is_some() {
        let text = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
        return Err(Fault::new(400, "InvalidArgument", text).with("ArgumentName", "ApplyServerSideEncryptionByDefault"));
    }
    Ok(())
}

fn check_public_access_block(root: &Element) -> Result<(), Fault> {
    if root.children.is_empty() {
        return Err(Fault::new(400, "InvalidRequest", "Must specify at least one configuration."));
    }
    let is_known = |child: &Element| {
        PUBLIC_ACCESS_SETTINGS.contains(&child.name.as_str())
            && matches!(child.text.to_lowercase().as_str(), "true" | "false")
    };
    if root.children.iter().all(is_known) { Ok(()) } else { Err(Fault::malformed_xml()) }
}

fn check_ownership(root: &Element) -> Result<(), Fault> {
    let [rule] = root.children.as_slice() else { return Err(Fault::malformed_xml()) };
    match rule.text_of("ObjectOwnership") {
        Some(value) if OWNERSHIPS.contains(&value) => Ok(()),
        _ => Err(Fault::malformed_xml()),
    }
}

/// The record of who is to be told; the sandbox delivers no events yet.
fn check_notification(root: &Element) -> Result<(), Fault> {
    const TARGETS: [(&str, &str); 3] = [
        ("CloudFunctionConfiguration", "CloudFunction"),
        ("QueueConfiguration", "Queue"),
        ("TopicConfiguration", "Topic"),
    ];
    let whole = |entry: &Element| {
        let target = TARGETS.iter().find(|(name, _)| *name == entry.name);
        target.is_some_and(|(_, target)| entry.text_of(target).is_some() && entry.child("Event").is_some())
            || entry.name == "EventBridgeConfiguration"
    };
    if root.children.iter().all(whole) { Ok(()) } else { Err(Fault::malformed_xml()) }
}

fn check_lifecycle(root: &Element) -> Result<(), Fault> {
    const ACTIONS: &[&str] = &[
        "Expiration",
        "Transition",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionTransition",
        "AbortIncompleteMultipartUpload",
    ];
    let rules: Vec<&Element> = root.all("Rule").collect();
    if rules.is_empty() {
        return Err(Fault::malformed_xml());
    }
    for rule in rules {
        if !matches!(rule.text_of("Status"), Some("Enabled" | "Disabled"))
            || (rule.child("Filter").is_none() && rule.child("Prefix").is_none())
        {
            return Err(Fault::malformed_xml());
        }
        if !rule.children.iter().any(|child| ACTIONS.contains(&child.name.as_str())) {
            return Err(Fault::new(400, "InvalidRequest", "At least one action needs to be specified in a rule"));
        }
    }
    Ok(())
}

/// What S3 refuses of a policy before it looks at who may do what.
fn check_policy(policy: &serde_json::Value, bucket: &str) -> Result<(), String> {
    let statements = match &policy["Statement"] {
        serde_json::Value::Array(list) if !list.is_empty() => list.clone(),
        serde_json::Value::Object(one) => vec![serde_json::Value::Object(one.clone())],
        _ => return Err("Missing required field Statement".to_owned()),
    };
    for statement in &statements {
        for field in ["Effect", "Principal", "Action", "Resource"] {
            let opposite = format!("Not{field}");
            if statement.get(field).is_none() && statement.get(&opposite).is_none() {
                return Err(format!("Missing required field {field}"));
            }
        }
        let resources = match statement.get("Resource") {
            Some(serde_json::Value::Array(list)) => list.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        let arn = format!("arn:aws:s3:::{bucket}");
        for resource in resources {
            let text = resource.as_str().unwrap_or_default();
            let in_partition =
                text.split_once(":s3:::").map(|(_, rest)| format!("arn:aws:s3:::{rest}")).unwrap_or_default();
            if in_partition != arn && !in_partition.starts_with(&format!("{arn}/")) {
                return Err("Policy has invalid resource".to_owned());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_follow_the_rules() {
        for good in ["abc", "my.bucket-1", "samara-artifacts-000000000000-eu-west-1-an", &"a".repeat(63)] {
            assert!(is_bucket_name(good), "{good}");
        }
        for bad in
            ["ab", "Abc", "-abc", "abc-", "a..b", "192.168.0.1", "a_b", "xn--a", "a--x-s3", &"a".repeat(64), "é-bucket"]
        {
            assert!(!is_bucket_name(bad), "{bad}");
        }
    }

    #[test]
    fn the_location_must_fit_the_endpoint() {
        assert_eq!(bucket_region("us-east-1", None).unwrap(), "us-east-1");
        assert_eq!(bucket_region("us-east-1", Some("eu-west-1")).unwrap(), "eu-west-1");
        assert_eq!(bucket_region("eu-west-1", Some("EU")).unwrap(), "eu-west-1");
        assert_eq!(bucket_region("us-east-1", Some("us-east-1")).unwrap_err().code, "InvalidLocationConstraint");
        assert_eq!(bucket_region("eu-west-1", None).unwrap_err().code, "IllegalLocationConstraintException");
        let wrong = bucket_region("eu-west-1", Some("us-west-2")).unwrap_err();
        assert_eq!(
            wrong.message,
            "The us-west-2 location constraint is incompatible for the region specific endpoint this request was sent to."
        );
    }
}
