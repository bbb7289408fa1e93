#!/usr/bin/env python3
"""How much slower programs run while they are recorded, as root: scripts/slowdown.py [OPTION]...

Runs nginx under wrk, redis under redis-benchmark, pgbench and a compiler, each without a recording and
with each preset in turn, several rounds, and prints medians of the ratios of each round: 1.02 means
that recording costs 2 %. Before each there is the same pause, since a server may do something of its own
in it. `none` among the sources records nothing: how far it is from 1 is how far to trust the others.
`work` is of the work done in a second, `cpu` of the CPU time for a piece of work, which other load on the
machine disturbs less. Servers and clients are in a control group of their own, and that group is what is
recorded. Everything stays on loopback.

The speed of a virtual machine's CPU changes by more than a few percent from second to second. With `--pair`
two of each run side by side and share one CPU, so that whatever slows that CPU down slows both; first
one of them is recorded, then the other, and what cancels out is all but the recording. Not in it is
what a hook costs the side that is not recorded: nothing to speak of unless calls or switches are recorded.
The recorder itself runs where it likes: `recorder` is its CPU time by that of what it records, and
`slowdown` is `work` with it, as if the program had to give up that time as well.

Needs an optimized ebrec and Debian's nginx-light, wrk, redis-server, redis-tools, postgresql, gcc.
"""

import argparse
import concurrent.futures
import contextlib
import json
import math
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

# The first port of each workload; a side adds its number.
PORTS = {"nginx": 18080, "redis": 18380, "pgbench": 18430}
# The time a recorder has to start.
PAUSE_S = 1.5
# How long the programs run before they are measured.
WARM_UP_S = 2
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}


def unified():
    """Where the unified hierarchy of control groups is mounted."""
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, *_ = line.split()
        if kind == "cgroup2":
            return pathlib.Path(folder)
    sys.exit("slowdown.py: the unified hierarchy of control groups is not mounted")


class Side:
    """Where a workload runs: a control group, a folder and ports of its own."""

    def __init__(self, number, folder, cpus):
        self.number, self.folder, self.cpus = number, folder / str(number), cpus
        self.folder.mkdir(mode=0o755)
        self.group = unified() / f"ebrec-slowdown-{number}"
        self.group.mkdir(exist_ok=True)

    def port(self, workload):
        return str(PORTS[workload] + self.number)

    def cpu_s(self):
        """CPU time that the control group has used."""
        return int(re.search(r"usage_usec (\d+)", (self.group / "cpu.stat").read_text())[1]) / 1e6

    def _join(self):
        (self.group / "cgroup.procs").write_text(str(os.getpid()))
        os.sched_setaffinity(0, self.cpus)

    def leave(self):
        """Takes the control group away, unless something in it did not end."""
        with contextlib.suppress(OSError):
            self.group.rmdir()

    def start(self, *command, **options):
        return subprocess.Popen(command, preexec_fn=self._join, **(QUIET | options))

    def output(self, *command, **options):
        run = subprocess.run(
            command, preexec_fn=self._join, capture_output=True, text=True, check=True, **options
        )
        return run.stdout


@contextlib.contextmanager
def ended(process):
    """Ends a server with what uses it."""
    try:
        time.sleep(1)
        if process.poll() is not None:
            sys.exit(f"slowdown.py: {process.args[0]} did not start")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


@contextlib.contextmanager
def nginx(side):
    """Requests of a small page."""
    root, port = side.folder / "nginx", side.port("nginx")
    root.mkdir()
    root.chmod(0o755)
    (root / "index.html").write_text("x" * 600)
    config = root / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error;\n"
        "events { worker_connections 256; }\n"
        f"http {{ access_log {root}/access; server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n"
    )
    with ended(side.start("nginx", "-c", str(config))):

        def measure(seconds):
            text = side.output("wrk", "-t1", "-c16", f"-d{seconds}s", f"http://127.0.0.1:{port}/")
            return int(re.search(r"(\d+) requests in", text)[1]), seconds

        yield measure


@contextlib.contextmanager
def redis(side):
    """SET for half of the time, then GET."""
    port = side.port("redis")
    command = ["redis-server", "--port", port, "--save", "", "--bind", "127.0.0.1", "--dir", str(side.folder)]
    with ended(side.start(*command)):

        def commands():
            text = side.output("redis-cli", "-p", port, "info", "stats")
            return int(re.search(r"total_commands_processed:(\d+)", text)[1])

        def measure(seconds):
            before, began = commands(), time.monotonic()
            for kind in ["set", "get"]:
                client = side.start(
                    "redis-benchmark", "-p", port, "-n", "1000000000", "-c", "16", "-t", kind, "-q"
                )
                time.sleep(seconds / 2)
                client.kill()
                client.wait()
            return commands() - before, time.monotonic() - began

        yield measure


@contextlib.contextmanager
def pgbench(side):
    """Transactions, TPC-B-like."""
    binaries = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    data, port = side.folder / "postgres", side.port("pgbench")
    data.mkdir()
    shutil.chown(data, "postgres")
    # It refuses to run as root.
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    subprocess.run([*as_user, binaries / "initdb", "-A", "trust", data], check=True, cwd=data, **QUIET)
    # What the server does on its own now and then would be in some measurements and not in others.
    settings = ["listen_addresses=127.0.0.1", "autovacuum=off", "checkpoint_timeout=1h", "max_wal_size=4GB"]
    options = ["-D", data, "-p", port, "-k", data, *(word for setting in settings for word in ("-c", setting))]
    with ended(side.start(*map(str, [*as_user, binaries / "postgres", *options]), cwd=data)):
        client = [str(binaries / "pgbench"), "-h", "127.0.0.1", "-p", port, "-U", "postgres", "postgres"]
        side.output(*client, "-i", "-s", "5", "-q")

        def measure(seconds):
            text = side.output(*client, "-c4", "-j1", "-n", f"-T{seconds}")
            return int(re.search(r"actually processed: (\d+)", text)[1]), seconds

        yield measure


@contextlib.contextmanager
def gcc(side):
    """Compilations of a program of some hundred lines."""
    source = side.folder / "many.c"
    parts = [f"#include <stdio.h>\nint f{i}(int a) {{ return printf(\"%d\", a * {i}); }}" for i in range(300)]
    source.write_text("\n".join(parts))

    def measure(seconds):
        began, count = time.monotonic(), 0
        ended = began
        # One that is not done in time keeps the CPU busy for the other side, and does not count.
        while (now := time.monotonic()) - began < seconds:
            ended, count = now, count + 1
            side.output("gcc", "-O1", "-c", str(source), "-o", str(side.folder / "many.o"))
        return count - 1, ended - began

    yield measure


WORKLOADS = {"nginx": nginx, "redis": redis, "pgbench": pgbench, "gcc": gcc}


@contextlib.contextmanager
def recording(ebrec, sources, side):
    """Records a side; yields what says how much CPU time the recorder has used."""
    if sources == "none":
        time.sleep(PAUSE_S)
        yield lambda: 0
        return
    trace = side.folder / "trace"
    command = [ebrec, "record", "-q", "--force", "-s", sources, "--cgroup", str(side.group), "-o", str(trace)]
    recorder = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(PAUSE_S)
    if recorder.poll() is not None:
        sys.exit(f"slowdown.py: {recorder.stderr.read()}")

    def cpu_s():
        threads = pathlib.Path(f"/proc/{recorder.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    try:
        yield cpu_s
    finally:
        recorder.send_signal(signal.SIGINT)
        _, notes = recorder.communicate(timeout=120)
    verdict = subprocess.run([ebrec, "-t", str(trace), "verify"], capture_output=True, text=True)
    said = verdict.stdout.strip().splitlines()
    print(f"    {sources}: {said[-1] if said else verdict.stderr.strip()} {notes.strip()}", file=sys.stderr)


def measured(side, measure, seconds):
    """Seconds, and seconds of CPU time, for a piece of work; and the CPU time of all of it."""
    before = side.cpu_s()
    work, seconds = measure(seconds)
    cpu_s = side.cpu_s() - before
    return seconds / work, cpu_s / work, cpu_s


def run(ebrec, sources, sides, which, seconds):
    """Has all sides work at once while one is recorded; what each measured, and the recorder's CPU time by that
    of what it records."""
    with recording(ebrec, sources, sides[which][0]) as recorder_s, concurrent.futures.ThreadPoolExecutor() as pool:
        # Programs that a recorder has not seen yet cost it more than those that it knows, once.
        list(pool.map(lambda side: measured(*side, WARM_UP_S), sides))
        before = recorder_s()
        found = list(pool.map(lambda side: measured(*side, seconds), sides))
        return found, (recorder_s() - before) / found[which][2]


def paired(ebrec, sources, sides, seconds, turn):
    """The ratios of a round in which each of two sides is recorded once. What makes one side slower than the
    other, recorded or not, is in both runs, and cancels out."""
    found = {which: run(ebrec, sources, sides, which, seconds) for which in ([0, 1] if turn % 2 == 0 else [1, 0])}
    ((a, b), recorder), ((c, d), recorder_b) = found[0], found[1]
    work, cpu = (math.sqrt(a[what] / b[what] * d[what] / c[what]) for what in [0, 1])
    return work, cpu, (recorder + recorder_b) / 2


def alternating(ebrec, sources, sides, seconds, _):
    """The ratios of a round in which a recording stands between two runs without, so that a drift of the
    machine cancels out."""
    ((before,), _), ((during,), recorder), ((after,), _) = (
        run(ebrec, which, sides, 0, seconds) for which in ["none", sources, "none"]
    )
    work, cpu = (2 * during[what] / (before[what] + after[what]) for what in [0, 1])
    return work, cpu, recorder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ebrec", default="target/release/ebrec", help="the program (target/release/ebrec)")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--sources", default="none light", help="what is recorded in turn, by spaces")
    parser.add_argument("--workloads", default=" ".join(WORKLOADS))
    parser.add_argument("--pair", action="store_true", help="two side by side, of which one is recorded")
    args = parser.parse_args()
    for name in args.workloads.split():
        if name not in WORKLOADS:
            parser.error(f"there is no workload {name}: {', '.join(WORKLOADS)}")
    if not os.access(args.ebrec, os.X_OK):
        parser.error(f"there is no program {args.ebrec}: cargo build --release makes it")
    ebrec, chosen = os.path.realpath(args.ebrec), args.sources.split()
    allowed = os.sched_getaffinity(0)
    number, cpus, a_round = (2, {min(allowed)}, paired) if args.pair else (1, allowed, alternating)
    for name in args.workloads.split():
        with contextlib.ExitStack() as stack:
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            folder.chmod(0o755)
            places = [Side(side, folder, cpus) for side in range(number)]
            for place in places:
                stack.callback(place.leave)
            sides = [(place, stack.enter_context(WORKLOADS[name](place))) for place in places]
            rounds = {sources: [] for sources in chosen}
            for turn in range(args.rounds):
                for sources in chosen if turn % 2 == 0 else reversed(chosen):
                    rounds[sources].append(a_round(ebrec, sources, sides, args.seconds, turn))
            for sources, found in rounds.items():
                result = {"workload": name, "sources": sources}
                columns = {what: list(values) for what, values in zip(["work", "cpu", "recorder"], zip(*found))}
                if args.pair:
                    columns["slowdown"] = [work * (1 + recorder) for work, _, recorder in found]
                for what, values in columns.items():
                    result[what] = round(statistics.median(values), 4)
                    result[what + "_range"] = [round(min(values), 3), round(max(values), 3)]
                print(json.dumps(result), flush=True)


main()
