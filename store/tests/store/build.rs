//! Makes records, spools and traces for the tests, and reads rows back.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::TimestampNanosecondType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use schema::events::{self as ev, Header, KINDS, Stream, Tail};
use schema::types::*;
use store::manifest::{FormatVersion, State};
use store::meta::{KindCount, Meta};
use store::{Folder, Manifest, MetaWriter, SpoolWriter};
use tempfile::TempDir;
use zerocopy::{Immutable, IntoBytes};

/// `CLOCK_REALTIME` minus `CLOCK_MONOTONIC` in the tests.
pub const EPOCH_NS: i64 = 1_700_000_000_000_000_000;
/// A monotonic time in the middle of the first segment.
pub const T: u64 = 5_000_000_000;

pub fn header(kind: u16, ts_ns: u64, tid: u32, pid: u32) -> Header {
    Header { ts_ns, tid, pid, kind, size: 0, fixed: 0, cpu: 1 }
}

/// A record with its first `fixed` bytes and variable parts.
pub fn cut<R: IntoBytes + Immutable>(
    record: &R,
    fixed: usize,
    tails: &[(Tail, u8, &[u8])],
) -> Vec<u8> {
    let mut out = record.as_bytes()[..fixed].to_vec();
    for (tag, flags, bytes) in tails {
        out.extend_from_slice(&[*tag as u8, *flags]);
        out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
        out.extend_from_slice(bytes);
    }
    let size = out.len() as u16;
    out[18..20].copy_from_slice(&size.to_le_bytes());
    out[20..22].copy_from_slice(&(fixed as u16).to_le_bytes());
    out
}

pub fn whole<R: IntoBytes + Immutable>(record: &R, tails: &[(Tail, u8, &[u8])]) -> Vec<u8> {
    cut(record, size_of::<R>(), tails)
}

pub fn comm(name: &str) -> Comm {
    let mut out = [0; 16];
    out[..name.len()].copy_from_slice(name.as_bytes());
    Comm(out)
}

/// The network namespace of the processes made here.
pub const NETNS: u64 = 4_026_531_833;

/// The upid of a process that started `start_ms` after the boot.
pub fn upid(start_ms: u64, pid: u32) -> u64 {
    start_ms << 22 | u64::from(pid)
}

pub fn thread(ts_ns: u64, tid: u32, pid: u32, upid: u64, name: &str) -> Vec<u8> {
    let parent = self::upid(1, 1);
    whole(
        &ev::Thread {
            header: header(1, ts_ns, tid, pid),
            upid: Upid(upid),
            parent_upid: Upid(parent),
            cgroup_id: CgroupId(77),
            uid: Uid(1000),
            gid: Gid(u32::MAX),
            thread_comm: comm(name),
            netns: Inode(NETNS),
        },
        &[],
    )
}

pub fn fork(ts_ns: u64, parent: u32, child: u32, child_upid: u64) -> Vec<u8> {
    whole(
        &ev::Fork {
            header: header(2, ts_ns, parent, parent),
            child_upid: Upid(child_upid),
            child_cgroup_id: CgroupId(77),
            child_tid: Tid(child),
            child_pid: Pid(child),
            uid: Uid(1000),
            gid: Gid(100),
            netns: Inode(NETNS),
        },
        &[],
    )
}

pub fn rename(ts_ns: u64, tid: u32, pid: u32, name: &str) -> Vec<u8> {
    whole(&ev::Rename { header: header(7, ts_ns, tid, pid), new_comm: comm(name) }, &[])
}

pub fn exec(ts_ns: u64, pid: u32, upid: u64, tails: &[(Tail, u8, &[u8])]) -> Vec<u8> {
    let record = ev::Exec {
        header: header(4, ts_ns, pid, pid),
        exec_upid: Upid(upid),
        old_tid: Tid(pid),
        uid: Uid(0),
        gid: Gid(0),
        euid: Uid(0),
        netns: Inode(NETNS),
    };
    whole(&record, tails)
}

pub fn exit(ts_ns: u64, pid: u32, status: u32) -> Vec<u8> {
    whole(
        &ev::Exit {
            header: header(5, ts_ns, pid, pid),
            status: ExitStatus(status),
            reserved: Reserved(0),
        },
        &[],
    )
}

/// A system call with the first `args` of its arguments.
pub fn syscall(
    ts_ns: u64,
    tid: u32,
    call: u32,
    ret: i64,
    args: &[u64],
    tails: &[(Tail, u8, &[u8])],
) -> Vec<u8> {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    let record = ev::Syscall {
        header: header(16, ts_ns, tid, 100),
        duration_ns: DurationNs(if ret == NOT_RETURNED { u64::MAX } else { 500 }),
        ret: Return(ret),
        call: SyscallId(call),
        reserved: Reserved(0),
        args: Args(all),
    };
    cut(&record, size_of_val(&record) - (6 - args.len()) * 8, tails)
}

/// A spool under construction.
pub struct Spool {
    pub folder: Folder,
    pub segment: u64,
    pub meta: Vec<Meta>,
    pub streams: BTreeMap<Stream, Vec<(bool, Vec<u8>)>>,
    pub stored_before: [u64; KINDS],
    pub sealed: bool,
}

impl Spool {
    pub fn new(folder: &Folder, segment: u64) -> Spool {
        let meta = vec![start(segment, &["syscalls"]), clock(T - 1_000_000_000)];
        let (streams, stored_before) = (BTreeMap::new(), [0; KINDS]);
        Spool { folder: folder.clone(), segment, meta, streams, stored_before, sealed: true }
    }

    pub fn block(mut self, stream: Stream, records: &[Vec<u8>]) -> Spool {
        self.streams.entry(stream).or_default().push((false, records.concat()));
        self
    }

    pub fn context(mut self, records: &[Vec<u8>]) -> Spool {
        self.streams.entry(Stream::Processes).or_default().push((true, records.concat()));
        self
    }

    pub fn meta(mut self, records: impl IntoIterator<Item = Meta>) -> Spool {
        self.meta.extend(records);
        self
    }

    pub fn before(mut self, kind: u16, stored: u64) -> Spool {
        self.stored_before[usize::from(kind)] = stored;
        self
    }

    pub fn unsealed(mut self) -> Spool {
        self.sealed = false;
        self
    }

    pub fn write(&self) -> PathBuf {
        let path = self.folder.create_spool(self.segment).unwrap();
        let mut meta = MetaWriter::create(&path, self.segment).unwrap();
        meta.write(&self.meta).unwrap();
        if self.sealed {
            meta.finish().unwrap();
        }
        for (stream, blocks) in &self.streams {
            let mut writer =
                SpoolWriter::create(&path, self.segment, *stream, &self.stored_before).unwrap();
            blocks
                .iter()
                .for_each(|(context, records)| writer.write_block(records, *context).unwrap());
            if self.sealed {
                writer.finish().unwrap();
            }
        }
        path
    }

    pub fn encode(&self) -> store::Encoded {
        self.write();
        store::encode::segment(&self.folder, self.segment, self.folder.path()).unwrap()
    }

    /// Encodes and removes the spool, as the recorder does.
    pub fn seal(&self) {
        self.encode();
        self.folder.remove_spool(self.segment).unwrap();
    }
}

pub fn start(segment: u64, sources: &[&str]) -> Meta {
    Meta::Start {
        segment,
        host: "box".to_string(),
        kernel: "6.12".to_string(),
        arch: "x86_64".to_string(),
        cpus: 2,
        boot_id: "b".to_string(),
        os: None,
        recorder_pid: 9,
        sources: sources.iter().map(|source| source.to_string()).collect(),
        options: serde_json::Value::Null,
    }
}

pub fn clock(monotonic_ns: u64) -> Meta {
    let realtime_ns = EPOCH_NS + monotonic_ns as i64;
    Meta::Clock { realtime_ns, monotonic_ns, boottime_ns: monotonic_ns }
}

pub fn counters(monotonic_ns: u64, kinds: &[(u16, u64, u64)]) -> Meta {
    let count = |(kind, emitted, lost): &(u16, u64, u64)| KindCount {
        kind: *kind,
        cpu: 0,
        emitted: *emitted,
        lost: *lost,
        ..KindCount::default()
    };
    Meta::Counters { monotonic_ns, kinds: kinds.iter().map(count).collect() }
}

pub fn end(closed: bool) -> Meta {
    Meta::End { monotonic_ns: T + 9, closed, reason: "test".to_string() }
}

/// A new trace in a temporary folder.
pub fn trace() -> (TempDir, Folder) {
    let temp = TempDir::new().unwrap();
    let folder = Folder::create(&temp.path().join("trace"), false).unwrap();
    manifest(&folder, State::Recording);
    (temp, folder)
}

pub fn manifest(folder: &Folder, state: State) {
    let manifest = Manifest {
        format: FormatVersion::CURRENT,
        id: "1".to_string(),
        host: "box".to_string(),
        kernel: "6.12".to_string(),
        arch: "x86_64".to_string(),
        created: "2026-01-01T00:00:00Z".to_string(),
        recorder_version: "0.1.0".to_string(),
        state,
        command: None,
        sources: vec!["syscalls".to_string()],
        options: serde_json::Value::Null,
        redaction: "none".to_string(),
    };
    folder.write_manifest(&manifest).unwrap();
}

/// A column as text, one entry per row.
pub fn column(path: &Path, name: &str) -> Vec<String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap())
        .unwrap()
        .build()
        .unwrap();
    let mut out = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let options = FormatOptions::new()
            .with_null("NULL")
            .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.9fZ"));
        let column = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
        // Arrow prints times of zones by name only with a library that we do not need.
        let column = match column.as_primitive_opt::<TimestampNanosecondType>() {
            Some(moments) => &(Arc::new(moments.clone().with_timezone("+00:00")) as ArrayRef),
            None => column,
        };
        let formatter = ArrayFormatter::try_new(column, &options).unwrap();
        out.extend((0..batch.num_rows()).map(|row| formatter.value(row).to_string()));
    }
    out
}

/// Columns of the rows of a table, each row joined with ` | `.
pub fn rows(folder: &Folder, table: &str, columns: &[&str]) -> Vec<String> {
    rows_of(&folder.table_file(table, 1), columns)
}

pub fn rows_of(path: &Path, columns: &[&str]) -> Vec<String> {
    let columns: Vec<Vec<String>> = columns.iter().map(|name| column(path, name)).collect();
    (0..columns[0].len())
        .map(|row| columns.iter().map(|column| &*column[row]).collect::<Vec<_>>().join(" | "))
        .collect()
}

/// A small pseudo-random number generator with a fixed sequence.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
