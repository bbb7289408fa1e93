//! The head of the page: what was recorded, when, where, for how long, how completely and at what cost.

use analyzer::{Gap, Session, Summary, pictures};
use schema::human;
use store::trace::Ending;

use serde::Serialize;

use crate::axis::Axis;
use crate::clean::Cleaner;
use crate::error::Error;
use crate::rows::{self, integer, text};

/// The head of the page.
#[derive(Debug, Default, Serialize)]
pub struct Headline {
    /// What was recorded, in a few words.
    pub title: String,
    /// Facts: what each is called, and what it is.
    pub facts: Vec<(String, String)>,
    /// How complete the recording is, in a sentence.
    pub completeness: String,
    /// Whether something was lost.
    pub is_lossy: bool,
}

/// Reads it from what traces say about themselves.
pub fn read(
    session: &Session,
    axis: &Axis,
    summary: &Summary,
    cleaner: &Cleaner,
) -> Result<Headline, Error> {
    let mut headline = Headline::default();
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            headline.facts.push((name.to_string(), value));
        }
    };
    let manifests = || session.traces().iter().map(|trace| trace.manifest());
    let command = |words: &Vec<String>| cleaner.secret("argument", &words.join(" "));
    let commands: Vec<String> =
        manifests().filter_map(|known| known.command.as_ref()).map(command).collect();
    let hosts: Vec<String> = {
        let mut hosts: Vec<String> =
            manifests().map(|known| cleaner.secret("host", &known.host)).collect();
        hosts.dedup();
        hosts
    };
    fact(
        "What",
        match commands.is_empty() {
            true => "everything on the machine, unless said otherwise below".to_string(),
            false => commands.join("; "),
        },
    );
    if !axis.is_empty() {
        // To a millisecond: nobody reads more at the head of a page.
        let moment: String = rows::moment(axis.first).chars().take(23).collect();
        fact("When", format!("{moment} UTC"));
        fact("How long", human::duration(axis.span()));
    }
    fact("Where", machines(session, axis, cleaner)?);
    let mut sources: Vec<&str> =
        manifests().flat_map(|known| &known.sources).map(String::as_str).collect();
    sources.sort_unstable();
    sources.dedup();
    fact("Recorded", cleaner.escape(&sources.join(", ")));
    let counts = single(session, axis, "counts")?;
    let count = |index: usize| counts.get(index).and_then(integer);
    let (stored, lost) = (count(0).unwrap_or(0), count(1).unwrap_or(0));
    fact("Events", human::grouped(stored));
    fact("Cost", cost(session, axis)?);
    let endings = session.traces().iter().map(|trace| match trace.ending() {
        Ending::Finished => "",
        Ending::Recording => "still being recorded",
        Ending::Crashed => "the recorder died: nobody knows what came after its last second",
    });
    let endings: Vec<&str> = endings.filter(|text| !text.is_empty()).collect();
    fact("End", endings.join("; "));
    let limits: Vec<String> =
        summary.limits.iter().map(|limit| cleaner.text(&limit.to_string())).collect();
    fact("Left out", limits.join("; "));
    let redactions: Vec<&str> =
        manifests().map(|known| known.redaction.as_str()).filter(|text| *text != "none").collect();
    fact("Redacted when recorded", redactions.join("; "));
    headline.is_lossy = lost > 0;
    let notes = summary.notes.iter().filter(|note| note.gap != Gap::NotRecorded);
    let notes: Vec<String> = notes.map(|note| cleaner.text(&note.to_string())).collect();
    headline.completeness = match (lost, stored) {
        (0, 0) => "There are no events in it.".to_string(),
        (0, _) => "Complete: of what was recorded, no event was lost.".to_string(),
        (lost, stored) => format!(
            "Incomplete: {} of {} events were lost ({:.1} %). Counts and sums are lower bounds. {}",
            human::grouped(lost),
            human::grouped(stored.saturating_add(lost)),
            100.0 * lost as f64 / (stored.saturating_add(lost)).max(1) as f64,
            match notes.is_empty() {
                true => String::new(),
                false => format!("{}.", notes.join("; ")),
            }
        ),
    };
    headline.title = match (commands.first(), hosts.first()) {
        (Some(command), Some(host)) => format!("{} on {host}", short(command)),
        (Some(command), None) => short(command),
        (None, Some(host)) => format!("Recording of {host}"),
        (None, None) => "A recording".to_string(),
    };
    Ok(headline)
}

/// The beginning of a command.
fn short(command: &str) -> String {
    match command.chars().count() > 60 {
        true => command.chars().take(59).chain(['…']).collect(),
        false => command.to_string(),
    }
}

/// The only row of a query of the page.
fn single(session: &Session, axis: &Axis, name: &str) -> Result<Vec<analyzer::check::Cell>, Error> {
    let Some(query) = pictures::by_name(name) else { return Ok(Vec::new()) };
    Ok(rows::all(session, query.sql, axis)?.into_iter().next().unwrap_or_default())
}

fn machines(session: &Session, axis: &Axis, cleaner: &Cleaner) -> Result<String, Error> {
    let Some(query) = pictures::by_name("facts") else { return Ok(String::new()) };
    let mut machines = Vec::new();
    for row in rows::all(session, query.sql, axis)? {
        let [host, os, kernel, arch, cpus] = row.as_slice() else { continue };
        let known = |cell| text(cell).map(|text| cleaner.escape(text)).unwrap_or_default();
        let mut parts = vec![cleaner.secret("host", text(host).unwrap_or("?"))];
        parts.extend([known(os), format!("Linux {}", known(kernel)), known(arch)]);
        parts.extend(integer(cpus).map(|cpus| format!("{cpus} CPUs")));
        parts.retain(|part| !part.is_empty() && part != "Linux ");
        machines.push(parts.join(", "));
    }
    if machines.is_empty() {
        let manifests = session.traces().iter().map(|trace| trace.manifest());
        machines.extend(manifests.map(|known| {
            format!(
                "{}, Linux {}, {}",
                cleaner.secret("host", &known.host),
                cleaner.escape(&known.kernel),
                cleaner.escape(&known.arch)
            )
        }));
    }
    Ok(machines.join("; "))
}

/// What recording cost.
fn cost(session: &Session, axis: &Axis) -> Result<String, Error> {
    let row = single(session, axis, "cost")?;
    let number = |index: usize| row.get(index).and_then(integer);
    let (Some(cpu), Some(duration)) = (number(0), number(1).filter(|ns| *ns > 0)) else {
        return Ok(String::new());
    };
    let mut text = format!(
        "{} of CPU ({:.1} % of one)",
        human::duration(cpu),
        100.0 * cpu as f64 / duration as f64
    );
    if let Some(memory) = number(2).filter(|bytes| *bytes > 0) {
        text = format!("{text}, {} of memory", human::bytes(memory));
    }
    Ok(text)
}
