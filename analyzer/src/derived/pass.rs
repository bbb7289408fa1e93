//! A table that is computed in one pass: what all such tables have in common for the SQL engine.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::TableType;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::future::{BoxFuture, try_join_all};
use tokio::sync::mpsc::Sender;

use super::inputs::Input;
use super::ordered::Ordered;

/// Where a pass puts its rows; it is over when nobody takes them any more.
pub type Out = Sender<Result<RecordBatch>>;

/// One pass over the rows of the inputs.
pub trait Pass: fmt::Debug + Send + Sync + 'static {
    /// Its name in plans.
    fn name(&self) -> &'static str;

    /// The columns that it makes.
    fn schema(&self) -> SchemaRef;

    /// Runs it over `inputs`, whose first moments are known.
    fn run(
        &self,
        inputs: Vec<Ordered>,
        context: Arc<TaskContext>,
        out: Out,
    ) -> BoxFuture<'static, Result<()>>;
}

/// A table that a pass makes of its inputs.
#[derive(Debug)]
pub struct PassTable {
    pub pass: Arc<dyn Pass>,
    pub inputs: Vec<Input>,
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
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let inputs = self.inputs.iter().map(|input| input.ordered(session));
        let inputs = try_join_all(inputs).await?;
        let schema = match projection {
            Some(columns) => Arc::new(self.pass.schema().project(columns)?),
            None => self.pass.schema(),
        };
        Ok(Arc::new(PassExec::new(self.pass.clone(), inputs, schema, projection.cloned())))
    }
}

#[derive(Debug)]
struct PassExec {
    pass: Arc<dyn Pass>,
    inputs: Vec<Ordered>,
    projection: Option<Vec<usize>>,
    properties: Arc<PlanProperties>,
}

impl PassExec {
    fn new(
        pass: Arc<dyn Pass>,
        inputs: Vec<Ordered>,
        schema: SchemaRef,
        projection: Option<Vec<usize>>,
    ) -> PassExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        PassExec { pass, inputs, projection, properties: Arc::new(properties) }
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
        made.spawn(self.pass.run(self.inputs.clone(), context, out));
        let (projection, sender) = (self.projection.clone(), made.tx());
        let mut rows = to_project;
        made.spawn(async move {
            while let Some(batch) = rows.recv().await {
                let batch = batch.and_then(|batch| match &projection {
                    Some(columns) => Ok(batch.project(columns)?),
                    None => Ok(batch),
                });
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
        Ok(made.build())
    }
}
