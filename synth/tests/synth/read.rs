//! Makes a trace, and reads its tables and the truth about it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use store::Trace;
use synth::{Options, Written, write};
use tempfile::TempDir;

/// Options of a trace of several segments.
pub fn options(scenario: &str) -> Options {
    Options { events: 30_000, segment_events: 8_000, seed: 7, ..Options::new(scenario) }
}

/// Makes a trace.
pub fn made(options: &Options) -> (TempDir, Written) {
    let temp = tempfile::tempdir().unwrap();
    let written = write(&temp.path().join("trace"), options).unwrap();
    (temp, written)
}

/// A trace of a scenario, and what its table `truth` says.
pub struct Made {
    temp: TempDir,
    facts: BTreeMap<(String, String), (Option<i64>, Option<i64>)>,
}

impl Made {
    pub fn new(scenario: &str) -> Made {
        let (temp, _) = made(&options(scenario));
        let mut made = Made { temp, facts: BTreeMap::new() };
        let truth = made.table("truth");
        let (fact, subject) = (truth.text("fact"), truth.text("subject"));
        let (value, ts) = (truth.int("value"), truth.int("ts"));
        for row in 0..fact.len() {
            let key = (fact[row].clone().unwrap(), subject[row].clone().unwrap());
            let known = made.facts.insert(key.clone(), (value[row], ts[row]));
            assert_eq!(known, None, "{key:?} is told twice");
        }
        made
    }

    pub fn table(&self, name: &str) -> Table {
        let trace = Trace::open(&self.temp.path().join("trace")).unwrap();
        Table::read(&trace, name)
    }

    /// The value of a fact.
    pub fn value(&self, fact: &str, subject: &str) -> i64 {
        self.fact(fact, subject).0.unwrap()
    }

    /// The value and the moment of a fact.
    pub fn fact(&self, fact: &str, subject: &str) -> (Option<i64>, Option<i64>) {
        *self
            .facts
            .get(&(fact.to_string(), subject.to_string()))
            .unwrap_or_else(|| panic!("nothing is said of {fact} of {subject}"))
    }

    /// Whether the values of a fact are these, but for those that are 0.
    pub fn check(&self, fact: &str, found: &BTreeMap<String, i64>) {
        let told: BTreeMap<String, i64> = self
            .facts
            .iter()
            .filter(|((name, _), _)| name == fact)
            .map(|((_, subject), (value, _))| (subject.clone(), value.unwrap()))
            .collect();
        assert!(!told.is_empty(), "nothing is said of {fact}");
        for (subject, value) in &told {
            assert_eq!(found.get(subject).copied().unwrap_or(0), *value, "{fact} of {subject}");
        }
    }

    /// The stacks as they are folded, by their ids.
    pub fn stacks(&self) -> BTreeMap<i64, String> {
        let stacks = self.table("stacks");
        let ids = stacks.int("stack_id").into_iter().flatten();
        ids.zip(stacks.text("folded").into_iter().flatten()).collect()
    }

    /// Names of processes by what they are for good.
    pub fn processes(&self) -> BTreeMap<i64, String> {
        let processes = self.table("processes");
        let upids = processes.int("upid").into_iter().flatten();
        upids.zip(processes.text("comm").into_iter().flatten()).collect()
    }
}

/// All rows of a table, in the order of time.
pub struct Table(RecordBatch);

impl Table {
    fn read(trace: &Trace, name: &str) -> Table {
        let read: Vec<RecordBatch> =
            trace.files(name).iter().flat_map(|path| batches(path)).collect();
        let empty = || schema::arrow::schema(schema::tables::by_name(name).unwrap());
        let schema = read.first().map_or_else(empty, |batch| batch.schema());
        Table(concat_batches(&schema, &read).unwrap())
    }

    pub fn len(&self) -> usize {
        self.0.num_rows()
    }

    /// A column of numbers or moments.
    pub fn int(&self, name: &str) -> Vec<Option<i64>> {
        let column = self.0.column_by_name(name).unwrap();
        let column = cast(column, &DataType::Int64).unwrap();
        column.as_primitive::<Int64Type>().iter().collect()
    }

    pub fn text(&self, name: &str) -> Vec<Option<String>> {
        let column = self.0.column_by_name(name).unwrap().as_string::<i32>().clone();
        column.iter().map(|text| text.map(str::to_string)).collect()
    }
}

/// The rows of a file.
pub fn batches(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(|batch| batch.unwrap()).collect()
}

/// Sums by name.
pub fn sums(of: impl IntoIterator<Item = (String, i64)>) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    of.into_iter().for_each(|(name, value)| *sums.entry(name).or_default() += value);
    sums
}
