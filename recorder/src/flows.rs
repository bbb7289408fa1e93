//! Traffic by second, process and pair of addresses: fetches once a second what the kernel side has
//! added up, and makes records of it.
//!
//! The kernel side fills one of two tables. To fetch means to have it fill the other one, to wait until
//! no program can still be writing to the first, and to read and empty that.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::Duration;

use aya::Pod;
use aya::maps::{Array, MapData};
use schema::Header;
use schema::events::Flow;
use schema::types::{
    Count, DurationNs, EtherType, IpAddress, IpProtocol, Name, Number, Port, SizeBytes,
};
use store::meta::KindCount;
use zerocopy::IntoBytes;

use crate::Error;
use crate::sink::Sink;

/// Most flows of a second that are told apart.
pub const FLOWS_MAX: u32 = 65_536;
/// Pairs of addresses whose process is remembered.
pub const OWNERS_MAX: u32 = 16_384;
/// Entries fetched with one call.
const BATCH: usize = 4096;
/// A block is written when it has this many bytes.
const BLOCK_BYTES: usize = 1 << 20;

/// As KNOWN_ in ebpf/src/packet.h.
const KNOWN_ADDRESSES: u8 = 1;
const KNOWN_PROTOCOL: u8 = 2;
const KNOWN_PORTS: u8 = 4;

/// As `struct flow_key` in ebpf/src/packet.h.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Key {
    local: [u8; 16],
    remote: [u8; 16],
    netns: u32,
    ifindex: u32,
    local_port: u16,
    remote_port: u16,
    ethertype: u16,
    protocol: u8,
    known: u8,
}

/// As `struct flow` in ebpf/src/flows.h.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Sums {
    first_ns: u64,
    first_jiffies: u64,
    last_jiffies: u64,
    sent_packets: u64,
    sent_bytes: u64,
    received_packets: u64,
    received_bytes: u64,
    pid: u32,
    tid: u32,
    pid_is_sure: u64,
    interface: [u8; 16],
}

// SAFETY: integers without padding, any value is valid.
unsafe impl Pod for Sums {}

/// The maps of the kernel side.
pub struct Tables {
    /// What is added up, in turn.
    pub tables: [MapData; 2],
    /// What found no room in each.
    pub rest: Array<MapData, Sums>,
    /// Which of the two is filled.
    pub filled: Array<MapData, u32>,
}

/// Fetches what is added up.
pub struct Flows {
    maps: Tables,
    sink: Arc<Sink>,
    /// Only what belongs to a process in scope is recorded, or is in one of these namespaces.
    scope: Option<Vec<u32>>,
    filled: u32,
    /// Time between two ticks of the kernel's clock, its `jiffies`.
    tick_ns: u64,
    keys: Vec<Key>,
    sums: Vec<Sums>,
    block: Vec<u8>,
    stored: u64,
    lost: u64,
}

impl Flows {
    /// For records that go to `sink`. `scope`: only what is of a process in scope is recorded, and
    /// what is in one of these network namespaces.
    pub fn new(maps: Tables, sink: Arc<Sink>, scope: Option<Vec<u32>>) -> Flows {
        Flows {
            maps,
            sink,
            scope,
            filled: 0,
            tick_ns: tick_ns(),
            keys: vec![Key::default(); BATCH],
            sums: vec![Sums::default(); BATCH],
            block: Vec::new(),
            stored: 0,
            lost: 0,
        }
    }

    /// Makes records of what was added up until now.
    pub fn fetch(&mut self) -> Result<(), Error> {
        let full = self.filled;
        self.filled ^= 1;
        self.maps.filled.set(0, self.filled, 0)?;
        await_programs();
        let mut position = None;
        loop {
            let (count, next) = self.take_batch(full as usize, position)?;
            for at in 0..count {
                let (key, sums) = (self.keys[at], self.sums[at]);
                self.push(Some(&key), &sums);
            }
            match next {
                Some(next) => position = Some(next),
                None => break,
            }
        }
        let rest = self.maps.rest.get(&full, 0)?;
        let packets = rest.sent_packets + rest.received_packets;
        if packets > 0 {
            self.maps.rest.set(full, Sums::default(), 0)?;
            self.push(None, &rest);
            self.lost += packets;
        }
        self.flush();
        Ok(())
    }

    /// Takes entries out of a table into `keys` and `sums`: how many, and where to go on.
    fn take_batch(
        &mut self,
        table: usize,
        from: Option<u32>,
    ) -> Result<(usize, Option<u32>), Error> {
        const LOOKUP_AND_DELETE_BATCH: libc::c_long = 25;
        // The kernel's `struct { ... } batch` in `union bpf_attr`.
        #[repr(C)]
        struct Attributes {
            in_batch: u64,
            out_batch: u64,
            keys: u64,
            values: u64,
            count: u32,
            map_fd: u32,
            elem_flags: u64,
            flags: u64,
        }
        let mut next = 0u32;
        let mut attributes = Attributes {
            in_batch: from.as_ref().map_or(0, |from| std::ptr::from_ref(from) as u64),
            out_batch: std::ptr::from_mut(&mut next) as u64,
            keys: self.keys.as_mut_ptr() as u64,
            values: self.sums.as_mut_ptr() as u64,
            count: BATCH as u32,
            map_fd: self.maps.tables[table].fd().as_fd().as_raw_fd() as u32,
            elem_flags: 0,
            flags: 0,
        };
        // SAFETY: the pointers are to room for `count` entries of the map's key and value, and to
        // the position, which is a bucket's number of 32 bits.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                LOOKUP_AND_DELETE_BATCH,
                std::ptr::from_mut(&mut attributes),
                size_of::<Attributes>(),
            )
        };
        let count = (attributes.count as usize).min(BATCH);
        if result == 0 {
            return Ok((count, Some(next)));
        }
        let source = std::io::Error::last_os_error();
        match source.raw_os_error() {
            // That was the last of them.
            Some(libc::ENOENT) => Ok((count, None)),
            _ => Err(Error::Io { what: "cannot read the table of traffic", source }),
        }
    }

    fn push(&mut self, key: Option<&Key>, sums: &Sums) {
        if let (Some(namespaces), Some(key)) = (&self.scope, key)
            && sums.pid == 0
            && !namespaces.contains(&key.netns)
        {
            return;
        }
        let record = record(key, sums, self.tick_ns);
        self.block.extend_from_slice(record.as_bytes());
        self.stored += 1;
        if self.block.len() >= BLOCK_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.sink.write(&self.block);
        self.block.clear();
    }

    /// Adds what was recorded and what found no room to the counts of the kernel side.
    pub fn add_to(&self, kinds: &mut Vec<KindCount>) {
        let emitted = self.stored + self.lost;
        if emitted > 0 {
            let (kind, lost) = (Flow::KIND, self.lost);
            kinds.push(KindCount { kind, cpu: 0, emitted, lost, refused: 0 });
        }
    }
}

fn record(key: Option<&Key>, sums: &Sums, tick_ns: u64) -> Flow {
    let known = key.map_or(0, |key| key.known);
    let has = |bit| key.filter(|_| known & bit != 0);
    let address = |of: fn(&Key) -> [u8; 16]| IpAddress(has(KNOWN_ADDRESSES).map_or([0xff; 16], of));
    let number = |of: fn(&Key) -> u32| Number(key.map_or(u32::MAX, of));
    let port = |of: fn(&Key) -> u16| Port(has(KNOWN_PORTS).map_or(u32::MAX, |key| of(key).into()));
    let size = size_of::<Flow>() as u16;
    Flow {
        header: Header {
            ts_ns: sums.first_ns,
            tid: sums.tid,
            pid: sums.pid,
            kind: Flow::KIND,
            size,
            fixed: size,
            cpu: 0,
        },
        duration_ns: DurationNs(
            sums.last_jiffies.saturating_sub(sums.first_jiffies).saturating_mul(tick_ns),
        ),
        sent_packets: Count(sums.sent_packets),
        sent_bytes: SizeBytes(sums.sent_bytes),
        received_packets: Count(sums.received_packets),
        received_bytes: SizeBytes(sums.received_bytes),
        local_address: address(|key| key.local),
        remote_address: address(|key| key.remote),
        local_port: port(|key| key.local_port),
        remote_port: port(|key| key.remote_port),
        ethertype: EtherType(key.map_or(u32::MAX, |key| key.ethertype.into())),
        protocol: IpProtocol(has(KNOWN_PROTOCOL).map_or(u32::MAX, |key| key.protocol.into())),
        ifindex: number(|key| key.ifindex),
        netns: number(|key| key.netns),
        interface: Name(sums.interface),
    }
}

/// Time between two ticks: the resolution of the clock that goes forward with them.
fn tick_ns() -> u64 {
    let mut resolution = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a time of ours.
    unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &mut resolution) };
    resolution.tv_nsec as u64
}

/// Returns when every program that runs now has ended.
fn await_programs() {
    const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;
    // SAFETY: no pointers. It waits for a grace period of RCU, under whose protection programs run.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result != 0 {
        // It is refused where CPUs run without a tick.
        std::thread::sleep(Duration::from_millis(20));
    }
}
