//! `samara rollout watch`: follows a rollout that is driven here or elsewhere, by its journal and by
//! CloudWatch. It reads only: whoever stops it leaves the rollout alone.

use std::time::Duration;

use clap::Args;

use super::target::{Target, TargetArgs};
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::rollout;
use crate::rollout::follow::{self, Figures, Follower, LOOK_EVERY, Sight};
use crate::rollout::journal::Record;
use crate::rollout::names::Time;
use crate::rollout::run::Services;
use crate::rollout::state::State;
use crate::ui::rollout as show;
use crate::ui::watch::{Screen, Teller, View};

/// Follow a rollout that is driven here or elsewhere, live on a terminal
///
/// Shows weights, both versions' invocations, error rate and p99, the evidence against its bound and
/// the time to the next step. Where there is no terminal it prints one line a change. It ends when the
/// rollout is over or waits for a person, with the rollout's exit status; Ctrl-C ends the view alone.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout watch --stack-name hello
  samara rollout watch --function hello --alias live --output json

Exit statuses: 0 the new version serves · 1 failed, or there is none · 2 wrong arguments · 4 rolled back · 5 \
somebody else changed the alias · 6 waits for a person · 130 the view was interrupted, the rollout goes on")]
pub(super) struct WatchArgs {
    #[command(flatten)]
    target: TargetArgs,
}

/// The view is no reason to call AWS more often than this, nor to be slower to see than this.
const REAL: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Looks that fail one after the other until the view gives up.
const FAILURES: u32 = 12;
/// CloudWatch gives a new minute once a minute.
const FIGURES_EVERY: Duration = Duration::from_secs(15);

/// Runs it.
pub(super) fn run(context: &Context, args: WatchArgs) -> Result<Status, Error> {
    let words = "the view has ended, and the rollout goes on without it";
    crate::cli::block_on_until_interrupted(follow(context, args), words)
}

async fn follow(context: &Context, args: WatchArgs) -> Result<Status, Error> {
    let section = args.target.section(context, "watch")?;
    let target = args.target.resolve(context, &section).await?;
    let Some(services) = target.services(context).await? else { return Err(target.no_rollout().await) };
    let terminal = context.terminal;
    let is_live = terminal.is_live() && !terminal.is_json() && context.env("TERM").is_none_or(|term| term != "dumb");
    let (mut screen, mut teller) = (Screen::new(terminal), Teller::new(terminal));
    let mut eyes = Eyes::default();
    loop {
        let sight = eyes.look(&target, &services).await?;
        if let Some(record) = sight.ended.as_ref() {
            teller.tell_end(&record.state, is_live || !eyes.has_seen);
            return Ok(end_with(context, record));
        }
        let Some(found) = sight.current.as_ref() else { return Err(target.no_rollout().await) };
        eyes.has_seen = true;
        let state = &found.record.state;
        if is_left(&sight) {
            teller.tell_end(state, is_live);
            return Ok(end_with(context, &found.record));
        }
        let now = services.clock.now();
        let figures = eyes.figures(&services, state, now).await;
        let view = View { state, driver: sight.driver.as_deref(), heartbeat_age: found.heartbeat_age, figures, now };
        if is_live {
            screen.draw(&view);
        } else {
            teller.tell(&view);
        }
        pause(&services).await;
    }
}

/// Waits for the end of a rollout, at most so long; `None` when none was ever under way.
pub(super) async fn end(target: &Target, services: &Services, timeout: Duration) -> Result<Option<Status>, Error> {
    let deadline = services.clock.now() + timeout;
    let mut eyes = Eyes::default();
    loop {
        let sight = eyes.look(target, services).await?;
        let over = match (&sight.ended, &sight.current) {
            (Some(record), _) => Some(record),
            (None, Some(found)) if is_left(&sight) => Some(&found.record),
            (None, Some(_)) => None,
            (None, None) => return Ok(None),
        };
        if let Some(record) = over {
            return Ok(Some(follow::outcome(record).into()));
        }
        if services.clock.now() >= deadline {
            return Ok(Some(Status::Held));
        }
        pause(services).await;
    }
}

async fn pause(services: &Services) {
    tokio::time::sleep(services.clock.real_duration(LOOK_EVERY).clamp(REAL.0, REAL.1)).await;
}

/// Whether its driver has put it down for a person.
fn is_left(sight: &Sight) -> bool {
    sight.current.as_ref().is_some_and(|found| found.record.owner.is_none() && found.record.state.is_parked())
}

fn end_with(context: &Context, record: &Record) -> Status {
    show::verdict(context.terminal, &follow::verdict(record));
    follow::outcome(record).into()
}

/// Looks that fail are tried again, and what CloudWatch shows is kept for a while.
#[derive(Default)]
struct Eyes {
    follower: Follower,
    failures: u32,
    has_seen: bool,
    figures: Vec<Option<Figures>>,
    figures_at: Option<Time>,
}

impl Eyes {
    async fn look(&mut self, target: &Target, services: &Services) -> Result<Sight, rollout::Error> {
        loop {
            match self.follower.look(services, &target.id).await {
                Ok(sight) => {
                    self.failures = 0;
                    return Ok(sight);
                }
                Err(error) => {
                    self.failures += 1;
                    if self.failures >= FAILURES || !self.has_seen {
                        return Err(error);
                    }
                }
            }
            pause(services).await;
        }
    }

    /// One an alias of the plan; `None` where CloudWatch cannot be read: the view goes on without.
    async fn figures(&mut self, services: &Services, state: &State, now: Time) -> Vec<Option<Figures>> {
        let fresh = self.figures_at.is_some_and(|at| now.since(at) < FIGURES_EVERY);
        if fresh && self.figures.len() == state.plan.aliases.len() {
            return self.figures.clone();
        }
        self.figures_at = Some(now);
        self.figures.clear();
        for (plan, alias) in state.plan.aliases.iter().zip(&state.aliases) {
            let is_whole = alias.seen.content == plan.after();
            let read = follow::figures(&services.cloudwatch, &plan.id, (plan.old, plan.new), is_whole, now).await;
            self.figures.push(read.ok());
        }
        self.figures.clone()
    }
}
