//! What happens to a segment when its spool is complete, off the hot path and at low priority: it is
//! encoded, its spool removed or compressed, and the oldest segments dropped.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use store::Folder;
use symbols::Symbolizer;

use crate::modules::Holder;
use crate::options::{Encode, Options, Retention};
use crate::{Error, host};

/// What the background work tells while it runs.
#[derive(Default)]
pub struct Status {
    /// CPU time spent on encoding, in ns.
    pub cpu_ns: AtomicU64,
    /// Bytes of Parquet written.
    pub bytes: AtomicU64,
    /// Thread that encodes; 0 before there is one.
    encoder_tid: AtomicU32,
    /// Segments dropped on purpose.
    pub dropped: AtomicU64,
    /// The first thing that went wrong; the spool is kept then.
    pub error: Mutex<Option<store::Error>>,
    /// What else is to be told.
    pub notes: Mutex<Vec<String>>,
}

/// The thread that deals with complete segments.
pub struct Background {
    /// What it tells.
    pub status: Arc<Status>,
    segments: Option<Sender<u64>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts it. `held` tells of files that can be opened only by way of this process.
    pub fn start(
        folder: &Folder,
        options: &Options,
        held: Option<Holder>,
    ) -> Result<Background, Error> {
        let status = Arc::new(Status::default());
        let (segments, received) = channel();
        let worker =
            Worker {
                folder: folder.clone(),
                encode: options.encode,
                keep_spool: options.keep_spool,
                symbols: options.symbolizer.as_ref().zip(held).map(|(command, held)| {
                    (symbolizer(command, !options.redaction.no_paths), held)
                }),
                retention: options.retention,
                pool: pool(status.clone())?,
                done: VecDeque::new(),
                status: status.clone(),
            };
        let thread = std::thread::Builder::new()
            .name("encode".into())
            .spawn(move || worker.run(&received))
            .map_err(Error::io("cannot start a thread"))?;
        Ok(Background { status, segments: Some(segments), thread: Some(thread) })
    }

    /// Hands over a segment whose spool is complete.
    pub fn take(&self, segment: u64) {
        if let Some(segments) = &self.segments {
            let _ = segments.send(segment);
        }
    }

    /// Waits until all segments are dealt with. The recording is over: what is left need not give
    /// way to others any longer, who might keep it waiting for minutes.
    pub fn finish(&mut self) {
        self.segments = None;
        let thread = self.status.encoder_tid.load(Relaxed);
        if thread != 0 {
            // SAFETY: no pointers; a thread of ours. Without the right to, it stays as it is.
            unsafe { libc::setpriority(libc::PRIO_PROCESS, thread, 0) };
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    folder: Folder,
    encode: Encode,
    keep_spool: bool,
    /// Names functions, and the files to do it by; none when they are not to be named.
    symbols: Option<(Symbolizer, Holder)>,
    retention: Retention,
    /// One thread, of low priority: tables in parallel would take memory and time from the workload.
    pool: rayon::ThreadPool,
    /// Segments on disk, oldest first, with the time each was complete.
    done: VecDeque<(u64, Instant)>,
    status: Arc<Status>,
}

impl Worker {
    fn run(mut self, segments: &Receiver<u64>) {
        while let Ok(segment) = segments.recv() {
            if let Err(error) = self.deal_with(segment) {
                self.status
                    .error
                    .lock()
                    .expect("no thread panics with the lock")
                    .get_or_insert(error);
            }
            self.done.push_back((segment, Instant::now()));
            self.drop_oldest();
        }
    }

    fn deal_with(&mut self, segment: u64) -> store::Result<()> {
        if self.encode == Encode::Now {
            let folder = &self.folder;
            let encoded =
                self.pool.install(|| store::encode::segment(folder, segment, folder.path()))?;
            let bytes = encoded.tables.iter().map(|table| table.bytes).sum();
            self.status.bytes.fetch_add(bytes, Relaxed);
        }
        if self.encode == Encode::Later || self.keep_spool {
            store::spool::compress_all(&self.folder.spool_path(segment))?;
        } else {
            self.folder.remove_spool(segment)?;
        }
        self.symbolize(segment);
        Ok(())
    }

    /// Names the functions of a segment's stacks while their files are at hand; what keeps it from
    /// that costs names only, which `ebrec symbolize` can give later.
    fn symbolize(&mut self, segment: u64) {
        let Some((symbolizer, held)) = &mut self.symbols else { return };
        symbolizer.options().held = held();
        let (folder, status) = (&self.folder, &self.status);
        self.pool.install(|| {
            if let Err(error) = symbolizer.segment(folder, segment) {
                let note = format!("stacks of segment {segment} have no names: {error}");
                status.notes.lock().expect("no thread panics with the lock").push(note);
            }
            status.cpu_ns.store(host::thread_cpu_ns(), Relaxed);
        });
    }

    fn drop_oldest(&mut self) {
        let too_old = |at: Instant| self.retention.keep.is_some_and(|keep| at.elapsed() > keep);
        let mut bytes = self.folder.bytes().unwrap_or(0);
        let too_many = |bytes| self.retention.bytes_max.is_some_and(|max| bytes > max);
        // The newest is kept whatever it takes.
        while self.done.len() > 1 {
            let (oldest, at) = self.done[0];
            if !too_old(at) && !too_many(bytes) {
                return;
            }
            bytes -= self.folder.segment_bytes(oldest) + self.folder.spool_bytes(oldest);
            let removed =
                self.folder.remove_segment(oldest).and_then(|()| self.folder.remove_spool(oldest));
            if removed.is_ok() {
                self.status.dropped.fetch_add(1, Relaxed);
            }
            self.done.pop_front();
        }
    }
}

/// What names functions, in a process of its own: the files are those of whatever ran here.
fn symbolizer(command: &[OsString], lines: bool) -> Symbolizer {
    Symbolizer::new(symbols::Options {
        same_boot: true,
        perf_maps: Some(Arc::new(host::perf_map)),
        worker: Some(command.to_vec()),
        // Those would be paths of source files.
        lines,
        ..symbols::Options::default()
    })
}

/// A pool of one thread that works at low priority.
fn pool(status: Arc<Status>) -> Result<rayon::ThreadPool, Error> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "encode".into());
    let started = builder.start_handler(move |_| {
        // SAFETY: no arguments.
        status.encoder_tid.store(unsafe { libc::gettid() } as u32, Relaxed);
        lower_priority();
        await_entropy();
    });
    started.build().map_err(|_| Error::last("cannot start a thread"))
}

/// The workload goes first: this thread gets what is left.
fn lower_priority() {
    // SAFETY: no pointers. On Linux a priority is of a thread, 0 being the calling one.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
}

/// Early after boot the kernel may have no random numbers yet, and hash tables wait for them by
/// polling, which does not make the kernel gather any; asking for some does.
fn await_entropy() {
    let mut byte = 0u8;
    // SAFETY: one byte of ours.
    unsafe { libc::getrandom((&raw mut byte).cast(), 1, 0) };
}
