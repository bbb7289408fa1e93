#!/usr/bin/env python3
"""Whether each condition of a check matters: scripts/mutants.py [OPTION]... [CHECK]...

Asks `ebrec query` for the SQL of a check over rows made by hand (tests/programs/attacks/rows.py) in the place
of the tables: machines on which it must fire, and machines on which it must stay silent. Then it takes away
each condition of each WHERE and HAVING in turn, and each ANTI JOIN, and expects that such a mutant answers
something else. One that answers the same survives: either rows are missing, or the condition does nothing.

Prints a line for each check, below it what is wrong, and the sum at the end; the exit code is 1 if anything
is. Needs an optimized ebrec. Without names all checks that have rows are tried.
"""

import argparse
import collections
import concurrent.futures
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import typing

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHECKS = ROOT / "queries" / "checks"
# Views that are computed from the rows; the others are rows themselves.
VIEWS = {"package_work": ROOT / "queries" / "views" / "package_work.sql"}
ROWS = ROOT / "tests" / "programs" / "attacks" / "rows.py"
# Its tables are not read, all that a check reads is made by hand; but a query needs a trace.
TRACE = ROOT / "datasets" / "script" / "trace"

# The moment from which rows count their seconds.
EPOCH_NS = 1_700_000_000_000_000_000

# Mutants that survive, by check and condition, and why.
EXCEPTIONS = {
    ("discovery_burst", "count(DISTINCT tool) >= 6"): "keeps a join small, after which it is asked again",
}

# Texts and comments are tokens of their own: what looks like SQL in them is not.
TOKEN = re.compile(r"'(?:[^']|'')*'|--[^\n]*|\w+|\s+|.", re.DOTALL)
AFTER_CONDITION = {"GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "WINDOW", "QUALIFY"}
AFTER_JOIN = AFTER_CONDITION | {"WHERE", "LEFT", "RIGHT", "INNER", "FULL", "CROSS", "JOIN"}


class Mutant(typing.NamedTuple):
    """A check with something taken away."""

    removed: str
    sql: str


def read_rows():
    """The module with the rows, which is not in a package."""
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("rows", ROWS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tokens_of(sql):
    """The tokens with how many brackets and CASEs each is in; comments are left out."""
    found, depth = [], 0
    for text in TOKEN.findall(sql):
        if text.startswith("--"):
            continue
        if text == ")" or text == "END":
            depth -= 1
        found.append((text, depth))
        if text == "(" or text == "CASE":
            depth += 1
    return found


def end_of(tokens, begin, keywords):
    """Where the clause ends that is about to begin: at a keyword beside it, or with the bracket around it."""
    depth = tokens[begin][1]
    for index in range(begin, len(tokens)):
        text, here = tokens[index]
        if here < depth or (here == depth and text in keywords):
            return index
    return len(tokens)


def conditions(tokens, begin, end):
    """The parts between the ANDs of a clause, as ranges; one if alternatives are beside them."""
    depth = tokens[begin][1]
    beside = [(tokens[index][0], index) for index in range(begin, end) if tokens[index][1] == depth]
    if any(text == "OR" for text, _ in beside):
        return [(begin, end)]
    cuts, of_between = [], False
    for text, index in beside:
        if text == "BETWEEN":
            of_between = True
        elif text == "AND" and of_between:
            of_between = False
        elif text == "AND":
            cuts.append(index)
    return list(zip([begin, *(cut + 1 for cut in cuts)], [*cuts, end]))


def mutants(sql):
    """The check without each of its conditions, and without each of its ANTI JOINs."""
    tokens = tokens_of(sql)

    def text(begin, end):
        return "".join(token for token, _ in tokens[begin:end])

    def without(begin, end, instead):
        removed = " ".join(text(begin, end).split())
        return Mutant(removed, f"{text(0, begin)} {instead} {text(end, len(tokens))}")

    for index, (token, _) in enumerate(tokens):
        if token in ("WHERE", "HAVING"):
            end = end_of(tokens, index + 1, AFTER_CONDITION)
            for part in conditions(tokens, index + 1, end):
                yield without(*part, "TRUE")
        elif token == "LEFT" and text(index, index + 5).split() == ["LEFT", "ANTI", "JOIN"]:
            yield without(index, end_of(tokens, index + 5, AFTER_JOIN), "")


def literal(value):
    """A value in SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def column(name, kind, value):
    """A column that is made of a value, with the type that it has in a trace."""
    if kind == "timestamp":
        return f"to_timestamp_nanos({EPOCH_NS} + CAST({value} * 1000000000 AS BIGINT)) AS {name}"
    return f"CAST({value} AS {'BIGINT' if kind == 'integer' else 'VARCHAR'}) AS {name}"


def table(name, kinds, rows):
    """A table of rows as a part of WITH, in the place of the table of the trace."""
    if not rows:
        nothing = ", ".join(column(key, kind, "NULL") for key, kind in kinds.items())
        return f"{name} AS (SELECT {nothing} WHERE FALSE)"
    chosen = [column(key, kind, f"column{number}") for number, (key, kind) in enumerate(kinds.items(), 1)]
    values = ["(" + ", ".join(literal(row[key]) for key in kinds) + ")" for row in rows]
    return f"{name} AS (SELECT {', '.join(chosen)} FROM (VALUES {', '.join(values)}))"


def over_rows(sql, tables):
    """The check over these tables: which hosts it has findings of."""
    views = {name: path.read_text() for name, path in VIEWS.items() if re.search(rf"\b{name}\b", sql)}
    everything = " ".join([sql, *views.values()])
    used = [definition for name, definition in tables.items() if re.search(rf"\b{name}\b", everything)]
    used += [f"{name} AS ({view})" for name, view in views.items()]
    begin = re.match(r"\s*WITH(\s+RECURSIVE)?\s", sql)
    if begin:
        recursive, rest = begin[1] or "", ", " + sql[begin.end() :]
    else:
        recursive, rest = "", " " + sql
    return f"SELECT DISTINCT host FROM (WITH{recursive} {', '.join(used)}{rest})"


def answer(ebrec, sql):
    """The hosts that a query tells."""
    command = [ebrec, "query", "-t", TRACE, "--format", "json", sql]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"mutants.py: {run.stderr.strip()[:1000]}\n{sql}")
    return {row["host"] for row in json.loads(run.stdout)}


def machines(case):
    """The machines of a check by name, and the names of those on which it must fire and must be silent."""
    fires = {f"fires {number}": machine for number, machine in enumerate(case.fires, 1)}
    silent = {f"silent {number}": machine for number, machine in enumerate(case.silent, 1)}
    return fires | silent, set(fires), set(silent)


def tables_of(columns, named):
    """All tables, with the rows of all machines."""
    tables = {}
    for name, kinds in columns.items():
        rows = [{**row, "host": host} for host, machine in named.items() for row in machine.rows[name]]
        tables[name] = table(name, kinds, rows)
    return tables


def try_check(ebrec, name, case, columns):
    """Prints how a check did; returns its numbers by name."""
    # Without comments: the head of the file is none of the query.
    sql = "".join(text for text, _ in tokens_of((CHECKS / f"{name}.sql").read_text()))
    for parameter, value in case.parameters.items():
        sql = re.sub(rf"\${parameter}\b", literal(value), sql)
    named, fires, silent = machines(case)
    tables = tables_of(columns, named)

    made = list(mutants(sql))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        queries = [over_rows(tried, tables) for tried in [sql, *(mutant.sql for mutant in made)]]
        found, *changed = pool.map(lambda query: answer(ebrec, query), queries)
    survivors = [mutant.removed for mutant, hosts in zip(made, changed) if hosts == found]
    excepted = [removed for check, removed in EXCEPTIONS if check == name]

    faults = [f"no finding on `{host}`" for host in sorted(fires - found)]
    faults += [f"a finding on `{host}`" for host in sorted(found - fires)]
    faults += [f"survives without: {removed}" for removed in survivors if removed not in excepted]
    faults += [f"excepted, but is killed: {removed}" for removed in excepted if removed not in survivors]
    numbers = {
        "fires": len(fires & found), "must fire": len(fires),
        "silent": len(silent - found), "must be silent": len(silent),
        "killed": len(made) - len(survivors), "mutants": len(made),
        "excepted": sum(removed in excepted for removed in survivors), "faults": len(faults),
    }
    print_line(name, numbers)
    for fault in faults:
        print(f"    {fault}", flush=True)
    return numbers


def print_line(what, numbers):
    """A line of the answer."""
    excepted = f" and {numbers['excepted']} excepted" if numbers["excepted"] else ""
    print(
        f"{what}: fires {numbers['fires']} of {numbers['must fire']}, "
        f"silent {numbers['silent']} of {numbers['must be silent']}, "
        f"{numbers['killed']} of {numbers['mutants']} mutants killed{excepted}",
        flush=True,
    )


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--ebrec", default="target/release/ebrec", help="the program (target/release/ebrec)")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help="names of checks (all that have rows)")
    args = parser.parse_args()
    rows = read_rows()
    chosen = args.checks or list(rows.CASES)
    if unknown := [name for name in chosen if name not in rows.CASES]:
        sys.exit(f"mutants.py: no rows for {', '.join(unknown)}")
    sums = collections.Counter()
    for name in chosen:
        sums.update(try_check(args.ebrec, name, rows.CASES[name], rows.COLUMNS))
    print_line(f"{len(chosen)} checks", sums)
    sys.exit(1 if sums["faults"] else 0)


main()
