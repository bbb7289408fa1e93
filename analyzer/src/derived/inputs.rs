//! What a computed table reads.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;

use super::ordered::Ordered;
use crate::files::FilesTable;

/// A table of a trace, and which of its rows are looked at.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its files.
    pub files: Arc<FilesTable>,
    /// The condition that its rows must meet.
    pub condition: Option<Expr>,
}

impl Input {
    /// A plan with one partition for each file.
    async fn by_file(&self, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = self.files.scan_by_file(session).await?;
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
