//! The ring of a thread: records go in at its head, and are there for the recorder when the head
//! has moved behind them.

use core::sync::atomic::Ordering;

use crate::layout::{
    Control, HEADER_BYTES, Header, TAG_PAD, TAG_RECORD, TAG_TENANT, TENANT_BYTES, first_word,
};
use crate::sys;

/// By how much more of a new ring is made writable at a time.
pub const STEP_BYTES: u64 = 64 << 10;

/// Why there is no room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// The recorder has to read first.
    Full,
    /// There is no memory behind the ring, and will not be soon.
    NoMemory,
}

/// A ring, from its writer's side.
pub struct Ring {
    header: *mut Header,
    data: *mut u8,
    bytes: u64,
    head: u64,
    /// Head after the next commit.
    next: u64,
    /// The tail when it was last looked at.
    tail: u64,
    /// Data bytes from the first that can be written to without fail.
    backed: u64,
    sequence: u64,
    /// The recorder was woken and has not come yet.
    has_rung: bool,
}

impl Ring {
    /// A ring over a mapped file, of whose data the first `backed` bytes are there.
    pub fn new(file: *mut u8, bytes: u64, backed: u64) -> Ring {
        Ring {
            header: file.cast(),
            data: file.wrapping_add(HEADER_BYTES),
            bytes,
            head: 0,
            next: 0,
            tail: 0,
            backed,
            sequence: 0,
            has_rung: false,
        }
    }

    /// Its header.
    #[inline(always)]
    pub fn header(&self) -> &Header {
        // SAFETY: mapped as long as the ring is in use.
        unsafe { &*self.header }
    }

    /// Its whole file in memory.
    pub fn file(&self) -> (*mut u8, usize) {
        (self.header.cast(), HEADER_BYTES + self.bytes as usize)
    }

    /// Says that its thread is writing, before it looks at anything that the recorder changes.
    #[inline(always)]
    pub fn begin(&mut self) {
        self.sequence = (self.sequence + 1) | 1;
        self.header().sequence.store(self.sequence, Ordering::Relaxed);
        // The processor must not do later loads before; the recorder sees to it when it changes
        // something (membarrier), so that only the compiler has to be told here.
        core::sync::atomic::compiler_fence(Ordering::SeqCst);
    }

    /// Says that its thread is not writing.
    #[inline(always)]
    pub fn end(&mut self) {
        self.sequence = (self.sequence | 1) + 1;
        self.header().sequence.store(self.sequence, Ordering::Release);
    }

    /// Room for `bytes`, a multiple of 8, in one piece. Nothing is taken before [`Ring::commit`].
    #[inline]
    pub fn reserve(&mut self, bytes: usize) -> Result<*mut u8, NoRoom> {
        let position = self.head & (self.bytes - 1);
        let gap = self.bytes - position;
        let skipped = if gap < bytes as u64 { gap } else { 0 };
        let next = self.head + skipped + bytes as u64;
        if next - self.tail > self.bytes {
            self.look();
            if next - self.tail > self.bytes {
                return Err(NoRoom::Full);
            }
        }
        // Only in the first round: from then on all of it is there.
        if self.backed < self.bytes
            && !self.back((position + skipped + bytes as u64).min(self.bytes))
        {
            return Err(NoRoom::NoMemory);
        }
        self.next = next;
        // SAFETY: inside the data, which is backed, and not yet read records are not touched.
        unsafe {
            if skipped != 0 {
                self.data.add(position as usize).cast::<u64>().write(first_word(TAG_PAD, 0));
            }
            Ok(self.data.add(if skipped == 0 { position as usize } else { 0 }))
        }
    }

    /// Makes what was written to the last reserved room the recorder's.
    #[inline]
    pub fn commit(&mut self, control: &Control) {
        self.head = self.next;
        self.header().head.set(self.head);
        if self.head - self.tail > self.bytes / 2 {
            self.ring_bell(control);
        }
    }

    /// From here on its records are of another thread. Whether there was room to say so.
    pub fn hand_over(&mut self, tid: u32, control: &Control) -> bool {
        let Ok(at) = self.reserve(TENANT_BYTES) else { return false };
        // SAFETY: the room was reserved.
        unsafe { at.cast::<[u64; 2]>().write([first_word(TAG_TENANT, 0), u64::from(tid)]) };
        self.commit(control);
        self.end();
        true
    }

    fn ring_bell(&mut self, control: &Control) {
        self.look();
        let is_filling = self.head - self.tail > self.bytes / 2;
        if is_filling && !self.has_rung {
            sys::futex_wake(control.bell.as_ptr());
        }
        self.has_rung = is_filling;
    }

    /// Looks how far the recorder is. What it cannot have read it has not.
    fn look(&mut self) {
        if let Some(tail) = self.header().tail.get()
            && tail >= self.tail
            && tail <= self.head
        {
            self.tail = tail;
        }
    }

    #[cold]
    fn back(&mut self, end: u64) -> bool {
        while self.backed < end {
            let step = STEP_BYTES.min(self.bytes - self.backed);
            // SAFETY: inside the data.
            let made = unsafe {
                let at = self.data.add(self.backed as usize);
                sys::advise(at, step as usize, sys::MADV_POPULATE_WRITE)
            };
            if made.is_err() {
                return false;
            }
            self.backed += step;
        }
        true
    }
}

/// Writes a record's header. Process and thread are filled in by the recorder.
///
/// # Safety
/// There is room for it at `at`.
#[inline(always)]
pub unsafe fn write_header(at: *mut u8, stamp: u64, kind: u16, size: usize, fixed: u16, cpu: u32) {
    let words = [
        first_word(TAG_RECORD, stamp),
        0,
        u64::from(kind)
            | (size as u64 & 0xffff) << 16
            | u64::from(fixed) << 32
            | u64::from(cpu) << 48,
    ];
    // SAFETY: by contract; room is aligned to 8 bytes.
    unsafe { at.cast::<[u64; 3]>().write(words) };
}
