//! What is wrong, where it stands, and how to mend it: one type for every finding that has a place
//! in a file. How a finding looks is `ui::diagnostic`'s business.

use std::sync::Arc;

use crate::template::span::{Source, Span};

/// How much a finding matters. Only an `Error` makes a command fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// CloudFormation or Lambda would refuse this, or do something that nobody can have meant.
    Error,
    /// It works today and is likely to hurt.
    Warning,
    /// Worth knowing.
    Info,
}

/// A second place that explains the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The bytes that the label points at.
    pub span: Span,
    /// What is to be seen there.
    pub text: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable identifier, such as `yaml/duplicate-key` or `reference/unknown`.
    pub rule: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong and what was expected, in one sentence without a full stop.
    pub message: String,
    /// Where; `None` when the file as a whole is meant.
    pub span: Option<Span>,
    /// Other places that belong to the finding (the first of two equal keys, say).
    pub labels: Vec<Label>,
    /// How to mend it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A finding that makes the command fail.
    pub fn error(rule: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, rule, message)
    }

    /// A finding that does not make the command fail.
    pub fn warning(rule: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, rule, message)
    }

    /// A remark.
    pub fn info(rule: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Info, rule, message)
    }

    fn new(severity: Severity, rule: &'static str, message: impl Into<String>) -> Self {
        Self { rule, severity, message: message.into(), span: None, labels: Vec::new(), help: None }
    }

    /// Says where. Takes an `Option` because generated nodes have no place of their own.
    #[must_use]
    pub fn at(mut self, span: impl Into<Option<Span>>) -> Self {
        self.span = span.into();
        self
    }

    /// Adds a second place.
    #[must_use]
    pub fn label(mut self, span: impl Into<Option<Span>>, text: impl Into<String>) -> Self {
        if let Some(span) = span.into() {
            self.labels.push(Label { span, text: text.into() });
        }
        self
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The findings of one file, in the order in which they should be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostics {
    /// The file they are about.
    pub source: Arc<Source>,
    /// The findings.
    pub items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Findings about `source`.
    pub fn new(source: Arc<Source>, items: Vec<Diagnostic>) -> Self {
        Self { source, items }
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// Sorts by place in the file, those without a place first; the sort is stable.
    pub fn sort(&mut self) {
        self.items.sort_by_key(|item| item.span.map(|span| (span.start, span.end)));
    }
}
