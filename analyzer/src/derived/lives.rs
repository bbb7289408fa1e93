//! The life of each allocation: when it was made, when it was given back, or why it was not.
//!
//! A table of what lives is all that is kept, so that memory grows with what a program holds and not with
//! how often it allocates.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int32Builder, Int64Array, Int64Builder, RecordBatch,
    StringViewArray, StringViewBuilder, TimestampNanosecondBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampNanosecondType,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use futures::FutureExt;
use futures::future::BoxFuture;
use schema::events::EVENTS;

use super::DerivedTable;
use super::ordered::Ordered;
use super::pass::{Out, Pass, PassTable};

/// `allocation_lives_computed`.
pub const TABLE: DerivedTable = DerivedTable {
    name: "allocation_lives_computed",
    inputs: &["allocations", "process_events", "loss"],
    provider: |inputs| Arc::new(PassTable { pass: Arc::new(Lives), inputs }),
};

/// Rows of a batch.
const ROWS: usize = 8192;

/// Changes of the address space: allocators get their memory there.
const MAPPINGS: [&str; 4] = ["mmap", "munmap", "mremap", "brk"];

/// What may leave memory where it is and give it another size.
const RESIZES: [&str; 2] = ["realloc", "reallocarray"];

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
        ];
        let fields = columns.map(|(name, ty)| Field::new(name, ty, true));
        Arc::new(Schema::new(fields.to_vec()))
    }

    fn run(
        &self,
        inputs: Vec<Ordered>,
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
            let mut pass = Run::new(schema, ends, lost_until);
            let mut rows = allocations.read(context)?;
            while let Some(batch) = rows.next().await? {
                pass.take(&batch)?;
                if pass.made.len >= ROWS && out.send(pass.made.batch()).await.is_err() {
                    return Ok(());
                }
            }
            pass.finish();
            while pass.made.len > 0 {
                if out.send(pass.made.batch()).await.is_err() {
                    break;
                }
            }
            Ok(())
        }
        .boxed()
    }
}

/// What ends all that a process holds: exec and exit, by process, in the order of time.
#[derive(Default)]
struct Ends(HashMap<i64, Vec<(i64, bool)>>);

impl Ends {
    fn read(batches: &[RecordBatch]) -> Result<Ends> {
        let mut ends = Ends::default();
        for batch in batches {
            let moments = column(batch, "ts")?.as_primitive::<TimestampNanosecondType>();
            let upids = column(batch, "upid")?.as_primitive::<Int64Type>();
            let kinds = column(batch, "event")?.as_string_view();
            for row in 0..batch.num_rows() {
                let is_exec = kinds.value(row) == "exec";
                if upids.is_valid(row) && (is_exec || kinds.value(row) == "exit") {
                    let of_process = ends.0.entry(upids.value(row)).or_default();
                    of_process.push((moments.value(row), is_exec));
                }
            }
        }
        ends.0.values_mut().for_each(|ends| ends.sort_unstable());
        Ok(ends)
    }

    /// The first end of a process after a moment.
    fn after(&self, upid: i64, ts: i64) -> Option<(i64, bool)> {
        let ends = self.0.get(&upid)?;
        ends.get(ends.partition_point(|(end, _)| *end < ts)).copied()
    }
}

/// Until when allocations were lost: what came later is known.
fn lost_until(batches: &[RecordBatch]) -> Result<Option<i64>> {
    let mut last = None;
    for batch in batches {
        let moments = column(batch, "ts")?.as_primitive::<TimestampNanosecondType>();
        let lengths = column(batch, "duration_ns")?.as_primitive::<Int64Type>();
        let kinds = column(batch, "kind")?.as_string_view();
        let is_allocation = |kind: &str| {
            EVENTS.iter().any(|event| event.name == kind && event.table == Some("allocations"))
        };
        for row in (0..batch.num_rows()).filter(|row| is_allocation(kinds.value(*row))) {
            last = last.max(Some(moments.value(row).saturating_add(lengths.value(row))));
        }
    }
    Ok(last)
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| DataFusionError::Internal(format!("no column {name}")))
}

/// An allocation that has not ended.
#[derive(Clone, Copy)]
struct Life {
    ts: i64,
    upid: i64,
    cgroup_id: i64,
    address: i64,
    size: i64,
    stack: Option<i64>,
    held: i64,
    cpu: i32,
    pid: i32,
    tid: i32,
    one_in: i32,
    host: u32,
    comm: u32,
    operation: u32,
}

/// Texts that occur often, each once.
#[derive(Default)]
struct Texts {
    numbers: HashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
    last: u32,
}

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        if self.texts.get(self.last as usize).is_some_and(|last| **last == *text) {
            return self.last;
        }
        let known = self.numbers.get(text).copied();
        self.last = known.unwrap_or_else(|| {
            let number = self.texts.len() as u32;
            self.numbers.insert(text.into(), number);
            self.texts.push(text.into());
            number
        });
        self.last
    }
}

/// What a process holds.
#[derive(Default)]
struct Process {
    lives: HashMap<i64, Life>,
    held: i64,
    /// When it next execs, which ends all it holds.
    next_exec: Option<i64>,
    is_known: bool,
}

struct Run {
    processes: HashMap<i64, Process>,
    ends: Ends,
    lost_until: Option<i64>,
    hosts: Texts,
    comms: Texts,
    operations: Texts,
    made: Made,
}

/// How an allocation ended.
enum End<'a> {
    /// A thread gave it back or changed its size.
    By { ts: i64, tid: i32, operation: &'a str },
    /// The allocator gave its address to another: it was given back, and nobody saw when.
    Reused,
    /// The process ended or ran another program.
    With { ts: i64, is_exec: bool },
    /// The recording ended.
    Never,
}

impl Run {
    fn new(schema: SchemaRef, ends: Ends, lost_until: Option<i64>) -> Run {
        Run {
            processes: HashMap::new(),
            ends,
            lost_until,
            hosts: Texts::default(),
            comms: Texts::default(),
            operations: Texts::default(),
            made: Made::new(schema),
        }
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = Columns::of(batch)?;
        for row in 0..batch.num_rows() {
            let operation = columns.operation.value(row);
            if columns.address.is_null(row) || MAPPINGS.contains(&operation) {
                continue;
            }
            // Who allocates before anything is known of the process has its number only.
            let upid = match columns.upid.is_valid(row) {
                true => columns.upid.value(row),
                false => i64::from(columns.pid.value(row)),
            };
            let ts = columns.ts.value(row);
            self.exec(upid, ts);
            let address = columns.address.value(row);
            let process = self.processes.entry(upid).or_default();
            let before = process.lives.remove(&address);
            if let Some(life) = &before {
                process.held -= life.size.saturating_mul(i64::from(life.one_in));
            }
            let gives = columns.size.is_valid(row);
            let mut life = Life {
                ts,
                upid,
                cgroup_id: columns.cgroup_id.value(row),
                address,
                size: if gives { columns.size.value(row) } else { 0 },
                stack: columns.stack.is_valid(row).then(|| columns.stack.value(row)),
                held: 0,
                cpu: columns.cpu.value(row),
                pid: columns.pid.value(row),
                tid: columns.tid.value(row),
                one_in: columns.one_in.value(row).max(1),
                host: self.hosts.number(columns.host.value(row)),
                comm: self.comms.number(columns.comm.value(row)),
                operation: self.operations.number(operation),
            };
            if gives {
                let size = life.size.saturating_mul(i64::from(life.one_in));
                process.held = process.held.saturating_add(size);
                life.held = process.held;
                process.lives.insert(address, life);
            }
            match before {
                Some(before) if gives && !RESIZES.contains(&operation) => {
                    self.end(&before, End::Reused);
                }
                Some(before) => self.end(&before, End::By { ts, tid: life.tid, operation }),
                None if !gives => self.unmatched(&life),
                None => {}
            }
        }
        Ok(())
    }

    /// Ends what a process held when it ran another program before `ts`.
    fn exec(&mut self, upid: i64, ts: i64) {
        let process = self.processes.entry(upid).or_default();
        if !process.is_known {
            process.is_known = true;
            process.next_exec = self.ends.after(upid, i64::MIN).map(|(end, _)| end);
        }
        if process.next_exec.is_none_or(|exec| ts <= exec) {
            return;
        }
        process.next_exec = self.ends.after(upid, ts).map(|(end, _)| end);
        process.held = 0;
        let lives = std::mem::take(&mut process.lives);
        self.end_all(lives.into_values().collect());
    }

    /// Ends what nobody gave back.
    fn end_all(&mut self, mut lives: Vec<Life>) {
        lives.sort_unstable_by_key(|life| (life.ts, life.upid, life.address));
        for life in lives {
            let end = match self.ends.after(life.upid, life.ts) {
                Some((ts, is_exec)) => End::With { ts, is_exec },
                None => End::Never,
            };
            self.end(&life, end);
        }
    }

    fn finish(&mut self) {
        let processes = std::mem::take(&mut self.processes);
        let lives = processes.into_values().flat_map(|process| process.lives.into_values());
        self.end_all(lives.collect());
    }

    fn end(&mut self, life: &Life, end: End) {
        let is_sure = self.lost_until.is_none_or(|until| life.ts > until);
        let (ts, tid, by, verdict) = match end {
            End::By { ts, tid, operation } => (Some(ts), Some(tid), operation, "freed"),
            End::Reused => (None, None, "reused", "freed"),
            End::With { ts, is_exec } => {
                let verdict = match (is_exec, is_sure) {
                    // The kernel takes it back when a program makes room for another.
                    (true, _) => "freed",
                    (false, true) => "leaked",
                    (false, false) => "unknown",
                };
                (Some(ts), None, if is_exec { "exec" } else { "exit" }, verdict)
            }
            End::Never => (None, None, "none", if is_sure { "alive" } else { "unknown" }),
        };
        self.push(life, (ts, tid, by), verdict, Some(life.size));
    }

    /// Memory that was given back and whose allocation was not seen.
    fn unmatched(&mut self, life: &Life) {
        self.push(life, (Some(life.ts), Some(life.tid), "unmatched"), "unknown", None);
    }

    fn push(
        &mut self,
        life: &Life,
        (end_ts, end_tid, by): (Option<i64>, Option<i32>, &str),
        verdict: &str,
        size: Option<i64>,
    ) {
        let made = &mut self.made;
        made.ts.append_value(life.ts);
        made.host.append_value(&self.hosts.texts[life.host as usize]);
        made.cpu.append_value(life.cpu);
        made.pid.append_value(life.pid);
        made.tid.append_value(life.tid);
        made.upid.append_value(life.upid);
        made.comm.append_value(&self.comms.texts[life.comm as usize]);
        made.cgroup_id.append_value(life.cgroup_id);
        made.operation.append_value(&self.operations.texts[life.operation as usize]);
        made.address.append_value(life.address);
        made.size.append_option(size);
        made.one_in.append_value(life.one_in);
        made.stack.append_option(life.stack);
        made.end_ts.append_option(end_ts);
        made.end_tid.append_option(end_tid);
        made.ended_by.append_value(by);
        made.verdict.append_value(verdict);
        made.held.append_option(size.map(|_| life.held));
        made.len += 1;
    }
}

/// The columns that a pass reads.
struct Columns<'a> {
    ts: &'a arrow::array::TimestampNanosecondArray,
    host: &'a StringViewArray,
    cpu: &'a Int32Array,
    pid: &'a Int32Array,
    tid: &'a Int32Array,
    upid: &'a Int64Array,
    comm: &'a StringViewArray,
    cgroup_id: &'a Int64Array,
    operation: &'a StringViewArray,
    address: &'a Int64Array,
    size: &'a Int64Array,
    one_in: &'a Int32Array,
    stack: &'a Int64Array,
}

impl Columns<'_> {
    fn of(batch: &RecordBatch) -> Result<Columns<'_>> {
        let long = |name| column(batch, name).map(|column| column.as_primitive::<Int64Type>());
        let int = |name| column(batch, name).map(|column| column.as_primitive::<Int32Type>());
        let text = |name| column(batch, name).map(|column| column.as_string_view());
        Ok(Columns {
            ts: column(batch, "ts")?.as_primitive::<TimestampNanosecondType>(),
            host: text("host")?,
            cpu: int("cpu")?,
            pid: int("pid")?,
            tid: int("tid")?,
            upid: long("upid")?,
            comm: text("comm")?,
            cgroup_id: long("cgroup_id")?,
            operation: text("operation")?,
            address: long("address")?,
            size: long("size_bytes")?,
            one_in: int("one_in")?,
            stack: long("stack_id")?,
        })
    }
}

/// Rows that were made.
struct Made {
    schema: SchemaRef,
    len: usize,
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
}

impl Made {
    fn new(schema: SchemaRef) -> Made {
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
        }
    }

    /// Hands out the rows.
    fn batch(&mut self) -> Result<RecordBatch> {
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
        ];
        let typed = columns.iter().zip(self.schema.fields());
        let columns = typed.map(|(column, field)| cast(column, field.data_type()));
        Ok(RecordBatch::try_new(self.schema.clone(), columns.collect::<Result<_, _>>()?)?)
    }
}
