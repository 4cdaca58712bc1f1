//! Traffic goes to a new version step by step, judged all the time, and back by itself.
//!
//! Pure: [`strategy`], [`plan`], [`analysis`], [`state`] (the machine), [`journal`] (what is
//! written), [`content`], [`names`]. At the edge: [`run`] (the loop), [`store`] (lock and fence),
//! [`evidence`] (CloudWatch), [`driver`] (the alias), [`clock`], [`owner`].

pub mod analysis;
pub mod by_hand;
pub mod clock;
pub mod content;
pub mod driver;
pub mod evidence;
pub mod journal;
pub mod names;
pub mod owner;
pub mod plan;
pub mod run;
pub mod settle;
pub mod state;
pub mod store;
pub mod strategy;
pub mod surroundings;
pub mod verdict;

use std::time::Duration;

use tokio::sync::mpsc;

use crate::aws;
use crate::hint::Hint;

use analysis::alarms::{AlarmReading, AlarmState};
use analysis::limits::Limit;
use analysis::{Baseline, Criteria};
use content::{Content, Seen};
use driver::alias::by_hand;
use names::{AliasName, FunctionName, Time, Version};
use plan::{Defaults, OnNoData, OnOutage, Plan, Refusal, SettlePlan};
use run::{Progress, Services, Signal, Sink, Verdict};
use state::{Phase, Purpose, State, What};
use store::Found;
use strategy::Strategy;

pub use state::step;

/// What a rollout is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The function.
    pub function: FunctionName,
    /// Its alias.
    pub alias: AliasName,
    /// The version that is to serve.
    pub new: Version,
    /// How the weight rises.
    pub strategy: Strategy,
    /// By what it is judged, and how long it waits.
    pub options: Options,
    /// What is left to be done with the stack at the end.
    pub settle: Option<SettlePlan>,
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
    /// How long it is watched at 100 %; zero for not at all.
    pub bake: Duration,
    /// A step lasts until the new version served so many requests …
    pub min_requests: u64,
    /// … at most so much longer.
    pub max_hold: Duration,
    /// And then?
    pub on_no_data: OnNoData,
    /// When CloudWatch cannot be read for 15 minutes.
    pub on_outage: OnOutage,
    /// After so long it is taken back.
    pub timeout: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            alarms: Vec::new(),
            ignored_alarms: Vec::new(),
            limits: Vec::new(),
            bake: Defaults::BAKE,
            min_requests: Defaults::MIN_REQUESTS,
            max_hold: Defaults::MAX_HOLD,
            on_no_data: OnNoData::default(),
            on_outage: OnOutage::default(),
            timeout: None,
        }
    }
}

/// Why a rollout could not be begun, found or carried on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to AWS failed.
    #[error(transparent)]
    Aws(#[from] aws::Error),
    /// The journal is damaged.
    #[error(transparent)]
    Journal(#[from] store::ReadError),
    /// Something that was given cannot be.
    #[error(transparent)]
    NotA(#[from] names::NotA),
    /// Something speaks against it; nothing was touched.
    #[error("the rollout is refused: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
    /// Another rollout has the alias.
    #[error("{alias} has a rollout already, {} {holder}", if *alive { "driven by" } else { "left by" })]
    Held {
        /// The alias.
        alias: String,
        /// Who.
        holder: String,
        /// Whether that process seems to live.
        alive: bool,
    },
    /// There is no rollout to carry on.
    #[error("{alias} has no rollout under way")]
    NoRollout {
        /// The alias.
        alias: String,
    },
    /// There is no such alias.
    #[error("there is no alias {alias} of function {function}")]
    NoAlias {
        /// The function.
        function: FunctionName,
        /// The alias.
        alias: AliasName,
    },
    /// It is not known what to go back to.
    #[error("nothing tells which version {alias} served before version {current}")]
    NoWayBack {
        /// The alias.
        alias: String,
        /// What it serves.
        current: String,
        /// Versions that there are: number, date, `CodeSha256`, and the command.
        candidates: Vec<String>,
    },
    /// Somebody changed the alias at the same moment.
    #[error("{alias} was changed by somebody else at the same moment: it says {found} now")]
    Changed {
        /// The alias.
        alias: String,
        /// What it says.
        found: Content,
    },
    /// A write did not succeed.
    #[error("{alias} could not be written: {reason}")]
    Write {
        /// The alias.
        alias: String,
        /// Why.
        reason: String,
        /// The command that does it by hand.
        by_hand: String,
    },
    /// The driver itself failed; the journal says where.
    #[error("the rollout's driver ended: {0}")]
    Lost(String),
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Aws(error) => error.hints(),
            Self::Journal(_) => vec![
                "`samara rollout rollback --to-version N` needs no journal; then move the object away by hand."
                    .to_owned(),
            ],
            Self::Refused(refusals) => refusals.iter().flat_map(Hint::hints).collect(),
            Self::Held { alive: true, .. } => {
                vec!["Wait for it, or take it back with `samara rollout abort`.".to_owned()]
            }
            Self::Held { alive: false, .. } => vec![
                "Carry it on with `samara rollout resume`, or take it back with `samara rollout abort`.".to_owned(),
            ],
            Self::NoRollout { .. } => {
                vec!["`samara rollout status` shows the alias; `samara rollout start` begins one.".to_owned()]
            }
            Self::NoWayBack { candidates, .. } => {
                let mut hints =
                    vec!["Name the version (the one before by number may be one that was rejected):".to_owned()];
                hints.extend(candidates.iter().cloned());
                hints
            }
            Self::Write { by_hand, .. } => vec![format!("By hand: {by_hand}")],
            Self::Changed { .. } => vec!["Look at it with `samara rollout status` and decide again.".to_owned()],
            Self::NoAlias { .. } => vec!["`aws lambda list-aliases` lists what there is.".to_owned()],
            Self::NotA(_) | Self::Lost(_) => Vec::new(),
        }
    }
}

/// A plan, what the alias says, and what could not be found out.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// The alias, as it was read.
    pub alias: Seen,
    /// What a person should know before it starts.
    pub warnings: Vec<String>,
}

/// Finds out everything that has to be known, and makes the plan. Changes nothing.
///
/// # Errors
/// Something speaks against it, or cannot be read.
pub async fn prepare(request: &Request, services: &Services) -> Result<Prepared, Error> {
    let Request { function, alias, new, strategy, options, settle } = request;
    let Services { driver, cloudwatch, clock, .. } = services;
    let no_alias = || Error::NoAlias { function: function.clone(), alias: alias.clone() };
    let seen = driver.read().await?.ok_or_else(no_alias)?;
    let old: Version = seen.content.version.parse().map_err(|_| {
        Error::Refused(vec![Refusal::NotPublished {
            alias: format!("{function}:{alias}"),
            version: seen.content.version.clone(),
        }])
    })?;
    let now = clock.now();
    let (facts, baseline, alarms) = tokio::join!(
        driver.facts(seen.content.clone(), old, *new),
        evidence::baseline(cloudwatch, function, alias, now),
        evidence::read_alarms(cloudwatch, &options.alarms),
    );
    let (facts, mut warnings) = facts?;
    // Who goes on blind later goes on blind now; everybody else finds out before anything is touched.
    let goes_on_blind = options.on_outage == OnOutage::Continue;
    let mut blind = |error: &aws::Error| warnings.push(format!("going on without metrics or alarms: {error}"));
    let baseline = match baseline {
        Err(error) if goes_on_blind => {
            blind(&error);
            Baseline { phi: 1.0, ..Baseline::default() }
        }
        other => other?,
    };
    let alarms = match alarms {
        Err(error) if goes_on_blind => {
            blind(&error);
            Vec::new()
        }
        other => other?,
    };
    let all_at_once = strategy.steps().is_empty();
    let mut refusals = plan::refusals(function, alias, old, *new, all_at_once, &facts);
    refusals.extend(alarm_refusals(&alarms, &options.ignored_alarms, &mut warnings));
    if !refusals.is_empty() {
        return Err(Error::Refused(refusals));
    }
    let of_new = facts.new.unwrap_or_default();
    let timeout_s = facts.old.map_or(0, |old| old.timeout_s).max(of_new.timeout_s);
    let limits = options.limits.clone();
    let plan = Plan {
        function: function.clone(),
        alias: alias.clone(),
        old,
        new: *new,
        new_code_sha256: Some(of_new.code_sha256).filter(|hash| !hash.is_empty()),
        strategy: strategy.clone(),
        criteria: Criteria { alpha: Defaults::ALPHA, limits, baseline, timeout_s },
        alarms: options.alarms.clone(),
        ignored_alarms: options.ignored_alarms.clone(),
        bake_s: options.bake.as_secs(),
        min_requests: options.min_requests,
        max_hold_s: options.max_hold.as_secs(),
        on_no_data: options.on_no_data,
        outage_s: Defaults::OUTAGE.as_secs(),
        on_outage: options.on_outage,
        settle: settle.clone(),
        created: now,
    };
    Ok(Prepared { plan, alias: seen, warnings })
}

fn alarm_refusals(readings: &[AlarmReading], ignored: &[String], warnings: &mut Vec<String>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for reading in readings {
        let name = reading.name.clone();
        match reading.state {
            AlarmState::Ok => {}
            AlarmState::Alarm if ignored.contains(&name) => {}
            AlarmState::Alarm => refusals.push(Refusal::AlarmFires { name, reason: reading.reason.clone() }),
            AlarmState::Missing => refusals.push(Refusal::NoAlarm { name }),
            AlarmState::InsufficientData => {
                warnings.push(format!("alarm {name} has insufficient data: it is not in ALARM, and not OK either"));
            }
        }
    }
    refusals
}

/// Refuses where the alias has a rollout already. Changes nothing.
///
/// # Errors
/// There is one ([`Error::Held`]), or the journal cannot be read.
pub async fn ensure_not_held(services: &Services, function: &FunctionName, alias: &AliasName) -> Result<(), Error> {
    match services.store.find().await? {
        Some(found) if !found.record.state.is_finished() => Err(held(services, &found, function, alias)),
        _ => Ok(()),
    }
}

/// Refuses where the alias has a rollout already; moves a finished journal out of the way.
///
/// # Errors
/// There is one ([`Error::Held`]), or the journal cannot be read.
pub async fn ensure_free(services: &Services, function: &FunctionName, alias: &AliasName) -> Result<(), Error> {
    let Some(found) = services.store.find().await? else { return Ok(()) };
    if found.record.state.is_finished() {
        services.store.retire_found(&found).await?;
        return Ok(());
    }
    Err(held(services, &found, function, alias))
}

fn held(services: &Services, found: &Found, function: &FunctionName, alias: &AliasName) -> Error {
    let alive = found.driver(&services.me, owner::is_alive);
    let holder = match (alive, &found.record.owner) {
        (Some(owner), _) | (None, Some(owner)) => owner.name.clone(),
        (None, None) => format!("its driver ({})", verdict::phase_words(&found.record.state)),
    };
    Error::Held { alias: format!("{function}:{alias}"), holder, alive: alive.is_some() }
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
    ensure_free(services, &request.function, &request.alias).await?;
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
    services.store.begin(services.clock.now()).await;
    let state = State::new(prepared.plan, prepared.alias);
    run::drive(state, What::Begin, services, signals, timeout, sink).await
}

/// Takes over a rollout that was left, or (to abort it) one that is driven elsewhere.
///
/// # Errors
/// There is none; its driver lives (for anything that does not go back); the journal cannot be read.
pub async fn take_over(
    function: &FunctionName,
    alias: &AliasName,
    purpose: Purpose,
    timeout: Option<Duration>,
    services: &Services,
    signals: &mut mpsc::Receiver<Signal>,
    sink: Sink<'_>,
) -> Result<Verdict, Error> {
    let found = wait_for_driver(function, alias, purpose, services, sink).await?;
    services.store.take_over(&found).await;
    run::drive(found.record.state, What::TakeOver(purpose), services, signals, timeout, sink).await
}

/// A driver that died leaves a heartbeat that grows old; one that lives renews it.
async fn wait_for_driver(
    function: &FunctionName,
    alias: &AliasName,
    purpose: Purpose,
    services: &Services,
    sink: Sink<'_>,
) -> Result<Found, Error> {
    let patience: Time = services.clock.now() + store::STALE_AFTER * 2;
    let mut first_nonce: Option<String> = None;
    loop {
        let none = || Error::NoRollout { alias: format!("{function}:{alias}") };
        let found = services.store.find().await?.ok_or_else(none)?;
        let Some(driver) = found.driver(&services.me, owner::is_alive).cloned() else { return Ok(found) };
        // Its next write will be refused by the fence: taking it back is safe at any time.
        if purpose.goes_back() {
            return Ok(found);
        }
        let renewed = first_nonce.as_ref().is_some_and(|nonce| *nonce != found.record.nonce);
        if renewed || services.clock.now() > patience {
            return Err(Error::Held { alias: format!("{function}:{alias}"), holder: driver.name, alive: true });
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
    pub history: Vec<journal::Record>,
}

/// Reads alias, journal and history. Changes nothing.
///
/// # Errors
/// One of them cannot be read.
pub async fn status(services: &Services, history: usize) -> Result<Report, Error> {
    let alias = services.driver.read().await?;
    let current = services.store.find().await?;
    let driver =
        current.as_ref().and_then(|found| found.driver(&services.me, owner::is_alive)).map(|owner| owner.name.clone());
    let history = services.store.history(history).await?;
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
    function: &FunctionName,
    alias: &AliasName,
    seen: Seen,
    to: Version,
) -> Result<RolledBack, Error> {
    /// Lost answers and busy moments; a person waits for this.
    const ATTEMPTS: u32 = 8;
    let name = || format!("{function}:{alias}");
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
                Ok(None) => return Err(Error::NoAlias { function: function.clone(), alias: alias.clone() }),
                Err(error) => {
                    reason = error.to_string();
                    continue;
                }
            }
        }
        match driver.write(&seen.revision, &to).await {
            Ok(_) => return Ok(RolledBack { from, to }),
            Err(state::WriteTrouble::Denied(error) | state::WriteTrouble::Gone(error)) => {
                let by_hand = by_hand(function, alias, &to);
                return Err(Error::Write { alias: name(), reason: error, by_hand });
            }
            Err(trouble) => reason = format!("{trouble:?}"),
        }
    }
    Err(Error::Write { alias: name(), reason, by_hand: by_hand(function, alias, &to) })
}

/// The version that served before the last rollout, from the journal's history: only where what
/// serves now is what that rollout brought.
pub fn served_before(history: &[journal::Record], current: &Content) -> Option<Version> {
    let last = history.iter().find(|record| record.state.phase == Phase::Succeeded)?;
    let plan = &last.state.plan;
    (*current == Content::whole(plan.new)).then_some(plan.old)
}
