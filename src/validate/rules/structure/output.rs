//! Outputs.

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::Value;
use crate::validate::{Rule, Subject};

const KEYS: [&str; 4] = ["Value", "Description", "Export", "Condition"];

pub(super) const RULE: Rule = Rule {
    id: "structure/output",
    why: "CloudFormation refuses an output without a value.",
    wrong: "Resources:\n  Topic: {Type: AWS::SNS::Topic}\nOutputs:\n  Arn: {Description: The topic}\n",
    right: "Resources:\n  Topic: {Type: AWS::SNS::Topic}\nOutputs:\n  Arn: {Description: The topic, Value: !Ref Topic}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some(section) = subject.template.section("Outputs") else { return };
    for (name, node) in section.iter().filter(|(name, _)| !name.starts_with("Fn::")) {
        let Some(body) = node.as_map() else {
            found.push(
                Diagnostic::error(
                    RULE.id,
                    format!("the output `{name}` is a map with a `Value`, and this is {}", node.kind()),
                )
                .at(node.span.filter(|span| span.start < span.end).or(section.key_span(name))),
            );
            continue;
        };
        for key in body.keys().filter(|key| !KEYS.contains(key) && !key.starts_with("Fn::")) {
            let problem =
                Diagnostic::error(RULE.id, format!("`{key}` says nothing about an output")).at(body.key_span(key));
            found.push(match closest(key, KEYS) {
                Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
                None => problem.help("An output has Value, Description, Export, Condition."),
            });
        }
        match body.get("Value") {
            None => found.push(
                Diagnostic::error(RULE.id, format!("the output `{name}` has no `Value`"))
                    .at(section.key_span(name))
                    .help("Such as `Value: !GetAtt Function.Arn`."),
            ),
            Some(value) if matches!(value.value, Value::List(_) | Value::Null) => found.push(
                Diagnostic::error(RULE.id, format!("the value of an output is text, and this is {}", value.kind()))
                    .at(value.span.filter(|span| span.start < span.end).or(body.key_span("Value")))
                    .help("`!Join` makes one text of a list."),
            ),
            Some(_) => {}
        }
        if let Some(export) = body.get("Export")
            && export.get("Name").is_none()
            && export.intrinsic().is_none()
        {
            found.push(
                Diagnostic::error(RULE.id, "an `Export` has a `Name`")
                    .at(export.span.filter(|span| span.start < span.end).or(body.key_span("Export")))
                    .help("Such as `Export: {Name: !Sub '${AWS::StackName}-Arn'}`."),
            );
        }
    }
}
