//! What the runtime has to know of one version of a function.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// One version of a function, ready to be run.
#[derive(Clone, Debug)]
pub struct Function {
    /// Name without version.
    pub name: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// Runtime identifier, such as `python3.13` or `provided.al2023`.
    pub runtime: String,
    /// Handler as configured; `provided` runtimes read it from `_HANDLER` if they want.
    pub handler: String,
    /// Whether its environments are provisioned, and not made on demand.
    pub provisioned: bool,
    /// Longest run of one invocation.
    pub timeout: Duration,
    /// Configured memory in MB.
    pub memory_mb: u32,
    /// The unpacked code: what is `/var/task` on Lambda.
    pub task_root: PathBuf,
    /// The merged layers, what is `/opt` on Lambda.
    pub layers_root: Option<PathBuf>,
    /// The function's own variables.
    pub variables: BTreeMap<String, String>,
    /// Region that the function sees.
    pub region: String,
    /// Credentials that the function sees; never the user's own.
    pub credentials: Credentials,
    /// Where its AWS clients go, when not to AWS.
    pub endpoint_url: Option<String>,
    /// Log group of its output.
    pub log_group: String,
    /// Whether platform lines are JSON (`LogFormat: JSON`).
    pub json_logs: bool,
    /// `ApplicationLogLevel`, which runtimes read with JSON logs.
    pub log_level: Option<String>,
}

/// Keys that a function's AWS clients sign with.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Session token.
    pub session_token: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl Function {
    /// What Lambda calls the way in which its environments are made.
    pub fn initialization_type(&self) -> &'static str {
        if self.provisioned { "provisioned-concurrency" } else { "on-demand" }
    }

    /// The layers' folder or a path that is not there.
    pub(super) fn opt(&self) -> Option<&std::path::Path> {
        self.layers_root.as_deref()
    }
}
