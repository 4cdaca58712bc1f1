//! What `samara diff` shows.

use serde_json::{Value, json};

use super::sanitize::sanitize;
use super::terminal::Terminal;
use crate::deploy::diff::{Diff, Difference, Effect};
use crate::template::Node;

/// Longer values are cut for people; `--output json` has them whole.
const LONGEST: usize = 160;

/// For people, on standard output.
pub fn show(terminal: Terminal, stack: &str, diff: &Diff) {
    for one in &diff.resources {
        let note = match (one.effect, one.retained) {
            (Effect::Remove, true) => "  (stays in the account)",
            (Effect::Replace, true) => "  (replaced; the old one stays in the account)",
            (Effect::Replace, false) => "  (replaced)",
            _ => "",
        };
        terminal.data(format_args!(
            "{} {}  {}{note}",
            sign(one.effect),
            sanitize(&one.logical_id),
            sanitize(&one.kind)
        ));
        one.differences.iter().for_each(|difference| line(terminal, "    ", difference));
    }
    diff.others.iter().for_each(|difference| line(terminal, "", difference));
    if diff.is_empty() {
        terminal.status("Same", format_args!("the template is what stack {stack} has"));
        return;
    }
    let counts: Vec<String> = [
        (Effect::Add, "to add"),
        (Effect::Change, "to change"),
        (Effect::Replace, "to replace"),
        (Effect::Remove, "to remove"),
    ]
    .into_iter()
    .filter(|(effect, _)| diff.count(*effect) > 0)
    .map(|(effect, words)| format!("{} {words}", diff.count(effect)))
    .collect();
    let resources = if counts.is_empty() { "no resource".to_owned() } else { counts.join(", ") };
    terminal.status("Differs", format_args!("from stack {stack}: {resources}; nothing was changed"));
}

fn sign(effect: Effect) -> &'static str {
    match effect {
        Effect::Add => "+",
        Effect::Change => "~",
        Effect::Replace => "-/+",
        Effect::Remove => "-",
    }
}

fn line(terminal: Terminal, indent: &str, one: &Difference) {
    let path = sanitize(&one.path);
    let why = match (&one.because, one.requires_replacement) {
        (Some(because), true) => format!("  ({}; cannot be changed in place)", sanitize(because)),
        (Some(because), false) => format!("  ({})", sanitize(because)),
        (None, true) => "  (cannot be changed in place)".to_owned(),
        (None, false) => String::new(),
    };
    let text = match (&one.old, &one.new) {
        (Some(old), Some(new)) if old == new => format!("~ {path}: {}", value(new)),
        (Some(old), Some(new)) => format!("~ {path}: {} → {}", value(old), value(new)),
        (None, Some(new)) => format!("+ {path}: {}", value(new)),
        (Some(old), None) => format!("- {path}: {}", value(old)),
        (None, None) => return,
    };
    terminal.data(format_args!("{indent}{text}{why}"));
}

fn value(node: &Node) -> String {
    let text = node.to_json().to_string();
    let text = sanitize(&text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// For programs.
pub fn json(stack: &str, diff: &Diff) -> Value {
    json!({
        "schema": super::rollout::SCHEMA,
        "type": "diff",
        "stack_name": stack,
        "differs": !diff.is_empty(),
        "resources": diff.resources.iter().map(|one| json!({
            "logical_id": one.logical_id,
            "type": one.kind,
            "effect": one.effect,
            "retained": one.retained,
            "differences": differences(&one.differences),
        })).collect::<Vec<_>>(),
        "template": differences(&diff.others),
    })
}

fn differences(all: &[Difference]) -> Vec<Value> {
    all.iter()
        .map(|one| {
            json!({
                "path": one.path,
                "old": one.old.as_ref().map(Node::to_json),
                "new": one.new.as_ref().map(Node::to_json),
                "requires_replacement": one.requires_replacement,
                "because": one.because,
            })
        })
        .collect()
}
