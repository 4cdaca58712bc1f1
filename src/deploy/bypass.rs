//! Traffic that does not come through a function's alias: it is on the new code as soon as the stack
//! is updated, whatever the rollout does. Found in the template's references. Pure.

use crate::template::{Map, Node, Value};

/// A resource that calls a function past its alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bypass {
    /// The resource.
    pub resource: String,
    /// Its type.
    pub kind: String,
    /// How it names the function.
    pub how: How,
}

/// How a resource names a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Without a qualifier, which is `$LATEST`.
    Unqualified,
    /// By the version: CloudFront takes no alias (Lambda@Edge).
    Edge,
}

impl Bypass {
    /// In a person's words.
    pub fn message(&self, function: &str) -> String {
        let Self { resource, kind, .. } = self;
        match self.how {
            How::Unqualified => format!(
                "{resource} ({kind}) names {function} without its alias: what it calls is the new code as soon as the \
                 stack is updated"
            ),
            How::Edge => format!(
                "{resource} ({kind}) has {function} at CloudFront's edge, which takes a version and no alias: its \
                 traffic moves with the stack's update"
            ),
        }
    }
}

/// Types that mention a function without calling it.
const NO_TRAFFIC: &[&str] = &[
    "AWS::Lambda::Alias",
    "AWS::Lambda::Version",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::CodeDeploy::DeploymentGroup",
];

/// Types that have the qualifier as a property of its own.
const QUALIFIED: &[&str] = &["AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::Url"];

/// The resources that call a function past its alias, in the template's order. `version` is the name of
/// the version that it publishes.
pub fn bypasses(template: &Node, function: &str, version: &str) -> Vec<Bypass> {
    let empty = Map::new();
    let resources = template.get("Resources").and_then(Node::as_map).unwrap_or(&empty);
    let found = |(name, resource): (&str, &Node)| {
        let kind = resource.get("Type").and_then(Node::as_str).unwrap_or_default();
        let properties = resource.get("Properties")?;
        let has_qualifier = || {
            properties.get("Qualifier").is_some_and(|qualifier| !qualifier.is_null())
                || properties.get("TargetFunctionArn").is_some_and(|target| !mentions(target, function))
        };
        let how = match kind {
            "AWS::CloudFront::Distribution" => {
                (mentions(properties, version) || mentions(properties, function)).then_some(How::Edge)?
            }
            kind if name == function || NO_TRAFFIC.contains(&kind) || kind.starts_with("AWS::IAM::") => return None,
            // What may call it says nothing yet of who does; only what waits on `$LATEST` is told.
            "AWS::Lambda::EventInvokeConfig" => return None,
            kind if QUALIFIED.contains(&kind) && has_qualifier() => return None,
            _ => mentions(properties, function).then_some(How::Unqualified)?,
        };
        Some(Bypass { resource: name.to_owned(), kind: kind.to_owned(), how })
    };
    resources.iter().filter_map(found).collect()
}

/// Whether a node names a resource without a qualifier behind it.
fn mentions(node: &Node, name: &str) -> bool {
    match node.intrinsic() {
        Some(("Ref", target)) => return target.as_str() == Some(name),
        Some(("Fn::GetAtt", target)) => return is_arn_of(target, name),
        Some(("Fn::Sub", argument)) => return substitutes(argument, name),
        // `[":", [arn, "live"]]` has its qualifier in the next item.
        Some(("Fn::Join", argument)) => {
            if let Some([delimiter, items]) = argument.as_list() {
                let colon = delimiter.as_str() == Some(":");
                let items = items.as_list().unwrap_or_default();
                let last = items.len().saturating_sub(1);
                return items.iter().enumerate().any(|(at, item)| {
                    let next = items.get(at + 1).and_then(Node::as_str);
                    let qualified = if colon { at < last && next != Some("$LATEST") } else { qualifies(next) };
                    mentions(item, name) && !qualified
                });
            }
        }
        _ => {}
    }
    match &node.value {
        Value::List(items) => items.iter().any(|item| mentions(item, name)),
        Value::Map(map) => map.iter().any(|(_, value)| mentions(value, name)),
        _ => false,
    }
}

/// Whether what follows a function's name or ARN is a qualifier other than `$LATEST`.
fn qualifies(rest: Option<&str>) -> bool {
    rest.and_then(|rest| rest.strip_prefix(':')).is_some_and(|qualifier| !qualifier.starts_with("$LATEST"))
}

fn is_arn_of(target: &Node, name: &str) -> bool {
    let (resource, attribute) = match target.as_list() {
        Some([resource, attribute]) => (resource.as_str(), attribute.as_str()),
        Some(_) => return false,
        None => match target.as_str().and_then(|text| text.split_once('.')) {
            Some((resource, attribute)) => (Some(resource), Some(attribute)),
            None => return false,
        },
    };
    resource == Some(name) && attribute == Some("Arn")
}

fn substitutes(argument: &Node, name: &str) -> bool {
    let (text, own) = match argument.as_list() {
        Some([text, own]) => (text.as_str(), Some(own)),
        Some(_) => return false,
        None => (argument.as_str(), None),
    };
    let text = text.unwrap_or_default();
    let after = |variable: &str| text.split(&format!("${{{variable}}}")).skip(1).map(str::to_owned).collect::<Vec<_>>();
    let bare = |variable: &str| after(variable).iter().any(|rest| !qualifies(Some(rest)));
    let by_own = own
        .and_then(Node::as_map)
        .is_some_and(|own| own.iter().any(|(variable, value)| mentions(value, name) && bare(variable)));
    bare(name) || bare(&format!("{name}.Arn")) || by_own
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(resources: serde_json::Value) -> Vec<(String, How)> {
        let template = Node::from(json!({ "Resources": resources }));
        bypasses(&template, "Fn", "FnVersion1").into_iter().map(|one| (one.resource, one.how)).collect()
    }

    #[test]
    fn what_calls_latest_is_found_and_what_goes_through_the_alias_is_not() {
        let found = found(json!({
            "Fn": { "Type": "AWS::Lambda::Function", "Properties": {} },
            "FnAlias": { "Type": "AWS::Lambda::Alias", "Properties": { "FunctionName": { "Ref": "Fn" } } },
            "Through": { "Type": "AWS::Events::Rule", "Properties": { "Targets": [{ "Arn": { "Ref": "FnAlias" } }] } },
            "Past": { "Type": "AWS::Events::Rule", "Properties": { "Targets": [{ "Arn": { "Fn::GetAtt": ["Fn", "Arn"] } }] } },
            "Body": { "Type": "AWS::ApiGateway::RestApi", "Properties": { "Body": { "uri": {
                "Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations" } } } },
            "Named": { "Type": "AWS::ApiGateway::RestApi", "Properties": { "Body": { "uri": {
                "Fn::Sub": "functions/${Fn.Arn}:live/invocations" } } } },
            "Latest": { "Type": "AWS::Scheduler::Schedule", "Properties": { "Target": { "Arn": { "Fn::Sub": "${Fn.Arn}:$LATEST" } } } },
            "Joined": { "Type": "AWS::Scheduler::Schedule", "Properties": { "Target": { "Arn": {
                "Fn::Join": [":", [{ "Fn::GetAtt": ["Fn", "Arn"] }, "live"]] } } } },
            "Own": { "Type": "AWS::Scheduler::Schedule", "Properties": { "Target": { "Arn": {
                "Fn::Sub": ["${A}:live", { "A": { "Fn::GetAtt": "Fn.Arn" } }] } } } },
            "Alarm": { "Type": "AWS::CloudWatch::Alarm", "Properties": { "D": { "Ref": "Fn" } } },
            "Caller": { "Type": "AWS::Lambda::Function", "Properties": { "Environment": { "NAME": { "Ref": "Fn" } } } }
        }));
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Past", "Body", "Latest", "Caller"]);
    }

    #[test]
    fn permissions_and_urls_say_their_qualifier_beside_the_name() {
        let found = found(json!({
            "A": { "Type": "AWS::Lambda::Permission", "Properties": { "FunctionName": { "Ref": "Fn" } } },
            "B": { "Type": "AWS::Lambda::Permission", "Properties": { "FunctionName": { "Ref": "FnAlias" } } },
            "C": { "Type": "AWS::Lambda::Url", "Properties": { "TargetFunctionArn": { "Ref": "Fn" }, "Qualifier": "live" } },
            "D": { "Type": "AWS::Lambda::Url", "Properties": { "TargetFunctionArn": { "Ref": "Fn" } } },
            "E": { "Type": "AWS::Lambda::EventInvokeConfig", "Properties": { "FunctionName": { "Ref": "Fn" }, "Qualifier": "live" } }
        }));
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["A", "D"]);
    }

    #[test]
    fn the_edge_takes_a_version() {
        let found = found(
            json!({ "Cdn": { "Type": "AWS::CloudFront::Distribution", "Properties": { "DistributionConfig": {
            "DefaultCacheBehavior": { "LambdaFunctionAssociations": [{ "LambdaFunctionARN": { "Ref": "FnVersion1" } }] } } } } }),
        );
        assert_eq!(found, [("Cdn".to_owned(), How::Edge)]);
        let message = Bypass { resource: "Cdn".to_owned(), kind: "X".to_owned(), how: How::Edge }.message("Fn");
        assert!(message.contains("edge"), "{message}");
    }
}
