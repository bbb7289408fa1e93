//! Which families of events are recorded: `-s/--sources`.

use std::collections::BTreeSet;

use schema::Stream;

use crate::Error;

/// Something that can be recorded, by the name that `-s` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Processes and threads; always recorded.
    Processes,
    /// System calls.
    Syscalls,
    /// The scheduler.
    Sched,
    /// The scheduler, with the stacks of what blocks and of who wakes it.
    Offcpu,
    /// Samples of what the CPUs do.
    Cpu,
    /// Allocator calls.
    Allocations,
    /// Page faults, memory of processes, out-of-memory kills.
    Faults,
    /// TCP connections.
    Connections,
    /// Sockets of all kinds, and traffic per second: this costs at each message and packet.
    Network,
    /// Headers of packets.
    Packets,
    /// Messages of the domain name system.
    Dns,
    /// Requests to block devices.
    Disk,
    /// Signals.
    Signals,
    /// Gauges of the machine and of control groups.
    System,
}

impl Source {
    /// All sources.
    pub const ALL: [Source; 14] = [
        Source::Processes,
        Source::Syscalls,
        Source::Sched,
        Source::Offcpu,
        Source::Cpu,
        Source::Allocations,
        Source::Faults,
        Source::Connections,
        Source::Network,
        Source::Packets,
        Source::Dns,
        Source::Disk,
        Source::Signals,
        Source::System,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Source::Processes => "processes",
            Source::Syscalls => "syscalls",
            Source::Sched => "sched",
            Source::Offcpu => "offcpu",
            Source::Cpu => "cpu",
            Source::Allocations => "allocations",
            Source::Faults => "faults",
            Source::Connections => "connections",
            Source::Network => "network",
            Source::Packets => "packets",
            Source::Dns => "dns",
            Source::Disk => "disk",
            Source::Signals => "signals",
            Source::System => "system",
        }
    }

    /// The streams of events it brings.
    const fn streams(self) -> &'static [Stream] {
        match self {
            Source::Processes => &[Stream::Processes],
            Source::Syscalls => &[Stream::Syscalls],
            Source::Sched => &[Stream::Sched],
            Source::Offcpu => &[Stream::Sched, Stream::Stacks],
            Source::Cpu => &[Stream::Cpu, Stream::Stacks],
            Source::Allocations => &[Stream::Allocations, Stream::Stacks],
            Source::Faults => &[Stream::Faults, Stream::Stacks],
            Source::Connections | Source::Network => &[Stream::Network],
            Source::Packets => &[Stream::Packets],
            Source::Dns => &[Stream::Dns],
            Source::Disk => &[Stream::Disk],
            Source::Signals => &[Stream::Signals],
            Source::System => &[Stream::System],
        }
    }
}

/// A named choice of sources.
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// The sources it stands for, besides `processes`.
    pub sources: &'static [Source],
    /// The system calls it is limited to, as a named set; all when there is none.
    pub syscalls: Option<&'static str>,
    /// CPU samples a second that it has, where it has any.
    pub cpu_hz: u32,
    /// What it is for.
    pub doc: &'static str,
}

/// CPU samples a second and CPU. 99 and not 100: what happens every 10 ms would be hit always or never.
pub const CPU_HZ: u32 = 99;

/// The same where recording is never switched off.
const CPU_HZ_LIGHT: u32 = 49;

/// All presets.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "default",
        sources: &[
            Source::Syscalls,
            Source::Sched,
            Source::Network,
            Source::Disk,
            Source::Cpu,
            Source::System,
        ],
        syscalls: None,
        cpu_hz: CPU_HZ,
        doc: "the full picture for a minute",
    },
    Preset {
        name: "light",
        sources: &[Source::Connections, Source::Disk, Source::Cpu, Source::System],
        syscalls: None,
        cpu_hz: CPU_HZ_LIGHT,
        doc: "connections, disk, CPU samples and gauges, to be left on for good",
    },
    Preset {
        name: "memory",
        sources: &[Source::Allocations, Source::Faults],
        syscalls: None,
        cpu_hz: CPU_HZ,
        doc: "allocations, page faults and memory of processes",
    },
    Preset {
        name: "security",
        sources: &[Source::Syscalls, Source::Network, Source::Dns, Source::Signals],
        syscalls: Some("%security"),
        cpu_hz: CPU_HZ,
        doc: "the system calls that matter to security, network, names and signals",
    },
    Preset {
        name: "performance",
        sources: &[
            Source::Sched,
            Source::Offcpu,
            Source::Cpu,
            Source::Disk,
            Source::Faults,
            Source::Network,
            Source::System,
        ],
        syscalls: None,
        cpu_hz: CPU_HZ,
        doc: "what holds a workload back: scheduler, stacks, disk, network, gauges",
    },
    Preset {
        name: "everything",
        sources: &Source::ALL,
        syscalls: None,
        cpu_hz: CPU_HZ,
        doc: "all sources",
    },
];

/// The chosen sources. Processes are always among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    chosen: BTreeSet<Source>,
    /// The set of system calls a preset limits the recording to.
    pub syscalls: Option<&'static str>,
    /// CPU samples a second and CPU that it is worth: the most that one of what was chosen has.
    pub cpu_hz: u32,
}

impl Default for Sources {
    fn default() -> Self {
        Sources::parse("default").expect("the default preset exists")
    }
}

impl Sources {
    /// Parses a comma-separated list of sources and presets; `+x` and `-x` change what came before,
    /// or the default.
    ///
    /// # Errors
    /// A name that is neither a source nor a preset.
    pub fn parse(text: &str) -> Result<Sources, Error> {
        let mut sources =
            Sources { chosen: BTreeSet::from([Source::Processes]), syscalls: None, cpu_hz: 0 };
        let mut words = text.split(',').map(str::trim).filter(|word| !word.is_empty()).peekable();
        if words.peek().is_none_or(|word| word.starts_with(['+', '-'])) {
            sources.add("default")?;
        }
        for word in words {
            match word.strip_prefix('-') {
                Some(name) => sources.remove(name)?,
                None => sources.add(word.strip_prefix('+').unwrap_or(word))?,
            }
        }
        sources.chosen.insert(Source::Processes);
        if sources.cpu_hz == 0 {
            sources.cpu_hz = CPU_HZ;
        }
        Ok(sources)
    }

    /// Whether a source is chosen.
    pub fn has(&self, source: Source) -> bool {
        self.chosen.contains(&source)
    }

    /// Whether a stream is recorded.
    pub fn has_stream(&self, stream: Stream) -> bool {
        self.streams().any(|recorded| recorded == stream)
    }

    /// The streams that the chosen sources bring, in their order.
    pub fn streams(&self) -> impl Iterator<Item = Stream> + '_ {
        let brought =
            |stream: &Stream| self.chosen.iter().any(|source| source.streams().contains(stream));
        Stream::ALL.into_iter().filter(brought)
    }

    fn add(&mut self, name: &str) -> Result<(), Error> {
        let Chosen { sources, syscalls, cpu_hz } = resolve(name)?;
        if sources.contains(&Source::Cpu) {
            self.cpu_hz = self.cpu_hz.max(cpu_hz);
        }
        if sources.contains(&Source::Syscalls) {
            // All system calls and a set of them together are all.
            self.syscalls =
                if self.has(Source::Syscalls) && self.syscalls.is_none() { None } else { syscalls };
        }
        self.chosen.extend(sources);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), Error> {
        for source in resolve(name)?.sources {
            self.chosen.remove(source);
        }
        Ok(())
    }
}

/// What a name stands for.
struct Chosen {
    sources: &'static [Source],
    syscalls: Option<&'static str>,
    cpu_hz: u32,
}

fn resolve(name: &str) -> Result<Chosen, Error> {
    if let Some(at) = Source::ALL.iter().position(|source| source.name() == name) {
        return Ok(Chosen { sources: &ALONE[at..=at], syscalls: None, cpu_hz: CPU_HZ });
    }
    if let Some(preset) = PRESETS.iter().find(|preset| preset.name == name) {
        let Preset { sources, syscalls, cpu_hz, .. } = *preset;
        return Ok(Chosen { sources, syscalls, cpu_hz });
    }
    Err(Error::UnknownSource {
        name: name.escape_default().to_string(),
        known: Source::ALL.map(Source::name).join(", "),
        presets: PRESETS.iter().map(|preset| preset.name).collect::<Vec<_>>().join(", "),
    })
}

/// Each source by itself.
static ALONE: [Source; Source::ALL.len()] = Source::ALL;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let sources = Sources::parse(text).expect("parses");
        let names: Vec<&str> = sources.chosen.iter().map(|source| source.name()).collect();
        assert_eq!(names, expected, "{text}");
    }

    #[test]
    fn a_list_adds_to_processes_and_signs_change_the_default() {
        check("", &["processes", "syscalls", "sched", "cpu", "network", "disk", "system"]);
        check("sched", &["processes", "sched"]);
        check("-sched", &["processes", "syscalls", "cpu", "network", "disk", "system"]);
        check(
            "light,+syscalls",
            &["processes", "syscalls", "cpu", "connections", "disk", "system"],
        );
        check("everything,-processes", &Source::ALL.map(Source::name));
    }

    #[test]
    fn a_preset_limits_system_calls_unless_all_are_asked_for() {
        assert_eq!(Sources::parse("security").expect("parses").syscalls, Some("%security"));
        assert_eq!(Sources::parse("security,syscalls").expect("parses").syscalls, None);
        assert_eq!(Sources::parse("syscalls,security").expect("parses").syscalls, None);
    }

    #[test]
    fn what_is_left_on_for_good_has_fewer_samples_unless_more_are_asked_for() {
        let hz = |text| Sources::parse(text).expect("parses").cpu_hz;
        assert_eq!(
            ["light", "light,+sched", "light,+cpu", "default,light", ""].map(hz),
            [49, 49, 99, 99, 99]
        );
        assert_eq!(hz("sched"), 99);
    }

    #[test]
    fn what_has_stacks_brings_their_stream() {
        let streams = |text| Sources::parse(text).expect("parses").streams().collect::<Vec<_>>();
        assert_eq!(streams("sched"), [Stream::Processes, Stream::Sched]);
        assert_eq!(streams("offcpu"), [Stream::Processes, Stream::Sched, Stream::Stacks]);
        assert_eq!(streams("cpu,-cpu"), [Stream::Processes]);
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let error = Sources::parse("sched,nosuch").expect_err("unknown").to_string();
        assert!(
            error.contains("`nosuch`") && error.contains("syscalls") && error.contains("light"),
            "{error}"
        );
    }
}
