//! The applications that `samara init` makes, deployed for real in the sandbox: they answer, a changed
//! one goes through its rollout under traffic, and the stack is settled after it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use serde_json::{Value, json};

use crate::support::{Outcome, Project, installed};

const REGION: &str = "eu-central-1";

/// An application from a template in the folder `hello`, and a sandbox in which a minute is a second.
struct Application {
    project: Project,
    runtime: tokio::runtime::Runtime,
    config: aws_config::SdkConfig,
}

impl Application {
    fn new(template: &str) -> Self {
        let project = Project::new();
        project.samara(["init", "hello", "--template", template]).run().expect(0);
        let start = project.samara(["sandbox", "start", "--speed", "60", "--output", "json"]);
        let started = start.current_dir(project.path("hello")).run().expect(0).json();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let credentials = aws_credential_types::Credentials::new("000000000000", "x", None, None, "test");
        let config = runtime.block_on(
            aws_config::defaults(aws_config::BehaviorVersion::latest())
                .endpoint_url(started["endpoint_url"].as_str().expect("a URL"))
                .region(REGION)
                .credentials_provider(credentials)
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .load(),
        );
        Self { project, runtime, config }
    }

    fn run(&self, args: &[&str]) -> Outcome {
        self.project.samara(args).current_dir(self.project.path("hello")).run()
    }

    fn deploy(&self, more: &[&str]) -> Outcome {
        let args = ["deploy", "--sandbox", "--stack-name", "app"];
        self.run(&args.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
    }

    fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.config)
    }

    fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config)
    }

    /// The stack's outputs; its status has to be this one.
    fn outputs(&self, status: &str) -> Vec<(String, String)> {
        let stacks = self.runtime.block_on(self.cloudformation().describe_stacks().stack_name("app").send());
        let stacks = stacks.expect("the stack");
        let stack = &stacks.stacks()[0];
        assert_eq!(stack.stack_status().expect("a status").as_str(), status);
        let pair = |output: &aws_sdk_cloudformation::types::Output| {
            (output.output_key().unwrap_or_default().to_owned(), output.output_value().unwrap_or_default().to_owned())
        };
        stack.outputs().iter().map(pair).collect()
    }

    fn output(&self, status: &str, key: &str) -> String {
        let outputs = self.outputs(status);
        let found = outputs.iter().find(|(name, _)| name == key);
        found.unwrap_or_else(|| panic!("no output {key} in {outputs:?}")).1.clone()
    }

    /// The types of the stack's resources, all of which are complete.
    fn types(&self) -> BTreeSet<String> {
        let call = self.cloudformation().describe_stack_resources().stack_name("app").send();
        let answer = self.runtime.block_on(call).expect("resources");
        let kind = |resource: &aws_sdk_cloudformation::types::StackResource| {
            let status = resource.resource_status().expect("a status").as_str();
            assert!(matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE"), "{resource:?}");
            resource.resource_type().unwrap_or_default().to_owned()
        };
        answer.stack_resources().iter().map(kind).collect()
    }

    /// What the alias answers to the application's own event, and which version did.
    fn invoke(&self, function: &str) -> (String, Value) {
        let event = self.project.read("hello/events/event.json");
        let call = self.lambda().invoke().function_name(function).qualifier("live").payload(Blob::new(event));
        let answer = self.runtime.block_on(call.send()).expect("an answer");
        let payload = serde_json::from_slice(answer.payload().expect("a payload").as_ref()).expect("JSON");
        assert_eq!(answer.function_error(), None, "{payload}");
        (answer.executed_version().expect("a version").to_owned(), payload)
    }

    /// Invokes the alias again and again, as a steady caller would, until told to stop.
    fn traffic(&self, function: &str, stop: &Arc<AtomicBool>) -> Vec<tokio::task::JoinHandle<u32>> {
        let event = self.project.read("hello/events/event.json");
        (0..2)
            .map(|_| {
                let call = self.lambda().invoke().function_name(function).qualifier("live");
                let call = call.payload(Blob::new(event.clone()));
                let stop = stop.clone();
                self.runtime.spawn(async move {
                    let mut errors = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let answer = call.clone().send().await;
                        errors +=
                            u32::from(answer.is_err() || answer.is_ok_and(|answer| answer.function_error.is_some()));
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    errors
                })
            })
            .collect()
    }

    /// Deploys, invokes, changes, deploys again under traffic, and looks whether everything agrees.
    fn goes_to_its_second_version(&self, change: impl Fn(&Project), said: [&Value; 2]) {
        self.run(&["validate"]).expect(0);
        self.run(&["package", "--dry-run"]).expect(0);
        let first = self.deploy(&[]).expect(0).says("CREATE_COMPLETE").prints("FunctionName");
        let function = self.output("CREATE_COMPLETE", "FunctionName");
        let first = first.prints(&function);
        for (_, value) in self.outputs("CREATE_COMPLETE") {
            assert!(first.stdout.contains(&value), "{value} is not in\n{}", first.stdout);
        }
        self.types();
        assert_eq!(self.invoke(&function), ("1".to_owned(), said[0].clone()));

        change(&self.project);
        let stop = Arc::new(AtomicBool::new(false));
        let callers = self.traffic(&function, &stop);
        let second = self.deploy(&["--output", "json"]);
        stop.store(true, Ordering::Relaxed);
        let errors: u32 = callers.into_iter().map(|caller| self.runtime.block_on(caller).expect("a caller")).sum();
        let second = second.expect(0);
        assert_eq!(errors, 0, "callers saw errors");
        let lines: Vec<Value> =
            second.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
        let verdict = lines.iter().find(|line| line["type"] == "verdict").expect("a verdict");
        assert_eq!((&verdict["outcome"], &verdict["new_version"]), (&json!("succeeded"), &json!("2")), "{verdict}");
        assert_eq!(lines.last().expect("a result")["status"], "success");

        // Alias, stack and template agree.
        assert_eq!(self.invoke(&function), ("2".to_owned(), said[1].clone()));
        let alias = self.runtime.block_on(self.lambda().get_alias().function_name(&function).name("live").send());
        let alias = alias.expect("the alias");
        assert_eq!(alias.function_version(), Some("2"));
        assert!(
            alias
                .routing_config()
                .and_then(|routing| routing.additional_version_weights())
                .is_none_or(|w| w.is_empty())
        );
        assert_eq!(self.output("UPDATE_COMPLETE", "FunctionName"), function);
        self.types();
        self.deploy(&[]).expect(3).says("No changes");
    }

    /// Who may invoke the alias.
    fn policy(&self) -> String {
        let function = self.output("UPDATE_COMPLETE", "FunctionName");
        let call = self.lambda().get_policy().function_name(function).qualifier("live").send();
        self.runtime.block_on(call).expect("a policy").policy().expect("a document").to_owned()
    }
}

/// Replaces a text in a file of the application.
fn replace(project: &Project, file: &str, what: &str, with: &str) {
    let before = project.read(file);
    assert!(before.contains(what), "{what:?} is not in {file}");
    project.write(file, before.replace(what, with));
}

fn greeting(text: &str) -> Value {
    json!({
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": text,
    })
}

#[test]
fn python_api_goes_live_and_to_its_second_version() {
    if !installed("python3") {
        return;
    }
    let application = Application::new("python-api");
    application.goes_to_its_second_version(
        |project| replace(project, "hello/src/app.py", "Hello, ", "Howdy, "),
        [&greeting(r#"{"message": "Hello, world!"}"#), &greeting(r#"{"message": "Howdy, world!"}"#)],
    );
    let types = application.types();
    assert!(types.contains("AWS::ApiGatewayV2::Api") && types.contains("AWS::CloudWatch::Alarm"), "{types:?}");
    assert!(application.policy().contains("apigateway.amazonaws.com"));
    assert!(application.output("UPDATE_COMPLETE", "Url").ends_with(".amazonaws.com/greet/world"));
}

#[test]
fn node_api_goes_live_and_to_its_second_version() {
    if !installed("node") {
        return;
    }
    let application = Application::new("node-api");
    application.goes_to_its_second_version(
        |project| replace(project, "hello/src/app.mjs", "Hello, ", "Howdy, "),
        [&greeting(r#"{"message":"Hello, world!"}"#), &greeting(r#"{"message":"Howdy, world!"}"#)],
    );
    let types = application.types();
    assert!(types.contains("AWS::ApiGateway::RestApi") && types.contains("AWS::ApiGateway::Stage"), "{types:?}");
    assert!(application.policy().contains("apigateway.amazonaws.com"));
    assert!(application.output("UPDATE_COMPLETE", "Url").ends_with("/Prod/greet/world"));
}

#[test]
fn custom_runtime_job_goes_live_and_to_its_second_version() {
    if !installed("curl") {
        return;
    }
    let application = Application::new("custom-runtime-job");
    application.goes_to_its_second_version(
        |project| replace(project, "hello/job/job.sh", r#"{"message": "%s"}"#, r#"{"message": "%s!"}"#),
        [&json!({"message": "Good morning"}), &json!({"message": "Good morning!"})],
    );
    assert!(application.types().contains("AWS::Events::Rule"));
    assert!(application.policy().contains("events.amazonaws.com"));
}

#[test]
fn rust_worker_goes_live_and_to_its_second_version() {
    if !installed("bash") {
        return;
    }
    let application = Application::new("rust-worker");
    let says = "there is no file or folder target/lambda/";
    application.run(&["deploy", "--sandbox"]).expect(1).says(says).says("cargo build --profile lambda");
    // In place of what cargo builds: a Runtime API client that finds no message at fault.
    let put = |project: &Project, variant: &str| {
        use std::os::unix::fs::PermissionsExt;
        let file = "hello/target/lambda/bootstrap";
        let answer = format!(r#"invocation/$id/response" '{{"batchItemFailures":[],"variant":"{variant}"}}' #"#);
        project.write(file, crate::lambda::BOOTSTRAP.replace(r#"invocation/$id/response" "#, &answer));
        std::fs::set_permissions(project.path(file), std::fs::Permissions::from_mode(0o755)).expect("its mode");
    };
    put(&application.project, "one");
    let answer = |variant: &str| json!({"batchItemFailures": [], "variant": variant});
    application.goes_to_its_second_version(|project| put(project, "two"), [&answer("one"), &answer("two")]);

    // The queue feeds the alias, never a version or $LATEST.
    let function = application.output("UPDATE_COMPLETE", "FunctionName");
    let alias = format!("{function}:live");
    let call = application.lambda().list_event_source_mappings().function_name(&alias).send();
    let mappings = application.runtime.block_on(call).expect("mappings");
    let [mapping] = mappings.event_source_mappings() else { panic!("{mappings:?}") };
    assert!(mapping.function_arn().is_some_and(|arn| arn.ends_with(&alias)), "{mapping:?}");
    let url = application.output("UPDATE_COMPLETE", "QueueUrl");
    let queue = url.rsplit('/').next().expect("a name");
    assert!(mapping.event_source_arn().is_some_and(|arn| arn.ends_with(queue)), "{mapping:?}");
    assert_eq!(mapping.state(), Some("Enabled"));
}
