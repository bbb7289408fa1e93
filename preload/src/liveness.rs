//! Whether the process of a ring still runs.

use std::fs;

use crate::control;

/// A process as its `/proc` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It runs the program that it ran at that time, or another since.
    Alive,
    /// All its threads have ended, or another process has its number.
    Gone,
}

/// The state of the process that had the number `pid` at `at_ns` (`CLOCK_MONOTONIC`).
pub(crate) fn state(pid: u32, at_ns: u64) -> State {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        // Others' processes may be hidden.
        // SAFETY: signal 0 is none.
        let is_gone = unsafe { libc::kill(pid.cast_signed(), 0) } != 0
            && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
        return if is_gone { State::Gone } else { State::Alive };
    };
    // The name in parentheses may have anything in it.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().collect())
        .unwrap_or_default();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    let (Some(state), Some(threads), Some(start)) = (fields.first(), number(17), number(19)) else {
        return State::Alive;
    };
    // Of a process whose first thread ended, others may run.
    if matches!(*state, "X" | "x") || (*state == "Z" && threads <= 1) {
        return State::Gone;
    }
    let suspended_ns = control::clock_ns(libc::CLOCK_BOOTTIME).saturating_sub(control::now_ns());
    // SAFETY: no pointers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1).cast_unsigned();
    let start_ns = (start * (1_000_000_000 / ticks)).saturating_sub(suspended_ns);
    const SLACK_NS: u64 = 1_000_000_000;
    if start_ns > at_ns + SLACK_NS { State::Gone } else { State::Alive }
}

/// Whether `pid` is a process of which a thread may have made a file as user `uid`; `true` when
/// it is gone already.
pub(crate) fn may_own(pid: u32, uid: u32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
    let Some(users) = status.lines().find_map(|line| line.strip_prefix("Uid:")) else {
        return true;
    };
    users.split_whitespace().any(|user| user.parse() == Ok(uid))
}
