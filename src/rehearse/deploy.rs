//! One deploy by samara's own executable, followed through its JSON lines.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use super::Error;

/// How much of its standard error is shown when it fails.
const SAID_BYTES: usize = 4000;

/// Variables that would lead the deploy away from the sandbox.
const LEADS_AWAY: [&str; 9] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_LAMBDA",
    "AWS_ENDPOINT_URL_CLOUDFORMATION",
    "AWS_ENDPOINT_URL_CLOUDWATCH",
    "AWS_SESSION_TOKEN",
    "SAM_TEMPLATE_FILE",
];

/// What a deploy is told.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// The application's folder, in which the sandbox is found.
    pub folder: &'a Path,
    /// The stack.
    pub stack: &'a str,
    /// The template, relative to the folder.
    pub template: &'a str,
    /// Overrides the template's strategy.
    pub strategy: Option<&'a str>,
    /// Which build it is, for messages.
    pub build: u32,
}

/// How a deploy ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The exit status.
    pub status: i32,
    /// The rollout's verdict, when there was one.
    pub verdict: Option<Value>,
}

/// Runs a deploy to its end and gives each of its JSON lines to `line`.
///
/// # Errors
/// It cannot be started, or a signal ended it.
pub async fn run(settings: &Settings<'_>, mut line: impl FnMut(&Value)) -> Result<Ended, Error> {
    let own = std::env::current_exe().map_err(|source| Error::File {
        action: "find",
        path: "this executable".into(),
        source,
    })?;
    let mut command = Command::new(&own);
    command
        .args(["deploy", "--sandbox", "--yes", "--output", "json", "--color", "never", "--no-progressbar"])
        .args(["--stack-name", settings.stack, "--template-file", settings.template])
        .args(["--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"])
        .args(["--region", crate::sandbox::REGION, "--no-fail-on-empty-changeset"])
        .current_dir(settings.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(strategy) = settings.strategy {
        command.args(["--strategy", strategy]);
    }
    for name in LEADS_AWAY {
        command.env_remove(name);
    }
    // Killed ourselves, we leave no deploy behind that would start a sandbox again. The thread that polls
    // this is the one in `block_on`, which lives as long as we do.
    crate::runtime::die_with_this_thread(&mut command);
    let failed = |source| Error::File { action: "run", path: own.clone(), source };
    let mut child = command.spawn().map_err(failed)?;
    let stderr = child.stderr.take();
    let said = tokio::spawn(async move {
        let mut said = Vec::new();
        if let Some(mut stderr) = stderr {
            // What could not be read is not shown; the exit status stands.
            let _ = stderr.read_to_end(&mut said).await;
        }
        said
    });
    let mut verdict = None;
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout).lines();
        while let Some(text) = lines.next_line().await.map_err(failed)? {
            let Ok(value) = serde_json::from_str::<Value>(&text) else { continue };
            if value["type"] == "verdict" {
                verdict = Some(value.clone());
            }
            line(&value);
        }
    }
    let status = child.wait().await.map_err(failed)?;
    let said = said.await.unwrap_or_default();
    match status.code() {
        // Done, and rolled back: what the story is about.
        Some(status @ (0 | 4)) => Ok(Ended { status, verdict }),
        _ => {
            let said = &said[said.len().saturating_sub(SAID_BYTES)..];
            Err(Error::Deploy {
                build: settings.build,
                status: status.code().map_or_else(|| status.to_string(), |code| code.to_string()),
                said: String::from_utf8_lossy(said).trim().to_owned(),
            })
        }
    }
}
