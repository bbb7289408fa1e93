#!/usr/bin/env python3
"""Whether each condition of a check matters: scripts/mutants.py [OPTION]... [CHECK]...

Takes away each condition of each WHERE and HAVING of a check in turn, and each ANTI JOIN, and expects that such a
mutant answers something else. One that answers the same survives: either something is missing that tells it from the
check, or the condition does nothing. A mutant is killed

- by the tests: on the made-up attacks and look-alikes that docs/precision.md is of it names other processes than the
  check (of a FILTER, which decides what is told of a process: it tells something else), or on a data set that the check names it is silent where it must fire or fires where it must be silent, or it
  does not name the process that a recorded attack says;
- or by rows made by hand (tests/programs/attacks/rows*.py) in the place of the tables, which some checks have: machines
  on which it must fire, and machines on which it must stay silent.

Prints a line for each check, below it what is wrong, and the sum at the end; the exit code is 1 if anything is. Needs
an optimized ebrec and some minutes. Without names all checks are tried.
"""

import argparse
import collections
import concurrent.futures
import importlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import typing

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHECKS = ROOT / "queries" / "checks"
# Views that are computed from the rows; the others are rows themselves.
VIEWS = {name: ROOT / "queries" / "views" / f"{name}.sql" for name in ("package_work", "port_tries")}
ROWS = ROOT / "tests" / "programs" / "attacks" / "rows.py"
# Its tables are not read, all that a check reads is made by hand; but a query needs a trace.
TRACE = ROOT / "datasets" / "script" / "trace"
DATASETS = ROOT / "datasets"
# The made-up traces, as the test that makes docs/precision.md has them.
SCENARIOS = ("attacks", "lookalikes")
SEEDS = (1, 2, 3)
EVENTS = 35_000

# The moment from which rows count their seconds.
EPOCH_NS = 1_700_000_000_000_000_000

# Mutants that survive, by check and condition, and why.
EXCEPTIONS = {
    ("discovery_burst", "count(DISTINCT tool) >= $tools"): "keeps a join small, after which it is asked again",
    ("exec_from_temp", "is_program OR regexp_like(script, '^/(tmp|var/tmp|dev/shm|dev/mqueue|run/shm|run/lock|run/user/[0-9]+)/')"): (
        "saves time: what is joined afterwards lies there"
    ),
    ("deleted_binary", "exe IS NOT NULL"): "saves time: nothing is equal to it afterwards",
    ("sudoers_change", "path2 IS NOT NULL"): "saves time: nothing matches it afterwards",
    ("dga_names", "count(*) >= $domains"): "decides only whether it is told as one process or as its parent",
    ("dns_tunnel", "count(*) >= $names"): "keeps what follows small, after which it is asked again",
    ("namespace_escape", "syscall IN ('setns', 'pidfd_open')"): "keeps it small: others add nothing to the sums",
    ("namespace_escape", "sum(CASE WHEN syscall = 'setns' THEN 1 ELSE 0 END) > 0"): "without one there is no moment to compare",
}

# Texts and comments are tokens of their own: what looks like SQL in them is not.
TOKEN = re.compile(r"'(?:[^']|'')*'|--[^\n]*|\w+|\s+|.", re.DOTALL)
AFTER_CONDITION = {"GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "WINDOW", "QUALIFY"}
AFTER_JOIN = AFTER_CONDITION | {"WHERE", "LEFT", "RIGHT", "INNER", "FULL", "CROSS", "JOIN"}


class Mutant(typing.NamedTuple):
    """A check with something taken away; from a FILTER, on which it depends what is told of a finding."""

    removed: str
    sql: str
    is_filter: bool


def read_rows():
    """The modules with the rows, which are not in a package; the others add to the first."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(ROWS.parent))
    module = importlib.import_module(ROWS.stem)
    for path in sorted(ROWS.parent.glob(f"{ROWS.stem}_*.py")):
        importlib.import_module(path.stem)
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

    def without(begin, end, instead, is_filter=False):
        removed = " ".join(text(begin, end).split())
        return Mutant(removed, f"{text(0, begin)} {instead} {text(end, len(tokens))}", is_filter)

    for index, (token, _) in enumerate(tokens):
        if token in ("WHERE", "HAVING"):
            end = end_of(tokens, index + 1, AFTER_CONDITION)
            is_filter = text(0, index).rstrip().endswith("FILTER (")
            for part in conditions(tokens, index + 1, end):
                yield without(*part, "TRUE", is_filter)
        elif token == "LEFT" and text(index, index + 5).split() == ["LEFT", "ANTI", "JOIN"]:
            yield without(index, end_of(tokens, index + 5, AFTER_JOIN), "")


def literal(value):
    """A value in SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def column(name, kind, value):
    """A column that is made of a value, with the type that it has in a trace."""
    if kind == "timestamp":
        return f"to_timestamp_nanos({EPOCH_NS} + CAST({value} * 1000000000 AS BIGINT)) AS {name}"
    types = {"integer": "BIGINT", "boolean": "BOOLEAN", "text": "VARCHAR"}
    return f"CAST({value} AS {types[kind]}) AS {name}"


def table(name, kinds, rows):
    """A table of rows as a part of WITH, in the place of the table of the trace."""
    if not rows:
        nothing = ", ".join(column(key, kind, "NULL") for key, kind in kinds.items())
        return f"{name} AS (SELECT {nothing} WHERE FALSE)"
    chosen = [column(key, kind, f"column{number}") for number, (key, kind) in enumerate(kinds.items(), 1)]
    values = ["(" + ", ".join(literal(row[key]) for key in kinds) + ")" for row in rows]
    return f"{name} AS (SELECT {', '.join(chosen)} FROM (VALUES {', '.join(values)}))"


def over_rows(sql, tables, wanted="host"):
    """The check over these tables: the host of each finding, or all that it tells."""
    views = {name: path.read_text() for name, path in VIEWS.items() if re.search(rf"\b{name}\b", sql)}
    everything = " ".join([sql, *views.values()])
    used = [definition for name, definition in tables.items() if re.search(rf"\b{name}\b", everything)]
    used += [f"{name} AS ({view})" for name, view in views.items()]
    begin = re.match(r"\s*WITH(\s+RECURSIVE)?\s", sql)
    if begin:
        recursive, rest = begin[1] or "", ", " + sql[begin.end() :]
    else:
        recursive, rest = "", " " + sql
    return f"SELECT {wanted} FROM (WITH{recursive} {', '.join(used)}{rest})"


def answer(ebrec, sql):
    """The rows that a query gives."""
    command = [ebrec, "query", "-t", TRACE, "--format", "json", "-"]
    run = subprocess.run(command, input=sql, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"mutants.py: {run.stderr.strip()[:1000]}\n{sql}")
    return json.loads(run.stdout)


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


def defaults_of(head):
    """The values that parameters have unless told otherwise, as they are in SQL."""
    units = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
             "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
    found = {}
    for name, kind, default in re.findall(r"^-- @param (\w+) (\S+) (\S+)", head, re.MULTILINE):
        number = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", default)
        if not number:
            found[name] = None if default == "-" else default
        elif kind in ("duration", "bytes"):
            found[name] = int(float(number[1]) * units[number[2]])
        else:
            found[name] = float(number[1]) if kind == "number" else int(number[1])
    return found


def by_rows(ebrec, case, columns, head, sql, made):
    """What rows made by hand say: faults of the check on them, and of each mutant whether they kill it."""
    for parameter, value in {**defaults_of(head), **case.parameters}.items():
        parameter = re.compile(rf"\${parameter}\b")
        sql = parameter.sub(literal(value), sql)
        made = [mutant._replace(sql=parameter.sub(literal(value), mutant.sql)) for mutant in made]
    named, fires, silent = machines(case)
    tables = tables_of(columns, named)
    tried = [over_rows(sql, tables), over_rows(sql, tables, "*")]
    tried += [over_rows(mutant.sql, tables, "*" if mutant.is_filter else "host") for mutant in made]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        rows, told, *changed = pool.map(lambda query: sorted_rows(answer(ebrec, query)), tried)
    found = {json.loads(row)["host"] for row in rows}
    faults = [f"no finding on `{host}`" for host in sorted(fires - found)]
    faults += [f"a finding on `{host}`" for host in sorted(found & silent)]
    return faults, [other != (told if mutant.is_filter else rows) for mutant, other in zip(made, changed)]


def sorted_rows(rows):
    """Rows that can be compared."""
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def parts_of(path):
    """The head of a check's file, and its query without comments."""
    text = path.read_text()
    head = re.match(r"(?:--[^\n]*\n)*", text)[0]
    return head, "".join(token for token, _ in tokens_of(text))


def named_in(head, key):
    """The names that a line of the head lists."""
    line = re.search(rf"^-- @{key} (.*)$", head, re.MULTILINE)
    return [name.strip() for name in line[1].split(",")] if line else []


def findings(ebrec, trace, folder, names):
    """What these checks find: by name, the process ids, and all that is told."""
    told = collections.defaultdict(list)
    found = {name: collections.Counter() for name in names}
    asked = list(names)
    while True:
        command = [ebrec, "check", "-t", trace, "--rules", folder, "--format", "json", *asked]
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if run.returncode <= 1 and run.stdout:
            break
        # A query that fails is noticed by everybody.
        failed = re.search(r"the check (\S+) failed", run.stderr)
        if not failed or "__" not in failed[1]:
            sys.exit(f"mutants.py: {run.stderr.strip()[:1000]}")
        found[failed[1]]["failed"] += 1
        asked.remove(failed[1])
    for finding in json.loads(run.stdout)["findings"]:
        name = finding.pop("check")
        found[name][finding["pid"]] += 1
        told[name].append(json.dumps([finding["ts"], finding["sentence"], finding["columns"]]))
    return found, told


def verdict(trace, check, found):
    """What the tests see of an answer on a trace."""
    expected = trace.parent / "expected.txt"
    if trace.parent.parent != DATASETS:
        return found
    if trace.parent.name != "intrusion" and expected.exists():
        lines = [line.split("\t")[-2:] for line in expected.read_text().splitlines()]
        return bool(found), [pid for name, pid in lines if name == check and int(pid) in found]
    return bool(found)


def by_tests(ebrec, made, work):
    """Of each mutant of each check, whether the tests kill it."""
    rules = pathlib.Path(work) / "checks"
    rules.mkdir()
    killed = {name: [False] * len(mutants) for name, mutants in made.items()}
    traces = []
    for scenario in SCENARIOS:
        for seed in SEEDS:
            trace = pathlib.Path(work) / f"{scenario}-{seed}"
            command = [ebrec, "synth", "--scenario", scenario, "--seed", str(seed), "--events", str(EVENTS)]
            subprocess.run([*command, "-o", trace], check=True, stdout=subprocess.DEVNULL)
            traces.append((trace, list(made)))
    of_data = collections.defaultdict(list)
    for name, mutants in made.items():
        head, _ = parts_of(CHECKS / f"{name}.sql")
        for data in named_in(head, "fires") + named_in(head, "silent"):
            if data not in SCENARIOS:
                of_data[data].append(name)
        # The program has them of when it was built.
        (rules / f"{name}.sql").write_text((CHECKS / f"{name}.sql").read_text())
        for number, mutant in enumerate(mutants):
            (rules / f"{name}__{number}.sql").write_text(head + mutant.sql)
    traces += [(DATASETS / data / "trace", names) for data, names in sorted(of_data.items())]
    for trace, names in traces:
        # Those that nothing has killed yet.
        tried = [f"{name}__{n}" for name in names for n, dead in enumerate(killed[name]) if not dead]
        found, told = findings(ebrec, trace, work, [*names, *tried])
        for mutant in tried:
            name, number = mutant.rsplit("__", 1)
            tells_else = made[name][int(number)].is_filter and told[mutant] != told[name]
            if tells_else or verdict(trace, name, found[mutant]) != verdict(trace, name, found[name]):
                killed[name][int(number)] = True
        print(f"{trace.parent.name if trace.name == 'trace' else trace.name}: {len(tried)} mutants", file=sys.stderr)
    return killed


def print_line(what, numbers):
    """A line of the answer."""
    excepted = f", {numbers['excepted']} excepted" if numbers["excepted"] else ""
    print(
        f"{what}: {numbers['killed']} of {numbers['mutants']} mutants killed "
        f"({numbers['by tests']} by tests, {numbers['by rows']} by rows){excepted}",
        flush=True,
    )


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--ebrec", default="target/release/ebrec", help="the program (target/release/ebrec)")
    parser.add_argument("--only-rows", action="store_true", help="do not try the tests' traces, which takes minutes")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help="names of checks (all)")
    args = parser.parse_args()
    ebrec = os.path.abspath(args.ebrec)
    rows = read_rows()
    known = sorted(path.stem for path in CHECKS.glob("*.sql"))
    chosen = args.checks or known
    if unknown := [name for name in chosen if name not in known]:
        sys.exit(f"mutants.py: there is no check {', '.join(unknown)}")
    heads = {name: parts_of(CHECKS / f"{name}.sql")[0] for name in chosen}
    queries = {name: parts_of(CHECKS / f"{name}.sql")[1] for name in chosen}
    made = {name: list(mutants(sql)) for name, sql in queries.items()}
    with tempfile.TemporaryDirectory() as work:
        none = {name: [False] * len(mutants) for name, mutants in made.items()}
        tested = none if args.only_rows else by_tests(ebrec, made, work)
    sums = collections.Counter()
    for name in chosen:
        faults, rowed = [], [False] * len(made[name])
        if name in rows.CASES:
            faults, rowed = by_rows(ebrec, rows.CASES[name], rows.COLUMNS, heads[name], queries[name], made[name])
        dead = [one or other for one, other in zip(tested[name], rowed)]
        survivors = [mutant.removed for mutant, is_dead in zip(made[name], dead) if not is_dead]
        excepted = [removed for check, removed in EXCEPTIONS if check == name]
        faults += [f"survives without: {removed}" for removed in survivors if removed not in excepted]
        faults += [f"excepted, but is killed: {removed}" for removed in excepted if removed not in survivors]
        numbers = {
            "killed": sum(dead), "mutants": len(made[name]), "by tests": sum(tested[name]), "by rows": sum(rowed),
            "excepted": sum(removed in excepted for removed in survivors), "faults": len(faults),
        }
        print_line(name, numbers)
        for fault in faults:
            print(f"    {fault}", flush=True)
        sums.update(numbers)
    print_line(f"{len(chosen)} checks", sums)
    sys.exit(1 if sums["faults"] else 0)


main()
