//! What can go wrong with a trace folder, each with what to do about it.

use std::path::{Path, PathBuf};

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// An error about a trace folder or a file in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A spool does not hold what was written to it.
    #[error("{path} is damaged at byte {offset}: {what}; restore it from a copy, or delete that spool folder to read the rest", path = path.display())]
    Corrupt {
        /// The spool file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// Written by a later, incompatible version.
    #[error("{path} has trace format {version}, this ebrec reads up to {}: use a newer ebrec", schema::FORMAT, path = path.display())]
    TooNew {
        /// The file that says so.
        path: PathBuf,
        /// Its format version.
        version: String,
    },
    /// A file in the place of a spool is something else.
    #[error("{path} is not a spool of ebrec: move it out of the trace folder", path = path.display())]
    NotSpool {
        /// The file.
        path: PathBuf,
    },
    /// A spool was cut before the recorder had said what it records.
    #[error("{path} does not say what was recorded: the recording died as it began, delete that spool folder", path = path.display())]
    NoStart {
        /// The spool of the recorder's own records.
        path: PathBuf,
    },
    /// The caller gave bytes that are not whole records.
    #[error("cannot write to {path}: {what}; this is a bug of the recorder, please report it", path = path.display())]
    Records {
        /// The spool file.
        path: PathBuf,
        /// What is wrong with them.
        what: String,
    },
    /// There is no such folder.
    #[error("there is no trace at {path}: name one with -t, or record one with `ebrec record`", path = path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is something else.
    #[error("{path} is not a trace: it has no trace.json; name the folder that `ebrec record` wrote", path = path.display())]
    NotTrace {
        /// The folder.
        path: PathBuf,
    },
    /// The manifest does not parse.
    #[error("{path} cannot be understood: {source}; restore it from a copy of the trace", path = path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The folder for a new trace has something in it.
    #[error("{path} already exists: choose another folder with -o (`ebrec record --force` replaces a trace)", path = path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder that a new trace is to replace has other things in it.
    #[error("{path} has files that are not of a trace, so --force does not replace it: choose another folder with -o", path = path.display())]
    NotReplaced {
        /// The folder.
        path: PathBuf,
    },
    /// Another recorder is writing to the trace.
    #[error("{path} is being recorded right now: stop that recording first, or choose another folder", path = path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A Parquet file is cut, replaced or otherwise unreadable.
    #[error("{path} is damaged: {what}; restore it from a copy, or delete the files of that segment", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Columns could not be made or written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: parquet::errors::ParquetError,
    },
    /// The spools of a trace came and went faster than they could be read.
    #[error("{path} changes faster than it can be read: try again, or stop the recording", path = path.display())]
    Unstable {
        /// The folder.
        path: PathBuf,
    },
}

impl Error {
    /// Makes an I/O error of an `action` on `path`; for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { action, path, source }
    }

    /// Whether a file was not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}
