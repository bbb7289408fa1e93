//! What a trace says about itself: the manifest, and the records that open each segment.

use store::manifest::{FormatVersion, State};
use store::{Manifest, Meta};

use crate::Options;
use crate::host::{self, Host};

/// The manifest of a recording that begins.
pub fn manifest(options: &Options, host: &Host) -> Manifest {
    let command = options.command.as_ref();
    Manifest {
        format: FormatVersion::CURRENT,
        id: format!("{}-{:x}", host.boot_id, host::monotonic_ns()),
        host: host.name.clone(),
        kernel: host.kernel.clone(),
        arch: host.arch.clone(),
        created: humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
        recorder_version: env!("CARGO_PKG_VERSION").to_string(),
        state: State::Recording,
        command: command
            .map(|words| words.iter().map(|word| word.to_string_lossy().into_owned()).collect()),
        sources: options.sources.streams().map(|stream| stream.name().to_string()).collect(),
        options: settings(options),
        redaction: "none".to_string(),
    }
}

/// What a segment's records begin with.
pub fn opening(manifest: &Manifest, host: &Host, segment: u64, baseline: Vec<Meta>) -> Vec<Meta> {
    let start = Meta::Start {
        segment,
        host: host.name.clone(),
        kernel: host.kernel.clone(),
        arch: host.arch.clone(),
        cpus: host.cpus,
        boot_id: host.boot_id.clone(),
        os: host.os.clone(),
        recorder_pid: std::process::id(),
        sources: manifest.sources.clone(),
        options: manifest.options.clone(),
    };
    let mut records = vec![start, host::clocks()];
    records.extend(baseline);
    records
}

/// The settings, as kept in the trace.
fn settings(options: &Options) -> serde_json::Value {
    serde_json::json!({
        "duration_s": options.duration.map(|duration| duration.as_secs_f64()),
        "pids": options.scope.pids,
        "comm": options.scope.comm,
        "cgroups": options.scope.cgroups,
        "syscalls": options.syscalls,
        "rotate_s": options.rotation.every.as_secs_f64(),
        "rotate_bytes": options.rotation.bytes,
        "ring_bytes": options.rings.0,
        "cpu_hz": options.stacks.cpu_hz,
        "offcpu_min_ns": options.stacks.offcpu_min.as_nanos() as u64,
        "stack_depth_max": options.stacks.depth_max,
        "allocation_size_min_bytes": options.allocations.size_min,
        "allocation_one_in": options.allocations.one_in,
        "allocation_on_full": if options.allocations.wait_when_full { "wait" } else { "drop" },
    })
}
