//! The loop of the watching machine: looks at what it asks for, and turns what came back into events.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::machine::{Action, Deployed, Event, Observation, Provisioned, Stack, StopTrouble, Watch, What, step};
use crate::aws::codedeploy::{CodeDeploy, Deployment, Routing};
use crate::aws::{self, Aws, ErrorKind};
use crate::rollout::analysis::{self, Baseline, Criteria};
use crate::rollout::content::{Content, Seen};
use crate::rollout::names::{AliasId, NotA, Version};
use crate::rollout::plan::{AliasPlan, Defaults, Engine, OnNoData, Plan};
use crate::rollout::refusal::Facts;
use crate::rollout::run::{Progress, Services, Signal, Sink, Verdict, together};
use crate::rollout::state::{Entry, Happening, Purpose, State, Stop, Why};
use crate::rollout::store::WriteError;
use crate::rollout::strategy::Strategy;
use crate::rollout::{Error, Options, evidence, wait_for_driver};

/// How often time is told to the machine.
const TICK: Duration = Duration::from_secs(1);
/// On a sandbox that runs fast the machine still gets its turns in real time.
const SHORTEST_TICK: Duration = Duration::from_millis(20);
/// What the deployment's own configuration is called before its name.
const PREDEFINED: &str = "CodeDeployDefault.Lambda";

/// What an alias was before the stack's update: read while it is wholly on its old version.
#[derive(Clone, Debug)]
pub struct Before {
    id: AliasId,
    seen: Seen,
    old: Version,
    baseline: Baseline,
}

/// The deployment of an alias, and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deploying {
    /// `d-…`.
    pub id: String,
    /// The stack whose update began it.
    pub stack: String,
}

impl Before {
    /// What the alias said.
    pub fn content(&self) -> &Content {
        &self.seen.content
    }
}

/// A deployment that was found, and everything that is known of it.
#[derive(Clone, Debug)]
pub struct Found {
    /// What CodeDeploy does.
    pub plan: Plan,
    /// What was before.
    pub before: Before,
    /// The deployment.
    pub deploying: Deploying,
}

/// Reads what has to be known before the update begins.
///
/// # Errors
/// The alias is not there or not on a published version; it cannot be read.
pub async fn before(id: &AliasId, options: &Options, services: &Services) -> Result<Before, Error> {
    let no_alias = || Error::NoAlias { function: id.function.clone(), alias: id.alias.clone() };
    let seen = services.driver(id).read().await?.ok_or_else(no_alias)?;
    let old: Version = seen.content.version.parse()?;
    let extras = analysis::extras(&options.metrics, &options.limits);
    let baseline =
        evidence::baseline(&services.cloudwatch, &id.function, &id.alias, old, extras, services.clock.now()).await?;
    Ok(Before { id: id.clone(), seen, old, baseline })
}

/// The plan of what CodeDeploy does by itself.
///
/// # Errors
/// The deployment's versions or its configuration cannot be read.
pub async fn plan(
    aws: &Aws,
    before: &Before,
    deployment: &str,
    options: &Options,
    services: &Services,
) -> Result<Option<Plan>, Error> {
    let codedeploy = aws.codedeploy();
    let Before { id, seen, old, baseline } = before;
    let target = codedeploy.target(deployment, id.function.as_str(), id.alias.as_str()).await?;
    let Some(target) = target else { return Ok(None) };
    let new: Version = target.target.parse()?;
    let strategy = strategy(&codedeploy, &codedeploy.deployment(deployment).await?.config).await?;
    let (facts, _) = services.driver(id).facts(seen.content.clone(), *old, new).await?;
    let Facts { old: of_old, new: of_new, .. } = facts;
    let of_new = of_new.unwrap_or_default();
    let timeout_s = of_old.map_or(0, |old| old.timeout_s).max(of_new.timeout_s);
    let alias = AliasPlan {
        id: id.clone(),
        old: *old,
        new,
        new_code_sha256: Some(of_new.code_sha256).filter(|hash| !hash.is_empty()),
        strategy,
        criteria: Criteria {
            limits: options.limits.clone(),
            metrics: options.metrics.clone(),
            ..Criteria::new(Defaults::ALPHA, baseline.clone(), timeout_s)
        },
    };
    Ok(Some(Plan {
        engine: Engine::CodeDeploy,
        aliases: vec![alias],
        alarms: options.alarms.clone(),
        ignored_alarms: options.ignored_alarms.clone(),
        bake_s: options.bake.as_secs(),
        min_requests: 0,
        max_hold_s: 0,
        on_no_data: OnNoData::Continue,
        outage_s: Defaults::OUTAGE.as_secs(),
        on_outage: options.on_outage,
        observe_only: options.observe_only,
        probe: false,
        warm_up: None,
        hooks: Vec::new(),
        // CodeDeploy tells them itself.
        triggers: Vec::new(),
        settle: None,
        created: services.clock.now(),
    }))
}

/// A deployment configuration as a strategy: AWS's own by their names, custom ones by what they say.
///
/// # Errors
/// It cannot be read.
pub async fn strategy(codedeploy: &CodeDeploy, config: &str) -> Result<Strategy, Error> {
    if let Some(Ok(known)) = config.strip_prefix(PREDEFINED).map(str::parse) {
        return Ok(known);
    }
    let text = match codedeploy.routing(config).await? {
        Routing::AllAtOnce => "AllAtOnce".to_owned(),
        Routing::Canary { percent, minutes } => format!("canary:{percent}%:{minutes}m"),
        Routing::Linear { percent, minutes } => format!("linear:{percent}%:{minutes}m"),
    };
    text.parse().map_err(|error: NotA| error.into())
}

/// Watches a deployment that has just been found, to its end.
///
/// # Errors
/// Another rollout has the alias, or its journal cannot be written.
pub async fn start(
    aws: &Aws,
    found: Found,
    timeout: Option<Duration>,
    services: &Services,
    signals: &mut mpsc::Receiver<Signal>,
    sink: Sink<'_>,
) -> Result<Verdict, Error> {
    let Found { plan, before, deploying } = found;
    sink(Progress::Planned(Box::new(plan.clone())));
    services.store.begin(plan.ids(), services.clock.now()).await;
    let mut watch = Watch::new(State::new(plan, vec![before.seen]));
    watch.watches(&[(deploying.id.clone(), deploying.stack.clone())], services.clock.now());
    let world = World { aws, deploying: &[deploying], services };
    drive(watch, What::Begin, world, timeout, signals, sink).await
}

/// Takes over the watch that another process left.
///
/// # Errors
/// There is none; its driver lives; it cannot be done with this engine; the journal cannot be read.
pub async fn take_over(
    aws: &Aws,
    id: &AliasId,
    purpose: Purpose,
    timeout: Option<Duration>,
    services: &Services,
    signals: &mut mpsc::Receiver<Signal>,
    sink: Sink<'_>,
) -> Result<Verdict, Error> {
    if !purpose.goes_back() && purpose != Purpose::Resume {
        return Err(Error::NotWithCodeDeploy { alias: id.to_string() });
    }
    /// A process that lives writes every few seconds: being overtaken by it twice in a row is rare.
    const OVERTAKEN: usize = 10;
    let mut overtaken = 0;
    loop {
        let found = wait_for_driver(id, purpose, services, sink).await?;
        let state = found.record.state.clone();
        let deploying = deployments(&state);
        if deploying.len() != state.aliases.len() {
            return Err(Error::Lost(format!("the journal of {id} does not name its deployment")));
        }
        services.store.take_over(&found).await;
        let world = World { aws, deploying: &deploying, services };
        let verdict = drive(Watch::new(state), What::TakeOver(purpose), world, timeout, signals, sink).await?;
        let missed = matches!(verdict.stop, Stop::LostFence { .. }) && verdict.unrecorded;
        overtaken += 1;
        if !(missed && purpose.goes_back()) || overtaken >= OVERTAKEN {
            return Ok(verdict);
        }
    }
}

/// The deployments that a journal names, one an alias.
fn deployments(state: &State) -> Vec<Deploying> {
    let of = |index: usize| {
        state.entries.iter().rev().find_map(|entry| match &entry.what {
            Happening::Watching { alias, deployment, stack } if *alias == index => {
                Some(Deploying { id: deployment.clone(), stack: stack.clone() })
            }
            _ => None,
        })
    };
    (0..state.aliases.len()).filter_map(of).collect()
}

/// What is watched, and by what.
#[derive(Clone, Copy)]
struct World<'a> {
    aws: &'a Aws,
    deploying: &'a [Deploying],
    services: &'a Services,
}

async fn drive(
    watch: Watch,
    first: What,
    world: World<'_>,
    timeout: Option<Duration>,
    signals: &mut mpsc::Receiver<Signal>,
    sink: Sink<'_>,
) -> Result<Verdict, Error> {
    let World { aws, deploying, services } = world;
    let clock = &services.clock;
    let deadline = timeout.map(|timeout| clock.now() + timeout);
    let tick = clock.real_duration(TICK).max(SHORTEST_TICK);
    let mut performing: JoinSet<Done> = JoinSet::new();
    let mut queue = VecDeque::from([first]);
    let (mut watch, mut timed_out, mut listening) = (watch, false, true);
    let mut told = 0;
    loop {
        let what = match queue.pop_front() {
            Some(what) => what,
            None => tokio::select! {
                biased;
                Some(done) = performing.join_next(), if !performing.is_empty() => match done {
                    Ok(Done { what, trouble }) => {
                        if let Some(text) = trouble {
                            sink(Progress::Trouble { at: clock.now(), text });
                        }
                        what
                    }
                    Err(error) => return Err(Error::Lost(error.to_string())),
                },
                signal = signals.recv(), if listening => match signal {
                    Some(Signal::RollBack) => What::Back(Why::Interrupted),
                    Some(Signal::Together) => What::Back(together()),
                    Some(Signal::Hold | Signal::Leave) => What::Hold,
                    // AWS waits for nobody.
                    Some(Signal::Promote | Signal::Pause) => What::Tick,
                    None => { listening = false; What::Tick }
                },
                () = clock.pace().sleep(tick) => What::Tick,
            },
        };
        let looked = matches!(what, What::Looked(Ok(_)));
        let actions;
        (watch, actions) = step(watch, Event { at: clock.now(), what });
        told = tell(&watch, told, looked, sink);
        if let Some(stop) = watch.stop.clone() {
            while performing.join_next().await.is_some() {}
            let unrecorded = !watch.is_recorded();
            return Ok(Verdict { state: watch.state, stop, at: clock.now(), unrecorded });
        }
        for action in actions {
            let (aws, services, state) = (aws.clone(), services.clone(), watch.state.clone());
            let deploying = deploying.to_vec();
            performing.spawn(async move { perform(action, state, &deploying, &aws, &services).await });
        }
        if !timed_out && deadline.is_some_and(|deadline| clock.now() >= deadline) {
            timed_out = true;
            queue.push_back(What::Back(Why::TimedOut));
        }
    }
}

/// Tells what is new; gives how many entries have been told.
fn tell(watch: &Watch, told: usize, looked: bool, sink: Sink<'_>) -> usize {
    let entries: Vec<&Entry> = watch.state.entries.iter().collect();
    for entry in entries.iter().skip(told) {
        sink(Progress::Happened((*entry).clone()));
    }
    if let (true, Some((alias, standing))) = (looked, watch.state.standing()) {
        let standing = Box::new(standing);
        sink(Progress::Looked { at: watch.state.now(), phase: watch.state.phase.clone(), alias, standing });
    }
    entries.len()
}

struct Done {
    what: What,
    trouble: Option<String>,
}

fn well(what: What) -> Done {
    Done { what, trouble: None }
}

async fn perform(action: Action, state: State, deploying: &[Deploying], aws: &Aws, services: &Services) -> Done {
    match action {
        Action::WriteJournal(seq) => {
            let owner = (!state.is_parked()).then(|| services.me.clone());
            match services.store.write(&state, owner).await {
                Ok(()) => well(What::Journalled(seq)),
                Err(WriteError::Lost { holder, .. }) => well(What::JournalLost { holder }),
                Err(WriteError::Gone) => well(What::JournalGone),
                Err(WriteError::Unreachable(error)) => {
                    Done { what: What::JournalUnreachable, trouble: Some(error.to_string()) }
                }
                Err(WriteError::Damaged(damage)) => Done {
                    what: What::JournalUnreachable,
                    trouble: Some(format!("the journal was not written: {damage}")),
                },
            }
        }
        Action::Observe => match observe(&state, deploying, aws, services).await {
            Ok(seen) => well(What::Observed(Ok(seen))),
            Err(error) => Done { what: What::Observed(Err(error.to_string())), trouble: Some(error.to_string()) },
        },
        Action::Stop(alias) => {
            let Some(one) = deploying.get(alias) else { return well(What::Tick) };
            match aws.codedeploy().stop(&one.id).await {
                Ok(_) => well(What::Stopped(alias, Ok(()))),
                Err(error) => {
                    let denied = matches!(error.kind, ErrorKind::AccessDenied | ErrorKind::Credentials);
                    let text = error.to_string();
                    let trouble =
                        if denied { StopTrouble::Denied(text.clone()) } else { StopTrouble::Other(text.clone()) };
                    Done { what: What::Stopped(alias, Err(trouble)), trouble: Some(text) }
                }
            }
        }
        Action::Write { alias, expect, content } => {
            let Some(plan) = state.plan.aliases.get(alias) else { return well(What::Tick) };
            match services.driver(&plan.id).write(&expect, &content).await {
                Ok(revision) => well(What::Written(alias, Ok(revision))),
                Err(trouble) => {
                    let text = format!("writing {} ({content}) did not succeed: {trouble:?}", plan.id);
                    Done { what: What::Written(alias, Err(trouble)), trouble: Some(text) }
                }
            }
        }
        Action::Look { from, whole_from } => {
            let read = evidence::read(&services.cloudwatch, &state.plan, from, whole_from, services.clock.now()).await;
            match read {
                Ok(reading) => well(What::Looked(Ok(reading))),
                Err(error) => Done { what: What::Looked(Err(error.to_string())), trouble: Some(error.to_string()) },
            }
        }
        Action::Retire => match services.store.retire(&state).await {
            Ok(()) => well(What::Retired),
            Err(error) => Done { what: What::Retired, trouble: Some(error.to_string()) },
        },
    }
}

/// Looks at everything: deployments, then the stack, the aliases last. What is over before the stack
/// is idle does not move an alias any more.
async fn observe(
    state: &State,
    deploying: &[Deploying],
    aws: &Aws,
    services: &Services,
) -> Result<Observation, aws::Error> {
    let codedeploy = aws.codedeploy();
    let mut deployments = Vec::new();
    for one in deploying {
        deployments.push(deployed(&codedeploy, codedeploy.deployment(&one.id).await?).await?);
    }
    let mut stack = Stack::Idle { status: "DELETE_COMPLETE".to_owned(), updated: false };
    if let Some(one) = deploying.first()
        && let Some(found) = aws.cloudformation().stack(&one.stack).await?
    {
        stack = if found.status.is_in_progress() {
            Stack::Busy
        } else {
            Stack::Idle { updated: found.status.is_success(), status: found.status.0 }
        };
    }
    let (mut aliases, mut provisioned) = (Vec::new(), Vec::new());
    for plan in &state.plan.aliases {
        let (function, alias) = (plan.id.function.as_str(), plan.id.alias.as_str());
        provisioned.push(match services.lambda.provisioned(function, alias).await? {
            None => Provisioned::None,
            Some((status, reason)) => match status.as_str() {
                "READY" => Provisioned::Ready,
                "FAILED" => Provisioned::Failed(reason),
                _ => Provisioned::InProgress,
            },
        });
        aliases.push(services.driver(&plan.id).read().await?);
    }
    Ok(Observation { deployments, stack, aliases, provisioned })
}

async fn deployed(codedeploy: &CodeDeploy, one: Deployment) -> Result<Deployed, aws::Error> {
    if !one.is_over() {
        return Ok(Deployed::Running);
    }
    if one.is_success() {
        return Ok(Deployed::Succeeded);
    }
    let settled = match &one.rolled_back_by {
        Some(way_back) => codedeploy.deployment(way_back).await?.is_over(),
        None => true,
    };
    let (code, message) = one.error.unwrap_or_default();
    let reason = format!("deployment {} {}: {message} ({code})", one.id, one.status.to_lowercase());
    Ok(Deployed::Ended { reason, settled })
}
