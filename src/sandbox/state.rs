//! What the sandbox remembers: the services, and how their state gets to disk and back.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use parking::RwLock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Error;
use super::clock::Clock;
use super::cloudformation::CloudFormation;
use super::cloudwatch::CloudWatch;
use super::codedeploy::CodeDeploy;
use super::http::{Request, Response};
use super::iam::Iam;
use super::lambda::Lambda;
use super::logs::Logs;
use super::router::ServiceName;
use super::s3::S3;
use super::sns::Sns;
use super::sqs::Sqs;
use super::sts;

pub(super) mod parking {
    //! `std`'s lock without poisoning: a panic in one request must not take the others with it.
    use std::sync::{PoisonError, RwLock as Std, RwLockReadGuard, RwLockWriteGuard};

    #[derive(Debug, Default)]
    pub(in crate::sandbox) struct RwLock<T>(Std<T>);

    impl<T> RwLock<T> {
        pub(in crate::sandbox) fn new(value: T) -> Self {
            Self(Std::new(value))
        }
        pub(in crate::sandbox) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }
        pub(in crate::sandbox) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

/// Everything that the services share: one field a service.
#[derive(Debug)]
pub struct World {
    /// The sandbox's time.
    pub clock: Clock,
    /// Where everything is kept.
    pub dir: PathBuf,
    /// Buckets and objects.
    pub s3: S3,
    /// Stacks.
    pub cloudformation: CloudFormation,
    /// Roles and their policies.
    pub iam: Iam,
    /// Functions.
    pub lambda: Lambda,
    /// Log groups.
    pub logs: Logs,
    /// Metrics and alarms.
    pub cloudwatch: CloudWatch,
    /// Queues.
    pub sqs: Sqs,
    /// Topics.
    pub sns: Sns,
    /// Deployments.
    pub codedeploy: CodeDeploy,
    endpoint_url: OnceLock<String>,
    saved_clock: Persisted<SavedClock>,
}

/// What of the clock goes to disk, so that time never runs back.
#[derive(Debug, Default, Serialize, Deserialize)]
struct SavedClock {
    now_ms: i64,
}

/// How much sandbox time may be missing in the file when the process was killed: it is written
/// about once a real second.
const CLOCK_MARGIN_S: f64 = 2.0;

/// The answer of a service to a service.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

impl World {
    /// Opens the state under `dir`, creating it when it is not there. The clock goes on from where
    /// it was, `speed` times as fast as real time.
    ///
    /// # Errors
    /// The folder cannot be used, or a file in it is not one of ours.
    pub fn open(dir: &Path, speed: f64) -> Result<Arc<Self>, Error> {
        std::fs::create_dir_all(dir).map_err(|source| Error::Folder { path: dir.to_owned(), source })?;
        let saved_clock: Persisted<SavedClock> = Persisted::open(dir.join("clock.json"))?;
        let not_before = saved_clock.read(|saved| {
            let milliseconds = i128::from(saved.now_ms) + (CLOCK_MARGIN_S * 1000.0 * speed) as i128;
            (saved.now_ms > 0).then(|| time::OffsetDateTime::from_unix_timestamp_nanos(milliseconds * 1_000_000).ok())
        });
        Self::with_clock(dir, Clock::resume(not_before.flatten(), speed), saved_clock)
    }

    /// Opens the state under `dir` with a clock of one's own, such as a simulation's.
    ///
    /// # Errors
    /// The folder cannot be used, or a file in it is not one of ours.
    pub fn open_at(dir: &Path, clock: Clock) -> Result<Arc<Self>, Error> {
        std::fs::create_dir_all(dir).map_err(|source| Error::Folder { path: dir.to_owned(), source })?;
        Self::with_clock(dir, clock, Persisted::open(dir.join("clock.json"))?)
    }

    fn with_clock(dir: &Path, clock: Clock, saved_clock: Persisted<SavedClock>) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            clock,
            dir: dir.to_owned(),
            s3: S3::open(&dir.join("s3"))?,
            cloudformation: CloudFormation::open(dir)?,
            iam: Iam::open(dir)?,
            lambda: Lambda::open(&dir.join("lambda"))?,
            logs: Logs::open(&dir.join("logs"))?,
            cloudwatch: CloudWatch::open(&dir.join("cloudwatch"))?,
            sqs: Sqs::open(dir)?,
            sns: Sns::open(dir)?,
            codedeploy: CodeDeploy::open(dir)?,
            endpoint_url: OnceLock::new(),
            saved_clock,
        }))
    }

    /// Where this sandbox listens; empty while it does not.
    pub fn endpoint_url(&self) -> &str {
        self.endpoint_url.get().map_or("", String::as_str)
    }

    /// Said once by the server.
    pub(super) fn set_endpoint_url(&self, url: String) {
        self.endpoint_url.get_or_init(|| url);
    }

    /// Asks a service, in the form of its own API: the way from one service to another, and the one
    /// that the server takes.
    pub fn call(self: &Arc<Self>, service: ServiceName, request: Request) -> Answer<'_> {
        Box::pin(async move {
            match service {
                ServiceName::S3 => self.s3.handle(self, request).await,
                ServiceName::CloudFormation => self.cloudformation.handle(self, request).await,
                ServiceName::Sts => sts::handle(&request),
                ServiceName::Iam => self.iam.handle(self, request).await,
                ServiceName::Lambda => self.lambda.handle(self, request).await,
                ServiceName::Logs => self.logs.handle(self, request).await,
                ServiceName::CloudWatch => self.cloudwatch.handle(self, request).await,
                ServiceName::Sqs => self.sqs.handle(self, request).await,
                ServiceName::Sns => self.sns.handle(self, request).await,
                ServiceName::CodeDeploy => self.codedeploy.handle(self, request).await,
            }
        })
    }

    /// What has to go on without a request. The server calls it about ten times a real second.
    pub async fn tick(self: &Arc<Self>) {
        self.lambda.tick();
        self.cloudformation.tick(self);
        self.codedeploy.tick(self);
        self.cloudwatch.tick(self).await;
    }

    /// Writes what has changed to disk. The server calls it a few times a second, and at the end.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn flush(&self) -> Result<(), Error> {
        self.iam.flush()?;
        self.lambda.flush()?;
        self.cloudformation.flush()?;
        self.logs.flush()?;
        self.cloudwatch.flush()?;
        self.sqs.flush()?;
        self.sns.flush()?;
        self.codedeploy.flush()?;
        self.saved_clock.write(|saved| saved.now_ms = self.clock.now_ms());
        self.saved_clock.flush()
    }

    /// Writes what a request has just changed, before it is answered: a client that was told "done"
    /// finds it done after a SIGKILL. What functions write themselves
    /// (metrics, log lines) is too much for that and waits for [`Self::flush`]; S3 writes as it goes.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(super) fn commit(&self, service: ServiceName) -> Result<(), Error> {
        match service {
            ServiceName::Iam => self.iam.flush(),
            ServiceName::Lambda => self.lambda.flush(),
            ServiceName::CloudFormation => self.cloudformation.flush(),
            ServiceName::Logs => self.logs.flush(),
            ServiceName::CloudWatch => self.cloudwatch.commit(),
            ServiceName::Sqs => self.sqs.flush(),
            ServiceName::Sns => self.sns.flush(),
            ServiceName::CodeDeploy => self.codedeploy.flush(),
            ServiceName::S3 | ServiceName::Sts => Ok(()),
        }
    }

    /// Ends what the services have started (processes of functions, say), before the last flush.
    pub(super) async fn close(self: &Arc<Self>) {
        self.lambda.close().await;
    }
}

/// A value in memory that is written to one JSON file: soon after a change by [`Persisted::flush`],
/// which the server calls a few times a second and when it stops.
#[derive(Debug)]
pub struct Persisted<T> {
    path: PathBuf,
    value: RwLock<T>,
    dirty: AtomicBool,
    /// Held while the file is written, so that an older value never comes after a newer one.
    writing: Mutex<()>,
}

impl<T: Default + Serialize + DeserializeOwned> Persisted<T> {
    /// Reads the file, or begins with the default when there is none.
    ///
    /// # Errors
    /// The file cannot be read, or is not what was written there.
    pub fn open(path: PathBuf) -> Result<Self, Error> {
        let value = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| Error::Folder {
                path: path.clone(),
                source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => T::default(),
            Err(source) => return Err(Error::Folder { path, source }),
        };
        Ok(Self { path, value: RwLock::new(value), dirty: AtomicBool::new(false), writing: Mutex::new(()) })
    }

    /// Looks at the value. Keep it short: everybody else waits.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.value.read())
    }

    /// Changes the value.
    pub fn write<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.value.write());
        self.dirty.store(true, Ordering::Release);
        result
    }

    /// Writes the value to its file if it has changed since the last time; whole or not at all.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn flush(&self) -> Result<(), Error> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let bytes = self.read(|value| serde_json::to_vec(value));
        let write = || -> std::io::Result<()> {
            let folder = self.path.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            std::io::Write::write_all(&mut file, &bytes?)?;
            file.persist(&self.path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|source| {
            self.dirty.store(true, Ordering::Release);
            Error::Folder { path: self.path.clone(), source }
        })
    }
}
