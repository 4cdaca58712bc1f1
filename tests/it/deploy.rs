//! `samara deploy`, as far as it goes without an endpoint: arguments, configuration, dry run.

use crate::support::Project;

const QUEUE: &str = "\
Parameters:
  Name: { Type: String, AllowedValues: [one, two], Default: one }
  Secret: { Type: String, NoEcho: true, Default: hidden }
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Ref Name
";

/// An endpoint on which nobody listens: a call would fail, and be seen.
const NOBODY: &str = "http://127.0.0.1:9";

#[test]
fn a_dry_run_checks_everything_and_calls_nothing() {
    let project = Project::with_template(QUEUE);
    let dry = project.samara(["deploy", "--dry-run", "--stack-name", "app"]).env("AWS_ENDPOINT_URL", NOBODY).run();
    dry.expect(0).says("1 resources for stack app").says("nothing was called");
    let json =
        project.samara(["deploy", "--dry-run", "--output", "json"]).env("AWS_ENDPOINT_URL", NOBODY).run().expect(0);
    assert_eq!(json.json()["status"], "dry_run");
    assert_eq!(project.files(), ["template.yaml"]);
}

#[test]
fn what_is_wrong_locally_is_said_before_the_first_call() {
    let project = Project::with_template(QUEUE);
    let run = |args: &[&str]| project.samara(args).env("AWS_ENDPOINT_URL", NOBODY).run();
    run(&["deploy"]).expect(2).says("--stack-name");
    run(&["deploy", "--stack-name", "1x"]).expect(2).says("cannot be a stack's name");
    run(&["deploy", "--stack-name", "a", "--parameter-overrides", "Name=three"])
        .expect(2)
        .says("has to be one of one, two");
    run(&["deploy", "--stack-name", "a", "--parameter-overrides", "Name=two words"]).expect(2).says("not KEY=VALUE");
    run(&["deploy", "--stack-name", "a", "--capabilities", "CAPABILITY_FLY"]).expect(2).says("is not a capability");
    run(&["deploy", "--stack-name", "a", "--guided"]).expect(2).says("there is no terminal");
    run(&["deploy", "--stack-name", "a", "--output", "json", "--confirm-changeset"]).expect(2).says("is for programs");
    run(&["deploy", "--stack-name", "a", "--image-repository", "x"]).expect(2).says("container images");
    run(&["deploy", "--strategy", "AllAtOnce", "--no-rollout"]).expect(2).says("cannot be used with");
    run(&["deploy", "--template-file", "nowhere.yaml"]).expect(1).says("nowhere.yaml");
}

#[test]
fn a_broken_configuration_is_one_error_with_its_place() {
    let project = Project::with_template(QUEUE);
    project.write("samconfig.toml", "[default.deploy.parameters]\nstack_name = 'app'\n");
    project.samara(["deploy", "--dry-run"]).run().expect(1).says("samconfig.toml:1:1").says("version = 0.1");
    project.write("samconfig.toml", "version = 0.1\n[default.deploy.parameters]\nstack_nam = 'app'\n");
    project.samara(["deploy", "--dry-run"]).run().expect(0).says("stack_nam").says("Did you mean `stack_name`?");
    project.samara(["deploy", "--dry-run", "--config-env", "prod"]).run().expect(0).says("no environment `prod`");
    project.samara(["deploy", "--dry-run", "--config-file", "absent.toml"]).run().expect(1).says("does not exist");
}

#[test]
fn arguments_are_saved_and_secrets_are_not() {
    let project = Project::with_template(QUEUE);
    project.write("samconfig.toml", "# ours\nversion = 0.1\n");
    let args = ["deploy", "--dry-run", "--save-params", "--stack-name", "app", "--region", "eu-west-1"];
    let overrides = ["--parameter-overrides", "Name=two", "Secret=canary-secret"];
    let saved = project.samara(args.iter().chain(&overrides)).run().expect(0);
    assert!(!format!("{}{}", saved.stdout, saved.stderr).contains("canary-secret"));
    let text = project.read("samconfig.toml");
    assert!(text.starts_with("# ours\n"), "{text}");
    assert!(text.contains("stack_name = \"app\"") && text.contains("region = \"eu-west-1\""), "{text}");
    assert!(text.contains("Name=") && !text.contains("canary-secret"), "{text}");
    project.samara(["deploy", "--dry-run"]).run().expect(0).says("for stack app");
}

#[test]
fn an_endpoint_that_is_not_there_is_an_error_with_a_next_step() {
    let project = Project::with_template(QUEUE);
    let outcome = project
        .samara(["deploy", "--stack-name", "app", "--output", "json"])
        .env("AWS_ENDPOINT_URL", NOBODY)
        .env("AWS_ACCESS_KEY_ID", "x")
        .env("AWS_SECRET_ACCESS_KEY", "y")
        .run()
        .expect(1)
        .says("hint:");
    let line: serde_json::Value = serde_json::from_str(outcome.stdout.trim()).expect("one JSON line");
    assert_eq!((&line["type"], &line["status"]), (&"result".into(), &"failure".into()));
}

/// Talks to the binary on a pseudo-terminal: waits for each prompt and answers it.
fn talk(samara: crate::support::samara::Samara, answers: &[(&str, &str)]) -> String {
    use expectrl::Expect;
    let mut command = samara.into_command();
    command.env("TERM", "xterm");
    let mut session = expectrl::Session::spawn(command).expect("the binary starts");
    session.set_expect_timeout(Some(std::time::Duration::from_secs(180)));
    for (prompt, answer) in answers {
        if let Err(error) = session.expect(prompt) {
            panic!("waiting for {prompt:?}: {error}");
        }
        // A password prompt drops what was typed before it has switched the echo off.
        if prompt.contains("Secret") {
            std::thread::sleep(std::time::Duration::from_secs(2));
        }
        session.send_line(answer).expect("an answer");
    }
    let rest = session.expect(expectrl::Eof).expect("the end");
    String::from_utf8_lossy(rest.as_bytes()).into_owned()
}

#[test]
fn guided_asks_and_saves_and_keeps_comments_and_no_secrets() {
    let project = Project::with_template(QUEUE);
    project.write("samconfig.toml", "# Ask Ada first.\nversion = 0.1\n\n[default.deploy.parameters]\n# the team's name for it\nstack_name = \"old\" # since 2020\n");
    let guided = project.samara(["deploy", "--guided", "--dry-run"]).env("AWS_ENDPOINT_URL", NOBODY);
    let rest = talk(
        guided,
        &[
            ("Stack Name [old]", "queue-app"),
            ("AWS Region [eu-central-1]", ""),
            ("Parameter Name [one]", "three"),
            ("one of one, two", "two"),
            ("Parameter Secret", "canary-secret"),
            ("Confirm changes before deploy [y/N]", "y"),
            ("Allow the creation of IAM roles [Y/n]", ""),
            ("Disable rollback [y/N]", ""),
            ("Save arguments to configuration file [Y/n]", "y"),
            ("Configuration file [samconfig.toml]", ""),
            ("Configuration environment [default]", ""),
        ],
    );
    assert!(rest.contains("Dry run"), "{rest}");
    insta::assert_snapshot!(project.read("samconfig.toml"), @r#"
    # Ask Ada first.
    version = 0.1

    [default.deploy.parameters]
    # the team's name for it
    stack_name = "queue-app" # since 2020
    resolve_s3 = true
    s3_prefix = "queue-app"
    confirm_changeset = true
    capabilities = "CAPABILITY_IAM"
    parameter_overrides = 'Name="two"'

    [default.global.parameters]
    region = "eu-central-1"
    "#);
    project.samara(["deploy", "--dry-run"]).run().expect(0).says("for stack queue-app");
}

/// A function that never answers; nothing here invokes it.
const BOOTSTRAP: &str = "#!/bin/sh\nwhile true; do sleep 1; done\n";

/// A permission for a function that nobody has: it fails when it is made.
const BAD: &str = "  Bad:
    Type: AWS::Lambda::Permission
    Properties: { FunctionName: nobody, Action: 'lambda:InvokeFunction', Principal: sns.amazonaws.com }
  After:
    Type: AWS::Logs::LogGroup
    DependsOn: Bad
";

fn application(project: &Project, more: &str, code: &str) {
    project.write(
        "template.yaml",
        format!(
            "Transform: AWS::Serverless-2016-10-31
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: bootstrap
      Runtime: provided.al2023
      AutoPublishAlias: live
      DeploymentPreference: {{ Type: AllAtOnce }}
{more}Outputs:
  Name: {{ Value: !Ref Fn, Description: The function }}
"
        ),
    );
    project.write("src/bootstrap", format!("{BOOTSTRAP}# {code}\n"));
}

fn deploy(project: &Project, more: &[&str]) -> crate::support::Outcome {
    let args = ["deploy", "--sandbox", "--stack-name", "app", "--capabilities", "CAPABILITY_IAM", "--no-bake"];
    project.samara(args.iter().chain(more)).run()
}

/// Standard output as JSON lines.
fn lines(outcome: &crate::support::Outcome) -> Vec<serde_json::Value> {
    outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[test]
fn a_stack_is_made_left_alone_and_then_changed_without_moving_traffic_early() {
    let project = Project::new();
    application(&project, "  Log: { Type: AWS::Logs::LogGroup }\n", "one");
    deploy(&project, &[]).expect(0).says("+ add").says("CREATE_COMPLETE").prints("Name");
    deploy(&project, &[]).expect(3).says("No changes to deploy");
    let again = deploy(&project, &["--no-fail-on-empty-changeset", "--output", "json"]).expect(0);
    assert_eq!(lines(&again).last().expect("a result")["status"], "no_changes");

    // The log group is no longer in the template: it goes only after the alias has moved.
    application(&project, "", "two");
    let changed = deploy(&project, &["--output", "json"]).expect(0);
    let found = lines(&changed);
    let at = |what: &dyn Fn(&serde_json::Value) -> bool| found.iter().position(what).expect("a line");
    let moved = at(&|line| line["type"] == "rollout" && line["entry"]["event"] == "confirmed");
    let removed = at(&|line| line["logical_id"] == "Log" && line["status"] == "DELETE_COMPLETE");
    assert!(moved < removed, "{}", changed.stdout);
    assert!(!found.iter().any(|line| line["type"] == "changeset" && line["logical_id"] == "Log"), "{}", changed.stdout);
    assert_eq!(found.last().expect("a result")["status"], "success");
    deploy(&project, &[]).expect(3);
}

#[test]
fn a_failure_names_what_failed_first_and_says_how_the_stack_is() {
    let project = Project::new();
    application(&project, "", "one");
    deploy(&project, &[]).expect(0);
    application(&project, BAD, "one");
    deploy(&project, &[])
        .expect(4)
        .says("error: Bad (AWS::Lambda::Permission) failed")
        .says("UPDATE_ROLLBACK_COMPLETE");
    let json = deploy(&project, &["--output", "json"]).expect(4);
    let result = lines(&json).pop().expect("a result");
    assert_eq!((&result["status"], &result["error"]["resources"][0]["logical_id"]), (&"failure".into(), &"Bad".into()));

    // A stack whose first deploy fails is a dead end, and that is said.
    project.write("bad.yaml", format!("Resources:\n{BAD}"));
    let first = |more: &[&str]| {
        project.samara(["deploy", "--sandbox", "-t", "bad.yaml", "--stack-name", "dead"].iter().chain(more)).run()
    };
    first(&[]).expect(1).says("error: Bad").says("has to be deleted");
    first(&[]).expect(1).says("is in ROLLBACK_COMPLETE").says("--on-failure DELETE");
    let gone = ["deploy", "--sandbox", "-t", "bad.yaml", "--stack-name", "gone", "--on-failure", "DELETE"];
    project.samara(gone).run().expect(1).says("Stack gone was deleted");
    project.samara(gone).run().expect(1).says("error: Bad");
}

#[test]
fn a_rejected_version_is_not_deployed_a_second_time() {
    let project = Project::new();
    application(&project, "", "one");
    deploy(&project, &[]).expect(0);
    application(&project, "", "two");
    let args = ["deploy", "--sandbox", "--stack-name", "app", "--capabilities", "CAPABILITY_IAM", "--strategy"];
    let mut child = project
        .samara(args.iter().chain(&["canary:10%:10m", "--output", "json"]))
        .into_command()
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the binary starts");
    let out = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let pid = rustix::process::Pid::from_child(&child);
    let mut signalled = false;
    for line in std::io::BufRead::lines(out) {
        // The first traffic has moved. A second signal would end it at once.
        if line.expect("a line").contains("\"confirmed\"") && !signalled {
            rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
            signalled = true;
        }
    }
    assert_eq!(child.wait().expect("an end").code(), Some(4));
    deploy(&project, &[]).expect(3).says("was rolled back 20").says("samara rollout retry");
}

#[test]
fn a_change_set_is_shown_and_not_executed() {
    let project = Project::with_template(QUEUE);
    let args = ["deploy", "--sandbox", "--stack-name", "app", "--no-execute-changeset"];
    project.samara(args).run().expect(0).says("+ add").says("it was not executed");
    // To be confirmed, with nobody to ask: nothing is left behind.
    let asked = ["deploy", "--sandbox", "--stack-name", "other", "--confirm-changeset"];
    project.samara(asked).run().expect(2).says("there is no terminal").says("which never had a resource");
    let yes = ["deploy", "--sandbox", "--stack-name", "other", "--confirm-changeset", "--yes"];
    project.samara(yes).run().expect(0);
}

#[test]
fn aws_own_transform_gives_a_stack_that_the_native_one_leaves_alone() {
    let project = Project::new();
    application(&project, "", "one");
    deploy(&project, &["--transform", "aws"]).expect(0).says("CREATE_COMPLETE");
    deploy(&project, &["--transform", "aws"]).expect(3);
    deploy(&project, &[]).expect(3);
    application(&project, "  Log: { Type: AWS::Logs::LogGroup }\n", "two");
    deploy(&project, &["--transform", "aws"]).expect(0).says("= hold").says("serves everybody");
}
