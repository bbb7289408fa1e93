//! The rows of several files, each in the order of time, as one stream in the order of time.
//!
//! Files of segments that follow each other overlap: a system call that lasts is stored when it ends,
//! with the moment it began. A file is opened when its first moment has come, and read in advance from when the one
//! before it is opened: only those are open at once that overlap, and one more.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::common::spawn_buffered;
use futures::{StreamExt, TryStreamExt};

/// Batches that are read ahead of each open file: enough that two are read at the same time.
const AHEAD: usize = 6;

/// A plan whose partitions are to be merged by time.
#[derive(Debug, Clone)]
pub struct Ordered {
    /// One partition for each file.
    plan: Arc<dyn ExecutionPlan>,
    /// The first moment of each.
    firsts: Vec<i64>,
}

impl Ordered {
    pub fn new(plan: Arc<dyn ExecutionPlan>, firsts: Vec<i64>) -> Ordered {
        Ordered { plan, firsts }
    }

    /// All rows, file by file; for a table that is small.
    pub async fn collect(&self, context: &Arc<TaskContext>) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        for file in 0..self.firsts.len() {
            let rows: Vec<_> = self.plan.execute(file, context.clone())?.try_collect().await?;
            batches.extend(rows);
        }
        Ok(batches)
    }

    /// Starts to read.
    pub fn read(&self, context: Arc<TaskContext>) -> Result<Merge> {
        let column = self.plan.schema().column_with_name("ts").map(|(index, _)| index);
        let ts =
            column.ok_or_else(|| DataFusionError::Internal("a table without time".to_string()))?;
        let files = self.firsts.iter().enumerate();
        let mut waiting: Vec<_> =
            files.map(|(file, first)| Waiting { first: *first, file, rows: None }).collect();
        waiting.sort_unstable_by_key(|waiting| (waiting.first, waiting.file));
        Ok(Merge {
            plan: self.plan.clone(),
            context,
            ts,
            waiting: waiting.into(),
            open: Vec::new(),
        })
    }
}

/// Rows that are being merged.
pub struct Merge {
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    ts: usize,
    waiting: VecDeque<Waiting>,
    open: Vec<Cursor>,
}

/// A file whose first moment has not come.
struct Waiting {
    first: i64,
    file: usize,
    /// Its rows, if it is being read in advance.
    rows: Option<SendableRecordBatchStream>,
}

/// A file that is being read.
struct Cursor {
    file: usize,
    rows: SendableRecordBatchStream,
    batch: RecordBatch,
    at: usize,
}

impl Cursor {
    fn moment(&self, ts: usize, row: usize) -> i64 {
        moments(&self.batch, ts)[row]
    }

    /// Goes on to the next batch with rows; whether there is one.
    async fn refill(&mut self) -> Result<bool> {
        while self.at == self.batch.num_rows() {
            match self.rows.next().await.transpose()? {
                Some(batch) => (self.batch, self.at) = (batch, 0),
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// The moments of a batch.
pub fn moments(batch: &RecordBatch, ts: usize) -> &[i64] {
    batch.column(ts).as_primitive::<TimestampNanosecondType>().values()
}

impl Merge {
    /// The next stretch of rows.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let head = self.open.iter().map(|cursor| cursor.moment(self.ts, cursor.at)).min();
            match self.waiting.front().map(|next| next.first) {
                Some(first) if head.is_none_or(|head| first <= head) => {
                    self.start()?;
                    let Some(Waiting { file, rows: Some(rows), .. }) = self.waiting.pop_front()
                    else {
                        return Err(DataFusionError::Internal("no rows of a file".to_string()));
                    };
                    self.start()?;
                    let batch = RecordBatch::new_empty(self.plan.schema());
                    let mut cursor = Cursor { file, rows, batch, at: 0 };
                    if cursor.refill().await? {
                        self.open.push(cursor);
                    }
                }
                _ if self.open.is_empty() => return Ok(None),
                _ => return self.stretch().await.map(Some),
            }
        }
    }

    /// Starts to read the next file, beside what is done with the rows.
    fn start(&mut self) -> Result<()> {
        if let Some(next) = self.waiting.front_mut()
            && next.rows.is_none()
        {
            let rows = self.plan.execute(next.file, self.context.clone())?;
            next.rows = Some(spawn_buffered(rows, AHEAD));
        }
        Ok(())
    }

    /// Rows of the file that is furthest behind, up to where the next one has its turn.
    async fn stretch(&mut self) -> Result<RecordBatch> {
        let ts = self.ts;
        let head = |cursor: &Cursor| (cursor.moment(ts, cursor.at), cursor.file);
        let first = (0..self.open.len()).min_by_key(|index| head(&self.open[*index]));
        let first = first.expect("one is open");
        let others = self.open.iter().enumerate().filter(|(index, _)| *index != first);
        let next = others.map(|(_, cursor)| head(cursor).0).min();
        let waiting = self.waiting.front().map(|waiting| waiting.first);
        let until = next.into_iter().chain(waiting).min();
        let cursor = &mut self.open[first];
        let rest = &moments(&cursor.batch, ts)[cursor.at..];
        let length = match until {
            Some(until) => rest.partition_point(|moment| *moment <= until).max(1),
            None => rest.len(),
        };
        let stretch = cursor.batch.slice(cursor.at, length);
        cursor.at += length;
        if !cursor.refill().await? {
            self.open.remove(first);
        }
        Ok(stretch)
    }
}
