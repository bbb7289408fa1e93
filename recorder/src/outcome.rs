//! How a recording goes, and how it went.

use std::time::Duration;

use schema::events::KINDS;
use store::Meta;

/// How a recording goes, for a progress line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Since it began.
    pub elapsed: Duration,
    /// Events stored.
    pub stored: u64,
    /// Events lost.
    pub lost: u64,
    /// Bytes of the trace.
    pub bytes: u64,
    /// The recording has ended and is being encoded.
    pub is_encoding: bool,
}

/// How a recording went.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Time recorded.
    pub elapsed: Duration,
    /// Events that the kernel side emitted.
    pub emitted: u64,
    /// Events stored.
    pub stored: u64,
    /// Events lost, by kind.
    pub lost: Vec<(&'static str, u64)>,
    /// Bytes of the trace.
    pub bytes: u64,
    /// Segments written, dropped ones included.
    pub segments: u64,
    /// Segments dropped on purpose.
    pub segments_dropped: u64,
    /// CPU time of the recorder.
    pub cpu: Duration,
    /// What this kernel lacks, and what went wrong without ending the recording.
    pub notes: Vec<String>,
    /// Why it ended.
    pub reason: String,
    /// Exit code of the command, if there was one.
    pub exit_code: Option<i32>,
    /// Whether the disk was full.
    pub disk_full: bool,
}

/// Events emitted, and lost by kind.
pub(crate) fn totals(counters: &Meta) -> (u64, Vec<(&'static str, u64)>) {
    let Meta::Counters { kinds, .. } = counters else { return (0, Vec::new()) };
    let mut lost = [0; KINDS];
    kinds.iter().for_each(|count| lost[usize::from(count.kind) % KINDS] += count.lost);
    let name = |id: usize| schema::events::by_id(id as u16).map_or("?", |event| event.name);
    let lost = lost
        .iter()
        .enumerate()
        .filter(|(_, lost)| **lost > 0)
        .map(|(id, lost)| (name(id), *lost))
        .collect();
    (kinds.iter().map(|count| count.emitted).sum(), lost)
}
