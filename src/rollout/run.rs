//! The loop: performs what the machine asks for and turns what came back into events.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::analysis::Standing;
use super::clock::Clock;
use super::driver::alias::Driver;
use super::journal::Owner;
use super::names::{AliasId, Time};
use super::plan::{Plan, SettlePlan};
use super::state::{Action, Entry, Event, Phase, State, Stop, TaskTrouble, What, Why, step};
use super::store::{Store, WriteError};
use super::{Error, evidence, hook};
use crate::aws::cloudwatch::CloudWatch;
use crate::aws::lambda::Lambda;
use crate::pace::Pace;

/// How often time is told to the machine.
const TICK: Duration = Duration::from_secs(1);
/// On a sandbox that runs fast the machine still gets its turns in real time.
const SHORTEST_TICK: Duration = Duration::from_millis(20);

/// What brings the stack's template in line at the end; `deploy` knows how.
pub trait Settle: Send + Sync {
    /// Does it. Doing it twice is doing it once.
    ///
    /// # Errors
    /// Why it did not work, in plain words.
    fn settle<'a>(&'a self, plan: &'a SettlePlan) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;
}

/// Everything that a rollout needs of the world.
#[derive(Clone)]
pub struct Services {
    /// The aliases.
    pub lambda: Lambda,
    /// Metrics and alarms.
    pub cloudwatch: CloudWatch,
    /// The journal.
    pub store: Store,
    /// The services' time.
    pub clock: Clock,
    /// Who this process is.
    pub me: Owner,
    /// What settles the stack; without it a plan that has something to settle stops there.
    pub settle: Option<Arc<dyn Settle>>,
}

impl Services {
    /// What reads and writes an alias.
    pub fn driver(&self, id: &AliasId) -> Driver {
        Driver::new(self.lambda.clone(), id.clone(), self.clock.clone())
    }
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("lambda", &self.lambda).field("store", &self.store).finish_non_exhaustive()
    }
}

/// What a person, or the system, says to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Go back, and end.
    RollBack,
    /// Leave the weight as it is, and end.
    Hold,
    /// On to the next step.
    Promote,
    /// Wait at this weight.
    Pause,
    /// Do what is due, then leave it for a later `resume`.
    Leave,
    /// Go back, as another function of the stack does.
    Together,
}

/// Why a function goes back that has done nothing.
pub(super) fn together() -> Why {
    let reason = "it goes back, and all of a stack go together".to_owned();
    Why::Check { what: "another function of the stack".to_owned(), reason }
}

/// What is told while it runs.
#[derive(Clone, Debug)]
pub enum Progress {
    /// The plan, before it starts.
    Planned(Box<Plan>),
    /// Something happened; it is in the journal too.
    Happened(Entry),
    /// A look was taken.
    Looked {
        /// When.
        at: Time,
        /// Where it is.
        phase: Phase,
        /// Where the evidence stands, of the alias with this index and of all together.
        alias: usize,
        /// The numbers.
        standing: Box<Standing>,
    },
    /// Something does not work at the moment and is tried again.
    Trouble {
        /// When.
        at: Time,
        /// What.
        text: String,
    },
    /// Waiting for something outside.
    Waiting(String),
}

/// Where progress goes.
pub type Sink<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// How it ended, for this process.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The state that it ended in.
    pub state: State,
    /// How this driver ended.
    pub stop: Stop,
    /// When it ended.
    pub at: Time,
    /// What the end of the journal could not be told: the history lacks it.
    pub unrecorded: bool,
}

/// Drives a state until it stops. The first event is [`What::Begin`] or [`What::TakeOver`].
///
/// # Errors
/// The journal could not be created: another rollout has the alias, or S3 cannot be reached.
/// Nothing was touched then.
pub(super) async fn drive(
    state: State,
    first: What,
    services: &Services,
    signals: &mut mpsc::Receiver<Signal>,
    timeout: Option<Duration>,
    sink: Sink<'_>,
) -> Result<Verdict, Error> {
    let clock = &services.clock;
    let deadline = timeout.map(|timeout| clock.now() + timeout);
    let tick = clock.real_duration(TICK).max(SHORTEST_TICK);
    let mut performing: JoinSet<Done> = JoinSet::new();
    let mut queue = VecDeque::from([first]);
    let mut state = state;
    let (mut timed_out, mut listening) = (false, true);
    loop {
        let what = match queue.pop_front() {
            Some(what) => what,
            None => tokio::select! {
                biased;
                Some(done) = performing.join_next(), if !performing.is_empty() => match done {
                    Ok(done) => {
                        if let Some(text) = done.trouble {
                            sink(Progress::Trouble { at: clock.now(), text });
                        }
                        if let (Phase::Planned, Some(error)) = (&state.phase, done.fatal) {
                            return Err(error);
                        }
                        done.what
                    }
                    // A task that panicked never answers: to the machine the process has died.
                    Err(error) => return Err(Error::Lost(error.to_string())),
                },
                signal = signals.recv(), if listening => match signal {
                    Some(signal) => what_of(signal),
                    None => { listening = false; What::Tick }
                },
                () = clock.pace().sleep(tick) => What::Tick,
            },
        };
        let looked = matches!(what, What::Looked(Ok(_)));
        let told = state.entries.back().cloned();
        let now = clock.now();
        let actions;
        (state, actions) = step(state, Event { at: now, what });
        tell(&state, told.as_ref(), looked, sink);
        if let Some(stop) = state.live.stop.clone() {
            // What is under way is finished: an alias write that was sent is not forgotten half-way.
            finish(&mut performing, clock.pace()).await;
            let unrecorded = !state.is_recorded();
            return Ok(Verdict { state, stop, at: clock.now(), unrecorded });
        }
        for action in actions {
            let (services, snapshot) = (services.clone(), state.clone());
            performing.spawn(async move { perform(action, snapshot, &services).await });
        }
        if !timed_out && deadline.is_some_and(|deadline| now >= deadline) {
            timed_out = true;
            queue.push_back(What::Back(Why::TimedOut));
        }
    }
}

async fn finish(performing: &mut JoinSet<Done>, pace: &Pace) {
    const LONGEST: Duration = Duration::from_secs(15);
    let all = async { while performing.join_next().await.is_some() {} };
    if pace.timeout(LONGEST, all).await.is_none() {
        performing.abort_all();
    }
}

fn what_of(signal: Signal) -> What {
    match signal {
        Signal::RollBack => What::Back(Why::Interrupted),
        Signal::Hold => What::Hold,
        Signal::Promote => What::Promote,
        Signal::Pause => What::Pause,
        Signal::Leave => What::Leave,
        Signal::Together => What::Back(together()),
    }
}

fn tell(state: &State, told: Option<&Entry>, looked: bool, sink: Sink<'_>) {
    // Entries are only ever added behind the last one that was told, and old ones dropped in front.
    let from = told.and_then(|told| state.entries.iter().rposition(|entry| entry == told)).map_or(0, |at| at + 1);
    for entry in state.entries.iter().skip(from) {
        sink(Progress::Happened(entry.clone()));
    }
    if let (true, Some((alias, standing))) = (looked, state.standing()) {
        let standing = Box::new(standing);
        sink(Progress::Looked { at: state.now(), phase: state.phase.clone(), alias, standing });
    }
}

struct Done {
    what: What,
    trouble: Option<String>,
    /// Where nothing has begun yet, this ends it.
    fatal: Option<Error>,
}

impl Done {
    fn well(what: What) -> Self {
        Self { what, trouble: None, fatal: None }
    }

    fn with_trouble(what: What, trouble: impl ToString) -> Self {
        Self { what, trouble: Some(trouble.to_string()), fatal: None }
    }
}

async fn perform(action: Action, state: State, services: &Services) -> Done {
    let Services { cloudwatch, store, clock, me, settle, .. } = services;
    let plan = &state.plan;
    let of = |alias: usize| plan.aliases.get(alias).map(|plan| (plan, services.driver(&plan.id)));
    match action {
        Action::WriteJournal(seq) => {
            let owner = (!state.is_parked() && !state.is_left()).then(|| me.clone());
            match store.write(&state, owner).await {
                Ok(()) => Done::well(What::Journalled(seq)),
                Err(error) => write_failed(error, &state),
            }
        }
        Action::ReadAlias { alias, ticket } => {
            let Some((_, driver)) = of(alias) else { return Done::well(What::Tick) };
            match driver.read().await {
                Ok(found) => Done::well(What::AliasRead(alias, ticket, Ok(found))),
                Err(error) => Done::with_trouble(What::AliasRead(alias, ticket, Err(error.to_string())), &error),
            }
        }
        Action::WriteAlias { alias, expect, content } => {
            let Some((plan, driver)) = of(alias) else { return Done::well(What::Tick) };
            match driver.write(&expect, &content).await {
                Ok(revision) => Done::well(What::AliasWritten(alias, Ok(revision))),
                Err(trouble) => {
                    let text = format!("writing {} ({content}) did not succeed: {trouble:?}", plan.id);
                    Done::with_trouble(What::AliasWritten(alias, Err(trouble)), text)
                }
            }
        }
        Action::CheckVersion { alias } => match of(alias) {
            Some((plan, driver)) => Done::well(What::VersionIs(alias, driver.readiness(plan.new).await)),
            None => Done::well(What::Tick),
        },
        Action::Perform(task) => match hook::perform(&services.lambda, plan, task).await {
            Ok(()) => Done::well(What::Performed(task, Ok(()))),
            Err(trouble @ TaskTrouble::Failed(_)) => Done::well(What::Performed(task, Err(trouble))),
            Err(TaskTrouble::NotRun(reason)) => {
                let text = format!("{} could not be run: {reason}", plan.task_words(task));
                Done::with_trouble(What::Performed(task, Err(TaskTrouble::NotRun(reason))), text)
            }
        },
        Action::Look { from, whole_from } => {
            match evidence::read(cloudwatch, plan, from, whole_from, clock.now()).await {
                Ok(reading) => Done::well(What::Looked(Ok(reading))),
                Err(error) => Done::with_trouble(What::Looked(Err(error.to_string())), &error),
            }
        }
        Action::Settle => {
            let result = match (&plan.settle, settle) {
                (Some(plan), Some(settle)) => settle.settle(plan).await,
                (Some(plan), None) => Err(format!("this process cannot update stack {}", plan.stack)),
                (None, _) => Ok(()),
            };
            Done::well(What::Settled(result))
        }
        Action::Retire => match store.retire(&state).await {
            Ok(()) => Done::well(What::Retired),
            // It stays where it is, finished; the next start moves it.
            Err(error) => Done::with_trouble(What::Retired, &error),
        },
    }
}

fn write_failed(error: WriteError, state: &State) -> Done {
    let name = state.plan.ids().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match error {
        WriteError::Lost { holder, paused } => Done {
            what: What::JournalLost { holder: holder.clone(), paused },
            trouble: None,
            fatal: Some(Error::Held { alias: name, holder, alive: true }),
        },
        WriteError::Gone => Done::well(What::JournalGone),
        WriteError::Unreachable(error) => {
            Done { what: What::JournalUnreachable, trouble: Some(error.to_string()), fatal: Some(Error::Aws(error)) }
        }
        WriteError::Damaged(damage) => Done {
            what: What::JournalUnreachable,
            trouble: Some(format!("the journal was not written: {damage}")),
            fatal: Some(Error::Lost(damage.to_string())),
        },
    }
}
