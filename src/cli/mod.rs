//! The command line: one file a subcommand, one enum, one match.

pub mod completions;
pub mod context;
pub mod deploy;
pub mod exit;
pub mod init;
pub mod package;
pub mod rehearse;
pub mod rollout;
pub mod sandbox;
pub mod template_file;
pub mod transform;
pub mod validate;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use context::{Context, GlobalArgs};
use exit::{Error, Status};

use crate::hint::Hint;

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
    let cli = Cli::parse();
    let context = match Context::new(cli.global.clone()) {
        Ok(context) => context,
        Err(error) => {
            return Status::from(&error).into();
        }
    };
    match run(&context, cli.command) {
        Ok(status) => status.into(),
        Err(error) => {
            context.terminal.error(&error, &error.hints());
            error.status().into()
        }
    }
}

impl From<&Error> for Status {
    fn from(error: &Error) -> Self {
        error.status()
    }
}

fn run(context: &Context, command: Command) -> Result<Status, Error> {
    match command {
        Command::Deploy(args) => deploy::run(context, &args),
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
