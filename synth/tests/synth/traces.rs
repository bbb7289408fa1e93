//! What holds for traces of every scenario.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use store::{Trace, Verdict, verify};
use synth::{Error, Options, SCENARIOS, write};

use crate::read::{Made, batches, made, options};

/// The files of a folder by their paths in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        if path.is_dir() {
            let inner = files(&path).into_iter();
            found.extend(inner.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn every_scenario_is_a_complete_trace_of_several_segments() {
    for scenario in SCENARIOS {
        let (temp, written) = made(&options(scenario.name));
        let trace = Trace::open(&temp.path().join("trace")).unwrap();
        let report = verify(&trace).unwrap();
        assert_eq!(report.verdict, Verdict::Complete, "{}", scenario.name);
        assert!(report.segments > 2 && report.segments == written.segments, "{}", scenario.name);
        let stored: u64 = report.kinds.iter().map(|kind| kind.stored).sum();
        assert_eq!(stored, written.stored, "{}", scenario.name);
        assert!((25_000..=36_000).contains(&stored), "{} has {stored} events", scenario.name);
        assert!(!written.facts.is_empty(), "{}", scenario.name);
    }
}

#[test]
fn the_fewest_events_are_enough() {
    for scenario in SCENARIOS {
        let (temp, written) = made(&Options { events: 2_000, ..options(scenario.name) });
        let trace = Trace::open(&temp.path().join("trace")).unwrap();
        assert_eq!(verify(&trace).unwrap().verdict, Verdict::Complete, "{}", scenario.name);
        assert!(written.stored > 1_000, "{} has {} events", scenario.name, written.stored);
    }
}

#[test]
fn the_seed_decides_about_every_byte() {
    for scenario in SCENARIOS {
        let files = |seed| {
            let (temp, _) = made(&Options { seed, ..options(scenario.name) });
            files(&temp.path().join("trace"))
        };
        let first = files(1);
        assert!(first == files(1), "{} differs with the same seed", scenario.name);
        assert!(first != files(2), "{} is the same with another seed", scenario.name);
    }
}

#[test]
fn rows_of_a_segment_are_in_the_order_of_time_and_after_those_of_the_one_before() {
    let (temp, _) = made(&options("mixed"));
    let trace = Trace::open(&temp.path().join("trace")).unwrap();
    for table in schema::tables::TABLES {
        if !matches!(table.source, schema::Source::Stream(_)) {
            continue;
        }
        let mut before = i64::MIN;
        for batch in trace.files(table.name).iter().flat_map(|path| batches(path)) {
            use arrow::array::AsArray;
            let ts = batch.column_by_name("ts").unwrap();
            let ts = ts.as_primitive::<arrow::datatypes::TimestampNanosecondType>();
            for ts in ts.values() {
                assert!(*ts >= before, "{}", table.name);
                before = *ts;
            }
        }
    }
}

#[test]
fn what_is_lost_is_counted_and_the_truth_stays() {
    for scenario in SCENARIOS {
        let all = made(&options(scenario.name)).1;
        let (temp, written) = made(&Options { loss_percent: 10.0, ..options(scenario.name) });
        let trace = Trace::open(&temp.path().join("trace")).unwrap();
        assert_eq!(verify(&trace).unwrap().verdict, Verdict::Lost(written.lost));
        assert_eq!(written.stored + written.lost, all.stored, "{}", scenario.name);
        let share = written.lost as f64 / all.stored as f64;
        assert!((0.09..0.11).contains(&share), "{} lost {share}", scenario.name);
        assert_eq!(written.facts, all.facts);
        let told: i64 = trace
            .files("loss")
            .iter()
            .flat_map(|path| batches(path))
            .map(|batch| {
                use arrow::array::AsArray;
                let lost = batch.column_by_name("lost").unwrap();
                lost.as_primitive::<arrow::datatypes::Int64Type>().values().iter().sum::<i64>()
            })
            .sum();
        assert_eq!(told as u64, written.lost, "{}", scenario.name);
    }
}

#[test]
fn events_are_of_threads_that_live_at_the_time() {
    let made = Made::new("mixed");
    let threads = made.table("threads");
    let mut lives: BTreeMap<(i64, i64), (i64, i64)> = BTreeMap::new();
    let (upids, tids) = (threads.int("upid"), threads.int("tid"));
    let (starts, ends) = (threads.int("start_ts"), threads.int("end_ts"));
    for row in 0..threads.len() {
        let life = lives.entry((upids[row].unwrap(), tids[row].unwrap())).or_insert((0, i64::MAX));
        life.0 = starts[row].unwrap();
        life.1 = life.1.min(ends[row].unwrap_or(i64::MAX));
    }
    for table in schema::tables::TABLES.iter().filter(|table| table.is_of_threads()) {
        let rows = made.table(table.name);
        let (upids, tids, ts) = (rows.int("upid"), rows.int("tid"), rows.int("ts"));
        for row in 0..rows.len() {
            let (from, to) = lives[&(upids[row].unwrap(), tids[row].unwrap())];
            let ts = ts[row].unwrap();
            assert!(from <= ts && ts <= to, "{}: {} not in {from}..={to}", table.name, ts);
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("trace");
    let refused = |options: Options| write(&path, &options).unwrap_err().to_string();
    assert!(refused(options("none")).contains("choose one of leaks, "));
    assert!(refused(Options { events: 3, ..options("leaks") }).contains("at least"));
    assert!(refused(Options { segment_events: 0, ..options("leaks") }).contains("at least 1"));
    assert!(refused(Options { loss_percent: 101.0, ..options("leaks") }).contains("0 to 100"));
    assert!(refused(Options { loss_percent: f64::NAN, ..options("leaks") }).contains("0 to 100"));
    assert!(!path.exists());
    write(&path, &options("hot")).unwrap();
    assert!(matches!(write(&path, &options("hot")), Err(Error::Store(_))));
    write(&path, &Options { force: true, ..options("hot") }).unwrap();
}
