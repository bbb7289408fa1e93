#!/usr/bin/env python3
"""Compares what others said of a run with what ebrec's reports say of its recording: scripts/rivals.py FOLDER

The folder is what rivals.sh brings back. Prints a table in Markdown; ends with 1 where an answer differs by more
than the row says it may.
"""

import argparse
import collections
import csv
import io
import pathlib
import re
import subprocess
import sys


class Trace:
    """A recording, and what ebrec answers from it."""

    def __init__(self, ebrec, folder):
        self.ebrec, self.folder = ebrec, folder

    def rows(self, *command):
        out = subprocess.run(
            [self.ebrec, "-t", self.folder, *command, "--format", "csv"], capture_output=True, text=True, check=True
        ).stdout
        return list(csv.DictReader(io.StringIO(out)))

    def report(self, *command):
        return self.rows("report", *command)


class Table:
    """Rows of the comparison."""

    def __init__(self):
        self.rows, self.failed = [], False

    def add(self, rival, question, theirs, ours, same, why=""):
        self.failed |= not same
        self.rows.append([rival, question, theirs, ours, ("yes" if same else "**no**") + (f"; {why}" if why else "")])

    def exact(self, rival, question, theirs, ours):
        """Both are dicts; the difference is said when there is one."""
        differ = {key: (theirs.get(key), ours.get(key)) for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key)}
        count = lambda numbers: f"{len(numbers)} rows" if numbers else "none"
        self.add(rival, question, count(theirs), count(ours), not differ and bool(theirs), str(differ) if differ else "each")

    def near(self, rival, question, theirs, ours, share, unit=""):
        off = abs(ours - theirs) / theirs if theirs else 1.0
        self.add(rival, question, f"{theirs:,.0f}{unit}", f"{ours:,.0f}{unit}", off <= share, f"{100 * off:.1f} % apart")

    def text(self):
        head = ["rival", "question", "it says", "ebrec says", "the same"]
        return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *self.rows])


def perf_sched(folder, *command):
    """What perf tells of its recording of the scheduler."""
    return subprocess.run(["perf", "sched", *command, "-i", folder / "sched.data"], capture_output=True, text=True, check=True).stdout


def timehist(table, folder, trace):
    """`perf sched timehist`: each slice, with the time off the CPU before it and that from being woken to running."""
    said, ours = collections.defaultdict(list), collections.defaultdict(list)
    text = perf_sched(folder, "timehist")
    line = re.compile(r"^ +[\d.]+ +\[\d+\] +(.+?)\[(-?\d+)(?:/\d+)?\] +([\d.]+) +([\d.]+) +([\d.]+) *$", re.M)
    watching = set()
    for comm, tid, *times in line.findall(text):
        said[int(tid)].append([float(time) for time in times])
        if comm in ("perf", "perf-exec", "ebrec"):
            watching.add(int(tid))
    for row in trace.report("sched_timeline", "--limit", "1000000"):
        waited, ready, ran = (int(row[name] or 0) / 1e6 for name in ("waited_ns", "ready_ns", "duration_ns"))
        # perf calls it a delay where the thread was woken, and not where another took the CPU from it.
        ours[int(re.search(r"\[(\d+)\]$", row["who"])[1])].append([waited, 0.0 if row["reason"] == "cpu" else ready, ran])
    both = [tid for tid in said if tid in ours and tid not in watching]
    # What a thread does last on a CPU perf gives to a thread -1.
    ended = [tid for tid in both if len(ours[tid]) == len(said[tid]) + 1]
    for tid in ended:
        ours[tid].pop()
    name = "perf sched timehist"
    count = lambda slices: {tid: len(slices[tid]) for tid in both} | {"last of a thread": len(ended) if slices is ours else len(said[-1])}
    table.exact(name, "slices of each thread", count(said), count(ours))
    for place, what in enumerate(["time off the CPU before them", "time from woken to running", "time on the CPU"]):
        total = lambda slices: sum(times[place] for tid in both for times in slices[tid])
        table.near(name, what, total(said), total(ours), 0.01, " ms")


def latency(table, folder, trace):
    """`perf sched latency -p`: waits of threads that always want the CPU. It leaves out the first wait of a thread, and of
    threads that sleep most waits after being woken, which its own timehist has."""
    line = re.compile(r"^\s*hot:(\d+)\s*\|\s*[\d.]+ ms \|\s*(\d+) \| avg:\s*([\d.]+) ms \| max:\s*([\d.]+) ms", re.M)
    said = {tid: (int(switches), float(average) * int(switches), float(longest))
            for tid, switches, average, longest in line.findall(perf_sched(folder, "latency", "-p"))}
    ours = collections.defaultdict(lambda: (0, 0.0, 0.0))
    for row in trace.report("runqueue_latency", "--by", "thread"):
        tid = re.search(r"\[(\d+)\]$", row["who"])[1]
        waits, total, longest = ours[tid]
        ours[tid] = waits + int(row["waits"]), total + int(row["total_ns"]) / 1e6, max(longest, int(row["max_ns"]) / 1e6)
    name = "perf sched latency -p"
    table.near(name, "waits for a CPU of threads that compute", sum(v[0] for v in said.values()), sum(ours[tid][0] for tid in said), 0.03)
    table.near(name, "time they waited", sum(v[1] for v in said.values()), sum(ours[tid][1] for tid in said), 0.03, " ms")
    table.near(name, "the longest wait", max(v[2] for v in said.values()), max(ours[tid][2] for tid in said), 0.01, " ms")


def of_processes(trace):
    """Calls, errors and milliseconds by system call, of all but what watches."""
    ours = {}
    for row in trace.report("syscalls", "--by", "process_syscall"):
        if row["comm"] not in ("ebrec", "perf", "perf-exec", "strace"):
            calls, errors, total = ours.get(row["syscall"], (0, 0, 0.0))
            ours[row["syscall"]] = calls + int(row["calls"]), errors + int(row["errors"]), total + int(row["total_ns"] or 0) / 1e6
    return ours


def trace_s(table, folder, trace):
    """`perf trace -s`."""
    said = collections.defaultdict(lambda: [0, 0, 0.0])
    for call, calls, errors, total in re.findall(r"^   (\w+) +(\d+) +(\d+) +([\d.]+) ", (folder / "trace_s.txt").read_text(), re.M):
        said[call][0] += int(calls)
        said[call][1] += int(errors)
        said[call][2] += float(total)
    ours = of_processes(trace)
    # The call that made the first program from what started it, and those that do not return.
    for call in ("execve", "exit_group", "rt_sigreturn"):
        said.pop(call, None), ours.pop(call, None)
    # A child's return from it is a second one there.
    said["clone"][0] -= ours["clone"][0]
    name = "perf trace -s"
    table.exact(name, "calls and errors of each system call", {c: tuple(v[:2]) for c, v in said.items()}, {c: v[:2] for c, v in ours.items()})
    waiting = [call for call in said if call in ours and call in ("wait4", "nanosleep", "clock_nanosleep")]
    table.near(name, "time in calls that wait", sum(said[c][2] for c in waiting), sum(ours[c][2] for c in waiting), 0.02, " ms")


def strace_c(table, folder, trace):
    """`strace -f -c`."""
    said = {}
    for words in map(str.split, (folder / "strace_c.txt").read_text().splitlines()[2:]):
        if words[0].startswith("-"):
            break
        said[words[-1]] = int(words[3]), int(words[4]) if len(words) == 6 else 0
    ours = {call: values[:2] for call, values in of_processes(trace).items()}
    for call in ("execve", "exit_group", "exit"):
        said.pop(call, None), ours.pop(call, None)
    table.exact("strace -f -c", "calls and errors of each system call", said, ours)


def tcplife(table, folder, trace):
    """`tcplife.bt`: sockets that ended, by what is at both ends."""
    said = collections.Counter()
    for line in (folder / "tcplife.txt").read_text().splitlines():
        words = line.split()
        if len(words) >= 9 and words[0].isdigit():
            plain = lambda address: address.removeprefix("::ffff:")
            said[plain(words[-7]), int(words[-6]), plain(words[-5]), int(words[-4]), int(words[-3]), int(words[-2])] += 1
    ours = collections.Counter()
    rows = trace.rows(
        "query",
        "SELECT local_address, local_port, remote_address, remote_port, sent_bytes / 1024 AS sent, received_bytes / 1024 AS received"
        " FROM connections WHERE protocol = 'tcp' AND role <> 'listener' AND duration_ns IS NOT NULL AND error IS NULL",
    )
    for row in rows:
        ours[row["local_address"].removeprefix("::ffff:"), int(row["local_port"]), row["remote_address"].removeprefix("::ffff:"), int(row["remote_port"]), int(row["sent"]), int(row["received"])] += 1
    # What was refused, or never answered, has no bytes on either side.
    carried = lambda found: {key: n for key, n in found.items() if key[4] + key[5] > 0}
    table.exact("tcplife", "ends, KiB sent and received of each socket", carried(said), carried(ours))


def tcpretrans(table, folder, trace):
    """`tcpretrans.bt`: segments sent again, by where they went."""
    said = collections.Counter(re.findall(r" ([\d.]+:\d+) +\w+$", (folder / "tcpretrans.txt").read_text(), re.M))
    ours = {row["peer"]: int(row["retransmits"]) for row in trace.report("retransmits") if int(row["retransmits"])}
    table.exact("tcpretrans", "segments sent again, by peer", dict(said), ours)


def biolatency(table, folder, trace):
    """`biolatency.bt`: requests by the power of two of their microseconds."""
    unit = {"": 1, "K": 1024, "M": 1024 * 1024}
    said = {}
    for low, suffix, count in re.findall(r"^[\[(](\d+)([KM]?)[,\]].*?(\d+) \|", (folder / "biolatency.txt").read_text(), re.M):
        said[int(low) * unit[suffix]] = int(count)
    rows = trace.rows(
        "query",
        "SELECT log2_bucket(duration_ns / 1000) AS us, count(*) AS requests FROM block_io WHERE duration_ns IS NOT NULL GROUP BY 1",
    )
    ours = {int(row["us"]): int(row["requests"]) for row in rows}
    name = "biolatency"
    report = sum(int(row["requests"]) for row in trace.report("disk_latency", "--by", "latency"))
    table.add(name, "requests that completed", str(sum(said.values())), str(report), sum(said.values()) == report > 0)
    moved = sum(abs(said.get(key, 0) - ours.get(key, 0)) for key in said.keys() | ours.keys()) // 2
    table.add(name, "requests by power of two of the time", f"{len(said)} rows", f"{len(ours)} rows", moved <= 0.1 * report,
              f"{moved} requests are in the next row: both look at the clock, one after the other")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--ebrec", default="target/release/ebrec", help="the program (target/release/ebrec)")
    args = parser.parse_args()
    new, old, table = args.folder / "6.1", args.folder / "5.10", Table()
    trace = lambda folder, name: Trace(args.ebrec, folder / name)
    timehist(table, new, trace(new, "sched"))
    latency(table, new, trace(new, "sched"))
    trace_s(table, new, trace(new, "trace_s"))
    strace_c(table, new, trace(new, "strace_c"))
    tcplife(table, new, trace(new, "network"))
    tcpretrans(table, new, trace(new, "network"))
    biolatency(table, old, trace(old, "disk"))
    print(table.text())
    sys.exit(1 if table.failed else 0)


main()
