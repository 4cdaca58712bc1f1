//! Published cases that stand beside the checkout on the project's own machines. A user's machine
//! has none: tests that read them skip, loudly.

use std::path::PathBuf;

/// A file or folder of the shared fixtures; `None`, said on standard error, where they are absent.
pub(crate) fn fixtures(relative: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SAMARA_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let path = root.join("fixtures").join(relative);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: the shared fixtures {relative} are not on this machine");
    None
}
