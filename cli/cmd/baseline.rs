//! `ebrec baseline`: what is normal for each program, and sandboxes made of it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use analyzer::baseline::{self, Baseline, Change, Program, Sandbox, Section};
use analyzer::{Session, SessionOptions};
use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::filter::Part;
use crate::output::{self, Column, Long, TableOrJson, write_table};
use crate::text;
use crate::traces;

/// Rows that a table has unless told otherwise.
const ROWS_MAX: usize = 50;

const EXAMPLES: &str = "\
Examples:
  ebrec baseline learn monday/ tuesday/ -o normal.toml
  ebrec baseline show normal.toml --program nginx
  ebrec check --baseline normal.toml -t today/
  ebrec baseline export normal.toml --program nginx --to seccomp -o nginx.json";

/// Learn what is normal for each program, and make sandboxes of it
///
/// A baseline is a file that says of each program which system calls it makes, which files it reads, writes and runs,
/// whom it talks to, where it listens, what it starts, as which users it runs and how much it does in a second. It is
/// learned from recordings in which all was well; `ebrec check --baseline` tells what of another recording is not in it.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    Learn(Learn),
    Merge(Merge),
    Show(Show),
    Diff(Diff),
    Export(Export),
}

const EXAMPLES_OF_LEARN: &str = "\
Examples:
  ebrec record -s processes,syscalls,network -o monday/ --duration 1h
  ebrec baseline learn monday/ -o normal.toml
  ebrec baseline learn monday/ tuesday/ --comm nginx -o nginx.toml";

/// Learn a baseline from recordings in which all was well
///
/// Each trace counts as one recording. Numbers, hashes and made-up names in paths become `*`, as do the names in a folder
/// with many; many addresses in a network become the network. What was lost or left out of a recording is told: a
/// baseline without it takes normal things for new ones.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES_OF_LEARN)]
struct Learn {
    /// Traces to learn from
    #[arg(value_name = "TRACE", required = true)]
    traces: Vec<PathBuf>,

    /// File to write the baseline to
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    part: Part,

    /// Memory that a query may use, in MiB; beyond it, sorts use temporary files
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    memory: usize,
}

/// Put baselines together
///
/// Counts add up, as if all recordings had been learned at once. A recording that is in two of them counts twice, which
/// is told.
#[derive(clap::Args, Debug)]
struct Merge {
    /// Baselines
    #[arg(value_name = "FILE", required = true, num_args = 2..)]
    files: Vec<PathBuf>,

    /// File to write the baseline to
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Show what is in a baseline
#[derive(clap::Args, Debug)]
struct Show {
    /// The baseline
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Show what this program did: its file, or the last part of its name
    #[arg(long, value_name = "PROGRAM")]
    program: Option<String>,

    /// Show only things of this kind, such as `syscalls` or `writes`
    #[arg(long, value_name = "KIND", value_parser = section, requires = "program")]
    only: Option<Section>,

    /// Format
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,

    /// Most rows that --format table shows; 0 for all
    #[arg(long, value_name = "N", default_value_t = ROWS_MAX)]
    rows: usize,
}

/// Tell what is in one baseline and not in another
///
/// Things are compared, and not how often they were seen. What a pattern of the other baseline covers is in it.
#[derive(clap::Args, Debug)]
struct Diff {
    /// The baseline from before
    #[arg(value_name = "BEFORE")]
    before: PathBuf,

    /// The baseline from after
    #[arg(value_name = "AFTER")]
    after: PathBuf,

    /// Format
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,

    /// Most rows that --format table shows; 0 for all
    #[arg(long, value_name = "N", default_value_t = ROWS_MAX)]
    rows: usize,
}

const EXAMPLES_OF_EXPORT: &str = "\
Examples:
  ebrec baseline export normal.toml --program nginx --to seccomp -o nginx.json
  docker run --security-opt seccomp=nginx.json nginx
  ebrec baseline export normal.toml --program nginx --to apparmor -o /etc/apparmor.d/ebrec.nginx
  ebrec baseline export normal.toml --program nginx --to systemd -o /etc/systemd/system/nginx.service.d/sandbox.conf";

/// Make a sandbox of what a program was seen to need
///
/// A draft: what the recordings did not show is forbidden, too. It says what it is made of and what it cannot know. What
/// a program starts runs in its sandbox, so that what those programs need is in it.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES_OF_EXPORT)]
struct Export {
    /// The baseline
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The program: its file, or the last part of its name
    #[arg(long, value_name = "PROGRAM")]
    program: String,

    /// Kind of sandbox
    #[arg(long, value_enum, value_name = "KIND")]
    to: Kind,

    /// Leave out what the programs need that it starts
    #[arg(long)]
    no_children: bool,

    /// Write to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A kind of sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// A filter of system calls for container runtimes: docker, podman, containerd
    Seccomp,
    /// A profile
    Apparmor,
    /// Settings of a service
    Systemd,
}

fn section(text: &str) -> Result<Section, String> {
    Section::by_name(text).ok_or_else(|| {
        format!("expected {}, not \"{text}\"", Section::ALL.map(Section::name).join(", "))
    })
}

/// Does what is asked for with baselines.
pub fn run(args: Args) -> Result<ExitCode> {
    match args.verb {
        Verb::Learn(args) => learn(args),
        Verb::Merge(args) => merge(args),
        Verb::Show(args) => show(args),
        Verb::Diff(args) => diff(args),
        Verb::Export(args) => export(args),
    }
}

fn learn(args: Learn) -> Result<ExitCode> {
    // Learning takes its time; what cannot be written is told before.
    let folder = args.output.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        bail!("cannot write {}: its folder is not there", args.output.display());
    }
    let mut all = Baseline::default();
    for path in &args.traces {
        let options = SessionOptions {
            memory_bytes: args.memory.saturating_mul(1 << 20),
            filter: args.part.filter(),
            ..Default::default()
        };
        let session = Session::open(vec![traces::open_one(path)?], options)?;
        let learned = baseline::learn(&session)
            .with_context(|| format!("cannot learn from {}", path.display()))?;
        let note = |what: &str| {
            let line = format!("{}: {what}", path.display());
            eprintln!("note: {}", text::escape(&line));
        };
        learned.notes.iter().for_each(|lost| note(&lost.to_string()));
        learned.limits.iter().for_each(|limit| note(&limit.to_string()));
        if learned.left_out > 0 {
            note(&format!("{} programs found no room", learned.left_out));
        }
        if learned.baseline.programs.is_empty() {
            note("no program ran");
        }
        all = put_together(all, learned.baseline);
    }
    all.write(&args.output)?;
    eprintln!(
        "{}",
        text::escape(&format!(
            "{}: {} of {}.",
            args.output.display(),
            count(all.programs.len() as u64, "program"),
            count(all.recordings.len() as u64, "recording")
        ))
    );
    Ok(ExitCode::SUCCESS)
}

fn merge(args: Merge) -> Result<ExitCode> {
    let mut all = Baseline::default();
    for path in &args.files {
        all = put_together(all, Baseline::read(path)?);
    }
    all.write(&args.output)?;
    Ok(ExitCode::SUCCESS)
}

/// Two baselines as one. Says which recordings are in both.
fn put_together(one: Baseline, other: Baseline) -> Baseline {
    for recording in other.recordings.iter().filter(|recording| one.recordings.contains(recording))
    {
        let line = format!("the recording {} of {} counts twice", recording.id, recording.host);
        eprintln!("note: {}", text::escape(&line));
    }
    one.merge(other)
}

fn show(args: Show) -> Result<ExitCode> {
    let known = Baseline::read(&args.file)?;
    let names: Vec<&str> = match &args.program {
        Some(name) => known.programs_called(name)?,
        None => known.programs.keys().map(String::as_str).collect(),
    };
    let mut out = output::stdout();
    if args.format == TableOrJson::Json {
        let programs: serde_json::Map<_, _> = names
            .iter()
            .map(|name| (name.to_string(), to_json(&known.programs[*name], args.only)))
            .collect();
        let all = json!({
            "recordings": known.recordings, "recorded": known.recorded, "programs": programs,
        });
        writeln!(out, "{all:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    match args.program {
        None => programs(&known, &names, args.rows, &mut *out)?,
        Some(_) => {
            for name in names {
                let program = &known.programs[name];
                things(name, program, args.only, args.rows, &mut *out)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A row for each program.
fn programs(known: &Baseline, names: &[&str], most: usize, out: &mut dyn Write) -> Result<()> {
    let columns = [
        Column::text("program"),
        Column::number("recordings"),
        Column::number("processes"),
        Column::number("syscalls"),
        Column::number("reads"),
        Column::number("writes"),
        Column::number("peers"),
        Column::number("ports"),
        Column::number("children"),
        Column::number("calls_per_second_p99"),
    ];
    let row = |name: &&str| {
        let program = &known.programs[*name];
        let number = |section| match known.recorded.contains_key(Section::name(section)) {
            true => program.section(section).count().to_string(),
            false => "?".to_string(),
        };
        let rate = program.rates.get("calls_per_second");
        let mut row = vec![
            text::escape(name).into_owned(),
            program.traces.to_string(),
            program.processes.to_string(),
        ];
        row.extend(
            [
                Section::Syscalls,
                Section::Reads,
                Section::Writes,
                Section::Peers,
                Section::Ports,
                Section::Children,
            ]
            .map(number),
        );
        row.push(rate.map_or(String::new(), |rate| rate.quantile(99).to_string()));
        row
    };
    let rows: Vec<Vec<String>> = names.iter().take(limit(most)).map(row).collect();
    write_table(&columns, &rows, Long::Cut, output::terminal_width(), out)?;
    let seconds = known.recordings.iter().fold(0u64, |sum, one| sum.saturating_add(one.seconds));
    let recordings = count(known.recordings.len() as u64, "recording");
    writeln!(out, "\n{} of {recordings}, {seconds} s.", count(names.len() as u64, "program"))?;
    more(names.len(), most, out)
}

/// A row for each thing that a program did.
fn things(
    name: &str,
    program: &Program,
    only: Option<Section>,
    most: usize,
    out: &mut dyn Write,
) -> Result<()> {
    writeln!(
        out,
        "{}: {} in {}",
        text::escape(name),
        count(program.processes, "process"),
        count(program.traces, "recording")
    )?;
    let columns = [
        Column::whole("kind"),
        Column::text("item"),
        Column::number("times"),
        Column::number("processes"),
        Column::number("recordings"),
    ];
    let sections =
        Section::ALL.into_iter().filter(|section| only.is_none_or(|only| only == *section));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for section in sections {
        rows.extend(program.section(section).map(|(item, seen)| {
            vec![
                section.name().to_string(),
                text::escape(item).into_owned(),
                seen.times.to_string(),
                seen.processes.to_string(),
                seen.traces.to_string(),
            ]
        }));
    }
    let all = rows.len();
    rows.truncate(limit(most));
    write_table(&columns, &rows, Long::Cut, output::terminal_width(), out)?;
    more(all, most, out)?;
    if only.is_some() || program.rates.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let columns = [
        Column::whole("rate"),
        Column::number("median"),
        Column::number("p99"),
        Column::number("max"),
        Column::number("seconds"),
    ];
    let rows: Vec<Vec<String>> = program
        .rates
        .iter()
        .map(|(name, rate)| {
            let values = [rate.quantile(50), rate.quantile(99), rate.max(), rate.windows()];
            let mut row = vec![text::escape(name).into_owned()];
            row.extend(values.map(|value| value.to_string()));
            row
        })
        .collect();
    Ok(write_table(&columns, &rows, Long::Cut, output::terminal_width(), out)?)
}

fn to_json(program: &Program, only: Option<Section>) -> serde_json::Value {
    let mut all = serde_json::Map::new();
    all.insert("traces".into(), json!(program.traces));
    all.insert("processes".into(), json!(program.processes));
    for section in
        Section::ALL.into_iter().filter(|section| only.is_none_or(|only| only == *section))
    {
        let items: serde_json::Map<_, _> =
            program.section(section).map(|(item, seen)| (item.to_string(), json!(seen))).collect();
        all.insert(section.name().into(), items.into());
    }
    if only.is_none() {
        all.insert("rates".into(), json!(program.rates));
    }
    all.into()
}

fn diff(args: Diff) -> Result<ExitCode> {
    let changes = baseline::diff(&Baseline::read(&args.before)?, &Baseline::read(&args.after)?);
    let mut out = output::stdout();
    let what = |change: &Change| change.section.map_or("program", Section::name);
    if args.format == TableOrJson::Json {
        let changes: Vec<_> = changes
            .iter()
            .map(|change| {
                json!({"program": change.program, "kind": what(change), "item": change.item,
                       "change": if change.is_new { "new" } else { "gone" }})
            })
            .collect();
        writeln!(out, "{:#}", json!(changes))?;
        return Ok(ExitCode::SUCCESS);
    }
    let columns = [
        Column::whole("change"),
        Column::text("program"),
        Column::whole("kind"),
        Column::text("item"),
    ];
    let rows: Vec<Vec<String>> = changes
        .iter()
        .take(limit(args.rows))
        .map(|change| {
            vec![
                if change.is_new { "new" } else { "gone" }.to_string(),
                text::escape(&change.program).into_owned(),
                what(change).to_string(),
                text::escape(&change.item).into_owned(),
            ]
        })
        .collect();
    if changes.is_empty() {
        writeln!(out, "Both baselines have the same programs, which do the same.")?;
        return Ok(ExitCode::SUCCESS);
    }
    write_table(&columns, &rows, Long::Cut, output::terminal_width(), &mut *out)?;
    more(changes.len(), args.rows, &mut *out)?;
    Ok(ExitCode::SUCCESS)
}

fn export(args: Export) -> Result<ExitCode> {
    let known = Baseline::read(&args.file)?;
    let to = match args.to {
        Kind::Seccomp => Sandbox::Seccomp,
        Kind::Apparmor => Sandbox::AppArmor,
        Kind::Systemd => Sandbox::Systemd,
    };
    let text = baseline::export(&known, &args.program, to, !args.no_children)?;
    match &args.output {
        Some(path) => write(path, &text)?,
        None => output::stdout().write_all(text.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let mut file = output::create(path)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.flush())
        .with_context(|| format!("cannot write {}", path.display()))
}

fn limit(rows: usize) -> usize {
    if rows == 0 { usize::MAX } else { rows }
}

/// Says that there are more rows than were shown.
fn more(all: usize, most: usize, out: &mut dyn Write) -> Result<()> {
    if all > limit(most) {
        writeln!(out, "{most} of {all} rows; --rows 0 shows all.")?;
    }
    Ok(())
}

fn count(n: u64, what: &str) -> String {
    match (n, what) {
        (1, _) => format!("1 {what}"),
        (_, "process") => format!("{n} processes"),
        _ => format!("{n} {what}s"),
    }
}
