//! What can be wrong with a folder or file that is to be packaged, and how to mend it. Where in the
//! template it was named is added by the caller.

use std::path::PathBuf;

/// Why a folder or file cannot be packaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is nothing at the path.
    #[error("there is no file or folder {}", path.display())]
    Missing {
        /// The path, as it was looked for.
        path: PathBuf,
    },
    /// The folder has no file that would be packed.
    #[error("{} has no file to pack", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// The root of the file system.
    #[error("the root of the file system is not a code folder")]
    Root,
    /// A file or folder that cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// A fifo, socket or device.
    #[error("{} is {kind}; only files, folders and links can be packed", path.display())]
    Special {
        /// The entry.
        path: PathBuf,
        /// `a fifo`, `a socket`, `a device`.
        kind: &'static str,
    },
    /// A name that a zip cannot carry faithfully.
    #[error("the name {:?} is not UTF-8", path)]
    Name {
        /// The entry.
        path: PathBuf,
    },
    /// Links that point out of the folder.
    #[error("{} out of {}: {}", counted(links.len(), "link leads", "links lead"), folder.display(), shown(links))]
    ExternalLinks {
        /// The folder.
        folder: PathBuf,
        /// `link -> target`, both ends as they are written.
        links: Vec<String>,
    },
    /// Files that look like secrets and about which nothing has been decided.
    #[error("{} like secrets in {}: {}", counted(files.len(), "file looks", "files look"), folder.display(), shown(files))]
    Secrets {
        /// The folder.
        folder: PathBuf,
        /// Paths relative to it.
        files: Vec<String>,
    },
    /// A `.samignore` that cannot be understood.
    #[error("{}: {reason}", path.display())]
    Ignore {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file became another while it was read.
    #[error("{} changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// More than Lambda unpacks.
    #[error("{} holds more than {} MB unpacked, Lambda's limit for a function or a layer", path.display(), limit_bytes >> 20)]
    TooLarge {
        /// The folder or zip.
        path: PathBuf,
        /// The limit.
        limit_bytes: u64,
    },
    /// So many entries that it can hardly be the folder that was meant.
    #[error("{} has more than {limit} entries", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// A ready zip that is not what it should be.
    #[error("the zip {} {reason}", path.display())]
    Zip {
        /// The zip.
        path: PathBuf,
        /// What is wrong with it, with the entry's name.
        reason: String,
    },
    /// A file that may only be read inside the project.
    #[error("{} is outside the project", path.display())]
    OutsideProject {
        /// The file.
        path: PathBuf,
    },
    /// A folder where a file is expected.
    #[error("{} is a folder, a file is expected here", path.display())]
    FolderForFile {
        /// The folder.
        path: PathBuf,
    },
    /// The zip cannot be written.
    #[error("cannot write a temporary file: {reason}")]
    Temporary {
        /// The system's reason.
        reason: String,
    },
    /// Something that SAM CLI packages and samara does not yet.
    #[error("{what} {path:?} cannot be packaged yet")]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// The local path.
        path: String,
    },
}

impl Problem {
    /// Stable identifier for diagnostics.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "package/missing",
            Self::Empty { .. } => "package/empty",
            Self::Root => "package/root",
            Self::Unreadable { .. } => "package/unreadable",
            Self::Special { .. } => "package/special-file",
            Self::Name { .. } => "package/name",
            Self::ExternalLinks { .. } => "package/external-link",
            Self::Secrets { .. } => "package/secret",
            Self::Ignore { .. } => "package/samignore",
            Self::Changed { .. } => "package/changed",
            Self::TooLarge { .. } => "package/too-large",
            Self::TooMany { .. } => "package/too-many-files",
            Self::Zip { .. } => "package/zip",
            Self::OutsideProject { .. } => "package/outside-project",
            Self::FolderForFile { .. } => "package/folder",
            Self::Temporary { .. } => "package/temporary-file",
            Self::Unsupported { .. } => "package/unsupported",
        }
    }

    /// How to mend it.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Missing { .. } => "Paths are relative to the template's folder.",
            Self::Empty { .. } => "Put the code there, or look at what .samignore leaves out.",
            Self::Root => "Name the folder that holds the function's code.",
            Self::Special { .. } => "Remove it, or leave it out by a line in .samignore.",
            Self::Name { .. } => "Rename it, or leave it out by a line in .samignore.",
            Self::ExternalLinks { .. } => {
                "Nothing outside the folder is packed unasked: copy the file, leave the link out by a line in \
                 .samignore, or pack what it points at with --allow-external-links."
            }
            Self::Secrets { files, .. } => {
                let first = files.first().map_or(".env", String::as_str);
                return Some(format!(
                    "Decide once, in the folder's .samignore: the line `{first}` leaves it out, `!{first}` packs it. \
                     --include '{first}' packs it this time."
                ));
            }
            Self::Changed { .. } => {
                "Run it again when nothing writes there, or leave the file out by a line in .samignore."
            }
            Self::TooLarge { .. } => {
                "Leave out what the code does not need by lines in .samignore, or move it to a layer or to S3."
            }
            Self::TooMany { .. } => "Is it the folder that was meant? .samignore leaves out what is not needed.",
            Self::Zip { .. } => "Make it again, or name the folder and let samara make the zip.",
            Self::OutsideProject { .. } => {
                "Move it below the template's folder, or run samara in the folder that holds both."
            }
            Self::Temporary { .. } => "Is the disk full? TMPDIR names another folder for temporary files.",
            Self::Unsupported { .. } => "Upload it yourself and put its address here.",
            Self::Unreadable { .. } | Self::Ignore { .. } | Self::FolderForFile { .. } => return None,
        };
        Some(help.to_owned())
    }

    /// From an error of the file system.
    pub(super) fn io(path: impl Into<PathBuf>, error: &std::io::Error) -> Self {
        let path = path.into();
        if error.kind() == std::io::ErrorKind::NotFound {
            // It was listed a moment ago.
            return Self::Changed { path };
        }
        Self::Unreadable { path, reason: error.to_string() }
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// At most ten of them.
fn shown(names: &[String]) -> String {
    const MOST: usize = 10;
    let mut text = names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text.push_str(&format!(" and {} more", names.len() - MOST));
    }
    text
}
