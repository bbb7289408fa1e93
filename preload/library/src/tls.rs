//! What each thread has to itself, at a fixed distance from its thread pointer (initial-exec).
//!
//! The library is loaded at the start of a program, so that this memory is there in every thread
//! from its first instruction on and costs no call, allocation or destructor.

use core::arch::{asm, global_asm};

use crate::thread::Local;

global_asm!(
    ".pushsection .tbss.ebrec, \"awT\", @nobits",
    ".globl ebrec_thread",
    ".hidden ebrec_thread",
    ".type ebrec_thread, @object",
    ".size ebrec_thread, 48",
    ".p2align 4",
    "ebrec_thread:",
    ".zero 48",
    ".popsection",
);

/// The state of a thread. All zero in a new one.
#[repr(C)]
pub struct Thread {
    /// Its ring and workplace; null when it has none.
    pub local: *mut Local,
    /// Incarnation of the process that `local` is of.
    pub incarnation: u32,
    /// How often it could not get a ring.
    pub failures: u32,
    /// Calls of real functions it is in: what these call is theirs.
    pub depth: u32,
    /// It is writing a record: what a signal handler allocates now has no room.
    pub writing: u32,
    /// A `new` that failed is about to be tried again, in order to throw.
    pub retries: u32,
    /// Fills the line.
    pub reserved: u32,
}

const _: () = assert!(size_of::<Thread>() <= 48);

/// The calling thread's.
#[inline(always)]
pub fn thread() -> *mut Thread {
    let at: *mut Thread;
    // SAFETY: reads the thread pointer and a constant of the linker.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!(
            "mov {at}, qword ptr [rip + ebrec_thread@GOTTPOFF]",
            "add {at}, qword ptr fs:[0]",
            at = out(reg) at,
            options(pure, readonly, nostack)
        );
        #[cfg(target_arch = "aarch64")]
        asm!(
            "mrs {at}, tpidr_el0",
            "adrp {offset}, :gottprel:ebrec_thread",
            "ldr {offset}, [{offset}, :gottprel_lo12:ebrec_thread]",
            "add {at}, {at}, {offset}",
            at = out(reg) at,
            offset = out(reg) _,
            options(pure, readonly, nostack)
        );
    }
    at
}

/// The thread pointer: in the thread's stack mapping, above the stack.
pub fn pointer() -> u64 {
    let at: u64;
    // SAFETY: reads the thread pointer.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!("mov {at}, qword ptr fs:[0]", at = out(reg) at, options(pure, readonly, nostack));
        #[cfg(target_arch = "aarch64")]
        asm!("mrs {at}, tpidr_el0", at = out(reg) at, options(pure, nomem, nostack));
    }
    at
}
