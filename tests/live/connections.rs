//! Sockets: what went through them is what programs, `ss` and the kernel's own counters say.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use super::lab::{Lab, Process, until};
use crate::command::command;
use crate::skip::{has_program, skip};

const COUNT: i64 = 7;

/// The path of a program of the tests; none where there is no Python.
#[track_caller]
fn program(name: &str) -> Option<String> {
    if !has_program("python3", &["--version"]) {
        skip("python3 is not installed");
        return None;
    }
    Some(format!("{}/tests/programs/{name}", env!("CARGO_MANIFEST_DIR")))
}

#[test]
fn bytes_and_calls_are_what_the_programs_say() {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = program("sockets.py") else { return };
    let count = COUNT.to_string();
    let run = lab.ebrec(&["record", "-q", "-s", "network", "--", "python3", &program, &count]);
    assert_eq!(run.code, 0, "{run:?}");
    lab.assert_complete();
    let rows = lab.rows(
        "SELECT socket_inode, protocol, sent_bytes, received_bytes, sends, receives \
         FROM connections WHERE socket_inode IS NOT NULL",
    );
    let found = numbers(rows.iter().map(|row| row.split(',').collect()));
    let told = numbers(run.out.lines().map(|line| line.split(' ').collect()));
    assert!(told.len() as i64 > 50 * COUNT, "{}", told.len());
    for (socket, expected) in &told {
        let found = found.get(socket).unwrap_or_else(|| panic!("{socket:?} is missing"));
        for (expected, found) in expected.iter().zip(found) {
            assert!(expected.is_none() || expected == found, "{socket:?}: {found:?}");
        }
    }
    let value = |sql: &str| lab.value(&format!("SELECT count(*) FROM connections WHERE {sql}"));
    assert_eq!(value("error = 'ECONNREFUSED' AND state = 'SYN_SENT' AND sent_bytes = 0"), COUNT);
    // Of each of three servers as many connections end by a reset of the client as by one of theirs.
    let is_reset = "error = 'ECONNRESET' AND resets_received = 1";
    assert_eq!(value(&format!("role = 'client' AND {is_reset}")), 3 * COUNT);
    assert_eq!(value(&format!("role = 'server' AND {is_reset}")), 3 * COUNT);
    assert_eq!(value("role = 'server' AND resets_sent = 1 AND error IS NULL"), 3 * COUNT);
    assert_eq!(value("role = 'listener' AND protocol = 'tcp'"), 4);
    // Version 4 in version 6 is printed as what it is.
    assert_eq!(value("local_address LIKE '::ffff%'"), 0);
    assert_eq!(value("remote_address LIKE '%/stream' AND role = 'client'"), 3 * COUNT);
    assert_eq!(value("local_address LIKE '@abstract-%' AND role = 'server'"), 3 * COUNT);
    assert_eq!(value("protocol = 'tcp' AND role = 'client' AND connect_latency_ns IS NULL"), COUNT);
    assert_eq!(value("preexisting OR duration_ns IS NULL"), 0);
    assert_eq!(value("approximate_end AND protocol NOT LIKE 'unix%'"), 0);
    // Each state that a connection went through is there, in order.
    let path = lab.rows(
        "SELECT count(*) FROM (SELECT string_agg(state, ' ' ORDER BY ts) AS states \
         FROM connection_events WHERE event = 'state' GROUP BY connection_id) \
         WHERE states IN ('SYN_SENT CLOSE', 'LISTEN CLOSE')",
    );
    assert_eq!(path, [(COUNT + 4).to_string()]);
}

/// What went through sockets, by inode number and protocol: sums of all lines of one.
fn numbers<'a>(
    lines: impl Iterator<Item = Vec<&'a str>>,
) -> BTreeMap<(String, String), [Option<i64>; 4]> {
    let mut sums = BTreeMap::new();
    for line in lines {
        let key = (line[0].to_string(), line[1].to_string());
        let sum = sums.entry(key).or_insert([Some(0); 4]);
        for (sum, word) in sum.iter_mut().zip(&line[2..]) {
            *sum = sum.zip(word.parse().ok()).map(|(sum, number): (i64, i64)| sum + number);
        }
    }
    sums
}

#[test]
fn a_connection_is_what_ss_tells_of_it() {
    let Some(lab) = Lab::open() else { return };
    if !has_program("ss", &["-V"]) || program("sockets.py").is_none() {
        return skip("ss or python3 is not installed");
    }
    let script = "import socket, subprocess\n\
        s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname())\n\
        a, _ = s.accept(); c.sendall(b'x' * 23456); left = 23456\n\
        while left: left -= len(a.recv(left))\n\
        a.sendall(b'y' * 789); assert len(c.recv(700)) == 700\n\
        port = c.getsockname()[1]\n\
        print(subprocess.check_output(['ss', '-tinHO', f'sport = :{port}'], text=True))";
    let run = lab.ebrec(&["record", "-q", "-s", "network", "--", "python3", "-c", script]);
    assert_eq!(run.code, 0, "{run:?}");
    let of_ss = |name: &str| -> i64 {
        let word = run.out.split_whitespace().find_map(|word| word.strip_prefix(name));
        word.unwrap_or_else(|| panic!("{name}: {}", run.out)).parse().unwrap()
    };
    let value = |column: &str| {
        lab.value(&format!("SELECT {column} FROM connections WHERE role = 'client'"))
    };
    assert_eq!(value("sent_bytes"), of_ss("bytes_sent:"));
    // 89 bytes of what came were not received by the program.
    assert_eq!(value("received_bytes") + 89, of_ss("bytes_received:"));
    assert!(value("srtt_ns") > 0 && value("rtt_min_ns") <= value("srtt_ns"));
    assert!(value("duration_ns") > value("connect_latency_ns"));
}

#[test]
fn retransmissions_are_those_that_the_kernel_counts() {
    let Some(lab) = Lab::open() else { return };
    for tool in ["unshare", "ip", "tc", "nstat"] {
        if !has_program(tool, &["-V"]) {
            return skip(&format!("{tool} is not installed"));
        }
    }
    if !has_program("unshare", &["-n", "true"]) || program("sockets.py").is_none() {
        return skip("there is no network namespace to be had, or no python3");
    }
    // A loopback that is slow, short and forgets what does not fit.
    let script = "set -e; ip link set lo mtu 1500 up\n\
        tc qdisc add dev lo root tbf rate 4mbit burst 4kb limit 12kb\n\
        python3 -c \"$0\"; nstat -az TcpRetransSegs";
    let transfer = "import os, socket\n\
        s = socket.create_server(('127.0.0.1', 0))\n\
        if not os.fork():\n\
        \ta, _ = s.accept()\n\
        \twhile a.recv(65536): pass\n\
        \tos._exit(0)\n\
        c = socket.create_connection(s.getsockname())\n\
        c.sendall(b'x' * 300_007); c.shutdown(socket.SHUT_WR); c.recv(1)";
    let record = ["record", "-q", "-s", "network", "--", "unshare", "-n"];
    let run = lab.ebrec(&[&record[..], &["sh", "-c", script, transfer]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    let line = run.out.lines().find_map(|line| line.strip_prefix("TcpRetransSegs")).unwrap();
    let counted: i64 = line.split_whitespace().next().unwrap().parse().unwrap();
    assert!(counted > 0, "{run:?}");
    assert_eq!(lab.value("SELECT sum(retransmits) FROM connections"), counted);
    assert_eq!(lab.value("SELECT sum(sent_bytes) FROM connections"), 300_007);
    assert_eq!(lab.value("SELECT sum(received_bytes) FROM connections"), 300_007);
    let told = "SELECT count(*) > 0 AND min(events) > 0 FROM connection_events";
    assert_eq!(lab.rows(&format!("{told} WHERE event = 'retransmit'")), ["true"]);
    lab.assert_complete();
}

#[test]
fn what_is_open_before_and_after_is_counted_for_the_recording_only() {
    let Some(lab) = Lab::open() else { return };
    if program("sockets.py").is_none() {
        return;
    }
    let script = "import socket, sys\n\
        s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname())\n\
        a, _ = s.accept(); c.sendall(b'x' * 1000); a.recv(1000)\n\
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0))\n\
        p, q = socket.socketpair(); p.send(b'xyz')\n\
        open('ready', 'w'); sys.stdin.readline()\n\
        c.sendall(b'x' * 3001); a.recv(3001, socket.MSG_WAITALL)\n\
        u.sendto(b'x' * 97, u.getsockname()); u.recv(97); p.send(b'x' * 11); q.recv(100)\n\
        open('done', 'w'); sys.stdin.readline()";
    let mut python = Command::new("python3");
    python.args(["-c", script]).current_dir(lab.path()).stdin(Stdio::piped());
    let mut python = Process(python.spawn().unwrap());
    until("the sockets are open", || lab.path().join("ready").exists());
    let args = ["record", "-q", "-s", "network", "-p", &python.pid()];
    let mut recorder = command(lab.path(), &args);
    let recorder = Process(recorder.stderr(Stdio::piped()).spawn().unwrap());
    // The first note comes a second after everything is attached.
    until("recording has begun", || {
        let run = lab.ebrec(&["query", "SELECT count(*) FROM cost", "--format", "csv"]);
        run.code == 0 && run.out.lines().nth(1).is_some_and(|count| count != "0")
    });
    python.0.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    until("the sockets are used", || lab.path().join("done").exists());
    let ended = recorder.stop(libc::SIGINT);
    assert_eq!(ended.code, 0, "{ended:?}");
    let rows = lab.rows(
        "SELECT protocol, role, sent_bytes, received_bytes, state FROM connections \
         WHERE preexisting AND duration_ns IS NULL ORDER BY protocol, role, sent_bytes",
    );
    let expected = [
        "tcp,listener,0,0,LISTEN",
        "tcp,peer,3001,0,ESTABLISHED",
        "tcp,server,0,3001,ESTABLISHED",
        "udp,peer,97,97,UNCONNECTED",
        "unix_stream,peer,0,14,ESTABLISHED",
        "unix_stream,peer,11,0,ESTABLISHED",
    ];
    assert_eq!(rows, expected);
    assert_eq!(lab.value("SELECT count(*) FROM connections"), expected.len() as i64);
    lab.assert_complete();
}

#[test]
fn a_recorder_that_dies_leaves_what_happened_to_connections() {
    let Some(lab) = Lab::open() else { return };
    if program("sockets.py").is_none() {
        return;
    }
    let script = "import socket, time\n\
        s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname())\n\
        a, _ = s.accept(); c.sendall(b'x'); open('ready', 'w'); time.sleep(4)";
    let args = ["record", "-q", "-s", "network", "--", "python3", "-c", script];
    let mut recorder = command(lab.path(), &args);
    let mut recorder = Process(recorder.stderr(Stdio::null()).spawn().unwrap());
    until("the sockets are open", || lab.path().join("ready").exists());
    std::thread::sleep(std::time::Duration::from_millis(1200));
    recorder.0.kill().unwrap();
    recorder.finish();
    let open = "SELECT count(DISTINCT connection_id) FROM connection_events \
        WHERE event = 'state' AND state IN ('LISTEN', 'ESTABLISHED')";
    assert_eq!(lab.value(open), 3);
}
