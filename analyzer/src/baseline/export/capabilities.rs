//! Which capabilities a program may need, by the system calls that it made.
//!
//! A recording does not show which capabilities the kernel looked at. These are the calls that need one when they are
//! made by the superuser for something that others may not do; a program that never ran as one needs none.

use std::collections::BTreeSet;

use super::super::Section;
use super::Needs;

/// Calls by the capability that they may need.
const CALLS: &[(&str, &str)] = &[
    ("bpf", "bpf"),
    ("chown", "chown fchown lchown fchownat"),
    ("fowner", "chmod fchmod fchmodat fchmodat2 utimensat utimes futimesat"),
    ("ipc_lock", "mlock mlock2 mlockall"),
    ("kill", "kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal"),
    ("mknod", "mknod mknodat"),
    ("perfmon", "perf_event_open"),
    ("setfcap", "setxattr lsetxattr fsetxattr"),
    ("setgid", "setgid setregid setresgid setgroups setfsgid"),
    ("setuid", "setuid setreuid setresuid setfsuid"),
    (
        "sys_admin",
        "mount umount2 pivot_root setns unshare sethostname setdomainname swapon swapoff quotactl fsopen fsmount \
         move_mount open_tree mount_setattr",
    ),
    ("sys_boot", "reboot kexec_load kexec_file_load"),
    ("sys_chroot", "chroot"),
    ("sys_module", "init_module finit_module delete_module"),
    (
        "sys_nice",
        "setpriority sched_setscheduler sched_setparam sched_setattr sched_setaffinity ioprio_set",
    ),
    ("sys_ptrace", "ptrace process_vm_readv process_vm_writev pidfd_getfd"),
    ("sys_resource", "setrlimit"),
    ("sys_time", "clock_settime settimeofday adjtimex clock_adjtime"),
    ("syslog", "syslog"),
];

/// The capabilities that the programs may need, sorted.
pub fn of(needs: &Needs) -> BTreeSet<&'static str> {
    let users = needs.items(Section::Users);
    if needs.knows(Section::Users) && !users.contains("0") {
        return BTreeSet::new();
    }
    let mut found: BTreeSet<&str> =
        CALLS.iter().filter(|(_, calls)| needs.has_call(calls)).map(|(name, _)| *name).collect();
    let is_low = |port: &str| {
        let number = port.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        number.is_some_and(|port| port < 1024)
    };
    // Where nothing is known of ports, a server may have any.
    if needs.items(Section::Ports).into_iter().any(is_low)
        || (!needs.knows(Section::Ports) && needs.has_call("bind"))
    {
        found.insert("net_bind_service");
    }
    let is_raw = |socket: &str| {
        socket.starts_with("packet") || socket == "inet raw" || socket == "inet6 raw"
    };
    if needs.items(Section::Sockets).into_iter().any(is_raw) {
        found.insert("net_raw");
    }
    // Whose files it opens is not known.
    if !needs.items(Section::Reads).is_empty() || !needs.items(Section::Writes).is_empty() {
        found.insert("dac_override");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::baseline;
    use super::*;

    #[test]
    fn only_the_superuser_needs_capabilities() {
        let check = |users: &[&str], expected: &[&str]| {
            let sections: &[(Section, &[&str])] = &[
                (Section::Users, users),
                (Section::Syscalls, &["setuid", "chroot", "read"]),
                (Section::Ports, &["tcp 0.0.0.0:80"]),
                (Section::Sockets, &["inet raw"]),
            ];
            let baseline = baseline(&[("/x", sections)]);
            let needs = Needs::of(&baseline, "/x", true).unwrap();
            assert_eq!(of(&needs).into_iter().collect::<Vec<_>>(), expected);
        };
        check(&["33"], &[]);
        check(&["0", "33"], &["net_bind_service", "net_raw", "setuid", "sys_chroot"]);
    }
}
