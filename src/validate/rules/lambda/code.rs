//! What a function that comes as a zip has to say.

use crate::diagnostic::Diagnostic;
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "lambda/code",
    why: "A function from a zip needs a runtime and a handler, one from an image has neither.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, CodeUri: src}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for function in subject.functions().filter(|function| function.short_kind().is_some()) {
        // What cannot be read as a map is reported by other rules.
        let body = function.body.get("Properties");
        if body.is_some_and(|node| node.as_map().is_none() || node.get("Fn::Transform").is_some()) {
            continue;
        }
        let has = |name: &str| subject.property(function, name).is_some_and(|node| !node.is_null());
        let package = subject.property(function, "PackageType");
        match package.map(|node| node.as_str()) {
            None | Some(Some("Zip")) => {}
            Some(Some("Image") | None) => continue,
            Some(Some(other)) => {
                found.push(
                    Diagnostic::error(RULE.id, format!("`PackageType` is Zip or Image, not `{other}`"))
                        .at(package.and_then(|node| node.span)),
                );
                continue;
            }
        }
        let missing: Vec<&str> = ["Runtime", "Handler"].into_iter().filter(|name| !has(name)).collect();
        if !missing.is_empty() {
            let help = if has("ImageUri") {
                "A function from an image says `PackageType: Image`."
            } else {
                "Such as `Runtime: python3.13` and `Handler: app.handler`."
            };
            found.push(
                Diagnostic::error(
                    RULE.id,
                    format!("the function `{}` has no {}", function.id, missing.join(" and no ")),
                )
                .at(function.span)
                .help(help),
            );
        }
        if has("ImageUri") && !has("CodeUri") && !has("InlineCode") && missing.is_empty() {
            found.push(
                Diagnostic::error(
                    RULE.id,
                    format!("`{}` has an `ImageUri` and is not of `PackageType: Image`", function.id),
                )
                .at(subject.property(function, "ImageUri").and_then(|node| node.span))
                .help("Add `PackageType: Image`, and remove `Runtime` and `Handler`."),
            );
        }
    }
}
