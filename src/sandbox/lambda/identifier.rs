//! How a function is named: by name, partial ARN or ARN, each with a qualifier or without.

use super::fault::{Answer, Fault};

/// The pattern that AWS quotes when a name does not match it.
const PATTERN: &str = r"Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";
/// The same for CreateFunction, which has always been stricter about dots.
const CREATE_PATTERN: &str = r"Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?";
const QUALIFIER_PATTERN: &str =
    r"Member must satisfy regular expression pattern: \$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";

/// A name taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identifier {
    pub(super) region: Option<String>,
    pub(super) account: Option<String>,
    pub(super) name: String,
    pub(super) qualifier: Option<String>,
}

/// Reads a function's name and joins it with the qualifier that was given apart.
pub(super) fn read(text: &str, qualifier: Option<&str>) -> Answer<Identifier> {
    let mut found = parse(text).ok_or_else(|| Fault::validation(&format!("'{text}'"), "functionName", PATTERN))?;
    if text.len() > 140 && found.region.is_some() || found.name.len() > 140 {
        let limit = "Member must have length less than or equal to 140";
        return Err(Fault::validation(&format!("'{text}'"), "functionName", limit));
    }
    if let Some(qualifier) = qualifier {
        check_qualifier(qualifier)?;
        if found.qualifier.as_deref().is_some_and(|derived| derived != qualifier) {
            return Err(Fault::invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ));
        }
        found.qualifier = Some(qualifier.to_owned());
    }
    Ok(found)
}

/// The name of a function that is to be created.
pub(super) fn read_new(text: &str) -> Answer<Identifier> {
    let refused = || Fault::validation(&format!("'{text}'"), "functionName", CREATE_PATTERN);
    let found = parse(text).filter(|found| !found.name.contains('.')).ok_or_else(refused)?;
    if found.name.len() > 64 {
        return Err(Fault::invalid(format!(
            "1 validation error detected: Value '{}' at 'functionName' failed to satisfy constraint: \
             Member must have length less than or equal to 64",
            found.name
        )));
    }
    Ok(found)
}

/// Checks a qualifier's form, not whether it is there.
pub(super) fn check_qualifier(qualifier: &str) -> Answer<()> {
    if qualifier.is_empty() || qualifier.len() > 128 {
        let limit = if qualifier.is_empty() {
            "Member must have length greater than or equal to 1"
        } else {
            "Member must have length less than or equal to 128"
        };
        return Err(Fault::validation(&format!("'{qualifier}'"), "qualifier", limit));
    }
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '$');
    if qualifier == "$LATEST.PUBLISHED" || qualifier.chars().all(fits) {
        return Ok(());
    }
    Err(Fault::validation(&format!("'{qualifier}'"), "qualifier", QUALIFIER_PATTERN))
}

/// Whether it is the number of a version.
pub(super) fn is_version(qualifier: &str) -> bool {
    !qualifier.is_empty() && qualifier.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse(text: &str) -> Option<Identifier> {
    let mut rest = text;
    if let Some(after) = rest.strip_prefix("arn:") {
        let (partition, after) = after.split_once(':')?;
        let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
        let known = partition.is_empty() || (partition.starts_with("aws") && letters(partition));
        if !known {
            return None;
        }
        rest = after.strip_prefix("lambda:")?;
    }
    let is_arn = text.starts_with("arn:");
    let mut region = None;
    let mut account = None;
    if let Some((first, after)) = rest.split_once(':')
        && is_region(first)
    {
        region = Some(first.to_owned());
        rest = after;
    }
    if let Some((first, after)) = rest.split_once(':')
        && first.len() == 12
        && is_version(first)
    {
        account = Some(first.to_owned());
        rest = after;
    }
    if is_arn && (region.is_none() || account.is_none()) {
        return None;
    }
    rest = rest.strip_prefix("function:").unwrap_or(rest);
    let (name, qualifier) = match rest.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (rest, None),
    };
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let named = !name.is_empty() && name.split('.').all(plain);
    let qualified = qualifier
        .is_none_or(|text| text == "$LATEST" || text == "$LATEST.PUBLISHED" || (!text.is_empty() && plain(text)));
    (named && qualified).then(|| Identifier {
        region,
        account,
        name: name.to_owned(),
        qualifier: qualifier.map(str::to_owned),
    })
}

/// `eu-central-1`, `us-gov-west-1`, `us-iso-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lower = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let Some((last, front)) = parts.split_last() else { return false };
    last.len() == 1 && is_version(last) && (2..=4).contains(&front.len()) && front.iter().all(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(String, Option<String>)> {
        parse(text).map(|found| (found.name, found.qualifier))
    }

    #[test]
    fn every_form_of_a_name_is_read() {
        for (text, name, qualifier) in [
            ("f", "f", None),
            ("f:live", "f", Some("live")),
            ("f:$LATEST", "f", Some("$LATEST")),
            ("function:f", "f", None),
            ("123456789012:function:f:3", "f", Some("3")),
            ("arn:aws:lambda:us-east-1:123456789012:function:f", "f", None),
            ("arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f:live", "f", Some("live")),
            // Recorded: an ARN that stops at `function` names a function of that name.
            ("arn:aws:lambda:us-east-1:123456789012:function", "function", None),
        ] {
            assert_eq!(parts(text), Some((name.to_owned(), qualifier.map(str::to_owned))), "{text}");
        }
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        for text in [
            "",
            "invalid:function:name",
            "arn:aws:s3:us-east-1:123456789012:function:f",
            "arn:aws:lambda:nowhere:123456789012:function:f",
            "arn:aws:lambda:123456789012:function:f",
            "arn:aws:lambda:us-east-1:function:f",
            "f:1:2",
            "f:$LATES",
            "a b",
            "arn:aws:lambda:us-east-1:123400000000@function:f",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }

    #[test]
    fn a_qualifier_given_twice_must_be_the_same() {
        assert!(read("f:live", Some("live")).is_ok());
        assert!(read("f:live", Some("1")).is_err());
        assert!(read("f", Some("bad qualifier")).is_err());
    }
}
