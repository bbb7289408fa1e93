//! A profile: how much each stack weighs, by thread or by name.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::path::Path;

use analyzer::Session;
use anyhow::{Context, Result, anyhow, bail};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use store::stacks::{KERNEL, Stack, from_batch};

use super::Weight;

/// Kinds of weight in one profile, at most.
pub const WEIGHTS_MAX: usize = 2;

/// Whose a stack is. In the order in which it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// Name of the machine.
    pub host: String,
    /// The stack.
    pub stack_id: i64,
    /// Name of the thread.
    pub comm: String,
    /// Process, if threads are told from each other.
    pub pid: Option<i32>,
    /// Thread, likewise.
    pub tid: Option<i32>,
}

/// How much each stack weighs.
pub struct Profile {
    /// By each of the weights that were asked for.
    pub samples: BTreeMap<Owner, [i64; WEIGHTS_MAX]>,
    /// The stacks by machine and id.
    pub stacks: HashMap<(String, i64), Stack>,
    /// What is to be said about it.
    pub notes: Vec<String>,
}

impl Profile {
    /// Reads a profile of one or two weights.
    pub fn read(
        session: &Session,
        weights: &[Weight],
        condition: Option<&str>,
        by_thread: bool,
    ) -> Result<Profile> {
        let mut profile =
            Profile { samples: BTreeMap::new(), stacks: HashMap::new(), notes: Vec::new() };
        let (mut rows, mut without) = (0, 0);
        for (index, weight) in weights.iter().enumerate() {
            (rows, without) = profile.weigh(session, *weight, index, condition, by_thread)?;
        }
        if profile.samples.is_empty() {
            bail!(profile.why_empty(session, weights[0], rows)?);
        }
        if without > 0 {
            profile.notes.push(format!("{without} of {rows} events have no stack: left out"));
        }
        profile.read_stacks(session)?;
        let missing =
            profile.samples.keys().filter(|owner| !profile.stacks.contains_key(&key(owner)));
        let missing = missing.count();
        if missing > 0 {
            profile
                .notes
                .push(format!("{missing} stacks are not in the trace: shown as [unknown]"));
        }
        profile.note_names();
        Ok(profile)
    }

    /// Adds what stacks weigh by one weight; how many events there are, and how many have no stack.
    fn weigh(
        &mut self,
        session: &Session,
        weight: Weight,
        index: usize,
        condition: Option<&str>,
        by_thread: bool,
    ) -> Result<(i64, i64)> {
        let known = analyzer::weight(weight.name());
        let sql = known.with_context(|| format!("there is no weight {}", weight.name()))?.query.sql;
        let threads = if by_thread { ", pid, tid" } else { "" };
        let condition = condition.unwrap_or("true");
        let sql = format!(
            "SELECT host, stack_id, comm, CAST(sum(weight) AS BIGINT) AS weight, count(*) AS events{threads}\n\
             FROM (\n{sql}\n) AS events\nWHERE (\n{condition}\n)\n\
             GROUP BY host, stack_id, comm{threads}"
        );
        let mut rows = session.sql(&sql).map_err(|error| {
            if condition == "true" { error.into() } else { anyhow!("--where: {error}") }
        })?;
        let (mut events, mut without) = (0, 0);
        for batch in rows.by_ref() {
            self.add(&batch?, index, &mut events, &mut without)?;
        }
        if index == 0 {
            let notes = session.notes(&rows)?;
            self.notes.extend(notes.iter().map(|note| note.to_string()));
        }
        Ok((events, without))
    }

    fn add(
        &mut self,
        batch: &RecordBatch,
        index: usize,
        events: &mut i64,
        without: &mut i64,
    ) -> Result<()> {
        let column = |name: &str| batch.column_by_name(name).context("a column is missing");
        let (hosts, comms) =
            (column("host")?.as_string::<i32>(), column("comm")?.as_string::<i32>());
        let number = |name: &str| Ok::<_, anyhow::Error>(column(name)?.as_primitive::<Int64Type>());
        let (ids, weights, counts) = (number("stack_id")?, number("weight")?, number("events")?);
        let (pids, tids) = (batch.column_by_name("pid"), batch.column_by_name("tid"));
        for row in 0..batch.num_rows() {
            *events += counts.value(row);
            if ids.is_null(row) {
                *without += counts.value(row);
                continue;
            }
            let comm = if comms.is_valid(row) { comms.value(row) } else { "[unknown]" };
            let owner = Owner {
                host: hosts.value(row).to_string(),
                stack_id: ids.value(row),
                comm: comm.to_string(),
                pid: pids.and_then(|pids| int(pids, row)),
                tid: tids.and_then(|tids| int(tids, row)),
            };
            let sums = self.samples.entry(owner).or_default();
            sums[index] = sums[index].saturating_add(weights.value(row));
        }
        Ok(())
    }

    /// Why there is nothing to export, and what to do about it.
    fn why_empty(&self, session: &Session, weight: Weight, rows: i64) -> Result<String> {
        let source = weight.source();
        let table = analyzer::weight(weight.name()).map(|weight| weight.table).unwrap_or_default();
        let has_files =
            |table: &str| session.traces().iter().any(|trace| !trace.files(table).is_empty());
        Ok(if !has_files("stacks") {
            format!("the trace has no stacks: record with `ebrec record -s {source}`")
        } else if !has_files(&table) {
            format!("{table} was not recorded: record with `ebrec record -s {source}`")
        } else if rows > 0 {
            format!("none of {rows} events has a stack: record with `ebrec record -s {source}`")
        } else {
            format!("there is nothing to export: no event of {table} matches")
        })
    }

    /// Reads the stacks that are needed. Of several readings the one with most names is taken.
    fn read_stacks(&mut self, session: &Session) -> Result<()> {
        let needed: HashSet<(String, i64)> = self.samples.keys().map(key).collect();
        for path in session.traces().iter().flat_map(|trace| trace.files("stacks")) {
            let unreadable = || format!("cannot read {}", path.display());
            for batch in reader(path).with_context(unreadable)? {
                let batch = batch.with_context(unreadable)?;
                let hosts =
                    batch.column_by_name("host").and_then(|hosts| hosts.as_string_opt::<i32>());
                let rows = hosts.zip(from_batch(&batch)).with_context(unreadable)?;
                for (host, stack) in rows.0.iter().zip(rows.1) {
                    let key = (host.unwrap_or_default().to_string(), stack.id);
                    let is_better = |known: &Stack| rank(&stack) > rank(known);
                    if needed.contains(&key) && self.stacks.get(&key).is_none_or(is_better) {
                        self.stacks.insert(key, stack);
                    }
                }
            }
        }
        Ok(())
    }

    /// Says if most frames have no name.
    fn note_names(&mut self) {
        let frames = || self.stacks.values().flat_map(|stack| &stack.frames);
        let (all, named) =
            (frames().count(), frames().filter(|frame| frame.function.is_some()).count());
        if named * 2 < all {
            self.notes.push(format!(
                "{} of {all} frames have no name; `ebrec symbolize` looks for them",
                all - named
            ));
        }
    }

    /// Leaves out the kernel's functions.
    pub fn drop_kernel(&mut self) {
        for stack in self.stacks.values_mut() {
            stack.frames.retain(|frame| frame.module.as_deref() != Some(KERNEL));
        }
    }

    /// The stack of a sample.
    pub fn stack(&self, owner: &Owner) -> Option<&Stack> {
        self.stacks.get(&key(owner))
    }
}

fn key(owner: &Owner) -> (String, i64) {
    (owner.host.clone(), owner.stack_id)
}

/// More names are better; what else differs must not depend on the order of reading.
fn rank(stack: &Stack) -> (usize, usize, String) {
    let named = stack.frames.iter().filter(|frame| frame.function.is_some()).count();
    let lines = stack.frames.iter().filter(|frame| frame.line.is_some()).count();
    (named, lines, stack.folded())
}

fn int(column: &ArrayRef, row: usize) -> Option<i32> {
    let column = column.as_primitive_opt::<Int32Type>()?;
    column.is_valid(row).then(|| column.value(row))
}

fn reader(path: &Path) -> Result<parquet::arrow::arrow_reader::ParquetRecordBatchReader> {
    Ok(ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()?)
}
