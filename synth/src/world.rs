//! Who is there: the processes, threads, stacks and texts of a made-up machine. All of it is known
//! before the first event is made, so that rows refer to it by number.

use std::collections::{BTreeMap, HashMap};

use store::stacks::{Frame, KERNEL, Stack};

use crate::random::{Random, hash};
use crate::rows::{ProcessEvent, Rows};
use crate::state::NETNS;

/// Number of CPUs of the machine.
pub(crate) const CPUS: i64 = 16;
/// When the recording begins: 2026-11-24 09:00:00 UTC.
pub(crate) const BEGIN_NS: i64 = 1_795_510_800_000_000_000;
/// When the machine was started.
pub(crate) const BOOT_NS: i64 = BEGIN_NS - 183_911_347_000_000;

const MILLISECOND: i64 = 1_000_000;
/// Bits of a process for good that are the process id; above is when it started.
const PID_BITS: u32 = 22;

/// From when to when is recorded: UTC, ns since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub begin: i64,
    pub end: i64,
}

impl Span {
    pub fn duration_ns(&self) -> i64 {
        self.end - self.begin
    }

    /// The moment when so many thousandths of it are over.
    pub fn at(&self, thousandths: i64) -> i64 {
        self.begin + self.duration_ns() / 1000 * thousandths
    }
}

/// A process.
pub(crate) struct Process {
    pub pid: i32,
    pub upid: i64,
    pub parent: Option<usize>,
    /// What it is in the end.
    pub program: Program,
    /// The programs that it was seen to become, and when.
    pub execs: Vec<(i64, Program)>,
    pub place: Place,
    pub start: i64,
    pub end: Option<i64>,
    pub exit_code: i32,
    /// The signal that ended it, if one did.
    pub signal: &'static str,
    /// Its first thread, by number; the others follow.
    pub first_thread: u32,
}

/// A program that a process is or becomes, and who it is then.
#[derive(Clone, Default)]
pub(crate) struct Program {
    /// As the caller named it.
    pub path: String,
    /// As the kernel names it.
    pub exe: String,
    pub argv: String,
    pub cwd: String,
    pub comm: String,
    pub uid: i64,
    pub euid: i64,
}

/// Where a process is.
#[derive(Clone)]
pub(crate) struct Place {
    pub cgroup: String,
    pub cgroup_id: i64,
    pub netns: i64,
    pub unit: Option<String>,
    pub container: Option<usize>,
}

impl Place {
    fn of_unit(unit: &str) -> Place {
        Place {
            cgroup: format!("/system.slice/{unit}"),
            cgroup_id: 4000 + (hash(unit) % 4000) as i64,
            netns: NETNS,
            unit: Some(unit.to_string()),
            container: None,
        }
    }
}

/// A container.
pub(crate) struct Container {
    pub id: String,
    pub name: &'static str,
    pub image: &'static str,
    pub cgroup: String,
    pub cgroup_id: i64,
}

/// Users and capabilities of a thread, from a moment on.
#[derive(Clone, Copy, Default)]
pub(crate) struct Users {
    pub uid: i64,
    pub euid: i64,
    pub old_uid: i64,
    pub old_euid: i64,
    pub cap_effective: i64,
}

/// A thread.
pub(crate) struct Thread {
    pub process: usize,
    pub tid: i32,
    pub comm: String,
    pub start: i64,
    /// When it ended, if that was before its process did.
    pub end: Option<i64>,
    /// The signal that ended it alone.
    pub signal: &'static str,
}

impl Thread {
    fn new(process: usize, tid: i32, comm: String, start: i64) -> Thread {
        Thread { process, tid, comm, start, end: None, signal: "" }
    }
}

/// What a new process is.
#[derive(Clone, Copy)]
pub(crate) struct New {
    pub comm: &'static str,
    pub args: &'static str,
    pub uid: i64,
    pub unit: &'static str,
    /// When it starts; before the recording if that is earlier.
    pub start: i64,
    pub end: Option<i64>,
    pub exit_code: i32,
    /// Names of its threads but the first.
    pub threads: &'static [&'static str],
}

impl New {
    /// A service that was there before the recording and will be afterwards.
    pub const fn service(comm: &'static str, unit: &'static str) -> New {
        New { comm, args: "", uid: 0, unit, start: 0, end: None, exit_code: 0, threads: &[] }
    }
}

/// All that rows refer to.
pub(crate) struct World {
    pub span: Span,
    pub processes: Vec<Process>,
    pub threads: Vec<Thread>,
    pub stacks: BTreeMap<i64, Stack>,
    pub containers: Vec<Container>,
    pub users: Vec<Users>,
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
    next_id: i32,
    random: Random,
}

impl World {
    /// A machine with nothing but its first process.
    pub fn new(span: Span, seed: u64) -> World {
        let mut world = World {
            span,
            processes: Vec::new(),
            threads: Vec::new(),
            stacks: BTreeMap::new(),
            containers: Vec::new(),
            users: Vec::new(),
            // The number 0 is no text.
            texts: vec![String::new()],
            numbers: HashMap::new(),
            next_id: 1,
            random: Random::new(seed, "world"),
        };
        world.process(New { start: BOOT_NS, ..New::service("systemd", "init.scope") });
        world.next_id = 611;
        world
    }

    /// Adds a process, started by the first one; returns its first thread.
    pub fn process(&mut self, new: New) -> u32 {
        let parent = (!self.processes.is_empty()).then_some(0);
        self.child(new, parent)
    }

    /// Adds a process that `parent` starts; returns its first thread.
    pub fn child(&mut self, new: New, parent: Option<usize>) -> u32 {
        let exe = match new.comm {
            "systemd" => "/usr/lib/systemd/systemd".to_string(),
            comm => format!("/usr/bin/{comm}"),
        };
        let argv = match new.args {
            "" => exe.clone(),
            args => format!("{exe} {args}"),
        };
        let program = Program {
            path: exe.clone(),
            exe,
            argv,
            cwd: if new.uid == 0 { "/" } else { "/srv" }.to_string(),
            comm: new.comm.to_string(),
            uid: new.uid,
            euid: new.uid,
        };
        let first_thread = self.fork(new.start, parent, program, Place::of_unit(new.unit));
        self.exec(first_thread);
        let process = self.process_mut(first_thread);
        (process.end, process.exit_code) = (new.end, new.exit_code);
        let start = process.start;
        for comm in new.threads {
            self.thread(first_thread, comm, start + 5 * MILLISECOND);
        }
        first_thread
    }

    /// Adds a process that has not become another program yet; returns its first thread. The time of a start
    /// is one of whole milliseconds.
    pub fn fork(
        &mut self,
        start: i64,
        parent: Option<usize>,
        program: Program,
        place: Place,
    ) -> u32 {
        let pid = self.id();
        let earliest = BOOT_NS + i64::from(pid) * 13 * MILLISECOND;
        let start_ms = (start.max(earliest) - BOOT_NS) / MILLISECOND;
        let start = BOOT_NS + start_ms * MILLISECOND;
        let first_thread = self.threads.len() as u32;
        let process = self.processes.len();
        self.threads.push(Thread::new(process, pid, program.comm.clone(), start));
        self.processes.push(Process {
            pid,
            upid: start_ms << PID_BITS | i64::from(pid),
            parent,
            program,
            execs: Vec::new(),
            place,
            start,
            end: None,
            exit_code: 0,
            signal: "",
            first_thread,
        });
        first_thread
    }

    /// Has a new process become the program that it is, if that was recorded.
    pub fn exec(&mut self, thread: u32) {
        let begin = self.span.begin;
        let process = self.process_mut(thread);
        if process.start >= begin {
            process.execs.push((process.start + 900_000, process.program.clone()));
        }
    }

    /// Adds a thread to a process.
    pub fn thread(&mut self, first_thread: u32, comm: &str, start: i64) -> u32 {
        let tid = self.id();
        let process = self.threads[first_thread as usize].process;
        self.threads.push(Thread::new(process, tid, comm.to_string(), start));
        self.threads.len() as u32 - 1
    }

    fn id(&mut self) -> i32 {
        let id = self.next_id;
        self.next_id += 1 + self.random.below(3) as i32;
        id
    }

    pub fn process_of(&self, thread: u32) -> &Process {
        &self.processes[self.threads[thread as usize].process]
    }

    /// The network namespace of a thread; of nobody, that of the machine.
    pub fn netns_of(&self, thread: u32) -> i64 {
        let thread = self.threads.get(thread as usize);
        thread.map_or(NETNS, |thread| self.processes[thread.process].place.netns)
    }

    pub fn process_mut(&mut self, thread: u32) -> &mut Process {
        &mut self.processes[self.threads[thread as usize].process]
    }

    /// The number of a text; of the empty one 0, which is NULL.
    pub fn text(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.to_string());
        self.numbers.insert(text.to_string(), number);
        number
    }

    pub fn text_of(&self, number: u32) -> Option<&str> {
        (number != 0).then(|| self.texts[number as usize].as_str())
    }

    /// The id of a stack, written as it is folded; `[k]` before a function puts it into the kernel,
    /// `[c]` into the C library.
    pub fn stack(&mut self, folded: &str, program: &str) -> i64 {
        let frames = folded.rsplit(';').map(|part| {
            let (module, function) = match part.get(..3) {
                Some("[k]") => (KERNEL, &part[3..]),
                Some("[c]") => ("/usr/lib/x86_64-linux-gnu/libc.so.6", &part[3..]),
                _ => (program, part),
            };
            let place = hash(&format!("{module}:{function}"));
            let is_program = module == program;
            Frame {
                function: Some(function.to_string()),
                module: Some(module.into()),
                build_id: (module != KERNEL)
                    .then(|| format!("{:016x}{:016x}", hash(module), hash(program)).into())
                    .filter(|_| is_program),
                offset: Some(if module == KERNEL {
                    0xffff_ffff_8100_0000 + place % (1 << 23)
                } else {
                    0x1000 + place % (1 << 20)
                }),
                file: is_program.then(|| format!("src/{function}.c").into()),
                line: is_program.then_some((place % 900 + 10) as u32),
                inlined: false,
            }
        });
        let mut stack = Stack { frames: frames.collect(), ..Stack::default() };
        stack.id = stack.identify();
        let id = stack.id;
        self.stacks.insert(id, stack);
        id
    }

    /// A stack as it is folded.
    pub fn folded(&self, id: i64) -> String {
        self.stacks[&id].folded()
    }

    /// What processes and threads do as such: start and end.
    pub fn lives(&self, rows: &mut Rows) {
        for process in &self.processes {
            let own = process.first_thread;
            if process.start >= self.span.begin {
                let parent = process.parent.map_or(0, |parent| self.processes[parent].first_thread);
                let fork = process.start + 300_000;
                rows.process_events.push(ProcessEvent::fork(fork, parent, own));
            }
            for (number, (ts, _)) in process.execs.iter().enumerate() {
                rows.process_events.push(ProcessEvent::exec(*ts, own, number));
            }
            if let Some(end) = process.end {
                rows.process_events.push(ProcessEvent::exit(end, own));
            }
        }
        for (number, thread) in self.threads.iter().enumerate() {
            let process = &self.processes[thread.process];
            let number = number as u32;
            if number == process.first_thread {
                continue;
            }
            if thread.start >= self.span.begin {
                rows.process_events.push(ProcessEvent::thread(
                    thread.start,
                    process.first_thread,
                    number,
                ));
            }
            let last = process.end.map(|end| (end - 100_000).max(thread.start));
            if let Some(end) = thread.end.or(last) {
                rows.process_events.push(ProcessEvent::thread_exit(end, number));
            }
        }
    }
}
