//! A sandbox without a socket, its time, what goes wrong on the way to it, and processes of samara
//! that are started and killed in it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::Notify;

use super::super::super::clock::Clock;
use super::super::super::content::Content;
use super::super::super::journal::{Owner, Record};
use super::super::super::names::{Time, Weight};
use super::super::super::run::Services;
use super::super::super::store::Store;
use super::fault::{Call, Fault};
use super::history::{Event, History, What, Who};
use crate::aws::{self, Aws, Lost, Wire, WireFuture};
use crate::pace::Pace;
use crate::sandbox::cloudwatch::Datum;
use crate::sandbox::http::Request;
use crate::sandbox::router::ServiceName;
use crate::sandbox::{self, ACCOUNT, REGION};

/// Where the journals are.
pub const BUCKET: &str = "rollout-journals";
/// 2026-03-01, a round moment to begin at.
const ORIGIN_S: i64 = 1_772_323_200;
/// The longest way of a request, or of its answer.
const LONGEST_WAY_MS: u64 = 40;

/// What happens to a call: asked with the process, its call and the call's number.
pub type Script = Box<dyn Fn(usize, Call, u64) -> Option<Fault> + Send>;

/// Everything there is.
#[derive(Clone)]
pub struct World {
    shared: Arc<Shared>,
}

struct Shared {
    sandbox: Arc<sandbox::state::World>,
    pace: Pace,
    script: Mutex<Script>,
    history: Mutex<History>,
    // Gone with the world.
    _dir: tempfile::TempDir,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("pace", &self.shared.pace).finish_non_exhaustive()
    }
}

/// When a process dies by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// At which of its calls, counted from 0.
    pub call: u64,
    /// Before the request is sent, or after it took effect.
    pub after: bool,
}

/// A process of samara: its connection to AWS, and whether it still lives.
#[derive(Clone)]
pub struct Process {
    /// Its number.
    pub number: usize,
    /// What it has of AWS.
    pub aws: Aws,
    world: World,
    line: Arc<Line>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("number", &self.number).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Line {
    calls: AtomicU64,
    death: Mutex<Option<Death>>,
    dying: Notify,
}

/// What a world could not be made of.
pub type Broken = String;

impl World {
    /// A world with a function `hello` (versions 1 to 3) whose alias `live` is on version 1, and so
    /// for every further function.
    ///
    /// # Errors
    /// No disk, say.
    pub async fn new(pace: Pace, functions: &[&str]) -> Result<Self, Broken> {
        let dir = tempfile::TempDir::with_prefix("samara-sdk-").map_err(|error| error.to_string())?;
        let origin = OffsetDateTime::from_unix_timestamp(ORIGIN_S).map_err(|error| error.to_string())?;
        let clock = sandbox::clock::Clock::paced(origin, 1.0, pace.clone());
        let sandbox = sandbox::state::World::open_at(dir.path(), clock).map_err(|error| error.to_string())?;
        let world = Self {
            shared: Arc::new(Shared {
                sandbox,
                pace,
                script: Mutex::new(Box::new(|_, _, _| None)),
                history: Mutex::default(),
                _dir: dir,
            }),
        };
        let bucket = Request::new(Method::PUT, format!("/{BUCKET}"), ACCOUNT, REGION);
        world.ask(ServiceName::S3, bucket).await?;
        for function in functions {
            world.make_function(function).await?;
        }
        Ok(world)
    }

    async fn make_function(&self, function: &str) -> Result<(), Broken> {
        let settings = json!({
            "FunctionName": function, "Role": format!("arn:aws:iam::{ACCOUNT}:role/{function}"),
            "Runtime": "provided.al2023", "Handler": "bootstrap", "Publish": true, "Timeout": 10,
            "Code": { "ZipFile": package("1")? },
        });
        self.lambda(Method::POST, "/2015-03-31/functions", &settings).await?;
        for version in ["2", "3"] {
            self.shared.pace.sleep(Duration::from_secs(3)).await;
            let code = json!({ "ZipFile": package(version)?, "Publish": true });
            self.lambda(Method::PUT, &format!("/2015-03-31/functions/{function}/code"), &code).await?;
        }
        self.shared.pace.sleep(Duration::from_secs(3)).await;
        let alias = json!({ "Name": "live", "FunctionVersion": "1" });
        self.lambda(Method::POST, &format!("/2015-03-31/functions/{function}/aliases"), &alias).await?;
        Ok(())
    }

    /// Time in this world.
    pub fn pace(&self) -> &Pace {
        &self.shared.pace
    }

    /// Milliseconds since it began.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.shared.pace.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The sandbox itself.
    pub fn sandbox(&self) -> &Arc<sandbox::state::World> {
        &self.shared.sandbox
    }

    /// From now on this decides what goes wrong.
    pub fn script(&self, script: impl Fn(usize, Call, u64) -> Option<Fault> + Send + 'static) {
        *self.shared.script.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(script);
    }

    /// From now on nothing goes wrong.
    pub fn calm(&self) {
        self.script(|_, _, _| None);
    }

    /// What happened so far.
    pub fn history(&self) -> MutexGuard<'_, History> {
        self.shared.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, by: Who, asked_after: usize, what: What) {
        let at_ms = self.now_ms();
        self.history().events.push(Event { at_ms, by, asked_after, what });
    }

    /// Writes down something that a reader of the history has to know.
    pub fn tell(&self, by: Who, what: What) {
        let place = self.history().events.len();
        self.note(by, place, what);
    }

    async fn ask(&self, service: ServiceName, request: Request) -> Result<Value, Broken> {
        let (method, path) = (request.method.clone(), request.path.clone());
        let busy = self.shared.pace.busy();
        let answer = self.shared.sandbox.call(service, request).await;
        drop(busy);
        if answer.is_success() {
            return Ok(answer.body_json());
        }
        Err(format!("{method} {path}: {} {}", answer.status, answer.body_text()))
    }

    async fn lambda(&self, method: Method, path: &str, body: &Value) -> Result<Value, Broken> {
        let request = Request::new(method, path, ACCOUNT, REGION)
            .with_header("content-type", "application/json")
            .with_body(body.to_string());
        self.ask(ServiceName::Lambda, request).await
    }

    /// What an alias says, in the sandbox itself.
    ///
    /// # Errors
    /// There is no such alias.
    pub async fn alias(&self, function: &str) -> Result<Content, Broken> {
        let path = format!("/2015-03-31/functions/{function}/aliases/live");
        let found = self.ask(ServiceName::Lambda, Request::new(Method::GET, path, ACCOUNT, REGION)).await?;
        content(&found).ok_or_else(|| format!("not an alias: {found}"))
    }

    /// Somebody writes an alias. Without weights only the description is edited.
    ///
    /// # Errors
    /// Lambda does not take it.
    pub async fn person_writes(&self, function: &str, to: Option<&Content>) -> Result<(), Broken> {
        let body = match to {
            None => json!({ "Description": format!("edited at {}", self.now_ms()) }),
            Some(to) => {
                let weights: serde_json::Map<String, Value> =
                    to.weights.iter().map(|(version, weight)| (version.clone(), json!(weight.fraction()))).collect();
                json!({ "FunctionVersion": to.version, "RoutingConfig": { "AdditionalVersionWeights": weights } })
            }
        };
        let before = self.alias(function).await?;
        let path = format!("/2015-03-31/functions/{function}/aliases/live");
        let written = self.lambda(Method::PUT, &path, &body).await?;
        let after = content(&written).ok_or_else(|| format!("not an alias: {written}"))?;
        self.tell(Who::Person, What::Alias { name: format!("{function}:live"), before, after });
        Ok(())
    }

    /// Somebody deletes the journal.
    ///
    /// # Errors
    /// S3 does not take it.
    pub async fn person_deletes_journal(&self, function: &str) -> Result<(), Broken> {
        let path = format!("/{BUCKET}/rollouts/{function}/live/current.json");
        self.ask(ServiceName::S3, Request::new(Method::DELETE, path, ACCOUNT, REGION)).await?;
        self.tell(Who::Person, What::Retired { name: format!("{function}:live") });
        Ok(())
    }

    /// Whether there is a journal.
    pub async fn has_journal(&self, function: &str) -> bool {
        let path = format!("/{BUCKET}/rollouts/{function}/live/current.json");
        self.ask(ServiceName::S3, Request::new(Method::GET, path, ACCOUNT, REGION)).await.is_ok()
    }

    /// So many requests reached the alias within a minute that began `ago`, as their metrics tell.
    /// `errors` is what they ended with: each version's share of function errors.
    pub fn requests(&self, function: &str, split: &[(&str, u32, u32)], ago: Duration) {
        let clock = &self.shared.sandbox.clock;
        let at_ms = clock.now_ms() - i64::try_from(ago.as_millis()).unwrap_or(0);
        let resource = format!("{function}:live");
        let record = |dimensions: &[(&str, &str)], name: &str, unit: &str, value: f64, times: u32| {
            let (account, region, namespace) = (ACCOUNT, REGION, "AWS/Lambda");
            let datum = Datum { account, region, namespace, name, dimensions, value, timestamp_ms: at_ms, unit };
            // What is long ago is visible already.
            self.shared.sandbox.cloudwatch.record_times(at_ms, &datum, times);
        };
        for (version, requests, errors) in split {
            let whole = [("FunctionName", function), ("Resource", resource.as_str())];
            let own = [whole[0], whole[1], ("ExecutedVersion", *version)];
            let sets: &[&[(&str, &str)]] = if split.len() > 1 { &[&whole, &own] } else { &[&whole] };
            for dimensions in sets {
                record(dimensions, "Invocations", "Count", 1.0, *requests);
                record(dimensions, "Errors", "Count", 1.0, *errors);
                record(dimensions, "Errors", "Count", 0.0, requests.saturating_sub(*errors));
                record(dimensions, "Throttles", "Count", 0.0, *requests);
                record(dimensions, "Duration", "Milliseconds", 20.0, *requests);
            }
        }
    }

    /// Starts a process: nothing of another one is in it.
    ///
    /// # Errors
    /// The SDK does not take its configuration.
    pub async fn process(&self, number: usize, death: Option<Death>) -> Result<Process, Broken> {
        let line = Arc::new(Line { death: Mutex::new(death), ..Line::default() });
        let wire = Mount { world: self.clone(), number, line: line.clone() };
        let aws = Aws::connect(&aws::Settings {
            region: Some(region_of_its_own()),
            endpoint_url: Some("http://127.0.0.1".to_owned()),
            static_credentials: Some((ACCOUNT.to_owned(), "sandbox".to_owned())),
            wire: Some(Arc::new(wire)),
            ..aws::Settings::default()
        })
        .await
        .map_err(|error| error.to_string())?;
        Ok(Process { number, aws, world: self.clone(), line })
    }
}

impl Process {
    /// Returns when it is about to die by itself.
    pub async fn dying(&self) {
        self.line.dying.notified().await;
    }

    /// How many calls it has made.
    pub fn calls(&self) -> u64 {
        self.line.calls.load(Ordering::Relaxed)
    }

    /// Who it is in a journal. It runs on a machine of its own: only its heartbeat tells that it lives.
    pub fn owner(&self) -> Owner {
        Owner {
            name: format!("process {}", self.number),
            machine: String::new(),
            process: u32::try_from(self.number).unwrap_or(u32::MAX),
            process_began: String::new(),
        }
    }

    /// What a rollout needs. `skew` is how far its own clock is off.
    pub fn services(&self, skew: Duration) -> Services {
        let now = Time(self.world.shared.sandbox.clock.now_ms()) + skew;
        Services {
            lambda: self.aws.lambda(),
            cloudwatch: self.aws.cloudwatch(),
            store: Store::new(self.aws.s3(), BUCKET),
            clock: Clock::wall(now, self.world.shared.pace.clone()),
            me: self.owner(),
            settle: None,
        }
    }
}

/// The SDK keeps its quota of retries by service and region, for all clients in a process. Each
/// process of a story has its own: the mount puts the real region back.
fn region_of_its_own() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("eu-story-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn package(text: &str) -> Result<String, Broken> {
    use base64::Engine as _;
    use std::io::Write as _;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    writer.start_file("bootstrap", options).map_err(|error| error.to_string())?;
    writer.write_all(text.as_bytes()).map_err(|error| error.to_string())?;
    let bytes = writer.finish().map_err(|error| error.to_string())?.into_inner();
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// What `GetAlias` and `UpdateAlias` answer.
fn content(answer: &Value) -> Option<Content> {
    let version = answer.get("FunctionVersion")?.as_str()?.to_owned();
    let routing = answer.pointer("/RoutingConfig/AdditionalVersionWeights").and_then(Value::as_object);
    let weights: BTreeMap<String, Weight> = routing
        .into_iter()
        .flatten()
        .filter_map(|(version, weight)| Some((version.clone(), Weight::from_fraction(weight.as_f64()?)?)))
        .filter(|(_, weight)| *weight > Weight::ZERO)
        .collect();
    Some(Content { version, weights })
}

/// One process's connection to the world.
struct Mount {
    world: World,
    number: usize,
    line: Arc<Line>,
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mount({})", self.number)
    }
}

impl Wire for Mount {
    fn send(&self, request: hyper::Request<Bytes>) -> WireFuture {
        let (world, number) = (self.world.clone(), self.number);
        let call = Call::of(&request);
        let place = self.line.calls.fetch_add(1, Ordering::Relaxed);
        let death = *self.line.death.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = {
            let script = self.world.shared.script.lock().unwrap_or_else(PoisonError::into_inner);
            script(number, call, place)
        };
        if let Some(fault) = fault {
            self.world.tell(Who::Process(number), What::Fault { call, fault });
        }
        let line = self.line.clone();
        if death.is_some_and(|death| place > death.call || (place == death.call && !death.after)) {
            line.dying.notify_one();
            return Box::pin(std::future::pending());
        }
        // On its own, as on a network: what was sent arrives, whether its sender lives or not.
        let way = tokio::spawn(travel(world, number, call, place, fault, request));
        Box::pin(async move {
            let answer = way.await.unwrap_or(Err(Lost::Reset));
            if death.is_some_and(|death| place == death.call) {
                line.dying.notify_one();
                std::future::pending::<()>().await;
            }
            answer
        })
    }

    fn pace(&self) -> Pace {
        self.world.shared.pace.clone()
    }
}

/// There and back, with what goes wrong on the way.
async fn travel(
    world: World,
    number: usize,
    call: Call,
    place: u64,
    fault: Option<Fault>,
    request: hyper::Request<Bytes>,
) -> Result<hyper::Response<Bytes>, Lost> {
    let asked_after = world.history().events.len();
    let pace = world.shared.pace.clone();
    // Different for each call, and the same in each run.
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ place.wrapping_mul(0xd1b5_4a32_d192_ed03);
    let way = |shift: u32| Duration::from_millis(1 + (mixed >> shift) % LONGEST_WAY_MS);
    pace.sleep(way(20)).await;
    match fault {
        Some(Fault::Reset) => return Err(Lost::Reset),
        Some(Fault::InternalAfter) | None => {}
        Some(Fault::Delayed(time)) => pace.sleep(time).await,
        Some(other) => {
            if let Some(refusal) = other.refusal(call.service()) {
                pace.sleep(way(40)).await;
                return Ok(refusal);
            }
        }
    }
    let answer = effect(&world, number, call, asked_after, request).await;
    pace.sleep(way(40)).await;
    match fault {
        Some(Fault::AnswerLost) => Err(Lost::Reset),
        Some(Fault::CutShort) => Err(Lost::CutShort),
        Some(Fault::InternalAfter) => Ok(Fault::InternalAfter.refusal(call.service()).unwrap_or(answer)),
        Some(Fault::Half) => {
            let (mut parts, body) = answer.into_parts();
            parts.headers.remove("content-length");
            Ok(hyper::Response::from_parts(parts, body.slice(..body.len() / 2)))
        }
        Some(Fault::Late(time)) => {
            pace.sleep(time).await;
            Ok(answer)
        }
        _ => Ok(answer),
    }
}

/// The request is there: what it does is written down.
async fn effect(
    world: &World,
    number: usize,
    call: Call,
    asked_after: usize,
    mut request: hyper::Request<Bytes>,
) -> hyper::Response<Bytes> {
    let path = request.uri().path().to_owned();
    let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let real = authorization.and_then(|text| {
        let own = text.split('/').nth(2)?;
        hyper::header::HeaderValue::try_from(text.replacen(&format!("/{own}/"), &format!("/{REGION}/"), 1)).ok()
    });
    if let Some(real) = real {
        request.headers_mut().insert("authorization", real);
    }
    let name = name_in(call, &path);
    let before = match (call, &name) {
        (Call::WriteAlias, Some(name)) => world.alias(name.split(':').next().unwrap_or_default()).await.ok(),
        _ => None,
    };
    let body = request.body().clone();
    let busy = world.shared.pace.busy();
    let mut answer = sandbox::entrance::answer(&world.shared.sandbox, request).await;
    drop(busy);
    // The sandbox draws them; they come into errors, and so into journals.
    let request_id = hyper::header::HeaderValue::from_static("told-by-a-seed");
    for header in ["x-amzn-requestid", "x-amz-request-id"] {
        answer.headers_mut().insert(header, request_id.clone());
    }
    let Some(name) = name.filter(|_| answer.status().is_success()) else { return answer };
    let what = match call {
        Call::WriteAlias => {
            let said: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            before.zip(content(&said)).map(|(before, after)| What::Alias { name, before, after })
        }
        Call::WriteJournal => Some(What::Journal { name, record: record_in(&body) }),
        Call::RetireJournal => Some(What::Retired { name }),
        _ => None,
    };
    if let Some(what) = what {
        world.note(Who::Process(number), asked_after, what);
    }
    answer
}

/// The alias or the journal that a path is about.
fn name_in(call: Call, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (call, parts.as_slice()) {
        (Call::WriteAlias, [_, "functions", function, "aliases", alias]) => Some(format!("{function}:{alias}")),
        (Call::WriteJournal | Call::RetireJournal, [.., "rollouts", function, alias, "current.json"]) => {
            Some(format!("{function}:{alias}"))
        }
        _ => None,
    }
}

/// The journal in a body, whose framing for its checksum may still be on it.
fn record_in(body: &[u8]) -> Option<Box<Record>> {
    let from = body.iter().position(|byte| *byte == b'{')?;
    let mut stream = serde_json::Deserializer::from_slice(&body[from..]).into_iter::<Record>();
    stream.next()?.ok().map(Box::new)
}
