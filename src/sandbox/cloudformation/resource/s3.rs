//! `AWS::S3::*`: buckets with the configurations that the sandbox's S3 has.

use hyper::Method;
use serde_json::Value;

use super::{Context, Doing, Made, Properties, Provider, Refusal, Spec, boolean, document, plain, required, text};
use quick_xml::escape::escape;

const XMLNS: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

#[derive(Debug)]
pub(super) struct Bucket;

/// A configuration of a bucket: the property that says it, the query parameter that sets it.
struct Part {
    property: &'static str,
    query: &'static str,
    xml: fn(&Value) -> Result<String, Refusal>,
}

const PARTS: [Part; 6] = [
    Part { property: "PublicAccessBlockConfiguration", query: "publicAccessBlock", xml: public_access_block },
    Part { property: "OwnershipControls", query: "ownershipControls", xml: ownership },
    Part { property: "BucketEncryption", query: "encryption", xml: encryption },
    Part { property: "VersioningConfiguration", query: "versioning", xml: versioning },
    Part { property: "LifecycleConfiguration", query: "lifecycle", xml: lifecycle },
    Part { property: "NotificationConfiguration", query: "notification", xml: notification },
];

/// An element with text, escaped.
fn leaf(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// `name: text` of a map as an element; nothing when it is not there.
fn field(value: &Value, property: &str, name: &str) -> String {
    value.get(property).and_then(plain).map(|text| leaf(name, &text)).unwrap_or_default()
}

/// Refuses what a map has beside the known keys.
fn only(value: &Value, known: &[&str]) -> Result<(), Refusal> {
    let map = value.as_object().ok_or_else(|| Refusal::invalid(format!("an object was expected, found {value}")))?;
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(Refusal::invalid(format!(
            "Encountered unsupported property {key} (the sandbox's AWS::S3::Bucket does not have it)"
        ))),
    }
}

fn items<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], Refusal> {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).ok_or_else(|| {
        Refusal::invalid(format!(
            "Properties validation failed for resource with message: #: required key [{name}] not found"
        ))
    })
}

fn public_access_block(value: &Value) -> Result<String, Refusal> {
    const FLAGS: [&str; 4] = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    only(value, &FLAGS)?;
    let mut fields = String::new();
    for flag in FLAGS {
        let on = value.get(flag).map_or(Ok(false), |value| boolean(flag, value))?;
        fields += &leaf(flag, if on { "true" } else { "false" });
    }
    Ok(format!("<PublicAccessBlockConfiguration xmlns=\"{XMLNS}\">{fields}</PublicAccessBlockConfiguration>"))
}

fn ownership(value: &Value) -> Result<String, Refusal> {
    only(value, &["Rules"])?;
    let mut rules = String::new();
    for rule in items(value, "Rules")? {
        only(rule, &["ObjectOwnership"])?;
        rules += &format!("<Rule>{}</Rule>", field(rule, "ObjectOwnership", "ObjectOwnership"));
    }
    Ok(format!("<OwnershipControls xmlns=\"{XMLNS}\">{rules}</OwnershipControls>"))
}

fn encryption(value: &Value) -> Result<String, Refusal> {
    only(value, &["ServerSideEncryptionConfiguration"])?;
    let mut rules = String::new();
    for rule in items(value, "ServerSideEncryptionConfiguration")? {
        only(rule, &["ServerSideEncryptionByDefault", "BucketKeyEnabled"])?;
        let mut fields = String::new();
        if let Some(default) = rule.get("ServerSideEncryptionByDefault") {
            only(default, &["SSEAlgorithm", "KMSMasterKeyID"])?;
            let inner =
                field(default, "SSEAlgorithm", "SSEAlgorithm") + &field(default, "KMSMasterKeyID", "KMSMasterKeyID");
            fields += &format!("<ApplyServerSideEncryptionByDefault>{inner}</ApplyServerSideEncryptionByDefault>");
        }
        fields += &field(rule, "BucketKeyEnabled", "BucketKeyEnabled");
        rules += &format!("<Rule>{fields}</Rule>");
    }
    Ok(format!("<ServerSideEncryptionConfiguration xmlns=\"{XMLNS}\">{rules}</ServerSideEncryptionConfiguration>"))
}

fn versioning(value: &Value) -> Result<String, Refusal> {
    only(value, &["Status"])?;
    let status = field(value, "Status", "Status");
    Ok(format!("<VersioningConfiguration xmlns=\"{XMLNS}\">{status}</VersioningConfiguration>"))
}

fn lifecycle(value: &Value) -> Result<String, Refusal> {
    only(value, &["Rules"])?;
    let mut rules = String::new();
    for rule in items(value, "Rules")? {
        only(
            rule,
            &[
                "Id",
                "Status",
                "Prefix",
                "ExpirationInDays",
                "NoncurrentVersionExpiration",
                "NoncurrentVersionExpirationInDays",
                "AbortIncompleteMultipartUpload",
                "ExpiredObjectDeleteMarker",
            ],
        )?;
        let mut fields = field(rule, "Id", "ID");
        let prefix = rule.get("Prefix").and_then(plain).unwrap_or_default();
        fields += &format!("<Filter>{}</Filter>", leaf("Prefix", &prefix));
        fields += &field(rule, "Status", "Status");
        let expiration = field(rule, "ExpirationInDays", "Days")
            + &field(rule, "ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker");
        if !expiration.is_empty() {
            fields += &format!("<Expiration>{expiration}</Expiration>");
        }
        let noncurrent = match rule.get("NoncurrentVersionExpiration") {
            Some(expiration) => {
                only(expiration, &["NoncurrentDays", "NewerNoncurrentVersions"])?;
                field(expiration, "NoncurrentDays", "NoncurrentDays")
                    + &field(expiration, "NewerNoncurrentVersions", "NewerNoncurrentVersions")
            }
            None => field(rule, "NoncurrentVersionExpirationInDays", "NoncurrentDays"),
        };
        if !noncurrent.is_empty() {
            fields += &format!("<NoncurrentVersionExpiration>{noncurrent}</NoncurrentVersionExpiration>");
        }
        if let Some(abort) = rule.get("AbortIncompleteMultipartUpload") {
            only(abort, &["DaysAfterInitiation"])?;
            let days = field(abort, "DaysAfterInitiation", "DaysAfterInitiation");
            fields += &format!("<AbortIncompleteMultipartUpload>{days}</AbortIncompleteMultipartUpload>");
        }
        rules += &format!("<Rule>{fields}</Rule>");
    }
    Ok(format!("<LifecycleConfiguration xmlns=\"{XMLNS}\">{rules}</LifecycleConfiguration>"))
}

fn notification(value: &Value) -> Result<String, Refusal> {
    const KINDS: [(&str, &str, &str, &str); 3] = [
        ("LambdaConfigurations", "Function", "CloudFunctionConfiguration", "CloudFunction"),
        ("QueueConfigurations", "Queue", "QueueConfiguration", "Queue"),
        ("TopicConfigurations", "Topic", "TopicConfiguration", "Topic"),
    ];
    only(value, &["LambdaConfigurations", "QueueConfigurations", "TopicConfigurations"])?;
    let mut all = String::new();
    for (list, target, element, name) in KINDS {
        for entry in value.get(list).and_then(Value::as_array).into_iter().flatten() {
            only(entry, &["Event", "Filter", target])?;
            let mut fields = field(entry, target, name) + &field(entry, "Event", "Event");
            if let Some(filter) = entry.get("Filter") {
                only(filter, &["S3Key"])?;
                let key = filter.get("S3Key").unwrap_or(&Value::Null);
                only(key, &["Rules"])?;
                let mut rules = String::new();
                for rule in items(key, "Rules")? {
                    only(rule, &["Name", "Value"])?;
                    let pair = field(rule, "Name", "Name") + &field(rule, "Value", "Value");
                    rules += &format!("<FilterRule>{pair}</FilterRule>");
                }
                fields += &format!("<Filter><S3Key>{rules}</S3Key></Filter>");
            }
            all += &format!("<{element}>{fields}</{element}>");
        }
    }
    Ok(format!("<NotificationConfiguration xmlns=\"{XMLNS}\">{all}</NotificationConfiguration>"))
}

impl Bucket {
    /// Sets the configurations that differ.
    async fn configure(context: &Context, name: &str, old: &Properties, new: &Properties) -> Result<(), Refusal> {
        for part in PARTS {
            let path = format!("/{name}?{}", part.query);
            match (old.get(part.property), new.get(part.property)) {
                (was, Some(is)) if was != Some(is) => {
                    let xml = (part.xml)(is)?;
                    put(context, &path, xml).await?;
                }
                (Some(_), None) => match part.query {
                    // These two are never without a value.
                    "versioning" => {
                        put(context, &path, versioning(&serde_json::json!({"Status": "Suspended"}))?).await?;
                    }
                    "notification" => put(context, &path, notification(&serde_json::json!({}))?).await?,
                    _ => context.s3(Method::DELETE, &path, None, &[]).await.map(drop)?,
                },
                _ => {}
            }
        }
        let path = format!("/{name}?tagging");
        let tags = context.tags(new);
        if tags.is_empty() {
            return context.s3(Method::DELETE, &path, None, &[]).await.map(drop);
        }
        let tags: String = tags
            .iter()
            .map(|(key, value)| format!("<Tag>{}{}</Tag>", leaf("Key", key), leaf("Value", value)))
            .collect();
        let xml = format!("<Tagging xmlns=\"{XMLNS}\"><TagSet>{tags}</TagSet></Tagging>");
        put(context, &path, xml).await
    }

    fn made(context: &Context, name: &str) -> Made {
        let (region, suffix) = (&context.pseudo.region, context.pseudo.url_suffix());
        Made::new(
            name,
            [
                ("Arn", format!("arn:{}:s3:::{name}", context.pseudo.partition()).into()),
                ("DomainName", format!("{name}.s3.{suffix}").into()),
                ("RegionalDomainName", format!("{name}.s3.{region}.{suffix}").into()),
                ("DualStackDomainName", format!("{name}.s3.dualstack.{region}.{suffix}").into()),
                ("WebsiteURL", format!("http://{name}.s3-website-{region}.{suffix}").into()),
            ],
        )
    }

    fn name(context: &Context, properties: &Properties) -> String {
        if let Some(name) = text(properties, "BucketName") {
            return name;
        }
        match text(properties, "BucketNamePrefix") {
            Some(prefix) => format!("{prefix}-{}-{}-an", context.pseudo.account, context.pseudo.region),
            None => context.generated_name(63).to_lowercase(),
        }
    }
}

/// Puts a configuration, with the checksum that S3 asks for.
async fn put(context: &Context, path: &str, xml: String) -> Result<(), Refusal> {
    use base64::Engine as _;
    use md5::Digest as _;
    let checksum = base64::engine::general_purpose::STANDARD.encode(md5::Md5::digest(xml.as_bytes()));
    let headers = [("content-md5", checksum.as_str()), ("content-type", "application/xml")];
    context.s3(Method::PUT, path, Some(xml), &headers).await.map(drop)
}

impl Provider for Bucket {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &[
                "PublicAccessBlockConfiguration",
                "OwnershipControls",
                "BucketEncryption",
                "VersioningConfiguration",
                "LifecycleConfiguration",
                "NotificationConfiguration",
                "Tags",
            ],
            fixed: &["BucketName", "BucketNamePrefix", "BucketNamespace"],
            required: &[],
            attributes: &["Arn", "DomainName", "RegionalDomainName", "DualStackDomainName", "WebsiteURL"],
            tagged: true,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let name = Self::name(context, properties);
            let region = &context.pseudo.region;
            let body = (region != "us-east-1").then(|| {
                let constraint = leaf("LocationConstraint", region);
                format!("<CreateBucketConfiguration xmlns=\"{XMLNS}\">{constraint}</CreateBucketConfiguration>")
            });
            let namespace = text(properties, "BucketNamespace");
            let headers: Vec<(&'static str, &str)> =
                namespace.as_deref().map(|namespace| ("x-amz-bucket-namespace", namespace)).into_iter().collect();
            // In us-east-1 S3 says yes to a bucket that is there already; CloudFormation does not.
            if context.s3(Method::HEAD, &format!("/{name}"), None, &[]).await.is_ok() {
                return Err(Refusal::new("AlreadyExists", format!("{name} already exists")));
            }
            context.s3(Method::PUT, &format!("/{name}"), body, &headers).await?;
            Self::configure(context, &name, &Properties::new(), properties)
                .await
                .map_err(|refusal| refusal.having_made(&name))?;
            Ok(Self::made(context, &name))
        })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move {
            Self::configure(context, physical_id, old, new).await?;
            Ok(Self::made(context, physical_id))
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move { context.s3(Method::DELETE, &format!("/{physical_id}"), None, &[]).await.map(drop) })
    }

    fn foreseen(&self, context: &Context, properties: &Properties) -> Option<String> {
        (!properties.contains_key("BucketName")).then(|| Self::name(context, properties))
    }
}

#[derive(Debug)]
pub(super) struct BucketPolicy;

impl Provider for BucketPolicy {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &["PolicyDocument"],
            fixed: &["Bucket"],
            required: &["Bucket", "PolicyDocument"],
            attributes: &[],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let bucket = required(properties, "Bucket")?;
            self.update(context, &bucket, properties, properties).await
        })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        _: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move {
            let policy = document(new, "PolicyDocument")?;
            let headers = [("content-type", "application/json")];
            context.s3(Method::PUT, &format!("/{physical_id}?policy"), Some(policy), &headers).await?;
            Ok(Made::new(physical_id, []))
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(
            async move { context.s3(Method::DELETE, &format!("/{physical_id}?policy"), None, &[]).await.map(drop) },
        )
    }
}
