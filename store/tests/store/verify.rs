//! What was emitted is stored, dropped or lost, and the trace can prove it.

use std::fs;

use schema::events::Stream;
use store::manifest::State;
use store::{Folder, Report, Trace, Verdict, verify};
use tempfile::TempDir;

use crate::build::*;

/// Three segments of ten calls each, of which the kernel side counted `emitted` and `lost`.
fn recording(emitted: u64, lost: u64, closed: bool) -> (TempDir, Folder) {
    let (temp, folder) = trace();
    for segment in 1..=3 {
        let ts_ns = T + segment * 1000;
        let calls: Vec<_> = (0..10).map(|at| syscall(ts_ns + at, 100, 39, 0, &[], &[])).collect();
        let last = [counters(ts_ns, &[(16, emitted, lost)]), end(closed && segment == 3)];
        Spool::new(&folder, segment)
            .before(16, (segment - 1) * 10)
            .block(Stream::Syscalls, &calls)
            .meta(last)
            .seal();
    }
    manifest(&folder, if closed { State::Finished } else { State::Recording });
    (temp, folder)
}

fn check(folder: &Folder) -> Report {
    verify(&Trace::open(folder.path()).unwrap()).unwrap()
}

fn problems(folder: &Folder) -> String {
    match check(folder).verdict {
        Verdict::Broken(problems) => problems.join("\n"),
        verdict => panic!("{verdict:?}"),
    }
}

#[test]
fn a_whole_recording_is_complete() {
    let (_temp, folder) = recording(30, 0, true);
    let report = check(&folder);
    assert_eq!(report.verdict, Verdict::Complete);
    assert_eq!((report.segments, report.kinds.len()), (3, 1));
    let kind = &report.kinds[0];
    assert_eq!((kind.emitted, kind.stored, kind.dropped, kind.lost), (Some(30), 30, 0, Some(0)));
}

#[test]
fn dropping_the_oldest_on_purpose_is_complete_too() {
    let (_temp, folder) = recording(30, 0, true);
    folder.remove_segment(1).unwrap();
    let report = check(&folder);
    assert_eq!(report.verdict, Verdict::Complete);
    assert_eq!((report.kinds[0].stored, report.kinds[0].dropped), (20, 10));
}

#[test]
fn an_empty_recording_is_complete() {
    let (_temp, folder) = trace();
    Spool::new(&folder, 1).meta([end(true)]).seal();
    manifest(&folder, State::Finished);
    assert_eq!(check(&folder).verdict, Verdict::Complete);
}

#[test]
fn what_was_lost_is_counted() {
    let (_temp, folder) = recording(34, 4, true);
    assert_eq!(check(&folder).verdict, Verdict::Lost(4));
}

#[test]
fn after_a_crash_the_end_is_unknown() {
    let (_temp, folder) = recording(34, 4, false);
    let until = Some(EPOCH_NS + T as i64 - 1_000_000_000);
    assert_eq!(check(&folder).verdict, Verdict::Unknown { accounted_until_ns: until });
}

#[test]
fn records_that_nobody_accounts_for_are_named() {
    let (_temp, folder) = recording(35, 4, true);
    let found = problems(&folder);
    assert_eq!(found, "syscall: 35 were emitted, but 30 stored + 0 dropped + 4 lost are 34");
}

#[test]
fn a_missing_file_or_segment_is_named() {
    let (_temp, folder) = recording(30, 0, true);
    fs::remove_file(folder.table_file("syscalls", 2)).unwrap();
    assert_eq!(problems(&folder), "syscall: segment 2 has 10, but no file for `syscalls`");
    folder.remove_segment(2).unwrap();
    assert!(problems(&folder).contains("segments 2 to 2 are missing"));
    let (_temp, folder) = recording(30, 0, true);
    folder.remove_segment(3).unwrap();
    assert_eq!(problems(&folder), "the recording ended in order, but its last segment is missing");
}

#[test]
fn a_file_of_another_trace_is_named() {
    let (_temp, folder) = recording(30, 0, true);
    let (_other_temp, other) = trace();
    Spool::new(&other, 2).block(Stream::Syscalls, &[syscall(T, 1, 1, 0, &[], &[])]).seal();
    let copy = |table: &str| {
        fs::copy(other.table_file(table, 2), folder.table_file(table, 2)).unwrap();
    };
    copy("syscalls");
    assert!(
        problems(&folder)
            .contains("syscalls/000002.parquet is damaged: its checksum does not match")
    );
    copy("segments");
    let found = problems(&folder);
    assert!(found.contains("syscall: 10 are stored before segment 2, which counts 0"), "{found}");
}

#[test]
fn a_changed_byte_in_any_table_is_found() {
    let (_temp, folder) = recording(30, 0, true);
    let mut random = Random(5);
    for table in ["syscalls", "processes", "loss", "clocks"] {
        let path = folder.table_file(table, 2);
        let bytes = fs::read(&path).unwrap();
        for _ in 0..10 {
            let mut changed = bytes.clone();
            let at = 4 + random.next() as usize % (bytes.len() - 8);
            changed[at] ^= (random.next() as u8).max(1);
            fs::write(&path, changed).unwrap();
            assert!(problems(&folder).contains("000002.parquet is damaged"));
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(check(&folder).verdict, Verdict::Complete);
}

#[test]
fn a_broken_seal_is_an_error_and_no_panic() {
    let (_temp, folder) = recording(30, 0, true);
    let path = folder.table_file("segments", 2);
    let bytes = fs::read(&path).unwrap();
    for begin in (4..bytes.len() - 100).step_by(100) {
        let mut changed = bytes.clone();
        changed[begin..begin + 50].fill(0xff);
        fs::write(&path, changed).unwrap();
        let _ = verify(&Trace::open(folder.path()).unwrap());
    }
}
