//! The command line. The comments here are the manual: `--help` prints them.

use clap::{Parser, Subcommand};

use crate::cmd;
use crate::traces::Traces;

const EXAMPLES: &str = "\
Examples:
  ebrec doctor                   can this machine record?
  sudo ebrec record -- make      record a command, into the folder `trace`
  ebrec info                     what is in it?
  ebrec replay | less            event by event
  ebrec query \"SELECT comm, count(*) FROM syscalls GROUP BY comm\"
  ebrec help query               more about a command";

/// The flight recorder of a Linux machine.
///
/// `ebrec record` writes down what runs on it: processes, system calls, scheduling, CPU
/// samples, allocations, page faults. That leaves a
/// trace, a folder of Parquet files, which the other commands read, on any machine and without root.
#[derive(Parser, Debug)]
#[command(name = "ebrec", version, arg_required_else_help = true, after_long_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a comment here would become the help of the command")]
    pub traces: Traces,

    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do. The comment of each verb's `Args` is its help.
#[derive(Subcommand, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is taken apart at once")]
pub enum Verb {
    #[cfg(feature = "record")]
    Record(cmd::record::Args),
    #[cfg(feature = "record")]
    Doctor(cmd::doctor::Args),
    #[cfg(feature = "analyze")]
    Query(cmd::query::Args),
    #[cfg(feature = "analyze")]
    Report(cmd::report::Args),
    #[cfg(feature = "analyze")]
    View(cmd::view::Args),
    #[cfg(feature = "analyze")]
    Check(cmd::check::Args),
    #[cfg(feature = "analyze")]
    Baseline(cmd::baseline::Args),
    #[cfg(feature = "analyze")]
    Explain(cmd::explain::Args),
    #[cfg(feature = "analyze")]
    Diff(cmd::diff::Args),
    #[cfg(feature = "analyze")]
    Replay(cmd::replay::Args),
    Info(cmd::info::Args),
    Verify(cmd::verify::Args),
    Encode(cmd::encode::Args),
    Symbolize(cmd::symbolize::Args),
    #[cfg(feature = "analyze")]
    Export(cmd::export::Args),
    Synth(cmd::synth::Args),
    Schema(cmd::schema::Args),
    Completions(cmd::completions::Args),
}
