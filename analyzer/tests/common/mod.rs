//! What the tests of sessions have in common.

use analyzer::Session;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// The rows as text: columns by `|`, NULL as nothing.
pub fn rows(session: &Session, sql: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in session.sql(sql).unwrap_or_else(|error| panic!("{sql}: {error}")) {
        let batch = batch.unwrap();
        let options = FormatOptions::default();
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> =
                columns.iter().map(|column| column.value(row).to_string()).collect();
            lines.push(cells.join("|"));
        }
    }
    lines
}
