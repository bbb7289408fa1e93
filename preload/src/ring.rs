//! A ring from its reader's side. Its file is the program's and may be anything at any time.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::layout::{
    self, HEAD_OFFSET, HEADER_BYTES, HEADER_READ_BYTES, LOST_OFFSET, Position, RECORD_BYTES_MAX,
    SEQUENCE_OFFSET, SHORT_ALLOCATION_BYTES, SHORT_DEALLOCATION_BYTES, TAIL_OFFSET, TENANT_BYTES,
};
use crate::liveness;
use crate::records::{self, About, Item};

/// Most that is read at once: it stays in the caches until it has been passed on.
const CHUNK_BYTES: u64 = 128 << 10;

/// The first bytes of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub pid: u32,
    pub tid: u32,
    pub data_bytes: u64,
    pub created_ns: u64,
    /// None while it is being changed.
    pub head: Option<u64>,
    pub sequence: u64,
    pub lost: [u64; 4],
}

impl Header {
    /// `None` when it is not that of a file of this version, or not yet.
    pub fn read(file: &File) -> Option<Header> {
        let mut bytes = [0; HEADER_READ_BYTES];
        file.read_exact_at(&mut bytes, 0).ok()?;
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let half = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        (word(0) == layout::MAGIC && half(8) == layout::VERSION).then(|| Header {
            pid: half(12),
            tid: half(16),
            data_bytes: half(20).into(),
            created_ns: word(24),
            head: Position::checked(word(HEAD_OFFSET), word(HEAD_OFFSET + 8)),
            sequence: word(SEQUENCE_OFFSET),
            lost: std::array::from_fn(|kind| word(LOST_OFFSET + 8 * kind)),
        })
    }
}

/// What became of looking at a file.
pub(crate) enum Opened {
    /// It is a ring, or with no data the announcement of a process.
    Ring(Ring),
    /// It is not finished, or there are too many open files: look again.
    Later,
    /// It is nothing of ours.
    Foreign,
}

/// A ring that is being read; or the announcement of a process, which only has a header.
pub(crate) struct Ring {
    path: PathBuf,
    /// Closed when there are many rings, and opened anew each time.
    file: Option<File>,
    pub pid: u32,
    pub created_ns: u64,
    tid: u32,
    one_in: u32,
    data_bytes: u64,
    tail: u64,
    /// Time of the last record, as it is in the ring and as it was passed on.
    last: (u64, u64),
    /// Counts of its header when it was last read.
    pub lost: [u64; 4],
    /// Its program has ended: what is in it is all there will be.
    pub is_over: bool,
    /// It holds something that the library does not write: no more is read.
    is_spoiled: bool,
}

fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    File::options().read(true).write(true).custom_flags(flags).open(path)
}

impl Ring {
    /// Looks at a file of the folder. `one_in` is of the settings.
    pub fn open(path: PathBuf, one_in: u32) -> Opened {
        let file = match open(&path) {
            Ok(file) => file,
            Err(error) => {
                let is_for_now = [libc::EMFILE, libc::ENFILE, libc::ENOMEM];
                return match error.raw_os_error() {
                    Some(number) if is_for_now.contains(&number) => Opened::Later,
                    _ => Opened::Foreign,
                };
            }
        };
        let Ok(about) = file.metadata() else { return Opened::Foreign };
        if !about.is_file() {
            return Opened::Foreign;
        }
        let Some(header) = Header::read(&file) else { return Opened::Later };
        let is_process = header.data_bytes == 0 && header.tid == 0;
        let range = u64::from(layout::RING_BYTES_MIN / 16)..=layout::RING_BYTES_MAX.into();
        let is_ring = header.data_bytes.is_power_of_two() && range.contains(&header.data_bytes);
        let is_long_enough = about.len() >= HEADER_BYTES as u64 + header.data_bytes;
        // Root may have made it before it became another user; nobody can have made it as root.
        // SAFETY: no arguments.
        let own = unsafe { libc::geteuid() };
        let is_owner =
            [0, own].contains(&about.uid()) || liveness::may_own(header.pid, about.uid());
        if !(is_process || is_ring) || !is_long_enough || !is_owner || header.pid == 0 {
            return Opened::Foreign;
        }
        Opened::Ring(Ring {
            path,
            file: Some(file),
            pid: header.pid,
            created_ns: header.created_ns,
            tid: header.tid,
            one_in,
            data_bytes: header.data_bytes,
            tail: 0,
            last: (0, 0),
            lost: header.lost,
            is_over: false,
            is_spoiled: false,
        })
    }

    pub fn is_process(&self) -> bool {
        self.data_bytes == 0
    }

    /// Its data bytes.
    pub fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the descriptor back; it is opened anew when needed.
    pub fn close(&mut self) {
        self.file = None;
    }

    /// The header as it is now.
    pub fn header(&self) -> Option<Header> {
        self.with_file(Header::read)?
    }

    fn with_file<T>(&self, run: impl FnOnce(&File) -> T) -> Option<T> {
        match &self.file {
            Some(file) => Some(run(file)),
            None => open(&self.path).ok().map(|file| run(&file)),
        }
    }

    /// Passes records to `sink`, about `budget` bytes at most, and gives their room back. Returns
    /// the bytes passed, and whether nothing was left. `stored` counts records by kind.
    pub fn drain(
        &mut self,
        budget: usize,
        clock: &mut Clock,
        buffer: &mut Vec<u8>,
        stored: &mut [u64; 4],
        sink: &mut dyn FnMut(&[u8]),
    ) -> (usize, bool) {
        let Some(header) = self.header() else { return (0, true) };
        self.lost = header.lost;
        if self.is_process() || self.is_spoiled {
            return (0, true);
        }
        let Some(head) = header.head else { return (0, false) };
        clock.reach_now();
        let mut passed = 0;
        while self.tail < head && passed < budget {
            if head - self.tail > self.data_bytes {
                self.is_spoiled = true;
                return (passed, true);
            }
            match self.pass_some(head, clock, buffer, stored, sink) {
                Some(bytes) => passed += bytes,
                None => {
                    self.is_spoiled = true;
                    return (passed, true);
                }
            }
        }
        (passed, self.tail >= head)
    }

    /// One piece: up to `head`, the end of the data, or a limit. `None`: the ring is spoiled.
    fn pass_some(
        &mut self,
        head: u64,
        clock: &Clock,
        buffer: &mut Vec<u8>,
        stored: &mut [u64; 4],
        sink: &mut dyn FnMut(&[u8]),
    ) -> Option<usize> {
        let position = self.tail % self.data_bytes;
        let to_end = self.data_bytes - position;
        let available = (head - self.tail).min(to_end);
        let length = available.min(CHUNK_BYTES) as usize;
        buffer.resize(CHUNK_BYTES as usize, 0);
        let buffer = &mut buffer[..length];
        let is_read = self
            .with_file(|file| file.read_exact_at(buffer, HEADER_BYTES as u64 + position).is_ok());
        is_read.filter(|is_read| *is_read)?;
        let (mut at, mut passed) = (0, 0);
        while at < length {
            // The last record of a piece that is not the last may be cut.
            if length - at < RECORD_BYTES_MAX && (length as u64) < available && at > 0 {
                break;
            }
            let bytes = &mut buffer[at..];
            let item = records::first(bytes)?;
            let Some(place) = item.place() else {
                match item {
                    Item::Tenant(tid) => {
                        self.tid = tid;
                        at += TENANT_BYTES;
                    }
                    // The head is behind the data that follow; there may be none in this piece.
                    _ if available == to_end => {
                        self.give_room(self.tail + to_end);
                        return Some(passed);
                    }
                    _ => return None,
                }
                continue;
            };
            // Whose ring it is, whatever the record says.
            let ts_ns = self.time(bytes, clock)?;
            let about = About { ts_ns, pid: self.pid, tid: self.tid, one_in: self.one_in };
            at += match item {
                Item::Allocation => {
                    let record = records::allocation(bytes, about);
                    sink(&record);
                    passed += record.len();
                    SHORT_ALLOCATION_BYTES
                }
                Item::Deallocation => {
                    let record = records::deallocation(bytes, about);
                    sink(&record);
                    passed += record.len();
                    SHORT_DEALLOCATION_BYTES
                }
                Item::Record(size, _) => {
                    about.put(bytes);
                    sink(&bytes[..size]);
                    passed += size;
                    size
                }
                Item::Pad | Item::Tenant(_) => return None,
            };
            stored[place] += 1;
        }
        self.give_room(self.tail + at as u64);
        Some(passed)
    }

    /// The time of a record, which is later than that of the one before, or the same if both are of
    /// one event: a tick may be shorter than a nanosecond.
    /// `None`: it is in the future.
    #[inline]
    fn time(&mut self, record: &[u8], clock: &Clock) -> Option<u64> {
        let stamp = layout::stamp_of(records::u64_at(record, 0)?, clock.latest());
        if stamp > clock.latest() {
            return None;
        }
        if stamp != self.last.0 {
            self.last = (stamp, clock.ns(stamp).max(self.last.1.saturating_add(1)));
        }
        Some(self.last.1)
    }

    fn give_room(&mut self, tail: u64) {
        self.tail = tail;
        let [check, value] = Position::words(tail);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&check.to_le_bytes());
        bytes[8..].copy_from_slice(&value.to_le_bytes());
        // Should it fail, the program finds no room and counts what it loses.
        self.with_file(|file| file.write_all_at(&bytes, TAIL_OFFSET as u64));
    }
}
