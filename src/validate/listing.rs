//! What the folders hold that a template names. The caller reads them; the rules only look.

use std::collections::{BTreeMap, BTreeSet};

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Nothing.
    Missing,
    /// A file.
    File,
    /// A folder with these names in it.
    Folder(BTreeSet<String>),
    /// Something that cannot be read; nothing is said about it.
    Unreadable,
}

/// Path, as [`normal`] writes it, relative to the template → what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    entries: BTreeMap<String, Entry>,
}

impl Listing {
    /// Adds what is at a path.
    pub fn insert(&mut self, path: impl Into<String>, entry: Entry) {
        self.entries.insert(path.into(), entry);
    }

    /// What is at a path; `None` when nobody has looked.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }
}

/// A relative path without `./`, doubled slashes and a slash at the end; the folder itself is `.`.
pub fn normal(path: &str) -> String {
    let absolute = if path.starts_with('/') { "/" } else { "" };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() {
        if absolute.is_empty() { ".".to_owned() } else { absolute.to_owned() }
    } else {
        absolute.to_owned() + &parts.join("/")
    }
}

/// `folder` and a path in it.
pub fn join(folder: &str, inner: &str) -> String {
    normal(&format!("{folder}/{inner}"))
}

/// The folder that a path is in, and its name there.
pub fn split(path: &str) -> (String, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/".to_owned(), name),
        Some((folder, name)) => (folder.to_owned(), name),
        None => (".".to_owned(), path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_way_to_be_written() {
        for (path, expected) in [
            ("./src/", "src"),
            ("src//a/./b", "src/a/b"),
            ("", "."),
            ("./", "."),
            ("/", "/"),
            ("/a/", "/a"),
            ("../x", "../x"),
        ] {
            assert_eq!(normal(path), expected, "{path}");
        }
        assert_eq!(join(".", "a"), "a");
        assert_eq!(split("a/b/c"), ("a/b".to_owned(), "c"));
        assert_eq!(split("c"), (".".to_owned(), "c"));
    }
}
