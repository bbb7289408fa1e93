//! The time and the CPU, asked of the kernel's page (vDSO) directly: `clock_gettime` of the C
//! library may have been replaced by one that lies or allocates.

use core::arch::asm;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::layout::{CLOCK_TICKS, Control};
use crate::sys;

/// `clock_gettime` of the vDSO; 0 when there is none.
pub static GETTIME: AtomicUsize = AtomicUsize::new(0);
/// Its name there.
#[cfg(target_arch = "x86_64")]
pub const GETTIME_NAME: &[u8] = b"__vdso_clock_gettime\0";
/// Its name there.
#[cfg(target_arch = "aarch64")]
pub const GETTIME_NAME: &[u8] = b"__kernel_clock_gettime\0";

const CLOCK_MONOTONIC: usize = 1;

/// Nanoseconds of `CLOCK_MONOTONIC`.
#[inline]
pub fn now_ns() -> u64 {
    let mut time = [0u64; 2];
    let function = GETTIME.load(Ordering::Relaxed);
    // SAFETY: the function of the vDSO, and the call, write two words.
    unsafe {
        if function == 0 {
            let args = [CLOCK_MONOTONIC, time.as_mut_ptr() as usize, 0, 0, 0, 0];
            let _ = sys::call(sys::number::CLOCK_GETTIME, args);
        } else {
            let function: extern "C" fn(usize, *mut u64) -> i32 = core::mem::transmute(function);
            function(CLOCK_MONOTONIC, time.as_mut_ptr());
        }
    }
    time[0] * 1_000_000_000 + time[1]
}

/// The time of an event, in the unit that the recorder has asked for: after everything that the
/// thread did before, and before everything that others can see it do next.
///
/// The processor may read its counter before earlier loads are done, and so before the one that got
/// an address from another thread; `lfence` keeps it from that, at a fifth of the price of an event.
/// A thread that is alone gets addresses from itself only. Should it get one from another, it has
/// also loaded that it is not alone, and what was done before is thrown away. No fence is needed
/// behind: no store is seen before the counter has been read.
#[inline(always)]
pub fn stamp(control: &Control) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if control.clock == CLOCK_TICKS {
        let (low, high): (u32, u32);
        // SAFETY: reads a counter. Without `nomem`, so that the compiler keeps the order as well.
        unsafe {
            if !crate::thread::is_alone() {
                asm!("lfence", options(nostack, preserves_flags));
            }
            asm!("rdtsc", out("eax") low, out("edx") high, options(nostack, preserves_flags));
        }
        return u64::from(high) << 32 | u64::from(low);
    }
    // The counter of aarch64 is what the function of the kernel's page reads too.
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (control, CLOCK_TICKS);
    now_ns()
}

/// Where in the thread's memory the C library lets the kernel keep the CPU (rseq), if it does.
#[inline(always)]
fn rseq_offset() -> Option<i64> {
    let symbol: *const i64;
    // SAFETY: the address of a symbol that may be missing.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!(
            ".weak __rseq_offset",
            "mov {at}, qword ptr [rip + __rseq_offset@GOTPCREL]",
            at = out(reg) symbol,
            options(pure, readonly, nostack)
        );
        #[cfg(target_arch = "aarch64")]
        asm!(
            ".weak __rseq_offset",
            "adrp {at}, :got:__rseq_offset",
            "ldr {at}, [{at}, :got_lo12:__rseq_offset]",
            at = out(reg) symbol,
            options(pure, readonly, nostack)
        );
        (!symbol.is_null()).then(|| symbol.read())
    }
}

/// The CPU the thread is on, in 16 bits.
#[inline(always)]
pub fn cpu() -> u32 {
    const CPU_ID: i64 = 4;
    if let Some(offset) = rseq_offset()
        && offset != 0
    {
        let area = crate::tls::pointer().wrapping_add_signed(offset + CPU_ID);
        // SAFETY: in the thread's memory, as the C library says. Negative when the kernel does not
        // know rseq.
        let cpu = unsafe { (area as *const i32).read_volatile() };
        if cpu >= 0 {
            return cpu as u32 & 0xffff;
        }
    }
    cpu_without_rseq()
}

/// The kernel keeps it in the limit of a segment, for the vDSO's `getcpu`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn cpu_without_rseq() -> u32 {
    const CPU_NODE_SEGMENT: u32 = 0x7b;
    let limit: u32;
    // SAFETY: reads a segment limit.
    unsafe {
        asm!("lsl {limit:e}, {segment:e}", limit = out(reg) limit,
            segment = in(reg) CPU_NODE_SEGMENT, options(pure, nomem, nostack));
    }
    limit & 0xfff
}

/// Nobody says.
#[cfg(target_arch = "aarch64")]
fn cpu_without_rseq() -> u32 {
    0
}
