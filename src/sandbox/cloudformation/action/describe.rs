//! What stacks, their resources, events and exports look like.

use serde_json::{Value, json};

use super::change_sets::parameters;
use super::{Call, missing, missing_in_brackets};
use crate::sandbox::cloudformation::model::{Event, OnFailure, Resource, Stack, Status};
use crate::sandbox::cloudformation::wire::{Fault, timestamp};

/// How many events, stacks or resources are on a page, as on AWS.
const A_PAGE: usize = 100;

const NOT_CHECKED: &str = "NOT_CHECKED";

fn stack(stack: &Stack) -> Value {
    let target = stack.target.as_ref();
    let deleted = stack.status == Status::DeleteComplete;
    let on_failure = stack.operation.as_ref().map(|operation| operation.on_failure);
    let outputs: Vec<Value> = stack
        .outputs
        .iter()
        .map(|output| {
            json!({
                "OutputKey": output.key,
                "OutputValue": output.value,
                "Description": output.description,
                "ExportName": output.export,
            })
        })
        .collect();
    // While a change set waits, the stack shows the tags that it would get.
    let tags = target.map(|target| &target.tags).or_else(|| stack.change_sets.last().map(|set| &set.target.tags));
    let tags: Vec<Value> = tags.into_iter().flatten().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set_id,
        "Description": target.and_then(|target| target.description()),
        "Parameters": target.map(parameters),
        "CreationTime": timestamp(stack.created_ms),
        "DeletionTime": stack.deleted_ms.map(timestamp),
        "LastUpdatedTime": stack.updated_ms.map(timestamp),
        "RollbackConfiguration": {},
        "StackStatus": stack.status.word(),
        "StackStatusReason": stack.reason,
        "DisableRollback": on_failure == Some(OnFailure::DoNothing),
        "NotificationARNs": target.map(|target| target.notification_arns.clone()).unwrap_or_default(),
        "Capabilities": target.map(|target| target.capabilities.clone()).filter(|list| !list.is_empty()),
        "Outputs": (!outputs.is_empty()).then_some(outputs),
        "RoleARN": target.and_then(|target| target.role_arn.clone()),
        "Tags": tags,
        "EnableTerminationProtection": (!deleted).then_some(stack.termination_protection),
        "DriftInformation": {"StackDriftStatus": NOT_CHECKED},
    })
}

fn summary(stack: &Stack) -> Value {
    json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "TemplateDescription": stack.target.as_ref().and_then(|target| target.description()),
        "CreationTime": timestamp(stack.created_ms),
        "LastUpdatedTime": stack.updated_ms.map(timestamp),
        "DeletionTime": stack.deleted_ms.map(timestamp),
        "StackStatus": stack.status.word(),
        "StackStatusReason": stack.reason,
        "DriftInformation": {"StackDriftStatus": NOT_CHECKED},
    })
}

fn event(stack: &Stack, event: &Event) -> Value {
    json!({
        "StackId": stack.id,
        "EventId": event.id,
        "StackName": stack.name,
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.kind,
        "Timestamp": timestamp(event.time_ms),
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
        "ResourceProperties": event.properties,
        "ClientRequestToken": event.token,
    })
}

/// A resource; the time's field has another name in each operation.
fn resource(stack: Option<&Stack>, id: &str, resource: &Resource, time: &str) -> Value {
    json!({
        "StackName": stack.map(|stack| &stack.name),
        "StackId": stack.map(|stack| &stack.id),
        "LogicalResourceId": id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.kind,
        time: timestamp(resource.updated_ms),
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason,
        "DriftInformation": {"StackResourceDriftStatus": NOT_CHECKED},
    })
}

/// A stack's resources by their names.
fn sorted(stack: &Stack) -> Vec<(&String, &Resource)> {
    let mut all: Vec<(&String, &Resource)> = stack.resources.iter().collect();
    all.sort_by_key(|(id, _)| id.as_str());
    all
}

impl Call<'_> {
    pub(super) fn describe_stacks(mut self) -> Result<Value, Fault> {
        let (name, token) = (self.fields.text("StackName"), self.fields.text("NextToken"));
        self.end()?;
        if let Some(name) = name {
            let found = self.find(&name).ok_or_else(|| missing(&name))?;
            return Ok(json!({"Stacks": [stack(&found)]}));
        }
        let (account, region) = (&self.request.account, &self.request.region);
        let all: Vec<Value> = self.world.cloudformation.state.read(|state| {
            state.in_region(account, region).filter(|found| found.status != Status::DeleteComplete).map(stack).collect()
        });
        let (page, next) = self.page(all, token, A_PAGE)?;
        Ok(json!({"Stacks": page, "NextToken": next}))
    }

    pub(super) fn list_stacks(mut self) -> Result<Value, Fault> {
        let filter = self.fields.list("StackStatusFilter").unwrap_or_default();
        let token = self.fields.text("NextToken");
        self.end()?;
        let (account, region) = (&self.request.account, &self.request.region);
        let wanted = |found: &&Stack| filter.is_empty() || filter.contains(&found.status.word());
        let all: Vec<Value> = self
            .world
            .cloudformation
            .state
            .read(|state| state.in_region(account, region).filter(wanted).map(summary).collect());
        let (page, next) = self.page(all, token, A_PAGE)?;
        Ok(json!({"StackSummaries": page, "NextToken": next}))
    }

    pub(super) fn describe_stack_events(mut self) -> Result<Value, Fault> {
        let name = self.fields.required("StackName")?;
        let token = self.fields.text("NextToken");
        self.end()?;
        let found = self.find(&name).ok_or_else(|| missing_in_brackets(&name))?;
        // Newest first; the token counts from the oldest, so that new events do not shift the pages.
        let end = match token {
            None => found.events.len(),
            Some(token) => token
                .strip_prefix("before-")
                .and_then(|end| end.parse::<usize>().ok())
                .filter(|end| *end <= found.events.len())
                .ok_or_else(|| Fault::validation("Invalid NextToken"))?,
        };
        let start = end.saturating_sub(A_PAGE);
        let page: Vec<Value> = found.events[start..end].iter().rev().map(|one| event(&found, one)).collect();
        Ok(json!({"StackEvents": page, "NextToken": (start > 0).then(|| format!("before-{start}"))}))
    }

    pub(super) fn describe_stack_resource(mut self) -> Result<Value, Fault> {
        let (name, id) = (self.fields.required("StackName")?, self.fields.required("LogicalResourceId")?);
        self.end()?;
        let found = self.find(&name).ok_or_else(|| Fault::validation(format!("Stack '{name}' does not exist")))?;
        let record = found
            .resources
            .get(&id)
            .ok_or_else(|| Fault::validation(format!("Resource {id} does not exist for stack {}", found.name)))?;
        let mut detail = resource(Some(&found), &id, record, "LastUpdatedTimestamp");
        detail["Metadata"] = record.metadata.as_ref().map(Value::to_string).into();
        Ok(json!({"StackResourceDetail": detail}))
    }

    pub(super) fn describe_stack_resources(mut self) -> Result<Value, Fault> {
        let (name, id) = (self.fields.text("StackName"), self.fields.text("LogicalResourceId"));
        let physical_id = self.fields.text("PhysicalResourceId");
        self.end()?;
        let found = match (&name, &physical_id) {
            (Some(name), None) => self.find(name).ok_or_else(|| missing(name))?,
            (None, Some(physical_id)) => {
                let (account, region) = (&self.request.account, &self.request.region);
                let owner = self.world.cloudformation.state.read(|state| {
                    let owns = |stack: &&Stack| {
                        stack.resources.values().any(|record| record.physical_id.as_ref() == Some(physical_id))
                    };
                    state.in_region(account, region).find(owns).cloned()
                });
                owner.ok_or_else(|| Fault::validation(format!("Stack for {physical_id} does not exist")))?
            }
            _ => {
                return Err(Fault::validation("Exactly one of StackName and PhysicalResourceId must be specified."));
            }
        };
        let wanted = sorted(&found).into_iter().filter(|(known, _)| id.as_ref().is_none_or(|id| id == *known));
        let all: Vec<Value> = wanted.map(|(id, record)| resource(Some(&found), id, record, "Timestamp")).collect();
        Ok(json!({"StackResources": all}))
    }

    pub(super) fn list_stack_resources(mut self) -> Result<Value, Fault> {
        let (name, token) = (self.fields.required("StackName")?, self.fields.text("NextToken"));
        self.end()?;
        let found = self.find(&name).ok_or_else(|| missing(&name))?;
        let all: Vec<Value> =
            sorted(&found).into_iter().map(|(id, record)| resource(None, id, record, "LastUpdatedTimestamp")).collect();
        let (page, next) = self.page(all, token, A_PAGE)?;
        Ok(json!({"StackResourceSummaries": page, "NextToken": next}))
    }

    pub(super) fn list_exports(mut self) -> Result<Value, Fault> {
        let token = self.fields.text("NextToken");
        self.end()?;
        let (account, region) = (&self.request.account, &self.request.region);
        let exports = self.world.cloudformation.state.read(|state| state.exports(account, region));
        let all: Vec<Value> = exports
            .into_iter()
            .map(|(name, (value, stack))| json!({"ExportingStackId": stack, "Name": name, "Value": value}))
            .collect();
        let (page, next) = self.page(all, token, A_PAGE)?;
        Ok(json!({"Exports": page, "NextToken": next}))
    }

    pub(super) fn list_imports(mut self) -> Result<Value, Fault> {
        let (export, token) = (self.fields.required("ExportName")?, self.fields.text("NextToken"));
        self.end()?;
        let (account, region) = (&self.request.account, &self.request.region);
        let all: Vec<Value> =
            self.world.cloudformation.state.read(|state| {
                state.importers(account, region, &export).map(|stack| stack.name.clone().into()).collect()
            });
        if all.is_empty() {
            return Err(Fault::validation(format!("Export '{export}' is not imported by any stack.")));
        }
        let (page, next) = self.page(all, token, A_PAGE)?;
        Ok(json!({"Imports": page, "NextToken": next}))
    }
}
