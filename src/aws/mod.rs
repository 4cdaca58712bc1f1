//! What samara needs of AWS: configuration, one HTTP client, and a file a service whose methods
//! take and give our own types. The SDK's types stop here.

pub mod cloudformation;
pub mod cloudwatch;
pub mod codedeploy;
pub mod error;
mod http;
pub mod lambda;
pub mod s3;
pub mod sns;

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_types::service_config::ServiceConfigKey;
use tokio::sync::OnceCell;

pub use error::{Error, ErrorKind};
pub use http::{Lost, Wire, WireFuture};

/// How AWS is reached. What is `None` comes from the environment and the profile, as in every SDK.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Region, such as `eu-central-1`.
    pub region: Option<String>,
    /// Profile of `~/.aws/config`.
    pub profile: Option<String>,
    /// Endpoint for every service, such as the sandbox's.
    pub endpoint_url: Option<String>,
    /// Key id and secret that go before every other source; the sandbox's made-up ones.
    pub static_credentials: Option<(String, String)>,
    /// PEM file with further certificate authorities (`AWS_CA_BUNDLE`).
    pub ca_bundle: Option<std::path::PathBuf>,
    /// What answers in place of the network.
    pub wire: Option<Arc<dyn Wire>>,
}

/// A connection to AWS: cheap to clone, nothing is sent before the first call.
#[derive(Clone, Debug)]
pub struct Aws {
    sdk: SdkConfig,
    account: Arc<OnceCell<Identity>>,
}

/// Who the calls are made as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Account of twelve digits.
    pub account: String,
    /// The principal's ARN.
    pub arn: String,
}

/// The services that are called, as the SDK names them.
const SERVICES: [&str; 7] = ["S3", "Lambda", "CloudFormation", "CloudWatch", "CodeDeploy", "STS", "SNS"];

/// What is wrong with the configuration, before any call.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No region anywhere.
    #[error("no AWS region is configured")]
    NoRegion,
    /// A region that is none; it would become part of a host name.
    #[error("{0:?} is not an AWS region")]
    BadRegion(String),
    /// An endpoint that is none. It is not shown: it may carry a password.
    #[error(
        "the endpoint that is configured (AWS_ENDPOINT_URL, or `endpoint_url` of the profile) is not an http or https URL"
    )]
    BadEndpoint,
    /// The CA bundle cannot be used.
    #[error("cannot use the CA bundle {path}: {reason}")]
    CaBundle {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        reason: String,
    },
}

impl crate::hint::Hint for ConfigError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoRegion => vec![
                "Give --region, set AWS_REGION, put `region` into samconfig.toml or your profile, or add --sandbox."
                    .to_owned(),
            ],
            Self::BadRegion(_) => vec!["A region looks like eu-central-1.".to_owned()],
            Self::BadEndpoint => vec!["An endpoint looks like http://127.0.0.1:4566.".to_owned()],
            Self::CaBundle { .. } => vec!["AWS_CA_BUNDLE must name a file of PEM certificates.".to_owned()],
        }
    }
}

impl Aws {
    /// Resolves the configuration. Sends nothing, except where the credentials' own source needs it
    /// at the first call.
    ///
    /// # Errors
    /// A missing or impossible region; an unreadable CA bundle.
    pub async fn connect(settings: &Settings) -> Result<Self, ConfigError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http::client(settings)?)
            .retry_config(RetryConfig::standard().with_max_attempts(5))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .read_timeout(Duration::from_secs(20))
                    .operation_timeout(Duration::from_secs(60))
                    .build(),
            );
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(endpoint) = &settings.endpoint_url {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(wire) = &settings.wire {
            loader = loader.sleep_impl(http::Waits(wire.pace()));
        }
        if let Some((id, secret)) = &settings.static_credentials {
            loader = loader.credentials_provider(aws_credential_types::Credentials::new(
                id,
                secret,
                None,
                None,
                "samara sandbox",
            ));
        }
        let sdk = loader.load().await;
        // A variable that is set to nothing is not set.
        let region = sdk.region().filter(|region| !region.as_ref().is_empty()).ok_or(ConfigError::NoRegion)?;
        if !is_region(region.as_ref()) {
            return Err(ConfigError::BadRegion(region.to_string()));
        }
        let aws = Self { sdk, account: Arc::new(OnceCell::new()) };
        if SERVICES.iter().filter_map(|service| aws.endpoint_of(service)).any(|url| !is_endpoint(&url)) {
            return Err(ConfigError::BadEndpoint);
        }
        Ok(aws)
    }

    /// The region of every call.
    pub fn region(&self) -> &str {
        self.sdk.region().map_or("", AsRef::as_ref)
    }

    /// The endpoint that replaces AWS's own for every service, when one is set.
    pub fn endpoint_url(&self) -> Option<&str> {
        self.sdk.endpoint_url()
    }

    /// The endpoint that replaces AWS's own for a service, as its SDK finds it: what was set for this
    /// connection, then `AWS_ENDPOINT_URL_<SERVICE>`, then `AWS_ENDPOINT_URL`, and the same of the profile.
    pub(in crate::aws) fn endpoint_of(&self, service_id: &str) -> Option<String> {
        let general = || self.sdk.endpoint_url().map(str::to_owned);
        if self.sdk.get_origin("endpoint_url").is_client_config() {
            return general();
        }
        let key =
            ServiceConfigKey::builder().service_id(service_id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
        let own = self.sdk.service_config().zip(key.ok()).and_then(|(config, key)| config.load_config(key));
        own.or_else(general)
    }

    /// The SDK's configuration, for the service files beside this one.
    pub(in crate::aws) fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// When the credentials of now end; `None` where they do not, or where there are none. Whether their
    /// source gives new ones then is not known.
    pub async fn credentials_end(&self) -> Option<std::time::SystemTime> {
        use aws_credential_types::provider::ProvideCredentials;
        self.sdk.credentials_provider()?.provide_credentials().await.ok()?.expiry()
    }

    /// Who the calls are made as: asked of STS once.
    ///
    /// # Errors
    /// `GetCallerIdentity` failed, most often for want of credentials.
    pub async fn identity(&self) -> Result<&Identity, Error> {
        self.account
            .get_or_try_init(|| async {
                let answer = aws_sdk_sts::Client::new(&self.sdk)
                    .get_caller_identity()
                    .send()
                    .await
                    .map_err(|error| Error::from_sdk("sts", "GetCallerIdentity", "of the caller", &error))?;
                Ok(Identity {
                    account: answer.account().unwrap_or_default().to_owned(),
                    arn: answer.arn().unwrap_or_default().to_owned(),
                })
            })
            .await
    }
}

/// Whether requests can be sent there: `http` or `https`, a host, perhaps a port and a path.
fn is_endpoint(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !host.is_empty() && !host.starts_with(':') && url.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The time that an upload may take: what any call may, and what a slow line of 64 KiB/s needs.
pub(in crate::aws) fn upload_timeouts(size_bytes: u64) -> TimeoutConfig {
    let once = Duration::from_secs(60 + size_bytes / (64 << 10));
    TimeoutConfig::builder().read_timeout(once).operation_timeout(once * 3).build()
}

/// `^[a-z]{2,4}(-[a-z]+)+-\d+$`: what may become part of a host name.
pub fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return false };
    let lower = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    (2..=4).contains(&first.len())
        && lower(first)
        && !middle.is_empty()
        && middle.iter().all(|part| lower(part))
        && !last.is_empty()
        && last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{is_endpoint, is_region};

    #[test]
    fn an_endpoint_is_a_url() {
        for good in ["http://127.0.0.1:4566", "https://s3.example.com/path", "http://[::1]:80"] {
            assert!(is_endpoint(good), "{good}");
        }
        for bad in ["", "nonsense", "ftp://x", "http://", "http://:80", "http://a b", "http:///x"] {
            assert!(!is_endpoint(bad), "{bad}");
        }
    }

    #[test]
    fn a_region_cannot_smuggle_a_host() {
        for good in ["eu-central-1", "us-gov-west-1", "cn-north-1", "ap-southeast-12", "eusc-de-east-1"] {
            assert!(is_region(good), "{good}");
        }
        for bad in ["", "eu", "eu-1", "eu-central-", "evil.example/eu-central-1", "EU-central-1", "eu-central-1\n"] {
            assert!(!is_region(bad), "{bad}");
        }
    }
}
