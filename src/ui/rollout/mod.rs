//! What a rollout looks like: lines on standard error while it runs, the verdict at the end.

pub mod history;
pub mod status;

use serde_json::json;

use crate::rollout::names::Time;
use crate::rollout::plan::Plan;
use crate::rollout::run::{Progress, Verdict};
use crate::rollout::state::{Happening, Phase};
use crate::rollout::verdict::{happening_words, of_alias, standing_words};

use crate::ui::sanitize::sanitize;
use crate::ui::terminal::Terminal;

/// The version of everything that rollout commands print with `--output json` (docs/json.md). It rises
/// when a field goes or changes its meaning, not when one is added.
pub const SCHEMA: u32 = 1;

/// Shows progress. The plan is needed to tell what happened in words.
pub fn progress(terminal: Terminal, plan: &Plan, beside_others: bool, progress: &Progress) {
    let name = plan.first().filter(|_| beside_others).map(|alias| format!("{}: ", alias.id)).unwrap_or_default();
    match progress {
        Progress::Planned(plan) => {
            for line in plan.describe() {
                terminal.line(sanitize(&line));
            }
        }
        Progress::Happened(entry) => {
            let verb = match &entry.what {
                Happening::Intent { .. } => return,
                Happening::Confirmed { .. } => "Shifted",
                Happening::Decided { .. } => "Going back",
                Happening::RolledBack => "Rolled back",
                Happening::Succeeded => "Finished",
                Happening::Conflict { .. } => "Stopped",
                Happening::Overwriting { .. } => "Overwriting",
                Happening::Paused { .. } => "Paused",
                Happening::Settling => "Settling",
                Happening::Running { .. } => "Checking",
                _ => "Rollout",
            };
            terminal.status(verb, format_args!("{} {name}{}", entry.at.clock(), happening_words(&entry.what, plan)));
        }
        Progress::Looked { at, phase, alias, standing } => {
            let at_100 = matches!(phase, Phase::Baking { .. });
            let where_ = if at_100 { "100% " } else { "" };
            let told = of_alias(plan, *alias, &standing_words(standing));
            terminal.status("Watching", format_args!("{} {where_}{name}{told}", at.clock()));
        }
        Progress::Trouble { at, text } => terminal.warn(format_args!("{} {name}{text}", at.clock())),
        Progress::Waiting(text) => terminal.status("Waiting", text),
    }
}

/// Progress for programs, a JSON object a line; `None` for what only reassures people.
pub fn progress_json(plan: &Plan, progress: &Progress) -> Option<serde_json::Value> {
    let first = plan.first();
    let line = |at: &Time, fields: serde_json::Value, message: String| {
        let mut line = json!({
            "schema": SCHEMA,
            "type": "rollout",
            "function": first.map(|alias| &alias.id.function),
            "alias": first.map(|alias| &alias.id.alias),
            "at_ms": at.0,
            "message": message,
        });
        if let (Some(line), serde_json::Value::Object(mut fields)) = (line.as_object_mut(), fields) {
            line.append(&mut fields);
        }
        line
    };
    match progress {
        Progress::Happened(entry) => {
            Some(line(&entry.at, json!({ "entry": entry }), happening_words(&entry.what, plan)))
        }
        Progress::Looked { at, alias, standing, .. } => {
            let told = of_alias(plan, *alias, &standing_words(standing));
            Some(line(at, json!({ "alias_index": alias, "standing": standing }), told))
        }
        Progress::Trouble { at, text } => Some(line(at, json!({ "trouble": text }), text.clone())),
        Progress::Planned(_) | Progress::Waiting(_) => None,
    }
}

/// The plan for programs.
pub fn plan_json(plan: &Plan, warnings: &[String]) -> serde_json::Value {
    let aliases: Vec<serde_json::Value> = plan
        .aliases
        .iter()
        .map(|alias| {
            json!({
                "function": alias.id.function,
                "alias": alias.id.alias,
                "old_version": alias.old,
                "new_version": alias.new,
                "strategy": alias.strategy,
                "bound": alias.criteria.bound(),
                "slow_over_ms": alias.criteria.tau_ms(),
                "metrics": alias.criteria.metrics,
                "limits": alias.criteria.limits,
                "would_notice_points": alias.resolution().map(|points| points * 100.0),
                "requests_last_hour": alias.criteria.baseline.n,
                "errors_last_hour": alias.criteria.baseline.errors,
            })
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "type": "plan",
        "aliases": aliases,
        "stages": plan.stages(),
        "bake_seconds": plan.bake_s,
        "shortest_seconds": plan.shortest().as_secs(),
        "alarms": plan.alarms,
        "ignored_alarms": plan.ignored_alarms,
        "observe_only": plan.observe_only,
        "hooks": plan.hooks,
        "warnings": warnings,
    })
}

/// The verdict: data on standard output.
pub fn verdict(terminal: Terminal, verdict: &Verdict) {
    if terminal.is_json() {
        terminal.json(&verdict.json());
        return;
    }
    for line in verdict.lines() {
        terminal.data(sanitize(&line));
    }
}

/// A time for people.
pub fn when(at: Time) -> String {
    time::OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000))
        .map_or_else(|_| at.clock(), |moment| format!("{} {} UTC", moment.date(), at.clock()))
}
