//! Trigger configurations: topics that hear of a deployment's beginning and end.

use std::sync::Arc;

use serde_json::{Value, json};

use super::model::{Deployment, Group, Status};
use crate::sandbox::http::Request;
use crate::sandbox::router::ServiceName;
use crate::sandbox::state::World;

/// The event of a status, in the words of `triggerEvents`.
fn event(deployment: &Deployment) -> &'static str {
    match (deployment.status, deployment.undoes.is_some()) {
        (Status::InProgress, true) => "DeploymentRollback",
        (Status::Created | Status::InProgress, _) => "DeploymentStart",
        (Status::Succeeded, _) => "DeploymentSuccess",
        (Status::Failed, _) => "DeploymentFailure",
        (Status::Stopped, _) => "DeploymentStop",
    }
}

/// Tells the group's topics that a deployment has this status now. A topic that is not there hears
/// nothing; the deployment goes on.
pub(super) async fn tell(world: &Arc<World>, account: &str, region: &str, group: &Group, deployment: &Deployment) {
    let event = event(deployment);
    let triggers = group.settings.get("triggerConfigurations").and_then(Value::as_array);
    for trigger in triggers.into_iter().flatten() {
        let events = trigger["triggerEvents"].as_array().into_iter().flatten();
        let wanted = events.into_iter().any(|name| name.as_str() == Some(event));
        let Some(topic) = trigger["triggerTargetArn"].as_str().filter(|_| wanted) else { continue };
        let status = deployment.status.word().to_uppercase();
        let message = json!({
            "region": region,
            "accountId": account,
            "eventTriggerName": trigger["triggerName"],
            "applicationName": deployment.application,
            "deploymentId": deployment.id,
            "deploymentGroupName": deployment.group,
            "status": status,
        });
        let subject = format!("{status}: AWS CodeDeploy {} in {region} to {}", deployment.id, deployment.application);
        let fields =
            [("TopicArn", topic), ("Subject", &subject[..subject.len().min(99)]), ("Message", &message.to_string())];
        let request = Request::form("Publish", &fields, account, region);
        let answer = world.call(ServiceName::Sns, request).await;
        if !answer.is_success() {
            tracing::warn!(topic, "a topic was not told of a deployment: {}", answer.body_text());
        }
    }
}
