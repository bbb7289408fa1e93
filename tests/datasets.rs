//! The recorded data sets: what is known of them is what the commands say, without root.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::command::ebrec;

const NAMES: [&str; 14] = [
    "script", "server", "threads", "memory", "dns", "vitals", "network", "web", "database",
    "compiler", "locks", "packages", "cron", "desktop",
];

fn dataset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets").join(name)
}

/// A folder with a copy of a data set in `trace`.
pub fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_all(&dataset(name).join("trace"), &folder.path().join("trace"));
    folder
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Checks the rows of a query, from the spool as it was recorded and then from Parquet.
#[track_caller]
fn check(name: &str, queries: &[(&str, &[&str])]) {
    let folder = copy(name);
    for encoded in [false, true] {
        if encoded {
            ebrec(folder.path(), &["encode"]).ok();
            assert!(folder.path().join("trace/processes/000001.parquet").exists());
        }
        for (sql, expected) in queries {
            let out = ebrec(folder.path(), &["query", sql, "--format", "csv"]).ok();
            let rows: Vec<&str> = out.lines().skip(1).collect();
            assert_eq!(rows, *expected, "{name}, encoded: {encoded}: {sql}");
        }
    }
}

#[test]
fn the_memory_that_was_allocated_and_leaked_is_what_the_program_said() {
    let own = "FROM allocations JOIN stacks USING (stack_id) \
               WHERE frames[1]['module'] = '/tmp/datasets/allocations'";
    let calls = format!(
        "SELECT operation, count(*), count(*) FILTER (WHERE address IS NULL) {own} \
         GROUP BY operation ORDER BY operation"
    );
    let expected = [
        "aligned_alloc,1,0",
        "calloc,10,0",
        "malloc,286,1",
        "memalign,1,0",
        "new,7534,1",
        "posix_memalign,1,0",
        "realloc,17,0",
        "reallocarray,1,0",
    ];
    let leaks = "SELECT count(*), sum(size_bytes) FROM leaks JOIN stacks USING (stack_id) \
                 WHERE frames[1]['module'] = '/tmp/datasets/allocations'";
    check("memory", &[(&calls, &expected), (leaks, &["164,609869"])]);
}

/// Those were recorded with format 1.0, before there were stacks.
#[test]
fn what_an_older_trace_lacks_is_null() {
    let manifest = fs::read_to_string(dataset("threads").join("trace/trace.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["format"], serde_json::json!({"major": 1, "minor": 0}));
    check(
        "threads",
        &[
            (
                "SELECT count(*) > 50, count(stack_id), count(waker_stack_id) FROM offcpu",
                &["true,0,0"],
            ),
            ("SELECT count(*) FROM allocations", &["0"]),
            ("SELECT count(*) FROM stacks", &["0"]),
        ],
    );
}

#[test]
fn the_script_has_its_process_tree() {
    check(
        "script",
        &[
            (
                "SELECT event, count(*) FROM process_events GROUP BY event ORDER BY event",
                &["exec,24", "exit,26", "fork,25", "rename,24"],
            ),
            (
                "SELECT exit_code, count(*) FROM processes GROUP BY exit_code ORDER BY exit_code",
                &["0,23", "3,1", "7,1", "127,1"],
            ),
            ("SELECT count(*) FROM processes WHERE comm = 'true' AND signal IS NULL", &["23"]),
            (
                "SELECT argv FROM processes WHERE comm = 'true' ORDER BY start_ts DESC, pid DESC LIMIT 1",
                &["/bin/true 23"],
            ),
            (
                "SELECT count(*) FROM processes c JOIN processes p ON c.parent_upid = p.upid \
                 WHERE p.argv = '/bin/sh run.sh' AND p.exit_code = 7",
                &["25"],
            ),
            (
                "SELECT syscall, error, comm FROM syscalls WHERE path = '/nowhere/program' \
                 AND syscall = 'execve'",
                &["execve,ENOENT,sh"],
            ),
            ("SELECT count(*) FROM syscalls WHERE syscall = 'exit_group' AND ret IS NULL", &["26"]),
            ("SELECT DISTINCT cwd FROM processes", &["/tmp/datasets"]),
        ],
    );
}

#[test]
fn vitals_have_the_requests_signals_and_work_of_the_script() {
    check(
        "vitals",
        &[
            (
                "SELECT operation, flags, count(*), sum(bytes), count(DISTINCT sector), count(error) \
                 FROM block_io WHERE comm = 'dd' AND flags NOT LIKE '%rahead%' \
                 GROUP BY 1, 2 ORDER BY 1",
                &["read,sync|idle,101,413696,101,0", "write,sync|idle,101,413696,101,0"],
            ),
            (
                "SELECT count(*) FROM block_io WHERE duration_ns <> queue_ns + service_ns \
                 OR disk <> 'vda' OR device <> '254:0'",
                &["0"],
            ),
            (
                "SELECT event, signal, code, target_comm, action, count(*) FROM signals \
                 WHERE comm = 'sh' AND signal IN ('SIGUSR1', 'SIGTERM') AND coalesce(result, '') <> 'ignored' \
                 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2",
                &[
                    "received,SIGUSR1,SI_USER,,handler,17",
                    "sent,SIGTERM,SI_USER,sleep,,3",
                    "sent,SIGUSR1,SI_USER,sh,,17",
                ],
            ),
            (
                "SELECT signal, code, count(*) FROM signals WHERE event = 'sent' AND comm = 'timeout' \
                 AND signal = 'SIGALRM' GROUP BY 1, 2",
                &["SIGALRM,SI_TIMER,1"],
            ),
            ("SELECT exit_code FROM processes WHERE argv = '/bin/sh run.sh'", &["17"]),
            // Four readings, the first of which has nothing before it.
            (
                "SELECT count(DISTINCT ts), count(DISTINCT ts) FILTER (WHERE change IS NOT NULL) FROM system",
                &["4,3"],
            ),
            (
                "SELECT sum(user_percent) > 90, count(*) FROM cpu_usage GROUP BY ts ORDER BY ts LIMIT 1",
                &["true,2"],
            ),
            (
                "SELECT sum(written_bytes_per_second * interval_ns / 1e9) > 413000 FROM disk_usage WHERE disk = 'vda'",
                &["true"],
            ),
            (
                "SELECT sum(change) BETWEEN 1.5e9 AND 2.9e9 FROM system \
                 WHERE component = 'cgroup' AND instance = '/datasets' AND metric = 'cpu_ns'",
                &["true"],
            ),
        ],
    );
}

#[test]
fn the_server_answers_17_requests() {
    let calls = "SELECT comm, syscall, count(*), sum(ret), count(error) FROM syscalls \
                 WHERE syscall IN ('accept4', 'sendto', 'recvfrom') \
                 GROUP BY comm, syscall ORDER BY comm, syscall";
    let expected: &[&str] = &[
        "client,recvfrom,17,17000,0",
        "client,sendto,17,1700,0",
        "server,accept4,17,68,0",
        "server,recvfrom,17,1700,0",
        "server,sendto,17,17000,0",
    ];
    check(
        "server",
        &[
            (calls, expected),
            (
                "SELECT count(*), count(DISTINCT address), count(error), \
                 bool_and(starts_with(address, '127.0.0.1:')) \
                 FROM syscalls WHERE comm = 'client' AND syscall = 'connect'",
                &["17,1,0,true"],
            ),
            ("SELECT count(DISTINCT address) FROM syscalls WHERE syscall = 'accept4'", &["17"]),
            ("SELECT comm, exit_code FROM processes ORDER BY comm", &["client,0", "server,0"]),
        ],
    );
}

#[test]
fn connections_have_the_bytes_that_were_sent() {
    let ends = "SELECT comm, protocol, role, remote_address, sent_bytes, received_bytes, sends, receives, \
                error FROM connections WHERE role <> 'listener' ORDER BY protocol, role, comm, ts";
    let expected: &[&str] = &[
        "client,tcp,client,127.0.0.1,300,7000,1,1,",
        "client,tcp,client,::1,300,7000,1,1,",
        "client,tcp,client,127.0.0.1,0,0,0,0,ECONNREFUSED",
        "server,tcp,server,127.0.0.1,7000,300,1,1,",
        "server,tcp,server,::1,7000,300,1,1,",
        "client,udp,peer,127.0.0.1,1353,0,11,0,",
        "server,udp,peer,,0,1353,0,11,",
        "client,unix_stream,peer,,4,0,1,0,",
        "server,unix_stream,peer,,0,4,0,1,",
    ];
    check(
        "network",
        &[
            (ends, expected),
            // 28 bytes of headers each; loopback counts no Ethernet header.
            (
                "SELECT sum(sent_packets), sum(sent_bytes) FROM flows WHERE protocol = 'udp'",
                &["11,1661"],
            ),
            (
                "SELECT count(*), min(length_bytes), max(payload_bytes) FROM packets \
                 WHERE protocol = 'udp' AND direction = 'sent'",
                &["11,165,123"],
            ),
            (
                "SELECT DISTINCT container_id, netns IS NULL FROM processes",
                &["0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef,false"],
            ),
            ("SELECT runtime FROM containers", &["docker"]),
        ],
    );
}

#[test]
fn real_programs_did_what_their_scripts_say() {
    let bytes = "SELECT role, comm, count(*), sum(sent_bytes), sum(received_bytes) FROM connections \
                 WHERE protocol = 'tcp' AND role <> 'listener' GROUP BY role, comm ORDER BY role";
    let missing = "SELECT count(*) FROM syscalls WHERE comm = 'nginx' AND error = 'ENOENT' AND path LIKE '%/missing'";
    check(
        "web",
        &[
            (bytes, &["client,curl,4,8946,423136", "server,nginx,4,423136,8946"]),
            (missing, &["7"]),
            ("SELECT exit_code FROM processes WHERE argv = '/bin/sh run.sh'", &["7"]),
        ],
    );
    let forced =
        "SELECT count(*) >= 53 FROM syscalls WHERE comm = 'sqlite3' AND syscall = 'fdatasync'";
    let flushed = "SELECT count(*) >= 53 FROM block_io WHERE operation = 'flush'";
    check("database", &[(forced, &["true"]), (flushed, &["true"])]);
    let ends = "SELECT comm, exit_code, count(*) FROM processes WHERE comm IN ('gcc', 'cc1', 'good') \
                GROUP BY comm, exit_code ORDER BY comm, exit_code";
    check("compiler", &[(ends, &["cc1,0,1", "cc1,1,1", "gcc,0,2", "gcc,1,1", "good,23,1"])]);
    // What is waited for shorter is the library's own lock.
    let waited = "SELECT count(*), sum(duration_ns) BETWEEN 900000000 AND 1100000000 FROM waits \
                  WHERE reason = 'lock' AND duration_ns > 40000000";
    let slept = "SELECT count(*) BETWEEN 99 AND 100, sum(duration_ns) BETWEEN 990000000 AND 1100000000 FROM waits \
                 WHERE reason = 'sleep' AND duration_ns < 40000000";
    check("locks", &[(waited, &["20,true"]), (slept, &["true,true"])]);
}

#[test]
fn the_names_that_were_asked_for_have_their_answers() {
    let counts = "SELECT transport, kind, rcode, type, count(*) FROM dns \
                  GROUP BY transport, kind, rcode, type ORDER BY transport, kind, rcode, type";
    let expected: &[&str] = &[
        "tcp,query,,A,5",
        "tcp,query,,TXT,1",
        "tcp,response,NOERROR,A,5",
        "tcp,response,NOERROR,TXT,1",
        "udp,query,,A,39",
        "udp,query,,AAAA,15",
        "udp,query,,MX,1",
        "udp,query,,TXT,1",
        "udp,response,NOERROR,A,32",
        "udp,response,NOERROR,AAAA,15",
        "udp,response,NOERROR,MX,1",
        "udp,response,NOERROR,TXT,1",
        "udp,response,NXDOMAIN,A,7",
    ];
    check(
        "dns",
        &[
            (counts, expected),
            (
                "SELECT transport, flags, answer_count, answer_count < 17 FROM dns \
                 WHERE name = 'large.test.' AND kind = 'response' ORDER BY ts",
                &["udp,aa tc rd ra,10,true", "tcp,aa rd ra,17,false"],
            ),
            (
                "SELECT answers, ttl_min_s FROM dns WHERE kind = 'response' AND transport = 'udp' \
                 AND (name = 'alias.test.' OR name = 'mail.test.' OR name = 'host13.test.') ORDER BY ts",
                &[
                    "192.0.2.13,77",
                    "2001:db8::13,77",
                    "\"CNAME host1.test., 192.0.2.1\",77",
                    "MX 10 host2.test.,77",
                ],
            ),
            ("SELECT count(*) FROM dns WHERE client_address = '::1' AND server_port = 53", &["4"]),
            (
                "SELECT DISTINCT p.exe, d.side FROM dns d JOIN processes p USING (upid)",
                &["/usr/bin/dig,client"],
            ),
            (
                "SELECT count(*) FROM dns WHERE kind = 'response' AND latency_ns BETWEEN 1 AND 1000000000",
                &["62"],
            ),
            ("SELECT count(*) FROM dns WHERE malformed IS NOT NULL OR truncated", &["0"]),
        ],
    );
}

#[test]
fn one_thread_counts_and_one_sleeps() {
    check(
        "threads",
        &[
            ("SELECT comm FROM threads ORDER BY comm", &["counter", "sleeper"]),
            (
                "SELECT comm, count(*), min(duration_ns) >= 10000000, max(duration_ns) < 20000000 \
                 FROM syscalls WHERE syscall = 'clock_nanosleep' GROUP BY comm",
                &["sleeper,50,true,true"],
            ),
            (
                "SELECT sum(duration_ns) BETWEEN 480000000 AND 520000000 FROM sched_slices",
                &["true"],
            ),
            (
                "SELECT sum(duration_ns) > 450000000 FROM sched_slices WHERE comm = 'counter'",
                &["true"],
            ),
            (
                "SELECT count(*) > 40, sum(duration_ns) > 500000000 FROM offcpu \
                 WHERE comm = 'sleeper' AND state = 'sleeping'",
                &["true,true"],
            ),
            (
                "SELECT count(*) >= 10 FROM offcpu WHERE comm = 'sleeper' AND waker_comm = 'counter'",
                &["true"],
            ),
        ],
    );
}

#[test]
fn all_are_complete_small_and_of_their_workload_only() {
    for name in NAMES {
        let folder = copy(name);
        let run = ebrec(folder.path(), &["verify"]);
        assert_eq!(run.code, 0, "{name}: {run:?}");
        assert!(run.out.contains("Complete: every event that was emitted is stored."), "{run:?}");
        // A control group of its own, and no process from outside of it.
        let sql = "SELECT DISTINCT cgroup FROM processes";
        let groups = ebrec(folder.path(), &["query", sql, "--format", "csv"]).ok();
        let container = format!("/docker-{}.scope", "0123456789abcdef".repeat(4));
        let group = if name == "network" { &container } else { "/datasets" };
        assert_eq!(groups, format!("cgroup\n{group}\n"), "{name}");
        let sql = "SELECT count(*) FROM events WHERE pid NOT IN (SELECT pid FROM processes)";
        let strangers = ebrec(folder.path(), &["query", sql, "--format", "csv"]).ok();
        assert_eq!(strangers.lines().nth(1), Some("0"), "{name}");
        assert!(bytes(&dataset(name)) < 256 << 10, "{name}");
        assert!(dataset(name).join("about.md").exists(), "{name}");
    }
}

#[test]
fn a_package_was_installed_upgraded_and_purged() {
    let scripts = "SELECT regexp_replace(path, '^.*[./]', '') AS script, count(*) FROM execs \
                   WHERE path LIKE '/var/lib/dpkg/%' GROUP BY 1 ORDER BY 1";
    check(
        "packages",
        &[
            (scripts, &["postinst,2", "postrm,3", "preinst,2", "prerm,2"]),
            (
                "SELECT exit_code FROM processes WHERE argv = '/bin/bash run.sh' AND exit_code = 10",
                &["10"],
            ),
        ],
    );
}

#[test]
fn cron_ran_its_jobs() {
    check(
        "cron",
        &[
            ("SELECT count(*) FROM execs WHERE parent_comm = 'cron' AND comm = 'sh'", &["5"]),
            (
                "SELECT count(*) FROM file_accesses WHERE comm = 'find' AND operation = 'unlink' AND path LIKE '%.tmp' \
                 AND failures = 0",
                &["8"],
            ),
        ],
    );
}

#[test]
fn a_user_worked_with_windows() {
    check(
        "desktop",
        &[
            (
                "SELECT comm, uid FROM execs WHERE comm IN ('Xvfb', 'openbox', 'xterm', 'nano', 'pcmanfm', 'dillo') \
                 ORDER BY comm",
                &[
                    "Xvfb,0",
                    "dillo,2000",
                    "nano,2000",
                    "openbox,2000",
                    "pcmanfm,2000",
                    "xterm,2000",
                ],
            ),
            (
                "SELECT count(*) > 0 FROM connections WHERE comm = 'dillo' AND role = 'client' \
                 AND remote_address = '127.0.0.1' AND remote_port = 8000 AND received_bytes > 100",
                &["true"],
            ),
        ],
    );
}

fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.path().is_dir() {
            true => bytes(&entry.path()),
            false => entry.metadata().unwrap().len(),
        })
        .sum()
}

#[test]
fn encoding_twice_gives_the_same_bytes() {
    for name in NAMES {
        let folder = copy(name);
        ebrec(folder.path(), &["encode", "-o", "one"]).ok();
        ebrec(folder.path(), &["encode", "--keep-spool"]).ok();
        let one = parquet(&folder.path().join("one"));
        assert!(one.contains_key("processes/000001.parquet"), "{name}");
        assert!(one == parquet(&folder.path().join("trace")), "{name}: into the trace");
        ebrec(folder.path(), &["encode", "--again"]).ok();
        assert!(one == parquet(&folder.path().join("trace")), "{name}: again");
    }
}

/// The Parquet files of a trace.
fn parquet(trace: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let tables = fs::read_dir(trace).unwrap().map(|entry| entry.unwrap().path());
    for table in tables.filter(|path| path.is_dir() && !path.ends_with("spool")) {
        for file in fs::read_dir(&table).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(trace).unwrap().to_str().unwrap().to_string();
            files.insert(name, fs::read(path).unwrap());
        }
    }
    files
}

#[test]
fn replay_begins_as_it_always_did() {
    for name in NAMES {
        let folder = copy(name);
        let expected = fs::read_to_string(dataset(name).join("replay.txt")).unwrap();
        let out = ebrec(folder.path(), &["replay"]).ok();
        assert!(expected.lines().count() == 40 && out.starts_with(&expected), "{name}:\n{out}");
        // The same, whichever form the events lie in.
        ebrec(folder.path(), &["encode"]).ok();
        assert!(ebrec(folder.path(), &["replay"]).ok() == out, "{name}, encoded");
    }
}
