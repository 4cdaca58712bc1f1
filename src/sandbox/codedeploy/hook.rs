//! Hook functions: invoked with the deployment's name, they say later whether it may go on.

use std::sync::{Arc, PoisonError};

use serde_json::json;

use super::alias::Lambda;
use super::engine::Which;
use super::model::{Deployment, Event, EventStatus};
use super::{Answer, Call, fault};
use crate::sandbox::state::World;

/// What is not answered after an hour has failed
/// (<https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html>).
pub(super) const PATIENCE_MS: i64 = 60 * 60 * 1000;

/// Invokes the function of a lifecycle event, once in this process: one that a restart interrupted
/// is asked again under the same execution.
pub(super) fn invoke(world: &Arc<World>, owner: &str, one: &Deployment, which: Which, function: &str, execution: &str) {
    let service = &world.codedeploy;
    if !service.invoked.lock().unwrap_or_else(PoisonError::into_inner).insert(execution.to_owned()) {
        return;
    }
    let event = json!({"DeploymentId": one.id, "LifecycleEventHookExecutionId": execution});
    let (world, owner, id, function) = (Arc::clone(world), owner.to_owned(), one.id.clone(), function.to_owned());
    tokio::spawn(async move {
        let (account, region) = owner.split_once(':').unwrap_or_default();
        let result = Lambda { world: &world, account, region }.invoke(&function, &event).await;
        let Err(message) = result else { return };
        // It can never answer now; what it said before it failed stays.
        world.codedeploy.state.write(|state| {
            let found =
                state.owners.get_mut(&owner).and_then(|owned| owned.deployments.iter_mut().find(|d| d.id == id));
            if let Some(deployment) = found {
                let event = which.of_mut(deployment);
                if event.answer.is_none() {
                    event.answer = Some(false);
                    event.message = Some(message);
                }
            }
        });
    });
}

/// `PutLifecycleEventHookExecutionStatus`.
pub(super) fn put_status(call: &Call<'_>) -> Answer {
    let id = call.required("deploymentId", "DeploymentId")?;
    let execution = call.text("lifecycleEventHookExecutionId").unwrap_or_default().to_owned();
    let wrong_status =
        || fault("InvalidLifecycleEventHookExecutionStatusException", "The status must be either Succeeded or Failed");
    let passed = match call.text("status") {
        Some("Succeeded") => true,
        Some("Failed") => false,
        _ => return Err(wrong_status()),
    };
    call.write(|owned| {
        let deployment = super::deployment::find_mut(owned, &id)?;
        let is_over = !deployment.status.is_active();
        let is_it = |event: &Event| event.execution_id.as_deref() == Some(execution.as_str());
        let event = [&mut deployment.before, &mut deployment.after].into_iter().find(|event| is_it(event));
        let Some(event) = event.filter(|_| !execution.is_empty()) else {
            let text = "The lifecycle event hook execution ID is not valid";
            return Err(fault("InvalidLifecycleEventHookExecutionIdException", text));
        };
        if is_over || event.status != Some(EventStatus::Running) || event.answer.is_some() {
            let text = "The lifecycle event is already completed";
            return Err(fault("LifecycleEventAlreadyCompletedException", text));
        }
        event.answer = Some(passed);
        event.message = (!passed).then(|| "The validation function answered Failed".to_owned());
        Ok(json!({"lifecycleEventHookExecutionId": execution}))
    })
}
