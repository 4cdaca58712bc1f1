//! The machines that are tried in the same world: the one that moves the weight
//! ([`State`](crate::rollout::state)), and the one that watches CodeDeploy move it
//! ([`Watch`](crate::rollout::codedeploy::machine)).

use std::fmt::Debug;

use super::fault::{Service, Signal};
use super::history::{Happened, Who};
use super::world::{ALARM, World};
use crate::rollout::analysis::alarms::{AlarmReading, AlarmState};
use crate::rollout::content::Content;
use crate::rollout::names::Time;
use crate::rollout::plan::Plan;
use crate::rollout::state::{Mutation, Purpose, Reading, State, Stop, WriteTrouble};

/// What a process hears that is the same for every machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// It begins.
    Begin,
    /// It takes over what is in the journal.
    TakeOver(Purpose),
    /// Time passed.
    Tick,
    /// A signal or a key.
    Signal(Signal),
    /// The journal has the state with this number.
    Journalled(u64),
    /// Another process wrote the journal, to pause or not.
    JournalLost {
        /// Whether it did so to pause.
        paused: bool,
    },
    /// The journal was deleted.
    JournalGone,
    /// The journal was moved to the history.
    Retired,
}

/// What an action asks of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Write the state with this number to the journal.
    Journal(u64),
    /// Move the journal to the history.
    Retire,
    /// A stack update, which takes long.
    Settle,
    /// Anything else, of this service.
    Of(Service),
}

/// A machine without I/O, as the simulation drives it.
pub trait Machine: Clone + Debug {
    /// What happens to it.
    type What: Clone + Debug + PartialEq;
    /// What it asks for.
    type Action: Clone + Debug;

    /// One that is about to begin; `None` where that would be refused.
    fn new(plan: &Plan, world: &World) -> Option<Self>;
    /// One that takes over what the journal says.
    fn of(state: State) -> Self;
    /// What is written to the journal.
    fn state(&self) -> &State;
    /// Tells it to make a deliberate mistake.
    fn mistake(&mut self, mutation: Option<Mutation>);
    /// How it ended for its process.
    fn stop(&self) -> Option<Stop>;
    /// One step.
    fn step(self, at: Time, what: Self::What) -> (Self, Vec<Self::Action>);
    /// The machine's word for what is the same for all; `None` where it has none.
    fn word(told: Told) -> Option<Self::What>;
    /// Whether somebody may come for this.
    fn takes(purpose: Purpose) -> bool;
    /// What an action asks.
    fn asks(action: &Self::Action) -> Ask;
    /// Which alias an action writes, and what.
    fn writes(action: &Self::Action) -> Option<(usize, &Content)>;
    /// An action takes effect; the answer is what the driver makes of AWS's.
    fn perform(world: &mut World, process: usize, action: &Self::Action) -> Self::What;
    /// What the driver makes of a call that did not work.
    fn failed(action: &Self::Action, error: String, trouble: WriteTrouble) -> Self::What;
    /// What a process hears is part of the history where a checker needs it.
    fn write_down(world: &mut World, who: Who, what: &Self::What);
}

/// A process heard of metrics and alarms.
pub fn looked(world: &mut World, who: Who, answer: &Result<Reading, String>) {
    let reading = |wanted: AlarmState| move |reading: &AlarmReading| reading.name == ALARM && reading.state == wanted;
    let alarms = answer.as_ref().map(|reading| reading.alarms.as_slice()).unwrap_or_default();
    let good = answer.is_ok() && !alarms.iter().any(reading(AlarmState::Missing));
    let alarm = alarms.iter().any(reading(AlarmState::Alarm));
    world.note(who, Happened::Looked { good, alarm });
}
