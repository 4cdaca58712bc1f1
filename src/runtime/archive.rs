//! Unpacking a deployment package: nothing is ever written outside the folder.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

/// A package that Lambda would not take, or that we do not unpack.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not a zip archive, or a broken one.
    #[error("the archive cannot be read: {0}")]
    Broken(String),
    /// Unpacked it is larger than allowed.
    #[error("unpacked it is larger than {0} bytes")]
    TooLarge(u64),
    /// A name or link that leaves the folder, or something that cannot be a file.
    #[error("the archive has an entry that is not unpacked: {0}")]
    Unsafe(String),
    /// The disk does not take it.
    #[error(transparent)]
    Disk(#[from] std::io::Error),
}

/// Unpacks `bytes` over what is in `folder` and gives the size of the contents.
///
/// Files get 0644, or 0755 when the archive has an executable bit; links are kept when they stay inside.
///
/// # Errors
/// Nothing is undone; the caller unpacks into a folder that it throws away.
pub fn unpack(bytes: &[u8], folder: &Path, limit: u64) -> Result<u64, Error> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| Error::Broken(error.to_string()))?;
    let mut names = BTreeSet::new();
    let mut links = Vec::new();
    let mut size = 0_u64;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| Error::Broken(error.to_string()))?;
        let written = entry.name().map_err(|error| Error::Broken(error.to_string()))?.into_owned();
        let name = inside(&written).ok_or(Error::Unsafe(written))?;
        if name.as_os_str().is_empty() {
            continue;
        }
        if !entry.is_dir() && !names.insert(name.clone()) {
            return Err(Error::Unsafe(format!("{} appears twice", name.display())));
        }
        let path = folder.join(&name);
        if entry.is_dir() {
            std::fs::create_dir_all(&path)?;
            continue;
        }
        // What the header says may be a lie; what is read counts.
        let room = limit.saturating_sub(size);
        let mut content = Vec::with_capacity(usize::try_from(entry.size().min(room)).unwrap_or(0));
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let is_link = entry.is_symlink();
        entry.by_ref().take(room + 1).read_to_end(&mut content).map_err(|error| Error::Broken(error.to_string()))?;
        size += content.len() as u64;
        if size > limit {
            return Err(Error::TooLarge(limit));
        }
        if is_link {
            let target = String::from_utf8(content).map_err(|_| Error::Unsafe(name.display().to_string()))?;
            let parent = name.parent().unwrap_or(Path::new(""));
            if !stays_inside(parent, Path::new(&target)) {
                return Err(Error::Unsafe(format!("{} -> {target} leaves the package", name.display())));
            }
            links.push((path, target));
            continue;
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        replace(&path)?;
        let mode = if executable { 0o755 } else { 0o644 };
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
        file.write_all(&content)?;
        // The umask may have taken bits away.
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    // Links come last, so that no entry of this archive is written through one.
    for (path, target) in links {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        replace(&path)?;
        std::os::unix::fs::symlink(target, &path)?;
    }
    Ok(size)
}

/// Removes a file or link that a later layer replaces.
fn replace(path: &Path) -> std::io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.is_dir() => std::fs::remove_file(path),
        _ => Ok(()),
    }
}

/// The relative path that a name in an archive stands for; `None` when it leaves.
fn inside(name: &str) -> Option<PathBuf> {
    if name.contains('\0') {
        return None;
    }
    let mut path = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Whether a link in the folder `from` (relative to the package) that points to `target` stays inside.
fn stays_inside(from: &Path, target: &Path) -> bool {
    let mut depth = from.components().count();
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use zip::write::SimpleFileOptions;

    fn zip_of(build: impl FnOnce(&mut zip::ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        build(&mut writer);
        writer.finish().unwrap().into_inner()
    }

    fn plain(name: &str, content: &[u8], mode: u32) -> Vec<u8> {
        zip_of(|zip| {
            zip.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
            zip.write_all(content).unwrap();
        })
    }

    #[test]
    fn files_folders_modes_and_inner_links_come_out() {
        let bytes = zip_of(|zip| {
            zip.start_file("bin/run", SimpleFileOptions::default().unix_permissions(0o4755)).unwrap();
            zip.write_all(b"#!/bin/sh\n").unwrap();
            zip.add_symlink("bootstrap", "bin/run", SimpleFileOptions::default()).unwrap();
            zip.add_symlink("bin/up", "../bin/run", SimpleFileOptions::default()).unwrap();
            zip.add_directory("empty", SimpleFileOptions::default()).unwrap();
        });
        let folder = tempfile::tempdir().unwrap();
        unpack(&bytes, folder.path(), 1000).unwrap();
        let mode = std::fs::metadata(folder.path().join("bootstrap")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "the set-uid bit is gone, the executable bit is not");
        assert_eq!(std::fs::read(folder.path().join("bin/up")).unwrap(), b"#!/bin/sh\n");
        assert!(folder.path().join("empty").is_dir());
    }

    #[test]
    fn what_leaves_the_folder_is_refused_and_nothing_is_written_there() {
        for name in ["../evil", "a/../../evil", "/tmp/evil"] {
            let folder = tempfile::tempdir().unwrap();
            let inner = folder.path().join("in");
            std::fs::create_dir(&inner).unwrap();
            let error = unpack(&plain(name, b"x", 0o644), &inner, 1000).unwrap_err();
            assert!(matches!(error, Error::Unsafe(_)), "{name}: {error}");
            assert!(!folder.path().join("evil").exists());
        }
    }

    #[test]
    fn a_link_that_leaves_is_refused_and_nothing_is_written_through_one_that_stays() {
        for target in ["/etc/passwd", "..", "sub/../../x"] {
            let bytes = zip_of(|zip| zip.add_symlink("link", target, SimpleFileOptions::default()).unwrap());
            let folder = tempfile::tempdir().unwrap();
            assert!(matches!(unpack(&bytes, folder.path(), 1000).unwrap_err(), Error::Unsafe(_)), "{target}");
        }
        let bytes = zip_of(|zip| {
            zip.add_symlink("link", "real", SimpleFileOptions::default()).unwrap();
            zip.start_file("link/file", SimpleFileOptions::default()).unwrap();
        });
        let folder = tempfile::tempdir().unwrap();
        assert!(unpack(&bytes, folder.path(), 1000).is_err());
    }

    #[test]
    fn a_bomb_ends_at_the_limit_and_garbage_is_no_archive() {
        let folder = tempfile::tempdir().unwrap();
        let bomb = plain("zeros", &vec![0; 1_000_000], 0o644);
        assert!(matches!(unpack(&bomb, folder.path(), 999_999), Err(Error::TooLarge(999_999))));
        assert_eq!(unpack(&bomb, &folder.path().join("b"), 1_000_000).unwrap(), 1_000_000);
        assert!(matches!(unpack(b"not a zip", folder.path(), 1000), Err(Error::Broken(_))));
    }
}
