//! `samara transform`: what it prints, and what it says of what it refuses. The published cases are in
//! `tests/transform_fixtures.rs`.

use serde_json::Value;

use crate::support::project::Project;

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
fn an_application_of_the_repository_is_named_with_its_line_and_nobody_is_asked() {
    let project = Project::with_template(
        "Resources:\n  Nested:\n    Type: AWS::Serverless::Application\n    Properties:\n      Location: \
         {ApplicationId: arn:aws:serverlessrepo:us-east-1:123456789012:applications/a, SemanticVersion: 1.0.0}\n",
    );
    let refused = project.samara(["transform"]).run().expect(1);
    assert!(refused.stderr.contains("transform/unsupported"), "{}", refused.stderr);
    assert!(refused.stderr.contains("[Nested] is an application"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--transform aws"), "{}", refused.stderr);
}

#[test]
fn a_resource_is_explained_by_its_place_and_rule() {
    let project = Project::with_template(FUNCTION);
    let shown = project.samara(["transform", "--explain", "HelloAliaslive"]).run().expect(0);
    shown
        .prints("HelloAliaslive  AWS::Lambda::Alias")
        .prints("from  Hello  AWS::Serverless::Function")
        .prints("template.yaml:9:25  Properties.AutoPublishAlias")
        .prints("rule  AutoPublishAlias is the alias");
    let json = project.samara(["transform", "--explain", "HelloRole", "--output", "json"]).run().expect(0).json();
    assert_eq!((&json["source"], &json["line"]), (&"Hello".into(), &3.into()));
    project.samara(["transform", "--explain", "Nobody"]).run().expect(1).says("it has Hello, ");
}

#[test]
fn cloudformation_is_asked_for_its_own_result() {
    let project = Project::with_template(FUNCTION);
    let same = project.samara(["transform", "--compare-with-aws", "--sandbox"]).run().expect(0);
    same.says("gives the same");
    // Only what is switched off here differs, and is shown.
    let args = ["transform", "--compare-with-aws", "--sandbox", "--disable-deployment-preference"];
    project.samara(args).run().expect(1).prints("- ServerlessDeploymentApplication  AWS::CodeDeploy::Application");
}
