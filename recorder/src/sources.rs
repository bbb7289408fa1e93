//! Which families of events are recorded: `-s/--sources`.

use std::collections::BTreeSet;

use schema::Stream;

use crate::Error;

/// A named choice of sources.
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// The sources it stands for, besides `processes`.
    pub streams: &'static [Stream],
    /// The system calls it is limited to, as a named set; all when there is none.
    pub syscalls: Option<&'static str>,
    /// What it is for.
    pub doc: &'static str,
}

/// All presets.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "default",
        streams: &[Stream::Syscalls, Stream::Sched],
        syscalls: None,
        doc: "the full picture for a minute",
    },
    Preset {
        name: "light",
        streams: &[],
        syscalls: None,
        doc: "processes only, to be left on for good",
    },
    Preset {
        name: "security",
        streams: &[Stream::Syscalls],
        syscalls: Some("%security"),
        doc: "processes and the system calls that matter to security",
    },
    Preset {
        name: "performance",
        streams: &[Stream::Sched],
        syscalls: None,
        doc: "processes and the scheduler",
    },
    Preset { name: "everything", streams: &Stream::ALL, syscalls: None, doc: "all sources" },
];

/// The chosen sources. Processes are always among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    streams: BTreeSet<Stream>,
    /// The set of system calls a preset limits the recording to.
    pub syscalls: Option<&'static str>,
}

impl Default for Sources {
    fn default() -> Self {
        Sources::parse("default").expect("the default preset exists")
    }
}

impl Sources {
    /// Parses a comma-separated list of sources and presets; `+x` and `-x` change what came before,
    /// or the default.
    ///
    /// # Errors
    /// A name that is neither a source nor a preset.
    pub fn parse(text: &str) -> Result<Sources, Error> {
        let mut chosen = Sources { streams: BTreeSet::from([Stream::Processes]), syscalls: None };
        let mut words = text.split(',').map(str::trim).filter(|word| !word.is_empty()).peekable();
        if words.peek().is_none_or(|word| word.starts_with(['+', '-'])) {
            chosen.add("default")?;
        }
        for word in words {
            match word.strip_prefix('-') {
                Some(name) => chosen.remove(name)?,
                None => chosen.add(word.strip_prefix('+').unwrap_or(word))?,
            }
        }
        chosen.streams.insert(Stream::Processes);
        Ok(chosen)
    }

    /// Whether a source is chosen.
    pub fn has(&self, stream: Stream) -> bool {
        self.streams.contains(&stream)
    }

    /// The chosen sources, in their order.
    pub fn streams(&self) -> impl Iterator<Item = Stream> + '_ {
        self.streams.iter().copied()
    }

    fn add(&mut self, name: &str) -> Result<(), Error> {
        let (streams, syscalls) = resolve(name)?;
        if streams.contains(&Stream::Syscalls) {
            // All system calls and a set of them together are all.
            self.syscalls =
                if self.has(Stream::Syscalls) && self.syscalls.is_none() { None } else { syscalls };
        }
        self.streams.extend(streams);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), Error> {
        for stream in resolve(name)?.0 {
            self.streams.remove(&stream);
        }
        Ok(())
    }
}

fn resolve(name: &str) -> Result<(Vec<Stream>, Option<&'static str>), Error> {
    if let Some(stream) = Stream::ALL.iter().find(|stream| stream.name() == name) {
        return Ok((vec![*stream], None));
    }
    if let Some(preset) = PRESETS.iter().find(|preset| preset.name == name) {
        return Ok((preset.streams.to_vec(), preset.syscalls));
    }
    Err(Error::UnknownSource {
        name: name.escape_default().to_string(),
        known: Stream::ALL.map(Stream::name).join(", "),
        presets: PRESETS.iter().map(|preset| preset.name).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let sources = Sources::parse(text).expect("parses");
        assert_eq!(sources.streams().map(Stream::name).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn a_list_adds_to_processes_and_signs_change_the_default() {
        check("", &["processes", "syscalls", "sched"]);
        check("sched", &["processes", "sched"]);
        check("-sched", &["processes", "syscalls"]);
        check("light,+syscalls", &["processes", "syscalls"]);
        check("everything,-processes", &["processes", "syscalls", "sched"]);
    }

    #[test]
    fn a_preset_limits_system_calls_unless_all_are_asked_for() {
        assert_eq!(Sources::parse("security").expect("parses").syscalls, Some("%security"));
        assert_eq!(Sources::parse("security,syscalls").expect("parses").syscalls, None);
        assert_eq!(Sources::parse("syscalls,security").expect("parses").syscalls, None);
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let error = Sources::parse("sched,nosuch").expect_err("unknown").to_string();
        assert!(
            error.contains("`nosuch`") && error.contains("syscalls") && error.contains("light"),
            "{error}"
        );
    }
}
