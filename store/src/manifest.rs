//! `trace.json`: what a trace says about itself.

use std::fs;
use std::io::{Read, Write};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::{create_file, open_file};
use crate::folder::Folder;

pub(crate) const MANIFEST: &str = "trace.json";
pub(crate) const MANIFEST_PARTIAL: &str = ".trace.json.tmp";
/// Longer ones are not read: a trace is untrusted.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// What a trace says about itself in `trace.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the trace format.
    pub format: FormatVersion,
    /// Tells recordings apart.
    pub id: String,
    /// Name of the machine.
    pub host: String,
    /// Kernel release.
    pub kernel: String,
    /// Architecture, in the kernel's words.
    pub arch: String,
    /// When the recording began, RFC 3339.
    pub created: String,
    /// Version of the ebrec that recorded it.
    pub recorder_version: String,
    /// Whether the recording has ended.
    pub state: State,
    /// The command that was recorded.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// Names of the streams that were recorded.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Settings of the recording.
    #[serde(default)]
    pub options: serde_json::Value,
    /// What was taken out: `none`, or how it was redacted.
    #[serde(default = "none")]
    pub redaction: String,
}

fn none() -> String {
    "none".to_string()
}

/// A version of the trace format, as the manifest writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormatVersion {
    /// Raised when an older reader would misread the trace.
    pub major: u16,
    /// Raised when something is added.
    pub minor: u16,
}

impl FormatVersion {
    /// The version that this crate writes.
    pub const CURRENT: FormatVersion =
        FormatVersion { major: schema::FORMAT.major, minor: schema::FORMAT.minor };
}

/// Whether a recording has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It goes on, or the recorder died.
    Recording,
    /// It ended in order.
    Finished,
}

/// Just the version: read first, since the rest may differ in a newer one.
#[derive(Deserialize)]
struct ManifestVersion {
    format: FormatVersion,
}

impl Folder {
    /// Reads `trace.json`.
    pub fn manifest(&self) -> Result<Manifest> {
        let path = self.path().join(MANIFEST);
        let (file, _) = open_file(&path)?;
        let mut text = String::new();
        file.take(MANIFEST_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(Error::io("read", &path))?;
        let explain = |source| Error::Manifest { path: path.clone(), source };
        let version: ManifestVersion = serde_json::from_str(&text).map_err(explain)?;
        if version.format.major > schema::FORMAT.major {
            let version = format!("{}.{}", version.format.major, version.format.minor);
            return Err(Error::TooNew { path, version });
        }
        serde_json::from_str(&text).map_err(explain)
    }

    /// Writes `trace.json`; readers see the old one or the new one.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<()> {
        let path = self.path().join(MANIFEST);
        let partial = self.path().join(MANIFEST_PARTIAL);
        let mut text = serde_json::to_vec_pretty(manifest)
            .map_err(|source| Error::Manifest { path: path.clone(), source })?;
        text.push(b'\n');
        let mut file = create_file(&partial)?;
        file.write_all(&text)
            .and_then(|()| file.sync_data())
            .map_err(Error::io("write", &partial))?;
        fs::rename(&partial, &path).map_err(Error::io("rename", &partial))
    }
}
