//! A run: processes, calls on their way, and what goes wrong with them, on a clock that jumps from
//! one event to the next.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use super::fault::{Deed, Fault, Injection, Moment, Service};
use super::history::{Happened, Who};
use super::machine::{Ask, Machine, Told};
use super::process::{PATIENCE_S, Process};
use super::scenario::{Scenario, small_dice};
use super::setting;
use super::world::{Put, World};
use crate::rollout::journal::{self, Object, Record};
use crate::rollout::names::Time;
use crate::rollout::plan::{Engine, Plan};
use crate::rollout::state::{Mutation, Phase, Purpose, State, Stop, WriteTrouble};

/// How often time is told to a machine: often enough for its heartbeat.
const TICK: Duration = Duration::from_secs(5);
/// No rollout of the simulation's takes longer.
const LONGEST: Duration = Duration::from_secs(4 * 3600);
/// Nor does any need so many calls: the longest of a hundred thousand had a quarter of them.
const MOST_CALLS: usize = 8000;

/// A run under way.
#[derive(Clone, Debug)]
pub struct Run<M: Machine> {
    /// The world.
    pub world: World,
    /// Everybody who ever drove.
    pub processes: Vec<Process<M>>,
    /// Calls made so far.
    pub calls: usize,
    /// Faults that happened so far.
    pub faults: usize,
    /// Something that must never be, whatever the history says.
    pub impossible: Option<String>,
    plan: Arc<Plan>,
    injections: Arc<[Injection]>,
    calm: bool,
    queue: BinaryHeap<Reverse<Pending<M>>>,
    order: u64,
    nonces: u64,
    seed: u64,
    mutation: Option<Mutation>,
}

/// Something that is going to happen.
#[derive(Clone, Debug)]
struct Pending<M: Machine> {
    at: Time,
    order: u64,
    what: Coming<M>,
}

#[derive(Clone, Debug)]
enum Coming<M: Machine> {
    /// A call arrives.
    Arrives(Box<Call<M>>),
    /// An answer, or something that the process is told.
    Hears(usize, Box<M::What>),
    Tick(usize, u64),
    Wakes(usize),
    Person(Deed, usize),
    Comes(Purpose),
}

/// A call on its way.
#[derive(Clone, Debug)]
struct Call<M: Machine> {
    process: usize,
    action: M::Action,
    /// The state when it was made: what a journal write says.
    state: Option<Arc<State>>,
    /// The tag of the journal that it is written over, as its process knew it then.
    over: Option<u64>,
    nonce: u64,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    /// The caller has given up, or never hears.
    unanswered: bool,
    /// So much later it is answered.
    slow_s: u64,
    twice: bool,
    refused: Option<Refusal>,
    then_dies: bool,
    then_sleeps_s: Option<u64>,
    then: Option<(Deed, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Refusal {
    Throttled,
    Denied,
    NoAnswer,
}

impl<M: Machine> PartialEq for Pending<M> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<M: Machine> Eq for Pending<M> {}

impl<M: Machine> PartialOrd for Pending<M> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<M: Machine> Ord for Pending<M> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl<M: Machine> Run<M> {
    /// A run of this scenario, with its first process about to begin.
    pub fn new(scenario: &Scenario) -> Self {
        let plan = setting::plan(scenario);
        let world = World::new(scenario, &plan);
        let mut run = Self {
            world,
            processes: Vec::new(),
            calls: 0,
            faults: 0,
            impossible: None,
            plan: Arc::new(plan),
            injections: scenario.injections.clone().into(),
            calm: false,
            queue: BinaryHeap::new(),
            order: 0,
            nonces: 0,
            seed: scenario.seed,
            mutation: scenario.mutation,
        };
        run.start();
        run
    }

    /// From here on nothing goes wrong any more; nobody drives.
    pub fn calm(&mut self) {
        self.calm = true;
        self.world.calm();
        self.world.note(Who::Person, Happened::Calm);
        for process in &mut self.processes {
            process.alive = false;
        }
    }

    /// Goes on until nobody drives any more, and everything that was on its way has arrived.
    pub fn finish(&mut self) {
        let deadline = self.world.now + LONGEST;
        let most = self.calls + MOST_CALLS;
        while let Some(Reverse(pending)) = self.queue.pop() {
            self.world.passes(pending.at);
            if self.world.now > deadline || self.calls > most {
                let driver = self.processes.iter().rposition(|process| process.alive);
                let phase = driver.and_then(|index| self.processes[index].machine.as_ref());
                let phase = phase.map(|machine| &machine.state().phase);
                self.impossible.get_or_insert(format!("4: it never ends: {phase:?}"));
                return;
            }
            self.happens(pending.what);
        }
    }

    /// Whether somebody drives.
    pub fn is_driven(&self) -> bool {
        self.processes.iter().any(|process| process.alive)
    }

    /// Another process takes over what the journal says. Its number; `None` when there is none.
    pub fn take_over(&mut self, purpose: Purpose) -> Option<usize> {
        if self.world.is_out(Service::S3) || !M::takes(purpose) {
            return None;
        }
        let object = self.world.journal.clone()?;
        // As the store has it: the history knows what a delayed first write does not.
        let over = self.world.retired.as_ref().filter(|_| object.state.phase == Phase::Planned);
        let state = match self.read_back(over.unwrap_or(&object.state)) {
            Ok(state) => state,
            Err(damage) => {
                self.impossible.get_or_insert(format!("7: the journal cannot be read: {damage}"));
                return None;
            }
        };
        self.begin(M::of(state), Some(object.etag), Some(purpose), Told::TakeOver(purpose))
    }

    /// As it is written, and as it is read.
    fn read_back(&self, state: &State) -> Result<State, String> {
        let record = Record {
            format: journal::FORMAT,
            id: "a".to_owned(),
            nonce: "b".to_owned(),
            owner: None,
            left_by: None,
            started: self.world.start,
            state: state.clone(),
        };
        let bytes = record.to_bytes().map_err(|damage| damage.to_string())?;
        match Object::from_bytes(&bytes, &self.plan.aliases[0].id).map_err(|damage| damage.to_string())? {
            Object::Journal(record) => Ok(record.state),
            Object::Pointer(_) => Err("it is a pointer".to_owned()),
        }
    }

    fn start(&mut self) {
        let Some(machine) = M::new(&self.plan, &self.world) else { return };
        self.begin(machine, None, None, Told::Begin);
    }

    fn begin(&mut self, mut machine: M, etag: Option<u64>, purpose: Option<Purpose>, first: Told) -> Option<usize> {
        let number = self.processes.len();
        let first = M::word(first)?;
        machine.mistake(self.mutation);
        let offset_ms = i64::try_from(small_dice(self.seed, 3, number as u64, 10_000)).unwrap_or(0) - 5000;
        self.processes.push(Process::new(machine, etag, offset_ms));
        self.world.note(Who::Process(number), Happened::Came(purpose));
        self.schedule(Duration::ZERO, Coming::Hears(number, Box::new(first)));
        Some(number)
    }

    fn schedule(&mut self, after: Duration, what: Coming<M>) {
        self.order += 1;
        self.queue.push(Reverse(Pending { at: self.world.now + after, order: self.order, what }));
    }

    fn happens(&mut self, what: Coming<M>) {
        match what {
            Coming::Arrives(call) => self.arrives(*call),
            Coming::Hears(process, what) => self.hears(process, *what),
            Coming::Tick(process, tick) if self.processes[process].tick == tick => self.ticks(process),
            Coming::Tick(..) => {}
            Coming::Wakes(process) => self.wakes(process),
            Coming::Person(deed, alias) => self.world.person(deed, alias),
            Coming::Comes(purpose) => drop(self.take_over(purpose)),
        }
    }

    fn ticks(&mut self, index: usize) {
        if self.processes[index].asleep.is_none()
            && let Some(tick) = M::word(Told::Tick)
        {
            self.hears(index, tick);
        }
    }

    fn hears(&mut self, index: usize, what: M::What) {
        let process = &mut self.processes[index];
        if !process.alive {
            return;
        }
        if process.asleep.is_some() {
            process.mailbox.push(what);
            return;
        }
        M::write_down(&mut self.world, Who::Process(index), &what);
        let process = &mut self.processes[index];
        let at = Time(self.world.now.0 + process.offset_ms);
        let Some(machine) = process.machine.take() else { return };
        let (machine, actions) = machine.step(at, what);
        let stop = machine.stop();
        process.machine = Some(machine);
        process.tick += 1;
        let tick = process.tick;
        if let Some(stop) = stop {
            process.alive = false;
            let how = format!("{stop:?}, {:?}", process.machine.as_ref().map(|machine| &machine.state().phase));
            process.stop = Some(stop);
            self.world.note(Who::Process(index), Happened::Ended(how));
            return;
        }
        self.schedule(TICK, Coming::Tick(index, tick));
        for action in actions {
            if !self.processes[index].alive || self.processes[index].asleep.is_some() {
                // It died in the middle; what a sleeper was about to do it does when it wakes.
                if self.processes[index].alive {
                    self.call_when_awake(index, action);
                }
                continue;
            }
            self.call(index, action);
        }
    }

    fn wakes(&mut self, index: usize) {
        let process = &mut self.processes[index];
        if process.asleep.is_some_and(|until| until <= self.world.now) {
            process.asleep = None;
            let mailbox = std::mem::take(&mut process.mailbox);
            if process.alive {
                self.world.note(Who::Process(index), Happened::Woke);
            }
            for what in mailbox {
                self.hears(index, what);
            }
            self.ticks(index);
        }
    }

    fn sleeps(&mut self, index: usize, length_s: u64) {
        let until = self.world.now + Duration::from_secs(length_s);
        let process = &mut self.processes[index];
        if process.alive && process.asleep.is_none() {
            process.asleep = Some(until);
            self.world.note(Who::Process(index), Happened::Slept);
            self.schedule(Duration::from_secs(length_s), Coming::Wakes(index));
        }
    }

    fn dies(&mut self, index: usize) {
        if std::mem::replace(&mut self.processes[index].alive, false) {
            self.world.note(Who::Process(index), Happened::Died);
        }
    }

    fn make(&mut self, process: usize, action: M::Action) -> Call<M> {
        self.nonces += 1;
        let writes = matches!(M::asks(&action), Ask::Journal(_) | Ask::Retire);
        let machine = self.processes[process].machine.as_ref().filter(|_| writes);
        let state = machine.map(|machine| Arc::new(machine.state().clone()));
        let over = self.processes[process].etag;
        Call { process, action, state, over, nonce: self.nonces, fate: Fate::default() }
    }

    fn call_when_awake(&mut self, index: usize, action: M::Action) {
        let left = self.processes[index].asleep.map_or(Duration::ZERO, |until| until.since(self.world.now));
        let call = self.make(index, action);
        self.note_sent(&call);
        self.schedule(left + self.latency(), Coming::Arrives(Box::new(call)));
    }

    fn latency(&self) -> Duration {
        Duration::from_millis(20 + small_dice(self.seed, 4, self.order, 380))
    }

    /// A process makes a call, and something may go wrong with it.
    fn call(&mut self, index: usize, action: M::Action) {
        let number = self.calls;
        self.calls += 1;
        let mut latency = self.latency();
        if M::asks(&action) == Ask::Settle {
            latency *= 100;
        }
        let mut call = self.make(index, action);
        let mut arrives = true;
        let mut delay = Duration::ZERO;
        let mut dies_now = false;
        if !self.calm {
            let from = self.injections.partition_point(|injection| injection.call < number);
            let faults = Arc::clone(&self.injections);
            for injection in faults[from..].iter().take_while(|injection| injection.call == number) {
                self.faults += 1;
                self.world.note(Who::Process(index), Happened::Fault(number, injection.fault));
                match injection.fault {
                    Fault::Lost => call.fate.refused = Some(Refusal::NoAnswer),
                    Fault::Throttled => call.fate.refused = Some(Refusal::Throttled),
                    Fault::Denied => call.fate.refused = Some(Refusal::Denied),
                    Fault::Unanswered => call.fate.unanswered = true,
                    Fault::Late(late_s) => {
                        call.fate.unanswered = true;
                        delay = Duration::from_secs(late_s.into());
                    }
                    Fault::Slow(slow_s) => call.fate.slow_s = slow_s.into(),
                    Fault::Twice => call.fate.twice = true,
                    Fault::Dies(Moment::Before) => {
                        self.dies(index);
                        return;
                    }
                    Fault::Dies(Moment::Sent) => dies_now = true,
                    Fault::Dies(Moment::After) => call.fate.then_dies = true,
                    Fault::Sleeps(Moment::Before, length_s) => {
                        self.sleeps(index, length_s.into());
                        return self.call_when_awake(index, call.action);
                    }
                    Fault::Sleeps(Moment::Sent, length_s) => self.sleeps(index, length_s.into()),
                    Fault::Sleeps(Moment::After, length_s) => call.fate.then_sleeps_s = Some(length_s.into()),
                    Fault::Outage(service, length_s) => self.world.cut(service, Duration::from_secs(length_s.into())),
                    Fault::Another(purpose) => self.schedule(latency / 2, Coming::Comes(purpose)),
                    Fault::Rival => {
                        if self.world.journal.is_none() && self.world.retired.is_none() && !self.world.journal_deleted {
                            self.start();
                        }
                    }
                    Fault::Told(signal) => {
                        if let Some(what) = M::word(Told::Signal(signal)) {
                            self.schedule(latency / 3, Coming::Hears(index, Box::new(what)));
                        }
                    }
                    Fault::Clock(by_s) => self.processes[index].offset_ms += i64::from(by_s) * 1000,
                    Fault::Person(Moment::Before, deed, alias) => self.world.person(deed, alias.into()),
                    Fault::Person(Moment::Sent, deed, alias) => {
                        self.schedule(latency / 2, Coming::Person(deed, alias.into()));
                    }
                    Fault::Person(Moment::After, deed, alias) => call.fate.then = Some((deed, alias.into())),
                }
            }
        }
        self.note_sent(&call);
        if call.fate.refused == Some(Refusal::NoAnswer) {
            arrives = false;
        }
        let gives_up = call.fate.unanswered || !arrives;
        if gives_up && !dies_now {
            self.keep_nonce(&call);
            let what = Self::failed(&call.action, Refusal::NoAnswer);
            self.schedule(Duration::from_secs(PATIENCE_S), Coming::Hears(index, Box::new(what)));
        }
        if arrives {
            self.schedule(latency + delay, Coming::Arrives(Box::new(call)));
        }
        if dies_now {
            self.dies(index);
        }
    }

    fn keep_nonce(&mut self, call: &Call<M>) {
        if matches!(M::asks(&call.action), Ask::Journal(_)) {
            self.processes[call.process].unanswered.push(call.nonce);
        }
    }

    fn note_sent(&mut self, call: &Call<M>) {
        if let Some((alias, content)) = M::writes(&call.action) {
            let told = self.world.was_told(alias, content);
            let what = Happened::Sent { alias, content: content.clone(), told };
            self.world.note(Who::Process(call.process), what);
        }
    }

    fn arrives(&mut self, call: Call<M>) {
        let fate = call.fate;
        let asks = M::asks(&call.action);
        let out = self.world.is_out(match asks {
            Ask::Journal(_) | Ask::Retire => Service::S3,
            // A stack update that cannot be reached is tried again until it can: it only takes longer.
            Ask::Settle => Service::Lambda,
            Ask::Of(service) => service,
        });
        let answer = match fate.refused {
            Some(refusal) => Self::failed(&call.action, refusal),
            None if out => {
                self.keep_nonce(&call);
                Self::failed(&call.action, Refusal::NoAnswer)
            }
            None => {
                if fate.twice && !matches!(asks, Ask::Settle | Ask::Retire) {
                    self.perform(&call);
                }
                self.perform(&call)
            }
        };
        if let Some((deed, alias)) = fate.then {
            self.world.person(deed, alias);
        }
        if fate.then_dies {
            self.dies(call.process);
        }
        if let Some(length_s) = fate.then_sleeps_s {
            self.sleeps(call.process, length_s);
        }
        if !fate.unanswered {
            let after = self.latency() + Duration::from_secs(fate.slow_s);
            self.schedule(after, Coming::Hears(call.process, Box::new(answer)));
        }
    }

    /// It takes effect. The answer is what the driver makes of AWS's.
    fn perform(&mut self, call: &Call<M>) -> M::What {
        let told = match (M::asks(&call.action), &call.state) {
            (Ask::Journal(seq), Some(state)) => self.write_journal(call, seq, state),
            (Ask::Retire, Some(state)) => {
                self.world.retire(Who::Process(call.process), call.over, Arc::clone(state));
                Told::Retired
            }
            _ => return M::perform(&mut self.world, call.process, &call.action),
        };
        M::word(told).unwrap_or_else(|| Self::failed(&call.action, Refusal::NoAnswer))
    }

    /// What the driver makes of a call that did not work.
    fn failed(action: &M::Action, refusal: Refusal) -> M::What {
        let error = match refusal {
            Refusal::Throttled => "429",
            Refusal::Denied => "403",
            Refusal::NoAnswer => "no answer",
        };
        let trouble = match refusal {
            Refusal::Throttled => WriteTrouble::Busy,
            Refusal::Denied => WriteTrouble::Denied(error.to_owned()),
            Refusal::NoAnswer => WriteTrouble::Unknown,
        };
        M::failed(action, error.to_owned(), trouble)
    }

    /// As the store has it: a 412 is read back, and an own nonce is a success.
    fn write_journal(&mut self, call: &Call<M>, seq: u64, state: &Arc<State>) -> Told {
        let who = Who::Process(call.process);
        let mut over = call.over;
        for _ in 0..2 {
            match self.world.put_journal(who, over, call.nonce, Arc::clone(state)) {
                Put::Done(etag) => {
                    if !call.fate.unanswered {
                        let process = &mut self.processes[call.process];
                        process.etag = Some(etag);
                        process.unanswered.clear();
                    }
                    return Told::Journalled(seq);
                }
                Put::Gone => return Told::JournalGone,
                Put::Refused => {
                    let Some(object) = &self.world.journal else { return Told::JournalGone };
                    let process = &mut self.processes[call.process];
                    if object.nonce == call.nonce {
                        process.etag = Some(object.etag);
                        return Told::Journalled(seq);
                    }
                    // A caller that is not there any more reads nothing back.
                    if call.fate.unanswered || !process.unanswered.contains(&object.nonce) {
                        break;
                    }
                    process.etag = Some(object.etag);
                    process.unanswered.clear();
                    over = process.etag;
                }
            }
        }
        let paused =
            self.world.journal.as_ref().is_some_and(|object| matches!(object.state.phase, Phase::Paused { .. }));
        Told::JournalLost { paused }
    }

    /// Whether CodeDeploy moves the alias.
    pub fn is_watched(&self) -> bool {
        self.plan.engine == Engine::CodeDeploy
    }

    /// Whether CodeDeploy moves the alias, and nobody watches it: there has never been a journal.
    pub fn is_left_to_aws(&self) -> bool {
        let journalled = self.world.lines.iter().any(|line| matches!(line.what, Happened::Journalled { .. }));
        self.is_watched() && !journalled
    }

    /// Whatever AWS still does by itself comes to its end.
    pub fn rest(&mut self) {
        self.world.passes(self.world.now + LONGEST);
    }

    /// How the newest process ended.
    pub fn last_stop(&self) -> Option<&Stop> {
        self.processes.last().and_then(|process| process.stop.as_ref())
    }
}
