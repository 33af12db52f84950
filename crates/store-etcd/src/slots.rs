//! What lets a transaction be asked again: it is done once, however often and however late it arrives.
//!
//! A request whose answer was lost may still lie in a member that hangs, and be done much later. So every transaction also
//! changes a key of ours, its slot, and has as a precondition that nobody has changed that key since: of all its copies one at
//! most is done. Whose change it was, the slot's value tells. To know that none will be done any more, the slot is changed.
//!
//! A slot belongs to one store and serves one transaction at a time. Those of stores that are gone are removed in time, oldest
//! first; a store that finds its own removed makes another.

use std::fmt;

use ambo_store::StoreError;
use etcd_client::{
    Client, Compare, CompareOp, GetOptions, KeyValue, SortOrder, SortTarget, Txn, TxnOp, TxnOpResponse, TxnResponse,
};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use uuid::Uuid;

use crate::failure::{Failure, store_error, unclear};
use crate::keys::Keys;
use crate::members::{Answer, Members};

/// Most transactions of one store that are under way at a time. More wait.
const SLOTS_MAX: usize = 32;
/// So many slots of all stores are kept.
const SLOTS_KEPT: usize = 256;
/// Most that are removed at a time.
const SLOTS_REMOVED_MAX: usize = 100;

/// The slots of a store.
pub(crate) struct Slots {
    idle: Mutex<Vec<Slot>>,
    places: Semaphore,
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").field("idle", &self.idle.lock().len()).finish_non_exhaustive()
    }
}

struct Slot {
    key: Vec<u8>,
    /// etcd's revision of its last change; `None` when that is not known.
    changed: Option<i64>,
}

/// A slot in use. Dropped before [`Held::changed_at`] was told, it counts as unknown.
pub(crate) struct Held<'a> {
    slots: &'a Slots,
    slot: Slot,
    _place: SemaphorePermit<'a>,
}

/// What became of a transaction whose slot was changed to make it void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voided {
    /// It was not done, and will not be.
    Void,
    /// It was done before, at this revision of etcd's.
    DoneAt(i64),
}

impl Slots {
    pub(crate) fn new() -> Self {
        Self { idle: Mutex::new(Vec::new()), places: Semaphore::new(SLOTS_MAX) }
    }

    /// Takes a slot whose last change is known. The one that was used last comes first, so that few are made.
    pub(crate) async fn take(
        &self,
        members: &Members,
        keys: &Keys,
        deadline: Instant,
    ) -> Result<(Held<'_>, i64), StoreError> {
        let late =
            |_| StoreError::Backend { doing: "wait for a turn in etcd".to_owned(), source: "it took too long".into() };
        let closed =
            |_| StoreError::Backend { doing: "commit in etcd".to_owned(), source: "the store is closed".into() };
        let place = tokio::time::timeout_at(deadline, self.places.acquire()).await.map_err(late)?.map_err(closed)?;
        let taken = self.idle.lock().pop();
        let slot = match taken {
            Some(slot) => slot,
            None => {
                remove_old(members, keys, deadline).await;
                Slot { key: keys.slot(&Uuid::new_v4().to_string()), changed: None }
            }
        };
        let mut held = Held { slots: self, slot, _place: place };
        let changed = match held.slot.changed.take() {
            Some(changed) => changed,
            None => held.find_out(members, deadline).await?,
        };
        Ok((held, changed))
    }
}

impl Held<'_> {
    /// The slot's key.
    pub(crate) fn key(&self) -> &[u8] {
        &self.slot.key
    }

    /// When the slot was last changed: it may be used again.
    pub(crate) fn changed_at(&mut self, revision: i64) {
        self.slot.changed = Some(revision);
    }

    /// Holds while nobody has changed the slot since.
    pub(crate) fn unchanged(&self, since: i64) -> Compare {
        Compare::mod_revision(self.key(), CompareOp::Equal, since)
    }

    /// Makes a transaction void that was asked with the slot unchanged since then and with this mark.
    ///
    /// # Errors
    /// [`StoreError::Unclear`] when nobody can tell.
    pub(crate) async fn void(
        &mut self,
        members: &Members,
        deadline: Instant,
        since: i64,
        mark: &[u8],
    ) -> Result<Voided, StoreError> {
        let answer = self.change(members, deadline, since).await;
        let answer = answer.result.map_err(|failure| unclear("commit", failure))?;
        if answer.succeeded() {
            self.changed_at(revision(&answer));
            return Ok(Voided::Void);
        }
        let Some(found) = first_found(&answer) else { return Err(removed()) };
        self.changed_at(found.mod_revision());
        Ok(if found.value() == mark { Voided::DoneAt(found.mod_revision()) } else { Voided::Void })
    }

    /// Looks whether a transaction was done that is not under way any more.
    pub(crate) async fn done_at(
        &mut self,
        members: &Members,
        deadline: Instant,
        mark: &[u8],
    ) -> Result<Option<i64>, Failure> {
        let found = self.look(members, deadline).await?;
        Ok(found.filter(|found| found.value() == mark).map(|found| found.mod_revision()))
    }

    /// Makes every request void that may still be under way with this slot, and says since when.
    async fn find_out(&mut self, members: &Members, deadline: Instant) -> Result<i64, StoreError> {
        loop {
            let found = self.look(members, deadline).await.map_err(|failure| store_error("commit", failure))?;
            let since = found.map_or(0, |found| found.mod_revision());
            let changed = self.change(members, deadline, since).await.result;
            let changed = changed.map_err(|failure| store_error("commit", failure))?;
            if changed.succeeded() {
                return Ok(revision(&changed));
            }
        }
    }

    async fn look(&self, members: &Members, deadline: Instant) -> Result<Option<KeyValue>, Failure> {
        let ask = |mut client: Client| {
            let key = self.slot.key.clone();
            async move { client.get(key, None).await }
        };
        Ok(members.call_until(deadline, ask).await.result?.take_kvs().pop())
    }

    /// Changes the slot, unless somebody has since; then tells to what.
    async fn change(&self, members: &Members, deadline: Instant, since: i64) -> Answer<TxnResponse> {
        let txn = Txn::new()
            .when([self.unchanged(since)])
            .and_then([TxnOp::put(self.key(), "", None)])
            .or_else([TxnOp::get(self.key(), None)]);
        let ask = |mut client: Client| {
            let txn = txn.clone();
            async move { client.txn(txn).await }
        };
        members.call_until(deadline, ask).await
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let slot = Slot { key: std::mem::take(&mut self.slot.key), changed: self.slot.changed };
        self.slots.idle.lock().push(slot);
    }
}

/// The slot was taken for one of a store that is gone, and with it went the answer.
pub(crate) fn removed() -> StoreError {
    StoreError::Unclear { doing: "commit in etcd".to_owned(), source: "its mark was removed meanwhile".into() }
}

/// etcd's revision of a change, or of the store when nothing was changed.
pub(crate) fn revision(answer: &TxnResponse) -> i64 {
    answer.header().map_or(0, etcd_client::ResponseHeader::revision)
}

/// What the first operation found.
pub(crate) fn first_found(answer: &TxnResponse) -> Option<KeyValue> {
    match answer.op_responses().into_iter().next() {
        Some(TxnOpResponse::Get(mut found)) => found.take_kvs().pop(),
        _ => None,
    }
}

/// Removes the slots that were not used for the longest time, if there are many. Best effort: the next one tries again.
async fn remove_old(members: &Members, keys: &Keys, deadline: Instant) {
    let (start, end) = keys.slots();
    let options = GetOptions::new().with_range(end).with_keys_only().with_sort(SortTarget::Mod, SortOrder::Ascend);
    let ask = |mut client: Client| {
        let (start, options) = (start.clone(), options.clone());
        async move { client.get(start, Some(options)).await }
    };
    let Ok(mut found) = members.call_until(deadline, ask).await.result else { return };
    let found = found.take_kvs();
    let excess = found.len().saturating_sub(SLOTS_KEPT).min(SLOTS_REMOVED_MAX);
    if excess == 0 {
        return;
    }
    let removed: Vec<TxnOp> = found.iter().take(excess).map(|slot| TxnOp::delete(slot.key(), None)).collect();
    let ask = |mut client: Client| {
        let removal = Txn::new().and_then(removed.clone());
        async move { client.txn(removal).await }
    };
    if let Err(failure) = members.call_until(deadline, ask).await.result {
        tracing::debug!(?failure, "old slots in etcd were not removed");
    }
}
