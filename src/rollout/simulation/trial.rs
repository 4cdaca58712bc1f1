//! A trial: one scenario with its faults, then calm, in which it must finish: by `resume` and, from the
//! same middle, by `abort`.

use super::check;
use super::fault::Signal;
use super::history::{Happened, Line, Who, tell};
use super::machine::Machine;
use super::run::Run;
use super::scenario::Scenario;
use super::watched;
use crate::rollout::codedeploy::machine::Watch;
use crate::rollout::content::Content;
use crate::rollout::state::{Phase, Purpose, State, Stop};

/// How often somebody comes to finish it.
const ROUNDS: usize = 8;

/// What a trial came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Calls made before the calm.
    pub calls: usize,
    /// Faults that happened.
    pub faults: usize,
    /// How many of the faults ended a process.
    pub deaths: usize,
    /// How it ended, when everything works again.
    pub ends: [Option<End>; 2],
    /// The first thing that was broken.
    pub broken: Option<Broken>,
}

/// An end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every alias is on its new version.
    New,
    /// Every alias is on its old version.
    Old,
    /// Somebody else's doing stands in the way, and it was left alone.
    Others,
}

/// What was broken, and how it came about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Broken {
    /// What, beginning with the invariant's number.
    pub what: String,
    /// The history.
    pub story: String,
}

/// How it is brought to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `rollout resume`, and what it asks for.
    Resume,
    /// `rollout abort`.
    Abort,
}

/// Runs a scenario to both ends.
pub fn run(scenario: &Scenario) -> Outcome {
    match scenario.conditions.update {
        None => tried::<State>(scenario),
        Some(_) => tried::<Watch>(scenario),
    }
}

fn tried<M: Machine>(scenario: &Scenario) -> Outcome {
    let mut middle = Run::<M>::new(scenario);
    middle.finish();
    let deaths = middle.world.lines.iter().filter(|line| line.what == Happened::Died).count();
    let mut outcome = Outcome { calls: middle.calls, faults: middle.faults, deaths, ..Outcome::default() };
    let left_alone = matches!(middle.last_stop(), Some(Stop::Phase)) && middle.world.journal.is_none();
    for (index, way) in [Way::Resume, Way::Abort].into_iter().enumerate() {
        // What is over is over: there is one end only.
        if left_alone && way == Way::Abort {
            outcome.ends[1] = outcome.ends[0];
            break;
        }
        match finish(scenario, middle.clone(), way) {
            Ok(end) => outcome.ends[index] = Some(end),
            Err(broken) => {
                outcome.broken = Some(*broken);
                break;
            }
        }
    }
    outcome
}

fn finish<M: Machine>(scenario: &Scenario, mut run: Run<M>, way: Way) -> Result<End, Box<Broken>> {
    let broken = |run: &Run<M>, what: String| {
        Box::new(Broken { what: format!("{what} (then {way:?})"), story: tell(&run.world.lines, run.world.start) })
    };
    run.calm();
    for round in 0..ROUNDS {
        let Some(purpose) = next_purpose(&run, way, round) else { break };
        if run.take_over(purpose).is_none() {
            break;
        }
        run.finish();
    }
    run.rest();
    if let Some(what) = run.impossible.clone() {
        return Err(broken(&run, what));
    }
    let checked = match scenario.conditions.update {
        None => check::history(scenario, &run.world),
        Some(_) => watched::check(&run.world),
    };
    checked.map_err(|what| broken(&run, what))?;
    end(&run).map_err(|what| broken(&run, what))
}

/// What a person would come for, from what the journal says.
fn next_purpose<M: Machine>(run: &Run<M>, way: Way, round: usize) -> Option<Purpose> {
    let object = run.world.journal.as_ref()?;
    let adopts =
        || {
            run.world.aliases().iter().enumerate().all(|(index, alias)| {
                alias.seen.as_ref().is_some_and(|seen| object.state.may_adopt(index, &seen.content))
            })
        };
    let purpose = match (&object.state.phase, way) {
        (Phase::Conflicted { .. }, Way::Resume) if round < ROUNDS / 2 && adopts() => Purpose::Adopt,
        (Phase::Conflicted { .. }, _) => Purpose::Force,
        (Phase::Paused { .. }, Way::Resume) if round > 0 => Purpose::Promote,
        (Phase::Settling | Phase::SettleFailed { .. }, _) | (_, Way::Resume) => Purpose::Resume,
        (_, Way::Abort) => Purpose::Abort,
    };
    Some(purpose)
}

/// Whether a process that was to go back, and could not reach the journal in time to say so, did so
/// after another had finished: the alias says what its person was told.
fn is_overtaken(lines: &[Line]) -> bool {
    let over = lines.iter().position(|line| matches!(line.what, Happened::Journalled { finished: true, .. }));
    let Some(over) = over else { return false };
    let goes_back = |what: &Happened| match what {
        Happened::Came(purpose) => purpose.is_some_and(Purpose::goes_back),
        Happened::Told(signal) => matches!(signal, Signal::Back | Signal::TimedOut),
        _ => false,
    };
    lines[..over].iter().filter(|line| goes_back(&line.what)).any(|told| {
        let ends = |line: &Line| {
            line.who == told.who && matches!(&line.what, Happened::Ended(how) if how.contains("RolledBack"))
        };
        lines[over..].iter().any(ends)
    })
}

/// Invariants 3, 4 and 7, from what the world has at the end.
fn end<M: Machine>(run: &Run<M>) -> Result<End, String> {
    let world = &run.world;
    let others = world
        .lines
        .iter()
        .any(|line| line.who == Who::Person && matches!(line.what, Happened::Written { .. } | Happened::JournalGone));
    let gone = world.aliases().iter().enumerate().any(|(index, alias)| {
        alias.seen.is_none() || world.is_gone(index, alias.old) || world.is_gone(index, alias.new)
    });
    if let Some(object) = &world.journal {
        if object.state.is_finished() {
            return Err(format!("4: it is over, and its journal was not retired: {:?}", object.state.phase));
        }
        if gone || others {
            return Ok(End::Others);
        }
        return Err(format!("4: it does not finish: {:?}", object.state.phase));
    }
    if world.journal_deleted {
        return Ok(End::Others);
    }
    let mut end = None;
    for (index, alias) in world.aliases().iter().enumerate() {
        let Some(seen) = &alias.seen else {
            end = Some(End::Others);
            continue;
        };
        let this = match &seen.content {
            content if *content == Content::whole(alias.old) => End::Old,
            content if *content == Content::whole(alias.new) => End::New,
            _ if others || run.is_left_to_aws() => End::Others,
            content => return Err(format!("3: alias {index} was left with {content}")),
        };
        if end.is_some_and(|end| end != this) && !others {
            return Err(format!("3: alias {index} is at {this:?}, another is not"));
        }
        end = Some(this);
    }
    let end = end.unwrap_or(End::Others);
    let Some(state) = &world.retired else {
        return if end == End::New && !others && !run.is_left_to_aws() {
            Err("7: it went to the new version without a journal".to_owned())
        } else {
            Ok(end)
        };
    };
    let fits = match &state.phase {
        Phase::Succeeded => end == End::New,
        Phase::RolledBack { .. } => end == End::Old,
        _ => false,
    };
    let overtaken = end == End::Old && is_overtaken(&world.lines);
    if !fits && !others && !overtaken {
        return Err(format!("3: the journal says {:?}, and the aliases are at {end:?}", state.phase));
    }
    let settles = world.lines.iter().any(|line| matches!(line.what, Happened::Settled(_)));
    let calm = world.lines.iter().position(|line| line.what == Happened::Calm).unwrap_or_default();
    let aborts = |line: &Line| line.what == Happened::Came(Some(Purpose::Abort));
    let over = |line: &Line| matches!(line.what, Happened::Journalled { finished: true, .. });
    let aborted = world.lines[calm..].iter().any(aborts) && !world.lines[..calm].iter().any(over);
    if aborted && end == End::New && !settles && !others {
        return Err("4: it was aborted, and the new version serves".to_owned());
    }
    Ok(end)
}
