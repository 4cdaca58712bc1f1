//! Findings for programs: an array of flat objects.

use serde::Serialize;

use crate::diagnostic::{Diagnostics, Severity};
use crate::template::span::Position;
use crate::ui::sanitize::sanitize;

/// One finding, as `--output json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file as the user named it.
    pub file: String,
    /// Line, from 1; 1 when the file as a whole is meant.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How much it matters.
    pub severity: Severity,
    /// Stable identifier of the rule.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

/// The findings in their order.
pub fn json(diagnostics: &Diagnostics) -> Vec<Finding> {
    let source = &diagnostics.source;
    let file = sanitize(source.name());
    diagnostics
        .items
        .iter()
        .map(|item| {
            let Position { line, column } =
                item.span.map_or(Position { line: 1, column: 1 }, |span| source.position(span.start as usize));
            Finding {
                file: file.to_string(),
                line,
                column,
                severity: item.severity,
                rule: item.rule,
                message: sanitize(&item.message).into_owned(),
                help: item.help.as_deref().map(|help| sanitize(help).into_owned()),
            }
        })
        .collect()
}
