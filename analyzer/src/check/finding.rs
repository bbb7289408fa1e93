//! A finding: a row of a check, the process it is about, and what its templates become.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampNanosecondType};
use arrow::temporal_conversions::timestamp_ns_to_datetime;
use serde_json::json;

use crate::check::{COLUMNS, Check};
use crate::error::Error;
use crate::statement::text_literal;

/// A text as one word of a shell.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+@%,".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_string(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// A value of a finding.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// Text; of strangers, as it was recorded.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
    /// Nanoseconds since 1970.
    Moment(i64),
}

impl Cell {
    /// As a literal of SQL.
    fn literal(&self) -> String {
        match self {
            Cell::Null => "NULL".to_string(),
            Cell::Text(text) => text_literal(text),
            Cell::Moment(_) => format!("TIMESTAMP '{}'", self.text()),
            Cell::Integer(_) | Cell::Number(_) | Cell::Bool(_) => self.text(),
        }
    }

    /// As text.
    pub fn text(&self) -> String {
        match self {
            Cell::Null => String::new(),
            Cell::Text(text) => text.clone(),
            Cell::Integer(n) => n.to_string(),
            Cell::Number(n) => n.to_string(),
            Cell::Bool(b) => b.to_string(),
            Cell::Moment(ns) => {
                let moment = timestamp_ns_to_datetime(*ns);
                let format = if ns % 1_000 == 0 { "%FT%T%.6fZ" } else { "%FT%T%.9fZ" };
                moment.map_or_else(|| ns.to_string(), |moment| moment.format(format).to_string())
            }
        }
    }

    /// As JSON; a moment as text.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Cell::Null => json!(null),
            Cell::Text(text) => json!(text),
            Cell::Integer(n) => json!(n),
            Cell::Number(n) => json!(n),
            Cell::Bool(b) => json!(b),
            Cell::Moment(_) => json!(self.text()),
        }
    }
}

/// A process that a finding is about, or one that it descends from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Process id.
    pub pid: i32,
    /// Name of its first thread.
    pub comm: String,
    /// Its program file.
    pub exe: String,
    /// Its arguments.
    pub argv: String,
    /// Its user.
    pub uid: Option<i64>,
    /// Its container: name, or else id.
    pub container: Option<String>,
    pub(crate) parent_upid: Option<i64>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// When; nanoseconds since 1970.
    pub ts: Option<i64>,
    /// Machine.
    pub host: String,
    /// Process for good.
    pub upid: Option<i64>,
    /// Process id.
    pub pid: Option<i64>,
    /// What was found.
    pub sentence: String,
    /// Columns of the check's own, in their order.
    pub columns: Vec<(String, Cell)>,
    /// The process, then those it descends from; none where it is not known.
    pub ancestry: Vec<Subject>,
    /// SQL for the rows that prove it.
    pub evidence: String,
    /// What to type next.
    pub next: String,
    /// Tells it apart from all others of the check, in every call.
    pub id: String,
    /// Who decided to live with it, and why.
    pub suppressed: Option<super::Suppressed>,
}

impl Finding {
    /// The process it is about.
    pub fn process(&self) -> Option<&Subject> {
        self.ancestry.first()
    }

    /// A value of it by the name of the column.
    pub fn cell(&self, name: &str) -> Option<Cell> {
        let number = |n: Option<i64>| n.map_or(Cell::Null, Cell::Integer);
        let text = |get: fn(&Subject) -> &String| {
            self.process().map_or(Cell::Null, |process| Cell::Text(get(process).clone()))
        };
        if let Some((_, cell)) = self.columns.iter().find(|(known, _)| known == name) {
            return Some(cell.clone());
        }
        Some(match name {
            "ts" => self.ts.map_or(Cell::Null, Cell::Moment),
            "host" => Cell::Text(self.host.clone()),
            "upid" => number(self.upid),
            "pid" => number(self.pid),
            "sentence" => Cell::Text(self.sentence.clone()),
            "comm" => text(|process| &process.comm),
            "exe" => text(|process| &process.exe),
            "argv" => text(|process| &process.argv),
            "container" => {
                let container = self.process().and_then(|process| process.container.clone());
                container.map_or(Cell::Null, Cell::Text)
            }
            _ => return None,
        })
    }
}

/// The names in braces of a template.
pub(super) fn placeholders(template: &str) -> Vec<&str> {
    let parts = template.split('{').skip(1);
    parts.filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
}

/// A template with each name in braces replaced; what has no value stays.
pub(super) fn filled(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut parts = template.split('{');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        match part.split_once('}').and_then(|(name, rest)| Some((value(name)?, rest))) {
            Some((value, rest)) => {
                out.push_str(&value);
                out.push_str(rest);
            }
            None => {
                out.push('{');
                out.push_str(part);
            }
        }
    }
    out
}

/// The findings that the rows of a check are.
pub(super) fn findings(check: &Check, batch: &RecordBatch) -> Result<Vec<Finding>, Error> {
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    for name in COLUMNS {
        if !names.contains(&name) {
            return Err(Error::Report(format!(
                "the check {} has no column {name}; queries/README.md says which there must be",
                check.name()
            )));
        }
    }
    let columns: Vec<Vec<Cell>> =
        batch.columns().iter().map(|column| cells(column)).collect::<Result<_, _>>()?;
    let finding = |row: usize| {
        let cell = |name: &str| {
            let column = names.iter().position(|known| *known == name)?;
            columns.get(column).map(|column| &column[row])
        };
        let integer = |name: &str| match cell(name) {
            Some(Cell::Integer(n)) => Some(*n),
            _ => None,
        };
        let text = |name: &str| cell(name).map(Cell::text).unwrap_or_default();
        let own = names.iter().zip(&columns).filter(|(name, _)| !COLUMNS.contains(name));
        let fill = |template: &str, write: fn(&Cell) -> String| {
            filled(template, |name| cell(name).map(write))
        };
        Finding {
            ts: match cell("ts") {
                Some(Cell::Moment(ns) | Cell::Integer(ns)) => Some(*ns),
                _ => None,
            },
            host: text("host"),
            upid: integer("upid"),
            pid: integer("pid"),
            sentence: text("sentence"),
            columns: own.map(|(name, column)| (name.to_string(), column[row].clone())).collect(),
            ancestry: Vec::new(),
            evidence: fill(&check.evidence, Cell::literal),
            next: fill(&check.next, |cell| shell_word(&cell.text())),
            id: id(check, &cell),
            suppressed: None,
        }
    };
    Ok((0..batch.num_rows()).map(finding).collect())
}

/// What tells a finding apart: its check, process and keys; its moment if it has no keys.
fn id<'a>(check: &Check, cell: &dyn Fn(&str) -> Option<&'a Cell>) -> String {
    let mut keys = check.keys();
    keys.retain(|key| !COLUMNS.contains(key));
    if keys.is_empty() {
        keys.push("ts");
    }
    let text = |name: &str| cell(name).map(Cell::text).unwrap_or_default();
    let mut parts = vec![check.name().to_string(), text("host"), text("upid")];
    parts.extend(keys.into_iter().map(text));
    hash(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// 128 bits that are the same everywhere and need no secret: FNV-1a from two beginnings.
pub(super) fn hash(parts: &[&str]) -> String {
    let text = parts.join("\0");
    let fnv = |basis: u64| {
        text.bytes()
            .fold(basis, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    };
    format!("{:016x}{:016x}", fnv(0xcbf2_9ce4_8422_2325), fnv(0x8422_2325_cbf2_9ce4))
}

/// The values of a column.
pub fn cells(column: &dyn Array) -> Result<Vec<Cell>, Error> {
    let wrong = |error: arrow::error::ArrowError| Error::Run(error.to_string());
    let to = |ty: &DataType| cast(column, ty).map_err(wrong);
    let all = 0..column.len();
    let or_null = |row: usize, get: &dyn Fn(usize) -> Cell| {
        if column.is_null(row) { Cell::Null } else { get(row) }
    };
    Ok(match column.data_type() {
        DataType::Timestamp(_, zone) => {
            let array = to(&DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()))?;
            let array = array.as_primitive::<TimestampNanosecondType>();
            all.map(|row| or_null(row, &|row| Cell::Moment(array.value(row)))).collect()
        }
        DataType::Boolean => {
            let array = column.as_boolean();
            all.map(|row| or_null(row, &|row| Cell::Bool(array.value(row)))).collect()
        }
        ty if ty.is_integer() => {
            let array = to(&DataType::Int64)?;
            let array = array.as_primitive::<Int64Type>();
            all.map(|row| or_null(row, &|row| Cell::Integer(array.value(row)))).collect()
        }
        ty if ty.is_numeric() => {
            let array = to(&DataType::Float64)?;
            let array = array.as_primitive::<Float64Type>();
            all.map(|row| or_null(row, &|row| Cell::Number(array.value(row)))).collect()
        }
        _ => {
            let array = to(&DataType::Utf8)?;
            let array = array.as_string::<i32>();
            all.map(|row| or_null(row, &|row| Cell::Text(array.value(row).to_string()))).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_stays_data() {
        let hostile = Cell::Text("x' OR '1'='1; $(reboot) {upid}".to_string());
        assert_eq!(hostile.literal(), "'x'' OR ''1''=''1; $(reboot) {upid}'");
        assert_eq!(shell_word(&hostile.text()), r"'x'\'' OR '\''1'\''='\''1; $(reboot) {upid}'");
        let value = |name: &str| (name == "a").then(|| hostile.literal());
        assert_eq!(
            filled("SELECT {a}, {b}", value),
            "SELECT 'x'' OR ''1''=''1; $(reboot) {upid}', {b}"
        );
    }

    #[test]
    fn a_moment_is_written_as_sql_and_the_command_line_read_it() {
        let moment = Cell::Moment(1_795_369_456_123_456_000);
        assert_eq!(moment.literal(), "TIMESTAMP '2026-11-22T17:44:16.123456Z'");
        assert_eq!(shell_word(&moment.text()), "2026-11-22T17:44:16.123456Z");
    }

    #[test]
    fn names_in_braces_are_found() {
        assert_eq!(placeholders("a {b} c {d}"), ["b", "d"]);
        assert!(placeholders("a } b {").is_empty());
    }
}
