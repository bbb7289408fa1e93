//! Which part of a recording the command line asks for.

use analyzer::{Filter, Moment};
use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;

#[derive(clap::Args, Clone, Debug, Default)]
#[allow(missing_docs, reason = "a comment here would become the help of the command")]
#[command(next_help_heading = "Part of the recording")]
pub struct Part {
    /// Only what began at this time or later: '2026-11-22 17:44:16.5' (UTC), +10s after the first
    /// event, -10s before the last
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    from: Option<Moment>,

    /// Only what began before this time
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    to: Option<Moment>,

    /// Only this process; may be repeated, as may the next ones
    #[arg(short, long = "pid", value_name = "PID", value_parser = clap::value_parser!(i32).range(0..))]
    pids: Vec<i32>,

    /// Only this process and its descendants
    #[arg(long = "tree", value_name = "PID", value_parser = clap::value_parser!(i32).range(0..))]
    trees: Vec<i32>,

    /// Only processes with a thread of this name
    #[arg(long = "comm", value_name = "NAME")]
    comms: Vec<String>,

    /// Only processes whose control group has this in its path
    #[arg(long = "cgroup", value_name = "TEXT")]
    cgroups: Vec<String>,

    /// Only processes in this container: its name, or how its id begins
    #[arg(long = "container", value_name = "NAME")]
    containers: Vec<String>,
}

impl Part {
    /// What it means to the analyzer.
    pub fn filter(&self) -> Filter {
        Filter {
            from: self.from,
            to: self.to,
            pids: self.pids.clone(),
            trees: self.trees.clone(),
            comms: self.comms.clone(),
            cgroups: self.cgroups.clone(),
            containers: self.containers.clone(),
        }
    }
}

/// Reads a moment: a time, or how far it is from the recording's beginning or end.
pub fn parse_moment(text: &str) -> Result<Moment, String> {
    let span = |text: &str| {
        let ns = humantime::parse_duration(text).ok()?.as_nanos();
        i64::try_from(ns).ok()
    };
    let moment = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(after), _) => span(after).map(Moment::AfterStart),
        (_, Some(before)) => span(before).map(Moment::BeforeEnd),
        _ => string_to_timestamp_nanos(text).ok().map(Moment::At),
    };
    moment.ok_or_else(|| {
        "expected a time in UTC such as '2026-11-22 17:44:16.5', +10s or -10s".to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_distance() {
        let check = |text: &str, expected| assert_eq!(parse_moment(text).ok(), expected, "{text}");
        check("1970-01-01 00:00:01", Some(Moment::At(1_000_000_000)));
        check("+1500ms", Some(Moment::AfterStart(1_500_000_000)));
        check("-2m", Some(Moment::BeforeEnd(120_000_000_000)));
        check("10s", None);
        check("+x", None);
    }
}
