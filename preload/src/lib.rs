//! Records the allocations of programs from inside them, and drains the records.
//!
//! `library/` is a shared object, embedded here, that the dynamic linker loads into a program
//! (`LD_PRELOAD`) and that stands in for its allocating functions. It writes a record of each call,
//! with its stack, into a ring of the calling thread: a file in a folder that [`Collector`] makes.
//! The collector reads the rings and trusts nothing in them, for programs of any user may write
//! there. `layout` is what both sides share.
//!
//! Records are as in `schema`: `allocation`, `deallocation`, `stack`, `mapping`. Beyond what is said
//! there:
//!
//! - Frames of a stack are return addresses, all of them: the call is one byte before, which is
//!   where to look up the function and the line.
//! - An `allocation` with address 0 failed: nothing changed.
//! - A `realloc` that moves is a `deallocation` of the old address (operation `realloc`), at the time
//!   before the call, and an `allocation` of the new one, at the time after it. Only so is the order
//!   of times the order of events in programs with threads. The `old_address` of the latter is for
//!   information. One that does not move is one `allocation`, whose `old_address` is its `address`.
//!   One that gives back (size 0) is a `deallocation` alone.
//! - A `deallocation` of memory that is not known is of memory that was not recorded: too small, or
//!   older than the recording, or got by a function that is not stood in for.
//! - Times are of `CLOCK_MONOTONIC`, also where programs write ticks of the processor (`clock`).
//!   What is in a ring is shorter than a record (`layout`); the collector makes records of it.
//! - A stack or a mapping may be announced more than once in a segment.

mod clock;
mod collector;
mod control;
mod error;
mod folder;
pub mod layout;
mod liveness;
mod records;
mod ring;
mod room;

pub use collector::{Collector, KindTotals};
pub use control::{OnFull, Settings};
pub use error::{Error, Result};

/// The library, as the programs load it.
pub(crate) const LIBRARY: &[u8] = include_bytes!(env!("EBREC_PRELOAD_LIBRARY"));

/// `layout` names no other crate, so that its numbers are checked here.
const _: () = {
    use schema::events::{Allocation, Deallocation, Header, Mapping, Stack, Tail, kind_of};
    use schema::types::AllocationOperation as Named;

    assert!(layout::KIND_ALLOCATION == kind_of("allocation"));
    assert!(layout::KIND_DEALLOCATION == kind_of("deallocation"));
    assert!(layout::KIND_STACK == kind_of("stack"));
    assert!(layout::KIND_MAPPING == kind_of("mapping"));
    assert!(layout::RECORD_HEADER_BYTES == size_of::<Header>());
    assert!(layout::ALLOCATION_BYTES == size_of::<Allocation>());
    assert!(layout::DEALLOCATION_BYTES == size_of::<Deallocation>());
    assert!(layout::STACK_BYTES == size_of::<Stack>());
    assert!(layout::MAPPING_BYTES == size_of::<Mapping>());
    assert!(layout::TAIL_FRAMES == Tail::Frames as u8);
    assert!(layout::TAIL_BUILD_ID == Tail::BuildId as u8);
    assert!(layout::TAIL_FILE == Tail::File as u8);
    assert!(layout::Operation::Malloc as u32 == Named::Malloc as u32);
    assert!(layout::Operation::Calloc as u32 == Named::Calloc as u32);
    assert!(layout::Operation::Realloc as u32 == Named::Realloc as u32);
    assert!(layout::Operation::Reallocarray as u32 == Named::Reallocarray as u32);
    assert!(layout::Operation::PosixMemalign as u32 == Named::PosixMemalign as u32);
    assert!(layout::Operation::AlignedAlloc as u32 == Named::AlignedAlloc as u32);
    assert!(layout::Operation::Memalign as u32 == Named::Memalign as u32);
    assert!(layout::Operation::New as u32 == Named::New as u32);
    assert!(layout::Operation::Free as u32 == Named::Free as u32);
    assert!(layout::Operation::Delete as u32 == Named::Delete as u32);
};
