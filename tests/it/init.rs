//! `samara init`: each template makes an application whose own tests pass and whose code is packed;
//! what is there already stays.

use std::process::Command;

use serde_json::json;

use crate::support::{Project, samara::Samara};

const TEMPLATES: [&str; 4] = ["python-api", "node-api", "rust-worker", "custom-runtime-job"];

/// An application from a template, in the project's folder `hello`.
fn begin(template: &str) -> Project {
    let project = Project::new();
    project.samara(["init", "hello", "--template", template]).run().expect(0).says("samara deploy --sandbox");
    project
}

/// The binary, in the application's folder.
fn inside(project: &Project, args: &[&str]) -> Samara {
    project.samara(args).current_dir(project.path("hello"))
}

/// Runs one of the application's own commands; skips, loudly, where its program is not installed.
fn own_command(project: &Project, program: &str, args: &[&str]) {
    let output = match Command::new(program).args(args).current_dir(project.path("hello")).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            skipped(&format!("there is no {program} on this machine"));
            return;
        }
        Err(error) => panic!("{program}: {error}"),
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{program} {args:?}:\n{stdout}{stderr}");
}

#[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

#[test]
fn python_api_passes_its_own_test() {
    own_command(&begin("python-api"), "python3", &["-m", "unittest"]);
}

#[test]
fn node_api_passes_its_own_test() {
    own_command(&begin("node-api"), "node", &["--test"]);
}

#[test]
fn custom_runtime_job_passes_its_own_test() {
    own_command(&begin("custom-runtime-job"), "sh", &["tests/job_test.sh"]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test that is asked for by the environment")]
fn rust_worker_passes_its_own_test_and_its_build_makes_what_the_template_names() {
    let project = begin("rust-worker");
    // Its dependencies are on crates.io; `cargo test` downloads nothing, and building them takes a minute.
    if std::env::var_os("SAMARA_TEST_CRATES").is_none() {
        skipped("SAMARA_TEST_CRATES is not set, so rust-worker is not built");
        return;
    }
    own_command(&project, "cargo", &["build", "--quiet", "--profile", "lambda"]);
    own_command(&project, "cargo", &["test", "--quiet"]);
    let result = inside(&project, &["package", "--dry-run", "--output", "json"]).run().expect(0).json();
    let bytes = std::fs::metadata(project.path("hello/target/lambda/bootstrap")).expect("the binary").len();
    assert_eq!(result["artifacts"][0]["size_bytes"], bytes);
}

#[test]
fn every_template_is_valid_and_packs_its_code_only() {
    for template in TEMPLATES {
        let project = begin(template);
        if template == "rust-worker" {
            // What cargo leaves in that folder.
            for file in ["bootstrap", "bootstrap.d", "deps/bootstrap-1", ".fingerprint/x/y", "build/z"] {
                project.write(format!("hello/target/lambda/{file}"), "x");
            }
        }
        let result = inside(&project, &["package", "--dry-run", "--output", "json"]).run().expect(0).json();
        let artifacts = result["artifacts"].as_array().expect("a list");
        assert_eq!(artifacts.len(), 1, "{template}");
        let expected = match template {
            "python-api" => ("src/", project.read("hello/src/app.py").len()),
            "node-api" => ("src/", project.read("hello/src/app.mjs").len()),
            "rust-worker" => ("target/lambda/", 1),
            _ => ("job/", project.read("hello/job/bootstrap").len() + project.read("hello/job/job.sh").len()),
        };
        assert_eq!((&artifacts[0]["path"], &artifacts[0]["size_bytes"]), (&json!(expected.0), &json!(expected.1)));
    }
}

#[test]
fn rust_worker_says_how_it_is_built() {
    let project = begin("rust-worker");
    let outcome = inside(&project, &["package", "--dry-run"]).run().expect(1);
    outcome.says("there is no file or folder target/lambda/").says("cargo build --profile lambda");
}

#[test]
fn programs_are_executable() {
    use std::os::unix::fs::PermissionsExt;
    let project = begin("custom-runtime-job");
    let mode = |file: &str| std::fs::metadata(project.path(file)).expect("a file").permissions().mode() & 0o111;
    assert_eq!(mode("hello/job/bootstrap"), 0o111);
    assert_eq!(mode("hello/README.md"), 0);
}

#[test]
fn a_second_time_overwrites_nothing() {
    let project = begin("python-api");
    project.write("hello/README.md", "mine");
    let before = project.files();
    let again = project.samara(["init", "hello", "--template", "node-api"]).run().expect(1);
    again.says("hello has template.yaml, README.md").says("Nothing was written");
    assert_eq!(project.files(), before);
    assert_eq!(project.read("hello/README.md"), "mine");
    // Beside what is not in the way it is begun.
    project.write("other/notes.txt", "mine");
    project.samara(["init", "other", "--template", "node-api"]).run().expect(0);
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_with_its_path() {
    let project = Project::new();
    project.write("file", "x");
    project
        .samara(["init", "hello", "-t", "node-api", "-o", "file"])
        .run()
        .expect(1)
        .says("cannot create file: it is not a folder");
    assert_eq!(project.files(), ["file"]);
}

#[test]
fn scripts_name_everything_or_take_the_defaults() {
    let project = Project::new();
    let result =
        project.samara(["init", "--no-input", "--output", "json", "--output-dir", "deep/er"]).run().expect(0).json();
    assert_eq!(result["folder"], "deep/er/samara-app");
    assert_eq!(result["template"], "python-api");
    assert_eq!(result["files"].as_array().expect("a list").len(), project.files().len());
    let named = project.samara(["init", "--name", "two", "--template", "rust-worker", "--no-input"]).run().expect(0);
    named.says("cargo build --profile lambda");
    assert!(project.read("two/samconfig.toml").contains("stack_name = \"two\""));
}

#[test]
fn wrong_arguments_are_status_2_and_write_nothing() {
    let project = Project::new();
    for (args, text) in [
        (&["init"][..], "--no-input"),
        (&["init", "hello"], "the template is missing"),
        (&["init", "--template", "node-api"], "the name is missing"),
        (&["init", "hello", "--template", "go"], "python-api, node-api, rust-worker, custom-runtime-job"),
        (&["init", "../up", "--template", "node-api"], "letters, digits and hyphens"),
        (&["init", "a\u{1b}[31m", "--template", "node-api"], "letters, digits and hyphens"),
        (&["init", "one", "--name", "two"], "cannot be used with"),
    ] {
        let outcome = project.samara(args).run().expect(2).says(text);
        assert!(!outcome.stderr.contains("\u{1b}[31m"), "{:?}", outcome.stderr);
    }
    assert_eq!(project.files(), Vec::<String>::new());
}

#[test]
fn on_a_terminal_it_asks_for_what_is_missing() {
    use std::time::Duration;

    use expectrl::{ControlCode, Expect};

    let project = Project::new();
    let command = project.samara(["init"]).env("TERM", "xterm").into_command();
    let mut session = expectrl::Session::spawn(command).expect("a terminal");
    session.set_expect_timeout(Some(Duration::from_secs(180)));
    session.expect("Template").expect("the first question");
    // Down once: the second template.
    session.send("\x1b[B").expect("a key");
    session.send(ControlCode::CarriageReturn).expect("a key");
    session.expect("Name").expect("the second question");
    session.send("asked").expect("an answer");
    session.send(ControlCode::CarriageReturn).expect("a key");
    session.expect("Next:").expect("the end");
    session.expect(expectrl::Eof).expect("the end");
    assert!(project.path("asked/package.json").exists());
}
