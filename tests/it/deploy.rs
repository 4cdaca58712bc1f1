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
    session.set_expect_timeout(Some(std::time::Duration::from_secs(30)));
    for (prompt, answer) in answers {
        if let Err(error) = session.expect(prompt) {
            panic!("waiting for {prompt:?}: {error}");
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
