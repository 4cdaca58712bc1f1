//! S3: one object, written conditionally.

use std::sync::Arc;

use super::super::history::{Happened, Who};
use super::super::setting;
use super::{Object, World};
use crate::rollout::state::State;

/// What became of a `PutObject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is there, with this tag.
    Done(u64),
    /// 412.
    Refused,
    /// 404 on `If-Match`.
    Gone,
}

impl World {
    /// `PutObject`: over this tag, or only where there is none.
    pub fn put_journal(&mut self, who: Who, over: Option<u64>, nonce: u64, state: Arc<State>) -> Put {
        match (&self.journal, over) {
            (None, Some(_)) => return Put::Gone,
            (Some(object), over) if Some(object.etag) != over => return Put::Refused,
            _ => {}
        }
        let created = self.journal.is_none();
        self.etags += 1;
        for (alias, content) in setting::intents(&state) {
            if !self.told.iter().any(|told| told.0 == alias && told.1 == *content) {
                self.told.push((alias, content.clone()));
            }
        }
        let (decided, finished) = (setting::is_decided(&state), state.is_finished());
        let worse = setting::worse(&state);
        self.note(who, Happened::Journalled { seq: state.seq, created, decided, finished, worse });
        self.journal = Some(Object { etag: self.etags, nonce, modified: self.now, state });
        Put::Done(self.etags)
    }

    /// Whether the journal has ever said that the alias is going to have this.
    pub fn was_told(&self, alias: usize, content: &crate::rollout::content::Content) -> bool {
        self.told.iter().any(|told| told.0 == alias && told.1 == *content)
    }

    /// Moves it to the history and deletes it, over this tag.
    pub fn retire(&mut self, who: Who, over: Option<u64>, state: Arc<State>) {
        if over.is_none() {
            return;
        }
        self.retired = Some(state);
        if self.journal.as_ref().map(|object| object.etag) == over {
            self.journal = None;
            self.note(who, Happened::JournalGone);
        }
    }
}
