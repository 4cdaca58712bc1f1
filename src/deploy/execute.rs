//! Executing a change set: CloudFormation works, its events are passed on as they come, and in the
//! end the stack is what it should be, or it is said what failed first.

use std::collections::HashMap;
use std::time::Duration;

use time::OffsetDateTime;

use crate::aws::Aws;
use crate::aws::cloudformation::{CloudFormation, Execution, Stack, StackEvent};

use super::cause::{self, Cause};
use super::change_set::{ReadyChangeSet, StackChange};
use super::wait::Wait;
use super::{Error, Event, Failure, Sink};

/// How long a deletion may take.
const DELETE_LIMIT: Duration = Duration::from_secs(60 * 60);
/// How deep nested stacks are followed for the cause of a failure.
const NESTING_LIMIT: usize = 5;
/// How long an end state is not believed without a single new event: the one before execution may
/// still be shown.
const NO_EVENTS_GRACE: Duration = Duration::from_secs(20);

/// What to do when the execution fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// CloudFormation goes back.
    #[default]
    Rollback,
    /// Go back, and delete a stack that was new.
    Delete,
    /// Leave everything as it is.
    DoNothing,
}

impl OnFailure {
    /// Whether CloudFormation is told not to roll back.
    pub fn disables_rollback(self) -> bool {
        self == Self::DoNothing
    }
}

/// Executes a change set and waits for its end.
///
/// # Errors
/// [`Error::Failed`] with the first cause; a call failed; the limit is reached.
pub async fn execute(
    aws: &Aws,
    change: &StackChange,
    change_set: &ReadyChangeSet,
    sink: Sink<'_>,
) -> Result<Stack, Error> {
    let cloudformation = aws.cloudformation();
    let stack_id = &change_set.id.stack_id;
    let seen = cloudformation.newest_event(stack_id).await?;
    let how = Execution {
        // In express mode the change set itself says it.
        disable_rollback: (!change.express).then_some(change.on_failure.disables_rollback()),
        retain_except_on_create: change.retain_except_on_create && !change.on_failure.disables_rollback(),
        token: format!("samara-{:016x}", rand::random::<u64>()),
    };
    cloudformation.execute_change_set(&change_set.id, &how).await?;
    sink(Event::Executing { stack: change.stack.clone() });
    let mut watch = Watch::new(cloudformation.clone(), stack_id.clone(), seen);
    let stack = watch.until_idle(change.max_wait, sink).await?;
    if stack.status.is_success() {
        sink(Event::Done(stack.clone()));
        return Ok(stack);
    }
    let cause = watch.cause().await;
    let stack = match change.on_failure {
        OnFailure::Delete => clear(aws, change, &mut watch, stack, sink).await?,
        OnFailure::Rollback | OnFailure::DoNothing => stack,
    };
    Err(Error::Failed(Box::new(Failure { stack: change.stack.clone(), status: stack.status, cause })))
}

/// `--on-failure DELETE`: a failed update goes back, a failed creation goes away.
async fn clear(
    aws: &Aws,
    change: &StackChange,
    watch: &mut Watch,
    mut stack: Stack,
    sink: Sink<'_>,
) -> Result<Stack, Error> {
    let token = format!("samara-{:016x}", rand::random::<u64>());
    if stack.status.0 == "UPDATE_FAILED" {
        aws.cloudformation().rollback_stack(&stack.id, change.role_arn.as_deref(), &token).await?;
        stack = watch.until_idle(change.max_wait, sink).await?;
    }
    if matches!(stack.status.0.as_str(), "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED") {
        delete_stack(aws, &stack.id, change.role_arn.as_deref(), sink).await?;
        stack.status.0 = "DELETE_COMPLETE".to_owned();
    }
    Ok(stack)
}

/// Deletes a stack and waits until it is gone.
///
/// # Errors
/// The deletion failed; a call failed; the limit is reached.
pub async fn delete_stack(aws: &Aws, stack: &str, role_arn: Option<&str>, sink: Sink<'_>) -> Result<(), Error> {
    let cloudformation = aws.cloudformation();
    // After its deletion a stack is known by its id alone.
    let Some(found) = cloudformation.stack(stack).await? else { return Ok(()) };
    let token = format!("samara-{:016x}", rand::random::<u64>());
    cloudformation.delete_stack(&found.id, role_arn, &token).await?;
    let mut wait = Wait::new(format!("the deletion of stack {}", found.name), DELETE_LIMIT, true, sink);
    loop {
        let Some(now) = cloudformation.stack(&found.id).await? else { return Ok(()) };
        match now.status.0.as_str() {
            "DELETE_COMPLETE" => return Ok(()),
            "DELETE_FAILED" => {
                return Err(Error::Stuck { stack: now.name, status: now.status, reason: now.status_reason });
            }
            _ => wait.pause().await?,
        }
    }
}

/// Follows one operation of a stack and of those nested in it.
#[derive(Debug)]
struct Watch {
    cloudformation: CloudFormation,
    stack_id: String,
    /// The newest event that was passed on, by stack.
    seen: HashMap<String, Option<String>>,
    since: Option<OffsetDateTime>,
    events: Vec<StackEvent>,
}

impl Watch {
    fn new(cloudformation: CloudFormation, stack_id: String, seen: Option<String>) -> Self {
        let seen = HashMap::from([(stack_id.clone(), seen)]);
        Self { cloudformation, stack_id, seen, since: None, events: Vec::new() }
    }

    /// Passes events on until no operation is under way.
    async fn until_idle(&mut self, limit: Duration, sink: Sink<'_>) -> Result<Stack, Error> {
        let mut wait = Wait::new(format!("stack {}", name_of(&self.stack_id)), limit, true, sink);
        let before = self.events.len();
        loop {
            // The state first: whatever led to it is then among the events.
            let stack = self.cloudformation.stack(&self.stack_id).await?;
            if self.pass_on(sink).await? {
                wait.news();
            }
            match stack {
                Some(stack) if stack.status.is_in_progress() || stack.status.is_review() => {}
                Some(stack) => {
                    let ended = self.events[before..].iter().any(|event| {
                        event.is_stack() && event.stack_id == self.stack_id && event.status == stack.status
                    });
                    if ended || wait.elapsed() > NO_EVENTS_GRACE {
                        return Ok(stack);
                    }
                }
                // Deleted under our hands, or by `OnFailure`.
                None => {
                    let mut gone = Stack { id: self.stack_id.clone(), ..Stack::default() };
                    gone.status.0 = "DELETE_COMPLETE".to_owned();
                    return Ok(gone);
                }
            }
            wait.pause().await?;
        }
    }

    /// Fetches what is new and passes it on, oldest first. Whether there was anything.
    async fn pass_on(&mut self, sink: Sink<'_>) -> Result<bool, Error> {
        let mut fresh = Vec::new();
        let stacks: Vec<(String, Option<String>)> = self.seen.clone().into_iter().collect();
        for (stack, seen) in stacks {
            let events = self.cloudformation.events(&stack, seen.as_deref()).await?;
            if let Some(newest) = events.last() {
                self.seen.insert(stack.clone(), Some(newest.id.clone()));
            }
            fresh.extend(events);
        }
        if self.since.is_none() {
            self.since =
                fresh.iter().filter(|event| event.stack_id == self.stack_id).filter_map(|event| event.time).min();
        }
        // A nested stack's earlier operations are not ours.
        fresh.retain(|event| event.stack_id == self.stack_id || event.time >= self.since);
        fresh.sort_by_key(|event| event.time);
        for event in &fresh {
            if let Some(nested) = nested_stack(event) {
                self.seen.entry(nested.to_owned()).or_insert(None);
            }
            sink(Event::Stack(event.clone()));
        }
        let any = !fresh.is_empty();
        self.events.extend(fresh);
        Ok(any)
    }

    /// What failed first. A nested stack is only ever the place: its own events have the cause.
    async fn cause(&self) -> Cause {
        let of = |id: &str| self.events.iter().filter(|event| event.stack_id == id).cloned().collect::<Vec<_>>();
        let mut found = cause::find(&of(&self.stack_id));
        for _ in 0..NESTING_LIMIT {
            let Some(nested) = found.first().and_then(|first| first.nested_stack.clone()) else { break };
            let mut events = of(&nested);
            if events.is_empty() {
                // Not seen while it lasted; without it the outer cause still stands.
                events = self.cloudformation.events(&nested, None).await.unwrap_or_default();
                events.retain(|event| event.time >= self.since);
            }
            let inner = cause::find(&events);
            if inner.first().is_none() {
                break;
            }
            found = Cause { stack_reason: found.stack_reason, ..inner };
        }
        found
    }
}

/// The id of the nested stack that an event is about.
fn nested_stack(event: &StackEvent) -> Option<&str> {
    (event.kind == "AWS::CloudFormation::Stack" && !event.is_stack())
        .then_some(event.physical_id.as_deref())
        .flatten()
        .filter(|id| id.starts_with("arn:"))
}

/// `arn:…:stack/name/uuid` → `name`.
fn name_of(stack_id: &str) -> &str {
    stack_id.split('/').nth(1).unwrap_or(stack_id)
}
