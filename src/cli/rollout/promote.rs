//! `samara rollout promote`: over the pause that it waits at.

use clap::Args;

use super::take_over::{self, TakeOverArgs};
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::rollout::state::Purpose;

/// Carry on a rollout over the pause that it waits at
///
/// Without a pause it goes to the next step now. With --full it goes to the whole traffic, over all
/// steps that are left; there it is watched as planned.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout promote --stack-name hello
  samara rollout promote --function hello --alias live --full

Exit statuses: 0 the new version serves · 1 failed, or none is under way · 2 wrong arguments · 4 rolled back · 5 \
somebody else has or changed the alias · 6 waits for a person · 130 interrupted and held")]
pub(super) struct PromoteArgs {
    #[command(flatten)]
    common: TakeOverArgs,
    /// To the whole traffic now, over all steps that are left
    #[arg(long)]
    full: bool,
}

/// Runs it.
pub(super) async fn run(context: &Context, args: PromoteArgs) -> Result<Status, Error> {
    let purpose = if args.full { Purpose::PromoteFully } else { Purpose::Promote };
    take_over::run(context, "promote", args.common, purpose).await
}
