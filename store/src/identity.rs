//! Who each thread was at each moment of a segment.
//!
//! Processes, threads, names and control groups are told by the records of the processes stream,
//! those that repeat the state at the segment's beginning included, and by what the recorder found
//! in /proc. They are applied in the order of time (`news`, one of the two places in this crate
//! that name event kinds); then any thread id and time has an answer.

mod news;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use schema::events::{EventDef, Stream};

use crate::cache::{BlockCache, CACHE_BYTES, Index, IndexEntry, Position};
use crate::error::Result;
use crate::segment::SegmentMeta;
use crate::spool::{SpoolKind, SpoolReader};
use news::Builder;

/// State of a thread from a moment on. A `upid` or control group of 0 is unknown.
#[derive(Clone, Copy)]
struct Entry {
    from_ts_ns: u64,
    upid: u64,
    cgroup_id: u64,
    pid: u32,
    comm: u32,
}

/// Who a thread was at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who<'a> {
    /// Its process for good.
    pub upid: Option<u64>,
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub comm: Option<&'a str>,
    /// The control group it was in.
    pub cgroup_id: Option<u64>,
}

/// Where the program, arguments and working directory of a process are told.
#[derive(Clone, Copy)]
pub(crate) enum Program {
    Unknown,
    /// By an exec in this segment.
    Exec(Position),
    /// By the recorder, as the n-th process it found.
    Found(usize),
}

/// What is known of a process at the end of the segment.
pub(crate) struct Process {
    pub pid: u32,
    pub parent_upid: Option<u64>,
    pub end_ts_ns: Option<u64>,
    pub status: Option<u32>,
    pub program: Program,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub cgroup_id: u64,
    pub comm: u32,
    /// Network namespace.
    pub netns: Option<u64>,
}

/// What is known of a thread at the end of the segment.
pub(crate) struct Thread {
    pub pid: u32,
    pub start_ts_ns: u64,
    pub end_ts_ns: Option<u64>,
    pub comm: u32,
}

/// The threads and processes of a segment.
pub struct Identity {
    timelines: HashMap<u32, Vec<Entry>>,
    comms: Vec<Box<str>>,
    pub(crate) processes: BTreeMap<u64, Process>,
    /// By process and thread id: a thread id is used again, but not in the same process.
    pub(crate) threads: BTreeMap<(u64, u32), Thread>,
    pub(crate) cgroups: HashMap<u64, String>,
}

impl Identity {
    /// Who thread `tid` was at `ts_ns`: by the last news at or before that time, else by the first
    /// after it, since a thread is announced only after the call that revealed it has begun.
    pub fn lookup(&self, tid: u32, ts_ns: u64) -> Option<Who<'_>> {
        let timeline = self.timelines.get(&tid)?;
        let after = timeline.partition_point(|entry| entry.from_ts_ns <= ts_ns);
        let entry = timeline.get(after.saturating_sub(1))?;
        Some(Who {
            upid: Some(entry.upid).filter(|upid| *upid != 0),
            pid: entry.pid,
            comm: self.comm(entry.comm),
            cgroup_id: Some(entry.cgroup_id).filter(|id| *id != 0),
        })
    }

    /// A name by its number.
    pub(crate) fn comm(&self, number: u32) -> Option<&str> {
        self.comms.get(number as usize).map(|comm| &**comm).filter(|comm| !comm.is_empty())
    }

    /// Reads the processes stream in the spool folder `spool`; also returns the way to its records.
    pub(crate) fn build(
        spool: &Path,
        meta: &SegmentMeta,
    ) -> Result<(Identity, Option<BlockCache>)> {
        let mut builder = Builder::new(meta);
        let kind = SpoolKind::Stream(Stream::Processes);
        let reader = match SpoolReader::open_as(spool, kind, meta.segment) {
            Ok(reader) => reader,
            // Nobody was in scope; then who was is what the recorder says.
            Err(error) if error.is_not_found() => return Ok((builder.identity, None)),
            Err(error) => return Err(error),
        };
        let mut entries: Vec<(IndexEntry, u16)> = Vec::new();
        let mut index = Index::build(reader, CACHE_BYTES, |event: &EventDef, _, entry| {
            entries.push((entry, event.id))
        })?;
        entries.sort_unstable();
        for (entry, kind) in entries {
            let record = index.cache.record(entry.at)?;
            builder.apply(kind, record, entry.at);
        }
        Ok((builder.identity, Some(index.cache)))
    }
}
