//! Why a signal was sent, what became of it and what its receiver does: the words of the manual.

use std::fmt::Write;

/// Codes that a signal of any number can have.
const COMMON: &[(i32, &str)] = &[
    (0, "SI_USER"),
    (0x80, "SI_KERNEL"),
    (-1, "SI_QUEUE"),
    (-2, "SI_TIMER"),
    (-3, "SI_MESGQ"),
    (-4, "SI_ASYNCIO"),
    (-5, "SI_SIGIO"),
    (-6, "SI_TKILL"),
    (-7, "SI_DETHREAD"),
    (-60, "SI_ASYNCNL"),
];

/// Codes from 1 on of the signals that have their own: sigaction(2).
const OWN: &[(u32, &[&str])] = &[
    (
        4, // SIGILL
        &[
            "ILL_ILLOPC",
            "ILL_ILLOPN",
            "ILL_ILLADR",
            "ILL_ILLTRP",
            "ILL_PRVOPC",
            "ILL_PRVREG",
            "ILL_COPROC",
            "ILL_BADSTK",
        ],
    ),
    (
        5, // SIGTRAP
        &["TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT", "TRAP_UNK", "TRAP_PERF"],
    ),
    (
        7, // SIGBUS
        &["BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"],
    ),
    (
        8, // SIGFPE
        &[
            "FPE_INTDIV",
            "FPE_INTOVF",
            "FPE_FLTDIV",
            "FPE_FLTOVF",
            "FPE_FLTUND",
            "FPE_FLTRES",
            "FPE_FLTINV",
            "FPE_FLTSUB",
        ],
    ),
    (
        11, // SIGSEGV
        &[
            "SEGV_MAPERR",
            "SEGV_ACCERR",
            "SEGV_BNDERR",
            "SEGV_PKUERR",
            "SEGV_ACCADI",
            "SEGV_ADIDERR",
            "SEGV_ADIPERR",
            "SEGV_MTEAERR",
            "SEGV_MTESERR",
            "SEGV_CPERR",
        ],
    ),
    (
        17, // SIGCHLD
        &["CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"],
    ),
    (
        29, // SIGIO
        &["POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP"],
    ),
    (
        31, // SIGSYS
        &["SYS_SECCOMP", "SYS_USER_DISPATCH"],
    ),
];

/// The name of a `si_code` of a signal; a number that no manual names stays one.
pub(crate) fn code(signal: u32, code: i32, buffer: &mut String) -> &str {
    let common = COMMON.iter().find(|(number, _)| *number == code);
    if let Some((_, name)) = common {
        return name;
    }
    let own = OWN.iter().find(|(number, _)| *number == signal);
    let at = usize::try_from(code).ok().and_then(|code| code.checked_sub(1));
    if let Some(name) = own.zip(at).and_then(|((_, names), at)| names.get(at)) {
        return name;
    }
    buffer.clear();
    let _ = write!(buffer, "{code}");
    buffer
}

/// What became of a signal that was sent.
pub(crate) fn result(number: u32) -> Option<&'static str> {
    const RESULTS: [&str; 5] =
        ["delivered", "ignored", "already_pending", "overflow_fail", "lose_info"];
    RESULTS.get(number as usize).copied()
}

/// What a thread does with a signal.
pub(crate) fn action(number: u32) -> Option<&'static str> {
    ["default", "ignore", "handler"].get(number as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_words_of_the_manual() {
        let mut buffer = String::new();
        let mut name = |signal, number| code(signal, number, &mut buffer).to_string();
        assert_eq!(name(15, 0), "SI_USER");
        assert_eq!(name(9, 0x80), "SI_KERNEL");
        assert_eq!(name(17, 1), "CLD_EXITED");
        assert_eq!(name(11, 2), "SEGV_ACCERR");
        assert_eq!(name(15, 1), "1");
        assert_eq!(name(11, i32::MIN), i32::MIN.to_string());
    }
}
