//! `S3`: the notification is part of the bucket, which has to be in the same template.

use super::push::Permission;
use super::{Event, Target};
use crate::template::{Map, Node, Value};
use crate::transform::build::{conditional, map, reference, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::policies::same;
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;
use crate::transform::resource::{ATTRIBUTES, check_known};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    required("Bucket", Kind::Text),
    required("Events", Kind::TextOrListOfText).literal(),
    optional("Filter", Kind::MapOfText),
];

fn bucket_of<'a>(event: &'a Event, context: &Context) -> Result<&'a str, Refusal> {
    let reference = event.get("Bucket").and_then(|bucket| bucket.get("Ref"));
    let Some(reference) = reference else {
        return event.refuse("S3 events must reference an S3 bucket in the same template.");
    };
    let Some(id) = reference.as_str() else {
        return event.refuse("'Ref' value in S3 events is not a valid string.");
    };
    if !context.resources.contains_key(id) {
        return event.refuse("S3 events must reference an S3 bucket in the same template.");
    }
    Ok(id)
}

/// The bucket has to be there.
pub(super) fn link(event: &Event, context: &Context) -> Result<(), Refusal> {
    bucket_of(event, context).map(|_| ())
}

/// The permission, and the bucket with the notification.
pub(super) fn expand(event: &mut Event, target: &mut Target, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let id = bucket_of(event, context)?.to_owned();
    let permission = Permission {
        principal: "s3.amazonaws.com",
        prefix: &event.id,
        source_account: Some(reference("AWS::AccountId")),
        ..Permission::default()
    }
    .build(target)?;
    let notifications = notifications(event, target);
    let Some(bucket) = context.resources.get_mut(&id).and_then(Node::as_map_mut) else {
        return event.refuse("S3 events must reference an S3 bucket in the same template.");
    };
    match target.condition() {
        Some(condition) => depend_by_tag(&id, bucket, &permission.id, condition)?,
        None => depend(event, bucket, &permission.id)?,
    }
    notify(&id, bucket, notifications)?;
    let bucket = generated(&id, bucket)?;
    Ok(vec![permission, bucket])
}

fn depend(event: &Event, bucket: &mut Map, permission: &str) -> Result<(), Refusal> {
    let mut names = match bucket.get("DependsOn").map(|names| (&names.value, names)) {
        None => Vec::new(),
        Some((Value::String(_), name)) => vec![name.clone()],
        Some((Value::List(names), _)) if names.iter().all(|name| name.as_str().is_some()) => names.clone(),
        Some((_, names)) => {
            let message = "Invalid type for field 'DependsOn'. Expected a string or list of strings.";
            return Err(Refusal::resource(event.id.as_str(), message).at(names.span));
        }
    };
    let mut distinct: Vec<Node> = Vec::with_capacity(names.len() + 1);
    names.push(text(permission));
    for name in names {
        if !distinct.iter().any(|other| other.as_str() == name.as_str()) {
            distinct.push(name);
        }
    }
    bucket.insert("DependsOn", Node::from(distinct));
    Ok(())
}

/// A permission with a condition may not be there: `DependsOn` takes no condition, a tag does.
fn depend_by_tag(id: &str, bucket: &mut Map, permission: &str, condition: &Node) -> Result<(), Refusal> {
    let tags = section(bucket, "Properties", Map::new().into());
    let tags = match tags.as_map_mut() {
        Some(properties) => section(properties, "Tags", Vec::new().into()),
        None => return Err(Refusal::resource(id, "Properties should be a map.").at(tags.span)),
    };
    let Value::List(tags) = &mut tags.value else {
        return Err(Refusal::resource(id, "Property 'Tags' should be a list.").at(tags.span));
    };
    tags.push(map([
        ("Key", text(format!("sam:ConditionalDependsOn:{permission}"))),
        ("Value", conditional(condition, reference(permission), Some(text("no dependency")))),
    ]));
    Ok(())
}

/// The value of `key`, put there when there is none.
pub(crate) fn section<'a>(map: &'a mut Map, key: &str, default: Value) -> &'a mut Node {
    if map.get(key).is_none_or(Node::is_null) {
        map.insert(key, Node::from(default));
    }
    map.get_mut(key).expect("it was put there above")
}

fn notifications(event: &Event, target: &Target) -> Vec<Node> {
    let types: Vec<Node> = match event.get("Events").map(|types| (&types.value, types)) {
        Some((Value::List(types), _)) => types.clone(),
        Some((_, one)) => vec![one.clone()],
        None => Vec::new(),
    };
    types
        .into_iter()
        .map(|kind| {
            let mut notification = Map::new();
            notification.insert("Function", target.arn());
            if let Some(filter) = event.get("Filter") {
                notification.insert("Filter", filter.clone());
            }
            notification.insert("Event", kind);
            match target.condition() {
                Some(condition) => conditional(condition, Node::from(notification), None),
                None => Node::from(notification),
            }
        })
        .collect()
}

fn notify(id: &str, bucket: &mut Map, notifications: Vec<Node>) -> Result<(), Refusal> {
    let properties = section(bucket, "Properties", Map::new().into());
    let Some(properties) = properties.as_map_mut() else {
        return Err(Refusal::resource(id, "Properties should be a map.").at(properties.span));
    };
    let configuration = section(properties, "NotificationConfiguration", Map::new().into());
    let Some(configuration) = configuration.as_map_mut() else {
        return Err(
            Refusal::resource(id, "Property 'NotificationConfiguration' should be a map.").at(configuration.span)
        );
    };
    let present = section(configuration, "LambdaConfigurations", Vec::new().into());
    let Value::List(present) = &mut present.value else {
        return Err(Refusal::resource(id, "Invalid type for LambdaConfigurations. Must be a list.").at(present.span));
    };
    for notification in notifications {
        if !present.iter().any(|other| same(other, &notification)) {
            present.push(notification);
        }
    }
    Ok(())
}

/// What the published transform knows of a bucket that it adds a notification to.
const BUCKET: &[&str] = &[
    "AccessControl",
    "AccelerateConfiguration",
    "AnalyticsConfigurations",
    "BucketEncryption",
    "BucketName",
    "CorsConfiguration",
    "IntelligentTieringConfigurations",
    "InventoryConfigurations",
    "LifecycleConfiguration",
    "LoggingConfiguration",
    "MetricsConfigurations",
    "NotificationConfiguration",
    "ObjectLockConfiguration",
    "ObjectLockEnabled",
    "OwnershipControls",
    "PublicAccessBlockConfiguration",
    "ReplicationConfiguration",
    "Tags",
    "VersioningConfiguration",
    "WebsiteConfiguration",
];

fn generated(id: &str, bucket: &Map) -> Result<Generated, Refusal> {
    let kind = bucket.get("Type").and_then(Node::as_str).unwrap_or("None");
    if kind != "AWS::S3::Bucket" {
        let message = format!("Resource has incorrect Type; expected 'AWS::S3::Bucket', got '{kind}'");
        return Err(Refusal::resource(id, message).at(bucket.get("Type").and_then(|kind| kind.span)));
    }
    check_known(id, bucket.get("Properties"), BUCKET, "AWS::S3::Bucket")?;
    let attributes: Map = ATTRIBUTES.iter().filter_map(|name| Some((*name, bucket.get(name)?.clone()))).collect();
    let mut resource = Generated::new(id, "AWS::S3::Bucket", &attributes)?;
    resource.depends_on = bucket.get("DependsOn").cloned();
    for (name, value) in bucket.get("Properties").and_then(Node::as_map).into_iter().flat_map(Map::iter) {
        resource.set(name, value.clone());
    }
    Ok(resource)
}
