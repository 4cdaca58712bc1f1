//! `Timeout`.

use crate::diagnostic::Diagnostic;
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "lambda/timeout",
    why: "Lambda refuses timeouts above 15 minutes.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src, Timeout: 1000}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src, Timeout: 900}\n",
    check,
};

/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const RANGE: (i64, i64) = (1, 900);

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for function in subject.functions() {
        if let Some(node) = subject.property(function, "Timeout") {
            super::in_range(subject, node, (RULE.id, "the timeout", "seconds"), RANGE, found);
        }
    }
}
