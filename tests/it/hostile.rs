//! The user who makes every mistake, on a machine where nothing is as it should be.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Outcome, Project};

const APPLICATION: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      Runtime: python3.13
      CodeUri: src/
";

fn application() -> Project {
    let project = Project::with_template(APPLICATION);
    project.write("src/app.py", "def handler(event, context): return 1\n");
    project
}

/// What answers at an endpoint that is not AWS.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Bytes(&'static [u8]),
    /// A head, and then a byte now and then for ever.
    Drip,
    /// A body that never ends, as fast as it goes.
    Flood,
    /// Not a word.
    Hang,
}

/// An endpoint on loopback; its threads end with the test's process.
fn endpoint(answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream, answer));
        }
    });
    url
}

fn serve(mut stream: TcpStream, answer: Answer) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend_from_slice(&chunk[..length]),
        }
    }
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 99000000000\r\n\r\n";
    // The client may hang up at any time: that is the point.
    let _ = match answer {
        Answer::Bytes(bytes) => stream.write_all(bytes),
        Answer::Hang => stream.read(&mut chunk).map(|_| std::thread::sleep(Duration::from_secs(300))),
        Answer::Drip => stream.write_all(head).and_then(|()| {
            loop {
                stream.write_all(b" ")?;
                std::thread::sleep(Duration::from_millis(200));
            }
        }),
        Answer::Flood => stream.write_all(head).and_then(|()| {
            let block = vec![b'x'; 1 << 20];
            loop {
                stream.write_all(&block)?;
            }
        }),
    };
}

fn with_keys(project: &Project, args: &[&str], url: &str) -> Outcome {
    project
        .samara(args)
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret-canary")
        .env("AWS_ENDPOINT_URL", url)
        .run()
}

#[test]
fn wrong_arguments_end_with_2_before_anything_happens() {
    let project = application();
    let run = |args: &[&str]| project.samara(args).env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").run();
    run(&["deplo"]).expect(2).says("'deploy'");
    run(&["deploy", "--stak-name", "x"]).expect(2).says("'--stack-name'");
    for region in ["evil.example/eu-central-1", "eu-central-1.evil.example", "EU-CENTRAL-1", ""] {
        run(&["deploy", "--stack-name", "a", "--region", region]).expect(2).says("eu-central-1");
        run(&["rollout", "status", "--function", "f", "--alias", "live", "--region", region]).expect(2);
    }
    for strategy in [
        "canary:0%:10m",
        "canary:100%:10m",
        "canary:101%:10m",
        "canary:-5%:10m",
        "canary:NaN%:1m",
        "canary:5%:-10m",
        "canary:5%:1.5m",
        "canary:5%:99999999999999999999h",
        "linear:10%:9223372036854775807m",
        "nope",
    ] {
        for command in ["plan", "start"] {
            run(&[
                "rollout",
                command,
                "--function",
                "f",
                "--alias",
                "live",
                "--to-version",
                "2",
                "--strategy",
                strategy,
            ])
            .expect(2)
            .says("for example");
        }
        run(&["rehearse", "--strategy", strategy]).expect(2);
        run(&["deploy", "--stack-name", "a", "--strategy", strategy]).expect(2);
    }
    for function in ["arn:aws:lambda:nope", "a b", "", "arn:aws:s3:::bucket"] {
        run(&["rollout", "status", "--function", function, "--alias", "live"]).expect(2).says("--function");
    }
    for version in ["$LATEST", "0", "-1", "live", "1.5"] {
        run(&["rollout", "start", "--function", "f", "--alias", "live", &format!("--to-version={version}")]).expect(2);
    }
    for arn in ["nonsense", "arn:aws:iam", "arn:aws:iam::1:role/\u{1b}[31m"] {
        run(&["deploy", "--stack-name", "a", "--dry-run", "--role-arn", arn]).expect(2).says("is not an ARN");
        run(&["deploy", "--stack-name", "a", "--dry-run", "--notification-arns", arn]).expect(2).says("is not an ARN");
    }
    for minutes in ["0", "18446744073709551615", "99999999999999999999", "-1", "1.5"] {
        run(&["deploy", "--stack-name", "a", "--dry-run", &format!("--max-wait-duration={minutes}")]).expect(2);
    }
    for rate in ["0", "-1", "NaN", "inf", "1e9"] {
        run(&["rehearse", &format!("--rate={rate}")]).expect(2);
        run(&["rehearse", &format!("--speed={rate}")]).expect(2);
    }
    assert_eq!(project.files(), ["src/app.py", "template.yaml"]);
}

#[test]
fn control_characters_are_shown_and_not_obeyed() {
    let project = application();
    let name = "a\u{1b}[31mb\u{202e}c\u{9b}2J";
    for args in [
        vec![name],
        vec!["validate", "--template-file", name],
        vec!["deploy", "--stack-name", name],
        vec!["deploy", name],
        vec!["deploy", "--dry-run", "--stack-name", "a", "--region", name],
        vec!["rollout", "status", "--alias", name],
        vec!["rollout", "plan", "--strategy", name],
        vec!["init", name, "--template", "node-api"],
        vec!["init", "a", "--template", name],
        vec!["rehearse", name],
        vec!["completions", name],
    ] {
        for output in ["text", "json"] {
            let outcome = project.samara(&args).args(["--output", output, "--color", "never"]).run();
            assert!(matches!(outcome.status, Some(1 | 2)), "{args:?}: {outcome:?}");
            let all = format!("{}{}", outcome.stdout, outcome.stderr);
            assert!(!all.chars().any(|one| matches!(one, '\u{1b}' | '\u{202e}' | '\u{9b}')), "{args:?}: {all:?}");
            assert!(outcome.stderr.contains("1b}[31mb"), "{args:?}: {}", outcome.stderr);
        }
    }
}

#[test]
fn programs_get_json_and_nothing_else_also_when_a_command_fails() {
    let project = application();
    for args in [
        vec!["validate", "-t", "nowhere.yaml"],
        vec!["transform", "-t", "nowhere.yaml"],
        vec!["package", "-t", "nowhere.yaml"],
        vec!["package"],
        vec!["init", "app"],
        vec!["init", "app", "--template", "nope"],
        vec!["rehearse", "nowhere"],
        vec!["rollout", "status"],
        vec!["rollout", "status", "--function", "f", "--alias", "live"],
        vec!["rollout", "plan", "--function", "f", "--alias", "live", "--to-version", "2"],
        vec!["rollout", "resume", "--function", "f", "--alias", "live"],
        vec!["rollout", "abort", "--function", "f", "--alias", "live"],
        vec!["rollout", "rollback", "--function", "f", "--alias", "live", "--to-version", "1"],
    ] {
        let outcome = project.samara(&args).args(["--output", "json"]).run();
        let json = outcome.json();
        assert!(json["error"]["message"].is_string(), "{args:?}: {json}");
        assert_eq!(json["error"]["exit_status"].as_i64(), outcome.status.map(i64::from), "{args:?}");
        assert!(outcome.stderr.contains("error: "), "{args:?}: {}", outcome.stderr);
    }
    // What it found, or what became of it, is the answer of these.
    project.write("bad.yaml", "Resources: {A: {Type: AWS::Serverless::Nope}}\n");
    assert!(project.samara(["validate", "-t", "bad.yaml", "--output", "json"]).run().expect(1).json().is_array());
    let outcome = project.samara(["deploy", "--stack-name", "a", "--output", "json"]).run().expect(1);
    let last = outcome.stdout.lines().last().expect("a line");
    let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
    assert_eq!((&last["type"], &last["status"]), (&"result".into(), &"failure".into()));
}

#[test]
fn without_credentials_or_region_it_says_so_at_once() {
    let project = application();
    let started = Instant::now();
    for args in [
        vec!["deploy", "--stack-name", "a"],
        vec!["package"],
        vec!["rollout", "status", "--function", "f", "--alias", "live"],
    ] {
        let outcome = project.samara(&args).run().expect(1).says("no AWS credentials were found").says("--sandbox");
        assert!(!outcome.stderr.contains("dispatch failure"), "{}", outcome.stderr);
        project.samara(&args).env("AWS_REGION", "").run().expect(1).says("no AWS region").says("--region");
        project.samara(&args).env("AWS_REGION", "evil/x-1").run().expect(1).says("is not an AWS region");
    }
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn an_endpoint_that_is_none_is_refused_without_being_shown() {
    let project = application();
    for url in ["nonsense", "ftp://user:canary@host", "http://", "http://user:canary@ho st"] {
        let outcome = with_keys(&project, &["deploy", "--stack-name", "a"], url).expect(1).says("AWS_ENDPOINT_URL");
        assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
    }
}

#[test]
fn an_answer_that_is_not_of_aws_is_told_with_operation_and_resource() {
    let project = application();
    let cases: [(&[u8], &str); 6] = [
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>",
            "a web page",
        ),
        (b"\x00\xff\x13garbage\r\n\r\n", "invalid HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "not one that AWS gives"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 4\r\nConnection: close\r\n\r\n<<%%",
            "not one that AWS gives",
        ),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "HTTP status 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<Get", "end of file"),
    ];
    std::thread::scope(|scope| {
        for (answer, text) in cases {
            let project = &project;
            scope.spawn(move || {
                let url = endpoint(Answer::Bytes(answer));
                let started = Instant::now();
                let deploy = with_keys(project, &["deploy", "--stack-name", "a"], &url).expect(1).says(text);
                assert!(deploy.stderr.contains("sts GetCallerIdentity"), "{}", deploy.stderr);
                assert!(deploy.stderr.contains("hint: "), "{}", deploy.stderr);
                let status = ["rollout", "status", "--function", "f", "--alias", "live"];
                with_keys(project, &status, &url).expect(1).says(text).says("DescribeStacks samara-managed-bucket");
                assert!(started.elapsed() < Duration::from_secs(90), "{text}: {:?}", started.elapsed());
            });
        }
        let project = &project;
        scope.spawn(move || {
            with_keys(project, &["deploy", "--stack-name", "a"], "http://127.0.0.1:1").expect(1).says("refused");
        });
    });
}

#[test]
fn an_answer_that_never_ends_is_given_up() {
    let project = application();
    std::thread::scope(|scope| {
        for answer in [Answer::Hang, Answer::Drip, Answer::Flood] {
            let project = &project;
            scope.spawn(move || {
                let url = endpoint(answer);
                let started = Instant::now();
                let outcome = with_keys(project, &["deploy", "--stack-name", "a"], &url).expect(1);
                assert!(outcome.stderr.contains("sts GetCallerIdentity"), "{answer:?}: {}", outcome.stderr);
                assert!(started.elapsed() < Duration::from_secs(100), "{answer:?}: {:?}", started.elapsed());
                if matches!(answer, Answer::Flood) {
                    assert!(outcome.stderr.contains("larger than 32 MiB"), "{}", outcome.stderr);
                }
            });
        }
    });
}

/// Runs it with standard output going elsewhere.
fn into(project: &Project, args: &[&str], stdout: impl Into<Stdio>) -> Outcome {
    let mut command: Command = project.samara(args).into_command();
    let output = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).output().expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Outcome { status: output.status.code(), stdout: String::new(), stderr }
}

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_not() {
    let project = application();
    let full = || File::options().write(true).open("/dev/full").expect("/dev/full");
    for args in
        [&["validate"][..], &["package", "--dry-run"], &["completions", "bash"], &["validate", "--output", "json"]]
    {
        into(&project, args, full()).expect(1).says("cannot write to standard output: No space left");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let outcome = into(&project, args, writer).expect(0);
        assert!(!outcome.stderr.contains("error"), "{args:?}: {}", outcome.stderr);
    }
    into(&project, &["--help"], full()).expect(1);
    let args = ["package", "--dry-run", "--output-template-file", "/dev/full"];
    project.samara(args).run().expect(1).says("cannot write /dev/full: No space left");
}

#[test]
fn a_folder_that_is_gone_is_said() {
    let project = application();
    project.write("gone/x", "");
    let mut command = Command::new("sh");
    command.args(["-c", "rm -r ../gone && exec \"$0\" validate", env!("CARGO_BIN_EXE_samara")]);
    let output = command.current_dir(project.path("gone")).output().expect("sh runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot find the current folder"), "{stderr}");
}

#[test]
fn a_home_or_temporary_folder_that_is_missing_harms_nobody_who_does_not_need_it() {
    let project = application();
    let run = |args: &[&str]| project.samara(args).env("HOME", "/nowhere").env("TMPDIR", "/nowhere").run();
    run(&["validate"]).expect(0);
    run(&["package", "--dry-run", "--output-template-file", "packaged.yaml"]).expect(0);
    run(&["deploy", "--dry-run", "--stack-name", "a"]).expect(0);
    run(&["rehearse"]).expect(1).says("/nowhere");
}

#[test]
fn a_sandbox_record_is_believed_only_when_that_sandbox_answers() {
    let project = application();
    let page = endpoint(Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"));
    let port = page.rsplit(':').next().expect("a port");
    for record in [
        "",
        "garbage",
        "{}",
        "{\"port\":1,\"pid\":1,\"speed\":1.0}",
        &format!("{{\"port\":{port},\"pid\":1,\"speed\":1.0}}"),
    ] {
        project.write(".samara/sandbox.json", record);
        project.samara(["sandbox", "status"]).run().expect(1).prints("not running");
        project.samara(["sandbox", "stop"]).run().expect(0).says("no sandbox runs here");
    }
    let blocked = application();
    blocked.write(".samara", "a file");
    for args in [&["sandbox", "start"][..], &["deploy", "--sandbox", "--stack-name", "a"]] {
        blocked.samara(args).run().expect(1).says(".samara");
    }
    blocked.samara(["sandbox", "status"]).run().expect(1).prints("not running");
    assert_eq!(std::fs::read_to_string(blocked.path(".samara")).expect("still a file"), "a file");
    std::fs::remove_file(blocked.path(".samara")).expect("it can be removed");
}

#[test]
fn secrets_are_not_printed_or_saved() {
    let project = Project::with_template(
        "\
Parameters:
  Token: {Type: String, NoEcho: true}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Action: 'sts:AssumeRole', Principal: {Service: lambda.amazonaws.com}}]
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Handler: index.handler
      Runtime: python3.13
      Role: !GetAtt Role.Arn
      Code: {ZipFile: 'def handler(event, context): return 1'}
      Environment: {Variables: {TOKEN: !Ref Token}}
",
    );
    for (round, output) in ["text", "json"].into_iter().enumerate() {
        let token = format!("Token=canary-parameter-{round}");
        let outcome = project
            .samara(["deploy", "--sandbox", "--debug", "--stack-name", "app", "--save-params"])
            .args(["--capabilities", "CAPABILITY_IAM", "--output", output, "--parameter-overrides", &token])
            .env("AWS_SECRET_ACCESS_KEY", "canary-key")
            .env("AWS_SESSION_TOKEN", "canary-session")
            .run()
            .expect(0);
        let log = project.read(".samara/sandbox.log");
        let saved = project.read("samconfig.toml");
        for text in [&outcome.stdout, &outcome.stderr, &log, &saved] {
            assert!(!text.contains("canary"), "{text}");
        }
    }
}

#[cfg(target_os = "linux")]
mod killed {
    use super::*;

    /// The processes that have this text in their environment or arguments, and are not zombies.
    fn alive(text: &str) -> Vec<String> {
        let has = |path: std::path::PathBuf| {
            std::fs::read(path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
        };
        let processes = std::fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
        processes
            .filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit()))
            .filter(|path| has(path.join("cmdline")) || has(path.join("environ")))
            .map(|path| std::fs::read_to_string(path.join("comm")).unwrap_or_default())
            .collect()
    }

    fn kill_a_rehearsal(signal: &str) -> Option<i32> {
        let project = Project::new();
        // Everything that it starts has this in its environment or its path.
        let place = tempfile::TempDir::with_prefix("samara-killed-").expect("a folder");
        let place_text = place.path().to_str().expect("UTF-8").to_owned();
        let mut child = project
            .samara(["rehearse"])
            .env("TMPDIR", &place_text)
            .into_command()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let until = Instant::now() + Duration::from_secs(180);
        while !alive(&place_text).iter().any(|name| name.trim() == "bootstrap") {
            assert!(Instant::now() < until, "no function was started");
            std::thread::sleep(Duration::from_millis(50));
        }
        Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
        let status = child.wait().expect("it ends");
        let until = Instant::now() + Duration::from_secs(60);
        while !alive(&place_text).is_empty() {
            assert!(Instant::now() < until, "{signal} left {:?} behind", alive(&place_text));
            std::thread::sleep(Duration::from_millis(50));
        }
        if signal != "-KILL" {
            assert_eq!(std::fs::read_dir(place.path()).expect("the folder").count(), 0, "files are left behind");
        }
        status.code()
    }

    #[test]
    fn a_rehearsal_that_is_interrupted_leaves_nothing_behind() {
        assert_eq!(kill_a_rehearsal("-INT"), Some(130));
        assert_eq!(kill_a_rehearsal("-TERM"), Some(130));
    }

    #[test]
    fn a_rehearsal_that_is_killed_leaves_no_process_behind() {
        assert_eq!(kill_a_rehearsal("-KILL"), None);
    }

    #[test]
    fn a_package_that_is_interrupted_says_what_that_means() {
        let project = application();
        let child = project
            .samara(["package", "--output-template-file", "packaged.yaml", "--output", "json"])
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "x")
            .env("AWS_ENDPOINT_URL", endpoint(Answer::Hang))
            .into_command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        std::thread::sleep(Duration::from_secs(4));
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
        let output = child.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        assert!(stderr.contains("no template was written"), "{stderr}");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(json["error"]["exit_status"], 130);
        assert_eq!(project.files(), ["src/app.py", "template.yaml"]);
    }
}
