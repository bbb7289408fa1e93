//! `ebrec record`: from the command line to the recorder, and its progress and summary back.

mod packets;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use bytesize::ByteSize;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use recorder::{
    Allocations, Collector, DNS_PORTS_MAX, Encode, Options, Progress, Redaction, Retention,
    RingBytes, Rotation, Scope, Source, Sources, Stacks, Summary,
};
use schema::Stream;

use crate::output::TableOrJson;

const EXAMPLES: &str = "\
Examples:
  ebrec record -- make -j8            a command and all it starts
  ebrec record -d 60s -o trace/       the machine for a minute
  ebrec record -p 1234 -s syscalls    the system calls of a process and its children
  ebrec record -s memory -- ./server  every allocation with its stack, page faults, memory
  ebrec record -s cpu,offcpu -p 1234  where a process spends its time, on and off the CPU
  ebrec record -s light --keep 1h     a flight recorder: the last hour
  ebrec record --container web        a container, by its name or id
  ebrec record --dry-run              what would be recorded, and what it costs";

/// Record what this machine, some processes or a command do
///
/// Without a filter the whole machine is recorded, except ebrec itself. Filters combine. The
/// recording ends when COMMAND ends, after --duration, or with Ctrl-C; the trace is complete then,
/// and readable all the time before.
///
/// The exit code is that of COMMAND, or 128 and the number of the signal that ended it; 2 when the
/// recording could not be made.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Folder of the trace; it must not exist
    #[arg(short, long, value_name = "FOLDER", default_value = "trace")]
    output: PathBuf,
    /// Replace the trace that is in the folder
    #[arg(long)]
    force: bool,
    /// Stop after this time, such as 60s or 10m; a COMMAND is told to end (SIGTERM)
    #[arg(short, long, value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Sources or presets, separated by commas; +x and -x change the default.
    ///
    /// Sources: processes (always on), syscalls, sched, offcpu (sched, and the stacks of what
    /// blocks), cpu (samples), allocations, faults, connections, network
    /// (connections and flows), packets (headers), dns, disk, signals, system (gauges). Presets:
    /// default (syscalls, sched, network, disk, cpu, system), light (connections, disk, cpu, system),
    /// memory (allocations, faults), security (the system calls that matter to security, network, dns,
    /// signals), performance (sched, offcpu, cpu, disk, faults, network, system), everything.
    #[arg(short, long, value_name = "LIST", default_value = "default", allow_hyphen_values = true)]
    sources: String,
    /// Record only these system calls: names and sets such as %file,%network,!futex
    ///
    /// Sets are strace's: %file, %desc, %network, %process, %memory, %signal, %ipc, %creds, %clock,
    /// and %security.
    #[arg(long, value_name = "SET", allow_hyphen_values = true)]
    syscalls: Option<String>,
    /// Record this process and its descendants; may be repeated
    #[arg(short, long = "pid", value_name = "PID")]
    pids: Vec<u32>,
    /// Record threads with this name (at most 15 bytes)
    #[arg(long, value_name = "NAME")]
    comm: Option<String>,
    /// Record this control group and those below it; may be repeated
    #[arg(long = "cgroup", value_name = "FOLDER")]
    cgroups: Vec<PathBuf>,
    /// Record this container, by its name or the beginning of its id; may be repeated
    #[arg(long = "container", value_name = "NAME_OR_ID")]
    containers: Vec<String>,
    /// Begin a new segment after this time
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    rotate: Duration,
    /// Begin a new segment when this much was recorded in it
    #[arg(long, value_name = "SIZE", default_value = "32MiB")]
    rotate_size: ByteSize,
    /// Keep only this much time: drop the oldest segments
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    keep: Option<Duration>,
    /// Keep only this much data: drop the oldest segments
    #[arg(long, value_name = "SIZE")]
    max_size: Option<ByteSize>,
    /// Keep the raw records, from which the same Parquet can be made again
    #[arg(long)]
    keep_spool: bool,
    /// Encode to Parquet while recording, or later with `ebrec encode`
    #[arg(long, value_name = "WHEN", default_value = "now")]
    encode: When,
    /// Size of the kernel's rings: SIZE for all, or SOURCE=SIZE; may be repeated
    #[arg(long = "ring", value_name = "SIZE")]
    rings: Vec<String>,
    /// CPU samples a second, of each CPU [default: 99; of `light`: 49]
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    cpu_rate: Option<u32>,
    /// Shortest time off the CPU whose stacks are recorded
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = humantime::parse_duration)]
    offcpu_min: Duration,
    /// Most frames of a stack; a longer one is marked as truncated
    #[arg(long, value_name = "FRAMES", default_value = "64", value_parser = clap::value_parser!(u32).range(1..=127))]
    stack_depth: u32,
    /// Who records allocations: a library in the processes of COMMAND, or probes (slower, for
    /// processes that run already)
    #[arg(long, value_name = "WHO", default_value = "auto")]
    collector: Who,
    /// Record only allocations of at least this size
    #[arg(long, value_name = "SIZE", default_value = "0")]
    alloc_min: ByteSize,
    /// Record one in N allocations, each with what frees it
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    alloc_sample: u32,
    /// When there is no room for an allocation: count it as lost, or let the program wait
    #[arg(long, value_name = "DO", default_value = "drop")]
    on_full: OnFull,

    #[command(flatten)]
    packets: packets::PacketArgs,

    /// Port of messages of the domain name system; may be repeated
    #[arg(long = "dns-port", value_name = "PORT", default_value = "53", value_parser = clap::value_parser!(u16).range(1..))]
    dns_ports: Vec<u16>,

    /// Keep no arguments of programs
    #[arg(long, help_heading = "What is left out")]
    no_args: bool,
    /// Keep no paths; of programs and libraries the file's name
    ///
    /// Arguments may have paths too: see --no-args.
    #[arg(long, help_heading = "What is left out")]
    no_paths: bool,
    /// Replace IP addresses and names of Unix sockets by tokens: the same for the same address
    ///
    /// Tokens are made with a key that is drawn for each recording and kept nowhere.
    #[arg(long, help_heading = "What is left out")]
    hash_addresses: bool,
    /// Where the root of the machine's file system is, for a recorder that runs in a container
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    host_root: PathBuf,
    /// Say what would be recorded, what this kernel lacks and what it costs; record nothing
    #[arg(long)]
    dry_run: bool,
    /// Format of what --dry-run says
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table", requires = "dry_run")]
    format: TableOrJson,
    /// Name the functions of stacks now, or later with `ebrec symbolize`
    #[arg(long, value_name = "WHEN", default_value = "now")]
    symbols: When,
    /// Print neither progress nor summary; what went wrong is printed all the same
    #[arg(short, long)]
    quiet: bool,
    /// Command to run and to follow, after `--`
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum When {
    Now,
    Later,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Who {
    /// The library in what a command starts, probes elsewhere
    Auto,
    /// The library only
    InProcess,
    /// Probes only
    Uprobes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OnFull {
    Drop,
    Wait,
}

/// Records; the exit code is that of the command, if there was one.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let quiet = args.quiet;
    // `-- $COMMAND` with an empty variable must not become a recording of the whole machine.
    if args.command.is_empty() && std::env::args_os().any(|arg| arg == "--") {
        bail!(
            "there is no command after `--`: name one, or leave `--` out to record the whole machine"
        );
    }
    let (dry_run, format) = (args.dry_run, args.format);
    let options = options(args)?;
    if dry_run {
        crate::cmd::plan::print(&recorder::plan::plan(&options)?, &options, format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let bar = progress_bar(quiet || options.command.is_some());
    let summary = recorder::record(&options, &mut |progress| show(&bar, progress))?;
    bar.finish_and_clear();
    // Whoever gave up reading standard error does not change how the recording went.
    let _ = report(&mut std::io::stderr().lock(), &options, &summary, quiet);
    if summary.disk_full {
        return Ok(ExitCode::from(2));
    }
    Ok(summary.exit_code.map_or(ExitCode::SUCCESS, |code| ExitCode::from(code as u8)))
}

fn options(args: Args) -> anyhow::Result<Options> {
    let sources = Sources::parse(&args.sources)?;
    let set = args.syscalls.as_deref().or(sources.syscalls);
    let syscalls = set.map(schema::syscalls::parse_set).transpose().context("--syscalls")?;
    if args.syscalls.is_some() && !sources.has(Source::Syscalls) {
        bail!(
            "--syscalls chooses among system calls, which --sources leaves out: add +syscalls to --sources"
        );
    }
    if args.comm.as_ref().is_some_and(|comm| comm.is_empty() || comm.len() > 15) {
        bail!("--comm takes a thread's name of 1 to 15 bytes, as `ps -o comm` shows it");
    }
    if args.rotate < Duration::from_millis(100) || args.rotate_size.as_u64() < 1 << 16 {
        bail!("a segment must be at least 100ms (--rotate) and 64KiB (--rotate-size)");
    }
    if args.rotate_size.as_u64() > 512 << 20 {
        bail!("a segment can have at most 512MiB (--rotate-size)");
    }
    if args.dns_ports.len() > DNS_PORTS_MAX {
        bail!("--dns-port can be given {DNS_PORTS_MAX} times at most");
    }
    let redaction = redaction(&args, &sources)?;
    Ok(Options {
        output: args.output,
        force: args.force,
        duration: args.duration,
        syscalls,
        scope: Scope {
            pids: args.pids,
            comm: args.comm,
            cgroups: args.cgroups,
            containers: args.containers,
        },
        command: (!args.command.is_empty()).then_some(args.command),
        rotation: Rotation { every: args.rotate, bytes: args.rotate_size.as_u64() },
        retention: Retention {
            keep: args.keep,
            bytes_max: args.max_size.map(|size| size.as_u64()),
        },
        keep_spool: args.keep_spool,
        encode: match args.encode {
            When::Now => Encode::Now,
            When::Later => Encode::Later,
        },
        rings: rings(&args.rings)?,
        stacks: Stacks {
            cpu_hz: args.cpu_rate.unwrap_or(sources.cpu_hz),
            offcpu_min: args.offcpu_min,
            depth_max: args.stack_depth,
        },
        allocations: Allocations {
            collector: match args.collector {
                Who::Auto => Collector::Auto,
                Who::InProcess => Collector::InProcess,
                Who::Uprobes => Collector::Uprobes,
            },
            size_min: args.alloc_min.as_u64(),
            one_in: args.alloc_sample,
            salt: salt(),
            wait_when_full: args.on_full == OnFull::Wait,
        },

        packets: args.packets.packets(&sources)?,

        dns_ports: args.dns_ports,

        redaction,
        host_root: args.host_root,
        symbolizer: match (args.symbols, args.encode) {
            (When::Now, When::Now) => Some(crate::cmd::symbolize::worker()?),
            _ => None,
        },
        sources,
    })
}

/// What is left out; what would be in the trace all the same is refused.
fn redaction(args: &Args, sources: &Sources) -> anyhow::Result<Redaction> {
    let telling = [Source::Packets, Source::Dns].into_iter().find(|source| sources.has(*source));
    if let Some(source) = telling.filter(|_| args.hash_addresses) {
        bail!(
            "--hash-addresses cannot hide the addresses and names that the source {0} records: leave it out of --sources (-{0}), or leave out --hash-addresses",
            source.name()
        );
    }
    Ok(Redaction {
        no_args: args.no_args,
        no_paths: args.no_paths,
        hash_addresses: args.hash_addresses,
    })
}

/// Another choice of addresses in each recording, so that what is alike in all of them is not
/// missed in all of them.
fn salt() -> u64 {
    std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), ())
}

fn rings(sizes: &[String]) -> anyhow::Result<RingBytes> {
    let mut rings = RingBytes::default();
    for text in sizes {
        let (name, size) =
            text.split_once('=').map_or((None, text.as_str()), |(name, size)| (Some(name), size));
        let bytes: ByteSize = size.parse().map_err(|_| {
            anyhow::anyhow!("--ring takes a size such as 16MiB, or syscalls=16MiB; got `{text}`")
        })?;
        let bytes = u32::try_from(bytes.as_u64())
            .with_context(|| format!("--ring {text}: at most 1GiB"))?;
        let streams: Vec<Stream> = Stream::ALL
            .into_iter()
            .filter(|stream| name.is_none_or(|name| stream.name() == name))
            .collect();
        if streams.is_empty() {
            let known = Stream::ALL.map(Stream::name).join(", ");
            bail!("--ring {text}: there is no such source; the sources are {known}");
        }
        streams.into_iter().for_each(|stream| rings.set(stream, bytes));
    }
    Ok(rings)
}

/// A line that is drawn again and again; hidden when standard error is no terminal, and while a
/// command has the terminal for itself.
fn progress_bar(is_hidden: bool) -> ProgressBar {
    if is_hidden || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is right");
    ProgressBar::new_spinner().with_style(style)
}

fn show(bar: &ProgressBar, progress: &Progress) {
    if bar.is_hidden() {
        return;
    }
    bar.tick();
    if progress.is_encoding {
        bar.set_message("encoding what is left ...");
        return;
    }
    let seconds = progress.elapsed.as_secs();
    // The rate since the beginning says more than a flickering one.
    let rate = (progress.stored as f64 / progress.elapsed.as_secs_f64().max(0.1)) as u64;
    bar.set_message(format!(
        "{:02}:{:02}:{:02}  {} events/s  {} stored  {} lost  {}  (Ctrl-C ends)",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        HumanCount(rate),
        HumanCount(progress.stored),
        HumanCount(progress.lost),
        HumanBytes(progress.bytes),
    ));
}

fn report(
    out: &mut impl Write,
    options: &Options,
    summary: &Summary,
    quiet: bool,
) -> std::io::Result<()> {
    let trace = options.output.as_path();
    for note in &summary.notes {
        writeln!(out, "ebrec: note: {}", crate::text::escape(note))?;
    }
    if summary.disk_full {
        writeln!(
            out,
            "ebrec: the disk was full, so the recording ended; what was written until then is intact"
        )?;
    }
    if quiet {
        return Ok(());
    }
    let lost: u64 = summary.lost.iter().map(|(_, lost)| lost).sum();
    writeln!(
        out,
        "ebrec: {} recorded until {}: {} events stored, {} lost, {} in {}",
        humantime::format_duration(Duration::from_millis(summary.elapsed.as_millis() as u64)),
        summary.reason,
        HumanCount(summary.stored),
        HumanCount(lost),
        HumanBytes(summary.bytes),
        trace.display(),
    )?;
    for (kind, lost) in summary.lost.iter().filter(|_| !summary.disk_full) {
        if *kind == "flow" {
            writeln!(
                out,
                "ebrec: {} packets were of more flows than a second has room for (65,536): they are counted, without their addresses",
                HumanCount(*lost)
            )?;
            continue;
        }
        writeln!(
            out,
            "ebrec: lost {} of kind {kind}: give its source a larger ring (--ring)",
            HumanCount(*lost)
        )?;
    }
    if summary.segments_dropped > 0 {
        writeln!(
            out,
            "ebrec: {} of {} segments were dropped, as asked",
            summary.segments_dropped, summary.segments
        )?;
    }
    let table = if options.sources.has(Source::Syscalls) { "syscalls" } else { "process_events" };
    let option = if trace == Path::new("trace") {
        String::new()
    } else {
        format!(" -t {}", trace.display())
    };
    writeln!(out, "next:  ebrec{option} info")?;
    if cfg!(feature = "analyze") {
        writeln!(out, "       ebrec{option} replay | less")?;
        writeln!(
            out,
            "       ebrec{option} query \"SELECT comm, count(*) FROM {table} GROUP BY comm ORDER BY 2 DESC\""
        )?;
    }
    Ok(())
}
