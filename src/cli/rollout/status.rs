//! `samara rollout status`: what the alias says, and what is under way; with `--timeout`, how it ended.

use std::time::Duration;

use clap::Args;

use super::audience;
use super::target::{Target, TargetArgs, only};
use super::watch;
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::deploy::live;
use crate::rollout::names::parse_timeout;
use crate::rollout::state::Phase;
use crate::rollout::{self, Report};
use crate::ui::rollout::status::{self as draw, InStack};
use crate::ui::sanitize::sanitize;

/// Show the alias, the rollout under way and the last ones
///
/// Of a stack with several aliases and no rollout under way each is shown, in JSON an object a line.
///
/// With --timeout it waits until the rollout is over, or waits for a person, and ends with its exit
/// status: that of the last one when none is under way.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout status --stack-name hello
  samara rollout status --function hello --alias live --output json
  samara rollout status --stack-name hello --timeout 1h

Exit statuses: 0 nothing is under way, or a process drives it · 1 there is no such alias · 2 wrong arguments · 5 \
somebody else changed the alias · 6 it waits for a person, or two versions serve and nobody drives

With --timeout: 0 the new version serves · 1 failed · 4 rolled back · 5 conflict · 6 waits for a person, or is \
not over in that time")]
pub(super) struct StatusArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Wait so long for the end
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = parse_timeout)]
    timeout: Option<Duration>,
}

/// How many finished rollouts are shown.
const SHOWN: usize = 5;

/// Runs it.
pub(super) async fn run(context: &Context, args: StatusArgs) -> Result<Status, Error> {
    let section = args.target.section(context, "status")?;
    let targets = args.target.resolve_all(context, &section).await?;
    if let Some(timeout) = args.timeout {
        return show(context, &only(targets)?, Some(timeout)).await;
    }
    let mut status = Status::Done;
    for (index, target) in targets.iter().enumerate() {
        if index > 0 && !context.terminal.is_json() {
            context.terminal.data("");
        }
        let of_alias = show(context, target, None).await?;
        // The first that is not as it should be.
        status = if status == Status::Done { of_alias } else { status };
    }
    Ok(status)
}

/// Shows one alias.
async fn show(context: &Context, target: &Target, timeout: Option<Duration>) -> Result<Status, Error> {
    // Where the alias sends traffic is told even when the journal cannot be reached.
    let unread = |error: &dyn std::error::Error| {
        let text = format!("what is under way cannot be told: {error}");
        context.terminal.warn(sanitize(&text));
    };
    let mut complete = true;
    let services = match target.services(context).await {
        Ok(services) => services,
        Err(error) => {
            unread(&error);
            complete = false;
            None
        }
    };
    let ended = match (timeout, &services) {
        (Some(timeout), Some(services)) => watch::end(target, services, timeout).await?,
        _ => None,
    };
    let known = match &services {
        Some(services) => match rollout::status(services, &target.id, SHOWN).await {
            Ok(report) => Some(report),
            Err(error) => {
                unread(&error);
                complete = false;
                None
            }
        },
        None => None,
    };
    let report = match known {
        Some(report) => report,
        None => Report { alias: target.driver().read().await?, current: None, driver: None, history: Vec::new() },
    };
    let stack = stack(target, &report).await;
    if let Some(text) = draw::shout(&target.id, &report) {
        audience::shout(context, &text);
    }
    if context.terminal.is_json() {
        context.terminal.json(&draw::json(&target.id, &report, stack.as_ref()));
    } else {
        for line in draw::lines(&target.id, &report, stack.as_ref(), complete) {
            context.terminal.data(sanitize(&line));
        }
    }
    if !complete {
        return Ok(Status::Failed);
    }
    Ok(ended.unwrap_or_else(|| status_of(target, &report)))
}

/// Best effort: the alias and its rollout are what was asked for.
async fn stack(target: &Target, report: &Report) -> Option<InStack> {
    let known = report.history.iter().filter_map(|record| Some(record.state.plan.settle.as_ref()?.stack.clone()));
    let mut names: Vec<String> = target.stack.clone().into_iter().chain(known).collect();
    names.dedup();
    for name in names {
        let found =
            live::version_of_alias(&target.aws, &name, target.id.function.as_str(), target.id.alias.as_str()).await;
        if let Ok(Some(version)) = found {
            let under_way = report.current.as_ref().is_some_and(|found| !found.record.state.is_finished());
            let content = report.alias.as_ref().map(|alias| &alias.content);
            let agrees = content.is_some_and(|content| content.version == version && !content.is_split());
            return Some(InStack { name, version, differs: !under_way && !agrees });
        }
    }
    None
}

fn status_of(target: &Target, report: &Report) -> Status {
    if draw::shout(&target.id, report).is_some() && report.current.is_none() {
        return Status::Held;
    }
    let Some(found) = &report.current else {
        return if report.alias.is_some() { Status::Done } else { Status::Failed };
    };
    match found.record.state.phase {
        Phase::Conflicted { .. } => Status::Conflict,
        _ if report.driver.is_some() || found.record.state.is_finished() => Status::Done,
        _ => Status::Held,
    }
}
