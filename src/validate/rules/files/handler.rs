//! `Handler`: the file that it names.

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::Node;
use crate::validate::listing::{Entry, Listing, join, split};
use crate::validate::subject::Resource;
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "files/handler",
    why: "Lambda loads the file that the handler names; without it every invocation fails.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.13, Handler: ap.handler, CodeUri: src}}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src}}\n",
    check,
};

/// A handler whose file can be known.
pub(super) struct Handler<'t> {
    node: &'t Node,
    /// Without its extension, relative to the code folder.
    module: String,
    extensions: &'static [&'static str],
    /// Python's packages: the module may be a folder with an `__init__.py`.
    is_python: bool,
}

impl Handler<'_> {
    /// The files that would do, relative to the code folder.
    pub(super) fn candidates(&self) -> Vec<String> {
        let mut files: Vec<String> =
            self.extensions.iter().map(|extension| format!("{}.{extension}", self.module)).collect();
        if self.is_python {
            files.push(format!("{}/__init__.py", self.module));
        }
        files
    }
}

/// The handler of a function in a language that is not compiled.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html>, and its siblings for Node.js
/// and Ruby.
pub(super) fn handler<'t>(subject: &Subject<'t>, resource: &Resource<'t>) -> Option<Handler<'t>> {
    // A build may turn TypeScript into JavaScript, or move things about.
    if !resource.is_function() || super::is_built(resource) {
        return None;
    }
    let node = subject.property(resource, "Handler")?;
    let text = node.as_str()?;
    let runtime = subject.property(resource, "Runtime")?.as_str()?;
    if text.contains("{{") || text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return None;
    }
    // The last part is the function, or in Ruby and Node.js everything behind the file's first dot.
    let (module, extensions, is_python): (String, &[&str], bool) = if runtime.starts_with("python") {
        let (module, _) = text.rsplit_once('.')?;
        (module.replace('.', "/"), &["py", "pyc", "so"], true)
    } else if runtime.starts_with("nodejs") {
        (before_first_dot(text)?, &["js", "mjs", "cjs"], false)
    } else if runtime.starts_with("ruby") {
        (before_first_dot(text)?, &["rb"], false)
    } else {
        return None;
    };
    (!module.is_empty()).then_some(Handler { node, module, extensions, is_python })
}

fn before_first_dot(text: &str) -> Option<String> {
    let (folder, file) = split(text);
    let (stem, _) = file.split_once('.')?;
    Some(join(&folder, stem))
}

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some(files) = subject.files else { return };
    for resource in &subject.resources {
        let Some(handler) = handler(subject, resource) else {
            form(subject, resource, found);
            continue;
        };
        let Some((_, folder)) = super::local_path(subject, resource) else { continue };
        // A missing folder is said already; a file there is a ready zip.
        if !matches!(files.get(&folder), Some(Entry::Folder(_))) {
            continue;
        }
        let candidates = handler.candidates();
        if candidates.iter().any(|file| exists(files, &join(&folder, file)) != Some(false)) {
            continue;
        }
        let names = names_in(files, &split(&join(&folder, &candidates[0])).0);
        // `handler.ts` beside a missing `handler.js` is compiled by a build that says nothing here.
        let module = split(&handler.module).1.to_owned();
        let is_typescript = names.contains(&format!("{module}.ts")) || names.contains(&format!("{module}.mts"));
        let text = handler.node.as_str().unwrap_or_default();
        let message =
            format!("the handler `{text}` needs the file `{}`, and it is not there", join(&folder, &candidates[0]));
        if is_typescript {
            found.push(
                Diagnostic::warning(RULE.id, message)
                    .at(handler.node.span)
                    .help("There is a TypeScript file of this name: compile it before you package."),
            );
            continue;
        }
        let stems: Vec<&str> = names
            .iter()
            .filter_map(|name| name.rsplit_once('.'))
            .filter(|(_, extension)| handler.extensions.contains(extension))
            .map(|(stem, _)| stem)
            .collect();
        let problem = Diagnostic::error(RULE.id, message).at(handler.node.span);
        found.push(match closest(&module, stems.iter().copied()) {
            Some(meant) => problem.help(format!("Did you mean `{}`?", text.replacen(&module, meant, 1))),
            None if stems.is_empty() => {
                problem.help(format!("There is no .{} file in that folder.", handler.extensions[0]))
            }
            None => problem.help(format!(
                "There are {}.",
                stems
                    .iter()
                    .take(8)
                    .map(|stem| format!("{stem}.{}", handler.extensions[0]))
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
        });
    }
}

/// A handler of Python, Node.js or Ruby without the name of a function.
fn form(subject: &Subject<'_>, resource: &Resource<'_>, found: &mut Vec<Diagnostic>) {
    if !resource.is_function() || super::is_built(resource) {
        return;
    }
    let text = |name: &str| subject.property(resource, name).filter(|node| node.as_str().is_some());
    let (Some(handler), Some(runtime)) = (text("Handler"), text("Runtime").and_then(Node::as_str)) else { return };
    let interpreted = ["python", "nodejs", "ruby"].iter().any(|prefix| runtime.starts_with(prefix));
    let written = handler.as_str().unwrap_or_default();
    if interpreted && !split(written).1.contains('.') && !written.contains("{{") {
        found.push(
            Diagnostic::error(RULE.id, format!("the handler `{written}` names no function"))
                .at(handler.span)
                .help("Write `file.function`, such as `app.handler`."),
        );
    }
}

/// `None` when nobody has looked.
fn exists(files: &Listing, path: &str) -> Option<bool> {
    let (folder, name) = split(path);
    match files.get(&folder)? {
        Entry::Folder(names) => Some(names.contains(name)),
        Entry::Missing | Entry::File => Some(false),
        Entry::Unreadable => None,
    }
}

fn names_in(files: &Listing, folder: &str) -> BTreeSet<String> {
    match files.get(folder) {
        Some(Entry::Folder(names)) => names.clone(),
        _ => BTreeSet::new(),
    }
}
