//! `samara transform`: the published cases, what it prints, what it says of what it does not cover.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use samara::template::read;
use samara::transform::{self, INVALID, Options, UNSUPPORTED};

use crate::support::project::Project;
use crate::support::shared::fixtures;

/// The partitions of the published cases: where their outputs are, and a region of each.
const PARTITIONS: [(&str, &str); 3] =
    [("", "ap-southeast-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")];

/// Cases in which the newest published transform, our measure, differs from the published output.
const RENEWED: [&str; 1] = ["http_api_def_uri"];

fn options(region: &str) -> Options {
    let parameters = [("param1", "value1"), ("param2", "value2")];
    let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Options { region: region.to_owned(), parameters, ..Options::default() }
}

/// Lists compare without regard to order, as in the published cases.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), normal(value)))
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .collect(),
        ),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(normal).collect();
            items.sort_by_key(ToString::to_string);
            Value::Array(items)
        }
        other => other.clone(),
    }
}

fn inputs(folder: &Path, errors: bool) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder.join("input"))
        .expect("the published cases can be read")
        .filter_map(|entry| {
            let path = entry.expect("the published cases can be read").path();
            let name = path.file_stem()?.to_str()?.to_owned();
            (name.starts_with("error_") == errors)
                .then(|| (name, std::fs::read(&path).expect("the published cases can be read")))
        })
        .collect();
    found.sort();
    found
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[test]
fn every_published_case_of_a_covered_type_gives_the_published_output() {
    let Some(folder) = fixtures("sam-transform") else { return };
    let (mut equal, mut uncovered, mut different) = (0, 0, Vec::new());
    for (name, text) in inputs(&folder, false) {
        if RENEWED.contains(&name.as_str()) {
            continue;
        }
        let template = read::read_bytes(&name, &text).unwrap_or_else(|findings| panic!("{name}: {findings:?}"));
        for (partition, region) in PARTITIONS {
            let Some(expected) = json(&folder.join("output").join(partition).join(format!("{name}.json"))) else {
                continue;
            };
            match transform::transform(&template, &options(region)) {
                Ok(transformed) if normal(&transformed.template.to_json()) == normal(&expected) => equal += 1,
                Ok(_) => different.push(format!("{region}/{name}: another output")),
                Err(findings) if findings.items.iter().all(|item| item.rule == UNSUPPORTED) => uncovered += 1,
                Err(findings) => different.push(format!("{region}/{name}: {:?}", findings.items)),
            }
        }
    }
    eprintln!("{equal} outputs equal, {uncovered} of types that are not covered yet");
    assert!(different.is_empty(), "{different:#?}");
    assert!(equal >= 800, "only {equal} outputs are equal");
}

#[test]
fn every_published_refusal_is_refused_with_a_place() {
    let Some(folder) = fixtures("sam-transform") else { return };
    let (mut same, mut all) = (0, 0);
    for (name, text) in inputs(&folder, true) {
        let expected = json(&folder.join("output").join(format!("{name}.json"))).unwrap();
        let expected = expected["errorMessage"].as_str().unwrap().to_owned();
        all += 1;
        let Ok(template) = read::read_bytes(&name, &text) else { continue };
        let findings = transform::transform(&template, &options("ap-southeast-1")).expect_err(&name);
        assert!(!findings.items.is_empty(), "{name}");
        if findings.items.iter().all(|item| item.rule == INVALID) {
            let message = transform::published_message(&findings.items);
            same += usize::from(message == expected);
        }
    }
    eprintln!("{same} of {all} refusals with the published message");
    assert!(same >= 160, "only {same} of {all} messages are the published ones");
}

const FUNCTION: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: s3://bucket/key
      Handler: app.handler
      Runtime: python3.13
      AutoPublishAlias: live
      DeploymentPreference: {Type: Canary10Percent5Minutes}
";

#[test]
fn the_template_is_printed_as_yaml_and_as_json() {
    let project = Project::with_template(FUNCTION);
    let yaml = project.samara(["transform", "--region", "eu-central-1"]).run().expect(0);
    assert!(yaml.stdout.contains("Type: AWS::Lambda::Alias"), "{}", yaml.stdout);
    assert!(!yaml.stdout.contains("AWS::Serverless"), "{}", yaml.stdout);
    let json = project.samara(["transform", "--output", "json", "--disable-deployment-preference"]).run().expect(0);
    let template: Value = serde_json::from_str(&json.stdout).unwrap();
    let resources = template["Resources"].as_object().unwrap();
    assert!(!resources.values().any(|resource| resource["Type"] == "AWS::CodeDeploy::DeploymentGroup"));
    assert!(resources.values().all(|resource| resource.get("UpdatePolicy").is_none()));
}

#[test]
fn a_refusal_has_the_published_sentence_and_its_line() {
    let project = Project::with_template(&FUNCTION.replace("AutoPublishAlias: live", "Memory: 5"));
    let refused = project.samara(["transform"]).run().expect(1);
    assert!(
        refused.stderr.contains(
            "Invalid Serverless Application Specification document. Number of errors found: 1. Resource with id [Hello] \
             is invalid. property Memory not defined for resource of type AWS::Serverless::Function"
        ),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("template.yaml:9:7"), "{}", refused.stderr);
}

#[test]
fn a_type_that_is_not_covered_is_named_with_its_line() {
    let project = Project::with_template(
        "Resources:\n  Flow:\n    Type: AWS::Serverless::GraphQLApi\n    Properties:\n      Auth: {Type: AWS_IAM}\n",
    );
    let refused = project.samara(["transform"]).run().expect(1);
    assert!(refused.stderr.contains("transform/unsupported"), "{}", refused.stderr);
    assert!(refused.stderr.contains("[Flow] is of type AWS::Serverless::GraphQLApi"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--transform aws"), "{}", refused.stderr);
}
