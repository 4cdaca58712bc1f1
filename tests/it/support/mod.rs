//! The built binary in a clean environment, the folders it works in, and what it left behind.

pub(crate) mod project;
pub(crate) mod python;
pub(crate) mod samara;
pub(crate) mod shared;

pub(crate) use project::Project;
pub(crate) use samara::Outcome;

/// Whether a program is on this machine; said on standard error when it is not.
#[expect(clippy::print_stderr, reason = "a test that cannot run says why")]
pub(crate) fn installed(program: &str) -> bool {
    let output = std::process::Command::new(program).arg("--version").output();
    let found = output.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}
