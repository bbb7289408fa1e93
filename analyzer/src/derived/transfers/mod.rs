//! Each read, write and sync through a descriptor, with the file that the descriptor was.
//!
//! System calls and forks are gone through in the order of time; what is kept is what descriptors are now
//! (`descriptors`), so that memory grows with the files that are open and not with how often they are used.

mod descriptors;
mod rows;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::ordered::Ordered;
use super::pass::{Out, Pass, PassTable};
use super::{Columns, DerivedTable};
use descriptors::Descriptors;
use rows::{Calls, lives};

/// `transfers_computed`.
pub const TABLE: DerivedTable = DerivedTable {
    name: "transfers_computed",
    inputs: &[
        ("syscalls", Columns::All),
        ("process_events", Columns::Only(&["ts", "upid", "event", "child_upid"])),
    ],
    provider: |inputs| Arc::new(PassTable { pass: Arc::new(Transfers), inputs }),
};

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

/// What is found out.
const FOUND: [(&str, DataType); 6] = [
    ("duration_ns", DataType::Int64),
    ("operation", DataType::Utf8View),
    ("fd", DataType::Int64),
    ("size_bytes", DataType::Int64),
    ("path", DataType::Utf8View),
    ("relative_to_upid", DataType::Int64),
];

/// What a pass over system calls has to read.
const NEEDED: [&str; 11] =
    ["ts", "upid", "syscall", "via", "duration_ns", "ret", "path", "arg0", "arg1", "arg2", "arg4"];

#[derive(Debug)]
struct Transfers;

impl Pass for Transfers {
    fn name(&self) -> &'static str {
        TABLE.name
    }

    fn schema(&self) -> SchemaRef {
        let moment = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let columns = [("ts", moment)].into_iter().chain(SAME).chain(FOUND);
        Arc::new(Schema::new(
            columns.map(|(name, ty)| Field::new(name, ty, true)).collect::<Vec<_>>(),
        ))
    }

    fn reads(&self, input: usize, column: &str, wanted: &Schema) -> bool {
        input != 0 || NEEDED.contains(&column) || wanted.column_with_name(column).is_some()
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
        async move {
            let [calls, events] = inputs.as_slice() else {
                return Err(DataFusionError::Internal("two inputs".to_string()));
            };
            let mut descriptors = Descriptors::new(lives(&events.collect(&context).await?)?);
            let mut calls = calls.read(context)?;
            while let Some(batch) = calls.next().await? {
                let made = Calls::of(&batch)?.transfers(&mut descriptors, &wanted)?;
                if made.num_rows() > 0 && out.send(Ok(made)).await.is_err() {
                    break;
                }
            }
            Ok(())
        }
        .boxed()
    }
}
