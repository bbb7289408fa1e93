//! A file that is written as a whole, and never over another by accident.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A file to be written.
pub struct Target {
    path: PathBuf,
    force: bool,
}

impl Target {
    /// Refuses what is there already; with `force`, only what is no file.
    pub fn new(path: &Path, force: bool) -> Result<Target> {
        let shown = path.display();
        match std::fs::metadata(path) {
            Ok(known) if !known.is_file() => bail!("{shown} is not a file: choose another one"),
            Ok(_) if !force => {
                bail!("{shown} already exists: choose another file, or replace it with --force")
            }
            _ => {}
        }
        Ok(Target { path: path.to_path_buf(), force })
    }

    /// Writes it: readable by its owner only, and not there at all until it is complete.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        let cannot = || format!("cannot write {}", self.path.display());
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut file =
            tempfile::Builder::new().prefix(".ebrec-").tempfile_in(folder).with_context(cannot)?;
        file.write_all(bytes).and_then(|()| file.flush()).with_context(cannot)?;
        let kept = match self.force {
            true => file.persist(&self.path),
            false => file.persist_noclobber(&self.path),
        };
        kept.map(drop).map_err(|error| error.error).with_context(cannot)
    }
}
