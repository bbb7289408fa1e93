//! `ebrec check`: does the trace show abuse, intrusion or faults?

mod list;
mod machine;
mod page;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use analyzer::baseline::Baseline;
use analyzer::check::{
    Check, CheckResult, Checks, Normal, Seen, Severity, Suppressions, Verdict, run as run_checks,
};
use analyzer::{Session, SessionOptions};
use anyhow::{Context, Result, anyhow, bail};

use crate::filter::Part;
use crate::output;
use crate::text;
use crate::traces::{self, Traces};

/// Findings of a check that are shown unless told otherwise.
const FINDINGS_SHOWN: usize = 5;

const EXAMPLES: &str = "\
Examples:
  ebrec check                          all checks
  ebrec check reverse_shell port_scan  some of them
  ebrec check --technique T1059        those about a technique of ATT&CK, or its parts
  ebrec check --fail-on high --format sarif -o findings.sarif
  ebrec check --baseline normal.toml   what programs did that they never did before, too
  ebrec check --about reverse_shell    what one looks for, and what else looks like it
  while sleep 10; do ebrec check --since-last; done
                                       what is new in a trace that is being recorded

A check that could not see enough, because a table was not recorded or events were lost, says `cannot
tell`, never `clean`. A file for --suppressions has rules such as

  [[suppress]]
  check = \"exec_from_temp\"
  where = { exe = \"/tmp/build-*\" }
  reason = \"our builds run what they made\"
  expires = \"2027-06-30\"

Exit code: 0 without findings at or above --fail-on, 1 with some (or, with --strict, when a check
cannot tell), 2 on an error.";

/// Look for abuse, intrusion and faults
///
/// A check is an SQL file whose rows are findings; `ebrec check --list` lists them, and a folder given with --rules
/// adds your own. A finding is told with its process and what that descends from, and with the command that shows more.
/// It says what was seen, not what was meant: each check tells what harmless things look the same.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Checks to make (default: all)
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    #[command(flatten)]
    traces: Traces,

    /// Only checks of this severity or a higher one: info, low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    severity: Option<Severity>,

    /// Only checks about this technique of ATT&CK, such as T1059 or T1059.004; may be repeated
    #[arg(long = "technique", value_name = "ID")]
    techniques: Vec<String>,

    /// Exit with 1 when something of this severity or a higher one is found
    #[arg(long, value_name = "SEVERITY", default_value = "medium", value_parser = severity)]
    fail_on: Severity,

    /// Exit with 1 when a check cannot tell
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    part: Part,

    /// Format of the findings
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Write the findings to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Show all findings of each check, instead of 5
    #[arg(long)]
    all: bool,

    /// In tables, show the SQL for the rows that prove each finding
    #[arg(long)]
    evidence: bool,

    /// File with findings to live with, each with a reason and a day on which that ends
    #[arg(long, value_name = "FILE")]
    suppressions: Option<PathBuf>,

    /// Tell, too, what programs did that is not in this file of `ebrec baseline learn`
    #[arg(long, value_name = "FILE", conflicts_with = "since_last")]
    baseline: Option<PathBuf>,

    /// Tell only what is new since the last call with this option
    #[arg(long)]
    since_last: bool,

    /// Where --since-last keeps what was told (default: a file for each trace below ~/.local/state/ebrec)
    #[arg(long, value_name = "FILE", requires = "since_last")]
    state: Option<PathBuf>,

    /// Set a parameter of a check; may be repeated
    #[arg(long = "set", value_name = "CHECK.PARAM=VALUE")]
    sets: Vec<String>,

    /// Folder with checks of your own; may be repeated
    #[arg(long, value_name = "FOLDER", env = "EBREC_RULES", value_delimiter = ':')]
    rules: Vec<PathBuf>,

    /// List the checks
    #[arg(long, conflicts_with_all = ["about", "lint"])]
    list: bool,

    /// Tell what the checks say about themselves
    #[arg(long, conflicts_with = "lint")]
    about: bool,

    /// Check the headers of the checks in --rules, or of all
    #[arg(long)]
    lint: bool,

    /// Memory that a check may use, in MiB; beyond it, sorts use temporary files
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    memory: usize,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Lines for people
    Table,
    /// One JSON object
    Json,
    /// JSON, a line per finding, then one per check
    Ndjson,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// The reference page, with --list
    Markdown,
}

fn severity(text: &str) -> std::result::Result<Severity, String> {
    text.parse()
}

/// Makes the checks, or tells which there are.
pub fn run(args: Args, before: &Traces) -> Result<ExitCode> {
    let checks = Checks::load(&args.rules)?;
    let chosen = choose(&checks, &args)?;
    if args.lint {
        return list::lint(&checks, &chosen, !args.rules.is_empty());
    }
    for error in &checks.broken {
        eprintln!("note: {}", text::escape(&error.to_string()));
    }
    if args.list || args.about {
        return list::print(&chosen, args.format, args.about);
    }
    if args.format == Format::Markdown {
        bail!("findings are written as table, json, ndjson or sarif");
    }
    let given = parameters(&chosen, &args.sets)?;
    let mut suppressions = match &args.suppressions {
        Some(path) => Suppressions::read(path, &checks, now()?)?,
        None => Suppressions::default(),
    };
    let normal = args.baseline.as_deref().map(Baseline::read).transpose()?.map(Normal::new);
    let paths = args.traces.paths(before);
    let options = SessionOptions {
        memory_bytes: args.memory.saturating_mul(1 << 20),
        filter: args.part.filter(),
        ..Default::default()
    };
    let mut session = Session::open(traces::open(&paths)?, options)?;
    let mut seen = args.since_last.then(|| read_state(&session, &args)).transpose()?;
    let seen_so_far = seen.as_mut().map(|(_, seen)| seen);
    let mut results = run_checks(&mut session, &chosen, &given, &mut suppressions, seen_so_far)?;
    if let Some(normal) = &normal {
        results.extend(normal.look(&session, &mut suppressions)?);
        results.sort_by_key(|result| std::cmp::Reverse(result.check.severity));
    }
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let told = Told {
        results: &results,
        traces: &names,
        typed: before.and(&args.traces).typed(),
        remarks: suppressions.remarks(),
        most: if args.all { usize::MAX } else { FINDINGS_SHOWN },
        has_evidence: args.evidence,
    };
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(output::create(path)?),
        None => output::stdout(),
    };
    match args.format {
        Format::Table => page::print(&session, &told, args.output.is_none(), &mut *out)?,
        Format::Json => machine::json(&told, &mut *out)?,
        Format::Ndjson => machine::ndjson(&told, &mut *out)?,
        Format::Sarif => machine::sarif(&told, &mut *out)?,
        Format::Markdown => {}
    }
    out.flush().context("cannot write the findings")?;
    // What could not be told is told again by the next call.
    if let Some((path, seen)) = seen {
        seen.write(&path)?;
    }
    let is_found = results.iter().any(|result| result.is_at_least(args.fail_on));
    let is_unsure = args.strict
        && results.iter().any(|result| matches!(result.verdict, Verdict::CannotTell(_)));
    let failed = results.iter().find_map(|result| match &result.verdict {
        Verdict::Failed(reason) => Some((result.check.name(), reason)),
        _ => None,
    });
    if let Some((name, reason)) = failed {
        bail!("the check {name} failed: {reason}");
    }
    Ok(if is_found || is_unsure { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// What is to be told, and how.
struct Told<'a> {
    results: &'a [CheckResult<'a>],
    traces: &'a [String],
    /// The traces as a shell takes them.
    typed: Vec<String>,
    /// On suppressions.
    remarks: Vec<String>,
    /// Findings of a check that a page shows.
    most: usize,
    has_evidence: bool,
}

impl Told<'_> {
    /// A command of a finding, for the traces that were looked at.
    fn command(&self, next: &str) -> String {
        let traces: Vec<String> = self.typed.iter().map(|path| format!(" -t {path}")).collect();
        match next.strip_prefix("ebrec ") {
            Some(rest) => format!("ebrec{} {rest}", traces.concat()),
            None => next.to_string(),
        }
    }

    /// The command that shows the rows which prove a finding.
    fn query(&self, evidence: &str) -> String {
        self.command(&format!("ebrec query {}", analyzer::check::shell_word(evidence)))
    }
}

/// The checks that the command line asks for.
fn choose<'a>(checks: &'a Checks, args: &Args) -> Result<Vec<&'a Check>> {
    let mut chosen: Vec<&Check> = match args.names.is_empty() {
        true => checks.all().collect(),
        false => args.names.iter().map(|name| checks.get(name)).collect::<Result<_, _>>()?,
    };
    chosen.retain(|check| args.severity.is_none_or(|severity| check.severity >= severity));
    let is_about = |check: &&Check, id: &String| {
        check.techniques.iter().any(|known| {
            known
                .strip_prefix(id.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    chosen.retain(|check| {
        args.techniques.is_empty() || args.techniques.iter().any(|id| is_about(check, id))
    });
    if chosen.is_empty() {
        bail!("no check is of that kind; `ebrec check --list` lists them");
    }
    Ok(chosen)
}

/// The values that --set gives to each check.
fn parameters(
    chosen: &[&Check],
    sets: &[String],
) -> Result<BTreeMap<String, Vec<(String, String)>>> {
    let mut given: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for set in sets {
        let (name, value) = set
            .split_once('=')
            .ok_or_else(|| anyhow!("--set {set}: expected CHECK.PARAM=VALUE"))?;
        let (check, param) = name
            .split_once('.')
            .ok_or_else(|| anyhow!("--set {set}: expected CHECK.PARAM=VALUE"))?;
        let known = chosen
            .iter()
            .find(|known| known.name() == check)
            .ok_or_else(|| anyhow!("--set {set}: the check {check} is not among those made"))?;
        let param = param.replace('-', "_");
        let pair = [(param.clone(), value.to_string())];
        known.report.values(&pair).map_err(|error| anyhow!("--set {set}: {error}"))?;
        given.entry(check.to_string()).or_default().push((param, value.to_string()));
    }
    Ok(given)
}

/// What was told of the traces, and the file that says so.
fn read_state(session: &Session, args: &Args) -> Result<(PathBuf, Seen)> {
    let ids: Vec<String> =
        session.traces().iter().map(|trace| trace.manifest().id.clone()).collect();
    let path = match &args.state {
        Some(path) => path.clone(),
        None => {
            let base = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
            let home =
                || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
            let base = base.filter(|path| path.is_absolute()).or_else(home);
            let base = base.ok_or_else(|| anyhow!("HOME is not set; name a file with --state"))?;
            let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
            let mut name: String = ids.join("+").chars().map(safe).collect();
            name.truncate(200);
            base.join("ebrec").join(format!("check-{name}.json"))
        }
    };
    let seen = Seen::read(&path, ids)?;
    Ok((path, seen))
}

/// Nanoseconds since 1970.
fn now() -> Result<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    i64::try_from(since.as_nanos()).context("the clock is too far ahead")
}
