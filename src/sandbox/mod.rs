//! An AWS endpoint on loopback: a place to rehearse. Speaks the real wire protocols, runs functions
//! as processes, keeps its state on disk, and has a clock that can run faster than real time.
//!
//! It shares as little as it can with what it is there to try: `template` and `transform` (its
//! CloudFormation has to read them), and nothing of `aws`, `deploy`, `package` or `rollout`. What it
//! does not know fails and says so; nothing is silently accepted.

mod cbor;
mod chunked;
pub mod clock;
pub mod cloudformation;
pub mod cloudwatch;
pub mod codedeploy;
pub mod entrance;
pub mod http;
pub mod iam;
mod json;
pub mod lambda;
pub mod logs;
pub mod process;
pub mod query;
pub mod router;
pub mod s3;
pub mod server;
pub mod sns;
pub mod sqs;
pub mod state;
mod sts;
pub mod xml;

use crate::hint::Hint;

/// The account of an access key that does not name another with twelve digits.
pub const ACCOUNT: &str = "000000000000";
/// The region that `--sandbox` uses when none is configured.
pub const REGION: &str = "us-east-1";

/// The sandbox could not do its own work; what clients do wrong is answered on the wire.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port cannot be listened on.
    #[error("the sandbox cannot listen on {address}: {source}")]
    Listen {
        /// Address and port.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// Its folder cannot be used.
    #[error("the sandbox cannot use {path}: {source}")]
    Folder {
        /// The folder or file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has the folder.
    #[error("another sandbox uses {0}")]
    InUse(std::path::PathBuf),
    /// One runs already, with another port or speed than is asked for.
    #[error("the project's sandbox runs already, at port {port} and speed {speed}")]
    RunsDifferently {
        /// Its port on loopback.
        port: u16,
        /// Its speed.
        speed: f64,
    },
    /// Its process ended instead of listening.
    #[error("the sandbox did not start: {0}")]
    NotStarted(String),
    /// It was started and does not answer.
    #[error("the sandbox does not answer: {0}")]
    NoAnswer(String),
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Listen { .. } => vec!["Another program has that port; --port 0 takes a free one.".to_owned()],
            Self::Folder { .. } => vec!["Check the folder's permissions and the free space.".to_owned()],
            Self::InUse(_) => {
                vec!["`samara sandbox status` says where it listens; `samara sandbox stop` ends it.".to_owned()]
            }
            Self::RunsDifferently { .. } => vec!["`samara sandbox stop` ends it; its state stays.".to_owned()],
            Self::NotStarted(_) => vec!["Its last words are in .samara/sandbox.log.".to_owned()],
            Self::NoAnswer(_) => {
                vec!["Look into .samara/sandbox.log, then `samara sandbox stop` and start again.".to_owned()]
            }
        }
    }
}
