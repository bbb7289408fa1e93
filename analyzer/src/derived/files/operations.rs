//! The rows of calls that were given a path, with what it was when they began.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewBuilder, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema};
use datafusion::error::Result;

use super::calls::{Begin, Call, Calls, Names, column};
use super::processes::Processes;

/// Goes through all calls: processes change, and what was given a path is a row.
pub fn operations(
    calls: &Calls,
    names: &mut Names,
    processes: &mut Processes,
    wanted: &Schema,
) -> Result<RecordBatch> {
    let seconds = calls.batch.column_by_name("path2").map(|paths| paths.as_string_view());
    let mut rows: Vec<u32> = Vec::new();
    let mut resolved: [Vec<Option<String>>; 2] = Default::default();
    for row in 0..calls.len() {
        let path = calls.path(row);
        let named = names.of(calls, row);
        if path.is_none() && matches!(named.call, Call::Other | Call::Transfer(_)) {
            continue;
        }
        processes.go_on(calls.ts(row));
        if let Some(path) = path {
            let second = seconds.filter(|seconds| seconds.is_valid(row));
            let second = second.map(|seconds| seconds.value(row));
            let find = |(path, begin): (Option<&str>, Begin)| {
                path.and_then(|path| calls.resolved(row, begin, path, processes))
            };
            let [begin, begin2] = named.begins;
            rows.push(row as u32);
            resolved[0].push(find((Some(path), begin)));
            resolved[1].push(find((second, begin2)));
        }
        if let Some(ret) = calls.result(row) {
            calls.note(row, named, ret, processes);
        }
    }
    if let Some(last) = calls.last_ts() {
        processes.go_on(last);
    }
    let rows = UInt32Array::from(rows);
    let [paths, seconds] = resolved;
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for field in wanted.fields() {
        let name = field.name();
        let as_written = take(column(calls.batch, name)?, &rows, None)?;
        let column = match name.as_str() {
            "path" => replaced(as_written, &paths),
            "path2" => replaced(as_written, &seconds),
            _ => as_written,
        };
        fields.push(Field::new(name, column.data_type().clone(), true));
        columns.push(column);
    }
    // The moments say which rows are wanted, whether they are or not.
    if wanted.column_with_name("ts").is_none() {
        let moments = take(column(calls.batch, "ts")?, &rows, None)?;
        fields.push(Field::new("ts", moments.data_type().clone(), true));
        columns.push(moments);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// The texts, with others in the place of some.
fn replaced(texts: ArrayRef, others: &[Option<String>]) -> ArrayRef {
    if others.iter().all(Option::is_none) {
        return texts;
    }
    let mut made = StringViewBuilder::with_capacity(texts.len());
    for (text, other) in texts.as_string_view().iter().zip(others) {
        made.append_option(other.as_deref().or(text));
    }
    Arc::new(made.finish())
}
