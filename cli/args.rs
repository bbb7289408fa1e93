//! The command line. The comments here are the manual: `--help` prints them.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cmd;

/// The flight recorder of a Linux machine.
///
/// `ebrec record` leaves a trace, a folder of Parquet files; the other verbs read it, on any machine
/// and without root.
#[derive(Parser, Debug)]
#[command(name = "ebrec", version, arg_required_else_help = true)]
pub struct Cli {
    /// Trace to read; repeat it to query several as one data set.
    #[arg(short, long = "trace", value_name = "TRACE", global = true, default_value = "trace")]
    pub traces: Vec<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Subcommand, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is taken apart at once")]
pub enum Verb {
    /// Record what this machine, a container or a command does
    #[cfg(feature = "record")]
    Record(cmd::record::Args),
    /// Say whether this machine can record, and what is missing
    #[cfg(feature = "record")]
    Doctor(cmd::doctor::Args),
    /// Query a trace with SQL; without SQL, an interactive shell
    #[cfg(feature = "analyze")]
    Query(cmd::query::Args),
    /// Print the events of a trace in the order of time
    #[cfg(feature = "analyze")]
    Replay(cmd::replay::Args),
    /// Say what is in a trace, how complete it is and what recording it cost
    Info(cmd::info::Args),
    /// Check that every event is stored or counted as lost
    Verify(cmd::verify::Args),
    /// Turn what was recorded and not yet encoded into Parquet
    Encode(cmd::encode::Args),
    /// Describe tables, columns and functions
    Schema(cmd::schema::Args),
    /// Print a completion script for a shell
    Completions(cmd::completions::Args),
}
