//! One HTML page about a trace, and pictures of single reports.
//!
//! [`make`] asks a session everything once and puts it together: `headline`, `tables` (the reports), `findings`
//! (the checks), `lanes`, `heat`, `flames`, `flow` and `lives` gather what pictures show, on the one `axis` of time
//! and for the processes of `names`; `clean` makes every text of the trace safe to show; `html` is what the template
//! has, `embed` what the script has. A page is one file that loads nothing, runs no script but its own, and is the
//! same for the same trace. [`terminal`] and [`svg`] draw the picture of one report.
//!
//! No table of a trace is named here: what is read are the SQL files of `queries/`.

mod axis;
mod clean;
mod embed;
mod error;
mod findings;
mod flames;
mod flow;
mod headline;
mod heat;
mod html;
mod lanes;
mod lives;
mod names;
mod picture;
mod rows;
pub mod svg;
mod tables;
pub mod terminal;
mod views;

use std::collections::BTreeMap;

use analyzer::check::Checks;
use analyzer::{JOBS, Reports, Session, pictures};

use crate::axis::Axis;
use crate::clean::Cleaner;
use crate::embed::Data;
use crate::names::{Names, Processes};

pub use error::Error;

/// How a page is made.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The traces, as a shell takes them; none for the default.
    pub traces: Vec<String>,
    /// Whether what names people, machines and places is replaced by tokens.
    pub is_redacted: bool,
    /// The version of the program.
    pub version: String,
}

impl Options {
    /// A command of ebrec that reads these traces.
    fn command(&self, words: &str) -> String {
        let traces: Vec<String> = match self.is_redacted && !self.traces.is_empty() {
            // Where a trace lies may say whose it is.
            true => vec![" -t TRACE".to_string()],
            false => self.traces.iter().map(|path| format!(" -t {path}")).collect(),
        };
        let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
        format!("ebrec {verb}{}{}{rest}", traces.concat(), if rest.is_empty() { "" } else { " " })
    }
}

/// A page.
#[derive(Debug)]
pub struct Made {
    /// The file.
    pub html: String,
    /// How much was lost of what it shows, in a sentence; none if nothing was.
    pub lost: Option<String>,
}

/// Makes the page.
pub fn make(
    session: &mut Session,
    reports: &Reports,
    checks: &Checks,
    options: &Options,
) -> Result<Made, Error> {
    let axis = axis(session)?;
    let cleaner = match options.is_redacted {
        true => Cleaner::redacting(session, &axis)?,
        false => Cleaner::plain(),
    };
    for view in pictures::shared() {
        session.keep(view)?;
    }
    let command = |words: &str| options.command(words);
    let summary = analyzer::summary(session);
    let headline = headline::read(session, &axis, &summary, &cleaner)?;

    let processes = Processes::read(session, &axis)?;
    let (raw, lanes_missing) = match axis.is_empty() {
        true => (Vec::new(), Vec::new()),
        false => lanes::read(session, &axis, &processes)?,
    };
    let mut names = Names::rank(&lanes::shares(&raw));
    let lanes: Vec<_> = raw.iter().map(|lane| lanes::finish(lane, &names)).collect();
    let (mut heats, mut flames) = (Vec::new(), Vec::new());
    if !axis.is_empty() {
        heats = heat::read(session, &axis, &processes, &names)?;
        flames = flames::read(session, &axis, &processes, &names, &cleaner)?;
    }
    let mut distributions = heat::distributions(session, &axis)?;

    let index = |name: &str| names.index(name);
    let (mut tables, missing) =
        tables::read(session, reports, &axis, &processes, &index, &command)?;
    tables.iter_mut().for_each(|table| table.clean(&cleaner));
    let findings = findings::read(session, checks, &axis, &names, &cleaner, &command)?;
    names.list.iter_mut().for_each(|name| *name = cleaner.escape(name));

    let mut data = Data::new(&axis, &names.list, &lanes);
    data.flames = &flames;
    data.heats = &heats;
    data.tables = tables
        .iter()
        .map(|table| (table.name.as_str(), table.data(&axis)))
        .collect::<BTreeMap<_, _>>();

    let jobs = jobs(&tables);
    let jobs = jobs.iter().map(|job| {
        let of = |other: &str| other == job;
        let table = |name: &str| tables.iter().find(|table| of(&table.job) && table.name == name);
        let (title, question) = views::job_question(job);
        html::Job {
            id: job.clone(),
            title,
            question,
            flames: flames.iter().filter(|graph| of(&graph.job)).map(views::flame).collect(),
            heats: heats
                .iter()
                .filter(|heat| of(&heat.job))
                .map(|heat| views::heat(heat, &axis))
                .collect(),
            distributions: distributions.extract_if(.., |one| of(&one.job)).collect(),
            flow: table("top_talkers").and_then(flow::draw),
            lives: table("process_tree")
                .and_then(|table| lives::draw(table, &axis))
                .map(|(lives, more)| html::LivesView { height: lives.len() * 20, lives, more }),
            tables: tables.iter().filter(|table| of(&table.job)).map(views::table).collect(),
            missing: views::missing(&missing, job, &cleaner),
        }
    });
    let jobs: Vec<html::Job> = jobs.collect();
    let page = html::Page {
        policy: embed::policy(),
        style: embed::STYLE,
        script: embed::SCRIPT,
        data: embed::json(&data)?,
        headline: &headline,
        remarks: views::remarks(&summary, &tables, &cleaner, &command),
        unknown: views::unknown(&summary, &cleaner),
        lanes: lanes.iter().map(|lane| views::lane(lane, &names, &axis)).collect(),
        lanes_missing: lanes_missing
            .iter()
            .map(|(title, tables)| format!("{title} ({})", tables.join(", ")))
            .collect(),
        has_others: names.list.len() > views::COLOURS
            || raw.iter().any(|lane| !lane.machine.is_empty()),
        slots: axis.slots,
        ticks: views::ticks(&axis),
        width: axis.width_text(),
        marks: views::marks(&findings, &axis),
        legend: names.list.iter().take(views::COLOURS).cloned().zip(0..).collect(),
        names: &names.list,
        doings: views::doings(&lanes, &names),
        findings: &findings,
        jobs,
        is_redacted: options.is_redacted,
        command: options.command("report --html out.html"),
        version: &options.version,
    };
    let html = page.render()?;
    let lost = headline.is_lossy.then_some(headline.completeness);
    Ok(Made { html, lost })
}

/// The axis from the first thing that happened to the last, as far as the session is narrowed to it.
fn axis(session: &Session) -> Result<Axis, Error> {
    let mut bounds = session.bounds()?;
    let origin = session.whole_bounds()?.map_or(0, |(first, _)| first);
    if bounds.is_none() && !session.traces().is_empty() {
        // Segments that do not say what is in them; then the events do.
        let sql = "SELECT CAST(min(ts) AS BIGINT), CAST(max(ts) AS BIGINT) FROM events";
        let ends =
            rows::all(session, sql, &Axis::of(None, 0))?.into_iter().next().unwrap_or_default();
        bounds = ends.first().and_then(rows::integer).zip(ends.get(1).and_then(rows::integer));
    }
    let Some(query) = pictures::by_name("begin") else { return Ok(Axis::of(bounds, origin)) };
    let begin = rows::all(session, query.sql, &Axis::of(None, 0))?;
    let begin = begin.first().and_then(|row| row.first()).and_then(rows::integer);
    let bounds =
        bounds.map(|(first, last)| (begin.unwrap_or(first).clamp(first, last.max(first)), last));
    Ok(Axis::of(bounds, origin))
}

/// All jobs, also those of which nothing was recorded, and then those of a user's folder.
fn jobs(tables: &[tables::Table]) -> Vec<String> {
    let mut jobs: Vec<String> = JOBS.iter().map(|(job, _)| job.to_string()).collect();
    for table in tables {
        if !jobs.contains(&table.job) {
            jobs.push(table.job.clone());
        }
    }
    jobs
}
