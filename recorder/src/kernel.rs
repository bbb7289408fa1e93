//! The kernel side from here: loads the object, attaches its programs, talks to its maps.
//!
//! A program's name says where it goes: `tp_btf__<tracepoint>`, `iter__<what for>`,
//! `perf_event__<what>`, `uprobe__<what>` or `uretprobe__<what>`. A part after a second `__` names a
//! variant for other kernels, tried when the first is refused, or with `for_` the one source that
//! the program is for. Those with `guarded` are taken where programs at system calls can be preempted. So a new program at a tracepoint needs nothing here.

mod attach;
mod guard;
mod reasons;
mod sockets;
mod tracepoints;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::time::{Duration, Instant};

use aya::maps::{Array, HashMap, Map, MapData, PerCpuArray, RingBuf};
use aya::programs::Iter;
use aya::{Btf, Ebpf, EbpfLoader};
use schema::Stream;
use schema::events::{EVENTS, KINDS};
use schema::syscalls::Arch;
use store::meta::KindCount;
use zerocopy::IntoBytes;

use self::attach::{program, refusal};
use self::guard::{add_skipped, link_functions};
pub use self::tracepoints::{is_optional, stream_of_program};
use crate::modules::{self, Maps};
use crate::options::{Allocations, DNS_PORTS_MAX, NETNS_MAX};
use crate::sources::Source;
use crate::{Error, Options, Scope, calls, cgroups, containers, filter, flows, host};

/// Bits of `required`; as `SCOPE_` in ebpf/src/thread.h.
const SCOPE_TREE: u32 = 1;
const SCOPE_COMM: u32 = 2;
const SCOPE_CGROUP: u32 = 4;

/// Entries of `usage_ends`; as `USAGE_` in ebpf/src/usage.h.
const USAGE_ENDED: u32 = 0;
const USAGE_TOLD: u32 = 1;

/// As `struct counter` in ebpf/src/ring.h.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Counter {
    emitted: u64,
    lost: u64,
    skipped: u64,
}

// SAFETY: integers without padding, any value is valid.
unsafe impl aya::Pod for Counter {}

/// Room for what the kernel side asks of the recorder.
const MODULES_RING_BYTES: u32 = 256 << 10;

/// Room for control groups that the recorder is told of.
const CGROUPS_RING_BYTES: u32 = 256 << 10;

/// Conversations whose owners the kernel side remembers.
const DNS_FLOWS: u32 = 8192;

/// Requests to disks that are under way at one time; more are counted as lost.
const BLOCK_REQUESTS_MAX: u32 = 8192;

/// Operations of io_uring with a path that are under way at one time; more are counted as lost. 2 KiB each.
const NAMED_REQUESTS_MAX: u32 = 4096;

/// The loaded kernel side. Dropping it detaches everything.
pub struct Kernel {
    ebpf: Ebpf,
    btf: Btf,
    /// Programs that this kernel does not take, and why.
    pub missing: Vec<String>,
    /// Tracepoints that programs are attached to.
    pub attached: BTreeSet<String>,
    /// Whether submissions to io_uring are recorded.
    follows_requests: bool,
    /// Whether programs are wanted where packets pass.
    sees_packets: bool,
    /// Whether programs are wanted where messages are sent and received on sockets.
    sees_messages: bool,
    /// Whether the guarded programs are taken.
    guards: bool,
    /// How often the kernel left out a program, by its name.
    skipped: BTreeMap<String, u64>,
    /// Whether requests to disks are recorded.
    follows_block_io: bool,
}

/// Measured run of one BPF program.
pub struct ProgramCost {
    /// Its name.
    pub name: String,
    /// Times it ran.
    pub run_count: u64,
    /// Time it took.
    pub run_ns: u64,
}

impl Kernel {
    /// Loads what a recording needs; nothing runs yet.
    pub fn load(options: &Options, launched_pid: Option<u32>) -> Result<Kernel, Error> {
        if !Path::new("/sys/kernel/btf/vmlinux").exists() {
            return Err(Error::NoBtf);
        }
        let btf = Btf::from_sys_fs().map_err(|_| Error::NoBtf)?;
        let mut comm = [0u8; 16];
        if let Some(wanted) = &options.scope.comm {
            let length = wanted.len().min(15);
            comm[..length].copy_from_slice(&wanted.as_bytes()[..length]);
        }
        let required = required(&options.scope, launched_pid);
        let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64);
        // A wake-up each time a CPU has filled about an eighth of its share of the smallest ring.
        let used = options.sources.streams().filter(|stream| stream.has_ring());
        let smallest = used.map(|stream| options.rings.of(stream)).min().unwrap_or(4096);
        let per_wake = u64::from(smallest) / (8 * 96 * cpus);
        let wake_mask = per_wake.clamp(16, 4096).next_power_of_two() / 2 - 1;
        let self_pid = std::process::id();
        let launched = launched_pid.unwrap_or(0);
        let has = |stream| u8::from(options.sources.has_stream(stream));
        let (has_syscalls, has_sched) = (has(Stream::Syscalls), has(Stream::Sched));
        let (has_stacks, has_faults) = (has(Stream::Stacks), has(Stream::Faults));
        let has_offcpu_stacks = u8::from(options.sources.has(Source::Offcpu));
        let passes_prev_state = u8::from(!older_than(5, 18));
        let has_probes = u8::from(options.sources.has(Source::Allocations));
        let has_dns = has(Stream::Dns);
        let mut dns_ports = [0u16; DNS_PORTS_MAX];
        dns_ports.iter_mut().zip(&options.dns_ports).for_each(|(to, from)| *to = *from);
        let page_shift = host::page_bytes().trailing_zeros();
        let cpu_period_ns = 1_000_000_000 / u64::from(options.stacks.cpu_hz.max(1));
        let offcpu_min_ns = options.stacks.offcpu_min.as_nanos() as u64;
        let Allocations { size_min, one_in, salt, .. } = options.allocations;
        let has_flows = u8::from(options.sources.has(Source::Network));
        let has_packets = has(Stream::Packets);
        let flows_max = if has_flows == 1 { flows::FLOWS_MAX } else { 1 };
        let owners_max = if has_flows | has_packets == 1 { flows::OWNERS_MAX } else { 1 };
        let mut wanted_netns = [0u32; NETNS_MAX];
        wanted_netns.iter_mut().zip(&options.packets.netns).for_each(|(to, from)| *to = *from);
        let has_packet_filter = u8::from(options.packets.filter.is_some());
        let rows_max = if has(Stream::Stacks) == 1 { modules::ROWS_MAX } else { 1 };
        let followed = |sockets| if has(Stream::Network) == 1 { sockets } else { 1 };
        let has_cpu = has(Stream::Cpu);
        let has_io_start = u8::from(!older_than(6, 5));
        let block_requests = if has(Stream::Disk) == 1 { BLOCK_REQUESTS_MAX } else { 1 };
        // Older kernels do not tell of operations of io_uring.
        let follows_io_uring = has(Stream::Syscalls) == 1 && !older_than(6, 0);
        let named_requests = if follows_io_uring { NAMED_REQUESTS_MAX } else { 1 };
        let (cgroups, wanted_hierarchies) = wanted_cgroups(options)?;
        let has_old_hierarchies = u8::from(cgroups::has_old());
        let redaction = options.redaction;
        let [no_args, no_paths, hash_addresses] =
            [redaction.no_args, redaction.no_paths, redaction.hash_addresses].map(u8::from);
        let args_uid = host::args_uid().unwrap_or(u32::MAX);
        let address_key = host::random()?;
        let rings = Stream::ALL.map(|stream| (ring_name(stream), ring_bytes(options, stream)));
        let load = |flavour| {
            let mut loader = EbpfLoader::new();
            loader
                .btf(Some(&btf))
                .allow_unsupported_maps()
                .override_global("required", &required, true)
                .override_global("self_pid", &self_pid, true)
                .override_global("launched_pid", &launched, true)
                .override_global("wanted_comm", &comm, true)
                .override_global("has_syscalls", &has_syscalls, true)
                .override_global("has_sched", &has_sched, true)
                .override_global("passes_prev_state", &passes_prev_state, true)
                .override_global("wake_mask", &wake_mask, true)
                .override_global("has_stacks", &has_stacks, true)
                .override_global("has_probes", &has_probes, true)
                .override_global("page_shift", &page_shift, true)
                .override_global("has_faults", &has_faults, true)
                .override_global("has_offcpu_stacks", &has_offcpu_stacks, true)
                .override_global("offcpu_min_ns", &offcpu_min_ns, true)
                .override_global("cpu_period_ns", &cpu_period_ns, true)
                .override_global("stack_depth_max", &options.stacks.depth_max, true)
                .override_global("size_min", &size_min, true)
                .override_global("sample_one_in", &one_in, true)
                .override_global("sample_salt", &salt, true)
                .map_max_entries("sockets", followed(sockets::SOCKETS_MAX))
                .map_max_entries("unix_names", followed(sockets::SOCKETS_MAX / 4))
                .map_max_entries("listeners", followed(sockets::SOCKETS_MAX / 4))
                .map_max_entries("ended_processes", followed(4096))
                .override_global("has_flows", &has_flows, true)
                .override_global("has_messages", &has_flows, true)
                .override_global("has_packets", &has_packets, true)
                .override_global("has_packet_filter", &has_packet_filter, true)
                .override_global("snaplen", &options.packets.snaplen, true)
                .override_global("wanted_netns", &wanted_netns, true)
                .map_max_entries("owners", owners_max)
                .map_max_entries("flows_even", flows_max)
                .map_max_entries("flows_odd", flows_max)
                .override_global("has_dns", &has_dns, true)
                .override_global("dns_ports", &dns_ports, true)
                .map_max_entries("dns_flows", if has_dns == 1 { DNS_FLOWS } else { 1 })
                .override_global("has_cpu", &has_cpu, true)
                .override_global("has_io_start", &has_io_start, true)
                .map_max_entries("block_requests", block_requests)
                .map_max_entries("named_requests", named_requests)
                .override_global("has_old_hierarchies", &has_old_hierarchies, true)
                .override_global("wanted_hierarchies", &wanted_hierarchies, true)
                .map_max_entries("cgroups_ring", CGROUPS_RING_BYTES)
                .override_global("no_args", &no_args, true)
                .override_global("args_uid", &args_uid, true)
                .override_global("no_paths", &no_paths, true)
                .override_global("hash_addresses", &hash_addresses, true)
                .override_global("address_key0", &address_key[0], true)
                .override_global("address_key1", &address_key[1], true)
                .map_max_entries("unwind_rows", rows_max)
                .map_max_entries("modules_ring", MODULES_RING_BYTES);
            for (name, bytes) in &rings {
                loader.map_max_entries(name, *bytes);
            }
            let object = ebpf::object(flavour);
            let mut aligned = vec![0u64; object.len().div_ceil(8)];
            let bytes = &mut aligned.as_mut_bytes()[..object.len()];
            bytes.copy_from_slice(object);
            let guards = link_functions(bytes, &btf);
            loader.load(bytes).map(|ebpf| (ebpf, guards)).map_err(privilege_or_load)
        };
        // Task storage came with 5.11: an older kernel refuses the map, and with it the object.
        let (ebpf, guards) = match load(ebpf::Flavour::TaskStorage) {
            Err(Error::Load(_)) => {
                raise_memlock();
                load(ebpf::Flavour::Hash)?
            }
            loaded => loaded?,
        };
        let mut kernel = Kernel {
            ebpf,
            btf,
            missing: Vec::new(),
            attached: BTreeSet::new(),
            follows_requests: false,
            guards,
            sees_packets: has_flows | has_packets == 1,
            sees_messages: has_flows == 1,
            skipped: BTreeMap::new(),
            follows_block_io: false,
        };
        kernel.fill_calls(options)?;
        kernel.fill_scope(&options.scope, &cgroups, launched_pid)?;
        if let Some(filter) = &options.packets.filter {
            let mut map: Array<_, filter::Program> =
                Array::try_from(kernel.map_mut("packet_filter"))?;
            map.set(0, filter.program, 0)?;
        }
        Ok(kernel)
    }

    fn fill_calls(&mut self, options: &Options) -> Result<(), Error> {
        let Some(arch) = Arch::from_name(std::env::consts::ARCH) else { return Ok(()) };
        let mut map: Array<_, calls::Call> = Array::try_from(self.map_mut("calls"))?;
        for (key, call) in (0..).zip(calls::table(arch, options.syscalls.as_ref())) {
            map.set(key, call, 0)?;
        }
        Ok(())
    }

    fn fill_scope(
        &mut self,
        scope: &Scope,
        cgroups: &[u64],
        launched_pid: Option<u32>,
    ) -> Result<(), Error> {
        for pid in scope.pids.iter().copied().chain(launched_pid) {
            self.add_root(pid)?;
        }
        let mut map: HashMap<_, u64, u32> = HashMap::try_from(self.map_mut("wanted_cgroups"))?;
        for id in cgroups {
            map.insert(id, 1, 0)?;
        }
        Ok(())
    }

    /// Puts a process and its descendants in scope.
    pub fn add_root(&mut self, pid: u32) -> Result<(), Error> {
        let mut map: HashMap<_, u32, u32> = HashMap::try_from(self.map_mut("roots"))?;
        Ok(map.insert(pid, 1, 0)?)
    }

    /// Says which segment is recorded now, so that threads are announced again.
    pub fn set_segment(&mut self, segment: u64) -> Result<(), Error> {
        let mut map: Array<_, u32> = Array::try_from(self.map_mut("control"))?;
        Ok(map.set(0, segment as u32, 0)?)
    }

    /// What the thread needs that looks at the files of stacks; it can be taken once.
    pub fn take_modules_maps(&mut self) -> Result<Maps, Error> {
        let mut take =
            |name| self.ebpf.take_map(name).expect("the object has the maps this file names");
        let Map::Array(rows) = take("unwind_rows") else { unreachable!("it is an array") };
        Ok(Maps {
            requests: RingBuf::try_from(take("modules_ring"))?,
            rows,
            files: HashMap::try_from(take("files"))?,
        })
    }

    /// The tables of traffic; they can be taken once.
    pub fn take_flows(&mut self) -> Result<flows::Tables, Error> {
        let mut take =
            |name| self.ebpf.take_map(name).expect("the object has the maps this file names");
        let (Map::HashMap(even), Map::HashMap(odd)) = (take("flows_even"), take("flows_odd"))
        else {
            unreachable!("they are hashes")
        };
        Ok(flows::Tables {
            tables: [even, odd],
            rest: Array::try_from(take("flows_rest"))?,
            filled: Array::try_from(take("flows_filled"))?,
        })
    }

    /// The ring by which the recorder is told of control groups; it can be taken once.
    pub fn take_cgroups_ring(&mut self) -> Result<RingBuf<MapData>, Error> {
        let map = self.ebpf.take_map("cgroups_ring").expect("the object has this ring");
        Ok(RingBuf::try_from(map)?)
    }

    /// Emits how much memory each process in scope has.
    pub fn note_memory(&mut self) -> Result<(), Error> {
        self.walk("iter__memory").map(|_| ())
    }

    /// Emits what the scheduler gave each thread in scope since the last time.
    pub fn note_usage(&mut self) -> Result<(), Error> {
        self.walk("iter__usage").map(|_| ())
    }

    /// Waits until the last switch is told of all threads that have ended, but not longer than
    /// `limit`. Returns of how many it is not.
    pub fn await_last_usage(&self, limit: Duration) -> Result<u64, Error> {
        let map = self.ebpf.map("usage_ends").expect("the object has the maps this file names");
        let counts: Array<_, u64> = Array::try_from(map)?;
        let (ended, began) = (counts.get(&USAGE_ENDED, 0)?, Instant::now());
        loop {
            let missing = ended.saturating_sub(counts.get(&USAGE_TOLD, 0)?);
            if missing == 0 || began.elapsed() >= limit {
                return Ok(missing);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Announces every thread in scope. Returns the processes.
    pub fn snapshot(&mut self) -> Result<Vec<u64>, Error> {
        let bytes = self.walk("iter__snapshot")?;
        Ok(bytes
            .chunks_exact(8)
            .map(|upid| u64::from_ne_bytes(upid.try_into().expect("eight bytes")))
            .collect())
    }

    /// Emits what has begun and not ended. To be called when everything is detached.
    pub fn finish(&mut self) -> Result<(), Error> {
        // Operations on io_uring are there only where their tracepoints are, and those kernels have
        // what this walk needs.
        if self.follows_requests {
            self.walk("iter__finish_requests")?;
        }
        // A map can be walked over by a program since 5.13.
        if self.follows_block_io && !older_than(5, 13) {
            self.walk("iter__finish_block_io")?;
        }
        self.walk("iter__finish").map(|_| ())
    }

    fn walk(&mut self, name: &str) -> Result<Vec<u8>, Error> {
        self.walk_over(name, "task")
    }

    fn walk_over(&mut self, name: &str, what: &str) -> Result<Vec<u8>, Error> {
        let btf = &self.btf;
        let program: &mut Iter = program(&mut self.ebpf, name)?;
        let refused = |error: aya::programs::ProgramError| refusal(name, &error);
        if program.fd().is_err() {
            program.load(what, btf).map_err(refused)?;
        }
        let link = program.attach().map_err(refused)?;
        let link = program.take_link(link).map_err(refused)?;
        let mut file = link
            .into_file()
            .map_err(|error| Error::Program { program: name.into(), reason: error.to_string() })?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Error::io("cannot walk over the tasks"))?;
        Ok(bytes)
    }

    /// The ring of a stream; it can be taken once.
    pub fn take_ring(&mut self, stream: Stream) -> Result<RingBuf<MapData>, Error> {
        let map =
            self.ebpf.take_map(&ring_name(stream)).expect("the object has a ring for each stream");
        Ok(RingBuf::try_from(map)?)
    }

    /// Where packets with messages of the domain name system come; it can be taken once.
    pub fn take_packets(&mut self) -> Map {
        self.ebpf.take_map("dns_packets").expect("the object has the maps this file names")
    }

    /// What was emitted and lost since the programs were loaded; entries that are 0 are left out.
    pub fn counters(&mut self) -> Result<Vec<KindCount>, Error> {
        self.note_skipped();
        let map: PerCpuArray<_, Counter> =
            PerCpuArray::try_from(self.ebpf.map("counters").expect("the object has counters"))?;
        let mut counts = Vec::new();
        for event in EVENTS {
            // One counter for each lane: for programs that can interrupt each other.
            let lanes = (0..map.len() / KINDS as u32)
                .map(|lane| map.get(&(u32::from(event.id) + lane * KINDS as u32), 0))
                .collect::<Result<Vec<_>, _>>()?;
            for (cpu, at) in (0..).zip(0..lanes.first().map_or(0, |lane| lane.len())) {
                let sum =
                    |part: fn(&Counter) -> u64| lanes.iter().map(|lane| part(&lane[at])).sum();
                let (emitted, lost) = (sum(|count| count.emitted), sum(|count| count.lost));
                let skipped = sum(|count| count.skipped);
                if emitted > 0 {
                    counts.push(KindCount {
                        kind: event.id,
                        cpu,
                        emitted,
                        lost,
                        skipped,
                        ..KindCount::default()
                    });
                }
            }
        }
        for (name, times) in self.left_out() {
            add_skipped(&mut counts, name, times);
        }
        Ok(counts)
    }

    /// Programs that the kernel left out, and how often. The guarded ones at system calls are not
    /// among them: they make up for it themselves.
    pub fn left_out(&self) -> impl Iterator<Item = (&str, u64)> {
        let makes_up = |name: &str| name.contains("__sys_") && name.contains("guarded");
        let skipped = self.skipped.iter().map(|(name, times)| (name.as_str(), *times));
        skipped.filter(move |(name, _)| !makes_up(name))
    }

    /// Run counts and times of the programs, as far as the kernel measures them.
    pub fn costs(&self) -> Vec<ProgramCost> {
        let hooked = self.ebpf.programs().filter(|(name, _)| !name.starts_with("iter__"));
        hooked
            .filter_map(|(name, program)| {
                let info = program.info().ok()?;
                let name = name.trim_start_matches("tp_btf__").to_string();
                Some(ProgramCost {
                    name,
                    run_count: info.run_count(),
                    run_ns: info.run_time().as_nanos() as u64,
                })
            })
            .collect()
    }

    /// Notes how often the kernel left out each program, because it was running on that CPU already
    /// and had been preempted. Kernels before 5.12 do not tell.
    fn note_skipped(&mut self) {
        for (name, program) in self.ebpf.programs() {
            let Ok(fd) = program.fd() else { continue };
            let about = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
            let about = std::fs::read_to_string(about).unwrap_or_default();
            let line = about.lines().find_map(|line| line.strip_prefix("recursion_misses:"));
            let times = line.and_then(|times| times.trim().parse().ok()).unwrap_or(0);
            if times > 0 {
                self.skipped.insert(name.to_string(), times);
            }
        }
    }

    fn map_mut(&mut self, name: &str) -> &mut Map {
        self.ebpf.map_mut(name).expect("the object has the maps this file names")
    }
}

fn ring_name(stream: Stream) -> String {
    format!("{}_ring", stream.name())
}

/// A ring that is not used takes one page.
fn ring_bytes(options: &Options, stream: Stream) -> u32 {
    if options.sources.has_stream(stream) { options.rings.of(stream) } else { 4096 }
}

/// The bits that a thread must have; 0 for the whole machine.
fn required(scope: &Scope, launched_pid: Option<u32>) -> u32 {
    let bit = |wanted: bool, bit| if wanted { bit } else { 0 };
    bit(!scope.pids.is_empty() || launched_pid.is_some(), SCOPE_TREE)
        | bit(scope.comm.is_some(), SCOPE_COMM)
        | bit(!scope.cgroups.is_empty() || !scope.containers.is_empty(), SCOPE_CGROUP)
}

/// Ids of the control groups in scope, and bits of the older hierarchies that they are in.
fn wanted_cgroups(options: &Options) -> Result<(Vec<u64>, u64), Error> {
    let of_containers = containers::folders(&options.scope.containers, &options.host_root)?;
    let (mut ids, mut hierarchies) = (Vec::new(), 0);
    for folder in options.scope.cgroups.iter().chain(&of_containers) {
        let (id, hierarchy) = cgroups::id_of(folder)?;
        ids.push(id);
        if (1..64).contains(&hierarchy) {
            hierarchies |= 1 << hierarchy;
        }
    }
    Ok((ids, hierarchies))
}

/// Whether the running kernel is older than a version. Only where types do not tell.
fn older_than(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < (major, minor)
}

/// Before 5.11 maps count against the limit on locked memory.
fn raise_memlock() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is to a limit of ours.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) };
}

fn privilege_or_load(error: aya::EbpfError) -> Error {
    use std::error::Error as _;
    let mut source: Option<&dyn std::error::Error> = error.source();
    while let Some(inner) = source {
        let denied = inner.downcast_ref::<std::io::Error>();
        if denied.is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied) {
            return Error::Privilege;
        }
        source = inner.source();
    }
    Error::Load(error)
}
