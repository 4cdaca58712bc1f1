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

/// What a property takes, as `data/properties.txt` puts it.
fn words(kind: property::Kind) -> String {
    use property::Kind;
    match kind {
        Kind::Any => "any",
        Kind::Text | Kind::TextAlone => "text",
        Kind::OneOf(words) => return format!("one of {}", words.join(", ")),
        Kind::Bool => "bool",
        Kind::Integer => "integer",
        Kind::Map => "map",
        Kind::List => "list",
        Kind::TextOrMap => "map or text",
        Kind::BoolOrMap => "bool or map",
        Kind::ListOrMap => "list or map",
        Kind::TextOrListOfText => "list of (text) or text",
        Kind::ListOfText => "list of (text)",
        Kind::ListOfTextOrMap => "list of (map or text)",
        Kind::MapOfAny => "map of (any)",
        Kind::MapOfText => "map of (text)",
        Kind::MapOfMaps => "map of (map)",
        Kind::MapOfIntegerOrMap => "map of (integer or map)",
        Kind::MapOrListOfMaps => "list of (map of (any)) or map of (any)",
        Kind::Policies => "list of (map or text) or map or text",
        Kind::TextOrListOfTextOrMap => "list of (map or text) or text",
    }
    .to_owned()
}

#[test]
fn the_tables_take_what_the_published_transform_takes() {
    type Lines = BTreeSet<String>;
    let resources = resource::TYPES.iter().map(|spec| (spec.kind.to_owned(), spec.properties));
    let events = event::KINDS.iter().map(|spec| (format!("Function/{}", spec.kind), spec.properties));
    let machines =
        event::state_machine::KINDS.iter().map(|spec| (format!("StateMachine/{}", spec.kind), spec.properties));
    let line = |of: &str, one: &property::Property| {
        let (required, takes) = (if one.required { "required" } else { "optional" }, words(one.kind));
        let literal = if one.intrinsics || takes == "any" { "" } else { ", no intrinsic function" };
        format!("{of} {}: {required}, {takes}{literal}", one.name)
    };
    let ours: Lines = resources
        .chain(events)
        .chain(machines)
        .flat_map(|(of, properties)| properties.iter().map(move |one| line(&of, one)))
        .collect();
    let theirs: Lines = include_str!("data/properties.txt").lines().map(str::to_owned).collect();
    let only = |one: &Lines, other: &Lines| one.difference(other).cloned().collect::<Vec<_>>();
    assert_eq!((only(&ours, &theirs), only(&theirs, &ours)), (Vec::new(), Vec::new()));
}

/// The one resource of a type.
fn of_type<'a>(transformed: &'a Transformed, kind: &str) -> (&'a str, &'a Node) {
    let resources = transformed.template.get("Resources").and_then(Node::as_map).unwrap();
    resources.iter().find(|(_, one)| one.get("Type").and_then(Node::as_str) == Some(kind)).unwrap()
}

#[test]
fn the_deployment_is_named_by_globals_and_responses_in_the_published_order() {
    let root = json!({
        "Globals": {"Api": {
            "Domain": {"NormalizeBasePath": true, "SecurityPolicy": "TLS_1_2", "CertificateArn": "c",
                "OwnershipVerificationCertificateArn": "o", "EndpointAccessMode": "STRICT",
                "EndpointConfiguration": "REGIONAL", "BasePath": ["a"]},
            "GatewayResponses": {"DEFAULT_4XX": {"StatusCode": "400"}, "DEFAULT_5XX": {"StatusCode": 500},
                "UNAUTHORIZED": {"StatusCode": "401"}, "THROTTLED": {"StatusCode": 429}},
        }},
        "Resources": {
            "A": {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "p",
                "Domain": {"IpAddressType": "ipv4", "DomainName": "a.example.com", "CertificateArn": "d"},
                "GatewayResponses": {"ACCESS_DENIED": {"StatusCode": 403}, "WAF_FILTERED": {"StatusCode": "403"},
                    "THROTTLED": {"StatusCode": 430}}}},
            "F": function(json!({"Events": {"E": {"Type": "Api",
                "Properties": {"Path": "/x", "Method": "get", "RestApiId": {"Ref": "A"}}}}})),
        },
    });
    // A path that was written somewhere is another text to Python than one that nobody wrote.
    let written = crate::template::read::read_bytes("t", root.to_string().as_bytes()).unwrap();
    let transformed = transform(&written, &options()).unwrap();
    // The published transform names it so.
    assert_eq!(of_type(&transformed, "AWS::ApiGateway::Deployment").0, "ADeployment5c5ac3a7f9");
}

#[test]
fn what_was_resolved_below_an_intrinsic_function_stays_so() {
    let choice = json!({"Fn::If": ["C", {"Ref": "P"}, {"Fn::Sub": "${P}-${AWS::Region}-${Q}"}]});
    let root = json!({
        "Parameters": {"P": {"Type": "String", "Default": "p"}},
        "Conditions": {"C": {"Fn::Equals": ["a", "b"]}},
        "Resources": {
            "F": function(json!({"Tracing": choice})),
            "M": {"Type": "AWS::Serverless::MicrovmImage", "Properties": {"Name": "m", "CodeUri": choice,
                "BaseImageArn": "a", "BaseImageVersion": "1"}},
            "W": {"Type": "AWS::Serverless::WebFunction", "Properties": {"Runtime": "nodejs22.x",
                "CodeUri": "s3://b/k", "AuthType": "IamAuth", "EndpointType": choice}},
        },
    });
    let transformed = transform(&template(root), &options()).unwrap();
    let resolved = json!({"Fn::If": ["C", "p", {"Fn::Sub": "p-eu-central-1-${Q}"}]});
    for (kind, path) in [
        ("AWS::Lambda::Function", ["TracingConfig", "Mode"].as_slice()),
        ("AWS::Lambda::MicrovmImage", &["CodeArtifact", "Uri"]),
        ("AWS::Lambda::WebFunctionEndpoint", &["EndpointType"]),
    ] {
        let properties = of_type(&transformed, kind).1.get("Properties").unwrap();
        assert_eq!(properties.path(path).unwrap().to_json(), resolved, "{kind}");
    }
}
