#!/bin/bash
# What a malloc and free cost under ebrec's two collectors and under bpftrace, in ns of CPU time, three
# times in turn, as root: scripts/probes.sh [EBREC]
#
# Needs cc and bpftrace, and a release build of ebrec. Only processes that it starts are observed.
set -euo pipefail
cd "$(dirname "$0")/.."
ebrec=$(realpath "${1:-target/release/ebrec}")
libc=$(ldd /bin/sh | grep -o '/[^ ]*libc\.so[^ ]*')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O2 -fomit-frame-pointer -o "$work/pair" tests/programs/pair.c
record() { # COLLECTOR PAIRS
	"$ebrec" record -q --force -o "$work/trace" -s allocations --symbols later --on-full wait \
		--ring allocations=64MiB --collector "$1" -- "$work/pair" "$2"
}
for round in 1 2 3; do
	echo "round $round"
	echo "  without     $("$work/pair" 3000000)"
	echo "  in-process  $(record in-process 3000000)"
	echo "  probes      $(record uprobes 200000)"
	# It waits for bpftrace to attach.
	"$work/pair" 100000 5000 > "$work/out" &
	program=$!
	timeout 30 bpftrace -p $program -e "
		uprobe:$libc:malloc { @size[tid] = arg0; }
		uretprobe:$libc:malloc /@size[tid]/ { @bytes[ustack(16)] = sum(@size[tid]); delete(@size[tid]); }
		uprobe:$libc:free { @frees = count(); }" > /dev/null 2>&1 || true
	wait $program
	echo "  bpftrace    $(cat "$work/out")"
done
