//! `samara deploy` with its rollout, by real processes against the sandbox: killed in the middle and
//! carried on by another process, and judged by real traffic.

use std::collections::HashMap;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Outcome, Project};

/// A sandbox on a fast clock, with a stack `app` that has one function and its alias `live`.
struct World {
    project: Project,
    runtime: tokio::runtime::Runtime,
    lambda: aws_sdk_lambda::Client,
    cloudformation: aws_sdk_cloudformation::Client,
}

/// A function that never answers.
const SILENT: &str = "#!/bin/sh\nwhile true; do sleep 1; done\n";
/// An alias held at version 1, as a template says it.
const HELD: &str = "\"FunctionVersion\": \"1\"";
const QUIET: [&str; 3] = ["--no-bake", "--min-requests", "0"];

impl World {
    fn new() -> Self {
        let project = Project::new();
        let started = project.samara(["sandbox", "start", "--speed", "60", "--output", "json"]).run().expect(0);
        let endpoint = started.json()["endpoint_url"].as_str().expect("an endpoint").to_owned();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let credentials = aws_credential_types::Credentials::new("000000000000", "sandbox", None, None, "test");
        let config = runtime.block_on(
            aws_config::defaults(aws_config::BehaviorVersion::latest())
                .endpoint_url(&endpoint)
                .region(aws_config::Region::new("eu-central-1"))
                .credentials_provider(credentials)
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .load(),
        );
        let lambda = aws_sdk_lambda::Client::new(&config);
        let cloudformation = aws_sdk_cloudformation::Client::new(&config);
        Self { project, runtime, lambda, cloudformation }
    }

    /// The application, with more resources.
    fn write(&self, runtime: &str, more: &str, file: (&str, &str)) {
        let template = format!(
            "Transform: AWS::Serverless-2016-10-31
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: {runtime}
      AutoPublishAlias: live
      DeploymentPreference: {{ Type: AllAtOnce }}
{more}"
        );
        self.project.write("template.yaml", template);
        self.project.write(format!("src/{}", file.0), file.1);
    }

    fn silent(&self, more: &str, code: &str) {
        self.write("provided.al2023", more, ("bootstrap", &format!("{SILENT}# {code}\n")));
    }

    fn deploy(&self, more: &[&str]) -> crate::support::samara::Samara {
        let args = ["deploy", "--sandbox", "--stack-name", "app", "--capabilities", "CAPABILITY_IAM"];
        self.project.samara(args.iter().chain(more))
    }

    fn rollout(&self, args: &[&str]) -> Outcome {
        self.project.samara(["rollout"].iter().chain(args).chain(&["--sandbox", "--stack-name", "app"])).run()
    }

    /// Deploys with a slow strategy, and kills the process at the first weight.
    fn deploy_and_kill(&self) {
        let mut args = vec!["--strategy", "steps:10%:1m,50%:1m", "--output", "json"];
        args.extend(QUIET);
        let mut child = self.start(&args);
        let out = std::io::BufReader::new(child.stdout.take().expect("piped"));
        for line in std::io::BufRead::lines(out) {
            if line.expect("a line").contains("\"confirmed\"") {
                child.kill().expect("it runs");
                break;
            }
        }
        assert_eq!(child.wait().expect("it ends").code(), None, "it was killed");
        assert_eq!(self.alias().1.len(), 1, "in the middle of its rollout");
    }

    fn start(&self, args: &[&str]) -> Child {
        let mut command = self.deploy(args).into_command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts")
    }

    fn resources(&self) -> HashMap<String, String> {
        let answer = self.cloudformation.describe_stack_resources().stack_name("app").send();
        let resources = self.runtime.block_on(answer).expect("an answer").stack_resources.unwrap_or_default();
        resources
            .into_iter()
            .filter_map(|one| Some((one.logical_resource_id?, one.physical_resource_id.unwrap_or_default())))
            .collect()
    }

    fn template(&self) -> String {
        let answer = self.cloudformation.get_template().stack_name("app").send();
        self.runtime.block_on(answer).expect("an answer").template_body.unwrap_or_default()
    }

    fn function(&self) -> String {
        self.resources()["Fn"].clone()
    }

    /// Version, and the weights of the other one, as the SDK reads them.
    fn alias(&self) -> (String, HashMap<String, f64>) {
        self.alias_of("Fn")
    }

    fn alias_of(&self, name: &str) -> (String, HashMap<String, f64>) {
        let alias = self.lambda.get_alias().function_name(&self.resources()[name]).name("live").send();
        let alias = self.runtime.block_on(alias).expect("an answer");
        let weights = alias.routing_config.and_then(|routing| routing.additional_version_weights).unwrap_or_default();
        (alias.function_version.expect("a version"), weights)
    }
}

fn whole(version: &str) -> (String, HashMap<String, f64>) {
    (version.to_owned(), HashMap::new())
}

#[test]
fn a_deploy_killed_in_its_rollout_is_finished_or_taken_back_by_another_process() {
    let world = World::new();
    world.silent("  Log: { Type: AWS::Logs::LogGroup }\n", "one");
    world.deploy(&QUIET).run().expect(0);
    world.silent("", "two");
    world.deploy_and_kill();
    assert!(world.template().contains(HELD), "held: {}", world.template());
    assert!(world.resources().contains_key("Log"), "what the old version may use is still there");
    world.rollout(&["status"]).expect(6).prints("nobody drives it");
    world.deploy(&QUIET).run().expect(5).says("samara rollout");
    let resumed = world.rollout(&["resume"]).expect(0).prints("serves version 2 to everybody");
    let resumed = resumed.says("CloudFormation wrote the alias as it was");
    assert!(!resumed.stderr.contains("edited"), "{}", resumed.stderr);
    assert_eq!(world.alias(), whole("2"));
    assert!(!world.template().contains(HELD), "settled: {}", world.template());
    assert!(!world.resources().contains_key("Log"), "settled");
    world.deploy(&QUIET).run().expect(3).says("No changes to deploy");

    // Back by hand: the stack knows nothing of it, and says so when it is asked.
    world.rollout(&["rollback"]).expect(0);
    assert_eq!(world.alias(), whole("1"));
    let status = world.rollout(&["status"]).expect(0).prints("stack app says version 2, and the alias does not");
    status.prints("version 2 was taken back to 1 by hand");
    world.rollout(&["rollback", "--to-version", "2"]).expect(0);
    let status = world.rollout(&["status", "--output", "json"]).expect(0).json();
    assert_eq!(status["stack"], serde_json::json!({"name": "app", "version": "2", "differs": false}));

    world.silent("", "three");
    world.deploy_and_kill();
    world.rollout(&["abort"]).expect(4).prints("is back on version 2: aborted");
    assert_eq!(world.alias(), whole("2"));
    let refused = world.deploy(&QUIET).run().expect(3).says("version 3 of ").says("was rolled back 20");
    assert!(refused.stderr.contains("UTC: aborted."), "{}", refused.stderr);
    assert_eq!(world.alias(), whole("2"));
    world.silent("", "four");
    world.deploy(&QUIET).run().expect(0);
    assert_eq!(world.alias(), whole("4"));
    world.deploy(&QUIET).run().expect(3).says("No changes to deploy");

    // What the configuration says holds as if it stood on the command line.
    let config = |more: &str| {
        let text = "version = 0.1\n[default.deploy.parameters]\nno_bake = true\nmin_requests = 0\n";
        world.project.write("samconfig.toml", format!("{text}{more}"));
    };
    world.silent("", "five");
    config("alarm = ['there-is-none']\n");
    world.deploy(&[]).run().expect(1).says("there is no alarm there-is-none");
    assert_eq!(world.alias(), whole("4"));
    config("strategy = 'canary:20%:1m'\n");
    world.deploy(&[]).run().expect(0).says("version 4 with 20% to version 5");
    assert_eq!(world.alias(), whole("5"));
}

#[test]
fn functions_of_one_stack_step_together_and_go_back_together() {
    let world = World::new();
    let other = "  Other:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: provided.al2023
      AutoPublishAlias: live
      DeploymentPreference: { Type: AllAtOnce }
";
    world.silent(other, "one");
    world.deploy(&QUIET).run().expect(0);
    world.silent(other, "two");
    let mut args = vec!["--strategy", "steps:10%:1m,50%:1m", "--output", "json"];
    args.extend(QUIET);
    let mut child = world.start(&args);
    let mut confirmed = 0;
    for line in std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped"))) {
        confirmed += usize::from(line.expect("a line").contains("\"confirmed\""));
        if confirmed == 2 {
            child.kill().expect("it runs");
            break;
        }
    }
    child.wait().expect("it ends");
    let split = |name: &str| world.alias_of(name).1.get("2").copied();
    assert_eq!((split("Fn"), split("Other")), (Some(0.1), Some(0.1)), "both at the first step");

    // Either alias leads to the one rollout.
    let of = |name: &str, args: &[&str]| {
        let (function, alias) = (world.resources()[name].clone(), "live");
        let target = ["--sandbox", "--function", &function, "--alias", alias];
        world.project.samara(["rollout"].iter().chain(args).chain(&target)).run()
    };
    of("Other", &["status"]).expect(6).prints("nobody drives it");
    of("Other", &["abort"]).expect(4).prints("are back on versions 1, 1: aborted");
    assert_eq!((world.alias_of("Fn"), world.alias_of("Other")), (whole("1"), whole("1")));

    world.silent(other, "three");
    let mut args = vec!["--strategy", "canary:10%:1m"];
    args.extend(QUIET);
    world.deploy(&args).run().expect(0).prints("serve versions ");
    assert_eq!((world.alias_of("Fn"), world.alias_of("Other")), (whole("3"), whole("3")));
    of("Fn", &["status"]).expect(0).prints("no rollout is under way");

    // One by one they are taken back by name, of the stack all that its last rollout moved.
    of("Fn", &["rollback"]).expect(0).prints("is on version 1");
    assert_eq!((world.alias_of("Fn"), world.alias_of("Other")), (whole("1"), whole("3")));
    let back = world.rollout(&["rollback"]).expect(0).says("Taking back what the last rollout moved: ");
    let _ = back.prints("was on version 1 already").prints("is on version 1 (it was on version 3)");
    assert_eq!((world.alias_of("Fn"), world.alias_of("Other")), (whole("1"), whole("1")));
    // What is back is back.
    let again = world.rollout(&["rollback", "--output", "json"]).expect(0);
    assert_eq!(again.stdout.lines().count(), 2, "{}", again.stdout);
    // A version is one of one function's.
    world.rollout(&["rollback", "--to-version", "1"]).expect(2).says("stack app has 2 aliases; add one of: ");

    // The next deploy moves one of them: the other one is left where it is.
    let alone = other.replace("CodeUri: src/", "CodeUri: other/");
    world.project.write("other/bootstrap", format!("{SILENT}# other\n"));
    world.silent(&alone, "three");
    world.deploy(&[&args[..], &["--force"]].concat()).run().expect(0);
    let before = (world.alias_of("Fn"), world.alias_of("Other"));
    world.project.write("other/bootstrap", format!("{SILENT}# another\n"));
    world.deploy(&args).run().expect(0);
    assert_ne!(world.alias_of("Other"), before.1);
    let alone = world.rollout(&["rollback", "--pin"]).expect(0);
    assert!(!alone.stdout.contains(&world.function()), "{}", alone.stdout);
    assert_eq!((world.alias_of("Fn"), world.alias_of("Other")), before);
}

/// Calls the alias all the time until it is told to stop; gives how often.
fn call(world: &World, stop: &AtomicBool) -> u64 {
    let (function, mut calls) = (world.function(), 0);
    while !stop.load(Ordering::Relaxed) {
        let invoke = || world.lambda.invoke().function_name(&function).qualifier("live").send();
        // A failing function answers, too; what counts is that it was called.
        let _ = world.runtime.block_on(async { tokio::join!(invoke(), invoke(), invoke(), invoke()) });
        calls += 4;
    }
    calls
}

#[test]
fn a_failing_version_is_taken_back_by_the_evidence_of_its_traffic() {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        return eprintln!("SKIPPED: there is no python3 to run a function with");
    }
    let world = World::new();
    world.write("python3.12", "", ("app.py", "def handler(event, context):\n    return 'well'\n"));
    world.deploy(&QUIET).run().expect(0);
    world.write("python3.12", "", ("app.py", "def handler(event, context):\n    raise ValueError('not well')\n"));
    let stop = AtomicBool::new(false);
    let (outcome, calls) = std::thread::scope(|scope| {
        let traffic = scope.spawn(|| call(&world, &stop));
        let outcome = world.deploy(&["--strategy", "canary:50%:30m"]).run();
        stop.store(true, Ordering::Relaxed);
        (outcome, traffic.join().unwrap())
    });
    // A minute may be judged before the last of its errors is counted: nearly all is all that is sure.
    let outcome = outcome.expect(4).prints("is back on version 1: errors: new ").prints("old 0.0 % of ");
    assert!(outcome.stdout.contains("against a bound of "), "{}", outcome.stdout);
    assert!(calls > 20, "{calls}");
    assert_eq!(world.alias(), whole("1"));
    world.deploy(&QUIET).run().expect(3).says("was rolled back 20").says("errors: new ");
}
