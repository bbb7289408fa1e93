//! Probes in the allocator functions of processes: attached when a process comes into scope, when it
//! starts a program and when it maps a file, and let go when it has ended.
//!
//! A probe is a perf event that belongs to one process, so that no other pays for it. A thread of
//! its own attaches them, told of processes by the kernel side. The kernel takes a tenth of a second
//! to let go of each, so that is left to a process that does nothing else.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use procfs::process::{MMPermissions, MMapPath, MemoryMap, Process as ProcfsProcess};

use crate::Error;
use crate::probes::{Probe, Signature, probes};
use schema::types::AllocationOperation as Operation;

/// Processes that can have probes at a time; each takes some twenty descriptors.
const PROCESSES_MAX: usize = 200;
/// While the kernel lets go of a probe, it attaches none, so probes of processes that have ended stay
/// until so many processes have them.
const PROCESSES_KEPT: usize = PROCESSES_MAX / 2;
/// How often processes are looked at that have ended, when none begins.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Which functions of which processes get probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All of every process.
    All,
    /// What a library in the process does not see: everything in programs that load no library or
    /// are of another kind, and the allocator that is part of a program.
    BesideLibrary,
}

/// The thread that attaches probes.
pub struct Uprobes {
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    attached: HashMap<u32, Process>,
    notes: Vec<String>,
    stopped: bool,
}

/// The probes of one process.
struct Process {
    /// When it started, in clock ticks: its id may be used again.
    start: u64,
    files: HashSet<(u64, u64)>,
    events: Vec<OwnedFd>,
}

impl Prober {
    /// Attaches to what processes have mapped, and goes on with what `processes` tells.
    pub fn start(mut self, pids: &[u32], processes: Receiver<u32>) -> Result<Uprobes, Error> {
        pids.iter().for_each(|pid| self.cover(*pid));
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new()
            .name("uprobes".into())
            .spawn(move || self.run(&processes))
            .map_err(Error::io("cannot start a thread"))?;
        Ok(Uprobes { shared, thread: Some(thread) })
    }

    /// Attaches to files that a process has not mapped yet: the kernel puts the probes in when it
    /// does, so that no call is missed.
    pub fn await_files(&mut self, pid: u32, files: &[PathBuf]) {
        let Ok(stat) = ProcfsProcess::new(pid as i32).and_then(|process| process.stat()) else {
            return;
        };
        let mut process =
            Process { start: stat.starttime, files: HashSet::new(), events: Vec::new() };
        for path in files {
            if let Ok(file) = File::open(path) {
                self.attach_file(pid, &file, path, &mut process);
            }
        }
        self.shared().attached.insert(pid, process);
    }
}

impl Uprobes {
    /// Makes ready to attach.
    pub fn prepare(programs: BTreeMap<String, OwnedFd>, reach: Reach) -> Result<Prober, Error> {
        Ok(Prober {
            programs,
            reach,
            pmu: Pmu::read()?,
            files: HashMap::new(),
            told: HashSet::new(),
            shared: Arc::default(),
        })
    }

    /// Switches all probes off and lets them go. Returns what is to be told of them.
    pub fn finish(&mut self) -> Vec<String> {
        let (events, notes) = {
            let mut shared = self.shared.lock().expect("no thread panics with the lock");
            shared.stopped = true;
            let attached = std::mem::take(&mut shared.attached);
            let events: Vec<OwnedFd> =
                attached.into_values().flat_map(|process| process.events).collect();
            (events, std::mem::take(&mut shared.notes))
        };
        let_go(events);
        notes
    }
}

impl Drop for Uprobes {
    fn drop(&mut self) {
        self.finish();
        // It ends when the sender of processes is gone, which is not ours to wait for.
        drop(self.thread.take());
    }
}

/// What attaches probes.
pub struct Prober {
    programs: BTreeMap<String, OwnedFd>,
    reach: Reach,
    pmu: Pmu,
    /// The places to probe by device and inode number.
    files: HashMap<(u64, u64), Arc<[Probe]>>,
    told: HashSet<String>,
    shared: Arc<Mutex<Shared>>,
}

impl Prober {
    fn run(mut self, processes: &Receiver<u32>) {
        loop {
            match processes.recv_timeout(LOOK_EVERY) {
                Ok(pid) => self.cover(pid),
                Err(RecvTimeoutError::Timeout) => self.drop_ended(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.shared().stopped {
                return;
            }
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no thread panics with the lock")
    }

    /// Attaches to what a process has mapped by now and is not attached to yet.
    fn cover(&mut self, pid: u32) {
        let Ok(process) = ProcfsProcess::new(pid as i32) else { return };
        let (Ok(stat), Ok(maps)) = (process.stat(), process.maps()) else { return };
        let known = self.shared().attached.remove(&pid);
        let known = known.filter(|process| process.start == stat.starttime);
        if known.is_none() && self.shared().attached.len() >= PROCESSES_MAX {
            self.drop_ended();
        }
        if known.is_none() && self.shared().attached.len() >= PROCESSES_MAX {
            return self.tell(format!(
                "allocations of more than {PROCESSES_MAX} processes at a time are not recorded by probes"
            ));
        }
        let mut process = known.unwrap_or_else(|| Process {
            start: stat.starttime,
            files: HashSet::new(),
            events: Vec::new(),
        });
        let exe = std::fs::metadata(format!("/proc/{pid}/exe")).ok().map(|file| file.ino());
        let is_library = |map: &MemoryMap| matches!(&map.pathname, MMapPath::Path(path) if path.ends_with(preload::layout::LIBRARY_NAME));
        let has_library = self.reach == Reach::BesideLibrary && maps.iter().any(is_library);
        for map in maps {
            let MMapPath::Path(path) = &map.pathname else { continue };
            let is_seen = has_library && exe != Some(map.inode);
            if is_seen || !map.perms.contains(MMPermissions::EXECUTE) {
                continue;
            }
            let opened = format!("/proc/{pid}/map_files/{:x}-{:x}", map.address.0, map.address.1);
            if let Ok(file) = File::open(opened) {
                self.attach_file(pid, &file, path, &mut process);
            }
        }
        let mut shared = self.shared();
        if !shared.stopped {
            shared.attached.insert(pid, process);
        }
    }

    /// Attaches to the allocator functions of a file, unless that was done.
    fn attach_file(&mut self, pid: u32, file: &File, path: &Path, process: &mut Process) {
        let Ok(about) = file.metadata() else { return };
        let key = (about.dev(), about.ino());
        if !process.files.insert(key) {
            return;
        }
        let probes = self.probes_of(key, file);
        if self.reach == Reach::BesideLibrary && !probes.is_empty() {
            self.tell(format!(
                "allocations in {} are recorded by probes, from a moment after it was started",
                path.display()
            ));
        }
        for probe in probes.iter() {
            match self.attach(pid, file, probe) {
                Ok(attached) => process.events.extend(attached),
                Err(error) => self.tell(format!(
                    "{} in {} could not be probed: {error}",
                    probe.operation.name(),
                    path.display()
                )),
            }
        }
    }

    fn probes_of(&mut self, key: (u64, u64), file: &File) -> Arc<[Probe]> {
        if let Some(known) = self.files.get(&key) {
            return known.clone();
        }
        // SAFETY: as in `modules`: a file that a process runs.
        let bytes = unsafe { memmap2::Mmap::map(file) };
        let found: Arc<[Probe]> = bytes.map_or_else(|_| [].into(), |bytes| probes(&bytes).into());
        self.files.insert(key, found.clone());
        found
    }

    /// Attaches the program for a function, and the one for its return.
    fn attach(&self, pid: u32, file: &File, probe: &Probe) -> std::io::Result<Vec<OwnedFd>> {
        let open = |offset, is_return, name: &str| {
            let program = self.programs.get(name).ok_or(std::io::ErrorKind::NotFound)?;
            self.pmu.open(pid, file, offset, is_return, program)
        };
        let mut events = Vec::new();
        // The return first: the entry is what makes the return count.
        match probe.operation {
            Operation::Free | Operation::Delete => {}
            // An exception must not come upon a return probe: the process would end.
            Operation::New => {
                for offset in &probe.returns {
                    events.push(open(*offset, false, "uprobe__return")?);
                }
            }
            _ => events.push(open(probe.offset, true, "uretprobe__allocation")?),
        }
        events.push(open(probe.offset, false, entry(probe))?);
        Ok(events)
    }

    /// Lets go of the probes of processes that have ended, when there are many.
    fn drop_ended(&mut self) {
        let ended: Vec<Process> = {
            let mut shared = self.shared();
            if shared.attached.len() < PROCESSES_KEPT {
                return;
            }
            let is_gone = |pid: &u32, process: &Process| {
                let found = ProcfsProcess::new(*pid as i32).and_then(|found| found.stat());
                !found.is_ok_and(|stat| stat.starttime == process.start)
            };
            let pids: Vec<u32> = shared
                .attached
                .iter()
                .filter(|(pid, process)| is_gone(pid, process))
                .map(|(pid, _)| *pid)
                .collect();
            pids.iter().filter_map(|pid| shared.attached.remove(pid)).collect()
        };
        let_go(ended.into_iter().flat_map(|process| process.events).collect());
    }

    /// Notes something once.
    fn tell(&mut self, note: String) {
        if self.told.insert(note.clone()) {
            self.shared().notes.push(note);
        }
    }
}

/// The program for the entry of a function.
fn entry(probe: &Probe) -> &'static str {
    match (probe.signature, probe.operation) {
        (Signature::Size, Operation::New) if probe.returns.is_empty() => "uprobe__new",
        (Signature::Size, Operation::New) => "uprobe__new__direct",
        (Signature::Size, Operation::Memalign) => "uprobe__valloc",
        (Signature::Size, _) => "uprobe__malloc",
        (Signature::Calloc, _) => "uprobe__calloc",
        (Signature::Realloc, _) => "uprobe__realloc",
        (Signature::Reallocarray, _) => "uprobe__reallocarray",
        (Signature::Memalign, Operation::AlignedAlloc) => "uprobe__aligned_alloc",
        (Signature::Memalign, _) => "uprobe__memalign",
        (Signature::PosixMemalign, _) => "uprobe__posix_memalign",
        (Signature::Free, Operation::Delete) => "uprobe__delete",
        (Signature::Free, _) => "uprobe__free",
    }
}

/// Switches events off and closes them in a process of their own, since each close takes the kernel
/// a tenth of a second.
fn let_go(events: Vec<OwnedFd>) {
    if events.is_empty() {
        return;
    }
    let mut kept: Vec<RawFd> = events.iter().map(OwnedFd::as_raw_fd).collect();
    kept.sort_unstable();
    for event in &kept {
        // SAFETY: an event of ours; the request has no argument.
        unsafe { libc::ioctl(*event, PERF_EVENT_IOC_DISABLE, 0) };
    }
    // SAFETY: the child calls nothing but close_range and _exit; it must hold nothing else of ours,
    // such as the lock of the trace, while the kernel takes its time.
    unsafe {
        if libc::fork() == 0 {
            let mut from = 0;
            for event in &kept {
                if *event > from {
                    libc::syscall(libc::SYS_close_range, from, *event - 1, 0);
                }
                from = *event + 1;
            }
            libc::syscall(libc::SYS_close_range, from, libc::c_uint::MAX, 0);
            libc::_exit(0);
        }
    }
}

const PERF_EVENT_IOC_ENABLE: libc::Ioctl = 0x2400;
const PERF_EVENT_IOC_DISABLE: libc::Ioctl = 0x2401;
const PERF_EVENT_IOC_SET_BPF: libc::Ioctl = 0x4004_2408;
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
/// Bytes of `struct perf_event_attr` up to and with `config2`.
const PERF_ATTR_SIZE_VER1: u32 = 72;

/// The kernel's numbers for probes as perf events.
struct Pmu {
    kind: u32,
    return_bit: u64,
}

/// The beginning of `struct perf_event_attr` (perf_event_open(2)).
#[repr(C)]
#[derive(Default)]
struct Attr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    /// Path of the file.
    config1: u64,
    /// Offset in it.
    config2: u64,
}

impl Pmu {
    fn read() -> Result<Pmu, Error> {
        const FOLDER: &str = "/sys/bus/event_source/devices/uprobe";
        let number = |text: String| text.trim().rsplit(':').next()?.parse::<u32>().ok();
        let read = |name: &str| std::fs::read_to_string(format!("{FOLDER}/{name}"));
        let kind = read("type").map_err(Error::io("this kernel has no uprobes"))?;
        let bit = read("format/retprobe").ok().and_then(number).unwrap_or(0);
        Ok(Pmu { kind: number(kind).unwrap_or(0), return_bit: 1 << bit })
    }

    /// Runs a program of the kernel side whenever the process comes to an offset of the file.
    fn open(
        &self,
        pid: u32,
        file: &File,
        offset: u64,
        is_return: bool,
        program: &OwnedFd,
    ) -> std::io::Result<OwnedFd> {
        let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        let attr = Attr {
            kind: self.kind,
            size: PERF_ATTR_SIZE_VER1,
            config: if is_return { self.return_bit } else { 0 },
            sample_period: 1,
            config1: path.as_ptr() as u64,
            config2: offset,
            ..Attr::default()
        };
        // SAFETY: the structure has the size it says, its path lives until the call returns, and the
        // descriptor is checked before it is owned.
        unsafe {
            let fd = libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attr,
                pid as libc::pid_t,
                -1,
                -1,
                PERF_FLAG_FD_CLOEXEC,
            );
            if fd < 0 {
                return Err(std::io::Error::last_os_error());
            }
            let event = OwnedFd::from_raw_fd(fd as RawFd);
            let raw = event.as_raw_fd();
            if libc::ioctl(raw, PERF_EVENT_IOC_SET_BPF, program.as_raw_fd()) < 0
                || libc::ioctl(raw, PERF_EVENT_IOC_ENABLE, 0) < 0
            {
                return Err(std::io::Error::last_os_error());
            }
            Ok(event)
        }
    }
}
