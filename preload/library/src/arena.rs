//! Memory for calls that arrive while the real functions are being looked for: `dl_iterate_phdr`
//! may have been replaced by one that allocates.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};

const BYTES: usize = 32 << 10;

#[repr(align(4096))]
struct Arena(UnsafeCell<[u8; BYTES]>);

// SAFETY: each byte is handed out once.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena(UnsafeCell::new([0; BYTES]));
static USED: AtomicUsize = AtomicUsize::new(0);

/// Zeroed memory that is never given back; null when there is no more.
pub fn allocate(bytes: usize, align: usize) -> *mut u8 {
    let align = align.max(16);
    // The word before holds the size, for `size_of`.
    let Some(padded) = bytes.checked_add(align + 16) else { return core::ptr::null_mut() };
    let at = USED.fetch_add(padded, Ordering::Relaxed);
    if at.checked_add(padded).is_none_or(|end| end > BYTES) || !align.is_power_of_two() {
        return core::ptr::null_mut();
    }
    let base = ARENA.0.get() as usize;
    let address = (base + at + 16).next_multiple_of(align);
    // SAFETY: inside the piece that was taken.
    unsafe { (address as *mut usize).sub(1).write(bytes) };
    address as *mut u8
}

/// Whether memory is of the arena.
#[inline(always)]
pub fn has(at: *const u8) -> bool {
    (at as usize).wrapping_sub(ARENA.0.get() as usize) < BYTES
}

/// The size of memory of the arena.
///
/// # Safety
/// It was returned by [`allocate`].
pub unsafe fn size_of(at: *const u8) -> usize {
    // SAFETY: by contract.
    unsafe { at.cast::<usize>().sub(1).read() }
}
