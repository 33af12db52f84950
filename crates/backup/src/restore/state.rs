//! The state, on its way out of an archive: many keys a transaction.

use std::collections::HashSet;

use ambo_store::Transaction;
use ambo_store::migrate::Target;

use super::RestoreError;
use super::target::Begun;

/// Writes keys in their order.
pub(super) struct StateWriter<'a> {
    target: &'a Begun<'a>,
    batch: Transaction,
    bytes: usize,
    keys: HashSet<String>,
}

impl<'a> StateWriter<'a> {
    pub(super) fn new(target: &'a Begun<'a>) -> Self {
        Self { target, batch: Transaction::new(), bytes: 0, keys: HashSet::new() }
    }

    pub(super) async fn put(&mut self, key: &str, value: Vec<u8>) -> Result<(), RestoreError> {
        self.room_make(key, value.len()).await?;
        self.batch = std::mem::take(&mut self.batch).put(key, value);
        Ok(())
    }

    pub(super) async fn delete(&mut self, key: &str) -> Result<(), RestoreError> {
        self.room_make(key, 0).await?;
        self.batch = std::mem::take(&mut self.batch).delete(key);
        Ok(())
    }

    /// Writes what waits.
    pub(super) async fn flush(&mut self) -> Result<(), RestoreError> {
        self.keys.clear();
        self.bytes = 0;
        Ok(self.target.commit(std::mem::take(&mut self.batch)).await?)
    }

    /// A transaction has room for so much, and for each key once.
    async fn room_make(&mut self, key: &str, value_bytes: usize) -> Result<(), RestoreError> {
        let bytes = key.len() + value_bytes;
        if !Target::fits(&self.batch, self.bytes, bytes) || self.keys.contains(key) {
            self.flush().await?;
        }
        self.bytes += bytes;
        self.keys.insert(key.to_owned());
        Ok(())
    }
}
