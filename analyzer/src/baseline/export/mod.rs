//! Sandboxes made of a baseline: what a program was seen to need is allowed, and nothing else.
//!
//! Each is a draft: what the recordings did not show (an error that is rare, a signal, another version of a library) is
//! forbidden too. So each says what it is made of and what it cannot know. Texts of a baseline are from strangers; what
//! a format has no way to write is left out and counted.

mod apparmor;
mod capabilities;
mod seccomp;
mod systemd;

use std::collections::{BTreeMap, BTreeSet};

use super::networks::{Network, Peer};
use super::{Baseline, Program, Section};
use crate::error::Error;

/// A kind of sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// A filter of system calls, as container runtimes read it.
    Seccomp,
    /// A profile of AppArmor.
    AppArmor,
    /// Settings of a service of systemd.
    Systemd,
}

/// The text of a sandbox for `program`: the name of its file, or of its file without the folder. What it starts runs
/// in the same sandbox, so that `with_children` takes in what those need, and those that they start.
pub fn export(
    baseline: &Baseline,
    program: &str,
    to: Sandbox,
    with_children: bool,
) -> Result<String, Error> {
    let needs = Needs::of(baseline, program, with_children)?;
    let sections: &[Section] = match to {
        Sandbox::Seccomp | Sandbox::Systemd => &[Section::Syscalls],
        Sandbox::AppArmor => &[Section::Reads],
    };
    for section in sections {
        if !baseline.knows(section.name()) {
            return Err(Error::Report(format!(
                "the baseline was learned without {}; record with `-s processes,syscalls,network`",
                section.name()
            )));
        }
    }
    Ok(match to {
        Sandbox::Seccomp => seccomp::text(&needs),
        Sandbox::AppArmor => apparmor::text(&needs),
        Sandbox::Systemd => systemd::text(&needs),
    })
}

/// What a program needs, with what it starts.
struct Needs<'a> {
    baseline: &'a Baseline,
    /// The program, as the baseline calls it.
    name: &'a str,
    /// It, and then the others.
    programs: BTreeMap<&'a str, &'a Program>,
    /// Programs that it starts and of which nothing is known.
    unknown: BTreeSet<&'a str>,
}

impl<'a> Needs<'a> {
    fn of(baseline: &'a Baseline, program: &str, with_children: bool) -> Result<Needs<'a>, Error> {
        let name = resolve(baseline, program)?;
        let mut needs =
            Needs { baseline, name, programs: BTreeMap::new(), unknown: BTreeSet::new() };
        let mut waiting = vec![name];
        while let Some(name) = waiting.pop() {
            let Some(program) = baseline.programs.get(name) else {
                needs.unknown.insert(name);
                continue;
            };
            if needs.programs.insert(name, program).is_none() && with_children {
                waiting.extend(program.names(Section::Children));
            }
        }
        Ok(needs)
    }

    /// The things of a section.
    fn items(&self, section: Section) -> BTreeSet<&'a str> {
        self.programs.values().flat_map(|program| program.names(section)).collect()
    }

    /// Names of system calls, however they were made; not of operations of io_uring, which a filter does not see.
    fn calls(&self) -> BTreeSet<&'a str> {
        let is_call = |name: &&str| !name.starts_with("io_uring:") && !name.contains('*');
        let name = |name: &'a str| name.strip_prefix(COMPAT).unwrap_or(name);
        self.items(Section::Syscalls).into_iter().filter(is_call).map(name).collect()
    }

    /// Whether calls were made as 32-bit programs make them.
    fn is_compat(&self) -> bool {
        self.items(Section::Syscalls).iter().any(|name| name.starts_with(COMPAT))
    }

    /// Whether any of the calls was made.
    fn has_call(&self, names: &str) -> bool {
        let calls = self.calls();
        names.split_whitespace().any(|name| calls.contains(name))
    }

    /// Whether a socket of this family was asked for.
    fn has_family(&self, family: &str) -> bool {
        let sockets = self.items(Section::Sockets);
        sockets.iter().any(|socket| socket.split(' ').next() == Some(family))
    }

    /// The networks of its peers.
    fn networks(&self) -> BTreeSet<Network> {
        let peers = self.items(Section::Peers);
        peers.into_iter().filter_map(Peer::parse).map(|peer| peer.network).collect()
    }

    /// Whether the whole was learned with a section.
    fn knows(&self, section: Section) -> bool {
        self.baseline.knows(section.name())
    }

    /// What it is made of, in sentences.
    fn made_of(&self) -> Vec<String> {
        let program = &self.baseline.programs[self.name];
        let others = self.programs.len() - 1;
        let mut lines = vec![format!(
            "A draft, made by ebrec {} of what {} did in {} recordings ({} processes){}.",
            env!("CARGO_PKG_VERSION"),
            plain(self.name),
            program.traces,
            program.processes,
            match others {
                0 => String::new(),
                1 => ", with what 1 program did that it starts".to_string(),
                n => format!(", with what {n} programs did that it starts"),
            }
        )];
        let missing: Vec<&str> = Section::ALL
            .into_iter()
            .filter(|section| !self.knows(*section))
            .map(Section::name)
            .collect();
        if !missing.is_empty() {
            lines.push(format!("The recordings did not show: {}.", missing.join(", ")));
        }
        if !self.unknown.is_empty() {
            let names: Vec<String> = self.unknown.iter().take(20).map(|name| plain(name)).collect();
            lines.push(format!(
                "It starts programs of which nothing is known: {}.",
                names.join(", ")
            ));
        }
        lines.push(
            "It cannot know what the recordings did not show: errors and signals that are rare, other versions of \
             libraries and of the kernel. Try it where that does no harm."
                .to_string(),
        );
        lines
    }
}

/// What stands before calls of 32-bit programs.
const COMPAT: &str = "32-bit:";

/// The one program that is called so.
fn resolve<'a>(baseline: &'a Baseline, program: &str) -> Result<&'a str, Error> {
    match baseline.programs_called(program)?.as_slice() {
        [name] => Ok(name),
        many => Err(Error::Report(format!(
            "the baseline has several programs `{program}`: {}",
            many.join(", ")
        ))),
    }
}

/// A text that can stand in a comment: without line ends and what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_hidden(c) { '?' } else { c }).collect()
}

/// What has no width, or changes the direction of writing.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Lines of a comment, of words that fit.
fn comment(sentences: &[String], out: &mut String) {
    for sentence in sentences {
        let mut length = 0;
        for word in sentence.split(' ') {
            if length == 0 || length + word.chars().count() > 100 {
                out.push_str(if length == 0 { "# " } else { "\n# " });
                length = 2;
            } else {
                out.push(' ');
            }
            out.push_str(word);
            length += word.chars().count() + 1;
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::super::Seen;
    use super::*;

    /// A section and what is in it.
    type Filled<'a> = (Section, &'a [&'a str]);

    pub fn baseline(programs: &[(&str, &[Filled])]) -> Baseline {
        let program = |sections: &[(Section, &[&str])]| Program {
            traces: 3,
            processes: 5,
            sections: sections
                .iter()
                .map(|(section, items)| {
                    (
                        *section,
                        items.iter().map(|item| (item.to_string(), Seen::default())).collect(),
                    )
                })
                .collect(),
            rates: BTreeMap::new(),
        };
        Baseline {
            recordings: vec![super::super::Recording {
                created: String::new(),
                host: "box".into(),
                arch: "x86_64".into(),
                id: "1".into(),
                seconds: 1,
            }],
            recorded: Section::ALL
                .map(|section| (section.name().to_string(), 3))
                .into_iter()
                .collect(),
            programs: programs
                .iter()
                .map(|(name, sections)| (name.to_string(), program(sections)))
                .collect(),
        }
    }

    #[test]
    fn what_a_program_starts_is_in_its_sandbox() {
        let baseline = baseline(&[
            (
                "/usr/sbin/web",
                &[(Section::Syscalls, &["accept4"]), (Section::Children, &["/bin/sh"])],
            ),
            (
                "/bin/sh",
                &[
                    (Section::Syscalls, &["pipe2", "32-bit:getpid", "io_uring:openat"]),
                    (Section::Children, &["/bin/sh", "/bin/none"]),
                ],
            ),
        ]);
        let needs = Needs::of(&baseline, "web", true).unwrap();
        assert_eq!(needs.calls().into_iter().collect::<Vec<_>>(), ["accept4", "getpid", "pipe2"]);
        assert!(needs.is_compat());
        assert_eq!(needs.unknown.iter().collect::<Vec<_>>(), [&"/bin/none"]);
        let alone = Needs::of(&baseline, "/usr/sbin/web", false).unwrap();
        assert_eq!(alone.calls().len(), 1);
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        let baseline =
            baseline(&[("/usr/sbin/web", &[]), ("/opt/web", &[]), ("/usr/bin/nginx", &[])]);
        let check = |name: &str, expected: &str| {
            let error = export(&baseline, name, Sandbox::Seccomp, true).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("web", "several programs `web`: /opt/web, /usr/sbin/web");
        check("ngimx", "no program `ngimx`; did you mean `nginx`?");
        check("zzzzzzzz", "no program `zzzzzzzz`");
    }

    #[test]
    fn a_text_in_a_comment_is_on_its_line() {
        let mut out = String::new();
        comment(&[plain("a\nb\u{202e}c"), "word ".repeat(60)], &mut out);
        assert!(out.lines().all(|line| line.starts_with("# ") && line.len() <= 104), "{out}");
        assert!(out.starts_with("# a?b?c\n"));
    }
}
