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

fn is_unsafe(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\t'))
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::sanitize;

    #[test]
    fn escapes_and_overrides_are_shown_not_obeyed() {
        assert_eq!(sanitize("plain\n\ttext ä"), "plain\n\ttext ä");
        assert_eq!(sanitize("\u{1b}[31mred\r\u{9b}2J\u{202e}x"), "\\u{1b}[31mred\\u{d}\\u{9b}2J\\u{202e}x");
    }
}
