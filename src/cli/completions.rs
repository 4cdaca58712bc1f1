//! `samara completions`: the shell's completion script.

use std::io::Write;

use clap::Args;
use clap_complete::Shell;

use super::context::Context;
use super::exit::{Error, Status};

/// Print the completion script of a shell.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  samara completions bash > ~/.local/share/bash-completion/completions/samara
  samara completions zsh > ~/.zfunc/_samara
  samara completions fish > ~/.config/fish/completions/samara.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script on standard output.
///
/// # Errors
/// None: a reader that has gone away is not an error.
pub fn run(context: &Context, args: &CompletionsArgs) -> Result<Status, Error> {
    let script = script(args.shell);
    context.terminal.data(script.trim_end());
    Ok(Status::Done)
}

/// The script of one shell, as it stands in `completions/`.
pub fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "samara", &mut bytes);
    // Writing to memory does not fail, and clap writes UTF-8.
    let _ = bytes.flush();
    String::from_utf8_lossy(&bytes).into_owned()
}
