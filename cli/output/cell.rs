//! Values as people read them.

use anyhow::Result;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Field, Float64Type, Int64Type, TimeUnit, TimestampNanosecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use schema::human;

use super::moment;

/// What stands for NULL.
const NULL: &str = "-";

/// How the values of a column are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A moment in UTC.
    Timestamp,
    /// A span of time with a unit.
    Duration,
    /// A size with a unit.
    Bytes,
    /// A number as it is.
    Number,
    /// Text, and whatever else there is.
    Text,
}

impl Style {
    /// The style for a column, by its type and, unless `is_raw`, by the unit its name ends with.
    pub fn of(field: &Field, is_raw: bool) -> Style {
        let has_unit = matches!(field.data_type(), DataType::Int64 | DataType::Float64) && !is_raw;
        match field.data_type() {
            DataType::Timestamp(TimeUnit::Nanosecond, _) => Style::Timestamp,
            _ if has_unit && measured(field.name()).ends_with("_ns") => Style::Duration,
            _ if has_unit && measured(field.name()).ends_with("_bytes") => Style::Bytes,
            other if other.is_numeric() => Style::Number,
            _ => Style::Text,
        }
    }

    /// Whether its values stand at the right.
    pub fn is_number(self) -> bool {
        matches!(self, Style::Duration | Style::Bytes | Style::Number)
    }
}

/// The column whose unit a computed column has: `max(syscalls.duration_ns)` is in nanoseconds too.
fn measured(name: &str) -> &str {
    let of_same_unit = ["min(", "max(", "sum(", "avg(", "median("];
    match of_same_unit.iter().find_map(|function| name.strip_prefix(function)) {
        Some(rest) => rest.strip_suffix(')').unwrap_or(rest),
        None => name,
    }
}

/// The text of every value of a column.
pub fn texts(array: &dyn Array, style: Style) -> Result<Vec<String>> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options)?;
    let text = |row: usize| -> Result<String> {
        if array.is_null(row) {
            return Ok(NULL.to_string());
        }
        Ok(match (style, array.data_type()) {
            (Style::Timestamp, _) => {
                moment(array.as_primitive::<TimestampNanosecondType>().value(row))
            }
            (Style::Duration, DataType::Int64) => {
                human::duration(array.as_primitive::<Int64Type>().value(row))
            }
            (Style::Duration, _) => {
                human::duration(array.as_primitive::<Float64Type>().value(row).round() as i64)
            }
            (Style::Bytes, DataType::Int64) => {
                human::bytes(array.as_primitive::<Int64Type>().value(row))
            }
            (Style::Bytes, _) => {
                human::bytes(array.as_primitive::<Float64Type>().value(row).round() as i64)
            }
            _ => formatter.value(row).try_to_string()?,
        })
    };
    (0..array.len()).map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_a_column_is_the_end_of_its_name() {
        let check = |name: &str, expected: Style| {
            assert_eq!(
                Style::of(&Field::new(name, DataType::Int64, true), false),
                expected,
                "{name}"
            );
        };
        check("duration_ns", Style::Duration);
        check("max(syscalls.duration_ns)", Style::Duration);
        check("count(syscalls.duration_ns)", Style::Number);
        check("memory_bytes", Style::Bytes);
        check("pid", Style::Number);
        assert_eq!(
            Style::of(&Field::new("duration_ns", DataType::Int64, true), true),
            Style::Number
        );
    }
}
