//! What was gathered, as the template has it: a lane as shapes, a flame graph as frames, a table as cells.

use analyzer::check::Cell;
use analyzer::{JOBS, Summary};

use crate::axis::Axis;
use crate::clean::Cleaner;
use crate::findings::Findings;
use crate::flames::Graph;
use crate::heat::{Heat, shade};
use crate::lanes::{Lane, Series};
use crate::names::{MACHINE, Names, OTHERS};
use crate::rows::{Unit, show};
use crate::tables::{Missing, Table, as_number};

use crate::html::{
    CellView, ColumnView, Doings, FlameView, FrameView, HeatView, LaneView, Mark, Remark, TableView,
};

/// Names that have a colour of their own.
pub const COLOURS: usize = 7;

/// Rows of a table that are there without the script.
const ROWS_STATIC: usize = 10;

/// Height of a frame of a flame graph.
const FRAME: usize = 18;

/// Width of a flame graph in its own units.
const FLAME_WIDTH: f64 = 1200.0;

/// Width of a letter in a flame graph.
const LETTER: f64 = 6.6;

/// The value of a lane as a rate: what people compare.
pub fn rate(lane: &Lane, value: i64, width: i64) -> String {
    let per_second = value as f64 * 1e9 / width as f64;
    match lane.unit.as_str() {
        "ns" => format!("{:.2} {}", value as f64 / width as f64, lane.rate),
        "bytes" if lane.level => Unit::Bytes.text(value as f64),
        "bytes" => Unit::BytesPerSecond.text(per_second),
        unit if per_second >= 10.0 => format!("{} {unit}/s", Unit::Count.text(per_second.round())),
        unit => format!("{per_second:.1} {unit}/s"),
    }
}

/// A value of a lane as it is.
pub fn exact(unit: &str, value: i64) -> String {
    match unit {
        "ns" => Unit::Ns.text(value as f64),
        "bytes" => Unit::Bytes.text(value as f64),
        _ => Unit::Count.text(value as f64),
    }
}

/// A lane with its areas.
pub fn lane(lane: &Lane, names: &Names, axis: &Axis) -> LaneView {
    let mut sums = vec![0i64; axis.slots];
    let mut areas = Vec::new();
    // The first names at the bottom; each area reaches down to the bottom, and those in front cover it.
    let main = |series: &&Series| !series.minor;
    let grouped = |colour: usize| {
        lane.series.iter().filter(main).filter(move |series| series.name.min(COLOURS) == colour)
    };
    for colour in 0..=COLOURS {
        let mut is_any = false;
        for series in grouped(colour) {
            is_any = true;
            for point in series.points.chunks_exact(3) {
                let slot = axis.slot(point[0]);
                sums[slot] = sums[slot].saturating_add(point[1]);
            }
        }
        if is_any {
            let name = match colour {
                COLOURS if lane.series.iter().any(|series| series.name == MACHINE) => {
                    "the machine".to_string()
                }
                COLOURS => "others".to_string(),
                colour => names.list.get(colour).cloned().unwrap_or_default(),
            };
            areas.push((format!("c{colour}"), area(&sums, lane.top), name));
        }
    }
    areas.reverse();
    let mut minor = vec![0i64; axis.slots];
    for point in lane
        .series
        .iter()
        .filter(|series| series.minor)
        .flat_map(|series| series.points.chunks_exact(3))
    {
        let slot = axis.slot(point[0]);
        minor[slot] = minor[slot].saturating_add(point[1]);
    }
    if minor.iter().any(|value| *value > 0) {
        areas.push((
            "minor".to_string(),
            area(&minor, lane.top),
            lane.minor.clone().unwrap_or_default(),
        ));
    }
    LaneView {
        id: lane.id.clone(),
        title: lane.title.clone(),
        doc: lane.doc.clone(),
        top: rate(lane, lane.top, axis.width),
        paths: areas,
    }
}

/// Steps from the bottom of a picture that is 100 high.
fn area(values: &[i64], top: i64) -> String {
    let mut path = String::new();
    let height = |value: i64| (1000.0 * (1.0 - value as f64 / top.max(1) as f64)).round() / 10.0;
    let mut last = 100.0;
    for (slot, value) in values.iter().enumerate() {
        let y = height(*value);
        if y != last {
            if path.is_empty() {
                path.push_str(&format!("M{slot} 100"));
            } else {
                path.push_str(&format!("H{slot}"));
            }
            path.push_str(&format!("V{y}"));
            last = y;
        }
    }
    if !path.is_empty() {
        path.push_str(&format!("H{}V100Z", values.len()));
    }
    path
}

/// Times along the axis, relative to its beginning.
pub fn ticks(axis: &Axis) -> Vec<String> {
    const TICKS: i64 = 6;
    let whole = axis.width.saturating_mul(i64::try_from(axis.slots).unwrap_or(0));
    (0..=TICKS).map(|tick| format!("+{}", Unit::Ns.text((whole / TICKS * tick) as f64))).collect()
}

/// Marks of the findings that have a moment.
pub fn marks(findings: &Findings, axis: &Axis) -> Vec<Mark> {
    let of =
        findings.found.iter().flat_map(|found| found.findings.iter().map(move |one| (found, one)));
    of.filter_map(|(found, one)| {
        Some(Mark {
            x: round((one.at? as f64 / axis.width as f64).clamp(0.0, axis.slots as f64)),
            severity: found.severity,
            sentence: one.sentence.clone(),
            id: one.id.clone(),
        })
    })
    .collect()
}

/// A place with as many digits as can be seen.
fn round(place: f64) -> f64 {
    (place * 100.0).round() / 100.0
}

/// What processes did in all lanes, those first that have a line of their own.
pub fn doings(lanes: &[Lane], names: &Names) -> Doings {
    let lanes: Vec<&Lane> = lanes.iter().filter(|lane| lane.id != "lost").collect();
    let total = |lane: &Lane, name: usize| {
        let values = lane.series.iter().filter(|series| series.name == name && !series.minor);
        let values = values.flat_map(|series| series.points.chunks_exact(3).map(|point| point[1]));
        match lane.level {
            true => values.max().unwrap_or(0),
            false => values.fold(0i64, i64::saturating_add),
        }
    };
    let row = |name: usize| {
        let values: Vec<i64> = lanes.iter().map(|lane| total(lane, name)).collect();
        let is_any = values.iter().any(|value| *value != 0);
        let texts = values.iter().zip(&lanes).map(|(value, lane)| match value {
            0 => "–".to_string(),
            value => exact(&lane.unit, *value),
        });
        let label = names.list.get(name).filter(|_| name < OTHERS);
        let other = if name == MACHINE { "(the machine)" } else { "(others)" };
        is_any.then(|| {
            (
                label.cloned().unwrap_or_else(|| other.to_string()),
                name.min(COLOURS),
                texts.collect(),
            )
        })
    };
    Doings {
        columns: lanes.iter().map(|lane| lane.title.clone()).collect(),
        rows: (0..=MACHINE).filter_map(row).collect(),
    }
}

/// A heat map with its cells.
pub fn heat(heat: &Heat, axis: &Axis) -> HeatView {
    let sums = heat.sums();
    let most = sums.values().copied().max().unwrap_or(0);
    let top = u64::from(heat.ranges.saturating_sub(1));
    HeatView {
        id: heat.id.clone(),
        title: heat.title.clone(),
        doc: heat.doc.clone(),
        columns: axis.coarse_slots(),
        rows: heat.ranges,
        cells: sums
            .iter()
            .map(|((slot, range), events)| (*slot, top - (*range).min(top), shade(*events, most)))
            .collect(),
        labels: heat.labels(),
    }
}

/// A flame graph with its rectangles.
pub fn flame(graph: &Graph) -> FlameView {
    let deepest = graph.drawn().iter().map(|drawn| drawn.depth).max().unwrap_or(0);
    let total = graph.total();
    let frames = graph.drawn().iter().map(|drawn| {
        let width = drawn.width * FLAME_WIDTH;
        let room = (width / LETTER) as usize;
        let name = graph.name(drawn.node);
        let label = match name.chars().count() {
            _ if room < 4 => String::new(),
            count if count > room => name.chars().take(room - 1).chain(['…']).collect(),
            _ => name.to_string(),
        };
        let percent = 100.0 * drawn.weight as f64 / total.max(1) as f64;
        FrameView {
            x: format!("{:.1}", drawn.x * FLAME_WIDTH),
            y: drawn.depth * FRAME,
            width: format!("{:.1}", (width - 0.5).max(0.3)),
            class: hue(name),
            label,
            title: format!("{name}: {} ({percent:.1} %)", exact(&graph.unit, drawn.weight)),
        }
    });
    let mut notes = Vec::new();
    if graph.hidden() > 0 {
        notes.push(format!("{} frames are too narrow to be drawn", graph.hidden()));
    }
    if graph.more > 0 {
        notes.push(format!("the {} stacks that weigh least are told as one", graph.more));
    }
    if graph.without > 0 {
        notes.push(format!("{} without a stack is left out", exact(&graph.unit, graph.without)));
    }
    FlameView {
        id: graph.id.clone(),
        title: graph.title.clone(),
        height: (deepest + 1) * FRAME,
        total: exact(&graph.unit, total),
        frames: frames.collect(),
        note: notes.join("; "),
    }
}

/// The shade of a function: the same wherever it is called.
pub fn hue(name: &str) -> u32 {
    if name == "all" {
        return 6;
    }
    name.bytes().fold(7u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte))) % 6
}

/// A table with the rows that are there without the script.
pub fn table(table: &Table) -> TableView {
    let columns = table.columns.iter().map(|column| ColumnView {
        name: column.name.clone(),
        label: column.label.clone(),
        doc: column.doc.clone(),
        is_number: column.unit.is_number(),
    });
    let row = |row: &Vec<Cell>| {
        let cells = row.iter().zip(&table.columns);
        cells
            .map(|(cell, column)| {
                let bar = as_number(cell).filter(|_| column.is_bar && column.max > 0.0);
                CellView {
                    text: show(cell, column.unit),
                    title: title(cell, column.unit),
                    bar: bar.map(|value| format!("{:.1}", 100.0 * value.max(0.0) / column.max)),
                    is_number: column.unit.is_number(),
                }
            })
            .collect()
    };
    TableView {
        name: table.name.clone(),
        title: table.title.clone(),
        question: table.question.clone(),
        doc: table.doc.clone(),
        caveats: table.caveats.clone(),
        command: table.command.clone(),
        sql: table.sql.clone(),
        notes: table.notes.clone(),
        columns: columns.collect(),
        rows: table.rows.iter().take(ROWS_STATIC).map(row).collect(),
        here: table.rows.len(),
        total: table.total,
        is_open: table.is_open,
        has_time: table.when.is_some(),
        has_who: table.who.iter().any(Option::is_some),
        picture: table.columns.iter().any(|column| column.is_bar),
    }
}

/// The exact value of a cell, where what is shown was rounded.
fn title(cell: &Cell, unit: Unit) -> String {
    match (cell, unit) {
        (Cell::Integer(n), Unit::Ns) if n.unsigned_abs() >= 1_000 => format!("{n} ns"),
        (Cell::Integer(n), Unit::Bytes) if n.unsigned_abs() >= 1_024 => format!("{n} B"),
        (Cell::Moment(ns), _) => format!("{} UTC", crate::rows::moment(*ns)),
        _ => String::new(),
    }
}

/// What stands out.
pub fn remarks(
    summary: &Summary,
    tables: &[Table],
    cleaner: &Cleaner,
    command: &dyn Fn(&str) -> String,
) -> Vec<Remark> {
    let remark = |remark: &analyzer::Remark| {
        let options = match remark.options.is_empty() {
            true => String::new(),
            false => format!(" {}", remark.options),
        };
        Remark {
            job: remark.job.clone(),
            sentence: cleaner.text(&remark.sentence),
            command: cleaner.text(&command(&format!("report {}{options}", remark.report))),
            weight: match remark.score {
                score if score >= 60.0 => "high",
                score if score >= 25.0 => "middle",
                _ => "low",
            },
            is_here: tables.iter().any(|table| table.name == remark.report),
            report: remark.report.clone(),
        }
    };
    summary.remarks.iter().map(remark).collect()
}

/// Why nothing is said of some jobs.
pub fn unknown(summary: &Summary, cleaner: &Cleaner) -> Vec<String> {
    let unknown = summary.unknown.iter().map(|(job, tables)| {
        format!("Not looked at for {job}, since it was not recorded: {}.", tables.join(", "))
    });
    let failed = summary
        .failed
        .iter()
        .map(|(job, error)| format!("{job}: {}.", cleaner.text(&error.to_string())));
    unknown.chain(failed).collect()
}

/// The sentences for reports that are not there: one for each reason.
pub fn missing(missing: &[Missing], job: &str, cleaner: &Cleaner) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for one in missing.iter().filter(|one| one.job == job) {
        match reasons.iter_mut().find(|(why, _)| *why == one.why) {
            Some((_, titles)) => titles.push(&one.title),
            None => reasons.push((&one.why, vec![&one.title])),
        }
    }
    let sentence = |(why, titles): &(&str, Vec<&str>)| {
        format!("Not here: {} ({}).", titles.join(", "), cleaner.text(why))
    };
    reasons.iter().map(sentence).collect()
}

/// What a job is called and asks; also of reports in a user's folder.
pub fn job_question(job: &str) -> (String, String) {
    let question =
        JOBS.iter().find(|(known, _)| *known == job).map_or("", |(_, question)| question);
    let mut letters = job.chars();
    let title = letters.next().map(|first| first.to_uppercase().chain(letters).collect());
    (title.unwrap_or_default(), question.to_string())
}
