//! `samara rollout pause`: stops it at the weight that there is, whoever drives it.

use clap::Args;

use super::audience::TellArgs;
use super::take_over::{self, How};
use super::target::TargetArgs;
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::rollout::state::{Phase, Purpose};
use crate::rollout::verdict::{Outcome, phase_words};
use crate::ui::rollout as show;

/// Stop a rollout at the weight that it has, whoever drives it
///
/// The process that drives it notices and ends with status 6; nobody drives the rollout then, and nobody
/// judges it. `samara rollout resume` or `promote` carries it on.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout pause --stack-name hello
  samara rollout pause --function hello --alias live

Exit statuses: 0 it is paused · 1 it cannot be, or none is under way · 2 wrong arguments · 5 somebody else \
changed the alias")]
pub(super) struct PauseArgs {
    #[command(flatten)]
    target: TargetArgs,
}

/// Runs it.
pub(super) async fn run(context: &Context, args: PauseArgs) -> Result<Status, Error> {
    let section = args.target.section(context, "pause")?;
    let target = args.target.resolve(context, &section).await?;
    let (services, found) = target.under_way(context).await?;
    let state = &found.record.state;
    if let Phase::Paused { .. } = state.phase {
        show::verdict(context.terminal, &crate::rollout::follow::verdict(&found.record));
        return Ok(Status::Done);
    }
    if !state.may_go_back() {
        return Err(Error::Findings(format!("{} cannot be paused: {}", target.name(), phase_words(state))));
    }
    let (nobody_else, how) = (TellArgs::default(), How::default());
    let verdict = take_over::drive(context, &target, &services, &found, Purpose::Pause, how, &nobody_else).await?;
    Ok(match verdict.outcome() {
        // What was asked for is done.
        Outcome::Held => Status::Done,
        other => other.into(),
    })
}
