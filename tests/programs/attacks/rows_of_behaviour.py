"""Rows made by hand, as in `rows`, of checks on networks, rights and behaviour."""

import hashlib

from rows import BASH, PROGRAM, PYTHON, Machine, check

HERE, OUTSIDE = "10.0.0.10", "203.0.113.5"
MS = 1_000_000


def machine(exe=PYTHON, **values):
    """A machine on which the shell has started a program."""
    return Machine().process(PROGRAM, exe, "x", **values)


def many(count, row):
    """A machine with so many rows; `row` adds one, of a number, and names its table and what is in it."""
    made = machine()
    for number in range(count):
        table, values = row(number)
        made.add(table, PROGRAM, **values)
    return made


def link(at, **values):
    """A connection of the program to the outside."""
    given = {
        "ts": at, "role": "client", "protocol": "tcp", "local_address": HERE, "remote_address": OUTSIDE,
        "remote_port": 443, "sent_bytes": 300, "received_bytes": 300, "sends": 3, "duration_ns": 100 * MS,
        "state": "TIME_WAIT", "connection_id": round(1000 * at),
    }
    return "connections", {**given, **values}


# beaconing: 16 calls, one every two seconds.
def beacon(pace=lambda n: 2.0 * n, count=16, **values):
    return many(count, lambda n: link(pace(n), **values))


def added_up(times):
    return lambda n: sum(times[:n])


check(
    "beaconing",
    # In the second, each call is made twice, the other in the next quarter of a second.
    [beacon(), beacon(lambda n: 2.0 * (n // 2) + 0.2 + 0.1 * (n % 2), 32)],
    [
        beacon(role="server"),
        beacon(protocol="unix_stream"),
        beacon(remote_address="127.0.0.9"),
        beacon(remote_address="::1"),
        beacon(local_address=OUTSIDE),
        beacon(protocol="udp", remote_port=53),
        beacon(count=14),
        beacon(lambda n: 0.5 * n),
        # Half of them come at one pace, the others at thrice as long.
        beacon(added_up([2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0] + [6.0] * 7)),
        # All are near a pace, and few very near.
        beacon(added_up([2 + 0.11 * (n - 7) for n in range(15)])),
    ],
)


# arp_spoofing: one that nobody asked says where an address is, or two claim it.
def arp(at=0.0, **values):
    given = {
        "ts": at, "direction": "received", "ethertype": "arp", "source_address": "10.0.0.1",
        "destination_address": "10.0.0.9", "arp_operation": "reply", "arp_sender_mac": "02:00:00:00:00:01",
    }
    return "packets", {**given, **values}


def storm(*others, **values):
    made = many(25, lambda n: arp(0.1 * n, **values))
    for other in others:
        for number in range(20):
            made.add("packets", PROGRAM, **arp(0.1 * number, **other)[1])
    return made


def dispute(**values):
    return many(
        4, lambda n: arp(n, **{"arp_sender_mac": f"02:00:00:00:00:0{n % 2}", "arp_operation": "request", **values})
    )


ASKED = {"destination_address": "10.0.0.1", "source_address": "10.0.0.9", "arp_sender_mac": "02:00:00:00:00:02"}
check(
    "arp_spoofing",
    [
        storm(),
        dispute(),
        # What is said to it is no question, nor is what it says of itself.
        storm({**ASKED, "arp_operation": "reply", "arp_sender_mac": "02:00:00:00:00:02"}),
        storm({"destination_address": "10.0.0.1", "arp_operation": "request"}),
        # The last to say it is nobody of this machine.
        many(26, lambda n: arp(0.1 * n, **({"upid": None} if n == 25 else {}))),
        many(4, lambda n: arp(n, arp_sender_mac=f"02:00:00:00:00:0{n % 2}", **({"upid": None} if n % 2 else {}))),
    ],
    [
        storm({**ASKED, "arp_operation": "request"}),
        storm(malformed="short"),
        storm(ethertype="ipv4"),
        dispute(source_address="0.0.0.0"),
        many(10, lambda n: arp(0.1 * n)),
        storm(arp_operation="request", destination_address="10.0.0.1"),
    ],
)


# capability_gain: a program whose file carries cap_setuid.
def gain(syscall="execve", ret=0, exe="/srv/capable", **values):
    given = {
        "ts": 1.0005, "event": "setuid", "uid": 1000, "euid": 1000, "old_uid": 1000, "old_euid": 1000,
        "cap_effective": 128,
    }
    made = machine()
    made.add("process_events", PROGRAM, **{**given, **values})
    made.add("syscalls", PROGRAM, ts=1.0, syscall=syscall, ret=ret, duration_ns=MS)
    return made.execute(exe, "x", at=1.0008)


check(
    "capability_gain",
    [gain(), gain(syscall="execveat")],
    [
        gain(event="exec"), gain(uid=0), gain(euid=0), gain(old_uid=0), gain(old_euid=0),
        gain(cap_effective=1 << 10), gain(cap_effective=(1 << 41) - 1), gain(syscall="unshare"), gain(ret=-1),
        gain(exe="/usr/bin/sudo"),
    ],
)


# setuid_escalation: a program becomes root, or is run as root by its file.
def becomes(exe="/srv/rootshell", was=1000, **values):
    made = Machine().execute(exe, "x", at=0)
    made.rows["execs"][-1]["uid"] = was
    given = {"ts": 1, "event": "setuid", "exe": None, "uid": 0, "euid": 0, "old_uid": 1000, "old_euid": 1000}
    return made.add("process_events", PROGRAM, **{**given, **values})


check(
    "setuid_escalation",
    [becomes(), becomes(event="exec", uid=1000, old_uid=None, old_euid=None, exe="/srv/rootshell")],
    [
        becomes(event="fork"), becomes(euid=1000), becomes(old_euid=0), becomes(old_uid=0),
        becomes(event="exec", uid=0, old_uid=None, old_euid=None),
        becomes(event="exec", uid=1000, euid=1000, old_uid=None, old_euid=None),
        becomes(event="fork", uid=1000, old_uid=None, old_euid=None),
        becomes(exe="/usr/bin/sudo"),
    ],
)


# ptrace_attach: a process takes hold of another.
def attach(parent=1, own_parent=1, *calls, **values):
    made = machine(parent_upid=own_parent).process(99, BASH, "bash", parent)
    made.add("threads", 99, tid=99, start_ts=0)
    given = {"ts": 1, "syscall": "ptrace", "arg0": 16, "arg1": 99, "ret": 0}
    made.add("syscalls", PROGRAM, **{**given, **values})
    for syscall in calls:
        made.add("syscalls", PROGRAM, ts=0.5, syscall=syscall, ret=99)
    return made


check(
    "ptrace_attach",
    [attach(), attach(arg0=16902), attach(1, 1, "read")],
    [
        attach(arg0=7), attach(ret=-1), attach(syscall="kill"), attach(1, 1, "clone"), attach(1, 1, "fork"),
        attach(PROGRAM), attach(1, 99),
    ],
)


# namespace_escape: a process of a container enters the namespaces of another.
def enters(container="c" * 64, path="/proc/1/ns/net", operation="read", fails=False, runs=0, **values):
    made = machine(container_id=container).execute("/usr/bin/nsenter", "nsenter", at=runs)
    made.access(operation, path, fails=fails, at=0.5)
    return made.add("syscalls", PROGRAM, **{"ts": 1, "syscall": "setns", "ret": 0, **values})


check(
    "namespace_escape",
    [enters()],
    [
        enters(container=None), enters(path="/proc/1/status"), enters(operation="stat"), enters(fails=True),
        enters(runs=2), enters(ret=-1), enters(syscall="unshare"),
    ],
)


# syn_flood, of 12 requests from as many addresses.
def syn(number, **values):
    given = {
        "ts": 0.1 * number, "direction": "received", "source_address": f"198.51.100.{number}", "source_port": 40_000,
        "destination_address": HERE, "destination_port": 80, "tcp_flags": "SYN", "protocol": "tcp", "seq": 1,
    }
    return "packets", {**given, **values}


def flood(count=12, answers=0, **values):
    made = many(count, lambda n: syn(n, **values))
    for number in range(answers):
        made.add("packets", PROGRAM, **syn(number, tcp_flags="ACK")[1])
    return made


def floods(*others):
    """A flood that goes out, and packets beside it."""
    made = flood(direction="sent")
    for number, values in enumerate(others):
        made.add("packets", PROGRAM, **syn(20 + number, **{"direction": "sent", **values})[1])
    return made


NOBODY, OTHER = {"upid": None}, {"upid": 30}
check(
    "syn_flood",
    [
        flood(), flood(tcp_flags="SYN|ECE|CWR"), floods(),
        # Most of it is nobody's; somebody else goes on with what was answered; most came before, from nobody.
        floods(*[NOBODY] * 14),
        floods(*[OTHER] * 8, *[{**OTHER, "tcp_flags": "ACK"}] * 6),
        floods(*[{**NOBODY, "ts": 15 + number / 10} for number in range(14)]),
    ],
    [
        flood(9), flood(source_address="198.51.100.7"), flood(tcp_flags="RST"), flood(answers=8),
    ],
    {"requests": 10, "sources": 5},
)


# icmp_tunnel: pings of many sizes that carry much.
def ping(number, **values):
    given = {
        "ts": number, "direction": "sent", "protocol": "icmp", "icmp_type": 8, "source_address": HERE,
        "destination_address": OUTSIDE, "payload_bytes": 500 + number,
    }
    return "packets", {**given, **values}


check(
    "icmp_tunnel",
    [
        many(20, ping),
        # The first are of nobody, and what somebody was sent.
        many(21, lambda n: ping(n, upid=None) if n == 0 else ping(n)),
        many(21, lambda n: ping(n, upid=30, direction="received") if n == 0 else ping(n)),
        many(20, lambda n: ping(n, protocol="icmpv6", icmp_type=128)),
    ],
    [
        many(19, ping),
        many(20, lambda n: ping(n, payload_bytes=500)),
        many(20, lambda n: ping(n, payload_bytes=140 + n)),
        # As much both ways: what one side sends is not enough.
        many(40, lambda n: ping(n, payload_bytes=240 + n, direction=["sent", "received"][n % 2])),
        many(300, lambda n: ping(n, payload_bytes=90 + n % 9)),
        many(20, lambda n: ping(n, icmp_type=3)),
        many(20, lambda n: ping(n, protocol="udp", icmp_type=None)),
    ],
)


# miner: two signs of it.
def mines(name="pool.supportxmr.com.", argv="x --donate-level 1", cpu=None, pace=40, lasting=60_000, **values):
    made = machine().execute("/srv/work", argv)
    if name:
        made.add("dns", PROGRAM, name=name)
    if values:
        made.add("connections", PROGRAM, **link(0, duration_ns=lasting * MS, **values)[1])
    if cpu is not None:
        for number in range(2):
            made.add("task_usage", PROGRAM, ts=pace * number, cpu_ns=cpu * MS)
    return made


CALLS = {"remote_port": 3333, "state": "ESTABLISHED"}
check(
    "miner",
    [
        mines(), mines(None, **CALLS), mines(None, cpu=20_000),
        mines(None, "x --donate-level 1 stratum+tcp://a"),
    ],
    [
        mines(None), mines(argv="x"), mines("www.example.org."),
        mines(None, **{**CALLS, "role": "server"}), mines(None, **{**CALLS, "remote_port": 443}),
        mines(None, **{**CALLS, "state": "SYN_SENT"}), mines(None, cpu=5_000), mines(None, cpu=8_000, pace=9),
        mines(None, **CALLS, lasting=9_000),
    ],
)


# server_crashes: three of the children of what listens.
def crashes(count=3, signal="SIGSEGV", **values):
    made = machine("/usr/sbin/served")
    made.add("connections", PROGRAM, **{**link(0, role="listener", remote_address=None)[1], **values})
    for number in range(count):
        made.process(20 + number, "/usr/sbin/served", "x", PROGRAM, signal=signal, end_ts=number)
    return made


def answered(others=0):
    """One that serves somebody, and afterwards listens at another port; and others of it that serve nobody."""
    made = crashes(ts=2)
    made.add("connections", PROGRAM, **link(1, role="server")[1])
    made.process(40, "/usr/sbin/served", "x").add("connections", 40, **link(0, role="listener", remote_address=None)[1])
    for number in range(others):
        made.process(50 + number, "/usr/sbin/served", "x", 40, signal="SIGSEGV", end_ts=9)
    return made


check(
    "server_crashes",
    [crashes(), crashes(role="server"), answered(), answered(1)],
    [crashes(2), crashes(signal="SIGTERM"), crashes(role="client"), crashes(protocol="unix_stream")],
)


# mass_file_change: 20 files of three folders get a copy, and are removed.
def encrypts(
    files=20, folders=3, read="read", made="write", gone="unlink", ending=".locked", by=PROGRAM, fails=False,
    made_at=1.0, again=None, slowly=0.1,
    exe=PYTHON,
):
    machine_ = machine(exe)
    if by != PROGRAM:
        # Somebody else's.
        machine_.process(5, BASH, "bash", None).process(by, PYTHON, "y", 5)
    for number in range(files):
        at = slowly * number
        old = f"/home/ada/{number % folders}/report{number}" + ("" if ending else "x")
        machine_.access(read, old, at=at)
        machine_.access(made, old + ending, upid=by, at=at + made_at)
        machine_.access(gone, old, fails=fails, at=at + 2)
        if again is not None:
            machine_.access("write", old, at=at + again)
    return machine_


def renames(ending=".locked", operation="rename", opened="write", elsewhere=False):
    made = machine()
    for number in range(20):
        old = f"/home/ada/{number % 3}/report{number}.odt"
        made.access(opened, old, at=0.1 * number)
        new = "/" + "b" * (len(old) - 1) if elsewhere else old
        made.access(operation, old, new + ending, at=0.1 * number + 1)
    return made


check(
    "mass_file_change",
    [encrypts(), renames()],
    [
        encrypts(19), encrypts(folders=2), encrypts(made="read"), encrypts(gone="read"), encrypts(ending=""),
        encrypts(by=77), encrypts(fails=True), encrypts(made_at=3.0), encrypts(again=5), encrypts(slowly=10.0),
        renames(ending=""), renames(operation="link"), renames(opened="read"), renames(elsewhere=True),
        encrypts(exe="/usr/bin/gzip"),
    ],
)


# rate_drift: a program sends a steady rate, and then ever more.
def drift(early=30, late=60, usual=1000, later=40_000, skip=1, upid=PROGRAM):
    made = machine()
    for second in range(0, early, skip):
        made.add("flows", PROGRAM, upid=upid, ts=second + 0.5, sent_bytes=usual)
    for second in range(early, early + late):
        made.add("flows", PROGRAM, upid=upid, ts=second + 0.5, sent_bytes=later)
    return made


check(
    "rate_drift",
    [drift()],
    [
        drift(late=9), drift(later=1500), drift(skip=3), drift(late=15), drift(upid=None),
        # It began to send more while the usual was learnt, and ended soon after.
        many(35, lambda n: ("flows", {"ts": n + 0.5, "sent_bytes": 1000 if n < 16 else 40_000})),
        # More for a while only, long before the end.
        many(130, lambda n: ("flows", {"ts": n + 0.5, "sent_bytes": 40_000 if 40 <= n < 70 else 1000})),
    ],
)


# dga_names and dns_tunnel: names that a program asks for.
def asks(count, name, pace=0.1, **values):
    given = {"kind": "response", "type": "A", "rcode": "NXDOMAIN", "side": "client", "message_bytes": 90}
    return many(count, lambda n: ("dns", {"ts": pace * n, "name": name(n), **given, **values}))


def random_name(number):
    digits = hashlib.sha256(str(number).encode()).hexdigest()[:12]
    return "".join("bcdfghjklmnpqrst"[int(digit, 16)] for digit in digits) + ".com."


def word(number):
    return f"{['table', 'garden', 'window', 'bridge', 'orange'][number % 5]}-{chr(97 + number // 5)}a.org."


def mixed(count_random, count_words):
    made = asks(count_random, random_name)
    for number in range(count_words):
        made.add(
            "dns", PROGRAM, ts=0.1 * number, name=f"aa-{word(number)}", kind="response", type="A",
            rcode="NXDOMAIN", side="client", message_bytes=90,
        )
    return made


check(
    "dga_names",
    [asks(20, random_name), mixed(20, 10)],
    [
        asks(14, random_name), asks(20, random_name, side="server"), asks(20, random_name, rcode="NOERROR"),
        asks(40, word), asks(20, random_name, pace=60.0), mixed(20, 100), mixed(8, 12),
    ],
)


def tunnelled(number):
    return f"{number:02d}q7zkx9wv3hjm5tplr8dnb2fgy6cs{number:02d}.tunnel.test."


check(
    "dns_tunnel",
    [asks(60, tunnelled), asks(60, lambda n: f"a{n}.tunnel.test.", type="TXT", message_bytes=400)],
    [
        asks(49, tunnelled), asks(60, tunnelled, side="server"), asks(60, tunnelled, pace=20.0),
        asks(60, lambda n: tunnelled(n).replace("tunnel.test.", "in-addr.arpa.")),
        asks(60, lambda n: f"a{n}.tunnel.test."), asks(60, lambda n: "a" * 30 + f"{n}.tunnel.test."),
    ],
)


# exfiltration: much goes to one address outside, more than to the others.
def sends(bytes_=60 << 20, others=5, each=1000, **values):
    made = many(1, lambda n: link(n, sent_bytes=bytes_, **values))
    for number in range(others):
        made.add("connections", PROGRAM, **link(1, sent_bytes=each, remote_address=f"203.0.113.{100 + number}")[1])
    return made


check(
    "exfiltration",
    [sends(), sends(others=0)],
    [
        sends(40 << 20), sends(received_bytes=20 << 20), sends(role="server"), sends(protocol="unix_stream"),
        sends(remote_address="192.168.1.9"), sends(each=55 << 20, received_bytes=1 << 20),
    ],
)


# rare_peer: one connection to a peer that nobody else has.
def rarely(calls=55, rare=1, others=0, spread=1, **values):
    made = many(calls, lambda n: link(n, remote_address=f"203.0.113.{20 + n % spread}"))
    for number in range(others):
        # Another program calls it, too.
        made.process(30, BASH, "bash").add("connections", 30, **link(number)[1])
    for number in range(rare):
        made.add("connections", PROGRAM, **link(100 + number, **values)[1])
    return made


check(
    "rare_peer",
    [rarely()],
    [
        rarely(40), rarely(role="server"), rarely(protocol="unix_stream"), rarely(remote_address="127.0.0.8"),
        rarely(remote_address="::1"), rarely(rare=3), rarely(others=1), rarely(spread=7),
    ],
)


# odd_tcp_flags: packets with flags that no system sets.
def odd(count=5, copies=0, **values):
    made = many(count, lambda n: syn(n, **{"direction": "sent", "source_address": HERE, "tcp_flags": "FIN|URG", **values}))
    # What arrives is of the process that it is for.
    made.process(5, BASH, "a")
    for number in range(copies):
        packet = syn(number, source_address=HERE, tcp_flags="FIN|URG")[1]
        made.add("packets", 5, **packet)
    return made


check(
    "odd_tcp_flags",
    [odd(), odd(tcp_flags=None), odd(tcp_flags="FIN|SYN"), odd(tcp_flags="SYN|RST"), odd(copies=5)],
    [odd(4), odd(tcp_flags="SYN"), odd(tcp_flags="FIN|ACK"), odd(tcp_flags="RST"), odd(tcp_flags=None, seq=None)],
)
