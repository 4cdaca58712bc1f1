//! The one HTTP client of all services, and what `--debug` tells of its calls; or what stands in its
//! place in the same process.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sts::config::{AsyncSleep, Sleep};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;
use hyper::body::Bytes;
use tokio::time::Instant;

use super::{ConfigError, Settings};
use crate::pace::Pace;

/// Answers requests in place of the network: an endpoint that is mounted in this process.
pub trait Wire: std::fmt::Debug + Send + Sync {
    /// Answers one signed request.
    fn send(&self, request: hyper::Request<Bytes>) -> WireFuture;

    /// How time passes there: for the waits between attempts, and the longest for an answer.
    fn pace(&self) -> Pace;
}

/// What [`Wire::send`] gives.
pub type WireFuture = Pin<Box<dyn Future<Output = Result<hyper::Response<Bytes>, Lost>> + Send>>;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The connection ended, before the request or after it.
    #[error("connection reset by peer")]
    Reset,
    /// The answer ended before its length.
    #[error("connection closed before message completed")]
    CutShort,
    /// Nobody listens.
    #[error("connection refused")]
    Refused,
}

/// The SDK's own client reads neither `HTTPS_PROXY`/`NO_PROXY` nor `AWS_CA_BUNDLE`; pipelines need both.
pub(super) fn client(settings: &Settings) -> Result<SharedHttpClient, ConfigError> {
    if let Some(wire) = settings.wire.clone() {
        return Ok(traced(http_client_fn(move |settings, _| {
            let read_timeout = settings.read_timeout().unwrap_or(Duration::MAX);
            SharedHttpConnector::new(Mounted { wire: wire.clone(), read_timeout })
        })));
    }
    // Plain HTTP is only ever an endpoint on this machine: no TLS to set up, no proxy on the way.
    if settings.endpoint_url.as_deref().is_some_and(|url| url.starts_with("http://")) {
        return Ok(traced(Builder::new().build_http()));
    }
    let mut trust = TrustStore::default();
    if let Some(path) = &settings.ca_bundle {
        let pem = std::fs::read(path)
            .map_err(|error| ConfigError::CaBundle { path: path.clone(), reason: error.to_string() })?;
        trust = trust.with_pem_certificate(pem);
    }
    let context = TlsContext::builder().with_trust_store(trust).build().map_err(|error| ConfigError::CaBundle {
        path: settings.ca_bundle.clone().unwrap_or_default(),
        reason: error.to_string(),
    })?;
    Ok(traced(Builder::new().build_with_connector_fn(move |connector_settings, components| {
        let mut builder = Connector::builder()
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
            .tls_context(context.clone());
        builder.set_connector_settings(connector_settings.cloned());
        if let Some(components) = components {
            builder.set_sleep_impl(components.sleep_impl());
        }
        builder.build()
    })))
}

/// Tells of every call, without headers, query and body: what may be secret is in those.
fn traced(inner: SharedHttpClient) -> SharedHttpClient {
    SharedHttpClient::new(Traced(inner))
}

#[derive(Debug)]
struct Traced<T>(T);

impl HttpClient for Traced<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Traced(self.0.http_connector(settings, components)))
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.validate_base_client_config(components, config)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, config: &ConfigBag) -> Result<(), BoxError> {
        self.0.validate_final_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

impl HttpConnector for Traced<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            let answer = self.0.call(request);
            return HttpConnectorFuture::new(async move { bounded(answer.await?).await });
        }
        let what = describe(&request);
        let started = Instant::now();
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let answer = match answer.await {
                Ok(answer) => bounded(answer).await,
                Err(error) => Err(error),
            };
            let took: Duration = started.elapsed();
            match &answer {
                Ok(response) => tracing::debug!("{what}: {} in {took:.1?}", response.status().as_u16()),
                Err(error) => tracing::debug!("{what}: no answer after {took:.1?}: {error:?}"),
            }
            answer
        })
    }
}

/// How long the body of an answer may take after its head.
const BODY_TIME: Duration = Duration::from_secs(20);
/// More than any answer that we ask for: an object is read up to 16 MiB, a payload is at most 6 MB.
const BODY_BYTES: usize = 32 << 20;

/// Reads the body: one that drips for ever or never ends is no answer.
async fn bounded(mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let mut body = ByteStream::new(answer.take_body());
    let mut bytes = Vec::new();
    let all = async {
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| ConnectorError::io(error.into()))?;
            if bytes.len() + chunk.len() > BODY_BYTES {
                let message = format!("the answer is larger than {} MiB", BODY_BYTES >> 20);
                return Err(ConnectorError::other(message.into(), None));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(())
    };
    let late = || format!("the answer was not there whole after {} s", BODY_TIME.as_secs());
    tokio::time::timeout(BODY_TIME, all).await.map_err(|_| ConnectorError::timeout(late().into()))??;
    *answer.body_mut() = SdkBody::from(bytes);
    Ok(answer)
}

/// What the SDK takes for its connection.
#[derive(Debug)]
struct Mounted {
    wire: Arc<dyn Wire>,
    read_timeout: Duration,
}

impl HttpConnector for Mounted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (wire, read_timeout) = (self.wire.clone(), self.read_timeout);
        HttpConnectorFuture::new(async move {
            let request = plain(request).await?;
            let late = || ConnectorError::timeout(format!("no answer within {} s", read_timeout.as_secs()).into());
            let answer = wire.pace().timeout(read_timeout, wire.send(request)).await.ok_or_else(late)?;
            let (parts, body) = answer.map_err(|lost| ConnectorError::io(lost.into()))?.into_parts();
            let mut response = HttpResponse::new(parts.status.into(), SdkBody::from(body.to_vec()));
            for (name, value) in &parts.headers {
                if let Ok(value) = value.to_str() {
                    response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
                }
            }
            Ok(response)
        })
    }
}

/// How the SDK waits between attempts, where time passes in its own way.
#[derive(Debug)]
pub(super) struct Waits(pub(super) Pace);

impl AsyncSleep for Waits {
    fn sleep(&self, duration: Duration) -> Sleep {
        let pace = self.0.clone();
        Sleep::new(async move { pace.sleep(duration).await })
    }
}

/// The request without the SDK's types, its body read.
async fn plain(mut request: HttpRequest) -> Result<hyper::Request<Bytes>, ConnectorError> {
    let not_sent = |error: BoxError| ConnectorError::other(error, None);
    let body = ByteStream::new(request.take_body()).collect().await.map_err(|error| not_sent(error.into()))?;
    let mut plain = hyper::Request::builder().method(request.method()).uri(request.uri());
    for (name, value) in request.headers() {
        plain = plain.header(name, value);
    }
    plain.body(body.into_bytes()).map_err(|error| not_sent(error.into()))
}

/// Method, host and path, and the operation where the protocol has it in a header.
fn describe(request: &HttpRequest) -> String {
    let address = request.uri().split('?').next().unwrap_or_default();
    let operation = request.headers().get("x-amz-target").map(|target| format!(" {target}")).unwrap_or_default();
    format!("{} {address}{operation}", request.method())
}
