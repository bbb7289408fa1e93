#!/bin/bash
# The same question to ebrec and to others, about the same run: scripts/rivals.sh
#
# Boots a machine in which `perf sched`, `perf trace -s`, `strace -c`, and bpftrace's tcplife, tcpretrans and
# biolatency watch programs that ebrec records at the same time, brings back what they said and the traces,
# and compares them with the reports here (rivals.py). The last one runs on another kernel, since it hangs on
# functions that newer ones no longer have. Not run by CI: it downloads kernels and emulates a machine.
#
# Needs Debian's bpftrace linux-perf strace and what machine.sh and kernels.sh need, and their two builds.
# Settings, from the environment: EBREC, EBREC_STATIC, XDG_CACHE_HOME as in kernels.sh, and
#   KEEP            folder to leave the traces in
set -euo pipefail
cd "$(dirname "$0")/.."
ebrec=${EBREC:-target/release/ebrec}
static=${EBREC_STATIC:-target/x86_64-unknown-linux-gnu/release/ebrec}
source scripts/machine.sh

for program in "$ebrec" "$static"; do
	[ -x "$program" ] || fail "there is no $program; the head of kernels.sh says how to build it"
done
machine_programs
for program in bpftrace perf strace; do
	command -v $program >/dev/null || fail "$program is missing: apt-get install bpftrace linux-perf strace"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Programs that compute, sleep, wait for locks and for each other, on one CPU.
crowd() {
	cat <<- 'END'
		#!/bin/busybox sh
		hot 100 & hot 100 & hot 100 &
		blocked > /tmp/blocked &
		i=0
		while [ $i -lt 40 ]; do /bin/true $i; usleep 10000; i=$((i + 1)); done
		wait
	END
}

# System calls that work, fail and wait.
calls() {
	cat <<- 'END'
		#!/bin/busybox sh
		i=0
		while [ $i -lt 60 ]; do cat /init > /dev/null; true < /nowhere/$i; usleep 5000; i=$((i + 1)); done 2>/dev/null
		dd if=/dev/zero of=/tmp/written bs=512 count=500 2>/dev/null
		ls -lR /proc/self/ns > /dev/null
	END
}

# TCP connections of known sizes, one that is refused, and one to a host that never answers.
network() {
	cat <<- 'END'
		#!/bin/busybox sh
		traffic
		for kib in 1 20 300 4000; do
			timeout 20 nc -l -p 6000 > /dev/null < /dev/null &
			server=$!
			usleep 300000
			dd if=/dev/zero bs=1k count=$kib 2>/dev/null | timeout 20 nc 127.0.0.1 6000
			wait $server
		done
		timeout 5 nc 10.9.9.9 81
	END
}

# Reads and writes past the cache, of several sizes.
disk() {
	cat <<- 'END'
		#!/bin/busybox sh
		dd if=/dev/zero of=/dev/loop0 bs=4k count=300 oflag=direct
		dd if=/dev/loop0 of=/dev/null bs=64k count=50 iflag=direct
	END
}

init() { # KERNEL
	machine_init_head
	cat <<- 'END'
		mkdir -p /sys/kernel/tracing
		mount -t tracefs none /sys/kernel/tracing
		mount -t debugfs none /sys/kernel/debug
		# A host that never answers is behind this.
		ip link add dummy0 type dummy 2>/dev/null || insmod /dummy.ko
		ip link set dummy0 up
		ip address add 10.9.9.1/24 dev dummy0
		ip neighbour add 10.9.9.9 lladdr 02:00:00:00:00:09 dev dummy0
		# Starts a tool and waits until it is attached.
		watch() { # TOOL
			bpftrace /tools/$1.bt > /out/$1.txt 2>&1 &
			eval "$1=$!"
			i=0
			until grep -q -e Tracing -e COMM /out/$1.txt || [ $i -ge 90 ]; do sleep 1; i=$((i + 1)); done
			sleep 2
		}
		unwatch() { eval "kill -INT \$$1; wait \$$1"; }
		cd /out
	END
	if [ "$1" = 5.10 ]; then
		cat <<- 'END'
			watch biolatency
			ebrec record -q -s disk -o disk -- /bin/disk
			unwatch biolatency
		END
	else
		cat <<- 'END'
			ebrec record -q -s sched -o sched -- perf sched record -q -o /out/sched.data -- /bin/crowd
			ebrec record -q -s syscalls -o trace_s -- perf trace -s -o /out/trace_s.txt -- /bin/calls
			ebrec record -q -s syscalls -o strace_c -- strace -f -c -o /out/strace_c.txt /bin/calls
			watch tcplife
			watch tcpretrans
			ebrec record -q -s network -o network -- /bin/network
			sleep 1
			unwatch tcplife
			unwatch tcpretrans
		END
	fi
	cat <<- 'END'
		echo "all done"
		stty raw -echo < /dev/ttyS1
		tar cf /dev/ttyS1 -C /out .
		sync
		poweroff -f
	END
}

run() { # KERNEL
	local kernel=$1 root=$work/$1/root name header
	mkdir -p "$root"/{bin,dev,proc,sys,out,tmp,tools}
	machine_fetch "$kernel" "$work"
	for name in hot blocked traffic; do machine_compile $name.c $name "$root"; done
	machine_module "$kernel" loop "$root"
	machine_module "$kernel" dummy "$root"
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp "$static" "$root/bin/ebrec"
	for name in bpftrace perf strace; do machine_install "$(command -v $name)" "$root"; done
	# Their headers are not in the machine, but for what bpftrace itself reads: numbers stand for names.
	for name in tcplife tcpretrans biolatency; do
		sed -e '/^#include/d; /^#ifndef/d; /^#else/d; /^#endif/d; s/AF_INET6/10/g; s/AF_INET/2/g' \
			"$(command -v $name.bt)" > "$root/tools/$name.bt"
	done
	for header in $(echo '#include <linux/types.h>' | cc -M -E -xc - | grep -o '/usr/include[^ ]*'); do
		mkdir -p "$root$(dirname "${header/$(cc -print-multiarch)\//}")"
		cp "$header" "$root${header/$(cc -print-multiarch)\//}"
	done
	for name in crowd calls network disk; do $name > "$root/bin/$name"; chmod +x "$root/bin/$name"; done
	init "$kernel" > "$root/init"
	machine_boot "$kernel" "$work/$kernel" 400 3000
	rm -r "$root" "$work/$kernel"/{initrd,out.tar}
	grep -q 'all done' "$work/$kernel/console" || fail "kernel $kernel: $(tail -20 "$work/$kernel/console")"
}

run 6.1
run 5.10
[ -z "${KEEP:-}" ] || { mkdir -p "$KEEP"; cp -r "$work"/* "$KEEP/"; }
scripts/rivals.py --ebrec "$ebrec" "$work"
