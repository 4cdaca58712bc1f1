//! What of this machine functions are run with: interpreters, our bootstraps, how many may start at once.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};

const PYTHON: &str = include_str!("bootstrap/python.py");
const NODE: &str = include_str!("bootstrap/node.cjs");

/// An interpreter that does not tell its version within this time is not used.
const PROBE_LIMIT: Duration = Duration::from_secs(20);
/// Python minors that are looked for by name when neither the wanted one nor `python3` fits.
const PYTHON_MINORS: std::ops::RangeInclusive<u32> = 8..=16;

/// The machine, as far as functions are concerned.
#[derive(Debug)]
pub struct Host {
    path: OsString,
    runtime_dir: PathBuf,
    environments_dir: PathBuf,
    interpreters: Mutex<BTreeMap<String, Arc<Search>>>,
    /// Starting is what costs processor time: with more than this at once all get slower.
    pub(super) starts: Arc<Semaphore>,
}

/// A search for an interpreter that is made once.
type Search = OnceCell<Result<Interpreter, String>>;

/// A found interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interpreter {
    pub(super) program: PathBuf,
    /// `3.12` or `22`.
    pub(super) version: String,
    /// What differs from what was asked for.
    pub(super) note: Option<String>,
}

/// The families of runtimes that this machine can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// The function brings its own `bootstrap`.
    Provided,
    /// `python3.N`, with the minor.
    Python(u32),
    /// `nodejsN.x`, with the major.
    Node(u32),
}

impl Family {
    pub(super) fn of(runtime: &str) -> Option<Self> {
        if runtime == "provided" || runtime.starts_with("provided.") {
            return Some(Self::Provided);
        }
        if let Some(minor) = runtime.strip_prefix("python3.") {
            return minor.parse().ok().map(Self::Python);
        }
        runtime.strip_prefix("nodejs")?.strip_suffix(".x")?.parse().ok().map(Self::Node)
    }
}

impl Host {
    /// Prepares `dir` for environments; what an earlier run left there is removed.
    ///
    /// # Errors
    /// The folder cannot be used.
    #[expect(clippy::disallowed_methods, reason = "the interpreters are where the user's shell finds them")]
    pub fn open(dir: &Path) -> std::io::Result<Arc<Self>> {
        let runtime_dir = dir.join("runtime");
        let environments_dir = dir.join("environments");
        if environments_dir.exists() {
            std::fs::remove_dir_all(&environments_dir)?;
        }
        std::fs::create_dir_all(&environments_dir)?;
        std::fs::create_dir_all(&runtime_dir)?;
        std::fs::write(runtime_dir.join("python.py"), PYTHON)?;
        std::fs::write(runtime_dir.join("node.cjs"), NODE)?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Arc::new(Self {
            path: std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin")),
            runtime_dir: std::path::absolute(runtime_dir)?,
            environments_dir: std::path::absolute(environments_dir)?,
            interpreters: Mutex::default(),
            starts: Arc::new(Semaphore::new(2 * cores)),
        }))
    }

    /// Where our bootstraps are: what is `/var/runtime` on Lambda.
    pub(super) fn runtime_dir(&self) -> &Path {
        &self.runtime_dir
    }

    /// A private folder for one environment.
    pub(super) fn environment_dir(&self) -> std::io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix("tmp-").tempdir_in(&self.environments_dir)
    }

    /// The interpreter for a runtime; looked for once.
    pub(super) async fn interpreter(&self, family: Family) -> Result<Interpreter, String> {
        let key = format!("{family:?}");
        let cell = {
            let mut cells = self.interpreters.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(key).or_default())
        };
        let found = cell.get_or_init(|| async move {
            let found = match family {
                Family::Python(minor) => self.python(minor).await,
                Family::Node(major) => self.node(major).await,
                Family::Provided => Err("a provided runtime has no interpreter".to_owned()),
            };
            if let Ok(Interpreter { note: Some(note), .. }) = &found {
                tracing::warn!("{note}");
            }
            found
        });
        found.await.clone()
    }

    async fn python(&self, minor: u32) -> Result<Interpreter, String> {
        let exact = format!("python3.{minor}");
        let mut found: Vec<(u32, PathBuf)> = Vec::new();
        let named = by_distance(minor).into_iter().map(|other| format!("python3.{other}"));
        for (index, name) in ["python3".to_owned(), "python".to_owned()].into_iter().chain(named).enumerate() {
            // The wanted name comes first of all; the other minors only when nothing has been found.
            let names = if index == 0 { vec![exact.clone(), name] } else { vec![name] };
            for name in names {
                for candidate in self.on_path(&name) {
                    let script = "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])";
                    let Some((program, version)) = probe(&candidate, &["-c", script]).await else { continue };
                    let Some(other) = version.strip_prefix("3.").and_then(|text| text.parse::<u32>().ok()) else {
                        continue;
                    };
                    if other == minor {
                        return Ok(Interpreter { program, version, note: None });
                    }
                    found.push((other, program));
                }
            }
            if index >= 1 && !found.is_empty() {
                break;
            }
        }
        let (other, program) = found
            .into_iter()
            .min_by_key(|(other, _)| (other.abs_diff(minor), std::cmp::Reverse(*other)))
            .ok_or_else(|| format!("no {exact} and no other python3 on PATH"))?;
        let note = format!("{exact} is not on PATH: running with Python 3.{other} ({})", program.display());
        Ok(Interpreter { program, version: format!("3.{other}"), note: Some(note) })
    }

    async fn node(&self, major: u32) -> Result<Interpreter, String> {
        let mut other = None;
        for name in [format!("node{major}"), format!("node-{major}"), "node".to_owned(), "nodejs".to_owned()] {
            for candidate in self.on_path(&name) {
                let script = "console.log(process.execPath); console.log(process.versions.node.split('.')[0])";
                let Some((program, version)) = probe(&candidate, &["-e", script]).await else { continue };
                if version == major.to_string() {
                    return Ok(Interpreter { program, version, note: None });
                }
                other.get_or_insert((program, version));
            }
        }
        let (program, version) = other.ok_or_else(|| format!("no node{major} and no other node on PATH"))?;
        let note = format!("Node.js {major} is not on PATH: running with Node.js {version} ({})", program.display());
        Ok(Interpreter { program, version, note: Some(note) })
    }

    /// Every executable of this name, in PATH's order.
    fn on_path(&self, name: &str) -> Vec<PathBuf> {
        let folders = std::env::split_paths(&self.path).filter(|folder| folder.is_absolute());
        folders.map(|folder| folder.join(name)).filter(|file| is_executable(file)).collect()
    }
}

/// Other minors, the nearest first, of two equally near the newer one.
fn by_distance(minor: u32) -> Vec<u32> {
    let mut others: Vec<u32> = PYTHON_MINORS.filter(|other| *other != minor).collect();
    others.sort_by_key(|other| (other.abs_diff(minor), std::cmp::Reverse(*other)));
    others
}

/// Whether it is a file that can be executed.
pub(super) fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The real path and the version, as the candidate itself says: a version manager's shim does not work
/// in the clean environment of a function.
async fn probe(candidate: &Path, arguments: &[&str]) -> Option<(PathBuf, String)> {
    let mut command = tokio::process::Command::new(candidate);
    command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PROBE_LIMIT, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (program, version) = text.trim().split_once('\n')?;
    let program = PathBuf::from(OsStr::new(program.trim()));
    (output.status.success() && is_executable(&program)).then(|| (program, version.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_belongs_to_a_family_or_cannot_be_run_here() {
        assert_eq!(Family::of("provided.al2023"), Some(Family::Provided));
        assert_eq!(Family::of("python3.13"), Some(Family::Python(13)));
        assert_eq!(Family::of("nodejs22.x"), Some(Family::Node(22)));
        for other in ["java21", "ruby3.4", "dotnet8", "python2.7", "nodejs", "go1.x", ""] {
            assert_eq!(Family::of(other), None, "{other}");
        }
    }

    #[test]
    fn the_nearest_minor_is_tried_first_and_the_newer_of_two() {
        assert_eq!(&by_distance(12)[..4], [13, 11, 14, 10]);
    }
}
