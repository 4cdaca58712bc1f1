//! Finding, starting and stopping the sandbox of a project.

use std::path::Path;

use super::Error;

/// A sandbox that listens.
#[derive(Clone, Debug)]
pub struct Running {
    /// The port on loopback.
    pub port: u16,
}

impl Running {
    /// The endpoint for every client.
    pub fn endpoint_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The project's sandbox, started when it does not run.
///
/// # Errors
/// It does not start.
#[expect(clippy::unused_async, reason = "the start waits for the child")]
pub async fn ensure_running(_project: &Path) -> Result<Running, Error> {
    Err(Error::NoAnswer("this build cannot start one".to_owned()))
}
