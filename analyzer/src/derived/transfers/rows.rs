//! What system calls do with descriptors, and the rows of those that move data.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray, TimestampNanosecondArray,
    UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{Field, Int64Type, Schema, TimestampNanosecondType};
use datafusion::common::HashMap;
use datafusion::error::{DataFusionError, Result};

use super::SAME;
use super::descriptors::{Change, Descriptors, File, SOCKET};

/// The lower half of `dirfd` in a call that begins at the working directory (`AT_FDCWD`).
const AT_FDCWD: i64 = 0xffff_ff9c;

/// The requests of `fcntl` that copy a descriptor: `F_DUPFD` and `F_DUPFD_CLOEXEC`.
const COPYING: [i64; 2] = [0, 1030];

/// What a transfer did, as it is told.
const OPERATIONS: [&str; 3] = ["read", "write", "sync"];

/// See [`OPERATIONS`].
#[derive(Debug, Clone, Copy)]
enum Operation {
    Read,
    Write,
    Sync,
}

/// What a system call has to do with descriptors.
#[derive(Debug, Clone, Copy)]
enum Call {
    Transfer(Operation),
    /// From the first to the third argument.
    CopyRange,
    /// From the second to the first.
    SendFile,
    /// Opens a file by a path that begins at the working directory, if it is not absolute.
    Open,
    /// The same, if the first argument says so.
    OpenAt,
    /// Makes a descriptor that has no path.
    Make,
    Socket,
    Close,
    Copy,
    Fcntl,
    Other,
}

impl Call {
    fn of(name: &str) -> Call {
        match name {
            "read" | "pread64" | "readv" | "preadv" | "preadv2" => Call::Transfer(Operation::Read),
            "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" => {
                Call::Transfer(Operation::Write)
            }
            "fsync" | "fdatasync" | "sync_file_range" => Call::Transfer(Operation::Sync),
            "copy_file_range" => Call::CopyRange,
            "sendfile" | "sendfile64" => Call::SendFile,
            "open" | "creat" => Call::Open,
            "openat" | "openat2" => Call::OpenAt,
            "open_by_handle_at" | "memfd_create" | "memfd_secret" | "eventfd" | "eventfd2"
            | "epoll_create" | "epoll_create1" | "timerfd_create" | "inotify_init"
            | "inotify_init1" | "fanotify_init" | "signalfd" | "signalfd4" | "pidfd_open"
            | "pidfd_getfd" | "perf_event_open" | "userfaultfd" | "io_uring_setup" => Call::Make,
            "socket" | "accept" | "accept4" => Call::Socket,
            "close" => Call::Close,
            "dup" | "dup2" | "dup3" => Call::Copy,
            "fcntl" | "fcntl64" => Call::Fcntl,
            _ => Call::Other,
        }
    }
}

/// A descriptor of an argument register: its lower half.
fn descriptor(argument: i64) -> i64 {
    argument & 0xffff_ffff
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| DataFusionError::Internal(format!("no column {name}")))
}

/// When processes begin, with whose descriptors, and when they end.
pub fn lives(batches: &[RecordBatch]) -> Result<Vec<(i64, Change)>> {
    let mut changes = Vec::new();
    for batch in batches {
        let ts = column(batch, "ts")?.as_primitive::<TimestampNanosecondType>();
        let upids = column(batch, "upid")?.as_primitive::<Int64Type>();
        let children = column(batch, "child_upid")?.as_primitive::<Int64Type>();
        let events = column(batch, "event")?.as_string_view();
        for row in (0..batch.num_rows()).filter(|row| upids.is_valid(*row)) {
            let upid = upids.value(row);
            match events.value(row) {
                "fork" if children.is_valid(row) => {
                    let fork = Change::Fork { parent: upid, child: children.value(row) };
                    changes.push((ts.value(row), fork));
                }
                "exit" => changes.push((ts.value(row), Change::Exit { upid })),
                _ => {}
            }
        }
    }
    Ok(changes)
}

/// System calls in the order in which they began.
pub struct Calls<'a> {
    batch: &'a RecordBatch,
    ts: &'a TimestampNanosecondArray,
    upid: &'a Int64Array,
    call: &'a StringViewArray,
    via: &'a StringViewArray,
    duration: &'a Int64Array,
    ret: &'a Int64Array,
    path: &'a StringViewArray,
    /// The first three, and the fifth.
    args: [&'a Int64Array; 4],
}

impl<'a> Calls<'a> {
    pub fn of(batch: &'a RecordBatch) -> Result<Calls<'a>> {
        let texts = |name| Ok::<_, DataFusionError>(column(batch, name)?.as_string_view());
        let numbers = |name| Ok::<_, DataFusionError>(column(batch, name)?.as_primitive());
        Ok(Calls {
            batch,
            ts: column(batch, "ts")?.as_primitive(),
            upid: numbers("upid")?,
            call: texts("syscall")?,
            via: texts("via")?,
            duration: numbers("duration_ns")?,
            ret: numbers("ret")?,
            path: texts("path")?,
            args: [numbers("arg0")?, numbers("arg1")?, numbers("arg2")?, numbers("arg4")?],
        })
    }

    /// Goes through all of them: descriptors change, and what moves data is a row.
    pub fn transfers(&self, descriptors: &mut Descriptors, wanted: &Schema) -> Result<RecordBatch> {
        let mut made = Made::default();
        // Texts of a column that are the same have the same view as a rule, and there are few names.
        let mut known: Vec<(u128, Call)> = Vec::new();
        for (row, view) in self.call.views().iter().enumerate() {
            let call = known.iter().find(|(known, _)| known == view).map(|(_, call)| *call);
            let call = call.unwrap_or_else(|| {
                let call = Call::of(self.call.value(row));
                if known.len() < 64 {
                    known.push((*view, call));
                }
                call
            });
            let has_succeeded = self.ret.is_valid(row) && self.ret.value(row) >= 0;
            if has_succeeded && !matches!(call, Call::Other) {
                self.note(row, call, descriptors, &mut made);
            }
        }
        if let Some(last) = self.ts.values().last() {
            descriptors.go_on(*last);
        }
        made.batch(self.batch, descriptors, wanted)
    }

    fn arg(&self, at: usize, row: usize) -> i64 {
        self.args[at].value(row)
    }

    fn note(&self, row: usize, call: Call, descriptors: &mut Descriptors, made: &mut Made) {
        let (ts, ret) = (self.ts.value(row), self.ret.value(row));
        let duration = self.duration.is_valid(row).then(|| self.duration.value(row));
        let upid = self.upid.is_valid(row).then(|| self.upid.value(row));
        let mut transfer = |argument, operation, duration| {
            let fd = descriptor(self.arg(argument, row));
            let file = upid.and_then(|upid| descriptors.at(ts, upid, fd));
            let size = (!matches!(operation, Operation::Sync)).then_some(ret);
            made.push(row as u32, operation, fd, size, duration, file);
        };
        match call {
            Call::Transfer(operation) => return transfer(0, operation, duration),
            // The time is in the first of two.
            Call::CopyRange => {
                transfer(0, Operation::Read, duration);
                return transfer(2, Operation::Write, None);
            }
            Call::SendFile => {
                transfer(0, Operation::Write, duration);
                return transfer(1, Operation::Read, None);
            }
            _ => {}
        }
        let Some(upid) = upid else { return };
        let first = descriptor(self.arg(0, row));
        let change = match call {
            Call::Close => Change::Close { upid, fd: first },
            Call::Copy => Change::Copy { upid, from: first, to: ret },
            Call::Fcntl if COPYING.contains(&descriptor(self.arg(1, row))) => {
                Change::Copy { upid, from: first, to: ret }
            }
            Call::Fcntl => return,
            // What io_uring opens into its own table of files has a place there, and no descriptor.
            _ if self.via.value(row) == "io_uring" && self.args[3].is_valid(row) => return,
            Call::Socket => Change::Open { upid, fd: ret, file: SOCKET },
            Call::Open | Call::OpenAt if !self.path.value(row).is_empty() => {
                let path = self.path.value(row);
                let is_here = matches!(call, Call::Open) || first == AT_FDCWD;
                let relative_to = (is_here && !path.starts_with('/')).then_some(upid);
                Change::Open { upid, fd: ret, file: descriptors.file(path, relative_to) }
            }
            _ => Change::Close { upid, fd: ret },
        };
        // What a call makes is there when it returns; what it closes is gone when it begins.
        let at = match call {
            Call::Close => ts,
            _ => ts.saturating_add(duration.unwrap_or(0)),
        };
        descriptors.change(at, change);
    }
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
        descriptors: &Descriptors,
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
        let (names, places) = names(&self.files);
        if is_wanted("relative_to_upid") {
            let upids = names.iter().map(|file| descriptors.opened(*file).relative_to);
            add("relative_to_upid", take(&upids.collect::<Int64Array>(), &places, None)?);
        }
        if is_wanted("path") {
            let paths = names.iter().map(|file| &*descriptors.opened(*file).path);
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
