//! Records the allocations of the program it is loaded into, from inside the allocating calls.
//!
//! `calls` and `operators` stand in for the functions of the C and the C++ library; `next` finds
//! the real ones. `record` writes an event with its stack, which `stack` walks and `modules` knows
//! the rules and files for, into the thread's ring (`ring`, `thread`), a file that the recorder
//! reads. `process` is what threads share, and knows a forked child from its parent.
//!
//! Whatever happens, the program must go on as if nothing were here: nothing is allocated, no lock
//! is waited for without limit, `errno` is not touched, no signal is caught, no file stays open. It
//! needs no C library of its own, and one function of the one that is there: `dl_iterate_phdr`.
#![no_std]

mod arena;
mod calls;
mod clock;
mod elf;
#[path = "../../src/layout.rs"]
#[allow(dead_code, reason = "half of it is the recorder's")]
mod layout;
mod maps;
mod memory;
mod modules;
mod next;
mod operators;
mod process;
mod record;
mod ring;
mod room;
mod rules;
mod seen;
mod stack;
mod sys;
mod thread;
mod tls;

/// A panic would be a bug in code that has no right to end the program; it cannot go on either.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    sys::abort()
}

/// Announces the process as soon as it is loaded, so that the recorder knows which processes were
/// reached, even those that never allocate.
extern "C" fn loaded() {
    next::resolve();
    process::announce();
}

#[used]
#[unsafe(link_section = ".init_array")]
static LOADED: extern "C" fn() = loaded;
