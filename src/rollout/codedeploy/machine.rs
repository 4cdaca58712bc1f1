//! The watching machine: `step(watch, event) -> (watch, actions)`. Pure; time is in the event.
//!
//! It never moves traffic forward. What AWS has brought to its end is watched for the time of the bake,
//! as it is where samara moves the traffic: the last minutes' metrics come when the deployment is over. What it sees comes as one [`Observation`], read in an order that
//! makes it safe to act on: deployments first, then the stack, the aliases last. A stop is asked for
//! until CodeDeploy has it; an alias is written only when every deployment is over (that which rolls
//! back too) and the stack is idle, and only over the revision that was read then.

use std::time::Duration;

use super::super::content::{Content, Seen};
use super::super::names::{RevisionId, Time, Weight};
use super::super::state::{
    Conflict, GAP, HEARTBEAT, Happening, LOOK_EVERY, Mutation, Phase, Purpose, Reading, State, Stop, Why, WriteTrouble,
};

/// How often deployments, stack and aliases are looked at.
pub const OBSERVE_EVERY: Duration = Duration::from_secs(5);
/// After a look or a call that failed.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Refused for want of permission so often, it needs a person.
const DENIALS: u32 = 6;
/// How long the end waits for a journal that cannot be reached.
const JOURNAL_PATIENCE: Duration = Duration::from_secs(120);

/// What a look at everything gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// One an alias of the plan: what became of its deployment.
    pub deployments: Vec<Deployed>,
    /// The stack.
    pub stack: Stack,
    /// The aliases; `None` for one that is gone.
    pub aliases: Vec<Option<Seen>>,
    /// Their provisioned concurrency.
    pub provisioned: Vec<Provisioned>,
}

/// What became of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deployed {
    /// It goes on, or has been asked to stop.
    Running,
    /// It did what it was to do.
    Succeeded,
    /// It failed or was stopped, and says why; whether its rollback, if it has one, is over.
    Ended {
        /// CodeDeploy's words.
        reason: String,
        /// Whether nothing goes on any more.
        settled: bool,
    },
}

/// What the stack does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stack {
    /// An operation is under way.
    Busy,
    /// Nothing is under way.
    Idle {
        /// Its status, such as `UPDATE_ROLLBACK_COMPLETE`.
        status: String,
        /// Whether the update succeeded.
        updated: bool,
    },
}

/// An alias's provisioned concurrency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Provisioned {
    /// There is none.
    #[default]
    None,
    /// Lambda allocates, and may have weights of its own on the alias meanwhile.
    InProgress,
    /// It is there.
    Ready,
    /// It could not be had.
    Failed(String),
}

/// What asking a deployment to stop gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopTrouble {
    /// The principal may not.
    Denied(String),
    /// Something else; trying again may help.
    Other(String),
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
    /// The deployments of a stack's update were found.
    Begin,
    /// This process takes over what is in the journal.
    TakeOver(Purpose),
    /// Time passed.
    Tick,
    /// The journal has the state with this number.
    Journalled(u64),
    /// The journal cannot be reached.
    JournalUnreachable,
    /// Another process wrote it.
    JournalLost {
        /// Who.
        holder: String,
    },
    /// It was deleted.
    JournalGone,
    /// Everything was looked at, or not.
    Observed(Result<Observation, String>),
    /// A deployment was asked to stop. That it was over before is success: the next look says how.
    Stopped(usize, Result<(), StopTrouble>),
    /// An alias was written, or not.
    Written(usize, Result<RevisionId, WriteTrouble>),
    /// Metrics and alarms were read, or not.
    Looked(Result<Reading, String>),
    /// The journal was moved to the history.
    Retired,
    /// Go back, and why.
    Back(Why),
    /// Interrupted, and told to hold.
    Hold,
}

/// What the world is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write the state to the journal, conditionally.
    WriteJournal(u64),
    /// Look at deployments, stack and aliases, in this order.
    Observe,
    /// `StopDeployment` of an alias's deployment.
    Stop(usize),
    /// `UpdateAlias` with the revision, once.
    Write {
        /// Which.
        alias: usize,
        /// The revision that it is written over.
        expect: RevisionId,
        /// What it is to say.
        content: Content,
    },
    /// Read metrics from this minute on, and the alarms.
    Look {
        /// The first minute wanted, counted from 1970.
        from: i64,
        /// From this minute on the aliases have only the new versions.
        whole_from: Option<i64>,
    },
    /// Move the journal to the history.
    Retire,
}

/// A rollout that AWS carries out, as it is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// What the journal has: the same as of a rollout that samara carries out.
    pub state: State,
    /// How it ended for this process.
    pub stop: Option<Stop>,
    now: Time,
    last: Option<Observation>,
    observing: bool,
    observe_not_before: Time,
    looking: bool,
    look_not_before: Time,
    /// One an alias.
    asked: Vec<Asked>,
    writing_alias: bool,
    denials: u32,
    whole_since: Option<Time>,
    journalled: u64,
    /// Whether the journal was asked, and answered or not, since this process came or woke: an alias is
    /// not written by one that another has overtaken meanwhile.
    fenced: bool,
    writing: bool,
    /// The write under way was made before a sleep: its answer says nothing of now.
    overslept: bool,
    write_not_before: Time,
    heartbeat_at: Time,
    journal_lost_since: Option<Time>,
    journal_gone: bool,
    retiring: bool,
}

/// Whether a deployment was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    No,
    Asking,
    NotBefore(Time),
    Yes,
}

/// One step. Total: every event is answered in every state, and what does not fit is ignored.
pub fn step(mut watch: Watch, event: Event) -> (Watch, Vec<Action>) {
    if watch.now != Time::default() && event.at.since(watch.now) > GAP {
        watch.fenced = watch.journal_gone;
        watch.overslept = watch.writing;
    }
    watch.now = watch.now.max(event.at);
    watch.state.watched_at(event.at);
    let mut actions = Vec::new();
    watch.take(event.what);
    if watch.stop.is_none() {
        watch.decide(&mut actions);
        watch.drive(&mut actions);
    }
    (watch, actions)
}

impl Watch {
    /// One that has not begun.
    pub fn new(state: State) -> Self {
        let asked = vec![Asked::No; state.aliases.len()];
        Self {
            state,
            stop: None,
            now: Time::default(),
            last: None,
            observing: false,
            observe_not_before: Time::default(),
            looking: false,
            look_not_before: Time::default(),
            asked,
            writing_alias: false,
            denials: 0,
            whole_since: None,
            journalled: 0,
            fenced: false,
            writing: false,
            overslept: false,
            write_not_before: Time::default(),
            heartbeat_at: Time::default(),
            journal_lost_since: None,
            journal_gone: false,
            retiring: false,
        }
    }

    /// Notes which deployments of which stacks are watched, one an alias: whoever takes over finds them.
    pub fn watches(&mut self, deployments: &[(String, String)], now: Time) {
        self.state.watched_at(now);
        for (alias, (deployment, stack)) in deployments.iter().cloned().enumerate() {
            self.state.tell(Happening::Watching { alias, deployment, stack });
        }
    }

    /// Whether the journal has everything.
    pub fn is_recorded(&self) -> bool {
        self.journalled >= self.state.seq
    }

    fn take(&mut self, what: What) {
        match what {
            What::Begin => {
                self.state.tell(Happening::Began);
                self.state.turn_to(Phase::PreTraffic { since: self.now });
            }
            What::TakeOver(purpose) => self.take_over(purpose),
            What::Tick => {}
            What::Journalled(seq) => {
                self.writing = false;
                self.journalled = self.journalled.max(seq);
                self.fenced |= !std::mem::take(&mut self.overslept);
                self.journal_lost_since = None;
                self.heartbeat_at = self.now + HEARTBEAT;
            }
            What::JournalUnreachable => {
                self.writing = false;
                // Going back does not wait for a journal that cannot be reached.
                self.fenced |= !std::mem::take(&mut self.overslept);
                self.journal_lost_since.get_or_insert(self.now);
                self.write_not_before = self.now + AGAIN_AFTER;
            }
            What::JournalLost { holder } => self.stop = Some(Stop::LostFence { holder, paused: false }),
            What::JournalGone => {
                // What was decided is carried out all the same; nothing is raised here.
                self.writing = false;
                self.fenced = true;
                self.journal_gone = true;
            }
            What::Observed(answer) => self.observed(answer),
            What::Stopped(alias, answer) => self.stopped(alias, answer),
            What::Written(alias, answer) => self.written(alias, answer),
            What::Looked(answer) => {
                self.looking = false;
                self.look_not_before = self.now + LOOK_EVERY;
                self.state.watched(answer);
            }
            What::Retired => self.stop = Some(Stop::Phase),
            What::Back(why) => self.back(why),
            What::Hold => self.stop = Some(Stop::Interrupted),
        }
    }

    fn take_over(&mut self, purpose: Purpose) {
        if let Phase::Conflicted { was } = self.state.phase.clone() {
            for alias in &mut self.state.aliases {
                alias.conflict = None;
            }
            self.state.turn_to(*was);
        }
        self.state.tell(Happening::TookOver { to: purpose });
        if purpose.goes_back() {
            self.state.decide(Why::Aborted);
        }
    }

    fn back(&mut self, why: Why) {
        if self.state.may_go_back() {
            return self.state.decide(why);
        }
        match (&self.state.phase, why) {
            (Phase::RollingBack { .. }, Why::TimedOut) => {
                self.stop = Some(Stop::Stuck { reason: "it could not be rolled back in time".to_owned() });
            }
            (_, Why::Interrupted) => self.stop = Some(Stop::Interrupted),
            _ => {}
        }
    }

    fn observed(&mut self, answer: Result<Observation, String>) {
        self.observing = false;
        let Ok(observation) = answer else {
            self.observe_not_before = self.now + AGAIN_AFTER;
            self.last = None;
            return;
        };
        self.observe_not_before = self.now + OBSERVE_EVERY;
        for (index, seen) in observation.aliases.iter().enumerate() {
            if let Some(seen) = seen {
                self.state.found(index, seen.clone());
            }
        }
        let whole = self.all(|content, plan| *content == plan.after());
        self.whole_since = whole.then(|| self.whole_since.unwrap_or(self.now));
        self.last = Some(observation);
    }

    fn stopped(&mut self, alias: usize, answer: Result<(), StopTrouble>) {
        let now = self.now;
        let Some(asked) = self.asked.get_mut(alias) else { return };
        match answer {
            Ok(()) => *asked = Asked::Yes,
            Err(trouble) => {
                *asked = Asked::NotBefore(now + AGAIN_AFTER);
                if let StopTrouble::Denied(reason) = trouble {
                    self.denied(reason);
                }
            }
        }
        // What was seen before is not what is there now.
        self.last = None;
        self.observe_not_before = now;
    }

    fn denied(&mut self, reason: String) {
        self.denials += 1;
        if self.denials >= DENIALS {
            self.stop = Some(Stop::Stuck { reason });
        }
    }

    fn written(&mut self, alias: usize, answer: Result<RevisionId, WriteTrouble>) {
        self.writing_alias = false;
        self.last = None;
        self.observe_not_before = self.now;
        match answer {
            Ok(revision) => {
                let after = self.state.plan.aliases.get(alias).map(|plan| plan.before());
                if let Some(content) = after {
                    self.state.found(alias, Seen { content, revision });
                }
            }
            Err(WriteTrouble::Denied(reason)) => {
                self.observe_not_before = self.now + AGAIN_AFTER;
                self.denied(reason);
            }
            Err(WriteTrouble::Gone(reason)) => self.stop = Some(Stop::Stuck { reason }),
            // It is read again, and decided from what it says then.
            Err(WriteTrouble::Refused | WriteTrouble::Unknown | WriteTrouble::Busy) => {
                self.observe_not_before = self.now + AGAIN_AFTER;
            }
        }
    }

    fn all(&self, is: impl Fn(&Content, &super::super::plan::AliasPlan) -> bool) -> bool {
        let mut aliases = self.state.aliases.iter().zip(&self.state.plan.aliases);
        aliases.all(|(alias, plan)| is(&alias.seen.content, plan))
    }

    /// What follows from what was seen last.
    fn decide(&mut self, actions: &mut Vec<Action>) {
        let Some(seen) = self.last.clone() else { return };
        if self.state.may_go_back() {
            self.go_on(&seen);
        }
        if matches!(self.state.phase, Phase::RollingBack { .. }) {
            self.go_back(&seen, actions);
        }
    }

    fn go_on(&mut self, seen: &Observation) {
        let ended = seen.deployments.iter().find_map(|deployed| match deployed {
            Deployed::Ended { reason, .. } => Some(reason.clone()),
            Deployed::Running | Deployed::Succeeded => None,
        });
        if let Some(reason) = ended {
            return self.state.decide(Why::Check { what: "CodeDeploy".to_owned(), reason });
        }
        let failed = seen.provisioned.iter().find_map(|provisioned| match provisioned {
            Provisioned::Failed(reason) => Some(reason.clone()),
            _ => None,
        });
        if let Some(reason) = failed {
            let reason = format!("its provisioned concurrency could not be allocated: {reason}");
            return self.state.decide(Why::Version { reason });
        }
        // What becomes of a stack after its update is somebody else's matter.
        let bakes = matches!(self.state.phase, Phase::Baking { .. });
        match &seen.stack {
            Stack::Idle { status, updated: false } if !bakes => {
                let what = "the update of the stack".to_owned();
                return self.state.decide(Why::Check { what, reason: format!("it ended in {status}") });
            }
            Stack::Idle { .. } if self.has_arrived(seen) => return self.arrived(bakes),
            // Everything is over, and yet an alias is not where CodeDeploy left it.
            Stack::Idle { .. } if Self::is_over(seen) => {
                let elsewhere = self
                    .state
                    .aliases
                    .iter()
                    .zip(&self.state.plan.aliases)
                    .enumerate()
                    .find(|(_, (alias, plan))| alias.seen.content != plan.after());
                if let Some((index, (alias, _))) = elsewhere {
                    let found = alias.seen.content.clone();
                    return self.conflict(index, Some(found));
                }
            }
            Stack::Idle { .. } | Stack::Busy => {}
        }
        if !bakes {
            self.state.turn_to(self.place());
        }
    }

    /// Everything is where it should end: it is watched for the time of the bake.
    fn arrived(&mut self, bakes: bool) {
        if !bakes && self.state.plan.bake_s > 0 {
            self.state.tell(Happening::Baking);
            return self.state.turn_to(Phase::Baking { since: self.now });
        }
        if self.state.has_baked() {
            self.state.tell(Happening::Succeeded);
            self.state.turn_to(Phase::Succeeded);
        }
    }

    /// Whether everything is where it should end.
    fn has_arrived(&self, seen: &Observation) -> bool {
        Self::is_over(seen) && self.all(|content, plan| *content == plan.after())
    }

    /// Whether neither CodeDeploy nor Lambda moves anything any more.
    fn is_over(seen: &Observation) -> bool {
        let deployed = seen.deployments.iter().all(|deployed| *deployed == Deployed::Succeeded);
        deployed && !seen.provisioned.contains(&Provisioned::InProgress)
    }

    /// The phase that the aliases' shares stand for.
    fn place(&self) -> Phase {
        let shares = self.state.aliases.iter().zip(&self.state.plan.aliases);
        let share = shares.map(|(alias, plan)| alias.seen.content.share(plan.new)).max().unwrap_or_default();
        let steps = self.state.plan.timeline();
        let step = steps.iter().rposition(|step| step.weights.iter().max().is_some_and(|weight| *weight <= share));
        match (&self.state.phase, step) {
            (phase, _) if share == Weight::ZERO => phase.clone(),
            (_, _) if share == Weight::FULL => Phase::Promoting,
            (Phase::Shifting { step, since }, Some(now)) if *step == now => {
                Phase::Shifting { step: now, since: *since }
            }
            (_, Some(step)) => Phase::Shifting { step, since: Some(self.now) },
            (phase, None) => phase.clone(),
        }
    }

    /// Stops what still moves, waits until nothing does, then leaves each alias whole on its old
    /// version.
    fn go_back(&mut self, seen: &Observation, actions: &mut Vec<Action>) {
        let mistake = self.state.live.mutation;
        let mut moves = false;
        for (index, deployed) in seen.deployments.iter().enumerate() {
            match deployed {
                Deployed::Running => {
                    moves = true;
                    let now = self.now;
                    let Some(asked) = self.asked.get_mut(index) else { continue };
                    let may = match *asked {
                        _ if mistake == Some(Mutation::ForgetStop) => false,
                        Asked::No => true,
                        Asked::NotBefore(time) => now >= time,
                        Asked::Asking | Asked::Yes => false,
                    };
                    if may {
                        *asked = Asked::Asking;
                        actions.push(Action::Stop(index));
                    }
                }
                Deployed::Ended { settled, .. } => moves |= !settled,
                Deployed::Succeeded => {}
            }
        }
        moves |= seen.stack == Stack::Busy;
        if (!moves || mistake == Some(Mutation::MendEarly)) && !self.writing_alias && self.fenced {
            self.mend(seen, actions);
        }
    }

    fn mend(&mut self, seen: &Observation, actions: &mut Vec<Action>) {
        let aliases: Vec<_> = self.state.plan.aliases.iter().cloned().enumerate().collect();
        for (index, plan) in aliases {
            let found = seen.aliases.get(index).cloned().flatten();
            let Some(Seen { content, revision }) = found else { return self.conflict(index, None) };
            if content == plan.before() {
                continue;
            }
            let ours = [plan.old.to_string(), plan.new.to_string()];
            let is_ours = ours.contains(&content.version) && content.weights.keys().all(|name| ours.contains(name));
            if !is_ours && self.state.live.mutation != Some(Mutation::MendOverStrangers) {
                return self.conflict(index, Some(content));
            }
            self.state.tell(Happening::Intent { alias: index, content: plan.before() });
            self.writing_alias = true;
            actions.push(Action::Write { alias: index, expect: revision, content: plan.before() });
            return;
        }
        if let Phase::RollingBack { why } = self.state.phase.clone() {
            let left = self.state.aliases.iter().map(|alias| alias.seen.content.clone()).collect();
            self.state.tell(Happening::RolledBack);
            self.state.turn_to(Phase::RolledBack { why, left });
        }
    }

    fn conflict(&mut self, index: usize, found: Option<Content>) {
        self.state.tell(Happening::Conflict { alias: index, found: found.clone() });
        let expected = self.state.plan.aliases.get(index).map(|plan| plan.before());
        if let (Some(alias), Some(expected)) = (self.state.aliases.get_mut(index), expected) {
            alias.conflict = Some(Conflict { expected, found });
        }
        let was = Box::new(self.state.phase.clone());
        self.state.turn_to(Phase::Conflicted { was });
    }

    /// What is due.
    fn drive(&mut self, actions: &mut Vec<Action>) {
        let now = self.now;
        let parked = self.state.is_parked();
        if !parked && !self.observing && !self.writing_alias && now >= self.observe_not_before {
            self.observing = true;
            actions.push(Action::Observe);
        }
        if self.state.may_go_back() && !self.looking && now >= self.look_not_before {
            self.looking = true;
            // Who takes a watch over in its bake knows since when.
            let bakes_since = match self.state.phase {
                Phase::Baking { since } => Some(since),
                _ => None,
            };
            let whole_since = [self.whole_since, bakes_since].into_iter().flatten().min();
            let whole_from = whole_since.map(|since| since.minute() + 1);
            actions.push(Action::Look { from: self.state.evidence_from(), whole_from });
        }
        let due = self.state.seq > self.journalled || !self.fenced || now >= self.heartbeat_at;
        if !self.writing && !self.retiring && !self.journal_gone && due && now >= self.write_not_before {
            self.writing = true;
            actions.push(Action::WriteJournal(self.state.seq));
        }
        if parked {
            self.end(actions);
        }
    }

    fn end(&mut self, actions: &mut Vec<Action>) {
        let lost_for = self.journal_lost_since.map(|since| self.now.since(since));
        let given_up = self.journal_gone || lost_for.is_some_and(|lost| lost >= JOURNAL_PATIENCE);
        if given_up || (self.is_recorded() && !self.state.is_finished()) {
            self.stop = Some(Stop::Phase);
        } else if self.is_recorded() && !self.retiring {
            self.retiring = true;
            actions.push(Action::Retire);
        }
    }
}

#[cfg(test)]
mod tests;
