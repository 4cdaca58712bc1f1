//! Zips that somebody else made. They are uploaded as they are, so they are read entry by entry
//! first: what Lambda would unpack somewhere else, twice or without end is refused here.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use zip::ZipArchive;

use super::problem::Problem;

/// More entries than this is not a package.
const MOST_ENTRIES: usize = 200_000;

/// Whether a file is a zip (a jar is one): by its first bytes, not by its name.
///
/// # Errors
/// It cannot be read.
pub(super) fn is_zip(path: &Path) -> Result<bool, Problem> {
    let mut magic = [0; 4];
    let mut file = File::open(path).map_err(|error| Problem::io(path, &error))?;
    match file.read_exact(&mut magic) {
        Ok(()) => Ok(magic == *b"PK\x03\x04" || magic == *b"PK\x05\x06"),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(Problem::io(path, &error)),
    }
}

/// Reads every entry to its end.
///
/// # Errors
/// An entry that leads out (`..`, absolute, a link), a name that is there twice, encryption, more
/// than `limit_bytes` unpacked (declared or real), damage.
pub(super) fn check(path: &Path, limit_bytes: u64) -> Result<(), Problem> {
    let bad = |reason: String| Problem::Zip { path: path.to_owned(), reason };
    let too_large = || Problem::TooLarge { path: path.to_owned(), limit_bytes };
    let file = File::open(path).map_err(|error| Problem::io(path, &error))?;
    let mut archive =
        ZipArchive::new(std::io::BufReader::new(file)).map_err(|error| bad(format!("is damaged: {error}")))?;
    if archive.has_duplicate_names() {
        return Err(bad("has an entry twice".to_owned()));
    }
    if archive.len() > MOST_ENTRIES {
        return Err(bad(format!("has more than {MOST_ENTRIES} entries")));
    }
    if archive.decompressed_size().is_some_and(|size| size > u128::from(limit_bytes)) {
        return Err(too_large());
    }
    let mut unpacked: u64 = 0;
    let mut names = std::collections::HashSet::new();
    for index in 0..archive.len() {
        // Raw first: an encrypted entry cannot be opened without a password.
        let (name, is_link) = {
            let entry = archive.by_index_raw(index).map_err(|error| bad(format!("is damaged: {error}")))?;
            let name = entry.name().map_err(|_| bad("has a name that is not UTF-8".to_owned()))?.into_owned();
            if entry.encrypted() {
                return Err(bad(format!("has an encrypted entry: {name}")));
            }
            (name, entry.is_symlink())
        };
        if leads_out(&name) || name.split(['/', '\\']).any(|part| part == "..") {
            return Err(bad(format!("has an entry that leads out of the folder: {name}")));
        }
        // `a`, `./a` and `a/` are one file to whoever unpacks them.
        if !names.insert(normal(&name)) {
            return Err(bad(format!("has an entry twice: {name}")));
        }
        let mut entry = archive.by_index(index).map_err(|error| bad(format!("has a damaged entry {name}: {error}")))?;
        let mut target = Vec::new();
        let mut buffer = [0; 64 << 10];
        loop {
            let read = entry.read(&mut buffer).map_err(|error| bad(format!("has a damaged entry {name}: {error}")))?;
            if read == 0 {
                break;
            }
            unpacked += read as u64;
            if unpacked > limit_bytes {
                return Err(too_large());
            }
            if is_link && target.len() <= 4096 {
                target.extend_from_slice(&buffer[..read]);
            }
        }
        if is_link {
            let target = String::from_utf8_lossy(&target).into_owned();
            let parent = Path::new(&name).parent().unwrap_or(Path::new(""));
            if leads_out(&parent.join(&target).to_string_lossy()) {
                return Err(bad(format!("has a link that leads out of the folder: {name} -> {target}")));
            }
        }
    }
    Ok(())
}

/// Absolute, with a drive, or with more `..` than folders before it. A backslash separates too, for
/// those who unpack on Windows.
fn leads_out(name: &str) -> bool {
    let name = name.replace('\\', "/");
    if name.starts_with('/') || name.as_bytes().get(1) == Some(&b':') {
        return true;
    }
    let mut depth: usize = 0;
    for part in Path::new(&name).components() {
        match part {
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

fn normal(name: &str) -> String {
    Path::new(name)
        .components()
        .filter(|part| !matches!(part, Component::CurDir))
        .collect::<std::path::PathBuf>()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_are_known() {
        for name in ["../evil", "a/../../evil", "/etc/passwd", "C:/x", "..\\evil", "\\x"] {
            assert!(leads_out(name), "{name}");
        }
        for name in ["a", "a/../b", "./a", "a..b", "..a/b"] {
            assert!(!leads_out(name), "{name}");
        }
    }
}
