//! `samara rollout rollback`: back to the version before, in one write of the alias.

mod stack;

use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::aws::cloudformation::StackResource;
use crate::aws::lambda::Configuration;
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::cli::rollout::audience::TellArgs;
use crate::cli::rollout::take_over::{self, How};
use crate::cli::rollout::target::{Target, TargetArgs, only};
use crate::deploy::live::Live;
use crate::deploy::{self};
use crate::rollout::content::Content;
use crate::rollout::names::{NotA, Version};
use crate::rollout::run::Services;
use crate::rollout::state::{Phase, Purpose, State};
use crate::rollout::{self, RolledBack};
use crate::ui::prompt;
use crate::ui::rollout as show;

/// Go back to the version that served before, in one write of the alias
///
/// A rollout under way is taken back. Of a stack with several aliases those go back that serve two
/// versions, or else all that the last rollout moved, as the journal's history has it. With two versions
/// on the alias, or with --to-version, an alias that is named needs Lambda alone: that works when S3,
/// CloudWatch and CloudFormation are all down. Alarms are never asked.
/// The stack's template still says the newer version afterwards: on a terminal it is offered to bring it
/// in line, with --pin it is done, and the next deploy does it otherwise.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout rollback --stack-name hello
  samara rollout rollback --function hello --alias live --to-version 7
  samara rollout rollback --stack-name hello --pin

Exit statuses: 0 the older version serves · 1 the alias could not be written; the command that does it by hand \
is printed · 2 it is not known what to go back to, or wrong arguments · 5 somebody changed the alias at the same \
moment")]
pub(super) struct RollbackArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Version to go back to [default: the one that served before the last rollout]
    #[arg(long, value_name = "VERSION", allow_hyphen_values = true)]
    to_version: Option<Version>,
    /// Bring the stack's template to that version too, without asking
    #[arg(long)]
    pin: bool,
}

/// The journal is asked for no longer than this: going back does not wait for S3.
const JOURNAL_PATIENCE: Duration = Duration::from_secs(5);
/// How long a stack that is busy is waited for.
const PIN_PATIENCE: Duration = Duration::from_secs(1800);
/// Candidates that are listed when it is not known what to go back to.
const LISTED: usize = 5;

/// Runs it.
pub(super) async fn run(context: &Context, args: RollbackArgs) -> Result<Status, Error> {
    let section = args.target.section(context, "rollback")?;
    let targets = args.target.resolve_all(context, &section).await?;
    if targets.len() > 1 && args.to_version.is_none() {
        return stack::back(context, &targets, args.pin).await;
    }
    // Each function has versions of its own.
    let target = only(targets)?;
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
    point_back(context, &target, services.as_ref(), &args).await
}

/// The services, and whether a rollout is under way.
async fn journal(context: &Context, target: &Target) -> Result<Option<(Services, bool)>, Error> {
    let Some(services) = target.services(context).await? else { return Ok(None) };
    let found = services.store.find(&target.id).await.map_err(rollout::Error::from)?;
    Ok(Some((services, found.is_some_and(|found| is_under_way(&found.record.state)))))
}

/// Whether going back is the end of a rollout: of one that moves traffic, or whose stack is not settled.
fn is_under_way(state: &State) -> bool {
    state.may_go_back() || matches!(state.phase, Phase::Settling | Phase::SettleFailed { .. })
}

async fn abort(context: &Context, target: &Target, services: &Services, to: Option<Version>) -> Result<Status, Error> {
    let found = services.store.find(&target.id).await.map_err(rollout::Error::from)?;
    let no_rollout = || rollout::Error::NoRollout { alias: target.name() };
    let found = found.ok_or_else(no_rollout)?;
    let (_, of) = found.record.state.plan.of(&target.id).ok_or_else(no_rollout)?;
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
    let (how, tell) = (How::default(), TellArgs::default());
    let verdict = take_over::drive(context, target, services, &found, Purpose::Abort, how, &tell).await?;
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
    args: &RollbackArgs,
) -> Result<Status, Error> {
    let driver = target.driver();
    let no_alias = || rollout::Error::NoAlias { function: target.id.function.clone(), alias: target.id.alias.clone() };
    let seen = driver.read().await?.ok_or_else(no_alias)?;
    let to = match args.to_version {
        Some(to) => to,
        None => before(target, services, &seen.content).await?,
    };
    let done = rollout::point_to(&driver, &target.id, seen, to).await?;
    tell(context, target, &done);
    if done.from != done.to {
        note(context, target, services, &done).await;
        offer_pin(context, &[target], services, args.pin).await;
    }
    Ok(Status::Done)
}

/// Enters it into the history. It is done already, and S3 may take its time or not answer at all.
async fn note(context: &Context, target: &Target, services: Option<&Services>, done: &RolledBack) {
    let Some(services) = services else { return };
    let noted = rollout::by_hand::record(services, &target.id, done);
    match tokio::time::timeout(JOURNAL_PATIENCE, noted).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            context.terminal.warn(format_args!("the journal's history lacks this rollback: {error}"));
        }
        Err(_) => context.terminal.warn("the journal's history lacks this rollback: S3 does not answer"),
    }
}

/// The stack's template still says the other version. Whatever comes of this, traffic is right.
async fn offer_pin(context: &Context, targets: &[&Target], services: Option<&Services>, yes: bool) {
    if !yes && !context.may_ask() {
        return;
    }
    let Some(first) = targets.first() else { return };
    let (Some(services), Some(stack)) = (services, stack_of(first, services).await) else { return };
    match pin(context, targets, services, &stack, yes).await {
        Ok(()) => {}
        Err(error) => context.terminal.warn(format_args!("stack {stack} was not brought in line: {error}")),
    }
}

/// The stack that was named, or that the last rollout belonged to.
async fn stack_of(target: &Target, services: Option<&Services>) -> Option<String> {
    if let Some(stack) = &target.stack {
        return Some(stack.clone());
    }
    let history = services?.store.history(&target.id, 10).await.ok()?;
    history.iter().find_map(|record| Some(record.state.plan.settle.as_ref()?.stack.clone()))
}

async fn pin(context: &Context, targets: &[&Target], services: &Services, stack: &str, yes: bool) -> Result<(), Error> {
    let terminal = context.terminal;
    let sink = |_: deploy::Event| {};
    let Some(aws) = targets.first().map(|target| &target.aws) else { return Ok(()) };
    let Some(live) = Live::look(aws, stack, PIN_PATIENCE, &sink).await? else { return Ok(()) };
    let is_meant = |arn: &str| targets.iter().any(|target| arn.ends_with(&format!(":function:{}", target.id)));
    let is_this = |resource: &&StackResource| {
        resource.kind == "AWS::Lambda::Alias" && resource.physical_id.as_deref().is_some_and(is_meant)
    };
    let ids: Vec<&str> = live.resources.iter().filter(is_this).map(|resource| resource.logical_id.as_str()).collect();
    let differs = live.out_of_step(aws, ids).await?;
    if differs.is_empty() {
        return Ok(());
    }
    let versions: Vec<&str> = differs.iter().map(|one| one.alias.version.as_str()).collect();
    let versions = format!("version{} {}", if versions.len() == 1 { "" } else { "s" }, versions.join(", "));
    if !yes {
        differs.iter().for_each(|one| terminal.warn(one.message()));
        let question = format!("Bring the template of stack {stack} to {versions}? No traffic moves");
        let answer = prompt::confirm(terminal, &question, true);
        if !answer.map_err(|error| Error::Usage(error.to_string()))? {
            return Ok(());
        }
    }
    terminal.status("Pinning", format_args!("stack {stack} to {versions}"));
    deploy::pin::pin(aws, services.store.bucket(), &live, &differs, PIN_PATIENCE, &sink).await?;
    Ok(())
}

fn tell(context: &Context, target: &Target, done: &RolledBack) {
    if context.terminal.is_json() {
        context.terminal.json(&json!({"schema": show::SCHEMA, "type": "rollback", "function": target.id.function, "alias": target.id.alias, "from": done.from, "to": done.to}));
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
