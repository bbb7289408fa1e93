//! What a filter says of a column is used above it.
//!
//! Where a filter leaves only the calls of `openat`, the column with their name is a constant for everything that reads
//! these rows: functions of it may need fewer columns then, and [`ConstantKeys`](crate::constants::ConstantKeys) groups
//! and sorts by one column less.

use std::collections::HashMap;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, Filter, LogicalPlan, Operator, Projection, lit,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// Puts constants in the place of columns that a filter compares with them.
#[derive(Debug)]
pub struct FilteredConstants;

type Known = HashMap<Column, ScalarValue>;

impl OptimizerRule for FilteredConstants {
    fn name(&self) -> &str {
        "filtered_constants"
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
            LogicalPlan::Filter(filter) => in_filter(filter),
            LogicalPlan::Projection(projection) => in_projection(projection),
            _ => Ok(Transformed::no(plan)),
        }
    }
}

/// The other conditions of the same filter.
fn in_filter(filter: Filter) -> Result<Transformed<LogicalPlan>> {
    let schema = filter.input.schema();
    let known = known(&filter.predicate, schema);
    let mut is_changed = false;
    let mut conditions = Vec::new();
    for condition in split_conjunction(&filter.predicate) {
        if equality(condition, schema).is_some() {
            conditions.push(condition.clone());
            continue;
        }
        let placed = placed(condition.clone(), &known)?;
        is_changed |= placed.transformed;
        conditions.push(placed.data);
    }
    if !is_changed {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    }
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?)))
}

/// What is made of the rows that are left.
fn in_projection(projection: Projection) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Filter(filter) = projection.input.as_ref() else {
        return Ok(Transformed::no(LogicalPlan::Projection(projection)));
    };
    let known = known(&filter.predicate, filter.input.schema());
    let names = NamePreserver::new_for_projection();
    let mut is_changed = false;
    let mut columns = Vec::new();
    for column in &projection.expr {
        let name = names.save(column);
        let placed = placed(column.clone(), &known)?;
        is_changed |= placed.transformed;
        columns.push(name.restore(placed.data));
    }
    if !is_changed {
        return Ok(Transformed::no(LogicalPlan::Projection(projection)));
    }
    Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(columns, projection.input)?)))
}

fn placed(expr: Expr, known: &Known) -> Result<Transformed<Expr>> {
    expr.transform_up(|expr| match &expr {
        Expr::Column(column) => Ok(match known.get(column) {
            Some(value) => Transformed::yes(lit(value.clone())),
            None => Transformed::no(expr),
        }),
        _ => Ok(Transformed::no(expr)),
    })
}

/// The columns that have one value in all rows for which a condition holds.
fn known(predicate: &Expr, schema: &DFSchema) -> Known {
    split_conjunction(predicate)
        .into_iter()
        .filter_map(|condition| equality(condition, schema))
        .map(|(column, value)| (column.clone(), value.clone()))
        .collect()
}

/// The value that a filter leaves in a column, by its place.
pub fn filtered_value(filter: &Filter, at: usize) -> Option<ScalarValue> {
    let schema = filter.input.schema();
    let column = Column::from(schema.qualified_field(at));
    known(&filter.predicate, schema).remove(&column)
}

/// The column and the value, if a condition says that they are equal, which for these types is the same value.
fn equality<'a>(condition: &'a Expr, schema: &DFSchema) -> Option<(&'a Column, &'a ScalarValue)> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else {
        return None;
    };
    let (column, value) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(value, _)) => (column, value),
        (Expr::Literal(value, _), Expr::Column(column)) => (column, value),
        _ => return None,
    };
    let kind = Expr::Column(column.clone()).get_type(schema).ok()?;
    let is_exact = kind.is_string() || kind.is_integer();
    (is_exact && !value.is_null() && value.data_type() == kind).then_some((column, value))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::constants::ConstantKeys;

    /// The optimized plan of a query on a table of names and numbers, and its rows.
    async fn answer(sql: &str) -> (String, String) {
        let state = SessionStateBuilder::new().with_default_features();
        let state = state.with_optimizer_rule(Arc::new(ConstantKeys));
        let state = state.with_optimizer_rule(Arc::new(FilteredConstants)).build();
        let context = SessionContext::new_with_state(state);
        let table = "CREATE TABLE t AS SELECT * FROM (VALUES ('a', 1, 1.0), ('a', 2, -0.0), ('b', 2, 0.0), (NULL, 3, 4.0)) AS v(name, n, x)";
        context.sql(table).await.unwrap().collect().await.unwrap();
        let plan = context.sql(sql).await.unwrap().into_optimized_plan().unwrap();
        let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
        (plan.display_indent().to_string(), pretty_format_batches(&rows).unwrap().to_string())
    }

    #[tokio::test]
    async fn what_is_compared_with_a_constant_is_one() {
        let (plan, rows) = answer(
            "SELECT name, n, concat(name, 'x') AS both, count(*) AS rows FROM t \
             WHERE name LIKE 'a' AND concat(name, n) <> 'a2' GROUP BY name, n, concat(name, 'x')",
        )
        .await;
        assert!(plan.contains("groupBy=[[t.n]]"), "{plan}");
        assert!(rows.contains("| a    | 1 | ax   | 1    |"), "{rows}");
        assert!(!rows.contains("a    | 2") && !rows.contains("| b  "), "{rows}");
    }

    #[tokio::test]
    async fn a_number_with_two_zeros_stays_a_column() {
        let (plan, rows) = answer("SELECT x FROM t WHERE x = 0.0 ORDER BY n, name").await;
        assert!(plan.contains("Projection: t.x"), "{plan}");
        assert!(rows.contains("| -0.0 |"), "{rows}");
    }

    #[tokio::test]
    async fn one_of_several_values_is_no_constant() {
        let sql = "SELECT name, count(*) AS rows FROM t WHERE name = 'a' OR name = 'b' GROUP BY name ORDER BY name";
        let (_, rows) = answer(sql).await;
        assert!(rows.contains("| a    | 2    |") && rows.contains("| b    | 1    |"), "{rows}");
    }
}
