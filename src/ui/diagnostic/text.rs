//! Findings for people: the message, `file:line:column`, the line itself with a caret, how to mend it.

use std::fmt::Write;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::template::span::{Source, Span};
use crate::ui::sanitize::sanitize;

/// With or without colours. `anstream` takes them away again where they are not wanted, so that
/// `Colored` is right for everything that is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// With ANSI escapes.
    Colored,
    /// Text alone.
    Plain,
}

/// A line longer than this is shown as the part around the finding: whole lines of a minified file
/// help nobody, and laying them out costs time.
const LONGEST_LINE: usize = 400;
/// How much of such a line is shown before and behind the place.
const AROUND: usize = 60;

/// All findings, with an empty line between them.
pub fn text(diagnostics: &Diagnostics, style: Style) -> String {
    let renderer = match style {
        Style::Colored => Renderer::styled(),
        Style::Plain => Renderer::plain(),
    };
    let mut text = String::new();
    for item in &diagnostics.items {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{}\n", render(&renderer, &diagnostics.source, item));
    }
    text
}

fn render(renderer: &Renderer, source: &Source, item: &Diagnostic) -> String {
    let level = match item.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let message = sanitize(&item.message);
    let name = sanitize(source.name());
    let title = level.primary_title(message.as_ref()).id(item.rule);
    let mut group = match item.span {
        None => Group::with_title(title).element(Origin::path(name.as_ref())),
        Some(span) => place(Group::with_title(title), source, &name, span, item),
    };
    let help = item.help.as_deref().map(sanitize);
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help.as_ref()));
    }
    renderer.render(&[group])
}

/// The place itself and the other places that explain it, as one excerpt of the file.
fn place<'a>(mut group: Group<'a>, source: &'a Source, name: &'a str, span: Span, item: &'a Diagnostic) -> Group<'a> {
    let mut marks = vec![Mark::new(source, span, AnnotationKind::Primary, None)];
    for label in &item.labels {
        marks.push(Mark::new(source, label.span, AnnotationKind::Context, Some(&label.text)));
    }
    let first = marks.iter().map(|mark| mark.line).min().unwrap_or(1);
    let last = marks.iter().map(|mark| mark.line).max().unwrap_or(1);
    // The renderer counts the column in what it is given; where that is not the line as it stands in
    // the file, the place is said apart.
    let mut path = Some(name);
    if marks[0].altered {
        let position = source.position(span.start as usize);
        group = group.element(Origin::path(name).line(position.line).char_column(position.column));
        path = None;
    }
    let mut text = String::new();
    let mut annotations = Vec::new();
    for line in first..=last {
        let mut here = marks.iter().filter(|mark| mark.line == line).peekable();
        if let Some(mark) = here.peek() {
            let start = text.len();
            text.push_str(&mark.text);
            for mark in here.filter(|other| other.text == text[start..]) {
                let label = mark.label.map(|label| sanitize(label).into_owned());
                annotations.push(mark.kind.span(start + mark.range.start..start + mark.range.end).label(label));
            }
        } else if marks.iter().any(|mark| mark.line.abs_diff(line) <= 1) && source.line(line).len() <= LONGEST_LINE {
            // Further lines between two marks are folded and need no text.
            text.push_str(&sanitize(source.line(line)));
        }
        text.push('\n');
    }
    group.element(Snippet::source(text).line_start(first).path(path).annotations(annotations))
}

/// A line, or the part of it that matters, and what is marked there.
struct Mark<'a> {
    line: usize,
    text: String,
    range: std::ops::Range<usize>,
    /// Whether the text is not the line as it stands in the file.
    altered: bool,
    kind: AnnotationKind,
    label: Option<&'a str>,
}

impl<'a> Mark<'a> {
    fn new(source: &Source, span: Span, kind: AnnotationKind, label: Option<&'a str>) -> Self {
        let line = source.position(span.start as usize).line;
        let whole = source.line(line);
        let start = source.line_start(line);
        let from = (span.start as usize).saturating_sub(start).min(whole.len());
        let to = (span.end as usize).saturating_sub(start).clamp(from, whole.len());
        let (begin, end, to) = if whole.len() > LONGEST_LINE {
            let to = boundary(whole, to.min(from + AROUND)).max(from);
            (boundary(whole, from.saturating_sub(AROUND)), boundary(whole, to + AROUND), to)
        } else {
            (0, whole.len(), to)
        };
        // Escaping what would not be safe on a terminal moves the mark.
        let before = format!("{}{}", if begin > 0 { "…" } else { "" }, sanitize(&whole[begin..from]));
        let marked = sanitize(&whole[from..to]);
        let after = sanitize(&whole[to..end]);
        let text = format!("{before}{marked}{after}{}", if end < whole.len() { "…" } else { "" });
        let range = before.len()..before.len() + marked.len();
        Self { line, altered: text != whole, text, range, kind, label }
    }
}

fn boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
