//! What changed between two recordings, report by report.
//!
//! Each recording is cut into windows of equal length and the report is made for each: what differs from
//! one window to the next is the noise that a change must stand out of. A column of a key changed if its values in
//! the windows of one recording are ranked apart from those in the other (Mann-Whitney, two-sided, with the
//! correction for ties); as many are compared, p is turned into q, the share of false ones among those called
//! changed (Benjamini-Hochberg). Totals are compared for a second of the recording.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::error::Error;
use crate::header::Kind;
use crate::report::Report;
use crate::session::Session;

/// A column of a key in both recordings.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Name of the report.
    pub report: String,
    /// Names and values of the key columns.
    pub key: Vec<(String, String)>,
    /// The column.
    pub column: String,
    /// Whether it is a total, which is told for a second.
    pub is_rate: bool,
    /// Median over the windows of the first recording.
    pub before: f64,
    /// Median over the windows of the second.
    pub after: f64,
    /// Probability that a window of the second has more than one of the first; one half is no change.
    pub more: f64,
    /// Probability of ranks at least as far apart if nothing had changed.
    pub p: f64,
    /// Share of false ones among the changes that stand out at least as much.
    pub q: f64,
}

/// The least number of windows that can tell a change at 5 %.
pub const WINDOWS_MIN: usize = 4;

/// Values of a column in each window, by key and column.
type Windows = BTreeMap<(Vec<String>, String), Vec<f64>>;

/// Compares one report in two recordings, each cut into `windows`. The sessions are narrowed to the last window
/// afterwards.
pub fn diff(
    report: &Report,
    before: &mut Session,
    after: &mut Session,
    windows: usize,
) -> Result<Vec<Change>, Error> {
    let keys: Vec<String> = report.columns(Kind::Key).iter().map(|name| name.to_string()).collect();
    let one = measure(report, before, windows)?;
    let other = measure(report, after, windows)?;
    let names: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).cloned().collect();
    let mut changes = Vec::new();
    for name in names {
        let is_rate = kind(report, &name.1) == Kind::Total;
        let filled = |values: Option<&Vec<f64>>| {
            let mut values = values.cloned().unwrap_or_default();
            if is_rate {
                // A window without the key had none of it.
                values.resize(windows, 0.0);
            }
            values
        };
        let (x, y) = (filled(one.get(&name)), filled(other.get(&name)));
        if x.len() < WINDOWS_MIN || y.len() < WINDOWS_MIN {
            continue;
        }
        let (more, p) = mann_whitney(&x, &y);
        changes.push(Change {
            report: report.name.clone(),
            key: keys.iter().cloned().zip(name.0).collect(),
            column: name.1,
            is_rate,
            before: median(x),
            after: median(y),
            more,
            p,
            q: 1.0,
        });
    }
    Ok(changes)
}

/// Whether a report can be compared: it has rows that can be told apart, other than by time, and numbers.
pub fn is_comparable(report: &Report) -> bool {
    let keys = report.columns(Kind::Key);
    let is_number = |kind| matches!(kind, Kind::Total | Kind::Max | Kind::Min | Kind::Mean);
    !keys.is_empty()
        && !keys.iter().any(|name| *name == "ts" || name.ends_with("pid") || name.ends_with("_id"))
        && report.header.columns.iter().any(|column| is_number(column.kind))
}

fn kind(report: &Report, name: &str) -> Kind {
    let column = report.header.columns.iter().find(|column| column.name == name);
    column.map_or(Kind::Value, |column| column.kind)
}

/// The values of a report in each window.
fn measure(report: &Report, session: &mut Session, windows: usize) -> Result<Windows, Error> {
    let mut all = Windows::new();
    let Some((first, last)) = session.whole_bounds()? else { return Ok(all) };
    let length = ((last - first) / windows as i64).max(1);
    let values = report.values(&[])?;
    for window in 0..windows as i64 {
        let from = first + window * length;
        session.look_at(from, from + length)?;
        for batch in report.run(session, &values)? {
            take(report, &batch?, length as f64 / 1e9, &mut all)?;
        }
    }
    Ok(all)
}

fn take(
    report: &Report,
    batch: &RecordBatch,
    seconds: f64,
    all: &mut Windows,
) -> Result<(), Error> {
    let wrong = |error: arrow::error::ArrowError| Error::Run(error.to_string());
    let column = |name: &str, ty: &DataType| match batch.column_by_name(name) {
        Some(column) => cast(column, ty).map_err(wrong),
        None => Err(Error::Run(format!("the report has no column {name}"))),
    };
    let keys = report.columns(Kind::Key);
    let keys: Vec<_> =
        keys.iter().map(|name| column(name, &DataType::Utf8)).collect::<Result<_, _>>()?;
    let numbers =
        report.header.columns.iter().filter(|column| {
            matches!(column.kind, Kind::Total | Kind::Max | Kind::Min | Kind::Mean)
        });
    for number in numbers {
        let values = column(&number.name, &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
            let text = |column: &arrow::array::ArrayRef| {
                let texts = column.as_string::<i32>();
                if texts.is_valid(row) { texts.value(row).to_string() } else { String::new() }
            };
            let key = (keys.iter().map(text).collect(), number.name.clone());
            let value = values.value(row);
            let value = if number.kind == Kind::Total { value / seconds } else { value };
            all.entry(key).or_default().push(value);
        }
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

/// The probability that a value of `y` is above one of `x` (a tie counts half), and the p of both being the same.
fn mann_whitney(x: &[f64], y: &[f64]) -> (f64, f64) {
    let (n, m) = (x.len() as f64, y.len() as f64);
    let of_x = x.iter().map(|value| (*value, false));
    let mut all: Vec<(f64, bool)> = of_x.chain(y.iter().map(|value| (*value, true))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut rank_sum, mut ties, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let same = all[at..].iter().take_while(|(value, _)| *value == all[at].0).count();
        // Values that are equal share the mean of their ranks.
        let rank = at as f64 + (same as f64 + 1.0) / 2.0;
        let of_y = all[at..at + same].iter().filter(|(_, is_y)| *is_y).count();
        rank_sum += rank * of_y as f64;
        ties += (same as f64).powi(3) - same as f64;
        at += same;
    }
    let u = rank_sum - m * (m + 1.0) / 2.0;
    let count = n + m;
    let variance = n * m / 12.0 * (count + 1.0 - ties / (count * (count - 1.0)));
    if variance <= 0.0 {
        return (0.5, 1.0);
    }
    let z = ((u - n * m / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    let p = Normal::standard().sf(z) * 2.0;
    (u / (n * m), p.min(1.0))
}

/// Fills in `q` of changes that were looked for together, and ranks them.
pub fn rank(changes: &mut [Change]) {
    changes.sort_by(|a, b| b.p.total_cmp(&a.p));
    let count = changes.len() as f64;
    let mut least = 1.0f64;
    for (index, change) in changes.iter_mut().enumerate() {
        let place = count - index as f64;
        least = least.min(change.p * count / place);
        change.q = least;
    }
    changes.sort_by(|a, b| {
        let size = |change: &Change| {
            -((change.after.abs() + 1e-9) / (change.before.abs() + 1e-9)).ln().abs()
        };
        (a.q > 0.05)
            .cmp(&(b.q > 0.05))
            .then_with(|| size(a).total_cmp(&size(b)))
            .then_with(|| (&a.report, &a.key, &a.column).cmp(&(&b.report, &b.key, &b.column)))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_apart_are_a_change() {
        let low: Vec<f64> = (0..10).map(f64::from).collect();
        let high: Vec<f64> = (20..30).map(f64::from).collect();
        let (more, p) = mann_whitney(&low, &high);
        assert_eq!(more, 1.0);
        // R: wilcox.test(0:9, 20:29, exact = FALSE)$p.value
        assert!((p - 0.000_182_672).abs() < 1e-6, "{p}");
        assert_eq!(mann_whitney(&low, &low), (0.5, 1.0));
        assert_eq!(mann_whitney(&[0.0; 10], &[0.0; 10]), (0.5, 1.0));
    }

    #[test]
    fn q_is_never_below_p_and_grows_with_it() {
        let change = |p: f64| Change {
            report: String::new(),
            key: Vec::new(),
            column: p.to_string(),
            is_rate: false,
            before: 1.0,
            after: 2.0,
            more: 1.0,
            p,
            q: 1.0,
        };
        let mut changes: Vec<Change> = [0.01, 0.04, 0.03, 0.5].map(change).to_vec();
        rank(&mut changes);
        changes.sort_by(|a, b| a.p.total_cmp(&b.p));
        let q: Vec<f64> = changes.iter().map(|change| (change.q * 1e4).round() / 1e4).collect();
        assert_eq!(q, [0.04, 0.0533, 0.0533, 0.5]);
    }
}
