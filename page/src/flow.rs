//! Who talks to whom: processes at the left, the other ends at the right, and a band for what went between.

use std::collections::BTreeMap;

use analyzer::check::Cell;
use schema::human;

use serde::Serialize;

use crate::rows::{integer, text};
use crate::tables::Table;

/// Bands that are drawn.
const LINKS_MAX: usize = 24;

/// Height of the picture for each end, in units of the picture.
const ROW: f64 = 26.0;

/// Thickest and thinnest band.
const THICK: (f64, f64) = (20.0, 1.5);

/// The picture.
#[derive(Debug, Default, Serialize)]
pub struct Flow {
    /// Height of the picture.
    pub height: f64,
    /// Ends at the left: name, where, number of the name.
    pub left: Vec<(String, f64, Option<usize>)>,
    /// Ends at the right.
    pub right: Vec<(String, f64)>,
    /// Bands.
    pub links: Vec<Link>,
    /// Pairs that are left out.
    pub more: usize,
}

/// A band.
#[derive(Debug, Serialize)]
pub struct Link {
    /// Its path.
    pub path: String,
    /// Its thickness.
    pub width: f64,
    /// What went over it, in words.
    pub title: String,
    /// The number of the process's name.
    pub who: Option<usize>,
}

/// Draws the rows of the report on pairs that talk, which are ranked by bytes.
pub fn draw(table: &Table) -> Option<Flow> {
    let place = |name: &str| table.columns.iter().position(|column| column.name == name);
    let columns =
        [place("process")?, place("peer")?, place("sent_bytes")?, place("received_bytes")?];
    let [process, peer, sent, received] = columns;
    let name = |cell: &Cell| text(cell).unwrap_or("(unknown)").to_string();
    let bytes = |cell: &Cell| integer(cell).unwrap_or(0).max(0);
    let rows: Vec<_> = table.rows.iter().zip(&table.who).take(LINKS_MAX).collect();
    if rows.is_empty() {
        return None;
    }
    let mut left: Vec<(String, Option<usize>)> = Vec::new();
    let mut right: Vec<String> = Vec::new();
    for (row, who) in &rows {
        let (from, to) = (name(&row[process]), name(&row[peer]));
        if !left.iter().any(|(known, _)| *known == from) {
            left.push((from, **who));
        }
        if !right.contains(&to) {
            right.push(to);
        }
    }
    let height = ROW * left.len().max(right.len()) as f64 + 8.0;
    let at = |index: usize, count: usize| height * (index as f64 + 0.5) / count as f64;
    let left_at: BTreeMap<&str, f64> = left
        .iter()
        .enumerate()
        .map(|(index, (name, _))| (name.as_str(), at(index, left.len())))
        .collect();
    let right_at: BTreeMap<&str, f64> = right
        .iter()
        .enumerate()
        .map(|(index, name)| (name.as_str(), at(index, right.len())))
        .collect();
    let most = rows.iter().map(|(row, _)| bytes(&row[sent]) + bytes(&row[received])).max()?.max(1);
    let links = rows.iter().map(|(row, who)| {
        let (from, to) = (name(&row[process]), name(&row[peer]));
        let (sent, received) = (bytes(&row[sent]), bytes(&row[received]));
        let part = (sent + received) as f64 / most as f64;
        let (y, z) = (left_at[from.as_str()], right_at[to.as_str()]);
        Link {
            path: format!("M300 {y:.1}C420 {y:.1} 480 {z:.1} 600 {z:.1}"),
            width: (10.0 * (THICK.1 + (THICK.0 - THICK.1) * part.sqrt())).round() / 10.0,
            title: format!(
                "{from} to {to}: sent {}, received {}",
                human::bytes(sent),
                human::bytes(received)
            ),
            who: **who,
        }
    });
    Some(Flow {
        height,
        links: links.collect(),
        left: left.iter().map(|(name, who)| (name.clone(), left_at[name.as_str()], *who)).collect(),
        right: right.iter().map(|name| (name.clone(), right_at[name.as_str()])).collect(),
        more: table.total.saturating_sub(rows.len()),
    })
}
