//! Records a Linux machine into a trace folder.
//!
//! `session` runs a recording from start to end; `kernel` loads the BPF programs and talks to their
//! maps; `drain` has the threads that empty the rings into spools; `background` encodes and drops
//! segments; `launch` starts a command; `host` reads clocks and /proc; `doctor` tells what this
//! machine can record. No event kind is named here: `schema` lists them.

mod about;
mod background;
mod calls;
mod cost;
pub mod doctor;
mod drain;
mod error;
mod host;
mod kernel;
mod launch;
mod options;
mod outcome;
mod session;
mod signals;
mod sources;
mod wait;

pub use error::Error;
pub use options::{Encode, Options, Retention, RingBytes, Rotation, Scope};
pub use outcome::{Progress, Summary};
pub use session::record;
pub use sources::{PRESETS, Sources};
