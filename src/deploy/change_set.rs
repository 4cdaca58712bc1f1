//! Making a change set: from a template and its parameters to something that can be reviewed, and the
//! clearing away of what nobody needs when it is empty or failed.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;

use crate::aws::Aws;
use crate::aws::cloudformation::{
    ChangeSet, ChangeSetId, ChangeSetKind, CloudFormation, CreateChangeSet, Parameter, ParameterValue, Redacted, Stack,
    TemplateSource,
};

use super::execute::OnFailure;
use super::wait::Wait;
use super::{Error, Event, Sink, execute};

/// How long `--max-wait-duration` is when nobody says so.
pub const MAX_WAIT: Duration = Duration::from_secs(60 * 60);

/// How long making a change set may take. Macros run in it; SAM CLI waits half as long.
const CHANGE_SET_LIMIT: Duration = Duration::from_secs(10 * 60);

/// How long a stack in review is tried to be deleted.
const WITHDRAWAL: Duration = Duration::from_secs(60);

/// What a stack should become.
#[derive(Clone, Debug)]
pub struct StackChange {
    /// The stack's name.
    pub stack: String,
    /// The template.
    pub template: TemplateSource,
    /// The names of the parameters that the template declares.
    pub declared: Vec<String>,
    /// The values that were given; those of parameters that the template does not declare are not sent.
    pub overrides: BTreeMap<String, Redacted>,
    /// What is permitted.
    pub capabilities: Vec<String>,
    /// The stack's tags; `None` leaves them as they are.
    pub tags: Option<IndexMap<String, String>>,
    /// Topics that hear of it; `None` leaves them as they are.
    pub notification_arns: Option<Vec<String>>,
    /// The role that CloudFormation works with.
    pub role_arn: Option<String>,
    /// What to do when the execution fails.
    pub on_failure: OnFailure,
    /// Express mode: done once the configuration is applied, before resources are ready.
    pub express: bool,
    /// Whether new resources are deleted after a failure even where their policy is `Retain`. Versions
    /// have that policy; one that stays behind would make the next publication of the same code fail.
    pub retain_except_on_create: bool,
    /// The longest that the execution is waited for.
    pub max_wait: Duration,
}

impl StackChange {
    /// A change with SAM's defaults.
    pub fn new(stack: impl Into<String>, template: TemplateSource) -> Self {
        Self {
            stack: stack.into(),
            template,
            declared: Vec::new(),
            overrides: BTreeMap::new(),
            capabilities: Vec::new(),
            tags: None,
            notification_arns: None,
            role_arn: None,
            on_failure: OnFailure::Rollback,
            express: false,
            retain_except_on_create: true,
            max_wait: MAX_WAIT,
        }
    }

    /// What is sent: given values; on an update the stack's own for those that were not given; nothing
    /// for those that the stack does not have yet (their default holds).
    fn parameters(&self, live: Option<&Stack>) -> Vec<Parameter> {
        self.declared
            .iter()
            .filter_map(|key| {
                let value = match self.overrides.get(key) {
                    Some(value) => ParameterValue::Given(value.clone()),
                    None if live.is_some_and(|stack| stack.parameters.contains_key(key)) => ParameterValue::Previous,
                    None => return None,
                };
                Some(Parameter { key: key.clone(), value })
            })
            .collect()
    }
}

/// What came of making a change set.
#[derive(Debug)]
pub enum Prepared {
    /// There is nothing to change; the empty change set is deleted already.
    Empty {
        /// The stack, when there is one.
        stack: Option<Stack>,
    },
    /// It can be reviewed and executed.
    Ready(ReadyChangeSet),
}

/// A change set that can be executed.
#[derive(Clone, Debug)]
pub struct ReadyChangeSet {
    /// Its names.
    pub id: ChangeSetId,
    /// What it would do.
    pub description: ChangeSet,
    /// Whether it makes a stack or changes one.
    pub kind: ChangeSetKind,
}

/// Makes a change set and waits until it can be reviewed. Waits first for another operation on the
/// stack.
///
/// # Errors
/// The stack cannot be updated; the change set cannot be made. What was made for it is deleted.
pub async fn prepare(aws: &Aws, change: &StackChange, sink: Sink<'_>) -> Result<Prepared, Error> {
    let cloudformation = aws.cloudformation();
    let live = idle_stack(aws, &change.stack, change.max_wait, sink).await?;
    // A stack in review has a name and nothing else: it is made by a CREATE change set.
    let updated = live.as_ref().filter(|stack| !stack.status.is_review());
    let kind = if updated.is_some() { ChangeSetKind::Update } else { ChangeSetKind::Create };
    let nonce = rand::random::<u64>();
    let request = CreateChangeSet {
        stack: change.stack.clone(),
        name: format!("samara-{nonce:016x}"),
        kind,
        description: format!("Created by samara {}", env!("CARGO_PKG_VERSION")),
        template: change.template.clone(),
        parameters: change.parameters(updated),
        capabilities: change.capabilities.clone(),
        tags: change.tags.clone(),
        notification_arns: change.notification_arns.clone(),
        role_arn: change.role_arn.clone(),
        express: change.express,
        disable_rollback: change.on_failure.disables_rollback(),
        token: format!("samara-{nonce:016x}"),
    };
    sink(Event::CreatingChangeSet { stack: change.stack.clone(), change_set: request.name.clone() });
    let id = match cloudformation.create_change_set(&request).await {
        Ok(id) => id,
        // Other endpoints than AWS's find this out at once.
        Err(error) if is_empty(&error.message) => return Ok(Prepared::Empty { stack: updated.cloned() }),
        Err(error) => return Err(error.into()),
    };
    let description = created(&cloudformation, &id, sink).await?;
    if description.status.0 != "FAILED" {
        return Ok(Prepared::Ready(ReadyChangeSet { id, description, kind }));
    }
    discard(aws, &id, sink).await?;
    let reason = description.status_reason.unwrap_or_else(|| "it gives no reason".to_owned());
    if is_empty(&reason) {
        return Ok(Prepared::Empty { stack: updated.cloned() });
    }
    Err(Error::ChangeSet { stack: change.stack.clone(), reason })
}

/// CloudFormation says only in words that a change set is empty.
fn is_empty(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

/// Deletes a change set of ours that will not be executed, and the stack if it was made for that
/// change set alone.
///
/// # Errors
/// A call failed.
pub async fn discard(aws: &Aws, id: &ChangeSetId, sink: Sink<'_>) -> Result<(), Error> {
    let cloudformation = aws.cloudformation();
    cloudformation.delete_change_set(id).await?;
    sink(Event::CleanedUp { what: "the change set".to_owned() });
    let in_review = cloudformation.stack(&id.stack_id).await?.filter(|stack| stack.status.is_review());
    if let Some(stack) = in_review {
        // Somebody else may have a change set on it, too.
        let others = cloudformation.change_set_names(&stack.name).await?;
        if others.iter().all(|name| id.id.contains(&format!("changeSet/{name}/")) || *name == id.id) {
            execute::delete_stack(aws, &stack.name, None, sink).await?;
            sink(Event::CleanedUp { what: format!("stack {}, which never had a resource", stack.name) });
        }
    }
    Ok(())
}

/// Deletes a stack that was to be made for a change set alone, when nobody knows how far that has come.
/// `late` is how long the stack may still appear: a call that nobody waits for any more may be on its
/// way. A stack that is more than a review is somebody else's, and stays.
///
/// # Errors
/// A call failed, or the stack is still there when the time is up.
pub async fn withdraw(aws: &Aws, stack: &str, late: Duration, sink: Sink<'_>) -> Result<(), Error> {
    let cloudformation = aws.cloudformation();
    let mut appears = Wait::new(format!("stack {stack}"), late, true, sink);
    let mut deletable = Wait::new(format!("the deletion of stack {stack}"), WITHDRAWAL, true, sink);
    loop {
        let Some(found) = cloudformation.stack(stack).await? else {
            match appears.pause().await {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            }
        };
        if !found.status.is_review() {
            return Ok(());
        }
        // A change set that is being made may hold the stack.
        match execute::delete_stack(aws, stack, None, sink).await {
            Ok(()) => return Ok(()),
            Err(error) => deletable.pause().await.map_err(|_| error)?,
        }
    }
}

/// Waits until the change set is made or failed.
async fn created(cloudformation: &CloudFormation, id: &ChangeSetId, sink: Sink<'_>) -> Result<ChangeSet, Error> {
    let mut wait = Wait::new("the change set", CHANGE_SET_LIMIT, false, sink);
    loop {
        let found = cloudformation.change_set(&id.id, &id.stack_id).await?;
        match found.status.0.as_str() {
            "CREATE_COMPLETE" | "FAILED" => return Ok(found),
            _ => wait.pause().await?,
        }
    }
}

/// The stack, once no operation is under way on it; `None` when there is none.
///
/// # Errors
/// It is in a state that only deleting or mending it ends; the limit is reached; a call failed.
pub async fn idle_stack(aws: &Aws, name: &str, limit: Duration, sink: Sink<'_>) -> Result<Option<Stack>, Error> {
    let cloudformation = aws.cloudformation();
    let mut wait = Wait::new(format!("another operation on stack {name}"), limit, true, sink);
    let mut told = None;
    loop {
        let Some(stack) = cloudformation.stack(name).await? else { return Ok(None) };
        if stack.status.is_in_progress() {
            if told.as_ref() != Some(&stack.status) {
                sink(Event::Busy { stack: stack.name.clone(), status: stack.status.clone() });
                told = Some(stack.status);
            }
            wait.pause().await?;
            continue;
        }
        return match stack.status.0.as_str() {
            "DELETE_COMPLETE" => Ok(None),
            "ROLLBACK_COMPLETE" => Err(Error::RolledBackOnCreate { stack: stack.name }),
            "ROLLBACK_FAILED" | "DELETE_FAILED" | "UPDATE_ROLLBACK_FAILED" => {
                Err(Error::Stuck { stack: stack.name, status: stack.status, reason: stack.status_reason })
            }
            _ => Ok(Some(stack)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_what_the_stack_has_unless_told_otherwise() {
        let mut change = StackChange::new("s", TemplateSource::Previous);
        change.declared = ["Given", "Kept", "New"].map(str::to_owned).to_vec();
        change.overrides = [("Given", "1"), ("Unknown", "2")]
            .map(|(key, value)| (key.to_owned(), Redacted::new(value)))
            .into_iter()
            .collect();
        let mut live = Stack::default();
        live.parameters.insert("Kept".to_owned(), "old".to_owned());
        live.parameters.insert("Dropped".to_owned(), "old".to_owned());
        let given = Parameter { key: "Given".to_owned(), value: ParameterValue::Given(Redacted::new("1")) };
        let kept = Parameter { key: "Kept".to_owned(), value: ParameterValue::Previous };
        assert_eq!(change.parameters(Some(&live)), [given.clone(), kept]);
        assert_eq!(change.parameters(None), [given]);
    }

    #[test]
    fn both_of_cloudformations_sentences_mean_empty() {
        assert!(is_empty(
            "The submitted information didn't contain changes. Submit different information to create a change set."
        ));
        assert!(is_empty("No updates are to be performed."));
        assert!(!is_empty("Template error: instance of Fn::GetAtt references undefined resource X"));
    }
}
