//! `AWS::Serverless::MicrovmImage`: an image that Lambda builds for microVMs, with the role that
//! builds it.

use super::Resource;
use super::capacity_provider::tags;
use crate::template::{Map, Node};
use crate::transform::build::{list, map, sub, tag_list, text};
use crate::transform::context::Context;
use crate::transform::generated::{Generated, combine_tags};
use crate::transform::policies::trust;
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;
use crate::transform::schema::{self, Field, MAP, Shape, TEXT, may, must};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    required("Name", Kind::TextOrMap).literal(),
    required("CodeUri", Kind::TextOrMap).literal(),
    required("BaseImageArn", Kind::TextOrMap).literal(),
    optional("BuildRoleArn", Kind::TextOrMap).literal(),
    required("BaseImageVersion", Kind::TextOrMap).literal(),
    optional("Description", Kind::TextOrMap).literal(),
    optional("Tags", Kind::Map).literal(),
    optional("Logging", Kind::Map).literal(),
    optional("EgressNetworkConnectors", Kind::List).literal(),
    optional("CpuConfigurations", Kind::List).literal(),
    optional("Resources", Kind::List).literal(),
    optional("AdditionalOsCapabilities", Kind::List).literal(),
    optional("Hooks", Kind::Map).literal(),
    optional("EnvironmentVariables", Kind::Map).literal(),
    optional("PropagateTags", Kind::Bool).literal(),
];

const STATE: Shape = Shape::OrMap(&Shape::Words(&["ENABLED", "DISABLED"]));
const INTEGER: Shape = Shape::OrMap(&Shape::Integer);

const HOOKS: &[Field] = &[
    may("Port", INTEGER),
    may(
        "MicrovmHooks",
        Shape::Fields(&[
            may("Run", STATE),
            may("RunTimeoutInSeconds", INTEGER),
            may("Resume", STATE),
            may("ResumeTimeoutInSeconds", INTEGER),
            may("Suspend", STATE),
            may("SuspendTimeoutInSeconds", INTEGER),
            may("Terminate", STATE),
            may("TerminateTimeoutInSeconds", INTEGER),
        ]),
    ),
    may(
        "MicrovmImageHooks",
        Shape::Fields(&[
            may("Ready", STATE),
            may("ReadyTimeoutInSeconds", INTEGER),
            may("Validate", STATE),
            may("ValidateTimeoutInSeconds", INTEGER),
        ]),
    ),
];

/// What stands within them.
const SCHEMA: &[Field] = &[
    must("Name", TEXT),
    must("CodeUri", TEXT),
    must("BaseImageArn", TEXT),
    must("BaseImageVersion", TEXT),
    may("BuildRoleArn", TEXT),
    may("Description", TEXT),
    may("Tags", MAP),
    may(
        "Logging",
        Shape::Fields(&[
            may("Disabled", Shape::Bool),
            may("CloudWatch", Shape::Fields(&[may("LogGroup", TEXT), may("LogStream", TEXT)])),
        ]),
    ),
    may("EgressNetworkConnectors", Shape::List(&TEXT)),
    may(
        "CpuConfigurations",
        Shape::List(&Shape::Fields(&[must("Architecture", Shape::OrMap(&Shape::Words(&["ARM_64"])))])),
    ),
    may("Resources", Shape::List(&Shape::Fields(&[must("MinimumMemoryInMiB", INTEGER)]))),
    may("AdditionalOsCapabilities", Shape::List(&Shape::OrMap(&Shape::Words(&["ALL"])))),
    may("Hooks", Shape::Fields(HOOKS)),
    may("EnvironmentVariables", MAP),
    may("PropagateTags", Shape::Bool),
];

/// The image, and the role that builds it when it has none.
pub(super) fn expand(resource: &mut Resource, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    schema::read_all(&resource.id, &resource.properties, SCHEMA)?;
    let mut image = resource.main(&resource.id, "AWS::Lambda::MicrovmImage")?;
    let mut all = Vec::new();
    let builder = match resource.truthy("BuildRoleArn") {
        Some(role) => role.clone(),
        None => {
            let role = build_role(resource, context)?;
            let arn = role.arn();
            all.push(role);
            arn
        }
    };
    image.copy(&resource.properties, &["Name", "BaseImageArn", "BaseImageVersion"]);
    image.set("CodeArtifact", map([("Uri", resource.get("CodeUri").cloned().unwrap_or_default())]));
    image.set("BuildRoleArn", builder);
    // CloudFormation wants all of these, empty or not.
    let or = |name: &str, empty: Node| resource.truthy(name).cloned().unwrap_or(empty);
    image.set("Description", or("Description", text("")));
    for name in ["Logging", "Hooks"] {
        image.set(name, or(name, Node::from(Map::new())));
    }
    for name in ["EgressNetworkConnectors", "CpuConfigurations", "Resources", "AdditionalOsCapabilities"] {
        image.set(name, or(name, list([])));
    }
    image.set("Tags", Node::from(tags(resource.get("Tags"))));
    image.set("EnvironmentVariables", variables(resource));
    all.push(image);
    combine_tags(&mut all, resource.truthy("Tags"), resource.truthy("PropagateTags").is_some());
    Ok(all)
}

fn variables(resource: &Resource) -> Node {
    let entries = resource.get("EnvironmentVariables").and_then(Node::as_map).into_iter().flat_map(Map::iter);
    Node::from(entries.map(|(name, value)| map([("Key", text(name)), ("Value", value.clone())])).collect::<Vec<_>>())
}

fn build_role(resource: &mut Resource, context: &Context) -> Result<Generated, Refusal> {
    let attributes = resource.passed_through();
    let mut role = Generated::new(format!("{}BuildRole", resource.id), "AWS::IAM::Role", &attributes)?;
    role.set("AssumeRolePolicyDocument", trust("lambda.amazonaws.com"));
    let statement = |actions: &[&str], on: Node| {
        let actions = Node::from(actions.iter().map(|action| text(*action)).collect::<Vec<_>>());
        map([("Effect", text("Allow")), ("Action", actions), ("Resource", on)])
    };
    let logs = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];
    let statements = list([statement(&["s3:GetObject"], code_arn(resource, context)?), statement(&logs, text("*"))]);
    let document = map([("Version", text("2012-10-17")), ("Statement", statements)]);
    role.set("Policies", list([map([("PolicyName", text("MicrovmImageBuildPolicy")), ("PolicyDocument", document)])]));
    role.set("Tags", Node::from(tag_list([("lambda:createdBy", &text("SAM"))])));
    Ok(role)
}

/// What of S3 the code is in: the bucket, when it is known now.
///
/// The address itself stays resolved below its intrinsic function.
fn code_arn(resource: &mut Resource, context: &Context) -> Result<Node, Refusal> {
    let resolved = match resource.properties.get_mut("CodeUri") {
        Some(uri) => context.parameters.resolve(uri)?,
        None => Node::default(),
    };
    let uri = resource.get("CodeUri").cloned().unwrap_or_default();
    let Some(address) = resolved.as_str().and_then(|address| address.strip_prefix("s3://")) else {
        let parts = map([("Fn::Split", list([text("/"), uri]))]);
        let bucket = map([("Fn::Select", list([Node::from(2), parts]))]);
        return Ok(sub("arn:${AWS::Partition}:s3:::${Bucket}/*", [("Bucket", bucket)]));
    };
    match address.split('/').next().filter(|bucket| !bucket.is_empty()) {
        Some(bucket) => Ok(sub(&format!("arn:${{AWS::Partition}}:s3:::{bucket}/*"), [])),
        None => resource.refuse("CodeUri must be a valid S3 URI with a bucket name (e.g. s3://bucket/key.zip)."),
    }
}
