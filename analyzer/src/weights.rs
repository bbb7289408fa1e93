//! What stacks can be weighted by: one SQL file each under `queries/stacks/`.
//!
//! A query has one row per event, with the columns that all events have, `stack_id` and `weight`.
//! Its header is that of a view, with a line `-- @table NAME`: the table whose events they are.

use crate::library;
use crate::views::{View, view};

/// A weight as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    /// The table whose events have the weight.
    pub table: String,
    /// The query and its description.
    pub query: View,
}

/// The weight called `name`.
pub fn weight(name: &str) -> Option<Weight> {
    let (_, name, sql) = library::folder("stacks").find(|(_, known, _)| *known == name)?;
    let query = view(name, sql);
    Some(Weight { table: query.header.other("table")?.to_string(), query })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_says_what_it_is_of() {
        assert!(library::folder("stacks").count() >= 8);
        for (_, name, _) in library::folder("stacks") {
            let weight = weight(name).unwrap_or_else(|| panic!("{name}: no table"));
            assert!(schema::tables::by_name(&weight.table).is_some(), "{name}");
            assert!(weight.query.header.doc.starts_with("One row per "), "{name}");
            assert!(
                weight.query.header.columns.iter().any(|column| column.name == "weight"),
                "{name}"
            );
        }
    }
}
