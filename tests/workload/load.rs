//! Many cheap system calls.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, SystemTime};

/// A batch of calls is made each so often: 1000 calls are 125,000 a second.
const EVERY: Duration = Duration::from_millis(8);

/// So many calls of `getppid`, as fast as they go.
pub fn storm(calls: u64) {
    for _ in 0..calls {
        // SAFETY: no arguments.
        unsafe { libc::getppid() };
    }
}

/// Calls `getppid` in batches until it is killed, and writes down how many were made until when: lines of a
/// count and a time (UTC, in ns). No call is made within a millisecond of a mark.
pub fn load(marks: &str, batch: u64) {
    let mut marks = File::create(marks).unwrap();
    let mut calls = 0;
    loop {
        let began = std::time::Instant::now();
        storm(batch);
        calls += batch;
        super::sleep(Duration::from_millis(1));
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        marks.write_all(format!("{calls} {now}\n").as_bytes()).unwrap();
        super::sleep(EVERY.saturating_sub(began.elapsed()).max(Duration::from_millis(1)));
    }
}
