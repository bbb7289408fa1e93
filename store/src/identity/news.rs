//! Applies what the records of the processes stream tell, each kind in its way.

use std::collections::{BTreeMap, HashMap};
use std::mem::offset_of;

use schema::Tail;
use schema::events::{self as ev, kind_of};

use super::{Entry, Identity, Process, Program, Thread};
use crate::cache::Position;
use crate::record::Record;
use crate::segment::SegmentMeta;
use crate::text::{push_lossy, push_tail, until_nul};

const THREAD: u16 = kind_of("thread");
const FORK: u16 = kind_of("fork");
const THREAD_START: u16 = kind_of("thread_start");
const EXEC: u16 = kind_of("exec");
const EXIT: u16 = kind_of("exit");
const THREAD_EXIT: u16 = kind_of("thread_exit");
const RENAME: u16 = kind_of("rename");
const SETUID: u16 = kind_of("setuid");
const CGROUP: u16 = kind_of("cgroup");
const CGROUP_ATTACH: u16 = kind_of("cgroup_attach");

/// Builds an [`Identity`] from news in the order of time.
pub(super) struct Builder {
    pub identity: Identity,
    comm_numbers: HashMap<Box<[u8]>, u32>,
}

/// A field of a record by the names of its struct and member; `None` for "unknown".
macro_rules! field {
    ($record:ident.u32, $kind:ident.$field:ident) => {
        $record.u32_at(offset_of!(ev::$kind, $field)).filter(|value| *value != u32::MAX)
    };
    ($record:ident.u64, $kind:ident.$field:ident) => {
        $record.u64_at(offset_of!(ev::$kind, $field)).filter(|value| *value != u64::MAX)
    };
}

impl Builder {
    /// Begins with what the recorder found.
    pub fn new(meta: &SegmentMeta) -> Builder {
        let mut identity = Identity {
            timelines: HashMap::new(),
            comms: vec!["".into()],
            processes: BTreeMap::new(),
            threads: BTreeMap::new(),
            cgroups: meta.cgroups.iter().cloned().collect(),
        };
        for (number, found) in meta.processes.iter().enumerate() {
            if let Some(process) = identity.process(found.upid, found.pid) {
                process.program = Program::Found(number);
            }
        }
        Builder { identity, comm_numbers: HashMap::from([(Box::default(), 0)]) }
    }

    /// Applies one record; `at` is where it can be found again.
    pub fn apply(&mut self, kind: u16, record: Record, at: Position) {
        let (tid, pid) = (record.tid(), record.pid());
        let now = self.current(tid, pid);
        // News that a record tells of its own thread hold from after it: its row shows the old.
        let after = Entry { from_ts_ns: record.ts_ns().saturating_add(1), pid, ..now };
        match kind {
            THREAD => self.thread(record),
            FORK => self.fork(record, now),
            THREAD_START => self.thread_start(record, now),
            EXEC => self.exec(record, now, at),
            EXIT | THREAD_EXIT => self.exit(record, now, kind == EXIT),
            RENAME => {
                let comm = self.comm(record, offset_of!(ev::Rename, new_comm));
                self.push(tid, Entry { comm, ..after });
            }
            SETUID if tid == pid => {
                if let Some(process) = self.identity.process(now.upid, pid) {
                    process.uid = field!(record.u32, Setuid.uid).or(process.uid);
                    process.gid = field!(record.u32, Setuid.gid).or(process.gid);
                }
            }
            CGROUP => self.cgroup(record),
            CGROUP_ATTACH => {
                let cgroup_id = field!(record.u64, CgroupAttach.child_cgroup_id).unwrap_or(0);
                self.push(tid, Entry { cgroup_id, ..after });
            }
            _ => {}
        }
    }

    fn thread(&mut self, record: Record) {
        let (tid, pid, from_ts_ns) = (record.tid(), record.pid(), record.ts_ns());
        let upid = field!(record.u64, Thread.upid).unwrap_or(0);
        let cgroup_id = field!(record.u64, Thread.cgroup_id).unwrap_or(0);
        let comm = self.comm(record, offset_of!(ev::Thread, thread_comm));
        self.push(tid, Entry { from_ts_ns, upid, cgroup_id, pid, comm });
        if let Some(process) = self.identity.process(upid, pid) {
            let parent = field!(record.u64, Thread.parent_upid).filter(|upid| *upid != 0);
            process.parent_upid = process.parent_upid.or(parent);
            if tid == pid || process.uid.is_none() {
                process.uid = field!(record.u32, Thread.uid);
                process.gid = field!(record.u32, Thread.gid);
                process.netns = field!(record.u64, Thread.netns).or(process.netns);
            }
        }
    }

    fn fork(&mut self, record: Record, parent: Entry) {
        let Some(tid) = field!(record.u32, Fork.child_tid) else {
            return;
        };
        let pid = field!(record.u32, Fork.child_pid).unwrap_or(tid);
        let upid = field!(record.u64, Fork.child_upid).unwrap_or(0);
        let cgroup_id = field!(record.u64, Fork.child_cgroup_id).unwrap_or(parent.cgroup_id);
        self.push(
            tid,
            Entry { from_ts_ns: record.ts_ns(), upid, cgroup_id, pid, comm: parent.comm },
        );
        let program = self.identity.processes.get(&parent.upid).map(|parent| parent.program);
        if let Some(process) = self.identity.process(upid, pid) {
            process.parent_upid =
                Some(parent.upid).filter(|upid| *upid != 0).or(process.parent_upid);
            process.uid = field!(record.u32, Fork.uid);
            process.gid = field!(record.u32, Fork.gid);
            process.netns = field!(record.u64, Fork.netns);
            if matches!(process.program, Program::Unknown) {
                process.program = program.unwrap_or(Program::Unknown);
            }
        }
    }

    fn thread_start(&mut self, record: Record, starter: Entry) {
        let Some(tid) = field!(record.u32, ThreadStart.child_tid) else {
            return;
        };
        let pid = field!(record.u32, ThreadStart.child_pid).unwrap_or(starter.pid);
        let upid = field!(record.u64, ThreadStart.child_upid).unwrap_or(starter.upid);
        let cgroup_id =
            field!(record.u64, ThreadStart.child_cgroup_id).unwrap_or(starter.cgroup_id);
        self.push(
            tid,
            Entry { from_ts_ns: record.ts_ns(), upid, cgroup_id, pid, comm: starter.comm },
        );
    }

    fn exec(&mut self, record: Record, now: Entry, at: Position) {
        let (tid, pid, ts_ns) = (record.tid(), record.pid(), record.ts_ns());
        let upid = field!(record.u64, Exec.exec_upid).unwrap_or(now.upid);
        self.push(tid, Entry { from_ts_ns: ts_ns, upid, pid, ..now });
        let old_tid = field!(record.u32, Exec.old_tid).filter(|old| *old != tid && *old != 0);
        if let Some(thread) = old_tid.and_then(|old| self.identity.threads.get_mut(&(upid, old))) {
            thread.end_ts_ns = Some(ts_ns);
        }
        // The calling thread took the place of the first one, which had to end for that.
        if let Some(thread) = self.identity.threads.get_mut(&(upid, tid)) {
            thread.end_ts_ns = None;
        }
        if let Some(process) = self.identity.process(upid, pid) {
            process.program = Program::Exec(at);
            process.uid = field!(record.u32, Exec.uid).or(process.uid);
            process.gid = field!(record.u32, Exec.gid).or(process.gid);
            process.netns = field!(record.u64, Exec.netns).or(process.netns);
        }
    }

    fn exit(&mut self, record: Record, now: Entry, of_process: bool) {
        if let Some(thread) = self.identity.threads.get_mut(&(now.upid, record.tid())) {
            thread.end_ts_ns = Some(record.ts_ns());
        }
        if of_process && let Some(process) = self.identity.process(now.upid, record.pid()) {
            process.end_ts_ns = Some(record.ts_ns());
            process.status = field!(record.u32, Exit.status);
        }
    }

    fn cgroup(&mut self, record: Record) {
        let id = field!(record.u64, Cgroup.id);
        if let (Some(id), Some((names, truncated))) = (id, record.tail(Tail::Cgroup)) {
            let mut path = String::new();
            push_tail(Tail::Cgroup, names, truncated, &mut path);
            self.identity.cgroups.insert(id, path);
        }
    }

    /// The latest state of a thread, or an unknown one if its process is another by now.
    fn current(&self, tid: u32, pid: u32) -> Entry {
        let last = self.identity.timelines.get(&tid).and_then(|timeline| timeline.last());
        let unknown = Entry { from_ts_ns: 0, upid: 0, cgroup_id: 0, pid, comm: 0 };
        last.filter(|entry| entry.pid == pid).copied().unwrap_or(unknown)
    }

    fn push(&mut self, tid: u32, mut entry: Entry) {
        let Entry { upid, pid, comm, cgroup_id, .. } = entry;
        let timeline = self.identity.timelines.entry(tid).or_default();
        match timeline.last() {
            Some(last)
                if (last.upid, last.pid, last.cgroup_id, last.comm)
                    == (upid, pid, cgroup_id, comm) => {}
            last => {
                // What holds from after its record is not overtaken by news of the same moment.
                entry.from_ts_ns =
                    last.map_or(entry.from_ts_ns, |last| entry.from_ts_ns.max(last.from_ts_ns));
                timeline.push(entry);
            }
        }
        let Some(process) = self.identity.process(upid, pid) else {
            return;
        };
        if tid == pid {
            process.comm = comm;
        }
        if tid == pid || process.cgroup_id == 0 {
            process.cgroup_id = cgroup_id;
        }
        let new = Thread { pid, start_ts_ns: entry.from_ts_ns, end_ts_ns: None, comm };
        self.identity.threads.entry((upid, tid)).or_insert(new).comm = comm;
    }

    /// The number of the name at `offset` of a record.
    fn comm(&mut self, record: Record, offset: usize) -> u32 {
        let name = until_nul(record.field(offset, 16).unwrap_or_default());
        if let Some(number) = self.comm_numbers.get(name) {
            return *number;
        }
        let mut text = String::new();
        push_lossy(name, &mut text);
        self.identity.comms.push(text.into());
        let number = self.identity.comms.len() as u32 - 1;
        self.comm_numbers.insert(name.into(), number);
        number
    }
}

impl Identity {
    /// What is known of a process so far; `None` if which one it is, is unknown.
    fn process(&mut self, upid: u64, pid: u32) -> Option<&mut Process> {
        (upid != 0).then(|| {
            self.processes.entry(upid).or_insert(Process {
                pid,
                parent_upid: None,
                end_ts_ns: None,
                status: None,
                program: Program::Unknown,
                uid: None,
                gid: None,
                cgroup_id: 0,
                comm: 0,
                netns: None,
            })
        })
    }
}
