//! `samara transform`: what it prints, and what it says of what it refuses. The published cases are in
//! `tests/transform_fixtures.rs`.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

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
    let yaml = project.samara(["transform", "--region", "eu-central-1", "--output", "yaml"]).run().expect(0);
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
    // Globals move nothing.
    let merged = FUNCTION.replace("Resources:", "Globals: {Function: {Timeout: 3}}\nResources:");
    let project = Project::with_template(&merged.replace("AutoPublishAlias: live", "Memory: 5"));
    project.samara(["transform"]).run().expect(1).says("template.yaml:10:7");
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

/// What becomes of the call that asks for CloudFormation's result.
#[derive(Clone, Copy)]
enum Result {
    NeverComes,
    IsDenied,
}

/// Passes everything on to the sandbox at `address` but calls of `GetTemplate`, and tells of those.
fn before(address: String, result: Result) -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (told, telling) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (address, told) = (address.clone(), told.clone());
            std::thread::spawn(move || pass_on(stream, &address, result, &told));
        }
    });
    (url, telling)
}

fn pass_on(mut client: TcpStream, address: &str, result: Result, told: &Sender<()>) {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    let head = loop {
        if let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
        }
        match client.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend_from_slice(&chunk[..length]),
        }
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let whole = head.len() + 4 + length.map_or(0, |length| length.trim().parse().unwrap());
    while request.len() < whole {
        let length = client.read(&mut chunk).unwrap();
        request.extend_from_slice(&chunk[..length]);
    }
    if request.windows(18).any(|bytes| bytes == b"Action=GetTemplate") {
        told.send(()).unwrap();
        if let Result::NeverComes = result {
            std::thread::sleep(Duration::from_secs(300));
        }
        let body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
        let length = body.len();
        write!(client, "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        return;
    }
    let first = request.windows(2).position(|bytes| bytes == b"\r\n").unwrap() + 2;
    let mut server = TcpStream::connect(address).unwrap();
    server.write_all(&[&request[..first], b"Connection: close\r\n", &request[first..]].concat()).unwrap();
    std::io::copy(&mut server, &mut client).unwrap();
}

/// The stacks that are there.
fn stacks(url: &str, region: &str) -> Vec<String> {
    let credentials = aws_credential_types::Credentials::new("000000000000", "sandbox", None, None, "test");
    let config = aws_sdk_cloudformation::Config::builder()
        .behavior_version(aws_sdk_cloudformation::config::BehaviorVersion::latest())
        .endpoint_url(url)
        .region(aws_sdk_cloudformation::config::Region::new(region.to_owned()))
        .credentials_provider(credentials)
        .build();
    let client = aws_sdk_cloudformation::Client::from_conf(config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let described = runtime.block_on(client.describe_stacks().send()).unwrap();
    described.stacks().iter().map(|stack| format!("{:?} {:?}", stack.stack_name(), stack.stack_status())).collect()
}

#[test]
fn nothing_is_left_in_the_account_when_asking_fails_or_is_interrupted() {
    let project = Project::with_template(FUNCTION);
    let printed = project.samara(["sandbox", "start"]).run().expect(0).stdout;
    let variables: Vec<(&str, &str)> =
        printed.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('=')).collect();
    let variable = |wanted: &str| variables.iter().find(|(name, _)| *name == wanted).unwrap().1;
    let (url, region) = (variable("AWS_ENDPOINT_URL"), variable("AWS_REGION"));
    let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let asking = |url: &str| {
        let samara = project.samara(["transform", "--compare-with-aws"]);
        let samara = variables.iter().fold(samara, |samara, (name, value)| samara.env(name, value));
        samara.env("AWS_ENDPOINT_URL", url)
    };

    let (denying, _telling) = before(address.clone(), Result::IsDenied);
    asking(&denying).run().expect(1).says("AccessDenied");
    assert_eq!(stacks(url, region), [""; 0]);

    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let (holding, telling) = before(address.clone(), Result::NeverComes);
        let mut command = asking(&holding).into_command();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        telling.recv_timeout(Duration::from_secs(180)).unwrap();
        assert_eq!(stacks(url, region).len(), 1);
        let process = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(process, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        assert_eq!(stacks(url, region), [""; 0], "{stderr}");
    }
}
