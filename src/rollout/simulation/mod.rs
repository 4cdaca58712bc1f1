//! The rollout tried against a model of the world, on a clock that jumps: every crash point and
//! every fault of small plans, and as many drawn from seeds as there is time for.
//!
//! Always compiled, without a feature, and not a part of what samara does for a user. Nothing in
//! here knows how the machine works inside: [`world`] answers as AWS documents it, [`check`] judges
//! by the world's own history, [`scenario`] is data, and [`run`] brings calls, answers, crashes and
//! other people together. A run depends on nothing but its scenario.

pub mod check;
pub mod exhaustive;
pub mod fault;
pub mod history;
pub mod machine;
pub mod process;
pub mod random;
pub mod run;
pub mod scenario;
pub mod sdk;
pub mod setting;
#[cfg(test)]
mod tests;
pub mod traffic;
pub mod trial;
pub mod watched;
pub mod way_back;
pub mod world;

use std::collections::BTreeMap;

use scenario::Scenario;
use trial::{Broken, Outcome};

/// What many trials came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Runs, each brought to both ends.
    pub runs: u64,
    /// Faults that happened in them.
    pub faults: u64,
    /// Processes that died.
    pub crash_points: u64,
    /// Runs in which something was broken.
    pub broken: u64,
    /// How often what was broken, and the seed that broke it first.
    pub kinds: BTreeMap<String, (u64, u64)>,
    /// The first of them.
    pub failures: Vec<Failure>,
}

/// A run in which something was broken.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The command that repeats it.
    pub command: String,
    /// The scenario, made as small as could be.
    pub scenario: Scenario,
    /// What was broken, and the story.
    pub broken: Broken,
}

impl Report {
    /// Counts an outcome.
    ///
    /// Says whether it is broken in a way that was not seen before.
    fn count(&mut self, seed: u64, outcome: &Outcome) -> bool {
        self.runs += 1;
        self.faults += outcome.faults as u64;
        self.crash_points += outcome.deaths as u64;
        if let Some(broken) = &outcome.broken {
            self.broken += 1;
            // What is the same but for its numbers is of one kind.
            let kind = broken.what.replace(|c: char| c.is_ascii_digit(), "#");
            let (count, _) = self.kinds.entry(kind).or_insert((0, seed));
            *count += 1;
            return *count == 1;
        }
        false
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for failure in &self.failures {
            writeln!(f, "broken: {}", failure.broken.what)?;
            writeln!(f, "  again: {}", failure.command)?;
            writeln!(f, "  as small as it gets: {:#?}", failure.scenario)?;
            writeln!(f, "{}", failure.broken.story)?;
        }
        self.kinds
            .iter()
            .try_for_each(|(kind, (count, seed))| writeln!(f, "{count:>8} × {kind} (first with seed {seed})"))
    }
}
