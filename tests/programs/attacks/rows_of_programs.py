"""Rows made by hand, as in `rows`, of checks on shells, programs and what services do."""

from rows import BASH, PROGRAM, PYTHON, Machine, check
from rows_of_behaviour import MS, link, machine

# A second process, beside or below the program.
NEXT = 20
DASH = "/usr/bin/dash"


# reverse_shell
def inherits(exe=BASH, argv="bash", at=2, **values):
    """A shell that begins with a connection of its own process."""
    made = Machine().execute(exe, argv, at=at)
    return made.add("connections", PROGRAM, **link(1, **{"duration_ns": None, **values})[1])


def calls_itself(start=0, end=None, exe=BASH, **values):
    """A shell that calls."""
    made = Machine().process(PROGRAM, exe, "bash", start_ts=start, end_ts=end)
    return made.add("connections", PROGRAM, **link(5, **{"opener_pid": PROGRAM, **values})[1])


def relays(by="/usr/bin/nc", exe=BASH, argv="bash -i", parent=PROGRAM, at=2, **values):
    """An interactive shell of a program that has called."""
    made = machine(by).add("connections", PROGRAM, **link(1, **values)[1])
    return made.execute(exe, argv, upid=NEXT, parent=parent, parent_exe=by, at=at)


def agent_with_child(exe):
    """A program that is run again, after its child has called."""
    made = Machine().execute(exe, "x", at=5).process(NEXT, PYTHON, "x", PROGRAM)
    return made.add("connections", NEXT, **link(1, duration_ns=None)[1])


def calls_beside():
    """A shell of busybox that calls by itself, once it is there."""
    made = Machine().execute("/usr/bin/busybox", "sh -i", at=1)
    return made.add("connections", PROGRAM, **link(1.5)[1])


check(
    "reverse_shell",
    [inherits(), inherits("/srv/agent"), calls_itself(), relays(), relays(parent=1), agent_with_child(BASH)],
    [
        inherits(duration_ns=100 * MS), inherits(role="server"), inherits(remote_port=0), inherits("/usr/bin/cat", "cat"),
        inherits(at=0.5, remote_address="127.0.0.1"),
        calls_itself(start=9), calls_itself(end=3), calls_itself(remote_address="::1"),
        calls_itself(remote_address="127.0.0.1"), calls_itself(received_bytes=0), calls_itself(exe=PYTHON),
        calls_itself(opener_pid=77),
        relays(received_bytes=0), relays(sent_bytes=0), relays(remote_address="127.0.0.1"),
        relays(remote_address="::1"), relays("/usr/sbin/sshd"), relays(exe="/srv/agent", argv="agent -i"),
        relays(argv="bash x.sh"), relays(at=30), relays(PYTHON, parent=1),
        agent_with_child("/srv/agent"), calls_beside(),
    ],
)


# bind_shell
def is_bound(exe=BASH, argv="bash", path=None, at=2, **values):
    made = Machine().execute(exe, argv, path=path, at=at)
    given = {"role": "server", "local_port": 4444, "remote_port": 40_000, "duration_ns": None}
    return made.add("connections", PROGRAM, **link(1, **{**given, **values})[1])


check(
    "bind_shell",
    [is_bound(), is_bound("/usr/bin/busybox", "busybox sh", "busybox")],
    [
        is_bound(role="client"), is_bound(remote_port=None), is_bound(at=0.5), is_bound(duration_ns=1),
        is_bound("/usr/bin/cat", "cat"), is_bound("/usr/bin/busybox", "busybox ls", "busybox"), is_bound(path="/srv/hook.sh"),
    ],
)


# script_interpreter_inline
def inline(argv="python3 -c 'exec(base64.b64decode(1))'", exe=PYTHON):
    return Machine().execute(exe, argv)


def piped(
    decoder="base64 -d", exe=DASH, argv="sh", apart=0.05, ends=1, event="fork", parent=1, upid=NEXT, forked=None,
):
    """A decoder, and a shell beside it that reads from it."""
    made = Machine().process(PROGRAM, "/usr/bin/base64", decoder, end_ts=ends)
    made.execute("/usr/bin/base64", decoder, at=0)
    made.execute(exe, argv, upid=upid, parent=parent, at=apart + 0.01)
    begun = apart if forked is None else forked
    return made.add("process_events", 1, ts=begun, event=event, child_upid=upid)


check(
    "script_interpreter_inline",
    [inline(), piped(), piped(ends=None)],
    [
        inline("python3 -c 'print(1)'"), inline("python3 exec base64.b64decode"),
        inline(exe="/usr/bin/editor"), inline("editor -c 'echo x | base64 -d | sh'", "/usr/bin/editor"),
        piped("base64 x"), piped(exe="/usr/bin/editor"), piped(argv="sh x.sh"), piped(apart=0.5),
        piped(ends=0.02), piped(event="exit"), piped(parent=PROGRAM),
        # The decoder itself, which is a program of that name in a shell.
        Machine().execute(DASH, "base64 -d", at=0).add("process_events", 1, ts=0, event="fork", child_upid=PROGRAM),
    ],
)


# rate_anomaly: three calls in a second, and once far more.
def rate(seconds=45, burst=30, every=1, table="syscalls", more=120, **values):
    made = machine()
    for second in range(seconds):
        for number in range(more if second == burst else 3):
            made.add(table, PROGRAM, **{"ts": every * second + number / 1000, **values})
    return made


check(
    "rate_anomaly",
    [rate(), rate(table="connections", role="client")],
    [
        rate(burst=2), rate(burst=44), rate(seconds=20, burst=10), rate(every=3), rate(more=9),
        rate(table="connections", role="peer"),
    ],
    {"usual": 2},
)


# unusual_syscalls
def serves(exe="/usr/sbin/served", syscall="mount", at=2, role="listener", protocol="tcp"):
    made = machine(exe).add("connections", PROGRAM, **link(1, role=role, protocol=protocol)[1])
    return made.add("syscalls", PROGRAM, ts=at, syscall=syscall)


check(
    "unusual_syscalls",
    [serves(), serves(role="server")],
    [
        serves(role="client"), serves(protocol="unix_stream"), serves(syscall="read"), serves(at=0),
        serves("/usr/lib/systemd/systemd"), serves("/usr/sbin/sshd", "keyctl"),
    ],
)


# process_memory_write
def writes(target=99, parent=1, own_parent=1, target_exe=BASH, path=None, fails=False, operation="write"):
    made = machine(parent_upid=own_parent).process(99, target_exe, "bash", parent)
    made.add("threads", 99, tid=99, start_ts=0).add("threads", PROGRAM, tid=PROGRAM, start_ts=0)
    return made.access(operation, path or f"/proc/{target}/mem", fails=fails, at=1)


check(
    "process_memory_write",
    [writes(), machine().add("syscalls", PROGRAM, ts=1, syscall="process_vm_writev", arg0=99, ret=8)],
    [
        writes(parent=PROGRAM), writes(target=PROGRAM, own_parent=None), writes(target_exe=PYTHON), writes(fails=True),
        writes(operation="read"), writes(path="/proc/99/maps"),
        machine().add("syscalls", PROGRAM, ts=1, syscall="process_vm_writev", arg0=99, ret=0),
        machine().add("syscalls", PROGRAM, ts=1, syscall="process_vm_readv", arg0=99, ret=8),
    ],
)


# exec_from_temp: a program that was brought to a folder for temporary files.
def brought(where="/tmp/tool", operation="write", by="/usr/bin/curl", others=0, at=1, runs=(2,), fails=False):
    made = Machine().process(NEXT, by, "x")
    made.access(operation, where, None if operation == "write" else where, upid=NEXT, at=at, fails=fails)
    for number in range(others):
        made.access("write", f"/srv/{number}", upid=NEXT, at=at)
    for number, moment in enumerate(runs):
        made.execute(where, where, upid=30 + number, at=moment)
    return made


check(
    "exec_from_temp",
    [brought(), brought(others=30), brought("/dev/shm/tool", runs=(0, 2)), brought("/dev/shm/tool", runs=(0,))],
    [
        brought("/srv/tool"), brought(operation="read"), brought(fails=True), brought(by="/usr/bin/ld.bfd"),
        brought(runs=(0,)),
    ],
)


# deleted_binary
def deleted(exe="/srv/agent", operation="unlink", by="/usr/bin/rm", fails=False, again=None, ended=None, at=5):
    made = Machine().process(PROGRAM, exe, "x", start_ts=0, end_ts=ended).process(NEXT, by, "rm")
    made.access(operation, exe, upid=NEXT, at=at, fails=fails)
    if again:
        made.access(again, exe if again == "write" else "/srv/new", None if again == "write" else exe, upid=NEXT, at=at + 1)
    return made


check(
    "deleted_binary",
    [deleted(), deleted(again="symlink"), machine("/srv/agent (deleted)")],
    [
        deleted(operation="write"), deleted(fails=True), deleted(by="/usr/bin/ld"), deleted(again="write"),
        deleted(again="rename"), deleted(ended=3), machine("/usr/sbin/served (deleted)"), machine("/srv/agent"),
    ],
)


# fileless_exec
def from_memory(exe="/memfd:x (deleted)", parent_exe=BASH):
    """A program that was there before, as what its parent is."""
    return Machine().process(NEXT, parent_exe, "x").process(PROGRAM, exe, "x", NEXT)


check(
    "fileless_exec",
    [from_memory(), Machine().execute("/", "x", path="/memfd:x")],
    [
        from_memory("/"),
        # Of runc, and what that forks.
        Machine().process(NEXT, "/usr/bin/runc", "runc").process(5, "/usr/sbin/runc", "runc")
        .process(PROGRAM, "/memfd:runc", "x", 6).process(6, "/usr/local/sbin/runc", "x")
        .process(7, "/memfd:runc", "x", PROGRAM),
        Machine().execute("/usr/bin/cat", "cat"),
    ],
)


# kernel_module
def loads(exe="/usr/bin/kmod", syscall="finit_module", operation="read", path="/lib/modules/6.1/a.ko", fails=False):
    made = machine(exe).access(operation, path, fails=fails)
    return made.add("syscalls", PROGRAM, ts=1, syscall=syscall, ret=0)


check(
    "kernel_module",
    [loads(PYTHON), loads(operation="stat"), loads(fails=True), loads(path="/srv/a.ko")],
    [loads(), loads(PYTHON, syscall="read")],
)


# process_rarity: a process that runs one program again and again, and another once.
def rarely_runs(times=55, parent=1, once=1, programs=1):
    made = Machine()
    for number in range(times):
        made.execute(f"/usr/bin/tool{number % programs}", "x", upid=100 + number, parent=parent)
    for number in range(once):
        made.execute("/usr/bin/other", "x", upid=300 + number, parent=parent)
    return made


check(
    "process_rarity",
    [rarely_runs()],
    [rarely_runs(40), rarely_runs(once=2), rarely_runs(programs=25), rarely_runs(parent=None)],
)


# unexpected_listener
def listens(exe="/tmp/agent", **values):
    given = {"role": "listener", "local_address": "0.0.0.0", "local_port": 4444, "preexisting": False}
    return machine(exe).add("connections", PROGRAM, **link(1, **{**given, **values})[1])


check(
    "unexpected_listener",
    [listens(), listens("/usr/bin/nc")],
    [
        listens("/usr/sbin/nginx"), listens(role="server"), listens(preexisting=True), listens(protocol="unix_stream"),
        listens(local_address="127.0.0.1"), listens(local_address="::1"),
    ],
)


# crash_loop: five runs of a program, one after the other.
def fails(times=5, pace=1, exe="/srv/served", exit_code=1, signal=None, last=None):
    """Runs of a program that end like that, but for the last."""
    made = Machine()
    for number in range(times):
        values = {"end_ts": pace * number, "exit_code": exit_code, "signal": signal}
        made.process(20 + number, exe, "x", **{**values, **(last or {} if number == times - 1 else {})})
    return made


# A run that has not ended, under a name that the program gave itself.
RUNS = {"end_ts": None, "exit_code": None, "comm": "renamed"}


def copies(times=5, of="/srv/served", exit_code=127):
    """Children that end before they are another program than their parent."""
    made = machine("/srv/served")
    for number in range(times):
        made.process(20 + number, of, "x", PROGRAM, end_ts=number, exit_code=exit_code)
    return made


check(
    "crash_loop",
    [
        # Of a program that still runs, it is the last run that ended which is told.
        fails(), fails(6, last=RUNS), fails(exit_code=None, signal="SIGSEGV"),
        copies(of="/srv/other"), copies(exit_code=1),
    ],
    [
        fails(4), fails(5, last=RUNS), fails(pace=20), fails(exit_code=0), fails(6, last={"exit_code": 0}),
        fails(exit_code=None, signal="SIGTERM"), fails(exe="/usr/bin/grep"), fails(exe="/usr/sbin/sshd"), copies(),
    ],
)


# web_shell: what a server starts after it has answered.
NGINX, SERVED = "/usr/sbin/nginx", "/srv/served"
ASKS, LOOKS = (DASH, "sh -c x"), [("/usr/bin/id", "id"), ("/usr/bin/uname", "uname -a")]


def answers(runs, exe=NGINX, at=2, below=None, **values):
    made = machine(exe).add("connections", PROGRAM, **link(1, **{"role": "server", "remote_port": 40_000, **values})[1])
    if below:
        made.process(below, DASH, "sh -c x", PROGRAM)
    for number, (program, argv) in enumerate(runs):
        made.execute(program, argv, upid=NEXT + number, parent=below or PROGRAM, parent_exe=exe, at=at)
    return made


check(
    "web_shell",
    [
        answers([ASKS]), answers(LOOKS[:1]), answers([ASKS], "/usr/sbin/php-fpm8.2", remote_port=None),
        answers([(BASH, "bash -i")], SERVED), answers(LOOKS, SERVED), answers(LOOKS, SERVED, below=30),
    ],
    [
        answers([ASKS], role="client"), answers([ASKS], remote_port=None), answers([ASKS], at=0.5),
        answers([("/usr/bin/convert", "convert x")]), answers([(BASH, "bash -i")], "/usr/sbin/sshd"),
        answers([ASKS], SERVED), answers(LOOKS[:1], SERVED), answers(LOOKS[:1] * 2, SERVED),
    ],
)


# preload_injection: a library that is opened before the C library.
LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6"


def loaded(library="/tmp/hook.so", exe="/usr/bin/true", operation="read", run=0, at=1, libc=2, looks=()):
    made = Machine().execute(exe, "x", at=run)
    made.access(operation, library, at=at).access("read", LIBC, at=libc)
    for operation, path, moment in looks:
        made.access(operation, path, at=moment)
    # What is recorded here is no allocations, so that no library is the recorder's own, whatever its name.
    made.add("segments", PROGRAM, kind="syscalls")
    return made


check(
    "preload_injection",
    [
        loaded(), loaded("/dev/shm/ebrec-12-ab/libebrec.so"), loaded(looks=[("stat", LIBC, 0.5)]),
        loaded(looks=[("read", LIBC, -1)]),
        Machine().execute("/usr/bin/env", "env LD_PRELOAD=/tmp/hook.so id"),
    ],
    [
        loaded("/srv/hook.so"), loaded(operation="stat"), loaded(exe="/home/ada/tool"), loaded(run=1.5), loaded(at=3),
        # One that is linked without a C library.
        Machine()
        .execute("/usr/bin/true", "x")
        .access("read", "/tmp/hook.so", at=1)
        .access("read", "/usr/lib/libm.so.6", at=2),
        Machine().execute("/usr/bin/env", "env LD_PRELOAD=/srv/hook.so id"),
        Machine().execute("/usr/bin/echo", "echo LD_PRELOAD=/tmp/hook.so"),
    ],
)


# download_to_shell: curl, and what runs what it has received.
def fetches(by=PROGRAM, parent=1, begun=0, **values):
    made = Machine().process(by, "/usr/bin/curl", "curl x", parent, start_ts=begun, end_ts=2)
    return made.add("connections", by, **link(0.5, **values)[1])


def given(exe=BASH, argv="bash", parent=1, begun=0.01, at=0.02, ended=None, **values):
    """A shell beside it in a pipe."""
    made = fetches(**values).process(NEXT, exe, argv, parent, start_ts=begun, end_ts=ended)
    return made.execute(exe, argv, upid=NEXT, parent=parent, at=at)


def told(parent=1, length=300, at=2.05, **values):
    """A shell that runs a text, as an argument, after it."""
    return fetches(**{"received_bytes": 1000, **values}).execute(
        DASH, "sh -c " + "x" * length, upid=NEXT, parent=parent, at=at
    )


def saved(path="/srv/x.sh", operation="write", others=0, at=1, run=1.5, by=NEXT, fails=False):
    """A shell that is given a file that it wrote."""
    made = fetches().access(operation, path, at=at, fails=fails)
    for number in range(others):
        made.access("write", f"/srv/other/{number}", at=at)
    return made.execute(DASH, f"sh {path}", upid=by, at=run)


def calls_first():
    """A shell that runs no script, and a download that it starts later."""
    made = Machine().process(NEXT, BASH, "bash", start_ts=0).execute(BASH, "bash", upid=NEXT, at=0.02)
    made.process(PROGRAM, "/usr/bin/curl", "curl x", NEXT, start_ts=0.05, end_ts=2)
    return made.add("connections", PROGRAM, **link(0.5)[1])


check(
    "download_to_shell",
    [
        given(), told(), saved(), saved("/dev/shm/x.sh"),
        # A device is no file that it brought.
        saved(others=4).access("write", "/dev/null", at=1),
    ],
    [
        given(role="server"), given(remote_port=53), given(received_bytes=0), given(protocol="unix_stream", remote_port=None),
        given("/usr/bin/cat", "cat"), given(argv="bash x.sh"), given(begun=0.5, at=0.51), given(ended=0.3),
        given(at=3), given(parent=PROGRAM),
        # A shell that calls by itself.
        fetches().execute(BASH, "bash", at=0.02),
        calls_first(),
        told(length=200), told(at=3), told(received_bytes=200), told(received_bytes=100_000),
        saved(operation="read"), saved(fails=True), saved(at=0.2), saved(others=5), saved(run=0.9), saved(by=PROGRAM),
    ],
)
