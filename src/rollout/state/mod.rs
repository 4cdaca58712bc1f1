//! The rollout as a pure machine: `step(state, event) -> (state, actions)`. Time is in the event.
//!
//! It is driven by levels, not by edges: [`Phase`] says what the alias should hold, [`State::alias`]
//! what it is known to hold, and an [`Intent`] closes the gap. A raise is carried out only when the
//! journal has it (that write is the fence too); the way back waits for nothing but Lambda. A
//! driver that dies loses only [`Live`]: whoever loads the rest reads the alias and goes on.

mod handle;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::analysis::alarms::{AlarmReading, AlarmWatch};
use super::analysis::{Judge, Minute, Reason, Standing};
use super::content::{Content, Seen};
use super::names::{RevisionId, Time, Version, Weight};
use super::plan::{OnOutage, Plan};

/// How often metrics, alarms and the alias are read.
pub const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often the journal is written when there is nothing new, to say that the driver lives.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// A raise needs a reading no older than this: two looks and the time that they take.
const FRESH: Duration = Duration::from_secs(75);
/// After so long without an event the process slept: what it knew of alias and journal is stale.
pub const GAP: Duration = Duration::from_secs(40);
/// How long a version may stay Pending (SnapStart, images and VPCs take minutes).
const PENDING_FOR: Duration = Duration::from_secs(900);
/// The longest pause between two attempts.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// How long the end waits for a journal that cannot be reached.
const JOURNAL_PATIENCE: Duration = Duration::from_secs(120);
/// Refused for want of permission so often, a rollback needs a person. Credentials may be renewed
/// in between.
const DENIALS: u32 = 6;
/// Entries that are kept; a plan of 200 steps makes about 600.
const ENTRIES: usize = 1000;

/// Where the rollout is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name")]
pub enum Phase {
    /// The journal is being created: that is the lock.
    Planned,
    /// Waiting for the new version to be active, and for a first reading.
    PreTraffic {
        /// Since when.
        since: Time,
    },
    /// At a step, or on the way to it.
    Shifting {
        /// Index of the step.
        step: usize,
        /// When the weight was confirmed; `None` on the way.
        since: Option<Time>,
    },
    /// At the last step: its minutes have to be complete before the last raise.
    Barrier {
        /// Since when.
        since: Time,
    },
    /// On the way to the whole traffic.
    Promoting,
    /// The new version serves everything and is watched.
    Baking {
        /// Since when.
        since: Time,
    },
    /// Watched long enough; what is checked after the traffic is checked here.
    PostTraffic,
    /// The stack's template follows.
    Settling,
    /// Done.
    Succeeded,
    /// On the way back.
    RollingBack {
        /// Why.
        why: Why,
    },
    /// Back.
    RolledBack {
        /// Why.
        why: Why,
        /// What the alias was left with: the old version, or what somebody else made of it.
        left: Content,
    },
    /// Waiting for a person at the weight that there is.
    Paused {
        /// Where it goes on.
        was: Box<Phase>,
        /// Why it waits.
        cause: PauseCause,
    },
    /// The traffic is right; the stack's template is not in line yet.
    SettleFailed {
        /// Why.
        reason: String,
    },
    /// Somebody else changed the alias. Nothing is touched.
    Conflicted {
        /// Where it was.
        was: Box<Phase>,
        /// What the alias should have said.
        expected: Content,
        /// What it says; `None` when it is gone.
        found: Option<Content>,
    },
}

/// Why a rollout waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseCause {
    /// The strategy says so here.
    Strategy,
    /// `rollout pause`.
    Asked,
    /// The new version had too few requests to be judged.
    NoData,
    /// The driver was interrupted and told to hold.
    Interrupted,
}

/// Why it goes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum Why {
    /// The new version is worse.
    Evidence {
        /// The numbers.
        reason: Reason,
    },
    /// An alarm went to ALARM.
    Alarm {
        /// Which.
        alarm: AlarmReading,
    },
    /// The new version cannot serve.
    Version {
        /// What Lambda says.
        reason: String,
    },
    /// Nothing could be read for too long.
    Outage {
        /// The last error.
        error: String,
    },
    /// Too few requests to be judged, and `--on-no-data rollback`.
    NoData,
    /// `rollout abort`.
    Aborted,
    /// SIGINT or SIGTERM.
    Interrupted,
    /// `--timeout` is over.
    TimedOut,
    /// The alias may not be written.
    Denied {
        /// AWS's answer.
        error: String,
    },
    /// It was found wholly on the old version when nobody was driving.
    FoundBack,
    /// `rollout rollback` with no rollout under way.
    ByHand,
}

/// A write of the alias that has been decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// What the alias said when it was decided.
    pub before: Content,
    /// What it is to say.
    pub after: Content,
    /// The journal has to have this before it is carried out; the way back does not wait for it.
    seq: u64,
    stage: Stage,
    attempts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Stage {
    /// Waiting for the journal.
    Journalling,
    /// The call is under way.
    Acting,
    /// What became of it is not known, or it was refused: the alias has to be read, not before then.
    Verifying(Time),
}

/// A line of the journal's story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What can happen in a rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Happening {
    /// It began.
    Began,
    /// Another process drives it now.
    TookOver {
        /// What it came for.
        to: Purpose,
    },
    /// The alias is going to say this.
    Intent {
        /// What.
        content: Content,
    },
    /// The alias says this.
    Confirmed {
        /// What.
        content: Content,
    },
    /// The same content was found under another revision: somebody edited the description, say.
    Adopted,
    /// The settle's stack update wrote the alias once more, with the content that it had.
    WrittenBySettle,
    /// What somebody else made of the alias is accepted, as `resume --adopt` asked.
    Accepted {
        /// What it says.
        content: Content,
    },
    /// What somebody else made of the alias is going to be overwritten, as `abort --force` asked.
    Overwriting {
        /// What it says.
        content: Content,
    },
    /// Too few requests so far; the step is held longer.
    WaitingForRequests {
        /// Served in judged minutes.
        served: u64,
        /// Wanted.
        wanted: u64,
    },
    /// Metrics or alarms cannot be read: no raise until they can.
    Blind {
        /// Why.
        error: String,
    },
    /// They can be read again.
    SeesAgain,
    /// Waits for a person.
    Paused {
        /// Why.
        cause: PauseCause,
    },
    /// The last step's minutes are awaited.
    Barrier,
    /// The bake began.
    Baking,
    /// It goes back.
    Decided {
        /// Why.
        why: Why,
    },
    /// The stack's template is being brought in line.
    Settling,
    /// That failed.
    SettleFailed {
        /// Why.
        reason: String,
    },
    /// CloudFormation had put the alias back to its old version while it undid a failed settle.
    PutBackByCloudFormation,
    /// Somebody else changed the alias.
    Conflict {
        /// What it says.
        found: Option<Content>,
    },
    /// Back on the old version.
    RolledBack,
    /// Done.
    Succeeded,
}

/// What a process that takes a rollout over comes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Go on where it stopped.
    Resume,
    /// Go on, over the pause that it waits at.
    Promote,
    /// Go back.
    Abort,
    /// Accept what somebody else made of the alias, and go on from there.
    Adopt,
    /// Go back over whatever the alias says.
    Force,
}

impl Purpose {
    /// Whether it goes back to the old version.
    pub fn goes_back(self) -> bool {
        matches!(self, Self::Abort | Self::Force)
    }
}

/// Everything that is known of a rollout; all but `live` is in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What was decided at the start.
    pub plan: Plan,
    /// Where it is.
    pub phase: Phase,
    /// What the alias is known to say.
    pub alias: Seen,
    /// What a write of ours whose answer never came may still make of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maybe: Option<Content>,
    /// A write that is decided and not confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// What somebody else made of the alias and was accepted: it stands for the step's own content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Content>,
    /// The evidence.
    pub judge: Judge,
    /// The alarms.
    pub alarms: AlarmWatch,
    /// Where the evidence stood at the last look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// When the first weight was set; the evidence begins there.
    #[serde(default)]
    pub first_traffic: Option<Time>,
    /// The story so far.
    pub entries: VecDeque<Entry>,
    /// Rises with every change that the journal has to have.
    pub seq: u64,
    /// What only this driver knows.
    #[serde(skip)]
    pub live: Live,
}

/// What only the process that drives knows; none of it outlives it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    now: Time,
    /// The newest state that the journal has.
    journalled: u64,
    writing: bool,
    write_not_before: Time,
    journal_lost_since: Option<Time>,
    journal_gone: bool,
    /// Whether the journal says that this process drives.
    claimed: bool,
    heartbeat_at: Time,
    /// Whether the alias has been read since this driver began, or woke.
    verified: bool,
    taken_over: bool,
    /// The first reading of the alias is accepted, or overwritten, whatever it says.
    insists: Option<Purpose>,
    /// Numbers the reads of the alias, so that an answer overtaken by a write is not believed.
    ticket: u64,
    reading: bool,
    read_not_before: Time,
    read_failures: u32,
    denials: u32,
    looking: bool,
    look_not_before: Time,
    last_good: Option<Time>,
    blind_since: Option<Time>,
    blind_error: String,
    version_ready: bool,
    checking: bool,
    check_not_before: Time,
    settling: bool,
    settle_failed: Option<String>,
    wake_at_gate: bool,
    retiring: bool,
    /// How it ended for this driver.
    pub stop: Option<Stop>,
}

/// How it ended, for the process that drove it.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// The phase says it all: succeeded, rolled back, paused, conflicted, settle failed.
    Phase,
    /// Another driver has the journal now.
    LostFence {
        /// Who.
        holder: String,
    },
    /// The journal is gone; the weight stays as it is.
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

/// Something that happened.
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
    },
    /// It was deleted.
    JournalGone,
    /// The alias was read: `None` when there is no such alias.
    AliasRead(u64, Result<Option<Seen>, String>),
    /// The alias was written, or not.
    AliasWritten(Result<RevisionId, WriteTrouble>),
    /// The new version was looked at.
    VersionIs(Readiness),
    /// Metrics and alarms were read, or not.
    Looked(Result<Reading, String>),
    /// The stack was settled, or not.
    Settled(Result<(), String>),
    /// The journal was moved to the history.
    Retired,
    /// `rollout pause`.
    Pause,
    /// Go on over a pause, or to the next step now.
    Promote,
    /// Go back, and why.
    Back(Why),
    /// Interrupted, and told to hold.
    Hold,
}

/// What was read of metrics and alarms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Minutes, the newest last.
    pub minutes: Vec<Minute>,
    /// The longest invocation in them.
    pub longest_ms: u64,
    /// The alarms.
    pub alarms: Vec<AlarmReading>,
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

/// What the world is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write the state as it is now to the journal, conditionally; answer [`What::Journalled`].
    WriteJournal(u64),
    /// `GetAlias`, with the number that the answer has to carry.
    ReadAlias(u64),
    /// `UpdateAlias` with the revision; once, without retries.
    WriteAlias {
        /// The revision that it is written over.
        expect: RevisionId,
        /// What it is to say.
        content: Content,
    },
    /// Look whether the new version is active.
    CheckVersion(Version),
    /// Read metrics from this minute on, and the alarms.
    Look {
        /// The first minute wanted, counted from 1970.
        from: i64,
        /// From this minute on the alias has only the new version.
        whole_from: Option<i64>,
    },
    /// Bring the stack's template in line.
    Settle,
    /// Move the journal to the history.
    Retire,
}

impl State {
    /// A rollout that has not begun. `alias` is what was read in preflight.
    pub fn new(plan: Plan, alias: Seen) -> Self {
        Self {
            plan,
            phase: Phase::Planned,
            alias,
            maybe: None,
            intent: None,
            accepted: None,
            judge: Judge::default(),
            alarms: AlarmWatch::default(),
            standing: None,
            first_traffic: None,
            entries: VecDeque::new(),
            seq: 0,
            live: Live::default(),
        }
    }

    /// What the alias is to say in this phase; `None` where it is left as it is.
    fn target(&self) -> Option<Content> {
        match &self.phase {
            Phase::Shifting { step, .. } => Some(self.accepted.clone().unwrap_or_else(|| self.plan.content(*step))),
            Phase::Promoting | Phase::Settling => Some(Content::whole(self.plan.new)),
            Phase::RollingBack { .. } => Some(Content::whole(self.plan.old)),
            Phase::Planned
            | Phase::PreTraffic { .. }
            | Phase::Barrier { .. }
            | Phase::Baking { .. }
            | Phase::PostTraffic
            | Phase::Succeeded
            | Phase::RolledBack { .. }
            | Phase::Paused { .. }
            | Phase::SettleFailed { .. }
            | Phase::Conflicted { .. } => None,
        }
    }

    /// Whether the driver has nothing more to do in this phase.
    pub fn is_parked(&self) -> bool {
        match &self.phase {
            Phase::Succeeded
            | Phase::RolledBack { .. }
            | Phase::SettleFailed { .. }
            | Phase::Conflicted { .. }
            | Phase::Paused { .. } => self.intent.is_none(),
            _ => false,
        }
    }

    /// Whether it is over for good.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::RolledBack { .. })
    }

    /// Whether the new version is being judged, and may still be taken back.
    pub fn may_go_back(&self) -> bool {
        match &self.phase {
            Phase::Planned
            | Phase::PreTraffic { .. }
            | Phase::Shifting { .. }
            | Phase::Barrier { .. }
            | Phase::Promoting
            | Phase::Baking { .. }
            | Phase::PostTraffic
            | Phase::Paused { .. } => true,
            Phase::Settling
            | Phase::Succeeded
            | Phase::RollingBack { .. }
            | Phase::RolledBack { .. }
            | Phase::SettleFailed { .. }
            | Phase::Conflicted { .. } => false,
        }
    }

    /// Whether `resume --adopt` can go on from this content: the alias has nothing but this rollout's
    /// own versions, and neither is what a rollback or a settle left.
    pub fn may_adopt(&self, content: &Content) -> bool {
        let ours = [self.plan.old.to_string(), self.plan.new.to_string()];
        let is_ours = ours.contains(&content.version) && content.weights.keys().all(|version| ours.contains(version));
        let phase = match &self.phase {
            Phase::Paused { was, .. } | Phase::Conflicted { was, .. } => was,
            phase => phase,
        };
        let settles = matches!(phase, Phase::Settling | Phase::SettleFailed { .. });
        is_ours && content.share(self.plan.new) > Weight::ZERO && !settles
    }

    /// When nothing happens before: the next time that a tick can change something.
    pub fn now(&self) -> Time {
        self.live.now
    }

    /// Whether the journal has everything.
    pub fn is_recorded(&self) -> bool {
        self.live.journalled >= self.seq
    }

    fn note(&mut self, what: Happening) {
        if self.entries.len() >= ENTRIES {
            // What tells the weights is kept longest.
            let dispensable = self.entries.iter().position(|entry| {
                !matches!(
                    entry.what,
                    Happening::Intent { .. } | Happening::Confirmed { .. } | Happening::Decided { .. }
                )
            });
            self.entries.remove(dispensable.unwrap_or(0));
        }
        self.entries.push_back(Entry { at: self.live.now, what });
        self.seq += 1;
    }

    fn enter(&mut self, phase: Phase) {
        let stays = match (&self.phase, &phase) {
            (Phase::Shifting { step, .. }, Phase::Shifting { step: next, .. }) => step == next,
            (_, phase) => matches!(phase, Phase::Paused { .. } | Phase::Conflicted { .. }),
        };
        if !stays {
            self.accepted = None;
        }
        self.phase = phase;
        self.seq += 1;
    }

    fn is_fresh(&self) -> bool {
        let blind_is_fine = self.plan.on_outage == OnOutage::Continue && self.live.blind_since.is_some();
        blind_is_fine || self.live.last_good.is_some_and(|at| self.live.now.since(at) <= FRESH)
    }
}

/// One step. Total: every event is answered in every state, and what does not fit is ignored.
pub fn step(mut state: State, event: Event) -> (State, Vec<Action>) {
    let slept = state.live.now != Time::default() && event.at.since(state.live.now) > GAP;
    state.live.now = state.live.now.max(event.at);
    if slept {
        state.woke();
    }
    state.take(event.what);
    let actions = state.drive();
    (state, actions)
}

fn back_off(attempts: u32) -> Duration {
    Duration::from_secs(1 << attempts.min(5)).min(LONGEST_BACK_OFF)
}
