//! SQL over traces.
//!
//! [`Session`] opens traces and answers SQL with [`Rows`] of Arrow batches. `tables` presents the
//! Parquet files of the traces as tables, as far as `scope` lets them be seen; `derived` are tables that are
//! computed in one pass, `functions` what SQL gets on top. `library` holds the SQL files of `queries/`, `header`
//! and `params` read what they say about themselves: `views`, `weights` of stacks, `report`, `check` and `baseline`. `engine`
//! is how the SQL engine is set up, `constants`, `shared`, `first_rows` and `text_list` make it read and compute less, and `order` makes
//! its results repeatable; `diagnose` writes errors for people and
//! `completeness` says what the answer lacks. All calls of the SQL engine stay in this crate. It needs no root,
//! no kernel and no recorder, and names no event kind.

pub mod baseline;
pub mod check;
mod completeness;
mod constants;
mod derived;
mod diagnose;
mod diff;
mod engine;
mod error;
pub mod explain;
mod files;
mod first_rows;
mod functions;
mod header;
mod known;
mod lazy;
mod library;
mod local;
mod names;
mod order;
mod params;
pub mod pictures;
mod place;
mod report;
mod rows;
mod scope;
mod session;
mod shared;
mod statement;
mod summary;
mod tables;
mod text_list;
mod views;
mod weights;

pub use completeness::{Gap, Limit, Note};
pub use diff::{Change, diff, is_comparable, rank};
pub use error::Error;
pub use functions::{FUNCTIONS, FunctionDoc};
pub use header::{Column, Header, Kind, Plot};
pub use names::closest;
pub use params::{Param, ParamKind, Value, Values};
pub use place::Place;
pub use report::{JOBS, Report, Reports};
pub use rows::Rows;
pub use scope::{Filter, Moment};
pub use session::{Session, SessionOptions, tables_of_any_trace};
pub use statement::Query;
pub use summary::{Remark, Summary, lint as lint_summary, summary};
pub use tables::{ColumnInfo, TableInfo};
pub use views::{View, all as views};
pub use weights::{Weight, weight};
