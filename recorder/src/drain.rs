//! One thread per ring that copies records to the spool and does nothing else.
//!
//! The kernel side wakes it once per many records; it also looks by itself every
//! [`LOOK_EVERY_MS`], which bounds what a crash can cost. What the disk refuses is counted as lost,
//! and the ring is emptied all the same.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use aya::maps::{MapData, RingBuf};
use schema::events::KINDS;
use schema::{Header, Stream};
use store::{Folder, SpoolWriter};
use zerocopy::FromBytes;

use crate::{Error, host, wait};

/// Longest time between two looks at a ring, in ms.
const LOOK_EVERY_MS: i32 = 100;
/// A block is written when it has this many bytes.
const BLOCK_BYTES: usize = 1 << 20;
/// Bytes taken from a ring before commands are looked at.
const PASS_BYTES: usize = 32 << 20;

/// Counts by event kind.
pub type Counts = [u64; KINDS];

/// What a drain tells while it runs.
#[derive(Default)]
pub struct Status {
    /// Bytes written to the current segment's spool.
    pub segment_bytes: AtomicU64,
    /// Bytes written in all.
    pub bytes: AtomicU64,
    /// Records written in all.
    pub stored: AtomicU64,
    /// CPU time of the thread, in ns.
    pub cpu_ns: AtomicU64,
    /// Set when the disk refused a block; see `discarded`.
    pub failed: AtomicBool,
    /// Records that the disk refused, by kind, and the first error.
    pub discarded: Mutex<(Option<Counts>, Option<store::Error>)>,
}

enum Command {
    /// Empty the ring, then go on in the spool of this segment. `overlap`: the old spool stays open
    /// for what identifies threads, until [`Command::EndOverlap`].
    Switch {
        segment: u64,
        overlap: bool,
    },
    EndOverlap,
    /// Empty the ring and close the spool.
    Finish,
}

/// A running drain.
pub struct Drain {
    /// The ring's stream.
    pub stream: Stream,
    /// What it tells.
    pub status: Arc<Status>,
    commands: Sender<(Command, Sender<Result<(), Error>>)>,
    wake: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Drain {
    /// Starts a thread that empties `ring` into the spool of `segment`.
    pub fn start(
        folder: &Folder,
        stream: Stream,
        ring: RingBuf<MapData>,
        segment: u64,
    ) -> Result<Drain, Error> {
        let status = Arc::new(Status::default());
        let (commands, received) = channel();
        // SAFETY: the descriptor is checked before it is owned.
        let wake = unsafe {
            let fd = libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK);
            if fd < 0 {
                return Err(Error::last("cannot make an eventfd"));
            }
            OwnedFd::from_raw_fd(fd)
        };
        let epoll = wait::epoll(&[&ring, &wake])?;
        let writer =
            SpoolWriter::create(&folder.spool_path(segment), segment, stream, &[0; KINDS])?;
        let worker = Worker {
            folder: folder.clone(),
            stream,
            ring,
            epoll,
            writer,
            overlapped: None,
            block: Vec::with_capacity(BLOCK_BYTES + (1 << 16)),
            stored: [0; KINDS],
            status: status.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("drain-{}", stream.name()))
            .spawn(move || worker.run(&received))
            .map_err(Error::io("cannot start a thread"))?;
        Ok(Drain { stream, status, commands, wake, thread: Some(thread) })
    }

    fn ask(&self, command: Command) -> Result<(), Error> {
        let (answer, answered) = channel();
        let gone = || Error::Io {
            what: "a drain has stopped",
            source: std::io::ErrorKind::BrokenPipe.into(),
        };
        self.commands.send((command, answer)).map_err(|_| gone())?;
        let one = 1u64;
        // SAFETY: eight bytes of ours, as an eventfd wants.
        unsafe { libc::write(self.wake.as_raw_fd(), (&raw const one).cast(), 8) };
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

    /// Empties the ring, closes the spool and ends the thread.
    pub fn finish(&mut self) -> Result<(), Error> {
        let result = self.ask(Command::Finish);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        result
    }
}

struct Worker {
    folder: Folder,
    stream: Stream,
    ring: RingBuf<MapData>,
    epoll: OwnedFd,
    writer: SpoolWriter,
    /// The spool of the segment before, while both are written.
    overlapped: Option<SpoolWriter>,
    block: Vec<u8>,
    /// Records written by kind, in closed segments.
    stored: Counts,
    status: Arc<Status>,
}

impl Worker {
    fn run(mut self, commands: &Receiver<(Command, Sender<Result<(), Error>>)>) {
        loop {
            wait::epoll_wait(&self.epoll, LOOK_EVERY_MS);
            self.pass();
            self.status.cpu_ns.store(host::thread_cpu_ns(), Relaxed);
            loop {
                let (command, answer) = match commands.try_recv() {
                    Ok(asked) => asked,
                    Err(TryRecvError::Empty) => break,
                    // Nobody is left to ask: the recording did not start.
                    Err(TryRecvError::Disconnected) => return,
                };
                match command {
                    Command::Switch { segment, overlap } => {
                        let _ = answer.send(self.switch(segment, overlap));
                    }
                    Command::EndOverlap => {
                        self.empty();
                        let _ = answer.send(close(self.overlapped.take()));
                    }
                    Command::Finish => {
                        self.empty();
                        let result = close(self.overlapped.take()).and(close(Some(self.writer)));
                        self.status.cpu_ns.store(host::thread_cpu_ns(), Relaxed);
                        let _ = answer.send(result);
                        return;
                    }
                }
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
            self.write();
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

    fn write(&mut self) {
        if self.block.is_empty() {
            return;
        }
        let result = if self.status.failed.load(Relaxed) {
            Err(None)
        } else {
            self.writer.write_block(&self.block, false).map_err(Some)
        };
        match result {
            Ok(()) => {
                self.status.segment_bytes.store(self.writer.bytes(), Relaxed);
                self.status.bytes.fetch_add(self.block.len() as u64, Relaxed);
                self.status.stored.store(self.stored_now().iter().sum(), Relaxed);
            }
            Err(error) => self.discard(error),
        }
        if let Some(old) = &mut self.overlapped {
            // It only helps to name threads: a failure here costs names, not records.
            let _ = old.write_block(&self.block, true);
        }
        self.block.clear();
    }

    fn stored_now(&self) -> Counts {
        let mut counts = self.stored;
        counts.iter_mut().zip(self.writer.counts()).for_each(|(sum, count)| *sum += count);
        counts
    }

    fn discard(&mut self, error: Option<store::Error>) {
        let mut discarded = self.status.discarded.lock().expect("no thread panics with the lock");
        let counts = discarded.0.get_or_insert([0; KINDS]);
        count(&self.block, counts);
        if error.is_some() {
            discarded.1 = error;
        }
        self.status.failed.store(true, Relaxed);
    }

    fn switch(&mut self, segment: u64, overlap: bool) -> Result<(), Error> {
        self.empty();
        let stored = self.stored_now();
        let next =
            SpoolWriter::create(&self.folder.spool_path(segment), segment, self.stream, &stored)?;
        let old = std::mem::replace(&mut self.writer, next);
        self.stored = stored;
        self.status.segment_bytes.store(0, Relaxed);
        if overlap {
            self.overlapped = Some(old);
            return Ok(());
        }
        close(Some(old))
    }
}

/// Adds the records of a block to `counts`.
fn count(mut block: &[u8], counts: &mut Counts) {
    while let Ok((header, _)) = Header::read_from_prefix(block) {
        if let Some(count) = counts.get_mut(usize::from(header.kind)) {
            *count += 1;
        }
        block = block.get(usize::from(header.size.max(1))..).unwrap_or_default();
    }
}

fn close(writer: Option<SpoolWriter>) -> Result<(), Error> {
    match writer {
        Some(writer) => Ok(writer.finish().map(|_| ())?),
        None => Ok(()),
    }
}
