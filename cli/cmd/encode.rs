//! `ebrec encode`: spools become Parquet.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use schema::human;
use store::{Encoded, Folder, encode};

use crate::output;
use crate::traces;

/// Turn what was recorded and not yet encoded into Parquet.
///
/// That is what `record --encode later` leaves, or a recorder that died. Encoding the same spool
/// again gives the same bytes. A spool that is encoded is removed, as while recording.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The trace; otherwise that of -t
    trace: Option<PathBuf>,

    /// Encode kept spools too whose segments are encoded already
    #[arg(long)]
    again: bool,

    /// Leave the spools where they are
    #[arg(long)]
    keep_spool: bool,

    /// Write to another folder, which becomes a trace
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Encodes the spools of a trace.
pub fn run(args: Args, paths: &[PathBuf]) -> Result<ExitCode> {
    let folder = Folder::open(traces::only(args.trace.as_ref(), paths)?)?;
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
