//! The application that is rehearsed: a copy in a folder of its own, so that what is rehearsed is
//! never changed, and three builds of it.

use std::path::{Path, PathBuf};

use super::Error;
use super::function::{BEHAVIOUR_FILE, Behaviour};
use crate::template::{Node, Template, read};

/// What the copy leaves out: histories, other tools' output and the sandbox's own state.
const LEFT_OUT: [&str; 4] = [".git", ".samara", ".aws-sam", "target"];

/// The template's names, in the order in which they are looked for.
const TEMPLATES: [&str; 3] = ["template.yaml", "template.yml", "template.json"];

/// In a user's code folder this file makes one build differ from the next.
const MARKER: &str = "samara-rehearsal.json";

/// A copy of an application.
#[derive(Debug)]
pub struct Application {
    // Removes the copy when it is dropped.
    folder: tempfile::TempDir,
    /// What it is called.
    pub name: String,
    /// The logical id of the function whose traffic is shifted.
    pub function: String,
    /// The alias that is shifted.
    pub alias: String,
    /// The strategy that its template names.
    pub strategy: String,
    /// The template, relative to the copy.
    pub template: &'static str,
    /// What each request sends.
    pub event: Vec<u8>,
    code: PathBuf,
    bundled: bool,
}

/// One build of the application.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Build {
    /// Which, from 1.
    pub number: u32,
    /// Share of its requests that fail, as a fraction.
    pub errors: f64,
    /// Seed of the chance by which they fail.
    pub seed: u64,
}

impl Application {
    /// The one that samara brings along. Its function is this executable.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn bundled() -> Result<Self, Error> {
        let folder = temporary()?;
        let template = folder.path().join(TEMPLATES[0]);
        write(&template, include_bytes!("example/template.yaml"))?;
        let code = folder.path().join("code");
        let event = include_bytes!("example/events/event.json");
        write(&folder.path().join("events/event.json"), event)?;
        let own = std::env::current_exe().map_err(|source| Error::File {
            action: "find",
            path: "this executable".into(),
            source,
        })?;
        std::fs::create_dir_all(&code).map_err(|source| Error::File {
            action: "create",
            path: code.clone(),
            source,
        })?;
        // The copy keeps the executable bit.
        std::fs::copy(&own, code.join("bootstrap")).map_err(|source| Error::File {
            action: "copy",
            path: own,
            source,
        })?;
        Self::read(folder, "the bundled example".to_owned(), true)
    }

    /// A copy of a user's application.
    ///
    /// # Errors
    /// It cannot be copied; it has no template that can be read; none of its functions publishes an
    /// alias.
    pub fn copy_of(original: &Path) -> Result<Self, Error> {
        let folder = temporary()?;
        copy(original, folder.path())?;
        Self::read(folder, original.display().to_string(), false)
    }

    fn read(folder: tempfile::TempDir, name: String, bundled: bool) -> Result<Self, Error> {
        let found = TEMPLATES.into_iter().find(|file| folder.path().join(file).is_file());
        let file = found
            .ok_or_else(|| Error::Application(format!("{name} has no template.yaml, template.yml or template.json")))?;
        let template = parse(&folder.path().join(file), file)?;
        let Shifted { function, alias, strategy, code } = shifted(&template).ok_or_else(|| {
            Error::Application(format!(
                "no function of {name} has AutoPublishAlias and a code folder: there is no alias to shift"
            ))
        })?;
        let code = folder.path().join(code);
        if !code.is_dir() {
            return Err(Error::Application(format!(
                "the code of {function} is not there: {} is no folder; build it first",
                code.strip_prefix(folder.path()).unwrap_or(&code).display()
            )));
        }
        let event = event(folder.path())?;
        Ok(Self { folder, name, function, alias, strategy, template: file, event, code, bundled })
    }

    /// The copy.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether its own code fails as a build says; a user's code cannot be asked to, so the sandbox
    /// injects the errors.
    pub fn fails_by_itself(&self) -> bool {
        self.bundled
    }

    /// Makes the code folder that of a build.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn make(&self, build: Build) -> Result<(), Error> {
        let (file, text) = if self.bundled {
            let behaviour = Behaviour { build: build.number, errors: build.errors, duration_ms: 1, seed: build.seed };
            (BEHAVIOUR_FILE, serde_json::to_vec_pretty(&behaviour))
        } else {
            (MARKER, serde_json::to_vec_pretty(&serde_json::json!({ "build": build.number })))
        };
        // Numbers and text always become JSON.
        write(&self.code.join(file), &text.unwrap_or_default())
    }
}

struct Shifted {
    function: String,
    alias: String,
    strategy: String,
    code: String,
}

/// The first function that publishes an alias.
fn shifted(template: &Template) -> Option<Shifted> {
    let globals = template.root.path(&["Globals", "Function"]);
    template.section("Resources")?.iter().find_map(|(name, resource)| {
        if resource.get("Type")?.as_str()? != "AWS::Serverless::Function" {
            return None;
        }
        let property =
            |key: &str| resource.path(&["Properties", key]).or_else(|| globals.and_then(|globals| globals.get(key)));
        let strategy = property("DeploymentPreference")
            .and_then(|preference| preference.get("Type"))
            .and_then(Node::as_str)
            .unwrap_or("AllAtOnce");
        Some(Shifted {
            function: name.to_owned(),
            alias: property("AutoPublishAlias")?.as_str()?.to_owned(),
            strategy: strategy.to_owned(),
            code: property("CodeUri")?.as_str()?.to_owned(),
        })
    })
}

fn parse(path: &Path, name: &str) -> Result<Template, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::File { action: "read", path: path.to_owned(), source })?;
    let broken = |_| Error::Application(format!("{name} is no template; `samara validate` says what is wrong with it"));
    let source = read::decode(name, &bytes).map_err(broken)?;
    read::read(source).map_err(broken)
}

/// The template's event file: `events/event.json`, else the first JSON file there, else `{}`.
fn event(folder: &Path) -> Result<Vec<u8>, Error> {
    let events = folder.join("events");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&events)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let usual = events.join("event.json");
    let Some(file) = files.iter().find(|file| **file == usual).or_else(|| files.first()) else {
        return Ok(b"{}".to_vec());
    };
    let bytes = std::fs::read(file).map_err(|source| Error::File { action: "read", path: file.clone(), source })?;
    serde_json::from_slice::<serde_json::Value>(&bytes)
        .map_err(|error| Error::Application(format!("the event file {} is not JSON: {error}", file.display())))?;
    Ok(bytes)
}

fn temporary() -> Result<tempfile::TempDir, Error> {
    tempfile::Builder::new().prefix("samara-rehearsal-").tempdir().map_err(|source| Error::File {
        action: "create a folder in",
        path: std::env::temp_dir(),
        source,
    })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let write = || {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, bytes)
    };
    write().map_err(|source| Error::File { action: "write", path: path.to_owned(), source })
}

/// Copies a folder; links stay links.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { action: "copy", path, source }
    };
    std::fs::create_dir_all(to).map_err(failed(to))?;
    for entry in std::fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        if LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(failed(&source))?;
        if kind.is_dir() {
            copy(&source, &target)?;
        } else if kind.is_symlink() {
            let end = std::fs::read_link(&source).map_err(failed(&source))?;
            #[cfg(unix)]
            std::os::unix::fs::symlink(end, &target).map_err(failed(&source))?;
            #[cfg(not(unix))]
            std::fs::copy(source.parent().unwrap_or(from).join(end), &target).map(drop).map_err(failed(&source))?;
        } else if kind.is_file() {
            std::fs::copy(&source, &target).map_err(failed(&source))?;
        }
        // Sockets and fifos are no part of an application.
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_example_is_what_it_says() {
        let application = Application::bundled().unwrap();
        assert_eq!(application.function, "Greeting");
        assert_eq!(application.alias, "live");
        assert_eq!(application.strategy, "Canary10Percent5Minutes");
        application.make(Build { number: 2, errors: 0.5, seed: 7 }).unwrap();
        let behaviour = std::fs::read(application.folder().join("code").join(BEHAVIOUR_FILE)).unwrap();
        let behaviour: Behaviour = serde_json::from_slice(&behaviour).unwrap();
        assert_eq!((behaviour.build, behaviour.errors), (2, 0.5));
    }

    #[test]
    fn an_application_without_an_alias_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let template = "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: .\n";
        std::fs::write(folder.path().join("template.yaml"), template).unwrap();
        let error = Application::copy_of(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no function of") && error.contains("AutoPublishAlias"), "{error}");
    }
}
