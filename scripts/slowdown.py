#!/usr/bin/env python3
"""How much slower programs run while they are recorded, as root: scripts/slowdown.py [OPTION]...

Runs nginx under wrk, redis under redis-benchmark, pgbench and a compiler, each without a recording and
with each preset in turn, several rounds, and prints medians of the ratios of each round: 1.02 means
that recording costs 2 %. Before each there is the same pause, since a server may do something of its own
in it. `none` among the sources records nothing: how far it is from 1 is how far to trust the others.
`slowdown` is of the work done in a second, `cpu` of the CPU time for a piece
of work, which other load on the machine disturbs less. Servers and clients share the machine with the
recorder; all are in a control group of their own, and that group is what is recorded. Everything stays
on loopback.

Needs an optimized ebrec and Debian's nginx-light, wrk, redis-server, redis-tools, postgresql, gcc.
"""

import argparse
import contextlib
import json
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

PORTS = {"nginx": 18080, "redis": 18379, "pgbench": 18432}
# The time a recorder has to start.
PAUSE_S = 1.5
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}


def cgroup():
    """A control group for what is recorded, in the unified hierarchy."""
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, *_ = line.split()
        if kind == "cgroup2":
            group = pathlib.Path(folder) / "ebrec-slowdown"
            group.mkdir(exist_ok=True)
            return group
    sys.exit("slowdown.py: the unified hierarchy of control groups is not mounted")


class Bench:
    """Where programs run: a control group and a folder of their own."""

    def __init__(self, folder, group, seconds):
        self.folder, self.group, self.seconds = folder, group, seconds

    def cpu_s(self):
        """CPU time that the control group has used."""
        return int(re.search(r"usage_usec (\d+)", (self.group / "cpu.stat").read_text())[1]) / 1e6

    def _join(self):
        (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def start(self, *command, **options):
        return subprocess.Popen(command, preexec_fn=self._join, **(QUIET | options))

    def output(self, *command, **options):
        run = subprocess.run(
            command, preexec_fn=self._join, capture_output=True, text=True, check=True, **options
        )
        return run.stdout


@contextlib.contextmanager
def server(process):
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
def nginx(bench):
    """Requests of a small page."""
    root = bench.folder / "nginx"
    root.mkdir()
    root.chmod(0o755)
    bench.folder.chmod(0o755)
    (root / "index.html").write_text("x" * 600)
    config = root / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error;\n"
        "events { worker_connections 256; }\n"
        f"http {{ access_log {root}/access; server {{ listen 127.0.0.1:{PORTS['nginx']}; root {root}; }} }}\n"
    )
    with server(bench.start("nginx", "-c", str(config))):
        url = f"http://127.0.0.1:{PORTS['nginx']}/"

        def measure():
            text = bench.output("wrk", "-t1", "-c16", f"-d{bench.seconds}s", url)
            return int(re.search(r"(\d+) requests in", text)[1]), bench.seconds

        yield measure


@contextlib.contextmanager
def redis(bench):
    """SET and GET."""
    port = str(PORTS["redis"])
    with server(bench.start("redis-server", "--port", port, "--save", "", "--bind", "127.0.0.1")):

        def measure():
            count = 30000 * bench.seconds
            text = bench.output(
                "redis-benchmark", "-p", port, "-n", str(count), "-c", "16", "-t", "set,get", "--csv"
            )
            rates = re.findall(r'"(?:SET|GET)","([\d.]+)"', text)
            return len(rates) * count, sum(count / float(rate) for rate in rates)

        yield measure


@contextlib.contextmanager
def pgbench(bench):
    """Transactions, TPC-B-like."""
    binaries = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    data = bench.folder / "postgres"
    data.mkdir()
    shutil.chown(data, "postgres")
    bench.folder.chmod(0o755)
    port = str(PORTS["pgbench"])
    # It refuses to run as root.
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    subprocess.run([*as_user, binaries / "initdb", "-A", "trust", data], check=True, cwd=data, **QUIET)
    # What the server does on its own now and then would be in some measurements and not in others.
    settings = ["listen_addresses=127.0.0.1", "autovacuum=off", "checkpoint_timeout=1h", "max_wal_size=4GB"]
    options = ["-D", data, "-p", port, "-k", data, *(word for setting in settings for word in ("-c", setting))]
    with server(bench.start(*map(str, [*as_user, binaries / "postgres", *options]), cwd=data)):
        client = [str(binaries / "pgbench"), "-h", "127.0.0.1", "-p", port, "-U", "postgres", "postgres"]
        bench.output(*client, "-i", "-s", "5", "-q")

        def measure():
            text = bench.output(*client, "-c4", "-j1", "-n", f"-T{bench.seconds}")
            return int(re.search(r"actually processed: (\d+)", text)[1]), bench.seconds

        yield measure


@contextlib.contextmanager
def gcc(bench):
    """Compilations of a program of some thousand lines."""
    source = bench.folder / "many.c"
    parts = [f"#include <stdio.h>\nint f{i}(int a) {{ return printf(\"%d\", a * {i}); }}" for i in range(1500)]
    source.write_text("\n".join(parts))

    def measure():
        began, count = time.monotonic(), 0
        while time.monotonic() - began < bench.seconds:
            bench.output("gcc", "-O1", "-c", str(source), "-o", str(bench.folder / "many.o"))
            count += 1
        return count, time.monotonic() - began

    yield measure


WORKLOADS = {"nginx": nginx, "redis": redis, "pgbench": pgbench, "gcc": gcc}


@contextlib.contextmanager
def recording(ebrec, sources, group, folder):
    """Records the control group."""
    if sources == "none":
        time.sleep(PAUSE_S)
        yield
        return
    trace = folder / "trace"
    command = [ebrec, "record", "-q", "--force", "-s", sources, "--cgroup", str(group), "-o", str(trace)]
    recorder = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(PAUSE_S)
    if recorder.poll() is not None:
        sys.exit(f"slowdown.py: {recorder.stderr.read()}")
    try:
        yield
    finally:
        recorder.send_signal(signal.SIGINT)
        _, notes = recorder.communicate(timeout=120)
    verdict = subprocess.run([ebrec, "-t", str(trace), "verify"], capture_output=True, text=True)
    said = verdict.stdout.strip().splitlines()
    print(f"    {sources}: {said[-1] if said else verdict.stderr.strip()} {notes.strip()}", file=sys.stderr)


def measured(bench, measure):
    """Seconds, and seconds of CPU time, for a piece of work."""
    before = bench.cpu_s()
    work, seconds = measure()
    return seconds / work, (bench.cpu_s() - before) / work


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ebrec", default="target/release/ebrec", help="the program (target/release/ebrec)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--sources", default="light default", help="what is recorded in turn, by spaces")
    parser.add_argument("--workloads", default=" ".join(WORKLOADS))
    args = parser.parse_args()
    ebrec, group = os.path.realpath(args.ebrec), cgroup()
    chosen = args.sources.split()
    try:
        for name in args.workloads.split():
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                bench = Bench(pathlib.Path(folder), group, args.seconds)
                with WORKLOADS[name](bench) as measure:
                    measure()
                    ratios = {sources: [] for sources in chosen}
                    for turn in range(args.rounds):
                        # Without before and after, so that a drift of the machine cancels out.
                        with recording(ebrec, "none", group, bench.folder):
                            before = measured(bench, measure)
                        for sources in chosen if turn % 2 == 0 else reversed(chosen):
                            with recording(ebrec, sources, group, bench.folder):
                                during = measured(bench, measure)
                            with recording(ebrec, "none", group, bench.folder):
                                after = measured(bench, measure)
                            ratios[sources].append(
                                [2 * new / (old + older) for new, old, older in zip(during, before, after)]
                            )
                            before = after
                for sources, found in ratios.items():
                    result = {"workload": name, "sources": sources}
                    for what, values in zip(["slowdown", "cpu"], zip(*found)):
                        result[what] = round(statistics.median(values), 3)
                        result[what + "_range"] = [round(min(values), 3), round(max(values), 3)]
                    print(json.dumps(result), flush=True)
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()


main()
