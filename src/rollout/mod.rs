//! Traffic goes to a new version step by step, judged all the time, and back by itself.
//!
//! Pure: [`strategy`], [`plan`], [`analysis`], [`state`] (the machine), [`journal`] (what is
//! written), [`content`], [`names`]. At the edge: [`run`] (the loop), [`store`] (lock and fence),
//! [`evidence`] (CloudWatch), [`driver`] (the alias), [`clock`], [`owner`].

pub mod analysis;
pub mod by_hand;
pub mod clock;
pub mod codedeploy;
pub mod command;
pub mod content;
pub mod driver;
mod error;
pub mod evidence;
pub mod follow;
pub mod hook;
pub mod journal;
pub mod names;
pub mod owner;
pub mod plan;
mod prepare;
pub mod refusal;
pub mod run;
pub mod settle;
#[doc(hidden)]
pub mod simulation;
pub mod state;
pub mod store;
pub mod strategy;
pub mod surroundings;
pub mod trigger;
pub mod verdict;

use std::time::Duration;

use tokio::sync::mpsc;

use analysis::{Limit, Metric};
use content::{Content, Seen};
use driver::alias::by_hand;
use journal::Record;
use names::{AliasId, Time, Version};
use plan::{AliasPlan, Defaults, HookKind, HookTime, OnNoData, OnOutage, SettlePlan, Trigger, WarmUp};
use run::{Progress, Services, Signal, Sink, Verdict};
use state::{Phase, Purpose, State, Stop, What};
use store::Found;
use strategy::Strategy;

pub use error::Error;
pub use prepare::{Prepared, check_alarms, prepare};
pub use state::step;

/// What a rollout is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is to move, at least one.
    pub aliases: Vec<Target>,
    /// By what it is judged, and how long it waits.
    pub options: Options,
    /// What is left to be done with the stack at the end.
    pub settle: Option<SettlePlan>,
}

/// One alias that is to move.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Which.
    pub id: AliasId,
    /// The version that is to serve.
    pub new: Version,
    /// How the weight rises.
    pub strategy: Strategy,
    /// What checks this version before and after the traffic.
    pub hooks: Vec<(HookTime, HookKind)>,
}

/// By what a rollout is judged, and how long it waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Alarms that take it back.
    pub alarms: Vec<String>,
    /// Of these, those that may be in ALARM until they have been OK once.
    pub ignored_alarms: Vec<String>,
    /// The user's limits.
    pub limits: Vec<Limit>,
    /// Custom metrics that the versions are compared by.
    pub metrics: Vec<Metric>,
    /// How long it is watched at 100 %; zero for not at all.
    pub bake: Duration,
    /// A step lasts until the new version served so many requests …
    pub min_requests: u64,
    /// … at most so much longer.
    pub max_hold: Duration,
    /// And then? Unless told: on, where a check before the traffic has passed, else hold.
    pub on_no_data: Option<OnNoData>,
    /// When CloudWatch cannot be read for 15 minutes.
    pub on_outage: OnOutage,
    /// After so long it is taken back.
    pub timeout: Option<Duration>,
    /// Whether evidence is only told of, and never acted on.
    pub observe_only: bool,
    /// Whether each alias is written as it is first, to prove that it may be.
    pub probe: bool,
    /// What is sent to the new versions before any traffic.
    pub warm_up: Option<WarmUp>,
    /// What checks each of the new versions, besides its alias's own hooks.
    pub hooks: Vec<(HookTime, HookKind)>,
    /// Topics that hear of it.
    pub triggers: Vec<Trigger>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            alarms: Vec::new(),
            ignored_alarms: Vec::new(),
            limits: Vec::new(),
            metrics: Vec::new(),
            bake: Defaults::BAKE,
            min_requests: Defaults::MIN_REQUESTS,
            max_hold: Defaults::MAX_HOLD,
            on_no_data: None,
            on_outage: OnOutage::default(),
            timeout: None,
            observe_only: false,
            probe: false,
            warm_up: None,
            hooks: Vec::new(),
            triggers: Vec::new(),
        }
    }
}

/// Refuses where an alias has a rollout already. Changes nothing.
///
/// # Errors
/// There is one ([`Error::Held`]), or the journal cannot be read.
pub async fn ensure_not_held(services: &Services, ids: &[AliasId]) -> Result<(), Error> {
    for id in ids {
        match services.store.find(id).await? {
            Some(found) if !found.record.state.is_finished() => return Err(held(services, &found, id)),
            _ => {}
        }
    }
    Ok(())
}

/// Refuses where an alias has a rollout already; moves a finished journal out of the way.
///
/// # Errors
/// There is one ([`Error::Held`]), or the journal cannot be read.
pub async fn ensure_free(services: &Services, ids: &[AliasId]) -> Result<(), Error> {
    for id in ids {
        // One look an alias: between two, somebody else may begin.
        match services.store.find(id).await? {
            None => {}
            Some(found) if found.record.state.is_finished() => services.store.retire_found(&found).await?,
            Some(found) => return Err(held(services, &found, id)),
        }
    }
    Ok(())
}

fn held(services: &Services, found: &Found, id: &AliasId) -> Error {
    let alive = found.driver(&services.me, owner::is_alive);
    let holder = match (alive, &found.record.owner) {
        (Some(owner), _) | (None, Some(owner)) => owner.name.clone(),
        (None, None) => format!("its driver ({})", verdict::phase_words(&found.record.state)),
    };
    Error::Held { alias: id.to_string(), holder, alive: alive.is_some() }
}

/// Plans and runs a rollout to its end.
///
/// # Errors
/// It could not begin; nothing was touched then. What happens later is a [`Verdict`].
pub async fn start(
    request: &Request,
    services: &Services,
    signals: &mut mpsc::Receiver<Signal>,
    sink: Sink<'_>,
) -> Result<Verdict, Error> {
    let ids: Vec<AliasId> = request.aliases.iter().map(|target| target.id.clone()).collect();
    ensure_free(services, &ids).await?;
    let prepared = prepare(request, services).await?;
    start_prepared(prepared, request.options.timeout, services, signals, sink).await
}

/// Runs a plan that was made, shown and agreed to.
///
/// # Errors
/// Another rollout was faster, or the journal cannot be written; nothing was touched then.
pub async fn start_prepared(
    prepared: Prepared,
    timeout: Option<Duration>,
    services: &Services,
    signals: &mut mpsc::Receiver<Signal>,
    sink: Sink<'_>,
) -> Result<Verdict, Error> {
    for warning in &prepared.warnings {
        sink(Progress::Trouble { at: services.clock.now(), text: warning.clone() });
    }
    sink(Progress::Planned(Box::new(prepared.plan.clone())));
    services.store.begin(prepared.plan.ids(), services.clock.now()).await;
    let state = State::new(prepared.plan, prepared.seen);
    run::drive(state, What::Begin, services, signals, timeout, sink).await
}

/// Takes over a rollout that was left, or (to abort or pause it) one that is driven elsewhere.
///
/// # Errors
/// There is none; its driver lives (for anything that goes on); the journal cannot be read.
pub async fn take_over(
    id: &AliasId,
    purpose: Purpose,
    timeout: Option<Duration>,
    services: &Services,
    signals: &mut mpsc::Receiver<Signal>,
    sink: Sink<'_>,
) -> Result<Verdict, Error> {
    /// A driver that lives writes every few seconds: being overtaken by it twice in a row is rare.
    const OVERTAKEN: usize = 10;
    let mut overtaken = 0;
    loop {
        let found = wait_for_driver(id, purpose, services, sink).await?;
        if let Some(date) = found.answered_at {
            // Before anything is reckoned: by this machine's wall a step that has just begun may be over.
            services.clock.heard(date);
        }
        services.store.take_over(&found).await;
        let verdict = run::drive(found.record.state, What::TakeOver(purpose), services, signals, timeout, sink).await?;
        // The driver's heartbeat came between the look at the journal and the first write: it still has it.
        let missed = match verdict.stop {
            Stop::LostFence { .. } => purpose.interrupts(),
            // Or its end.
            Stop::JournalGone => true,
            _ => false,
        };
        overtaken += 1;
        if !missed || verdict.state.has_driven() || overtaken >= OVERTAKEN {
            return Ok(verdict);
        }
    }
}

/// A driver that died leaves a heartbeat that grows old; one that lives renews it.
async fn wait_for_driver(id: &AliasId, purpose: Purpose, services: &Services, sink: Sink<'_>) -> Result<Found, Error> {
    let patience: Time = services.clock.now() + store::STALE_AFTER * 2;
    let mut first_nonce: Option<String> = None;
    loop {
        let none = || Error::NoRollout { alias: id.to_string() };
        let found = services.store.find(id).await?.ok_or_else(none)?;
        let Some(driver) = found.driver(&services.me, owner::is_alive).cloned() else { return Ok(found) };
        // Its next write will be refused by the fence: stopping it is safe at any time.
        if purpose.interrupts() {
            return Ok(found);
        }
        let renewed = first_nonce.as_ref().is_some_and(|nonce| *nonce != found.record.nonce);
        if renewed || services.clock.now() > patience {
            return Err(Error::Held { alias: id.to_string(), holder: driver.name, alive: true });
        }
        if first_nonce.is_none() {
            first_nonce = Some(found.record.nonce.clone());
            sink(Progress::Waiting(format!("waiting to see whether {} still drives it", driver.name)));
        }
        services.clock.sleep(Duration::from_secs(3)).await;
    }
}

/// What is known of an alias and its rollout.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the alias says; `None` when it is not there.
    pub alias: Option<Seen>,
    /// The rollout under way.
    pub current: Option<Found>,
    /// Who drives it.
    pub driver: Option<String>,
    /// Finished ones, the newest first.
    pub history: Vec<Record>,
}

/// Reads alias, journal and history. Changes nothing.
///
/// # Errors
/// One of them cannot be read.
pub async fn status(services: &Services, id: &AliasId, history: usize) -> Result<Report, Error> {
    let alias = services.driver(id).read().await?;
    let current = services.store.find(id).await?;
    let driver =
        current.as_ref().and_then(|found| found.driver(&services.me, owner::is_alive)).map(|owner| owner.name.clone());
    let history = services.store.history(id, history).await?;
    Ok(Report { alias, current, driver, history })
}

/// What a rollback by one write did.
#[derive(Clone, Debug, PartialEq)]
pub struct RolledBack {
    /// What the alias said before.
    pub from: Content,
    /// What it says now.
    pub to: Content,
}

/// Points the alias wholly to a version in one write. Needs nothing but Lambda.
///
/// # Errors
/// The alias cannot be written, or somebody changes it at the same moment.
pub async fn point_to(
    driver: &driver::alias::Driver,
    id: &AliasId,
    seen: Seen,
    to: Version,
) -> Result<RolledBack, Error> {
    /// Lost answers and busy moments; a person waits for this.
    const ATTEMPTS: u32 = 8;
    let name = || id.to_string();
    let (from, to) = (seen.content.clone(), Content::whole(to));
    let mut seen = seen;
    let mut reason = String::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(200 << attempt.min(5))).await;
            match driver.read().await {
                Ok(Some(now)) if now.content == to => return Ok(RolledBack { from, to }),
                Ok(Some(now)) if now.content == from => seen = now,
                Ok(Some(now)) => return Err(Error::Changed { alias: name(), found: now.content }),
                Ok(None) => {
                    return Err(Error::NoAlias { function: id.function.clone(), alias: id.alias.clone() });
                }
                Err(error) => {
                    reason = error.to_string();
                    continue;
                }
            }
        }
        match driver.write(&seen.revision, &to).await {
            Ok(_) => return Ok(RolledBack { from, to }),
            Err(state::WriteTrouble::Denied(error) | state::WriteTrouble::Gone(error)) => {
                let by_hand = by_hand(id, &to);
                return Err(Error::Write { alias: name(), reason: error, by_hand });
            }
            Err(trouble) => reason = format!("{trouble:?}"),
        }
    }
    Err(Error::Write { alias: name(), reason, by_hand: by_hand(id, &to) })
}

/// The version that served before the last rollout, from the journal's history: only where what
/// serves now is what that rollout brought.
pub fn served_before(history: &[Record], id: &AliasId, current: &Content) -> Option<Version> {
    let plan = last_served(history, id)?;
    (*current == plan.after()).then_some(plan.old)
}

/// What the last rollout that brought an alias to a new version had planned for it.
pub fn last_served<'a>(history: &'a [Record], id: &AliasId) -> Option<&'a AliasPlan> {
    Some(last(history)?.state.plan.of(id)?.1)
}

fn last(history: &[Record]) -> Option<&Record> {
    // One whose stack was not settled, and which a later deploy replaced, served as well.
    let served = |phase: &Phase| matches!(phase, Phase::Succeeded | Phase::SettleFailed { .. });
    history.iter().find(|record| served(&record.state.phase))
}

/// Of a stack's aliases with their histories those that its last rollout moved. With CodeDeploy each
/// alias has a journal of its own: a stack has one update at a time, so those that overlap are one.
pub fn moved_last(histories: &[(AliasId, Vec<Record>)]) -> Vec<AliasId> {
    let lasts: Vec<(&AliasId, &Record)> =
        histories.iter().filter_map(|(id, history)| Some((id, last(history)?))).collect();
    let Some((_, newest)) = lasts.iter().max_by_key(|(_, record)| record.started) else { return Vec::new() };
    let overlaps = |record: &Record| record.started <= newest.ended() && newest.started <= record.ended();
    lasts.iter().filter(|(_, record)| overlaps(record)).map(|(id, _)| (*id).clone()).collect()
}

#[cfg(test)]
mod tests;
