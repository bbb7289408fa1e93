//! Opens the traces that the command line names.

use std::path::{Path, PathBuf};

use store::Trace;

/// Opens every trace.
#[cfg(feature = "analyze")]
pub fn open(paths: &[PathBuf]) -> anyhow::Result<Vec<Trace>> {
    paths.iter().map(|path| open_one(path)).collect()
}

/// Opens one trace, and prints what its reader has to remark.
pub fn open_one(path: &Path) -> anyhow::Result<Trace> {
    let trace = Trace::open(path)?;
    for note in trace.notes() {
        eprintln!("note: {}", crate::text::escape(note));
    }
    Ok(trace)
}

/// The trace given as an argument, or else the only one given with `-t`.
pub fn only<'a>(argument: Option<&'a PathBuf>, paths: &'a [PathBuf]) -> anyhow::Result<&'a Path> {
    match (argument, paths) {
        (Some(path), _) => Ok(path),
        (None, [path]) => Ok(path),
        (None, _) => anyhow::bail!("this verb reads one trace at a time"),
    }
}
