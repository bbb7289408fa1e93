//! The scenarios by name, and what they have in common.

mod actor;
mod attacks;
mod background;
mod disk;
mod hot;
mod leaks;
mod locks;
mod retransmits;
mod storm;

use schema::events::Stream;

use crate::rows::Rows;
use crate::truth::Truth;
use crate::world::World;

/// A short trace is no shorter than this.
const SECONDS: i64 = 30;

/// Something that happens on the machine.
pub(crate) trait Play: Send {
    /// Goes on until `until`: afterwards all of its rows before that are in `rows`, and perhaps some of
    /// later times.
    fn advance(&mut self, until: i64, world: &World, rows: &mut Rows);

    /// Says what was planted.
    fn finish(self: Box<Self>, world: &World, truth: &mut Truth);
}

/// Begins a part: adds what it needs to the world; makes about so many events.
type Begin = fn(&mut World, u64, i64) -> Box<dyn Play>;

/// A scenario that a trace can be made of.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What is planted, in a line.
    pub plants: &'static str,
    /// Its parts, by their names.
    parts: &'static [&'static str],
    /// It lasts no shorter than so many seconds.
    pub(crate) seconds: i64,
}

impl Scenario {
    /// The streams that it is recorded with.
    pub(crate) fn streams(&self) -> impl Iterator<Item = Stream> {
        let streams = |part: &&'static str| match *part {
            "leaks" => &[Stream::Stacks, Stream::Allocations, Stream::Faults][..],
            "retransmits" => &[Stream::Network],
            "hot" => &[Stream::Stacks, Stream::Cpu],
            "locks" => &[Stream::Stacks, Stream::Sched, Stream::Syscalls],
            "disk" => &[Stream::Disk, Stream::System],
            "attacks" | "lookalikes" => &[
                Stream::Syscalls,
                Stream::Network,
                Stream::Packets,
                Stream::Dns,
                Stream::Signals,
                Stream::Cpu,
            ],
            _ => &[Stream::Syscalls, Stream::Sched],
        };
        let wanted: Vec<Stream> = self.parts.iter().flat_map(streams).copied().collect();
        Stream::ALL
            .into_iter()
            .filter(move |stream| *stream == Stream::Processes || wanted.contains(stream))
    }
}

const fn single(
    name: &'static str,
    parts: &'static [&'static str],
    plants: &'static str,
) -> Scenario {
    Scenario { name, plants, parts, seconds: SECONDS }
}

const fn intrusion(
    name: &'static str,
    parts: &'static [&'static str],
    plants: &'static str,
) -> Scenario {
    Scenario { name, plants, parts, seconds: attacks::SECONDS }
}

/// All scenarios.
pub const SCENARIOS: &[Scenario] = &[
    single(
        "leaks",
        &["leaks"],
        "leaks at known stacks, temporary allocations, a hot spot, a peak, addresses used again",
    ),
    single(
        "retransmits",
        &["retransmits"],
        "top talkers, a peer that loses packets and connects slowly, refused connections, resets",
    ),
    single("hot", &["hot"], "functions with known shares of the CPU, by themselves and in total"),
    single(
        "locks",
        &["locks"],
        "threads that wait for a lock that one thread holds, and for a CPU that another one hogs",
    ),
    single("disk", &["disk"], "a slow disk with known latencies and errors, and who keeps it busy"),
    single(
        "storm",
        &["storm"],
        "a burst of calls that fail with EACCES, a slow call, a storm of context switches",
    ),
    single(
        "mixed",
        &["leaks", "retransmits", "hot", "locks", "disk", "storm"],
        "all of these at once",
    ),
    intrusion("attacks", &["attacks"], "what every check of `ebrec check` has to find"),
    intrusion(
        "lookalikes",
        &["lookalikes"],
        "what looks like that and is none: nothing that a check may find",
    ),
];

/// The names of all scenarios, for people.
pub(crate) fn names() -> String {
    SCENARIOS.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ")
}

/// Begins a scenario of about `events` events.
pub(crate) fn begin(
    scenario: &Scenario,
    world: &mut World,
    seed: u64,
    events: i64,
) -> Vec<(&'static str, Box<dyn Play>)> {
    let events = events / scenario.parts.len() as i64;
    // The others have services of their own.
    if scenario.seconds == SECONDS {
        background::begin(world, seed);
    }
    let part = |name: &&'static str| {
        let begin: Begin = match *name {
            "leaks" => leaks::begin,
            "retransmits" => retransmits::begin,
            "hot" => hot::begin,
            "locks" => locks::begin,
            "disk" => disk::begin,
            "attacks" => attacks::attacks,
            "lookalikes" => attacks::lookalikes,
            _ => storm::begin,
        };
        (*name, begin(world, seed, events))
    };
    scenario.parts.iter().map(part).collect()
}
