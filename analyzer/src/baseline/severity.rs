//! How much something new matters. A suggestion: what is new for one program may be the point of another.
//!
//! Who can change the list of what is dangerous can look here for all of it. What is little known is worth less: one
//! level less where a program was seen in fewer than three recordings and by fewer than three processes.

use super::{Program, Section};
use crate::check::Severity;

/// System calls that programs need for what few of them do: to watch or change others, the kernel or namespaces.
const CALLS: &str = "acct add_key bpf chroot clock_settime delete_module fanotify_init finit_module fsopen init_module \
    io_uring_setup kexec_file_load kexec_load keyctl memfd_create mount mount_setattr move_mount open_by_handle_at \
    open_tree perf_event_open pidfd_getfd pivot_root process_vm_readv process_vm_writev ptrace quotactl reboot \
    request_key setns settimeofday sethostname swapon umount2 unshare userfaultfd";

/// Programs that run what they are told to.
const SHELLS: &str = "ash awk bash busybox csh curl dash fish gawk ksh lua mawk nc ncat netcat node perl php python \
    rbash ruby sh socat ssh tclsh telnet tcsh wget zsh";

/// Where files come from that nobody installed.
const TEMPORARY: [&str; 5] = ["/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/", "/memfd:"];

/// Files that hold secrets, or in which one process sees another.
const SECRETS: [&str; 12] = [
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/ssl/private",
    "/.ssh/id_",
    "/.aws/",
    "/.gnupg/",
    "/.kube/",
    "/.docker/config.json",
    "/mem",
    "/environ",
    "/etc/ssh/ssh_host_",
];

/// Folders in which a file decides what the machine does.
const SYSTEM: [&str; 13] = [
    "/etc/",
    "/usr/",
    "/bin/",
    "/sbin/",
    "/lib",
    "/boot/",
    "/opt/",
    "/root/",
    "/var/spool/cron",
    "/sys/",
    "/proc/sys/",
    "/.ssh/",
    "/.config/autostart/",
];

/// Capabilities that are as good as all of them.
const CAPABILITIES: &str =
    "all bpf dac_override dac_read_search setuid sys_admin sys_module sys_ptrace sys_rawio";

/// How much something matters that a program of which so much is known never did.
pub fn of_item(section: Section, item: &str, program: &Program) -> Severity {
    let severity = match section {
        Section::Syscalls if item.contains(':') || has(CALLS, item) => Severity::Medium,
        Section::Syscalls => Severity::Low,
        Section::Reads if SECRETS.iter().any(|part| item.contains(part)) => Severity::Medium,
        Section::Reads | Section::Looks => Severity::Info,
        Section::Writes if SYSTEM.iter().any(|folder| is_in(item, folder)) => Severity::Medium,
        Section::Writes => Severity::Low,
        Section::Executes if is_temporary(item) => Severity::Medium,
        Section::Executes => Severity::Low,
        Section::Peers => of_peer(item),
        Section::Ports if item.starts_with("unix") || is_loopback(item) => Severity::Low,
        Section::Ports => Severity::Medium,
        Section::Sockets if item.starts_with("packet") || item.ends_with("raw") => Severity::Medium,
        Section::Sockets => Severity::Low,
        Section::Children if is_shell(item) || is_temporary(item) => Severity::High,
        Section::Children => Severity::Medium,
        Section::Users if item == "0" => Severity::High,
        Section::Users => Severity::Medium,
        Section::Capabilities if has(CAPABILITIES, item.split(' ').next().unwrap_or_default()) => {
            Severity::Medium
        }
        Section::Capabilities => Severity::Low,
    };
    known(severity, program)
}

/// How much a program matters that nobody knows.
pub fn of_program(name: &str) -> Severity {
    if is_temporary(name) || name.starts_with('[') { Severity::Medium } else { Severity::Low }
}

/// How much it matters that there was so many times more in a second than ever.
pub fn of_rate(factor: f64, program: &Program) -> Severity {
    known(if factor >= 10.0 { Severity::Medium } else { Severity::Low }, program)
}

fn of_peer(item: &str) -> Severity {
    let mut words = item.split(' ');
    let (role, protocol) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match role {
        _ if protocol.starts_with("unix") => Severity::Info,
        "server" => Severity::Info,
        _ if is_loopback(item) => Severity::Low,
        _ => Severity::Medium,
    }
}

/// One level less for a program that is little known.
fn known(severity: Severity, program: &Program) -> Severity {
    let is_known = program.traces >= 3 || program.processes >= 3;
    match severity {
        severity if is_known => severity,
        Severity::Critical => Severity::High,
        Severity::High => Severity::Medium,
        Severity::Medium => Severity::Low,
        Severity::Low | Severity::Info => Severity::Info,
    }
}

fn has(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|known| known == word)
}

fn is_in(path: &str, folder: &str) -> bool {
    if folder.starts_with("/.") { path.contains(folder) } else { path.starts_with(folder) }
}

fn is_temporary(path: &str) -> bool {
    TEMPORARY.iter().any(|folder| path.starts_with(folder))
}

fn is_loopback(item: &str) -> bool {
    item.contains(" 127.") || item.contains(" [::1]")
}

/// Whether it is an interpreter, whatever its version: `python3.11`.
fn is_shell(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    has(SHELLS, name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_doors_matters_more() {
        let program = Program { traces: 5, processes: 9, ..Program::default() };
        let check = |section, item: &str, severity| {
            assert_eq!(of_item(section, item, &program), severity, "{item}");
        };
        check(Section::Syscalls, "ptrace", Severity::Medium);
        check(Section::Syscalls, "32-bit:read", Severity::Medium);
        check(Section::Syscalls, "lseek", Severity::Low);
        check(Section::Reads, "/etc/shadow", Severity::Medium);
        check(Section::Reads, "/usr/share/x", Severity::Info);
        check(Section::Writes, "/home/a/.ssh/authorized_keys", Severity::Medium);
        check(Section::Writes, "/var/lib/x", Severity::Low);
        check(Section::Children, "/usr/bin/python3.11", Severity::High);
        check(Section::Children, "/usr/bin/gzip", Severity::Medium);
        check(Section::Peers, "client tcp 203.0.113.9:443", Severity::Medium);
        check(Section::Peers, "client tcp [::1]:443", Severity::Low);
        check(Section::Peers, "server tcp 203.0.113.9:*", Severity::Info);
        check(Section::Ports, "tcp 0.0.0.0:4444", Severity::Medium);
        check(Section::Users, "0", Severity::High);
    }

    #[test]
    fn what_is_little_known_matters_less() {
        let program = Program { traces: 1, processes: 1, ..Program::default() };
        assert_eq!(of_item(Section::Children, "/bin/sh", &program), Severity::Medium);
        assert_eq!(of_item(Section::Reads, "/x", &program), Severity::Info);
    }
}
