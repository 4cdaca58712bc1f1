//! One alias of a rollout: what it is known to say, and what is being made of it.

use serde::{Deserialize, Serialize};

use super::super::analysis::{Judge, Standing};
use super::super::content::{Content, Seen};
use super::super::names::Time;
use super::event::Purpose;

/// A write of the alias that has been decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// What the alias said when it was decided.
    pub before: Content,
    /// What it is to say.
    pub after: Content,
    /// The journal has to have this before it is carried out; the way back does not wait for it.
    pub(super) seq: u64,
    pub(super) stage: Stage,
    pub(super) attempts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Waiting for the journal.
    Journalling,
    /// The call is under way.
    Acting,
    /// What became of it is not known, or it was refused: the alias has to be read, not before then.
    Verifying(Time),
}

/// What somebody else made of an alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// What the alias should have said.
    pub expected: Content,
    /// What it says; `None` when it is gone.
    pub found: Option<Content>,
}

/// Everything that is known of one alias; all but `live` is in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasState {
    /// What the alias is known to say.
    #[serde(flatten)]
    pub seen: Seen,
    /// What a write of ours whose answer never came may still make of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maybe: Option<Content>,
    /// A write that is decided and not confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// What somebody else made of the alias and was accepted: it stands for the phase's own content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Content>,
    /// What somebody else made of the alias and was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
    /// Whether it has been proved that it may be written.
    #[serde(default)]
    pub probed: bool,
    /// The evidence.
    pub judge: Judge,
    /// Where the evidence stood at the last look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// When the first weight was set; the evidence begins there.
    #[serde(default)]
    pub first_traffic: Option<Time>,
    /// What only this driver knows.
    #[serde(skip)]
    pub live: AliasLive,
}

/// What only the process that drives knows of an alias.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AliasLive {
    /// Whether it has been read since this driver began, or woke.
    pub(super) verified: bool,
    /// It is read once more only so that success can be said: its revision is known.
    pub(super) rereads: bool,
    pub(super) taken_over: bool,
    /// The answer to the write under way is as old as the sleep that it came after.
    pub(super) overslept: bool,
    /// The first reading is accepted, or overwritten, whatever it says.
    pub(super) insists: Option<Purpose>,
    /// Numbers the reads, so that an answer overtaken by a write is not believed.
    pub(super) ticket: u64,
    pub(super) reading: bool,
    pub(super) read_not_before: Time,
    pub(super) read_failures: u32,
    pub(super) denials: u32,
    pub(super) version_ready: bool,
    pub(super) checking: bool,
    pub(super) check_not_before: Time,
    /// Whether it was read, on the way back, after the last write.
    pub(super) is_back: bool,
    /// Why it cannot be brought back without a person.
    pub(super) stuck: Option<String>,
}

impl AliasState {
    pub(super) fn new(seen: Seen) -> Self {
        Self {
            seen,
            maybe: None,
            intent: None,
            accepted: None,
            conflict: None,
            probed: false,
            judge: Judge::default(),
            standing: None,
            first_traffic: None,
            live: AliasLive::default(),
        }
    }

    /// Drops a write that was decided and has not been sent.
    pub(super) fn drop_unsent(&mut self) {
        if self.intent.as_ref().is_some_and(|intent| intent.stage == Stage::Journalling) {
            self.intent = None;
        }
    }

    /// Whether it says what it did before, or what a write of ours can have made of it.
    pub(super) fn is_ours(&self, content: &Content) -> bool {
        let before = self.intent.as_ref().map(|intent| &intent.before);
        *content == self.seen.content || Some(content) == self.maybe.as_ref() || Some(content) == before
    }

    /// Whether this write can have taken effect: it was sent, by this process or by an earlier one.
    pub(super) fn may_be_done(&self, intent: &Intent) -> bool {
        intent.stage != Stage::Journalling
            || self.maybe.as_ref() == Some(&intent.after)
            || intent.before == intent.after
    }

    /// Believes nothing that was asked before now.
    pub(super) fn forget_reads(&mut self) {
        self.live.reading = false;
        self.live.ticket += 1;
    }

    pub(super) fn unverify(&mut self) {
        self.live.verified = false;
        self.live.rereads = false;
        self.live.is_back = false;
        self.live.read_not_before = Time::default();
    }
}
