//! `ebrec synth`: traces with planted truth.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use schema::human;

use crate::output::{self, Column, Long, write_table};

const EXAMPLES: &str = "\
Examples:
  ebrec synth --list
  ebrec synth --scenario leaks --seed 7 -o leaky
  ebrec report leaks -t leaky
  ebrec query -t leaky \"SELECT * FROM truth WHERE fact = 'leaked_bytes'\"";

/// Make up a trace in which the truth is known
///
/// For testing reports, checks and whatever else reads traces. What is planted is in the table `truth`. The same scenario,
/// seed and number of events give the same bytes on every machine.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// What happens in the trace
    #[arg(long, value_name = "NAME", required_unless_present = "list", value_parser = scenarios())]
    scenario: Option<String>,

    /// Another seed gives another trace of the same kind
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Events, about
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(2_000..=2_000_000_000))]
    events: u64,

    /// Share of the events to be lost, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = parse_percent)]
    loss: f64,

    /// Folder of the trace
    #[arg(short, long, value_name = "FOLDER", default_value = "trace")]
    output: PathBuf,

    /// Replace a trace that is there
    #[arg(long)]
    force: bool,

    /// List the scenarios, with what is planted in each
    #[arg(long)]
    list: bool,
}

fn scenarios() -> PossibleValuesParser {
    PossibleValuesParser::new(synth::SCENARIOS.iter().map(|scenario| scenario.name))
}

fn parse_percent(text: &str) -> Result<f64, String> {
    let percent = text.parse().ok().filter(|percent| (0.0..=99.0).contains(percent));
    percent.ok_or_else(|| "expected a number from 0 to 99".to_string())
}

/// Writes the trace.
pub fn run(args: Args) -> Result<ExitCode> {
    let mut out = output::stdout();
    let Some(scenario) = args.scenario.filter(|_| !args.list) else {
        let columns = [Column::whole("scenario"), Column::text("what is planted")];
        let rows: Vec<_> = synth::SCENARIOS
            .iter()
            .map(|scenario| vec![scenario.name.to_string(), scenario.plants.to_string()])
            .collect();
        write_table(&columns, &rows, Long::Wrapped, output::terminal_width(), &mut *out)?;
        return Ok(ExitCode::SUCCESS);
    };
    let options = synth::Options {
        seed: args.seed,
        events: args.events,
        loss_percent: args.loss,
        force: args.force,
        ..synth::Options::new(&scenario)
    };
    let written = synth::write(&args.output, &options)?;
    writeln!(
        out,
        "{}: {} events in {} segments, {} lost, {}; {} facts in the table `truth`",
        args.output.display(),
        written.stored,
        written.segments,
        written.lost,
        human::bytes(i64::try_from(written.bytes).unwrap_or(i64::MAX)),
        written.facts.len()
    )?;
    Ok(ExitCode::SUCCESS)
}
