//! `ebrec export`: stacks for other tools.

mod folded;
mod pprof;
mod profile;
mod proto;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use analyzer::{Session, SessionOptions};
use anyhow::{Context, Result, bail};

use self::profile::Profile;
use crate::output;
use crate::traces::{self, Traces};

const EXAMPLES: &str = "\
Examples:
  ebrec export --to folded | flamegraph.pl > cpu.svg
  ebrec export --to folded --weight offcpu-time --where \"comm = 'nginx'\"
  ebrec export --to pprof --weight leaked-bytes -o leaks.pb.gz && go tool pprof leaks.pb.gz";

/// Write the stacks of a trace for flame graphs and profilers
///
/// What is recorded with stacks (`record -s cpu,offcpu,allocations,faults`) becomes a profile: for
/// each stack, how much of the weight it has. Names of functions are those that the trace has;
/// `ebrec symbolize` looks them up again.
///
/// --to folded writes one line per stack: the name of the thread and the functions from the outermost
/// to the innermost, joined by `;`, and the weight. --to pprof writes the gzipped format of pprof, with
/// source lines, inlined functions, processes and threads.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    traces: Traces,

    /// Format to write
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Format,

    /// What stacks are weighted by
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

/// Writes the stacks of the traces.
pub fn run(args: Args, before: &Traces) -> Result<ExitCode> {
    let is_binary = args.to == Format::Pprof;
    if is_binary && args.output.is_none() && io::stdout().is_terminal() {
        bail!("a terminal cannot show this format; write it to a file with -o FILE");
    }
    let session =
        Session::open(traces::open(&args.traces.paths(before))?, SessionOptions::default())?;
    let weights = if is_binary { args.weight.family() } else { &[args.weight] };
    let mut profile = Profile::read(&session, weights, args.condition.as_deref(), is_binary)?;
    if args.no_kernel {
        profile.drop_kernel();
    }
    let bytes = match args.to {
        Format::Folded => folded::write(&profile),
        Format::Pprof => pprof::write(&profile, weights, args.weight)?,
    };
    match &args.output {
        Some(path) => {
            let unwritable = || format!("cannot write {}", path.display());
            let mut out = BufWriter::new(File::create(path).with_context(unwritable)?);
            out.write_all(&bytes).and_then(|()| out.flush()).with_context(unwritable)?;
        }
        None => {
            let mut out = output::stdout_in_blocks();
            out.write_all(&bytes)?;
            out.flush()?;
        }
    }
    profile.notes.iter().for_each(|note| eprintln!("note: {}", crate::text::escape(note)));
    Ok(ExitCode::SUCCESS)
}
