//! `samara rollout retry`: the version that was rolled back last, once more.

use std::time::Duration;

use clap::Args;

use super::audience::{Audience, Lines, TellArgs};
use super::options::{OnInterrupt, OptionArgs, StrategyArg, choice, or, text};
use super::signals;
use super::start::enough_time;
use super::target::{Target, TargetArgs};
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::deploy::samconfig::Section;
use crate::rollout::follow::is_by_hand;
use crate::rollout::journal::Record;
use crate::rollout::names::parse_timeout;
use crate::rollout::plan::{Plan, SettlePlan};
use crate::rollout::state::Phase;
use crate::rollout::verdict::why_words;
use crate::rollout::{self, Options, Request};
use crate::ui::prompt;
use crate::ui::rollout as show;

/// Try again a version that was rolled back
///
/// The rollout of the version that was rolled back last is begun again as it was planned: strategy,
/// alarms, limits and hooks, with a fresh judgement. What was rejected needs a yes of its own.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout retry --stack-name hello
  samara rollout retry --function hello --alias live --strategy canary:1%:30m --yes

Exit statuses: 0 the new version serves, or --no-wait has set the first step · 1 refused or failed · 2 nothing \
was rolled back, no yes, or wrong arguments · 4 rolled back · 5 somebody else has or changed the alias · 6 waits \
for a person · 130 interrupted and held")]
pub(super) struct RetryArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Another strategy than the last time
    #[arg(long, value_name = "STRATEGY", allow_hyphen_values = true)]
    strategy: Option<StrategyArg>,
    /// Take it back when it is not done after this time
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = parse_timeout)]
    timeout: Option<Duration>,
    /// What Ctrl-C and SIGTERM do [default: ask on a terminal, else rollback]
    #[arg(long, value_enum, value_name = "WHAT")]
    on_interrupt: Option<OnInterrupt>,
    /// Yes, although it was rolled back
    #[arg(short, long)]
    yes: bool,
    /// Return when the first step is set, with the command that carries on; it exits with 0
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    tell: TellArgs,
}

/// How far back it is looked for.
const NEWEST: usize = 50;

/// Runs it.
pub(super) async fn run(context: &Context, args: RetryArgs) -> Result<Status, Error> {
    let section = args.target.section(context, "retry")?;
    let on_interrupt = or(&args.on_interrupt, || choice(&section, "on_interrupt"))?;
    let timeout = or(&args.timeout, || text(&section, "timeout", parse_timeout))?;
    let tell = args.tell.over(&section)?;
    tell.check(context)?;
    let target = args.target.resolve(context, &section).await?;
    let nothing = || Error::Usage(format!("nothing was rolled back at {}, as far as its history tells", target.name()));
    let services = target.services(context).await?.ok_or_else(nothing)?;
    let history = services.store.history(&target.id, NEWEST).await.map_err(rollout::Error::from)?;
    let rejected = history.iter().find(|record| matches!(record.state.phase, Phase::RolledBack { .. }));
    let rejected = rejected.ok_or_else(nothing)?;
    let mut request = request(&target, &section, rejected, &history).await?;
    request.options.timeout = timeout;
    if let Some(strategy) = &args.strategy {
        let strategy = strategy.read(&target.aws).await?;
        request.aliases.iter_mut().for_each(|alias| alias.strategy = strategy.clone());
    }
    agreed(context, &target, rejected, args.yes)?;
    rollout::ensure_free(&services, &rejected.state.plan.ids()).await?;
    request.settle = settle(context, &target, rejected).await;
    let prepared = rollout::prepare(&request, &services).await?;
    enough_time(&prepared.plan, timeout)?;
    let plan = prepared.plan.clone();
    let resume = format!("samara rollout resume {}", target.id.flags());
    let mut receiver = signals::listen(context, on_interrupt, resume);
    if args.no_wait {
        receiver = signals::leaving(receiver);
    }
    let audience = Audience::new(context, &target.aws, &tell, &plan, Lines::People);
    let sink = |progress: rollout::run::Progress| audience.hear(&progress);
    let verdict = rollout::start_prepared(prepared, timeout, &services, &mut receiver, &sink).await?;
    audience.end(&verdict, &services).await;
    Ok(verdict.outcome().into())
}

fn agreed(context: &Context, target: &Target, rejected: &Record, yes: bool) -> Result<(), Error> {
    let Phase::RolledBack { why, .. } = &rejected.state.phase else { return Ok(()) };
    let new = rejected.state.plan.of(&target.id).map(|(_, plan)| plan.new.to_string()).unwrap_or_default();
    let told = format!(
        "version {new} of {} was rolled back {}: {}",
        target.name(),
        show::when(rejected.started),
        why_words(why)
    );
    if yes {
        context.terminal.warn(&told);
        return Ok(());
    }
    if !context.may_ask() {
        return Err(Error::Usage(format!("{told}; to try it all the same add --yes")));
    }
    context.terminal.warn(&told);
    let answer = prompt::confirm(context.terminal, "Try it again?", false);
    match answer.map_err(|error| Error::Usage(error.to_string()))? {
        true => Ok(()),
        false => Err(Error::Usage("nothing was begun".to_owned())),
    }
}

/// As it was planned then; what was taken back by one write was planned by an earlier rollout, if at all.
async fn request(target: &Target, section: &Section, rejected: &Record, history: &[Record]) -> Result<Request, Error> {
    let new = |record: &Record| record.state.plan.of(&target.id).map(|(_, plan)| plan.new);
    let planned = history.iter().find(|record| !is_by_hand(record) && new(record) == new(rejected));
    if let Some(record) = planned {
        return Ok(as_planned(&record.state.plan));
    }
    let options = OptionArgs::default().over(section)?;
    let Some(new) = new(rejected) else {
        return Err(Error::Usage(format!("the history does not say what was rolled back at {}", target.name())));
    };
    let strategy = options.strategy(&target.aws).await?;
    let alias = rollout::Target { id: target.id.clone(), new, strategy, hooks: Vec::new() };
    Ok(Request { aliases: vec![alias], options: options.options(), settle: None })
}

fn as_planned(plan: &Plan) -> Request {
    let aliases = plan.aliases.iter().enumerate().map(|(index, alias)| rollout::Target {
        id: alias.id.clone(),
        new: alias.new,
        strategy: alias.strategy.clone(),
        hooks: plan
            .hooks
            .iter()
            .filter(|hook| hook.alias == index)
            .map(|hook| (hook.when, hook.what.clone()))
            .collect(),
    });
    Request {
        aliases: aliases.collect(),
        options: Options {
            alarms: plan.alarms.clone(),
            ignored_alarms: plan.ignored_alarms.clone(),
            limits: plan.first().map(|alias| alias.criteria.limits.clone()).unwrap_or_default(),
            metrics: plan.first().map(|alias| alias.criteria.metrics.clone()).unwrap_or_default(),
            bake: Duration::from_secs(plan.bake_s),
            min_requests: plan.min_requests,
            max_hold: Duration::from_secs(plan.max_hold_s),
            on_no_data: Some(plan.on_no_data),
            on_outage: plan.on_outage,
            timeout: None,
            observe_only: plan.observe_only,
            probe: plan.probe,
            warm_up: plan.warm_up.clone(),
            // Each alias has its own among them.
            hooks: Vec::new(),
            triggers: plan.triggers.clone(),
        },
        settle: None,
    }
}

/// The stack is settled as it was going to be then, unless it was changed since: the template of then
/// would undo that.
async fn settle(context: &Context, target: &Target, rejected: &Record) -> Option<SettlePlan> {
    let plan = rejected.state.plan.settle.clone()?;
    let looked = target.aws.cloudformation().stack(&plan.stack).await;
    let changed = looked.ok().flatten().and_then(|stack| stack.updated.or(stack.created));
    let is_untouched = changed.is_some_and(|at| at.unix_timestamp().saturating_mul(1000) <= rejected.started.0);
    if !is_untouched {
        context.terminal.warn(format_args!(
            "stack {} is not settled afterwards, since it was changed after that rollout began: deploy again for that",
            plan.stack
        ));
    }
    is_untouched.then_some(plan)
}
