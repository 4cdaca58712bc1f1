//! How a deployment goes on: one stage after the other, each begun from what is remembered, so that
//! a restart takes up where it was.

use std::sync::Arc;

use serde_json::{Value, json};

use super::alias::{Alias, Lambda};
use super::hook;
use super::model::{Deployment, Event, EventStatus, Group, Stage, Status};
use super::{deployment, trigger, uuid};
use crate::sandbox::http::Request;
use crate::sandbox::router::ServiceName;
use crate::sandbox::state::World;

/// Between a request to stop and the stop, in the sandbox's time.
const STOPPING_MS: i64 = 2_000;
/// What a rollback deployment takes.
const ROLLBACK_MS: i64 = 5_000;
/// How often alarms are looked at.
const ALARMS_EVERY_MS: i64 = 10_000;
/// What stands before what is wrong with a configuration.
const BAD_SPEC: &str = "The deployment failed because the AppSpec file that specifies the AWS Lambda deployment configuration is missing or has an invalid configuration.";

/// A lifecycle event that can have a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Before,
    After,
}

impl Which {
    fn of(self, deployment: &Deployment) -> &Event {
        match self {
            Self::Before => &deployment.before,
            Self::After => &deployment.after,
        }
    }

    pub(super) fn of_mut(self, deployment: &mut Deployment) -> &mut Event {
        match self {
            Self::Before => &mut deployment.before,
            Self::After => &mut deployment.after,
        }
    }
}

/// How a deployment ends when not well.
struct End {
    status: Status,
    code: &'static str,
    message: String,
    roll_back: bool,
}

struct Work<'a> {
    world: &'a Arc<World>,
    owner: &'a str,
    account: &'a str,
    region: &'a str,
    id: &'a str,
}

/// Goes on with a deployment as far as the clock allows.
pub(super) async fn advance(world: &Arc<World>, owner: &str, id: &str) {
    let (account, region) = owner.split_once(':').unwrap_or_default();
    let work = Work { world, owner, account, region, id };
    // Each round ends a stage or an increment, of which there are at most a hundred.
    while work.round().await {}
}

impl Work<'_> {
    fn now_ms(&self) -> i64 {
        self.world.clock.now_ms()
    }

    fn lambda(&self) -> Lambda<'_> {
        Lambda { world: self.world, account: self.account, region: self.region }
    }

    fn read<R>(&self, look: impl FnOnce(&Deployment) -> R) -> Option<R> {
        self.world.codedeploy.state.read(|state| {
            let owned = state.owners.get(self.owner)?;
            owned.deployments.iter().find(|one| one.id == self.id).map(look)
        })
    }

    fn change(&self, change: impl FnOnce(&mut Deployment)) {
        let now_ms = self.now_ms();
        self.world.codedeploy.state.write(|state| {
            let owned = state.owners.get_mut(self.owner);
            if let Some(one) = owned.and_then(|owned| owned.deployments.iter_mut().find(|one| one.id == self.id)) {
                one.updated_ms = now_ms;
                change(one);
            }
        });
    }

    async fn tell(&self) {
        let found = self.world.codedeploy.state.read(|state| {
            let owned = state.owners.get(self.owner)?;
            let one = owned.deployments.iter().find(|one| one.id == self.id)?;
            let group = owned.applications.get(&one.application)?.groups.get(&one.group)?;
            Some((group.clone(), one.clone()))
        });
        if let Some((group, one)) = found {
            trigger::tell(self.world, self.account, self.region, &group, &one).await;
        }
    }

    /// One round; whether another may follow at once.
    async fn round(&self) -> bool {
        let Some(one) = self.read(Clone::clone).filter(|one| one.status.is_active()) else { return false };
        if one.status == Status::Created {
            let now_ms = self.now_ms();
            self.change(|one| {
                one.status = Status::InProgress;
                one.started_ms = Some(now_ms);
            });
            self.tell().await;
        }
        if one.undoes.is_some() {
            return self.undo(&one).await;
        }
        if let Some(stop) = one.stop.filter(|stop| self.now_ms() >= stop.asked_ms + STOPPING_MS) {
            let by_group = one.rolls_back_on("DEPLOYMENT_STOP_ON_REQUEST");
            let roll_back = stop.roll_back.unwrap_or(by_group);
            let message = "The deployment was stopped by a user.".to_owned();
            self.end(&one, End { status: Status::Stopped, code: "MANUAL_STOP", message, roll_back }).await;
            return false;
        }
        if let Some(message) = self.alarm(&one).await {
            let roll_back = one.rolls_back_on("DEPLOYMENT_STOP_ON_ALARM");
            self.end(&one, End { status: Status::Stopped, code: "ALARM_ACTIVE", message, roll_back }).await;
            return false;
        }
        match one.stage {
            Stage::Begin => self.begin(&one).await,
            Stage::Before => self.hook(&one, Which::Before, one.spec.before.as_deref()).await,
            Stage::Shift { made, next_ms } => self.now_ms() >= next_ms && self.shift(&one, made).await,
            Stage::After => self.hook(&one, Which::After, one.spec.after.as_deref()).await,
            Stage::Over => false,
        }
    }

    /// Whether the alias and the versions are what the AppSpec says.
    async fn begin(&self, one: &Deployment) -> bool {
        let (spec, lambda) = (&one.spec, self.lambda());
        let wrong = match lambda.read(spec).await {
            None => Some((
                "INVALID_LAMBDA_FUNCTION",
                format!(
                    "The deployment failed because the Lambda function {} or its alias {} cannot be found.",
                    spec.function, spec.alias
                ),
            )),
            Some(_) if spec.current == spec.target => Some(("INVALID_LAMBDA_CONFIGURATION", BAD_SPEC.to_owned())),
            Some(alias) if alias.version != spec.current => Some((
                "INVALID_LAMBDA_CONFIGURATION",
                format!(
                    "{BAD_SPEC} The Lambda function alias version does not match the current version in AppSpec file."
                ),
            )),
            Some(Alias { additional: Some(_), .. }) => Some((
                "INVALID_LAMBDA_CONFIGURATION",
                format!("{BAD_SPEC} The Lambda function alias already routes to two versions."),
            )),
            Some(_) if !lambda.has_version(spec, &spec.target).await => Some((
                "INVALID_LAMBDA_CONFIGURATION",
                format!("{BAD_SPEC} The target version in AppSpec file does not exist."),
            )),
            Some(_) => None,
        };
        match wrong {
            // There is nothing to roll back.
            Some((code, message)) => {
                self.end(one, End { status: Status::Failed, code, message, roll_back: false }).await;
                false
            }
            None => {
                self.change(|one| one.stage = Stage::Before);
                true
            }
        }
    }

    async fn hook(&self, one: &Deployment, which: Which, function: Option<&str>) -> bool {
        let now_ms = self.now_ms();
        let event = which.of(one);
        if event.status.is_none() {
            let execution = function.map(|_| uuid());
            self.change(|one| {
                let event = which.of_mut(one);
                event.status = Some(EventStatus::Running);
                event.started_ms = Some(now_ms);
                event.execution_id = execution;
            });
            return true;
        }
        if let (Some(function), Some(execution)) = (function, &event.execution_id) {
            hook::invoke(self.world, self.owner, one, which, function, execution);
            let late = event.started_ms.is_some_and(|since| now_ms - since > hook::PATIENCE_MS);
            match event.answer {
                Some(true) => {}
                Some(false) => return self.hook_failed(one, which, None).await,
                None if late => {
                    let text = "The validation function did not answer within one hour".to_owned();
                    return self.hook_failed(one, which, Some(text)).await;
                }
                None => return false,
            }
        }
        self.change(|one| {
            let event = which.of_mut(one);
            event.status = Some(EventStatus::Succeeded);
            event.ended_ms = Some(now_ms);
            one.stage = match which {
                Which::Before => Stage::Shift { made: 0, next_ms: now_ms },
                Which::After => Stage::Over,
            };
        });
        if which == Which::After {
            self.succeeded().await;
            return false;
        }
        true
    }

    async fn hook_failed(&self, one: &Deployment, which: Which, message: Option<String>) -> bool {
        let now_ms = self.now_ms();
        self.change(|one| {
            let event = which.of_mut(one);
            event.status = Some(EventStatus::Failed);
            event.ended_ms = Some(now_ms);
            if message.is_some() {
                event.message = message;
            }
        });
        let end = End {
            status: Status::Failed,
            code: "HOOK_EXECUTION_FAILURE",
            message: "The deployment failed because one or more of the lifecycle event validation functions failed."
                .to_owned(),
            roll_back: one.rolls_back_on("DEPLOYMENT_FAILURE"),
        };
        self.end(one, end).await;
        false
    }

    /// One more increment.
    async fn shift(&self, one: &Deployment, made: u32) -> bool {
        let (spec, now_ms) = (&one.spec, self.now_ms());
        let share = one.routing.share(made + 1);
        let lambda = self.lambda();
        let fits = lambda.read(spec).await.is_some_and(|alias| {
            let both = alias.version == spec.current && alias.additional.as_ref().is_none_or(|it| *it == spec.target);
            // The last increment of a sandbox that did not live to remember it.
            both || (alias.version == spec.target && alias.additional.is_none())
        });
        let written = if fits {
            let (version, extra) =
                if share >= 100 { (&spec.target, None) } else { (&spec.current, Some((spec.target.as_str(), share))) };
            lambda.write(spec, version, extra).await
        } else {
            Err("The Lambda function alias was changed during the deployment.".to_owned())
        };
        if let Err(reason) = written {
            let end = End {
                status: Status::Failed,
                code: "INVALID_LAMBDA_CONFIGURATION",
                message: format!("{BAD_SPEC} {reason}"),
                roll_back: fits && one.rolls_back_on("DEPLOYMENT_FAILURE"),
            };
            self.end(one, end).await;
            return false;
        }
        self.change(|one| {
            one.weight = share;
            if one.allow.status.is_none() {
                one.allow.status = Some(EventStatus::Running);
                one.allow.started_ms = Some(now_ms);
            }
            one.stage = Stage::Shift { made: made + 1, next_ms: now_ms + one.routing.interval_ms() };
            if share >= 100 {
                one.allow.status = Some(EventStatus::Succeeded);
                one.allow.ended_ms = Some(now_ms);
                one.stage = Stage::After;
            }
        });
        true
    }

    /// Why the deployment has to stop for an alarm.
    async fn alarm(&self, one: &Deployment) -> Option<String> {
        let now_ms = self.now_ms();
        let names: Vec<&str> = match one.alarms["enabled"].as_bool() {
            Some(true) => one.alarms["alarms"].as_array()?.iter().filter_map(|alarm| alarm["name"].as_str()).collect(),
            _ => return None,
        };
        if names.is_empty() || now_ms - one.alarms_ms < ALARMS_EVERY_MS {
            return None;
        }
        self.change(|one| one.alarms_ms = now_ms);
        let body = json!({"AlarmNames": names, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]});
        let target = "GraniteServiceVersion20100801.DescribeAlarms";
        let request = Request::target(target, &body, self.account, self.region);
        let answer = self.world.call(ServiceName::CloudWatch, request).await.body_json();
        let lists = [&answer["MetricAlarms"], &answer["CompositeAlarms"]];
        let found: Vec<&Value> = lists.into_iter().filter_map(Value::as_array).flatten().collect();
        let firing: Vec<&str> = found
            .iter()
            .filter(|alarm| alarm["StateValue"] == "ALARM")
            .filter_map(|alarm| alarm["AlarmName"].as_str())
            .collect();
        if !firing.is_empty() {
            return Some(format!(
                "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, and the affected deployments have been stopped. Activated alarms: <{}>",
                firing.join(", ")
            ));
        }
        let unreadable = found.len() < names.len() && one.alarms["ignorePollAlarmFailure"].as_bool() != Some(true);
        unreadable.then(|| "The state of one or more alarms could not be retrieved from Amazon CloudWatch.".to_owned())
    }

    async fn succeeded(&self) {
        let now_ms = self.now_ms();
        self.change(|one| {
            one.status = Status::Succeeded;
            one.completed_ms = Some(now_ms);
            one.stage = Stage::Over;
        });
        self.group(|group, one| {
            group.last_attempted = Some(one.id.clone());
            group.last_successful = Some(one.id.clone());
            if one.undoes.is_none() {
                group.revision = Some(one.revision.clone());
            }
        });
        self.tell().await;
    }

    fn group(&self, change: impl FnOnce(&mut Group, &Deployment)) {
        self.world.codedeploy.state.write(|state| {
            let Some(owned) = state.owners.get_mut(self.owner) else { return };
            let Some(one) = owned.deployments.iter().find(|one| one.id == self.id) else { return };
            let application = owned.applications.get_mut(&one.application);
            if let Some(group) = application.and_then(|application| application.groups.get_mut(&one.group)) {
                change(group, one);
            }
        });
    }

    async fn end(&self, one: &Deployment, end: End) {
        let End { status, code, message, roll_back } = end;
        let now_ms = self.now_ms();
        let conduct = self.world.codedeploy.conduct();
        let moved = one.weight > 0;
        if !roll_back && status == Status::Stopped && moved && conduct.stop_leaves_whole {
            // Where it cannot be written it stays as it is.
            let _ = self.lambda().write(&one.spec, &one.spec.current, None).await;
        }
        let way_back = roll_back.then(|| Deployment {
            id: deployment::new_id(),
            application: one.application.clone(),
            group: one.group.clone(),
            spec: one.spec.reversed(),
            revision: one.previous.clone().unwrap_or_else(|| one.revision.clone()),
            previous: one.previous.clone(),
            description: Some(format!("Rolls back deployment {}", one.id)),
            creator: "codeDeployRollback".to_owned(),
            undoes: Some(one.id.clone()),
            ..Deployment::begun(now_ms)
        });
        let (owner, id) = (self.owner, self.id);
        // Both at once: who sees the deployment ended sees what undoes it, too.
        self.world.codedeploy.state.write(|state| {
            let Some(owned) = state.owners.get_mut(owner) else { return };
            if let Some(one) = owned.deployments.iter_mut().find(|one| one.id == id) {
                one.status = status;
                one.completed_ms = Some(now_ms);
                one.updated_ms = now_ms;
                one.error = Some((code.to_owned(), message));
                one.stage = Stage::Over;
                for event in [&mut one.before, &mut one.allow, &mut one.after] {
                    match event.status {
                        Some(EventStatus::Running) => {
                            event.status = Some(EventStatus::Failed);
                            event.ended_ms = Some(now_ms);
                        }
                        None => event.status = Some(EventStatus::Skipped),
                        Some(_) => {}
                    }
                }
                if let Some(back) = &way_back {
                    one.undone_by = Some(back.id.clone());
                    one.rollback_message =
                        Some(format!("Deployment {id} is being rolled back by deployment {}", back.id));
                }
            }
            owned.deployments.extend(way_back);
        });
        self.group(|group, one| group.last_attempted = Some(one.id.clone()));
        self.tell().await;
    }

    /// A rollback deployment: the alias goes back to where the other one found it.
    async fn undo(&self, one: &Deployment) -> bool {
        let (spec, now_ms) = (&one.spec, self.now_ms());
        if now_ms < one.created_ms + ROLLBACK_MS {
            return false;
        }
        let lambda = self.lambda();
        let conduct = self.world.codedeploy.conduct();
        let result = match lambda.read(spec).await {
            None => Err("The Lambda function or its alias cannot be found.".to_owned()),
            Some(alias) if alias.version == spec.target && alias.additional.is_none() => Ok(()),
            Some(alias) if alias.version != spec.target && alias.version != spec.current => {
                Err("The Lambda function alias was changed during the deployment.".to_owned())
            }
            Some(alias) if alias.additional.is_some() && conduct.rollback_leaves_split => Ok(()),
            Some(_) => lambda.write(spec, &spec.target, None).await,
        };
        let said = match &result {
            Ok(()) => "has been rolled back",
            Err(_) => "could not be rolled back",
        };
        if let Some(undone) = &one.undoes {
            let (owner, id) = (self.owner, self.id);
            self.world.codedeploy.state.write(|state| {
                let owned = state.owners.get_mut(owner);
                let found = owned.and_then(|owned| owned.deployments.iter_mut().find(|other| other.id == *undone));
                if let Some(other) = found {
                    other.rollback_message = Some(format!("Deployment {undone} {said} by deployment {id}"));
                }
            });
        }
        match result {
            Ok(()) => {
                self.change(|one| {
                    one.weight = 100;
                    for event in [&mut one.before, &mut one.allow, &mut one.after] {
                        *event = Event {
                            status: Some(EventStatus::Succeeded),
                            started_ms: Some(now_ms),
                            ended_ms: Some(now_ms),
                            ..Event::default()
                        };
                    }
                });
                self.succeeded().await;
            }
            Err(reason) => {
                let (code, message) = ("INVALID_LAMBDA_CONFIGURATION", format!("{BAD_SPEC} {reason}"));
                self.end(one, End { status: Status::Failed, code, message, roll_back: false }).await;
            }
        }
        false
    }
}
