//! The picture of a report in letters, for a terminal: bars, sparklines, a heat map, a tree of functions.

use analyzer::{Report, Session, Values};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Sparkline, Widget};
use schema::human;

use crate::error::Error;
use crate::picture::{self, Drawing, Frame, HEAT_COLUMNS};
use crate::rows::Unit;

/// Letters that a label may take.
const LABEL_MAX: usize = 40;

/// Fewer letters than these leave no room for a picture.
const WIDTH_MIN: usize = 30;

/// Heights of a sparkline.
const SPARK_ROWS: u16 = 2;

/// A function with a smaller share is not told.
const SHARE_MIN: f64 = 0.01;

/// From nothing to most.
const SHADES: [&str; 5] = [" ", "░", "▒", "▓", "█"];

/// Parts of a letter, from an eighth on.
const EIGHTHS: [&str; 8] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];

/// Draws the picture of a report in lines of at most `width` letters.
pub fn draw(
    session: &Session,
    report: &Report,
    values: &Values,
    width: usize,
) -> Result<Vec<String>, Error> {
    let picture = picture::of(session, report, values)?;
    let width = width.max(WIDTH_MIN);
    let mut lines = match &picture.drawing {
        Drawing::Bars { values, bars: rows } => bars(values, rows, width),
        Drawing::Lines { unit, span, series } => sparklines(*unit, *span, series, width),
        Drawing::Heat { span, low, rows } => heat(*span, *low, rows),
        Drawing::Flame { unit, frames } => tree(*unit, frames, width),
    };
    if !picture.note.is_empty() {
        lines.push(picture.note.clone());
    }
    Ok(lines)
}

/// A text in so many letters: cut or filled up.
fn fitted(text: &str, width: usize) -> String {
    let count = text.chars().count();
    match count > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => format!("{text}{}", " ".repeat(width - count)),
    }
}

/// A bar of a part of `width` letters, to an eighth of a letter.
fn bar(part: f64, width: usize) -> String {
    let eighths = (part.clamp(0.0, 1.0) * (width * 8) as f64).round() as usize;
    let mut text = EIGHTHS[7].repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        text.push_str(EIGHTHS[eighths % 8 - 1]);
    }
    // Something is not nothing.
    if text.is_empty() && part > 0.0 {
        text.push_str(EIGHTHS[0]);
    }
    text
}

fn bars(values: &[(String, Unit)], rows: &[(String, Vec<f64>)], width: usize) -> Vec<String> {
    let label = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let label = label.min(LABEL_MAX).min(width / 2);
    let texts = |index: usize| rows.iter().map(move |(_, values)| values[index]);
    let mut lines = Vec::new();
    for (index, (name, unit)) in values.iter().enumerate() {
        let most = texts(index).fold(0.0, f64::max);
        let numbers: Vec<String> = texts(index).map(|value| unit.text(value)).collect();
        let number = numbers.iter().map(|text| text.chars().count()).max().unwrap_or(0);
        let room = width.saturating_sub(label + number + 2).max(1);
        if values.len() > 1 {
            lines.push(format!("{name}:"));
        }
        for ((name, values), text) in rows.iter().zip(&numbers) {
            let part = if most > 0.0 { values[index] / most } else { 0.0 };
            let line = format!("{} {text:>number$} {}", fitted(name, label), bar(part, room));
            lines.push(line.trim_end().to_string());
        }
    }
    lines
}

fn sparklines(
    unit: Unit,
    span: (i64, i64),
    series: &[(String, Vec<(i64, f64)>)],
    width: usize,
) -> Vec<String> {
    let label = series.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let label = label.min(LABEL_MAX).min(width / 3);
    let room = width.saturating_sub(label + 14).max(10);
    let all = series.iter().flat_map(|(_, points)| points.iter().map(|(_, value)| *value));
    let most = all.fold(0.0, f64::max);
    let length = span.1.saturating_sub(span.0).max(1) as f64;
    let mut lines = Vec::new();
    for (name, points) in series {
        let mut columns = vec![0u64; room];
        for (at, value) in points {
            let part = at.saturating_sub(span.0) as f64 / length;
            let column = ((part * room as f64) as usize).min(room - 1);
            // A column has the highest of its values.
            let scaled = (value.max(0.0) / most.max(f64::MIN_POSITIVE) * 1e6) as u64;
            columns[column] = columns[column].max(scaled);
        }
        let area = Rect::new(0, 0, u16::try_from(room).unwrap_or(u16::MAX), SPARK_ROWS);
        let mut buffer = Buffer::empty(area);
        Sparkline::default().data(&columns).max(1_000_000).render(area, &mut buffer);
        let peak = points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        for row in 0..SPARK_ROWS {
            let letters = (0..area.width).map(|column| buffer[(column, row)].symbol());
            let letters: String = letters.collect();
            let (name, peak) = match row {
                0 => (String::new(), format!("{:>12}", unit.text(peak))),
                _ => (name.clone(), String::new()),
            };
            let line = format!("{} {letters} {peak}", fitted(&name, label));
            lines.push(line.trim_end().to_string());
        }
    }
    lines.push(format!(
        "{} {}{:>rest$}",
        " ".repeat(label),
        crate::rows::clock(span.0),
        crate::rows::clock(span.1),
        rest = room.saturating_sub(crate::rows::clock(span.0).len())
    ));
    lines
}

fn heat(span: (i64, i64), low: u32, rows: &[Vec<u64>]) -> Vec<String> {
    let most = rows.iter().flatten().copied().max().unwrap_or(0);
    let shade = |events: u64| {
        let step = crate::heat::shade(events, most) as usize;
        SHADES[step.div_ceil(2).min(SHADES.len() - 1).max(usize::from(events > 0))]
    };
    let mut lines: Vec<String> = rows
        .iter()
        .enumerate()
        .rev()
        .map(|(index, cells)| {
            let from = human::duration(1i64 << (low + index as u32).min(62));
            let cells: String = cells.iter().map(|events| shade(*events)).collect();
            format!("{from:>9} {cells}").trim_end().to_string()
        })
        .collect();
    let length = human::duration(span.1.saturating_sub(span.0));
    lines.push(format!(
        "{:>9} {:<rest$}+{length}",
        "",
        "+0",
        rest = HEAT_COLUMNS.saturating_sub(length.len() + 1)
    ));
    lines
}

fn tree(unit: Unit, frames: &[Frame], width: usize) -> Vec<String> {
    let room = width / 4;
    let told = frames.iter().filter(|frame| frame.width >= SHARE_MIN);
    told.map(|frame| {
        let name = format!("{}{}", " ".repeat(frame.depth.min(width / 3)), frame.name);
        let number = format!("{:>5.1} % {:>9}", 100.0 * frame.width, unit.text(frame.weight));
        let label = width.saturating_sub(number.chars().count() + room + 2);
        let bar = bar(frame.width, room);
        format!("{number} {} {bar}", fitted(&name, label)).trim_end().to_string()
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values() {
        let rows = [
            ("one".to_string(), vec![8.0]),
            ("longer name".to_string(), vec![4.0]),
            ("x".to_string(), vec![0.0]),
        ];
        let lines = bars(&[("calls".to_string(), Unit::Count)], &rows, 30);
        assert_eq!(
            lines,
            ["one         8 ████████████████", "longer name 4 ████████", "x           0"]
        );
    }

    #[test]
    fn lines_keep_their_highest_value() {
        let points = vec![(0, 1.0), (999, 8.0), (1000, 0.0)];
        let lines = sparklines(Unit::Count, (0, 1000), &[("a".to_string(), points)], 30);
        assert_eq!(lines.len(), 3);
        assert!(lines[0].contains('█') && lines[0].ends_with('8'), "{lines:?}");
    }

    #[test]
    fn a_heat_map_has_a_row_for_each_range() {
        let mut rows = vec![vec![0u64; HEAT_COLUMNS]; 2];
        rows[1][0] = 100;
        rows[0][1] = 1;
        let lines = heat((0, 1_000_000_000), 10, &rows);
        assert_eq!(lines[0], "  2.05 µs █");
        assert_eq!(lines[1], "  1.02 µs  ░");
        assert!(lines[2].ends_with("+1.00 s"));
    }
}
