//! The command line: one file a subcommand, one enum, one match.

pub mod completions;
pub mod context;
pub mod deploy;
pub mod diff;
pub mod exit;
pub mod init;
pub mod package;
pub mod rehearse;
pub mod rollout;
pub mod sandbox;
pub mod template_file;
pub mod transform;
pub mod validate;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use context::{Context, GlobalArgs};
use exit::{Error, Status};

use crate::hint::Hint;
use crate::ui::sanitize::sanitize;
use crate::ui::terminal::Terminal;

/// From an empty folder to production on AWS Lambda, with every new version shifted in safely.
#[derive(Debug, Parser)]
#[command(name = "samara", version, propagate_version = true, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Validate(validate::ValidateArgs),
    Transform(transform::TransformArgs),
    Package(Box<package::PackageArgs>),
    Deploy(Box<deploy::DeployArgs>),
    Diff(diff::DiffArgs),
    Rollout(rollout::RolloutArgs),
    Rehearse(rehearse::RehearseArgs),
    Sandbox(sandbox::SandboxArgs),
    Completions(completions::CompletionsArgs),
}

/// The whole grammar, for completions and documentation.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the arguments, runs the command and says how it ended.
pub fn main() -> ExitCode {
    let cli = match parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(error) => {
            let printed = error.print();
            let status = u8::try_from(error.exit_code()).unwrap_or(Status::Usage as u8);
            return match printed {
                // Help that nobody could read was not given.
                Err(error) if status == 0 && error.kind() != std::io::ErrorKind::BrokenPipe => Status::Failed.into(),
                _ => status.into(),
            };
        }
    };
    let terminal = Terminal::new(cli.global.color, cli.global.output);
    let result = Context::new(cli.global, terminal).and_then(|context| run(&context, cli.command));
    let status = match result {
        Ok(status) => status,
        Err(error) => failed(terminal, &error),
    };
    match terminal.lost() {
        Some(reason) => {
            terminal.error(&Error::Findings(format!("cannot write to standard output: {reason}")), &[]);
            if status == Status::Done { Status::Failed } else { status }.into()
        }
        None => status.into(),
    }
}

/// Names with control characters are shown escaped in the grammar's own messages too.
fn parse(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(&arguments).map_err(|error| {
        let escaped: Vec<String> =
            arguments.iter().map(|argument| sanitize(&argument.to_string_lossy()).into_owned()).collect();
        Cli::try_parse_from(escaped).err().unwrap_or(error)
    })
}

/// Tells people on standard error, and with `--output json` programs on standard output, unless the
/// command has put its own answer (findings, a deploy's lines) there.
fn failed(terminal: Terminal, error: &Error) -> Status {
    let (status, hints) = (error.status(), error.hints());
    if terminal.is_json() && !terminal.has_printed() {
        terminal.json(&serde_json::json!({
            "schema": crate::ui::rollout::SCHEMA,
            "type": "error",
            "error": { "message": error.to_string(), "hints": hints, "exit_status": status as u8 },
        }));
    }
    terminal.error(error, &hints);
    status
}

fn run(context: &Context, command: Command) -> Result<Status, Error> {
    match command {
        Command::Deploy(args) => deploy::run(context, &args),
        Command::Diff(args) => diff::run(context, &args),
        Command::Init(args) => init::run(context, args),
        Command::Package(args) => package::run(context, *args),
        Command::Rollout(args) => rollout::run(context, args),
        Command::Completions(args) => completions::run(context, &args),
        Command::Rehearse(args) => rehearse::run(context, args),
        Command::Sandbox(args) => sandbox::run(context, &args),
        Command::Transform(args) => transform::run(context, &args),
        Command::Validate(args) => validate::run(context, &args),
    }
}

/// Like [`block_on`], until SIGINT or SIGTERM: then it is dropped, and `words` tell what that means.
fn block_on_until_interrupted<T>(
    future: impl Future<Output = Result<T, Error>>,
    words: &'static str,
) -> Result<T, Error> {
    block_on(until_interrupted(future, words))?
}

/// The future, until SIGINT or SIGTERM.
async fn until_interrupted<T>(future: impl Future<Output = Result<T, Error>>, words: &'static str) -> Result<T, Error> {
    let failed = |source| Error::File { action: "listen to", path: "signals".into(), source };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        result = future => result,
        _ = interrupt.recv() => Err(Error::Interrupted(words.to_owned())),
        _ = terminate.recv() => Err(Error::Interrupted(words.to_owned())),
    }
}

/// Runs a command that waits for the network. Commands that do not (`validate`, `init`) never start
/// the runtime.
fn block_on<F: Future>(future: F) -> Result<F::Output, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|source| Error::File {
        action: "start",
        path: "the asynchronous runtime".into(),
        source,
    })?;
    Ok(runtime.block_on(future))
}
