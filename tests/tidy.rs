//! The shape of the code, held by tests: who may depend on whom, and what may be named where.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a folder.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of the project") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a readable file")
}

#[test]
fn dependencies_point_one_way() {
    let forbidden = [
        ("schema", &["store", "recorder", "analyzer", "ebpf", "aya", "datafusion"][..]),
        ("store", &["recorder", "analyzer", "ebpf", "aya", "datafusion", "unwind", "symbols"]),
        ("unwind", &["schema", "store", "recorder", "aya"]),
        ("preload", &["store", "recorder", "aya"]),
        ("symbols", &["recorder", "analyzer", "ebpf", "aya", "datafusion"]),
        ("ebpf", &["schema", "store", "recorder", "analyzer", "aya"]),
        ("recorder", &["analyzer", "datafusion"]),
        ("analyzer", &["recorder", "ebpf", "aya", "page"]),
        ("page", &["recorder", "ebpf", "aya", "datafusion"]),
        ("synth", &["recorder", "analyzer", "ebpf", "aya", "datafusion", "symbols"]),
    ];
    for (package, names) in forbidden {
        let manifest = text(&root().join(package).join("Cargo.toml"));
        for name in names {
            let depends = manifest.lines().any(|line| {
                line.starts_with(&format!("{name}.")) || line.starts_with(&format!("{name} "))
            });
            assert!(!depends, "{package} depends on {name}");
        }
    }
}

#[test]
fn recorder_and_analyzer_name_no_event_kind() {
    for path in ["recorder/src", "analyzer/src"].into_iter().flat_map(sources) {
        let text = text(&path);
        // What is tested may be named.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for event in schema::events::EVENTS {
            let name = format!("\"{}\"", event.name);
            // Those sources are what their users call them, as the events are.
            let is_source = ["offcpu", "dns"].contains(&event.name);
            if is_source && path.ends_with("recorder/src/sources.rs") {
                continue;
            }
            // A table that is computed names the tables that it is computed from, and what it looks for in them.
            if path.to_string_lossy().contains("analyzer/src/derived/") {
                continue;
            }
            // What other tools call things, and system calls.
            let is_call = schema::syscalls::signature(event.name).is_some();
            let path_text = path.to_string_lossy();
            if path_text.contains("analyzer/src/baseline/")
                || is_call && path_text.ends_with("check/unseen.rs")
            {
                continue;
            }
            assert!(!code.contains(&name), "{} names the kind {name}", path.display());
        }
    }
}

#[test]
fn every_file_opens_with_its_responsibility() {
    let folders = [
        "schema/src",
        "store/src",
        "ebpf/src",
        "recorder/src",
        "analyzer/src",
        "synth/src",
        "page/src",
        "cli",
    ];
    for path in folders.into_iter().flat_map(sources) {
        assert!(text(&path).starts_with("//!"), "{} does not", path.display());
    }
    for entry in std::fs::read_dir(root().join("ebpf/src")).expect("the kernel side") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "h" || extension == "c") {
            assert!(text(&path).starts_with("/*"), "{} does not", path.display());
        }
    }
}
