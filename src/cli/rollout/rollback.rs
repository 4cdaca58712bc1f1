//! `samara rollout rollback`: back to the version before, in one write of the alias.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::signals;
use super::target::{Target, TargetArgs};
use crate::aws::lambda::Configuration;
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::rollout::content::Content;
use crate::rollout::names::{NotA, Version};
use crate::rollout::run::{Progress, Services};
use crate::rollout::state::Purpose;
use crate::rollout::{self, RolledBack};
use crate::ui::rollout as show;

/// Go back to the version that served before, in one write of the alias
///
/// A rollout under way is taken back. With two versions on the alias, or with --to-version, this needs
/// Lambda alone: it works when S3, CloudWatch and CloudFormation are all down. Alarms are never asked.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout rollback --stack-name hello
  samara rollout rollback --function hello --alias live --to-version 7")]
pub(super) struct RollbackArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Version to go back to [default: the one that served before the last rollout]
    #[arg(long, value_name = "VERSION")]
    to_version: Option<Version>,
}

/// The journal is asked for no longer than this: going back does not wait for S3.
const JOURNAL_PATIENCE: Duration = Duration::from_secs(5);
/// Candidates that are listed when it is not known what to go back to.
const LISTED: usize = 5;

/// Runs it.
pub(super) async fn run(context: &Context, args: RollbackArgs) -> Result<Status, Error> {
    let section = args.target.section(context, "rollback")?;
    let target = args.target.resolve(context, &section).await?;
    let journal = tokio::time::timeout(JOURNAL_PATIENCE, journal(context, &target)).await;
    let services = match journal {
        Ok(Ok(services)) => services,
        Ok(Err(error)) => {
            context.terminal.warn(format_args!("going on without the journal: {error}"));
            None
        }
        Err(_) => {
            context.terminal.warn("going on without the journal: S3 does not answer");
            None
        }
    };
    if let Some((services, true)) = &services {
        return abort(context, &target, services, args.to_version).await;
    }
    let services = services.map(|(services, _)| services);
    point_back(context, &target, services.as_ref(), args.to_version).await
}

/// The services, and whether a rollout is under way.
async fn journal(context: &Context, target: &Target) -> Result<Option<(Services, bool)>, Error> {
    let Some(services) = target.services(context).await? else { return Ok(None) };
    let found = services.store.find(&target.id).await.map_err(rollout::Error::from)?;
    let under_way = found.is_some_and(|found| !found.record.state.is_finished() && found.record.state.may_go_back());
    Ok(Some((services, under_way)))
}

async fn abort(context: &Context, target: &Target, services: &Services, to: Option<Version>) -> Result<Status, Error> {
    let found = services.store.find(&target.id).await.map_err(rollout::Error::from)?;
    let no_rollout = || rollout::Error::NoRollout { alias: target.name() };
    let plan = found.ok_or_else(no_rollout)?.record.state.plan;
    let (_, of) = plan.of(&target.id).ok_or_else(no_rollout)?;
    if let Some(to) = to.filter(|to| *to != of.old) {
        return Err(Error::Usage(format!(
            "{} has a rollout of version {} to {} under way, which goes back to {}, not to {to}; abort it first",
            target.name(),
            of.old,
            of.new,
            of.old
        )));
    }
    context.terminal.status("Aborting", format_args!("the rollout of version {} to {}", of.old, of.new));
    let resume = format!("samara rollout abort {}", target.id.flags());
    let mut receiver = signals::listen(context, None, resume);
    let terminal = context.terminal;
    let sink = |progress: Progress| show::progress(terminal, &plan, &progress);
    let verdict = rollout::take_over(&target.id, Purpose::Abort, None, services, &mut receiver, &sink).await?;
    show::verdict(context.terminal, &verdict);
    // What was asked for is done.
    Ok(match Status::from(verdict.outcome()) {
        Status::RolledBack => Status::Done,
        other => other,
    })
}

async fn point_back(
    context: &Context,
    target: &Target,
    services: Option<&Services>,
    to: Option<Version>,
) -> Result<Status, Error> {
    let driver = target.driver();
    let no_alias = || rollout::Error::NoAlias { function: target.id.function.clone(), alias: target.id.alias.clone() };
    let seen = driver.read().await?.ok_or_else(no_alias)?;
    let to = match to {
        Some(to) => to,
        None => before(target, services, &seen.content).await?,
    };
    let done = rollout::point_to(&driver, &target.id, seen, to).await?;
    tell(context, target, &done);
    if let (Some(services), true) = (services, done.from != done.to) {
        // It is done already, and S3 may take its time or not answer at all.
        let noted = rollout::by_hand::record(services, &target.id, &done);
        match tokio::time::timeout(JOURNAL_PATIENCE, noted).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                context.terminal.warn(format_args!("the journal's history lacks this rollback: {error}"));
            }
            Err(_) => context.terminal.warn("the journal's history lacks this rollback: S3 does not answer"),
        }
    }
    Ok(Status::Done)
}

fn tell(context: &Context, target: &Target, done: &RolledBack) {
    if context.terminal.is_json() {
        context.terminal.json(&json!({"schema": 1, "alias": target.name(), "from": done.from, "to": done.to}));
        return;
    }
    if done.from == done.to {
        context.terminal.data(format_args!("{} was on {} already", target.name(), done.to));
        return;
    }
    context.terminal.data(format_args!("{} is on {} (it was on {})", target.name(), done.to, done.from));
    context.terminal.data(
        "If a stack made this alias, its template may still name the other version: `samara rollout status \
         --stack-name NAME` compares them.",
    );
}

async fn before(target: &Target, services: Option<&Services>, current: &Content) -> Result<Version, Error> {
    if current.is_split() {
        // The main version is the one that served before somebody gave a share to another.
        return current.version.parse().map_err(|error: NotA| Error::Usage(error.to_string()));
    }
    if let Some(services) = services {
        let history = services.store.history(&target.id, 10).await.unwrap_or_default();
        if let Some(version) = rollout::served_before(&history, &target.id, current) {
            return Ok(version);
        }
    }
    let mut versions = target.aws.lambda().versions(target.id.function.as_str()).await?;
    versions.retain(|version| version.version != current.version);
    versions.sort_by_key(|version| std::cmp::Reverse(version.version.parse::<u64>().unwrap_or(0)));
    let candidates = versions.iter().take(LISTED).map(|version| candidate(target, version)).collect();
    Err(rollout::Error::NoWayBack { alias: target.name(), current: current.version.clone(), candidates }.into())
}

fn candidate(target: &Target, version: &Configuration) -> String {
    format!(
        "version {} of {}, CodeSha256 {}: samara rollout rollback {} --to-version {}",
        version.version,
        version.last_modified,
        version.code_sha256,
        target.id.flags(),
        version.version
    )
}
