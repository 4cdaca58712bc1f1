//! How long the transform takes, in release, beside the published one:
//! `SAMARA_REFERENCE='python reference_transform.py' cargo bench --bench transform -- [FOLDER]`.
//!
//! FOLDER holds templates; without one they are the published cases beside the checkout, or the
//! project's own. The reference is a command that takes a template's path, and with `--server` one
//! question a line, as `examples/transform-diff` asks it. Not a test: nothing here fails for being
//! slow.

#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark prints times")]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use samara::template::{read, write};
use samara::transform::{self, Options};
use serde_json::json;

const REGION: &str = "ap-southeast-1";
/// The large template.
const RESOURCES: usize = 500;
const BYTES: usize = 1_000_000;
/// Processes that are started for a median.
const STARTS: usize = 60;
const SLOW_STARTS: usize = 9;

fn main() {
    let named = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let folder = named.map_or_else(folder, PathBuf::from);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
    paths.sort();
    let reference = std::env::var("SAMARA_REFERENCE").ok();
    if reference.is_none() {
        println!("SAMARA_REFERENCE names no published transform: its column stays empty");
    }
    println!("{} templates of {}", paths.len(), folder.display());
    println!("{:<46} {:>12} {:>14} {:>8}", "", "samara", "published", "times");

    let texts: Vec<String> = paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let ours = (0..5).map(|_| in_one_process(&texts)).min().unwrap();
    row("all in one process", ours, reference.as_deref().map(|command| served(command, &texts)));

    let samara = env!("CARGO_BIN_EXE_samara");
    let every = (paths.len() / STARTS).max(1);
    let chosen: Vec<&PathBuf> = paths.iter().step_by(every).collect();
    let start = |path: &&PathBuf| {
        let args = ["transform", "--region", REGION, "--output", "json", "--template-file"];
        time(Command::new(samara).args(args).arg(path))
    };
    let ours = median(chosen.iter().map(start).collect());
    let theirs = reference.as_deref().map(|command| {
        let some = chosen.iter().step_by((chosen.len() / SLOW_STARTS).max(1));
        median(
            some.map(|path| time(Command::new("sh").args(["-c", &format!("exec {command} \"$0\"")]).arg(path)))
                .collect(),
        )
    });
    row("one process a template, median", ours, theirs);

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("template.yaml");
    let text = large();
    std::fs::write(&path, &text).unwrap();
    let large = median((0..9).map(|_| start(&&path)).collect());
    row(&format!("{RESOURCES} resources, {} bytes, a process", text.len()), large, None);
    println!("{:<46} {:>9} MB", "  its peak memory", peak_kb(samara, &path) / 1024);
}

fn folder() -> PathBuf {
    let root = std::env::var_os("SAMARA_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let published = root.join("fixtures/sam-transform/input");
    match published.is_dir() {
        true => published,
        false => Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/transform"),
    }
}

/// Reading, transforming and writing every template.
fn in_one_process(texts: &[String]) -> Duration {
    let started = Instant::now();
    for text in texts {
        let options = Options { region: REGION.to_owned(), now_s: Some(0), ..Options::default() };
        let Ok(template) = read::read_bytes("template", text.as_bytes()) else { continue };
        if let Ok(transformed) = transform::transform(&template, &options) {
            std::hint::black_box(write::json(&transformed.template));
        }
    }
    started.elapsed()
}

/// The same by the reference, which has been asked once before: its imports do not count.
fn served(command: &str, texts: &[String]) -> Duration {
    let mut child = Command::new("sh")
        .args(["-c", &format!("exec {command} --server")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ask = |text: &str| {
        writeln!(input, "{}", json!({ "template": text, "region": REGION })).unwrap();
        answers.next().unwrap().unwrap()
    };
    ask("Resources: {A: {Type: AWS::Serverless::SimpleTable}}");
    let started = Instant::now();
    for text in texts {
        std::hint::black_box(ask(text));
    }
    let took = started.elapsed();
    drop(input);
    child.wait().unwrap();
    took
}

fn time(command: &mut Command) -> Duration {
    let started = Instant::now();
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    started.elapsed()
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

fn row(what: &str, samara: Duration, published: Option<Duration>) {
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let times = published.map(|other| format!("{:.0}", other.as_secs_f64() / samara.as_secs_f64())).unwrap_or_default();
    println!("{what:<46} {:>12} {:>14} {times:>8}", ms(samara), published.map(ms).unwrap_or_default());
}

/// Functions with all that comes with them, and code that fills the megabyte.
fn large() -> String {
    let mut text = "Transform: AWS::Serverless-2016-10-31\nResources:\n".to_owned();
    let code = "x".repeat(BYTES / RESOURCES - 620);
    for number in 0..RESOURCES {
        let _ = write!(
            text,
            "  Function{number}:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      Runtime: python3.13
      InlineCode: \"{code}\"
      AutoPublishAlias: live
      MemorySize: 256
      Environment: {{Variables: {{NUMBER: \"{number}\", REGION: !Sub \"${{AWS::Region}}\"}}}}
      Policies: [AWSLambdaBasicExecutionRole, {{DynamoDBCrudPolicy: {{TableName: table{number}}}}}]
      Events:
        Get: {{Type: Api, Properties: {{Path: /{number}, Method: get}}}}
        Tick: {{Type: Schedule, Properties: {{Schedule: rate(5 minutes)}}}}
        Note: {{Type: SQS, Properties: {{Queue: \"arn:aws:sqs:eu-central-1:123456789012:queue{number}\"}}}}
"
        );
    }
    text
}

/// The most memory that a process had, looked at while it runs.
fn peak_kb(samara: &str, template: &Path) -> u64 {
    let args = ["transform", "--region", REGION, "--output", "json", "--template-file"];
    let mut child =
        Command::new(samara).args(args).arg(template).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = peak.max(line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_micros(500));
    }
    peak
}
