//! The invariants, checked on what happened to alias and journal. Nothing here asks the engine.

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::content::Content;
use super::super::super::plan::{AliasPlan, GroupStep, Plan};
use super::super::super::state::{Happening, Phase};
use super::history::{Event, History, What, Who};

/// What the checks have to know of a story.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The aliases, `function:alias`, in the plan's order, and what each says at the end. The first
    /// one's journal is that of all.
    pub aliases: Vec<(String, Content)>,
    /// The plan, once there was one.
    pub plan: Option<Plan>,
    /// Somebody said that it may go on before its time.
    pub promoted: bool,
    /// Somebody said that what others made of the alias may be overwritten.
    pub forced: bool,
}

impl Facts {
    fn journal(&self) -> &str {
        self.aliases.first().map_or("", |(name, _)| name)
    }
}

/// One alias of them.
struct Alias<'a> {
    index: usize,
    name: &'a str,
    plan: &'a AliasPlan,
    steps: &'a [GroupStep],
    /// Its contents in their order: the old version, the steps, the new one.
    ladder: Vec<Content>,
}

/// What is broken, a line each, with the number of the invariant.
pub fn broken(history: &History, facts: &Facts) -> Vec<String> {
    let mut broken = Vec::new();
    let wrote = |name: &str, wanted: fn(&Event, &Content, &Content) -> bool| {
        history.writes(name).any(|(_, event, before, after)| wanted(event, before, after))
    };
    let person_wrote = facts
        .aliases
        .iter()
        .any(|(name, _)| wrote(name, |event, before, after| event.by == Who::Person && before != after));
    let steps = facts.plan.as_ref().map(Plan::timeline).unwrap_or_default();
    for (index, (name, left)) in facts.aliases.iter().enumerate() {
        let Some((plan, all)) = facts.plan.as_ref().and_then(|plan| Some((plan.aliases.get(index)?, plan))) else {
            if wrote(name, |event, _, _| event.by != Who::Person) {
                broken.push(format!("{name} was written without a plan"));
            }
            continue;
        };
        let contents = (0..=steps.len()).filter_map(|step| all.content(index, step));
        let ladder = std::iter::once(plan.before()).chain(contents).collect();
        let alias = Alias { index, name, plan, steps: &steps, ladder };
        writes(history, facts, &alias, person_wrote, left, &mut broken);
        if !person_wrote && ![plan.before(), plan.after()].contains(left) {
            broken.push(format!("3: at the end {name} says {left}"));
        }
    }
    let (first, others) = match facts.aliases.split_first() {
        Some(((_, first), others)) => (first, others),
        None => return broken,
    };
    if !person_wrote && others.iter().any(|(_, other)| other != first) {
        broken.push(format!("3: the aliases are left apart: {:?}", facts.aliases));
    }
    fence(history, facts, &mut broken);
    broken
}

fn writes(
    history: &History,
    facts: &Facts,
    alias: &Alias<'_>,
    person_wrote: bool,
    left: &Content,
    broken: &mut Vec<String>,
) {
    let Alias { name, plan, steps, ladder, .. } = alias;
    let mut last: Option<(&Event, &Content, &Content)> = None;
    for (_, event, before, after) in history.writes(name) {
        let previous = last.replace((event, before, after));
        if event.by == Who::Person {
            continue;
        }
        let Some(rung) = ladder.iter().position(|content| content == after) else {
            broken.push(format!("1: {} made {name} say {after}, which no step of the plan is", event.by));
            continue;
        };
        let from = ladder.iter().position(|content| content == before);
        let foreign = previous.filter(|(last, was, theirs)| last.by == Who::Person && was != theirs);
        if let Some((_, _, theirs)) = foreign.filter(|(_, _, theirs)| !ladder.contains(theirs) && !facts.forced) {
            broken.push(format!("6: {} overwrote {theirs}, which somebody else had set, with {after}", event.by));
        }
        if after.share(plan.new) <= before.share(plan.new) {
            continue;
        }
        if from.is_some_and(|from| rung > from + 1) && !person_wrote {
            broken.push(format!("2: {} went from {before} to {after} and left out a step", event.by));
        }
        told_before(history, facts, alias, event, after, broken);
        not_after_the_decision(history, facts, event, after, broken);
        let held_ms = previous.filter(|(last, ..)| last.by != Who::Person).map(|(last, ..)| event.at_ms - last.at_ms);
        let step = from.and_then(|from| from.checked_sub(1)).and_then(|step| steps.get(step));
        if let (Some(held_ms), Some(step), false, false) = (held_ms, step, facts.promoted, person_wrote)
            // The weight is known to be there when its answer is; the clock begins then.
            && held_ms + 100 < u64::try_from(step.hold.as_millis()).unwrap_or(0)
        {
            broken.push(format!("2: {after} came {held_ms} ms after {before}, which is held for {:?}", step.hold));
        }
    }
    if let Some((_, _, after)) = last.filter(|(_, _, after)| *after != left) {
        broken.push(format!("{name} says {left} and was last made to say {after}"));
    }
}

/// 7: what the alias is made to say is in the journal of whoever does it before it is asked for.
fn told_before(
    history: &History,
    facts: &Facts,
    alias: &Alias<'_>,
    event: &Event,
    after: &Content,
    broken: &mut Vec<String>,
) {
    let intended = history.events.iter().take(event.asked_after).any(|earlier| match &earlier.what {
        What::Journal { name, record: Some(record) } if name == facts.journal() && earlier.by == event.by => {
            record.state.entries.iter().any(|entry| {
                matches!(&entry.what, Happening::Intent { alias: index, content } if *index == alias.index && content == after)
            })
        }
        _ => false,
    });
    if !intended {
        broken.push(format!("7: {} made {} say {after}, and its journal did not say so before", event.by, alias.name));
    }
}

fn not_after_the_decision(history: &History, facts: &Facts, event: &Event, after: &Content, broken: &mut Vec<String>) {
    let decided = history.events.iter().take(event.asked_after).any(|earlier| match &earlier.what {
        What::Journal { name, record: Some(record) } if name == facts.journal() && earlier.by == event.by => {
            matches!(record.state.phase, Phase::RollingBack { .. } | Phase::RolledBack { .. })
        }
        _ => false,
    });
    if decided {
        broken.push(format!("2: {} raised to {after} after the decision to go back", event.by));
    }
}

/// 5: whoever lost the journal to another process never writes it again, and raises at most what was
/// on its way already.
fn fence(history: &History, facts: &Facts, broken: &mut Vec<String>) {
    let mut holder: Option<Who> = None;
    let mut lost: BTreeMap<Who, usize> = BTreeMap::new();
    let mut deleted_by_hand = false;
    let mut late = BTreeSet::new();
    for (place, event) in history.events.iter().enumerate() {
        match &event.what {
            What::Journal { name, .. } if name == facts.journal() => {
                if let Some(holder) = holder.filter(|holder| *holder != event.by) {
                    lost.entry(holder).or_insert(place);
                }
                if lost.contains_key(&event.by) {
                    broken.push(format!("5: {} wrote the journal after another process had taken it", event.by));
                }
                if deleted_by_hand && holder == Some(event.by) {
                    broken.push(format!("{} wrote the journal that somebody had deleted", event.by));
                }
                holder = Some(event.by);
                deleted_by_hand = false;
            }
            What::Retired { name } if name == facts.journal() => {
                deleted_by_hand = event.by == Who::Person;
                if event.by != Who::Person {
                    holder = None;
                }
            }
            What::Alias { name, before, after } => {
                let place = facts.aliases.iter().position(|(known, _)| known == name);
                let Some(plan) = place.and_then(|place| facts.plan.as_ref()?.aliases.get(place)) else { continue };
                let raises = after.share(plan.new) > before.share(plan.new);
                let too_late = lost.get(&event.by).is_some_and(|at| *at < event.asked_after);
                if raises && too_late && !late.insert((event.by, name)) {
                    broken.push(format!("5: {} went on raising after it had lost the journal", event.by));
                }
            }
            _ => {}
        }
    }
}
