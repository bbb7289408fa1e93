//! The tables of a trace, with views that are planned when a query names them: most queries name few of
//! them, and planning all takes longer than many a query.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::common::TableReference;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::Expr;

use crate::error::Error;
use crate::tables::within;
use crate::views::View;

/// The tables and views of one trace in one catalog.
#[derive(Debug)]
pub struct LazySchema {
    /// Tables, and views that were asked for.
    made: MemorySchemaProvider,
    views: BTreeMap<&'static str, Waiting>,
    /// What views are planned with. It has the catalog that this is in, and so must not be kept by it.
    state: Weak<SessionState>,
}

/// A view that was not planned yet.
#[derive(Debug)]
struct Waiting {
    sql: &'static str,
    whole: Option<Whole>,
}

/// Where a view is that is made of what lies outside of the range of time, too.
#[derive(Debug)]
pub struct Whole {
    /// The tables at any time.
    pub schema: Arc<dyn SchemaProvider>,
    /// What the view is called in a plan.
    pub reference: TableReference,
    /// What its rows must meet, if they have a time.
    pub range: Option<Expr>,
}

impl LazySchema {
    /// A schema without tables, whose views are planned with `state`.
    pub fn new(state: &Arc<SessionState>) -> LazySchema {
        let made = MemorySchemaProvider::new();
        LazySchema { made, views: BTreeMap::new(), state: Arc::downgrade(state) }
    }

    /// Adds a view, which may name those that are added later.
    pub fn add(&mut self, view: &View, whole: Option<Whole>) {
        self.views.insert(view.name, Waiting { sql: view.sql, whole });
    }

    async fn plan(&self, name: &str, view: &Waiting) -> Result<Arc<dyn TableProvider>> {
        if let Some(whole) = &view.whole {
            let gone = || DataFusionError::Plan(format!("{name} is not there"));
            let table = whole.schema.table(name).await?.ok_or_else(gone)?;
            let has_time = table.schema().column_with_name("ts").is_some();
            let range = whole.range.clone().filter(|_| has_time);
            return within(table, whole.reference.clone(), range);
        }
        let closed = || DataFusionError::Plan("the session is closed".into());
        let state = self.state.upgrade().ok_or_else(closed)?;
        let plan = state.create_logical_plan(view.sql).await?;
        Ok(Arc::new(ViewTable::new(plan, Some(view.sql.to_string()))))
    }
}

#[async_trait]
impl SchemaProvider for LazySchema {
    fn table_names(&self) -> Vec<String> {
        let mut names = self.made.table_names();
        names.extend(self.views.keys().map(|name| name.to_string()));
        names.sort();
        names.dedup();
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = self.made.table(name).await? {
            return Ok(Some(table));
        }
        let Some(view) = self.views.get(name) else { return Ok(None) };
        let table = self.plan(name, view).await.map_err(|error| {
            let reason = error.strip_backtrace();
            DataFusionError::External(Box::new(Error::View { name: name.to_string(), reason }))
        })?;
        // Another query may have planned it in the meantime; one is as good as the other.
        let _ = self.made.register_table(name.to_string(), table.clone());
        Ok(Some(table))
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        self.made.register_table(name, table)
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        self.made.deregister_table(name)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.made.table_exist(name) || self.views.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::views;

    #[test]
    fn no_view_reads_itself() {
        let views = views::all();
        let state = SessionContext::new().state();
        let reads = |view: &View| -> BTreeSet<String> {
            let statement =
                state.sql_to_statement(view.sql, &state.config_options().sql_parser.dialect);
            let references = state.resolve_table_references(&statement.unwrap()).unwrap();
            references.iter().map(|reference| reference.table().to_string()).collect()
        };
        let direct: BTreeMap<_, _> = views.iter().map(|view| (view.name, reads(view))).collect();
        for view in &views {
            let (mut seen, mut next) = (BTreeSet::new(), direct[view.name].clone());
            while let Some(name) = next.pop_first() {
                assert_ne!(name, view.name, "through {seen:?}");
                next.extend(
                    direct
                        .get(name.as_str())
                        .into_iter()
                        .flatten()
                        .filter(|name| !seen.contains(*name))
                        .cloned(),
                );
                seen.insert(name);
            }
        }
    }
}
