//! A set of traces that answers SQL.
//!
//! The engine's asynchronous calls end here: what is public blocks, is not generic, and hands out
//! Arrow batches, so that changing a caller does not compile the engine again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::utils::memory::RecordBatchMemoryCounter;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SQLOptions, SessionContext};
use store::Trace;
use tokio::runtime::Handle;

use crate::completeness::{self, Limit, Note};
use crate::constants;
use crate::derived;
use crate::diagnose;
use crate::engine::{self, Background};
use crate::error::Error;
use crate::names::Names;
use crate::params::Values;
use crate::rows::Rows;
use crate::scope::{self, Filter, Range, Scope};
use crate::shared::{self, Part};
use crate::statement::{self, Query};
use crate::tables::{self, Planner, TableInfo};

/// A kept view may take one part in so many of a session's memory.
const KEPT_SHARE: usize = 4;

/// Tables that a query reads, each with the number of its trace.
type Scans = Vec<(usize, String)>;

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
    /// What part of the recording is there; see `scope.rs`.
    pub filter: Filter,
    /// Set by another thread or a signal handler to end the running query.
    pub interrupt: Arc<AtomicBool>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions {
            memory_bytes: 1 << 30,
            partitions: 8,
            allow_files: false,
            filter: Filter::default(),
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
    scopes: Vec<Scope>,
    /// Described when somebody asks.
    tables: OnceLock<Vec<TableInfo>>,
    planners: Vec<Planner>,
    functions: Vec<String>,
    /// Views that were computed, each with the tables of traces that it was made of.
    kept: BTreeMap<String, Vec<(usize, String)>>,
    options: SessionOptions,
    interrupt: Arc<AtomicBool>,
}

/// The tables and views that every trace has, by name.
pub fn tables_of_any_trace() -> Result<Vec<TableInfo>, Error> {
    let runtime = Background::start()?;
    let context = engine::context(&SessionOptions::default())?;
    let _planners = tables::register_empty(&context)?;
    runtime.handle().block_on(tables::describe(&context))
}

impl Session {
    /// Opens `traces` as one data set.
    pub fn open(traces: Vec<Trace>, options: SessionOptions) -> Result<Session, Error> {
        let runtime = Background::start()?;
        let names = tables::trace_names(&traces);
        let scopes = vec![Scope::default(); traces.len()];
        let context = engine::context(&options)?;
        let planners = tables::register(&context, &traces, &names, &scopes);
        let planners = runtime.handle().block_on(planners)?;
        let functions = engine::function_names(&context);
        let mut session = Session {
            context,
            runtime: Mutex::new(runtime),
            traces,
            names,
            scopes,
            tables: OnceLock::new(),
            planners,
            functions,
            kept: BTreeMap::new(),
            interrupt: options.interrupt.clone(),
            options,
        };
        if !session.options.filter.is_everything() {
            session.narrow()?;
        } else if session.options.allow_files {
            session.context = session.context.enable_url_table();
        }
        Ok(session)
    }

    /// A session without traces: every table is there, and none has rows.
    pub fn empty() -> Result<Session, Error> {
        let runtime = Background::start()?;
        let options = SessionOptions::default();
        let context = engine::context(&options)?;
        let planners = tables::register_empty(&context)?;
        let functions = engine::function_names(&context);
        Ok(Session {
            context,
            runtime: Mutex::new(runtime),
            traces: Vec::new(),
            names: Vec::new(),
            scopes: Vec::new(),
            tables: OnceLock::new(),
            planners,
            functions,
            kept: BTreeMap::new(),
            interrupt: options.interrupt.clone(),
            options,
        })
    }

    /// Takes out what the filter of the options leaves out.
    fn narrow(&mut self) -> Result<(), Error> {
        let filter = &self.options.filter;
        let schemas = (0..self.traces.len()).map(|index| self.schema(index).to_string());
        let scopes: Vec<_> = schemas.map(|schema| scope::resolve(self, &schema, filter)).collect();
        // A process that is asked for may be in one of several traces only.
        if scopes.iter().all(Result::is_err)
            && let Some(Err(error)) = scopes.iter().find(|scope| scope.is_err())
        {
            return Err(error.clone());
        }
        let nothing = || Scope { processes: Some(Vec::new()), ..Scope::default() };
        self.scopes = scopes.into_iter().map(|scope| scope.unwrap_or_else(|_| nothing())).collect();
        self.register()
    }

    /// Looks at what began from one moment on and before another, in nanoseconds since 1970.
    pub fn look_at(&mut self, from: i64, to: i64) -> Result<(), Error> {
        for scope in &mut self.scopes {
            scope.range = Range { from: Some(from), to: Some(to) };
        }
        self.register()
    }

    /// Looks at what began from one moment on and before another, where they are given.
    pub(crate) fn look_from(&mut self, from: Option<i64>, to: Option<i64>) -> Result<(), Error> {
        for scope in &mut self.scopes {
            scope.range = Range { from, to };
        }
        self.register()
    }

    /// The range of time that is looked at, if it is the same for all traces.
    pub(crate) fn range(&self) -> (Option<i64>, Option<i64>) {
        let range = self.scopes.first().map(|scope| scope.range).unwrap_or_default();
        (range.from, range.to)
    }

    /// Computes a view once for all queries that follow, unless that takes too much memory. What it is made of is
    /// remembered, so that answers still say what they lack.
    pub fn keep(&mut self, view: &str) -> Result<(), Error> {
        if self.kept.contains_key(view) {
            return Ok(());
        }
        let mut rows = self.sql(&format!("SELECT * FROM {view}"))?;
        let (mut batches, mut counter) = (Vec::new(), RecordBatchMemoryCounter::new());
        for batch in rows.by_ref() {
            let batch = batch?;
            counter.count_batch(&batch);
            if counter.memory_usage() > self.options.memory_bytes / KEPT_SHARE {
                return Ok(());
            }
            batches.push(batch);
        }
        let wrong = |error| Error::View {
            name: view.to_string(),
            reason: diagnose::running(&error).to_string(),
        };
        let table = MemTable::try_new(rows.schema().clone(), vec![batches]).map_err(wrong)?;
        self.context.deregister_table(view).map_err(wrong)?;
        self.context.register_table(view, Arc::new(table)).map_err(wrong)?;
        self.kept.insert(view.to_string(), rows.scans.clone());
        Ok(())
    }

    /// Registers the tables as the scopes have them.
    fn register(&mut self) -> Result<(), Error> {
        self.kept.clear();
        self.context = engine::context(&self.options)?;
        let runtime = self.runtime()?;
        self.planners = runtime.block_on(tables::register(
            &self.context,
            &self.traces,
            &self.names,
            &self.scopes,
        ))?;
        if self.options.allow_files {
            self.context = self.context.clone().enable_url_table();
        }
        Ok(())
    }

    /// The SQL schema of a trace.
    fn schema(&self, trace: usize) -> &str {
        match self.traces.len() {
            1 => tables::PUBLIC,
            _ => &self.names[trace],
        }
    }

    /// The traces, in the order given.
    pub fn traces(&self) -> &[Trace] {
        &self.traces
    }

    /// Tables and views, by name.
    ///
    /// # Errors
    /// A view that cannot be planned.
    pub fn tables(&self) -> Result<&[TableInfo], Error> {
        if self.tables.get().is_none() {
            let tables = self.runtime()?.block_on(tables::describe(&self.context))?;
            let _ = self.tables.set(tables);
        }
        Ok(self.tables.get().map_or(&[], Vec::as_slice))
    }

    /// Names of all functions, sorted.
    pub fn functions(&self) -> &[String] {
        &self.functions
    }

    /// Parses SQL of any number of statements, separated by semicolons.
    pub fn parse(&self, sql: &str) -> Result<Vec<Query>, Error> {
        statement::parse(sql).map_err(|error| diagnose::planning(&error, sql, &self.all_names()))
    }

    /// Runs SQL of one statement.
    pub fn sql(&self, sql: &str) -> Result<Rows, Error> {
        self.sql_with(sql, &Values::new())
    }

    /// Runs SQL of one statement with values for its parameters.
    pub fn sql_with(&self, sql: &str, values: &Values) -> Result<Rows, Error> {
        match self.parse(sql)?.as_mut_slice() {
            [query] => {
                query.bind(values)?;
                self.run(query)
            }
            [] => Err(Error::Sql { message: "there is no SQL".into(), place: None }),
            _ => Err(Error::Sql {
                message: "only one statement is possible here".into(),
                place: None,
            }),
        }
    }

    /// Starts a query. Rows come as they are asked for.
    pub fn run(&self, query: &Query) -> Result<Rows, Error> {
        statement::refuse_writes(&query.statement)?;
        let runtime = self.runtime()?;
        let wrong = |error| diagnose::planning(&error, &query.sql, &self.all_names());
        let planned = runtime.block_on(async {
            let state = self.context.state();
            let plan = state.statement_to_plan(query.statement.clone()).await?;
            let only_reads = SQLOptions::new()
                .with_allow_ddl(false)
                .with_allow_dml(false)
                .with_allow_statements(false);
            only_reads.verify_plan(&plan)?;
            constants::one_host(plan, &state).await
        });
        // What is wrong is told with the names that there are: finding them needs the threads, too.
        let plan = planned.map_err(wrong)?;
        let stands_in = self.run_once_each(&plan, &wrong)?;
        let (plan, scans) = match stands_in {
            Some((plan, scans)) => (plan, scans),
            None => {
                let plan = self.context.state().optimize(&plan).map_err(wrong)?;
                let scans = self.scans(&plan);
                (plan, scans)
            }
        };
        let stream = self.stream(&plan, &wrong)?;
        Ok(Rows::start(stream, scans, self.interrupt.clone(), &runtime))
    }

    /// Starts a query that is optimized.
    fn stream(
        &self,
        plan: &LogicalPlan,
        wrong: &dyn Fn(DataFusionError) -> Error,
    ) -> Result<SendableRecordBatchStream, Error> {
        let runtime = self.runtime()?;
        let state = engine::state_for(&self.context, plan);
        let physical = state.query_planner().create_physical_plan(plan, &state);
        let physical = runtime.block_on(physical).map_err(wrong)?;
        let _within = runtime.enter();
        execute_stream(physical, state.task_ctx()).map_err(|error| diagnose::running(&error))
    }

    /// Computes what a query names several times and the values that its conditions compare with, and gives the query
    /// that is left, optimized, with all the tables that are read; none if there is nothing of that kind, or if it
    /// takes too much memory.
    fn run_once_each(
        &self,
        plan: &LogicalPlan,
        wrong: &dyn Fn(DataFusionError) -> Error,
    ) -> Result<Option<(LogicalPlan, Scans)>, Error> {
        // What explains a query shows all of it.
        if matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) {
            return Ok(None);
        }
        let (plan, parts) = shared::split(plan.clone()).map_err(wrong)?;
        let queries = shared::values(&plan).map_err(wrong)?;
        if parts.is_empty() && queries.is_empty() {
            return Ok(None);
        }
        let optimize = |plan: &LogicalPlan| self.context.state().optimize(plan).map_err(wrong);
        let mut optimized = vec![optimize(&plan)?];
        let mut columns = Vec::new();
        for part in &parts {
            let (wanted, plan) = part.wanted(optimized.iter()).map_err(wrong)?;
            optimized.push(optimize(&plan)?);
            columns.push(wanted);
        }
        let mut scans: Vec<_> = optimized.iter().flat_map(|plan| self.scans(plan)).collect();
        scans.sort();
        scans.dedup();
        let mut room = self.options.memory_bytes / KEPT_SHARE;
        let mut fill = |started: Vec<(&Part, Vec<usize>, Rows)>| {
            for (part, columns, rows) in started {
                let Some(batches) = collect(rows, &mut room)? else { return Ok(false) };
                part.table.fill(columns, batches, self.options.partitions).map_err(wrong)?;
            }
            Ok(true)
        };
        // Those run at once that do not read each other.
        let mut started: Vec<(&Part, Vec<usize>, Rows)> = Vec::new();
        for ((part, columns), plan) in parts.iter().zip(columns).zip(&optimized[1..]).rev() {
            if started.iter().any(|(other, _, _)| other.is_read_by(plan))
                && !fill(std::mem::take(&mut started))?
            {
                return Ok(None);
            }
            started.push((part, columns, self.start(plan, wrong)?));
        }
        if !fill(started)? {
            return Ok(None);
        }
        if queries.is_empty() {
            return Ok(optimized.into_iter().next().map(|plan| (plan, scans)));
        }
        let mut values = Vec::new();
        for query in queries {
            let rows = self.start(&optimize(&query)?, wrong)?;
            let Some(batches) = collect(rows, &mut room)? else { continue };
            let rows = batches.iter().find(|batch| batch.num_rows() > 0);
            // More than one row is an error, which the engine tells.
            if let Some(row) =
                rows.filter(|_| batches.iter().map(|batch| batch.num_rows()).sum::<usize>() == 1)
            {
                let value = ScalarValue::try_from_array(row.column(0), 0).map_err(wrong)?;
                values.push((query, value));
            }
        }
        let plan = shared::with_values(plan, &values).map_err(wrong)?;
        Ok(Some((optimize(&plan)?, scans)))
    }

    /// The same with its rows as the engine has them.
    fn start(
        &self,
        plan: &LogicalPlan,
        wrong: &dyn Fn(DataFusionError) -> Error,
    ) -> Result<Rows, Error> {
        let stream = self.stream(plan, wrong)?;
        Ok(Rows::start_raw(stream, self.interrupt.clone(), &self.runtime()?))
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
        for (index, trace) in self.traces.iter().enumerate() {
            let tables = rows.tables_of(index);
            let (schema, range) = (self.schema(index), self.scopes[index].range);
            notes.extend(completeness::notes(
                self,
                trace,
                schema,
                self.label(index),
                range,
                &tables,
            )?);
        }
        Ok(notes)
    }

    /// What was left out of the tables that a query reads, because the recording was asked to.
    pub fn limits(&self, rows: &Rows) -> Vec<Limit> {
        let of_trace = |(index, trace): (usize, &Trace)| {
            completeness::limits(trace, self.label(index), &rows.tables_of(index))
        };
        self.traces.iter().enumerate().flat_map(of_trace).collect()
    }

    /// Whether a trace has what fills a table, by its manifest or its files.
    pub fn is_recorded(&self, table: &str) -> bool {
        let table = schema::tables::by_name(table);
        table.is_none_or(|table| {
            self.traces.iter().any(|trace| completeness::is_recorded(trace, table))
        })
    }

    /// The first and the last moment of all traces whatever is looked at, in nanoseconds since 1970.
    pub fn whole_bounds(&self) -> Result<Option<(i64, i64)>, Error> {
        let mut all: Option<(i64, i64)> = None;
        for index in 0..self.traces.len() {
            let Some((first, last)) = scope::bounds(self, self.schema(index))? else { continue };
            all = Some(all.map_or((first, last), |(one, other)| (one.min(first), other.max(last))));
        }
        Ok(all)
    }

    /// The first and the last moment that is looked at, in nanoseconds since 1970; none if there is nothing.
    pub fn bounds(&self) -> Result<Option<(i64, i64)>, Error> {
        let mut all: Option<(i64, i64)> = None;
        for (index, scope) in self.scopes.iter().enumerate() {
            let Some((first, last)) = scope::bounds(self, self.schema(index))? else { continue };
            let first = scope.range.from.map_or(first, |from| from.max(first));
            let last = scope.range.to.map_or(last, |to| to.min(last));
            all = Some(all.map_or((first, last), |(one, other)| (one.min(first), other.max(last))));
        }
        Ok(all)
    }

    /// How a trace is called where there are several.
    fn label(&self, trace: usize) -> Option<&str> {
        (self.traces.len() > 1).then(|| self.names[trace].as_str())
    }

    /// The logical plan of a query, for those who look at what it reads and makes.
    pub(crate) fn plan(&self, query: &Query) -> Result<LogicalPlan, Error> {
        statement::refuse_writes(&query.statement)?;
        let wrong = |error| diagnose::planning(&error, &query.sql, &self.all_names());
        let planned = self.runtime()?.block_on(async {
            let state = self.context.state();
            let plan = state.statement_to_plan(query.statement.clone()).await?;
            state.optimize(&plan)
        });
        planned.map_err(wrong)
    }

    /// Which tables of which trace a plan reads.
    fn scans(&self, plan: &LogicalPlan) -> Vec<(usize, String)> {
        let mut scans = Vec::new();
        for (schema, table) in tables_read(plan) {
            if let Some(kept) = self.kept.get(&table) {
                scans.extend(kept.iter().cloned());
                continue;
            }
            let trace = self.names.iter().position(|name| *name == schema);
            let trace = trace.or((self.traces.len() == 1).then_some(0));
            scans.extend(trace.map(|trace| (trace, table)));
        }
        scans.sort();
        scans.dedup();
        scans
    }

    fn all_names(&self) -> Names {
        // For the words of an error: without them it is still told.
        let known = self.tables().unwrap_or_default();
        let tables = known.iter().map(|table| table.name.clone()).collect();
        let mut columns: Vec<String> = known
            .iter()
            .flat_map(|table| &table.columns)
            .map(|column| column.name.clone())
            .collect();
        columns.sort();
        columns.dedup();
        Names {
            tables,
            columns,
            functions: self.functions.clone(),
            are_files_allowed: self.options.allow_files,
        }
    }
}

/// The tables of the schema that a plan reads, each with its SQL schema.
pub(crate) fn tables_read(plan: &LogicalPlan) -> Vec<(String, String)> {
    let mut tables = Vec::new();
    // The visitor never fails.
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && !shared::is_part(scan.table_name.table())
        {
            let schema = scan.table_name.schema().unwrap_or(tables::PUBLIC);
            let name = scan.table_name.table();
            match derived::by_name(name) {
                Some(derived) => tables.extend(
                    derived.inputs.iter().map(|(input, _)| (schema.into(), input.to_string())),
                ),
                None => {
                    let name = name.strip_suffix("_segments").unwrap_or(name);
                    tables.push((schema.to_string(), name.to_string()));
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    tables
}

/// All rows of a query, if they take no more than `room` bytes, which is then what is left.
fn collect(rows: Rows, room: &mut usize) -> Result<Option<Vec<RecordBatch>>, Error> {
    let (mut batches, mut counter) = (Vec::new(), RecordBatchMemoryCounter::new());
    for batch in rows {
        let batch = batch?;
        // Batches of groups are parts of one, and share its memory.
        let Some(left) = room.checked_sub(counter.count_batch(&batch)) else { return Ok(None) };
        *room = left;
        batches.push(batch);
    }
    Ok(Some(batches))
}
