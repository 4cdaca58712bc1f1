//! The Lambda Runtime API and the processes behind it: environments and their pools.
//!
//! A [`Function`] is one version of a function: code, configuration and variables. A [`Pool`] has its
//! environments; each is a process of its own behind a Runtime API of its own
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>), goes Starting → Ready → Busy →
//! Dead, and is used again while it lives. The sandbox's Lambda invokes through this; so will
//! `samara local`. What a function costs in time is real time here, whatever the caller's clock.

mod api;
pub mod archive;
mod environment;
mod function;
mod host;
pub mod layers;
mod log;
mod pool;
mod process;
mod variables;

pub use environment::{Invocation, Outcome};
pub use function::{Credentials, Function};
pub use host::Host;
pub use log::LogSink;
pub use pool::Pool;
pub(crate) use process::die_with_this_thread;

#[cfg(test)]
mod tests;
