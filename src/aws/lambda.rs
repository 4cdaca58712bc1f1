//! Lambda: aliases and published versions. Writes of an alias carry the revision that they are
//! written over and are made once; who retries has to look first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_lambda::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_lambda::error::BoxError;
use aws_sdk_lambda::primitives::{Blob, DateTime, DateTimeFormat};
use aws_sdk_lambda::types::{AliasRoutingConfiguration, LogType};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use time::OffsetDateTime;

use super::{Aws, Error, ErrorKind};

/// Lambda's longest timeout is 15 minutes; a cold start comes before it.
const LONGEST_INVOCATION: Duration = Duration::from_secs(16 * 60);
const SERVICE: &str = "lambda";
/// The control plane answers within a second; a write that takes longer is read back instead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// A page has 50 versions.
const MOST_PAGES: usize = 200;

/// A client for Lambda's control plane.
#[derive(Clone, Debug)]
pub struct Lambda {
    client: Client,
}

/// An alias as Lambda gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// `FunctionVersion`.
    pub version: String,
    /// `AdditionalVersionWeights`: version and fraction of 0.0 to 1.0.
    pub weights: Vec<(String, f64)>,
    /// `RevisionId`.
    pub revision: String,
    /// When Lambda answered, by its own clock.
    pub answered_at: Option<OffsetDateTime>,
}

/// Remembers the `Date` header of the answer: wall time comes from the service, not from this
/// machine.
#[derive(Clone, Debug, Default)]
struct AnswerDate(Arc<Mutex<Option<OffsetDateTime>>>);

impl Intercept for AnswerDate {
    fn name(&self) -> &'static str {
        "AnswerDate"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let text = context.response().headers().get("date");
        let stamp = text.and_then(|text| DateTime::from_str(text, DateTimeFormat::HttpDate).ok());
        let date = stamp.and_then(|stamp| OffsetDateTime::from_unix_timestamp(stamp.secs()).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

/// A version's configuration, as far as anything here depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// The version, or `$LATEST`.
    pub version: String,
    /// Its ARN, with the version.
    pub arn: String,
    /// The execution role's ARN.
    pub role: String,
    /// The dead-letter target's ARN; empty for none.
    pub dead_letter: String,
    /// `CodeSha256`.
    pub code_sha256: String,
    /// Timeout in seconds.
    pub timeout_s: u64,
    /// `Pending`, `Active`, `Inactive`, `Failed`; empty where Lambda does not say.
    pub state: String,
    /// Why, in Lambda's words.
    pub state_reason: String,
    /// `InProgress`, `Successful`, `Failed`; empty where Lambda does not say.
    pub last_update: String,
    /// When it was published, as Lambda writes it.
    pub last_modified: String,
    /// Its description.
    pub description: String,
}

impl Aws {
    /// A client for Lambda.
    pub fn lambda(&self) -> Lambda {
        Lambda { client: Client::new(self.sdk()) }
    }
}

impl Lambda {
    /// `GetAlias`; `None` when function or alias is not there.
    ///
    /// # Errors
    /// The call failed.
    pub async fn alias(&self, function: &str, alias: &str) -> Result<Option<Alias>, Error> {
        let date = AnswerDate::default();
        let call = self.client.get_alias().function_name(function).name(alias).customize();
        let answer = call.interceptor(date.clone()).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let error = Error::from_sdk(SERVICE, "GetAlias", format!("{function}:{alias}"), &error);
                return if error.is_not_found() { Ok(None) } else { Err(error) };
            }
        };
        let weights = weights(answer.routing_config);
        let (Some(version), Some(revision)) = (answer.function_version, answer.revision_id) else {
            return Err(incomplete("GetAlias", function, alias));
        };
        let answered_at = *date.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Some(Alias { version, weights, revision, answered_at }))
    }

    /// `UpdateAlias` over the revision `expect`, once; gives the new revision. The routing is always
    /// sent whole: whether leaving it out clears it is not documented, an empty one does.
    ///
    /// # Errors
    /// [`ErrorKind::PreconditionFailed`] when the revision is stale; [`ErrorKind::NoAnswer`] and
    /// [`ErrorKind::Service`] when it may have taken effect.
    pub async fn update_alias(
        &self,
        function: &str,
        alias: &str,
        expect: &str,
        version: &str,
        weights: &[(String, f64)],
    ) -> Result<String, Error> {
        let weights: HashMap<String, f64> = weights.iter().cloned().collect();
        let once = aws_sdk_lambda::config::Builder::new().retry_config(RetryConfig::disabled()).timeout_config(
            TimeoutConfig::builder().operation_timeout(WRITE_TIMEOUT).operation_attempt_timeout(WRITE_TIMEOUT).build(),
        );
        let answer = self
            .client
            .update_alias()
            .function_name(function)
            .name(alias)
            .function_version(version)
            .routing_config(AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build())
            .revision_id(expect)
            .customize()
            .config_override(once)
            .send()
            .await
            .map_err(|error| Error::from_sdk(SERVICE, "UpdateAlias", format!("{function}:{alias}"), &error))?;
        answer.revision_id.ok_or_else(|| incomplete("UpdateAlias", function, alias))
    }

    /// `GetFunctionConfiguration` of a version (or alias); `None` when it is not there.
    ///
    /// # Errors
    /// The call failed.
    pub async fn configuration(&self, function: &str, qualifier: &str) -> Result<Option<Configuration>, Error> {
        let answer = self.client.get_function_configuration().function_name(function).qualifier(qualifier).send().await;
        match answer {
            Ok(answer) => Ok(Some(Configuration {
                version: answer.version.unwrap_or_default(),
                arn: answer.function_arn.unwrap_or_default(),
                role: answer.role.unwrap_or_default(),
                dead_letter: answer.dead_letter_config.and_then(|config| config.target_arn).unwrap_or_default(),
                code_sha256: answer.code_sha256.unwrap_or_default(),
                timeout_s: answer.timeout.and_then(|timeout| u64::try_from(timeout).ok()).unwrap_or(900),
                state: answer.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
                state_reason: answer.state_reason.unwrap_or_default(),
                last_update: answer.last_update_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
                last_modified: answer.last_modified.unwrap_or_default(),
                description: answer.description.unwrap_or_default(),
            })),
            Err(error) => {
                let resource = format!("{function}:{qualifier}");
                let error = Error::from_sdk(SERVICE, "GetFunctionConfiguration", resource, &error);
                if error.is_not_found() { Ok(None) } else { Err(error) }
            }
        }
    }

    /// The published versions, as `ListVersionsByFunction` gives them, `$LATEST` left out.
    ///
    /// # Errors
    /// The call failed.
    pub async fn versions(&self, function: &str) -> Result<Vec<Configuration>, Error> {
        let mut versions = Vec::new();
        let mut marker = None;
        for _ in 0..MOST_PAGES {
            let answer = self
                .client
                .list_versions_by_function()
                .function_name(function)
                .set_marker(marker.take())
                .send()
                .await
                .map_err(|error| Error::from_sdk(SERVICE, "ListVersionsByFunction", function, &error))?;
            for version in answer.versions.unwrap_or_default() {
                versions.push(Configuration {
                    version: version.version.unwrap_or_default(),
                    role: version.role.unwrap_or_default(),
                    dead_letter: version.dead_letter_config.and_then(|config| config.target_arn).unwrap_or_default(),
                    code_sha256: version.code_sha256.unwrap_or_default(),
                    timeout_s: version.timeout.and_then(|timeout| u64::try_from(timeout).ok()).unwrap_or(900),
                    last_modified: version.last_modified.unwrap_or_default(),
                    description: version.description.unwrap_or_default(),
                    ..Configuration::default()
                });
            }
            marker = answer.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                break;
            }
        }
        versions.retain(|version| version.version != "$LATEST");
        Ok(versions)
    }

    /// The function's aliases by name, as `ListAliases` gives them.
    ///
    /// # Errors
    /// The call failed.
    pub async fn aliases(&self, function: &str) -> Result<Vec<(String, Alias)>, Error> {
        let mut aliases = Vec::new();
        let mut marker = None;
        for _ in 0..MOST_PAGES {
            let answer = self
                .client
                .list_aliases()
                .function_name(function)
                .set_marker(marker.take())
                .send()
                .await
                .map_err(|error| Error::from_sdk(SERVICE, "ListAliases", function, &error))?;
            for alias in answer.aliases.unwrap_or_default() {
                let found = Alias {
                    version: alias.function_version.unwrap_or_default(),
                    weights: weights(alias.routing_config),
                    revision: alias.revision_id.unwrap_or_default(),
                    answered_at: None,
                };
                aliases.push((alias.name.unwrap_or_default(), found));
            }
            marker = answer.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                break;
            }
        }
        Ok(aliases)
    }

    /// Deletes one published version. Lambda refuses while an alias routes to it.
    ///
    /// # Errors
    /// The call failed; a version that is gone already is none.
    pub async fn delete_version(&self, function: &str, version: &str) -> Result<(), Error> {
        let answer = self.client.delete_function().function_name(function).qualifier(version).send().await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = Error::from_sdk(SERVICE, "DeleteFunction", format!("{function}:{version}"), &error);
                if error.is_not_found() { Ok(()) } else { Err(error) }
            }
        }
    }

    /// Whether the alias has provisioned concurrency.
    ///
    /// # Errors
    /// The call failed.
    pub async fn is_provisioned(&self, function: &str, alias: &str) -> Result<bool, Error> {
        let answer =
            self.client.get_provisioned_concurrency_config().function_name(function).qualifier(alias).send().await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) => {
                let resource = format!("{function}:{alias}");
                let error = Error::from_sdk(SERVICE, "GetProvisionedConcurrencyConfig", resource, &error);
                if error.is_not_found() { Ok(false) } else { Err(error) }
            }
        }
    }

    /// The status of an alias's provisioned concurrency (`IN_PROGRESS`, `READY`, `FAILED`) and its reason;
    /// `None` where it has none.
    ///
    /// # Errors
    /// The call failed.
    pub async fn provisioned(&self, function: &str, alias: &str) -> Result<Option<(String, String)>, Error> {
        let answer =
            self.client.get_provisioned_concurrency_config().function_name(function).qualifier(alias).send().await;
        match answer {
            Ok(found) => {
                Ok(found.status.map(|status| (status.as_str().to_owned(), found.status_reason.unwrap_or_default())))
            }
            Err(error) => {
                let resource = format!("{function}:{alias}");
                let error = Error::from_sdk(SERVICE, "GetProvisionedConcurrencyConfig", resource, &error);
                if error.is_not_found() { Ok(None) } else { Err(error) }
            }
        }
    }
}

/// What feeds a function or alias from a queue or a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSource {
    /// The queue's, stream's or topic's ARN; empty for a broker of the user's own.
    pub arn: String,
    /// `Enabled`, `Disabled`, …
    pub state: String,
}

impl Lambda {
    /// `ListEventSourceMappings` of an alias.
    ///
    /// # Errors
    /// The call failed.
    pub async fn event_sources(&self, function: &str, alias: &str) -> Result<Vec<EventSource>, Error> {
        let resource = format!("{function}:{alias}");
        let mut sources = Vec::new();
        let mut marker = None;
        for _ in 0..MOST_PAGES {
            let answer = self
                .client
                .list_event_source_mappings()
                .function_name(&resource)
                .set_marker(marker.take())
                .send()
                .await
                .map_err(|error| Error::from_sdk(SERVICE, "ListEventSourceMappings", &resource, &error))?;
            sources.extend(answer.event_source_mappings.unwrap_or_default().into_iter().map(|found| EventSource {
                arn: found.event_source_arn.unwrap_or_default(),
                state: found.state.unwrap_or_default(),
            }));
            marker = answer.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                break;
            }
        }
        Ok(sources)
    }

    /// `GetPolicy` of a version or alias; `None` when it has none.
    ///
    /// # Errors
    /// The call failed.
    pub async fn policy(&self, function: &str, qualifier: &str) -> Result<Option<String>, Error> {
        match self.client.get_policy().function_name(function).qualifier(qualifier).send().await {
            Ok(answer) => Ok(answer.policy),
            Err(error) => {
                let error = Error::from_sdk(SERVICE, "GetPolicy", format!("{function}:{qualifier}"), &error);
                if error.is_not_found() { Ok(None) } else { Err(error) }
            }
        }
    }
}

/// What an invocation gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The version that ran (`X-Amz-Executed-Version`).
    pub executed_version: String,
    /// `Handled` or `Unhandled` when the function ended with an error.
    pub function_error: Option<String>,
    /// What it answered.
    pub payload: Vec<u8>,
    /// The last 4 KB of its log.
    pub log_tail: String,
}

impl Lambda {
    /// `Invoke`, waiting for the answer; once, since the function may have done its work.
    ///
    /// # Errors
    /// It was not invoked, or there was no answer. An error of the function is an answer.
    pub async fn invoke(&self, function: &str, qualifier: &str, payload: &[u8]) -> Result<Invocation, Error> {
        use base64::Engine as _;
        let longest = TimeoutConfig::builder().read_timeout(LONGEST_INVOCATION).operation_timeout(LONGEST_INVOCATION);
        let once = aws_sdk_lambda::config::Builder::new()
            .retry_config(RetryConfig::disabled())
            .timeout_config(longest.build());
        let answer = self
            .client
            .invoke()
            .function_name(function)
            .qualifier(qualifier)
            .log_type(LogType::Tail)
            .payload(Blob::new(payload))
            .customize()
            .config_override(once)
            .send()
            .await
            .map_err(|error| Error::from_sdk(SERVICE, "Invoke", format!("{function}:{qualifier}"), &error))?;
        let log = answer.log_result.and_then(|log| base64::engine::general_purpose::STANDARD.decode(log).ok());
        Ok(Invocation {
            executed_version: answer.executed_version.unwrap_or_default(),
            function_error: answer.function_error,
            payload: answer.payload.map(Blob::into_inner).unwrap_or_default(),
            log_tail: String::from_utf8_lossy(&log.unwrap_or_default()).into_owned(),
        })
    }
}

fn weights(routing: Option<AliasRoutingConfiguration>) -> Vec<(String, f64)> {
    routing.and_then(|routing| routing.additional_version_weights).unwrap_or_default().into_iter().collect()
}

fn incomplete(operation: &'static str, function: &str, alias: &str) -> Error {
    Error {
        service: SERVICE,
        operation,
        resource: format!("{function}:{alias}"),
        kind: ErrorKind::NotAnAwsAnswer,
        code: None,
        message: "the answer has no version or no revision".to_owned(),
        request_id: None,
        status: None,
    }
}
