//! A set of traces that answers SQL.
//!
//! The engine's asynchronous calls end here: what is public blocks, is not generic, and hands out
//! Arrow batches, so that changing a caller does not compile the engine again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SQLOptions, SessionContext};
use store::Trace;
use tokio::runtime::Handle;

use crate::completeness::{self, Note};
use crate::diagnose;
use crate::engine::{self, Background};
use crate::error::Error;
use crate::names::Names;
use crate::rows::Rows;
use crate::statement::{self, Query};
use crate::tables::{self, TableInfo};

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
    are_files_allowed: bool,
    interrupt: Arc<AtomicBool>,
}

/// The tables and views that every trace has, by name.
pub fn tables_of_any_trace() -> Result<Vec<TableInfo>, Error> {
    let runtime = Background::start()?;
    let context = engine::context(&SessionOptions::default())?;
    runtime.handle().block_on(async {
        tables::register_empty(&context).await?;
        tables::describe(&context).await
    })
}

impl Session {
    /// Opens `traces` as one data set.
    pub fn open(traces: Vec<Trace>, options: SessionOptions) -> Result<Session, Error> {
        let runtime = Background::start()?;
        let mut context = engine::context(&options)?;
        let names = tables::trace_names(&traces);
        runtime.handle().block_on(tables::register(&context, &traces, &names))?;
        let tables = runtime.handle().block_on(tables::describe(&context))?;
        let functions = engine::function_names(&context);
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
            are_files_allowed: options.allow_files,
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
        statement::parse(sql).map_err(|error| diagnose::planning(&error, sql, &self.all_names()))
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
        statement::refuse_writes(&query.statement)?;
        let runtime = self.runtime()?;
        let wrong = |error| diagnose::planning(&error, &query.sql, &self.all_names());
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
        Ok(Rows::start(stream, scans, self.interrupt.clone(), &runtime))
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
        Names {
            tables,
            columns,
            functions: self.functions.clone(),
            are_files_allowed: self.are_files_allowed,
        }
    }
}
