//! Requests to disks, and the gauges that agree with them.

use std::collections::BTreeMap;

use crate::read::{Made, sums};

#[test]
fn requests_latencies_and_errors_are_what_the_truth_says() {
    let made = Made::new("disk");
    let rows = made.table("block_io");
    let (disk, operation, error) = (rows.text("disk"), rows.text("operation"), rows.text("error"));
    let (comm, bytes, ts) = (rows.text("comm"), rows.int("bytes"), rows.int("ts"));
    let (duration, queue) = (rows.int("duration_ns"), rows.int("queue_ns"));
    let service = rows.int("service_ns");
    let all = || 0..rows.len();
    let disk_of = |row: usize| disk[row].clone().unwrap();
    let line = |row: usize| format!("{}|{}", disk_of(row), operation[row].as_ref().unwrap());
    let user = |row: usize| format!("{}|{}", disk_of(row), comm[row].as_ref().unwrap());
    let both = || all().flat_map(|row| [(line(row), row), (user(row), row)]);
    made.check("requests", &sums(both().map(|(name, _)| (name, 1))));
    made.check("bytes", &sums(both().map(|(name, row)| (name, bytes[row].unwrap()))));
    let completed: Vec<usize> = all().filter(|row| duration[*row].is_some()).collect();
    made.check("completed", &sums(completed.iter().map(|row| (line(*row), 1))));
    let ns = completed.iter().map(|row| (line(*row), duration[*row].unwrap()));
    made.check("duration_ns", &sums(ns));
    let missing = all().filter(|row| duration[*row].is_none());
    let missing = sums(missing.map(|row| (disk_of(row), 1)));
    assert!(!missing.is_empty());
    made.check("not_completed", &missing);
    let failed = completed.iter().filter(|row| error[**row].is_some());
    let failed = failed.map(|row| (format!("{}|{}", line(*row), error[*row].as_ref().unwrap()), 1));
    let failed = sums(failed);
    assert!(!failed.is_empty());
    made.check("io_errors", &failed);
    let mut sorted: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    for row in &completed {
        let [duration, queue, service] = [&duration, &queue, &service].map(|ns| ns[*row].unwrap());
        assert_eq!(duration, queue + service);
        sorted.entry(line(*row)).or_default().push((duration, -ts[*row].unwrap()));
    }
    for (name, durations) in &mut sorted {
        durations.sort();
        for (fact, percent) in [("p50_ns", 50), ("p90_ns", 90), ("p99_ns", 99)] {
            let rank = (durations.len() * percent).div_ceil(100);
            assert_eq!(made.value(fact, name), durations[rank - 1].0, "{fact} of {name}");
        }
        let (ns, ts) = durations[durations.len() - 1];
        assert_eq!(made.fact("max_ns", name), (Some(ns), Some(-ts)), "{name}");
    }
}

#[test]
fn gauges_agree_with_requests() {
    let made = Made::new("disk");
    let rows = made.table("system");
    let (component, instance) = (rows.text("component"), rows.text("instance"));
    let (metric, change) = (rows.text("metric"), rows.int("change"));
    let value = rows.int("value");
    let disks = (0..rows.len()).filter(|row| component[*row].as_deref() == Some("disk"));
    let disks: Vec<usize> = disks.collect();
    let name = |row: usize| instance[row].clone().unwrap();
    let of = |metrics: &[&str]| {
        let with = |row: &&usize| metrics.contains(&metric[**row].as_deref().unwrap());
        let rows = disks.iter().filter(with);
        sums(rows.map(|row| (name(*row), change[*row].unwrap_or(0))))
    };
    made.check("busy_ns", &of(&["busy_ns"]));
    made.check("weighted_ns", &of(&["weighted_ns"]));
    let mut requests = Vec::new();
    for (operation, metric) in
        [("read", "reads"), ("write", "writes"), ("flush", "flushes"), ("discard", "discards")]
    {
        let sums = of(&[metric]).into_iter();
        requests.extend(sums.map(|(disk, sum)| (format!("{disk}|{operation}"), sum)));
    }
    made.check("completed", &sums(requests));
    let ns = of(&["read_ns"]);
    for (disk, sum) in ns {
        assert_eq!(made.value("duration_ns", &format!("{disk}|read")), sum);
    }
    let busy = of(&["busy_ns"]);
    assert!(busy["sda"] > busy["nvme0n1"]);
    // What is in flight at the end has not completed.
    let last = disks.iter().filter(|row| metric[**row].as_deref() == Some("in_flight"));
    let last: BTreeMap<String, i64> = last.map(|row| (name(*row), value[*row].unwrap())).collect();
    for (disk, in_flight) in last.into_iter().filter(|(_, in_flight)| *in_flight > 0) {
        assert_eq!(made.value("not_completed", &disk), in_flight);
    }
}
