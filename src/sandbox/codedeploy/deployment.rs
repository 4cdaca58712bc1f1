//! The operations on deployments.

use hyper::Method;
use serde_json::{Value, json};

use super::model::{Deployment, Event, Owned, Revision, Stage, Status, Stop};
use super::spec::Spec;
use super::{Answer, Call, application, config, fault, routing};
use crate::sandbox::http::Request;
use crate::sandbox::query::Fault;
use crate::sandbox::router::ServiceName;

/// Deployments of one BatchGetDeployments.
const MAX_BATCH: usize = 25;

/// `d-` and nine letters and digits.
pub(super) fn new_id() -> String {
    const LETTERS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let bytes: [u8; 9] = rand::random();
    let letters = bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
    "d-".chars().chain(letters).collect()
}

fn missing(id: &str) -> Fault {
    fault("DeploymentDoesNotExistException", format!("The deployment {id} could not be found"))
}

fn find<'a>(owned: &'a Owned, id: &str) -> Result<&'a Deployment, Fault> {
    check_id(id)?;
    owned.deployments.iter().find(|one| one.id == id).ok_or_else(|| missing(id))
}

pub(super) fn find_mut<'a>(owned: &'a mut Owned, id: &str) -> Result<&'a mut Deployment, Fault> {
    check_id(id)?;
    owned.deployments.iter_mut().find(|one| one.id == id).ok_or_else(|| missing(id))
}

fn check_id(id: &str) -> Result<(), Fault> {
    let plain = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if id.strip_prefix("d-").is_some_and(plain) {
        return Ok(());
    }
    Err(fault("InvalidDeploymentIdException", "The specified deployment ID is in an invalid format"))
}

/// The AppSpec that a request names, and what it says.
async fn revision(call: &Call<'_>) -> Result<(Revision, String), Fault> {
    let given = call.get("revision");
    if given.is_null() {
        return Err(fault("RevisionRequiredException", "Revision is required for this deployment"));
    }
    let wrong = |text: String| fault("InvalidRevisionException", text);
    let kind = given["revisionType"].as_str().unwrap_or_default().to_owned();
    let (content, location) = match kind.as_str() {
        "AppSpecContent" => (given["appSpecContent"]["content"].as_str().map(str::to_owned), None),
        "String" => (given["string"]["content"].as_str().map(str::to_owned), None),
        "S3" => (fetch(call, &given["s3Location"]).await, Some(given["s3Location"].clone())),
        other => return Err(wrong(format!("A Lambda deployment cannot have a revision of type {other:?}"))),
    };
    let content = content.ok_or_else(|| wrong("The revision has no AppSpec file".to_owned()))?;
    let sha256 = {
        use sha2::Digest as _;
        crate::sandbox::http::hex(&sha2::Sha256::digest(content.as_bytes()))
    };
    let said = given["appSpecContent"]["sha256"].as_str().or_else(|| given["string"]["sha256"].as_str());
    if said.is_some_and(|said| !said.eq_ignore_ascii_case(&sha256)) {
        return Err(wrong("The SHA256 of the AppSpec file does not match its content".to_owned()));
    }
    Ok((Revision { kind, sha256, location }, content))
}

async fn fetch(call: &Call<'_>, location: &Value) -> Option<String> {
    let path = format!("/{}/{}", location["bucket"].as_str()?, location["key"].as_str()?);
    let mut request = Request::new(Method::GET, path, &call.request.account, &call.request.region);
    if let Some(version) = location["version"].as_str() {
        request = request.with_query("versionId", version);
    }
    let answer = call.world.call(ServiceName::S3, request).await;
    answer.is_success().then(|| answer.body_text())
}

pub(super) async fn create(call: &Call<'_>) -> Answer {
    let application_name = application::application_name(call, "applicationName")?;
    let group_name = application::group_name(call, "deploymentGroupName")?;
    // In this order AWS finds what is wrong.
    call.read(|owned| application::find_group(application::find(owned, &application_name)?, &group_name).map(drop))?;
    let (revision, content) = revision(call).await?;
    let spec = Spec::read(&content).map_err(|reason| fault("InvalidRevisionException", reason))?;
    let given = |name: &str| call.parameters.get(name).filter(|value| !value.is_null());
    application::check_rollback(given("autoRollbackConfiguration"))?;
    application::check_alarms(given("overrideAlarmConfiguration"))?;
    let now_ms = call.now_ms();
    call.write(|owned| {
        let group = application::find_group(application::find(owned, &application_name)?, &group_name)?;
        let active = owned
            .deployments
            .iter()
            .find(|one| one.application == application_name && one.group == group_name && one.status.is_active());
        if let Some(active) = active {
            let text = format!("The Deployment Group '{group_name}' already has an active Deployment '{}'", active.id);
            return Err(fault("DeploymentLimitExceededException", text));
        }
        let setting = |name: &str| group.settings.get(name);
        let config_name = call
            .text("deploymentConfigName")
            .or_else(|| setting("deploymentConfigName").and_then(Value::as_str))
            .unwrap_or(routing::ALL_AT_ONCE);
        let chosen =
            |own: &str, groups: &str, none: Value| given(own).or_else(|| setting(groups)).cloned().unwrap_or(none);
        let deployment = Deployment {
            id: new_id(),
            application: application_name.clone(),
            group: group_name.clone(),
            config: config_name.to_owned(),
            routing: config::find(owned, config_name)?,
            spec,
            revision,
            previous: group.revision.clone(),
            description: call.text("description").map(str::to_owned),
            creator: "user".to_owned(),
            alarms: chosen("overrideAlarmConfiguration", "alarmConfiguration", json!({"enabled": false})),
            auto_rollback: chosen("autoRollbackConfiguration", "autoRollbackConfiguration", json!({"enabled": false})),
            ..Deployment::begun(now_ms)
        };
        let id = deployment.id.clone();
        owned.deployments.push(deployment);
        Ok(json!({"deploymentId": id}))
    })
}

impl Deployment {
    /// One of nothing, that is about to begin.
    pub(super) fn begun(now_ms: i64) -> Self {
        Self {
            id: String::new(),
            application: String::new(),
            group: String::new(),
            config: routing::ALL_AT_ONCE.to_owned(),
            routing: routing::Routing::AllAtOnce,
            spec: Spec::default(),
            revision: Revision::default(),
            previous: None,
            description: None,
            creator: String::new(),
            alarms: json!({"enabled": false}),
            auto_rollback: json!({"enabled": false}),
            created_ms: now_ms,
            started_ms: None,
            completed_ms: None,
            status: Status::Created,
            error: None,
            undoes: None,
            undone_by: None,
            rollback_message: None,
            stage: Stage::Begin,
            stop: None,
            before: Event::default(),
            allow: Event::default(),
            after: Event::default(),
            weight: 0,
            updated_ms: now_ms,
            alarms_ms: 0,
        }
    }
}

pub(super) fn get(call: &Call<'_>) -> Answer {
    let id = call.required("deploymentId", "DeploymentId")?;
    call.read(|owned| Ok(json!({"deploymentInfo": find(owned, &id)?.describe()})))
}

pub(super) fn batch_get(call: &Call<'_>) -> Answer {
    let ids = call.texts("deploymentIds");
    if ids.is_empty() {
        return Err(fault("DeploymentIdRequiredException", "At least one deployment ID must be specified"));
    }
    if ids.len() > MAX_BATCH {
        return Err(fault("BatchLimitExceededException", "The maximum number of deployment IDs is 25"));
    }
    call.read(|owned| {
        let found: Vec<Value> = ids.iter().filter_map(|id| Some(find(owned, id).ok()?.describe())).collect();
        Ok(json!({"deploymentsInfo": found}))
    })
}

pub(super) fn list(call: &Call<'_>) -> Answer {
    let (application, group) = (call.text("applicationName"), call.text("deploymentGroupName"));
    match (application, group) {
        (Some(_), None) => {
            let text = "If applicationName is specified, then deploymentGroupName must be specified";
            return Err(fault("DeploymentGroupNameRequiredException", text));
        }
        (None, Some(_)) => {
            let text = "If deploymentGroupName is specified, then applicationName must be specified";
            return Err(fault("ApplicationNameRequiredException", text));
        }
        _ => {}
    }
    if call.text("externalId").is_some() {
        return Err(Fault::not_implemented("CodeDeploy", "ListDeployments with externalId"));
    }
    let statuses = call.texts("includeOnlyStatuses");
    const KNOWN: [&str; 8] = ["Created", "Queued", "InProgress", "Baking", "Succeeded", "Failed", "Stopped", "Ready"];
    if statuses.iter().any(|status| !KNOWN.contains(&status.as_str())) {
        return Err(fault("InvalidDeploymentStatusException", "The specified deployment status doesn't exist"));
    }
    let time = |name: &str| call.get("createTimeRange")[name].as_f64().map(|seconds| (seconds * 1000.0) as i64);
    let (start, end) = (time("start").unwrap_or(i64::MIN), time("end").unwrap_or(i64::MAX));
    if start > end {
        return Err(fault("InvalidTimeRangeException", "The start time must be earlier than the end time"));
    }
    let ids = call.read(|owned| {
        if let (Some(application), Some(group)) = (application, group) {
            application::find_group(application::find(owned, application)?, group)?;
        }
        let fits = |one: &&Deployment| {
            application.is_none_or(|name| one.application == name)
                && group.is_none_or(|name| one.group == name)
                && (statuses.is_empty() || statuses.iter().any(|status| status == one.status.word()))
                && (start..=end).contains(&one.created_ms)
        };
        // The newest first.
        Ok(owned.deployments.iter().rev().filter(fits).map(|one| one.id.clone()).collect())
    })?;
    call.page("deployments", ids)
}

pub(super) fn stop(call: &Call<'_>) -> Answer {
    let id = call.required("deploymentId", "DeploymentId")?;
    let asked_ms = call.now_ms();
    let roll_back = call.get("autoRollbackEnabled").as_bool();
    call.write(|owned| {
        let deployment = find_mut(owned, &id)?;
        if !deployment.status.is_active() {
            let text = format!("The deployment {id} is already in a terminal state: {}", deployment.status.word());
            return Err(fault("DeploymentAlreadyCompletedException", text));
        }
        deployment.stop.get_or_insert(Stop { asked_ms, roll_back });
        Ok(json!({"status": "Pending", "statusMessage": "The deployment is being stopped."}))
    })
}

/// `ContinueDeployment`: a Lambda deployment waits for nobody.
pub(super) fn go_on(call: &Call<'_>) -> Answer {
    let id = call.required("deploymentId", "DeploymentId")?;
    call.read(|owned| {
        find(owned, &id)?;
        let text = "ContinueDeployment is not supported for the Lambda compute platform";
        Err(fault("UnsupportedActionForDeploymentTypeException", text))
    })
}

fn target_of(call: &Call<'_>, deployment: &Deployment) -> Value {
    let spec = &deployment.spec;
    let Request { account, region, .. } = call.request;
    deployment.target(&format!("arn:aws:lambda:{region}:{account}:function:{}:{}", spec.function, spec.alias))
}

pub(super) fn list_targets(call: &Call<'_>) -> Answer {
    let id = call.required("deploymentId", "DeploymentId")?;
    call.read(|owned| Ok(json!({"targetIds": [find(owned, &id)?.target_id()]})))
}

pub(super) fn get_target(call: &Call<'_>) -> Answer {
    let id = call.required("deploymentId", "DeploymentId")?;
    let target = call.required("targetId", "DeploymentTargetId")?;
    call.read(|owned| {
        let deployment = find(owned, &id)?;
        if deployment.target_id() != target {
            let text = format!("The deployment {id} has no target {target}");
            return Err(fault("DeploymentTargetDoesNotExistException", text));
        }
        Ok(json!({"deploymentTarget": target_of(call, deployment)}))
    })
}

pub(super) fn batch_get_targets(call: &Call<'_>) -> Answer {
    let id = call.required("deploymentId", "DeploymentId")?;
    let wanted = call.texts("targetIds");
    if wanted.is_empty() {
        return Err(fault("DeploymentTargetIdRequiredException", "At least one target ID must be specified"));
    }
    call.read(|owned| {
        let deployment = find(owned, &id)?;
        let targets: Vec<Value> =
            wanted.iter().filter(|id| **id == deployment.target_id()).map(|_| target_of(call, deployment)).collect();
        Ok(json!({"deploymentTargets": targets}))
    })
}
