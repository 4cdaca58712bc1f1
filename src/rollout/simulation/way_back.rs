//! What is promised of the way back: it waits for nothing but Lambda (invariant 8), and the worst of a
//! set goes first. Judged from the world's history, around each moment at which it begins.

use std::time::Duration;

use super::fault::{Fault, Service, Signal};
use super::history::{Happened, Line, Who};
use super::scenario::Scenario;
use super::world::World;
use crate::rollout::content::Content;
use crate::rollout::names::{Time, Weight};

/// So long a driver may take: two rounds of calls, each with its patience.
const IN_TIME: Duration = Duration::from_secs(60);
/// A call that went wrong so long before may still be waited for.
const LINGERS: Duration = Duration::from_secs(60);

/// Judges a whole history.
///
/// # Errors
/// The first thing that is broken, in words.
pub fn check(scenario: &Scenario, world: &World) -> Result<(), String> {
    for (at, line) in world.lines.iter().enumerate() {
        let told = match line.what {
            Happened::Told(Signal::Back) => true,
            Happened::Looked { alarm: true, .. } => false,
            _ => continue,
        };
        if let Who::Process(process) = line.who
            && is_calm(world, at, process)
        {
            goes_back_in_time(scenario, world, at, process, told)?;
        }
    }
    worst_first(world)
}

/// Whoever is told to go back, or sees an alarm, does so within a minute whatever else is out of reach.
fn goes_back_in_time(scenario: &Scenario, world: &World, at: usize, process: usize, told: bool) -> Result<(), String> {
    let begins = world.lines[at].at;
    for (index, alias) in world.aliases().iter().enumerate() {
        let Some((by, content)) = last_write(&world.lines[..at], index) else { continue };
        let is_whole = content.share(alias.new) == Weight::FULL;
        // At 100 % the stack may be following already; who only watches may have finished.
        let may_be_over = is_whole && (scenario.setting.settles || !told);
        if by != Who::Process(process) || content.share(alias.new) == Weight::ZERO || may_be_over {
            continue;
        }
        let old = Content::whole(alias.old);
        let is_back = |line: &Line| matches!(&line.what, Happened::Written { alias, after: Some(after), .. } if *alias == index && *after == old);
        if !world.lines[at..].iter().take_while(|line| line.at.since(begins) <= IN_TIME).any(is_back) {
            return Err(format!("8: process {process} knows that it goes back, and alias {index} waits"));
        }
    }
    Ok(())
}

fn last_write(lines: &[Line], index: usize) -> Option<(Who, &Content)> {
    lines.iter().rev().find_map(|line| match &line.what {
        Happened::Written { alias, after, .. } if *alias == index => Some((line.who, after.as_ref()?)),
        _ => None,
    })
}

/// Whether around this moment nothing happened to the process, to Lambda or to the aliases that would
/// excuse it. Everything else may be out of reach.
fn is_calm(world: &World, at: usize, process: usize) -> bool {
    let now = world.lines[at].at;
    let (from, to) = (Time(now.0 - i64::try_from(LINGERS.as_millis()).unwrap_or(0)), now + IN_TIME);
    let me = Who::Process(process);
    let last =
        |wanted: fn(&Happened) -> bool| world.lines[..at].iter().rposition(|line| line.who == me && wanted(&line.what));
    let asleep = last(|what| *what == Happened::Slept) > last(|what| *what == Happened::Woke);
    let excuses = |line: &Line| match &line.what {
        Happened::Fault(_, Fault::Outage(Service::Lambda, length_s)) => {
            line.at <= to && line.at + Duration::from_secs((*length_s).into()) + LINGERS >= now
        }
        Happened::Fault(_, Fault::Outage(..) | Fault::Told(_) | Fault::Another(_) | Fault::Rival) => false,
        // A late write lands when it likes.
        Happened::Fault(_, Fault::Late(_)) => line.at <= to,
        Happened::Fault(..) | Happened::Came(Some(_)) | Happened::Slept | Happened::Woke | Happened::Calm => {
            line.at >= from && line.at <= to
        }
        Happened::Ended(_) | Happened::Died => line.who == me && line.at <= to,
        Happened::Written { .. } | Happened::JournalGone => line.who == Who::Person && line.at <= to,
        _ => false,
    };
    // Who had not begun to drive by then has other things to do first.
    let drives = world.lines[..at].iter().any(|line| line.who == me && matches!(line.what, Happened::Sent { .. }));
    drives && !asleep && !world.lines.iter().any(excuses)
}

/// Of a set the alias on which the new version was found worse is the first that goes back.
fn worst_first(world: &World) -> Result<(), String> {
    let decided = world.lines.iter().find_map(|line| match (line.who, &line.what) {
        (Who::Process(process), Happened::Journalled { worse: Some(worst), .. }) => Some((process, *worst)),
        _ => None,
    });
    let Some((process, worst)) = decided else { return Ok(()) };
    let old = Content::whole(world.aliases()[worst].old);
    let goes_back = |line: &Line| {
        line.who == Who::Process(process) && matches!(&line.what, Happened::Sent { content, .. } if *content == old)
    };
    let Some(first) = world.lines.iter().position(goes_back) else { return Ok(()) };
    let Happened::Sent { alias, .. } = world.lines[first].what else { return Ok(()) };
    // What is on its way has to be heard of first; what somebody else did, or what is back, stays.
    let is_up = last_write(&world.lines[..first], worst).is_some_and(|(by, content)| {
        by == Who::Process(process) && content.share(world.aliases()[worst].new) > Weight::ZERO
    });
    let of_worst = |line: &&Line| match line.what {
        Happened::Sent { alias, .. } | Happened::Answered { alias, .. } => {
            line.who == Who::Process(process) && alias == worst
        }
        _ => false,
    };
    let is_known = world.lines[..first]
        .iter()
        .rfind(of_worst)
        .is_some_and(|line| matches!(line.what, Happened::Answered { sure: true, .. }));
    let slept =
        world.lines[..first].iter().any(|line| line.who == Who::Process(process) && line.what == Happened::Slept);
    if alias != worst && is_up && is_known && !slept {
        return Err(format!("13: alias {alias} goes back before alias {worst}, which was found worse"));
    }
    Ok(())
}
