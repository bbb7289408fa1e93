//! Settings of a service of systemd, as a file for `NAME.service.d/`.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::super::Section;
use super::super::networks::Network;
use super::super::tree::letters;
use super::{Needs, capabilities, comment, is_hidden, seccomp};

/// Characters of a line before a list goes on in another.
const LINE_MAX: usize = 100;

/// Folders that may be written to before their parents are.
const FOLDERS_MAX: usize = 64;

/// Folders for temporary files, which a service can have for itself.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// Devices that every service has.
const DEVICES: [&str; 10] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/pts",
    "/dev/shm",
    "/dev/fd",
    "/dev/log",
];

/// The text of the settings.
pub fn text(needs: &Needs) -> String {
    let mut sentences = needs.made_of();
    sentences.push(
        "Put it into a file such as /etc/systemd/system/NAME.service.d/sandbox.conf; `systemd-analyze security NAME` \
         says what is still open. A service that starts before what it needs is there, or reads what was not \
         recorded, may need more."
            .to_string(),
    );
    let mut settings = Settings::default();
    calls(needs, &mut settings);
    privileges(needs, &mut settings);
    files(needs, &mut settings);
    network(needs, &mut settings);
    kernel(needs, &mut settings);
    let mut out = String::new();
    comment(&sentences, &mut out);
    out.push_str("\n[Service]\n");
    out.push_str(&settings.text);
    out
}

/// Settings, as they are written.
#[derive(Default)]
struct Settings {
    text: String,
}

impl Settings {
    fn set(&mut self, name: &str, value: &str) {
        // Writing to a text does not fail.
        let _ = writeln!(self.text, "{name}={value}");
    }

    /// A yes, if nothing speaks against it.
    fn set_if(&mut self, is_possible: bool, name: &str) {
        if is_possible {
            self.set(name, "yes");
        }
    }

    /// A list that adds up over lines.
    fn list<'a>(&mut self, name: &str, items: impl IntoIterator<Item = &'a str>) {
        let mut line = String::new();
        for item in items {
            if !line.is_empty() && line.len() + item.len() > LINE_MAX {
                self.set(name, &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(item);
        }
        if !line.is_empty() {
            self.set(name, &line);
        }
    }

    fn say(&mut self, sentence: &str) {
        comment(&[sentence.to_string()], &mut self.text);
    }

    fn part(&mut self, sentence: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.say(sentence);
    }
}

fn calls(needs: &Needs, settings: &mut Settings) {
    settings.part(
        "System calls that were made, and those with which any program starts and ends. Others fail with EPERM.",
    );
    let is_name = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // A number instead of a name is a call that nobody knows.
    let made = needs.calls().into_iter().filter(|name| !name.starts_with("syscall_"));
    let mut calls: BTreeSet<&str> = made.filter(is_name).collect();
    for name in seccomp::starts() {
        calls.insert(name);
    }
    settings.list("SystemCallFilter", calls);
    settings.set("SystemCallErrorNumber", "EPERM");
    if !needs.is_compat() {
        settings.set("SystemCallArchitectures", "native");
    }
}

fn privileges(needs: &Needs, settings: &mut Settings) {
    let users: Vec<&str> = needs.items(Section::Users).into_iter().collect();
    let capabilities = capabilities::of(needs);
    settings.part(&match (needs.knows(Section::Users), users.is_empty()) {
        (true, false) => format!(
            "It ran as {} {}. Capabilities are those that its system calls may need, if it ran as the superuser; \
             which ones the kernel asked for was not recorded.",
            if users.len() == 1 { "user" } else { "users" },
            users.join(", ")
        ),
        _ => "Which users it ran as is not known; capabilities are those that its system calls may need.".to_string(),
    });
    if capabilities.contains("dac_override") {
        settings.say(
            "CAP_DAC_OVERRIDE is for files that belong to others; whether it opens such is not known: try without.",
        );
    }
    let names: Vec<String> =
        capabilities.iter().map(|name| format!("CAP_{}", name.to_ascii_uppercase())).collect();
    if names.is_empty() {
        settings.set("CapabilityBoundingSet", "");
    } else {
        settings.list("CapabilityBoundingSet", names.iter().map(String::as_str));
    }
    settings.say(
        "Programs such as sudo, which become somebody else when they start, do not work then.",
    );
    settings.set("NoNewPrivileges", "yes");
    settings.set("RestrictSUIDSGID", "yes");
}

fn files(needs: &Needs, settings: &mut Settings) {
    settings
        .part("Files: all may be read as far as users may, and written only below these folders.");
    let writes = needs.items(Section::Writes);
    let all: BTreeSet<&str> = [Section::Reads, Section::Writes, Section::Executes]
        .into_iter()
        .flat_map(|section| needs.items(section))
        .chain(needs.programs.keys().copied())
        .collect();
    let is_below = |path: &str, folders: &[&str]| {
        folders.iter().any(|folder| {
            path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let any_below =
        |paths: &BTreeSet<&str>, folders: &[&str]| paths.iter().any(|path| is_below(path, folders));
    let relative = writes.iter().filter(|path| !path.starts_with('/')).count();
    // What it reads there and did not write comes from others.
    let is_tmp_private =
        !all.iter().any(|path| is_below(path, &TEMPORARY) && !writes.contains(path));
    // Those systemd leaves alone, or has settings of their own for.
    let others: &[&str] = match is_tmp_private {
        true => &["/dev", "/proc", "/sys", "/tmp", "/var/tmp"],
        false => &["/dev", "/proc", "/sys"],
    };
    let absolute = writes.iter().filter(|path| path.starts_with('/') && !is_below(path, others));
    let sockets = needs.items(Section::Ports);
    let sockets = sockets.iter().filter_map(|item| item.strip_prefix("unix"));
    let sockets: Vec<&str> =
        sockets.filter_map(|item| item.find(" /").map(|at| &item[at + 1..])).collect();
    let mut strange = 0;
    let folders: BTreeSet<String> = absolute.copied().chain(sockets).map(folder).collect();
    if !needs.knows(Section::Writes) {
        settings.say("Which files it writes is not known.");
    } else if folders.contains("/") {
        settings.say("It writes to the root of the file system: nothing can be protected.");
    } else {
        if relative > 0 {
            settings.say(&format!(
                "It wrote {relative} files of which the folder is not known; they must be in one of these, too."
            ));
        }
        settings.set("ProtectSystem", "strict");
        for folder in cover(folders) {
            match escaped(&folder) {
                // Without the minus, a folder that is not there keeps the service from starting.
                Some(folder) => settings.set("ReadWritePaths", &format!("-{folder}")),
                None => strange += 1,
            }
        }
        if strange > 0 {
            settings.say(&format!("Left out, as they cannot be written down: {strange} folders."));
        }
    }
    let homes = ["/home", "/root", "/run/user"];
    match (any_below(&all, &homes), any_below(&writes, &homes)) {
        (false, _) => settings.set("ProtectHome", "yes"),
        (true, false) => settings.set("ProtectHome", "read-only"),
        (true, true) => {}
    }
    if is_tmp_private {
        if any_below(&all, &TEMPORARY) {
            settings.say("It uses /tmp or /var/tmp; others do not see its files there.");
        }
        settings.set("PrivateTmp", "yes");
    } else {
        settings.say(
            "It reads in /tmp or /var/tmp what others wrote, so that these cannot be its own.",
        );
    }
    let devices = all.iter().filter(|path| is_below(path, &["/dev"]) && **path != "/dev");
    settings.set_if(devices.clone().all(|path| is_below(path, &DEVICES)), "PrivateDevices");
    let is_written = |folders: &[&str]| any_below(&writes, folders);
    settings.set_if(!is_written(&["/proc/sys", "/sys"]), "ProtectKernelTunables");
    settings.set_if(!is_written(&["/sys/fs/cgroup"]), "ProtectControlGroups");
    settings.set_if(
        !any_below(&all, &["/dev/kmsg", "/proc/kmsg"]) && !needs.has_call("syslog"),
        "ProtectKernelLogs",
    );
}

fn network(needs: &Needs, settings: &mut Settings) {
    let networks = needs.networks();
    let ports = needs.items(Section::Ports);
    let has_ports = ports.iter().any(|port| !port.starts_with("unix"));
    let families = ["inet", "inet6", "netlink", "packet"];
    let is_known = needs.knows(Section::Peers) && needs.knows(Section::Ports);
    let has_sockets = families.iter().any(|family| needs.has_family(family));
    settings.part("Network.");
    if is_known && networks.is_empty() && !has_ports && !has_sockets {
        settings.set("PrivateNetwork", "yes");
    } else if !is_known {
        settings.say("Peers were not recorded; record with `-s network` for IPAddressAllow=.");
    } else if networks.iter().any(Network::is_anywhere) {
        settings.say("Its peers are anywhere.");
    } else {
        settings.say("Peers that it had, and this machine; IPAddressDeny= needs a kernel with BPF for control groups.");
        let mut allowed: Vec<String> =
            networks.iter().filter(|network| !network.is_loopback()).map(Network::text).collect();
        allowed.insert(0, "localhost".to_string());
        settings.set("IPAddressDeny", "any");
        settings.list("IPAddressAllow", allowed.iter().map(String::as_str));
    }
    if needs.knows(Section::Sockets) {
        let mut names: BTreeSet<&str> = BTreeSet::from(["AF_UNIX"]);
        let known = [
            ("inet", "AF_INET"),
            ("inet6", "AF_INET6"),
            ("netlink", "AF_NETLINK"),
            ("packet", "AF_PACKET"),
            ("vsock", "AF_VSOCK"),
            ("alg", "AF_ALG"),
            ("bluetooth", "AF_BLUETOOTH"),
            ("can", "AF_CAN"),
            ("key", "AF_KEY"),
            ("xdp", "AF_XDP"),
        ];
        names.extend(
            known.iter().filter(|(family, _)| needs.has_family(family)).map(|(_, name)| *name),
        );
        // A listener may have been given to it by who started it.
        if needs.has_call("accept accept4") && networks.iter().next().is_some() {
            names.extend(["AF_INET", "AF_INET6"]);
        }
        settings.list("RestrictAddressFamilies", names);
    }
}

fn kernel(needs: &Needs, settings: &mut Settings) {
    settings.part(
        "What none of its system calls needs. MemoryDenyWriteExecute= is possible for what has no compiler in it; \
         that is not known.",
    );
    let without = [
        ("LockPersonality", "personality"),
        ("ProtectClock", "clock_settime settimeofday adjtimex clock_adjtime"),
        ("ProtectHostname", "sethostname setdomainname"),
        ("ProtectKernelModules", "init_module finit_module delete_module"),
        ("RestrictNamespaces", "unshare setns"),
        ("RestrictRealtime", "sched_setscheduler sched_setattr"),
    ];
    for (name, calls) in without {
        settings.set_if(!needs.has_call(calls), name);
    }
}

/// The folder that must be there for a file to be written: what is before the first part with a star, or the last part.
fn folder(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let has_star = |part: &&str| letters(part).contains(&('*', true));
    let end = parts.iter().position(has_star).unwrap_or(parts.len() - 1);
    let end = end.min(parts.len() - 1);
    let folder: String = letters(&parts[..end].join("/")).into_iter().map(|(c, _)| c).collect();
    if folder.is_empty() { "/".to_string() } else { folder }
}

/// Folders without those that are in others; where there are too many, their parents.
fn cover(mut folders: BTreeSet<String>) -> BTreeSet<String> {
    loop {
        let all = folders.clone();
        folders.retain(|folder| {
            let is_in = |other: &String| {
                folder.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/'))
            };
            !all.iter().any(is_in)
        });
        if folders.len() <= FOLDERS_MAX {
            return folders;
        }
        let deepest = folders.iter().map(|folder| folder.matches('/').count()).max().unwrap_or(0);
        if deepest <= 1 {
            return folders;
        }
        let parent = |folder: String| match folder.rsplit_once('/') {
            Some((parent, _)) if folder.matches('/').count() == deepest => parent.to_string(),
            _ => folder,
        };
        folders = folders.into_iter().map(parent).collect();
    }
}

/// A path as one word of a setting; none for what cannot be written.
fn escaped(path: &str) -> Option<String> {
    if path.chars().any(|c| c.is_control() || is_hidden(c)) {
        return None;
    }
    let text = path.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || "/._-+%:@,=".contains(c));
    Some(if is_plain { text } else { format!("\"{text}\"") })
}

#[cfg(test)]
mod tests {
    use super::super::tests::baseline;
    use super::*;

    fn made(sections: &[(Section, &[&str])]) -> String {
        let baseline = baseline(&[("/usr/sbin/web", sections)]);
        text(&Needs::of(&baseline, "web", true).unwrap())
    }

    #[track_caller]
    fn has(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.lines().any(|known| known == *line), "{line}\n{text}");
        }
    }

    #[test]
    fn what_a_service_did_is_left_to_it() {
        let text = made(&[
            (Section::Syscalls, &["accept4", "bind", "read", "setuid"]),
            (
                Section::Writes,
                &["/var/log/web/access.log", "/var/log/web/*.gz", "/run/web.pid", "/dev/null"],
            ),
            (Section::Reads, &["/etc/web/web.conf", "/dev/urandom"]),
            (Section::Users, &["0", "33"]),
            (Section::Ports, &["tcp 0.0.0.0:80"]),
            (Section::Peers, &["server tcp 10.0.0.0/24:*", "client tcp 127.0.0.1:9000"]),
            (Section::Sockets, &["inet stream"]),
        ]);
        has(
            &text,
            &[
                "[Service]",
                "CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_NET_BIND_SERVICE CAP_SETUID",
                "ProtectSystem=strict",
                "ReadWritePaths=-/run",
                "ReadWritePaths=-/var/log/web",
                "ProtectHome=yes",
                "PrivateDevices=yes",
                "IPAddressDeny=any",
                "IPAddressAllow=localhost 10.0.0.0/24",
                "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
                "ProtectKernelModules=yes",
                "NoNewPrivileges=yes",
            ],
        );
        let filter = text.lines().filter_map(|line| line.strip_prefix("SystemCallFilter="));
        let calls: Vec<&str> = filter.flat_map(|line| line.split(' ')).collect();
        for call in ["accept4", "setuid", "execve", "exit_group"] {
            assert!(calls.contains(&call), "{call}");
        }
        assert!(!calls.contains(&"ptrace"));
        assert!(!text.contains("PrivateNetwork"));
    }

    #[test]
    fn what_has_no_network_gets_none() {
        let text = made(&[(Section::Syscalls, &["read"]), (Section::Users, &["33"])]);
        has(
            &text,
            &["PrivateNetwork=yes", "CapabilityBoundingSet=", "RestrictAddressFamilies=AF_UNIX"],
        );
        assert!(!text.contains("IPAddressAllow"));
    }

    #[test]
    fn temporary_files_of_others_are_not_hidden() {
        let own = made(&[(Section::Writes, &["/tmp/*.s"]), (Section::Reads, &["/tmp/*.s"])]);
        has(&own, &["PrivateTmp=yes"]);
        let shared =
            made(&[(Section::Writes, &["/tmp/app/log"]), (Section::Reads, &["/tmp/app/conf"])]);
        assert!(!shared.contains("PrivateTmp=yes"), "{shared}");
        has(&shared, &["ReadWritePaths=-/tmp/app"]);
    }

    #[test]
    fn names_of_strangers_are_names() {
        let text = made(&[
            (Section::Syscalls, &["read\nExecStart=/bin/evil"]),
            (
                Section::Writes,
                &["/srv/a\nExecStart=/bin/evil/x", "/srv/100%s \"x\"/f", "/srv/s\\*r/f"],
            ),
        ]);
        assert!(!text.lines().any(|line| line.starts_with("ExecStart")), "{text}");
        has(
            &text,
            &[
                "ReadWritePaths=-\"/srv/100%%s \\\"x\\\"\"",
                "ReadWritePaths=-\"/srv/s*r\"",
                "# Left out, as they cannot be written down: 1 folders.",
            ],
        );
    }

    #[test]
    fn many_folders_become_their_parents() {
        let folders = (0..1000).map(|n| format!("/srv/a/b{n}/c")).collect();
        assert_eq!(cover(folders), BTreeSet::from(["/srv/a".to_string()]));
        assert_eq!(folder("/a/b/c"), "/a/b");
        assert_eq!(folder("/a/*/c"), "/a");
        assert_eq!(folder("/x"), "/");
    }
}
