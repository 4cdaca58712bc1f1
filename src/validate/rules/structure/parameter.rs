//! Declarations of parameters.

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::parameters::{Type, declared};
use crate::template::{Map, Node};
use crate::validate::{Rule, Subject};

const KEYS: [&str; 11] = [
    "Type",
    "Default",
    "AllowedPattern",
    "AllowedValues",
    "ConstraintDescription",
    "Description",
    "MaxLength",
    "MaxValue",
    "MinLength",
    "MinValue",
    "NoEcho",
];

pub(super) const RULE: Rule = Rule {
    id: "structure/parameter",
    why: "CloudFormation refuses parameters of unknown types, and defaults that the declaration itself forbids.",
    wrong: "Parameters:\n  Stage: {Type: String, Default: test, AllowedValues: [dev, prod]}\nResources:\n  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref Stage}}\n",
    right: "Parameters:\n  Stage: {Type: String, Default: dev, AllowedValues: [dev, prod]}\nResources:\n  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref Stage}}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some(section) = subject.template.section("Parameters") else { return };
    for (name, node) in section.iter().filter(|(name, _)| !name.starts_with("Fn::")) {
        match node.as_map() {
            Some(body) => keys(name, body, section, found),
            None => found.push(
                Diagnostic::error(
                    RULE.id,
                    format!("the parameter `{name}` is a map with a `Type`, and this is {}", node.kind()),
                )
                .at(node.span.filter(|span| span.start < span.end).or(section.key_span(name))),
            ),
        }
    }
    for parameter in declared(subject.template) {
        let Some(body) = section.get(parameter.name).and_then(Node::as_map) else { continue };
        let Some(default) = body.get("Default") else { continue };
        let span = default.span.or(body.key_span("Default"));
        match &parameter.default {
            None => found.push(
                Diagnostic::error(
                    RULE.id,
                    format!("the default of `{}` is text, and this is {}", parameter.name, default.kind()),
                )
                .at(span)
                .help("Write `Default: ''` when it is empty."),
            ),
            Some(_) if default.as_list().is_some() => found.push(
                Diagnostic::error(RULE.id, format!("the default of `{}` is text, and this is a list", parameter.name))
                    .at(span)
                    .help("Write the items in one text, separated by commas."),
            ),
            Some(value) => {
                if let Some(problem) = parameter.problem(value) {
                    let problem =
                        if parameter.no_echo { "is not one that its declaration allows".to_owned() } else { problem };
                    found.push(
                        Diagnostic::error(RULE.id, format!("the default of `{}` {problem}", parameter.name))
                            .at(span)
                            .help("Change the default, or what is allowed."),
                    );
                }
            }
        }
    }
}

fn keys(name: &str, body: &Map, section: &Map, found: &mut Vec<Diagnostic>) {
    for key in body.keys().filter(|key| !KEYS.contains(key)) {
        let problem =
            Diagnostic::error(RULE.id, format!("`{key}` says nothing about a parameter")).at(body.key_span(key));
        found.push(match closest(key, KEYS) {
            Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
            None => problem.help(format!("A parameter has {}.", KEYS.join(", "))),
        });
    }
    match body.get("Type") {
        None => found.push(
            Diagnostic::error(RULE.id, format!("the parameter `{name}` has no `Type`"))
                .at(section.key_span(name))
                .help("Most are `Type: String`."),
        ),
        Some(node) => {
            if node.as_str().and_then(Type::parse).is_none() {
                let shown = node.as_str().map_or_else(|| node.kind().to_owned(), |text| format!("`{text}`"));
                let problem = Diagnostic::error(RULE.id, format!("{shown} is not a type of parameter")).at(node.span);
                let types = ["String", "Number", "CommaDelimitedList", "List<Number>"];
                found.push(match node.as_str().and_then(|text| closest(text, types)) {
                    Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
                    None => problem
                        .help("String, Number, CommaDelimitedList, List<…>, AWS::… or AWS::SSM::Parameter::Value<…>."),
                });
            }
        }
    }
}
