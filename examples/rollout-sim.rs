//! Tries the rollout engine in its simulation:
//! `cargo run --release --example rollout-sim -- --layer machine --runs 200000 --seed 1`.
//! The last line is the summary; the exit status is 1 where an invariant was broken.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "what a person reads, and how long it took")]

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use samara::rollout::simulation::{Report, exhaustive, random, sdk};
use samara::rollout::state::Mutation;

/// Tries the rollout engine against a model of the world.
#[derive(Parser)]
struct Args {
    /// `machine`: the state machine against a model; `sdk`: the real drivers against the sandbox.
    #[arg(long, value_parser = ["machine", "sdk"], default_value = "machine")]
    layer: String,
    /// How many seeds.
    #[arg(long, default_value_t = 20_000)]
    runs: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A deliberate mistake of the machine, which has to be found.
    #[arg(long, value_parser = Mutation::ALL.map(|(_, name)| name))]
    mutation: Option<String>,
    /// Every single fault at every call of plans of up to three steps: for one alias and for two that samara
    /// moves, and for one that CodeDeploy moves.
    #[arg(long)]
    exhaustive: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mutation = Mutation::ALL.into_iter().find(|(_, name)| Some(*name) == args.mutation.as_deref());
    let mutation = mutation.map(|(mutation, _)| mutation);
    let began = Instant::now();
    let report = match (args.layer.as_str(), args.exhaustive) {
        ("sdk", _) => {
            let summary = sdk::run(args.runs, args.seed, |failure| println!("{failure}"));
            println!("{summary}");
            return if summary.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        (_, true) => {
            let plans = [exhaustive::plans(1), exhaustive::plans(2), exhaustive::updates()].concat();
            exhaustive::runs(&plans, &exhaustive::faults(), mutation)
        }
        (_, false) => random::runs(args.seed, args.runs, mutation),
    };
    print!("{report}");
    println!("{}", summary(&report, began.elapsed().as_secs_f64()));
    if report.broken > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn summary(report: &Report, seconds: f64) -> String {
    let Report { runs, faults, crash_points, broken, .. } = report;
    let rate = *runs as f64 / seconds.max(0.001);
    format!(
        "{runs} runs, {faults} faults, {crash_points} crash points, {broken} broken ({seconds:.1} s, {rate:.0} runs/s)"
    )
}
