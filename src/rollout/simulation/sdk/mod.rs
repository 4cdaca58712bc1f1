//! Seeded runs of the real drivers: the loop, the store, the evidence and the AWS SDK with its
//! retries, against the sandbox in the same process, with faults injected as HTTP. First comes
//! trouble, then calm, in which it must finish. What is checked afterwards is the world's own history.

pub mod check;
pub mod fault;
pub mod gate;
pub mod history;
mod story;
pub mod world;

use std::fmt;

use self::history::History;
use crate::pace::Pace;

/// What many runs came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many runs there were.
    pub runs: u64,
    /// Faults that were injected into calls.
    pub faults: u64,
    /// Processes that were killed.
    pub deaths: u64,
    /// Runs in which somebody else changed the alias or the journal.
    pub interferences: u64,
    /// Writes of aliases that took effect.
    pub writes: u64,
    /// Runs that ended on the new version, and on the old one.
    pub ends: [u64; 2],
    /// What was broken.
    pub failures: Vec<Failure>,
}

/// A run that broke something.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed of this one run.
    pub seed: u64,
    /// What was broken, one line each.
    pub broken: Vec<String>,
    /// What happened.
    pub history: History,
}

impl Summary {
    /// Whether nothing was broken.
    pub fn is_whole(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, faults, deaths, interferences, writes, ends: [new, old], failures } = self;
        write!(
            f,
            "sdk: {runs} runs, {faults} faults, {deaths} deaths, {interferences} interferences, {writes} alias writes; \
             {new} ended on the new version, {old} on the old one; {} broken",
            failures.len()
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.history.events {
            writeln!(f, "{event}")?;
        }
        for broken in &self.broken {
            writeln!(f, "BROKEN: {broken}")?;
        }
        write!(f, "again: cargo run --release --example rollout-sim -- --layer sdk --runs 1 --seed {}", self.seed)
    }
}

/// Runs with the seeds `seed`, `seed + 1`, …: what each does is decided by its seed alone. `told` hears
/// of each run that broke something, as soon as it did.
pub fn run(runs: u64, seed: u64, mut told: impl FnMut(&Failure)) -> Summary {
    let mut summary = Summary::default();
    for seed in (0..runs).map(|number| seed.wrapping_add(number)) {
        let (history, broken, end) = one(seed);
        summary.runs += 1;
        summary.faults += history.faults() as u64;
        let count =
            |wanted: fn(&history::Event) -> bool| history.events.iter().filter(|event| wanted(event)).count() as u64;
        summary.deaths += count(|event| matches!(&event.what, history::What::Ended { how } if how == story::KILLED));
        summary.writes += count(|event| matches!(event.what, history::What::Alias { .. }));
        let by_hand = |event: &history::Event| {
            event.by == history::Who::Person
                && matches!(event.what, history::What::Alias { .. } | history::What::Retired { .. })
        };
        summary.interferences += u64::from(count(by_hand) > 0);
        if let Some(end) = end {
            summary.ends[usize::from(!end)] += 1;
        }
        if !broken.is_empty() {
            let failure = Failure { seed, broken, history };
            told(&failure);
            summary.failures.push(failure);
        }
    }
    summary
}

/// One run: what happened, what was broken, and whether the new version serves at the end.
pub fn one(seed: u64) -> (History, Vec<String>, Option<bool>) {
    // The SDK's retries wait for a random time, which comes from here.
    fastrand::seed(seed);
    match Pace::simulated(|pace| story::tell(pace, seed)) {
        Ok(told) => told,
        Err(error) => (History::default(), vec![format!("no runtime: {error}")], None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_runs_break_nothing() {
        let summary = run(12, 1, |failure| eprintln!("{failure}"));
        eprintln!("{summary}");
        assert!(summary.is_whole());
        assert!(summary.faults > 0 && summary.deaths > 0 && summary.writes > 0, "{summary}");
    }

    #[test]
    fn a_run_done_twice_is_the_same() {
        for seed in 40..44 {
            let [first, second] = [one(seed), one(seed)].map(|(history, broken, _)| {
                let lines: Vec<String> = history.events.iter().map(ToString::to_string).collect();
                (lines, broken)
            });
            assert_eq!(first, second, "seed {seed}");
        }
    }
}
