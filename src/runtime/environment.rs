//! One environment: a folder, a log stream, and a process behind a Runtime API that is started when it
//! is needed and started again when it has died. `/tmp` stays, as on Lambda.

#![expect(clippy::disallowed_methods, reason = "a function's durations and deadlines are real time")]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::body::Bytes;
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::mpsc::UnboundedReceiver;

use super::api::{Delivery, Desk, MAX_RESPONSE, Server, Signal};
use super::function::Function;
use super::host::Host;
use super::log::{Log, LogSink, Output};
use super::process::Process;
use super::variables::{self, Place};

/// How long a process may take until it asks for its first event; after that it is tried once more
/// within the invocation's own time
/// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>).
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// From SIGTERM to SIGKILL.
const SHUTDOWN: Duration = Duration::from_millis(500);
/// How often the memory of a long invocation is looked at.
const MEMORY_CHECK: Duration = Duration::from_millis(100);

/// One event for a function.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// UUID that the function, its log and its caller see.
    pub request_id: String,
    /// The ARN it was called by, with the qualifier used.
    pub invoked_arn: String,
    /// JSON.
    pub event: Bytes,
    /// The caller's client context, JSON.
    pub client_context: Option<String>,
    /// X-Ray trace header.
    pub trace_id: String,
    /// Whether the end of the log is wanted in the outcome.
    pub tail: bool,
}

/// What came of an invocation.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The function's answer, or the error's description.
    pub payload: Bytes,
    /// Whether it is an error.
    pub function_error: bool,
    /// The last 4 KiB of its log, if wanted.
    pub log_tail: Option<Vec<u8>>,
    /// From the event's delivery to its end.
    pub duration: Duration,
    /// How long the start took, if there was one.
    pub init: Option<Duration>,
    /// The most memory the process has had, in MB.
    pub max_memory_mb: u32,
}

/// An invocation's end before the log is written.
#[derive(Debug)]
enum End {
    Answered(Bytes),
    Failed(Bytes),
    TooLarge,
    TimedOut {
        warm: bool,
    },
    Exited(Option<String>),
    /// It cannot be run here.
    Invalid(String),
}

#[derive(Debug)]
struct Instance {
    desk: Arc<Desk>,
    signals: UnboundedReceiver<Signal>,
    process: Process,
    output: Output,
    _server: Server,
    served: u64,
}

/// A slot of a function version; see the module.
#[derive(Debug)]
pub(super) struct Environment {
    host: Arc<Host>,
    function: Arc<Function>,
    tmp: tempfile::TempDir,
    log: Arc<Log>,
    instance: Option<Instance>,
    /// Held until the first process has started or failed to.
    pub(super) start_permit: Option<tokio::sync::OwnedSemaphorePermit>,
    pub(super) idle_since: Instant,
}

impl Environment {
    pub(super) fn new(host: Arc<Host>, function: Arc<Function>, sink: LogSink) -> std::io::Result<Self> {
        let tmp = host.environment_dir()?;
        let now = OffsetDateTime::now_utc();
        let (year, month, day) = (now.year(), u8::from(now.month()), now.day());
        let stream = format!("{year}/{month:02}/{day:02}/[{}]{:032x}", function.version, rand::random::<u128>());
        let log = Log::new(sink, stream);
        Ok(Self { host, function, tmp, log, instance: None, start_permit: None, idle_since: Instant::now() })
    }

    /// Runs one event to its end.
    pub(super) async fn invoke(&mut self, invocation: Invocation) -> Outcome {
        self.log.keep_tail(invocation.tail);
        self.bury();
        let mut init = None;
        let mut started = None;
        let mut end = None;
        if self.instance.is_none() {
            let begin = Instant::now();
            match self.start(INIT_LIMIT).await {
                Ok(()) => init = Some(begin.elapsed()),
                Err(end_of_start @ End::Invalid(_)) => end = Some(end_of_start),
                Err(first) => {
                    self.report_init(begin.elapsed(), &first);
                    started = Some(Instant::now());
                    self.log_start(&invocation);
                    end = self.start(self.function.timeout).await.err();
                }
            }
        }
        self.start_permit = None;
        let begin = started.unwrap_or_else(Instant::now);
        if started.is_none() {
            self.log_start(&invocation);
        }
        let end = match end {
            Some(end) => end,
            None => self.run(&invocation, begin).await,
        };
        self.finish(&invocation, begin.elapsed(), init, end)
    }

    /// Drops a process that died while nobody looked.
    fn bury(&mut self) {
        if let Some(instance) = &mut self.instance {
            while let Ok(signal) = instance.signals.try_recv() {
                if matches!(signal, Signal::Exited(_)) {
                    instance.output.catch_up();
                    self.instance = None;
                    return;
                }
            }
        }
    }

    /// Starts a process and waits until it asks for an event.
    async fn start(&mut self, limit: Duration) -> Result<(), End> {
        let (desk, mut signals) = Desk::new();
        let invalid = |error: std::io::Error| End::Invalid(error.to_string());
        let server = desk.listen().await.map_err(invalid)?;
        let place = Place { api: server.address.to_string(), tmp: self.tmp.path(), log_stream: self.log.stream() };
        let (launch, note) = variables::launch(&self.host, &self.function, &place).await.map_err(End::Invalid)?;
        if let Some(note) = note {
            self.log.line(&format!("samara: {note}"));
        }
        let program = launch.program.clone();
        let ended = Arc::clone(&desk);
        let (process, pipe) = Process::start(launch, move |reason| ended.signal(Signal::Exited(reason)))
            .await
            .map_err(|error| End::Invalid(format!("fork/exec {}: {error}", program.display())))?;
        let output = Output::follow(pipe, Arc::clone(&self.log)).map_err(invalid)?;
        let signal = tokio::time::timeout(limit, signals.recv()).await;
        let end = match signal {
            Ok(Some(Signal::Next)) => {
                output.catch_up();
                self.instance = Some(Instance { desk, signals, process, output, _server: server, served: 0 });
                return Ok(());
            }
            Ok(Some(Signal::InitError(body))) => End::Failed(body),
            Ok(Some(Signal::Exited(reason))) => End::Exited(reason),
            // Nothing else can come before the first `next`; a closed channel is a process that is gone.
            Ok(_) => End::Exited(None),
            Err(_) => End::TimedOut { warm: false },
        };
        output.catch_up();
        Err(end)
    }

    /// Hands the event over and waits for what comes back.
    async fn run(&mut self, invocation: &Invocation, begin: Instant) -> End {
        let limit = self.function.timeout;
        let memory_mb = self.function.memory_mb;
        let Some(instance) = &mut self.instance else { return End::Exited(None) };
        let deadline_ms =
            SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + limit.saturating_sub(begin.elapsed());
        let mut delivery = Some(Delivery {
            request_id: invocation.request_id.clone(),
            deadline_ms: u64::try_from(deadline_ms.as_millis()).unwrap_or(u64::MAX),
            invoked_arn: invocation.invoked_arn.clone(),
            trace_id: invocation.trace_id.clone(),
            client_context: invocation.client_context.clone(),
            event: invocation.event.clone(),
        });
        let warm = instance.served > 0;
        instance.served += 1;
        let deadline = tokio::time::Instant::from_std(begin + limit);
        let mut next_look = tokio::time::Instant::now() + MEMORY_CHECK;
        let mut end = None;
        let end = loop {
            if let Some(waiting) = delivery.take() {
                delivery = instance.desk.deliver(waiting).err();
            }
            match tokio::time::timeout_at(deadline.min(next_look), instance.signals.recv()).await {
                Ok(Some(Signal::Next)) => {
                    if let Some(end) = end {
                        break end;
                    }
                    // It had lost its connection and asks again: the event is still ours to give.
                }
                Ok(Some(Signal::Response(body))) => end = Some(End::Answered(body)),
                Ok(Some(Signal::Failed(body))) => end = Some(End::Failed(body)),
                Ok(Some(Signal::TooLarge)) => end = Some(End::TooLarge),
                Ok(Some(Signal::InitError(_))) => {}
                Ok(Some(Signal::Exited(reason))) => {
                    instance.output.catch_up();
                    self.instance = None;
                    // What it had answered before it went is an answer.
                    return end.unwrap_or(End::Exited(reason));
                }
                Ok(None) => break end.unwrap_or(End::Exited(None)),
                Err(_) if tokio::time::Instant::now() >= deadline => {
                    instance.process.kill();
                    instance.output.catch_up();
                    self.instance = None;
                    return end.unwrap_or(End::TimedOut { warm });
                }
                Err(_) => {
                    next_look += MEMORY_CHECK;
                    if instance.process.memory_mb().is_some_and(|used| used > memory_mb) {
                        // Lambda's kernel would: what comes next is its exit, `signal: killed`.
                        instance.process.kill();
                    }
                }
            }
        };
        instance.output.catch_up();
        end
    }

    fn finish(&mut self, invocation: &Invocation, duration: Duration, init: Option<Duration>, end: End) -> Outcome {
        let id = &invocation.request_id;
        let exit = |text: String, kind: &str| {
            self.log.line(&format!("RequestId: {id} Error: {text}"));
            self.log.line(kind);
            json!({ "errorType": kind, "errorMessage": format!("RequestId: {id} Error: {text}") })
        };
        let seconds = self.function.timeout.as_secs_f64();
        let (payload, status) = match end {
            End::Answered(body) => (body, None),
            End::Failed(body) => (body, Some("")),
            End::TooLarge => {
                let message =
                    format!("Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes).");
                let payload = json!({ "errorMessage": message, "errorType": "Function.ResponseSizeTooLarge" });
                (payload.to_string().into(), Some(""))
            }
            End::TimedOut { warm } => {
                let warning = format!("{} {id} Task timed out after {seconds:.2} seconds", timestamp());
                self.log.line(&warning);
                let payload = if warm {
                    json!({ "errorMessage": warning })
                } else {
                    let text = format!("RequestId: {id} Error: Task timed out after {seconds:.2} seconds");
                    json!({ "errorType": "Sandbox.Timedout", "errorMessage": text })
                };
                (payload.to_string().into(), Some("\tStatus: timeout"))
            }
            End::Exited(reason) => {
                let text = reason.map_or_else(
                    || "Runtime exited without providing a reason".to_owned(),
                    |reason| format!("Runtime exited with error: {reason}"),
                );
                let payload = exit(text, "Runtime.ExitError");
                (payload.to_string().into(), Some("\tStatus: error\tError Type: Runtime.ExitError"))
            }
            End::Invalid(text) => {
                let payload = exit(text, "Runtime.InvalidEntrypoint");
                (payload.to_string().into(), Some("\tStatus: error\tError Type: Runtime.InvalidEntrypoint"))
            }
        };
        let peak = self.instance.as_ref().and_then(|instance| instance.process.peak_memory_mb());
        let max_memory_mb = peak.unwrap_or(self.function.memory_mb).min(self.function.memory_mb);
        self.log_end(id, duration, init, max_memory_mb, status);
        self.idle_since = Instant::now();
        let log_tail = self.log.take_tail();
        Outcome { payload, function_error: status.is_some(), log_tail, duration, init, max_memory_mb }
    }

    fn log_start(&self, invocation: &Invocation) {
        let (id, version) = (&invocation.request_id, &self.function.version);
        if self.function.json_logs {
            let record = json!({ "requestId": id, "version": version });
            self.platform("platform.start", &record);
        } else {
            self.log.line(&format!("START RequestId: {id} Version: {version}"));
        }
    }

    fn log_end(&self, id: &str, duration: Duration, init: Option<Duration>, memory: u32, status: Option<&str>) {
        let ms = duration.as_secs_f64() * 1000.0;
        let billed = ms.ceil();
        let size = self.function.memory_mb;
        if self.function.json_logs {
            let outcome = match status {
                None => "success",
                Some("\tStatus: timeout") => "timeout",
                Some("") => "error",
                Some(_) => "failure",
            };
            self.platform("platform.runtimeDone", &json!({ "requestId": id, "status": outcome }));
            let mut metrics = json!({
                "durationMs": round(ms), "billedDurationMs": billed, "memorySizeMB": size, "maxMemoryUsedMB": memory,
            });
            if let Some(init) = init {
                metrics["initDurationMs"] = json!(round(init.as_secs_f64() * 1000.0));
            }
            self.platform("platform.report", &json!({ "requestId": id, "status": outcome, "metrics": metrics }));
            return;
        }
        self.log.line(&format!("END RequestId: {id}"));
        let init =
            init.map_or_else(String::new, |init| format!("Init Duration: {:.2} ms\t", init.as_secs_f64() * 1000.0));
        let status = status.unwrap_or_default().trim_start_matches('\t');
        self.log.line(&format!(
            "REPORT RequestId: {id}\tDuration: {ms:.2} ms\tBilled Duration: {billed} ms\tMemory Size: {size} MB\t\
             Max Memory Used: {memory} MB\t{init}{status}"
        ));
    }

    fn report_init(&self, took: Duration, end: &End) {
        let ms = took.as_secs_f64() * 1000.0;
        let status = match end {
            End::TimedOut { .. } => "timeout".to_owned(),
            End::Exited(_) => "error\tError Type: Runtime.ExitError".to_owned(),
            End::Failed(body) => {
                let described: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
                let kind = described["errorType"].as_str().filter(|kind| kind.starts_with("Runtime."));
                format!("error\tError Type: {}", kind.unwrap_or("Runtime.Unknown"))
            }
            End::Answered(_) | End::TooLarge | End::Invalid(_) => "error".to_owned(),
        };
        if self.function.json_logs {
            let record =
                json!({ "initializationType": self.function.initialization_type(), "phase": "init", "status": status });
            self.platform("platform.initReport", &record);
        } else {
            self.log.line(&format!("INIT_REPORT Init Duration: {ms:.2} ms\tPhase: init\tStatus: {status}"));
        }
    }

    fn platform(&self, kind: &str, record: &serde_json::Value) {
        self.log.line(&json!({ "time": timestamp(), "type": kind, "record": record }).to_string());
    }

    /// Ends the process: asked first, killed 500 ms later.
    pub(super) async fn shut_down(mut self) {
        if let Some(mut instance) = self.instance.take() {
            instance.process.terminate();
            let gone = async {
                while let Some(signal) = instance.signals.recv().await {
                    if matches!(signal, Signal::Exited(_)) {
                        break;
                    }
                }
            };
            // Whether it went by itself or not, dropping it kills what is left.
            let _ = tokio::time::timeout(SHUTDOWN, gone).await;
            instance.output.catch_up();
        }
    }
}

fn round(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1000.0
}

/// Now, as in Lambda's lines: `2026-11-23T19:01:19.123Z`.
fn timestamp() -> String {
    let now = OffsetDateTime::now_utc();
    let date = now.date();
    let (hour, minute, second, milli) = now.to_hms_milli();
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}
