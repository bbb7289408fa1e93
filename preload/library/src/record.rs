//! Writes events.
//!
//! Times are such that all records of a process, sorted by them, tell what happened: memory that
//! is given back is so before the call in which another thread may get it; memory that is got is
//! so after. A `realloc` that moves is therefore two records: its old memory is given back (kind
//! deallocation) before the call, the new one (kind allocation) is got after it. The latter names
//! the old address too, which only informs: nothing is to be done about it. An allocation of
//! address 0 failed and changed nothing.
//!
//! The address of memory decides whether it is sampled, so that pairs stay whole. Memory below the
//! least size is not recorded when it is got but when it is given back: giving back what is not
//! known means that it was too small, or older than the recording.

use core::sync::atomic::Ordering;

use crate::layout::{
    self, ALLOCATION_BYTES, Control, DEALLOCATION_BYTES, DEPTH_MAX, HEARTBEAT_STALE_NS,
    KIND_ALLOCATION, KIND_DEALLOCATION, KIND_STACK, ON_FULL_WAIT, Operation, SHORT_ADDRESS_BITS,
    SHORT_ALLOCATION_BYTES, SHORT_DEALLOCATION_BYTES, STACK_BYTES, TAG_ALLOCATION,
    TAG_DEALLOCATION, TAIL_FRAMES, address_word, first_word,
};
use crate::ring::{self, NoRoom};
use crate::rules::Lookup;
use crate::stack::{self, Caller, Memos};
use crate::thread::{self, Local};
use crate::tls::Thread;
use crate::{clock, modules, process, seen, sys};

/// Places in [`layout::KINDS`].
const ALLOCATION: usize = 0;
const DEALLOCATION: usize = 1;

/// How long a thread waits for room at a time; the recorder wakes it.
const WAIT_NS: u64 = 50_000_000;

/// Makes sure that the thread can record; the control memory then.
///
/// # Safety
/// `thread` is the calling thread's.
#[inline(always)]
unsafe fn ready(thread: *mut Thread, kind: usize) -> Option<&'static Control> {
    let mut incarnation = process::incarnation();
    // SAFETY: by contract.
    unsafe {
        if incarnation == 0 || (*thread).incarnation != incarnation || (*thread).local.is_null() {
            if incarnation == 0 {
                incarnation = process::set_up();
            }
            if incarnation == 0 || process::is_off() {
                return None;
            }
            if process::control().stop.load(Ordering::Relaxed) == 0
                && !thread::attach(thread, incarnation)
            {
                process::count_lost(kind);
                return None;
            }
        }
    }
    let control = process::control();
    if control.stop.load(Ordering::Relaxed) != 0 {
        process::turn_off();
        return None;
    }
    Some(control)
}

/// Writes the records of one event.
pub struct Writer {
    thread: *mut Thread,
    local: *mut Local,
    control: &'static Control,
    /// The segment that it writes into.
    pub epoch: u32,
    stamp: u64,
    cpu: u32,
}

/// Begins an event: its time, or `None` if it is lost because it interrupts another. Of a call that
/// gave memory back the time has been taken before.
///
/// # Safety
/// `thread` is the calling thread's, and [`ready`].
#[inline(always)]
unsafe fn begin(
    thread: *mut Thread,
    control: &'static Control,
    kind: usize,
    since: Option<u64>,
) -> Option<u64> {
    // SAFETY: by contract.
    let (thread, local) = unsafe { (&mut *thread, &mut *(*thread).local) };
    if thread.writing != 0 {
        local.ring.header().lost[kind].fetch_add(1, Ordering::Relaxed);
        return None;
    }
    thread.writing = 1;
    local.ring.begin();
    let now = since.unwrap_or_else(|| clock::stamp(control));
    // Two events of a thread in the order in which they were.
    local.last_stamp = now.max(local.last_stamp + 1);
    Some(local.last_stamp)
}

/// Makes what was written the recorder's and ends the event. Unless a handler forked meanwhile and
/// this is the child: the ring is the parent's.
///
/// # Safety
/// `thread` is the calling thread's, and an event has begun.
#[inline(always)]
unsafe fn commit_and_end(thread: *mut Thread, control: &'static Control) {
    // SAFETY: by contract.
    let (thread, local) = unsafe { (&mut *thread, &mut *(*thread).local) };
    if local.incarnation == process::incarnation() {
        local.ring.commit(control);
    }
    local.ring.end();
    thread.writing = 0;
}

impl Writer {
    /// For an event that has begun.
    ///
    /// # Safety
    /// `thread` is the calling thread's, and [`ready`].
    #[inline(always)]
    unsafe fn new(thread: *mut Thread, control: &'static Control, stamp: u64) -> Writer {
        let epoch = control.epoch.load(Ordering::Relaxed);
        // SAFETY: by contract.
        let local = unsafe { (*thread).local };
        Writer { thread, local, control, epoch, stamp, cpu: clock::cpu() }
    }

    #[inline(always)]
    fn local(&mut self) -> &mut Local {
        // SAFETY: the thread's, and borrowed here only.
        unsafe { &mut *self.local }
    }

    #[inline(always)]
    fn end(mut self) {
        self.local().ring.end();
        // SAFETY: the thread's.
        unsafe { (*self.thread).writing = 0 };
    }

    #[cold]
    fn lose(mut self, kind: usize) {
        self.local().ring.header().lost[kind].fetch_add(1, Ordering::Relaxed);
        self.end();
    }

    /// Room for a record, waiting for it if that is wanted. [`Writer::epoch`] may be another then.
    #[inline(always)]
    pub fn reserve(&mut self, bytes: usize) -> Option<*mut u8> {
        match self.local().ring.reserve(bytes) {
            Ok(at) => Some(at),
            Err(NoRoom::NoMemory) => None,
            Err(NoRoom::Full) => self.wait(bytes),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait(&mut self, bytes: usize) -> Option<*mut u8> {
        while self.control.on_full == ON_FULL_WAIT {
            let heartbeat_ns = self.control.heartbeat_ns.load(Ordering::Relaxed);
            if self.control.stop.load(Ordering::Relaxed) != 0
                || heartbeat_ns + HEARTBEAT_STALE_NS < clock::now_ns()
            {
                return None;
            }
            let drained = self.control.drained.load(Ordering::Acquire);
            if let Ok(at) = self.local().ring.reserve(bytes) {
                return Some(at);
            }
            // The recorder need not wait for a thread that waits for it.
            self.local().ring.end();
            sys::futex_wake(self.control.bell.as_ptr());
            sys::futex_wait(self.control.drained.as_ptr(), drained, WAIT_NS);
            self.local().ring.begin();
            self.epoch = self.control.epoch.load(Ordering::Relaxed);
        }
        None
    }

    /// Writes the header of a record.
    ///
    /// # Safety
    /// There is room for it at `at`.
    #[inline(always)]
    pub unsafe fn header(&mut self, at: *mut u8, kind: u16, size: usize, fixed: usize) {
        // SAFETY: by contract.
        unsafe { ring::write_header(at, self.stamp, kind, size, fixed as u16, self.cpu) };
    }

    /// Makes what was written the recorder's, unless a handler forked meanwhile and this is the
    /// child: the ring is the parent's.
    #[inline(always)]
    pub fn commit(&mut self) {
        let control = self.control;
        let incarnation = self.local().incarnation;
        if incarnation == process::incarnation() {
            self.local().ring.commit(control);
        }
    }
}

/// What an allocating call did.
#[derive(Clone, Copy)]
pub struct Allocation {
    pub operation: Operation,
    /// 0: it failed.
    pub address: u64,
    pub old_address: u64,
    pub size_bytes: u64,
}

/// When a call begins that may give memory back; `None` when nothing is recorded.
///
/// # Safety
/// `thread` is the calling thread's.
#[inline]
pub unsafe fn start(thread: *mut Thread) -> Option<u64> {
    // SAFETY: by contract.
    unsafe { ready(thread, DEALLOCATION).map(clock::stamp) }
}

/// Memory was got, or not.
///
/// # Safety
/// `thread` is the calling thread's.
#[inline]
pub unsafe fn allocation(thread: *mut Thread, allocation: Allocation, caller: Caller) {
    // SAFETY: by contract.
    unsafe {
        let Some(control) = ready(thread, ALLOCATION) else { return };
        let Allocation { address, size_bytes, .. } = allocation;
        let mut one_in = control.one_in.max(1);
        if address == 0 {
            one_in = 1;
            // The second try of a `new` whose failure was recorded already: by another `new`, or by
            // the C library.
            if (*thread).retries != 0 {
                (*thread).retries = 0;
                return;
            }
        } else if !layout::is_sampled(address, control.salt, one_in) {
            return;
        }
        (*thread).retries = 0;
        if size_bytes < control.size_min {
            return;
        }
        let Some(stamp) = begin(thread, control, ALLOCATION, None) else { return };
        // Most calls come as one of the last did, and there is room.
        let local = &mut *(*thread).local;
        let epoch = control.epoch.load(Ordering::Relaxed);
        if is_short(&allocation)
            && let Some(id) = local.memos.recall_announced(caller, modules::generation(), epoch)
            && let Ok(at) = local.ring.reserve(SHORT_ALLOCATION_BYTES)
        {
            write_short(at, stamp, clock::cpu(), &allocation, id);
            return commit_and_end(thread, control);
        }
        write_allocation(Writer::new(thread, control, stamp), allocation, one_in, caller);
    }
}

/// Whether all fields fit in a short record.
#[inline(always)]
fn is_short(allocation: &Allocation) -> bool {
    allocation.old_address == 0 && allocation.address >> SHORT_ADDRESS_BITS == 0
}

/// Writes a short record.
///
/// # Safety
/// There is room for it at `at`, and it [`is_short`].
#[inline(always)]
unsafe fn write_short(at: *mut u8, stamp: u64, cpu: u32, allocation: &Allocation, stack_id: u64) {
    let words = [
        first_word(TAG_ALLOCATION | allocation.operation as u8, stamp),
        address_word(allocation.address, cpu),
        allocation.size_bytes,
        stack_id,
    ];
    // SAFETY: by contract; room is aligned to 8 bytes.
    unsafe { at.cast::<[u64; 4]>().write(words) };
}

/// Writes an allocation with what has to be announced before it.
#[inline(never)]
fn write_allocation(mut writer: Writer, allocation: Allocation, one_in: u32, caller: Caller) {
    // A full ring costs no walk.
    if writer.reserve(ALLOCATION_BYTES).is_none() {
        return writer.lose(ALLOCATION);
    }
    let is_short = is_short(&allocation);
    let record_bytes = if is_short { SHORT_ALLOCATION_BYTES } else { ALLOCATION_BYTES };
    let depth_max = writer.control.depth_max as usize;
    let stamp = writer.stamp;
    let local = writer.local;
    // SAFETY: the thread's own; the writer does not touch what is borrowed here.
    let (memos, buffer) = unsafe { (&mut (*local).memos, &raw mut (*local).buffer) };
    let lookup = Lookup::new(stamp, buffer);
    let walk = |memos: &mut Memos| {
        // SAFETY: as above.
        let (bounds, window, frames) =
            unsafe { ((*local).bounds, &mut (*local).window, &mut (*local).frames) };
        let walked = stack::walk(caller, bounds, window, memos, frames, depth_max, lookup);
        (walked, &frames[..walked.count])
    };
    // Without the frames, if the stack is known.
    let (mut walked, mut frames) = match memos.recall(caller, lookup.generation) {
        Some(walked) => (walked, &[][..]),
        None => walk(memos),
    };
    loop {
        let epoch = writer.epoch;
        let key = walked.id ^ layout::mix(u64::from(epoch));
        let (mut stack_bytes, mut is_whole) = (0, true);
        if !seen::has(key) {
            if frames.is_empty() {
                (walked, frames) = walk(memos);
            }
            // SAFETY: the walk is over.
            is_whole = unsafe { modules::announce(&mut writer, frames, buffer) };
            stack_bytes = stack_record_bytes(walked.count);
        }
        // Both or none: no event without its stack.
        let Some(at) = writer.reserve(stack_bytes + record_bytes) else {
            return writer.lose(ALLOCATION);
        };
        // Waiting has led into another segment, which knows no stacks yet.
        if writer.epoch != epoch {
            continue;
        }
        // SAFETY: the room was reserved.
        unsafe {
            if stack_bytes != 0 {
                write_stack(&mut writer, at, &walked, frames);
            }
            let at = at.add(stack_bytes);
            if is_short {
                write_short(at, writer.stamp, writer.cpu, &allocation, walked.id);
            } else {
                writer.header(at, KIND_ALLOCATION, ALLOCATION_BYTES, ALLOCATION_BYTES);
                at.add(24).cast::<[u64; 5]>().write([
                    allocation.address,
                    allocation.old_address,
                    allocation.size_bytes,
                    walked.id,
                    allocation.operation as u64 | u64::from(one_in) << 32,
                ]);
            }
        }
        writer.commit();
        if is_whole {
            if stack_bytes != 0 {
                seen::insert(key);
            }
            memos.announce(caller, walked.id, epoch);
        }
        return writer.end();
    }
}

fn stack_record_bytes(frames: usize) -> usize {
    (STACK_BYTES + 4 + 8 * frames).next_multiple_of(8)
}

/// # Safety
/// There is room for it at `at`.
#[cold]
unsafe fn write_stack(writer: &mut Writer, at: *mut u8, walked: &stack::Walked, frames: &[u64]) {
    let size = stack_record_bytes(frames.len());
    debug_assert!(frames.len() <= DEPTH_MAX);
    // SAFETY: by contract.
    unsafe {
        writer.header(at, KIND_STACK, size, STACK_BYTES);
        at.add(24).cast::<u64>().write(walked.id);
        // No frame is the kernel's.
        at.add(32).cast::<u64>().write(u64::from(walked.flags) << 32);
        let length = frames.len() as u32 * 8;
        at.add(STACK_BYTES).cast::<u32>().write(u32::from(TAIL_FRAMES) | length << 16);
        let mut at = at.add(STACK_BYTES + 4).cast::<u64>();
        for frame in frames {
            at.write_unaligned(*frame);
            at = at.add(1);
        }
        at.cast::<u32>().write(0);
    }
}

/// Memory is about to be given back, or has been since `since`.
///
/// # Safety
/// `thread` is the calling thread's.
#[inline]
pub unsafe fn deallocation(
    thread: *mut Thread,
    operation: Operation,
    address: u64,
    since: Option<u64>,
) {
    // SAFETY: by contract.
    unsafe {
        let Some(control) = ready(thread, DEALLOCATION) else { return };
        let one_in = control.one_in.max(1);
        if !layout::is_sampled(address, control.salt, one_in) {
            return;
        }
        let Some(stamp) = begin(thread, control, DEALLOCATION, since) else { return };
        let local = &mut *(*thread).local;
        if address >> SHORT_ADDRESS_BITS == 0
            && let Ok(at) = local.ring.reserve(SHORT_DEALLOCATION_BYTES)
        {
            write_short_deallocation(at, stamp, clock::cpu(), operation, address);
            return commit_and_end(thread, control);
        }
        write_deallocation(Writer::new(thread, control, stamp), operation, address, one_in);
    }
}

/// # Safety
/// There is room for it at `at`, and for the address in a short record.
#[inline(always)]
unsafe fn write_short_deallocation(
    at: *mut u8,
    stamp: u64,
    cpu: u32,
    operation: Operation,
    address: u64,
) {
    let first = first_word(TAG_DEALLOCATION | operation as u8, stamp);
    // SAFETY: by contract; room is aligned to 8 bytes.
    unsafe { at.cast::<[u64; 2]>().write([first, address_word(address, cpu)]) };
}

/// Where there is no room right now, or the address has more than the usual bits.
#[cold]
#[inline(never)]
fn write_deallocation(mut writer: Writer, operation: Operation, address: u64, one_in: u32) {
    let is_short = address >> SHORT_ADDRESS_BITS == 0;
    let bytes = if is_short { SHORT_DEALLOCATION_BYTES } else { DEALLOCATION_BYTES };
    let Some(at) = writer.reserve(bytes) else { return writer.lose(DEALLOCATION) };
    // SAFETY: the room was reserved.
    unsafe {
        if is_short {
            write_short_deallocation(at, writer.stamp, writer.cpu, operation, address);
        } else {
            writer.header(at, KIND_DEALLOCATION, DEALLOCATION_BYTES, DEALLOCATION_BYTES);
            let words = [address, operation as u64 | u64::from(one_in) << 32];
            at.add(24).cast::<[u64; 2]>().write(words);
        }
    }
    writer.commit();
    writer.end();
}

/// Memory has changed its size, its address or both, or has not.
///
/// # Safety
/// `thread` is the calling thread's; `since` is of [`start`] before the call.
#[inline]
pub unsafe fn reallocation(thread: *mut Thread, made: Allocation, since: u64, caller: Caller) {
    let Allocation { operation, address, old_address, size_bytes } = made;
    // SAFETY: by contract.
    unsafe {
        if address == 0 && size_bytes != 0 {
            // The old memory is as it was.
            return allocation(thread, made, caller);
        }
        let is_small = size_bytes < process::control().size_min;
        if address != old_address || is_small {
            deallocation(thread, operation, old_address, Some(since));
        }
        if address != 0 && !is_small {
            allocation(thread, made, caller);
        }
    }
}
