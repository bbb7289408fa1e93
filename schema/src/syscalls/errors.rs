//! Names and descriptions of error numbers.
use ::syscalls::Errno;

/// Name of an error number, as in `ENOENT`.
///
/// Numbers from 512 are internal to the kernel, but a tracer at the exit of a call sees them.
pub fn error_name(errno: i32) -> Option<&'static str> {
    Errno::new(errno).name_and_description().map(|(name, _)| name)
}

/// Description of an error number, in the words of the C library where they differ from the
/// kernel's, because these are the words people know.
pub fn error_description(errno: i32) -> Option<&'static str> {
    Some(match errno {
        5 => "Input/output error",
        9 => "Bad file descriptor",
        11 => "Resource temporarily unavailable",
        12 => "Cannot allocate memory",
        18 => "Invalid cross-device link",
        23 => "Too many open files in system",
        25 => "Inappropriate ioctl for device",
        33 => "Numerical argument out of domain",
        34 => "Numerical result out of range",
        35 => "Resource deadlock avoided",
        37 => "No locks available",
        38 => "Function not implemented",
        40 => "Too many levels of symbolic links",
        74 => "Bad message",
        84 => "Invalid or incomplete multibyte or wide character",
        95 => "Operation not supported",
        102 => "Network dropped connection on reset",
        122 => "Disk quota exceeded",
        125 => "Operation canceled",
        512 => "To be restarted if SA_RESTART is set",
        513 => "To be restarted",
        514 => "To be restarted if no handler",
        516 => "Interrupted by signal",
        _ => Errno::new(errno).name_and_description()?.1,
    })
}

/// Whether the kernel restarts the call, so that the program never sees this error.
pub(super) fn is_restart(errno: i32) -> bool {
    matches!(errno, 512..=514 | 516)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_names_also_those_inside_the_kernel() {
        for (errno, name, description) in [
            (2, "ENOENT", "No such file or directory"),
            (11, "EAGAIN", "Resource temporarily unavailable"),
            (111, "ECONNREFUSED", "Connection refused"),
            (133, "EHWPOISON", "Memory page has hardware error"),
            (512, "ERESTARTSYS", "To be restarted if SA_RESTART is set"),
            (516, "ERESTART_RESTARTBLOCK", "Interrupted by signal"),
        ] {
            assert_eq!(error_name(errno), Some(name));
            assert_eq!(error_description(errno), Some(description));
        }
        for errno in [0, -2, 9999] {
            assert_eq!((error_name(errno), error_description(errno)), (None, None));
        }
    }
}
