//! A Python that has the real clients (boto3, the `aws` command, moto), made by `.ci/run`.

use std::path::PathBuf;

/// The interpreter that `SAMARA_TEST_PYTHON` names; `None`, said on standard error, without it.
/// `cargo test` itself installs nothing.
pub(crate) fn interpreter() -> Option<PathBuf> {
    let python = std::env::var_os("SAMARA_TEST_PYTHON").map(PathBuf::from).filter(|path| path.exists());
    if python.is_none() {
        eprintln!("SKIPPED: SAMARA_TEST_PYTHON does not name a Python with boto3, awscli and moto");
    }
    python
}

/// A program that stands beside the interpreter, such as `aws` or `moto_server`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = interpreter()?.parent()?.join(name);
    if !path.exists() {
        eprintln!("SKIPPED: {} is not installed", path.display());
        return None;
    }
    Some(path)
}
