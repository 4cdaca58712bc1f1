//! `samara deploy`: transform, upload, change set, review, execute, events, outputs, and then the
//! rollout. Here are the arguments, the questions and how it all begins; `steps` strings it together.

mod consent;
mod engine;
mod holding;
mod interrupt;
mod plain;
mod rejected;
mod settings;
mod shifting;
mod steps;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::context::Context;
use super::exit::{Error, Status};
use super::rollout::audience::TellArgs;
use super::rollout::options::{OnInterrupt, OptionArgs};
use super::template_file;
use crate::deploy::guided::{Answers, Defaults, Guide, Refused};
use crate::deploy::samconfig::{self, Config, NAMES, write};
use crate::deploy::{self, OnFailure, guided};
use crate::hint::Hint;
use crate::rollout::command::CommandLine;
use crate::rollout::names::paste_also;
use crate::template::{Template, parameters};
use crate::ui::deploy::{Report, failed_resources};
use crate::ui::prompt;

pub use engine::EngineChoice;
pub(super) use engine::choose;
use settings::Settings;
use steps::Steps;

/// Deploy an application: upload its code, show what would change, change the stack, and shift the
/// traffic to the new version safely.
///
/// The template's code folders are packaged and uploaded, its SAM resources become CloudFormation,
/// and a change set is made, shown and executed. Where the template has a DeploymentPreference, or
/// --strategy is given, the live alias stays where it is until the new version is published; then
/// its traffic moves step by step, and goes back by itself when the new version is worse.
///
/// Options are read from samconfig.toml, too; what stands on the command line goes before it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara deploy --guided                                   asks everything, and saves the answers
  samara deploy --stack-name app --capabilities CAPABILITY_IAM
  samara deploy --sandbox --stack-name app                 in the sandbox, without an AWS account
  samara deploy --stack-name app --parameter-overrides Stage=prod 'Title=\"two words\"'
  samara deploy --stack-name app --no-execute-changeset    makes the change set and shows it
  samara deploy --dry-run                                  checks everything and calls nothing
  samara deploy --strategy canary:5%:10m --yes
  samara deploy --engine codedeploy                        CodeDeploy moves the traffic; samara watches it")]
pub struct DeployArgs {
    /// The template [default: template.yaml, template.yml or template.json]
    #[arg(short = 't', long, visible_alias = "template", value_name = "FILE", env = "SAM_TEMPLATE_FILE")]
    pub(super) template_file: Option<String>,
    /// The stack's name
    #[arg(long, value_name = "NAME")]
    stack_name: Option<String>,
    /// Ask for everything that is needed, and save the answers to samconfig.toml
    #[arg(short, long)]
    guided: bool,
    /// Check configuration, template and code; call nothing and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Values of the template's parameters: NAME=VALUE …, or file://values.toml
    #[arg(long, value_name = "NAME=VALUE", num_args = 1..)]
    parameter_overrides: Vec<String>,
    /// What the stack may contain: `CAPABILITY_IAM`, `CAPABILITY_NAMED_IAM`, `CAPABILITY_AUTO_EXPAND`
    #[arg(long, value_name = "NAME", num_args = 1..)]
    capabilities: Vec<String>,
    /// Tags of the stack: KEY=VALUE …
    #[arg(long, value_name = "KEY=VALUE", num_args = 1..)]
    tags: Vec<String>,

    /// Ask before the change set is executed
    #[arg(long, overrides_with = "no_confirm_changeset", help_heading = "Change set")]
    confirm_changeset: bool,
    #[arg(long, hide = true)]
    no_confirm_changeset: bool,
    /// Answer yes to everything that would be asked and has no option of its own
    #[arg(short, long, help_heading = "Change set")]
    yes: bool,
    /// Allow changes of what the version that serves still uses, such as its role; --yes does not
    #[arg(long, help_heading = "Change set")]
    accept_changes_in_use: bool,
    /// Delete a version that a failed deploy left in the way, when no alias uses it
    #[arg(long, help_heading = "Change set")]
    delete_orphan_version: bool,
    /// Make the change set, show it and stop
    #[arg(long, help_heading = "Change set")]
    no_execute_changeset: bool,
    #[arg(long, hide = true, overrides_with = "no_fail_on_empty_changeset")]
    fail_on_empty_changeset: bool,
    /// Exit with 0, not 3, when there is nothing to change
    #[arg(long, help_heading = "Change set")]
    no_fail_on_empty_changeset: bool,
    /// Leave what was made when something fails, as --on-failure `DO_NOTHING` does
    #[arg(long, overrides_with = "no_disable_rollback", help_heading = "Change set")]
    disable_rollback: bool,
    #[arg(long, hide = true)]
    no_disable_rollback: bool,
    /// What to do when the stack fails
    #[arg(long, value_enum, value_name = "ACTION", help_heading = "Change set")]
    on_failure: Option<FailureAction>,
    /// Minutes to wait for the stack [default: 60]
    #[arg(long, value_name = "MINUTES", help_heading = "Change set")]
    max_wait_duration: Option<u64>,
    /// Role that CloudFormation works with
    #[arg(long, value_name = "ARN", help_heading = "Change set")]
    role_arn: Option<String>,
    /// SNS topics that hear of the stack's events
    #[arg(long, value_name = "ARN", num_args = 1.., help_heading = "Change set")]
    notification_arns: Vec<String>,
    /// CloudFormation's Express mode: done once the configuration is applied; never with a rollout
    #[arg(long, overrides_with = "no_express", help_heading = "Change set")]
    express: bool,
    #[arg(long, hide = true)]
    no_express: bool,

    /// Who turns SAM resources into CloudFormation
    #[arg(long, value_enum, value_name = "WHO", help_heading = "Transform and rollout")]
    transform: Option<Transformer>,
    /// Who moves the traffic [default: auto]
    #[arg(long, value_enum, value_name = "WHO", help_heading = "Transform and rollout")]
    engine: Option<EngineChoice>,
    /// Move all traffic with the stack's update
    #[arg(long, conflicts_with = "strategy", help_heading = "Transform and rollout")]
    no_rollout: bool,
    /// Deploy and roll out again what was rolled back before
    #[arg(long, help_heading = "Transform and rollout")]
    force: bool,
    #[command(flatten)]
    rollout: OptionArgs,
    /// What Ctrl-C and SIGTERM do during the rollout [default: ask on a terminal, else rollback]
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "How it is shifted and judged")]
    on_interrupt: Option<OnInterrupt>,
    #[command(flatten)]
    tell: TellArgs,

    /// Bucket for the code [default: samara's own, made on first use]
    #[arg(long, value_name = "BUCKET", help_heading = "Upload")]
    s3_bucket: Option<String>,
    /// What stands before every key
    #[arg(long, value_name = "PREFIX", help_heading = "Upload")]
    s3_prefix: Option<String>,
    /// Upload to samara's own bucket, as it does without --s3-bucket
    #[arg(long, overrides_with = "no_resolve_s3", help_heading = "Upload")]
    resolve_s3: bool,
    #[arg(long, hide = true)]
    no_resolve_s3: bool,
    /// KMS key that encrypts the uploads at rest
    #[arg(long, value_name = "KEY", help_heading = "Upload")]
    kms_key_id: Option<String>,
    /// Metadata of every upload: KEY=VALUE,… or a flat JSON object
    #[arg(long, value_name = "MAP", help_heading = "Upload")]
    metadata: Option<String>,
    /// Upload also what the bucket has already
    #[arg(long, help_heading = "Upload")]
    force_upload: bool,
    /// Pack what looks like a secret or would be left out: a pattern in .gitignore's syntax; repeatable
    #[arg(long, value_name = "PATTERN", help_heading = "Upload")]
    include: Vec<String>,
    /// Pack what links point at outside their code folder
    #[arg(long, help_heading = "Upload")]
    allow_external_links: bool,
    /// Show no progress of uploads
    #[arg(long, help_heading = "Upload")]
    no_progressbar: bool,

    /// Configuration file, relative to the template's folder [default: samconfig.toml]
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    config_file: Option<String>,
    /// Environment in the configuration file [default: default]
    #[arg(long, value_name = "NAME", help_heading = "Configuration")]
    config_env: Option<String>,
    /// Write the options of this command line into the configuration file
    #[arg(long, help_heading = "Configuration")]
    save_params: bool,

    #[arg(long, hide = true)]
    use_json: bool,
    #[arg(long, hide = true)]
    image_repository: Option<String>,
    #[arg(long, hide = true, num_args = 1..)]
    image_repositories: Vec<String>,
    #[arg(long, hide = true)]
    resolve_image_repos: bool,
    #[arg(long, hide = true, num_args = 1..)]
    signing_profiles: Vec<String>,
    #[arg(long, hide = true)]
    language_extensions: bool,
    #[arg(long, hide = true)]
    no_language_extensions: bool,
    #[arg(long, hide = true)]
    beta_features: bool,
    #[arg(long, hide = true)]
    no_beta_features: bool,
}

/// Who turns SAM resources into CloudFormation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transformer {
    /// samara, before the change set is made.
    Native,
    /// CloudFormation, through the change set; for what samara does not cover.
    Aws,
}

/// `--on-failure` as SAM CLI writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailureAction {
    /// Go back.
    #[value(name = "ROLLBACK")]
    Rollback,
    /// Go back, and delete a stack that was new.
    #[value(name = "DELETE")]
    Delete,
    /// Leave what was made.
    #[value(name = "DO_NOTHING")]
    DoNothing,
}

impl From<FailureAction> for OnFailure {
    fn from(action: FailureAction) -> Self {
        match action {
            FailureAction::Rollback => Self::Rollback,
            FailureAction::Delete => Self::Delete,
            FailureAction::DoNothing => Self::DoNothing,
        }
    }
}

/// Deploys.
///
/// # Errors
/// Whatever goes wrong on the way; the stack's first cause among it.
pub fn run(context: &Context, args: &DeployArgs) -> Result<Status, Error> {
    let report = Report::new(context.terminal);
    let mut stack = None;
    let result = begin(context, args, report, &mut stack);
    if let Err(error) = &result
        && context.terminal.is_json()
    {
        report.result("failure", failure(error, stack.as_deref()));
    }
    if let Err(Error::Deploy(deploy::Error::Failed(failure))) = &result {
        report.failure(failure);
    }
    result
}

/// SAM CLI's `error` of a failed result.
fn failure(error: &Error, stack: Option<&str>) -> serde_json::Value {
    let (kind, resources) = match error {
        Error::Deploy(deploy::Error::Failed(failure)) => ("DeployFailed", failed_resources(failure)),
        Error::Deploy(deploy::Error::ChangeSet { .. }) => ("ChangeSetFailed", json!([])),
        Error::Usage(_) => ("Usage", json!([])),
        Error::Aws(_) | Error::Deploy(deploy::Error::Aws(_)) => ("Aws", json!([])),
        _ => ("Failed", json!([])),
    };
    json!({
        "stack_name": stack,
        "error": { "type": kind, "message": error.to_string(), "resources": resources, "hints": error.hints() },
    })
}

fn begin(context: &Context, args: &DeployArgs, report: Report, stack: &mut Option<String>) -> Result<Status, Error> {
    not_there_yet(args)?;
    let mut path = template_file::find(&context.cwd, args.template_file.as_deref());
    let folder = match &path {
        Ok(path) => template_file::folder(&context.cwd, path),
        Err(_) => context.cwd.clone(),
    };
    let config = samconfig::load(&folder, args.config_file.as_deref(), args.config_env.as_deref())?;
    let section = config.section("deploy");
    context.findings(&section.warnings());
    if args.template_file.is_none()
        && let Some(named) = section.string("template_file")?.or(section.string("template")?)
    {
        path = Ok(named.into());
    }
    let path = path?;
    let mut settings = settings::resolve(args, &section, path.clone())?;
    settings.tell.check(context)?;
    paste_also(CommandLine::quoted(&context.place()));
    stack.clone_from(&settings.stack_name);
    if context.terminal.is_json() && (settings.guided || settings.confirm_changeset) {
        let option = if settings.guided { "--guided" } else { "--confirm-changeset" };
        return Err(Error::Usage(format!("{option} asks, and --output json is for programs: leave one of them out")));
    }
    let template = template_file::read(context, &context.cwd, &path)?;
    // Whether the code is there is seen when it is packaged.
    let found =
        crate::validate::validate(&template, crate::validate::Options { today: super::validate::today(), files: None });
    if found.has_errors() {
        return Err(context.failed("deploy", &found));
    }
    context.findings(&found);
    let open = guided::without_authentication(&template);
    if settings.guided {
        guide(context, args, &config, &mut settings, &template)?;
        stack.clone_from(&settings.stack_name);
    } else {
        open.iter().for_each(|function| report.no_authentication(function));
    }
    check_parameters(report, &settings, &template)?;
    if settings.save_params && !settings.guided {
        save_params(context, args, &config, &settings, &template)?;
    }
    let steps = Steps::new(context, &settings, &template, template_file::folder(&context.cwd, &path), report);
    if settings.dry_run {
        return steps.dry_run();
    }
    let Some(name) = settings.stack_name.clone() else {
        return Err(Error::Usage(
            "the stack has no name: give --stack-name, put `stack_name` into samconfig.toml, or use --guided"
                .to_owned(),
        ));
    };
    super::block_on(steps.run(&name))?
}

/// What SAM CLI has and samara does not have yet is refused, never ignored.
fn not_there_yet(args: &DeployArgs) -> Result<(), Error> {
    if args.image_repository.is_some() || !args.image_repositories.is_empty() || args.resolve_image_repos {
        return Err(Error::Usage("container images cannot be deployed yet; only zip packages can".to_owned()));
    }
    if !args.signing_profiles.is_empty() {
        return Err(Error::Usage("code signing is not there yet; leave --signing-profiles out".to_owned()));
    }
    if args.language_extensions {
        return Err(Error::Usage(
            "language extensions are expanded by CloudFormation alone: use --transform aws".to_owned(),
        ));
    }
    Ok(())
}

fn check_parameters(report: Report, settings: &Settings, template: &Template) -> Result<(), Error> {
    let given = settings.overrides.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let effective = parameters::effective(template, &given);
    for name in &effective.unknown {
        report.warning(&format!("the template has no parameter {name}; its value is not used"));
    }
    if effective.refused.is_empty() {
        return Ok(());
    }
    let problems: Vec<String> =
        effective.refused.iter().map(|(name, problem)| format!("the value of {name} {problem}")).collect();
    Err(Error::Usage(problems.join("; ")))
}

fn secrets(template: &Template) -> Vec<String> {
    parameters::declared(template).iter().filter(|one| one.no_echo).map(|one| one.name.to_owned()).collect()
}

/// Asks SAM CLI's questions, saves the answers and puts them into the settings.
fn guide(
    context: &Context,
    args: &DeployArgs,
    config: &Config,
    settings: &mut Settings,
    template: &Template,
) -> Result<(), Error> {
    if !context.may_ask() {
        return Err(Error::Usage(
            "--guided asks, and there is no terminal: give --stack-name, --region and --capabilities, and \
             --parameter-overrides for the template's parameters"
                .to_owned(),
        ));
    }
    let terminal = context.terminal;
    terminal.line("\nConfiguring the deploy; an empty answer takes what is in brackets.\n");
    let region =
        context.global.region.clone().or_else(|| settings.region.clone()).or_else(|| context.env("AWS_REGION"));
    let mut guide = Guide::new(
        Defaults {
            stack_name: settings.stack_name.clone(),
            region: region.or_else(|| context.global.sandbox.then(|| crate::sandbox::REGION.to_owned())),
            overrides: settings.overrides.clone(),
            confirm_changeset: settings.confirm_changeset,
            capabilities: settings.capabilities.clone(),
            disable_rollback: settings.on_failure == OnFailure::DoNothing,
            config_file: args.config_file.clone().or_else(|| Some(file_name(config))),
            config_env: args.config_env.clone(),
        },
        template,
    );
    while let Some(question) = guide.question() {
        let answer = prompt::ask(terminal, &question).map_err(|error| Error::Usage(error.to_string()))?;
        match guide.answer(answer) {
            Ok(()) => {}
            Err(Refused::Again(problem)) => terminal.line(crate::ui::sanitize::sanitize(&problem)),
            Err(refused @ Refused::NoAuthentication { .. }) => return Err(Error::Findings(refused.to_string())),
        }
    }
    let answers = guide.answers();
    if let (Some(update), Some(save)) = (answers.update(), &answers.save) {
        let path = config_folder(context, settings).join(&save.file);
        write::save(&path, &update)?;
        terminal.status("Saved", format_args!("arguments to {} (environment {})", save.file, save.env));
    }
    take_over(settings, answers);
    Ok(())
}

fn file_name(config: &Config) -> String {
    config
        .path()
        .and_then(|path| path.file_name())
        .map_or_else(|| NAMES[0].to_owned(), |name| name.to_string_lossy().into_owned())
}

fn config_folder(context: &Context, settings: &Settings) -> std::path::PathBuf {
    samconfig::original_dir(&template_file::folder(&context.cwd, &settings.template))
}

fn take_over(settings: &mut Settings, answers: Answers) {
    // Guided mode uploads to samara's own bucket, under the stack's name.
    settings.s3_bucket = None;
    settings.s3_prefix = Some(answers.stack_name.clone());
    settings.stack_name = Some(answers.stack_name);
    settings.guided_region = Some(answers.region);
    settings.confirm_changeset = answers.confirm_changeset;
    settings.capabilities = answers.capabilities;
    settings.on_failure = if answers.disable_rollback { OnFailure::DoNothing } else { settings.on_failure };
    settings.overrides =
        answers.overrides.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
}

fn save_params(
    context: &Context,
    args: &DeployArgs,
    config: &Config,
    settings: &Settings,
    template: &Template,
) -> Result<(), Error> {
    let update = settings::saved(args, settings, context.global.region.as_deref(), config.env(), &secrets(template));
    let name = args.config_file.clone().unwrap_or_else(|| file_name(config));
    write::save(&config_folder(context, settings).join(&name), &update)?;
    context.terminal.status("Saved", format_args!("arguments to {name} (environment {})", config.env()));
    Ok(())
}
