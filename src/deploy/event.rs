//! What long work tells while it is under way.

use crate::aws::cloudformation::{Stack, StackEvent, Status};

/// Something that happened, or a sign of life.
#[derive(Clone, Debug)]
pub enum Event {
    /// Another operation has the stack; it is waited for.
    Busy {
        /// The stack.
        stack: String,
        /// What is under way.
        status: Status,
    },
    /// A change set is being made.
    CreatingChangeSet {
        /// The stack.
        stack: String,
        /// The change set's name.
        change_set: String,
    },
    /// The change set is being executed: from here on CloudFormation goes on by itself.
    Executing {
        /// The stack.
        stack: String,
    },
    /// Nothing new, and still waiting.
    Waiting {
        /// For what.
        what: String,
        /// How long so far, in seconds.
        seconds: u64,
    },
    /// An event of the stack or of a nested one.
    Stack(StackEvent),
    /// The stack is where it should be.
    Done(Stack),
    /// Something of ours that nobody needs was deleted: an empty change set, a stack that never
    /// had a resource.
    CleanedUp {
        /// What it was.
        what: String,
    },
}

/// Hears of every [`Event`].
pub type Sink<'a> = &'a (dyn Fn(Event) + Send + Sync);
