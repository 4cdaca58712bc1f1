//! ROLLOUT.md's invariants, judged from the world's history and from nothing that the machine says of
//! itself. Each complaint begins with the number of the invariant that it breaks.

use std::time::Duration;

use super::fault::{Fault, Service, Signal};
use super::history::{Happened, Line, Who};
use super::scenario::Scenario;
use super::way_back;
use super::world::World;
use crate::rollout::analysis::METRIC_DELAY;
use crate::rollout::content::Content;
use crate::rollout::names::{Time, Version, Weight};
use crate::rollout::plan::OnOutage;
use crate::rollout::state::{GAP, Purpose};
use crate::rollout::strategy::{Step, Strategy};

/// Clocks differ by so much, and answers take so long.
const SLACK: Duration = Duration::from_secs(20);
/// A driver that lost the journal learns of it within a heartbeat and the patience for an answer.
const LEARNS: Duration = Duration::from_secs(60);
/// A raise needs a reading no older than this.
const READING: Duration = Duration::from_secs(90);

/// Judges a whole history.
///
/// # Errors
/// The first thing that is broken, in words.
pub fn history(scenario: &Scenario, world: &World) -> Result<(), String> {
    let mut judge = Judge::new(scenario, world);
    world.lines.iter().try_for_each(|line| judge.line(line))?;
    way_back::check(scenario, world)
}

/// What is known of an alias so far.
#[derive(Debug)]
struct Alias {
    old: Version,
    new: Version,
    steps: Vec<Step>,
    now: Option<Content>,
    /// What somebody else made of it, while it stands.
    foreign: Option<Option<Content>>,
    /// What it said before somebody else changed it.
    trusted: Content,
    /// The same by the journal, with what that says is going to be written: who takes it over knows no
    /// better.
    recorded: Vec<Content>,
    /// What it said before a write of ours whose answer has not been heard: who puts it back to that at
    /// the same time cannot be told from a write that had no effect.
    unheard: Option<Content>,
    /// Writes of ours of which nothing was seen yet: what they would make of it is no stranger's.
    outstanding: Vec<Content>,
    /// The step that it was brought to, counted from 1; 0 is none, and one more than there are is all.
    reached: usize,
    reached_at: Time,
    is_active: bool,
}

/// What is known of a process so far.
#[derive(Clone, Debug, Default)]
struct Process {
    purpose: Option<Purpose>,
    /// Of each alias: whether it was read since the process came, or woke.
    read: Vec<bool>,
    /// Of each alias: whether it was read since the process last wrote it.
    read_after_write: Vec<bool>,
    /// What each alias can say as far as the process knows: the same written by somebody else is nothing new.
    known: Vec<Vec<Content>>,
    /// Of each alias: whether a write of the process's may or may not have taken effect.
    unsure: Vec<bool>,
    told_back: bool,
    saw_alarm: bool,
    good_look: Option<Time>,
    slept_at: Option<Time>,
    /// It was suspended for longer than its fence is good for, and has not written the journal since.
    unfenced: bool,
}

#[derive(Debug)]
struct Judge<'a> {
    scenario: &'a Scenario,
    aliases: Vec<Alias>,
    processes: Vec<Process>,
    /// Who wrote the journal last, and since when it is this one.
    holder: Option<(usize, Time)>,
    /// Who decided to go back, and when.
    decided: Option<(usize, Time)>,
    /// When the journal first said so.
    decision_recorded: Option<Time>,
    promoted: bool,
    promoted_fully: bool,
    adopted: bool,
    is_over: bool,
    settle_failed: bool,
    journal_deleted: Option<Time>,
    /// Hooks before the traffic that have passed.
    passed: Vec<usize>,
}

impl<'a> Judge<'a> {
    fn new(scenario: &'a Scenario, world: &World) -> Self {
        let aliases = world.aliases().iter().zip(&scenario.setting.strategies);
        let aliases = aliases
            .map(|(alias, strategy)| Alias {
                old: alias.old,
                new: alias.new,
                steps: strategy.parse::<Strategy>().map(|strategy| strategy.steps()).unwrap_or_default(),
                now: Some(Content::whole(alias.old)),
                foreign: None,
                trusted: Content::whole(alias.old),
                recorded: vec![Content::whole(alias.old)],
                unheard: None,
                outstanding: Vec::new(),
                reached: 0,
                reached_at: world.start,
                is_active: false,
            })
            .collect();
        Self {
            scenario,
            aliases,
            processes: Vec::new(),
            holder: None,
            decided: None,
            decision_recorded: None,
            promoted: false,
            promoted_fully: false,
            adopted: false,
            is_over: false,
            settle_failed: false,
            journal_deleted: None,
            passed: Vec::new(),
        }
    }

    fn line(&mut self, line: &Line) -> Result<(), String> {
        match line.who {
            Who::Process(number) => self.of_process(line, number),
            Who::Person => {
                self.of_person(line);
                Ok(())
            }
            Who::Stack => {
                self.settle_failed |= line.what == Happened::Settled(false);
                if let Happened::Written { alias, after, .. } = &line.what {
                    let alias = &mut self.aliases[*alias];
                    // CloudFormation's own writes are known to the machine: it may put them right.
                    alias.now.clone_from(after);
                    if let Some(content) = after {
                        alias.trusted = content.clone();
                    }
                    alias.foreign = None;
                }
                Ok(())
            }
        }
    }

    fn of_person(&mut self, line: &Line) {
        match &line.what {
            Happened::Written { alias: index, after, .. } => {
                // Exactly the next step, when it is due: nobody can tell it from our own write.
                let is_next = |content: &Content| {
                    let alias = &self.aliases[*index];
                    alias
                        .step_of(content)
                        .is_some_and(|step| step == alias.reached + 1 && self.in_time(line.at, *index, step).is_ok())
                };
                let is_next = after.as_ref().is_some_and(is_next);
                // A person who gives the new version traffic again overrules what no journal tells.
                let new = self.aliases[*index].new;
                let gives = after.as_ref().is_some_and(|content| content.share(new) > Weight::ZERO);
                self.decided.take_if(|_| gives && self.decision_recorded.is_none());
                let alias = &mut self.aliases[*index];
                alias.now.clone_from(after);
                let is_sent = is_next || after.as_ref().is_some_and(|content| alias.outstanding.contains(content));
                let is_unheard = after.is_some() && *after == alias.unheard;
                let is_ours = is_sent || is_unheard || after.as_ref() == Some(&alias.trusted);
                alias.foreign = (!is_ours).then(|| after.clone());
                if let Some(content) = after.as_ref().filter(|_| is_unheard) {
                    alias.trusted = content.clone();
                }
                if let Some(content) = after.as_ref().filter(|_| is_sent) {
                    alias.trusted = content.clone();
                    alias.reached = alias.reached.max(alias.step_of(content).unwrap_or(0));
                    alias.reached_at = line.at;
                }
            }
            Happened::JournalGone => self.journal_deleted = Some(line.at),
            _ => {}
        }
    }

    fn of_process(&mut self, line: &Line, number: usize) -> Result<(), String> {
        let aliases = self.aliases.len();
        match &line.what {
            Happened::Came(purpose) => {
                let process = Process {
                    purpose: *purpose,
                    // Who starts has read them all in its preflight.
                    read: vec![purpose.is_none(); aliases],
                    read_after_write: vec![false; aliases],
                    unsure: vec![false; aliases],
                    known: self.aliases.iter().map(|alias| alias.recorded.clone()).collect(),
                    told_back: purpose.is_some_and(Purpose::goes_back),
                    ..Process::default()
                };
                self.processes.push(process);
                self.promoted |= matches!(purpose, Some(Purpose::Promote | Purpose::PromoteFully | Purpose::Adopt));
                self.promoted_fully |= *purpose == Some(Purpose::PromoteFully);
                if *purpose == Some(Purpose::Adopt) {
                    // A person who goes on from what there is overrules what no journal tells.
                    self.decided.take_if(|_| self.decision_recorded.is_none());
                    self.adopted = true;
                    self.aliases.iter_mut().for_each(|alias| alias.adopted(line.at));
                }
            }
            Happened::Slept => self.processes[number].slept_at = Some(line.at),
            Happened::Woke => {
                let process = &mut self.processes[number];
                if process.slept_at.take().is_some_and(|at| line.at.since(at) > GAP + SLACK) {
                    process.read = vec![false; aliases];
                    process.unfenced = true;
                }
            }
            Happened::Read { alias: index, content } => {
                let process = &mut self.processes[number];
                process.read[*index] = true;
                process.read_after_write[*index] = true;
                process.unsure[*index] = false;
                // What an adopting process has read is accepted, for those too that come after it.
                let adopts = process.purpose == Some(Purpose::Adopt);
                let known = &mut process.known[*index];
                let alias = &mut self.aliases[*index];
                alias.unheard = None;
                let accepts = |foreign: &mut Option<Content>| {
                    adopts || (foreign == content && foreign.as_ref().is_some_and(|content| known.contains(content)))
                };
                if let Some(Some(content)) = alias.foreign.take_if(accepts) {
                    alias.trusted = content;
                }
                if alias.foreign.is_none() {
                    *known = content.iter().cloned().collect();
                }
            }
            Happened::Answered { alias, sure: false } => self.processes[number].unsure[*alias] = true,
            Happened::Answered { alias, sure: true } => {
                self.aliases[*alias].unheard = None;
                let known = &mut self.processes[number].known[*alias];
                known.drain(..known.len().saturating_sub(1));
            }
            Happened::Looked { good, alarm } => {
                let process = &mut self.processes[number];
                process.saw_alarm |= *alarm;
                if *good {
                    process.good_look = Some(line.at);
                }
            }
            Happened::Told(Signal::Back | Signal::TimedOut) => self.processes[number].told_back = true,
            Happened::Told(signal @ (Signal::Promote | Signal::PromoteFully)) => {
                self.promoted = true;
                self.promoted_fully |= *signal == Signal::PromoteFully;
            }
            Happened::SettleFailed => self.settle_failed = true,
            Happened::Active(alias) => self.aliases[*alias].is_active = true,
            Happened::Hooked(hook, true) => self.passed.push(*hook),
            Happened::Journalled { created, decided, finished, .. } => {
                if *finished && *decided && !std::mem::replace(&mut self.is_over, true) {
                    self.is_verified(number)?;
                }
                return self.journalled(line.at, number, *created, *decided);
            }
            Happened::Sent { alias, content, told } => return self.sent(line.at, number, *alias, content, *told),
            Happened::Written { alias, before, after: Some(after) } => {
                return self.written(line.at, number, *alias, before.as_ref(), after);
            }
            _ => {}
        }
        Ok(())
    }

    /// Each alias's end is read from Lambda before it is said.
    fn is_verified(&self, number: usize) -> Result<(), String> {
        let cut = |fault: Fault| matches!(fault, Fault::Outage(Service::Lambda, _));
        if self.scenario.injections.iter().any(|injection| cut(injection.fault)) {
            return Ok(());
        }
        match self.processes[number].read_after_write.iter().position(|read| !*read) {
            Some(alias) => Err(format!("3: process {number} says that it is back and has not read alias {alias}")),
            None => Ok(()),
        }
    }

    fn journalled(&mut self, at: Time, number: usize, created: bool, decided: bool) -> Result<(), String> {
        if created && self.journal_deleted.is_some() && self.processes[number].purpose.is_some() {
            return Err("5: a journal that a person deleted was created again".to_owned());
        }
        self.processes[number].unfenced = false;
        if self.holder.is_none_or(|(holder, _)| holder != number) {
            self.holder = Some((number, at));
        }
        for alias in &mut self.aliases {
            // Of a write whose answer was not heard the journal tells what was before and what is to be.
            alias.recorded = alias.unheard.iter().chain([&alias.trusted]).cloned().collect();
        }
        if decided {
            self.decided.get_or_insert((number, at));
            self.decision_recorded.get_or_insert(at);
        }
        Ok(())
    }

    fn sent(&mut self, at: Time, number: usize, index: usize, content: &Content, told: bool) -> Result<(), String> {
        let alias = &mut self.aliases[index];
        if !alias.outstanding.contains(content) {
            alias.outstanding.push(content.clone());
        }
        if told {
            alias.recorded.push(content.clone());
        }
        self.processes[number].known[index].push(content.clone());
        let (old, new, was_whole) = (alias.old, alias.new, alias.reached > alias.steps.len());
        let strangers = |version: &String| *version != old.to_string() && *version != new.to_string();
        if strangers(&content.version) || content.weights.keys().any(strangers) {
            return Err(format!("1: alias {index} is to have {content}, which is neither old nor new"));
        }
        let Some(step) = alias.step_of(content) else {
            return Err(format!("1: alias {index} is to have {content}, which is not in the plan"));
        };
        self.processes[number].read_after_write[index] = false;
        let process = &self.processes[number];
        if process.unsure[index] {
            return Err(format!(
                "2: process {number} does not know what became of its write of alias {index}, and sends another"
            ));
        }
        if process.purpose.is_some() && !process.read[index] && step > 0 {
            return Err(format!("5: process {number} raises alias {index} and has not read it"));
        }
        if step == 0 {
            // Who dies before anybody could see it takes the decision along.
            if alias.now.as_ref().is_some_and(|now| now.share(new) > Weight::ZERO) {
                self.processes[number].told_back = true;
            }
            return Ok(());
        }
        if !told {
            return Err(format!("7: alias {index} is to have {content}, and the journal has not said so"));
        }
        self.fenced(at, number, index)?;
        if was_whole {
            // It was there already: what a failed settle put back is pointed right again.
            return Ok(());
        }
        self.may_rise(at, number, index, content, step)?;
        // Somebody else was faster and did the same: nobody can tell it from our own write.
        let alias = &mut self.aliases[index];
        if alias.now.as_ref() == Some(content) {
            alias.foreign = None;
            alias.trusted = content.clone();
            alias.reached = alias.reached.max(step);
            alias.reached_at = at;
        }
        Ok(())
    }

    /// Only who holds the journal raises, and only while it has not slept over it.
    fn fenced(&self, at: Time, number: usize, index: usize) -> Result<(), String> {
        if let Some((holder, since)) = self.holder
            && holder != number
            && at.since(since) > LEARNS
        {
            return Err(format!("5: process {number} raises alias {index} although process {holder} has the journal"));
        }
        let process = &self.processes[number];
        if process.unfenced {
            return Err(format!("5: process {number} woke and raises alias {index} without its fence"));
        }
        if process.slept_at.is_none() && !process.read[index] {
            return Err(format!("5: process {number} woke and raises alias {index} without reading it"));
        }
        match self.journal_deleted {
            Some(deleted) if at.since(deleted) > LEARNS && self.holder.is_none_or(|(_, since)| since < deleted) => {
                Err(format!("5: process {number} raises alias {index} although the journal was deleted"))
            }
            _ => Ok(()),
        }
    }

    fn may_rise(&self, at: Time, number: usize, index: usize, content: &Content, step: usize) -> Result<(), String> {
        let alias = &self.aliases[index];
        let process = &self.processes[number];
        if step > alias.reached + 1 && !(self.promoted_fully && step > alias.steps.len()) {
            return Err(format!("2: alias {index} is to have {content}, and skips a step"));
        }
        if process.told_back || process.saw_alarm {
            return Err(format!("2: process {number} knows that it goes back and raises alias {index}: {content}"));
        }
        // What no journal tells, another process cannot know: there Lambda's revision is the fence, and only
        // a raise that takes effect is one.
        let decided_itself = self.decided.is_some_and(|(decider, _)| decider == number);
        if decided_itself || self.decision_recorded.is_some_and(|since| at.since(since) > LEARNS) {
            return Err(format!("2: it goes back, and process {number} raises alias {index}: {content}"));
        }
        let setting = &self.scenario.setting;
        let sees = process.good_look.is_some_and(|look| at.since(look) <= READING);
        if !sees && setting.on_outage != OnOutage::Continue {
            return Err(format!("2: process {number} is blind and raises alias {index}: {content}"));
        }
        // Who adopts takes the traffic that there is, checked or not.
        if self.adopted {
            return Ok(());
        }
        if !alias.is_active {
            return Err(format!("2: alias {index} rises before its new version is known to be active"));
        }
        let hooks = setting.hooks.iter().enumerate();
        if let Some((hook, _)) = hooks.into_iter().find(|(hook, (before, _))| *before && !self.passed.contains(hook)) {
            return Err(format!("2: alias {index} rises before hook {hook} has passed"));
        }
        self.in_time(at, index, step)
    }

    /// A step lasts as long as it is said to, and nobody goes to the whole traffic alone.
    fn in_time(&self, at: Time, index: usize, step: usize) -> Result<(), String> {
        let alias = &self.aliases[index];
        if self.promoted || step <= alias.reached || step == 1 {
            return Ok(());
        }
        if let Some(here) = alias.steps.get(step - 2) {
            let barrier = if step > alias.steps.len() { METRIC_DELAY } else { Duration::ZERO };
            if at.since(alias.reached_at) + SLACK < here.hold + barrier {
                let held_s = at.since(alias.reached_at).as_secs();
                return Err(format!("2: alias {index} leaves step {} after {held_s} s", step - 1));
            }
            if here.pause {
                return Err(format!("2: alias {index} leaves step {}, where it was to wait for a person", step - 1));
            }
        }
        if step > alias.steps.len()
            && let Some(other) = self.aliases.iter().position(|other| other.reached < other.steps.len())
        {
            return Err(format!("2: alias {index} goes to the whole traffic before alias {other} had its last step"));
        }
        Ok(())
    }

    fn written(
        &mut self,
        at: Time,
        number: usize,
        index: usize,
        before: Option<&Content>,
        after: &Content,
    ) -> Result<(), String> {
        let insists = matches!(self.processes[number].purpose, Some(Purpose::Force | Purpose::Adopt));
        let alias = &mut self.aliases[index];
        // When a settle fails, or nobody saw how it ended, the old version is what CloudFormation puts back:
        // that a person did so at the same time cannot be told from it.
        let unknown = self.settle_failed || self.processes[number].purpose.is_some();
        let put_back = unknown
            && alias.reached > alias.steps.len()
            && alias.foreign == Some(Some(Content::whole(alias.old)))
            && *after == Content::whole(alias.new);
        let known = &self.processes[number].known[index];
        if let Some(foreign) = &alias.foreign
            && !insists
            && !put_back
            && !foreign.as_ref().is_some_and(|content| known.contains(content))
        {
            let foreign = foreign.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
            return Err(format!("6: alias {index} had {foreign} of somebody else, and was overwritten with {after}"));
        }
        if before != alias.now.as_ref() {
            return Err(format!("the harness: alias {index} had {:?}, not {before:?}", alias.now));
        }
        let was_whole = alias.reached > alias.steps.len();
        if alias.step_of(after).is_some_and(|step| step > 0)
            && !was_whole
            && self.decided.is_some_and(|(decider, since)| decider != number && at.since(since) > LEARNS)
        {
            return Err(format!("2: it goes back, and alias {index} was raised by process {number}: {after}"));
        }
        if alias.step_of(after) == Some(0) && before.is_some_and(|before| before.share(alias.new) > Weight::ZERO) {
            self.decided.get_or_insert((number, at));
        }
        alias.outstanding.retain(|content| content != after);
        alias.unheard = before.cloned();
        alias.foreign = None;
        alias.trusted = after.clone();
        alias.now = Some(after.clone());
        if let Some(step) = alias.step_of(after)
            && step > alias.reached
        {
            alias.reached = step;
            alias.reached_at = at;
        }
        Ok(())
    }
}

impl Alias {
    /// 0 for the old version, 1 for the first step, one more than there are for the new version.
    fn step_of(&self, content: &Content) -> Option<usize> {
        if *content == Content::whole(self.old) {
            return Some(0);
        }
        if *content == Content::whole(self.new) {
            return Some(self.steps.len() + 1);
        }
        let at = |step: &Step| *content == Content::split(self.old, self.new, step.weight);
        self.steps.iter().position(at).map(|step| step + 1)
    }

    /// What somebody else made of it counts as the step at or below it.
    fn adopted(&mut self, at: Time) {
        let Some(content) = &self.now else { return };
        let share = content.share(self.new);
        let step = self.steps.iter().rposition(|step| step.weight <= share).map_or(0, |step| step + 1);
        let step = if share == Weight::FULL { self.steps.len() + 1 } else { step };
        if step > self.reached {
            self.reached = step;
            self.reached_at = at;
        }
    }
}
