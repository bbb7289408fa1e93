//! Numbers as the words people use: signals, scheduler states, io_uring operations, calls, errors.

pub(crate) mod block;
pub(crate) mod signals;

use std::collections::HashMap;

use schema::syscalls::{self, Arch};
use schema::types::{AllocationOperation, SYSCALL_COMPAT};

/// Operation codes of `enum io_uring_op`, in order.
pub(crate) const IO_URING_OPS: [&str; 63] = [
    "nop",
    "readv",
    "writev",
    "fsync",
    "read_fixed",
    "write_fixed",
    "poll_add",
    "poll_remove",
    "sync_file_range",
    "sendmsg",
    "recvmsg",
    "timeout",
    "timeout_remove",
    "accept",
    "async_cancel",
    "link_timeout",
    "connect",
    "fallocate",
    "openat",
    "close",
    "files_update",
    "statx",
    "read",
    "write",
    "fadvise",
    "madvise",
    "send",
    "recv",
    "openat2",
    "epoll_ctl",
    "splice",
    "provide_buffers",
    "remove_buffers",
    "tee",
    "shutdown",
    "renameat",
    "unlinkat",
    "mkdirat",
    "symlinkat",
    "linkat",
    "msg_ring",
    "fsetxattr",
    "setxattr",
    "fgetxattr",
    "getxattr",
    "socket",
    "uring_cmd",
    "send_zc",
    "sendmsg_zc",
    "read_multishot",
    "waitid",
    "futex_wait",
    "futex_wake",
    "futex_waitv",
    "fixed_fd_install",
    "ftruncate",
    "bind",
    "listen",
    "recv_zc",
    "epoll_wait",
    "readv_fixed",
    "writev_fixed",
    "pipe",
];

/// Signals 1 to 31 of every architecture that ebrec records.
const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// The first real-time signal of the kernel.
const SIGRTMIN: u32 = 32;

/// The name of a signal.
pub(crate) fn signal(number: u32) -> String {
    match number {
        1..SIGRTMIN => SIGNALS[number as usize - 1].to_string(),
        _ => format!("SIGRT{}", number.saturating_sub(SIGRTMIN)),
    }
}

/// What was asked of an allocator; none for what only a newer ebrec knows.
pub(crate) fn operation(number: u32) -> Option<&'static str> {
    let known = AllocationOperation::ALL.iter().find(|known| **known as u32 == number);
    known.map(|operation| operation.name())
}

/// `TASK_NOLOAD`, which tells an idle kernel thread from one in uninterruptible sleep.
const TASK_IDLE: u32 = 0x402;

/// The words of `/proc/PID/status` for a state of the scheduler.
pub(crate) fn task_state(state: u32) -> &'static str {
    if state & TASK_IDLE == TASK_IDLE {
        return "idle";
    }
    match state & state.wrapping_neg() {
        0 => "preempted",
        0x1 => "sleeping",
        0x2 => "disk sleep",
        0x4 => "stopped",
        0x8 => "tracing stop",
        0x10 => "dead",
        0x20 => "zombie",
        0x40 => "parked",
        0x80 => "dead",
        _ => "other",
    }
}

/// Names of calls and errors, each looked up and formatted once.
pub(crate) struct Names {
    arch: Option<Arch>,
    calls: HashMap<u32, Box<str>>,
    ops: HashMap<u32, Box<str>>,
    errors: HashMap<i64, Box<str>>,
}

impl Names {
    /// For an architecture in the kernel's words; calls of an unknown one keep their numbers.
    pub fn new(arch: &str) -> Names {
        let none = HashMap::new;
        Names {
            arch: Arch::from_name(arch),
            calls: none(),
            ops: HashMap::new(),
            errors: HashMap::new(),
        }
    }

    /// The name of a call by its `SyscallId`.
    pub fn call(&mut self, id: u32) -> &str {
        let arch = self.arch;
        self.calls.entry(id).or_insert_with(|| {
            let number = id & 0xffff;
            let known = arch.and_then(|arch| syscalls::name(arch, is_compat(id), number));
            known.map_or_else(|| format!("syscall_{number}"), str::to_string).into()
        })
    }

    /// The name of an io_uring operation.
    pub fn op(&mut self, code: u32) -> &str {
        self.ops.entry(code).or_insert_with(|| {
            let known = IO_URING_OPS.get(code as usize);
            known.map_or_else(|| format!("io_uring_{code}"), |name| name.to_string()).into()
        })
    }

    /// The name of the error that a call returned; `None` if it succeeded.
    pub fn error(&mut self, ret: i64) -> Option<&str> {
        (-4095..0).contains(&ret).then(|| {
            let name = self.errors.entry(ret).or_insert_with(|| {
                let number = -ret as i32;
                syscalls::error_name(number)
                    .map_or_else(|| format!("errno_{number}"), str::to_string)
                    .into()
            });
            &**name
        })
    }
}

/// Whether a `SyscallId` is of a 32-bit call on a 64-bit kernel.
pub(crate) fn is_compat(id: u32) -> bool {
    id & SYSCALL_COMPAT != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn io_uring_operations_are_those_of_the_kernel_headers() {
        use linux_raw_sys::io_uring::io_uring_op as op;
        assert_eq!(op::IORING_OP_LAST as usize, IO_URING_OPS.len());
        for known in
            [op::IORING_OP_NOP, op::IORING_OP_OPENAT, op::IORING_OP_READ, op::IORING_OP_TEE]
                .into_iter()
                .chain([
                    op::IORING_OP_LINKAT,
                    op::IORING_OP_SOCKET,
                    op::IORING_OP_FUTEX_WAITV,
                    op::IORING_OP_PIPE,
                ])
        {
            let name = format!("{known:?}").replace("IORING_OP_", "").to_lowercase();
            assert_eq!(IO_URING_OPS[known as usize], name);
        }
    }

    #[test]
    fn states_and_signals_have_the_words_of_the_manual() {
        let states = [0, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x402, 0x102].map(task_state);
        let words = [
            "preempted",
            "sleeping",
            "disk sleep",
            "stopped",
            "tracing stop",
            "dead",
            "zombie",
            "parked",
        ];
        assert_eq!(states[..8], words);
        assert_eq!(states[8..], ["idle", "disk sleep"]);
        assert_eq!([1, 9, 31, 34].map(signal), ["SIGHUP", "SIGKILL", "SIGSYS", "SIGRT2"]);
    }
}
