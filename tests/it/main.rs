//! What a user would do, against real endpoints. One binary: each further one links the SDK again.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that cannot go on stops, reads its environment, and says loudly what it skips"
)]

mod applications;
mod around;
mod bucket;
mod clients;
mod cloudformation;
mod codedeploy;
mod commands;
mod completions;
mod deploy;
mod diff;
mod hostile;
mod init;
mod kills;
mod lambda;
mod layout;
mod mutants;
mod package;
mod preference;
mod races;
mod rehearse;
mod rollout;
mod s3;
mod sam;
mod sandbox;
mod shifting;
mod support;
mod tell;
mod templates;
mod transform;
mod transform_stacks;
mod validate;
