//! `AWS::IAM::*`: roles with their policies.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Context, Doing, Made, Properties, Provider, Refusal, Spec, document, plain, required, text, texts};
use crate::sandbox::router::ServiceName;
use crate::sandbox::xml::Element;

const VERSION: &str = "2010-05-08";

async fn iam(context: &Context, action: &str, fields: &[(&str, &str)]) -> Result<Element, Refusal> {
    let fields: Vec<(String, String)> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    context.query(ServiceName::Iam, VERSION, action, &fields).await
}

/// Inline policies: name to document.
fn inline(properties: &Properties) -> Result<BTreeMap<String, String>, Refusal> {
    let policies = properties.get("Policies").and_then(Value::as_array).into_iter().flatten();
    policies
        .map(|policy| {
            let policy =
                policy.as_object().ok_or_else(|| Refusal::invalid("Policies: a policy has to be an object"))?;
            Ok((required(policy, "PolicyName")?, document(policy, "PolicyDocument")?))
        })
        .collect()
}

#[derive(Debug)]
pub(super) struct Role;

impl Role {
    /// Brings policies from what they were to what they should be.
    async fn policies(context: &Context, role: &str, old: &Properties, new: &Properties) -> Result<(), Refusal> {
        let (was, is) = (inline(old)?, inline(new)?);
        for (name, document) in &is {
            if was.get(name) != Some(document) {
                let fields = [("RoleName", role), ("PolicyName", name), ("PolicyDocument", document)];
                iam(context, "PutRolePolicy", &fields).await?;
            }
        }
        for name in was.keys().filter(|name| !is.contains_key(*name)) {
            gone(iam(context, "DeleteRolePolicy", &[("RoleName", role), ("PolicyName", name)]).await)?;
        }
        let (was, is) = (texts(old.get("ManagedPolicyArns")), texts(new.get("ManagedPolicyArns")));
        for arn in is.iter().filter(|arn| !was.contains(arn)) {
            iam(context, "AttachRolePolicy", &[("RoleName", role), ("PolicyArn", arn)]).await?;
        }
        for arn in was.iter().filter(|arn| !is.contains(arn)) {
            gone(iam(context, "DetachRolePolicy", &[("RoleName", role), ("PolicyArn", arn)]).await)?;
        }
        Ok(())
    }

    async fn made(context: &Context, name: &str) -> Result<Made, Refusal> {
        let answer = iam(context, "GetRole", &[("RoleName", name)]).await?;
        let role = answer.child("Role").ok_or_else(|| Refusal::internal("GetRole gave no role"))?;
        let field = |key: &str| Value::from(role.text_of(key).unwrap_or_default());
        Ok(Made::new(name, [("Arn", field("Arn")), ("RoleId", field("RoleId"))]))
    }
}

/// What is gone already need not be taken away.
fn gone(result: Result<Element, Refusal>) -> Result<(), Refusal> {
    match result {
        Err(refusal) if !refusal.is_not_found() => Err(refusal),
        _ => Ok(()),
    }
}

impl Provider for Role {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &[
                "AssumeRolePolicyDocument",
                "Description",
                "ManagedPolicyArns",
                "MaxSessionDuration",
                "PermissionsBoundary",
                "Policies",
                "Tags",
            ],
            fixed: &["RoleName", "Path"],
            required: &["AssumeRolePolicyDocument"],
            attributes: &["Arn", "RoleId"],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let name = context.name(properties, "RoleName", 64);
            let trust = document(properties, "AssumeRolePolicyDocument")?;
            let mut fields =
                vec![("RoleName".to_owned(), name.clone()), ("AssumeRolePolicyDocument".to_owned(), trust)];
            for property in ["Path", "Description", "MaxSessionDuration", "PermissionsBoundary"] {
                fields.extend(text(properties, property).map(|value| (property.to_owned(), value)));
            }
            let own = properties.get("Tags").and_then(Value::as_array).into_iter().flatten();
            let own = own.filter_map(|tag| Some((plain(tag.get("Key")?)?, plain(tag.get("Value")?)?)));
            let tags: BTreeMap<String, String> = context.tags.clone().into_iter().chain(own).collect();
            for (index, (key, value)) in tags.into_iter().enumerate() {
                fields.push((format!("Tags.member.{}.Key", index + 1), key));
                fields.push((format!("Tags.member.{}.Value", index + 1), value));
            }
            context.query(ServiceName::Iam, VERSION, "CreateRole", &fields).await?;
            let made = async {
                Self::policies(context, &name, &Properties::new(), properties).await?;
                Self::made(context, &name).await
            };
            made.await.map_err(|refusal| refusal.having_made(&name))
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
            if old.get("PermissionsBoundary") != new.get("PermissionsBoundary") {
                return Err(Refusal::invalid("The sandbox cannot change PermissionsBoundary of a role"));
            }
            if old.get("AssumeRolePolicyDocument") != new.get("AssumeRolePolicyDocument") {
                let trust = document(new, "AssumeRolePolicyDocument")?;
                iam(context, "UpdateAssumeRolePolicy", &[("RoleName", physical_id), ("PolicyDocument", &trust)])
                    .await?;
            }
            if ["Description", "MaxSessionDuration"].iter().any(|name| old.get(*name) != new.get(*name)) {
                let description = text(new, "Description").unwrap_or_default();
                let seconds = text(new, "MaxSessionDuration").unwrap_or_else(|| "3600".to_owned());
                let fields =
                    [("RoleName", physical_id), ("Description", &description), ("MaxSessionDuration", &seconds)];
                iam(context, "UpdateRole", &fields).await?;
            }
            Self::policies(context, physical_id, old, new).await?;
            Self::made(context, physical_id).await
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, properties: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            Self::policies(context, physical_id, properties, &Properties::new()).await?;
            iam(context, "DeleteRole", &[("RoleName", physical_id)]).await.map(drop)
        })
    }

    fn foreseen(&self, context: &Context, properties: &Properties) -> Option<String> {
        (!properties.contains_key("RoleName")).then(|| context.generated_name(64))
    }
}

#[derive(Debug)]
pub(super) struct ManagedPolicy;

impl ManagedPolicy {
    fn made(arn: &str) -> Made {
        Made::new(arn, [("PolicyArn", arn.into())])
    }

    async fn attach(context: &Context, arn: &str, old: &[String], new: &[String]) -> Result<(), Refusal> {
        for role in new.iter().filter(|role| !old.contains(role)) {
            iam(context, "AttachRolePolicy", &[("RoleName", role), ("PolicyArn", arn)]).await?;
        }
        for role in old.iter().filter(|role| !new.contains(role)) {
            gone(iam(context, "DetachRolePolicy", &[("RoleName", role), ("PolicyArn", arn)]).await)?;
        }
        Ok(())
    }
}

impl Provider for ManagedPolicy {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &["PolicyDocument", "Roles"],
            fixed: &["ManagedPolicyName", "Path", "Description"],
            required: &["PolicyDocument"],
            attributes: &["PolicyArn"],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let name = context.name(properties, "ManagedPolicyName", 128);
            let document = document(properties, "PolicyDocument")?;
            let mut fields = vec![("PolicyName".to_owned(), name), ("PolicyDocument".to_owned(), document)];
            for property in ["Path", "Description"] {
                fields.extend(text(properties, property).map(|value| (property.to_owned(), value)));
            }
            let answer = context.query(ServiceName::Iam, VERSION, "CreatePolicy", &fields).await?;
            let arn = answer.child("Policy").and_then(|policy| policy.text_of("Arn")).unwrap_or_default().to_owned();
            let roles = texts(properties.get("Roles"));
            Self::attach(context, &arn, &[], &roles).await.map_err(|refusal| refusal.having_made(&arn))?;
            Ok(Self::made(&arn))
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
            if old.get("PolicyDocument") != new.get("PolicyDocument") {
                let document = document(new, "PolicyDocument")?;
                let fields =
                    [("PolicyArn", physical_id), ("PolicyDocument", document.as_str()), ("SetAsDefault", "true")];
                iam(context, "CreatePolicyVersion", &fields).await?;
            }
            Self::attach(context, physical_id, &texts(old.get("Roles")), &texts(new.get("Roles"))).await?;
            Ok(Self::made(physical_id))
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, properties: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            Self::attach(context, physical_id, &texts(properties.get("Roles")), &[]).await?;
            iam(context, "DeletePolicy", &[("PolicyArn", physical_id)]).await.map(drop)
        })
    }
}

/// An inline policy of roles that are elsewhere.
#[derive(Debug)]
pub(super) struct Policy;

impl Provider for Policy {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &["PolicyName", "PolicyDocument", "Roles"],
            fixed: &[],
            required: &["PolicyName", "PolicyDocument", "Roles"],
            attributes: &["Id"],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let id = context.generated_name(128);
            self.update(context, &id, &Properties::new(), properties).await.map_err(|refusal| refusal.having_made(&id))
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
            let (name, document) = (required(new, "PolicyName")?, document(new, "PolicyDocument")?);
            let roles = texts(new.get("Roles"));
            for role in &roles {
                let fields = [("RoleName", role.as_str()), ("PolicyName", &name), ("PolicyDocument", &document)];
                iam(context, "PutRolePolicy", &fields).await?;
            }
            if let Some(old_name) = text(old, "PolicyName") {
                for role in texts(old.get("Roles")).iter().filter(|role| old_name != name || !roles.contains(role)) {
                    gone(iam(context, "DeleteRolePolicy", &[("RoleName", role), ("PolicyName", &old_name)]).await)?;
                }
            }
            Ok(Made::new(physical_id, [("Id", physical_id.into())]))
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, _: &'a str, properties: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            let name = required(properties, "PolicyName")?;
            for role in texts(properties.get("Roles")) {
                gone(iam(context, "DeleteRolePolicy", &[("RoleName", &role), ("PolicyName", &name)]).await)?;
            }
            Ok(())
        })
    }
}
