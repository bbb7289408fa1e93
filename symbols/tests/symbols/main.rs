//! Names for the stacks of traces that are made here, from programs that are compiled here.

mod build;
mod damage;
mod files;
mod lines;
mod memory;
mod trace;
