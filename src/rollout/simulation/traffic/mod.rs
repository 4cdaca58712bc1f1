//! Traffic from a seed, judged by the real judge with the real delays, holds, barrier and bake; and by
//! what others do, on the same traffic.

mod baselines;
pub mod random;
pub mod scenario;
mod world;

use std::time::Duration;

use crate::rollout::analysis::{ALPHA, Baseline, Counts, Criteria, Judge, METRIC_DELAY, Minute, Standing, baseline};
use crate::rollout::names::Time;
use random::Random;
use scenario::{Scenario, Steps};
use world::{HARM_MINUTES, HORIZON, World};

/// Half a minute: as often is looked.
const HALF: Duration = Duration::from_secs(30);
/// As a rollout has them by default.
const BAKE_HALVES: i64 = 10;
const MIN_REQUESTS: u64 = 30;
const MAX_HOLD_HALVES: i64 = 60;

/// Who judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// This library.
    Samara,
    /// A CloudWatch alarm on the alias, without waiting for data.
    Alarm,
    /// Fisher's exact test, every minute.
    Fisher,
    /// Mann-Whitney at the end of each step.
    MannWhitney,
}

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ended {
    /// When it was taken back, in minutes from the start.
    pub back_after: Option<f64>,
    /// Failures too many in the first hour.
    pub harm: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Step { index: usize, since: i64 },
    Barrier { since: i64 },
    Bake { since: i64 },
    Done,
}

/// Simulates one rollout.
pub fn run(scenario: &Scenario, steps: &Steps, policy: Policy, seed: u64, number: u64) -> Ended {
    let mut world = World::new(scenario, Random::new(seed, number));
    let criteria = criteria(scenario, &world);
    let mut judge = Judge::default();
    let mut phase = Phase::Step { index: 0, since: 0 };
    let mut weight = f64::from(steps.percent[0]) / 100.0;
    judge.raised(Time(0), 0.0, weight);
    for half in 0..2 * HORIZON {
        if phase == Phase::Done && half >= 2 * HARM_MINUTES {
            break;
        }
        world.half(half, weight);
        let now = half + 1;
        if phase == Phase::Done {
            continue;
        }
        let mut is_suspect = false;
        let stops = match policy {
            Policy::Samara => {
                let standing = looks(&mut judge, &criteria, &world, phase, now);
                is_suspect = standing.is_suspect();
                standing.reason.is_some()
            }
            _ if now % 2 == 1 => false,
            Policy::Alarm => baselines::alarm(&world, now),
            Policy::Fisher => baselines::fisher(&world, now),
            Policy::MannWhitney => is_end_of_step(phase, steps, now) && baselines::mann_whitney(&world, now),
        };
        if stops {
            // The weight is nothing from here on, and so is the harm.
            if half % 2 == 0 {
                world.half(half + 1, 0.0);
            }
            return Ended { back_after: Some(now as f64 / 2.0), harm: world.harm };
        }
        if !(is_suspect && waits(phase, &judge, &criteria, now)) {
            phase = next(phase, steps, policy, now, &judge, &criteria);
        }
        let raised = match phase {
            Phase::Step { index, .. } => f64::from(steps.percent[index]) / 100.0,
            Phase::Barrier { .. } => weight,
            Phase::Bake { .. } | Phase::Done => 1.0,
        };
        if raised > weight {
            judge.raised(time(now), weight, raised);
            weight = raised;
        }
    }
    Ended { back_after: None, harm: world.harm }
}

fn time(halves: i64) -> Time {
    Time(halves * 30_000)
}

fn halves(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs().div_ceil(HALF.as_secs())).unwrap_or(i64::MAX)
}

fn is_end_of_step(phase: Phase, steps: &Steps, now: i64) -> bool {
    matches!(phase, Phase::Step { since, .. } if now - since == 2 * steps.minutes)
}

/// Whether the last raise may still wait for more evidence.
fn waits(phase: Phase, judge: &Judge, criteria: &Criteria, now: i64) -> bool {
    let gate = halves(METRIC_DELAY + judge.longest(criteria));
    matches!(phase, Phase::Barrier { since } if now - since < gate + MAX_HOLD_HALVES)
}

fn next(phase: Phase, steps: &Steps, policy: Policy, now: i64, judge: &Judge, criteria: &Criteria) -> Phase {
    let judged = policy == Policy::Samara;
    match phase {
        Phase::Step { index, since } => {
            let held = now - since;
            if held < 2 * steps.minutes {
                return phase;
            }
            let served = || judge.served_since(criteria, Time(0), time(now));
            if judged && held < 2 * steps.minutes + MAX_HOLD_HALVES && served() < MIN_REQUESTS {
                return phase;
            }
            match (index + 1 < steps.percent.len(), judged) {
                (true, _) => Phase::Step { index: index + 1, since: now },
                (false, true) => Phase::Barrier { since: now },
                (false, false) => Phase::Done,
            }
        }
        Phase::Barrier { since } if now - since >= halves(METRIC_DELAY + judge.longest(criteria)) => {
            Phase::Bake { since: now }
        }
        Phase::Bake { since } if now - since >= BAKE_HALVES => Phase::Done,
        _ => phase,
    }
}

fn counts(scenario: &Scenario, n: u64, x: u64) -> Option<Counts> {
    let (errors, slow) = if scenario.latency { (0, vec![x]) } else { (x, Vec::new()) };
    (n > 0).then_some(Counts { n, errors, slow, extra: Vec::new() })
}

/// As it is made from the hour before a rollout.
fn criteria(scenario: &Scenario, world: &World<'_>) -> Criteria {
    let hour: Vec<Minute> = (-60..0)
        .zip(&world.hour)
        .map(|(minute, tally)| Minute { minute, old: counts(scenario, tally.n, tally.x), ..Minute::default() })
        .collect();
    let known: Baseline = baseline(&hour, scenario.latency.then_some(500.0), 0);
    let known = if scenario.latency { known.with_slow(&hour) } else { known };
    Criteria::new(ALPHA, known, 30)
}

fn looks(judge: &mut Judge, criteria: &Criteria, world: &World<'_>, phase: Phase, now: i64) -> Standing {
    let scenario = world.scenario();
    let whole_from = match phase {
        Phase::Bake { since } => time(since).minute() + 1,
        _ => i64::MAX,
    };
    let minutes: Vec<Minute> = (judge.wanted_from(Time(0))..now / 2)
        .filter_map(|minute| {
            let pair = world.seen(minute, now)?;
            let whole = minute >= whole_from;
            let old = counts(scenario, pair.old.n, pair.old.x).filter(|_| !whole);
            Some(Minute { minute, old, new: counts(scenario, pair.new.n, pair.new.x), whole, ..Minute::default() })
        })
        .collect();
    judge.look(criteria, &minutes, 0, time(now))
}

#[cfg(test)]
mod tests {
    use super::scenario::{HARMFUL, HARMLESS, STRATEGIES};
    use super::*;

    fn back(scenario: &Scenario, policy: Policy, runs: u64) -> usize {
        (0..runs).filter(|number| run(scenario, &STRATEGIES[0], policy, 7, *number).back_after.is_some()).count()
    }

    #[test]
    fn a_rollout_done_twice_is_the_same() {
        for number in 0..20 {
            let once = || run(&HARMFUL[0], &STRATEGIES[1], Policy::Samara, 3, number);
            assert_eq!(once(), once());
        }
    }

    #[test]
    fn bad_versions_are_found_and_good_ones_are_not() {
        assert!(back(&HARMFUL[0], Policy::Samara, 40) >= 39, "+5 points");
        assert!(back(&HARMFUL[5], Policy::Samara, 40) >= 34, "+5 points from the sixth minute on");
        assert!(back(&HARMFUL[8], Policy::Samara, 40) >= 39, "twice as slow");
        assert_eq!(back(&HARMLESS[9], Policy::Samara, 40), 0, "clumps");
        assert_eq!(back(&HARMLESS[7], Policy::Samara, 40), 0, "an outage of both");
        assert!(back(&HARMLESS[7], Policy::Alarm, 20) >= 19, "an alarm cannot tell whose outage it is");
    }

    /// The law that everything rests on: where nothing is wrong the evidence's mean is at most one,
    /// at any minute.
    #[test]
    fn the_evidence_of_nothing_has_a_mean_of_at_most_one() {
        const RUNS: u64 = 4000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for number in 0..RUNS {
            let world = World::new(&HARMLESS[4], Random::new(11, number));
            let criteria = criteria(&HARMLESS[4], &world);
            let mut random = Random::new(12, number);
            let minutes: Vec<Minute> = (0..10)
                .map(|minute| {
                    let n = random.poisson(600.0);
                    let new_n = random.binomial(n, 0.1);
                    let (old_x, new_x) = (random.binomial(n - new_n, 0.02), random.binomial(new_n, 0.02));
                    let old = counts(&HARMLESS[4], n - new_n, old_x);
                    Minute { minute, old, new: counts(&HARMLESS[4], new_n, new_x), ..Minute::default() }
                })
                .collect();
            let mut judge = Judge::default();
            judge.look(&criteria, &minutes, 0, Time::of_minute(30));
            let evidence = judge.look(&criteria, &[], 0, Time::of_minute(31)).evidence;
            sum += evidence;
            squares += evidence * evidence;
        }
        let mean = sum / RUNS as f64;
        let error = ((squares / RUNS as f64 - mean * mean) / RUNS as f64).sqrt();
        assert!(mean <= 1.0 + 3.0 * error, "{mean} ± {error}");
    }
}
