//! Reads less where only the first rows in some order are wanted.
//!
//! What is known of the rows found so far is a condition on all that follow, which few rows meet. The engine asks it
//! last, after the conditions of the query, which have to read columns for it that nobody needs otherwise. Here it is
//! asked first, and after it what compares a number; where it is about several columns it stays the last, as those
//! would be read of all rows.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, DynamicFilterPhysicalExpr};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, conjunction, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

/// Asks first what the rows found so far rule out.
#[derive(Debug)]
pub struct FoundRowsFirst;

impl PhysicalOptimizerRule for FoundRowsFirst {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let changed = plan.transform_up(|node| match reordered(&node) {
            Some(scan) => Ok(Transformed::yes(scan)),
            None => Ok(Transformed::no(node)),
        })?;
        Ok(changed.data)
    }

    fn name(&self) -> &str {
        "found_rows_first"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The place of a condition among those on the same rows.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    FoundRows,
    Number,
    Other,
    FoundRowsBySeveral,
}

impl Turn {
    fn of(condition: &Arc<dyn PhysicalExpr>, rows: &Schema) -> Turn {
        if let Some(found) = condition.downcast_ref::<DynamicFilterPhysicalExpr>() {
            return match found.children().len() {
                1 => Turn::FoundRows,
                _ => Turn::FoundRowsBySeveral,
            };
        }
        let Some(comparison) = condition.downcast_ref::<BinaryExpr>() else { return Turn::Other };
        let is_number = comparison.left().is::<Column>()
            && comparison.left().data_type(rows).is_ok_and(|ty| ty.is_primitive())
            && collect_columns(condition).len() == 1;
        match comparison.op() {
            Operator::Gt | Operator::GtEq | Operator::Lt | Operator::LtEq if is_number => {
                Turn::Number
            }
            _ => Turn::Other,
        }
    }
}

fn reordered(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let (config, source) =
        node.downcast_ref::<DataSourceExec>()?.downcast_to_file_source::<ParquetSource>()?;
    let predicate = config.file_source().filter()?;
    let mut conditions = split_conjunction(&predicate);
    if !conditions.iter().any(|condition| condition.is::<DynamicFilterPhysicalExpr>()) {
        return None;
    }
    let rows = config.file_schema();
    conditions.sort_by_key(|condition| Turn::of(condition, rows));
    let predicate = conjunction(conditions.into_iter().cloned());
    let config = FileScanConfigBuilder::from(config.clone())
        .with_source(Arc::new(source.with_predicate(predicate)))
        .build();
    Some(DataSourceExec::from_data_source(config))
}
