//! Harm that is done, and programs that go wrong because somebody tries.

use super::stage::{CREATE, Image, Link, Lookup, MILLISECOND, READ, SECOND, Stage, WRITE};
use super::{Plant, plant};

pub(super) const PLANTS: &[Plant] = &[
    plant("mass_file_change", mass_file_change, no_mass_file_change),
    plant("miner", miner, no_miner),
    plant("fork_bomb", fork_bomb, no_fork_bomb),
    plant("crash_loop", crash_loop, no_crash_loop),
    plant("core_dumps", core_dumps, no_core_dumps),
    plant("server_crashes", server_crashes, no_server_crashes),
    plant("seccomp_kill", seccomp_kill, no_seccomp_kill),
    plant("permission_failures", permission_failures, no_permission_failures),
    plant("sudo_failures", sudo_failures, no_sudo_failures),
];

/// Files of a home in several folders.
fn files(stage: &mut Stage, count: i64) -> Vec<String> {
    let home = stage.fresh("/home/ada/work");
    (0..count).map(|at| format!("{home}/{}/report-{at:02}.odt", at % 5)).collect()
}

/// Files are replaced by ones that cannot be read.
fn mass_file_change(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let count = stage.random.between(24, 50);
    let files = files(stage, count);
    let suffix = stage.random.pick(&[".locked", ".enc", ".crypt0"]);
    if stage.turn == 2 {
        // A script that starts the tools for it.
        for file in files {
            let openssl = stage.start(shell, Image::new("/usr/bin/openssl", "enc -aes256"));
            stage.open(openssl, file.clone(), READ);
            stage.open(openssl, format!("{file}{suffix}"), WRITE | CREATE);
            stage.exit(openssl, 0);
            let rm = stage.start(shell, Image::new("/usr/bin/rm", "-f"));
            stage.unlink(rm, file);
            stage.exit(rm, 0);
        }
        stage.finding(shell);
        return;
    }
    let child = stage.start(shell, Image::new("/srv/up/work", ""));
    let threads = [child, stage.thread(child), stage.thread(child)];
    for file in files {
        let child = stage.random.pick(&threads);
        match stage.turn % 2 {
            0 => {
                stage.open(child, file.clone(), 2);
                stage.move_file(child, file.clone(), format!("{file}{suffix}"));
            }
            _ => {
                stage.open(child, file.clone(), READ);
                stage.open(child, format!("{file}{suffix}"), WRITE | CREATE);
                stage.unlink(child, file);
            }
        }
        stage.wait_between(MILLISECOND, SECOND / 2);
    }
    stage.finding(child);
    stage.exit(child, 0);
}

/// Compressors, editors that keep a copy, package managers, and few files.
fn no_mass_file_change(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let gzip = stage.start(shell, Image::new("/usr/bin/gzip", "-r ."));
    let editor = stage.start(shell, Image::new("/usr/bin/emacs", ""));
    let manager = stage.start(shell, Image::new("/usr/bin/dpkg", "--unpack x.deb"));
    for file in files(stage, 30) {
        stage.open(gzip, file.clone(), READ);
        stage.open(gzip, format!("{file}.gz"), WRITE | CREATE);
        stage.unlink(gzip, file);
    }
    for file in files(stage, 30) {
        stage.open(editor, file.clone(), READ);
        stage.move_file(editor, file.clone(), format!("{file}~"));
        stage.open(editor, file, WRITE | CREATE);
    }
    for file in files(stage, 30) {
        stage.open(manager, format!("{file}.dpkg-new"), WRITE | CREATE);
        stage.move_file(manager, format!("{file}.dpkg-new"), file);
    }
    let few = stage.start(shell, Image::new("/srv/bin/few", ""));
    for file in files(stage, 15) {
        stage.open(few, file.clone(), READ);
        stage.move_file(few, file.clone(), format!("{file}.done"));
    }
    // All of one folder.
    let sends = stage.start(shell, Image::new("/srv/bin/sends", ""));
    for file in files(stage, 25) {
        let file = file.replace('/', "_");
        stage.open(sends, format!("/srv/spool/{file}"), READ);
        stage.move_file(sends, format!("/srv/spool/{file}"), format!("/srv/spool/{file}.done"));
    }
    for who in [gzip, editor, manager, few, sends] {
        stage.lookalike(who);
        stage.exit(who, 0);
    }
}

/// A program that lets the machine earn coins.
fn miner(stage: &mut Stage) {
    let shell = stage.shell(33);
    let address = stage.outside();
    let pool = Link::to(address.clone(), 3_333).bytes(9_000, 20_000).open();
    let child = match stage.turn {
        // By its name.
        0 => stage.start(shell, Image::new("/srv/up/xmrig", "-c c.json")),
        // By what it is told.
        1 => {
            let args = format!("-o stratum+tcp://{address}:3333 --donate-level 1");
            stage.start(shell, Image::new("/srv/up/worker", args))
        }
        // By the time it computes, and by whom it talks to.
        2 => {
            let child = stage.start(shell, Image::new("/srv/up/httpd2", ""));
            stage.link(child, &pool);
            stage.compute(child, 50);
            stage.finding(child);
            stage.exit(child, 0);
            return;
        }
        // By a pool that it looks up and stays connected to.
        _ => {
            let child = stage.start(shell, Image::new("/srv/up/kworkd", ""));
            stage.look_up(child, &Lookup::new("gulf.moneroocean.stream.", address));
            child
        }
    };
    stage.link(child, &pool);
    stage.wait_between(60 * SECOND, 200 * SECOND);
    stage.finding(child);
    stage.exit(child, 0);
}

/// One of the signs alone, and what is only like one.
fn no_miner(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let pool = |port| Link::to("10.0.3.30", port);
    let driver = stage.start(shell, Image::new("/srv/bin/driver", ""));
    stage.link(driver, &pool(9_999).open());
    let asks = stage.start(shell, Image::new("/srv/bin/asks", "nanopool.org"));
    stage.look_up(asks, &Lookup::new("nanopool.org.", "203.0.113.203"));
    stage.link(asks, &pool(3_333).lasting(SECOND));
    stage.link(asks, &pool(3_333).unanswered());
    let hash = stage.start(shell, Image::new("/srv/bin/hash", "--algo scrypt in.txt"));
    let reads = Image::new("/usr/bin/less", "").argv("less miner-guide.txt");
    let reads = stage.start(shell, reads);
    let busy = stage.start(shell, Image::new("/srv/bin/simulate", ""));
    stage.compute(busy, 60);
    for who in [driver, asks, hash, reads, busy] {
        stage.lookalike(who);
        stage.exit(who, 0);
    }
}

/// Copies that start copies.
fn fork_bomb(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let bomb =
        stage.start(shell, Image::new("/usr/bin/bash", "").path("/bin/bash").argv("bash b.sh"));
    let mut generation = vec![bomb];
    let mut count = 0;
    let most = stage.random.between(110, 140);
    while count < most {
        let mut next = Vec::new();
        for parent in generation {
            for _ in 0..2 {
                next.push(stage.fork(parent));
                count += 1;
            }
        }
        generation = next;
    }
    // The shell that it was typed into runs the same program, and is no part of it.
    stage.finding(bomb);
}

/// A build with many processes, a server with many workers, and a script that calls itself in a row.
fn no_fork_bomb(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let make = stage.start(shell, Image::new("/usr/bin/make", "-j64"));
    for _ in 0..40 {
        let sh =
            stage.start(make, Image::new("/usr/bin/dash", "").path("/bin/sh").argv("sh -c cc"));
        let gcc = stage.start(sh, Image::new("/usr/bin/x86_64-linux-gnu-gcc-12", "-c x.c"));
        let cc1 = stage.start(gcc, Image::new("/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "x.c"));
        for who in [cc1, gcc, sh] {
            stage.exit(who, 0);
        }
    }
    let master = stage.start(stage.cast.systemd, Image::new("/usr/sbin/apache2", "-k start"));
    for _ in 0..110 {
        stage.fork(master);
    }
    let script = Image::new("/usr/bin/dash", "").path("/bin/sh").argv("sh deep.sh");
    let mut deep = stage.start(stage.cast.cron, script);
    let first = deep;
    for _ in 0..20 {
        deep = stage.fork(deep);
    }
    for who in [make, master, first] {
        stage.lookalike(who);
    }
}

/// A program fails at each start, and is started again.
fn crash_loop(stage: &mut Stage) {
    let manager = stage.script();
    let exe = stage.fresh("/usr/lib/shop/serve");
    let times = stage.random.between(6, 12);
    let mut first = None;
    let mut last = manager;
    for _ in 0..times {
        let child = stage.start(manager, Image::new(exe.clone(), "--port 80"));
        stage.wait_between(MILLISECOND, SECOND);
        match stage.turn % 2 {
            0 => stage.exit(child, 1),
            _ => stage.die(child, "SIGSEGV"),
        }
        stage.wait_between(SECOND, 4 * SECOND);
        first = first.or(Some(child));
        last = child;
    }
    stage.finding(last);
    if stage.turn == 0 {
        // It was started once more, and runs.
        stage.start(manager, Image::new(exe, "--port 80"));
    }
    if let Some(first) = first.filter(|_| stage.turn % 2 == 1) {
        stage.finding_of("core_dumps", first);
    }
}

/// Programs that come up in the end, that are told to end, that fail seldom, and other arguments each time.
fn no_crash_loop(stage: &mut Stage) {
    let manager = stage.script();
    let run = |stage: &mut Stage, exe: &str, args: String, end: i32| {
        let child = stage.start(manager, Image::new(exe, args));
        stage.wait(100 * MILLISECOND);
        match end {
            -1 => stage.die(child, "SIGTERM"),
            code => stage.exit(child, code),
        }
        stage.wait(SECOND);
        child
    };
    let mut last = [manager; 4];
    for at in 0..8 {
        last[0] = run(stage, "/usr/lib/shop/up", String::new(), i32::from(at != 6));
        last[1] = run(stage, "/usr/lib/shop/told", String::new(), -1);
        last[2] = run(stage, "/usr/bin/test", "-f /srv/ready".to_string(), 1);
        if at < 4 {
            last[3] = run(stage, "/usr/lib/shop/seldom", String::new(), 1);
        }
    }
    for who in last {
        stage.lookalike(who);
    }
    // Looks for programs that are not installed, a copy of itself for each.
    let tells = stage.start(manager, Image::new("/usr/sbin/useradd", "-r meter"));
    for _ in 0..7 {
        let copy = stage.fork(tells);
        stage.exit(copy, 127);
        stage.lookalike(copy);
    }
    stage.exit(tells, 0);
}

/// A program crashes, because of what it is given.
fn core_dumps(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let exe = stage.fresh("/srv/bin/parse");
    let signal = stage.random.pick(&["SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE"]);
    let mut first = None;
    for _ in 0..stage.random.between(1, 4) {
        let child = stage.start(shell, Image::new(exe.clone(), "in.bin"));
        stage.wait_between(MILLISECOND, SECOND);
        stage.die(child, signal);
        stage.wait_between(SECOND, 9 * SECOND);
        first = first.or(Some(child));
    }
    if let Some(first) = first {
        stage.finding(first);
    }
}

/// Programs that are told to end, or fail.
fn no_core_dumps(stage: &mut Stage) {
    let shell = stage.shell(1000);
    for (exe, signal) in [
        ("/srv/bin/a", "SIGKILL"),
        ("/srv/bin/b", "SIGTERM"),
        ("/srv/bin/c", "SIGPIPE"),
        ("/srv/bin/d", "SIGINT"),
        ("/srv/bin/e", ""),
    ] {
        let child = stage.start(shell, Image::new(exe, ""));
        stage.wait(SECOND);
        match signal {
            "" => stage.exit(child, 139),
            signal => stage.die(child, signal),
        }
        stage.lookalike(child);
    }
}

/// Workers of a service crash, one after the other.
fn server_crashes(stage: &mut Stage) {
    let exe = stage.fresh("/usr/sbin/imapd");
    let master = stage.start(stage.cast.systemd, Image::new(exe, ""));
    stage.link(master, &Link::listener(stage.turn as i32 + 8_143));
    let peer = stage.outside();
    let signal = stage.random.pick(&["SIGSEGV", "SIGABRT", "SIGBUS"]);
    let (mut first, mut last) = (None, master);
    for _ in 0..stage.random.between(3, 5) {
        let worker = stage.fork(master);
        let port = stage.random.between(33_000, 60_000) as i32;
        let link = Link::from(peer.clone(), port, stage.turn as i32 + 8_143);
        stage.link(worker, &link.bytes(200, 4_000));
        stage.wait_between(SECOND / 10, SECOND);
        stage.die(worker, signal);
        stage.wait_between(5 * SECOND, 40 * SECOND);
        first = first.or(Some(worker));
        last = worker;
    }
    stage.finding(last);
    if let Some(first) = first {
        stage.finding_of("core_dumps", first);
    }
}

/// Workers that are told to end, and one that crashes once.
fn no_server_crashes(stage: &mut Stage) {
    let exe = stage.fresh("/usr/sbin/popd");
    let master = stage.start(stage.cast.systemd, Image::new(exe, ""));
    stage.link(master, &Link::listener(8_110));
    for _ in 0..5 {
        let worker = stage.fork(master);
        stage.link(worker, &Link::from("10.0.0.77", 40_600, 8_110));
        stage.wait(SECOND);
        stage.die(worker, "SIGTERM");
    }
    stage.lookalike(master);
    stage.wait(SECOND);
    stage.exit(master, 0);
}

/// A process makes a call that its filter forbids.
fn seccomp_kill(stage: &mut Stage) {
    let parent = stage.shell(33);
    let path = stage.fresh("/srv/render/worker");
    let child = stage.start(parent, Image::new(path, ""));
    stage.wait_between(SECOND / 10, 3 * SECOND);
    if stage.turn == 1 {
        // Only the thread that made the call is ended.
        let thread = stage.thread(child);
        stage.wait(SECOND);
        stage.die_alone(thread, "SIGSYS");
    } else {
        stage.die(child, "SIGSYS");
    }
    stage.finding(child);
}

/// Processes that others end, also by that signal.
fn no_seccomp_kill(stage: &mut Stage) {
    let parent = stage.shell(33);
    let killed = stage.start(parent, Image::new("/srv/render/a", ""));
    stage.wait(SECOND);
    stage.die(killed, "SIGKILL");
    let sent = stage.start(parent, Image::new("/srv/render/b", ""));
    let kill = stage.start(parent, Image::new("/usr/bin/kill", "-SYS 77"));
    stage.signal(kill, sent, "SIGSYS", "SI_USER");
    stage.die(sent, "SIGSYS");
    stage.exit(kill, 0);
    stage.lookalike(killed);
    stage.lookalike(sent);
}

/// Somebody looks at what is forbidden.
fn permission_failures(stage: &mut Stage) {
    let shell = stage.shell(33);
    let child = stage.start(shell, Image::new("/srv/up/look", ""));
    let folder = stage.fresh("/home/u");
    for at in 0..stage.random.between(34, 80) {
        let error = if at % 9 == 0 { 1 } else { 13 };
        stage.open_fails(child, format!("{folder}/{}/f{at}", at % 7), READ, error);
        stage.wait_between(MILLISECOND, SECOND / 2);
    }
    stage.finding(child);
    stage.exit(child, 1);
}

/// Files that are not there, few that are forbidden, and one that is asked for again and again.
fn no_permission_failures(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let missing = stage.start(shell, Image::new("/usr/bin/python3.11", "/srv/app/a.py"));
    for at in 0..60 {
        stage.open_fails(missing, format!("/usr/lib/python3/a{at}.py"), READ, 2);
    }
    let few = stage.start(shell, Image::new("/usr/bin/find", "/var/lib"));
    for at in 0..20 {
        stage.open_fails(few, format!("/var/lib/p{at}"), READ, 13);
    }
    let again = stage.start(shell, Image::new("/srv/bin/again", ""));
    for _ in 0..60 {
        stage.open_fails(again, "/var/log/secret.log", READ, 13);
    }
    let slow = stage.start(shell, Image::new("/srv/bin/slow", ""));
    for at in 0..34 {
        stage.open_fails(slow, format!("/var/spool/p{at}"), READ, 13);
        stage.wait(4 * SECOND);
    }
    for who in [missing, few, again, slow] {
        stage.lookalike(who);
        stage.exit(who, 0);
    }
}

/// Somebody guesses the password of another user.
fn sudo_failures(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let exe = stage.random.pick(&["/usr/bin/su", "/usr/bin/sudo"]);
    let mut last = shell;
    for at in 0..stage.random.between(6, 9) {
        // One user after the other.
        let args = format!("-u user{} true", at % 3);
        let child = stage.start(shell, Image::new(exe, args).euid(0));
        let check = Image::new("/usr/sbin/unix_chkpwd", "user nullok").euid(0);
        let check = stage.start(child, check);
        stage.exit(check, 7);
        stage.wait_between(SECOND, 5 * SECOND);
        stage.exit(child, 1);
        last = child;
    }
    stage.finding(last);
}

/// A person who mistypes, commands that fail, and each by somebody else.
fn no_sudo_failures(stage: &mut Stage) {
    let person = stage.shell(1000);
    for _ in 0..3 {
        let sudo = stage.run_with(person, Image::new("/usr/bin/sudo", "-l").euid(0), 1);
        stage.lookalike(sudo);
    }
    let works = stage.shell(1000);
    for at in 0..8 {
        let args = format!("grep -q x /srv/{at}");
        let sudo = stage.start(works, Image::new("/usr/bin/sudo", args.clone()).euid(0));
        let grep = stage.start(sudo, Image::new("/usr/bin/grep", "-q x").uid(0));
        stage.exit(grep, 1);
        stage.exit(sudo, 1);
        stage.lookalike(sudo);
    }
    let well = stage.shell(1000);
    for at in 0..8 {
        let args = format!("true {at}");
        let sudo = stage.run_with(well, Image::new("/usr/bin/sudo", args).euid(0), 0);
        stage.lookalike(sudo);
    }
    let other = stage.shell(1000);
    for at in 0..8 {
        stage.run_with(other, Image::new("/usr/bin/false", format!("{at}")), 1);
    }
}
