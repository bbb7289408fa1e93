//! Keys and passwords that are read by those they are not for.

use super::stage::{
    CREATE, Call, Image, Link, MILLISECOND, READ, READ_WRITE, SECOND, Stage, WRITE,
};
use super::{Plant, plant};

pub(super) const PLANTS: &[Plant] = &[
    plant("password_file_read", password_file_read, no_password_file_read),
    plant("ssh_key_read", ssh_key_read, no_ssh_key_read),
    plant("cloud_metadata_access", cloud_metadata_access, no_cloud_metadata_access),
    plant("browser_store_read", browser_store_read, no_browser_store_read),
    plant("environ_read", environ_read, no_environ_read),
    plant("cloud_credentials_read", cloud_credentials_read, no_cloud_credentials_read),
    plant("memory_dump", memory_dump, no_memory_dump),
];

/// A tool of the system that is given a file to read.
fn tool(stage: &mut Stage, uid: i64, exe: &str, file: &str) -> u32 {
    let shell = stage.shell(uid);
    stage.start(shell, Image::new(exe, file))
}

/// What does not read `file`: a look at its name, what is refused, and `other`.
fn leave(stage: &mut Stage, file: &str, other: &str) {
    let child = tool(stage, 1000, "/usr/bin/cat", file);
    stage.call(child, Call::new("newfstatat").path(file));
    stage.open_fails(child, file, READ, 13);
    stage.read(child, other);
    stage.lookalike(child);
    stage.exit(child, 1);
}

/// A file is read by who may do so.
fn allowed(stage: &mut Stage, exe: &str, args: &str, file: &str) {
    let shell = stage.shell(1000);
    let child = stage.start(shell, Image::new(exe, args));
    stage.read(child, file);
    stage.lookalike(child);
    stage.exit(child, 0);
}

fn password_file_read(stage: &mut Stage) {
    match stage.turn {
        0 => {
            let file =
                stage.random.pick(&["/etc/shadow", "/proc/1/root/etc/shadow", "/etc/gshadow-"]);
            let child = tool(stage, 0, "/usr/bin/cat", file);
            stage.read(child, file);
            stage.finding(child);
            stage.exit(child, 0);
        }
        1 => {
            let child = stage.script();
            stage.symlink(child, "/etc/shadow", "/srv/www/notes.txt");
            stage.finding(child);
        }
        2 => {
            let child = stage.script();
            stage.call(child, Call::new("chdir").path("/"));
            stage.call(child, Call::new("chdir").path("etc"));
            stage.read(child, "shadow");
            stage.finding(child);
        }
        _ => {
            let child = stage.script();
            let folder = stage.open(child, "/etc", READ);
            let open = Call::new("openat").path("shadow").arg("dirfd", folder).arg("flags", READ);
            stage.call(child, open.ret(folder + 1));
            stage.finding(child);
        }
    }
}

fn no_password_file_read(stage: &mut Stage) {
    leave(stage, "/etc/shadow", "/etc/passwd");
    let elsewhere = stage.script();
    stage.call(elsewhere, Call::new("chdir").path("/etc"));
    stage.call(elsewhere, Call::new("chdir").path("../srv"));
    stage.read(elsewhere, "shadow");
    stage.lookalike(elsewhere);
    allowed(stage, "/usr/sbin/unix_chkpwd", "ada nullok", "/etc/shadow");
    allowed(stage, "/usr/bin/sudo", "-l", "/etc/shadow");
    let package = stage.packaged();
    stage.read(package, "/etc/shadow");
    stage.lookalike(package);
    // The copy that is made every day.
    let job = "/etc/cron.daily/passwd";
    let image = Image::new("/usr/bin/dash", "").path(job).argv(format!("/bin/sh {job}"));
    let daily = stage.start(stage.cast.cron, image);
    let args = "-s /var/backups/shadow.bak /etc/shadow";
    let compare = stage.start(daily, Image::new("/usr/bin/cmp", args));
    stage.read(compare, "/etc/shadow");
    stage.lookalike(compare);
    stage.exit(compare, 0);
    stage.exit(daily, 0);
}

fn ssh_key_read(stage: &mut Stage) {
    let files = ["/home/ada/.ssh/id_ed25519", "/root/.ssh/id_rsa", "/etc/ssh/ssh_host_ed25519_key"];
    let file = files[stage.turn % files.len()];
    let exe = stage.random.pick(&["/usr/bin/cat", "/usr/bin/base64", "/usr/bin/cp"]);
    let child = tool(stage, 0, exe, file);
    stage.read(child, file);
    stage.finding(child);
    stage.exit(child, 0);
}

fn no_ssh_key_read(stage: &mut Stage) {
    leave(stage, "/home/ada/.ssh/id_ed25519", "/home/ada/.ssh/id_ed25519.pub");
    allowed(stage, "/usr/bin/ssh", "backup.example", "/home/ada/.ssh/id_ed25519");
    allowed(stage, "/usr/bin/ssh-add", "", "/home/ada/.ssh/id_rsa");
}

const METADATA: &str = "169.254.169.254";

fn cloud_metadata_access(stage: &mut Stage) {
    // One finding for each program.
    let exes = ["/usr/bin/curl", "/usr/bin/wget", "/srv/app/fetcher", "/usr/bin/lynx"];
    let shell = stage.shell(33);
    let args = format!("http://{METADATA}/latest/meta-data/iam/");
    let child = stage.start(shell, Image::new(exes[stage.turn % exes.len()], args));
    let address = if stage.turn == 3 { "fd00:ec2::254" } else { METADATA };
    for _ in 0..stage.random.between(1, 4) {
        stage.link(child, &Link::to(address, 80).lasting(9 * MILLISECOND));
        stage.wait_between(20 * MILLISECOND, SECOND);
    }
    stage.finding(child);
    stage.exit(child, 0);
}

fn no_cloud_metadata_access(stage: &mut Stage) {
    let shell = stage.shell(1000);
    let other = stage.start(shell, Image::new("/usr/bin/curl", "http://169.254.1.1/"));
    stage.link(other, &Link::to("169.254.1.1", 80));
    let names = stage.start(shell, Image::new("/usr/bin/dig", "@169.254.169.254 example"));
    stage.link(names, &Link::to(METADATA, 53).protocol("udp"));
    let agent = Image::new("/usr/bin/amazon-ssm-agent", "");
    let agent = stage.start(stage.cast.systemd, agent);
    stage.link(agent, &Link::to(METADATA, 80));
    let init = Image::new("/usr/bin/python3.11", "").path("/usr/bin/cloud-init");
    let init = init.argv("/usr/bin/python3 /usr/bin/cloud-init init");
    let init = stage.start(stage.cast.systemd, init);
    stage.link(init, &Link::to(METADATA, 80));
    for who in [other, names, agent, init] {
        stage.wait(SECOND);
        stage.lookalike(who);
        stage.exit(who, 0);
    }
}

fn browser_store_read(stage: &mut Stage) {
    let files = [
        "/home/ada/.config/google-chrome/Default/Login Data",
        "/home/ada/.mozilla/firefox/a1.default/key4.db",
        "/home/ada/.config/chromium/Default/Cookies",
    ];
    let child = stage.script();
    for file in &files[..=stage.turn % files.len()] {
        stage.read(child, *file);
    }
    stage.finding(child);
}

fn no_browser_store_read(stage: &mut Stage) {
    let chrome = "/home/ada/.config/google-chrome/Default";
    leave(stage, &format!("{chrome}/Login Data"), &format!("{chrome}/History"));
    allowed(stage, "/opt/google/chrome/chrome", "", &format!("{chrome}/Cookies"));
    let firefox = stage.cast.firefox;
    stage.read(firefox, "/home/ada/.mozilla/firefox/a1.default/cookies.sqlite");
    stage.lookalike(firefox);
}

/// Processes to look at, by their ids.
fn others(stage: &Stage, count: usize) -> Vec<i32> {
    let cast = &stage.cast;
    let all = [cast.sshd, cast.cron, cast.nginx, cast.php, cast.app, cast.postgres, cast.redis];
    all[..count].iter().map(|who| stage.pid(*who)).collect()
}

fn environ_read(stage: &mut Stage) {
    let count = stage.random.between(3, 8) as usize;
    let targets = others(stage, count);
    // Within one minute of the clock.
    stage.next_minute();
    if stage.turn.is_multiple_of(2) {
        let child = stage.script();
        for target in targets {
            stage.read(child, format!("/proc/{target}/environ"));
        }
        stage.finding(child);
    } else {
        // A loop that starts a program for each.
        let shell = stage.shell(33);
        for target in targets {
            let file = format!("/proc/{target}/environ");
            let child = stage.start(shell, Image::new("/usr/bin/cat", file.clone()));
            match stage.random.below(2) {
                0 => stage.read(child, file),
                _ => stage.open_fails(child, file, READ, 13),
            }
            stage.exit(child, 0);
        }
        stage.finding(shell);
    }
}

fn no_environ_read(stage: &mut Stage) {
    let targets = others(stage, 5);
    let child = stage.script();
    for target in &targets {
        stage.call(child, Call::new("newfstatat").path(format!("/proc/{target}/environ")));
        stage.read(child, format!("/proc/{target}/comm"));
    }
    stage.next_minute();
    let own = stage.pid(child);
    for target in [targets[0], targets[1], own] {
        stage.read(child, format!("/proc/{target}/environ"));
    }
    let ps = tool(stage, 0, "/usr/bin/ps", "auxe");
    let slow = stage.script();
    for target in &targets {
        stage.read(ps, format!("/proc/{target}/environ"));
        stage.next_minute();
        stage.read(slow, format!("/proc/{target}/environ"));
    }
    for who in [child, ps, slow] {
        stage.lookalike(who);
    }
}

fn cloud_credentials_read(stage: &mut Stage) {
    let files = [
        "/home/ada/.aws/credentials",
        "/home/ada/.kube/config",
        "/home/ada/.docker/config.json",
        "/root/.netrc",
    ];
    if stage.turn.is_multiple_of(2) {
        let file = files[stage.turn % files.len()];
        let child = tool(stage, 0, "/usr/bin/cat", file);
        stage.read(child, file);
        stage.finding(child);
        stage.exit(child, 0);
    } else {
        let child = stage.script();
        for file in files {
            stage.read(child, file);
        }
        stage.finding(child);
    }
}

fn no_cloud_credentials_read(stage: &mut Stage) {
    leave(stage, "/home/ada/.aws/credentials", "/home/ada/.aws/config");
    allowed(stage, "/usr/bin/kubectl", "get pods", "/home/ada/.kube/config");
    allowed(stage, "/usr/bin/git", "push", "/home/ada/.git-credentials");
    let script = stage.script();
    stage.read(script, "/home/ada/.aws/credentials");
    stage.read(script, "/home/ada/.docker/config.json");
    stage.lookalike(script);
}

/// Takes the memory of a process that has secrets in it.
fn memory_dump(stage: &mut Stage) {
    let target = stage.random.pick(&[stage.cast.sshd, stage.cast.firefox, stage.cast.postgres]);
    let target = stage.pid(target);
    let child = stage.script();
    stage.read(child, format!("/proc/{target}/maps"));
    if stage.turn.is_multiple_of(2) {
        stage.read(child, format!("/proc/{target}/mem"));
    } else {
        stage.open(child, format!("/proc/{target}/mem"), READ_WRITE);
        // It could write it as well.
        stage.finding_of("process_memory_write", child);
    }
    stage.finding(child);
}

fn no_memory_dump(stage: &mut Stage) {
    let target = stage.pid(stage.cast.sshd);
    let child = stage.script();
    let own = stage.pid(child);
    stage.call(child, Call::new("newfstatat").path(format!("/proc/{target}/mem")));
    stage.open_fails(child, format!("/proc/{target}/mem"), READ, 13);
    stage.open_fails(child, format!("/proc/{target}/mem"), WRITE | CREATE, 13);
    stage.read(child, format!("/proc/{target}/maps"));
    stage.read(child, format!("/proc/{target}/smaps"));
    stage.read(child, format!("/proc/{target}/status"));
    stage.read(child, format!("/proc/{own}/maps"));
    stage.read(child, format!("/proc/{own}/mem"));
    let checkpoint = stage.start(stage.cast.containerd, Image::new("/usr/sbin/criu", "dump"));
    stage.read(checkpoint, format!("/proc/{target}/maps"));
    stage.read(checkpoint, format!("/proc/{target}/mem"));
    let shell = stage.shell(1000);
    let gdb = stage.start(shell, Image::new("/usr/bin/gdb", "./tool"));
    let tool = stage.start(gdb, Image::new("/srv/bin/tool", ""));
    let started = stage.pid(tool);
    stage.read(gdb, format!("/proc/{started}/maps"));
    stage.read(gdb, format!("/proc/{started}/mem"));
    for who in [child, checkpoint, gdb] {
        stage.lookalike(who);
    }
    for who in [tool, gdb, checkpoint] {
        stage.exit(who, 0);
    }
}
