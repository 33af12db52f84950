//! The port: where content and metadata are kept, as objects under keys.
//!
//! Nothing in it assumes a local path but [`BlobStore::publish`], which takes a finished upload from its staging file.

mod disk;
mod objects;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;

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

    /// Whether a file or directory was missing.
    fn is_not_found(&self) -> bool {
        match self {
            Self::Full { .. } => false,
            Self::Failed { source, .. } => io_kinds(source.as_ref()).any(|kind| kind == io::ErrorKind::NotFound),
        }
    }
}

/// Whether an error, or what caused it, is a full disk or an exceeded quota.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    io_kinds(error).any(|kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

/// The kinds of the IO errors among an error and its causes.
fn io_kinds<'a>(error: &'a (dyn std::error::Error + 'static)) -> impl Iterator<Item = io::ErrorKind> + 'a {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.filter_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind)
}

/// Keeps objects. Keys are relative, `/` between their parts, characters of digests, tags and ids only.
///
/// Contract (`tests/it/store.rs` runs it over every implementation): a write is atomic and durable when it returns; a
/// reader sees the old object or the new one; a failed write leaves nothing that a listing shows.
#[async_trait]
pub trait BlobStore: fmt::Debug + Send + Sync + 'static {
    /// Writes a small object whole, over what was there.
    async fn put(&self, key: &str, content: Bytes) -> Result<(), StoreError>;

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
