//! What CodeDeploy remembers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::routing::Routing;
use super::spec::Spec;

/// Everything, by `account:region`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) owners: BTreeMap<String, Owned>,
    /// How the service behaves where AWS's behaviour is not known.
    pub(super) conduct: Conduct,
}

/// What an account has in a region.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Owned {
    pub(super) applications: BTreeMap<String, Application>,
    /// Only those that somebody made.
    pub(super) configs: BTreeMap<String, Config>,
    /// Oldest first.
    pub(super) deployments: Vec<Deployment>,
    /// By ARN.
    pub(super) tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// What AWS does not document, and can be told to the sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conduct {
    /// Whether a stop without a rollback puts the alias back to one version. By what users report it
    /// leaves it on two.
    pub stop_leaves_whole: bool,
    /// Whether a rollback deployment leaves the weights on the alias.
    pub rollback_leaves_split: bool,
}

/// An application.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Application {
    pub(super) id: String,
    pub(super) created_ms: i64,
    pub(super) groups: BTreeMap<String, Group>,
}

/// A deployment group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) id: String,
    /// Its members as the API has them, without names and ID.
    pub(super) settings: Map<String, Value>,
    pub(super) last_successful: Option<String>,
    pub(super) last_attempted: Option<String>,
    /// The AppSpec that was last deployed with success.
    pub(super) revision: Option<Revision>,
}

/// An AppSpec's name: GetDeployment shows no more of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Revision {
    /// `AppSpecContent`, `String` or `S3`.
    pub(super) kind: String,
    pub(super) sha256: String,
    pub(super) location: Option<Value>,
}

/// A deployment configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Config {
    pub(super) id: String,
    pub(super) created_ms: i64,
    pub(super) routing: Routing,
}

/// A deployment of one alias.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Deployment {
    pub(super) id: String,
    pub(super) application: String,
    pub(super) group: String,
    pub(super) config: String,
    pub(super) routing: Routing,
    pub(super) spec: Spec,
    pub(super) revision: Revision,
    pub(super) previous: Option<Revision>,
    pub(super) description: Option<String>,
    /// `user` or `codeDeployRollback`.
    pub(super) creator: String,
    pub(super) alarms: Value,
    pub(super) auto_rollback: Value,
    pub(super) created_ms: i64,
    pub(super) started_ms: Option<i64>,
    pub(super) completed_ms: Option<i64>,
    pub(super) status: Status,
    pub(super) error: Option<(String, String)>,
    /// The deployment that this one undoes.
    pub(super) undoes: Option<String>,
    /// The deployment that undoes this one.
    pub(super) undone_by: Option<String>,
    pub(super) rollback_message: Option<String>,
    pub(super) stage: Stage,
    pub(super) stop: Option<Stop>,
    pub(super) before: Event,
    pub(super) allow: Event,
    pub(super) after: Event,
    /// The target version's share, in per cent.
    pub(super) weight: u32,
    pub(super) updated_ms: i64,
    /// When the alarms were looked at.
    pub(super) alarms_ms: i64,
}

/// A deployment's status, in CodeDeploy's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
    Created,
    InProgress,
    Succeeded,
    Failed,
    Stopped,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
        }
    }

    pub(super) fn is_active(self) -> bool {
        matches!(self, Self::Created | Self::InProgress)
    }
}

/// What a deployment does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    Begin,
    Before,
    /// So many increments are made; the next one is due.
    Shift {
        made: u32,
        next_ms: i64,
    },
    After,
    Over,
}

/// Somebody asked it to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stop {
    pub(super) asked_ms: i64,
    pub(super) roll_back: Option<bool>,
}

/// A lifecycle event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) status: Option<EventStatus>,
    pub(super) started_ms: Option<i64>,
    pub(super) ended_ms: Option<i64>,
    /// What its hook function answers with.
    pub(super) execution_id: Option<String>,
    /// What the hook said, or what was said for it.
    pub(super) answer: Option<bool>,
    pub(super) message: Option<String>,
}

/// Where a lifecycle event is; `None` before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum EventStatus {
    Running,
    Succeeded,
    Failed,
    Skipped,
}

impl Event {
    /// As the API has it.
    pub(super) fn describe(&self, name: &str) -> Value {
        let status = match self.status {
            None => "Pending",
            Some(EventStatus::Running) => "InProgress",
            Some(EventStatus::Succeeded) => "Succeeded",
            Some(EventStatus::Failed) => "Failed",
            Some(EventStatus::Skipped) => "Skipped",
        };
        let mut all = json!({"lifecycleEventName": name, "status": status});
        if let Some(at) = self.started_ms {
            all["startTime"] = seconds(at);
        }
        if let Some(at) = self.ended_ms {
            all["endTime"] = seconds(at);
        }
        if let Some(message) = &self.message {
            let code = if self.status == Some(EventStatus::Failed) { "ScriptFailed" } else { "Success" };
            all["diagnostics"] = json!({"errorCode": code, "message": message, "scriptName": "", "logTail": ""});
        }
        all
    }
}

impl Revision {
    /// As the API has it: the content itself is not shown.
    pub(super) fn describe(&self) -> Value {
        match (self.kind.as_str(), &self.location) {
            ("S3", Some(location)) => json!({"revisionType": "S3", "s3Location": location}),
            ("String", _) => json!({"revisionType": "String", "string": {"sha256": self.sha256}}),
            _ => json!({"revisionType": "AppSpecContent", "appSpecContent": {"sha256": self.sha256}}),
        }
    }
}

impl Deployment {
    /// The name of its only target.
    pub(super) fn target_id(&self) -> String {
        format!("{}:{}", self.spec.function, self.spec.alias)
    }

    /// As GetDeployment has it.
    pub(super) fn describe(&self) -> Value {
        let overview = |status: bool| u64::from(status);
        let mut all = json!({
            "applicationName": self.application,
            "deploymentGroupName": self.group,
            "deploymentConfigName": self.config,
            "deploymentId": self.id,
            "revision": self.revision.describe(),
            "status": self.status.word(),
            "createTime": seconds(self.created_ms),
            "creator": self.creator,
            "ignoreApplicationStopFailures": false,
            "updateOutdatedInstancesOnly": false,
            "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            "instanceTerminationWaitTimeStarted": false,
            "fileExistsBehavior": "DISALLOW",
            "deploymentStatusMessages": [],
            "computePlatform": "Lambda",
            "autoRollbackConfiguration": self.auto_rollback,
            "deploymentOverview": {
                "Pending": overview(self.status == Status::Created),
                "InProgress": overview(self.status == Status::InProgress),
                "Succeeded": overview(self.status == Status::Succeeded),
                "Failed": overview(self.status == Status::Failed),
                "Skipped": overview(self.status == Status::Stopped),
                "Ready": 0,
            },
        });
        if let Some(previous) = &self.previous {
            all["previousRevision"] = previous.describe();
        }
        for (name, at) in [("startTime", self.started_ms), ("completeTime", self.completed_ms)] {
            if let Some(at) = at {
                all[name] = seconds(at);
            }
        }
        if let Some(description) = &self.description {
            all["description"] = json!(description);
        }
        if let Some((code, message)) = &self.error {
            all["errorInformation"] = json!({"code": code, "message": message});
        }
        let mut rollback = Map::new();
        for (name, value) in [
            ("rollbackDeploymentId", &self.undone_by),
            ("rollbackTriggeringDeploymentId", &self.undoes),
            ("rollbackMessage", &self.rollback_message),
        ] {
            if let Some(value) = value {
                rollback.insert(name.to_owned(), json!(value));
            }
        }
        if !rollback.is_empty() {
            all["rollbackInfo"] = Value::Object(rollback);
        }
        all
    }

    /// Its target as GetDeploymentTarget has it.
    pub(super) fn target(&self, arn: &str) -> Value {
        let status = match self.status {
            Status::Created => "Pending",
            Status::InProgress => "InProgress",
            Status::Succeeded => "Succeeded",
            Status::Failed => "Failed",
            Status::Stopped => "Skipped",
        };
        let Spec { function, alias, current, target, .. } = &self.spec;
        json!({
            "deploymentTargetType": "LambdaTarget",
            "lambdaTarget": {
                "deploymentId": self.id,
                "targetId": self.target_id(),
                "targetArn": arn,
                "status": status,
                "lastUpdatedAt": seconds(self.updated_ms),
                "lifecycleEvents": [
                    self.before.describe("BeforeAllowTraffic"),
                    self.allow.describe("AllowTraffic"),
                    self.after.describe("AfterAllowTraffic"),
                ],
                "lambdaFunctionInfo": {
                    "functionName": function,
                    "functionAlias": alias,
                    "currentVersion": current,
                    "targetVersion": target,
                    "targetVersionWeight": f64::from(self.weight),
                },
            },
        })
    }

    /// Whether the group rolls back by itself for this reason.
    pub(super) fn rolls_back_on(&self, event: &str) -> bool {
        let enabled = self.auto_rollback["enabled"].as_bool() == Some(true);
        let events = self.auto_rollback["events"].as_array().into_iter().flatten();
        enabled && events.into_iter().any(|name| name.as_str() == Some(event))
    }
}

/// A time as the API has it.
pub(super) fn seconds(time_ms: i64) -> Value {
    json!(time_ms as f64 / 1000.0)
}
