//! Laws of the whole, and one application as a snapshot.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::template::span::Source;

fn template(root: serde_json::Value) -> Template {
    Template { source: Arc::new(Source::new("t", "")), root: Node::from(root) }
}

fn options() -> Options {
    Options { region: "eu-central-1".to_owned(), ..Options::default() }
}

fn function(properties: serde_json::Value) -> serde_json::Value {
    let mut all = json!({"CodeUri": "s3://b/k", "Handler": "a.h", "Runtime": "python3.13"});
    all.as_object_mut().unwrap().extend(properties.as_object().unwrap().clone());
    json!({"Type": "AWS::Serverless::Function", "Properties": all})
}

#[test]
fn the_version_is_named_by_the_code_and_the_alias_by_its_name() {
    let root = json!({"Resources": {"F": function(json!({"AutoPublishAlias": "live"}))}});
    let transformed = transform(&template(root), &options()).unwrap();
    let ids: Vec<&str> = transformed.template.get("Resources").and_then(Node::as_map).unwrap().keys().collect();
    // The published transform names them so.
    assert_eq!(ids, ["F", "FVersion03ba323aca", "FAliaslive", "FRole"]);
}

#[test]
fn a_preference_that_is_disabled_is_reported_and_leaves_no_trace() {
    let preference = json!({"Type": "Canary10Percent5Minutes", "Alarms": [{"Ref": "A"}]});
    let with =
        json!({"Resources": {"F": function(json!({"AutoPublishAlias": "live", "DeploymentPreference": preference}))}});
    let without = json!({"Resources": {"F": function(json!({"AutoPublishAlias": "live"}))}});
    let disabled = Options { deployment_preference: DeploymentPreference::Disabled, ..options() };
    let shifted = transform(&template(with), &disabled).unwrap();
    assert_eq!(shifted.template, transform(&template(without), &options()).unwrap().template);
    let [preference] = shifted.preferences.as_slice() else { panic!("{:?}", shifted.preferences) };
    assert!(preference.enabled);
    assert_eq!(preference.alias_logical_id, "FAliaslive");
    assert_eq!(preference.strategy.as_ref().and_then(Node::as_str), Some("Canary10Percent5Minutes"));
}

#[test]
fn a_preference_without_an_alias_is_refused_either_way() {
    let root = json!({"Resources": {"F": function(json!({"DeploymentPreference": {"Type": "AllAtOnce"}}))}});
    for deployment_preference in [DeploymentPreference::AsWritten, DeploymentPreference::Disabled] {
        let options = Options { deployment_preference, ..options() };
        let findings = transform(&template(root.clone()), &options).unwrap_err();
        assert_eq!(
            findings.items[0].message,
            "Resource with id [F] is invalid. 'DeploymentPreference' requires AutoPublishAlias property to be specified."
        );
    }
}

#[test]
fn a_parameter_that_refers_to_itself_ends() {
    let root = json!({
        "Parameters": {"P": {"Type": "String", "Default": {"Ref": "P"}}},
        "Resources": {"F": function(json!({"Tracing": {"Ref": "P"}}))},
    });
    assert!(transform(&template(root), &options()).is_ok());
}

/// Words that templates are made of, so that random trees reach the code behind them.
const WORDS: &[&str] = &[
    "Ref",
    "Fn::If",
    "Fn::Sub",
    "Fn::GetAtt",
    "Fn::FindInMap",
    "AWS::NoValue",
    "AWS::Region",
    "${AWS::Region}",
    "P",
    "F",
    "Type",
    "Properties",
    "Events",
    "Api",
    "HttpApi",
    "SQS",
    "S3",
    "Schedule",
    "Path",
    "Method",
    "/a/{b}",
    "any",
    "get",
    "AutoPublishAlias",
    "live",
    "Auth",
    "Authorizers",
    "DefaultAuthorizer",
    "AWS_IAM",
    "Cors",
    "Policies",
    "Statement",
    "DynamoDBReadPolicy",
    "TableName",
    "DefinitionBody",
    "swagger",
    "openapi",
    "2.0",
    "3.0.1",
    "paths",
    "DeploymentPreference",
    "Enabled",
    "Alarms",
    "Tags",
    "Domain",
    "Route53",
    "RestApiId",
    "ApiId",
    "StageName",
    "Condition",
    "DependsOn",
    "",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![8 => proptest::sample::select(WORDS).prop_map(str::to_owned), 1 => ".{0,4}"]
}

fn tree() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i32>().prop_map(|value| json!(value)),
        word().prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
            proptest::collection::vec((word(), inner), 0..5)
                .prop_map(|entries| json!(entries.into_iter().collect::<serde_json::Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn it_never_panics(properties in tree(), event in tree(), globals in tree(), kind in 0..resource::TYPES.len(), source in 0..event::KINDS.len()) {
        let mut resource = json!({"Type": resource::TYPES[kind].kind, "Properties": properties});
        if let Some(properties) = resource["Properties"].as_object_mut() {
            properties.insert("Events".to_owned(), json!({"E": {"Type": event::KINDS[source].kind, "Properties": event}}));
        }
        let root = json!({
            "Globals": globals,
            "Parameters": {"P": {"Type": "String", "Default": globals}},
            "Mappings": globals,
            "Resources": {"F": resource, "G": function(json!({"Events": {"E": {"Type": event::KINDS[source].kind, "Properties": event}}})), "B": {"Type": "AWS::S3::Bucket", "Properties": properties}},
        });
        let _ = transform(&template(root), &options());
        let _ = transform(&template(properties), &options());
    }

    #[test]
    fn a_template_without_serverless_types_stays_as_it_is(properties in tree(), outputs in tree()) {
        let root = json!({"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": properties}}, "Outputs": outputs});
        let transformed = transform(&template(root.clone()), &options()).unwrap();
        prop_assert_eq!(transformed.template.to_json(), root);
    }
}
