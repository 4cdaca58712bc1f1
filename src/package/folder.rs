//! Walks a code folder and says what is packed from it, in the order in which it is packed. Contents
//! are not read here.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::ignore::{Choice, Rules, Verdict};
use super::problem::Problem;

/// What Lambda unpacks at most, a function or a layer: 250 MB
/// (docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
pub const LAMBDA_LIMIT_BYTES: u64 = 250 << 20;

/// Beyond this it is not a code folder but a disk; the walk ends.
const MOST_ENTRIES: usize = 200_000;

/// How deep external links are followed through each other.
const MOST_FOLLOWED: usize = 16;

/// Something that is packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path in the package, with `/`.
    pub path: String,
    /// What it is.
    pub kind: Kind,
}

/// What is packed under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file's content.
    File {
        /// Where it is read.
        source: PathBuf,
        /// Whether anybody may execute it.
        executable: bool,
        /// Its length when it was listed.
        size_bytes: u64,
    },
    /// A link, as it is written.
    Link {
        /// What it points at, relative to its own place.
        target: String,
    },
}

/// What is packed from a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The folder, or the one file.
    pub root: PathBuf,
    /// Sorted by the bytes of the path.
    pub entries: Vec<Entry>,
    /// The sum of the files' lengths.
    pub size_bytes: u64,
    /// What was left out without a rule, relative to the folder.
    pub left_out: Vec<String>,
}

/// How a folder is walked.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    /// What the user decided for the run.
    pub(super) choice: &'a Choice,
    /// The template's folder; the `.samignore` files between it and the code folder count too.
    pub(super) project: &'a Path,
    /// Whether links that leave the folder are followed and their targets packed.
    pub(super) allow_external_links: bool,
    /// The most that may be packed.
    pub(super) limit_bytes: Option<u64>,
}

/// A folder that is still to be read.
struct Pending {
    /// Relative path in the package; empty for the root.
    path: String,
    /// Where it is.
    actual: PathBuf,
    /// The folder that links may not leave: the root, or the target of a followed link.
    bounds: Arc<Bounds>,
    rules: Arc<Rules>,
}

struct Bounds {
    /// Canonical.
    root: PathBuf,
    followed: usize,
}

struct State<'a> {
    walk: &'a Walk<'a>,
    root: PathBuf,
    listing: Listing,
    pending: Vec<Pending>,
    entries_seen: usize,
    secrets: Vec<String>,
    external: Vec<String>,
}

impl Walk<'_> {
    /// Lists a folder; `folder` is shown in messages as it is given.
    ///
    /// # Errors
    /// Everything that [`Problem`] knows of folders. Secrets and links that leave are listed to the
    /// end first.
    pub(super) fn list(&self, folder: &Path) -> Result<Listing, Problem> {
        let root = folder.canonicalize().map_err(|error| Problem::io(folder, &error))?;
        if root.parent().is_none() {
            return Err(Problem::Root);
        }
        let project = self.project.canonicalize().unwrap_or_else(|_| self.project.to_owned());
        let rules = Rules::above(&project, &root)?;
        let bounds = Arc::new(Bounds { root: root.clone(), followed: 0 });
        let mut state = State {
            walk: self,
            root: root.clone(),
            listing: Listing { root: folder.to_owned(), entries: Vec::new(), size_bytes: 0, left_out: Vec::new() },
            pending: vec![Pending { path: String::new(), actual: root, bounds, rules }],
            entries_seen: 0,
            secrets: Vec::new(),
            external: Vec::new(),
        };
        while let Some(folder) = state.pending.pop() {
            state.read(folder)?;
        }
        state.finish()
    }

    /// Lists one file under its own name.
    ///
    /// # Errors
    /// It is not readable, not a file, too large, or its name is not UTF-8.
    pub(super) fn list_file(&self, file: &Path) -> Result<Listing, Problem> {
        let meta = std::fs::metadata(file).map_err(|error| Problem::io(file, &error))?;
        if !meta.is_file() {
            return Err(Problem::Special { path: file.to_owned(), kind: special(&meta) });
        }
        let name = file.file_name().and_then(|name| name.to_str());
        let path = name.ok_or_else(|| Problem::Name { path: file.to_owned() })?.to_owned();
        if self.limit_bytes.is_some_and(|limit| meta.len() > limit) {
            return Err(Problem::TooLarge { path: file.to_owned(), limit_bytes: self.limit_bytes.unwrap_or_default() });
        }
        // A link that is itself named in the template is the user's word; what it points at is packed.
        let source = file.canonicalize().map_err(|error| Problem::io(file, &error))?;
        let kind = Kind::File { source, executable: is_executable(&meta), size_bytes: meta.len() };
        Ok(Listing {
            root: file.to_owned(),
            entries: vec![Entry { path, kind }],
            size_bytes: meta.len(),
            left_out: Vec::new(),
        })
    }
}

impl State<'_> {
    fn read(&mut self, folder: Pending) -> Result<(), Problem> {
        let logical = self.root.join(&folder.path);
        let rules = folder.rules.enter(&logical, &folder.actual)?;
        let items = std::fs::read_dir(&folder.actual).map_err(|error| Problem::io(&folder.actual, &error))?;
        for item in items {
            let item = item.map_err(|error| Problem::io(&folder.actual, &error))?;
            self.entries_seen += 1;
            if self.entries_seen > MOST_ENTRIES {
                return Err(Problem::TooMany { path: self.listing.root.clone(), limit: MOST_ENTRIES });
            }
            let actual = item.path();
            let name = item.file_name();
            let name = name.to_str().ok_or_else(|| Problem::Name { path: actual.clone() })?;
            let path = if folder.path.is_empty() { name.to_owned() } else { format!("{}/{name}", folder.path) };
            let meta = std::fs::symlink_metadata(&actual).map_err(|error| Problem::io(&actual, &error))?;
            match rules.judge(self.walk.choice, &self.root.join(&path), &actual, meta.is_dir()) {
                Verdict::Pack => self.pack(path, actual, &meta, &folder.bounds, &rules)?,
                Verdict::Ignored => {}
                Verdict::LeftOut => self.listing.left_out.push(path),
                Verdict::Secret => self.secrets.push(path),
            }
        }
        Ok(())
    }

    fn pack(
        &mut self,
        path: String,
        actual: PathBuf,
        meta: &std::fs::Metadata,
        bounds: &Arc<Bounds>,
        rules: &Arc<Rules>,
    ) -> Result<(), Problem> {
        if meta.is_dir() {
            self.pending.push(Pending { path, actual, bounds: Arc::clone(bounds), rules: Arc::clone(rules) });
            Ok(())
        } else if meta.is_file() {
            self.file(path, actual, meta)
        } else if meta.is_symlink() {
            self.link(path, actual, bounds, rules)
        } else {
            Err(Problem::Special { path: actual, kind: special(meta) })
        }
    }

    fn file(&mut self, path: String, source: PathBuf, meta: &std::fs::Metadata) -> Result<(), Problem> {
        self.listing.size_bytes = self.listing.size_bytes.saturating_add(meta.len());
        if let Some(limit_bytes) = self.walk.limit_bytes.filter(|limit| self.listing.size_bytes > *limit) {
            return Err(Problem::TooLarge { path: self.listing.root.clone(), limit_bytes });
        }
        let kind = Kind::File { source, executable: is_executable(meta), size_bytes: meta.len() };
        self.listing.entries.push(Entry { path, kind });
        Ok(())
    }

    fn link(&mut self, path: String, actual: PathBuf, bounds: &Arc<Bounds>, rules: &Arc<Rules>) -> Result<(), Problem> {
        let target = std::fs::read_link(&actual).map_err(|error| Problem::io(&actual, &error))?;
        let resolved = actual.canonicalize().ok();
        let text = target.to_str().ok_or_else(|| Problem::Name { path: target.clone() })?.to_owned();
        let parent = actual.parent().unwrap_or(Path::new("/"));
        let stays = !target.is_absolute()
            && stays_below(parent, &target, &bounds.root)
            && resolved.as_ref().is_none_or(|resolved| resolved.starts_with(&bounds.root));
        if stays {
            self.listing.entries.push(Entry { path, kind: Kind::Link { target: text } });
            return Ok(());
        }
        if !self.walk.allow_external_links {
            self.external.push(format!("{path} -> {text}"));
            return Ok(());
        }
        // What the link points at on Lambda's own file system (/opt of a layer) is not here: the link
        // itself is what was meant.
        let Some(resolved) = resolved else {
            self.listing.entries.push(Entry { path, kind: Kind::Link { target: text } });
            return Ok(());
        };
        let meta = std::fs::metadata(&resolved).map_err(|error| Problem::io(&resolved, &error))?;
        if meta.is_dir() {
            if bounds.followed >= MOST_FOLLOWED || actual.starts_with(&resolved) {
                return Err(Problem::Unreadable {
                    path: actual,
                    reason: format!("the link to {text} leads in a circle"),
                });
            }
            let bounds = Arc::new(Bounds { root: resolved.clone(), followed: bounds.followed + 1 });
            self.pending.push(Pending { path, actual: resolved, bounds, rules: Arc::clone(rules) });
            Ok(())
        } else if meta.is_file() {
            self.file(path, resolved, &meta)
        } else {
            Err(Problem::Special { path: actual, kind: special(&meta) })
        }
    }

    fn finish(self) -> Result<Listing, Problem> {
        let Self { mut listing, mut secrets, mut external, .. } = self;
        if !secrets.is_empty() {
            secrets.sort();
            return Err(Problem::Secrets { folder: listing.root, files: secrets });
        }
        if !external.is_empty() {
            external.sort();
            return Err(Problem::ExternalLinks { folder: listing.root, links: external });
        }
        if listing.entries.is_empty() {
            return Err(Problem::Empty { path: listing.root });
        }
        listing.entries.sort_by(|a, b| a.path.cmp(&b.path));
        listing.left_out.sort();
        Ok(listing)
    }
}

/// Whether `target`, read in `parent`, stays below `root` by its words alone; a target that does not
/// exist has nothing else to go by.
fn stays_below(parent: &Path, target: &Path, root: &Path) -> bool {
    let Ok(below) = parent.strip_prefix(root) else { return false };
    let mut depth = below.components().count();
    for part in target.components() {
        match part {
            Component::ParentDir if depth == 0 => return false,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(unix)]
fn is_executable(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o111 != 0
}

/// Windows has no such bit; Lambda needs it for `bootstrap`, and it does no harm elsewhere.
#[cfg(not(unix))]
fn is_executable(_meta: &std::fs::Metadata) -> bool {
    true
}

#[cfg(unix)]
fn special(meta: &std::fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = meta.file_type();
    if kind.is_fifo() {
        "a fifo"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_block_device() || kind.is_char_device() {
        "a device"
    } else {
        "a special file"
    }
}

#[cfg(not(unix))]
fn special(_meta: &std::fs::Metadata) -> &'static str {
    "a special file"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_followed_word_by_word() {
        let root = Path::new("/p/code");
        for (parent, target, stays) in [
            ("/p/code", "a.py", true),
            ("/p/code/lib", "../a.py", true),
            ("/p/code", "lib/../a.py", true),
            ("/p/code", "../code/a.py", false),
            ("/p/code/lib", "../../x", false),
            ("/p/code", "/p/code/a.py", false),
        ] {
            assert_eq!(stays_below(Path::new(parent), Path::new(target), root), stays, "{parent} {target}");
        }
    }
}
