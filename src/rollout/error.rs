//! Why a rollout could not be begun, found or carried on, and what to do then.

use super::content::Content;
use super::names::{self, AliasName, FunctionName};
use super::refusal::Refusal;
use super::store;
use crate::aws;
use crate::hint::Hint;

/// Why a rollout could not be begun, found or carried on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to AWS failed.
    #[error(transparent)]
    Aws(#[from] aws::Error),
    /// The journal is damaged.
    #[error(transparent)]
    Journal(#[from] store::ReadError),
    /// Something that was given cannot be.
    #[error(transparent)]
    NotA(#[from] names::NotA),
    /// Something speaks against it; nothing was touched.
    #[error("the rollout is refused: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
    /// Another rollout has the alias.
    #[error("{alias} has a rollout already, {} {holder}", if *alive { "driven by" } else { "left by" })]
    Held {
        /// The alias.
        alias: String,
        /// Who.
        holder: String,
        /// Whether that process seems to live.
        alive: bool,
    },
    /// There is no rollout to carry on.
    #[error("{alias} has no rollout under way")]
    NoRollout {
        /// The alias.
        alias: String,
    },
    /// There is no such alias.
    #[error("there is no alias {alias} of function {function}")]
    NoAlias {
        /// The function.
        function: FunctionName,
        /// The alias.
        alias: AliasName,
    },
    /// It is not known what to go back to.
    #[error("nothing tells which version {alias} served before version {current}")]
    NoWayBack {
        /// The alias.
        alias: String,
        /// What it serves.
        current: String,
        /// Versions that there are: number, date, `CodeSha256`, and the command.
        candidates: Vec<String>,
    },
    /// Somebody changed the alias at the same moment.
    #[error("{alias} was changed by somebody else at the same moment: it says {found} now")]
    Changed {
        /// The alias.
        alias: String,
        /// What it says.
        found: Content,
    },
    /// A write did not succeed.
    #[error("{alias} could not be written: {reason}")]
    Write {
        /// The alias.
        alias: String,
        /// Why.
        reason: String,
        /// The command that does it by hand.
        by_hand: String,
    },
    /// CodeDeploy decides when the next weight comes.
    #[error("CodeDeploy moves {alias}: it can be watched or taken back, nothing else")]
    NotWithCodeDeploy {
        /// The alias.
        alias: String,
    },
    /// The driver itself failed; the journal says where.
    #[error("the rollout's driver ended: {0}")]
    Lost(String),
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Aws(error) => error.hints(),
            Self::Journal(store::ReadError::Aws(error)) => error.hints(),
            Self::Journal(store::ReadError::Damaged { .. }) => vec![
                "`samara rollout rollback --to-version N` needs no journal; then move the object away by hand."
                    .to_owned(),
            ],
            Self::Refused(refusals) => refusals.iter().flat_map(Hint::hints).collect(),
            Self::Held { alive: true, .. } => {
                vec!["Wait for it, or take it back with `samara rollout abort`.".to_owned()]
            }
            Self::Held { alive: false, .. } => vec![
                "Carry it on with `samara rollout resume`, or take it back with `samara rollout abort`.".to_owned(),
            ],
            Self::NoRollout { .. } => {
                vec!["`samara rollout status` shows the alias; `samara rollout start` begins one.".to_owned()]
            }
            Self::NoWayBack { candidates, .. } => {
                let mut hints =
                    vec!["Name the version (the one before by number may be one that was rejected):".to_owned()];
                hints.extend(candidates.iter().cloned());
                hints
            }
            Self::Write { by_hand, .. } => vec![format!("By hand: {by_hand}")],
            Self::Changed { .. } => vec!["Look at it with `samara rollout status` and decide again.".to_owned()],
            Self::NoAlias { function, .. } => {
                vec![format!("`aws lambda list-aliases --function-name {function}` lists what there is.")]
            }
            Self::NotWithCodeDeploy { .. } => {
                vec!["`samara rollout resume` watches it, `samara rollout abort` takes it back.".to_owned()]
            }
            Self::NotA(_) | Self::Lost(_) => Vec::new(),
        }
    }
}
