//! SAM resources without SAM's transform.

use crate::diagnostic::Diagnostic;
use crate::template::Map;
use crate::validate::subject::SERVERLESS_TRANSFORM;
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "structure/transform",
    why: "Without the transform CloudFormation does not know the types `AWS::Serverless::*`, nor `Globals`.",
    wrong: "Resources:\n  Table: {Type: AWS::Serverless::SimpleTable}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  Table: {Type: AWS::Serverless::SimpleTable}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let root = subject.template.root.as_map();
    let Some(transform) = root.and_then(|root| root.get("Transform")) else {
        let first = subject.resources.iter().find(|resource| resource.kind.starts_with("AWS::Serverless::"));
        if let Some(resource) = first {
            found.push(missing(resource.kind, resource.body.get("Type").and_then(|kind| kind.span)));
        } else if let Some(root) = root
            && root.contains_key("Globals")
        {
            found.push(missing("Globals", Map::key_span(root, "Globals")));
        }
        return;
    };
    for name in &subject.transforms {
        if name.starts_with("AWS::Serverless") && *name != SERVERLESS_TRANSFORM {
            found.push(
                Diagnostic::error(RULE.id, format!("there is no transform `{name}`"))
                    .at(transform.span)
                    .help(format!("Did you mean `{SERVERLESS_TRANSFORM}`?")),
            );
        }
    }
}

fn missing(what: &str, span: Option<crate::template::Span>) -> Diagnostic {
    // samara's own transform runs all the same; CloudFormation's would not.
    Diagnostic::warning(RULE.id, format!("`{what}` needs SAM's transform, and the template does not name it"))
        .at(span)
        .help(format!("Add `Transform: {SERVERLESS_TRANSFORM}` at the top."))
}
