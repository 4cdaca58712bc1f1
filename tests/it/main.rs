//! What a user would do, against real endpoints. One binary: each further one links the SDK again.

// `cfg(test)` tells clippy that helpers may unwrap here too.
#[cfg(test)]
mod cloudformation;
mod completions;
mod deploy;
mod init;
mod layout;
mod package;
mod s3;
mod support;
mod templates;
mod validate;
