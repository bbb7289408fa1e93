//! Runs programs under the library and reads what comes out: records as events, and the program's
//! own account of what it did, to compare with.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use preload::{Collector, KindTotals, Settings};
use tempfile::TempDir;

/// A drained record.
#[derive(Clone, Debug)]
pub enum Event {
    Allocation {
        ts: u64,
        pid: u32,
        tid: u32,
        address: u64,
        old: u64,
        size: u64,
        stack: u64,
        op: u32,
    },
    Deallocation {
        ts: u64,
        pid: u32,
        address: u64,
        op: u32,
    },
    Stack {
        pid: u32,
        id: u64,
        flags: u32,
        frames: Vec<u64>,
    },
    Mapping {
        pid: u32,
        start: u64,
        end: u64,
        offset: u64,
        build_id_bytes: usize,
        file: String,
    },
}

impl Event {
    fn parse(bytes: &[u8]) -> Event {
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let half = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let short = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap());
        let (ts, tid, pid) = (word(0), half(8), half(12));
        assert_eq!(usize::from(short(18)), bytes.len());
        let tails = || {
            let mut rest = &bytes[usize::from(short(20))..];
            std::iter::from_fn(move || {
                let (tag, length) = (
                    *rest.first()?,
                    usize::from(u16::from_le_bytes([*rest.get(2)?, *rest.get(3)?])),
                );
                let tail = rest.get(4..4 + length).filter(|_| tag != 0)?;
                rest = &rest[4 + length..];
                Some((tag, tail))
            })
        };
        match short(16) {
            40 => Event::Allocation {
                ts,
                pid,
                tid,
                address: word(24),
                old: word(32),
                size: word(40),
                stack: word(48),
                op: half(56),
            },
            41 => Event::Deallocation { ts, pid, address: word(24), op: half(32) },
            48 => {
                let (tag, frames) = tails().next().expect("a stack has frames");
                assert_eq!(tag, 8);
                let frames = frames.chunks(8).map(|at| u64::from_le_bytes(at.try_into().unwrap()));
                Event::Stack { pid, id: word(24), flags: half(36), frames: frames.collect() }
            }
            49 => {
                let tail =
                    |wanted| tails().find(|tail| tail.0 == wanted).map_or(&[][..], |tail| tail.1);
                let names = String::from_utf8_lossy(tail(10)).into_owned();
                let mut names: Vec<&str> = names.split_terminator('\0').collect();
                names.reverse();
                Event::Mapping {
                    pid,
                    start: word(24),
                    end: word(32),
                    offset: word(40),
                    build_id_bytes: tail(9).len(),
                    file: names.join("/"),
                }
            }
            kind => panic!("a record of kind {kind}"),
        }
    }
}

/// What was recorded of a program.
pub struct Recorded {
    pub events: Vec<Event>,
    pub counters: Vec<KindTotals>,
    pub processes: Vec<u32>,
    pub status: ExitStatus,
    pub output: String,
    pub pid: u32,
}

/// Runs `command` to its end, with `during` called again and again.
pub fn record_with(
    settings: &Settings,
    command: &mut Command,
    mut during: impl FnMut(&mut Collector, &mut Child),
) -> Recorded {
    let mut collector = Collector::create(settings).expect("there is a place for the folder");
    command.envs(collector.environment()).stdout(Stdio::piped()).stdin(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let pid = child.id();
    let mut stdout = child.stdout.take().unwrap();
    let reader =
        std::thread::spawn(move || std::io::read_to_string(&mut stdout).unwrap_or_default());
    let mut events = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(120);
    let status = loop {
        during(&mut collector, &mut child);
        let passed = collector.drain(&mut |record| events.push(Event::parse(record)));
        if passed == 0 {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            collector.wait(Duration::from_millis(20));
        }
        assert!(Instant::now() < deadline, "the program hangs");
    };
    collector.stop();
    // Children that outlive it are gone after a moment; and so must the rings be.
    let quiet = Instant::now() + Duration::from_millis(300);
    while Instant::now() < quiet {
        collector.drain(&mut |record| events.push(Event::parse(record)));
        std::thread::sleep(Duration::from_millis(20));
    }
    let (counters, processes) = (collector.counters(), collector.processes());
    Recorded { events, counters, processes, status, output: reader.join().unwrap(), pid }
}

/// Runs `command` to its end.
pub fn record(settings: &Settings, command: &mut Command) -> Recorded {
    record_with(settings, command, |_, _| {})
}

/// Live memory after a replay.
#[derive(Default)]
pub struct Replay {
    /// By process and address: size, and the stack's number.
    pub live: BTreeMap<(u32, u64), (u64, u64)>,
    pub peak: u64,
    pub bytes: u64,
    /// Of memory that was not known.
    pub unknown: usize,
    /// Memory that was got at an address that was taken.
    pub clashes: usize,
    pub failed: usize,
}

impl Recorded {
    /// The counts of a kind add up with what was drained.
    pub fn assert_counts(&self) {
        for (kind, totals) in [40, 41, 48, 49].iter().zip(&self.counters) {
            let stored = self.events.iter().filter(|event| match event {
                Event::Allocation { .. } => *kind == 40,
                Event::Deallocation { .. } => *kind == 41,
                Event::Stack { .. } => *kind == 48,
                Event::Mapping { .. } => *kind == 49,
            });
            assert_eq!(totals.kind, *kind);
            assert_eq!(totals.emitted, stored.count() as u64 + totals.lost, "kind {kind}");
        }
    }

    pub fn lost(&self) -> u64 {
        self.counters.iter().map(|totals| totals.lost).sum()
    }

    pub fn stacks(&self) -> HashMap<(u32, u64), (&[u64], u32)> {
        let stacks = self.events.iter().filter_map(|event| match event {
            Event::Stack { pid, id, flags, frames } => Some(((*pid, *id), (&frames[..], *flags))),
            _ => None,
        });
        stacks.collect()
    }

    /// File and offset in it of an address.
    pub fn locate(&self, pid: u32, address: u64) -> Option<(&str, u64)> {
        self.events.iter().find_map(|event| match event {
            Event::Mapping { pid: of, start, end, offset, file, .. }
                if *of == pid && (*start..*end).contains(&address) =>
            {
                Some((file.as_str(), address - start + offset))
            }
            _ => None,
        })
    }

    /// Replays the events `keep` accepts, in the order of their times.
    pub fn replay(&self, keep: impl Fn(&Event) -> bool) -> Replay {
        let mut sorted: Vec<&Event> = self
            .events
            .iter()
            .filter(|event| matches!(event, Event::Allocation { .. } | Event::Deallocation { .. }))
            .collect();
        sorted.sort_by_key(|event| match event {
            Event::Allocation { ts, .. } | Event::Deallocation { ts, .. } => *ts,
            _ => 0,
        });
        let mut replay = Replay::default();
        for event in sorted {
            match event {
                Event::Allocation { address: 0, .. } => replay.failed += usize::from(keep(event)),
                Event::Allocation { pid, address, old, size, stack, .. } => {
                    let before = replay.live.remove(&(*pid, *address));
                    replay.clashes += usize::from(before.is_some() && old != address);
                    replay.bytes -= before.map_or(0, |before| before.0);
                    if keep(event) {
                        replay.live.insert((*pid, *address), (*size, *stack));
                        replay.bytes += size;
                        replay.peak = replay.peak.max(replay.bytes);
                    }
                }
                Event::Deallocation { pid, address, .. } => {
                    match replay.live.remove(&(*pid, *address)) {
                        Some((size, _)) => replay.bytes -= size,
                        None => replay.unknown += 1,
                    }
                }
                _ => {}
            }
        }
        replay
    }

    /// Numbers in the program's account: lines `name=value`.
    pub fn told(&self, name: &str) -> u64 {
        let line = self.output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let line =
            line.unwrap_or_else(|| panic!("no {name} in {:?}, {}", self.output, self.status));
        line.trim().parse().unwrap_or_else(|_| panic!("{name} is {line}"))
    }

    /// Whether an allocation was called for by the test program itself.
    pub fn of_file(&self, name: &str) -> impl Fn(&Event) -> bool {
        let own: std::collections::HashSet<(u32, u64)> = self
            .stacks()
            .iter()
            .filter(|((pid, _), (frames, _))| {
                self.locate(*pid, frames[0] - 1).is_some_and(|(file, _)| file.ends_with(name))
            })
            .map(|(key, _)| *key)
            .collect();
        move |event| match event {
            Event::Allocation { pid, stack, .. } => own.contains(&(*pid, *stack)),
            _ => true,
        }
    }

    pub fn assert_ok(&self) {
        assert!(
            self.status.success(),
            "{} (signal {:?}): {}",
            self.status,
            self.status.signal(),
            self.output
        );
    }
}

/// A compiled program; in a folder that goes with it.
pub struct Program {
    _folder: TempDir,
    pub path: PathBuf,
}

impl Program {
    pub fn command(&self) -> Command {
        Command::new(&self.path)
    }

    /// Name and address of its functions, by address.
    pub fn functions(&self) -> BTreeMap<u64, String> {
        let output = Command::new("nm").arg(&self.path).output().expect("nm is there");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().filter_map(|line| {
            let mut fields = line.split(' ');
            let address = u64::from_str_radix(fields.next()?, 16).ok()?;
            let is_code = matches!(fields.next()?, "t" | "T" | "W");
            is_code.then(|| Some((address, fields.next()?.to_string())))?
        });
        lines.collect()
    }
}

/// Compiles a program of `programs/`; `None` without a compiler.
pub fn compile(compiler: &str, name: &str, flags: &[&str]) -> Option<Program> {
    let folder = TempDir::new().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name);
    let path = folder.path().join(source.file_stem().unwrap());
    let run = Command::new(compiler)
        .args(["-O2", "-g0"])
        .args(flags)
        .arg(&source)
        .arg("-o")
        .arg(&path)
        .args(["-lpthread", "-ldl"])
        .output();
    match run {
        Ok(output) if output.status.success() => Some(Program { _folder: folder, path }),
        Ok(output) => {
            panic!("{name} does not compile: {}", String::from_utf8_lossy(&output.stderr))
        }
        Err(error) => {
            eprintln!("skipped: no {compiler} ({error})");
            None
        }
    }
}
