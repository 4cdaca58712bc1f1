//! The rollout as a pure machine: `step(state, event) -> (state, actions)`. Time is in the event.
//!
//! It is driven by levels, not by edges: [`Phase`] says what the aliases should hold, [`AliasState`]
//! what each is known to hold, and an [`Intent`] closes the gap. A raise is carried out only when the
//! journal has it (that write is the fence too); the way back waits for nothing but Lambda. A
//! driver that dies loses only [`Live`]: whoever loads the rest reads the aliases and goes on.

mod alias;
mod answers;
mod drive;
mod event;
mod mutation;
#[cfg(test)]
mod races;
#[cfg(test)]
mod strangers;
mod take;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::analysis::alarms::{AlarmReading, AlarmWatch};
use super::analysis::{Reason, Standing};
use super::content::{Content, Seen};
use super::names::{Time, Weight};
use super::plan::{Hook, HookTime, OnOutage, Plan};

pub use alias::{AliasLive, AliasState, Conflict, Intent};
pub use event::{
    Action, AliasReading, Event, Purpose, Readiness, Reading, Stop, Task, TaskTrouble, What, WriteTrouble,
};
pub use mutation::Mutation;

/// How often metrics, alarms and the aliases are read.
pub const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often the journal is written when there is nothing new, to say that the driver lives.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// A raise needs a reading no older than this: two looks and the time that they take.
const FRESH: Duration = Duration::from_secs(75);
/// A raise needs a write of the journal no older than this: two heartbeats.
const FENCED: Duration = Duration::from_secs(20);
/// After so long without an event the process slept: what it knew of aliases and journal is stale.
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
/// Written and answered, but not to be read so often: the answer has to do.
const READ_FAILURES: u32 = 6;
/// A check that cannot be run so often has failed.
const TASK_ATTEMPTS: u32 = 3;
/// So many aliases go back at the same time: Lambda's control plane is throttled by the account.
const BACK_AT_ONCE: usize = 4;
/// Entries that are kept; a plan of 200 steps makes about 600 an alias.
const ENTRIES: usize = 2000;

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
    PostTraffic {
        /// Since when the new versions serve everything.
        since: Time,
    },
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
        /// What each alias was left with: the old version, or what somebody else made of it.
        left: Vec<Content>,
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
    /// Somebody else changed an alias ([`AliasState::conflict`]). Nothing is touched.
    Conflicted {
        /// Where it was.
        was: Box<Phase>,
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
        /// On which alias, by its index.
        #[serde(default)]
        alias: usize,
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
    /// A check before or after the traffic failed.
    Check {
        /// Which.
        what: String,
        /// What it said.
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
    /// CodeDeploy moves an alias, and samara watches it.
    Watching {
        /// Which alias, by its index.
        alias: usize,
        /// The deployment.
        deployment: String,
        /// The stack whose update began it.
        stack: String,
    },
    /// Another process drives it now.
    TookOver {
        /// What it came for.
        to: Purpose,
    },
    /// An alias is going to say this.
    Intent {
        /// Which alias, by its index.
        #[serde(default)]
        alias: usize,
        /// What.
        content: Content,
    },
    /// An alias says this.
    Confirmed {
        /// Which alias, by its index.
        #[serde(default)]
        alias: usize,
        /// What.
        content: Content,
    },
    /// The same content was found under another revision: somebody edited the description, say.
    Adopted {
        /// Which alias, by its index.
        #[serde(default)]
        alias: usize,
    },
    /// The settle's stack update wrote the alias once more, with the content that it had.
    WrittenBySettle {
        /// Which alias, by its index.
        #[serde(default)]
        alias: usize,
    },
    /// What somebody else made of the alias is accepted, as `resume --adopt` asked.
    Accepted {
        /// Which alias, by its index.
        #[serde(default)]
        alias: usize,
        /// What it says.
        content: Content,
    },
    /// What somebody else made of the alias is going to be overwritten, as `abort --force` asked.
    Overwriting {
        /// Which alias, by its index.
        #[serde(default)]
        alias: usize,
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
    /// A check, or the warm-up, is going to be run.
    Running {
        /// Which.
        task: Task,
    },
    /// It succeeded.
    Passed {
        /// Which.
        task: Task,
    },
    /// The evidence says to go back, and was not to be acted on.
    WouldGoBack {
        /// Why.
        why: Why,
    },
    /// The driver left it for a later `resume`.
    Left,
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
    PutBackByCloudFormation {
        /// Which alias, by its index.
        #[serde(default)]
        alias: usize,
    },
    /// Somebody else changed the alias.
    Conflict {
        /// Which alias, by its index.
        #[serde(default)]
        alias: usize,
        /// What it says.
        found: Option<Content>,
    },
    /// Back on the old version.
    RolledBack,
    /// Done.
    Succeeded,
}

/// Everything that is known of a rollout; all but `live` is in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What was decided at the start.
    pub plan: Plan,
    /// Where it is.
    pub phase: Phase,
    /// The aliases, in the plan's order.
    pub aliases: Vec<AliasState>,
    /// The alarms.
    pub alarms: AlarmWatch,
    /// What was done of what is done once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<Task>,
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
    /// When the journal was last written.
    fenced_at: Option<Time>,
    /// Whether the journal says that this process drives.
    claimed: bool,
    /// The answer to the write of the journal under way is as old as the sleep that it came after.
    overslept: bool,
    /// Whether another process was settling when this one took over: CloudFormation may have put an alias
    /// back since.
    took_over_settle: bool,
    heartbeat_at: Time,
    looking: bool,
    look_not_before: Time,
    last_good: Option<Time>,
    blind_since: Option<Time>,
    blind_error: String,
    task: Option<Running>,
    settling: bool,
    settled: Option<Result<(), String>>,
    wake_at_gate: bool,
    leaving: bool,
    retiring: bool,
    /// How it ended for this driver.
    pub stop: Option<Stop>,
    /// A deliberate mistake, for the simulation.
    #[doc(hidden)]
    pub mutation: Option<Mutation>,
}

/// A task under way.
#[derive(Clone, Debug, PartialEq)]
struct Running {
    task: Task,
    /// The journal has to have this first.
    seq: u64,
    started: bool,
    attempts: u32,
    not_before: Time,
}

impl State {
    /// A rollout that has not begun. `seen` is what was read in preflight, one an alias of the plan.
    pub fn new(plan: Plan, seen: Vec<Seen>) -> Self {
        Self {
            plan,
            phase: Phase::Planned,
            aliases: seen.into_iter().map(AliasState::new).collect(),
            alarms: AlarmWatch::default(),
            passed: Vec::new(),
            entries: VecDeque::new(),
            seq: 0,
            live: Live::default(),
        }
    }

    /// Whether the driver has nothing more to do in this phase.
    pub fn is_parked(&self) -> bool {
        match &self.phase {
            Phase::Succeeded
            | Phase::RolledBack { .. }
            | Phase::SettleFailed { .. }
            | Phase::Conflicted { .. }
            | Phase::Paused { .. } => self.aliases.iter().all(|alias| alias.intent.is_none()),
            _ => false,
        }
    }

    /// Whether the driver leaves it for a later `resume`: what is due now is done.
    pub fn is_left(&self) -> bool {
        let holds =
            matches!(self.phase, Phase::Shifting { since: Some(_), .. } | Phase::Barrier { .. } | Phase::Baking { .. });
        self.live.leaving
            && holds
            && self.live.last_good.is_some()
            && self.aliases.iter().all(|alias| alias.intent.is_none() && alias.live.verified)
    }

    /// Whether it is over for good.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::RolledBack { .. })
    }

    /// Whether the new versions are being judged, and may still be taken back.
    pub fn may_go_back(&self) -> bool {
        match &self.phase {
            Phase::Planned
            | Phase::PreTraffic { .. }
            | Phase::Shifting { .. }
            | Phase::Barrier { .. }
            | Phase::Promoting
            | Phase::Baking { .. }
            | Phase::PostTraffic { .. }
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
    pub fn may_adopt(&self, alias: usize, content: &Content) -> bool {
        let Some(plan) = self.plan.aliases.get(alias) else { return false };
        let ours = [plan.old.to_string(), plan.new.to_string()];
        let is_ours = ours.contains(&content.version) && content.weights.keys().all(|version| ours.contains(version));
        let phase = match &self.phase {
            Phase::Paused { was, .. } | Phase::Conflicted { was, .. } => was,
            phase => phase,
        };
        let settles = matches!(phase, Phase::Settling | Phase::SettleFailed { .. });
        is_ours && content.share(plan.new) > Weight::ZERO && !settles
    }

    /// When nothing happens before: the next time that a tick can change something.
    pub fn now(&self) -> Time {
        self.live.now
    }

    /// Whether the journal has everything.
    pub fn is_recorded(&self) -> bool {
        self.live.journalled >= self.seq
    }

    /// Whether the journal ever said that this process drives.
    pub fn has_driven(&self) -> bool {
        self.live.claimed
    }

    /// When any alias first had traffic on its new version.
    pub fn first_traffic(&self) -> Option<Time> {
        self.aliases.iter().filter_map(|alias| alias.first_traffic).min()
    }

    /// The earliest time at which the phase may end, where that is known.
    pub fn next_at(&self) -> Option<Time> {
        self.gate()
    }

    /// Where the evidence of the whole set stands: the mean over its functions
    /// (each is an e-process, so is their mean), and what says most.
    pub fn standing(&self) -> Option<(usize, Standing)> {
        let known: Vec<(usize, &Standing)> =
            self.aliases.iter().enumerate().filter_map(|(at, alias)| Some((at, alias.standing.as_ref()?))).collect();
        let mean = known.iter().map(|(_, standing)| standing.evidence / self.aliases.len() as f64).sum::<f64>();
        let (at, worst) = known.into_iter().fold(None, |worst: Option<(usize, &Standing)>, one| match worst {
            Some(worst) if worst.1.evidence >= one.1.evidence => Some(worst),
            _ => Some(one),
        })?;
        Some((at, Standing { evidence: mean, ..worst.clone() }))
    }

    /// The hook with this index.
    pub fn hook(&self, index: usize) -> Option<&Hook> {
        self.plan.hooks.get(index)
    }

    /// A task in plain words.
    pub fn task_words(&self, task: Task) -> String {
        self.plan.task_words(task)
    }

    fn mutated(&self, mutation: Mutation) -> bool {
        self.live.mutation == Some(mutation)
    }

    fn note(&mut self, what: Happening) {
        if self.entries.len() >= ENTRIES {
            // What tells the weights is kept longest.
            let dispensable = self.entries.iter().position(|entry| {
                !matches!(
                    entry.what,
                    Happening::Intent { .. }
                        | Happening::Confirmed { .. }
                        | Happening::Decided { .. }
                        | Happening::Watching { .. }
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
            // What was accepted of one alias of a set may be more than its next step: a step never
            // takes traffic away from a new version.
            let planned = |index: usize| match &phase {
                Phase::Shifting { step, .. } => self.plan.content(index, *step),
                _ => None,
            };
            let kept: Vec<bool> = (0..self.aliases.len())
                .map(|index| {
                    let accepted = self.aliases[index].accepted.as_ref();
                    let of = self.plan.aliases.get(index).map(|alias| alias.new);
                    accepted
                        .zip(planned(index))
                        .zip(of)
                        .is_some_and(|((accepted, planned), new)| accepted.share(new) >= planned.share(new))
                })
                .collect();
            for (alias, kept) in self.aliases.iter_mut().zip(kept) {
                if !kept {
                    alias.accepted = None;
                }
            }
        }
        if matches!(phase, Phase::PostTraffic { .. }) {
            // Before it is said that the new version serves, every alias is read once more.
            for alias in &mut self.aliases {
                alias.unverify();
                alias.live.rereads = true;
            }
        }
        self.phase = phase;
        self.seq += 1;
    }

    fn is_fresh(&self) -> bool {
        let blind_is_fine = self.plan.on_outage == OnOutage::Continue && self.live.blind_since.is_some();
        blind_is_fine
            || self.mutated(Mutation::RaiseBlind)
            || self.live.last_good.is_some_and(|at| self.live.now.since(at) <= FRESH)
    }

    /// What is to be done once at this time and has not been.
    fn next_task(&self, when: HookTime) -> Option<Task> {
        let warm_up = (when == HookTime::BeforeTraffic && self.plan.warm_up.is_some())
            .then(|| (0..self.aliases.len()).map(Task::WarmUp));
        let hooks = self.plan.hooks_at(when).map(|(index, _)| Task::Hook(index));
        warm_up.into_iter().flatten().chain(hooks).find(|task| !self.passed.contains(task))
    }
}

impl Plan {
    /// A task in plain words.
    pub fn task_words(&self, task: Task) -> String {
        match task {
            Task::WarmUp(alias) => {
                let of =
                    self.aliases.get(alias).map(|alias| format!(" of version {} of {}", alias.new, alias.id.function));
                format!("the warm-up{}", of.unwrap_or_default())
            }
            Task::Hook(index) => self.hooks.get(index).map_or_else(|| "a hook".to_owned(), ToString::to_string),
        }
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
