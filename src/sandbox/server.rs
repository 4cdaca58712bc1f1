//! The HTTP server: on loopback only, one for all services.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::entrance::{self, Arrival};
use super::http::{Response, new_request_id};
use super::state::World;
use super::{Error, router};

/// The largest body that is taken: a package at Lambda's limit of 250 MB, and some room.
const MAX_BODY_BYTES: usize = 300 * 1024 * 1024;
/// How long open requests may go on after a stop.
const GRACE: Duration = Duration::from_secs(2);
/// How often alarms and the like are looked at, in real time.
const TICK: Duration = Duration::from_millis(100);
/// How often changes are written, in real time.
const FLUSH: Duration = Duration::from_millis(500);

/// How a sandbox is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its state is kept; made when it is not there.
    pub dir: PathBuf,
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// How many sandbox seconds one real second has.
    pub speed: f64,
}

/// A sandbox that listens. Dropping it stops it without grace; [`Server::stop`] is the polite way.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    ticking: JoinHandle<()>,
    // Held as long as the server lives.
    _lock: std::fs::File,
}

#[derive(Debug)]
struct Shared {
    world: Arc<World>,
    in_flight: AtomicUsize,
    started: tokio::time::Instant,
    // Milliseconds after `started` at which the last request ended.
    last_ms: AtomicI64,
    stop_asked: watch::Sender<bool>,
}

/// Starts a sandbox in this process.
///
/// # Errors
/// The folder cannot be used or is in use; the port is taken.
pub async fn start(options: Options) -> Result<Server, Error> {
    let Options { dir, port, speed } = options;
    let folder = |source| Error::Folder { path: dir.clone(), source };
    std::fs::create_dir_all(&dir).map_err(folder)?;
    let lock = std::fs::File::create(dir.join("lock")).map_err(folder)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(Error::InUse(dir)),
        Err(std::fs::TryLockError::Error(source)) => return Err(folder(source)),
    }
    let world = World::open(&dir, speed)?;
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listen = |source| Error::Listen { address: wanted.to_string(), source };
    let listener = TcpListener::bind(wanted).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    world.set_endpoint_url(format!("http://{address}"));
    let shared = Arc::new(Shared {
        world,
        in_flight: AtomicUsize::new(0),
        started: tokio::time::Instant::now(),
        last_ms: AtomicI64::new(0),
        stop_asked: watch::Sender::new(false),
    });
    let stop = watch::Sender::new(false);
    let accepting = tokio::spawn(accept(listener, shared.clone(), stop.subscribe()));
    let ticking = tokio::spawn(tick(shared.world.clone()));
    Ok(Server { address, shared, stop, accepting, ticking, _lock: lock })
}

impl Server {
    /// The endpoint for every client.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port on loopback.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The services, for what runs in the same process.
    pub fn world(&self) -> &Arc<World> {
        &self.shared.world
    }

    /// How long no request has been under way.
    pub fn idle(&self) -> Duration {
        if self.shared.in_flight.load(Ordering::Acquire) > 0 {
            return Duration::ZERO;
        }
        let last = u64::try_from(self.shared.last_ms.load(Ordering::Acquire)).unwrap_or(0);
        self.shared.started.elapsed().saturating_sub(Duration::from_millis(last))
    }

    /// Returns when a client has asked the sandbox to stop (`POST /_samara/stop`).
    pub async fn stop_asked(&self) {
        // The sender lives in `shared`, so the channel is never closed.
        let _ = self.shared.stop_asked.subscribe().wait_for(|asked| *asked).await;
    }

    /// Lets open requests end, ends what the services run, and writes everything to disk.
    ///
    /// # Errors
    /// The disk does not take the last changes.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.stop.send_replace(true);
        // A task that panicked has nothing more to say here.
        let _ = (&mut self.accepting).await;
        self.ticking.abort();
        self.shared.world.close().await;
        self.shared.world.flush()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        self.ticking.abort();
    }
}

async fn tick(world: Arc<World>) {
    let mut since_flush = Duration::ZERO;
    loop {
        tokio::time::sleep(TICK).await;
        world.tick().await;
        since_flush += TICK;
        if since_flush >= FLUSH {
            since_flush = Duration::ZERO;
            let world = world.clone();
            let flushed = tokio::task::spawn_blocking(move || world.flush()).await;
            if let Ok(Err(error)) = flushed {
                tracing::warn!(%error, "the sandbox's state could not be written");
            }
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => serve_connection(stream, &shared, &graceful),
            // Out of file descriptors, most likely: connections that end will free some.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

fn serve_connection(stream: TcpStream, shared: &Arc<Shared>, graceful: &GracefulShutdown) {
    // Answers are small and clients wait for them.
    let _ = stream.set_nodelay(true);
    let shared = shared.clone();
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(serve(&shared, request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        // Idle connections cost nothing here, and a client that finds one closed has to retry.
        .header_read_timeout(None)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        // The client went away in the middle; nobody is left to tell.
        let _ = connection.await;
    });
}

async fn serve(shared: &Arc<Shared>, request: hyper::Request<Incoming>) -> hyper::Response<Full<Bytes>> {
    shared.in_flight.fetch_add(1, Ordering::AcqRel);
    let request_id = new_request_id();
    let is_private = request.uri().path().starts_with("/_samara/");
    let response = if router::is_from_a_web_page(request.headers()) {
        Response::json(403, &json!({"message": "Web pages may not use the sandbox."}))
    } else if is_private {
        private(shared, &request)
    } else {
        answer(shared, request, request_id.clone()).await
    };
    let elapsed = i64::try_from(shared.started.elapsed().as_millis()).unwrap_or(i64::MAX);
    // Whoever only asks for the time does not keep the sandbox awake.
    if !is_private {
        shared.last_ms.fetch_max(elapsed, Ordering::AcqRel);
    }
    shared.in_flight.fetch_sub(1, Ordering::AcqRel);
    entrance::finish(response, &request_id, &shared.world).map(Full::new)
}

/// The sandbox's own paths, which no AWS service has.
fn private(shared: &Shared, request: &hyper::Request<Incoming>) -> Response {
    let clock = &shared.world.clock;
    match (request.method().as_str(), request.uri().path()) {
        ("GET", "/_samara/clock") => {
            let pid = std::process::id();
            Response::json(200, &json!({"now_ms": clock.now_ms(), "speed": clock.speed(), "pid": pid}))
        }
        ("POST", "/_samara/stop") => {
            shared.stop_asked.send_replace(true);
            Response::json(202, &json!({}))
        }
        ("PUT", path) if path.starts_with("/_samara/faults/") => inject(shared, request.uri()),
        ("PUT", "/_samara/codedeploy") => behave(shared, request.uri()),
        _ => Response::json(404, &json!({"message": "The sandbox has no such path."})),
    }
}

/// `PUT /_samara/faults/{function}/{version}?errors=0.2`: that share of the version's invocations ends in
/// an error; 0 ends it.
fn inject(shared: &Shared, uri: &hyper::Uri) -> Response {
    let parts: Vec<&str> = uri.path().split('/').skip(3).collect();
    let rate = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .find_map(|(name, value)| (name == "errors").then(|| value.parse::<f64>().ok()).flatten());
    match (parts.as_slice(), rate.filter(|rate| (0.0..=1.0).contains(rate))) {
        ([function, version], Some(rate)) => {
            shared.world.lambda.inject_errors(function, version, rate);
            Response::json(200, &json!({"function": function, "version": version, "errors": rate}))
        }
        _ => {
            let form = "PUT /_samara/faults/FUNCTION/VERSION?errors=RATE, with a rate from 0 to 1";
            Response::json(400, &json!({ "message": form }))
        }
    }
}

/// `PUT /_samara/codedeploy?stop=whole&rollback=split`: what a stop without a rollback, and what a
/// rollback, leaves on the alias. AWS documents neither; each says `split` or `whole`.
fn behave(shared: &Shared, uri: &hyper::Uri) -> Response {
    let codedeploy = &shared.world.codedeploy;
    let mut conduct = codedeploy.conduct();
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        match (name.as_ref(), value.as_ref()) {
            ("stop", "whole" | "split") => conduct.stop_leaves_whole = value == "whole",
            ("rollback", "whole" | "split") => conduct.rollback_leaves_split = value == "split",
            _ => {
                let form = "PUT /_samara/codedeploy?stop=whole|split&rollback=whole|split";
                return Response::json(400, &json!({ "message": form }));
            }
        }
    }
    codedeploy.behave(conduct);
    let word = |split: bool| if split { "split" } else { "whole" };
    let (stop, rollback) = (word(!conduct.stop_leaves_whole), word(conduct.rollback_leaves_split));
    Response::json(200, &json!({"stop": stop, "rollback": rollback}))
}

async fn answer(shared: &Arc<Shared>, request: hyper::Request<Incoming>, request_id: String) -> Response {
    let (parts, body) = request.into_parts();
    let arrival = Arrival::new(parts, request_id);
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(collected) => arrival.answer(&shared.world, collected.to_bytes(), true).await,
        Err(error) if error.is::<LengthLimitError>() => arrival.too_large(),
        // The client went away in the middle of its body.
        Err(_) => Response::new(400),
    }
}
