//! `ebrec encode`: spools become Parquet.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use schema::human;
use store::{Encoded, Folder, encode};

use crate::output;
use crate::traces::{self, Traces};

const EXAMPLES: &str = "\
Examples:
  ebrec record --encode later -- make && ebrec encode
  ebrec encode crashed/          after the recorder was killed";

/// Turn what was recorded and not yet encoded into Parquet
///
/// While recording, events go to spools: files of raw records, which become Parquet when a segment
/// ends. Spools are left by `record --encode later`, and by a recorder that died. The other commands
/// read them too, but encode them anew each time. A spool that is encoded is removed. Encoding the
/// same spool again gives the same bytes.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Trace to read; the same as -t
    #[arg(value_name = "FOLDER", conflicts_with = "traces")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    traces: Traces,

    /// Also encode the spools that `record --keep-spool` kept
    #[arg(long)]
    again: bool,

    /// Do not remove the spools
    #[arg(long)]
    keep_spool: bool,

    /// Write to another folder, which becomes a trace; nothing is removed
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Encodes the spools of a trace.
pub fn run(args: Args, before: &Traces) -> Result<ExitCode> {
    let folder = Folder::open(traces::only(args.trace.as_ref(), &args.traces.paths(before))?)?;
    let manifest = folder.manifest()?;
    if folder.is_live() {
        bail!("{} is being recorded right now: stop that recording first", folder.path().display());
    }
    let target = match &args.output {
        Some(path) => {
            let target = Folder::create(path, false)?;
            target.write_manifest(&manifest)?;
            target
        }
        None => folder.clone(),
    };
    let _lock = target.lock()?;
    let done = target.segments_encoded()?;
    let spools = folder.spools()?;
    let wanted: Vec<u64> =
        spools.iter().copied().filter(|number| args.again || !done.contains(number)).collect();
    let mut out = output::stdout();
    if wanted.is_empty() {
        let why = if spools.is_empty() { "there are no spools" } else { "all spools are encoded" };
        writeln!(out, "Nothing to encode: {why}.")?;
        return Ok(ExitCode::SUCCESS);
    }
    for number in wanted {
        let encoded = encode::segment(&folder, number, target.path())
            .with_context(|| format!("cannot encode segment {number}"))?;
        report(&encoded, &mut *out)?;
        // What is encoded again was kept on purpose.
        if !args.keep_spool && !args.again && args.output.is_none() {
            folder.remove_spool(number)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn report(encoded: &Encoded, out: &mut dyn Write) -> Result<()> {
    let rows: u64 = encoded.tables.iter().map(|table| table.rows).sum();
    let bytes: u64 = encoded.tables.iter().map(|table| table.bytes).sum();
    writeln!(out, "segment {}: {rows} rows, {}", encoded.segment, human::bytes(bytes as i64))?;
    if encoded.unknown > 0 {
        eprintln!("note: {} records are of kinds that only a newer ebrec knows", encoded.unknown);
    }
    if encoded.torn_bytes > 0 {
        eprintln!(
            "note: {} bytes at the end are no whole block and were left out",
            encoded.torn_bytes
        );
    }
    Ok(())
}
