//! What is uploaded: a folder that becomes a zip, or a file as it is; read and named before anything
//! is sent.

use std::path::{Path, PathBuf};

use super::digest::{self, Hashed};
use super::folder::{LAMBDA_LIMIT_BYTES, Walk};
use super::ignore::Choice;
use super::problem::Problem;
use super::property::Takes;
use super::{Options, ready};
use crate::aws::s3::Sha256;

/// Something on this machine that has been read, checked and named.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The folder or file, as messages show it.
    pub path: PathBuf,
    /// The resources and properties that name it.
    pub used_by: Vec<(String, String)>,
    /// Its key in the bucket, prefix included.
    pub key: String,
    /// What is read: the sum of the files' lengths.
    pub size_bytes: u64,
    /// How many files and links there are.
    pub files: usize,
    /// What was left out without a rule.
    pub left_out: Vec<String>,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Is zipped when the bucket lacks it.
    Folder(Hashed),
    /// Is uploaded as it is.
    File { path: PathBuf, sha256: Sha256, whole: bool },
}

/// How things are read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) options: &'a Options,
    pub(super) choice: &'a Choice,
    /// The template's folder.
    pub(super) base: &'a Path,
}

impl Reader<'_> {
    /// Reads what stands at `path` (canonical; `shown` in messages).
    ///
    /// # Errors
    /// Everything that [`Problem`] knows.
    pub(super) fn read(&self, path: &Path, shown: &Path, takes: Takes) -> Result<Artifact, Problem> {
        let meta = std::fs::metadata(path).map_err(|error| Problem::io(path, &error))?;
        let limit_bytes = (takes == Takes::Code).then_some(LAMBDA_LIMIT_BYTES);
        let walk = Walk {
            choice: self.choice,
            project: self.base,
            allow_external_links: self.options.allow_external_links,
            limit_bytes,
        };
        let zips = |listing| Ok(self.folder(shown, digest::hash(listing)?));
        match takes {
            Takes::Code | Takes::Archive if meta.is_dir() => {
                zips(walk.list(path).map_err(|problem| renamed(problem, path, shown))?)
            }
            Takes::Code if meta.is_file() && ready::is_zip(path)? => {
                ready::check(path, LAMBDA_LIMIT_BYTES)?;
                self.file(path, shown, &meta, true)
            }
            Takes::Code => zips(walk.list_file(path)?),
            Takes::Archive | Takes::File if meta.is_file() => self.file(path, shown, &meta, false),
            Takes::Definition if meta.is_file() => {
                self.stays_inside(path, shown)?;
                self.file(path, shown, &meta, false)
            }
            _ if meta.is_dir() => Err(Problem::FolderForFile { path: shown.to_owned() }),
            _ => Err(Problem::Special { path: shown.to_owned(), kind: "a special file" }),
        }
    }

    fn folder(&self, shown: &Path, hashed: Hashed) -> Artifact {
        Artifact {
            path: shown.to_owned(),
            used_by: Vec::new(),
            key: self.key(&format!("{}.zip", hashed.digest.hex())),
            size_bytes: hashed.listing.size_bytes,
            files: hashed.listing.entries.len(),
            left_out: hashed.listing.left_out.clone(),
            content: Content::Folder(hashed),
        }
    }

    fn file(&self, path: &Path, shown: &Path, meta: &std::fs::Metadata, whole: bool) -> Result<Artifact, Problem> {
        let sha256 = digest::hash_file(path, meta.len())?;
        // The extension is what people look at in the bucket; the content decides the name.
        let extension = shown
            .extension()
            .and_then(|extension| extension.to_str())
            .filter(|extension| extension.len() <= 10 && extension.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let name = match extension {
            Some(extension) => format!("{}.{extension}", sha256.hex()),
            None => sha256.hex(),
        };
        Ok(Artifact {
            path: shown.to_owned(),
            used_by: Vec::new(),
            key: self.key(&name),
            size_bytes: meta.len(),
            files: 1,
            left_out: Vec::new(),
            content: Content::File { path: path.to_owned(), sha256, whole },
        })
    }

    fn key(&self, name: &str) -> String {
        match self.options.prefix.as_deref().map(|prefix| prefix.trim_matches('/')) {
            Some(prefix) if !prefix.is_empty() => format!("{prefix}/{name}"),
            _ => name.to_owned(),
        }
    }

    /// A definition becomes part of what CloudFormation does, so it may come only from the template's
    /// folder or the one that samara was started in.
    fn stays_inside(&self, path: &Path, shown: &Path) -> Result<(), Problem> {
        let inside = [Some(self.base), self.options.project.as_deref()]
            .into_iter()
            .flatten()
            .filter_map(|folder| folder.canonicalize().ok())
            .any(|folder| path.starts_with(folder));
        if inside { Ok(()) } else { Err(Problem::OutsideProject { path: shown.to_owned() }) }
    }
}

/// Messages name the folder as the user did.
fn renamed(problem: Problem, path: &Path, shown: &Path) -> Problem {
    let rename = |found: PathBuf| match found.strip_prefix(path) {
        Ok(rest) if rest.as_os_str().is_empty() => shown.to_owned(),
        Ok(rest) => shown.join(rest),
        Err(_) => found,
    };
    match problem {
        Problem::Missing { path } => Problem::Missing { path: rename(path) },
        Problem::Empty { path } => Problem::Empty { path: rename(path) },
        Problem::Unreadable { path, reason } => Problem::Unreadable { path: rename(path), reason },
        Problem::Special { path, kind } => Problem::Special { path: rename(path), kind },
        Problem::Name { path } => Problem::Name { path: rename(path) },
        Problem::ExternalLinks { folder, links } => Problem::ExternalLinks { folder: rename(folder), links },
        Problem::Secrets { folder, files } => Problem::Secrets { folder: rename(folder), files },
        Problem::Ignore { path, reason } => Problem::Ignore { path: rename(path), reason },
        Problem::Changed { path } => Problem::Changed { path: rename(path) },
        Problem::TooLarge { path, limit_bytes } => Problem::TooLarge { path: rename(path), limit_bytes },
        Problem::TooMany { path, limit } => Problem::TooMany { path: rename(path), limit },
        other => other,
    }
}
