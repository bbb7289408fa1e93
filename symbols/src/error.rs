//! What can go wrong when names are looked up. That a module has none is no error.

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// An error about the stacks of a trace.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The trace cannot be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The process that reads symbols cannot be started.
    #[error("cannot start the process that reads symbols: {0}")]
    Worker(#[source] std::io::Error),
}
