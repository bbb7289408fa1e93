//! The trace folder as its users see it: what goes into a spool comes out as rows.

mod build;
mod containers;
mod encode;
mod format;
mod sockets;
mod spool;
mod stacks;
mod trace;
mod verify;
