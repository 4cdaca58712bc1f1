//! `samara diff`: a template against the stack that is there.

use std::collections::BTreeMap;

use clap::Args;

use super::context::{Context, now_s};
use super::deploy::{EngineChoice, choose};
use super::exit::{Error, Status};
use super::package::located;
use super::template_file;
use crate::aws::Aws;
use crate::aws::cloudformation::Stage;
use crate::deploy::diff::{self, Side};
use crate::deploy::samconfig::{self, Section};
use crate::deploy::{live, options};
use crate::package::{self, bucket};
use crate::rollout::plan::Engine;
use crate::template::{Map, Node, Template, parameters};
use crate::transform::{self, DeploymentPreference};

/// Show what a template would change in its stack, without making a change set.
///
/// The template is packaged (nothing is uploaded) and transformed as `deploy` does it, and compared
/// with the template that the stack has. Reads only: DescribeStacks, GetTemplate, and DescribeType
/// for what cannot be changed in place. What `deploy` is told by samconfig.toml holds here, too.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Examples:
  samara diff
  samara diff --stack-name app --parameter-overrides Stage=prod
  samara diff --exit-code || echo 'there is something to deploy'
  samara diff --output json | jq '.resources[] | select(.effect == \"replace\")'")]
pub struct DiffArgs {
    /// The template [default: template.yaml, template.yml or template.json]
    #[arg(short = 't', long, visible_alias = "template", value_name = "FILE", env = "SAM_TEMPLATE_FILE")]
    template_file: Option<String>,
    /// The stack's name
    #[arg(long, value_name = "NAME")]
    stack_name: Option<String>,
    /// Values of the template's parameters: NAME=VALUE …; the stack's own hold for the others
    #[arg(long, value_name = "NAME=VALUE", num_args = 1..)]
    parameter_overrides: Vec<String>,
    /// End with status 1 when something differs, and with 2 when that cannot be told
    #[arg(long)]
    exit_code: bool,
    /// The bucket that `deploy` uploads code to [default: samara's own]
    #[arg(long, value_name = "BUCKET")]
    s3_bucket: Option<String>,
    /// The prefix of the code's keys in it
    #[arg(long, value_name = "PREFIX")]
    s3_prefix: Option<String>,
    /// Configuration file, relative to the template's folder [default: samconfig.toml]
    #[arg(long, value_name = "FILE")]
    config_file: Option<String>,
    /// Environment in the configuration file [default: default]
    #[arg(long, value_name = "NAME")]
    config_env: Option<String>,
}

/// Compares, and shows what differs.
///
/// # Errors
/// The template cannot be read, packaged or transformed; a call failed.
pub fn run(context: &Context, args: &DiffArgs) -> Result<Status, Error> {
    match compare(context, args) {
        Ok(true) if args.exit_code => Ok(Status::Failed),
        Ok(_) => Ok(Status::Done),
        Err(error) if args.exit_code => Err(Error::Trouble(Box::new(error))),
        Err(error) => Err(error),
    }
}

/// What flags and samconfig.toml say.
struct Settings {
    stack: String,
    overrides: BTreeMap<String, String>,
    bucket: Option<String>,
    prefix: Option<String>,
    region: Option<String>,
    profile: Option<String>,
    include: Vec<String>,
    allow_external_links: bool,
}

fn resolve(args: &DiffArgs, section: &Section) -> Result<Settings, Error> {
    let text = |flag: &Option<String>, key: &str| -> Result<Option<String>, Error> {
        Ok(match flag {
            Some(value) => Some(value.clone()),
            None => section.string(key)?.filter(|value| !value.is_empty()),
        })
    };
    let read = |file: &str| std::fs::read_to_string(file).map_err(|error| error.to_string());
    let overrides = match (args.parameter_overrides.is_empty(), section.get("parameter_overrides")) {
        (true, None) => options::Pairs::new(),
        (true, Some(node)) => options::overrides_from(node, &read)
            .map_err(|error| section.error_at("parameter_overrides", error.to_string()))?,
        (false, _) => options::overrides(&args.parameter_overrides, &read)
            .map_err(|error| Error::Usage(format!("--parameter-overrides: {error}")))?,
    };
    let Some(stack) = text(&args.stack_name, "stack_name")? else {
        return Err(Error::Usage(
            "the stack has no name: give --stack-name, or put `stack_name` into samconfig.toml".to_owned(),
        ));
    };
    Ok(Settings {
        stack,
        overrides: overrides.into_iter().collect(),
        bucket: text(&args.s3_bucket, "s3_bucket")?,
        prefix: text(&args.s3_prefix, "s3_prefix")?,
        region: section.string("region")?,
        profile: section.string("profile")?,
        include: section.list("include")?.unwrap_or_default(),
        allow_external_links: section.boolean("allow_external_links")?.unwrap_or(false),
    })
}

/// Whether there is a difference.
fn compare(context: &Context, args: &DiffArgs) -> Result<bool, Error> {
    let path = template_file::find(&context.cwd, args.template_file.as_deref());
    let folder = match &path {
        Ok(path) => template_file::folder(&context.cwd, path),
        Err(_) => context.cwd.clone(),
    };
    let config = samconfig::load(&folder, args.config_file.as_deref(), args.config_env.as_deref())?;
    let section = config.layers(&["deploy", "diff"]);
    context.findings(&section.warnings());
    let settings = resolve(args, &section)?;
    let path = match section.string("template_file")?.or(section.string("template")?) {
        Some(named) if args.template_file.is_none() => named.into(),
        _ => path?,
    };
    let template = template_file::read(context, &context.cwd, &path)?;
    let rules = crate::validate::Options { today: super::validate::today(), files: None };
    let found = crate::validate::validate(&template, rules);
    if found.has_errors() {
        return Err(context.failed("diff", &found));
    }
    let given = settings.overrides.clone();
    for name in &parameters::effective(&template, &given).unknown {
        context.terminal.warn(format_args!("the template has no parameter {name}; its value is not used"));
    }
    let options = package::Options {
        prefix: settings.prefix.clone(),
        include: settings.include.clone(),
        allow_external_links: settings.allow_external_links,
        project: Some(context.cwd.clone()),
        ..package::Options::default()
    };
    let base = template_file::folder(&context.cwd, &path);
    let prepared = package::prepare(&template, &base, &options, &|_| ()).map_err(|error| located(context, error))?;
    let words = "interrupted: nothing was changed";
    super::block_on_until_interrupted(
        async {
            let aws = context.aws(settings.region.clone(), settings.profile.clone()).await?;
            let bucket = match &settings.bucket {
                Some(bucket) => Some(bucket.clone()),
                None if prepared.needs_bucket() => {
                    bucket::find(&aws).await.map_err(package::Error::from)?.map(|bucket| bucket.name)
                }
                None => None,
            };
            let packaged = match &bucket {
                Some(bucket) => prepared.look(&aws.s3(), bucket, &options).await?,
                None => prepared.dry_run("MANAGED-BUCKET"),
            };
            let source = Template { source: template.source.clone(), root: packaged.template };
            differs(context, &aws, &settings, &source).await
        },
        words,
    )
}

async fn differs(context: &Context, aws: &Aws, settings: &Settings, packaged: &Template) -> Result<bool, Error> {
    let name = &settings.stack;
    let cloudformation = aws.cloudformation();
    let stack = cloudformation.stack(name).await?.filter(|stack| !stack.status.is_review());
    let live = match &stack {
        Some(stack) => {
            let text = cloudformation.template(&stack.id, Stage::Processed).await?;
            live::parse(&format!("stack {name}"), &text)?
        }
        None => {
            context.terminal.warn(format_args!("there is no stack {name} in {} yet", aws.region()));
            Node::from(Map::new())
        }
    };
    let before: BTreeMap<String, String> =
        stack.map(|stack| stack.parameters).unwrap_or_default().into_iter().collect();
    let mut after = parameters::effective(packaged, &settings.overrides).values;
    // What is not given keeps the value that the stack has.
    after.extend(
        before
            .iter()
            .filter(|(key, _)| !settings.overrides.contains_key(*key))
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    let local = plain(context, aws, packaged, &live, &after)?;
    let (old, new) = (Side { template: &live, parameters: &before }, Side { template: &local, parameters: &after });
    let mut create_only = BTreeMap::new();
    for kind in diff::types(old, new) {
        match cloudformation.create_only_properties(&kind).await {
            Ok(properties) => {
                create_only.insert(kind, properties);
            }
            Err(error) => {
                context.terminal.warn(format_args!("what replaces a {kind} cannot be told: {error}"));
            }
        }
    }
    let found = diff::diff(old, new, &create_only);
    if context.terminal.is_json() {
        context.terminal.json(&crate::ui::diff::json(name, &found));
    } else {
        crate::ui::diff::show(context.terminal, name, &found);
    }
    Ok(!found.is_empty())
}

/// What `deploy` would give CloudFormation.
fn plain(
    context: &Context,
    aws: &Aws,
    packaged: &Template,
    live: &Node,
    values: &BTreeMap<String, String>,
) -> Result<Node, Error> {
    if !transform::is_needed(packaged) {
        return Ok(packaged.root.clone());
    }
    let options = transform::Options {
        region: aws.region().to_owned(),
        parameters: values.iter().filter(|(_, value)| *value != "****").map(|(k, v)| (k.clone(), v.clone())).collect(),
        deployment_preference: match choose(EngineChoice::default(), Some(live), &packaged.root) {
            Engine::CodeDeploy => DeploymentPreference::AsWritten,
            Engine::Alias => DeploymentPreference::Disabled,
        },
        now_s: Some(now_s()),
    };
    let transformed =
        transform::transform(packaged, &options).map_err(|findings| context.failed("transform", &findings))?;
    Ok(transformed.template)
}
