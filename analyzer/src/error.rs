//! What can go wrong when a trace is queried.

use crate::place::Place;

/// An error of the analyzer. Its text is one sentence for people.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The SQL is wrong.
    #[error("{message}")]
    Sql {
        /// What is wrong, in one sentence.
        message: String,
        /// Where, if it is known.
        place: Option<Place>,
    },
    /// The query would do more than read the trace.
    #[error("query only reads: {0} is not allowed")]
    NotAllowed(String),
    /// A parameter has no value, or not one that it can have.
    #[error("{name}: {reason}")]
    Param {
        /// Its name, as people write it.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The part of the recording that was asked for cannot be looked at.
    #[error("{0}")]
    Scope(String),
    /// A report cannot be made.
    #[error("{0}")]
    Report(String),
    /// The query ran and failed.
    #[error("{0}")]
    Run(String),
    /// It was interrupted.
    #[error("interrupted")]
    Interrupted,
    /// A file of the trace cannot be read.
    #[error("cannot read {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A view of this program does not work: a bug.
    #[error("view {name} is broken: {reason}")]
    View {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
}
