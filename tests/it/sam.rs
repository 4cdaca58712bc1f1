//! The real `sam` against `samara sandbox start`: what a team has in its pipeline today deploys there
//! as it does on AWS.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::{Project, installed, python};

/// A stack with a canary is moved in seconds by a sandbox as fast as this.
const SPEED: &str = "60";

/// The `sam` that `SAMARA_TEST_SAM` names; `None`, said on standard error, without it.
fn sam() -> Option<PathBuf> {
    let sam = std::env::var_os("SAMARA_TEST_SAM").map(PathBuf::from).filter(|path| path.exists());
    if sam.is_none() {
        eprintln!("SKIPPED: SAMARA_TEST_SAM does not name the `sam` command of aws-sam-cli");
    }
    sam
}

struct Pipeline {
    sam: PathBuf,
    aws: PathBuf,
    project: Project,
    variables: Vec<(String, String)>,
}

impl Pipeline {
    fn command(&self, program: &PathBuf, args: &[&str]) -> String {
        let output = Command::new(program)
            .args(args)
            .current_dir(self.project.path("hello"))
            .env("HOME", self.project.home())
            .env("SAM_CLI_TELEMETRY", "0")
            .env("SAM_CLI_POLL_DELAY", "1")
            .envs(self.variables.iter().cloned())
            .output()
            .expect("the command runs");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{} {args:?}:\n{stdout}\n{stderr}", program.display());
        stdout.into_owned()
    }

    fn deploy(&self) {
        let capabilities = ["--capabilities", "CAPABILITY_IAM"];
        let deploy = ["deploy", "--stack-name", "app", "--resolve-s3", "--no-progressbar"];
        let args: Vec<&str> = deploy.into_iter().chain(capabilities).collect();
        let told = self.command(&self.sam, &args);
        assert!(told.contains("Successfully created/updated stack - app"), "{told}");
    }

    fn aws(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.command(&self.aws, args)).expect("JSON")
    }

    fn stack(&self) -> Value {
        self.aws(&["cloudformation", "describe-stacks", "--stack-name", "app"])["Stacks"][0].clone()
    }

    /// What the alias answers, and with which version.
    fn invoke(&self, function: &str) -> (Value, String) {
        let event = ["--payload", "fileb://events/event.json", "answer.json"];
        let whom = ["lambda", "invoke", "--function-name", function, "--qualifier", "live"];
        let args: Vec<&str> = whom.into_iter().chain(event).collect();
        let version = self.aws(&args)["ExecutedVersion"].clone();
        (version, self.project.read("hello/answer.json"))
    }
}

#[test]
fn sam_deploys_and_deploys_again_and_the_alias_serves_the_new_code() {
    let (Some(sam), Some(aws)) = (sam(), python::program("aws")) else { return };
    if !installed("python3") {
        return;
    }
    let project = Project::new();
    project.samara(["init", "hello", "--template", "python-api"]).run().expect(0);
    let printed = project.samara(["sandbox", "start", "--speed", SPEED]).run().expect(0).stdout;
    let variables = printed
        .lines()
        .map(|line| line.strip_prefix("export ").and_then(|rest| rest.split_once('=')).expect("export NAME=VALUE"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let pipeline = Pipeline { sam, aws, project, variables };

    pipeline.deploy();
    let stack = pipeline.stack();
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE");
    let outputs = stack["Outputs"].as_array().expect("outputs");
    let function = outputs.iter().find(|output| output["OutputKey"] == "FunctionName").expect("the function's name");
    let function = function["OutputValue"].as_str().expect("text");
    let (version, answer) = pipeline.invoke(function);
    assert_eq!(version, "1");
    assert!(answer.contains("Hello, world!"), "{answer}");

    let code = pipeline.project.read("hello/src/app.py");
    pipeline.project.write("hello/src/app.py", code.replace("Hello", "Goodbye"));
    pipeline.deploy();
    assert_eq!(pipeline.stack()["StackStatus"], "UPDATE_COMPLETE");
    let (version, answer) = pipeline.invoke(function);
    assert_eq!(version, "2");
    assert!(answer.contains("Goodbye, world!"), "{answer}");
}
