//! Reports: one SQL file each, whose header says all that is known of it.
//!
//! Those of `queries/<job>/` are embedded; a folder of the user's adds more, and takes the place of those
//! with the same name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::check;
use crate::completeness::{Gap, Note};
use crate::error::Error;
use crate::header::{self, Header, Kind};
use crate::library;
use crate::names::closest;
use crate::params::Values;
use crate::rows::Rows;
use crate::session::{Session, tables_read};

/// The jobs, in the order in which they are told, and what each asks.
pub const JOBS: [(&str, &str); 5] = [
    ("traffic", "who talks to whom, how much, and is it normal?"),
    ("syscalls", "what do programs ask of the kernel, how often, how slow, which fail?"),
    ("memory", "where does memory go, what leaks, what churns?"),
    ("audit", "what did processes do?"),
    ("performance", "what is the bottleneck?"),
];

/// The job of reports that lie in a user's folder itself.
const OWN: &str = "own";

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name: that of its file.
    pub name: String,
    /// The job that it is for: the name of its folder.
    pub job: String,
    /// What it says about itself.
    pub header: Header,
    /// The query, with its header.
    pub sql: String,
    /// Where it is, if it is a user's.
    pub path: Option<PathBuf>,
}

/// Every report there is.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    reports: BTreeMap<String, Report>,
    /// Files that cannot be used, and why.
    pub broken: Vec<Error>,
    /// The same by the name that a report would have.
    reasons: BTreeMap<String, String>,
}

impl Reports {
    /// The embedded reports, and those of `folders`.
    pub fn load(folders: &[PathBuf]) -> Result<Reports, Error> {
        let mut reports = Reports::default();
        for (job, name, sql) in library::FILES {
            if JOBS.iter().any(|(known, _)| known == job) {
                reports.add(name, job, sql.to_string(), None);
            }
        }
        for folder in folders {
            for path in entries(folder)? {
                if path.is_dir() {
                    let job = file_name(&path);
                    if job == check::FOLDER {
                        continue;
                    }
                    for path in entries(&path)? {
                        reports.add_file(&path, &job);
                    }
                } else {
                    reports.add_file(&path, OWN);
                }
            }
        }
        Ok(reports)
    }

    fn add_file(&mut self, path: &Path, job: &str) {
        if path.extension().is_none_or(|extension| extension != "sql") {
            return;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match std::fs::read_to_string(path) {
            Ok(sql) => self.add(&name, job, sql, Some(path.to_path_buf())),
            Err(error) => self.is_broken(&name, unreadable(path, &error).to_string()),
        }
    }

    /// A file that is wrong does not keep the others from being used.
    fn add(&mut self, name: &str, job: &str, sql: String, path: Option<PathBuf>) {
        match header::parse(&sql) {
            Ok(header) => {
                let (name, job) = (name.to_string(), job.to_string());
                self.reports.insert(name.clone(), Report { name, job, header, sql, path });
            }
            Err(reason) => {
                let place =
                    path.map_or_else(|| name.to_string(), |path| path.display().to_string());
                self.is_broken(name, format!("{place}: {reason}"));
            }
        }
    }

    fn is_broken(&mut self, name: &str, sentence: String) {
        self.reasons.insert(name.to_string(), sentence.clone());
        self.broken.push(Error::Report(sentence));
    }

    /// All of them: by job, and then by name.
    pub fn all(&self) -> Vec<&Report> {
        let mut all: Vec<&Report> = self.reports.values().collect();
        let rank =
            |job: &str| JOBS.iter().position(|(known, _)| *known == job).unwrap_or(JOBS.len());
        all.sort_by(|a, b| (rank(&a.job), &a.job, &a.name).cmp(&(rank(&b.job), &b.job, &b.name)));
        all
    }

    /// The report called `name`.
    pub fn get(&self, name: &str) -> Result<&Report, Error> {
        // Also where ebrec has a report of that name: it is not the one that was meant.
        if let Some(reason) = self.reasons.get(name) {
            return Err(Error::Report(reason.clone()));
        }
        self.reports.get(name).ok_or_else(|| {
            let near = closest(name, self.reports.keys().map(String::as_str));
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`ebrec report --list` lists them".to_string(),
            };
            Error::Report(format!("there is no report `{name}`; {hint}"))
        })
    }
}

pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    Ok(entries)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::File { path: path.display().to_string(), reason: error.to_string() }
}

impl Report {
    /// The values of its parameters: those given as text, and the defaults of the others.
    pub fn values(&self, given: &[(String, String)]) -> Result<Values, Error> {
        let mut values: Values = self
            .header
            .params
            .iter()
            .map(|param| (param.name.clone(), param.default_value()))
            .collect();
        for (name, text) in given {
            let wrong =
                |reason| Error::Param { name: format!("--{}", name.replace('_', "-")), reason };
            let Some(param) = self.header.params.iter().find(|param| param.name == *name) else {
                return Err(wrong(format!("the report {} has no such parameter", self.name)));
            };
            values.insert(name.clone(), param.value(text).map_err(wrong)?);
        }
        Ok(values)
    }

    /// Starts it.
    pub fn run(&self, session: &Session, values: &Values) -> Result<Rows, Error> {
        for table in &self.header.needs {
            if !session.is_recorded(table) {
                return Err(Error::Report(format!(
                    "the report {} needs the table {table}, which was not recorded; record with \
                     `-s {}`",
                    self.name,
                    source(table)
                )));
            }
        }
        session.sql_with(&self.sql, values).map_err(|error| match (&self.path, error) {
            (Some(path), Error::Sql { message, place }) => {
                let line = place.map_or_else(String::new, |place| format!(":{}", place.line));
                Error::Report(format!("{}{line}: {message}", path.display()))
            }
            (_, error) => error,
        })
    }

    /// The names of its columns of one kind.
    pub fn columns(&self, kind: Kind) -> Vec<&str> {
        let columns = self.header.columns.iter().filter(|column| column.kind == kind);
        columns.map(|column| column.name.as_str()).collect()
    }

    /// What its columns are because of what was lost, as a sentence; none when nothing was.
    pub fn bounds(&self, notes: &[Note]) -> Option<String> {
        if notes.iter().all(|note| note.gap == Gap::NotRecorded) {
            return None;
        }
        let bounds = [
            ("lower bounds", [self.columns(Kind::Total), self.columns(Kind::Max)].concat()),
            ("upper bounds", self.columns(Kind::Min)),
            ("estimates", self.columns(Kind::Mean)),
        ];
        let bounds = bounds.iter().filter(|(_, columns)| !columns.is_empty());
        let bounds: Vec<String> =
            bounds.map(|(what, columns)| format!("{} are {what}", columns.join(", "))).collect();
        (!bounds.is_empty()).then(|| format!("Because of that, {}.", bounds.join("; ")))
    }

    /// What is wrong with it: its header against its query, planned over tables without rows.
    pub fn lint(&self, session: &Session) -> Vec<String> {
        let mut wrong = self.lint_header(session, &[]);
        if self.header.plot.is_none() {
            wrong.push("it has no picture: `-- @plot KIND COLUMN ...`".to_string());
        }
        wrong
    }

    /// The same of what all queries have that answer a question; `tags` are lines that it has besides.
    pub(crate) fn lint_header(&self, session: &Session, tags: &[&str]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |is_good: bool, what: String| {
            if !is_good {
                wrong.push(what);
            }
        };
        let header = &self.header;
        check(!header.title.is_empty(), "it has no title: `-- # Title`".into());
        check(header.question().ends_with('?'), "its prose does not begin with a question".into());
        check(header.grain().is_some(), "its prose does not say `One row per ...`".into());
        check(!header.needs.is_empty(), "it needs no table: `-- @needs TABLE`".into());
        for column in &header.columns {
            check(!column.doc.is_empty(), format!("the column {} has no meaning", column.name));
        }
        for param in &header.params {
            check(!param.doc.is_empty(), format!("the parameter {} has no meaning", param.name));
        }
        for column in header.plot.iter().flat_map(|plot| &plot.columns) {
            let is_there = header.columns.iter().any(|known| known.name == *column);
            check(is_there, format!("the picture draws {column}, which is no column"));
        }
        for (tag, _) in &header.others {
            check(tags.contains(&tag.as_str()), format!("`@{tag}` means nothing"));
        }
        if let Err(error) = self.lint_query(session, &mut check) {
            check(false, error.to_string());
        }
        wrong
    }

    fn lint_query(
        &self,
        session: &Session,
        check: &mut dyn FnMut(bool, String),
    ) -> Result<(), Error> {
        let mut queries = session.parse(&self.sql)?;
        let [query] = queries.as_mut_slice() else {
            check(false, format!("it has {} statements instead of one", queries.len()));
            return Ok(());
        };
        check(query.is_ordered(), "its rows are in no order: ORDER BY is missing".into());
        let used = query.params();
        for param in &self.header.params {
            check(used.contains(&param.name), format!("the parameter {} is not used", param.name));
        }
        for name in &used {
            let is_declared = self.header.params.iter().any(|param| param.name == *name);
            check(is_declared, format!("the parameter ${name} is not declared"));
        }
        query.bind(&self.values(&[])?)?;
        let plan = session.plan(query)?;
        let planned: Vec<&String> =
            plan.schema().fields().iter().map(|field| field.name()).collect();
        let columns = &self.header.columns;
        let documented: Vec<&String> = columns.iter().map(|column| &column.name).collect();
        check(
            documented == planned,
            format!("it has the columns {planned:?} and documents {documented:?}"),
        );
        let read: Vec<String> = tables_read(&plan).into_iter().map(|(_, table)| table).collect();
        for table in &self.header.needs {
            check(read.contains(table), format!("it needs {table} and does not read it"));
        }
        Ok(())
    }
}

/// The source of `ebrec record` that fills a table.
fn source(table: &str) -> &'static str {
    schema::tables::by_name(table).map_or("everything", schema::docs::source_name)
}
