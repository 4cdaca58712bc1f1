//! `samara rollout resume`, `promote` and `abort`: carry on, or take back, what a process left.

use std::time::Duration;

use clap::Args;

use super::options::OnInterrupt;
use super::target::TargetArgs;
use super::{show, signals};
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::rollout::names::parse_duration;
use crate::rollout::run::Progress;
use crate::rollout::state::Purpose;
use crate::rollout::{self};

/// Carry on, or take back, a rollout that is under way
///
/// `resume` goes on where it stopped, `promote` also over the pause that it waits at. `abort` takes it
/// back to the old version, also while another process drives it: that one notices and stops.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout resume  --function hello --alias live
  samara rollout promote --stack-name hello
  samara rollout abort   --stack-name hello")]
pub(super) struct TakeOverArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Take it back when it is not done after this time
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// What Ctrl-C and SIGTERM do [default: ask on a terminal, else rollback]
    #[arg(long, value_enum, value_name = "WHAT")]
    on_interrupt: Option<OnInterrupt>,
}

/// Goes on where it stopped.
pub(super) async fn resume(context: &Context, args: TakeOverArgs) -> Result<Status, Error> {
    run(context, args, Purpose::Resume).await
}

/// Goes on over the pause.
pub(super) async fn promote(context: &Context, args: TakeOverArgs) -> Result<Status, Error> {
    run(context, args, Purpose::Promote).await
}

/// Takes it back.
pub(super) async fn abort(context: &Context, args: TakeOverArgs) -> Result<Status, Error> {
    run(context, args, Purpose::Abort).await
}

async fn run(context: &Context, args: TakeOverArgs, purpose: Purpose) -> Result<Status, Error> {
    let target = args.target.resolve(context).await?;
    let no_rollout = || rollout::Error::NoRollout { alias: target.name() };
    let services = target.services(context).await?.ok_or_else(no_rollout)?;
    let found = services.store.find().await.map_err(rollout::Error::from)?.ok_or_else(no_rollout)?;
    let plan = found.record.state.plan.clone();
    let resume = format!("samara rollout resume --function {} --alias {}", target.function, target.alias);
    let mut receiver = signals::listen(context, args.on_interrupt, resume);
    let terminal = context.terminal;
    let sink = |progress: Progress| show::progress(terminal, &plan, &progress);
    let verdict =
        rollout::take_over(&target.function, &target.alias, purpose, args.timeout, &services, &mut receiver, &sink)
            .await?;
    Ok(show::verdict(context, &verdict))
}
