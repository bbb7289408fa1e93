//! Attaches the programs of the kernel side, and what to do where the kernel does not have their hooks.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};

use aya::Ebpf;
use aya::programs::perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent};
use aya::programs::{BtfTracePoint, PerfEvent, Program, UProbe};
use schema::Stream;

use super::tracepoints::{Hook, is_optional, streams_of};
use super::{Kernel, older_than};
use crate::sources::Source;
use crate::{Error, Options};

/// Tracepoints that another stands for on newer kernels.
const RENAMED: [(&str, &str); 2] =
    [("io_uring_submit_sqe", "io_uring_submit_req"), ("block_rq_insert", "block_io_start")];

impl Kernel {
    /// Attaches the programs of the streams. What this kernel lacks is put on [`Kernel::missing`].
    pub fn attach(&mut self, streams: &BTreeSet<Stream>) -> Result<(), Error> {
        let names: Vec<String> = self.ebpf.programs().map(|(name, _)| name.to_string()).collect();
        let mut tracepoints: Vec<&str> =
            names.iter().filter_map(|name| name.strip_prefix("tp_btf__")).collect();
        // A variant comes after the program it stands in for.
        tracepoints.sort_unstable();
        let mut attached = BTreeSet::new();
        for full in tracepoints {
            let Hook { tracepoint, alone, is_guarded } = Hook::of(full);
            let wanted = match alone {
                Some(name) => streams.iter().any(|stream| stream.name() == name),
                None => streams_of(tracepoint).iter().any(|stream| streams.contains(stream)),
            };
            // Instead of a program, the guarded one, where there is one and it is needed.
            let has_guarded = |joint| names.contains(&format!("tp_btf__{full}{joint}guarded"));
            let fits = if is_guarded {
                self.guards
            } else {
                !(self.guards && (has_guarded("_") || has_guarded("__")))
            };
            let is_replaced =
                RENAMED.iter().any(|(old, new)| *old == tracepoint && attached.contains(*new));
            let is_there = alone.is_none() && attached.contains(tracepoint);
            let tells_calls = tracepoint == "sys_exit" && alone == Some(Stream::Network.name());
            // The stream of flows is also that of connections, which need neither packets nor calls.
            let is_idle = (alone.is_none() && tracepoint.starts_with("net") && !self.sees_packets)
                || ((tracepoint.starts_with("sock_") || tells_calls) && !self.sees_messages);
            if !wanted || !fits || is_replaced || is_there || is_idle {
                continue;
            }
            // The exits of all system calls tell what is sent and received where nothing else does.
            if tells_calls && attached.contains("sock_send_length") {
                continue;
            }
            match self.attach_tracepoint(&format!("tp_btf__{full}"), tracepoint) {
                Ok(()) => {
                    attached.insert(tracepoint.to_string());
                    self.missing.retain(|missing| {
                        let replaced = tells_calls && missing.starts_with("sock_");
                        !replaced && !missing.starts_with(&format!("{tracepoint}:"))
                    });
                }
                Err(error) if is_optional(tracepoint) => {
                    // Of all variants the reason of the last is told.
                    self.missing.retain(|missing| !missing.starts_with(&format!("{tracepoint}:")));
                    self.missing.push(format!("{tracepoint}: {error}"))
                }
                Err(error) => return Err(error),
            }
        }
        self.follows_requests |= attached.iter().any(|name| name.starts_with("io_uring_submit_"));
        self.follows_block_io |= attached.contains("block_rq_complete");
        // One hook under two names is missing once, if neither is there.
        let is_told = |missing: &String| {
            let one_of = |(old, new): &(&str, &str)| {
                missing.starts_with(old) || (missing.starts_with(new) && attached.contains(*old))
            };
            !RENAMED.iter().any(one_of)
        };
        self.missing.retain(is_told);
        if streams.contains(&Stream::Network) {
            self.attach_sockets()?;
        }
        self.attached.extend(attached);
        Ok(())
    }

    fn attach_tracepoint(&mut self, name: &str, tracepoint: &str) -> Result<(), Error> {
        let btf = &self.btf;
        let program: &mut BtfTracePoint = program(&mut self.ebpf, name)?;
        let refused = |error: aya::programs::ProgramError| refusal(tracepoint, &error);
        if tracepoint == "io_uring_submit_sqe" && older_than(6, 0) {
            // Its first argument became the request with 6.0; types alone would not tell.
            let reason = "this kernel's tracepoint does not give the request".to_string();
            return Err(Error::Program { program: tracepoint.into(), reason });
        }
        program.load(tracepoint, btf).map_err(refused)?;
        program.attach().map_err(refused)?;
        Ok(())
    }

    /// Attaches what is driven by the clock of each CPU or by its page faults.
    pub fn attach_samplers(&mut self, options: &Options) -> Result<(), Error> {
        if options.sources.has(Source::Cpu) {
            let hz = u64::from(options.stacks.cpu_hz);
            let clock = SoftwareEvent::CpuClock;
            self.attach_perf_event("perf_event__cpu", clock, SamplePolicy::Frequency(hz))?;
        }
        if options.sources.has(Source::Faults) {
            for (name, event) in [
                ("perf_event__fault_minor", SoftwareEvent::PageFaultsMin),
                ("perf_event__fault_major", SoftwareEvent::PageFaultsMaj),
            ] {
                self.attach_perf_event(name, event, SamplePolicy::Period(1))?;
            }
        }
        Ok(())
    }

    fn attach_perf_event(
        &mut self,
        name: &str,
        event: SoftwareEvent,
        policy: SamplePolicy,
    ) -> Result<(), Error> {
        let cpus = aya::util::online_cpus()
            .map_err(|(_, source)| Error::Io { what: "cannot list the CPUs", source })?;
        let program: &mut PerfEvent = program(&mut self.ebpf, name)?;
        let refused = |error: aya::programs::ProgramError| refusal(name, &error);
        program.load().map_err(refused)?;
        for cpu in cpus {
            let scope = PerfEventScope::AllProcessesOneCpu { cpu };
            program
                .attach(PerfEventConfig::Software(event), scope, policy, false)
                .map_err(refused)?;
        }
        Ok(())
    }

    /// Loads the programs for allocator functions: by name, to be attached by [`crate::uprobes`].
    pub fn load_uprobes(&mut self) -> Result<BTreeMap<String, OwnedFd>, Error> {
        let mut loaded = BTreeMap::new();
        for (name, program) in self.ebpf.programs_mut() {
            if !name.starts_with("uprobe__") && !name.starts_with("uretprobe__") {
                continue;
            }
            let refused = |error: aya::programs::ProgramError| refusal(name, &error);
            let program: &mut UProbe = program.try_into().map_err(refused)?;
            program.load().map_err(refused)?;
            let fd = program.fd().map_err(refused)?.as_fd().try_clone_to_owned();
            loaded.insert(name.to_string(), fd.map_err(Error::io("cannot keep a program"))?);
        }
        Ok(loaded)
    }

    /// Detaches all programs but the walks; maps stay usable.
    pub fn detach(&mut self) {
        self.note_skipped();
        for (_, program) in self.ebpf.programs_mut() {
            // One that was not loaded has nothing to unload.
            let _ = match program {
                Program::BtfTracePoint(program) => program.unload(),
                Program::PerfEvent(program) => program.unload(),
                Program::CgroupSock(program) => program.unload(),
                _ => Ok(()),
            };
        }
    }
}

/// The program of that name, which the object has.
pub fn program<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P, Error>
where
    &'a mut P: TryFrom<&'a mut Program, Error = aya::programs::ProgramError>,
{
    let program = ebpf.program_mut(name).expect("the name came from the object");
    program.try_into().map_err(|error| refusal(name, &error))
}

/// Why the kernel does not take a program, in its own last words.
pub fn refusal(program: &str, error: &aya::programs::ProgramError) -> Error {
    use std::error::Error as _;
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        reason = inner.to_string();
        source = inner.source();
    }
    // A verifier's log is long; its last words say what it was.
    let last = reason
        .trim()
        .lines()
        .rfind(|line| !line.starts_with("processed"))
        .unwrap_or("")
        .trim()
        .to_string();
    Error::Program { program: program.to_string(), reason: last }
}
