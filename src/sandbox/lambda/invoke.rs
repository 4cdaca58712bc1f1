//! Invoke: which version, whether there is room, what comes back, what is counted.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::concurrency::Permit;
use super::fault::{Answer, Fault};
use super::model::{Pending, uuid};
use super::{Call, function, metrics, settings};
use crate::runtime::{Invocation, Outcome};
use crate::sandbox::http::{Request, Response};
use crate::sandbox::state::World;

/// Largest event of a synchronous invocation.
const MAX_EVENT: usize = 6 * 1024 * 1024;
/// Largest event of an asynchronous one.
const MAX_ASYNC_EVENT: usize = 1024 * 1024;
/// Largest client context, in base64.
const MAX_CLIENT_CONTEXT: usize = 3583;
/// Waits before the second and third attempt of an asynchronous invocation, in the sandbox's time
/// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>).
const RETRY_WAITS_S: [u64; 2] = [60, 120];
/// How long a throttled asynchronous event is tried, unless configured.
const MAX_EVENT_AGE_S: u64 = 6 * 60 * 60;

/// What is going to run.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) name: String,
    /// As called: nothing, a version or an alias.
    pub(super) qualifier: Option<String>,
    /// What runs.
    pub(super) version: String,
    /// Whether the alias has two versions.
    pub(super) split: bool,
}

/// Chooses the version; an alias with two draws.
fn target(call: Call<'_>, name: &str) -> Answer<Target> {
    let id = call.identify(name)?;
    let qualifier = id.qualifier.as_deref();
    // Recorded: Invoke names $LATEST where other operations name nothing.
    let (version, split) = call.read(&id.name, Some(qualifier.unwrap_or("$LATEST")), |function| {
        let missing = || Fault::no_function(&call.arn(&id.name, qualifier));
        let alias = qualifier.and_then(|qualifier| function.alias(qualifier, call.now_ms()));
        let (version, split) = match &alias {
            None => (qualifier.unwrap_or("$LATEST"), false),
            Some(alias) => match &alias.additional {
                Some((additional, weight)) if call.lambda.draw() < *weight => (additional.as_str(), true),
                Some(_) => (alias.function_version.as_str(), true),
                None => (alias.function_version.as_str(), false),
            },
        };
        let record = function.version(version).ok_or_else(missing)?;
        if matches!(record.pending, Some(Pending { creating: true, .. })) {
            return Err(function::pending_fault());
        }
        Ok((version.to_owned(), split))
    })?;
    Ok(Target { name: id.name, qualifier: id.qualifier, version, split })
}

pub(super) async fn invoke(call: Call<'_>, name: &str) -> Answer {
    let kind = call.request.header("x-amz-invocation-type").unwrap_or("RequestResponse");
    let kinds = ["Event", "RequestResponse", "DryRun"];
    settings::one_of(Some(&json!(kind)), "invocationType", &kinds)?;
    let target = target(call, name)?;
    if kind == "DryRun" {
        return Ok(Response::new(204).header("x-amz-executed-version", &target.version));
    }
    let event = event(&call.request.body, kind)?;
    let client_context = client_context(call.request)?;
    if kind == "Event" {
        let world = Arc::clone(call.world);
        let request = call.request.clone();
        tokio::spawn(asynchronous(world, request, target, event, client_context));
        return Ok(Response::new(202));
    }
    let tail = call.request.header("x-amz-log-type") == Some("Tail");
    let outcome = run(call, &target, event, client_context, tail).await?;
    let mut response = Response::new(200)
        .header("content-type", "application/json")
        .header("x-amz-executed-version", &target.version)
        .header("x-amzn-remapped-content-length", "0")
        .with_body(outcome.payload);
    if outcome.function_error {
        response = response.header("x-amz-function-error", "Unhandled");
    }
    if let Some(log) = outcome.log_tail {
        response = response.header("x-amz-log-result", &STANDARD.encode(log));
    }
    Ok(response)
}

/// InvokeWithResponseStream: the answer is sent as one chunk when it is there.
pub(super) async fn stream(call: Call<'_>, name: &str) -> Answer {
    let target = target(call, name)?;
    let event = event(&call.request.body, "RequestResponse")?;
    let client_context = client_context(call.request)?;
    let tail = call.request.header("x-amz-log-type") == Some("Tail");
    let outcome = run(call, &target, event, client_context, tail).await?;
    let mut complete = json!({});
    let mut frames = Vec::new();
    if outcome.function_error {
        let described: Value = serde_json::from_slice(&outcome.payload).unwrap_or_default();
        complete["ErrorCode"] = described.get("errorType").cloned().unwrap_or_else(|| json!("Unhandled"));
        complete["ErrorDetails"] = json!(String::from_utf8_lossy(&outcome.payload));
    } else {
        super::event::frame(&mut frames, "PayloadChunk", "application/octet-stream", &outcome.payload);
    }
    if let Some(log) = outcome.log_tail {
        complete["LogResult"] = json!(STANDARD.encode(log));
    }
    super::event::frame(&mut frames, "InvokeComplete", "application/json", complete.to_string().as_bytes());
    Ok(Response::new(200)
        .header("content-type", "application/vnd.amazon.eventstream")
        .header("x-amz-executed-version", &target.version)
        .with_body(frames))
}

/// Runs one event if there is room, and counts it.
async fn run(
    call: Call<'_>,
    target: &Target,
    event: Bytes,
    client_context: Option<String>,
    tail: bool,
) -> Answer<Outcome> {
    let started_ms = call.now_ms();
    let permit = match Permit::take(call, target) {
        Ok(permit) => permit,
        Err(fault) => {
            metrics::throttled(call, target, started_ms);
            return Err(fault);
        }
    };
    let pool = call.pool(target).await?;
    let invocation = Invocation {
        request_id: if call.request.request_id.is_empty() { uuid() } else { call.request.request_id.clone() },
        invoked_arn: call.arn(&target.name, target.qualifier.as_deref()),
        event,
        client_context,
        trace_id: trace_id(call.request.header("x-amzn-trace-id"), started_ms),
        tail,
    };
    let mut outcome = pool.invoke(invocation).await;
    if call.lambda.draws_fault(&target.name, &target.version) {
        outcome.function_error = true;
        outcome.payload = Bytes::from_static(
            br#"{"errorType":"Samara.InjectedFault","errorMessage":"This error was asked for: the rehearsal injects it"}"#,
        );
    }
    metrics::invoked(call, target, started_ms, &outcome, permit.running());
    Ok(outcome)
}

/// The event as the function gets it.
fn event(body: &Bytes, kind: &str) -> Answer<Bytes> {
    let limit = if kind == "Event" { MAX_ASYNC_EVENT } else { MAX_EVENT };
    if body.len() > limit {
        let size = body.len();
        return Err(Fault::too_large(format!(
            "{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
        )));
    }
    if body.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    if let Some(detail) = not_json(body) {
        let text = format!("Could not parse request body into json: Could not parse payload into json: {detail}");
        return Err(Fault::new(400, "InvalidRequestContentException", text));
    }
    Ok(body.clone())
}

/// Why it is not JSON, about as AWS's parser says it.
fn not_json(body: &[u8]) -> Option<String> {
    const SOURCE: &str = "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled);";
    let error = serde_json::from_slice::<serde::de::IgnoredAny>(body).err();
    let text = std::str::from_utf8(body);
    match (error, text) {
        (None, Ok(_)) => None,
        (_, Err(invalid)) => {
            let at = invalid.valid_up_to();
            let byte = body.get(at).copied().unwrap_or_default();
            Some(if at == 0 {
                format!(
                    "Unexpected character ((CTRL-CHAR, code {byte})): expected a valid value (JSON String, Number, \
                     Array, Object or token 'null', 'true' or 'false'){SOURCE} line: 1, column: 1]"
                )
            } else {
                format!("Invalid UTF-8 start byte 0x{byte:02x}{SOURCE} line: 1, column: {}]", at + 2)
            })
        }
        (Some(error), Ok(_)) => {
            Some(format!("{error}{SOURCE} line: {}, column: {}]", error.line(), error.column() + 1))
        }
    }
}

fn client_context(request: &Request) -> Answer<Option<String>> {
    let Some(given) = request.header("x-amz-client-context").filter(|text| !text.is_empty()) else { return Ok(None) };
    let decoded = STANDARD.decode(given).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.filter(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    if given.len() > MAX_CLIENT_CONTEXT {
        return Err(Fault::new(400, "InvalidRequestContentException", "Client context must be at most 3583 bytes"));
    }
    match decoded {
        // A header cannot carry line ends; JSON does not need them.
        Some(text) => Ok(Some(text.replace(['\n', '\r'], " "))),
        None => Err(Fault::new(
            400,
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        )),
    }
}

fn trace_id(given: Option<&str>, now_ms: i64) -> String {
    match given.filter(|text| text.starts_with("Root=")) {
        Some(text) if text.contains("Sampled=") => text.to_owned(),
        Some(text) => format!("{text};Sampled=0"),
        None => {
            let (root, parent) = (rand::random::<u128>() >> 32, rand::random::<u64>());
            format!("Root=1-{:08x}-{root:024x};Parent={parent:016x};Sampled=0", now_ms / 1000)
        }
    }
}

/// Runs an event that nobody waits for: tried again as configured, then given to who collects failures.
async fn asynchronous(world: Arc<World>, request: Request, target: Target, event: Bytes, context: Option<String>) {
    let call = Call { lambda: &world.lambda, world: &world, request: &request };
    let qualifier = target.qualifier.as_deref().unwrap_or("$LATEST");
    let config = call.read(&target.name, None, |function| Ok(function.event_invoke.get(qualifier).cloned()));
    let config = config.ok().flatten().unwrap_or_default();
    let attempts = 1 + config.maximum_retry_attempts.unwrap_or(2);
    let begun_ms = call.now_ms();
    let age_ms = i64::try_from(config.maximum_event_age_s.unwrap_or(MAX_EVENT_AGE_S)).unwrap_or(i64::MAX) * 1000;
    let mut tried = 0;
    let mut throttled_wait = Duration::from_secs(1);
    let (condition, outcome) = loop {
        match run(call, &target, event.clone(), context.clone(), false).await {
            Ok(outcome) => {
                tried += 1;
                if !outcome.function_error {
                    break ("Success", Some(outcome));
                }
                if tried >= attempts {
                    break ("RetriesExhausted", Some(outcome));
                }
                let wait = RETRY_WAITS_S[usize::try_from(tried - 1).unwrap_or(0).min(RETRY_WAITS_S.len() - 1)];
                world.clock.sleep(Duration::from_secs(wait)).await;
            }
            Err(fault) if fault.code() == "TooManyRequestsException" => {
                let reserved_none = call.read(&target.name, None, |function| Ok(function.reserved == Some(0)));
                if reserved_none.unwrap_or(false) {
                    break ("ZeroReservedConcurrency", None);
                }
                world.clock.sleep(throttled_wait).await;
                throttled_wait = (throttled_wait * 2).min(Duration::from_secs(300));
            }
            Err(fault) => {
                tracing::warn!(function = %target.name, code = fault.code(), "an asynchronous invocation was dropped");
                return;
            }
        }
        if call.now_ms() - begun_ms > age_ms {
            break ("EventAgeExceeded", None);
        }
    };
    super::event::deliver(call, &target, &config, &event, condition, tried, outcome.as_ref()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_refused_as_recorded() {
        assert_eq!(not_json(br#"{"a": 1}"#), None);
        assert_eq!(not_json(b"null"), None);
        insta::assert_snapshot!(not_json(b"n\x87r\x9e").unwrap(), @r"
        Invalid UTF-8 start byte 0x87
         at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 3]
        ");
        insta::assert_snapshot!(not_json(b"\x99\xeb,j").unwrap(), @r"
        Unexpected character ((CTRL-CHAR, code 153)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
         at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 1]
        ");
        assert!(not_json(b"{").is_some());
        assert!(not_json(b"\"\xff\"").is_some(), "not UTF-8 inside a string");
    }

    #[test]
    fn a_trace_header_is_kept_or_made() {
        assert_eq!(trace_id(Some("Root=1-a-b;Parent=c;Sampled=1"), 0), "Root=1-a-b;Parent=c;Sampled=1");
        assert_eq!(trace_id(Some("Root=1-a-b"), 0), "Root=1-a-b;Sampled=0");
        let made = trace_id(None, 1_700_000_000_000);
        assert!(made.starts_with("Root=1-6553f100-") && made.ends_with(";Sampled=0"), "{made}");
        assert_eq!(made.len(), "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0".len());
    }
}
