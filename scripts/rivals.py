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


def sched(table, folder, trace):
    """`perf sched latency -p`: threads that computed or waited, each by its number."""
    line = re.compile(r"^\s*(.+?):(\d+)\s*\|\s*([\d.]+) ms \|\s*(\d+) \| avg:\s*([\d.]+) ms \| max:\s*([\d.]+) ms", re.M)
    said = {int(tid): (int(switches), float(average) * int(switches), float(longest))
            for _, tid, _, switches, average, longest in line.findall((folder / "sched.txt").read_text())}
    ours = {}
    for row in trace.report("runqueue_latency", "--by", "thread"):
        tid = int(re.search(r"\[(\d+)\]$", row["who"])[1])
        waits, total, longest = ours.get(tid, (0, 0, 0))
        ours[tid] = waits + int(row["waits"]), total + int(row["total_ns"]) / 1e6, max(longest, int(row["max_ns"]) / 1e6)
    both = [tid for tid in said if tid in ours]
    name = "perf sched latency"
    table.add(name, "threads that waited for a CPU", str(len(said)), str(len(ours)), len(both) >= 0.95 * len(said), f"{len(both)} in both")
    table.near(name, "waits for a CPU", sum(said[tid][0] for tid in both), sum(ours[tid][0] for tid in both), 0.01)
    table.near(name, "time they waited", sum(said[tid][1] for tid in both), sum(ours[tid][1] for tid in both), 0.02, " ms")
    table.near(name, "the longest wait", max(said[tid][2] for tid in both), max(ours[tid][2] for tid in both), 0.02, " ms")


def of_processes(trace, names):
    """Calls, errors and milliseconds by system call, of threads with these names."""
    ours = {}
    for row in trace.report("syscalls", "--by", "process_syscall"):
        if row["comm"] in names:
            calls, errors, total = ours.get(row["syscall"], (0, 0, 0.0))
            ours[row["syscall"]] = calls + int(row["calls"]), errors + int(row["errors"]), total + int(row["total_ns"] or 0) / 1e6
    return ours


def trace_s(table, folder, trace, names):
    """`perf trace -s`."""
    said = collections.defaultdict(lambda: [0, 0, 0.0])
    for call, calls, errors, total in re.findall(r"^   (\w+) +(\d+) +(\d+) +([\d.]+) ", (folder / "trace_s.txt").read_text(), re.M):
        said[call][0] += int(calls)
        said[call][1] += int(errors)
        said[call][2] += float(total)
    ours = of_processes(trace, names)
    # The call that made the first program from what started it, and those that do not return.
    for call in ("execve", "exit_group", "rt_sigreturn"):
        said.pop(call, None), ours.pop(call, None)
    name = "perf trace -s"
    table.exact(name, "calls and errors of each system call", {c: tuple(v[:2]) for c, v in said.items()}, {c: v[:2] for c, v in ours.items()})
    waiting = [call for call in said if call in ours and call in ("wait4", "nanosleep", "clock_nanosleep")]
    table.near(name, "time in calls that wait", sum(said[c][2] for c in waiting), sum(ours[c][2] for c in waiting), 0.02, " ms")


def strace_c(table, folder, trace, names):
    """`strace -f -c`."""
    said = {}
    for words in map(str.split, (folder / "strace_c.txt").read_text().splitlines()[2:]):
        if words[0].startswith("-"):
            break
        said[words[-1]] = int(words[3]), int(words[4]) if len(words) == 6 else 0
    ours = {call: values[:2] for call, values in of_processes(trace, names).items()}
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
    ours = {row["remote"]: int(row["retransmits"]) for row in trace.report("retransmits")}
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
    names = {"calls", "busybox", "cat", "dd", "ls", "usleep", "sh"}
    sched(table, new, trace(new, "sched"))
    trace_s(table, new, trace(new, "trace_s"), names)
    strace_c(table, new, trace(new, "strace_c"), names)
    tcplife(table, new, trace(new, "network"))
    tcpretrans(table, new, trace(new, "network"))
    biolatency(table, old, trace(old, "disk"))
    print(table.text())
    sys.exit(1 if table.failed else 0)


main()
