//! The built binary in a clean environment, the folders it works in, and what it left behind.

pub(crate) mod project;
pub(crate) mod python;
pub(crate) mod samara;
pub(crate) mod shared;

pub(crate) use project::Project;
pub(crate) use samara::Outcome;
