//! A table that is computed in one pass: what all such tables have in common for the SQL engine.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::TableType;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::future::{BoxFuture, try_join_all};
use tokio::sync::OnceCell;
use tokio::sync::mpsc::Sender;

use super::inputs::Input;
use super::ordered::{Ordered, moments};

/// Where a pass puts its rows; it is over when nobody takes them any more.
pub type Out = Sender<Result<RecordBatch>>;

/// When a pass has nothing to find out: its rows are then those of its first input, which need no order.
pub struct Plain {
    /// The columns with texts that it looks at.
    pub columns: &'static [&'static str],
    /// Whether it leaves a text as it is.
    pub is_plain: fn(&str) -> bool,
    /// Which rows of the input are its own.
    pub rows: Expr,
}

/// One pass over the rows of the inputs.
pub trait Pass: fmt::Debug + Send + Sync + 'static {
    /// Its name in plans.
    fn name(&self) -> &'static str;

    /// The columns that it makes.
    fn schema(&self) -> SchemaRef;

    /// Whether it reads this column of this input to make the columns `wanted`.
    fn reads(&self, _input: usize, _column: &str, _wanted: &Schema) -> bool {
        true
    }

    /// The condition on rows of this input that it needs them to meet; none where it needs all.
    fn rows(&self, _input: usize) -> Option<Expr> {
        None
    }

    /// When it has nothing to find out; none if it always has.
    fn plain(&self) -> Option<Plain> {
        None
    }

    /// Whether its rows come in the order of `ts`.
    fn is_in_order(&self) -> bool {
        false
    }

    /// Runs it over `inputs`, whose first moments are known. Its rows have the columns `wanted`, and may have others.
    fn run(
        &self,
        inputs: Vec<Ordered>,
        wanted: SchemaRef,
        context: Arc<TaskContext>,
        out: Out,
    ) -> BoxFuture<'static, Result<()>>;
}

/// A table that a pass makes of its inputs.
#[derive(Debug)]
pub struct PassTable {
    pass: Arc<dyn Pass>,
    pub inputs: Vec<Input>,
    /// Whether there is nothing to find out: looked up when the table is first read.
    is_plain: OnceCell<bool>,
}

impl PassTable {
    /// What `pass` makes of `inputs`.
    pub fn new(pass: impl Pass, inputs: Vec<Input>) -> PassTable {
        PassTable { pass: Arc::new(pass), inputs, is_plain: OnceCell::new() }
    }

    /// The rows as they are in the first input, where there is nothing to find out.
    async fn without_pass(
        &self,
        session: &dyn Session,
        schema: &SchemaRef,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some((plain, input)) = self.pass.plain().zip(self.inputs.first()) else {
            return Ok(None);
        };
        let look = || input.all_texts(session, plain.columns, plain.is_plain);
        match self.is_plain.get_or_try_init(look).await? {
            true => input.rows(session, schema, plain.rows).await.map(Some),
            false => Ok(None),
        }
    }
}

#[async_trait]
impl TableProvider for PassTable {
    fn schema(&self) -> SchemaRef {
        self.pass.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.pass.schema().project(columns)?),
            None => self.pass.schema(),
        };
        if let Some(rows) = self.without_pass(session, &schema).await? {
            return Ok(rows);
        }
        let wanted = &schema;
        let inputs = self.inputs.iter().enumerate().map(|(number, input)| async move {
            let reads = |column: &str| self.pass.reads(number, column, wanted);
            input.ordered(session, &reads, self.pass.rows(number)).await
        });
        let inputs = try_join_all(inputs).await?;
        let until = filters.iter().filter_map(last_moment).min();
        Ok(Arc::new(PassExec::new(self.pass.clone(), inputs, schema, until)))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let is_used = |filter: &&Expr| self.pass.is_in_order() && last_moment(filter).is_some();
        let use_of = |filter: &&Expr| match is_used(filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(use_of).collect())
    }
}

/// The last moment that a condition on `ts` lets through.
fn last_moment(condition: &Expr) -> Option<i64> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
    let (column, value) = match (left.as_ref(), op, right.as_ref()) {
        (Expr::Column(column), Operator::LtEq | Operator::Lt, Expr::Literal(value, _)) => {
            (column, value)
        }
        _ => return None,
    };
    match value {
        ScalarValue::TimestampNanosecond(moment, _) if column.name == "ts" => *moment,
        _ => None,
    }
}

#[derive(Debug)]
struct PassExec {
    pass: Arc<dyn Pass>,
    inputs: Vec<Ordered>,
    /// Nobody wants what is later.
    until: Option<i64>,
    properties: Arc<PlanProperties>,
}

impl PassExec {
    fn new(
        pass: Arc<dyn Pass>,
        inputs: Vec<Ordered>,
        schema: SchemaRef,
        until: Option<i64>,
    ) -> PassExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        PassExec { pass, inputs, until, properties: Arc::new(properties) }
    }
}

impl DisplayAs for PassExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "PassExec: {}", self.pass.name())
    }
}

impl ExecutionPlan for PassExec {
    fn name(&self) -> &str {
        "PassExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        // The optimizer would split files among partitions, and each must stay in one piece.
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let mut made = RecordBatchReceiverStreamBuilder::new(self.schema(), 2);
        let (out, to_project) = tokio::sync::mpsc::channel::<Result<RecordBatch>>(2);
        let (schema, until) = (self.schema(), self.until);
        made.spawn(self.pass.run(self.inputs.clone(), schema.clone(), context, out));
        let sender = made.tx();
        let mut rows = to_project;
        made.spawn(async move {
            while let Some(batch) = rows.recv().await {
                // The pass ends when nobody takes its rows.
                if batch
                    .as_ref()
                    .is_ok_and(|batch| until.is_some_and(|until| begins_after(batch, until)))
                {
                    break;
                }
                let batch = batch.and_then(|batch| with_columns(&batch, &schema));
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
        Ok(made.build())
    }
}

/// Whether all rows of a batch in the order of time are later than a moment.
fn begins_after(batch: &RecordBatch, until: i64) -> bool {
    let ts = batch.schema_ref().column_with_name("ts").map(|(column, _)| moments(batch, column));
    ts.and_then(<[i64]>::first).is_some_and(|first| *first > until)
}

/// The columns of a batch that `schema` has, in its order.
fn with_columns(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let names = schema.fields().iter().map(|field| field.name());
    let columns: Vec<usize> =
        names.map(|name| Ok(batch.schema_ref().index_of(name)?)).collect::<Result<_>>()?;
    Ok(batch.project(&columns)?)
}
