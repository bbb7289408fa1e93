//! The picture of a report as one SVG.

use analyzer::{Report, Session, Values};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::error::Error;
use crate::picture::{self, Drawing, Frame, Picture};
use crate::rows::{Unit, clock};
use crate::views::hue;

/// Width of the picture.
const WIDTH: u32 = 1000;
/// Room for the title.
const HEAD: i32 = 46;
/// Height of a bar and of a frame, with what is between two.
const ROW: i32 = 20;
/// Room for labels at the left, and for numbers at the right.
const LABELS: i32 = 300;
const NUMBERS: i32 = 110;
/// Width of a letter.
const LETTER: f64 = 6.8;

/// Colours that are told apart by everybody, by Okabe and Ito.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(184, 169, 0),
    RGBColor(130, 138, 148),
];

/// Colours of functions.
const FRAMES: [RGBColor; 7] = [
    RGBColor(247, 197, 159),
    RGBColor(242, 180, 138),
    RGBColor(249, 213, 167),
    RGBColor(244, 193, 123),
    RGBColor(239, 208, 143),
    RGBColor(243, 170, 143),
    RGBColor(213, 218, 225),
];

const TEXT: RGBColor = RGBColor(27, 31, 36);
const SOFT: RGBColor = RGBColor(84, 93, 104);
const LINE: RGBColor = RGBColor(217, 221, 227);

/// What goes wrong when something is drawn into a string: nothing that a caller could act on.
type Drawn<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Draws the picture of a report.
pub fn draw(session: &Session, report: &Report, values: &Values) -> Result<String, Error> {
    let picture = picture::of(session, report, values)?;
    let mut text = String::new();
    into(&picture, &mut text).map_err(|error| Error::Picture(format!("cannot draw: {error}")))?;
    Ok(text)
}

/// How high a picture is.
fn height(drawing: &Drawing) -> u32 {
    let rows = match drawing {
        Drawing::Bars { values, bars } => bars.len() * values.len() + values.len(),
        Drawing::Lines { .. } => 20,
        Drawing::Heat { rows, .. } => rows.len() + 2,
        Drawing::Flame { frames, .. } => {
            1 + frames.iter().map(|frame| frame.depth).max().unwrap_or(0)
        }
    };
    HEAD.unsigned_abs() + 30 + u32::try_from(rows).unwrap_or(0) * ROW.unsigned_abs()
}

fn into(picture: &Picture, text: &mut String) -> Drawn<()> {
    let size = (WIDTH, height(&picture.drawing));
    let area = SVGBackend::with_string(text, size).into_drawing_area();
    area.fill(&WHITE)?;
    write(&area, &picture.title, 14, 14, 18.0, TEXT, HPos::Left)?;
    if !picture.note.is_empty() {
        write(&area, &picture.note, WIDTH as i32 - 14, 18, 12.0, SOFT, HPos::Right)?;
    }
    match &picture.drawing {
        Drawing::Bars { values, bars: rows } => bars(&area, values, rows)?,
        Drawing::Lines { unit, span, series } => lines(&area, *unit, *span, series)?,
        Drawing::Heat { span, low, rows } => heat(&area, *span, *low, rows)?,
        Drawing::Flame { unit, frames } => flame(&area, *unit, frames)?,
    }
    area.present()?;
    Ok(())
}

fn write(
    area: &Area,
    text: &str,
    x: i32,
    y: i32,
    size: f64,
    colour: RGBColor,
    side: HPos,
) -> Drawn<()> {
    let style = ("sans-serif", size).into_font().color(&colour).pos(Pos::new(side, VPos::Top));
    area.draw(&Text::new(text.to_string(), (x, y), style))?;
    Ok(())
}

/// A text in a width.
fn cut(text: &str, width: f64) -> String {
    let room = (width / LETTER) as usize;
    match text.chars().count() > room {
        true if room < 4 => String::new(),
        true => text.chars().take(room - 1).chain(['…']).collect(),
        false => text.to_string(),
    }
}

fn bars(area: &Area, values: &[(String, Unit)], rows: &[(String, Vec<f64>)]) -> Drawn<()> {
    let mut y = HEAD;
    for (index, (name, unit)) in values.iter().enumerate() {
        write(area, name, LABELS, y, 12.0, SOFT, HPos::Left)?;
        y += ROW;
        let most = rows.iter().map(|(_, values)| values[index]).fold(f64::MIN_POSITIVE, f64::max);
        let room = f64::from(WIDTH as i32 - LABELS - NUMBERS);
        for (label, values) in rows {
            let length = (values[index].max(0.0) / most * room) as i32;
            write(
                area,
                &cut(label, f64::from(LABELS - 24)),
                LABELS - 8,
                y + 2,
                12.0,
                TEXT,
                HPos::Right,
            )?;
            let corners = [(LABELS, y + 1), (LABELS + length.max(1), y + ROW - 3)];
            area.draw(&Rectangle::new(corners, COLOURS[index % COLOURS.len()].filled()))?;
            write(
                area,
                &unit.text(values[index]),
                LABELS + length + 6,
                y + 2,
                12.0,
                SOFT,
                HPos::Left,
            )?;
            y += ROW;
        }
    }
    Ok(())
}

fn lines(
    area: &Area,
    unit: Unit,
    span: (i64, i64),
    series: &[(String, Vec<(i64, f64)>)],
) -> Drawn<()> {
    let all = series.iter().flat_map(|(_, points)| points.iter().map(|(_, value)| *value));
    let most = all.fold(f64::MIN_POSITIVE, f64::max) * 1.05;
    // A single moment needs some room too.
    let last = if span.1 > span.0 { span.1 } else { span.0.saturating_add(1_000_000_000) };
    let mut chart = ChartBuilder::on(area)
        .margin_top(HEAD)
        .margin_right(20)
        .margin_bottom(10)
        .x_label_area_size(30)
        .y_label_area_size(90)
        .build_cartesian_2d(span.0..last, 0.0..most)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(LINE)
        .axis_style(LINE)
        .x_labels(7)
        .x_label_formatter(&|at| clock(*at))
        .y_label_formatter(&|value| unit.text(*value))
        .label_style(("sans-serif", 12.0).into_font().color(&SOFT))
        .draw()?;
    for (index, (name, points)) in series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
            .label(cut(name, 260.0))
            .legend(move |(x, y)| Rectangle::new([(x, y - 4), (x + 12, y + 4)], colour.filled()));
    }
    for (index, (_, points)) in
        series.iter().enumerate().filter(|(_, (_, points))| points.len() == 1)
    {
        let colour = COLOURS[index % COLOURS.len()];
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(LINE)
        .label_font(("sans-serif", 12.0).into_font().color(&TEXT))
        .draw()?;
    Ok(())
}

fn heat(area: &Area, span: (i64, i64), low: u32, rows: &[Vec<u64>]) -> Drawn<()> {
    let most = rows.iter().flatten().copied().max().unwrap_or(0);
    let left = 90;
    let room = WIDTH as i32 - left - 20;
    let mut y = HEAD;
    for (index, cells) in rows.iter().enumerate().rev() {
        let from = Unit::Ns.text((1u64 << (low + index as u32).min(62)) as f64);
        write(area, &from, left - 8, y + 2, 12.0, SOFT, HPos::Right)?;
        let count = cells.len().max(1) as i32;
        for (column, events) in cells.iter().enumerate().filter(|(_, events)| **events > 0) {
            let x = |column: i32| left + room * column / count;
            let column = column as i32;
            let part = 0.1 + 0.1 * f64::from(crate::heat::shade(*events, most));
            let corners = [(x(column), y), (x(column + 1), y + ROW)];
            area.draw(&Rectangle::new(corners, COLOURS[0].mix(part).filled()))?;
        }
        y += ROW;
    }
    write(area, "+0", left, y + 4, 12.0, SOFT, HPos::Left)?;
    let length = format!("+{}", Unit::Ns.text(span.1.saturating_sub(span.0) as f64));
    write(area, &length, left + room, y + 4, 12.0, SOFT, HPos::Right)
}

fn flame(area: &Area, unit: Unit, frames: &[Frame]) -> Drawn<()> {
    let room = f64::from(WIDTH as i32 - 28);
    for frame in frames {
        let x = 14 + (frame.x * room) as i32;
        let width = frame.width * room;
        let y = HEAD + frame.depth as i32 * ROW;
        let corners = [(x, y), (x + (width as i32 - 1).max(1), y + ROW - 1)];
        area.draw(&Rectangle::new(
            corners,
            FRAMES[hue(&frame.name) as usize % FRAMES.len()].filled(),
        ))?;
        let label = format!("{} ({})", frame.name, unit.text(frame.weight));
        let label = cut(&label, width - 6.0);
        if !label.is_empty() {
            write(area, &label, x + 4, y + 3, 11.0, TEXT, HPos::Left)?;
        }
    }
    Ok(())
}
