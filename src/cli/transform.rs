//! `samara transform`: the plain CloudFormation that a SAM template stands for.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::context::{Context, now_s};
use super::exit::{Error, Status};
use super::template_file;
use crate::aws::Aws;
use crate::aws::cloudformation::{Redacted, Stage, TEMPLATE_BODY_LIMIT, TemplateSource};
use crate::deploy::diff::{self, Side};
use crate::deploy::{self, StackChange, change_set, live, options};
use crate::template::{Map, Node, Template, parameters, read, write};
use crate::transform::{self, DeploymentPreference, INVALID, Options, Transformed, explain};
use crate::ui::sanitize::sanitize;

/// The region that stands in where none is known: it decides the partition, no more.
const REGION: &str = "us-east-1";

/// How long after an interrupted call its stack may still appear.
const LATE_CALL: Duration = Duration::from_secs(3);

/// CloudFormation's own limit for a template.
const LIMIT_BYTES: u64 = 1 << 20;

/// Print the plain CloudFormation that a SAM template stands for.
///
/// Gives what AWS's own transform gives: the same resources, properties, logical IDs and hashes.
/// Nothing is sent anywhere, and nobody is asked, unless --compare-with-aws is given: an application of the Serverless Application
/// Repository, whose template only AWS knows, is an error that names its line.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Examples:
  samara transform
  samara transform -t template.yaml --region eu-central-1 --output json
  samara transform --parameter-overrides Stage=prod Name=orders
  samara transform --explain HelloRole                     says what made a resource, where and why
  cat template.yaml | samara transform -
  samara transform --placeholder-uris --compare-with-aws   asks CloudFormation for its own result")]
pub struct TransformArgs {
    /// The template, or - for standard input: the same as --template-file
    #[arg(value_name = "FILE", conflicts_with = "template_file")]
    file: Option<String>,
    /// The template, or - for standard input [default: template.yaml, template.yml or template.json]
    #[arg(short = 't', long, visible_alias = "template", value_name = "FILE")]
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
    /// Say what made a resource of the result: file, line and rule
    #[arg(long, value_name = "LOGICAL_ID")]
    explain: Option<String>,
    /// Have CloudFormation transform the template too, and show where the results differ: a change set
    /// of a stack that does not exist is made in your account, read, and deleted
    #[arg(long, conflicts_with = "explain")]
    compare_with_aws: bool,
}

/// Transforms, and prints the template: YAML, or JSON with --output json.
///
/// # Errors
/// There is no template, it cannot be read, or it cannot be transformed.
pub fn run(context: &Context, args: &TransformArgs) -> Result<Status, Error> {
    let named = args.file.clone().or_else(|| args.template_file.clone()).or_else(|| context.env("SAM_TEMPLATE_FILE"));
    let mut template = read_template(context, named.as_deref())?;
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
    if let Some(logical_id) = &args.explain {
        return explained(context, &template, &transformed, logical_id);
    }
    if args.compare_with_aws {
        return compare(context, &template, &options, &transformed);
    }
    if context.terminal.is_json() {
        context.terminal.data(write::json(&transformed.template).trim_end());
    } else {
        context.terminal.data(write::yaml(&transformed.template).trim_end());
    }
    // The process ends here: to give a large template back part by part would take a tenth of its time.
    std::mem::forget((template, transformed));
    Ok(Status::Done)
}

fn explained(
    context: &Context,
    template: &Template,
    transformed: &Transformed,
    logical_id: &str,
) -> Result<Status, Error> {
    let Some(found) = explain::explain(&template.root, transformed, logical_id) else {
        let resources = transformed.template.get("Resources").and_then(Node::as_map);
        let names = resources.into_iter().flat_map(Map::keys).collect::<Vec<_>>().join(", ");
        return Err(Error::Findings(format!("the result has no resource {logical_id}; it has {names}")));
    };
    let position = found.span.map(|span| template.source.position(span.range().start));
    let file = template.source.name();
    if context.terminal.is_json() {
        context.terminal.json(&json!({
            "schema": crate::ui::rollout::SCHEMA,
            "type": "explanation",
            "logical_id": logical_id,
            "resource_type": found.kind,
            "source": found.source,
            "source_type": found.source_kind,
            "path": found.path,
            "file": file,
            "line": position.map(|position| position.line),
            "column": position.map(|position| position.column),
            "rule": found.rule,
        }));
        return Ok(Status::Done);
    }
    let data = |text: String| context.terminal.data(sanitize(&text));
    data(format!("{logical_id}  {}", found.kind));
    data(format!("  from  {}  {}", found.source, found.source_kind.as_deref().unwrap_or("(not in the template)")));
    if let Some(position) = position {
        data(format!("  at    {file}:{}:{}  {}", position.line, position.column, found.path).trim_end().to_owned());
    }
    data(format!("  rule  {}", found.rule));
    Ok(Status::Done)
}

/// The name of the stack that is never made.
fn nobodys_stack() -> String {
    format!("samara-compare-{:08x}", fastrand::u32(..))
}

/// What is sent to CloudFormation: as YAML, or as JSON without white space where only that is short
/// enough.
fn body(template: &Template) -> Result<String, Error> {
    let texts = [write::yaml(&template.root), template.root.to_json().to_string()];
    let shortest = texts.iter().map(String::len).min().unwrap_or_default();
    texts.into_iter().find(|text| text.len() <= TEMPLATE_BODY_LIMIT).ok_or_else(|| {
        Error::Usage(format!(
            "--compare-with-aws sends the template in the call, which takes {TEMPLATE_BODY_LIMIT} bytes; this one has \
             {shortest}"
        ))
    })
}

/// CloudFormation's own result, by a change set that is deleted again, with the stack that it was for.
async fn processed(aws: &Aws, change: &StackChange, sink: deploy::Sink<'_>) -> Result<Node, Error> {
    let deploy::Prepared::Ready(ready) = deploy::prepare(aws, change, sink).await? else {
        return Err(Error::Findings("CloudFormation finds nothing to make in this template".to_owned()));
    };
    let text = aws.cloudformation().change_set_template(&ready.id, Stage::Processed).await;
    change_set::discard(aws, &ready.id, sink).await?;
    Ok(live::parse("the change set", &text?)?)
}

/// Has CloudFormation transform the template, and leaves nothing behind in the account: not when it
/// fails either, and not when somebody interrupts it.
async fn ask(context: &Context, change: &StackChange) -> Result<Node, Error> {
    let stack = &change.stack;
    let asked = AtomicBool::new(false);
    let sink = |event: deploy::Event| {
        if matches!(event, deploy::Event::CreatingChangeSet { .. }) {
            asked.store(true, Ordering::Relaxed);
        }
    };
    let aws = super::until_interrupted(context.aws(None, None), "interrupted: nobody was asked").await?;
    let region = aws.region();
    context.terminal.status("Asking", format_args!("CloudFormation in {region} by a change set of {stack}"));
    let words = "interrupted: CloudFormation's result is not known";
    let found = super::until_interrupted(processed(&aws, change, &sink), words).await;
    if let Err(error) = &found
        && asked.load(Ordering::Relaxed)
    {
        let late = if matches!(error, Error::Interrupted(_)) { LATE_CALL } else { Duration::ZERO };
        let withdrawn = async { change_set::withdraw(&aws, stack, late, &|_| ()).await.map_err(Error::from) };
        if let Err(error) = super::until_interrupted(withdrawn, "interrupted again").await {
            context.terminal.warn(format_args!(
                "stack {stack} may be left in REVIEW_IN_PROGRESS; it has no resources, and deleting it is free: {error}"
            ));
        }
    }
    found
}

/// Has CloudFormation transform the template, and shows where it comes to something else.
fn compare(context: &Context, template: &Template, options: &Options, ours: &Transformed) -> Result<Status, Error> {
    let mut change = StackChange::new(nobodys_stack(), TemplateSource::Body(body(template)?));
    change.declared = parameters::declared(template).iter().map(|one| one.name.to_owned()).collect();
    change.overrides = options.parameters.iter().map(|(name, value)| (name.clone(), Redacted::new(value))).collect();
    let all = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"];
    change.capabilities = all.map(str::to_owned).into();
    let theirs = super::block_on(ask(context, &change))??;
    let none = BTreeMap::new();
    let side = |template| Side { template, parameters: &none };
    let found = diff::diff(side(&theirs), side(&ours.template), &BTreeMap::new());
    let name = "AWS's own transform";
    if context.terminal.is_json() {
        context.terminal.json(&crate::ui::diff::json(name, &found));
    } else if found.is_empty() {
        context.terminal.status("Same", "CloudFormation's transform gives the same");
    } else {
        crate::ui::diff::show(context.terminal, name, &found);
    }
    Ok(if found.is_empty() { Status::Done } else { Status::Failed })
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
