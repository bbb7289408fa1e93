//! What system calls do with descriptors and working directories.

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, MAX_INLINE_VIEW_LEN, RecordBatch, StringViewArray,
    TimestampNanosecondArray,
};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use datafusion::common::HashMap;
use datafusion::error::{DataFusionError, Result};
use schema::syscalls::{Kind, signature, signatures};

use super::processes::{AT_FDCWD, Change, Processes, SOCKET};

/// The columns of `syscalls` that are read of every call.
pub const NEEDED: [&str; 11] =
    ["ts", "upid", "syscall", "via", "duration_ns", "ret", "path", "arg0", "arg1", "arg2", "arg4"];

/// The requests of `fcntl` that copy a descriptor: `F_DUPFD` and `F_DUPFD_CLOEXEC`.
const COPYING: [i64; 2] = [0, 1030];

/// The type of `setns` for mounts.
const CLONE_NEWNS: i64 = 0x20000;

/// What a read or a write did.
#[derive(Debug, Clone, Copy)]
pub enum Operation {
    Read,
    Write,
    Sync,
}

/// What a system call has to do with descriptors and directories.
#[derive(Debug, Clone, Copy)]
pub enum Call {
    Transfer(Operation),
    /// From the first to the third argument.
    CopyRange,
    /// From the second to the first.
    SendFile,
    /// Opens a file by its path.
    Open,
    /// Makes a descriptor that has no path.
    Make,
    Socket,
    Close,
    Copy,
    Fcntl,
    Chdir,
    Fchdir,
    PivotRoot,
    Setns,
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
            "open" | "creat" | "openat" | "openat2" | "open_tree" | "open_tree_attr" => Call::Open,
            "open_by_handle_at" | "memfd_create" | "memfd_secret" | "eventfd" | "eventfd2"
            | "epoll_create" | "epoll_create1" | "timerfd_create" | "inotify_init"
            | "inotify_init1" | "fanotify_init" | "signalfd" | "signalfd4" | "pidfd_open"
            | "pidfd_getfd" | "perf_event_open" | "userfaultfd" | "io_uring_setup" | "fsmount" => {
                Call::Make
            }
            "socket" | "accept" | "accept4" => Call::Socket,
            "close" => Call::Close,
            "dup" | "dup2" | "dup3" => Call::Copy,
            "fcntl" | "fcntl64" => Call::Fcntl,
            "chdir" => Call::Chdir,
            "fchdir" => Call::Fchdir,
            "pivot_root" => Call::PivotRoot,
            "setns" => Call::Setns,
            _ => Call::Other,
        }
    }
}

/// Where a path of a call begins that does not begin at the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At the working directory.
    Here,
    /// At the directory that this argument is a descriptor of.
    Argument(usize),
    /// It is no path of a file that the call looks up.
    Nowhere,
}

/// What is known of a system call by its name.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    pub call: Call,
    /// Of `path`, and of `path2`.
    pub begins: [Begin; 2],
}

impl Named {
    fn of(name: &str) -> Named {
        let begin = |kind| {
            let args = signature(name).map(|signature| signature.args).unwrap_or_default();
            let path = args.iter().position(|arg| arg.kind == kind);
            match path.and_then(|path| path.checked_sub(1)) {
                Some(before) if args[before].kind == Kind::Dirfd => Begin::Argument(before),
                _ => Begin::Here,
            }
        };
        let begins = match name {
            // The text of the link; and a device, or what a kind of file system takes for one.
            "symlink" | "symlinkat" | "mount" => [Begin::Nowhere, begin(Kind::Path2)],
            _ => [begin(Kind::Path), begin(Kind::Path2)],
        };
        Named { call: Call::of(name), begins }
    }
}

/// What is known of calls by their names.
#[derive(Default)]
pub struct Names {
    /// By the view of the name, which is all of it.
    known: HashMap<u128, Named>,
}

impl Names {
    /// What is known of the call in a row.
    pub fn of(&mut self, calls: &Calls, row: usize) -> Named {
        let view = calls.call.views()[row];
        if view as u32 > MAX_INLINE_VIEW_LEN {
            return Named::of(calls.call.value(row));
        }
        *self.known.entry(view).or_insert_with(|| Named::of(calls.call.value(row)))
    }
}

/// The system calls that are given a path, and those that change what descriptors and directories are.
pub fn with_paths() -> impl Iterator<Item = &'static str> {
    let is_one = |name| {
        !matches!(
            Call::of(name),
            Call::Other | Call::Transfer(_) | Call::CopyRange | Call::SendFile
        )
    };
    let calls = signatures().iter();
    let calls = calls.filter(move |call| call.position(Kind::Path).is_some() || is_one(call.name));
    calls.map(|call| call.name)
}

/// A descriptor of an argument register: its lower half.
fn descriptor(argument: i64) -> i64 {
    argument & 0xffff_ffff
}

pub fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| DataFusionError::Internal(format!("no column {name}")))
}

/// Tells `processes` when processes begin, with whose descriptors, where their programs run, and when they end;
/// `found` are the rows of `processes`.
pub fn tell_lives(
    events: &[RecordBatch],
    found: &[RecordBatch],
    processes: &mut Processes,
) -> Result<()> {
    for batch in found {
        let upids = column(batch, "upid")?.as_primitive::<Int64Type>();
        let directories = column(batch, "cwd")?.as_string_view();
        for row in 0..batch.num_rows() {
            if upids.is_valid(row) && directories.is_valid(row) {
                processes.found(upids.value(row), directories.value(row));
            }
        }
    }
    for batch in events {
        let ts = column(batch, "ts")?.as_primitive::<TimestampNanosecondType>();
        let upids = column(batch, "upid")?.as_primitive::<Int64Type>();
        let children = column(batch, "child_upid")?.as_primitive::<Int64Type>();
        let kinds = column(batch, "event")?.as_string_view();
        let directories = column(batch, "cwd")?.as_string_view();
        for row in (0..batch.num_rows()).filter(|row| upids.is_valid(*row)) {
            let upid = upids.value(row);
            let change = match kinds.value(row) {
                "fork" if children.is_valid(row) => {
                    Change::Fork { parent: upid, child: children.value(row) }
                }
                // As the kernel knows it, whatever links led there.
                "exec" if directories.is_valid(row) && directories.value(row).starts_with('/') => {
                    Change::Move { upid, to: Some(processes.file(directories.value(row))) }
                }
                "exit" => Change::Exit { upid },
                _ => continue,
            };
            processes.change(ts.value(row), change);
        }
    }
    Ok(())
}

/// System calls in the order in which they began.
pub struct Calls<'a> {
    pub batch: &'a RecordBatch,
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

    pub fn len(&self) -> usize {
        self.ts.len()
    }

    /// When the call in a row began.
    pub fn ts(&self, row: usize) -> i64 {
        self.ts.value(row)
    }

    /// When the last one began.
    pub fn last_ts(&self) -> Option<i64> {
        self.ts.values().last().copied()
    }

    pub fn upid(&self, row: usize) -> Option<i64> {
        self.upid.is_valid(row).then(|| self.upid.value(row))
    }

    pub fn duration(&self, row: usize) -> Option<i64> {
        self.duration.is_valid(row).then(|| self.duration.value(row))
    }

    /// What it returned, if it did not fail.
    pub fn result(&self, row: usize) -> Option<i64> {
        (self.ret.is_valid(row) && self.ret.value(row) >= 0).then(|| self.ret.value(row))
    }

    pub fn path(&self, row: usize) -> Option<&'a str> {
        self.path.is_valid(row).then(|| self.path.value(row))
    }

    /// A descriptor that is one of the first three arguments.
    pub fn fd(&self, argument: usize, row: usize) -> i64 {
        descriptor(self.args[argument].value(row))
    }

    /// What `path` is now, where it does not begin at the root and that is known.
    pub fn resolved(
        &self,
        row: usize,
        begin: Begin,
        path: &str,
        processes: &Processes,
    ) -> Option<String> {
        let dirfd = match begin {
            Begin::Here => AT_FDCWD,
            // The fourth, of `fanotify_mark`, is not read.
            Begin::Argument(argument) if argument < 3 => self.fd(argument, row),
            Begin::Argument(_) | Begin::Nowhere => return None,
        };
        processes.resolved(self.upid(row)?, dirfd, path)
    }

    /// Takes note of what the call in a row changes, which returned `ret`; `processes` are as they were when it began.
    pub fn note(&self, row: usize, named: Named, ret: i64, processes: &mut Processes) {
        let Some(upid) = self.upid(row) else { return };
        let first = || self.fd(0, row);
        let path = || {
            let path = self.path(row).filter(|path| !path.is_empty())?;
            Some((path, self.resolved(row, named.begins[0], path, processes)))
        };
        let change = match named.call {
            Call::Close => Change::Close { upid, fd: first() },
            Call::Copy => Change::Copy { upid, from: first(), to: ret },
            Call::Fcntl if COPYING.contains(&self.fd(1, row)) => {
                Change::Copy { upid, from: first(), to: ret }
            }
            Call::Chdir => {
                let to =
                    path().map(|(path, resolved)| resolved.unwrap_or_else(|| path.to_string()));
                let to = to.filter(|to| to.starts_with('/'));
                Change::Move { upid, to: to.map(|to| processes.file(&to)) }
            }
            Call::Fchdir => {
                let to = processes.descriptor(upid, first());
                let to = to.filter(|to| processes.name(*to).starts_with('/'));
                Change::Move { upid, to }
            }
            // Where the working directory was the old root, it is the new one.
            Call::PivotRoot => Change::Move { upid, to: None },
            // To join a namespace of mounts is to go to its root. With 0 the type is that of the descriptor.
            Call::Setns if self.fd(1, row) & CLONE_NEWNS != 0 => {
                Change::Move { upid, to: Some(processes.file("/")) }
            }
            Call::Setns if self.fd(1, row) == 0 => Change::Move { upid, to: None },
            Call::Transfer(_)
            | Call::CopyRange
            | Call::SendFile
            | Call::Fcntl
            | Call::Setns
            | Call::Other => return,
            // What io_uring opens into its own table of files has a place there, and no descriptor.
            Call::Open | Call::Make | Call::Socket
                if self.via.value(row) == "io_uring" && self.args[3].is_valid(row) =>
            {
                return;
            }
            Call::Socket => Change::Open { upid, fd: ret, file: SOCKET },
            Call::Open => match path() {
                Some((path, resolved)) => {
                    let file = processes.file(resolved.as_deref().unwrap_or(path));
                    Change::Open { upid, fd: ret, file }
                }
                None => Change::Close { upid, fd: ret },
            },
            Call::Make => Change::Close { upid, fd: ret },
        };
        // What a call makes is there when it returns; what it closes is gone when it begins.
        let at = match named.call {
            Call::Close => self.ts(row),
            _ => self.ts(row).saturating_add(self.duration(row).unwrap_or(0)),
        };
        processes.change(at, change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_where_the_signature_says() {
        let begins = |name| Named::of(name).begins;
        assert_eq!(begins("open")[0], Begin::Here);
        assert_eq!(begins("openat")[0], Begin::Argument(0));
        assert_eq!(begins("renameat2"), [Begin::Argument(0), Begin::Argument(2)]);
        assert_eq!(begins("symlinkat"), [Begin::Nowhere, Begin::Argument(1)]);
        assert_eq!(begins("rename"), [Begin::Here, Begin::Here]);
    }
}
