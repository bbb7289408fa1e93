//! A trace is queried while it is being recorded.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::lab::Lab;

#[test]
fn a_trace_that_is_being_recorded_grows_from_query_to_query() {
    let Some(lab) = Lab::open() else { return };
    let load = lab.work(&["load", "marks.txt", "20"]);
    let recorder = lab.start(&["-p", &load.pid(), "--rotate", "1s"]);
    let sql = "SELECT count(*) FROM syscalls";
    let mut last = lab.value(sql);
    let (began, mut queries) = (Instant::now(), 0);
    // Each segment changes from spool to Parquet under the queries.
    while began.elapsed() < Duration::from_secs(4) {
        sleep(Duration::from_millis(100));
        let rows = lab.value(sql);
        assert!(rows > last, "{rows} after {last}");
        (last, queries) = (rows, queries + 1);
    }
    assert!(queries >= 3);
    let info = lab.ebrec(&["info"]).ok();
    assert!(info.contains("being recorded"), "{info}");
    let error = lab.ebrec(&["encode"]).error();
    assert!(error.contains("is being recorded right now"), "{error}");
    let refused = lab.ebrec(&["record", "--force", "--", "/bin/true"]).error();
    assert!(refused.contains("is being recorded right now"), "{refused}");
    let run = recorder.stop(libc::SIGINT);
    assert_eq!(run.code, 0, "{run:?}");
    lab.assert_complete();
    assert!(lab.value(sql) >= last);
}
