//! A rollout as it is followed: a view that is drawn again on a terminal, or a line a change.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use crate::rollout::analysis::{Standing, number};
use crate::rollout::follow::{Figures, Served};
use crate::rollout::names::{Time, Version, Weight, show_duration};
use crate::rollout::run::Progress;
use crate::rollout::state::{Entry, Happening, State};
use crate::rollout::verdict::{happening_words, of_alias, phase_words, standing_words};

use super::rollout::{SCHEMA, progress_json};
use super::sanitize::sanitize;
use super::terminal::Terminal;

/// What is known at one moment.
#[derive(Debug)]
pub struct View<'a> {
    /// The journal's state.
    pub state: &'a State,
    /// Who drives.
    pub driver: Option<&'a str>,
    /// How old the driver's last sign of life is.
    pub heartbeat_age: Duration,
    /// What CloudWatch shows, one an alias; `None` where it cannot be read.
    pub figures: Vec<Option<Figures>>,
    /// Now, by the services' clock.
    pub now: Time,
}

/// Entries that the view shows.
const NEWEST: usize = 6;
/// Cells of a bar.
const CELLS: usize = 24;
/// Where the terminal does not say how wide it is.
const WIDTH: usize = 100;

/// The part of the terminal that is drawn again and again.
#[derive(Debug)]
pub struct Screen {
    terminal: Terminal,
    lines: usize,
}

impl Screen {
    /// Below what is there already.
    pub fn new(terminal: Terminal) -> Self {
        Self { terminal, lines: 0 }
    }

    /// Draws the view over the one before.
    pub fn draw(&mut self, view: &View<'_>) {
        let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
        let width = size.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0).unwrap_or(WIDTH);
        let mut lines = frame(view, width);
        // What has left the screen at its top could not be drawn over.
        if let Some(height) = size.map(|size| usize::from(size.ws_row)).filter(|height| *height > 1) {
            lines.truncate(height - 1);
        }
        let mut text = String::new();
        if self.lines > 0 {
            // Up to the first line of the last view, and away with it.
            let _ = write!(text, "\u{1b}[{}F\u{1b}[J", self.lines);
        }
        text.push_str(&lines.join("\n"));
        self.terminal.line(text);
        self.lines = lines.len();
    }
}

/// The view as lines that fit into `width`.
pub fn frame(view: &View<'_>, width: usize) -> Vec<String> {
    let state = view.state;
    let mut lines = Vec::new();
    for (index, (plan, alias)) in state.plan.aliases.iter().zip(&state.aliases).enumerate() {
        let share = alias.seen.content.share(plan.new);
        lines.push(format!("{}  version {} to {} by {}", plan.id, plan.old, plan.new, plan.strategy));
        lines.push(format!("  weight    {} {share}", bar(share.fraction())));
        match view.figures.get(index).and_then(Option::as_ref) {
            Some(figures) => {
                lines.push(format!("  {:<12} {:>12} {:>10} {:>10}", "", "requests/min", "errors", "p99"));
                lines.push(served_line(plan.old, figures.old.as_ref()));
                lines.push(served_line(plan.new, figures.new.as_ref()));
            }
            None => lines.push("  CloudWatch cannot be read at the moment".to_owned()),
        }
        if let Some(standing) = &alias.standing {
            // The figure first: what is told in words may be cut at the edge.
            let figure = format!("{} of {}", number(standing.evidence), number(standing.bound));
            lines.push(format!("  evidence  {} {figure}", bar(evidence_share(standing))));
            lines.push(format!("            {}", standing_words(standing)));
        }
    }
    lines.push(format!("  now       {}{}", phase_words(state), next_words(view)));
    lines.push(match view.driver {
        Some(driver) => format!("  driver    {driver}, last heard {} s ago", view.heartbeat_age.as_secs()),
        None => format!(
            "  driver    NOBODY (last heard {} s ago): `samara rollout resume` or `samara rollout abort`",
            view.heartbeat_age.as_secs()
        ),
    });
    let told: Vec<&Entry> = state.entries.iter().filter(|entry| is_told(entry)).collect();
    lines.extend(told.iter().skip(told.len().saturating_sub(NEWEST)).map(|entry| entry_line(state, entry)));
    lines.iter().map(|line| sanitize(line).chars().take(width.saturating_sub(1)).collect()).collect()
}

fn served_line(version: Version, served: Option<&Served>) -> String {
    let name = format!("version {version}");
    let Some(served) = served else { return format!("  {name:<12} {:>12} {:>10} {:>10}", "no data", "", "") };
    let rate = if served.invocations > 0.0 { served.errors * 100.0 / served.invocations } else { 0.0 };
    let p99 = served.p99_ms.map_or_else(String::new, |p99| format!("{p99:.0} ms"));
    format!("  {name:<12} {:>12.0} {:>8.1} % {p99:>10}", served.invocations, rate)
}

/// Evidence multiplies: half of the way is the root of the bound.
fn evidence_share(standing: &Standing) -> f64 {
    if standing.bound <= 1.0 { 0.0 } else { (standing.evidence.max(1.0).ln() / standing.bound.ln()).clamp(0.0, 1.0) }
}

fn bar(share: f64) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the cells")]
    let mut full = (share * CELLS as f64).round() as usize;
    if share > 0.0 {
        full = full.max(1);
    }
    "█".repeat(full) + &"░".repeat(CELLS - full)
}

fn next_words(view: &View<'_>) -> String {
    let Some(at) = view.state.next_at() else { return String::new() };
    match at.since(view.now).as_secs() {
        0 => ", the next step is due".to_owned(),
        seconds => format!(", the next step in {} at the earliest", show_duration(Duration::from_secs(seconds))),
    }
}

fn is_told(entry: &Entry) -> bool {
    !matches!(entry.what, Happening::Intent { .. })
}

fn entry_line(state: &State, entry: &Entry) -> String {
    format!("{} {}", entry.at.clock(), happening_words(&entry.what, &state.plan))
}

/// Tells each change once: a line for people, or a JSON object for programs.
#[derive(Debug)]
pub struct Teller {
    terminal: Terminal,
    last: Option<Entry>,
    has_begun: bool,
    driver: Option<Option<String>>,
    standing: Option<Standing>,
}

impl Teller {
    /// Nothing is told yet.
    pub fn new(terminal: Terminal) -> Self {
        Self { terminal, last: None, has_begun: false, driver: None, standing: None }
    }

    /// Tells what has changed.
    pub fn tell(&mut self, view: &View<'_>) {
        self.tell_entries(view.state);
        let driver = view.driver.map(str::to_owned);
        let standing = view.state.standing();
        let is_news = self.driver.as_ref() != Some(&driver);
        if is_news && !self.terminal.is_json() {
            self.say(&match &driver {
                Some(driver) => format!("{} driven by {driver}", view.now.clock()),
                None => format!("{} NOBODY drives it: `samara rollout resume` or `abort`", view.now.clock()),
            });
        }
        let judged = standing.as_ref().map(|(_, standing)| standing);
        if is_news || judged != self.standing.as_ref() {
            match (self.terminal.is_json(), &standing) {
                (true, _) => self.terminal.json(&watch_json(view)),
                (false, Some((alias, standing))) => {
                    let told = of_alias(&view.state.plan, *alias, &standing_words(standing));
                    self.say(&format!("{} {told}{}", view.now.clock(), next_words(view)));
                }
                (false, None) => {}
            }
        }
        self.driver = Some(driver);
        self.standing = standing.map(|(_, standing)| standing);
    }

    /// Tells what was not told before the end, unless that was drawn already.
    pub fn tell_end(&mut self, state: &State, is_drawn: bool) {
        if !is_drawn {
            self.tell_entries(state);
        }
    }

    fn tell_entries(&mut self, state: &State) {
        let told = self.last.as_ref().and_then(|last| state.entries.iter().rposition(|entry| entry == last));
        let from = match (told, self.has_begun) {
            (Some(at), _) => at + 1,
            // Only the newest of a story that began before.
            (None, false) => state.entries.len().saturating_sub(NEWEST * 3),
            (None, true) => 0,
        };
        for entry in state.entries.iter().skip(from).filter(|entry| is_told(entry)) {
            if self.terminal.is_json() {
                if let Some(line) = progress_json(&state.plan, &Progress::Happened(entry.clone())) {
                    self.terminal.json(&line);
                }
            } else {
                self.say(&entry_line(state, entry));
            }
        }
        self.has_begun = true;
        self.last = state.entries.back().cloned().or(self.last.take());
    }

    fn say(&self, line: &str) {
        self.terminal.data(sanitize(line));
    }
}

/// Where it is, for programs.
fn watch_json(view: &View<'_>) -> serde_json::Value {
    let state = view.state;
    let served = |served: Option<&Served>| {
        served.map(|served| {
            json!({
                "minute_ms": Time::of_minute(served.minute),
                "requests": served.invocations,
                "errors": served.errors,
                "p99_ms": served.p99_ms,
            })
        })
    };
    let aliases: Vec<_> = state
        .plan
        .aliases
        .iter()
        .zip(&state.aliases)
        .enumerate()
        .map(|(index, (plan, alias))| {
            let figures = view.figures.get(index).and_then(Option::as_ref);
            let weight: Weight = alias.seen.content.share(plan.new);
            json!({
                "function": plan.id.function,
                "alias": plan.id.alias,
                "old_version": plan.old,
                "new_version": plan.new,
                "weight": weight,
                "old": served(figures.and_then(|figures| figures.old.as_ref())),
                "new": served(figures.and_then(|figures| figures.new.as_ref())),
                "evidence": alias.standing.as_ref().map(|standing| standing.evidence),
                "bound": alias.standing.as_ref().map(|standing| standing.bound),
            })
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "type": "watch",
        "at_ms": view.now,
        "phase": state.phase,
        "phase_words": phase_words(state),
        "next_ms": state.next_at(),
        "driver": view.driver,
        "heartbeat_age_seconds": view.heartbeat_age.as_secs(),
        "aliases": aliases,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_what_they_show() {
        assert_eq!(bar(0.0), "░".repeat(CELLS));
        assert_eq!(bar(1.0), "█".repeat(CELLS));
        assert_eq!(bar(0.001).chars().filter(|cell| *cell == '█').count(), 1, "a little is not nothing");
        assert_eq!(bar(f64::NAN).chars().count(), CELLS);
    }

    #[test]
    fn no_data_is_not_zero() {
        let version = "8".parse().unwrap();
        assert!(served_line(version, None).contains("no data"));
        let served = Served { minute: 1, invocations: 412.0, errors: 17.0, p99_ms: Some(130.4) };
        insta::assert_snapshot!(served_line(version, Some(&served)), @"  version 8             412      4.1 %     130 ms");
    }
}
