//! A page from a rollout's state: what the journal tells, and what was seen while it ran.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::rollout::analysis::{Counts, Judge, METRIC_DELAY, Tally};
use crate::rollout::evidence::Percentiles;
use crate::rollout::names::{Time, show_duration};
use crate::rollout::run::Verdict;
use crate::rollout::state::{Happening, Phase, State};
use crate::rollout::verdict::{Outcome, happening_words, phase_words, standing_words};

use super::{Alias, Event, Minute, Page, Side, Tone};

/// What is not in the journal; without it the page has less to show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The evidence at each look of this process.
    pub evidence: Vec<(Time, f64)>,
    /// The 99th percentiles of the durations, where they could be read.
    pub percentiles: Option<BTreeMap<i64, Percentiles>>,
}

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
    lines.extend(state.standing.as_ref().map(standing_words));
    page(state, at, outcome, tone, lines, seen)
}

fn outcome_words(outcome: Outcome) -> (&'static str, Tone) {
    match outcome {
        Outcome::Succeeded => ("Succeeded", Tone::Good),
        Outcome::RolledBack => ("Rolled back", Tone::Bad),
        Outcome::Refused => ("Refused", Tone::Bad),
        Outcome::SettleFailed => ("Not settled", Tone::Warn),
        Outcome::Held => ("Held", Tone::Warn),
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
    let aliases = vec![alias(state, seen)];
    Page {
        title: format!("{}:{}, version {} to {}", plan.function, plan.alias, plan.old, plan.new),
        outcome: outcome.to_owned(),
        tone,
        verdict,
        facts: facts(state),
        aliases,
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

/// Whether an event is good: the same for the page, for annotations and for whoever is notified.
pub fn tone_of(what: &Happening) -> Tone {
    match what {
        Happening::Succeeded => Tone::Good,
        Happening::Decided { .. } | Happening::Conflict { .. } | Happening::SettleFailed { .. } => Tone::Bad,
        Happening::Blind { .. } | Happening::Paused { .. } | Happening::Overwriting { .. } => Tone::Warn,
        _ => Tone::Plain,
    }
}

fn facts(state: &State) -> Vec<(String, String)> {
    let plan = &state.plan;
    let mut facts = vec![
        ("Strategy".to_owned(), plan.strategy.to_string()),
        ("Watched at 100 %".to_owned(), show_duration(Duration::from_secs(plan.bake_s))),
        ("Bound of the evidence".to_owned(), format!("{:.0}", 1.0 / plan.criteria.alpha)),
    ];
    let baseline = &plan.criteria.baseline;
    facts.push(("Requests in the hour before".to_owned(), format!("{}, {} failed", baseline.n, baseline.errors)));
    if !plan.alarms.is_empty() {
        facts.push(("Alarms".to_owned(), plan.alarms.join(", ")));
    }
    if !plan.criteria.limits.is_empty() {
        let limits: Vec<String> = plan.criteria.limits.iter().map(ToString::to_string).collect();
        facts.push(("Limits".to_owned(), limits.join(", ")));
    }
    if let Some(standing) = &state.standing {
        facts.push((format!("Judged requests, version {}", plan.old), told(standing.old.n, standing.old.x)));
        facts.push((format!("Judged requests, version {}", plan.new), told(standing.new.n, standing.new.x)));
    }
    if let Some(settle) = &plan.settle {
        facts.push(("Stack".to_owned(), settle.stack.clone()));
    }
    facts
}

fn told(requests: u64, errors: u64) -> String {
    format!("{requests}, {errors} failed")
}

fn alias(state: &State, seen: &Seen) -> Alias {
    let plan = &state.plan;
    let mut weights = vec![(state.entries.front().map_or(plan.created, |entry| entry.at), 0.0)];
    for entry in &state.entries {
        let (Happening::Confirmed { content } | Happening::Accepted { content }) = &entry.what else { continue };
        weights.push((entry.at, content.share(plan.new).fraction()));
    }
    Alias {
        name: format!("{}:{}", plan.function, plan.alias),
        old: plan.old.to_string(),
        new: plan.new.to_string(),
        weights,
        minutes: minutes(state, seen),
        evidence: evidence(state, seen),
        bound: 1.0 / plan.criteria.alpha,
        judged: state.standing.as_ref().map(|standing| {
            let side = |tally: Tally| Side { requests: tally.n, errors: tally.x, p99_ms: None };
            (side(standing.old), side(standing.new))
        }),
        left_split: state.alias.content.is_split().then(|| state.alias.content.to_string()),
    }
}

fn minutes(state: &State, seen: &Seen) -> Vec<Minute> {
    let known = state.judge.minutes().map(|minute| {
        let read = seen.percentiles.as_ref().and_then(|all| all.get(&minute.minute)).copied().unwrap_or_default();
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
fn evidence(state: &State, seen: &Seen) -> Vec<(Time, f64)> {
    let criteria = &state.plan.criteria;
    let until = seen.evidence.first().map_or(Time(i64::MAX), |(at, _)| *at);
    let mut judge = Judge::default();
    let mut share = 0.0;
    for entry in &state.entries {
        if let Happening::Confirmed { content } = &entry.what {
            let after = content.share(state.plan.new).fraction();
            judge.raised(entry.at, share, after);
            share = after;
        }
    }
    let mut points: Vec<(Time, f64)> = Vec::new();
    for minute in state.judge.minutes() {
        // Long after, so that it is folded at once.
        let complete = state.judge.complete_at(minute.minute, criteria);
        let after = complete + METRIC_DELAY + Duration::from_secs(3600);
        let standing = judge.look(criteria, std::slice::from_ref(minute), 0, after);
        let at = Time::of_minute(minute.minute + 1);
        if at < until && (!seen.evidence.is_empty() || complete <= state.entries.back().map_or(at, |entry| entry.at)) {
            points.push((at, standing.evidence));
        }
    }
    for (at, evidence) in &seen.evidence {
        // It is looked at twice a minute and changes once.
        if points.last().is_none_or(|(_, last)| last != evidence) {
            points.push((*at, *evidence));
        }
    }
    let end =
        state.entries.back().map(|entry| entry.at).into_iter().chain(seen.evidence.last().map(|(at, _)| *at)).max();
    if let (Some(end), Some(standing)) = (end, &state.standing) {
        points.push((end.max(points.last().map_or(end, |(at, _)| *at)), standing.evidence));
    }
    points
}
