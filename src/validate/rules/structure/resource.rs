//! A resource and its attributes.

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::Value;
use crate::validate::subject::Resource;
use crate::validate::{Rule, Subject};

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-product-attribute-reference.html>,
/// the first group; `Connectors` and `IgnoreGlobals` are SAM's.
const ATTRIBUTES: [&str; 11] = [
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "Metadata",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "UpdatePolicy",
    "CreationPolicy",
    "Connectors",
    "IgnoreGlobals",
];

/// Taken without complaint by CloudFormation, and without effect.
const IGNORED: [&str; 2] = ["Description", "Version"];

pub(super) const RULE: Rule = Rule {
    id: "structure/resource",
    why: "A resource is a map with a `Type` and a few known attributes; CloudFormation refuses anything else.",
    wrong: "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Propertys: {TopicName: news}\n",
    right: "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Properties: {TopicName: news}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some(section) = subject.template.section("Resources") else { return };
    for (id, node) in section.iter() {
        if node.as_map().is_none() && !id.starts_with("Fn::") {
            found.push(
                Diagnostic::error(RULE.id, format!("the resource `{id}` is a map, and this is {}", node.kind()))
                    .at(node.span.filter(|span| span.start < span.end).or(section.key_span(id)))
                    .help("Give it a `Type`, and check the indentation of the lines below it."),
            );
        }
    }
    for resource in subject.resources.iter().filter(|resource| !resource.id.starts_with("Fn::")) {
        attributes(resource, found);
        policies(resource, found);
        kind(resource, found);
    }
}

fn attributes(resource: &Resource<'_>, found: &mut Vec<Diagnostic>) {
    let body = resource.body;
    for (name, node) in body.iter() {
        if name.starts_with("Fn::") || IGNORED.contains(&name) {
            continue;
        }
        if !ATTRIBUTES.contains(&name) {
            let message = format!("`{name}` is no attribute of a resource");
            let problem = Diagnostic::error(RULE.id, message).at(body.key_span(name));
            found.push(match closest(name, ATTRIBUTES) {
                Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
                None => problem.help("Settings of the resource itself belong under `Properties`."),
            });
            continue;
        }
        let fits = match name {
            "Properties" | "Metadata" | "UpdatePolicy" | "CreationPolicy" | "Connectors" => node.as_map().is_some(),
            "Condition" => node.as_str().is_some(),
            "DependsOn" => match &node.value {
                Value::List(items) => items.iter().all(|item| item.as_str().is_some() || item.as_map().is_some()),
                value => matches!(value, Value::String(_)),
            },
            _ => true,
        };
        if !fits {
            let expected = match name {
                "Condition" => "the name of a condition",
                "DependsOn" => "a logical ID or a list of them",
                _ => "a map",
            };
            found.push(
                Diagnostic::error(
                    RULE.id,
                    format!("`{name}` of `{}` is {expected}, and this is {}", resource.id, node.kind()),
                )
                .at(node.span.filter(|span| span.start < span.end).or(body.key_span(name)))
                .help(if node.is_null() {
                    "Remove the line, or write what belongs below it."
                } else {
                    "Check the indentation."
                }),
            );
        }
    }
}

fn policies(resource: &Resource<'_>, found: &mut Vec<Diagnostic>) {
    for (name, allowed) in [
        ("DeletionPolicy", &["Delete", "Retain", "RetainExceptOnCreate", "Snapshot"][..]),
        ("UpdateReplacePolicy", &["Delete", "Retain", "Snapshot"]),
    ] {
        let Some(node) = resource.body.get(name) else { continue };
        // With AWS::LanguageExtensions a function may stand there.
        if node.as_map().is_some() {
            continue;
        }
        if !node.as_str().is_some_and(|text| allowed.contains(&text)) {
            let shown = node.as_str().map_or_else(|| node.kind().to_owned(), |text| format!("`{text}`"));
            let problem = Diagnostic::error(RULE.id, format!("`{name}` is one of {}, not {shown}", allowed.join(", ")))
                .at(node.span);
            found.push(match node.as_str().and_then(|text| closest(text, allowed.iter().copied())) {
                Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
                None => problem,
            });
        }
    }
}

fn kind(resource: &Resource<'_>, found: &mut Vec<Diagnostic>) {
    let span = resource.span;
    match resource.body.get("Type") {
        None => {
            // A body whose keys are all attributes of something else was probably indented wrongly.
            let problem = Diagnostic::error(RULE.id, format!("the resource `{}` has no `Type`", resource.id)).at(span);
            let slip = closest("Type", resource.body.keys().filter(|key| !ATTRIBUTES.contains(key)));
            found.push(match slip {
                Some(slip) => problem.help(format!("Is `{slip}` meant?")),
                None => problem.help("Such as `Type: AWS::Serverless::Function`."),
            });
        }
        Some(node) => match node.as_str() {
            None => found.push(
                Diagnostic::error(
                    RULE.id,
                    format!("the `Type` of `{}` is text, and this is {}", resource.id, node.kind()),
                )
                .at(node.span.or(span)),
            ),
            Some(kind) if !is_type_name(kind) => found.push(
                Diagnostic::error(RULE.id, format!("`{kind}` is not the name of a resource type"))
                    .at(node.span)
                    .help("Types are named as in `AWS::Lambda::Function` or `Custom::Name`."),
            ),
            Some(_) => {}
        },
    }
}

fn is_type_name(kind: &str) -> bool {
    let parts: Vec<&str> = kind.split("::").collect();
    let is_word =
        |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "@_-".contains(c));
    match parts.as_slice() {
        ["Custom", ..] => parts.len() >= 2 && parts[1..].iter().all(is_word),
        _ => (3..=4).contains(&parts.len()) && parts.iter().all(is_word),
    }
}
