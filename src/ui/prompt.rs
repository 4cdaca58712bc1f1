//! Questions on a terminal, on standard error. Whether there is one to ask at is the caller's to know.

use dialoguer::theme::SimpleTheme;
use dialoguer::{Input, Password};

use crate::deploy::guided::{Answer, Kind, Question};

use super::sanitize::sanitize;
use super::terminal::{FAINT, Terminal};

/// There was no answer: the input ended, or it is no terminal.
#[derive(Debug, thiserror::Error)]
#[error("there was no answer to {prompt:?}: {source}")]
pub struct Unanswered {
    prompt: String,
    source: std::io::Error,
}

/// Asks one question until the answer is of its kind.
///
/// # Errors
/// There is no answer.
pub fn ask(terminal: Terminal, question: &Question) -> Result<Answer, Unanswered> {
    if let Some(explanation) = &question.explanation {
        terminal.line(format_args!("{FAINT}# {}{FAINT:#}", sanitize(explanation)));
    }
    match &question.kind {
        Kind::Text { default } => text(&question.prompt, default.as_deref()).map(Answer::Text),
        Kind::Secret => Password::with_theme(&SimpleTheme)
            .with_prompt(sanitize(&question.prompt))
            .allow_empty_password(true)
            .interact()
            .map(Answer::Text)
            .map_err(|error| unanswered(&question.prompt, error)),
        Kind::YesNo { default } => confirm(terminal, &question.prompt, *default).map(Answer::YesNo),
    }
}

/// Asks for a yes or a no. Line by line, so that an interruption leaves no hidden cursor behind.
///
/// # Errors
/// There is no answer.
pub fn confirm(terminal: Terminal, prompt: &str, default: bool) -> Result<bool, Unanswered> {
    let full = format!("{prompt} {}", if default { "[Y/n]" } else { "[y/N]" });
    loop {
        let answer = text(&full, None)?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "" => return Ok(default),
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => terminal.line("Please answer y or n."),
        }
    }
}

fn text(prompt: &str, default: Option<&str>) -> Result<String, Unanswered> {
    let mut input = Input::<String>::with_theme(&SimpleTheme).with_prompt(sanitize(prompt)).allow_empty(true);
    if let Some(default) = default {
        input = input.default(default.to_owned());
    }
    input.interact_text().map_err(|error| unanswered(prompt, error))
}

fn unanswered(prompt: &str, error: dialoguer::Error) -> Unanswered {
    let dialoguer::Error::IO(source) = error;
    Unanswered { prompt: prompt.to_owned(), source }
}
