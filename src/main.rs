//! Parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    if samara::rehearse::function::is_bootstrap() {
        return samara::rehearse::function::main();
    }
    samara::cli::main()
}
