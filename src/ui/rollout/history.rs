//! Finished rollouts of an alias.

use std::time::Duration;

use serde_json::{Value, json};

use super::{SCHEMA, when};
use crate::rollout::follow::{is_by_hand, verdict};
use crate::rollout::journal::Record;
use crate::rollout::names::{AliasId, show_duration};
use crate::rollout::verdict::{phase_words, standing_words};

/// One line a rollout, and one for its evidence.
pub fn lines(id: &AliasId, records: &[Record]) -> Vec<String> {
    let mut lines = Vec::new();
    for record in records {
        let Some((index, plan)) = record.state.plan.of(id) else { continue };
        let at = when(record.started);
        if is_by_hand(record) {
            lines.push(format!("{at}  version {} was taken back to {} by hand", plan.new, plan.old));
            continue;
        }
        let others = match record.state.plan.aliases.len() {
            0 | 1 => String::new(),
            2 => ", with one other".to_owned(),
            several => format!(", with {} others", several - 1),
        };
        let took = Duration::from_secs(record.ended().since(record.started).as_secs());
        lines.push(format!(
            "{at}  version {} to {} by {}{others}, in {}: {}",
            plan.old,
            plan.new,
            plan.strategy,
            show_duration(took),
            phase_words(&record.state)
        ));
        let standing = record.state.aliases.get(index).and_then(|alias| alias.standing.as_ref());
        lines.extend(standing.map(|standing| format!("    {}", standing_words(standing))));
    }
    if lines.is_empty() {
        lines.push(format!("{id} has no finished rollout"));
    }
    lines
}

/// One rollout of the history, without its entries.
pub fn entry_json(id: &AliasId, record: &Record) -> Value {
    let (index, plan) = record.state.plan.of(id).map_or((0, None), |(index, plan)| (index, Some(plan)));
    let standing = record.state.aliases.get(index).and_then(|alias| alias.standing.as_ref());
    let verdict = verdict(record);
    json!({
        "id": record.id,
        "started_ms": record.started,
        "ended_ms": record.ended(),
        "aliases": record.state.plan.ids(),
        "old_version": plan.map(|plan| plan.old),
        "new_version": plan.map(|plan| plan.new),
        "new_code_sha256": plan.and_then(|plan| plan.new_code_sha256.as_ref()),
        "strategy": plan.map(|plan| &plan.strategy),
        "by_hand": is_by_hand(record),
        "outcome": verdict.outcome(),
        "reason": verdict.reason(),
        "requests": { "old": standing.map(|standing| standing.old.n), "new": standing.map(|standing| standing.new.n) },
        "errors": { "old": standing.map(|standing| standing.old.x), "new": standing.map(|standing| standing.new.x) },
        "evidence": standing.map(|standing| standing.evidence),
        "bound": standing.map(|standing| standing.bound),
    })
}

/// The history for programs.
pub fn json(id: &AliasId, records: &[Record]) -> Value {
    json!({
        "schema": SCHEMA,
        "type": "history",
        "function": id.function,
        "alias": id.alias,
        "rollouts": records.iter().map(|record| entry_json(id, record)).collect::<Vec<_>>(),
    })
}
