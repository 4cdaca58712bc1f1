//! What the suite can afford in a debug build; `examples/rollout-sim.rs` runs the rest.

use super::*;
use crate::rollout::state::Mutation;

#[test]
fn what_is_drawn_from_seeds_breaks_nothing() {
    let report = random::runs(1, 150, None);
    assert_eq!(report.broken, 0, "{report}");
    assert!(report.faults > 150 && report.crash_points > 10, "{} {}", report.faults, report.crash_points);
}

#[test]
fn a_run_done_twice_is_equal() {
    for seed in 0..10 {
        let scenario = Scenario::draw(seed);
        assert_eq!(trial::run(&scenario), trial::run(&scenario), "{seed}");
    }
}

#[test]
fn every_crash_point_of_a_small_plan_is_survived() {
    let plans: Vec<Scenario> = exhaustive::plans(1).into_iter().step_by(7).collect();
    let report = exhaustive::runs(&plans, &exhaustive::CRASHES, None);
    assert_eq!(report.broken, 0, "{report}");
    assert!(report.crash_points > 200, "{}", report.crash_points);
}

#[test]
fn every_crash_point_of_an_update_that_codedeploy_carries_out_is_survived() {
    let plans: Vec<Scenario> = exhaustive::updates().into_iter().step_by(7).collect();
    let report = exhaustive::runs(&plans, &exhaustive::CRASHES, None);
    assert_eq!(report.broken, 0, "{report}");
    assert!(report.crash_points > 200, "{}", report.crash_points);
}

#[test]
fn every_deliberate_mistake_is_found() {
    for (mutation, name) in Mutation::ALL {
        assert!(random::caught(mutation, 1, 3000).is_some(), "{name}");
    }
}
