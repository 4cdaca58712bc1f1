//! `samara rehearse`: the main job from beginning to end, as its user runs it.

use serde_json::Value;

use crate::support::Project;

/// A strategy that is over quickly, traffic that an unoptimised build can serve, and a version that is
/// bad enough to be told apart within minutes.
const QUICK: [&str; 8] = ["--strategy", "canary:20%:3m", "--rate", "3", "--errors", "40", "--speed", "60"];

fn check(proof: &Value) {
    let deployments = proof["deployments"].as_array().expect("deployments");
    let outcomes: Vec<&str> = deployments.iter().filter_map(|one| one["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["live", "rolled_back", "succeeded"], "{proof:#}");
    let versions: Vec<&str> = deployments.iter().filter_map(|one| one["version"].as_str()).collect();
    assert_eq!(versions, ["1", "2", "3"], "{proof:#}");
    let [first, bad, good] = deployments.as_slice() else { panic!("three deployments: {proof:#}") };
    assert_eq!(first["requests"]["old"], Value::Null);
    assert!(first["requests"]["new"].as_u64() > Some(0), "{proof:#}");
    assert!(first["reason"].is_null() && good["reason"].is_null(), "{proof:#}");
    let reason = bad["reason"].as_str().expect("a reason");
    assert!(reason.contains("errors") && reason.contains("bound"), "a reason with numbers: {reason}");
    let (old, new) = (bad["requests"]["old"].as_u64(), bad["requests"]["new"].as_u64());
    assert!(old > new && new > Some(0), "most of the traffic stayed with the old version: {proof:#}");
    let failed = bad["errors"]["new"].as_u64().expect("a count") + bad["errors"]["old"].as_u64().expect("a count");
    assert!(bad["errors_all_at_once"].as_u64() > Some(failed), "the canary spared requests: {proof:#}");
    assert!(good["seconds_to_verdict"].as_u64() > Some(180), "the canary's hold was kept: {proof:#}");
    assert_eq!(proof["settled"], true, "{proof:#}");
}

#[test]
fn the_bundled_example_is_taken_back_and_goes_to_everybody() {
    let project = Project::new();
    let outcome = project.samara(["rehearse", "--output", "json"]).args(QUICK).run().expect(0);
    check(&outcome.json());
    assert!(project.files().is_empty(), "it left {:?}", project.files());
}

#[test]
fn a_user_s_own_application_is_rehearsed_and_not_changed() {
    let project = Project::with_template(
        "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code/
      Handler: bootstrap
      Runtime: provided.al2023
      AutoPublishAlias: live
      DeploymentPreference:
        Type: Canary10Percent5Minutes
",
    );
    // Slow and plain on purpose: what any machine has.
    let loop_ = "\
#!/bin/sh
base=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while :; do
  id=$(curl -sS -D - -o /dev/null $base/next | tr -d '\\r' | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p')
  curl -sS -o /dev/null -X POST -d '{\"said\":\"hello\"}' $base/$id/response
done
";
    if std::process::Command::new("curl").arg("--version").output().is_err() {
        eprintln!("SKIPPED: curl is not on this machine");
        return;
    }
    project.write("code/bootstrap", loop_);
    set_executable(&project.path("code/bootstrap"));
    let before = project.files();
    let arguments = ["rehearse", ".", "--output", "json", "--strategy", "canary:20%:3m", "--rate", "0.5"];
    let outcome = project.samara(arguments).args(["--errors", "60", "--speed", "60"]).run().expect(0);
    check(&outcome.json());
    assert_eq!(project.files(), before);
}

#[test]
fn what_cannot_be_rehearsed_says_why() {
    let project = Project::new();
    project.samara(["rehearse", "nowhere"]).run().expect(1).says("cannot copy").says("nowhere");
    project.samara(["rehearse", "."]).run().expect(1).says("has no template.yaml");
    project.samara(["rehearse", "--speed", "0"]).run().expect(2).says("--speed 0 is out of range");
    project.samara(["rehearse", "--strategy", "canary"]).run().expect(2).says("canary");
}

#[cfg(unix)]
fn set_executable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
}

#[cfg(not(unix))]
fn set_executable(_path: &std::path::Path) {}
