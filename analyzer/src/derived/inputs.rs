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
        Ok(Arc::new(FilterExec::try_new(condition, plan)?))
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
