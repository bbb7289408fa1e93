//! The tables of a segment that are not made of events: who was there, what was lost, the clocks.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use schema::events::EVENTS;
use schema::tables::by_name;
use store::SegmentWriter;
use store::stacks::{Stack, to_batch};
use store::writer::Written;

use crate::columns::{Columns, HOST};
use crate::loss::{Count, Counts};
use crate::world::{BOOT_NS, CPUS, Process, Span, Thread, World};

/// Network namespace of all processes.
pub(crate) const NETNS: i64 = 4_026_531_840;
/// Release of the kernel that nothing ran on.
pub(crate) const KERNEL: &str = "6.12.57-synth";

const SECOND: i64 = 1_000_000_000;

/// A segment: what it is of, and what there is to know of its records.
pub(crate) struct About {
    pub number: u64,
    pub span: Span,
    pub counts: Counts,
    pub is_last: bool,
}

/// Writes the tables of a segment that are not made of events, but `segments`.
pub(crate) fn write(
    about: &About,
    world: &World,
    writer: &SegmentWriter,
) -> store::Result<Vec<Written>> {
    let stacks: Vec<Stack> = world.stacks.values().cloned().collect();
    let batches = [
        ("processes", processes(about, world)),
        ("threads", threads(about, world)),
        ("containers", containers(about, world)),
        ("stacks", to_batch(HOST, &stacks)),
        ("loss", loss(about)),
        ("cost", cost(about)),
        ("hosts", hosts(about)),
        ("clocks", clocks(about)),
    ];
    batches
        .into_iter()
        .map(|(name, batch)| {
            let table = by_name(name).expect("the schema declares the table");
            writer.write(table, [batch])
        })
        .collect()
}

fn is_within(start: i64, end: Option<i64>, span: Span) -> bool {
    start < span.end && end.is_none_or(|end| end >= span.begin)
}

fn processes(about: &About, world: &World) -> Result<RecordBatch, ArrowError> {
    let span = about.span;
    let mut rows: Vec<&Process> = world
        .processes
        .iter()
        .filter(|process| is_within(process.start, process.end, span))
        .collect();
    rows.sort_by_key(|process| (process.start, process.upid));
    let rows = || rows.iter();
    let parent = |process: &&&Process| process.parent.map(|parent| &world.processes[parent]);
    let end = |process: &&Process| process.end.filter(|end| *end < span.end);
    let container = |process: &&Process| Some(&world.containers[process.place.container?]);
    let ended = |process: &&Process| end(process).is_some();
    let signal = |process: &&Process| Some(process.signal).filter(|name| !name.is_empty());
    let mut out = Columns::new("processes", rows().len());
    out.moment("start_ts", rows().map(|process| Some(process.start)));
    out.moment("end_ts", rows().map(end));
    out.int32("pid", rows().map(|process| Some(process.pid)));
    out.int64("upid", rows().map(|process| Some(process.upid)));
    out.int32("parent_pid", rows().map(|process| Some(parent(&process)?.pid)));
    out.int64("parent_upid", rows().map(|process| Some(parent(&process)?.upid)));
    let first = |process: &&Process| &world.threads[process.first_thread as usize];
    out.text("comm", rows().map(|process| Some(first(process).comm.as_str())));
    out.text("exe", rows().map(|process| known(&process.program.exe)));
    out.text("argv", rows().map(|process| known(&process.program.argv)));
    out.text("cwd", rows().map(|process| known(&process.program.cwd)));
    out.int64("uid", rows().map(|process| Some(process.program.uid)));
    out.int64("gid", rows().map(|process| Some(process.program.uid)));
    out.int64("cgroup_id", rows().map(|process| Some(process.place.cgroup_id)));
    out.text("cgroup", rows().map(|process| Some(process.place.cgroup.as_str())));
    out.text("container_id", rows().map(|process| Some(container(process)?.id.as_str())));
    out.text("container_name", rows().map(|process| Some(container(process)?.name)));
    out.text("unit", rows().map(|process| process.place.unit.as_deref()));
    let code = |process: &&Process| {
        Some(process.exit_code).filter(|_| ended(process) && signal(process).is_none())
    };
    out.int32("exit_code", rows().map(code));
    out.text("signal", rows().map(|process| signal(process).filter(|_| ended(process))));
    out.int64("netns", rows().map(|process| Some(process.place.netns)));
    out.finish()
}

/// A thread of the kernel is no program.
fn known(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn containers(about: &About, world: &World) -> Result<RecordBatch, ArrowError> {
    let present: BTreeSet<usize> = world
        .processes
        .iter()
        .filter(|process| is_within(process.start, process.end, about.span))
        .filter_map(|process| process.place.container)
        .collect();
    let rows = || present.iter().map(|number| &world.containers[*number]);
    let mut out = Columns::new("containers", present.len());
    out.text("container_id", rows().map(|container| Some(container.id.as_str())));
    out.text("name", rows().map(|container| Some(container.name)));
    out.text("image", rows().map(|container| Some(container.image)));
    out.text("runtime", rows().map(|_| Some("docker")));
    out.int64("cgroup_id", rows().map(|container| Some(container.cgroup_id)));
    out.text("cgroup", rows().map(|container| Some(container.cgroup.as_str())));
    out.finish()
}

fn threads(about: &About, world: &World) -> Result<RecordBatch, ArrowError> {
    let span = about.span;
    let process = |thread: &Thread| &world.processes[thread.process];
    let mut rows: Vec<&Thread> = world
        .threads
        .iter()
        .filter(|thread| is_within(thread.start, process(thread).end, span))
        .collect();
    rows.sort_by_key(|thread| (thread.start, thread.tid));
    let rows = || rows.iter();
    let mut out = Columns::new("threads", rows().len());
    out.moment("start_ts", rows().map(|thread| Some(thread.start)));
    let end = |thread: &&Thread| thread.end.or(process(thread).end);
    out.moment("end_ts", rows().map(|thread| end(thread).filter(|end| *end < span.end)));
    out.int32("pid", rows().map(|thread| Some(process(thread).pid)));
    out.int32("tid", rows().map(|thread| Some(thread.tid)));
    out.int64("upid", rows().map(|thread| Some(process(thread).upid)));
    out.text("comm", rows().map(|thread| Some(thread.comm.as_str())));
    out.finish()
}

fn loss(about: &About) -> Result<RecordBatch, ArrowError> {
    let lost = || about.counts.lost.iter();
    let mut out = Columns::new("loss", about.counts.lost.len());
    out.moment("ts", lost().map(|((second, _, _), _)| Some(*second)));
    out.int64("duration_ns", lost().map(|_| Some(SECOND)));
    out.int32("cpu", lost().map(|((_, _, cpu), _)| Some(i32::from(*cpu))));
    out.text("kind", lost().map(|((_, kind, _), _)| Some(*kind)));
    out.int64("lost", lost().map(|(_, lost)| Some(*lost)));
    out.text("reason", lost().map(|_| Some("ring_full")));
    out.finish()
}

/// A recorder that takes a hundredth of a CPU.
fn cost(about: &About) -> Result<RecordBatch, ArrowError> {
    let mut out = Columns::new("cost", 1);
    let duration_ns = about.span.duration_ns();
    out.moment("ts", [Some(about.span.begin)].into_iter());
    out.int64("duration_ns", [Some(duration_ns)].into_iter());
    out.text("component", [Some("recorder")].into_iter());
    out.int64("cpu_ns", [Some(duration_ns / 100)].into_iter());
    out.int64("memory_bytes", [Some(48 << 20)].into_iter());
    out.finish()
}

fn hosts(about: &About) -> Result<RecordBatch, ArrowError> {
    let mut out = Columns::new("hosts", 1);
    out.moment("ts", [Some(about.span.begin)].into_iter());
    out.text("kernel", [Some(KERNEL)].into_iter());
    out.text("arch", [Some("x86_64")].into_iter());
    out.int32("cpus", [Some(CPUS as i32)].into_iter());
    out.text("boot_id", [Some("5eed0000-0000-4000-8000-000000000001")].into_iter());
    out.text("os", [Some("Synthetic Linux")].into_iter());
    out.finish()
}

/// The clocks at the beginning of a segment; of the last, also at its end.
fn clocks(about: &About) -> Result<RecordBatch, ArrowError> {
    let readings: Vec<i64> = match about.is_last {
        true => vec![about.span.begin, about.span.end],
        false => vec![about.span.begin],
    };
    let mut out = Columns::new("clocks", readings.len());
    out.moment("ts", readings.iter().map(|ts| Some(*ts)));
    out.int64("monotonic_ns", readings.iter().map(|ts| Some(ts - BOOT_NS)));
    out.int64("boottime_ns", readings.iter().map(|ts| Some(ts - BOOT_NS)));
    out.flag("in_force", (0..readings.len()).map(|at| at == 0));
    out.finish()
}

/// The rows that say what the segment holds.
pub(crate) fn segments(about: &About) -> Result<RecordBatch, ArrowError> {
    let kinds: Vec<(&str, &Count)> = EVENTS
        .iter()
        .filter_map(|event| Some((event.name, about.counts.kinds.get(event.name)?)))
        .collect();
    let kinds = || kinds.iter();
    let mut out = Columns::new("segments", kinds().len());
    out.int64("segment", kinds().map(|_| Some(about.number as i64)));
    out.text("kind", kinds().map(|(kind, _)| Some(*kind)));
    out.moment("first_ts", kinds().map(|(_, count)| Some(count.span?.0)));
    out.moment("last_ts", kinds().map(|(_, count)| Some(count.span?.1)));
    out.int64("stored", kinds().map(|(_, count)| Some(count.stored)));
    out.int64("stored_before", kinds().map(|(_, count)| Some(count.stored_before)));
    out.int64("emitted", kinds().map(|(_, count)| Some(count.emitted)));
    out.int64("lost", kinds().map(|(_, count)| Some(count.lost)));
    out.flag("closed", kinds().map(|_| about.is_last));
    out.finish()
}
