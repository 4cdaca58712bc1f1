//! What a rollout looks like: lines on standard error while it runs, the verdict at the end.

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::Status;
use crate::rollout::names::Time;
use crate::rollout::plan::Plan;
use crate::rollout::run::{Progress, Verdict};
use crate::rollout::state::{Happening, Phase};
use crate::rollout::verdict::{Outcome, happening_words, standing_words};
use crate::ui::terminal::Terminal;

/// Shows progress. The plan is needed to tell what happened in words.
pub(crate) fn progress(terminal: Terminal, plan: &Plan, progress: &Progress) {
    match progress {
        Progress::Planned(plan) => {
            for line in plan.describe() {
                terminal.line(crate::ui::sanitize::sanitize(&line));
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
                _ => "Rollout",
            };
            terminal.status(verb, format_args!("{} {}", entry.at.clock(), happening_words(&entry.what, plan)));
        }
        Progress::Looked { at, phase, standing } => {
            let at_100 = matches!(phase, Phase::Baking { .. });
            let where_ = if at_100 { "100%" } else { "" };
            terminal.status("Watching", format_args!("{} {where_} {}", at.clock(), standing_words(standing)));
        }
        Progress::Trouble { at, text } => terminal.warn(format_args!("{} {text}", at.clock())),
        Progress::Waiting(text) => terminal.status("Waiting", text),
    }
}

/// Progress for programs, a JSON object a line; `None` for what only reassures people.
pub(crate) fn progress_json(plan: &Plan, progress: &Progress) -> Option<serde_json::Value> {
    let line = |at: &Time, fields: serde_json::Value, message: String| {
        let mut line = json!({
            "type": "rollout",
            "function": plan.function,
            "alias": plan.alias,
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
        Progress::Looked { at, standing, .. } => {
            Some(line(at, json!({ "standing": standing }), standing_words(standing)))
        }
        Progress::Trouble { at, text } => Some(line(at, json!({ "trouble": text }), text.clone())),
        Progress::Planned(_) | Progress::Waiting(_) => None,
    }
}

/// The plan for programs.
pub(crate) fn plan_json(plan: &Plan, warnings: &[String]) -> serde_json::Value {
    json!({
        "schema": 1,
        "function": plan.function,
        "alias": plan.alias,
        "old_version": plan.old,
        "new_version": plan.new,
        "strategy": plan.strategy,
        "stages": plan.stages(),
        "bake_seconds": plan.bake_s,
        "shortest_seconds": plan.shortest().as_secs(),
        "alarms": plan.alarms,
        "ignored_alarms": plan.ignored_alarms,
        "limits": plan.criteria.limits,
        "would_notice_points": plan.resolution().map(|points| points * 100.0),
        "requests_last_hour": plan.criteria.baseline.n,
        "errors_last_hour": plan.criteria.baseline.errors,
        "warnings": warnings,
    })
}

/// Prints the verdict and gives the exit status.
pub(crate) fn verdict(context: &Context, verdict: &Verdict) -> Status {
    let terminal = context.terminal;
    if terminal.is_json() {
        terminal.json(&verdict.json());
    } else {
        for line in verdict.lines() {
            terminal.data(crate::ui::sanitize::sanitize(&line));
        }
    }
    status_of(verdict.outcome())
}

/// The exit status of an outcome.
pub(crate) fn status_of(outcome: Outcome) -> Status {
    match outcome {
        Outcome::Succeeded => Status::Done,
        Outcome::RolledBack => Status::RolledBack,
        Outcome::Refused | Outcome::SettleFailed | Outcome::Failed => Status::Failed,
        Outcome::Held => Status::Held,
        Outcome::Conflict => Status::Conflict,
        Outcome::Interrupted => Status::Interrupted,
    }
}

/// A time for people.
pub(crate) fn when(at: Time) -> String {
    time::OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000))
        .map_or_else(|_| at.clock(), |moment| format!("{} {} UTC", moment.date(), at.clock()))
}
