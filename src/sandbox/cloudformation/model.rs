//! What CloudFormation remembers.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Every stack that ever was, deleted ones too, by stack ID, oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    #[serde(with = "super::ordered")]
    pub(super) stacks: IndexMap<String, Stack>,
}

/// Where a stack stands, in CloudFormation's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    ReviewInProgress,
    CreateInProgress,
    CreateFailed,
    CreateComplete,
    RollbackInProgress,
    RollbackFailed,
    RollbackComplete,
    DeleteInProgress,
    DeleteFailed,
    DeleteComplete,
    UpdateInProgress,
    UpdateCompleteCleanupInProgress,
    UpdateComplete,
    UpdateFailed,
    UpdateRollbackInProgress,
    UpdateRollbackFailed,
    UpdateRollbackCompleteCleanupInProgress,
    UpdateRollbackComplete,
}

impl Status {
    /// The word on the wire.
    pub(super) fn word(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(word)) => word,
            _ => String::new(),
        }
    }

    /// Whether an operation is under way.
    pub(super) fn in_progress(self) -> bool {
        matches!(
            self,
            Self::CreateInProgress
                | Self::RollbackInProgress
                | Self::DeleteInProgress
                | Self::UpdateInProgress
                | Self::UpdateCompleteCleanupInProgress
                | Self::UpdateRollbackInProgress
                | Self::UpdateRollbackCompleteCleanupInProgress
        )
    }

    /// Whether the stack can be updated.
    pub(super) fn updatable(self) -> bool {
        matches!(
            self,
            Self::CreateComplete
                | Self::UpdateComplete
                | Self::UpdateRollbackComplete
                // Only a stack whose rollback was disabled stays here.
                | Self::CreateFailed
                | Self::UpdateFailed
        )
    }
}

/// A stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stack {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    pub(super) created_ms: i64,
    pub(super) updated_ms: Option<i64>,
    pub(super) deleted_ms: Option<i64>,
    pub(super) termination_protection: bool,
    /// The change set that made the stack what it is.
    pub(super) change_set_id: Option<String>,
    /// What the stack is, or is on its way to. `None` while only a change set exists.
    pub(super) target: Option<Target>,
    /// The last whole state while the stack is not whole: where a rollback goes.
    pub(super) stable: Option<Stable>,
    pub(super) outputs: Vec<Output>,
    /// Names of the exports that it uses.
    pub(super) imports: BTreeSet<String>,
    #[serde(with = "super::ordered")]
    pub(super) resources: IndexMap<String, Resource>,
    /// Physical resources that the stack has left behind and still has to delete.
    pub(super) leftovers: Vec<Leftover>,
    /// Newest last.
    pub(super) events: Vec<Event>,
    pub(super) change_sets: Vec<ChangeSet>,
    pub(super) operation: Option<Operation>,
}

/// What was asked for last, and how its failure is to be met.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Operation {
    /// Goes with every event of the operation.
    pub(super) token: Option<String>,
    /// Name of the API operation, for its idempotency.
    pub(super) action: String,
    pub(super) on_failure: OnFailure,
    /// What this operation created is deleted on rollback, whatever its `DeletionPolicy` says.
    pub(super) retain_except_on_create: bool,
    /// Resources that a `DeleteStack` leaves alone.
    pub(super) retain: BTreeSet<String>,
    /// Resources that a `ContinueUpdateRollback` leaves as they are.
    pub(super) skip: BTreeSet<String>,
    /// What a client asked to end: `CancelUpdateStack`.
    #[serde(default)]
    pub(super) cancelled: bool,
}

/// What happens when a resource fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OnFailure {
    #[default]
    Rollback,
    DoNothing,
    Delete,
}

/// Everything that a stack's owner decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Target {
    /// The template as it was sent.
    pub(super) body: String,
    /// After the transforms.
    pub(super) processed: Value,
    /// Names of the transforms, in their order.
    pub(super) transforms: Vec<String>,
    #[serde(with = "super::ordered")]
    pub(super) parameters: IndexMap<String, Parameter>,
    #[serde(with = "super::ordered")]
    pub(super) tags: IndexMap<String, String>,
    pub(super) capabilities: Vec<String>,
    pub(super) role_arn: Option<String>,
    pub(super) notification_arns: Vec<String>,
}

impl Target {
    /// The template's `Description`.
    pub(super) fn description(&self) -> Option<&str> {
        self.processed.get("Description")?.as_str()
    }
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parameter {
    pub(super) value: String,
    /// Whether the type makes it a list for `Ref`.
    pub(super) list: bool,
    /// Whether it is shown as `****`.
    pub(super) no_echo: bool,
}

impl Parameter {
    /// What may be shown of it.
    pub(super) fn shown(&self) -> &str {
        if self.no_echo { "****" } else { &self.value }
    }
}

/// A whole state to return to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stable {
    /// `None` for a stack that was never whole.
    pub(super) target: Option<Target>,
    #[serde(with = "super::ordered")]
    pub(super) resources: IndexMap<String, Resource>,
    pub(super) outputs: Vec<Output>,
}

/// An output, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Output {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) description: Option<String>,
    pub(super) export: Option<String>,
}

/// What happens to the physical resource when the stack lets go of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Policy {
    #[default]
    Delete,
    Retain,
    RetainExceptOnCreate,
}

/// A resource as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Resource {
    pub(super) kind: String,
    pub(super) physical_id: Option<String>,
    /// `CREATE_COMPLETE` and its like.
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) updated_ms: i64,
    /// Resolved: as the provider last got them.
    pub(super) properties: Map<String, Value>,
    /// The same with the values of `NoEcho` parameters masked.
    pub(super) shown: Map<String, Value>,
    pub(super) attributes: Map<String, Value>,
    pub(super) metadata: Option<Value>,
    pub(super) deletion_policy: Policy,
    pub(super) update_replace_policy: Policy,
    pub(super) dependencies: BTreeSet<String>,
    /// The stack's tags when the provider last got them.
    #[serde(with = "super::ordered")]
    pub(super) tags: IndexMap<String, String>,
    /// Random end of its generated name, fixed before it is created, so that a creation that the
    /// sandbox did not live to see can be found again.
    pub(super) suffix: String,
    /// The CodeDeploy deployment that moves it, while CloudFormation waits for its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deployment: Option<String>,
}

impl Resource {
    /// Whether what the record says was reached, and not only tried.
    pub(super) fn settled(&self) -> bool {
        matches!(self.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE")
    }
}

/// A physical resource that waits for its deletion.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Leftover {
    pub(super) logical_id: String,
    pub(super) resource: Resource,
    /// It stays where it is, without the stack.
    pub(super) keep: bool,
}

/// Something that happened to a stack or to one of its resources.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) time_ms: i64,
    pub(super) logical_id: String,
    pub(super) physical_id: String,
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    /// The resource's resolved properties as JSON text.
    pub(super) properties: Option<String>,
    pub(super) token: Option<String>,
}

/// A change set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ChangeSet {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) created_ms: i64,
    /// Whether it makes the stack.
    pub(super) create: bool,
    /// Why it failed; `None` for one that is complete.
    pub(super) failure: Option<String>,
    pub(super) execution: Execution,
    pub(super) target: Target,
    /// As `DescribeChangeSet` shows them.
    pub(super) changes: Vec<Value>,
    pub(super) on_stack_failure: Option<OnFailure>,
    pub(super) include_nested: bool,
    /// The token that it was executed with.
    pub(super) token: Option<String>,
}

/// Whether a change set can be executed, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Execution {
    Unavailable,
    Available,
    ExecuteInProgress,
    ExecuteComplete,
    ExecuteFailed,
    Obsolete,
}

impl Execution {
    /// The word on the wire.
    pub(super) fn word(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(word)) => word,
            _ => String::new(),
        }
    }
}

impl State {
    /// The stack that a name or an ID means: a name only a stack that is not deleted.
    pub(super) fn find<'a>(&'a self, account: &'a str, region: &'a str, name_or_id: &str) -> Option<&'a Stack> {
        if name_or_id.starts_with("arn:") {
            return self.stacks.get(name_or_id).filter(|stack| stack.account == account && stack.region == region);
        }
        self.in_region(account, region).find(|stack| stack.name == name_or_id && stack.status != Status::DeleteComplete)
    }

    /// The stacks of an account in a region, newest first.
    pub(super) fn in_region<'a>(&'a self, account: &'a str, region: &'a str) -> impl Iterator<Item = &'a Stack> {
        self.stacks.values().rev().filter(move |stack| stack.account == account && stack.region == region)
    }

    /// The stacks that use an export.
    pub(super) fn importers<'a>(
        &'a self,
        account: &'a str,
        region: &'a str,
        export: &'a str,
    ) -> impl Iterator<Item = &'a Stack> {
        self.in_region(account, region)
            .filter(move |stack| stack.status != Status::DeleteComplete && stack.imports.contains(export))
    }

    /// Every export of the region: name, value, exporting stack.
    pub(super) fn exports(&self, account: &str, region: &str) -> BTreeMap<String, (String, String)> {
        self.in_region(account, region)
            .filter(|stack| stack.status != Status::DeleteComplete)
            .flat_map(|stack| {
                stack.outputs.iter().filter_map(|output| {
                    let name = output.export.clone()?;
                    Some((name, (output.value.clone(), stack.id.clone())))
                })
            })
            .collect()
    }
}

impl OnFailure {
    /// From the word on the wire.
    pub(super) fn of(word: &str) -> Self {
        match word {
            "DO_NOTHING" => Self::DoNothing,
            "DELETE" => Self::Delete,
            _ => Self::Rollback,
        }
    }

    /// The word on the wire.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Rollback => "ROLLBACK",
            Self::DoNothing => "DO_NOTHING",
            Self::Delete => "DELETE",
        }
    }
}

impl Stack {
    /// A CloudFormation ARN beside the stack's own.
    pub(super) fn arn(&self, resource: &str) -> String {
        let partition = super::operation::pseudo(self).partition();
        format!("arn:{partition}:cloudformation:{}:{}:{resource}", self.region, self.account)
    }

    /// Appends an event of the stack itself and sets its status.
    pub(super) fn enter(&mut self, now_ms: i64, status: Status, reason: Option<String>) {
        self.status = status;
        self.reason.clone_from(&reason);
        self.events.push(Event {
            id: super::wire::uuid(),
            time_ms: now_ms,
            logical_id: self.name.clone(),
            physical_id: self.id.clone(),
            kind: "AWS::CloudFormation::Stack".to_owned(),
            status: status.word(),
            reason,
            properties: None,
            token: self.operation.as_ref().and_then(|operation| operation.token.clone()),
        });
    }

    /// Appends an event of a resource.
    pub(super) fn note(
        &mut self,
        now_ms: i64,
        logical_id: &str,
        resource: &Resource,
        status: &str,
        reason: Option<String>,
    ) {
        self.events.push(Event {
            id: format!("{logical_id}-{status}-{}", super::wire::timestamp(now_ms)),
            time_ms: now_ms,
            logical_id: logical_id.to_owned(),
            physical_id: resource.physical_id.clone().unwrap_or_default(),
            kind: resource.kind.clone(),
            status: status.to_owned(),
            reason,
            properties: (!resource.shown.is_empty()).then(|| Value::Object(resource.shown.clone()).to_string()),
            token: self.operation.as_ref().and_then(|operation| operation.token.clone()),
        });
    }

    /// The change set that a name or an ID means.
    pub(super) fn change_set(&self, name_or_id: &str) -> Option<&ChangeSet> {
        self.change_sets.iter().rev().find(|set| set.id == name_or_id || set.name == name_or_id)
    }
}
