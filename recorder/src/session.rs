//! A recording from start to end.
//!
//! Order matters. At the start: the output folder, the command (waiting), the kernel side, the
//! drains, the programs that follow processes, the walk over those that run, the other programs, and
//! only then the command is let go. At the end: detach, emit what is unfinished, read the counters,
//! empty the rings, close the spools.

use std::collections::BTreeSet;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use schema::Stream;
use store::folder::Lock;
use store::manifest::State;
use store::meta::KindCount;
use store::{Folder, Manifest, Meta, MetaWriter};

use crate::background::Background;
use crate::collector::{self, InProcess};
use crate::containers::Containers;
use crate::cost::Meter;
use crate::dns::Messages;
use crate::drain::Drain;
use crate::flows::Flows;
use crate::gauges::Gauges;
use crate::host::{self, Host};
use crate::kernel::Kernel;
use crate::launch::{self, Command};
use crate::modules::{self, Modules};
use crate::options::Collector;
use crate::outcome::{self, Progress, Summary};
use crate::signals::Signals;
use crate::sink::{self, Sink};
use crate::sources::Source;
use crate::uprobes::{Reach, Uprobes};
use crate::{Error, Options, about, redact, wait};

/// How often clocks, counters and cost are noted.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// How often sizes and progress are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the end of a recording waits for the kernel to free threads, which takes longer where CPUs are
/// busy.
const LAST_USAGE_WITHIN: Duration = Duration::from_secs(1);
/// Space held back, so that the end of a recording can be written when the disk is full.
const RESERVE_BYTES: usize = 1 << 20;

/// Records until the command ends, a signal comes, time is up or the disk is full.
///
/// `progress` is called about ten times a second.
///
/// # Errors
/// What keeps the recording from starting; then nothing is left behind. Once it has started, it
/// ends in order and says so in the summary.
pub fn record(options: &Options, progress: &mut dyn FnMut(&Progress)) -> Result<Summary, Error> {
    check_pids(options)?;
    let signals = Signals::new()?;
    let (in_process, variables) = match has_library(options) {
        true => collector::create(options).map(|(made, variables)| (Some(made), variables))?,
        false => (None, Vec::new()),
    };
    let prepare = |command: &Vec<_>| Command::prepare(command, &variables);
    let mut command = options.command.as_ref().map(prepare).transpose()?;
    let mut kernel = Kernel::load(options, command.as_ref().map(Command::pid))?;
    let folder = Folder::create(&options.output, options.force)?;
    let mut session =
        Session::begin(options, &mut kernel, folder).inspect_err(|_| remove_unused(options))?;
    let launched = command.as_ref().map(Command::pid);
    let started = in_process.map_or(Ok(()), |collector| session.collect_in_process(collector));
    let started =
        started.and_then(|()| session.start_kernel(launched)).and_then(|()| match &mut command {
            Some(command) => command.go(),
            None => Ok(()),
        });
    if let Err(error) = started {
        drop(session);
        remove_unused(options);
        return Err(error);
    }
    let reason = session.run(&signals, command.as_mut(), progress);
    let mut summary = session.end(reason, progress)?;
    summary.exit_code = command.as_mut().map(|command| outlive(command, &signals));
    Ok(summary)
}

/// Whether all processes to record exist.
pub fn check_pids(options: &Options) -> Result<(), Error> {
    let exists = |pid: &&u32| std::path::Path::new(&format!("/proc/{pid}")).exists();
    match options.scope.pids.iter().find(|pid| !exists(pid)) {
        Some(pid) => Err(Error::NoProcess(*pid)),
        None => Ok(()),
    }
}

/// Whether a library in the processes of the command records their allocations.
pub fn has_library(options: &Options) -> bool {
    options.sources.has(Source::Allocations)
        && options.command.is_some()
        && options.allocations.collector != Collector::Uprobes
}

/// Stays until the command ends, when the recording ended first; returns its exit code.
fn outlive(command: &mut Command, signals: &Signals) -> i32 {
    loop {
        if let Some(ended) = command.try_wait() {
            return ended.code();
        }
        wait::poll(&[signals.as_raw_fd(), command.as_raw_fd()], NOTE_EVERY);
        while let Some(received) = signals.next() {
            if !received.by_terminal {
                command.signal(received.signal);
            }
        }
    }
}

/// A folder made for a recording that did not start.
fn remove_unused(options: &Options) {
    if let Ok(folder) = Folder::open(&options.output) {
        let _ = folder.remove();
    } else {
        let _ = std::fs::remove_dir(&options.output);
    }
}

struct Session<'a> {
    options: &'a Options,
    kernel: &'a mut Kernel,
    folder: Folder,
    manifest: Manifest,
    host: Host,
    drains: Vec<Drain>,
    /// Makes the records of the stream that has no ring.
    gauges: Option<Gauges>,
    /// Records allocations in the processes of the command.
    in_process: Option<InProcess>,
    /// Records allocations in other processes.
    uprobes: Option<Uprobes>,
    /// Adds up traffic.
    flows: Option<Flows>,
    /// Makes records of messages of the domain name system.
    messages: Option<Messages>,
    /// Looks at the files that stacks go through.
    modules: Option<Modules>,
    /// Reads what runtimes know of containers.
    containers: Containers,
    /// Processes that the kernel side tells of, until there is someone to attach to them.
    processes: Option<Receiver<u32>>,
    background: Background,
    meta: MetaWriter,
    segment: u64,
    segment_began: Instant,
    began: Instant,
    meter: Meter,
    lost: u64,
    notes: Vec<String>,
    _lock: Lock,
}

impl<'a> Session<'a> {
    fn begin(
        options: &'a Options,
        kernel: &'a mut Kernel,
        folder: Folder,
    ) -> Result<Session<'a>, Error> {
        let host = Host::read();
        let manifest = about::manifest(options, &host);
        folder.write_manifest(&manifest)?;
        let lock = folder.lock()?;
        folder.reserve(RESERVE_BYTES)?;
        let segment = 1;
        let spool = folder.create_spool(segment)?;
        let mut meta = MetaWriter::create(&spool, segment)?;
        meta.write(&about::opening(&manifest, &host, segment, Vec::new()))?;
        let drains: Vec<Drain> = options
            .sources
            .streams()
            .filter(|stream| stream.has_ring())
            .map(|stream| {
                let sink = Arc::new(Sink::create(&folder, stream, segment)?);
                Drain::start(stream, kernel.take_ring(stream)?, sink)
            })
            .collect::<Result<_, Error>>()?;
        let gauges = match options.sources.has(Source::System) {
            true => {
                let sink = Arc::new(Sink::create(&folder, Stream::System, segment)?);
                Some(Gauges::new(sink, options))
            }
            false => None,
        };
        let (tell, processes) = channel();
        let modules = match options.sources.has_stream(Stream::Stacks) {
            true => {
                Some(Modules::start(kernel.take_modules_maps()?, tell, options.redaction.no_paths)?)
            }
            false => None,
        };
        let containers = Containers::start(kernel.take_cgroups_ring()?, &options.host_root)?;
        let held = modules.as_ref().map(Modules::holder);
        let background = Background::start(&folder, options, held)?;
        let meter = Meter::new(drains.len());
        let now = Instant::now();
        Ok(Session {
            options,
            kernel,
            folder,
            manifest,
            host,
            drains,
            gauges,
            in_process: None,
            flows: None,
            uprobes: None,
            messages: None,
            modules,
            containers,
            processes: Some(processes),
            background,
            meta,
            segment,
            segment_began: now,
            began: now,
            meter,
            lost: 0,
            notes: Vec::new(),
            _lock: lock,
        })
    }

    fn sink(&self, stream: Stream) -> Arc<Sink> {
        let drain = self.drains.iter().find(|drain| drain.stream == stream);
        drain.expect("the source brings the stream").sink.clone()
    }

    /// Puts records that did not come through a ring where those of the ring go.
    fn store(&self, stream: Stream, records: &[u8]) {
        sink::blocks(records).for_each(|block| self.sink(stream).write(block));
    }

    /// Where all records go.
    fn sinks(&self) -> impl Iterator<Item = &Sink> {
        let of_drains = self.drains.iter().map(|drain| &*drain.sink);
        of_drains.chain(self.gauges.iter().map(|gauges| &*gauges.sink))
    }

    /// Takes over what the library in the command's processes records.
    fn collect_in_process(&mut self, collector: preload::Collector) -> Result<(), Error> {
        let modules = self.modules.as_ref().expect("allocations have stacks");
        let (stacks, allocations) = (self.sink(Stream::Stacks), self.sink(Stream::Allocations));
        collector.set_epoch(self.segment as u32);
        let started = InProcess::start(
            collector,
            stacks,
            allocations,
            self.options.redaction.no_paths,
            modules.asker(),
        )?;
        self.in_process = Some(started);
        Ok(())
    }

    /// Gives the kernel side the rules of what runs already, and of the command; puts probes into
    /// the allocators of what no library records.
    fn look_at_programs(&mut self, pids: &[u32], launched: Option<u32>) -> Result<(), Error> {
        let Some(modules) = &self.modules else { return Ok(()) };
        modules.look_at_processes(pids);
        let command = self.options.command.as_deref();
        let program = command.and_then(launch::program);
        let files = program.map_or(Vec::new(), |program| modules::files_of(&program));
        modules.look_at_files(&files);
        let choice = self.options.allocations.collector;
        if !self.options.sources.has(Source::Allocations) || choice == Collector::InProcess {
            return Ok(());
        }
        let reach = if self.in_process.is_some() { Reach::BesideLibrary } else { Reach::All };
        if self.options.scope.is_machine() && command.is_none() {
            self.notes.push(
                "allocator calls are recorded of processes that are named: give -p, --comm, --cgroup or a command; of the whole machine only mmap, munmap, mremap and brk are".into(),
            );
            return Ok(());
        }
        let programs = self.kernel.load_uprobes()?;
        let processes = self.processes.take().expect("probes are started once");
        // The command is still this program, and will be another.
        let running: Vec<u32> = pids.iter().copied().filter(|pid| Some(*pid) != launched).collect();
        let mut uprobes = Uprobes::prepare(programs, reach)?;
        if let Some(pid) = launched.filter(|_| reach == Reach::All) {
            uprobes.await_files(pid, &files);
        }
        self.uprobes = Some(uprobes.start(&running, processes)?);
        Ok(())
    }

    /// Attaches the kernel side, processes first, so that nothing happens to a thread unknown.
    fn start_kernel(&mut self, launched: Option<u32>) -> Result<(), Error> {
        self.kernel.set_segment(self.segment)?;
        self.kernel.attach(&BTreeSet::from([Stream::Processes]))?;
        // Children made before the programs were there are found in /proc; those made while we look
        // have parents that are in scope by now.
        for pid in host::tree(&self.options.scope.pids) {
            self.kernel.add_root(pid)?;
        }
        let pids = self.snapshot()?;
        self.look_at_programs(&pids, launched)?;
        if self.options.sources.has_stream(Stream::Dns) {
            let (map, bytes) = (self.kernel.take_packets(), self.options.rings.of(Stream::Dns));
            self.messages = Some(Messages::start(map, bytes, self.sink(Stream::Dns))?);
        }
        self.kernel.attach(
            &self.options.sources.streams().filter(|stream| *stream != Stream::Processes).collect(),
        )?;
        self.kernel.attach_samplers(self.options)?;
        if self.options.sources.has_stream(Stream::Network) {
            self.kernel.find_sockets()?;
        }
        if self.options.sources.has(Source::Network) {
            let is_scoped = !self.options.scope.is_machine() || launched.is_some();
            let tables = self.kernel.take_flows()?;
            let scope = is_scoped.then(|| self.options.packets.netns.clone());
            self.flows = Some(Flows::new(tables, self.sink(Stream::Network), scope));
        }
        self.began = Instant::now();
        self.segment_began = self.began;
        if let Some(gauges) = &mut self.gauges {
            gauges.follow(&pids);
            gauges.read();
            gauges.cost();
        }
        // What loading took is not a cost of the time recorded.
        self.meter = Meter::new(self.drains.len());
        Ok(())
    }

    /// Announces all threads in scope, and notes what only /proc tells of their processes. Returns
    /// the processes.
    fn snapshot(&mut self) -> Result<Vec<u32>, Error> {
        let processes = self.kernel.snapshot()?;
        self.meta.write(&self.told_of(&processes))?;
        Ok(processes.into_iter().map(host::pid_of).collect())
    }

    /// What /proc tells of processes, as far as it is kept.
    fn told_of(&self, upids: &[u64]) -> Vec<Meta> {
        let found = upids.iter().copied().filter_map(host::process);
        found.map(|found| redact::process(found, &self.options.redaction)).collect()
    }

    /// Waits for the end; returns why it came.
    fn run(
        &mut self,
        signals: &Signals,
        mut command: Option<&mut Command>,
        progress: &mut dyn FnMut(&Progress),
    ) -> String {
        let mut noted = Instant::now();
        let mut asked_to_stop = false;
        loop {
            let fds =
                [signals.as_raw_fd(), command.as_ref().map_or(-1, |command| command.as_raw_fd())];
            wait::poll(&fds, self.time_left().unwrap_or(LOOK_EVERY).min(LOOK_EVERY));
            while let Some(received) = signals.next() {
                match &command {
                    // The first is the command's to handle; the recording ends when it does.
                    Some(command) if !asked_to_stop => {
                        if !received.by_terminal {
                            command.signal(received.signal);
                        }
                        asked_to_stop = true;
                    }
                    _ => return format!("signal {}", received.signal),
                }
            }
            if command.as_mut().is_some_and(|command| command.try_wait().is_some()) {
                return "the command ended".into();
            }
            if self.time_left() == Some(Duration::ZERO) {
                if let Some(command) = &command {
                    command.signal(libc::SIGTERM);
                }
                return "the time was up".into();
            }
            if self.is_disk_full() {
                return "the disk was full".into();
            }
            let is_note_due = noted.elapsed() >= NOTE_EVERY;
            if is_note_due {
                noted = Instant::now();
            }
            if let Err(error) = self.keep_up(is_note_due) {
                self.notes.push(error.to_string());
                return "the trace could not be written".into();
            }
            progress(&self.progress(false));
        }
    }

    /// Notes what is due, and begins the next segment when this one is full.
    fn keep_up(&mut self, is_note_due: bool) -> Result<(), Error> {
        if is_note_due {
            self.note()?;
        }
        if self.is_segment_full() { self.rotate() } else { Ok(()) }
    }

    fn time_left(&self) -> Option<Duration> {
        self.options.duration.map(|duration| duration.saturating_sub(self.began.elapsed()))
    }

    fn is_segment_full(&self) -> bool {
        let bytes = |sink: &Sink| sink.status.segment_bytes.load(Relaxed);
        self.segment_began.elapsed() >= self.options.rotation.every
            || self.sinks().map(bytes).sum::<u64>() >= self.options.rotation.bytes
    }

    fn is_disk_full(&self) -> bool {
        self.sinks().any(|sink| sink.status.failed.load(Relaxed))
    }

    fn stored(&self) -> u64 {
        self.sinks().map(|sink| sink.status.stored.load(Relaxed)).sum()
    }

    fn progress(&self, is_encoding: bool) -> Progress {
        let bytes: u64 = self.sinks().map(|sink| sink.status.segment_bytes.load(Relaxed)).sum();
        Progress {
            elapsed: self.began.elapsed(),
            stored: self.stored(),
            lost: self.lost,
            bytes: bytes + self.background.status.bytes.load(Relaxed),
            is_encoding,
        }
    }

    /// Notes clocks, counters and cost.
    fn note(&mut self) -> Result<(), Error> {
        if self.options.sources.has(Source::Faults) {
            self.kernel.note_memory()?;
        }
        if self.options.sources.has_stream(Stream::Network) {
            let records = self.kernel.gone_sockets()?;
            self.store(Stream::Network, &records);
        }
        if let Some(flows) = &mut self.flows {
            flows.fetch()?;
        }
        if self.options.sources.has(Source::Cpu) {
            self.kernel.note_usage()?;
        }
        if let Some(gauges) = &mut self.gauges {
            gauges.read();
        }
        let mut records = vec![host::clocks()];
        records.push(self.counters()?);
        records.extend(self.modules.iter_mut().flat_map(|modules| modules.records(false)));
        records.extend(self.containers.records());
        records.extend(self.costs());
        Ok(self.meta.write(&records)?)
    }

    fn costs(&mut self) -> Vec<Meta> {
        let in_process = self.in_process.as_ref().map(|thread| thread.cpu_ns.load(Relaxed));
        let mut costs =
            self.meter.note(self.kernel, &self.drains, in_process, &self.background.status);
        costs.extend(self.gauges.as_mut().map(Gauges::cost));
        costs
    }

    fn counters(&mut self) -> Result<Meta, Error> {
        let monotonic_ns = host::monotonic_ns();
        let mut kinds = self.kernel.counters()?;
        if let Some(in_process) = &self.in_process {
            in_process.add_to(&mut kinds);
        }
        if let Some(flows) = &self.flows {
            flows.add_to(&mut kinds);
        }
        if let Some(messages) = &self.messages {
            messages.add_to(&mut kinds);
        }
        if let Some(gauges) = &self.gauges {
            gauges.add_to(&mut kinds);
        }
        for sink in self.sinks() {
            let discarded = sink.status.discarded.lock().expect("no thread panics with the lock");
            for (kind, count) in
                discarded.0.iter().flatten().enumerate().filter(|(_, count)| **count > 0)
            {
                add_refused(&mut kinds, kind as u16, *count);
            }
        }
        self.lost = kinds.iter().map(|count| count.lost).sum();
        Ok(Meta::Counters { monotonic_ns, kinds })
    }

    /// Begins the next segment.
    ///
    /// What the others are read with goes first: while their rings still go to the old segment, what
    /// happens to processes and which stacks there are goes to both, so that each segment can name
    /// every thread and stack in it.
    fn rotate(&mut self) -> Result<(), Error> {
        let segment = self.segment + 1;
        let spool = self.folder.create_spool(segment)?;
        let mut meta = MetaWriter::create(&spool, segment)?;
        meta.write(&about::opening(&self.manifest, &self.host, segment, Vec::new()))?;
        let (context, others): (Vec<&Drain>, Vec<&Drain>) =
            self.drains.iter().partition(|drain| drain.stream.is_context());
        context.iter().try_for_each(|drain| drain.switch(segment, true))?;
        self.kernel.set_segment(segment)?;
        if let Some(in_process) = &self.in_process {
            in_process.begin(segment);
        }
        if let Some(messages) = &self.messages {
            messages.settle();
        }
        if let Some(flows) = &mut self.flows {
            flows.fetch()?;
        }
        let processes = self.kernel.snapshot()?;
        meta.write(&self.told_of(&processes))?;
        if let Some(gauges) = &mut self.gauges {
            let pids: Vec<u32> = processes.into_iter().map(host::pid_of).collect();
            gauges.follow(&pids);
            gauges.sink.switch(segment, false)?;
        }
        others.iter().try_for_each(|drain| drain.switch(segment, false))?;
        context.iter().try_for_each(|drain| drain.end_overlap())?;
        let mut modules = Vec::new();
        if let Some(looking) = &mut self.modules {
            looking.settle();
            modules = looking.records(true);
            meta.write(&modules)?;
        }
        // Of whichever segment they were told: the names of what it does not have are passed over.
        self.containers.settle();
        let containers = self.containers.records();
        meta.write(&containers)?;
        // Where the old segment ends the new one begins, so that no loss is in both.
        let counters = self.counters()?;
        meta.write(std::slice::from_ref(&counters))?;
        let closing = Meta::End {
            monotonic_ns: host::monotonic_ns(),
            closed: false,
            reason: "rotation".into(),
        };
        let mut old = std::mem::replace(&mut self.meta, meta);
        old.write(&modules)?;
        old.write(&containers)?;
        old.write(&[counters, closing])?;
        old.finish()?;
        self.background.take(self.segment);
        self.segment = segment;
        self.segment_began = Instant::now();
        Ok(())
    }

    /// Ends the recording. What goes wrong here is noted: the trace is readable all the same.
    fn end(
        mut self,
        reason: String,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Summary, Error> {
        let elapsed = self.began.elapsed();
        let mut results = Vec::new();
        if self.options.sources.has(Source::Faults) {
            results.push(self.kernel.note_memory());
        }
        if self.options.sources.has(Source::Cpu) {
            results.push(self.kernel.note_usage());
            match self.kernel.await_last_usage(LAST_USAGE_WITHIN) {
                Ok(0) => {}
                Ok(threads) => self.notes.push(format!(
                    "threads that the kernel has not freed in time, so that task_usage is without \
                     the last they did: {threads}"
                )),
                Err(error) => results.push(Err(error)),
            }
        }
        if let Some(gauges) = &mut self.gauges {
            gauges.read();
            self.notes.extend(gauges.notes());
        }
        self.kernel.detach();
        if let Some(uprobes) = &mut self.uprobes {
            self.notes.extend(uprobes.finish());
        }
        if let Some(in_process) = &mut self.in_process {
            in_process.finish();
        }
        // A program that was running on another CPU has ended by then.
        std::thread::sleep(Duration::from_millis(5));
        if let Some(messages) = &mut self.messages {
            messages.finish();
        }
        results.push(self.kernel.finish());
        if self.options.sources.has_stream(Stream::Network) {
            match self.kernel.last_sockets() {
                Ok(records) => self.store(Stream::Network, &records),
                Err(error) => results.push(Err(error)),
            }
        }
        if let Some(flows) = &mut self.flows {
            results.push(flows.fetch());
        }
        for drain in &mut self.drains {
            results.push(drain.finish());
            results.push(drain.sink.finish());
        }
        results.extend(self.gauges.iter().map(|gauges| gauges.sink.finish()));
        let disk_full = self.is_disk_full();
        results.push(self.folder.release().map_err(Error::from));
        let counters = self.counters()?;
        let (emitted, lost) = outcome::totals(&counters);
        let mut records = vec![host::clocks(), counters];
        if let Some(modules) = &mut self.modules {
            modules.settle();
            records.extend(modules.records(false));
            self.notes.extend(modules.notes());
        }
        self.containers.settle();
        records.extend(self.containers.records());
        records.extend(self.costs());
        records.push(Meta::End {
            monotonic_ns: host::monotonic_ns(),
            closed: true,
            reason: reason.clone(),
        });
        results.push(self.meta.write(&records).map_err(Error::from));
        let stored = self.stored();
        let discarded = |sink: &Sink| {
            let discarded = sink.status.discarded.lock().expect("no thread panics with the lock");
            discarded.1.as_ref().map(|error| error.to_string())
        };
        let refusals: Vec<String> = self.sinks().filter_map(discarded).collect();
        results.push(self.meta.finish().map_err(Error::from));
        progress(&Progress { is_encoding: true, elapsed, ..Progress::default() });
        if !disk_full {
            self.background.take(self.segment);
        }
        self.background.finish();
        self.manifest.state = State::Finished;
        results.push(self.folder.write_manifest(&self.manifest).map_err(Error::from));
        self.notes
            .extend(results.into_iter().filter_map(Result::err).map(|error| error.to_string()));
        let background = &self.background.status;
        self.notes.extend(
            background
                .error
                .lock()
                .expect("no thread panics with the lock")
                .iter()
                .map(|e| e.to_string()),
        );
        self.notes.extend(std::mem::take(
            &mut *background.notes.lock().expect("no thread panics with the lock"),
        ));
        self.notes
            .extend(self.kernel.missing.iter().map(|missing| format!("not recorded: {missing}")));
        self.notes.extend(self.kernel.left_out().map(|(program, times)| {
            format!("the kernel left out {program} while it was preempted: {times} times")
        }));
        self.notes.extend(refusals);
        Ok(Summary {
            elapsed,
            emitted,
            stored,
            lost,
            bytes: self.folder.bytes().unwrap_or(0),
            segments: self.segment,
            segments_dropped: background.dropped.load(Relaxed),
            cpu: Duration::from_nanos(host::process_cpu_ns()),
            notes: self.notes,
            reason,
            exit_code: None,
            disk_full,
        })
    }
}

/// What the disk refused was emitted on some CPU; it is put on the first of its kind.
fn add_refused(kinds: &mut [KindCount], kind: u16, refused: u64) {
    if let Some(count) = kinds.iter_mut().find(|count| count.kind == kind) {
        count.lost += refused;
        count.refused = refused;
    }
}
