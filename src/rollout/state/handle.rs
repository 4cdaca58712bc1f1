//! What each event changes, and what follows from the state that it leaves.

use std::time::Duration;

use super::super::analysis::METRIC_DELAY;
use super::super::analysis::alarms::AlarmVerdict;
use super::super::content::{Content, Seen};
use super::super::names::{RevisionId, Time, Weight};
use super::super::plan::{OnNoData, OnOutage};
use super::{
    Action, DENIALS, HEARTBEAT, Happening, Intent, JOURNAL_PATIENCE, LOOK_EVERY, Live, PENDING_FOR, PauseCause, Phase,
    Purpose, Readiness, Reading, Stage, State, Stop, What, Why, WriteTrouble, back_off,
};

impl State {
    pub(super) fn take(&mut self, what: What) {
        match what {
            What::Begin => {
                self.live.verified = true;
                self.note(Happening::Began);
            }
            What::TakeOver(purpose) => self.take_over(purpose),
            What::Tick => {}
            What::Journalled(seq) => {
                self.live.writing = false;
                self.live.journalled = self.live.journalled.max(seq);
                self.live.journal_lost_since = None;
                self.live.claimed = true;
                self.live.heartbeat_at = self.live.now + HEARTBEAT;
            }
            What::JournalUnreachable => {
                self.live.writing = false;
                self.live.journal_lost_since.get_or_insert(self.live.now);
                self.live.write_not_before = self.live.now + back_off(2);
                // Going back needs nothing but Lambda.
                self.live.claimed |= matches!(self.phase, Phase::RollingBack { .. });
            }
            What::JournalLost { holder } => self.live.stop = Some(Stop::LostFence { holder }),
            What::JournalGone => self.journal_gone(),
            What::AliasRead(ticket, answer) => self.alias_read(ticket, answer),
            What::AliasWritten(answer) => self.alias_written(answer),
            What::VersionIs(readiness) => self.version_is(readiness),
            What::Looked(answer) => self.looked(answer),
            What::Settled(answer) => self.settled(answer),
            What::Retired => self.live.stop = Some(Stop::Phase),
            What::Pause => self.pause(PauseCause::Asked),
            What::Hold => self.hold(),
            What::Promote => self.live.wake_at_gate = true,
            What::Back(why) => self.told_to_go_back(why),
        }
    }

    /// The process slept: another may have driven meanwhile.
    pub(super) fn woke(&mut self) {
        self.live.verified = false;
        self.live.read_not_before = Time::default();
        if let Some(intent) = self.intent.as_mut().filter(|intent| intent.stage == Stage::Journalling) {
            // What was written before the sleep is no fence any more.
            self.seq += 1;
            intent.seq = self.seq;
        }
    }

    fn take_over(&mut self, purpose: Purpose) {
        self.live = Live { now: self.live.now, taken_over: true, ..Live::default() };
        if let Some(intent) = self.intent.take() {
            self.maybe = Some(intent.after);
        }
        match &self.phase {
            Phase::Paused { was, cause: PauseCause::NoData } => {
                self.phase = match (**was).clone() {
                    // Asked to go on, it waits for requests once more.
                    Phase::Shifting { step, since: Some(_) } => Phase::Shifting { step, since: Some(self.live.now) },
                    was => was,
                };
            }
            Phase::Paused { was, .. } | Phase::Conflicted { was, .. } => self.phase = (**was).clone(),
            Phase::SettleFailed { .. } => self.phase = Phase::Settling,
            _ => {}
        }
        self.live.wake_at_gate = purpose == Purpose::Promote;
        self.live.insists = matches!(purpose, Purpose::Adopt | Purpose::Force).then_some(purpose);
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
            Purpose::Resume | Purpose::Promote | Purpose::Adopt => {}
        }
    }

    fn journal_gone(&mut self) {
        self.live.writing = false;
        self.live.journal_gone = true;
        // Going back needs only Lambda; everything else holds.
        if !matches!(self.phase, Phase::RollingBack { .. } | Phase::RolledBack { .. }) {
            self.live.stop = Some(Stop::JournalGone);
        }
    }

    pub(super) fn go_back(&mut self, why: Why) {
        if !self.may_go_back() {
            return;
        }
        if self.intent.as_ref().is_some_and(|intent| intent.stage == Stage::Journalling) {
            self.intent = None;
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

    fn pause(&mut self, cause: PauseCause) {
        if self.may_go_back() && !matches!(self.phase, Phase::Paused { .. }) {
            if self.intent.as_ref().is_some_and(|intent| intent.stage == Stage::Journalling) {
                self.intent = None;
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

    fn version_is(&mut self, readiness: Readiness) {
        self.live.checking = false;
        match (readiness, &self.phase) {
            (Readiness::Active, _) => self.live.version_ready = true,
            (Readiness::Failed(reason), _) => self.go_back(Why::Version { reason }),
            (Readiness::Pending, Phase::PreTraffic { since }) if self.live.now.since(*since) > PENDING_FOR => {
                self.go_back(Why::Version { reason: "it did not become active within 15 minutes".to_owned() });
            }
            (Readiness::Pending, _) => self.live.check_not_before = self.live.now + back_off(2),
        }
    }

    fn looked(&mut self, answer: Result<Reading, String>) {
        self.live.looking = false;
        self.live.look_not_before = self.live.now + LOOK_EVERY;
        if !self.may_go_back() {
            return;
        }
        let blind = match answer {
            Ok(reading) => {
                let standing =
                    self.judge.look(&self.plan.criteria, &reading.minutes, reading.longest_ms, self.live.now);
                let reason = standing.reason.clone();
                if self.standing.as_ref() != Some(&standing) {
                    self.standing = Some(standing);
                    self.seq += 1;
                }
                if let Some(reason) = reason {
                    return self.go_back(Why::Evidence { reason });
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
        self.live.settle_failed = Some(answer.err().unwrap_or_default());
        // CloudFormation wrote the alias, or put it back: look before anything is said.
        self.live.verified = false;
        self.live.read_not_before = Time::default();
    }

    fn alias_written(&mut self, answer: Result<RevisionId, WriteTrouble>) {
        let now = self.live.now;
        let Some(intent) = self.intent.as_mut().filter(|intent| intent.stage == Stage::Acting) else { return };
        intent.attempts += 1;
        let later = now + back_off(intent.attempts);
        match answer {
            Ok(revision) => {
                let content = intent.after.clone();
                self.confirm(Seen { content, revision });
            }
            Err(WriteTrouble::Refused) => intent.stage = Stage::Verifying(now),
            Err(WriteTrouble::Unknown) => {
                self.maybe = Some(intent.after.clone());
                intent.stage = Stage::Verifying(later);
            }
            Err(WriteTrouble::Busy) => intent.stage = Stage::Verifying(later),
            Err(WriteTrouble::Gone(error)) => {
                intent.stage = Stage::Verifying(later);
                if matches!(self.phase, Phase::RollingBack { .. }) {
                    self.live.stop = Some(Stop::Stuck { reason: error });
                } else {
                    self.intent = None;
                    self.go_back(Why::Version { reason: error });
                }
            }
            Err(WriteTrouble::Denied(error)) => {
                intent.stage = Stage::Verifying(later);
                if matches!(self.phase, Phase::RollingBack { .. }) {
                    self.live.denials += 1;
                    if self.live.denials >= DENIALS {
                        self.live.stop = Some(Stop::Stuck { reason: error });
                    }
                } else if self.may_go_back() {
                    self.intent = None;
                    self.go_back(Why::Denied { error });
                }
            }
        }
    }

    fn confirm(&mut self, seen: Seen) {
        let before = self.alias.content.share(self.plan.new).fraction();
        let after = seen.content.share(self.plan.new).fraction();
        if after > before {
            self.first_traffic.get_or_insert(self.live.now);
            self.judge.raised(self.live.now, before, after);
        }
        self.note(Happening::Confirmed { content: seen.content.clone() });
        self.alias = seen;
        self.intent = None;
        self.maybe = None;
        self.live.verified = true;
        self.live.denials = 0;
        // An answer to a read that was asked for before the write is not about what is there now.
        self.live.reading = false;
        self.live.ticket += 1;
        self.live.read_not_before = self.live.now + LOOK_EVERY;
    }

    fn alias_read(&mut self, ticket: u64, answer: Result<Option<Seen>, String>) {
        if ticket != self.live.ticket || !self.live.reading {
            return;
        }
        self.live.reading = false;
        let found = match answer {
            Err(_) => {
                self.live.read_failures += 1;
                self.live.read_not_before = self.live.now + back_off(self.live.read_failures);
                if let Some(intent) = self.intent.as_mut().filter(|intent| intent.stage != Stage::Acting) {
                    intent.stage = Stage::Verifying(self.live.read_not_before);
                }
                return;
            }
            Ok(found) => found,
        };
        self.live.read_failures = 0;
        self.live.read_not_before = self.live.now + LOOK_EVERY;
        let Some(seen) = found else { return self.conflict(None) };
        let taken_over = std::mem::take(&mut self.live.taken_over);
        match self.live.insists.take() {
            Some(Purpose::Force) => return self.overwrite(seen),
            Some(_) if !self.is_ours(&seen.content) && self.may_adopt(&seen.content) => return self.accept(seen),
            _ => {}
        }
        // A first raise that was decided, an alias as before, and yet written since: it was raised
        // and taken back by a driver that could not reach the journal any more.
        let was_there_and_back = taken_over
            && self.may_go_back()
            && self.maybe.is_some()
            && seen.content == Content::whole(self.plan.old)
            && seen.revision != self.alias.revision;
        if was_there_and_back {
            return self.not_ours(seen, taken_over);
        }
        match self.intent.as_ref() {
            Some(intent) if seen.content == intent.after => self.confirm(seen),
            Some(_) if self.is_ours(&seen.content) => {
                self.adopt(seen);
                self.try_again();
            }
            None if self.is_ours(&seen.content) => self.adopt(seen),
            _ => self.not_ours(seen, taken_over),
        }
    }

    /// Whether the alias says what it did before, or what a write of ours can have made of it.
    fn is_ours(&self, content: &Content) -> bool {
        let before = self.intent.as_ref().map(|intent| &intent.before);
        *content == self.alias.content || Some(content) == self.maybe.as_ref() || Some(content) == before
    }

    /// Goes on from what somebody else made of the alias. Nothing is written for it: the step that has
    /// this share, or the nearest below it, is held at what there is.
    fn accept(&mut self, seen: Seen) {
        let now = self.live.now;
        let before = self.alias.content.share(self.plan.new);
        let share = seen.content.share(self.plan.new);
        self.note(Happening::Accepted { content: seen.content.clone() });
        self.first_traffic.get_or_insert(now);
        if share > before {
            self.judge.raised(now, before.fraction(), share.fraction());
        }
        if !matches!(self.phase, Phase::RollingBack { .. }) {
            let step = (0..self.plan.steps().len()).rev().find(|step| self.plan.weight(*step) <= share);
            match step {
                _ if share == Weight::FULL => self.enter(Phase::Promoting),
                Some(step) => {
                    self.enter(Phase::Shifting { step, since: Some(now) });
                    self.accepted = Some(seen.content.clone());
                }
                None => self.enter(self.at_step(0)),
            }
        }
        self.alias = seen;
        self.maybe = None;
        self.live.verified = true;
    }

    /// Goes back over what somebody else made of the alias. It holds for what was read now alone: a
    /// change after this is a conflict as ever.
    fn overwrite(&mut self, seen: Seen) {
        if !self.is_ours(&seen.content) {
            self.note(Happening::Overwriting { content: seen.content.clone() });
        }
        self.intent = None;
        self.alias = seen;
        self.live.verified = true;
    }

    fn adopt(&mut self, seen: Seen) {
        if seen != self.alias {
            if seen.content == self.alias.content {
                let settles = self.phase == Phase::Settling;
                self.note(if settles { Happening::WrittenBySettle } else { Happening::Adopted });
            } else {
                if seen.content.share(self.plan.new) > Weight::ZERO {
                    self.first_traffic.get_or_insert(self.live.now);
                }
                // It is what the unanswered write made of it: there is none any more.
                self.maybe = None;
                self.note(Happening::Confirmed { content: seen.content.clone() });
            }
            self.alias = seen;
        }
        self.live.verified = true;
    }

    /// The write did not take effect: decide it anew from what was read, with a new fence.
    fn try_again(&mut self) {
        let attempts = self.intent.take().map_or(0, |intent| intent.attempts);
        let target = self.target().filter(|target| *target != self.alias.content || self.maybe.is_some());
        if let Some(after) = target {
            self.intend(after, attempts);
        }
    }

    fn not_ours(&mut self, seen: Seen, taken_over: bool) {
        let old = Content::whole(self.plan.old);
        let is_back = seen.content == old;
        let left = seen.content.clone();
        match &self.phase {
            Phase::RollingBack { why } if seen.content.share(self.plan.new) == Weight::ZERO => {
                let why = why.clone();
                self.end_rolled_back(seen, why, left);
            }
            // The only process that could tell whose write that was is dead. Either way it is back.
            phase if taken_over && is_back && self.may_go_back() && !matches!(phase, Phase::Planned) => {
                self.note(Happening::Decided { why: Why::FoundBack });
                self.end_rolled_back(seen, Why::FoundBack, left);
            }
            Phase::Settling if is_back => {
                self.note(Happening::PutBackByCloudFormation);
                self.alias = seen;
                self.maybe = None;
                self.live.verified = true;
                if self.live.settle_failed.is_none() {
                    // Found so by a process that took over: the settle that did it has failed.
                    self.live.settle_failed =
                        Some("an earlier settle failed and CloudFormation put the alias back".to_owned());
                }
            }
            _ => self.conflict(Some(seen.content)),
        }
    }

    fn end_rolled_back(&mut self, seen: Seen, why: Why, left: Content) {
        self.alias = seen;
        self.intent = None;
        self.maybe = None;
        self.note(Happening::RolledBack);
        self.enter(Phase::RolledBack { why, left });
    }

    fn conflict(&mut self, found: Option<Content>) {
        let expected = self.intent.take().map_or_else(|| self.alias.content.clone(), |intent| intent.before);
        self.note(Happening::Conflict { found: found.clone() });
        let was = match &self.phase {
            Phase::Paused { was, .. } | Phase::Conflicted { was, .. } => was.clone(),
            phase => Box::new(phase.clone()),
        };
        self.enter(Phase::Conflicted { was, expected, found });
    }

    fn intend(&mut self, after: Content, attempts: u32) {
        self.note(Happening::Intent { content: after.clone() });
        let before = self.alias.content.clone();
        self.intent = Some(Intent { before, after, seq: self.seq, stage: Stage::Journalling, attempts });
    }

    /// What follows from the state as it is.
    pub(super) fn drive(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.live.stop.is_some() {
            return actions;
        }
        // Each round enters a later phase, so there are fewer rounds than phases.
        for _ in 0..16 {
            if !self.advance() {
                break;
            }
        }
        self.drive_alias(&mut actions);
        self.drive_checks(&mut actions);
        self.drive_journal(&mut actions);
        self.drive_end(&mut actions);
        actions
    }

    /// Enters the next phase where nothing has to happen first. Says whether it did.
    fn advance(&mut self) -> bool {
        if self.intent.is_some() || !self.live.verified {
            return false;
        }
        let now = self.live.now;
        let is_there = self.target().is_some_and(|target| target == self.alias.content) && self.maybe.is_none();
        match self.phase.clone() {
            Phase::Planned if self.live.journalled > 0 => self.enter(Phase::PreTraffic { since: now }),
            Phase::PreTraffic { .. } if self.live.version_ready && self.is_fresh() => self.enter(self.at_step(0)),
            Phase::Shifting { step, since: None } if is_there => self.enter(Phase::Shifting { step, since: Some(now) }),
            Phase::Shifting { step, since: Some(since) } => return self.hold_step(step, since),
            Phase::Barrier { .. } if self.is_past_gate() && self.is_fresh() => self.enter(Phase::Promoting),
            Phase::Promoting if is_there => {
                self.note(Happening::Baking);
                self.enter(Phase::Baking { since: now });
            }
            Phase::Baking { .. } if self.is_baked() => self.enter(Phase::PostTraffic),
            Phase::PostTraffic if self.plan.settle.is_some() => {
                self.note(Happening::Settling);
                self.enter(Phase::Settling);
            }
            Phase::PostTraffic => {
                self.note(Happening::Succeeded);
                self.enter(Phase::Succeeded);
            }
            Phase::Settling if is_there => return self.end_settle(),
            Phase::RollingBack { why } if is_there => {
                let left = self.alias.content.clone();
                self.note(Happening::RolledBack);
                self.enter(Phase::RolledBack { why, left });
            }
            _ => return false,
        }
        true
    }

    fn at_step(&self, step: usize) -> Phase {
        if step < self.plan.steps().len() { Phase::Shifting { step, since: None } } else { Phase::Promoting }
    }

    fn hold_step(&mut self, step: usize, since: Time) -> bool {
        let now = self.live.now;
        let steps = self.plan.steps();
        let Some(current) = steps.get(step) else { return false };
        let told_to_go_on = self.live.wake_at_gate;
        let held = now.since(since);
        if !told_to_go_on && !self.is_past_gate() || !self.is_fresh() {
            return false;
        }
        let first = self.first_traffic.unwrap_or(since);
        let served = self.judge.served_since(&self.plan.criteria, first, now);
        if served < self.plan.min_requests && !told_to_go_on {
            let longest = current.hold + Duration::from_secs(self.plan.max_hold_s);
            if held < longest {
                let already = self.entries.iter().rev().take_while(|entry| entry.at >= since);
                if !already.into_iter().any(|entry| matches!(entry.what, Happening::WaitingForRequests { .. })) {
                    let wanted = self.plan.min_requests;
                    self.note(Happening::WaitingForRequests { served, wanted });
                }
                return false;
            }
            match self.plan.on_no_data {
                OnNoData::Continue => {}
                OnNoData::Rollback => {
                    self.go_back(Why::NoData);
                    return true;
                }
                OnNoData::Hold => {
                    self.pause(PauseCause::NoData);
                    return true;
                }
            }
        }
        if current.pause && !told_to_go_on {
            self.pause(PauseCause::Strategy);
            return true;
        }
        self.live.wake_at_gate = false;
        if step + 1 < steps.len() {
            self.enter(Phase::Shifting { step: step + 1, since: None });
        } else {
            self.note(Happening::Barrier);
            self.enter(Phase::Barrier { since: now });
        }
        true
    }

    /// Before when this phase does not end: what was read before then does not count for its end.
    fn gate(&self) -> Option<Time> {
        match &self.phase {
            Phase::Shifting { step, since: Some(since) } => self.plan.steps().get(*step).map(|step| *since + step.hold),
            // Every minute of the last step has to be complete.
            Phase::Barrier { since } => Some(*since + METRIC_DELAY + self.judge.longest(&self.plan.criteria)),
            Phase::Baking { since } => Some(*since + Duration::from_secs(self.plan.bake_s)),
            _ => None,
        }
    }

    fn is_past_gate(&self) -> bool {
        let Some(gate) = self.gate() else { return true };
        let goes_on_blind = self.plan.on_outage == OnOutage::Continue && self.live.blind_since.is_some();
        self.live.now >= gate && (goes_on_blind || self.live.last_good.is_some_and(|at| at >= gate))
    }

    /// Without a bake there is nothing to look at.
    fn is_baked(&self) -> bool {
        self.plan.bake_s == 0 || self.is_past_gate()
    }

    fn end_settle(&mut self) -> bool {
        match self.live.settle_failed.take() {
            None => return false,
            Some(reason) if reason.is_empty() => {
                self.note(Happening::Succeeded);
                self.enter(Phase::Succeeded);
            }
            Some(reason) => {
                self.note(Happening::SettleFailed { reason: reason.clone() });
                self.enter(Phase::SettleFailed { reason });
            }
        }
        true
    }

    fn drive_alias(&mut self, actions: &mut Vec<Action>) {
        let now = self.live.now;
        if !self.live.claimed {
            return;
        }
        if !self.live.verified && self.intent.is_none() {
            return self.read_alias(actions);
        }
        if self.intent.is_none() {
            let target = self.target().filter(|target| *target != self.alias.content || self.maybe.is_some());
            match target {
                Some(after) if self.may_raise() => self.intend(after, 0),
                _ if self.watches_alias() => return self.read_alias(actions),
                _ => return,
            }
        }
        let may_raise = self.may_raise();
        let goes_back = matches!(self.phase, Phase::RollingBack { .. });
        let fenced = |seq: u64| goes_back || (self.live.journalled >= seq && !self.live.journal_gone && may_raise);
        match self.intent.as_ref().map(|intent| (intent.stage, intent.seq)) {
            Some((Stage::Journalling, seq)) if fenced(seq) => self.write_alias(actions),
            Some((Stage::Verifying(not_before), _)) if now >= not_before => {
                self.live.read_not_before = now;
                self.read_alias(actions);
            }
            _ => {}
        }
    }

    fn write_alias(&mut self, actions: &mut Vec<Action>) {
        if let Some(intent) = &mut self.intent {
            intent.stage = Stage::Acting;
            // A read that is under way would be answered by what was there before.
            self.live.reading = false;
            self.live.ticket += 1;
            let (expect, content) = (self.alias.revision.clone(), intent.after.clone());
            actions.push(Action::WriteAlias { expect, content });
        }
    }

    fn read_alias(&mut self, actions: &mut Vec<Action>) {
        if !self.live.reading && self.live.now >= self.live.read_not_before {
            self.live.reading = true;
            self.live.ticket += 1;
            actions.push(Action::ReadAlias(self.live.ticket));
        }
    }

    /// Never blind: more traffic needs a reading that is fresh. What is whole already may be
    /// pointed right without.
    fn may_raise(&self) -> bool {
        matches!(self.phase, Phase::RollingBack { .. } | Phase::Settling) || self.is_fresh()
    }

    /// Whether somebody else's change would matter now.
    fn watches_alias(&self) -> bool {
        // CloudFormation is at it while it settles; what it left is read afterwards.
        let settles = self.live.settling && self.live.settle_failed.is_none();
        !matches!(self.phase, Phase::Planned) && !self.is_parked() && !settles
    }

    fn drive_checks(&mut self, actions: &mut Vec<Action>) {
        let now = self.live.now;
        let judged = match self.phase {
            Phase::PreTraffic { .. } => {
                if !self.live.version_ready && !self.live.checking && now >= self.live.check_not_before {
                    self.live.checking = true;
                    actions.push(Action::CheckVersion(self.plan.new));
                }
                true
            }
            Phase::Shifting { .. } | Phase::Barrier { .. } | Phase::Promoting | Phase::Baking { .. } => true,
            _ => false,
        };
        // Who waits for nothing but a reading does not wait for the next round.
        let stale = |since: Time| self.live.last_good.is_none_or(|at| at < since);
        let at_gate = self.gate().is_some_and(|gate| now >= gate && stale(gate)) && self.live.blind_since.is_none();
        if judged && !self.live.looking && (now >= self.live.look_not_before || at_gate) {
            self.live.looking = true;
            let since = self.first_traffic.unwrap_or(now);
            let whole_from = match self.phase {
                Phase::Baking { since } => Some(since.minute() + 1),
                _ => None,
            };
            actions.push(Action::Look { from: self.judge.wanted_from(since), whole_from });
        }
        let settles = self.phase == Phase::Settling && self.live.settle_failed.is_none() && !self.live.settling;
        if settles && self.live.verified && self.intent.is_none() && self.live.journalled >= self.seq {
            self.live.settling = true;
            actions.push(Action::Settle);
        }
    }

    fn drive_journal(&mut self, actions: &mut Vec<Action>) {
        let live = &mut self.live;
        let due = self.seq > live.journalled || live.now >= live.heartbeat_at;
        if !live.writing && !live.retiring && !live.journal_gone && due && live.now >= live.write_not_before {
            live.writing = true;
            actions.push(Action::WriteJournal(self.seq));
        }
    }

    fn drive_end(&mut self, actions: &mut Vec<Action>) {
        if !self.is_parked() {
            return;
        }
        let lost_for = self.live.journal_lost_since.map(|since| self.live.now.since(since));
        let written = self.live.journalled >= self.seq;
        let given_up = self.live.journal_gone || lost_for.is_some_and(|lost| lost >= JOURNAL_PATIENCE);
        if given_up || (written && !self.is_finished()) {
            self.live.stop = Some(Stop::Phase);
        } else if written && !self.live.retiring {
            self.live.retiring = true;
            actions.push(Action::Retire);
        }
    }
}
