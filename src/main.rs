//! Parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    samara::cli::main()
}
