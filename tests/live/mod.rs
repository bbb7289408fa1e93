//! Recordings on the kernel these tests run on, each of processes of its own. They need the right to
//! load eBPF programs, and are skipped without.

mod allocations;
mod calls;
mod command;
mod connections;
mod containers;
mod counts;
mod crash;
mod disguise;
mod disk;
mod dns;
mod evasion;
mod flows;
mod frames;
mod growing;
mod intrusion;
mod lab;
mod logins;
mod overflow;
mod packets;
mod pair;
mod pcapng;
mod plan;
mod programs;
mod redaction;
mod refusals;
mod rings;
mod scope;
mod segments;
mod signals;
mod stacks;
mod system;
