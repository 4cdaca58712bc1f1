//! Every published case of the transform whose resource types the sandbox knows, deployed there as
//! it stands, with its `Transform`, by a change set.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{Capability, ChangeSetStatus, ChangeSetType, Parameter};
use samara::sandbox::server::{self, Options};
use samara::template::{Node, read};
use samara::transform;
use serde_json::Value;

use crate::support::shared;

/// Stacks that are under way beside each other.
const BESIDE: usize = 4;
/// A sandbox writes all that it remembers before it answers: with few stacks that is little.
const IN_A_SANDBOX: usize = 60;
/// Sandboxes beside each other.
const SANDBOXES: usize = 2;
/// A stack that is not at rest by then hangs.
const LONGEST: Duration = Duration::from_secs(60);

struct Case {
    name: String,
    template: Value,
    transformed: Value,
}

/// The cases that are transformed without an account.
fn cases() -> Option<Vec<Case>> {
    let folder = shared::fixtures("sam-transform")?.join("input");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("error_") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let Ok(mut template) = read::read_bytes(&name, text.as_bytes()) else { continue };
        template.root = Node::from(deployable(template.root.to_json()));
        let options = transform::Options { region: "us-east-1".to_owned(), now_s: Some(0), ..Default::default() };
        let Ok(transformed) = transform::transform(&template, &options) else { continue };
        let (template, transformed) = (template.root.to_json(), transformed.template.to_json());
        cases.push(Case { name, template, transformed });
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Some(cases)
}

/// The cases name runtimes that Lambda has given up, and leave `Transform` out.
fn deployable(mut template: Value) -> Value {
    renew(&mut template);
    template["Transform"] = "AWS::Serverless-2016-10-31".into();
    template
}

fn renew(value: &mut Value) {
    const RUNTIMES: [(&str, &str); 6] = [
        ("nodejs", "nodejs22.x"),
        ("python", "python3.13"),
        ("java", "java21"),
        ("ruby", "ruby3.3"),
        ("dotnet", "dotnet8"),
        ("go", "provided.al2023"),
    ];
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                let old = value.as_str().filter(|_| key == "Runtime");
                match old.and_then(|old| RUNTIMES.iter().find(|(family, _)| old.starts_with(family))) {
                    Some((_, new)) => *value = (*new).into(),
                    None => renew(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(renew),
        _ => {}
    }
}

/// Buckets and keys that functions and layers are made from.
fn objects(value: &Value, found: &mut BTreeSet<(String, String)>) {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    match value {
        Value::Object(map) => {
            if let (Some(bucket), Some(key)) = (text(map.get("S3Bucket")), text(map.get("S3Key"))) {
                found.insert((bucket, key));
            }
            map.values().for_each(|value| objects(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| objects(item, found)),
        _ => {}
    }
}

fn archive() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("index.py", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(b"def handler(event, context):\n    return event\n").unwrap();
    zip.finish().unwrap().into_inner()
}

/// The answers of AWS to cases that refer to what is not in them, or have values that nothing can have.
const IN_NO_ACCOUNT: [&str; 19] = [
    "Unresolved resource dependencies",
    "unresolved condition dependency",
    "must be a string or a condition function",
    "must contain a Type member",
    "'null' values are not allowed in templates",
    "Unrecognized DeletionPolicy",
    "Unrecognized UpdateReplacePolicy",
    "must be one of AllowedValues",
    "failed to satisfy constraint",
    "Invalid version id specified",
    "does not exist or is not attachable",
    "The specified queue does not exist",
    "Topic does not exist",
    "Layer version arn:aws:lambda",
    "No Deployment Configuration found",
    "Exactly one of Statistic and ExtendedStatistic",
    "The specified value for path is invalid",
    "The specified bucket is not valid",
    "Invalid value for 'Cors' property",
];
/// So many are deployed at least, or something is not tried any more.
const DEPLOYED: usize = 190;

/// What a stack came to.
enum End {
    Deployed,
    /// The sandbox has no provider for these.
    Unknown,
    Failed(String),
}

async fn deploy(client: &Client, case: &Case) -> End {
    let stack = case.name.replace('_', "-");
    let parameters = case.template["Parameters"].as_object().into_iter().flatten();
    let parameters = parameters.filter(|(_, declared)| declared.get("Default").is_none()).map(|(name, declared)| {
        let number = declared["Type"] == "Number";
        Parameter::builder().parameter_key(name).parameter_value(if number { "1" } else { "value" }).build()
    });
    let call =
        client.create_change_set().stack_name(&stack).change_set_name("first").template_body(case.template.to_string());
    let call = call.change_set_type(ChangeSetType::Create).set_parameters(Some(parameters.collect()));
    let call = call.capabilities(Capability::CapabilityNamedIam).capabilities(Capability::CapabilityAutoExpand);
    if let Err(error) = call.send().await {
        return End::Failed(format!("{:?}", error.into_service_error()));
    }
    let started = std::time::Instant::now();
    loop {
        let described = client.describe_change_set().stack_name(&stack).change_set_name("first").send().await.unwrap();
        match described.status().unwrap() {
            ChangeSetStatus::CreateComplete => break,
            ChangeSetStatus::Failed => {
                let reason = described.status_reason().unwrap_or_default();
                return match reason.contains("Unrecognized resource types") {
                    true => End::Unknown,
                    false => End::Failed(reason.to_owned()),
                };
            }
            _ if started.elapsed() > LONGEST => return End::Failed("the change set is not made".to_owned()),
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    client.execute_change_set().stack_name(&stack).change_set_name("first").send().await.unwrap();
    loop {
        let described = client.describe_stacks().stack_name(&stack).send().await.unwrap();
        let status = described.stacks()[0].stack_status().unwrap().as_str().to_owned();
        if status == "CREATE_COMPLETE" {
            return End::Deployed;
        }
        if !status.ends_with("_IN_PROGRESS") || started.elapsed() > LONGEST {
            let events = client.describe_stack_events().stack_name(&stack).send().await.unwrap();
            let failed = events
                .stack_events()
                .iter()
                .rev()
                .find(|event| event.resource_status().is_some_and(|status| status.as_str().ends_with("FAILED")));
            let told = |event: &aws_sdk_cloudformation::types::StackEvent| {
                let reason = event.resource_status_reason().unwrap_or_default();
                format!("{} {}: {reason}", event.resource_type().unwrap(), event.logical_resource_id().unwrap())
            };
            return End::Failed(format!("{status}: {}", failed.map(told).unwrap_or_default()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How often each end was reached.
#[derive(Default)]
struct Ends {
    deployed: usize,
    /// With types or properties that the sandbox does not know.
    unknown: usize,
    /// With what no account has.
    impossible: usize,
    failed: BTreeMap<String, String>,
}

impl Ends {
    fn add(&mut self, name: String, end: End) {
        match end {
            End::Deployed => self.deployed += 1,
            End::Unknown => self.unknown += 1,
            End::Failed(reason) if reason.to_lowercase().contains("the sandbox") => self.unknown += 1,
            End::Failed(reason) if IN_NO_ACCOUNT.iter().any(|one| reason.contains(one)) => self.impossible += 1,
            End::Failed(reason) => {
                self.failed.insert(name, reason);
            }
        }
    }
}

/// Deploys cases into a sandbox of their own.
async fn try_all(cases: Vec<Case>) -> Vec<(String, End)> {
    let dir = tempfile::tempdir().unwrap();
    let server = server::start(Options { dir: dir.path().to_owned(), port: 0, speed: 2000.0 }).await.unwrap();
    let url = server.endpoint_url();
    let credentials = || aws_credential_types::Credentials::new("000000000000", "sandbox", None, None, "test");
    let config = aws_sdk_cloudformation::Config::builder()
        .behavior_version(aws_sdk_cloudformation::config::BehaviorVersion::latest())
        .endpoint_url(&url)
        .region(aws_sdk_cloudformation::config::Region::new("us-east-1"))
        .credentials_provider(credentials());
    let client = Client::from_conf(config.build());
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .endpoint_url(&url)
        .force_path_style(true)
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .credentials_provider(credentials());
    let s3 = aws_sdk_s3::Client::from_conf(config.build());
    let mut wanted = BTreeSet::new();
    cases.iter().for_each(|case| objects(&case.transformed, &mut wanted));
    let archive = archive();
    for bucket in wanted.iter().map(|(bucket, _)| bucket).collect::<BTreeSet<_>>() {
        // Some cases name buckets that nobody could have.
        let _ = s3.create_bucket().bucket(bucket).send().await;
    }
    for (bucket, key) in &wanted {
        let _ = s3.put_object().bucket(bucket).key(key).body(archive.clone().into()).send().await;
    }
    let mut ends = Vec::new();
    let mut rest = cases.into_iter();
    let mut under_way = tokio::task::JoinSet::new();
    loop {
        while under_way.len() < BESIDE {
            let Some(case) = rest.next() else { break };
            let client = client.clone();
            under_way.spawn(async move { (case.name.clone(), deploy(&client, &case).await) });
        }
        let Some(ended) = under_way.join_next().await else { break };
        ends.push(ended.unwrap());
    }
    server.stop().await.unwrap();
    ends
}

#[tokio::test(flavor = "multi_thread")]
async fn published_cases_are_deployed_as_the_transform_gives_them() {
    let Some(mut rest) = cases() else { return };
    let mut ends = Ends::default();
    let mut sandboxes = tokio::task::JoinSet::new();
    loop {
        while sandboxes.len() < SANDBOXES && !rest.is_empty() {
            let some = rest.split_off(rest.len().saturating_sub(IN_A_SANDBOX));
            sandboxes.spawn(try_all(some));
        }
        let Some(ended) = sandboxes.join_next().await else { break };
        ended.unwrap().into_iter().for_each(|(name, end)| ends.add(name, end));
    }
    let Ends { deployed, unknown, impossible, failed } = ends;
    let list: Vec<String> = failed.iter().map(|(name, reason)| format!("{name}: {reason}")).collect();
    println!(
        "{deployed} deployed, {unknown} with types or properties that the sandbox does not know, {impossible} that ask \
         for what no account has"
    );
    assert!(deployed >= DEPLOYED, "{deployed}");
    assert!(list.is_empty(), "{deployed} deployed, {unknown} unknown, {} failed:\n{}", list.len(), list.join("\n"));
}
