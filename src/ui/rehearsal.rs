//! How a rehearsal looks: a timeline while it runs, and the proof at its end.

use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::rehearse::proof::{Deployment, Outcome, Proof, Sides};
use crate::rehearse::story::Event;
use crate::rehearse::traffic::Ledger;

use super::sanitize::sanitize;
use super::terminal::{BAD, FAINT, GOOD, NOTE, Terminal, WARN};

/// A line of the timeline, on standard error.
pub fn event(terminal: Terminal, event: &Event) {
    match event {
        Event::Chapter { at, title } => {
            terminal.line(format_args!("{FAINT}{}{FAINT:#} {NOTE}{}{NOTE:#}", clock(*at), sanitize(title)));
        }
        Event::Told { at, text } => {
            terminal.line(format_args!("{FAINT}{}{FAINT:#}   {}", clock(*at), sanitize(text)));
        }
        Event::Traffic { at, served } => {
            terminal.line(format_args!("{FAINT}{}   {}{FAINT:#}", clock(*at), counts(served)));
        }
    }
}

/// The proof for people: on standard output, because it is what was asked for.
pub fn proof(terminal: Terminal, proof: &Proof) {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_header([
        "version",
        "outcome",
        "requests old/new",
        "failed old/new",
        "time to verdict",
    ]);
    for deployment in &proof.deployments {
        table.add_row([
            deployment.version.clone(),
            outcome_words(deployment.outcome).to_owned(),
            sides(deployment.requests),
            sides(deployment.errors),
            minutes(deployment.seconds_to_verdict),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    terminal.data(format_args!("\n{table}"));
    for deployment in proof.deployments.iter().filter(|deployment| deployment.outcome == Outcome::RolledBack) {
        explain(terminal, deployment);
    }
    if proof.settled {
        terminal.data(format_args!("{GOOD}Settled:{GOOD:#} template, stack and alias agree."));
    } else {
        for what in &proof.unsettled {
            terminal.data(format_args!("{BAD}Not settled:{BAD:#} {}", sanitize(what)));
        }
    }
    terminal.data(format_args!(
        "{FAINT}{}, {}, {} requests a second, {} times real time, seed {}: {:.0} s{FAINT:#}",
        sanitize(&proof.application),
        sanitize(&proof.strategy),
        proof.rate,
        proof.speed,
        proof.seed,
        proof.seconds
    ));
}

/// Why a version was taken back, and what that has spared.
fn explain(terminal: Terminal, deployment: &Deployment) {
    let reason = sanitize(deployment.reason.as_deref().unwrap_or("no reason given"));
    terminal.data(format_args!(
        "{WARN}Version {} was rolled back{WARN:#} after {}: {reason}",
        deployment.version,
        minutes(deployment.seconds_to_verdict)
    ));
    if let Some(all) = deployment.errors_all_at_once {
        let failed = deployment.errors.new + deployment.errors.old.unwrap_or(0);
        terminal.data(format_args!(
            "Meanwhile {failed} requests failed; with all traffic sent to it at once, {all} would have."
        ));
    }
}

fn outcome_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Live => "live",
        Outcome::RolledBack => "rolled back",
        Outcome::Succeeded => "succeeded",
    }
}

fn sides(sides: Sides) -> String {
    let old = sides.old.map_or_else(|| "–".to_owned(), |old| old.to_string());
    format!("{old} / {}", sides.new)
}

fn counts(served: &Ledger) -> String {
    let mut parts: Vec<String> = served
        .by_version()
        .filter(|(_, count)| count.requests > 0)
        .map(|(version, count)| {
            let percent = count.error_percent().unwrap_or_default();
            format!("version {version}: {} requests, {percent:.1} % failed", count.requests)
        })
        .collect();
    if served.unserved > 0 {
        parts.push(format!("{} not served", served.unserved));
    }
    parts.join("; ")
}

/// `mm:ss` of the sandbox's clock.
fn clock(at: Duration) -> String {
    format!("{:02}:{:02}", at.as_secs() / 60, at.as_secs() % 60)
}

fn minutes(seconds: u64) -> String {
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}
