//! What of a folder is packed: `.samignore` in `.gitignore`'s syntax, what is never packed unasked,
//! and what looks like a secret. Nothing outside the project has a say: no global ignore file, no
//! `.gitignore`, so that a package is the same on every machine.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::problem::Problem;

/// The name of the file with the rules.
pub const FILE_NAME: &str = ".samignore";

/// A `.samignore` larger than this is not one.
const FILE_LIMIT_BYTES: u64 = 1 << 20;

/// Left out of every package, at any depth: what holds credentials or history, and what this program
/// and SAM CLI keep for themselves.
const LEFT_OUT: &[&str] = &[".git", ".aws", ".ssh", ".samara", ".aws-sam"];

/// What a path is to the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Packed.
    Pack,
    /// Left out by a rule.
    Ignored,
    /// Left out without a rule.
    LeftOut,
    /// It looks like a secret and nobody has decided.
    Secret,
}

/// What the user decided for the whole run.
#[derive(Debug, Default)]
pub(super) struct Choice {
    include: Option<Gitignore>,
    excluded: HashSet<PathBuf>,
}

impl Choice {
    /// `include`: patterns of what is packed although it looks like a secret or would be left out.
    /// `excluded`: files that are never packed, such as the output template.
    ///
    /// # Errors
    /// A pattern that is none.
    pub(super) fn new(include: &[String], excluded: impl IntoIterator<Item = PathBuf>) -> Result<Self, String> {
        let mut builder = GitignoreBuilder::new("/");
        for pattern in include {
            builder.add_line(None, pattern).map_err(|error| format!("--include {pattern:?}: {error}"))?;
        }
        let include = builder.build().map_err(|error| format!("--include: {error}"))?;
        Ok(Self {
            include: (!include.is_empty()).then_some(include),
            // Compared with canonical paths; the file itself may not exist yet.
            excluded: excluded
                .into_iter()
                .filter_map(|path| Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?)))
                .collect(),
        })
    }
}

/// The rules that hold in a folder: its own `.samignore` and those above it.
#[derive(Debug, Default)]
pub(super) struct Rules {
    own: Option<Gitignore>,
    above: Option<Arc<Self>>,
}

impl Rules {
    /// The rules of the project's folders from `project` down to, not including, `folder`.
    ///
    /// # Errors
    /// A `.samignore` that cannot be read or understood.
    pub(super) fn above(project: &Path, folder: &Path) -> Result<Arc<Self>, Problem> {
        let mut rules = Arc::new(Self::default());
        let Ok(below) = folder.strip_prefix(project) else { return Ok(rules) };
        let mut current = project.to_owned();
        for part in below.components() {
            rules = rules.enter(&current, &current)?;
            current.push(part);
        }
        Ok(rules)
    }

    /// The rules inside `logical`, whose `.samignore` is read from `actual` (another folder only
    /// where an external link is followed).
    ///
    /// # Errors
    /// A `.samignore` that cannot be read or understood.
    pub(super) fn enter(self: &Arc<Self>, logical: &Path, actual: &Path) -> Result<Arc<Self>, Problem> {
        let path = actual.join(FILE_NAME);
        let problem = |reason: String| Problem::Ignore { path: path.clone(), reason };
        // A fifo of that name must not be opened.
        match std::fs::metadata(&path) {
            Ok(meta) if meta.is_file() && meta.len() <= FILE_LIMIT_BYTES => {}
            Ok(meta) if meta.is_file() => return Err(problem("is larger than 1 MiB".to_owned())),
            Ok(_) => return Err(problem("is not a file".to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Arc::clone(self)),
            Err(error) => return Err(problem(error.to_string())),
        }
        let text = std::fs::read(&path).map_err(|error| problem(error.to_string()))?;
        let text = String::from_utf8(text).map_err(|_| problem("is not UTF-8".to_owned()))?;
        let mut builder = GitignoreBuilder::new(logical);
        for (index, line) in text.lines().enumerate() {
            builder.add_line(None, line).map_err(|error| problem(format!("line {}: {error}", index + 1)))?;
        }
        let own = builder.build().map_err(|error| problem(error.to_string()))?;
        Ok(Arc::new(Self { own: (!own.is_empty()).then_some(own), above: Some(Arc::clone(self)) }))
    }

    /// `Some(true)` ignored, `Some(false)` expressly not ignored, `None` not mentioned. The nearest
    /// file that mentions the path decides, in it the last line, as in git.
    fn ignores(&self, logical: &Path, is_dir: bool) -> Option<bool> {
        let mut rules = Some(self);
        while let Some(current) = rules {
            match current.own.as_ref().map_or(Match::None, |own| own.matched(logical, is_dir)) {
                Match::Ignore(_) => return Some(true),
                Match::Whitelist(_) => return Some(false),
                Match::None => rules = current.above.as_deref(),
            }
        }
        None
    }

    /// What the path is to the package. `actual` is read only to tell a certificate from a key.
    pub(super) fn judge(&self, choice: &Choice, logical: &Path, actual: &Path, is_dir: bool) -> Verdict {
        let Some(name) = logical.file_name().and_then(|name| name.to_str()) else { return Verdict::Pack };
        // The rules and the output are no part of the code; that goes without saying.
        if choice.excluded.contains(actual) || (name == FILE_NAME && !is_dir) {
            return Verdict::Ignored;
        }
        match self.ignores(logical, is_dir) {
            Some(true) => return Verdict::Ignored,
            Some(false) => return Verdict::Pack,
            None => {}
        }
        if choice.include.as_ref().is_some_and(|include| include.matched(logical, is_dir).is_ignore()) {
            return Verdict::Pack;
        }
        if LEFT_OUT.contains(&name) {
            return Verdict::LeftOut;
        }
        if is_secret(name) && !(name.ends_with(".pem") && !is_dir && holds_only_certificates(actual)) {
            return Verdict::Secret;
        }
        Verdict::Pack
    }
}

/// The names under which credentials usually lie. `id_*` only without an extension: `id_rsa` is a
/// key, `id_map.py` is code.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with(".env")
        || name.ends_with(".pem")
        || (name.starts_with("id_") && !name.contains('.'))
        || matches!(name.as_str(), ".npmrc" | ".netrc" | ".pypirc")
}

/// Whether a PEM file is a bundle of certificates, which are public: nearly every HTTP client for
/// Python carries one.
fn holds_only_certificates(path: &Path) -> bool {
    const MOST_BYTES: u64 = 4 << 20;
    let is_small_file = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() <= MOST_BYTES);
    let Some(text) = is_small_file.then(|| std::fs::read(path).ok()).flatten() else { return false };
    let text = String::from_utf8_lossy(&text);
    let mut kinds = text.lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN ")).peekable();
    kinds.peek().is_some() && kinds.all(|kind| matches!(kind, "CERTIFICATE-----" | "TRUSTED CERTIFICATE-----"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_environments_are_secrets_and_code_is_not() {
        for name in
            [".env", ".env.production", ".ENV", "server.pem", "id_rsa", "id_ed25519", ".npmrc", ".netrc", ".pypirc"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["env", "id_map.py", "identity", "app.py", "pem", "environment.json", "package.json"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn a_bundle_of_certificates_is_no_secret_and_a_key_among_them_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cacert.pem");
        let certificate = "# Issuer: x\n-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        std::fs::write(&path, certificate).unwrap();
        assert!(holds_only_certificates(&path));
        std::fs::write(&path, format!("{certificate}-----BEGIN RSA PRIVATE KEY-----\n")).unwrap();
        assert!(!holds_only_certificates(&path));
        std::fs::write(&path, "secret").unwrap();
        assert!(!holds_only_certificates(&path));
    }
}
