//! The store in one SQLite file, for one process.
//!
//! One thread writes and commits what queues up meanwhile in one go, so that many writers share an fsync; an answer
//! follows the fsync. Readers have connections of their own and never wait for the writer. A watch reads the history
//! table and is only nudged by commits, so a slow watcher costs no memory; one that the compaction overtakes has
//! lagged. What is absent here: no lock on the data directory. That is its owner's.

mod apply;
mod error;
mod file;
mod history;
mod leases;
mod readers;
mod watch;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::limits::{key_check, page_check, prefix_check, transaction_check, ttl_check};
use crate::port::{
    Committed, Entry, LeaseId, Listing, Page, Revision, Store, StoreError, TRANSACTION_BYTES_MAX, Transaction, Watch,
};
use readers::Readers;
use writer::{Request, Writer};

/// Most revisions that the history keeps, by default.
pub const HISTORY_REVISIONS_MAX: u64 = 10_000;
/// Most bytes of values that the history keeps, by default.
pub const HISTORY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How a [`SqliteStore`] is kept.
#[derive(Debug, Clone)]
pub struct SqliteSettings {
    /// Most revisions that watches can be replayed from.
    pub history_revisions_max: u64,
    /// Most bytes of values in the history. It always holds the newest revision.
    pub history_bytes_max: u64,
    /// Largest data file, in bytes; beyond it the store answers [`StoreError::DiskFull`]. No limit when `None`.
    pub file_bytes_max: Option<u64>,
}

impl Default for SqliteSettings {
    fn default() -> Self {
        Self {
            history_revisions_max: HISTORY_REVISIONS_MAX,
            history_bytes_max: HISTORY_BYTES_MAX,
            file_bytes_max: None,
        }
    }
}

/// A store in one SQLite file. Cheap to clone; the file is closed with the last clone.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: Arc<Writer>,
    readers: Arc<Readers>,
}

impl SqliteStore {
    /// Opens the data file at `path`, or makes it, readable by its owner only. Blocks for as long as that takes.
    ///
    /// # Errors
    /// When the file cannot be opened, is no store or was written by a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteSettings::default())
    }

    /// Like [`SqliteStore::open`], with settings.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with(path: &Path, settings: SqliteSettings) -> Result<Self, StoreError> {
        let writer = Writer::start(path, settings)?;
        Ok(Self { writer: Arc::new(writer), readers: Arc::new(Readers::new(path)) })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        key_check(key)?;
        let key = key.to_owned();
        self.readers.read("read a key", move |connection| readers::get(connection, &key)).await
    }

    async fn list(&self, prefix: &str, page: Page) -> Result<Listing, StoreError> {
        prefix_check(prefix)?;
        let limit = page_check(&page)?;
        let prefix = prefix.to_owned();
        self.readers.read("list keys", move |connection| readers::list(connection, &prefix, &page, limit)).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        let bytes = transaction_check(&transaction)?;
        self.writer.ask(bytes, |answer| Request::Commit { transaction, answer }).await
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError> {
        prefix_check(prefix)?;
        watch::open(Arc::clone(&self.readers), self.writer.revisions(), prefix.to_owned(), from).await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        ttl_check(ttl)?;
        self.writer.ask(0, |answer| Request::LeaseGrant { ttl, answer }).await
    }

    async fn lease_renew(&self, lease: &LeaseId) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.writer.ask(0, |answer| Request::LeaseRenew { lease, answer }).await
    }

    async fn lease_revoke(&self, lease: &LeaseId) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.writer.ask(0, |answer| Request::LeaseRevoke { lease, answer }).await
    }
}

const _: () = assert!(TRANSACTION_BYTES_MAX < writer::QUEUE_BYTES_MAX, "one transaction must fit into the queue");
