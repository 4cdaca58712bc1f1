//! `samara sandbox`: the project's own AWS endpoint on this machine.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::block_on;
use super::context::Context;
use super::exit::{Error, Status};
use crate::sandbox::process::{self, Running, Started, Wanted};

/// Run AWS on this machine: start, stop, look at or empty the project's sandbox
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  samara sandbox start                    start it and print the variables for other clients
  eval \"$(samara sandbox start)\"          point this shell's AWS clients at it
  samara deploy --sandbox                 any command can use it; it is started when needed
  samara sandbox start --speed 60         a minute of its clock in a second
  samara sandbox reset                    begin again with an empty one")]
pub struct SandboxArgs {
    #[command(subcommand)]
    command: SandboxCommand,
}

#[derive(Debug, Subcommand)]
enum SandboxCommand {
    /// Start it and return once it listens; print the environment variables that point clients at it
    #[command(after_help = "\
Examples:
  samara sandbox start
  samara sandbox start --port 4566 --foreground
  samara sandbox start --output json")]
    Start(StartArgs),
    /// End it; its state stays
    #[command(after_help = "Example:\n  samara sandbox stop")]
    Stop,
    /// Say whether it runs and where it listens; exit status 1 when it does not
    #[command(after_help = "Example:\n  samara sandbox status --output json")]
    Status,
    /// Delete everything in it; one that runs is started again, empty
    #[command(after_help = "Example:\n  samara sandbox reset")]
    Reset,
}

#[derive(Args, Debug)]
struct StartArgs {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Stay in the foreground until Ctrl-C
    #[arg(long)]
    foreground: bool,
    /// How many seconds of the sandbox's clock one real second has
    #[arg(long, value_name = "FACTOR", value_parser = parse_speed)]
    speed: Option<f64>,
    /// End it after so many minutes without a request; 0 never does
    #[arg(long, value_name = "MINUTES", default_value_t = 30, requires = "foreground")]
    idle: u64,
}

/// The slowest and the fastest clock that make sense: at 3600 an hour is a second.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.01..=3600.0;

fn parse_speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if SPEEDS.contains(&speed) {
        return Ok(speed);
    }
    Err(format!("must be between {} and {}", SPEEDS.start(), SPEEDS.end()))
}

/// Runs the subcommand.
///
/// # Errors
/// The sandbox cannot be started, reached or stopped.
pub fn run(context: &Context, args: &SandboxArgs) -> Result<Status, Error> {
    match &args.command {
        SandboxCommand::Start(start) if start.foreground => foreground(context, start),
        SandboxCommand::Start(start) => {
            let started = block_on(process::start(&context.cwd, wanted(start)))??;
            if let Started::Before(running) = &started {
                context.terminal.status("Running", format_args!("already at {}", running.endpoint_url()));
            }
            show(context, started.running());
            Ok(Status::Done)
        }
        SandboxCommand::Stop => {
            let stopped = block_on(process::stop(&context.cwd))??;
            if context.terminal.is_json() {
                context.terminal.json(&json!({"stopped": stopped.is_some()}));
            } else if let Some(running) = stopped {
                context.terminal.status("Stopped", format_args!("the sandbox at {}", running.endpoint_url()));
            } else {
                context.terminal.status("Stopped", "nothing: no sandbox runs here");
            }
            Ok(Status::Done)
        }
        SandboxCommand::Status => {
            let running = block_on(process::status(&context.cwd))?;
            match &running {
                Some(running) if context.terminal.is_json() => context.terminal.json(&describe(context, running)),
                None if context.terminal.is_json() => context.terminal.json(&json!({"running": false})),
                Some(running) => context.terminal.data(format_args!(
                    "running at {} (process {}, speed {})",
                    running.endpoint_url(),
                    running.pid,
                    running.speed
                )),
                None => context.terminal.data("not running"),
            }
            Ok(if running.is_some() { Status::Done } else { Status::Failed })
        }
        SandboxCommand::Reset => {
            let running = block_on(process::reset(&context.cwd))??;
            if context.terminal.is_json() {
                context.terminal.json(&json!({"reset": true, "running": running.is_some()}));
            } else {
                let again = running.map(|running| format!(" and started again at {}", running.endpoint_url()));
                context.terminal.status("Emptied", format_args!("the sandbox{}", again.unwrap_or_default()));
            }
            Ok(Status::Done)
        }
    }
}

fn wanted(args: &StartArgs) -> Wanted {
    Wanted { port: args.port, speed: args.speed }
}

fn foreground(context: &Context, args: &StartArgs) -> Result<Status, Error> {
    let idle_limit = (args.idle > 0).then(|| Duration::from_secs(args.idle.saturating_mul(60)));
    block_on(process::run(&context.cwd, wanted(args), idle_limit, |running| show(context, running)))??;
    Ok(Status::Done)
}

/// The region of the commands that are given `--sandbox` here.
fn region(context: &Context) -> Option<String> {
    context.global.region.clone().or_else(|| context.env("AWS_REGION"))
}

fn show(context: &Context, running: &Running) {
    if context.terminal.is_json() {
        context.terminal.json(&describe(context, running));
        return;
    }
    for (name, value) in running.environment(region(context).as_deref()) {
        context.terminal.data(format_args!("export {name}={value}"));
    }
}

fn describe(context: &Context, running: &Running) -> Value {
    let variables = running.environment(region(context).as_deref());
    let environment: Map<String, Value> =
        variables.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    json!({
        "running": true,
        "endpoint_url": running.endpoint_url(),
        "port": running.port,
        "pid": running.pid,
        "speed": running.speed,
        "environment": environment,
    })
}

#[cfg(test)]
mod tests {
    use super::parse_speed;

    #[test]
    fn a_speed_is_a_number_that_a_clock_can_have() {
        assert_eq!(parse_speed("60"), Ok(60.0));
        for bad in ["0", "-1", "NaN", "inf", "fast", "1e9", ""] {
            assert!(parse_speed(bad).is_err(), "{bad}");
        }
    }
}
