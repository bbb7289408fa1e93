//! Which part of a recording is looked at: a range of time, and processes.
//!
//! A scope restricts the tables that everything else reads, so that it works for every query, view and
//! report, and none of them knows of it. A row belongs to a range of time if it began in it: ranges that
//! follow each other share no row. What the machine tells of itself (`system`, `loss`, `cost`) has no
//! process and is always there.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampNanosecondType};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, col, lit};
use schema::tables::{Source, Table};

use crate::error::Error;
use crate::params::{Value, Values};
use crate::session::Session;

/// What to look at; nothing given is everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// From this moment on.
    pub from: Option<Moment>,
    /// Before this moment.
    pub to: Option<Moment>,
    /// These processes.
    pub pids: Vec<i32>,
    /// These processes and their descendants.
    pub trees: Vec<i32>,
    /// Processes with a thread of one of these names.
    pub comms: Vec<String>,
    /// Processes in a control group whose path has one of these parts.
    pub cgroups: Vec<String>,
    /// Processes in a container whose id begins with one of these, or that has one of them as name.
    pub containers: Vec<String>,
}

/// A moment of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nanoseconds since 1970.
    At(i64),
    /// So many nanoseconds after the recording's first event.
    AfterStart(i64),
    /// So many nanoseconds before its last.
    BeforeEnd(i64),
}

impl Moment {
    /// Nanoseconds since 1970, in a recording from `first` to `last`.
    pub fn ns(self, first: i64, last: i64) -> i64 {
        match self {
            Moment::At(ns) => ns,
            Moment::AfterStart(ns) => first.saturating_add(ns),
            Moment::BeforeEnd(ns) => last.saturating_sub(ns),
        }
    }
}

impl Filter {
    /// Whether it restricts nothing.
    pub fn is_everything(&self) -> bool {
        *self == Filter::default()
    }

    fn has_processes(&self) -> bool {
        let names = [&self.comms, &self.cgroups, &self.containers];
        !self.pids.is_empty() || !self.trees.is_empty() || names.iter().any(|list| !list.is_empty())
    }
}

/// What a filter means for one trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Nanoseconds since 1970: from, and before.
    pub range: Range,
    /// The only processes, by their `upid`, sorted.
    pub processes: Option<Vec<i64>>,
}

/// A range of time, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// Its beginning.
    pub from: Option<i64>,
    /// Its end, which is not part of it.
    pub to: Option<i64>,
}

impl Range {
    /// Whether it is all time.
    pub fn is_all(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// The condition that a row with the column `ts` is in it.
    pub fn condition(&self) -> Option<Expr> {
        let moment = |ns| lit(ScalarValue::TimestampNanosecond(Some(ns), Some("UTC".into())));
        let from = self.from.map(|ns| col("ts").gt_eq(moment(ns)));
        let to = self.to.map(|ns| col("ts").lt(moment(ns)));
        [from, to].into_iter().flatten().reduce(Expr::and)
    }
}

impl Scope {
    /// The same processes at any time.
    pub fn whole(&self) -> Scope {
        Scope { range: Range::default(), processes: self.processes.clone() }
    }

    /// The condition that a row of `table` is in it.
    pub fn condition(&self, table: &Table) -> Option<Expr> {
        let columns = table.columns();
        let has = |name: &str| columns.iter().any(|column| column.name == name);
        let is_event = matches!(table.source, Source::Stream(_));
        let time = self.range.condition().filter(|_| is_event && has("ts"));
        let upids = self.processes.as_ref().filter(|_| table.source != Source::Recorder);
        let upids = upids.and_then(|upids| {
            let one_of = |column: &str| {
                has(column)
                    .then(|| col(column).in_list(upids.iter().map(|id| lit(*id)).collect(), false))
            };
            // Who a signal is for is part of what happened to it.
            [one_of("upid"), one_of("target_upid")].into_iter().flatten().reduce(Expr::or)
        });
        [time, upids].into_iter().flatten().reduce(Expr::and)
    }
}

/// What `filter` means for the trace in the SQL schema `schema` of a session without scope.
pub fn resolve(session: &Session, schema: &str, filter: &Filter) -> Result<Scope, Error> {
    let schema = schema.replace('"', "\"\"");
    let range = range(session, &schema, filter)?;
    let processes = match filter.has_processes() {
        true => Some(processes(session, &schema, filter)?),
        false => None,
    };
    Ok(Scope { range, processes })
}

fn range(session: &Session, schema: &str, filter: &Filter) -> Result<Range, Error> {
    if filter.from.is_none() && filter.to.is_none() {
        return Ok(Range::default());
    }
    let (first, last) = bounds(session, schema)?.unwrap_or((0, 0));
    let ns = |moment: Moment| moment.ns(first, last);
    let range = Range { from: filter.from.map(ns), to: filter.to.map(ns) };
    match (range.from, range.to) {
        (Some(from), Some(to)) if from >= to => {
            Err(Error::Scope("the range of time ends before it begins".to_string()))
        }
        _ => Ok(range),
    }
}

/// The first and the last moment of a trace; none if it is empty.
pub fn bounds(session: &Session, schema: &str) -> Result<Option<(i64, i64)>, Error> {
    let sql = format!("SELECT min(first_ts), max(last_ts) FROM \"{schema}\".segments");
    for batch in session.sql(&sql)? {
        let batch = batch?;
        let moment = |column: usize| {
            let ty = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
            let column = arrow::compute::cast(batch.column(column), &ty).ok()?;
            column.as_primitive::<TimestampNanosecondType>().iter().next().flatten()
        };
        if batch.num_rows() > 0 {
            return Ok(moment(0).zip(moment(1)));
        }
    }
    Ok(None)
}

fn processes(session: &Session, schema: &str, filter: &Filter) -> Result<Vec<i64>, Error> {
    let mut conditions = Vec::new();
    let mut values = Values::new();
    let mut each = |texts: Vec<String>, condition: &str| {
        for text in texts {
            let name = format!("v{}", values.len());
            conditions.push(condition.replace("$v", &format!("${name}")));
            values.insert(name, Value::Text(text));
        }
    };
    let numbers = |pids: &[i32]| pids.iter().map(i32::to_string).collect();
    each(numbers(&filter.pids), "p.pid = CAST($v AS INT)");
    each(numbers(&filter.trees), "p.pid = CAST($v AS INT)");
    each(filter.comms.clone(), "(p.comm = $v OR coalesce(array_has(t.comms, $v), false))");
    each(filter.cgroups.clone(), "strpos(p.cgroup, $v) > 0");
    each(filter.containers.clone(), "(starts_with(p.container_id, $v) OR p.container_name = $v)");
    let is_tree = match filter.trees.is_empty() {
        true => "false".to_string(),
        false => format!("p.pid IN ({})", numbers(&filter.trees).join(", ")),
    };
    // The tree is walked here: SQL would do it with a recursion that the engine plans anew each round.
    let sql = format!(
        "SELECT p.upid, p.parent_upid, {}, {is_tree} FROM {{schema}}.processes p \
         LEFT JOIN (SELECT host, upid, array_agg(comm) AS comms FROM {{schema}}.threads GROUP BY host, upid) t \
         ON p.host = t.host AND p.upid = t.upid WHERE p.upid IS NOT NULL",
        conditions.join(" OR ")
    )
    .replace("{schema}", &format!("\"{schema}\""));
    let mut chosen = BTreeSet::new();
    let mut roots = Vec::new();
    let mut children = BTreeMap::<i64, Vec<i64>>::new();
    for batch in session.sql_with(&sql, &values)? {
        let batch = batch?;
        let upids = batch.column(0).as_primitive::<Int64Type>();
        let parents = batch.column(1).as_primitive::<Int64Type>();
        let (is_chosen, is_root) = (batch.column(2).as_boolean(), batch.column(3).as_boolean());
        for row in 0..batch.num_rows() {
            let upid = upids.value(row);
            if parents.is_valid(row) && parents.value(row) != upid {
                children.entry(parents.value(row)).or_default().push(upid);
            }
            let is = |column: &BooleanArray| column.is_valid(row) && column.value(row);
            if is(is_chosen) {
                chosen.insert(upid);
            }
            if is(is_root) {
                roots.push(upid);
            }
        }
    }
    let mut walked = BTreeSet::new();
    while let Some(upid) = roots.pop() {
        chosen.insert(upid);
        // A trace is untrusted: two processes may say that they are each other's parent.
        if walked.insert(upid) {
            roots.extend(children.get(&upid).into_iter().flatten());
        }
    }
    match chosen.is_empty() {
        false => Ok(chosen.into_iter().collect()),
        true => Err(Error::Scope(
            "no recorded process is one of those asked for; `ebrec query \"SELECT pid, comm, \
             cgroup, container_id FROM processes\"` lists them"
                .to_string(),
        )),
    }
}
