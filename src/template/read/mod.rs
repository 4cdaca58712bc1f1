//! From bytes to a template: encoding, limits, then YAML or JSON. Whatever comes in, the answer is a
//! tree or diagnostics with their line; the limits come before the parsing.

mod build;
mod encoding;
pub mod json;
pub mod scalar;
mod syntax;
pub mod yaml;

use std::sync::Arc;

use super::span::Source;
use super::{Node, Template, Value};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};

/// The largest template in bytes: CloudFormation's own limit.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
pub const MAX_BYTES: usize = 1_048_576;

/// How deep lists, maps and functions may be nested. Real templates stay under 30; everything that
/// walks a tree by recursion relies on this.
pub const MAX_DEPTH: usize = 128;

/// Reads a template that has to be in order.
///
/// # Errors
/// Everything that is wrong with the file as YAML or JSON, each with its place.
pub fn read(source: Arc<Source>) -> Result<Template, Diagnostics> {
    let (template, diagnostics) = read_with_findings(source);
    match template {
        Some(template) if !diagnostics.has_errors() => Ok(template),
        _ => Err(diagnostics),
    }
}

/// Reads a template as YAML readers do that do not complain: of a key that is there twice the last
/// counts. The complaints come with it.
///
/// # Errors
/// Everything else that is wrong with the file as YAML or JSON.
pub fn read_leniently(source: Arc<Source>) -> Result<(Template, Diagnostics), Diagnostics> {
    let (template, diagnostics) = read_with_findings(source);
    let wrong = |item: &Diagnostic| item.severity == Severity::Error && item.rule != "yaml/duplicate-key";
    match template {
        Some(template) if !diagnostics.items.iter().any(wrong) => Ok((template, diagnostics)),
        _ => Err(diagnostics),
    }
}

/// Reads a template from the bytes of a file that the user knows as `name`.
///
/// # Errors
/// As [`read`]; also when the bytes are not UTF-8 or too many.
pub fn read_bytes(name: &str, bytes: &[u8]) -> Result<Template, Diagnostics> {
    read(decode(name, bytes)?)
}

/// The text of a file, with what may stand in front of it taken off.
///
/// # Errors
/// The bytes are too many or not UTF-8, or hold what YAML does not allow.
pub fn decode(name: &str, bytes: &[u8]) -> Result<Arc<Source>, Diagnostics> {
    encoding::decode(name, bytes)
}

/// Reads a template and keeps what can be kept: with an error such as a duplicate key there is still
/// a tree for other rules to look at, so that every problem shows at once.
pub fn read_with_findings(source: Arc<Source>) -> (Option<Template>, Diagnostics) {
    let (root, mut items) = read_node(&source);
    let root = root.and_then(|root| match root.value {
        Value::Map(_) => Some(root),
        Value::Null => {
            items.push(
                Diagnostic::error("yaml/empty", "the template is empty")
                    .at(None)
                    .help("A template is a map with at least the section `Resources`."),
            );
            None
        }
        _ => {
            items.push(
                Diagnostic::error(
                    "yaml/not-a-map",
                    format!("a template is a map of sections, and this is {}", root.kind()),
                )
                .at(root.span)
                .help("Begin with a section such as `Resources:`."),
            );
            None
        }
    });
    items.sort_by_key(|item| item.span.map(|span| (span.start, span.end)));
    let template = root.map(|root| Template { source: Arc::clone(&source), root });
    (template, Diagnostics::new(source, items))
}

/// Reads any YAML or JSON document, such as an OpenAPI definition or an event file, with the same
/// limits and the same diagnostics; CloudFormation's short tags are known there too.
///
/// # Errors
/// Everything that is wrong with the file as YAML or JSON.
pub fn read_document(source: Arc<Source>) -> Result<Node, Diagnostics> {
    let (root, items) = read_node(&source);
    match root {
        Some(root) if items.iter().all(|item| item.severity != Severity::Error) => Ok(root),
        _ => Err(Diagnostics::new(source, items)),
    }
}

fn read_node(source: &Source) -> (Option<Node>, Vec<Diagnostic>) {
    if let Some(problem) = encoding::check(source) {
        return (None, vec![problem]);
    }
    json::read(source).unwrap_or_else(|| yaml::read(source))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::ui::diagnostic::{Style, json, text};

    /// The one thing that is wrong with hostile input, as it is shown.
    fn refused(name: &str, bytes: &[u8]) -> String {
        let problems = read_bytes(name, bytes).expect_err("refused");
        assert_eq!(problems.items.len(), 1, "{:?}", problems.items);
        let shown = text(&problems, Style::Plain);
        assert!(!shown.contains(['\0', '\u{1b}', '\u{202e}']), "{shown:?}");
        assert!(shown.len() < 2_000, "{} bytes", shown.len());
        shown
    }

    #[test]
    fn hostile_files_get_one_finding_each() {
        let list = "Resources:\n  a: ".to_owned() + &"[".repeat(100_000);
        let closed = "a: ".to_owned() + &"[".repeat(100_000) + &"]".repeat(100_000);
        let dashes = "- ".repeat(100_000) + "a";
        let maps = "{a: ".repeat(100_000);
        let json_depth = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
        let tags = "a: ".to_owned() + &"!Not [".repeat(200) + &"]".repeat(200);
        for deep in [&list, &closed, &dashes, &maps, &json_depth, &tags] {
            let shown = refused("deep.yaml", deep.as_bytes());
            assert!(shown.contains("yaml/too-deep"), "{shown}");
        }
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        let mut merges = String::from("a0: &a0 {k: v}\n");
        for level in 1..40 {
            let before = level - 1;
            let _ = writeln!(bomb, "a{level}: &a{level} [{}*a{before}]", format!("*a{before}, ").repeat(8));
            let _ = writeln!(merges, "a{level}: &a{level} {{k{level}: [*a{before}, *a{before}], <<: *a{before}}}");
        }
        for alias in [&bomb, &merges] {
            let shown = refused("bomb.yaml", alias.as_bytes());
            assert!(shown.contains("yaml/alias-budget") || shown.contains("yaml/too-deep"), "{shown}");
        }
        let anchors: String = (0..120).map(|level| format!("&x{level} [")).collect::<String>() + &"x,".repeat(400_000);
        assert!(read_bytes("anchors.yaml", anchors.as_bytes()).is_err());
        let large = vec![b'x'; 200 * MAX_BYTES];
        assert!(refused("large.yaml", &large).contains("yaml/too-large"));
        let one_line = "a: ".to_owned() + &"x".repeat(MAX_BYTES - 10) + ": b";
        assert!(refused("line.yaml", one_line.as_bytes()).contains("yaml/syntax"));
        for (bytes, expected) in [
            (&b"\xff\xfea\0:\0 \x001\0"[..], "UTF-16"),
            (b"a\0:\0 \x001\0", "UTF-16"),
            (b"\0\0\xfe\xff", "UTF-32"),
            (b"Description: caf\xe9\n", "0xe9 is not UTF-8"),
            (b"Description: a\0b\n", "NUL"),
            (b"Description: \x1b[31m\n", "U+001B"),
            (b"", "empty"),
        ] {
            let shown = refused("bytes.yaml", bytes);
            assert!(shown.contains(expected), "{shown}");
        }
    }

    #[test]
    fn a_finding_shows_its_line_and_a_caret() {
        insta::assert_snapshot!(refused("dir/template.yaml", b"Description: x\nResources:\n  F: !Reff x\n"), @"
        error[yaml/unknown-tag]: there is no short tag `!Reff`
         --> dir/template.yaml:3:6
          |
        3 |   F: !Reff x
          |      ^^^^^
          |
          = help: Did you mean `!Ref`?
        ");
        insta::assert_snapshot!(refused("template.yaml", b"a: 1\r\nb: 2\r\na: 3\r\n"), @"
        error[yaml/duplicate-key]: the key `a` is there twice
         --> template.yaml:3:1
          |
        1 | a: 1
          | - first here
        2 | b: 2
        3 | a: 3
          | ^
          |
          = help: Remove one of them; readers that do not complain keep only the last.
        ");
        insta::assert_snapshot!(refused("template.yaml", "Description: caf\u{e9} \u{202e}evil: x\n".as_bytes()), @r#"
        error[yaml/syntax]: a `:` is not allowed here
         --> template.yaml:1:24
          |
         ::: 
        1 | Description: café \u{202e}evil: x
          |                               ^
          |
          = help: Put text that contains `: ` in quotes, or check the indentation.
        "#);
        insta::assert_snapshot!(refused("template.json", b"{\n  \"Resources\": {\n    \"A\": 1,,\n  }\n}\n"), @r#"
        error[json/syntax]: this is not JSON: key must be a string
         --> template.json:3:12
          |
        3 |     "A": 1,,
          |            ^
          |
          = help: Look for a missing comma, quote or bracket at or before this place.
        "#);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_key() {
        let template = read_bytes("t", b"\xef\xbb\xbfResources: {}\r\n").unwrap();
        assert!(template.section("Resources").is_some());
        let again = read_bytes("t", b"\xef\xbb\xbf{\"Resources\": {}}").unwrap();
        assert!(again.section("Resources").is_some());
    }

    #[test]
    fn json_is_read_by_its_own_rules_with_places() {
        let text = "{\n\t\"on\": 1e3,\n\t\"b\": [\"\\u00e9\\/\", -0, null, 010e0, \"2012-10-17\"],\n\t\"<<\": true\n}";
        let text = text.replace("010e0", "1.5");
        let template = read_bytes("t.json", text.as_bytes()).unwrap();
        assert_eq!(
            template.root.to_json(),
            serde_json::json!({"on": 1000.0, "b": ["é/", 0, null, 1.5, "2012-10-17"], "<<": true})
        );
        let span = template.root.get("b").unwrap().as_list().unwrap()[1].span.unwrap();
        assert_eq!(template.source.position(span.start as usize).to_string(), "3:20");
        let twice = read_bytes("t.json", b"{\"a\": 1, \"a\": 2}").unwrap_err();
        assert_eq!(json(&twice)[0].column, 10);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Err(problems) = read_bytes("any", &bytes) {
                prop_assert!(!problems.items.is_empty());
                text(&problems, Style::Colored);
                json(&problems);
            }
        }

        #[test]
        fn no_text_that_looks_like_yaml_makes_it_panic(input in "([a-c!&*<:{}\\[\\],#|>'\"%@\\-? \t\r\n~é\u{202e}]|Ref|GetAtt|\\n  |: |- ){0,60}") {
            if let Err(problems) = read_bytes("any", input.as_bytes()) {
                prop_assert!(!problems.items.is_empty());
                text(&problems, Style::Colored);
                json(&problems);
            }
        }
    }
}
