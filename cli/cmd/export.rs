//! `ebrec export`: stacks and packets for other tools.

mod folded;
mod pcapng;
mod pprof;
mod profile;
mod proto;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use analyzer::{Session, SessionOptions};
use anyhow::{Context, Result, bail};
use pcap_file::PcapError;

use self::profile::Profile;
use crate::output;
use crate::traces::{self, Traces};

const EXAMPLES: &str = "\
Examples:
  ebrec export --to folded | flamegraph.pl > cpu.svg
  ebrec export --to folded --weight offcpu-time --where \"comm = 'nginx'\"
  ebrec export --to pprof --weight leaked-bytes -o leaks.pb.gz && go tool pprof leaks.pb.gz
  ebrec export --to pcapng --where \"comm = 'curl'\" | tshark -r -";

/// Write stacks for flame graphs and profilers, or packets for Wireshark
///
/// What is recorded with stacks (`record -s cpu,offcpu,allocations,faults`) becomes a profile: for
/// each stack, how much of the weight it has. Names of functions are those that the trace has;
/// `ebrec symbolize` looks them up again.
///
/// --to folded writes one line per stack: the name of the thread and the functions from the outermost
/// to the innermost, joined by `;`, and the weight. --to pprof writes the gzipped format of pprof, with
/// source lines, inlined functions, processes and threads.
///
/// --to pcapng writes packets that were recorded with their bytes (`record -s packets --snaplen
/// 262144`), in the order of time, with the direction, and the name and process id as comment.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    traces: Traces,

    /// Format to write
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Format,

    /// What stacks are weighted by; not for packets
    #[arg(long, value_enum, default_value_t = Weight::Samples)]
    weight: Weight,

    /// Only events for which this is true: SQL over the columns of their table
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,

    /// Leave out the kernel's functions
    #[arg(long)]
    no_kernel: bool,

    /// Write to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A format of other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A line per stack, for flame graphs
    Folded,
    /// The format of pprof, gzipped
    Pprof,
    /// Packets, for Wireshark and tcpdump
    Pcapng,
}

/// What stacks are weighted by: the names of the files in `queries/stacks/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Weight {
    /// Ticks at which a thread was found running
    Samples,
    /// CPU time
    CpuTime,
    /// Time off the CPU
    OffcpuTime,
    /// Bytes that allocators were asked for
    AllocatedBytes,
    /// Calls of allocators
    Allocations,
    /// Bytes that were not given back
    LeakedBytes,
    /// Allocations that were not given back
    Leaks,
    /// Page faults
    Faults,
}

impl Weight {
    fn name(self) -> &'static str {
        match self {
            Weight::Samples => "samples",
            Weight::CpuTime => "cpu-time",
            Weight::OffcpuTime => "offcpu-time",
            Weight::AllocatedBytes => "allocated-bytes",
            Weight::Allocations => "allocations",
            Weight::LeakedBytes => "leaked-bytes",
            Weight::Leaks => "leaks",
            Weight::Faults => "faults",
        }
    }

    /// Those that pprof expects side by side.
    fn family(self) -> &'static [Weight] {
        match self {
            Weight::Samples | Weight::CpuTime => &[Weight::Samples, Weight::CpuTime],
            Weight::OffcpuTime => &[Weight::OffcpuTime],
            Weight::Allocations | Weight::AllocatedBytes => {
                &[Weight::Allocations, Weight::AllocatedBytes]
            }
            Weight::Leaks | Weight::LeakedBytes => &[Weight::Leaks, Weight::LeakedBytes],
            Weight::Faults => &[Weight::Faults],
        }
    }

    /// What pprof calls it, and its unit.
    fn pprof_type(self) -> (&'static str, &'static str) {
        match self {
            Weight::Samples => ("samples", "count"),
            Weight::CpuTime => ("cpu", "nanoseconds"),
            Weight::OffcpuTime => ("offcpu", "nanoseconds"),
            Weight::AllocatedBytes => ("alloc_space", "bytes"),
            Weight::Allocations => ("alloc_objects", "count"),
            Weight::LeakedBytes => ("inuse_space", "bytes"),
            Weight::Leaks => ("inuse_objects", "count"),
            Weight::Faults => ("faults", "count"),
        }
    }

    /// What to record for it.
    fn source(self) -> &'static str {
        match self {
            Weight::Samples | Weight::CpuTime => "cpu",
            Weight::OffcpuTime => "offcpu",
            Weight::Faults => "faults",
            _ => "allocations",
        }
    }
}

/// Writes the stacks or the packets of the traces.
pub fn run(args: Args, before: &Traces) -> Result<ExitCode> {
    let is_binary = args.to != Format::Folded;
    if is_binary && args.output.is_none() && io::stdout().is_terminal() {
        bail!("a terminal cannot show this format; write it to a file with -o FILE");
    }
    let session =
        Session::open(traces::open(&args.traces.paths(before))?, SessionOptions::default())?;
    let notes = match args.to {
        Format::Pcapng => {
            let open = || open_output(args.output.as_deref());
            pcapng::write(&session, args.condition.as_deref(), open).map_err(|error| {
                match error.is::<PcapError>() {
                    true => error.context(cannot_write(args.output.as_deref())),
                    false => error,
                }
            })?
        }
        _ => write_stacks(&args, &session)?,
    };
    notes.iter().for_each(|note| eprintln!("note: {}", crate::text::escape(note)));
    Ok(ExitCode::SUCCESS)
}

/// Writes a profile; what is to be said about it.
fn write_stacks(args: &Args, session: &Session) -> Result<Vec<String>> {
    let by_thread = args.to == Format::Pprof;
    let weights = if by_thread { args.weight.family() } else { &[args.weight] };
    let mut profile = Profile::read(session, weights, args.condition.as_deref(), by_thread)?;
    if args.no_kernel {
        profile.drop_kernel();
    }
    let bytes = match by_thread {
        false => folded::write(&profile),
        true => pprof::write(&profile, weights, args.weight)?,
    };
    let mut out = open_output(args.output.as_deref())?;
    out.write_all(&bytes)
        .and_then(|()| out.flush())
        .with_context(|| cannot_write(args.output.as_deref()))?;
    Ok(profile.notes)
}

/// The file to write to, or standard output.
fn open_output(path: Option<&Path>) -> Result<Box<dyn Write>> {
    let Some(path) = path else { return Ok(output::stdout_in_blocks()) };
    let file = File::create(path).with_context(|| cannot_write(Some(path)))?;
    Ok(Box::new(BufWriter::new(file)))
}

fn cannot_write(path: Option<&Path>) -> String {
    let path = path.map_or("standard output".into(), |path| path.display().to_string());
    format!("cannot write {path}")
}
