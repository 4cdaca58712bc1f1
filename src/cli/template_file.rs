//! Which template is meant, and reading it: the same for every command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::context::Context;
use super::exit::Error;
use crate::diagnostic::Severity;
use crate::template::{Source, Template, read};

/// Where a template is looked for when none is named, in this order: what `sam build` left goes
/// before what it was made from, as `sam package` and `sam deploy` have it.
const NAMES: [&str; 4] = [".aws-sam/build/template.yaml", "template.yaml", "template.yml", "template.json"];

/// CloudFormation's own limit for a template is a megabyte; a file that is larger is not read into
/// memory.
const LIMIT_BYTES: u64 = 1 << 20;

/// The template's path as the user would write it: the one that was named, else the first that is
/// there.
///
/// # Errors
/// There is none.
pub fn find(cwd: &Path, named: Option<&str>) -> Result<PathBuf, Error> {
    if let Some(name) = named {
        return Ok(PathBuf::from(name));
    }
    NAMES.iter().map(PathBuf::from).find(|name| cwd.join(name).is_file()).ok_or_else(|| {
        Error::Usage(
            "there is no template.yaml, template.yml or template.json here; name one with --template-file, or begin \
             with `samara init`"
                .to_owned(),
        )
    })
}

/// The folder that the template's own paths count from.
pub fn folder(cwd: &Path, template: &Path) -> PathBuf {
    match template.parent() {
        Some(parent) => cwd.join(parent),
        None => cwd.to_owned(),
    }
}

/// Reads a template; its findings are shown here.
///
/// # Errors
/// The file cannot be read, is too large, or is no template.
pub fn read(context: &Context, cwd: &Path, path: &Path) -> Result<Template, Error> {
    read::read(source(context, cwd, path)?).map_err(|findings| context.failed("read", &findings))
}

/// Reads a template in which a key may be there twice: that is shown, and the last one counts, as it
/// does for `sam`.
///
/// # Errors
/// As [`read`].
pub fn read_leniently(context: &Context, cwd: &Path, path: &Path) -> Result<Template, Error> {
    lenient(context, source(context, cwd, path)?)
}

/// The same of a text that was read already.
///
/// # Errors
/// It is no template.
pub fn lenient(context: &Context, source: Arc<Source>) -> Result<Template, Error> {
    let (template, mut findings) =
        read::read_leniently(source).map_err(|findings| context.failed("read", &findings))?;
    for finding in findings.items.iter_mut().filter(|finding| finding.severity == Severity::Error) {
        finding.severity = Severity::Warning;
    }
    context.findings(&findings);
    Ok(template)
}

fn source(context: &Context, cwd: &Path, path: &Path) -> Result<Arc<Source>, Error> {
    let file = |source| Error::File { action: "read", path: path.to_owned(), source };
    let full = cwd.join(path);
    let meta = std::fs::metadata(&full).map_err(file)?;
    if !meta.is_file() {
        return Err(file(std::io::Error::other("it is not a file")));
    }
    if meta.len() > LIMIT_BYTES {
        return Err(file(std::io::Error::other("it is larger than 1 MB, CloudFormation's limit for a template")));
    }
    let bytes = std::fs::read(&full).map_err(file)?;
    let name = path.display().to_string();
    read::decode(&name, &bytes).map_err(|findings| context.failed("read", &findings))
}
