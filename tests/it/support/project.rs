//! A temporary folder to work in, with a home of its own.

use std::path::{Path, PathBuf};

use super::samara::Samara;

/// A project folder and a home folder, both gone when it is dropped, together with the sandbox that
/// was started in it.
#[derive(Debug)]
pub(crate) struct Project {
    root: tempfile::TempDir,
}

impl Project {
    /// An empty project.
    pub(crate) fn new() -> Self {
        let root = tempfile::TempDir::with_prefix("samara-it-").expect("a temporary folder");
        std::fs::create_dir_all(root.path().join("project")).expect("a project folder");
        std::fs::create_dir_all(root.path().join("home")).expect("a home folder");
        Self { root }
    }

    /// A project whose `template.yaml` is this text.
    pub(crate) fn with_template(template: &str) -> Self {
        let project = Self::new();
        project.write("template.yaml", template);
        project
    }

    /// The project's folder.
    pub(crate) fn dir(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// The home folder that the binary is given.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// A path in the project.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.dir().join(relative)
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, relative: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().expect("inside the project")).expect("folders");
        std::fs::write(path, content).expect("a file");
    }

    /// Reads a file as text.
    pub(crate) fn read(&self, relative: impl AsRef<Path>) -> String {
        let path = self.path(relative);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The files below the project, relative and sorted; `.samara` is left out.
    pub(crate) fn files(&self) -> Vec<String> {
        fn walk(dir: &Path, base: &Path, files: &mut Vec<String>) {
            for entry in std::fs::read_dir(dir).expect("a folder").flatten() {
                let path = entry.path();
                if path.file_name().is_some_and(|name| name == ".samara") {
                    continue;
                }
                if path.is_dir() && !path.is_symlink() {
                    walk(&path, base, files);
                } else {
                    files.push(path.strip_prefix(base).expect("below").to_string_lossy().into_owned());
                }
            }
        }
        let mut files = Vec::new();
        walk(&self.dir(), &self.dir(), &mut files);
        files.sort();
        files
    }

    /// The binary, to be run in the project's folder.
    pub(crate) fn samara<I, S>(&self, args: I) -> Samara
    where
        I: IntoIterator<Item = S>,
        S: AsRef<std::ffi::OsStr>,
    {
        Samara::new(self).args(args)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if self.path(".samara").exists() {
            let _ = self.samara(["sandbox", "stop"]).run_unchecked();
        }
    }
}
