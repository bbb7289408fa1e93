//! Files of this machine, read by the thread that wants them.
//!
//! The engine's own store hands each read to another thread. The files of a trace are many and small, or in
//! memory already: to change threads takes longer than to read. What else a store can do, that one does.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::object_store::local::LocalFileSystem;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use futures::StreamExt;
use futures::stream::{self, BoxStream};

/// The store of `file://`.
#[derive(Debug)]
pub struct LocalFiles(LocalFileSystem);

impl LocalFiles {
    pub fn new() -> LocalFiles {
        LocalFiles(LocalFileSystem::new())
    }

    fn open(&self, location: &Path) -> Result<File> {
        let path = self.0.path_to_filesystem(location)?;
        File::open(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => {
                Error::NotFound { path: path.display().to_string(), source: source.into() }
            }
            _ => failed(source),
        })
    }
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Generic { store: "file", source: source.into() }
}

/// The bytes of a range that is within the file.
fn read(mut file: &File, range: &Range<u64>) -> Result<Bytes> {
    // What a damaged file says of its length is not taken on trust.
    let length = file.metadata().map_err(failed)?.len();
    if range.start > range.end || range.end > length {
        return Err(failed(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)));
    }
    let mut bytes = vec![0; (range.end - range.start) as usize];
    file.seek(SeekFrom::Start(range.start))
        .and_then(|_| file.read_exact(&mut bytes))
        .map_err(failed)?;
    Ok(bytes.into())
}

impl std::fmt::Display for LocalFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for LocalFiles {
    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let file = self.open(location)?;
        ranges.iter().map(|range| read(&file, range)).collect()
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let Some(range) = options.range.clone() else {
            return self.0.get_opts(location, options).await;
        };
        let file = self.open(location)?;
        let metadata = file.metadata().map_err(failed)?;
        let meta = ObjectMeta {
            location: location.clone(),
            last_modified: metadata.modified().map_err(failed)?.into(),
            size: metadata.len(),
            e_tag: None,
            version: None,
        };
        options.check_preconditions(&meta)?;
        let range = range.as_range(meta.size).map_err(failed)?;
        let bytes = read(&file, &range);
        let payload = GetResultPayload::Stream(stream::once(async { bytes }).boxed());
        Ok(GetResult { payload, meta, range, attributes: Attributes::default() })
    }

    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.0.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}
