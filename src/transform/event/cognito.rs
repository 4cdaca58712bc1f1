//! `Cognito`: the trigger is part of the user pool, which has to be in the same template.

use super::push::Permission;
use super::s3::section;
use super::{Event, Target};
use crate::template::{Map, Node, Value};
use crate::transform::build::{Read, get_att};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::property::{Kind, Property, required};
use crate::transform::refusal::Refusal;
use crate::transform::resource::{ATTRIBUTES, check_known};

/// What it takes.
pub const PROPERTIES: &[Property] =
    &[required("UserPool", Kind::Text), required("Trigger", Kind::TextOrListOfText).literal()];

/// What the published transform knows of a user pool that it adds a trigger to.
const POOL: &[&str] = &[
    "AccountRecoverySetting",
    "AdminCreateUserConfig",
    "AliasAttributes",
    "AutoVerifiedAttributes",
    "DeletionProtection",
    "DeviceConfiguration",
    "EmailAuthenticationMessage",
    "EmailAuthenticationSubject",
    "EmailConfiguration",
    "EmailVerificationMessage",
    "EmailVerificationSubject",
    "EnabledMfas",
    "LambdaConfig",
    "MfaConfiguration",
    "Policies",
    "Schema",
    "SmsAuthenticationMessage",
    "SmsConfiguration",
    "SmsVerificationMessage",
    "UserAttributeUpdateSettings",
    "UsernameAttributes",
    "UsernameConfiguration",
    "UserPoolAddOns",
    "UserPoolName",
    "UserPoolTags",
    "UserPoolTier",
    "VerificationMessageTemplate",
    "WebAuthnRelyingPartyID",
    "WebAuthnUserVerification",
];

fn pool_of<'a>(event: &'a Event, context: &Context) -> Result<&'a str, Refusal> {
    let Some(reference) = event.get("UserPool").and_then(|pool| pool.get("Ref")) else {
        return event.refuse("Cognito events must reference a Cognito UserPool in the same template.");
    };
    let Some(id) = reference.as_str() else {
        return event.refuse_by_id("Ref in Userpool is not a string.");
    };
    if !context.resources.contains_key(id) {
        return event.refuse("Cognito events must reference a Cognito UserPool in the same template.");
    }
    Ok(id)
}

/// The user pool has to be there.
pub(super) fn link(event: &Event, context: &Context) -> Result<(), Refusal> {
    pool_of(event, context).map(|_| ())
}

/// The permission, and the user pool with the trigger.
pub(super) fn expand(event: &mut Event, target: &mut Target, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let id = pool_of(event, context)?.to_owned();
    let permission = Permission {
        principal: "cognito-idp.amazonaws.com",
        prefix: &format!("{}Cognito", target.id),
        source_arn: Some(get_att(&id, "Arn")),
        ..Permission::default()
    }
    .build(target)?;
    let trigger = event.get("Trigger").cloned().unwrap_or_default();
    let triggers: Vec<String> = match &trigger.value {
        Value::List(triggers) => triggers.iter().filter_map(Node::as_str).map(str::to_owned).collect(),
        _ => trigger.as_str().map(str::to_owned).into_iter().collect(),
    };
    let Some(pool) = context.resources.get_mut(&id).and_then(Node::as_map_mut) else {
        return event.refuse("Cognito events must reference a Cognito UserPool in the same template.");
    };
    let properties = section(pool, "Properties", Map::new().into());
    let Some(properties) = properties.as_map_mut() else {
        return Err(Refusal::resource(id, "Properties of a resource must be an object.").at(properties.span));
    };
    let config = section(properties, "LambdaConfig", Map::new().into());
    let Some(config) = config.as_map_mut() else {
        return Err(Refusal::resource(id, "Property 'LambdaConfig' should be a map.").at(config.span));
    };
    for name in triggers {
        if config.contains_key(&name) {
            return event.refuse(format!("Cognito trigger \"{}\" defined multiple times.", trigger.display()));
        }
        config.insert(name, target.arn());
    }
    let kind = pool.get("Type").and_then(Node::as_str).unwrap_or("None");
    if kind != "AWS::Cognito::UserPool" {
        let message = format!("Resource has incorrect Type; expected 'AWS::Cognito::UserPool', got '{kind}'");
        return Err(Refusal::resource(id, message));
    }
    check_known(&id, pool.get("Properties"), POOL, "AWS::Cognito::UserPool")?;
    let attributes: Map = ATTRIBUTES.iter().filter_map(|name| Some((*name, pool.get(name)?.clone()))).collect();
    let mut resource = Generated::new(id, "AWS::Cognito::UserPool", &attributes)?;
    resource.depends_on = pool.get("DependsOn").cloned();
    for (name, value) in pool.get("Properties").and_then(Node::as_map).into_iter().flat_map(Map::iter) {
        resource.set(name, value.clone());
    }
    Ok(vec![permission, resource])
}
