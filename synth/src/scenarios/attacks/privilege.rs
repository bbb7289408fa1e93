//! Rights that are gained, other processes that are taken over, ways out of a container.

use super::stage::{
    ALL_CAPABILITIES, CREATE, Call, Image, Link, MICROSECOND, MILLISECOND, READ, READ_WRITE,
    SECOND, Stage, TRUNCATE, WRITE,
};
use super::{Plant, plant};

pub(super) const PLANTS: &[Plant] = &[
    plant("setuid_escalation", setuid_escalation, no_setuid_escalation),
    plant("capability_gain", capability_gain, no_capability_gain),
    plant("sudoers_change", sudoers_change, no_sudoers_change),
    plant("ptrace_attach", ptrace_attach, no_ptrace_attach),
    plant("process_memory_write", process_memory_write, no_process_memory_write),
    plant("kernel_module", kernel_module, no_kernel_module),
    plant("bpf_load", bpf_load, no_bpf_load),
    plant("namespace_escape", namespace_escape, no_namespace_escape),
    plant("host_mount", host_mount, no_host_mount),
    plant("kernel_helper_write", kernel_helper_write, no_kernel_helper_write),
    plant("unusual_syscalls", unusual_syscalls, no_unusual_syscalls),
];

/// Requests of ptrace, and commands of bpf.
const PTRACE_ATTACH: i64 = 16;
const PTRACE_SEIZE: i64 = 16_902;
const PTRACE_PEEKUSER: i64 = 3;
const BPF_MAP_CREATE: i64 = 0;
const BPF_PROG_LOAD: i64 = 5;
const CAP_SETUID: i64 = 1 << 7;
const CAP_SYS_PTRACE: i64 = 1 << 19;
const CAP_NET_RAW: i64 = 1 << 13;

/// A user becomes root without a tool that is for it.
fn setuid_escalation(stage: &mut Stage) {
    let shell = stage.shell(1000);
    match stage.turn % 2 {
        // By a bug.
        0 => {
            let path = stage.fresh("/home/ada/exploit");
            let child = stage.start(shell, Image::new(path, ""));
            stage.wait_between(SECOND / 10, 3 * SECOND);
            stage.setuid(child, (1000, 1000), (0, 0), ALL_CAPABILITIES);
            stage.finding(child);
            stage.exit(child, 0);
        }
        // By a program that somebody left.
        _ => {
            let path = stage.fresh("/srv/rootshell");
            let child = stage.start(shell, Image::new(path, "-p").euid(0));
            stage.finding(child);
            stage.wait(SECOND);
            stage.exit(child, 0);
        }
    }
}

/// Tools that are for it, and servers that put on and off their rights.
fn no_setuid_escalation(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let sudo = stage.start(shell, Image::new("/usr/bin/sudo", "apt-get update").euid(0));
    stage.setuid(sudo, (1000, 0), (0, 0), ALL_CAPABILITIES);
    stage.run(sudo, Image::new("/usr/bin/apt-get", "update").uid(0));
    stage.exit(sudo, 0);
    let other = stage.start(shell, Image::new("/usr/bin/newgrp", "docker"));
    stage.setuid(other, (1000, 1000), (1001, 1001), 0);
    stage.exit(other, 0);
    let server = stage.start(stage.cast.systemd, Image::new("/usr/sbin/exim4", "-bd"));
    stage.setuid(server, (0, 0), (0, 33), 0);
    stage.setuid(server, (0, 33), (0, 0), ALL_CAPABILITIES);
    let root = stage.shell(0);
    let plain = stage.run(root, Image::new("/srv/bin/tool", ""));
    for who in [sudo, other, server, plain] {
        stage.lookalike(who);
    }
}

/// Has a process become a program, whose file changes the capabilities meanwhile.
fn exec_with(stage: &mut Stage, who: u32, image: Image, users: [(i64, i64); 2], caps: i64) {
    let begin = stage.now;
    stage.exec(who, image);
    let end = stage.now;
    // Before the program begins, and within the call.
    stage.now = end - 500 * MICROSECOND;
    stage.setuid(who, users[0], users[1], caps);
    assert!(begin < stage.now && stage.now < end);
    stage.now = end;
}

/// A program whose file carries capabilities that are as good as root.
fn capability_gain(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let child = stage.fork(shell);
    let image = match stage.turn % 2 {
        0 => Image::new(stage.fresh("/srv/tools/python3-"), "-i"),
        _ => Image::new("/usr/bin/gdb", "-p 1"),
    };
    let caps = if stage.turn.is_multiple_of(2) { CAP_SETUID } else { CAP_SYS_PTRACE };
    exec_with(stage, child, image, [(1000, 1000), (1000, 1000)], caps);
    stage.finding(child);
    stage.exit(child, 0);
}

/// `ping`, namespaces of users, and servers that keep one capability.
fn no_capability_gain(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let user = [(1000, 1000), (1000, 1000)];
    let ping = stage.fork(shell);
    exec_with(stage, ping, Image::new("/usr/bin/ping", "10.0.0.1"), user, CAP_NET_RAW);
    let space = stage.fork(shell);
    exec_with(stage, space, Image::new("/srv/bin/box", ""), user, ALL_CAPABILITIES);
    let maps = stage.fork(shell);
    exec_with(stage, maps, Image::new("/usr/bin/newuidmap", "77 0 1000 1"), user, CAP_SETUID);
    let root = stage.shell(0);
    let server = stage.fork(root);
    let down = [(0, 0), (33, 33)];
    exec_with(stage, server, Image::new("/srv/bin/served", ""), down, CAP_SETUID);
    // Long after it had begun.
    let late = stage.start(shell, Image::new("/srv/bin/late", ""));
    stage.wait(10 * MILLISECOND);
    stage.setuid(late, (1000, 1000), (1000, 1000), CAP_SETUID);
    for who in [ping, space, maps, server, late] {
        stage.lookalike(who);
        stage.exit(who, 0);
    }
}

/// A rule that lets a user be root.
fn sudoers_change(stage: &mut Stage) {
    let file = stage.fresh("/etc/sudoers.d/90-");
    let child = stage.script();
    match stage.turn {
        0 => stage.write(child, file),
        1 => stage.move_file(child, "/srv/tools/sudoers", "/etc/sudoers"),
        2 => stage.symlink(child, "/etc/sudoers", "/tmp/notes.txt"),
        _ => stage.chmod(child, "/etc/sudoers", 0o666),
    }
    stage.finding(child);
}

/// Programs that read the rules, packages that bring some, and others' files.
fn no_sudoers_change(stage: &mut Stage) {
    let child = stage.script();
    stage.read(child, "/etc/sudoers");
    stage.write(child, "/etc/sudo.conf.d/x");
    stage.open_fails(child, "/etc/sudoers", WRITE | CREATE, 13);
    let package = stage.packaged();
    stage.write(package, "/etc/sudoers.d/package");
    stage.lookalike(child);
    stage.lookalike(package);
}

/// Takes control of a service.
fn ptrace_attach(stage: &mut Stage) {
    let shell = stage.shell(0);
    let child = stage.start(shell, Image::new("/srv/tools/inject", ""));
    let target = stage.random.pick(&[stage.cast.sshd, stage.cast.nginx, stage.cast.redis]);
    let target = i64::from(stage.pid(target));
    let request = if stage.turn.is_multiple_of(2) { PTRACE_ATTACH } else { PTRACE_SEIZE };
    stage.call(child, Call::new("ptrace").arg("request", request).arg("pid", target));
    stage.finding(child);
    stage.exit(child, 0);
}

/// Debuggers of what they started, and a helper that looks at its own parent.
fn no_ptrace_attach(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let ptrace =
        |request, pid: i32| Call::new("ptrace").arg("request", request).arg("pid", i64::from(pid));
    let strace = stage.start(shell, Image::new("/usr/bin/strace", "-f ./tool"));
    let tool = stage.start(strace, Image::new("/srv/bin/tool", ""));
    stage.call(strace, ptrace(PTRACE_SEIZE, stage.pid(tool)));
    let checker = stage.fork(tool);
    stage.call(checker, ptrace(PTRACE_ATTACH, stage.pid(tool)));
    stage.exit(checker, 0);
    stage.exit(tool, 0);
    stage.exit(strace, 0);
    let gdb = stage.start(shell, Image::new("/usr/bin/gdb", "-p 1"));
    let target = stage.pid(stage.cast.sshd);
    stage.call(gdb, ptrace(PTRACE_ATTACH, target).ret(-1));
    stage.call(gdb, ptrace(PTRACE_PEEKUSER, target));
    stage.exit(gdb, 0);
    for who in [strace, checker, gdb] {
        stage.lookalike(who);
    }
}

/// Writes code into a running program.
fn process_memory_write(stage: &mut Stage) {
    let shell = stage.shell(0);
    let child = stage.start(shell, Image::new("/srv/tools/patch", ""));
    let target = stage.random.pick(&[stage.cast.sshd, stage.cast.postgres, stage.cast.cron]);
    let target = stage.pid(target);
    if stage.turn.is_multiple_of(2) {
        let own = if stage.turn == 2 { format!("task/{target}/") } else { String::new() };
        let thread = stage.thread(child);
        stage.open(thread, format!("/proc/{target}/{own}mem"), READ_WRITE);
    } else {
        let call = Call::new("process_vm_writev").arg("pid", i64::from(target));
        stage.call(child, call.arg("liovcnt", 1).arg("riovcnt", 1).ret(512));
    }
    stage.finding(child);
    stage.exit(child, 0);
}

/// Debuggers of what they started, ranks of one job, and who only reads.
fn no_process_memory_write(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let launcher = stage.start(shell, Image::new("/usr/bin/mpirun", "-n 2 rank"));
    let first = stage.start(launcher, Image::new("/srv/bin/rank", "0"));
    let second = stage.start(launcher, Image::new("/srv/bin/rank", "1"));
    let other = i64::from(stage.pid(second));
    stage.call(first, Call::new("process_vm_writev").arg("pid", other).ret(4_096));
    let gdb = stage.start(shell, Image::new("/usr/bin/gdb", "./tool"));
    let tool = stage.start(gdb, Image::new("/srv/bin/tool", ""));
    let (own, child) = (stage.pid(gdb), stage.pid(tool));
    stage.open(gdb, format!("/proc/{child}/mem"), READ_WRITE);
    stage.open(gdb, format!("/proc/{own}/mem"), READ_WRITE);
    stage.open(gdb, "/proc/self/mem", READ_WRITE);
    let sshd = stage.pid(stage.cast.sshd);
    let reader = stage.start(shell, Image::new("/srv/bin/top-agent", ""));
    stage.open(reader, format!("/proc/{sshd}/mem"), READ);
    let readv = Call::new("process_vm_readv").arg("pid", i64::from(sshd));
    stage.call(reader, readv.ret(512));
    let writev = Call::new("process_vm_writev").arg("pid", i64::from(sshd));
    stage.call(reader, writev.ret(-1));
    stage.open_fails(reader, format!("/proc/{sshd}/mem"), READ_WRITE, 13);
    for who in [first, second, tool, gdb, launcher, reader] {
        stage.exit(who, 0);
    }
    for who in [first, gdb, reader] {
        stage.lookalike(who);
    }
}

/// Code that is put into the kernel, or taken out.
fn kernel_module(stage: &mut Stage) {
    let shell = stage.shell(0);
    let child = match stage.turn {
        0 => {
            let child =
                stage.start(shell, Image::new("/usr/bin/kmod", "").argv("insmod /srv/e.ko"));
            stage.read(child, "/srv/e.ko");
            stage.call(child, Call::new("finit_module").arg("fd", 3));
            child
        }
        1 => {
            let child = stage.start(shell, Image::new("/usr/bin/python3.11", "/srv/tools/l.py"));
            stage.call(child, Call::new("init_module").arg("len", 80_000));
            child
        }
        2 => {
            let child = stage.start(shell, Image::new("/usr/bin/kmod", "").argv("rmmod kvm"));
            stage.call(child, Call::new("delete_module"));
            child
        }
        _ => {
            let child = stage.start(shell, Image::new("/usr/bin/python3.11", "/srv/tools/m.py"));
            stage.read(child, "/lib/modules/6.12.57/kernel/drivers/net/dummy.ko");
            stage.call(child, Call::new("finit_module").arg("fd", 3).ret(-1));
            child
        }
    };
    stage.finding(child);
    stage.exit(child, 0);
}

/// Modules of the system, loaded by the tools that are for it.
fn no_kernel_module(stage: &mut Stage) {
    let shell = stage.shell(0);
    let modprobe = Image::new("/usr/bin/kmod", "").path("/sbin/modprobe").argv("modprobe dummy");
    let modprobe = stage.start(shell, modprobe);
    stage.read(modprobe, "/lib/modules/6.12.57/kernel/drivers/net/dummy.ko.xz");
    stage.call(modprobe, Call::new("finit_module").arg("fd", 3));
    let udev = stage.start(stage.cast.systemd, Image::new("/usr/lib/systemd/systemd-udevd", ""));
    stage.read(udev, "/usr/lib/modules/6.12.57/kernel/drivers/usb/usbhid.ko");
    stage.call(udev, Call::new("finit_module").arg("fd", 7));
    let lists = stage.start(shell, Image::new("/usr/bin/kmod", "").argv("lsmod"));
    stage.read(lists, "/proc/modules");
    for who in [modprobe, udev, lists] {
        stage.lookalike(who);
        stage.exit(who, 0);
    }
}

fn bpf(command: i64, ret: i64) -> Call {
    Call::new("bpf").arg("cmd", command).arg("size", 144).ret(ret)
}

/// A program that nobody knows looks into the kernel.
fn bpf_load(stage: &mut Stage) {
    let shell = stage.shell(0);
    let path = stage.fresh("/srv/tools/watch");
    let child = stage.start(shell, Image::new(path, ""));
    for _ in 0..stage.random.between(0, 3) {
        stage.call(child, bpf(BPF_MAP_CREATE, 6));
    }
    stage.call(child, bpf(BPF_PROG_LOAD, 7));
    stage.finding(child);
    stage.wait(SECOND);
    stage.exit(child, 0);
}

/// Tools that are known, maps without programs, and refusals.
fn no_bpf_load(stage: &mut Stage) {
    let shell = stage.shell(0);
    let known = stage.start(shell, Image::new("/usr/bin/bpftrace", "-l"));
    stage.call(known, bpf(BPF_PROG_LOAD, 7));
    let maps = stage.start(shell, Image::new("/srv/tools/maps", ""));
    stage.call(maps, bpf(BPF_MAP_CREATE, 7));
    let refused = stage.start(shell, Image::new("/srv/tools/refused", ""));
    stage.call(refused, bpf(BPF_PROG_LOAD, -1));
    stage.call(refused, Call::new("perf_event_open").arg("pid", 5).ret(9));
    for who in [known, maps, refused] {
        stage.lookalike(who);
        stage.exit(who, 0);
    }
}

/// A process in a container goes into the namespaces of the machine.
fn namespace_escape(stage: &mut Stage) {
    let shell = stage.container(Image::new("/usr/bin/bash", "").uid(0));
    let child = stage.start(shell, Image::new("/usr/bin/nsenter", "-t 1 -m -n sh"));
    if stage.turn.is_multiple_of(2) {
        stage.open(child, "/proc/1/ns/mnt", READ);
    } else {
        stage.call(child, Call::new("pidfd_open").arg("pid", 1).ret(3));
    }
    stage.call(child, Call::new("setns").arg("fd", 3).arg("nstype", 0x2_0000));
    stage.finding(child);
    stage.wait(SECOND);
    stage.exit(child, 0);
}

/// Runtimes that go in before they run a program, and processes that are in no container.
fn no_namespace_escape(stage: &mut Stage) {
    let setns = || Call::new("setns").arg("fd", 3);
    let shell = stage.shell(0);
    let outside = stage.start(shell, Image::new("/usr/bin/nsenter", "-t 1 -m sh"));
    stage.open(outside, "/proc/1/ns/mnt", READ);
    stage.call(outside, setns());
    let inside = stage.container(Image::new("/usr/bin/bash", "").uid(0));
    // `docker exec`: it goes in, then runs the program.
    let runtime = stage.fork(inside);
    stage.open(runtime, "/proc/1/ns/mnt", READ);
    stage.call(runtime, setns());
    stage.exec(runtime, Image::new("/usr/bin/id", ""));
    let refused = stage.start(inside, Image::new("/usr/bin/nsenter", "-t 1 -m sh"));
    stage.open(refused, "/proc/1/ns/mnt", READ);
    stage.call(refused, setns().ret(-1));
    let named = stage.start(inside, Image::new("/usr/sbin/ip", "netns exec blue id"));
    stage.open(named, "/run/netns/blue", READ);
    stage.open(named, "/proc/7/task/8/ns/net", READ);
    stage.open_fails(named, "/proc/1/ns/mnt", READ, 13);
    stage.call(named, setns());
    for who in [outside, runtime, refused, named] {
        stage.lookalike(who);
        stage.exit(who, 0);
    }
}

/// A container gets at the disk of the machine.
fn host_mount(stage: &mut Stage) {
    let mount = Call::new("mount");
    let child = match stage.turn {
        0 | 1 => {
            let shell = stage.container(Image::new("/usr/bin/bash", "").uid(0));
            if stage.turn == 0 {
                let child = stage.start(shell, Image::new("/usr/sbin/debugfs", "/dev/vda1"));
                stage.open(child, "/dev/vda1", READ);
                child
            } else {
                let child = stage.start(shell, Image::new("/usr/bin/mount", "/dev/sda2 /mnt"));
                stage.call(child, mount.path("/dev/sda2").path2("/mnt"));
                child
            }
        }
        // The root of the machine is mounted by the runtime, on its way in.
        _ => {
            let init = stage.container(Image::new("/usr/bin/runc", "").argv("runc init"));
            let target = "/var/lib/docker/overlay2/a1/merged/host";
            stage.call(init, mount.path("/").path2(target));
            stage.exec(init, Image::new("/usr/bin/bash", ""));
            init
        }
    };
    stage.finding(child);
    stage.wait(SECOND);
    stage.exit(child, 0);
}

/// The same outside of containers, and what is no disk or is not reached.
fn no_host_mount(stage: &mut Stage) {
    let mount = || Call::new("mount");
    let root = stage.shell(0);
    let outside = stage.start(root, Image::new("/usr/bin/mount", "/dev/sda2 /mnt"));
    stage.call(outside, mount().path("/dev/sda2").path2("/mnt"));
    let init = stage.container(Image::new("/usr/bin/runc", "").argv("runc init"));
    stage.call(init, mount().path("/").path2("/"));
    stage.exec(init, Image::new("/usr/bin/bash", ""));
    let inside = stage.start(init, Image::new("/usr/bin/mount", "--bind / /srv/x"));
    stage.open(inside, "/dev/null", READ_WRITE);
    stage.open_fails(inside, "/dev/sda1", READ, 1);
    stage.call(inside, mount().path("/dev/sda1").path2("/mnt").ret(-1));
    stage.call(inside, Call::new("newfstatat").path("/dev/sda1"));
    stage.call(inside, mount().path("/").path2("/srv/x"));
    for who in [outside, init, inside] {
        stage.lookalike(who);
        stage.exit(who, 0);
    }
}

/// What the kernel itself runs is changed.
fn kernel_helper_write(stage: &mut Stage) {
    if stage.turn.is_multiple_of(2) {
        let child = stage.script();
        stage.open(child, "/proc/sys/kernel/core_pattern", WRITE | TRUNCATE);
        stage.finding(child);
    } else {
        let shell = stage.container(Image::new("/usr/bin/bash", "").uid(0));
        let child = stage.start(shell, Image::new("/usr/bin/tee", "release_agent"));
        stage.open(child, "/sys/fs/cgroup/rdma/release_agent", WRITE | CREATE);
        stage.finding(child);
        stage.exit(child, 0);
    }
}

/// The tools that put settings in place, and other settings.
fn no_kernel_helper_write(stage: &mut Stage) {
    let sysctl = Image::new("/usr/lib/systemd/systemd-sysctl", "");
    let sysctl = stage.start(stage.cast.systemd, sysctl);
    stage.open(sysctl, "/proc/sys/kernel/core_pattern", WRITE | TRUNCATE);
    stage.exit(sysctl, 0);
    let child = stage.script();
    stage.open(child, "/proc/sys/kernel/panic", WRITE);
    stage.open(child, "/proc/sys/kernel/modprobe", READ);
    stage.open_fails(child, "/proc/sys/kernel/core_pattern", WRITE, 13);
    stage.lookalike(sysctl);
    stage.lookalike(child);
}

/// A service calls the kernel for what is not its business.
fn unusual_syscalls(stage: &mut Stage) {
    let port = stage.random.between(2_000, 2_200) as i32;
    let server = stage.start(stage.cast.systemd, Image::new("/usr/sbin/named", "-f"));
    if stage.turn.is_multiple_of(2) {
        stage.link(server, &Link::listener(port));
    } else {
        stage.link(server, &Link::from("10.0.0.77", 40_200, port));
    }
    stage.wait_between(SECOND, 20 * SECOND);
    let names = ["userfaultfd", "keyctl", "perf_event_open", "modify_ldt", "process_vm_readv"];
    for name in &names[stage.turn % 3..][..2] {
        stage.call(server, Call::new(name).ret(if stage.turn == 1 { -1 } else { 4 }));
    }
    stage.finding(server);
    stage.wait(SECOND);
    stage.exit(server, 0);
}

/// A service that is got ready first, one that nobody calls, and logins with a keyring.
fn no_unusual_syscalls(stage: &mut Stage) {
    let server = stage.start(stage.cast.systemd, Image::new("/usr/sbin/named", "-f"));
    stage.call(server, Call::new("keyctl").ret(4));
    stage.link(server, &Link::listener(2_300));
    stage.call(server, Call::new("prctl").arg("option", 15));
    let idle = stage.start(stage.cast.systemd, Image::new("/usr/sbin/tuned", ""));
    stage.call(idle, Call::new("perf_event_open").ret(5));
    let unix = Link { local: "/run/tuned".to_string(), ..Link::listener(-1) };
    stage.link(idle, &unix.protocol("unix_stream"));
    stage.call(idle, Call::new("userfaultfd").ret(6));
    let sshd = stage.start(stage.cast.sshd, Image::new("/usr/sbin/sshd", "-D -R"));
    stage.link(sshd, &Link::from("10.0.0.5", 40_300, 22).bytes(9_000, 4_000));
    stage.call(sshd, Call::new("keyctl").ret(4));
    for who in [server, idle, sshd] {
        stage.lookalike(who);
        stage.wait(SECOND);
        stage.exit(who, 0);
    }
}
