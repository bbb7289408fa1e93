//! The command `ebrec`: turns errors into exit codes. 0 is success, 1 means that something was
//! found (events lost, a rule that fired), 2 is an error, told in one sentence on standard error.

mod args;
mod cmd;
#[cfg(feature = "analyze")]
mod filter;
mod output;
mod text;
mod traces;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::args::Cli;

#[cfg(feature = "analyze")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match cmd::run(cli) {
        Ok(code) => code,
        // Whoever reads our output has seen enough, as `head` does.
        Err(_) if output::is_pipe_broken() => ExitCode::SUCCESS,
        Err(error) => {
            fail(&sentence(&error));
            ExitCode::from(2)
        }
    }
}

/// An error and its causes in one sentence, each said once: an error may name its cause itself.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = error.to_string();
    for cause in error.chain().skip(1).map(|cause| cause.to_string()) {
        if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}

/// Prints help to standard output, and what is wrong with the arguments as one sentence.
fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
        }
        _ => {
            let verb = verb().unwrap_or_default();
            let mut sentence = usage_sentence(&error.to_string());
            if verb == "record"
                && sentence.starts_with("unexpected argument")
                && !sentence.contains("'-")
            {
                sentence += "; a command to record comes after `--`, as in `ebrec record -- ls`";
            }
            let verb = if verb.is_empty() { verb } else { format!(" {verb}") };
            fail(&format!("{sentence}; see `ebrec help{verb}`"));
        }
    }
    ExitCode::from(2)
}

/// The first paragraph of what the parser of arguments says, and its tips.
fn usage_sentence(text: &str) -> String {
    let first: Vec<&str> =
        text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    let mut sentence = first.join(" ").trim_start_matches("error: ").to_string();
    for tip in text.lines().filter_map(|line| line.trim().strip_prefix("tip: ")) {
        sentence = format!("{sentence}; {tip}");
    }
    sentence
}

/// The verb of arguments that could not be parsed, if they have one.
fn verb() -> Option<String> {
    let matches = Cli::command().ignore_errors(true).try_get_matches().ok()?;
    matches.subcommand_name().map(str::to_string)
}

/// Names and paths in an error may come from a trace: what a terminal would obey is escaped.
fn fail(message: &str) {
    let lines: Vec<String> = message.lines().map(|line| text::escape(line).into_owned()).collect();
    eprintln!("ebrec: {}", lines.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::usage_sentence;

    #[test]
    fn tips_are_part_of_the_sentence() {
        let check = |text, expected| assert_eq!(usage_sentence(text), expected);
        check("error: no\n  [possible values: a]\n\nUsage: x\n", "no [possible values: a]");
        check("error: no 'b'\n\n  tip: try 'c'\n\nUsage: x\n", "no 'b'; try 'c'");
    }
}
