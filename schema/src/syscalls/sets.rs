//! Named sets of system calls, and the lists of names and sets that users write.
//!
//! The sets are those of strace, and `%security`. `%file` and `%desc` follow from the signatures.
use super::{Kind, signatures};
use std::{collections::BTreeSet, fmt};

/// The sets with what they contain.
pub const SETS: &[(&str, &str)] = &[
    ("%file", "calls that take a path"),
    ("%desc", "calls that take or make a file descriptor, other than sockets"),
    ("%network", "calls on sockets, also as %net"),
    ("%process", "calls that start, end, signal or wait for processes"),
    ("%memory", "calls that map or manage memory"),
    ("%ipc", "System V messages, semaphores and shared memory"),
    ("%signal", "calls that send, mask or wait for signals"),
    ("%creds", "calls that read or change users, groups and capabilities"),
    ("%clock", "calls that read or set the system clocks"),
    ("%security", "calls that change what may happen on the machine"),
];

const FILE: &str = "getcwd fsconfig";

const DESC: &str = "
    _newselect bpf epoll_create epoll_create1 eventfd eventfd2 fanotify_init fsopen inotify_init
    inotify_init1 io_uring_setup landlock_create_ruleset memfd_create memfd_secret mq_open open creat
    pidfd_open pipe pipe2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select sendfile
    sendfile64 socketcall timerfd_create userfaultfd";

const NETWORK: &str = "
    accept accept4 bind connect getpeername getpmsg getsockname getsockopt listen putpmsg recv
    recvfrom recvmmsg recvmmsg_time64 recvmsg send sendfile sendfile64 sendmmsg sendmsg sendto
    setsockopt shutdown socket socketcall socketpair";

const PROCESS: &str = "
    clone clone3 execve execveat exit exit_group fork kill pidfd_send_signal rt_sigqueueinfo
    rt_tgsigqueueinfo tgkill tkill vfork wait4 waitid waitpid";

const MEMORY: &str = "
    brk get_mempolicy io_destroy io_setup io_uring_register madvise map_shadow_stack mbind
    migrate_pages mincore mlock mlock2 mlockall mmap mmap2 move_pages mprotect mremap mseal msync
    munlock munlockall munmap pkey_mprotect remap_file_pages set_mempolicy
    set_mempolicy_home_node shmat shmdt";

const IPC: &str = "
    ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl
    shmdt shmget";

const SIGNAL: &str = "
    io_uring_enter kill pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask
    rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
    rt_tgsigqueueinfo sgetmask sigaction sigaltstack signal signalfd signalfd4 sigpending
    sigprocmask sigreturn sigsuspend ssetmask tgkill tkill";

const SET_CREDS: &str = "
    capset prctl setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32
    setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid
    setuid32";

const GET_CREDS: &str = "
    capget getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid
    getresgid32 getresuid getresuid32 getuid getuid32";

const CLOCK: &str = "
    adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
    clock_gettime64 clock_settime clock_settime64 gettimeofday settimeofday time";

const SECURITY: &str = "
    execve execveat memfd_create memfd_secret uselib personality
    ptrace process_vm_readv process_vm_writev pidfd_open pidfd_getfd kcmp
    kill tkill tgkill pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo
    bpf perf_event_open seccomp userfaultfd io_uring_setup io_uring_register
    landlock_create_ruleset landlock_add_rule landlock_restrict_self lsm_set_self_attr
    add_key request_key keyctl
    init_module finit_module delete_module create_module kexec_load kexec_file_load reboot
    ioperm iopl modify_ldt vm86 vm86old syslog acct swapon swapoff quotactl quotactl_fd
    sethostname setdomainname
    settimeofday stime clock_settime clock_settime64 adjtimex clock_adjtime clock_adjtime64
    unshare setns chroot pivot_root mount umount umount2 open_tree open_tree_attr move_mount
    mount_setattr fsopen fsconfig fsmount fspick
    open openat openat2 creat open_by_handle_at name_to_handle_at mknod mknodat
    unlink unlinkat rmdir rename renameat renameat2 link linkat symlink symlinkat truncate
    truncate64
    chmod fchmod fchmodat fchmodat2 chown fchown lchown chown32 fchown32 lchown32 fchownat
    setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat
    file_setattr
    mkdir mkdirat chdir fchdir dup dup2 dup3 utime utimes futimesat utimensat utimensat_time64
    socket connect bind listen accept accept4 socketcall";

/// Why a list of system calls was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetError {
    /// The list names nothing.
    Empty,
    /// No system call or set has this name.
    Unknown {
        /// The name as written.
        name: String,
        /// The name closest to it, if one is close.
        suggestion: Option<&'static str>,
    },
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetError::Empty => write!(f, "no system call given; write names or sets, or `all`"),
            SetError::Unknown { name, suggestion: Some(close) } => {
                write!(f, "no system call {name:?}; did you mean {close:?}?")
            }
            SetError::Unknown { name, suggestion: None } => {
                write!(f, "no system call {name:?}; the sets are")?;
                SETS.iter().try_for_each(|(set, _)| write!(f, " {set}"))
            }
        }
    }
}

impl std::error::Error for SetError {}

/// The system calls that a list like `%file,!stat,connect` names.
///
/// Entries are applied from left to right; `!` or `-` in front of one takes its calls out. A list
/// that starts with an exclusion starts from all calls. `all` stands for every call.
pub fn parse_set(text: &str) -> Result<BTreeSet<&'static str>, SetError> {
    let mut set = BTreeSet::new();
    let mut first = true;
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let excluded = entry.strip_prefix(['!', '-']).map(str::trim_start);
        let names = members(excluded.unwrap_or(entry))?;
        match excluded {
            Some(_) if first => set = all().filter(|name| !names.contains(name)).collect(),
            Some(_) => set.retain(|name| !names.contains(name)),
            None => set.extend(names),
        }
        first = false;
    }
    if first { Err(SetError::Empty) } else { Ok(set) }
}

fn all() -> impl Iterator<Item = &'static str> {
    signatures().iter().map(|signature| signature.name)
}

fn members(name: &str) -> Result<BTreeSet<&'static str>, SetError> {
    let lists: &[&'static str] = match name {
        "all" | "%all" => return Ok(all().collect()),
        "%file" => {
            return Ok(taking(&[Kind::Path, Kind::Path2]).chain(FILE.split_whitespace()).collect());
        }
        "%desc" => {
            let sockets: BTreeSet<_> = NETWORK.split_whitespace().collect();
            return Ok(taking(&[Kind::Fd, Kind::Dirfd])
                .filter(|name| !sockets.contains(name))
                .chain(DESC.split_whitespace())
                .collect());
        }
        "%network" | "%net" => &[NETWORK],
        "%process" => &[PROCESS],
        "%memory" => &[MEMORY],
        "%ipc" => &[IPC],
        "%signal" => &[SIGNAL],
        "%creds" => &[SET_CREDS, GET_CREDS],
        "%clock" => &[CLOCK],
        "%security" => &[SECURITY, SET_CREDS],
        _ => {
            let call = all().find(|call| *call == name).ok_or_else(|| SetError::Unknown {
                name: name.to_owned(),
                suggestion: closest(name),
            })?;
            return Ok(BTreeSet::from([call]));
        }
    };
    Ok(lists.iter().flat_map(|list| list.split_whitespace()).collect())
}

/// The calls with an argument of one of these kinds.
fn taking(kinds: &[Kind]) -> impl Iterator<Item = &'static str> {
    signatures()
        .iter()
        .filter(|signature| signature.args.iter().any(|arg| kinds.contains(&arg.kind)))
        .map(|signature| signature.name)
}

/// The known name closest to this one, if at most two characters or a third of it are wrong.
fn closest(name: &str) -> Option<&'static str> {
    let sets = SETS.iter().map(|(set, _)| *set).chain(["%net"]);
    // Of equally close names the first is given, so sets come before calls.
    sets.chain(all())
        .map(|known| (distance(name, known), known))
        .filter(|(distance, known)| *distance <= 2.max(known.len() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many characters must be inserted, removed or replaced to make one text the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::signature;

    #[test]
    fn sets_contain_known_calls_only() {
        for (set, _) in SETS {
            for name in parse_set(set).unwrap() {
                assert!(signature(name).is_some(), "{set} contains {name}");
            }
        }
    }

    #[test]
    fn sets_contain_what_their_names_promise() {
        for (set, inside, outside) in [
            ("%file", &["openat", "execve", "rename", "getcwd"][..], &["read", "connect"][..]),
            ("%desc", &["read", "close", "mmap", "openat", "pipe2"], &["connect", "stat"]),
            ("%net", &["connect", "socket", "sendfile"], &["read"]),
            ("%process", &["execve", "exit_group", "wait4"], &["getpid"]),
            ("%creds", &["setuid", "getuid", "capset"], &["getpid"]),
            ("%security", &["execve", "setuid", "bpf", "connect"], &["read", "futex", "getuid"]),
        ] {
            let set = parse_set(set).unwrap();
            assert!(inside.iter().all(|name| set.contains(name)), "{set:?}");
            assert!(!outside.iter().any(|name| set.contains(name)), "{set:?}");
        }
        assert_eq!(parse_set("%net"), parse_set("%network"));
    }

    #[test]
    fn lists_add_and_exclude_from_left_to_right() {
        let names = |text| parse_set(text).unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(names("read, write,read,"), ["read", "write"]);
        assert_eq!(names("%ipc,-%ipc,close"), ["close"]);
        assert!(!names("%file,!openat").contains(&"openat"));
        let rest = names("!futex,-read");
        assert_eq!(rest.len(), names("all").len() - 2);
        assert_eq!(parse_set(" , "), Err(SetError::Empty));
    }

    #[test]
    fn an_unknown_name_is_named_with_the_closest() {
        let message = |text| parse_set(text).unwrap_err().to_string();
        assert_eq!(message("read,opennat"), r#"no system call "opennat"; did you mean "openat"?"#);
        assert_eq!(message("%flie"), r#"no system call "%flie"; did you mean "%file"?"#);
        assert!(message("xyzzyxyzzy").ends_with("%clock %security"));
    }
}
