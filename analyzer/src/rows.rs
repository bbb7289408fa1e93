//! The rows of a running query.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::diagnose;
use crate::error::Error;

/// How often a waiting query looks whether it was interrupted.
const INTERRUPT_CHECK: Duration = Duration::from_millis(50);

/// Batches that a query may be ahead of whoever takes its rows.
const BATCHES_AHEAD: usize = 4;

/// The rows of a query, in batches. The query runs on its own until it is some batches ahead.
pub struct Rows {
    schema: SchemaRef,
    /// Which tables of which trace the query reads.
    pub(crate) scans: Vec<(usize, String)>,
    batches: Receiver<Message>,
    /// How many batches more the query may send.
    room: Arc<Semaphore>,
    task: JoinHandle<()>,
    is_done: bool,
    interrupt: Arc<AtomicBool>,
}

/// What a running query sends.
enum Message {
    Batch(Result<RecordBatch, Error>),
    /// All rows were sent: without it, a query that was cut off would look complete.
    End,
}

/// Sends what `stream` yields until it ends, fails, or nobody listens.
async fn send_all(
    mut stream: SendableRecordBatchStream,
    sender: Sender<Message>,
    room: Arc<Semaphore>,
) {
    while let Some(batch) = stream.next().await {
        let is_last = batch.is_err();
        let batch = batch.map_err(|error| diagnose::running(&error));
        let Ok(permit) = room.acquire().await else { return };
        permit.forget();
        if sender.send(Message::Batch(batch)).is_err() || is_last {
            return;
        }
    }
    // Whoever does not listen does not need to know.
    let _ = sender.send(Message::End);
}

impl Rows {
    /// Lets `stream` run on the threads of `runtime`.
    pub(crate) fn start(
        stream: SendableRecordBatchStream,
        scans: Vec<(usize, String)>,
        interrupt: Arc<AtomicBool>,
        runtime: &Handle,
    ) -> Rows {
        let schema = plain_schema(&stream.schema());
        Rows::start_as(schema, stream, scans, interrupt, runtime)
    }

    /// The same with the types that the engine gives them.
    pub(crate) fn start_raw(
        stream: SendableRecordBatchStream,
        interrupt: Arc<AtomicBool>,
        runtime: &Handle,
    ) -> Rows {
        Rows::start_as(stream.schema(), stream, Vec::new(), interrupt, runtime)
    }

    fn start_as(
        schema: SchemaRef,
        stream: SendableRecordBatchStream,
        scans: Vec<(usize, String)>,
        interrupt: Arc<AtomicBool>,
        runtime: &Handle,
    ) -> Rows {
        let (sender, batches) = channel();
        let room = Arc::new(Semaphore::new(BATCHES_AHEAD));
        let task = runtime.spawn(send_all(stream, sender, room.clone()));
        Rows { schema, scans, batches, room, task, is_done: false, interrupt }
    }

    /// The tables of a trace that the query reads.
    pub(crate) fn tables_of(&self, trace: usize) -> Vec<&str> {
        let of_trace = self.scans.iter().filter(|(index, _)| *index == trace);
        of_trace.map(|(_, table)| table.as_str()).collect()
    }

    /// Names and types of the columns. Text is always `Utf8`.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_done {
            if self.interrupt.load(Ordering::Relaxed) {
                self.is_done = true;
                return Some(Err(Error::Interrupted));
            }
            // Not the runtime's clock: it stands still while all its threads are busy.
            match self.batches.recv_timeout(INTERRUPT_CHECK) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Batch(Ok(batch))) => {
                    self.room.add_permits(1);
                    return Some(plain_batch(&batch, &self.schema));
                }
                Ok(Message::Batch(Err(error))) => {
                    self.is_done = true;
                    return Some(Err(error));
                }
                Ok(Message::End) => self.is_done = true,
                Err(RecvTimeoutError::Disconnected) => {
                    self.is_done = true;
                    return Some(Err(Error::Run(
                        "the query ended before all rows were there".into(),
                    )));
                }
            }
        }
        None
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One type for text whichever way the engine holds it.
fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let ty = match field.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
            DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
            DataType::Dictionary(_, values)
                if matches!(**values, DataType::Utf8 | DataType::Utf8View) =>
            {
                DataType::Utf8
            }
            other => other.clone(),
        };
        Field::new(field.name(), ty, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn plain_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, Error> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let batch = columns.collect::<Result<Vec<_>, _>>().and_then(|columns| {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(schema.clone(), columns, &options)
    });
    batch.map_err(|error| Error::Run(error.to_string()))
}
