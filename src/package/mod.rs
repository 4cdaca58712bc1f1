//! What a template names on this machine is read, checked, named by its content and uploaded, if the
//! bucket lacks it; the template then names the uploaded objects. First everything local, then the
//! first call: [`prepare`] sends nothing, [`Prepared::upload`] reads only what it sends.

pub mod artifact;
pub mod bucket;
pub mod digest;
pub mod folder;
pub mod ignore;
pub mod problem;
pub mod property;
mod ready;
mod upload;
mod zip;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use artifact::Artifact;
pub use problem::Problem;
pub use upload::{Outcome, Packaged, Uploaded};

use crate::aws;
use crate::aws::s3::Encryption;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::hint::Hint;
use crate::template::{Node, Template};
use property::{Reference, Takes};

/// What the user decided about packaging.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What stands before every key (`--s3-prefix`).
    pub prefix: Option<String>,
    /// Patterns of what is packed although it looks like a secret or would be left out (`--include`).
    pub include: Vec<String>,
    /// Whether links that leave a code folder are followed (`--allow-external-links`).
    pub allow_external_links: bool,
    /// Files that are never packed, such as the output template in a code folder.
    pub exclude: Vec<PathBuf>,
    /// The folder that samara was started in; definitions may come from it as well as from the
    /// template's.
    pub project: Option<PathBuf>,
    /// Uploads what the bucket has already (`--force-upload`).
    pub force_upload: bool,
    /// How the objects are encrypted at rest (`--kms-key-id`).
    pub encryption: Encryption,
    /// User metadata of every object (`--metadata`).
    pub metadata: Vec<(String, String)>,
}

/// What happens while a template is packaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A folder or file is being read for its name.
    Reading {
        /// It.
        path: PathBuf,
    },
    /// It has been read.
    Read {
        /// It.
        path: PathBuf,
        /// How many files it has.
        files: usize,
        /// Their length.
        size_bytes: u64,
        /// What was left out without a rule.
        left_out: Vec<String>,
    },
    /// The bucket has it already.
    Present {
        /// The key.
        key: String,
    },
    /// It is being zipped.
    Zipping {
        /// The folder.
        path: PathBuf,
    },
    /// It is being uploaded.
    Uploading {
        /// The key.
        key: String,
        /// The object's length.
        size_bytes: u64,
    },
    /// It has been uploaded.
    Uploaded {
        /// The key.
        key: String,
        /// The object's length.
        size_bytes: u64,
    },
    /// The managed bucket's stack is being made.
    CreatingBucket {
        /// The stack.
        stack: String,
    },
    /// The managed bucket is there.
    Bucket {
        /// Its name.
        name: String,
    },
}

/// Where events go. Called from several threads.
pub type Sink<'a> = &'a (dyn Fn(Event) + Send + Sync);

/// Why a template cannot be packaged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the template names cannot be packed; every finding at once.
    #[error("the template's code cannot be packaged")]
    Findings(Diagnostics),
    /// An option that is none.
    #[error("{0}")]
    Option(String),
    /// Something changed between reading and zipping.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// A call to AWS failed.
    #[error(transparent)]
    Aws(#[from] aws::Error),
    /// The object under an artifact's name is not that artifact.
    #[error("s3://{bucket}/{key} is not what was uploaded there: {reason}")]
    Replaced {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// What gives it away.
        reason: String,
    },
    /// The managed bucket cannot be used.
    #[error(transparent)]
    Bucket(#[from] bucket::Error),
    /// A worker was lost.
    #[error("packaging broke off: {0}")]
    Worker(String),
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Problem(problem) => problem.help().into_iter().collect(),
            Self::Aws(error) => error.hints(),
            Self::Bucket(error) => error.hints(),
            Self::Replaced { .. } => {
                vec!["Find out who writes to the bucket; --force-upload then puts the right object there.".to_owned()]
            }
            Self::Findings(_) | Self::Option(_) | Self::Worker(_) => Vec::new(),
        }
    }
}

/// A template whose code has been read, checked and named. Nothing has been sent.
#[derive(Clone, Debug)]
pub struct Prepared {
    template: Node,
    references: Vec<(Reference, usize)>,
    artifacts: Vec<Artifact>,
}

/// Reads everything that the template names, side by side, each folder once. `base_dir` is the
/// template's folder, from which its paths count. Blocks; sends nothing.
///
/// # Errors
/// [`Error::Findings`] with every problem and its place; [`Error::Option`].
pub fn prepare(template: &Template, base_dir: &Path, options: &Options, sink: Sink<'_>) -> Result<Prepared, Error> {
    let choice = ignore::Choice::new(&options.include, options.exclude.clone()).map_err(Error::Option)?;
    let reader = artifact::Reader { options, choice: &choice, base: base_dir };
    let mut findings: Vec<Diagnostic> = Vec::new();
    let mut sources: Vec<Source> = Vec::new();
    let mut known: HashMap<(PathBuf, Takes), usize> = HashMap::new();
    let mut references = Vec::new();
    for reference in property::references(template) {
        match locate(&reference, base_dir) {
            Ok(source) => {
                let index = *known.entry((source.path.clone(), source.takes)).or_insert_with(|| {
                    sources.push(source);
                    sources.len() - 1
                });
                references.push((reference, index));
            }
            Err(problem) => findings.push(finding(&problem, &reference, base_dir)),
        }
    }
    let read: Vec<Result<Artifact, Problem>> = sources
        .par_iter()
        .map(|source| {
            sink(Event::Reading { path: source.shown.clone() });
            let artifact = reader.read(&source.path, &source.shown, source.takes)?;
            sink(Event::Read {
                path: source.shown.clone(),
                files: artifact.files,
                size_bytes: artifact.size_bytes,
                left_out: artifact.left_out.clone(),
            });
            Ok(artifact)
        })
        .collect();
    let mut artifacts: Vec<Artifact> = Vec::new();
    // Two folders with the same content are one artifact.
    let mut place = HashMap::new();
    for (index, result) in read.into_iter().enumerate() {
        match result {
            Ok(artifact) => {
                let same = artifacts.iter().position(|other| other.key == artifact.key);
                place.insert(index, same.unwrap_or(artifacts.len()));
                if same.is_none() {
                    artifacts.push(artifact);
                }
            }
            Err(problem) => {
                if let Some((reference, _)) = references.iter().find(|(_, source)| *source == index) {
                    findings.push(finding(&problem, reference, base_dir));
                }
            }
        }
    }
    if !findings.is_empty() {
        let mut findings = Diagnostics::new(template.source.clone(), findings);
        findings.sort();
        return Err(Error::Findings(findings));
    }
    let references: Vec<(Reference, usize)> =
        references.into_iter().filter_map(|(reference, source)| Some((reference, *place.get(&source)?))).collect();
    for (reference, artifact) in &references {
        artifacts[*artifact].used_by.push((reference.logical_id.clone(), reference.property.clone()));
    }
    let mut root = template.root.clone();
    property::name_resources(&mut root);
    Ok(Prepared { template: root, references, artifacts })
}

/// A folder or file that the template names.
struct Source {
    /// Canonical, so that the same folder is read once.
    path: PathBuf,
    shown: PathBuf,
    takes: Takes,
}

fn locate(reference: &Reference, base_dir: &Path) -> Result<Source, Problem> {
    let shown = PathBuf::from(&reference.local);
    if reference.takes == Takes::Template {
        return Err(Problem::Unsupported { what: "the nested template", path: reference.local.clone() });
    }
    if reference.takes == Takes::Image {
        return Err(Problem::Unsupported { what: "the container image", path: reference.local.clone() });
    }
    match base_dir.join(&shown).canonicalize() {
        Ok(path) => Ok(Source { path, shown, takes: reference.takes }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Problem::Missing { path: shown }),
        Err(error) => Err(Problem::Unreadable { path: shown, reason: error.to_string() }),
    }
}

/// A problem at the place where the template names the folder.
fn finding(problem: &Problem, reference: &Reference, base_dir: &Path) -> Diagnostic {
    let owner = match reference.logical_id.as_str() {
        "" => reference.resource.to_owned(),
        id => format!("{id} ({})", reference.resource),
    };
    let mut diagnostic =
        Diagnostic::error(problem.rule(), format!("{owner}: {}: {problem}", reference.property)).at(reference.span);
    let help = match problem {
        Problem::Missing { .. } if reference.compiled => Some(build_help(base_dir)),
        problem => problem.help(),
    };
    if let Some(help) = help {
        diagnostic = diagnostic.help(help);
    }
    diagnostic
}

/// How a missing build is made: the README's own line, when there is one.
fn build_help(base_dir: &Path) -> String {
    const README_LIMIT_BYTES: u64 = 1 << 20;
    let readme = base_dir.join("README.md");
    let text = std::fs::metadata(&readme)
        .ok()
        .filter(|meta| meta.is_file() && meta.len() <= README_LIMIT_BYTES)
        .and_then(|_| std::fs::read_to_string(&readme).ok())
        .unwrap_or_default();
    let build = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())).find(|(_, line)| {
        ["cargo build", "cargo lambda build", "go build", "make ", "mvn ", "gradle", "dotnet "]
            .iter()
            .any(|command| line.starts_with(command))
    });
    match build {
        Some((number, line)) => format!("It is made by a build; README.md, line {number}: {line}"),
        None => "It is made by a build: run that first. Paths are relative to the template's folder.".to_owned(),
    }
}

impl Prepared {
    /// What would be uploaded, each once.
    pub fn artifacts(&self) -> &[Artifact] {
        &self.artifacts
    }

    /// Whether there is anything that needs a bucket.
    pub fn needs_bucket(&self) -> bool {
        !self.artifacts.is_empty()
    }

    /// The template with the keys that it would have, and what would be uploaded. Calls nothing.
    pub fn dry_run(self, bucket: &str) -> Packaged {
        let uploads = self.artifacts.iter().map(|artifact| Uploaded::not_yet(artifact, bucket)).collect();
        self.finish(bucket, uploads)
    }

    /// Puts the objects' names into the template; `uploads` in the order of the artifacts.
    fn finish(mut self, bucket: &str, uploads: Vec<Uploaded>) -> Packaged {
        for (reference, artifact) in &self.references {
            let upload = &uploads[*artifact];
            let value = property::location(reference.gives, bucket, &upload.key, upload.version_id.as_deref());
            property::set(&mut self.template, &reference.path, value);
        }
        Packaged { template: self.template, uploads }
    }
}
