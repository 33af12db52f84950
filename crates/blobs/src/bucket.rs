//! A bucket: objects under keys.

use std::fmt;
use std::io::{self, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use ambo_model::Timestamp;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, UpdateVersion,
};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::Semaphore;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::error::BlobsError;
use crate::file::PARTS_AT_A_TIME;

/// Size of the pieces in which a local file is read, in bytes.
const PIECE_BYTES: usize = 256 * 1024;

/// Content as it is read, in pieces as they come from the store.
pub type ByteStream = BoxStream<'static, Result<Bytes, BlobsError>>;

/// An object without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its size, in bytes.
    pub size: u64,
    /// When it was written, by the store's clock; whole seconds on some stores.
    pub modified: Timestamp,
}

/// What an object was when it was read.
#[derive(Debug, Clone)]
pub struct Version(UpdateVersion);

/// An object store's bucket, or what lies below a prefix in it. Keys are relative, `/` between their parts. Cheap to clone.
///
/// A write is atomic and durable when it returns. Listings come in pages, as they are read.
#[derive(Clone)]
pub struct Bucket {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// For files in parts; a directory of this machine has its own way.
    pub(crate) parts: Option<Arc<dyn MultipartStore>>,
    /// Bounds the parts that are in memory.
    pub(crate) parts_permits: Arc<Semaphore>,
    prefix: String,
    shown: Arc<str>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({self})")
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Bucket {
    pub(crate) fn new<S: ObjectStore + MultipartStore>(store: Arc<S>, shown: String) -> Self {
        Self { parts: Some(store.clone()), ..Self::without_parts(store, shown) }
    }

    pub(crate) fn without_parts(store: Arc<dyn ObjectStore>, shown: String) -> Self {
        let parts_permits = Arc::new(Semaphore::new(PARTS_AT_A_TIME));
        Self { store, parts: None, parts_permits, prefix: String::new(), shown: shown.into() }
    }

    /// A bucket in this process's memory, gone with it. For tests.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Arc::new(InMemory::new()), "memory:".to_owned())
    }

    /// What lies below `prefix`, as a bucket of its own.
    #[must_use]
    pub fn below(&self, prefix: &str) -> Self {
        Self { prefix: self.full(prefix), ..self.clone() }
    }

    fn full(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) }
    }

    pub(crate) fn path(&self, key: &str) -> Result<Path, BlobsError> {
        Path::parse(self.full(key)).map_err(|error| self.failed("name", key, error))
    }

    pub(crate) fn failed(
        &self,
        doing: &'static str,
        key: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> BlobsError {
        BlobsError { doing, key: self.full(key), store: self.shown.to_string(), source: source.into() }
    }

    /// Turns "not found" into `None`.
    fn found<T>(
        &self,
        result: object_store::Result<T>,
        doing: &'static str,
        key: &str,
    ) -> Result<Option<T>, BlobsError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(doing, key, error)),
        }
    }

    fn listed(&self, meta: &ObjectMeta) -> Listed {
        let modified = Timestamp::from_microsecond(meta.last_modified.timestamp_micros()).unwrap_or(Timestamp::MIN);
        let full = meta.location.as_ref();
        let key = full.strip_prefix(&self.prefix).unwrap_or(full).trim_start_matches('/').to_owned();
        Listed { key, size: meta.size, modified }
    }

    /// Writes a small object whole, over what was there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put(&self, key: &str, content: Bytes) -> Result<(), BlobsError> {
        let written = self.store.put(&self.path(key)?, content.into()).await;
        written.map(drop).map_err(|error| self.failed("write", key, error))
    }

    /// Writes a small object whole, if it still is what was `seen`: that version, or nothing. `false`: it is something else
    /// by now, and stays it. No two writers' contents may be equal; put something in that nobody else would.
    ///
    /// # Errors
    /// When the store fails, or has no conditional writes. Then the object may or may not be written.
    pub async fn swap(&self, key: &str, seen: Option<&Version>, content: Bytes) -> Result<bool, BlobsError> {
        let mode = seen.map_or(PutMode::Create, |version| PutMode::Update(version.0.clone()));
        let options = PutOptions { mode, ..PutOptions::default() };
        let written = self.store.put_opts(&self.path(key)?, PutPayload::from(content.clone()), options).await;
        use object_store::Error::{AlreadyExists, NotFound, Precondition};
        match written {
            Ok(_) => Ok(true),
            // The first try may have done it and only its answer been lost: what is there now tells.
            Err(NotFound { .. } | AlreadyExists { .. } | Precondition { .. }) => {
                Ok(self.get(key).await?.is_some_and(|now| now == content))
            }
            Err(error) => match self.get(key).await {
                Ok(Some(now)) if now == content => Ok(true),
                _ => Err(self.failed("replace", key, error)),
            },
        }
    }

    /// Reads a small object whole.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, BlobsError> {
        Ok(self.look(key).await?.map(|(content, _)| content))
    }

    /// Reads a small object whole, with what [`Self::swap`] wants to see.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look(&self, key: &str) -> Result<Option<(Bytes, Version)>, BlobsError> {
        let Some(result) = self.found(self.store.get(&self.path(key)?).await, "read", key)? else { return Ok(None) };
        let version = UpdateVersion { e_tag: result.meta.e_tag.clone(), version: result.meta.version.clone() };
        let content = self.found(result.bytes().await, "read", key)?;
        Ok(content.map(|content| (content, Version(version))))
    }

    /// Reads part of an object as it comes. An empty range is nothing of an object that is there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn read(&self, key: &str, range: Range<u64>) -> Result<Option<ByteStream>, BlobsError> {
        if range.is_empty() {
            return Ok(self.stat(key).await?.map(|_| futures::stream::empty().boxed()));
        }
        self.stream(key, GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() }).await
    }

    pub(crate) async fn stream(&self, key: &str, options: GetOptions) -> Result<Option<ByteStream>, BlobsError> {
        let result = self.store.get_opts(&self.path(key)?, options).await;
        let Some(result) = self.found(result, "read", key)? else { return Ok(None) };
        if matches!(result.payload, GetResultPayload::File(..)) {
            return self.file_stream(key, result).await.map(Some);
        }
        let (bucket, key) = (self.clone(), key.to_owned());
        Ok(Some(result.into_stream().map_err(move |error| bucket.failed("read", &key, error)).boxed()))
    }

    /// A file's pieces, larger than the ones that it comes in by itself.
    async fn file_stream(&self, key: &str, result: GetResult) -> Result<ByteStream, BlobsError> {
        let range = result.range.clone();
        let GetResultPayload::File(file, _) = result.payload else { return Ok(futures::stream::empty().boxed()) };
        let (bucket, key) = (self.clone(), key.to_owned());
        let failed = move |error: io::Error| bucket.failed("read", &key, error);
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(PIECE_BYTES);
        file.seek(SeekFrom::Start(range.start)).await.map_err(&failed)?;
        Ok(ReaderStream::with_capacity(file.take(range.end - range.start), PIECE_BYTES).map_err(failed).boxed())
    }

    /// Looks an object up.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn stat(&self, key: &str) -> Result<Option<Listed>, BlobsError> {
        let meta = self.found(self.store.head(&self.path(key)?).await, "look up", key)?;
        Ok(meta.map(|meta| self.listed(&meta)))
    }

    /// Removes an object. Done when it is gone.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete(&self, key: &str) -> Result<(), BlobsError> {
        self.found(self.store.delete(&self.path(key)?).await, "delete", key).map(drop)
    }

    /// Removes everything below `prefix`. Gives the number of objects.
    ///
    /// # Errors
    /// When the store fails; what was removed by then stays removed.
    pub async fn delete_below(&self, prefix: &str) -> Result<u64, BlobsError> {
        let path = self.path(prefix)?;
        let found = self.store.list(Some(&path)).map_ok(|meta| meta.location).boxed();
        let deleted = self.store.delete_stream(found);
        let counted = deleted.try_fold(0, |count, _| async move { Ok(count + 1) }).await;
        counted.map_err(|error| self.failed("delete what is below", prefix, error))
    }

    /// All objects whose key starts with `prefix` and a `/`, in no order.
    pub fn list(&self, prefix: &str) -> BoxStream<'static, Result<Listed, BlobsError>> {
        let path = match self.path(prefix) {
            Ok(path) => path,
            Err(error) => return futures::stream::once(async { Err(error) }).boxed(),
        };
        let (bucket, prefix) = (self.clone(), prefix.to_owned());
        let listed = self.store.list(Some(&path));
        listed
            .map(move |meta| {
                meta.map(|meta| bucket.listed(&meta)).map_err(|error| bucket.failed("list", &prefix, error))
            })
            .boxed()
    }

    /// Whether the store does what is relied on: takes writes, shows them, and refuses conditional ones whose condition is
    /// not met. Leaves nothing behind.
    ///
    /// # Errors
    /// When it does not; [`BlobsError::is_refusal`] tells whether that could change by itself.
    pub async fn check(&self) -> Result<(), BlobsError> {
        let key = format!("check/{}", Uuid::new_v4().simple());
        let checked = self.check_at(&key).await;
        let removed = self.delete(&key).await;
        checked.and(removed)
    }

    async fn check_at(&self, key: &str) -> Result<(), BlobsError> {
        let unconditional = || {
            let why = "it lets a conditional write through whose condition is not met";
            let source = object_store::Error::NotSupported { source: why.into() };
            self.failed("check", key, source)
        };
        let invisible = || self.failed("check", key, "what was just written is not there");
        self.put(key, Bytes::from_static(b"1")).await?;
        if self.swap(key, None, Bytes::from_static(b"2")).await? {
            return Err(unconditional());
        }
        let (_, first) = self.look(key).await?.ok_or_else(invisible)?;
        if !self.swap(key, Some(&first), Bytes::from_static(b"3")).await? {
            return Err(invisible());
        }
        if self.swap(key, Some(&first), Bytes::from_static(b"4")).await? {
            return Err(unconditional());
        }
        Ok(())
    }
}
