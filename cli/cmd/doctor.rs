//! `ebrec doctor`: what this machine and user can record.

use std::process::ExitCode;

use recorder::doctor::{State, examine};

/// Say whether this machine can record, and what is missing
///
/// Loads the kernel side and takes it out again; records nothing. The exit code is 1 if recording
/// does not work.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Example:\n  sudo ebrec doctor && sudo ebrec record -d 60s")]
pub struct Args {}

/// Prints what was found, what is missing and what to do about it.
pub fn run(_args: Args) -> anyhow::Result<ExitCode> {
    let checks = examine();
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in &checks {
        let mark = match check.state {
            State::Good => "ok  ",
            State::Degraded => "less",
            State::Bad => "NO  ",
        };
        println!("{mark}  {:width$}  {}", check.name, check.found);
        if let Some(remedy) = &check.remedy {
            println!("      {:width$}  -> {remedy}", "");
        }
    }
    let works = checks.iter().all(|check| check.state != State::Bad);
    println!(
        "\n{}",
        if works {
            "This machine can record."
        } else {
            "This machine cannot record yet: see the lines with NO."
        }
    );
    Ok(if works { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
