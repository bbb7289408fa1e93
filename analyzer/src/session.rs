//! A set of traces that answers SQL.
//!
//! The engine's asynchronous calls end here: what is public blocks, is not generic, and hands out
//! Arrow batches, so that changing a caller does not compile the engine again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use futures::StreamExt;
use store::Trace;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::completeness::{self, Note};
use crate::diagnose::{self, Names};
use crate::error::Error;
use crate::order::StableOrder;
use crate::tables::{self, TableInfo};

/// How often a waiting query looks whether it was interrupted.
const INTERRUPT_CHECK: Duration = Duration::from_millis(50);

/// Batches that a query may be ahead of whoever takes its rows.
const BATCHES_AHEAD: usize = 4;

/// How a session runs queries.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Bytes a query may hold in memory; sorts and groupings beyond that go to temporary files.
    pub memory_bytes: usize,
    /// Parts that a query is split into to run at once. A sum of floating-point numbers and the order
    /// of equal rows depend on it, so it is not the number of CPUs.
    pub partitions: usize,
    /// Whether SQL may name files outside the trace.
    pub allow_files: bool,
    /// Set by another thread or a signal handler to end the running query.
    pub interrupt: Arc<AtomicBool>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions {
            memory_bytes: 1 << 30,
            partitions: 8,
            allow_files: false,
            interrupt: Arc::new(AtomicBool::new(false)),
        }
    }
}

/// Traces opened for queries.
pub struct Session {
    context: SessionContext,
    runtime: Mutex<Background>,
    traces: Vec<Trace>,
    names: Vec<String>,
    tables: Vec<TableInfo>,
    functions: Vec<String>,
    interrupt: Arc<AtomicBool>,
}

/// One parsed SQL statement.
#[derive(Debug, Clone)]
pub struct Query {
    statement: Statement,
}

impl Session {
    /// Opens `traces` as one data set.
    pub fn open(traces: Vec<Trace>, options: SessionOptions) -> Result<Session, Error> {
        let runtime = Background::start()?;
        let mut context = context(&options)?;
        let names = tables::trace_names(&traces);
        runtime.handle().block_on(tables::register(&context, &traces, &names))?;
        let tables = runtime.handle().block_on(tables::describe(&context))?;
        let functions = function_names(&context);
        if options.allow_files {
            context = context.enable_url_table();
        }
        Ok(Session {
            context,
            runtime: Mutex::new(runtime),
            traces,
            names,
            tables,
            functions,
            interrupt: options.interrupt,
        })
    }

    /// The traces, in the order given.
    pub fn traces(&self) -> &[Trace] {
        &self.traces
    }

    /// Tables and views, by name.
    pub fn tables(&self) -> &[TableInfo] {
        &self.tables
    }

    /// Names of all functions, sorted.
    pub fn functions(&self) -> &[String] {
        &self.functions
    }

    /// Parses SQL of any number of statements, separated by semicolons.
    pub fn parse(&self, sql: &str) -> Result<Vec<Query>, Error> {
        let parser = DFParserBuilder::new(sql).with_dialect(&GenericDialect {}).build();
        let statements = parser.and_then(|mut parser| parser.parse_statements());
        let statements =
            statements.map_err(|error| diagnose::planning(&error, &self.all_names()))?;
        Ok(statements.into_iter().map(|statement| Query { statement }).collect())
    }

    /// Runs SQL of one statement.
    pub fn sql(&self, sql: &str) -> Result<Rows, Error> {
        match self.parse(sql)?.as_slice() {
            [query] => self.run(query),
            [] => Err(Error::Sql { message: "there is no SQL".into(), place: None }),
            _ => Err(Error::Sql {
                message: "only one statement is possible here".into(),
                place: None,
            }),
        }
    }

    /// Starts a query. Rows come as they are asked for.
    pub fn run(&self, query: &Query) -> Result<Rows, Error> {
        refuse_writes(&query.statement)?;
        let runtime = self.runtime()?;
        let wrong = |error| diagnose::planning(&error, &self.all_names());
        let (stream, scans) = runtime.block_on(async {
            let state = self.context.state();
            let plan = state.statement_to_plan(query.statement.clone()).await.map_err(wrong)?;
            let only_reads = SQLOptions::new()
                .with_allow_ddl(false)
                .with_allow_dml(false)
                .with_allow_statements(false);
            only_reads.verify_plan(&plan).map_err(wrong)?;
            let plan = state.optimize(&plan).map_err(wrong)?;
            let scans = self.scans(&plan);
            let physical =
                state.query_planner().create_physical_plan(&plan, &state).await.map_err(wrong)?;
            let stream = execute_stream(physical, state.task_ctx())
                .map_err(|error| diagnose::running(&error))?;
            Ok::<_, Error>((stream, scans))
        })?;
        let schema = plain_schema(&stream.schema());
        let (sender, batches) = std::sync::mpsc::channel();
        let room = Arc::new(Semaphore::new(BATCHES_AHEAD));
        let task = runtime.spawn(send_all(stream, sender, room.clone()));
        let interrupt = self.interrupt.clone();
        Ok(Rows { schema, scans, batches, room, task, is_done: false, interrupt })
    }

    /// Threads for the next query. Those of an interrupted one may be busy with it for long.
    fn runtime(&self) -> Result<Handle, Error> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if self.interrupt.swap(false, Ordering::Relaxed) {
            *runtime = Background::start()?;
        }
        Ok(runtime.handle().clone())
    }

    /// What the tables lack that a query reads.
    pub fn notes(&self, rows: &Rows) -> Result<Vec<Note>, Error> {
        let mut notes = Vec::new();
        for (index, (trace, name)) in self.traces.iter().zip(&self.names).enumerate() {
            let scans = rows.scans.iter().filter(|(trace, _)| *trace == index);
            let tables: Vec<&str> = scans.map(|(_, table)| table.as_str()).collect();
            let (schema, label) = match self.traces.len() {
                1 => (tables::PUBLIC, None),
                _ => (name.as_str(), Some(name.as_str())),
            };
            notes.extend(completeness::notes(self, trace, schema, label, &tables)?);
        }
        Ok(notes)
    }

    /// Which tables of which trace a plan reads.
    fn scans(&self, plan: &LogicalPlan) -> Vec<(usize, String)> {
        let mut scans = Vec::new();
        // The visitor never fails.
        let _ = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                let schema = scan.table_name.schema().unwrap_or(tables::PUBLIC);
                let trace = self.names.iter().position(|name| name == schema).or((self
                    .traces
                    .len()
                    == 1)
                    .then_some(0));
                scans.extend(trace.map(|trace| (trace, scan.table_name.table().to_string())));
            }
            Ok(TreeNodeRecursion::Continue)
        });
        scans.sort();
        scans.dedup();
        scans
    }

    fn all_names(&self) -> Names {
        let tables = self.tables.iter().map(|table| table.name.clone()).collect();
        let mut columns: Vec<String> = self
            .tables
            .iter()
            .flat_map(|table| &table.columns)
            .map(|column| column.name.clone())
            .collect();
        columns.sort();
        columns.dedup();
        Names { tables, columns, functions: self.functions.clone() }
    }
}

/// The engine's threads. A query that was interrupted may not notice for long; nobody waits for it.
struct Background(Option<Runtime>);

impl Background {
    fn start() -> Result<Background, Error> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("query").build();
        runtime
            .map(|runtime| Background(Some(runtime)))
            .map_err(|error| Error::Run(format!("cannot start threads: {error}")))
    }

    fn handle(&self) -> &Handle {
        self.0.as_ref().map(Runtime::handle).expect("there until dropped")
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// An engine whose results do not depend on timing; see `order.rs`.
fn context(options: &SessionOptions) -> Result<SessionContext, Error> {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema("ebrec", tables::PUBLIC)
        .with_information_schema(true)
        .with_target_partitions(options.partitions);
    let settings = config.options_mut();
    settings.sql_parser.collect_spans = true;
    // A sort in parts that each go to temporary files runs out of memory where one part does not.
    settings.optimizer.repartition_sorts = false;
    settings.execution.enable_file_stream_work_stealing = false;
    settings.optimizer.enable_round_robin_repartition = false;
    settings.optimizer.repartition_aggregations = false;
    settings.optimizer.repartition_joins = false;
    settings.optimizer.repartition_windows = false;
    settings.optimizer.enable_topk_dynamic_filter_pushdown = false;
    let env = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)))
        .build_arc()
        .map_err(|error| diagnose::running(&error))?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(env)
        .with_default_features()
        .with_physical_optimizer_rule(Arc::new(StableOrder))
        .build();
    Ok(SessionContext::new_with_state(state))
}

fn function_names(context: &SessionContext) -> Vec<String> {
    let state = context.state();
    let mut names: Vec<String> = state.scalar_functions().keys().cloned().collect();
    names.extend(state.aggregate_functions().keys().cloned());
    names.extend(state.window_functions().keys().cloned());
    names.sort();
    names.dedup();
    names
}

/// Refuses by the first word what could do more than read; the plan is verified as well.
fn refuse_writes(statement: &Statement) -> Result<(), Error> {
    let refused = |text: String| {
        let word = text.split_whitespace().next().unwrap_or_default().to_uppercase();
        Err(Error::NotAllowed(word))
    };
    match statement {
        Statement::Explain(explain) => refuse_writes(&explain.statement),
        Statement::Statement(sql) => match sql.as_ref() {
            SqlStatement::Query(_)
            | SqlStatement::Explain { .. }
            | SqlStatement::ExplainTable { .. }
            | SqlStatement::ShowTables { .. }
            | SqlStatement::ShowColumns { .. }
            | SqlStatement::ShowFunctions { .. }
            | SqlStatement::ShowVariable { .. } => Ok(()),
            other => refused(other.to_string()),
        },
        other => refused(other.to_string()),
    }
}

/// The rows of a query, in batches. The query runs on its own until it is some batches ahead.
pub struct Rows {
    schema: SchemaRef,
    scans: Vec<(usize, String)>,
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
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(schema.clone(), columns, &options)
    });
    batch.map_err(|error| Error::Run(error.to_string()))
}
