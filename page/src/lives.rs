//! The tree of processes, each with the span of its life on the axis of time.

use analyzer::check::Cell;
use schema::human;

use serde::Serialize;

use crate::axis::Axis;
use crate::rows::{integer, text};
use crate::tables::Table;

/// Processes that are drawn.
const LIVES_MAX: usize = 120;

/// A process.
#[derive(Debug, Serialize)]
pub struct Life {
    /// What it is called: its arguments, else its name.
    pub name: String,
    /// How deep in the tree.
    pub depth: usize,
    /// Its number.
    pub pid: String,
    /// Where its life begins on the axis, in stretches.
    pub x: f64,
    /// How long it is there.
    pub width: f64,
    /// When and how long, in words.
    pub title: String,
    /// Whether it ended in another way than with exit code 0.
    pub is_failed: bool,
    /// The number of the process's name.
    pub who: Option<usize>,
}

/// The rows of the report on the tree of processes; and how many there are besides.
pub fn draw(table: &Table, axis: &Axis) -> Option<(Vec<Life>, usize)> {
    let place = |name: &str| table.columns.iter().position(|column| column.name == name);
    let columns = [
        place("pid")?,
        place("started_ns")?,
        place("duration_ns")?,
        place("ended")?,
        place("process")?,
    ];
    let [pid, started, duration, ended, process] = columns;
    let slots = axis.slots as f64;
    let life = |(row, who): (&Vec<Cell>, &Option<usize>)| {
        // The report counts from the first event on.
        let begin = integer(&row[started]).unwrap_or(0).saturating_sub(axis.shift());
        let length = integer(&row[duration]);
        let end = length.map_or(axis.span(), |length| begin.saturating_add(length));
        let at = |ns: i64| (ns as f64 / axis.width as f64).clamp(0.0, slots);
        let name = text(&row[process]).unwrap_or("?");
        let how = text(&row[ended]);
        let lasted = match length {
            Some(length) => format!("lasted {}", human::duration(length)),
            None => "alive at the end".to_string(),
        };
        let how_text = how.map(|how| format!(", ended with {how}")).unwrap_or_default();
        Life {
            depth: (name.len() - name.trim_start_matches(' ').len()) / 2,
            name: name.trim_start_matches(' ').to_string(),
            pid: integer(&row[pid]).map(|pid| pid.to_string()).unwrap_or_default(),
            x: round(at(begin)),
            width: round((at(end) - at(begin)).max(slots / 800.0)),
            title: format!("began at {}, {lasted}{how_text}", human::duration(begin)),
            is_failed: how.is_some_and(|how| how != "0"),
            who: *who,
        }
    };
    let lives: Vec<Life> = table.rows.iter().zip(&table.who).take(LIVES_MAX).map(life).collect();
    let more = table.total.saturating_sub(lives.len());
    (!lives.is_empty()).then_some((lives, more))
}

/// A place with as many digits as can be seen.
fn round(place: f64) -> f64 {
    (place * 100.0).round() / 100.0
}
