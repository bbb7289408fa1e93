//! What all rows have in common is not read, compared or hashed.
//!
//! Every row says which machine it is from, and every view and report joins and groups by it, since there may be
//! several. In most traces there is one, which the footers of the files say: [`one_host`] puts it as a constant in the
//! place of the column, and [`ConstantKeys`] takes constants out of what is joined, grouped and sorted by.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::{TableProvider, source_as_provider};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Aggregate, Expr, Join, JoinType, LogicalPlan, Projection, Sort, TableScan, lit,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use crate::derived::PassTable;
use crate::files::FilesTable;
use crate::known::filtered_value;

/// The column that says which machine a row is from.
const HOST: &str = "host";

/// `plan` with the machine as a constant where a table has rows of one only.
pub async fn one_host(plan: LogicalPlan, session: &dyn Session) -> Result<LogicalPlan> {
    let mut tables = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
        {
            tables.push(provider);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut hosts = HashMap::new();
    for provider in &tables {
        if let Some(host) = host_of(provider.as_ref(), session).await? {
            hosts.insert(address(provider), host);
        }
    }
    let placed = plan.transform_down_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        let provider = source_as_provider(&scan.source);
        let host = provider.ok().and_then(|provider| hosts.get(&address(&provider)));
        let Some(host) = host.filter(|_| scan.projection.is_none()) else {
            return Ok(Transformed::no(node));
        };
        let columns = with_constant(scan, host);
        let placed = LogicalPlan::Projection(Projection::try_new(columns, Arc::new(node))?);
        Ok(Transformed::new(placed, true, TreeNodeRecursion::Jump))
    })?;
    Ok(placed.data)
}

fn address(provider: &Arc<dyn TableProvider>) -> usize {
    Arc::as_ptr(provider).cast::<()>().addr()
}

async fn host_of(table: &dyn TableProvider, session: &dyn Session) -> Result<Option<ScalarValue>> {
    if let Some(files) = table.downcast_ref::<FilesTable>() {
        return files.only_value(session, HOST).await;
    }
    // A computed table has the machine of its first input.
    match table.downcast_ref::<PassTable>().and_then(|table| table.inputs.first()) {
        Some(input) => input.files.only_value(session, HOST).await,
        None => Ok(None),
    }
}

/// The columns of a table, with a constant for the machine.
fn with_constant(scan: &TableScan, host: &ScalarValue) -> Vec<Expr> {
    let fields = scan.projected_schema.iter();
    let columns = fields.map(|(table, field)| match field.name() == HOST {
        true => lit(host.clone()).alias_qualified(table.cloned(), HOST),
        false => Expr::Column(Column::new(table.cloned(), field.name())),
    });
    columns.collect()
}

/// Joins, groups and sorts without the keys that are the same in all rows.
#[derive(Debug)]
pub struct ConstantKeys;

impl OptimizerRule for ConstantKeys {
    fn name(&self) -> &str {
        "constant_keys"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Join(join) => join_by_others(join),
            LogicalPlan::Aggregate(aggregate) => group_by_others(aggregate),
            LogicalPlan::Sort(sort) => sort_by_others(sort),
            _ => Ok(Transformed::no(plan)),
        }
    }
}

fn join_by_others(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let is_constant = |(left, right): &(Expr, Expr)| {
        let value = value_of(&join.left, left);
        value.is_some() && value == value_of(&join.right, right)
    };
    let on: Vec<_> = join.on.iter().filter(|pair| !is_constant(pair)).cloned().collect();
    // Without any key it would be another kind of join.
    if on.is_empty() || on.len() == join.on.len() {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    join.on = on;
    Ok(Transformed::yes(LogicalPlan::Join(join)))
}

fn group_by_others(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let groups = &aggregate.group_expr;
    if groups.iter().any(|group| matches!(group, Expr::GroupingSet(_))) {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let values: Vec<_> = groups.iter().map(|group| value_of(&aggregate.input, group)).collect();
    // Without any key there would be a row where there are none.
    if values.iter().all(Option::is_some) || values.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let others = groups.iter().zip(&values).filter(|(_, value)| value.is_none());
    let others = others.map(|(group, _)| group.clone()).collect();
    let columns = aggregate.schema.iter().enumerate().map(|(at, (table, field))| {
        match values.get(at).and_then(Option::as_ref) {
            Some(value) => lit(value.clone()).alias_qualified(table.cloned(), field.name()),
            None => Expr::Column(Column::new(table.cloned(), field.name())),
        }
    });
    let columns = columns.collect();
    let grouped = Aggregate::try_new(aggregate.input, others, aggregate.aggr_expr)?;
    let grouped = Arc::new(LogicalPlan::Aggregate(grouped));
    Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(columns, grouped)?)))
}

fn sort_by_others(mut sort: Sort) -> Result<Transformed<LogicalPlan>> {
    let (count, input) = (sort.expr.len(), &sort.input);
    let others = sort.expr.iter().filter(|key| value_of(input, &key.expr).is_none());
    let others: Vec<_> = others.cloned().collect();
    // Without any key it would be no sort, which also says how many rows there are to be.
    if others.is_empty() || others.len() == count {
        return Ok(Transformed::no(LogicalPlan::Sort(sort)));
    }
    sort.expr = others;
    Ok(Transformed::yes(LogicalPlan::Sort(sort)))
}

/// The value that an expression has in all rows of a plan, if it is a known one.
fn value_of(plan: &LogicalPlan, expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()).filter(|value| !value.is_null()),
        Expr::Alias(alias) => value_of(plan, &alias.expr),
        Expr::Column(column) => column_value(plan, plan.schema().maybe_index_of_column(column)?),
        _ => None,
    }
}

/// The same of a column by its place.
fn column_value(plan: &LogicalPlan, at: usize) -> Option<ScalarValue> {
    match plan {
        LogicalPlan::Projection(projection) => {
            value_of(&projection.input, projection.expr.get(at)?)
        }
        LogicalPlan::Aggregate(aggregate) => {
            value_of(&aggregate.input, aggregate.group_expr.get(at)?)
        }
        LogicalPlan::SubqueryAlias(alias) => column_value(&alias.input, at),
        LogicalPlan::Filter(filter) => {
            filtered_value(filter, at).or_else(|| column_value(&filter.input, at))
        }
        LogicalPlan::Sort(sort) => column_value(&sort.input, at),
        LogicalPlan::Limit(limit) => column_value(&limit.input, at),
        LogicalPlan::Window(window) if at < window.input.schema().fields().len() => {
            column_value(&window.input, at)
        }
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            match join.join_type {
                JoinType::Inner if at >= left => column_value(&join.right, at - left),
                JoinType::Inner | JoinType::Left if at < left => column_value(&join.left, at),
                JoinType::LeftSemi | JoinType::LeftAnti => column_value(&join.left, at),
                JoinType::Right if at >= left => column_value(&join.right, at - left),
                JoinType::RightSemi | JoinType::RightAnti => column_value(&join.right, at),
                _ => None,
            }
        }
        LogicalPlan::Union(union) => {
            let mut values = union.inputs.iter().map(|input| column_value(input, at));
            let first = values.next()??;
            values.all(|value| value.as_ref() == Some(&first)).then_some(first)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// The optimized plan of a query whose tables `one` and `two` have a constant column `host`, and its rows.
    async fn answer(sql: &str) -> (String, String) {
        let state = SessionStateBuilder::new().with_default_features();
        let state = state.with_optimizer_rule(Arc::new(ConstantKeys)).build();
        let context = SessionContext::new_with_state(state);
        for table in ["one", "two"] {
            let sql =
                format!("CREATE VIEW {table} AS SELECT 'a' AS host, value AS n FROM range(4)");
            context.sql(&sql).await.unwrap().collect().await.unwrap();
        }
        let plan = context.sql(sql).await.unwrap().into_optimized_plan().unwrap();
        let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
        (plan.display_indent().to_string(), pretty_format_batches(&rows).unwrap().to_string())
    }

    #[tokio::test]
    async fn what_all_rows_share_is_no_key() {
        let sql = "SELECT l.host, l.n, count(*) AS rows FROM one l LEFT JOIN two r ON l.host = r.host AND l.n = r.n \
                   GROUP BY l.host, l.n ORDER BY l.host, l.n LIMIT 1";
        let (plan, rows) = answer(sql).await;
        assert!(plan.contains("Left Join: l.n = r.n\n"), "{plan}");
        assert!(plan.contains("groupBy=[[l.n]]"), "{plan}");
        assert!(plan.contains("Sort: l.n ASC NULLS LAST, fetch=1"), "{plan}");
        assert!(rows.contains("| a    | 0 | 1    |"), "{rows}");
    }

    #[tokio::test]
    async fn one_key_is_left() {
        let sql = "SELECT l.host, count(*) AS rows FROM one l JOIN two r ON l.host = r.host WHERE l.n > 9 GROUP BY l.host";
        let (_, rows) = answer(sql).await;
        assert!(!rows.contains("| a"), "there is no group without rows: {rows}");
    }

    #[tokio::test]
    async fn what_an_outer_join_may_make_null_is_no_constant() {
        let sql = "SELECT r.host, count(*) AS rows FROM one l LEFT JOIN two r ON l.n = r.n + 2 GROUP BY r.host, l.n > 9 \
                   ORDER BY 1";
        let (_, rows) = answer(sql).await;
        assert!(rows.contains("| a    | 2    |") && rows.contains("|      | 2    |"), "{rows}");
    }
}
