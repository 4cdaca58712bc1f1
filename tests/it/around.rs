//! What stands around a rollout: the deploy before it and the settling after it, with everything that
//! can go wrong there. Each test bears the number of the race that it is about; the built binary runs
//! against the sandbox, and what it left there is read through the SDK.

use std::collections::HashMap;
use std::process::{Child, Stdio};

use aws_sdk_cloudformation::types::{Capability, StackStatus};

use crate::support::{Outcome, Project};

/// A sandbox on a fast clock, with a stack `app` that has one function and its alias `live`.
struct World {
    project: Project,
    runtime: tokio::runtime::Runtime,
    lambda: aws_sdk_lambda::Client,
    cloudformation: aws_sdk_cloudformation::Client,
    s3: aws_sdk_s3::Client,
}

/// A function that never answers: no test here invokes it.
const SILENT: &str = "#!/bin/sh\nwhile true; do sleep 1; done\n";
const QUIET: [&str; 3] = ["--no-bake", "--min-requests", "0"];
/// A rollout that is long enough to be met in its middle.
const SLOW: [&str; 2] = ["--strategy", "steps:10%:1m,50%:1m"];

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
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        Self {
            project,
            runtime,
            lambda: aws_sdk_lambda::Client::new(&config),
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
        }
    }

    /// The application: properties of its function, resources beside it, and what its code says.
    fn write(&self, properties: &str, resources: &str, code: &str) {
        let template = format!(
            "Transform: AWS::Serverless-2016-10-31
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: provided.al2023
      AutoPublishAlias: live
      DeploymentPreference: {{ Type: AllAtOnce }}
{properties}{resources}"
        );
        self.project.write("template.yaml", template);
        self.project.write("src/bootstrap", format!("{SILENT}# {code}\n"));
    }

    fn samara(&self, more: &[&str]) -> crate::support::samara::Samara {
        let args = ["deploy", "--sandbox", "--stack-name", "app", "--capabilities", "CAPABILITY_IAM"];
        self.project.samara(args.iter().chain(&QUIET).chain(more))
    }

    fn deploy(&self, more: &[&str]) -> Outcome {
        self.samara(more).run()
    }

    fn rollout(&self, args: &[&str]) -> Outcome {
        self.project.samara(["rollout"].iter().chain(args).chain(&["--sandbox", "--stack-name", "app"])).run()
    }

    /// Deploys slowly and gives the process once the first weight is set.
    fn deploy_until_split(&self) -> Child {
        let mut command = self.samara(&[SLOW[0], SLOW[1], "--output", "json"]).into_command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let out = std::io::BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = std::io::BufRead::lines(out);
        let confirmed = lines.any(|line| line.expect("a line").contains("\"confirmed\""));
        assert!(confirmed, "it never moved traffic: {:?}", child.wait_with_output());
        // What it prints from here on has to go somewhere.
        std::thread::spawn(move || lines.count());
        child
    }

    fn deploy_and_kill(&self) {
        let mut child = self.deploy_until_split();
        child.kill().expect("it runs");
        assert_eq!(child.wait().expect("it ends").code(), None, "it was killed");
        assert_eq!(self.alias().1.len(), 1, "in the middle of its rollout");
    }

    fn resources(&self) -> HashMap<String, String> {
        let answer = self.cloudformation.describe_stack_resources().stack_name("app").send();
        let resources = self.runtime.block_on(answer).expect("an answer").stack_resources.unwrap_or_default();
        let pair = |one: aws_sdk_cloudformation::types::StackResource| {
            Some((one.logical_resource_id?, one.physical_resource_id.unwrap_or_default()))
        };
        resources.into_iter().filter_map(pair).collect()
    }

    fn template(&self) -> serde_json::Value {
        let answer = self.cloudformation.get_template().stack_name("app").send();
        let text = self.runtime.block_on(answer).expect("an answer").template_body.expect("a template");
        serde_json::from_str(&text).expect("samara sends JSON")
    }

    /// What the template says of the alias.
    fn said(&self) -> serde_json::Value {
        self.template()["Resources"]["FnAliaslive"]["Properties"]["FunctionVersion"].clone()
    }

    fn status(&self) -> StackStatus {
        let answer = self.cloudformation.describe_stacks().stack_name("app").send();
        let stacks = self.runtime.block_on(answer).expect("an answer").stacks.expect("the stack");
        stacks[0].stack_status.clone().expect("a status")
    }

    /// Somebody else's update of the stack, by the API alone.
    fn update_by_hand(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let mut template = self.template();
        change(&mut template);
        let update = self.cloudformation.update_stack().stack_name("app").template_body(template.to_string());
        self.runtime.block_on(update.capabilities(Capability::CapabilityIam).send()).expect("an answer");
        for _ in 0..200 {
            if !self.status().as_str().ends_with("_IN_PROGRESS") {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(self.status(), StackStatus::UpdateComplete);
    }

    fn function(&self) -> String {
        self.resources()["Fn"].clone()
    }

    /// Version, and the weights of the other one.
    fn alias(&self) -> (String, HashMap<String, f64>) {
        let alias = self.lambda.get_alias().function_name(self.function()).name("live").send();
        let alias = self.runtime.block_on(alias).expect("an answer");
        let weights = alias.routing_config.and_then(|routing| routing.additional_version_weights).unwrap_or_default();
        (alias.function_version.expect("a version"), weights)
    }

    /// The published versions.
    fn versions(&self) -> Vec<String> {
        let answer = self.lambda.list_versions_by_function().function_name(self.function()).send();
        let versions = self.runtime.block_on(answer).expect("an answer").versions.unwrap_or_default();
        versions.into_iter().filter_map(|one| one.version).filter(|version| version != "$LATEST").collect()
    }

    fn take_bucket(&self, name: &str) {
        let constraint = aws_sdk_s3::types::CreateBucketConfiguration::builder()
            .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuCentral1)
            .build();
        let create = self.s3.create_bucket().bucket(name).create_bucket_configuration(constraint).send();
        self.runtime.block_on(create).expect("the name is free");
    }

    fn free_bucket(&self, name: &str) {
        self.runtime.block_on(self.s3.delete_bucket().bucket(name).send()).expect("the bucket is there");
    }
}

fn whole(version: &str) -> (String, HashMap<String, f64>) {
    (version.to_owned(), HashMap::new())
}

/// A resource that is made after the alias is changed, and fails while somebody has its name.
const LATE: &str =
    "  Late: { Type: AWS::S3::Bucket, DependsOn: FnAliaslive, Properties: { BucketName: late-bucket } }\n";

#[test]
fn race_10_code_that_is_changed_by_hand_during_the_rollout_is_told_and_not_routed_to() {
    let world = World::new();
    world.write("", "", "one");
    world.deploy(&[]).expect(0);
    world.write("", "", "two");
    // For a person, who has to be told.
    let mut command = world.samara(&SLOW).into_command();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let began = std::time::Instant::now();
    while world.alias().1.is_empty() {
        assert!(began.elapsed() < std::time::Duration::from_secs(180), "it never moved traffic");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("bootstrap", zip::write::SimpleFileOptions::default()).expect("a file");
    std::io::Write::write_all(&mut zip, SILENT.as_bytes()).expect("its content");
    let code = aws_sdk_lambda::primitives::Blob::new(zip.finish().expect("an archive").into_inner());
    let update = world.lambda.update_function_code().function_name(world.function()).zip_file(code).send();
    world.runtime.block_on(update).expect("an answer");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("somebody changed it during the rollout"), "{said}");
    assert_eq!((world.alias(), world.versions()), (whole("2"), vec!["1".to_owned(), "2".to_owned()]));
}

#[test]
fn race_20_a_deploy_waits_for_no_rollout_and_an_outside_update_harms_none() {
    let world = World::new();
    world.write("", "", "one");
    world.deploy(&[]).expect(0);
    world.write("", "", "two");
    world.deploy_and_kill();
    // Also where it would change nothing of that function.
    world.write("", "  Log: { Type: AWS::Logs::LogGroup }\n", "one");
    let before = world.template();
    let refused = world.deploy(&["--no-rollout"]).expect(5).says("has a rollout already");
    refused.says("was left on two versions").says("samara rollout resume");
    assert_eq!(world.template(), before, "nothing was touched");
    // A change set by somebody else that leaves the alias alone does not disturb it.
    world.update_by_hand(|template| {
        template["Resources"]["Log"] = serde_json::json!({ "Type": "AWS::Logs::LogGroup" });
    });
    assert_eq!(world.alias().1.len(), 1, "still in the middle");
    world.rollout(&["resume"]).expect(0);
    assert_eq!(world.alias(), whole("2"));
}

/// A stack whose alias serves version 2, and that could not be settled on it.
fn unsettled() -> World {
    let world = World::new();
    world.write("", "", "one");
    world.deploy(&[]).expect(0);
    let bucket = world.runtime.block_on(world.s3.list_buckets().send()).expect("an answer").buckets.unwrap_or_default();
    let bucket = bucket[0].name.clone().expect("the managed bucket");
    let forget = || {
        let list = world.s3.list_objects_v2().bucket(&bucket).prefix("templates/").send();
        for object in world.runtime.block_on(list).expect("an answer").contents.unwrap_or_default() {
            let delete = world.s3.delete_object().bucket(&bucket).key(object.key.expect("a key")).send();
            world.runtime.block_on(delete).expect("an answer");
        }
    };
    world.write("", "", "two");
    world.deploy_and_kill();
    forget();
    let failed = world.rollout(&["resume"]).expect(1).prints("serves version 2 to everybody");
    failed.prints("samara rollout resume");
    assert_eq!(world.alias(), whole("2"), "traffic is right, and stays so");
    assert_eq!(world.said(), "1", "the stack is still held");
    world
}

#[test]
fn race_21_a_stack_that_cannot_be_settled_serves_the_new_version_and_is_settled_later() {
    let world = unsettled();
    world.rollout(&["resume"]).expect(1);
    assert_eq!(world.alias(), whole("2"));
    // The next deploy makes up for it, and does not go back first.
    let made_up = world.deploy(&[]).expect(0).says("the stack was not settled after the last rollout");
    made_up.says("serves version 2 and its stack says 1");
    assert_eq!(world.alias(), whole("2"));
    assert!(world.said()["Fn::GetAtt"].is_array(), "settled: {}", world.said());
    world.deploy(&[]).expect(3).says("No changes to deploy");
}

/// Nobody settles any more: what is back on the old version was taken back by a person, and stays there.
#[test]
fn race_21_after_a_failed_settle_a_person_may_go_back_and_nothing_undoes_it() {
    for (command, status) in [("rollback", 0), ("abort", 4)] {
        let world = unsettled();
        world.rollout(&[command]).expect(status).prints("is back on version 1");
        assert_eq!((world.alias(), world.said()), (whole("1"), "1".into()), "{command}: the stack was held");
        world.rollout(&["resume"]).expect(0);
        assert_eq!(world.alias(), whole("1"), "{command}");
    }
    // By Lambda alone: the journal hears of it when somebody carries on.
    let world = unsettled();
    let back = world.lambda.update_alias().function_name(world.function()).name("live").function_version("1");
    world.runtime.block_on(back.send()).expect("an answer");
    world.rollout(&["resume"]).expect(4).prints("is back on version 1");
    assert_eq!((world.alias(), world.said()), (whole("1"), "1".into()));
}

#[test]
fn race_22_what_cloudformation_puts_back_while_it_undoes_a_settle_is_pointed_to_the_new_version_again() {
    let world = World::new();
    world.write("", LATE, "one");
    world.deploy(&[]).expect(0);
    world.write("", LATE, "two");
    world.deploy_and_kill();
    // The settle has to make the bucket anew, after the alias, and cannot.
    world.update_by_hand(|template| {
        template["Resources"].as_object_mut().expect("resources").remove("Late");
    });
    world.take_bucket("late-bucket");
    let failed = world.rollout(&["resume"]).expect(1).prints("serves version 2 to everybody");
    assert!(failed.stderr.contains("CloudFormation had put the alias back"), "{}", failed.stderr);
    assert_eq!(world.status(), StackStatus::UpdateRollbackComplete);
    assert_eq!((world.alias(), world.said()), (whole("2"), "1".into()));
    world.free_bucket("late-bucket");
    world.rollout(&["resume"]).expect(0);
    assert_eq!(world.alias(), whole("2"));
    assert!(world.said()["Fn::GetAtt"].is_array(), "settled: {}", world.said());
}

#[test]
fn race_26_a_function_at_the_edge_is_refused_before_anything_is_touched() {
    let world = World::new();
    world.write("", "", "one");
    world.deploy(&[]).expect(0);
    let cdn = "  Cdn:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        DefaultCacheBehavior:
          LambdaFunctionAssociations: [{ EventType: viewer-request, LambdaFunctionARN: !Ref Fn.Version }]
";
    world.write("", cdn, "two");
    let refused = world.deploy(&[]).expect(1).says("the traffic of Fn cannot be shifted").says("edge");
    refused.says("--no-rollout");
    assert_eq!((world.alias(), world.versions().len()), (whole("1"), 1));
}

const ROLES: &str = "  Other:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: sts:AssumeRole }]
";

#[test]
fn race_27_versions_with_different_roles_are_refused_and_all_at_once_moves_between_them() {
    let world = World::new();
    world.write("", ROLES, "one");
    world.deploy(&[]).expect(0);
    world.write("      Role: !GetAtt Other.Arn\n", ROLES, "two");
    let refused = world.deploy(&SLOW).expect(1).says("execution role of Fn changes").says("--strategy AllAtOnce");
    assert!(!refused.stderr.contains("Deploying"), "{}", refused.stderr);
    assert_eq!((world.alias(), world.versions().len()), (whole("1"), 1));
    world.deploy(&["--accept-changes-in-use"]).expect(0);
    assert_eq!(world.alias(), whole("2"));
    // Without the templates' help it is found before any traffic: the versions themselves differ.
    let function = world.function();
    let refused = world
        .project
        .samara(["rollout", "start", "--sandbox", "--function", &function, "--alias", "live"])
        .into_command()
        .args(["--to-version", "1", "--strategy", "canary:10%:1m"])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("different execution roles") && said.contains("AllAtOnce"), "{said}");
    assert_eq!(world.alias(), whole("2"));
}

#[test]
fn race_28_code_that_is_refused_fails_before_any_traffic() {
    let world = World::new();
    world.write("", "", "one");
    world.deploy(&[]).expect(0);
    let signed = "arn:aws:lambda:eu-central-1:000000000000:code-signing-config:csc-00000000000000000";
    world.write(&format!("      CodeSigningConfigArn: {signed}\n"), "", "two");
    let failed = world.deploy(&[]);
    assert_ne!(failed.status, Some(0), "{}", failed.stderr);
    assert!(failed.stderr.contains("CodeSigningConfig"), "{}", failed.stderr);
    assert_eq!(world.alias(), whole("1"));
    world.write("", "", "two");
    world.deploy(&[]).expect(0);
    assert_eq!(world.alias(), whole("2"));
}

#[test]
fn race_38_a_first_deploy_has_nothing_to_compare_with_and_says_so() {
    let world = World::new();
    world.write("", "", "one");
    world.deploy(&SLOW).expect(0).says("there is no version to compare with");
    assert_eq!(world.alias(), whole("1"));
    assert!(world.said()["Fn::GetAtt"].is_array(), "nothing is held: {}", world.said());
}

#[test]
fn race_39_what_the_old_version_uses_stays_or_needs_a_yes_of_its_own() {
    let world = World::new();
    let policies = "      Policies: [{ Statement: [{ Effect: Allow, Action: 'sqs:*', Resource: '*' }] }]\n";
    let queue = "  Queue: { Type: AWS::SQS::Queue }\n";
    world.write(&format!("{policies}      Environment: {{ Variables: {{ QUEUE: !Ref Queue }} }}\n"), queue, "one");
    world.deploy(&[]).expect(0);
    // Narrowed, and dropped.
    world.write(&policies.replace("sqs:*", "sqs:SendMessage"), "", "two");
    let before = world.template();
    let refused = world.deploy(&["--yes"]).expect(1).says("FnRole would change while the old version still uses it");
    let refused = refused.says("--accept-changes-in-use").says("the version that serves uses it");
    refused.says("Queue is no longer in the template and goes when the stack is settled");
    assert_eq!((world.template(), world.alias()), (before, whole("1")));
    let change_sets = world.cloudformation.list_change_sets().stack_name("app").send();
    let left = world.runtime.block_on(change_sets).expect("an answer").summaries.unwrap_or_default();
    assert!(
        left.iter().all(|one| one.execution_status().map(|status| status.as_str()) != Some("AVAILABLE")),
        "{left:?}"
    );
    world.project.write("samconfig.toml", "version = 0.1\n[default.deploy.parameters]\naccept_changes_in_use = true\n");
    world.deploy_and_kill();
    assert!(world.resources().contains_key("Queue"), "the old version still serves");
    world.rollout(&["resume"]).expect(0);
    assert!(!world.resources().contains_key("Queue"), "settled");
    assert_eq!(world.alias(), whole("2"));
    // A function made anew has none of its versions.
    world.write("      FunctionName: named\n", "", "three");
    let refused = world.deploy(&[]).expect(1).says("a new function has none of the versions that serve");
    refused.says("--no-rollout");
    assert_eq!(world.alias(), whole("2"));
}

#[test]
fn race_40_the_same_code_is_deployed_again_after_a_failed_update() {
    let world = World::new();
    world.write("", "", "one");
    world.deploy(&[]).expect(0);
    // Nothing stays behind of an update of ours that fails.
    world.take_bucket("late-bucket");
    world.write("", LATE, "two");
    world.deploy(&[]).expect(4).says("already exists");
    assert_eq!((world.alias(), world.versions().len()), (whole("1"), 1));
    // Somebody executes the change set in another way: the version stays.
    world.deploy(&["--no-execute-changeset"]).expect(0);
    let change_sets = world.runtime.block_on(world.cloudformation.list_change_sets().stack_name("app").send());
    let summaries = change_sets.expect("an answer").summaries.unwrap_or_default();
    let id = summaries.iter().filter_map(|one| one.change_set_id()).next_back().expect("a change set").to_owned();
    let execute = world.cloudformation.execute_change_set().change_set_name(id).send();
    world.runtime.block_on(execute).expect("an answer");
    while world.status().as_str().ends_with("_IN_PROGRESS") {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(world.status(), StackStatus::UpdateRollbackComplete);
    let left = world.versions();
    assert_eq!(left.len(), 2, "an orphan: {left:?}");
    world.free_bucket("late-bucket");
    let failed = world.deploy(&[]).expect(4).says("A version for this Lambda function exists");
    failed.says(&format!("version {} of ", left[1])).says("no alias uses it").says("--delete-orphan-version");
    assert_eq!((world.alias(), world.versions()), (whole("1"), left));
    world.deploy(&["--delete-orphan-version"]).expect(0).says("Deleted");
    let now = world.versions();
    assert_eq!((now.len(), world.alias()), (2, whole(&now[1])));
}

#[test]
fn race_42_rejected_code_is_known_again_by_its_version_and_by_its_hash() {
    let world = World::new();
    world.write("", "", "one");
    world.deploy(&[]).expect(0);
    world.write("", "", "two");
    world.deploy_and_kill();
    world.rollout(&["abort"]).expect(4);
    world.deploy(&[]).expect(3).says("version 2 of ").says("was rolled back 20").says("samara rollout retry");
    world.deploy(&["--no-fail-on-empty-changeset"]).expect(0).says("was rolled back 20");
    // With something else beside it, it is refused, and nothing is touched.
    world.write("", "  Log: { Type: AWS::Logs::LogGroup }\n", "two");
    world.deploy(&[]).expect(1).says("version 2 of ").says("--force");
    assert!(!world.resources().contains_key("Log"));
    // Other code came and was settled: the same code would be a new version by now.
    world.write("", "", "three");
    world.deploy(&[]).expect(0);
    assert_eq!(world.alias(), whole("3"));
    world.write("", "", "two");
    world.deploy(&[]).expect(1).says("version 2 of ").says("was rolled back 20").says("--force");
    assert_eq!((world.alias(), world.versions().len()), (whole("3"), 3));
    world.deploy(&["--force"]).expect(0);
    assert_eq!(world.alias(), whole("4"));
}

#[test]
fn race_43_a_stack_that_is_out_of_step_gets_what_its_alias_serves_first() {
    let world = World::new();
    world.write("", "", "one");
    world.deploy(&[]).expect(0);
    world.write("", "", "two");
    world.deploy(&[]).expect(0);
    world.rollout(&["rollback", "--to-version", "1"]).expect(0);
    assert_eq!(world.alias(), whole("1"));
    assert!(world.said()["Fn::GetAtt"].is_array(), "the stack does not know: {}", world.said());
    // The code that the stack has already is what was taken back.
    world.deploy(&[]).expect(3).says("version 2 of ").says("was rolled back");
    assert_eq!((world.alias(), world.said()), (whole("1"), "1".into()));
    world.rollout(&["rollback", "--to-version", "2"]).expect(0);
    // An update that fails must not bring back what was taken back, with a rollout or without.
    world.take_bucket("late-bucket");
    world.write("", LATE, "three");
    let failed = world.deploy(&["--no-rollout"]).expect(4).says("serves version 2 and its stack says 1");
    failed.says("Mending").says("already exists");
    assert_eq!((world.alias(), world.said()), (whole("2"), "2".into()));
    world.rollout(&["rollback", "--to-version", "1"]).expect(0);
    let failed = world.deploy(&[]).expect(4).says("serves version 1 and its stack says 2").says("Mending");
    failed.says("already exists");
    assert_eq!((world.alias(), world.said()), (whole("1"), "1".into()));
    world.free_bucket("late-bucket");
    let done = world.deploy(&[]).expect(0);
    assert!(!done.stderr.contains("Mending"), "once is enough: {}", done.stderr);
    let versions = world.versions();
    assert_eq!((world.alias(), versions.len()), (whole(&versions[2]), 3));
    assert!(world.said()["Fn::GetAtt"].is_array(), "settled: {}", world.said());
    world.deploy(&[]).expect(3).says("No changes to deploy");
}

#[test]
fn race_45_a_version_that_is_not_retained_stays_until_settle_and_that_is_told() {
    let world = World::new();
    let delete = "      VersionDeletionPolicy: Delete\n";
    world.write(delete, "", "one");
    world.deploy(&[]).expect(0);
    world.write(delete, "", "two");
    world.deploy_and_kill();
    assert_eq!(world.versions(), ["1", "2"], "the way back is there");
    world.rollout(&["abort"]).expect(4);
    assert_eq!(world.alias(), whole("1"));
    world.write(delete, "", "three");
    world.deploy(&[]).expect(0).says("there is no way back to version 1");
    assert_eq!((world.alias(), world.versions()), (whole("3"), vec!["3".to_owned()]));
}

#[test]
fn race_46_traffic_that_does_not_come_through_the_alias_is_listed() {
    let world = World::new();
    let past = "  Past:
    Type: AWS::Lambda::Permission
    Properties: { Action: lambda:InvokeFunction, FunctionName: !Ref Fn, Principal: events.amazonaws.com }
  Through:
    Type: AWS::Lambda::Permission
    Properties: { Action: lambda:InvokeFunction, FunctionName: !Ref Fn.Alias, Principal: events.amazonaws.com }
";
    world.write("", past, "one");
    world.deploy(&[]).expect(0);
    world.write("", past, "two");
    let listed = world.deploy(&["--no-execute-changeset"]).expect(0);
    let listed = listed.says("Past (AWS::Lambda::Permission) names Fn without its alias");
    assert!(!listed.stderr.contains("Through (AWS"), "{}", listed.stderr);
    // What a rollout on its own would not move is listed by its plan.
    world.deploy(&[]).expect(0);
    let plan = world.rollout(&["plan", "--to-version", "1"]).expect(0);
    let plan = plan.says("Past (AWS::Lambda::Permission) names Fn without its alias");
    assert!(!plan.stderr.contains("Through (AWS"), "{}", plan.stderr);
}
