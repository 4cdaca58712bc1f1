//! CloudFormation: stacks, change sets, events, templates and resources, in our own types.

pub mod types;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types as sdk;
use aws_smithy_types::DateTime;
use time::OffsetDateTime;

use super::{Aws, Error};
pub use types::*;

const SERVICE: &str = "cloudformation";

/// The most pages of any list: a stack has at most 500 resources, and a page 100 entries.
const PAGE_LIMIT: usize = 50;

/// A client for the stacks of the caller's account and region.
#[derive(Clone, Debug)]
pub struct CloudFormation {
    client: Client,
}

impl Aws {
    /// A client for CloudFormation.
    pub fn cloudformation(&self) -> CloudFormation {
        CloudFormation { client: Client::new(self.sdk()) }
    }
}

/// Maps an SDK error of `operation` on a stack or change set.
macro_rules! failed {
    ($operation:literal, $resource:expr) => {
        |error| Error::from_sdk(SERVICE, $operation, $resource, &error)
    };
}

impl CloudFormation {
    /// The stack of a name or id; `None` when there is none.
    ///
    /// # Errors
    /// The call failed for another reason than that.
    pub async fn stack(&self, name: &str) -> Result<Option<Stack>, Error> {
        let answer =
            self.client.describe_stacks().stack_name(name).send().await.map_err(failed!("DescribeStacks", name));
        match answer {
            Ok(answer) => Ok(answer.stacks().first().map(stack)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a stack directly, without a change set. Gives its id.
    ///
    /// # Errors
    /// The call failed; the stack is there already.
    pub async fn create_stack(&self, stack: &CreateStack) -> Result<String, Error> {
        let answer = self
            .client
            .create_stack()
            .stack_name(&stack.name)
            .template_body(&stack.template_body)
            .set_capabilities(Some(capabilities(&stack.capabilities)))
            .set_tags(Some(tags(&stack.tags)))
            .set_parameters(Some(parameters(&stack.parameters)))
            .set_enable_termination_protection(stack.termination_protection.then_some(true))
            .client_request_token(&stack.token)
            .send()
            .await
            .map_err(failed!("CreateStack", &stack.name))?;
        Ok(answer.stack_id().unwrap_or(&stack.name).to_owned())
    }

    /// Begins to make a change set. It is ready, or failed, only later.
    ///
    /// # Errors
    /// The call failed.
    pub async fn create_change_set(&self, request: &CreateChangeSet) -> Result<ChangeSetId, Error> {
        let mut call = self
            .client
            .create_change_set()
            .stack_name(&request.stack)
            .change_set_name(&request.name)
            .change_set_type(match request.kind {
                ChangeSetKind::Create => sdk::ChangeSetType::Create,
                ChangeSetKind::Update => sdk::ChangeSetType::Update,
            })
            .description(&request.description)
            .set_capabilities(Some(capabilities(&request.capabilities)))
            .set_tags(request.tags.as_ref().map(tags))
            .set_parameters(Some(parameters(&request.parameters)))
            .set_role_arn(request.role_arn.clone())
            .set_notification_arns(request.notification_arns.clone())
            .client_token(&request.token);
        call = match &request.template {
            TemplateSource::Body(body) => call.template_body(body),
            TemplateSource::Url(url) => call.template_url(url),
            TemplateSource::Previous => call.use_previous_template(true),
        };
        if request.express {
            call = call.deployment_config(
                sdk::DeploymentConfig::builder()
                    .mode(sdk::DeploymentConfigMode::Express)
                    .disable_rollback(request.disable_rollback)
                    .build(),
            );
        }
        let answer = call.send().await.map_err(failed!("CreateChangeSet", &request.stack));
        match answer {
            Ok(answer) => Ok(ChangeSetId {
                id: answer.id().unwrap_or(&request.name).to_owned(),
                stack_id: answer.stack_id().unwrap_or(&request.stack).to_owned(),
            }),
            // The name is made of the time and a nonce: one that is there already is our own, whose
            // answer was lost.
            Err(error) if error.kind == super::ErrorKind::AlreadyExists => {
                let found = self.change_set(&request.name, &request.stack).await?;
                Ok(ChangeSetId { id: found.id, stack_id: found.stack_id })
            }
            Err(error) => Err(error),
        }
    }

    /// A change set with all its changes. `change_set` is a name or an id; `stack` the stack's.
    ///
    /// # Errors
    /// The call failed; it is not there.
    pub async fn change_set(&self, change_set: &str, stack: &str) -> Result<ChangeSet, Error> {
        let mut found: Option<ChangeSet> = None;
        let mut token = None;
        for _ in 0..PAGE_LIMIT {
            let page = self
                .client
                .describe_change_set()
                .change_set_name(change_set)
                .stack_name(stack)
                .set_next_token(token)
                .send()
                .await
                .map_err(failed!("DescribeChangeSet", change_set))?;
            let changes = page.changes().iter().filter_map(sdk::Change::resource_change).map(change);
            match &mut found {
                Some(found) => found.changes.extend(changes),
                None => {
                    found = Some(ChangeSet {
                        id: text(page.change_set_id()),
                        name: text(page.change_set_name()),
                        stack_id: text(page.stack_id()),
                        status: Status(page.status().map(|status| status.as_str().to_owned()).unwrap_or_default()),
                        status_reason: page.status_reason().map(str::to_owned),
                        execution_status: page.execution_status().map(|status| status.as_str().to_owned()),
                        changes: changes.collect(),
                    });
                }
            }
            token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        Ok(found.unwrap_or_default())
    }

    /// The names of a stack's change sets that are not executed yet.
    ///
    /// # Errors
    /// The call failed.
    pub async fn change_set_names(&self, stack: &str) -> Result<Vec<String>, Error> {
        let answer =
            self.client.list_change_sets().stack_name(stack).send().await.map_err(failed!("ListChangeSets", stack))?;
        Ok(answer.summaries().iter().filter_map(|summary| summary.change_set_name()).map(str::to_owned).collect())
    }

    /// Starts the execution of a change set. Sending it again with the same token changes nothing.
    ///
    /// # Errors
    /// The call failed; the change set cannot be executed.
    pub async fn execute_change_set(&self, change_set: &ChangeSetId, how: &Execution) -> Result<(), Error> {
        self.client
            .execute_change_set()
            .change_set_name(&change_set.id)
            .set_disable_rollback(how.disable_rollback)
            .set_retain_except_on_create(how.retain_except_on_create.then_some(true))
            .client_request_token(&how.token)
            .send()
            .await
            .map_err(failed!("ExecuteChangeSet", &change_set.id))?;
        Ok(())
    }

    /// Deletes a change set that was not executed; one that is not there is deleted already.
    ///
    /// # Errors
    /// The call failed.
    pub async fn delete_change_set(&self, change_set: &ChangeSetId) -> Result<(), Error> {
        let answer = self
            .client
            .delete_change_set()
            .change_set_name(&change_set.id)
            .send()
            .await
            .map_err(failed!("DeleteChangeSet", &change_set.id));
        match answer {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Starts the deletion of a stack.
    ///
    /// # Errors
    /// The call failed.
    pub async fn delete_stack(&self, stack: &str, role_arn: Option<&str>, token: &str) -> Result<(), Error> {
        self.client
            .delete_stack()
            .stack_name(stack)
            .set_role_arn(role_arn.map(str::to_owned))
            .client_request_token(token)
            .send()
            .await
            .map_err(failed!("DeleteStack", stack))?;
        Ok(())
    }

    /// Starts taking a failed stack back to its last good state.
    ///
    /// # Errors
    /// The call failed.
    pub async fn rollback_stack(&self, stack: &str, role_arn: Option<&str>, token: &str) -> Result<(), Error> {
        self.client
            .rollback_stack()
            .stack_name(stack)
            .set_role_arn(role_arn.map(str::to_owned))
            .client_request_token(token)
            .send()
            .await
            .map_err(failed!("RollbackStack", stack))?;
        Ok(())
    }

    /// The events after `seen`, oldest first; all of them (up to 5000) without it.
    ///
    /// # Errors
    /// The call failed.
    pub async fn events(&self, stack: &str, seen: Option<&str>) -> Result<Vec<StackEvent>, Error> {
        let mut found = Vec::new();
        let mut token = None;
        'pages: for _ in 0..PAGE_LIMIT {
            let page = self
                .client
                .describe_stack_events()
                .stack_name(stack)
                .set_next_token(token)
                .send()
                .await
                .map_err(failed!("DescribeStackEvents", stack))?;
            for entry in page.stack_events() {
                if seen.is_some() && entry.event_id() == seen {
                    break 'pages;
                }
                found.push(event(entry));
            }
            token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        found.reverse();
        Ok(found)
    }

    /// The id of the newest event; `None` when the stack has none.
    ///
    /// # Errors
    /// The call failed.
    pub async fn newest_event(&self, stack: &str) -> Result<Option<String>, Error> {
        let page = self
            .client
            .describe_stack_events()
            .stack_name(stack)
            .send()
            .await
            .map_err(failed!("DescribeStackEvents", stack))?;
        Ok(page.stack_events().first().and_then(|event| event.event_id()).map(str::to_owned))
    }

    /// The template of a stack, as it was given or as its transforms left it.
    ///
    /// # Errors
    /// The call failed; the stack is not there.
    pub async fn template(&self, stack: &str, stage: Stage) -> Result<String, Error> {
        self.get_template(stack, None, stage).await
    }

    /// The properties of a resource type that cannot be changed in place, as `/properties/Name`:
    /// `createOnlyProperties` of its schema in the registry.
    ///
    /// # Errors
    /// The call failed; the type is not there.
    pub async fn create_only_properties(&self, kind: &str) -> Result<Vec<String>, Error> {
        let call = self.client.describe_type().r#type(sdk::RegistryType::Resource).type_name(kind);
        let answer = call.send().await.map_err(failed!("DescribeType", kind))?;
        let schema: serde_json::Value = serde_json::from_str(answer.schema().unwrap_or_default()).unwrap_or_default();
        let names = schema["createOnlyProperties"].as_array().into_iter().flatten();
        Ok(names.filter_map(|name| name.as_str().map(str::to_owned)).collect())
    }

    /// The template of a change set.
    ///
    /// # Errors
    /// The call failed; the change set is not there.
    pub async fn change_set_template(&self, change_set: &ChangeSetId, stage: Stage) -> Result<String, Error> {
        self.get_template(&change_set.stack_id, Some(&change_set.id), stage).await
    }

    async fn get_template(&self, stack: &str, change_set: Option<&str>, stage: Stage) -> Result<String, Error> {
        let call = self.client.get_template().template_stage(match stage {
            Stage::Original => sdk::TemplateStage::Original,
            Stage::Processed => sdk::TemplateStage::Processed,
        });
        let call = match change_set {
            Some(id) => call.change_set_name(id),
            None => call.stack_name(stack),
        };
        let answer = call.send().await.map_err(failed!("GetTemplate", change_set.unwrap_or(stack)))?;
        Ok(text(answer.template_body()))
    }

    /// The resources of a stack.
    ///
    /// # Errors
    /// The call failed; the stack is not there.
    pub async fn resources(&self, stack: &str) -> Result<Vec<StackResource>, Error> {
        let mut found = Vec::new();
        let mut token = None;
        for _ in 0..PAGE_LIMIT {
            let page = self
                .client
                .list_stack_resources()
                .stack_name(stack)
                .set_next_token(token)
                .send()
                .await
                .map_err(failed!("ListStackResources", stack))?;
            found.extend(page.stack_resource_summaries().iter().map(|resource| StackResource {
                logical_id: text(resource.logical_resource_id()),
                physical_id: resource.physical_resource_id().map(str::to_owned),
                kind: text(resource.resource_type()),
                status: Status(resource.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default()),
            }));
            token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        Ok(found)
    }
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

fn time(value: Option<&DateTime>) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(value?.as_nanos()).ok()
}

fn capabilities(names: &[String]) -> Vec<sdk::Capability> {
    names.iter().map(|name| sdk::Capability::from(name.as_str())).collect()
}

fn tags<'a>(tags: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<sdk::Tag> {
    tags.into_iter().map(|(key, value)| sdk::Tag::builder().key(key).value(value).build()).collect()
}

fn parameters(parameters: &[Parameter]) -> Vec<sdk::Parameter> {
    parameters
        .iter()
        .map(|parameter| {
            let builder = sdk::Parameter::builder().parameter_key(&parameter.key);
            match &parameter.value {
                ParameterValue::Given(value) => builder.parameter_value(value.expose()),
                ParameterValue::Previous => builder.use_previous_value(true),
            }
            .build()
        })
        .collect()
}

fn stack(stack: &sdk::Stack) -> Stack {
    Stack {
        id: text(stack.stack_id()),
        name: text(stack.stack_name()),
        status: Status(stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default()),
        status_reason: stack.stack_status_reason().map(str::to_owned),
        parameters: stack
            .parameters()
            .iter()
            .map(|parameter| (text(parameter.parameter_key()), text(parameter.parameter_value())))
            .collect(),
        outputs: stack
            .outputs()
            .iter()
            .map(|output| Output {
                key: text(output.output_key()),
                value: text(output.output_value()),
                description: output.description().map(str::to_owned),
            })
            .collect(),
        tags: stack.tags().iter().map(|tag| (text(tag.key()), text(tag.value()))).collect(),
        capabilities: stack.capabilities().iter().map(|name| name.as_str().to_owned()).collect(),
        role_arn: stack.role_arn().map(str::to_owned),
        created: time(stack.creation_time()),
        updated: time(stack.last_updated_time()),
    }
}

fn event(event: &sdk::StackEvent) -> StackEvent {
    StackEvent {
        id: text(event.event_id()),
        stack_id: text(event.stack_id()),
        logical_id: text(event.logical_resource_id()),
        physical_id: event.physical_resource_id().map(str::to_owned),
        kind: text(event.resource_type()),
        status: Status(event.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default()),
        detailed_status: event.detailed_status().map(|status| status.as_str().to_owned()),
        reason: event.resource_status_reason().filter(|reason| !reason.is_empty()).map(str::to_owned),
        time: time(event.timestamp()),
    }
}

fn change(change: &sdk::ResourceChange) -> ResourceChange {
    ResourceChange {
        action: match change.action() {
            Some(sdk::ChangeAction::Add) => Action::Add,
            Some(sdk::ChangeAction::Remove) => Action::Remove,
            Some(sdk::ChangeAction::Import) => Action::Import,
            Some(sdk::ChangeAction::Dynamic) => Action::Dynamic,
            _ => Action::Modify,
        },
        logical_id: text(change.logical_resource_id()),
        physical_id: change.physical_resource_id().map(str::to_owned),
        kind: text(change.resource_type()),
        replacement: change.replacement().map(|replacement| match replacement {
            sdk::Replacement::True => Replacement::Yes,
            sdk::Replacement::False => Replacement::No,
            _ => Replacement::Conditional,
        }),
        details: change.details().iter().filter_map(detail).collect(),
    }
}

fn detail(detail: &sdk::ResourceChangeDetail) -> Option<ChangeDetail> {
    let target = detail.target()?;
    Some(ChangeDetail {
        attribute: target.attribute().map(|attribute| attribute.as_str().to_owned()).unwrap_or_default(),
        name: target.name().map(str::to_owned),
        recreates: match target.requires_recreation() {
            Some(sdk::RequiresRecreation::Always) => Replacement::Yes,
            Some(sdk::RequiresRecreation::Conditionally) => Replacement::Conditional,
            _ => Replacement::No,
        },
        source: detail.change_source().map(|source| source.as_str().to_owned()),
        cause: detail.causing_entity().map(str::to_owned),
        is_certain: detail.evaluation() != Some(&sdk::EvaluationType::Dynamic),
    })
}
