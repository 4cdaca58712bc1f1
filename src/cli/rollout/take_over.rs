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

/// Carry on a rollout where a process left it
///
/// It goes on where it stopped; its journal says where. When somebody else changed the alias it stays
/// as it is, unless --adopt accepts what was made of it: the rollout then goes on from that share, as
/// long as the alias has nothing but its old and new version. An alias that was put wholly back on the
/// old version ends the rollout.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout resume --function hello --alias live
  samara rollout resume --stack-name hello --adopt")]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    common: TakeOverArgs,
    /// Accept what somebody else made of the alias, and go on from there
    #[arg(long)]
    adopt: bool,
}

/// Carry on a rollout over the pause that it waits at
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout promote --stack-name hello")]
pub(super) struct PromoteArgs {
    #[command(flatten)]
    common: TakeOverArgs,
}

/// Take a rollout under way back to the old version
///
/// Also while another process drives it: that one notices and stops. When somebody else changed the
/// alias it stays as it is, unless --force puts the old version over it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout abort --stack-name hello
  samara rollout abort --function hello --alias live --force")]
pub(super) struct AbortArgs {
    #[command(flatten)]
    common: TakeOverArgs,
    /// Put the alias wholly on the old version although somebody else changed it; says what it overwrites
    #[arg(long)]
    force: bool,
}

/// What they have in common.
#[derive(Args, Clone, Debug)]
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
pub(super) async fn resume(context: &Context, args: ResumeArgs) -> Result<Status, Error> {
    run(context, args.common, if args.adopt { Purpose::Adopt } else { Purpose::Resume }).await
}

/// Goes on over the pause.
pub(super) async fn promote(context: &Context, args: PromoteArgs) -> Result<Status, Error> {
    run(context, args.common, Purpose::Promote).await
}

/// Takes it back.
pub(super) async fn abort(context: &Context, args: AbortArgs) -> Result<Status, Error> {
    run(context, args.common, if args.force { Purpose::Force } else { Purpose::Abort }).await
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
