//! Colour, quiet and output format, decided once; the few ways in which a line is printed.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};

use super::sanitize::{escape_json, sanitize};

/// What is printed on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    // A template is YAML then, and may be asked for by that name.
    #[value(alias = "yaml")]
    Text,
    /// For programs: JSON and nothing else.
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Green and bold: what was done.
pub const GOOD: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
/// Yellow and bold: what deserves a look.
pub const WARN: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
/// Red and bold: what failed.
pub const BAD: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
/// Cyan and bold: names and hints.
pub const NOTE: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));
/// Faint: what is only there to be looked up.
pub const FAINT: Style = Style::new().dimmed();

/// Whether anything was printed on standard output.
static PRINTED: AtomicBool = AtomicBool::new(false);
/// Why the first line that could not be printed there could not be.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Standard output for data, standard error for the rest.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    output: Output,
    live: bool,
}

impl Terminal {
    /// Sets the colour choice for the whole process.
    pub fn new(color: Color, output: Output) -> Self {
        match color {
            Color::Auto => {}
            Color::Always => anstream::ColorChoice::AlwaysAnsi.write_global(),
            Color::Never => anstream::ColorChoice::Never.write_global(),
        }
        Self { output, live: io::stderr().is_terminal() }
    }

    /// Whether standard output is for a program.
    pub fn is_json(self) -> bool {
        self.output == Output::Json
    }

    /// Whether lines that are drawn again (progress, live views) make sense.
    pub fn is_live(self) -> bool {
        self.live
    }

    /// A line of data for standard output. A reader that has gone away is not an error; any other
    /// reason is kept for [`Self::lost`].
    pub fn data(self, text: impl fmt::Display) {
        PRINTED.store(true, Ordering::Relaxed);
        let mut stdout = anstream::stdout().lock();
        if let Err(error) = writeln!(stdout, "{text}").and_then(|()| stdout.flush())
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            // The first reason is the one to tell.
            let _ = LOST.set(error);
        }
    }

    /// Whether anything was printed on standard output.
    pub fn has_printed(self) -> bool {
        PRINTED.load(Ordering::Relaxed)
    }

    /// Why standard output did not take all that was printed (a full disk, say).
    pub fn lost(self) -> Option<&'static io::Error> {
        LOST.get()
    }

    /// One JSON value on one line of standard output.
    pub fn json(self, value: &impl serde::Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.data(escape_json(&text)),
            Err(error) => self.warn(format_args!("a result could not be written as JSON: {error}")),
        }
    }

    /// What is being done, as cargo says it: a verb and its object, on standard error.
    pub fn status(self, verb: &str, text: impl fmt::Display) {
        self.line(format_args!("{GOOD}{verb:>12}{GOOD:#} {}", sanitize(&text.to_string())));
    }

    /// A line on standard error.
    pub fn line(self, text: impl fmt::Display) {
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }

    /// Something that deserves a look.
    pub fn warn(self, text: impl fmt::Display) {
        self.line(format_args!("{WARN}warning:{WARN:#} {}", sanitize(&text.to_string())));
    }

    /// What could not be done, its causes, and what to do next.
    pub fn error(self, error: &dyn std::error::Error, hints: &[String]) {
        let mut shown = error.to_string();
        self.line(format_args!("{BAD}error:{BAD:#} {}", sanitize(&shown)));
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            if !shown.contains(&text) {
                self.line(format_args!("  caused by: {}", sanitize(&text)));
            }
            shown = text;
            cause = inner.source();
        }
        for hint in hints {
            self.line(format_args!("{NOTE}hint:{NOTE:#} {}", sanitize(hint)));
        }
    }
}
