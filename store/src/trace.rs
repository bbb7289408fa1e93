//! A trace opened for reading: its segments as Parquet files, whether encoded yet or not.
//!
//! Segments that the recorder has sealed are taken as they are. What is left in spools, because the
//! recording goes on or the recorder died, is encoded into a private folder that goes away with the
//! [`Trace`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use schema::tables::TABLES;
use tempfile::TempDir;

use crate::encode;
use crate::error::{Error, Result};
use crate::folder::{Folder, segment_file_name};
use crate::intact::check_ends;
use crate::manifest::{Manifest, State};

/// How often to look again when segments come and go while the trace is being opened.
const ROUNDS_MAX: usize = 5;

/// A trace that can be read.
pub struct Trace {
    folder: Folder,
    manifest: Manifest,
    is_live: bool,
    segments: Vec<u64>,
    files: BTreeMap<&'static str, Vec<PathBuf>>,
    notes: Vec<String>,
    /// Removed when the trace is closed.
    _decoded: Option<TempDir>,
}

/// How a recording came to its end, if it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In order.
    Finished,
    /// It goes on.
    Recording,
    /// The recorder died.
    Crashed,
}

impl Trace {
    /// Opens the trace at `path`.
    pub fn open(path: &Path) -> Result<Trace> {
        let folder = Folder::open(path)?;
        let manifest = folder.manifest()?;
        let is_live = folder.is_live();
        for _ in 0..ROUNDS_MAX {
            match Trace::collect(&folder, &manifest, is_live) {
                // A spool that was encoded, or a segment that was dropped, while we looked at it.
                Err(error) if error.is_not_found() => {}
                result => return result,
            }
        }
        Err(Error::Unstable { path: path.to_path_buf() })
    }

    fn collect(folder: &Folder, manifest: &Manifest, is_live: bool) -> Result<Trace> {
        // Spools first: one that is encoded in between is then found as a segment.
        let spools = folder.spools()?;
        let sealed = folder.segments_encoded()?;
        // A folder without files was just made, or is what a dying recorder left.
        let is_waiting = |number: &u64| !sealed.contains(number) && folder.spool_bytes(*number) > 0;
        let decoded = decode(folder, spools.into_iter().filter(is_waiting).collect())?;
        // And once more: a spool that was encoded meanwhile may have been removed under our hands.
        let sealed = folder.segments_encoded()?;
        let mut sources: BTreeMap<u64, &Path> =
            sealed.iter().map(|number| (*number, folder.path())).collect();
        let mut notes = Vec::new();
        for (number, result) in &decoded.results {
            if sources.contains_key(number) || !folder.spool_path(*number).exists() {
                continue;
            }
            match result {
                Ok(torn_bytes) => {
                    sources.insert(*number, decoded.path());
                    notes.push(format!(
                        "segment {number} was read from its spool: it is not encoded yet"
                    ));
                    if *torn_bytes > 0 {
                        notes.push(format!(
                            "segment {number} ends in {torn_bytes} bytes that are no whole block: they were left out"
                        ));
                    }
                }
                Err(()) => {
                    notes.push(format!("segment {number} had just begun: nothing is in it yet"))
                }
            }
        }
        let mut wanted = Vec::new();
        for table in TABLES {
            let path = |(segment, source): (&u64, &&Path)| {
                source.join(table.name).join(segment_file_name(*segment))
            };
            wanted.extend(sources.iter().map(path).map(|path| (table.name, path)));
        }
        // There may be thousands, and each is opened.
        let checked: Vec<Result<()>> =
            wanted.par_iter().map(|(_, path)| check_ends(path)).collect();
        let mut files: BTreeMap<&'static str, Vec<PathBuf>> = BTreeMap::new();
        for ((table, path), checked) in wanted.into_iter().zip(checked) {
            match checked {
                Ok(()) => files.entry(table).or_default().push(path),
                // The source was not recorded, or a segment is being dropped: then its seal is gone.
                Err(error) if error.is_not_found() && table != "segments" => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Trace {
            folder: folder.clone(),
            manifest: manifest.clone(),
            is_live,
            segments: sources.keys().copied().collect(),
            files,
            notes,
            _decoded: decoded.folder,
        })
    }

    /// Its name: that of its folder.
    pub fn name(&self) -> String {
        let path = std::fs::canonicalize(self.folder.path())
            .unwrap_or_else(|_| self.folder.path().to_path_buf());
        path.file_name()
            .map_or_else(|| "trace".to_string(), |name| name.to_string_lossy().into_owned())
    }

    /// Where it is.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What it says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether the recording has ended, and how.
    pub fn ending(&self) -> Ending {
        match (self.manifest.state, self.is_live) {
            (State::Finished, _) => Ending::Finished,
            (State::Recording, true) => Ending::Recording,
            (State::Recording, false) => Ending::Crashed,
        }
    }

    /// The numbers of its segments, in order.
    pub fn segments(&self) -> &[u64] {
        &self.segments
    }

    /// The Parquet files of a table, in the order of segments; none if it was not recorded.
    pub fn files(&self, table: &str) -> &[PathBuf] {
        self.files.get(table).map_or(&[], Vec::as_slice)
    }

    /// What a reader should know, in sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Segments that were only in spools.
struct Decoded {
    /// Holds their files.
    folder: Option<TempDir>,
    /// Bytes that were left out; an error for what had just begun.
    results: Vec<(u64, std::result::Result<u64, ()>)>,
}

impl Decoded {
    fn path(&self) -> &Path {
        self.folder.as_ref().map_or(Path::new(""), TempDir::path)
    }
}

/// Encodes segments into a private folder.
fn decode(folder: &Folder, waiting: Vec<u64>) -> Result<Decoded> {
    if waiting.is_empty() {
        return Ok(Decoded { folder: None, results: Vec::new() });
    }
    let decoded = tempfile::Builder::new()
        .prefix("ebrec-")
        .tempdir()
        .map_err(Error::io("create", &std::env::temp_dir()))?;
    let one = |number| match encode::segment(folder, number, decoded.path()) {
        Ok(encoded) => Ok((number, Ok(encoded.torn_bytes))),
        Err(Error::NoStart { .. }) => Ok((number, Err(()))),
        Err(error) => Err(error),
    };
    let results: Result<Vec<_>> = waiting.into_par_iter().map(one).collect();
    Ok(Decoded { results: results?, folder: Some(decoded) })
}
