//! The port. The limits hold on every backend, so that nothing works on one and breaks on the other.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

/// Largest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 512;
/// Most preconditions and operations of one transaction, together.
pub const TRANSACTION_OPERATIONS_MAX: usize = 100;
/// Most bytes of one transaction: its keys and values together.
pub const TRANSACTION_BYTES_MAX: usize = VALUE_BYTES_MAX + 256 * 1024;
/// Most entries of one page.
pub const PAGE_ENTRIES_MAX: usize = 1000;
/// A page ends early once its values reach so many bytes.
pub const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest time that a lease may live without a renewal.
pub const LEASE_TTL_MAX: Duration = Duration::from_hours(24);

/// A point in the store's history. Every commit that changes something makes a new, higher one; so does the end of a lease
/// that had keys. Where others write to the same backend, their changes make new ones, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Bytes,
    /// When the key was made.
    pub created: Revision,
    /// When it last changed.
    pub modified: Revision,
    /// Whether it goes with a lease.
    pub is_leased: bool,
}

/// Which part of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Start after this key; from the beginning when `None`.
    pub after: Option<String>,
    /// At most so many; `PAGE_ENTRIES_MAX` when `None`.
    pub limit: Option<usize>,
    /// From the last key to the first. `after` then means *below*.
    pub descending: bool,
}

/// A page of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// In the keys' order (bytewise), or its reverse.
    pub entries: Vec<Entry>,
    /// Whether more follow. A page may hold fewer entries than its limit when values are large; this says whether to
    /// go on.
    pub more: bool,
    /// The revision at which the page was read. A watch from the next one misses nothing.
    pub revision: Revision,
}

impl Revision {
    /// The revision after this one: where a watch starts that shall miss nothing since.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What must hold for a transaction to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// The key does not exist.
    Absent {
        /// Which.
        key: String,
    },
    /// The key exists.
    Present {
        /// Which.
        key: String,
    },
    /// The key has not changed since.
    Unmodified {
        /// Which.
        key: String,
        /// [`Entry::modified`] as it was read.
        since: Revision,
    },
}

/// What a transaction changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Sets a key; with a lease the key goes when the lease does.
    Put {
        /// Which.
        key: String,
        /// To what.
        value: Bytes,
        /// For how long.
        lease: Option<LeaseId>,
    },
    /// Removes a key; one that does not exist is no error.
    Delete {
        /// Which.
        key: String,
    },
}

/// Preconditions and operations: all or nothing. No key may be named by two operations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// All must hold. They come first, and the limit does not count them: see [`FencedStore`](crate::FencedStore).
    pub fences: Vec<Precondition>,
    /// All must hold.
    pub preconditions: Vec<Precondition>,
    /// All are done.
    pub operations: Vec<Operation>,
}

impl Transaction {
    /// An empty transaction.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything that must hold, in the order in which it is looked at.
    pub fn conditions(&self) -> impl Iterator<Item = &Precondition> {
        self.fences.iter().chain(&self.preconditions)
    }

    /// Adds: the key must not exist.
    #[must_use]
    pub fn absent(mut self, key: impl Into<String>) -> Self {
        self.preconditions.push(Precondition::Absent { key: key.into() });
        self
    }

    /// Adds: the key must exist.
    #[must_use]
    pub fn present(mut self, key: impl Into<String>) -> Self {
        self.preconditions.push(Precondition::Present { key: key.into() });
        self
    }

    /// Adds: the entry must be as it was read.
    #[must_use]
    pub fn unmodified(mut self, entry: &Entry) -> Self {
        self.preconditions.push(Precondition::Unmodified { key: entry.key.clone(), since: entry.modified });
        self
    }

    /// Adds: set the key.
    #[must_use]
    pub fn put(mut self, key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.operations.push(Operation::Put { key: key.into(), value: value.into(), lease: None });
        self
    }

    /// Adds: set the key for as long as the lease lives.
    #[must_use]
    pub fn put_leased(mut self, key: impl Into<String>, value: impl Into<Bytes>, lease: LeaseId) -> Self {
        self.operations.push(Operation::Put { key: key.into(), value: value.into(), lease: Some(lease) });
        self
    }

    /// Adds: remove the key.
    #[must_use]
    pub fn delete(mut self, key: impl Into<String>) -> Self {
        self.operations.push(Operation::Delete { key: key.into() });
        self
    }
}

/// A commit's result. It is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The revision that the commit made.
    pub revision: Revision,
}

/// A change that a watch reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The key was set.
    Put(Entry),
    /// The key was removed.
    Delete {
        /// Which.
        key: String,
        /// When.
        revision: Revision,
    },
}

/// Changes in order, none skipped. Ends with `Err(StoreError::WatchLagged)` for a watcher that is too slow: list again.
pub type Watch = BoxStream<'static, Result<Event, StoreError>>;

/// Identifies a lease.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub String);

/// A store.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// One key.
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError>;
    /// The keys that start with `prefix`, a page at a time; an empty prefix means all.
    async fn list(&self, prefix: &str, page: Page) -> Result<Listing, StoreError>;
    /// Does all of a transaction, durably and once, or nothing. Every error says that nothing was changed, but
    /// [`StoreError::Unclear`].
    ///
    /// # Cancel safety
    /// A dropped call may still commit.
    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError>;
    /// Changes under `prefix` with a revision of at least `from`. Ends without an error when the store is closed.
    /// Refused with `StoreError::Compacted` when that history is gone: list again.
    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError>;
    /// A lease that ends `ttl` after its last renewal, together with the keys put under it. A restart of the store
    /// counts as a renewal.
    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError>;
    /// Renews; `StoreError::LeaseGone` when it has ended.
    async fn lease_renew(&self, lease: &LeaseId) -> Result<(), StoreError>;
    /// Ends a lease and removes its keys. One that is gone is no error.
    async fn lease_revoke(&self, lease: &LeaseId) -> Result<(), StoreError>;
}

/// What goes wrong in a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A precondition did not hold; nothing was changed. Read again and decide again.
    #[error("`{key}` changed in the meantime")]
    Conflict {
        /// The first key of which a precondition does not hold.
        key: String,
    },
    /// Against a limit of the port. A retry changes nothing.
    #[error("{0}")]
    Limit(String),
    /// The watched history is gone.
    #[error("the history from revision {} on is gone", .0.0)]
    Compacted(Revision),
    /// The watcher was too slow.
    #[error("the watcher was too slow")]
    WatchLagged,
    /// The lease has ended.
    #[error("the lease has ended")]
    LeaseGone,
    /// Another leads the platform now; nothing was changed. A retry changes nothing: see `FencedStore`.
    #[error("another controller leads the platform now: ask again, and it answers")]
    Deposed,
    /// The disk is full: nothing was changed.
    #[error("the platform's disk is full: free some space on its machine and try again")]
    DiskFull,
    /// Nobody knows: it was done, was not, or may yet be. Look before you decide; a retry may do it twice.
    #[error("{doing}: no answer, so it may have been done: look before you try again")]
    Unclear {
        /// What we did.
        doing: String,
        /// Why there is no answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The backend failed; nothing was changed. A retry may help.
    #[error("{doing}")]
    Backend {
        /// What we did.
        doing: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
