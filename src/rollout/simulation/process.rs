//! A process of samara's: the machine, its pen for the journal, its clock.

use super::machine::Machine;
use crate::rollout::names::Time;
use crate::rollout::state::Stop;

/// How long a caller waits for an answer.
pub const PATIENCE_S: u64 = 10;

/// A process, alive or not.
#[derive(Clone, Debug)]
pub struct Process<M: Machine> {
    /// The machine; away only while a step is made.
    pub machine: Option<M>,
    /// The tag of the journal as this process wrote or found it.
    pub etag: Option<u64>,
    /// Nonces of its writes whose answer may still be missing.
    pub unanswered: Vec<u64>,
    /// By how much its clock differs.
    pub offset_ms: i64,
    /// Whether it lives.
    pub alive: bool,
    /// Until when it is suspended.
    pub asleep: Option<Time>,
    /// What came while it was.
    pub mailbox: Vec<M::What>,
    /// Only the newest tick counts.
    pub tick: u64,
    /// How it ended by itself.
    pub stop: Option<Stop>,
}

impl<M: Machine> Process<M> {
    /// A process with this machine, which holds this journal.
    pub fn new(machine: M, etag: Option<u64>, offset_ms: i64) -> Self {
        Self {
            machine: Some(machine),
            etag,
            unanswered: Vec::new(),
            offset_ms,
            alive: true,
            asleep: None,
            mailbox: Vec::new(),
            tick: 0,
            stop: None,
        }
    }
}
