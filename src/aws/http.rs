//! The one HTTP client of all services, and what `--debug` tells of its calls.

use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::config_bag::ConfigBag;
use tokio::time::Instant;

use super::{ConfigError, Settings};

/// The SDK's own client reads neither `HTTPS_PROXY`/`NO_PROXY` nor `AWS_CA_BUNDLE`; pipelines need both.
pub(super) fn client(settings: &Settings) -> Result<SharedHttpClient, ConfigError> {
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
            return self.0.call(request);
        }
        let what = describe(&request);
        let started = Instant::now();
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await;
            let took: Duration = started.elapsed();
            match &answer {
                Ok(response) => tracing::debug!("{what}: {} in {took:.1?}", response.status().as_u16()),
                Err(error) => tracing::debug!("{what}: no answer after {took:.1?}: {error:?}"),
            }
            answer
        })
    }
}

/// Method, host and path, and the operation where the protocol has it in a header.
fn describe(request: &HttpRequest) -> String {
    let address = request.uri().split('?').next().unwrap_or_default();
    let operation = request.headers().get("x-amz-target").map(|target| format!(" {target}")).unwrap_or_default();
    format!("{} {address}{operation}", request.method())
}
