//! The name of a package: a SHA-256 over paths, modes and contents, so that the same code has the
//! same name on every machine and day, whatever the deflate library makes of it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest as _, Sha256 as Hasher};

use super::folder::{Entry, Kind, Listing};
use super::problem::Problem;
use crate::aws::s3::Sha256;

/// Changes when the same folder would make another package.
const FORMAT: &str = "samara package 1";

const BUFFER_BYTES: usize = 256 << 10;

/// A listing whose contents have been read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// What is packed.
    pub listing: Listing,
    /// The SHA-256 of each entry's content (of a link's target), in the listing's order.
    pub contents: Vec<Sha256>,
    /// The name of the whole.
    pub digest: Sha256,
}

/// Reads every file once, side by side.
///
/// # Errors
/// A file that cannot be read or that changes meanwhile.
pub(super) fn hash(listing: Listing) -> Result<Hashed, Problem> {
    let contents: Vec<Sha256> = listing
        .entries
        .par_iter()
        .map(|entry| match &entry.kind {
            Kind::File { source, size_bytes, .. } => hash_file(source, *size_bytes),
            Kind::Link { target } => Ok(Sha256::of(target.as_bytes())),
        })
        .collect::<Result<_, _>>()?;
    let digest = combine(&listing.entries, &contents);
    Ok(Hashed { listing, contents, digest })
}

/// The name of entries with these contents.
fn combine(entries: &[Entry], contents: &[Sha256]) -> Sha256 {
    let mut hasher = Hasher::new();
    hasher.update(FORMAT);
    for (entry, content) in entries.iter().zip(contents) {
        let mode: &[u8] = match entry.kind {
            Kind::File { executable: false, .. } => b"f",
            Kind::File { executable: true, .. } => b"x",
            Kind::Link { .. } => b"l",
        };
        // The length keeps one path from running into the next.
        hasher.update((entry.path.len() as u64).to_be_bytes());
        hasher.update(&entry.path);
        hasher.update(mode);
        hasher.update(content.0);
    }
    Sha256(hasher.finalize().into())
}

/// The SHA-256 of a file that is to be uploaded as it is. Its name depends on the bytes alone.
///
/// # Errors
/// It cannot be read or changes meanwhile.
pub(super) fn hash_file(path: &Path, size_bytes: u64) -> Result<Sha256, Problem> {
    let mut hasher = Hasher::new();
    read_steadily(path, size_bytes, BUFFER_BYTES, |chunk| {
        hasher.update(chunk);
        Ok(())
    })?;
    Ok(Sha256(hasher.finalize().into()))
}

/// Reads a file from its beginning to its end in chunks of exactly `chunk_bytes` (the last may be
/// shorter), and makes sure that it is still the file that was listed.
pub(super) fn read_steadily(
    path: &Path,
    size_bytes: u64,
    chunk_bytes: usize,
    mut each: impl FnMut(&[u8]) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let changed = || Problem::Changed { path: path.to_owned() };
    let mut file = open(path)?;
    let before = file.metadata().map_err(|error| Problem::io(path, &error))?;
    if !before.is_file() || before.len() != size_bytes {
        return Err(changed());
    }
    // One byte more than there should be, so that growth shows.
    let want = usize::try_from(size_bytes + 1).unwrap_or(usize::MAX).min(chunk_bytes);
    let mut buffer = vec![0; want];
    let mut total: u64 = 0;
    loop {
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Problem::io(path, &error)),
            }
        }
        if filled == 0 {
            break;
        }
        total += filled as u64;
        if total > size_bytes {
            return Err(changed());
        }
        each(&buffer[..filled])?;
    }
    let after = file.metadata().map_err(|error| Problem::io(path, &error))?;
    if total != size_bytes || after.len() != before.len() || stamp(&after) != stamp(&before) {
        return Err(changed());
    }
    Ok(())
}

/// Opens what was listed as a regular file: a link or a fifo that took its place meanwhile is
/// neither followed nor waited for.
#[cfg(unix)]
fn open(path: &Path) -> Result<File, Problem> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => Ok(File::from(descriptor)),
        Err(rustix::io::Errno::LOOP) => Err(Problem::Changed { path: path.to_owned() }),
        Err(error) => Err(Problem::io(path, &std::io::Error::from(error))),
    }
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<File, Problem> {
    File::open(path).map_err(|error| Problem::io(path, &error))
}

fn stamp(meta: &std::fs::Metadata) -> Option<std::time::SystemTime> {
    meta.modified().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, executable: bool) -> Entry {
        Entry { path: path.to_owned(), kind: Kind::File { source: path.into(), executable, size_bytes: 0 } }
    }

    #[test]
    fn path_mode_and_content_each_change_the_name() {
        let content = Sha256::of(b"x");
        let name = |entry: Entry, content| combine(&[entry], &[content]);
        let base = name(file("a", false), content);
        assert_ne!(base, name(file("b", false), content));
        assert_ne!(base, name(file("a", true), content));
        assert_ne!(base, name(file("a", false), Sha256::of(b"y")));
        let link = Entry { path: "a".to_owned(), kind: Kind::Link { target: "x".to_owned() } };
        assert_ne!(base, name(link, content));
    }

    #[test]
    fn the_name_of_a_package_is_the_same_for_ever() {
        // A change here means that every package of every user is uploaded again: raise FORMAT on purpose.
        let digest = combine(&[file("app.py", false), file("bootstrap", true)], &[Sha256::of(b"a"), Sha256::of(b"b")]);
        assert_eq!(digest.hex(), "60e4561824875c4b5cec555a6c557cdcf42766e795c545176f0e1216ae4f5c05");
    }

    #[test]
    fn a_file_that_is_not_as_long_as_it_was_is_not_packed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, b"12345").unwrap();
        assert!(hash_file(&path, 5).is_ok());
        for listed in [4, 6] {
            assert_eq!(hash_file(&path, listed), Err(Problem::Changed { path: path.clone() }));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_took_the_place_of_a_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert_eq!(hash_file(&path, 5), Err(Problem::Changed { path: path.clone() }));
    }
}
