//! What people and programs see. Shows the values of the rows below; starts and decides nothing.

pub mod deploy;
pub mod diagnostic;
pub mod diff;
pub mod github;
pub mod prompt;
pub mod rehearsal;
pub mod report;
pub mod rollout;
pub mod sanitize;
pub mod terminal;
pub mod watch;
