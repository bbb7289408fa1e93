#!/bin/bash
# The events that fourteen public rules of Falco ask for, done without harm: one function for each rule. Prints
# `rule<TAB>check<TAB>pid`: the check of ours that must find this process. Needs root, bash, python3, coreutils and
# util-linux. Rules on containers are met in a control group that is named as docker names one.
#
# It runs in a network and a view of the file system of its own: /etc, homes and logs are in memory.
set -u
if [ "${ATTACKS_INSIDE:-}" != 1 ]; then
    ATTACKS_INSIDE=1 exec unshare --mount --net --propagation private "$BASH" "$0" "$@"
fi
PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link set lo up
ip address add 169.254.169.254/32 dev lo
mount -t tmpfs tmpfs /srv && mkdir /srv/etc || exit 2
for name in alternatives group hostname ld.so.cache ld.so.conf localtime nsswitch.conf passwd; do
    [ -e "/etc/$name" ] && cp -a "/etc/$name" /srv/etc/
done
echo 'root:*:1:0:99999:7:::' > /srv/etc/shadow
mkdir -p /srv/etc/cron.d
mount --bind /srv/etc /etc || exit 2
for folder in /root /home /var/log /dev/shm; do mount -t tmpfs tmpfs "$folder" || exit 2; done
mkdir -m 700 /root/.ssh
echo entry > /var/log/auth.log
echo ls > /root/.bash_history
export HOME=/root
hierarchy=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
container=$hierarchy/docker-$(printf 'fedcba9876543210%.0s' 1 2 3 4).scope
mkdir -p "$container" || exit 2
servers=()
trap 'kill "${servers[@]}" 2> /dev/null; wait; rmdir "$container"' EXIT

# Runs a program as a process of its own, waits for it, and says by which check it must be found.
run() {
    local rule=$1 check=$2
    shift 2
    "$@" > /dev/null 2>&1 &
    local pid=$!
    wait "$pid"
    printf '%s\t%s\t%s\n' "$rule" "$check" "$pid"
}

# For the background: the process moves to the container and becomes the command.
inside() {
    echo "$BASHPID" > "$container/cgroup.procs"
    exec "$@"
}

# Answers one connection to an address and port: sends a text, and reads until the end. Waits until it listens.
serve() {
    python3 -ISB - "$@" << 'PYTHON' &
import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
open(sys.argv[4], "w").close()
server.settimeout(10)
peer = server.accept()[0]
peer.settimeout(10)
peer.sendall(sys.argv[3].encode().decode("unicode_escape").encode())
try:
    while peer.recv(4096):
        pass
except ConnectionResetError:
    pass
PYTHON
    servers+=($!)
    for _ in $(seq 100); do [ -e "$4" ] && return; sleep 0.05; done
}

run "Read sensitive file untrusted" password_file_read python3 -ISB -c 'open("/etc/shadow").read()'
run "Create Symlink Over Sensitive Files" password_file_read ln -s /etc/shadow /srv/link
run "Clear Log Activities" log_tampering cp /dev/null /var/log/auth.log
run "Delete or rename shell history" history_clearing rm /root/.bash_history
run "Adding ssh keys to authorized_keys" authorized_keys_change \
    bash -c 'echo ssh-ed25519 AAAA nobody >> /root/.ssh/authorized_keys'
run "Schedule Cron Jobs" cron_change bash -c 'echo "* * * * * root true" > /etc/cron.d/job'
cp /usr/bin/true /dev/shm/tool
run "Execution from /dev/shm" exec_from_temp /dev/shm/tool
run "Fileless execution via memfd_create" fileless_exec python3 -ISB -c 'import os
program = os.memfd_create("stage")
os.write(program, open("/usr/bin/true", "rb").read())
os.execve(program, ["stage"], {})'
sleep 20 &
servers+=($!)
run "PTRACE attached to process" ptrace_attach python3 -ISB -c "import ctypes
ctypes.CDLL(None).ptrace(0x4206, $!, None, None)  # PTRACE_SEIZE"
# A file of that name, and nothing else: it is the name that the rule asks for.
mkdir -p /srv/cgroup
: > /srv/cgroup/release_agent
run "Detect release_agent File Container Escapes" kernel_helper_write inside \
    python3 -ISB -c 'import os; os.close(os.open("/srv/cgroup/release_agent", os.O_WRONLY))'
run "Change thread namespace" namespace_escape inside nsenter -t $$ --net true
run "Linux Kernel Module Injection Detected" kernel_module inside python3 -ISB -c 'import ctypes, os
ctypes.CDLL(None).syscall(105 if os.uname().machine == "aarch64" else 175, b"none", 4, b"")'
serve 169.254.169.254 80 'HTTP/1.0 200 OK\r\n\r\n{}' /srv/metadata
run "Contact EC2 Instance Metadata Service From Container" cloud_metadata_access inside \
    bash -c 'exec 3<> /dev/tcp/169.254.169.254/80; printf "GET /latest/ HTTP/1.0\r\n\r\n" >&3; read -r -t 5 line <&3'
serve 127.0.0.1 4444 'id\nexit\n' /srv/listens
run "Redirect STDOUT/STDIN to Network Connection in Container" reverse_shell inside \
    python3 -ISB -c 'import os, socket
peer = socket.create_connection(("127.0.0.1", 4444), 10)
peer.setblocking(True)
for descriptor in 0, 1, 2:
    os.dup2(peer.fileno(), descriptor)
os.execv("/bin/sh", ["sh", "-i"])'
