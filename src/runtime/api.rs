//! The HTTP face of one environment: what the process in it calls.
//!
//! It holds only what decides whether a call is allowed, and hands everything on as a [`Signal`].

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// The largest answer of a function: 6 MiB and 100 bytes (as the Runtime Interface Emulator has it).
pub(super) const MAX_RESPONSE: usize = 6 * 1024 * 1024 + 100;
/// What is read of a body before the connection is given up: a function can send what it wants.
const MAX_READ: usize = 64 * 1024 * 1024;

/// What an environment hears from its process.
#[derive(Debug)]
pub(super) enum Signal {
    /// It asks for the next event: start or invocation are over.
    Next,
    /// It could not start.
    InitError(Bytes),
    /// It answered.
    Response(Bytes),
    /// The handler failed; the body is the answer.
    Failed(Bytes),
    /// The answer is larger than [`MAX_RESPONSE`].
    TooLarge,
    /// The process is gone.
    Exited(Option<String>),
}

/// An event on its way to the process.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) request_id: String,
    pub(super) deadline_ms: u64,
    pub(super) invoked_arn: String,
    pub(super) trace_id: String,
    pub(super) client_context: Option<String>,
    pub(super) event: Bytes,
}

/// What the process may call now.
#[derive(Debug)]
enum Phase {
    Starting,
    Waiting(oneshot::Sender<Delivery>),
    Running { request_id: String },
    Answered { request_id: String },
}

/// The state of one environment's Runtime API.
#[derive(Debug)]
pub(super) struct Desk {
    phase: Mutex<Phase>,
    signals: mpsc::UnboundedSender<Signal>,
}

/// A Runtime API that listens; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Desk {
    pub(super) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Signal>) {
        let (signals, receiver) = mpsc::unbounded_channel();
        (Arc::new(Self { phase: Mutex::new(Phase::Starting), signals }), receiver)
    }

    /// Tells the environment something that did not come over HTTP.
    pub(super) fn signal(&self, signal: Signal) {
        // Nobody listens any more when the environment is being taken down.
        let _ = self.signals.send(signal);
    }

    /// Listens on a free port of loopback.
    pub(super) async fn listen(self: &Arc<Self>) -> std::io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let desk = Arc::clone(self);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { continue };
                        let _ = stream.set_nodelay(true);
                        let desk = Arc::clone(&desk);
                        connections.spawn(async move {
                            let service = service_fn(|request| {
                                let desk = Arc::clone(&desk);
                                async move { Ok::<_, Infallible>(desk.answer(request).await) }
                            });
                            // A process that dies mid-request is reported by its exit, not by its socket.
                            let _ = hyper::server::conn::http1::Builder::new()
                                .title_case_headers(true)
                                .serve_connection(TokioIo::new(stream), service)
                                .await;
                        });
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Server { address, task })
    }

    /// Gives the waiting process its event, or the event back when no process waits.
    pub(super) fn deliver(&self, delivery: Delivery) -> Result<(), Delivery> {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let request_id = delivery.request_id.clone();
        match std::mem::replace(&mut *phase, Phase::Starting) {
            Phase::Waiting(waiter) => {
                waiter.send(delivery)?;
                *phase = Phase::Running { request_id };
                Ok(())
            }
            other => {
                *phase = other;
                Err(delivery)
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let get = request.method() == Method::GET;
        let put = request.method() == Method::PUT;
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match segments.as_slice() {
            ["2018-06-01", "runtime", "invocation", "next"] if get => self.next().await,
            ["2018-06-01", "runtime", "invocation", id, "response"] => self.response(id, request).await,
            ["2018-06-01", "runtime", "invocation", id, "error"] => self.error(id, request).await,
            ["2018-06-01", "runtime", "init", "error"] => self.init_error(request).await,
            ["2018-06-01", "ping"] if get => plain(StatusCode::OK, "pong"),
            ["2018-06-01", "runtime", "restore", "next"] if get => plain(StatusCode::OK, ""),
            // The emulator of AWS answers these two with a stub too, so that code which subscribes starts.
            ["2020-08-15", "logs"] | ["2022-07-01", "telemetry"] if put => {
                plain(StatusCode::ACCEPTED, "Logs API is not supported")
            }
            _ => failure(StatusCode::NOT_FOUND, "NotFound", &format!("samara's Runtime API has no {path}")),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
            match &*phase {
                Phase::Running { .. } => return transition("Running", "Ready"),
                // The connection was lost while it waited: the new one takes its place.
                Phase::Waiting(_) => {}
                Phase::Starting | Phase::Answered { .. } => self.signal(Signal::Next),
            }
            *phase = Phase::Waiting(sender);
        }
        let Ok(delivery) = receiver.await else {
            return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "the environment is shut down");
        };
        let mut response = Response::new(Full::new(delivery.event));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let deadline = delivery.deadline_ms.to_string();
        let values = [
            ("lambda-runtime-aws-request-id", delivery.request_id.as_str()),
            ("lambda-runtime-deadline-ms", &deadline),
            ("lambda-runtime-invoked-function-arn", &delivery.invoked_arn),
            ("lambda-runtime-trace-id", &delivery.trace_id),
            ("lambda-runtime-client-context", delivery.client_context.as_deref().unwrap_or_default()),
        ];
        for (name, value) in values {
            if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_bytes(value.as_bytes())) {
                headers.insert(name, value);
            }
        }
        response
    }

    /// Whether the process may answer the invocation with this id; the phase is then `Answered`.
    fn claim(&self, id: &str, into: &'static str) -> Result<(), Response<Full<Bytes>>> {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        match &*phase {
            Phase::Running { request_id } if request_id == id => {
                *phase = Phase::Answered { request_id: id.to_owned() };
                Ok(())
            }
            Phase::Answered { request_id } if request_id == id => Err(transition(into, into)),
            Phase::Running { .. } | Phase::Answered { .. } => {
                Err(failure(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"))
            }
            Phase::Waiting(_) => Err(transition("Ready", into)),
            Phase::Starting => Err(transition("Started", into)),
        }
    }

    async fn response(&self, id: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if let Some(mode) = request.headers().get("lambda-runtime-function-response-mode")
            && mode != "streaming"
        {
            let text = "Invalid function response mode header value";
            return failure(StatusCode::BAD_REQUEST, "InvalidFunctionResponseMode", text);
        }
        let streaming = request.headers().contains_key("lambda-runtime-function-response-mode");
        let Some((body, trailers)) = read(request).await else {
            return failure(StatusCode::BAD_REQUEST, "InvalidRequest", "The body ended early");
        };
        if let Err(refused) = self.claim(id, "InvocationResponse") {
            return refused;
        }
        if body.len() > MAX_RESPONSE && !streaming {
            self.signal(Signal::TooLarge);
            let text = format!("Exceeded maximum allowed payload size ({MAX_RESPONSE} bytes).");
            return failure(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &text);
        }
        // A stream that failed midway says so in its trailers; the error's text is base64 there.
        let failed = trailers.and_then(|trailers| {
            use base64::Engine as _;
            let kind = trailers.get("lambda-runtime-function-error-type")?.to_str().ok()?.to_owned();
            let body = trailers.get("lambda-runtime-function-error-body")?;
            let body = base64::engine::general_purpose::STANDARD.decode(body.as_bytes()).ok();
            Some(body.map_or_else(|| Bytes::from(json!({ "errorType": kind }).to_string()), Bytes::from))
        });
        self.signal(failed.map_or(Signal::Response(body), Signal::Failed));
        accepted()
    }

    async fn error(&self, id: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let kind = error_type(&request, "Function.Unknown");
        let Some((body, _)) = read(request).await else {
            return failure(StatusCode::BAD_REQUEST, "InvalidRequest", "The body ended early");
        };
        if let Err(refused) = self.claim(id, "InvocationErrorResponse") {
            return refused;
        }
        self.signal(Signal::Failed(or_type(body, &kind)));
        accepted()
    }

    async fn init_error(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let kind = error_type(&request, "Runtime.Unknown");
        let Some((body, _)) = read(request).await else {
            return failure(StatusCode::BAD_REQUEST, "InvalidRequest", "The body ended early");
        };
        if !matches!(*self.phase.lock().unwrap_or_else(PoisonError::into_inner), Phase::Starting) {
            return transition("Ready", "InitError");
        }
        self.signal(Signal::InitError(or_type(body, &kind)));
        accepted()
    }
}

/// The error's type from the header, if it is one that Lambda keeps.
fn error_type(request: &Request<Incoming>, otherwise: &str) -> String {
    let given = request.headers().get("lambda-runtime-function-error-type").and_then(|value| value.to_str().ok());
    given.filter(|text| is_error_type(text)).unwrap_or(otherwise).to_owned()
}

/// `(Runtime|Function)\.[A-Z][a-zA-Z]+`
fn is_error_type(text: &str) -> bool {
    let name = text.strip_prefix("Runtime.").or_else(|| text.strip_prefix("Function."));
    name.is_some_and(|name| {
        name.len() > 1
            && name.starts_with(|first: char| first.is_ascii_uppercase())
            && name.chars().all(|letter| letter.is_ascii_alphabetic())
    })
}

/// The body as it came; an empty one becomes the error's type.
fn or_type(body: Bytes, kind: &str) -> Bytes {
    if body.is_empty() { Bytes::from(json!({ "errorType": kind }).to_string()) } else { body }
}

/// The body and its trailers; larger than what anyone may send is read and thrown away, so that the
/// client hears the answer.
async fn read(request: Request<Incoming>) -> Option<(Bytes, Option<hyper::HeaderMap>)> {
    let expected = hyper::body::Body::size_hint(request.body()).lower();
    let mut body = request.into_body();
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0).min(MAX_RESPONSE));
    let mut trailers = None;
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        match frame.ok()?.into_data() {
            Ok(data) => {
                length += data.len();
                if length > MAX_READ {
                    return Some((bytes.into(), trailers));
                }
                // One byte above the limit is enough to know.
                let room = (MAX_RESPONSE + 1).saturating_sub(bytes.len()).min(data.len());
                bytes.extend_from_slice(&data[..room]);
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Some((bytes.into(), trailers))
}

fn accepted() -> Response<Full<Bytes>> {
    json_response(StatusCode::ACCEPTED, Bytes::from_static(b"{\"status\":\"OK\"}\n"))
}

fn transition(from: &str, to: &str) -> Response<Full<Bytes>> {
    let text =
        format!("State transition from {from} to {to} failed for runtime. Error: State transition is not allowed");
    failure(StatusCode::FORBIDDEN, "InvalidStateTransition", &text)
}

fn failure(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    json_response(status, Bytes::from(json!({ "errorMessage": message, "errorType": kind }).to_string()))
}

fn json_response(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = plain(status, "");
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Full::new(body);
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::is_error_type;

    #[test]
    fn only_error_types_of_lambdas_form_are_kept() {
        assert!(is_error_type("Runtime.ImportModuleError"));
        assert!(is_error_type("Function.Mine"));
        for other in ["Exception", "Runtime.", "Runtime.x", "Runtime.A", "Function.Bad1", "Other.Thing"] {
            assert!(!is_error_type(other), "{other}");
        }
    }
}
