//! `samara rollout history`: the finished rollouts of an alias.

use clap::Args;

use super::target::TargetArgs;
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::rollout::Error as RolloutError;
use crate::rollout::names::parse_count;
use crate::ui::rollout::history;
use crate::ui::sanitize::sanitize;

/// Show the finished rollouts of an alias, the newest first, with verdict, evidence and times
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout history --stack-name hello
  samara rollout history --function hello --alias live --limit 100 --output json

Exit statuses: 0 shown, also when there is none · 1 it cannot be read, or there is no such alias · 2 wrong \
arguments")]
pub(super) struct HistoryArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// How many are shown at most
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true, default_value = "20", value_parser = parse_limit)]
    limit: usize,
}

/// Each one is a call to S3.
const MOST: usize = 1000;

fn parse_limit(text: &str) -> Result<usize, String> {
    let count = parse_count(text).map_err(|error| error.to_string())?;
    let limit = usize::try_from(count).ok().filter(|count| (1..=MOST).contains(count));
    limit.ok_or_else(|| format!("{text:?} is not a number from 1 to {MOST}; for example 20"))
}

/// Runs it.
pub(super) async fn run(context: &Context, args: HistoryArgs) -> Result<Status, Error> {
    let section = args.target.section(context, "history")?;
    let target = args.target.resolve(context, &section).await?;
    let records = match target.services(context).await? {
        Some(services) => services.store.history(&target.id, args.limit).await.map_err(RolloutError::from)?,
        None => Vec::new(),
    };
    if records.is_empty() {
        // An alias that is gone may have a history; what has neither was mistyped.
        target.there().await?;
    }
    if context.terminal.is_json() {
        context.terminal.json(&history::json(&target.id, &records));
        return Ok(Status::Done);
    }
    for line in history::lines(&target.id, &records) {
        context.terminal.data(sanitize(&line));
    }
    Ok(Status::Done)
}
