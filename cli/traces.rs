//! Opens the traces that the command line names.

use std::path::{Path, PathBuf};

use store::Trace;

#[derive(clap::Args, Clone, Debug, Default)]
#[allow(missing_docs, reason = "a comment here would become the help of the command")]
pub struct Traces {
    /// Trace to read (default: the folder `trace`); may be repeated
    #[arg(short, long = "trace", value_name = "FOLDER")]
    traces: Vec<PathBuf>,
}

impl Traces {
    /// Those given before the verb and after it; without any, the one that `record` makes by default.
    pub fn paths(&self, before: &Traces) -> Vec<PathBuf> {
        let paths = [before.traces.as_slice(), &self.traces].concat();
        if paths.is_empty() { vec![PathBuf::from("trace")] } else { paths }
    }

    /// Those that were given, as a shell takes them.
    #[cfg(feature = "analyze")]
    pub fn typed(&self) -> Vec<String> {
        let text = |path: &PathBuf| path.display().to_string();
        self.traces.iter().map(|path| analyzer::check::shell_word(&text(path))).collect()
    }

    /// These, and then others.
    #[cfg(feature = "analyze")]
    pub fn and(&self, others: &Traces) -> Traces {
        Traces { traces: [self.traces.as_slice(), &others.traces].concat() }
    }

    /// Refuses them for a verb that reads no trace.
    pub fn refuse(&self) -> anyhow::Result<()> {
        if !self.traces.is_empty() {
            anyhow::bail!("-t names a trace to read, and this command reads none");
        }
        Ok(())
    }
}

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
        (None, _) => anyhow::bail!("this command reads one trace at a time"),
    }
}
