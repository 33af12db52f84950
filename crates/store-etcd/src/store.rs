//! The port over etcd's members.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ambo_store::limits::{key_check, page_check, prefix_check, transaction_check, ttl_check};
use ambo_store::{Committed, Entry, LeaseId, Listing, Page, Revision, Store, StoreError, Transaction, Watch};
use async_trait::async_trait;
use etcd_client::Client;

use crate::failure::{Failure, is_lease_gone, store_error};
use crate::keys::Keys;
use crate::members::Members;
use crate::settings::EtcdSettings;
use crate::slots::Slots;
use crate::watch::Watched;
use crate::{commit, range, watch};

/// The store on etcd. Cheap to clone.
#[derive(Clone)]
pub struct EtcdStore {
    members: Arc<Members>,
    keys: Keys,
    slots: Arc<Slots>,
    /// Goes with the last clone, and ends the watches.
    open: Arc<tokio::sync::watch::Sender<()>>,
}

impl fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdStore").field("members", &self.members).finish()
    }
}

impl EtcdStore {
    /// A store on this etcd. Nothing is sent yet: an etcd that is down is an error of the first call, not of this one.
    #[must_use]
    pub fn new(settings: EtcdSettings) -> Self {
        let (keys, slots) = (Keys::below(&settings.prefix), Arc::new(Slots::new()));
        Self {
            keys,
            slots,
            members: Arc::new(Members::new(settings)),
            open: Arc::new(tokio::sync::watch::Sender::new(())),
        }
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        key_check(key)?;
        let full = self.keys.full(key);
        let ask = |mut client: Client| {
            let full = full.clone();
            async move { client.get(full, None).await }
        };
        let got = self.members.call(ask).await;
        let got = got.map_err(|failure| store_error("read a key", failure))?;
        Ok(got.kvs().first().map(|found| self.keys.entry(found)))
    }

    async fn list(&self, prefix: &str, page: Page) -> Result<Listing, StoreError> {
        prefix_check(prefix)?;
        let limit = page_check(&page)?;
        range::list(&self.members, &self.keys, prefix, &page, limit).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        transaction_check(&transaction)?;
        commit::commit(&self.members, &self.keys, &self.slots, &transaction).await
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError> {
        prefix_check(prefix)?;
        let (members, keys, store) = (self.members.apart(), self.keys.clone(), self.open.subscribe());
        watch::watch(Watched { members, keys, prefix: prefix.to_owned(), store }, from).await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        ttl_check(ttl)?;
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        // One that nobody hears of ends by itself.
        let granted = self.members.call(move |mut client| async move { client.lease_grant(seconds, None).await }).await;
        Ok(LeaseId(granted.map_err(|failure| store_error("take a lease", failure))?.id().to_string()))
    }

    async fn lease_renew(&self, lease: &LeaseId) -> Result<(), StoreError> {
        let id = lease_number(lease)?;
        let renewed = self.members.call(move |mut client| async move { client.lease_keep_alive(id).await }).await;
        renewed.map(drop).map_err(|failure| store_error("renew a lease", failure))
    }

    async fn lease_revoke(&self, lease: &LeaseId) -> Result<(), StoreError> {
        let Ok(id) = lease_number(lease) else { return Ok(()) };
        match self.members.call(move |mut client| async move { client.lease_revoke(id).await }).await {
            Ok(_) => Ok(()),
            Err(Failure::Refused(error)) if is_lease_gone(&error) => Ok(()),
            Err(failure) => Err(store_error("end a lease", failure)),
        }
    }
}

/// A lease's number in etcd; what is no number is no lease of etcd's, and 0 means none.
pub(crate) fn lease_number(lease: &LeaseId) -> Result<i64, StoreError> {
    lease.0.parse().ok().filter(|number| *number > 0).ok_or(StoreError::LeaseGone)
}
