//! Files that let somebody come back: what runs by itself, and who may log in.

use super::stage::{CREATE, Call, Image, READ, SECOND, Stage, TRUNCATE, WRITE};
use super::{Plant, plant};

pub(super) const PLANTS: &[Plant] = &[
    plant("cron_change", cron_change, no_cron_change),
    plant("systemd_unit_change", systemd_unit_change, no_systemd_unit_change),
    plant("shell_profile_change", shell_profile_change, no_shell_profile_change),
    plant("authorized_keys_change", authorized_keys_change, no_authorized_keys_change),
    plant("preload_file_change", preload_file_change, no_preload_file_change),
    plant("account_change", account_change, no_account_change),
    plant("pam_change", pam_change, no_pam_change),
    plant("ssh_config_change", ssh_config_change, no_ssh_config_change),
    plant("startup_script_change", startup_script_change, no_startup_script_change),
];

/// Changes one of `files`, in one of the ways there are.
fn change(stage: &mut Stage, files: &[&str]) {
    let child = stage.script();
    let file = files[stage.turn % files.len()];
    match stage.random.below(7) {
        0 => stage.write(child, file),
        1 => stage.move_file(child, "/srv/tools/.new", file),
        2 => {
            let open = Call::new("openat").path(file).arg("flags", WRITE | CREATE | TRUNCATE);
            stage.call(child, open.arg("mode", 0o644).ret(8).via("io_uring"));
        }
        3 => {
            let open = Call::new("openat").path(file).arg("flags", WRITE | CREATE);
            stage.call(child, open.ret(8).via("compat"));
            stage.finding_of("compat_syscalls", child);
        }
        4 => stage.symlink(child, "/srv/tools/.new", file),
        5 => {
            stage.call(child, Call::new("linkat").path("/srv/tools/.new").path2(file));
        }
        _ => stage.append(child, format!("/etc/../{file}")),
    }
    stage.finding(child);
}

/// What does not change `file`: reads, what is refused, and a change of `other`.
fn leave(stage: &mut Stage, file: &str, other: &str) {
    let child = stage.script();
    stage.read(child, file);
    stage.call(child, Call::new("newfstatat").path(file));
    stage.open_fails(child, file, WRITE | CREATE | TRUNCATE, 13);
    stage.call(child, Call::new("renameat2").path("/srv/tools/.new").path2(file).ret(-13));
    stage.write(child, other);
    stage.lookalike(child);
}

/// A change by who may make it.
fn allowed(stage: &mut Stage, who: u32, file: &str) {
    stage.write(who, file);
    stage.lookalike(who);
    stage.wait(SECOND);
    stage.exit(who, 0);
}

/// A change by packages that are installed.
fn packaged(stage: &mut Stage, file: &str) {
    let package = stage.packaged();
    allowed(stage, package, file);
    let scriptlet = stage.packaged_by_dnf();
    allowed(stage, scriptlet, file);
}

fn system(stage: &mut Stage, exe: &str, args: &str) -> u32 {
    stage.start(stage.cast.systemd, Image::new(exe, args))
}

/// Python runs the program `script`, which is one of the system.
fn python(stage: &mut Stage, script: &str, args: &str) -> u32 {
    let argv = format!("/usr/bin/python3 {script} {args}");
    let image = Image::new("/usr/bin/python3.11", "").path(script).argv(argv);
    stage.start(stage.cast.systemd, image)
}

fn cron_change(stage: &mut Stage) {
    if stage.turn == 1 {
        // `crontab` works from within its folder.
        let shell = stage.shell(1000);
        let crontab = stage.start(shell, Image::new("/usr/bin/crontab", "/tmp/jobs"));
        stage.call(crontab, Call::new("chdir").path("/var/spool/cron"));
        stage.write(crontab, "crontabs/ada");
        stage.finding(crontab);
        stage.exit(crontab, 0);
        return;
    }
    let job = stage.fresh("/etc/cron.d/job");
    change(stage, &[&job, "", "/etc/crontab", "/mnt/etc/cron.daily/clean"]);
}

fn no_cron_change(stage: &mut Stage) {
    leave(stage, "/etc/cron.d/job", "/etc/crond/job");
    let child = stage.script();
    stage.unlink(child, "/etc/cron.d/old");
    stage.move_file(child, "/etc/cron.d/job", "/srv/old");
    stage.lookalike(child);
    let cron = stage.start(stage.cast.cron, Image::new("/usr/sbin/cron", "-f"));
    allowed(stage, cron, "/var/spool/cron/crontabs/.lock");
    packaged(stage, "/etc/cron.d/package");
    // A job does its work.
    let job = Image::new("/usr/bin/dash", "").path("/bin/sh");
    let job = stage.start(stage.cast.cron, job.argv("/bin/sh -c 'run-parts /etc/cron.hourly'"));
    let parts = stage.start(job, Image::new("/usr/bin/run-parts", "/etc/cron.hourly"));
    stage.read(parts, "/etc/cron.hourly/rotate");
    stage.exit(parts, 0);
    stage.lookalike(parts);
    stage.exit(job, 0);
}

fn systemd_unit_change(stage: &mut Stage) {
    if stage.turn == 1 {
        // A unit in a folder for temporary files is enabled.
        let shell = stage.shell(0);
        let enable = stage.start(shell, Image::new("/usr/bin/systemctl", "enable /tmp/x.service"));
        stage.symlink(enable, "/tmp/x.service", "/etc/systemd/system/x.service");
        stage.finding(enable);
        stage.exit(enable, 0);
        return;
    }
    let unit = stage.fresh("/etc/systemd/system/upd");
    let unit = format!("{unit}.service");
    let timer = "/home/ada/.config/systemd/user/sync.timer";
    change(stage, &[&unit, "", timer, "/usr/lib/systemd/system-generators/boot"]);
}

fn no_systemd_unit_change(stage: &mut Stage) {
    leave(stage, "/etc/systemd/system/x.service", "/etc/systemd/system.conf");
    let systemd = system(stage, "/usr/lib/systemd/systemd", "--user");
    let wanted = "/etc/systemd/system/multi-user.target.wants/a.service";
    stage.symlink(systemd, "/lib/systemd/system/a.service", wanted);
    stage.lookalike(systemd);
    packaged(stage, "/usr/lib/systemd/system/package.service");
}

fn shell_profile_change(stage: &mut Stage) {
    if stage.turn == 1 {
        let child = stage.script();
        stage.call(child, Call::new("chdir").path("/home/ada"));
        stage.append(child, ".bashrc");
        stage.finding(child);
        return;
    }
    let file = stage.fresh("/etc/profile.d/z");
    let file = format!("{file}.sh");
    change(stage, &[&file, "", "/root/.bashrc", "/home/ada/.profile"]);
}

fn no_shell_profile_change(stage: &mut Stage) {
    leave(stage, "/etc/profile", "/home/ada/project/src/.bashrc");
    let useradd = system(stage, "/usr/sbin/useradd", "-m eve");
    allowed(stage, useradd, "/home/eve/.bashrc");
    packaged(stage, "/etc/profile.d/package.sh");
    let shell = stage.shell(0);
    let adduser = Image::new("/usr/bin/perl", "").path("/usr/sbin/adduser");
    let adduser = stage.start(shell, adduser.argv("/usr/bin/perl /usr/sbin/adduser eve"));
    allowed(stage, adduser, "/home/eve/.profile");
}

fn authorized_keys_change(stage: &mut Stage) {
    if stage.turn == 2 {
        let child = stage.script();
        stage.call(child, Call::new("chdir").path("/home/ada/.ssh"));
        stage.append(child, "authorized_keys");
        stage.finding(child);
        return;
    }
    change(stage, &["/root/.ssh/authorized_keys", "/home/ada/.ssh/authorized_keys"]);
}

fn no_authorized_keys_change(stage: &mut Stage) {
    leave(stage, "/root/.ssh/authorized_keys", "/root/.ssh/known_hosts");
    let agent = system(stage, "/usr/bin/google_guest_agent", "");
    allowed(stage, agent, "/home/ada/.ssh/authorized_keys");
    let init = python(stage, "/usr/bin/cloud-init", "init");
    allowed(stage, init, "/root/.ssh/authorized_keys");
}

fn preload_file_change(stage: &mut Stage) {
    change(stage, &["/etc/ld.so.preload"]);
}

/// Every program that is linked dynamically asks for the file.
fn no_preload_file_change(stage: &mut Stage) {
    leave(stage, "/etc/ld.so.preload", "/etc/ld.so.cache");
    let shell = stage.shell(1000);
    let plain = stage.start(shell, Image::new("/usr/bin/ls", ""));
    stage.call(plain, Call::new("access").path("/etc/ld.so.preload").ret(-2));
    stage.open_fails(plain, "/etc/ld.so.preload", READ, 2);
    stage.lookalike(plain);
    stage.exit(plain, 0);
}

fn account_change(stage: &mut Stage) {
    change(stage, &["/etc/passwd", "/etc/shadow", "/etc/group", "/host/etc/passwd"]);
}

fn no_account_change(stage: &mut Stage) {
    leave(stage, "/etc/passwd", "/etc/passwd-");
    let useradd = system(stage, "/usr/sbin/useradd", "eve");
    stage.move_file(useradd, "/etc/passwd+", "/etc/passwd");
    allowed(stage, useradd, "/etc/gshadow");
    let other = stage.script();
    allowed(stage, other, "/srv/etc/passwd");
}

fn pam_change(stage: &mut Stage) {
    let module = "/usr/lib/x86_64-linux-gnu/security/pam_unix.so";
    change(stage, &["/etc/pam.d/sshd", module, "/etc/pam.d/common-auth"]);
}

fn no_pam_change(stage: &mut Stage) {
    leave(stage, "/etc/pam.d/sshd", "/etc/pamd/sshd");
    let authselect = system(stage, "/usr/bin/authselect", "apply-changes");
    allowed(stage, authselect, "/etc/pam.d/system-auth");
    packaged(stage, "/etc/pam.d/package");
}

fn ssh_config_change(stage: &mut Stage) {
    let part = "/etc/ssh/sshd_config.d/50-x.conf";
    change(stage, &["/etc/ssh/sshd_config", "/home/ada/.ssh/rc", part]);
}

fn no_ssh_config_change(stage: &mut Stage) {
    leave(stage, "/etc/ssh/sshd_config", "/etc/ssh/ssh_config");
    let agent = system(stage, "/usr/bin/google_guest_agent", "");
    allowed(stage, agent, "/etc/ssh/sshd_config");
    packaged(stage, "/etc/ssh/sshd_config.d/package.conf");
}

fn startup_script_change(stage: &mut Stage) {
    let entry = "/home/ada/.config/autostart/x.desktop";
    change(stage, &["/etc/rc.local", "/etc/udev/rules.d/99-x.rules", entry]);
}

fn no_startup_script_change(stage: &mut Stage) {
    leave(stage, "/etc/rc.local", "/etc/rc.conf");
    let systemd = system(stage, "/usr/lib/systemd/systemd", "--system");
    allowed(stage, systemd, "/run/udev/rules.d/1.rules");
    packaged(stage, "/etc/init.d/package");
}
