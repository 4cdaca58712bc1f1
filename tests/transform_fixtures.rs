//! The published cases of the SAM transform, one test a case and partition, so that a failure names
//! it. Where the folder is absent there is one test, and it is reported as ignored.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that cannot go on stops, reads its environment, and says loudly what it skips"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

use samara::template::read;
use samara::transform::resolver::{Resolver, Unresolved};
use samara::transform::{self, Options};

/// The partitions of the published cases: where their outputs are, and a region of each.
const PARTITIONS: [(&str, &str); 3] =
    [("", "ap-southeast-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")];

/// Cases in which version 1.115.0 of the published transform, our measure, differs from the published
/// output, which is of 1.110.
const RENEWED: &[&str] = &[
    // An integer of the template stays one.
    "http_api_def_uri",
    // The lists of what Globals may hold have grown.
    "error_global_capacity_provider_unsupported",
    "error_globals_unsupported_type",
    // A key that is a number in the YAML is a text to CloudFormation.
    "error_invalid_logical_id",
    // The message names the type that it found.
    "error_websocket_api_invalid_authtype",
];

/// The repository as the cases want it.
#[derive(Default)]
struct Repository {
    asked: Mutex<BTreeMap<String, u32>>,
}

const ADDRESS: &str = "https://awsserverlessrepo-changesets-xxx.s3.amazonaws.com/signed-url";

impl Resolver for Repository {
    fn application(&self, id: &str, _: &str) -> Result<String, Unresolved> {
        *self.asked.lock().unwrap().entry(id.to_owned()).or_default() += 1;
        match id {
            "no-access" | "non-existent" | "invalid-semver" => {
                Err(Unresolved::Refused(format!("Cannot access application: {id}.")))
            }
            "preparing-never-ready" => Err(Unresolved::TimedOut),
            _ => Ok(ADDRESS.to_owned()),
        }
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let root = std::env::var_os("SAMARA_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let folder = root.join("fixtures/sam-transform");
    let trials = if folder.is_dir() {
        trials(&folder)
    } else {
        eprintln!("SKIPPED: the published cases of the transform are not on this machine");
        vec![Trial::test("the_published_cases", || Ok(())).with_ignored_flag(true)]
    };
    libtest_mimic::run(&arguments, trials).exit();
}

fn trials(folder: &Path) -> Vec<Trial> {
    let mut inputs: Vec<PathBuf> = std::fs::read_dir(folder.join("input"))
        .expect("the published cases can be read")
        .map(|entry| entry.expect("the published cases can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    inputs.sort();
    let mut trials = Vec::new();
    for input in inputs {
        let name = input.file_stem().and_then(|stem| stem.to_str()).expect("cases have plain names").to_owned();
        for (partition, region) in PARTITIONS {
            let output = folder.join("output").join(partition).join(format!("{name}.json"));
            if !output.exists() {
                continue;
            }
            let (input, renewed) = (input.clone(), RENEWED.contains(&name.as_str()));
            let label = if partition.is_empty() { "aws" } else { partition };
            let error = name.starts_with("error_");
            let case = name.clone();
            let trial = Trial::test(format!("{label}/{name}"), move || check(&case, &input, &output, region, error));
            trials.push(trial.with_ignored_flag(renewed));
        }
    }
    trials
}

fn check(name: &str, input: &Path, output: &Path, region: &str, error: bool) -> Result<(), Failed> {
    let text = std::fs::read(input)?;
    let expected: Value = serde_json::from_slice(&std::fs::read(output)?)?;
    let parameters = [("param1", "value1"), ("param2", "value2")];
    let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let options = Options { region: region.to_owned(), parameters, ..Options::default() };
    let template = read::read_bytes(name, &text).map_err(|findings| format!("{findings:?}"))?;
    let transformed = transform::transform_with(&template, &options, &Repository::default());
    match (transformed, error) {
        (Ok(transformed), false) => {
            let (given, wanted) = (normal(&transformed.template.to_json()), normal(&expected));
            difference(&given, &wanted, "").map_or(Ok(()), |difference| Err(difference.into()))
        }
        (Ok(_), true) => Err("it is not refused".into()),
        (Err(findings), false) => Err(format!("it is refused: {}", messages(&findings.items)).into()),
        (Err(findings), true) => {
            let message = transform::published_message(&findings.items);
            let wanted = expected["errorMessage"].as_str().unwrap_or_default();
            if fold(&message) == fold(wanted) {
                return Ok(());
            }
            Err(format!("another message:\n   given: {message}\n  wanted: {wanted}").into())
        }
    }
}

fn messages(findings: &[samara::diagnostic::Diagnostic]) -> String {
    findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("; ")
}

fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lists compare without regard to order, as in the published cases.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, Value> = map.iter().map(|(key, value)| (key, normal(value))).collect();
            Value::Object(sorted.into_iter().map(|(key, value)| (key.clone(), value)).collect())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(normal).collect();
            items.sort_by_key(ToString::to_string);
            Value::Array(items)
        }
        other => other.clone(),
    }
}

/// Where two values first differ.
fn difference(given: &Value, wanted: &Value, place: &str) -> Option<String> {
    match (given, wanted) {
        (Value::Object(a), Value::Object(b)) => {
            if let Some(key) = b.keys().find(|key| !a.contains_key(*key)) {
                return Some(format!("{place}/{key} is missing"));
            }
            a.iter().find_map(|(key, value)| match b.get(key) {
                Some(other) => difference(value, other, &format!("{place}/{key}")),
                None => Some(format!("{place}/{key} is too much")),
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(index, (a, b))| difference(a, b, &format!("{place}/{index}")))
        }
        _ => (given != wanted).then(|| format!("{place} is {given}, not {wanted}")),
    }
}
