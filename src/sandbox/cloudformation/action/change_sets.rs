//! Change sets.

use serde_json::{Value, json};

use super::stacks::check_name;
use super::{Call, check_updatable, in_review, missing_in_brackets, not_updatable};
use crate::sandbox::cloudformation::diff;
use crate::sandbox::cloudformation::model::{ChangeSet, Execution, OnFailure, Operation, Stack, Status, Target};
use crate::sandbox::cloudformation::plan::Plan;
use crate::sandbox::cloudformation::prepare::{Failure, Wish};
use crate::sandbox::cloudformation::wire::{Fault, timestamp, uuid};

/// How many changes are on a page.
const A_PAGE: usize = 100;

impl ChangeSet {
    /// Makes it one that can no longer be executed, if it could.
    pub(super) fn become_obsolete(&mut self) {
        if self.execution == Execution::Available {
            self.execution = Execution::Obsolete;
        }
    }

    fn status(&self) -> &'static str {
        if self.failure.is_some() { "FAILED" } else { "CREATE_COMPLETE" }
    }

    /// Whether it is still one of the stack's: an executed one is gone with all the others, and only
    /// described.
    fn listed(&self) -> bool {
        matches!(self.execution, Execution::Available | Execution::Unavailable)
    }
}

/// Why a change set without changes failed: the two texts that clients look for.
fn no_changes(plan: &Plan, stack: &Stack) -> &'static str {
    let same = stack.target.as_ref().is_some_and(|target| target.processed == plan.target.processed);
    if same && plan.target.transforms.is_empty() {
        "The submitted information didn't contain changes. Submit different information to create a change set."
    } else {
        "No updates are to be performed."
    }
}

fn gone(name: &str) -> Fault {
    Fault::new(404, "ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"))
}

fn created_already(stack_name: &str, name: &str) -> Fault {
    Fault::validation(format!(
        "Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
    ))
}

impl Call<'_> {
    pub(super) async fn create_change_set(mut self) -> Result<Value, Fault> {
        let stack_name = self.fields.required("StackName")?;
        let name = self.fields.required("ChangeSetName")?;
        check_change_set_name(&name)?;
        let kind = self.fields.choice("ChangeSetType", &["CREATE", "UPDATE", "IMPORT"])?;
        if kind.as_deref() == Some("IMPORT") {
            return Err(Fault::validation("The sandbox's CloudFormation cannot import resources"));
        }
        let create = kind.as_deref() == Some("CREATE");
        let stack = self.stack_for(&stack_name, &name, create)?;
        let previous = stack.target.is_some().then_some(&stack);
        let wish = Wish::read(self.world, self.request, &mut self.fields, previous).await?;
        let description = self.fields.text("Description");
        let on_stack_failure = self.fields.choice("OnStackFailure", &["DO_NOTHING", "ROLLBACK", "DELETE"])?;
        let include_nested = self.fields.flag("IncludeNestedStacks")?.unwrap_or(false);
        let token = self.fields.text("ClientToken");
        self.end()?;
        let (target, changes, failure) = match wish.plan(&stack) {
            Ok(plan) => {
                let exports =
                    self.world.cloudformation.state.read(|state| state.exports(&stack.account, &stack.region));
                let changes = diff::changes(&plan, &stack, &exports);
                let empty = !create && changes.is_empty() && !diff::beside_resources(&plan, &stack, &exports);
                let failure = empty.then(|| no_changes(&plan, &stack).to_owned());
                (plan.target, changes, failure)
            }
            Err(Failure::Now(fault)) => return Err(fault),
            Err(Failure::Late { target, reason }) => (*target, Vec::new(), Some(reason)),
        };
        let set = ChangeSet {
            id: stack.arn(&format!("changeSet/{name}/{}", uuid())),
            name,
            description,
            created_ms: self.now(),
            create,
            execution: if failure.is_some() { Execution::Unavailable } else { Execution::Available },
            failure,
            target,
            changes,
            on_stack_failure: on_stack_failure.as_deref().map(OnFailure::of),
            include_nested,
            token,
        };
        self.keep(stack, set)
    }

    /// The stack that the change set is for; a new one, in review, where it is to be created.
    fn stack_for(&self, stack_name: &str, name: &str, create: bool) -> Result<Stack, Fault> {
        let found = self.find(stack_name);
        if !create {
            let stack = found.ok_or_else(|| missing_in_brackets(stack_name))?;
            check_updatable(&stack)?;
            return Ok(stack);
        }
        match found {
            Some(stack) if in_review(&stack) => Ok(stack),
            Some(_) => Err(created_already(stack_name, name)),
            None if stack_name.starts_with("arn:") => Err(missing_in_brackets(stack_name)),
            None => {
                check_name(stack_name)?;
                Ok(self.new_stack(stack_name))
            }
        }
    }

    fn keep(&self, mut stack: Stack, set: ChangeSet) -> Result<Value, Fault> {
        let now = self.now();
        let (account, region) = (&self.request.account, &self.request.region);
        self.world.cloudformation.state.write(|state| {
            let known = state.find(account, region, &stack.name).map(|known| known.id.clone());
            if known.as_ref().is_some_and(|known| *known != stack.id) {
                return Err(created_already(&stack.name, &set.name));
            }
            if known.is_none() {
                stack.enter(now, Status::ReviewInProgress, Some("User Initiated".to_owned()));
            }
            let stack = state.stacks.entry(stack.id.clone()).or_insert(stack);
            if let Some(same) = stack.change_sets.iter().find(|known| known.name == set.name && known.listed()) {
                if set.token.is_some() && same.token == set.token {
                    return Ok(json!({"Id": same.id, "StackId": stack.id}));
                }
                let message =
                    format!("ChangeSet {} cannot be created due to a mismatch with existing attribute Name", set.name);
                return Err(Fault::new(400, "AlreadyExistsException", message));
            }
            let answer = json!({"Id": set.id, "StackId": stack.id});
            stack.change_sets.push(set);
            Ok(answer)
        })
    }

    /// Stack and change set that the fields mean.
    fn change_set(&mut self) -> Result<(Stack, ChangeSet), Fault> {
        let name = self.fields.required("ChangeSetName")?;
        let stack = match self.fields.text("StackName") {
            Some(stack_name) => self.find(&stack_name).ok_or_else(|| missing_in_brackets(&stack_name))?,
            None if name.starts_with("arn:") => self.stack_of(&name).ok_or_else(|| gone(&name))?,
            None => {
                return Err(Fault::validation(
                    "StackName must be specified if ChangeSetName is not specified as an ARN.",
                ));
            }
        };
        let set = stack.change_set(&name).cloned().ok_or_else(|| gone(&name))?;
        Ok((stack, set))
    }

    /// The stack that a change set belongs to.
    pub(super) fn stack_of(&self, change_set_id: &str) -> Option<Stack> {
        let (account, region) = (&self.request.account, &self.request.region);
        self.world.cloudformation.state.read(|state| {
            state.in_region(account, region).find(|stack| stack.change_set(change_set_id).is_some()).cloned()
        })
    }

    pub(super) fn describe_change_set(mut self) -> Result<Value, Fault> {
        let (stack, set) = self.change_set()?;
        let token = self.fields.text("NextToken");
        if self.fields.flag("IncludePropertyValues")? == Some(true) {
            return Err(Fault::validation("The sandbox's CloudFormation does not have IncludePropertyValues"));
        }
        self.end()?;
        let (changes, next) = self.page(set.changes.clone(), token, A_PAGE)?;
        Ok(json!({
            "ChangeSetName": set.name,
            "ChangeSetId": set.id,
            "StackId": stack.id,
            "StackName": stack.name,
            "Description": set.description,
            "Parameters": parameters(&set.target),
            "CreationTime": timestamp(set.created_ms),
            "ExecutionStatus": set.execution.word(),
            "Status": set.status(),
            "StatusReason": set.failure,
            "NotificationARNs": set.target.notification_arns,
            "RollbackConfiguration": {},
            "Capabilities": set.target.capabilities,
            "Tags": tags(&set.target),
            "Changes": changes,
            "NextToken": next,
            "IncludeNestedStacks": set.include_nested,
            "OnStackFailure": set.on_stack_failure.map(OnFailure::word),
        }))
    }

    pub(super) fn execute_change_set(mut self) -> Result<Value, Fault> {
        let (stack, set) = self.change_set()?;
        let token = self.fields.text("ClientRequestToken");
        let disable_rollback = self.fields.flag("DisableRollback")?;
        let retain_except_on_create = self.fields.flag("RetainExceptOnCreate")?.unwrap_or(false);
        self.end()?;
        if disable_rollback == Some(true) && set.on_stack_failure.is_some() {
            return Err(Fault::validation("DisableRollback cannot be used with a change set that has OnStackFailure"));
        }
        let refuse = |what: &str, status: String| {
            let id = &set.id;
            let message = format!("ChangeSet [{id}] cannot be executed in its current {what} of [{status}]");
            Fault::new(400, "InvalidChangeSetStatus", message)
        };
        self.change(&stack.id, |stack, now| {
            let updatable = stack.status.updatable();
            let reviewed = in_review(stack);
            let Some(set) = stack.change_sets.iter_mut().find(|known| known.id == set.id) else {
                return Err(gone(&set.id));
            };
            if set.execution == Execution::ExecuteComplete && token.is_some() && set.token == token {
                return Ok(());
            }
            if set.failure.is_some() {
                return Err(refuse("status", set.status().to_owned()));
            }
            if set.execution != Execution::Available {
                return Err(refuse("execution status", set.execution.word()));
            }
            let fits = if set.create { reviewed } else { updatable };
            if !fits {
                return Err(not_updatable(stack));
            }
            set.execution = Execution::ExecuteComplete;
            set.token.clone_from(&token);
            let status = if set.create { Status::CreateInProgress } else { Status::UpdateInProgress };
            let (id, target) = (set.id.clone(), set.target.clone());
            let on_failure = match disable_rollback {
                Some(true) => OnFailure::DoNothing,
                _ => set.on_stack_failure.unwrap_or_default(),
            };
            let operation =
                Operation { on_failure, retain_except_on_create, ..Operation::new("ExecuteChangeSet", token) };
            stack.change_set_id = Some(id);
            stack.updated_ms = Some(now);
            stack.begin(now, target, operation, status);
            Ok(())
        })??;
        self.start(&stack.id);
        Ok(json!({}))
    }

    pub(super) fn delete_change_set(mut self) -> Result<Value, Fault> {
        let (stack, set) = match self.change_set() {
            // A change set that is not there is deleted.
            Err(fault) if fault.code == "ChangeSetNotFound" => return Ok(json!({})),
            other => other?,
        };
        self.end()?;
        self.change(&stack.id, |stack, _| stack.change_sets.retain(|known| known.id != set.id))?;
        Ok(json!({}))
    }

    pub(super) fn list_change_sets(mut self) -> Result<Value, Fault> {
        let name = self.fields.required("StackName")?;
        let token = self.fields.text("NextToken");
        self.end()?;
        let stack = self.find(&name).ok_or_else(|| missing_in_brackets(&name))?;
        let summary = |set: &ChangeSet| {
            json!({
                "StackId": stack.id,
                "StackName": stack.name,
                "ChangeSetId": set.id,
                "ChangeSetName": set.name,
                "ExecutionStatus": set.execution.word(),
                "Status": set.status(),
                "StatusReason": set.failure,
                "CreationTime": timestamp(set.created_ms),
                "Description": set.description,
                "IncludeNestedStacks": set.include_nested,
            })
        };
        let all: Vec<Value> = stack.change_sets.iter().filter(|set| set.listed()).map(summary).collect();
        let (page, next) = self.page(all, token, A_PAGE)?;
        Ok(json!({"Summaries": page, "NextToken": next}))
    }
}

fn check_change_set_name(name: &str) -> Result<(), Fault> {
    let mut characters = name.chars();
    let fine = characters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '-')
        && name.len() <= 128;
    if fine {
        return Ok(());
    }
    Err(Fault::validation(format!(
        "1 validation error detected: Value '{name}' at 'changeSetName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/]*"
    )))
}

/// `Parameters` of a stack or change set; nothing when there are none.
pub(super) fn parameters(target: &Target) -> Value {
    if target.parameters.is_empty() {
        return Value::Null;
    }
    let all = target.parameters.iter();
    all.map(|(key, parameter)| json!({"ParameterKey": key, "ParameterValue": parameter.shown()})).collect()
}

fn tags(target: &Target) -> Value {
    if target.tags.is_empty() {
        return Value::Null;
    }
    target.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}
