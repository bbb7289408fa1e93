//! What a trace says about itself: the manifest, and the records that open each segment.

use store::manifest::{FormatVersion, State};
use store::{Manifest, Meta};

use crate::host::{self, Host};
use crate::{Options, Redaction, redact};

/// The manifest of a recording that begins.
pub fn manifest(options: &Options, host: &Host) -> Manifest {
    let command = options.command.as_deref();
    Manifest {
        format: FormatVersion::CURRENT,
        id: format!("{}-{:x}", host.boot_id, host::monotonic_ns()),
        host: host.name.clone(),
        kernel: host.kernel.clone(),
        arch: host.arch.clone(),
        created: humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
        recorder_version: env!("CARGO_PKG_VERSION").to_string(),
        state: State::Recording,
        command: command.map(|words| redact::command(words, &options.redaction)),
        sources: options.sources.streams().map(|stream| stream.name().to_string()).collect(),
        options: settings(options),
        redaction: redaction(options),
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

/// What was left out or replaced, in the words of the options.
pub fn redaction(options: &Options) -> String {
    let Redaction { no_args, no_paths, hash_addresses } = options.redaction;
    let done = [
        (no_args, "no-args"),
        (!no_args && host::args_uid().is_some(), "own-args"),
        (no_paths, "no-paths"),
        (hash_addresses, "hash-addresses"),
    ];
    let words: Vec<&str> = done.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| *word).collect();
    if words.is_empty() { "none".to_string() } else { words.join(", ") }
}

/// The settings, as kept in the trace.
fn settings(options: &Options) -> serde_json::Value {
    serde_json::json!({
        "duration_s": options.duration.map(|duration| duration.as_secs_f64()),
        "pids": options.scope.pids,
        "comm": options.scope.comm,
        "cgroups": options.scope.cgroups,
        "containers": options.scope.containers,
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
