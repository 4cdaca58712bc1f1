//! Folders and files that are not there.

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::validate::listing::{Entry, split};
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "files/missing",
    why: "What a template names on this machine is packed and uploaded; it has to be there.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: sources}}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: src}}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some(files) = subject.files else { return };
    for resource in &subject.resources {
        let Some((Some(node), path)) = super::local_path(subject, resource) else { continue };
        if files.get(&path) != Some(&Entry::Missing) {
            continue;
        }
        let message = format!("there is no file or folder `{path}`");
        // What a compiler or `sam build` makes is often not there yet.
        let is_built = super::is_built(resource) || is_compiled(subject, resource) || path.starts_with(".aws-sam");
        let problem =
            if is_built { Diagnostic::warning(RULE.id, message) } else { Diagnostic::error(RULE.id, message) };
        let (folder, name) = split(&path);
        let siblings = match files.get(&folder) {
            Some(Entry::Folder(names)) => closest(name, names.iter().map(String::as_str)),
            _ => None,
        };
        found.push(problem.at(node.span).help(match siblings {
            Some(sibling) => format!("Did you mean `{sibling}`?"),
            None if is_built => "Build it before you package.".to_owned(),
            None => "Paths count from the template's folder.".to_owned(),
        }));
    }
}

fn is_compiled(subject: &Subject<'_>, resource: &crate::validate::subject::Resource<'_>) -> bool {
    let runtime = subject.property(resource, "Runtime").and_then(|node| node.as_str()).unwrap_or_default();
    ["provided", "go", "java", "dotnet"].iter().any(|prefix| runtime.starts_with(prefix))
}
