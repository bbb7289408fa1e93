//! What a computed table reads.

use std::sync::Arc;

use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;

use super::Columns;
use super::ordered::Ordered;
use crate::files::FilesTable;

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
    /// The columns that are read, and those that the condition is about.
    fn projection(&self) -> Result<Option<Vec<usize>>> {
        let Columns::Only(names) = self.columns else { return Ok(None) };
        let schema = self.files.schema();
        let mut columns: Vec<usize> =
            names.iter().map(|name| Ok(schema.index_of(name)?)).collect::<Result<_>>()?;
        for column in self.condition.iter().flat_map(Expr::column_refs) {
            columns.push(schema.index_of(&column.name)?);
        }
        columns.sort_unstable();
        columns.dedup();
        Ok(Some(columns))
    }

    /// A plan with one partition for each file.
    async fn by_file(&self, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = self.files.scan_by_file(session, self.projection()?.as_ref()).await?;
        let Some(condition) = &self.condition else { return Ok(plan) };
        let schema = DFSchema::try_from(plan.schema())?;
        let condition = session.create_physical_expr(condition.clone(), &schema)?;
        Ok(Arc::new(FilterExec::try_new(condition, plan)?))
    }

    /// The rows in the order of the column `ts`.
    pub async fn ordered(&self, session: &dyn Session) -> Result<Ordered> {
        let plan = self.by_file(session).await?;
        Ok(Ordered::new(plan, self.files.first_moments(session).await?))
    }
}
