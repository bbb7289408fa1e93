//! The rows of calls that move data, each with its file.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema};
use datafusion::common::HashMap;
use datafusion::error::Result;

use super::SAME;
use super::calls::{Call, Calls, Names, Operation, column};
use super::processes::{File, Processes};

/// What a transfer did, as it is told: in the order of [`Operation`].
const OPERATIONS: [&str; 3] = ["read", "write", "sync"];

/// Goes through all calls: processes change, and what moves data is a row.
pub fn transfers(
    calls: &Calls,
    names: &mut Names,
    processes: &mut Processes,
    wanted: &Schema,
) -> Result<RecordBatch> {
    let mut made = Made::default();
    for row in 0..calls.len() {
        let named = names.of(calls, row);
        let Some(ret) = calls.result(row).filter(|_| !matches!(named.call, Call::Other)) else {
            continue;
        };
        processes.go_on(calls.ts(row));
        let mut transfer = |argument, operation, duration| {
            let fd = calls.fd(argument, row);
            let file = calls.upid(row).and_then(|upid| processes.descriptor(upid, fd));
            let size = (!matches!(operation, Operation::Sync)).then_some(ret);
            made.push(row as u32, operation, fd, size, duration, file);
        };
        match named.call {
            Call::Transfer(operation) => transfer(0, operation, calls.duration(row)),
            // The time is in the first of two.
            Call::CopyRange => {
                transfer(0, Operation::Read, calls.duration(row));
                transfer(2, Operation::Write, None);
            }
            Call::SendFile => {
                transfer(0, Operation::Write, calls.duration(row));
                transfer(1, Operation::Read, None);
            }
            _ => calls.note(row, named, ret, processes),
        }
    }
    if let Some(last) = calls.last_ts() {
        processes.go_on(last);
    }
    made.batch(calls.batch, processes, wanted)
}

/// Transfers of a batch.
#[derive(Default)]
struct Made {
    rows: Vec<u32>,
    operations: Vec<u32>,
    fds: Vec<i64>,
    sizes: Vec<Option<i64>>,
    durations: Vec<Option<i64>>,
    files: Vec<Option<File>>,
}

impl Made {
    fn push(
        &mut self,
        row: u32,
        operation: Operation,
        fd: i64,
        size: Option<i64>,
        duration: Option<i64>,
        file: Option<File>,
    ) {
        self.rows.push(row);
        self.operations.push(operation as u32);
        self.fds.push(fd);
        self.sizes.push(size);
        self.durations.push(duration);
        self.files.push(file);
    }

    /// The rows, with what is wanted of them.
    fn batch(
        self,
        calls: &RecordBatch,
        processes: &Processes,
        wanted: &Schema,
    ) -> Result<RecordBatch> {
        let rows = UInt32Array::from(self.rows);
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        let mut add = |name: &str, column: ArrayRef| {
            fields.push(Arc::new(Field::new(name, column.data_type().clone(), true)));
            columns.push(column);
        };
        let is_wanted = |name: &str| wanted.column_with_name(name).is_some();
        for name in ["ts"].into_iter().chain(SAME.map(|(name, _)| name)) {
            if name == "ts" || is_wanted(name) {
                add(name, take(column(calls, name)?, &rows, None)?);
            }
        }
        add("duration_ns", Arc::new(Int64Array::from(self.durations)));
        add("fd", Arc::new(Int64Array::from(self.fds)));
        add("size_bytes", Arc::new(Int64Array::from(self.sizes)));
        let operations = StringViewArray::from_iter_values(OPERATIONS);
        add("operation", take(&operations, &UInt32Array::from(self.operations), None)?);
        if is_wanted("path") {
            let (names, places) = names(&self.files);
            let paths = names.iter().map(|file| processes.name(*file));
            add("path", take(&StringViewArray::from_iter_values(paths), &places, None)?);
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }
}

/// The files of a batch, each once, and where each row's is among them: a path is then stored once.
fn names(files: &[Option<File>]) -> (Vec<File>, UInt32Array) {
    let (mut names, mut places) = (Vec::new(), HashMap::<File, u32>::default());
    let mut place = |file: File| {
        *places.entry(file).or_insert_with(|| {
            names.push(file);
            names.len() as u32 - 1
        })
    };
    let rows: UInt32Array = files.iter().map(|file| file.map(&mut place)).collect();
    (names, rows)
}
