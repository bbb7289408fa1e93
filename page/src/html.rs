//! The page as its template has it: everything is text or a number by now.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value};
use serde::Serialize;

use crate::error::Error;
use crate::findings::Findings;
use crate::flow::Flow;
use crate::headline::Headline;
use crate::heat::Distribution;
use crate::lives::Life;

/// The templates: the page, and its parts.
const TEMPLATES: [(&str, &str); 10] = [
    ("page.html", include_str!("../templates/page.html")),
    ("head.html", include_str!("../templates/head.html")),
    ("summary.html", include_str!("../templates/summary.html")),
    ("remark.html", include_str!("../templates/remark.html")),
    ("timeline.html", include_str!("../templates/timeline.html")),
    ("findings.html", include_str!("../templates/findings.html")),
    ("job.html", include_str!("../templates/job.html")),
    ("flame.html", include_str!("../templates/flame.html")),
    ("table.html", include_str!("../templates/table.html")),
    ("about.html", include_str!("../templates/about.html")),
];

/// The page.
#[derive(Serialize)]
pub struct Page<'a> {
    /// The policy on what the page may do.
    pub policy: String,
    /// The style.
    pub style: &'a str,
    /// The script.
    pub script: &'a str,
    /// What the script needs, as JSON that cannot end its element.
    pub data: String,
    /// The head.
    pub headline: &'a Headline,
    /// What stands out.
    pub remarks: Vec<Remark>,
    /// Jobs of which nothing is said, with the reason.
    pub unknown: Vec<String>,
    /// The time line.
    pub lanes: Vec<LaneView>,
    /// Lanes that are not there, with the tables that were not recorded.
    pub lanes_missing: Vec<String>,
    /// Whether there is something that has no colour of its own.
    pub has_others: bool,
    /// Number of stretches.
    pub slots: usize,
    /// Times along the axis.
    pub ticks: Vec<String>,
    /// Length of a stretch.
    pub width: String,
    /// Marks of findings: where, severity, sentence, id.
    pub marks: Vec<Mark>,
    /// Names with a colour, and how much of the lanes they have.
    pub legend: Vec<(String, usize)>,
    /// All names.
    pub names: &'a [String],
    /// What processes did in all.
    pub doings: Doings,
    /// What checks found.
    pub findings: &'a Findings,
    /// One part for each job.
    pub jobs: Vec<Job>,
    /// Whether texts were replaced.
    pub is_redacted: bool,
    /// The command that makes this page.
    pub command: String,
    /// The version that made it.
    pub version: &'a str,
}

impl Page<'_> {
    /// Fills the templates. What is put in is escaped, but for what this crate made itself and marked so.
    pub fn render(&self) -> Result<String, Error> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_filter("prose", prose);
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        for (name, text) in TEMPLATES {
            environment.add_template(name, text)?;
        }
        Ok(environment.get_template("page.html")?.render(Serde(self))?)
    }
}

/// Prose of ebrec's own files as HTML: what stands in backticks is code.
fn prose(text: &str) -> Value {
    let mut html = String::with_capacity(text.len() + 16);
    for (index, part) in text.split('`').enumerate() {
        let escaped = minijinja::HtmlEscape(part);
        match index % 2 {
            0 => html.push_str(&escaped.to_string()),
            _ => html.push_str(&format!("<code>{escaped}</code>")),
        }
    }
    Value::from_safe_string(html)
}

/// Something that stands out.
#[derive(Serialize)]
pub struct Remark {
    /// The job that it is about.
    pub job: String,
    /// What stands out.
    pub sentence: String,
    /// The report that shows more.
    pub report: String,
    /// The command that shows more.
    pub command: String,
    /// How much it matters: high, middle or low.
    pub weight: &'static str,
    /// Whether the report is on the page.
    pub is_here: bool,
}

/// A lane.
#[derive(Serialize)]
pub struct LaneView {
    /// Its id.
    pub id: String,
    /// Title.
    pub title: String,
    /// How to read it.
    pub doc: String,
    /// The highest value, for people.
    pub top: String,
    /// Areas, the highest first: class, path, name.
    pub paths: Vec<(String, String, String)>,
}

/// A mark of a finding.
#[derive(Serialize)]
pub struct Mark {
    /// Where, in stretches.
    pub x: f64,
    /// How much it matters.
    pub severity: &'static str,
    /// What was found.
    pub sentence: String,
    /// The finding.
    pub id: String,
}

/// What processes did in all lanes.
#[derive(Serialize)]
pub struct Doings {
    /// Titles of the columns.
    pub columns: Vec<String>,
    /// Name, colour, and what it did.
    pub rows: Vec<(String, usize, Vec<String>)>,
}

/// One of the jobs.
#[derive(Serialize)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its name.
    pub title: String,
    /// What it asks.
    pub question: String,
    /// Flame graphs.
    pub flames: Vec<FlameView>,
    /// Heat maps.
    pub heats: Vec<HeatView>,
    /// Distributions.
    pub distributions: Vec<Distribution>,
    /// Who talks to whom.
    pub flow: Option<Flow>,
    /// Lives of processes.
    pub lives: Option<LivesView>,
    /// Reports.
    pub tables: Vec<TableView>,
    /// Reports that are not there: one sentence.
    pub missing: Vec<String>,
}

/// The lives of processes.
#[derive(Serialize)]
pub struct LivesView {
    /// The processes.
    pub lives: Vec<Life>,
    /// How many more there are.
    pub more: usize,
    /// Height of the picture.
    pub height: usize,
}

/// A flame graph.
#[derive(Serialize)]
pub struct FlameView {
    /// Its id.
    pub id: String,
    /// Title.
    pub title: String,
    /// Height.
    pub height: usize,
    /// The weight of all.
    pub total: String,
    /// Rectangles.
    pub frames: Vec<FrameView>,
    /// What is left out, in a sentence.
    pub note: String,
}

/// A frame.
#[derive(Serialize)]
pub struct FrameView {
    /// Where.
    pub x: String,
    /// How deep.
    pub y: usize,
    /// How wide.
    pub width: String,
    /// Its colour.
    pub class: u32,
    /// Its name as far as there is room.
    pub label: String,
    /// Its name and what it weighs.
    pub title: String,
}

/// A heat map.
#[derive(Serialize)]
pub struct HeatView {
    /// Its id.
    pub id: String,
    /// Title.
    pub title: String,
    /// How to read it.
    pub doc: String,
    /// Stretches.
    pub columns: usize,
    /// Ranges.
    pub rows: u32,
    /// Cells: where, shade, what.
    pub cells: Vec<(u64, u64, u32)>,
    /// The ranges, the longest first.
    pub labels: Vec<String>,
}

/// A table.
#[derive(Serialize)]
pub struct TableView {
    /// The report.
    pub name: String,
    /// Title.
    pub title: String,
    /// The question that it answers.
    pub question: String,
    /// How to read it.
    pub doc: String,
    /// What the answer does not say.
    pub caveats: Vec<String>,
    /// The command.
    pub command: String,
    /// The query.
    pub sql: String,
    /// What it lacks.
    pub notes: Vec<String>,
    /// Columns.
    pub columns: Vec<ColumnView>,
    /// Rows.
    pub rows: Vec<Vec<CellView>>,
    /// Rows on the page.
    pub here: usize,
    /// Rows there are.
    pub total: usize,
    /// Whether it is open.
    pub is_open: bool,
    /// Whether a choice of time changes it.
    pub has_time: bool,
    /// Whether a choice of a process changes it.
    pub has_who: bool,
    /// Whether a bar is beside its numbers.
    pub picture: bool,
}

/// The head of a column.
#[derive(Serialize)]
pub struct ColumnView {
    /// Its name.
    pub name: String,
    /// Its name without the unit.
    pub label: String,
    /// What it means.
    pub doc: String,
    /// Whether its values stand at the right.
    pub is_number: bool,
}

/// A cell.
#[derive(Serialize)]
pub struct CellView {
    /// What it shows.
    pub text: String,
    /// Its exact value, where that is something else.
    pub title: String,
    /// How long its bar is, in hundredths.
    pub bar: Option<String>,
    /// Whether it stands at the right.
    pub is_number: bool,
}
