//! `MemorySize`.

use crate::diagnostic::Diagnostic;
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "lambda/memory",
    why: "Lambda refuses memory below 128 MB and above 10,240 MB.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src, MemorySize: 64}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src, MemorySize: 128}\n",
    check,
};

/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const RANGE: (i64, i64) = (128, 10240);

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for function in subject.functions() {
        if let Some(node) = subject.property(function, "MemorySize") {
            super::in_range(subject, node, (RULE.id, "the memory", "MB"), RANGE, found);
        }
    }
}
