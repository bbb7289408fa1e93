//! `ebrec report`: questions that are asked often, answered from the trace.

mod answer;
mod list;
mod overview;
mod picture;
pub mod web;

use std::path::PathBuf;
use std::process::ExitCode;

use analyzer::{Report, Reports, Session, SessionOptions};
use anyhow::{Result, anyhow, bail};
use clap::{Args as _, Command, FromArgMatches};

use crate::filter::Part;
use crate::output::{self, Format, Target};
use crate::traces::{self, Traces};

const EXAMPLES: &str = "\
Examples:
  ebrec report                     what stands out
  ebrec report --list              all reports
  ebrec report leaks --help        what one of them tells, its columns and parameters
  ebrec report leaks --min-bytes 1MiB --comm server
  ebrec report syscalls --from +10s --to +20s --format csv
  ebrec report offcpu --plot       its picture, in the terminal
  ebrec report offcpu --svg f.svg  the same as a file
  ebrec report --html out.html     everything, as one page for anyone";

/// Answer a question from the trace; without a name, what stands out
///
/// A report is an SQL file whose header says what it answers. Options after its name are its own: `ebrec
/// report NAME --help` lists them. A folder given with --queries adds your own; `ebrec report --lint`
/// checks them.
///
/// With --html, everything becomes one page: what stands out, a time line, all reports with pictures, what `ebrec check`
/// finds. It is one file that loads nothing and sends nothing, for a browser. It shows what the trace has, names and
/// arguments too; --redact replaces them.
///
/// What the answer lacks is told below it: what was lost, and which columns are bounds therefore; what
/// the recording was asked to leave out. With --strict, nothing is answered when something was lost, and
/// the exit code is 1.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    show: Show,

    /// Write one page about everything, for a browser
    #[arg(long, value_name = "FILE", conflicts_with_all = ["words", "list", "lint", "format", "output", "rows", "raw", "plot", "svg"])]
    html: Option<PathBuf>,

    /// In the page, replace arguments, paths, addresses, and names of machines, containers and what was looked up by
    /// tokens such as `path-7`: the same for the same text, telling nothing of it
    ///
    /// What stays: names of processes, threads, users by number, functions and the files of programs and libraries
    /// in stacks, system calls, ports, times and sizes.
    #[arg(long, requires = "html")]
    redact: bool,

    /// List the reports
    #[arg(long, conflicts_with = "words")]
    list: bool,

    /// Check the headers of the reports in --queries, or of all
    #[arg(long, conflicts_with_all = ["words", "list"])]
    lint: bool,

    /// Which report, and its own options
    #[arg(value_name = "NAME", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// How a report is made and shown; these options are the same for all.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Show {
    #[command(flatten)]
    traces: Traces,

    #[command(flatten)]
    part: Part,

    /// Format of the rows (default: table)
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Write the rows to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Draw the rows for a terminal: bars, sparklines or a heat map, as suits the report
    #[arg(long, conflicts_with_all = ["format", "output", "raw"])]
    plot: bool,

    /// Write the picture of the rows to a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "output", "raw", "plot"])]
    svg: Option<PathBuf>,

    /// Replace the file of --html or --svg
    #[arg(long)]
    force: bool,

    /// Most rows that --format table shows; 0 for all (default: 20)
    #[arg(long, value_name = "N")]
    rows: Option<usize>,

    /// In tables, write numbers as they are, without units
    #[arg(long)]
    raw: bool,

    /// Fail when events were lost that the answer needs
    #[arg(long)]
    strict: bool,

    /// Memory that a report may use, in MiB; beyond it, sorts use temporary files (default: 1024)
    #[arg(long, value_name = "MIB")]
    memory: Option<usize>,

    /// Folder with reports of your own; may be repeated
    #[arg(long, value_name = "FOLDER", env = "EBREC_QUERIES", value_delimiter = ':')]
    queries: Vec<PathBuf>,
}

impl Show {
    /// The traces as they were given.
    fn names(&self, before: &Traces) -> Vec<String> {
        self.traces.paths(before).iter().map(|path| path.display().to_string()).collect()
    }

    fn session(&self, before: &Traces) -> Result<Session> {
        let options = SessionOptions {
            memory_bytes: self.memory.unwrap_or(1024).saturating_mul(1 << 20),
            filter: self.part.filter(),
            ..Default::default()
        };
        Ok(Session::open(traces::open(&self.traces.paths(before))?, options)?)
    }
}

/// Makes the report, or tells which there are.
pub fn run(args: Args, before: &Traces) -> Result<ExitCode> {
    let Args { mut show, html, redact, list, lint, words } = args;
    show.traces = before.and(&show.traces);
    let before = &Traces::default();
    if let Some(path) = html {
        return web::write(&show, redact, &path);
    }
    let Some((name, rest)) = words.split_first() else {
        let reports = Reports::load(&show.queries)?;
        return match (list, lint) {
            (true, _) => list::print(&reports, show.format.unwrap_or(Format::Table)),
            (_, true) => list::lint(&reports, !show.queries.is_empty()),
            _ if show.plot || show.svg.is_some() => {
                bail!("a picture is of one report: name it before --plot or --svg")
            }
            _ => overview::print(&show.session(before)?, &show.names(before), &show),
        };
    };
    show.queries.extend(folders(rest));
    let reports = Reports::load(&show.queries)?;
    let report = reports.get(name)?;
    let Some(given) = own_options(report, rest, &mut show)? else { return Ok(ExitCode::SUCCESS) };
    let values = report.values(&given)?;
    if show.format.is_some_and(Format::is_binary) && show.output.is_none() && output::is_terminal()
    {
        bail!("a terminal cannot show this format; write it to a file with -o FILE");
    }
    let svg = show.svg.as_deref().map(|path| Target::new(path, show.force)).transpose()?;
    let session = show.session(before)?;
    if show.plot || svg.is_some() {
        return picture::print(&session, report, &values, &show, svg.as_ref());
    }
    answer::print(&session, report, &values, &show)
}

/// The folders of --queries behind the name: what options a report has is known when they are read.
fn folders(words: &[String]) -> Vec<PathBuf> {
    let mut words = words.iter();
    let mut folders = Vec::new();
    while let Some(word) = words.next() {
        match word.strip_prefix("--queries") {
            Some("") => folders.extend(words.next().map(PathBuf::from)),
            Some(rest) => folders.extend(rest.strip_prefix('=').map(PathBuf::from)),
            None => {}
        }
    }
    folders
}

/// Reads the options behind the name of a report. None if its help was asked for, which is printed then.
fn own_options(
    report: &Report,
    words: &[String],
    show: &mut Show,
) -> Result<Option<Vec<(String, String)>>> {
    let command = command(report);
    let name = format!("ebrec report {}", report.name);
    let words = std::iter::once(&name).chain(words);
    let matches = match command.try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) if error.kind() == clap::error::ErrorKind::DisplayHelp => {
            error.print()?;
            return Ok(None);
        }
        Err(error) => {
            let sentence = crate::usage_sentence(&error.to_string());
            return Err(anyhow!("{sentence}; see `ebrec report {} --help`", report.name));
        }
    };
    let queries = std::mem::take(&mut show.queries);
    let traces = std::mem::take(&mut show.traces);
    show.update_from_arg_matches(&matches)?;
    show.queries = queries;
    show.traces = traces.and(&show.traces);
    let given = report.header.params.iter().filter_map(|param| {
        let text = matches.get_one::<String>(&format!("own-{}", param.name))?;
        Some((param.name.clone(), text.clone()))
    });
    Ok(Some(given.collect()))
}

/// What stands for a value in the help.
fn value_name(param: &analyzer::Param) -> String {
    match param.choices.is_empty() {
        true => param.kind.name().to_uppercase(),
        false => param.choices.join("|"),
    }
}

/// The command line of one report: its header is its help.
fn command(report: &Report) -> Command {
    let header = &report.header;
    let mut command = Show::augment_args(Command::new("ebrec report"))
        .bin_name(format!("ebrec report {}", report.name))
        .no_binary_name(false)
        .about(header.title.clone())
        .long_about(list::about(report))
        .after_help(list::columns(report));
    for param in &header.params {
        let default = match &param.default {
            Some(default) => format!(" (default: {default})"),
            None => String::new(),
        };
        command = command.arg(
            clap::Arg::new(format!("own-{}", param.name))
                .long(param.name.replace('_', "-"))
                .value_name(value_name(param))
                .allow_hyphen_values(true)
                .help_heading("Of this report")
                .help(format!("{}{default}", param.doc.trim_end_matches('.')))
                .display_order(0),
        );
    }
    command
}
