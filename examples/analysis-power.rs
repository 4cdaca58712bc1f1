//! Measures how well the analysis judges, on simulated traffic, beside what others do:
//! `cargo run --release --example analysis-power [-- --rollouts 2000 --seed S --table FILE]`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "an example talks to a terminal, and says how long it took"
)]

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use rayon::prelude::*;
use samara::rollout::analysis::{ALPHA, Baseline, Counts, Criteria, Judge, Minute};
use samara::rollout::names::Time;
use samara::rollout::simulation::traffic::scenario::{HARMFUL, HARMLESS, STRATEGIES, Scenario, Steps};
use samara::rollout::simulation::traffic::{Policy, run};

/// What has to be reached: scenario, least share found, latest median minute, most failures too many.
const BOUNDS: [(&str, f64, f64, f64); 9] = [
    ("+5pt-10rps", 0.98, 5.0, 25.0),
    ("dead-1rps", 1.0, 3.0, 20.0),
    ("dead-0.05rps", 0.97, 30.0, 12.0),
    ("+1pt-100rps", 0.92, 6.0, 250.0),
    ("50x-10rps-0.1%", 0.99, 4.0, 15.0),
    ("late-5pt-10rps", 0.85, 12.0, 300.0),
    ("outage-then-5pt", 0.97, 9.0, 180.0),
    ("2x-500rps-0.5%", 0.96, 6.0, 200.0),
    ("slow-p95x2-10rps", 0.97, 6.0, 60.0),
];
/// What a version as good as the old one may be taken back by mistake.
const FALSE_SHARE: f64 = 0.01;
/// The others are slow and need no third digit.
const OTHERS_ROLLOUTS: u64 = 300;

struct Cell {
    found: f64,
    minute: f64,
    harm: f64,
}

fn measure(scenario: &Scenario, steps: &Steps, policy: Policy, rollouts: u64, seed: u64) -> Cell {
    let ended: Vec<_> =
        (0..rollouts).into_par_iter().map(|number| run(scenario, steps, policy, seed, number)).collect();
    let mut minutes: Vec<f64> = ended.iter().filter_map(|end| end.back_after).collect();
    minutes.sort_by(f64::total_cmp);
    let minute = match minutes.len() {
        0 => f64::NAN,
        all if all % 2 == 0 => f64::midpoint(minutes[all / 2 - 1], minutes[all / 2]),
        all => minutes[all / 2],
    };
    let harm = ended.iter().map(|end| end.harm).sum::<f64>() / rollouts as f64;
    Cell { found: minutes.len() as f64 / rollouts as f64, minute, harm }
}

struct Options {
    rollouts: u64,
    seed: u64,
    table: Option<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options { rollouts: 2000, seed: 1, table: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name} {value}: not a whole number"));
        match name.as_str() {
            "--rollouts" => options.rollouts = number()?.clamp(1, 1_000_000),
            "--seed" => options.seed = number()?,
            "--table" => options.table = Some(value),
            _ => return Err(format!("{name} is not known: --rollouts N, --seed S, --table FILE")),
        }
    }
    Ok(options)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn one_decimal(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { format!("{value:.1}") }
}

/// The microseconds that a look costs on average at 500 requests a second, in minutes 40 to 100.
fn cost_of_a_look() -> f64 {
    let baseline = Baseline { n: 1_800_000, errors: 9000, ..Baseline::default() };
    let criteria = Criteria::new(ALPHA, baseline, 30);
    let counts = |n, errors| Some(Counts { n, errors, ..Counts::default() });
    let all: Vec<Minute> = (0..100)
        .map(|minute| Minute { minute, old: counts(27_000, 135), new: counts(3000, 15), ..Minute::default() })
        .collect();
    let mut judge = Judge::default();
    let mut spent = 0.0;
    for now in 1..=100 {
        let from = usize::try_from(judge.wanted_from(Time(0))).unwrap_or(0);
        let to = usize::try_from(now).unwrap_or(0);
        let began = Instant::now();
        judge.look(&criteria, &all[from..to], 0, Time::of_minute(now));
        if now > 40 {
            spent += began.elapsed().as_secs_f64();
        }
    }
    spent / 60.0 * 1e6
}

fn tell(options: &Options) -> (String, usize, usize) {
    let Options { rollouts, seed, .. } = *options;
    let (mut table, mut checked, mut broken) = (String::new(), 0, 0);
    let mut verdict = |is_met: bool| {
        checked += 1;
        broken += usize::from(!is_met);
        if is_met { "met" } else { "BROKEN" }
    };
    let mut line = |text: String| {
        println!("{text}");
        let _ = writeln!(table, "{text}");
    };
    let error = (FALSE_SHARE * (1.0 - FALSE_SHARE) / rollouts as f64).sqrt();
    let most = FALSE_SHARE + 3.0 * error;
    line(format!("False rollbacks in {rollouts} rollouts of each kind, seed {seed}; bound {}:\n", percent(most)));
    line(
        "| nothing wrong | canary 10 % 5 min | linear 10 % 1 min | linear 10 % 10 min | |\n|---|---|---|---|---|"
            .to_owned(),
    );
    for scenario in &HARMLESS {
        let found = STRATEGIES.map(|steps| measure(scenario, &steps, Policy::Samara, rollouts, seed).found);
        let is_met = verdict(found.iter().all(|found| *found <= most));
        let [a, b, c] = found.map(percent);
        line(format!("| {} | {a} | {b} | {c} | {is_met} |", scenario.name));
    }
    line(format!("\nBad versions in {rollouts} rollouts of each kind, canary 10 % for 5 minutes:\n"));
    line(
        "| harm | found | median minute | failures too many in the first hour | bound | |\n|---|---|---|---|---|---|"
            .to_owned(),
    );
    for (name, least, latest, harm) in BOUNDS {
        let Some(scenario) = HARMFUL.iter().find(|scenario| scenario.name == name) else { continue };
        let cell = measure(scenario, &STRATEGIES[0], Policy::Samara, rollouts, seed);
        let is_met = verdict(cell.found >= least && cell.minute <= latest && cell.harm <= harm);
        let (found, minute) = (percent(cell.found), one_decimal(cell.minute));
        let bound = format!("{:.0} % / {latest} / {harm}", least * 100.0);
        line(format!("| {name} | {found} | {minute} | {:.1} | {bound} | {is_met} |", cell.harm));
    }
    let others = rollouts.min(OTHERS_ROLLOUTS);
    line(format!(
        "\nOthers on the same kind of traffic, {others} rollouts of each kind: taken back, and failures too many in the first hour.\n"
    ));
    line("| | strategy | samara | alarm `Errors > 0`, 2 of 2 | Fisher, every minute | Mann-Whitney |\n|---|---|---|---|---|---|".to_owned());
    let names = ["null-10rps-0.1%", "null-500rps-2%", "null-outage", "null-noisy", "null-clustered"];
    let shown = names.into_iter().chain(["+5pt-10rps", "+1pt-100rps", "5x-100rps-0.1%", "late-5pt-10rps"]);
    for name in shown {
        let Some(scenario) = HARMLESS.iter().chain(&HARMFUL).find(|scenario| scenario.name == name) else { continue };
        for steps in &STRATEGIES[..2] {
            let policies = [Policy::Samara, Policy::Alarm, Policy::Fisher, Policy::MannWhitney];
            let cells = policies.map(|policy| {
                let cell = measure(scenario, steps, policy, others, seed);
                format!("{:.1} %, {:.0}", cell.found * 100.0, cell.harm)
            });
            line(format!("| {name} | {} | {} |", steps.name, cells.join(" | ")));
        }
    }
    let cost = cost_of_a_look();
    line(format!("\nA look at 500 requests a second, after 40 to 100 minutes: {cost:.1} µs on average."));
    (table, checked, broken)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let (table, checked, broken) = tell(&options);
    if let Some(path) = &options.table
        && let Err(error) = std::fs::write(path, table)
    {
        eprintln!("error: cannot write {path}: {error}");
        return ExitCode::from(2);
    }
    println!("{checked} bounds checked, {broken} broken, in {:.0} s", began.elapsed().as_secs_f64());
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
