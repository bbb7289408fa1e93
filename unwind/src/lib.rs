//! How to walk user stacks of code built without frame pointers: the rules of `.eh_frame`,
//! in a form that an eBPF program can follow.
//!
//! - [`Rule`] says how to get from a frame to its caller; a [`Row`] is a rule with the file
//!   offset it holds from, 8 bytes of plain data.
//! - [`table`] makes all rows of an ELF file (feature `std`).
//! - [`rule_at`] finds the rule of one address in a mapped module: no allocation, no panic, safe
//!   in a signal handler.
//! - [`step`] follows a rule. eBPF programs do the same in C; the tests compare both sides with
//!   what others make of the same files.
//!
//! Rules are made for x86_64. On aarch64 frame pointers are part of the ABI, so that a table of
//! an aarch64 file has no rows.
//!
//! Not expressible, and therefore [`Kind::NONE`]: a CFA based on another register than `rsp` and
//! `rbp`, or computed by an expression (stacks realigned by GCC with a saved argument pointer,
//! OpenSSL's assembly), except those of `.plt` and of `__restore_rt`.
#![cfg_attr(not(feature = "std"), no_std)]

#[cfg(feature = "std")]
mod elf;
#[cfg(feature = "std")]
mod error;
mod frames;
mod lookup;
mod notes;
mod row;
mod rule;
mod step;
#[cfg(feature = "std")]
mod table;

#[cfg(feature = "std")]
pub use elf::{TextSegment, build_id};
#[cfg(feature = "std")]
pub use error::{Error, Result};
pub use gimli::BaseAddresses;
pub use lookup::{eh_frame_address, rule_at};
pub use notes::build_id_of_notes;
pub use row::{FP_LOST, Kind, Row, Rule};
pub use rule::{EhFrame, rule};
pub use step::{Registers, Step, step};
#[cfg(feature = "std")]
pub use table::{ROWS_MAX, Table, table};
