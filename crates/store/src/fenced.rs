//! A store that only a leader can write to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::port::{
    Committed, Entry, LeaseId, Listing, Page, Precondition, Revision, Store, StoreError, Transaction, Watch,
};

/// Adds a precondition to every transaction: the leadership under which it was opened still holds. What a past leader had
/// begun is refused by the store itself, however late it comes.
///
/// The fence does not count as one of the port's `TRANSACTION_OPERATIONS_MAX`: what fits into a store fits through here.
pub struct FencedStore {
    inner: Arc<dyn Store>,
    fence: Precondition,
    fence_key: String,
}

impl FencedStore {
    /// Fences `inner` with a leadership's [`fence`](crate::Leadership::fence).
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, fence: Precondition) -> Self {
        let (Precondition::Absent { key } | Precondition::Present { key } | Precondition::Unmodified { key, .. }) =
            &fence;
        Self { inner, fence_key: key.clone(), fence }
    }
}

impl fmt::Debug for FencedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FencedStore").field("fence", &self.fence).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for FencedStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.inner.get(key).await
    }

    async fn list(&self, prefix: &str, page: Page) -> Result<Listing, StoreError> {
        self.inner.list(prefix, page).await
    }

    async fn commit(&self, mut transaction: Transaction) -> Result<Committed, StoreError> {
        transaction.fences.push(self.fence.clone());
        match self.inner.commit(transaction).await {
            Err(StoreError::Conflict { key }) if key == self.fence_key => Err(StoreError::Deposed),
            committed => committed,
        }
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError> {
        self.inner.watch(prefix, from).await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        self.inner.lease_grant(ttl).await
    }

    async fn lease_renew(&self, lease: &LeaseId) -> Result<(), StoreError> {
        self.inner.lease_renew(lease).await
    }

    async fn lease_revoke(&self, lease: &LeaseId) -> Result<(), StoreError> {
        self.inner.lease_revoke(lease).await
    }
}
