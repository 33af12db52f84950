//! Moving a platform's state from one store to another.
//!
//! The target carries a mark from the first write to the last, so that a move which was interrupted is known as such: nothing
//! may start on it, and it can be begun again. Each write has the mark as a precondition, so of two moves to one target the later
//! one goes on. What both stores hold in the end is compared by checksum, and the source is read twice: if it changed
//! meanwhile, somebody still works on it.
//!
//! Keys that go with a lease stay behind: they tell who lives and leads now, and their leases are the old store's.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::port::{Entry, Listing, Page, Store, StoreError, TRANSACTION_OPERATIONS_MAX, Transaction, VALUE_BYTES_MAX};

/// The mark of a move that has not ended.
const MARK: &str = "store/migration";
/// Most bytes of one write; an entry that is larger goes alone.
const BATCH_BYTES_MAX: usize = VALUE_BYTES_MAX / 2;
/// Most entries of one write, beside its precondition.
const BATCH_ENTRIES_MAX: usize = TRANSACTION_OPERATIONS_MAX - 1;

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// What both stores hold now.
    pub contents: Contents,
    /// The keys that went with a lease, and were left out.
    pub left_out: Vec<String>,
}

/// What a store holds, less what goes with a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// How many keys.
    pub key_count: u64,
    /// How many bytes their values have together.
    pub value_bytes: u64,
    /// Of all keys and values in order.
    pub checksum: Checksum,
}

/// SHA-256 over each key and value, each after its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum([u8; 32]);

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why state was not moved. The source is never touched.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The source could not be read.
    #[error("read the source")]
    Source(#[source] StoreError),
    /// The target could not be read or written. Run it again: it begins anew.
    #[error("write the target")]
    Target(#[source] StoreError),
    /// The source is the target of a move that was interrupted.
    #[error("the source is unfinished itself: a move to it was interrupted")]
    SourceUnfinished,
    /// There is something in the target, and not from a move that was interrupted.
    #[error("the target is not empty: `{key}` is there; name an empty one")]
    TargetTaken {
        /// One of its keys.
        key: String,
    },
    /// Another move to the same target has begun meanwhile.
    #[error("another move to the same target has begun")]
    Overtaken,
    /// The source is in use.
    #[error("the source has changed meanwhile: stop the platform that works on it, and try again")]
    SourceChanged,
    /// The target does not hold what the source does.
    #[error("the target does not hold what was written to it: {found} instead of {expected}")]
    Differs {
        /// What the target holds.
        found: Checksum,
        /// What the source holds.
        expected: Checksum,
    },
}

/// Moves all of `from` to `to`, which is empty, or what an interrupted move has left.
///
/// # Errors
/// As [`MigrateError`] says; the target then stays marked as unfinished.
///
/// # Cancel safety
/// A dropped move is an interrupted one.
pub async fn migrate(from: &dyn Store, to: &dyn Store) -> Result<Migrated, MigrateError> {
    if is_unfinished(from).await.map_err(MigrateError::Source)? {
        return Err(MigrateError::SourceUnfinished);
    }
    let target = Target::mark(to).await?;
    target.clear().await?;
    let (copied, left_out) = target.copy(from).await?;
    let found = contents(to).await.map_err(MigrateError::Target)?;
    if found != copied {
        return Err(MigrateError::Differs { found: found.checksum, expected: copied.checksum });
    }
    if contents(from).await.map_err(MigrateError::Source)? != copied {
        return Err(MigrateError::SourceChanged);
    }
    target.finish().await?;
    Ok(Migrated { contents: copied, left_out })
}

/// Whether a move to this store was interrupted: no platform may work on it.
///
/// # Errors
/// When the store fails.
pub async fn is_unfinished(store: &dyn Store) -> Result<bool, StoreError> {
    Ok(store.get(MARK).await?.is_some())
}

/// The keys that go with a lease: who works on a store now.
///
/// # Errors
/// When the store fails.
pub async fn leased_keys(store: &dyn Store) -> Result<Vec<String>, StoreError> {
    let (mut keys, mut pages) = (Vec::new(), Pages::default());
    while let Some(listing) = pages.next(store).await? {
        keys.extend(leased(listing));
    }
    Ok(keys)
}

/// What a store holds now.
///
/// # Errors
/// When the store fails.
pub async fn contents(store: &dyn Store) -> Result<Contents, StoreError> {
    let (mut tally, mut pages) = (Tally::default(), Pages::default());
    while let Some(listing) = pages.next(store).await? {
        carried(&listing).for_each(|entry| tally.add(entry));
    }
    Ok(tally.contents())
}

/// A store that is being filled, with our mark on it: nothing may start on it until [`Target::finish`]. For whoever fills a
/// store with a platform's state, from another store or from a backup.
pub struct Target<'a> {
    store: &'a dyn Store,
    mark: Entry,
}

impl fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("mark", &self.mark.modified).finish_non_exhaustive()
    }
}

impl<'a> Target<'a> {
    /// Takes a store that is empty but for keys with a lease, or that an interrupted filling has left.
    ///
    /// # Errors
    /// When there is something else in it, or it fails.
    pub async fn mark(store: &'a dyn Store) -> Result<Self, MigrateError> {
        let claim = match store.get(MARK).await.map_err(MigrateError::Target)? {
            Some(left) => Transaction::new().unmodified(&left),
            None => {
                let mut pages = Pages::default();
                while let Some(listing) = pages.next(store).await.map_err(MigrateError::Target)? {
                    if let Some(entry) = carried(&listing).next() {
                        return Err(MigrateError::TargetTaken { key: entry.key.clone() });
                    }
                }
                Transaction::new().absent(MARK)
            }
        };
        store.commit(claim.put(MARK, "unfinished")).await.map_err(target_error)?;
        let mark = store.get(MARK).await.map_err(MigrateError::Target)?.ok_or(MigrateError::Overtaken)?;
        Ok(Self { store, mark })
    }

    /// Removes what an earlier filling has left.
    ///
    /// # Errors
    /// When the store fails, or somebody else fills it by now.
    pub async fn clear(&self) -> Result<(), MigrateError> {
        let mut pages = Pages::default();
        while let Some(listing) = pages.next(self.store).await.map_err(MigrateError::Target)? {
            let old: Vec<_> = carried(&listing).collect();
            for some in old.chunks(BATCH_ENTRIES_MAX) {
                self.commit(some.iter().fold(Transaction::new(), |all, entry| all.delete(&entry.key))).await?;
            }
        }
        Ok(())
    }

    /// Writes what is in `from`, and says what that is, and which keys were left out.
    async fn copy(&self, from: &dyn Store) -> Result<(Contents, Vec<String>), MigrateError> {
        let (mut tally, mut pages, mut left_out) = (Tally::default(), Pages::default(), Vec::new());
        while let Some(listing) = pages.next(from).await.map_err(MigrateError::Source)? {
            let (mut batch, mut bytes) = (Transaction::new(), 0);
            for entry in carried(&listing) {
                tally.add(entry);
                let entry_bytes = entry.key.len() + entry.value.len();
                if !Self::fits(&batch, bytes, entry_bytes) {
                    self.commit(std::mem::take(&mut batch)).await?;
                    bytes = 0;
                }
                bytes += entry_bytes;
                batch = batch.put(&entry.key, entry.value.clone());
            }
            self.commit(batch).await?;
            left_out.extend(leased(listing));
        }
        Ok((tally.contents(), left_out))
    }

    /// Does a transaction, if the store is still ours to fill. [`Self::fits`] says what goes into one.
    ///
    /// # Errors
    /// When the store fails, or somebody else fills it by now.
    pub async fn commit(&self, batch: Transaction) -> Result<(), MigrateError> {
        if batch.operations.is_empty() {
            return Ok(());
        }
        self.store.commit(batch.unmodified(&self.mark)).await.map(drop).map_err(target_error)
    }

    /// Whether another entry fits into a transaction whose entries have so many bytes. One that is too large for any goes
    /// alone.
    #[must_use]
    pub fn fits(batch: &Transaction, batch_bytes: usize, entry_bytes: usize) -> bool {
        batch.operations.is_empty()
            || batch.operations.len() < BATCH_ENTRIES_MAX && batch_bytes + entry_bytes <= BATCH_BYTES_MAX
    }

    /// Takes the mark off: the store is whole.
    ///
    /// # Errors
    /// When the store fails, or somebody else fills it by now.
    pub async fn finish(self) -> Result<(), MigrateError> {
        match self.store.commit(Transaction::new().unmodified(&self.mark).delete(MARK)).await {
            // It may have been done: then the mark is gone.
            Err(StoreError::Unclear { .. }) if !is_unfinished(self.store).await.map_err(MigrateError::Target)? => {
                Ok(())
            }
            result => result.map(drop).map_err(target_error),
        }
    }
}

fn target_error(error: StoreError) -> MigrateError {
    match error {
        StoreError::Conflict { .. } => MigrateError::Overtaken,
        error => MigrateError::Target(error),
    }
}

/// What of a page is moved.
fn carried(listing: &Listing) -> impl Iterator<Item = &Entry> {
    listing.entries.iter().filter(|entry| entry.key != MARK && !entry.is_leased)
}

/// Its keys that go with a lease.
fn leased(listing: Listing) -> impl Iterator<Item = String> {
    listing.entries.into_iter().filter(|entry| entry.is_leased).map(|entry| entry.key)
}

/// Goes through all keys of a store.
#[derive(Default)]
struct Pages {
    after: Option<String>,
    ended: bool,
}

impl Pages {
    async fn next(&mut self, store: &dyn Store) -> Result<Option<Listing>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let listing = store.list("", Page { after: self.after.clone(), ..Page::default() }).await?;
        self.after = listing.entries.last().map(|entry| entry.key.clone());
        self.ended = !listing.more;
        Ok(Some(listing))
    }
}

/// Adds up what a store holds.
#[derive(Default)]
struct Tally {
    key_count: u64,
    value_bytes: u64,
    hash: Sha256,
}

impl Tally {
    fn add(&mut self, entry: &Entry) {
        self.key_count += 1;
        self.value_bytes += entry.value.len() as u64;
        for part in [entry.key.as_bytes(), &entry.value] {
            self.hash.update((part.len() as u64).to_be_bytes());
            self.hash.update(part);
        }
    }

    fn contents(self) -> Contents {
        let Self { key_count, value_bytes, hash } = self;
        Contents { key_count, value_bytes, checksum: Checksum(hash.finalize().into()) }
    }
}
