//! `ebrec symbolize`: names for the stacks of a trace.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use store::Folder;
use symbols::{Module, Options, Outcome, Report, Symbolizer, is_same_boot};

use crate::output::{self, Column, Long};
use crate::text;
use crate::traces::{self, Traces};

/// Modules without names that are listed.
const MODULES_MAX: usize = 15;
/// Digits of a build-id that people compare.
const ID_DIGITS: usize = 12;

const EXAMPLES: &str = "\
Examples:
  ebrec symbolize                      after debug files were installed
  ebrec symbolize /tmp/build --debug-dir ./symbols --debug-dir ~/.cache/debuginfod_client";

/// Look up the names of functions in the stacks of a trace
///
/// The recorder does this with the files that it finds. Do it again where more of them are: programs
/// that are not stripped, or debug files. A file is used only if it has the build-id that was
/// recorded; names that cannot be found any more stay. Nothing is downloaded.
///
/// A folder of --debug-dir may hold files by build-id (.build-id/ab/cdef.debug), by the path of the
/// program below it, by its name, by its name with .debug, or as a debuginfod client keeps them; and
/// perf-PID.map files of processes that make code as they run.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Trace to look names up for; the same as -t
    #[arg(value_name = "FOLDER", conflicts_with = "traces")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    traces: Traces,

    /// Folder with programs or debug files; may be repeated
    #[arg(long = "debug-dir", value_name = "DIR")]
    debug_dirs: Vec<PathBuf>,

    /// Do not show inlined functions
    #[arg(long)]
    no_inlines: bool,

    /// Read files for another process of ebrec
    #[arg(long, hide = true)]
    worker: bool,
}

/// Looks up the names of a trace.
pub fn run(args: Args, before: &Traces) -> Result<ExitCode> {
    if args.worker {
        symbols::worker()?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = Folder::open(traces::only(args.trace.as_ref(), &args.traces.paths(before))?)?;
    folder.manifest()?;
    if folder.is_live() {
        bail!("{} is being recorded right now: stop that recording first", folder.path().display());
    }
    for dir in &args.debug_dirs {
        if !dir.is_dir() {
            bail!("--debug-dir: {} is not a folder", dir.display());
        }
    }
    let _lock = folder.lock()?;
    let segments = folder.segments_encoded()?;
    let waiting = folder.spools()?.iter().filter(|number| !segments.contains(number)).count();
    if waiting > 0 {
        eprintln!("note: {waiting} segments are not encoded yet and were left out (ebrec encode)");
    }
    let mut symbolizer = Symbolizer::new(options(&args)?);
    let mut report = Report::default();
    for segment in segments {
        let same_boot = is_same_boot(&folder, segment);
        let maps = perf_maps(&args.debug_dirs, same_boot);
        let options = symbolizer.options();
        (options.same_boot, options.perf_maps) = (same_boot, Some(maps));
        let named = symbolizer.segment(&folder, segment);
        report.add(&named.with_context(|| format!("cannot name the stacks of segment {segment}"))?);
    }
    print(&report, &mut *output::stdout())?;
    Ok(ExitCode::SUCCESS)
}

fn options(args: &Args) -> Result<Options> {
    Ok(Options {
        debug_dirs: args.debug_dirs.clone(),
        inlines: !args.no_inlines,
        worker: Some(worker()?),
        ..Options::default()
    })
}

/// The command that reads symbols, in a process of its own.
pub fn worker() -> Result<Vec<OsString>> {
    let own = std::env::current_exe().context("cannot find the program of ebrec")?;
    Ok(vec![own.into(), "symbolize".into(), "--worker".into()])
}

/// Perf maps that the user gives, and those of processes that may still run.
fn perf_maps(
    dirs: &[PathBuf],
    same_boot: bool,
) -> Arc<dyn Fn(u32) -> Option<PathBuf> + Send + Sync> {
    let mut dirs = dirs.to_vec();
    if same_boot {
        dirs.push("/tmp".into());
    }
    Arc::new(move |pid| {
        dirs.iter().map(|dir| dir.join(format!("perf-{pid}.map"))).find(|path| path.is_file())
    })
}

fn print(report: &Report, out: &mut dyn Write) -> Result<()> {
    if report.stacks == 0 {
        return Ok(writeln!(out, "Nothing to name: the trace has no stacks.")?);
    }
    let share = report.named as f64 / report.frames.max(1) as f64 * 100.0;
    let Report { stacks, frames, named, .. } = report;
    writeln!(out, "{stacks} stacks: {named} of {frames} frames have a name ({share:.1}%).")?;
    let mut without: Vec<(&(String, Option<String>), &Module)> = report
        .modules
        .iter()
        .filter(|(_, module)| module.named < module.frames || is_problem(&module.outcome))
        .collect();
    if without.is_empty() {
        return Ok(());
    }
    // The sort is stable: equal ones stay in the order of their names.
    without.sort_by_key(|(_, module)| std::cmp::Reverse(module.frames - module.named));
    let columns = [
        Column::number("unnamed"),
        Column::number("frames"),
        Column::text("module"),
        Column::text("why"),
    ];
    let row = |((name, id), module): &(&(String, Option<String>), &Module)| {
        let (unnamed, frames) = (module.frames - module.named, module.frames);
        let why = why(&module.outcome, id.as_deref());
        vec![
            unnamed.to_string(),
            frames.to_string(),
            text::escape(name).into_owned(),
            text::escape(&why).into_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = without.iter().take(MODULES_MAX).map(row).collect();
    writeln!(out)?;
    output::write_table(&columns, &rows, Long::Wrapped, output::terminal_width(), out)?;
    if without.len() > MODULES_MAX {
        writeln!(out, "and {} more modules", without.len() - MODULES_MAX)?;
    }
    Ok(())
}

fn is_problem(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Corrupt { .. })
}

/// Why a module has no names, and what to do about it.
fn why(outcome: &Outcome, build_id: Option<&str>) -> String {
    let id = build_id.map(|id| match id.char_indices().nth(ID_DIGITS) {
        Some((end, _)) => format!("{}…", &id[..end]),
        None => id.to_string(),
    });
    let with_id = id.map(|id| format!(" with build-id {id}")).unwrap_or_default();
    match outcome {
        Outcome::Found { debug: true, .. } => "its debug information does not have them".into(),
        Outcome::Found { debug: false, .. } => {
            format!("its symbols do not have them: give a debug file{with_id} with --debug-dir")
        }
        Outcome::NoSymbols { file } => {
            format!("{file} is stripped: give a debug file{with_id} with --debug-dir")
        }
        Outcome::NoFile => format!("no file{with_id}: give its folder with --debug-dir"),
        Outcome::WrongBuildId { file } => {
            format!("{file} is another version: give a folder that has one{with_id} with --debug-dir")
        }
        Outcome::NoBuildId => {
            "it has no build-id: give the folder it lies in on the recorded machine, / for this one, with --debug-dir".into()
        }
        Outcome::NoModule => "no mapping was recorded there".into(),
        Outcome::OtherBoot => {
            "only the recorded machine knows them, until it is restarted".into()
        }
        Outcome::Hidden => "the kernel hides its symbols: run this as root".into(),
        Outcome::NoPerfMap => {
            "there is no perf-PID.map of the process: have its runtime write one, give its folder with --debug-dir".into()
        }
        Outcome::PerfMap { file, .. } => format!("{} does not have them", name(file)),
        Outcome::Corrupt { file, what } => format!("{file} cannot be read in full: {what}"),
    }
}

fn name(file: &str) -> &str {
    Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_module_has_no_names_says_what_to_do() {
        let check = |outcome: Outcome, expected: &str| {
            assert_eq!(why(&outcome, Some("0123456789abcdef")), expected);
        };
        check(
            Outcome::NoFile,
            "no file with build-id 0123456789ab…: give its folder with --debug-dir",
        );
        check(
            Outcome::NoSymbols { file: "/bin/a".into() },
            "/bin/a is stripped: give a debug file with build-id 0123456789ab… with --debug-dir",
        );
        assert_eq!(why(&Outcome::NoFile, None), "no file: give its folder with --debug-dir");
    }
}
