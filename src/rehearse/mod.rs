//! The main job from beginning to end in the sandbox, told as a story: an application goes live, a
//! worse version is taken back by its canary, a good one goes to 100 %.
//!
//! The deploys are made by samara's own executable, as a user would make them; the story sends the
//! traffic, counts who served what, and looks afterwards at what was left behind.

pub mod application;
pub mod deploy;
pub mod function;
pub mod proof;
pub mod story;
pub mod traffic;

use std::path::PathBuf;

use crate::hint::Hint;
use crate::{aws, sandbox};

/// What can end a rehearsal before its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be used.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// `read`, `copy`, `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The application cannot be rehearsed as it is.
    #[error("{0}")]
    Application(String),
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    /// The sandbox cannot be reached as configured.
    #[error(transparent)]
    Config(#[from] aws::ConfigError),
    /// The sandbox refused a call.
    #[error(transparent)]
    Aws(#[from] aws::Error),
    /// A deploy ended otherwise than the story can go on with.
    #[error("deploying build {build} ended with status {status}:\n{said}")]
    Deploy {
        /// Which build.
        build: u32,
        /// The exit status, or what ended it.
        status: String,
        /// The end of its standard error.
        said: String,
    },
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Sandbox(error) => error.hints(),
            Self::Config(error) => error.hints(),
            Self::Aws(error) => error.hints(),
            Self::Application(_) => {
                vec!["Without an application, `samara rehearse` takes the one that it brings along.".to_owned()]
            }
            Self::Deploy { .. } => {
                vec!["Try the same by hand: `samara deploy --sandbox` in the application's folder.".to_owned()]
            }
            Self::File { .. } => Vec::new(),
        }
    }
}
