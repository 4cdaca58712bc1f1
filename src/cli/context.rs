//! What every command is given: where AWS is, how to print, whether to ask. The environment is read
//! here and nowhere else.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;

use crate::aws::{self, Aws};
use crate::cli::exit::Error;
use crate::diagnostic::{Diagnostics, Severity};
use crate::sandbox;
use crate::ui::diagnostic;
use crate::ui::terminal::{Color, Output, Terminal};

/// The options that every command has.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// AWS region, such as eu-central-1
    #[arg(long, global = true, value_name = "REGION", value_parser = parse_region)]
    pub region: Option<String>,
    /// Profile of ~/.aws/config
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Use the project's own sandbox under .samara/ instead of an AWS account; started when needed
    #[arg(long, global = true)]
    pub sandbox: bool,
    /// What is printed on standard output
    #[arg(long, global = true, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Print what is done in detail, without secrets and bodies, on standard error
    #[arg(long, global = true)]
    pub debug: bool,
}

/// The time, in seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the edge: the transform takes the time as a value")]
pub(super) fn now_s() -> u64 {
    u64::try_from(time::OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default()
}

fn parse_region(text: &str) -> Result<String, &'static str> {
    if aws::is_region(text) { Ok(text.to_owned()) } else { Err("a region looks like eu-central-1") }
}

/// What every command is given.
#[derive(Debug)]
pub struct Context {
    /// The options that every command has.
    pub global: GlobalArgs,
    /// What people and programs see.
    pub terminal: Terminal,
    /// The folder that the command was started in.
    pub cwd: PathBuf,
}

impl Context {
    /// From the arguments, the terminal and the process's environment.
    ///
    /// # Errors
    /// The current folder is gone.
    pub fn new(global: GlobalArgs, terminal: Terminal) -> Result<Self, Error> {
        let cwd = std::env::current_dir().map_err(|source| Error::File {
            action: "find",
            path: PathBuf::from("the current folder"),
            source,
        })?;
        if global.debug {
            log_to_stderr();
        }
        Ok(Self { global, terminal, cwd })
    }

    /// The options that say where things are, as they were given, for commands that are printed to be
    /// pasted.
    pub fn place(&self) -> Vec<String> {
        let named = [("--region", &self.global.region), ("--profile", &self.global.profile)];
        let mut words: Vec<String> =
            named.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value.clone()?])).flatten().collect();
        if self.global.sandbox {
            words.push("--sandbox".to_owned());
        }
        words
    }

    /// Whether a question can be asked: both ends are a terminal and the output is for a person.
    pub fn may_ask(&self) -> bool {
        self.global.output == Output::Text && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// An environment variable that is set and not empty.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    /// Shows findings that do not end the command, with their lines, on standard error.
    pub fn findings(&self, findings: &Diagnostics) {
        let text = diagnostic::text(findings, diagnostic::Style::Colored);
        if !text.is_empty() {
            self.terminal.line(text.trim_end());
        }
    }

    /// Shows the findings that end the command (as JSON on standard output when that is wanted) and
    /// gives the error to end it with: `cannot <action> <file>: 2 problems`.
    pub fn failed(&self, action: &str, findings: &Diagnostics) -> Error {
        if self.terminal.is_json() {
            self.terminal.json(&diagnostic::json(findings));
        } else {
            self.findings(findings);
        }
        let count = findings.items.iter().filter(|item| item.severity == Severity::Error).count();
        let problems = if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") };
        Error::Findings(format!("cannot {action} {}: {problems}", findings.source.name()))
    }

    /// Connects to AWS, or to the sandbox with `--sandbox`. `region` and `profile` are those of
    /// samconfig.toml; the flags go before them.
    ///
    /// # Errors
    /// No region; the sandbox does not start.
    pub async fn aws(&self, region: Option<String>, profile: Option<String>) -> Result<Aws, Error> {
        let mut settings = aws::Settings {
            region: self.global.region.clone().or_else(|| self.env("AWS_REGION")).or(region),
            profile: self.global.profile.clone().or(profile),
            // The SDK reads AWS_ENDPOINT_URL by itself, and a service's own, such as AWS_ENDPOINT_URL_S3, before it;
            // what is set here would go before both.
            endpoint_url: None,
            static_credentials: None,
            ca_bundle: self.env("AWS_CA_BUNDLE").map(PathBuf::from),
            ..aws::Settings::default()
        };
        if self.global.sandbox {
            let running = sandbox::process::ensure_running(&self.cwd).await?;
            settings.endpoint_url = Some(running.endpoint_url());
            settings.static_credentials = Some((sandbox::ACCOUNT.to_owned(), "sandbox".to_owned()));
            settings.region.get_or_insert_with(|| sandbox::REGION.to_owned());
            settings.profile = None;
        }
        Ok(Aws::connect(&settings).await?)
    }
}

/// Our own messages only: the SDK's and hyper's would show headers and bodies.
fn log_to_stderr() {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;

    let ours = Targets::new().with_target("samara", LevelFilter::DEBUG);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(anstream::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // A second one in the same process changes nothing.
    let _ = tracing_subscriber::registry().with(ours).with(lines).try_init();
}
