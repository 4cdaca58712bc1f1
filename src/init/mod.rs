//! Application templates, embedded in the binary: rendering one for a name and writing it into a
//! folder. No network, nothing executed, and never a file overwritten.

mod catalog;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

pub use catalog::{File, TEMPLATES, Template};

use crate::hint::Hint;

/// CloudFormation's limit for a stack's name, which the application's name becomes
/// (docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-using-console-create-stack-parameters.html).
const LONGEST_NAME: usize = 128;

/// Why an application cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that cannot be a stack's.
    #[error("{name:?} cannot be an application's name: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no such template.
    #[error("there is no template {0:?}")]
    Template(String),
    /// Files that are there already.
    #[error("{} has {} already", folder.display(), files.join(", "))]
    Present {
        /// The folder.
        folder: PathBuf,
        /// The files, relative to it.
        files: Vec<String>,
    },
    /// A template of ours is broken.
    #[error("the template's file {file} cannot be rendered: {reason}")]
    Render {
        /// The file.
        file: &'static str,
        /// Why.
        reason: String,
    },
    /// A file or folder cannot be written.
    #[error("cannot create {}: {source}", path.display())]
    Write {
        /// It.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Name { .. } => {
                vec!["It becomes the stack's name: letters, digits and hyphens, a letter first.".to_owned()]
            }
            Self::Template(_) => {
                let names: Vec<_> = TEMPLATES.iter().map(|template| template.name).collect();
                vec![format!("There are {}.", names.join(", "))]
            }
            Self::Present { .. } => {
                vec!["Nothing was written. Choose another name, or another folder with --output-dir.".to_owned()]
            }
            Self::Render { .. } | Self::Write { .. } => Vec::new(),
        }
    }
}

/// The name of an application: also its folder's and its stack's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn new(name: &str) -> Result<Self, Error> {
        let reason = if name.is_empty() {
            "it is empty"
        } else if name.len() > LONGEST_NAME {
            "it is longer than 128 characters"
        } else if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            "it does not begin with a letter"
        } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            "it has other characters than letters, digits and hyphens"
        } else {
            return Ok(Self(name.to_owned()));
        };
        Err(Error::Name { name: name.to_owned(), reason })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A template by its name.
///
/// # Errors
/// There is none of that name.
pub fn template(name: &str) -> Result<&'static Template, Error> {
    TEMPLATES.iter().find(|template| template.name == name).ok_or_else(|| Error::Template(name.to_owned()))
}

/// A file that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Path in the application's folder, with `/`.
    pub path: &'static str,
    /// Its content.
    pub text: String,
    /// Whether it is a program.
    pub executable: bool,
}

/// The files of a template for an application of this name.
///
/// # Errors
/// A template that is broken; a test renders every one.
pub fn render(template: &Template, name: &Name) -> Result<Vec<Rendered>, Error> {
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    // By the extension it would escape for HTML and JSON; the name needs neither.
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    let context = minijinja::context! { name => name.as_str() };
    template
        .files
        .iter()
        .map(|file| {
            let mut text = environment
                .render_str(file.text, &context)
                .map_err(|error| Error::Render { file: file.path, reason: error.to_string() })?;
            // The engine takes the last line end away.
            if file.text.ends_with('\n') {
                text.push('\n');
            }
            Ok(Rendered { path: file.path, text, executable: file.executable })
        })
        .collect()
}

/// Writes the files into `folder`, which is made when it is not there. When something fails in the
/// middle, what was written is taken away again.
///
/// # Errors
/// [`Error::Present`] before anything is written; [`Error::Write`].
pub fn write(folder: &Path, files: &[Rendered]) -> Result<(), Error> {
    let present: Vec<String> = files
        .iter()
        .filter(|file| folder.join(file.path).symlink_metadata().is_ok())
        .map(|file| file.path.to_owned())
        .collect();
    if !present.is_empty() {
        return Err(Error::Present { folder: folder.to_owned(), files: present });
    }
    let mut made = Made::default();
    for file in files {
        made.file(folder, file)?;
    }
    made.keep();
    Ok(())
}

/// What has been made so far; taken away when it is dropped before [`Made::keep`].
#[derive(Default)]
struct Made {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Made {
    fn file(&mut self, base: &Path, file: &Rendered) -> Result<(), Error> {
        let path = base.join(file.path);
        let failed = |source| Error::Write { path: path.clone(), source };
        if let Some(parent) = path.parent() {
            self.folder(parent)?;
            // A folder of the application that is a link would take the file somewhere else.
            if parent != base && parent.symlink_metadata().is_ok_and(|meta| meta.is_symlink()) {
                return Err(Error::Write { path: parent.to_owned(), source: std::io::Error::other("it is a link") });
            }
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, if file.executable { 0o777 } else { 0o666 });
        let mut output = options.open(&path).map_err(failed)?;
        self.files.push(path.clone());
        output.write_all(file.text.as_bytes()).map_err(failed)
    }

    fn folder(&mut self, path: &Path) -> Result<(), Error> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        if path.symlink_metadata().is_ok() {
            return Err(Error::Write { path: path.to_owned(), source: std::io::Error::other("it is not a folder") });
        }
        if let Some(parent) = path.parent() {
            self.folder(parent)?;
        }
        std::fs::create_dir(path).map_err(|source| Error::Write { path: path.to_owned(), source })?;
        self.folders.push(path.to_owned());
        Ok(())
    }

    fn keep(mut self) {
        self.files.clear();
        self.folders.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // The error that led here is the one to tell; a folder that somebody else put a file into stays.
        for file in self.files.drain(..).rev() {
            let _ = std::fs::remove_file(file);
        }
        for folder in self.folders.drain(..).rev() {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Node, read, span::Source};

    #[test]
    fn a_name_is_what_a_stack_can_be_called() {
        for good in ["a", "hello", "Hello-2", &"a".repeat(128)] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "1a", "-a", "a_b", "a b", "ä", "../x", "a/b", "a\n", &"a".repeat(129)] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_template_is_complete() {
        let name = Name::new("my-app").unwrap();
        for template in TEMPLATES {
            let files = render(template, &name).unwrap();
            let has = |path: &str| files.iter().any(|file| file.path == path);
            for path in
                ["template.yaml", "README.md", "samconfig.toml", ".gitignore", ".samignore", "events/event.json"]
            {
                assert!(has(path), "{} has no {path}", template.name);
            }
            for file in &files {
                assert!(file.text.is_empty() || file.text.ends_with('\n'), "{}: {}", template.name, file.path);
                assert!(!file.text.contains("{{"), "{}: {}", template.name, file.path);
            }
            let text = |path: &str| files.iter().find(|file| file.path == path).unwrap().text.clone();
            serde_json::from_str::<serde_json::Value>(&text("events/event.json")).unwrap();
            assert!(text("samconfig.toml").contains("stack_name = \"my-app\""));
            assert!(text("README.md").starts_with("# my-app\n"));
        }
    }

    #[test]
    fn every_template_shifts_traffic_under_an_alarm() {
        for template in TEMPLATES {
            let files = render(template, &Name::new("my-app").unwrap()).unwrap();
            let text = &files.iter().find(|file| file.path == "template.yaml").unwrap().text;
            let read = read::read(Source::new("template.yaml", text.as_str()).into()).unwrap();
            let resources = read.section("Resources").unwrap();
            let functions: Vec<_> = resources
                .iter()
                .filter(|(_, node)| node.get("Type").and_then(Node::as_str) == Some("AWS::Serverless::Function"))
                .collect();
            assert_eq!(functions.len(), 1, "{}", template.name);
            let properties = functions[0].1.get("Properties").unwrap();
            assert_eq!(properties.get("AutoPublishAlias").and_then(Node::as_str), Some("live"));
            let alarms = properties.path(&["DeploymentPreference", "Alarms"]).and_then(Node::as_list).unwrap();
            let alarm = alarms[0].get("Ref").and_then(Node::as_str).unwrap();
            assert!(resources.contains_key(alarm), "{}: {alarm}", template.name);
        }
    }

    #[test]
    fn what_is_there_stays_and_nothing_else_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let files = render(&TEMPLATES[0], &Name::new("a").unwrap()).unwrap();
        std::fs::write(folder.path().join("README.md"), "mine").unwrap();
        let error = write(folder.path(), &files).unwrap_err();
        assert!(matches!(&error, Error::Present { files, .. } if files == &["README.md"]), "{error}");
        assert_eq!(std::fs::read_to_string(folder.path().join("README.md")).unwrap(), "mine");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_failure_in_the_middle_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let files = render(&TEMPLATES[0], &Name::new("a").unwrap()).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("src")).unwrap();
        let error = write(folder.path(), &files).unwrap_err();
        assert!(error.to_string().contains("it is a link"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
