//! Every exit status, and which error ends with which. The statuses are documented in the README.

use std::process::ExitCode;

use crate::hint::Hint;
use crate::rollout::verdict::Outcome;
use crate::{aws, deploy, sandbox};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Done.
    Done = 0,
    /// Failed, or refused before anything was touched.
    Failed = 1,
    /// Wrong arguments.
    Usage = 2,
    /// The change set is empty (0 with `--no-fail-on-empty-changeset`).
    NoChanges = 3,
    /// Rolled back: the old version serves.
    RolledBack = 4,
    /// Stopped by someone else's change or lock.
    Conflict = 5,
    /// Paused, held or waiting for a person.
    Held = 6,
    /// Interrupted by SIGINT or SIGTERM, and not rolled back.
    Interrupted = 130,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

impl From<Outcome> for Status {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded | Outcome::Left => Self::Done,
            Outcome::RolledBack => Self::RolledBack,
            Outcome::Refused | Outcome::SettleFailed | Outcome::Failed => Self::Failed,
            Outcome::Held => Self::Held,
            Outcome::Conflict => Self::Conflict,
            Outcome::Interrupted => Self::Interrupted,
        }
    }
}

/// Whatever can end a command; one variant a library module, and what the command line itself finds.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to AWS failed.
    #[error(transparent)]
    Aws(#[from] aws::Error),
    /// AWS cannot be reached as configured.
    #[error(transparent)]
    Config(#[from] aws::ConfigError),
    /// The sandbox cannot be started, reached or stopped.
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    /// The application cannot be begun.
    #[error(transparent)]
    Init(#[from] crate::init::Error),
    /// The code cannot be packaged.
    #[error(transparent)]
    Package(#[from] crate::package::Error),
    /// A rollout could not be begun, found or carried on.
    #[error(transparent)]
    Rollout(#[from] crate::rollout::Error),
    /// samconfig.toml cannot be used.
    #[error(transparent)]
    Samconfig(#[from] deploy::samconfig::Error),
    /// The stack did not become what it should.
    #[error(transparent)]
    Deploy(#[from] deploy::Error),
    /// The rehearsal cannot go on.
    #[error(transparent)]
    Rehearse(#[from] crate::rehearse::Error),
    /// The template needs AWS's own transform; the findings were printed already.
    #[error("{0}")]
    Unsupported(String),
    /// A signal came; the text says what goes on without us.
    #[error("{0}")]
    Interrupted(String),
    /// The arguments do not fit together.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// `read`, `write`, `create`.
        action: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The findings were printed already.
    #[error("{0}")]
    Findings(String),
    /// Whether something differs cannot be told: `--exit-code` has 1 for that it does.
    #[error(transparent)]
    Trouble(Box<Self>),
}

impl Error {
    /// The exit status of this error. No `_`: a new kind does not compile until somebody has chosen.
    pub fn status(&self) -> Status {
        match self {
            Self::Aws(_) | Self::Config(_) | Self::Sandbox(_) | Self::File { .. } | Self::Findings(_) => Status::Failed,
            Self::Rehearse(_) => Status::Failed,
            Self::Package(crate::package::Error::Option(_)) => Status::Usage,
            Self::Package(_) | Self::Samconfig(_) => Status::Failed,
            Self::Init(crate::init::Error::Name { .. } | crate::init::Error::Template(_)) => Status::Usage,
            Self::Init(_) => Status::Failed,
            Self::Rollout(error) => of_rollout(error),
            Self::Usage(_) | Self::Trouble(_) => Status::Usage,
            Self::Unsupported(_) => Status::Failed,
            Self::Interrupted(_) => Status::Interrupted,
            Self::Deploy(error) => match error {
                deploy::Error::Failed(failure) if failure.is_rolled_back() => Status::RolledBack,
                deploy::Error::AliasIsSplit { .. } | deploy::Error::NotHeld { .. } => Status::Conflict,
                deploy::Error::Option(_) => Status::Usage,
                deploy::Error::Aws(_)
                | deploy::Error::Config(_)
                | deploy::Error::RolledBackOnCreate { .. }
                | deploy::Error::Stuck { .. }
                | deploy::Error::ChangeSet { .. }
                | deploy::Error::Timeout { .. }
                | deploy::Error::Failed(_)
                | deploy::Error::CannotShift { .. }
                | deploy::Error::CannotSplit { .. }
                | deploy::Error::OutOfStep { .. }
                | deploy::Error::Rejected { .. }
                | deploy::Error::NeedsYes { .. }
                | deploy::Error::MissingParameters { .. }
                | deploy::Error::WrongCode { .. }
                | deploy::Error::Template { .. } => Status::Failed,
            },
        }
    }
}

fn of_rollout(error: &crate::rollout::Error) -> Status {
    use crate::rollout::Error as Rollout;
    use crate::rollout::refusal::Refusal;
    match error {
        Rollout::Refused(refusals) if refusals.iter().any(|one| matches!(one, Refusal::WeightsPresent { .. })) => {
            Status::Conflict
        }
        Rollout::Held { .. } | Rollout::Changed { .. } => Status::Conflict,
        Rollout::NoWayBack { .. } | Rollout::NotA(_) => Status::Usage,
        Rollout::Aws(_)
        | Rollout::Journal(_)
        | Rollout::Refused(_)
        | Rollout::NoRollout { .. }
        | Rollout::NoAlias { .. }
        | Rollout::Write { .. }
        | Rollout::NotWithCodeDeploy { .. }
        | Rollout::Lost(_) => Status::Failed,
    }
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Aws(error) => error.hints(),
            Self::Config(error) => error.hints(),
            Self::Sandbox(error) => error.hints(),
            Self::Init(error) => error.hints(),
            Self::Package(error) => error.hints(),
            Self::Samconfig(error) => error.hints(),
            Self::Deploy(error) => error.hints(),
            Self::Unsupported(_) => vec![
                "--transform aws lets CloudFormation do it, through the change set; everything else stays the same."
                    .to_owned(),
            ],
            Self::Rehearse(error) => error.hints(),
            Self::Trouble(error) => error.hints(),
            Self::Usage(_) | Self::Interrupted(_) | Self::File { .. } | Self::Findings(_) => Vec::new(),
            Self::Rollout(error) => error.hints(),
        }
    }
}
