//! Runs drawn from seeds, and a failing one made smaller.

use rayon::prelude::*;

use super::scenario::Scenario;
use super::trial::{Broken, Outcome, run};
use super::{Failure, Report};
use crate::rollout::state::Mutation;

/// More are not told: the first ones are looked at.
const MOST_FAILURES: usize = 3;
/// Every so many runs one is done twice, and has to be equal.
const TWICE_EVERY: u64 = 64;
/// So many smaller scenarios are tried for one that still fails.
const SHRINKS: usize = 400;
/// Runs between two looks at whether to go on.
const BATCH: u64 = 2048;

/// Runs the seeds from `first` on, `runs` of them. Stops early once enough has failed.
pub fn runs(first: u64, runs: u64, mutation: Option<Mutation>) -> Report {
    let mut report = Report::default();
    let mut done = 0;
    while done < runs {
        let batch = BATCH.min(runs - done);
        let outcomes: Vec<(u64, Outcome)> = (first + done..first + done + batch)
            .into_par_iter()
            .map(|seed| {
                let scenario = Scenario { mutation, ..Scenario::draw(seed) };
                let mut outcome = run(&scenario);
                if seed % TWICE_EVERY == 0 && run(&scenario) != outcome {
                    let broken = outcome.broken.get_or_insert_default();
                    broken.what = "the harness: a run done twice is not equal".to_owned();
                }
                (seed, outcome)
            })
            .collect();
        done += batch;
        for (seed, outcome) in outcomes {
            let is_new = report.count(seed, &outcome);
            if is_new && report.failures.len() < MOST_FAILURES {
                report.failures.push(failure(Scenario { mutation, ..Scenario::draw(seed) }));
            }
        }
    }
    report
}

/// The first seed with which this mistake breaks something, and what. `None` when `runs` seeds did not
/// find it.
pub fn caught(mutation: Mutation, first: u64, runs: u64) -> Option<(u64, Broken)> {
    (first..first + runs).find_map(|seed| {
        let broken = run(&Scenario { mutation: Some(mutation), ..Scenario::draw(seed) }).broken?;
        Some((seed, broken))
    })
}

/// What is broken with a seed, as small as it can be made.
fn failure(scenario: Scenario) -> Failure {
    let seed = scenario.seed;
    let named = scenario.mutation.and_then(|mutation| Mutation::ALL.into_iter().find(|(one, _)| *one == mutation));
    let mutation = named.map_or_else(String::new, |(_, name)| format!(" --mutation {name}"));
    let (scenario, outcome) = shrink(scenario);
    let broken = outcome.broken.unwrap_or_default();
    Failure {
        command: format!(
            "cargo run --release --example rollout-sim -- --layer machine --runs 1 --seed {seed}{mutation}"
        ),
        scenario,
        broken,
    }
}

/// The smallest scenario that can be found which breaks the same invariant.
pub fn shrink(scenario: Scenario) -> (Scenario, Outcome) {
    let mut outcome = run(&scenario);
    let mut smallest = scenario;
    let number = |outcome: &Outcome| outcome.broken.as_ref().and_then(|broken| broken.what.chars().next());
    let mut left = SHRINKS;
    'smaller: loop {
        for candidate in smallest.smaller() {
            if left == 0 {
                break 'smaller;
            }
            left -= 1;
            let tried = run(&candidate);
            if tried.broken.is_some() && number(&tried) == number(&outcome) {
                (smallest, outcome) = (candidate, tried);
                continue 'smaller;
            }
        }
        break;
    }
    (smallest, outcome)
}
