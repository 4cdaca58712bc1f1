//! The operations of the API.

mod change_sets;
mod describe;
mod stacks;
mod templates;

use std::sync::Arc;

use serde_json::Value;

use super::model::{Stack, Status};
use super::wire::{Fault, Fields};
use crate::sandbox::http::Request;
use crate::sandbox::state::World;

/// What an operation works with.
#[derive(Debug)]
struct Call<'a> {
    world: &'a Arc<World>,
    request: &'a Request,
    fields: Fields,
}

/// Performs an operation by its name.
pub(super) async fn perform(world: &Arc<World>, request: &Request, name: &str, fields: Fields) -> Result<Value, Fault> {
    let call = Call { world, request, fields };
    match name {
        "CreateStack" => call.create_stack().await,
        "UpdateStack" => call.update_stack().await,
        "DeleteStack" => call.delete_stack(),
        "RollbackStack" => call.rollback_stack(),
        "ContinueUpdateRollback" => call.continue_update_rollback(),
        "CancelUpdateStack" => call.cancel_update_stack(),
        "UpdateTerminationProtection" => call.update_termination_protection(),
        "CreateChangeSet" => call.create_change_set().await,
        "DescribeChangeSet" => call.describe_change_set(),
        "ExecuteChangeSet" => call.execute_change_set(),
        "DeleteChangeSet" => call.delete_change_set(),
        "ListChangeSets" => call.list_change_sets(),
        "DescribeStacks" => call.describe_stacks(),
        "ListStacks" => call.list_stacks(),
        "DescribeStackEvents" => call.describe_stack_events(),
        "DescribeStackResource" => call.describe_stack_resource(),
        "DescribeStackResources" => call.describe_stack_resources(),
        "ListStackResources" => call.list_stack_resources(),
        "ListExports" => call.list_exports(),
        "ListImports" => call.list_imports(),
        "GetTemplate" => call.get_template(),
        "DescribeType" => call.describe_type(),
        "GetTemplateSummary" => call.get_template_summary().await,
        "ValidateTemplate" => call.validate_template().await,
        other => Err(Fault::not_implemented(other)),
    }
}

impl Call<'_> {
    fn now(&self) -> i64 {
        self.world.clock.now_ms()
    }

    /// Refuses the fields that nobody has read.
    fn end(&mut self) -> Result<(), Fault> {
        std::mem::take(&mut self.fields).end()
    }

    /// A copy of the stack that a name or an ID means.
    fn find(&self, name: &str) -> Option<Stack> {
        let (account, region) = (&self.request.account, &self.request.region);
        self.world.cloudformation.state.read(|state| state.find(account, region, name).cloned())
    }

    /// Changes a stack by its ID.
    fn change<R>(&self, id: &str, change: impl FnOnce(&mut Stack, i64) -> R) -> Result<R, Fault> {
        let now = self.now();
        let changed =
            self.world.cloudformation.state.write(|state| state.stacks.get_mut(id).map(|stack| change(stack, now)));
        changed.ok_or_else(|| missing(id))
    }

    /// Has the engine go on with a stack.
    fn start(&self, stack_id: &str) {
        super::operation::start(self.world, stack_id);
    }

    /// Cuts a list into pages: the one that the token asks for, and the token of the next.
    fn page<T>(&self, all: Vec<T>, token: Option<String>, size: usize) -> Result<(Vec<T>, Option<String>), Fault> {
        let start = match token {
            None => 0,
            Some(token) => token
                .strip_prefix("page-")
                .and_then(|start| start.parse::<usize>().ok())
                .ok_or_else(|| Fault::validation("Invalid NextToken"))?,
        };
        let total = all.len();
        let page: Vec<T> = all.into_iter().skip(start).take(size).collect();
        let end = start.saturating_add(page.len());
        Ok((page, (end < total).then(|| format!("page-{end}"))))
    }
}

/// `Stack with id X does not exist`, as most operations say it.
fn missing(name: &str) -> Fault {
    Fault::validation(format!("Stack with id {name} does not exist"))
}

/// `Stack [X] does not exist`, as operations on events and change sets say it.
fn missing_in_brackets(name: &str) -> Fault {
    Fault::validation(format!("Stack [{name}] does not exist"))
}

fn not_updatable(stack: &Stack) -> Fault {
    Fault::validation(format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status.word()))
}

/// Refuses a stack that cannot be updated now.
fn check_updatable(stack: &Stack) -> Result<(), Fault> {
    if stack.status.updatable() { Ok(()) } else { Err(not_updatable(stack)) }
}

/// Whether a stack is only a name with change sets.
fn in_review(stack: &Stack) -> bool {
    stack.status == Status::ReviewInProgress
}
