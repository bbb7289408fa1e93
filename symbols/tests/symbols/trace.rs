//! A trace with one segment of given stacks, and what becomes of them.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use store::Folder;
use store::stacks::{Frame, Stack, to_batch};
use symbols::{Options, Report, symbolize_segment};
use tempfile::TempDir;

/// A trace, which goes away with it.
pub struct Trace {
    pub folder: Folder,
    _dir: TempDir,
}

impl Trace {
    /// A trace whose only segment has these stacks.
    pub fn new(stacks: &[Stack]) -> Trace {
        let dir = TempDir::new().expect("a folder");
        std::fs::write(dir.path().join("trace.json"), "{}").expect("a manifest");
        write(dir.path(), "stacks", &to_batch("host", stacks).expect("rows"));
        let table = schema::tables::by_name("segments").expect("a table");
        write(dir.path(), "segments", &RecordBatch::new_empty(schema::arrow::schema(table)));
        Trace { folder: Folder::open(dir.path()).expect("a trace"), _dir: dir }
    }

    /// Looks up its names.
    pub fn symbolize(&self, options: &Options) -> Report {
        symbolize_segment(&self.folder, 0, options).expect("a trace that can be written")
    }

    /// Its stacks.
    pub fn stacks(&self) -> Vec<Stack> {
        store::rewrite::stacks(&self.folder, 0).expect("a table").expect("the table").0
    }

    /// The bytes of the table.
    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.folder.table_file("stacks", 0)).expect("the table")
    }
}

fn write(trace: &Path, table: &str, rows: &RecordBatch) {
    let folder = trace.join(table);
    std::fs::create_dir(&folder).expect("a folder");
    let file = File::create(folder.join("000000.parquet")).expect("a file");
    let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
    let mut writer =
        ArrowWriter::try_new_with_options(file, rows.schema(), options).expect("a writer");
    writer.write(rows).expect("rows");
    writer.close().expect("a table");
}

/// A frame as encoding makes it.
pub fn frame(module: &str, build_id: Option<&str>, offset: u64) -> Frame {
    Frame {
        module: Some(module.into()),
        build_id: build_id.map(Into::into),
        offset: Some(offset),
        ..Frame::default()
    }
}

/// Stacks of one frame each.
pub fn stacks(frames: impl IntoIterator<Item = Frame>) -> Vec<Stack> {
    let stack = |(id, frame)| Stack { id, frames: vec![frame], ..Stack::default() };
    (0..).zip(frames).map(stack).collect()
}

/// What becomes of places in a module: the frames of each.
pub fn look_up(
    module: &str,
    build_id: Option<&str>,
    offsets: &[u64],
    options: &Options,
) -> (Vec<Vec<Frame>>, Report) {
    let frames = offsets.iter().map(|offset| frame(module, build_id, *offset));
    let trace = Trace::new(&stacks(frames));
    let report = trace.symbolize(options);
    (trace.stacks().into_iter().map(|stack| stack.frames).collect(), report)
}

/// The function that each place is in, inlined ones left out.
pub fn functions(frames: &[Vec<Frame>]) -> Vec<Option<String>> {
    let name = |frames: &Vec<Frame>| {
        let function = frames.last().and_then(|frame| frame.function.as_ref())?;
        Some(function.to_string())
    };
    frames.iter().map(name).collect()
}

/// Options that look in one folder.
pub fn in_folder(dir: &Path) -> Options {
    Options { debug_dirs: vec![dir.to_path_buf()], ..Options::default() }
}

/// Options that read files in a process of its own.
pub fn in_worker(dir: &Path) -> Options {
    let test = std::env::current_exe().expect("this test");
    let target = test.ancestors().nth(2).expect("the target folder");
    let worker: OsString = target.join("examples/worker").into();
    Options { worker: Some(vec![worker]), ..in_folder(dir) }
}

/// Options with the perf map of every process.
pub fn with_perf_map(path: PathBuf) -> Options {
    Options { perf_maps: Some(Arc::new(move |_| Some(path.clone()))), ..Options::default() }
}
