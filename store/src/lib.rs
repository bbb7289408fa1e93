//! The trace folder of ebrec: what the recorder writes and the analyzer reads.
//!
//! `spool` is the raw record stream of a segment and `meta` what user space adds to it; `encode`
//! turns a spool into the segment's Parquet files, with `identity` saying who each thread was;
//! `folder` is the folder on disk; `trace` opens one for reading, and `verify` checks that it adds
//! up. `stacks` are what events refer to, and `rewrite` puts names into them later. `writer` makes the
//! files of a segment without a spool, from columns. Only `identity`
//! and `stacks` name event kinds; the rest follows the lists in `schema`. Nothing here needs
//! a kernel, root or Linux.

pub mod container;
pub mod encode;
pub mod error;
pub mod folder;
pub mod identity;
pub mod manifest;
pub mod meta;
pub mod rewrite;
pub mod spool;
pub mod stacks;
pub mod trace;
pub mod verify;
pub mod writer;

mod cache;
mod columns;
mod dns;
mod files;
mod intact;
mod names;
mod output;
mod packets;
mod record;
mod segment;
mod state;
mod text;

pub use encode::Encoded;
pub use error::{Error, Result};
pub use folder::Folder;
pub use manifest::Manifest;
pub use meta::Meta;
pub use spool::{MetaWriter, SpoolWriter};
pub use trace::Trace;
pub use verify::{Report, Verdict, verify};
pub use writer::SegmentWriter;
