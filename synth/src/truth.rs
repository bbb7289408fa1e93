//! What was planted: rows of the table `truth`.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use crate::columns::Columns;

/// A fact that the trace was made to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Scenario that planted it.
    pub scenario: &'static str,
    /// What it is, such as `leaked_bytes`.
    pub fact: &'static str,
    /// What it is about; parts are joined by `|`.
    pub subject: String,
    /// How much.
    pub value: Option<i64>,
    /// Unit of the value.
    pub unit: &'static str,
    /// When: UTC, ns since 1970.
    pub ts_ns: Option<i64>,
}

/// Collects the facts of a scenario.
#[derive(Default)]
pub(crate) struct Truth {
    pub facts: Vec<Fact>,
    scenario: &'static str,
}

impl Truth {
    /// What follows is of `scenario`.
    pub fn of(&mut self, scenario: &'static str) {
        self.scenario = scenario;
    }

    pub fn count(&mut self, fact: &'static str, subject: impl Into<String>, value: i64) {
        self.add(fact, subject.into(), Some(value), "count", None);
    }

    pub fn bytes(&mut self, fact: &'static str, subject: impl Into<String>, value: i64) {
        self.add(fact, subject.into(), Some(value), "bytes", None);
    }

    pub fn ns(&mut self, fact: &'static str, subject: impl Into<String>, value: i64) {
        self.add(fact, subject.into(), Some(value), "ns", None);
    }

    pub fn at(
        &mut self,
        fact: &'static str,
        subject: impl Into<String>,
        value: Option<i64>,
        unit: &'static str,
        ts_ns: i64,
    ) {
        self.add(fact, subject.into(), value, unit, Some(ts_ns));
    }

    fn add(
        &mut self,
        fact: &'static str,
        subject: String,
        value: Option<i64>,
        unit: &'static str,
        ts_ns: Option<i64>,
    ) {
        self.facts.push(Fact { scenario: self.scenario, fact, subject, value, unit, ts_ns });
    }
}

/// Sums by subject.
#[derive(Default)]
pub(crate) struct Sums(BTreeMap<String, i64>);

impl Sums {
    pub fn add(&mut self, subject: &str, value: i64) {
        match self.0.get_mut(subject) {
            Some(sum) => *sum += value,
            None => _ = self.0.insert(subject.to_string(), value),
        }
    }

    /// Adds the sums of others, as parts of `subject`.
    pub fn add_all(&mut self, subject: &str, others: Sums) {
        others.0.iter().for_each(|(part, sum)| self.add(&format!("{subject}|{part}"), *sum));
    }

    pub fn into_facts(self, truth: &mut Truth, fact: &'static str, unit: &'static str) {
        for (subject, sum) in self.0 {
            truth.add(fact, subject, Some(sum), unit, None);
        }
    }
}

/// The rows of the table.
pub(crate) fn batch(facts: &[Fact]) -> Result<RecordBatch, ArrowError> {
    let mut out = Columns::new("truth", facts.len());
    out.text("scenario", facts.iter().map(|fact| Some(fact.scenario)));
    out.text("fact", facts.iter().map(|fact| Some(fact.fact)));
    out.text("subject", facts.iter().map(|fact| Some(fact.subject.as_str())));
    out.int64("value", facts.iter().map(|fact| fact.value));
    out.text("unit", facts.iter().map(|fact| Some(fact.unit)));
    out.moment("ts", facts.iter().map(|fact| fact.ts_ns));
    out.finish()
}
