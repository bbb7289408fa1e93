#!/bin/bash
# What the checks on networks, behaviour and impact must find, done by harmless commands in two network namespaces of
# their own: network.sh [STAGE...], as root. One function for each check. It prints `check<TAB>pid` of the process that is
# to be found, takes less than a minute, and leaves nothing behind. What this machine cannot do prints nothing.
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
work=$(mktemp -d /tmp/attack.XXXXXX)
chmod 755 "$work"
: > "$work/last"
chmod 666 "$work/last"
here=ebrec-$$-here there=ebrec-$$-there
# Addresses for documentation: they are no private ones, and lead nowhere.
us=203.0.113.1 peer=203.0.113.2
servers=()
trap 'for pid in "${servers[@]}"; do kill "$pid" 2> /dev/null; done; wait 2> /dev/null
	ip netns del "$here"; ip netns del "$there"; rm -rf "$work"' EXIT

# Of a process in the background: it is to be found, if it succeeds.
found() {
	wait "$2" 2> /dev/null && printf '%s\t%s\n' "$1" "$2"
}

# Of one that must end by a signal.
died() {
	wait "$2" 2> /dev/null
	[ $? -gt 128 ] && printf '%s\t%s\n' "$1" "$2"
}

# Two machines with a cable between them. One serves: SSH, that lets nobody in, ports that take everything, and names, of
# which those below tunnel.test. exist.
lab() {
	ip netns add "$here" && ip netns add "$there" || exit 2
	ip -n "$here" link add cable type veth peer name cable netns "$there"
	ip -n "$here" address add $us/24 dev cable
	ip -n "$there" address add $peer/24 dev cable
	ip -n "$there" address add 203.0.113.3/24 dev cable
	for namespace in "$here" "$there"; do
		ip -n "$namespace" link set lo up
		ip -n "$namespace" link set cable up
	done
	ip netns exec "$there" python3 - "$work/ready" $peer << 'PYTHON' &
import selectors, socket, struct, sys
wait = selectors.DefaultSelector()
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind((sys.argv[2], 53))
wait.register(names, selectors.EVENT_READ, 53)
for port in (22, 80, 3333, 8443, 9443, 31337):
    listener = socket.create_server(("0.0.0.0", port), backlog=64)
    wait.register(listener, selectors.EVENT_READ, port)
open(sys.argv[1], "w").close()
while True:
    for key, _ in wait.select():
        if key.data == 53:
            query, client = names.recvfrom(1000)
            exists = b"\6tunnel\4test\0" in query
            flags = 0x8180 if exists else 0x8183
            answer = query[:2] + struct.pack(">HHHHH", flags, 1, exists, 0, 0) + query[12:]
            if exists:
                answer += struct.pack(">HHHIH", 0xC00C, 1, 1, 1, 4) + bytes((192, 0, 2, 1))
            names.sendto(answer, client)
            continue
        if key.data is None:
            try:
                if not key.fileobj.recv(1 << 20):
                    raise OSError
            except OSError:
                wait.unregister(key.fileobj)
                key.fileobj.close()
            continue
        connection = key.fileobj.accept()[0]
        if key.data == 22:
            connection.settimeout(1)
            try:
                connection.sendall(b"SSH-2.0-none\r\n")
                connection.recv(100)
            except OSError:
                pass
            connection.close()
        else:
            wait.register(connection, selectors.EVENT_READ, None)
PYTHON
	servers+=($!)
	for _ in $(seq 50); do
		[ -e "$work/ready" ] && break
		sleep 0.1
	done
	# Who has which hardware address is known before somebody claims another.
	ip netns exec "$here" bash -c ": 3<> /dev/tcp/$peer/80"
}

# For the background: the process becomes the command.
inside() {
	exec ip netns exec "$here" "$@"
}

port_scan() {
	inside python3 - $peer << 'PYTHON' &
import socket, sys
for port in range(1000, 1060):
    with socket.socket() as s:
        s.connect_ex((sys.argv[1], port))
PYTHON
	found port_scan $!
}

host_scan() {
	inside python3 - << 'PYTHON' &
import socket, time
sockets = []
for last in range(50, 90):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((f"203.0.113.{last}", 22))
    sockets.append(s)
time.sleep(0.5)
PYTHON
	found host_scan $!
}

# Packets of its own making. The checksum of TCP is wrong, which nobody here minds.
raw() {
	inside python3 - "$@" << 'PYTHON' &
import os, random, socket, struct, sys, time
what, us, peer = sys.argv[1:4]
address = socket.inet_aton

def ip(source, protocol, payload):
    total = 20 + len(payload)
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, total, 0, 0, 64, protocol, 0, address(source), address(peer)) + payload

def tcp(source_port, port, flags):
    return struct.pack(">HHIIBBHHH", source_port, port, 1, 0, 5 << 4, flags, 1024, 0, 0)

if what == "arp":
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind(("cable", 0))
    mac = bytes.fromhex("0200005e0001")
    for _ in range(40):
        frame = b"\xff" * 6 + mac + struct.pack(">HHHBBH", 0x0806, 1, 0x0800, 6, 4, 2)
        s.send(frame + mac + address(peer) + mac + address(us))
        time.sleep(0.02)
elif what == "ping":
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    for number in range(40):
        data = struct.pack(">BBHHH", 8, 0, 0, 7, number) + os.urandom(300 + 37 * (number % 11))
        words = struct.unpack(f">{len(data) // 2}H", data[: len(data) // 2 * 2])
        total = sum(words) + (data[-1] << 8 if len(data) % 2 else 0)
        total = (total & 0xFFFF) + (total >> 16)
        total = ~(total + (total >> 16)) & 0xFFFF
        s.sendto(data[:2] + struct.pack(">H", total) + data[4:], (peer, 0))
        time.sleep(0.01)
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    if what == "flags":
        packets = [ip(us, 6, tcp(40000, port, flags)) for port in range(20, 30) for flags in (0, 1, 0x29, 3)]
    else:
        # Not across a full 10 seconds, at which the check's windows begin.
        time.sleep(max(0, time.time() % 10 - 6) and 10 - time.time() % 10)
        packets = [ip(f"198.51.100.{n % 200}", 6, tcp(1024 + n, 80, 2)) for n in range(900)]
    for packet in packets:
        s.sendto(packet, (peer, 0))
        time.sleep(0.001)
PYTHON
	wait $!
}

raw_socket_scan() {
	raw flags $us $peer && printf 'raw_socket_scan\t%s\nodd_tcp_flags\t%s\n' $! $!
}

syn_flood() {
	raw flood $us $peer && printf 'syn_flood\t%s\n' $!
}

icmp_tunnel() {
	raw ping $us $peer && printf 'icmp_tunnel\t%s\n' $!
}

arp_spoofing() {
	raw arp $us $peer && printf 'arp_spoofing\t%s\n' $!
}

# With a fifth of jitter.
beaconing() {
	inside python3 - $peer << 'PYTHON' &
import random, socket, sys, time
for _ in range(17):
    with socket.create_connection((sys.argv[1], 8443)) as s:
        s.sendall(b"anything to do?")
    time.sleep(1.25 * random.uniform(0.8, 1.2))
PYTHON
	found beaconing $!
}

names() {
	inside python3 - $peer "$1" << 'PYTHON' &
import random, socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.connect((sys.argv[1], 53))

def ask(name):
    parts = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    s.send(struct.pack(">HHHHHH", random.getrandbits(16), 0x0100, 1, 0, 0, 0) + parts + b"\0\0\1\0\1")
    s.recv(1000)

for _ in range(60 if sys.argv[2] == "tunnel" else 25):
    if sys.argv[2] == "tunnel":
        ask("".join(random.choices("abcdefghijklmnopqrstuvwxyz234567", k=50)) + ".tunnel.test")
    else:
        ask("".join(random.choices("bcdfghjklmnpqrstvwxz", k=14)) + ".test")
    time.sleep(0.01)
PYTHON
	wait $!
}

dns_tunnel() {
	names tunnel && printf 'dns_tunnel\t%s\n' $!
}

dga_names() {
	names guess && printf 'dga_names\t%s\n' $!
}

exfiltration() {
	inside python3 - $peer << 'PYTHON' &
import socket, sys
with socket.create_connection((sys.argv[1], 9443)) as s:
    for _ in range(60):
        s.sendall(bytes(1 << 20))
PYTHON
	found exfiltration $!
}

login_brute_force() {
	inside python3 - $peer << 'PYTHON' &
import socket, sys
for _ in range(25):
    with socket.create_connection((sys.argv[1], 22)) as s:
        s.sendall(b"SSH-2.0-guess\r\n")
        while s.recv(1000):
            pass
PYTHON
	found login_brute_force $!
}

# All by one shell, which calls nobody else.
rare_peer() {
	inside bash -c 'for _ in $(seq 55); do exec 3<> /dev/tcp/'$peer'/80; exec 3>&-; done; exec 3<> /dev/tcp/203.0.113.3/80' &
	found rare_peer $!
}

unexpected_listener() {
	inside python3 -c 'import socket, time; s = socket.create_server(("0.0.0.0", 4445)); time.sleep(0.3)' &
	found unexpected_listener $!
}

odd_port_protocol() {
	cp /usr/bin/python3 "$work/odd"
	inside "$work/odd" -c 'import socket, sys; socket.create_connection((sys.argv[1], 31337)).close()' $peer &
	found odd_port_protocol $!
}

# It sleeps.
miner() {
	cp /bin/sleep "$work/worker"
	inside bash -c 'exec 3<> /dev/tcp/'$peer'/3333; exec "$0" 0.1 -o stratum+tcp://'$peer':3333 --donate-level 1 2> /dev/null' "$work/worker" &
	wait $!
	printf 'miner\t%s\n' $!
}

mass_file_change() {
	for folder in a b c d; do
		mkdir -p "$work/files/$folder"
		for file in 1 2 3 4 5 6 7 8; do echo text > "$work/files/$folder/$file.txt"; done
	done
	python3 - "$work/files" << 'PYTHON' &
import os, sys
for folder, _, files in os.walk(sys.argv[1]):
    for name in files:
        path = os.path.join(folder, name)
        with open(path, "r+b") as file:
            text = file.read()
            file.seek(0)
            file.write(bytes(byte ^ 0x55 for byte in text))
        os.rename(path, path + ".locked")
PYTHON
	found mass_file_change $!
}

# 254 shells, and no more.
fork_bomb() {
	bash -c 'bomb() { [ "$1" -gt 0 ] || return 0; bomb $(($1 - 1)) & bomb $(($1 - 1)) & wait; }; bomb 7' &
	found fork_bomb $!
}

permission_failures() {
	mkdir "$work/closed"
	chmod 700 "$work/closed"
	setpriv --reuid=65534 --regid=65534 --clear-groups python3 - "$work/closed" << 'PYTHON' &
import sys
for number in range(40):
    try:
        open(f"{sys.argv[1]}/{number}")
    except PermissionError:
        pass
PYTHON
	found permission_failures $!
}

# The last of those that fail; each takes some seconds.
sudo_failures() {
	setpriv --reuid=65534 --regid=65534 --clear-groups bash -c '
		for word in one two three four five; do
			su root -c true <<< "$word" > /dev/null 2>&1 &
			wait $!
		done
		echo $! > "$0"' "$work/last" &
	wait $! && [ -s "$work/last" ] && printf 'sudo_failures\t%s\n' "$(cat "$work/last")"
}

unusual_syscalls() {
	inside python3 -c '
import ctypes, socket
s = socket.create_server(("0.0.0.0", 4446))
PTRACE_ATTACH = 16
ctypes.CDLL(None).ptrace(PTRACE_ATTACH, 2**22 + 1, 0, 0)' &
	found unusual_syscalls $!
}

seccomp_kill() {
	python3 -c '
import ctypes, os, platform, struct
libc = ctypes.CDLL(None, use_errno=True)
getppid = {"x86_64": 110, "aarch64": 173}[platform.machine()]
rules = struct.pack("HBBI", 0x20, 0, 0, 0) + struct.pack("HBBI", 0x15, 0, 1, getppid)
rules += struct.pack("HBBI", 0x06, 0, 0, 0x80000000) + struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)
rules = ctypes.create_string_buffer(rules)
program = struct.pack("HxxxxxxP", 4, ctypes.addressof(rules))
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert libc.prctl(PR_SET_SECCOMP, 2, program) == 0
os.getppid()' &
	died seccomp_kill $!
}

crash_loop() {
	for _ in 1 2 3 4 5 6; do
		bash -c 'kill -SEGV $$' 2> /dev/null &
		wait $! 2> /dev/null
	done
	printf 'crash_loop\t%s\n' $!
}

core_dumps() {
	cp /bin/bash "$work/broken"
	"$work/broken" -c 'kill -ABRT $$' 2> /dev/null &
	died core_dumps $!
}

server_crashes() {
	cp /usr/bin/python3 "$work/server"
	for port in 4501 4502 4503; do
		inside "$work/server" - $port << 'PYTHON' &
import os, signal, socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
client = socket.create_connection(s.getsockname())
s.accept()[0].sendall(b"hello")
client.recv(10)
os.kill(os.getpid(), signal.SIGSEGV)
PYTHON
		wait $! 2> /dev/null
	done
	printf 'server_crashes\t%s\n' $!
}

process_rarity() {
	bash -c 'for _ in $(seq 55); do /bin/true; done; /usr/bin/id > /dev/null & echo $! > '"$work/rare"'; wait $!' &
	wait $! && printf 'process_rarity\t%s\n' "$(cat "$work/rare")"
}

# A steady rate for 40 seconds with one burst.
rate_anomaly() {
	python3 - << 'PYTHON' &
import os, time
# In the middle of a second, so that each has the same number.
time.sleep(1.5 - time.time() % 1)
begin = time.monotonic()
for second in range(40):
    for _ in range(8000 if second == 25 else 150):
        os.getppid()
    time.sleep(max(0, begin + second + 1 - time.monotonic()))
PYTHON
	found rate_anomaly $!
}

# A steady rate for 31 seconds, and then fifty times as much.
rate_drift() {
	inside python3 - $peer << 'PYTHON' &
import socket, sys, time
begin = time.monotonic()
with socket.create_connection((sys.argv[1], 9443)) as s:
    for second in range(51):
        s.sendall(bytes(500_000 if second > 31 else 5_000))
        time.sleep(max(0, begin + second + 1 - time.monotonic()))
PYTHON
	found rate_drift $!
}

# Those that take long run beside the others.
long=(rate_drift rate_anomaly beaconing sudo_failures)
short=(
	port_scan host_scan raw_socket_scan syn_flood icmp_tunnel arp_spoofing dns_tunnel dga_names exfiltration
	login_brute_force rare_peer unexpected_listener odd_port_protocol miner mass_file_change fork_bomb permission_failures
	unusual_syscalls seccomp_kill crash_loop core_dumps server_crashes process_rarity
)
lab
running=()
for stage in "${@:-all}"; do
	for name in "${long[@]}"; do
		[ "$stage" = all ] || [ "$stage" = "$name" ] || continue
		"$name" &
		running+=($!)
	done
done
for stage in "${@:-all}"; do
	for name in "${short[@]}"; do
		[ "$stage" = all ] || [ "$stage" = "$name" ] || continue
		"$name"
	done
done
wait "${running[@]}"
