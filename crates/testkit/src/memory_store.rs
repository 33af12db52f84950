//! A store in memory. It outlives the control planes that use it, as a disk does.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use ambo_store::limits::{key_check, page_check, prefix_check, transaction_check};
use ambo_store::port::PAGE_BYTES_MAX;
use ambo_store::{
    Committed, Entry, Event, LeaseId, Listing, Operation, Page, Precondition, Revision, Store, StoreError, Transaction,
    Watch,
};
use async_trait::async_trait;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

/// Commits that a slow watcher may be behind.
const WATCH_BACKLOG_MAX: usize = 1024;

/// The store. Clones are the same store.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    entries: BTreeMap<String, Entry>,
    revision: Revision,
    history: Vec<Event>,
    news: broadcast::Sender<Event>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        let news = broadcast::Sender::new(WATCH_BACKLOG_MAX);
        let state = State { entries: BTreeMap::new(), revision: Revision(0), history: Vec::new(), news };
        Self { state: Arc::new(Mutex::new(state)) }
    }
}

impl State {
    fn check(&self, precondition: &Precondition) -> Result<(), StoreError> {
        let (key, holds) = match precondition {
            Precondition::Absent { key } => (key, !self.entries.contains_key(key)),
            Precondition::Present { key } => (key, self.entries.contains_key(key)),
            Precondition::Unmodified { key, since } => {
                (key, self.entries.get(key).is_some_and(|entry| entry.modified == *since))
            }
        };
        if holds { Ok(()) } else { Err(StoreError::Conflict { key: key.clone() }) }
    }

    /// The entries under a prefix that a page may begin with, in its order.
    fn below<'a>(&'a self, prefix: &'a str, page: &Page) -> Box<dyn Iterator<Item = &'a Entry> + 'a> {
        let after = page.after.as_deref().filter(|after| *after >= prefix);
        if page.descending {
            // Below `after`; from the prefix's end when there is none. An `after` that comes before the prefix leaves nothing.
            let end = page.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            if page.after.as_deref().is_some_and(|after| after <= prefix) {
                return Box::new(std::iter::empty());
            }
            let up_to = self.entries.range::<str, _>((Bound::Included(prefix), end)).rev();
            let under = up_to.skip_while(move |(key, _)| !key.starts_with(prefix));
            return Box::new(under.take_while(move |(key, _)| key.starts_with(prefix)).map(|(_, entry)| entry));
        }
        let begin = after.map_or(Bound::Included(prefix), Bound::Excluded);
        let from = self.entries.range::<str, _>((begin, Bound::Unbounded));
        Box::new(from.take_while(move |(key, _)| key.starts_with(prefix)).map(|(_, entry)| entry))
    }

    fn apply(&mut self, operation: Operation, revision: Revision) {
        let event = match operation {
            Operation::Put { key, value, .. } => {
                let created = self.entries.get(&key).map_or(revision, |before| before.created);
                let entry = Entry { key: key.clone(), value, created, modified: revision, is_leased: false };
                self.entries.insert(key, entry.clone());
                Event::Put(entry)
            }
            Operation::Delete { key } => match self.entries.remove(&key) {
                Some(_) => Event::Delete { key, revision },
                None => return,
            },
        };
        self.revision = revision;
        self.history.push(event.clone());
        let _ = self.news.send(event); // Nobody may be watching.
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        key_check(key)?;
        Ok(self.state.lock().entries.get(key).cloned())
    }

    async fn list(&self, prefix: &str, page: Page) -> Result<Listing, StoreError> {
        prefix_check(prefix)?;
        let limit = page_check(&page)?;
        let state = self.state.lock();
        let below = state.below(prefix, &page);
        let mut bytes = 0;
        let mut found = Vec::new();
        let mut more = false;
        for entry in below {
            if found.len() == limit || bytes >= PAGE_BYTES_MAX {
                more = true;
                break;
            }
            bytes += entry.value.len();
            found.push(entry.clone());
        }
        Ok(Listing { entries: found, more, revision: state.revision })
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        transaction_check(&transaction)?;
        let mut state = self.state.lock();
        transaction.conditions().try_for_each(|precondition| state.check(precondition))?;
        if transaction.operations.iter().any(|operation| matches!(operation, Operation::Put { lease: Some(_), .. })) {
            return Err(StoreError::LeaseGone);
        }
        let revision = state.revision.next();
        transaction.operations.into_iter().for_each(|operation| state.apply(operation, revision));
        Ok(Committed { revision: state.revision })
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError> {
        prefix_check(prefix)?;
        let state = self.state.lock();
        let since = move |event: &Event| match event {
            Event::Put(entry) => entry.modified >= from,
            Event::Delete { revision, .. } => *revision >= from,
        };
        let prefix = prefix.to_owned();
        let below = move |event: &Event| match event {
            Event::Put(entry) => entry.key.starts_with(&prefix),
            Event::Delete { key, .. } => key.starts_with(&prefix),
        };
        let past: Vec<_> = state.history.iter().filter(|event| since(event)).cloned().map(Ok).collect();
        let coming = BroadcastStream::new(state.news.subscribe())
            .map(|event| event.map_err(|BroadcastStreamRecvError::Lagged(_)| StoreError::WatchLagged));
        let wanted = move |event: &Result<Event, StoreError>| {
            std::future::ready(event.as_ref().map_or(true, |event| since(event) && below(event)))
        };
        // One that was too slow is told so, and nothing after.
        let to_the_end = |ended: &mut bool, event: Result<Event, StoreError>| {
            let goes_on = !*ended;
            *ended = event.is_err();
            std::future::ready(goes_on.then_some(event))
        };
        Ok(futures::stream::iter(past).chain(coming).filter(wanted).scan(false, to_the_end).boxed())
    }

    /// Leases are of no use to a single control plane: nobody simulates an election with this store.
    async fn lease_grant(&self, _ttl: Duration) -> Result<LeaseId, StoreError> {
        Err(StoreError::Limit("the store in memory has no leases".to_owned()))
    }

    async fn lease_renew(&self, _lease: &LeaseId) -> Result<(), StoreError> {
        Err(StoreError::LeaseGone)
    }

    async fn lease_revoke(&self, _lease: &LeaseId) -> Result<(), StoreError> {
        Ok(())
    }
}
