//! What can go wrong when a page or a picture is made.

/// An error, told in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A query failed.
    #[error(transparent)]
    Query(#[from] analyzer::Error),
    /// A template could not be filled.
    #[error("the page cannot be put together: {0}")]
    Template(#[from] minijinja::Error),
    /// Data could not be written as JSON.
    #[error("the data of the page cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// The rows cannot be drawn.
    #[error("{0}")]
    Picture(String),
}
