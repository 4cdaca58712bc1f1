//! What really happened: every write that reached alias and journal, in the order in which it took
//! effect, as the services saw it. Nothing in it is said by the engine.

use std::fmt;

use super::super::super::content::Content;
use super::super::super::journal::Record;
use super::fault::{Call, Fault};

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// One of samara's processes, by its number.
    Process(usize),
    /// Somebody with the console.
    Person,
}

/// Something that took effect.
#[derive(Clone, Debug)]
pub struct Event {
    /// The world's time, in ms since it began.
    pub at_ms: u64,
    /// Who asked for it.
    pub by: Who,
    /// How many events there had been when it was asked for.
    pub asked_after: usize,
    /// What.
    pub what: What,
}

/// What can take effect.
#[derive(Clone, Debug)]
pub enum What {
    /// An alias was written.
    Alias {
        /// `function:alias`.
        name: String,
        /// What it said.
        before: Content,
        /// What it says.
        after: Content,
    },
    /// A journal was written.
    Journal {
        /// `function:alias`.
        name: String,
        /// What it says; `None` where it cannot be read as a journal.
        record: Option<Box<Record>>,
    },
    /// A journal was deleted.
    Retired {
        /// `function:alias`.
        name: String,
    },
    /// A process came for something.
    Started {
        /// In words.
        purpose: String,
    },
    /// A process ended, or died.
    Ended {
        /// In words.
        how: String,
    },
    /// Something went wrong with a call.
    Fault {
        /// Which.
        call: Call,
        /// What.
        fault: Fault,
    },
    /// Something else that a reader of the history has to know.
    Note(String),
}

/// Everything that took effect.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// In its order.
    pub events: Vec<Event>,
}

impl History {
    /// The writes of one alias: their places, who wrote, before and after.
    pub fn writes<'a>(&'a self, of: &'a str) -> impl Iterator<Item = (usize, &'a Event, &'a Content, &'a Content)> {
        self.events.iter().enumerate().filter_map(move |(place, event)| match &event.what {
            What::Alias { name, before, after } if name == of => Some((place, event, before, after)),
            _ => None,
        })
    }

    /// How many calls went wrong.
    pub fn faults(&self) -> usize {
        self.events.iter().filter(|event| matches!(event.what, What::Fault { .. })).count()
    }

    /// The newest journal of a name that was ever written, whoever wrote it.
    pub fn last_journal(&self, of: &str) -> Option<&Record> {
        self.events.iter().rev().find_map(|event| match &event.what {
            What::Journal { name, record } if name == of => record.as_deref(),
            _ => None,
        })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(number) => write!(f, "process {number}"),
            Self::Person => write!(f, "somebody"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} s  {:<10} ", self.at_ms as f64 / 1000.0, self.by.to_string())?;
        match &self.what {
            What::Alias { name, before, after } => write!(f, "{name}: {before} -> {after}"),
            What::Journal { name, record: Some(record) } => {
                let entry = record.state.entries.back().map(|entry| format!("{:?}", entry.what)).unwrap_or_default();
                write!(f, "journal of {name}: {:?}; {entry}", record.state.phase)
            }
            What::Journal { name, record: None } => write!(f, "journal of {name}: not one that can be read"),
            What::Retired { name } => write!(f, "journal of {name} deleted"),
            What::Started { purpose } => write!(f, "starts: {purpose}"),
            What::Ended { how } => write!(f, "ends: {how}"),
            What::Fault { call, fault } => write!(f, "{call:?}: {fault:?}"),
            What::Note(text) => write!(f, "{text}"),
        }
    }
}
