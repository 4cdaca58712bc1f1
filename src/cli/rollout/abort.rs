//! `samara rollout abort`: back to the old version.

use clap::Args;

use super::take_over::{self, TakeOverArgs};
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::rollout::state::Purpose;

/// Take a rollout under way back to the old version
///
/// Also while another process drives it: that one notices and stops. When somebody else changed the
/// alias it stays as it is, unless --force puts the old version over it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout abort --stack-name hello
  samara rollout abort --function hello --alias live --force

Exit statuses: 4 rolled back · 1 it could not be, or none is under way · 2 wrong arguments · 5 somebody else \
changed the alias · 130 ended by a second Ctrl-C")]
pub(super) struct AbortArgs {
    #[command(flatten)]
    common: TakeOverArgs,
    /// Put the alias wholly on the old version although somebody else changed it; says what it overwrites
    #[arg(long)]
    force: bool,
}

/// Runs it.
pub(super) async fn run(context: &Context, args: AbortArgs) -> Result<Status, Error> {
    take_over::run(context, "abort", args.common, if args.force { Purpose::Force } else { Purpose::Abort }).await
}
