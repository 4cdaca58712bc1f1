//! `samara diff`: after a deploy there is no difference, and every change is one.

use crate::support::Project;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: { Type: String, Default: test }
  Secret: { Type: String, NoEcho: true, Default: not-to-be-seen }
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      Runtime: python3.13
      CodeUri: src/
      AutoPublishAlias: live
      Environment: { Variables: { STAGE: !Ref Stage } }
  Queue:
    Type: AWS::SQS::Queue
    Properties: { QueueName: !Sub 'orders-${Stage}', DelaySeconds: 1 }
  Topic:
    Type: AWS::SNS::Topic
    DeletionPolicy: Retain
Outputs:
  Url: { Value: !Ref Queue }
";

fn deployed() -> Project {
    let project = Project::with_template(TEMPLATE);
    project.write("src/app.py", "def handler(event, context):\n    return 1\n");
    project.write(
        "samconfig.toml",
        "version = 0.1\n[default.deploy.parameters]\nstack_name = 'app'\ncapabilities = 'CAPABILITY_IAM'\n",
    );
    project.samara(["deploy", "--sandbox", "--yes"]).run().expect(0);
    project
}

#[test]
fn after_a_deploy_there_is_no_difference() {
    let project = deployed();
    let before = project.files();
    project.samara(["diff", "--sandbox", "--exit-code"]).run().expect(0).says("is what stack app has");
    assert_eq!(project.files(), before);
    // As CloudFormation sees it, a number is its text.
    project.write("template.yaml", TEMPLATE.replace("DelaySeconds: 1", "DelaySeconds: '1'"));
    project.samara(["diff", "--sandbox", "--exit-code"]).run().expect(0);
}

#[test]
fn every_change_is_shown_with_what_becomes_of_the_resource() {
    let project = deployed();
    let changed = TEMPLATE
        .replace("DelaySeconds: 1", "DelaySeconds: 2")
        .replace("Handler: app.handler", "Handler: app.handler\n      MemorySize: 512")
        .replace("  Topic:\n", "  Other:\n")
        .replace("not-to-be-seen", "neither");
    project.write("template.yaml", &changed);
    let shown = project.samara(["diff", "--sandbox"]).run().expect(0);
    shown
        .prints("~ Hello  AWS::Lambda::Function")
        .prints("+ Properties.MemorySize: 512")
        .prints("~ Properties.DelaySeconds: 1 → 2")
        .prints("+ Other  AWS::SNS::Topic")
        .prints("- Topic  AWS::SNS::Topic  (stays in the account)")
        .prints("~ Parameters.Secret.Default: \"****\"")
        .says("2 to add, 3 to change, 2 to remove");
    project.samara(["diff", "--sandbox", "--exit-code"]).run().expect(1);

    let given = ["diff", "--sandbox", "--output", "json", "--parameter-overrides", "Stage=prod", "Secret=psst"];
    let json = project.samara(given).run().expect(0).json();
    assert_eq!(json["differs"], true);
    let resources = json["resources"].as_array().unwrap();
    let queue = resources.iter().find(|one| one["logical_id"] == "Queue").unwrap();
    assert_eq!(queue["effect"], "replace");
    let name = &queue["differences"].as_array().unwrap()[1];
    assert_eq!((&name["path"], &name["because"]), (&"Properties.QueueName".into(), &"parameter Stage".into()));
    let text = json.to_string();
    assert!(!text.contains("psst") && !text.contains("not-to-be-seen") && !text.contains("neither"), "{text}");
}

#[test]
fn changed_code_is_a_new_version() {
    let project = deployed();
    project.write("src/app.py", "def handler(event, context):\n    return 2\n");
    let json = project.samara(["diff", "--sandbox", "--output", "json"]).run().expect(0).json();
    let effects: Vec<(&str, &str)> = json["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["type"].as_str().unwrap(), one["effect"].as_str().unwrap()))
        .collect();
    for expected in [
        ("AWS::Lambda::Function", "change"),
        ("AWS::Lambda::Alias", "change"),
        ("AWS::Lambda::Version", "add"),
        ("AWS::Lambda::Version", "remove"),
    ] {
        assert!(effects.contains(&expected), "{effects:?}");
    }
    assert_eq!(effects.len(), 4, "{effects:?}");
}

#[test]
fn what_cannot_be_told_is_no_difference() {
    let project = deployed();
    project
        .samara(["diff", "--sandbox", "--stack-name", "other", "--exit-code"])
        .run()
        .expect(1)
        .says("no stack other");
    project.write("template.yaml", "Resources: 1\n");
    project.samara(["diff", "--sandbox", "--exit-code"]).run().expect(2);
    project.samara(["diff", "--sandbox"]).run().expect(1);
    project.write("samconfig.toml", "version = 0.1\n");
    project.samara(["diff", "--sandbox"]).run().expect(2).says("--stack-name");
}
