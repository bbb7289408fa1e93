//! The folder on disk: what is in it by name, who writes to it, what may be deleted.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use schema::tables::TABLES;

use crate::error::{Error, Result};
use crate::files::{
    create_dir, create_file, entries, file_bytes, is_dir, is_file, open_file, remove_file,
};
use crate::manifest::{MANIFEST, MANIFEST_PARTIAL};

const SPOOL: &str = "spool";
const LOCK: &str = ".lock";
/// Space held back for the end of a recording.
const RESERVE: &str = ".reserve";
/// The table whose file is renamed into place last: its presence says that a segment is complete.
const SEAL: &str = "segments";

/// A trace folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// Held by the recorder of a trace while it records; the kernel lets go of it if it dies.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

/// What is where a new trace is to be.
enum Before {
    Nothing,
    Empty,
    Trace,
}

impl Folder {
    /// Makes a folder for a new trace, readable by its owner only.
    ///
    /// It must not exist or be empty; with `force`, an earlier trace in it is removed: the files of
    /// a trace, and nothing else.
    pub fn create(path: &Path, force: bool) -> Result<Folder> {
        let folder = Folder { path: path.to_path_buf() };
        match folder.before(force)? {
            Before::Nothing => {
                if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty())
                {
                    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
                }
            }
            Before::Empty => {}
            Before::Trace => folder.clear()?,
        }
        create_dir(path)?;
        Ok(folder)
    }

    /// Whether [`Folder::create`] would find nothing in its way; makes and removes nothing.
    pub fn check_new(path: &Path, force: bool) -> Result<()> {
        Folder { path: path.to_path_buf() }.before(force).map(|_| ())
    }

    /// What is there before a new trace is made.
    fn before(&self, force: bool) -> Result<Before> {
        let path = || self.path.clone();
        let mut entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Before::Nothing);
            }
            Err(source) => return Err(Error::Io { action: "open", path: path(), source }),
            Ok(entries) => entries,
        };
        if entries.next().is_none() {
            return Ok(Before::Empty);
        }
        if !force {
            return Err(Error::Exists { path: path() });
        }
        if !is_file(&self.path.join(MANIFEST)) {
            return Err(Error::NotReplaced { path: path() });
        }
        if self.is_live() {
            return Err(Error::InUse { path: path() });
        }
        Ok(Before::Trace)
    }

    /// Opens the trace at `path`.
    pub fn open(path: &Path) -> Result<Folder> {
        match fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::NoFolder { path: path.to_path_buf() })
            }
            Err(source) => Err(Error::Io { action: "open", path: path.to_path_buf(), source }),
            Ok(_) if is_file(&path.join(MANIFEST)) => Ok(Folder { path: path.to_path_buf() }),
            // Its owner's, and nobody else's: that is another matter than no trace.
            Ok(_)
                if fs::read_dir(path)
                    .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied) =>
            {
                let source = std::io::ErrorKind::PermissionDenied.into();
                Err(Error::Io { action: "read", path: path.to_path_buf(), source })
            }
            Ok(_) => Err(Error::NotTrace { path: path.to_path_buf() }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock that tells a recording from one whose recorder died.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.path.join(LOCK);
        let file = create_file(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(fs::TryLockError::WouldBlock) => Err(Error::InUse { path: self.path.clone() }),
            Err(fs::TryLockError::Error(source)) => Err(Error::Io { action: "lock", path, source }),
        }
    }

    /// Whether a recorder is writing to it at the moment.
    pub fn is_live(&self) -> bool {
        open_file(&self.path.join(LOCK)).is_ok_and(|(file, _)| {
            matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock))
        })
    }

    /// The file of a table for a segment.
    pub fn table_file(&self, table: &str, segment: u64) -> PathBuf {
        self.path.join(table).join(segment_file_name(segment))
    }

    /// The spool folder of a segment.
    pub fn spool_path(&self, segment: u64) -> PathBuf {
        self.path.join(SPOOL).join(format!("{segment:06}"))
    }

    /// Makes the spool folder of a segment.
    pub fn create_spool(&self, segment: u64) -> Result<PathBuf> {
        create_dir(&self.path.join(SPOOL))?;
        let path = self.spool_path(segment);
        create_dir(&path)?;
        Ok(path)
    }

    /// Numbers of the segments that are complete, in order.
    pub fn segments_encoded(&self) -> Result<Vec<u64>> {
        self.segments_of(SEAL)
    }

    /// Numbers of the segments that a table has a file for, complete or not, in order.
    pub fn segments_of(&self, table: &str) -> Result<Vec<u64>> {
        numbers(&self.path.join(table), |entry, name| {
            name.strip_suffix(".parquet").and_then(number).filter(|_| is_file(entry))
        })
    }

    /// Numbers of the segments that have a spool, in order.
    pub fn spools(&self) -> Result<Vec<u64>> {
        numbers(&self.path.join(SPOOL), |entry, name| number(name).filter(|_| is_dir(entry)))
    }

    /// Removes the spool of a segment.
    pub fn remove_spool(&self, segment: u64) -> Result<()> {
        let path = self.spool_path(segment);
        if !is_dir(&path) {
            return Ok(());
        }
        for entry in entries(&path)? {
            if is_spool_file(&entry) {
                remove_file(&entry)?;
            }
        }
        fs::remove_dir(&path).map_err(Error::io("remove", &path))
    }

    /// Removes a complete segment; readers that begin afterwards do not see it at all.
    pub fn remove_segment(&self, segment: u64) -> Result<()> {
        remove_file(&self.table_file(SEAL, segment))?;
        TABLES.iter().try_for_each(|table| remove_file(&self.table_file(table.name, segment)))
    }

    /// Bytes of the Parquet files of a segment.
    pub fn segment_bytes(&self, segment: u64) -> u64 {
        TABLES.iter().map(|table| file_bytes(&self.table_file(table.name, segment))).sum()
    }

    /// Bytes of the spool of a segment.
    pub fn spool_bytes(&self, segment: u64) -> u64 {
        entries(&self.spool_path(segment))
            .map_or(0, |entries| entries.iter().map(|entry| file_bytes(entry)).sum())
    }

    /// Bytes of all segments and spools.
    pub fn bytes(&self) -> Result<u64> {
        let encoded: u64 =
            self.segments_encoded()?.iter().map(|segment| self.segment_bytes(*segment)).sum();
        let spools: u64 = self.spools()?.iter().map(|segment| self.spool_bytes(*segment)).sum();
        Ok(encoded + spools)
    }

    /// Takes up space, to be given back with [`Folder::release`]: the end of a recording must be
    /// written even when the disk is full.
    pub fn reserve(&self, bytes: usize) -> Result<()> {
        let path = self.path.join(RESERVE);
        let mut file = create_file(&path)?;
        // Not zeros: a file system may store those without taking up space.
        let filled = file.write_all(&vec![0x5a; bytes]);
        filled.map_err(Error::io("write", &path))
    }

    /// Gives back what [`Folder::reserve`] took.
    pub fn release(&self) -> Result<()> {
        remove_file(&self.path.join(RESERVE))
    }

    /// Removes the trace, for a recording that did not start.
    pub fn remove(self) -> Result<()> {
        self.clear()?;
        fs::remove_dir(&self.path).map_err(Error::io("remove", &self.path))
    }

    /// Removes the files of a trace, the manifest last, so that it can be repeated if it fails.
    ///
    /// What is not of a trace is looked for first: then nothing is removed.
    fn clear(&self) -> Result<()> {
        let files = [LOCK, RESERVE, MANIFEST_PARTIAL, MANIFEST];
        let is_ours = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            files.contains(&name) || name == SPOOL || TABLES.iter().any(|table| table.name == name)
        };
        if !entries(&self.path)?.iter().all(is_ours) {
            return Err(Error::NotReplaced { path: self.path.clone() });
        }
        for segment in self.spools()? {
            self.remove_spool(segment)?;
        }
        let tables =
            TABLES.iter().map(|table| self.path.join(table.name)).filter(|path| is_dir(path));
        for folder in tables.chain(Some(self.path.join(SPOOL)).filter(|path| is_dir(path))) {
            for entry in entries(&folder)? {
                if is_segment_file(&entry) {
                    remove_file(&entry)?;
                }
            }
            fs::remove_dir(&folder).map_err(Error::io("remove", &folder))?;
        }
        files.iter().try_for_each(|name| remove_file(&self.path.join(name)))
    }
}

/// The name of the Parquet file of a segment.
pub(crate) fn segment_file_name(segment: u64) -> String {
    format!("{segment:06}.parquet")
}

fn number(text: &str) -> Option<u64> {
    (text.len() >= 6 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// A segment's file, or what a dead encoder left of one.
fn is_segment_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let whole = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp")).unwrap_or(name);
    whole.strip_suffix(".parquet").and_then(number).is_some()
}

fn is_spool_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with(".spool") || name.ends_with(".spool.tmp")
}

/// The sorted numbers that `number_of` finds in the entries of a folder; none without a folder.
fn numbers(path: &Path, number_of: impl Fn(&Path, &str) -> Option<u64>) -> Result<Vec<u64>> {
    let entries = entries(path)?;
    let of = |entry: &PathBuf| number_of(entry, entry.file_name()?.to_str()?);
    let mut numbers: Vec<u64> = entries.iter().filter_map(of).collect();
    numbers.sort_unstable();
    Ok(numbers)
}
