//! The built binary, run as a user would, in an environment that does not depend on the machine.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use super::project::Project;

/// A run that is being prepared.
#[derive(Debug)]
pub(crate) struct Samara {
    command: Command,
    masks: Vec<(String, &'static str)>,
}

impl Samara {
    pub(crate) fn new(project: &Project) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_samara"));
        command
            .current_dir(project.dir())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", project.home())
            .env("TERM", "dumb")
            .env("COLUMNS", "100")
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        let canonical = project.dir().canonicalize().expect("the project's folder");
        let masks = vec![
            (canonical.to_string_lossy().into_owned(), "[PROJECT]"),
            (project.dir().to_string_lossy().into_owned(), "[PROJECT]"),
            (project.home().to_string_lossy().into_owned(), "[HOME]"),
        ];
        Self { command, masks }
    }

    pub(crate) fn args<I, S>(mut self, args: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn current_dir(mut self, dir: impl AsRef<std::path::Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// The command itself, for a test that talks to it while it runs.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    /// Runs it to its end. The outcome has to be looked at.
    #[must_use = "look at the outcome, or assert its status"]
    pub(crate) fn run(self) -> Outcome {
        self.run_unchecked()
    }

    pub(crate) fn run_unchecked(mut self) -> Outcome {
        let output = self.command.stdin(Stdio::null()).output().expect("the binary runs");
        let text = |bytes: &[u8]| {
            let mut text = String::from_utf8_lossy(bytes).into_owned();
            for (what, with) in &self.masks {
                text = text.replace(what, with);
            }
            text
        };
        Outcome { status: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

/// How a run ended: look at it, or at least assert its status.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit status; `None` when a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Asserts the exit status and gives the outcome back.
    #[track_caller]
    pub(crate) fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked at"), "it panicked:\n{}", self.stderr);
        self
    }

    /// Asserts that standard error has a text and gives the outcome back.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is not in stderr:\n{}", self.stderr);
        self
    }

    /// Asserts that standard output has a text and gives the outcome back.
    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "{text:?} is not in stdout:\n{}", self.stdout);
        self
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not JSON ({error}):\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }
}
