//! What `resume`, `promote` and `abort` have in common: they take over what a process left.

use std::time::Duration;

use clap::Args;

use super::audience::{Audience, Lines, TellArgs};
use super::options::{OnInterrupt, choice, or, text};
use super::signals;
use super::target::{Target, TargetArgs, ambiguous, only};
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::rollout::codedeploy;
use crate::rollout::names::parse_timeout;
use crate::rollout::plan::Engine;
use crate::rollout::run::{Progress, Services, Verdict};
use crate::rollout::state::Purpose;
use crate::rollout::store::Found;
use crate::rollout::{self};

/// What they have in common.
#[derive(Args, Clone, Debug)]
pub(super) struct TakeOverArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Take it back when it is not done after this time
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = parse_timeout)]
    timeout: Option<Duration>,
    /// What Ctrl-C and SIGTERM do [default: ask on a terminal, else rollback]
    #[arg(long, value_enum, value_name = "WHAT")]
    on_interrupt: Option<OnInterrupt>,
    #[command(flatten)]
    tell: TellArgs,
    /// Leave it when what is due is done.
    #[clap(skip)]
    pub(super) no_wait: bool,
}

/// How it is driven.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct How {
    timeout: Option<Duration>,
    on_interrupt: Option<OnInterrupt>,
    no_wait: bool,
}

/// Takes it over and drives it to its end.
pub(super) async fn run(
    context: &Context,
    command: &str,
    args: TakeOverArgs,
    purpose: Purpose,
) -> Result<Status, Error> {
    let section = args.target.section(context, command)?;
    let on_interrupt = or(&args.on_interrupt, || choice(&section, "on_interrupt"))?;
    let tell = args.tell.over(&section)?;
    let tell = match purpose.goes_back() {
        true => tell.without_trouble(context),
        false => {
            tell.check(context)?;
            tell
        }
    };
    // How long going forward may take says nothing of how long going back may.
    let timeout = match purpose.goes_back() {
        true => args.timeout,
        false => or(&args.timeout, || text(&section, "timeout", parse_timeout))?,
    };
    let how = How { timeout, on_interrupt, no_wait: args.no_wait };
    let targets = args.target.resolve_all(context, &section).await?;
    if purpose.goes_back() && targets.len() > 1 {
        return all(context, targets, purpose, how, &tell).await;
    }
    one(context, &only(targets)?, purpose, how, &tell).await
}

/// Everything of a stack that is under way goes back: with CodeDeploy each alias has a journal of its own.
async fn all(
    context: &Context,
    targets: Vec<Target>,
    purpose: Purpose,
    how: How,
    tell: &TellArgs,
) -> Result<Status, Error> {
    let mut first = None;
    for target in &targets {
        // One that cannot go back keeps none of the others.
        match one(context, target, purpose, how, tell).await {
            Err(Error::Rollout(rollout::Error::NoRollout { .. })) => {}
            Err(error) if first.is_some() => context.terminal.warn(error.to_string()),
            ended => first = first.or(Some(ended)),
        }
    }
    first.unwrap_or_else(|| Err(ambiguous(&targets)))
}

async fn one(context: &Context, target: &Target, purpose: Purpose, how: How, tell: &TellArgs) -> Result<Status, Error> {
    let under_way = target.under_way(context).await;
    if purpose.goes_back() && matches!(&under_way, Err(error) if is_journal_away(error)) {
        context.terminal.warn(format_args!(
            "the journal cannot be read; `samara rollout rollback {}` needs Lambda alone",
            target.id.flags()
        ));
    }
    let (services, found) = under_way?;
    let verdict = drive(context, target, &services, &found, purpose, how, tell).await?;
    Ok(verdict.outcome().into())
}

/// Whether it is not known what is under way; that nothing is would be known.
fn is_journal_away(error: &Error) -> bool {
    !matches!(error, Error::Rollout(rollout::Error::NoRollout { .. } | rollout::Error::NoAlias { .. }))
}

/// Takes over what was found, drives it to its end, and tells of it.
pub(super) async fn drive(
    context: &Context,
    target: &Target,
    services: &Services,
    found: &Found,
    purpose: Purpose,
    how: How,
    tell: &TellArgs,
) -> Result<Verdict, Error> {
    let plan = &found.record.state.plan;
    let resume = format!("samara rollout resume {}", target.id.flags());
    let How { timeout, on_interrupt, no_wait } = how;
    let mut receiver = signals::listen(context, on_interrupt, resume);
    if no_wait {
        receiver = signals::leaving(receiver);
    }
    let audience = Audience::new(context, &target.aws, tell, plan, Lines::People);
    let sink = |progress: Progress| audience.hear(&progress);
    let verdict = match plan.engine {
        Engine::Alias => rollout::take_over(&target.id, purpose, timeout, services, &mut receiver, &sink).await?,
        Engine::CodeDeploy => {
            let (aws, id) = (&target.aws, &target.id);
            codedeploy::run::take_over(aws, id, purpose, timeout, services, &mut receiver, &sink).await?
        }
    };
    audience.end(&verdict, services).await;
    Ok(verdict)
}
