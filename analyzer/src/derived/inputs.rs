//! What a computed table reads.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Schema;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::TryStreamExt;

use super::Columns;
use super::ordered::Ordered;
use crate::files::FilesTable;
use crate::text_list::with_text_lists;

/// A table of a trace, and which of its rows are looked at.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its files.
    pub files: Arc<FilesTable>,
    /// The condition that its rows must meet.
    pub condition: Option<Expr>,
    /// What is read of them.
    pub columns: Columns,
}

impl Input {
    /// The columns that are read of those that `is_wanted` is true for, and those that the condition is about.
    fn projection(&self, is_wanted: &dyn Fn(&str) -> bool) -> Result<Vec<usize>> {
        let schema = self.files.schema();
        let is_read = |name: &str| match self.columns {
            Columns::All => is_wanted(name),
            Columns::Only(names) => names.contains(&name) && is_wanted(name),
        };
        let names = schema.fields().iter().map(|field| field.name());
        let read = names.enumerate().filter(|(_, name)| is_read(name));
        let mut columns: Vec<usize> = read.map(|(column, _)| column).collect();
        for column in self.condition.iter().flat_map(Expr::column_refs) {
            columns.push(schema.index_of(&column.name)?);
        }
        columns.sort_unstable();
        columns.dedup();
        Ok(columns)
    }

    /// A plan with one partition for each file.
    async fn by_file(
        &self,
        session: &dyn Session,
        columns: &Vec<usize>,
        rows: Option<Expr>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = self.files.scan_by_file(session, Some(columns)).await?;
        let conditions = self.condition.clone().into_iter().chain(rows);
        let Some(condition) = conditions.reduce(Expr::and) else { return Ok(plan) };
        let schema = DFSchema::try_from(plan.schema())?;
        let condition = session.create_physical_expr(condition, &schema)?;
        let condition = with_text_lists(&condition, &plan.schema())?.data;
        Ok(Arc::new(FilterExec::try_new(condition, plan)?))
    }

    /// The rows that meet `condition`, in any order, with the columns of `schema`.
    pub async fn rows(
        &self,
        session: &dyn Session,
        schema: &Schema,
        condition: Expr,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let condition = self.condition.clone().map_or(condition.clone(), |own| own.and(condition));
        let asked = condition.column_refs();
        let is_read = |name: &str| {
            schema.column_with_name(name).is_some()
                || asked.iter().any(|column| column.name() == name)
        };
        let columns = self.projection(&is_read)?;
        let plan = self.files.scan(session, Some(&columns), &[], None).await?;
        let condition =
            session.create_physical_expr(condition, &DFSchema::try_from(plan.schema())?)?;
        let condition = with_text_lists(&condition, &plan.schema())?.data;
        let rows = plan.schema();
        let columns = schema.fields().iter().map(|field| {
            let column = Column::new_with_schema(field.name(), &rows)?;
            Ok(ProjectionExpr { expr: Arc::new(column), alias: field.name().clone() })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let filter = Arc::new(FilterExec::try_new(condition, plan)?);
        Ok(Arc::new(ProjectionExec::try_new(columns, filter)?))
    }

    /// Whether a condition holds for all texts of these columns.
    pub async fn all_texts(
        &self,
        session: &dyn Session,
        columns: &'static [&'static str],
        holds: fn(&str) -> bool,
    ) -> Result<bool> {
        let read = self.projection(&|name| columns.contains(&name))?;
        let plan = self.files.scan_by_file(session, Some(&read)).await?;
        let partitions = 0..plan.output_partitioning().partition_count();
        let look = |partition| {
            let (plan, context) = (plan.clone(), session.task_ctx());
            SpawnedTask::spawn(async move {
                let mut rows = plan.execute(partition, context)?;
                while let Some(batch) = rows.try_next().await? {
                    // Those that the input's own condition is about are read as well.
                    let texts = columns.iter().filter_map(|name| batch.column_by_name(name));
                    let texts = texts.filter_map(|column| column.as_string_view_opt());
                    if !texts.flat_map(|texts| texts.iter().flatten()).all(holds) {
                        return Ok(false);
                    }
                }
                Ok(true)
            })
        };
        let looks: Vec<SpawnedTask<Result<bool>>> = partitions.map(look).collect();
        for look in looks {
            let all = look.join().await;
            // What is left of it is of no use, and ends with its task.
            if !all.map_err(|error| DataFusionError::Execution(error.to_string()))?? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The rows in the order of the column `ts`, with the columns that `is_wanted` is true for; only those that meet
    /// `rows` are of use.
    pub async fn ordered(
        &self,
        session: &dyn Session,
        is_wanted: &(dyn Fn(&str) -> bool + Sync),
        rows: Option<Expr>,
    ) -> Result<Ordered> {
        let columns = self.projection(is_wanted)?;
        let plan = self.by_file(session, &columns, rows).await?;
        Ok(Ordered::new(plan, self.files.first_moments(session).await?))
    }
}
