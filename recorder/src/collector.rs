//! The collector in the processes of a command: a thread that empties its rings into the spools.
//!
//! Each thread of those processes has a ring in shared memory, which the library of `preload` fills.
//! From here on its records go the same way as those of the kernel side.

use std::ffi::OsString;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use preload::{Collector, KindTotals, OnFull, Settings};
use schema::{EventDef, Stream};
use store::meta::KindCount;

use crate::modules::Request;
use crate::sink::Sink;
use crate::{Error, Options, host, redact};

/// Longest time between two looks at the rings.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A block is written when it has this many bytes.
const BLOCK_BYTES: usize = 1 << 20;
/// Passes over the rings that empty them even while they are filled.
const PASSES_MAX: usize = 64;

enum Command {
    /// A segment begins: stacks are told again. What comes before goes to the old spools.
    Begin(u32),
    Finish,
}

/// The running thread.
pub struct InProcess {
    /// CPU time of the thread, in ns.
    pub cpu_ns: Arc<AtomicU64>,
    totals: Arc<Mutex<Vec<KindTotals>>>,
    commands: Sender<(Command, Sender<()>)>,
    thread: Option<JoinHandle<()>>,
}

/// Makes the shared memory. Returns it and what the command's environment must have.
pub fn create(options: &Options) -> Result<(Collector, Vec<(OsString, OsString)>), Error> {
    let allocations = &options.allocations;
    let settings = Settings {
        depth_max: options.stacks.depth_max,
        on_full: if allocations.wait_when_full { OnFull::Wait } else { OnFull::Drop },
        size_min: allocations.size_min,
        one_in: allocations.one_in,
        salt: allocations.salt,
        ..Settings::default()
    };
    let collector = Collector::create(&settings).map_err(Error::Collector)?;
    let environment = collector.environment();
    Ok((collector, environment))
}

impl InProcess {
    /// Starts the thread. `look_at` is told of the files that code was seen to run in.
    pub fn start(
        collector: Collector,
        stacks: Arc<Sink>,
        allocations: Arc<Sink>,
        no_paths: bool,
        look_at: impl Fn(Request) + Send + 'static,
    ) -> Result<InProcess, Error> {
        let cpu_ns = Arc::new(AtomicU64::new(0));
        let totals = Arc::new(Mutex::new(Vec::new()));
        let (commands, received) = channel();
        let worker = Worker {
            collector,
            stacks: Out { sink: stacks, block: Vec::with_capacity(BLOCK_BYTES) },
            allocations: Out { sink: allocations, block: Vec::with_capacity(BLOCK_BYTES) },
            no_paths,
            look_at: Box::new(look_at),
            cpu_ns: cpu_ns.clone(),
            totals: totals.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("drain-preload".into())
            .spawn(move || worker.run(&received))
            .map_err(Error::io("cannot start a thread"))?;
        Ok(InProcess { cpu_ns, totals, commands, thread: Some(thread) })
    }

    fn ask(&self, command: Command) {
        let (answer, answered) = channel();
        if self.commands.send((command, answer)).is_ok() {
            let _ = answered.recv();
        }
    }

    /// Has stacks told again for a segment that begins, and empties the rings.
    pub fn begin(&self, segment: u64) {
        self.ask(Command::Begin(segment as u32));
    }

    /// Ends collecting and empties the rings.
    pub fn finish(&mut self) {
        self.ask(Command::Finish);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// Adds what was emitted and lost in processes to the counts of the kernel side.
    pub fn add_to(&self, kinds: &mut Vec<KindCount>) {
        let totals = self.totals.lock().expect("no thread panics with the lock");
        for total in totals.iter().filter(|total| total.emitted > 0) {
            // On which CPU is not counted: it is put on the first.
            let (kind, emitted, lost) = (total.kind, total.emitted, total.lost);
            KindCount { kind, emitted, lost, ..KindCount::default() }.add_to(kinds);
        }
    }
}

struct Out {
    sink: Arc<Sink>,
    block: Vec<u8>,
}

impl Out {
    fn push(&mut self, record: &[u8]) {
        self.block.extend_from_slice(record);
        if self.block.len() >= BLOCK_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.sink.write(&self.block);
        self.block.clear();
    }
}

struct Worker {
    collector: Collector,
    stacks: Out,
    allocations: Out,
    /// Of files only the name is kept.
    no_paths: bool,
    look_at: Box<dyn Fn(Request) + Send>,
    cpu_ns: Arc<AtomicU64>,
    totals: Arc<Mutex<Vec<KindTotals>>>,
}

impl Worker {
    fn run(mut self, commands: &Receiver<(Command, Sender<()>)>) {
        loop {
            self.collector.wait(LOOK_EVERY);
            self.pass();
            self.note();
            loop {
                let (command, answer) = match commands.try_recv() {
                    Ok(asked) => asked,
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
                };
                match command {
                    Command::Begin(segment) => {
                        self.collector.set_epoch(segment);
                        self.empty();
                    }
                    Command::Finish => {
                        self.collector.stop();
                        self.empty();
                        self.note();
                        let _ = answer.send(());
                        return;
                    }
                }
                let _ = answer.send(());
            }
        }
    }

    fn note(&self) {
        *self.totals.lock().expect("no thread panics with the lock") = self.collector.counters();
        self.cpu_ns.store(host::thread_cpu_ns(), Relaxed);
    }

    /// Moves what is in the rings to the spools. Returns how many bytes.
    fn pass(&mut self) -> usize {
        let (stacks, allocations, look_at) =
            (&mut self.stacks, &mut self.allocations, &self.look_at);
        let no_paths = self.no_paths;
        let bytes = self.collector.drain(&mut |record| match stream_of(record) {
            Some(Stream::Allocations) => allocations.push(record),
            Some(Stream::Stacks) => {
                if let Some(mapping) = store::stacks::mapping(record) {
                    look_at(Request {
                        device: mapping.device,
                        inode: mapping.inode,
                        pid: mapping.pid,
                        start: mapping.start,
                        end: mapping.end,
                        path: mapping.file,
                    });
                }
                match no_paths.then(|| redact::with_file_names(record)).flatten() {
                    Some(redacted) => stacks.push(&redacted),
                    None => stacks.push(record),
                }
            }
            _ => {}
        });
        // Stacks first, so that a reader of both finds what the others refer to.
        self.stacks.flush();
        self.allocations.flush();
        bytes
    }

    fn empty(&mut self) {
        for _ in 0..PASSES_MAX {
            if self.pass() == 0 {
                return;
            }
        }
    }
}

fn stream_of(record: &[u8]) -> Option<Stream> {
    let kind = u16::from_le_bytes(record.get(16..18)?.try_into().ok()?);
    schema::events::by_id(kind).map(|event: &EventDef| event.stream)
}
