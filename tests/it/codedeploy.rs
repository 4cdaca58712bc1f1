//! CodeDeploy in the sandbox, by its real clients, and stacks whose alias it moves.

use std::process::Command;

use crate::support::{Project, python};

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
