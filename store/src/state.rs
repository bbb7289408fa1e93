//! The tables that are not made of events: who was there, what was lost, what it cost, the clocks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Int32Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampNanosecondBuilder,
};
use parquet::errors::ParquetError;
use schema::Tail;
use schema::events::EVENTS;
use schema::tables::{self, Column, ColumnType, Table};

use crate::cache::BlockCache;
use crate::container::{Container, Group};
use crate::encode::Stats;
use crate::error::{Error, Result};
use crate::identity::{Identity, Process, Program};
use crate::names;
use crate::output::{Partial, TableFile};
use crate::segment::SegmentMeta;
use crate::text::{push_argv, push_tail};

/// Rows that become columns at once.
const BATCH_ROWS: usize = 8192;

/// Writes the state tables of a segment but the last; `processes` gives the records that `identity` refers to.
pub(crate) fn write(
    meta: &SegmentMeta,
    identity: &Identity,
    processes: Option<BlockCache>,
    out: &Path,
) -> Result<Vec<Partial>> {
    let begin = |name: &str| TableRows::create(out, name, meta);
    Ok(vec![
        write_processes(begin("processes")?, meta, identity, processes)?,
        write_threads(begin("threads")?, meta, identity)?,
        write_containers(begin("containers")?, meta, identity)?,
        write_loss(begin("loss")?, meta)?,
        write_cost(begin("cost")?, meta)?,
        write_hosts(begin("hosts")?, meta)?,
        write_clocks(begin("clocks")?, meta)?,
    ])
}

fn write_processes(
    mut rows: TableRows,
    meta: &SegmentMeta,
    identity: &Identity,
    mut cache: Option<BlockCache>,
) -> Result<Partial> {
    let utc_ns = |ts_ns| meta.clocks.utc_ns(ts_ns);
    // The kernel's start times have a resolution of a clock tick, which is what is in the upid.
    let start_ns = |upid: u64| meta.clocks.utc_ns_of_boot((upid >> 22).saturating_mul(1_000_000));
    let mut order: Vec<(&u64, &Process)> = identity.processes.iter().collect();
    order.sort_by_key(|(upid, _)| (start_ns(**upid), **upid));
    for (&upid, process) in order {
        let [exe, argv, cwd] = program(process, meta, cache.as_mut())?;
        let cgroup = identity.cgroups.get(&process.cgroup_id).map(String::as_str);
        let group = cgroup.map(Group::of_path).unwrap_or_default();
        let container_id = group.container.as_ref().map(|container| container.id.as_str());
        let container = container_id.and_then(|id| meta.containers.get(id));
        let signal = process.status.map(|status| status & 0x7f);
        rows.moment("start_ts", Some(start_ns(upid)));
        rows.moment("end_ts", process.end_ts_ns.map(utc_ns));
        rows.int32("pid", Some(process.pid as i32));
        rows.int64("upid", Some(upid));
        rows.int32(
            "parent_pid",
            process.parent_upid.map(|upid| (upid & 0x3f_ffff) as i32).filter(|pid| *pid != 0),
        );
        rows.int64("parent_upid", process.parent_upid);
        rows.text("comm", identity.comm(process.comm));
        rows.text("exe", exe.as_deref());
        rows.text("argv", argv.as_deref());
        rows.text("cwd", cwd.as_deref());
        rows.int64("uid", process.uid.map(u64::from));
        rows.int64("gid", process.gid.map(u64::from));
        rows.int64("cgroup_id", Some(process.cgroup_id).filter(|id| *id != 0));
        rows.text("cgroup", cgroup);
        rows.text("container_id", container_id);
        rows.int32(
            "exit_code",
            process.status.filter(|_| signal == Some(0)).map(|status| (status >> 8 & 0xff) as i32),
        );
        rows.text("signal", signal.filter(|signal| *signal != 0).map(names::signal).as_deref());
        let named_by_id = group.container.as_ref().filter(|container| container.is_named_by_id());
        rows.text(
            "container_name",
            container
                .and_then(|container| container.name.as_deref())
                .or(named_by_id.and(container_id)),
        );
        rows.text("pod", container.and_then(|container| container.pod.as_deref()));
        rows.text("unit", group.unit);
        rows.int64("netns", process.netns.filter(|netns| *netns != 0));
        rows.end_row()?;
    }
    rows.finish()
}

/// The program file, arguments and working directory of a process.
fn program(
    process: &Process,
    meta: &SegmentMeta,
    cache: Option<&mut BlockCache>,
) -> Result<[Option<String>; 3]> {
    match (process.program, cache) {
        (Program::Exec(at), Some(cache)) => {
            let record = cache.record(at)?;
            Ok([Tail::Exe, Tail::Argv, Tail::Cwd].map(|tag| {
                let (bytes, truncated) = record.tail(tag)?;
                let mut text = String::new();
                push_tail(tag, bytes, truncated, &mut text).then_some(text)
            }))
        }
        (Program::Found(number), _) => {
            let found = &meta.processes[number];
            let mut argv = String::new();
            push_argv(found.argv.iter().map(String::as_bytes), &mut argv);
            // Kernel threads have no arguments.
            Ok([
                found.exe.clone(),
                Some(argv).filter(|_| !found.argv.is_empty()),
                found.cwd.clone(),
            ])
        }
        (Program::Unknown | Program::Exec(_), _) => Ok([None, None, None]),
    }
}

fn write_threads(mut rows: TableRows, meta: &SegmentMeta, identity: &Identity) -> Result<Partial> {
    let mut order: Vec<_> = identity.threads.iter().collect();
    order.sort_by_key(|(id, thread)| (thread.start_ts_ns, **id));
    for (&(upid, tid), thread) in order {
        rows.moment("start_ts", Some(meta.clocks.utc_ns(thread.start_ts_ns)));
        rows.moment("end_ts", thread.end_ts_ns.map(|ts_ns| meta.clocks.utc_ns(ts_ns)));
        rows.int32("pid", Some(thread.pid as i32));
        rows.int32("tid", Some(tid as i32));
        rows.int64("upid", Some(upid));
        rows.text("comm", identity.comm(thread.comm));
        rows.end_row()?;
    }
    rows.finish()
}

/// One row for each container that a control group of the segment is of.
fn write_containers(
    mut rows: TableRows,
    meta: &SegmentMeta,
    identity: &Identity,
) -> Result<Partial> {
    // Of its groups, the outermost.
    let mut outermost: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    for (id, path) in &identity.cgroups {
        if let Some(container) = Group::of_path(path).container {
            let group = (path.len(), *id);
            let known = outermost.entry(container.id).or_insert(group);
            *known = group.min(*known);
        }
    }
    for (container_id, (_, cgroup_id)) in outermost {
        let cgroup = &identity.cgroups[&cgroup_id];
        let group = Group::of_path(cgroup);
        let by_path = group.container.as_ref();
        let known = meta.containers.get(&container_id).cloned().unwrap_or_default();
        let named_by_id = by_path.is_some_and(Container::is_named_by_id);
        rows.text("container_id", Some(&container_id));
        rows.text("name", known.name.as_deref().or(named_by_id.then_some(&container_id)));
        rows.text("image", known.image.as_deref());
        let runtime = known.runtime.as_deref().or(by_path.and_then(|container| container.runtime));
        rows.text("runtime", runtime);
        rows.text("pod", known.pod.as_deref());
        rows.text("namespace", known.namespace.as_deref());
        rows.text("pod_uid", known.pod_uid.as_deref().or(group.pod_uid.as_deref()));
        rows.int64("cgroup_id", Some(cgroup_id));
        rows.text("cgroup", Some(cgroup));
        rows.end_row()?;
    }
    rows.finish()
}

fn write_loss(mut rows: TableRows, meta: &SegmentMeta) -> Result<Partial> {
    for loss in &meta.losses {
        rows.moment("ts", Some(meta.clocks.utc_ns(loss.from_ns)));
        rows.int64("duration_ns", Some(loss.to_ns - loss.from_ns));
        rows.int32("cpu", Some(loss.cpu as i32));
        let known = schema::events::by_id(loss.kind).map(|event| event.name.to_string());
        rows.text("kind", Some(&known.unwrap_or_else(|| format!("kind_{}", loss.kind))));
        rows.int64("lost", Some(loss.lost));
        rows.text("reason", Some(loss.reason));
        rows.end_row()?;
    }
    rows.finish()
}

fn write_cost(mut rows: TableRows, meta: &SegmentMeta) -> Result<Partial> {
    for cost in &meta.costs {
        rows.moment("ts", Some(meta.clocks.utc_ns(cost.monotonic_ns)));
        rows.int64("duration_ns", Some(cost.duration_ns));
        rows.text("component", Some(&cost.component));
        rows.int64("run_count", cost.run_count);
        rows.int64("cpu_ns", cost.cpu_ns);
        rows.int64("bytes", cost.bytes);
        rows.int64("memory_bytes", cost.memory_bytes);
        rows.text("source", cost.source.as_deref());
        rows.end_row()?;
    }
    rows.finish()
}

/// Writes the table that says what the segment holds, `others` being its other files.
pub(crate) fn write_segments(
    meta: &SegmentMeta,
    stats: &Stats,
    others: &[Partial],
    out: &Path,
) -> Result<Partial> {
    let mut rows = TableRows::create(out, "segments", meta)?;
    rows.file.seal(others.iter().map(|other| (other.table, other.crc)));
    for event in EVENTS {
        let kind = usize::from(event.id);
        let counters =
            meta.counters.as_ref().map(|kinds| kinds.get(&event.id).copied().unwrap_or_default());
        let (stored, before) = (stats.counts[kind], stats.stored_before[kind]);
        if stored == 0 && before == 0 && counters.is_none_or(|(emitted, _)| emitted == 0) {
            continue;
        }
        let span = stats.span[kind];
        rows.int64("segment", Some(meta.segment));
        rows.text("kind", Some(event.name));
        rows.moment("first_ts", span.map(|(first, _)| meta.clocks.utc_ns(first)));
        rows.moment("last_ts", span.map(|(_, last)| meta.clocks.utc_ns(last)));
        rows.int64("stored", Some(stored));
        rows.int64("stored_before", Some(before));
        rows.int64("emitted", counters.map(|(emitted, _)| emitted));
        rows.int64("lost", counters.map(|(_, lost)| lost));
        rows.bool("closed", meta.closed);
        rows.end_row()?;
    }
    rows.finish()
}

fn write_hosts(mut rows: TableRows, meta: &SegmentMeta) -> Result<Partial> {
    let start = &meta.start;
    rows.moment("ts", Some(meta.clocks.readings.first().map_or(0, |reading| reading.realtime_ns)));
    rows.text("kernel", Some(&start.kernel));
    rows.text("arch", Some(&start.arch));
    rows.int32("cpus", Some(start.cpus as i32));
    rows.text("boot_id", Some(&start.boot_id));
    rows.text("os", start.os.as_deref());
    rows.end_row()?;
    rows.finish()
}

fn write_clocks(mut rows: TableRows, meta: &SegmentMeta) -> Result<Partial> {
    for reading in &meta.clocks.readings {
        rows.moment("ts", Some(reading.realtime_ns));
        rows.int64("monotonic_ns", Some(reading.monotonic_ns));
        rows.int64("boottime_ns", Some(reading.boottime_ns));
        rows.bool("in_force", reading.in_force);
        rows.end_row()?;
    }
    rows.finish()
}

/// A builder for each column type.
enum Builder {
    Moment(TimestampNanosecondBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Text(StringBuilder),
    Bool(BooleanBuilder),
}

/// Collects the rows of a table; the values of a row come in the order of its columns.
struct TableRows {
    file: TableFile,
    table: &'static Table,
    columns: Vec<(Column, Builder)>,
    host: String,
    next: usize,
    pending: usize,
}

impl TableRows {
    fn create(out: &Path, name: &str, meta: &SegmentMeta) -> Result<TableRows> {
        let table = tables::by_name(name).expect("a state table is declared in the schema");
        let builder = |column: &Column| match column.ty {
            ColumnType::Timestamp => {
                Builder::Moment(TimestampNanosecondBuilder::new().with_timezone("UTC"))
            }
            ColumnType::Int32 => Builder::Int32(Int32Builder::new()),
            ColumnType::Int64 => Builder::Int64(Int64Builder::new()),
            ColumnType::Text => Builder::Text(StringBuilder::new()),
            ColumnType::Bool => Builder::Bool(BooleanBuilder::new()),
            ColumnType::Float64 | ColumnType::Binary | ColumnType::Frames => {
                unreachable!("no state table has such a column")
            }
        };
        let columns =
            table.columns().into_iter().map(|column| (column, builder(&column))).collect();
        let file = TableFile::create(out, table, meta.segment)?;
        Ok(TableRows { file, table, columns, host: meta.start.host.clone(), next: 0, pending: 0 })
    }

    /// The builder of the next column, which must be `name`; the host is filled in on the way.
    fn column(&mut self, name: &str) -> &mut Builder {
        if self.columns[self.next].0.name == "host"
            && let Builder::Text(host) = &mut self.columns[self.next].1
        {
            host.append_value(&self.host);
            self.next += 1;
        }
        let (column, builder) = &mut self.columns[self.next];
        assert_eq!(column.name, name, "the columns of `{}` come in their order", self.table.name);
        self.next += 1;
        builder
    }

    fn moment(&mut self, name: &str, value: Option<i64>) {
        let Builder::Moment(builder) = self.column(name) else {
            unreachable!("`{name}` is no moment")
        };
        builder.append_option(value);
    }

    fn int32(&mut self, name: &str, value: Option<i32>) {
        let Builder::Int32(builder) = self.column(name) else {
            unreachable!("`{name}` is no 32-bit number")
        };
        builder.append_option(value);
    }

    fn int64(&mut self, name: &str, value: Option<u64>) {
        let Builder::Int64(builder) = self.column(name) else {
            unreachable!("`{name}` is no 64-bit number")
        };
        builder.append_option(value.map(|value| value as i64));
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        let Builder::Text(builder) = self.column(name) else { unreachable!("`{name}` is no text") };
        builder.append_option(value);
    }

    fn bool(&mut self, name: &str, value: bool) {
        let Builder::Bool(builder) = self.column(name) else {
            unreachable!("`{name}` is no truth value")
        };
        builder.append_value(value);
    }

    fn end_row(&mut self) -> Result<()> {
        assert_eq!(self.next, self.columns.len(), "a row of `{}` has all columns", self.table.name);
        self.next = 0;
        self.pending += 1;
        if self.pending == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let finish = |(_, builder): &mut (Column, Builder)| -> ArrayRef {
            match builder {
                Builder::Moment(builder) => Arc::new(builder.finish()),
                Builder::Int32(builder) => Arc::new(builder.finish()),
                Builder::Int64(builder) => Arc::new(builder.finish()),
                Builder::Text(builder) => Arc::new(builder.finish()),
                Builder::Bool(builder) => Arc::new(builder.finish()),
            }
        };
        let arrays = self.columns.iter_mut().map(finish).collect();
        self.pending = 0;
        let batch =
            RecordBatch::try_new(schema::arrow::schema(self.table), arrays).map_err(|error| {
                Error::Parquet { path: self.table.name.into(), source: ParquetError::from(error) }
            })?;
        self.file.write(&batch)
    }

    fn finish(mut self) -> Result<Partial> {
        if self.pending > 0 {
            self.flush()?;
        }
        self.file.finish()
    }
}
