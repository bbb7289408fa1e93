//! The same rows in the same order each time, although partitions run in parallel.
//!
//! DataFusion merges partitions in the order their batches happen to arrive. Here every such merge
//! is replaced: partitions still run at once, but their rows are handed on partition by partition.
//! As a partition is a stretch of the files in order, the result is in the order of the files. The
//! settings in `session.rs` switch off the operators that mix rows in another way.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::stream::{
    RecordBatchReceiverStreamBuilder, RecordBatchStreamAdapter,
};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties, replace_children_if_necessary,
};
use futures::StreamExt;
use tokio::sync::Semaphore;

/// Rows a partition may be ahead of the one whose turn it is, in at most so many batches: some that read have few rows
/// in a batch.
const ROWS_AHEAD: usize = 1 << 15;
const BATCHES_AHEAD: usize = 1 << 10;

/// Bytes that a column takes in a row, roughly: a number, or a text that is no part of its view.
const COLUMN_BYTES: usize = 32;

/// Replaces every merge that depends on timing.
#[derive(Debug)]
pub struct StableOrder {
    /// What may be sorted in parts: each goes to temporary files by itself when memory is short, and then takes more
    /// of it than all rows in one part.
    pub sort_bytes: usize,
    /// From so many rows on, groups are put together in parts: of few it takes longer.
    pub group_rows: usize,
}

impl PhysicalOptimizerRule for StableOrder {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let stable = plan.transform_up(|node| {
            if let Some(merge) = node.downcast_ref::<CoalescePartitionsExec>() {
                let inputs = ConcatExec::new(merge.input().clone(), merge.fetch());
                return Ok(Transformed::yes(Arc::new(inputs) as Arc<dyn ExecutionPlan>));
            }
            if let Some(merge) = node.downcast_ref::<SortPreservingMergeExec>() {
                let merge = merge.clone().with_round_robin_repartition(false);
                return Ok(Transformed::yes(Arc::new(merge) as Arc<dyn ExecutionPlan>));
            }
            if let Some(sort) = node.downcast_ref::<SortExec>()
                && sort.fetch().is_some()
                && sort.preserve_partitioning()
            {
                // Partitions that look for the first rows tell each other what is too late already;
                // which of several equal rows is kept then depends on who comes first. One that looks
                // at all rows in order may tell those who read: what comes later loses against its equal.
                let input = single(sort.input().clone());
                let sort = Arc::new(sort.clone().with_preserve_partitioning(false));
                return replace_children_if_necessary(sort, vec![input]).map(Transformed::yes);
            }
            if let Some(groups) = node.downcast_ref::<AggregateExec>()
                && let Some(groups) = grouped_in_parts(groups, self.group_rows)?
            {
                return Ok(Transformed::yes(groups));
            }
            if let Some(sort) = node.downcast_ref::<SortExec>()
                && let Some(sorted) = sorted_in_parts(sort, self.sort_bytes)?
            {
                return Ok(Transformed::yes(sorted));
            }
            Ok(Transformed::no(node))
        })?;
        Ok(single(stable.data))
    }

    fn name(&self) -> &str {
        "stable_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A sort whose partitions are sorted at once and then merged, where that gives the same rows in the same order: equal
/// rows stay in the order of their partitions.
fn sorted_in_parts(sort: &SortExec, sort_bytes: usize) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(inputs) = sort.input().downcast_ref::<ConcatExec>() else { return Ok(None) };
    let may_be_split = match sort.fetch() {
        // See above: here it does not matter which of several equal rows is kept.
        Some(_) => is_by_all_columns(sort),
        None => rows_read(&inputs.input)?.is_some_and(|rows| {
            let row_bytes = COLUMN_BYTES * sort.schema().fields().len();
            rows.saturating_mul(row_bytes) <= sort_bytes
        }),
    };
    if !may_be_split || inputs.fetch.is_some() {
        return Ok(None);
    }
    let parts = replace_children_if_necessary(Arc::new(sort.clone()), vec![inputs.input.clone()])?;
    let Some(parts) = parts.downcast_ref::<SortExec>() else { return Ok(None) };
    let parts = Arc::new(parts.clone().with_preserve_partitioning(true));
    let merge = SortPreservingMergeExec::new(sort.expr().clone(), parts)
        .with_fetch(sort.fetch())
        .with_round_robin_repartition(false);
    Ok(Some(Arc::new(merge)))
}

/// The groups that partitions found put together at once, each part of them by itself: rows of a group stay in the order
/// of their partitions, since one reader deals them out.
fn grouped_in_parts(
    groups: &AggregateExec,
    group_rows: usize,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let keys = groups.group_expr();
    let Some(inputs) = groups.input().downcast_ref::<ConcatExec>() else { return Ok(None) };
    if rows_read(&inputs.input)?.is_none_or(|rows| rows < group_rows) {
        return Ok(None);
    }
    let parts = inputs.input.output_partitioning().partition_count();
    let is_final = *groups.mode() == AggregateMode::Final && groups.limit_options().is_none();
    if !is_final || keys.expr().is_empty() || !keys.is_single() || inputs.fetch.is_some() {
        return Ok(None);
    }
    let dealt = Partitioning::Hash(keys.input_exprs(), parts);
    let dealt = RepartitionExec::try_new(groups.input().clone(), dealt)?;
    let parts = AggregateExec::try_new(
        AggregateMode::FinalPartitioned,
        keys.clone(),
        groups.aggr_expr().to_vec(),
        groups.filter_expr().to_vec(),
        Arc::new(dealt),
        groups.input_schema(),
    )?;
    Ok(Some(single(Arc::new(parts))))
}

/// Whether rows that are equal to a sort are the same.
fn is_by_all_columns(sort: &SortExec) -> bool {
    let keys = sort.expr().iter().filter_map(|key| key.expr.downcast_ref::<Column>());
    let keys: Vec<usize> = keys.map(Column::index).collect();
    (0..sort.schema().fields().len()).all(|column| keys.contains(&column))
}

/// How many rows the tables have that a plan reads, if that is known.
fn rows_read(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<usize>> {
    let mut rows = Some(0usize);
    plan.apply(|node| {
        if node.children().is_empty() {
            let read = StatisticsContext::new().compute(node.as_ref(), &StatisticsArgs::new())?;
            let known = read.num_rows.get_value().copied();
            rows = rows.zip(known).map(|(rows, known)| rows.saturating_add(known));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(rows)
}

/// `plan` with one partition.
fn single(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    match plan.output_partitioning().partition_count() {
        1 => plan,
        _ => Arc::new(ConcatExec::new(plan, None)),
    }
}

/// How many of the rows that a partition may be ahead a batch takes.
fn permits(batch: &Result<RecordBatch>) -> u32 {
    batch.as_ref().map_or(0, RecordBatch::num_rows).min(ROWS_AHEAD) as u32
}

/// Runs all partitions of its input, and hands on the rows of the first, then of the second, ...
#[derive(Debug)]
struct ConcatExec {
    input: Arc<dyn ExecutionPlan>,
    fetch: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ConcatExec {
    fn new(input: Arc<dyn ExecutionPlan>, fetch: Option<usize>) -> ConcatExec {
        // The properties of the operator it stands in for: one partition, no promised sort order.
        let properties = CoalescePartitionsExec::new(input.clone()).properties().clone();
        ConcatExec { input, fetch, properties, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for ConcatExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match self.fetch {
            Some(fetch) => write!(f, "ConcatExec: fetch={fetch}"),
            None => write!(f, "ConcatExec"),
        }
    }
}

impl ExecutionPlan for ConcatExec {
    fn name(&self) -> &str {
        "ConcatExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(ConcatExec::new(children.swap_remove(0), self.fetch)))
    }

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let partitions = 0..self.input.output_partitioning().partition_count();
        let streams: Vec<_> = partitions
            .map(|partition| {
                let mut builder =
                    RecordBatchReceiverStreamBuilder::new(schema.clone(), BATCHES_AHEAD);
                let (input, context, sender) = (self.input.clone(), context.clone(), builder.tx());
                let room = Arc::new(Semaphore::new(ROWS_AHEAD));
                let taken = room.clone();
                builder.spawn(async move {
                    let mut rows = input.execute(partition, context)?;
                    while let Some(batch) = rows.next().await {
                        let failed = batch.is_err();
                        let Ok(permit) = room.acquire_many(permits(&batch)).await else { break };
                        permit.forget();
                        // Nobody listens any more once the query has all the rows it wants.
                        if sender.send(batch).await.is_err() || failed {
                            break;
                        }
                    }
                    Ok(())
                });
                builder.build().inspect(move |batch| taken.add_permits(permits(batch) as usize))
            })
            .collect();
        let rows = futures::stream::iter(streams).flatten();
        let rows: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        let metrics = BaselineMetrics::new(&self.metrics, 0);
        Ok(match self.fetch {
            Some(fetch) => Box::pin(LimitStream::new(rows, 0, Some(fetch), metrics)),
            None => rows,
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// The plan of a query on a table of four partitions, and its rows.
    async fn answer(sql: &str, group_rows: usize) -> (String, String) {
        let mut config = SessionConfig::new().with_target_partitions(4);
        config.options_mut().optimizer.repartition_aggregations = false;
        let state = SessionStateBuilder::new().with_default_features().with_config(config);
        let order = StableOrder { sort_bytes: 0, group_rows };
        let state = state.with_physical_optimizer_rule(Arc::new(order)).build();
        let context = SessionContext::new_with_state(state);
        let table = "CREATE TABLE t AS SELECT value % 1000 AS key, value FROM range(100000)";
        context.sql(table).await.unwrap().collect().await.unwrap();
        let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
        let plan = displayable(plan.as_ref()).indent(false).to_string();
        (plan, pretty_format_batches(&rows).unwrap().to_string())
    }

    #[tokio::test]
    async fn groups_are_the_same_in_parts() {
        let sql = "SELECT key, count(*), sum(value), first_value(value), last_value(value) FROM t GROUP BY key";
        let (plan, in_parts) = answer(sql, 0).await;
        assert!(plan.contains("FinalPartitioned"), "{plan}");
        for _ in 0..5 {
            assert_eq!(answer(sql, 0).await.1, in_parts);
        }
        let sorted = format!("{sql} ORDER BY key");
        let (plan, whole) = answer(&sorted, usize::MAX).await;
        assert!(!plan.contains("FinalPartitioned"), "{plan}");
        assert_eq!(answer(&sorted, 0).await.1, whole);
    }
}
