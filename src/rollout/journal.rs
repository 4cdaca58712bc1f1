//! What the journal's object says: who drives, and the whole state. Checked before it is written
//! and after it is read.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::content::Content;
use super::names::{AliasName, FunctionName, Time};
use super::state::{Happening, Phase, State};

/// The format that is written. A newer one is refused, an older one is read.
pub const FORMAT: u32 = 1;
/// A journal is some tens of kilobytes: entries and minutes are bounded.
const LARGEST_BYTES: usize = 4 << 20;

/// The journal's object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The format.
    pub format: u32,
    /// This rollout's own name.
    pub id: String,
    /// Different in every write, so that a driver knows its own.
    pub nonce: String,
    /// Who drives; nobody when it was left for a person.
    pub owner: Option<Owner>,
    /// When it began.
    pub started: Time,
    /// Everything else.
    pub state: State,
}

/// Who drives a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// For people: `user on host (process 4711)`.
    pub name: String,
    /// The machine since it was started, and the process namespace; empty where that is not known.
    #[serde(default)]
    pub machine: String,
    /// The process.
    pub process: u32,
    /// When the process began, by that machine's reckoning, since numbers are used again.
    #[serde(default)]
    pub process_began: String,
}

/// What is wrong with a journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Written by a newer samara.
    #[error("it has format {0}, which this samara does not know")]
    Newer(u32),
    /// Not JSON, or not of this form.
    #[error("it is not a journal of samara's: {0}")]
    NotAJournal(String),
    /// It is about something else than its key says.
    #[error("it is about {0}")]
    Elsewhere(String),
    /// It contradicts itself.
    #[error("it contradicts itself: {0}")]
    Contradiction(String),
    /// It is too large.
    #[error("it has {0} bytes")]
    TooLarge(usize),
}

impl Record {
    /// Writes it, having checked it.
    ///
    /// # Errors
    /// It contradicts itself, or is too large.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Damage> {
        check(&self.state)?;
        let bytes = serde_json::to_vec(self).map_err(|error| Damage::NotAJournal(error.to_string()))?;
        if bytes.len() > LARGEST_BYTES {
            return Err(Damage::TooLarge(bytes.len()));
        }
        Ok(bytes)
    }

    /// Reads the journal of an alias.
    ///
    /// # Errors
    /// It is damaged, newer, or about another alias.
    pub fn from_bytes(bytes: &[u8], function: &FunctionName, alias: &AliasName) -> Result<Self, Damage> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        if bytes.len() > LARGEST_BYTES {
            return Err(Damage::TooLarge(bytes.len()));
        }
        let not_ours = |error: serde_json::Error| Damage::NotAJournal(error.to_string());
        let head: Head = serde_json::from_slice(bytes).map_err(not_ours)?;
        if head.format > FORMAT {
            return Err(Damage::Newer(head.format));
        }
        let record: Self = serde_json::from_slice(bytes).map_err(not_ours)?;
        let plan = &record.state.plan;
        if plan.function != *function || plan.alias != *alias {
            return Err(Damage::Elsewhere(format!("{}:{}", plan.function, plan.alias)));
        }
        check(&record.state)?;
        Ok(record)
    }
}

/// The contents that the alias had through us, as the entries tell it.
pub fn replay(state: &State) -> Vec<Content> {
    let confirmed = state.entries.iter().filter_map(|entry| match &entry.what {
        Happening::Confirmed { content } => Some(content.clone()),
        _ => None,
    });
    std::iter::once(Content::whole(state.plan.old)).chain(confirmed).collect()
}

fn check(state: &State) -> Result<(), Damage> {
    let plan = &state.plan;
    let wrong = |text: String| Err(Damage::Contradiction(text));
    if plan.old == plan.new {
        return wrong(format!("old and new are both version {}", plan.old));
    }
    let alpha = plan.criteria.alpha;
    if !(alpha > 0.0 && alpha < 1.0) {
        return wrong(format!("alpha is {alpha}"));
    }
    let steps = plan.steps();
    if let Phase::Shifting { step, .. } = &state.phase
        && *step >= steps.len()
    {
        return wrong(format!("it is at step {} of {}", step + 1, steps.len()));
    }
    // Whatever weight was meant is one of the plan's.
    let allowed: BTreeSet<String> = (0..=steps.len())
        .map(|step| plan.content(step).to_string())
        .chain([Content::whole(plan.old).to_string()])
        .collect();
    for entry in &state.entries {
        if let Happening::Intent { content } = &entry.what
            && !allowed.contains(&content.to_string())
        {
            return wrong(format!("the plan has no {content}"));
        }
    }
    // What the entries tell and what the state says must agree while nobody else has interfered.
    let told = replay(state);
    let interfered = state.entries.iter().any(|entry| {
        matches!(
            entry.what,
            Happening::Conflict { .. }
                | Happening::PutBackByCloudFormation
                | Happening::Decided { .. }
                | Happening::Accepted { .. }
                | Happening::Overwriting { .. }
        )
    });
    if !interfered && told.last().is_some_and(|last| *last != state.alias.content) && state.entries.len() < 900 {
        return wrong(format!("the alias is said to have {}", state.alias.content));
    }
    Ok(())
}

/// Where the journal of an alias is, whatever stack it is in.
pub fn current_key(function: &FunctionName, alias: &AliasName) -> String {
    format!("rollouts/{function}/{alias}/current.json")
}

/// Below which finished journals are kept, oldest first by name.
pub fn history_prefix(function: &FunctionName, alias: &AliasName) -> String {
    format!("rollouts/{function}/{alias}/history/")
}

/// Where a finished journal is kept.
pub fn history_key(record: &Record) -> String {
    let plan = &record.state.plan;
    format!("{}{:015}-{}.json", history_prefix(&plan.function, &plan.alias), record.started.0.max(0), record.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::content::Seen;
    use crate::rollout::names::RevisionId;
    use crate::rollout::plan::tests::plan;

    fn record() -> Record {
        let plan = plan("steps:10%:5m,50%:5m");
        let alias = Seen { content: Content::whole(plan.old), revision: RevisionId("r".to_owned()) };
        Record {
            format: FORMAT,
            id: "a1".to_owned(),
            nonce: "n".to_owned(),
            owner: None,
            started: Time(5),
            state: State::new(plan, alias),
        }
    }

    fn read(bytes: &[u8]) -> Result<Record, Damage> {
        Record::from_bytes(bytes, &"hello".parse().unwrap(), &"live".parse().unwrap())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let record = record();
        assert_eq!(read(&record.to_bytes().unwrap()).unwrap(), record);
        assert_eq!(history_key(&record), "rollouts/hello/live/history/000000000000005-a1.json");
    }

    #[test]
    fn truncated_newer_and_foreign_journals_are_refused() {
        let bytes = record().to_bytes().unwrap();
        for cut in (0..bytes.len()).step_by(7) {
            assert!(matches!(read(&bytes[..cut]), Err(Damage::NotAJournal(_))), "{cut}");
        }
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(read(text.replacen("\"format\":1", "\"format\":2", 1).as_bytes()), Err(Damage::Newer(2)));
        let other = text.replacen("\"function\":\"hello\"", "\"function\":\"other\"", 1);
        assert_eq!(read(other.as_bytes()), Err(Damage::Elsewhere("other:live".to_owned())));
    }

    #[test]
    fn a_journal_edited_by_hand_is_not_believed() {
        let mut wrong = record();
        wrong.state.phase = Phase::Shifting { step: 9, since: None };
        assert!(matches!(wrong.to_bytes(), Err(Damage::Contradiction(_))));
        let mut wrong = record();
        wrong.state.plan.new = wrong.state.plan.old;
        assert!(matches!(wrong.to_bytes(), Err(Damage::Contradiction(_))));
        let mut wrong = record();
        wrong.state.alias.content = Content::whole("9".parse().unwrap());
        assert!(matches!(wrong.to_bytes(), Err(Damage::Contradiction(_))));
    }
}
