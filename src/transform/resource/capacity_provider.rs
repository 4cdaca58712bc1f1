//! `AWS::Serverless::CapacityProvider`: instances for functions, with the role of who looks after them.

use super::Resource;
use crate::template::{Map, Node};
use crate::transform::build::{Read, list, map, tag_list, text};
use crate::transform::context::Context;
use crate::transform::generated::{Generated, combine_tags};
use crate::transform::policies::{Role, managed_policy_arn, trust};
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;
use crate::transform::schema::{self, Field, MAP, Shape, TEXTS, may, must};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("CapacityProviderName", Kind::TextOrMap).literal(),
    required("VpcConfig", Kind::Map).literal(),
    optional("OperatorRole", Kind::TextOrMap).literal(),
    optional("Tags", Kind::Map).literal(),
    optional("PropagateTags", Kind::Bool).literal(),
    optional("InstanceRequirements", Kind::Map).literal(),
    optional("ScalingConfig", Kind::Map).literal(),
    optional("KmsKeyArn", Kind::TextOrMap).literal(),
    optional("LoggingConfig", Kind::Map).literal(),
    optional("ManagedResourceTags", Kind::Map).literal(),
];

/// What stands within them.
const SCHEMA: &[Field] = &[
    may("CapacityProviderName", Shape::Anything),
    must("VpcConfig", Shape::Fields(&[may("SecurityGroupIds", TEXTS), must("SubnetIds", TEXTS)])),
    may("OperatorRole", Shape::Anything),
    may("Tags", MAP),
    may("PropagateTags", Shape::Bool),
    may(
        "InstanceRequirements",
        Shape::Fields(&[may("Architectures", TEXTS), may("AllowedTypes", TEXTS), may("ExcludedTypes", TEXTS)]),
    ),
    may(
        "ScalingConfig",
        Shape::Fields(&[
            may("MaxVCpuCount", Shape::OrMap(&Shape::Integer)),
            may("AverageCPUUtilization", Shape::OrMap(&Shape::Number)),
        ]),
    ),
    may("LoggingConfig", Shape::Anything),
    may("ManagedResourceTags", Shape::Fields(&[may("Tags", MAP)])),
    may("KmsKeyArn", Shape::Anything),
];

/// What a requirement of SAM is called in CloudFormation.
const REQUIREMENTS: [(&str, &str); 3] = [
    ("Architectures", "Architectures"),
    ("AllowedTypes", "AllowedInstanceTypes"),
    ("ExcludedTypes", "ExcludedInstanceTypes"),
];

/// The provider, and its operator's role when it has none.
pub(super) fn expand(resource: &mut Resource, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let read = schema::read_all(&resource.id, &resource.properties, SCHEMA)?;
    let given = |path: &[&str]| read.path(path).filter(|value| value.truthy());
    if given(&["InstanceRequirements"])
        .is_some_and(|all| REQUIREMENTS[1..].iter().all(|(name, _)| all.given(name).is_some()))
    {
        return resource.refuse(
            "Cannot specify 'InstanceRequirements.AllowedTypes' and 'InstanceRequirements.ExcludedTypes' together.",
        );
    }
    let mut provider = resource.main(&resource.id, "AWS::Lambda::CapacityProvider")?;
    provider.set("CapacityProviderName", given(&["CapacityProviderName"]).cloned());
    let mut vpc = Map::new();
    for name in ["SubnetIds", "SecurityGroupIds"] {
        if let Some(value) = read.path(&["VpcConfig", name]) {
            vpc.insert(name, value.clone());
        }
    }
    provider.set("VpcConfig", Node::from(vpc));
    provider.set("Tags", Node::from(tags(given(&["Tags"]))));
    if let Some(requirements) = given(&["InstanceRequirements"]) {
        let renamed: Map =
            REQUIREMENTS.iter().filter_map(|(from, to)| Some((*to, requirements.get(from)?.clone()))).collect();
        provider.set("InstanceRequirements", Node::from(renamed));
    }
    provider.set("CapacityProviderScalingConfig", given(&["ScalingConfig"]).map(scaling));
    provider.set("KmsKeyArn", given(&["KmsKeyArn"]).cloned());
    if let Some(logging) = given(&["LoggingConfig"]) {
        provider.set("TelemetryConfig", map([("LoggingConfig", logging.clone())]));
    }
    if let Some(tags) = given(&["ManagedResourceTags"]).and_then(|managed| managed.get("Tags")?.as_map()) {
        let tags = Node::from(tag_list(tags.iter()));
        provider.set("PropagateTags", map([("Mode", text("Explicit")), ("ExplicitTags", tags)]));
    }
    let mut all = Vec::new();
    let operator = match given(&["OperatorRole"]) {
        Some(role) => role.clone(),
        None => {
            let role = operator_role(resource, "AWSLambdaManagedEC2ResourceOperator", context)?;
            let arn = role.arn();
            all.push(role);
            arn
        }
    };
    provider.set("PermissionsConfig", map([("CapacityProviderOperatorRoleArn", operator)]));
    all.push(provider);
    combine_tags(&mut all, given(&["Tags"]), resource.truthy("PropagateTags").is_some());
    Ok(all)
}

fn scaling(config: &Node) -> Node {
    let mut scaling = Map::new();
    if let Some(most) = config.get("MaxVCpuCount") {
        scaling.insert("MaxVCpuCount", most.clone());
    }
    match config.get("AverageCPUUtilization") {
        Some(target) => {
            scaling.insert("ScalingMode", "Manual");
            let policy = map([
                ("PredefinedMetricType", text("LambdaCapacityProviderAverageCPUUtilization")),
                ("TargetValue", target.clone()),
            ]);
            scaling.insert("ScalingPolicies", list([policy]));
        }
        None => {
            scaling.insert("ScalingMode", "Auto");
        }
    }
    Node::from(scaling)
}

/// A resource's own tags and SAM's.
pub(super) fn tags(own: Option<&Node>) -> Vec<Node> {
    let mut all = own.and_then(Node::as_map).cloned().unwrap_or_default();
    all.insert("lambda:createdBy", "SAM");
    tag_list(all.iter())
}

/// The role of who looks after what Lambda runs in the user's own network.
pub(super) fn operator_role(resource: &Resource, policy: &str, context: &Context) -> Result<Generated, Refusal> {
    let mut role = Role {
        owner: &resource.id,
        attributes: &resource.passed_through(),
        trust: trust("lambda.amazonaws.com"),
        managed: vec![managed_policy_arn(context.partition, policy)],
        documents: Vec::new(),
        policies: None,
        path: None,
        boundary: None,
        tags: tags(None),
    }
    .build(context)?;
    role.id = format!("{}OperatorRole", resource.id);
    Ok(role)
}
