//! Records a Linux machine into a trace folder.
//!
//! `session` runs a recording from start to end; `kernel` loads the BPF programs and talks to their
//! maps; `drain` has the threads that empty the rings into spools (`sink`); `modules` looks at the
//! files that stacks go through; `collector` and `uprobes` record allocations, by a library in the
//! process and by probes (`probes`); `flows` fetches traffic, `dns` makes records of packets, `gauges`
//! reads the machine once a second; `background` encodes, names and drops segments; `launch` starts a
//! command; `host` reads clocks and /proc; `doctor` tells what this machine can record. No event kind is named here: `schema` lists them.

mod about;
mod background;
mod calls;
mod collector;
mod cost;
mod dns;
pub mod doctor;
mod drain;
mod error;
mod filter;
mod flows;
mod gauges;
mod host;
mod interfaces;
mod kernel;
mod launch;
mod modules;
mod options;
mod outcome;
mod probes;
mod session;
mod signals;
mod sink;
mod sources;
mod uprobes;
mod wait;

pub use error::Error;
pub use filter::{FilterError, PacketFilter};
pub use options::{
    Allocations, Collector, DNS_PORTS_MAX, Encode, NETNS_MAX, Options, Packets, Retention,
    RingBytes, Rotation, SNAPLEN_MAX, Scope, Stacks,
};
pub use outcome::{Progress, Summary};
pub use session::record;
pub use sources::{PRESETS, Source, Sources};
