//! A profile of AppArmor.
//!
//! AppArmor looks at the file that a path leads to, and a recording has the path as it was given. Links that most
//! machines have are written so that both fit: `/bin` is `/usr/bin`, `/var/run` is `/run`, a library's name without its
//! last number is a link to the one with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::super::Section;
use super::super::tree::letters;
use super::{Needs, capabilities, comment, is_hidden, plain};

/// What is open when a program starts, without it having opened it.
const INHERITED: [&str; 3] = ["/dev/null", "/dev/tty", "/dev/pts/*"];

/// The text of the profile.
pub fn text(needs: &Needs) -> String {
    let mut rules = Rules::default();
    for name in INHERITED {
        rules.allow(name, "rw");
    }
    for path in needs.items(Section::Reads) {
        let is_known = rules.allow(path, if is_library(path) { "mr" } else { "r" });
        // A folder that is read has a slash at its end, and which are folders is not known.
        if is_known && !is_library(path) {
            rules.allow(&format!("{path}/"), "r");
        }
    }
    let has_locks = needs.has_call("flock fcntl");
    for path in needs.items(Section::Writes) {
        // What was opened to write may have been opened to read, too.
        rules.allow(path, if has_locks { "rwk" } else { "rw" });
    }
    if needs.has_call("link linkat") {
        for path in needs.items(Section::Writes) {
            rules.allow(path, "l");
        }
    }
    for path in needs.items(Section::Executes).union(&needs.items(Section::Children)) {
        rules.allow(path, "mrPix");
    }
    for name in needs.programs.keys() {
        rules.allow(name, "mr");
    }
    for socket in needs.items(Section::Ports).union(&needs.items(Section::Peers)) {
        let path = socket.split_once(" /").map(|(_, path)| format!("/{path}"));
        if let Some(path) = path.filter(|_| socket.contains("unix")) {
            rules.allow(&path, "rw");
        }
    }
    let mut sentences = needs.made_of();
    sentences.push(
        "Load it to complain at first (`aa-complain`), and look at what it would have refused. Files are those whose \
         paths were given; what a path led to through a link of its own is not known. `Pix` runs a program under its \
         own profile where there is one."
            .to_string(),
    );
    if rules.relative > 0 {
        let count = rules.relative;
        sentences.push(format!("Left out, as the folder they are in is not known: {count} paths."));
    }
    if rules.strange > 0 {
        let count = rules.strange;
        sentences.push(format!("Left out, as they cannot be written down: {count} paths."));
    }
    let mut out = String::new();
    comment(&sentences, &mut out);
    let _ = write_profile(needs, &rules, &mut out);
    out
}

fn write_profile(needs: &Needs, rules: &Rules, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nabi <abi/3.0>,\n")?;
    match pattern(needs.name).filter(|_| needs.name.starts_with('/')) {
        Some(path) => writeln!(out, "profile {} {path} {{", name(needs.name))?,
        // Of what is in no file there is nothing to attach to.
        None => writeln!(out, "profile {} {{", name(needs.name))?,
    }
    for capability in capabilities::of(needs) {
        writeln!(out, "  capability {capability},")?;
    }
    for line in networks(needs) {
        writeln!(out, "  network {line},")?;
    }
    writeln!(
        out,
        "\n  # Others may send it signals, as service managers do; it may send them to itself."
    )?;
    writeln!(out, "  signal (receive) peer=unconfined,")?;
    writeln!(out, "  signal (send, receive) peer={},", name(needs.name))?;
    if needs.has_call("ptrace process_vm_readv process_vm_writev") {
        writeln!(out, "  ptrace (trace, read) peer={},", name(needs.name))?;
    }
    writeln!(out)?;
    for (path, access) in &rules.paths {
        writeln!(out, "  {path} {},", letters_of(access))?;
    }
    writeln!(out, "}}")
}

/// Rules of files: how the path is written, and what is allowed.
#[derive(Default)]
struct Rules {
    paths: BTreeMap<String, BTreeSet<char>>,
    relative: usize,
    strange: usize,
}

impl Rules {
    /// Allows something, if it can be written down.
    fn allow(&mut self, path: &str, access: &str) -> bool {
        if !path.starts_with('/') {
            // The names of programs in no file are no paths.
            self.relative += usize::from(!path.starts_with('['));
            return false;
        }
        match pattern(path) {
            Some(pattern) => self.paths.entry(pattern).or_default().extend(access.chars()),
            None => {
                self.strange += 1;
                return false;
            }
        }
        true
    }
}

/// What is allowed, in the order in which it is mostly written.
fn letters_of(access: &BTreeSet<char>) -> String {
    let mut text: String = "mrwlk".chars().filter(|letter| access.contains(letter)).collect();
    if access.contains(&'x') {
        text.push_str("Pix");
    }
    text
}

/// Whether a path is that of a library: `libc.so.6`, but not `ld.so.cache`.
fn is_library(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let version = name.rfind(".so").map(|at| &name[at + 3..]);
    version.is_some_and(|version| {
        version.is_empty()
            || version.strip_prefix('.').is_some_and(|rest| rest.starts_with(is_digit))
    })
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || c == '*'
}

/// A pattern as AppArmor reads it, in quotes; none for what cannot be written.
fn pattern(path: &str) -> Option<String> {
    if path.chars().any(|c| c.is_control() || is_hidden(c)) {
        return None;
    }
    let mut path = path.to_string();
    if is_library(&path)
        && let Some(at) = path.rfind(".so")
    {
        path.truncate(at + 3);
        path.push('*');
    }
    let mut out = String::from("\"");
    let mut rest = path.as_str();
    let linked = ["/lib", "/bin/", "/sbin/"];
    if let Some(tail) =
        rest.strip_prefix("/proc/self/").or_else(|| rest.strip_prefix("/proc/thread-self/"))
    {
        out.push_str("/proc/*/");
        rest = tail;
    } else if linked.iter().any(|folder| rest.starts_with(folder)) {
        out.push_str("/{,usr/}");
        rest = &rest[1..];
    } else if let Some(tail) = rest.strip_prefix("/usr/")
        && linked.iter().any(|folder| format!("/{tail}").starts_with(folder))
    {
        out.push_str("/{,usr/}");
        rest = tail;
    } else if let Some(tail) = rest.strip_prefix("/var/run/").or_else(|| rest.strip_prefix("/run/"))
    {
        out.push_str("/{,var/}run/");
        rest = tail;
    }
    for (c, is_star) in letters(rest) {
        let is_special =
            matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '^' | '"' | '\\' | ',' | '@');
        if is_special && !is_star {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    Some(out)
}

/// The name of a profile: without what means something to AppArmor.
fn name(program: &str) -> String {
    let base = program.rsplit('/').next().unwrap_or(program);
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.+".contains(c) { c } else { '_' };
    format!("ebrec.{}", plain(base).chars().map(safe).collect::<String>())
}

/// Families and types of sockets.
fn networks(needs: &Needs) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    let known = [
        "unix",
        "inet",
        "inet6",
        "netlink",
        "packet",
        "key",
        "can",
        "bluetooth",
        "alg",
        "vsock",
        "xdp",
    ];
    for socket in needs.items(Section::Sockets) {
        let (family, kind) = socket.split_once(' ').unwrap_or((socket, ""));
        if !known.contains(&family) {
            continue;
        }
        let is_kind = ["stream", "dgram", "seqpacket", "raw"].contains(&kind);
        lines.insert(if is_kind { format!("{family} {kind}") } else { family.to_string() });
    }
    let peers = needs.items(Section::Peers);
    for item in needs.items(Section::Ports).union(&peers) {
        let family = if item.contains('[') { "inet6" } else { "inet" };
        if item.split(' ').any(|word| word == "tcp") {
            lines.insert(format!("{family} stream"));
        } else if item.split(' ').any(|word| word == "udp") {
            lines.insert(format!("{family} dgram"));
        } else if item.split(' ').any(|word| word.starts_with("unix")) {
            lines.insert("unix".to_string());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::tests::baseline;
    use super::*;

    fn made(sections: &[(Section, &[&str])]) -> String {
        let baseline = baseline(&[("/usr/sbin/web", sections)]);
        text(&Needs::of(&baseline, "web", true).unwrap())
    }

    #[test]
    fn what_was_done_is_allowed_and_no_more() {
        let text = made(&[
            (
                Section::Reads,
                &["/etc/web/*.conf", "/etc/ld.so.cache", "/lib/x86_64-linux-gnu/libc.so.6"],
            ),
            (Section::Writes, &["/var/log/web/access.log", "/run/web.pid"]),
            (Section::Children, &["/usr/bin/gzip"]),
            (Section::Users, &["0"]),
            (Section::Syscalls, &["chown"]),
            (Section::Sockets, &["inet stream", "unix dgram"]),
        ]);
        for line in [
            "profile ebrec.web \"/{,usr/}sbin/web\" {",
            "  \"/etc/web/*.conf\" r,",
            "  \"/etc/ld.so.cache\" r,",
            "  \"/{,usr/}lib/x86_64-linux-gnu/libc.so*\" mr,",
            "  \"/var/log/web/access.log\" rw,",
            "  \"/{,var/}run/web.pid\" rw,",
            "  \"/{,usr/}bin/gzip\" mrPix,",
            "  capability chown,",
            "  network inet stream,",
            "  network unix dgram,",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
        assert!(!text.contains("/etc/shadow"));
    }

    #[test]
    fn names_of_strangers_are_names() {
        let text = made(&[(
            Section::Reads,
            &["/x\ny r,\n/** rw", "/q\"uote {a,b} @{HOME} \\* *", "relative", "/hidden\u{202e}"],
        )]);
        assert!(!text.contains("/** rw"), "{text}");
        assert!(text.contains(r#""/q\"uote \{a\,b\} \@\{HOME\} \* *" r,"#), "{text}");
        assert!(text.contains("is not known: 1 paths"), "{text}");
        assert!(text.contains("cannot be written down: 2 paths"), "{text}");
    }
}
