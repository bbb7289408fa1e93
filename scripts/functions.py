#!/usr/bin/env python3
"""How long ebrec's own functions and computed tables take beside what the engine has: scripts/functions.py [OPTION]...

Makes traces with `ebrec synth`, asks each question with `ebrec query` in ebrec's way and in that of the engine alone
(DataFusion's functions, window functions, joins), in turns, and prints a table: medians of the time of the whole
process, its peak of resident memory, the ratio of the times (below 1, ebrec's own is faster), and how far the answers
are apart. An answer that is further from the exact one than what is promised ends the script with exit code 1.

Needs an optimized ebrec.
"""

import argparse
import csv
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

SECOND = 1_000_000_000
# Where made-up traces begin: 2026-11-24 09:00:00 UTC.
BEGIN = 1_795_510_800 * SECOND


def quantiles(function):
    return "SELECT syscall, {}, {} FROM syscalls GROUP BY syscall ORDER BY syscall".format(function(0.5), function(0.99))


# The value of that rank of all values.
SORTED = """
WITH lists AS (
    SELECT syscall, array_agg(duration_ns ORDER BY duration_ns) AS list FROM syscalls WHERE duration_ns IS NOT NULL GROUP BY syscall
)
SELECT
    syscall,
    list[greatest(CAST(ceil(0.5 * cardinality(list)) AS BIGINT), 1)] AS p50,
    list[greatest(CAST(ceil(0.99 * cardinality(list)) AS BIGINT), 1)] AS p99
FROM lists ORDER BY syscall
"""


def windowed(name, order):
    """What came last, in that order, of the rows that have it."""
    return f"last_value({name}) IGNORE NULLS OVER (PARTITION BY {order} ROWS UNBOUNDED PRECEDING)"


# Lives with window functions: each call with the next one at its address, and with the end of its process.
LIVES = f"""
WITH calls AS (
    SELECT
        coalesce(upid, pid) AS upid, ts, operation, address, size_bytes, CAST(NULL AS TIMESTAMP) AS end_at, CAST(NULL AS BOOLEAN) AS is_exec
    FROM allocations WHERE address IS NOT NULL AND operation NOT IN ('mmap', 'munmap', 'mremap', 'brk')
    UNION ALL
    SELECT upid, ts, NULL, NULL, NULL, ts AS end_at, event = 'exec' FROM process_events WHERE event IN ('exec', 'exit')
),
ended AS (
    SELECT *, {windowed("end_at", "upid ORDER BY ts DESC")} AS process_end, {windowed("is_exec", "upid ORDER BY ts DESC")} AS by_exec
    FROM calls
),
neighbours AS (
    SELECT
        *,
        lead(ts) OVER here AS next_ts, lead(operation) OVER here AS next_operation, lead(size_bytes) OVER here AS next_bytes,
        lag(size_bytes) OVER here AS before_bytes
    FROM ended WHERE operation IS NOT NULL
    WINDOW here AS (PARTITION BY upid, process_end, address ORDER BY ts)
),
lives AS (
    SELECT
        size_bytes, ts,
        CASE
            WHEN size_bytes IS NULL THEN 'unmatched'
            WHEN next_ts IS NOT NULL AND next_bytes IS NOT NULL AND next_operation NOT IN ('realloc', 'reallocarray') THEN 'reused'
            WHEN next_ts IS NOT NULL THEN next_operation
            WHEN process_end IS NULL THEN 'none'
            WHEN by_exec THEN 'exec'
            ELSE 'exit'
        END AS ended_by,
        coalesce(next_ts, process_end) AS end_ts
    FROM neighbours
    WHERE size_bytes IS NOT NULL OR before_bytes IS NULL
)
"""
LIVES_ANSWER = (
    "SELECT ended_by, count(*) AS allocations, sum(size_bytes) AS bytes, "
    "sum(CASE WHEN ended_by NOT IN ('reused', 'unmatched') THEN CAST(end_ts AS BIGINT) - CAST(ts AS BIGINT) END) / 1000000 AS life_ms "
    "FROM {} GROUP BY ended_by ORDER BY ended_by"
)

# Waits with window functions: of each thread the call that began last, if it had not returned.
WAITS = f"""
WITH steps AS (
    SELECT tid, ts, 0 AS is_wait, syscall, coalesce(CAST(ts AS BIGINT) + duration_ns, 9223372036854775807) AS end_ns, CAST(NULL AS BIGINT) AS wait_ns
    FROM syscalls
    UNION ALL
    SELECT tid, ts, 1, NULL, NULL, duration_ns FROM offcpu
),
together AS (
    SELECT
        ts, is_wait, wait_ns,
        {windowed("syscall", "tid ORDER BY ts, is_wait")} AS last_syscall,
        {windowed("end_ns", "tid ORDER BY ts, is_wait")} AS last_end_ns
    FROM steps
)
SELECT CASE WHEN last_end_ns >= CAST(ts AS BIGINT) THEN last_syscall END AS syscall, count(*) AS waits, sum(wait_ns) AS ns
FROM together WHERE is_wait = 1 GROUP BY 1 ORDER BY 1
"""

STACKS = "SELECT {}, count(*) AS samples FROM cpu_samples c JOIN stacks s ON c.host = s.host AND c.stack_id = s.stack_id WHERE {} GROUP BY 1 ORDER BY 1"

# Name, scenario, ebrec's own, the ways of the engine, of which the first is exact, and how far ebrec's may be from it.
QUESTIONS = [
    (
        "quantile", "storm", quantiles(lambda rank: f"quantile(duration_ns, {rank})"),
        {
            "sorted list": SORTED,
            "percentile_cont": quantiles(lambda rank: f"percentile_cont({rank}) WITHIN GROUP (ORDER BY duration_ns)"),
            "approx_percentile_cont": quantiles(lambda rank: f"approx_percentile_cont({rank}) WITHIN GROUP (ORDER BY duration_ns)"),
        },
        0.008,
    ),
    (
        "time_bucket", "storm", "SELECT time_bucket(ts, 100000000) AS at, count(*) AS calls FROM syscalls GROUP BY 1 ORDER BY 1",
        {"date_bin": "SELECT date_bin(INTERVAL '100 milliseconds', ts) AS at, count(*) AS calls FROM syscalls GROUP BY 1 ORDER BY 1"},
        0,
    ),
    (
        "log2_bucket", "storm", "SELECT log2_bucket(duration_ns) AS least, count(*) AS calls FROM syscalls GROUP BY 1 ORDER BY 1",
        {
            "power, floor, log2": "SELECT CASE WHEN duration_ns < 1 THEN 0 ELSE CAST(power(2.0, floor(log2(duration_ns))) AS BIGINT) END AS least, "
            "count(*) AS calls FROM syscalls GROUP BY 1 ORDER BY 1"
        },
        0,
    ),
    (
        "overlap_ns", "locks",
        "SELECT comm, sum(overlap_ns(ts, duration_ns, TIMESTAMP '2026-11-24T09:00:10Z', 5000000000)) AS ns FROM sched_slices GROUP BY comm ORDER BY comm",
        {
            "least, greatest": f"SELECT comm, sum(greatest(0, least(CAST(ts AS BIGINT) + duration_ns, {BEGIN + 15 * SECOND}) "
            f"- greatest(CAST(ts AS BIGINT), {BEGIN + 10 * SECOND}))) AS ns FROM sched_slices GROUP BY comm ORDER BY comm"
        },
        0,
    ),
    (
        "stack_leaf", "hot", STACKS.format("stack_leaf(s.folded)", "true"),
        {"split_part": STACKS.format("split_part(s.folded, ';', -1)", "true")}, 0,
    ),
    (
        "stack_cut", "hot", STACKS.format("stack_cut(s.folded, 'handle')", "true"),
        {"regexp_match": STACKS.format("regexp_match(s.folded, '(?:^|;)(handle(?:;.*|$))')[1]", "true")}, 0,
    ),
    (
        "stack_contains", "hot", STACKS.format("s.depth", "stack_contains(s.frames, 'render_%')"),
        {"LIKE": STACKS.format("s.depth", "s.folded LIKE 'render\\_%' OR s.folded LIKE '%;render\\_%'")}, 0,
    ),
    (
        "allocation_lives", "leaks", LIVES_ANSWER.format("allocation_lives"),
        {"window functions": LIVES + LIVES_ANSWER.format("lives")}, 0,
    ),
    (
        "waits", "locks", "SELECT syscall, count(*) AS waits, sum(duration_ns) AS ns FROM waits_computed GROUP BY syscall ORDER BY syscall",
        {"window functions": WAITS}, 0,
    ),
]


class Bench:
    """Where programs run."""

    def __init__(self, ebrec, folder, memory, timeout):
        self.ebrec, self.folder, self.memory, self.timeout = ebrec, folder, memory, timeout

    def run(self, *args):
        """Seconds, peak in MiB and what was written, of a run that succeeds; else what it said."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            begun = time.monotonic()
            process = subprocess.Popen([self.ebrec, *args], stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self.folder)
            timer = threading.Timer(self.timeout, process.kill)
            timer.start()
            _, status, usage = os.wait4(process.pid, 0)
            timer.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.monotonic() - begun
            if seconds > self.timeout:
                return None, None, f"more than {self.timeout} s"
            out.seek(0)
            err.seek(0)
            if process.returncode != 0:
                return None, None, err.read().strip()
            return seconds, usage.ru_maxrss / 1024, out.read()

    def trace(self, scenario, events, seed):
        if not (self.folder / scenario).exists():
            seconds, _, said = self.run("synth", "--scenario", scenario, "--events", str(events), "--seed", str(seed), "-o", scenario)
            if seconds is None:
                sys.exit(f"functions.py: {said}")

    def query(self, scenario, sql):
        return self.run("query", "-t", scenario, "--memory", str(self.memory), "--format", "csv", sql)


def apart(one, other):
    """By which share numbers of two answers differ at most; infinite when anything else does."""
    rows, others = (list(csv.reader(text.splitlines()))[1:] for text in (one, other))
    if [row[0] for row in rows] != [row[0] for row in others]:
        return float("inf")
    most = 0.0
    for value, exact in zip((value for row in rows for value in row[1:]), (value for row in others for value in row[1:])):
        if value != exact:
            value, exact = float(value or "nan"), float(exact or "nan")
            most = max(most, abs(value - exact) / max(abs(exact), 1)) if value == value and exact == exact else float("inf")
    return most


def measured(bench, question, rounds):
    """The lines of a question in the table, and whether ebrec's answer is what it promises."""
    name, scenario, own, others, tolerance = question
    ways = {name: own, **others}
    seconds, peaks, answers, errors = {}, {}, {}, {}
    for turn in range(rounds):
        for way in list(ways) if turn % 2 == 0 else reversed(ways):
            if way in errors:
                continue
            took, peak, text = bench.query(scenario, ways[way])
            if took is None:
                errors[way] = text
                continue
            seconds.setdefault(way, []).append(took)
            peaks[way] = max(peak, peaks.get(way, 0))
            answers[way] = text
    if name in errors:
        sys.exit(f"functions.py: {name}: {errors[name]}")
    exact = next(iter(others))
    lines, is_kept = [], exact not in answers or apart(answers[name], answers[exact]) <= tolerance
    median = statistics.median(seconds[name])
    for way in others:
        print(f"{name}, {way}: {seconds.get(way) or errors[way]}", file=sys.stderr, flush=True)
        if way in errors:
            cells = [errors[way].splitlines()[0][:60].replace("|", "/"), "", "", ""]
        else:
            other = statistics.median(seconds[way])
            difference = apart(answers[name], answers[way])
            if way == exact:
                said = "same" if difference == 0 else f"within {difference:.2%} of it"
            else:
                off = apart(answers[way], answers[exact]) if exact in answers else float("nan")
                said = f"it is up to {off:.2%} off"
            cells = [f"{other:.3f} s", f"{median / other:.2f}", f"{peaks[way]:.0f} MiB", said]
        lines.append("| " + " | ".join([f"`{name}`", f"{median:.3f} s", f"{peaks[name]:.0f} MiB", way, *cells]) + " |")
    return lines, is_kept


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ebrec", default="target/release/ebrec", help="the program (target/release/ebrec)")
    parser.add_argument("--events", type=int, default=5_000_000, help="of each trace (5,000,000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these functions and tables")
    parser.add_argument("--memory", type=int, default=4096, help="MiB that the engine may use before it takes temporary files (4096)")
    parser.add_argument("--timeout", type=float, default=120, help="seconds after which a way is given up (120)")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the traces, which are made where they are missing")
    args = parser.parse_args()
    chosen = [question for question in QUESTIONS if not args.only or question[0] in args.only]
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(os.path.realpath(args.ebrec), folder, args.memory, args.timeout)
        print(f"{args.events:,} events, {os.cpu_count()} CPUs, medians of {args.rounds} rounds.\n")
        print("| ebrec's own | time | peak | the engine's | time | ratio | peak | answers |")
        print("|---|---|---|---|---|---|---|---|")
        wrong = []
        for question in chosen:
            bench.trace(question[1], args.events, args.seed)
            lines, is_kept = measured(bench, question, args.rounds)
            print("\n".join(lines), flush=True)
            wrong += [] if is_kept else [question[0]]
    if wrong:
        sys.exit(f"functions.py: these answers are not what is promised: {', '.join(wrong)}")


main()
