//! `samara rollout promote`: over the pause that it waits at.

use clap::Args;

use super::take_over::{self, TakeOverArgs};
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::rollout::state::Purpose;

/// Carry on a rollout over the pause that it waits at
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout promote --stack-name hello")]
pub(super) struct PromoteArgs {
    #[command(flatten)]
    common: TakeOverArgs,
}

/// Runs it.
pub(super) async fn run(context: &Context, args: PromoteArgs) -> Result<Status, Error> {
    take_over::run(context, "promote", args.common, Purpose::Promote).await
}
