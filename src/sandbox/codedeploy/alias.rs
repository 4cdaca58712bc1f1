//! The alias that a deployment moves, through Lambda's own API.

use std::sync::Arc;

use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::spec::Spec;
use crate::sandbox::http::{Request, Response};
use crate::sandbox::router::ServiceName;
use crate::sandbox::state::World;

/// What an alias says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alias {
    pub(super) version: String,
    /// The additional version.
    pub(super) additional: Option<String>,
}

/// The way to Lambda, as the account that deploys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lambda<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl Lambda<'_> {
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let mut request = Request::new(method, path, self.account, self.region);
        if let Some(body) = body {
            request.body = body.to_string().into();
        }
        self.world.call(ServiceName::Lambda, request).await
    }

    fn path(spec: &Spec) -> String {
        format!("/2015-03-31/functions/{}/aliases/{}", escaped(&spec.function), escaped(&spec.alias))
    }

    /// Reads the alias; `None` where it is not there.
    pub(super) async fn read(&self, spec: &Spec) -> Option<Alias> {
        let answer = self.call(Method::GET, &Self::path(spec), None).await;
        if !answer.is_success() {
            return None;
        }
        let body = answer.body_json();
        let weights = body["RoutingConfig"]["AdditionalVersionWeights"].as_object();
        let additional = weights.into_iter().flatten().find(|(_, weight)| weight.as_f64() > Some(0.0));
        Some(Alias {
            version: body["FunctionVersion"].as_str()?.to_owned(),
            additional: additional.map(|(version, _)| version.clone()),
        })
    }

    /// Writes it: a version, and perhaps another one with its share in per cent.
    pub(super) async fn write(&self, spec: &Spec, version: &str, extra: Option<(&str, u32)>) -> Result<(), String> {
        let weights = match extra {
            Some((other, percent)) => json!({ other: f64::from(percent) / 100.0 }),
            None => json!({}),
        };
        let body = json!({"FunctionVersion": version, "RoutingConfig": {"AdditionalVersionWeights": weights}});
        let answer = self.call(Method::PUT, &Self::path(spec), Some(&body)).await;
        if answer.is_success() {
            return Ok(());
        }
        let said = answer.body_json();
        let message = said["message"].as_str().or_else(|| said["Message"].as_str());
        Err(message.map_or_else(|| answer.body_text(), str::to_owned))
    }

    /// Whether a version exists.
    pub(super) async fn has_version(&self, spec: &Spec, version: &str) -> bool {
        let path =
            format!("/2015-03-31/functions/{}/configuration?Qualifier={}", escaped(&spec.function), escaped(version));
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let mut request = Request::new(Method::GET, path, self.account, self.region);
        request.query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        self.world.call(ServiceName::Lambda, request).await.is_success()
    }

    /// Invokes a function and waits for its end: why it failed.
    pub(super) async fn invoke(&self, function: &str, event: &Value) -> Result<(), String> {
        let path = format!("/2015-03-31/functions/{}/invocations", escaped(function));
        let answer = self.call(Method::POST, &path, Some(event)).await;
        if !answer.is_success() {
            return Err(format!("{function} could not be invoked: {}", answer.body_text()));
        }
        if answer.headers.contains_key("x-amz-function-error") {
            return Err(format!("{function} ended in an error: {}", answer.body_text()));
        }
        Ok(())
    }
}
