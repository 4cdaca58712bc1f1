//! `samara package`: what is packed and named, what is refused and how, and that nothing half-done is
//! left behind.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;

use crate::support::{Outcome, Project};

const FUNCTION: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: app.handler
      CodeUri: src/
";

/// One function with its code.
fn project() -> Project {
    let project = Project::with_template(FUNCTION);
    project.write("src/app.py", "def handler(event, context):\n    return 1\n");
    project
}

fn dry_run(project: &Project) -> Outcome {
    project.samara(["package", "--dry-run", "--output", "json"]).run()
}

/// The key of the only artifact.
fn key(project: &Project) -> String {
    let result = dry_run(project).expect(0).json();
    result["artifacts"][0]["key"].as_str().expect("a key").to_owned()
}

/// Runs a dry run that must be refused with this text, and looks that nothing was written.
#[track_caller]
fn refused(project: &Project, args: &[&str], text: &str) -> Outcome {
    let before = project.files();
    let outcome = project
        .samara(["package", "--dry-run", "--output-template-file", "out.yaml"])
        .args(args)
        .run()
        .expect(1)
        .says(text)
        .says("template.yaml:8:16");
    assert_eq!(project.files(), before, "something was left behind");
    outcome
}

#[test]
fn a_dry_run_names_every_artifact_and_calls_nothing() {
    let project = project();
    let outcome = project
        .samara([
            "package",
            "--dry-run",
            "--s3-bucket",
            "mine",
            "--s3-prefix",
            "app",
            "--output-template-file",
            "p.yaml",
        ])
        .env("AWS_ENDPOINT_URL", "http://localhost:1")
        .run()
        .expect(0)
        .says("nothing was called");
    assert_eq!(outcome.stdout, "");
    insta::assert_snapshot!(project.read("p.yaml"), @r"
    Transform: AWS::Serverless-2016-10-31
    Resources:
      Hello:
        Type: AWS::Serverless::Function
        Properties:
          Runtime: python3.13
          Handler: app.handler
          CodeUri: s3://mine/app/67a5dde8c2ff23f325b2c0abc2b580281cf3a6da16c2032fadf73ee27894b982.zip
        Metadata:
          SamResourceId: Hello
    ");
}

#[test]
fn the_key_depends_on_paths_modes_and_contents_and_on_nothing_else() {
    let project = project();
    let first = key(&project);
    let file = project.path("src/app.py");
    // Times and the bits that do not matter.
    let times = std::fs::File::options().write(true).open(&file).expect("open");
    times.set_modified(std::time::UNIX_EPOCH).expect("a time");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("a mode");
    assert_eq!(key(&project), first);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).expect("a mode");
    let executable = key(&project);
    assert_ne!(executable, first);
    project.write("src/app.py", "def handler(event, context):\n    return 2\n");
    assert_ne!(key(&project), executable);
    std::fs::rename(&file, project.path("src/main.py")).expect("a rename");
    assert_ne!(key(&project), executable);
}

#[test]
fn functions_of_one_folder_are_one_artifact() {
    let more = "  Other:\n    Type: AWS::Serverless::Function\n    Properties: {Handler: app.h, CodeUri: ./src}\n";
    let project = Project::with_template(&format!("{FUNCTION}{more}"));
    project.write("src/app.py", "");
    let result = dry_run(&project).expect(0).json();
    assert_eq!(result["artifacts"].as_array().expect("a list").len(), 1);
    assert_eq!(
        result["artifacts"][0]["used_by"],
        json!([{"resource": "Hello", "property": "CodeUri"}, {"resource": "Other", "property": "CodeUri"}])
    );
    let uris: Vec<_> =
        ["Hello", "Other"].map(|id| result["template"]["Resources"][id]["Properties"]["CodeUri"].clone()).into();
    assert_eq!(uris[0], uris[1]);
}

#[test]
fn samignore_leaves_out_and_brings_back() {
    let project = project();
    let first = key(&project);
    project.write("src/notes/todo.md", "x");
    project.write("src/notes/keep.md", "x");
    let all = key(&project);
    assert_ne!(all, first);
    project.write("src/.samignore", "*.md\n");
    assert_eq!(key(&project), first, "the rules themselves are not packed");
    project.write("src/.samignore", "*.md\n!keep.md\n");
    let some = key(&project);
    assert!(some != first && some != all);
    // The project's own file speaks for the folders below it; the nearer one decides.
    std::fs::remove_file(project.path("src/.samignore")).expect("removed");
    project.write(".samignore", "notes/\n");
    assert_eq!(key(&project), first);
    // What git ignores is packed: a build's output usually is.
    std::fs::remove_file(project.path(".samignore")).expect("removed");
    project.write("src/.gitignore", "*.md\n");
    assert_ne!(key(&project), first);
}

#[test]
fn a_broken_samignore_is_an_error() {
    let project = project();
    project.write("src/.samignore", b"\xff\xfe\n");
    refused(&project, &[], "src/.samignore: is not UTF-8");
}

#[test]
fn what_looks_like_a_secret_stops_until_somebody_decides() {
    let project = project();
    let first = key(&project);
    project.write("src/.env", "TOKEN=hunter2");
    project.write("src/keys/server.pem", "-----BEGIN PRIVATE KEY-----");
    project.write("src/keys/id_ed25519", "x");
    let outcome = refused(&project, &[], "3 files look like secrets in src/: .env, keys/id_ed25519, keys/server.pem");
    assert!(outcome.stderr.contains(".samignore"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("hunter2"));
    project.write("src/.samignore", ".env\nkeys/\n");
    assert_eq!(key(&project), first);
    project.write("src/.samignore", "!.env\nkeys/\n");
    assert_ne!(key(&project), first);
    project.write("src/.samignore", "keys/\n");
    let included = project.samara(["package", "--dry-run", "--output", "json", "--include", ".env"]).run().expect(0);
    assert_eq!(included.json()["artifacts"][0]["size_bytes"], 55);
}

#[test]
fn history_and_credentials_are_left_out_and_it_says_so() {
    let project = project();
    let first = key(&project);
    for name in ["src/.git/config", "src/.aws/credentials", "src/.ssh/id_rsa"] {
        project.write(name, "secret");
    }
    assert_eq!(key(&project), first);
    let outcome = project.samara(["package", "--dry-run"]).run().expect(0);
    let outcome = outcome.says("Left out").says(".aws, .git, .ssh");
    assert!(!outcome.stdout.is_empty());
}

#[test]
fn links_are_kept_and_those_that_leave_are_refused_with_both_ends() {
    let project = project();
    symlink("app.py", project.path("src/alias.py")).expect("a link");
    let linked = key(&project);
    project.write("shared/common.py", "x = 1");
    symlink("../shared/common.py", project.path("src/common.py")).expect("a link");
    symlink("/etc/passwd", project.path("src/passwd")).expect("a link");
    let outcome = refused(&project, &[], "2 links lead out of src/");
    assert!(outcome.stderr.contains("common.py -> ../shared/common.py, passwd -> /etc/passwd"), "{}", outcome.stderr);
    std::fs::remove_file(project.path("src/passwd")).expect("removed");
    let allowed =
        project.samara(["package", "--dry-run", "--output", "json", "--allow-external-links"]).run().expect(0);
    assert_ne!(allowed.json()["artifacts"][0]["key"], json!(linked));
}

#[test]
fn links_in_a_circle_end() {
    let project = project();
    symlink("b", project.path("src/a")).expect("a link");
    symlink("a", project.path("src/b")).expect("a link");
    symlink(".", project.path("src/self")).expect("a link");
    key(&project);
    symlink("../..", project.path("src/up")).expect("a link");
    refused(&project, &["--allow-external-links"], "leads in a circle");
}

#[test]
fn what_is_no_file_is_named_and_not_waited_for() {
    let project = project();
    let status = std::process::Command::new("mkfifo").arg(project.path("src/pipe")).status().expect("mkfifo");
    assert!(status.success());
    refused(&project, &[], "src/pipe is a fifo");
    std::fs::remove_file(project.path("src/pipe")).expect("removed");
    let _socket = std::os::unix::net::UnixListener::bind(project.path("src/sock")).expect("a socket");
    refused(&project, &[], "src/sock is a socket");
}

#[test]
fn a_name_that_is_not_utf8_is_shown_safely() {
    use std::os::unix::ffi::OsStrExt;
    let project = project();
    let name = std::ffi::OsStr::from_bytes(b"bad\xff\x1b[31m");
    std::fs::write(project.dir().join("src").join(name), "x").expect("a file");
    let outcome = refused(&project, &[], "is not UTF-8");
    assert!(!outcome.stderr.contains("\u{1b}[31m"), "{:?}", outcome.stderr);
}

#[test]
fn names_that_differ_only_in_case_are_both_packed() {
    let project = project();
    let one = key(&project);
    project.write("src/App.py", "");
    let result = dry_run(&project).expect(0).json();
    assert_ne!(result["artifacts"][0]["key"], json!(one));
}

#[test]
fn a_folder_that_is_missing_empty_or_all_ignored_is_a_finding() {
    let project = Project::with_template(FUNCTION);
    refused(&project, &[], "there is no file or folder src/");
    std::fs::create_dir(project.path("src")).expect("a folder");
    refused(&project, &[], "src/ has no file to pack");
    project.write("src/a", "x");
    project.write("src/.samignore", "*\n");
    refused(&project, &[], "src/ has no file to pack");
}

#[test]
fn what_a_build_makes_is_missing_with_the_line_that_makes_it() {
    let template = FUNCTION.replace("python3.13", "provided.al2023");
    let project = Project::with_template(&template);
    project.write("README.md", "# App\n\n```\ncargo build --release --target x\n```\n");
    refused(&project, &[], "README.md, line 4: cargo build --release --target x");
}

#[test]
fn every_problem_is_told_at_once_also_as_json() {
    let more = "  Other:\n    Type: AWS::Serverless::Function\n    Properties: {Handler: app.h, CodeUri: nowhere}\n";
    let project = Project::with_template(&format!("{FUNCTION}{more}"));
    let outcome = dry_run(&project).expect(1);
    let findings = outcome.json();
    let places: Vec<_> =
        findings.as_array().expect("a list").iter().map(|item| (item["rule"].clone(), item["line"].clone())).collect();
    assert_eq!(places, [(json!("package/missing"), json!(8)), (json!("package/missing"), json!(11))]);
    outcome.says("cannot package template.yaml: 2 problems");
}

#[test]
fn more_than_lambda_unpacks_is_refused_before_it_is_read() {
    let project = project();
    let sparse = std::fs::File::create(project.path("src/huge")).expect("a file");
    sparse.set_len(4 << 30).expect("a sparse file");
    refused(&project, &[], "src/ holds more than 250 MB unpacked");
}

#[test]
fn the_file_systems_root_and_proc_end_in_a_message() {
    for (folder, text) in [("/", "the root of the file system"), ("/proc", "template.yaml:8:16")] {
        let project = Project::with_template(&FUNCTION.replace("src/", folder));
        refused(&project, &[], text);
    }
}

#[test]
fn the_output_in_the_code_folder_does_not_change_the_package() {
    let project = Project::with_template(&FUNCTION.replace("src/", "."));
    project.write("app.py", "");
    let run = || {
        project.samara(["package", "--dry-run", "--output-template-file", "packaged.yaml"]).run().expect(0);
        project.read("packaged.yaml")
    };
    assert_eq!(run(), run());
}

#[test]
fn seventy_thousand_files_are_packed() {
    let project = project();
    let count = if cfg!(debug_assertions) { 7_000 } else { 70_000 };
    for index in 0..count {
        let path = project.path(format!("src/{}/{index}", index % 100));
        if index < 100 {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        }
        std::fs::write(path, "x").expect("a file");
    }
    let result = dry_run(&project).expect(0).json();
    assert_eq!(result["artifacts"][0]["size_bytes"], count + 42);
}

/// A stored zip with these entries, written byte by byte as nobody's library would.
fn zip(entries: &[(&str, &[u8], u16)]) -> Vec<u8> {
    let (mut body, mut directory) = (Vec::new(), Vec::new());
    for (name, content, flags) in entries {
        let offset = u32::try_from(body.len()).expect("small");
        let crc = crc(content);
        let mut common = Vec::new();
        for value in [20_u16, *flags, 0, 0, 0x21] {
            common.extend(value.to_le_bytes());
        }
        let size = u32::try_from(content.len()).expect("small");
        for value in [crc, size, size] {
            common.extend(value.to_le_bytes());
        }
        common.extend(u16::try_from(name.len()).expect("short").to_le_bytes());
        common.extend([0, 0]);
        body.extend(b"PK\x03\x04");
        body.extend(&common);
        body.extend(name.as_bytes());
        body.extend(*content);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&common);
        directory.extend([0; 6]);
        directory.extend((0o100_644_u32 << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, size) = (body.len(), directory.len());
    body.extend(directory);
    body.extend(b"PK\x05\x06\0\0\0\0");
    let count = u16::try_from(entries.len()).expect("few").to_le_bytes();
    body.extend([count, count].concat());
    for value in [size, start] {
        body.extend(u32::try_from(value).expect("small").to_le_bytes());
    }
    body.extend([0, 0]);
    body
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[test]
fn a_ready_zip_is_taken_as_it_is_and_a_bad_one_refused() {
    let project = Project::with_template(&FUNCTION.replace("src/", "code.zip"));
    project.write("code.zip", zip(&[("app.py", b"x", 0), ("lib/a.py", b"y", 0)]));
    let result = dry_run(&project).expect(0).json();
    assert!(result["artifacts"][0]["key"].as_str().expect("a key").ends_with(".zip"));
    for (entries, text) in [
        (vec![("../evil", &b"x"[..], 0)], "leads out of the folder: ../evil"),
        (vec![("a/../../evil", b"x", 0)], "leads out of the folder"),
        (vec![("/etc/passwd", b"x", 0)], "leads out of the folder: /etc/passwd"),
        (vec![("a", b"x", 0), ("a", b"y", 0)], "has an entry twice"),
        (vec![("a", b"x", 0), ("./a", b"y", 0)], "has an entry twice"),
        (vec![("a", b"x", 1)], "has an encrypted entry: a"),
    ] {
        project.write("code.zip", zip(&entries));
        refused(&project, &[], text);
    }
    project.write("code.zip", &zip(&[("app.py", b"xxxxxxxx", 0)])[..20]);
    refused(&project, &[], "is damaged");
}

#[test]
fn a_zip_bomb_is_stopped_by_what_it_unpacks() {
    let project = Project::with_template(&FUNCTION.replace("src/", "bomb.zip"));
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("zeros", ::zip::write::SimpleFileOptions::default()).expect("an entry");
    let zeros = vec![0; 1 << 20];
    for _ in 0..251 {
        writer.write_all(&zeros).expect("zeros");
    }
    let mut bytes = writer.finish().expect("a zip").into_inner();
    project.write("bomb.zip", &bytes);
    refused(&project, &[], "more than 250 MB unpacked");
    // It lies about its size: the declared one is small, what comes out is not.
    let declared = u32::to_le_bytes(251 << 20);
    let places: Vec<_> = (0..bytes.len() - 4).filter(|at| bytes[*at..at + 4] == declared).collect();
    assert_eq!(places.len(), 2);
    for at in places {
        bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(1 << 20));
    }
    project.write("bomb.zip", &bytes);
    project.samara(["package", "--dry-run"]).run().expect(1).says("bomb.zip");
}

#[test]
fn a_single_file_is_zipped_for_lambda_and_a_definition_is_not() {
    let template = "\
Resources:
  F:
    Type: AWS::Lambda::Function
    Properties: {Code: app.py, Handler: app.h}
  Api:
    Type: AWS::Serverless::Api
    Properties: {StageName: x, DefinitionUri: api.yaml}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: machine.asl.json}
  Remote:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: s3://b/k}
";
    let project = Project::with_template(template);
    project.write("app.py", "x");
    project.write("api.yaml", "openapi: 3.0.1");
    project.write("machine.asl.json", "{}");
    let result =
        project.samara(["package", "--dry-run", "--output", "json", "--s3-bucket", "b"]).run().expect(0).json();
    let property = |id: &str, name: &str| result["template"]["Resources"][id]["Properties"][name].clone();
    let code = property("F", "Code");
    assert_eq!(code["S3Bucket"], "b");
    assert!(code["S3Key"].as_str().expect("a key").ends_with(".zip"));
    assert!(property("Api", "DefinitionUri").as_str().expect("text").ends_with(".yaml"));
    assert_eq!(property("Machine", "DefinitionUri")["Bucket"], "b");
    assert_eq!(property("Remote", "CodeUri"), "s3://b/k");
}

#[test]
fn a_definition_comes_only_from_the_project() {
    let project = Project::new();
    project.write("../outside.yaml", "x");
    project.write("template.yaml", "Resources:\n  A:\n    Type: AWS::Serverless::Api\n    Properties: {StageName: x, DefinitionUri: ../outside.yaml}\n");
    project.samara(["package", "--dry-run"]).run().expect(1).says("../outside.yaml is outside the project");
}

#[test]
fn what_is_not_there_yet_is_said() {
    let nested =
        "Resources:\n  Child:\n    Type: AWS::CloudFormation::Stack\n    Properties: {TemplateURL: child.yaml}\n";
    Project::with_template(nested).samara(["package", "--dry-run"]).run().expect(1).says("cannot be packaged yet");
    let image = "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image, ImageUri: 'app:latest'}\n";
    Project::with_template(image)
        .samara(["package", "--dry-run"])
        .run()
        .expect(1)
        .says("the container image \"app:latest\"");
    project().samara(["package", "--signing-profiles", "F=p"]).run().expect(2).says("code signing");
    project().samara(["package", "--image-repository", "x"]).run().expect(2).says("container images");
}

#[test]
fn arguments_that_do_not_fit_are_status_2() {
    project().samara(["package", "--s3-bucket", "b", "--resolve-s3"]).run().expect(2).says("--s3-bucket");
    project().samara(["package", "--metadata", "nonsense"]).run().expect(2).says("--metadata");
    project().samara(["package", "--dry-run", "--include", "a{"]).run().expect(2).says("--include");
    Project::new().samara(["package"]).run().expect(2).says("--template-file");
    project().samara(["package", "--template-file", "no.yaml"]).run().expect(1).says("cannot read no.yaml");
}

#[test]
fn a_template_without_code_needs_no_bucket() {
    let project = Project::with_template("Resources:\n  T:\n    Type: AWS::SNS::Topic\n");
    let outcome = project.samara(["package"]).env("AWS_ENDPOINT_URL", "http://localhost:1").run().expect(0);
    outcome.prints("SamResourceId: T");
}

#[test]
fn an_output_that_cannot_be_written_leaves_nothing() {
    let project = project();
    let outcome =
        project.samara(["package", "--dry-run", "--output-template-file", "no/such/folder.yaml"]).run().expect(1);
    outcome.says("cannot write no/such/folder.yaml");
    assert_eq!(project.files(), ["src/app.py", "template.yaml"]);
}
