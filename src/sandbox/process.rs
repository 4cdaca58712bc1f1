//! Finding, starting and stopping the sandbox of a project: a process of its own, whose id and port
//! are in `.samara/sandbox.json`. What counts is not that file but who answers at its port.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::server::{self, Options, Server};
use super::{ACCOUNT, Error, REGION};

/// How long a sandbox may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long one may take to end: open requests have [`server`]'s grace, functions theirs.
const STOP_LIMIT: Duration = Duration::from_secs(45);
/// How long an answer to "who are you" may take on a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(25);
/// A sandbox that nobody uses ends after this time.
pub const IDLE_LIMIT: Duration = Duration::from_secs(30 * 60);

/// A sandbox that listens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// The port on loopback.
    pub port: u16,
    /// The process.
    pub pid: u32,
    /// How many sandbox seconds one real second has.
    pub speed: f64,
}

impl Running {
    /// The endpoint for every client.
    pub fn endpoint_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The variables that point any AWS client at it, in the region that samara itself would use there.
    pub fn environment(&self, region: Option<&str>) -> [(&'static str, String); 5] {
        let region = region.unwrap_or(REGION);
        [
            ("AWS_ENDPOINT_URL", self.endpoint_url()),
            ("AWS_ACCESS_KEY_ID", ACCOUNT.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "sandbox".to_owned()),
            ("AWS_REGION", region.to_owned()),
            ("AWS_DEFAULT_REGION", region.to_owned()),
        ]
    }
}

/// How a new sandbox process is started; what is `None` is left to it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wanted {
    /// Port on 127.0.0.1.
    pub port: Option<u16>,
    /// How many sandbox seconds one real second has.
    pub speed: Option<f64>,
}

/// Whether a start has started something.
#[derive(Clone, Debug, PartialEq)]
pub enum Started {
    /// It is new.
    Now(Running),
    /// It ran already.
    Before(Running),
}

impl Started {
    /// The sandbox, whoever started it.
    pub fn running(&self) -> &Running {
        let (Self::Now(running) | Self::Before(running)) = self;
        running
    }
}

/// Where a project's sandbox keeps its things.
#[derive(Clone, Debug)]
struct Place {
    dir: PathBuf,
}

impl Place {
    fn of(project: &Path) -> Self {
        Self { dir: project.join(".samara") }
    }

    fn record(&self) -> PathBuf {
        self.dir.join("sandbox.json")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("sandbox.log")
    }

    fn state(&self) -> PathBuf {
        self.dir.join("sandbox")
    }

    fn error(&self, source: io::Error) -> Error {
        Error::Folder { path: self.dir.clone(), source }
    }

    /// Makes the folder, with a `.gitignore` so that nobody commits it.
    fn make(&self) -> Result<(), Error> {
        std::fs::create_dir_all(&self.dir).map_err(|source| self.error(source))?;
        let ignore = self.dir.join(".gitignore");
        if ignore.exists() {
            return Ok(());
        }
        std::fs::write(ignore, "*\n").map_err(|source| self.error(source))
    }

    /// Waits until nobody else is starting or stopping the sandbox of this project.
    async fn lock(&self) -> Result<std::fs::File, Error> {
        self.make()?;
        let path = self.dir.join("sandbox.lock");
        let file = std::fs::File::create(path).map_err(|source| self.error(source))?;
        let give_up = tokio::time::Instant::now() + START_LIMIT + STOP_LIMIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::Error(source)) => return Err(self.error(source)),
                Err(std::fs::TryLockError::WouldBlock) if tokio::time::Instant::now() > give_up => {
                    return Err(Error::NoAnswer(
                        "another process has been starting or stopping it for long".to_owned(),
                    ));
                }
                Err(std::fs::TryLockError::WouldBlock) => sleep(POLL).await,
            }
        }
    }

    fn read_record(&self) -> Option<Running> {
        // Missing, half-written or of another version: then there is none.
        serde_json::from_slice(&std::fs::read(self.record()).ok()?).ok()
    }

    /// Whether a process holds the state, even one that does not answer.
    fn is_held(&self) -> bool {
        let Ok(file) = std::fs::File::open(self.state().join("lock")) else { return false };
        matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock))
    }
}

/// The sandbox of a project that answers, if there is one.
pub async fn status(project: &Path) -> Option<Running> {
    let recorded = Place::of(project).read_record()?;
    let clock = ask(recorded.port, "GET", "/_samara/clock").await?;
    // The port may be another program's by now, or another project's sandbox's.
    (clock["pid"].as_u64() == Some(u64::from(recorded.pid))).then_some(recorded)
}

/// The project's sandbox, started when it does not run. Of several processes that call this at once
/// one starts it.
///
/// # Errors
/// It does not start.
pub async fn ensure_running(project: &Path) -> Result<Running, Error> {
    if let Some(running) = status(project).await {
        return Ok(running);
    }
    Ok(start(project, Wanted::default()).await?.running().clone())
}

/// Starts the project's sandbox in a process of its own and returns when it listens.
///
/// # Errors
/// One runs already with another port or speed than is wanted; it does not start.
pub async fn start(project: &Path, wanted: Wanted) -> Result<Started, Error> {
    let place = Place::of(project);
    let _lock = place.lock().await?;
    start_locked(project, &place, wanted).await
}

async fn start_locked(project: &Path, place: &Place, wanted: Wanted) -> Result<Started, Error> {
    if let Some(running) = status(project).await {
        let port_differs = wanted.port.is_some_and(|port| port != 0 && port != running.port);
        #[expect(clippy::float_cmp, reason = "the same text gives the same number")]
        let speed_differs = wanted.speed.is_some_and(|speed| speed != running.speed);
        if port_differs || speed_differs {
            return Err(Error::RunsDifferently { port: running.port, speed: running.speed });
        }
        return Ok(Started::Before(running));
    }
    let log = std::fs::File::create(place.log()).map_err(|source| place.error(source))?;
    let mut child = command(project, place, wanted, log)?.spawn().map_err(|source| place.error(source))?;
    let give_up = tokio::time::Instant::now() + START_LIMIT;
    loop {
        if let Some(running) = status(project).await.filter(|running| running.pid == child.id()) {
            // It outlives this process, which is not to wait for it.
            drop(child);
            return Ok(Started::Now(running));
        }
        if let Ok(Some(_)) = child.try_wait() {
            return Err(Error::NotStarted(last_line(&place.log())));
        }
        if tokio::time::Instant::now() > give_up {
            // Nobody is to find a sandbox later that was reported as failed.
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::NoAnswer(format!("it did not listen within {} s", START_LIMIT.as_secs())));
        }
        sleep(POLL).await;
    }
}

fn command(project: &Path, place: &Place, wanted: Wanted, log: std::fs::File) -> Result<Command, Error> {
    let folder = |source| place.error(source);
    let mut command = Command::new(std::env::current_exe().map_err(folder)?);
    command.args(["sandbox", "start", "--foreground", "--color", "never"]).current_dir(project);
    if let Some(port) = wanted.port {
        command.args(["--port", &port.to_string()]);
    }
    if let Some(speed) = wanted.speed {
        command.args(["--speed", &speed.to_string()]);
    }
    command.stdin(Stdio::null()).stdout(log.try_clone().map_err(folder)?).stderr(log);
    // Ctrl-C at the terminal is meant for the command in front.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    Ok(command)
}

fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let line = text.lines().rev().find(|line| line.starts_with("error:")).or_else(|| text.lines().next_back());
    line.unwrap_or("it ended without a word").trim_start_matches("error:").trim().to_owned()
}

/// Runs the project's sandbox in this process until it is told to stop, by a signal, by `stop`, or
/// by `idle_limit` without a request.
///
/// # Errors
/// It cannot start, or its state cannot be written at the end.
pub async fn run(
    project: &Path,
    wanted: Wanted,
    idle_limit: Option<Duration>,
    on_listening: impl FnOnce(&Running),
) -> Result<(), Error> {
    let hosted = host(project, wanted).await?;
    on_listening(hosted.running());
    wait_for_the_end(&hosted.server, idle_limit).await;
    hosted.end().await
}

/// A project's sandbox that runs in this process.
#[derive(Debug)]
pub struct Hosted {
    server: Server,
    place: Place,
    running: Running,
}

/// Starts the project's sandbox in this process, where `--sandbox` finds it.
///
/// # Errors
/// The folder cannot be used or is in use; the port is taken.
pub async fn host(project: &Path, wanted: Wanted) -> Result<Hosted, Error> {
    let place = Place::of(project);
    place.make()?;
    let options = Options { dir: place.state(), port: wanted.port.unwrap_or(0), speed: wanted.speed.unwrap_or(1.0) };
    let speed = options.speed;
    let server = server::start(options).await?;
    let running = Running { port: server.port(), pid: std::process::id(), speed };
    write_record(&place, &running).map_err(|source| place.error(source))?;
    Ok(Hosted { server, place, running })
}

impl Hosted {
    /// Where it listens.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// What it remembers, for what no AWS client can say.
    pub fn world(&self) -> &std::sync::Arc<super::state::World> {
        self.server.world()
    }

    /// Ends it.
    ///
    /// # Errors
    /// Its state cannot be written.
    pub async fn end(self) -> Result<(), Error> {
        // Before the port is free for others.
        if self.place.read_record().as_ref() == Some(&self.running) {
            let _ = std::fs::remove_file(self.place.record());
        }
        self.server.stop().await
    }
}

fn write_record(place: &Place, running: &Running) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(&place.dir)?;
    serde_json::to_writer(&mut file, running)?;
    file.persist(place.record()).map_err(|error| error.error)?;
    Ok(())
}

async fn wait_for_the_end(server: &Server, idle_limit: Option<Duration>) {
    let idle = async {
        let Some(limit) = idle_limit else { return std::future::pending().await };
        while server.idle() < limit {
            sleep((limit - server.idle().min(limit)).max(POLL)).await;
        }
    };
    tokio::select! {
        () = server.stop_asked() => {}
        () = idle => {}
        () = signals() => {}
    }
}

#[cfg(unix)]
async fn signals() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut hang_up)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signals() {
    let _ = tokio::signal::ctrl_c().await;
}

/// Ends the project's sandbox; gives what ran, or `None` when there was nothing to end.
///
/// # Errors
/// It does not end.
pub async fn stop(project: &Path) -> Result<Option<Running>, Error> {
    let place = Place::of(project);
    if !place.dir.exists() {
        return Ok(None);
    }
    let _lock = place.lock().await?;
    stop_locked(project, &place).await
}

async fn stop_locked(project: &Path, place: &Place) -> Result<Option<Running>, Error> {
    let Some(running) = status(project).await else {
        if place.is_held() {
            return Err(Error::NoAnswer("its process is there, but its port does not answer".to_owned()));
        }
        // What a killed one has left.
        let _ = std::fs::remove_file(place.record());
        return Ok(None);
    };
    ask(running.port, "POST", "/_samara/stop").await;
    let give_up = tokio::time::Instant::now() + STOP_LIMIT;
    while place.is_held() {
        if tokio::time::Instant::now() > give_up {
            return Err(Error::NoAnswer(format!("process {} was told to stop and has not ended", running.pid)));
        }
        sleep(POLL).await;
    }
    Ok(Some(running))
}

/// Empties the project's sandbox. One that runs is started again, empty, at the same port.
///
/// # Errors
/// It does not end or start, or its folder cannot be removed.
pub async fn reset(project: &Path) -> Result<Option<Running>, Error> {
    let place = Place::of(project);
    if !place.dir.exists() {
        return Ok(None);
    }
    let _lock = place.lock().await?;
    let ran = stop_locked(project, &place).await?;
    match std::fs::remove_dir_all(place.state()) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(Error::Folder { path: place.state(), source });
        }
        _ => {}
    }
    let Some(ran) = ran else { return Ok(None) };
    let wanted = Wanted { port: Some(ran.port), speed: Some(ran.speed) };
    Ok(Some(start_locked(project, &place, wanted).await?.running().clone()))
}

/// Asks a sandbox one of its private questions; `None` when nobody answers as one would.
async fn ask(port: u16, method: &str, path: &str) -> Option<serde_json::Value> {
    let question =
        format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        stream.write_all(question.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        // Whatever else listens there may have a lot to say.
        stream.take(64 * 1024).read_to_end(&mut answer).await.ok()?;
        let text = String::from_utf8(answer).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 2").then(|| serde_json::from_str(body).ok())?
    };
    timeout(ANSWER_LIMIT, exchange).await.ok()?
}
