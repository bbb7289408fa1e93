//! What stands out in a recording: remarks of the SQL files of `queries/summary/`, ranked.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};

use crate::completeness::{Limit, Note};
use crate::error::Error;
use crate::header::{self, Header};
use crate::library;
use crate::params::Values;
use crate::session::Session;

/// Something that stands out.
#[derive(Debug, Clone, PartialEq)]
pub struct Remark {
    /// How much it matters, from 0 to 100.
    pub score: f64,
    /// The job it is about.
    pub job: String,
    /// What stands out, with numbers.
    pub sentence: String,
    /// The report that shows more.
    pub report: String,
    /// Options for that report, as they are typed.
    pub options: String,
}

/// What stands out, and what nobody could look for.
#[derive(Debug, Default)]
pub struct Summary {
    /// Remarks, what matters most first.
    pub remarks: Vec<Remark>,
    /// Jobs about which nothing can be said, each with the tables that were not recorded.
    pub unknown: Vec<(String, Vec<String>)>,
    /// Jobs whose remarks failed, and why.
    pub failed: Vec<(String, Error)>,
    /// What the tables lack that were looked at.
    pub notes: Vec<Note>,
    /// What the recording was asked to leave out.
    pub limits: Vec<Limit>,
}

/// The files that remark: name of the file, header, SQL. The job is what comes before a `-`.
fn files() -> impl Iterator<Item = (&'static str, Header, &'static str)> {
    library::folder("summary")
        .map(|(_, name, sql)| (*name, header::parse(sql).unwrap_or_default(), *sql))
}

/// Looks at the whole recording, or at what the session is narrowed to.
pub fn summary(session: &Session) -> Summary {
    let mut summary = Summary::default();
    for (name, header, sql) in files() {
        let job = name.split('-').next().unwrap_or(name).to_string();
        let missing: Vec<String> =
            header.needs.iter().filter(|table| !session.is_recorded(table)).cloned().collect();
        if !missing.is_empty() {
            match summary.unknown.iter_mut().find(|(known, _)| *known == job) {
                Some((_, tables)) => tables.extend(missing),
                None => summary.unknown.push((job, missing)),
            }
            continue;
        }
        // One that fails does not keep the others from being told.
        if let Err(error) = remarks(session, &job, sql, &mut summary) {
            summary.failed.push((job, error));
        }
    }
    // A job that has something to say is not unknown.
    summary.remarks.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then_with(|| (&a.job, &a.sentence).cmp(&(&b.job, &b.sentence)))
    });
    for (_, tables) in &mut summary.unknown {
        tables.sort();
        tables.dedup();
    }
    let text = |note: &Note| note.to_string();
    summary.notes.sort_by_key(text);
    summary.notes.dedup();
    summary.limits.sort_by_key(|limit| limit.to_string());
    summary.limits.dedup();
    summary
}

fn remarks(session: &Session, job: &str, sql: &str, summary: &mut Summary) -> Result<(), Error> {
    let mut rows = session.sql_with(sql, &Values::new())?;
    summary.notes.extend(session.notes(&rows)?);
    summary.limits.extend(session.limits(&rows));
    for batch in rows.by_ref() {
        let batch = batch?;
        let texts = |name: &str| text(&batch, name);
        let (sentences, reports, options) =
            (texts("sentence")?, texts("report")?, texts("options")?);
        let scores = cast(column(&batch, "score")?, &DataType::Float64);
        let scores = scores.map_err(|error| Error::Run(error.to_string()))?;
        for (row, score) in scores.as_primitive::<Float64Type>().iter().enumerate() {
            let (Some(score), Some(sentence)) = (score, sentences[row].clone()) else { continue };
            summary.remarks.push(Remark {
                score,
                job: job.to_string(),
                sentence,
                report: reports[row].clone().unwrap_or_default(),
                options: options[row].clone().unwrap_or_default(),
            });
        }
    }
    Ok(())
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a arrow::array::ArrayRef, Error> {
    batch.column_by_name(name).ok_or_else(|| Error::Run(format!("a remark has no column {name}")))
}

/// A column of texts.
fn text(batch: &RecordBatch, name: &str) -> Result<Vec<Option<String>>, Error> {
    let column = cast(column(batch, name)?, &DataType::Utf8);
    let column = column.map_err(|error| Error::Run(error.to_string()))?;
    let texts = column.as_string::<i32>();
    Ok((0..texts.len())
        .map(|row| texts.is_valid(row).then(|| texts.value(row).to_string()))
        .collect())
}

/// What is wrong with the files that remark, planned over tables without rows.
pub fn lint(session: &Session) -> Vec<String> {
    let mut wrong = Vec::new();
    for (_, name, sql) in library::folder("summary") {
        let planned = header::parse(sql).map_err(Error::Report).and_then(|_| {
            let query = session.parse(sql)?;
            session.plan(query.first().ok_or_else(|| Error::Report("no SQL".into()))?)
        });
        match planned {
            Err(error) => wrong.push(format!("summary/{name}: {error}")),
            Ok(plan) => {
                let columns: Vec<&str> =
                    plan.schema().fields().iter().map(|field| field.name().as_str()).collect();
                if columns != ["score", "sentence", "report", "options"] {
                    wrong.push(format!("summary/{name}: it has the columns {columns:?}"));
                }
            }
        }
    }
    wrong
}
