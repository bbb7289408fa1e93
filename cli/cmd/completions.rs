//! `ebrec completions`: a completion script for a shell.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::output;

const EXAMPLES: &str = "\
Examples:
  source <(ebrec completions bash)
  ebrec completions zsh > ~/.zfunc/_ebrec
  ebrec completions fish > ~/.config/fish/completions/ebrec.fish";

/// Print a completion script for a shell
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::args::Cli::command(), "ebrec", &mut script);
    output::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
