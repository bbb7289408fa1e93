//! The ring and the workplace of each thread. A ring outlives its thread and is taken over by the
//! next, so that a program that starts threads without end does not take memory without end.

use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::layout::{DEPTH_MAX, HEADER_BYTES, RING_BYTES_MIN, RING_PREFIX, RINGS_MAX};
use crate::ring::{Ring, STEP_BYTES};
use crate::stack::{Bounds, Memos, Window};
use crate::tls::{self, Thread};
use crate::{maps, process, room, sys};

/// What a thread works with, in memory of its own: stacks may be small.
#[repr(C)]
pub struct Local {
    pub ring: Ring,
    /// Process and thread as their `/proc` numbers them.
    pub ids: Ids,
    pub incarnation: u32,
    /// When the last event was: see [`clock::stamp`](crate::clock::stamp).
    pub last_stamp: u64,
    /// The thread's own stack.
    pub bounds: Bounds,
    /// Copies of other stacks.
    pub window: Window,
    pub memos: Memos,
    pub frames: [u64; DEPTH_MAX],
    pub buffer: [u8; maps::BUFFER_BYTES],
}

const LOCAL_BYTES: usize = size_of::<Local>().next_multiple_of(4096);

static LOCALS: [AtomicPtr<Local>; RINGS_MAX] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; RINGS_MAX];
/// Thread that uses a ring, as this process numbers it; 0 is none.
static OWNERS: [AtomicU32; RINGS_MAX] = [const { AtomicU32::new(0) }; RINGS_MAX];
static USED: AtomicU32 = AtomicU32::new(0);
/// Where the last search for a ring without a thread ended.
static SEARCHED: AtomicU32 = AtomicU32::new(0);

/// Rings looked at before a new one is made.
const SEARCH_MAX: u32 = 64;

/// Whether no other thread that runs has ever recorded anything: rings are handed on only by threads
/// that are gone.
#[inline(always)]
pub fn is_alone() -> bool {
    USED.load(Ordering::Acquire) <= 1
}

/// Numbers of a thread.
#[derive(Clone, Copy)]
pub struct Ids {
    pub pid: u32,
    pub tid: u32,
}

impl Ids {
    /// The calling thread's. The recorder's `/proc` shows even what a PID namespace hides from the
    /// process itself, unless that has a `/proc` of its own.
    pub fn own() -> Ids {
        let mut buffer = [0; 64];
        let link = sys::read_link(b"/proc/thread-self\0", &mut buffer);
        let parsed = link.ok().and_then(|link| {
            let mut numbers = link.split(|byte| *byte == b'/');
            let pid = number(numbers.next()?)?;
            Some(Ids { pid, tid: number(numbers.nth(1)?)? })
        });
        parsed.unwrap_or_else(|| Ids { pid: sys::process_id(), tid: sys::thread_id() })
    }
}

fn number(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0u32, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value.wrapping_mul(10).wrapping_add(u32::from(digit)))
    })
}

/// Gives the calling thread its place in the running incarnation. Whether it has a ring.
///
/// # Safety
/// `thread` is the calling thread's.
#[cold]
#[inline(never)]
pub unsafe fn attach(thread: *mut Thread, incarnation: u32) -> bool {
    // SAFETY: by contract.
    let thread = unsafe { &mut *thread };
    if thread.incarnation != incarnation {
        *thread = Thread {
            local: core::ptr::null_mut(),
            incarnation,
            failures: 0,
            writing: 0,
            ..*thread
        };
    } else {
        // A thread that got none asks again, but more and more seldom.
        thread.failures = thread.failures.wrapping_add(1);
        if !thread.failures.is_power_of_two() {
            return false;
        }
    }
    let tid = sys::thread_id();
    let local = take_over(tid).or_else(|| make(tid));
    let Some(local) = local else { return false };
    // SAFETY: nobody else has it.
    unsafe {
        (*local).incarnation = incarnation;
        let is_main = (*local).ids.pid == (*local).ids.tid;
        (*local).bounds = Bounds::own(is_main, tls::pointer(), &mut (*local).buffer);
        (*local).window.clear();
        (*local).memos.clear();
    }
    thread.local = local;
    true
}

/// A ring whose thread is gone.
fn take_over(tid: u32) -> Option<*mut Local> {
    let used = USED.load(Ordering::Relaxed).min(RINGS_MAX as u32);
    let limit = if used < RINGS_MAX as u32 { used.min(SEARCH_MAX) } else { used };
    for _ in 0..limit {
        let at = (SEARCHED.fetch_add(1, Ordering::Relaxed) % used) as usize;
        let owner = OWNERS[at].load(Ordering::Relaxed);
        // A thread with our number that is not us: its number has been given to us.
        if owner == 0 || (owner != tid && !sys::is_gone(owner)) {
            continue;
        }
        let taken = OWNERS[at].compare_exchange(owner, tid, Ordering::Acquire, Ordering::Relaxed);
        let local = LOCALS[at].load(Ordering::Acquire);
        if taken.is_err() || local.is_null() {
            continue;
        }
        let ids = Ids::own();
        // SAFETY: its thread is gone, and we are the one that took it.
        let has_room = unsafe { (*local).ring.hand_over(ids.tid, process::control()) };
        if has_room {
            // SAFETY: as above.
            unsafe { (*local).ids = ids };
            return Some(local);
        }
        OWNERS[at].store(owner, Ordering::Release);
    }
    None
}

/// A new ring.
fn make(tid: u32) -> Option<*mut Local> {
    let at = USED.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |used| {
        (used < RINGS_MAX as u32).then_some(used + 1)
    });
    let at = at.ok()? as usize;
    let made = make_at(at);
    let Some(local) = made else {
        // Others may have made rings behind it; then the place stays empty.
        let used = at as u32 + 1;
        let _ = USED.compare_exchange(used, used - 1, Ordering::Relaxed, Ordering::Relaxed);
        return None;
    };
    LOCALS[at].store(local, Ordering::Release);
    OWNERS[at].store(tid, Ordering::Release);
    Some(local)
}

fn make_at(at: usize) -> Option<*mut Local> {
    let wanted = process::control().ring_bytes;
    // Few threads do much: programs with thousands of them get small rings for the later ones.
    let bytes = match at {
        0..32 => wanted,
        32..256 => wanted / 4,
        _ => wanted / 16,
    };
    let bytes = room::take(bytes.max(RING_BYTES_MIN.min(wanted)).into())?;
    let made = make_of(bytes);
    if made.is_none() {
        room::give_back(bytes);
    }
    made
}

fn make_of(bytes: u64) -> Option<*mut Local> {
    let ids = Ids::own();
    let local = sys::map_anonymous(LOCAL_BYTES).ok()?.cast::<Local>();
    let step = STEP_BYTES.min(bytes);
    let whole = HEADER_BYTES + bytes as usize;
    let made = process::make_file(RING_PREFIX, ids.pid, whole, HEADER_BYTES + step as usize);
    let file = match made {
        // The kernel must be able to back the rest later; before 5.14 it cannot.
        // SAFETY: the first step is mapped.
        Ok(file) if can_back(file, step as usize) => (file, step),
        Ok(file) => {
            // SAFETY: just mapped, and nobody knows of it.
            unsafe { sys::unmap(file, whole) };
            match process::make_file(RING_PREFIX, ids.pid, whole, whole) {
                Ok(file) => (file, bytes),
                Err(_) => return give_back(local),
            }
        }
        Err(_) => return give_back(local),
    };
    let (file, backed) = file;
    // SAFETY: both are mapped and nobody else's; all other fields may be zero.
    unsafe {
        (&raw mut (*local).ring).write(Ring::new(file, bytes, backed));
        (*local).ids = ids;
        process::fill_header(file.cast(), ids.pid, ids.tid, bytes as u32);
    }
    Some(local)
}

fn can_back(file: *mut u8, step: usize) -> bool {
    // SAFETY: the caller has mapped it.
    unsafe {
        let data = file.add(HEADER_BYTES);
        sys::advise(data, step, sys::MADV_POPULATE_WRITE) != Err(sys::EINVAL)
    }
}

fn give_back(local: *mut Local) -> Option<*mut Local> {
    // SAFETY: just mapped.
    unsafe { sys::unmap(local.cast(), LOCAL_BYTES) };
    None
}

/// In a forked child: the rings are the parent's.
pub fn forget_parent() {
    // SAFETY: the only thread of this process that runs here.
    let thread = unsafe { &*tls::thread() };
    let used = USED.load(Ordering::Relaxed).min(RINGS_MAX as u32) as usize;
    for (local, owner) in LOCALS[..used].iter().zip(&OWNERS) {
        owner.store(0, Ordering::Relaxed);
        let local = local.swap(core::ptr::null_mut(), Ordering::Relaxed);
        // A handler may have forked in the middle of a record and will return into it.
        if local.is_null() || (thread.writing != 0 && thread.local == local) {
            continue;
        }
        // SAFETY: no other thread of the parent is here.
        unsafe {
            let (file, bytes) = (*local).ring.file();
            sys::unmap(file, bytes);
            sys::unmap(local.cast(), LOCAL_BYTES);
        }
    }
    USED.store(0, Ordering::Relaxed);
}
