//! A stack that is out of step: its template says one version of an alias and the alias serves another,
//! because somebody went back by hand. A stack update that fails would put the alias to what the
//! template said, and CodeDeploy refuses a deployment whose current version is not the alias's. So the
//! template is brought to the alias first, in an update of its own that changes nothing else and
//! starts no deployment: what serves stays.

use std::time::Duration;

use crate::aws::Aws;
use crate::aws::cloudformation::{TEMPLATE_BODY_LIMIT, TemplateSource};
use crate::template::{Node, write};

use super::hold::HeldAlias;
use super::live::{Live, LiveAlias};
use super::{Error, Outcome, Sink, StackChange, apply, hold, upload};

/// An alias that serves another version than its stack's template says.
#[derive(Clone, Debug, PartialEq)]
pub struct OutOfStep {
    /// The alias as it is; it is whole.
    pub alias: LiveAlias,
    /// What the template says.
    pub said: String,
    /// Whether the alias has an `UpdatePolicy`, so that a change of it starts a CodeDeploy deployment.
    pub has_policy: bool,
}

impl OutOfStep {
    /// In a person's words.
    pub fn message(&self) -> String {
        let LiveAlias { function, alias, version, .. } = &self.alias;
        format!("{function}:{alias} serves version {version} and its stack says {}", self.said)
    }
}

impl Live {
    /// Those of the aliases, by their names in the template, that serve another version than the
    /// template says. One that is split is not among them, nor one whose version only CloudFormation
    /// can tell.
    ///
    /// # Errors
    /// A call failed.
    pub async fn out_of_step(
        &self,
        aws: &Aws,
        logical_ids: impl IntoIterator<Item = &str>,
    ) -> Result<Vec<OutOfStep>, Error> {
        let mut found = Vec::new();
        for logical_id in logical_ids {
            let Some(said) = self.said_of_alias(logical_id) else { continue };
            let Some(alias) = self.alias(aws, logical_id).await? else { continue };
            if alias.weights.is_empty() && alias.version != said {
                let policy = self.template.path(&["Resources", logical_id, "UpdatePolicy"]);
                found.push(OutOfStep { alias, said, has_policy: policy.is_some() });
            }
        }
        Ok(found)
    }
}

/// The template with these aliases at these versions, and without what would start a deployment.
pub fn pinned(template: &Node, aliases: &[HeldAlias]) -> Node {
    let mut template = template.clone();
    for alias in aliases {
        hold::set_version(&mut template, alias);
        if let Some(resource) = hold::resource_mut(&mut template, &alias.logical_id) {
            resource.remove("UpdatePolicy");
        }
    }
    template
}

/// Brings the stack's template to its aliases. The aliases stay as they are.
///
/// # Errors
/// The update failed. Where CloudFormation put an alias to what the template said before, it is put
/// back; that it could not be is an error, too.
pub async fn pin(
    aws: &Aws,
    bucket: &str,
    live: &Live,
    aliases: &[OutOfStep],
    max_wait: Duration,
    sink: Sink<'_>,
) -> Result<(), Error> {
    let held: Vec<HeldAlias> = aliases
        .iter()
        .map(|one| HeldAlias { logical_id: one.alias.logical_id.clone(), version: one.alias.version.clone() })
        .collect();
    let template = pinned(&live.template, &held);
    let text = write::json(&template);
    let source = if text.len() <= TEMPLATE_BODY_LIMIT {
        TemplateSource::Body(text)
    } else {
        TemplateSource::Url(upload::url(aws, bucket, &upload::put(aws, bucket, &text).await?))
    };
    let change = StackChange {
        declared: hold::parameter_names(&template),
        capabilities: live.stack.capabilities.clone(),
        role_arn: live.stack.role_arn.clone(),
        max_wait,
        ..StackChange::new(&live.stack.name, source)
    };
    let done = apply(aws, &change, sink).await;
    for one in aliases {
        keep(aws, one).await?;
    }
    done.map(|_: Outcome| ())
}

/// CloudFormation's own way back puts the alias to what the template said before. Only that is undone:
/// anything else that it says by now is somebody's will.
async fn keep(aws: &Aws, one: &OutOfStep) -> Result<(), Error> {
    let LiveAlias { function, alias, version, .. } = &one.alias;
    let Some(now) = aws.lambda().alias(function, alias).await? else { return Ok(()) };
    if now.version == one.said && now.weights.is_empty() {
        aws.lambda().update_alias(function, alias, &now.revision, version, &[]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_pinned_template_differs_in_the_alias_alone_and_starts_no_deployment() {
        let template = Node::from(json!({ "Resources": {
            "FnAlias": {
                "Type": "AWS::Lambda::Alias",
                "UpdatePolicy": { "CodeDeployLambdaAliasUpdate": { "ApplicationName": "a" } },
                "Properties": { "Name": "live", "FunctionVersion": { "Fn::GetAtt": ["FnVersion2", "Version"] } }
            },
            "FnVersion2": { "Type": "AWS::Lambda::Version" }
        } }));
        let alias = HeldAlias { logical_id: "FnAlias".to_owned(), version: "1".to_owned() };
        let pinned = pinned(&template, &[alias.clone(), HeldAlias { logical_id: "Nobody".to_owned(), ..alias }]);
        assert_eq!(
            pinned.to_json(),
            json!({ "Resources": {
                "FnAlias": {
                    "Type": "AWS::Lambda::Alias",
                    "Properties": { "Name": "live", "FunctionVersion": "1" }
                },
                "FnVersion2": { "Type": "AWS::Lambda::Version" }
            } })
        );
    }
}
