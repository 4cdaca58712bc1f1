//! CodeDeploy for Lambda: applications, groups, configurations, and deployments that really move an
//! alias on the sandbox's clock, run hooks, watch alarms, stop and roll back.
//!
//! Speaks awsJson1.1 and rpc-v2-cbor
//! (<https://docs.aws.amazon.com/codedeploy/latest/APIReference/>). The other platforms (`Server`,
//! `ECS`) are not there and say so. What AWS does not document is a [`Conduct`] that can be chosen.

mod alias;
mod application;
mod config;
mod deployment;
mod engine;
mod hook;
mod model;
mod routing;
mod spec;
mod trigger;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

pub use self::model::Conduct;
use self::model::{Owned, State};
use super::Error;
use super::cbor;
use super::http::{Request, Response};
use super::query::Fault;
use super::state::{Persisted, World};

const CBOR_PATH: &str = "/service/CodeDeploy_20141006/operation/";
/// What a list's page has at most.
const PAGE: usize = 100;

/// The service.
#[derive(Debug)]
pub struct CodeDeploy {
    state: Persisted<State>,
    /// The deployments that a task works on.
    running: Mutex<HashSet<String>>,
    /// The hook executions that were begun in this process.
    invoked: Mutex<HashSet<String>>,
}

type Answer = Result<Value, Fault>;

impl CodeDeploy {
    /// Opens the state under `dir`.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let state = Persisted::open(dir.join("codedeploy.json"))?;
        Ok(Self { state, running: Mutex::default(), invoked: Mutex::default() })
    }

    /// Writes what has changed.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn flush(&self) -> Result<(), Error> {
        self.state.flush()
    }

    /// How it behaves where AWS's behaviour is not known.
    pub fn conduct(&self) -> Conduct {
        self.state.read(|state| state.conduct)
    }

    /// Chooses that.
    pub fn behave(&self, conduct: Conduct) {
        self.state.write(|state| state.conduct = conduct);
    }

    /// Goes on with every deployment that is under way, also with one that the sandbox did not live
    /// to finish.
    pub fn tick(&self, world: &Arc<World>) {
        let active: Vec<(String, String)> = self.state.read(|state| {
            let owners = state.owners.iter();
            let all = owners.flat_map(|(owner, owned)| owned.deployments.iter().map(move |one| (owner, one)));
            all.filter(|(_, one)| one.status.is_active()).map(|(owner, one)| (owner.clone(), one.id.clone())).collect()
        });
        for (owner, id) in active {
            if !self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone()) {
                continue;
            }
            let world = Arc::clone(world);
            tokio::spawn(async move {
                engine::advance(&world, &owner, &id).await;
                world.codedeploy.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            });
        }
    }

    /// Answers a request.
    pub async fn handle(&self, world: &Arc<World>, request: Request) -> Response {
        let (is_cbor, operation, parameters) = read(&request);
        let answer = match parameters {
            Ok(parameters) => Call { service: self, world, request: &request, parameters }.answer(&operation).await,
            Err(fault) => Err(fault),
        };
        match (is_cbor, answer) {
            (true, Ok(value)) => cbor::answer(200, &value, is_time),
            (true, Err(fault)) => {
                let name = format!("com.amazonaws.codedeploy#{}", fault.code);
                cbor::answer(fault.status, &json!({"__type": name, "message": fault.message}), is_time)
            }
            (false, Ok(value)) => super::json::answer(&value),
            (false, Err(fault)) => super::json::fault(&fault),
        }
    }
}

fn read(request: &Request) -> (bool, String, Result<Map<String, Value>, Fault>) {
    let object = |value: Value| match value {
        Value::Object(map) => Ok(map),
        _ => Err(Fault::new(400, "SerializationException", "The body is not an object")),
    };
    if let Some(operation) = request.path.strip_prefix(CBOR_PATH) {
        return (true, operation.to_owned(), cbor::read(&request.body).and_then(object));
    }
    let body: &[u8] = if request.body.is_empty() { b"{}" } else { &request.body };
    let value = serde_json::from_slice(body)
        .map_err(|_| Fault::new(400, "SerializationException", "The body is not JSON"))
        .and_then(object);
    (false, super::json::operation(request).to_owned(), value)
}

/// By the API's own naming, these and only these are times.
fn is_time(name: &str) -> bool {
    name.ends_with("Time") || name == "lastUpdatedAt"
}

/// A request under way.
#[derive(Clone, Debug)]
struct Call<'a> {
    service: &'a CodeDeploy,
    world: &'a Arc<World>,
    request: &'a Request,
    parameters: Map<String, Value>,
}

impl Call<'_> {
    async fn answer(&self, operation: &str) -> Answer {
        match operation {
            "CreateApplication" => application::create(self),
            "GetApplication" => application::get(self),
            "BatchGetApplications" => application::batch_get(self),
            "ListApplications" => application::list(self),
            "UpdateApplication" => application::rename(self),
            "DeleteApplication" => application::delete(self),
            "CreateDeploymentGroup" => application::create_group(self),
            "GetDeploymentGroup" => application::get_group(self),
            "BatchGetDeploymentGroups" => application::batch_get_groups(self),
            "ListDeploymentGroups" => application::list_groups(self),
            "UpdateDeploymentGroup" => application::update_group(self),
            "DeleteDeploymentGroup" => application::delete_group(self),
            "CreateDeploymentConfig" => config::create(self),
            "GetDeploymentConfig" => config::get(self),
            "ListDeploymentConfigs" => config::list(self),
            "DeleteDeploymentConfig" => config::delete(self),
            "CreateDeployment" => deployment::create(self).await,
            "GetDeployment" => deployment::get(self),
            "BatchGetDeployments" => deployment::batch_get(self),
            "ListDeployments" => deployment::list(self),
            "StopDeployment" => deployment::stop(self),
            "ListDeploymentTargets" => deployment::list_targets(self),
            "GetDeploymentTarget" => deployment::get_target(self),
            "BatchGetDeploymentTargets" => deployment::batch_get_targets(self),
            "ContinueDeployment" => deployment::go_on(self),
            "PutLifecycleEventHookExecutionStatus" => hook::put_status(self),
            "TagResource" => application::tag(self),
            "UntagResource" => application::untag(self),
            "ListTagsForResource" => application::tags(self),
            other => Err(Fault::not_implemented("CodeDeploy", other)),
        }
    }

    fn owner(&self) -> String {
        owner_key(&self.request.account, &self.request.region)
    }

    fn now_ms(&self) -> i64 {
        self.world.clock.now_ms()
    }

    fn arn(&self, resource: &str) -> String {
        let Request { account, region, .. } = self.request;
        format!("arn:aws:codedeploy:{region}:{account}:{resource}")
    }

    fn get(&self, name: &str) -> &Value {
        self.parameters.get(name).unwrap_or(&Value::Null)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).as_str().filter(|text| !text.is_empty())
    }

    /// A text that has to be there; `what` as in `ApplicationName` is part of the error's code.
    fn required(&self, name: &str, what: &str) -> Result<String, Fault> {
        let missing = || fault(&format!("{what}RequiredException"), format!("{what} is required"));
        self.text(name).map(str::to_owned).ok_or_else(missing)
    }

    fn texts(&self, name: &str) -> Vec<String> {
        self.get(name).as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }

    fn read<R>(&self, look: impl FnOnce(&Owned) -> R) -> R {
        let (owner, empty) = (self.owner(), Owned::default());
        self.service.state.read(|state| look(state.owners.get(&owner).unwrap_or(&empty)))
    }

    fn write<R>(&self, change: impl FnOnce(&mut Owned) -> R) -> R {
        let owner = self.owner();
        self.service.state.write(|state| change(state.owners.entry(owner).or_default()))
    }

    /// One page of names; the token is where the next begins.
    fn page(&self, member: &str, names: Vec<String>) -> Answer {
        let wrong = || fault("InvalidNextTokenException", "The next token was specified in an invalid format");
        let from: usize = match self.text("nextToken") {
            Some(token) => token.parse().map_err(|_| wrong())?,
            None => 0,
        };
        let more = names.len() > from.saturating_add(PAGE);
        let page: Vec<String> = names.into_iter().skip(from).take(PAGE).collect();
        let mut answer = json!({member: page});
        if more {
            answer["nextToken"] = json!((from + PAGE).to_string());
        }
        Ok(answer)
    }
}

fn fault(code: &str, message: impl Into<String>) -> Fault {
    Fault::new(400, code, message)
}

/// Where what belongs to an account in a region is kept.
fn owner_key(account: &str, region: &str) -> String {
    format!("{account}:{region}")
}

/// A name of CodeDeploy's for something new.
fn uuid() -> String {
    super::http::new_request_id()
}
