//! What is said of what is new: sentences, and SQL for the rows that show it.

use schema::human;

use super::Section;
use super::compare::Fresh;
use super::observe::First;
use crate::statement::text_literal;

/// What a program did, without its name.
pub(super) fn what(section: Section, item: &str, fresh: &Fresh) -> String {
    let is_one = fresh.count == 1;
    let number = grouped(fresh.count);
    let files = match (is_one, item) {
        (true, _) => fresh.first.example.clone(),
        (false, "*") => format!("{number} files"),
        (false, pattern) => format!("{number} files like {pattern}"),
    };
    let named = |one: &str, many: &str, name: &str| match is_one {
        true => format!("{one}{name}"),
        false => format!("{number} {many}"),
    };
    match section {
        Section::Syscalls => {
            let calls = named("the system call ", "system calls", item);
            format!("made {calls}, {}", times(fresh.times))
        }
        Section::Reads => format!("read {files}"),
        Section::Writes => format!("wrote or changed {files}"),
        Section::Looks => format!("looked for {files}"),
        Section::Executes => format!("tried to run {files}"),
        Section::Peers => {
            let mut words = item.splitn(3, ' ');
            let [role, protocol, address] =
                [(); 3].map(|()| words.next().unwrap_or_default().to_string());
            let peers = match (is_one, address.as_str()) {
                (false, "") => format!("{number} peers"),
                (false, address) => format!("{number} peers in {address}"),
                (true, address) => address.to_string(),
            };
            match role.as_str() {
                "client" => format!("connected to {peers} by {protocol}, {}", times(fresh.times)),
                "server" => format!("served {peers} by {protocol}, {}", times(fresh.times)),
                "peer" => {
                    format!("exchanged data with {peers} by {protocol}, {}", times(fresh.times))
                }
                _ => format!("had {peers}"),
            }
        }
        Section::Ports => format!("listened at {}", named("", "places", item)),
        Section::Sockets => {
            let kinds = named("", "kinds of sockets", item);
            format!(
                "asked for {}",
                if is_one { format!("a socket of the kind {kinds}") } else { kinds }
            )
        }
        Section::Children => {
            format!("started {}, {}", named("", "programs", item), times(fresh.times))
        }
        Section::Users => format!("ran as {}", named("user ", "users", item)),
        Section::Capabilities => {
            format!("had {}", named("the capability ", "capabilities", item))
        }
    }
}

/// SQL for the rows that show it.
pub(super) fn evidence(section: Section, item: &str, fresh: &Fresh) -> String {
    let process = of_process(&fresh.first);
    let example = text_literal(&fresh.first.example);
    let is_one = fresh.count == 1;
    let only = |condition: String| if is_one { format!(" AND {condition}") } else { String::new() };
    let (table, condition) = match section {
        Section::Syscalls => (section.name(), only(format!("syscall = {example}"))),
        Section::Sockets => {
            (Section::Syscalls.name(), " AND syscall IN ('socket', 'socketpair')".to_string())
        }
        Section::Reads | Section::Writes | Section::Looks | Section::Executes => (
            "files",
            only(format!("(clean_path(path) = {example} OR clean_path(path2) = {example})")),
        ),
        Section::Peers => ("connections", only(format!("remote_address = {example}"))),
        Section::Ports => ("connections", only(format!("local_address = {example}"))),
        Section::Children => {
            ("process_events", format!(" AND event = 'exec'{}", only(format!("exe = {example}"))))
        }
        Section::Users | Section::Capabilities => {
            ("process_events", " AND event IN ('exec', 'setuid')".to_string())
        }
    };
    debug_assert!(!item.is_empty() || !is_one || example.len() > 1);
    format!("SELECT * FROM {table} WHERE {process}{condition} ORDER BY ts")
}

pub(super) fn of_process(first: &First) -> String {
    let upid = first.upid.map_or("upid IS NULL".to_string(), |upid| format!("upid = {upid}"));
    format!("host = {} AND {upid}", text_literal(&first.host))
}

/// The name of a program in a sentence.
pub(super) fn short(program: &str) -> &str {
    program.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(program)
}

/// What a rate counts.
pub(super) fn unit(rate: &str) -> &'static str {
    match rate {
        "sent_bytes_per_second" => "bytes sent",
        "received_bytes_per_second" => "bytes received",
        "connections_per_second" => "connections",
        _ => "system calls",
    }
}

pub(super) fn count(n: u64, what: &str) -> String {
    let ending = match (n, what.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {what}{ending}", grouped(n))
}

pub(super) fn times(n: u64) -> String {
    match n {
        1 => "once".to_string(),
        n => format!("{} times", grouped(n)),
    }
}

/// Digits in groups of three.
pub(super) fn grouped(n: u64) -> String {
    human::grouped(i64::try_from(n).unwrap_or(i64::MAX))
}
