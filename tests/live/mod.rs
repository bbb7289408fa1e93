//! Recordings on the kernel these tests run on, each of processes of its own. They need the right to
//! load eBPF programs, and are skipped without.

mod allocations;
mod calls;
mod command;
mod containers;
mod counts;
mod crash;
mod frames;
mod growing;
mod lab;
mod overflow;
mod plan;
mod programs;
mod redaction;
mod refusals;
mod scope;
mod segments;
mod stacks;
