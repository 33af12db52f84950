//! The port: where content and metadata are kept, as objects under keys.
//!
//! Nothing in it assumes a local path but [`BlobStore::publish`], which takes a finished upload from its staging file.

mod disk;
mod objects;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;

use ambo_blobs::{BlobsError, Version};
use ambo_model::Timestamp;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

pub use disk::DiskBlobStore;
pub use objects::ObjectBlobStore;

/// Content as it is read.
pub type ByteStream = BoxStream<'static, Result<Bytes, StoreError>>;

/// An object without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its key.
    pub key: String,
    /// Its size, in bytes.
    pub size: u64,
    /// When it was last written or touched.
    pub modified: Timestamp,
}

/// What a small object was when it was looked at; what [`BlobStore::replace`] wants to be still there.
#[derive(Debug, Clone)]
pub struct Seen(pub(crate) Option<Version>);

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space left. Nothing half-written stays behind.
    #[error("no space left for `{key}`")]
    Full {
        /// The object that did not fit.
        key: String,
    },
    /// Anything else. A retry may help.
    #[error("{doing} `{key}`")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// To which object.
        key: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The bucket failed. A retry may help.
    #[error(transparent)]
    Bucket(BlobsError),
}

impl From<BlobsError> for StoreError {
    fn from(error: BlobsError) -> Self {
        if error.is_full() { Self::Full { key: error.key().to_owned() } } else { Self::Bucket(error) }
    }
}

impl StoreError {
    /// Tells a full disk from everything else.
    pub(crate) fn new(
        doing: &'static str,
        key: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let (key, source) = (key.into(), source.into());
        if is_full(source.as_ref()) { Self::Full { key } } else { Self::Failed { doing, key, source } }
    }
}

/// Whether an error, or what caused it, is a full disk or an exceeded quota.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|error| {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    })
}

/// Keeps objects. Keys are relative, `/` between their parts, characters of digests, tags and ids only.
///
/// Contract (`tests/it/store.rs` runs it over every implementation): a write is atomic and durable when it returns; a
/// reader sees the old object or the new one; a failed write leaves nothing that a listing shows.
///
/// One process at a time writes, but where the store is not this machine's, a request of one that has died may still come
/// in. What it can do then: contents and links say what their key says already, so writing them late changes nothing;
/// touching late only makes things younger. Tags may move, so they are written by [`Self::replace`]. And a late deletion
/// is one that the dead process had planned before its successor could look at the object: a store gives up what is under
/// way for longer than [`ambo_blobs::UNDERWAY_DURATION_MAX`], which no successor is faster than.
#[async_trait]
pub trait BlobStore: fmt::Debug + Send + Sync + 'static {
    /// Writes a small object whole, over what was there.
    async fn put(&self, key: &str, content: Bytes) -> Result<(), StoreError>;

    /// Reads a small object that may change, with what must be shown to replace it.
    async fn look(&self, key: &str) -> Result<(Option<Bytes>, Seen), StoreError>;

    /// Writes a small object whole, unless another process has written it since it was `seen`: `false`, and it stays as
    /// that one left it. A content is like no other that was ever written there.
    async fn replace(&self, key: &str, seen: &Seen, content: Bytes) -> Result<bool, StoreError>;

    /// Moves a finished local file into the store, over what was there. The object's age starts now. The file is gone
    /// afterwards when this succeeds, and untouched when it fails.
    async fn publish(&self, key: &str, staged: &Path) -> Result<(), StoreError>;

    /// Reads a small object whole.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError>;

    /// Reads part of an object as a stream of pieces of bounded size.
    async fn read(&self, key: &str, range: Range<u64>) -> Result<Option<ByteStream>, StoreError>;

    /// Looks an object up.
    async fn stat(&self, key: &str) -> Result<Option<Stat>, StoreError>;

    /// Makes the object's age start now. `false` when there is none.
    async fn touch(&self, key: &str) -> Result<bool, StoreError>;

    /// Removes an object. `false` when there is none.
    async fn delete(&self, key: &str) -> Result<bool, StoreError>;

    /// All objects whose key starts with `prefix` and a `/`, in no order.
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Stat, StoreError>>;

    /// Removes what a crash left of unfinished writes that began before `cutoff`. Gives their number.
    async fn tidy(&self, cutoff: Timestamp) -> Result<u64, StoreError>;
}
