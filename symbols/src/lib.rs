//! Names for the stacks of a trace: functions, inlined functions, source files and lines.
//!
//! After a segment is encoded its stacks are places in files: a module, its build-id, an offset.
//! [`Symbolizer`] finds those files, reads their symbol tables and DWARF, and writes the table
//! `stacks` anew. A file is believed only if its build-id is the one that was recorded. The files are
//! as untrusted as the trace is, so they are read in a process of its own (`worker`) that may fall:
//! then the module has no names, and nothing else is lost.
//!
//! `segment` goes over the frames, `find` finds the files of a module, `elf` reads their headers,
//! `table` their symbols, `dwarf` the rest; `kernel`, `vdso` and `perf_map` are for code that lies in
//! no file, and `name` demangles. Nothing here contacts another machine.

mod cache;
mod dwarf;
mod elf;
mod error;
mod find;
mod job;
mod kernel;
mod name;
mod options;
mod perf_map;
mod report;
mod resolve;
mod segment;
mod table;
mod vdso;
mod worker;

pub use error::{Error, Result};
pub use options::{Options, is_same_boot};
pub use report::{Module, Outcome, Report};
pub use segment::{Symbolizer, symbolize_segment};
pub use worker::worker;
