//! A trace opens while it is recorded, after a crash, and not at all if it is none.

use std::fs;
use std::path::Path;

use schema::events::Stream;
use store::manifest::State;
use store::trace::Ending;
use store::{Error, Folder, Trace};
use tempfile::TempDir;

use crate::build::*;

fn calls(folder: &Folder, segment: u64, before: u64, count: u64) -> Spool {
    let ts_ns = T + segment * 1000;
    let records: Vec<_> = (0..count).map(|at| syscall(ts_ns + at, 100, 39, 0, &[], &[])).collect();
    Spool::new(folder, segment).block(Stream::Syscalls, &records).before(16, before)
}

fn error(path: &Path) -> String {
    Trace::open(path).err().expect("it is no trace").to_string()
}

#[test]
fn what_is_no_trace_is_told_in_a_sentence() {
    let temp = TempDir::new().unwrap();
    assert!(error(&temp.path().join("none")).starts_with("there is no trace at "));
    assert!(error(temp.path()).contains("has no trace.json"));
    fs::write(temp.path().join("trace.json"), "{").unwrap();
    assert!(error(temp.path()).contains("cannot be understood"));
    fs::write(temp.path().join("trace.json"), r#"{"format": {"major": 9, "minor": 1}}"#).unwrap();
    assert!(error(temp.path()).contains("trace format 9.1"));
}

#[test]
fn segments_and_spools_make_one_trace() {
    let (_temp, folder) = trace();
    calls(&folder, 1, 0, 3).seal();
    // Encoded, but the recorder died before it removed the spool.
    calls(&folder, 2, 3, 4).encode();
    let live = calls(&folder, 3, 7, 5).unsealed().write();
    folder.create_spool(4).unwrap();
    fs::write(folder.create_spool(5).unwrap().join("sched.spool"), [0; 9]).unwrap();
    let trace = Trace::open(folder.path()).unwrap();
    assert_eq!((trace.segments(), trace.name()), (&[1, 2, 3][..], "trace".to_string()));
    let counts: Vec<usize> =
        trace.files("syscalls").iter().map(|path| column(path, "ts").len()).collect();
    assert_eq!(counts, [3, 4, 5]);
    assert_eq!(trace.files("offcpu").len(), 0);
    assert_eq!(
        trace.notes(),
        [
            "segment 3 was read from its spool: it is not encoded yet",
            "segment 5 had just begun: nothing is in it yet"
        ]
    );
    assert_eq!(trace.ending(), Ending::Crashed);
    let decoded = trace.files("syscalls")[2].clone();
    drop(trace);
    assert!(!decoded.exists(), "the decoded spool outlived the trace");

    // The next block was being written when the recorder died.
    let path = live.join("syscalls.spool");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"EBLK\0\0");
    fs::write(&path, bytes).unwrap();
    let trace = Trace::open(folder.path()).unwrap();
    assert!(trace.notes()[1].contains("6 bytes"), "{:?}", trace.notes());
    assert_eq!(column(&trace.files("syscalls")[2], "ts").len(), 5);
}

#[test]
fn a_recording_is_told_from_a_crash_by_its_lock() {
    let (_temp, folder) = trace();
    let lock = folder.lock().unwrap();
    assert!(matches!(folder.lock(), Err(Error::InUse { .. })));
    assert_eq!(Trace::open(folder.path()).unwrap().ending(), Ending::Recording);
    assert!(matches!(Folder::create(folder.path(), true), Err(Error::InUse { .. })));
    drop(lock);
    assert_eq!(Trace::open(folder.path()).unwrap().ending(), Ending::Crashed);
    manifest(&folder, State::Finished);
    assert_eq!(Trace::open(folder.path()).unwrap().ending(), Ending::Finished);
}

#[test]
fn a_damaged_file_is_named() {
    let (_temp, folder) = trace();
    calls(&folder, 1, 0, 3).seal();
    let path = folder.table_file("syscalls", 1);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let message = error(folder.path());
    assert!(message.contains("syscalls/000001.parquet is damaged"), "{message}");
}

#[test]
#[cfg(unix)]
fn only_the_owner_can_read_a_trace() {
    use std::os::unix::fs::PermissionsExt;
    let (_temp, folder) = trace();
    calls(&folder, 1, 0, 3).encode();
    let mut waiting = vec![folder.path().to_path_buf()];
    let mut seen = 0;
    while let Some(path) = waiting.pop() {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{path:?}");
        seen += 1;
        if path.is_dir() {
            waiting.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(seen > 15);
}

#[test]
fn only_a_trace_is_replaced_and_nothing_else_is_removed() {
    let (temp, folder) = trace();
    calls(&folder, 1, 0, 3).encode();
    calls(&folder, 2, 3, 3).write();
    assert!(folder.bytes().unwrap() > folder.segment_bytes(1));
    let create = |force| Folder::create(folder.path(), force).map(|_| ());
    assert!(matches!(create(false), Err(Error::Exists { .. })));
    create(true).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
    assert!(matches!(create(true), Err(Error::NotReplaced { .. })));
    manifest(&folder, State::Finished);
    assert!(matches!(create(true), Err(Error::NotReplaced { .. })));
    assert!(folder.manifest().is_ok(), "what is refused is left as it was");
    assert!(temp.path().join("trace/thesis.txt").exists());
}

#[test]
#[cfg(unix)]
fn links_in_a_trace_lead_nowhere() {
    let (temp, folder) = trace();
    calls(&folder, 1, 0, 3).seal();
    let outside = temp.path().join("outside.parquet");
    let inside = folder.table_file("syscalls", 1);
    fs::rename(&inside, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &inside).unwrap();
    assert!(error(folder.path()).contains("not a regular file"));
}

#[test]
fn the_oldest_segment_goes_as_a_whole() {
    let (_temp, folder) = trace();
    calls(&folder, 1, 0, 3).seal();
    calls(&folder, 2, 3, 3).seal();
    folder.remove_segment(1).unwrap();
    assert_eq!(folder.segments_encoded().unwrap(), [2]);
    assert_eq!(folder.segment_bytes(1), 0);
    assert_eq!(Trace::open(folder.path()).unwrap().files("threads").len(), 1);
}
