//! What happens to a rollout, and what it asks of the world.

use serde::{Deserialize, Serialize};

use super::super::analysis::Minute;
use super::super::analysis::alarms::AlarmReading;
use super::super::content::{Content, Seen};
use super::super::names::{RevisionId, Time};
use super::Why;

/// What a process that takes a rollout over comes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Go on where it stopped.
    Resume,
    /// Go on, over the pause that it waits at, or to the next step now.
    Promote,
    /// Go to the whole traffic now, over all steps that are left.
    PromoteFully,
    /// Wait at the weight that there is.
    Pause,
    /// Go back.
    Abort,
    /// Accept what somebody else made of an alias, and go on from there.
    Adopt,
    /// Go back over whatever the aliases say.
    Force,
}

impl Purpose {
    /// Whether it goes back to the old version.
    pub fn goes_back(self) -> bool {
        matches!(self, Self::Abort | Self::Force)
    }

    /// Whether it may take the journal from a driver that lives: what it does raises nothing.
    pub fn interrupts(self) -> bool {
        self.goes_back() || self == Self::Pause
    }
}

/// How it ended, for the process that drove it.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// The phase says it all: succeeded, rolled back, paused, conflicted, settle failed.
    Phase,
    /// Left where it is, for a later `resume`.
    Left,
    /// Another driver has the journal now.
    LostFence {
        /// Who.
        holder: String,
        /// Whether all that it did was to pause the rollout.
        paused: bool,
    },
    /// The journal is gone; the weights stay as they are.
    JournalGone,
    /// It cannot be rolled back without a person.
    Stuck {
        /// Why.
        reason: String,
    },
    /// Interrupted where there is nothing to go back from.
    Interrupted,
}

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, by the services' clock.
    pub at: Time,
    /// What.
    pub what: What,
}

/// Something that happened. A number in front is the alias's index in the plan.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A new rollout begins.
    Begin,
    /// This process takes over what is in the journal.
    TakeOver(Purpose),
    /// Time passed.
    Tick,
    /// The journal has the state with this number.
    Journalled(u64),
    /// The journal cannot be reached.
    JournalUnreachable,
    /// Another driver wrote it.
    JournalLost {
        /// Who.
        holder: String,
        /// Whether all that it did was to pause the rollout.
        paused: bool,
    },
    /// It was deleted.
    JournalGone,
    /// An alias was read, with the ticket of the question: `None` when there is no such alias.
    AliasRead(usize, u64, Result<Option<Seen>, String>),
    /// An alias was written, or not.
    AliasWritten(usize, Result<RevisionId, WriteTrouble>),
    /// A new version was looked at.
    VersionIs(usize, Readiness),
    /// A task was performed, or not.
    Performed(Task, Result<(), TaskTrouble>),
    /// Metrics and alarms were read, or not.
    Looked(Result<Reading, String>),
    /// The stack was settled, or not.
    Settled(Result<(), String>),
    /// The journal was moved to the history.
    Retired,
    /// Wait at this weight.
    Pause,
    /// Go on over a pause, or to the next step now.
    Promote,
    /// Go to the whole traffic now.
    PromoteFully,
    /// Do what is due now, then leave the rollout for a later `resume`.
    Leave,
    /// Go back, and why.
    Back(Why),
    /// Interrupted, and told to hold.
    Hold,
}

/// Something that is done once, before or after the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Invoke the new version of the alias with this index, so that its environments are there.
    WarmUp(usize),
    /// Run the plan's hook with this index.
    Hook(usize),
}

/// Why a task did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskTrouble {
    /// It says that the new version is not good.
    Failed(String),
    /// It could not be run; trying again may help.
    NotRun(String),
}

/// What was read of metrics and alarms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// One an alias of the plan, in its order.
    pub aliases: Vec<AliasReading>,
    /// The alarms.
    pub alarms: Vec<AlarmReading>,
}

/// What was read of one alias's metrics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AliasReading {
    /// Minutes, the newest last.
    pub minutes: Vec<Minute>,
    /// The longest invocation in them.
    pub longest_ms: u64,
}

/// Why a write of the alias did not take effect, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteTrouble {
    /// The revision was stale (412), or the retry of a write whose answer was lost.
    Refused,
    /// No answer, or 5xx: it may have taken effect.
    Unknown,
    /// 409 or 429: it has not; try again later.
    Busy,
    /// 404: alias or version are not there.
    Gone(String),
    /// The principal may not.
    Denied(String),
}

/// Whether the new version can serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Active,
    /// Not yet, or not known.
    Pending,
    /// Never.
    Failed(String),
}

/// What the world is asked to do. `alias` is the index in the plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write the state as it is now to the journal, conditionally; answer [`What::Journalled`].
    WriteJournal(u64),
    /// `GetAlias`.
    ReadAlias {
        /// Which.
        alias: usize,
        /// The number that the answer has to carry.
        ticket: u64,
    },
    /// `UpdateAlias` with the revision; once, without retries.
    WriteAlias {
        /// Which.
        alias: usize,
        /// The revision that it is written over.
        expect: RevisionId,
        /// What it is to say.
        content: Content,
    },
    /// Look whether the new version is active.
    CheckVersion {
        /// Of which alias.
        alias: usize,
    },
    /// Do this once.
    Perform(Task),
    /// Read metrics from this minute on, and the alarms.
    Look {
        /// The first minute wanted, counted from 1970.
        from: i64,
        /// From this minute on the aliases have only the new versions.
        whole_from: Option<i64>,
    },
    /// Bring the stack's template in line.
    Settle,
    /// Move the journal to the history.
    Retire,
}
