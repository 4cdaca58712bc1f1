//! What the machine that only watches ([`super::super::codedeploy`]) does to a rollout's state: the same
//! evidence, the same decisions and the same story, with the weight in other hands.

use super::super::content::Seen;
use super::super::names::Time;
use super::{Happening, Phase, Reading, State, Why};

impl State {
    /// It is so late.
    pub(in crate::rollout) fn watched_at(&mut self, now: Time) {
        self.live.now = self.live.now.max(now);
    }

    /// Takes a reading into the evidence; enters [`Phase::RollingBack`] where that says so.
    pub(in crate::rollout) fn watched(&mut self, answer: Result<Reading, String>) {
        self.looked(answer);
    }

    /// Decides to go back, where that may still be decided.
    pub(in crate::rollout) fn decide(&mut self, why: Why) {
        self.go_back(why);
    }

    /// A line of the story.
    pub(in crate::rollout) fn tell(&mut self, what: Happening) {
        self.note(what);
    }

    /// Enters a phase; nothing is done where it is there already.
    pub(in crate::rollout) fn turn_to(&mut self, phase: Phase) {
        if self.phase != phase {
            self.enter(phase);
        }
    }

    /// An alias was found to say this, whoever wrote it.
    pub(in crate::rollout) fn found(&mut self, index: usize, seen: Seen) {
        let now = self.live.now;
        let (Some(alias), Some(plan)) = (self.aliases.get_mut(index), self.plan.aliases.get(index)) else { return };
        if alias.seen.content == seen.content {
            alias.seen = seen;
            return;
        }
        let before = alias.seen.content.share(plan.new).fraction();
        let after = seen.content.share(plan.new).fraction();
        if after > before {
            alias.first_traffic.get_or_insert(now);
            alias.judge.raised(now, before, after);
        }
        let content = seen.content.clone();
        alias.seen = seen;
        alias.intent = None;
        self.note(Happening::Confirmed { alias: index, content });
    }

    /// Whether it was watched long enough at 100 %, and seen to the end.
    pub(in crate::rollout) fn has_baked(&self) -> bool {
        self.is_baked()
    }

    /// Where the evidence has to be read from.
    pub(in crate::rollout) fn evidence_from(&self) -> i64 {
        let now = self.live.now;
        let from = self.aliases.iter().map(|alias| alias.judge.wanted_from(alias.first_traffic.unwrap_or(now)));
        from.min().unwrap_or_else(|| now.minute())
    }
}
