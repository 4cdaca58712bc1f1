//! `EphemeralStorage`: the size of /tmp.

use crate::diagnostic::Diagnostic;
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "lambda/storage",
    why: "Lambda refuses a /tmp below 512 MB and above 10,240 MB.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src, EphemeralStorage: {Size: 100}}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src, EphemeralStorage: {Size: 512}}\n",
    check,
};

/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const RANGE: (i64, i64) = (512, 10_240);

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for function in subject.functions() {
        let Some(storage) = subject.property(function, "EphemeralStorage") else { continue };
        match storage.get("Size") {
            Some(size) => super::in_range(subject, size, (RULE.id, "the ephemeral storage", "MB"), RANGE, found),
            None if storage.as_map().is_some() && storage.intrinsic().is_none() => found.push(
                Diagnostic::error(RULE.id, "`EphemeralStorage` has a `Size`")
                    .at(storage.span)
                    .help("Such as `EphemeralStorage: {Size: 1024}`."),
            ),
            None => {}
        }
    }
}
