//! Stands in for the allocating functions of the C library.
//!
//! Each is entered through a few instructions of its own that pass on where the call came from,
//! which Rust has no words for, and then jump: no frame of ours is between the caller and the
//! function that does the work.

use core::arch::naked_asm;
use core::mem::transmute;
use core::ptr::null_mut;

use crate::layout::Operation;
use crate::next::{self, Function, find};
use crate::record::{self, Allocation};
use crate::stack::Caller;
use crate::tls::{self, Thread};
use crate::{arena, modules, process};

const EINVAL: i32 = 22;
const PAGE_BYTES: usize = 4096;

/// Defines an exported function that adds the caller's stack pointer, frame pointer and return
/// address to its 1, 2 or 3 arguments and jumps to `entry`.
macro_rules! exported {
    ($($symbol:literal $name:ident($count:tt) => $entry:path;)+) => {
        $(
            /// Stands in for the function of this name.
            #[unsafe(naked)]
            #[unsafe(export_name = $symbol)]
            pub unsafe extern "C" fn $name() {
                exported!(@code $count, $entry)
            }
        )+
    };
    (@code 1, $entry:path) => { exported!(@asm "rsi", "rdx", "rcx", "x1", "x2", "x3", $entry) };
    (@code 2, $entry:path) => { exported!(@asm "rdx", "rcx", "r8", "x2", "x3", "x4", $entry) };
    (@code 3, $entry:path) => { exported!(@asm "rcx", "r8", "r9", "x3", "x4", "x5", $entry) };
    (@asm $sp:literal, $fp:literal, $pc:literal, $arm_sp:literal, $arm_fp:literal, $arm_pc:literal, $entry:path) => {{
        #[cfg(target_arch = "x86_64")]
        naked_asm!(
            "endbr64",
            concat!("lea ", $sp, ", [rsp + 8]"),
            concat!("mov ", $fp, ", rbp"),
            concat!("mov ", $pc, ", [rsp]"),
            "jmp {entry}",
            entry = sym $entry
        );
        #[cfg(target_arch = "aarch64")]
        naked_asm!(
            "hint #34",
            concat!("mov ", $arm_sp, ", sp"),
            concat!("mov ", $arm_fp, ", x29"),
            concat!("mov ", $arm_pc, ", x30"),
            "b {entry}",
            entry = sym $entry
        );
    }};
}
pub(crate) use exported;

exported! {
    "malloc" malloc(1) => enter_malloc;
    "free" free(1) => enter_free;
    "cfree" cfree(1) => enter_free;
    "calloc" calloc(2) => enter_calloc;
    "realloc" realloc(2) => enter_realloc;
    "reallocarray" reallocarray(3) => enter_reallocarray;
    "posix_memalign" posix_memalign(3) => enter_posix_memalign;
    "aligned_alloc" aligned_alloc(2) => enter_aligned_alloc;
    "memalign" memalign(2) => enter_memalign;
    "valloc" valloc(1) => enter_valloc;
    "pvalloc" pvalloc(1) => enter_pvalloc;
    "free_sized" free_sized(2) => enter_free_sized;
    "free_aligned_sized" free_aligned_sized(3) => enter_free_aligned_sized;
}

/// A thread that is in a real function: what that calls is not recorded.
pub struct Inside(*mut Thread);

impl Inside {
    /// The calling thread, if what it does is recorded.
    #[inline(always)]
    pub fn enter() -> Option<Inside> {
        if process::is_off() {
            return None;
        }
        let thread = tls::thread();
        // SAFETY: the calling thread's.
        unsafe { ((*thread).depth == 0).then_some(Inside(thread)) }
    }

    /// Runs the real function.
    #[inline(always)]
    pub fn call<T>(&self, real: impl FnOnce() -> T) -> T {
        // SAFETY: the calling thread's.
        unsafe {
            (*self.0).depth += 1;
            let result = real();
            (*self.0).depth -= 1;
            result
        }
    }

    /// The calling thread.
    #[inline(always)]
    pub fn thread(&self) -> *mut Thread {
        self.0
    }
}

/// Runs a function that gets memory, and records it.
#[inline(always)]
fn get(
    operation: Operation,
    size: usize,
    caller: Caller,
    real: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    let Some(inside) = Inside::enter() else { return real() };
    let address = inside.call(real);
    got(&inside, operation, address, size, caller);
    address
}

/// Records that memory was got.
#[inline(always)]
pub fn got(inside: &Inside, operation: Operation, address: *mut u8, size: usize, caller: Caller) {
    let made =
        Allocation { operation, address: address as u64, old_address: 0, size_bytes: size as u64 };
    // SAFETY: the calling thread's.
    unsafe { record::allocation(inside.thread(), made, caller) };
}

/// Memory for a call for which there is no real function.
#[cold]
fn without(size: usize, align: usize) -> *mut u8 {
    if next::is_looking() { arena::allocate(size, align) } else { null_mut() }
}

macro_rules! real {
    ($function:ident as $type:ty) => {{
        let address = find(Function::$function);
        // SAFETY: a function of this name has this type.
        (address != 0).then(|| unsafe { transmute::<usize, $type>(address) })
    }};
}
pub(crate) use real;

type OneArgument = unsafe extern "C" fn(usize) -> *mut u8;
type TwoArguments = unsafe extern "C" fn(usize, usize) -> *mut u8;
type Resize = unsafe extern "C" fn(*mut u8, usize) -> *mut u8;
type ResizeArray = unsafe extern "C" fn(*mut u8, usize, usize) -> *mut u8;
type Align = unsafe extern "C" fn(*mut *mut u8, usize, usize) -> i32;
type GiveBack = unsafe extern "C" fn(*mut u8);

unsafe extern "C" fn enter_malloc(size: usize, sp: u64, fp: u64, pc: u64) -> *mut u8 {
    let Some(real) = real!(malloc as OneArgument) else { return without(size, 1) };
    // SAFETY: the caller's own call.
    get(Operation::Malloc, size, Caller { sp, fp, pc }, || unsafe { real(size) })
}

unsafe extern "C" fn enter_calloc(count: usize, each: usize, sp: u64, fp: u64, pc: u64) -> *mut u8 {
    let size = count.saturating_mul(each);
    let Some(real) = real!(calloc as TwoArguments) else { return without(size, 1) };
    // SAFETY: the caller's own call.
    get(Operation::Calloc, size, Caller { sp, fp, pc }, || unsafe { real(count, each) })
}

unsafe extern "C" fn enter_aligned_alloc(
    align: usize,
    size: usize,
    sp: u64,
    fp: u64,
    pc: u64,
) -> *mut u8 {
    let Some(real) = real!(aligned_alloc as TwoArguments) else { return without(size, align) };
    // SAFETY: the caller's own call.
    get(Operation::AlignedAlloc, size, Caller { sp, fp, pc }, || unsafe { real(align, size) })
}

unsafe extern "C" fn enter_memalign(
    align: usize,
    size: usize,
    sp: u64,
    fp: u64,
    pc: u64,
) -> *mut u8 {
    let real = real!(memalign as TwoArguments).or_else(|| real!(aligned_alloc as TwoArguments));
    let Some(real) = real else { return without(size, align) };
    // SAFETY: the caller's own call.
    get(Operation::Memalign, size, Caller { sp, fp, pc }, || unsafe { real(align, size) })
}

unsafe extern "C" fn enter_valloc(size: usize, sp: u64, fp: u64, pc: u64) -> *mut u8 {
    let caller = Caller { sp, fp, pc };
    let Some(real) = real!(valloc as OneArgument) else {
        // SAFETY: as the function is defined.
        return unsafe { enter_memalign(PAGE_BYTES, size, sp, fp, pc) };
    };
    // SAFETY: the caller's own call.
    get(Operation::Memalign, size, caller, || unsafe { real(size) })
}

unsafe extern "C" fn enter_pvalloc(size: usize, sp: u64, fp: u64, pc: u64) -> *mut u8 {
    let caller = Caller { sp, fp, pc };
    let Some(real) = real!(pvalloc as OneArgument) else {
        let Some(whole) = size.checked_next_multiple_of(PAGE_BYTES) else { return null_mut() };
        // SAFETY: as the function is defined.
        return unsafe { enter_memalign(PAGE_BYTES, whole, sp, fp, pc) };
    };
    // SAFETY: the caller's own call.
    get(Operation::Memalign, size, caller, || unsafe { real(size) })
}

unsafe extern "C" fn enter_posix_memalign(
    result: *mut *mut u8,
    align: usize,
    size: usize,
    sp: u64,
    fp: u64,
    pc: u64,
) -> i32 {
    let Some(real) = real!(posix_memalign as Align) else { return EINVAL };
    // SAFETY: the caller's own call.
    let run = || unsafe { real(result, align, size) };
    let Some(inside) = Inside::enter() else { return run() };
    let status = inside.call(run);
    // SAFETY: on success the function has written there.
    let address = if status == 0 { unsafe { *result } } else { null_mut() };
    got(&inside, Operation::PosixMemalign, address, size, Caller { sp, fp, pc });
    status
}

/// Runs a function that changes memory's size, and records it.
#[inline(always)]
fn resize(
    operation: Operation,
    old: *mut u8,
    size: usize,
    caller: Caller,
    real: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    if arena::has(old) {
        // SAFETY: memory of the arena, which the caller has.
        return unsafe { leave_arena(old, size) };
    }
    if old.is_null() {
        return get(operation, size, caller, real);
    }
    let Some(inside) = Inside::enter() else { return real() };
    // SAFETY: the calling thread's.
    let Some(since) = (unsafe { record::start(inside.thread()) }) else {
        return inside.call(real);
    };
    let address = inside.call(real);
    let made = Allocation {
        operation,
        address: address as u64,
        old_address: old as u64,
        size_bytes: size as u64,
    };
    // SAFETY: the calling thread's.
    unsafe { record::reallocation(inside.thread(), made, since, caller) };
    address
}

/// # Safety
/// `old` is memory of the arena.
#[cold]
unsafe fn leave_arena(old: *mut u8, size: usize) -> *mut u8 {
    let Some(real) = real!(malloc as OneArgument) else { return without(size, 1) };
    // SAFETY: both are as long as is copied.
    unsafe {
        let new = real(size);
        if !new.is_null() {
            core::ptr::copy_nonoverlapping(old, new, arena::size_of(old).min(size));
        }
        new
    }
}

unsafe extern "C" fn enter_realloc(
    old: *mut u8,
    size: usize,
    sp: u64,
    fp: u64,
    pc: u64,
) -> *mut u8 {
    let Some(real) = real!(realloc as Resize) else { return without(size, 1) };
    // SAFETY: the caller's own call.
    resize(Operation::Realloc, old, size, Caller { sp, fp, pc }, || unsafe { real(old, size) })
}

unsafe extern "C" fn enter_reallocarray(
    old: *mut u8,
    count: usize,
    each: usize,
    sp: u64,
    fp: u64,
    pc: u64,
) -> *mut u8 {
    let size = count.saturating_mul(each);
    let caller = Caller { sp, fp, pc };
    let real = real!(reallocarray as ResizeArray);
    let plain = real!(realloc as Resize);
    // Too large a product is too large a size, at which the plain function fails as it should.
    // SAFETY: the caller's own call.
    resize(Operation::Reallocarray, old, size, caller, || unsafe {
        match (real, plain) {
            (Some(real), _) => real(old, count, each),
            (None, Some(plain)) => plain(old, size),
            (None, None) => without(size, 1),
        }
    })
}

/// Records that memory is given back, and runs the real function.
#[inline(always)]
pub fn give_back(operation: Operation, address: *mut u8, real: impl FnOnce()) {
    if arena::has(address) {
        return;
    }
    let Some(inside) = Inside::enter() else { return real() };
    if !address.is_null() {
        // SAFETY: the calling thread's.
        unsafe { record::deallocation(inside.thread(), operation, address as u64, None) };
    }
    inside.call(real);
}

unsafe extern "C" fn enter_free(address: *mut u8) {
    // Without a real function the memory can only stay.
    let Some(real) = real!(free as GiveBack) else { return };
    // SAFETY: the caller's own call.
    give_back(Operation::Free, address, || unsafe { real(address) });
}

unsafe extern "C" fn enter_free_sized(address: *mut u8, size: usize) {
    let Some(real) = real!(free_sized as unsafe extern "C" fn(*mut u8, usize)) else {
        // SAFETY: the same without the promise.
        return unsafe { enter_free(address) };
    };
    // SAFETY: the caller's own call.
    give_back(Operation::Free, address, || unsafe { real(address, size) });
}

unsafe extern "C" fn enter_free_aligned_sized(address: *mut u8, align: usize, size: usize) {
    type Real = unsafe extern "C" fn(*mut u8, usize, usize);
    let Some(real) = real!(free_aligned_sized as Real) else {
        // SAFETY: the same without the promise.
        return unsafe { enter_free(address) };
    };
    // SAFETY: the caller's own call.
    give_back(Operation::Free, address, || unsafe { real(address, align, size) });
}

/// Stands in for the function of this name: what was known of modules may be wrong afterwards.
///
/// # Safety
/// As dlclose(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlclose(handle: *mut u8) -> i32 {
    type Real = unsafe extern "C" fn(*mut u8) -> i32;
    let Some(real) = real!(dlclose as Real) else { return -1 };
    // Before, so that no rule is read of what is being unloaded; after, for what was read meanwhile.
    modules::forget_unloaded();
    // SAFETY: the caller's own call.
    let status = unsafe { real(handle) };
    modules::forget_unloaded();
    status
}
