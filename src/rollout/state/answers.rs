//! What Lambda's answers about an alias change: a write that was made, refused or lost, and what the
//! alias was found to say.

use super::super::content::{Content, Seen};
use super::super::names::{RevisionId, Weight};
use super::alias::{Intent, Stage};
use super::{Conflict, DENIALS, Happening, LOOK_EVERY, Mutation, Phase, Purpose, State, Why, WriteTrouble, back_off};

impl State {
    pub(super) fn alias_written(&mut self, index: usize, answer: Result<RevisionId, WriteTrouble>) {
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

    pub(super) fn alias_read(&mut self, index: usize, ticket: u64, answer: Result<Option<Seen>, String>) {
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
            Phase::Settling
                if is_back && self.live.settled.as_ref().map_or(self.live.took_over_settle, Result::is_err) =>
            {
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
            // Nobody settles at the moment: a person went back after a settle had failed, and it stays so.
            Phase::Settling if is_back && taken_over && self.live.settled.is_none() => {
                self.note(Happening::Decided { why: Why::FoundBack });
                self.enter(Phase::RollingBack { why: Why::FoundBack });
                self.leave_back(index, seen);
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
