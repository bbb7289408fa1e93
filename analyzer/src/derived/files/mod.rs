//! Which file is meant: by a path that begins at a directory, and by a descriptor.
//!
//! System calls, forks and executions are gone through in the order of time; what is kept is what descriptors and
//! working directories are now (`processes`, and `calls` for how they change), so that memory grows with the files that
//! are open and the paths there are, and not with how often they are used.

mod calls;
mod operations;
mod processes;
mod transfers;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, col, lit};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::ordered::Ordered;
use super::pass::{Out, Pass, PassTable, Plain};
use super::{Columns, DerivedTable};
use calls::{Calls, NEEDED, Names, tell_lives};
use processes::{Processes, is_as_written};

/// `transfers_computed`: each read, write and sync through a descriptor.
pub const TRANSFERS: DerivedTable = DerivedTable {
    name: "transfers_computed",
    inputs: INPUTS,
    provider: |inputs| Arc::new(PassTable::new(Rows::Transfers, inputs)),
};

/// `files_computed`: each call that was given a path.
pub const OPERATIONS: DerivedTable = DerivedTable {
    name: "files_computed",
    inputs: INPUTS,
    provider: |inputs| Arc::new(PassTable::new(Rows::Operations, inputs)),
};

const INPUTS: &[(&str, Columns)] = &[
    ("syscalls", Columns::All),
    ("process_events", Columns::Only(&["ts", "upid", "event", "child_upid", "cwd"])),
    ("processes", Columns::Only(&["upid", "cwd"])),
];

/// What is told of a transfer as it is in its system call.
const SAME: [(&str, DataType); 8] = [
    ("host", DataType::Utf8View),
    ("cpu", DataType::Int32),
    ("pid", DataType::Int32),
    ("tid", DataType::Int32),
    ("upid", DataType::Int64),
    ("comm", DataType::Utf8View),
    ("cgroup_id", DataType::Int64),
    ("syscall", DataType::Utf8View),
];

/// What is found out of a transfer.
const OF_TRANSFER: [(&str, DataType); 5] = [
    ("duration_ns", DataType::Int64),
    ("operation", DataType::Utf8View),
    ("fd", DataType::Int64),
    ("size_bytes", DataType::Int64),
    ("path", DataType::Utf8View),
];

/// What is told of a call with a path; of these the paths are found out.
const OF_OPERATION: [(&str, DataType); 11] = [
    ("duration_ns", DataType::Int64),
    ("ret", DataType::Int64),
    ("error", DataType::Utf8View),
    ("arg0", DataType::Int64),
    ("arg1", DataType::Int64),
    ("arg2", DataType::Int64),
    ("arg3", DataType::Int64),
    ("arg4", DataType::Int64),
    ("arg5", DataType::Int64),
    ("path", DataType::Utf8View),
    ("path2", DataType::Utf8View),
];

/// Which calls are rows.
#[derive(Clone, Copy)]
enum Rows {
    Transfers,
    Operations,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Rows {
    fn of(
        self,
        calls: &Calls,
        names: &mut Names,
        processes: &mut Processes,
        wanted: &Schema,
    ) -> Result<RecordBatch> {
        match self {
            Rows::Transfers => transfers::transfers(calls, names, processes, wanted),
            Rows::Operations => operations::operations(calls, names, processes, wanted),
        }
    }
}

impl Pass for Rows {
    fn name(&self) -> &'static str {
        match self {
            Rows::Transfers => TRANSFERS.name,
            Rows::Operations => OPERATIONS.name,
        }
    }

    fn schema(&self) -> SchemaRef {
        let moment = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let found: &[_] = match self {
            Rows::Transfers => &OF_TRANSFER,
            Rows::Operations => &OF_OPERATION,
        };
        let columns = [("ts", moment)].into_iter().chain(SAME).chain(found.iter().cloned());
        Arc::new(Schema::new(
            columns.map(|(name, ty)| Field::new(name, ty, true)).collect::<Vec<_>>(),
        ))
    }

    fn reads(&self, input: usize, column: &str, wanted: &Schema) -> bool {
        input != 0 || NEEDED.contains(&column) || wanted.column_with_name(column).is_some()
    }

    fn rows(&self, input: usize) -> Option<Expr> {
        // Most calls have no path; most may well be reads and writes.
        let is_chosen = matches!(self, Rows::Operations) && input == 0;
        let text = |name: &str| lit(ScalarValue::Utf8View(Some(name.to_string())));
        is_chosen.then(|| col("syscall").in_list(calls::with_paths().map(text).collect(), false))
    }

    fn plain(&self) -> Option<Plain> {
        let rows = self.rows(0)?.and(col("path").is_not_null());
        Some(Plain { columns: &["path", "path2"], is_plain: is_as_written, rows })
    }

    fn is_in_order(&self) -> bool {
        true
    }

    fn run(
        &self,
        inputs: Vec<Ordered>,
        wanted: SchemaRef,
        context: Arc<TaskContext>,
        out: Out,
    ) -> BoxFuture<'static, Result<()>> {
        let rows = *self;
        async move {
            let [calls, events, found] = inputs.as_slice() else {
                return Err(DataFusionError::Internal("three inputs".to_string()));
            };
            let (mut processes, mut names) = (Processes::new(), Names::default());
            let (events, found) = (events.collect(&context).await?, found.collect(&context).await?);
            tell_lives(&events, &found, &mut processes)?;
            let mut batches = calls.read(context)?;
            while let Some(batch) = batches.next().await? {
                let calls = Calls::of(&batch)?;
                let made = rows.of(&calls, &mut names, &mut processes, &wanted)?;
                if made.num_rows() > 0 && out.send(Ok(made)).await.is_err() {
                    break;
                }
            }
            Ok(())
        }
        .boxed()
    }
}
