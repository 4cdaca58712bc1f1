//! Types of SAM's that do not exist.

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::transform::resource;
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "serverless/type",
    why: "SAM's transform leaves a type alone that it does not know, and CloudFormation refuses it then.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  Table: {Type: AWS::Serverless::SimpelTable}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  Table: {Type: AWS::Serverless::SimpleTable}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for item in &subject.resources {
        let parts: Vec<&str> = item.kind.split("::").collect();
        let ["AWS", service, name] = parts.as_slice() else { continue };
        let is_sam = *service == "Serverless";
        // `AWS::Serverles::Function` is a slip; every other service is left to CloudFormation.
        if !is_sam && closest(service, ["Serverless"]).is_none() || resource::lookup(item.kind).is_some() {
            continue;
        }
        // Another of SAM's own words, which is no resource.
        let names = resource::TYPES.iter().filter_map(|spec| spec.kind.strip_prefix("AWS::Serverless::"));
        let meant = names.clone().find(|known| known == name).or_else(|| closest(name, names));
        let problem = Diagnostic::error(RULE.id, format!("there is no type `{}`", item.kind))
            .at(item.body.get("Type").and_then(|node| node.span));
        found.push(match meant {
            Some(meant) => problem.help(format!("Did you mean `AWS::Serverless::{meant}`?")),
            None => problem.help(format!(
                "SAM has {}.",
                resource::TYPES
                    .iter()
                    .map(|spec| spec.kind.trim_start_matches("AWS::Serverless::"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
        });
    }
}
