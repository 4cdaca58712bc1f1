//! The little languages of `deploy`'s options: parameter overrides, tags, metadata, capabilities. They
//! are SAM CLI's, so that a script need not change; where SAM CLI drops what it cannot read, the rest
//! of a value after an unquoted space for example, an error says so. Pure: included files come
//! through a function.

use indexmap::IndexMap;

use super::samconfig::{Format, scalar};
use crate::template::{Node, Value};

/// Names and values in the order in which they were given; the later of two equal names wins.
pub type Pairs = IndexMap<String, String>;

/// How deep `file://` may include further files.
const MAX_INCLUDES: usize = 16;

/// Text that is not in the form that an option wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A word that is no `KEY=VALUE`.
    #[error("{word:?} is not KEY=VALUE; quote a value that has spaces: KEY=\"two words\"")]
    NoPair {
        /// The word.
        word: String,
    },
    /// A quote that is not closed.
    #[error("the quote that begins at {near:?} is not closed")]
    OpenQuote {
        /// The beginning of the quoted text's key, never the value: it may be a secret.
        near: String,
    },
    /// A name with a character that AWS does not allow.
    #[error("{key:?} cannot be the name of {what}: {allowed}")]
    BadKey {
        /// The name.
        key: String,
        /// `a parameter`, `a tag`, …
        what: &'static str,
        /// Which characters may be in it.
        allowed: &'static str,
    },
    /// A value of a kind that has no meaning here.
    #[error("the value of {key:?} is {kind}, and has to be text, a number, a truth value or a list of them")]
    BadValue {
        /// The name.
        key: String,
        /// What it is.
        kind: &'static str,
    },
    /// A file that cannot be included.
    #[error("cannot include {file}: {reason}")]
    Include {
        /// As it was written.
        file: String,
        /// Why.
        reason: String,
    },
    /// A capability that CloudFormation does not know.
    #[error("{0:?} is not a capability: CAPABILITY_IAM, CAPABILITY_NAMED_IAM and CAPABILITY_AUTO_EXPAND are")]
    Capability(String),
    /// Metadata that is neither `K=V,K2=V2` nor a flat JSON object.
    #[error("the metadata is neither KEY=VALUE,KEY2=VALUE2 nor a JSON object of text: {0}")]
    Metadata(String),
}

/// Reads an included file's text.
pub type Read<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Parameter overrides as words of the command line: `K=V`, several of them in one word,
/// `ParameterKey=K,ParameterValue=V`, `file://x.toml`.
///
/// # Errors
/// A word in no such form; a file that cannot be included.
pub fn overrides(words: &[String], read: Read<'_>) -> Result<Pairs, Error> {
    let list = Value::List(words.iter().map(|word| Node::from(word.as_str())).collect());
    overrides_from(&Node::from(list), read)
}

/// Parameter overrides as a configuration says them: text, a list, a table with `$include`.
///
/// # Errors
/// As [`overrides`].
pub fn overrides_from(node: &Node, read: Read<'_>) -> Result<Pairs, Error> {
    let mut found = Pairs::new();
    collect_overrides(node, read, &mut Vec::new(), &mut found)?;
    Ok(found)
}

fn collect_overrides(node: &Node, read: Read<'_>, open: &mut Vec<String>, found: &mut Pairs) -> Result<(), Error> {
    match &node.value {
        Value::Null => Ok(()),
        Value::List(items) => items.iter().try_for_each(|item| collect_overrides(item, read, open, found)),
        Value::Map(map) => {
            for (key, value) in map.iter() {
                if key == "$include" {
                    collect_overrides(value, read, open, found)?;
                } else {
                    found.insert(parameter_name(key)?, override_value(key, value)?);
                }
            }
            Ok(())
        }
        Value::String(text) => match text.trim().strip_prefix("file://") {
            Some(file) => include(file, read, open, found),
            None => {
                for (key, value) in pairs(text)? {
                    found.insert(parameter_name(&key)?, value);
                }
                Ok(())
            }
        },
        Value::Bool(_) | Value::Number(_) => Err(Error::NoPair { word: scalar(node).unwrap_or_default() }),
    }
}

fn include(file: &str, read: Read<'_>, open: &mut Vec<String>, found: &mut Pairs) -> Result<(), Error> {
    let fail = |reason: String| Error::Include { file: file.to_owned(), reason };
    if open.iter().any(|outer| outer == file) {
        return Err(fail("it includes itself".to_owned()));
    }
    if open.len() >= MAX_INCLUDES {
        return Err(fail(format!("files include each other more than {MAX_INCLUDES} deep")));
    }
    let format =
        Format::of(file.as_ref()).map_err(|_| fail("its name has to end in .toml, .yaml or .yml".to_owned()))?;
    let text = read(file).map_err(&fail)?;
    let node = super::samconfig::plain(&text, format).map_err(&fail)?;
    open.push(file.to_owned());
    let result = collect_overrides(&node, read, open, found);
    open.pop();
    result
}

/// A parameter's value in a table: lists become comma-joined text, null the empty text.
fn override_value(key: &str, node: &Node) -> Result<String, Error> {
    let bad = |kind| Error::BadValue { key: key.to_owned(), kind };
    match &node.value {
        Value::Null => Ok(String::new()),
        Value::List(items) => {
            let items: Result<Vec<_>, _> = items
                .iter()
                .map(
                    |item| {
                        if item.is_null() { Ok(String::new()) } else { scalar(item).ok_or_else(|| bad(item.kind())) }
                    },
                )
                .collect();
            Ok(items?.join(","))
        }
        _ => scalar(node).ok_or_else(|| bad(node.kind())),
    }
}

fn parameter_name(key: &str) -> Result<String, Error> {
    let name = unquote(key);
    if name.is_empty() || !name.chars().all(|character| character.is_ascii_alphanumeric()) {
        return Err(Error::BadKey { key: name, what: "a parameter", allowed: "letters and digits alone" });
    }
    Ok(name)
}

/// How overrides are saved: one text `K="V" K2="V2"`, or a table when a value cannot be said in it (the
/// text has no way to write a backslash before a quote, a space or the end).
pub fn overrides_node(pairs: &Pairs) -> Node {
    let awkward = |value: &str| {
        let mut characters = value.chars().peekable();
        while let Some(character) = characters.next() {
            if character == '\\' && characters.peek().is_none_or(|next| matches!(next, ' ' | '"' | '\'' | '\\')) {
                return true;
            }
        }
        false
    };
    if pairs.values().any(|value| awkward(value)) {
        return Node::from(
            pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<crate::template::Map>(),
        );
    }
    let words: Vec<String> =
        pairs.iter().map(|(key, value)| format!("{key}=\"{}\"", value.replace('"', "\\\""))).collect();
    Node::from(words.join(" "))
}

/// Tags: `K=V K2="V 2"` as text or list, or a table.
///
/// # Errors
/// A word that is no pair; a name that AWS does not allow.
pub fn tags_from(node: &Node) -> Result<Pairs, Error> {
    let mut found = Pairs::new();
    let mut add = |key: &str, value: String| {
        let allowed = "letters, digits, spaces and _ . : / = + - @, up to 128 of them";
        let good = |character: char| character.is_alphanumeric() || " _.:/=+-@".contains(character);
        let key = unquote(key);
        if key.is_empty() || key.chars().count() > 128 || !key.chars().all(good) {
            return Err(Error::BadKey { key, what: "a tag", allowed });
        }
        found.insert(key, value);
        Ok(())
    };
    match &node.value {
        Value::Map(map) => {
            for (key, value) in map.iter() {
                add(key, override_value(key, value)?)?;
            }
        }
        Value::List(items) => {
            for item in items {
                for (key, value) in pairs(item.as_str().unwrap_or_default())? {
                    add(&key, value)?;
                }
            }
        }
        Value::Null => {}
        _ => {
            for (key, value) in pairs(&scalar(node).unwrap_or_default())? {
                add(&key, value)?;
            }
        }
    }
    Ok(found)
}

/// Tags as words of the command line.
///
/// # Errors
/// As [`tags_from`].
pub fn tags(words: &[String]) -> Result<Pairs, Error> {
    tags_from(&Node::from(Value::List(words.iter().map(|word| Node::from(word.as_str())).collect())))
}

/// Metadata of uploads: `K=V,K2=V2` or a flat JSON object.
///
/// # Errors
/// Neither of them.
pub fn metadata(text: &str) -> Result<Pairs, Error> {
    let fail = |reason: &str| Error::Metadata(reason.to_owned());
    if text.trim_start().starts_with('{') {
        let json: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|error| fail(&error.to_string()))?;
        return json
            .into_iter()
            .map(|(key, value)| {
                let value =
                    scalar(&Node::from(value)).ok_or_else(|| fail(&format!("the value of {key:?} is not flat")))?;
                Ok((key, value))
            })
            .collect();
    }
    text.split(',')
        .map(|part| match part.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), unquote(value.trim()))),
            _ => Err(fail(&format!("{part:?} has no `=`"))),
        })
        .collect()
}

/// Capabilities, each checked, each once.
///
/// # Errors
/// One that CloudFormation does not know.
pub fn capabilities(words: &[String]) -> Result<Vec<String>, Error> {
    let mut found: Vec<String> = Vec::new();
    for word in words.iter().flat_map(|word| word.split_whitespace()) {
        if !matches!(word, "CAPABILITY_IAM" | "CAPABILITY_NAMED_IAM" | "CAPABILITY_AUTO_EXPAND") {
            return Err(Error::Capability(word.to_owned()));
        }
        if !found.iter().any(|known| known == word) {
            found.push(word.to_owned());
        }
    }
    Ok(found)
}

/// `K=V K2="V 2" ParameterKey=K3,ParameterValue=V3` into its pairs.
fn pairs(text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let word = || Error::NoPair { word: rest.split_whitespace().next().unwrap_or_default().to_owned() };
        let (key, after) = rest.split_once('=').ok_or_else(word)?;
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(word());
        }
        let (key, value) = if key == "ParameterKey" {
            let (name, after) = after.split_once(",ParameterValue=").ok_or_else(word)?;
            if name.contains(char::is_whitespace) {
                return Err(word());
            }
            (name, after)
        } else {
            (key, after)
        };
        let (raw, after) = value_end(key, value)?;
        found.push((key.to_owned(), unquote(raw)));
        rest = after.trim_start();
    }
    Ok(found)
}

/// Splits a value, as it is written, from what follows it.
fn value_end<'a>(key: &str, text: &'a str) -> Result<(&'a str, &'a str), Error> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
    let mut characters = text.char_indices().skip(usize::from(quote.is_some()));
    while let Some((at, character)) = characters.next() {
        match (quote, character) {
            (_, '\\') => {
                characters.next();
            }
            (Some(quote), character) if character == quote => {
                let (value, rest) = text.split_at(at + character.len_utf8());
                if rest.is_empty() || rest.starts_with(char::is_whitespace) {
                    return Ok((value, rest));
                }
            }
            (None, character) if character.is_whitespace() => return Ok(text.split_at(at)),
            _ => {}
        }
    }
    match quote {
        Some(_) => Err(Error::OpenQuote { near: format!("{key}=") }),
        None => Ok((text, "")),
    }
}

/// Takes off quotes that wrap the whole, and the backslash before a space or a quote.
fn unquote(text: &str) -> String {
    let inner = ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(text);
    inner.replace("\\ ", " ").replace("\\\"", "\"").replace("\\'", "'")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nothing(file: &str) -> Result<String, String> {
        Err(format!("{file} was not expected"))
    }

    fn parse(words: &[&str]) -> Result<Pairs, Error> {
        overrides(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), &nothing)
    }

    fn expect(words: &[&str], pairs: &[(&str, &str)]) {
        let found = parse(words).unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(found, pairs, "{words:?}");
    }

    #[test]
    fn overrides_are_read_in_every_form_that_sam_reads() {
        expect(&["A=1", "B=2"], &[("A", "1"), ("B", "2")]);
        expect(&["A=1 B=2"], &[("A", "1"), ("B", "2")]);
        expect(
            &["ParameterKey=A,ParameterValue=a,b ParameterKey=B,ParameterValue=\"x y\""],
            &[("A", "a,b"), ("B", "x y")],
        );
        expect(
            &[r#"A="two words" B='it is' C=a\ b D="say \"hi\"" E="#],
            &[("A", "two words"), ("B", "it is"), ("C", "a b"), ("D", "say \"hi\""), ("E", "")],
        );
        expect(&["A=1", "A=2"], &[("A", "2")]);
        expect(&["Url=https://x/?a=b"], &[("Url", "https://x/?a=b")]);
        expect(&[r#"Json={"a":1} B=x"#], &[("Json", "{\"a\":1}"), ("B", "x")]);
        expect(&["Path=C:\\dir"], &[("Path", "C:\\dir")]);
        expect(&["A=ü\u{1f600}\n  B=2"], &[("A", "ü\u{1f600}"), ("B", "2")]);
        expect(&[], &[]);
    }

    #[test]
    fn what_cannot_be_read_is_said_and_not_dropped() {
        assert_eq!(parse(&["A=hello world"]), Err(Error::NoPair { word: "world".to_owned() }));
        assert_eq!(parse(&["novalue"]), Err(Error::NoPair { word: "novalue".to_owned() }));
        assert_eq!(parse(&["a b=c"]), Err(Error::NoPair { word: "a".to_owned() }));
        assert!(matches!(parse(&["A=\"secret"]), Err(Error::OpenQuote { near }) if near == "A="));
        assert!(matches!(parse(&["A-B=1"]), Err(Error::BadKey { .. })));
        assert!(matches!(parse(&["=1"]), Err(Error::NoPair { .. })));
        assert!(matches!(parse(&["ParameterKey=A"]), Err(Error::NoPair { .. })));
    }

    #[test]
    fn files_include_each_other_but_never_themselves() {
        let read = |file: &str| match file {
            "a.toml" => Ok("Zones = ['a', 'b']\nCount = 3\nNothing = ''\n'$include' = 'file://b.yaml'\n".to_owned()),
            "b.yaml" => Ok("- Name: from b\n- Flag: true\n- 'K=\"v w\"'\n".to_owned()),
            "loop.yaml" => Ok("$include: file://loop.yaml\n".to_owned()),
            _ => Err("no such file".to_owned()),
        };
        let words = |text: &str| vec![text.to_owned()];
        let found = overrides(&words("file://a.toml"), &read).unwrap();
        let found: Vec<String> = found.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(found, ["Zones=a,b", "Count=3", "Nothing=", "Name=from b", "Flag=true", "K=v w"]);
        let error = overrides(&words("file://loop.yaml"), &read).unwrap_err();
        assert_eq!(error.to_string(), "cannot include loop.yaml: it includes itself");
        assert!(overrides(&words("file://x.json"), &read).unwrap_err().to_string().contains("end in .toml"));
        assert!(overrides(&words("file://x.toml"), &read).unwrap_err().to_string().contains("no such file"));
    }

    #[test]
    fn tags_capabilities_and_metadata() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let found = tags(&words(&["team=a b:c=d/e", "x=\"1 2\""]));
        assert!(found.is_ok_and(|tags| tags["team"] == "a" && tags["b:c"] == "d/e" && tags["x"] == "1 2"));
        assert!(tags(&words(&["a*=1"])).is_err());
        assert_eq!(
            capabilities(&words(&["CAPABILITY_IAM CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])).unwrap().len(),
            2
        );
        assert!(capabilities(&words(&["CAPABILITY_IAM,CAPABILITY_NAMED_IAM"])).is_err());
        assert_eq!(metadata("a=1,b=x y").unwrap()["b"], "x y");
        assert_eq!(metadata("{\"a\": 1, \"b\": \"c\"}").unwrap()["a"], "1");
        assert!(metadata("{\"a\": {}}").is_err());
        assert!(metadata("a").is_err());
    }

    proptest! {
        #[test]
        fn what_is_saved_is_read_again(values in proptest::collection::vec(any::<String>(), 0..5)) {
            let pairs: Pairs = values.into_iter().enumerate().map(|(index, value)| (format!("K{index}"), value)).collect();
            prop_assert_eq!(overrides_from(&overrides_node(&pairs), &nothing).unwrap(), pairs);
        }

        #[test]
        fn awkward_characters_survive_saving(value in "[\\\\\"' a=,\n]{0,12}") {
            let pairs = Pairs::from_iter([("K".to_owned(), value)]);
            prop_assert_eq!(overrides_from(&overrides_node(&pairs), &nothing).unwrap(), pairs);
        }

        #[test]
        fn nothing_that_is_typed_makes_it_panic(text in "[A-Za-z\\\\\"' =,\nfile:/.]{0,40}") {
            let _ = overrides(std::slice::from_ref(&text), &nothing);
            let _ = tags(std::slice::from_ref(&text));
            let _ = metadata(&text);
        }
    }
}
