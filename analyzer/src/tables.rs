//! The tables of traces as tables of the SQL engine.
//!
//! A trace's Parquet files become one table per table of the schema, empty where the trace has none,
//! and without what lies outside of the scope. Views are planned over them. With several traces each
//! has its own SQL schema, and the public one holds the union of all, with a leading column `trace`.
//!
//! Where the scope is a range of time there is a second catalog with the same tables at any time: views
//! that say `@whole` are planned there, and their rows are then taken from the range.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::common::{ScalarValue, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, col, lit};
use datafusion::prelude::SessionContext;
use schema::syscalls::Arch;
use store::Trace;

use crate::derived::{self, Columns, Input};
use crate::error::Error;
use crate::files::FilesTable;
use crate::functions;
use crate::lazy::{LazySchema, Whole};
use crate::scope::Scope;
use crate::views::{self, View};

/// The SQL schema that unqualified names are looked up in.
pub const PUBLIC: &str = "public";

/// The catalog of what the scope leaves.
pub const SCOPED: &str = "ebrec";

/// The catalog of the same processes at any time.
const WHOLE: &str = "whole";

/// Name of the column that says which of several traces a row is from.
pub const TRACE_COLUMN: &str = "trace";

/// What the files of a table are called when a view has taken the table's name.
fn files_name(table: &str, views: &[View]) -> String {
    match views.iter().any(|view| view.name == table) {
        true => format!("{table}_segments"),
        false => table.to_string(),
    }
}

/// A name for each trace that is unique, and that is no name of a schema already there.
pub fn trace_names(traces: &[Trace]) -> Vec<String> {
    let mut taken = BTreeSet::from([PUBLIC.to_string(), "information_schema".to_string()]);
    let name_of = |trace: &Trace| {
        let base = trace.name();
        let mut numbered =
            std::iter::once(base.clone()).chain((2..).map(|n| format!("{base}-{n}")));
        let name = numbered.find(|name| !taken.contains(name)).unwrap_or(base);
        taken.insert(name.clone());
        name
    };
    traces.iter().map(name_of).collect()
}

/// What views are planned with when they are asked for; whoever may ask keeps it.
pub type Planner = Arc<SessionState>;

/// Registers the tables and views of `traces`, which are called `names`; of each what its scope leaves.
pub async fn register(
    context: &SessionContext,
    traces: &[Trace],
    names: &[String],
    scopes: &[Scope],
) -> Result<Vec<Planner>, Error> {
    let schemas: Vec<&str> = match traces {
        [_] => vec![PUBLIC],
        _ => names.iter().map(String::as_str).collect(),
    };
    // A call of `syscall_text` that is written for all traces reads them as the first one's.
    register_functions(context, traces.first().map_or(Arch::X86_64, arch))?;
    let mut planners = Vec::new();
    for ((trace, schema), scope) in traces.iter().zip(schemas).zip(scopes) {
        let place = |catalog| Place { context, catalog, schema };
        let whole = (!scope.range.is_all()).then(|| place(WHOLE));
        if let Some(whole) = &whole {
            planners.push(register_trace(whole, Some(trace), &scope.whole(), None)?);
        }
        planners.push(register_trace(&place(SCOPED), Some(trace), scope, whole.as_ref())?);
    }
    if traces.len() != 1 {
        register_unions(context, names).await?;
    }
    Ok(planners)
}

/// Registers the tables and views that every trace has, without rows.
pub fn register_empty(context: &SessionContext) -> Result<Vec<Planner>, Error> {
    register_functions(context, Arch::X86_64)?;
    let place = Place { context, catalog: SCOPED, schema: PUBLIC };
    Ok(vec![register_trace(&place, None, &Scope::default(), None)?])
}

/// Where the tables of a trace are registered.
struct Place<'a> {
    context: &'a SessionContext,
    catalog: &'static str,
    schema: &'a str,
}

impl Place<'_> {
    fn schema(&self) -> Result<Arc<dyn SchemaProvider>, Error> {
        sql_schema(self.context, self.catalog, self.schema)
    }

    fn reference(&self, table: &str) -> TableReference {
        TableReference::full(self.catalog, self.schema, table)
    }
}

/// The architecture of a trace; what it does not say is taken for the most common one.
fn arch(trace: &Trace) -> Arch {
    Arch::from_name(&trace.manifest().arch).unwrap_or(Arch::X86_64)
}

fn register_functions(context: &SessionContext, arch: Arch) -> Result<(), Error> {
    functions::all(arch)
        .into_iter()
        .for_each(|function| context.register_udf(function.as_ref().clone()));
    functions::aggregates()
        .into_iter()
        .for_each(|function| context.register_udaf(function.as_ref().clone()));
    Ok(())
}

/// Registers the tables and views of one trace, or those without rows. Views of what must be looked at
/// as a whole are taken from `whole`, if that is another place.
fn register_trace(
    place: &Place<'_>,
    trace: Option<&Trace>,
    scope: &Scope,
    whole: Option<&Place<'_>>,
) -> Result<Planner, Error> {
    let views = views::all();
    let state = Arc::new(planner(place, trace)?);
    let mut schema = LazySchema::new(&state);
    let mut inputs = BTreeMap::new();
    for table in schema::tables::TABLES {
        let columns = reading_schema(&schema::arrow::schema(table));
        let files = FilesTable::new(columns, trace.map_or(&[], |trace| trace.files(table.name)));
        let input = Input {
            files: Arc::new(files),
            condition: scope.condition(table),
            columns: Columns::All,
        };
        let name = files_name(table.name, &views);
        let broken = |error| broken(table.name, error);
        let provider = within(input.files.clone(), place.reference(&name), input.condition.clone());
        schema.register_table(name, provider.map_err(broken)?).map_err(broken)?;
        inputs.insert(table.name, input);
    }
    for table in derived::TABLES {
        let input =
            |(name, columns): &(&str, Columns)| Input { columns: *columns, ..inputs[name].clone() };
        let inputs = table.inputs.iter().map(input).collect();
        schema
            .register_table(table.name.into(), (table.provider)(inputs))
            .map_err(|error| broken(table.name, error))?;
    }
    for view in &views {
        let whole = whole.filter(|_| !view.header.whole.is_empty());
        let whole = whole.map(|whole| {
            let (schema, reference) = (whole.schema()?, whole.reference("view"));
            Ok(Whole { schema, reference, range: scope.range.condition() })
        });
        schema.add(view, whole.transpose()?);
    }
    catalog(place.context, place.catalog)
        .register_schema(place.schema, Arc::new(schema))
        .map_err(|error| broken(place.schema, error))?;
    Ok(state)
}

/// What views of a trace are planned with: names are looked up where it is, and system calls are those of its
/// architecture.
fn planner(place: &Place<'_>, trace: Option<&Trace>) -> Result<SessionState, Error> {
    let mut state = place.context.state();
    let catalog = &mut state.config_mut().options_mut().catalog;
    catalog.default_catalog = place.catalog.to_string();
    catalog.default_schema = place.schema.to_string();
    for function in functions::all(trace.map_or(Arch::X86_64, arch)) {
        state.register_udf(function).map_err(|error| broken("functions", error))?;
    }
    for function in functions::aggregates() {
        state.register_udaf(function).map_err(|error| broken("functions", error))?;
    }
    Ok(state)
}

/// The rows of `table` that meet a condition.
pub(crate) fn within(
    table: Arc<dyn TableProvider>,
    name: TableReference,
    condition: Option<Expr>,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let Some(condition) = condition else { return Ok(table) };
    let plan = LogicalPlanBuilder::scan(name, provider_as_source(table), None)?;
    Ok(Arc::new(ViewTable::new(plan.filter(condition)?.build()?, None)))
}

/// For each table the union over the traces, with the trace's name in front.
async fn register_unions(context: &SessionContext, names: &[String]) -> Result<(), Error> {
    let public = sql_schema(context, SCOPED, PUBLIC)?;
    let tables = names.first().map(|name| sql_schema(context, SCOPED, name)).transpose()?;
    for table in tables.iter().flat_map(|schema| schema.table_names()) {
        let plan = union(context, names, &table).await.map_err(|error| broken(&table, error))?;
        public.register_table(table.clone(), plan).map_err(|error| broken(&table, error))?;
    }
    Ok(())
}

async fn union(
    context: &SessionContext,
    names: &[String],
    table: &str,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let mut all: Option<LogicalPlanBuilder> = None;
    for name in names {
        let reference = TableReference::partial(name.as_str(), table);
        let provider = context.table_provider(reference.clone()).await?;
        let columns: Vec<Expr> = provider
            .schema()
            .fields()
            .iter()
            .map(|field| {
                col(datafusion::common::Column::new(Some(reference.clone()), field.name()))
            })
            .collect();
        let label = lit(ScalarValue::Utf8View(Some(name.clone()))).alias(TRACE_COLUMN);
        let one = LogicalPlanBuilder::scan(reference, provider_as_source(provider), None)?
            .project(std::iter::once(label).chain(columns))?;
        all = Some(match all {
            Some(others) => others.union(one.build()?)?,
            None => one,
        });
    }
    let plan = all.ok_or_else(|| DataFusionError::Plan("no trace".into()))?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// The catalog called `name`, made if it is not there.
fn catalog(context: &SessionContext, name: &str) -> Arc<dyn CatalogProvider> {
    context.catalog(name).unwrap_or_else(|| {
        let made = Arc::new(MemoryCatalogProvider::new());
        context.register_catalog(name, made.clone());
        made
    })
}

/// The SQL schema called `name` of a catalog, both made if they are not there.
fn sql_schema(
    context: &SessionContext,
    catalog: &str,
    name: &str,
) -> Result<Arc<dyn SchemaProvider>, Error> {
    let catalog = self::catalog(context, catalog);
    if let Some(schema) = catalog.schema(name) {
        return Ok(schema);
    }
    let schema: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
    catalog.register_schema(name, schema.clone()).map_err(|error| broken(name, error))?;
    Ok(schema)
}

/// The schema that files are read with: every column can be NULL, as a file of an older version may
/// lack it and a file from elsewhere may hold anything; text is read as views, which is faster.
pub(crate) fn reading_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let ty = match field.data_type() {
            DataType::Utf8 => DataType::Utf8View,
            other => other.clone(),
        };
        Field::new(field.name(), ty, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn broken(name: &str, error: DataFusionError) -> Error {
    Error::View { name: name.to_string(), reason: error.strip_backtrace() }
}

/// A table or view for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableInfo {
    /// Its name in SQL.
    pub name: String,
    /// What one row is.
    pub doc: String,
    /// Whether it is a view over other tables.
    pub is_view: bool,
    /// Its columns.
    pub columns: Vec<ColumnInfo>,
}

/// A column for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// Its type, as `ebrec schema` writes it.
    pub ty: String,
    /// What it means.
    pub doc: String,
}

/// The public tables of a session, by name.
pub async fn describe(context: &SessionContext) -> Result<Vec<TableInfo>, Error> {
    let views = views::all();
    let public = sql_schema(context, SCOPED, PUBLIC)?;
    let mut tables = BTreeMap::new();
    let is_derived = |name: &String| derived::by_name(name).is_some();
    for name in public.table_names().into_iter().filter(|name| !is_derived(name)) {
        let provider = public.table(&name).await.map_err(|error| broken(&name, error))?;
        let Some(provider) = provider else { continue };
        let view = views.iter().find(|view| view.name == name);
        let raw = name.strip_suffix("_segments").unwrap_or(&name);
        let table = schema::tables::by_name(raw);
        let column_doc = |column: &str| match (view, table) {
            _ if column == TRACE_COLUMN => "Trace the row is from.".to_string(),
            (Some(view), _) => view
                .header
                .columns
                .iter()
                .find(|known| known.name == column)
                .map(|known| known.doc.clone())
                .unwrap_or_default(),
            (None, Some(table)) => {
                let columns = table.columns();
                columns
                    .iter()
                    .find(|known| known.name == column)
                    .map(|known| known.doc)
                    .unwrap_or_default()
                    .to_string()
            }
            (None, None) => String::new(),
        };
        let columns = provider
            .schema()
            .fields()
            .iter()
            .map(|field| ColumnInfo {
                name: field.name().clone(),
                ty: type_name(field.data_type()),
                doc: column_doc(field.name()),
            })
            .collect();
        let doc = match (view, table) {
            (Some(view), _) => view.header.doc.clone(),
            (None, Some(table)) => format!("One row per {}.", table.doc),
            (None, None) => String::new(),
        };
        tables.insert(name.clone(), TableInfo { name, doc, is_view: view.is_some(), columns });
    }
    Ok(tables.into_values().collect())
}

/// A type in the words of `ebrec schema`.
pub fn type_name(ty: &DataType) -> String {
    match ty {
        DataType::Timestamp(..) => "timestamp".into(),
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "text".into(),
        DataType::Boolean => "bool".into(),
        DataType::List(of) => format!("list of {}", type_name(of.data_type())),
        DataType::Struct(_) => "struct".into(),
        other => other.to_string().to_lowercase(),
    }
}
