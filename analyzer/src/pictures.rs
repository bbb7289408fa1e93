//! What a page shows of a trace besides its reports: one SQL file each under `queries/page/`.
//!
//! A file has a line `-- @lane NAME`, `-- @heat JOB` or `-- @distribution JOB`, which says what its rows
//! are drawn as; of several files for one lane the first is taken that has what it needs. Stretches of time are
//! numbered from `$first` on, each `$width` long, both in nanoseconds.

use crate::error::Error;
use crate::library;
use crate::params::{Value, Values};
use crate::rows::Rows;
use crate::session::Session;
use crate::views::{self, View, view};

/// Every query, by name.
pub fn all() -> Vec<View> {
    library::folder("page").map(|(_, name, sql)| view(name, sql)).collect()
}

/// The query called `name`.
pub fn by_name(name: &str) -> Option<View> {
    let (_, name, sql) = library::folder("page").find(|(_, known, _)| *known == name)?;
    Some(view(name, sql))
}

/// Views that several reports read and that are costly: whoever asks all reports keeps them.
pub fn shared() -> Vec<&'static str> {
    let is_shared = |view: &View| view.header.other("share").is_some();
    views::all().into_iter().filter(is_shared).map(|view| view.name).collect()
}

/// Starts SQL of one statement, with stretches of time that begin at `first` and are `width` long.
pub fn run(session: &Session, sql: &str, first: i64, width: i64) -> Result<Rows, Error> {
    let values = [("first", first), ("width", width)];
    let values = values.map(|(name, ns)| (name.to_string(), Value::Integer(ns)));
    session.sql_with(sql, &Values::from(values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header;

    #[test]
    fn every_query_says_what_it_is_and_can_be_run() {
        let session = Session::empty().unwrap();
        for query in all() {
            let header = header::parse(query.sql).unwrap();
            assert!(!header.title.is_empty() && !header.needs.is_empty(), "{}", query.name);
            assert!(header.doc.starts_with("One row"), "{}: the grain comes first", query.name);
            let rows = run(&session, query.sql, 0, 1)
                .unwrap_or_else(|error| panic!("{}: {error}", query.name));
            let columns: Vec<String> =
                rows.schema().fields().iter().map(|field| field.name().clone()).collect();
            let expected: &[&str] =
                match (header.other("lane"), header.other("heat"), header.other("distribution")) {
                    (Some(_), _, _) => &["slot", "host", "upid", "label", "value", "peak"],
                    (_, Some(_), _) => &["slot", "host", "upid", "low", "events"],
                    (_, _, Some(_)) => &["name", "low", "events", "total_ns"],
                    _ => continue,
                };
            assert_eq!(columns, expected, "{}", query.name);
        }
    }
}
