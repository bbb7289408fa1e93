//! Messages of the domain name system: what is recorded is what `dnsmasq` logs and `dig` prints.

use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::lab::{Lab, Process, until};
use crate::command::command;
use crate::skip::{has_program, skip};

/// A server with a network of its own, and many questions to it. Names end in `.test`.
const ASK: &str = r#"
ip link set lo up || exit 1
records=
for i in $(seq 12); do records="$records --txt-record=big.test,$(printf 'x%.0s' $(seq 200))"; done
for i in $(seq 40); do records="$records --host-record=h$i.test,192.0.2.$i,2001:db8::$i"; done
dnsmasq -k --conf-file=/dev/null --no-resolv --no-hosts --no-daemon --user=root --pid-file= \
    --log-queries --log-facility="$PWD/log" --local=/test/ --edns-packet-max=1232 --local-ttl=77 \
    --listen-address=127.0.0.1,::1 --bind-interfaces \
    --cname=alias.test,h1.test --mx-host=m.test,mail.test,10 --srv-host=_x._tcp.test,h1.test,99,1,2 \
    $records 2> dnsmasq.err &
server=$!
until dig +tries=1 +time=1 @127.0.0.1 ready.test > /dev/null; do sleep 0.05; done
for i in $(seq 40); do echo "h$i.test A"; echo "h$i.test AAAA"; done > questions
for i in $(seq 20); do echo "none$i.test A"; done >> questions
printf '%s\n' 'alias.test A' 'm.test MX' '_x._tcp.test SRV' 'big.test TXT' 'h1.test MX' '\003\.a.test TXT' >> questions
dig -u +tries=1 @127.0.0.1 -f questions > answers || exit 1
dig -u +tries=1 @::1 h1.test A h2.test AAAA >> answers || exit 1
dig -u +tries=1 +tcp @127.0.0.1 h3.test A h4.test A big.test TXT >> answers || exit 1
kill $server
wait $server
"#;

fn lab() -> Option<Lab> {
    for (program, arguments) in [
        ("dnsmasq", &["--version"][..]),
        ("dig", &["-v"]),
        ("unshare", &["--version"]),
        ("ip", &["-V"]),
    ] {
        if !has_program(program, arguments) {
            skip(&format!("there is no `{program}`"));
            return None;
        }
    }
    Lab::open()
}

/// What `dig` printed of each response: id, status, flags, number of answers, time in us.
fn printed(text: &str) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    let mut head = String::new();
    for line in text.lines() {
        let after = |mark| line.split_once(mark).map(|(_, rest)| rest);
        if let Some(rest) = after("status: ") {
            let (status, rest) = rest.split_once(", id: ").unwrap();
            head = format!("{rest},{status}");
        } else if let Some(rest) = after(";; flags: qr ") {
            let (flags, rest) = rest.split_once(';').unwrap();
            let answers = rest.split("ANSWER: ").nth(1).unwrap().split(',').next().unwrap();
            head = format!("{head},{flags},{answers}");
        } else if let Some(rest) = after(";; Query time: ") {
            found.push((head.clone(), rest.trim_end_matches(" usec").parse().unwrap()));
        }
    }
    found
}

#[test]
fn queries_and_responses_are_those_of_dig_and_dnsmasq() {
    let Some(lab) = lab() else { return };
    let args = [
        "record",
        "-s",
        "dns,+syscalls",
        "--syscalls",
        "execve",
        "--",
        "unshare",
        "-n",
        "sh",
        "-c",
        ASK,
    ];
    let run = lab.ebrec(&args);
    let read = |name: &str| std::fs::read_to_string(lab.path().join(name)).unwrap_or_default();
    assert_eq!(run.code, 0, "{run:?} {} {}", read("answers"), read("dnsmasq.err"));
    lab.assert_complete();

    // The server's log has what it was asked, by each protocol.
    let logged: Vec<String> = read("log")
        .lines()
        .filter_map(|line| line.split_once("query[").map(|(_, rest)| rest))
        .map(|rest| {
            let (rtype, rest) = rest.split_once("] ").unwrap();
            format!("{rtype},{}.", rest.split_once(" from ").unwrap().0)
        })
        .collect();
    let asked = lab.rows(
        "SELECT type, CASE WHEN name LIKE '\\\\%' THEN '<name unprintable>.' ELSE name END \
         FROM dns WHERE kind = 'query' ORDER BY ts",
    );
    assert_eq!(asked, logged);
    assert!(asked.len() > 110, "{}", asked.len());

    // What was answered, and how fast, as dig saw it. It prints the last response to a question only:
    // before it asks by TCP again, there is one that says `tc`.
    let recorded = lab.rows(
        "SELECT concat_ws(',', id, rcode, flags, answer_count), latency_ns / 1000 FROM dns \
         WHERE kind = 'response' AND name <> 'ready.test.' AND NOT contains(flags, 'tc') ORDER BY ts",
    );
    let printed = printed(&read("answers"));
    assert_eq!(recorded.len(), printed.len());
    for (row, (head, dig_us)) in recorded.iter().zip(&printed) {
        let (recorded, us) = row.trim_start_matches('"').rsplit_once(',').unwrap();
        let us: i64 = us.parse().unwrap();
        assert_eq!(recorded.trim_end_matches('"'), head);
        // dig counts from before it sends until after it was woken.
        assert!(
            us > 0 && us <= dig_us + 1 && us + 50_000 > *dig_us,
            "{head}: {us} us, {dig_us} by dig"
        );
    }

    let count = |what: &str| lab.value(&format!("SELECT count(*) FROM dns WHERE {what}"));
    assert_eq!(count("rcode = 'NXDOMAIN' AND starts_with(name, 'none')"), 20);
    assert_eq!(count("flags LIKE '%tc%' AND transport = 'udp' AND name = 'big.test.'"), 1);
    assert_eq!(
        count(
            "kind = 'response' AND transport = 'tcp' AND name = 'big.test.' AND answer_count = 12 AND message_bytes > 2400"
        ),
        2
    );
    assert_eq!(count("client_address = '::1' AND server_address = '::1' AND server_port = 53"), 4);
    assert_eq!(count("malformed IS NOT NULL OR truncated OR side <> 'client' OR upid IS NULL"), 0);
    assert_eq!(count("pid NOT IN (SELECT pid FROM processes WHERE exe LIKE '%/dig')"), 0);
    assert_eq!(
        lab.rows(
            "SELECT type, answers, ttl_min_s FROM dns WHERE kind = 'response' AND transport = 'udp' \
             AND name IN ('alias.test.', 'm.test.', '_x._tcp.test.', 'h7.test.') ORDER BY ts"
        ),
        [
            "A,192.0.2.7,77",
            "AAAA,2001:db8::7,77",
            "A,\"CNAME h1.test., 192.0.2.1\",77",
            "MX,MX 10 mail.test.,77",
            "SRV,SRV 1 2 99 h1.test.,77",
        ]
    );
    let text =
        lab.rows("SELECT text FROM events WHERE kind = 'dns' AND text LIKE 'response A h9.%'");
    assert!(
        text[0].starts_with("response A h9.test. = 192.0.2.9 from 127.0.0.1 after "),
        "{text:?}"
    );
}

/// Messages of a client that is not recorded are the server's: how long it took to answer.
#[test]
fn a_server_is_recorded_without_its_clients() {
    let Some(lab) = lab() else { return };
    let port = free_port();
    let mut recorder = command(lab.path(), &["record", "-s", "dns", "--dns-port", &port, "--"]);
    recorder.args([
        "dnsmasq",
        "-k",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--no-daemon",
    ]);
    recorder.args([
        "--user=root",
        "--pid-file=",
        "--listen-address=127.0.0.1",
        "--bind-interfaces",
    ]);
    recorder.args([&format!("--port={port}"), "--address=/s.test/192.0.2.5"]);
    let recorder = Process(recorder.stderr(Stdio::piped()).spawn().unwrap());
    let ask = |name: &str, more: &[&str]| {
        let mut dig = Command::new("dig");
        dig.args(["+tries=1", "+time=1", "-p", &port, "@127.0.0.1", name]).args(more);
        dig.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    };
    until("the server answers", || ask("first.s.test", &[]));
    for name in ["a.s.test", "b.s.test", "c.s.test"] {
        assert!(ask(name, &[]) && ask(name, &["+tcp"]));
    }
    assert_eq!(recorder.stop(libc::SIGTERM).code, 0);
    lab.assert_complete();
    assert_eq!(
        lab.rows("SELECT name, transport, kind, side, answers FROM dns WHERE transport = 'udp' AND name <> 'first.s.test.' ORDER BY ts"),
        ["a", "b", "c"].map(|name| [
            format!("{name}.s.test.,udp,query,server,"),
            format!("{name}.s.test.,udp,response,server,192.0.2.5"),
        ]).concat()
    );
    let sql =
        "SELECT count(*) FROM dns WHERE comm = 'dnsmasq' AND kind = 'response' AND latency_ns > 0";
    assert!(
        lab.value(sql) >= 5,
        "{:?}",
        lab.rows("SELECT kind, name, transport, latency_ns, comm FROM dns ORDER BY ts")
    );
    assert_eq!(lab.value("SELECT count(*) FROM dns WHERE comm <> 'dnsmasq'"), 0);
}

/// A server in another network namespace, behind a bridge: each message passes five interfaces.
const BRIDGED: &str = r#"
unshare -n sleep 30 & far=$!
ip link add name near type veth peer name near-bridge
ip link add name far type veth peer name far-bridge
ip link add name between type bridge
until ip link set far netns $far 2> /dev/null && [ "$(readlink /proc/$far/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
ip link set near-bridge master between; ip link set far-bridge master between
for device in near near-bridge far-bridge between; do ip link set $device up; done
ip addr add 10.77.0.1/24 dev near
nsenter -t $far -n sh -c 'ip link set far up; ip addr add 10.77.0.2/24 dev far'
nsenter -t $far -n dnsmasq -k --conf-file=/dev/null --no-resolv --no-hosts --no-daemon --user=root --pid-file= \
    --address=/b.test/192.0.2.9 --listen-address=10.77.0.2 --bind-interfaces 2> /dev/null & server=$!
until dig +tries=1 +time=1 @10.77.0.2 ready.b.test > /dev/null; do sleep 0.05; done
for i in 1 2 3 4 5; do dig +tries=1 +time=2 @10.77.0.2 udp$i.b.test > /dev/null; dig +tcp +tries=1 +time=2 @10.77.0.2 tcp$i.b.test > /dev/null; done
kill $server $far
"#;

#[test]
fn a_message_that_passes_many_interfaces_is_one_row() {
    let Some(lab) = lab() else { return };
    let run = lab.ebrec(&["record", "-s", "dns", "--", "unshare", "-n", "sh", "-c", BRIDGED]);
    assert!(run.err.contains("events stored"), "{run:?}");
    lab.assert_complete();
    let rows = lab.rows(
        "SELECT transport, kind, count(*), count(DISTINCT name), count(*) FILTER (WHERE latency_ns > 0) \
         FROM dns WHERE name NOT LIKE 'ready%' AND client_address = '10.77.0.1' \
         AND server_address = '10.77.0.2' AND side = 'client' GROUP BY transport, kind ORDER BY 1, 2",
    );
    let expected =
        ["tcp,query,5,5,0", "tcp,response,5,5,5", "udp,query,5,5,0", "udp,response,5,5,5"];
    assert_eq!(rows, expected, "{:?}", lab.rows("SELECT * FROM dns ORDER BY ts"));
    assert_eq!(lab.value("SELECT count(*) FROM dns WHERE name NOT LIKE 'ready%'"), 20);
}

/// A port that nobody has just now.
fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

/// Broken messages, and messages over TCP that are cut anywhere: each is a row that says so.
#[test]
fn what_is_malformed_is_told_and_what_is_cut_is_put_together() {
    let Some(lab) = lab() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
        bytes.len()
    });
    let script = format!(
        r#"
        udp() {{ printf "$1" > /dev/udp/127.0.0.1/{port}; }}
        head='\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00'
        udp "\x00\x01$head\xc0\x0c\x00\x01\x00\x01"
        udp "\x00\x02$head\x3f$(printf 'x%.0s' $(seq 63))\xc0\x0c\x00\x01\x00\x01"
        udp "\x00\x03$head\x03ww"
        udp "\x00\x04"
        udp "\x00\x05$head\x04\x1b[2m\x00\x00\x01\x00\x01"
        exec 3> /dev/tcp/127.0.0.1/{port}
        one="\x00\x15\x00\x06$head\x03one\x00\x00\x01\x00\x01"
        two="\x00\x15\x00\x07$head\x03two\x00\x00\x01\x00\x01"
        printf "$one$two\x00" >&3
        sleep 0.05
        printf "\x17\x00\x08$head\x05thr" >&3
        sleep 0.05
        printf "ee\x00\x00\x01\x00\x01" >&3
        printf "\x00\x50\x00\x09$head" >&3
        exec 3>&-
        "#
    );
    let port = port.to_string();
    let run = lab.ebrec(&["record", "-s", "dns", "--dns-port", &port, "--", "bash", "-c", &script]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(reader.join().unwrap() > 80);
    lab.assert_complete();
    assert_eq!(
        lab.rows("SELECT id, transport, kind, name, malformed, truncated FROM dns ORDER BY ts, id"),
        [
            "1,udp,query,,question: too many compression pointers,false",
            "2,udp,query,,question: long domain name,false",
            "3,udp,query,,question: ends too early,false",
            "4,udp,,,header: ends too early,false",
            "5,udp,query,\\027[2m.,,false",
            "6,tcp,query,one.,,false",
            "7,tcp,query,two.,,false",
            "8,tcp,query,three.,,false",
            "9,tcp,query,,,true",
        ]
    );
}
