//! Real processes: a `provided` bootstrap in bash, Python and Node.js handlers.

#![expect(clippy::disallowed_methods, reason = "how long a real process takes is real time")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use serde_json::{Value, json};

use super::{Credentials, Function, Host, Invocation, LogSink, Outcome, Pool};

/// A Runtime API client in bash: answers with what `handle` prints.
const BASH: &str = r#"#!/usr/bin/env bash
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
    esac
  done
  body=
  [ "$length" -gt 0 ] && IFS= read -r -N "$length" body <&3
}
count=0
"#;
const LOOP: &str = r#"
while call GET invocation/next; do
  count=$((count + 1))
  event=$body
  answer=$(handle "$event")
  call POST "invocation/$id/response" "$answer"
done
"#;

struct Bench {
    _dir: tempfile::TempDir,
    pool: Arc<Pool>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new(runtime: &str, handler: &str, files: &[(&str, &str)], timeout: Duration) -> Self {
        Self::with(runtime, handler, files, timeout, &[])
    }

    fn with(runtime: &str, handler: &str, files: &[(&str, &str)], timeout: Duration, set: &[(&str, &str)]) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let code = dir.path().join("code");
        for (name, content) in files {
            let file = code.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, content).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let function = Function {
            name: "f".to_owned(),
            version: "$LATEST".to_owned(),
            runtime: runtime.to_owned(),
            handler: handler.to_owned(),
            provisioned: false,
            timeout,
            memory_mb: 512,
            task_root: code,
            layers_root: None,
            variables: set
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>(),
            region: "eu-central-1".to_owned(),
            credentials: Credentials::default(),
            endpoint_url: None,
            log_group: "/aws/lambda/f".to_owned(),
            json_logs: false,
            log_level: None,
        };
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&lines);
        let sink = LogSink::new(move |_, line| into.lock().unwrap().push(line.to_owned()));
        let host = Host::open(&dir.path().join("host")).unwrap();
        Self { pool: Pool::new(host, function, sink), _dir: dir, lines }
    }

    fn provided(handle: &str, timeout: Duration) -> Self {
        Self::new("provided.al2023", "h", &[("bootstrap", &format!("{BASH}{handle}{LOOP}"))], timeout)
    }

    async fn invoke(&self, event: &Value) -> Outcome {
        self.pool.invoke(invocation(event)).await
    }

    fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

fn invocation(event: &Value) -> Invocation {
    Invocation {
        request_id: "1f0e9d5c-0000-4000-8000-000000000001".to_owned(),
        invoked_arn: "arn:aws:lambda:eu-central-1:000000000000:function:f:live".to_owned(),
        event: Bytes::from(event.to_string()),
        client_context: None,
        trace_id: "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0".to_owned(),
        tail: true,
    }
}

fn text(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.payload).into_owned()
}

fn have(program: &str) -> bool {
    let found =
        std::process::Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_bootstrap_is_started_once_and_its_output_stands_between_start_and_end() {
    if !have("bash") {
        return;
    }
    let bench = Bench::provided("handle() { echo \"saw $1\" >&2; printf '{\"count\":%d}' $count; }", 5 * SECOND);
    let first = bench.invoke(&json!({ "a": "ä" })).await;
    assert_eq!((text(&first).as_str(), first.function_error), ("{\"count\":1}", false));
    assert!(first.init.is_some());
    let second = bench.invoke(&json!({})).await;
    assert_eq!((text(&second).as_str(), second.init), ("{\"count\":2}", None));
    let tail = String::from_utf8(first.log_tail.unwrap()).unwrap();
    let masked: Vec<String> = tail
        .lines()
        .map(|line| {
            line.split('\t').map(|part| part.split(": ").next().unwrap().to_owned()).collect::<Vec<_>>().join("|")
        })
        .collect();
    assert_eq!(masked[0], "START RequestId");
    assert!(tail.lines().nth(1).unwrap().contains(r#"saw {"a":"ä"}"#), "{tail}");
    assert_eq!(masked[2], "END RequestId");
    assert_eq!(masked[3], "REPORT RequestId|Duration|Billed Duration|Memory Size|Max Memory Used|Init Duration|");
}

#[tokio::test]
async fn a_timeout_kills_the_group_and_keeps_the_temporary_folder() {
    if !have("bash") {
        return;
    }
    let script = r#"handle() {
      case $1 in
        *sleep*) sleep 30 ;;
        *write*) echo kept > "$TMPDIR/file"; printf '"ok"' ;;
        *) printf '"%s %d"' "$(cat "$TMPDIR/file")" $count ;;
      esac
    }"#;
    let bench = Bench::provided(script, SECOND);
    let cold = bench.invoke(&json!("sleep")).await;
    assert_eq!(
        text(&cold),
        r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 1f0e9d5c-0000-4000-8000-000000000001 Error: Task timed out after 1.00 seconds"}"#
    );
    assert!(cold.function_error);
    assert_eq!(text(&bench.invoke(&json!("write")).await), r#""ok""#);
    let begin = Instant::now();
    let warm = bench.invoke(&json!("sleep")).await;
    assert!(begin.elapsed() < 3 * SECOND);
    let warm: Value = serde_json::from_slice(&warm.payload).unwrap();
    let message = warm["errorMessage"].as_str().unwrap();
    assert!(message.ends_with("Z 1f0e9d5c-0000-4000-8000-000000000001 Task timed out after 1.00 seconds"), "{message}");
    assert_eq!(text(&bench.invoke(&json!("read")).await), r#""kept 1""#, "a new process, the old folder");
    assert!(bench.log().contains("\tStatus: timeout") || bench.log().contains("Status: timeout"));
}

#[tokio::test]
async fn an_exit_is_an_error_in_lambdas_words_and_the_next_event_finds_a_new_process() {
    if !have("bash") {
        return;
    }
    let script = r#"handle() { case $1 in *die*) kill -9 $$ ;; *leave*) kill -USR1 $$; sleep 5 ;; esac; printf '"alive"'; }
trap 'exit 3' USR1"#;
    let bench = Bench::provided(script, 5 * SECOND);
    let killed = bench.invoke(&json!("die")).await;
    assert_eq!(
        text(&killed),
        r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1f0e9d5c-0000-4000-8000-000000000001 Error: Runtime exited with error: signal: killed"}"#
    );
    assert_eq!(text(&bench.invoke(&json!("x")).await), r#""alive""#);
}

#[tokio::test]
async fn a_process_that_cannot_start_is_tried_twice_and_reported() {
    let bench = Bench::new("provided.al2", "h", &[("bootstrap", "#!/bin/sh\necho trying\nexit 3\n")], 2 * SECOND);
    let outcome = bench.invoke(&json!({})).await;
    assert!(text(&outcome).contains("Runtime exited with error: exit status 3"), "{}", text(&outcome));
    assert_eq!(bench.log().matches("trying").count(), 2);
    assert!(bench.log().contains("Phase: init\tStatus: error"), "{}", bench.log());

    let bench = Bench::new("provided.al2", "h", &[("other", "x")], SECOND);
    let outcome = bench.invoke(&json!({})).await;
    assert!(text(&outcome).contains("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"));

    let bench = Bench::new("java21", "h", &[("other", "x")], SECOND);
    assert!(text(&bench.invoke(&json!({})).await).contains("cannot run java21"));

    let wrapper = [("AWS_LAMBDA_EXEC_WRAPPER", "/opt/nowhere")];
    let bench = Bench::with("provided.al2", "h", &[("bootstrap", "#!/bin/sh\n")], SECOND, &wrapper);
    assert!(text(&bench.invoke(&json!({})).await).contains("exit status 127"));
}

#[tokio::test]
async fn an_init_that_hangs_ends_with_the_functions_timeout() {
    let bench = Bench::new("provided.al2", "h", &[("bootstrap", "#!/bin/sh\nsleep 60\n")], SECOND);
    let begin = Instant::now();
    let outcome = bench.invoke(&json!({})).await;
    assert!(text(&outcome).contains("Task timed out after 1.00 seconds"));
    assert!(begin.elapsed() >= 11 * SECOND && begin.elapsed() < 20 * SECOND);
}

#[tokio::test]
async fn an_answer_above_the_limit_is_refused_and_the_environment_lives_on() {
    if !have("bash") {
        return;
    }
    let script =
        r#"handle() { case $1 in *big*) head -c 6291557 /dev/zero | tr '\0' 1 ;; *) printf '%d' $count ;; esac; }"#;
    let bench = Bench::provided(script, 20 * SECOND);
    let outcome = bench.invoke(&json!("big")).await;
    assert_eq!(
        text(&outcome),
        r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#
    );
    assert_eq!(text(&bench.invoke(&json!("small")).await), "2");
}

#[tokio::test]
async fn concurrent_events_get_environments_of_their_own_and_a_retired_pool_ends_them() {
    if !have("bash") {
        return;
    }
    let bench = Bench::provided("handle() { sleep 0.5; printf '%d' $$; }", 5 * SECOND);
    let (one, two, three) = (json!(1), json!(2), json!(3));
    let outcomes = tokio::join!(bench.invoke(&one), bench.invoke(&two), bench.invoke(&three));
    let processes = std::collections::BTreeSet::from([text(&outcomes.0), text(&outcomes.1), text(&outcomes.2)]);
    assert_eq!(processes.len(), 3);
    bench.pool.retire();
    let begin = Instant::now();
    while processes.iter().any(|process| Path::new(&format!("/proc/{process}")).exists()) {
        assert!(begin.elapsed() < 5 * SECOND, "the processes are still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const PYTHON: &str = r#"
import logging, os, time
loaded = 0
logging.getLogger().setLevel("INFO")
def handler(event, context):
    global loaded
    loaded += 1
    what = event.get("do")
    if what == "raise":
        raise ValueError("no good")
    if what == "unserialisable":
        return {1, 2}
    if what == "exit":
        os._exit(0)
    if what == "environment":
        return dict(os.environ)
    logging.info("seen %s", event)
    print("printed")
    return {"n": loaded, "arn": context.invoked_function_arn, "left": context.get_remaining_time_in_millis() > 0, "id": context.aws_request_id}
"#;

#[tokio::test]
async fn a_python_handler_answers_and_fails_as_on_lambda() {
    if !have("python3") {
        return;
    }
    let files = [("app.py", PYTHON), ("syn.py", "def handler(:\n"), ("boom.py", "raise Exception('startup')\n")];
    let bench = Bench::new("python3.12", "app.handler", &files, 10 * SECOND);
    let outcome = bench.invoke(&json!({})).await;
    let answer: Value = serde_json::from_slice(&outcome.payload).unwrap();
    assert_eq!(answer["n"], 1, "{answer}");
    assert_eq!(answer["arn"], "arn:aws:lambda:eu-central-1:000000000000:function:f:live");
    assert!(bench.log().contains("\nprinted\n"), "{}", bench.log());
    assert!(
        bench.log().contains("[INFO]\t") && bench.log().contains("\t1f0e9d5c-0000-4000-8000-000000000001\tseen {}")
    );
    let outcome = bench.invoke(&json!({ "do": "raise" })).await;
    let error: Value = serde_json::from_slice(&outcome.payload).unwrap();
    assert!(outcome.function_error);
    assert_eq!((error["errorMessage"].as_str(), error["errorType"].as_str()), (Some("no good"), Some("ValueError")));
    assert_eq!(error["stackTrace"].as_array().unwrap().len(), 1, "our own frames are not shown: {error}");
    assert!(bench.log().contains("[ERROR] ValueError: no good\nTraceback (most recent call last):"));
    let outcome = bench.invoke(&json!({ "do": "unserialisable" })).await;
    assert!(text(&outcome).contains("Runtime.MarshalError"), "{}", text(&outcome));
    let outcome = bench.invoke(&json!({ "do": "environment" })).await;
    let environment: BTreeMap<String, String> = serde_json::from_slice(&outcome.payload).unwrap();
    assert_eq!(environment["AWS_EXECUTION_ENV"], "AWS_Lambda_python3.12");
    assert!(!environment.contains_key("CARGO_MANIFEST_DIR"), "nothing of ours is inherited");
    let outcome = bench.invoke(&json!({ "do": "exit" })).await;
    assert!(text(&outcome).contains("Runtime exited without providing a reason"));

    for (handler, kind, message) in [
        ("nope.handler", "Runtime.ImportModuleError", "Unable to import module 'nope': No module named 'nope'"),
        ("app.nope", "Runtime.HandlerNotFound", "Handler 'nope' missing on module 'app'"),
        ("syn.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'syn': invalid syntax (syn.py, line 1)"),
        ("app", "Runtime.MalformedHandlerName", "Bad handler 'app': not enough values to unpack (expected 2, got 1)"),
        ("boom.handler", "Exception", "startup"),
    ] {
        let outcome = Bench::new("python3.12", handler, &files, 10 * SECOND).invoke(&json!({})).await;
        let error: Value = serde_json::from_slice(&outcome.payload).unwrap();
        assert_eq!((error["errorType"].as_str(), error["errorMessage"].as_str()), (Some(kind), Some(message)));
        assert_eq!(error["requestId"], "");
    }
}

#[tokio::test]
async fn node_handlers_answer_in_every_form() {
    if !have("node") {
        return;
    }
    let files = [
        (
            "index.js",
            "let n = 0;
             exports.handler = async (event, context) => {
               if (event.do === 'throw') throw new TypeError('no good');
               if (event.do === 'reject') { Promise.reject(new Error('lost')); await new Promise((done) => setTimeout(done, 1000)); }
               console.log('seen', event);
               return { n: ++n, id: context.awsRequestId };
             };
             exports.callback = (event, context, callback) => { setTimeout(() => callback(null, { called: true }), 20); };
             exports.silent = (event, context, callback) => { setTimeout(() => {}, 20); };
             exports.nothing = async () => {};",
        ),
        ("src/module.mjs", "export const handler = async () => ({ module: true });"),
        ("bad.js", "exports.handler = ("),
    ];
    let bench = Bench::new("nodejs22.x", "index.handler", &files, 10 * SECOND);
    let outcome = bench.invoke(&json!({})).await;
    assert_eq!(text(&outcome), r#"{"n":1,"id":"1f0e9d5c-0000-4000-8000-000000000001"}"#);
    assert_eq!(serde_json::from_slice::<Value>(&bench.invoke(&json!({})).await.payload).unwrap()["n"], 2);
    assert!(bench.log().contains("\t1f0e9d5c-0000-4000-8000-000000000001\tINFO\tseen {}"), "{}", bench.log());
    let error: Value = serde_json::from_slice(&bench.invoke(&json!({ "do": "throw" })).await.payload).unwrap();
    assert_eq!((error["errorType"].as_str(), error["errorMessage"].as_str()), (Some("TypeError"), Some("no good")));
    assert_eq!(error["trace"][0], "TypeError: no good");
    let error = text(&bench.invoke(&json!({ "do": "reject" })).await);
    assert!(error.contains("Runtime.UnhandledPromiseRejection"), "{error}");
    for (handler, expected) in [
        ("index.callback", r#"{"called":true}"#),
        ("index.silent", "null"),
        ("index.nothing", "null"),
        ("src/module.handler", r#"{"module":true}"#),
    ] {
        let bench = Bench::new("nodejs22.x", handler, &files, 10 * SECOND);
        assert_eq!(text(&bench.invoke(&json!({})).await), expected, "{handler}");
        assert_eq!(text(&bench.invoke(&json!({})).await), expected, "{handler}, again");
    }
    for (handler, kind) in [
        ("index.nope", "Runtime.HandlerNotFound"),
        ("nope.handler", "Runtime.ImportModuleError"),
        ("bad.handler", "Runtime.UserCodeSyntaxError"),
    ] {
        let outcome = Bench::new("nodejs22.x", handler, &files, 10 * SECOND).invoke(&json!({})).await;
        let error: Value = serde_json::from_slice(&outcome.payload).unwrap();
        assert_eq!(error["errorType"], kind, "{error}");
    }
}
