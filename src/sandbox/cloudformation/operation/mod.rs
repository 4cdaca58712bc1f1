//! What happens in the background: a stack on its way from one status to the next, until it rests.
//! Every phase starts from what the state says, so that one which the sandbox did not live to finish
//! is taken up again when it starts.

mod alias;
mod back;
mod forward;
mod removal;

use std::sync::Arc;

use serde_json::Value;

use super::evaluate::Pseudo;
use super::model::{Resource, Stack, State, Status};
use super::resource::Context;
use crate::sandbox::state::World;

/// A stack that is being worked on.
#[derive(Clone, Debug)]
pub(super) struct Work {
    world: Arc<World>,
    stack_id: String,
}

/// Goes on with a stack until no operation is under way. Does nothing when that is being done.
pub(super) fn start(world: &Arc<World>, stack_id: &str) {
    if !world.cloudformation.claim(stack_id) {
        return;
    }
    let work = Work { world: Arc::clone(world), stack_id: stack_id.to_owned() };
    tokio::spawn(async move {
        loop {
            work.run().await;
            work.world.cloudformation.release(&work.stack_id);
            // A request may have begun something new while this was about to end.
            let more = work.read(|stack| stack.status.in_progress()).unwrap_or(false);
            if !more || !work.world.cloudformation.claim(&work.stack_id) {
                return;
            }
        }
    });
}

/// Takes up what was under way when the sandbox ended. What was being created or updated goes back:
/// how far the last call came is not known.
pub(super) fn resume(world: &Arc<World>, stack_id: &str) {
    let work = Work { world: Arc::clone(world), stack_id: stack_id.to_owned() };
    let reason = Some("The sandbox ended during the operation. ".to_owned());
    work.change(|stack, now| match stack.status {
        Status::CreateInProgress => stack.enter(now, Status::RollbackInProgress, reason),
        Status::UpdateInProgress => stack.enter(now, Status::UpdateRollbackInProgress, reason),
        _ => {}
    });
    start(world, stack_id);
}

impl Work {
    async fn run(&self) {
        loop {
            match self.read(|stack| stack.status) {
                Some(Status::CreateInProgress | Status::UpdateInProgress) => self.forward().await,
                Some(Status::UpdateRollbackInProgress) => self.back().await,
                Some(Status::UpdateCompleteCleanupInProgress | Status::UpdateRollbackCompleteCleanupInProgress) => {
                    self.cleanup().await;
                }
                Some(Status::RollbackInProgress) => self.undo_creation().await,
                Some(Status::DeleteInProgress) => self.delete().await,
                _ => return,
            }
        }
    }

    /// Looks at the stack.
    fn read<R>(&self, look: impl FnOnce(&Stack) -> R) -> Option<R> {
        self.world.cloudformation.state.read(|state| state.stacks.get(&self.stack_id).map(look))
    }

    /// Changes the stack; the change gets the sandbox's time too.
    fn change<R>(&self, change: impl FnOnce(&mut Stack, i64) -> R) -> Option<R> {
        let now = self.world.clock.now_ms();
        self.world
            .cloudformation
            .state
            .write(|state| state.stacks.get_mut(&self.stack_id).map(|stack| change(stack, now)))
    }

    /// Sets a resource's status and says so in an event.
    fn note(&self, id: &str, status: &str, reason: Option<String>, edit: impl FnOnce(&mut Resource)) {
        self.change(|stack, now| {
            let Some(record) = stack.resources.get_mut(id) else { return };
            edit(record);
            status.clone_into(&mut record.status);
            record.reason.clone_from(&reason);
            record.updated_ms = now;
            let record = record.clone();
            stack.note(now, id, &record, status, reason);
        });
    }

    /// Looks at the stack and at what there is beside it. The lock is taken once: a second time
    /// inside would wait for a writer that waits for the first.
    fn look<R>(&self, look: impl FnOnce(&State, &Stack) -> R) -> Option<R> {
        self.world.cloudformation.state.read(|state| state.stacks.get(&self.stack_id).map(|stack| look(state, stack)))
    }

    /// What a provider may know.
    fn context(&self, stack: &Stack, logical_id: &str, resource: &Resource) -> Context {
        Context {
            world: Arc::clone(&self.world),
            pseudo: pseudo(stack),
            logical_id: logical_id.to_owned(),
            suffix: resource.suffix.clone(),
            tags: resource.tags.clone(),
        }
    }
}

/// The pseudo parameters of a stack.
pub(super) fn pseudo(stack: &Stack) -> Pseudo {
    Pseudo {
        account: stack.account.clone(),
        region: stack.region.clone(),
        stack_id: stack.id.clone(),
        stack_name: stack.name.clone(),
        notification_arns: stack.target.as_ref().map(|target| target.notification_arns.clone()).unwrap_or_default(),
    }
}

/// `The following resource(s) failed to create: [A, B]. `
fn failed_to(verb: &str, names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!("The following resource(s) failed to {verb}: [{}]. ", names.join(", "))
    }
}

/// The first dynamic reference in a value: the sandbox has nothing that could resolve one.
fn dynamic_reference(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let start = text.find("{{resolve:")?;
            Some(text[start..].split_inclusive("}}").next().unwrap_or_default().to_owned())
        }
        Value::Array(items) => items.iter().find_map(dynamic_reference),
        Value::Object(map) => map.values().find_map(dynamic_reference),
        _ => None,
    }
}
