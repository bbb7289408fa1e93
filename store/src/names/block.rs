//! Requests to disks in the kernel's words: operations, flags, and how they ended.

use std::fmt::Write;

/// Bits of the operation; flags are above.
const OPERATION_BITS: u32 = 8;

/// Names of the flags from the first bit above the operation on: of those bits that have been the
/// same since 5.10.
const FLAGS: [&str; 14] = [
    "failfast_dev",
    "failfast_transport",
    "failfast_driver",
    "sync",
    "meta",
    "prio",
    "nomerge",
    "idle",
    "integrity",
    "fua",
    "preflush",
    "rahead",
    "background",
    "nowait",
];

/// The three ways of not trying again, which nearly always come together.
const FAILFAST: u32 = 7 << OPERATION_BITS;

/// Error numbers of `blk_status_t` from 0 on, as the kernel's table `blk_errors` has them; those above
/// differ between kernels.
const ERRORS: [i64; 14] = [
    0, -95,  // NOTSUPP: EOPNOTSUPP
    -110, // TIMEOUT: ETIMEDOUT
    -28,  // NOSPC: ENOSPC
    -67,  // TRANSPORT: ENOLINK
    -121, // TARGET: EREMOTEIO
    -52,  // RESV_CONFLICT: EBADE
    -61,  // MEDIUM: ENODATA
    -84,  // PROTECTION: EILSEQ
    -12,  // RESOURCE: ENOMEM
    -5,   // IOERR: EIO
    -78,  // DM_REQUEUE: EREMCHG
    -11,  // AGAIN: EAGAIN
    -16,  // DEV_RESOURCE: EBUSY
];

/// The name of an operation. Those of zoned disks have other numbers on other kernels.
pub(crate) fn operation(flags: u32, buffer: &mut String) -> &str {
    match flags & ((1 << OPERATION_BITS) - 1) {
        0 => "read",
        1 => "write",
        2 => "flush",
        3 => "discard",
        5 => "secure_erase",
        9 => "write_zeroes",
        34 => "drv_in",
        35 => "drv_out",
        other => {
            buffer.clear();
            let _ = write!(buffer, "op_{other}");
            buffer
        }
    }
}

/// The flags, joined by `|`; `None` when there are none.
pub(crate) fn flags(flags: u32, buffer: &mut String) -> Option<&str> {
    buffer.clear();
    let is_failfast = flags & FAILFAST == FAILFAST;
    let single = if is_failfast { flags & !FAILFAST } else { flags };
    let names = (OPERATION_BITS..).zip(FLAGS).filter(|(bit, _)| single & (1 << bit) != 0);
    let failfast = is_failfast.then_some("failfast");
    for name in failfast.into_iter().chain(names.map(|(_, name)| name)) {
        if !buffer.is_empty() {
            buffer.push('|');
        }
        buffer.push_str(name);
    }
    Some(&**buffer).filter(|text| !text.is_empty())
}

/// The error as a negative number, 0 for none; a status whose meaning depends on the kernel stays.
pub(crate) fn error_number(status: u32) -> i64 {
    let known = ERRORS.get(status as usize).copied();
    known.unwrap_or(i64::from(status as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_kernels_words() {
        let mut buffer = String::new();
        assert_eq!(operation(0x0800, &mut buffer), "read");
        assert_eq!(operation(0x10, &mut buffer), "op_16");
        assert_eq!(flags(1 | 1 << 11 | 1 << 17 | 1 << 31, &mut buffer), Some("sync|fua"));
        assert_eq!(flags(7 << 8 | 1 << 19, &mut buffer), Some("failfast|rahead"));
        assert_eq!(flags(1 << 8, &mut buffer), Some("failfast_dev"));
        assert_eq!(flags(1, &mut buffer), None);
    }

    #[test]
    fn both_ways_to_say_how_a_request_ended_are_error_numbers() {
        assert_eq!([0, 10, -5i32 as u32, 3].map(error_number), [0, -5, -5, -28]);
        assert_eq!(error_number(17), 17);
    }
}
