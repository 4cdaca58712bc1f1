//! `samara transform`: the plain CloudFormation that a SAM template stands for.

use std::io::Read as _;
use std::path::Path;

use clap::Args;

use super::context::{Context, now_s};
use super::exit::{Error, Status};
use super::template_file;
use crate::deploy::options;
use crate::template::{Template, read, write};
use crate::transform::{self, DeploymentPreference, INVALID, Options};

/// The region that stands in where none is known: it decides the partition, no more.
const REGION: &str = "us-east-1";

/// CloudFormation's own limit for a template.
const LIMIT_BYTES: u64 = 1 << 20;

/// Print the plain CloudFormation that a SAM template stands for.
///
/// Gives what AWS's own transform gives: the same resources, properties, logical IDs and hashes.
/// Nothing is sent anywhere, and nobody is asked: an application of the Serverless Application
/// Repository, whose template only AWS knows, is an error that names its line.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Examples:
  samara transform
  samara transform -t template.yaml --region eu-central-1 --output json
  samara transform --parameter-overrides Stage=prod Name=orders
  cat template.yaml | samara transform -t -")]
pub struct TransformArgs {
    /// The template, or - for standard input [default: template.yaml, template.yml or template.json]
    #[arg(short = 't', long, visible_alias = "template", value_name = "FILE", env = "SAM_TEMPLATE_FILE")]
    template_file: Option<String>,
    /// Values of the template's parameters: NAME=VALUE …, or file://values.toml
    #[arg(long, value_name = "NAME=VALUE", num_args = 1..)]
    parameter_overrides: Vec<String>,
    /// Put s3://bucket/value where the template names local code, to transform it unpackaged
    #[arg(long)]
    placeholder_uris: bool,
    /// Leave CodeDeploy out, as with DeploymentPreference Enabled: false; samara's own rollouts do
    #[arg(long)]
    disable_deployment_preference: bool,
}

/// Transforms, and prints the template: YAML, or JSON with --output json.
///
/// # Errors
/// There is no template, it cannot be read, or it cannot be transformed.
pub fn run(context: &Context, args: &TransformArgs) -> Result<Status, Error> {
    let mut template = read_template(context, args.template_file.as_deref())?;
    let include = |file: &str| std::fs::read_to_string(file).map_err(|error| error.to_string());
    let overrides = options::overrides(&args.parameter_overrides, &include)
        .map_err(|error| Error::Usage(format!("--parameter-overrides: {error}")))?;
    if args.placeholder_uris {
        transform::placeholder::put(&mut template.root);
    }
    let region = context.global.region.clone().or_else(|| context.env("AWS_REGION"));
    let region = region.or_else(|| context.env("AWS_DEFAULT_REGION")).unwrap_or_else(|| REGION.to_owned());
    let preference = match args.disable_deployment_preference {
        true => DeploymentPreference::Disabled,
        false => DeploymentPreference::AsWritten,
    };
    let parameters = overrides.into_iter().collect();
    let options = Options { region, parameters, deployment_preference: preference, now_s: Some(now_s()) };
    let transformed = transform::transform(&template, &options).map_err(|findings| {
        if findings.items.iter().any(|item| item.rule == INVALID) {
            context.terminal.line(transform::published_message(&findings.items));
        }
        context.failed("transform", &findings)
    })?;
    if context.terminal.is_json() {
        context.terminal.data(write::json(&transformed.template).trim_end());
    } else {
        context.terminal.data(write::yaml(&transformed.template).trim_end());
    }
    Ok(Status::Done)
}

fn read_template(context: &Context, named: Option<&str>) -> Result<Template, Error> {
    if named != Some("-") {
        let path = template_file::find(&context.cwd, named)?;
        return template_file::read_leniently(context, &context.cwd, &path);
    }
    let file = |source| Error::File { action: "read", path: Path::new("standard input").to_owned(), source };
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(LIMIT_BYTES + 1).read_to_end(&mut bytes).map_err(file)?;
    if bytes.len() as u64 > LIMIT_BYTES {
        return Err(file(std::io::Error::other("it is larger than 1 MB, CloudFormation's limit for a template")));
    }
    let source = read::decode("<stdin>", &bytes).map_err(|findings| context.failed("read", &findings))?;
    template_file::lenient(context, source)
}
