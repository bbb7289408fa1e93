//! What each hook is for, what it costs, and what a recording lacks without it: for `record --dry-run` and
//! `doctor`.

use crate::sources::Source;

/// A hook of the kernel side, or several whose names begin alike.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// How the name of the tracepoint or program begins.
    pub name: &'static str,
    /// Sources that need it.
    pub sources: &'static [Source],
    /// Time it adds to what causes it, in ns; measured as [`MEASURED`] says.
    pub cost_ns: Option<u32>,
    /// What is so without it, in words that go on after "without it"; nothing if it is there wherever
    /// ebrec records.
    pub lost: Option<&'static str>,
}

/// How the costs were measured.
pub const MEASURED: &str =
    "measured on a virtual machine with 2 CPUs and Linux 6.18; other machines differ";

use Source::*;

const fn hook(
    name: &'static str,
    sources: &'static [Source],
    cost_ns: u32,
    lost: &'static str,
) -> Hook {
    Hook {
        name,
        sources,
        cost_ns: if cost_ns == 0 { None } else { Some(cost_ns) },
        lost: if lost.is_empty() { None } else { Some(lost) },
    }
}

/// All hooks; the first whose name fits counts. A cost of 0 is one that was not measured.
pub const HOOKS: &[Hook] = &[
    hook("task_rename", &[Processes], 470, ""),
    hook(
        "cgroup_attach_task",
        &[Processes],
        0,
        "a process that is moved to another control group keeps the one it was started in",
    ),
    hook("sched_process_fork", &[Processes], 4300, ""),
    hook("sched_process_exec", &[Processes], 4200, ""),
    hook("sched_process_exit", &[Processes], 900, ""),
    hook("sched_process_", &[Processes], 0, ""),
    hook("sched_switch", &[Sched, Offcpu], 390, ""),
    hook("sched_waking", &[Sched, Offcpu], 240, ""),
    hook("sched_wakeup_new", &[Sched, Offcpu], 200, ""),
    hook("sched_wakeup", &[Sched, Offcpu], 110, ""),
    hook("sched_migrate_task", &[Sched, Offcpu], 310, ""),
    hook("sched_", &[Sched, Offcpu], 0, ""),
    hook("sys_enter", &[Syscalls], 190, ""),
    hook("sys_exit", &[Syscalls], 190, ""),
    hook(
        "io_uring_",
        &[Syscalls],
        0,
        "operations on io_uring are not recorded, only the calls that submit them",
    ),
    hook(
        "mark_victim",
        &[Faults],
        0,
        "a process that was ended for want of memory is known by its SIGKILL only",
    ),
    hook(
        "inet_sock_set_state",
        &[Connections, Network],
        770,
        "connections have neither states nor an end",
    ),
    hook("inet_sk_error_report", &[Connections, Network], 0, "errors of sockets are not recorded"),
    hook("inet_", &[Connections, Network], 0, "part of what happens to sockets is not recorded"),
    hook(
        "sock_send_length",
        &[Network],
        200,
        "bytes sent are counted where system calls tell them",
    ),
    hook(
        "sock_recv_length",
        &[Network],
        200,
        "bytes received are counted where system calls tell them",
    ),
    hook("sock_", &[Network], 0, "part of what happens to sockets is not recorded"),
    hook("tcp_retransmit_skb", &[Connections, Network], 0, "retransmissions are not counted"),
    hook(
        "tcp_send_reset",
        &[Connections, Network],
        0,
        "resets that this machine sends are not counted",
    ),
    hook(
        "tcp_receive_reset",
        &[Connections, Network],
        0,
        "resets that this machine receives are not counted",
    ),
    hook("tcp_destroy_sock", &[Connections, Network], 6800, "connections have no end"),
    hook(
        "tcp_",
        &[Connections, Network],
        0,
        "part of what happens to TCP connections is not recorded",
    ),
    hook(
        "kfree_skb",
        &[Connections, Network],
        130,
        "packets that the kernel drops are not counted",
    ),
    hook("net_dev_start_xmit", &[Network, Packets, Dns], 180, "packets that are sent are not seen"),
    hook(
        "netif_receive_skb",
        &[Network, Packets, Dns],
        600,
        "packets that are received are not seen",
    ),
    hook("block_rq_insert", &[Disk], 0, "how long a request waits in the queue is not known"),
    hook("block_io_start", &[Disk], 450, "how long a request waits in the queue is not known"),
    hook("block_io_", &[Disk], 0, "how long a request waits in the queue is not known"),
    hook("block_rq_issue", &[Disk], 200, "how long a request is served is not known"),
    hook("block_rq_complete", &[Disk], 490, "requests to disks are not recorded"),
    hook("block_", &[Disk], 0, "requests to disks are not recorded, or in part"),
    hook("signal_generate", &[Signals], 520, "signals that are sent are not recorded"),
    hook("signal_deliver", &[Signals], 250, "signals that are received are not recorded"),
    hook("signal_", &[Signals], 0, "part of what signals do is not recorded"),
    hook("perf_event__cpu", &[Cpu], 3100, ""),
    hook("perf_event__fault", &[Faults], 2000, ""),
    hook("library", &[Allocations], 90, ""),
    hook("uprobe", &[Allocations], 7900, ""),
];

/// The hook that a tracepoint or program is.
pub fn of(name: &str) -> Option<&'static Hook> {
    HOOKS.iter().find(|hook| name.starts_with(hook.name))
}

/// What is so without a hook, in words that go on after "without it".
pub fn lost(name: &str) -> &'static str {
    of(name).and_then(|hook| hook.lost).unwrap_or("what it would show is not recorded")
}

#[cfg(test)]
mod tests {
    use object::{Object, ObjectSymbol};

    use super::*;

    /// The tracepoints of the kernel side.
    fn tracepoints() -> Vec<String> {
        let object = ebpf::object(ebpf::Flavour::TaskStorage);
        let object = object::File::parse(object).expect("it is an ELF file");
        let names = object.symbols().filter_map(|symbol| {
            let name = symbol.name().ok()?.strip_prefix("tp_btf__")?;
            Some(name.split("__").next().unwrap_or(name).to_string())
        });
        names.collect()
    }

    #[test]
    fn every_hook_says_what_it_is_for_and_what_lacking_it_costs() {
        let tracepoints = tracepoints();
        assert!(tracepoints.len() > 10, "{tracepoints:?}");
        for name in tracepoints {
            let hook = of(&name).unwrap_or_else(|| panic!("{name} is not in the list of hooks"));
            assert!(!hook.sources.is_empty(), "{name}");
            let is_optional = crate::kernel::is_optional(&name);
            assert!(!is_optional || hook.lost.is_some(), "{name}: what is lost without it?");
        }
    }

    #[test]
    fn a_name_is_not_hidden_by_one_before_it() {
        for (at, hook) in HOOKS.iter().enumerate() {
            let first = HOOKS.iter().position(|other| hook.name.starts_with(other.name));
            assert_eq!(first, Some(at), "{}", hook.name);
        }
    }
}
