//! Which stacks were announced in this process and segment. A fixed set that forgets when it is
//! full: what it forgot is announced again, which costs room but does no harm.

use core::sync::atomic::{AtomicU64, Ordering};

const SLOTS: usize = 1 << 16;
/// Places a key may be in: half a cache line.
const WAYS: usize = 4;

static SEEN: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

/// Whether `key` is in the set.
#[inline]
pub fn has(key: u64) -> bool {
    places(key).iter().any(|slot| slot.load(Ordering::Relaxed) == key)
}

/// Adds `key`; another may make room.
pub fn insert(key: u64) {
    let places = places(key);
    let free = places.iter().position(|slot| slot.load(Ordering::Relaxed) == 0);
    let at = free.unwrap_or((key >> 62) as usize);
    places[at % WAYS].store(key, Ordering::Relaxed);
}

#[inline(always)]
fn places(key: u64) -> &'static [AtomicU64] {
    let first = (key as usize % SLOTS) & !(WAYS - 1);
    &SEEN[first..first + WAYS]
}
