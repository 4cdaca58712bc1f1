//! What the sandbox remembers: the services, and how their state gets to disk and back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking::RwLock;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use super::clock::Clock;

mod parking {
    //! `std`'s lock without poisoning: a panic in one request must not take the others with it.
    use std::sync::{PoisonError, RwLock as Std, RwLockReadGuard, RwLockWriteGuard};

    #[derive(Debug, Default)]
    pub(super) struct RwLock<T>(Std<T>);

    impl<T> RwLock<T> {
        pub(super) fn new(value: T) -> Self {
            Self(Std::new(value))
        }
        pub(super) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }
        pub(super) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

/// Everything that the services share.
#[derive(Debug)]
pub struct World {
    /// The sandbox's time.
    pub clock: Clock,
    /// Where everything is kept.
    pub dir: PathBuf,
}

impl World {
    /// Opens the state under `dir`, creating it when it is not there.
    ///
    /// # Errors
    /// The folder cannot be used, or a file in it is not one of ours.
    pub fn open(dir: &Path, clock: Clock) -> Result<Arc<Self>, Error> {
        std::fs::create_dir_all(dir).map_err(|source| Error::Folder { path: dir.to_owned(), source })?;
        Ok(Arc::new(Self { clock, dir: dir.to_owned() }))
    }
}

/// A value in memory that is written to one JSON file: soon after a change by [`Persisted::flush`],
/// which the server calls a few times a second and when it stops.
#[derive(Debug)]
pub struct Persisted<T> {
    path: PathBuf,
    value: RwLock<T>,
    dirty: AtomicBool,
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
        Ok(Self { path, value: RwLock::new(value), dirty: AtomicBool::new(false) })
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
