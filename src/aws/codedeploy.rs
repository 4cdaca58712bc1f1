//! CodeDeploy: the deployments that move an alias inside AWS. samara looks at them and stops them; it
//! makes none.

use aws_sdk_codedeploy::Client;
use aws_sdk_codedeploy::types::{DeploymentStatus, TimeRange};
use aws_smithy_types::DateTime;

use super::{Aws, Error};

const SERVICE: &str = "codedeploy";

/// A client for CodeDeploy.
#[derive(Clone, Debug)]
pub struct CodeDeploy {
    client: Client,
}

/// A deployment as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployment {
    /// `d-…`.
    pub id: String,
    /// `InProgress`, `Succeeded`, …, in CodeDeploy's words.
    pub status: String,
    /// CodeDeploy's code, such as `ALARM_ACTIVE`, and its text, where it did not succeed.
    pub error: Option<(String, String)>,
    /// The deployment that rolls this one back.
    pub rolled_back_by: Option<String>,
    /// Its deployment configuration.
    pub config: String,
}

/// What a deployment moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The version that served.
    pub current: String,
    /// The version that is to serve.
    pub target: String,
}

/// How the traffic moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// At once.
    AllAtOnce,
    /// A share, and after so many minutes the rest.
    Canary {
        /// The share, in per cent.
        percent: i32,
        /// How long it stays.
        minutes: i32,
    },
    /// The same share again and again.
    Linear {
        /// The share, in per cent.
        percent: i32,
        /// Between two of them.
        minutes: i32,
    },
}

/// What a request to stop a deployment was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopAnswer {
    /// It is being stopped, or was.
    Stopping,
    /// It was over before.
    Over,
}

impl Deployment {
    /// Whether it is over, whichever way.
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "Succeeded" | "Failed" | "Stopped")
    }

    /// Whether it did what it was to do.
    pub fn is_success(&self) -> bool {
        self.status == "Succeeded"
    }
}

impl Aws {
    /// A client for CodeDeploy.
    pub fn codedeploy(&self) -> CodeDeploy {
        CodeDeploy { client: Client::new(self.sdk()) }
    }
}

impl CodeDeploy {
    /// `ListDeployments` of a group since a time in seconds since 1970: the newest first, one page.
    ///
    /// # Errors
    /// The call failed.
    pub async fn deployments(&self, application: &str, group: &str, since_s: i64) -> Result<Vec<String>, Error> {
        let range = TimeRange::builder().start(DateTime::from_secs(since_s)).build();
        let answer = self
            .client
            .list_deployments()
            .application_name(application)
            .deployment_group_name(group)
            .create_time_range(range)
            .send()
            .await
            .map_err(|error| Error::from_sdk(SERVICE, "ListDeployments", format!("{application}/{group}"), &error))?;
        Ok(answer.deployments.unwrap_or_default())
    }

    /// `GetDeployment`.
    ///
    /// # Errors
    /// The call failed, or there is no such deployment.
    pub async fn deployment(&self, id: &str) -> Result<Deployment, Error> {
        let answer = self
            .client
            .get_deployment()
            .deployment_id(id)
            .send()
            .await
            .map_err(|error| Error::from_sdk(SERVICE, "GetDeployment", id, &error))?;
        let info = answer.deployment_info;
        let info = info.as_ref();
        let error = info.and_then(|info| info.error_information()).map(|error| {
            let code = error.code().map_or_else(String::new, |code| code.as_str().to_owned());
            (code, error.message().unwrap_or_default().to_owned())
        });
        Ok(Deployment {
            id: id.to_owned(),
            status: info.and_then(|info| info.status()).map_or("", DeploymentStatus::as_str).to_owned(),
            error,
            config: info.and_then(|info| info.deployment_config_name()).unwrap_or_default().to_owned(),
            rolled_back_by: info
                .and_then(|info| info.rollback_info())
                .and_then(|rollback| rollback.rollback_deployment_id())
                .filter(|id| !id.is_empty())
                .map(str::to_owned),
        })
    }

    /// The versions that a deployment of one alias moves it between; `None` while it has none to tell.
    ///
    /// # Errors
    /// A call failed.
    pub async fn target(&self, id: &str, function: &str, alias: &str) -> Result<Option<Target>, Error> {
        let answer =
            self.client.get_deployment_target().deployment_id(id).target_id(format!("{function}:{alias}")).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let error = Error::from_sdk(SERVICE, "GetDeploymentTarget", id, &error);
                let not_yet = ["DeploymentNotStartedException", "DeploymentTargetDoesNotExistException"];
                return match error.code.as_deref() {
                    Some(code) if not_yet.contains(&code) => Ok(None),
                    _ => Err(error),
                };
            }
        };
        let info = answer.deployment_target.and_then(|target| target.lambda_target?.lambda_function_info);
        Ok(info.and_then(|info| Some(Target { current: info.current_version?, target: info.target_version? })))
    }

    /// How a deployment configuration of Lambda moves the traffic.
    ///
    /// # Errors
    /// The call failed, or there is no such configuration.
    pub async fn routing(&self, config: &str) -> Result<Routing, Error> {
        let answer = self
            .client
            .get_deployment_config()
            .deployment_config_name(config)
            .send()
            .await
            .map_err(|error| Error::from_sdk(SERVICE, "GetDeploymentConfig", config, &error))?;
        let routing = answer.deployment_config_info.and_then(|info| info.traffic_routing_config);
        let (canary, linear) =
            routing.map(|routing| (routing.time_based_canary, routing.time_based_linear)).unwrap_or_default();
        Ok(match (canary, linear) {
            (Some(canary), _) => Routing::Canary { percent: canary.canary_percentage, minutes: canary.canary_interval },
            (_, Some(linear)) => Routing::Linear { percent: linear.linear_percentage, minutes: linear.linear_interval },
            _ => Routing::AllAtOnce,
        })
    }

    /// `StopDeployment` with a rollback. Asking twice is asking once.
    ///
    /// # Errors
    /// The call failed.
    pub async fn stop(&self, id: &str) -> Result<StopAnswer, Error> {
        let answer = self.client.stop_deployment().deployment_id(id).auto_rollback_enabled(true).send().await;
        match answer {
            Ok(_) => Ok(StopAnswer::Stopping),
            Err(error) => {
                let error = Error::from_sdk(SERVICE, "StopDeployment", id, &error);
                if error.code.as_deref() == Some("DeploymentAlreadyCompletedException") {
                    return Ok(StopAnswer::Over);
                }
                Err(error)
            }
        }
    }
}
