//! One file per verb.

#[cfg(feature = "analyze")]
pub mod baseline;
#[cfg(feature = "analyze")]
pub mod check;
pub mod completions;
#[cfg(feature = "analyze")]
pub mod diff;
#[cfg(feature = "record")]
pub mod doctor;
pub mod encode;
#[cfg(feature = "analyze")]
pub mod explain;
#[cfg(feature = "analyze")]
pub mod export;
pub mod info;
#[cfg(feature = "record")]
mod plan;
#[cfg(feature = "analyze")]
pub mod query;
#[cfg(feature = "record")]
pub mod record;
#[cfg(feature = "analyze")]
pub mod replay;
#[cfg(feature = "analyze")]
pub mod report;
pub mod schema;
#[cfg(feature = "analyze")]
mod shell;
pub mod symbolize;
pub mod synth;
pub mod verify;
#[cfg(feature = "analyze")]
pub mod view;

use std::process::ExitCode;

use crate::args::{Cli, Verb};

/// Does what the command line asks for.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let traces = cli.traces;
    let reads_none = || traces.refuse();
    match cli.verb {
        #[cfg(feature = "record")]
        Verb::Record(args) => reads_none().and_then(|()| record::run(args)),
        #[cfg(feature = "record")]
        Verb::Doctor(args) => reads_none().and_then(|()| doctor::run(args)),
        #[cfg(feature = "analyze")]
        Verb::Query(args) => query::run(args, &traces),
        #[cfg(feature = "analyze")]
        Verb::Report(args) => report::run(args, &traces),
        #[cfg(feature = "analyze")]
        Verb::View(args) => view::run(args, &traces),
        #[cfg(feature = "analyze")]
        Verb::Check(args) => check::run(args, &traces),
        #[cfg(feature = "analyze")]
        Verb::Baseline(args) => reads_none().and_then(|()| baseline::run(args)),
        #[cfg(feature = "analyze")]
        Verb::Explain(args) => explain::run(args, &traces),
        #[cfg(feature = "analyze")]
        Verb::Diff(args) => reads_none().and_then(|()| diff::run(args)),
        #[cfg(feature = "analyze")]
        Verb::Replay(args) => replay::run(args, &traces),
        Verb::Info(args) => info::run(args, &traces),
        Verb::Verify(args) => verify::run(args, &traces),
        Verb::Encode(args) => encode::run(args, &traces),
        Verb::Symbolize(args) => symbolize::run(args, &traces),
        #[cfg(feature = "analyze")]
        Verb::Export(args) => export::run(args, &traces),
        Verb::Synth(args) => reads_none().and_then(|()| synth::run(args)),
        Verb::Schema(args) => reads_none().and_then(|()| schema::run(args)),
        Verb::Completions(args) => reads_none().and_then(|()| completions::run(args)),
    }
}
