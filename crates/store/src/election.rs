//! One leader among candidates, on top of leases.
//!
//! A leader that stalls may learn late that it was replaced. So whatever only a leader may write goes through
//! [`Leadership::guard`] or a [`FencedStore`](crate::FencedStore): the store itself refuses it from a past leader.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use tokio::time::Instant;

use crate::port::{Event, LeaseId, Precondition, Revision, Store, StoreError, Transaction};

/// How many renewals fit into the life of a lease, so that one may fail.
const RENEWALS_PER_TTL: u32 = 3;

/// An election: a key that one candidate holds at a time.
#[derive(Clone)]
pub struct Election {
    store: Arc<dyn Store>,
    key: String,
    ttl: Duration,
}

impl fmt::Debug for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Election").field("key", &self.key).field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl Election {
    /// An election over `key`; a leader that is not heard of for `ttl` has lost it.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, key: impl Into<String>, ttl: Duration) -> Self {
        Self { store, key: key.into(), ttl }
    }

    /// Waits until `candidate` leads.
    ///
    /// # Errors
    /// When the store fails; campaign again.
    ///
    /// # Cancel safety
    /// A dropped campaign leaves at most a lease that ends by itself after the `ttl`.
    pub async fn campaign(&self, candidate: impl Into<Bytes>) -> Result<Leadership, StoreError> {
        let candidate = candidate.into();
        loop {
            self.wait_until_vacant().await?;
            let renewed = Instant::now();
            let lease = self.store.lease_grant(self.ttl).await?;
            let claim = Transaction::new().absent(&self.key).put_leased(&self.key, candidate.clone(), lease.clone());
            match self.store.commit(claim).await {
                Ok(committed) => {
                    return Ok(Leadership { election: self.clone(), lease, since: committed.revision, renewed });
                }
                Err(StoreError::Conflict { .. } | StoreError::LeaseGone) => self.store.lease_revoke(&lease).await?,
                Err(error) => {
                    let _ = self.store.lease_revoke(&lease).await;
                    return Err(error);
                }
            }
        }
    }

    /// Who leads now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn leader(&self) -> Result<Option<Bytes>, StoreError> {
        Ok(self.store.get(&self.key).await?.map(|entry| entry.value))
    }

    /// Ends the leadership of `candidate`, if it leads. For the successor of a process that has died under the same name, and
    /// that knows of its death: nobody waits for the lease then.
    ///
    /// # Errors
    /// When the store fails; the leadership then ends with its lease.
    pub async fn succeed(&self, candidate: &[u8]) -> Result<(), StoreError> {
        let Some(entry) = self.store.get(&self.key).await?.filter(|entry| entry.value == candidate) else {
            return Ok(());
        };
        match self.store.commit(Transaction::new().unmodified(&entry).delete(&self.key)).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn wait_until_vacant(&self) -> Result<(), StoreError> {
        while let Some(entry) = self.store.get(&self.key).await? {
            let mut watch = match self.store.watch(&self.key, entry.modified.next()).await {
                Ok(watch) => watch,
                // The leader has led for longer than the history goes back: start from now.
                Err(StoreError::Compacted(_)) => match self.watch_from_now().await? {
                    Some(watch) => watch,
                    None => return Ok(()),
                },
                Err(error) => return Err(error),
            };
            loop {
                match watch.next().await {
                    Some(Ok(Event::Delete { key, .. })) if key == self.key => break,
                    Some(Ok(_)) => {}
                    // Too slow: look again. A store that was closed says so at the next read.
                    Some(Err(StoreError::WatchLagged)) | None => break,
                    Some(Err(error)) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// A watch from a moment at which the key was held.
    async fn watch_from_now(&self) -> Result<Option<crate::port::Watch>, StoreError> {
        let listing = self.store.list(&self.key, crate::port::Page::default()).await?;
        if !listing.entries.iter().any(|entry| entry.key == self.key) {
            return Ok(None);
        }
        self.store.watch(&self.key, listing.revision.next()).await.map(Some)
    }
}

/// Leading. Dropped without [`Leadership::resign`], it ends with its lease.
#[derive(Debug)]
pub struct Leadership {
    election: Election,
    lease: LeaseId,
    since: Revision,
    renewed: Instant,
}

impl Leadership {
    /// Since when.
    #[must_use]
    pub fn since(&self) -> Revision {
        self.since
    }

    /// What holds as long as this leadership does.
    #[must_use]
    pub fn fence(&self) -> Precondition {
        Precondition::Unmodified { key: self.election.key.clone(), since: self.since }
    }

    /// Makes a transaction fail with a conflict unless this leadership still holds.
    #[must_use]
    pub fn guard(&self, mut transaction: Transaction) -> Transaction {
        transaction.preconditions.insert(0, self.fence());
        transaction
    }

    /// Renews the lease until the leadership is lost. Whoever leads must run this beside its work and stop when it
    /// returns.
    ///
    /// # Cancel safety
    /// Cancel safe: may be dropped and called again.
    pub async fn hold(&mut self) {
        let ttl = self.election.ttl;
        let interval = ttl / RENEWALS_PER_TTL;
        loop {
            let lost_at = self.renewed + ttl;
            tokio::time::sleep_until(lost_at.min(Instant::now() + interval)).await;
            let asked = Instant::now();
            // What counts is when we asked: the store counts from no earlier.
            match tokio::time::timeout_at(lost_at, self.election.store.lease_renew(&self.lease)).await {
                Ok(Ok(())) => self.renewed = asked,
                Ok(Err(StoreError::LeaseGone)) | Err(_) => return,
                Ok(Err(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the leader's lease could not be renewed");
                }
            }
        }
    }

    /// Gives the leadership up at once.
    ///
    /// # Errors
    /// When the store fails; the leadership then ends with its lease.
    pub async fn resign(self) -> Result<(), StoreError> {
        self.election.store.lease_revoke(&self.lease).await
    }
}
