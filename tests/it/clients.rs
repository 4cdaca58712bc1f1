//! AWS's own clients against `samara sandbox start`, pointed at it by the variables that it prints.
//! boto3's Lambda calls (a stale revision, a weight of 1.5, a missing version) are in `lambda.rs`, its
//! metrics, alarms, logs, roles, queues and topics in `sandbox.rs`.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Project, installed, python};

#[test]
fn boto3_makes_changes_and_deletes_stacks_with_its_waiters() {
    let Some(python) = python::interpreter() else { return };
    let project = Project::new();
    let started = project.samara(["sandbox", "start", "--speed", "10", "--output", "json"]).run().expect(0).json();
    let output = Command::new(python)
        .args(["-c", include_str!("support/cloudformation_clients.py")])
        .arg(started["endpoint_url"].as_str().expect("a URL"))
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The `aws` command in a shell that has evaluated what `samara sandbox start` prints.
struct Shell {
    aws: PathBuf,
    project: Project,
    variables: Vec<(String, String)>,
}

impl Shell {
    fn new(aws: PathBuf) -> Self {
        let project = Project::new();
        let printed = project.samara(["sandbox", "start", "--speed", "60"]).run().expect(0).stdout;
        let variables = printed
            .lines()
            .map(|line| line.strip_prefix("export ").and_then(|rest| rest.split_once('=')).expect("export NAME=VALUE"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self { aws, project, variables }
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(&self.aws)
            .args(args)
            .current_dir(self.project.dir())
            .env("HOME", self.project.home())
            .envs(self.variables.iter().cloned())
            .output()
            .expect("aws runs")
    }

    /// The answer, as JSON where there is one.
    fn aws(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "aws {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// What it says when it is refused.
    fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(!output.status.success(), "aws {args:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

#[test]
fn the_aws_command_sees_and_uses_what_samara_deployed() {
    let Some(aws) = python::program("aws") else { return };
    if !installed("python3") {
        return;
    }
    let shell = Shell::new(aws);
    shell.project.samara(["init", "hello", "--template", "python-api"]).run().expect(0);
    // samara itself by the same variables, without --sandbox.
    let mut deploy = shell.project.samara(["deploy", "--stack-name", "app"]).current_dir(shell.project.path("hello"));
    for (name, value) in &shell.variables {
        deploy = deploy.env(name, value);
    }
    deploy.run().expect(0);

    let stack = shell.aws(&["cloudformation", "describe-stacks", "--stack-name", "app"]);
    let stack = &stack["Stacks"][0];
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE");
    let outputs = stack["Outputs"].as_array().expect("outputs");
    let function = outputs.iter().find(|output| output["OutputKey"] == "FunctionName").expect("the function's name");
    let function = function["OutputValue"].as_str().expect("text");
    let events = shell.aws(&["cloudformation", "describe-stack-events", "--stack-name", "app"]);
    let events = events["StackEvents"].as_array().expect("events");
    let whose = |index: usize| (&events[index]["LogicalResourceId"], &events[index]["ResourceStatus"]);
    assert_eq!(whose(0), (&"app".into(), &"CREATE_COMPLETE".into()));
    assert_eq!(whose(events.len() - 1), (&"app".into(), &"REVIEW_IN_PROGRESS".into()));
    let missing = shell.refused(&["cloudformation", "describe-stacks", "--stack-name", "nobody"]);
    assert!(
        missing.contains("(ValidationError)") && missing.contains("Stack with id nobody does not exist"),
        "{missing}"
    );

    let alias = ["--function-name", function, "--qualifier", "live", "--payload", "fileb://hello/events/event.json"];
    let invoke: Vec<&str> = ["lambda", "invoke"].into_iter().chain(alias).chain(["answer.json"]).collect();
    let answer = shell.aws(&invoke);
    assert_eq!((&answer["StatusCode"], &answer["ExecutedVersion"]), (&200.into(), &"1".into()));
    assert!(shell.project.read("answer.json").contains("Hello, world!"));
    let stale = ["lambda", "update-alias", "--function-name", function, "--name", "live", "--revision-id", "stale"];
    let stale = shell.refused(&stale);
    assert!(stale.contains("(PreconditionFailedException)"), "{stale}");

    // Metrics come late, as on AWS: a minute or two, which are seconds here.
    let dimension = format!("Name=FunctionName,Value={function}");
    let (start, end) = ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
    let long = ["--period", "8640000", "--statistics", "Sum", "--start-time", start, "--end-time", end];
    let metric = ["--namespace", "AWS/Lambda", "--metric-name", "Invocations", "--dimensions", &dimension];
    let statistics: Vec<&str> = ["cloudwatch", "get-metric-statistics"].into_iter().chain(metric).chain(long).collect();
    let mut sum = Value::Null;
    for _ in 0..20 {
        sum = shell.aws(&statistics)["Datapoints"][0]["Sum"].clone();
        if !sum.is_null() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    assert_eq!(sum, 1.0);
    let alarm = ["--alarm-name", "busy", "--threshold", "0", "--comparison-operator", "GreaterThanThreshold"];
    let over = ["--period", "60", "--evaluation-periods", "1", "--statistic", "Sum"];
    let put = ["cloudwatch", "put-metric-alarm"].into_iter().chain(alarm).chain(metric).chain(over);
    shell.aws(&put.collect::<Vec<_>>());
    let alarms = shell.aws(&["cloudwatch", "describe-alarms", "--alarm-names", "busy"]);
    assert_eq!(alarms["MetricAlarms"][0]["MetricName"], "Invocations");

    let group = format!("/aws/lambda/{function}");
    let logged = shell.aws(&["logs", "filter-log-events", "--log-group-name", &group, "--filter-pattern", "REPORT"]);
    let report = logged["events"][0]["message"].as_str().expect("a report");
    assert!(report.starts_with("REPORT RequestId:") && report.contains("Billed Duration:"), "{report}");

    shell.aws(&["s3", "mb", "s3://by-the-aws-command"]);
    let object = ["--bucket", "by-the-aws-command", "--key", "k"];
    let put = ["s3api", "put-object", "--body", "answer.json", "--if-none-match", "*"].into_iter().chain(object);
    let put: Vec<&str> = put.collect();
    assert!(shell.aws(&put)["ETag"].is_string());
    assert!(shell.refused(&put).contains("(PreconditionFailed)"));
    let get = ["s3api", "get-object"].into_iter().chain(object).chain(["back.json"]);
    assert_eq!(shell.aws(&get.collect::<Vec<_>>())["ContentLength"], shell.project.read("answer.json").len());
    assert_eq!(shell.project.read("back.json"), shell.project.read("answer.json"));

    // Its own deployment, of a plain template, and the end of a stack.
    shell.project.write("queue.yaml", "Resources: {Queue: {Type: AWS::SQS::Queue}}\n");
    shell.aws(&["cloudformation", "deploy", "--template-file", "queue.yaml", "--stack-name", "queue"]);
    let queue = shell.aws(&["cloudformation", "describe-stack-resources", "--stack-name", "queue"]);
    assert_eq!(queue["StackResources"][0]["ResourceStatus"], "CREATE_COMPLETE");
}
