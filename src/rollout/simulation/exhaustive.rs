//! Every crash point and every single fault at every call of small plans, each then brought to its end
//! by `resume` and, from the same middle, by `abort`.

use rayon::prelude::*;

use super::Failure;
use super::Report;
use super::fault::{Deed, Fault, Injection, Moment, Service, Signal};
use super::scenario::{Conditions, GOOD_UPDATE, HookFate, Scenario, Setting, SettleFate, UpdateFate};
use super::trial::run;
use crate::rollout::names::Weight;
use crate::rollout::state::{Mutation, Purpose};

/// Plans of up to three steps.
const STRATEGIES: [&str; 4] = ["AllAtOnce", "canary:10%:1m", "steps:10%:1m,50%:1m", "steps:1%:30s,10%:30s,50%:30s"];
/// More are not told.
const MOST_FAILURES: usize = 4;

/// The plans, in worlds in which nothing goes wrong but what the new version or the stack do.
pub fn plans(aliases: usize) -> Vec<Scenario> {
    let worlds = [
        Conditions::default(),
        Conditions { alarm_from_s: Some(70), ..Conditions::default() },
        Conditions { new_errors: vec![500], ..Conditions::default() },
        Conditions { settle: SettleFate::PutsBack, ..Conditions::default() },
    ];
    let mut plans = Vec::new();
    for strategy in STRATEGIES {
        for conditions in &worlds {
            let setting = Setting { strategies: vec![strategy; aliases], settles: true, ..Setting::default() };
            plans.push(Scenario { conditions: conditions.clone(), setting, ..Scenario::calm(&[]) });
        }
    }
    plans
}

/// The same where CodeDeploy moves the alias, in the ways that its update can go.
pub fn updates() -> Vec<Scenario> {
    let fates = [
        GOOD_UPDATE,
        UpdateFate { hook: HookFate::FailsAfter, rolls_back: false, ..GOOD_UPDATE },
        UpdateFate { rolls_back: false, puts_back: false, ..GOOD_UPDATE },
        UpdateFate { stack_fails: true, ..GOOD_UPDATE },
        UpdateFate { provisioned: Some((30, false)), rolls_back: false, puts_back: false, ..GOOD_UPDATE },
    ];
    let mut plans = Vec::new();
    for strategy in ["AllAtOnce", "canary:10%:1m", "linear:40%:1m"] {
        for fate in fates {
            for new_errors in [vec![], vec![500]] {
                let conditions = Conditions { update: Some(fate), new_errors, ..Conditions::default() };
                plans.push(Scenario { conditions, ..Scenario::calm(&[strategy]) });
            }
        }
    }
    plans
}

/// Every way to die at a call.
pub const CRASHES: [Fault; 3] = [Fault::Dies(Moment::Before), Fault::Dies(Moment::Sent), Fault::Dies(Moment::After)];

/// Every single thing that can go wrong at a call.
pub fn faults() -> Vec<Fault> {
    let mut faults = vec![
        Fault::Lost,
        Fault::Unanswered,
        Fault::Late(5),
        Fault::Late(45),
        Fault::Slow(15),
        Fault::Twice,
        Fault::Throttled,
        Fault::Denied,
        Fault::Outage(Service::Lambda, 60),
        Fault::Outage(Service::S3, 200),
        Fault::Outage(Service::CloudWatch, 500),
        Fault::Outage(Service::CodeDeploy, 90),
        Fault::Outage(Service::AllButLambda, 700),
    ];
    faults.extend(CRASHES);
    for length_s in [30, 120] {
        faults.extend(Moment::ALL.map(|moment| Fault::Sleeps(moment, length_s)));
    }
    let purposes = [Purpose::Resume, Purpose::Abort, Purpose::Pause, Purpose::Promote, Purpose::PromoteFully];
    faults.extend(purposes.map(Fault::Another));
    let signals = [
        Signal::Back,
        Signal::Hold,
        Signal::Pause,
        Signal::Promote,
        Signal::PromoteFully,
        Signal::Leave,
        Signal::TimedOut,
    ];
    faults.extend(signals.map(Fault::Told));
    let deeds = [
        Deed::Describes,
        Deed::Weighs(Weight::percent(50)),
        Deed::PointsToOld,
        Deed::PointsToNew,
        Deed::PointsElsewhere,
        Deed::AddsThird,
        Deed::DeletesAlias,
        Deed::DeletesNew,
        Deed::DeletesOld,
        Deed::DeletesJournal,
        Deed::StopsDeployment,
    ];
    for deed in deeds {
        faults.extend(Moment::ALL.map(|moment| Fault::Person(moment, deed, 0)));
    }
    faults
}

/// Tries each fault at each call of each plan.
pub fn runs(plans: &[Scenario], faults: &[Fault], mutation: Option<Mutation>) -> Report {
    let mut report = Report::default();
    for plan in plans {
        let plan = Scenario { mutation, ..plan.clone() };
        let calls = run(&plan).calls;
        let points: Vec<(usize, Fault)> =
            (0..calls).flat_map(|call| faults.iter().map(move |fault| (call, *fault))).collect();
        let outcomes: Vec<_> = points
            .into_par_iter()
            .map(|(call, fault)| {
                let scenario = Scenario { injections: vec![Injection { call, fault }], ..plan.clone() };
                let outcome = run(&scenario);
                (scenario, outcome)
            })
            .collect();
        for (scenario, outcome) in outcomes {
            let is_new = report.count(scenario.seed, &outcome);
            if let Some(broken) = outcome.broken.filter(|_| is_new && report.failures.len() < MOST_FAILURES) {
                let command = "cargo run --release --example rollout-sim -- --layer machine --exhaustive".to_owned();
                report.failures.push(Failure { command, scenario, broken });
            }
        }
    }
    report
}
