//! Kernels that preempt programs: the calls that keep them from it, and what is left out all the same.

use aya::Btf;
use aya_obj::btf::BtfKind;
use schema::Stream;
use schema::events::{EVENTS, EventDef};
use store::meta::KindCount;

use super::older_than;
use super::tracepoints::{Hook, streams_of};

/// Puts the kernel's numbers of the functions that [`ebpf`]'s programs call where their placeholders
/// are (`KERNEL_FUNCTION` in ebpf/src/ring.h). Returns whether this kernel has them all and needs them:
/// programs at system calls can be preempted since 7.0.
pub fn link_functions(object: &mut [u8], btf: &Btf) -> bool {
    const FUNCTIONS: [(&str, u32); 2] =
        [("bpf_preempt_disable", 0x7eb0_ff01), ("bpf_preempt_enable", 0x7eb0_ff02)];
    /// Code and source register of the instruction that calls a function of the kernel.
    const CALL: [u8; 4] = [0x85, 0x20, 0, 0];
    if older_than(7, 0) {
        return false;
    }
    FUNCTIONS.iter().all(|(name, placeholder)| {
        let Ok(id) = btf.id_by_type_name_kind(name, BtfKind::Func) else { return false };
        let instruction = [CALL, placeholder.to_le_bytes()].concat();
        for code in object.chunks_exact_mut(8).filter(|code| **code == *instruction) {
            code[4..].copy_from_slice(&id.to_le_bytes());
        }
        true
    })
}

/// Counts what a program would have recorded if the kernel had not left it out: one event of the
/// first kind of its stream each time, as near as can be known, on the first CPU.
pub fn add_skipped(counts: &mut Vec<KindCount>, program: &str, times: u64) {
    let hook = program.split_once("__").map_or(program, |(_, hook)| hook);
    let Hook { tracepoint, alone, .. } = Hook::of(hook);
    let stream = match alone {
        Some(name) => Stream::ALL.into_iter().find(|stream| stream.name() == name),
        None => streams_of(tracepoint).first().copied(),
    };
    let is_first = |event: &&EventDef| Some(event.stream) == stream && event.table.is_some();
    let Some(event) = EVENTS.iter().find(is_first) else { return };
    let (emitted, lost, skipped) = (times, times, times);
    KindCount { kind: event.id, emitted, lost, skipped, ..KindCount::default() }.add_to(counts);
}
