//! `Runtime`: one that exists, and will go on to.

use time::Duration;

use super::runtimes::{self, RUNTIMES};
use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::Node;
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "lambda/runtime",
    why: "Lambda refuses a runtime that it does not have.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.31, Handler: app.handler, CodeUri: src}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src}\n",
    check,
};

pub(super) const DEPRECATED: Rule = Rule {
    id: "lambda/deprecated-runtime",
    why: "A deprecated runtime gets no security updates; later Lambda refuses new functions with it, then changes to old ones.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.8, Handler: app.handler, CodeUri: src}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src}\n",
    check: check_deprecated,
};

/// How long before its deprecation a runtime is mentioned: AWS writes to its customers 180 days ahead.
const NOTICE: Duration = Duration::days(180);

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    each(subject, |literal| {
        let problem = match literal.as_str() {
            Some(name) if runtimes::find(name).is_some() || name.contains("{{resolve:") => return,
            Some(name) => {
                let problem = Diagnostic::error(RULE.id, format!("there is no runtime `{name}`"));
                match closest(name, newest_first()) {
                    Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
                    None => problem.help("Such as python3.14, nodejs24.x, java25, dotnet10, ruby4.0; provided.al2023 for everything compiled."),
                }
            }
            None if literal.is_null() => return,
            None => Diagnostic::error(RULE.id, format!("a runtime is a name, and this is {}", literal.kind())),
        };
        found.push(problem.at(literal.span));
    });
}

/// Of two that are equally near, the newer is meant.
fn newest_first() -> impl Iterator<Item = &'static str> {
    let mut runtimes: Vec<_> = RUNTIMES.iter().collect();
    runtimes.sort_by_key(|runtime| std::cmp::Reverse(runtime.deprecated));
    runtimes.into_iter().map(|runtime| runtime.name)
}

fn check_deprecated(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let today = subject.today;
    each(subject, |literal| {
        let Some(runtime) = literal.as_str().and_then(runtimes::find) else { return };
        let name = runtime.name;
        let date = runtime.deprecated;
        let problem = if today >= date {
            Diagnostic::warning(DEPRECATED.id, format!("the runtime `{name}` is deprecated since {date}"))
        } else if today + NOTICE >= date {
            Diagnostic::info(DEPRECATED.id, format!("the runtime `{name}` will be deprecated on {date}"))
        } else {
            return;
        };
        let since = |day: time::Date| format!("{} {day}", if today >= day { "since" } else { "from" });
        let advice = runtimes::successor(runtime).map(|new| format!(" Move to {new}.")).unwrap_or_default();
        found.push(problem.at(literal.span).help(format!(
            "No function can be created with it {}, none updated {}.{advice}",
            since(runtime.create_blocked),
            since(runtime.update_blocked),
        )));
    });
}

/// Every value that a function's runtime can have, as far as it is known.
fn each<'t>(subject: &Subject<'t>, mut look: impl FnMut(&'t Node)) {
    for function in subject.functions() {
        if let Some(node) = subject.property(function, "Runtime") {
            subject.literals(node).into_iter().for_each(&mut look);
        }
    }
}
