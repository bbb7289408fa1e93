//! What a query names several times is computed once.
//!
//! The engine puts the query of a view or of a `WITH` wherever its name stands, and computes each. Here
//! groups of rows that stand in several places are taken out of the plan, and a table that is filled before the
//! query runs stands in for them. Rows that were not grouped are left where they are: to read them again takes
//! less time than to hold them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{ScalarValue, TableReference};
use datafusion::datasource::{MemTable, TableType, provider_as_source, source_as_provider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, LogicalPlanBuilder, SubqueryAlias, lit};
use datafusion::physical_plan::ExecutionPlan;

/// What tables are called in plans that stand in for a part.
const PREFIX: &str = "shared ";

/// A query that is computed once.
pub struct Part {
    /// The query. It may read the parts that follow.
    pub plan: LogicalPlan,
    /// What stands in its place.
    pub table: Arc<PartTable>,
    name: String,
}

/// Takes out of `plan` what stands in it several times; the parts are in the order in which they may read each
/// other.
pub fn split(mut plan: LogicalPlan) -> Result<(LogicalPlan, Vec<Part>)> {
    let mut parts: Vec<Part> = Vec::new();
    while let Some(repeated) = largest_repeated(&plan, &parts)? {
        let name = format!("{PREFIX}{}", parts.len());
        let table = Arc::new(PartTable {
            schema: Arc::new(repeated.plan.schema().as_arrow().clone()),
            rows: OnceLock::new(),
        });
        let replace = |plan: LogicalPlan| replace(plan, &repeated, &name, &table);
        plan = replace(plan)?;
        for part in &mut parts {
            part.plan = replace(part.plan.clone())?;
        }
        parts.push(Part { plan: repeated.plan, table, name });
    }
    Ok((plan, parts))
}

impl Part {
    /// Whether a plan reads its rows.
    pub fn is_read_by(&self, plan: &LogicalPlan) -> bool {
        let mut is_read = false;
        // The visitor never fails.
        let _ = plan.apply_with_subqueries(|node| {
            is_read |= matches!(node, LogicalPlan::TableScan(scan) if scan.table_name.table() == self.name);
            Ok(TreeNodeRecursion::Continue)
        });
        is_read
    }

    /// The query without the columns that no one of `readers`, which are optimized, asks for.
    pub fn wanted<'a>(
        &self,
        readers: impl Iterator<Item = &'a LogicalPlan>,
    ) -> Result<(Vec<usize>, LogicalPlan)> {
        let mut columns = BTreeSet::new();
        for reader in readers {
            reader.apply_with_subqueries(|node| {
                if let LogicalPlan::TableScan(scan) = node
                    && scan.table_name.table() == self.name
                {
                    match &scan.projection {
                        Some(projection) => columns.extend(projection.iter().copied()),
                        None => columns.extend(0..self.table.schema.fields().len()),
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        let fields = columns.iter().map(|&column| self.plan.schema().qualified_field(column));
        let fields: Vec<Expr> = fields.map(Expr::from).collect();
        let plan = LogicalPlanBuilder::from(self.plan.clone()).project(fields)?.build()?;
        Ok((columns.into_iter().collect(), plan))
    }
}

/// The queries of one value that conditions of `plan` compare with, each once.
pub fn values(plan: &LogicalPlan) -> Result<Vec<LogicalPlan>> {
    let mut values = Vec::new();
    plan.apply(|node| {
        if let LogicalPlan::Filter(filter) = node {
            filter.predicate.apply(|expr| {
                if let Expr::ScalarSubquery(value) = expr
                    && value.outer_ref_columns.is_empty()
                    && !values.contains(&*value.subquery)
                {
                    values.push(value.subquery.as_ref().clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(values)
}

/// `plan` with values in the place of the queries that give them: a condition with a known value is asked where rows
/// are read.
pub fn with_values(
    plan: LogicalPlan,
    values: &[(LogicalPlan, ScalarValue)],
) -> Result<LogicalPlan> {
    let known = plan.transform_down(|node| {
        let LogicalPlan::Filter(filter) = node else { return Ok(Transformed::no(node)) };
        let predicate = filter.predicate.transform_down(|expr| {
            let value = match &expr {
                Expr::ScalarSubquery(value) => {
                    values.iter().find(|(query, _)| query == value.subquery.as_ref())
                }
                _ => None,
            };
            Ok(match value {
                Some((_, value)) => Transformed::yes(lit(value.clone())),
                None => Transformed::no(expr),
            })
        })?;
        let is_known = predicate.transformed;
        let filter = LogicalPlan::Filter(Filter::try_new(predicate.data, filter.input)?);
        Ok(if is_known { Transformed::yes(filter) } else { Transformed::no(filter) })
    })?;
    Ok(known.data)
}

/// Whether a table in a plan stands in for a part.
pub fn is_part(table: &str) -> bool {
    table.starts_with(PREFIX)
}

/// A part of a plan, with the tables it reads: those of two traces have the same names.
#[derive(PartialEq, Eq, Hash, Clone)]
struct Repeated {
    plan: LogicalPlan,
    tables: Vec<usize>,
}

/// The largest part that stands in several places and is worth being taken out.
fn largest_repeated(plan: &LogicalPlan, parts: &[Part]) -> Result<Option<Repeated>> {
    let mut found: HashMap<Repeated, usize> = HashMap::new();
    for plan in std::iter::once(plan).chain(parts.iter().map(|part| &part.plan)) {
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::SubqueryAlias(alias) = node
                && !is_named(&alias.input)
                && is_grouped(&alias.input)
                && let Some(part) = repeatable(&alias.input)?
            {
                *found.entry(part).or_default() += 1;
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    let repeated = found.into_iter().filter(|(_, count)| *count > 1).map(|(part, _)| part);
    // Two of one size do not read each other, so that either may come first; but always the same.
    let place = |part: &Repeated| (size(&part.plan), part.plan.display_indent().to_string());
    Ok(repeated.map(|part| (place(&part), part)).max_by(|a, b| a.0.cmp(&b.0)).map(|(_, part)| part))
}

/// Whether a plan is another name for what is found by itself, or was.
fn is_named(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::SubqueryAlias(_)) || stands_in(plan)
}

/// Whether a plan is what stands in for a part.
fn stands_in(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::TableScan(scan) if is_part(scan.table_name.table()))
}

/// Whether a plan has one row for many, or few in any case.
fn is_grouped(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) | LogicalPlan::Limit(_) => true,
        LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::TableScan(_) => stands_in(plan),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Union(_) => plan.inputs().into_iter().all(is_grouped),
        _ => false,
    }
}

/// A plan with its tables, if it means the same wherever it stands; not if it reads the rows of a recursion.
fn repeatable(plan: &LogicalPlan) -> Result<Option<Repeated>> {
    let (mut tables, mut is_same) = (Vec::new(), !plan.contains_outer_reference());
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            match source_as_provider(&scan.source) {
                Ok(provider) => tables.push(Arc::as_ptr(&provider).cast::<()>().addr()),
                Err(_) => is_same = false,
            }
            is_same &= !matches!(scan.source.table_type(), TableType::Temporary)
                || is_part(scan.table_name.table());
        }
        is_same &= !node.expressions().iter().any(Expr::is_volatile);
        Ok(if is_same { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(is_same.then(|| Repeated { plan: plan.clone(), tables }))
}

/// Nodes of a plan.
fn size(plan: &LogicalPlan) -> usize {
    let mut nodes = 0;
    // The visitor never fails.
    let _ = plan.apply_with_subqueries(|_| {
        nodes += 1;
        Ok(TreeNodeRecursion::Continue)
    });
    nodes
}

/// `plan` with a table in all places where `repeated` stood.
fn replace(
    plan: LogicalPlan,
    repeated: &Repeated,
    name: &str,
    table: &Arc<PartTable>,
) -> Result<LogicalPlan> {
    let replaced = plan.transform_down_with_subqueries(|node| {
        let LogicalPlan::SubqueryAlias(alias) = &node else { return Ok(Transformed::no(node)) };
        if *alias.input != repeated.plan
            || repeatable(&alias.input)?.is_none_or(|part| part.tables != repeated.tables)
        {
            return Ok(Transformed::no(node));
        }
        let scan = LogicalPlanBuilder::scan(
            TableReference::bare(name),
            provider_as_source(table.clone()),
            None,
        )?;
        let alias = SubqueryAlias::try_new(Arc::new(scan.build()?), alias.alias.clone())?;
        Ok(Transformed::new(LogicalPlan::SubqueryAlias(alias), true, TreeNodeRecursion::Jump))
    })?;
    Ok(replaced.data)
}

/// The rows of a part, which are there before the query that reads them is planned in detail.
#[derive(Debug)]
pub struct PartTable {
    schema: SchemaRef,
    rows: OnceLock<Computed>,
}

/// Some of a part's columns.
#[derive(Debug)]
struct Computed {
    columns: Vec<usize>,
    rows: MemTable,
}

impl PartTable {
    /// Sets the rows, which have the columns of these numbers, sorted.
    pub fn fill(
        &self,
        columns: Vec<usize>,
        batches: Vec<RecordBatch>,
        partitions: usize,
    ) -> Result<()> {
        let schema = Arc::new(self.schema.project(&columns)?);
        // The engine may hold texts in another way than planned, and know better what cannot be NULL.
        let as_planned = |batch: RecordBatch| {
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = batch.columns().iter().zip(schema.fields());
            let columns = columns.map(|(column, field)| cast(column, field.data_type()));
            RecordBatch::try_new_with_options(
                schema.clone(),
                columns.collect::<Result<_, _>>()?,
                &options,
            )
        };
        let batches: Vec<_> = batches.into_iter().map(as_planned).collect::<Result<_, _>>()?;
        // Stretches of the rows, so that they are read at once, and in order.
        let length = batches.len().div_ceil(partitions.max(1)).max(1);
        let mut parts: Vec<_> = batches.chunks(length).map(<[RecordBatch]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        let rows = MemTable::try_new(schema, parts)?;
        let _ = self.rows.set(Computed { columns, rows });
        Ok(())
    }
}

#[async_trait]
impl TableProvider for PartTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let missing = || DataFusionError::Internal("a part of a query was not computed".into());
        let computed = self.rows.get().ok_or_else(missing)?;
        let all = (0..self.schema.fields().len()).collect();
        let places = projection.unwrap_or(&all).iter();
        let places =
            places.map(|column| computed.columns.binary_search(column).map_err(|_| missing()));
        let places = places.collect::<Result<Vec<_>>>()?;
        computed.rows.scan(session, Some(&places), filters, limit).await
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// The parts of a query over `made`, which has the numbers from 0 to 5 and their halves; and its rows with the
    /// parts taken out and without.
    async fn both(sql: &str) -> (usize, String, String) {
        let context = SessionContext::new();
        let made = "CREATE TABLE made AS SELECT value AS n, value / 2 AS half FROM range(6)";
        context.sql(made).await.unwrap().collect().await.unwrap();
        let state = context.state();
        let plan = state.create_logical_plan(sql).await.unwrap();
        let run = async |plan: LogicalPlan| {
            context.execute_logical_plan(plan).await.unwrap().collect().await.unwrap()
        };
        let plain = pretty_format_batches(&run(plan.clone()).await).unwrap().to_string();
        let (plan, parts) = split(plan).unwrap();
        let mut optimized = vec![state.optimize(&plan).unwrap()];
        let mut columns = Vec::new();
        for part in &parts {
            let (wanted, plan) = part.wanted(optimized.iter()).unwrap();
            columns.push(wanted);
            optimized.push(state.optimize(&plan).unwrap());
        }
        for ((part, columns), plan) in parts.iter().zip(columns).zip(&optimized[1..]).rev() {
            part.table.fill(columns, run(plan.clone()).await, 2).unwrap();
        }
        let rows = pretty_format_batches(&run(optimized[0].clone()).await).unwrap().to_string();
        (parts.len(), plain, rows)
    }

    #[tokio::test]
    async fn groups_that_are_named_twice_are_computed_once() {
        let sql = "WITH sums AS (SELECT half, sum(n) AS n FROM made GROUP BY half), \
                   most AS (SELECT max(n) AS n FROM sums) \
                   SELECT a.half, b.n, (SELECT n FROM most) AS most FROM sums a JOIN sums b ON a.half = b.half \
                   WHERE a.n < (SELECT n FROM most) ORDER BY 1";
        let (parts, plain, rows) = both(sql).await;
        assert_eq!((parts, plain), (2, rows));
    }

    #[tokio::test]
    async fn what_is_named_once_or_not_grouped_stays_where_it_is() {
        for sql in [
            "WITH sums AS (SELECT half, sum(n) AS n FROM made GROUP BY half) SELECT * FROM sums ORDER BY 1",
            "WITH odd AS (SELECT n FROM made WHERE n % 2 = 1) \
             SELECT count(*) FROM odd a JOIN odd b ON a.n = b.n",
            "WITH any AS (SELECT random() AS r, count(*) AS n FROM made GROUP BY 1) \
             SELECT sum(a.n) + sum(b.n) > 0 FROM any a CROSS JOIN any b",
        ] {
            let (parts, plain, rows) = both(sql).await;
            assert_eq!((parts, plain), (0, rows), "{sql}");
        }
    }

    #[tokio::test]
    async fn a_recursion_reads_its_edges_from_memory() {
        let sql = "WITH RECURSIVE edges AS (SELECT n, max(half) AS above FROM made WHERE n > 0 GROUP BY n), \
                   tree AS (SELECT n, 0 AS depth FROM edges WHERE above = 0 \
                   UNION ALL SELECT e.n, t.depth + 1 FROM tree t JOIN edges e ON e.above = t.n) \
                   SELECT * FROM tree ORDER BY n";
        let (parts, plain, rows) = both(sql).await;
        assert_eq!((parts, plain), (1, rows));
    }
}
