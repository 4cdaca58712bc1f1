//! `samara rehearse`: the main job in the sandbox, with a proof at the end.

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::exit::{Error, Status};
use crate::rehearse::application::Application;
use crate::rehearse::proof::{Outcome, Proof};
use crate::rehearse::story::{self, Settings};
use crate::rollout::strategy::Strategy;
use crate::ui;

/// Rehearse a release in a fresh sandbox: a version goes live, a worse one is taken back by its
/// canary, a good one goes to 100 %.
///
/// Needs no AWS account and no network. The application is copied; what is rehearsed is never
/// changed. A user's own code cannot be asked to fail: there the sandbox injects the errors.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  samara rehearse                                      the application that samara brings along
  samara rehearse hello                                the application in the folder hello
  samara rehearse --strategy linear:20%:2m --errors 5  another strategy, a version that is less bad
  samara rehearse --output json                        the proof as one JSON object")]
pub struct RehearseArgs {
    /// Folder of a SAM application [default: the bundled example]
    #[arg(value_name = "FOLDER")]
    application: Option<PathBuf>,
    /// How the traffic moves, instead of what the template says
    #[arg(long, value_name = "STRATEGY")]
    strategy: Option<Strategy>,
    /// Requests in each second of the sandbox's clock
    #[arg(long, value_name = "NUMBER", default_value_t = 10.0)]
    rate: f64,
    /// How many percent of the worse version's requests fail
    #[arg(long, value_name = "PERCENT", default_value_t = 20.0)]
    errors: f64,
    /// Sandbox seconds in each real second
    #[arg(long, value_name = "FACTOR", default_value_t = 60.0)]
    speed: f64,
    /// Seed of everything random
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// Runs it.
///
/// # Errors
/// The arguments are out of range; the sandbox or a deploy fails.
pub fn run(context: &Context, args: RehearseArgs) -> Result<Status, Error> {
    let settings = resolve(&args)?;
    let application = match &args.application {
        Some(folder) => Application::copy_of(&context.cwd.join(folder))?,
        None => Application::bundled()?,
    };
    let terminal = context.terminal;
    let sink = move |event: story::Event| {
        if !terminal.is_json() {
            ui::rehearsal::event(terminal, &event);
        }
    };
    // Dropping the story ends the sandbox, its functions and the deploy under way.
    let proof = super::block_on_until_interrupted(
        async { Ok(story::run(&application, &settings, &sink).await?) },
        "interrupted: the rehearsal's sandbox and its functions are gone; nothing else was touched",
    )?;
    if terminal.is_json() {
        terminal.json(&proof);
    } else {
        ui::rehearsal::proof(terminal, &proof);
    }
    Ok(status(&proof))
}

fn resolve(args: &RehearseArgs) -> Result<Settings, Error> {
    let within = |name: &str, value: f64, low: f64, high: f64| {
        if (low..=high).contains(&value) {
            Ok(value)
        } else {
            Err(Error::Usage(format!("--{name} {value} is out of range: it goes from {low} to {high}")))
        }
    };
    Ok(Settings {
        strategy: args.strategy.as_ref().map(ToString::to_string),
        rate: within("rate", args.rate, 0.1, 100.0)?,
        errors: within("errors", args.errors, 0.0, 100.0)? / 100.0,
        speed: within("speed", args.speed, 1.0, 240.0)?,
        seed: args.seed,
    })
}

/// A rehearsal that did not show what it was to show has failed.
fn status(proof: &Proof) -> Status {
    let outcomes: Vec<Outcome> = proof.deployments.iter().map(|deployment| deployment.outcome).collect();
    if proof.settled && outcomes == [Outcome::Live, Outcome::RolledBack, Outcome::Succeeded] {
        Status::Done
    } else {
        Status::Failed
    }
}
