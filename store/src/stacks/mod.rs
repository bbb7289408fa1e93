//! Stacks and their frames: the rows of the table `stacks`, and the way to them from a spool.
//!
//! Events refer to a stack by a number of the kernel side that means nothing elsewhere: a stack of
//! addresses of one process. `resolve` finds the files those addresses lie in; what results has an
//! id that depends on nothing else, so that it is the same in every segment, process and recording.

pub(crate) mod resolve;

use std::fmt::Write;
use std::hash::Hasher;
use std::mem::offset_of;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Int32Array, Int32Builder, Int64Array,
    Int64Builder, ListArray, RecordBatch, StringArray, StringBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use arrow::error::ArrowError;
use schema::events as ev;
use schema::tables::{Table, by_name};
use twox_hash::XxHash64;

use crate::record::Record;
use crate::text::push_tail;

/// `module` of a frame in the kernel.
pub const KERNEL: &str = "[kernel]";
/// `module` of a frame in the code that the kernel gives each process.
pub const VDSO: &str = "[vdso]";
/// `module` of a frame in memory of no file: code that the process made.
pub const JIT: &str = "[jit]";

/// The file of a mapping as text, from the variable part [`schema::Tail::File`] of its record.
pub fn file_text(names: &[u8]) -> String {
    let mut text = String::new();
    push_tail(schema::Tail::File, names, false, &mut text);
    text
}

/// What the record of a mapping tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The process.
    pub pid: u32,
    /// First address.
    pub start: u64,
    /// Address behind the last.
    pub end: u64,
    /// Device of the file, as the kernel keeps it.
    pub device: u32,
    /// Inode number of the file.
    pub inode: u64,
    /// The file.
    pub file: String,
}

/// Reads the record of a mapping of a file; none if it is of another kind, or of no file.
pub fn mapping(record: &[u8]) -> Option<Mapping> {
    let record = Record::first(record).ok().filter(|record| record.kind() == resolve::MAPPING)?;
    let (file, _) = record.tail(schema::Tail::File)?;
    Some(Mapping {
        pid: record.pid(),
        start: record.u64_at(offset_of!(ev::Mapping, start_address))?,
        end: record.u64_at(offset_of!(ev::Mapping, end_address))?,
        device: record.u32_at(offset_of!(ev::Mapping, device))?,
        inode: record.u64_at(offset_of!(ev::Mapping, inode)).filter(|inode| *inode != 0)?,
        file: file_text(file),
    })
}

/// One frame of a stack; as the members of `frames` in the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Name of the function, demangled.
    pub function: Option<String>,
    /// Path of the program or library, or one of [`KERNEL`], [`VDSO`] and [`JIT`].
    pub module: Option<Arc<str>>,
    /// Build-id of the module, in hexadecimal.
    pub build_id: Option<Arc<str>>,
    /// Where in the module's file it was, to be looked up as it is: of a caller, the last byte of
    /// the call. In memory of no file, the address.
    pub offset: Option<u64>,
    /// Source file.
    pub file: Option<Arc<str>>,
    /// Line in it.
    pub line: Option<u32>,
    /// Whether the function is part of the next frame's code.
    pub inlined: bool,
}

/// A distinct stack; a row of the table `stacks`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// What it is known by.
    pub id: i64,
    /// Process, where frames lie in memory of no file.
    pub pid: Option<u32>,
    /// Frames, innermost first.
    pub frames: Vec<Frame>,
    /// Whether the outermost frames are missing.
    pub truncated: bool,
}

impl Stack {
    /// The id that belongs to its frames, and depends on nothing else: XXH64 of their parts.
    pub fn identify(&self) -> i64 {
        let mut hasher = XxHash64::with_seed(0);
        let mut text = |text: Option<&Arc<str>>| {
            let bytes = text.map_or(&[][..], |text| text.as_bytes());
            hasher.write(&(bytes.len() as u64).to_le_bytes());
            hasher.write(bytes);
        };
        for frame in &self.frames {
            text(frame.module.as_ref());
            text(frame.build_id.as_ref());
            text(Some(&format!("{:x}", frame.offset.unwrap_or(u64::MAX)).into()));
        }
        text(Some(&format!("{:?} {}", self.pid, self.truncated).into()));
        hasher.finish() as i64
    }

    /// Functions from the outermost to the innermost, joined by `;`; of a frame without a name, the
    /// module and the offset.
    pub fn folded(&self) -> String {
        let mut out = String::new();
        for frame in self.frames.iter().rev() {
            if !out.is_empty() {
                out.push(';');
            }
            match &frame.function {
                // These two end a frame and a line in the format.
                Some(name) => out.extend(name.chars().map(|char| match char {
                    ';' => ':',
                    '\n' | '\r' => ' ',
                    char => char,
                })),
                None => push_place(frame, &mut out),
            }
        }
        out
    }
}

fn push_place(frame: &Frame, out: &mut String) {
    let module = frame.module.as_deref().unwrap_or("[unknown]");
    let name = module.rsplit('/').next().unwrap_or(module);
    out.extend(name.chars().map(|char| if matches!(char, ';' | '\n' | '\r') { ':' } else { char }));
    if let Some(offset) = frame.offset {
        let _ = write!(out, "+{offset:#x}");
    }
}

/// The table `stacks`.
pub(crate) fn table() -> &'static Table {
    by_name("stacks").expect("the schema declares the table")
}

/// Rows of the table `stacks`.
pub fn to_batch(host: &str, stacks: &[Stack]) -> Result<RecordBatch, ArrowError> {
    let frames = || stacks.iter().flat_map(|stack| &stack.frames);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(stacks.iter().map(|stack| stack.id))),
        Arc::new(StringArray::from_iter_values(stacks.iter().map(|_| host))),
        Arc::new(Int32Array::from_iter(stacks.iter().map(|stack| stack.pid.map(|pid| pid as i32)))),
        Arc::new(ListArray::try_new(
            schema::arrow::frame(),
            OffsetBuffer::from_lengths(stacks.iter().map(|stack| stack.frames.len())),
            Arc::new(frame_column(frames())?),
            None,
        )?),
        Arc::new(StringArray::from_iter_values(stacks.iter().map(Stack::folded))),
        Arc::new(BooleanArray::from_iter(stacks.iter().map(|stack| Some(stack.truncated)))),
    ];
    RecordBatch::try_new(schema::arrow::schema(table()), columns)
}

fn frame_column<'a>(frames: impl Iterator<Item = &'a Frame>) -> Result<StructArray, ArrowError> {
    let (mut function, mut module) = (StringBuilder::new(), StringBuilder::new());
    let (mut build_id, mut file) = (StringBuilder::new(), StringBuilder::new());
    let (mut offset, mut line) = (Int64Builder::new(), Int32Builder::new());
    let mut inlined = BooleanBuilder::new();
    for frame in frames {
        function.append_option(frame.function.as_deref());
        module.append_option(frame.module.as_deref());
        build_id.append_option(frame.build_id.as_deref());
        offset.append_option(frame.offset.map(|offset| offset as i64));
        file.append_option(frame.file.as_deref());
        line.append_option(frame.line.map(|line| line as i32));
        inlined.append_value(frame.inlined);
    }
    let DataType::Struct(members) = schema::arrow::frame().data_type().clone() else {
        unreachable!("a frame is a struct")
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(function.finish()),
        Arc::new(module.finish()),
        Arc::new(build_id.finish()),
        Arc::new(offset.finish()),
        Arc::new(file.finish()),
        Arc::new(line.finish()),
        Arc::new(inlined.finish()),
    ];
    StructArray::try_new(members, columns, None)
}

/// The stacks in rows of the table; `None` if they are not such rows.
pub fn from_batch(batch: &RecordBatch) -> Option<Vec<Stack>> {
    let ids = batch.column_by_name("stack_id")?.as_primitive_opt::<Int64Type>()?;
    let pids = batch.column_by_name("pid")?.as_primitive_opt::<Int32Type>()?;
    let lists = batch.column_by_name("frames")?.as_list_opt::<i32>()?;
    let truncated = batch.column_by_name("truncated")?.as_boolean_opt()?;
    let mut texts = Interner::default();
    (0..batch.num_rows())
        .map(|row| {
            Some(Stack {
                id: ids.value(row),
                pid: pids.is_valid(row).then(|| pids.value(row) as u32),
                frames: from_frames(lists.value(row).as_struct_opt()?, &mut texts)?,
                truncated: truncated.value(row),
            })
        })
        .collect()
}

fn from_frames(frames: &StructArray, texts: &mut Interner) -> Option<Vec<Frame>> {
    let text = |name: &str| frames.column_by_name(name)?.as_string_opt::<i32>();
    let (function, module) = (text("function")?, text("module")?);
    let (build_id, file) = (text("build_id")?, text("file")?);
    let offset = frames.column_by_name("offset")?.as_primitive_opt::<Int64Type>()?;
    let line = frames.column_by_name("line")?.as_primitive_opt::<Int32Type>()?;
    let inlined = frames.column_by_name("inlined")?.as_boolean_opt()?;
    let value = |column: &StringArray, at: usize, texts: &mut Interner| {
        column.is_valid(at).then(|| texts.get(column.value(at)))
    };
    let frame = |at: usize| Frame {
        function: function.is_valid(at).then(|| function.value(at).to_string()),
        module: value(module, at, texts),
        build_id: value(build_id, at, texts),
        offset: offset.is_valid(at).then(|| offset.value(at) as u64),
        file: value(file, at, texts),
        line: line.is_valid(at).then(|| line.value(at) as u32),
        inlined: inlined.value(at),
    };
    Some((0..frames.len()).map(frame).collect())
}

/// Texts that many frames share, each kept once.
#[derive(Default)]
pub(crate) struct Interner(std::collections::HashSet<Arc<str>>);

impl Interner {
    pub fn get(&mut self, text: &str) -> Arc<str> {
        match self.0.get(text) {
            Some(known) => known.clone(),
            None => {
                let text: Arc<str> = text.into();
                self.0.insert(text.clone());
                text
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: Option<&str>, module: &str, offset: u64) -> Frame {
        Frame {
            function: function.map(str::to_string),
            module: Some(module.into()),
            offset: Some(offset),
            ..Frame::default()
        }
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        let stacks = vec![
            Stack {
                id: -5,
                pid: Some(7),
                frames: vec![frame(Some("f"), "/bin/a", 16), frame(None, "/lib/b.so", 0x20)],
                truncated: true,
            },
            Stack { id: 9, ..Stack::default() },
        ];
        let batch = to_batch("host", &stacks).expect("rows");
        assert_eq!(from_batch(&batch).expect("the columns are there"), stacks);
    }

    #[test]
    fn a_folded_stack_has_one_line_and_one_part_for_each_frame() {
        let frames = vec![
            frame(Some("leaf<a; b>"), "/bin/a", 1),
            frame(None, "/usr/lib/ev;il.so", 0x20),
            Frame { function: Some("two\nlines".into()), ..Frame::default() },
            Frame::default(),
        ];
        let stack = Stack { frames, ..Stack::default() };
        assert_eq!(stack.folded(), "[unknown];two lines;ev:il.so+0x20;leaf<a: b>");
    }
}
