//! Which program goes to which tracepoint and for which streams, from the names of programs.

use schema::Stream;

/// The streams that each tracepoint serves, by how its name begins; the first that fits counts.
const SERVED: &[(&str, &[Stream])] = &[
    ("task_rename", &[Stream::Processes]),
    ("cgroup_attach_task", &[Stream::Processes]),
    ("mark_victim", &[Stream::Faults]),
    ("sched_process_", &[Stream::Processes]),
    ("sched_", &[Stream::Sched]),
    ("sys_", &[Stream::Syscalls]),
    ("io_uring_", &[Stream::Syscalls]),
    ("inet_", &[Stream::Network]),
    ("sock_", &[Stream::Network]),
    ("tcp_", &[Stream::Network]),
    ("kfree_skb", &[Stream::Network]),
    ("net_dev_start_xmit", &[Stream::Network, Stream::Packets]),
    ("netif_receive_skb", &[Stream::Network, Stream::Packets]),
    ("block_", &[Stream::Disk]),
    ("signal_", &[Stream::Signals]),
];

/// Where a program goes, from its name without the kind of hook.
pub struct Hook<'a> {
    /// The tracepoint.
    pub tracepoint: &'a str,
    /// The one source that it is for.
    pub alone: Option<&'a str>,
    /// Whether it is the one for kernels that would preempt it.
    pub is_guarded: bool,
}

impl Hook<'_> {
    /// Takes the name apart.
    pub fn of(name: &str) -> Hook<'_> {
        let (tracepoint, variant) = name.split_once("__").unwrap_or((name, ""));
        let mut words = variant.split('_');
        let is_guarded = variant.split('_').any(|word| word == "guarded");
        let alone = (words.next() == Some("for")).then(|| words.next()).flatten();
        Hook { tracepoint, alone, is_guarded }
    }
}

/// The streams that a tracepoint serves.
pub fn streams_of(tracepoint: &str) -> &'static [Stream] {
    SERVED
        .iter()
        .find(|(beginning, _)| tracepoint.starts_with(beginning))
        .map_or(&[], |(_, streams)| streams)
}

/// The stream that a program is for; the first where it serves several.
pub fn stream_of_program(name: &str) -> Option<Stream> {
    let name = name.trim_start_matches("cgroup__");
    let other = [
        ("perf_event__cpu", Stream::Cpu),
        ("perf_event__fault", Stream::Faults),
        ("uprobe", Stream::Allocations),
    ];
    if let Some((_, stream)) = other.iter().find(|(beginning, _)| name.starts_with(beginning)) {
        return Some(*stream);
    }
    let hook = Hook::of(name);
    let alone =
        hook.alone.and_then(|alone| Stream::ALL.into_iter().find(|stream| stream.name() == alone));
    alone.or_else(|| streams_of(hook.tracepoint).first().copied())
}

/// Whether a recording is worth having without the tracepoint.
pub fn is_optional(tracepoint: &str) -> bool {
    const OPTIONAL: &[&str] = &[
        "io_uring_",
        "cgroup_attach_task",
        "mark_victim",
        "inet_sk_error_report",
        "sock_",
        "kfree_skb",
        "block_",
        "signal_",
    ];
    OPTIONAL.iter().any(|beginning| tracepoint.starts_with(beginning))
}
