#!/bin/bash
# Runs programs in the sandboxes that were learned of them, on a kernel with AppArmor and under systemd: scripts/sandboxes.sh
#
# Learns from the data sets `database` and `web`, exports drafts for sqlite3 and nginx, and boots Debian's cloud kernel 6.1
# under QEMU with them: first AppArmor's parser loads each profile and the program runs in it, then systemd is started and
# runs it as a service with the settings. Each must do what was recorded, and must not get what it never did. Prints what
# was found; the exit code is 1 if something is not as it must be. Not run by CI: it emulates a machine.
#
# Needs Debian's qemu-system-x86 cpio busybox-static apparmor systemd sqlite3 nginx-light curl, and a kernel that
# scripts/kernels.sh has fetched. Settings, from the environment:
#   EBREC           learns and exports          (target/release/ebrec)
#   XDG_CACHE_HOME  has the kernel, unpacked, in ebrec-vm/6.1          (~/.cache)
#   KEEP            folder to leave the drafts and what the machine printed in
set -euo pipefail
cd "$(dirname "$0")/.."
ebrec=$(realpath "${EBREC:-target/release/ebrec}")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ebrec-vm/6.1
# Seconds that the machine may take.
patience=400

fail() { echo "sandboxes.sh: $*" >&2; exit 2; }

kernel=$(find "$cache" -type f -path '*/boot/vmlinuz-*' 2> /dev/null | head -1)
[ -n "$kernel" ] || fail "there is no kernel in $cache: scripts/kernels.sh 6.1 fetches it"
for program in qemu-system-x86_64 cpio busybox apparmor_parser systemctl sqlite3 nginx curl; do
	PATH=$PATH:/usr/sbin:/sbin command -v $program > /dev/null || fail "$program is missing"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,dev,proc,sys,run,tmp,etc,root,var/lib/nginx,var/log/nginx,drafts} "$root/etc/systemd/system" "$root/tmp/datasets"

# Copies files, and what they are links to, to where they are on this machine.
copy() {
	local file
	for file in "$@"; do
		mkdir -p "$root$(dirname "$file")"
		cp -L "$file" "$root$file"
	done
}

# Copies programs with their libraries.
install() {
	local program
	for program in "$@"; do
		copy "$program"
		# shellcheck disable=SC2046
		copy $(ldd "$program" | grep -o '/[^ )]*')
	done
}

"$ebrec" baseline learn datasets/database/trace datasets/web/trace -o "$work/normal.toml"
for program in sqlite3 nginx; do
	for to in apparmor systemd; do
		"$ebrec" baseline export "$work/normal.toml" --program $program --to $to -o "$root/drafts/$program.$to"
	done
done

cp "$(command -v busybox)" "$root/bin/busybox"
install /usr/bin/sqlite3 /usr/sbin/nginx /usr/bin/curl /sbin/apparmor_parser /lib/systemd/systemd /bin/systemctl
copy /etc/apparmor.d/abi/3.0 /etc/apparmor/parser.conf /usr/share/apparmor-features/features
# Names of users are looked up by libraries that programs load by themselves.
copy /lib/x86_64-linux-gnu/libnss_files.so.2 /etc/nsswitch.conf
printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\nwww-data:x:33:33::/:/bin/false\n' > "$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\nwww-data:x:33:\n' > "$root/etc/group"
printf 'machine\n' > "$root/etc/hostname"
: > "$root/etc/machine-id"
cp datasets/database/run.sh "$root/tmp/datasets/database.sh"

# What nginx has in the data set, and a page that it never served.
mkdir "$root/tmp/datasets/web"
head -c 4099 /dev/zero | tr '\0' 'x' > "$root/tmp/datasets/web/page"
cat > "$root/tmp/datasets/nginx.conf" << 'CONF'
daemon off; master_process on; worker_processes 1; pid nginx.pid; error_log error.log;
events { worker_connections 64; }
http { access_log access.log; server { listen 127.0.0.1:18082; root web; location /secret { alias /root/secret; } } }
CONF
echo secret > "$root/root/secret"
chmod 755 "$root/root"

# Asks nginx, which a command starts in the background, for the page and for the other; ends it.
cat > "$root/bin/ask" << 'SH'
#!/bin/sh
# ask NAME
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	curl -s -o /dev/null http://127.0.0.1:18082/page && break
	sleep 1
done
echo "$1 page: $(curl -s -o /dev/null -w '%{http_code} %{size_download}' http://127.0.0.1:18082/page)"
echo "$1 secret: $(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:18082/secret)"
SH

# In the profiles: what was recorded, and a file that was not.
cat > "$root/bin/confined" << 'SH'
#!/bin/sh
# A server that has run before has these, as the one had that was recorded.
for folder in body fastcgi proxy scgi uwsgi; do
	mkdir /var/lib/nginx/$folder
	chown 65534 /var/lib/nginx/$folder
done
echo "security modules: $(cat /sys/kernel/security/lsm)"
for program in sqlite3 nginx; do
	apparmor_parser --skip-cache --add /drafts/$program.apparmor && echo "apparmor $program: loaded"
done
cat /sys/kernel/security/apparmor/profiles
cd /tmp/datasets
sh database.sh
echo "apparmor sqlite3 rows: $?"
rm -f data.db*
sqlite3 /var/other.db 'CREATE TABLE t (a)' 2>&1 | grep -q . && echo "apparmor sqlite3 other file: refused"
[ ! -e /var/other.db ] || echo "apparmor sqlite3 other file: made"
nginx -p . -c nginx.conf &
server=$!
ask "apparmor nginx"
kill -QUIT $server
wait $server
echo "apparmor nginx ended: $?"
rm -f *.log *.pid
for program in sqlite3 nginx; do apparmor_parser --remove /drafts/$program.apparmor; done
dmesg | grep -E 'apparmor="(DENIED|ALLOWED)"' | sed 's/^/apparmor said: /' | cut -c1-300 | head -20
SH

# As services: the same, and another program in the filter of sqlite3.
unit() { # NAME DRAFT LINE...
	local name=$1 draft=$2
	shift 2
	mkdir -p "$root/etc/systemd/system/$name.service.d"
	cp "$root/drafts/$draft.systemd" "$root/etc/systemd/system/$name.service.d/sandbox.conf"
	printf '%s\n' '[Unit]' 'DefaultDependencies=no' '[Service]' 'WorkingDirectory=/tmp/datasets' 'StandardError=file:/run/errors' \
		"$@" > "$root/etc/systemd/system/$name.service"
}
unit database sqlite3 'Type=oneshot' 'StandardInput=file:/tmp/datasets/statements.sql' 'StandardOutput=file:/run/rows' \
	'ExecStart=/usr/bin/sqlite3 data.db'
unit elsewhere sqlite3 'Type=oneshot' "ExecStart=/usr/bin/sqlite3 /var/other.db 'CREATE TABLE t (a)'"
unit other sqlite3 'Type=oneshot' 'ExecStart=/bin/busybox mknod /tmp/datasets/pipe p'
unit web nginx 'ExecStart=/usr/sbin/nginx -p . -c nginx.conf'
cat > "$root/etc/systemd/system/sandboxes.service" << 'UNIT'
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/served
StandardOutput=tty
TTYPath=/dev/ttyS0
UNIT
printf '[Unit]\nRequires=sandboxes.service\n' > "$root/etc/systemd/system/sandboxes.target"
cat > "$root/bin/served" << 'SH'
#!/bin/sh
export PATH=/bin:/usr/bin:/usr/sbin:/sbin
cd /tmp/datasets
systemctl start database.service
echo "systemd sqlite3 ended: $?, rows: $(tail -1 /run/rows)"
systemctl start elsewhere.service 2> /dev/null
echo "systemd sqlite3 other file ended: $?, made: $(ls /var/other.db 2> /dev/null | wc -l)"
systemctl start other.service 2> /dev/null
echo "systemd other program ended: $?, made: $(ls pipe 2> /dev/null | wc -l)"
systemctl start web.service
ask "systemd nginx"
systemctl stop web.service
echo "systemd nginx result: $(systemctl show -P Result web.service)"
sed 's/^/systemd said: /' /run/errors | head -20
echo done
sync
poweroff -f
SH
cat > "$root/init" << 'SH'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin:/usr/sbin:/sbin HOME=/root
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t securityfs none /sys/kernel/security
ip link set lo up
confined
exec /lib/systemd/systemd --unit=sandboxes.target --log-level=err --show-status=no
SH
chmod +x "$root/init" "$root"/bin/{ask,confined,served}
(cd "$root" && find . | cpio -o -H newc --quiet --owner=0:0) > "$work/initrd"
timeout "$patience" qemu-system-x86_64 -accel tcg -cpu qemu64 -smp 1 -m 1536 \
	-nodefaults -display none -no-reboot -serial stdio -kernel "$kernel" -initrd "$work/initrd" \
	-append "console=ttyS0 panic=-1 quiet loglevel=3 mitigations=off lsm=lockdown,capability,apparmor,bpf" \
	< /dev/null 2>&1 | tr -d '\r' > "$work/console" || echo "sandboxes.sh: the machine did not end in $patience s" >&2
if [ -n "${KEEP:-}" ]; then
	mkdir -p "$KEEP"
	cp -r "$work/console" "$root/drafts" "$KEEP/"
fi
cat "$work/console"

failed=0
expect() {
	grep -qF -- "$1" "$work/console" || { echo "sandboxes.sh: it does not say: $1" >&2; failed=1; }
}
expect "apparmor sqlite3: loaded"
expect "apparmor sqlite3 rows: 53"
expect "apparmor sqlite3 other file: refused"
expect "apparmor nginx: loaded"
expect "apparmor nginx page: 200 4099"
expect "apparmor nginx secret: 403"
expect "apparmor nginx ended: 0"
expect "systemd sqlite3 ended: 0, rows: 53"
expect "systemd sqlite3 other file ended: 1, made: 0"
expect "systemd other program ended: 1, made: 0"
expect "systemd nginx page: 200 4099"
expect "systemd nginx result: success"
exit $failed
