//! What a seed decides, and how it goes: a plan, a version that is as good or worse, traffic, faults,
//! processes that die, freeze and meet each other, people who interfere; then calm.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::super::content::Content;
use super::super::super::names::{AliasId, Version, Weight};
use super::super::super::plan::Plan;
use super::super::super::run::{Progress, Signal, Verdict};
use super::super::super::state::{Phase, Purpose, Why};
use super::super::super::{Error, Options, Request, Target, start, take_over};
use super::check::{self, Facts};
use super::fault::{Call, Fault, Service};
use super::gate::{Gate, Gated};
use super::history::{History, What, Who};
use super::world::{Broken, Death, World};
use crate::pace::Pace;

/// How the end of a process that was killed is told.
pub(super) const KILLED: &str = "killed";
/// The longest calm until everything is over: pauses, staleness, a whole plan.
const LONGEST_CALM: Duration = Duration::from_secs(4 * 3600);
const FUNCTIONS: [&str; 2] = ["hello", "other"];

/// Everything that a seed decides.
#[derive(Clone, Debug)]
struct Script {
    /// How many aliases move together.
    functions: usize,
    strategy: &'static str,
    bake_s: u64,
    min_requests: u64,
    /// Requests in a minute.
    traffic: u32,
    /// The new version's share of errors, in percent.
    errors: u32,
    /// How many calls in a thousand go wrong.
    faults: u32,
    /// Services that do not answer at all for a while: which, from when, until when.
    blackouts: Vec<(Service, u64, u64)>,
    /// Processes: when they come, what for, how they die, how far their clocks are off.
    cast: Vec<Role>,
    /// When somebody else does what.
    people: Vec<(u64, Deed)>,
    /// After so many seconds nothing goes wrong any more, and nobody lives.
    calm_s: u64,
    /// What is done in the calm.
    goes_back: bool,
}

#[derive(Clone, Debug)]
struct Role {
    at_s: u64,
    purpose: Option<Purpose>,
    death: Option<Death>,
    dies_at_s: Option<u64>,
    frozen: Option<(u64, u64)>,
    signal: Option<(u64, Signal)>,
    skew_s: u64,
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    EditsDescription,
    ThirdVersion,
    OtherWeight,
    TakesBack,
    DeletesJournal,
}

fn one_of<T: Clone>(random: &mut ChaCha8Rng, all: &[T]) -> T {
    all[random.random_range(0..all.len())].clone()
}

impl Script {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        let strategies = [
            "canary:10%:2m",
            "steps:10%:1m,50%:1m",
            "AllAtOnce",
            "linear:25%:1m",
            "steps:5%:1m,pause,50%:1m",
            "canary:50%:1m",
        ];
        let calm_s = random.random_range(120..1500);
        let mut blackouts = Vec::new();
        if random.random_bool(0.35) {
            let service = one_of(random, &[Service::Lambda, Service::S3, Service::CloudWatch, Service::Sts]);
            let from = random.random_range(0..calm_s);
            blackouts.push((service, from, from + random.random_range(20..1200)));
        }
        let mut cast = vec![Role::draw(random, 0, None)];
        for _ in 0..one_of(random, &[0, 0, 1, 1, 2]) {
            let purpose = one_of(
                random,
                &[None, Some(Purpose::Resume), Some(Purpose::Resume), Some(Purpose::Abort), Some(Purpose::Promote)],
            );
            let at_s = random.random_range(0..calm_s);
            cast.push(Role::draw(random, at_s, purpose));
        }
        let mut people = Vec::new();
        if random.random_bool(0.2) {
            let deeds = [
                Deed::EditsDescription,
                Deed::EditsDescription,
                Deed::ThirdVersion,
                Deed::OtherWeight,
                Deed::TakesBack,
                Deed::DeletesJournal,
            ];
            people.push((random.random_range(1..calm_s), one_of(random, &deeds)));
        }
        Self {
            functions: one_of(random, &[1, 1, 2]),
            strategy: one_of(random, &strategies),
            bake_s: one_of(random, &[0, 60, 120]),
            min_requests: one_of(random, &[0, 30]),
            traffic: one_of(random, &[0, 60, 600, 600]),
            errors: one_of(random, &[0, 0, 50]),
            faults: one_of(random, &[0, 10, 50, 200]),
            blackouts,
            cast,
            people,
            calm_s,
            goes_back: random.random_bool(0.4),
        }
    }

    fn functions(&self) -> &'static [&'static str] {
        &FUNCTIONS[..self.functions]
    }

    /// Whether anything could keep a good version from going to the end by itself.
    fn is_quiet(&self) -> bool {
        self.faults == 0 && self.blackouts.is_empty() && self.people.is_empty()
    }
}

impl Role {
    fn draw(random: &mut ChaCha8Rng, at_s: u64, purpose: Option<Purpose>) -> Self {
        let dies = random.random_range(0..4);
        let soon = |random: &mut ChaCha8Rng| at_s + random.random_range(1..900);
        let from = soon(random);
        Self {
            at_s,
            purpose,
            death: (dies < 2).then(|| Death { call: random.random_range(0..150), after: random.random_bool(0.5) }),
            dies_at_s: (dies == 2).then(|| soon(random)),
            frozen: random.random_bool(0.15).then(|| (from, from + random.random_range(20..400))),
            signal: random.random_bool(0.15).then(|| {
                let what = one_of(random, &[Signal::RollBack, Signal::Hold, Signal::Promote, Signal::Pause]);
                (soon(random), what)
            }),
            skew_s: one_of(random, &[0, 0, 0, 3, 90, 4000]),
        }
    }
}

/// How a process ended, for the story.
#[derive(Clone, Debug)]
enum End {
    /// As the engine says.
    Verdict(Phase),
    /// It did not begin.
    Refused(String),
    Killed,
}

/// What the processes have told meanwhile; only to know the plan.
type Told = Arc<Mutex<Option<Plan>>>;

struct Stage {
    world: World,
    script: Script,
    told: Told,
    began_s: u64,
}

/// Tells the story of a seed: what happened, what was broken, whether the new version serves.
pub(super) async fn tell(pace: Pace, seed: u64) -> (History, Vec<String>, Option<bool>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let script = Script::draw(&mut random);
    let world = match World::new(pace, script.functions()).await {
        Ok(world) => world,
        Err(error) => return (History::default(), vec![error], None),
    };
    let told = Told::default();
    let began_s = world.now_ms() / 1000;
    let stage = Arc::new(Stage { world: world.clone(), script, told, began_s });
    world.tell(Who::Person, What::Note(format!("{:?}", stage.script)));
    let traffic = tokio::spawn(stage.clone().traffic(random.random()));
    let mut broken = Vec::new();
    if let Err(error) = stage.clone().trouble(&mut random, &mut broken).await {
        broken.push(error);
    }
    world.calm();
    world.tell(Who::Person, What::Note("calm".to_owned()));
    let calm = stage.calm(&mut broken);
    if world.pace().timeout(LONGEST_CALM, calm).await.is_none() {
        broken.push(format!("4: no end within {LONGEST_CALM:?} of calm"));
    }
    traffic.abort();
    let mut aliases = Vec::new();
    for function in stage.script.functions() {
        match world.alias(function).await {
            Ok(left) => aliases.push((format!("{function}:live"), left)),
            Err(error) => broken.push(error),
        }
    }
    let history = world.history().clone();
    let plan = stage.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let whole = |version: &str| {
        let version: Option<Content> = version.parse::<Version>().ok().map(Content::whole);
        aliases.iter().all(|(_, left)| Some(left) == version.as_ref())
    };
    let end = if whole("2") { Some(true) } else { whole("1").then_some(false) };
    let signalled =
        |wanted: Signal| stage.script.cast.iter().any(|role| role.signal.is_some_and(|(_, signal)| signal == wanted));
    let facts = Facts {
        aliases,
        plan,
        promoted: signalled(Signal::Promote)
            || stage.script.cast.iter().any(|role| role.purpose == Some(Purpose::Promote))
            || stage.is_promoted(),
        forced: stage.was_forced(),
    };
    broken.extend(check::broken(&history, &facts));
    (history, broken, end)
}

impl Stage {
    fn since_began(&self) -> u64 {
        self.world.now_ms() / 1000 - self.began_s
    }

    async fn until(&self, at_s: u64) {
        let wait = (self.began_s + at_s).saturating_mul(1000).saturating_sub(self.world.now_ms());
        self.world.pace().sleep(Duration::from_millis(wait)).await;
    }

    fn is_promoted(&self) -> bool {
        self.said("calm: Promote")
    }

    fn was_forced(&self) -> bool {
        self.said("calm: Force")
    }

    fn said(&self, text: &str) -> bool {
        let history = self.world.history();
        history.events.iter().any(|event| matches!(&event.what, What::Started { purpose } if purpose == text))
    }

    /// Requests that reach the alias, and how they end; alarms and delays of metrics go on with it.
    async fn traffic(self: Arc<Self>, seed: u64) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for (function, minute) in
            self.script.functions().iter().flat_map(|function| (1..60).map(move |minute| (function, minute)))
        {
            self.world.requests(function, &[("1", self.script.traffic, 0)], Duration::from_secs(60 * minute));
        }
        loop {
            for function in self.script.functions() {
                let Ok(content) = self.world.alias(function).await else { continue };
                let all = self.script.traffic / 6;
                let mut left = all;
                let mut split = Vec::new();
                for (version, weight) in &content.weights {
                    let served = (0..all).filter(|_| random.random_bool(weight.fraction())).count();
                    let served = u32::try_from(served).unwrap_or(0);
                    left = left.saturating_sub(served);
                    split.push((version.clone(), served));
                }
                split.push((content.version.clone(), left));
                let split: Vec<(&str, u32, u32)> = split
                    .iter()
                    .map(|(version, served)| {
                        let errors = if version == "2" { served * self.script.errors / 100 } else { 0 };
                        (version.as_str(), *served, errors)
                    })
                    .collect();
                self.world.requests(function, &split, Duration::ZERO);
            }
            self.world.sandbox().tick().await;
            self.world.pace().sleep(Duration::from_secs(10)).await;
        }
    }

    /// Everything goes wrong.
    async fn trouble(self: Arc<Self>, random: &mut ChaCha8Rng, broken: &mut Vec<String>) -> Result<(), Broken> {
        let (seed, stage) = (random.random::<u64>(), self.clone());
        self.world.script(move |process, call, number| stage.goes_wrong(seed, process, call, number));
        let mut running = Vec::new();
        for (number, role) in self.script.cast.iter().enumerate() {
            running.push(tokio::spawn(self.clone().play(number, role.clone())));
        }
        for (at_s, deed) in &self.script.people {
            tokio::spawn(self.clone().interfere(*at_s, *deed));
        }
        self.until(self.script.calm_s).await;
        for (number, task) in running.iter().enumerate() {
            if !task.is_finished() {
                task.abort();
                self.world.tell(Who::Process(number), What::Ended { how: KILLED.to_owned() });
            }
        }
        for task in running {
            match task.await {
                Ok(Ok(end)) => self.look_at(&end, self.script.cast.len() == 1, broken),
                Ok(Err(error)) => broken.push(error),
                Err(error) if error.is_panic() => broken.push(format!("a process panicked: {error}")),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn goes_wrong(&self, seed: u64, process: usize, call: Call, number: u64) -> Option<Fault> {
        let now_s = self.since_began();
        let dark = self.script.blackouts.iter();
        if dark.into_iter().any(|(service, from, until)| *service == call.service() && (*from..*until).contains(&now_s))
        {
            return Some(if number.is_multiple_of(3) { Fault::Reset } else { Fault::Unavailable });
        }
        // By the call alone, so that one fault more or less does not change all that follow.
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ (process as u64) << 48 ^ number << 8 ^ call as u64);
        (random.random_range(0..1000) < self.script.faults).then(|| one_of(&mut random, &Fault::PASSING))
    }

    async fn interfere(self: Arc<Self>, at_s: u64, deed: Deed) {
        self.until(at_s).await;
        // The last one: not the one whose journal is that of all.
        let function = FUNCTIONS[self.script.functions - 1];
        let split = |version: &str, percent: u32| Content {
            version: "1".to_owned(),
            weights: [(version.to_owned(), Weight::percent(percent))].into(),
        };
        let done = match deed {
            Deed::EditsDescription => self.world.person_writes(function, None).await,
            Deed::ThirdVersion => self.world.person_writes(function, Some(&split("3", 30))).await,
            Deed::OtherWeight => self.world.person_writes(function, Some(&split("2", 77))).await,
            Deed::TakesBack => {
                let old = Content { version: "1".to_owned(), weights: [].into() };
                self.world.person_writes(function, Some(&old)).await
            }
            Deed::DeletesJournal if self.world.has_journal(FUNCTIONS[0]).await => {
                self.world.person_deletes_journal(FUNCTIONS[0]).await
            }
            Deed::DeletesJournal => Ok(()),
        };
        if let Err(error) = done {
            self.world.tell(Who::Person, What::Note(error));
        }
    }

    /// A process, from its start to its death or its end.
    async fn play(self: Arc<Self>, number: usize, role: Role) -> Result<End, Broken> {
        self.until(role.at_s).await;
        let process = self.world.process(number, role.death).await?;
        let who = Who::Process(number);
        let purpose = role.purpose.map_or_else(|| "start".to_owned(), |purpose| format!("{purpose:?}"));
        self.world.tell(who, What::Started { purpose });
        let (sender, receiver) = mpsc::channel(4);
        let gate = Gate::default();
        let drives = self.clone().drive(process.clone(), role.purpose, Duration::from_secs(role.skew_s), receiver);
        let mut task = Task(tokio::spawn(Gated::new(gate.clone(), drives)));
        let (stage, at) = (self.clone(), role.signal);
        let signals = tokio::spawn(async move {
            if let Some((at_s, signal)) = at {
                stage.until(at_s).await;
                stage.world.tell(who, What::Note(format!("told to {signal:?}")));
                let _ = sender.send(signal).await;
            }
            // The sender stays, as that of the real process does.
            std::future::pending::<()>().await;
        });
        let _signals = Task(signals);
        let (stage, frozen) = (self.clone(), role.frozen);
        let freezes = tokio::spawn(async move {
            if let Some((from, until)) = frozen {
                stage.until(from).await;
                stage.world.tell(who, What::Note("freezes".to_owned()));
                gate.shut(true);
                stage.until(until).await;
                stage.world.tell(who, What::Note("goes on".to_owned()));
                gate.shut(false);
            }
        });
        let _freezes = Task(freezes);
        let dies = async {
            match role.dies_at_s {
                Some(at_s) => self.until(at_s).await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            biased;
            () = process.dying() => End::Killed,
            () = dies => End::Killed,
            end = &mut task.0 => end.map_err(|error| format!("process {number} panicked: {error}"))?,
        };
        let how = match &end {
            End::Killed => KILLED.to_owned(),
            End::Verdict(phase) => format!("{phase:?}"),
            End::Refused(error) => error.clone(),
        };
        self.world.tell(who, What::Ended { how });
        Ok(end)
    }

    /// What the process does: the real thing.
    async fn drive(
        self: Arc<Self>,
        process: super::world::Process,
        purpose: Option<Purpose>,
        skew: Duration,
        mut signals: mpsc::Receiver<Signal>,
    ) -> End {
        let ended = match self.engine(&process, purpose, skew, &mut signals).await {
            Ok(ended) => ended,
            Err(error) => return End::Refused(error),
        };
        match ended {
            Ok(verdict) => End::Verdict(verdict.state.phase),
            Err(error) => End::Refused(error.to_string()),
        }
    }

    async fn engine(
        &self,
        process: &super::world::Process,
        purpose: Option<Purpose>,
        skew: Duration,
        signals: &mut mpsc::Receiver<Signal>,
    ) -> Result<Result<Verdict, Error>, String> {
        let services = process.services(skew);
        let told = self.told.clone();
        let sink = move |progress: Progress| {
            if let Progress::Planned(plan) = progress {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(*plan);
            }
        };
        Ok(match purpose {
            Some(purpose) => {
                take_over(&id(FUNCTIONS[self.script.functions - 1])?, purpose, None, &services, signals, &sink).await
            }
            None => start(&self.request()?, &services, signals, &sink).await,
        })
    }

    fn request(&self) -> Result<Request, String> {
        let target = |function: &&str| -> Result<Target, String> {
            Ok(Target {
                id: id(function)?,
                new: "2".parse().map_err(|error| format!("{error}"))?,
                strategy: self.script.strategy.parse().map_err(|error| format!("{error}"))?,
                hooks: Vec::new(),
            })
        };
        Ok(Request {
            aliases: self.script.functions().iter().map(target).collect::<Result<_, _>>()?,
            options: Options {
                bake: Duration::from_secs(self.script.bake_s),
                min_requests: self.script.min_requests,
                max_hold: Duration::from_secs(600),
                ..Options::default()
            },
            settle: None,
        })
    }

    /// What the engine says of its end has to fit what the story knows. A process that is not `alone` may
    /// find that another one has gone back before the journal tells it so: that is a conflict too.
    fn look_at(&self, end: &End, alone: bool, broken: &mut Vec<String>) {
        let End::Verdict(phase) = end else { return };
        let interfered = !self.script.people.is_empty() || !alone;
        match phase {
            Phase::RolledBack { why: Why::Evidence { reason, .. }, .. } if self.script.errors == 0 => {
                broken.push(format!("a version as good as the old one was taken back: {reason:?}"));
            }
            Phase::RolledBack { why: Why::Denied { error }, .. } => {
                broken.push(format!("taken back for want of a permission that it has: {error}"));
            }
            Phase::RolledBack { why: Why::Outage { .. }, .. } if self.script.is_quiet() => {
                broken.push("taken back for an outage that there was not".to_owned());
            }
            Phase::Conflicted { was } if !interfered => broken.push(format!("a conflict with nobody, at {was:?}")),
            _ => {}
        }
    }

    /// Nothing goes wrong any more: it ends, and ends right.
    async fn calm(&self, broken: &mut Vec<String>) {
        let mut purpose = if self.script.goes_back { Purpose::Abort } else { Purpose::Resume };
        for attempt in 0..12 {
            // What was sent by the dead has arrived, and their heartbeats are old.
            self.world.pace().sleep(Duration::from_secs(40)).await;
            let number = 100 + attempt;
            let process = match self.world.process(number, None).await {
                Ok(process) => process,
                Err(error) => return broken.push(error),
            };
            let who = Who::Process(number);
            self.world.tell(who, What::Started { purpose: format!("calm: {purpose:?}") });
            let (_sender, mut receiver) = mpsc::channel(1);
            let ended = self.engine(&process, Some(purpose), Duration::ZERO, &mut receiver).await;
            let ended = match ended {
                Ok(ended) => ended,
                Err(error) => return broken.push(error),
            };
            let how = match &ended {
                Ok(verdict) => format!("{:?} {:?}", verdict.stop, verdict.state.phase),
                Err(error) => error.to_string(),
            };
            self.world.tell(who, What::Ended { how: how.clone() });
            match ended {
                Ok(verdict) => {
                    self.look_at(&End::Verdict(verdict.state.phase.clone()), true, broken);
                    match verdict.state.phase {
                        Phase::Succeeded | Phase::RolledBack { .. } => return self.has_ended(&verdict, broken).await,
                        Phase::Paused { .. } if !self.script.goes_back => purpose = Purpose::Promote,
                        Phase::Conflicted { .. } => purpose = Purpose::Force,
                        _ => {}
                    }
                }
                Err(Error::NoRollout { .. }) => return self.is_nowhere(broken).await,
                Err(Error::Held { .. }) => {}
                Err(error) => return broken.push(format!("4: in the calm {purpose:?} failed: {error}")),
            }
        }
        broken.push("4: twelve processes in the calm did not end it".to_owned());
    }

    async fn has_ended(&self, verdict: &Verdict, broken: &mut Vec<String>) {
        let plan = &verdict.state.plan;
        for (index, (function, alias)) in self.script.functions().iter().zip(&plan.aliases).enumerate() {
            let wanted = match &verdict.state.phase {
                Phase::Succeeded => alias.after(),
                Phase::RolledBack { left, .. } => left.get(index).cloned().unwrap_or_else(|| alias.before()),
                _ => return,
            };
            match self.world.alias(function).await {
                Ok(says) if says == wanted => {}
                Ok(says) => broken.push(format!("3: {function} ended with {wanted}, and says {says}")),
                Err(error) => broken.push(error),
            }
            if self.world.has_journal(function).await {
                broken.push(format!("it ended, and the journal of {function} is still there"));
            }
        }
        let judged = self.script.traffic >= 600 && self.script.bake_s >= 60 && self.script.strategy != "AllAtOnce";
        if verdict.state.phase == Phase::Succeeded
            && self.script.errors >= 50
            && judged
            && self.script.is_quiet()
            && !self.is_promoted()
        {
            broken.push("a version of which every second request fails was let through".to_owned());
        }
    }

    /// There is no journal: it never began, or it had ended, or somebody deleted it.
    async fn is_nowhere(&self, broken: &mut Vec<String>) {
        let deleted = self.script.people.iter().any(|(_, deed)| matches!(deed, Deed::DeletesJournal));
        for function in self.script.functions() {
            let says = match self.world.alias(function).await {
                Ok(says) => says,
                Err(error) => return broken.push(error),
            };
            if says.is_split() && self.script.people.is_empty() {
                broken.push(format!("3: there is no rollout, and {function} says {says}"));
            }
            if deleted {
                // As a person does it with `rollback`: Lambda alone.
                let old = Content { version: "1".to_owned(), weights: [].into() };
                if let Err(error) = self.world.person_writes(function, Some(&old)).await {
                    broken.push(error);
                }
            }
        }
    }
}

fn id(function: &str) -> Result<AliasId, String> {
    let function = function.parse().map_err(|error| format!("{error}"))?;
    let alias = "live".parse().map_err(|error| format!("{error}"))?;
    Ok(AliasId { function, alias })
}

/// A task that ends with what holds it, as everything in a process does.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
