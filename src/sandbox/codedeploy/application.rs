//! Applications, deployment groups and their tags.

use serde_json::{Map, Value, json};

use super::model::{Application, Group, Owned, seconds};
use super::{Answer, Call, config, fault, routing, uuid};
use crate::sandbox::query::Fault;

/// What a group of Lambda functions can have.
const SETTINGS: [&str; 7] = [
    "deploymentConfigName",
    "serviceRoleArn",
    "triggerConfigurations",
    "alarmConfiguration",
    "autoRollbackConfiguration",
    "deploymentStyle",
    "outdatedInstancesStrategy",
];
/// What only groups of instances and containers have.
const ELSEWHERE: [&str; 10] = [
    "ec2TagFilters",
    "onPremisesInstanceTagFilters",
    "autoScalingGroups",
    "blueGreenDeploymentConfiguration",
    "loadBalancerInfo",
    "ec2TagSet",
    "ecsServices",
    "onPremisesTagSet",
    "ec2DeploymentOptions",
    "terminationHookEnabled",
];
const ROLLBACK_EVENTS: [&str; 3] = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"];
/// Alarms of one group (<https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html>).
const MAX_ALARMS: usize = 10;

pub(super) fn application_name(call: &Call<'_>, member: &str) -> Result<String, Fault> {
    let name = call.required(member, "ApplicationName")?;
    if name.len() > 100 {
        return Err(fault("InvalidApplicationNameException", "Application name has more than 100 characters"));
    }
    Ok(name)
}

pub(super) fn group_name(call: &Call<'_>, member: &str) -> Result<String, Fault> {
    let name = call.required(member, "DeploymentGroupName")?;
    if name.len() > 100 {
        return Err(fault("InvalidDeploymentGroupNameException", "Deployment group name has more than 100 characters"));
    }
    Ok(name)
}

/// The application, or that there is none.
pub(super) fn find<'a>(owned: &'a Owned, name: &str) -> Result<&'a Application, Fault> {
    owned.applications.get(name).ok_or_else(|| no_application(name))
}

/// The group, or that there is none.
pub(super) fn find_group<'a>(application: &'a Application, name: &str) -> Result<&'a Group, Fault> {
    application.groups.get(name).ok_or_else(|| no_group(name))
}

fn no_application(name: &str) -> Fault {
    fault("ApplicationDoesNotExistException", format!("No application found for name: {name}"))
}

fn no_group(name: &str) -> Fault {
    fault("DeploymentGroupDoesNotExistException", format!("No Deployment Group found for name: {name}"))
}

fn describe(name: &str, application: &Application) -> Value {
    json!({
        "applicationId": application.id,
        "applicationName": name,
        "createTime": seconds(application.created_ms),
        "linkedToGitHub": false,
        "computePlatform": "Lambda",
    })
}

pub(super) fn create(call: &Call<'_>) -> Answer {
    let name = application_name(call, "applicationName")?;
    match call.text("computePlatform") {
        Some("Lambda") => {}
        Some("Server" | "ECS") | None => {
            return Err(Fault::not_implemented("CodeDeploy", "CreateApplication for another platform than Lambda"));
        }
        Some(other) => return Err(fault("InvalidComputePlatformException", format!("There is no platform {other}"))),
    }
    let tags = read_tags(call.get("tags"));
    let arn = call.arn(&format!("application:{name}"));
    let application = Application { id: uuid(), created_ms: call.now_ms(), ..Application::default() };
    let id = application.id.clone();
    call.write(|owned| {
        if owned.applications.contains_key(&name) {
            let text = format!("The application name {name} already exists");
            return Err(fault("ApplicationAlreadyExistsException", text));
        }
        owned.applications.insert(name, application);
        owned.tags.entry(arn).or_default().extend(tags);
        Ok(json!({"applicationId": id}))
    })
}

pub(super) fn get(call: &Call<'_>) -> Answer {
    let name = application_name(call, "applicationName")?;
    call.read(|owned| Ok(json!({"application": describe(&name, find(owned, &name)?)})))
}

pub(super) fn batch_get(call: &Call<'_>) -> Answer {
    call.read(|owned| {
        let names = call.texts("applicationNames");
        let found: Result<Vec<Value>, Fault> =
            names.iter().map(|name| Ok(describe(name, find(owned, name)?))).collect();
        Ok(json!({"applicationsInfo": found?}))
    })
}

pub(super) fn list(call: &Call<'_>) -> Answer {
    call.page("applications", call.read(|owned| owned.applications.keys().cloned().collect()))
}

pub(super) fn rename(call: &Call<'_>) -> Answer {
    let name = application_name(call, "applicationName")?;
    let Some(new) = call.text("newApplicationName").map(str::to_owned) else { return Ok(json!({})) };
    call.write(|owned| {
        find(owned, &name)?;
        if owned.applications.contains_key(&new) {
            let text = format!("The application name {new} already exists");
            return Err(fault("ApplicationAlreadyExistsException", text));
        }
        if let Some(application) = owned.applications.remove(&name) {
            owned.applications.insert(new.clone(), application);
        }
        for deployment in owned.deployments.iter_mut().filter(|one| one.application == name) {
            deployment.application.clone_from(&new);
        }
        Ok(json!({}))
    })
}

pub(super) fn delete(call: &Call<'_>) -> Answer {
    let name = application_name(call, "applicationName")?;
    let arn = call.arn(&format!("application:{name}"));
    call.write(|owned| {
        // What is not there is no error.
        owned.applications.remove(&name);
        owned.tags.remove(&arn);
        Ok(json!({}))
    })
}

/// Checks a group's settings and keeps what a group of functions has.
fn settings(call: &Call<'_>, owned: &Owned) -> Result<Map<String, Value>, Fault> {
    for name in ELSEWHERE {
        let given = call.get(name);
        if !given.is_null() && *given != json!([]) && *given != json!(false) {
            return Err(Fault::not_implemented("CodeDeploy", &format!("a deployment group with {name}")));
        }
    }
    let mut kept = Map::new();
    for name in SETTINGS {
        if let Some(value) = call.parameters.get(name).filter(|value| !value.is_null()) {
            kept.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(name) = kept.get("deploymentConfigName").and_then(Value::as_str) {
        config::find(owned, name)?;
    }
    check_style(&kept)?;
    check_rollback(kept.get("autoRollbackConfiguration"))?;
    check_alarms(kept.get("alarmConfiguration"))?;
    Ok(kept)
}

fn check_style(kept: &Map<String, Value>) -> Result<(), Fault> {
    let Some(style) = kept.get("deploymentStyle") else { return Ok(()) };
    let fits = style["deploymentType"] == "BLUE_GREEN" && style["deploymentOption"] == "WITH_TRAFFIC_CONTROL";
    if fits {
        return Ok(());
    }
    Err(fault(
        "InvalidDeploymentStyleException",
        "For the Lambda compute platform, the deployment style must be BLUE_GREEN and WITH_TRAFFIC_CONTROL",
    ))
}

/// Checks an `autoRollbackConfiguration`.
pub(super) fn check_rollback(given: Option<&Value>) -> Result<(), Fault> {
    let Some(given) = given else { return Ok(()) };
    let wrong = |text: &str| Err(fault("InvalidAutoRollbackConfigException", text));
    let events = given["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    if given["enabled"] == json!(true) && events.is_empty() {
        return wrong("An enabled automatic rollback must have at least one event");
    }
    if events.iter().any(|event| event.as_str().is_none_or(|event| !ROLLBACK_EVENTS.contains(&event))) {
        return wrong("There is no such automatic rollback event");
    }
    Ok(())
}

/// Checks an `alarmConfiguration`.
pub(super) fn check_alarms(given: Option<&Value>) -> Result<(), Fault> {
    let alarms = given.and_then(|given| given["alarms"].as_array()).map(Vec::as_slice).unwrap_or_default();
    if alarms.len() > MAX_ALARMS {
        return Err(fault("AlarmsLimitExceededException", "The maximum number of alarms for a deployment group is 10"));
    }
    if alarms.iter().any(|alarm| alarm["name"].as_str().is_none_or(str::is_empty)) {
        return Err(fault("InvalidAlarmConfigException", "An alarm has no name"));
    }
    Ok(())
}

pub(super) fn create_group(call: &Call<'_>) -> Answer {
    let application = application_name(call, "applicationName")?;
    let name = group_name(call, "deploymentGroupName")?;
    call.required("serviceRoleArn", "Role")?;
    let tags = read_tags(call.get("tags"));
    let arn = call.arn(&format!("deploymentgroup:{application}/{name}"));
    call.write(|owned| {
        let mut settings = settings(call, owned)?;
        settings.entry("deploymentConfigName").or_insert_with(|| json!(routing::ALL_AT_ONCE));
        let found = owned.applications.get_mut(&application).ok_or_else(|| no_application(&application))?;
        if found.groups.contains_key(&name) {
            let text = format!("The deployment group name {name} already exists in {application}");
            return Err(fault("DeploymentGroupAlreadyExistsException", text));
        }
        let group = Group { id: uuid(), settings, ..Group::default() };
        let id = group.id.clone();
        found.groups.insert(name, group);
        owned.tags.entry(arn).or_default().extend(tags);
        Ok(json!({"deploymentGroupId": id}))
    })
}

fn describe_group(owned: &Owned, application: &str, name: &str, group: &Group) -> Value {
    let mut all = json!({
        "applicationName": application,
        "deploymentGroupId": group.id,
        "deploymentGroupName": name,
        "computePlatform": "Lambda",
        "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        "ec2TagFilters": [],
        "onPremisesInstanceTagFilters": [],
        "autoScalingGroups": [],
        "triggerConfigurations": [],
        "outdatedInstancesStrategy": "UPDATE",
        "terminationHookEnabled": false,
    });
    for (key, value) in &group.settings {
        all[key] = value.clone();
    }
    for (key, id) in
        [("lastSuccessfulDeployment", &group.last_successful), ("lastAttemptedDeployment", &group.last_attempted)]
    {
        let found = id.as_ref().and_then(|id| owned.deployments.iter().find(|one| one.id == *id));
        if let Some(one) = found {
            all[key] = json!({
                "deploymentId": one.id,
                "status": one.status.word(),
                "createTime": seconds(one.created_ms),
            });
            if let Some(at) = one.completed_ms {
                all[key]["endTime"] = seconds(at);
            }
        }
    }
    if let Some(revision) = &group.revision {
        all["targetRevision"] = revision.describe();
    }
    all
}

pub(super) fn get_group(call: &Call<'_>) -> Answer {
    let application = application_name(call, "applicationName")?;
    let name = group_name(call, "deploymentGroupName")?;
    call.read(|owned| {
        let group = find_group(find(owned, &application)?, &name)?;
        Ok(json!({"deploymentGroupInfo": describe_group(owned, &application, &name, group)}))
    })
}

pub(super) fn batch_get_groups(call: &Call<'_>) -> Answer {
    let application = application_name(call, "applicationName")?;
    call.read(|owned| {
        let found = find(owned, &application)?;
        let names = call.texts("deploymentGroupNames");
        let infos: Vec<Value> = names
            .iter()
            .filter_map(|name| Some(describe_group(owned, &application, name, found.groups.get(name)?)))
            .collect();
        let mut answer = json!({"deploymentGroupsInfo": infos});
        if let Some(missing) = names.iter().find(|name| !found.groups.contains_key(*name)) {
            answer["errorMessage"] = json!(no_group(missing).message);
        }
        Ok(answer)
    })
}

pub(super) fn list_groups(call: &Call<'_>) -> Answer {
    let application = application_name(call, "applicationName")?;
    let names = call.read(|owned| Ok(find(owned, &application)?.groups.keys().cloned().collect()))?;
    let mut answer = call.page("deploymentGroups", names)?;
    answer["applicationName"] = json!(application);
    Ok(answer)
}

pub(super) fn update_group(call: &Call<'_>) -> Answer {
    let application = application_name(call, "applicationName")?;
    let name = group_name(call, "currentDeploymentGroupName")?;
    let new_name = call.text("newDeploymentGroupName").unwrap_or(&name).to_owned();
    call.write(|owned| {
        let settings = settings(call, owned)?;
        let found = owned.applications.get_mut(&application).ok_or_else(|| no_application(&application))?;
        if new_name != name && found.groups.contains_key(&new_name) {
            let text = format!("The deployment group name {new_name} already exists in {application}");
            return Err(fault("DeploymentGroupAlreadyExistsException", text));
        }
        let mut group = found.groups.remove(&name).ok_or_else(|| no_group(&name))?;
        group.settings.extend(settings);
        found.groups.insert(new_name.clone(), group);
        for one in owned.deployments.iter_mut().filter(|one| one.application == application && one.group == name) {
            one.group.clone_from(&new_name);
        }
        Ok(json!({"hooksNotCleanedUp": []}))
    })
}

pub(super) fn delete_group(call: &Call<'_>) -> Answer {
    let application = application_name(call, "applicationName")?;
    let name = group_name(call, "deploymentGroupName")?;
    let arn = call.arn(&format!("deploymentgroup:{application}/{name}"));
    call.write(|owned| {
        if let Some(found) = owned.applications.get_mut(&application) {
            found.groups.remove(&name);
        }
        owned.tags.remove(&arn);
        Ok(json!({"hooksNotCleanedUp": []}))
    })
}

fn read_tags(value: &Value) -> Vec<(String, String)> {
    let tags = value.as_array().into_iter().flatten();
    tags.filter_map(|tag| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].as_str().unwrap_or_default().to_owned())))
        .collect()
}

pub(super) fn tag(call: &Call<'_>) -> Answer {
    let arn = call.required("ResourceArn", "ResourceArn")?;
    let tags = read_tags(call.get("Tags"));
    call.write(|owned| owned.tags.entry(arn).or_default().extend(tags));
    Ok(json!({}))
}

pub(super) fn untag(call: &Call<'_>) -> Answer {
    let arn = call.required("ResourceArn", "ResourceArn")?;
    let keys = call.texts("TagKeys");
    call.write(|owned| owned.tags.entry(arn).or_default().retain(|key, _| !keys.contains(key)));
    Ok(json!({}))
}

pub(super) fn tags(call: &Call<'_>) -> Answer {
    let arn = call.required("ResourceArn", "ResourceArn")?;
    let tags: Vec<Value> = call.read(|owned| {
        let tags = owned.tags.get(&arn).into_iter().flatten();
        tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect()
    });
    Ok(json!({"Tags": tags}))
}
