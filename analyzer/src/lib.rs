//! SQL over traces.
//!
//! [`Session`] opens traces and answers SQL with [`Rows`] of Arrow batches. `tables` presents the
//! Parquet files of the traces as tables, `views` the SQL files of `queries/views/`, `weights` those of `queries/stacks/`, `functions`
//! what SQL gets on top; `engine` is how the SQL engine is set up, and `order` makes its results
//! repeatable; `diagnose` writes errors for people and `completeness` says what the answer lacks. All calls of the SQL engine stay in this crate. It
//! needs no root, no kernel and no recorder, and names no event kind.

mod completeness;
mod diagnose;
mod engine;
mod error;
mod files;
mod functions;
mod names;
mod order;
mod place;
mod rows;
mod session;
mod statement;
mod tables;
mod views;
mod weights;

pub use completeness::{Gap, Note};
pub use error::Error;
pub use functions::{FUNCTIONS, FunctionDoc};
pub use names::closest;
pub use place::Place;
pub use rows::Rows;
pub use session::{Session, SessionOptions, tables_of_any_trace};
pub use statement::Query;
pub use tables::{ColumnInfo, TableInfo};
pub use views::{View, all as views};
pub use weights::{Weight, weight};
