//! The store in memory, with its traffic counted.

use std::time::Duration;

use ambo_controller::ports::{Artifacts, CollectedImages, KeptImagesSource};
use ambo_model::{AppId, ImageDigest};
use ambo_store::{
    Committed, Entry, LeaseId, Listing, Operation, Page, Revision, Store, StoreError, Transaction, Watch,
};
use async_trait::async_trait;
use futures::FutureExt;

use super::meter::Meter;
use crate::memory_store::MemoryStore;

/// How long an answer of the store is on its way: etcd on another machine of the same network.
const ROUND_TRIP: Duration = Duration::from_millis(2);

/// The store, counted.
#[derive(Debug, Clone)]
pub(super) struct MeteredStore {
    pub(super) store: MemoryStore,
    pub(super) meter: Meter,
}

impl MeteredStore {
    /// The store in memory waits for nothing, so that its work can be timed.
    async fn done<T>(&self, work: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        tokio::time::sleep(ROUND_TRIP).await;
        let waits = || Err(StoreError::Limit("the store in memory waits for nothing".to_owned()));
        self.meter.stand_in(|| work.now_or_never()).unwrap_or_else(waits)
    }

    fn read<'a>(&self, entries: impl Iterator<Item = &'a Entry>) {
        self.meter.count(|traffic| {
            for entry in entries {
                traffic.entries_read += 1;
                traffic.bytes_read += (entry.key.len() + entry.value.len()) as u64;
            }
        });
    }
}

#[async_trait]
impl Store for MeteredStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let found = self.done(self.store.get(key)).await?;
        self.meter.count(|traffic| traffic.gets += 1);
        self.read(found.iter());
        Ok(found)
    }

    async fn list(&self, prefix: &str, page: Page) -> Result<Listing, StoreError> {
        let listing = self.done(self.store.list(prefix, page)).await?;
        self.meter.count(|traffic| traffic.pages += 1);
        self.read(listing.entries.iter());
        Ok(listing)
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        let put = |operation: &Operation| match operation {
            Operation::Put { key, value, .. } => key.len() + value.len(),
            Operation::Delete { key } => key.len(),
        };
        let bytes = transaction.operations.iter().map(put).sum::<usize>() as u64;
        self.meter.count(|traffic| {
            traffic.commits += 1;
            traffic.bytes_written += bytes;
        });
        self.done(self.store.commit(transaction)).await
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError> {
        self.meter.count(|traffic| traffic.watches += 1);
        self.done(self.store.watch(prefix, from)).await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        self.store.lease_grant(ttl).await
    }

    async fn lease_renew(&self, lease: &LeaseId) -> Result<(), StoreError> {
        self.store.lease_renew(lease).await
    }

    async fn lease_revoke(&self, lease: &LeaseId) -> Result<(), StoreError> {
        self.store.lease_revoke(lease).await
    }
}

/// Nothing is built, pushed or collected at scale.
#[async_trait]
impl Artifacts for MeteredStore {
    async fn app_remove(&self, _app: AppId) -> Result<(), String> {
        Ok(())
    }

    async fn image_hold(&self, _app: AppId, _image: &ImageDigest) -> Result<bool, String> {
        Ok(true)
    }

    async fn image_mount(&self, _from: AppId, _to: AppId, _image: &ImageDigest) -> Result<bool, String> {
        Ok(true)
    }

    async fn image_find(&self, _app: AppId, _path: &str, digest: &ImageDigest) -> Result<Option<ImageDigest>, String> {
        Ok(Some(digest.clone()))
    }

    async fn images_collect(&self, _keeping: &dyn KeptImagesSource) -> Result<CollectedImages, String> {
        Ok(CollectedImages::default())
    }
}
