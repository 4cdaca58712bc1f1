//! What comes before the parsing: size, encoding, and characters that no YAML file may have.

use std::sync::Arc;

use super::MAX_BYTES;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::template::span::{Source, Span};

/// Text from bytes: UTF-8, with or without a byte order mark.
pub(super) fn decode(name: &str, bytes: &[u8]) -> Result<Arc<Source>, Diagnostics> {
    if bytes.len() > MAX_BYTES {
        // Nothing of it is kept: it may be hundreds of megabytes on one line.
        return Err(Diagnostics::new(Arc::new(Source::new(name, "")), vec![too_large(None)]));
    }
    if let Some(encoding) = foreign_encoding(bytes) {
        let problem = Diagnostic::error("yaml/encoding", format!("the file is {encoding}, and templates are UTF-8"))
            .help("Save the file as UTF-8.");
        return Err(Diagnostics::new(Arc::new(Source::new(name, "")), vec![problem]));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Arc::new(Source::new(name, text))),
        Err(error) => {
            let offset = error.valid_up_to();
            let byte = bytes.get(offset).copied().unwrap_or_default();
            let problem = Diagnostic::error(
                "yaml/encoding",
                format!("the byte 0x{byte:02x} is not UTF-8; the file looks like Latin-1 or is damaged"),
            )
            // The replacement character that stands there now has three bytes.
            .at(Span::new(offset, offset + 3))
            .help("Save the file as UTF-8.");
            let text = String::from_utf8_lossy(bytes);
            Err(Diagnostics::new(Arc::new(Source::new(name, text)), vec![problem]))
        }
    }
}

/// UTF-16 and UTF-32 by their byte order mark or by the zeros beside ASCII.
fn foreign_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [first, 0, second, 0, ..] | [0, first, 0, second, ..] if *first != 0 && *second != 0 => Some("UTF-16"),
        _ => None,
    }
}

/// The size, and the first character that may not be in a YAML file.
///
/// <https://yaml.org/spec/1.1/#id868524>
pub(super) fn check(source: &Source) -> Option<Diagnostic> {
    if source.text().len() > MAX_BYTES {
        return Some(too_large(Some(Span::new(0, 0))));
    }
    let (offset, character) = source.text().char_indices().find(|(_, character)| !is_allowed(*character))?;
    let what = if character == '\0' {
        "a NUL character".to_owned()
    } else {
        format!("the control character U+{:04X}", character as u32)
    };
    Some(
        Diagnostic::error("yaml/character", format!("{what} cannot be in a template"))
            .at(Span::new(offset, offset + character.len_utf8()))
            .help("Remove it; inside double quotes a control character is written as `\\x1b`."),
    )
}

fn is_allowed(character: char) -> bool {
    matches!(character,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn too_large(span: Option<Span>) -> Diagnostic {
    Diagnostic::error("yaml/too-large", "the template is larger than 1 MB, CloudFormation's limit")
        .at(span)
        .help("Move parts of it into nested stacks or files of their own (`DefinitionUri`, `CodeUri`).")
}
