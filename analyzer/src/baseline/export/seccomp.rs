//! A filter of system calls in the format of OCI, as docker, podman and containerd read it.
//!
//! JSON has no comments: each group of calls has one, which readers do not look at.

use std::collections::BTreeSet;

use schema::syscalls::{Arch, number};
use serde_json::{Value, json};

use super::{Needs, plain};

/// Calls that every start needs, and why. The filter is there before the program is, and a recording may have begun
/// after it.
const STARTS: &[(&str, &str)] = &[
    ("execve execveat", "The filter is there before the program: this starts it."),
    ("exit exit_group", "This ends it."),
    (
        "rt_sigreturn restart_syscall",
        "The kernel has these made on the way back from a signal, and after a stop.",
    ),
    ("brk mmap munmap mprotect mremap madvise", "How the loader and the C library get memory."),
    (
        "access faccessat faccessat2 open openat read pread64 close fstat newfstatat stat statx lseek readlink \
         readlinkat",
        "How the loader finds libraries; which of them it makes depends on its version.",
    ),
    (
        "arch_prctl set_tid_address set_robust_list rseq prlimit64 getrandom futex getpid gettid tgkill \
         rt_sigprocmask rt_sigaction",
        "How the C library sets itself up, and how it ends a program that is broken.",
    ),
    (
        "clock_gettime clock_getres gettimeofday time getcpu",
        "Made only where the kernel has no faster way to tell the time, so that recordings lack them.",
    ),
];

/// The calls that every start needs.
pub fn starts() -> impl Iterator<Item = &'static str> {
    STARTS.iter().flat_map(|(names, _)| names.split_whitespace())
}

/// What runc calls between the loading of a filter and the start of the program: seen of 1.1, with and without
/// `noNewPrivileges`; besides, what the runtime of Go may call at any time, and `openat2` and `close_range` of 1.2.
const RUNTIME: (&str, &str) = (
    "capget capset chdir close close_range epoll_ctl epoll_pwait faccessat2 fcntl fstat fstatfs futex getcwd getdents64 \
     getpid getppid nanosleep newfstatat openat openat2 prctl read readlinkat sched_yield setgid setgroups setuid \
     sigaltstack write",
    "How a container runtime gets from loading the filter to the program. Without a container, take them out.",
);

/// The text of the filter.
pub fn text(needs: &Needs) -> String {
    let arch =
        needs.baseline.recordings.iter().find_map(|recording| Arch::from_name(&recording.arch));
    let arch = arch.unwrap_or(Arch::X86_64);
    let is_compat = needs.is_compat();
    let is_call = |name: &&str| {
        number(arch, false, name).is_some() || (is_compat && number(arch, true, name).is_some())
    };
    let (calls, strange): (BTreeSet<&str>, BTreeSet<&str>) =
        needs.calls().into_iter().partition(is_call);
    let mut comment = needs.made_of();
    if !strange.is_empty() {
        let names: Vec<String> = strange.iter().take(20).map(|name| plain(name)).collect();
        comment.push(format!("Left out, as this ebrec has no such call: {}.", names.join(", ")));
    }
    comment.push(
        "It tells calls by their names and not by what they are given; whatever it starts is in it, too.".into(),
    );
    let mut groups = vec![group(calls.iter().copied(), &comment.join(" "))];
    let mut known = calls.clone();
    for (names, why) in STARTS.iter().chain([&RUNTIME]) {
        let names: Vec<&str> =
            names.split_whitespace().filter(is_call).filter(|name| known.insert(name)).collect();
        if !names.is_empty() {
            groups.push(group(names.into_iter(), why));
        }
    }
    let text = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        // EPERM: the call is not allowed, rather than that there is no such call.
        "defaultErrnoRet": 1,
        "architectures": architectures(arch, is_compat),
        "syscalls": groups,
    });
    format!("{text:#}\n")
}

fn group<'a>(names: impl Iterator<Item = &'a str>, comment: &str) -> Value {
    let names: Vec<&str> = names.collect();
    json!({"names": names, "action": "SCMP_ACT_ALLOW", "comment": comment})
}

fn architectures(arch: Arch, is_compat: bool) -> Vec<&'static str> {
    let (own, compat) = match arch {
        Arch::X86_64 => ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"),
        Arch::Aarch64 => ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
    };
    if is_compat { vec![own, compat] } else { vec![own] }
}

#[cfg(test)]
mod tests {
    use super::super::super::Section;
    use super::super::tests::baseline;
    use super::*;

    fn made(calls: &[&str]) -> Value {
        let baseline = baseline(&[("/x", &[(Section::Syscalls, calls)])]);
        serde_json::from_str(&text(&Needs::of(&baseline, "/x", true).unwrap())).unwrap()
    }

    #[test]
    fn each_call_is_allowed_once_and_nothing_else_is() {
        let made = made(&["read", "accept4", "syscall_999", "io_uring:openat"]);
        assert_eq!(made["defaultAction"], "SCMP_ACT_ERRNO");
        assert_eq!(made["architectures"], json!(["SCMP_ARCH_X86_64"]));
        assert_eq!(made["syscalls"][0]["names"], json!(["accept4", "read"]));
        assert!(made["syscalls"][0]["comment"].as_str().unwrap().contains("syscall_999"));
        let groups = made["syscalls"].as_array().unwrap();
        let names: Vec<&str> = groups
            .iter()
            .flat_map(|group| group["names"].as_array().unwrap())
            .map(|name| name.as_str().unwrap())
            .collect();
        let once: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(once.len(), names.len());
        for name in ["execve", "exit_group", "rt_sigreturn"] {
            assert!(once.contains(name), "{name}");
        }
        for name in ["ptrace", "mount", "bpf", "unshare"] {
            assert!(!once.contains(name), "{name}");
        }
    }

    #[test]
    fn calls_of_32_bit_programs_need_their_architecture() {
        let made = made(&["read", "32-bit:socketcall"]);
        assert_eq!(made["architectures"], json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]));
        assert_eq!(made["syscalls"][0]["names"], json!(["read", "socketcall"]));
    }

    #[test]
    fn every_name_in_the_lists_is_a_call() {
        for (names, _) in STARTS.iter().chain([&RUNTIME]) {
            for name in names.split_whitespace() {
                assert!(number(Arch::X86_64, false, name).is_some(), "{name}");
            }
        }
    }
}
