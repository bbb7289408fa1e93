"""Reads a trace as a notebook would: `frames.py TRACE duckdb SQL | pandas | polars`; prints JSON."""

import json
import re
import sys

trace, library, *sql = sys.argv[1:]

if library == "duckdb":
    import duckdb

    # FROM syscalls -> FROM 'trace/syscalls/*.parquet': nothing is imported or declared.
    plain = re.sub(r"\bFROM (\w+)", rf"FROM '{trace}/\1/*.parquet'", sql[0])
    result = duckdb.execute(plain)
    names = [column[0] for column in result.description]
    rows = [dict(zip(names, row)) for row in result.fetchall()]
elif library == "pandas":
    import pandas

    calls = pandas.read_parquet(f"{trace}/syscalls")
    assert str(calls["ts"].dtype) == "datetime64[ns, UTC]", calls["ts"].dtype
    groups = calls.groupby("syscall").agg(
        calls=("ts", "size"), errors=("error", "count"), ns=("duration_ns", "sum")
    )
    rows = groups.reset_index().sort_values("syscall").astype({"ns": "int64"}).to_dict("records")
else:
    import polars

    calls = polars.read_parquet(f"{trace}/syscalls/*.parquet")
    assert calls["ts"].dtype == polars.Datetime("ns", "UTC"), calls["ts"].dtype
    groups = calls.group_by("syscall").agg(
        polars.len().alias("calls"),
        polars.col("error").count().alias("errors"),
        polars.col("duration_ns").sum().alias("ns"),
    )
    rows = groups.sort("syscall").to_dicts()

json.dump(rows, sys.stdout)
