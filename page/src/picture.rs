//! The picture of one report, as its header says it is drawn best: what the terminal and the SVG draw.

use std::collections::BTreeMap;

use analyzer::check::Cell;
use analyzer::{Report, Session, Values};
use schema::text::escape;

use crate::error::Error;
use crate::rows::{self, Unit, integer};
use crate::tables::as_number;

/// Rows that a picture is made of, at most.
const ROWS_MAX: usize = 200_000;

/// Bars, and series of lines, that can be told apart.
const BARS_MAX: usize = 40;
const LINES_MAX: usize = 7;

/// What stands for series that are not told apart.
const OTHERS: &str = "(others)";

/// A picture.
#[derive(Debug)]
pub struct Picture {
    /// The title of the report.
    pub title: String,
    /// What is drawn.
    pub drawing: Drawing,
    /// What is left out, in a sentence; empty if nothing is.
    pub note: String,
}

/// What is drawn.
#[derive(Debug)]
pub enum Drawing {
    /// Rows with a bar for each of their values.
    Bars {
        /// Names of the values, with their units.
        values: Vec<(String, Unit)>,
        /// Labels and values.
        bars: Vec<(String, Vec<f64>)>,
    },
    /// Values over time.
    Lines {
        /// The unit of the values.
        unit: Unit,
        /// The first and the last moment, ns.
        span: (i64, i64),
        /// Names and points.
        series: Vec<(String, Vec<(i64, f64)>)>,
    },
    /// How many there are of each time and length.
    Heat {
        /// The first and the last moment, ns.
        span: (i64, i64),
        /// The exponent of two of the shortest length.
        low: u32,
        /// Of each range of lengths, the shortest first, how many there are in each stretch.
        rows: Vec<Vec<u64>>,
    },
    /// Functions, each below the one that called it.
    Flame {
        /// The unit of the weights.
        unit: Unit,
        /// Frames in the order of the tree.
        frames: Vec<Frame>,
    },
}

/// A function of a flame graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Its name.
    pub name: String,
    /// How deep: 0 is everything.
    pub depth: usize,
    /// Where it begins, as a part of everything.
    pub x: f64,
    /// How wide it is.
    pub width: f64,
    /// What it weighs.
    pub weight: f64,
}

/// Stretches of a heat map.
pub const HEAT_COLUMNS: usize = 80;

/// Runs a report and says what its picture is.
pub fn of(session: &Session, report: &Report, values: &Values) -> Result<Picture, Error> {
    let no_picture = || Error::Picture(format!("the report {} has no picture", report.name));
    let plot = report.header.plot.as_ref().ok_or_else(no_picture)?;
    let mut answer = report.run(session, values)?;
    let fields: Vec<(String, bool)> = answer
        .schema()
        .fields()
        .iter()
        .map(|field| (field.name().clone(), field.data_type().is_numeric()))
        .collect();
    let taken = rows::take(&mut answer, ROWS_MAX)?;
    if taken.rows.is_empty() {
        return Err(Error::Picture(format!("the report {} has no rows to draw", report.name)));
    }
    let place = |name: &String| fields.iter().position(|(known, _)| known == name);
    let columns: Vec<usize> = plot.columns.iter().filter_map(place).collect();
    let Some((first, rest)) = columns.split_first() else { return Err(no_picture()) };
    let numbers: Vec<usize> = rest.iter().copied().filter(|column| fields[*column].1).collect();
    let series = rest.iter().copied().find(|column| !fields[*column].1);
    let value = numbers.first().copied();
    let units = |column: usize| (fields[column].0.clone(), Unit::of_name(&fields[column].0));
    let (drawing, left) = match (plot.kind.as_str(), value) {
        ("line", Some(_)) => lines(&taken.rows, *first, &numbers, series, &units),
        ("timeline", Some(length)) => (heat(&taken.rows, *first, length), 0),
        ("flame", Some(weight)) => (flame(&taken.rows, *first, weight, units(weight).1), 0),
        (_, Some(_)) => bars(&taken.rows, *first, &numbers, &units),
        (_, None) => return Err(no_picture()),
    };
    let mut note = Vec::new();
    if left > 0 {
        note.push(format!("{left} more are left out"));
    }
    if taken.total > taken.rows.len() {
        note.push(format!("made of the first {} of {} rows", taken.rows.len(), taken.total));
    }
    Ok(Picture { title: report.header.title.clone(), drawing, note: note.join("; ") })
}

/// A cell as a label.
fn label(cell: &Cell, column: &str) -> String {
    let unit = Unit::of_name(column);
    escape(&rows::show(cell, unit)).into_owned()
}

fn number(cell: &Cell) -> f64 {
    as_number(cell).filter(|value| value.is_finite()).unwrap_or(0.0)
}

fn bars(
    rows: &[Vec<Cell>],
    name: usize,
    numbers: &[usize],
    units: &dyn Fn(usize) -> (String, Unit),
) -> (Drawing, usize) {
    let column = units(name).0;
    let bar = |row: &Vec<Cell>| {
        (label(&row[name], &column), numbers.iter().map(|column| number(&row[*column])).collect())
    };
    let bars = rows.iter().take(BARS_MAX).map(bar).collect();
    let values = numbers.iter().map(|column| units(*column)).collect();
    (Drawing::Bars { values, bars }, rows.len().saturating_sub(BARS_MAX))
}

/// Lines: one for each name and value. Those beyond the largest are added up.
fn lines(
    rows: &[Vec<Cell>],
    ts: usize,
    numbers: &[usize],
    name: Option<usize>,
    units: &dyn Fn(usize) -> (String, Unit),
) -> (Drawing, usize) {
    let mut known: BTreeMap<String, BTreeMap<i64, f64>> = BTreeMap::new();
    for row in rows {
        let Some(at) = integer(&row[ts]) else { continue };
        for column in numbers {
            let value = units(*column).0;
            let series = match name.map(|name| label(&row[name], "")) {
                Some(name) if numbers.len() > 1 => format!("{name}, {value}"),
                Some(name) => name,
                None => value,
            };
            *known.entry(series).or_default().entry(at).or_default() += number(&row[*column]);
        }
    }
    let moments = || known.values().flat_map(|points| points.keys().copied());
    let span = (moments().min().unwrap_or(0), moments().max().unwrap_or(0));
    let mut ranked: Vec<(String, BTreeMap<i64, f64>)> = known.into_iter().collect();
    let size = |points: &BTreeMap<i64, f64>| points.values().sum::<f64>();
    ranked.sort_by(|a, b| size(&b.1).total_cmp(&size(&a.1)).then_with(|| a.0.cmp(&b.0)));
    let rest = ranked.split_off(ranked.len().min(LINES_MAX));
    let mut others: BTreeMap<i64, f64> = BTreeMap::new();
    for (at, value) in rest.iter().flat_map(|(_, points)| points) {
        *others.entry(*at).or_default() += value;
    }
    if !others.is_empty() {
        ranked.push((OTHERS.to_string(), others));
    }
    let series =
        ranked.into_iter().map(|(name, points)| (name, points.into_iter().collect())).collect();
    let unit = numbers.first().map_or(Unit::Count, |column| units(*column).1);
    (Drawing::Lines { unit, span, series }, 0)
}

fn heat(rows: &[Vec<Cell>], at: usize, length: usize) -> Drawing {
    let points = rows.iter().filter_map(|row| {
        let length = integer(&row[length])?.max(1);
        Some((integer(&row[at])?, length.ilog2()))
    });
    let points: Vec<(i64, u32)> = points.collect();
    let first = points.iter().map(|(at, _)| *at).min().unwrap_or(0);
    let last = points.iter().map(|(at, _)| *at).max().unwrap_or(0);
    let low = points.iter().map(|(_, exponent)| *exponent).min().unwrap_or(0);
    let high = points.iter().map(|(_, exponent)| *exponent).max().unwrap_or(0);
    let mut cells = vec![vec![0u64; HEAT_COLUMNS]; (high - low + 1) as usize];
    let span = last.saturating_sub(first).max(1) as f64;
    for (at, exponent) in points {
        let part = at.saturating_sub(first) as f64 / span;
        let column = ((part * HEAT_COLUMNS as f64) as usize).min(HEAT_COLUMNS - 1);
        cells[(exponent - low) as usize][column] += 1;
    }
    Drawing::Heat { span: (first, last), low, rows: cells }
}

/// A function, what it weighs with all below it, and what it called.
#[derive(Default)]
struct Node {
    weight: f64,
    children: BTreeMap<String, Node>,
}

fn flame(rows: &[Vec<Cell>], stack: usize, weight: usize, unit: Unit) -> Drawing {
    let mut root = Node::default();
    for row in rows {
        let weight = number(&row[weight]).max(0.0);
        let mut node = &mut root;
        node.weight += weight;
        for name in rows::text(&row[stack]).unwrap_or("[unknown]").split(';').take(64) {
            node = node.children.entry(escape(name).into_owned()).or_default();
            node.weight += weight;
        }
    }
    let mut frames = Vec::new();
    let all = root.weight.max(f64::MIN_POSITIVE);
    lay_out("all", &root, 0, 0.0, all, &mut frames);
    Drawing::Flame { unit, frames }
}

/// A stack has a bound, and so has this.
fn lay_out(name: &str, node: &Node, depth: usize, x: f64, all: f64, frames: &mut Vec<Frame>) {
    let width = node.weight / all;
    if width < 0.001 && depth > 0 {
        return;
    }
    frames.push(Frame { name: name.to_string(), depth, x, width, weight: node.weight });
    let mut at = x;
    for (name, child) in &node.children {
        lay_out(name, child, depth + 1, at, all, frames);
        at += child.weight / all;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_string())
    }

    #[test]
    fn frames_lie_below_their_callers_and_side_by_side() {
        let rows = [
            vec![text("main;work"), Cell::Integer(30)],
            vec![text("main;idle"), Cell::Integer(10)],
            vec![Cell::Null, Cell::Integer(10)],
        ];
        let Drawing::Flame { frames, .. } = flame(&rows, 0, 1, Unit::Count) else { panic!() };
        let told: Vec<String> = frames
            .iter()
            .map(|frame| {
                format!("{} {} {:.1} {:.1}", frame.depth, frame.name, frame.x, frame.width)
            })
            .collect();
        assert_eq!(
            told,
            [
                "0 all 0.0 1.0",
                "1 [unknown] 0.0 0.2",
                "1 main 0.2 0.8",
                "2 idle 0.2 0.2",
                "2 work 0.4 0.6"
            ]
        );
    }

    #[test]
    fn lengths_are_counted_by_time_and_power_of_two() {
        let rows = [
            vec![Cell::Integer(0), Cell::Integer(1024)],
            vec![Cell::Integer(100), Cell::Integer(2047)],
            vec![Cell::Integer(100), Cell::Integer(8192)],
        ];
        let Drawing::Heat { low, rows, .. } = heat(&rows, 0, 1) else { panic!() };
        assert_eq!((low, rows.len()), (10, 4));
        assert_eq!((rows[0][0], rows[0][HEAT_COLUMNS - 1], rows[3][HEAT_COLUMNS - 1]), (1, 1, 1));
    }
}
