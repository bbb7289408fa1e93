//! One process across all tables: the queries of `queries/explain/`.

use crate::error::Error;
use crate::library;
use crate::params::{Value, Values};
use crate::rows::Rows;
use crate::session::Session;

fn sql(name: &str) -> Result<&'static str, Error> {
    let file = library::folder("explain").find(|(_, known, _)| *known == name);
    file.map(|(_, _, sql)| *sql)
        .ok_or_else(|| Error::Report(format!("the query {name} is missing")))
}

/// What the processes that the session is narrowed to were and did, in numbers: `upid`, `what`, `value`.
pub fn facts(session: &Session) -> Result<Rows, Error> {
    session.sql(sql("facts")?)
}

/// What they did in the order of time; events of a kind that are many are told together for stretches of
/// `every_ns`, or not if that is 0.
pub fn timeline(session: &Session, every_ns: i64) -> Result<Rows, Error> {
    let values = Values::from([("every".to_string(), Value::Integer(every_ns))]);
    session.sql_with(sql("timeline")?, &values)
}
