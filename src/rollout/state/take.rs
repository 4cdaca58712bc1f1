//! What each event changes.

use super::super::analysis::Reason;
use super::super::analysis::alarms::AlarmVerdict;
use super::super::plan::OnOutage;
use super::alias::Stage;
use super::{
    HEARTBEAT, Happening, LOOK_EVERY, Live, Mutation, PENDING_FOR, PauseCause, Phase, Purpose, Readiness, Reading,
    State, Stop, TASK_ATTEMPTS, Task, TaskTrouble, What, Why, back_off,
};

impl State {
    pub(super) fn take(&mut self, what: What) {
        match what {
            What::AliasRead(alias, ..) | What::AliasWritten(alias, _) | What::VersionIs(alias, _)
                if alias >= self.aliases.len() => {}
            What::Begin => {
                for alias in &mut self.aliases {
                    alias.live.verified = true;
                }
                self.note(Happening::Began);
            }
            What::TakeOver(purpose) => self.take_over(purpose),
            What::Tick => {}
            What::Journalled(seq) => {
                self.live.writing = false;
                self.live.journalled = self.live.journalled.max(seq);
                if !std::mem::take(&mut self.live.overslept) {
                    self.live.journal_lost_since = None;
                    self.live.fenced_at = Some(self.live.now);
                    self.live.claimed = true;
                    self.live.heartbeat_at = self.live.now + HEARTBEAT;
                }
            }
            What::JournalUnreachable => {
                self.live.writing = false;
                if !std::mem::take(&mut self.live.overslept) {
                    self.live.journal_lost_since.get_or_insert(self.live.now);
                    self.live.write_not_before = self.live.now + back_off(2);
                    // Going back needs nothing but Lambda.
                    self.live.claimed |= matches!(self.phase, Phase::RollingBack { .. });
                }
            }
            What::JournalLost { .. } if self.mutated(Mutation::IgnoreLostFence) => {
                self.live.writing = false;
                self.live.fenced_at = Some(self.live.now);
                self.live.journalled = self.seq;
                self.live.claimed = true;
            }
            What::JournalLost { holder, paused } => self.live.stop = Some(Stop::LostFence { holder, paused }),
            What::JournalGone => self.journal_gone(),
            What::AliasRead(alias, ticket, answer) => self.alias_read(alias, ticket, answer),
            What::AliasWritten(alias, answer) => self.alias_written(alias, answer),
            What::VersionIs(alias, readiness) => self.version_is(alias, readiness),
            What::Performed(task, answer) => self.performed(task, answer),
            What::Looked(answer) => self.looked(answer),
            What::Settled(answer) => self.settled(answer),
            What::Retired => self.live.stop = Some(Stop::Phase),
            What::Pause => self.pause(PauseCause::Asked),
            What::Hold => self.hold(),
            What::Promote => self.live.wake_at_gate = true,
            What::PromoteFully => self.promote_fully(),
            What::Leave => self.live.leaving = true,
            What::Back(why) => self.told_to_go_back(why),
        }
    }

    /// The process slept: another may have driven meanwhile.
    pub(super) fn woke(&mut self) {
        // What was written before the sleep is no fence any more, and another may have finished it: who
        // was to go back meanwhile asks the journal first, once.
        self.live.fenced_at = None;
        self.live.claimed &= self.live.journal_gone;
        self.live.overslept = self.live.writing;
        self.live.heartbeat_at = self.live.now;
        self.live.write_not_before = self.live.now;
        for index in 0..self.aliases.len() {
            let next_seq = self.seq + 1;
            let alias = &mut self.aliases[index];
            alias.unverify();
            alias.live.overslept = alias.intent.as_ref().is_some_and(|intent| intent.stage == Stage::Acting);
            if let Some(intent) = alias.intent.as_mut().filter(|intent| intent.stage == Stage::Journalling) {
                intent.seq = next_seq;
                self.seq = next_seq;
            }
        }
    }

    fn take_over(&mut self, purpose: Purpose) {
        // What failed has said so when all was as it left it: what is back since then, somebody took back.
        let took_over_settle = self.phase == Phase::Settling;
        self.live = Live { now: self.live.now, mutation: self.live.mutation, took_over_settle, ..Live::default() };
        let unread = self.mutated(Mutation::ResumeUnread);
        for alias in &mut self.aliases {
            alias.live = super::AliasLive { taken_over: true, verified: unread, ..super::AliasLive::default() };
            alias.live.insists = matches!(purpose, Purpose::Adopt | Purpose::Force).then_some(purpose);
            alias.conflict = None;
            if let Some(intent) = alias.intent.take() {
                alias.maybe = Some(intent.after);
            }
        }
        match &self.phase {
            Phase::Paused { .. } if purpose == Purpose::Pause => {}
            Phase::Paused { was, cause: PauseCause::NoData } => {
                self.phase = match (**was).clone() {
                    // Asked to go on, it waits for requests once more.
                    Phase::Shifting { step, since: Some(_) } => Phase::Shifting { step, since: Some(self.live.now) },
                    was => was,
                };
            }
            Phase::Paused { was, .. } | Phase::Conflicted { was } => {
                self.phase = match (**was).clone() {
                    // Somebody else changed an alias when all were back: they are to be looked at again.
                    Phase::RolledBack { why, .. } => Phase::RollingBack { why },
                    was => was,
                };
            }
            Phase::SettleFailed { .. } => self.phase = Phase::Settling,
            _ => {}
        }
        self.live.wake_at_gate = purpose == Purpose::Promote;
        self.note(Happening::TookOver { to: purpose });
        match purpose {
            // A person said so: also where the machine itself would not go back any more.
            Purpose::Abort | Purpose::Force if !self.may_go_back() && !self.is_finished() => {
                if !matches!(self.phase, Phase::RollingBack { .. }) {
                    self.note(Happening::Decided { why: Why::Aborted });
                    self.enter(Phase::RollingBack { why: Why::Aborted });
                }
            }
            Purpose::Abort | Purpose::Force => self.go_back(Why::Aborted),
            Purpose::Pause => self.pause(PauseCause::Asked),
            Purpose::PromoteFully => self.promote_fully(),
            Purpose::Resume | Purpose::Promote | Purpose::Adopt => {}
        }
    }

    fn promote_fully(&mut self) {
        if matches!(self.phase, Phase::Shifting { .. } | Phase::Barrier { .. }) {
            for alias in &mut self.aliases {
                alias.drop_unsent();
            }
            self.enter(Phase::Promoting);
        } else {
            self.live.wake_at_gate = true;
        }
    }

    fn journal_gone(&mut self) {
        self.live.writing = false;
        self.live.journal_gone = true;
        // Going back needs only Lambda; everything else holds. Who never had the journal comes too late:
        // another has finished it.
        let goes_back = matches!(self.phase, Phase::RollingBack { .. } | Phase::RolledBack { .. });
        if !goes_back || !self.live.claimed {
            self.live.stop = Some(Stop::JournalGone);
        }
    }

    pub(super) fn go_back(&mut self, why: Why) {
        if !self.may_go_back() {
            return;
        }
        for alias in &mut self.aliases {
            if self.live.mutation != Some(Mutation::RiseAfterDecision) {
                alias.drop_unsent();
            }
            // What was asked before this decision does not end it.
            alias.forget_reads();
            alias.live.verified |= std::mem::take(&mut alias.live.rereads);
            alias.live.is_back = false;
            alias.live.read_not_before = self.live.now;
        }
        self.note(Happening::Decided { why: why.clone() });
        self.enter(Phase::RollingBack { why });
    }

    fn told_to_go_back(&mut self, why: Why) {
        if self.may_go_back() {
            return self.go_back(why);
        }
        match (&self.phase, &why) {
            (Phase::RollingBack { .. }, Why::TimedOut) => {
                self.live.stop = Some(Stop::Stuck { reason: "it could not be rolled back in time".to_owned() });
            }
            // There is nothing to go back from; the driver still ends.
            (_, Why::Interrupted) => self.live.stop = Some(Stop::Interrupted),
            _ => {}
        }
    }

    pub(super) fn pause(&mut self, cause: PauseCause) {
        if self.may_go_back() && !matches!(self.phase, Phase::Paused { .. }) {
            for alias in &mut self.aliases {
                alias.drop_unsent();
            }
            self.note(Happening::Paused { cause });
            let was = Box::new(self.phase.clone());
            self.enter(Phase::Paused { was, cause });
        }
    }

    fn hold(&mut self) {
        self.pause(PauseCause::Interrupted);
        if !matches!(self.phase, Phase::Paused { .. }) {
            self.live.stop = Some(Stop::Interrupted);
        }
    }

    fn version_is(&mut self, index: usize, readiness: Readiness) {
        let now = self.live.now;
        let alias = &mut self.aliases[index];
        alias.live.checking = false;
        match (readiness, &self.phase) {
            (Readiness::Active, _) => alias.live.version_ready = true,
            (Readiness::Failed(reason), _) => self.go_back(Why::Version { reason }),
            (Readiness::Pending, Phase::PreTraffic { since }) if now.since(*since) > PENDING_FOR => {
                self.go_back(Why::Version { reason: "it did not become active within 15 minutes".to_owned() });
            }
            (Readiness::Pending, _) => alias.live.check_not_before = now + back_off(2),
        }
    }

    fn performed(&mut self, task: Task, answer: Result<(), TaskTrouble>) {
        let Some(running) = self.live.task.as_mut().filter(|running| running.task == task && running.started) else {
            return;
        };
        let reason = match answer {
            Ok(()) => {
                self.live.task = None;
                self.passed.push(task);
                return self.note(Happening::Passed { task });
            }
            Err(TaskTrouble::NotRun(_)) if running.attempts < TASK_ATTEMPTS => {
                running.started = false;
                running.not_before = self.live.now + back_off(running.attempts);
                return;
            }
            Err(TaskTrouble::NotRun(reason) | TaskTrouble::Failed(reason)) => reason,
        };
        self.live.task = None;
        let what = self.task_words(task);
        self.go_back(Why::Check { what, reason });
    }

    pub(super) fn looked(&mut self, answer: Result<Reading, String>) {
        self.live.looking = false;
        self.live.look_not_before = self.live.now + LOOK_EVERY;
        if !self.may_go_back() {
            return;
        }
        let blind = match answer {
            Ok(reading) => {
                if let Some(why) = self.judge(&reading) {
                    if !self.plan.observe_only {
                        return self.go_back(why);
                    }
                    if !self.entries.iter().any(|entry| matches!(entry.what, Happening::WouldGoBack { .. })) {
                        self.note(Happening::WouldGoBack { why });
                    }
                }
                match self.alarms.look(&self.plan.alarms, &self.plan.ignored_alarms, &reading.alarms) {
                    AlarmVerdict::Fired(alarm) => return self.go_back(Why::Alarm { alarm }),
                    AlarmVerdict::Quiet => None,
                    AlarmVerdict::Unreadable(names) => Some(format!("cannot read the alarm {}", names.join(", "))),
                }
            }
            Err(error) => Some(error),
        };
        match blind {
            None => {
                self.live.last_good = Some(self.live.now);
                if self.live.blind_since.take().is_some() {
                    self.note(Happening::SeesAgain);
                }
            }
            Some(error) => self.blind(error),
        }
    }

    /// Takes what was read into the evidence, and says why to go back if that is enough.
    fn judge(&mut self, reading: &Reading) -> Option<Why> {
        let now = self.live.now;
        for ((alias, plan), reading) in self.aliases.iter_mut().zip(&self.plan.aliases).zip(&reading.aliases) {
            let standing = alias.judge.look(&plan.criteria, &reading.minutes, reading.longest_ms, now);
            if alias.standing.as_ref() != Some(&standing) {
                alias.standing = Some(standing);
                self.seq += 1;
            }
        }
        let reasons = self.aliases.iter().enumerate().filter_map(|(at, alias)| {
            let standing = alias.standing.as_ref()?;
            Some((at, standing.reason.clone()?))
        });
        let by_limit = reasons.clone().find(|(_, reason)| matches!(reason, Reason::Limit { .. }));
        // The bound is on the evidence of all functions together; where that reaches it, the largest does.
        let of_all = self.standing().is_some_and(|(_, standing)| standing.evidence >= standing.bound);
        let worst = self.standing().map(|(at, _)| at);
        let (alias, reason) = by_limit.or_else(|| reasons.clone().find(|(at, _)| of_all && Some(*at) == worst))?;
        Some(Why::Evidence { alias, reason })
    }

    fn blind(&mut self, error: String) {
        let now = self.live.now;
        if self.live.blind_since.is_none() {
            self.note(Happening::Blind { error: error.clone() });
        }
        let since = *self.live.blind_since.get_or_insert(now);
        let since = self.live.last_good.unwrap_or(since);
        self.live.blind_error.clone_from(&error);
        if self.plan.on_outage == OnOutage::Rollback && now.since(since).as_secs() >= self.plan.outage_s {
            self.go_back(Why::Outage { error });
        }
    }

    fn settled(&mut self, answer: Result<(), String>) {
        if self.phase != Phase::Settling {
            return;
        }
        self.live.settled = Some(answer);
        // CloudFormation wrote the aliases, or put them back: look before anything is said.
        for alias in &mut self.aliases {
            alias.unverify();
        }
    }
}
