//! `samara rollout start`, and what `plan` shares with it.

use std::time::Duration;

use clap::Args;

use super::audience::{Audience, Lines, TellArgs};
use super::options::{OnInterrupt, OptionArgs, StrategyArg, choice, or};
use super::signals;
use super::target::{Target, TargetArgs};
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::deploy::samconfig::Section;
use crate::rollout::analysis::alarms::AlarmState;
use crate::rollout::names::{AliasId, Version, show_duration};
use crate::rollout::plan::{Engine, Hook, HookKind, HookTime, Plan};
use crate::rollout::surroundings;
use crate::rollout::{self, Request, evidence};
use crate::ui::rollout as show;

/// Shift the alias to another version, and take it back when that is worse
///
/// What the template's DeploymentPreference said at the alias's last deploy holds here too: its strategy,
/// unless --strategy or samconfig.toml has another, its hook functions, unless other checks are given for
/// that time, and its alarms and topics besides.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout start --function hello --alias live --to-version 8
  samara rollout start --stack-name hello --strategy steps:1%:5m,10%:10m,pause,50%:10m
  samara rollout start --function hello --alias live --alarm hello-errors --limit errors=1%
  samara rollout start --stack-name hello --report rollout.html --notify './tell.sh \"#deploys\"'

Exit statuses: 0 the new version serves, or --no-wait has set the first step · 1 refused or failed · 2 wrong \
arguments · 4 rolled back · 5 somebody else has or changed the alias · 6 waits for a person · 130 interrupted \
and held")]
pub(super) struct StartArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// Version that is to serve [default: the newest published one]
    #[arg(long, value_name = "VERSION", allow_hyphen_values = true)]
    to_version: Option<Version>,
    #[command(flatten)]
    pub(super) options: OptionArgs,
    /// What Ctrl-C and SIGTERM do [default: ask on a terminal, else rollback]
    #[arg(long, value_enum, value_name = "WHAT")]
    on_interrupt: Option<OnInterrupt>,
    /// Return when the first step is set, with the command that carries on; it exits with 0
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    pub(super) tell: TellArgs,
}

impl StartArgs {
    /// Finds the alias and the version.
    pub(super) async fn request(&self, context: &Context, section: &Section) -> Result<(Target, Request), Error> {
        let mut options = self.options.over(section)?;
        let target = self.target.resolve(context, section).await?;
        let new = match self.to_version {
            Some(version) => version,
            None => newest(&target).await?,
        };
        let deployed = last_deploy(context, &target).await?;
        let hooks = deployed.as_ref().map(|plan| inherit(plan, &target.id, &mut options)).unwrap_or_default();
        let strategy = options.strategy(&target.aws).await?;
        let mut request = Request {
            aliases: vec![rollout::Target { id: target.id.clone(), new, strategy, hooks }],
            options: options.options(),
            settle: None,
        };
        let triggers = deployed.map(|plan| plan.triggers).unwrap_or_default();
        request.options.triggers = triggers.into_iter().filter(|trigger| trigger.id == target.id).collect();
        Ok((target, request))
    }
}

/// How far back a deploy is looked for.
const NEWEST: usize = 20;

/// What the alias's last deploy planned: the template says how it is shifted, and the stack does not
/// keep what it said. A journal that cannot be read is told of; the flags stand then.
async fn last_deploy(context: &Context, target: &Target) -> Result<Option<Plan>, Error> {
    let Some(services) = target.services(context).await? else { return Ok(None) };
    let history = match services.store.history(&target.id, NEWEST).await {
        Ok(history) => history,
        Err(error) => {
            context.terminal.warn(format_args!("how its last deploy shifted it is not known: {error}"));
            return Ok(None);
        }
    };
    let is_deploy = |plan: &Plan| plan.settle.is_some() || plan.engine == Engine::CodeDeploy;
    let found = history.into_iter().find(|record| is_deploy(&record.state.plan));
    if let Some(record) = &found {
        let when = show::when(record.started);
        let terminal = &context.terminal;
        terminal.status(
            "Following",
            format_args!("the deploy of {when}: its strategy unless another is given, its alarms and hooks"),
        );
    }
    let Some(mut plan) = found.map(|record| record.state.plan) else { return Ok(None) };
    // What a later deploy has dropped judges nothing any more; who cannot look keeps it.
    let readings = evidence::read_alarms(&services.cloudwatch, &plan.alarms).await.unwrap_or_default();
    for gone in readings.iter().filter(|reading| reading.state == AlarmState::Missing) {
        context.terminal.warn(format_args!("its alarm {} is no longer there", gone.name));
        plan.alarms.retain(|alarm| *alarm != gone.name);
    }
    Ok(Some(plan))
}

/// The strategy of a deploy where there is none, its alarms, and its hook functions where there is no
/// check at that time.
fn inherit(plan: &Plan, id: &AliasId, options: &mut OptionArgs) -> Vec<(HookTime, HookKind)> {
    let Some((index, alias)) = plan.of(id) else { return Vec::new() };
    options.strategy.get_or_insert_with(|| StrategyArg::Own(alias.strategy.clone()));
    let more = plan.alarms.iter().filter(|name| !options.alarm.contains(name)).cloned();
    let more: Vec<String> = more.collect();
    options.alarm.extend(more);
    // Commands and folders are on the machine that deployed.
    let is_function = |hook: &&Hook| matches!(hook.what, HookKind::Function { .. });
    let is_wanted = |hook: &&Hook| match hook.when {
        HookTime::BeforeTraffic => options.pre_traffic.is_empty(),
        HookTime::AfterTraffic => options.post_traffic.is_empty(),
    };
    let hooks = plan.hooks.iter().filter(|hook| hook.alias == index).filter(is_wanted).filter(is_function);
    hooks.map(|hook| (hook.when, hook.what.clone())).collect()
}

/// A rollout that would be taken back for want of time, however good the new version is, is not begun.
pub(super) fn enough_time(plan: &Plan, timeout: Option<Duration>) -> Result<(), Error> {
    let shortest = plan.shortest();
    match timeout.filter(|timeout| *timeout < shortest) {
        None => Ok(()),
        Some(timeout) => Err(Error::Usage(format!(
            "the rollout takes {} at least and would be taken back after {}: give it more time, for example --timeout \
             {}, or a shorter strategy",
            show_duration(shortest),
            show_duration(timeout),
            show_duration(shortest * 2)
        ))),
    }
}

async fn newest(target: &Target) -> Result<Version, Error> {
    target.there().await?;
    let versions = target.aws.lambda().versions(target.id.function.as_str()).await?;
    let newest = versions.iter().filter_map(|version| version.version.parse::<Version>().ok()).max();
    newest.ok_or_else(|| {
        Error::Usage(format!(
            "function {} has no published version; publish one first, for example with `aws lambda publish-version \
             --function-name {}`",
            target.id.function, target.id.function
        ))
    })
}

/// Runs it.
pub(super) async fn run(context: &Context, args: StartArgs) -> Result<Status, Error> {
    let section = args.target.section(context, "start")?;
    let on_interrupt = or(&args.on_interrupt, || choice(&section, "on_interrupt"))?;
    let tell = args.tell.over(&section)?;
    tell.check(context)?;
    let (target, request) = args.request(context, &section).await?;
    let services = target.services_with_bucket(context).await?;
    rollout::ensure_free(&services, std::slice::from_ref(&target.id)).await?;
    let mut prepared = rollout::prepare(&request, &services).await?;
    enough_time(&prepared.plan, request.options.timeout)?;
    prepared.warnings.extend(surroundings::credentials(&target.aws, prepared.plan.shortest()).await);
    let plan = prepared.plan.clone();
    let resume = format!("samara rollout resume {}", target.id.flags());
    let mut receiver = signals::listen(context, on_interrupt, resume);
    if args.no_wait {
        receiver = signals::leaving(receiver);
    }
    let audience = Audience::new(context, &target.aws, &tell, &plan, Lines::People);
    let sink = |progress: rollout::run::Progress| audience.hear(&progress);
    let verdict = rollout::start_prepared(prepared, request.options.timeout, &services, &mut receiver, &sink).await?;
    audience.end(&verdict, &services).await;
    Ok(verdict.outcome().into())
}
