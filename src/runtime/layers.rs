//! Layers merged into the one folder that a function sees as `/opt`.

use std::path::{Path, PathBuf};

use super::archive;

/// Unpacks layers in their order into one folder below `cache`, where a later file replaces an earlier
/// one. Layers are named by what identifies their content; the same list is unpacked once.
///
/// # Errors
/// A layer cannot be read or unpacked; nothing is left behind then.
pub fn merge(cache: &Path, layers: &[(String, PathBuf)], limit: u64) -> Result<PathBuf, archive::Error> {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    for (identity, _) in layers {
        hash.update(identity.len().to_le_bytes());
        hash.update(identity);
    }
    let name: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let folder = cache.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    std::fs::create_dir_all(cache)?;
    let partial = tempfile::Builder::new().prefix("partial-").tempdir_in(cache)?;
    let content = partial.path().join("opt");
    std::fs::create_dir(&content)?;
    let mut room = limit;
    for (_, file) in layers {
        room -= archive::unpack(&std::fs::read(file)?, &content, room)?;
    }
    match std::fs::rename(&content, &folder) {
        // Another invocation was quicker.
        Err(_) if folder.is_dir() => Ok(folder),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(folder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_later_layer_wins_and_the_same_list_is_one_folder() {
        let dir = tempfile::tempdir().unwrap();
        let layer = |name: &str, files: &[(&str, &str)]| {
            let path = dir.path().join(name);
            let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
            for (file, content) in files {
                zip.start_file(*file, zip::write::SimpleFileOptions::default()).unwrap();
                zip.write_all(content.as_bytes()).unwrap();
            }
            zip.finish().unwrap();
            (name.to_owned(), path)
        };
        let one = layer("one", &[("python/a.py", "1"), ("python/b.py", "1")]);
        let two = layer("two", &[("python/b.py", "2")]);
        let cache = dir.path().join("cache");
        let merged = merge(&cache, &[one.clone(), two.clone()], 1000).unwrap();
        assert_eq!(std::fs::read_to_string(merged.join("python/a.py")).unwrap(), "1");
        assert_eq!(std::fs::read_to_string(merged.join("python/b.py")).unwrap(), "2");
        assert_eq!(merge(&cache, &[one.clone(), two.clone()], 1000).unwrap(), merged);
        assert_ne!(merge(&cache, &[two, one], 1000).unwrap(), merged);
        assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 2, "no partial folder is left");
    }
}
