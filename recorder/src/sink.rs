//! Where the records of a stream go: the spool of the current segment.
//!
//! A ring of the kernel side and the collector in processes may feed one stream, each from a thread
//! of its own. What the disk refuses is counted as lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use schema::events::KINDS;
use schema::{Header, Stream};
use store::{Folder, SpoolWriter};
use zerocopy::FromBytes;

use crate::Error;

/// Counts by event kind.
pub type Counts = [u64; KINDS];

/// What a sink tells while it is written to.
#[derive(Default)]
pub struct Status {
    /// Bytes written to the current segment's spool.
    pub segment_bytes: AtomicU64,
    /// Bytes written in all.
    pub bytes: AtomicU64,
    /// Records written in all.
    pub stored: AtomicU64,
    /// Set when the disk refused a block; see `discarded`.
    pub failed: AtomicBool,
    /// Records that the disk refused, by kind, and the first error.
    pub discarded: Mutex<(Option<Counts>, Option<store::Error>)>,
}

/// The spools that a stream is written to.
pub struct Sink {
    /// What it tells.
    pub status: Status,
    folder: Folder,
    stream: Stream,
    spools: Mutex<Spools>,
}

struct Spools {
    /// None when it has been closed.
    writer: Option<SpoolWriter>,
    /// The spool of the segment before, while both are written.
    overlapped: Option<SpoolWriter>,
    /// Records written by kind, in closed segments.
    stored: Counts,
}

impl Spools {
    fn stored_now(&self) -> Counts {
        let mut counts = self.stored;
        let current = self.writer.as_ref().map_or([0; KINDS], |writer| *writer.counts());
        counts.iter_mut().zip(current).for_each(|(sum, count)| *sum += count);
        counts
    }
}

impl Sink {
    /// Begins the spool of `segment`.
    pub fn create(folder: &Folder, stream: Stream, segment: u64) -> Result<Sink, Error> {
        let writer =
            SpoolWriter::create(&folder.spool_path(segment), segment, stream, &[0; KINDS])?;
        let spools = Spools { writer: Some(writer), overlapped: None, stored: [0; KINDS] };
        Ok(Sink {
            status: Status::default(),
            folder: folder.clone(),
            stream,
            spools: Mutex::new(spools),
        })
    }

    fn spools(&self) -> std::sync::MutexGuard<'_, Spools> {
        self.spools.lock().expect("no thread panics with the lock")
    }

    /// Appends whole records.
    pub fn write(&self, block: &[u8]) {
        if block.is_empty() {
            return;
        }
        let mut spools = self.spools();
        let result = match &mut spools.writer {
            Some(writer) if !self.status.failed.load(Relaxed) => {
                writer.write_block(block, false).map(|()| writer.bytes()).map_err(Some)
            }
            _ => Err(None),
        };
        match result {
            Ok(bytes) => {
                self.status.segment_bytes.store(bytes, Relaxed);
                self.status.bytes.fetch_add(block.len() as u64, Relaxed);
                self.status.stored.store(spools.stored_now().iter().sum(), Relaxed);
            }
            Err(error) => self.discard(block, error),
        }
        if let Some(old) = &mut spools.overlapped {
            // It only helps to read the other streams: a failure here costs names, not records.
            let _ = old.write_block(block, true);
        }
    }

    fn discard(&self, block: &[u8], error: Option<store::Error>) {
        let mut discarded = self.status.discarded.lock().expect("no thread panics with the lock");
        count(block, discarded.0.get_or_insert([0; KINDS]));
        if error.is_some() {
            discarded.1 = error;
        }
        self.status.failed.store(true, Relaxed);
    }

    /// Goes on in the spool of `segment`. `overlap`: the old one stays open for what the other
    /// streams are read with, until [`Sink::end_overlap`].
    pub fn switch(&self, segment: u64, overlap: bool) -> Result<(), Error> {
        let mut spools = self.spools();
        let stored = spools.stored_now();
        let path = self.folder.spool_path(segment);
        let next = SpoolWriter::create(&path, segment, self.stream, &stored)?;
        let old = spools.writer.replace(next);
        spools.stored = stored;
        self.status.segment_bytes.store(0, Relaxed);
        if overlap {
            spools.overlapped = old;
            return Ok(());
        }
        close(old)
    }

    /// Ends the time in which records go to the old segment's spool as well.
    pub fn end_overlap(&self) -> Result<(), Error> {
        close(self.spools().overlapped.take())
    }

    /// Closes the spool; what is written from now on is counted as refused.
    pub fn finish(&self) -> Result<(), Error> {
        let mut spools = self.spools();
        close(spools.overlapped.take()).and(close(spools.writer.take()))
    }
}

/// Cuts records into blocks that are neither too long nor too short.
pub fn blocks(mut records: &[u8]) -> impl Iterator<Item = &[u8]> {
    const BLOCK_BYTES: usize = 1 << 20;
    std::iter::from_fn(move || {
        let mut length = 0;
        while let Some(Ok((header, _))) = records.get(length..).map(Header::read_from_prefix) {
            let next = length + usize::from(header.size.max(1));
            if length > 0 && next > BLOCK_BYTES || next > records.len() {
                break;
            }
            length = next;
        }
        let (block, rest) = records.split_at(length);
        records = rest;
        (length > 0).then_some(block)
    })
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
