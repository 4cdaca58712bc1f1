//! Makes the zip of a folder: the same bytes on every machine and day. Sorted entries, one fixed
//! time, modes 0755 or 0644, Unix attributes everywhere.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, Write};

use rayon::prelude::*;
use sha2::{Digest, Sha256 as Hasher};
use tempfile::NamedTempFile;
use zip::write::{PreparedZipFile, SimpleFileOptions};
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::digest::{Hashed, read_steadily};
use super::folder::{Entry, Kind};
use super::problem::Problem;
use crate::aws::s3::Sha256;

/// What zlib calls its default, named so that it stays.
const LEVEL: i64 = 6;

/// How many bytes are compressed side by side before they are written out: bounds the memory.
const BATCH_BYTES: u64 = 32 << 20;

/// Files larger than a batch go through the compressor in chunks of exactly this size: what deflate
/// makes depends on the size of the writes.
const CHUNK_BYTES: usize = 8 << 20;

/// A zip in a temporary file, which goes when this is dropped.
#[derive(Debug)]
pub(super) struct Zipped {
    /// The file.
    pub(super) file: NamedTempFile,
    /// Its length.
    pub(super) size_bytes: u64,
    /// Its SHA-256: Lambda's `CodeSha256`.
    pub(super) sha256: Sha256,
}

/// Zips what was hashed, reading each file a second time and making sure that it is still the same.
///
/// # Errors
/// A file changed or cannot be read; the temporary file cannot be written.
pub(super) fn zip(hashed: &Hashed) -> Result<Zipped, Problem> {
    let file = NamedTempFile::with_prefix("samara-").map_err(|error| temporary(&error))?;
    let writer = BufWriter::new(file.reopen().map_err(|error| temporary(&error))?);
    let mut written = write(hashed, writer)?.into_inner().map_err(|error| temporary(error.error()))?;
    let (size_bytes, sha256) = sum(&mut written).map_err(|error| temporary(&error))?;
    Ok(Zipped { file, size_bytes, sha256 })
}

/// Writes the zip to `output`.
fn write<W: Write + Seek>(hashed: &Hashed, output: W) -> Result<W, Problem> {
    let mut zip = ZipWriter::new(output);
    let entries: Vec<(&Entry, &Sha256)> = hashed.listing.entries.iter().zip(&hashed.contents).collect();
    let mut rest = entries.as_slice();
    while let Some(((entry, content), _)) = rest.split_first() {
        if size_of(entry) > BATCH_BYTES {
            stream(&mut zip, entry, content)?;
            rest = &rest[1..];
            continue;
        }
        let count = batch(rest);
        let prepared: Vec<PreparedZipFile> =
            rest[..count].par_iter().map(|(entry, content)| prepare(entry, content)).collect::<Result<_, _>>()?;
        zip.add_prepared_files(prepared).map_err(|error| broken(&error))?;
        rest = &rest[count..];
    }
    zip.finish().map_err(|error| broken(&error))
}

/// How many of the next entries go into a batch: at least one, together at most [`BATCH_BYTES`].
fn batch(entries: &[(&Entry, &Sha256)]) -> usize {
    let mut bytes = 0;
    let fits = entries.iter().take_while(|(entry, _)| {
        bytes += size_of(entry);
        bytes <= BATCH_BYTES
    });
    fits.count().max(1)
}

fn size_of(entry: &Entry) -> u64 {
    match &entry.kind {
        Kind::File { size_bytes, .. } => *size_bytes,
        Kind::Link { target } => target.len() as u64,
    }
}

fn prepare(entry: &Entry, content: &Sha256) -> Result<PreparedZipFile, Problem> {
    let bytes = match &entry.kind {
        Kind::File { source, size_bytes, .. } => {
            let mut bytes = Vec::with_capacity(usize::try_from(*size_bytes).unwrap_or_default());
            read_steadily(source, *size_bytes, CHUNK_BYTES, |chunk| {
                bytes.extend_from_slice(chunk);
                Ok(())
            })?;
            if Sha256::of(&bytes) != *content {
                return Err(Problem::Changed { path: source.clone() });
            }
            bytes
        }
        Kind::Link { target } => target.as_bytes().to_vec(),
    };
    PreparedZipFile::from_data(&entry.path, options(entry), &bytes).map_err(|error| broken(&error))
}

fn stream<W: Write + Seek>(zip: &mut ZipWriter<W>, entry: &Entry, content: &Sha256) -> Result<(), Problem> {
    let Kind::File { source, size_bytes, .. } = &entry.kind else {
        let prepared = prepare(entry, content)?;
        return zip.add_prepared_file(prepared).map_err(|error| broken(&error));
    };
    let large = *size_bytes > u64::from(u32::MAX) / 2;
    zip.start_file(entry.path.as_str(), options(entry).large_file(large)).map_err(|error| broken(&error))?;
    let mut hasher = Hasher::new();
    read_steadily(source, *size_bytes, CHUNK_BYTES, |chunk| {
        hasher.update(chunk);
        zip.write_all(chunk).map_err(|error| temporary(&error))
    })?;
    if Sha256(hasher.finalize().into()) != *content {
        return Err(Problem::Changed { path: source.clone() });
    }
    Ok(())
}

fn options(entry: &Entry) -> SimpleFileOptions {
    let options = SimpleFileOptions::DEFAULT.last_modified_time(DateTime::DEFAULT).system(System::Unix);
    match entry.kind {
        Kind::File { executable, .. } => options
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .unix_permissions(if executable { 0o755 } else { 0o644 }),
        // The mode is in the upper half of the attributes: S_IFLNK and everything allowed, as links have it.
        Kind::Link { .. } => options.compression_method(CompressionMethod::Stored).external_attributes(0o120_777 << 16),
    }
}

/// Length and SHA-256 of a file, from its beginning.
pub(super) fn sum(file: &mut File) -> std::io::Result<(u64, Sha256)> {
    file.rewind()?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut total = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((total, Sha256(hasher.finalize().into()))),
            read => {
                hasher.update(&buffer[..read]);
                total += read as u64;
            }
        }
    }
}

fn temporary(error: &std::io::Error) -> Problem {
    Problem::Temporary { reason: error.to_string() }
}

fn broken(error: &zip::result::ZipError) -> Problem {
    Problem::Temporary { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Cursor;
    use std::path::Path;

    use proptest::prelude::*;

    use super::super::digest;
    use super::super::folder::Walk;
    use super::super::ignore::Choice;
    use super::*;

    fn hashed(folder: &Path) -> Hashed {
        let choice = Choice::default();
        let walk = Walk { choice: &choice, project: folder, allow_external_links: false, limit_bytes: None };
        digest::hash(walk.list(folder).unwrap()).unwrap()
    }

    fn bytes(hashed: &Hashed) -> Vec<u8> {
        write(hashed, Cursor::new(Vec::new())).unwrap().into_inner()
    }

    #[cfg(unix)]
    fn fill(folder: &Path, files: &[(String, Vec<u8>, u32)], time_s: u64) {
        use std::os::unix::fs::PermissionsExt;
        for (name, content, mode) in files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(*mode)).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time_s);
            File::options().read(true).open(&path).unwrap().set_modified(time).ok();
        }
    }

    #[cfg(unix)]
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 24 } else { 240 }))]

        /// Order, times and all of the mode but "executable or not" leave bytes and name as they are.
        #[test]
        fn the_same_folder_gives_the_same_bytes_and_name(
            files in proptest::collection::btree_map("[a-z]{1,4}(/[a-z]{1,4}\\.py)?", (proptest::collection::vec(any::<u8>(), 0..2000), any::<bool>()), 1..8),
            others in 0_u32..0o100,
            time_s in 1_000_000_000_u64..2_000_000_000,
        ) {
            // `a` and `a/b.py` cannot both be.
            let files: BTreeMap<_, _> = files.clone().into_iter().filter(|(name, _)| {
                !files.keys().any(|other| other.starts_with(&format!("{name}/")))
            }).collect();
            let mode = |executable: bool, rest: u32| if executable { 0o700 | rest } else { 0o600 | (rest & 0o66) };
            let list: Vec<_> = files.iter().map(|(name, (content, executable))| (name.clone(), content.clone(), mode(*executable, 0))).collect();
            let mut reversed: Vec<_> = files.iter().map(|(name, (content, executable))| (name.clone(), content.clone(), mode(*executable, others))).collect();
            reversed.reverse();
            let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            fill(one.path(), &list, 1_700_000_000);
            fill(two.path(), &reversed, time_s);
            let (first, second) = (hashed(one.path()), hashed(two.path()));
            prop_assert_eq!(first.digest, second.digest);
            prop_assert_eq!(bytes(&first), bytes(&second));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_zip_holds_what_the_folder_holds_with_two_modes_and_one_time() {
        let folder = tempfile::tempdir().unwrap();
        let files = [("b/run".to_owned(), b"#!".to_vec(), 0o4711), ("a.py".to_owned(), b"a".to_vec(), 0o600)];
        fill(folder.path(), &files, 5);
        std::os::unix::fs::symlink("../a.py", folder.path().join("b/link")).unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes(&hashed(folder.path())))).unwrap();
        let mut found = Vec::new();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            assert_eq!(entry.last_modified(), Some(DateTime::DEFAULT));
            found.push(format!("{:o} {} {content}", entry.unix_mode().unwrap(), entry.name().unwrap()));
        }
        assert_eq!(found, ["100644 a.py a", "120777 b/link ../a.py", "100755 b/run #!"]);
    }

    #[test]
    fn the_bytes_of_a_zip_are_the_same_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("app.py"), "print('hello')\n".repeat(100)).unwrap();
        // Another version of deflate may change this; the name of the package stays.
        assert_eq!(
            Sha256::of(&bytes(&hashed(folder.path()))).hex(),
            "73f8779a099c265732a09a0fa8a466e5daec61e95d877e11542ed0ae326ba004"
        );
    }

    #[test]
    fn a_file_larger_than_a_batch_is_the_same_every_time_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut content = vec![0_u8; usize::try_from(BATCH_BYTES).unwrap() + 12345];
        content.iter_mut().enumerate().for_each(|(index, byte)| *byte = (index / 1000 % 251) as u8);
        std::fs::write(folder.path().join("model.bin"), &content).unwrap();
        let hashed = hashed(folder.path());
        let first = bytes(&hashed);
        assert_eq!(first, bytes(&hashed));
        let mut archive = zip::ZipArchive::new(Cursor::new(first)).unwrap();
        let mut unpacked = Vec::new();
        archive.by_name("model.bin").unwrap().read_to_end(&mut unpacked).unwrap();
        assert_eq!(Sha256::of(&unpacked), Sha256::of(&content));
    }

    #[test]
    fn a_file_that_changed_after_it_was_hashed_is_not_zipped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.py");
        std::fs::write(&path, "one").unwrap();
        let hashed = hashed(folder.path());
        std::fs::write(&path, "two").unwrap();
        let problem = write(&hashed, Cursor::new(Vec::new())).unwrap_err();
        assert!(matches!(problem, Problem::Changed { .. }), "{problem}");
    }
}
