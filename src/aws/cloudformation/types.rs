//! What CloudFormation is asked and what it answers, without the SDK's types.

use std::fmt;

use indexmap::IndexMap;
use time::OffsetDateTime;

/// Text that is never shown: a value that may be a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Redacted(String);

impl Redacted {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// A status of a stack, resource or change set, in CloudFormation's words (`UPDATE_COMPLETE`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status(pub String);

impl Status {
    /// An operation is under way.
    pub fn is_in_progress(&self) -> bool {
        self.0.ends_with("_IN_PROGRESS") && !self.is_review()
    }

    /// There is a name and a change set, and nothing else yet.
    pub fn is_review(&self) -> bool {
        self.0 == "REVIEW_IN_PROGRESS"
    }

    /// The resource or the stack failed.
    pub fn is_failed(&self) -> bool {
        self.0.ends_with("_FAILED")
    }

    /// It is being, or was, taken back.
    pub fn is_rollback(&self) -> bool {
        self.0.contains("ROLLBACK")
    }

    /// What was asked for was done.
    pub fn is_success(&self) -> bool {
        self.0.ends_with("_COMPLETE") && !self.is_rollback()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<str> for Status {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

/// A stack.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stack {
    /// Its ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How it is.
    pub status: Status,
    /// Why it is so.
    pub status_reason: Option<String>,
    /// Names and values; those with `NoEcho` are `****` already.
    pub parameters: IndexMap<String, String>,
    /// What it gives out.
    pub outputs: Vec<Output>,
    /// Its tags.
    pub tags: IndexMap<String, String>,
    /// The capabilities it was last updated with.
    pub capabilities: Vec<String>,
    /// The role that CloudFormation works with.
    pub role_arn: Option<String>,
    /// When it was made.
    pub created: Option<OffsetDateTime>,
    /// When it was last changed.
    pub updated: Option<OffsetDateTime>,
}

/// One output of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What the template says about it.
    pub description: Option<String>,
}

/// A parameter that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: ParameterValue,
}

/// The value of a parameter that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterValue {
    /// This one.
    Given(Redacted),
    /// The one that the stack has.
    Previous,
}

/// Where the template of a change set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateSource {
    /// In the call itself: up to 51,200 bytes.
    Body(String),
    /// In S3: up to 1 MB.
    Url(String),
    /// The stack's own.
    Previous,
}

/// The most bytes of a template in the call itself.
pub const TEMPLATE_BODY_LIMIT: usize = 51_200;

/// Whether the stack is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeSetKind {
    /// It is not.
    Create,
    /// It is.
    Update,
}

/// A change set to be made.
#[derive(Clone, Debug)]
pub struct CreateChangeSet {
    /// The stack's name.
    pub stack: String,
    /// The change set's name, new each time.
    pub name: String,
    /// Whether the stack is there already.
    pub kind: ChangeSetKind,
    /// What is shown in the console.
    pub description: String,
    /// The template.
    pub template: TemplateSource,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// What is permitted.
    pub capabilities: Vec<String>,
    /// The stack's tags; `None` leaves them as they are.
    pub tags: Option<IndexMap<String, String>>,
    /// Topics that hear of it; `None` leaves them as they are.
    pub notification_arns: Option<Vec<String>>,
    /// The role that CloudFormation works with.
    pub role_arn: Option<String>,
    /// Express mode: done once the configuration is applied, before resources are ready.
    pub express: bool,
    /// Express mode's own place for this.
    pub disable_rollback: bool,
    /// Makes a repeated call the same call.
    pub token: String,
}

/// A stack to be made directly.
#[derive(Clone, Debug, Default)]
pub struct CreateStack {
    /// Its name.
    pub name: String,
    /// Its template, up to 51,200 bytes.
    pub template_body: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// What is permitted.
    pub capabilities: Vec<String>,
    /// Its tags.
    pub tags: IndexMap<String, String>,
    /// Whether deleting it needs a second thought.
    pub termination_protection: bool,
    /// Makes a repeated call the same call.
    pub token: String,
}

/// Names a change set for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSetId {
    /// Its ARN.
    pub id: String,
    /// The stack's ARN.
    pub stack_id: String,
}

/// How a change set is executed.
#[derive(Clone, Debug, Default)]
pub struct Execution {
    /// Leave what was made when it fails; `None` where express mode says it elsewhere.
    pub disable_rollback: Option<bool>,
    /// When it fails, delete also new resources whose deletion policy is `Retain`.
    pub retain_except_on_create: bool,
    /// Makes a repeated call the same call.
    pub token: String,
}

/// A change set as CloudFormation describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeSet {
    /// Its ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The stack's ARN.
    pub stack_id: String,
    /// How far its making is.
    pub status: Status,
    /// Why it failed.
    pub status_reason: Option<String>,
    /// Whether it can be executed.
    pub execution_status: Option<String>,
    /// What it would do.
    pub changes: Vec<ResourceChange>,
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is made.
    Add,
    /// It is changed or replaced.
    Modify,
    /// It is deleted.
    Remove,
    /// It is taken into the stack.
    Import,
    /// It is not known yet.
    Dynamic,
}

/// Whether a resource is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// It depends on values that are known only then.
    Conditional,
}

/// What would happen to one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceChange {
    /// What happens.
    pub action: Action,
    /// Its name in the template.
    pub logical_id: String,
    /// Its name in AWS.
    pub physical_id: Option<String>,
    /// Its type.
    pub kind: String,
    /// Whether it is made anew, when it is changed.
    pub replacement: Option<Replacement>,
    /// Which of its parts change.
    pub details: Vec<ChangeDetail>,
}

/// One part of a resource that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeDetail {
    /// `Properties`, `Metadata`, `Tags`, …
    pub attribute: String,
    /// The property.
    pub name: Option<String>,
    /// Whether the change makes the resource anew.
    pub recreates: Replacement,
    /// `DirectModification`, `ParameterReference`, `ResourceReference`, …
    pub source: Option<String>,
    /// The parameter or resource that the change comes from.
    pub cause: Option<String>,
    /// Whether it is known to change already.
    pub is_certain: bool,
}

/// One event of a stack.
#[derive(Clone, Debug, PartialEq)]
pub struct StackEvent {
    /// Its id.
    pub id: String,
    /// The stack's ARN.
    pub stack_id: String,
    /// The resource's name in the template; the stack's own name for its own events.
    pub logical_id: String,
    /// The resource's name in AWS.
    pub physical_id: Option<String>,
    /// The resource's type.
    pub kind: String,
    /// How it is.
    pub status: Status,
    /// `CONFIGURATION_COMPLETE` and its like.
    pub detailed_status: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub time: Option<OffsetDateTime>,
}

impl StackEvent {
    /// Whether it is about the stack itself.
    pub fn is_stack(&self) -> bool {
        self.kind == "AWS::CloudFormation::Stack" && self.physical_id.as_deref() == Some(self.stack_id.as_str())
    }
}

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackResource {
    /// Its name in the template.
    pub logical_id: String,
    /// Its name in AWS, once it has one.
    pub physical_id: Option<String>,
    /// Its type.
    pub kind: String,
    /// How it is.
    pub status: Status,
}

/// Which form of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// As it was given.
    Original,
    /// As its transforms left it.
    Processed,
}
