//! A page from a rollout's state: what the journal tells, and what was seen while it ran.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::rollout::analysis::{Counts, Judge, METRIC_DELAY, Tally};
use crate::rollout::evidence::Percentiles;
use crate::rollout::names::{Time, Version, show_duration};
use crate::rollout::plan::{AliasPlan, Plan};
use crate::rollout::run::Verdict;
use crate::rollout::state::{AliasState, Entry, Happening, Phase, State};
use crate::rollout::verdict::{Outcome, happening_words, of_alias, phase_words, standing_words};

use super::{Alias as Drawn, Event, Minute, Page, Side, Tone, short};

/// What is not in the journal; without it the page has less to show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The evidence at each look of this process, with the alias's index.
    pub evidence: Vec<(Time, usize, f64)>,
    /// The 99th percentiles of the durations, where they could be read.
    pub percentiles: Option<Vec<BTreeMap<i64, Percentiles>>>,
}

/// A later process goes on: two versions are meant to be there.
const LEFT: &str = "Left for now";

/// The page of a rollout that this process drove.
pub fn of_verdict(verdict: &Verdict, seen: &Seen) -> Page {
    let (outcome, tone) = outcome_words(verdict.outcome());
    page(&verdict.state, verdict.at, outcome, tone, verdict.lines(), seen)
}

/// The page of a rollout as its journal tells it, finished or not.
pub fn of_state(state: &State, at: Time, seen: &Seen) -> Page {
    let (outcome, tone) = match &state.phase {
        Phase::Succeeded => ("Succeeded", Tone::Good),
        Phase::RolledBack { .. } => ("Rolled back", Tone::Bad),
        Phase::Conflicted { .. } => ("Stopped by another hand", Tone::Bad),
        Phase::SettleFailed { .. } => ("Not settled", Tone::Warn),
        Phase::Paused { .. } => ("Held", Tone::Warn),
        _ => ("Under way", Tone::Plain),
    };
    let mut lines = vec![phase_words(state)];
    lines.extend(state.standing().map(|(alias, standing)| of_alias(&state.plan, alias, &standing_words(&standing))));
    page(state, at, outcome, tone, lines, seen)
}

fn outcome_words(outcome: Outcome) -> (&'static str, Tone) {
    match outcome {
        Outcome::Succeeded => ("Succeeded", Tone::Good),
        Outcome::RolledBack => ("Rolled back", Tone::Bad),
        Outcome::Refused => ("Refused", Tone::Bad),
        Outcome::SettleFailed => ("Not settled", Tone::Warn),
        Outcome::Held => ("Held", Tone::Warn),
        Outcome::Left => (LEFT, Tone::Plain),
        Outcome::Conflict => ("Stopped by another hand", Tone::Bad),
        Outcome::Failed => ("Needs a person", Tone::Bad),
        Outcome::Interrupted => ("Interrupted", Tone::Warn),
    }
}

fn page(state: &State, at: Time, outcome: &str, tone: Tone, verdict: Vec<String>, seen: &Seen) -> Page {
    let plan = &state.plan;
    let from = state.entries.front().map_or(plan.created, |entry| entry.at);
    let mut notes = Vec::new();
    if seen.percentiles.is_none() {
        notes.push("The durations' percentiles could not be read from CloudWatch.".to_owned());
    }
    let is_left_alone = !state.is_finished() && outcome != "Under way" && outcome != LEFT;
    Page {
        title: title(plan),
        outcome: outcome.to_owned(),
        tone,
        verdict,
        facts: facts(state),
        aliases: plan
            .aliases
            .iter()
            .zip(&state.aliases)
            .enumerate()
            .map(|(index, (plan, alias))| one(state, index, plan, alias, seen, is_left_alone))
            .collect(),
        events: state
            .entries
            .iter()
            // What was meant is followed by what became of it.
            .filter(|entry| !matches!(entry.what, Happening::Intent { .. }))
            .map(|entry| Event { at: entry.at, text: happening_words(&entry.what, plan), tone: tone_of(&entry.what) })
            .collect(),
        from,
        until: at.max(from + Duration::from_secs(60)),
        notes,
    }
}

/// What a rollout is about, in a line.
pub fn title(plan: &Plan) -> String {
    let all: Vec<String> =
        plan.aliases.iter().map(|alias| format!("{}, version {} to {}", alias.id, alias.old, alias.new)).collect();
    all.join("; ")
}

/// Whether an event is good: the same for the page, for annotations and for whoever is notified.
pub fn tone_of(what: &Happening) -> Tone {
    match what {
        Happening::Succeeded => Tone::Good,
        Happening::Decided { .. } | Happening::Conflict { .. } | Happening::SettleFailed { .. } => Tone::Bad,
        Happening::WouldGoBack { .. }
        | Happening::Blind { .. }
        | Happening::Paused { .. }
        | Happening::Overwriting { .. } => Tone::Warn,
        _ => Tone::Plain,
    }
}

fn facts(state: &State) -> Vec<(String, String)> {
    let plan = &state.plan;
    let several = plan.aliases.len() > 1;
    let mut facts = Vec::new();
    for (alias, live) in plan.aliases.iter().zip(&state.aliases) {
        let of = |name: &str| if several { format!("{name}, {}", alias.id) } else { name.to_owned() };
        facts.push((of("Strategy"), alias.strategy.to_string()));
        let baseline = &alias.criteria.baseline;
        facts.push((of("Requests in the hour before"), told(baseline.n, baseline.errors)));
        if !alias.criteria.limits.is_empty() {
            let limits: Vec<String> = alias.criteria.limits.iter().map(ToString::to_string).collect();
            facts.push((of("Limits"), limits.join(", ")));
        }
        if let Some(standing) = &live.standing {
            let judged = |version| of(&format!("Judged requests, version {version}"));
            facts.push((judged(alias.old), told(standing.old.n, standing.old.x)));
            facts.push((judged(alias.new), told(standing.new.n, standing.new.x)));
        }
    }
    facts.push(("Watched at 100 %".to_owned(), show_duration(Duration::from_secs(plan.bake_s))));
    if let (true, Some((_, standing))) = (several, state.standing()) {
        let value = format!("{} of {}", short(standing.evidence), short(standing.bound));
        facts.push(("Evidence of all together".to_owned(), value));
    }
    if !plan.alarms.is_empty() {
        facts.push(("Alarms".to_owned(), plan.alarms.join(", ")));
    }
    if !plan.hooks.is_empty() {
        let hooks: Vec<String> = plan.hooks.iter().map(ToString::to_string).collect();
        facts.push(("Checks".to_owned(), hooks.join(", ")));
    }
    if plan.observe_only {
        facts.push(("Evidence".to_owned(), "told of, not acted on".to_owned()));
    }
    if let Some(settle) = &plan.settle {
        facts.push(("Stack".to_owned(), settle.stack.clone()));
    }
    facts
}

fn told(requests: u64, errors: u64) -> String {
    format!("{requests}, {errors} failed")
}

fn one(state: &State, index: usize, plan: &AliasPlan, alias: &AliasState, seen: &Seen, left: bool) -> Drawn {
    let mut weights = vec![(state.entries.front().map_or(state.plan.created, |entry| entry.at), 0.0)];
    weights.extend(shares(state, index, plan.new));
    let seen_of = |at: &(Time, usize, f64)| (at.1 == index).then_some((at.0, at.2));
    let watched: Vec<(Time, f64)> = seen.evidence.iter().filter_map(seen_of).collect();
    let percentiles = seen.percentiles.as_ref().and_then(|all| all.get(index));
    let content = &alias.seen.content;
    Drawn {
        name: plan.id.to_string(),
        old: plan.old.to_string(),
        new: plan.new.to_string(),
        weights,
        minutes: minutes(alias, percentiles),
        evidence: evidence(state, index, plan, alias, &watched),
        bound: 1.0 / plan.criteria.alpha,
        judged: alias.standing.as_ref().map(|standing| {
            let side = |tally: Tally| Side { requests: tally.n, errors: tally.x, p99_ms: None };
            (side(standing.old), side(standing.new))
        }),
        left_split: (left && content.is_split()).then(|| content.to_string()),
    }
}

/// The new version's shares that the journal tells of, from when on.
fn shares(state: &State, index: usize, new: Version) -> Vec<(Time, f64)> {
    let share = |entry: &Entry| match &entry.what {
        Happening::Confirmed { alias, content } | Happening::Accepted { alias, content } if *alias == index => {
            Some((entry.at, content.share(new).fraction()))
        }
        _ => None,
    };
    state.entries.iter().filter_map(share).collect()
}

fn minutes(alias: &AliasState, percentiles: Option<&BTreeMap<i64, Percentiles>>) -> Vec<Minute> {
    let known = alias.judge.minutes().map(|minute| {
        let read = percentiles.and_then(|all| all.get(&minute.minute)).copied().unwrap_or_default();
        // Where one version served alone there is no series by version, and the alias's is its own.
        let alone = |other: &Option<Counts>| if other.is_none() { read.alias } else { None };
        let (old_p99, new_p99) = (read.old.or_else(|| alone(&minute.new)), read.new.or_else(|| alone(&minute.old)));
        let side = |counts: &Option<Counts>, p99_ms| {
            counts.as_ref().map(|counts| Side { requests: counts.n, errors: counts.errors, p99_ms })
        };
        Minute { minute: minute.minute, old: side(&minute.old, old_p99), new: side(&minute.new, new_p99) }
    });
    known.collect()
}

/// The evidence as it grew: what this process saw, and before that what the judged minutes give when
/// they are judged again.
fn evidence(
    state: &State,
    index: usize,
    plan: &AliasPlan,
    alias: &AliasState,
    watched: &[(Time, f64)],
) -> Vec<(Time, f64)> {
    let criteria = &plan.criteria;
    let last_entry = state.entries.back().map(|entry| entry.at);
    let until = watched.first().map_or(Time(i64::MAX), |(at, _)| *at);
    let mut judge = Judge::default();
    let mut share = 0.0;
    for (at, after) in shares(state, index, plan.new) {
        judge.raised(at, share, after);
        share = after;
    }
    let mut points: Vec<(Time, f64)> = Vec::new();
    for minute in alias.judge.minutes() {
        // Long after, so that it is folded at once.
        let complete = alias.judge.complete_at(minute.minute, criteria);
        let after = complete + METRIC_DELAY + Duration::from_secs(3600);
        let standing = judge.look(criteria, std::slice::from_ref(minute), 0, after);
        let at = Time::of_minute(minute.minute + 1);
        if at < until && (!watched.is_empty() || last_entry.is_some_and(|last| complete <= last)) {
            points.push((at, standing.evidence));
        }
    }
    for (at, evidence) in watched {
        // It is looked at twice a minute and changes once.
        if points.last().is_none_or(|(_, last)| last != evidence) {
            points.push((*at, *evidence));
        }
    }
    let end = last_entry.into_iter().chain(watched.last().map(|(at, _)| *at)).max();
    if let (Some(end), Some(standing)) = (end, &alias.standing) {
        points.push((end.max(points.last().map_or(end, |(at, _)| *at)), standing.evidence));
    }
    points
}
