//! One thread per ring that copies records to the spool and does nothing else.
//!
//! The kernel side wakes it once per many records; it also looks by itself every
//! [`LOOK_EVERY_MS`], which bounds what a crash can cost.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use aya::maps::{MapData, RingBuf};
use schema::Stream;

use crate::sink::Sink;
use crate::{Error, host, wait};

/// Longest time between two looks at a ring, in ms.
const LOOK_EVERY_MS: i32 = 100;
/// A block is written when it has this many bytes.
const BLOCK_BYTES: usize = 1 << 20;
/// Bytes taken from a ring before commands are looked at.
const PASS_BYTES: usize = 32 << 20;

enum Command {
    /// Empty the ring, then go on in the spool of this segment.
    Switch {
        segment: u64,
        overlap: bool,
    },
    EndOverlap,
    /// Empty the ring.
    Finish,
}

/// A running drain.
pub struct Drain {
    /// The ring's stream.
    pub stream: Stream,
    /// Where its records go.
    pub sink: Arc<Sink>,
    /// CPU time of the thread, in ns.
    pub cpu_ns: Arc<AtomicU64>,
    commands: Sender<(Command, Sender<Result<(), Error>>)>,
    wake: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Drain {
    /// Starts a thread that empties `ring` into `sink`.
    pub fn start(stream: Stream, ring: RingBuf<MapData>, sink: Arc<Sink>) -> Result<Drain, Error> {
        let cpu_ns = Arc::new(AtomicU64::new(0));
        let (commands, received) = channel();
        let wake = wait::eventfd()?;
        let epoll = wait::epoll(&[&ring, &wake])?;
        let worker = Worker {
            ring,
            epoll,
            sink: sink.clone(),
            block: Vec::with_capacity(BLOCK_BYTES + (1 << 16)),
            cpu_ns: cpu_ns.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("drain-{}", stream.name()))
            .spawn(move || worker.run(&received))
            .map_err(Error::io("cannot start a thread"))?;
        Ok(Drain { stream, sink, cpu_ns, commands, wake, thread: Some(thread) })
    }

    fn ask(&self, command: Command) -> Result<(), Error> {
        let (answer, answered) = channel();
        let gone = || Error::Io {
            what: "a drain has stopped",
            source: std::io::ErrorKind::BrokenPipe.into(),
        };
        self.commands.send((command, answer)).map_err(|_| gone())?;
        wait::signal(&self.wake);
        answered.recv().map_err(|_| gone())?
    }

    /// Empties the ring into the current spool, then goes on in that of `segment`.
    pub fn switch(&self, segment: u64, overlap: bool) -> Result<(), Error> {
        self.ask(Command::Switch { segment, overlap })
    }

    /// Ends the time in which records go to the old segment's spool as well.
    pub fn end_overlap(&self) -> Result<(), Error> {
        self.ask(Command::EndOverlap)
    }

    /// Empties the ring and ends the thread; the sink stays open.
    pub fn finish(&mut self) -> Result<(), Error> {
        let result = self.ask(Command::Finish);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        result
    }
}

struct Worker {
    ring: RingBuf<MapData>,
    epoll: OwnedFd,
    sink: Arc<Sink>,
    block: Vec<u8>,
    cpu_ns: Arc<AtomicU64>,
}

impl Worker {
    fn run(mut self, commands: &Receiver<(Command, Sender<Result<(), Error>>)>) {
        loop {
            wait::epoll_wait(&self.epoll, LOOK_EVERY_MS);
            self.pass();
            self.cpu_ns.store(host::thread_cpu_ns(), Relaxed);
            loop {
                let (command, answer) = match commands.try_recv() {
                    Ok(asked) => asked,
                    Err(TryRecvError::Empty) => break,
                    // Nobody is left to ask: the recording did not start.
                    Err(TryRecvError::Disconnected) => return,
                };
                self.empty();
                let result = match command {
                    Command::Switch { segment, overlap } => self.sink.switch(segment, overlap),
                    Command::EndOverlap => self.sink.end_overlap(),
                    Command::Finish => {
                        self.cpu_ns.store(host::thread_cpu_ns(), Relaxed);
                        let _ = answer.send(Ok(()));
                        return;
                    }
                };
                let _ = answer.send(result);
            }
        }
    }

    /// Moves what is in the ring to the spool. Returns whether there may be more.
    fn pass(&mut self) -> bool {
        let mut taken = 0;
        loop {
            while let Some(record) = self.ring.next() {
                self.block.extend_from_slice(&record);
                if self.block.len() >= BLOCK_BYTES {
                    break;
                }
            }
            let is_empty = self.block.len() < BLOCK_BYTES;
            taken += self.block.len();
            self.sink.write(&self.block);
            self.block.clear();
            if is_empty || taken >= PASS_BYTES {
                return !is_empty;
            }
        }
    }

    /// Moves everything that is in the ring by now.
    fn empty(&mut self) {
        // Under a flood the ring never is empty: what came before this is moved after two passes,
        // each as large as any ring or ended by an empty one.
        let _ = self.pass() && self.pass();
    }
}
