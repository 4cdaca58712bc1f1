//! Two processes: one drives a rollout and is killed at a random moment, the other carries on. Two
//! hundred times over, and each time the alias has to end wholly on one version, as boto3 reads it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::support::{Outcome, Project, python};

/// How often a driver is killed in the middle of its work.
const KILLS: usize = 200;
/// Aliases that are moved at the same time, each by processes of its own.
const AT_ONCE: usize = 8;
/// Sandbox seconds in a real one.
const SPEED: u32 = 100;
const BUCKET: &str = "kills-journals";
/// Two steps, the barrier and the bake: some five minutes of the sandbox's.
const PLAN: [&str; 8] =
    ["--to-version", "2", "--strategy", "steps:10%:1m,50%:1m", "--min-requests", "0", "--bake", "30s"];

/// Reads aliases and sets them up, through boto3, in one process for all of them.
const READER: &str = r#"
import boto3, io, json, sys, zipfile
from botocore.config import Config
endpoint, bucket, aliases = sys.argv[1], sys.argv[2], int(sys.argv[3])
keys = dict(endpoint_url=endpoint, region_name="eu-central-1", aws_access_key_id="000000000000",
            aws_secret_access_key="sandbox")
boto3.client("s3", **keys, config=Config(s3={"addressing_style": "path"})).create_bucket(
    Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
aws = boto3.client("lambda", **keys)
def package(text):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as file:
        file.writestr("index.py", "def handler(event, context):\n    return %r\n" % text)
    return memory.getvalue()
aws.create_function(FunctionName="hello", Role="arn:aws:iam::000000000000:role/hello", Runtime="python3.12",
                    Handler="index.handler", Code={"ZipFile": package("1")})
aws.get_waiter("function_active_v2").wait(FunctionName="hello")
aws.publish_version(FunctionName="hello")
aws.update_function_code(FunctionName="hello", ZipFile=package("2"))
aws.get_waiter("function_updated_v2").wait(FunctionName="hello")
assert aws.publish_version(FunctionName="hello")["Version"] == "2"
for number in range(aliases):
    aws.create_alias(FunctionName="hello", Name="a%d" % number, FunctionVersion="1")
print("ready", flush=True)
for line in sys.stdin:
    what, name = line.split()
    if what == "reset":
        aws.update_alias(FunctionName="hello", Name=name, FunctionVersion="1",
                         RoutingConfig={"AdditionalVersionWeights": {}})
    found = aws.get_alias(FunctionName="hello", Name=name)
    weights = found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    print(json.dumps([found["FunctionVersion"], weights]), flush=True)
"#;

/// boto3, in a process of its own.
struct Boto {
    child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Boto {
    fn start(python: &std::path::Path, endpoint: &str) -> Self {
        let mut child = Command::new(python)
            .args(["-c", READER, endpoint, BUCKET, &AT_ONCE.to_string()])
            .env_remove("AWS_PROFILE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let boto = Self { child, pipes: Mutex::new((input, BufReader::new(output))) };
        assert_eq!(boto.line(None), "ready");
        boto
    }

    fn line(&self, question: Option<&str>) -> String {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(question) = question {
            writeln!(pipes.0, "{question}").unwrap();
        }
        let mut line = String::new();
        pipes.1.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// The alias's version, and whether another one has a weight beside it.
    fn ask(&self, what: &str, alias: &str) -> (String, bool) {
        let line = self.line(Some(&format!("{what} {alias}")));
        let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("boto3 says {line:?}"));
        (said[0].as_str().unwrap().to_owned(), !said[1].as_object().unwrap().is_empty())
    }
}

impl Drop for Boto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the kills met.
#[derive(Debug, Default)]
struct Met {
    killed: AtomicUsize,
    split: AtomicUsize,
    went_on: AtomicUsize,
    went_back: AtomicUsize,
    nothing_to_do: AtomicUsize,
    over_already: AtomicUsize,
}

struct World {
    project: Project,
    endpoint: String,
    boto: Boto,
    met: Met,
    /// How long a rollout takes that nobody disturbs.
    length: Duration,
}

impl World {
    fn samara(&self, purpose: &str, alias: &str, more: &[&str]) -> Command {
        let target = ["rollout", purpose, "--function", "hello", "--alias", alias, "--journal-bucket", BUCKET];
        let mut command = self
            .project
            .samara(target.iter().chain(more))
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "000000000000")
            .env("AWS_SECRET_ACCESS_KEY", "sandbox")
            .into_command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self, alias: &str, more: &[&str]) -> Child {
        self.samara("start", alias, &PLAN.iter().chain(more).copied().collect::<Vec<_>>()).spawn().unwrap()
    }

    /// Kills a process after a time; whether it still was there.
    fn kill(child: &mut Child, after: Duration) -> bool {
        std::thread::sleep(after);
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        true
    }

    /// One kill, and what follows.
    fn round(&self, alias: &str, random: &mut ChaCha8Rng) {
        assert_eq!(self.boto.ask("reset", alias), ("1".to_owned(), false));
        // Every third one is on its way back when its time is over.
        let goes_back = random.random_range(0..3) == 0;
        let more: &[&str] = if goes_back { &["--timeout", "100s"] } else { &[] };
        let mut child = self.start(alias, more);
        if !Self::kill(&mut child, self.length.mul_f64(random.random_range(0.02..1.05))) {
            self.met.over_already.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.met.killed.fetch_add(1, Ordering::Relaxed);
        let (_, split) = self.boto.ask("read", alias);
        self.met.split.fetch_add(usize::from(split), Ordering::Relaxed);
        // Now and then the one that carries on dies too.
        if random.random_range(0..4) == 0 {
            let mut second = self.samara("resume", alias, &[]).spawn().unwrap();
            let killed = Self::kill(&mut second, self.length.mul_f64(random.random_range(0.02..0.6)));
            self.met.killed.fetch_add(usize::from(killed), Ordering::Relaxed);
        }
        let purpose = if random.random_range(0..4) == 0 { "abort" } else { "resume" };
        let output = self.samara(purpose, alias, &[]).output().unwrap();
        let outcome = Outcome {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        let (version, split) = self.boto.ask("read", alias);
        let told = format!("{purpose} ended with {:?}\n{}\n{}", outcome.status, outcome.stdout, outcome.stderr);
        assert!(!split && ["1", "2"].contains(&version.as_str()), "{alias} is left on {version}, {split}: {told}");
        let counted = match outcome.status {
            // Killed before there was a journal, or when it had been retired.
            Some(0 | 1) if outcome.stderr.contains("has no rollout under way") => &self.met.nothing_to_do,
            Some(0) => {
                assert_eq!(version, "2", "{told}");
                &self.met.went_on
            }
            Some(4) => {
                assert_eq!(version, "1", "{told}");
                &self.met.went_back
            }
            _ => panic!("{told}"),
        };
        counted.fetch_add(1, Ordering::Relaxed);
        self.check_nothing_is_left(alias);
    }

    /// The next rollout may begin at once.
    fn check_nothing_is_left(&self, alias: &str) {
        let status = self.samara("status", alias, &["--output", "json"]).output().unwrap();
        let said: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        assert_eq!((status.status.code(), &said["rollout"]), (Some(0), &serde_json::Value::Null), "{said}");
    }
}

#[test]
fn killed_two_hundred_times_the_alias_always_ends_wholly_on_one_version() {
    let Some(python) = python::interpreter() else { return };
    let project = Project::new();
    let speed = SPEED.to_string();
    let started = project.samara(["sandbox", "start", "--speed", &speed, "--output", "json"]).run().expect(0);
    let endpoint = started.json()["endpoint_url"].as_str().expect("an endpoint").to_owned();
    let boto = Boto::start(&python, &endpoint);
    let mut world = World { project, endpoint, boto, met: Met::default(), length: Duration::ZERO };
    let began = Instant::now();
    let undisturbed = world.start("a0", &[]).wait_with_output().unwrap();
    assert!(undisturbed.status.success(), "{}", String::from_utf8_lossy(&undisturbed.stderr));
    world.length = began.elapsed();
    let world = &world;
    std::thread::scope(|scope| {
        for number in 0..AT_ONCE {
            scope.spawn(move || {
                let mut random = ChaCha8Rng::seed_from_u64(number as u64);
                while world.met.killed.load(Ordering::Relaxed) < KILLS {
                    world.round(&format!("a{number}"), &mut random);
                }
            });
        }
    });
    let met = &world.met;
    eprintln!("{met:?} in {:?}, of {:?} each", began.elapsed(), world.length);
    let count = |number: &AtomicUsize| number.load(Ordering::Relaxed);
    assert!(count(&met.killed) >= KILLS);
    // They met the rollout where it hurts, and both ends were reached.
    assert!(count(&met.split) >= KILLS / 5, "{met:?}");
    assert!(count(&met.went_on) >= KILLS / 5 && count(&met.went_back) >= KILLS / 20, "{met:?}");
}
