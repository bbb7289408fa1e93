//! Stands in for the `new` and `delete` of C++.
//!
//! A `new` may throw, and nothing of ours may be on the stack then. So the form that does not
//! throw is tried; when it fails, the stack is put back as it was and the real throwing form is
//! jumped to, which fails again, and throws to the caller.

use core::arch::naked_asm;
use core::mem::transmute;
use core::ptr::null_mut;

use crate::calls::{Inside, exported, give_back, got, real};
use crate::layout::Operation;
use crate::next::{Function, find};
use crate::stack::Caller;
use crate::sys;

type New = unsafe extern "C" fn(usize) -> *mut u8;
type NewNothrow = unsafe extern "C" fn(usize, *const u8) -> *mut u8;
type NewAligned = unsafe extern "C" fn(usize, usize, *const u8) -> *mut u8;
type Delete = unsafe extern "C" fn(*mut u8);
type DeleteSized = unsafe extern "C" fn(*mut u8, usize);
type DeleteNothrow = unsafe extern "C" fn(*mut u8, *const u8);

/// Defines a throwing form, with 1 argument or 2. `try_` returns memory, or null to go on to what
/// `next_` returns.
macro_rules! throwing {
    ($($symbol:literal $name:ident => $try_:path, $next_:path;)+) => {
        $(
            /// Stands in for the function of this name.
            #[unsafe(naked)]
            #[unsafe(export_name = $symbol)]
            pub unsafe extern "C" fn $name() {
                #[cfg(target_arch = "x86_64")]
                naked_asm!(
                    "endbr64",
                    "push rdi",
                    "push rsi",
                    "sub rsp, 8",
                    "lea rdx, [rsp + 32]",
                    "mov rcx, rbp",
                    "mov r8, [rsp + 24]",
                    "call {try_}",
                    "test rax, rax",
                    "je 2f",
                    "add rsp, 24",
                    "ret",
                    "2:",
                    "call {next_}",
                    "add rsp, 8",
                    "pop rsi",
                    "pop rdi",
                    "jmp rax",
                    try_ = sym $try_,
                    next_ = sym $next_,
                );
                #[cfg(target_arch = "aarch64")]
                naked_asm!(
                    "hint #34",
                    "mov x2, sp",
                    "mov x3, x29",
                    "mov x4, x30",
                    "stp x29, x30, [sp, #-32]!",
                    "stp x0, x1, [sp, #16]",
                    "mov x29, sp",
                    "bl {try_}",
                    "cbz x0, 2f",
                    "ldp x29, x30, [sp], #32",
                    "ret",
                    "2:",
                    "bl {next_}",
                    "mov x16, x0",
                    "ldp x0, x1, [sp, #16]",
                    "ldp x29, x30, [sp], #32",
                    "br x16",
                    try_ = sym $try_,
                    next_ = sym $next_,
                );
            }
        )+
    };
}

throwing! {
    "_Znwm" new => try_new, next_new;
    "_Znam" new_array => try_new_array, next_new_array;
    "_ZnwmSt11align_val_t" new_aligned => try_new_aligned, next_new_aligned;
    "_ZnamSt11align_val_t" new_array_aligned => try_new_array_aligned, next_new_array_aligned;
}

exported! {
    "_ZnwmRKSt9nothrow_t" new_nothrow(2) => enter_new_nothrow;
    "_ZnamRKSt9nothrow_t" new_array_nothrow(2) => enter_new_array_nothrow;
    "_ZnwmSt11align_val_tRKSt9nothrow_t" new_aligned_nothrow(3) => enter_new_aligned_nothrow;
    "_ZnamSt11align_val_tRKSt9nothrow_t" new_array_aligned_nothrow(3) => enter_new_array_aligned_nothrow;
    "_ZdlPv" delete(1) => enter_delete;
    "_ZdaPv" delete_array(1) => enter_delete_array;
    "_ZdlPvm" delete_sized(2) => enter_delete_sized;
    "_ZdaPvm" delete_array_sized(2) => enter_delete_array_sized;
    "_ZdlPvRKSt9nothrow_t" delete_nothrow(2) => enter_delete_nothrow;
    "_ZdaPvRKSt9nothrow_t" delete_array_nothrow(2) => enter_delete_array_nothrow;
    "_ZdlPvSt11align_val_t" delete_aligned(2) => enter_delete_aligned;
    "_ZdaPvSt11align_val_t" delete_array_aligned(2) => enter_delete_array_aligned;
    "_ZdlPvmSt11align_val_t" delete_sized_aligned(3) => enter_delete_sized_aligned;
    "_ZdaPvmSt11align_val_t" delete_array_sized_aligned(3) => enter_delete_array_sized_aligned;
    "_ZdlPvSt11align_val_tRKSt9nothrow_t" delete_aligned_nothrow(3) => enter_delete_aligned_nothrow;
    "_ZdaPvSt11align_val_tRKSt9nothrow_t" delete_array_aligned_nothrow(3) => enter_delete_array_aligned_nothrow;
}

/// `std::nothrow`: an empty object of which only the address is passed.
static NOTHROW: u8 = 0;

/// Tries a form that does not throw; null when it failed or nothing is recorded.
#[inline(always)]
fn attempt(size: usize, caller: Caller, real: Option<impl FnOnce() -> *mut u8>) -> *mut u8 {
    let (Some(inside), Some(real)) = (Inside::enter(), real) else { return null_mut() };
    let address = inside.call(real);
    got(&inside, Operation::New, address, size, caller);
    if address.is_null() {
        // SAFETY: the calling thread's.
        unsafe { (*inside.thread()).retries = 1 };
    }
    address
}

macro_rules! attempts {
    ($($try_:ident $next_:ident = $function:ident, $nothrow:ident, $kind:ident;)+) => {
        $(
            attempts!(@$kind $try_, $nothrow);

            extern "C" fn $next_() -> usize {
                match find(Function::$function) {
                    0 => no_operator as *const () as usize,
                    found => found,
                }
            }
        )+
    };
    (@plain $try_:ident, $nothrow:ident) => {
        unsafe extern "C" fn $try_(size: usize, _: usize, sp: u64, fp: u64, pc: u64) -> *mut u8 {
            // SAFETY: the caller's own call.
            let real = real!($nothrow as NewNothrow).map(|real| move || unsafe { real(size, &NOTHROW) });
            attempt(size, Caller { sp, fp, pc }, real)
        }
    };
    (@aligned $try_:ident, $nothrow:ident) => {
        unsafe extern "C" fn $try_(size: usize, align: usize, sp: u64, fp: u64, pc: u64) -> *mut u8 {
            // SAFETY: the caller's own call.
            let real = real!($nothrow as NewAligned).map(|real| move || unsafe { real(size, align, &NOTHROW) });
            attempt(size, Caller { sp, fp, pc }, real)
        }
    };
}

attempts! {
    try_new next_new = new, new_nothrow, plain;
    try_new_array next_new_array = new_array, new_array_nothrow, plain;
    try_new_aligned next_new_aligned = new_aligned, new_aligned_nothrow, aligned;
    try_new_array_aligned next_new_array_aligned = new_array_aligned, new_array_aligned_nothrow, aligned;
}

/// Somebody calls an operator that no library has: the C library's memory will do.
unsafe extern "C" fn no_operator(size: usize) -> *mut u8 {
    // SAFETY: as malloc(3).
    let address = real!(malloc as New).map_or(null_mut(), |real| unsafe { real(size) });
    if address.is_null() {
        // It may not return null, and there is nothing that could throw.
        sys::abort();
    }
    address
}

/// Runs a form that does not throw, and records it.
#[inline(always)]
fn get(size: usize, caller: Caller, real: impl FnOnce() -> *mut u8) -> *mut u8 {
    let Some(inside) = Inside::enter() else { return real() };
    let address = inside.call(real);
    got(&inside, Operation::New, address, size, caller);
    address
}

macro_rules! nothrow {
    ($($entry:ident = $function:ident;)+) => {
        $(
            unsafe extern "C" fn $entry(size: usize, tag: *const u8, sp: u64, fp: u64, pc: u64) -> *mut u8 {
                let Some(real) = real!($function as NewNothrow) else { return null_mut() };
                // SAFETY: the caller's own call.
                get(size, Caller { sp, fp, pc }, || unsafe { real(size, tag) })
            }
        )+
    };
}

nothrow! {
    enter_new_nothrow = new_nothrow;
    enter_new_array_nothrow = new_array_nothrow;
}

macro_rules! aligned_nothrow {
    ($($entry:ident = $function:ident;)+) => {
        $(
            unsafe extern "C" fn $entry(
                size: usize,
                align: usize,
                tag: *const u8,
                sp: u64,
                fp: u64,
                pc: u64,
            ) -> *mut u8 {
                let Some(real) = real!($function as NewAligned) else { return null_mut() };
                // SAFETY: the caller's own call.
                get(size, Caller { sp, fp, pc }, || unsafe { real(size, align, tag) })
            }
        )+
    };
}

aligned_nothrow! {
    enter_new_aligned_nothrow = new_aligned_nothrow;
    enter_new_array_aligned_nothrow = new_array_aligned_nothrow;
}

/// Defines entries of `delete`. Where a library lacks a form, the plain one does: it knows the
/// size and the alignment by itself, as that of the C library does.
macro_rules! deletes {
    ($($entry:ident($($argument:ident: $type:ty),*) = $function:ident as $real:ty;)+) => {
        $(
            unsafe extern "C" fn $entry(address: *mut u8 $(, $argument: $type)*) {
                let real = real!($function as $real);
                let plain = real!(free as Delete);
                // SAFETY: the caller's own call.
                give_back(Operation::Delete, address, || unsafe {
                    match (real, plain) {
                        (Some(real), _) => real(address $(, $argument)*),
                        (None, Some(plain)) => plain(address),
                        (None, None) => {}
                    }
                });
            }
        )+
    };
}

type DeleteSizedAligned = unsafe extern "C" fn(*mut u8, usize, usize);
type DeleteAlignedNothrow = unsafe extern "C" fn(*mut u8, usize, *const u8);

deletes! {
    enter_delete() = delete as Delete;
    enter_delete_array() = delete_array as Delete;
    enter_delete_sized(size: usize) = delete_sized as DeleteSized;
    enter_delete_array_sized(size: usize) = delete_array_sized as DeleteSized;
    enter_delete_nothrow(tag: *const u8) = delete_nothrow as DeleteNothrow;
    enter_delete_array_nothrow(tag: *const u8) = delete_array_nothrow as DeleteNothrow;
    enter_delete_aligned(align: usize) = delete_aligned as DeleteSized;
    enter_delete_array_aligned(align: usize) = delete_array_aligned as DeleteSized;
    enter_delete_sized_aligned(size: usize, align: usize) = delete_sized_aligned as DeleteSizedAligned;
    enter_delete_array_sized_aligned(size: usize, align: usize) = delete_array_sized_aligned as DeleteSizedAligned;
    enter_delete_aligned_nothrow(align: usize, tag: *const u8) = delete_aligned_nothrow as DeleteAlignedNothrow;
    enter_delete_array_aligned_nothrow(align: usize, tag: *const u8) = delete_array_aligned_nothrow as DeleteAlignedNothrow;
}
