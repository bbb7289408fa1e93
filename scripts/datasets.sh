#!/bin/bash
# Records the data sets again, as root: scripts/datasets.sh [EBREC]
#
# Each folder of datasets/ has a workload (run.sh or run.py, or a program of tests/programs), what was recorded of it (trace/, with the
# spool that everything else is made from), the first lines of its replay (replay.txt) and what is
# true of it (about.md). The workload runs in a control group and a folder of its own, so that nothing
# of this machine but its name, kernel and CPUs gets into the trace. Numbers in about.md and in
# tests/datasets.rs that depend on the run (the port, times) are checked by the tests.
set -euo pipefail
cd "$(dirname "$0")/.."
ebrec=$(realpath "${1:-target/release/ebrec}")
datasets=$PWD/datasets
hierarchy=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
[ -n "$hierarchy" ] || { echo "datasets.sh: the unified hierarchy of control groups is not mounted" >&2; exit 2; }

work=/tmp/datasets
group=$hierarchy/datasets
# As docker names the group of a container.
container=$hierarchy/docker-$(printf '0123456789abcdef%.0s' 1 2 3 4).scope
mkdir "$work" "$group" "$container"
trap 'rm -rf "$work"; rmdir "$group" "$container"' EXIT
cp "$ebrec" "$work/ebrec"

# Which data sets to record; all of them unless told otherwise.
for name in ${DATASETS:-script server threads memory dns vitals network web database compiler locks intrusion execution persistence behaviour falco packages cron desktop}; do
	cp "$datasets/$name"/run.* "$work/" 2> /dev/null || true
	sources=syscalls,sched
	more=() within=$group
	case $name in
	script) command=(/bin/sh run.sh) code=7 ;;
	memory)
		c++ -O2 -fomit-frame-pointer -pthread -o "$work/allocations" tests/programs/allocations.cpp
		command=(/bin/sh run.sh) code=0 sources=allocations,faults,cpu,offcpu,syscalls
		;;
	dns) command=(/bin/sh run.sh) code=0 sources=dns,syscalls more=(--syscalls execve) ;;
	vitals) command=(/bin/sh run.sh) code=17 sources=disk,signals,system ;;
	web) command=(/bin/sh run.sh) code=7 sources=syscalls,sched,offcpu,cpu,network,disk,system ;;
	database) command=(/bin/sh run.sh) code=53 sources=syscalls,sched,offcpu,disk,faults,system ;;
	compiler) command=(/bin/sh run.sh) code=23 sources=syscalls,sched,cpu,faults ;;
	locks)
		cc -O2 -fomit-frame-pointer -pthread -o "$work/blocked" tests/programs/blocked.c
		command=(./blocked) code=0 sources=syscalls,sched,offcpu,cpu
		;;
	intrusion)
		cp scripts/intrusion.sh "$work/run.sh"
		command=(/bin/bash run.sh) code=0 sources=security,packets
		;;
	execution | persistence)
		cp "tests/programs/attacks/$name.sh" "$work/run.sh"
		command=(/bin/bash run.sh) code=0 sources=security
		;;
	behaviour)
		cp tests/programs/attacks/network.sh "$work/run.sh"
		command=(/bin/bash run.sh) code=0 sources=security,syscalls,packets,cpu
		;;
	falco)
		cp tests/programs/attacks/falco.sh "$work/run.sh"
		command=(/bin/bash run.sh) code=0 sources=security,syscalls
		;;
	packages) command=(/bin/bash run.sh) code=10 sources=security ;;
	cron) command=(/bin/bash run.sh) code=8 sources=security,packets,cpu ;;
	desktop) command=(/bin/bash run.sh) code=6 sources=security,packets,cpu ;;
	network) command=(/usr/bin/python3 -ISB run.py) code=0 sources=network,packets within=$container ;;
	*) command=(/usr/bin/python3 -ISB run.py) code=0 ;;
	esac
	rm -rf "${datasets:?}/$name/trace" "$work/trace"
	# In a shell that moves to the control group, and is gone before the next recording.
	ended=0
	(
		echo "$BASHPID" > "$within/cgroup.procs"
		cd "$work"
		exec env -i PATH=/usr/bin:/bin LANG=C.UTF-8 ./ebrec record -q -s "$sources" "${more[@]}" --on-full wait --encode later -- "${command[@]}"
	) > "$work/said" || ended=$?
	[ "$ended" = "$code" ] || { echo "datasets.sh: $name ended with $ended" >&2; exit 1; }
	# What the attacks say that must be found.
	case $name in intrusion | execution | persistence | behaviour | falco) grep -P '\t' "$work/said" > "$datasets/$name/expected.txt" ;; esac
	rm -f "$work/trace/.lock" "$work"/run.* "$work/said"
	cp -r "$work/trace" "$datasets/$name/trace"
	"$ebrec" -t "$datasets/$name/trace" verify | tail -1
	lines=$("$ebrec" -t "$datasets/$name/trace" replay)
	head -40 <<< "$lines" > "$datasets/$name/replay.txt"
	rm -f "$datasets/$name/trace/.lock"
	du -sh "$datasets/$name"
done
