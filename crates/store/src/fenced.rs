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
/// The precondition counts as one of the port's `TRANSACTION_OPERATIONS_MAX`.
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
        transaction.preconditions.insert(0, self.fence.clone());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Election, SqliteSettings, SqliteStore};

    #[tokio::test]
    async fn what_a_past_leader_writes_is_refused_however_late() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open_with(&dir.path().join("s.db"), SqliteSettings::default()).unwrap();
        let inner: Arc<dyn Store> = Arc::new(store);
        let election = Election::new(inner.clone(), "leader", Duration::from_secs(60));
        let first = election.campaign("first").await.unwrap();
        let past = FencedStore::new(inner.clone(), first.fence());
        past.commit(Transaction::new().put("app", "1")).await.unwrap();
        first.resign().await.unwrap();
        assert!(matches!(past.commit(Transaction::new().put("app", "2")).await, Err(StoreError::Deposed)));

        let second = election.campaign("second").await.unwrap();
        let present = FencedStore::new(inner.clone(), second.fence());
        present.commit(Transaction::new().put("app", "3")).await.unwrap();
        assert!(matches!(past.commit(Transaction::new().put("app", "4")).await, Err(StoreError::Deposed)));
        assert_eq!(inner.get("app").await.unwrap().unwrap().value, "3");
        let conflict = present.commit(Transaction::new().absent("app").put("app", "5")).await;
        assert!(matches!(conflict, Err(StoreError::Conflict { key }) if key == "app"), "others' preconditions as ever");
    }
}
