//! Reads less where only the first rows in some order are wanted.
//!
//! What is known of the rows found so far is a condition on all that follow, which few rows meet. The engine asks it
//! last, after the conditions of the query, which have to read columns for it that nobody needs otherwise.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::physical_expr::expressions::DynamicFilterPhysicalExpr;
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

fn reordered(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let (config, source) =
        node.downcast_ref::<DataSourceExec>()?.downcast_to_file_source::<ParquetSource>()?;
    let predicate = config.file_source().filter()?;
    let conditions = split_conjunction(&predicate);
    let is_found = |condition: &&Arc<dyn PhysicalExpr>| {
        condition.downcast_ref::<DynamicFilterPhysicalExpr>().is_some()
    };
    let (first, rest): (Vec<_>, Vec<_>) = conditions.into_iter().partition(is_found);
    if first.is_empty() || rest.is_empty() {
        return None;
    }
    let predicate = conjunction(first.into_iter().chain(rest).cloned());
    let config = FileScanConfigBuilder::from(config.clone())
        .with_source(Arc::new(source.with_predicate(predicate)))
        .build();
    Some(DataSourceExec::from_data_source(config))
}
