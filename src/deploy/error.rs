//! Why a stack did not become what it should.

use crate::aws;
use crate::aws::cloudformation::Status;
use crate::hint::Hint;

use super::cause::Cause;
use super::{options, samconfig};

/// What can go wrong between a template and its stack.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] aws::Error),
    /// The configuration file.
    #[error(transparent)]
    Config(#[from] samconfig::Error),
    /// An option's text.
    #[error(transparent)]
    Option(#[from] options::Error),
    /// The first deploy of this stack failed; CloudFormation lets nobody update what is left of it.
    #[error("stack {stack} is in ROLLBACK_COMPLETE: its first deploy failed, and it can only be deleted")]
    RolledBackOnCreate {
        /// The stack.
        stack: String,
    },
    /// A state that only a person can end.
    #[error("stack {stack} is in {status} and cannot be updated{}", because(.reason.as_deref()))]
    Stuck {
        /// The stack.
        stack: String,
        /// Its state.
        status: Status,
        /// CloudFormation's reason.
        reason: Option<String>,
    },
    /// The change set could not be made.
    #[error("CloudFormation cannot make the change set for stack {stack}: {reason}")]
    ChangeSet {
        /// The stack.
        stack: String,
        /// CloudFormation's reason.
        reason: String,
    },
    /// A wait came to its limit.
    #[error("gave up after {minutes} minutes of waiting for {what}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// The limit.
        minutes: u64,
        /// Whether CloudFormation goes on without us.
        goes_on: bool,
    },
    /// The stack's update or creation failed.
    #[error("{0}")]
    Failed(Box<Failure>),
    /// A rollout is under way on an alias that the deploy would hold.
    #[error("alias {alias} of {function} sends traffic to two versions ({shares}): a rollout is under way")]
    AliasIsSplit {
        /// The function.
        function: String,
        /// The alias.
        alias: String,
        /// What it says.
        shares: String,
    },
    /// The traffic of a function cannot be shifted.
    #[error("the traffic of {function} cannot be shifted: {reason}")]
    CannotShift {
        /// The function's name in the template.
        function: String,
        /// Why.
        reason: String,
    },
    /// Lambda does not split traffic between the old and the new version.
    #[error(
        "the {what} of {function} changes: Lambda does not split traffic between versions that differ in it, and nothing \
         was touched"
    )]
    CannotSplit {
        /// The function's name in the template.
        function: String,
        /// What differs.
        what: &'static str,
    },
    /// An alias serves another version than the stack says, and the stack was not to be brought in line.
    #[error("the stack is out of step: {}", .aliases.join("; "))]
    OutOfStep {
        /// Which, in words.
        aliases: Vec<String>,
    },
    /// After the stack's update an alias is not where it was held.
    #[error(
        "after the stack's update {alias} is at {found}, and it was held at version {expected}: no traffic was moved"
    )]
    NotHeld {
        /// The alias.
        alias: String,
        /// The version that it was held at.
        expected: String,
        /// What it says.
        found: String,
    },
    /// The code was rolled back before.
    #[error("{}", .versions.join("; "))]
    Rejected {
        /// Which, when and why.
        versions: Vec<String>,
    },
    /// Something that the old version uses would change under it, and nobody said that it may.
    #[error("{} would change while the old version still uses {}", .names.join(", "), if .names.len() == 1 { "it" } else { "them" })]
    NeedsYes {
        /// The resources.
        names: Vec<String>,
    },
    /// Parameters without a value.
    #[error("the template's parameters {} have no value", .names.join(", "))]
    MissingParameters {
        /// Their names.
        names: Vec<String>,
    },
    /// What was published is not what was uploaded.
    #[error("version {version} of {function} has CodeSha256 {found}, and {expected} was uploaded for it")]
    WrongCode {
        /// The function.
        function: String,
        /// The version.
        version: String,
        /// What Lambda has.
        found: String,
        /// What was uploaded.
        expected: String,
    },
    /// The template in the change set or the stack is none that samara can read.
    #[error("the template of {what} cannot be read: {reason}")]
    Template {
        /// Of what.
        what: String,
        /// Why.
        reason: String,
    },
}

/// A stack whose change failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The stack's name.
    pub stack: String,
    /// Its state now.
    pub status: Status,
    /// What failed first, and what else did.
    pub cause: Cause,
}

impl Failure {
    /// Whether everything is as it was before: the old version serves.
    pub fn is_rolled_back(&self) -> bool {
        self.status.0 == "UPDATE_ROLLBACK_COMPLETE"
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.cause.first() {
            Some(first) => {
                write!(f, "{} ({}) failed", first.logical_id, first.kind)?;
                match &first.reason {
                    Some(reason) => write!(f, ": {reason}"),
                    None => write!(f, ", and CloudFormation gives no reason"),
                }
            }
            None => {
                write!(f, "stack {} ended in {}", self.stack, self.status)?;
                match &self.cause.stack_reason {
                    Some(reason) => write!(f, ": {reason}"),
                    None => Ok(()),
                }
            }
        }
    }
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Aws(error) => error.hints(),
            Self::Config(error) => error.hints(),
            Self::Option(_) => Vec::new(),
            Self::RolledBackOnCreate { stack } => vec![
                format!(
                    "Delete it with `aws cloudformation delete-stack --stack-name {stack}` and deploy again; on a \
                     terminal `samara deploy` offers to."
                ),
                "`--on-failure DELETE` deletes a stack whose first deploy fails.".to_owned(),
            ],
            Self::Stuck { stack, status, .. } => vec![match status.0.as_str() {
                "UPDATE_ROLLBACK_FAILED" => format!(
                    "Mend what hinders the rollback, then `aws cloudformation continue-update-rollback --stack-name {stack}`."
                ),
                _ => format!("It can only be deleted: `aws cloudformation delete-stack --stack-name {stack}`."),
            }],
            Self::ChangeSet { reason, .. } => super::cause::advice(reason).into_iter().collect(),
            Self::Timeout { goes_on: true, .. } => vec![
                "CloudFormation goes on without us; look with `aws cloudformation describe-stacks`.".to_owned(),
                "--max-wait-duration MINUTES waits longer.".to_owned(),
            ],
            Self::Timeout { goes_on: false, .. } => vec!["--max-wait-duration MINUTES waits longer.".to_owned()],
            Self::Failed(failure) => failure.hints(),
            Self::AliasIsSplit { .. } => {
                vec!["`samara rollout status` shows it; `samara rollout resume` or `abort` ends it.".to_owned()]
            }
            Self::CannotShift { .. } => vec![
                "--no-rollout deploys it without one: all traffic moves with the stack's update. --strategy and \
                 --alarm say what the template does not."
                    .to_owned(),
            ],
            Self::CannotSplit { .. } => vec![
                "`--strategy AllAtOnce` moves the alias between them in one write, and watches it afterwards."
                    .to_owned(),
            ],
            Self::OutOfStep { .. } => {
                vec!["--yes brings the stack's template to what its aliases serve, and moves no traffic.".to_owned()]
            }
            Self::NotHeld { .. } => vec![
                "Somebody changed it at the same moment: look with `samara rollout status`, then deploy again."
                    .to_owned(),
            ],
            Self::Rejected { .. } => {
                vec!["Nothing was touched; --force deploys all of it, and rolls that version out once more.".to_owned()]
            }
            Self::NeedsYes { .. } => vec![
                "It cannot be held back until the traffic has moved. --accept-changes-in-use allows it (as \
                 `accept_changes_in_use = true` in samconfig.toml does); --yes does not."
                    .to_owned(),
            ],
            Self::MissingParameters { .. } => vec!["Give them with --parameter-overrides NAME=VALUE.".to_owned()],
            Self::WrongCode { .. } => {
                vec!["No traffic was moved. Find out who writes to the bucket, then deploy again.".to_owned()]
            }
            Self::Template { .. } => Vec::new(),
        }
    }
}

impl Hint for Failure {
    fn hints(&self) -> Vec<String> {
        let mut hints: Vec<String> =
            self.cause.first().and_then(|first| super::cause::advice(first.reason.as_deref()?)).into_iter().collect();
        let stack = &self.stack;
        hints.push(match self.status.0.as_str() {
            "UPDATE_ROLLBACK_COMPLETE" => format!("Stack {stack} is as it was before: UPDATE_ROLLBACK_COMPLETE."),
            "ROLLBACK_COMPLETE" => format!(
                "Nothing of it runs. Stack {stack} is in ROLLBACK_COMPLETE and has to be deleted before the next \
                 deploy, which offers to do it."
            ),
            "DELETE_COMPLETE" => format!("Stack {stack} was deleted."),
            status @ ("CREATE_FAILED" | "UPDATE_FAILED") => {
                format!("Stack {stack} was left in {status}, as asked: mend the template and deploy again.")
            }
            status => format!("Stack {stack} is in {status}."),
        });
        hints
    }
}
