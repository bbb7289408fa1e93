#!/usr/bin/env python3
"""How long reports take beside DuckDB on the same files: scripts/duckdb.py --trace FOLDER [OPTION]...

Answers each report with `ebrec report NAME --format csv` and with DuckDB, which gets the same SQL over the
same Parquet files, in turns, and prints a table: medians of the time, the peak of resident memory, the median of
the ratios of two times that follow each other (below 1, ebrec is faster), and whether the answers are the same. Both times are from the loading
of the program to the end of its process; DuckDB is loaded by a Python that has started before. With several traces each report reads the one that has most rows
of what it needs: `ebrec synth` makes one of each scenario.

DuckDB gets what suits it: moments as whole numbers, views of what is read alone, its own quantiles. Those
that keep all values and are exact count; where a report has quantiles, a second ratio is with its
approximate ones. What ebrec computes in a pass of its own (lives of allocations, waits with their system
call, reads and writes with their file) is written for DuckDB with joins by time and window functions. Texts of system calls are left out.

Needs an optimized ebrec, and the Python package duckdb.
"""

import argparse
import calendar
import csv
import json
import multiprocessing
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

ROOT = pathlib.Path(__file__).resolve().parent.parent
JOBS = ["traffic", "syscalls", "memory", "audit", "performance"]

# What runs in a process of its own: statements, of which the last is timed with those before it. The clock is that of
# the machine, and what is loaded is DuckDB's library alone, so that the time is from there to the end of the process.
WORKER = """
import json, os, sys, time
statements = json.load(sys.stdin)
begun = time.monotonic()
import _duckdb
connection = _duckdb.connect()
for statement in statements:
    rows = connection.execute(statement).fetchall()
connection.close()
print(json.dumps({"begun": begun, "rows": rows, "version": _duckdb.__version__}), flush=True)
os._exit(0)
"""

SQL_TYPES = {
    "timestamp": "BIGINT", "int32": "INTEGER", "int64": "BIGINT", "float64": "DOUBLE", "text": "VARCHAR",
    "bool": "BOOLEAN", "binary": "BLOB",
    "list of struct": 'STRUCT("function" VARCHAR, module VARCHAR, build_id VARCHAR, "offset" BIGINT, file VARCHAR, '
    "line INTEGER, inlined BOOLEAN)[]",
}

SETTINGS = [
    # As in DataFusion: 7 / 2 is 3, and NULL counts as the largest.
    "SET integer_division = true",
    "SET default_null_order = 'nulls_last_on_asc_first_on_desc'",
    # Where it takes what a filter leaves for few rows, it joins by time in nested loops, which can take hours.
    "SET asof_loop_join_threshold = 0",
]

# Functions of ebrec and of DataFusion that DuckDB lacks, or has with another meaning (those begin with ebrec_).
MACROS = {
    "ebrec_time_bucket": "(ts, width) AS ts - ts % width",
    "ebrec_hex": "(n) AS '0x' || lower(to_hex(n))",
    "log2_bucket": "(n) AS CASE WHEN n < 1 THEN 0 ELSE CAST(1 AS BIGINT) << CAST(floor(log2(n)) AS INTEGER) END",
    "cardinality": "(list) AS len(list)",
    "regexp_like": "(text, pattern) AS regexp_matches(text, pattern)",
    "stack_leaf": "(folded) AS split_part(folded, ';', -1)",
    "stack_cut": "(folded, pattern) AS CASE WHEN list_bool_or(list_transform(string_split(folded, ';'), lambda f: f LIKE pattern))"
    " THEN array_to_string(list_slice(string_split(folded, ';'),"
    " list_position(list_transform(string_split(folded, ';'), lambda f: f LIKE pattern), true), 100000), ';') END",
    # To one unit: no report shows it with its default parameters.
    "human_duration": "(ns) AS CAST(ns AS VARCHAR) || ' ns'",
    # The text of a call is rendered by tables of names that DuckDB does not have.
    "syscall_text": "(a, b, c, d, e, f, g, h, i, j, k, l) AS CAST(NULL AS VARCHAR)",
}

# Where the dialects differ; applied to what is not in quotes.
REWRITES = [
    # 100.0 is a DOUBLE in DataFusion and a DECIMAL in DuckDB.
    (r"(?<![\w.])(\d+\.\d+)(?![\w.])", r"\1e0"),
    # A number with 38 digits, which DuckDB multiplies as HUGEINT.
    (r"AS DECIMAL\(19, 0\)", "AS HUGEINT"),
    # The rows come in the order of the files.
    (r"\blast_known\((\w+)\)", r"last(\1) FILTER (WHERE \1 IS NOT NULL)"),
    # With ORDER BY inside they are aggregates.
    (r"\bfirst_value\(", "first("),
    (r"\blast_value\(", "last("),
    (r"\bLEFT ANTI JOIN\b", "ANTI JOIN"),
    (r"\bmake_array\(", "list_value("),
    (r"\bapprox_distinct\(", "approx_count_distinct("),
    (r"(?<!\w)(time_bucket|hex)\(", r"ebrec_\1("),
]

MAPPINGS = "'mmap', 'munmap', 'mremap', 'brk'"

# What ebrec computes in one pass, in SQL. The life of an allocation ends with the next call at its address, or with
# the next exec or exit of its process, whichever is first: so calls are told apart by that end as well.
LIVES = f"""
WITH ends AS (
    SELECT upid, ts, event = 'exec' AS is_exec FROM process_events WHERE event IN ('exec', 'exit') AND upid IS NOT NULL
),
lost AS (
    SELECT max(ts + duration_ns) AS until FROM loss WHERE kind IN ('allocation', 'deallocation')
),
calls AS (
    SELECT a.* REPLACE (coalesce(upid, pid) AS upid, greatest(one_in, 1) AS one_in)
    FROM allocations a
    WHERE address IS NOT NULL AND operation NOT IN ({MAPPINGS})
),
ended AS (
    SELECT
        c.*, e.ts AS process_end, e.is_exec,
        -- How many its thread has made, with this one.
        sum(CASE WHEN size_bytes IS NOT NULL THEN one_in ELSE 0 END)
            OVER (PARTITION BY c.host, c.tid ORDER BY c.ts ROWS UNBOUNDED PRECEDING) AS made
    FROM calls c ASOF LEFT JOIN ends e ON c.upid = e.upid AND c.ts <= e.ts
),
neighbours AS (
    SELECT
        *,
        lead(ts) OVER here AS next_ts, lead(tid) OVER here AS next_tid, lead(operation) OVER here AS next_operation,
        lead(size_bytes) OVER here AS next_bytes,
        lead(made - CASE WHEN size_bytes IS NOT NULL THEN one_in ELSE 0 END) OVER here AS next_made, lag(size_bytes * one_in) OVER here AS before_bytes
    FROM ended
    WINDOW here AS (PARTITION BY upid, process_end, address ORDER BY ts)
),
held AS (
    SELECT
        *,
        sum(coalesce(size_bytes * one_in, 0) - coalesce(before_bytes, 0))
            OVER (PARTITION BY upid, process_end ORDER BY ts ROWS UNBOUNDED PRECEDING) AS held_sum,
        next_bytes IS NOT NULL AND next_operation NOT IN ('realloc', 'reallocarray') AS is_reused,
        ts > coalesce((SELECT until FROM lost), -1) AS is_sure
    FROM neighbours
)
SELECT
    ts, host, cpu, pid, tid, upid, comm, cgroup_id, operation, address, size_bytes, one_in, stack_id,
    CASE
        WHEN size_bytes IS NULL THEN ts
        WHEN next_tid IS NULL THEN process_end
        WHEN NOT is_reused THEN next_ts
    END AS end_ts,
    CASE WHEN size_bytes IS NULL THEN tid WHEN NOT is_reused THEN next_tid END AS end_tid,
    CASE
        WHEN size_bytes IS NULL THEN 'unmatched'
        WHEN next_tid IS NOT NULL THEN CASE WHEN is_reused THEN 'reused' ELSE next_operation END
        WHEN process_end IS NULL THEN 'none'
        WHEN is_exec THEN 'exec'
        ELSE 'exit'
    END AS ended_by,
    CASE
        WHEN size_bytes IS NULL THEN 'unknown'
        WHEN next_tid IS NOT NULL OR is_exec THEN 'freed'
        WHEN NOT is_sure THEN 'unknown'
        WHEN process_end IS NULL THEN 'alive'
        ELSE 'leaked'
    END AS verdict,
    CASE WHEN size_bytes IS NOT NULL THEN CAST(held_sum AS BIGINT) END AS held_bytes,
    CASE WHEN size_bytes IS NOT NULL AND next_tid = tid AND NOT is_reused THEN CAST(next_made - made AS BIGINT) END
        AS allocations_between
FROM held
WHERE size_bytes IS NOT NULL OR before_bytes IS NULL
"""

# An interval belongs to the call that its thread made last, if that had not returned.
WAITS = """
WITH calls AS (
    SELECT tid, ts, ts + coalesce(duration_ns, 9223372036854775807 - ts) AS end_ts, syscall, arg0, arg1, arg2 FROM syscalls
)
SELECT
    o.*,
    CASE WHEN c.end_ts >= o.ts THEN c.syscall END AS syscall,
    CASE WHEN c.end_ts >= o.ts THEN c.ts END AS syscall_ts,
    CASE WHEN c.end_ts >= o.ts THEN c.arg0 END AS syscall_arg0,
    CASE WHEN c.end_ts >= o.ts THEN c.arg1 END AS syscall_arg1,
    CASE WHEN c.end_ts >= o.ts THEN c.arg2 END AS syscall_arg2
FROM offcpu o
ASOF LEFT JOIN calls c ON o.tid = c.tid AND o.ts >= c.ts
"""

# A descriptor is what was last opened under its number, or copied to it: copies are followed through three steps.
# `t` and `what` make one number, the greatest of which so far is the last.
LAST = "max(CAST(t AS HUGEINT) * 10000000000000000000 + what) OVER (PARTITION BY host, upid, fd ORDER BY t)"


def step(source):
    """Rows of `source`, and those that they are copied to, with what these then are."""
    known = "coalesce(CAST(last % 10000000000000000000 AS BIGINT), 0)"
    return f"""
    SELECT
        host,
        CASE WHEN copy THEN to_upid ELSE upid END AS upid,
        CASE WHEN copy THEN to_fd ELSE fd END AS fd,
        t,
        CASE WHEN copy THEN {known} ELSE what END AS what,
        CASE WHEN NOT copy THEN to_upid END AS to_upid,
        CASE WHEN NOT copy THEN to_fd END AS to_fd
    FROM (
        SELECT *, unnest(CASE WHEN to_fd IS NULL THEN [false] ELSE [false, true] END) AS copy
        FROM (SELECT *, {LAST} AS last FROM {source})
    )"""


# Where relative paths begin: of processes that never change it. It is the whole truth of the traces that are made.
HOMES = """
homes AS (
    SELECT p.host, p.upid, CASE WHEN p.cwd = '/' THEN '/' ELSE concat(p.cwd, '/') END AS home
    FROM processes p
    ANTI JOIN (SELECT DISTINCT host, upid FROM syscalls WHERE syscall IN ('chdir', 'fchdir', 'pivot_root', 'setns')) m
        ON p.host = m.host AND p.upid = m.upid
    WHERE p.cwd LIKE '/%'
)"""

TRANSFERS = f"""
WITH
{HOMES},
named AS (
    SELECT
        host,
        upid,
        CASE WHEN syscall = 'close' THEN arg0 & 4294967295 ELSE ret END AS fd,
        CASE WHEN syscall = 'close' THEN CAST(ts AS BIGINT) ELSE CAST(ts AS BIGINT) + duration_ns END AS t,
        CASE
            WHEN syscall IN ('socket', 'accept', 'accept4') THEN 1
            WHEN path IS NULL OR syscall = 'close' THEN 0
            ELSE (CAST(ts AS BIGINT) + duration_ns) % 9000000000000000 * 1000 + cpu % 1000
        END AS what,
        CAST(NULL AS BIGINT) AS to_upid,
        CAST(NULL AS BIGINT) AS to_fd
    FROM syscalls
    WHERE ret >= 0 AND (via <> 'io_uring' OR arg4 IS NULL) AND syscall IN (
        'open', 'openat', 'openat2', 'creat', 'open_by_handle_at', 'close', 'socket', 'accept', 'accept4',
        'memfd_create', 'memfd_secret', 'eventfd', 'eventfd2', 'epoll_create', 'epoll_create1', 'timerfd_create',
        'inotify_init', 'inotify_init1', 'fanotify_init', 'signalfd', 'signalfd4', 'pidfd_open', 'pidfd_getfd',
        'perf_event_open', 'userfaultfd', 'io_uring_setup'
    )
),
copied AS (
    SELECT
        host,
        upid,
        arg0 & 4294967295 AS fd,
        CAST(ts AS BIGINT) + duration_ns AS t,
        CAST(NULL AS BIGINT) AS what,
        upid AS to_upid,
        ret AS to_fd
    FROM syscalls
    WHERE ret >= 0 AND (
        syscall IN ('dup', 'dup2', 'dup3')
        OR (syscall IN ('fcntl', 'fcntl64') AND arg1 & 4294967295 IN (0, 1030))
    )
),
used AS (
    SELECT host, upid, arg0 & 4294967295 AS fd
    FROM syscalls
    WHERE syscall IN (
        'read', 'pread64', 'readv', 'preadv', 'preadv2', 'write', 'pwrite64', 'writev', 'pwritev', 'pwritev2',
        'fsync', 'fdatasync', 'sync_file_range', 'sendfile', 'copy_file_range', 'dup', 'dup2', 'dup3', 'fcntl'
    )
    GROUP BY host, upid, arg0 & 4294967295
),
forks AS (
    SELECT host, upid, child_upid, min(CAST(ts AS BIGINT)) AS t
    FROM process_events
    WHERE event = 'fork' AND child_upid IS NOT NULL
    GROUP BY host, upid, child_upid
),
inherited AS (
    SELECT DISTINCT
        u.host,
        CASE WHEN step = 1 THEN f.upid ELSE g.upid END AS upid,
        u.fd,
        CASE WHEN step = 1 THEN f.t ELSE g.t END AS t,
        CAST(NULL AS BIGINT) AS what,
        CASE WHEN step = 1 THEN f.child_upid ELSE f.upid END AS to_upid,
        u.fd AS to_fd
    FROM used u
    JOIN forks f ON u.host = f.host AND u.upid = f.child_upid
    LEFT JOIN forks g ON f.host = g.host AND f.upid = g.child_upid
    CROSS JOIN (VALUES (1), (2)) AS steps (step)
    WHERE step = 1 OR g.upid IS NOT NULL
),
step0 AS (SELECT * FROM named UNION ALL SELECT * FROM copied UNION ALL SELECT * FROM inherited),
step1 AS ({step("step0")}),
step2 AS ({step("step1")}),
step3 AS ({step("step2")}),
moved AS (
    SELECT
        *,
        CASE
            WHEN syscall IN ('read', 'pread64', 'readv', 'preadv', 'preadv2', 'copy_file_range') THEN 'read'
            WHEN syscall IN ('fsync', 'fdatasync', 'sync_file_range') THEN 'sync'
            ELSE 'write'
        END AS operation,
        arg0 & 4294967295 AS fd
    FROM syscalls
    WHERE ret >= 0 AND syscall IN (
        'read', 'pread64', 'readv', 'preadv', 'preadv2', 'write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'fsync',
        'fdatasync', 'sync_file_range', 'copy_file_range', 'sendfile', 'sendfile64'
    )
    UNION ALL
    SELECT
        * REPLACE (CAST(NULL AS BIGINT) AS duration_ns),
        CASE WHEN syscall = 'copy_file_range' THEN 'write' ELSE 'read' END,
        CASE WHEN syscall = 'copy_file_range' THEN arg2 ELSE arg1 END & 4294967295
    FROM syscalls
    WHERE ret >= 0 AND syscall IN ('copy_file_range', 'sendfile', 'sendfile64')
),
done AS (
    SELECT *, coalesce(CAST({LAST} % 10000000000000000000 AS BIGINT), 0) AS last
    FROM (
        SELECT host, upid, fd, t, what FROM step3 WHERE what IS NOT NULL
        UNION ALL BY NAME
        SELECT
            host, upid, fd, ts AS t, ts, cpu, pid, tid, comm, cgroup_id, syscall, duration_ns, operation,
            CASE WHEN operation <> 'sync' THEN ret END AS size_bytes
        FROM moved
    )
),
openings AS (
    SELECT
        host,
        (ts + duration_ns) % 9000000000000000 * 1000 + cpu % 1000 AS what,
        nullif(path, '') AS path,
        -- The lower half of the register is -100, AT_FDCWD: relative to the working directory.
        CASE
            WHEN path NOT LIKE '/%' AND (syscall IN ('open', 'creat') OR arg0 & 4294967295 = 4294967196) THEN upid
        END AS relative_to_upid
    FROM syscalls
    WHERE ret >= 0 AND path IS NOT NULL AND syscall IN ('open', 'openat', 'openat2', 'creat')
)
SELECT
    d.*,
    CASE WHEN d.last = 1 THEN '(socket)' WHEN h.home IS NULL THEN o.path ELSE concat(h.home, o.path) END AS path
FROM done d
LEFT JOIN openings o ON d.host = o.host AND d.last = o.what
LEFT JOIN homes h ON o.host = h.host AND o.relative_to_upid = h.upid
WHERE d.operation IS NOT NULL
"""

FILES = f"""
WITH
{HOMES}
SELECT
    s.* REPLACE (
        CASE
            WHEN h.home IS NULL OR path IS NULL OR path LIKE '/%' OR syscall IN ('symlink', 'symlinkat', 'mount') THEN path
            WHEN syscall LIKE '%at' AND arg0 & 4294967295 <> 4294967196 THEN path
            ELSE concat(h.home, path)
        END AS path,
        CASE
            WHEN h.home IS NULL OR path2 IS NULL OR path2 LIKE '/%' THEN path2
            WHEN syscall IN ('renameat', 'renameat2', 'linkat') AND arg2 & 4294967295 <> 4294967196 THEN path2
            ELSE concat(h.home, path2)
        END AS path2
    )
FROM syscalls s
LEFT JOIN homes h ON s.host = h.host AND s.upid = h.upid
WHERE path IS NOT NULL
"""

# What is computed in one pass, by its name.
PASSES = {
    "allocation_lives_computed": LIVES,
    "waits_computed": WAITS,
    "transfers_computed": TRANSFERS,
    "files_computed": FILES,
}

# Which half of a register an argument is made of.
WHOLE = set("Path Path2 Address AddressLenPtr Msghdr Pointer Buffer Size Long Hex Offset FcntlArgument".split())
SIGNED = set("Fd Dirfd Int Pid".split())


def signatures():
    """Arguments of system calls, as the source lists them: by name, the register and kind of each call."""
    text = (ROOT / "schema/src/syscalls/signatures.rs").read_text()
    arguments = {}
    for call, args in re.findall(r"^    (\w+)\(((?:\w+: \w+(?:,\s*)?)*)\);", text, re.MULTILINE):
        for register, (name, kind) in enumerate(re.findall(r"(\w+): (\w+)", args)):
            arguments.setdefault(name, []).append((call, register, kind))
    return arguments


def syscall_arg(match):
    """The value of an argument, where a call has it: a CASE over the calls that do."""
    call, name, registers = match[1], match[2], match[3].split(", ")
    same = {}
    for syscall, register, kind in signatures().get(name, []):
        low = f"({registers[register]} & 4294967295)"
        if kind in WHOLE:
            value = f"CAST({registers[register]} AS BIGINT)"
        elif kind in SIGNED:
            value = f"CASE WHEN {low} >= 2147483648 THEN {low} - 4294967296 ELSE {low} END"
        elif kind in ("Uid", "Gid"):
            value = f"CASE WHEN {low} = 4294967295 THEN -1 ELSE {low} END"
        else:
            value = low
        same.setdefault(value, []).append(f"'{syscall}'")
    cases = [f"WHEN {call} IN ({', '.join(calls)}) THEN {value}" for value, calls in same.items()]
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS BIGINT)"


def struct(match):
    """`named_struct('a', x, ...)` as DuckDB writes it."""
    words = match[1].split(", ")
    return "{" + ", ".join(f"{key}: {value}" for key, value in zip(words[::2], words[1::2])) + "}"


def translate(sql, quantile):
    """SQL of ebrec in the dialect of DuckDB."""
    sql = re.sub(r"^\s*--.*$", "", sql, flags=re.MULTILINE)
    sql = re.sub(r"\bsyscall_arg\(([\w.]+), '(\w+)', ([^()]*)\)", syscall_arg, sql)
    sql = re.sub(r"\bnamed_struct\(([^()]*)\)", struct, sql)
    parts = re.split(r"('(?:[^']|'')*')", sql)
    for pattern, replacement in [*REWRITES, (r"(?<!\w)quantile\(", f"{quantile}(")]:
        parts[::2] = [re.sub(pattern, replacement, part) for part in parts[::2]]
    # The share is a FLOAT there.
    return re.sub(r"(approx_quantile\([^()]*, )([\d.e]+)\)", r"\1CAST(\2 AS FLOAT))", "".join(parts))


class Report:
    """The SQL of a report, with the default values of its parameters, and what its header says."""

    def __init__(self, path):
        self.name, sql = path.stem, path.read_text()
        self.sql = re.sub(r"^--.*\n", "", sql, flags=re.MULTILINE)
        self.needs = [name for line in re.findall(r"^-- @needs (.*)$", sql, re.MULTILINE) for name in re.split(r"[, ]+", line)]
        self.means = re.findall(r"^-- @column (\w+) +\[mean\]", sql, re.MULTILINE)
        self.has_quantiles = bool(re.search(r"\bquantile\(", self.sql))
        values = {
            name: literal(kind, default) for name, kind, default in re.findall(r"^-- @param (\w+) (\S+) (\S+)", sql, re.MULTILINE)
        }
        self.sql = re.sub(r"\$(\w+)", lambda match: values[match[1]], self.sql)


def literal(kind, text):
    """The value of a parameter as a literal."""
    types = {"integer": "BIGINT", "duration": "BIGINT", "bytes": "BIGINT", "number": "DOUBLE", "bool": "BOOLEAN"}
    if text == "-":
        return f"CAST(NULL AS {types.get(kind, 'VARCHAR')})"
    if kind == "duration":
        number, unit = re.fullmatch(r"(\d+)(\w*)", text).groups()
        return str(int(number) * {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}[unit])
    if kind == "bytes":
        return re.match(r"\d+", text)[0]
    return text if kind in types else f"'{text}'"


class Library:
    """The tables and views that a report may read, as DuckDB gets them."""

    def __init__(self, queries):
        self.views = {path.stem: path.read_text() for path in (queries / "views").glob("*.sql")}
        self.columns = {}
        for part in (ROOT / "docs/tables.md").read_text().split("\n## ")[1:]:
            columns = re.findall(r"^\| `(\w+)` \| ([\w ]+) \| ", part, re.MULTILINE)
            self.columns[part.split("\n")[0]] = [(name, kind) for name, kind in columns if kind in SQL_TYPES]

    def table(self, name, trace):
        """A table over its files, or one without rows."""
        # A view that has the name of a table takes its place.
        view = f"{name}_segments" if name in self.views else name
        files = sorted((trace / name).glob("*.parquet"))
        if not files:
            columns = ", ".join(f'"{column}" {SQL_TYPES[kind]}' for column, kind in self.columns[name])
            return f"CREATE TABLE {view} ({columns})"
        moments = ", ".join(f"epoch_ns({column}) AS {column}" for column, kind in self.columns[name] if kind == "timestamp")
        replace = f"REPLACE ({moments})" if moments else ""
        listed = ", ".join(f"'{file}'" for file in files)
        return f"CREATE VIEW {view} AS SELECT * {replace} FROM read_parquet([{listed}])"

    def statements(self, sql, trace, quantile):
        """What makes the tables and views that SQL reads, each once, those that others read first; and the names of
        the tables."""
        made, tables = {}, []

        def add(sql):
            own = set(re.findall(r"\b(\w+) AS \(", sql))
            for name in re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", sql):
                if name in own or name in made:
                    continue
                if name in PASSES:
                    text = PASSES[name]
                    add(text)
                    made[name] = f"CREATE VIEW {name} AS {text}"
                elif name in self.views:
                    text = translate(self.views[name], quantile)
                    add(text)
                    made[name] = f"CREATE VIEW {name} AS {text}"
                elif (table := name.removesuffix("_segments")) in self.columns:
                    tables.append(table)
                    made[name] = self.table(table, trace)

        add(sql)
        macros = [f"CREATE MACRO {name}{body}" for name, body in MACROS.items()]
        return SETTINGS + macros + list(made.values()), tables


class Bench:
    """Runs programs, and measures time and memory."""

    def __init__(self, args, folder):
        self.ebrec, self.queries, self.folder = os.path.realpath(args.ebrec), args.queries, folder
        self.timeout, self.threads = args.timeout, args.threads
        self.cpus = sorted(os.sched_getaffinity(0))[: args.threads]

    def run(self, command, text=None):
        """When it began and ended, peak of resident memory in MiB, what it printed, and what went wrong."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            given.write((text or "").encode())
            given.seek(0)
            begun = time.monotonic()
            process = subprocess.Popen(
                command, stdin=given, stdout=out, stderr=errors, preexec_fn=lambda: os.sched_setaffinity(0, self.cpus)
            )
            signal.signal(signal.SIGALRM, lambda *_: process.kill())
            signal.setitimer(signal.ITIMER_REAL, self.timeout)
            _, status, usage = os.wait4(process.pid, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            span = begun, time.monotonic()
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            errors.seek(0)
            if process.returncode == -signal.SIGKILL:
                return span, None, "", f"over {self.timeout} s"
            failed = errors.read().decode(errors="replace").strip() if process.returncode else ""
            told = [line for line in failed.splitlines() if "rror: " in line] or failed.splitlines()[-1:] or [""]
            return span, usage.ru_maxrss / 1024, out.read().decode(), told[0]

    def duckdb(self, statements):
        """The last rows of DuckDB."""
        # -P: this file has the name of the module.
        settings = [f"SET threads = {self.threads}"]
        text = json.dumps(settings + statements)
        (_, ended), peak, said, error = self.run([sys.executable, "-P", "-c", WORKER], text)
        if error:
            return None, peak, None, error
        # A query that takes long shows its progress before.
        said = json.loads(said.splitlines()[-1])
        return ended - said["begun"], peak, said["rows"], ""

    def answer(self, sql, library, report, trace, quantile):
        """Lets DuckDB answer into a file."""
        file = self.folder / f"{report.name}.{quantile}.csv"
        statements, _ = library.statements(report.sql, trace, quantile)
        copy = f"COPY ({translate(report.sql, quantile)}) TO '{file}' (FORMAT csv, HEADER)"
        seconds, peak, _, error = self.duckdb([*statements, copy])
        return seconds, peak, error, file

    def report(self, report, trace):
        """Lets ebrec answer into a file."""
        file = self.folder / f"{report.name}.ebrec.csv"
        command = [self.ebrec, "report", "-t", str(trace), report.name, "--format", "csv", "-o", str(file)]
        command += ["--queries", str(self.queries)] if self.queries else []
        (begun, ended), peak, _, error = self.run(command)
        return ended - begun, peak, error, file


# Scenarios of `ebrec synth` that fill the tables of most reports, and rows for the rest: of each table how many per
# event, and its columns for row `i`; `pick(salt, n)` is a number below n that only depends on both.
SCENARIOS = ["leaks", "retransmits", "hot", "locks", "disk", "storm", "mixed"]
FILL = {
    "packets": (1, {
        "direction": "CASE pick(1, 2) WHEN 0 THEN 'sent' ELSE 'received' END", "interface": "'eth' || pick(2, 2)",
        "protocol": "CASE WHEN pick(3, 10) < 8 THEN 'tcp' ELSE 'udp' END", "ethertype": "'ipv4'",
        "payload_bytes": "CASE WHEN pick(4, 3) = 0 THEN 0 ELSE pick(5, 1400) END", "length_bytes": "payload_bytes + 54",
    }),
    "dns": (1, {
        "kind": "CASE i % 2 WHEN 0 THEN 'query' ELSE 'response' END", "name": "'host' || ((i // 2) * 7919 % 5000) || '.example.'",
        "type": "CASE WHEN (i // 2) % 3 = 0 THEN 'AAAA' ELSE 'A' END", "side": "'client'",
        "rcode": "CASE WHEN i % 2 = 1 THEN CASE WHEN pick(1, 20) = 0 THEN 'NXDOMAIN' ELSE 'NOERROR' END END",
        "latency_ns": "CASE WHEN i % 2 = 1 THEN 100000 + pick(2, 40000000) END", "server_port": "53",
        "server_address": "'10.0.0.' || pick(3, 4)", "client_address": "'10.0.1.1'",
    }),
    "signals": (1, {
        "event": "'sent'", "signal": "list_value('SIGTERM', 'SIGUSR1', 'SIGPIPE', 'SIGALRM', 'SIGCHLD')[1 + pick(1, 5)]",
        "code": "'SI_USER'", "target_upid": "1000000 + upid % 40 * 50 + pick(2, 50)", "target_pid": "target_upid - 999000",
        "target_comm": "'worker' || upid % 40", "sender_comm": "comm", "result": "'delivered'",
    }),
    "page_faults": (1, {
        "fault": "CASE WHEN pick(1, 100) = 0 THEN 'major' ELSE 'minor' END", "mode": "CASE WHEN pick(2, 5) = 0 THEN 'kernel' ELSE 'user' END",
        "stack_id": "getvariable('stacks')[1 + pick(3, len(getvariable('stacks')))]", "address": "4096 * pick(4, 1000000000)",
    }),
    "memory_usage": (1, {
        "anonymous_bytes": "i + pick(1, 100000000)", "file_bytes": "pick(2, 10000000)", "swap_bytes": "0",
        "rss_bytes": "anonymous_bytes + file_bytes", "rss_peak_bytes": "rss_bytes + pick(3, 1000000)",
    }),
    "task_usage": (1, {
        "cpu_ns": "pick(1, 1000000000)", "system_ns": "pick(2, 100000000)", "user_ns": "cpu_ns - system_ns",
        "wait_ns": "pick(3, 100000000)", "voluntary_switches": "pick(4, 1000)", "involuntary_switches": "pick(5, 100)",
    }),
    # Two hundred control groups and the machine, read once a second.
    "system": (1, {
        "ts": "CAST(make_timestamp_ns(1795369456000000000 + i // 1608 * 1000000000) AS TIMESTAMPTZ_NS)",
        "component": "CASE WHEN i // 8 % 201 > 0 THEN 'cgroup' ELSE 'memory' END",
        "instance": "CASE WHEN i // 8 % 201 > 0 THEN '/group' || i // 8 % 201 END",
        "metric": "CASE WHEN i // 8 % 201 > 0 THEN list_value('memory_bytes', 'memory_limit_bytes', 'memory_some_ns', 'oom_kills',"
        " 'cpu_some_ns', 'io_some_ns', 'memory_high', 'cpu_user_ns')[1 + i % 8] ELSE list_value('available_bytes',"
        " 'free_bytes', 'cached_bytes', 'major_page_faults', 'swap_read_bytes', 'dirty_bytes', 'total_bytes', 'slab_bytes')[1 + i % 8] END",
        "value": "pick(1, 1000000000)", "change": "pick(2, 1000000)", "interval_ns": "1000000000",
    }),
    "processes": (0.02, {
        "upid": "1000000 + i", "pid": "1000 + i", "start_ts": "ts", "end_ts": "CASE WHEN i % 10 > 0 THEN ts + INTERVAL 1 SECOND END",
        "parent_upid": "CASE WHEN i > 0 THEN 1000000 + i // 8 END", "comm": "'program' || pick(1, 300)", "argv": "comm || ' --number ' || i",
        "uid": "pick(2, 3)", "exit_code": "CASE WHEN i % 10 > 1 THEN pick(3, 30) // 28 END", "cgroup": "'/group' || pick(4, 50)",
        "signal": "CASE WHEN i % 10 = 1 THEN 'SIGTERM' END", "exe": "'/usr/bin/' || comm", "cwd": "'/'",
    }),
    "process_events": (0.2, {
        "event": "CASE i % 4 WHEN 0 THEN 'setuid' ELSE 'exec' END", "uid": "pick(1, 3)", "euid": "pick(2, 3)", "old_uid": "pick(1, 3)",
        "old_euid": "pick(3, 3)", "cap_effective": "pick(4, 1048576)", "exe": "'/usr/bin/program' || pick(5, 300)",
    }),
}


def make(folder, events, bench, library):
    """Makes traces of so many events, and one with what no scenario has."""
    others = folder / "others"
    for name, count, path in [*((name, events, folder / name) for name in SCENARIOS), ("hot", 2000, others)]:
        if not path.exists():
            command = [bench.ebrec, "synth", "--scenario", name, "--events", str(count), "-o", str(path)]
            if error := bench.run(command)[3]:
                sys.exit(f"duckdb.py: {error}")
    stacks = sorted((others / "stacks").glob("*.parquet"))[0]
    for table, (share, values) in FILL.items():
        common = {
            "ts": "CAST(make_timestamp_ns(1795369456000000000 + i * 1000) AS TIMESTAMPTZ_NS)", "host": "'synth'", "cpu": "i % 16",
            "upid": "1000000 + pick(9, 500)", "pid": "upid - 999000", "tid": "pid", "comm": "'program' || upid % 60", **values,
        }
        # A column may be made of those before it.
        columns = [f"{value.replace('pick(', 'pick(i, ')} AS {name}" for name, value in common.items()]
        kinds = {**SQL_TYPES, "timestamp": "TIMESTAMPTZ_NS"}
        typed = [
            f'CAST({name if name in common else "NULL"} AS {kinds[kind]}) AS {name}' for name, kind in library.columns[table]
        ]
        size, rows = 2_000_000, int(events * share)
        for segment in range(-(-rows // size)):
            path = others / table / f"{segment + 1:06}.parquet"
            if path.exists() and table != "processes":
                continue
            path.parent.mkdir(exist_ok=True)
            # Files of a segment are read when this one is there.
            complete = others / "segments" / path.name
            if not complete.exists():
                shutil.copy(others / "segments/000001.parquet", complete)
            error = bench.duckdb([
                "CREATE MACRO pick(i, salt, n) AS CAST(hash(i * 31 + salt) % n AS BIGINT)",
                f"SET VARIABLE stacks = (SELECT list(stack_id) FROM read_parquet('{stacks}'))",
                f"COPY (SELECT {', '.join(typed)} FROM (SELECT {', '.join(columns)} FROM"
                f" range({segment * size}, {min(rows, (segment + 1) * size)}) AS numbers (i))) TO '{path}'"
                " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 131072)",
            ])[3]
            if error:
                sys.exit(f"duckdb.py: {error}")


def moment(text):
    """Nanoseconds of a moment as ebrec writes it; anything else as it is."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z", text)
    if not found:
        return text
    seconds = calendar.timegm(time.strptime(found[1], "%Y-%m-%dT%H:%M:%S"))
    return str(seconds * 10**9 + int((found[2] or "").ljust(9, "0")))


def is_same(one, other, tolerance, slack):
    """Whether two values are the same: whole numbers to a slack, and numbers to a relative tolerance."""
    if one == other or one == "'" + other:
        return True
    try:
        if re.fullmatch(r"-?\d+", one) and re.fullmatch(r"-?\d+", other):
            one, other = int(one), int(other)
            return abs(one - other) <= slack * (1 + tolerance * max(abs(one), abs(other)))
        one, other = float(one), float(other)
    except ValueError:
        return False
    return abs(one - other) <= tolerance * max(abs(one), abs(other))


def read_rows(path):
    """The names of the columns and the rows of an answer."""
    csv.field_size_limit(1 << 24)
    with open(path, newline="") as lines:
        header, *rows = csv.reader(lines)
    return header, [[moment(value) for value in row] for row in rows]


def compare(report, ours, theirs):
    """How many rows an answer has, and what differs between two answers; nothing when they are the same."""
    (header, ours), (_, theirs) = read_rows(ours), read_rows(theirs)
    if len(ours) != len(theirs):
        return len(ours), f"{len(ours)} and {len(theirs)} rows"

    def tolerances(name):
        if name in report.means and re.search(r"(^|_)p\d\d_ns$", name):
            return 0.008, 1
        if name in report.means and not name.endswith("_percent") and "approx_distinct" in report.sql:
            return 0.1, 1
        # One engine cuts a mean to a whole number, the other rounds it.
        return 1e-9, 1 if name in report.means else 0

    columns = [(index, *tolerances(name)) for index, name in enumerate(header)]
    if "syscall_text(" in report.sql:
        columns = [column for column in columns if header[column[0]] not in ("call", "value")]

    def differences(ours, theirs):
        return [
            (header[index], one[index], other[index])
            for one, other in zip(ours, theirs)
            for index, tolerance, slack in columns
            if not is_same(one[index], other[index], tolerance, slack)
        ]

    found = differences(ours, theirs)
    if found:
        # Where they are sorted by what is an estimate, the order differs.
        def exact(row):
            return [row[index] for index, _, slack in columns if slack == 0]

        found = min(found, differences(sorted(ours, key=exact), sorted(theirs, key=exact)), key=len)
    if not found:
        return len(ours), ""
    column, one, other = found[0]
    return len(ours), f"{len(found)} values differ, such as {column}: {one[:40]} and {other[:40]}"


def choose(report, library, traces, rows):
    """The trace with most rows of what a report needs."""

    def score(trace):
        _, tables = library.statements(report.sql, trace, "quantile_disc")
        events = [rows.get((trace, table), 0) for table in report.needs if table not in ("processes", "stacks")]
        return (min(events, default=0), sum(rows.get((trace, table), 0) for table in tables))

    return max(traces, key=score)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ebrec", default="target/release/ebrec", help="the program (target/release/ebrec)")
    parser.add_argument("--trace", action="append", default=[], type=pathlib.Path, help="folder of a trace; may be repeated")
    parser.add_argument("--make", type=pathlib.Path, metavar="FOLDER", help="make traces for all reports in this folder, unless they are there")
    parser.add_argument("--events", type=int, default=10_000_000, help="of each trace that is made")
    parser.add_argument("--reports", nargs="+", default=[], metavar="NAME", help="only these")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0, help="goes on for so long with each report (0)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPUs that both may use")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one answer")
    parser.add_argument("--queries", type=pathlib.Path, help="folder with other texts of the reports, for both")
    parser.add_argument("--keep", type=pathlib.Path, help="folder that the answers stay in")
    parser.add_argument("-o", "--output", help="file of the table, instead of the terminal")
    args = parser.parse_args()
    library = Library(ROOT / "queries")
    paths = [path for job in JOBS for path in sorted((ROOT / "queries" / job).glob("*.sql"))]
    own = {path.stem: path for path in args.queries.rglob("*.sql")} if args.queries else {}
    reports = [Report(own.get(path.stem, path)) for path in paths if not args.reports or path.stem in args.reports]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args, args.keep or pathlib.Path(folder))
        bench.folder.mkdir(parents=True, exist_ok=True)
        if args.make:
            make(args.make, args.events, bench, library)
            args.trace += sorted(path.parent for path in args.make.glob("*/trace.json"))
        traces = [trace.resolve() for trace in args.trace]
        rows = {}
        for trace in traces:
            counted = "SELECT file_name, num_rows FROM parquet_file_metadata('{}/*/*.parquet')".format(trace)
            for file, count in bench.duckdb([counted])[2] or []:
                key = trace, pathlib.Path(file).parent.name
                rows[key] = rows.get(key, 0) + count
        lines = [measured(report, bench, library, choose(report, library, traces, rows), rows, args) for report in reports]
        version = bench.duckdb(["SELECT version()"])[2][0][0]
        ours = bench.run([bench.ebrec, "--version"])[2].strip()
    table = [
        f"{ours} and DuckDB {version.removeprefix('v')}, {args.threads} CPUs, medians of at least {args.rounds} rounds.",
        "",
        "| report | trace | rows read | rows of the answer | ebrec | DuckDB | ratio | ratio to approximate quantiles "
        "| peak of ebrec | peak of DuckDB | answers |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *lines,
    ]
    text = "\n".join(table) + "\n"
    if args.output:
        pathlib.Path(args.output).write_text(text)
    else:
        print(text, end="")


def measured(report, bench, library, trace, rows, args):
    """The line of a report in the table."""
    _, tables = library.statements(report.sql, trace, "quantile_disc")
    read = sum(rows.get((trace, table), 0) for table in tables)
    contestants = {"ebrec": lambda: bench.report(report, trace)}
    for quantile in ["quantile_disc", "approx_quantile"] if report.has_quantiles else ["quantile_disc"]:
        contestants[quantile] = lambda quantile=quantile: bench.answer(report.sql, library, report, trace, quantile)
    seconds, peaks, files, errors = {}, {}, {}, {}
    begun, turn = time.monotonic(), 0
    while turn < args.rounds or time.monotonic() - begun < args.seconds:
        order = list(contestants)
        for name in order if turn % 2 == 0 else reversed(order):
            if name in errors:
                continue
            took, peak, error, files[name] = contestants[name]()
            if error:
                errors[name] = error
                continue
            seconds.setdefault(name, []).append(took)
            peaks[name] = max(peak, peaks.get(name, 0))
        turn += 1
    medians = {name: statistics.median(taken) for name, taken in seconds.items() if name not in errors}

    def cell(values, name, form):
        return form.format(values[name]) if name in values else errors.get(name, "")[:60].replace("|", "/")

    def ratio(name):
        # Of neighbours: how fast the machine is changes from one second to the next.
        if not {"ebrec", name} <= set(medians):
            return ""
        return f"{statistics.median(ours / theirs for ours, theirs in zip(seconds['ebrec'], seconds[name])):.2f}"

    if {"ebrec", "quantile_disc"} <= set(medians):
        # In a process of its own: the peak of memory of a program is never below what this process had.
        with multiprocessing.get_context("fork").Pool(1) as pool:
            answered, said = pool.apply(compare, (report, files["ebrec"], files["quantile_disc"]))
    else:
        answered, said = 0, "; ".join(f"{name}: {error}" for name, error in errors.items())
    print(
        f"{report.name}: " + ", ".join(f"{name} {median:.3f} s" for name, median in medians.items()),
        "same" if not said else said, file=sys.stderr, flush=True,
    )
    cells = [
        f"`{report.name}`", trace.name, f"{read:,}", f"{answered:,}",
        cell(medians, "ebrec", "{:.3f} s"), cell(medians, "quantile_disc", "{:.3f} s"), ratio("quantile_disc"),
        ratio("approx_quantile"), cell(peaks, "ebrec", "{:.0f} MiB"), cell(peaks, "quantile_disc", "{:.0f} MiB"),
        (said or "same").replace("|", "\\|"),
    ]
    return "| " + " | ".join(cells) + " |"


main()
