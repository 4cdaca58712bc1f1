//! The sandbox's Lambda through the real SDK: functions that really run.

#![expect(clippy::disallowed_methods, reason = "how long a real process takes is real time")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, Environment, FunctionCode, InvocationType, LastUpdateStatus, LogType, Runtime, State,
};
use hyper::Method;
use samara::sandbox::http::Request;
use samara::sandbox::router::ServiceName;
use samara::sandbox::server::{self, Options, Server};
use serde_json::{Value, json};

use crate::support::{Project, installed, python, shared};

const ROLE: &str = "arn:aws:iam::000000000000:role/r";

/// A Runtime API client in bash; it answers with its `VARIANT`, or does as the event says.
pub(crate) const BOOTSTRAP: &str = r#"#!/usr/bin/env bash
export LC_ALL=C
exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}"
call() {
  local line length=0
  printf '%s /2018-06-01/runtime/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s' "$1" "$2" "${#3}" "$3" >&3
  while IFS= read -r line <&3; do
    line=${line%$'\r'}
    [ -z "$line" ] && break
    case ${line,,} in
      content-length:*) length=${line#*: } ;;
      lambda-runtime-aws-request-id:*) id=${line#*: } ;;
      lambda-runtime-invoked-function-arn:*) arn=${line#*: } ;;
    esac
  done
  body=
  [ "$length" -gt 0 ] && IFS= read -r -N "$length" body <&3
}
while call GET invocation/next; do
  case $body in
    *sleep*) sleep 30 ;;
    *crash*) kill -9 $$ ;;
    *fail*)
      call POST "invocation/$id/error" '{"errorType":"Custom","errorMessage":"as asked"}'
      continue ;;
    *spawn*) sleep 1000 & echo "pids $$ $!" ;;
    *say*) echo "said something" ;;
  esac
  call POST "invocation/$id/response" "{\"variant\":\"$VARIANT\",\"version\":\"$AWS_LAMBDA_FUNCTION_VERSION\",\"arn\":\"$arn\",\"pid\":$$}"
done
"#;

fn zip(files: &[(&str, &str)]) -> Blob {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default().unix_permissions(0o755))
            .expect("as the test set it up");
        zip.write_all(content.as_bytes()).expect("as the test set it up");
    }
    Blob::new(zip.finish().expect("as the test set it up").into_inner())
}

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// A sandbox in this process, whose clock runs fast enough that nobody waits for states.
struct Bench {
    server: Server,
    lambda: Client,
}

impl Bench {
    async fn start(dir: &Path) -> Self {
        let options = Options { dir: dir.to_owned(), port: 0, speed: 50.0 };
        let server = server::start(options).await.expect("a sandbox");
        let lambda = client(&server.endpoint_url());
        Self { server, lambda }
    }

    async fn create(&self, name: &str, runtime: &str, handler: &str, files: &[(&str, &str)], timeout: i32) {
        self.lambda
            .create_function()
            .function_name(name)
            .runtime(Runtime::from(runtime))
            .handler(handler)
            .role(ROLE)
            .timeout(timeout)
            .memory_size(512)
            .environment(Environment::builder().variables("VARIANT", "one").build())
            .code(FunctionCode::builder().zip_file(zip(files)).build())
            .send()
            .await
            .expect("a function");
        self.active(name).await;
    }

    async fn active(&self, name: &str) {
        for _ in 0..200 {
            let found = self
                .lambda
                .get_function_configuration()
                .function_name(name)
                .send()
                .await
                .expect("as the test set it up");
            if found.state() == Some(&State::Active)
                && found.last_update_status() == Some(&LastUpdateStatus::Successful)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{name} does not become active");
    }

    async fn publish(&self, name: &str) -> String {
        self.lambda
            .publish_version()
            .function_name(name)
            .send()
            .await
            .expect("as the test set it up")
            .version
            .expect("as the test set it up")
    }

    async fn set_variant(&self, name: &str, variant: &str) {
        let environment = Environment::builder().variables("VARIANT", variant).build();
        self.lambda
            .update_function_configuration()
            .function_name(name)
            .environment(environment)
            .send()
            .await
            .expect("as the test set it up");
        self.active(name).await;
    }

    /// A function with two versions and an alias on the first.
    async fn two_versions(&self) {
        self.create("f", "provided.al2023", "h", &[("bootstrap", BOOTSTRAP)], 3).await;
        assert_eq!(self.publish("f").await, "1");
        assert_eq!(self.publish("f").await, "1", "nothing has changed: no new version");
        self.set_variant("f", "two").await;
        assert_eq!(self.publish("f").await, "2");
        self.lambda
            .create_alias()
            .function_name("f")
            .name("live")
            .function_version("1")
            .send()
            .await
            .expect("as the test set it up");
    }

    async fn invoke(&self, name: &str, qualifier: Option<&str>, event: &Value) -> InvokeOutput {
        self.lambda
            .invoke()
            .function_name(name)
            .set_qualifier(qualifier.map(str::to_owned))
            .log_type(LogType::Tail)
            .payload(Blob::new(event.to_string()))
            .send()
            .await
            .expect("an invocation")
    }

    async fn log(&self, group: &str) -> String {
        let mut request = Request::new(Method::POST, "/", "000000000000", "eu-central-1");
        request.headers.insert("x-amz-target", "Logs_20140328.FilterLogEvents".parse().expect("as the test set it up"));
        request.body = json!({ "logGroupName": group }).to_string().into();
        let answer = self.server.world().call(ServiceName::Logs, request).await;
        let answer: Value = serde_json::from_slice(&answer.body).expect("as the test set it up");
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        events.iter().map(|event| format!("{}\n", event["message"].as_str().expect("as the test set it up"))).collect()
    }
}

fn payload(output: &InvokeOutput) -> Value {
    serde_json::from_slice(output.payload().expect("as the test set it up").as_ref()).expect("as the test set it up")
}

/// Status, code and message of a refused call.
#[track_caller]
fn refused<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    answer: Result<T, SdkError<E>>,
) -> (u16, String, String) {
    let error = answer.expect_err("it is refused");
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    (status, error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

fn weights(version: &str, weight: f64) -> AliasRoutingConfiguration {
    AliasRoutingConfiguration::builder().additional_version_weights(version, weight).build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_routes_by_weight_and_each_version_runs_its_own_configuration() {
    if !installed("bash") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::start(dir.path()).await;
    bench.two_versions().await;
    let first = bench.invoke("f", Some("live"), &json!({})).await;
    assert_eq!(first.executed_version(), Some("1"));
    assert_eq!(payload(&first)["variant"], "one");
    assert_eq!(payload(&first)["arn"], "arn:aws:lambda:eu-central-1:000000000000:function:f:live");

    bench.server.world().lambda.seed(7);
    let update = bench.lambda.update_alias().function_name("f").name("live").function_version("1");
    update.routing_config(weights("2", 0.3)).send().await.unwrap();
    let mut counts = BTreeMap::new();
    for _ in 0..400 {
        let output = bench.invoke("f", Some("live"), &json!({})).await;
        let version = output.executed_version().unwrap().to_owned();
        assert_eq!(payload(&output)["variant"], if version == "1" { "one" } else { "two" });
        *counts.entry(version).or_insert(0) += 1;
    }
    // 120 expected, standard deviation 9.2: five of them to either side.
    assert!((74..=166).contains(&counts["2"]), "{counts:?}");

    let update = bench.lambda.update_alias().function_name("f").name("live").function_version("2");
    let update = update
        .routing_config(AliasRoutingConfiguration::builder().set_additional_version_weights(Some([].into())).build());
    assert_eq!(update.send().await.unwrap().routing_config(), None, "empty weights clear");
    assert_eq!(bench.invoke("f", Some("live"), &json!({})).await.executed_version(), Some("2"));
    assert_eq!(bench.invoke("f", None, &json!({})).await.executed_version(), Some("$LATEST"));
    let by_arn = "arn:aws:lambda:eu-central-1:000000000000:function:f:1";
    assert_eq!(bench.invoke(by_arn, None, &json!({})).await.executed_version(), Some("1"));
    assert_eq!(bench.invoke("000000000000:function:f", Some("2"), &json!({})).await.executed_version(), Some("2"));
    bench.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_refuses_what_aws_refuses_and_a_stale_revision_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::start(dir.path()).await;
    bench.two_versions().await;
    let update = || bench.lambda.update_alias().function_name("f").name("live").function_version("1");
    let before = bench.lambda.get_alias().function_name("f").name("live").send().await.unwrap();

    let (status, code, message) = refused(update().routing_config(weights("2", 1.5)).send().await);
    assert_eq!((status, code.as_str()), (400, "ValidationException"));
    assert!(message.contains("Value '{2=1.5}' at 'routingConfig.additionalVersionWeights'"), "{message}");
    let answer = refused(update().routing_config(weights("9", 0.5)).send().await);
    let missing = "Function not found: arn:aws:lambda:eu-central-1:000000000000:function:f:9".to_owned();
    assert_eq!(answer, (404, "ResourceNotFoundException".to_owned(), missing));
    let answer = refused(update().routing_config(weights("1", 0.5)).send().await);
    let same = "Invalid function version 1. Function version 1 is already included in routing configuration.";
    assert_eq!(answer, (400, "InvalidParameterValueException".to_owned(), same.to_owned()));
    let unchanged = bench.lambda.get_alias().function_name("f").name("live").send().await.unwrap();
    assert_eq!(unchanged.revision_id(), before.revision_id(), "what is refused changes nothing");

    let second = update().revision_id(before.revision_id().unwrap()).send().await.unwrap();
    assert_ne!(second.revision_id(), before.revision_id(), "a write that changes nothing is a write");
    let stale = update().revision_id(before.revision_id().unwrap()).routing_config(weights("2", 0.1)).send().await;
    let text = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id";
    assert_eq!(refused(stale), (412, "PreconditionFailedException".to_owned(), text.to_owned()));

    let role = bench.lambda.update_function_configuration().function_name("f");
    role.role("arn:aws:iam::000000000000:role/other").send().await.unwrap();
    bench.active("f").await;
    assert_eq!(bench.publish("f").await, "3");
    let (status, _, message) = refused(update().routing_config(weights("3", 0.5)).send().await);
    assert_eq!((status, message.as_str()), (400, "Specified versions must be associated with the same execution role"));

    let delete = bench.lambda.delete_function().function_name("f").qualifier("1").send().await;
    assert_eq!(refused(delete).0, 409, "an alias points to it");
    bench.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_timeouts_and_crashes_come_back_as_on_aws() {
    if !installed("bash") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::start(dir.path()).await;
    bench.create("f", "provided.al2023", "h", &[("bootstrap", BOOTSTRAP)], 1).await;
    let failed = bench.invoke("f", None, &json!("fail")).await;
    assert_eq!(failed.function_error(), Some("Unhandled"));
    assert_eq!(payload(&failed), json!({ "errorType": "Custom", "errorMessage": "as asked" }));
    let begin = Instant::now();
    let slow = bench.invoke("f", None, &json!("sleep")).await;
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!((slow.status_code(), slow.function_error()), (200, Some("Unhandled")));
    assert!(payload(&slow)["errorMessage"].as_str().unwrap().ends_with("Task timed out after 1.00 seconds"));
    let crashed = bench.invoke("f", None, &json!("crash")).await;
    assert_eq!(payload(&crashed)["errorType"], "Runtime.ExitError");
    let said = bench.invoke("f", None, &json!("say")).await;
    use base64::Engine as _;
    let tail = base64::engine::general_purpose::STANDARD.decode(said.log_result().unwrap()).unwrap();
    let tail = String::from_utf8(tail).unwrap();
    assert!(tail.starts_with("START RequestId: ") && tail.contains("\nsaid something\nEND RequestId: "), "{tail}");
    let log = bench.log("/aws/lambda/f").await;
    assert!(log.contains("said something") && log.contains("Status: timeout"), "{log}");

    bench.create("g", "provided.al2023", "h", &[("bootstrap", "#!/bin/sh\nexit 3\n")], 1).await;
    let broken = bench.invoke("g", None, &json!({})).await;
    assert!(payload(&broken)["errorMessage"].as_str().unwrap().ends_with("Runtime exited with error: exit status 3"));

    let missing = bench.lambda.invoke().function_name("nobody").send().await;
    let text = "Function not found: arn:aws:lambda:eu-central-1:000000000000:function:nobody:$LATEST";
    assert_eq!(refused(missing), (404, "ResourceNotFoundException".to_owned(), text.to_owned()));
    let garbage = bench.lambda.invoke().function_name("f").payload(Blob::new("{")).send().await;
    assert_eq!(refused(garbage).1, "InvalidRequestContentException");
    let dry = bench.lambda.invoke().function_name("f").invocation_type(InvocationType::DryRun).send().await.unwrap();
    assert_eq!(dry.status_code(), 204);

    faults(&bench, 1.0).await;
    let injected = bench.invoke("f", None, &json!({})).await;
    assert_eq!(payload(&injected)["errorType"], "Samara.InjectedFault");
    faults(&bench, 0.0).await;
    assert_eq!(bench.invoke("f", None, &json!({})).await.function_error(), None);

    let events = bench.lambda.invoke().function_name("f").invocation_type(InvocationType::Event);
    assert_eq!(events.payload(Blob::new("\"fail\"")).send().await.unwrap().status_code(), 202);
    // Two more attempts, one and two minutes later by the sandbox's clock.
    let begin = Instant::now();
    while bench.log("/aws/lambda/f").await.matches("START").count() < 9 {
        assert!(begin.elapsed() < Duration::from_secs(180), "{}", bench.log("/aws/lambda/f").await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bench.server.stop().await.unwrap();
}

/// Asks the sandbox to let `$LATEST` of `f` fail.
async fn faults(bench: &Bench, rate: f64) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", bench.server.port())).await.expect("a connection");
    let request = format!(
        "PUT /_samara/faults/f/$LATEST?errors={rate} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_and_node_run_with_their_layers() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::start(dir.path()).await;
    if installed("python3") {
        let content = aws_sdk_lambda::types::LayerVersionContentInput::builder()
            .zip_file(zip(&[("python/shared.py", "def greet(name):\n    return 'hello ' + name\n")]))
            .build();
        let layer = bench.lambda.publish_layer_version().layer_name("shared").content(content).send().await.unwrap();
        let code = "import shared\ndef handler(event, context):\n    if 'name' not in event:\n        raise KeyError('name')\n    return {'said': shared.greet(event['name'])}\n";
        bench.create("py", "python3.12", "app.handler", &[("app.py", code)], 10).await;
        let without = bench.invoke("py", None, &json!({})).await;
        assert_eq!(payload(&without)["errorType"], "Runtime.ImportModuleError");
        let update = bench.lambda.update_function_configuration().function_name("py");
        update.layers(layer.layer_version_arn().unwrap()).send().await.unwrap();
        bench.active("py").await;
        assert_eq!(payload(&bench.invoke("py", None, &json!({ "name": "you" })).await), json!({ "said": "hello you" }));
        let failed = bench.invoke("py", None, &json!({})).await;
        assert_eq!(payload(&failed)["errorType"], "KeyError");
        assert!(payload(&failed)["stackTrace"][0].as_str().unwrap().contains("app.py\", line 4, in handler"));
    }
    if installed("node") {
        let code = "exports.handler = async (event) => ({ doubled: event.n * 2 });";
        bench.create("js", "nodejs22.x", "index.handler", &[("index.js", code)], 10).await;
        assert_eq!(payload(&bench.invoke("js", None, &json!({ "n": 21 })).await), json!({ "doubled": 42 }));
    }
    bench.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_survives_a_restart_and_code_can_come_from_s3() {
    if !installed("bash") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::start(dir.path()).await;
    let world = bench.server.world();
    let put = |path: &str, body: Vec<u8>| {
        let mut request = Request::new(Method::PUT, path, "000000000000", "eu-central-1");
        request.body = body.into();
        world.call(ServiceName::S3, request)
    };
    let location =
        "<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
    assert!(put("/code", location.into()).await.status.is_success());
    let bytes = zip(&[("bootstrap", BOOTSTRAP)]).into_inner();
    assert!(put("/code/some%20key.zip", bytes).await.status.is_success());
    let create = |key: &str| {
        let code = FunctionCode::builder().s3_bucket("code").s3_key(key).build();
        let create = bench.lambda.create_function().function_name("f").runtime(Runtime::Providedal2023);
        create.handler("h").role(ROLE).code(code).publish(true).send()
    };
    let (status, code, message) = refused(create("nothing").await);
    assert_eq!((status, code.as_str()), (400, "InvalidParameterValueException"));
    let text =
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.";
    assert_eq!(message, text);
    create("some key.zip").await.unwrap();
    bench.active("f").await;
    bench.lambda.create_alias().function_name("f").name("live").function_version("1").send().await.unwrap();
    bench.server.stop().await.unwrap();

    let bench = Bench::start(dir.path()).await;
    let output = bench.invoke("f", Some("live"), &json!({})).await;
    assert_eq!(payload(&output)["version"], "1");
    let again = bench.lambda.create_function().function_name("f").runtime(Runtime::Providedal2023);
    let code = FunctionCode::builder().zip_file(zip(&[("bootstrap", BOOTSTRAP)])).build();
    let again = again.handler("h").role(ROLE).code(code).send().await;
    assert_eq!(refused(again), (409, "ResourceConflictException".to_owned(), "Function already exist: f".to_owned()));
    bench.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrency_is_limited_and_changes_wait_for_each_other() {
    if !installed("bash") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // A slow clock: changes take a second of it.
    let options = Options { dir: dir.path().to_owned(), port: 0, speed: 1.0 };
    let server = server::start(options).await.unwrap();
    let bench = Bench { lambda: client(&server.endpoint_url()), server };
    bench.create("f", "provided.al2023", "h", &[("bootstrap", BOOTSTRAP)], 3).await;
    let limit = |count: i32| {
        bench.lambda.put_function_concurrency().function_name("f").reserved_concurrent_executions(count).send()
    };
    limit(0).await.unwrap();
    let (status, code, _) = refused(bench.lambda.invoke().function_name("f").send().await);
    assert_eq!((status, code.as_str()), (429, "TooManyRequestsException"));
    limit(1).await.unwrap();
    let (one, two) =
        tokio::join!(bench.lambda.invoke().function_name("f").payload(Blob::new("\"sleep\"")).send(), async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            bench.lambda.invoke().function_name("f").send().await
        });
    assert_eq!(one.unwrap().function_error(), Some("Unhandled"));
    assert_eq!(refused(two).0, 429);
    let (status, _, message) = refused(limit(901).await);
    assert_eq!(status, 400);
    assert!(message.ends_with("below its minimum value of [100]."), "{message}");

    let update = || bench.lambda.update_function_configuration().function_name("f").description("x").send();
    update().await.unwrap();
    let text = "The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:eu-central-1:000000000000:function:f";
    assert_eq!(refused(update().await), (409, "ResourceConflictException".to_owned(), text.to_owned()));
    assert_eq!(refused(bench.lambda.publish_version().function_name("f").send().await).0, 409);
    bench.active("f").await;
    assert_eq!(bench.publish("f").await, "1");
    bench.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_in_pages_that_together_have_everything_once() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::start(dir.path()).await;
    bench.create("f", "provided.al2023", "h", &[("bootstrap", BOOTSTRAP)], 3).await;
    for number in 1..=5 {
        bench.set_variant("f", &number.to_string()).await;
        bench.publish("f").await;
    }
    let mut seen = Vec::new();
    let mut marker = None;
    loop {
        let page = bench.lambda.list_versions_by_function().function_name("f").max_items(2).set_marker(marker).send();
        let page = page.await.unwrap();
        assert!(page.versions().len() <= 2);
        seen.extend(page.versions().iter().map(|version| version.version().unwrap().to_owned()));
        marker = page.next_marker().map(str::to_owned);
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["$LATEST", "1", "2", "3", "4", "5"]);
    bench.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permissions_urls_mappings_tags_and_settings_are_kept_as_records() {
    use aws_sdk_lambda::types::FunctionUrlAuthType;
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::start(dir.path()).await;
    bench.two_versions().await;
    let lambda = &bench.lambda;
    let add = lambda.add_permission().function_name("f").qualifier("live").statement_id("s3");
    let add = add.action("lambda:InvokeFunction").principal("s3.amazonaws.com").source_arn("arn:aws:s3:::b");
    let statement: Value = serde_json::from_str(add.send().await.unwrap().statement().unwrap()).unwrap();
    assert_eq!(
        statement,
        json!({
            "Sid": "s3", "Effect": "Allow", "Principal": { "Service": "s3.amazonaws.com" },
            "Action": "lambda:InvokeFunction",
            "Resource": "arn:aws:lambda:eu-central-1:000000000000:function:f:live",
            "Condition": { "ArnLike": { "AWS:SourceArn": "arn:aws:s3:::b" } }
        })
    );
    let policy = lambda.get_policy().function_name("f").qualifier("live").send().await.unwrap();
    assert!(policy.policy().unwrap().contains("\"Sid\":\"s3\""));
    lambda.remove_permission().function_name("f").qualifier("live").statement_id("s3").send().await.unwrap();
    assert_eq!(refused(lambda.get_policy().function_name("f").qualifier("live").send().await).0, 404);

    let url = lambda.create_function_url_config().function_name("f").auth_type(FunctionUrlAuthType::None);
    let url = url.send().await.unwrap().function_url;
    assert_eq!(lambda.get_function_url_config().function_name("f").send().await.unwrap().function_url, url);

    let mapping = lambda.create_event_source_mapping().function_name("f:live").batch_size(5);
    let mapping = mapping.event_source_arn("arn:aws:sqs:eu-central-1:000000000000:q").send().await.unwrap();
    assert_eq!(mapping.state(), Some("Creating"));
    let uuid = mapping.uuid().unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let found = lambda.get_event_source_mapping().uuid(uuid).send().await.unwrap();
    assert_eq!((found.state(), found.batch_size()), (Some("Enabled"), Some(5)));
    assert_eq!(lambda.list_event_source_mappings().send().await.unwrap().event_source_mappings().len(), 1);
    lambda.delete_event_source_mapping().uuid(uuid).send().await.unwrap();

    let arn = "arn:aws:lambda:eu-central-1:000000000000:function:f";
    lambda.tag_resource().resource(arn).tags("team", "a/b").send().await.unwrap();
    let tags = lambda.list_tags().resource(arn).send().await.unwrap();
    assert_eq!(tags.tags().unwrap()["team"], "a/b");
    lambda.untag_resource().resource(arn).tag_keys("team").send().await.unwrap();
    let tags = lambda.list_tags().resource(arn).send().await.unwrap();
    assert!(tags.tags().is_none_or(std::collections::HashMap::is_empty));

    let put = lambda.put_provisioned_concurrency_config().function_name("f").qualifier("live");
    put.provisioned_concurrent_executions(2).send().await.unwrap();
    let put = lambda.put_provisioned_concurrency_config().function_name("f").qualifier("1");
    assert_eq!(refused(put.provisioned_concurrent_executions(2).send().await).0, 409);

    let put = lambda.put_function_event_invoke_config().function_name("f").qualifier("live").maximum_retry_attempts(1);
    put.send().await.unwrap();
    let found = lambda.get_function_event_invoke_config().function_name("f").qualifier("live").send().await.unwrap();
    assert_eq!(found.maximum_retry_attempts(), Some(1));

    let settings = lambda.get_account_settings().send().await.unwrap();
    assert_eq!(settings.account_usage().unwrap().function_count(), 1);
    let code = lambda.get_function().function_name("f").send().await.unwrap();
    assert!(code.code().unwrap().location().unwrap().starts_with(&bench.server.endpoint_url()));
    lambda.delete_function().function_name("f").send().await.unwrap();
    assert_eq!(refused(lambda.get_function().function_name("f").send().await).0, 404);
    let unknown = lambda.get_function_code_signing_config().function_name("f").send().await;
    assert_eq!(refused(unknown).1, "NotImplemented");
    bench.server.stop().await.unwrap();
}

#[test]
fn no_process_survives_a_sandbox_that_is_killed() {
    if !installed("bash") {
        return;
    }
    let project = Project::new();
    let mut command =
        project.samara(["sandbox", "start", "--foreground", "--speed", "50", "--output", "json"]).into_command();
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    let port = std::fs::read_to_string(project.path(".samara/sandbox.json")).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pids = runtime.block_on(async {
        let endpoint = endpoint_in(&line).or_else(|| endpoint_in(&port)).expect("where it listens");
        let lambda = client(&endpoint);
        let create = lambda.create_function().function_name("f").runtime(Runtime::Providedal2023).handler("h");
        let code = FunctionCode::builder().zip_file(zip(&[("bootstrap", BOOTSTRAP)])).build();
        create.role(ROLE).memory_size(512).code(code).send().await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let invoke = lambda.invoke().function_name("f").log_type(LogType::Tail).payload(Blob::new("\"spawn\""));
        let output = invoke.send().await.unwrap();
        use base64::Engine as _;
        let tail = base64::engine::general_purpose::STANDARD.decode(output.log_result().unwrap()).unwrap();
        let tail = String::from_utf8(tail).unwrap();
        let line = tail.lines().find_map(|line| line.strip_prefix("pids ")).expect("its processes").to_owned();
        line.split(' ').map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(pids.len(), 2);
    let alive = |pid: &String| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(" Z ")
    };
    assert!(pids.iter().all(alive), "{pids:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    let begin = Instant::now();
    while pids.iter().any(alive) {
        assert!(begin.elapsed() < Duration::from_secs(60), "the function or what it started lives on: {pids:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The first `http://127.0.0.1:PORT`.
fn endpoint_in(text: &str) -> Option<String> {
    let at = text.find("http://127.0.0.1:")?;
    let rest = &text[at..];
    let end = rest["http://".len()..].find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, '.' | ':')));
    Some(rest[..end.map_or(rest.len(), |end| end + "http://".len())].to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configurations_have_the_fields_that_aws_gives() {
    let Some(file) = shared::fixtures("aws-recorded/lambda-api.json") else { return };
    let recorded: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let steps = &recorded["TestLambdaVersions::test_publish_version_on_create"]["recorded-content"];
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::start(dir.path()).await;
    let world = bench.server.world();
    let ask = |method: Method, path: &str, body: Value| {
        let mut request = Request::new(method, path, "000000000000", "eu-central-1");
        request.body = body.to_string().into();
        if let Some((path, query)) = path.split_once('?') {
            request.path = path.to_owned();
            request.query =
                query.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect();
        }
        let answer = world.call(ServiceName::Lambda, request);
        async move { serde_json::from_slice::<Value>(&answer.await.body).unwrap() }
    };
    fn names(value: &Value) -> Vec<String> {
        let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        names.retain(|name| name != "ResponseMetadata");
        names.sort();
        names
    }
    use base64::Engine as _;
    let code = base64::engine::general_purpose::STANDARD.encode(zip(&[("index.py", "x = 1\n")]).as_ref());
    let create = json!({
        "FunctionName": "f", "Runtime": "python3.12", "Handler": "index.handler", "Role": ROLE,
        "Code": { "ZipFile": code }, "Publish": true,
    });
    let created = ask(Method::POST, "/2015-03-31/functions", create).await;
    assert_eq!(names(&created), names(&steps["create_response"]));
    assert_eq!((&created["Version"], &created["State"]), (&steps["create_response"]["Version"], &json!("Pending")));
    bench.active("f").await;
    for (path, step) in [
        ("/2015-03-31/functions/f", "get_function_result"),
        ("/2015-03-31/functions/f?Qualifier=1", "get_function_version_result"),
        ("/2015-03-31/functions/f?Qualifier=$LATEST", "get_function_latest_result"),
    ] {
        let found = ask(Method::GET, path, json!({})).await;
        assert_eq!(names(&found), names(&steps[step]), "{step}");
        assert_eq!(names(&found["Configuration"]), names(&steps[step]["Configuration"]), "{step}");
        for key in ["Version", "State", "LastUpdateStatus", "Timeout", "MemorySize", "SnapStart", "TracingConfig"] {
            assert_eq!(found["Configuration"][key], steps[step]["Configuration"][key], "{step}: {key}");
        }
        let arn = steps[step]["Configuration"]["FunctionArn"].as_str().unwrap();
        let end = arn.strip_prefix("arn:<partition>:lambda:<region>:111111111111:function:<function-name:1>").unwrap();
        assert!(found["Configuration"]["FunctionArn"].as_str().unwrap().ends_with(&format!(":function:f{end}")));
    }
    let versions = ask(Method::GET, "/2015-03-31/functions/f/versions", json!({})).await;
    let expected = steps["list_versions_result"]["Versions"].as_array().unwrap();
    for (found, expected) in versions["Versions"].as_array().unwrap().iter().zip(expected) {
        assert_eq!(names(found), names(expected));
        assert_eq!(found["Version"], expected["Version"]);
    }
    bench.server.stop().await.unwrap();
}

const BOTO: &str = r#"
import base64, io, json, sys, time, zipfile
import boto3
from botocore.config import Config
endpoint, bootstrap = sys.argv[1], sys.argv[2]
aws = boto3.client("lambda", endpoint_url=endpoint, region_name="eu-central-1", aws_access_key_id="test",
                   aws_secret_access_key="test", config=Config(retries={"max_attempts": 0}))
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w") as archive:
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    archive.writestr(entry, open(bootstrap).read())
made = aws.create_function(FunctionName="f", Runtime="provided.al2023", Handler="h", Role="arn:aws:iam::000000000000:role/r",
                           Code={"ZipFile": buffer.getvalue()}, MemorySize=512, Environment={"Variables": {"VARIANT": "one"}})
aws.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
one = aws.publish_version(FunctionName="f", CodeSha256=made["CodeSha256"])["Version"]
aws.update_function_configuration(FunctionName="f", Environment={"Variables": {"VARIANT": "two"}})
aws.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
two = aws.publish_version(FunctionName="f")["Version"]
alias = aws.create_alias(FunctionName="f", Name="live", FunctionVersion=one)
aws.update_alias(FunctionName="f", Name="live", RoutingConfig={"AdditionalVersionWeights": {two: 0.5}}, RevisionId=alias["RevisionId"])
counts = {one: 0, two: 0}
for _ in range(60):
    answer = aws.invoke(FunctionName="f", Qualifier="live", Payload=b"{}")
    counts[answer["ExecutedVersion"]] += 1
    assert json.loads(answer["Payload"].read())["variant"] == {one: "one", two: "two"}[answer["ExecutedVersion"]]
assert min(counts.values()) > 10, counts
def code(call, **arguments):
    try:
        call(**arguments)
    except aws.exceptions.ClientError as error:
        return [error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]]
weights = lambda version, weight: {"AdditionalVersionWeights": {version: weight}}
print(json.dumps([
    code(aws.update_alias, FunctionName="f", Name="live", RevisionId=alias["RevisionId"]),
    code(aws.update_alias, FunctionName="f", Name="live", RoutingConfig=weights(two, 1.5)),
    code(aws.update_alias, FunctionName="f", Name="live", RoutingConfig=weights("9", 0.5)),
    code(aws.get_function, FunctionName="nobody"),
]))
streamed = aws.invoke_with_response_stream(FunctionName="f", Payload=b"{}")
events = [next(iter(event)) for event in streamed["EventStream"]]
assert events == ["PayloadChunk", "InvokeComplete"], events
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_creates_routes_and_is_refused() {
    let Some(python) = python::interpreter() else { return };
    if !installed("bash") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::start(&dir.path().join("sandbox")).await;
    std::fs::write(dir.path().join("bootstrap"), BOOTSTRAP).unwrap();
    let mut command = tokio::process::Command::new(python);
    command.args(["-c", BOTO, &bench.server.endpoint_url()]).arg(dir.path().join("bootstrap"));
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let refusals: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        refusals,
        json!([
            [412, "PreconditionFailedException"],
            [400, "ValidationException"],
            [404, "ResourceNotFoundException"],
            [404, "ResourceNotFoundException"]
        ])
    );
    bench.server.stop().await.unwrap();
}

/// `cargo test --release --test it lambda::measure -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn measure_warm_invocations() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::start(dir.path()).await;
    bench.create("f", "python3.11", "app.handler", &[("app.py", "def handler(e, c):\n    return e\n")], 10).await;
    bench.invoke("f", None, &json!({})).await;
    let mut times = Vec::new();
    for _ in 0..500 {
        let begin = Instant::now();
        bench.lambda.invoke().function_name("f").payload(Blob::new("{}")).send().await.unwrap();
        times.push(begin.elapsed());
    }
    times.sort();
    eprintln!("one after another: p50 {:?} p99 {:?}", times[250], times[495]);
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let lambda = bench.lambda.clone();
        tasks.spawn(async move {
            for _ in 0..250 {
                lambda.invoke().function_name("f").payload(Blob::new("{}")).send().await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let each_ms = (cpu_seconds() - cpu) / 2000.0 * 1000.0;
    eprintln!("8 at once: {:.0} a second, {each_ms:.2} ms of CPU each", 2000.0 / begin.elapsed().as_secs_f64());
    bench.server.stop().await.unwrap();
}

/// What this process, client and sandbox together, has used; without the functions.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat.split(' ').skip(13).take(2).filter_map(|field| field.parse().ok()).collect();
    fields.iter().sum::<f64>() / 100.0
}
