//! Files and folders that are private to their owner when written, and not trusted when read.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What is in a folder; nothing if there is no such folder.
pub(crate) fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::Io { action: "list", path: path.to_path_buf(), source }),
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()).map_err(Error::io("list", path)))
            .collect(),
    }
}

pub(crate) fn file_bytes(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |metadata| metadata.len())
}

/// Whether there is a regular file, not a link to one: a trace is untrusted.
pub(crate) fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

pub(crate) fn is_dir(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

pub(crate) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Makes a folder that only its owner can enter; it may exist.
pub(crate) fn create_dir(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists || !path.is_dir() => {
            Err(Error::io("create", path)(error))
        }
        _ => Ok(()),
    }
}

/// Makes an empty file that only its owner can read.
pub(crate) fn create_file(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(Error::io("create", path))
}

/// Opens a regular file for reading, and says how long it is.
pub(crate) fn open_file(path: &Path) -> Result<(File, u64)> {
    let metadata = fs::symlink_metadata(path).map_err(Error::io("open", path))?;
    if !metadata.is_file() {
        let what = "it is not a regular file".to_string();
        return Err(Error::Damaged { path: path.to_path_buf(), what });
    }
    let file = File::open(path).map_err(Error::io("open", path))?;
    let length = file.metadata().map_err(Error::io("open", path))?.len();
    Ok((file, length))
}
