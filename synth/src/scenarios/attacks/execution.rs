//! Programs that are run from where they should not be, or in a way that they should not.

use super::stage::{CREATE, Call, Image, Link, MILLISECOND, READ, SECOND, Stage, WRITE};
use super::{Plant, plant};

pub(super) const PLANTS: &[Plant] = &[
    plant("fileless_exec", fileless_exec, no_fileless_exec),
    plant("exec_from_temp", exec_from_temp, no_exec_from_temp),
    plant("deleted_binary", deleted_binary, no_deleted_binary),
    plant("self_deletion", self_deletion, no_self_deletion),
    plant("preload_injection", preload_injection, no_preload_injection),
    plant("compat_syscalls", compat_syscalls, no_compat_syscalls),
    plant("hidden_program", hidden_program, no_hidden_program),
    plant("masquerading_name", masquerading_name, no_masquerading_name),
];

/// A loader that gets a program over the network and runs it from memory.
fn fileless_exec(stage: &mut Stage) {
    let shell = stage.shell(0);
    let image = match stage.turn {
        0 => Image::new("/memfd:x", "").path("/proc/self/fd/5").argv("x").comm("5"),
        1 => Image::new("/", "").path("/dev/fd/3").argv("agent --daemon").comm("3"),
        2 => Image::new("/home/ada/tool", "").path("/proc/self/fd/4").argv("tool").comm("4"),
        _ => Image::new("/usr/bin/dash", "").path("/dev/fd/3").argv("/bin/sh /dev/fd/3").comm("3"),
    };
    let loader = Image::new("/usr/bin/python3.11", "/srv/tools/load.py");
    let loader = stage.start(shell, loader);
    stage.call(loader, Call::new("memfd_create").arg("flags", 1).ret(5));
    let child = stage.start(loader, image);
    stage.wait(20 * MILLISECOND);
    stage.finding(child);
    stage.exit(child, 0);
}

/// Ordinary programs, the manager of services, and a runtime of containers.
fn no_fileless_exec(stage: &mut Stage) {
    let shell = stage.shell(0);
    let plain = stage.run(shell, Image::new("/usr/bin/ls", "-l"));
    let executor = Image::new("/usr/lib/systemd/systemd-executor", "--deserialize 51");
    let systemd = stage.cast.systemd;
    let executor = stage.run(systemd, executor.path("/proc/self/fd/9").comm("systemd-executo"));
    let runtime = stage.start(stage.cast.dockerd, Image::new("/usr/bin/runc", "create b1"));
    let clone = Image::new("/memfd:runc_cloned:/proc/self/exe", "").path("/proc/self/exe");
    let clone = stage.run(runtime, clone.argv("runc init").comm("runc:[2:INIT]"));
    for who in [plain, executor, clone] {
        stage.lookalike(who);
    }
}

/// Something that was put into a folder that is open to all is run there.
fn exec_from_temp(stage: &mut Stage) {
    let shell = stage.shell(33);
    let name = stage.fresh("upd");
    let path = match stage.turn {
        0 => format!("/tmp/{name}"),
        1 => format!("/dev/shm/{name}"),
        2 => format!("/var/tmp/work/{name}"),
        _ => format!("/run/user/33/{name}"),
    };
    let writer = match stage.turn {
        0 => Some(stage.start(shell, Image::new("/usr/bin/cp", format!("/srv/up/{name} {path}")))),
        2 => Some(stage.start(shell, Image::new("/usr/bin/chmod", format!("+x {path}")))),
        3 => Some(stage.start(shell, Image::new("/usr/bin/mv", format!("up {path}")))),
        // In shared memory nothing has to be seen before.
        _ => None,
    };
    if let Some(writer) = writer {
        match stage.turn {
            0 => stage.write(writer, path.clone()),
            2 => stage.chmod(writer, path.clone(), 0o755),
            _ => stage.move_file(writer, "/srv/up/new", path.clone()),
        }
        stage.exit(writer, 0);
    }
    stage.wait_between(SECOND / 5, 3 * SECOND);
    let child = stage.start(shell, Image::new(path, "-q"));
    stage.wait_between(SECOND, 4 * SECOND);
    stage.finding(child);
    stage.exit(child, 0);
}

/// Compilers, packages of sources and programs that lie elsewhere.
fn no_exec_from_temp(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let folder = stage.fresh("/tmp/build");
    let tested = format!("{folder}/conftest");
    let linker = Image::new("/usr/bin/x86_64-linux-gnu-ld.bfd", format!("-o {tested} conftest.o"));
    let linker = stage.start(shell, linker);
    stage.write(linker, tested.clone());
    stage.exit(linker, 0);
    let built = stage.run(shell, Image::new(tested, ""));
    let script = format!("{folder}/configure");
    let tar = stage.start(shell, Image::new("/usr/bin/tar", "xf src.tar"));
    stage.write(tar, script.clone());
    stage.exit(tar, 0);
    let image = Image::new("/usr/bin/dash", "").argv(format!("/bin/sh {script}")).path(script);
    let unpacked = stage.run(shell, image);
    // What lay there before and is only read, or is not in such a folder.
    let old = format!("{folder}/old");
    let reader = stage.start(shell, Image::new("/usr/bin/cksum", old.clone()));
    stage.read(reader, old.clone());
    stage.open_fails(reader, old.clone(), WRITE | CREATE, 13);
    stage.exit(reader, 0);
    let untouched = stage.run(shell, Image::new(old.clone(), ""));
    let copier = stage.start(shell, Image::new("/usr/bin/cp", format!("new {old}")));
    stage.write(copier, old);
    stage.exit(copier, 0);
    let elsewhere = stage.fresh("/srv/w/x");
    let copier = stage.start(shell, Image::new("/usr/bin/cp", format!("x {elsewhere}")));
    stage.write(copier, elsewhere.clone());
    stage.exit(copier, 0);
    let elsewhere = stage.run(shell, Image::new(elsewhere, ""));
    for who in [built, unpacked, untouched, elsewhere] {
        stage.lookalike(who);
    }
}

/// The file of a program is removed while it runs.
fn deleted_binary(stage: &mut Stage) {
    if stage.turn == 3 {
        // It was removed before the recording.
        let agent = stage.old("/home/ada/agent (deleted)");
        stage.finding(agent);
        return;
    }
    let shell = stage.shell(0);
    // Whoever names files may put anything into the name.
    let path = stage.fresh("/srv/agents/it's \u{1b}[2J\n{exe} %s ");
    let agent = stage.start(shell, Image::new(path.clone(), "").argv("agent --daemon"));
    stage.wait_between(SECOND, 5 * SECOND);
    let remover = match stage.turn {
        1 => stage.start(shell, Image::new("/usr/bin/python3.11", "/srv/tools/clean.py")),
        _ => stage.start(shell, Image::new("/usr/bin/rm", format!("-f {path}"))),
    };
    stage.unlink(remover, path);
    stage.exit(remover, 0);
    stage.finding(agent);
    stage.wait_between(5 * SECOND, 40 * SECOND);
    if stage.turn != 0 {
        stage.exit(agent, 0);
    }
}

/// Files that are replaced, and that are removed when nothing runs from them.
fn no_deleted_binary(stage: &mut Stage) {
    let shell = stage.shell(0);
    // An upgrade.
    let path = stage.fresh("/usr/bin/served");
    let served = stage.start(stage.cast.systemd, Image::new(path.clone(), ""));
    stage.wait(SECOND);
    let dpkg = stage.start(shell, Image::new("/usr/bin/dpkg", "--unpack served.deb"));
    stage.unlink(dpkg, path);
    stage.exit(dpkg, 0);
    // One that is made anew by who removed it.
    let path = stage.fresh("/srv/bin/tool");
    let tool = stage.start(shell, Image::new(path.clone(), ""));
    let install = stage.start(shell, Image::new("/usr/bin/install", format!("tool {path}")));
    stage.unlink(install, path.clone());
    stage.write(install, path);
    stage.exit(install, 0);
    stage.exit(tool, 0);
    // Before it was started, after it had ended, in vain, and another file.
    let path = stage.fresh("/srv/bin/job");
    let rm = stage.start(shell, Image::new("/usr/bin/rm", format!("-f {path}")));
    stage.unlink(rm, path.clone());
    stage.wait(SECOND);
    let job = stage.start(shell, Image::new(path.clone(), ""));
    stage.call(rm, Call::new("unlinkat").path(path.clone()).ret(-13));
    stage.unlink(rm, format!("{path}.old"));
    stage.chmod(rm, path.clone(), 0o700);
    stage.wait(SECOND);
    stage.exit(job, 0);
    stage.wait(SECOND);
    stage.unlink(rm, path);
    stage.exit(rm, 0);
    for who in [served, tool, job] {
        stage.lookalike(who);
    }
}

/// A dropper that removes itself, and a script that does.
fn self_deletion(stage: &mut Stage) {
    let shell = stage.shell(0);
    let path = stage.fresh("/srv/drops/drop");
    if stage.turn.is_multiple_of(2) {
        let drop = stage.start(shell, Image::new(path.clone(), ""));
        stage.wait_between(SECOND / 10, SECOND);
        stage.unlink(drop, path);
        stage.finding(drop);
        // It runs on without its file.
        stage.finding_of("deleted_binary", drop);
        stage.wait_between(SECOND, 9 * SECOND);
        stage.exit(drop, 0);
    } else {
        let image =
            Image::new("/usr/bin/bash", "").path("/bin/bash").argv(format!("bash {path}.sh"));
        let script = stage.start(shell, image);
        let rm = stage.start(script, Image::new("/usr/bin/rm", format!("-- {path}.sh")));
        stage.unlink(rm, format!("{path}.sh"));
        stage.exit(rm, 0);
        stage.finding(script);
        stage.exit(script, 0);
    }
}

/// Programs that remove what others are, or fail to.
fn no_self_deletion(stage: &mut Stage) {
    let shell = stage.shell(0);
    let path = stage.fresh("/srv/drops/tool");
    let other = stage.start(shell, Image::new("/usr/bin/rm", format!("-f {path}")));
    stage.unlink(other, path.clone());
    stage.exit(other, 0);
    stage.wait(SECOND);
    let tool = stage.start(shell, Image::new(path.clone(), ""));
    stage.chmod(tool, path.clone(), 0o600);
    stage.call(tool, Call::new("unlinkat").path(path.clone()).ret(-13));
    stage.unlink(tool, format!("{path}.lock"));
    stage.wait(SECOND);
    stage.exit(tool, 0);
    stage.wait(SECOND);
    // Afterwards somebody else cleans up.
    let cleaner = stage.start(shell, Image::new("/usr/bin/rm", format!("-f {path}")));
    stage.unlink(cleaner, path);
    stage.exit(cleaner, 0);
    stage.lookalike(tool);
}

const LIBC: &str = "/lib/x86_64-linux-gnu/libc.so.6";

/// A library from a folder that is open to all is loaded into a program of the system.
fn preload_injection(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let hook = stage.fresh("/tmp/hook");
    if stage.turn.is_multiple_of(2) {
        let victim = stage.start(shell, Image::new("/usr/bin/passwd", ""));
        // The second has the name of the recorder's own, of which there is none in this recording.
        let library = match stage.turn {
            0 => format!("{hook}.so"),
            _ => "/dev/shm/ebrec-4242-1f/libebrec.so".to_string(),
        };
        stage.read(victim, library);
        stage.read(victim, "/etc/ld.so.cache");
        stage.read(victim, LIBC);
        stage.finding(victim);
        stage.exit(victim, 0);
    } else {
        let argv = format!("env 'LD_PRELOAD={hook}.so' id");
        let env = stage.start(shell, Image::new("/usr/bin/env", "").argv(argv));
        stage.finding(env);
        stage.exec(env, Image::new("/usr/bin/id", ""));
        stage.exit(env, 0);
    }
}

/// Libraries that are loaded later, lie where they belong, or belong to a program that was built there.
fn no_preload_injection(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let hook = stage.fresh("/tmp/plugin");
    let late = stage.start(shell, Image::new("/usr/bin/gimp", ""));
    stage.read(late, "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2");
    stage.call(late, Call::new("newfstatat").path(format!("{hook}.so")));
    stage.open_fails(late, format!("{hook}-old.so"), READ, 2);
    // Looked for by the loader, which finds nothing; the program makes it and loads it itself.
    stage.open_fails(late, format!("{hook}.so"), READ, 2);
    stage.read(late, LIBC);
    stage.read(late, format!("{hook}.so"));
    // Something else looks at the C library again.
    stage.call(late, Call::new("newfstatat").path(LIBC));
    stage.exit(late, 0);
    let built = stage.fresh("/srv/build/test");
    let built = stage.start(shell, Image::new(built, ""));
    stage.read(built, format!("{hook}.so"));
    stage.read(built, LIBC);
    stage.exit(built, 0);
    let asks = Image::new("/usr/bin/grep", "").argv("grep 'LD_PRELOAD=/tmp/x' /etc/environment");
    let asks = stage.run(shell, asks);
    let argv = "env 'LD_PRELOAD=/usr/lib/libjemalloc.so.2' redis-server";
    let usual = stage.run(shell, Image::new("/usr/bin/env", "").argv(argv));
    // The shell had the file open before it became the program.
    let child = stage.fork(shell);
    stage.read(child, format!("{hook}.txt"));
    stage.exec(child, Image::new("/usr/bin/sort", ""));
    stage.read(child, LIBC);
    stage.exit(child, 0);
    for who in [late, built, asks, usual, child] {
        stage.lookalike(who);
    }
}

/// A program that calls the kernel by its 32-bit entry.
fn compat_syscalls(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let path = stage.fresh("/home/ada/x86/run");
    let child = stage.start(shell, Image::new(path, ""));
    for name in ["getpid", "mprotect", "socket"] {
        stage.call(child, Call::new(name).via("compat").ret(5));
    }
    stage.finding(child);
    stage.exit(child, 0);
}

/// The same calls by the usual entry, and by io_uring.
fn no_compat_syscalls(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let path = stage.fresh("/home/ada/x64/run");
    let child = stage.start(shell, Image::new(path, ""));
    stage.call(child, Call::new("getpid").ret(5));
    let open = Call::new("openat").path("/srv/data/a.db").ret(7).via("io_uring");
    stage.call(child, open);
    stage.link(child, &Link::to("10.0.3.7", 5432));
    stage.lookalike(child);
    stage.exit(child, 0);
}

/// Programs and scripts in places that `ls` does not show.
fn hidden_program(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let name = stage.fresh("x");
    let child = match stage.turn {
        0 => stage.run(shell, Image::new(format!("/var/tmp/.{name}/run"), "")),
        1 => {
            let script = format!("/dev/shm/.{name}");
            let image = Image::new("/usr/bin/dash", "").path(script.clone());
            let child = stage.run(shell, image.argv(format!("/bin/sh {script}")));
            // It is in shared memory, too.
            stage.finding_of("exec_from_temp", child);
            child
        }
        2 => {
            let argv = format!("bash /tmp/.{name}/a.sh");
            stage.run(shell, Image::new("/usr/bin/bash", "").path("/bin/bash").argv(argv))
        }
        _ => {
            let child =
                stage.start(shell, Image::new("/usr/bin/mkdir", "").argv("mkdir '/tmp/...'"));
            stage.call(child, Call::new("mkdirat").path("/tmp/...").arg("mode", 0o755));
            stage.exit(child, 0);
            child
        }
    };
    stage.finding(child);
}

/// Hidden folders of a home, sockets of the display, and names that are only mentioned.
fn no_hidden_program(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let name = stage.fresh("y");
    let seen = stage.run(shell, Image::new(format!("/var/tmp/{name}/run"), ""));
    let home = stage.run(shell, Image::new(format!("/home/ada/.local/bin/{name}"), ""));
    let argv = "sh -c 'cd /tmp/.x '";
    let text = Image::new("/usr/bin/dash", "").path("/bin/sh").argv(argv).cwd("/tmp");
    let text = stage.run(shell, text);
    let reads = stage.start(shell, Image::new("/usr/bin/cat", format!("/tmp/.{name}/a")));
    stage.call(reads, Call::new("newfstatat").path("/tmp/..."));
    stage.call(reads, Call::new("mkdirat").path("/tmp/...").ret(-13));
    stage.call(reads, Call::new("mkdirat").path("/tmp/.X11-unix"));
    stage.exit(reads, 0);
    for who in [seen, home, text, reads] {
        stage.lookalike(who);
    }
}

/// Programs that call themselves threads of the kernel or daemons, or have a name that deceives the eye.
fn masquerading_name(stage: &mut Stage) {
    let shell = stage.shell(0);
    let name = stage.fresh("x");
    let child = match stage.turn {
        0 => {
            let argv = format!("'[kworker/0:{}]' 900", stage.pid(shell) % 7);
            let path = format!("/srv/{name}/sleep");
            stage.start(shell, Image::new(path, "").argv(argv))
        }
        1 => {
            let child = stage.start(shell, Image::new(format!("/srv/bin/{name}"), ""));
            stage.rename(child, "kworker/u4:2");
            child
        }
        2 => stage.start(shell, Image::new(format!("/var/tmp/{name}/sshd"), "-D")),
        _ => {
            let path = format!("/srv/{name}/ls ");
            let child = stage.start(shell, Image::new(path, "").argv("'ls '"));
            // A name that ends with a blank is one that cannot be seen.
            stage.finding_of("hidden_program", child);
            child
        }
    };
    stage.wait(SECOND);
    stage.finding(child);
    stage.exit(child, 0);
}

/// Threads of the kernel, daemons where they belong, and names that are only like it.
fn no_masquerading_name(stage: &mut Stage) {
    let shell = stage.shell(0);
    let kernel = stage.kernel_thread("kworker/0:1");
    stage.rename(kernel, "kworker/0:1H");
    let argv = "kwriter 9";
    let writer = stage.run(shell, Image::new("/usr/bin/sleep", "").argv(argv));
    let test = Image::new("/usr/bin/[", "").argv("'[' -f x ']'").comm("[");
    let test = stage.run(shell, test);
    let daemon = stage.run(stage.cast.systemd, Image::new("/usr/sbin/sshd", "-t"));
    let tool = stage.fresh("/tmp/build/tool");
    let tool = stage.run(shell, Image::new(tool, ""));
    let blank = stage.run(shell, Image::new("/srv/my tool", "").argv("'/srv/my tool' -v"));
    for who in [kernel, writer, test, daemon, tool, blank] {
        stage.lookalike(who);
    }
}
