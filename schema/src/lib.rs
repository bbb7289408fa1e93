//! The contract of ebrec: the one list of events, and what derives from it.
//!
//! `events` declares every event kind once; `types` says what each field type is on the wire and in
//! a table; `tables` lists the tables. From these come the C header of the kernel side
//! (`c_header`), the Arrow schemas (`arrow`) and the reference page (`docs`). Nothing here reads
//! files, talks to a kernel or knows Parquet.

pub mod arrow;
pub mod c_header;
pub mod docs;
pub mod events;
pub mod gauges;
pub mod human;
pub mod sockets;
pub mod syscalls;
pub mod tables;
pub mod text;
pub mod types;

pub use events::{EventDef, EventField, Header, Stream, Tail};
pub use tables::{Column, ColumnType, Source, Table};

/// Version of the trace folder: its tables, columns and spool records.
///
/// Readers accept every older minor version of the same major one.
pub const FORMAT: Version = Version { major: 1, minor: 3 };

/// A version of the trace format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Raised when an older reader would misread the trace.
    pub major: u16,
    /// Raised when tables, columns or kinds are added.
    pub minor: u16,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
