//! The bundled example's function: samara's own executable, put into the code folder as `bootstrap`
//! and acting as a Runtime API client under that name. That way the rehearsal needs no compiler, no
//! interpreter and no network.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The file beside `bootstrap` that says how this version behaves.
pub const BEHAVIOUR_FILE: &str = "behaviour.json";

/// How a version of the example behaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Behaviour {
    /// Which build this is; changes the code's hash, and so publishes a version.
    pub build: u32,
    /// Share of requests that fail, as a fraction.
    pub errors: f64,
    /// How long a request takes, in milliseconds.
    pub duration_ms: u64,
    /// Seed of the chance by which requests fail.
    pub seed: u64,
}

/// What ends the function; printed for the log, and the environment starts anew.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("AWS_LAMBDA_RUNTIME_API is not set: this is a Lambda function's bootstrap, not a command")]
    NoRuntimeApi,
    #[error("cannot read {BEHAVIOUR_FILE}: {0}")]
    Behaviour(std::io::Error),
    #[error("{BEHAVIOUR_FILE} is not what the rehearsal wrote: {0}")]
    BehaviourForm(serde_json::Error),
    #[error("the Runtime API does not answer: {0}")]
    RuntimeApi(String),
    #[error("cannot start: {0}")]
    Start(std::io::Error),
}

/// Whether this process was started as a function's `bootstrap` inside an execution environment.
#[expect(clippy::disallowed_methods, reason = "asked before there is a command line")]
pub fn is_bootstrap() -> bool {
    std::env::args_os().next().is_some_and(|program| Path::new(&program).file_name() == Some("bootstrap".as_ref()))
        && std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// Serves invocations until the environment ends.
#[expect(clippy::print_stderr, reason = "a function's standard error is its log")]
pub fn main() -> std::process::ExitCode {
    match serve() {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

enum Never {}

#[expect(clippy::disallowed_methods, reason = "a function's configuration is its environment")]
fn serve() -> Result<Never, Error> {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(|_| Error::NoRuntimeApi)?;
    let root = std::env::var("LAMBDA_TASK_ROOT").unwrap_or_else(|_| ".".to_owned());
    let bytes = std::fs::read(Path::new(&root).join(BEHAVIOUR_FILE)).map_err(Error::Behaviour)?;
    let behaviour: Behaviour = serde_json::from_slice(&bytes).map_err(Error::BehaviourForm)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
    runtime.block_on(invocations(&api, &behaviour))
}

async fn invocations(api: &str, behaviour: &Behaviour) -> Result<Never, Error> {
    let base = format!("http://{api}/2018-06-01/runtime/invocation");
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    // Environments of one version must not fail in step, hence the process id.
    let mut chance = ChaCha8Rng::seed_from_u64(behaviour.seed ^ (u64::from(std::process::id()) << 32));
    loop {
        let next = call(&client, Method::GET, &format!("{base}/next"), Bytes::new()).await?;
        let id = next
            .headers()
            .get("lambda-runtime-aws-request-id")
            .and_then(|id| id.to_str().ok())
            .ok_or_else(|| Error::RuntimeApi("an invocation without a request id".to_owned()))?
            .to_owned();
        let event = next.into_body().collect().await.map_err(|error| Error::RuntimeApi(error.to_string()))?.to_bytes();
        tokio::time::sleep(Duration::from_millis(behaviour.duration_ms)).await;
        let (path, body) = if chance.random_bool(behaviour.errors.clamp(0.0, 1.0)) {
            let error = serde_json::json!({
                "errorType": "Greeting.Forgotten",
                "errorMessage": format!("build {} forgot what to say", behaviour.build),
            });
            (format!("{base}/{id}/error"), error)
        } else {
            let name = serde_json::from_slice::<serde_json::Value>(&event)
                .ok()
                .and_then(|event| event.get("name")?.as_str().map(str::to_owned))
                .unwrap_or_else(|| "you".to_owned());
            (format!("{base}/{id}/response"), serde_json::json!({ "greeting": format!("Hello, {name}") }))
        };
        let accepted = call(&client, Method::POST, &path, Bytes::from(body.to_string())).await?;
        // A body that is not read to its end costs the connection.
        accepted.into_body().collect().await.map_err(|error| Error::RuntimeApi(error.to_string()))?;
    }
}

async fn call(
    client: &Client<HttpConnector, Full<Bytes>>,
    method: Method,
    url: &str,
    body: Bytes,
) -> Result<hyper::Response<hyper::body::Incoming>, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::RuntimeApi(error.to_string());
    let uri: Uri = url.parse().map_err(|error| failed(&error))?;
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("content-type", "application/json")
        .body(Full::new(body))
        .map_err(|error| failed(&error))?;
    let response = client.request(request).await.map_err(|error| failed(&error))?;
    if response.status().is_success() {
        Ok(response)
    } else {
        Err(Error::RuntimeApi(format!("{url} answered {}", response.status())))
    }
}
