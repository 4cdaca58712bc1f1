//! The variables of `Fn::Sub`.

use crate::diagnostic::Diagnostic;
use crate::template::intrinsics::{self, Part};
use crate::template::span::Span;
use crate::template::{Node, Value};
use crate::validate::{Rule, Subject, shape};

pub(super) const RULE: Rule = Rule {
    id: "reference/sub",
    why: "CloudFormation refuses a text whose `${…}` is not a name: a shell's `${x:-y}` has to be written `${!x:-y}`.",
    wrong: "Resources:\n  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Sub '${name:-news}-${AWS::Region}'}}\n",
    right: "Resources:\n  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Sub '${!name:-news}-${AWS::Region}'}}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for part in shape::evaluated(subject) {
        shape::functions(part, false, &mut |_, function, argument| {
            if function == "Fn::Sub" {
                look(subject, argument, found);
            }
        });
    }
}

/// Letters, digits, `_`, `.` and `:`; loops of `AWS::LanguageExtensions` add `&`.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '&'))
        // `x:-y` aside, a lone colon is only in `AWS::Region`.
        && text.replace("::", "").chars().all(|c| c != ':')
}

fn look(subject: &Subject<'_>, argument: &Node, found: &mut Vec<Diagnostic>) {
    let (text, variables) = match &argument.value {
        Value::String(_) => (argument, None),
        Value::List(items) => {
            let Some(text) = items.first() else { return };
            (text, items.get(1).and_then(Node::as_map))
        }
        _ => return,
    };
    let Some(value) = text.as_str() else { return };
    let parts = intrinsics::parts(value);
    for part in &parts {
        let Part::Variable { name, range } = part else { continue };
        if variables.is_some_and(|map| map.contains_key(name)) || is_name(name) {
            continue;
        }
        let written = &value[range.clone()];
        found.push(
            Diagnostic::error(RULE.id, format!("`{written}` is not a name that `Fn::Sub` can replace"))
                .at(place(subject, text.span, written))
                .help(format!("Write `${{!{}}}` when the text itself is meant.", &written[2..written.len() - 1])),
        );
    }
    for name in variables.into_iter().flat_map(|map| map.keys().map(move |key| (map, key))) {
        let (map, key) = name;
        if !parts.iter().any(|part| matches!(part, Part::Variable { name, .. } if *name == key)) {
            found.push(
                Diagnostic::warning(RULE.id, format!("the text never uses the variable `{key}`"))
                    .at(map.key_span(key))
                    .help(format!("Use it as `${{{key}}}`, or remove it.")),
            );
        }
    }
}

fn place(subject: &Subject<'_>, span: Option<Span>, needle: &str) -> Option<Span> {
    let span = span?;
    let text = subject.template.source.text().get(span.range())?;
    let start = span.start as usize;
    Some(text.find(needle).map_or(span, |at| Span::new(start + at, start + at + needle.len())))
}
