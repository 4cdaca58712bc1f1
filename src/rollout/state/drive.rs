//! What follows from the state that an event leaves.

use std::time::Duration;

use super::super::analysis::METRIC_DELAY;
use super::super::content::Content;
use super::super::names::{Time, Weight};
use super::super::plan::{HookTime, OnNoData, OnOutage};
use super::alias::{Intent, Stage};
use super::{
    Action, BACK_AT_ONCE, FENCED, Happening, JOURNAL_PATIENCE, Mutation, PauseCause, Phase, READ_FAILURES, Running,
    State, Stop, Why,
};

impl State {
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
        self.drive_aliases(&mut actions);
        self.drive_checks(&mut actions);
        self.drive_journal(&mut actions);
        self.drive_end(&mut actions);
        actions
    }

    /// What an alias is to say in this phase; `None` where it is left as it is.
    fn target(&self, index: usize) -> Option<Content> {
        let plan = self.plan.aliases.get(index)?;
        let alias = self.aliases.get(index)?;
        match &self.phase {
            Phase::Shifting { step, .. } => alias.accepted.clone().or_else(|| self.plan.content(index, *step)),
            Phase::Promoting | Phase::Settling if self.mutated(Mutation::ForgetWeights) => {
                Some(Content { version: plan.new.to_string(), weights: alias.seen.content.weights.clone() })
            }
            Phase::Promoting | Phase::Settling => Some(plan.after()),
            Phase::RollingBack { why: Why::Evidence { alias: worst, .. } }
                if *worst != index && self.mutated(Mutation::TakeBackOnlyTheWorst) =>
            {
                Some(alias.seen.content.clone())
            }
            Phase::RollingBack { .. } => Some(alias.accepted.clone().unwrap_or_else(|| plan.before())),
            Phase::Planned
            | Phase::PreTraffic { .. }
            | Phase::Barrier { .. }
            | Phase::Baking { .. }
            | Phase::PostTraffic { .. }
            | Phase::Succeeded
            | Phase::RolledBack { .. }
            | Phase::Paused { .. }
            | Phase::SettleFailed { .. }
            | Phase::Conflicted { .. } => None,
        }
    }

    /// What has to be written to an alias now.
    pub(super) fn wanted(&self, index: usize) -> Option<Content> {
        let alias = &self.aliases[index];
        if self.plan.probe && !alias.probed && matches!(self.phase, Phase::PreTraffic { .. }) {
            return Some(alias.seen.content.clone());
        }
        self.target(index).filter(|target| *target != alias.seen.content || alias.maybe.is_some())
    }

    fn is_there(&self) -> bool {
        (0..self.aliases.len()).all(|index| {
            self.aliases[index].maybe.is_none()
                && self.target(index).is_some_and(|target| target == self.aliases[index].seen.content)
        })
    }

    pub(super) fn intend(&mut self, index: usize, after: Content, attempts: u32) {
        self.note(Happening::Intent { alias: index, content: after.clone() });
        let before = self.aliases[index].seen.content.clone();
        self.aliases[index].intent = Some(Intent { before, after, seq: self.seq, stage: Stage::Journalling, attempts });
    }

    /// Enters the next phase where nothing has to happen first. Says whether it did.
    fn advance(&mut self) -> bool {
        if let Phase::RollingBack { why } = &self.phase {
            let why = why.clone();
            return self.end_rollback(why);
        }
        let settled = |alias: &super::AliasState| alias.intent.is_none() && alias.live.verified;
        if !self.aliases.iter().all(settled) {
            return false;
        }
        let now = self.live.now;
        match self.phase.clone() {
            Phase::Planned if self.live.journalled > 0 => self.enter(Phase::PreTraffic { since: now }),
            Phase::PreTraffic { .. } if self.is_ready() => self.enter(self.at_step(0)),
            Phase::Shifting { step, since: None } if self.is_there() => {
                self.enter(Phase::Shifting { step, since: Some(now) });
            }
            Phase::Shifting { step, since: Some(since) } => return self.hold_step(step, since),
            Phase::Barrier { .. } if self.is_past_gate() && self.is_fresh() && !self.is_suspect() => {
                self.enter(Phase::Promoting);
            }
            Phase::Promoting if self.is_there() => {
                if self.plan.bake_s > 0 {
                    self.note(Happening::Baking);
                }
                self.enter(Phase::Baking { since: now });
            }
            Phase::Baking { since } if self.is_baked() => self.enter(Phase::PostTraffic { since }),
            Phase::PostTraffic { .. } if self.next_task(HookTime::AfterTraffic).is_some() => return false,
            Phase::PostTraffic { .. } if self.plan.settle.is_some() => {
                self.note(Happening::Settling);
                self.enter(Phase::Settling);
            }
            Phase::PostTraffic { .. } => {
                self.note(Happening::Succeeded);
                self.enter(Phase::Succeeded);
            }
            Phase::Settling if self.is_there() => return self.end_settle(),
            _ => return false,
        }
        true
    }

    fn is_ready(&self) -> bool {
        let ready = |alias: &super::AliasState| alias.live.version_ready && (alias.probed || !self.plan.probe);
        self.aliases.iter().all(ready) && self.next_task(HookTime::BeforeTraffic).is_none() && self.is_fresh()
    }

    pub(super) fn at_step(&self, step: usize) -> Phase {
        if step < self.plan.timeline().len() { Phase::Shifting { step, since: None } } else { Phase::Promoting }
    }

    /// It is over when every alias was read and says what it should, or cannot be helped.
    fn end_rollback(&mut self, why: Why) -> bool {
        let unverified = self.mutated(Mutation::FinishUnverified);
        let helped = |index: usize| {
            let alias = &self.aliases[index];
            let is_there = alias.intent.is_none()
                && alias.maybe.is_none()
                && self.target(index).is_some_and(|target| target == alias.seen.content);
            let is_read = alias.live.is_back || alias.live.read_failures >= READ_FAILURES || unverified;
            alias.live.stuck.is_some() || alias.conflict.is_some() || (is_there && is_read)
        };
        if !(0..self.aliases.len()).all(helped) {
            return false;
        }
        let stuck = self
            .aliases
            .iter()
            .zip(&self.plan.aliases)
            .find_map(|(alias, plan)| Some(format!("{}: {}", plan.id, alias.live.stuck.as_ref()?)));
        if let Some(reason) = stuck {
            self.live.stop = Some(Stop::Stuck { reason });
            return false;
        }
        if self.aliases.iter().any(|alias| alias.conflict.is_some()) {
            self.stop_conflicted();
            return true;
        }
        let left = self.aliases.iter().map(|alias| alias.seen.content.clone()).collect();
        self.note(Happening::RolledBack);
        self.enter(Phase::RolledBack { why, left });
        true
    }

    fn hold_step(&mut self, step: usize, since: Time) -> bool {
        let now = self.live.now;
        let timeline = self.plan.timeline();
        let Some(current) = timeline.get(step) else { return false };
        let told_to_go_on = self.live.wake_at_gate;
        let held = now.since(since);
        let is_over = told_to_go_on || self.is_past_gate() || self.mutated(Mutation::SkipStep);
        if !is_over || !self.is_fresh() {
            return false;
        }
        let served = self.served(&current.weights, since);
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
        if step + 1 < timeline.len() {
            let skipped = usize::from(self.mutated(Mutation::SkipStep) && step + 2 < timeline.len());
            self.enter(Phase::Shifting { step: step + 1 + skipped, since: None });
        } else {
            self.note(Happening::Barrier);
            self.enter(Phase::Barrier { since: now });
        }
        true
    }

    /// What the new version with the fewest requests has served, of those that have traffic.
    fn served(&self, weights: &[Weight], since: Time) -> u64 {
        let now = self.live.now;
        self.aliases
            .iter()
            .zip(&self.plan.aliases)
            .zip(weights)
            .filter(|(_, weight)| **weight > Weight::ZERO)
            .map(|((alias, plan), _)| {
                alias.judge.served_since(&plan.criteria, alias.first_traffic.unwrap_or(since), now)
            })
            .min()
            .unwrap_or_default()
    }

    /// Before when this phase does not end: what was read before then does not count for its end.
    pub(super) fn gate(&self) -> Option<Time> {
        match &self.phase {
            Phase::Shifting { step, since: Some(since) } => {
                self.plan.timeline().get(*step).map(|step| *since + step.hold)
            }
            // Every minute of the last step has to be complete.
            Phase::Barrier { since } => {
                let longest = self.aliases.iter().zip(&self.plan.aliases);
                let longest = longest.map(|(alias, plan)| alias.judge.longest(&plan.criteria)).max();
                Some(*since + METRIC_DELAY + longest.unwrap_or_default())
            }
            Phase::Baking { since } => Some(*since + Duration::from_secs(self.plan.bake_s)),
            _ => None,
        }
    }

    fn is_past_gate(&self) -> bool {
        let Some(gate) = self.gate() else { return true };
        let goes_on_blind = self.plan.on_outage == OnOutage::Continue && self.live.blind_since.is_some();
        self.live.now >= gate && (goes_on_blind || self.live.last_good.is_some_and(|at| at >= gate))
    }

    /// Before the whole traffic is raised, evidence that is on its way to the bound is waited for: as long as
    /// the want of requests is in a step.
    fn is_suspect(&self) -> bool {
        let longest = Duration::from_secs(self.plan.max_hold_s);
        let waits = self.gate().is_some_and(|gate| self.live.now < gate + longest);
        waits && !self.plan.observe_only && self.standing().is_some_and(|(_, standing)| standing.is_suspect())
    }

    /// Without a bake there is nothing to look at.
    pub(super) fn is_baked(&self) -> bool {
        self.plan.bake_s == 0 || self.is_past_gate()
    }

    fn end_settle(&mut self) -> bool {
        match self.live.settled.take() {
            None => return false,
            Some(Ok(())) => {
                self.note(Happening::Succeeded);
                self.enter(Phase::Succeeded);
            }
            Some(Err(reason)) => {
                self.note(Happening::SettleFailed { reason: reason.clone() });
                self.enter(Phase::SettleFailed { reason });
            }
        }
        true
    }

    /// In which order the aliases are looked after: the plan's; on the way back the worst first.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.aliases.len()).collect();
        let Phase::RollingBack { why } = &self.phase else { return order };
        let culprit = match why {
            Why::Evidence { alias, .. } => Some(*alias),
            _ => None,
        };
        let evidence = |index: usize| self.aliases[index].standing.as_ref().map_or(0.0, |standing| standing.evidence);
        order.sort_by(|a, b| {
            let first = |index: &usize| Some(*index) == culprit;
            first(b).cmp(&first(a)).then(evidence(*b).total_cmp(&evidence(*a)))
        });
        if self.mutated(Mutation::WorstLast) {
            order.reverse();
        }
        order
    }

    fn drive_aliases(&mut self, actions: &mut Vec<Action>) {
        if !self.live.claimed {
            return;
        }
        let goes_back = matches!(self.phase, Phase::RollingBack { .. });
        let most = if goes_back { BACK_AT_ONCE } else { 1 };
        let mut under_way = self.aliases.iter().filter(|alias| alias.intent.is_some()).count();
        for index in self.order() {
            let alias = &self.aliases[index];
            if alias.conflict.is_some() || alias.live.stuck.is_some() {
                continue;
            }
            // A raise that was decided before a sleep is decided anew from what is read now.
            let unsent = alias.intent.as_ref().is_none_or(|intent| intent.stage == Stage::Journalling);
            if unsent && !alias.live.verified && (alias.intent.is_none() || !goes_back) {
                self.read_alias(index, actions);
                continue;
            }
            if alias.intent.is_none() {
                match self.wanted(index) {
                    Some(after) if under_way < most && self.may_raise() => {
                        self.intend(index, after, 0);
                        under_way += 1;
                    }
                    wanted => {
                        if self.watches_alias() {
                            self.read_alias(index, actions);
                        }
                        // What comes after this one in the plan waits until this one is there.
                        if wanted.is_some() && !goes_back {
                            under_way = most;
                        }
                        continue;
                    }
                }
            }
            self.drive_intent(index, goes_back, actions);
        }
    }

    fn drive_intent(&mut self, index: usize, goes_back: bool, actions: &mut Vec<Action>) {
        let now = self.live.now;
        match self.aliases[index].intent.as_ref().map(|intent| (intent.stage, intent.seq)) {
            Some((Stage::Journalling, seq)) if self.may_act(seq, goes_back) => self.write_alias(index, actions),
            Some((Stage::Verifying(not_before), _)) if now >= not_before => {
                self.aliases[index].live.read_not_before = now;
                self.read_alias(index, actions);
            }
            _ => {}
        }
    }

    /// Whether a write that was decided may be carried out: the journal has it, and was written just
    /// now by this driver. The way back waits for nothing.
    fn may_act(&self, seq: u64, goes_back: bool) -> bool {
        let live = &self.live;
        if goes_back && !self.mutated(Mutation::BackWaitsForJournal) {
            return true;
        }
        let fenced = live.fenced_at.is_some_and(|at| live.now.since(at) <= FENCED) && live.journal_lost_since.is_none();
        let told = live.journalled >= seq;
        let careless = self.mutated(Mutation::SkipFence) || self.mutated(Mutation::JournalAfterActing);
        ((told && fenced && !live.journal_gone) || careless) && self.may_raise()
    }

    fn write_alias(&mut self, index: usize, actions: &mut Vec<Action>) {
        let alias = &mut self.aliases[index];
        if let Some(intent) = &mut alias.intent {
            intent.stage = Stage::Acting;
            let content = intent.after.clone();
            // A read that is under way would be answered by what was there before.
            alias.forget_reads();
            let expect = alias.seen.revision.clone();
            actions.push(Action::WriteAlias { alias: index, expect, content });
        }
    }

    fn read_alias(&mut self, index: usize, actions: &mut Vec<Action>) {
        let now = self.live.now;
        let live = &mut self.aliases[index].live;
        if !live.reading && now >= live.read_not_before {
            live.reading = true;
            live.ticket += 1;
            actions.push(Action::ReadAlias { alias: index, ticket: live.ticket });
        }
    }

    /// Never blind: more traffic needs a reading that is fresh, and every alias known. What is whole
    /// already may be pointed right without, and a probe moves nothing.
    fn may_raise(&self) -> bool {
        match self.phase {
            Phase::RollingBack { .. } | Phase::Settling | Phase::PreTraffic { .. } => true,
            _ => self.is_fresh() && self.aliases.iter().all(|alias| alias.live.verified && alias.conflict.is_none()),
        }
    }

    /// Whether somebody else's change would matter now.
    fn watches_alias(&self) -> bool {
        // CloudFormation is at it while it settles; what it left is read afterwards.
        let settles = self.live.settling && self.live.settled.is_none();
        !matches!(self.phase, Phase::Planned) && !self.is_parked() && !settles
    }

    fn drive_checks(&mut self, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::PreTraffic { .. } => {
                self.check_versions(actions);
                let ready = self.aliases.iter().all(|alias| alias.live.version_ready && alias.intent.is_none());
                let probed = !self.plan.probe || self.aliases.iter().all(|alias| alias.probed);
                if ready && probed && self.live.claimed {
                    self.drive_task(HookTime::BeforeTraffic, actions);
                }
                self.drive_look(actions);
            }
            Phase::Shifting { .. } | Phase::Barrier { .. } | Phase::Promoting | Phase::Baking { .. } => {
                self.drive_look(actions);
            }
            Phase::PostTraffic { .. } => {
                if self.live.claimed {
                    self.drive_task(HookTime::AfterTraffic, actions);
                }
                self.drive_look(actions);
            }
            Phase::Settling => self.drive_settle(actions),
            _ => {}
        }
    }

    fn check_versions(&mut self, actions: &mut Vec<Action>) {
        let now = self.live.now;
        for (index, alias) in self.aliases.iter_mut().enumerate() {
            let live = &mut alias.live;
            if !live.version_ready && !live.checking && now >= live.check_not_before {
                live.checking = true;
                actions.push(Action::CheckVersion { alias: index });
            }
        }
    }

    /// One task at a time, each in the journal before it is begun.
    fn drive_task(&mut self, when: HookTime, actions: &mut Vec<Action>) {
        let now = self.live.now;
        if self.live.task.is_none() {
            let Some(task) = self.next_task(when) else { return };
            self.note(Happening::Running { task });
            self.live.task = Some(Running { task, seq: self.seq, started: false, attempts: 0, not_before: now });
        }
        let journalled = self.live.journalled;
        if let Some(running) = &mut self.live.task
            && !running.started
            && journalled >= running.seq
            && now >= running.not_before
        {
            running.started = true;
            running.attempts += 1;
            actions.push(Action::Perform(running.task));
        }
    }

    fn drive_look(&mut self, actions: &mut Vec<Action>) {
        let now = self.live.now;
        // Who waits for nothing but a reading does not wait for the next round.
        let stale = |since: Time| self.live.last_good.is_none_or(|at| at < since);
        let at_gate = self.gate().is_some_and(|gate| now >= gate && stale(gate)) && self.live.blind_since.is_none();
        if self.live.looking || (now < self.live.look_not_before && !at_gate) {
            return;
        }
        self.live.looking = true;
        let wanted = self.aliases.iter().map(|alias| alias.judge.wanted_from(alias.first_traffic.unwrap_or(now)));
        let from = wanted.min().unwrap_or_else(|| now.minute());
        let whole_from = match self.phase {
            Phase::Baking { since } | Phase::PostTraffic { since } => Some(since.minute() + 1),
            _ => None,
        };
        actions.push(Action::Look { from, whole_from });
    }

    fn drive_settle(&mut self, actions: &mut Vec<Action>) {
        let known = self.aliases.iter().all(|alias| alias.live.verified && alias.intent.is_none());
        let recorded = self.live.journalled >= self.seq;
        if self.live.settled.is_none() && !self.live.settling && known && recorded {
            self.live.settling = true;
            for alias in &mut self.aliases {
                // What is read while CloudFormation is at it tells nothing.
                alias.forget_reads();
            }
            actions.push(Action::Settle);
        }
    }

    fn drive_journal(&mut self, actions: &mut Vec<Action>) {
        if self.mutated(Mutation::JournalAfterActing)
            && self
                .aliases
                .iter()
                .any(|alias| alias.intent.as_ref().is_some_and(|intent| intent.stage == Stage::Acting))
        {
            return;
        }
        let live = &mut self.live;
        let due = self.seq > live.journalled || live.now >= live.heartbeat_at;
        if !live.writing && !live.retiring && !live.journal_gone && due && live.now >= live.write_not_before {
            live.writing = true;
            actions.push(Action::WriteJournal(self.seq));
        }
    }

    fn drive_end(&mut self, actions: &mut Vec<Action>) {
        if self.is_left() {
            if !matches!(self.entries.back().map(|entry| &entry.what), Some(Happening::Left)) {
                self.note(Happening::Left);
                return self.drive_journal(actions);
            }
            if self.live.journalled >= self.seq {
                self.live.stop = Some(Stop::Left);
            }
            return;
        }
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
