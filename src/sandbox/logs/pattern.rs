//! Filter patterns for text: terms that must all be there, `?term` of which one must, `-term` that
//! must not, `"quoted ones"`. Patterns for JSON and for columns are not there and say so.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>

use crate::sandbox::query::Fault;

/// A pattern that was read.
#[derive(Debug, Default)]
pub(super) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.starts_with(['{', '[', '%']) {
            let what = format!("filter pattern {text:?}: only terms for text");
            return Err(Fault::not_implemented("CloudWatch Logs", &what));
        }
        let mut pattern = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (list, after) = match rest.as_bytes()[0] {
                b'?' => (&mut pattern.any, &rest[1..]),
                b'-' => (&mut pattern.none, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(|| {
                    Fault::new(
                        400,
                        "InvalidParameterException",
                        "Invalid filter pattern: a quotation mark is not closed",
                    )
                })?,
                None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
            };
            if !term.is_empty() {
                list.push(term.to_owned());
            }
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has) && (self.any.is_empty() || self.any.iter().any(has)) && !self.none.iter().any(has)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn terms_are_all_any_or_none() {
        for (pattern, message, expected) in [
            ("", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an error here", false),
            ("ERROR timeout", "ERROR: timeout", true),
            ("ERROR timeout", "ERROR: other", false),
            ("?ERROR ?WARN", "a WARN", true),
            ("?ERROR ?WARN", "an INFO", false),
            ("ERROR -timeout", "ERROR: timeout", false),
            ("\"Task timed out\"", "x Task timed out after", true),
            ("\"Task timed out\"", "Task was timed out", false),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(message), expected, "{pattern} on {message}");
        }
    }

    #[test]
    fn what_it_cannot_do_it_says() {
        assert_eq!(Pattern::parse("{ $.level = \"error\" }").unwrap_err().code, "NotImplemented");
        assert_eq!(Pattern::parse("\"open").unwrap_err().code, "InvalidParameterException");
    }
}
