//! The life of each allocation: when it was made, when it was given back, or why it was not.
//!
//! A table of what lives is all that is kept, so that memory grows with what a program holds and not with
//! how often it allocates: 50 to 100 bytes for each allocation that is not given back.

mod ends;
mod made;
mod pairing;
mod sites;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::ordered::Ordered;
use super::pass::{Out, Pass, PassTable};
use super::{Columns, DerivedTable};
use ends::{Ends, lost_until};
use pairing::Pairing;

/// `allocation_lives_computed`.
pub const TABLE: DerivedTable = DerivedTable {
    name: "allocation_lives_computed",
    inputs: &[
        ("allocations", Columns::All),
        ("process_events", Columns::Only(&["ts", "upid", "event"])),
        ("loss", Columns::Only(&["ts", "duration_ns", "kind"])),
    ],
    provider: |inputs| Arc::new(PassTable::new(Lives, inputs)),
};

#[derive(Debug)]
struct Lives;

impl Pass for Lives {
    fn name(&self) -> &'static str {
        TABLE.name
    }

    fn schema(&self) -> SchemaRef {
        let moment = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let columns = [
            ("ts", moment.clone()),
            ("host", DataType::Utf8View),
            ("cpu", DataType::Int32),
            ("pid", DataType::Int32),
            ("tid", DataType::Int32),
            ("upid", DataType::Int64),
            ("comm", DataType::Utf8View),
            ("cgroup_id", DataType::Int64),
            ("operation", DataType::Utf8View),
            ("address", DataType::Int64),
            ("size_bytes", DataType::Int64),
            ("one_in", DataType::Int32),
            ("stack_id", DataType::Int64),
            ("end_ts", moment),
            ("end_tid", DataType::Int32),
            ("ended_by", DataType::Utf8View),
            ("verdict", DataType::Utf8View),
            ("held_bytes", DataType::Int64),
            ("allocations_between", DataType::Int64),
        ];
        let fields = columns.map(|(name, ty)| Field::new(name, ty, true));
        Arc::new(Schema::new(fields.to_vec()))
    }

    fn run(
        &self,
        inputs: Vec<Ordered>,
        _wanted: SchemaRef,
        context: Arc<TaskContext>,
        out: Out,
    ) -> BoxFuture<'static, Result<()>> {
        let schema = self.schema();
        async move {
            let [allocations, events, loss] = inputs.as_slice() else {
                return Err(DataFusionError::Internal("three inputs".to_string()));
            };
            let ends = Ends::read(&events.collect(&context).await?)?;
            let lost_until = lost_until(&loss.collect(&context).await?)?;
            let mut pass = Pairing::new(schema, ends, lost_until);
            let mut rows = allocations.read(context)?;
            loop {
                let batch = rows.next().await?;
                match &batch {
                    Some(batch) => pass.take(batch)?,
                    None => pass.finish(),
                }
                while let Some(made) = pass.made() {
                    if out.send(made).await.is_err() {
                        return Ok(());
                    }
                }
                if batch.is_none() {
                    return Ok(());
                }
            }
        }
        .boxed()
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| DataFusionError::Internal(format!("no column {name}")))
}
