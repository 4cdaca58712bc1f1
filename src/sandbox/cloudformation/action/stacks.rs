//! Creating, updating, deleting stacks, and going back.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::{Call, check_updatable, in_review, missing, missing_in_brackets, not_updatable};
use crate::sandbox::cloudformation::diff;
use crate::sandbox::cloudformation::model::{OnFailure, Operation, Stable, Stack, Status, Target};
use crate::sandbox::cloudformation::prepare::{Failure, Wish, insufficient};
use crate::sandbox::cloudformation::wire::{Fault, uuid};

/// Checks a stack's name.
pub(super) fn check_name(name: &str) -> Result<(), Fault> {
    let mut characters = name.chars();
    let fine = characters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '-');
    let broken = if !fine {
        "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*"
    } else if name.len() > 128 {
        "have length less than or equal to 128"
    } else {
        return Ok(());
    };
    Err(Fault::validation(format!(
        "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must {broken}"
    )))
}

impl Failure {
    /// For the operations that have no change set to show a late failure in.
    fn at_once(self) -> Fault {
        match self {
            Self::Now(fault) => fault,
            Self::Late { reason, .. } => Fault::validation(reason),
        }
    }
}

impl Operation {
    /// An operation that a request asks for.
    pub(super) fn new(action: &str, token: Option<String>) -> Self {
        Self { action: action.to_owned(), token, ..Self::default() }
    }
}

impl Stack {
    /// Begins to work towards a target. A stack that is whole is what a failure goes back to; one
    /// whose last operation failed and was left so goes back to what was whole before.
    pub(super) fn begin(&mut self, now: i64, target: Target, operation: Operation, status: Status) {
        if !matches!(self.status, Status::CreateFailed | Status::UpdateFailed) {
            self.stable = self.status.updatable().then(|| Stable {
                target: self.target.clone(),
                resources: self.resources.clone(),
                outputs: self.outputs.clone(),
            });
        }
        for set in &mut self.change_sets {
            set.become_obsolete();
        }
        self.target = Some(target);
        self.operation = Some(operation);
        if status == Status::UpdateInProgress {
            self.updated_ms = Some(now);
        }
        self.enter(now, status, Some("User Initiated".to_owned()));
    }

    /// Whether the last operation is this very request, sent again.
    fn repeats(&self, action: &str, token: Option<&String>) -> bool {
        token.is_some()
            && self.operation.as_ref().is_some_and(|last| last.action == action && last.token.as_ref() == token)
    }
}

impl Call<'_> {
    /// A stack that exists only as a name.
    pub(super) fn new_stack(&self, name: &str) -> Stack {
        let (account, region) = (self.request.account.clone(), self.request.region.clone());
        let mut stack = Stack {
            id: String::new(),
            name: name.to_owned(),
            account,
            region,
            status: Status::ReviewInProgress,
            reason: None,
            created_ms: self.now(),
            updated_ms: None,
            deleted_ms: None,
            termination_protection: false,
            change_set_id: None,
            target: None,
            stable: None,
            outputs: Vec::new(),
            imports: BTreeSet::new(),
            resources: IndexMap::new(),
            leftovers: Vec::new(),
            events: Vec::new(),
            change_sets: Vec::new(),
            operation: None,
        };
        stack.id = stack.arn(&format!("stack/{name}/{}", uuid()));
        stack
    }

    pub(super) async fn create_stack(mut self) -> Result<Value, Fault> {
        let name = self.fields.required("StackName")?;
        check_name(&name)?;
        let token = self.fields.text("ClientRequestToken");
        let taken = || Fault::new(400, "AlreadyExistsException", format!("Stack [{name}] already exists"));
        let existing = self.find(&name);
        match &existing {
            Some(stack) if stack.repeats("CreateStack", token.as_ref()) => return Ok(json!({"StackId": stack.id})),
            Some(stack) if !in_review(stack) => return Err(taken()),
            _ => {}
        }
        let wish = Wish::read(self.world, self.request, &mut self.fields, None).await?;
        let on_failure = self.fields.choice("OnFailure", &["DO_NOTHING", "ROLLBACK", "DELETE"])?;
        let disable_rollback = self.fields.flag("DisableRollback")?;
        if on_failure.is_some() && disable_rollback.is_some() {
            return Err(Fault::validation("You can only specify one of OnFailure or DisableRollback."));
        }
        let termination_protection = self.fields.flag("EnableTerminationProtection")?.unwrap_or(false);
        let operation = Operation {
            on_failure: match on_failure.as_deref() {
                Some(word) => OnFailure::of(word),
                None if disable_rollback == Some(true) => OnFailure::DoNothing,
                None => OnFailure::Rollback,
            },
            retain_except_on_create: self.fields.flag("RetainExceptOnCreate")?.unwrap_or(false),
            ..Operation::new("CreateStack", token)
        };
        self.end()?;
        require_expansion(&wish)?;
        let mut stack = existing.unwrap_or_else(|| self.new_stack(&name));
        let plan = wish.plan(&stack).map_err(Failure::at_once)?;
        let (account, region) = (&self.request.account, &self.request.region);
        let (id, now) = (stack.id.clone(), self.now());
        self.world.cloudformation.state.write(|state| {
            // Another request may have been faster.
            if state.find(account, region, &name).is_some_and(|found| !in_review(found)) {
                return Err(taken());
            }
            stack.termination_protection = termination_protection;
            stack.begin(now, plan.target, operation, Status::CreateInProgress);
            state.stacks.insert(stack.id.clone(), stack);
            Ok(())
        })?;
        self.start(&id);
        Ok(json!({"StackId": id}))
    }

    pub(super) async fn update_stack(mut self) -> Result<Value, Fault> {
        let name = self.fields.required("StackName")?;
        let token = self.fields.text("ClientRequestToken");
        let stack = self.find(&name).ok_or_else(|| missing_in_brackets(&name))?;
        if stack.repeats("UpdateStack", token.as_ref()) {
            return Ok(json!({"StackId": stack.id}));
        }
        check_updatable(&stack)?;
        let wish = Wish::read(self.world, self.request, &mut self.fields, Some(&stack)).await?;
        let disable_rollback = self.fields.flag("DisableRollback")?.unwrap_or(false);
        let operation = Operation {
            on_failure: if disable_rollback { OnFailure::DoNothing } else { OnFailure::Rollback },
            retain_except_on_create: self.fields.flag("RetainExceptOnCreate")?.unwrap_or(false),
            ..Operation::new("UpdateStack", token)
        };
        self.end()?;
        require_expansion(&wish)?;
        let plan = wish.plan(&stack).map_err(Failure::at_once)?;
        let exports = self.world.cloudformation.state.read(|state| state.exports(&stack.account, &stack.region));
        if diff::changes(&plan, &stack, &exports).is_empty() && !diff::beside_resources(&plan, &stack, &exports) {
            return Err(Fault::validation("No updates are to be performed."));
        }
        self.change(&stack.id, |stack, now| {
            check_updatable(stack)?;
            stack.change_set_id = None;
            stack.begin(now, plan.target, operation, Status::UpdateInProgress);
            Ok(())
        })??;
        self.start(&stack.id);
        Ok(json!({"StackId": stack.id}))
    }

    pub(super) fn delete_stack(mut self) -> Result<Value, Fault> {
        let name = self.fields.required("StackName")?;
        let token = self.fields.text("ClientRequestToken");
        let retain: BTreeSet<String> = self.fields.list("RetainResources").unwrap_or_default().into_iter().collect();
        let mode = self.fields.choice("DeletionMode", &["STANDARD", "FORCE_DELETE_STACK"])?;
        self.ignore_role();
        self.end()?;
        if mode.as_deref() == Some("FORCE_DELETE_STACK") {
            return Err(Fault::validation("The sandbox's CloudFormation cannot force the deletion of a stack"));
        }
        // A stack that is not there is deleted.
        let Some(stack) = self.find(&name).filter(|stack| stack.status != Status::DeleteComplete) else {
            return Ok(Value::Null);
        };
        self.change(&stack.id, |stack, now| {
            if stack.status == Status::DeleteInProgress {
                return Ok(());
            }
            if stack.termination_protection {
                return Err(Fault::validation(format!(
                    "Stack [{}] cannot be deleted while TerminationProtection is enabled",
                    stack.name
                )));
            }
            // AWS would cut a creation short; here it takes milliseconds and is waited for.
            if stack.status.in_progress() {
                return Err(Fault::validation(format!(
                    "Stack [{}] cannot be deleted while in status {}",
                    stack.id,
                    stack.status.word()
                )));
            }
            if !retain.is_empty() && stack.status != Status::DeleteFailed {
                return Err(Fault::validation(
                    "Invalid operation on stack. RetainResources can only be specified for stacks in the DELETE_FAILED state",
                ));
            }
            stack.operation = Some(Operation { retain, ..Operation::new("DeleteStack", token) });
            for set in &mut stack.change_sets {
                set.become_obsolete();
            }
            stack.enter(now, Status::DeleteInProgress, Some("User Initiated".to_owned()));
            Ok(())
        })??;
        self.start(&stack.id);
        Ok(Value::Null)
    }

    pub(super) fn rollback_stack(mut self) -> Result<Value, Fault> {
        let name = self.fields.required("StackName")?;
        let token = self.fields.text("ClientRequestToken");
        let retain_except_on_create = self.fields.flag("RetainExceptOnCreate")?.unwrap_or(false);
        self.ignore_role();
        self.end()?;
        let stack = self.find(&name).ok_or_else(|| missing(&name))?;
        self.change(&stack.id, |stack, now| {
            let next = match (stack.status, &stack.stable) {
                (Status::CreateFailed, _) => Status::RollbackInProgress,
                // An update of a stack that never was whole has only the beginning to go back to.
                (Status::UpdateFailed, Some(stable)) if stable.target.is_some() => Status::UpdateRollbackInProgress,
                (Status::UpdateFailed, _) => Status::RollbackInProgress,
                _ => {
                    return Err(Fault::validation(format!(
                        "Stack [{}] is in {} state and can not be rolled back.",
                        stack.id,
                        stack.status.word()
                    )));
                }
            };
            stack.operation = Some(Operation { retain_except_on_create, ..Operation::new("RollbackStack", token) });
            stack.enter(now, next, Some("User Initiated".to_owned()));
            Ok(())
        })??;
        self.start(&stack.id);
        Ok(json!({"StackId": stack.id}))
    }

    pub(super) fn continue_update_rollback(mut self) -> Result<Value, Fault> {
        let name = self.fields.required("StackName")?;
        let token = self.fields.text("ClientRequestToken");
        let skip: BTreeSet<String> = self.fields.list("ResourcesToSkip").unwrap_or_default().into_iter().collect();
        self.ignore_role();
        self.end()?;
        let stack = self.find(&name).ok_or_else(|| missing(&name))?;
        self.change(&stack.id, |stack, now| {
            if stack.status != Status::UpdateRollbackFailed {
                return Err(Fault::validation(format!(
                    "Stack:{} is in {} state and can not continue rollback.",
                    stack.id,
                    stack.status.word()
                )));
            }
            let failed = |id: &String| stack.resources.get(id).is_some_and(|record| record.status == "UPDATE_FAILED");
            if let Some(id) = skip.iter().find(|id| !failed(id)) {
                return Err(Fault::validation(format!(
                    "Resource {id} is not in UPDATE_FAILED state and cannot be skipped."
                )));
            }
            let retain_except_on_create = stack.operation.take().is_some_and(|last| last.retain_except_on_create);
            stack.operation =
                Some(Operation { skip, retain_except_on_create, ..Operation::new("ContinueUpdateRollback", token) });
            stack.enter(now, Status::UpdateRollbackInProgress, Some("User Initiated".to_owned()));
            Ok(())
        })??;
        self.start(&stack.id);
        Ok(json!({}))
    }

    pub(super) fn cancel_update_stack(mut self) -> Result<Value, Fault> {
        let name = self.fields.required("StackName")?;
        let _ = self.fields.text("ClientRequestToken");
        self.end()?;
        let stack = self.find(&name).ok_or_else(|| missing(&name))?;
        self.change(&stack.id, |stack, _| {
            if stack.status != Status::UpdateInProgress {
                return Err(Fault::validation(format!(
                    "CancelUpdateStack cannot be called from current stack status {}",
                    stack.status.word()
                )));
            }
            if let Some(operation) = &mut stack.operation {
                operation.cancelled = true;
                operation.on_failure = OnFailure::Rollback;
            }
            Ok(())
        })??;
        Ok(Value::Null)
    }

    pub(super) fn update_termination_protection(mut self) -> Result<Value, Fault> {
        let name = self.fields.required("StackName")?;
        let on = self.fields.flag("EnableTerminationProtection")?.unwrap_or(false);
        self.end()?;
        let stack = self.find(&name).ok_or_else(|| missing(&name))?;
        if stack.status == Status::DeleteComplete {
            return Err(not_updatable(&stack));
        }
        self.change(&stack.id, |stack, _| stack.termination_protection = on)?;
        Ok(json!({"StackId": stack.id}))
    }

    /// The role to act with: the sandbox asks nobody for permission.
    fn ignore_role(&mut self) {
        let _ = self.fields.text("RoleARN");
    }
}

/// A direct creation or update runs transforms only when that was acknowledged; a change set shows
/// what came out before it is executed.
fn require_expansion(wish: &Wish) -> Result<(), Fault> {
    if wish.needs_expansion() && !wish.capabilities.iter().any(|given| given == "CAPABILITY_AUTO_EXPAND") {
        return Err(insufficient("CAPABILITY_AUTO_EXPAND"));
    }
    Ok(())
}
