//! How long the commands take as a user runs them, in release: `cargo bench`. Beside each figure
//! stands what `sam` takes for the same, when it is installed.
//!
//! Not a test: nothing here fails for being slow.

#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark prints times")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

const FUNCTIONS: usize = 40;
/// Files and bytes of each function's folder: 40 of them are 80 MB of half-compressible bytes.
const FILES: usize = 20;
const FILE_BYTES: usize = 100_000;

fn main() {
    let project = tempfile::tempdir().unwrap();
    write_project(project.path());
    let samara = env!("CARGO_BIN_EXE_samara");
    let sam = Command::new("sam").arg("--version").output().is_ok_and(|output| output.status.success());
    if !sam {
        println!("sam is not installed: its column stays empty");
    }
    println!("{:<46} {:>12} {:>12}", "median of several runs", "samara", "sam");

    let version = median(30, || run(samara, &["--version"], project.path()));
    row("--version", version, sam.then(|| median(3, || run("sam", &["--version"], project.path()))));

    let validate = median(20, || run(samara, &["validate", "--template-file", "template.yaml"], project.path()));
    let peer = sam.then(|| median(3, || run("sam", &["validate", "--region", "eu-central-1"], project.path())));
    row("validate, 40 functions", validate, peer);

    let hash = median(5, || hash_everything(project.path()));
    row("reading and hashing the bytes, one thread", hash, None);

    let sandbox = Sandbox::start(samara, project.path());
    let package = ["package", "--sandbox", "--output-template-file", "packaged.yaml"];
    let first = median(1, || run(samara, &package, project.path()));
    row("package, 40 functions, first", first, None);
    let again = median(5, || run(samara, &package, project.path()));
    row("package, 40 functions, nothing changed", again, None);
    println!("nothing changed / hashing the bytes: {:.2}", again.as_secs_f64() / hash.as_secs_f64());
    drop(sandbox);
}

fn row(what: &str, samara: Duration, sam: Option<Duration>) {
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    println!("{what:<46} {:>12} {:>12}", ms(samara), sam.map(ms).unwrap_or_default());
}

fn median(times: usize, mut measure: impl FnMut() -> Duration) -> Duration {
    let mut all: Vec<Duration> = (0..times).map(|_| measure()).collect();
    all.sort();
    all[times / 2]
}

fn run(program: &str, args: &[&str], dir: &Path) -> Duration {
    let started = Instant::now();
    let output = Command::new(program).args(args).current_dir(dir).env("AWS_REGION", "eu-central-1").output().unwrap();
    let took = started.elapsed();
    assert!(output.status.success(), "{program} {args:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    took
}

/// The least that any packaging has to do when nothing has changed.
fn hash_everything(project: &Path) -> Duration {
    let started = Instant::now();
    for function in 0..FUNCTIONS {
        let mut hash = Sha256::new();
        for file in 0..FILES {
            hash.update(std::fs::read(project.join(format!("f{function}/file{file}.bin"))).unwrap());
        }
        std::hint::black_box(hash.finalize());
    }
    started.elapsed()
}

fn write_project(dir: &Path) {
    let mut template =
        String::from("AWSTemplateFormatVersion: '2010-09-09'\nTransform: AWS::Serverless-2016-10-31\nResources:\n");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for function in 0..FUNCTIONS {
        let folder = dir.join(format!("f{function}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("app.py"), "def handler(event, context):\n    return event\n").unwrap();
        for file in 0..FILES {
            let bytes: Vec<u8> = (0..FILE_BYTES)
                .map(|index| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    if index % 2 == 0 { (state & 0xff) as u8 } else { b'a' + (index % 13) as u8 }
                })
                .collect();
            std::fs::write(folder.join(format!("file{file}.bin")), bytes).unwrap();
        }
        write!(
            template,
            "  F{function}:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: f{function}/\n      \
             Handler: app.handler\n      Runtime: python3.13\n      Timeout: 10\n      Environment:\n        Variables:\n          \
             NAME: !Sub ${{AWS::StackName}}-{function}\n      Events:\n        Api:\n          Type: HttpApi\n          \
             Properties:\n            Path: /f{function}\n            Method: get\n",
        )
        .unwrap();
    }
    std::fs::write(dir.join("template.yaml"), template).unwrap();
}

struct Sandbox<'a> {
    samara: &'a str,
    dir: &'a Path,
}

impl<'a> Sandbox<'a> {
    fn start(samara: &'a str, dir: &'a Path) -> Self {
        let status = Command::new(samara)
            .args(["sandbox", "start"])
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "the sandbox starts");
        Self { samara, dir }
    }
}

impl Drop for Sandbox<'_> {
    fn drop(&mut self) {
        let _ = Command::new(self.samara).args(["sandbox", "stop"]).current_dir(self.dir).output();
    }
}
