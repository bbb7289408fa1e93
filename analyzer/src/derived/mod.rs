//! Tables that are computed in one pass over others in the order of time, where SQL would have to sort
//! or to compare every row with every other.
//!
//! Each is the input of the view that documents it, and is called like it with `_computed` behind.

mod files;
mod inputs;
mod lives;
mod ordered;
mod pass;
mod waits;

use std::sync::Arc;

use datafusion::catalog::TableProvider;

pub use inputs::Input;
pub use pass::PassTable;

/// Which columns of a table are read.
#[derive(Debug, Clone, Copy)]
pub enum Columns {
    All,
    /// These: most of a file is then not decoded.
    Only(&'static [&'static str]),
}

/// A table that is computed.
pub struct DerivedTable {
    /// Its name in SQL.
    pub name: &'static str,
    /// The tables of the schema it is computed from, and which of their columns it reads.
    pub inputs: &'static [(&'static str, Columns)],
    /// Makes it from them, in that order.
    pub provider: fn(Vec<Input>) -> Arc<dyn TableProvider>,
}

/// Every table that is computed.
pub const TABLES: &[DerivedTable] =
    &[lives::TABLE, waits::TABLE, files::TRANSFERS, files::OPERATIONS];

/// The table called `name`.
pub fn by_name(name: &str) -> Option<&'static DerivedTable> {
    TABLES.iter().find(|table| table.name == name)
}
