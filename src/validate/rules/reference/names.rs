//! Which names a reference may mention.

use crate::template::Map;
use crate::validate::Subject;
use crate::validate::subject::Resource;

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html>
pub(super) const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NotificationARNs",
    "AWS::NoValue",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// What SAM's transform makes for a template as a whole.
const SHARED: [&str; 9] = [
    "ServerlessRestApi",
    "ServerlessHttpApi",
    "ServerlessDeploymentApplication",
    "ServerlessUsagePlan",
    "ServerlessApiKey",
    "CodeDeployServiceRole",
    "ApiGatewayDomainName",
    "HttpApiDomainName",
    "RecordSetGroup",
];

/// Whether there is a resource or parameter of this name.
pub(super) fn is_declared(subject: &Subject<'_>, name: &str) -> bool {
    ["Resources", "Parameters"]
        .iter()
        .any(|section| subject.template.section(section).is_some_and(|map| map.contains_key(name)))
}

/// Resources and parameters, to find what was meant.
pub(super) fn declared<'t>(subject: &Subject<'t>) -> impl Iterator<Item = &'t str> {
    let template = subject.template;
    ["Resources", "Parameters"].into_iter().filter_map(|section| template.section(section)).flat_map(Map::keys)
}

/// Whether SAM's transform makes a resource of this name out of one of the template's: a role, a
/// version, a permission, a stage. Their names begin with the logical ID that they are made for; the
/// rest of a name can hold a hash, so it is looked at only as far as it can be known.
///
/// <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-generated-resources.html>
pub(super) fn is_generated(subject: &Subject<'_>, name: &str) -> bool {
    if !subject.is_serverless() {
        return false;
    }
    SHARED.iter().any(|shared| name.starts_with(shared))
        || subject.resources.iter().any(|resource| {
            name.strip_prefix(resource.id).is_some_and(|rest| !rest.is_empty() && is_derived(resource, rest))
        })
}

fn is_derived(resource: &Resource<'_>, rest: &str) -> bool {
    let begins = |words: &[&str]| words.iter().any(|word| rest.starts_with(word));
    let has = |words: &[&str]| words.iter().any(|word| rest.contains(word));
    let is_event = || {
        let events = resource.properties().and_then(|properties| properties.get("Events")?.as_map());
        events.is_some_and(|events| events.keys().any(|event| rest.starts_with(event)))
    };
    let is_connector = || {
        let connectors = resource.body.get("Connectors").and_then(|node| node.as_map());
        connectors.is_some_and(|connectors| connectors.keys().any(|connector| rest.starts_with(connector)))
    };
    match resource.short_kind() {
        Some("Function") => {
            begins(&["Role", "Version", "Alias", "Url", "EventInvokeConfig", "DeploymentGroup", "EventInvoke"])
                || is_event()
                || is_connector()
        }
        Some("StateMachine") => begins(&["Role", "Version", "Alias"]) || is_event() || is_connector(),
        Some("Api" | "HttpApi" | "WebSocketApi") => {
            has(&[
                "Stage",
                "Deployment",
                "BasePath",
                "UsagePlan",
                "ApiKey",
                "CloudWatch",
                "Account",
                "Mapping",
                "Permission",
                "Authorizer",
                "Route",
                "Integration",
            ]) || is_connector()
        }
        // A new version of a layer is a new resource: its name ends in ten digits of a hash.
        Some("LayerVersion") => rest.len() == 10 && rest.chars().all(|c| c.is_ascii_hexdigit()),
        Some("SimpleTable") | None => is_connector(),
        Some(_) => true,
    }
}
