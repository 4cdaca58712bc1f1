//! An alias with `UpdatePolicy: CodeDeployLambdaAliasUpdate`: its new version comes by a deployment,
//! which CloudFormation begins and waits for
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-updatepolicy.html>).

use std::time::Duration;

use serde_json::{Value, json};

use super::Work;
use crate::sandbox::cloudformation::model::Resource;
use crate::sandbox::http::{Request, Response};
use crate::sandbox::router::ServiceName;

/// Between two looks at a deployment, in the sandbox's time.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A deployment may take two days, its hooks two hours more: after three days something hangs.
const LONGEST_S: i64 = 3 * 24 * 60 * 60;

impl Work {
    async fn codedeploy(&self, operation: &str, body: &Value) -> Result<Value, Response> {
        let Some((account, region)) = self.read(|stack| (stack.account.clone(), stack.region.clone())) else {
            return Err(Response::new(404));
        };
        let request = Request::target(&format!("CodeDeploy_20141006.{operation}"), body, &account, &region);
        let answer = self.world.call(ServiceName::CodeDeploy, request).await;
        if answer.is_success() { Ok(answer.body_json()) } else { Err(answer) }
    }

    /// Begins the deployment that moves the alias, and waits for its end: why it did not succeed.
    pub(super) async fn deploy_alias(
        &self,
        id: &str,
        policy: &Value,
        existing: &Resource,
        wanted: &Resource,
        stopped: impl Fn() -> bool,
    ) -> Result<(), String> {
        let text = |resource: &Resource, name: &str| resource.properties.get(name).cloned().unwrap_or_default();
        let hooks = [("BeforeAllowTraffic", "BeforeAllowTrafficHook"), ("AfterAllowTraffic", "AfterAllowTrafficHook")];
        let hooks: Vec<Value> = hooks
            .into_iter()
            .filter_map(|(event, name)| policy.get(name).map(|function| json!({ event: function })))
            .collect();
        let spec = json!({
            "version": 0.0,
            "Resources": [{ id: {"Type": "AWS::Lambda::Function", "Properties": {
                "Name": text(wanted, "FunctionName"),
                "Alias": text(wanted, "Name"),
                "CurrentVersion": text(existing, "FunctionVersion"),
                "TargetVersion": text(wanted, "FunctionVersion"),
            }}}],
            "Hooks": hooks,
        });
        let body = json!({
            "applicationName": policy.get("ApplicationName"),
            "deploymentGroupName": policy.get("DeploymentGroupName"),
            "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": spec.to_string()}},
        });
        let deployment = match self.codedeploy("CreateDeployment", &body).await {
            Ok(answer) => answer["deploymentId"].as_str().unwrap_or_default().to_owned(),
            Err(answer) => return Err(refusal(&answer)),
        };
        self.change(|stack, _| {
            if let Some(record) = stack.resources.get_mut(id) {
                record.deployment = Some(deployment.clone());
            }
        });
        let end = self.await_deployment(&deployment, &stopped).await;
        self.change(|stack, _| stack.resources.get_mut(id).map(|record| record.deployment = None));
        end
    }

    /// Waits until a deployment is over, and the one that rolls it back.
    async fn await_deployment(&self, id: &str, stopped: &impl Fn() -> bool) -> Result<(), String> {
        let mut asked = false;
        for _ in 0..LONGEST_S {
            let info = match self.codedeploy("GetDeployment", &json!({"deploymentId": id})).await {
                Ok(answer) => answer["deploymentInfo"].clone(),
                Err(answer) => return Err(refusal(&answer)),
            };
            match info["status"].as_str() {
                Some("Succeeded") => return Ok(()),
                Some(status @ ("Failed" | "Stopped")) => {
                    if let Some(way_back) = info["rollbackInfo"]["rollbackDeploymentId"].as_str() {
                        // It has no rollback of its own. Whether it succeeds is said by what it leaves.
                        let _ = Box::pin(self.await_deployment(way_back, stopped)).await;
                    }
                    let error = &info["errorInformation"];
                    let (code, message) = (error["code"].as_str(), error["message"].as_str());
                    return Err(format!(
                        "Deployment {id} {}: {} (Error code: {})",
                        status.to_lowercase(),
                        message.unwrap_or_default(),
                        code.unwrap_or_default()
                    ));
                }
                _ => {}
            }
            if stopped() && !asked {
                asked = true;
                let body = json!({"deploymentId": id, "autoRollbackEnabled": true});
                // It may be over by now; then the next look says so.
                let _ = self.codedeploy("StopDeployment", &body).await;
            }
            self.world.clock.sleep(LOOK_EVERY).await;
        }
        Err(format!("Deployment {id} does not end"))
    }

    /// Ends the deployment that an interrupted update left under way, and waits for its rollback.
    pub(super) async fn end_deployment(&self, id: &str) {
        let deployment = self.read(|stack| stack.resources.get(id).and_then(|record| record.deployment.clone()));
        if let Some(deployment) = deployment.flatten() {
            // What it ended with does not matter: the alias is put back either way.
            let _ = self.await_deployment(&deployment, &|| true).await;
            self.change(|stack, _| stack.resources.get_mut(id).map(|record| record.deployment = None));
        }
    }
}

/// An error of CodeDeploy's as the alias's event says it.
fn refusal(answer: &Response) -> String {
    let said = answer.body_json();
    match said["__type"].as_str() {
        // Recorded by users of stacks with many functions.
        Some("DeploymentLimitExceededException") => "A conflicting deployment is in progress".to_owned(),
        code => format!(
            "{} (Service: CodeDeploy, Status Code: {}, Error code: {})",
            said["message"].as_str().unwrap_or_default(),
            answer.status.as_u16(),
            code.unwrap_or_default()
        ),
    }
}
