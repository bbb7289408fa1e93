//! What user space knows and puts into the spool: one JSON object per record.

use serde::{Deserialize, Serialize};

/// A record of the recorder itself.
///
/// A reader skips records and members it does not know, so that both can be added in a minor
/// version of the format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Meta {
    /// What is recorded, and where; the first record of a segment.
    Start {
        /// Number of the segment.
        segment: u64,
        /// Name of the machine.
        host: String,
        /// Kernel release.
        kernel: String,
        /// Architecture, in the kernel's words (`x86_64`).
        arch: String,
        /// Number of CPUs.
        cpus: u32,
        /// Identity of the boot.
        boot_id: String,
        /// Name of the distribution.
        os: Option<String>,
        /// Process id of the recorder.
        recorder_pid: u32,
        /// Names of the streams that are recorded.
        sources: Vec<String>,
        /// Settings of the recording.
        options: serde_json::Value,
    },
    /// The clocks, read at one moment.
    Clock {
        /// `CLOCK_REALTIME`.
        realtime_ns: i64,
        /// `CLOCK_MONOTONIC`.
        monotonic_ns: u64,
        /// `CLOCK_BOOTTIME`.
        boottime_ns: u64,
    },
    /// A process that ran before the recording or the segment began.
    Process {
        /// Its process id.
        pid: u32,
        /// Its identity for good.
        upid: u64,
        /// Absolute path of its program file.
        exe: Option<String>,
        /// Its arguments.
        argv: Vec<String>,
        /// Its working directory.
        cwd: Option<String>,
    },
    /// The file of a mapping, as far as it could be opened.
    Module {
        /// Its device, as the `mapping` record has it.
        device: u32,
        /// Its inode number.
        inode: u64,
        /// Its build-id, in hexadecimal.
        build_id: Option<String>,
    },
    /// The path of a control group.
    Cgroup {
        /// Its id.
        id: u64,
        /// Its path, `/` being the root.
        path: String,
    },
    /// What a runtime knows of a container that a control group of the segment is of.
    Container {
        /// Its id, as the path of its control group has it.
        id: String,
        /// Its name.
        name: Option<String>,
        /// The image it was made of.
        image: Option<String>,
        /// Its runtime.
        runtime: Option<String>,
        /// Name of its Kubernetes pod.
        pod: Option<String>,
        /// Namespace of the pod.
        namespace: Option<String>,
        /// Uid of the pod.
        pod_uid: Option<String>,
    },
    /// Counters of the kernel side since the recording began; what is missing is 0.
    ///
    /// The first of a segment is the state it starts from.
    Counters {
        /// When they were read.
        monotonic_ns: u64,
        /// Those that are not 0.
        kinds: Vec<KindCount>,
    },
    /// What a component of the recorder used in an interval.
    Cost {
        /// When the interval began.
        monotonic_ns: u64,
        /// How long it was.
        duration_ns: u64,
        /// Component, as the `cost` table names it.
        component: String,
        /// Stream that it is for; none where it is for all, or an older version wrote it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        /// Times a BPF program ran.
        run_count: Option<u64>,
        /// CPU time.
        cpu_ns: Option<u64>,
        /// Bytes written.
        bytes: Option<u64>,
        /// Resident memory.
        memory_bytes: Option<u64>,
    },
    /// The segment is complete.
    End {
        /// When.
        monotonic_ns: u64,
        /// Whether the recording ended here, so that the counters before this are final.
        closed: bool,
        /// Why the segment ended, in words.
        reason: String,
    },
}

/// Counters of one kind on one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindCount {
    /// Event kind.
    pub kind: u16,
    /// CPU.
    pub cpu: u32,
    /// Records the kernel side made, lost ones included.
    pub emitted: u64,
    /// Records that are not in the trace: those that found no room in their ring, and those that
    /// the disk refused.
    pub lost: u64,
    /// Of those lost, the ones that the disk refused.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: u64,
    /// Of those lost, the ones whose program the kernel left out, because it was running already.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
}

impl KindCount {
    /// Adds it to `counts`: to what is there of its kind and CPU.
    pub fn add_to(self, counts: &mut Vec<KindCount>) {
        let is_same = |count: &&mut KindCount| count.kind == self.kind && count.cpu == self.cpu;
        match counts.iter_mut().find(is_same) {
            Some(count) => {
                count.emitted += self.emitted;
                count.lost += self.lost;
                count.refused += self.refused;
                count.skipped += self.skipped;
            }
            None => counts.push(self),
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Parses a block of lines; `None` for a record that a newer minor version added.
pub(crate) fn parse(
    payload: &[u8],
) -> impl Iterator<Item = Result<Option<Meta>, serde_json::Error>> {
    payload.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| {
        match serde_json::from_slice::<Meta>(line) {
            Ok(meta) => Ok(Some(meta)),
            // It is JSON all the same: then it is a record of another name or another shape.
            Err(error) => match serde_json::from_slice::<Name>(line) {
                Ok(name) if !KNOWN.contains(&name.record.as_str()) => Ok(None),
                _ => Err(error),
            },
        }
    })
}

/// The names of the records above.
const KNOWN: [&str; 9] =
    ["start", "clock", "process", "module", "cgroup", "container", "counters", "cost", "end"];

/// Just the name of a record.
#[derive(Deserialize)]
struct Name {
    record: String,
}
