//! Walks the stack of the calling thread.
//!
//! Memory is read directly inside the thread's own stack, which is there as long as the thread is.
//! Anything else (coroutines, signal stacks, what garbage in a register points to) is copied by the
//! kernel first, which does not mind memory that is not there.

use core::cell::{Cell, UnsafeCell};

use unwind::{FP_LOST, Kind, Registers, Step};

use crate::layout::{DEPTH_MAX, STACK_FRAME_POINTERS, STACK_TRUNCATED};
use crate::rules::{self, NOT_CODE};
use crate::{maps, process, sys};

/// Where a call came from.
#[derive(Clone, Copy)]
pub struct Caller {
    /// Stack pointer after the return.
    pub sp: u64,
    pub fp: u64,
    /// Return address.
    pub pc: u64,
}

/// The thread's own stack; empty when it is not known.
#[derive(Clone, Copy)]
pub struct Bounds {
    low: u64,
    high: u64,
}

/// Nothing else is mapped so close below the first thread's stack, which grows into it.
const GROWTH_BYTES_MAX: u64 = 64 << 20;

impl Bounds {
    /// Of the calling thread.
    pub fn own(is_main: bool, pointer: u64, buffer: &mut [u8; maps::BUFFER_BYTES]) -> Bounds {
        let mut bounds = Bounds { low: 0, high: 0 };
        let here = (&raw const bounds) as u64;
        maps::for_each(buffer, &mut |mapping| {
            if !(mapping.start..mapping.end).contains(&here) {
                return true;
            }
            if is_main && mapping.name == b"[stack]" {
                let low = mapping.end.saturating_sub(GROWTH_BYTES_MAX);
                bounds = Bounds { low, high: mapping.end };
            } else if (here..mapping.end).contains(&pointer) {
                // What lies behind the thread pointer may be another mapping that grew together
                // with this one.
                bounds = Bounds { low: mapping.start, high: pointer & !7 };
            }
            false
        });
        bounds
    }

    #[inline(always)]
    fn has(&self, address: u64) -> bool {
        self.low <= address && address < self.high
    }
}

const WINDOW_BYTES: usize = 1024;

/// A copy of a piece of another stack.
#[repr(C)]
pub struct Window {
    start: u64,
    bytes: usize,
    copy: [u64; WINDOW_BYTES / 8],
}

impl Window {
    /// Forgets the copy.
    pub fn clear(&mut self) {
        self.bytes = 0;
    }

    #[cold]
    fn read(&mut self, address: u64) -> Option<u64> {
        if !address.is_multiple_of(8) {
            return None;
        }
        let end = address.wrapping_add(8);
        if address < self.start || end > self.start + self.bytes as u64 || end < address {
            // SAFETY: words as bytes.
            let copy = unsafe {
                core::slice::from_raw_parts_mut(self.copy.as_mut_ptr().cast::<u8>(), WINDOW_BYTES)
            };
            self.start = address;
            // Up to the end of a page, should the next not be there.
            self.bytes = sys::read_memory(address, copy);
            if self.bytes == 0 {
                let rest = 4096 - (address % 4096) as usize;
                let rest = rest.min(WINDOW_BYTES);
                self.bytes = sys::read_memory(address, &mut copy[..rest]);
            }
            if self.bytes < 8 {
                self.bytes = 0;
                return None;
            }
        }
        Some(self.copy[((address - self.start) / 8) as usize])
    }
}

/// A stack that was walked; the frames are the caller's array.
#[derive(Clone, Copy)]
pub struct Walked {
    /// Frames found.
    pub count: usize,
    /// See `stack_flags`.
    pub flags: u32,
    /// Its number in this process, never 0.
    pub id: u64,
}

/// Words that a walk may read for it to be remembered.
const READS_MAX: usize = 44;
/// Walks that a thread remembers, in sets of a few.
const MEMO_SETS: usize = 32;
const MEMO_WAYS: usize = 2;

/// A walk, with every word that it read: as long as these are what they were, and so are the
/// registers and the rules, the same walk comes to the same end.
#[repr(C)]
struct Memo {
    sp: u64,
    fp: u64,
    pc: u64,
    id: u64,
    generation: u32,
    flags: u32,
    count: u32,
    reads: u32,
    /// Segment that the stack was announced in, if [`Memo::is_announced`].
    epoch: u32,
    is_announced: bool,
    read: [(u64, u64); READS_MAX],
}

/// The last walks of a thread. Programs call from the same places again and again.
#[repr(C)]
pub struct Memos {
    sets: [[Memo; MEMO_WAYS]; MEMO_SETS],
    /// Walks so far: which one of a set is replaced.
    walks: usize,
}

impl Memos {
    /// Forgets all, as for another thread.
    pub fn clear(&mut self) {
        for memo in self.sets.as_flattened_mut() {
            memo.count = 0;
        }
    }

    #[inline(always)]
    fn set(caller: Caller) -> usize {
        let mixed = (caller.pc ^ (caller.sp >> 4)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 59) as usize % MEMO_SETS
    }

    /// One for a new walk.
    fn replace(&mut self, caller: Caller) -> &mut Memo {
        let set = &mut self.sets[Memos::set(caller)];
        self.walks = self.walks.wrapping_add(1);
        let free = set.iter().position(|memo| memo.count == 0);
        &mut set[free.unwrap_or(self.walks % MEMO_WAYS)]
    }

    /// Remembers that a stack was announced in a segment.
    pub fn announce(&mut self, caller: Caller, id: u64, epoch: u32) {
        for memo in &mut self.sets[Memos::set(caller)] {
            if memo.id == id {
                (memo.epoch, memo.is_announced) = (epoch, true);
            }
        }
    }

    /// The number of the walk from `caller`, if it would go as one did before that was announced in
    /// this segment.
    #[inline(always)]
    pub fn recall_announced(&self, caller: Caller, generation: u32, epoch: u32) -> Option<u64> {
        let set = &self.sets[Memos::set(caller)];
        let is_announced = |memo: &Memo| memo.is_announced && memo.epoch == epoch;
        let memo = set.iter().find(|memo| memo.holds(caller, generation))?;
        is_announced(memo).then_some(memo.id)
    }

    /// The walk from `caller`, if it would go as one did before.
    pub fn recall(&self, caller: Caller, generation: u32) -> Option<Walked> {
        let set = &self.sets[Memos::set(caller)];
        let memo = set.iter().find(|memo| memo.holds(caller, generation))?;
        Some(Walked { count: memo.count as usize, flags: memo.flags, id: memo.id })
    }
}

impl Memo {
    #[inline(always)]
    fn holds(&self, caller: Caller, generation: u32) -> bool {
        if (self.sp, self.fp, self.pc) != (caller.sp, caller.fp, caller.pc)
            || self.generation != generation
            || self.count == 0
        {
            return false;
        }
        let reads = &self.read[..(self.reads as usize).min(READS_MAX)];
        let changed = reads.iter().fold(0, |changed, (address, value)| {
            // SAFETY: read before, between the same stack pointer and the end of the thread's own
            // stack.
            changed | (unsafe { (*address as *const u64).read_volatile() } ^ value)
        });
        changed == 0
    }
}

/// Walks from `caller` outwards. `frames` gets return addresses only.
#[inline]
pub fn walk(
    caller: Caller,
    bounds: Bounds,
    window: &mut Window,
    memos: &mut Memos,
    frames: &mut [u64; DEPTH_MAX],
    depth_max: usize,
    lookup: rules::Lookup,
) -> Walked {
    let memo = memos.replace(caller);
    memo.count = 0;
    memo.id = 0;
    memo.is_announced = false;
    let reads = Cell::new(0usize);
    let memo = UnsafeCell::new(memo);
    let lowest = caller.sp;
    let is_own = bounds.has(lowest);
    window.clear();
    let window = UnsafeCell::new(window);
    let read = |address: u64| {
        if is_own && lowest <= address && address < bounds.high && address.is_multiple_of(8) {
            // SAFETY: between the stack pointer and the end of the thread's stack.
            let value = unsafe { (address as *const u64).read_volatile() };
            let at = reads.get();
            reads.set(at + 1);
            // SAFETY: nothing else uses the memo meanwhile.
            if let Some(read) = unsafe { (*memo.get()).read.get_mut(at) } {
                *read = (address, value);
            }
            Some(value)
        } else {
            // What lies elsewhere may be gone the next time.
            reads.set(usize::MAX / 2);
            // SAFETY: nothing else uses the window during a walk.
            unsafe { (*window.get()).read(address) }
        }
    };
    let depth_max = depth_max.clamp(1, DEPTH_MAX);
    let mut registers = Registers { pc: caller.pc, sp: caller.sp, fp: caller.fp };
    let mut hash = process::seed() ^ u64::from(lookup.generation);
    let mut flags = 0;
    let mut count = 0;
    // Of what a signal interrupted the address is its own, not one behind a call.
    let mut is_return = true;
    // Where the frame pointer was read last. Most are passed on but not used, and do not matter.
    let mut fp_read = None;
    loop {
        let pc = registers.pc;
        let rule = rules::find(pc - u64::from(is_return), &lookup);
        if rule.kind == NOT_CODE && count > 0 {
            flags |= STACK_TRUNCATED;
            break;
        }
        frames[count] = pc;
        count += 1;
        hash = (hash.rotate_left(25) ^ pc).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if rule.kind == Kind::END {
            break;
        }
        if count == depth_max {
            flags |= STACK_TRUNCATED;
            break;
        }
        let is_without = rule.kind == Kind::NONE || rule.kind == NOT_CODE;
        if is_without || rule.kind == Kind::FP {
            // SAFETY: as above.
            remember(unsafe { *memo.get() }, &reads, fp_read.take());
        }
        let before = reads.get();
        let next = if is_without {
            flags |= STACK_FRAME_POINTERS;
            follow_frame_pointer(registers, read)
        } else {
            unwind::step(rule, registers, read)
        };
        let has_read_fp = !is_without && ![0, FP_LOST].contains(&rule.fp_offset);
        if has_read_fp && rule.kind != Kind::SIGNAL && reads.get() == before + 2 {
            // SAFETY: as above.
            fp_read = forget(unsafe { *memo.get() }, &reads, before);
        }
        match next {
            Step::Next(next) => registers = next,
            Step::End => break,
            Step::Stuck => {
                flags |= STACK_TRUNCATED;
                break;
            }
        }
        is_return = rule.kind != Kind::SIGNAL;
    }
    let id = (hash ^ (hash >> 32)).max(1);
    let memo = memo.into_inner();
    if reads.get() <= READS_MAX && flags & STACK_TRUNCATED == 0 {
        let Caller { sp, fp, pc } = caller;
        (memo.sp, memo.fp, memo.pc, memo.id) = (sp, fp, pc, id);
        (memo.generation, memo.flags) = (lookup.generation, flags);
        (memo.count, memo.reads) = (count as u32, reads.get() as u32);
    }
    Walked { count, flags, id }
}

/// Adds a read to those that a walk depends on.
fn remember(memo: &mut Memo, reads: &Cell<usize>, read: Option<(u64, u64)>) {
    let Some(read) = read else { return };
    if let Some(place) = memo.read.get_mut(reads.get()) {
        *place = read;
    }
    reads.set(reads.get() + 1);
}

/// Takes back a read that only one more came after.
fn forget(memo: &mut Memo, reads: &Cell<usize>, at: usize) -> Option<(u64, u64)> {
    let last = *memo.read.get(at + 1)?;
    reads.set(at + 1);
    Some(core::mem::replace(&mut memo.read[at], last))
}

/// Where no rule tells: as if the function kept a frame pointer. On aarch64 all do.
fn follow_frame_pointer(registers: Registers, read: impl Fn(u64) -> Option<u64>) -> Step {
    let Registers { sp, fp, .. } = registers;
    // The outermost frame has none; by convention only on aarch64.
    if fp == 0 && cfg!(target_arch = "aarch64") {
        return Step::End;
    }
    if fp < sp || fp % 8 != 0 || fp.checked_add(16).is_none() {
        return Step::Stuck;
    }
    match (read(fp), read(fp + 8)) {
        (Some(_), Some(0)) => Step::End,
        (Some(next), Some(pc)) => Step::Next(Registers { pc, sp: fp + 16, fp: next }),
        _ => Step::Stuck,
    }
}
