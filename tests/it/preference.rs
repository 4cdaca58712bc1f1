//! A template's `DeploymentPreference`, honoured as it stands by both engines: a configuration of the
//! template's own as `Type`, `Alarms` behind a condition, `Hooks`, `Role`, `TriggerConfigurations` and
//! `PassthroughCondition`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use aws_sdk_cloudwatch::types::StateValue;

use crate::codedeploy::World;

/// Answers CodeDeploy in its way, and samara in its own.
const HOOK: &str = r#"
import json, os, urllib.request
def handler(event, context):
    status = os.environ["STATUS"]
    body = {"deploymentId": event["DeploymentId"], "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"], "status": status}
    scope = f"Credential=000000000000/20260101/{os.environ['AWS_REGION']}/codedeploy/aws4_request"
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], json.dumps(body).encode(), {
        "X-Amz-Target": "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus", "Authorization": "AWS4-HMAC-SHA256 " + scope})
    try:
        urllib.request.urlopen(request).read()
    except Exception:
        pass
    return {"status": status}
"#;

const TEMPLATE: &str = "Transform: AWS::Serverless-2016-10-31
Parameters: { Watched: { Type: String, Default: 'yes' }, Hook: { Type: String, Default: Succeeded } }
Conditions: { IsWatched: !Equals [!Ref Watched, 'yes'] }
Resources:
  Halves:
    Type: AWS::CodeDeploy::DeploymentConfig
    Properties:
      ComputePlatform: Lambda
      TrafficRoutingConfig: { Type: TimeBasedLinear, TimeBasedLinear: { LinearPercentage: 50, LinearInterval: 2 } }
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties: { Namespace: Own, MetricName: Bad, Statistic: Sum, Period: 60, EvaluationPeriods: 1, Threshold: 1,
      ComparisonOperator: GreaterThanThreshold, TreatMissingData: ignore }
  Topic: { Type: AWS::SNS::Topic, Properties: { Subscription: [{ Protocol: sqs, Endpoint: !GetAtt Queue.Arn }] } }
  Queue: { Type: AWS::SQS::Queue }
  Mover:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{ Effect: Allow, Principal: { Service: codedeploy.amazonaws.com }, Action: sts:AssumeRole }]
  Check:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hook/
      Handler: hook.handler
      Runtime: python3.12
      Timeout: 60
      Environment: { Variables: { STATUS: !Ref Hook } }
      DeploymentPreference: { Enabled: false }
  Fn:
    Type: AWS::Serverless::Function
    Condition: IsWatched
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: python3.12
      AutoPublishAlias: live
      DeploymentPreference:
        Type: !Ref Halves
        Role: !GetAtt Mover.Arn
        PassthroughCondition: true
        Alarms: !If [IsWatched, [!Ref Alarm], [!Ref AWS::NoValue]]
        Hooks: { PreTraffic: !Ref Check }
        TriggerConfigurations:
";

/// What CodeDeploy can tell a topic of a deployment, each by a trigger of its own.
const EVENTS: [&str; 5] =
    ["DeploymentStart", "DeploymentSuccess", "DeploymentFailure", "DeploymentStop", "DeploymentRollback"];

fn write(world: &World, code: &str) {
    let trigger = |event: &str| {
        format!("          - {{ TriggerName: {event}, TriggerTargetArn: !Ref Topic, TriggerEvents: [{event}] }}\n")
    };
    let triggers: String = EVENTS.into_iter().map(trigger).collect();
    world.project.write("template.yaml", format!("{TEMPLATE}{triggers}"));
    world.project.write("hook/hook.py", HOOK);
    world.project.write("src/app.py", format!("def handler(event, context): return '{code}'\n"));
}

/// The triggers that have told something so far; `wanted` of them at least are waited for.
fn heard(world: &World, all: &mut BTreeMap<String, String>, wanted: usize) -> BTreeSet<String> {
    let scope = "Authorization: AWS4-HMAC-SHA256 Credential=000000000000/20260101/eu-central-1/sqs/aws4_request";
    let body = serde_json::json!({ "QueueUrl": world.physical("Queue"), "MaxNumberOfMessages": 10 }).to_string();
    for _ in 0..100 {
        let headers =
            ["-H", "X-Amz-Target: AmazonSQS.ReceiveMessage", "-H", "Content-Type: application/x-amz-json-1.0"];
        let mut curl = Command::new("curl");
        curl.args(["-sf", "-X", "POST", "-d", &body, "-H", scope]).args(headers).arg(&world.endpoint);
        let answer: serde_json::Value =
            serde_json::from_slice(&curl.output().expect("curl runs").stdout).expect("an answer");
        for message in answer["Messages"].as_array().into_iter().flatten() {
            let envelope: serde_json::Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
            let told: serde_json::Value = serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap();
            for key in ["region", "accountId", "applicationName", "deploymentId", "deploymentGroupName", "status"] {
                assert!(told[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {told}");
            }
            let id = message["MessageId"].as_str().unwrap().to_owned();
            all.insert(id, told["eventTriggerName"].as_str().unwrap().to_owned());
        }
        let names: BTreeSet<String> = all.values().cloned().collect();
        if names.len() >= wanted {
            return names;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    all.values().cloned().collect()
}

fn names(events: &[&str]) -> BTreeSet<String> {
    events.iter().map(|event| (*event).to_owned()).collect()
}

fn as_it_stands(engine: &str) {
    let world = World::new();
    let more = ["--engine", engine, "--no-bake", "--min-requests", "0"];
    let with = |extra: &[&'static str]| -> Vec<&str> { more.iter().chain(extra).copied().collect() };
    let mut all = BTreeMap::new();
    write(&world, "one");
    let _ = world.deploy(&more).expect(0);
    assert!(heard(&world, &mut all, 0).is_empty(), "{engine}: the first version is not shifted");

    // The configuration's halves, after the hook has said yes.
    write(&world, "two");
    let good = world.deploy(&more).expect(0);
    let told = good.stdout.clone() + &good.stderr;
    assert!(told.contains("version 1 with 50% to version 2"), "{engine}: {told}");
    let _ = good.prints("serves version 2 to everybody");
    assert_eq!((world.alias().0.as_str(), world.alias().1.len()), ("2", 0), "{engine}");
    assert_eq!(heard(&world, &mut all, 2), names(&EVENTS[..2]), "{engine}");

    // A rollout by hand is as the deploy was.
    let plan = world.rollout(&["plan", "--to-version", "1"]).expect(0).prints("by linear:50%:2m");
    let _ = plan.prints(&format!("alarm {}", world.physical("Alarm")));
    let plan = world.rollout(&["plan", "--to-version", "1", "--strategy", "canary:5%:3m"]).expect(0);
    let plan = plan.prints("by canary:5%:3m").says("its alarms and hooks");
    let halves = format!("codedeploy:{}", world.physical("Halves"));
    let by_name = world.rollout(&["plan", "--to-version", "1", "--strategy", &halves]).expect(0);
    let _ = by_name.prints("by linear:50%:2m");
    let nobodys = world.rollout(&["plan", "--to-version", "1", "--strategy", "codedeploy:nobodys"]);
    let _ = nobodys.expect(2).says("CodeDeploy has no deployment configuration \"nobodys\"");
    if engine == "alias" {
        let _ = plan.prints(&format!("before it: function {}", world.physical("Check")));
        let other = world.rollout(&["plan", "--to-version", "1", "--pre-traffic", "cmd:true"]).expect(0);
        let other = other.prints("before it: command true");
        assert!(!other.stdout.contains("before it: function"), "{}", other.stdout);
    }

    // A hook that says no.
    write(&world, "three");
    let no = with(&["--parameter-overrides", "Hook=Failed"]);
    let _ = world.deploy(&no).expect(4).prints("is back on version 2");
    assert_eq!((world.alias().0.as_str(), world.alias().1.len()), ("2", 0), "{engine}");
    let so_far = names(&["DeploymentStart", "DeploymentSuccess", "DeploymentFailure", "DeploymentRollback"]);
    assert_eq!(heard(&world, &mut all, 4), so_far, "{engine}");

    // The alarm, in the middle.
    let alarm = world.physical("Alarm");
    let set = |state: StateValue| {
        let set = world.cloudwatch.set_alarm_state().alarm_name(&alarm).state_value(state).state_reason("a test");
        world.runtime.block_on(set.send()).expect("an answer");
    };
    set(StateValue::Ok);
    write(&world, "four");
    let child = world.deploy_until_split(&with(&["--parameter-overrides", "Hook=Succeeded"]));
    set(StateValue::Alarm);
    let ended = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(4), "{engine}: {said}");
    assert!(said.contains(&alarm), "{engine}: {said}");
    assert_eq!((world.alias().0.as_str(), world.alias().1.len()), ("2", 0), "{engine}");
    assert_eq!(heard(&world, &mut all, 5), names(&EVENTS), "{engine}");

    // It fires already: nothing is begun, and the stack is left as it is.
    write(&world, "five");
    let before = (world.status(), world.alias());
    let refused = world.deploy(&more).expect(1).says(&format!("alarm {alarm} is in ALARM already"));
    assert!(!refused.stderr.contains("Deploying"), "{engine}: {}", refused.stderr);
    let ignored = world.deploy(&[&more[..], &["--ignore-alarm", &alarm]].concat());
    if engine == "codedeploy" {
        ignored.expect(1).says("CodeDeploy stops its deployment for it").says("--engine alias");
        assert_eq!((world.status(), world.alias()), before);
    } else {
        ignored.expect(0);
        assert_eq!(world.alias().1.len(), 0);
        assert_ne!(world.alias(), before.1);
        // An alarm that is gone judges nothing by hand any more.
        let gone = world.cloudwatch.delete_alarms().alarm_names(&alarm);
        world.runtime.block_on(gone.send()).expect("an answer");
        let plan = world.rollout(&["plan", "--to-version", "1"]).expect(0).says("is no longer there");
        assert!(!plan.stdout.contains(&alarm), "{}", plan.stdout);
    }
}

#[test]
fn a_preference_is_honoured_as_it_stands_where_samara_moves_the_traffic() {
    as_it_stands("alias");
}

#[test]
fn a_preference_is_honoured_as_it_stands_where_codedeploy_moves_the_traffic() {
    as_it_stands("codedeploy");
}
