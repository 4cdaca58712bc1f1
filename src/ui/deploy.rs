//! How a deploy looks: lines for people on standard error with the outputs as data, or JSON lines in
//! SAM CLI's form on standard output.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::aws::cloudformation::{Output, StackEvent};
use crate::deploy::review::{Effect, Review};
use crate::deploy::{Event, Failure, outputs};

use super::sanitize::sanitize;
use super::terminal::{BAD, FAINT, GOOD, NOTE, Terminal, WARN};

/// What stands around the changes of a change set.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// What the template drops and stays until the stack is settled.
    pub kept: &'a [String],
    /// Aliases with the version that serves on.
    pub held: &'a [(String, String)],
    /// What changes while the version that serves uses it.
    pub in_use: &'a BTreeSet<String>,
}

/// Shows one deploy.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    terminal: Terminal,
}

impl Report {
    /// On this terminal.
    pub fn new(terminal: Terminal) -> Self {
        Self { terminal }
    }

    /// Something that happened.
    pub fn event(self, event: &Event) {
        match event {
            Event::Stack(event) => self.stack_event(event),
            Event::Busy { stack, status } => {
                self.say("Waiting", format_args!("for stack {stack}, which is in {status}"));
            }
            Event::CreatingChangeSet { stack, .. } => {
                self.say("Preparing", format_args!("a change set for stack {stack}"));
            }
            Event::Executing { stack } => self.say("Deploying", format_args!("stack {stack}")),
            Event::Waiting { what, seconds } => self.say("Waiting", format_args!("for {what} ({seconds} s)")),
            Event::Done(stack) => self.say("Deployed", format_args!("stack {}: {}", stack.name, stack.status)),
            Event::CleanedUp { what } => self.say("Deleted", what),
        }
    }

    /// What is being done; people only.
    pub fn say(self, verb: &str, text: impl std::fmt::Display) {
        if !self.terminal.is_json() {
            self.terminal.status(verb, text);
        }
    }

    /// The bucket that samara keeps artifacts in; people hear of it while it is looked for.
    pub fn managed_bucket(self, bucket: &str) {
        if self.terminal.is_json() {
            self.terminal.json(&json!({ "type": "info", "managed_s3_bucket": bucket }));
        }
    }

    /// A function that anybody may call.
    pub fn no_authentication(self, function: &str) {
        if self.terminal.is_json() {
            self.terminal.json(&json!({ "type": "warning", "message": "no authentication", "resource": function }));
        } else {
            self.terminal.warn(format_args!("{function} has no authentication"));
        }
    }

    /// Something that deserves a look.
    pub fn warning(self, message: &str) {
        if self.terminal.is_json() {
            self.terminal.json(&json!({ "type": "warning", "message": message }));
        } else {
            self.terminal.warn(message);
        }
    }

    fn stack_event(self, event: &StackEvent) {
        if self.terminal.is_json() {
            self.terminal.json(&json!({
                "type": "event",
                "status": event.status.0,
                "detailed_status": event.detailed_status,
                "resource_type": event.kind,
                "logical_id": event.logical_id,
                "reason": event.reason.as_deref().unwrap_or_default(),
                "timestamp": event.time.and_then(|time| time.format(&Rfc3339).ok()),
            }));
            return;
        }
        let style = if event.status.is_failed() {
            BAD
        } else if event.status.is_rollback() {
            WARN
        } else if event.status.is_success() {
            GOOD
        } else {
            FAINT
        };
        let status = match &event.detailed_status {
            Some(detailed) => format!("{} - {detailed}", event.status),
            None => event.status.0.clone(),
        };
        let reason = event.reason.as_deref().map(|reason| format!("  {}", sanitize(reason))).unwrap_or_default();
        self.terminal.line(format_args!(
            "  {style}{status:<20}{style:#} {:<28} {}{reason}",
            sanitize(&event.kind),
            sanitize(&event.logical_id)
        ));
    }

    /// Something that is as it is, and good to know.
    pub fn note(self, message: &str) {
        if self.terminal.is_json() {
            self.terminal.json(&json!({ "type": "note", "message": message }));
        } else {
            self.terminal.line(format_args!("{NOTE}note:{NOTE:#} {}", sanitize(message)));
        }
    }

    /// What a change set would do.
    pub fn review(self, review: &Review, around: &Around<'_>) {
        let Around { kept, held, in_use } = around;
        if self.terminal.is_json() {
            for row in &review.rows {
                self.terminal.json(&json!({
                    "type": "changeset",
                    "action": match row.effect {
                        Effect::Removed => "Remove",
                        Effect::Added => "Add",
                        Effect::Imported => "Import",
                        Effect::Replaced | Effect::MayBeReplaced | Effect::Changed => "Modify",
                    },
                    "logical_id": row.logical_id,
                    "resource_type": row.kind,
                    "replacement": match row.effect {
                        Effect::Replaced => "True",
                        Effect::MayBeReplaced => "Conditional",
                        Effect::Changed => "False",
                        Effect::Removed | Effect::Added | Effect::Imported => "N/A",
                    },
                    "in_use": in_use.contains(&row.logical_id),
                }));
            }
            return;
        }
        self.terminal.line(format_args!("\n{NOTE}Changes{NOTE:#}"));
        for row in &review.rows {
            let style = match row.effect {
                Effect::Removed | Effect::Replaced => BAD,
                Effect::MayBeReplaced | Effect::Changed => WARN,
                Effect::Added | Effect::Imported => GOOD,
            };
            self.terminal.line(format_args!(
                "  {style}{} {:<11}{style:#} {:<28} {}",
                row.effect.sign(),
                row.effect.word(),
                sanitize(&row.kind),
                sanitize(&row.logical_id)
            ));
            if in_use.contains(&row.logical_id) {
                self.terminal.line(format_args!(
                    "                {WARN}the version that serves uses it, and this cannot be held back{WARN:#}"
                ));
            }
            for why in &row.why {
                self.terminal.line(format_args!("                {FAINT}{}{FAINT:#}", sanitize(why)));
            }
        }
        for (alias, version) in *held {
            self.terminal.line(format_args!(
                "  {NOTE}= hold       {NOTE:#} {alias} stays at version {version}: no traffic moves yet"
            ));
        }
        for name in *kept {
            self.terminal.line(format_args!(
                "  {NOTE}= keep       {NOTE:#} {name} is no longer in the template and goes when the stack is settled"
            ));
        }
        self.terminal.line("");
    }

    /// The stack's outputs.
    pub fn outputs(self, outputs: &[Output]) {
        if outputs.is_empty() {
            return;
        }
        if self.terminal.is_json() {
            self.terminal.json(&json!({ "type": "outputs", "stack_outputs": outputs::to_json(outputs) }));
            return;
        }
        let width = outputs.iter().map(|output| output.key.chars().count()).max().unwrap_or_default();
        self.terminal.line(format_args!("\n{NOTE}Outputs{NOTE:#}"));
        for output in outputs {
            self.terminal.data(format_args!("{:<width$}  {}", sanitize(&output.key), sanitize(&output.value)));
            if let Some(description) = &output.description {
                self.terminal.line(format_args!("{FAINT}{:width$}  {}{FAINT:#}", "", sanitize(description)));
            }
        }
    }

    /// The last line for a program: how it ended.
    pub fn result(self, status: &str, mut fields: Value) {
        if !self.terminal.is_json() {
            return;
        }
        let mut line = json!({ "type": "result", "status": status });
        if let (Some(line), Some(fields)) = (line.as_object_mut(), fields.as_object_mut()) {
            line.append(fields);
        }
        self.terminal.json(&line);
    }

    /// What failed besides the first cause, which is the error's own message.
    pub fn failure(self, failure: &Failure) {
        if self.terminal.is_json() {
            return;
        }
        for other in failure.cause.failed.iter().skip(1) {
            let reason = other.reason.as_deref().unwrap_or("no reason given");
            self.terminal.line(format_args!(
                "  {BAD}also failed:{BAD:#} {} ({}): {}",
                sanitize(&other.logical_id),
                sanitize(&other.kind),
                sanitize(reason)
            ));
        }
        if failure.cause.cancelled > 0 {
            self.terminal.line(format_args!(
                "  {FAINT}{} others were cancelled because of it{FAINT:#}",
                failure.cause.cancelled
            ));
        }
    }
}

/// `resources` of a failed result: what failed, first cause first.
pub fn failed_resources(failure: &Failure) -> Value {
    failure
        .cause
        .failed
        .iter()
        .map(|failed| {
            json!({
                "logical_id": failed.logical_id,
                "resource_type": failed.kind,
                "status": failed.status.0,
                "reason": failed.reason.as_deref().unwrap_or_default(),
            })
        })
        .collect()
}
