#!/bin/bash
# Records on kernels other than this one, and checks the numbers: scripts/kernels.sh [KERNEL ...]
#
# Boots Debian's cloud kernels (5.10, 6.1 and 7.2 unless told otherwise) under QEMU with nothing but
# busybox, the static recorder and a few programs of tests/programs, records a shell script with known
# counts, allocations by both collectors, samples, blocking, page faults, connections, packets, names,
# requests to a disk, signals, gauges, a container and files by io_uring on each, brings the traces back and checks them here
# with `ebrec verify` and `ebrec query`. What the recorder says a kernel cannot tell is printed. Not run by
# CI: it downloads kernels and emulates a machine, which takes a minute or two each.
#
# Needs Debian's qemu-system-x86 cpio busybox-static kmod xz-utils g++, and two builds:
#   cargo build --release
#   RUSTFLAGS='-C target-feature=+crt-static' cargo build --release -p ebrec \
#       --no-default-features --features record --target x86_64-unknown-linux-gnu
# Settings, from the environment:
#   EBREC           reads the traces            (target/release/ebrec)
#   EBREC_STATIC    records in the machine      (target/x86_64-unknown-linux-gnu/release/ebrec)
#   XDG_CACHE_HOME  has the kernels              (~/.cache)
#   KEEP            folder to leave the traces in, one for each kernel
set -euo pipefail
cd "$(dirname "$0")/.."
ebrec=${EBREC:-target/release/ebrec}
static=${EBREC_STATIC:-target/x86_64-unknown-linux-gnu/release/ebrec}
source scripts/machine.sh
# Seconds that a machine may take.
patience=300
# A container that no runtime knows, and an address of the machine that is not the loopback's.
container=$(printf '%064d' 42)
address=10.1.2.3

for program in "$ebrec" "$static"; do
	[ -x "$program" ] || fail "there is no $program; the head of this script says how to build it"
done
machine_programs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What is recorded: 23 children that end with 0, one with 5, 100 opens of a missing file; ends with 7.
workload() {
	cat <<- 'END'
		#!/bin/busybox sh
		i=0
		while [ $i -lt 23 ]; do /bin/true $i; i=$((i + 1)); done
		(exit 5)
		i=0
		while [ $i -lt 100 ]; do true < /nowhere/file; i=$((i + 1)); done 2>/dev/null
		exit 7
	END
}

# What the kernel itself counts of the loopback (received, sent: bytes, packets), of a disk (reads,
# sectors, writes, sectors) and of memory.
counts() {
	cat <<- 'END'
		#!/bin/busybox sh
		sed 's/:/ /' /proc/net/dev | awk '$1 == "lo" { print "lo", $2, $3, $10, $11 }'
		awk '$3 == "loop0" { print "loop0", $4, $6, $8, $10 }' /proc/diskstats
		awk '$1 == "MemTotal:" { print "memory", $2 * 1024 }' /proc/meminfo
	END
}

# One of each family: traffic, 16 writes and 8 reads past the cache, signals, three programs in a
# container, one second of computing; prints what the kernel counted before and after.
families() {
	cat <<- END
		#!/bin/busybox sh
		counts
		traffic || exit 1
		dd if=/dev/zero of=/dev/loop0 bs=64k count=16 oflag=direct 2>/dev/null
		dd if=/dev/loop0 of=/dev/null bs=32k count=8 iflag=direct 2>/dev/null
		sh /bin/signals.sh /tmp
		mkdir /sys/fs/cgroup/docker-$container.scope
		sh -c 'echo \$\$ > /sys/fs/cgroup/docker-$container.scope/cgroup.procs
			/bin/true inside; /bin/true inside; exec /bin/true inside'
		/bin/true outside
		timeout 2 sh -c 'while true; do :; done'
		counts
	END
}

# The first process: records, writes the trace to the second serial line, powers off.
init() {
	machine_init_head
	cat <<- 'END'
		ip address add "$(cat /address)/32" dev lo
		cd /out
		ebrec doctor
		ebrec record --rotate 1s -- /bin/workload
		echo "ended with $?"
		for collector in in-process uprobes; do
			ebrec record -q -s allocations --on-full wait --collector $collector -o $collector -- \
				/bin/allocations 200 2000000 > $collector.truth
		done
		ebrec record -q -s cpu,faults --cpu-rate 199 -o cpu -- /bin/hot 200
		ebrec record -q -s offcpu -o offcpu -- /bin/blocked
		ebrec record -q -s faults --ring faults=64KiB -o oom -- /bin/tail /dev/zero
		ebrec record --dry-run -s everything --collector uprobes -o dry > dry.truth
		echo "dry run ended with $? and left $(ls -d dry 2>/dev/null | wc -l) folders"
		ebrec record -q -s network,packets,dns,disk,signals,system --netns /proc/1/ns/net -o families -- \
			/bin/families > families.truth
		echo "families ended with $?"
		# A program that a container runs again and again, and one that runs beside it.
		sh -c 'cd /sys/fs/cgroup/docker-*.scope && echo $$ > cgroup.procs
			while [ ! -e /tmp/stop ]; do /bin/true inside; sleep 1; done' &
		sh -c 'while [ ! -e /tmp/stop ]; do /bin/true outside; sleep 1; done' &
		ebrec record -q -s signals --container 00000000 -d 3s -o contained
		echo "contained ended with $?"
		touch /tmp/stop
		ebrec record -q -s network --hash-addresses -o hashed -- /bin/traffic "$(cat /address)"
		echo "hashed ended with $?"
		for way in calls ring sqpoll; do
			ebrec record -q -s syscalls -o $way -- /bin/by_ring $way /tmp > $way.truth
		done
		stty raw -echo < /dev/ttyS1
		tar cf /dev/ttyS1 trace in-process uprobes cpu offcpu oom families contained hashed calls ring sqpoll *.truth
		sync
		poweroff -f
	END
}

boot() { # KERNEL: leaves its traces in $work/KERNEL and what it printed in $work/KERNEL/console
	local kernel=$1 root=$work/$1/root
	mkdir -p "$root"/{bin,dev,proc,sys,out,tmp}
	machine_compile allocations.cpp allocations "$root"
	machine_compile hot.c hot "$root"
	machine_compile blocked.c blocked "$root"
	machine_compile traffic.c traffic "$root"
	machine_compile by_ring.c by_ring "$root"
	machine_module "$kernel" loop "$root"
	cp tests/programs/signals.sh "$root/bin/signals.sh"
	echo $address > "$root/address"
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp "$static" "$root/bin/ebrec"
	workload > "$root/bin/workload"
	counts > "$root/bin/counts"
	families > "$root/bin/families"
	init > "$root/init"
	chmod +x "$root"/bin/{workload,counts,families}
	machine_boot "$kernel" "$work/$kernel" "$patience" 1024
}

expect() { # WHAT FOUND EXPECTED
	[ "$2" = "$3" ] || { echo "  $1: found $2, expected $3" >&2; failed=1; }
}

value() { # SQL: its one value
	"$ebrec" -t "$trace" query "$1" --format csv 2>/dev/null | tail -1
}

check() { # KERNEL
	trace=$work/$1/trace
	grep -q 'ended with 7' "$work/$1/console" || expect "exit code of record" "$(grep 'ended with' "$work/$1/console")" "ended with 7"
	expect verify "$("$ebrec" -t "$trace" verify | tail -1)" "Complete: every event that was emitted is stored."
	expect kernel "$(value "SELECT starts_with(kernel, '$1') FROM hosts LIMIT 1")" true
	expect forks "$(value "SELECT count(*) FROM process_events WHERE event = 'fork'")" 24
	expect children "$(value "SELECT count(*) FROM process_events WHERE event = 'exec' AND argv LIKE '/bin/true %'")" 23
	expect exits "$(value "SELECT count(*) FROM process_events WHERE event = 'exit'")" 25
	expect "exit codes" "$(value "SELECT string_agg(code || ':' || n, ' ' ORDER BY code) FROM (SELECT exit_code AS code, count(*) AS n FROM process_events WHERE event = 'exit' GROUP BY exit_code)")" "0:23 5:1 7:1"
	expect opens "$(value "SELECT count(*) FROM syscalls WHERE path = '/nowhere/file' AND error = 'ENOENT'")" 100
	expect "calls without return" "$(value "SELECT count(*) FROM syscalls WHERE syscall = 'exit_group' AND ret IS NULL")" 25
	expect "slices" "$(value "SELECT count(*) > 25 FROM sched_slices")" true
	local collector operation
	for collector in in-process uprobes; do
		trace=$work/$1/$collector
		# Since 7.0 the kernel may leave out programs at mmap and its like, above all where it is emulated:
		# that is counted.
		if [ "${1%%.*}" -ge 7 ]; then
			expect "$collector: lost for another reason" "$(value "SELECT coalesce(sum(lost), 0) FROM loss WHERE reason <> 'program_skipped' OR lost > 50")" 0
		else
			expect "$collector: verify" "$("$ebrec" -t "$trace" verify | tail -1)" "Complete: every event that was emitted is stored."
		fi
		for operation in calloc realloc new; do
			expect "$collector: $operation" "$(value "SELECT count(*) || ' ' || sum(size_bytes) FROM allocations JOIN stacks USING (stack_id) WHERE operation = '$operation' AND frames[1]['file'] LIKE '%allocations.cpp'")" \
				"$(sed -n "s/^$operation //p" "$work/$1/$collector.truth")"
		done
		for operation in leak_small leak_large leak_things leak_in_child; do
			expect "$collector: $operation" "$(value "SELECT count(*) || ' ' || sum(size_bytes) FROM leaks JOIN stacks USING (stack_id) WHERE folded LIKE '%;main;$operation()'")" \
				"$(sed -n "s/^live $operation //p" "$work/$1/$collector.truth")"
		done
	done
	trace=$work/$1/cpu
	expect "cpu: seventy percent" "$(value "SELECT count(*) FILTER (WHERE folded LIKE '%main;seventy;spin') * 100 / count(*) BETWEEN 55 AND 85 FROM cpu_samples JOIN stacks USING (stack_id) WHERE folded LIKE '%main;%spin'")" true
	expect "cpu: faults" "$(value "SELECT count(*) > 30 FROM page_faults WHERE comm = 'hot'")" true
	expect "cpu: memory" "$(value "SELECT max(rss_peak_bytes) > 100000 FROM memory_usage")" true
	trace=$work/$1/oom
	expect "oom: killed" "$(value "SELECT count(*) FROM oom_kills k JOIN process_events e ON e.pid = k.pid AND e.signal = 'SIGKILL' WHERE k.comm = 'tail'")" 1
	trace=$work/$1/offcpu
	expect "offcpu: sleeps" "$(value "SELECT count(*) BETWEEN 80 AND 100 FROM offcpu JOIN stacks USING (stack_id) WHERE folded LIKE '%sleep_often;%' AND state = 'sleeping'")" true
	expect "offcpu: wakers" "$(value "SELECT count(*) BETWEEN 15 AND 20 FROM offcpu o JOIN stacks s ON s.stack_id = o.stack_id JOIN stacks w ON w.stack_id = o.waker_stack_id WHERE s.folded LIKE '%take_lock%' AND w.folded LIKE '%release_lock%'")" true
}

# Since 7.0 the kernel may leave out a program that is running on that CPU already. That is counted, as the
# first kind of the program's stream and whoever it was about; it is printed, and nothing else may be lost.
check_complete() { # KERNEL TRACE
	if [ "${1%%.*}" -ge 7 ]; then
		expect "$2: lost for another reason" "$(value "SELECT coalesce(sum(lost), 0) FROM loss WHERE reason <> 'program_skipped'")" 0
		value "SELECT string_agg('  $2: skipped: ' || lost || ' ' || kind, ' ') FROM loss" | grep skipped || true
	else
		expect "$2: verify" "$("$ebrec" -t "$trace" verify | tail -1)" "Complete: every event that was emitted is stored."
	fi
}

# How much a count of /bin/counts grew in the workload of the families.
grown() { # KERNEL NAME FIELD
	awk -v name="$2" -v field="$3" '$1 == name { before = after; after = $field } END { printf "%d", after - before }' \
		"$work/$1/families.truth"
}

check_network() { # KERNEL: its trace of the families
	local tcp="protocol = 'tcp' AND error IS NULL"
	expect "network: TCP" "$(value "SELECT string_agg(role || ':' || sent_bytes || ':' || received_bytes, ' ' ORDER BY role) FROM connections WHERE $tcp AND role <> 'listener'")" "client:100000:5000 server:5000:100000"
	expect "network: listener" "$(value "SELECT count(*) FROM connections WHERE $tcp AND role = 'listener' AND local_port = 5000")" 1
	expect "network: sends" "$(value "SELECT sends FROM connections WHERE $tcp AND role = 'client'")" 10
	expect "network: refused" "$(value "SELECT count(*) FROM connections WHERE protocol = 'tcp' AND error = 'ECONNREFUSED' AND remote_port = 5002")" 1
	# Errors that come by ICMP are told of since 5.14.
	if ! grep -q 'not recorded: inet_sk_error_report' "$work/$1/console"; then
		expect "network: refused datagram" "$(value "SELECT count(*) FROM connections WHERE protocol = 'udp' AND error = 'ECONNREFUSED' AND remote_port = 5002")" 1
	fi
	expect "network: unix" "$(value "SELECT string_agg(role || ':' || sent_bytes || ':' || received_bytes, ' ' ORDER BY role) FROM connections WHERE protocol = 'unix_stream' AND role IN ('client', 'server')")" "client:40000:5000 server:5000:40000"
	expect "network: datagrams sent" "$(value "SELECT sends || ' ' || sent_bytes FROM connections WHERE protocol = 'udp' AND remote_port = 5001")" "20 2000"
	expect "network: datagrams received" "$(value "SELECT receives || ' ' || received_bytes FROM connections WHERE protocol = 'udp' AND local_port = 5001")" "20 2000"
	expect "network: flows" "$(value "SELECT sum(received_bytes) || ' ' || sum(received_packets) || ' ' || sum(sent_bytes) || ' ' || sum(sent_packets) FROM flows WHERE interface = 'lo'")" \
		"$(grown "$1" lo 2) $(grown "$1" lo 3) $(grown "$1" lo 4) $(grown "$1" lo 5)"
	# A packet has an Ethernet header on the loopback too, which the interface does not count.
	expect "packets: received" "$(value "SELECT sum(length_bytes - 14) || ' ' || count(*) FROM packets WHERE direction = 'received'")" "$(grown "$1" lo 2) $(grown "$1" lo 3)"
	expect "packets: sent" "$(value "SELECT sum(length_bytes - 14) || ' ' || count(*) FROM packets WHERE direction = 'sent'")" "$(grown "$1" lo 4) $(grown "$1" lo 5)"
	expect "packets: malformed" "$(value "SELECT count(*) FROM packets WHERE malformed IS NOT NULL")" 0
	expect "dns: queries" "$(value "SELECT count(*) FROM dns WHERE kind = 'query' AND name = 'test.example.' AND type = 'A'")" 3
	expect "dns: answers" "$(value "SELECT count(*) FROM dns WHERE kind = 'response' AND rcode = 'NOERROR' AND answers = '192.0.2.1' AND latency_ns > 0 AND comm = 'traffic'")" 3
}

check_disk() { # KERNEL
	expect "disk: writes" "$(value "SELECT count(*) || ' ' || sum(bytes) FROM block_io WHERE disk = 'loop0' AND operation = 'write' AND comm = 'dd' AND duration_ns > 0")" \
		"$(grown "$1" loop0 4) $(($(grown "$1" loop0 5) * 512))"
	expect "disk: reads" "$(value "SELECT count(*) || ' ' || sum(bytes) FROM block_io WHERE disk = 'loop0' AND operation = 'read' AND comm = 'dd' AND duration_ns > 0")" \
		"$(grown "$1" loop0 2) $(($(grown "$1" loop0 3) * 512))"
	expect "disk: written" "$(value "SELECT sum(bytes) FROM block_io WHERE operation = 'write'")" 1048576
}

check_signals() {
	local sent="SELECT count(*) FROM signals WHERE event = 'sent' AND signal"
	expect "signals: handled" "$(value "$sent = 'SIGUSR1' AND code = 'SI_USER' AND result = 'delivered'")" 7
	expect "signals: ignored" "$(value "$sent = 'SIGUSR2' AND result = 'ignored'")" 5
	expect "signals: file too large" "$(value "$sent = 'SIGXFSZ' AND target_comm = 'head' AND result = 'delivered'")" 1
	expect "signals: ended" "$(value "SELECT count(*) FROM signals s JOIN process_events e ON e.exec_upid = s.target_upid OR e.upid = s.target_upid WHERE s.event = 'sent' AND s.signal = 'SIGTERM' AND e.event = 'exit' AND e.signal = 'SIGTERM' AND s.target_comm <> 'timeout'")" 2
	expect "signals: received" "$(value "SELECT count(*) FROM signals WHERE event = 'received' AND signal = 'SIGUSR1' AND action = 'handler'")" 7
}

check_system() { # KERNEL
	expect "system: memory" "$(value "SELECT DISTINCT CAST(value AS BIGINT) FROM system WHERE component = 'memory' AND metric = 'total_bytes'")" \
		"$(awk '$1 == "memory" { print $2; exit }' "$work/$1/families.truth")"
	expect "system: user time" "$(value "SELECT sum(change) > 500000000 FROM system WHERE component = 'cpu' AND instance = 'cpu0' AND metric IN ('user_ns', 'system_ns')")" true
	expect "system: loopback" "$(value "SELECT CAST(sum(change) AS BIGINT) FROM system WHERE component = 'interface' AND instance = 'lo' AND metric = 'sent_bytes'")" "$(grown "$1" lo 4)"
}

check_container() {
	local inside="SELECT count(*) FROM processes WHERE argv LIKE '/bin/true inside'"
	expect "container: processes" "$(value "$inside AND container_id = '$container'")" 3
	expect "container: others" "$(value "SELECT count(*) FROM processes WHERE container_id IS NOT NULL AND argv NOT LIKE '/bin/true inside'")" 0
	expect "container: runtime" "$(value "SELECT string_agg(container_id || ' ' || runtime, ',') FROM containers")" "$container docker"
}

check_contained() { # recorded with --container
	expect "contained: inside" "$(value "SELECT count(*) > 0 FROM processes WHERE argv LIKE '/bin/true inside'")" true
	expect "contained: others" "$(value "SELECT count(*) FROM processes WHERE container_id IS NULL OR container_id <> '$container'")" 0
}

# Whatever `doctor` finds missing is said by the recordings, and before them by the dry run.
check_reported() { # KERNEL
	local hook
	{ grep -o 'missing [a-z_]*:' "$work/$1/console" || true; } | sort -u | while read -r _ hook; do
		grep -q "not recorded: $hook" "$work/$1/console" || echo "$hook (record)"
		grep -q "^${hook%:} .* missing$" "$work/$1/dry.truth" || echo "$hook (dry run)"
	done > "$work/$1/unreported"
	expect "not reported" "$(cat "$work/$1/unreported")" ""
}

check_hashed() {
	local ends="(SELECT local_address AS a FROM %s UNION ALL SELECT remote_address FROM %s)" table
	for table in connections connection_events flows; do
		expect "hashed: plain in $table" "$(value "SELECT count(*) FROM ${ends//%s/$table} WHERE a LIKE '%$address%' OR a LIKE '%traffic%'")" 0
	done
	expect "hashed: tokens" "$(value "SELECT count(DISTINCT remote_address) || ' ' || bool_and(CAST(split_part(remote_address, '.', 1) AS INT) >= 240) FROM connections WHERE protocol = 'tcp' AND remote_address IS NOT NULL AND remote_address <> '0.0.0.0'")" "1 true"
	expect "hashed: bytes" "$(value "SELECT sum(sent_bytes) FROM connections WHERE protocol = 'tcp'")" 105000
}

# What by_ring did with files, by whatever way.
files() { # WAY
	"$ebrec" -t "$work/$kernel/$1" query "SELECT operation, path, path2, flags, error FROM files WHERE comm = 'by_ring' AND path <> '' AND (path NOT LIKE '/%' OR path LIKE '/tmp/%') ORDER BY ts" --format csv 2>/dev/null
}

check_rings() { # KERNEL
	local way
	for way in ring sqpoll; do
		trace=$work/$1/$way
		check_complete "$1" "$way"
		if grep -q 'not recorded: io_uring' "$work/$1/console"; then
			expect "$way: operations" "$(value "SELECT count(*) FROM syscalls WHERE via = 'io_uring'")" 0
			continue
		fi
		expect "$way: results" "$(value "SELECT string_agg(syscall || ':' || ret, ' ' ORDER BY ts) FROM syscalls WHERE via = 'io_uring'")" "$(tr ',\n' ': ' < "$work/$1/$way.truth" | sed 's/ $//')"
		expect "$way: files" "$(files $way)" "$(files calls)"
		expect "$way: how many" "$(files $way | wc -l)" 15
		expect "$way: who" "$(value "SELECT DISTINCT comm || ' ' || (tid = pid) FROM syscalls WHERE via = 'io_uring'")" "by_ring true"
	done
}

check_families() { # KERNEL
	grep -q 'dry run ended with 0 and left 0 folders' "$work/$1/console" || expect "dry run" "$(grep 'dry run' "$work/$1/console")" "ended with 0"
	expect "exit codes of the families" "$(grep -cE '^(families|contained|hashed) ended with 0' "$work/$1/console")" 3
	for trace in "$work/$1"/{families,contained,hashed}; do
		check_complete "$1" "$(basename "$trace")"
	done
	trace=$work/$1/families
	check_network "$1"
	check_disk "$1"
	check_signals
	check_system "$1"
	check_container
	trace=$work/$1/contained
	check_contained
	trace=$work/$1/hashed
	check_hashed
	check_rings "$1"
	check_reported "$1"
}

all=0
for kernel in "${@:-5.10 6.1 7.2}"; do
	for kernel in $kernel; do
		failed=0
		machine_fetch "$kernel" "$work"
		boot "$kernel"
		check "$kernel"
		check_families "$kernel"
		if [ -n "${KEEP:-}" ]; then
			mkdir -p "$KEEP/$kernel"
			cp -r "$work/$kernel"/{trace,in-process,uprobes,cpu,offcpu,oom,families,contained,hashed,calls,ring,sqpoll,{dry,families,ring,sqpoll}.truth,console} "$KEEP/$kernel/"
		fi
		[ $failed = 0 ] && echo "$kernel: as expected, $(value "SELECT kernel FROM hosts LIMIT 1")"
		grep 'note: not recorded' "$work/$kernel/console" | sort -u || true
		[ $failed = 0 ] || { grep '  *->\|ebrec' "$work/$kernel/console" >&2 || true; all=1; }
	done
done
exit $all
