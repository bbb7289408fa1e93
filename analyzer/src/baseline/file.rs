//! The file of a baseline.
//!
//! It is TOML: people read it, may write notes into it and take things out of it; and one thing stands on one line,
//! sorted, with nothing between lines, so that `diff` and `git` show what changed (in JSON, the comma of the line before
//! changes, too). Who reads one does not know who wrote it: its size is bounded, and so are its texts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;

use serde::Deserialize;

use super::learn::PROGRAMS_MAX;
use super::observe::TEXT_MAX;
use super::{Baseline, Program, Rate, Recording, Section, Seen};
use crate::error::Error;

/// What the file says that it is.
const FORMAT: &str = "ebrec baseline";

/// The version that is written, and the newest that can be read.
const VERSION: u64 = 1;

/// Larger files are not read.
const BYTES_MAX: u64 = 64 << 20;

/// The last line, without which the rest may be missing. What was taken out on purpose leaves it.
const END: &str = "# End of the baseline.";

/// Recordings that are listed.
const RECORDINGS_MAX: usize = 100_000;

/// Just what it is: read first, since the rest may differ in a newer one.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    #[serde(rename = "format")]
    _format: String,
    #[serde(rename = "version")]
    _version: u64,
    #[serde(default)]
    recordings: Vec<Recording>,
    #[serde(default)]
    recorded: BTreeMap<String, u64>,
    #[serde(default)]
    programs: BTreeMap<String, ProgramOfFile>,
}

#[derive(Deserialize)]
struct ProgramOfFile {
    traces: u64,
    processes: u64,
    #[serde(default)]
    rates: BTreeMap<String, Rate>,
    #[serde(flatten)]
    sections: BTreeMap<Section, BTreeMap<String, Seen>>,
}

impl Baseline {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Baseline, Error> {
        let wrong = |reason: String| Error::File { path: path.display().to_string(), reason };
        let mut text = String::new();
        let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
        let bytes = file.take(BYTES_MAX + 1).read_to_string(&mut text);
        let bytes = bytes.map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => wrong("it is no baseline: it is not text".into()),
            _ => wrong(error.to_string()),
        })?;
        if bytes as u64 > BYTES_MAX {
            return Err(wrong(format!("it is larger than a baseline may be, {BYTES_MAX} bytes")));
        }
        Baseline::parse(&text).map_err(wrong)
    }

    /// Writes a file; who reads it at the time sees the old one or the new one.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let wrong = |error: std::io::Error| {
            Error::Report(format!("cannot write {}: {error}", path.display()))
        };
        let is_special = std::fs::metadata(path).is_ok_and(|known| !known.is_file());
        if is_special {
            // A pipe or a device.
            return std::fs::write(path, self.text()).map_err(wrong);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let partial = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let written = File::create(&partial)
            .and_then(|mut file| {
                file.write_all(self.text().as_bytes()).and_then(|()| file.sync_data())
            })
            .and_then(|()| std::fs::rename(&partial, path));
        written.map_err(|error| {
            // The error that is told says more than another one here.
            let _ = std::fs::remove_file(&partial);
            wrong(error)
        })
    }

    /// Reads the text of a file; the error is what is wrong with it.
    fn parse(text: &str) -> Result<Baseline, String> {
        let no_baseline = |error: toml::de::Error| {
            let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
            let line = line.map_or(String::new(), |line| format!(" (line {line})"));
            let reason = error.message().trim().replace('\n', ", ");
            format!("it is no baseline: {reason}{line}")
        };
        let head: Head = toml::from_str(text).map_err(no_baseline)?;
        if head.format != FORMAT {
            return Err("it is no baseline: its format is another".to_string());
        }
        if head.version > VERSION {
            return Err(format!(
                "it is a baseline of version {}, and this ebrec reads versions up to {VERSION}; \
                 use a newer ebrec, or learn it again",
                head.version
            ));
        }
        if text.trim_end().lines().next_back() != Some(END) {
            return Err(format!("it is torn: its last line is not \"{END}\""));
        }
        let whole: Whole = toml::from_str(text).map_err(no_baseline)?;
        whole.checked()
    }

    /// The text of its file.
    fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a text does not fail.
        let _ = self.put(&mut out);
        out
    }

    fn put(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "# What is normal for each program, learned by `ebrec baseline learn`; docs/baselines.md tells about it.\n\
             # Lines may be taken out or added: `*` stands for what is different each time, `**` for any number of folders.\n\
             format = {}\n\
             version = {VERSION}\n\
             recordings = [",
            quoted(FORMAT)
        )?;
        for recording in &self.recordings {
            let Recording { created, host, arch, id, seconds } = recording;
            let [created, host, arch, id] = [created, host, arch, id].map(|text| quoted(text));
            writeln!(
                out,
                "  {{ created = {created}, host = {host}, arch = {arch}, id = {id}, seconds = {} }},",
                number(*seconds)
            )?;
        }
        writeln!(out, "]\n\n# In how many recordings each could be seen.\n[recorded]")?;
        for (name, count) in &self.recorded {
            writeln!(out, "{} = {}", quoted(name), number(*count))?;
        }
        for (name, program) in &self.programs {
            program.put(&quoted(name), out)?;
        }
        writeln!(out, "\n{END}")
    }
}

impl Program {
    fn put(&self, name: &str, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "\n[programs.{name}]\ntraces = {}\nprocesses = {}",
            number(self.traces),
            number(self.processes)
        )?;
        for (section, items) in &self.sections {
            writeln!(out, "\n[programs.{name}.{}]", section.name())?;
            for (item, seen) in items {
                writeln!(
                    out,
                    "{} = {{ times = {}, processes = {}, traces = {} }}",
                    quoted(item),
                    number(seen.times),
                    number(seen.processes),
                    number(seen.traces)
                )?;
            }
        }
        if self.rates.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n[programs.{name}.rates]")?;
        for (rate, values) in &self.rates {
            let buckets: Vec<String> = values
                .buckets()
                .map(|(value, seconds)| format!("{value} = {}", number(seconds)))
                .collect();
            writeln!(
                out,
                "{rate} = {{ windows = {}, median = {}, p99 = {}, max = {}, buckets = {{ {} }} }}",
                number(values.windows()),
                number(values.quantile(50)),
                number(values.quantile(99)),
                number(values.max()),
                buckets.join(", ")
            )?;
        }
        Ok(())
    }
}

impl Whole {
    /// What was read, if it is not too much.
    fn checked(self) -> Result<Baseline, String> {
        let programs: BTreeMap<String, Program> = self
            .programs
            .into_iter()
            .map(|(name, program)| {
                let ProgramOfFile { traces, processes, rates, sections } = program;
                (name, Program { traces, processes, sections, rates })
            })
            .collect();
        let too_many =
            |what: &str, count: usize| format!("it has {count} {what}, which is too many");
        if self.recordings.len() > RECORDINGS_MAX {
            return Err(too_many("recordings", self.recordings.len()));
        }
        if programs.len() > PROGRAMS_MAX {
            return Err(too_many("programs", programs.len()));
        }
        let items = programs.values().flat_map(|program| program.sections.values().flatten());
        let mut texts =
            programs.keys().chain(items.map(|(item, _)| item)).chain(self.recorded.keys());
        if texts.any(|text| text.len() > TEXT_MAX) {
            return Err(format!("a text in it is longer than {TEXT_MAX} bytes"));
        }
        let rate = |name: &&String| {
            let is_plain = |b: u8| b.is_ascii_lowercase() || b == b'_';
            !name.ends_with("_per_second") || !name.bytes().all(is_plain)
        };
        if let Some(name) = programs.values().flat_map(|program| program.rates.keys()).find(rate) {
            return Err(format!("there is no rate {}", quoted(name)));
        }
        Ok(Baseline { recordings: self.recordings, recorded: self.recorded, programs })
    }
}

/// TOML has no larger numbers.
fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A text of TOML. What a terminal would obey, or show in another order than it is, is escaped: people look at the file.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        let is_harmful = c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // Writing to a text does not fail.
            c if is_harmful && u32::from(c) > 0xffff => _ = write!(out, "\\U{:08x}", u32::from(c)),
            c if is_harmful => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> Baseline {
        let seen = Seen { times: u64::from(u32::MAX), processes: 3, traces: 1 };
        let mut rate = Rate::default();
        [0, 7, 1000, u64::from(u32::MAX)].into_iter().for_each(|value| rate.add(value));
        let program = Program {
            traces: 1,
            processes: 3,
            sections: BTreeMap::from([
                (
                    Section::Reads,
                    BTreeMap::from([
                        ("/etc/\"quoted\" \\*\n\u{1b}[31m\u{202e}\u{e0041}".to_string(), seen),
                        ("# = [x]".to_string(), seen),
                        (String::new(), seen),
                    ]),
                ),
                (Section::Peers, BTreeMap::from([("client tcp [::1]:80".to_string(), seen)])),
            ]),
            rates: BTreeMap::from([("calls_per_second".to_string(), rate)]),
        };
        let recording = Recording {
            created: "2026-11-22T17:44:16Z".into(),
            host: "box".into(),
            arch: "x86_64".into(),
            id: "a'b".into(),
            seconds: 12,
        };
        Baseline {
            recordings: vec![recording],
            recorded: BTreeMap::from([("reads".to_string(), 1)]),
            programs: BTreeMap::from([
                ("/usr/bin/a.b c\u{7f}".to_string(), program),
                ("[x]".to_string(), Program::default()),
            ]),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let baseline = hostile();
        let text = baseline.text();
        assert_eq!(Baseline::parse(&text).unwrap(), baseline, "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7f}', '\u{e0041}']));
        // One thing on one line.
        assert_eq!(text.lines().filter(|line| line.contains("times = ")).count(), 4);
    }

    #[test]
    fn what_is_no_baseline_is_told_in_a_sentence() {
        let check = |text: &str, expected: &str| {
            let error = Baseline::parse(&format!("{text}{END}\n")).unwrap_err();
            assert!(error.contains(expected) && !error.contains('\n'), "{text}: {error}");
        };
        let head = "format = \"ebrec baseline\"\nversion = 1\n";
        check("{\"a\": 1}", "it is no baseline: ");
        check("", "missing field `format`");
        check("format = \"other\"\nversion = 1\n", "its format is another");
        check(
            "format = \"ebrec baseline\"\nversion = 9\nwhat = \"is new\"\n",
            "of version 9, and this ebrec reads versions up to 1",
        );
        check(&format!("{head}[programs.x]\ntraces = 1\n"), "missing field `processes`");
        check(
            &format!("{head}[programs.x]\ntraces = 1\nprocesses = 1\n[programs.x.fish]\n"),
            "fish",
        );
        check(&format!("{head}[programs.x]\ntraces = -1\nprocesses = 1\n"), "-1");
        check(
            &format!("{head}[programs.\"{}\"]\ntraces = 1\nprocesses = 1\n", "x".repeat(5000)),
            "longer than 4096 bytes",
        );
        check(
            &format!(
                "{head}[programs.x]\ntraces = 1\nprocesses = 1\n[programs.x.rates]\nfish = {{ max = 1, buckets = {{}} }}\n"
            ),
            "there is no rate \"fish\"",
        );
        let text = hostile().text();
        for length in (0..text.len() - 1).step_by(7).filter(|length| text.is_char_boundary(*length))
        {
            assert!(Baseline::parse(&text[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn files_are_read_as_far_as_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("normal.toml");
        hostile().write(&path).unwrap();
        assert_eq!(Baseline::read(&path).unwrap(), hostile());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let check = |path: &Path, expected: &str| {
            let error = Baseline::read(path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(&folder.path().join("none"), "cannot read ");
        let binary = folder.path().join("binary");
        std::fs::write(&binary, [0xff; 64]).unwrap();
        check(&binary, "it is not text");
        let large = folder.path().join("large");
        File::create(&large).unwrap().set_len(BYTES_MAX + 1).unwrap();
        check(&large, "larger than a baseline may be");
    }
}
