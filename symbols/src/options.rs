//! What to look names up with.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use store::Folder;

/// Memory of the process that reads symbols.
const MEMORY_BYTES: u64 = 2 << 30;

/// Finds the perf map of a process: the file in which it says what code it made.
pub type PerfMaps = Arc<dyn Fn(u32) -> Option<PathBuf> + Send + Sync>;

/// What to look names up with.
#[derive(Clone)]
pub struct Options {
    /// Folders with binaries or their debug files.
    pub debug_dirs: Vec<PathBuf>,
    /// Files by path and build-id, which can be opened by another name than their path, such as
    /// `/proc/self/fd/5`.
    pub held: HashMap<(String, Option<String>), PathBuf>,
    /// Whether this machine is the one that was recorded and has not been restarted since: see
    /// [`is_same_boot`]. Only then are the kernel's symbols, the vDSO, and files of unknown build-id
    /// those that were recorded.
    pub same_boot: bool,
    /// Where the perf maps of processes are, whose ids are of this machine or of the trace.
    pub perf_maps: Option<PerfMaps>,
    /// Whether inlined functions become frames.
    pub inlines: bool,
    /// Whether to look up source files and lines.
    pub lines: bool,
    /// Command and arguments that call [`worker`](crate::worker) in a process of its own. Without
    /// it, files are read in this process, which a file that was made for it can bring down.
    pub worker: Option<Vec<OsString>>,
    /// Memory that process may use.
    pub memory_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            debug_dirs: Vec::new(),
            held: HashMap::new(),
            same_boot: false,
            perf_maps: None,
            inlines: true,
            lines: true,
            worker: None,
            memory_bytes: MEMORY_BYTES,
        }
    }
}

/// Whether `segment` was recorded on this machine since it was started.
pub fn is_same_boot(folder: &Folder, segment: u64) -> bool {
    let Ok(here) = std::fs::read_to_string("/proc/sys/kernel/random/boot_id") else { return false };
    let path = folder.table_file("hosts", segment);
    // The library panics on some files that were made to be unreadable.
    let recorded = std::panic::catch_unwind(|| boot_id(&path)).ok().flatten();
    recorded.is_some_and(|recorded| recorded == here.trim())
}

fn boot_id(path: &std::path::Path) -> Option<String> {
    let file = std::fs::File::open(path).ok()?;
    let batch = ParquetRecordBatchReaderBuilder::try_new(file).ok()?.build().ok()?.next()?.ok()?;
    let ids = batch.column_by_name("boot_id")?.as_string_opt::<i32>()?;
    ids.iter().next()?.map(str::to_string)
}
