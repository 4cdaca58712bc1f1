//! Functions that do not exist, and arguments that do not fit.

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::{Node, Value, tags};
use crate::validate::{Rule, Subject, shape};

pub(super) const RULE: Rule = Rule {
    id: "reference/function",
    why: "CloudFormation refuses functions that it does not know, and arguments of another form.",
    wrong: "Resources:\n  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Join [a, b, c]}}\n",
    right: "Resources:\n  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Join [a, [b, c]]}}\n",
    check,
};

/// Functions of `AWS::LanguageExtensions`.
const EXTENSIONS: [&str; 3] = ["Fn::ForEach", "Fn::Length", "Fn::ToJsonString"];

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let unknown_names = subject.has_unknown_names();
    for part in shape::evaluated(subject) {
        shape::functions(part, false, &mut |node, name, argument| {
            look(subject, unknown_names, node, name, argument, found);
        });
    }
    for (_, condition) in subject.template.section("Conditions").into_iter().flat_map(crate::template::Map::iter) {
        shape::functions(condition, true, &mut |node, name, argument| {
            look(subject, unknown_names, node, name, argument, found);
        });
    }
}

fn look(subject: &Subject<'_>, macros: bool, node: &Node, name: &str, argument: &Node, found: &mut Vec<Diagnostic>) {
    let Some(map) = node.as_map() else { return };
    let key = map.key_span(name);
    let plain = name.strip_prefix("Fn::").map_or(name, |rest| rest.split("::").next().unwrap_or(rest));
    let base = if name.starts_with("Fn::") { format!("Fn::{plain}") } else { name.to_owned() };
    if tags::short_tag(&base).is_none() && base != "Fn::ForEach" {
        // A macro of the account may know it.
        if !macros {
            let problem = Diagnostic::error(RULE.id, format!("there is no function `{name}`")).at(key);
            found.push(match closest(plain, tags::short_tags()) {
                Some(meant) => problem.help(format!("Did you mean `{}`?", tags::long_name(meant).unwrap_or(meant))),
                None => problem.help("Functions are those of CloudFormation, such as `Fn::Sub` and `Fn::GetAtt`."),
            });
        }
        return;
    }
    if EXTENSIONS.contains(&base.as_str()) && !subject.has_language_extensions() && !macros {
        found.push(
            Diagnostic::error(RULE.id, format!("`{base}` needs the transform AWS::LanguageExtensions"))
                .at(key)
                .help("Add it in front: `Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]`."),
        );
        return;
    }
    if map.len() > 1 && !matches!(base.as_str(), "Fn::Transform" | "Fn::ForEach") {
        found.push(
            Diagnostic::error(RULE.id, format!("`{name}` has to be the only key of its map"))
                .at(key)
                .help("A function gives the whole value; put it one level deeper, or move the other keys."),
        );
        return;
    }
    if let Some(expected) = expectation(&base, argument, subject.has_language_extensions()) {
        found.push(
            Diagnostic::error(RULE.id, format!("`{name}` takes {expected}"))
                .at(argument.span.filter(|span| span.start < span.end).or(key))
                .help("See https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html"),
        );
    }
}

/// What a function takes, when this is not it.
fn expectation(name: &str, argument: &Node, extended: bool) -> Option<&'static str> {
    let items = argument.as_list();
    let is_function = argument.intrinsic().is_some();
    let textual = |node: &Node| {
        matches!(node.value, Value::String(_) | Value::Number(_) | Value::Bool(_)) || node.intrinsic().is_some()
    };
    let listable = |node: &Node| node.as_list().is_some() || node.intrinsic().is_some();
    let (fits, expected) = match name {
        "Ref" | "Condition" => (argument.as_str().is_some(), "a name"),
        "Fn::GetAtt" => (
            match items {
                Some([resource, attribute]) => resource.as_str().is_some() && textual(attribute),
                // `Fn::GetAtt: [Stack, Outputs, Url]` is read by nobody but SAM.
                Some(parts) => parts.len() > 2 && parts.iter().all(|part| part.as_str().is_some()),
                None => argument.as_str().is_some_and(|text| text.contains('.')),
            },
            "`Resource.Attribute` or a list of both",
        ),
        "Fn::Sub" => (
            match items {
                Some([text, variables]) => text.as_str().is_some() && (variables.as_map().is_some()),
                Some([text]) => text.as_str().is_some(),
                Some(_) => false,
                None => argument.as_str().is_some(),
            },
            "a text, or a list of a text and a map of variables",
        ),
        "Fn::Join" => {
            (matches!(items, Some([separator, list]) if textual(separator) && listable(list)), "a separator and a list")
        }
        "Fn::Select" => {
            (matches!(items, Some([index, list]) if textual(index) && listable(list)), "an index and a list")
        }
        "Fn::Split" => {
            (matches!(items, Some([separator, text]) if textual(separator) && textual(text)), "a separator and a text")
        }
        "Fn::FindInMap" => (
            match items {
                Some(keys @ [_, _, _]) => keys.iter().all(textual),
                Some([_, _, _, default]) => default.get("DefaultValue").is_some(),
                _ => false,
            },
            "a mapping and two keys",
        ),
        "Fn::Base64" | "Fn::ImportValue" => (textual(argument), "a text"),
        "Fn::GetAZs" => (textual(argument) || argument.is_null(), "a region, or an empty text"),
        "Fn::Cidr" => {
            (matches!(items, Some([_, _] | [_, _, _])) || is_function, "an address block, a count and the size of each")
        }
        "Fn::If" => {
            (matches!(items, Some([condition, _, _]) if condition.as_str().is_some()), "a condition and two values")
        }
        "Fn::Equals" => (matches!(items, Some([_, _])), "a list of two values"),
        "Fn::Not" => (matches!(items, Some([_])), "a list of one condition"),
        "Fn::And" | "Fn::Or" => {
            (items.is_some_and(|items| (2..=10).contains(&items.len())), "a list of two to ten conditions")
        }
        "Fn::Transform" => (argument.get("Name").is_some(), "a map with the `Name` of a macro"),
        _ => (true, ""),
    };
    // With the extensions, functions may stand in more places than can be listed here.
    (!fits && !(extended && (is_function || items.is_some()))).then_some(expected)
}
