//! YAML in block style with CloudFormation's short tags. Whatever some reader of YAML 1.1 would take
//! for another type is quoted, so that `on`, `012` and `2012-10-17` stay text.

use std::fmt::Write;

use serde_json::Number;

use crate::template::read::scalar;
use crate::template::{Map, Node, Value, tags};

/// A key longer than this is written with an explicit `?`: YAML's readers look no further than 1024
/// characters for the `:` of a simple key.
const LONGEST_SIMPLE_KEY: usize = 500;

/// The node as YAML text with a line end behind it.
pub fn yaml(node: &Node) -> String {
    let mut text = String::new();
    match block(node) {
        Some(_) => write_block(&mut text, node, 0, true),
        None => {
            text.push_str(&inline(node, 0));
            text.push('\n');
        }
    }
    text
}

/// What a node is when it needs lines of its own.
enum Block<'n> {
    Tagged(&'static str, &'n Node),
    List(&'n [Node]),
    Map(&'n Map),
}

fn block(node: &Node) -> Option<Block<'_>> {
    if let Some((tag, argument)) = short(node) {
        return match &argument.value {
            Value::List(items) if attribute(tag, argument).is_none() && !items.is_empty() => {
                Some(Block::Tagged(tag, argument))
            }
            Value::Map(map) if !map.is_empty() => Some(Block::Tagged(tag, argument)),
            _ => None,
        };
    }
    match &node.value {
        Value::List(items) if !items.is_empty() => Some(Block::List(items)),
        Value::Map(map) if !map.is_empty() => Some(Block::Map(map)),
        _ => None,
    }
}

/// The short tag and its argument, when this node can be written with one: the argument must carry
/// no tag itself, and be something that is read back as it is.
fn short(node: &Node) -> Option<(&'static str, &Node)> {
    let (name, argument) = node.as_map()?.only()?;
    let tag = tags::short_tag(name)?;
    let fits = match &argument.value {
        // Behind a tag every scalar is text, and a text behind `!GetAtt` is taken apart.
        Value::String(_) => tag != "GetAtt",
        Value::List(_) => true,
        Value::Map(_) => short(argument).is_none(),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    };
    fits.then_some((tag, argument))
}

/// `Resource.Attribute`, when the argument of `GetAtt` can be written so.
fn attribute(tag: &str, argument: &Node) -> Option<String> {
    match argument.as_list()? {
        [resource, attribute] if tag == "GetAtt" => {
            let (resource, attribute) = (resource.as_str()?, attribute.as_str()?);
            let plain = !resource.contains('.') && !resource.is_empty() && !attribute.contains('\n');
            plain.then(|| format!("{resource}.{attribute}"))
        }
        _ => None,
    }
}

/// Writes a block; `fresh` when the cursor is where its first line begins already.
fn write_block(text: &mut String, node: &Node, indent: usize, fresh: bool) {
    match block(node) {
        Some(Block::Tagged(tag, argument)) => {
            // Writing to a String does not fail.
            let _ = writeln!(text, "!{tag}");
            write_block(text, argument, indent, false);
        }
        Some(Block::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 || !fresh {
                    pad(text, indent);
                }
                text.push_str("- ");
                write_entry(text, item, indent + 2, true);
            }
        }
        Some(Block::Map(map)) => {
            for (index, (key, value)) in map.iter().enumerate() {
                if index > 0 || !fresh {
                    pad(text, indent);
                }
                let key = quoted(key);
                if key.len() > LONGEST_SIMPLE_KEY {
                    let _ = writeln!(text, "? {key}");
                    pad(text, indent);
                    text.push_str(": ");
                    write_entry(text, value, indent + 2, true);
                } else {
                    text.push_str(&key);
                    text.push_str(": ");
                    write_entry(text, value, indent + 2, false);
                }
            }
        }
        None => {
            text.push_str(&inline(node, indent));
            text.push('\n');
        }
    }
}

/// What stands behind `- ` or `key: `. Behind a dash a map or list begins on the same line.
fn write_entry(text: &mut String, node: &Node, indent: usize, compact: bool) {
    match block(node) {
        None => {
            text.push_str(&inline(node, indent));
            text.push('\n');
        }
        Some(Block::Tagged(..)) => write_block(text, node, indent, true),
        Some(_) if compact => write_block(text, node, indent, true),
        Some(_) => {
            text.pop();
            text.push('\n');
            write_block(text, node, indent, false);
        }
    }
}

fn pad(text: &mut String, indent: usize) {
    text.extend(std::iter::repeat_n(' ', indent));
}

/// A node that fits behind its key: a scalar (a literal block goes on below), an empty collection, or
/// a short tag with one of them.
fn inline(node: &Node, indent: usize) -> String {
    if let Some((tag, argument)) = short(node) {
        if let Some(attribute) = attribute(tag, argument) {
            return format!("!{tag} {}", tagged_text(&attribute));
        }
        return match &argument.value {
            Value::String(text) => format!("!{tag} {}", literal(text, indent).unwrap_or_else(|| tagged_text(text))),
            _ => format!("!{tag} {}", inline(argument, indent)),
        };
    }
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => self::number(number),
        Value::String(text) => literal(text, indent).unwrap_or_else(|| quoted(text)),
        Value::List(_) => "[]".to_owned(),
        Value::Map(_) => "{}".to_owned(),
    }
}

/// Behind a short tag nothing is taken for a number, but the quotes do no harm either; only plain
/// words such as `!Ref On` read better without.
fn tagged_text(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// A float needs a point and its exponent a sign, or YAML 1.1 reads text.
fn number(number: &Number) -> String {
    let text = number.to_string();
    if number.is_i64() || number.is_u64() {
        return text;
    }
    let (mantissa, exponent) =
        text.split_once(['e', 'E']).map_or((text.as_str(), None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let point = if mantissa.contains('.') { "" } else { ".0" };
    match exponent {
        None => format!("{mantissa}{point}"),
        Some(exponent) if exponent.starts_with(['+', '-']) => format!("{mantissa}{point}e{exponent}"),
        Some(exponent) => format!("{mantissa}{point}e+{exponent}"),
    }
}

/// A literal block for text of several lines, where that keeps every character.
fn literal(text: &str, indent: usize) -> Option<String> {
    let body = text.trim_end_matches('\n');
    let first = text.lines().next()?;
    let fits = body.contains('\n')
        && !first.is_empty()
        && !first.starts_with([' ', '\t'])
        // White space alone on a line, or at its end, would be easy to lose in an editor.
        && text.split('\n').all(|line| !line.ends_with([' ', '\t']))
        && text.chars().all(|character| character == '\n' || character == '\t' || is_printable(character));
    if !fits {
        return None;
    }
    let chomp = match text.len() - body.len() {
        0 => "-",
        1 => "",
        _ => "+",
    };
    let indent = indent.max(2);
    let mut block = format!("|{chomp}");
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        block.push('\n');
        if !line.is_empty() {
            pad(&mut block, indent);
            block.push_str(line);
        }
    }
    Some(block)
}

/// A text as a scalar on one line, quoted when it has to be.
fn quoted(text: &str) -> String {
    if is_plain(text) && !scalar::is_ambiguous(text) {
        text.to_owned()
    } else if text.chars().all(is_printable) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        double_quoted(text)
    }
}

/// Whether YAML's syntax lets this text stand without quotes, in block style, as a key too.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && text.chars().all(is_printable)
        && !text.starts_with([
            '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`',
        ])
        && !text.starts_with("...")
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
}

fn is_printable(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
        // Line ends of YAML 1.1, and what turns the reading direction round.
        && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 8);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            _ if is_printable(character) => quoted.push(character),
            _ => {
                let code = character as u32;
                let _ = match code {
                    0..=0xff => write!(quoted, "\\x{code:02x}"),
                    0x100..=0xffff => write!(quoted, "\\u{code:04x}"),
                    _ => write!(quoted, "\\U{code:08x}"),
                };
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::template::read::read_document;
    use crate::template::span::Source;

    fn again(text: &str) -> Json {
        match read_document(Arc::new(Source::new("written.yaml", text))) {
            Ok(node) => node.to_json(),
            Err(problems) => panic!("{text}\n{:#?}", problems.items),
        }
    }

    #[test]
    fn it_looks_as_people_write_templates() {
        let node = Node::from(json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Resources": {
                "F": {
                    "Type": "AWS::Serverless::Function",
                    "Properties": {
                        "Timeout": 3,
                        "Environment": {"Variables": {"A": {"Ref": "T"}, "ON": "on", "NO": "no", "OCT": "012", "TIME": "12:30:45", "EMPTY": ""}},
                        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                        "Inline": "def f():\n    return 1\n",
                        "Layers": [{"Fn::Sub": "arn:${A}"}, {"Fn::If": ["C", "a", {"Ref": "AWS::NoValue"}]}],
                        "Data": {"Fn::Base64": {"Fn::Sub": "x: ${y}"}},
                        "Both": {"Fn::Sub": ["${a}", {"a": {"Fn::GetAtt": ["B", {"Ref": "C"}]}}]},
                        "Statement": [{"Action": ["a", "b"], "Effect": "Allow"}, []],
                        "Nothing": null, "Map": {}, "Nested": [[1, 2], [{"a": [1.0, 1e30]}]],
                    },
                },
            },
        }));
        let text = yaml(&node);
        insta::assert_snapshot!(text, @"
        AWSTemplateFormatVersion: '2010-09-09'
        Resources:
          F:
            Type: AWS::Serverless::Function
            Properties:
              Timeout: 3
              Environment:
                Variables:
                  A: !Ref T
                  'ON': 'on'
                  'NO': 'no'
                  OCT: '012'
                  TIME: '12:30:45'
                  EMPTY: ''
              Role: !GetAtt Role.Arn
              Inline: |
                def f():
                    return 1
              Layers:
                - !Sub arn:${A}
                - !If
                  - C
                  - a
                  - !Ref AWS::NoValue
              Data:
                Fn::Base64: !Sub 'x: ${y}'
              Both: !Sub
                - ${a}
                - a: !GetAtt
                    - B
                    - !Ref C
              Statement:
                - Action:
                    - a
                    - b
                  Effect: Allow
                - []
              Nothing: null
              Map: {}
              Nested:
                - - 1
                  - 2
                - - a:
                      - 1.0
                      - 1.0e+30
        ");
        assert_eq!(again(&text), node.to_json());
    }

    fn scalar_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zA-Z0-9 :#'\"\\-\\[\\]{}!&*|>%@`,?.\n\t~=<_/\\\\]{0,12}",
            "(on|off|yes|no|y|n|null|~|true|012|0x1f|1_000|12:30:45|2012-10-17|1e3|1.0e\\+3|\\.inf|\\.nan|<<|=|---|\\.\\.\\.|- a|\\? a)",
            any::<String>().prop_map(|text| text.chars().filter(|c| *c != '\u{feff}').take(12).collect()),
            "([a-z ]{0,6}\n){1,4}[a-z]{0,3}",
        ]
    }

    fn tree() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Json::from),
            scalar_text().prop_map(Json::from),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
                proptest::collection::vec((scalar_text(), inner.clone()), 0..5)
                    .prop_map(|entries| Json::Object(entries.into_iter().collect())),
                ("(Ref|Condition|Fn::(Sub|GetAtt|If|Join|GetAZs|Base64|Transform|ForEach::X|Nothing))", inner)
                    .prop_map(|(name, inner)| json!({ name: inner })),
                ("[a-z]{1,3}", "[a-z.]{1,4}").prop_map(|(a, b)| json!({"Fn::GetAtt": [a, b]})),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in tree()) {
            let node = Node::from(value.clone());
            let text = yaml(&node);
            prop_assert_eq!(&again(&text), &value, "{}", text);
            prop_assert_eq!(again(&super::super::json(&node)), value);
        }

        /// A second opinion on the quoting: a reader of YAML 1.2 sees the same texts.
        #[test]
        fn another_reader_sees_the_same_texts(texts in proptest::collection::vec(scalar_text(), 1..5)) {
            let node = Node::from(json!(texts));
            let text = yaml(&node);
            let read: Vec<String> = serde_yaml::from_str(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
            prop_assert_eq!(read, texts, "{}", text);
        }
    }

    #[test]
    fn long_keys_survive() {
        let node = Node::from(json!({"k".repeat(3000): {"a": [1]}, "b": 2}));
        assert_eq!(again(&yaml(&node)), node.to_json());
    }
}
