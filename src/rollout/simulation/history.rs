//! What happened in the world, in its order. The checkers judge by this alone.

use std::fmt::Write as _;

use super::fault::Fault;
use crate::rollout::content::Content;
use crate::rollout::names::Time;
use crate::rollout::state::Purpose;

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A process of samara's, by its number.
    Process(usize),
    /// Somebody at the console.
    Person,
    /// A stack update, and what CodeDeploy does in it.
    Stack,
}

/// A line of the history.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// When, by the world's clock.
    pub at: Time,
    /// Who.
    pub who: Who,
    /// What.
    pub what: Happened,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Happened {
    /// A process began: with a new rollout, or to take one over.
    Came(Option<Purpose>),
    /// It ended by itself, and how.
    Ended(String),
    /// It died.
    Died,
    /// It was suspended.
    Slept,
    /// It woke.
    Woke,
    /// Something went wrong with its call.
    Fault(usize, Fault),
    /// Everything works from here on.
    Calm,
    /// It asked Lambda to write an alias.
    Sent {
        /// Which of the set.
        alias: usize,
        /// What it is to say.
        content: Content,
        /// Whether the journal had said so, at any time before.
        told: bool,
    },
    /// Lambda wrote an alias.
    Written {
        /// Which of the set.
        alias: usize,
        /// What it said before; `None` when there was none.
        before: Option<Content>,
        /// What it says now; `None` when it was deleted.
        after: Option<Content>,
    },
    /// A process heard of its write, and whether it knows for sure what became of it.
    Answered {
        /// Which of the set.
        alias: usize,
        /// Whether it knows.
        sure: bool,
    },
    /// Lambda refused to write an alias over that revision.
    Refused {
        /// Which of the set.
        alias: usize,
    },
    /// A process heard what an alias says.
    Read {
        /// Which of the set.
        alias: usize,
        /// What; `None` when there is none.
        content: Option<Content>,
    },
    /// A process heard of metrics and alarms.
    Looked {
        /// Whether everything could be read.
        good: bool,
        /// Whether an alarm that counts was in ALARM.
        alarm: bool,
    },
    /// A process heard that the settle failed, or does not know what became of it.
    SettleFailed,
    /// A process heard that a version is active.
    Active(usize),
    /// The journal was written.
    Journalled {
        /// Its state's number.
        seq: u64,
        /// Whether there was none before.
        created: bool,
        /// Whether it says that it goes back.
        decided: bool,
        /// Whether it says that it is over.
        finished: bool,
        /// Of which alias it says that the new version is worse.
        worse: Option<usize>,
    },
    /// The journal was moved to the history, or deleted by a person.
    JournalGone,
    /// A process was told something.
    Told(super::fault::Signal),
    /// A hook was run, and how it went.
    Hooked(usize, bool),
    /// The stack was updated to settle, and how it went.
    Settled(bool),
    /// Somebody asked CodeDeploy to stop the deployment.
    StopAsked,
    /// CodeDeploy's deployment is over, and whether it did what it was to do.
    DeploymentOver(bool),
    /// The stack is idle: nothing moves by itself any more.
    Rests,
}

/// The history as text, a line each.
pub fn tell(lines: &[Line], start: Time) -> String {
    let mut text = String::new();
    for line in lines {
        let seconds = (line.at.0 - start.0) as f64 / 1000.0;
        let who = match line.who {
            Who::Process(number) => format!("process {number}"),
            Who::Person => "person".to_owned(),
            Who::Stack => "stack".to_owned(),
        };
        let _ = writeln!(text, "  {seconds:>9.3} s  {who:<10} {}", line.what.words());
    }
    text
}

impl Happened {
    fn words(&self) -> String {
        let content =
            |content: &Option<Content>| content.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        match self {
            Self::Came(None) => "starts".to_owned(),
            Self::Came(Some(purpose)) => format!("comes to {purpose:?}"),
            Self::Ended(how) => format!("ends: {how}"),
            Self::Died => "dies".to_owned(),
            Self::Slept => "is suspended".to_owned(),
            Self::Woke => "wakes".to_owned(),
            Self::Fault(call, fault) => format!("call {call}: {fault:?}"),
            Self::Calm => "from here on everything works".to_owned(),
            Self::Sent { alias, content, told } => {
                format!("asks for alias {alias}: {content}{}", if *told { "" } else { " (not in the journal)" })
            }
            Self::Written { alias, before, after, .. } => {
                format!("alias {alias}: {} -> {}", content(before), content(after))
            }
            Self::Answered { alias, sure } => {
                format!("hears of its write of alias {alias}{}", if *sure { "" } else { ", and does not know" })
            }
            Self::Refused { alias } => format!("alias {alias}: refused, the revision is stale"),
            Self::Read { alias, content: found, .. } => format!("hears of alias {alias}: {}", content(found)),
            Self::Looked { good, alarm } => {
                format!("looks: {}{}", if *good { "good" } else { "blind" }, if *alarm { ", ALARM" } else { "" })
            }
            Self::SettleFailed => "hears of no settle".to_owned(),
            Self::Active(alias) => format!("hears that the new version of alias {alias} is active"),
            Self::Journalled { seq, created, decided, finished, .. } => format!(
                "journal {seq}{}{}{}",
                if *created { ", created" } else { "" },
                if *decided { ", goes back" } else { "" },
                if *finished { ", over" } else { "" }
            ),
            Self::JournalGone => "the journal is gone".to_owned(),
            Self::Told(signal) => format!("is told {signal:?}"),
            Self::Hooked(hook, well) => format!("hook {hook}: {}", if *well { "passed" } else { "failed" }),
            Self::StopAsked => "asks CodeDeploy to stop".to_owned(),
            Self::DeploymentOver(well) => format!("the deployment is over: {}", if *well { "done" } else { "failed" }),
            Self::Rests => "the stack is idle".to_owned(),
            Self::Settled(well) => format!("settle: {}", if *well { "done" } else { "failed" }),
        }
    }
}
