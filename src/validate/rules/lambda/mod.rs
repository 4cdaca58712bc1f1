//! What Lambda takes: runtimes and the sizes of functions.

mod code;
mod memory;
mod runtime;
mod runtimes;
mod storage;
mod timeout;

use crate::diagnostic::Diagnostic;
use crate::template::Node;
use crate::validate::{Rule, Subject};

/// The rules of this family.
pub(super) const RULES: &[Rule] =
    &[runtime::RULE, runtime::DEPRECATED, code::RULE, memory::RULE, timeout::RULE, storage::RULE];

/// Complains about a number outside of a range; of values that can only be known later, nothing.
fn in_range(
    subject: &Subject<'_>,
    node: &Node,
    (rule, what, unit): (&'static str, &str, &str),
    (least, most): (i64, i64),
    found: &mut Vec<Diagnostic>,
) {
    for literal in subject.literals(node) {
        let number = literal.as_i64().or_else(|| literal.as_str()?.trim().parse().ok());
        let problem = match number {
            Some(number) if (least..=most).contains(&number) => continue,
            Some(number) => {
                Diagnostic::error(rule, format!("{what} is {least} to {most} {unit}, and this is {number}"))
            }
            None if literal.is_null() => continue,
            // SAM merges what it can; a reference to the parameter store is known only to AWS.
            None if literal.as_str().is_some_and(|text| text.contains("{{resolve:")) => continue,
            None => {
                Diagnostic::error(rule, format!("{what} is a whole number of {unit}, and this is {}", shown(literal)))
            }
        };
        found.push(problem.at(literal.span).help(format!("Lambda takes {least} to {most}.")));
    }
}

fn shown(node: &Node) -> String {
    node.as_str().map_or_else(|| node.kind().to_owned(), |text| format!("`{text}`"))
}
