//! What each event changes.

use super::super::analysis::Reason;
use super::super::analysis::alarms::AlarmVerdict;
use super::super::content::{Content, Seen};
use super::super::names::{RevisionId, Weight};
use super::super::plan::OnOutage;
use super::alias::{Intent, Stage};
use super::{
    Conflict, DENIALS, HEARTBEAT, Happening, LOOK_EVERY, Live, Mutation, PENDING_FOR, PauseCause, Phase, Purpose,
    Readiness, Reading, State, Stop, TASK_ATTEMPTS, Task, TaskTrouble, What, Why, WriteTrouble, back_off,
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
        self.live = Live { now: self.live.now, mutation: self.live.mutation, took_over: true, ..Live::default() };
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
            Purpose::Abort => self.go_back(Why::Aborted),
            // A person said so: also where the machine itself would not go back any more.
            Purpose::Force if !self.may_go_back() && !self.is_finished() => {
                if !matches!(self.phase, Phase::RollingBack { .. }) {
                    self.note(Happening::Decided { why: Why::Aborted });
                    self.enter(Phase::RollingBack { why: Why::Aborted });
                }
            }
            Purpose::Force => self.go_back(Why::Aborted),
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

    fn alias_written(&mut self, index: usize, answer: Result<RevisionId, WriteTrouble>) {
        let now = self.live.now;
        let goes_back = matches!(self.phase, Phase::RollingBack { .. });
        let settles = self.phase == Phase::Settling;
        let resends = self.mutated(Mutation::ResendBlindly);
        let alias = &mut self.aliases[index];
        let overslept = std::mem::take(&mut alias.live.overslept);
        let Some(intent) = alias.intent.as_mut().filter(|intent| intent.stage == Stage::Acting) else { return };
        intent.attempts += 1;
        let later = now + back_off(intent.attempts);
        match answer {
            Ok(revision) => {
                let content = intent.after.clone();
                self.confirm(index, Seen { content, revision });
                if overslept {
                    self.aliases[index].unverify();
                }
            }
            Err(WriteTrouble::Refused) => intent.stage = Stage::Verifying(now),
            Err(WriteTrouble::Unknown) if resends => alias.intent = None,
            Err(WriteTrouble::Unknown) => {
                alias.maybe = Some(intent.after.clone());
                intent.stage = Stage::Verifying(later);
            }
            Err(WriteTrouble::Busy) => intent.stage = Stage::Verifying(later),
            Err(WriteTrouble::Gone(error)) => {
                intent.stage = Stage::Verifying(later);
                if goes_back {
                    alias.live.stuck = Some(error);
                } else {
                    alias.intent = None;
                    self.cannot_point_right(&error);
                    self.go_back(Why::Version { reason: error });
                }
            }
            Err(WriteTrouble::Denied(error)) => {
                intent.stage = Stage::Verifying(later);
                if goes_back || settles {
                    alias.live.denials += 1;
                    let is_enough = alias.live.denials >= DENIALS;
                    if is_enough && goes_back {
                        alias.live.stuck = Some(error);
                    } else if is_enough {
                        self.cannot_point_right(&error);
                    }
                } else if self.may_go_back() {
                    self.aliases[index].intent = None;
                    self.go_back(Why::Denied { error });
                }
            }
        }
    }

    /// What a failed settle put back cannot be pointed to the new version again: that is for a person.
    fn cannot_point_right(&mut self, error: &str) {
        if self.phase == Phase::Settling {
            for alias in &mut self.aliases {
                alias.intent = None;
            }
            let reason =
                format!("CloudFormation put the alias back, and it cannot be pointed to the new version: {error}");
            self.note(Happening::SettleFailed { reason: reason.clone() });
            self.enter(Phase::SettleFailed { reason });
        }
    }

    fn confirm(&mut self, index: usize, seen: Seen) {
        let now = self.live.now;
        let goes_back = matches!(self.phase, Phase::RollingBack { .. });
        let new = self.plan.aliases[index].new;
        let alias = &mut self.aliases[index];
        let before = alias.seen.content.share(new).fraction();
        let after = seen.content.share(new).fraction();
        if after > before {
            alias.first_traffic.get_or_insert(now);
            alias.judge.raised(now, before, after);
        }
        let content = seen.content.clone();
        alias.seen = seen;
        alias.intent = None;
        alias.maybe = None;
        alias.probed = true;
        alias.live.verified = true;
        alias.live.denials = 0;
        alias.live.is_back = false;
        alias.live.read_failures = 0;
        // An answer to a read that was asked for before the write is not about what is there now.
        alias.forget_reads();
        // On the way back it is read at once: only that ends it.
        alias.live.read_not_before = if goes_back { now } else { now + LOOK_EVERY };
        self.note(Happening::Confirmed { alias: index, content });
    }

    fn alias_read(&mut self, index: usize, ticket: u64, answer: Result<Option<Seen>, String>) {
        let now = self.live.now;
        let old = self.plan.aliases[index].before();
        let may_go_back = self.may_go_back();
        let alias = &mut self.aliases[index];
        if ticket != alias.live.ticket || !alias.live.reading {
            return;
        }
        alias.live.reading = false;
        let found = match answer {
            Err(_) => {
                alias.live.read_failures += 1;
                alias.live.read_not_before = now + back_off(alias.live.read_failures);
                let not_before = alias.live.read_not_before;
                // What has not been sent stays so: it is not to be looked for in the alias.
                if let Some(Intent { stage: Stage::Verifying(at), .. }) = &mut alias.intent {
                    *at = not_before;
                }
                return;
            }
            Ok(found) => found,
        };
        alias.live.read_failures = 0;
        alias.live.read_not_before = now + LOOK_EVERY;
        let Some(seen) = found else { return self.conflict(index, None) };
        let taken_over = std::mem::take(&mut alias.live.taken_over);
        match alias.live.insists.take() {
            Some(Purpose::Force) => return self.overwrite(index, seen),
            Some(_) if !self.aliases[index].is_ours(&seen.content) && self.may_adopt(index, &seen.content) => {
                return self.accept(index, seen);
            }
            _ => {}
        }
        let alias = &self.aliases[index];
        // A raise that was decided and of which nobody knows what became, an alias as before, and yet
        // written since: it was raised, and taken back by a person, or by a driver that could not
        // reach the journal any more.
        let was_there_and_back = may_go_back
            && alias.maybe.is_some()
            && alias.maybe.as_ref() != Some(&seen.content)
            && (seen.content == old || !taken_over)
            && seen.revision != alias.seen.revision;
        if was_there_and_back {
            return self.not_ours(index, seen, taken_over);
        }
        match alias.intent.as_ref() {
            Some(intent)
                if seen.content == intent.after && alias.may_be_done(intent) && !self.is_unproved(index, &seen) =>
            {
                self.confirm(index, seen);
            }
            Some(_) if alias.is_ours(&seen.content) => {
                self.adopt(index, seen);
                self.try_again(index);
            }
            None if alias.is_ours(&seen.content) => self.adopt(index, seen),
            _ => self.not_ours(index, seen, taken_over),
        }
    }

    /// A probe changes nothing but the revision: without a new one it has not been written.
    fn is_unproved(&self, index: usize, seen: &Seen) -> bool {
        let alias = &self.aliases[index];
        alias.intent.as_ref().is_some_and(|intent| intent.before == intent.after)
            && alias.seen.revision == seen.revision
    }

    /// Goes on from what somebody else made of the alias. Nothing is written for it: the step that has
    /// this share, or the nearest below it, is held at what there is.
    fn accept(&mut self, index: usize, seen: Seen) {
        let now = self.live.now;
        let new = self.plan.aliases[index].new;
        let alias = &mut self.aliases[index];
        let (before, share) = (alias.seen.content.share(new), seen.content.share(new));
        alias.first_traffic.get_or_insert(now);
        if share > before {
            alias.judge.raised(now, before.fraction(), share.fraction());
        }
        alias.seen = seen.clone();
        alias.maybe = None;
        alias.live.verified = true;
        self.note(Happening::Accepted { alias: index, content: seen.content.clone() });
        if matches!(self.phase, Phase::RollingBack { .. }) {
            return;
        }
        if share == Weight::FULL && self.aliases.len() == 1 {
            return self.enter(Phase::Promoting);
        }
        let timeline = self.plan.timeline();
        let has =
            |step: usize| timeline.get(step).and_then(|step| step.weights.get(index)).copied().unwrap_or_default();
        let Some(step) = (0..timeline.len()).rev().find(|step| has(*step) <= share) else {
            return self.enter(self.at_step(0));
        };
        // What was made of this one is no reason to raise the others of the set: they stay where they are.
        let accepted: Vec<Option<Content>> = self.aliases.iter().map(|alias| alias.accepted.clone()).collect();
        let step = match &self.phase {
            _ if self.aliases.len() == 1 => step,
            Phase::Shifting { step: at, .. } => step.min(*at),
            Phase::Planned | Phase::PreTraffic { .. } => 0,
            _ => step,
        };
        self.enter(Phase::Shifting { step, since: None });
        for (at, accepted) in accepted.into_iter().enumerate() {
            // Nor to take from them what they have: one may have gone ahead when the other was found.
            let planned = self.plan.content(at, step);
            let alias = &mut self.aliases[at];
            let new = self.plan.aliases[at].new;
            let is_ahead = planned
                .is_some_and(|planned| alias.seen.content.share(new) > planned.share(new))
                .then_some(&alias.seen.content);
            alias.accepted = accepted.or_else(|| is_ahead.cloned());
        }
        self.aliases[index].accepted = Some(seen.content);
    }

    /// Goes back over what somebody else made of the alias. It holds for what was read now alone: a
    /// change after this is a conflict as ever.
    fn overwrite(&mut self, index: usize, seen: Seen) {
        if !self.aliases[index].is_ours(&seen.content) {
            self.note(Happening::Overwriting { alias: index, content: seen.content.clone() });
        }
        let alias = &mut self.aliases[index];
        alias.live.is_back = seen.content == self.plan.aliases[index].before();
        alias.intent = None;
        alias.seen = seen;
        alias.live.verified = true;
    }

    fn adopt(&mut self, index: usize, seen: Seen) {
        let now = self.live.now;
        let stale = self.mutated(Mutation::TrustStaleRevision);
        let settles = self.phase == Phase::Settling;
        let new = self.plan.aliases[index].new;
        let alias = &mut self.aliases[index];
        alias.live.verified = true;
        alias.live.is_back = alias.intent.is_none();
        if seen == alias.seen {
            return;
        }
        let happening = if seen.content == alias.seen.content {
            if settles { Happening::WrittenBySettle { alias: index } } else { Happening::Adopted { alias: index } }
        } else {
            if seen.content.share(new) > Weight::ZERO {
                alias.first_traffic.get_or_insert(now);
            }
            // It is what the unanswered write made of it: there is none any more.
            alias.maybe = None;
            Happening::Confirmed { alias: index, content: seen.content.clone() }
        };
        if !stale || seen.content != alias.seen.content {
            alias.seen = seen;
        }
        self.note(happening);
    }

    /// The write did not take effect: decide it anew from what was read, with a new fence.
    fn try_again(&mut self, index: usize) {
        let attempts = self.aliases[index].intent.take().map_or(0, |intent| intent.attempts);
        if let Some(after) = self.wanted(index) {
            self.intend(index, after, attempts);
        }
    }

    fn not_ours(&mut self, index: usize, seen: Seen, taken_over: bool) {
        let plan = &self.plan.aliases[index];
        let is_back = seen.content == plan.before();
        let none_of_it_new = seen.content.share(plan.new) == Weight::ZERO;
        match &self.phase {
            Phase::RollingBack { .. } if self.mutated(Mutation::OverwriteOnTheWayBack) => self.overwrite(index, seen),
            // Routing nothing to the new version is what was wanted, whoever did it.
            Phase::RollingBack { .. } if none_of_it_new => self.leave_back(index, seen),
            // The only process that could tell whose write that was is dead. Either way it is back.
            phase if taken_over && is_back && self.may_go_back() && !matches!(phase, Phase::Planned) => {
                self.go_back(Why::FoundBack);
                self.leave_back(index, seen);
            }
            // Only a settle that failed puts an alias back, this process's own or that of the one before it;
            // where there was none, or it worked, somebody else did.
            Phase::Settling if is_back && self.live.settled.as_ref().map_or(self.live.took_over, Result::is_err) => {
                self.note(Happening::PutBackByCloudFormation { alias: index });
                let alias = &mut self.aliases[index];
                alias.seen = seen;
                alias.maybe = None;
                alias.live.verified = true;
                // Found so by a process that took over: the settle that did it has failed.
                self.live.settled.get_or_insert_with(|| {
                    Err("an earlier settle failed and CloudFormation put the alias back".to_owned())
                });
            }
            _ => self.conflict(index, Some(seen.content)),
        }
    }

    /// The alias routes nothing to the new version and is left so.
    fn leave_back(&mut self, index: usize, seen: Seen) {
        let alias = &mut self.aliases[index];
        alias.accepted = Some(seen.content.clone());
        alias.seen = seen;
        alias.intent = None;
        alias.maybe = None;
        alias.live.verified = true;
        alias.live.is_back = true;
    }

    fn conflict(&mut self, index: usize, found: Option<Content>) {
        let alias = &mut self.aliases[index];
        let expected = alias.intent.take().map_or_else(|| alias.seen.content.clone(), |intent| intent.before);
        alias.conflict = Some(Conflict { expected, found: found.clone() });
        self.note(Happening::Conflict { alias: index, found });
        // The others go back all the same; only then it stops.
        if matches!(self.phase, Phase::RollingBack { .. }) {
            return;
        }
        self.stop_conflicted();
    }

    pub(super) fn stop_conflicted(&mut self) {
        for alias in &mut self.aliases {
            alias.drop_unsent();
        }
        let was = match &self.phase {
            Phase::Paused { was, .. } | Phase::Conflicted { was } => was.clone(),
            phase => Box::new(phase.clone()),
        };
        self.enter(Phase::Conflicted { was });
    }
}
