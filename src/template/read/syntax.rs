//! The parser's errors in words that help: what is wrong at this place, and the usual reason.

use granit_parser::{ErrorKind, ScanError};

use super::build::character_at;
use crate::diagnostic::Diagnostic;
use crate::template::span::Source;

/// What the parser found, at its place.
pub(super) fn diagnostic(source: &Source, error: &ScanError) -> Diagnostic {
    let offset = error.marker().byte_offset().unwrap_or_else(|| source.text().len());
    let span = character_at(source.text(), offset);
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return too_deep().at(span);
    }
    let line = source.line(source.position(offset).line);
    let (message, help) = explain(error.kind(), line);
    Diagnostic::error("yaml/syntax", message).at(span).help(help)
}

/// The template is nested beyond the limit.
pub(super) fn too_deep() -> Diagnostic {
    Diagnostic::error("yaml/too-deep", format!("the template is nested more than {} levels deep", super::MAX_DEPTH))
        .help("Real templates stay far below that; look for brackets that are never closed.")
}

fn explain(kind: &ErrorKind, line: &str) -> (String, String) {
    let indentation: String = line.chars().take_while(|character| character.is_whitespace()).collect();
    let said = |message: &str, help: &str| (message.to_owned(), help.to_owned());
    if indentation.contains('\t') {
        return said("YAML does not allow tabs as indentation", "Indent with spaces.");
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    if words.windows(2).any(|pair| pair.iter().all(|word| word.starts_with('!'))) {
        return said(
            "a value can have only one tag",
            "Write the inner function in its long form: `!Base64`, and on the next line `Fn::Sub: …`.",
        );
    }
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar
        | ErrorKind::InvalidBlockEntryWhitespace
        | ErrorKind::InvalidMappingValueWhitespace => {
            said("a tab cannot stand here", "Use spaces, between a key and its value as well.")
        }
        ErrorKind::UnknownAnchor => said(
            "this alias names an anchor that is not defined before it",
            "Put `&name` on the value, above; text that begins with `*` has to be in quotes.",
        ),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement | ErrorKind::MappingKeyNotAllowed => {
            said("a `:` is not allowed here", "Put text that contains `: ` in quotes, or check the indentation.")
        }
        ErrorKind::UnclosedQuotedScalar => {
            said("a quote is opened and never closed", "Close it with the same kind of quote.")
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            said("this is not an escape that YAML knows", "Write `\\\\` for a backslash, or use single quotes.")
        }
        ErrorKind::UnexpectedCharacter { character } => {
            (format!("text cannot begin with `{character}` here"), "Put it in quotes.".to_owned())
        }
        ErrorKind::SimpleKeyExpected => said(
            "this line is neither `key: value` nor part of the value above it",
            "Add a `:` behind the key and a space behind that, or check the indentation.",
        ),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation | ErrorKind::ExpectedBlockSequenceEntry => {
            said(
                "this does not fit the lines above it",
                "Entries of one map or list begin in the same column, each key with its `:`.",
            )
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            (format!("a `{open}` is opened and never closed"), "Close it.".to_owned())
        }
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::UnexpectedEofFlowMapping => said(
            "expected `,` or `}`",
            "Look for a missing comma or bracket; text that begins with `{` has to be in quotes.",
        ),
        ErrorKind::ExpectedFlowSequenceSeparator | ErrorKind::UnexpectedEofFlowSequence => said(
            "expected `,` or `]`",
            "Look for a missing comma or bracket; text that begins with `[` has to be in quotes.",
        ),
        other => {
            (other.to_string(), "Check the indentation and the quotes of this line and the one above it.".to_owned())
        }
    }
}
