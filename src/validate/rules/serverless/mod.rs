//! SAM's types, by the tables of the transform.

mod event;
mod kind;
mod property;
mod transform;

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::span::Span;
use crate::template::{Map, Node};
use crate::transform::property::{Kind, Property};
use crate::validate::Rule;

/// The rules of this family.
pub(super) const RULES: &[Rule] =
    &[kind::RULE, property::UNKNOWN, property::REQUIRED, property::VALUE, event::RULE, transform::RULE];

/// Whether a map of properties is written out, so that its keys can be looked at: an included file or
/// a function may stand for the whole.
fn is_written_out(properties: &Map) -> bool {
    !properties.keys().any(|key| key.starts_with("Fn::"))
}

/// Properties that the table does not have.
fn unknown(rule: &'static str, properties: &Map, table: &[Property], owner: &str, found: &mut Vec<Diagnostic>) {
    for name in properties.keys().filter(|name| table.iter().all(|property| property.name != *name)) {
        let problem =
            Diagnostic::error(rule, format!("{owner} has no property `{name}`")).at(properties.key_span(name));
        found.push(match closest(name, table.iter().map(|property| property.name)) {
            Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
            None => problem.help("See https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-resources-and-properties.html"),
        });
    }
}

/// Required properties that are not there.
fn missing(
    rule: &'static str,
    has: impl Fn(&str) -> bool,
    table: &[Property],
    (owner, span): (&str, Option<Span>),
    found: &mut Vec<Diagnostic>,
) {
    for property in table.iter().filter(|property| property.required && !has(property.name)) {
        found.push(
            Diagnostic::error(rule, format!("{owner} needs the property `{}`", property.name))
                .at(span)
                .help(format!("Add `{}`.", property.name)),
        );
    }
}

/// A value of another kind than the property takes.
fn misfit(rule: &'static str, property: &Property, node: &Node, found: &mut Vec<Diagnostic>) {
    // Any map of one entry passes for a function in the published transform.
    let is_function = node.as_map().is_some_and(|map| map.len() == 1);
    // `OpenApiVersion: 3.0` is mended by the transform; people write it so.
    let is_version = property.name == "OpenApiVersion" && node.kind() == "a number";
    if node.is_null() || is_version || property.intrinsics && is_function || property.kind.accepts(node) {
        return;
    }
    let shown = node.as_str().map_or_else(|| node.kind().to_owned(), |text| format!("`{text}`"));
    let (expected, shown) = match property.kind {
        Kind::OneOf(words) => (format!("one of {}", words.join(", ")), shown),
        kind => (expected(kind).to_owned(), node.kind().to_owned()),
    };
    let problem =
        Diagnostic::error(rule, format!("`{}` is {expected}, and this is {shown}", property.name)).at(node.span);
    let nearest = match property.kind {
        Kind::OneOf(words) => node.as_str().and_then(|text| closest(text, words.iter().copied())),
        _ => None,
    };
    found.push(match nearest {
        Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
        None if !property.intrinsics && node.intrinsic().is_some() => {
            problem.help("SAM needs the value itself here, no function.")
        }
        None => problem.help("Check the indentation of this line and those below it."),
    });
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Any => "anything",
        Kind::Text | Kind::TextAlone => "text",
        Kind::OneOf(_) => "one of a few words",
        Kind::Bool => "true or false",
        Kind::Integer => "a whole number",
        Kind::Map | Kind::MapOfAny => "a map",
        Kind::List => "a list",
        Kind::TextOrMap => "text or a map",
        Kind::BoolOrMap => "true, false or a map",
        Kind::ListOrMap => "a list or a map",
        Kind::TextOrListOfText => "text or a list of texts",
        Kind::ListOfText => "a list of texts",
        Kind::ListOfTextOrMap => "a list of texts or maps",
        Kind::MapOfText => "a map of texts",
        Kind::MapOfMaps => "a map of maps",
        Kind::MapOfIntegerOrMap => "a map of whole numbers or maps",
        Kind::MapOrListOfMaps => "a map, or a list of maps",
        Kind::Policies | Kind::TextOrListOfTextOrMap => "text, a map, or a list of both",
    }
}
