//! What stacks can be weighted by: one SQL file each under `queries/stacks/`, embedded by `build.rs`.
//!
//! A query has one row per event, with the columns that all events have, `stack_id` and `weight`.
//! Its header is that of a view, with a line `-- @table NAME`: the table whose events they are.

use crate::views::{View, parse};

/// Every weight: its name and its SQL.
const WEIGHTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/stacks.rs"));

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
    let (name, sql) = WEIGHTS.iter().find(|(known, _)| *known == name)?;
    let table = sql.lines().find_map(|line| line.strip_prefix("-- @table "))?;
    Some(Weight { table: table.trim().to_string(), query: parse(name, sql) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_says_what_it_is_of() {
        assert!(WEIGHTS.len() >= 8);
        for (name, _) in WEIGHTS {
            let weight = weight(name).unwrap_or_else(|| panic!("{name}: no table"));
            assert!(schema::tables::by_name(&weight.table).is_some(), "{name}");
            assert!(weight.query.doc.starts_with("One row per "), "{name}");
            assert!(weight.query.columns.iter().any(|(column, _)| column == "weight"), "{name}");
        }
    }
}
