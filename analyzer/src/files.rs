//! A list of Parquet files as one table, in the order of the list.
//!
//! The engine's own listing table sorts files by path and, under a limit, takes those whose footers
//! arrive first; a trace's files have an order, and results must not depend on timing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::stats::Precision;
use datafusion::common::{ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::object_store::{ObjectMeta, ObjectStore, path::Path as StorePath};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use tokio::sync::OnceCell;

use crate::error::Error;

/// A table made of Parquet files.
#[derive(Debug)]
pub struct FilesTable {
    schema: SchemaRef,
    files: Vec<PathBuf>,
    /// The files with the statistics of their footers, read when the table is first scanned.
    footers: OnceCell<Vec<PartitionedFile>>,
}

impl FilesTable {
    /// The table of `files`. What a file lacks of `schema` is NULL, what it has beyond is left out.
    pub fn new(schema: SchemaRef, files: &[PathBuf]) -> FilesTable {
        FilesTable { schema, files: files.to_vec(), footers: OnceCell::new() }
    }

    /// A plan with one partition for each file.
    pub async fn scan_by_file(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.plan(session, projection, usize::MAX, None).await
    }

    /// The earliest moment of each file.
    pub async fn first_moments(&self, session: &dyn Session) -> Result<Vec<i64>> {
        if self.files.is_empty() {
            return Ok(Vec::new());
        }
        let files = self.footers.get_or_try_init(|| self.read_footers(session)).await?;
        let ts = self.schema.column_with_name("ts").map(|(index, _)| index);
        let first = |file: &PartitionedFile| {
            let column = file.statistics.as_ref()?.column_statistics.get(ts?)?;
            match column.min_value.get_value()? {
                ScalarValue::TimestampNanosecond(moment, _) => *moment,
                _ => None,
            }
        };
        Ok(files.iter().map(|file| first(file).unwrap_or(i64::MIN)).collect())
    }

    /// The value that a column has in all rows, if the footers say so.
    pub async fn only_value(
        &self,
        session: &dyn Session,
        column: &str,
    ) -> Result<Option<ScalarValue>> {
        let Some((column, _)) = self.schema.column_with_name(column) else { return Ok(None) };
        if self.files.is_empty() {
            return Ok(None);
        }
        let files = self.footers.get_or_try_init(|| self.read_footers(session)).await?;
        let value = |file: &PartitionedFile| {
            let statistics = file.statistics.as_ref()?.column_statistics.get(column)?;
            let exact = |value: &Precision<ScalarValue>| match value {
                Precision::Exact(value) => Some(value.clone()),
                _ => None,
            };
            let is_always_there = statistics.null_count == Precision::Exact(0);
            let (least, most) = (exact(&statistics.min_value)?, exact(&statistics.max_value)?);
            (is_always_there && least == most && !least.is_null()).then_some(least)
        };
        let has_rows = |file: &&PartitionedFile| {
            let statistics = file.statistics.as_ref();
            statistics.is_none_or(|statistics| statistics.num_rows != Precision::Exact(0))
        };
        let mut values = files.iter().filter(has_rows).map(value);
        let first = values.next().flatten();
        Ok(first.filter(|first| values.all(|value| value.as_ref() == Some(first))))
    }

    /// A plan with at most `partitions` partitions.
    async fn plan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        partitions: usize,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => self.schema.clone(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let files = self.footers.get_or_try_init(|| self.read_footers(session)).await?;
        let statistics = files.iter().filter_map(|file| file.statistics.as_deref());
        let statistics = Statistics::try_merge_iter(statistics, &self.schema)?;
        let format = ParquetFormat::default();
        let source = format.file_source(TableSchema::from(self.schema.clone()));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
            .with_file_groups(stretches(files, partitions))
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        format.create_physical_plan(session, config).await
    }

    /// Reads the footers on the threads of the engine: what they say of dozens of columns takes longer than to read it.
    async fn read_footers(&self, session: &dyn Session) -> Result<Vec<PartitionedFile>> {
        let store = session.runtime_env().object_store(ObjectStoreUrl::local_filesystem())?;
        let cache = session.runtime_env().cache_manager.get_file_metadata_cache();
        let task = |path: &PathBuf| {
            let (path, store, cache) = (path.clone(), store.clone(), cache.clone());
            let schema = self.schema.clone();
            SpawnedTask::spawn(async move { footer(&path, store.as_ref(), cache, &schema).await })
        };
        let tasks: Vec<_> = self.files.iter().map(task).collect();
        let mut files = Vec::with_capacity(tasks.len());
        for (task, path) in tasks.into_iter().zip(&self.files) {
            // The library panics on some files that were made to be unreadable.
            files.push(task.join().await.unwrap_or_else(|error| Err(unreadable(path, &error)))?);
        }
        Ok(files)
    }
}

async fn footer(
    path: &Path,
    store: &dyn ObjectStore,
    cache: Arc<FileMetadataCache>,
    schema: &SchemaRef,
) -> Result<PartitionedFile> {
    let file = PartitionedFile::from(meta(path).map_err(|error| unreadable(path, &error))?);
    let footer =
        DFParquetMetadata::new(store, &file.object_meta).with_file_metadata_cache(Some(cache));
    let statistics = footer.fetch_statistics(schema).await;
    let statistics =
        statistics.map_err(|error| unreadable(path, &error.find_root().strip_backtrace()))?;
    Ok(file.with_statistics(Arc::new(without_bytes(statistics))))
}

/// What is known of rows without the bytes they take: a footer says how many they take encoded, where texts that repeat
/// take hardly any, and the engine would hold the larger side of a join in memory for the smaller one.
fn without_bytes(mut statistics: Statistics) -> Statistics {
    statistics.total_byte_size = Precision::Absent;
    for column in &mut statistics.column_statistics {
        column.byte_size = Precision::Absent;
    }
    statistics
}

fn meta(path: &Path) -> std::io::Result<ObjectMeta> {
    let metadata = path.metadata()?;
    let location =
        StorePath::from_absolute_path(path.canonicalize()?).map_err(std::io::Error::other)?;
    let last_modified = metadata.modified()?.into();
    Ok(ObjectMeta { location, last_modified, size: metadata.len(), e_tag: None, version: None })
}

fn unreadable(path: &Path, reason: &dyn ToString) -> DataFusionError {
    let (path, reason) = (path.display().to_string(), reason.to_string());
    DataFusionError::External(Box::new(Error::File { path, reason }))
}

#[async_trait]
impl TableProvider for FilesTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // Filters choose row groups and pages; rows are filtered above.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.plan(session, projection, session.config().target_partitions(), limit).await
    }
}

/// The files in at most `count` groups, each a stretch of the list.
fn stretches(files: &[PartitionedFile], count: usize) -> Vec<FileGroup> {
    let length = files.len().div_ceil(count.max(1)).max(1);
    files.chunks(length).map(|files| FileGroup::new(files.to_vec())).collect()
}
