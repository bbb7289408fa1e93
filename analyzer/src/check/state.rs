//! What an earlier call has told, so that a later one on a growing trace tells only what is new.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Version of the file.
const VERSION: u32 = 1;

/// A file is not read further than this.
const BYTES_MAX: u64 = 64 << 20;

/// How long before the last event rows may still come that began before it: what is under way, such as a
/// connection, is written when it ends or when its second is over.
pub(super) const LATE_NS: i64 = 5_000_000_000;

/// What was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    version: u32,
    /// The traces it is about, by their ids.
    traces: Vec<String>,
    /// The last event that was looked at, in nanoseconds since 1970.
    until_ns: i64,
    /// Findings that were told, by their ids, each with its moment.
    told: BTreeMap<String, i64>,
}

/// Why what was told is not known.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read or written.
    #[error("cannot {what} {path}: {reason}; name another file with --state")]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// It is about something else.
    #[error("{path} is about other traces; name another file with --state")]
    Other {
        /// The file.
        path: String,
    },
}

impl Seen {
    /// Nothing was told of these traces.
    pub fn nothing(traces: Vec<String>) -> Seen {
        Seen { version: VERSION, traces, ..Seen::default() }
    }

    /// Reads a file about `traces`; if there is none, nothing was told.
    pub fn read(path: &Path, traces: Vec<String>) -> Result<Seen, StateError> {
        let wrong = |reason: String| StateError::File {
            what: "read",
            path: path.display().to_string(),
            reason,
        };
        let size = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Seen::nothing(traces));
            }
            Err(error) => return Err(wrong(error.to_string())),
            Ok(metadata) => metadata.len(),
        };
        if size > BYTES_MAX {
            return Err(wrong(format!("{size} bytes are too many")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let seen: Seen = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if seen.version != VERSION {
            return Err(wrong(format!("its version is {}, not {VERSION}", seen.version)));
        }
        match seen.traces == traces {
            true => Ok(seen),
            false => Err(StateError::Other { path: path.display().to_string() }),
        }
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), StateError> {
        let wrong = |error: std::io::Error| StateError::File {
            what: "write",
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(wrong)?;
        let beside = path.with_extension(format!("{}.part", std::process::id()));
        let mut file = std::fs::File::create(&beside).map_err(wrong)?;
        let text = serde_json::to_string_pretty(self).map_err(|error| wrong(error.into()))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(wrong)?;
        std::fs::rename(&beside, path).map_err(wrong)
    }

    /// From when on a check that looks `window_ns` back must look again; none if at all of it.
    pub(super) fn from(&self, window_ns: i64) -> Option<i64> {
        (self.until_ns != 0)
            .then(|| self.until_ns.saturating_sub(LATE_NS).saturating_sub(window_ns))
    }

    /// Whether a finding was told; from now on it was.
    pub(super) fn tell(&mut self, id: &str, ts: i64) -> bool {
        self.told.insert(id.to_string(), ts).is_some()
    }

    /// Goes on to `until`.
    pub(super) fn advance(&mut self, until: i64) {
        self.until_ns = self.until_ns.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/state.json");
        let traces = vec!["t1".to_string()];
        let mut seen = Seen::read(&path, traces.clone()).unwrap();
        assert_eq!(seen.from(0), None);
        assert!(!seen.tell("a", 5));
        assert!(seen.tell("a", 5));
        seen.advance(20_000_000_000);
        seen.advance(10);
        seen.write(&path).unwrap();
        assert_eq!(Seen::read(&path, traces).unwrap(), seen);
        assert_eq!(seen.from(1_000_000_000), Some(14_000_000_000));
        let other = Seen::read(&path, vec!["t2".to_string()]).unwrap_err();
        assert!(
            other.to_string().ends_with("is about other traces; name another file with --state")
        );
        std::fs::write(&path, "{").unwrap();
        let broken = Seen::read(&path, vec![]).unwrap_err().to_string();
        assert!(broken.starts_with("cannot read "), "{broken}");
    }
}
