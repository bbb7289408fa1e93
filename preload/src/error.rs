//! What can go wrong on the recorder's side.

use std::path::{Path, PathBuf};

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Why allocations cannot be collected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is nowhere to put the library and the rings.
    #[error(
        "no folder for the rings of allocations: {tried}; set TMPDIR to a folder of a file system that is mounted without `noexec` and whose path has neither spaces nor colons"
    )]
    NoFolder {
        /// Each folder that was tried, and what is wrong with it.
        tried: String,
    },
    /// A setting is out of its range.
    #[error("{name} must be {range}, not {value}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What it was.
        value: u64,
        /// What it may be.
        range: &'static str,
    },
}

impl Error {
    /// Makes an I/O error of an `action` on `path`; for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { action, path, source }
    }
}
