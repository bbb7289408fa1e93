//! Gauges, held against what the kernel says before and after, and against free and df.

use std::collections::BTreeMap;

use super::lab::Lab;
use super::programs::output;
use crate::skip::{has_program, skip};

/// Ticks of each CPU and counters of `/proc/stat`, by name.
fn stat() -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for line in std::fs::read_to_string("/proc/stat").unwrap().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<f64>().unwrap();
        if words[0].starts_with("cpu") && words[0] != "cpu" {
            // Idle time may fall by a tick, the others do not.
            found.insert(format!("{},user_ns", words[0]), number(1) * 1e7);
            found.insert(format!("{},system_ns", words[0]), number(3) * 1e7);
        } else if words[0] == "ctxt" {
            found.insert(",context_switches".into(), number(1));
        } else if words[0] == "processes" {
            found.insert(",forks".into(), number(1));
        }
    }
    found
}

#[test]
fn sums_lie_between_what_the_kernel_says_before_and_after() {
    let Some(lab) = Lab::open() else { return };
    let before = stat();
    let busy = "i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i + 1)); done; sleep 1.2";
    lab.ebrec(&["record", "-s", "system", "--rotate", "1s", "--", "sh", "-c", busy]).ok();
    let after = stat();
    lab.assert_complete();
    let rows = lab.rows(
        "SELECT coalesce(instance, ''), metric, min(value), max(value), coalesce(sum(change), 0) FROM system \
         WHERE metric IN ('user_ns', 'system_ns', 'context_switches', 'forks') GROUP BY 1, 2",
    );
    assert_eq!(rows.len(), before.len(), "{rows:?}");
    for row in rows {
        let (name, numbers) =
            row.match_indices(',').nth(1).map(|(at, _)| row.split_at(at)).unwrap();
        let numbers: Vec<f64> = numbers[1..].split(',').map(|text| text.parse().unwrap()).collect();
        let [first, last, change] = numbers[..] else { panic!("{row}") };
        assert!(before[name] <= first && last <= after[name], "{row}: {before:?} {after:?}");
        // Nothing is missed where one segment ends and the next begins.
        assert_eq!(change, last - first, "{row}");
    }
    let forks = "SELECT CAST(sum(change) AS BIGINT) FROM system WHERE metric = 'forks'";
    assert!(lab.value(forks) >= 301);
    let firsts = "SELECT count(DISTINCT ts) FROM system WHERE component = 'cpu' AND change IS NULL";
    assert_eq!(lab.value(firsts), 1);
    assert!(lab.value("SELECT count(DISTINCT ts) FROM system") >= 3);
    let shares = "SELECT count(*) FROM cpu_usage WHERE abs(user_percent + system_percent + irq_percent \
                  + iowait_percent + idle_percent + steal_percent - 100) > 0.01";
    assert_eq!(lab.value(shares), 0);
    assert!(lab.value("SELECT count(*) FROM cpu_usage") >= 2);
}

#[test]
fn levels_are_those_of_free_and_df() {
    let Some(lab) = Lab::open() else { return };
    if !has_program("free", &["--version"]) {
        skip("free is not installed");
        return;
    }
    lab.ebrec(&["record", "-s", "system", "--", "sleep", "0.1"]).ok();
    let free = output("free", &["-b"]);
    let words: Vec<i64> = free
        .lines()
        .find_map(|line| line.strip_prefix("Mem:"))
        .unwrap()
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    let memory = |metric: &str| {
        lab.value(&format!(
            "SELECT CAST(last_value(value ORDER BY ts) AS BIGINT) FROM system \
             WHERE component = 'memory' AND metric = '{metric}'"
        ))
    };
    assert_eq!(memory("total_bytes"), words[0]);
    // What is available changes all the time.
    let available = words[words.len() - 1];
    assert!((memory("available_bytes") - available).abs() < words[0] / 10);
    let sizes = lab.rows(
        "SELECT DISTINCT instance, CAST(value AS BIGINT) FROM system \
         WHERE component = 'filesystem' AND metric = 'size_bytes'",
    );
    for row in sizes {
        let (mount, size) = row.rsplit_once(',').unwrap();
        let df = output("df", &["-B1", "--output=size", mount]);
        assert_eq!(df.lines().nth(1).unwrap().trim(), size, "{mount}");
    }
}

#[test]
fn bytes_of_an_interface_are_those_that_were_sent() {
    let Some(lab) = Lab::open() else { return };
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    // 100 datagrams of 1,000 bytes, each with headers of 28.
    let send = format!(
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
         for i in range(100): s.sendto(b'x' * 1000, ('127.0.0.1', {port}))"
    );
    if !has_program("python3", &["--version"]) {
        skip("python3 is not installed");
        return;
    }
    lab.ebrec(&["record", "-s", "system", "--", "python3", "-c", &send]).ok();
    let grown = "SELECT CAST(sum(change) AS BIGINT) FROM system \
                 WHERE instance = 'lo' AND metric = 'sent_bytes'";
    assert!(lab.value(grown) >= 100 * 1028);
    let rates = "SELECT CAST(sum(sent_bytes_per_second * interval_ns / 1e9) AS BIGINT) \
                 FROM interface_usage WHERE interface = 'lo'";
    assert!((lab.value(rates) - lab.value(grown)).abs() <= 1);
}

#[test]
fn what_the_scheduler_gave_is_what_schedstat_says() {
    let Some(lab) = Lab::open() else { return };
    // The numbers of the shell itself, after some children that are too short to be met by a look
    // once a second.
    let script = "i=0; while [ $i -lt 800000 ]; do i=$((i + 1)); done\n\
                  i=0; while [ $i -lt 50 ]; do /bin/true; i=$((i + 1)); done\n\
                  sleep 0.2; cat /proc/$$/schedstat; grep ctxt /proc/$$/status";
    let run = lab.ebrec(&["record", "-s", "cpu", "--rotate", "1s", "--", "sh", "-c", script]);
    let numbers: Vec<i64> =
        run.ok().split_whitespace().filter_map(|word| word.parse().ok()).collect();
    // Time on the CPU, time of waiting, slices; voluntary switches, others.
    let [cpu_ns, wait_ns, _, voluntary, involuntary] = numbers[..] else { panic!("{numbers:?}") };
    lab.assert_complete();
    let sum = |column: &str, comm: &str| {
        lab.value(&format!(
            "SELECT CAST(sum({column}) AS BIGINT) FROM process_usage WHERE comm = '{comm}'"
        ))
    };
    // It ran for a moment before it was the command, and runs on for one after it has been asked.
    let near = |found: i64, said: i64, slack: i64| {
        assert!((found - said).abs() <= slack, "{found}, not {said}");
    };
    near(sum("cpu_ns", "sh"), cpu_ns, 50_000_000);
    near(sum("wait_ns", "sh"), wait_ns, 500_000_000);
    near(sum("voluntary_switches", "sh"), voluntary, 20);
    near(sum("involuntary_switches", "sh"), involuntary, 50);
    // Each child is there with its last switch, which comes after its end; by process, since one may live
    // from a second into the next.
    let children = "SELECT count(*), min(switches) > 0, min(cpu_ns) > 50000 FROM \
                    (SELECT upid, sum(voluntary_switches) AS switches, sum(cpu_ns) AS cpu_ns \
                     FROM task_usage WHERE comm = 'true' GROUP BY upid)";
    assert_eq!(lab.rows(children), ["50,true,true"]);
}

#[test]
fn the_last_switch_of_a_process_is_told_that_nobody_waits_for() {
    let Some(lab) = Lab::open() else { return };
    if !has_program("python3", &["--version"]) {
        skip("python3 is not installed");
        return;
    }
    // It is freed after the recording, and no segment may begin with it as one that runs.
    let script = "import os, time\n\
                  child = os.fork()\n\
                  if child == 0: os._exit(0)\n\
                  print(child, flush=True); time.sleep(2.5)";
    let run = lab.ebrec(&["record", "-s", "cpu", "--rotate", "1s", "--", "python3", "-c", script]);
    let child: u32 = run.ok().trim().parse().unwrap();
    lab.assert_complete();
    let told = format!(
        "SELECT sum(voluntary_switches) > 0, sum(cpu_ns) > 50000 FROM task_usage WHERE pid = {child}"
    );
    assert_eq!(lab.rows(&told), ["true,true"]);
    let after = format!(
        "SELECT count(*) FROM process_events e JOIN processes p USING (host, upid) \
         WHERE e.pid = {child} AND e.ts > p.end_ts"
    );
    assert_eq!(lab.value(&after), 0);
}
