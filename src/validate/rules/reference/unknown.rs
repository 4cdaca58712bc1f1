//! References to nothing.

use super::names;
use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::intrinsics::{self, Kind, Reference};
use crate::validate::{Rule, Subject, shape};

pub(super) const RULE: Rule = Rule {
    id: "reference/unknown",
    why: "CloudFormation refuses a template that mentions a resource or parameter that is not in it.",
    wrong: "Resources:\n  Topic: {Type: AWS::SNS::Topic}\nOutputs:\n  Arn: {Value: !Ref Topc}\n",
    right: "Resources:\n  Topic: {Type: AWS::SNS::Topic}\nOutputs:\n  Arn: {Value: !Ref Topic}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    if subject.has_unknown_names() {
        return;
    }
    for part in shape::evaluated(subject) {
        for reference in intrinsics::references(part) {
            look(subject, reference, found);
        }
    }
    for resource in &subject.resources {
        for reference in resource.body.get("DependsOn").map(intrinsics::depends_on_names).unwrap_or_default() {
            look(subject, reference, found);
        }
    }
    // Conditions are evaluated before there are resources.
    for (_, condition) in subject.template.section("Conditions").into_iter().flat_map(crate::template::Map::iter) {
        for reference in intrinsics::references(condition) {
            let name = reference.name;
            let is_resource = subject.resources.iter().any(|resource| resource.id == name);
            if is_resource && matches!(reference.kind, Kind::Ref | Kind::Sub) || reference.kind == Kind::GetAtt {
                found.push(
                    Diagnostic::error(RULE.id, format!("a condition cannot look at the resource `{name}`"))
                        .at(reference.place(&subject.template.source))
                        .help("Conditions are evaluated before there are resources; they see parameters and mappings."),
                );
            } else {
                look(subject, reference, found);
            }
        }
    }
}

fn look(subject: &Subject<'_>, reference: Reference<'_>, found: &mut Vec<Diagnostic>) {
    let name = reference.name;
    let owner = name.split('.').next().unwrap_or_default();
    let is_resource = |name: &str| subject.template.section("Resources").is_some_and(|map| map.contains_key(name));
    let is_known = match reference.kind {
        Kind::Condition => return,
        Kind::Ref if name == owner => names::PSEUDO.contains(&name) || names::is_declared(subject, name),
        // `!Ref Function.Version` is SAM's.
        Kind::Ref => subject.is_serverless() && is_resource(owner),
        Kind::Sub if reference.attribute.is_none() => {
            names::PSEUDO.contains(&name) || names::is_declared(subject, name)
        }
        Kind::DependsOn => is_resource(name),
        Kind::Sub | Kind::GetAtt => is_resource(if subject.is_serverless() { owner } else { name }),
    };
    if is_known || names::is_generated(subject, owner) {
        return;
    }
    // What is not a name at all is reported by the rule on `Fn::Sub`.
    if reference.kind == Kind::Sub && !super::sub::is_name(name) {
        return;
    }
    let needs_resource = matches!(reference.kind, Kind::GetAtt | Kind::DependsOn) || reference.attribute.is_some();
    let is_parameter = subject.template.section("Parameters").is_some_and(|map| map.contains_key(name));
    let message = match (needs_resource, is_parameter) {
        (true, true) => format!("`{name}` is a parameter, and a resource is needed here"),
        (true, false) => format!("there is no resource `{name}`"),
        (false, _) => format!("there is no resource or parameter `{name}`"),
    };
    let candidates: Vec<&str> = if needs_resource {
        subject.resources.iter().map(|resource| resource.id).collect()
    } else {
        names::declared(subject).chain(names::PSEUDO).collect()
    };
    let problem = Diagnostic::error(RULE.id, message).at(reference.place(&subject.template.source));
    found.push(match closest(name, candidates.iter().copied()) {
        Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
        None if is_parameter && reference.kind == Kind::Sub => {
            problem.help(format!("`${{{name}}}` gives the parameter's value."))
        }
        None if reference.kind == Kind::Sub => problem
            .help(format!("Write `${{!{name}}}` for the text `${{{name}}}`, or declare the parameter or resource.")),
        None if candidates.len() <= 6 && !candidates.is_empty() && needs_resource => {
            problem.help(format!("The resources are {}.", candidates.join(", ")))
        }
        None => problem.help("Declare it, or check the spelling."),
    });
}
