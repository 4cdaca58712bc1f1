//! `samara rollout`: shift an alias's traffic to another version, and back.

mod abort;
pub(crate) mod audience;
mod history;
mod notify;
pub(crate) mod options;
mod pause;
mod plan;
mod promote;
mod resume;
mod retry;
mod rollback;
pub(crate) mod signals;
mod start;
mod status;
mod take_over;
pub(crate) mod target;
mod topics;
mod watch;

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::{Error, Status};

/// Shift an alias's traffic to another version step by step, judged all the time, and back by itself
///
/// Works on any function and alias, whether or not samara deployed it. What is under way is in a
/// journal in the managed bucket, so any process can carry it on or take it back.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  samara rollout plan   --function hello --alias live --to-version 8
  samara rollout start  --function hello --alias live --to-version 8 --strategy canary:5%:10m
  samara rollout status --stack-name hello
  samara rollout abort  --stack-name hello        back to the old version now
  samara rollout rollback --function hello --alias live --to-version 7")]
pub struct RolloutArgs {
    #[command(subcommand)]
    command: RolloutCommand,
}

#[derive(Debug, Subcommand)]
enum RolloutCommand {
    /// Say what a rollout would do: weights, earliest times, what judges it; changes nothing
    ///
    /// It takes what `start` takes, and refuses what `start` would refuse.
    #[command(after_help = "\
Examples:
  samara rollout plan --stack-name hello
  samara rollout plan --function hello --alias live --to-version 8 --strategy canary:5%:10m
  samara rollout plan --function hello --alias live --alarm hello-errors --output json

Exit statuses: 0 it could begin like this · 1 it would be refused, or something cannot be read · 2 wrong \
arguments · 5 another rollout has the alias")]
    Plan(Box<start::StartArgs>),
    /// Shift the alias to another version, and take it back when that is worse
    Start(Box<start::StartArgs>),
    /// Show the alias, the rollout under way and the last ones
    Status(status::StatusArgs),
    /// Follow a rollout that is driven here or elsewhere, live on a terminal
    Watch(watch::WatchArgs),
    /// Stop a rollout at the weight that it has, whoever drives it
    Pause(pause::PauseArgs),
    /// Carry on a rollout where a process left it
    Resume(resume::ResumeArgs),
    /// Carry on a rollout over the pause that it waits at
    Promote(promote::PromoteArgs),
    /// Take a rollout under way back to the old version
    Abort(abort::AbortArgs),
    /// Try again a version that was rolled back
    Retry(retry::RetryArgs),
    /// Show the finished rollouts of an alias, the newest first, with verdict, evidence and times
    History(history::HistoryArgs),
    /// Go back to the version that served before, in one write of the alias
    Rollback(rollback::RollbackArgs),
}

/// Runs the subcommand.
///
/// # Errors
/// Whatever keeps it from being done; see [`crate::rollout::Error`].
pub fn run(context: &Context, args: RolloutArgs) -> Result<Status, Error> {
    match args.command {
        RolloutCommand::Plan(args) => super::block_on(plan::run(context, *args))?,
        RolloutCommand::Start(args) => super::block_on(start::run(context, *args))?,
        RolloutCommand::Status(args) => super::block_on(status::run(context, args))?,
        RolloutCommand::Watch(args) => watch::run(context, args),
        RolloutCommand::Pause(args) => super::block_on(pause::run(context, args))?,
        RolloutCommand::Retry(args) => super::block_on(retry::run(context, args))?,
        RolloutCommand::History(args) => super::block_on(history::run(context, args))?,
        RolloutCommand::Resume(args) => super::block_on(resume::run(context, args))?,
        RolloutCommand::Promote(args) => super::block_on(promote::run(context, args))?,
        RolloutCommand::Abort(args) => super::block_on(abort::run(context, args))?,
        RolloutCommand::Rollback(args) => super::block_on(rollback::run(context, args))?,
    }
}
