//! Typed records over the store: JSON under the keys of [`crate::keys`].

use ambo_store::{Entry, Page, Store, StoreError, Transaction};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How often a change is tried again when somebody else changed the same record in between.
const CONFLICT_RETRIES_MAX: usize = 16;

/// A record with the entry it was read from, so that a change can demand that nobody changed it since.
#[derive(Debug, Clone)]
pub struct Found<T> {
    /// The record.
    pub value: T,
    /// As it stands in the store.
    pub entry: Entry,
}

/// What goes wrong with records.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The store failed.
    #[error("use the state store")]
    Store(#[from] StoreError),
    /// The bytes are no such record: written by a newer version, or damaged.
    #[error("read the record `{key}`")]
    Damaged {
        /// Which.
        key: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl RecordError {
    /// Whether somebody else was faster, so that reading again and deciding again may work.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, RecordError::Store(StoreError::Conflict { .. }))
    }
}

/// One record.
///
/// # Errors
/// When the store fails or the record is damaged.
pub async fn get<T: DeserializeOwned>(store: &dyn Store, key: &str) -> Result<Option<Found<T>>, RecordError> {
    store.get(key).await?.map(parse).transpose()
}

/// All records under a prefix, in the keys' order.
///
/// # Errors
/// When the store fails or a record is damaged.
pub async fn list<T: DeserializeOwned>(store: &dyn Store, prefix: &str) -> Result<Vec<Found<T>>, RecordError> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(prefix, Page { after, limit: None, descending: false }).await?;
        after = page.entries.last().map(|entry| entry.key.clone());
        for entry in page.entries {
            found.push(parse(entry)?);
        }
        if !page.more {
            return Ok(found);
        }
    }
}

/// The last `count` records under a prefix, from the last key to the first.
///
/// # Errors
/// When the store fails or a record is damaged.
pub async fn newest<T: DeserializeOwned>(
    store: &dyn Store,
    prefix: &str,
    count: usize,
) -> Result<Vec<Found<T>>, RecordError> {
    let page = store.list(prefix, Page { after: None, limit: Some(count), descending: true }).await?;
    page.entries.into_iter().map(parse).collect()
}

/// A record as the store keeps it.
///
/// # Panics
/// Never for our records: their maps have text keys, so that they always have a JSON form.
#[must_use]
pub fn json<T: Serialize>(value: &T) -> Bytes {
    #[allow(clippy::expect_used, reason = "our records are maps with text keys: they always have a JSON form")]
    serde_json::to_vec(value).expect("a record has a JSON form").into()
}

/// Adds a record's change to a transaction, demanding that it is as it was read.
#[must_use]
pub fn replace<T: Serialize>(transaction: Transaction, found: &Found<T>) -> Transaction {
    transaction.unmodified(&found.entry).put(found.entry.key.clone(), json(&found.value))
}

/// Repeats `attempt` while it loses against concurrent changes; each attempt reads afresh.
///
/// # Errors
/// The last attempt's error.
pub async fn retry_conflicts<T, E, F, A>(attempt: F) -> Result<T, E>
where
    F: Fn() -> A,
    A: Future<Output = Result<T, E>>,
    E: MaybeConflict,
{
    for _ in 1..CONFLICT_RETRIES_MAX {
        match attempt().await {
            Err(error) if error.is_conflict() => tokio::task::yield_now().await,
            result => return result,
        }
    }
    attempt().await
}

/// An error that may say: somebody else was faster.
pub trait MaybeConflict {
    /// Whether it does.
    fn is_conflict(&self) -> bool;
}

impl MaybeConflict for RecordError {
    fn is_conflict(&self) -> bool {
        RecordError::is_conflict(self)
    }
}

fn parse<T: DeserializeOwned>(entry: Entry) -> Result<Found<T>, RecordError> {
    match serde_json::from_slice(&entry.value) {
        Ok(value) => Ok(Found { value, entry }),
        Err(source) => Err(RecordError::Damaged { key: entry.key, source }),
    }
}
