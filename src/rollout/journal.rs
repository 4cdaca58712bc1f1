//! What the journal's object says: who drives, and the whole state. Checked before it is written
//! and after it is read.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::content::Content;
use super::names::{AliasId, Time};
use super::plan::AliasPlan;
use super::state::{Happening, Phase, State};

/// The format that is written. Another one is refused.
pub const FORMAT: u32 = 2;
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
    /// Who left it for a person: paused it, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_by: Option<String>,
    /// When it began.
    pub started: Time,
    /// Everything else.
    pub state: State,
}

impl Record {
    /// When the last thing happened that it tells of.
    pub fn ended(&self) -> Time {
        self.state.entries.back().map_or(self.started, |entry| entry.at)
    }
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
    /// Written by an older samara.
    #[error("it has format {0}; finish that rollout with the samara that began it")]
    Older(u32),
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
}

/// What an alias's object holds: the journal, or the name of the alias whose object does.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// The journal.
    Journal(Box<Record>),
    /// It moves with others, and the first of them has the journal.
    Pointer(Pointer),
}

/// Stands in for the journal at every alias of a set but the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The format.
    pub format: u32,
    /// The rollout's own name.
    pub id: String,
    /// The alias that has the journal.
    pub set: AliasId,
}

impl Object {
    /// Reads the object of an alias.
    ///
    /// # Errors
    /// It is damaged, newer, older, or about another alias.
    pub fn from_bytes(bytes: &[u8], alias: &AliasId) -> Result<Self, Damage> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
            set: Option<AliasId>,
        }
        if bytes.len() > LARGEST_BYTES {
            return Err(Damage::TooLarge(bytes.len()));
        }
        let not_ours = |error: serde_json::Error| Damage::NotAJournal(error.to_string());
        let head: Head = serde_json::from_slice(bytes).map_err(not_ours)?;
        match head.format {
            FORMAT => {}
            newer if newer > FORMAT => return Err(Damage::Newer(newer)),
            older => return Err(Damage::Older(older)),
        }
        if head.set.is_some() {
            return Ok(Self::Pointer(serde_json::from_slice(bytes).map_err(not_ours)?));
        }
        let record: Record = serde_json::from_slice(bytes).map_err(not_ours)?;
        check(&record.state)?;
        if record.state.plan.of(alias).is_none() {
            let ids: Vec<String> = record.state.plan.ids().iter().map(ToString::to_string).collect();
            return Err(Damage::Elsewhere(ids.join(", ")));
        }
        Ok(Self::Journal(Box::new(record)))
    }
}

/// The contents that an alias had through us, as the entries tell it.
pub fn replay(state: &State, index: usize) -> Vec<Content> {
    let confirmed = state.entries.iter().filter_map(|entry| match &entry.what {
        Happening::Confirmed { alias, content } if *alias == index => Some(content.clone()),
        _ => None,
    });
    state.plan.aliases.get(index).map(AliasPlan::before).into_iter().chain(confirmed).collect()
}

fn check(state: &State) -> Result<(), Damage> {
    let plan = &state.plan;
    let wrong = |text: String| Err(Damage::Contradiction(text));
    if plan.aliases.is_empty() || plan.aliases.len() != state.aliases.len() {
        return wrong(format!("it has {} aliases and plans for {}", state.aliases.len(), plan.aliases.len()));
    }
    if !plan.ids().is_sorted_by(|a, b| a < b) {
        return wrong("its aliases are not in order".to_owned());
    }
    if plan.hooks.iter().any(|hook| hook.alias >= plan.aliases.len()) {
        return wrong("a hook is of no alias".to_owned());
    }
    let steps = plan.timeline().len();
    if let Phase::Shifting { step, .. } = &state.phase
        && *step >= steps
    {
        return wrong(format!("it is at step {} of {steps}", step + 1));
    }
    for (index, alias) in plan.aliases.iter().enumerate() {
        if alias.old == alias.new {
            return wrong(format!("old and new are both version {}", alias.old));
        }
        let alpha = alias.criteria.alpha;
        if !(alpha > 0.0 && alpha < 1.0) {
            return wrong(format!("alpha is {alpha}"));
        }
        // Whatever weight was meant is one of the plan's.
        let allowed: BTreeSet<String> = (0..=steps)
            .filter_map(|step| plan.content(index, step))
            .chain([alias.before()])
            .map(|content| content.to_string())
            .collect();
        for entry in &state.entries {
            if let Happening::Intent { alias, content } = &entry.what
                && *alias == index
                && !allowed.contains(&content.to_string())
            {
                return wrong(format!("the plan has no {content}"));
            }
        }
        check_story(state, index)?;
    }
    Ok(())
}

/// What the entries tell and what the state says must agree while nobody else has interfered.
fn check_story(state: &State, index: usize) -> Result<(), Damage> {
    /// Older entries may have been dropped from a longer story.
    const WHOLE: usize = 1900;
    let Some(alias) = state.aliases.get(index) else { return Ok(()) };
    let told = replay(state, index);
    let interfered = state.entries.iter().any(|entry| {
        matches!(
            entry.what,
            Happening::Conflict { .. }
                | Happening::PutBackByCloudFormation { .. }
                | Happening::Decided { .. }
                | Happening::Accepted { .. }
                | Happening::Overwriting { .. }
        )
    });
    let differs = told.last().is_some_and(|last| *last != alias.seen.content);
    if !interfered && differs && state.entries.len() < WHOLE {
        return Err(Damage::Contradiction(format!("the alias is said to have {}", alias.seen.content)));
    }
    Ok(())
}

/// Where the journal of an alias is, whatever stack it is in.
pub fn current_key(id: &AliasId) -> String {
    format!("rollouts/{}/{}/current.json", id.function, id.alias)
}

/// Below which finished journals are kept, oldest first by name.
pub fn history_prefix(id: &AliasId) -> String {
    format!("rollouts/{}/{}/history/", id.function, id.alias)
}

/// Where a finished journal is kept for one of its aliases.
pub fn history_key(id: &AliasId, record: &Record) -> String {
    format!("{}{:015}-{}.json", history_prefix(id), record.started.0.max(0), record.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::content::Seen;
    use crate::rollout::names::RevisionId;
    use crate::rollout::plan::tests::plan;

    fn record() -> Record {
        let plan = plan("steps:10%:5m,50%:5m");
        let alias = Seen { content: plan.aliases[0].before(), revision: RevisionId("r".to_owned()) };
        Record {
            format: FORMAT,
            id: "a1".to_owned(),
            nonce: "n".to_owned(),
            owner: None,
            left_by: None,
            started: Time(5),
            state: State::new(plan, vec![alias]),
        }
    }

    fn hello() -> AliasId {
        AliasId::new("hello".parse().unwrap(), "live".parse().unwrap())
    }

    fn read(bytes: &[u8]) -> Result<Record, Damage> {
        match Object::from_bytes(bytes, &hello())? {
            Object::Journal(record) => Ok(*record),
            Object::Pointer(pointer) => panic!("{pointer:?}"),
        }
    }

    #[test]
    fn a_pointer_is_told_from_a_journal() {
        let pointer = Pointer { format: FORMAT, id: "a1".to_owned(), set: hello() };
        let bytes = serde_json::to_vec(&pointer).unwrap();
        assert_eq!(Object::from_bytes(&bytes, &hello()).unwrap(), Object::Pointer(pointer));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let record = record();
        assert_eq!(read(&record.to_bytes().unwrap()).unwrap(), record);
        assert_eq!(history_key(&hello(), &record), "rollouts/hello/live/history/000000000000005-a1.json");
    }

    #[test]
    fn truncated_newer_and_foreign_journals_are_refused() {
        let bytes = record().to_bytes().unwrap();
        for cut in (0..bytes.len()).step_by(7) {
            assert!(matches!(read(&bytes[..cut]), Err(Damage::NotAJournal(_))), "{cut}");
        }
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(read(text.replacen("\"format\":2", "\"format\":3", 1).as_bytes()), Err(Damage::Newer(3)));
        assert_eq!(read(text.replacen("\"format\":2", "\"format\":1", 1).as_bytes()), Err(Damage::Older(1)));
        let other = text.replacen("\"function\":\"hello\"", "\"function\":\"other\"", 1);
        assert_eq!(read(other.as_bytes()), Err(Damage::Elsewhere("other:live".to_owned())));
    }

    #[test]
    fn a_journal_edited_by_hand_is_not_believed() {
        let mut wrong = record();
        wrong.state.phase = Phase::Shifting { step: 9, since: None };
        assert!(matches!(wrong.to_bytes(), Err(Damage::Contradiction(_))));
        let mut wrong = record();
        wrong.state.plan.aliases[0].new = wrong.state.plan.aliases[0].old;
        assert!(matches!(wrong.to_bytes(), Err(Damage::Contradiction(_))));
        let mut wrong = record();
        wrong.state.aliases[0].seen.content = Content::whole("9".parse().unwrap());
        assert!(matches!(wrong.to_bytes(), Err(Damage::Contradiction(_))));
    }
}
