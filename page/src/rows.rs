//! Rows of a query as cells, and cells as people read them.

use analyzer::check::{Cell, cells};
use analyzer::{Rows, Session};
use schema::human;

use crate::error::Error;

/// What the values of a column measure, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A span of time.
    Ns,
    /// A size.
    Bytes,
    /// A size a second.
    BytesPerSecond,
    /// A share.
    Percent,
    /// A count: digits in groups.
    Count,
    /// A number that names something: as it is.
    Number,
    /// A moment.
    Moment,
    /// Text, and whatever else there is.
    Text,
}

impl Unit {
    /// The unit of a column called `name` whose values are numbers.
    pub fn of_name(name: &str) -> Unit {
        match name {
            _ if name.ends_with("_ns") => Unit::Ns,
            _ if name.ends_with("_bytes_per_second") => Unit::BytesPerSecond,
            _ if name.ends_with("bytes") => Unit::Bytes,
            _ if name.ends_with("_percent") => Unit::Percent,
            "pid" | "tid" | "uid" | "gid" | "last_pid" | "from_uid" | "to_uid" | "cpu" => {
                Unit::Number
            }
            _ => Unit::Count,
        }
    }

    /// Its name for the script.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Ns => "ns",
            Unit::Bytes => "bytes",
            Unit::BytesPerSecond => "bytes/s",
            Unit::Percent => "percent",
            Unit::Count => "count",
            Unit::Number => "number",
            Unit::Moment => "moment",
            Unit::Text => "text",
        }
    }

    /// Whether its values stand at the right.
    pub fn is_number(self) -> bool {
        !matches!(self, Unit::Text | Unit::Moment)
    }

    /// A number, as people read it.
    pub fn text(self, value: f64) -> String {
        // Every number here was a count of nanoseconds, bytes or events.
        let whole = value.round() as i64;
        match self {
            Unit::Ns => human::duration(whole),
            Unit::Bytes => human::bytes(whole),
            Unit::BytesPerSecond => format!("{}/s", human::bytes(whole)),
            Unit::Percent => format!("{} %", number(value)),
            Unit::Count if value.fract() == 0.0 => human::grouped(whole),
            _ => number(value),
        }
    }
}

/// A number without needless digits.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// A moment in UTC, without the day.
pub fn clock(ns: i64) -> String {
    let text = Cell::Moment(ns).text();
    text.split_once('T').map_or(text.clone(), |(_, time)| time.trim_end_matches('Z').to_string())
}

/// A moment in UTC.
pub fn moment(ns: i64) -> String {
    Cell::Moment(ns).text().replace('T', " ").trim_end_matches('Z').to_string()
}

/// A cell as people read it.
pub fn show(cell: &Cell, unit: Unit) -> String {
    match cell {
        Cell::Null => "–".to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Bool(true) => "yes".to_string(),
        Cell::Bool(false) => "no".to_string(),
        Cell::Moment(ns) => clock(*ns),
        Cell::Integer(n) if unit == Unit::Number => n.to_string(),
        Cell::Integer(n) => unit_of_integer(*n, unit),
        Cell::Number(n) => unit.text(*n),
    }
}

/// Whole numbers do not pass through floating point, which has no room for all of them.
fn unit_of_integer(n: i64, unit: Unit) -> String {
    match unit {
        Unit::Ns => human::duration(n),
        Unit::Bytes => human::bytes(n),
        Unit::BytesPerSecond => format!("{}/s", human::bytes(n)),
        Unit::Percent => format!("{n} %"),
        Unit::Count => human::grouped(n),
        _ => n.to_string(),
    }
}

/// Rows, of which only the first are kept.
pub struct Taken {
    /// Those kept.
    pub rows: Vec<Vec<Cell>>,
    /// How many there were.
    pub total: usize,
}

/// Takes all rows of a query, and keeps the first `most`.
pub fn take(rows: &mut Rows, most: usize) -> Result<Taken, Error> {
    let mut taken = Taken { rows: Vec::new(), total: 0 };
    for batch in rows.by_ref() {
        let batch = batch?;
        let room = most.saturating_sub(taken.rows.len()).min(batch.num_rows());
        taken.total += batch.num_rows();
        if room == 0 {
            continue;
        }
        let batch = batch.slice(0, room);
        let columns: Vec<Vec<Cell>> =
            batch.columns().iter().map(|column| cells(column)).collect::<Result<_, _>>()?;
        for row in 0..room {
            taken.rows.push(columns.iter().map(|column| column[row].clone()).collect());
        }
    }
    Ok(taken)
}

/// All rows of a query of the page, whose stretches are those of the axis.
pub fn all(
    session: &Session,
    sql: &str,
    axis: &crate::axis::Axis,
) -> Result<Vec<Vec<Cell>>, Error> {
    let mut rows = analyzer::pictures::run(session, sql, axis.first, axis.width)?;
    Ok(take(&mut rows, usize::MAX)?.rows)
}

/// A whole number in a cell.
pub fn integer(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Integer(n) | Cell::Moment(n) => Some(*n),
        Cell::Number(n) => Some(n.round() as i64),
        _ => None,
    }
}

/// The text in a cell.
pub fn text(cell: &Cell) -> Option<&str> {
    match cell {
        Cell::Text(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_unit_of_their_column() {
        let check = |name: &str, value: f64, expected: &str| {
            assert_eq!(Unit::of_name(name).text(value), expected, "{name}");
        };
        check("max_ns", 1_500.0, "1.50 µs");
        check("sent_bytes", 2048.0, "2.00 KiB");
        check("bytes", 1.0, "1 B");
        check("growth_bytes_per_second", 2048.0, "2.00 KiB/s");
        check("share_percent", 12.5, "12.5 %");
        check("calls", 12_345.0, "12,345");
        check("pid", 12_345.0, "12345");
        assert_eq!(show(&Cell::Integer(i64::MAX), Unit::Number), i64::MAX.to_string());
    }
}
