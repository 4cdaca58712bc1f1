//! Foreign text (stack events, logs, names) made safe for a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Shows control characters and bidirectional overrides escaped, so that text from elsewhere can
/// neither move the cursor nor pretend to be something else. Line feeds and tabs stay.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_unsafe(character) {
            // Writing to a String does not fail.
            let _ = write!(safe, "\\u{{{:x}}}", character as u32);
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// The same for JSON text, where such characters can only be inside strings.
pub fn escape_json(text: &str) -> Cow<'_, str> {
    let is_bare = |character: char| is_unsafe(character) && !character.is_ascii_whitespace();
    if !text.chars().any(is_bare) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_bare(character) {
            // All of them are in the basic plane. Writing to a String does not fail.
            let _ = write!(safe, "\\u{:04x}", character as u32);
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

fn is_unsafe(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\t'))
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::{escape_json, sanitize};

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({"name": "a\u{9b}2J\u{202e}\u{7f}\n"});
        let text = escape_json(&value.to_string()).into_owned();
        assert_eq!(text, r#"{"name":"a\u009b2J\u202e\u007f\n"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn escapes_and_overrides_are_shown_not_obeyed() {
        assert_eq!(sanitize("plain\n\ttext ä"), "plain\n\ttext ä");
        assert_eq!(sanitize("\u{1b}[31mred\r\u{9b}2J\u{202e}x"), "\\u{1b}[31mred\\u{d}\\u{9b}2J\\u{202e}x");
    }
}
