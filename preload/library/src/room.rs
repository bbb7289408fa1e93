//! The room that the rings of a recording take together: a number in a file that all its programs
//! may change, under a lock. The file is not mapped: whoever may write to it may also cut it.

use crate::layout::{RING_BYTES_SHORT, ROOM_NAME};
use crate::sys::File;
use crate::{process, sys};

/// How often a thread lets others run that hold the lock, for microseconds.
const TURNS_MAX: u32 = 200;

/// Takes room for a ring of `wanted` bytes, or of half of that, and so on down to
/// [`RING_BYTES_SHORT`].
pub fn take(wanted: u64) -> Option<u64> {
    let room_max = process::control().rings_bytes_max;
    let mut taken = None;
    change(|used| {
        let mut bytes = wanted;
        while used.saturating_add(bytes) > room_max {
            bytes /= 2;
            if bytes < RING_BYTES_SHORT.min(wanted) {
                return used;
            }
        }
        taken = Some(bytes);
        used + bytes
    })?;
    taken
}

/// Gives back what was taken for a ring that there will not be.
pub fn give_back(bytes: u64) {
    // Should it fail, the recorder finds out that the room is not in use.
    let _ = change(|used| used.saturating_sub(bytes));
}

/// Changes the number; `None` when that is not possible.
fn change(run: impl FnOnce(u64) -> u64) -> Option<()> {
    let mut bytes = [0; 8];
    // Writing beyond the limit is answered with a signal that ends the program.
    if sys::file_size_limit() < bytes.len() as u64 {
        return None;
    }
    let mut path = [0; process::PATH_BYTES];
    let file = File::open_to_write(process::path_of(ROOM_NAME.as_bytes(), &mut path)?).ok()?;
    let mut turns = 0;
    while !file.lock() {
        turns += 1;
        if turns == TURNS_MAX {
            return None;
        }
        sys::yield_now();
    }
    let is_read = file.read(&mut bytes) == Ok(bytes.len());
    let used = if is_read { u64::from_ne_bytes(bytes) } else { 0 };
    let is_written = file.write_at_start(&run(used).to_ne_bytes());
    // Closing would not do: a child forked meanwhile has the descriptor too.
    file.unlock();
    is_written.then_some(())
}
