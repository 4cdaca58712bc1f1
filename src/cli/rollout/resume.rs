//! `samara rollout resume`: carries on where a process left it.

use clap::Args;
use serde_json::json;

use super::take_over::{self, TakeOverArgs};
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::rollout;
use crate::rollout::state::Purpose;
use crate::ui::rollout::SCHEMA;

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
  samara rollout resume --stack-name hello --adopt
  samara rollout resume --stack-name hello --no-wait        every few minutes, by a timer

Exit statuses: 0 the new version serves, nothing is under way, or --no-wait did what was due · 1 failed, or \
there is no such alias · 2 wrong arguments · 4 rolled back · 5 somebody else has or changed the alias · 6 waits \
for a person · 130 interrupted and held")]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    common: TakeOverArgs,
    /// Accept what somebody else made of the alias, and go on from there
    #[arg(long)]
    adopt: bool,
    /// Do what is due now and return, for a timer that calls this again
    #[arg(long)]
    no_wait: bool,
}

/// Runs it.
pub(super) async fn run(context: &Context, mut args: ResumeArgs) -> Result<Status, Error> {
    args.common.no_wait = args.no_wait;
    let purpose = if args.adopt { Purpose::Adopt } else { Purpose::Resume };
    match take_over::run(context, "resume", args.common, purpose).await {
        // What was asked for is so already. To a timer it is all the same when somebody else sees to it.
        Err(Error::Rollout(nothing))
            if matches!(nothing, rollout::Error::NoRollout { .. })
                || (args.no_wait && matches!(nothing, rollout::Error::Held { alive: true, .. })) =>
        {
            if context.terminal.is_json() {
                context.terminal.json(&json!({"schema": SCHEMA, "type": "nothing", "message": nothing.to_string()}));
            }
            context.terminal.status("Nothing", format_args!("to do: {nothing}"));
            Ok(Status::Done)
        }
        other => other,
    }
}
