//! Any store that the `object_store` crate speaks to.

use std::fmt;
use std::io::SeekFrom;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ambo_model::Timestamp;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt, WriteMultipart};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::{BlobStore, ByteStream, Stat, StoreError};

/// Size of the pieces in which content is read and written, in bytes.
const PIECE_BYTES: usize = 256 * 1024;
/// Parts of a multipart write that may be under way at a time.
const PARTS_MAX: usize = 2;

/// Keeps objects in an [`ObjectStore`].
#[derive(Clone)]
pub struct ObjectBlobStore {
    store: Arc<dyn ObjectStore>,
}

impl ObjectBlobStore {
    /// Keeps objects in `store`, which must have durable, atomic writes.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }
}

impl fmt::Debug for ObjectBlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectBlobStore({})", self.store)
    }
}

fn path(key: &str) -> Result<object_store::path::Path, StoreError> {
    object_store::path::Path::parse(key).map_err(|error| StoreError::new("name object", key, error))
}

fn stat(meta: ObjectMeta) -> Stat {
    let modified = Timestamp::from_microsecond(meta.last_modified.timestamp_micros()).unwrap_or(Timestamp::MIN);
    Stat { key: meta.location.to_string(), size: meta.size, modified }
}

/// Turns "not found" into `None`.
fn found<T>(result: Result<T, object_store::Error>, doing: &'static str, key: &str) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(StoreError::new(doing, key, error)),
    }
}

#[async_trait]
impl BlobStore for ObjectBlobStore {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), StoreError> {
        let written = self.store.put(&path(key)?, content.into()).await;
        written.map(drop).map_err(|error| StoreError::new("write", key, error))
    }

    async fn publish(&self, key: &str, staged: &Path) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| StoreError::new("read the staged file of", key, error);
        let file = tokio::fs::File::open(staged).await.map_err(failed)?;
        let upload = self.store.put_multipart(&path(key)?).await;
        let mut upload = WriteMultipart::new(upload.map_err(|error| StoreError::new("write", key, error))?);
        let mut pieces = ReaderStream::with_capacity(file, PIECE_BYTES);
        while let Some(piece) = pieces.next().await {
            let sent = match piece {
                Ok(piece) => {
                    upload.put(piece);
                    upload.wait_for_capacity(PARTS_MAX).await.map_err(|error| StoreError::new("write", key, error))
                }
                Err(error) => Err(failed(error)),
            };
            if let Err(error) = sent {
                // The write's own failure is what matters; an abort that fails too leaves nothing visible.
                let _ = upload.abort().await;
                return Err(error);
            }
        }
        upload.finish().await.map_err(|error| StoreError::new("write", key, error))?;
        tokio::fs::remove_file(staged).await.map_err(failed)
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let Some(result) = found(self.store.get(&path(key)?).await, "read", key)? else { return Ok(None) };
        found(result.bytes().await, "read", key)
    }

    async fn read(&self, key: &str, range: Range<u64>) -> Result<Option<ByteStream>, StoreError> {
        if range.is_empty() {
            return Ok(self.stat(key).await?.map(|_| futures::stream::empty().boxed()));
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        let Some(result) = found(self.store.get_opts(&path(key)?, options).await, "read", key)? else {
            return Ok(None);
        };
        let key = key.to_owned();
        let failed = move |error: std::io::Error| StoreError::new("read", key.clone(), error);
        Ok(Some(match result.payload {
            GetResultPayload::File(file, _) => {
                let mut file = tokio::fs::File::from_std(file);
                file.set_max_buf_size(PIECE_BYTES);
                file.seek(SeekFrom::Start(range.start)).await.map_err(&failed)?;
                ReaderStream::with_capacity(file.take(range.end - range.start), PIECE_BYTES).map_err(failed).boxed()
            }
            GetResultPayload::Stream(stream) => {
                stream.map_err(move |error| failed(std::io::Error::other(error))).boxed()
            }
        }))
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>, StoreError> {
        Ok(found(self.store.head(&path(key)?).await, "look up", key)?.map(stat))
    }

    async fn touch(&self, key: &str) -> Result<bool, StoreError> {
        let path = path(key)?;
        Ok(found(self.store.copy(&path, &path).await, "touch", key)?.is_some())
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        // Deleting what is not there is a success to some stores.
        if self.stat(key).await?.is_none() {
            return Ok(false);
        }
        Ok(found(self.store.delete(&path(key)?).await, "delete", key)?.is_some())
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Stat, StoreError>> {
        let path = match path(prefix) {
            Ok(path) => path,
            Err(error) => return futures::stream::once(async { Err(error) }).boxed(),
        };
        let prefix = prefix.to_owned();
        let listed = self.store.list(Some(&path)).map_ok(stat);
        listed.map_err(move |error| StoreError::new("list", prefix.clone(), error)).boxed()
    }

    async fn tidy(&self, _cutoff: Timestamp) -> Result<u64, StoreError> {
        // Unfinished multipart writes are not objects; object stores expire them by a rule of the bucket.
        Ok(0)
    }
}
