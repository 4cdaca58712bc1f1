//! Deployment configurations: AWS's own, and custom ones.

use serde_json::{Value, json};

use super::model::{Config, Owned, seconds};
use super::routing::{self, Routing};
use super::{Answer, Call, fault, uuid};
use crate::sandbox::query::Fault;

/// When AWS's own were made; the API shows a time for them as well.
const PREDEFINED_MS: i64 = 1_511_000_000_000;

/// The routing of a configuration by its name.
pub(super) fn find(owned: &Owned, name: &str) -> Result<Routing, Fault> {
    let own = owned.configs.get(name).map(|config| config.routing);
    own.or_else(|| routing::predefined(name)).ok_or_else(|| {
        fault("DeploymentConfigDoesNotExistException", format!("No Deployment Configuration found for name: {name}"))
    })
}

fn name_of(call: &Call<'_>) -> Result<String, Fault> {
    let name = call.required("deploymentConfigName", "DeploymentConfigName")?;
    if name.len() > 100 {
        return Err(fault("InvalidDeploymentConfigNameException", "The name has more than 100 characters"));
    }
    Ok(name)
}

pub(super) fn create(call: &Call<'_>) -> Answer {
    let name = name_of(call)?;
    match call.text("computePlatform") {
        Some("Lambda") => {}
        Some("ECS") | Some("Server") | None => {
            return Err(Fault::not_implemented(
                "CodeDeploy",
                "CreateDeploymentConfig for another platform than Lambda",
            ));
        }
        Some(other) => return Err(fault("InvalidComputePlatformException", format!("There is no platform {other}"))),
    }
    if name.starts_with("CodeDeployDefault.") {
        return Err(fault(
            "InvalidDeploymentConfigNameException",
            "Deployment config names must not begin with CodeDeployDefault",
        ));
    }
    if !call.get("minimumHealthyHosts").is_null() {
        let text = "A Lambda deployment configuration cannot have minimumHealthyHosts";
        return Err(fault("InvalidMinimumHealthyHostValueException", text));
    }
    let routing = Routing::read(call.get("trafficRoutingConfig"))
        .map_err(|reason| fault("InvalidTrafficRoutingConfigurationException", reason))?;
    let config = Config { id: uuid(), created_ms: call.now_ms(), routing };
    let id = config.id.clone();
    call.write(|owned| {
        if owned.configs.contains_key(&name) {
            let text = format!("A deployment configuration with the name {name} already exists");
            return Err(fault("DeploymentConfigAlreadyExistsException", text));
        }
        owned.configs.insert(name, config);
        Ok(json!({"deploymentConfigId": id}))
    })
}

pub(super) fn get(call: &Call<'_>) -> Answer {
    let name = name_of(call)?;
    call.read(|owned| {
        let routing = find(owned, &name)?;
        let (id, created_ms) = match owned.configs.get(&name) {
            Some(config) => (config.id.clone(), config.created_ms),
            None => ("00000000-0000-0000-0000-000000000000".to_owned(), PREDEFINED_MS),
        };
        Ok(json!({"deploymentConfigInfo": {
            "deploymentConfigId": id,
            "deploymentConfigName": name,
            "createTime": seconds(created_ms),
            "computePlatform": "Lambda",
            "trafficRoutingConfig": routing.describe(),
        }}))
    })
}

pub(super) fn list(call: &Call<'_>) -> Answer {
    let names = call.read(|owned| routing::predefined_names().chain(owned.configs.keys().cloned()).collect::<Vec<_>>());
    call.page("deploymentConfigsList", names)
}

pub(super) fn delete(call: &Call<'_>) -> Answer {
    let name = name_of(call)?;
    if routing::predefined(&name).is_some() {
        return Err(fault("InvalidOperationException", "A predefined deployment configuration cannot be deleted"));
    }
    call.write(|owned| {
        let mut groups = owned.applications.values().flat_map(|application| application.groups.values());
        if groups.any(|group| group.settings.get("deploymentConfigName").and_then(Value::as_str) == Some(&name)) {
            return Err(fault("DeploymentConfigInUseException", "The deployment configuration is still in use."));
        }
        owned.configs.remove(&name);
        Ok(json!({}))
    })
}
