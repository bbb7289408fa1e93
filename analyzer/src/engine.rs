//! The SQL engine as sessions use it: its settings and its threads.

use std::sync::Arc;

use datafusion::common::tree_node::TreeNode;
use datafusion::execution::SessionState;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use tokio::runtime::{Handle, Runtime};

use crate::constants::ConstantKeys;
use crate::diagnose;
use crate::error::Error;
use crate::first_rows::FoundRowsFirst;
use crate::functions::TextExtremes;
use crate::known::FilteredConstants;
use crate::local::LocalFiles;
use crate::order::StableOrder;
use crate::session::SessionOptions;
use crate::tables;
use crate::text_list::TextLists;

/// Rows from which on groups are put together in parts.
const GROUP_ROWS: usize = 1 << 21;

/// The engine's threads. A query that was interrupted may not notice for long; nobody waits for it.
pub struct Background(Option<Runtime>);

impl Background {
    pub fn start() -> Result<Background, Error> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("query").build();
        runtime
            .map(|runtime| Background(Some(runtime)))
            .map_err(|error| Error::Run(format!("cannot start threads: {error}")))
    }

    pub fn handle(&self) -> &Handle {
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
pub fn context(options: &SessionOptions) -> Result<SessionContext, Error> {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(tables::SCOPED, tables::PUBLIC)
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
    // Conditions of reports leave few rows: these are held in memory for a join rather than a whole table.
    settings.optimizer.default_filter_selectivity = 10;
    let env = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)))
        .build_arc()
        .map_err(|error| diagnose::running(&error))?;
    let url = ObjectStoreUrl::local_filesystem();
    env.register_object_store(url.as_ref(), Arc::new(LocalFiles::new()));
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(env)
        .with_default_features()
        .with_optimizer_rule(Arc::new(FilteredConstants))
        .with_optimizer_rule(Arc::new(ConstantKeys))
        .with_optimizer_rule(Arc::new(TextExtremes::new()))
        .with_physical_optimizer_rule(Arc::new(FoundRowsFirst))
        .with_physical_optimizer_rule(Arc::new(TextLists))
        .with_physical_optimizer_rule(Arc::new(StableOrder {
            sort_bytes: options.memory_bytes / 2,
            group_rows: GROUP_ROWS,
        }))
        .build();
    Ok(SessionContext::new_with_state(state))
}

/// The state to plan a query with. Where only the first rows in some order are wanted, other columns are read of those
/// rows alone that may be among them; elsewhere that costs more than it saves.
pub fn state_for(context: &SessionContext, plan: &LogicalPlan) -> SessionState {
    let mut state = context.state();
    let is_first_rows =
        |node: &LogicalPlan| matches!(node, LogicalPlan::Sort(sort) if sort.fetch.is_some());
    if plan.exists(|node| Ok(is_first_rows(node))).unwrap_or(false) {
        state.config_mut().options_mut().execution.parquet.pushdown_filters = true;
    }
    state
}

/// Names of all functions, sorted.
pub fn function_names(context: &SessionContext) -> Vec<String> {
    let state = context.state();
    let mut names: Vec<String> = state.scalar_functions().keys().cloned().collect();
    names.extend(state.aggregate_functions().keys().cloned());
    names.extend(state.window_functions().keys().cloned());
    names.sort();
    names.dedup();
    names
}
