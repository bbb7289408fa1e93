//! Records a Linux machine into a trace folder.
//!
//! `session` runs a recording from start to end; `kernel` loads the BPF programs and talks to their
//! maps; `drain` has the threads that empty the rings into spools (`sink`); `modules` looks at the
//! files that stacks go through; `collector` and `uprobes` record allocations, by a library in the
//! process and by probes (`probes`); `flows` fetches traffic, `dns` makes records of packets, `gauges`
//! reads the machine once a second; `background` encodes, names and drops segments; `launch` starts a
//! command; `containers` reads what runtimes (`runtimes`) know of control groups (`cgroups`); `redact`
//! leaves out what is not to be kept; `host` reads clocks and /proc; `doctor` tells what this machine
//! can record, `plan` what a recording would be (`hooks`). No event kind is named here: `schema` lists
//! them.

mod about;
mod background;
mod calls;
mod cgroups;
mod collector;
mod containers;
mod cost;
mod dns;
pub mod doctor;
mod drain;
mod error;
mod filter;
mod flows;
mod gauges;
pub mod hooks;
mod host;
mod interfaces;
mod kernel;
mod launch;
mod modules;
mod options;
mod outcome;
pub mod plan;
mod probes;
mod redact;
mod runtimes;
mod session;
mod signals;
mod sink;
mod sources;
mod uprobes;
mod wait;

pub use error::Error;
pub use filter::{FilterError, PacketFilter};
pub use options::{
    Allocations, Collector, DNS_PORTS_MAX, Encode, NETNS_MAX, Options, Packets, Redaction,
    Retention, RingBytes, Rotation, SNAPLEN_MAX, Scope, Stacks,
};
pub use outcome::{Progress, Summary};
pub use session::record;
pub use sources::{PRESETS, Source, Sources};
