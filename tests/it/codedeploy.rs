//! CodeDeploy in the sandbox, by its real clients, stacks whose alias it moves, and `samara deploy` that
//! watches it.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_lambda::types::AliasRoutingConfiguration;

use crate::support::samara::Samara;
use crate::support::{Outcome, Project, python};

/// Runs a script of AWS's own clients against a sandbox on a fast clock.
fn run(script: &str) {
    let Some(python) = python::interpreter() else { return };
    let project = Project::new();
    let started = project.samara(["sandbox", "start", "--speed", "60", "--output", "json"]).run().expect(0).json();
    let url = started["endpoint_url"].as_str().expect("a URL").to_owned();
    let output = Command::new(python).args(["-c", script]).arg(url).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn boto3_deploys_stops_and_rolls_back_with_hooks_and_alarms() {
    run(include_str!("support/codedeploy_clients.py"));
}

#[test]
fn a_stack_waits_for_codedeploy_and_goes_back_with_it() {
    run(include_str!("support/codedeploy_stacks.py"));
}

/// A sandbox on a fast clock, and the SDK's clients of it.
pub(crate) struct World {
    pub(crate) project: Project,
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) endpoint: String,
    lambda: aws_sdk_lambda::Client,
    codedeploy: aws_sdk_codedeploy::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    cloudformation: aws_sdk_cloudformation::Client,
}

impl World {
    pub(crate) fn new() -> Self {
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
        let codedeploy = aws_sdk_codedeploy::Client::new(&config);
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&config);
        let cloudformation = aws_sdk_cloudformation::Client::new(&config);
        Self { project, runtime, endpoint, lambda, codedeploy, cloudwatch, cloudformation }
    }

    /// Says how CodeDeploy behaves where AWS's behaviour is not known.
    fn behave(&self, query: &str) {
        let url = format!("{}/_samara/codedeploy?{query}", self.endpoint);
        let status = Command::new("curl").args(["-sf", "-X", "PUT", &url]).output().expect("curl runs").status;
        assert!(status.success(), "{url}");
    }

    fn write(&self, preference: &str, code: &str) {
        let template = format!(
            "Transform: AWS::Serverless-2016-10-31
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: python3.12
      AutoPublishAlias: live
      DeploymentPreference: {{ {preference} }}
"
        );
        self.project.write("template.yaml", template);
        self.project.write("src/app.py", code);
    }

    pub(crate) fn deploy(&self, more: &[&str]) -> Outcome {
        self.samara(more).run()
    }

    fn samara(&self, more: &[&str]) -> Samara {
        let args = ["deploy", "--sandbox", "--stack-name", "app", "--capabilities", "CAPABILITY_IAM"];
        self.project.samara(args.iter().chain(more))
    }

    /// Deploys, and gives the process when the alias has two versions.
    pub(crate) fn deploy_until_split(&self, more: &[&str]) -> Child {
        let mut command = self.samara(more).into_command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        for _ in 0..1200 {
            if !self.alias().1.is_empty() {
                return child;
            }
            if child.try_wait().expect("it can be asked").is_some() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let _ = child.kill();
        panic!("it never moved traffic: {:?}", child.wait_with_output());
    }

    pub(crate) fn rollout(&self, args: &[&str]) -> Outcome {
        self.project.samara(["rollout"].iter().chain(args).chain(&["--sandbox", "--stack-name", "app"])).run()
    }

    pub(crate) fn physical(&self, logical: &str) -> String {
        let answer = self.cloudformation.describe_stack_resources().stack_name("app").send();
        let resources = self.runtime.block_on(answer).expect("an answer").stack_resources.unwrap_or_default();
        let found = resources.into_iter().find(|one| one.logical_resource_id.as_deref() == Some(logical));
        found.and_then(|one| one.physical_resource_id).unwrap_or_else(|| panic!("no {logical}"))
    }

    pub(crate) fn status(&self) -> String {
        let answer = self.cloudformation.describe_stacks().stack_name("app").send();
        let stacks = self.runtime.block_on(answer).expect("an answer").stacks.unwrap_or_default();
        stacks[0].stack_status().expect("a status").as_str().to_owned()
    }

    /// The newest first.
    fn deployments(&self) -> Vec<String> {
        self.deployments_of("Fn")
    }

    fn deployments_of(&self, function: &str) -> Vec<String> {
        let application = self.physical("ServerlessDeploymentApplication");
        let group = self.physical(&format!("{function}DeploymentGroup"));
        let answer = self.codedeploy.list_deployments().application_name(application).deployment_group_name(group);
        self.runtime.block_on(answer.send()).expect("an answer").deployments.unwrap_or_default()
    }

    /// Version, and the weights of the other one.
    pub(crate) fn alias(&self) -> (String, HashMap<String, f64>) {
        self.alias_of("Fn")
    }

    fn alias_of(&self, function: &str) -> (String, HashMap<String, f64>) {
        let alias = self.lambda.get_alias().function_name(self.physical(function)).name("live").send();
        let alias = self.runtime.block_on(alias).expect("an answer");
        let weights = alias.routing_config.and_then(|routing| routing.additional_version_weights).unwrap_or_default();
        (alias.function_version.expect("a version"), weights)
    }

    /// Publishes another version by hand.
    fn publish(&self, function: &str) -> String {
        let change = self.lambda.update_function_configuration().function_name(function).description("by hand").send();
        self.runtime.block_on(change).expect("an answer");
        loop {
            // Not before the change is made.
            let published = self.lambda.publish_version().function_name(function).send();
            if let Ok(Some(version)) = self.runtime.block_on(published).map(|published| published.version) {
                return version;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Sends requests through the alias until `stop`.
    fn call(&self, stop: &AtomicBool) {
        let function = self.physical("Fn");
        while !stop.load(Ordering::Acquire) {
            let call = self.lambda.invoke().function_name(&function).qualifier("live").send();
            // A request that the sandbox has no room for is no answer of a version.
            let _ = self.runtime.block_on(call);
        }
    }

    /// Does something while requests come in.
    fn under_traffic<R>(&self, what: impl FnOnce() -> R) -> R {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| self.call(&stop));
            }
            std::thread::sleep(std::time::Duration::from_secs(3));
            let result = what();
            stop.store(true, Ordering::Release);
            result
        })
    }
}

fn whole(version: &str) -> (String, HashMap<String, f64>) {
    (version.to_owned(), HashMap::new())
}

const GOOD: &str = "def handler(event, context): return 'good'\n";
const BAD: &str = "import random\ndef handler(event, context):\n    if random.random() < 0.6: raise ValueError('bad')\n    return 'new'\n";
const SLOWLY: &str = "Type: Linear10PercentEvery1Minute";

#[test]
fn samara_watches_codedeploy_move_a_good_version() {
    let world = World::new();
    world.write(SLOWLY, GOOD);
    let _ = world.deploy(&["--engine", "codedeploy"]).expect(0);
    assert_eq!(world.alias(), whole("1"));
    world.write(SLOWLY, "def handler(event, context): return 'better'\n");
    // A stack that has CodeDeploy keeps it.
    // Who hears of a rollout hears of this one, too.
    let deployed = world.deploy(&["--report", "page.html"]).expect(0).says("CodeDeploy moves it by d-");
    let _ = deployed.prints("serves version 2 to everybody");
    assert!(world.project.read("page.html").contains("serves version 2 to everybody"));
    assert_eq!((world.alias(), world.status().as_str()), (whole("2"), "UPDATE_COMPLETE"));
    assert_eq!(world.deployments().len(), 1);
    // What only samara's own way could do is refused, never left out.
    for option in [["--pre-traffic", "cmd:true"], ["--warm-up", "3"], ["--strategy", "AllAtOnce"]] {
        let _ = world.deploy(&option).expect(2).says(option[0]).says("add --engine alias");
    }
    let _ = world.rollout(&["status"]).expect(0);
}

#[test]
fn over_codedeploy_a_rollout_ends_as_over_the_alias() {
    let mut ends = Vec::new();
    for engine in ["alias", "codedeploy"] {
        let world = World::new();
        let args = ["--engine", engine, "--no-bake", "--min-requests", "0"];
        world.write(SLOWLY, GOOD);
        let _ = world.deploy(&args).expect(0);
        world.write(SLOWLY, "def handler(event, context): return 'as good'\n");
        let good = world.under_traffic(|| world.deploy(&args)).expect(0);
        let _ = good.prints("serves version 2 to everybody");
        let after_good = world.alias();
        world.write(SLOWLY, BAD);
        let bad = world.under_traffic(|| world.deploy(&args)).expect(4);
        let _ = bad.prints("is back on version 2");
        ends.push((after_good, world.alias()));
        if engine == "codedeploy" {
            assert_eq!(world.status(), "UPDATE_ROLLBACK_COMPLETE");
        }
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0], (whole("2"), whole("2")));
}

#[test]
fn race_44_a_stop_that_leaves_two_versions_is_mended_when_the_stack_is_idle() {
    for left in ["rollback=split", "rollback=whole"] {
        let world = World::new();
        world.write(SLOWLY, GOOD);
        let _ = world.deploy(&["--engine", "codedeploy"]).expect(0);
        world.behave(left);
        world.write(SLOWLY, BAD);
        let bad = world.under_traffic(|| world.deploy(&[])).expect(4);
        let _ = bad.prints("is back on version 1");
        assert_eq!((world.alias(), world.status().as_str()), (whole("1"), "UPDATE_ROLLBACK_COMPLETE"), "{left}");
        // The next one finds nothing in its way.
        world.behave("rollback=whole");
        world.write("Type: AllAtOnce", GOOD);
        world.write("Type: AllAtOnce", "def handler(event, context): return 'mended'\n");
        let _ = world.deploy(&[]).expect(0);
        assert!(world.alias().1.is_empty(), "{:?}", world.alias());
    }
}

#[test]
fn all_at_once_is_watched_over_codedeploy_as_over_the_alias() {
    for engine in ["alias", "codedeploy"] {
        let world = World::new();
        let args = ["--engine", engine, "--bake", "10m"];
        world.write("Type: AllAtOnce", GOOD);
        let _ = world.deploy(&args).expect(0);
        world.write("Type: AllAtOnce", BAD);
        // What the new version is held against is what the old one did before.
        let bad = world.under_traffic(|| {
            std::thread::sleep(std::time::Duration::from_secs(8));
            world.deploy(&args)
        });
        let bad = bad.expect(4).prints("is back on version 1: errors: ");
        assert_eq!(world.alias(), whole("1"), "{engine}");
        assert_eq!(bad.stderr.contains("out of step"), engine == "codedeploy", "{}", bad.stderr);
        world.write("Type: AllAtOnce", "def handler(event, context): return 'mended'\n");
        let mended = world.under_traffic(|| world.deploy(&args)).expect(0);
        let _ = mended.prints("to everybody");
        assert_eq!((world.alias().0.as_str(), world.status().as_str()), ("3", "UPDATE_COMPLETE"), "{engine}");
    }
}

#[test]
fn race_23_an_alias_with_provisioned_concurrency_is_moved_by_codedeploy() {
    let world = World::new();
    let write = |code: &str| {
        world.write(SLOWLY, code);
        let provisioned = "      ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 2 }\n";
        let template = world.project.read("template.yaml") + provisioned;
        world.project.write("template.yaml", template);
    };
    let provisioned = || {
        let answer = world.lambda.get_provisioned_concurrency_config().function_name(world.physical("Fn"));
        let answer = world.runtime.block_on(answer.qualifier("live").send()).expect("an answer");
        (answer.status.map(|status| status.as_str().to_owned()), answer.allocated_provisioned_concurrent_executions)
    };
    let ready = (Some("READY".to_owned()), Some(2));
    write("import os\ndef handler(event, context): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n");
    let _ = world.deploy(&[]).expect(0);
    assert_eq!((world.alias(), provisioned()), (whole("1"), ready.clone()));
    for (qualifier, made) in [("live", "\"provisioned-concurrency\""), ("1", "\"on-demand\"")] {
        let call = world.lambda.invoke().function_name(world.physical("Fn")).qualifier(qualifier).send();
        let answer = world.runtime.block_on(call).expect("an answer").payload.expect("a payload");
        assert_eq!(std::str::from_utf8(answer.as_ref()), Ok(made), "{qualifier}");
    }

    // The engine that can move it is chosen by itself; the end waits for what Lambda does by itself.
    write("def handler(event, context): return 'as good'\n");
    let _ = world.deploy(&["--engine", "alias"]).expect(1).says("--engine codedeploy moves it");
    let good = world.under_traffic(|| world.deploy(&["--no-bake"])).expect(0).says("CodeDeploy moves it by d-");
    let _ = good.prints("serves version 2 to everybody");
    assert_eq!((world.alias(), provisioned()), (whole("2"), ready));

    write(BAD);
    let bad = world.under_traffic(|| world.deploy(&["--no-bake"])).expect(4);
    let _ = bad.prints("is back on version 2");
    assert_eq!((world.alias(), world.status().as_str()), (whole("2"), "UPDATE_ROLLBACK_COMPLETE"));
}

/// At night nobody asks first who moves the traffic.
#[test]
fn what_codedeploy_moves_is_taken_back_by_a_rollback_as_by_an_abort_and_is_not_paused() {
    for (command, status) in [("rollback", 0), ("abort", 4)] {
        let world = World::new();
        world.write(SLOWLY, GOOD);
        let _ = world.deploy(&["--engine", "codedeploy"]).expect(0);
        world.write(SLOWLY, "def handler(event, context): return 'better'\n");
        let child = world.deploy_until_split(&[]);
        for other in ["pause", "promote"] {
            let refused = world.rollout(&[other]).expect(1).says("CodeDeploy moves ");
            let _ = refused.says("`samara rollout abort` takes it back");
        }
        let _ = world.rollout(&[command]).expect(status).prints("is back on version 1");
        let ended = child.wait_with_output().expect("it ends");
        assert!(matches!(ended.status.code(), Some(1 | 4 | 5)), "{command}: {ended:?}");
        assert_eq!((world.alias(), world.status().as_str()), (whole("1"), "UPDATE_ROLLBACK_COMPLETE"), "{command}");
        let stopped = world.deployments().into_iter().any(|id| {
            let answer = world.codedeploy.get_deployment().deployment_id(&id).send();
            let info = world.runtime.block_on(answer).expect("an answer").deployment_info.expect("a deployment");
            info.status().is_some_and(|status| status.as_str() == "Stopped")
        });
        assert!(stopped, "{command}");
    }
}

#[test]
fn race_13_what_codedeploy_moves_in_a_stack_is_taken_back_as_one_when_its_watch_has_died() {
    for (command, status) in [("abort", 4), ("rollback", 0)] {
        let world = World::new();
        let write = |code: &str| {
            world.write(SLOWLY, code);
            let template = world.project.read("template.yaml");
            let (head, function) = template.split_once("  Fn:").expect("a function");
            world.project.write("template.yaml", format!("{head}  Fn:{function}  Other:{function}"));
        };
        write(GOOD);
        let _ = world.deploy(&["--engine", "codedeploy"]).expect(0);
        write("def handler(event, context): return 'better'\n");
        let mut child = world.deploy_until_split(&[]);
        let is_watched = |function: &str| {
            let (function, alias) = (world.physical(function), ["--alias", "live", "--sandbox"]);
            let status = ["rollout", "status", "--function", &function];
            world.project.samara(status.iter().chain(&alias)).run().stdout.contains("driven by")
        };
        for _ in 0..600 {
            if is_watched("Fn") && is_watched("Other") {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        child.kill().expect("it runs");
        let _ = child.wait().expect("it ends");
        let back = world.rollout(&[command]).expect(status);
        for function in ["Fn", "Other"] {
            assert_eq!(world.alias_of(function), whole("1"), "{command} {function}: {}", back.stdout);
        }
        assert_eq!(world.status(), "UPDATE_ROLLBACK_COMPLETE", "{command}");
        let _ = world.rollout(&["status"]).expect(0).prints("no rollout is under way");
        // Where no journal says what is under way, two versions say it.
        for function in ["Fn", "Other"] {
            let version = world.publish(&world.physical(function));
            let update = world.lambda.update_alias().function_name(world.physical(function)).name("live");
            let routing = AliasRoutingConfiguration::builder().additional_version_weights(version, 0.1).build();
            world.runtime.block_on(update.routing_config(routing).send()).expect("an answer");
        }
        let _ = world.rollout(&["rollback"]).expect(0).says("Taking back what serves two versions: ");
        assert_eq!((world.alias(), world.alias_of("Other")), (whole("1"), whole("1")));
    }
}

#[test]
fn race_13_functions_that_codedeploy_moves_go_back_together() {
    let world = World::new();
    let write = |code: &str| {
        world.write("Type: AllAtOnce, Hooks: { PreTraffic: !Ref Check }", code);
        let more = "  Other:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: python3.12
      AutoPublishAlias: live
      DeploymentPreference: { Type: Linear10PercentEvery10Minutes }
  Check:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: check/, Handler: app.handler, Runtime: python3.12 }
";
        let template = world.project.read("template.yaml") + more;
        world.project.write("template.yaml", template);
        world.project.write("check/app.py", "def handler(event, context): raise ValueError('no')\n");
    };
    write(GOOD);
    // A new stack with hooks takes CodeDeploy by itself.
    let _ = world.deploy(&[]).expect(0);
    write("def handler(event, context): return 'better'\n");
    let bad = world.deploy(&[]).expect(4).says("HOOK_EXECUTION_FAILURE");
    // Of two that are watched beside each other, each line says which one it is about.
    for function in ["Fn", "Other"] {
        let name = format!("{}:live", world.physical(function));
        assert!(bad.stderr.contains(&format!(" {name}: CodeDeploy moves it by d-")), "{}", bad.stderr);
        let _ = world.rollout(&["status"]).expect(0).prints(&format!("{name} says version 1"));
    }
    assert_eq!((world.alias(), world.alias_of("Other")), (whole("1"), whole("1")));
    assert_eq!(world.status(), "UPDATE_ROLLBACK_COMPLETE");
    // The other one would have taken an hour and a half.
    for id in world.deployments_of("Other") {
        let answer = world.codedeploy.get_deployment().deployment_id(&id).send();
        let info = world.runtime.block_on(answer).expect("an answer").deployment_info.expect("a deployment");
        let is_way_back = info.creator().is_some_and(|creator| creator.as_str() == "codeDeployRollback");
        assert!(is_way_back || info.status().is_some_and(|status| status.as_str() == "Stopped"), "{info:?}");
    }
}

#[test]
fn a_stack_changes_its_engine_and_back_again() {
    let world = World::new();
    let version = |at: u32| format!("def handler(event, context): return {at}\n");
    let quiet = ["--no-bake", "--min-requests", "0", "--engine"];
    for (at, engine) in [(1, "alias"), (2, "codedeploy"), (3, "alias"), (4, "codedeploy")] {
        world.write("Type: Canary10Percent5Minutes", &version(at));
        let _ = world.deploy(&[&quiet[..], &[engine]].concat()).expect(0);
        assert_eq!(world.alias(), whole(&at.to_string()), "{engine}");
        assert_eq!(world.status(), "UPDATE_COMPLETE".replace("UPDATE", if at == 1 { "CREATE" } else { "UPDATE" }));
        // What CodeDeploy needs is there with it, and gone without it.
        let answer = world.codedeploy.list_applications().send();
        let applications = world.runtime.block_on(answer).expect("an answer").applications.unwrap_or_default();
        assert_eq!(applications.len(), usize::from(engine == "codedeploy"), "{applications:?}");
        if engine == "codedeploy" {
            assert_eq!(world.deployments().len(), 1, "it moved this version alone");
        }
    }
}

#[test]
fn race_44_whatever_a_stop_by_hand_leaves_behind_the_alias_ends_whole() {
    for left in ["stop=split", "stop=whole"] {
        let world = World::new();
        world.write(SLOWLY, GOOD);
        let _ = world.deploy(&["--engine", "codedeploy"]).expect(0);
        world.behave(left);
        world.write(SLOWLY, "def handler(event, context): return 'better'\n");
        let child = world.deploy_until_split(&[]);
        // A person at the console stops it, and wants no rollback.
        let stop = world.codedeploy.stop_deployment().deployment_id(&world.deployments()[0]);
        world.runtime.block_on(stop.auto_rollback_enabled(false).send()).expect("an answer");
        let ended = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(4), "{left}: {said}");
        assert!(said.contains("is back on version 1: CodeDeploy") && said.contains("MANUAL_STOP"), "{left}: {said}");
        assert_eq!((world.alias(), world.status().as_str()), (whole("1"), "UPDATE_ROLLBACK_COMPLETE"), "{left}");
    }
}

#[test]
fn race_43_a_stack_that_is_out_of_step_is_pinned_before_codedeploy_goes_on() {
    let world = World::new();
    world.write("Type: AllAtOnce", GOOD);
    let _ = world.deploy(&["--engine", "codedeploy"]).expect(0);
    world.write("Type: AllAtOnce", "def handler(event, context): return 2\n");
    let _ = world.deploy(&[]).expect(0);
    let _ = world.rollout(&["rollback", "--to-version", "1"]).expect(0);
    assert_eq!(world.alias(), whole("1"));
    world.write("Type: AllAtOnce", "def handler(event, context): return 3\n");
    let _ = world.deploy(&["--yes"]).expect(0).says("out of step");
    assert_eq!(world.alias(), whole("3"));
    assert_eq!(world.status(), "UPDATE_COMPLETE");
}
