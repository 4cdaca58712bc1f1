//! samara takes a serverless application from an empty folder to production on AWS Lambda and shifts
//! traffic to each new version safely. This page is the map; rows import only rows below them.
//!
//! - [`cli`]: a file a subcommand: arguments, settings, what is called. [`ui`]: what people and
//!   programs see.
//! - [`rehearse`]: the whole story in the sandbox.
//! - [`rollout`], [`deploy`], [`package`], [`init`]: the work, with I/O at its edge.
//! - [`sandbox`] over [`runtime`]: an AWS endpoint on loopback that runs functions as processes.
//! - [`aws`]: what samara needs of AWS; the SDK's types stop there.
//! - [`validate`], [`transform`], [`template`]: pure; no file, socket, clock or environment.
//! - [`diagnostic`], [`hint`], [`pace`]: the small things that everything shares.

pub mod aws;
pub mod cli;
pub mod deploy;
pub mod diagnostic;
pub mod hint;
pub mod init;
pub mod pace;
pub mod package;
pub mod rehearse;
pub mod rollout;
pub mod runtime;
pub mod sandbox;
pub mod template;
pub mod transform;
pub mod ui;
pub mod validate;
