//! The rows that the pass makes.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Builder, Int64Builder, RecordBatch, StringViewBuilder,
    TimestampNanosecondBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use datafusion::error::Result;

use super::pairing::Life;
use super::sites::Who;

/// What ended memory whose allocation is not in the recording.
pub const UNMATCHED: &str = "unmatched";

/// Whose an allocation is, in words.
pub struct Whose<'a> {
    pub who: &'a Who,
    pub host: &'a str,
    pub comm: &'a str,
    pub operation: &'a str,
    pub one_in: i32,
    pub stack: Option<i64>,
    pub address: i64,
}

/// How an allocation ended.
pub struct End<'a> {
    pub ts: Option<i64>,
    pub tid: Option<i32>,
    pub by: &'a str,
    pub verdict: &'a str,
    /// Allocations that its thread made until then, where the same thread ended it.
    pub between: Option<i64>,
}

/// Rows that were made.
pub struct Made {
    schema: SchemaRef,
    pub len: usize,
    ts: TimestampNanosecondBuilder,
    host: StringViewBuilder,
    cpu: Int32Builder,
    pid: Int32Builder,
    tid: Int32Builder,
    upid: Int64Builder,
    comm: StringViewBuilder,
    cgroup_id: Int64Builder,
    operation: StringViewBuilder,
    address: Int64Builder,
    size: Int64Builder,
    one_in: Int32Builder,
    stack: Int64Builder,
    end_ts: TimestampNanosecondBuilder,
    end_tid: Int32Builder,
    ended_by: StringViewBuilder,
    verdict: StringViewBuilder,
    held: Int64Builder,
    between: Int64Builder,
}

impl Made {
    pub fn new(schema: SchemaRef) -> Made {
        let text = StringViewBuilder::new;
        Made {
            schema,
            len: 0,
            ts: TimestampNanosecondBuilder::new(),
            host: text(),
            cpu: Int32Builder::new(),
            pid: Int32Builder::new(),
            tid: Int32Builder::new(),
            upid: Int64Builder::new(),
            comm: text(),
            cgroup_id: Int64Builder::new(),
            operation: text(),
            address: Int64Builder::new(),
            size: Int64Builder::new(),
            one_in: Int32Builder::new(),
            stack: Int64Builder::new(),
            end_ts: TimestampNanosecondBuilder::new(),
            end_tid: Int32Builder::new(),
            ended_by: text(),
            verdict: text(),
            held: Int64Builder::new(),
            between: Int64Builder::new(),
        }
    }

    /// Adds a row.
    pub fn push(&mut self, life: &Life, whose: &Whose, end: &End) {
        self.ts.append_value(life.ts);
        self.host.append_value(whose.host);
        self.cpu.append_value(life.cpu);
        self.pid.append_value(whose.who.pid);
        self.tid.append_value(whose.who.tid);
        self.upid.append_value(whose.who.upid);
        self.comm.append_value(whose.comm);
        self.cgroup_id.append_value(whose.who.cgroup_id);
        self.operation.append_value(whose.operation);
        self.address.append_value(whose.address);
        self.one_in.append_value(whose.one_in);
        self.stack.append_option(whose.stack);
        self.end_ts.append_option(end.ts);
        self.end_tid.append_option(end.tid);
        self.ended_by.append_value(end.by);
        self.verdict.append_value(end.verdict);
        let is_seen = end.by != UNMATCHED;
        self.size.append_option(is_seen.then_some(life.size));
        self.held.append_option(is_seen.then_some(life.held));
        self.between.append_option(end.between);
        self.len += 1;
    }

    /// Hands out the rows.
    pub fn batch(&mut self) -> Result<RecordBatch> {
        self.len = 0;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.ts.finish()),
            Arc::new(self.host.finish()),
            Arc::new(self.cpu.finish()),
            Arc::new(self.pid.finish()),
            Arc::new(self.tid.finish()),
            Arc::new(self.upid.finish()),
            Arc::new(self.comm.finish()),
            Arc::new(self.cgroup_id.finish()),
            Arc::new(self.operation.finish()),
            Arc::new(self.address.finish()),
            Arc::new(self.size.finish()),
            Arc::new(self.one_in.finish()),
            Arc::new(self.stack.finish()),
            Arc::new(self.end_ts.finish()),
            Arc::new(self.end_tid.finish()),
            Arc::new(self.ended_by.finish()),
            Arc::new(self.verdict.finish()),
            Arc::new(self.held.finish()),
            Arc::new(self.between.finish()),
        ];
        let typed = columns.iter().zip(self.schema.fields());
        let columns = typed.map(|(column, field)| cast(column, field.data_type()));
        Ok(RecordBatch::try_new(self.schema.clone(), columns.collect::<Result<_, _>>()?)?)
    }
}
