//! Where an alias and its rollout are.

use serde_json::{Value, json};

use super::{SCHEMA, history, when};
use crate::rollout::Report;
use crate::rollout::names::AliasId;
use crate::rollout::state::Phase;
use crate::rollout::verdict::{of_alias, phase_words, standing_words, ways_out};

/// What the stack's template says of the alias.
#[derive(Clone, Debug)]
pub struct InStack {
    /// The stack.
    pub name: String,
    /// The version of its template.
    pub version: String,
    /// Whether the alias says something else, and no rollout is under way that would explain it.
    pub differs: bool,
}

/// Two versions serve and nobody watches: that is for a person to know before anything else.
pub fn shout(id: &AliasId, report: &Report) -> Option<String> {
    let content = &report.alias.as_ref()?.content;
    (content.is_split() && report.driver.is_none()).then(|| {
        format!("ATTENTION: {id} serves two versions ({content}), and nobody drives or judges a rollout of it")
    })
}

/// What is so, a line each, the most urgent first. Without the journal (`is_complete`) nothing is said
/// of what is under way.
pub fn lines(id: &AliasId, report: &Report, stack: Option<&InStack>, is_complete: bool) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(shout(id, report).filter(|_| is_complete));
    match &report.alias {
        Some(alias) => lines.push(format!("{id} says {}", alias.content)),
        None => lines.push(format!("{id} does not exist")),
    }
    match &report.current {
        Some(found) => {
            let state = &found.record.state;
            let plan = &state.plan;
            let begun = format!("begun {}: {}", when(found.record.started), phase_words(state));
            lines.extend(plan.aliases.iter().map(|alias| {
                let of = if plan.aliases.len() > 1 { format!(" of {}", alias.id) } else { String::new() };
                format!("rollout{of} of version {} to {} by {}, {begun}", alias.old, alias.new, alias.strategy)
            }));
            let age = found.heartbeat_age.as_secs();
            let conflicted = matches!(state.phase, Phase::Conflicted { .. });
            lines.push(match &report.driver {
                None if conflicted => format!("nobody drives it (last heard {age} s ago)"),
                Some(driver) => format!("driven by {driver}, last heard {age} s ago"),
                None => format!(
                    "nobody drives it (last heard {age} s ago): `samara rollout resume {0}` or `samara rollout abort {0}`",
                    id.flags()
                ),
            });
            if conflicted {
                lines.extend(ways_out(state));
            }
            lines.extend(state.standing().map(|(alias, standing)| of_alias(plan, alias, &standing_words(&standing))));
            let known = plan.of(id).and_then(|(index, _)| state.aliases.get(index));
            if let (Some(known), Some(alias), None) = (known, &report.alias, &report.driver)
                && known.intent.is_none()
                && alias.content != known.seen.content
            {
                lines.push(format!("the journal expects {}", known.seen.content));
            }
        }
        None if !is_complete => lines.push("whether a rollout is under way is not known".to_owned()),
        None if report.alias.as_ref().is_some_and(|alias| alias.content.is_split()) => lines.push(format!(
            "two versions serve and no rollout is under way: `samara rollout rollback {}` makes the alias whole again",
            id.flags()
        )),
        None => lines.push("no rollout is under way".to_owned()),
    }
    if let Some(stack) = stack.filter(|stack| stack.differs) {
        let says = format!("stack {} says version {}, and the alias does not", stack.name, stack.version);
        let is_split = report.alias.as_ref().is_some_and(|alias| alias.content.is_split());
        // An alias with weights is made whole first: no rollout begins on it.
        lines.push(if is_split {
            says
        } else {
            format!(
                "{says}: `samara rollout start {} --to-version {}` shifts to it again, and deploying other code brings \
                 them together",
                id.flags(),
                stack.version
            )
        });
    }
    for record in &report.history {
        lines.extend(history::lines(id, std::slice::from_ref(record)).first().map(|line| format!("before: {line}")));
    }
    lines
}

/// The same for programs.
pub fn json(id: &AliasId, report: &Report, stack: Option<&InStack>) -> Value {
    let current = report.current.as_ref().map(|found| {
        let state = &found.record.state;
        let of = state.plan.of(id).map(|(_, plan)| plan);
        let known = state.plan.of(id).and_then(|(index, _)| state.aliases.get(index));
        let standing = state.standing().map(|(_, standing)| standing);
        json!({
            "id": found.record.id,
            "aliases": state.plan.ids(),
            "old_version": of.map(|plan| plan.old),
            "new_version": of.map(|plan| plan.new),
            "strategy": of.map(|plan| &plan.strategy),
            "phase": state.phase,
            "phase_words": phase_words(state),
            "next_ms": state.next_at(),
            "expected": known.map(|alias| &alias.seen.content),
            "driver": report.driver,
            "heartbeat_age_seconds": found.heartbeat_age.as_secs(),
            "evidence": standing.as_ref().map(|standing| standing.evidence),
            "bound": standing.as_ref().map(|standing| standing.bound),
            "entries": state.entries,
        })
    });
    json!({
        "schema": SCHEMA,
        "type": "status",
        "function": id.function,
        "alias": id.alias,
        "content": report.alias.as_ref().map(|alias| &alias.content),
        "revision": report.alias.as_ref().map(|alias| &alias.revision),
        "stack": stack.map(|stack| json!({"name": stack.name, "version": stack.version, "differs": stack.differs})),
        "rollout": current,
        "history": report.history.iter().map(|record| history::entry_json(id, record)).collect::<Vec<_>>(),
    })
}
