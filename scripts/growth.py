#!/usr/bin/env python3
"""How the time and the memory of reports grow with a trace: scripts/growth.py [OPTION]...

Makes traces of the scenario `mixed` of several sizes with `ebrec synth`, answers each report on each of them in turns,
and prints a table: medians of the time, the peak of resident memory, and how the time grows from the smallest to the
largest. What a process takes to start is in all of them, so that the growth is of what is left without the time on a
trace of next to nothing: 1.0 means that ten times the events take ten times as long, 0 that they take no longer.
Reports on what the scenario lacks are left out.

Needs an optimized ebrec, and for 50 million events some 2 GB in the folder for temporary files.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import tempfile
import time


# Events of the trace of next to nothing.
SMALL = 2_000


def timed(command):
    """Seconds and the peak of memory in MiB; none if it fails, as a report does whose tables are not there."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return (time.monotonic() - begun, usage.ru_maxrss / 1024) if process.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ebrec", default="target/release/ebrec", help="the program (target/release/ebrec)")
    parser.add_argument("--events", type=int, nargs="+", default=[1_000_000, 5_000_000, 25_000_000, 50_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("reports", nargs="*", help="all by default")
    args = parser.parse_args()
    ebrec = os.path.realpath(args.ebrec)
    listed = subprocess.run([ebrec, "report", "--list", "--format", "json"], capture_output=True, text=True, check=True)
    names = args.reports or [report["name"] for report in json.loads(listed.stdout)]
    sizes = sorted(args.events)
    with tempfile.TemporaryDirectory() as folder:
        traces = {}
        for events in [SMALL, *sizes]:
            trace = traces[events] = pathlib.Path(folder) / str(events)
            command = [ebrec, "synth", "--seed", "1", "--scenario", "mixed", "--events", str(events), "-o", trace]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(f"| report | {' | '.join(f'{events / 1e6:g} M' for events in sizes)} | peak | growth |")
        print("|---" * (len(sizes) + 3) + "|")
        for name in names:
            runs = {events: [] for events in traces}
            for _ in range(args.rounds):
                for events, trace in traces.items():
                    runs[events].append(timed([ebrec, "report", "-t", trace, name, "--format", "csv"]))
            if None in runs[sizes[0]]:
                continue
            seconds = {events: statistics.median(run[0] for run in runs[events]) for events in traces}
            peak = max(run[1] for run in runs[sizes[-1]])
            own = [max(seconds[events] - seconds[SMALL], 0.001) for events in sizes]
            growth = math.log(own[-1] / own[0]) / math.log(sizes[-1] / sizes[0])
            cells = " | ".join(f"{seconds[events]:.3f} s" for events in sizes)
            print(f"| `{name}` | {cells} | {peak:.0f} MiB | {growth:.2f} |", flush=True)


main()
