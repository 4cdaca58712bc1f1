//! JSON templates. What is JSON is read by JSON's rules for scalars; the tree and its places come from
//! the same builder, because every JSON document is YAML as well. A file that begins like JSON and is
//! none (a trailing comma, a comment) is left to YAML, which is what CloudFormation and SAM do.

use serde::de::IgnoredAny;

use super::build::{self, Language};
use crate::diagnostic::Diagnostic;
use crate::template::Node;
use crate::template::span::{Source, Span};

/// The tree and what is wrong with it, or `None` when this is not JSON and YAML may say what it is.
pub(super) fn read(source: &Source) -> Option<(Option<Node>, Vec<Diagnostic>)> {
    let text = source.text();
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let Err(error) = serde_json::from_str::<IgnoredAny>(text) else {
        return Some(build::build(source, Language::Json));
    };
    if !source.name().ends_with(".json") {
        return None;
    }
    let (node, items) = build::build(source, Language::Yaml);
    if node.is_some() || items.iter().any(|item| item.rule != "yaml/syntax") {
        return Some((node, items));
    }
    // Neither JSON nor YAML, and its name says JSON: then JSON's own words help most.
    Some((None, vec![syntax_error(source, &error)]))
}

fn syntax_error(source: &Source, error: &serde_json::Error) -> Diagnostic {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    Diagnostic::error("json/syntax", format!("this is not JSON: {message}"))
        .at(error_span(source.text(), error))
        .help("Look for a missing comma, quote or bracket at or before this place.")
}

/// serde_json counts columns in bytes from 1 and points at the last byte that it has read.
fn error_span(text: &str, error: &serde_json::Error) -> Span {
    let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    build::character_at(text, before + error.column().saturating_sub(1))
}
