//! The events of functions and state machines.

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::{Map, Node};
use crate::transform::event;
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "serverless/event",
    why: "SAM's transform refuses events of a type that it does not know, and properties that the type does not have.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src, Events: {Daily: {Type: Schedul, Properties: {Schedule: rate(1 day)}}}}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src, Events: {Daily: {Type: Schedule, Properties: {Schedule: rate(1 day)}}}}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for owner in &subject.resources {
        let table = match owner.short_kind() {
            Some("Function") => event::KINDS,
            Some("StateMachine") => event::state_machine::KINDS,
            _ => continue,
        };
        let Some(events) = owner.properties().and_then(|properties| properties.get("Events")?.as_map()) else {
            continue;
        };
        if !super::is_written_out(events) {
            continue;
        }
        for (name, node) in events.iter() {
            look(name, node, events, table, found);
        }
    }
}

/// SAM puts in the API that it makes by itself where an event names none.
const IMPLICIT: [&str; 2] = ["RestApiId", "ApiId"];

fn look(name: &str, node: &Node, events: &Map, table: &'static [event::Spec], found: &mut Vec<Diagnostic>) {
    let Some(body) = node.as_map() else {
        found.push(
            Diagnostic::error(
                RULE.id,
                format!("the event `{name}` is a map with a `Type`, and this is {}", node.kind()),
            )
            .at(node.span.filter(|span| span.start < span.end).or(events.key_span(name))),
        );
        return;
    };
    if !super::is_written_out(body) {
        return;
    }
    let kind = body.get("Type");
    let spec = kind.and_then(Node::as_str).and_then(|kind| table.iter().find(|spec| spec.kind == kind));
    let Some(spec) = spec else {
        let kinds = table.iter().map(|spec| spec.kind);
        let (message, text) = match kind.and_then(Node::as_str) {
            Some(text) => (format!("there is no type of event `{text}`"), text),
            None => (format!("the event `{name}` has no `Type`"), ""),
        };
        let problem = Diagnostic::error(RULE.id, message).at(kind.and_then(|kind| kind.span).or(events.key_span(name)));
        found.push(match closest(text, kinds.clone()) {
            Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
            None => problem.help(format!("There are {}.", kinds.collect::<Vec<_>>().join(", "))),
        });
        return;
    };
    let owner = format!("an event of type {}", spec.kind);
    match body.get("Properties").filter(|node| !node.is_null()) {
        None => super::missing(
            RULE.id,
            |name| IMPLICIT.contains(&name),
            spec.properties,
            (&owner, events.key_span(name)),
            found,
        ),
        Some(properties) => match properties.as_map() {
            None => found.push(
                Diagnostic::error(
                    RULE.id,
                    format!("`Properties` of an event are a map, and this is {}", properties.kind()),
                )
                .at(properties.span),
            ),
            Some(properties) if super::is_written_out(properties) => {
                super::unknown(RULE.id, properties, spec.properties, &owner, found);
                let has =
                    |name: &str| IMPLICIT.contains(&name) || properties.get(name).is_some_and(|node| !node.is_null());
                super::missing(RULE.id, has, spec.properties, (&owner, events.key_span(name)), found);
                for property in spec.properties {
                    if let Some(node) = properties.get(property.name) {
                        super::misfit(RULE.id, property, node, found);
                    }
                }
            }
            Some(_) => {}
        },
    }
}
