//! Lambda: functions, versions, aliases, permissions, layers, and invocations that really run the code.
//!
//! A REST-JSON API (<https://docs.aws.amazon.com/lambda/latest/api/>); [`Lambda::handle`] has the table
//! of its operations. Records that nothing acts on here (function URLs, event source mappings,
//! provisioned concurrency) say so where they are kept.

mod account;
mod alias;
mod code;
mod concurrency;
mod event;
mod fault;
mod function;
mod identifier;
mod invoke;
mod layer;
mod mapping;
mod metrics;
mod model;
mod permission;
mod policy;
mod provisioned;
mod run;
mod settings;
mod tag;
mod url;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use self::code::Store;
use self::fault::{Answer, Fault};
use self::identifier::Identifier;
use self::model::{Function, State, partition};
use super::Error;
use super::http::{Request, Response};
use super::state::{Persisted, World};
use crate::runtime::{Host, Pool};

/// How long creating or changing takes, in the sandbox's time.
const SETTLE_MS: i64 = 1000;

/// Whose environments a pool has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct PoolKey {
    /// `account:region:name`.
    function: String,
    version: String,
    provisioned: bool,
}

/// The service.
#[derive(Debug)]
pub struct Lambda {
    state: Persisted<State>,
    store: Store,
    host: Arc<Host>,
    layers_dir: std::path::PathBuf,
    pools: Mutex<HashMap<PoolKey, Arc<Pool>>>,
    running: concurrency::Running,
    random: Mutex<ChaCha8Rng>,
    /// Error rates that were asked for, by function and version.
    faults: Mutex<HashMap<(String, String), f64>>,
}

impl Lambda {
    /// Opens what is kept under `dir`.
    ///
    /// # Errors
    /// The folder cannot be used, or the file in it is not ours.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let folder = |source| Error::Folder { path: dir.to_owned(), source };
        Ok(Self {
            state: Persisted::open(dir.join("lambda.json"))?,
            store: Store::open(dir.join("code")).map_err(folder)?,
            host: Host::open(&dir.join("host")).map_err(folder)?,
            layers_dir: std::path::absolute(dir.join("layers")).map_err(folder)?,
            pools: Mutex::default(),
            running: concurrency::Running::default(),
            random: Mutex::new(ChaCha8Rng::seed_from_u64(rand::random())),
            faults: Mutex::default(),
        })
    }

    /// Writes what has changed.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn flush(&self) -> Result<(), Error> {
        self.state.flush()
    }

    /// Makes routing by weight and injected faults repeatable.
    pub fn seed(&self, seed: u64) {
        *self.random.lock().unwrap_or_else(PoisonError::into_inner) = ChaCha8Rng::seed_from_u64(seed);
    }

    /// From now on this share of the invocations of a version (`$LATEST` or a number) ends in a function
    /// error, after the code has run: a worse version for a rehearsal, with no change to the code. A rate
    /// of 0 ends it. In every account and region; not kept over a restart.
    pub fn inject_errors(&self, function: &str, version: &str, rate: f64) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (function.to_owned(), version.to_owned());
        if rate > 0.0 {
            faults.insert(key, rate);
        } else {
            faults.remove(&key);
        }
    }

    /// Whether this invocation gets an injected error.
    fn draws_fault(&self, function: &str, version: &str) -> bool {
        let rate = {
            let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
            if faults.is_empty() {
                return false;
            }
            faults.get(&(function.to_owned(), version.to_owned())).copied()
        };
        rate.is_some_and(|rate| self.draw() < rate)
    }

    /// A number in `0.0..1.0`.
    fn draw(&self) -> f64 {
        use rand::RngExt as _;
        self.random.lock().unwrap_or_else(PoisonError::into_inner).random()
    }

    /// Ends environments that have been idle for long. The server calls it now and then.
    pub fn tick(&self) {
        for pool in self.pools.lock().unwrap_or_else(PoisonError::into_inner).values() {
            pool.expire(run::IDLE);
        }
    }

    /// Ends every environment.
    pub async fn close(&self) {
        let pools: Vec<_> = self.pools.lock().unwrap_or_else(PoisonError::into_inner).drain().collect();
        for (_, pool) in pools {
            pool.close().await;
        }
    }

    /// Answers a request.
    pub async fn handle(&self, world: &Arc<World>, request: Request) -> Response {
        let call = Call { lambda: self, world, request: &request };
        match call.answer().await {
            Ok(response) => response,
            Err(fault) => fault.into(),
        }
    }
}

/// A request under way.
#[derive(Clone, Copy, Debug)]
struct Call<'a> {
    lambda: &'a Lambda,
    world: &'a Arc<World>,
    request: &'a Request,
}

impl Call<'_> {
    async fn answer(self) -> Answer {
        let decoded: Vec<String> = self
            .request
            .path
            .trim_matches('/')
            .split('/')
            .map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let path: Vec<&str> = decoded.iter().map(String::as_str).collect();
        let Some((_, path)) = path.split_first() else { return Err(Fault::not_implemented("/")) };
        let method = self.request.method.as_str();
        match (method, path) {
            ("POST", ["functions"]) => function::create(self).await,
            ("GET", ["functions"]) => function::list(self),
            ("GET", ["functions", name]) => function::get(self, name),
            ("DELETE", ["functions", name]) => function::delete(self, name),
            ("GET", ["functions", name, "configuration"]) => function::get_configuration(self, name),
            ("PUT", ["functions", name, "configuration"]) => function::update_configuration(self, name),
            ("PUT", ["functions", name, "code"]) => function::update_code(self, name).await,
            ("POST", ["functions", name, "versions"]) => function::publish(self, name),
            ("GET", ["functions", name, "versions"]) => function::list_versions(self, name),
            ("POST", ["functions", name, "aliases"]) => alias::create(self, name),
            ("GET", ["functions", name, "aliases"]) => alias::list(self, name),
            ("GET", ["functions", name, "aliases", alias]) => alias::get(self, name, alias),
            ("PUT", ["functions", name, "aliases", alias]) => alias::update(self, name, alias),
            ("DELETE", ["functions", name, "aliases", alias]) => alias::delete(self, name, alias),
            ("POST", ["functions", name, "invocations"]) => invoke::invoke(self, name).await,
            ("POST", ["functions", name, "response-streaming-invocations"]) => invoke::stream(self, name).await,
            ("PUT", ["functions", name, "concurrency"]) => concurrency::put(self, name),
            ("GET", ["functions", name, "concurrency"]) => concurrency::get(self, name),
            ("DELETE", ["functions", name, "concurrency"]) => concurrency::delete(self, name),
            (_, ["functions", name, "provisioned-concurrency"]) => provisioned::answer(self, name, method),
            ("POST", ["functions", name, "policy"]) => permission::add(self, name),
            ("GET", ["functions", name, "policy"]) => permission::get(self, name),
            ("DELETE", ["functions", name, "policy", sid]) => permission::remove(self, name, sid),
            (_, ["functions", name, "url"]) => url::answer(self, name, method),
            ("GET", ["functions", name, "urls"]) => url::list(self, name),
            (_, ["functions", name, "event-invoke-config"]) => event::answer(self, name, method),
            ("GET", ["functions", name, "event-invoke-config", "list"]) => event::list(self, name),
            ("POST", ["event-source-mappings"]) => mapping::create(self),
            ("GET", ["event-source-mappings"]) => mapping::list(self),
            ("GET", ["event-source-mappings", uuid]) => mapping::get(self, uuid),
            ("PUT", ["event-source-mappings", uuid]) => mapping::update(self, uuid),
            ("DELETE", ["event-source-mappings", uuid]) => mapping::delete(self, uuid),
            ("GET", ["layers"]) if self.request.query("find").is_some() => layer::get_by_arn(self),
            ("GET", ["layers"]) => layer::list(self),
            ("POST", ["layers", name, "versions"]) => layer::publish(self, name).await,
            ("GET", ["layers", name, "versions"]) => layer::list_versions(self, name),
            ("GET", ["layers", name, "versions", version]) => layer::get(self, name, version),
            ("DELETE", ["layers", name, "versions", version]) => layer::delete(self, name, version),
            ("POST", ["layers", name, "versions", version, "policy"]) => layer::add_permission(self, name, version),
            ("GET", ["layers", name, "versions", version, "policy"]) => layer::get_policy(self, name, version),
            ("DELETE", ["layers", name, "versions", version, "policy", sid]) => {
                layer::remove_permission(self, name, version, sid)
            }
            ("GET", ["account-settings"]) => account::get(self),
            ("GET", ["tags", arn @ ..]) => tag::list(self, &arn.join("/")),
            ("POST", ["tags", arn @ ..]) => tag::add(self, &arn.join("/")),
            ("DELETE", ["tags", arn @ ..]) => tag::remove(self, &arn.join("/")),
            // Where `Code.Location` and `Content.Location` point to.
            ("GET", ["code", sha256]) => function::download(self, sha256),
            _ => Err(Fault::not_implemented(&format!("{method} {}", self.request.path))),
        }
    }

    /// The request's JSON; an empty body is an empty object.
    fn body(&self) -> Answer<Value> {
        if self.request.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.request.body)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| Fault::new(400, "SerializationException", "Could not parse request body into json"))
    }

    /// Reads a function's name with the request's `Qualifier`.
    fn identify(&self, text: &str) -> Answer<Identifier> {
        let found = identifier::read(text, self.request.query("Qualifier"))?;
        self.here(found)
    }

    /// Refuses what is in another region or account.
    fn here(&self, found: Identifier) -> Answer<Identifier> {
        if let Some(region) = found.region.as_ref().filter(|region| **region != self.request.region) {
            return Err(Fault::not_found(format!(
                "Functions from '{region}' are not reachable in this region ('{}')",
                self.request.region
            )));
        }
        if let Some(account) = found.account.as_ref().filter(|account| **account != self.request.account) {
            let text = format!("Account {} is not authorized for functions of account {account}", self.request.account);
            return Err(Fault::new(403, "AccessDeniedException", text));
        }
        Ok(found)
    }

    /// Where something of this name is kept.
    fn key(&self, name: &str) -> String {
        format!("{}:{}:{name}", self.request.account, self.request.region)
    }

    /// What every key of this account and region begins with.
    fn prefix(&self) -> String {
        self.key("")
    }

    fn arn_of(&self, rest: &str) -> String {
        let Request { region, account, .. } = self.request;
        format!("arn:{}:lambda:{region}:{account}:{rest}", partition(region))
    }

    /// The ARN of a function, with a qualifier if given.
    fn arn(&self, name: &str, qualifier: Option<&str>) -> String {
        let qualifier = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
        self.arn_of(&format!("function:{name}{qualifier}"))
    }

    fn now_ms(&self) -> i64 {
        self.world.clock.now_ms()
    }

    /// Now, as Lambda writes it: `2026-11-23T19:01:19.123+0000`.
    fn now_text(&self) -> String {
        let now = self.world.clock.now();
        let (hour, minute, second, milli) = now.to_hms_milli();
        format!("{}T{hour:02}:{minute:02}:{second:02}.{milli:03}+0000", now.date())
    }

    /// Looks at a function.
    fn read<T>(&self, name: &str, qualifier: Option<&str>, look: impl FnOnce(&Function) -> Answer<T>) -> Answer<T> {
        let key = self.key(name);
        let now = self.now_ms();
        let due = self.lambda.state.read(|state| state.functions.get(&key).is_some_and(|function| function.due(now)));
        if due {
            self.write(name, qualifier, |_| Ok(()))?;
        }
        self.lambda.state.read(|state| match state.functions.get(&key) {
            Some(function) => look(function),
            None => Err(Fault::no_function(&self.arn(name, qualifier))),
        })
    }

    /// Changes a function; nothing is changed when it fails before it begins to.
    fn write<T>(
        &self,
        name: &str,
        qualifier: Option<&str>,
        change: impl FnOnce(&mut Function) -> Answer<T>,
    ) -> Answer<T> {
        let key = self.key(name);
        let now = self.now_ms();
        self.lambda.state.write(|state| match state.functions.get_mut(&key) {
            Some(function) => {
                function.settle(now);
                change(function)
            }
            None => Err(Fault::no_function(&self.arn(name, qualifier))),
        })
    }

    /// One page of a list: `Marker` is the key to go on after.
    fn page<T>(&self, items: Vec<(String, T)>) -> Answer<(Vec<T>, Option<String>)> {
        let most = match self.request.query("MaxItems").map(str::parse::<usize>) {
            None => 50,
            Some(Ok(most)) if (1..=10_000).contains(&most) => most.min(50),
            Some(_) => {
                let text = self.request.query("MaxItems").unwrap_or_default();
                let limit = "Member must have value greater than or equal to 1";
                return Err(Fault::validation(&format!("'{text}'"), "maxItems", limit));
            }
        };
        use base64::Engine as _;
        let coding = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let after = match self.request.query("Marker").filter(|marker| !marker.is_empty()) {
            None => None,
            Some(marker) => {
                let decoded = coding.decode(marker).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                Some(decoded.ok_or_else(|| Fault::invalid("Invalid Marker"))?)
            }
        };
        let start = match &after {
            None => 0,
            Some(after) => items.iter().position(|(key, _)| key == after).map_or(items.len(), |at| at + 1),
        };
        let more = items.len() > start + most;
        let mut page: Vec<_> = items.into_iter().skip(start).take(most).collect();
        let next = page.last().filter(|_| more).map(|(key, _)| coding.encode(key));
        Ok((page.drain(..).map(|(_, item)| item).collect(), next))
    }
}

/// A list's answer.
fn listed(name: &str, items: Vec<Value>, next: Option<String>) -> Response {
    let mut all = serde_json::Map::new();
    all.insert(name.to_owned(), Value::Array(items));
    if let Some(next) = next {
        all.insert("NextMarker".to_owned(), Value::String(next));
    }
    Response::json(200, &Value::Object(all))
}

/// A text of the request.
fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str()
}
